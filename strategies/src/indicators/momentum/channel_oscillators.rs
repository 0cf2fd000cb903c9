//! Where the price stands in the range of its window.

use crate::indicators::answer::indicators;
use crate::indicators::bar::Bar;
use crate::indicators::blocks::{AVERAGES_SMA_FIRST, Average, Highest, Lowest, Mean, Ring, state};
use crate::indicators::registry::{
    Cost, Entry, GOLDEN, choice, length, length_from_2, on_candle, on_value, out, real, whole,
};

use super::Rsi;

state! {
    /// Highest and lowest of a window and where a value stands between them.
    #[derive(Debug)]
    struct Channel {
        high: Highest,
        low: Lowest,
    }
}

impl Channel {
    fn new(n: usize) -> Self {
        Self { high: Highest::new(n), low: Lowest::new(n) }
    }

    #[inline]
    fn push(&mut self, high: f64, low: f64) -> Option<(f64, f64)> {
        let (high, low) = (self.high.push(high), self.low.push(low));
        Some((high?, low?))
    }
}

/// 100 (x - low) / (high - low); 0 without a range.
#[inline]
fn percent(x: f64, (high, low): (f64, f64)) -> f64 {
    if high > low { 100.0 * ((x - low) / (high - low)) } else { 0.0 }
}

state! {
    /// Lane's stochastic: smoothed %K and %D.
    #[derive(Debug)]
    pub struct Stochastic {
        channel: Channel,
        slow_k: Average,
        slow_d: Average,
    }
}

impl Stochastic {
    /// Window of the range, then two averages named as in `AVERAGES`.
    #[must_use]
    pub fn new(k: usize, slow_k: (usize, &str), slow_d: (usize, &str)) -> Self {
        Self {
            channel: Channel::new(k),
            slow_k: Average::named(slow_k.1, slow_k.0),
            slow_d: Average::named(slow_d.1, slow_d.0),
        }
    }

    /// Adds a candle: %K and %D, both from where %D is defined.
    #[inline]
    pub fn push(&mut self, bar: Bar) -> Option<[f64; 2]> {
        let k = self.slow_k.push(percent(bar.close, self.channel.push(bar.high, bar.low)?))?;
        Some([k, self.slow_d.push(k)?])
    }
}

state! {
    /// The stochastic without smoothing of %K.
    #[derive(Debug)]
    pub struct StochasticFast {
        channel: Channel,
        d: Mean,
    }
}

impl StochasticFast {
    /// Window of the range, length of the mean that is %D.
    #[must_use]
    pub fn new(k: usize, d: usize) -> Self {
        Self { channel: Channel::new(k), d: Mean::new(d) }
    }

    /// Adds a candle: %K and %D, both from where %D is defined.
    #[inline]
    pub fn push(&mut self, bar: Bar) -> Option<[f64; 2]> {
        let k = percent(bar.close, self.channel.push(bar.high, bar.low)?);
        Some([k, self.d.push(k)?])
    }
}

state! {
    /// The stochastic of the RSI.
    ///
    /// A window in which the RSI stands still to within `RSI_NOISE` holds only rounding, and the quotient
    /// of two roundings is any number: both lines are undefined there, and on until no mean holds
    /// anything of it.
    #[derive(Debug)]
    pub struct StochasticRsi {
        rsi: Rsi,
        channel: Channel,
        k: Option<Mean>,
        d: Mean,
        /// Rows that both lines stay undefined after a still window.
        settle: usize,
        /// How many of them are left.
        unsettled: usize,
    }
}

impl StochasticRsi {
    /// RSI length, window of the range, length of %K's mean (None: unsmoothed, yet undefined after a
    /// still window for as long as if smoothed like %D), length of %D's.
    #[must_use]
    pub fn new(rsi: usize, window: usize, k: Option<usize>, d: usize) -> Self {
        Self {
            rsi: Rsi::new(rsi),
            channel: Channel::new(window),
            k: k.map(Mean::new),
            d: Mean::new(d),
            settle: k.unwrap_or(d) + d - 1,
            unsettled: 0,
        }
    }

    /// Adds `x`: %K and %D, each as soon as it is defined.
    #[inline]
    pub fn push(&mut self, x: f64) -> [Option<f64>; 2] {
        let Some(rsi) = self.rsi.push(x) else { return [None; 2] };
        let Some((high, low)) = self.channel.push(rsi, rsi) else { return [None; 2] };
        let still = high - low < RSI_NOISE;
        let raw = if still { 0.0 } else { 100.0 * ((rsi - low) / (high - low)) };
        let k = self.k.as_mut().map_or(Some(raw), |mean| mean.push(raw));
        let d = k.and_then(|k| self.d.push(k));
        self.unsettled = if still { self.settle } else { self.unsettled.saturating_sub(1) };
        if self.unsettled > 0 { [None; 2] } else { [k, d] }
    }
}

const RSI_NOISE: f64 = 1e-6;

state! {
    /// [`StochasticRsi`] that shows %K only where %D is defined too.
    #[derive(Debug)]
    struct StochasticRsiFast {
        inner: StochasticRsi,
    }
}

impl StochasticRsiFast {
    #[inline]
    fn push(&mut self, x: f64) -> Option<[f64; 2]> {
        let [k, d] = self.inner.push(x);
        Some([k?, d?])
    }
}

state! {
    /// Williams' %R, -100..=0.
    #[derive(Debug)]
    pub struct Williams {
        channel: Channel,
    }
}

impl Williams {
    /// Over `n` candles.
    #[must_use]
    pub fn new(n: usize) -> Self {
        Self { channel: Channel::new(n) }
    }

    /// Adds a candle; 0 without a range.
    #[inline]
    pub fn push(&mut self, bar: Bar) -> Option<f64> {
        let (high, low) = self.channel.push(bar.high, bar.low)?;
        Some(if high > low { -100.0 * ((high - bar.close) / (high - low)) } else { 0.0 })
    }
}

state! {
    /// Commodity channel index: distance of the typical price from its mean, in mean deviations.
    #[derive(Debug)]
    pub struct Cci {
        window: Ring,
        n: f64,
        constant: f64,
    }
}

impl Cci {
    /// Over `n` candles, in units of `constant` mean deviations.
    #[must_use]
    pub fn new(n: usize, constant: f64) -> Self {
        Self { window: Ring::new(n), n: n as f64, constant }
    }

    /// Adds a candle. 0 where the distance or the deviation is rounding of the price (1e-14 of it).
    #[inline]
    pub fn push(&mut self, bar: Bar) -> Option<f64> {
        self.push_value(bar.hlc3())
    }

    /// The same on any value.
    #[inline]
    pub fn push_value(&mut self, x: f64) -> Option<f64> {
        self.window.push(x);
        if !self.window.is_full() {
            return None;
        }
        let mean = self.window.held().iter().sum::<f64>() / self.n;
        let deviation = self.window.held().iter().map(|y| (y - mean).abs()).sum::<f64>() / self.n;
        let distance = x - mean;
        let noise = 1e-14 * mean.abs();
        let divisor = self.constant * deviation;
        let flat = distance.abs() <= noise || deviation <= noise || divisor == 0.0;
        Some(if flat { 0.0 } else { distance / divisor })
    }
}

indicators!(Bar: Stochastic => 2, StochasticFast => 2, Williams => 1, Cci => 1);
indicators!(f64: StochasticRsi => 2, StochasticRsiFast => 2);

const K_AND_D: &[crate::indicators::registry::Output] = &[out("k"), out("d")];

pub(crate) const TABLE: &[Entry] = &[
    Entry::of_candle(
        "stoch",
        "Stochastic",
        "%K = mean of 100 (close - LL)/(HH - LL), %D its mean; 0 without a range; %K is shown from where %D is defined",
        &[
            length(14),
            whole("slow_k", 3, 1, 10_000),
            whole("slow_d", 3, 1, 10_000),
            choice("kind", AVERAGES_SMA_FIRST),
        ],
        |a, _| {
            let kind = AVERAGES_SMA_FIRST[a.whole(3)];
            on_candle(Stochastic::new(a.whole(0), (a.whole(1), kind), (a.whole(2), kind)))
        },
    )
    .outputs(K_AND_D)
    .also(&["stochastic", "stochastics"])
    .compared(GOLDEN),
    Entry::of_candle(
        "stochf",
        "Stochastic, fast",
        "%K = 100 (close - LL)/(HH - LL), %D its mean",
        &[length(5), whole("d", 3, 1, 10_000)],
        |a, _| on_candle(StochasticFast::new(a.whole(0), a.whole(1))),
    )
    .outputs(K_AND_D)
    .compared(GOLDEN),
    Entry::of_value(
        "stochrsi",
        "Stochastic of the RSI, smoothed",
        "K = mean of the stochastic of the RSI, D the mean of K; undefined over windows in which the RSI moves less than 1e-6",
        &[whole("rsi", 14, 2, 10_000), whole("window", 14, 1, 10_000), whole("k", 3, 1, 1000), whole("d", 3, 1, 1000)],
        |a, s| on_value(StochasticRsi::new(a.whole(0), a.whole(1), Some(a.whole(2)), a.whole(3)), s),
    )
    .outputs(K_AND_D)
    .also(&["srsi"])
    .compared("jesse 3.5.3, every row of five candle files"),
    Entry::of_value(
        "stochrsi_fast",
        "Stochastic of the RSI, K unsmoothed",
        "STOCHF over the RSI; undefined over windows in which the RSI moves less than 1e-6",
        &[whole("rsi", 14, 2, 10_000), whole("window", 14, 1, 10_000), whole("d", 3, 1, 1000)],
        |a, s| on_value(StochasticRsiFast { inner: StochasticRsi::new(a.whole(0), a.whole(1), None, a.whole(2)) }, s),
    )
    .outputs(K_AND_D)
    .compared(GOLDEN),
    Entry::of_candle(
        "willr",
        "Williams' %R",
        "-100 (HH - close)/(HH - LL), 0 without a range",
        &[length_from_2(14)],
        |a, _| on_candle(Williams::new(a.whole(0))),
    )
    .compared(GOLDEN),
    Entry::of_candle(
        "cci",
        "Commodity channel index",
        "(hlc3 - mean)/(0.015 mean deviation); 0 where the deviation is 0",
        &[length_from_2(14), real("constant", 0.015, 1e-6, 1e6)],
        |a, _| on_candle(Cci::new(a.whole(0), a.real(1))),
    )
    .cost(Cost::Window)
    .compared(GOLDEN),
];
