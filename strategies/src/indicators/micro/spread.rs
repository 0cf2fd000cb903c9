//! The spread over time.

use super::seconds;
use crate::indicators::value::Value;
use engine::time::Nanos;

/// Mean by time, exponential mean by time, and extremes of the spread, in ticks.
#[derive(Clone, Copy, Debug)]
pub struct SpreadStatistics {
    half_life: f64,
    last: Option<(Nanos, i64)>,
    /// Σ spread · ns since the start.
    area: i128,
    lasted: u64,
    recent: f64,
    weight: f64,
    min: i64,
    max: i64,
}

impl SpreadStatistics {
    /// In the exponential mean what is `half_life` old weighs half.
    #[must_use]
    pub fn new(half_life: Nanos) -> Self {
        Self {
            half_life: seconds(half_life).max(1e-9),
            last: None,
            area: 0,
            lasted: 0,
            recent: 0.0,
            weight: 0.0,
            min: i64::MAX,
            max: i64::MIN,
        }
    }

    /// The spread became `spread` at `at`.
    #[inline]
    pub fn spread(&mut self, at: Nanos, spread: i64) {
        self.advance(at);
        self.last = Some((at, spread));
        self.min = self.min.min(spread);
        self.max = self.max.max(spread);
    }

    /// Time has come to `now`.
    #[inline]
    pub fn advance(&mut self, now: Nanos) {
        let Some((since, held)) = self.last else { return };
        let passed = now.since(since);
        if passed.0 == 0 {
            return;
        }
        self.area += i128::from(held) * i128::from(passed.0);
        self.lasted += passed.0;
        let keep = libm::exp2(-seconds(passed) / self.half_life);
        self.recent = keep * self.recent + (1.0 - keep) * held as f64;
        self.weight = keep * self.weight + (1.0 - keep);
        self.last = Some((now, held));
    }

    /// The present spread.
    #[must_use]
    pub fn current(&self) -> Option<i64> {
        self.last.map(|(_, spread)| spread)
    }

    /// Mean by time since the start; undefined while no time has passed.
    #[must_use]
    pub fn mean(&self) -> Value {
        Value::of(self.area as f64 / self.lasted as f64)
    }

    /// Exponential mean by time.
    #[must_use]
    pub fn recent_mean(&self) -> Value {
        Value::of(self.recent / self.weight)
    }

    /// Least and greatest spread since the start.
    #[must_use]
    pub fn extremes(&self) -> Option<(i64, i64)> {
        self.last.map(|_| (self.min, self.max))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spread_counts_for_as_long_as_it_stood() {
        let mut spread = SpreadStatistics::new(Nanos(1_000_000_000));
        assert_eq!((spread.mean(), spread.current(), spread.extremes()), (Value::UNDEFINED, None, None));
        spread.spread(Nanos(0), 1);
        spread.spread(Nanos(3_000_000_000), 5);
        spread.advance(Nanos(4_000_000_000));
        assert_eq!(spread.mean().get(), Some(2.0));
        assert_eq!(spread.extremes(), Some((1, 5)));
        let expected = (5.0 * 0.5 + 1.0 * (0.25 + 0.125 + 0.0625)) / 0.9375;
        assert!((spread.recent_mean().get().unwrap() - expected).abs() < 1e-14);
    }
}
