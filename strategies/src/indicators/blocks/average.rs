//! Weighted averages.

use super::{Ring, state};

state! {
    /// Exponential moving average, e += k (x - e).
    ///
    /// Computed as (1 - k) e + k x: the chain from one value to the next is a single fused
    /// multiply-add, half of what the difference form costs. Both weights are rounded so that they sum
    /// to exactly 1; a constant input then stays exactly itself.
    #[derive(Debug)]
    pub struct Ema {
        keep: f64,
        take: f64,
        n: usize,
        /// Numbers taken so far, up to n.
        taken: usize,
        /// The sum of the seed while `taken < n`, the average afterwards.
        e: f64,
    }
}

impl Ema {
    /// k = 2 / (n + 1); seeded with the mean of the first n numbers, undefined before.
    #[must_use]
    pub fn new(n: usize) -> Self {
        Self::with_k(n, 2.0 / (n as f64 + 1.0))
    }

    /// k = 2 / (n + 1); seeded with the first number, defined from there.
    #[must_use]
    pub fn from_first(n: usize) -> Self {
        Self::with_k(1, 2.0 / (n as f64 + 1.0))
    }

    /// Any `k` in 0..=1, seeded with the mean of the first `seed` numbers.
    #[must_use]
    pub fn with_k(seed: usize, k: f64) -> Self {
        // The larger weight is exact or rounded once; one less it is then exact (Sterbenz).
        let keep = 1.0 - k;
        let take = if keep < 0.5 { k } else { 1.0 - keep };
        Self { keep, take, n: seed, taken: 0, e: 0.0 }
    }

    /// Adds `x`; answers the average once seeded.
    #[inline]
    pub fn push(&mut self, x: f64) -> Option<f64> {
        if self.taken == self.n {
            self.e = self.keep.mul_add(self.e, self.take * x);
            return Some(self.e);
        }
        self.seed(x)
    }

    #[cold]
    fn seed(&mut self, x: f64) -> Option<f64> {
        self.e += x;
        self.taken += 1;
        (self.taken == self.n).then(|| {
            self.e /= self.n as f64;
            self.e
        })
    }

    /// The average after the last push, once seeded.
    #[inline]
    #[must_use]
    pub fn value(&self) -> Option<f64> {
        (self.taken == self.n).then_some(self.e)
    }
}

state! {
    /// Wilder's smoothing (RMA, SMMA): r += (x - r) / n, seeded with the mean of the first n numbers.
    #[derive(Debug)]
    pub struct Wilder {
        ema: Ema,
    }
}

impl Wilder {
    /// Over `n` numbers.
    #[must_use]
    pub fn new(n: usize) -> Self {
        Self { ema: Ema::with_k(n, 1.0 / n as f64) }
    }

    /// Adds `x`; answers the average once seeded.
    #[inline]
    pub fn push(&mut self, x: f64) -> Option<f64> {
        self.ema.push(x)
    }

    /// The average after the last push, once seeded.
    #[inline]
    #[must_use]
    pub fn value(&self) -> Option<f64> {
        self.ema.value()
    }
}

state! {
    /// Linearly weighted mean of the last n numbers: weights 1..=n, the newest n.
    ///
    /// O(1): the weighted sum loses the plain sum and gains n x. Both are taken anew once in 16
    /// rounds of the storage, so no error outlives 17n pushes.
    #[derive(Debug)]
    pub struct Wma {
        ring: Ring,
        sum: f64,
        weighted: f64,
        n: f64,
        weight: f64,
    }
}

impl Wma {
    /// Over `n` numbers. Panics when `n` is 0.
    #[must_use]
    pub fn new(n: usize) -> Self {
        let length = n as f64;
        Self { ring: Ring::new(n), sum: 0.0, weighted: 0.0, n: length, weight: length * (length + 1.0) / 2.0 }
    }

    /// Adds `x`; answers the mean once the window is full.
    #[inline]
    pub fn push(&mut self, x: f64) -> Option<f64> {
        match self.ring.push(x) {
            Some(left) => {
                self.weighted += self.n * x - self.sum;
                self.sum += x - left;
            }
            None => {
                self.weighted += self.ring.len() as f64 * x;
                self.sum += x;
            }
        }
        if self.ring.is_renewal_due() {
            self.renew();
        }
        self.ring.is_full().then(|| self.weighted / self.weight)
    }

    fn renew(&mut self) {
        (self.sum, self.weighted) = (0.0, 0.0);
        for (i, x) in self.ring.held().iter().enumerate() {
            self.sum += x;
            self.weighted += (i + 1) as f64 * x;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_constant_stays_exactly_itself(x in -1e6..1e6_f64, n in 1..2_000_usize, k in 0.0..=1.0_f64) {
            let mut averages = [Ema::from_first(n), Ema::with_k(1, k)];
            for average in &mut averages {
                for _ in 0..50 {
                    prop_assert_eq!(average.push(x), Some(x));
                }
            }
        }
    }

    proptest! {
        #[test]
        fn the_running_weighted_mean_is_the_naive_one(xs in prop::collection::vec(-1e3..1e3_f64, 1..80), n in 1..12_usize) {
            let mut wma = Wma::new(n);
            for i in 0..xs.len() {
                let got = wma.push(xs[i]);
                if i + 1 < n {
                    prop_assert_eq!(got, None);
                    continue;
                }
                let window = &xs[i + 1 - n..=i];
                let weighted: f64 = window.iter().enumerate().map(|(j, x)| (j + 1) as f64 * x).sum();
                let naive = weighted / ((n * (n + 1)) as f64 / 2.0);
                prop_assert!((got.unwrap() - naive).abs() < 1e-9, "{got:?} {naive}");
            }
        }
    }
}
