//! Moving averages.

use std::f64::consts::PI;

use crate::market::Check;
use crate::series::{Series, ema, lag, map, mean, minus, rolling, sma, variance, weighted, wilder, wma, zip};

pub(crate) fn compare(check: &mut Check<'_>) {
    let c = &check.market.close.clone();
    let weights =
        |n: usize, of: &dyn Fn(f64) -> f64| (1..=n).rev().map(|i| of(i as f64)).collect::<Vec<f64>>();
    check.is("cwma_14", &weighted(c, &weights(14, &|i| i.powi(3))));
    check.is("sqwma_14", &weighted(c, &weights(14, &|i| i.powi(2))));
    check.is("srwma_14", &weighted(c, &weights(14, &|i| i.powf(0.5))));
    check.is("vpwma_14_0.382", &weighted(c, &weights(14, &|i| i.powf(0.382))));
    check.is("sinwma_14", &weighted(c, &weights(14, &|i| (PI * i / 15.0).sin())));
    check.is("fwma_6", &weighted(c, &[8.0, 5.0, 3.0, 2.0, 1.0, 1.0]));
    check.is("pwma_5", &weighted(c, &[1.0, 4.0, 6.0, 4.0, 1.0]));
    check.is("swma_5", &weighted(c, &[1.0, 2.0, 3.0, 2.0, 1.0]));
    check.is("swma_4", &weighted(c, &[1.0, 2.0, 2.0, 1.0]));
    check.is("epma_11_4", &weighted(c, &(0..11).map(|i| 11.0 - f64::from(i) - 4.0).collect::<Vec<_>>()));
    check.is("jsa_30", &zip(c, &lag(c, 30), |a, b| (a + b) / 2.0));
    let edcf = rolling(c, 9, |w| {
        let newest: Vec<f64> = w.iter().rev().copied().collect();
        let weight = |i: usize| (1..5).map(|k| (newest[i] - newest[i + k]).powi(2)).sum::<f64>();
        let total: f64 = (0..5).map(weight).sum();
        Some(if total > 0.0 { (0..5).map(|i| weight(i) * newest[i]).sum::<f64>() / total } else { newest[0] })
    });
    check.is("edcf_5", &edcf);
    let nma = rolling(c, 13, |w| {
        let logs: Vec<f64> = w.iter().rev().map(|x| x.ln()).collect();
        let travel: Vec<f64> = logs.windows(2).map(|p| (p[0] - p[1]).abs()).collect();
        let top: f64 =
            travel.iter().enumerate().map(|(i, t)| t * ((i as f64 + 1.0).sqrt() - (i as f64).sqrt())).sum();
        let r = top / travel.iter().sum::<f64>();
        Some(w[12] * r + w[11] * (1.0 - r))
    });
    check.is("nma_12", &nma);
    let first = wma(c, 7);
    let predict = zip(&first, &wma(&first, 7), |a, b| 2.0 * a - b);
    check.is("pma_trigger", &wma(&predict, 4));
    let (mut f, mut v, mut a) = (check.market.closes[0], 0.0, 0.0);
    let holt: Series = check
        .market
        .closes
        .iter()
        .map(|x| {
            let (f0, v0) = (f, v);
            f = 0.8 * (f0 + v0 + 0.5 * a) + 0.2 * x;
            v = 0.9 * (v0 + a) + 0.1 * (f - f0);
            a = 0.9 * a + 0.1 * (v - v0);
            Some(f + v + 0.5 * a)
        })
        .collect();
    check.is("hwma", &holt);
    let mut y = check.market.closes[0];
    check.is(
        "mwdx_0.3",
        &map(c, |x| x)
            .iter()
            .map(|x| {
                y = 0.3 * x.unwrap() + 0.7 * y;
                Some(y)
            })
            .collect(),
    );
    let n = 7.0_f64;
    let beta = 0.45 * (n - 1.0) / (0.45 * (n - 1.0) + 2.0);
    let alpha = beta * beta;
    let mut e = [0.0; 4];
    let jma: Series = check
        .market
        .closes
        .iter()
        .map(|x| {
            e[0] = (1.0 - alpha) * x + alpha * e[0];
            e[1] = (x - e[0]) * (1.0 - beta) + beta * e[1];
            e[2] = (e[0] + 2.0 * e[1] - e[3]) * (1.0 - alpha).powi(2) + alpha.powi(2) * e[2];
            e[3] += e[2];
            Some(e[3])
        })
        .collect();
    check.is("jma_7_50_2", &jma);
    let spread = rolling(c, 50, |w| Some((w[49] - mean(w)?) / variance(w)?.sqrt()));
    let (mut length, mut average) = (50.0_f64, 0.0);
    let vlma: Series = check
        .market
        .closes
        .iter()
        .zip(&spread)
        .map(|(x, z)| {
            let Some(z) = z else {
                average = *x;
                return None;
            };
            length += if z.abs() <= 0.25 {
                1.0
            } else if z.abs() > 1.75 {
                -1.0
            } else {
                0.0
            };
            length = length.clamp(5.0, 50.0);
            average += (x - average) * 2.0 / (length + 1.0);
            Some(average)
        })
        .collect();
    check.is("vlma_5_50", &vlma);
    let h = &check.market.hl2.clone();
    let line = |n, shift| lag(&wilder(h, n), shift);
    let (jaw, teeth, lips) = (line(13, 8), line(8, 5), line(5, 3));
    check.is("alligator_jaw", &jaw);
    check.is("alligator_lips", &lips);
    check.is("alligator_gator_u", &zip(&jaw, &teeth, |a, b| (a - b).abs()));
    check.is("alligator_gator_l", &zip(&teeth, &lips, |a, b| -(a - b).abs()));
    let combine = |a: &Series, b: &Series| zip(a, b, |a, b| 2.0 * a - b);
    check.is("hull_suit_21_hma_before", &lag(&wma(&combine(&wma(c, 10), &wma(c, 21)), 4), 2));
    let ehma = ema(&combine(&ema(c, 10), &ema(c, 21)), 4);
    check.is("hull_suit_21_ehma_side", &zip(&ehma, &lag(&ehma, 2), |a, b| if a > b { 1.0 } else { -1.0 }));
    let thma = wma(&zip(&zip(&wma(c, 7), &wma(c, 10), |a, b| 3.0 * a - b), &wma(c, 21), |a, b| a - b), 21);
    check.is("hull_suit_21_thma_before", &lag(&thma, 2));
    let (fast, slow) = (sma(c, 10), sma(c, 50));
    let away = map(&sma(&zip(&fast, &slow, |a, b| (a - b).powi(2)), 10), f64::sqrt);
    check.is("mab_10_50_1.5_u", &zip(&slow, &away, |a, b| a + 1.5 * b));
    check.is("mab_10_50_1.5_l", &zip(&slow, &away, |a, b| a - 1.5 * b));
    let (fast, slow) = (ema(c, 8), ema(c, 21));
    let (up, moves) = (minus(&fast, &lag(&fast, 2)), minus(&slow, &lag(&slow, 2)));
    check.is("amat_8_21_2_long", &zip(&up, &moves, |a, b| f64::from(u8::from(a > 0.0 && b != 0.0))));
    check.is("amat_8_21_2_short", &zip(&up, &moves, |a, b| f64::from(u8::from(a < 0.0 && b != 0.0))));
    check.is("ttm_trend_5", &zip(c, &sma(h, 5), |a, b| if a > b { 1.0 } else { -1.0 }));
    let line_at = |w: &[f64], at: f64| {
        let n = w.len() as f64;
        let (mx, my) = ((n - 1.0) / 2.0, mean(w).unwrap());
        let slope = w.iter().enumerate().map(|(i, y)| (i as f64 - mx) * (y - my)).sum::<f64>()
            / w.iter().enumerate().map(|(i, _)| (i as f64 - mx).powi(2)).sum::<f64>();
        my + slope * (at - mx)
    };
    check.is("cfo_14", &rolling(c, 14, |w| Some(100.0 * (w[13] - line_at(w, 13.0)) / w[13])));
    check.is("tsf_14", &rolling(c, 14, |w| Some(line_at(w, 14.0))));
}
