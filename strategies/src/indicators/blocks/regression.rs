//! Least-squares line through the last n numbers.

use super::{Ring, state};

/// A line over the positions of a window, 0 at the oldest number and n - 1 at the newest.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Line {
    /// Rise per position.
    pub slope: f64,
    /// Height at the oldest number.
    pub intercept: f64,
}

impl Line {
    /// Height at `position`.
    #[inline]
    #[must_use]
    pub fn at(&self, position: f64) -> f64 {
        self.slope.mul_add(position, self.intercept)
    }
}

state! {
    /// Ordinary least squares on (0, y0) … (n-1, y_newest), O(1): moving the window down one position
    /// takes the plain sum off the weighted one. The sums are of distances to an anchor and are taken
    /// anew once in 16 rounds of the storage.
    #[derive(Debug)]
    pub struct Regression {
        ring: Ring,
        anchor: f64,
        /// Σ y
        sum: f64,
        /// Σ position · y
        moment: f64,
        n: f64,
        sum_x: f64,
        /// n Σ x² - (Σ x)²
        divisor: f64,
    }
}

impl Regression {
    /// Over `n` numbers, at least 2. Panics below.
    #[must_use]
    pub fn new(n: usize) -> Self {
        assert!(n > 1, "a line needs two points");
        let length = n as f64;
        let sum_x = length * (length - 1.0) / 2.0;
        let sum_xx = length * (length - 1.0) * (2.0 * length - 1.0) / 6.0;
        Self {
            ring: Ring::new(n),
            anchor: 0.0,
            sum: 0.0,
            moment: 0.0,
            n: length,
            sum_x,
            divisor: length * sum_xx - sum_x * sum_x,
        }
    }

    /// Adds `y`; answers the line once the window is full.
    #[inline]
    pub fn push(&mut self, y: f64) -> Option<Line> {
        if self.ring.is_empty() {
            self.anchor = y;
        }
        let distance = y - self.anchor;
        match self.ring.push(y) {
            Some(left) => {
                let gone = left - self.anchor;
                // Every held number moves down one position, then y enters at n - 1.
                self.moment += (self.n - 1.0) * distance - (self.sum - gone);
                self.sum += distance - gone;
            }
            None => {
                self.moment += (self.ring.len() - 1) as f64 * distance;
                self.sum += distance;
            }
        }
        if !self.ring.is_full() {
            return None;
        }
        if self.ring.is_renewal_due() {
            self.renew();
        }
        let slope = (self.n * self.moment - self.sum_x * self.sum) / self.divisor;
        Some(Line { slope, intercept: self.anchor + (self.sum - slope * self.sum_x) / self.n })
    }

    /// The window.
    #[inline]
    #[must_use]
    pub fn window(&self) -> &Ring {
        &self.ring
    }

    fn renew(&mut self) {
        let newest = self.ring.held()[self.ring.len() - 1];
        (self.anchor, self.sum, self.moment) = (newest, 0.0, 0.0);
        for (i, y) in self.ring.held().iter().enumerate() {
            self.sum += y - newest;
            self.moment += i as f64 * (y - newest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_running_line_is_the_textbook_one(ys in prop::collection::vec(-1e3..1e3_f64, 2..80), n in 2..12_usize) {
            let mut regression = Regression::new(n);
            for i in 0..ys.len() {
                let got = regression.push(ys[i]);
                prop_assert_eq!(got.is_some(), i + 1 >= n);
                let Some(line) = got else { continue };
                let window = &ys[i + 1 - n..=i];
                let (mx, my) = ((n - 1) as f64 / 2.0, window.iter().sum::<f64>() / n as f64);
                let (mut sxy, mut sxx) = (0.0, 0.0);
                for (j, y) in window.iter().enumerate() {
                    sxy += (j as f64 - mx) * (y - my);
                    sxx += (j as f64 - mx) * (j as f64 - mx);
                }
                prop_assert!((line.slope - sxy / sxx).abs() < 1e-9);
                prop_assert!((line.intercept - (my - sxy / sxx * mx)).abs() < 1e-9);
            }
        }
    }
}
