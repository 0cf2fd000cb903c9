//! A label for the state of the market: volatility and trend.

use crate::indicators::answer::indicators;
use crate::indicators::blocks::{Moments, Regression, state};
use crate::indicators::registry::{Entry, on_value, out, real, whole};
use crate::indicators::volatility::log_ratio;

state! {
    /// Volatility against its own past, and the trend against its noise.
    #[derive(Debug)]
    pub struct Regime {
        previous: Option<f64>,
        short: Moments,
        long: Moments,
        trend: Regression,
        prices: Moments,
        n: f64,
        wide: f64,
        certain: f64,
    }
}

impl Regime {
    /// Volatility over `n` returns against `long`; the trend over `n` prices. Volatility is high above
    /// `wide` times its long-run value and low below its inverse; a trend has a t statistic beyond
    /// `certain`.
    #[must_use]
    pub fn new(n: usize, long: usize, wide: f64, certain: f64) -> Self {
        Self {
            previous: None,
            short: Moments::new(n),
            long: Moments::new(long),
            trend: Regression::new(n),
            prices: Moments::new(n),
            n: n as f64,
            wide,
            certain,
        }
    }

    /// Adds `x`: volatility (0 low, 1 usual, 2 high), trend (-1, 0, 1), label = 3 volatility + trend + 1
    /// (0..=8), the ratio of volatilities, the t statistic of the slope.
    #[inline]
    pub fn push(&mut self, x: f64) -> Option<[f64; 5]> {
        let line = self.trend.push(x);
        let prices = self.prices.push(x);
        let previous = self.previous.replace(x)?;
        let change = log_ratio(x, previous)?;
        let (short, long) = (self.short.push(change), self.long.push(change));
        let (line, (_, variance), (_, short), (_, long)) = (line?, prices?, short?, long?);
        if long <= 0.0 {
            return None;
        }
        let ratio = (short / long).sqrt();
        // Σ(x - mean)² of positions is n(n² - 1)/12; what the line leaves over is the noise.
        let positions = self.n * (self.n * self.n - 1.0) / 12.0;
        let left = (variance * self.n - line.slope * line.slope * positions).max(0.0);
        let error = (left / (self.n - 2.0) / positions).sqrt();
        let t = if error > 0.0 {
            line.slope / error
        } else {
            1e6 * f64::from(i8::from(line.slope > 0.0) - i8::from(line.slope < 0.0))
        };
        let volatility = 1.0 + f64::from(i8::from(ratio > self.wide) - i8::from(ratio < 1.0 / self.wide));
        let trend = f64::from(i8::from(t > self.certain) - i8::from(t < -self.certain));
        Some([volatility, trend, 3.0 * volatility + trend + 1.0, ratio, t])
    }
}

indicators!(f64: Regime => 5);

pub(crate) const TABLE: &[Entry] = &[Entry::of_value(
    "regime",
    "Regime label: volatility and trend state",
    "volatility: deviation of n log returns over that of `long`, high above `wide`, low below 1/wide; trend: t of the slope of n prices beyond ±`certain`; label = 3 volatility + trend + 1",
    &[whole("n", 20, 3, 10_000), whole("long", 100, 3, 10_000), real("wide", 1.25, 1.0, 100.0), real("certain", 2.0, 0.0, 1e6)],
    |a, s| on_value(Regime::new(a.whole(0), a.whole(1), a.real(2), a.real(3)), s),
)
.outputs(&[out("volatility"), out("trend"), out("label"), out("ratio"), out("t")])];
