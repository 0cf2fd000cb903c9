//! Latency of each hop of a frame's way, from the stamps that the journal keeps: what the gateway records live
//! and what a report rebuilds from the journal go through the same functions, and end in the same buckets.
//!
//! ```text
//! frame   received ─ decode ─▶ ─ book ─▶ ─ signal ─▶          every frame that led to a message
//! order                                 ─ decide ─▶ ─ risk ─▶ ─ encode ─▶ sent
//!         received ─────────────────── tick_to_order ───────────────────▶
//! answer                                                       sent ─ ack ─▶ received
//! ```
//!
//! `risk` begins when the gateway takes the target up, so that on several threads the ring before the gateway is
//! part of `tick_to_order` and of no hop. All values are nanoseconds and saturate at 2^32 - 1 (4.3 s).

use crate::histogram::Histogram;
use crate::journal::schema::{OrderStamps, Stamps};
use serde::Serialize;
use std::collections::BTreeMap;

/// One step of a frame's way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum Hop {
    /// Frame received until decoded and in sequence. Frames.
    Decode = 0,
    /// Until the book holds it. Frames.
    Book = 1,
    /// Until features are computed. Frames.
    Signal = 2,
    /// Until the strategy stated its target. Orders.
    Decide = 3,
    /// From the gateway's taking the target up until the order is approved. Orders.
    Risk = 4,
    /// Until it is journalled and in the venue's bytes. Orders.
    Encode = 5,
    /// Frame received until the order's bytes were handed over. Orders.
    TickToOrder = 6,
    /// Order sent until the venue's answer to it was received. Orders that a venue outside answered.
    Ack = 7,
}

impl Hop {
    /// Every hop, in the order of the way.
    pub const ALL: [Self; 8] = [
        Self::Decode,
        Self::Book,
        Self::Signal,
        Self::Decide,
        Self::Risk,
        Self::Encode,
        Self::TickToOrder,
        Self::Ack,
    ];

    /// The hop's name in summaries and counters.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Decode => "decode",
            Self::Book => "book",
            Self::Signal => "signal",
            Self::Decide => "decide",
            Self::Risk => "risk",
            Self::Encode => "encode",
            Self::TickToOrder => "tick_to_order",
            Self::Ack => "ack",
        }
    }

    /// What it is, in a sentence.
    #[must_use]
    pub const fn help(self) -> &'static str {
        match self {
            Self::Decode => "Frame received until decoded and in sequence",
            Self::Book => "Until the book holds it",
            Self::Signal => "Until features are computed",
            Self::Decide => "Until the strategy stated its target, of orders",
            Self::Risk => "Target taken up until the order is approved",
            Self::Encode => "Until the order is journalled and encoded",
            Self::TickToOrder => "Frame received until its order was handed over",
            Self::Ack => "Order sent until the venue's answer was received",
        }
    }
}

/// The hops of one frame, ns.
#[inline]
#[must_use]
pub const fn frame_hops(stamps: &Stamps) -> [(Hop, u32); 3] {
    let Stamps { decoded, booked, signalled, .. } = *stamps;
    [
        (Hop::Decode, decoded),
        (Hop::Book, booked.saturating_sub(decoded)),
        (Hop::Signal, signalled.saturating_sub(booked)),
    ]
}

/// The hops of one order, ns.
#[inline]
#[must_use]
pub const fn order_hops(stamps: &OrderStamps) -> [(Hop, u32); 4] {
    let OrderStamps { signalled, decided, entered, approved, encoded, sent } = *stamps;
    [
        (Hop::Decide, decided.saturating_sub(signalled)),
        (Hop::Risk, approved.saturating_sub(entered)),
        (Hop::Encode, encoded.saturating_sub(approved)),
        (Hop::TickToOrder, sent),
    ]
}

/// The histograms of a run, by hop.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hops {
    histograms: [Histogram; Hop::ALL.len()],
}

impl Hops {
    /// From histograms in the order of [`Hop::ALL`].
    #[must_use]
    pub const fn new(histograms: [Histogram; Hop::ALL.len()]) -> Self {
        Self { histograms }
    }

    /// Counts a frame.
    pub fn frame(&mut self, stamps: &Stamps) {
        for (hop, ns) in frame_hops(stamps) {
            self.histograms[hop as usize].record(ns);
        }
    }

    /// Counts an order.
    pub fn order(&mut self, stamps: &OrderStamps) {
        for (hop, ns) in order_hops(stamps) {
            self.histograms[hop as usize].record(ns);
        }
    }

    /// Counts the answer to an order, by how long the order was under way.
    pub fn answered(&mut self, round_trip_ns: u32) {
        self.histograms[Hop::Ack as usize].record(round_trip_ns);
    }

    /// One hop's histogram.
    #[must_use]
    pub const fn of(&self, hop: Hop) -> &Histogram {
        &self.histograms[hop as usize]
    }

    /// Every hop with its histogram.
    pub fn iter(&self) -> impl Iterator<Item = (Hop, &Histogram)> {
        Hop::ALL.into_iter().zip(&self.histograms)
    }

    /// Those that summaries and reports speak of: the answers of a venue only where one gave any.
    pub fn said(&self) -> impl Iterator<Item = (Hop, &Histogram)> {
        self.iter().filter(|(hop, histogram)| *hop != Hop::Ack || histogram.count() > 0)
    }

    /// What they say: the percentiles by the hop's name.
    #[must_use]
    pub fn percentiles(&self) -> BTreeMap<&'static str, Percentiles> {
        self.said().map(|(hop, histogram)| (hop.name(), Percentiles::of(histogram))).collect()
    }
}

/// What is said of a histogram, ns. All zero without values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Percentiles {
    /// Median.
    pub p50: u32,
    /// Of a hundred values one is above.
    pub p99: u32,
    /// Of a thousand values one is above.
    pub p999: u32,
    /// Largest value.
    pub max: u32,
    /// Number of values.
    pub count: u64,
}

impl Percentiles {
    /// Of a histogram.
    #[must_use]
    pub fn of(histogram: &Histogram) -> Self {
        Self {
            p50: histogram.percentile_ns(500_000),
            p99: histogram.percentile_ns(990_000),
            p999: histogram.percentile_ns(999_000),
            max: histogram.max_ns(),
            count: histogram.count(),
        }
    }
}

/// From which moment a run's latencies are measured; the two never stand in one table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measured {
    /// From the moment a frame was taken: frames came as fast as they were taken, and none ever waited.
    Service,
    /// From the moment a frame was due: what it waited behind others counts (no coordinated omission).
    Response,
}

impl Measured {
    /// `service time` or `response time`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Service => "service time",
            Self::Response => "response time",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hops_are_differences_and_never_below_zero() {
        let mut hops = Hops::default();
        hops.frame(&Stamps { decoded: 40, booked: 100, signalled: 90, decided: 0 });
        hops.order(&OrderStamps {
            signalled: 90,
            decided: 120,
            entered: 130,
            approved: 150,
            encoded: 200,
            sent: 210,
        });
        assert!(!hops.percentiles().contains_key("ack"), "no venue answered");
        hops.answered(900);
        let max: Vec<u32> = hops.iter().map(|(_, histogram)| histogram.max_ns()).collect();
        assert_eq!(max, [40, 60, 0, 30, 20, 50, 210, 900]);
        assert_eq!(hops.percentiles()["ack"].count, 1);
        assert!(hops.iter().all(|(_, histogram)| histogram.count() == 1));
        for hop in Hop::ALL {
            assert_eq!(Hop::ALL[hop as usize], hop);
        }
    }
}
