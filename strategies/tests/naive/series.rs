//! Whole-array arithmetic: series with gaps, windows, averages and filters by their definitions.

use std::f64::consts::PI;

pub(crate) type Series = Vec<Option<f64>>;

/// Window by window: `None` until `n` values are there.
pub(crate) fn rolling(xs: &[Option<f64>], n: usize, of: impl Fn(&[f64]) -> Option<f64>) -> Series {
    (0..xs.len())
        .map(|i| {
            let window: Option<Vec<f64>> = xs[(i + 1).checked_sub(n)?..=i].iter().copied().collect();
            of(&window?)
        })
        .collect()
}

pub(crate) fn mean(window: &[f64]) -> Option<f64> {
    Some(window.iter().sum::<f64>() / window.len() as f64)
}

pub(crate) fn variance(window: &[f64]) -> Option<f64> {
    let m = mean(window)?;
    mean(&window.iter().map(|x| (x - m) * (x - m)).collect::<Vec<_>>())
}

pub(crate) fn max(window: &[f64]) -> Option<f64> {
    window.iter().copied().reduce(f64::max)
}

pub(crate) fn min(window: &[f64]) -> Option<f64> {
    window.iter().copied().reduce(f64::min)
}

pub(crate) fn sma(xs: &[Option<f64>], n: usize) -> Series {
    rolling(xs, n, mean)
}

/// Seeded with the mean of the first `n` defined values.
pub(crate) fn smoothed(xs: &[Option<f64>], n: usize, k: f64) -> Series {
    let mut seed = Vec::new();
    let mut last = None;
    xs.iter()
        .map(|x| {
            let x = (*x)?;
            if let Some(e) = last {
                last = Some(k * x + (1.0 - k) * e);
            } else {
                seed.push(x);
                if seed.len() == n {
                    last = mean(&seed);
                }
            }
            last
        })
        .collect()
}

pub(crate) fn ema(xs: &[Option<f64>], n: usize) -> Series {
    smoothed(xs, n, 2.0 / (n as f64 + 1.0))
}

pub(crate) fn wilder(xs: &[Option<f64>], n: usize) -> Series {
    smoothed(xs, n, 1.0 / n as f64)
}

pub(crate) fn wma(xs: &[Option<f64>], n: usize) -> Series {
    weighted(xs, &(1..=n).rev().map(|i| i as f64).collect::<Vec<_>>())
}

/// Weights newest first.
pub(crate) fn weighted(xs: &[Option<f64>], weights: &[f64]) -> Series {
    let total: f64 = weights.iter().sum();
    rolling(xs, weights.len(), |w| Some(w.iter().rev().zip(weights).map(|(x, k)| x * k).sum::<f64>() / total))
}

pub(crate) fn lag(xs: &[Option<f64>], n: usize) -> Series {
    (0..xs.len()).map(|i| xs[i.checked_sub(n)?]).collect()
}

pub(crate) fn zip(a: &[Option<f64>], b: &[Option<f64>], of: impl Fn(f64, f64) -> f64) -> Series {
    a.iter().zip(b).map(|(a, b)| Some(of((*a)?, (*b)?))).collect()
}

pub(crate) fn map(a: &[Option<f64>], of: impl Fn(f64) -> f64) -> Series {
    a.iter().map(|a| a.map(&of)).collect()
}

pub(crate) fn minus(a: &[Option<f64>], b: &[Option<f64>]) -> Series {
    zip(a, b, |a, b| a - b)
}

/// A recursive filter from its difference equation over whole arrays.
pub(crate) fn recursive(
    xs: &[f64],
    start: usize,
    follows: bool,
    of: impl Fn(&dyn Fn(usize) -> f64, &dyn Fn(usize) -> f64) -> f64,
) -> Vec<f64> {
    let mut ys: Vec<f64> = Vec::new();
    for i in 0..xs.len() {
        let y = if i < start {
            if follows { xs[i] } else { 0.0 }
        } else {
            let at = |series: &[f64], back: usize| if back <= i { series[i - back] } else { 0.0 };
            of(&|back| at(xs, back), &|back| if back <= i { ys[i - back] } else { 0.0 })
        };
        ys.push(y);
    }
    ys
}

pub(crate) fn super_smoother(xs: &[f64], n: f64) -> Vec<f64> {
    let a = (-2.0_f64.sqrt() * PI / n).exp();
    let c2 = 2.0 * a * (2.0_f64.sqrt() * PI / n).cos();
    let c3 = -a * a;
    recursive(xs, 2, true, |x, y| (1.0 - c2 - c3) * (x(0) + x(1)) / 2.0 + c2 * y(1) + c3 * y(2))
}

pub(crate) fn high_pass(xs: &[f64], n: f64) -> Vec<f64> {
    let t = 2.0 * PI / n;
    let a = (t.cos() + t.sin() - 1.0) / t.cos();
    recursive(xs, 1, false, |x, y| (1.0 - a / 2.0) * (x(0) - x(1)) + (1.0 - a) * y(1))
}

pub(crate) fn high_pass_2(xs: &[f64], n: f64) -> Vec<f64> {
    let t = 2.0_f64.sqrt() * PI / n;
    let a = (t.cos() + t.sin() - 1.0) / t.cos();
    let k = 1.0 - a;
    recursive(xs, 2, false, |x, y| {
        (1.0 - a / 2.0).powi(2) * (x(0) - 2.0 * x(1) + x(2)) + 2.0 * k * y(1) - k * k * y(2)
    })
}

pub(crate) fn band_pass(xs: &[f64], n: f64, width: f64) -> Vec<f64> {
    let b = (2.0 * PI / n).cos();
    let g = (2.0 * PI * width / n).cos();
    let a = 1.0 / g - (1.0 / (g * g) - 1.0).sqrt();
    recursive(xs, 2, false, |x, y| 0.5 * (1.0 - a) * (x(0) - x(2)) + b * (1.0 + a) * y(1) - a * y(2))
}

pub(crate) fn some(xs: &[f64]) -> Series {
    xs.iter().copied().map(Some).collect()
}
