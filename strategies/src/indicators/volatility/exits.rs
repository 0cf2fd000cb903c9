//! Stops that hang from extremes by a measure of volatility.

use crate::indicators::answer::indicators;
use crate::indicators::bar::Bar;
use crate::indicators::blocks::{Delay, Highest, Lowest, Mean, Moments, state};
use crate::indicators::registry::{Entry, Output, length, length_from_2, on_candle, out, real, whole};
use crate::indicators::volatility::Atr;

state! {
    /// Le Beau's chandelier exit: average true ranges below the highest high, above the lowest low.
    #[derive(Debug)]
    pub struct Chandelier {
        atr: Atr,
        high: Highest,
        low: Lowest,
        multiplier: f64,
    }
}

impl Chandelier {
    /// Extremes and ATR of `n` candles, `multiplier` ATR away.
    #[must_use]
    pub fn new(n: usize, multiplier: f64) -> Self {
        Self { atr: Atr::new(n), high: Highest::new(n), low: Lowest::new(n), multiplier }
    }

    /// Adds a candle: stop of a long position, stop of a short one.
    #[inline]
    pub fn push(&mut self, bar: Bar) -> Option<[f64; 2]> {
        let (high, low) = (self.high.push(bar.high), self.low.push(bar.low));
        let away = self.multiplier * self.atr.push(bar)?;
        Some([high? - away, low? + away])
    }
}

state! {
    /// Kaufman's stop: mean range, times a factor, from the candle's own extremes.
    #[derive(Debug)]
    pub struct KaufmanStop {
        range: Mean,
        multiplier: f64,
    }
}

impl KaufmanStop {
    /// Mean range of `n` candles, `multiplier` of them away.
    #[must_use]
    pub fn new(n: usize, multiplier: f64) -> Self {
        Self { range: Mean::new(n), multiplier }
    }

    /// Adds a candle: long stop below the low, short stop above the high.
    #[inline]
    pub fn push(&mut self, bar: Bar) -> Option<[f64; 2]> {
        let away = self.multiplier * self.range.push(bar.range())?;
        Some([bar.low - away, bar.high + away])
    }
}

state! {
    /// Kase's dev-stop: mean two-candle range plus deviations of it, from the extremes of the window.
    #[derive(Debug)]
    pub struct DevStop {
        previous: Option<Bar>,
        moments: Moments,
        high: Highest,
        low: Lowest,
        deviations: f64,
    }
}

impl DevStop {
    /// Windows of `n` candles.
    #[must_use]
    pub fn new(n: usize, deviations: f64) -> Self {
        Self {
            previous: None,
            moments: Moments::new(n),
            high: Highest::new(n),
            low: Lowest::new(n),
            deviations,
        }
    }

    /// Adds a candle: stop of a long position, stop of a short one.
    #[inline]
    pub fn push(&mut self, bar: Bar) -> Option<[f64; 2]> {
        let (high, low) = (self.high.push(bar.high), self.low.push(bar.low));
        let previous = self.previous.replace(bar)?;
        let double = bar.high.max(previous.high) - bar.low.min(previous.low);
        let (mean, variance) = self.moments.push(double)?;
        let away = mean + self.deviations * variance.sqrt();
        Some([high? - away, low? + away])
    }
}

state! {
    /// Elder's safe zone: the mean break of the opposite extreme, times a factor, beyond yesterday's.
    #[derive(Debug)]
    pub struct SafeZone {
        previous: Option<Bar>,
        below: Mean,
        above: Mean,
        low: Delay,
        high: Delay,
        stop_low: Highest,
        stop_high: Lowest,
        multiplier: f64,
    }
}

impl SafeZone {
    /// Breaks averaged over `n`, the stop held for `hold` candles.
    #[must_use]
    pub fn new(n: usize, multiplier: f64, hold: usize) -> Self {
        Self {
            previous: None,
            below: Mean::new(n),
            above: Mean::new(n),
            low: Delay::new(1),
            high: Delay::new(1),
            stop_low: Highest::new(hold),
            stop_high: Lowest::new(hold),
            multiplier,
        }
    }

    /// Adds a candle: stop of a long position, stop of a short one.
    #[inline]
    pub fn push(&mut self, bar: Bar) -> Option<[f64; 2]> {
        let previous = self.previous.replace(bar);
        let (low, high) = (self.low.push(bar.low), self.high.push(bar.high));
        let previous = previous?;
        let below = self.below.push((previous.low - bar.low).max(0.0));
        let above = self.above.push((bar.high - previous.high).max(0.0));
        let long = self.stop_low.push(low? - self.multiplier * below?);
        let short = self.stop_high.push(high? + self.multiplier * above?);
        Some([long?, short?])
    }
}

indicators!(Bar: Chandelier => 2, KaufmanStop => 2, DevStop => 2, SafeZone => 2);

const SIDES: &[Output] = &[out("long"), out("short")];

pub(crate) const TABLE: &[Entry] = &[
    Entry::of_candle(
        "chande",
        "Chandelier exit, long and short",
        "highest high - multiplier·ATR, lowest low + multiplier·ATR",
        &[length(22), real("multiplier", 3.0, 0.0, 100.0)],
        |a, _| on_candle(Chandelier::new(a.whole(0), a.real(1))),
    )
    .outputs(SIDES)
    .also(&["chandelier_exit"]),
    Entry::of_candle(
        "kaufmanstop",
        "Kaufman's stop, long and short",
        "low - multiplier·mean(high - low), high + multiplier·mean(high - low)",
        &[length(22), real("multiplier", 2.0, 0.0, 100.0)],
        |a, _| on_candle(KaufmanStop::new(a.whole(0), a.real(1))),
    )
    .outputs(SIDES),
    Entry::of_candle(
        "devstop",
        "Kase's dev-stop, long and short",
        "highest high - (mean + k deviations of the two-candle range), and its mirror",
        &[length_from_2(20), real("deviations", 0.0, 0.0, 100.0)],
        |a, _| on_candle(DevStop::new(a.whole(0), a.real(1))),
    )
    .outputs(SIDES),
    Entry::of_candle(
        "safezonestop",
        "Elder's safe zone, long and short",
        "highest over `hold` of low[1] - multiplier·mean(break below), and its mirror",
        &[length(22), real("multiplier", 2.5, 0.0, 100.0), whole("hold", 3, 1, 10_000)],
        |a, _| on_candle(SafeZone::new(a.whole(0), a.real(1), a.whole(2))),
    )
    .outputs(SIDES)
    .differs("jesse averages the breaks with Wilder's average"),
];
