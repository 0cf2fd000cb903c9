//! Latency by hop, live: from the stamps that messages carry into the histograms of the counters, and into the
//! stamps that the journal keeps. Nothing here reaches a decision.

use engine::counters::{Counters, CountersError, Desc, LiveHistogram};
use engine::journal::schema::{OrderStamps, Stamps};
use engine::latency::{Hop, Hops, frame_hops, order_hops};
use engine::message::Head;
use engine::time::{Lap, Stamp, StampClock};

/// The live histograms of a run.
pub struct Latency {
    clock: StampClock,
    hops: Vec<LiveHistogram>,
}

/// Moments of an order's way through the gateway.
#[derive(Clone, Copy, Debug, Default)]
pub struct Moments {
    /// Its target was taken up.
    pub entered: Stamp,
    /// The gate approved it.
    pub approved: Stamp,
    /// It was journalled and encoded.
    pub encoded: Stamp,
}

impl Latency {
    /// Empty histograms among the counters. Err: no room for them, or they are there already.
    pub fn register(clock: StampClock, counters: &mut Counters) -> Result<Self, CountersError> {
        let histogram = |hop: Hop| {
            let name = format!("latency_{}", hop.name());
            counters.register_histogram("gateway", &Desc::histogram(&name, hop.help()))
        };
        let hops = Hop::ALL.into_iter().map(histogram).collect::<Result<_, _>>()?;
        Ok(Self { clock, hops })
    }

    /// The way of a frame until its features were computed: counts it, and returns what the journal keeps.
    #[inline]
    pub fn frame(&mut self, head: &Head) -> Stamps {
        let [decoded, booked, signalled, decided] = head.laps.map(|lap| self.ns(lap));
        let stamps = Stamps { decoded, booked, signalled, decided };
        for (hop, ns) in frame_hops(&stamps) {
            self.record(hop, ns);
        }
        stamps
    }

    /// An order left now, on a target with this head: counts it, and returns what the journal keeps.
    #[inline]
    pub fn order(&mut self, head: &Head, moments: &Moments) -> OrderStamps {
        let [_, _, signalled, decided] = head.laps.map(|lap| self.ns(lap));
        let since_received = |moment: Stamp| self.ns(moment.lap_since(head.received));
        let stamps = OrderStamps {
            signalled,
            decided,
            entered: since_received(moments.entered),
            approved: since_received(moments.approved),
            encoded: since_received(moments.encoded),
            sent: since_received(self.clock.now()),
        };
        for (hop, ns) in order_hops(&stamps) {
            self.record(hop, ns);
        }
        stamps
    }

    /// A venue's first answer to an order that was under way for so long.
    #[inline]
    pub fn answered(&mut self, round_trip_ns: u32) {
        self.record(Hop::Ack, round_trip_ns);
    }

    /// A stamp; zero when latency is not measured.
    #[inline]
    #[must_use]
    pub fn now(&self) -> Stamp {
        self.clock.now()
    }

    /// The histograms so far.
    #[must_use]
    pub fn hops(&self) -> Hops {
        let mut copies = self.hops.iter().map(LiveHistogram::copy);
        Hops::new(std::array::from_fn(|_| copies.next().unwrap_or_default()))
    }

    #[inline]
    fn ns(&self, lap: Lap) -> u32 {
        u32::try_from(self.clock.nanos_of(lap)).unwrap_or(u32::MAX)
    }

    #[inline]
    fn record(&mut self, hop: Hop, ns: u32) {
        if let Some(histogram) = self.hops.get_mut(hop as usize) {
            histogram.record(ns);
        }
    }
}
