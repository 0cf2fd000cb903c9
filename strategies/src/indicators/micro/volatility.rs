//! Volatility of the middle of the book.

use super::seconds;
use crate::indicators::value::Value;
use engine::time::Nanos;

/// The square root of the sum of n squared log returns of the mid, sampled at whole seconds.
///
/// The sample of a second is the mid of the last change at or before it. Not annualised.
#[derive(Clone, Debug)]
pub struct RealisedVolatility {
    squares: Box<[f64]>,
    next: usize,
    returns: usize,
    /// Twice the mid, now and at the last sample.
    mid_x2: Option<i64>,
    sampled: Option<i64>,
    /// The next whole second to sample, ns.
    due: Nanos,
    value: Value,
}

impl RealisedVolatility {
    /// Over `n` returns of one second. Panics when `n` is 0.
    #[must_use]
    pub fn new(n: usize) -> Self {
        assert!(n > 0, "a window holds something");
        Self {
            squares: vec![0.0; n].into_boxed_slice(),
            next: 0,
            returns: 0,
            mid_x2: None,
            sampled: None,
            due: Nanos(0),
            value: Value::UNDEFINED,
        }
    }

    /// The mid became `mid_x2`/2 at `at`. Whole seconds before `at` still had the old one.
    #[inline]
    pub fn mid(&mut self, at: Nanos, mid_x2: i64) {
        if self.mid_x2.is_none() {
            self.due = Nanos(at.0.div_ceil(SECOND) * SECOND);
        } else if at > self.due {
            self.advance(Nanos(at.0 - 1));
        }
        self.mid_x2 = Some(mid_x2);
    }

    /// Time has come to `now`: samples the whole seconds up to it, at most n + 1 of them: after a longer
    /// silence every return of the window is 0. Answers whether it took a sample.
    #[inline]
    pub fn advance(&mut self, now: Nanos) -> bool {
        if self.due > now {
            return false;
        }
        let Some(mid_x2) = self.mid_x2 else { return false };
        let passed = (now.0 - self.due.0) / SECOND + 1;
        let most = self.squares.len() as u64 + 1;
        for _ in 0..passed.min(most) {
            self.sample(mid_x2);
        }
        self.due = Nanos(self.due.0 + passed * SECOND);
        self.value = if self.returns < self.squares.len() {
            Value::UNDEFINED
        } else {
            // The sum is taken anew: 60 additions a second, and no rounding is carried on.
            Value::of(self.squares.iter().sum::<f64>().sqrt())
        };
        true
    }

    /// As of the last whole second passed; undefined until n returns exist.
    #[inline]
    #[must_use]
    pub fn value(&self) -> Value {
        self.value
    }

    #[inline]
    fn sample(&mut self, mid_x2: i64) {
        if let Some(before) = self.sampled {
            let log_return = log_return(before, mid_x2);
            self.squares[self.next] = log_return * log_return;
            self.next = if self.next + 1 == self.squares.len() { 0 } else { self.next + 1 };
            self.returns = (self.returns + 1).min(self.squares.len());
        }
        self.sampled = Some(mid_x2);
    }
}

/// ln(to/from), by the exact difference: the quotient itself would lose the digits that matter.
#[inline]
pub(super) fn log_return(from: i64, to: i64) -> f64 {
    if from == to {
        return 0.0;
    }
    libm::log1p((to - from) as f64 / from as f64)
}

const SECOND: u64 = 1_000_000_000;

/// Exponential mean by time of squared log returns per second, as a volatility per √second.
#[derive(Clone, Copy, Debug)]
pub struct InstantVolatility {
    half_life: f64,
    last: Option<(Nanos, i64)>,
    variance: f64,
    weight: f64,
}

impl InstantVolatility {
    /// What is `half_life` old weighs half.
    #[must_use]
    pub fn new(half_life: Nanos) -> Self {
        Self { half_life: seconds(half_life).max(1e-9), last: None, variance: 0.0, weight: 0.0 }
    }

    /// The mid became `mid_x2`/2 at `at`.
    #[inline]
    pub fn mid(&mut self, at: Nanos, mid_x2: i64) {
        let Some((before, from)) = self.last else {
            self.last = Some((at, mid_x2));
            return;
        };
        // Changes of one instant are one change.
        let passed = seconds(at.since(before));
        if passed <= 0.0 {
            return;
        }
        self.last = Some((at, mid_x2));
        let keep = libm::exp2(-passed / self.half_life);
        let square = log_return(from, mid_x2);
        self.variance = keep * self.variance + (1.0 - keep) * (square * square / passed);
        self.weight = keep * self.weight + (1.0 - keep);
    }

    /// Volatility per √second; undefined before the first return.
    #[inline]
    #[must_use]
    pub fn value(&self) -> Value {
        Value::of((self.variance / self.weight).sqrt())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_sampled_with_the_mid_of_the_last_change_at_or_before_them() {
        let mut volatility = RealisedVolatility::new(2);
        let s = |tenths: u64| Nanos(tenths * 100_000_000);
        volatility.mid(s(105), 100);
        volatility.mid(s(110), 110); // at the second itself: counts for it
        volatility.mid(s(115), 120);
        volatility.mid(s(125), 130);
        volatility.advance(s(129));
        assert_eq!(volatility.value(), Value::UNDEFINED);
        volatility.advance(s(130));
        let (first, second) = (libm::log(120.0 / 110.0), libm::log(130.0 / 120.0));
        let expected = (first * first + second * second).sqrt();
        assert!((volatility.value().get().unwrap() - expected).abs() < 1e-15);
        volatility.advance(s(10_000_000));
        assert_eq!(volatility.value().get(), Some(0.0), "a silence has no volatility");
    }

    #[test]
    fn a_steady_walk_has_the_volatility_of_its_steps() {
        let mut volatility = InstantVolatility::new(Nanos(5_000_000_000));
        for second in 0..200_u64 {
            volatility
                .mid(Nanos(second * 1_000_000_000), if second % 2 == 0 { 1_000_000 } else { 1_000_100 });
        }
        assert!((volatility.value().get().unwrap() / libm::log(1.0001) - 1.0).abs() < 1e-9);
    }
}
