//! True range and its averages.

use crate::indicators::answer::indicators;
use crate::indicators::bar::Bar;
use crate::indicators::blocks::{TrueRange, Wilder, state};
use crate::indicators::registry::{Entry, GOLDEN, length, on_candle};

state! {
    /// Average true range.
    #[derive(Debug)]
    pub struct Atr {
        range: TrueRange,
        average: Wilder,
    }
}

impl Atr {
    /// Smoothed over `n` candles.
    #[must_use]
    pub fn new(n: usize) -> Self {
        Self { range: TrueRange::default(), average: Wilder::new(n) }
    }

    /// Adds a candle; answers from the n-th true range on, the first candle having none.
    #[inline]
    pub fn push(&mut self, bar: Bar) -> Option<f64> {
        self.average.push(self.range.push(&bar)?)
    }
}

state! {
    /// Average true range in percent of the close.
    #[derive(Debug)]
    pub struct Natr {
        atr: Atr,
    }
}

impl Natr {
    /// Smoothed over `n` candles.
    #[must_use]
    pub fn new(n: usize) -> Self {
        Self { atr: Atr::new(n) }
    }

    /// Adds a candle; 0 on a close of 0.
    #[inline]
    pub fn push(&mut self, bar: Bar) -> Option<f64> {
        let atr = self.atr.push(bar)?;
        Some(if bar.close == 0.0 { 0.0 } else { 100.0 * (atr / bar.close) })
    }
}

state! {
    /// True range by itself.
    #[derive(Debug)]
    struct TrueRangeOnly {
        range: TrueRange,
    }
}

impl TrueRangeOnly {
    #[inline]
    fn push(&mut self, bar: Bar) -> Option<f64> {
        self.range.push(&bar)
    }
}

indicators!(Bar: Atr => 1, Natr => 1, TrueRangeOnly => 1);

pub(crate) const TABLE: &[Entry] = &[
    Entry::of_candle(
        "atr",
        "Average true range",
        "Wilder average of the true range, which starts with the second candle",
        &[length(14)],
        |a, _| on_candle(Atr::new(a.whole(0))),
    )
    .compared(GOLDEN)
    .differs("tulipy and jesse count high - low of the first candle"),
    Entry::of_candle(
        "natr",
        "Average true range, percent of the close",
        "100 ATR/close",
        &[length(14)],
        |a, _| on_candle(Natr::new(a.whole(0))),
    )
    .compared(GOLDEN),
    Entry::of_candle(
        "trange",
        "True range",
        "max(high - low, |high - close[1]|, |low - close[1]|)",
        &[],
        |_, _| on_candle(TrueRangeOnly { range: TrueRange::default() }),
    )
    .compared("ta-lib 0.8.3, TRANGE"),
];
