//! Realised volatility from closes and from ranges, and indices of fear made of it.
//!
//! Logarithms are of prices: a candle with a price that is not above 0 is passed over.

use crate::indicators::answer::indicators;
use crate::indicators::bar::Bar;
use crate::indicators::blocks::{Ema, Highest, Mean, Moments, state};
use crate::indicators::registry::{Entry, length, length_from_2, on_candle, on_value, real, whole};

/// ln(a/b), if it is a number.
#[inline]
pub(crate) fn log_ratio(a: f64, b: f64) -> Option<f64> {
    let x = libm::log(a / b);
    (a > 0.0 && b > 0.0 && x.is_finite()).then_some(x)
}

state! {
    /// Sample standard deviation of log returns.
    #[derive(Debug)]
    pub struct CloseToClose {
        previous: Option<f64>,
        moments: Moments,
        scale: f64,
    }
}

impl CloseToClose {
    /// Over `n` returns, times √`periods`.
    #[must_use]
    pub fn new(n: usize, periods: f64) -> Self {
        Self { previous: None, moments: Moments::new(n), scale: periods * n as f64 / (n as f64 - 1.0) }
    }

    /// Adds `x`.
    #[inline]
    pub fn push(&mut self, x: f64) -> Option<f64> {
        let previous = self.previous.replace(x)?;
        let (_, variance) = self.moments.push(log_ratio(x, previous)?)?;
        Some((variance * self.scale).sqrt())
    }
}

/// A variance from one candle's own prices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RangeEstimator {
    /// ln(h/l)² / (4 ln 2).
    Parkinson,
    /// ½ ln(h/l)² - (2 ln 2 - 1) ln(c/o)².
    GarmanKlass,
    /// ln(h/c) ln(h/o) + ln(l/c) ln(l/o).
    RogersSatchell,
}

impl RangeEstimator {
    #[inline]
    fn of(self, bar: &Bar) -> Option<f64> {
        let range = log_ratio(bar.high, bar.low)?;
        let body = log_ratio(bar.close, bar.open)?;
        match self {
            Self::Parkinson => Some(range * range / (4.0 * LN_2)),
            Self::GarmanKlass => Some(0.5 * range * range - (2.0 * LN_2 - 1.0) * body * body),
            Self::RogersSatchell => Some(
                log_ratio(bar.high, bar.close)? * log_ratio(bar.high, bar.open)?
                    + log_ratio(bar.low, bar.close)? * log_ratio(bar.low, bar.open)?,
            ),
        }
    }
}

const LN_2: f64 = core::f64::consts::LN_2;

state! {
    /// Volatility from candles' ranges.
    #[derive(Debug)]
    pub struct RangeVolatility {
        estimator: RangeEstimator,
        mean: Mean,
        periods: f64,
    }
}

impl RangeVolatility {
    /// Over `n` candles, times √`periods`.
    #[must_use]
    pub fn new(estimator: RangeEstimator, n: usize, periods: f64) -> Self {
        Self { estimator, mean: Mean::new(n), periods }
    }

    /// Adds a candle.
    #[inline]
    pub fn push(&mut self, bar: Bar) -> Option<f64> {
        let variance = self.mean.push(self.estimator.of(&bar)?)?;
        Some((variance.max(0.0) * self.periods).sqrt())
    }
}

state! {
    /// Yang and Zhang's volatility: overnight, open to close, and Rogers-Satchell, mixed for least error.
    #[derive(Debug)]
    pub struct YangZhang {
        previous: Option<f64>,
        overnight: Moments,
        open_to_close: Moments,
        range: Mean,
        k: f64,
        sample: f64,
    }
}

impl YangZhang {
    /// Over `n` candles, at least 2.
    #[must_use]
    pub fn new(n: usize) -> Self {
        let length = n as f64;
        Self {
            previous: None,
            overnight: Moments::new(n),
            open_to_close: Moments::new(n),
            range: Mean::new(n),
            k: 0.34 / (1.34 + (length + 1.0) / (length - 1.0)),
            sample: length / (length - 1.0),
        }
    }

    /// Adds a candle; the variance.
    #[inline]
    pub fn push(&mut self, bar: Bar) -> Option<f64> {
        let range = RangeEstimator::RogersSatchell.of(&bar)?;
        let body = log_ratio(bar.close, bar.open)?;
        let previous = self.previous.replace(bar.close)?;
        let overnight = self.overnight.push(log_ratio(bar.open, previous)?);
        let body = self.open_to_close.push(body);
        let range = self.range.push(range);
        let (overnight, body) = (overnight?.1 * self.sample, body?.1 * self.sample);
        Some(overnight + self.k * body + (1.0 - self.k) * range?.max(0.0))
    }
}

state! {
    /// [`YangZhang`] as a volatility.
    #[derive(Debug)]
    struct YangZhangVolatility {
        inner: YangZhang,
        periods: f64,
    }
}

impl YangZhangVolatility {
    #[inline]
    fn push(&mut self, bar: Bar) -> Option<f64> {
        self.inner.push(bar).map(|variance| (variance * self.periods).sqrt())
    }
}

state! {
    /// An index in the units of the VIX from realised prices alone.
    #[derive(Debug)]
    pub struct VixLike {
        range: YangZhang,
        previous: Option<f64>,
        recent: Ema,
        periods: f64,
    }
}

impl VixLike {
    /// Over `n` candles, of which a year has `periods`.
    #[must_use]
    pub fn new(n: usize, periods: f64) -> Self {
        Self { range: YangZhang::new(n), previous: None, recent: Ema::with_k(n, 0.06), periods }
    }

    /// Adds a candle.
    #[inline]
    pub fn push(&mut self, bar: Bar) -> Option<f64> {
        let range = self.range.push(bar);
        let previous = self.previous.replace(bar.close)?;
        let change = log_ratio(bar.close, previous)?;
        let recent = self.recent.push(change * change)?;
        Some(100.0 * (self.periods * 0.5 * (range? + recent)).sqrt())
    }
}

state! {
    /// Williams' VIX fix: how far the low is below the highest close.
    #[derive(Debug)]
    pub struct VixFix {
        highest: Highest,
    }
}

impl VixFix {
    /// Over `n` candles.
    #[must_use]
    pub fn new(n: usize) -> Self {
        Self { highest: Highest::new(n) }
    }

    /// Adds a candle.
    #[inline]
    pub fn push(&mut self, bar: Bar) -> Option<f64> {
        let highest = self.highest.push(bar.close)?;
        Some(100.0 * (highest - bar.low) / highest)
    }
}

state! {
    /// Martin's ulcer index: root mean square of the drawdown from the highest of the window, percent.
    #[derive(Debug)]
    pub struct Ulcer {
        highest: Highest,
        squares: Mean,
    }
}

impl Ulcer {
    /// Over `n` values.
    #[must_use]
    pub fn new(n: usize) -> Self {
        Self { highest: Highest::new(n), squares: Mean::new(n) }
    }

    /// Adds `x`.
    #[inline]
    pub fn push(&mut self, x: f64) -> Option<f64> {
        let highest = self.highest.push(x)?;
        let drawdown = 100.0 * (x - highest) / highest;
        if !drawdown.is_finite() {
            return None;
        }
        Some(self.squares.push(drawdown * drawdown)?.max(0.0).sqrt())
    }
}

indicators!(f64: CloseToClose => 1, Ulcer => 1);
indicators!(Bar: RangeVolatility => 1, YangZhangVolatility => 1, VixLike => 1, VixFix => 1);

const PERIODS: crate::indicators::registry::Param = real("periods", 1.0, 1e-9, 1e9);

pub(crate) const TABLE: &[Entry] = &[
    Entry::of_value(
        "volatility_close",
        "Realised volatility, close to close",
        "sample deviation of n log returns, times √periods (a year's candles to annualise)",
        &[length_from_2(20), PERIODS],
        |a, s| on_value(CloseToClose::new(a.whole(0), a.real(1)), s),
    ),
    Entry::of_candle(
        "volatility_parkinson",
        "Realised volatility, Parkinson",
        "√(mean ln(h/l)²/(4 ln 2)), times √periods",
        &[length(20), PERIODS],
        |a, _| on_candle(RangeVolatility::new(RangeEstimator::Parkinson, a.whole(0), a.real(1))),
    ),
    Entry::of_candle(
        "volatility_garman_klass",
        "Realised volatility, Garman-Klass",
        "√ mean(½ ln(h/l)² - (2 ln 2 - 1) ln(c/o)²), times √periods",
        &[length(20), PERIODS],
        |a, _| on_candle(RangeVolatility::new(RangeEstimator::GarmanKlass, a.whole(0), a.real(1))),
    ),
    Entry::of_candle(
        "volatility_rogers_satchell",
        "Realised volatility, Rogers-Satchell",
        "√ mean(ln(h/c) ln(h/o) + ln(l/c) ln(l/o)), times √periods",
        &[length(20), PERIODS],
        |a, _| on_candle(RangeVolatility::new(RangeEstimator::RogersSatchell, a.whole(0), a.real(1))),
    )
    .compared("ta-lib 0.8.3, ROGERSSATCHELL"),
    Entry::of_candle(
        "volatility_yang_zhang",
        "Realised volatility, Yang-Zhang",
        "√(var overnight + k var open-to-close + (1-k) Rogers-Satchell), k = 0.34/(1.34 + (n+1)/(n-1)), sample variances, times √periods",
        &[length_from_2(20), PERIODS],
        |a, _| on_candle(YangZhangVolatility { inner: YangZhang::new(a.whole(0)), periods: a.real(1) }),
    ),
    Entry::of_candle(
        "vix_like",
        "A VIX-like index without options",
        "100 √(periods (½ Yang-Zhang variance of n + ½ exponential mean of squared log returns, k = 0.06))",
        &[length_from_2(30), real("periods", 365.0, 1e-9, 1e9)],
        |a, _| on_candle(VixLike::new(a.whole(0), a.real(1))),
    ),
    Entry::of_candle(
        "vix_fix",
        "Williams' VIX fix",
        "100 (highest close - low)/highest close",
        &[whole("n", 22, 1, 10_000)],
        |a, _| on_candle(VixFix::new(a.whole(0))),
    ),
    Entry::of_value(
        "ulcer",
        "Ulcer index",
        "√ mean of squared drawdowns (percent) from the highest of n",
        &[length(14)],
        |a, s| on_value(Ulcer::new(a.whole(0)), s),
    )
    .also(&["ui"]),
];
