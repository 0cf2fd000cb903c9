//! The value against itself n candles ago.

use crate::indicators::answer::indicators;
use crate::indicators::blocks::{Delay, Ema, state};
use crate::indicators::registry::{Entry, GOLDEN, length, on_value};

/// Which change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    /// x - x[n].
    Difference,
    /// x / x[n] - 1.
    Fraction,
    /// 100 (x / x[n] - 1).
    Percent,
    /// x / x[n].
    Ratio,
    /// 100 x / x[n].
    Ratio100,
}

state! {
    /// Change over n candles.
    #[derive(Debug)]
    pub struct Change {
        delay: Delay,
        kind: ChangeKind,
    }
}

impl Change {
    /// Against the value `n` candles ago.
    #[must_use]
    pub fn new(n: usize, kind: ChangeKind) -> Self {
        Self { delay: Delay::new(n), kind }
    }

    /// Adds `x`; 0 where a quotient would divide by 0.
    #[inline]
    pub fn push(&mut self, x: f64) -> Option<f64> {
        let before = self.delay.push(x)?;
        Some(match self.kind {
            ChangeKind::Difference => x - before,
            _ if before == 0.0 => 0.0,
            ChangeKind::Fraction => (x - before) / before,
            ChangeKind::Percent => 100.0 * (x / before - 1.0),
            ChangeKind::Ratio => x / before,
            ChangeKind::Ratio100 => 100.0 * (x / before),
        })
    }
}

state! {
    /// One-candle change of a triple exponential average, in percent.
    #[derive(Debug)]
    pub struct Trix {
        stages: [Ema; 3],
        change: Change,
    }
}

impl Trix {
    /// Averages of length `n`.
    #[must_use]
    pub fn new(n: usize) -> Self {
        Self { stages: std::array::from_fn(|_| Ema::new(n)), change: Change::new(1, ChangeKind::Percent) }
    }

    /// Adds `x`.
    #[inline]
    pub fn push(&mut self, x: f64) -> Option<f64> {
        let mut last = x;
        for stage in &mut self.stages {
            last = stage.push(last)?;
        }
        self.change.push(last)
    }
}

indicators!(f64: Change => 1, Trix => 1);

pub(crate) const TABLE: &[Entry] = &[
    Entry::of_value("mom", "Momentum", "x - x[n]", &[length(10)], |a, s| {
        on_value(Change::new(a.whole(0), ChangeKind::Difference), s)
    })
    .compared(GOLDEN),
    Entry::of_value("roc", "Rate of change, percent", "100 (x/x[n] - 1)", &[length(10)], |a, s| {
        on_value(Change::new(a.whole(0), ChangeKind::Percent), s)
    })
    .compared(GOLDEN),
    Entry::of_value("rocp", "Rate of change, fraction", "(x - x[n])/x[n]", &[length(10)], |a, s| {
        on_value(Change::new(a.whole(0), ChangeKind::Fraction), s)
    })
    .compared("ta-lib 0.8.3, ROCP"),
    Entry::of_value("rocr", "Rate of change, ratio", "x/x[n]", &[length(10)], |a, s| {
        on_value(Change::new(a.whole(0), ChangeKind::Ratio), s)
    })
    .compared("ta-lib 0.8.3, ROCR"),
    Entry::of_value("rocr100", "Rate of change, ratio in percent", "100 x/x[n]", &[length(10)], |a, s| {
        on_value(Change::new(a.whole(0), ChangeKind::Ratio100), s)
    })
    .compared("ta-lib 0.8.3, ROCR100"),
    Entry::of_value(
        "trix",
        "Change of the triple exponential average, percent",
        "100 (t/t[1] - 1), t three EMAs in a row, each seeded on its own input",
        &[length(15)],
        |a, s| on_value(Trix::new(a.whole(0)), s),
    )
    .compared(GOLDEN),
];
