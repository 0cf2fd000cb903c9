//! Two instruments, or two series of one: correlation and beta of returns, cointegration.

use crate::indicators::answer::indicators;
use crate::indicators::blocks::{Ring, state};
use crate::indicators::contract::Pair;
use crate::indicators::registry::{Cost, Entry, Reads, on_pair, out, whole};
use crate::indicators::source::Field;
use crate::indicators::volatility::log_ratio;

/// Least squares of b's followers: y = alpha + beta x.
#[derive(Clone, Copy, Debug)]
struct Fit {
    alpha: f64,
    beta: f64,
    /// Σ (x - mean)², Σ (y - mean)², Σ of products.
    sxx: f64,
    syy: f64,
    sxy: f64,
}

/// Two passes over the window: means, then distances. `None` while x does not vary.
fn fit(xs: impl Iterator<Item = f64> + Clone, ys: impl Iterator<Item = f64> + Clone, n: f64) -> Option<Fit> {
    let (mean_x, mean_y) = (xs.clone().sum::<f64>() / n, ys.clone().sum::<f64>() / n);
    let (mut sxx, mut syy, mut sxy) = (0.0, 0.0, 0.0);
    for (x, y) in xs.zip(ys) {
        let (dx, dy) = (x - mean_x, y - mean_y);
        sxx += dx * dx;
        syy += dy * dy;
        sxy += dx * dy;
    }
    // What is left of a constant is the rounding of its mean.
    if sxx <= 1e-28 * n * mean_x * mean_x {
        return None;
    }
    let beta = sxy / sxx;
    Some(Fit { alpha: mean_y - beta * mean_x, beta, sxx, syy, sxy })
}

state! {
    /// Correlation and beta of the first's log returns to the second's.
    #[derive(Debug)]
    pub struct ReturnRegression {
        previous: Option<[f64; 2]>,
        first: Ring,
        second: Ring,
    }
}

impl ReturnRegression {
    /// Over `n` returns, at least 2.
    #[must_use]
    pub fn new(n: usize) -> Self {
        Self { previous: None, first: Ring::new(n), second: Ring::new(n) }
    }

    /// Adds both values: correlation, beta, alpha per candle. Undefined where one of them does not move.
    #[inline]
    pub fn push(&mut self, pair: Pair) -> Option<[f64; 3]> {
        let previous = self.previous.replace(pair)?;
        let (a, b) = (log_ratio(pair[0], previous[0])?, log_ratio(pair[1], previous[1])?);
        self.first.push(a);
        self.second.push(b);
        if !self.first.is_full() {
            return None;
        }
        let fit = fit(self.second.iter(), self.first.iter(), self.first.len() as f64)?;
        let both = (fit.sxx * fit.syy).sqrt();
        Some([(fit.sxy / both).clamp(-1.0, 1.0), fit.beta, fit.alpha])
    }
}

state! {
    /// Engle and Granger's test on a rolling window: the first value regressed on the second, and whether
    /// what is left over returns to its mean.
    #[derive(Debug)]
    pub struct Cointegration {
        first: Ring,
        second: Ring,
        spread: Box<[f64]>,
    }
}

impl Cointegration {
    /// Over `n` pairs, at least 5.
    #[must_use]
    pub fn new(n: usize) -> Self {
        Self { first: Ring::new(n), second: Ring::new(n), spread: vec![0.0; n].into_boxed_slice() }
    }

    /// Adds both values: beta, alpha, spread = a - alpha - beta b, its z-score in the window, the
    /// Dickey-Fuller statistic of the spread (constant, no lags), the half-life of its decay in candles
    /// (undefined where it does not decay).
    #[inline]
    pub fn push(&mut self, [a, b]: Pair) -> [Option<f64>; 6] {
        self.first.push(a);
        self.second.push(b);
        if !self.first.is_full() {
            return [None; 6];
        }
        let n = self.first.len() as f64;
        let Some(line) = fit(self.second.iter(), self.first.iter(), n) else { return [None; 6] };
        for ((cell, y), x) in self.spread.iter_mut().zip(self.first.iter()).zip(self.second.iter()) {
            *cell = y - line.alpha - line.beta * x;
        }
        let spread = self.spread[self.spread.len() - 1];
        let deviation = (self.spread.iter().map(|e| e * e).sum::<f64>() / n).sqrt();
        let z = (deviation > 0.0).then(|| spread / deviation);
        let before = self.spread[..self.spread.len() - 1].iter().copied();
        let changes = self.spread.windows(2).map(|pair| pair[1] - pair[0]);
        // Δe = c + gamma e[1]: t statistic of gamma.
        let decay = fit(before, changes, n - 1.0);
        let adf = decay.and_then(|decay| {
            let residual = (decay.syy - decay.beta * decay.sxy).max(0.0) / (n - 3.0);
            let error = (residual / decay.sxx).sqrt();
            (error > 0.0).then(|| decay.beta / error)
        });
        let half_life = decay.and_then(|decay| {
            let rate = libm::log1p(decay.beta);
            (decay.beta < 0.0 && rate.is_finite()).then(|| -core::f64::consts::LN_2 / rate)
        });
        [Some(line.beta), Some(line.alpha), Some(spread), z, adf, half_life]
    }
}

indicators!(Pair: ReturnRegression => 3, Cointegration => 6);

pub(crate) const TABLE: &[Entry] = &[
    Entry::of_pair(
        "return_regression",
        "Correlation, beta and alpha of log returns",
        "least squares of the first's returns on the second's over n",
        &[whole("n", 30, 2, 10_000)],
        |a, s| on_pair(ReturnRegression::new(a.whole(0)), s),
    )
    .reading(Reads::Pair(Field::Close, Field::Hl2))
    .outputs(&[out("correlation"), out("beta"), out("alpha")])
    .cost(Cost::Window),
    Entry::of_pair(
        "cointegration",
        "Rolling cointegration: regression, spread, z-score, Dickey-Fuller statistic, half-life",
        "a = alpha + beta b + e; z = e/√mean e²; Δe = c + γ e[1] + u: ADF = γ/se(γ), half-life = -ln 2/ln(1 + γ)",
        &[whole("n", 100, 5, 10_000)],
        |a, s| on_pair(Cointegration::new(a.whole(0)), s),
    )
    .reading(Reads::Pair(Field::Close, Field::Open))
    .outputs(&[out("beta"), out("alpha"), out("spread"), out("z"), out("adf"), out("half_life")])
    .cost(Cost::Window),
];
