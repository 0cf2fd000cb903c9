//! Money flowing in and out over a window.

use crate::indicators::answer::indicators;
use crate::indicators::bar::Bar;
use crate::indicators::blocks::{Sum, state};
use crate::indicators::registry::{Entry, GOLDEN, length, on_candle};

use super::accumulation::money_flow;

state! {
    /// Money flow index.
    ///
    /// Typical prices that are equal as decimals must count as unchanged, and (h + l + c)/3 in floats
    /// breaks such ties: two typical prices within 1e-14 of their size are one.
    #[derive(Debug)]
    pub struct MoneyFlowIndex {
        previous: Option<f64>,
        positive: Sum,
        negative: Sum,
    }
}

impl MoneyFlowIndex {
    /// Over `n` changes.
    #[must_use]
    pub fn new(n: usize) -> Self {
        Self { previous: None, positive: Sum::new(n), negative: Sum::new(n) }
    }

    /// Adds a candle; 0 where no money has flowed in the window.
    #[inline]
    pub fn push(&mut self, bar: Bar) -> Option<f64> {
        let price = bar.hlc3();
        let previous = self.previous.replace(price)?;
        let change = price - previous;
        let tie = change.abs() <= 1e-14 * (price.abs() + previous.abs());
        let flow = if tie { 0.0 } else { price * bar.volume };
        let positive = self.positive.push(if change > 0.0 { flow } else { 0.0 });
        let negative = self.negative.push(if change < 0.0 { flow } else { 0.0 });
        let (positive, total) = (positive?, positive? + negative?);
        Some(if total > 0.0 { 100.0 * (positive / total) } else { 0.0 })
    }
}

state! {
    /// Chaikin's money flow.
    #[derive(Debug)]
    pub struct ChaikinMoneyFlow {
        flow: Sum,
        volume: Sum,
    }
}

impl ChaikinMoneyFlow {
    /// Over `n` candles.
    #[must_use]
    pub fn new(n: usize) -> Self {
        Self { flow: Sum::new(n), volume: Sum::new(n) }
    }

    /// Adds a candle; undefined while the window holds no volume.
    #[inline]
    pub fn push(&mut self, bar: Bar) -> Option<f64> {
        let flow = self.flow.push(money_flow(&bar));
        let volume = self.volume.push(bar.volume);
        (volume? != 0.0).then_some(flow? / volume?)
    }
}

indicators!(Bar: MoneyFlowIndex => 1, ChaikinMoneyFlow => 1);

pub(crate) const TABLE: &[Entry] = &[
    Entry::of_candle(
        "mfi",
        "Money flow index",
        "100 p/(p + n): sums of hlc3·volume on rising and on falling typical prices; equal within 1e-14 is neither; 0 without any flow",
        &[length(14)],
        |a, _| on_candle(MoneyFlowIndex::new(a.whole(0))),
    )
    .compared(GOLDEN)
    .differs("a plain float comparison of (h+l+c)/3 breaks ties (15 wrong rows of 3000 on one file); TA-Lib before 0.8 answers 0 below a flow of 1"),
    Entry::of_candle(
        "cmf",
        "Chaikin money flow",
        "Σ volume·((close - low) - (high - close))/(high - low) / Σ volume; undefined without volume",
        &[length(20)],
        |a, _| on_candle(ChaikinMoneyFlow::new(a.whole(0))),
    )
    .compared(GOLDEN),
];
