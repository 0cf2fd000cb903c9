//! Rolling mean and variance.

use super::{Ring, state};

state! {
    /// Mean and population variance of the last n numbers, O(1).
    ///
    /// Sums of x and x² lose every digit when the spread is small against the price. These are sums of
    /// distances to an anchor near the window instead, and they are taken anew around the window's own
    /// mean once in 16 rounds of the storage and whenever the variance has become small against what the sums
    /// have held: there the difference of two large sums would be rounding. A window of equal numbers
    /// has variance exactly 0.
    #[derive(Debug)]
    pub struct Moments {
        ring: Ring,
        anchor: f64,
        sum: f64,
        squares: f64,
        /// Largest `squares` since the last renewal: the scale of the rounding the sums carry.
        peak: f64,
        inverse: f64,
        /// Share of `peak` below which a variance is rounding: 1e-6 of the mean square.
        noise: f64,
    }
}

impl Moments {
    /// Over `n` numbers. Panics when `n` is 0.
    #[must_use]
    pub fn new(n: usize) -> Self {
        Self {
            ring: Ring::new(n),
            anchor: 0.0,
            sum: 0.0,
            squares: 0.0,
            peak: 0.0,
            inverse: 1.0 / n as f64,
            noise: 1e-6 / n as f64,
        }
    }

    /// Adds `x`; answers mean and population variance once the window is full.
    #[inline(always)]
    pub fn push(&mut self, x: f64) -> Option<(f64, f64)> {
        if !self.ring.is_full() {
            return self.fill(x);
        }
        let (left, renewal) = self.ring.replace(x);
        let (distance, gone) = (x - self.anchor, left - self.anchor);
        let change = distance - gone;
        self.sum += change;
        self.squares = change.mul_add(distance + gone, self.squares);
        self.peak = if self.squares > self.peak { self.squares } else { self.peak };
        let mean = self.sum * self.inverse;
        let variance = self.squares.mul_add(self.inverse, -(mean * mean));
        if (variance < self.peak * self.noise) | renewal {
            return Some(self.renew());
        }
        Some((self.anchor + mean, variance))
    }

    #[inline]
    fn fill(&mut self, x: f64) -> Option<(f64, f64)> {
        self.ring.push(x);
        let _ = self.ring.is_renewal_due();
        self.ring.is_full().then(|| self.renew())
    }

    /// The window.
    #[inline]
    #[must_use]
    pub fn window(&self) -> &Ring {
        &self.ring
    }

    #[inline]
    fn renew(&mut self) -> (f64, f64) {
        let Renewal { anchor, sum, squares } = renewal(self.ring.held(), self.inverse);
        (self.anchor, self.sum, self.squares, self.peak) = (anchor, sum, squares, squares);
        let mean = sum * self.inverse;
        (anchor + mean, (squares * self.inverse - mean * mean).max(0.0))
    }
}

/// Sums taken anew.
struct Renewal {
    anchor: f64,
    sum: f64,
    squares: f64,
}

/// Two passes: the mean, then the distances to it. Of equal numbers the anchor is that number and every
/// distance 0, so the sums stay exactly 0 for as long as nothing moves. It sees the window only: a call that
/// saw the sums would keep them out of registers through a batch.
#[cold]
#[inline(never)]
fn renewal(held: &[f64], inverse: f64) -> Renewal {
    let first = held.first().copied().unwrap_or_default();
    let offsets: f64 = held.iter().map(|x| x - first).sum();
    let anchor = first + offsets * inverse;
    let (mut sum, mut squares) = (0.0, 0.0);
    for x in held {
        let distance = x - anchor;
        sum += distance;
        squares += distance * distance;
    }
    Renewal { anchor, sum, squares }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn naive(window: &[f64]) -> (f64, f64) {
        let n = window.len() as f64;
        let mean = window.iter().sum::<f64>() / n;
        (mean, window.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / n)
    }

    proptest! {
        #[test]
        fn moments_keep_their_digits_on_a_high_price_with_a_small_spread(
            steps in prop::collection::vec(-3..=3_i32, 1..200),
            n in 2..12_usize,
            jump in 0..200_usize,
        ) {
            let mut moments = Moments::new(n);
            let mut xs = Vec::new();
            let mut x = 61_804.7;
            for (i, step) in steps.iter().enumerate() {
                x += f64::from(*step) * 0.01 + if i == jump { 5_000.0 } else { 0.0 };
                xs.push(x);
                let got = moments.push(x);
                prop_assert_eq!(got.is_some(), xs.len() >= n);
                let Some((mean, variance)) = got else { continue };
                let (expected_mean, expected) = naive(&xs[xs.len() - n..]);
                prop_assert!((mean - expected_mean).abs() < 1e-9);
                prop_assert!((variance - expected).abs() <= 1e-6 * expected + 1e-18, "{} {}", variance, expected);
                prop_assert!(variance >= 0.0);
            }
        }
    }

    #[test]
    fn equal_numbers_have_no_variance_at_all() {
        let mut moments = Moments::new(5);
        for x in [61_804.7, 3.3, 9e9] {
            let _ = moments.push(x);
        }
        let last = (0..5).filter_map(|_| moments.push(0.1)).last();
        assert_eq!(last, Some((0.1, 0.0)));
    }
}
