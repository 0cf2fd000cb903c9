//! Rarer volume studies, and plain prices as columns.

use crate::indicators::answer::indicators;
use crate::indicators::blocks::{Ema, Mean, Moments, state};
use crate::indicators::contract::{Pair, Study};
use crate::indicators::registry::{
    Args, Entry, Output, Reads, fast_below_slow, on_pair, on_value, out, real, whole,
};
use crate::indicators::source::{Field, Source};
use crate::indicators::trend::Vwma;

state! {
    /// Two means of volume, their difference in percent of the slow one.
    #[derive(Debug)]
    struct VolumeOscillator {
        fast: Mean,
        slow: Mean,
    }
}

impl VolumeOscillator {
    #[inline]
    fn push(&mut self, x: f64) -> Option<f64> {
        let (fast, slow) = (self.fast.push(x), self.slow.push(x));
        let (fast, slow) = (fast?, slow?);
        (slow != 0.0).then(|| 100.0 * (fast - slow) / slow)
    }
}

state! {
    /// Dormeier's volume price confirmation, and the same smoothed by volume.
    #[derive(Debug)]
    struct Confirmation {
        weighted: [Vwma; 2],
        plain: [Mean; 2],
        volume: [Mean; 2],
        smooth: Vwma,
    }
}

impl Confirmation {
    #[inline]
    fn push(&mut self, [price, volume]: Pair) -> Option<[f64; 2]> {
        let weighted = self.weighted.each_mut().map(|average| average.push([price, volume]));
        let plain = self.plain.each_mut().map(|mean| mean.push(price));
        let volumes = self.volume.each_mut().map(|mean| mean.push(volume));
        let confirmation = weighted[1]? - plain[1]?;
        let ratio = weighted[0]? / plain[0]?;
        let value = confirmation * ratio * (volumes[0]? / volumes[1]?);
        if !value.is_finite() {
            return None;
        }
        Some([value, self.smooth.push([value, volume])?])
    }
}

state! {
    /// MACD of volume-weighted averages.
    #[derive(Debug)]
    struct VolumeMacd {
        fast: Vwma,
        slow: Vwma,
        signal: Ema,
    }
}

impl VolumeMacd {
    #[inline]
    fn push(&mut self, pair: Pair) -> [Option<f64>; 3] {
        let (fast, slow) = (self.fast.push(pair), self.slow.push(pair));
        let (Some(fast), Some(slow)) = (fast, slow) else { return [None; 3] };
        let line = fast - slow;
        let signal = self.signal.push(line);
        [Some(line), signal, signal.map(|signal| line - signal)]
    }
}

state! {
    /// Waddah Attar's explosion: change of the MACD against the width of the Bollinger bands.
    #[derive(Debug)]
    struct Explosion {
        fast: Ema,
        slow: Ema,
        before: Option<f64>,
        bands: Moments,
        sensitivity: f64,
        deviations: f64,
    }
}

impl Explosion {
    #[inline]
    fn push(&mut self, x: f64) -> Option<[f64; 3]> {
        let (fast, slow) = (self.fast.push(x), self.slow.push(x));
        let bands = self.bands.push(x);
        let line = fast? - slow?;
        let trend = (line - self.before.replace(line)?) * self.sensitivity;
        let (_, variance) = bands?;
        let width = 2.0 * self.deviations * variance.sqrt();
        Some([width, trend.abs(), f64::from(i8::from(trend > 0.0) - i8::from(trend < 0.0))])
    }
}

state! {
    /// A value as it is.
    #[derive(Debug, Default)]
    struct Plain {
        nothing: (),
    }
}

impl Plain {
    #[inline]
    fn push(&mut self, x: f64) -> f64 {
        x
    }
}

indicators!(f64: VolumeOscillator => 1, Explosion => 3, Plain => 1);
indicators!(Pair: Confirmation => 2, VolumeMacd => 3);

fn plain(_: &Args, sources: [Source; 2]) -> Box<dyn Study> {
    on_value(Plain::default(), sources)
}

const fn price(name: &'static str, title: &'static str, formula: &'static str, field: Field) -> Entry {
    Entry::of_value(name, title, formula, &[], plain).reading(Reads::Value(field))
}

const THREE: &[Output] = &[out(""), out("signal"), out("hist")];

pub(crate) const TABLE: &[Entry] = &[
    Entry::of_value(
        "vosc",
        "Volume oscillator",
        "100 (sma(fast) - sma(slow))/sma(slow) of the volume",
        &[whole("fast", 2, 1, 10_000), whole("slow", 5, 2, 10_000)],
        |a, s| on_value(VolumeOscillator { fast: Mean::new(a.whole(0)), slow: Mean::new(a.whole(1)) }, s),
    )
    .reading(Reads::Value(Field::Volume))
    .check(fast_below_slow),
    Entry::of_pair(
        "vpci",
        "Dormeier's volume price confirmation and its signal",
        "(vwma(slow) - sma(slow))·vwma(fast)/sma(fast)·mean volume(fast)/mean volume(slow); its vwma(fast)",
        &[whole("fast", 5, 1, 10_000), whole("slow", 25, 2, 10_000)],
        |a, s| {
            let lengths = [a.whole(0), a.whole(1)];
            on_pair(
                Confirmation {
                    weighted: lengths.map(Vwma::new),
                    plain: lengths.map(Mean::new),
                    volume: lengths.map(Mean::new),
                    smooth: Vwma::new(a.whole(0)),
                },
                s,
            )
        },
    )
    .reading(Reads::Pair(Field::Close, Field::Volume))
    .outputs(&[out(""), out("signal")])
    .check(fast_below_slow),
    Entry::of_pair(
        "vwmacd",
        "MACD of volume-weighted averages",
        "vwma(fast) - vwma(slow), its EMA, the difference",
        &[whole("fast", 12, 1, 10_000), whole("slow", 26, 2, 10_000), whole("signal", 9, 1, 10_000)],
        |a, s| {
            on_pair(
                VolumeMacd {
                    fast: Vwma::new(a.whole(0)),
                    slow: Vwma::new(a.whole(1)),
                    signal: Ema::new(a.whole(2)),
                },
                s,
            )
        },
    )
    .reading(Reads::Pair(Field::Close, Field::Volume))
    .outputs(THREE)
    .check(fast_below_slow),
    Entry::of_value(
        "waddah_attr_explosion",
        "Waddah Attar's explosion: width, trend, direction",
        "Bollinger width; |Δ(ema(fast) - ema(slow))|·sensitivity; its sign",
        &[
            whole("fast", 20, 1, 10_000),
            whole("slow", 40, 2, 10_000),
            real("sensitivity", 150.0, 0.0, 1e9),
            whole("channel", 20, 2, 10_000),
            real("deviations", 2.0, 0.0, 100.0),
        ],
        |a, s| {
            on_value(
                Explosion {
                    fast: Ema::new(a.whole(0)),
                    slow: Ema::new(a.whole(1)),
                    before: None,
                    bands: Moments::new(a.whole(3)),
                    sensitivity: a.real(2),
                    deviations: a.real(4),
                },
                s,
            )
        },
    )
    .outputs(&[out("width"), out("trend"), out("direction")])
    .check(fast_below_slow),
    price("volume", "Volume", "traded amount of the candle", Field::Volume),
    price("avgprice", "Average price", "(open + high + low + close)/4", Field::Ohlc4),
    price("medprice", "Median price", "(high + low)/2", Field::Hl2),
    price("typprice", "Typical price", "(high + low + close)/3", Field::Hlc3),
    price("wclprice", "Weighted close", "(high + low + 2 close)/4", Field::Hlcc4),
];
