//! Pring's know sure thing.

use crate::indicators::answer::indicators;
use crate::indicators::blocks::{Mean, state};
use crate::indicators::momentum::{Change, ChangeKind};
use crate::indicators::registry::{Entry, GOLDEN, on_value, out, out_with, whole};

state! {
    /// Weighted sum of four smoothed rates of change, and its mean.
    #[derive(Debug)]
    pub struct Kst {
        changes: [Change; 4],
        means: [Mean; 4],
        signal: Mean,
    }
}

impl Kst {
    /// Rates over `rocs` candles, smoothed over `smas`; `signal` is the length of the mean.
    #[must_use]
    pub fn new(rocs: [usize; 4], smas: [usize; 4], signal: usize) -> Self {
        Self {
            changes: rocs.map(|n| Change::new(n, ChangeKind::Percent)),
            means: smas.map(Mean::new),
            signal: Mean::new(signal),
        }
    }

    /// Adds `x`: the sum, its mean.
    #[inline]
    pub fn push(&mut self, x: f64) -> [Option<f64>; 2] {
        let mut sum = Some(0.0);
        for (i, weight) in [1.0, 2.0, 3.0, 4.0].into_iter().enumerate() {
            let term = self.changes[i].push(x).and_then(|change| self.means[i].push(change));
            sum = sum.and_then(|sum| Some(sum + weight * term?));
        }
        [sum, sum.and_then(|sum| self.signal.push(sum))]
    }
}

indicators!(f64: Kst => 2);

pub(crate) const TABLE: &[Entry] = &[Entry::of_value(
    "kst",
    "Know sure thing",
    "Σ i sma(roc_i) for i = 1..4, rates in percent; its mean",
    &[
        whole("roc1", 10, 1, 10_000),
        whole("roc2", 15, 1, 10_000),
        whole("roc3", 20, 1, 10_000),
        whole("roc4", 30, 1, 10_000),
        whole("sma1", 10, 1, 10_000),
        whole("sma2", 10, 1, 10_000),
        whole("sma3", 10, 1, 10_000),
        whole("sma4", 15, 1, 10_000),
        whole("signal", 9, 1, 10_000),
    ],
    |a, s| {
        let four = |from: usize| std::array::from_fn(|i| a.whole(from + i));
        on_value(Kst::new(four(0), four(4), a.whole(8)), s)
    },
)
.outputs(&[out(""), out_with("signal", 8)])
.compared(GOLDEN)
.differs("pandas-ta multiplies by 100; jesse averages incomplete windows at the start")];
