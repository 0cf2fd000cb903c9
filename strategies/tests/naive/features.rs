//! Features for models.

use std::f64::consts::PI;

use strategies::indicators::Bar;

use crate::market::Check;
use crate::series::{Series, lag, mean, rolling, variance, zip};

/// A number from two windows of one length.
type OfPair<'a> = dyn Fn(&[f64], &[f64]) -> Option<f64> + 'a;

pub(crate) fn compare(check: &mut Check<'_>) {
    let c = check.market.close.clone();
    check.is("log_return_3", &zip(&c, &lag(&c, 3), |a, b| a.ln() - b.ln()));
    check.is("lag_4(volume)", &lag(&check.market.volume.clone(), 4));
    check.is(
        "rank_30",
        &rolling(&c, 30, |w| {
            let x = w[29];
            Some(
                (w.iter().filter(|y| **y < x).count() as f64
                    + (w.iter().filter(|y| **y == x).count() as f64 - 1.0) / 2.0)
                    / 29.0,
            )
        }),
    );
    let bars = check.market.bars.clone();
    let of_bar =
        |of: fn(&Bar) -> f64| bars.iter().map(|b| Some(of(b)).filter(|x| x.is_finite())).collect::<Series>();
    check.is("candle_shape_range", &of_bar(|b| (b.high - b.low) / b.close));
    check.is("candle_shape_body", &of_bar(|b| (b.close - b.open) / (b.high - b.low)));
    check.is("candle_shape_upper", &of_bar(|b| (b.high - b.open.max(b.close)) / (b.high - b.low)));
    check.is("candle_shape_lower", &of_bar(|b| (b.open.min(b.close) - b.low) / (b.high - b.low)));
    check.is(
        "candle_shape_gap(".trim_end_matches('('),
        &zip(&check.market.open.clone(), &lag(&c, 1), |o, c| o / c - 1.0),
    );
    check.is("ratio(high,low)", &zip(&check.market.high.clone(), &check.market.low.clone(), |a, b| a / b));
    check.is("time_encoding_hour", &of_bar(|b| (b.open_time_ms % 86_400_000) as f64 / 3_600_000.0));
    check.is(
        "time_encoding_day_cos",
        &of_bar(|b| (2.0 * PI * (b.open_time_ms % 86_400_000) as f64 / 86_400_000.0).cos()),
    );
    check.is(
        "time_encoding_week_sin",
        &of_bar(|b| {
            (2.0 * PI * ((b.open_time_ms + 3 * 86_400_000) % (7 * 86_400_000)) as f64 / (7.0 * 86_400_000.0))
                .sin()
        }),
    );
    let pairs = |n: usize, a: &Series, b: &Series, of: &OfPair<'_>| {
        (0..a.len())
            .map(|i| {
                let from = (i + 1).checked_sub(n)?;
                let window = |s: &Series| s[from..=i].iter().copied().collect::<Option<Vec<f64>>>();
                of(&window(a)?, &window(b)?)
            })
            .collect::<Series>()
    };
    let products = |x: &[f64], y: &[f64]| {
        let (mx, my) = (mean(x).unwrap(), mean(y).unwrap());
        let dot = |a: &[f64], ma: f64, b: &[f64], mb: f64| {
            a.iter().zip(b).map(|(a, b)| (a - ma) * (b - mb)).sum::<f64>()
        };
        (dot(x, mx, x, mx), dot(y, my, y, my), dot(x, mx, y, my), mx, my)
    };
    let returns = |s: &Series| zip(s, &lag(s, 1), |a, b| (a / b).ln());
    let (a, b) = (returns(&c), returns(&check.market.hl2.clone()));
    check.is(
        "return_regression_30_correlation",
        &pairs(30, &a, &b, &|y, x| {
            let (sx, sy, sxy, ..) = products(x, y);
            Some(sxy / (sx * sy).sqrt())
        }),
    );
    check.is(
        "return_regression_30_beta",
        &pairs(30, &a, &b, &|y, x| {
            let (sx, _, sxy, ..) = products(x, y);
            Some(sxy / sx)
        }),
    );
    check.is(
        "return_regression_30_alpha",
        &pairs(30, &a, &b, &|y, x| {
            let (sx, _, sxy, mx, my) = products(x, y);
            Some(my - sxy / sx * mx)
        }),
    );
    let (y, x) = (c.clone(), check.market.open.clone());
    let spread = |y: &[f64], x: &[f64]| {
        let (sx, _, sxy, mx, my) = products(x, y);
        y.iter().zip(x).map(|(y, x)| y - my - sxy / sx * (x - mx)).collect::<Vec<f64>>()
    };
    check.is(
        "cointegration_60_beta",
        &pairs(60, &y, &x, &|y, x| {
            let (sx, _, sxy, ..) = products(x, y);
            Some(sxy / sx)
        }),
    );
    check.is("cointegration_60_spread", &pairs(60, &y, &x, &|y, x| spread(y, x).last().copied()));
    check.is(
        "cointegration_60_z",
        &pairs(60, &y, &x, &|y, x| {
            let e = spread(y, x);
            Some(e[59] / variance(&e)?.sqrt())
        }),
    );
    let decay = |y: &[f64], x: &[f64]| {
        let e = spread(y, x);
        let change: Vec<f64> = e.windows(2).map(|w| w[1] - w[0]).collect();
        let (sx, sy, sxy, ..) = products(&e[..59], &change);
        let gamma = sxy / sx;
        (gamma, gamma / ((sy - gamma * sxy) / 57.0 / sx).sqrt())
    };
    check.is("cointegration_60_adf", &pairs(60, &y, &x, &|y, x| Some(decay(y, x).1)));
    check.is(
        "cointegration_60_half_life",
        &pairs(60, &y, &x, &|y, x| {
            let gamma = decay(y, x).0;
            (gamma < 0.0 && gamma > -1.0).then(|| -2.0_f64.ln() / (1.0 + gamma).ln())
        }),
    );
    let r = returns(&c);
    let ratio = zip(&rolling(&r, 20, variance), &rolling(&r, 100, variance), |s, l| (s / l).sqrt());
    check.is("regime_20_100_1.25_2_ratio", &ratio);
    let t = zip(
        &rolling(&c, 20, |w| {
            let steps: Vec<f64> = (0..20).map(f64::from).collect();
            let (sx, sy, sxy, ..) = products(&steps, w);
            let slope = sxy / sx;
            Some(slope / ((sy - slope * sxy) / 18.0 / sx).sqrt())
        }),
        &ratio,
        |t, _| t,
    );
    check.is("regime_20_100_1.25_2_t", &t);
    check.is(
        "regime_20_100_1.25_2_label",
        &zip(&ratio, &t, |r, t| {
            let v = if r > 1.25 {
                2.0
            } else if r < 0.8 {
                0.0
            } else {
                1.0
            };
            3.0 * v
                + 1.0
                + if t > 2.0 {
                    1.0
                } else if t < -2.0 {
                    -1.0
                } else {
                    0.0
                }
        }),
    );
}
