//! Rolling mean and variance.

use super::{Ring, larger, state};
use crate::indicators::bar::{BLOCK_ROWS, Block};

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
        sums: Sums,
        inverse: f64,
        /// Share of `peak` below which a variance is rounding: 1e-6 of the mean square.
        noise: f64,
    }
}

impl Moments {
    /// Over `n` numbers. Panics when `n` is 0.
    #[must_use]
    pub fn new(n: usize) -> Self {
        Self { ring: Ring::new(n), sums: Sums::default(), inverse: 1.0 / n as f64, noise: 1e-6 / n as f64 }
    }

    /// Adds `x`; answers mean and population variance once the window is full.
    #[inline(always)]
    pub fn push(&mut self, x: f64) -> Option<(f64, f64)> {
        if !self.ring.is_full() {
            return self.fill(x);
        }
        let (left, renewal) = self.ring.replace(x);
        let (mean, variance) = self.sums.push(x, left, self.inverse);
        if (variance < self.sums.peak * self.noise) | renewal {
            return Some(self.renew());
        }
        Some((mean, variance))
    }

    /// Adds a block of numbers to a full window; writes mean and variance after each.
    #[inline]
    pub(crate) fn push_block(&mut self, xs: &Block, means: &mut Block, variances: &mut Block) {
        debug_assert!(self.ring.is_full(), "a number leaves for each");
        let (inverse, noise) = (self.inverse, self.noise);
        let mut row = 0;
        while row < BLOCK_ROWS {
            let (mut sums, mut count, mut is_noisy) = (self.sums, 0, false);
            let rows = xs[row..].iter().zip(&mut means[row..]).zip(&mut variances[row..]);
            for (cell, ((x, mean), variance)) in self.ring.oldest().iter_mut().zip(rows) {
                let left = std::mem::replace(cell, *x);
                (*mean, *variance) = sums.push(*x, left, inverse);
                count += 1;
                if *variance < sums.peak * noise {
                    is_noisy = true;
                    break;
                }
            }
            self.sums = sums;
            row += count;
            if self.ring.replaced(count) | is_noisy {
                (means[row - 1], variances[row - 1]) = self.renew();
            }
        }
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
        self.sums = renewed(self.ring.held(), self.inverse);
        let Sums { anchor, sum, squares, .. } = self.sums;
        let mean = sum * self.inverse;
        (anchor + mean, (squares * self.inverse - mean * mean).max(0.0))
    }
}

/// Sums over a window's distances to an anchor. In a local variable they stay in registers through a block.
#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    anchor: f64,
    sum: f64,
    squares: f64,
    /// Largest `squares` since the last renewal: the scale of the rounding the sums carry.
    peak: f64,
}

impl Sums {
    /// Takes `x` for what `left`; answers mean and variance.
    #[inline(always)]
    fn push(&mut self, x: f64, left: f64, inverse: f64) -> (f64, f64) {
        let (distance, gone) = (x - self.anchor, left - self.anchor);
        let change = distance - gone;
        self.sum += change;
        self.squares = change.mul_add(distance + gone, self.squares);
        self.peak = larger(self.squares, self.peak);
        let mean = self.sum * inverse;
        (self.anchor + mean, self.squares.mul_add(inverse, -(mean * mean)))
    }
}

/// Two passes: the mean, then the distances to it. Of equal numbers the anchor is that number and every
/// distance 0, so the sums stay exactly 0 for as long as nothing moves. It sees the window only: a call that
/// saw the sums would keep them out of registers through a batch.
#[cold]
#[inline(never)]
fn renewed(held: &[f64], inverse: f64) -> Sums {
    let first = held.first().copied().unwrap_or_default();
    let offsets: f64 = held.iter().map(|x| x - first).sum();
    let anchor = first + offsets * inverse;
    let (mut sum, mut squares) = (0.0, 0.0);
    for x in held {
        let distance = x - anchor;
        sum += distance;
        squares += distance * distance;
    }
    Sums { anchor, sum, squares, peak: squares }
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

    proptest! {
        /// Quiet stretches, jumps and enormous numbers: renewals at the end of a round, before it, and both at once.
        #[test]
        fn a_block_answers_bit_for_bit_what_so_many_pushes_answer(
            runs in prop::collection::vec(
                (prop_oneof![8 => 60_000.0..60_100.0_f64, 1 => Just(0.1), 1 => Just(-1e300), 1 => -1e-3..1e-3_f64], 1..30_usize),
                1..60,
            ),
            n in prop_oneof![1..70_usize, Just(20)],
        ) {
            let xs: Vec<f64> = runs.iter().flat_map(|(x, times)| std::iter::repeat_n(*x, *times)).collect();
            let (filling, rest) = xs.split_at(n.min(xs.len()));
            let (mut one_by_one, mut in_blocks) = (Moments::new(n), Moments::new(n));
            for x in filling {
                prop_assert_eq!(one_by_one.push(*x), in_blocks.push(*x));
            }
            let bits = |x: f64| if x.is_nan() { f64::NAN.to_bits() } else { x.to_bits() };
            let bits = |(mean, variance): (f64, f64)| (bits(mean), bits(variance));
            for block in rest.as_chunks::<BLOCK_ROWS>().0 {
                let (mut means, mut variances) = ([0.0; BLOCK_ROWS], [0.0; BLOCK_ROWS]);
                in_blocks.push_block(block, &mut means, &mut variances);
                for (row, x) in block.iter().enumerate() {
                    let expected = one_by_one.push(*x).map(bits);
                    prop_assert_eq!(Some(bits((means[row], variances[row]))), expected, "row {}", row);
                }
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
