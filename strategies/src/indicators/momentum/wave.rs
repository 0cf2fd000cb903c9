//! WaveTrend.

use crate::indicators::answer::indicators;
use crate::indicators::bar::Bar;
use crate::indicators::blocks::{Ema, Sum, state};
use crate::indicators::registry::{Entry, on_candle, out, whole};

state! {
    /// LazyBear's WaveTrend.
    #[derive(Debug)]
    pub struct WaveTrend {
        esa: Ema,
        deviation: Ema,
        wave: Ema,
        last: Sum,
    }
}

impl WaveTrend {
    /// Channel length, average length, length of the second line's mean.
    #[must_use]
    pub fn new(channel: usize, average: usize, mean: usize) -> Self {
        Self {
            esa: Ema::from_first(channel),
            deviation: Ema::from_first(channel),
            wave: Ema::from_first(average),
            last: Sum::new(mean),
        }
    }

    /// Adds a candle: both lines, from the first candle on.
    #[inline]
    pub fn push(&mut self, bar: Bar) -> Option<[f64; 2]> {
        let price = bar.hlc3();
        let esa = self.esa.push(price)?;
        let deviation = self.deviation.push((price - esa).abs())?;
        let ci = if deviation == 0.0 { 0.0 } else { (price - esa) / (0.015 * deviation) };
        let first = self.wave.push(ci)?;
        self.last.push(first);
        Some([first, self.last.partial() / self.last.window().len() as f64])
    }
}

indicators!(Bar: WaveTrend => 2);

pub(crate) const TABLE: &[Entry] = &[Entry::of_candle(
    "wavetrend",
    "WaveTrend",
    "esa = ema(hlc3, n1); d = ema(|hlc3 - esa|, n1); 1 = ema((hlc3 - esa)/(0.015 d), n2); 2 = mean of the last m; averages start from their first value, the mean takes what there is",
    &[whole("n1", 9, 1, 10_000), whole("n2", 12, 1, 10_000), whole("m", 3, 1, 1000)],
    |a, _| on_candle(WaveTrend::new(a.whole(0), a.whole(1), a.whole(2))),
)
.outputs(&[out("1"), out("2")])
.also(&["wt"])
.compared("jesse 3.5.3, every row of five candle files")];
