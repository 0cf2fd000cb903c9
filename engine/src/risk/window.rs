//! What left in the last second: an exact sliding window over event time. Asking and adding take one step; a
//! clock that steps back refuses until it has caught up.

use crate::ids::InstrumentId;
use crate::num::{Level, Side};
use crate::time::Nanos;

/// One order that left.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sent {
    pub(super) at: Nanos,
    pub(super) instrument: InstrumentId,
    pub(super) side: u8,
    pub(super) level: Level,
}

impl Sent {
    pub(super) const fn new(at: Nanos, instrument: InstrumentId, side: Side, level: Level) -> Self {
        Self { at, instrument, side: side as u8, level }
    }

    fn is_like(&self, other: &Self) -> bool {
        self.level == other.level && self.side == other.side && self.instrument == other.instrument
    }
}

/// The last orders that left: as many as may leave in a second.
#[derive(Clone, Debug)]
pub(super) struct Window {
    ring: Box<[Sent]>,
    /// Where the next goes: the oldest of a full ring.
    next: usize,
    count: usize,
}

impl Window {
    pub(super) fn new(per_s_max: u32) -> Self {
        Self { ring: vec![Sent::default(); per_s_max as usize].into(), next: 0, count: 0 }
    }

    /// From when on another may leave. None: now.
    #[inline]
    pub(super) fn full_until(&self, now: Nanos) -> Option<Nanos> {
        let oldest = self.ring.get(self.next).filter(|_| self.count == self.ring.len())?;
        (now.since(oldest.at) < Nanos::SECOND).then(|| oldest.at.plus(Nanos::SECOND))
    }

    /// Where no other may leave now: from when on one may, and how many may in a second.
    #[inline]
    pub(super) fn full(&self, now: Nanos) -> Option<(Nanos, i64)> {
        self.full_until(now).map(|until| (until, i64::try_from(self.ring.len()).unwrap_or(i64::MAX)))
    }

    /// When the newest like `wanted` left, if less than `length` before it. Steps through those of that length only.
    #[inline]
    pub(super) fn latest_like(&self, wanted: &Sent, length: Nanos) -> Option<Nanos> {
        let newest_first = (0..self.count).map(|back| {
            let index = self.next + self.ring.len() - 1 - back;
            if index < self.ring.len() { index } else { index - self.ring.len() }
        });
        newest_first
            .filter_map(|index| self.ring.get(index))
            .take_while(|sent| wanted.at.since(sent.at) < length)
            .find(|sent| sent.is_like(wanted))
            .map(|sent| sent.at)
    }

    #[inline]
    pub(super) fn add(&mut self, sent: Sent) {
        if let Some(place) = self.ring.get_mut(self.next) {
            *place = sent;
        }
        self.next = if self.next + 1 == self.ring.len() { 0 } else { self.next + 1 };
        self.count = (self.count + 1).min(self.ring.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::num::{Price, Qty};
    use proptest::prelude::*;

    fn sent(at: u64, price: i64) -> Sent {
        let level = Level { price: Price(price), qty: Qty(1) };
        Sent::new(Nanos(at), InstrumentId(0), Side::Buy, level)
    }

    proptest! {
        /// Against a list of everything that left.
        #[test]
        fn a_second_never_holds_more_and_likes_are_found(
            max in 1_u32..6, steps in proptest::collection::vec((0_u64..400_000_000, 0_i64..3), 1..100)
        ) {
            let (mut window, mut all, mut now) = (Window::new(max), Vec::<Sent>::new(), 5_000_000_000);
            for (step, price) in steps {
                now += step;
                let wanted = sent(now, price);
                let within = |length: u64| all.iter().rev().take_while(move |s| now - s.at.0 < length);
                let full = within(1_000_000_000).count() >= max as usize;
                prop_assert_eq!(window.full_until(Nanos(now)).is_some(), full);
                if let Some(until) = window.full_until(Nanos(now)) {
                    prop_assert!(window.full_until(until).is_none());
                }
                let like = within(300_000_000).take(max as usize).find(|s| s.level == wanted.level).map(|s| s.at);
                prop_assert_eq!(window.latest_like(&wanted, Nanos(300_000_000)), like);
                if !full {
                    window.add(wanted);
                    all.push(wanted);
                }
            }
        }
    }
}
