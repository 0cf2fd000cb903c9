//! Trailing lines that flip with the trend.

use crate::indicators::answer::indicators;
use crate::indicators::bar::Bar;
use crate::indicators::blocks::{TrueRange, Wilder, state};
use crate::indicators::registry::{Entry, GOLDEN, length, on_candle, out, real};

state! {
    /// Supertrend: bands around the middle of the candle that only move towards the price.
    #[derive(Debug)]
    pub struct Supertrend {
        range: TrueRange,
        atr: Wilder,
        multiplier: f64,
        bands: Option<Bands>,
        close: f64,
    }
}

#[derive(Clone, Copy, Debug)]
struct Bands {
    upper: f64,
    lower: f64,
    up: bool,
}

impl Supertrend {
    /// Bands `multiplier` average true ranges of `n` candles away.
    #[must_use]
    pub fn new(n: usize, multiplier: f64) -> Self {
        Self { range: TrueRange::default(), atr: Wilder::new(n), multiplier, bands: None, close: 0.0 }
    }

    /// Adds a candle: the line, and its direction: 1 up, -1 down.
    #[inline]
    pub fn push(&mut self, bar: Bar) -> Option<[f64; 2]> {
        let before = std::mem::replace(&mut self.close, bar.close);
        let atr = self.atr.push(self.range.push(&bar)?)?;
        let (middle, band) = (bar.hl2(), self.multiplier * atr);
        let (upper, lower) = (middle + band, middle - band);
        let bands = match self.bands {
            None => Bands { upper, lower, up: true },
            Some(last) => {
                let upper = if upper < last.upper || before > last.upper { upper } else { last.upper };
                let lower = if lower > last.lower || before < last.lower { lower } else { last.lower };
                let up = if last.up { bar.close >= lower } else { bar.close > upper };
                Bands { upper, lower, up }
            }
        };
        self.bands = Some(bands);
        Some(if bands.up { [bands.lower, 1.0] } else { [bands.upper, -1.0] })
    }
}

state! {
    /// Wilder's parabolic stop and reverse.
    #[derive(Debug)]
    pub struct ParabolicSar {
        step: f64,
        limit: f64,
        previous: Option<Bar>,
        run: Option<Run>,
    }
}

/// The position that the stop protects.
#[derive(Clone, Copy, Debug)]
struct Run {
    long: bool,
    /// Stop for the next candle.
    sar: f64,
    /// Extreme price since the last reversal.
    extreme: f64,
    acceleration: f64,
}

impl ParabolicSar {
    /// The acceleration grows by `step` with every new extreme, up to `limit`.
    #[must_use]
    pub fn new(step: f64, limit: f64) -> Self {
        Self { step: step.min(limit), limit, previous: None, run: None }
    }

    /// Adds a candle; answers from the second on: the first trend is that of the larger move between the
    /// first two candles, long on a tie.
    #[inline]
    pub fn push(&mut self, bar: Bar) -> Option<f64> {
        let previous = self.previous.replace(bar)?;
        // The first stop is judged against the second candle alone.
        let (run, before) = match self.run {
            Some(run) => (run, previous),
            None => (self.first(previous, bar), bar),
        };
        let (sar, next) = if run.long {
            self.advance(
                run,
                bar.low <= run.sar,
                bar.high,
                bar.low,
                |a, b| a > b,
                [before.low, bar.low],
                [before.high, bar.high],
            )
        } else {
            self.advance(
                run,
                bar.high >= run.sar,
                bar.low,
                bar.high,
                |a, b| a < b,
                [before.high, bar.high],
                [before.low, bar.low],
            )
        };
        self.run = Some(next);
        Some(sar)
    }

    #[cold]
    fn first(&self, previous: Bar, bar: Bar) -> Run {
        let (up, down) = (bar.high - previous.high, previous.low - bar.low);
        let long = !(down > 0.0 && down > up);
        let (sar, extreme) = if long { (previous.low, bar.high) } else { (previous.high, bar.low) };
        Run { long, sar, extreme, acceleration: self.step }
    }

    /// One candle. `ahead` is its price in the direction of the run, `behind` the other; `beyond(a, b)`
    /// tells whether a lies farther in that direction than b; `near` are the two candles' prices on the
    /// stop's side, `far` those on the other side.
    #[inline]
    #[expect(clippy::too_many_arguments, reason = "the mirror of long and short, spelled once")]
    fn advance(
        &self,
        run: Run,
        touched: bool,
        ahead: f64,
        behind: f64,
        beyond: impl Fn(f64, f64) -> bool,
        near: [f64; 2],
        far: [f64; 2],
    ) -> (f64, Run) {
        if touched {
            // The stop becomes the extreme, at least as far out as both candles.
            let mut sar = run.extreme;
            for price in far {
                if beyond(price, sar) {
                    sar = price;
                }
            }
            let extreme = behind;
            let mut next = self.step.mul_add(extreme - sar, sar);
            for price in far {
                if beyond(price, next) {
                    next = price;
                }
            }
            return (sar, Run { long: !run.long, sar: next, extreme, acceleration: self.step });
        }
        let (mut extreme, mut acceleration) = (run.extreme, run.acceleration);
        if beyond(ahead, extreme) {
            extreme = ahead;
            acceleration = (acceleration + self.step).min(self.limit);
        }
        let mut next = acceleration.mul_add(extreme - run.sar, run.sar);
        for price in near {
            if beyond(next, price) {
                next = price;
            }
        }
        (run.sar, Run { sar: next, extreme, acceleration, ..run })
    }
}

indicators!(Bar: Supertrend => 2, ParabolicSar => 1);

pub(crate) const TABLE: &[Entry] = &[
    Entry::of_candle(
        "supertrend",
        "Supertrend: line and direction (+1 up, -1 down)",
        "hl2 ± multiplier·ATR (Wilder); a band moves only towards the price until a close beyond it frees it; flips when the close crosses the active band",
        &[length(10), real("multiplier", 3.0, 0.0, 100.0)],
        |a, _| on_candle(Supertrend::new(a.whole(0), a.real(1))),
    )
    .outputs(&[out(""), out("dir")])
    .compared(GOLDEN)
    .differs("starts in an up trend; pandas-ta compares with the previous band at flips and differs there"),
    Entry::of_candle(
        "psar",
        "Parabolic stop and reverse",
        "sar += af (extreme - sar), held within the last two candles; on touch the stop becomes the extreme",
        &[real("step", 0.02, 0.0, 1.0), real("max", 0.2, 0.0, 1.0)],
        |a, _| on_candle(ParabolicSar::new(a.real(0), a.real(1))),
    )
    .also(&["sar"])
    .compared(GOLDEN)
    .differs("TA-Lib, tulipy and jesse differ in the first trend and in clamping; this is TA-Lib's rule"),
];
