//! Order-flow imbalance, and the touch's imbalance by time.

use super::{Level, Ratio, Touch, seconds};
use crate::indicators::value::Value;
use engine::time::Nanos;

/// Order-flow imbalance of Cont, Kukanov and Stoikov over a window of time.
///
/// The window is cut into slices of equal time; a slice leaves as a whole. The sum is exact, and its
/// window is between `slices - 1` and `slices` slices long.
#[derive(Clone, Debug)]
pub struct OrderFlow {
    slice: u64,
    slices: Box<[i128]>,
    /// Number of the slice that fills, since 1970.
    current: u64,
    total: i128,
    last: Option<Touch>,
}

impl OrderFlow {
    /// Over `window` in `slices` slices. Panics when either is 0.
    #[must_use]
    pub fn new(window: Nanos, slices: usize) -> Self {
        assert!(slices > 0 && window.0 >= slices as u64, "a slice has a length");
        let slice = window.0 / slices as u64;
        Self { slice, slices: vec![0; slices].into_boxed_slice(), current: 0, total: 0, last: None }
    }

    /// The touch became `touch` at `at`; answers the contribution of this change.
    #[inline]
    pub fn touch(&mut self, at: Nanos, touch: &Touch) -> i64 {
        self.advance(at);
        let Some(last) = self.last.replace(*touch) else { return 0 };
        let contribution = event(&last, touch);
        let index = self.index(self.current);
        self.slices[index] += i128::from(contribution);
        self.total += i128::from(contribution);
        contribution
    }

    /// The touch is not known any more: what it is next is no flow.
    #[inline]
    pub fn lose(&mut self) {
        self.last = None;
    }

    /// Time has come to `now`: slices that have left count no more. Answers whether the sum changed.
    #[inline]
    pub fn advance(&mut self, now: Nanos) -> bool {
        let before = self.total;
        let number = now.0 / self.slice;
        let passed = number.saturating_sub(self.current).min(self.slices.len() as u64);
        for step in 1..=passed {
            let index = self.index(number - passed + step);
            self.total -= std::mem::take(&mut self.slices[index]);
        }
        self.current = self.current.max(number);
        self.total != before
    }

    /// The sum over the window, quantity units.
    #[must_use]
    pub fn sum(&self) -> i128 {
        self.total
    }

    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "below the count of slices")]
    fn index(&self, number: u64) -> usize {
        (number % self.slices.len() as u64) as usize
    }
}

/// What one change of the touch adds: demand that came less demand that went, and the same of supply.
#[inline]
fn event(before: &Touch, after: &Touch) -> i64 {
    let (b0, b1, a0, a1) = (before.bid, after.bid, before.ask, after.ask);
    let mut e = 0;
    if b1.price >= b0.price {
        e += b1.quantity;
    }
    if b1.price <= b0.price {
        e -= b0.quantity;
    }
    if a1.price <= a0.price {
        e -= a1.quantity;
    }
    if a1.price >= a0.price {
        e += a0.quantity;
    }
    e
}

/// Exponential mean by time of the touch's imbalance.
#[derive(Clone, Copy, Debug)]
pub struct QueueImbalance {
    half_life: f64,
    last: Option<(Nanos, f64)>,
    mean: f64,
    weight: f64,
}

impl QueueImbalance {
    /// What is `half_life` old weighs half.
    #[must_use]
    pub fn new(half_life: Nanos) -> Self {
        Self { half_life: seconds(half_life).max(1e-9), last: None, mean: 0.0, weight: 0.0 }
    }

    /// The best levels became these at `at`.
    #[inline]
    pub fn touch(&mut self, at: Nanos, bid: Level, ask: Level) {
        let (bid, ask) = (i128::from(bid.quantity), i128::from(ask.quantity));
        let now = Ratio { numerator: bid - ask, denominator: bid + ask }.value().get();
        self.advance(at);
        if let Some(now) = now {
            self.last = Some((at, now));
        }
    }

    /// Time has come to `now`: the imbalance that held since the last change weighs by how long it held.
    #[inline]
    pub fn advance(&mut self, now: Nanos) {
        let Some((since, held)) = self.last else { return };
        let passed = seconds(now.since(since));
        if passed <= 0.0 {
            return;
        }
        let keep = libm::exp2(-passed / self.half_life);
        self.mean = keep * self.mean + (1.0 - keep) * held;
        self.weight = keep * self.weight + (1.0 - keep);
        self.last = Some((now, held));
    }

    /// The mean as of the last `advance`; the present imbalance while no time has passed.
    #[inline]
    #[must_use]
    pub fn value(&self) -> Value {
        match self.last {
            Some((_, held)) if self.weight == 0.0 => Value::of(held),
            _ => Value::of(self.mean / self.weight),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn touch(bid: (i64, i64), ask: (i64, i64)) -> Touch {
        let level = |(price, quantity)| Level { price, quantity };
        Touch { bid: level(bid), ask: level(ask) }
    }

    #[test]
    fn the_papers_cases() {
        let before = touch((99, 10), (100, 20));
        for (after, expected) in [
            (touch((99, 14), (100, 20)), 4),  // bid grows
            (touch((99, 10), (100, 26)), -6), // ask grows
            (touch((98, 7), (100, 20)), -10), // bid falls: the old queue is gone
            (touch((99, 10), (101, 5)), 20),  // ask rises: the old queue is gone
            (touch((100, 3), (101, 5)), 23),  // both rise
            (touch((99, 10), (100, 20)), 0),
        ] {
            assert_eq!(event(&before, &after), expected, "{after:?}");
        }
    }

    proptest! {
        #[test]
        fn the_sum_is_that_of_the_events_in_the_slices_still_held(
            steps in prop::collection::vec((0..30_u64, 95..99_i64, 1..9_i64, 100..104_i64, 1..9_i64), 1..80),
        ) {
            let mut flow = OrderFlow::new(Nanos(40), 4);
            let mut at = 0;
            let mut events: Vec<(u64, i64)> = Vec::new();
            let mut last: Option<Touch> = None;
            for (step, bid, bid_quantity, ask, ask_quantity) in steps {
                at += step;
                let now = touch((bid, bid_quantity), (ask, ask_quantity));
                let e = flow.touch(Nanos(at), &now);
                prop_assert_eq!(e, last.map_or(0, |last| event(&last, &now)));
                last = Some(now);
                events.push((at / 10, e));
                let held: i64 = events.iter().filter(|(slice, _)| *slice + 4 > at / 10).map(|(_, e)| e).sum();
                prop_assert_eq!(flow.sum(), i128::from(held));
            }
        }
    }

    #[test]
    fn an_imbalance_weighs_by_how_long_it_held() {
        let level = |quantity| Level { price: 1, quantity };
        let mut queue = QueueImbalance::new(Nanos(1_000_000_000));
        queue.touch(Nanos(0), level(3), level(1));
        assert_eq!(queue.value().get(), Some(0.5));
        queue.touch(Nanos(1_000_000_000), level(1), level(3));
        queue.advance(Nanos(2_000_000_000));
        // Half of the weight on the last second (-0.5), a quarter on the one before (+0.5).
        assert!((queue.value().get().unwrap() - (0.25 * 0.5 - 0.5 * 0.5) / 0.75).abs() < 1e-15);
    }
}
