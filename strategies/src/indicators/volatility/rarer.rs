//! Rarer measures of spread.

use crate::indicators::answer::indicators;
use crate::indicators::bar::Bar;
use crate::indicators::blocks::{Ema, Moments, Ring, state};
use crate::indicators::registry::{Cost, Entry, length_from_2, on_candle, on_value, out, real, whole};
use crate::indicators::volatility::Atr;

state! {
    /// Third moment over the deviation cubed.
    #[derive(Debug)]
    struct Skew {
        window: Ring,
    }
}

impl Skew {
    #[inline]
    fn push(&mut self, x: f64) -> Option<f64> {
        self.window.push(x);
        if !self.window.is_full() {
            return None;
        }
        let n = self.window.len() as f64;
        let mean = self.window.held().iter().sum::<f64>() / n;
        let (mut second, mut third) = (0.0, 0.0);
        for y in self.window.held() {
            let distance = y - mean;
            second += distance * distance;
            third += distance * distance * distance;
        }
        let variance = second / n;
        // Below this the deviation is rounding of the mean.
        (variance > 1e-28 * mean * mean).then(|| third / n / (variance * variance.sqrt()))
    }
}

state! {
    /// Median of the distances from the median.
    #[derive(Debug)]
    struct MedianDeviation {
        window: Ring,
        sorted: Box<[f64]>,
    }
}

impl MedianDeviation {
    #[inline]
    fn push(&mut self, x: f64) -> Option<f64> {
        self.window.push(x);
        if !self.window.is_full() {
            return None;
        }
        self.sorted.copy_from_slice(self.window.held());
        let middle = median(&mut self.sorted);
        for y in &mut self.sorted {
            *y = (*y - middle).abs();
        }
        Some(median(&mut self.sorted))
    }
}

/// The middle value, or the mean of the two middle ones. Sorts in place.
fn median(values: &mut [f64]) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    let half = values.len() / 2;
    if values.len() % 2 == 1 { values[half] } else { (values[half - 1] + values[half]) / 2.0 }
}

state! {
    /// Damiani's volatmeter: is there enough volatility to trade?
    #[derive(Debug)]
    struct Damiani {
        fast: Atr,
        slow: Atr,
        near: Moments,
        far: Moments,
        threshold: f64,
        last: [f64; 3],
    }
}

impl Damiani {
    #[inline]
    fn push(&mut self, bar: Bar) -> Option<[f64; 2]> {
        let (fast, slow) = (self.fast.push(bar), self.slow.push(bar));
        let (near, far) = (self.near.push(bar.close), self.far.push(bar.close));
        let (fast, slow, (_, near), (_, far)) = (fast?, slow?, near?, far?);
        if slow <= 0.0 || far <= 0.0 {
            return None;
        }
        let [one, two, three] = self.last;
        let volatility = fast / slow + 0.5 * (one - three);
        self.last = [volatility, one, two];
        Some([volatility, self.threshold - (near / far).sqrt()])
    }
}

state! {
    /// One average true range over another.
    #[derive(Debug)]
    struct VolatilityRatio {
        fast: Atr,
        slow: Atr,
    }
}

impl VolatilityRatio {
    #[inline]
    fn push(&mut self, bar: Bar) -> Option<f64> {
        let (fast, slow) = (self.fast.push(bar), self.slow.push(bar));
        let (fast, slow) = (fast?, slow?);
        (slow > 0.0).then(|| fast / slow)
    }
}

state! {
    /// Where the close stands in its Keltner channel: -1 on the lower band, 1 on the upper.
    #[derive(Debug)]
    struct KeltnerPosition {
        middle: Ema,
        atr: Atr,
        multiplier: f64,
    }
}

impl KeltnerPosition {
    #[inline]
    fn push(&mut self, bar: Bar) -> Option<f64> {
        let (middle, atr) = (self.middle.push(bar.close), self.atr.push(bar));
        let (middle, away) = (middle?, self.multiplier * atr?);
        (away > 0.0).then(|| (bar.close - middle) / away)
    }
}

indicators!(f64: Skew => 1, MedianDeviation => 1);
indicators!(Bar: Damiani => 2, VolatilityRatio => 1, KeltnerPosition => 1);

pub(crate) const TABLE: &[Entry] = &[
    Entry::of_value(
        "skew",
        "Skewness",
        "mean (x - mean)³/deviation³, population; undefined where the window is flat",
        &[length_from_2(5)],
        |a, s| on_value(Skew { window: Ring::new(a.whole(0)) }, s),
    )
    .cost(Cost::Window),
    Entry::of_value(
        "median_ad",
        "Median absolute deviation",
        "median |x - median|",
        &[length_from_2(5)],
        |a, s| {
            on_value(
                MedianDeviation { window: Ring::new(a.whole(0)), sorted: vec![0.0; a.whole(0)].into() },
                s,
            )
        },
    )
    .cost(Cost::Window),
    Entry::of_candle(
        "damiani_volatmeter",
        "Damiani's volatmeter and its threshold",
        "v = ATR(fast)/ATR(slow) + ½(v[1] - v[3]); threshold - deviation(near)/deviation(far) of closes",
        &[
            whole("fast", 13, 1, 10_000),
            whole("near", 20, 2, 10_000),
            whole("slow", 40, 1, 10_000),
            whole("far", 100, 2, 10_000),
            real("threshold", 1.4, 0.0, 100.0),
        ],
        |a, _| {
            on_candle(Damiani {
                fast: Atr::new(a.whole(0)),
                near: Moments::new(a.whole(1)),
                slow: Atr::new(a.whole(2)),
                far: Moments::new(a.whole(3)),
                threshold: a.real(4),
                last: [0.0; 3],
            })
        },
    )
    .outputs(&[out(""), out("threshold")]),
    Entry::of_candle(
        "volatility_ratio",
        "One average true range over another",
        "ATR(fast)/ATR(slow)",
        &[whole("fast", 7, 1, 10_000), whole("slow", 28, 1, 10_000)],
        |a, _| on_candle(VolatilityRatio { fast: Atr::new(a.whole(0)), slow: Atr::new(a.whole(1)) }),
    )
    .also(&["vertical_ratio", "vr"]),
    Entry::of_candle(
        "keltner_position",
        "Place of the close in its Keltner channel",
        "(close - ema(close))/(multiplier·ATR)",
        &[whole("ema", 20, 1, 10_000), whole("atr", 10, 1, 10_000), real("multiplier", 2.0, 1e-9, 100.0)],
        |a, _| {
            on_candle(KeltnerPosition {
                middle: Ema::new(a.whole(0)),
                atr: Atr::new(a.whole(1)),
                multiplier: a.real(2),
            })
        },
    ),
];
