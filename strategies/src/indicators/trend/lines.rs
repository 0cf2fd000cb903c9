//! Linear regression over time.

use crate::indicators::answer::indicators;
use crate::indicators::blocks::{Regression, state};
use crate::indicators::registry::{Entry, GOLDEN, length_from_2, on_value, out};

state! {
    /// The least-squares line through the last n values.
    #[derive(Debug)]
    pub struct LinearRegression {
        regression: Regression,
        n: f64,
    }
}

impl LinearRegression {
    /// Through `n` values, at least 2.
    #[must_use]
    pub fn new(n: usize) -> Self {
        Self { regression: Regression::new(n), n: n as f64 }
    }

    /// Adds `x`: height at the newest value, slope, intercept at the oldest, height one step ahead,
    /// angle in degrees.
    #[inline]
    pub fn push(&mut self, x: f64) -> Option<[f64; 5]> {
        let line = self.regression.push(x)?;
        let angle = libm::atan(line.slope).to_degrees();
        Some([line.at(self.n - 1.0), line.slope, line.intercept, line.at(self.n), angle])
    }
}

indicators!(f64: LinearRegression => 5);

pub(crate) const TABLE: &[Entry] = &[Entry::of_value(
    "linreg",
    "Linear regression on time",
    "least squares over n values: value at the newest, slope, intercept at the oldest, forecast one step ahead (TSF), angle in degrees",
    &[length_from_2(14)],
    |a, s| on_value(LinearRegression::new(a.whole(0)), s),
)
.outputs(&[out(""), out("slope"), out("intercept"), out("forecast"), out("angle")])
.also(&["linearreg", "lr"])
.compared(GOLDEN)];
