//! Standard deviation and what is measured in it.

use crate::indicators::answer::indicators;
use crate::indicators::blocks::{Moments, state};
use crate::indicators::registry::{Entry, GOLDEN, length, on_value};

state! {
    /// Population standard deviation.
    #[derive(Debug)]
    pub struct StandardDeviation {
        moments: Moments,
    }
}

impl StandardDeviation {
    /// Over `n` values.
    #[must_use]
    pub fn new(n: usize) -> Self {
        Self { moments: Moments::new(n) }
    }

    /// Adds `x`.
    #[inline]
    pub fn push(&mut self, x: f64) -> Option<f64> {
        self.moments.push(x).map(|(_, variance)| variance.sqrt())
    }
}

state! {
    /// Population variance.
    #[derive(Debug)]
    struct Variance {
        moments: Moments,
    }
}

impl Variance {
    #[inline]
    fn push(&mut self, x: f64) -> Option<f64> {
        self.moments.push(x).map(|(_, variance)| variance)
    }
}

state! {
    /// Distance from the mean in population deviations.
    #[derive(Debug)]
    pub struct ZScore {
        moments: Moments,
    }
}

impl ZScore {
    /// Over `n` values.
    #[must_use]
    pub fn new(n: usize) -> Self {
        Self { moments: Moments::new(n) }
    }

    /// Adds `x`; undefined where the window is flat.
    #[inline]
    pub fn push(&mut self, x: f64) -> Option<f64> {
        let (mean, variance) = self.moments.push(x)?;
        (variance > 0.0).then(|| (x - mean) / variance.sqrt())
    }
}

indicators!(f64: StandardDeviation => 1, Variance => 1, ZScore => 1);

pub(crate) const TABLE: &[Entry] = &[
    Entry::of_value("stddev", "Standard deviation", "population, over n values", &[length(20)], |a, s| {
        on_value(StandardDeviation::new(a.whole(0)), s)
    })
    .compared(GOLDEN)
    .differs("pandas defaults to the sample deviation"),
    Entry::of_value("var", "Variance", "population, over n values", &[length(20)], |a, s| {
        on_value(Variance { moments: Moments::new(a.whole(0)) }, s)
    })
    .compared(GOLDEN),
    Entry::of_value(
        "zscore",
        "Distance from the mean in deviations",
        "(x - mean)/population deviation; undefined where the window is flat",
        &[length(20)],
        |a, s| on_value(ZScore::new(a.whole(0)), s),
    )
    .compared("jesse 3.5.3, every row of five candle files")
    .differs("pandas-ta uses the sample deviation"),
];
