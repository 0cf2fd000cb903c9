//! Rolling sums and means.

use super::{Ring, state};

state! {
    /// The sum of the last n numbers.
    ///
    /// A running sum gathers the rounding of every number that ever passed. Here the sum is taken anew
    /// once in 16 rounds of the window's storage, so the error is that of at most 17n additions however
    /// long the stream; and a window of nothing but zeros sums to exactly 0, so that a dry market is seen
    /// as dry.
    #[derive(Debug)]
    pub struct Sum {
        ring: Ring,
        sum: f64,
        /// Pushes since the last number other than 0.
        zeros: usize,
    }
}

impl Sum {
    /// Over `n` numbers. Panics when `n` is 0.
    #[must_use]
    pub fn new(n: usize) -> Self {
        Self { ring: Ring::new(n), sum: 0.0, zeros: 0 }
    }

    /// Adds `x`; answers the sum once the window is full.
    #[inline]
    pub fn push(&mut self, x: f64) -> Option<f64> {
        let left = self.ring.push(x);
        self.zeros = if x == 0.0 { self.zeros + 1 } else { 0 };
        if self.ring.is_renewal_due() {
            self.sum = self.ring.held().iter().sum();
        } else {
            self.sum += x - left.unwrap_or(0.0);
        }
        if self.zeros >= self.ring.capacity() {
            self.sum = 0.0;
        }
        self.ring.is_full().then_some(self.sum)
    }

    /// The sum of what is held, however few.
    #[inline]
    #[must_use]
    pub fn partial(&self) -> f64 {
        self.sum
    }

    /// The window.
    #[inline]
    #[must_use]
    pub fn window(&self) -> &Ring {
        &self.ring
    }
}

state! {
    /// The mean of the last n numbers.
    #[derive(Debug)]
    pub struct Mean {
        sum: Sum,
        n: f64,
    }
}

impl Mean {
    /// Over `n` numbers. Panics when `n` is 0.
    #[must_use]
    pub fn new(n: usize) -> Self {
        Self { sum: Sum::new(n), n: n as f64 }
    }

    /// Adds `x`; answers the mean once the window is full.
    #[inline]
    pub fn push(&mut self, x: f64) -> Option<f64> {
        self.sum.push(x).map(|sum| sum / self.n)
    }

    /// The window.
    #[inline]
    #[must_use]
    pub fn window(&self) -> &Ring {
        self.sum.window()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_stream_leaves_no_drift_and_zeros_sum_to_zero() {
        let mut sum = Sum::new(7);
        let mut x = 0.1;
        for i in 0..100_000 {
            x = (x * 1.37 + 0.011) % 1.0;
            sum.push(x * if i % 1000 == 0 { 1e9 } else { 1.0 });
        }
        let exact: f64 = sum.window().iter().sum();
        assert!((sum.partial() - exact).abs() < 1e-12 * 7.0);
        let emptied = (0..7).filter_map(|_| sum.push(0.0)).last();
        assert_eq!(emptied, Some(0.0));
    }
}
