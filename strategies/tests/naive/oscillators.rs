//! Oscillators.

use strategies::indicators::Bar;

use crate::market::Check;
use crate::series::{Series, ema, lag, map, mean, minus, rolling, sma, variance, wilder, wma, zip};

pub(crate) fn compare(check: &mut Check<'_>) {
    let c = &check.market.close.clone();
    let (high, low) = (check.market.high.clone(), check.market.low.clone());
    let up = minus(&high, &lag(&high, 1));
    let down = minus(&lag(&low, 1), &low);
    let net = zip(&up, &down, |u, d| u.max(0.0) - d.max(0.0));
    let through = |x: &Series| ema(&ema(&ema(x, 14), 10), 5);
    check.is("dti_14_10_5", &zip(&through(&net), &through(&map(&net, f64::abs)), |a, b| 100.0 * a / b));
    let h: Vec<f64> = check.market.hl2.iter().flatten().copied().collect();
    let g = 0.8;
    let mut l = [h[0]; 4];
    let lrsi = h
        .iter()
        .map(|x| {
            let p = l;
            l[0] = (1.0 - g) * x + g * p[0];
            for k in 1..4 {
                l[k] = -g * l[k - 1] + p[k - 1] + g * p[k];
            }
            let steps: Vec<f64> = l.windows(2).map(|w| w[0] - w[1]).collect();
            let up: f64 = steps.iter().filter(|s| **s > 0.0).sum();
            let all: f64 = steps.iter().map(|s| s.abs()).sum();
            Some(if all > 0.0 { up / all } else { 0.0 })
        })
        .collect();
    check.is("lrsi_0.2", &lrsi);
    let changes = minus(c, &lag(c, 1));
    let rsi = zip(
        &wilder(&map(&changes, |x| x.max(0.0)), 5),
        &wilder(&map(&changes, |x| (-x).max(0.0)), 5),
        |g, l| if g + l > 0.0 { 100.0 * g / (g + l) } else { 0.0 },
    );
    check.is(
        "ift_rsi_5_9",
        &map(&wma(&map(&rsi, |x| 0.1 * (x - 50.0)), 9), |v| {
            ((2.0 * v).exp() - 1.0) / ((2.0 * v).exp() + 1.0)
        }),
    );
    let pfe = rolling(c, 11, |w| {
        let path: f64 = w.windows(2).map(|p| (1.0 + (p[1] - p[0]).powi(2)).sqrt()).sum();
        let direct = w[10] - w[0];
        Some((direct.powi(2) + 100.0).sqrt() / path * if direct < 0.0 { -100.0 } else { 100.0 })
    });
    check.is("pfe_10_5", &ema(&pfe, 5));
    let above = rolling(c, 100, |w| Some(f64::from(u8::from(w[99] > mean(w)? - 0.2 * variance(w)?.sqrt()))));
    check.is("stiffness_100_60", &map(&sma(&above, 60), |x| 100.0 * x));
    let logs = zip(&high, &low, |a, b| (a / b).ln());
    check.is("rsmk_30_3(high,low)", &map(&ema(&minus(&logs, &lag(&logs, 30)), 3), |x| 100.0 * x));
    let k = 3.0 / 16.0;
    let pair = |x: Vec<f64>| {
        let (mut a, mut b) = (0.0, 0.0);
        x.iter()
            .map(|x| {
                a = (1.0 - k) * a + k * x;
                b = k * a + (1.0 - k) * b;
                1.5 * a - 0.5 * b
            })
            .collect::<Vec<f64>>()
    };
    let steps: Vec<f64> = check.market.closes.windows(2).map(|w| 100.0 * (w[1] - w[0])).collect();
    let net = pair(pair(pair(steps.clone())));
    let gross = pair(pair(pair(steps.iter().map(|x| x.abs()).collect())));
    let mut rsx: Series = vec![None];
    rsx.extend(net.iter().zip(&gross).enumerate().map(|(i, (n, g))| {
        (i >= 13).then(|| if *g > 0.0 { (50.0 * (n / g + 1.0)).clamp(0.0, 100.0) } else { 50.0 })
    }));
    check.is("rsx_14", &rsx);
    check.is("bias_14", &rolling(c, 14, |w| Some(w[13] / mean(w)? - 1.0)));
    check.is("psl_12", &map(&sma(&map(&changes, |x| f64::from(u8::from(x > 0.0))), 12), |x| 100.0 * x));
    let relative = zip(&check.market.volume.clone(), &sma(&check.market.volume.clone(), 14), |v, m| v / m);
    let inside: Series = check.market.bars.iter().map(|b| Some(2.0 * b.close - b.low - b.high)).collect();
    let pressure = zip(&zip(&inside, &check.market.atr(14), |i, a| i / a), &relative, |p, r| p * r);
    check.is("pressure_14", &pressure);
    let mut total = 0.0;
    check.is(
        "pressure_14_total",
        &pressure
            .iter()
            .map(|p| {
                p.map(|p| {
                    total += p;
                    total
                })
            })
            .collect(),
    );
    let hurst = rolling(c, 100, |w| {
        let points: Vec<(f64, f64)> = [2_usize, 3, 4, 6, 8, 11, 15, 20]
            .iter()
            .map(|lag| {
                let d: Vec<f64> = (*lag..w.len()).map(|i| w[i] - w[i - lag]).collect();
                ((*lag as f64).ln(), variance(&d).unwrap().sqrt().ln())
            })
            .collect();
        let (mx, my) = (
            mean(&points.iter().map(|p| p.0).collect::<Vec<_>>())?,
            mean(&points.iter().map(|p| p.1).collect::<Vec<_>>())?,
        );
        Some(
            points.iter().map(|p| (p.0 - mx) * (p.1 - my)).sum::<f64>()
                / points.iter().map(|p| (p.0 - mx).powi(2)).sum::<f64>(),
        )
    });
    check.is("hurst_exponent_100", &hurst);
    let ranges = minus(&high, &low);
    let size = rolling(&ranges, 20, |w| {
        let z = (w[19] - mean(w)?) / variance(w)?.sqrt();
        Some(if w[19] <= 0.0 {
            0.0
        } else if z > 1.5 {
            5.0
        } else if z > 0.5 {
            4.0
        } else if z > -0.5 {
            3.0
        } else if z > -1.5 {
            2.0
        } else {
            1.0
        })
    });
    check.is("fuzzy_candle_20_size", &size);
    let quarter = |part: f64, range: f64| {
        if part <= 0.0 {
            0.0
        } else if part / range > 0.75 {
            4.0
        } else if part / range > 0.5 {
            3.0
        } else if part / range > 0.25 {
            2.0
        } else {
            1.0
        }
    };
    let of_bar = |of: &dyn Fn(&Bar) -> f64| {
        check.market.bars.iter().zip(&size).map(|(b, s)| s.map(|_| of(b))).collect::<Series>()
    };
    let body = of_bar(&|b| quarter((b.close - b.open).abs(), b.high - b.low));
    let lower = of_bar(&|b| quarter(b.open.min(b.close) - b.low, b.high - b.low));
    check.is("fuzzy_candle_20_body", &body);
    check.is("fuzzy_candle_20_lower", &lower);
}
