//! Bands around an average, and channels of extremes.

use crate::indicators::answer::indicators;
use crate::indicators::bar::{BLOCK_ROWS, Bar, Block};
use crate::indicators::blocks::{Ema, Highest, Lowest, Moments, TrueRange, Wilder, state};
use crate::indicators::registry::{Entry, GOLDEN, Output, length, on_candle, on_value, out, real, whole};
use crate::indicators::value::{Value, ValueBlock};

state! {
    /// Bollinger's bands: mean ± deviations.
    #[derive(Debug)]
    pub struct Bollinger {
        moments: Moments,
        up: f64,
        down: f64,
    }
}

impl Bollinger {
    /// Over `n` values; `up` and `down` population deviations away.
    #[must_use]
    pub fn new(n: usize, up: f64, down: f64) -> Self {
        Self { moments: Moments::new(n), up, down }
    }

    /// Adds `x`: upper, middle, lower.
    #[inline]
    pub fn push(&mut self, x: f64) -> Option<[f64; 3]> {
        let (mean, variance) = self.moments.push(x)?;
        Some(self.around(mean, variance))
    }

    #[inline(always)]
    fn around(&self, mean: f64, variance: f64) -> [f64; 3] {
        let deviation = variance.sqrt();
        [deviation.mul_add(self.up, mean), mean, deviation.mul_add(-self.down, mean)]
    }

    fn push_block(&mut self, xs: &Block, [upper, middle, lower]: [&mut ValueBlock; 3]) {
        let (mut means, mut variances) = ([0.0; BLOCK_ROWS], [0.0; BLOCK_ROWS]);
        self.moments.push_block(xs, &mut means, &mut variances);
        for row in 0..BLOCK_ROWS {
            let [up, mean, down] = self.around(means[row], variances[row]);
            (upper[row], middle[row], lower[row]) = (Value::of(up), Value::of(mean), Value::of(down));
        }
    }
}

state! {
    /// The width of Bollinger's bands as a fraction of the middle.
    #[derive(Debug)]
    struct BollingerWidth {
        bands: Bollinger,
    }
}

impl BollingerWidth {
    #[inline]
    fn push(&mut self, x: f64) -> Option<f64> {
        self.bands.push(x).map(|[upper, middle, lower]| (upper - lower) / middle)
    }
}

state! {
    /// Where a value stands in Bollinger's bands.
    #[derive(Debug)]
    struct BollingerPercent {
        bands: Bollinger,
    }
}

impl BollingerPercent {
    #[inline]
    fn push(&mut self, x: f64) -> Option<f64> {
        let [upper, _, lower] = self.bands.push(x)?;
        (upper > lower).then(|| (x - lower) / (upper - lower))
    }
}

state! {
    /// Keltner's channel as TA-Lib has it: EMA of the typical price ± ATR, both averages seeded so that
    /// they start in the same row.
    #[derive(Debug)]
    pub struct Keltner {
        skip_price: usize,
        skip_range: usize,
        range: TrueRange,
        middle: Ema,
        atr: Wilder,
        multiplier: f64,
    }
}

impl Keltner {
    /// Lengths of both averages; `multiplier` true ranges away.
    #[must_use]
    pub fn new(ema: usize, atr: usize, multiplier: f64) -> Self {
        let start = (ema - 1).max(atr);
        Self {
            skip_price: start + 1 - ema,
            skip_range: start - atr,
            range: TrueRange::default(),
            middle: Ema::new(ema),
            atr: Wilder::new(atr),
            multiplier,
        }
    }

    /// Adds a candle: upper, middle, lower.
    #[inline]
    pub fn push(&mut self, bar: Bar) -> Option<[f64; 3]> {
        let middle = past(&mut self.skip_price).then(|| self.middle.push(bar.hlc3())).flatten();
        let range = self.range.push(&bar)?;
        let atr = past(&mut self.skip_range).then(|| self.atr.push(range)).flatten();
        let (middle, band) = (middle?, self.multiplier * atr?);
        Some([middle + band, middle, middle - band])
    }
}

/// Counts `skip` down to 0 and tells whether it was there.
#[inline]
fn past(skip: &mut usize) -> bool {
    let done = *skip == 0;
    *skip = skip.saturating_sub(1);
    done
}

state! {
    /// Keltner's channel in its common form: EMA of the close ± ATR, each seeded on its own.
    #[derive(Debug)]
    pub struct KeltnerClose {
        range: TrueRange,
        middle: Ema,
        atr: Wilder,
        multiplier: f64,
    }
}

impl KeltnerClose {
    /// Lengths of both averages; `multiplier` true ranges away.
    #[must_use]
    pub fn new(ema: usize, atr: usize, multiplier: f64) -> Self {
        Self { range: TrueRange::default(), middle: Ema::new(ema), atr: Wilder::new(atr), multiplier }
    }

    /// Adds a candle: upper, middle, lower, the middle as soon as it is defined.
    #[inline]
    pub fn push(&mut self, bar: Bar) -> [Option<f64>; 3] {
        let middle = self.middle.push(bar.close);
        let atr = self.range.push(&bar).and_then(|range| self.atr.push(range));
        let (Some(line), Some(atr)) = (middle, atr) else { return [None, middle, None] };
        let band = self.multiplier * atr;
        [Some(line + band), middle, Some(line - band)]
    }
}

state! {
    /// Donchian's channel: highest high, lowest low, their middle; the window ends with this candle.
    #[derive(Debug)]
    pub struct Donchian {
        high: Highest,
        low: Lowest,
    }
}

impl Donchian {
    /// Over `n` candles.
    #[must_use]
    pub fn new(n: usize) -> Self {
        Self { high: Highest::new(n), low: Lowest::new(n) }
    }

    /// Adds a candle: upper, middle, lower.
    #[inline]
    pub fn push(&mut self, bar: Bar) -> Option<[f64; 3]> {
        let (high, low) = (self.high.push(bar.high), self.low.push(bar.low));
        let (high, low) = (high?, low?);
        Some([high, (high + low) / 2.0, low])
    }
}

indicators!(f64, in blocks: Bollinger => 3);
indicators!(f64: BollingerWidth => 1, BollingerPercent => 1);
indicators!(Bar: Keltner => 3, KeltnerClose => 3, Donchian => 3);

const BANDS: &[Output] = &[out("u"), out("m"), out("l")];

pub(crate) const TABLE: &[Entry] = &[
    Entry::of_value(
        "bb",
        "Bollinger bands",
        "mean ± k population deviations",
        &[length(20), real("k", 2.0, 0.0, 100.0)],
        |a, s| on_value(Bollinger::new(a.whole(0), a.real(1), a.real(1)), s),
    )
    .outputs(BANDS)
    .also(&["bbands", "bollinger_bands"])
    .compared(GOLDEN),
    Entry::of_value(
        "bb_apart",
        "Bollinger bands with a deviation for each side",
        "upper = mean + up deviations, lower = mean - down deviations",
        &[length(20), real("up", 2.0, 0.0, 100.0), real("down", 2.0, 0.0, 100.0)],
        |a, s| on_value(Bollinger::new(a.whole(0), a.real(1), a.real(2)), s),
    )
    .outputs(BANDS)
    .compared("ta-lib 0.8.3, BBANDS with two deviations"),
    Entry::of_value(
        "bb_width",
        "Bollinger band width",
        "(upper - lower)/middle",
        &[length(20), real("k", 2.0, 0.0, 100.0)],
        |a, s| on_value(BollingerWidth { bands: Bollinger::new(a.whole(0), a.real(1), a.real(1)) }, s),
    )
    .also(&["bbw", "bollinger_bands_width"])
    .compared("ta-lib 0.8.3, BBW")
    .differs("TA-Lib gives percent"),
    Entry::of_value(
        "bb_percent_b",
        "Where the value stands in its Bollinger bands",
        "(x - lower)/(upper - lower): 0 on the lower band, 1 on the upper; undefined where they meet",
        &[length(20), real("k", 2.0, 0.0, 100.0)],
        |a, s| on_value(BollingerPercent { bands: Bollinger::new(a.whole(0), a.real(1), a.real(1)) }, s),
    )
    .also(&["percent_b"])
    .compared("ta-lib 0.8.3, PERCENTB where the bands are apart"),
    Entry::of_candle(
        "keltner",
        "Keltner channel, TA-Lib's form",
        "ema(hlc3) ± multiplier·ATR; both averages seeded to start in row max(ema-1, atr)",
        &[whole("ema", 20, 1, 10_000), whole("atr", 10, 1, 10_000), real("multiplier", 2.0, 0.0, 100.0)],
        |a, _| on_candle(Keltner::new(a.whole(0), a.whole(1), a.real(2))),
    )
    .outputs(BANDS)
    .compared(GOLDEN)
    .differs("`keltner_close` is the form of TradingView and jesse"),
    Entry::of_candle(
        "keltner_close",
        "Keltner channel around the close",
        "ema(close) ± multiplier·ATR, each seeded on its own",
        &[whole("ema", 20, 1, 10_000), whole("atr", 10, 1, 10_000), real("multiplier", 2.0, 0.0, 100.0)],
        |a, _| on_candle(KeltnerClose::new(a.whole(0), a.whole(1), a.real(2))),
    )
    .outputs(BANDS)
    .compared(GOLDEN)
    .differs("jesse differs only in seeding"),
    Entry::of_candle(
        "donchian",
        "Donchian channel",
        "highest high, their middle, lowest low; this candle included",
        &[length(20)],
        |a, _| on_candle(Donchian::new(a.whole(0))),
    )
    .outputs(BANDS)
    .compared(GOLDEN),
];
