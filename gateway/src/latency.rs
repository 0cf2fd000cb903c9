//! Latency by hop, from the stamps that messages carry: histograms of counter ticks, in memory taken at start.

use engine::journal::schema::OrderStamps;
use engine::message::Head;
use engine::time::{Lap, Stamp, StampClock};
use hdrhistogram::Histogram;

/// One step of a frame's way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum Hop {
    /// Frame received until decoded and in sequence. Every frame that led to a message.
    Decode = 0,
    /// Until the book holds it.
    Book = 1,
    /// Until features are computed.
    Signal = 2,
    /// Until the strategy stated a target. Frames that led to one.
    Decide = 3,
    /// Target until approved and journalled. Orders.
    Risk = 4,
    /// Approved and journalled until written in the venue's form. Orders.
    Encode = 5,
    /// Frame received until the order was handed to the exchange. Frames that led to an order.
    TickToOrder = 6,
}

impl Hop {
    /// Every hop, in the order of the way.
    pub const ALL: [Self; 7] =
        [Self::Decode, Self::Book, Self::Signal, Self::Decide, Self::Risk, Self::Encode, Self::TickToOrder];

    /// The hop's name in summaries.
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
        }
    }
}

/// Histograms of a run.
#[derive(Clone)]
pub struct Latency {
    clock: StampClock,
    hops: Vec<Histogram<u64>>,
}

/// One hop, summed up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HopSummary {
    /// Median, ns.
    pub p50: u64,
    /// 99 %, ns.
    pub p99: u64,
    /// 99.9 %, ns.
    pub p999: u64,
    /// Largest, ns.
    pub max: u64,
    /// How many.
    pub count: u64,
}

/// Ticks beyond which a value counts as this one (1.6 s at 2.7 GHz): what a lap can hold.
const TICKS_MAX: u64 = u32::MAX as u64;

impl Latency {
    /// Empty histograms of three significant digits.
    #[must_use]
    pub fn new(clock: StampClock) -> Self {
        let empty = || Histogram::new_with_bounds(1, TICKS_MAX, 3);
        // The bounds are constants that the constructor accepts; without one, that hop is not recorded.
        Self { clock, hops: Hop::ALL.iter().filter_map(|_| empty().ok()).collect() }
    }

    /// The way of a frame until its features were computed.
    #[inline]
    pub fn frame(&mut self, head: &Head) {
        let [decoded, booked, signalled, _] = head.laps.map(|lap| lap.0);
        self.record(Hop::Decode, decoded);
        self.record(Hop::Book, booked.saturating_sub(decoded));
        self.record(Hop::Signal, signalled.saturating_sub(booked));
    }

    /// The strategy's part of a target's way.
    #[inline]
    pub fn target(&mut self, head: &Head) {
        self.record(Hop::Decide, head.laps[3].0.saturating_sub(head.laps[2].0));
    }

    /// An order or an amendment left.
    #[inline]
    pub fn order(&mut self, stamps: &OrderStamps) {
        self.record(Hop::Risk, stamps.approved.saturating_sub(stamps.entered));
        self.record(Hop::Encode, stamps.encoded.saturating_sub(stamps.approved));
        self.record(Hop::TickToOrder, stamps.sent);
    }

    /// A stamp; zero when latency is not measured.
    #[inline]
    #[must_use]
    pub fn now(&self) -> Stamp {
        self.clock.now()
    }

    /// Whether latency is measured.
    #[inline]
    #[must_use]
    pub const fn is_on(&self) -> bool {
        self.clock.is_on()
    }

    #[inline]
    fn record(&mut self, hop: Hop, ticks: u32) {
        if let Some(histogram) = self.hops.get_mut(hop as usize) {
            histogram.saturating_record(u64::from(ticks).max(1));
        }
    }

    /// The hops with their percentiles in nanoseconds.
    #[must_use]
    pub fn summary(&self) -> Vec<(Hop, HopSummary)> {
        let ns = |ticks: u64| self.clock.nanos_of(Lap(u32::try_from(ticks).unwrap_or(u32::MAX)));
        let of = |hop: &Histogram<u64>| HopSummary {
            p50: ns(hop.value_at_quantile(0.5)),
            p99: ns(hop.value_at_quantile(0.99)),
            p999: ns(hop.value_at_quantile(0.999)),
            max: ns(hop.max()),
            count: hop.len(),
        };
        Hop::ALL.into_iter().zip(&self.hops).map(|(hop, histogram)| (hop, of(histogram))).collect()
    }
}
