//! Running totals of signed volume.

use crate::indicators::answer::indicators;
use crate::indicators::bar::Bar;
use crate::indicators::blocks::{Ema, state};
use crate::indicators::contract::Pair;
use crate::indicators::registry::{Entry, GOLDEN, Reads, fast_below_slow, on_candle, on_pair, whole};
use crate::indicators::source::Field;

state! {
    /// On-balance volume, starting at the first volume.
    #[derive(Debug, Default)]
    pub struct OnBalanceVolume {
        previous: Option<f64>,
        total: f64,
    }
}

impl OnBalanceVolume {
    /// Adds a price and its volume.
    #[inline]
    pub fn push(&mut self, [price, volume]: Pair) -> f64 {
        self.total += match self.previous.replace(price) {
            Some(previous) if price < previous => -volume,
            Some(previous) if price == previous => 0.0,
            _ => volume,
        };
        self.total
    }
}

/// Volume times where the candle closes in its range, -1..=1; 0 without a range.
#[inline]
pub(crate) fn money_flow(bar: &Bar) -> f64 {
    let range = bar.range();
    if range > 0.0 { ((bar.close - bar.low) - (bar.high - bar.close)) / range * bar.volume } else { 0.0 }
}

state! {
    /// Chaikin's accumulation/distribution line.
    #[derive(Debug, Default)]
    pub struct AccumulationDistribution {
        total: f64,
    }
}

impl AccumulationDistribution {
    /// Adds a candle.
    #[inline]
    pub fn push(&mut self, bar: Bar) -> f64 {
        self.total += money_flow(&bar);
        self.total
    }
}

state! {
    /// Chaikin's oscillator: two averages of the accumulation/distribution line, both started from its
    /// first value.
    #[derive(Debug)]
    pub struct ChaikinOscillator {
        line: AccumulationDistribution,
        fast: Ema,
        slow: Ema,
        /// Candles until the first output.
        before: usize,
    }
}

impl ChaikinOscillator {
    /// Lengths of both averages.
    #[must_use]
    pub fn new(fast: usize, slow: usize) -> Self {
        Self {
            line: AccumulationDistribution::default(),
            fast: Ema::from_first(fast),
            slow: Ema::from_first(slow),
            before: fast.max(slow) - 1,
        }
    }

    /// Adds a candle.
    #[inline]
    pub fn push(&mut self, bar: Bar) -> Option<f64> {
        let line = self.line.push(bar);
        let difference = self.fast.push(line)? - self.slow.push(line)?;
        if self.before > 0 {
            self.before -= 1;
            return None;
        }
        Some(difference)
    }
}

indicators!(Pair: OnBalanceVolume => 1);
indicators!(Bar: AccumulationDistribution => 1, ChaikinOscillator => 1);

pub(crate) const TABLE: &[Entry] = &[
    Entry::of_pair(
        "obv",
        "On-balance volume",
        "cumulative sign(change)·volume, from the first volume",
        &[],
        |_, s| on_pair(OnBalanceVolume::default(), s),
    )
    .reading(Reads::Pair(Field::Close, Field::Volume))
    .compared(GOLDEN)
    .differs("others start at 0: compare differences"),
    Entry::of_candle(
        "ad",
        "Accumulation/distribution line",
        "cumulative volume·((close - low) - (high - close))/(high - low); candles without a range add 0",
        &[],
        |_, _| on_candle(AccumulationDistribution::default()),
    )
    .compared(GOLDEN),
    Entry::of_candle(
        "adosc",
        "Chaikin oscillator",
        "ema(AD, fast) - ema(AD, slow), both from the first AD; answers from row slow-1",
        &[whole("fast", 3, 1, 10_000), whole("slow", 10, 2, 10_000)],
        |a, _| on_candle(ChaikinOscillator::new(a.whole(0), a.whole(1))),
    )
    .check(fast_below_slow)
    .compared(GOLDEN),
];
