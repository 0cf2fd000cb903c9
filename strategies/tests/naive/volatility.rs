//! Volatility and stops.

use strategies::indicators::Bar;

use crate::market::Check;
use crate::series::{Series, ema, lag, map, max, mean, min, minus, rolling, sma, smoothed, variance, zip};

pub(crate) fn compare(check: &mut Check<'_>) {
    let returns = check.market.log_returns();
    let sample = |w: &[f64]| Some(variance(w)? * w.len() as f64 / (w.len() as f64 - 1.0));
    check.is("volatility_close_20_365", &rolling(&returns, 20, |w| Some((365.0 * sample(w)?).sqrt())));
    let of_bar = |of: fn(&Bar) -> f64| check.market.bars.iter().map(|b| Some(of(b))).collect::<Series>();
    let root = |s: Series| map(&s, f64::sqrt);
    let ln2 = 2.0_f64.ln();
    let parkinson = map(&of_bar(|b| (b.high / b.low).ln().powi(2)), |x| x / (4.0 * ln2));
    let garman = of_bar(|b| {
        0.5 * (b.high / b.low).ln().powi(2) - (2.0 * 2.0_f64.ln() - 1.0) * (b.close / b.open).ln().powi(2)
    });
    let rogers = of_bar(|b| {
        (b.high / b.close).ln() * (b.high / b.open).ln() + (b.low / b.close).ln() * (b.low / b.open).ln()
    });
    check.is("volatility_parkinson_20", &root(sma(&parkinson, 20)));
    check.is("volatility_garman_klass_20", &root(map(&sma(&garman, 20), |x| x.max(0.0))));
    check.is("volatility_rogers_satchell_20", &root(sma(&rogers, 20)));
    let overnight = zip(&check.market.open, &lag(&check.market.close, 1), |o, c| (o / c).ln());
    let body = of_bar(|b| (b.close / b.open).ln());
    let late = |s: &Series| zip(s, &overnight, |x, _| x);
    let k = 0.34 / (1.34 + 21.0 / 19.0);
    let zhang = |n: usize, k: f64| {
        let over = rolling(&overnight, n, sample);
        let within = rolling(&late(&body), n, sample);
        let range = sma(&late(&rogers), n);
        zip(&zip(&over, &within, |o, w| o + k * w), &range, |a, r| a + (1.0 - k) * r)
    };
    check.is("volatility_yang_zhang_20_4", &map(&zhang(20, k), |x| (4.0 * x).sqrt()));
    let recent = smoothed(&map(&returns, |x| x * x), 30, 0.06);
    let both =
        zip(&zhang(30, 0.34 / (1.34 + 31.0 / 29.0)), &recent, |a, b| 100.0 * (365.0 * 0.5 * (a + b)).sqrt());
    check.is("vix_like_30_365", &both);
    let c = &check.market.close.clone();
    let highest = rolling(c, 22, max);
    check.is("vix_fix_22", &zip(&highest, &check.market.low.clone(), |h, l| 100.0 * (h - l) / h));
    let drawdown = rolling(c, 14, |w| Some((100.0 * (w[13] - max(w)?) / max(w)?).powi(2)));
    check.is("ulcer_14", &root(sma(&drawdown, 14)));
    let (high, low) = (check.market.high.clone(), check.market.low.clone());
    let (top, bottom) = (rolling(&high, 22, max), rolling(&low, 22, min));
    let atr = check.market.atr(22);
    check.is("chande_22_3_long", &zip(&top, &atr, |h, a| h - 3.0 * a));
    check.is("chande_22_3_short", &zip(&bottom, &atr, |l, a| l + 3.0 * a));
    let mean_range = sma(&minus(&high, &low), 22);
    check.is("kaufmanstop_22_2_long", &zip(&low, &mean_range, |l, r| l - 2.0 * r));
    check.is("kaufmanstop_22_2_short", &zip(&high, &mean_range, |h, r| h + 2.0 * r));
    let double = minus(&zip(&high, &lag(&high, 1), f64::max), &zip(&low, &lag(&low, 1), f64::min));
    let away = rolling(&double, 20, |w| Some(mean(w)? + 1.5 * variance(w)?.sqrt()));
    check.is("devstop_20_1.5_long", &minus(&rolling(&high, 20, max), &away));
    check.is("devstop_20_1.5_short", &zip(&rolling(&low, 20, min), &away, |l, a| l + a));
    let below = sma(&zip(&lag(&low, 1), &low, |before, now| (before - now).max(0.0)), 22);
    let above = sma(&zip(&high, &lag(&high, 1), |now, before| (now - before).max(0.0)), 22);
    check.is("safezonestop_22_2.5_3_long", &rolling(&zip(&lag(&low, 1), &below, |l, b| l - 2.5 * b), 3, max));
    check.is(
        "safezonestop_22_2.5_3_short",
        &rolling(&zip(&lag(&high, 1), &above, |h, a| h + 2.5 * a), 3, min),
    );
    check.is(
        "skew_20",
        &rolling(c, 20, |w| {
            let m = mean(w)?;
            Some(w.iter().map(|x| (x - m).powi(3)).sum::<f64>() / 20.0 / variance(w)?.powf(1.5))
        }),
    );
    let median = |w: &[f64]| {
        let mut s = w.to_vec();
        s.sort_by(f64::total_cmp);
        let n = s.len();
        (s[(n - 1) / 2] + s[n / 2]) / 2.0
    };
    for n in [5, 8] {
        check.is(
            &format!("median_ad_{n}"),
            &rolling(c, n, |w| Some(median(&w.iter().map(|x| (x - median(w)).abs()).collect::<Vec<_>>()))),
        );
    }
    let base = zip(
        &zip(&check.market.atr(13), &check.market.atr(40), |a, b| a / b),
        &rolling(c, 100, variance),
        |x, _| x,
    );
    let mut v: Vec<f64> = Vec::new();
    let damiani = base
        .iter()
        .map(|x| {
            x.map(|x| {
                let at = |back: usize| if v.len() >= back { v[v.len() - back] } else { 0.0 };
                let now = x + 0.5 * (at(1) - at(3));
                v.push(now);
                now
            })
        })
        .collect();
    check.is("damiani_volatmeter", &damiani);
    check.is(
        "damiani_volatmeter_threshold",
        &zip(&rolling(c, 20, variance), &rolling(c, 100, variance), |a, b| 1.4 - (a / b).sqrt()),
    );
    check.is("volatility_ratio_7_28", &zip(&check.market.atr(7), &check.market.atr(28), |a, b| a / b));
    check.is(
        "keltner_position_20_10_2",
        &zip(&minus(c, &ema(c, 20)), &check.market.atr(10), |d, a| d / (2.0 * a)),
    );
}
