//! Recursive filters.

use std::f64::consts::PI;

use crate::market::Check;
use crate::series::{
    Series, band_pass, high_pass, high_pass_2, map, mean, recursive, rolling, sma, some, super_smoother, zip,
};

pub(crate) fn compare(check: &mut Check<'_>) {
    let xs = check.market.closes.clone();
    check.is("supersmoother_14", &some(&super_smoother(&xs, 14.0)));
    let (a, s3) = ((-PI / 14.0).exp(), (1.738 * PI / 14.0).cos());
    let (b, c) = (2.0 * a * s3, a * a);
    let three = recursive(&xs, 3, true, |x, y| {
        (1.0 - (b + c) + (c + b * c) - c * c) * x(0) + (b + c) * y(1) - (c + b * c) * y(2) + c * c * y(3)
    });
    check.is("supersmoother_3_pole_14", &some(&three));
    check.is("high_pass_48", &some(&high_pass(&xs, 48.0)));
    check.is("high_pass_2_pole_48", &some(&high_pass_2(&xs, 48.0)));
    let beta = (1.0 - (2.0 * PI / 14.0).cos()) / (2.0_f64.powf(0.25) - 1.0);
    let alpha = -beta + (beta * beta + 2.0 * beta).sqrt();
    let mut gauss = xs.clone();
    for _ in 0..4 {
        let mut y = gauss[0];
        for x in &mut gauss {
            y = alpha * *x + (1.0 - alpha) * y;
            *x = y;
        }
    }
    check.is("gauss_14_4", &some(&gauss));
    let trend: Vec<f64> = xs.iter().zip(high_pass_2(&xs, 60.0)).map(|(x, h)| x - h).collect();
    check.is("decycler_60", &some(&trend));
    check.is(
        "decycler_60_osc",
        &high_pass_2(&trend, 30.0).iter().zip(&xs).map(|(y, x)| Some(100.0 * y / x)).collect(),
    );
    check.is("roofing_48_10", &some(&super_smoother(&high_pass_2(&xs, 48.0), 10.0)));
    let band = band_pass(&high_pass(&xs, 4.0 * 20.0 / 0.3), 20.0, 0.3);
    check.is("bandpass_20_0.3", &some(&band));
    let mut peak = 0.0_f64;
    let normal = band
        .iter()
        .map(|b| {
            peak = (0.991 * peak).max(b.abs());
            Some(if peak > 0.0 { b / peak } else { 0.0 })
        })
        .collect();
    check.is("bandpass_20_0.3_normalised", &normal);
    for (name, straighten) in [("reflex_20", 1.0), ("trendflex_20", 0.0)] {
        let smooth = some(&super_smoother(&xs, 10.0));
        let sums = rolling(&smooth, 21, |w| {
            let slope = straighten * (w[0] - w[20]) / 20.0;
            Some((1..=20).map(|i| w[20] + i as f64 * slope - w[20 - i]).sum::<f64>() / 20.0)
        });
        let mut square = 0.0;
        let flex = sums
            .iter()
            .map(|m| {
                m.map(|m| {
                    square = 0.04 * m * m + 0.96 * square;
                    if square > 0.0 { m / square.sqrt() } else { 0.0 }
                })
            })
            .collect();
        check.is(name, &flex);
    }
    let a = 0.07;
    let mut y: Vec<f64> = Vec::new();
    let itrend: Series = (0..xs.len())
        .map(|i| {
            if i < 2 {
                return None;
            }
            let k = y.len();
            y.push(if i < 7 {
                (xs[i] + 2.0 * xs[i - 1] + xs[i - 2]) / 4.0
            } else {
                (a - a * a / 4.0) * xs[i] + 0.5 * a * a * xs[i - 1] - (a - 0.75 * a * a) * xs[i - 2]
                    + 2.0 * (1.0 - a) * y[k - 1]
                    - (1.0 - a).powi(2) * y[k - 2]
            });
            (k >= 2).then(|| 2.0 * y[k] - y[k - 2])
        })
        .collect();
    check.is("itrend_0.07_trigger", &itrend);
    let filter = band_pass(&xs, 20.0, 0.25);
    let mut voss: Vec<f64> = Vec::new();
    for (i, f) in filter.iter().enumerate() {
        let past = |back: usize| if back <= i { voss[i - back] } else { 0.0 };
        let sum: f64 = (0..9).map(|k| (k as f64 + 1.0) / 9.0 * past(9 - k)).sum();
        voss.push(6.0 * f - sum);
    }
    check.is("voss_20_3_0.25", &some(&voss));
    check.is("voss_20_3_0.25_filter", &some(&filter));
    let band = band_pass(&xs, 20.0, 0.5);
    let (mut peak, mut valley) = (0.0, 0.0);
    let (mut peaks, mut valleys) = (Vec::new(), Vec::new());
    for i in 0..band.len() {
        let at = |back: usize| if back <= i { band[i - back] } else { 0.0 };
        if at(1) > at(0) && at(1) > at(2) {
            peak = at(1);
        }
        if at(1) < at(0) && at(1) < at(2) {
            valley = at(1);
        }
        peaks.push(Some(peak));
        valleys.push(Some(valley));
    }
    let ready = sma(&peaks, 50);
    check.is("emd_20_0.5_0.1_u", &map(&ready, |x| 0.1 * x));
    check.is("emd_20_0.5_0.1_m", &zip(&sma(&some(&band), 40), &ready, |m, _| m));
    check.is("emd_20_0.5_0.1_l", &map(&sma(&valleys, 50), |x| 0.1 * x));
    let pearson = |w: &[f64], of: &dyn Fn(f64) -> f64| {
        let n = w.len();
        let wave: Vec<f64> = (0..n).map(|i| of(2.0 * PI * (n - 1 - i) as f64 / n as f64)).collect();
        let (mx, mw) = (mean(w).unwrap(), mean(&wave).unwrap());
        let (mut a, mut b, mut ab) = (0.0, 0.0, 0.0);
        for (x, v) in w.iter().zip(&wave) {
            a += (x - mx).powi(2);
            b += (v - mw).powi(2);
            ab += (x - mx) * (v - mw);
        }
        if a * b > 0.0 { ab / (a * b).sqrt() } else { 0.0 }
    };
    let c = some(&xs);
    let real = rolling(&c, 20, |w| Some(pearson(w, &f64::cos)));
    let imaginary = rolling(&c, 20, |w| Some(pearson(w, &|t| -t.sin())));
    check.is("correlation_cycle_20_real", &real);
    check.is("correlation_cycle_20_imaginary", &imaginary);
    let mut before = 0.0;
    let state = zip(&real, &imaginary, |r, i| {
        if i == 0.0 { 0.0 } else { 90.0 + (r / i).atan().to_degrees() - if i > 0.0 { 180.0 } else { 0.0 } }
    })
    .iter()
    .map(|angle| {
        angle.map(|angle| {
            let now = if before > angle && before - angle < 270.0 { before } else { angle };
            let step: f64 = now - before;
            before = now;
            if step.abs() >= 9.0 {
                0.0
            } else if now < 0.0 {
                -1.0
            } else {
                1.0
            }
        })
    })
    .collect();
    check.is("correlation_cycle_20_state", &state);
}
