//! Names that no other program was compared with, each against a second implementation: whole-array,
//! window by window, from the formula of its catalogue entry and nothing of the library.

mod support;

use std::f64::consts::PI;

use strategies::indicators::{Bar, Panel, catalogue};
use support::{bars, candles, text};

type Series = Vec<Option<f64>>;

/// Window by window: `None` until `n` values are there.
fn rolling(xs: &[Option<f64>], n: usize, of: impl Fn(&[f64]) -> Option<f64>) -> Series {
    (0..xs.len())
        .map(|i| {
            let window: Option<Vec<f64>> = xs[(i + 1).checked_sub(n)?..=i].iter().copied().collect();
            of(&window?)
        })
        .collect()
}

fn mean(window: &[f64]) -> Option<f64> {
    Some(window.iter().sum::<f64>() / window.len() as f64)
}

fn variance(window: &[f64]) -> Option<f64> {
    let m = mean(window)?;
    mean(&window.iter().map(|x| (x - m) * (x - m)).collect::<Vec<_>>())
}

fn max(window: &[f64]) -> Option<f64> {
    window.iter().copied().reduce(f64::max)
}

fn min(window: &[f64]) -> Option<f64> {
    window.iter().copied().reduce(f64::min)
}

fn sma(xs: &[Option<f64>], n: usize) -> Series {
    rolling(xs, n, mean)
}

/// Seeded with the mean of the first `n` defined values.
fn smoothed(xs: &[Option<f64>], n: usize, k: f64) -> Series {
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

fn ema(xs: &[Option<f64>], n: usize) -> Series {
    smoothed(xs, n, 2.0 / (n as f64 + 1.0))
}

fn wilder(xs: &[Option<f64>], n: usize) -> Series {
    smoothed(xs, n, 1.0 / n as f64)
}

fn wma(xs: &[Option<f64>], n: usize) -> Series {
    weighted(xs, &(1..=n).rev().map(|i| i as f64).collect::<Vec<_>>())
}

/// Weights newest first.
fn weighted(xs: &[Option<f64>], weights: &[f64]) -> Series {
    let total: f64 = weights.iter().sum();
    rolling(xs, weights.len(), |w| Some(w.iter().rev().zip(weights).map(|(x, k)| x * k).sum::<f64>() / total))
}

fn lag(xs: &[Option<f64>], n: usize) -> Series {
    (0..xs.len()).map(|i| xs[i.checked_sub(n)?]).collect()
}

fn zip(a: &[Option<f64>], b: &[Option<f64>], of: impl Fn(f64, f64) -> f64) -> Series {
    a.iter().zip(b).map(|(a, b)| Some(of((*a)?, (*b)?))).collect()
}

fn map(a: &[Option<f64>], of: impl Fn(f64) -> f64) -> Series {
    a.iter().map(|a| a.map(&of)).collect()
}

fn minus(a: &[Option<f64>], b: &[Option<f64>]) -> Series {
    zip(a, b, |a, b| a - b)
}

/// A recursive filter from its difference equation over whole arrays.
fn recursive(
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

fn super_smoother(xs: &[f64], n: f64) -> Vec<f64> {
    let a = (-2.0_f64.sqrt() * PI / n).exp();
    let c2 = 2.0 * a * (2.0_f64.sqrt() * PI / n).cos();
    let c3 = -a * a;
    recursive(xs, 2, true, |x, y| (1.0 - c2 - c3) * (x(0) + x(1)) / 2.0 + c2 * y(1) + c3 * y(2))
}

fn high_pass(xs: &[f64], n: f64) -> Vec<f64> {
    let t = 2.0 * PI / n;
    let a = (t.cos() + t.sin() - 1.0) / t.cos();
    recursive(xs, 1, false, |x, y| (1.0 - a / 2.0) * (x(0) - x(1)) + (1.0 - a) * y(1))
}

fn high_pass_2(xs: &[f64], n: f64) -> Vec<f64> {
    let t = 2.0_f64.sqrt() * PI / n;
    let a = (t.cos() + t.sin() - 1.0) / t.cos();
    let k = 1.0 - a;
    recursive(xs, 2, false, |x, y| {
        (1.0 - a / 2.0).powi(2) * (x(0) - 2.0 * x(1) + x(2)) + 2.0 * k * y(1) - k * k * y(2)
    })
}

fn band_pass(xs: &[f64], n: f64, width: f64) -> Vec<f64> {
    let b = (2.0 * PI / n).cos();
    let g = (2.0 * PI * width / n).cos();
    let a = 1.0 / g - (1.0 / (g * g) - 1.0).sqrt();
    recursive(xs, 2, false, |x, y| 0.5 * (1.0 - a) * (x(0) - x(2)) + b * (1.0 + a) * y(1) - a * y(2))
}

fn some(xs: &[f64]) -> Series {
    xs.iter().copied().map(Some).collect()
}

struct Market {
    bars: Vec<Bar>,
    open: Series,
    high: Series,
    low: Series,
    close: Series,
    volume: Series,
    hl2: Series,
    hlc3: Series,
    closes: Vec<f64>,
}

impl Market {
    fn of(file: &str, rows: usize) -> Self {
        let bars = bars(file);
        let bars = bars[..rows.min(bars.len())].to_vec();
        let column = |of: fn(&Bar) -> f64| bars.iter().map(|bar| Some(of(bar))).collect();
        Self {
            open: column(|bar| bar.open),
            high: column(|bar| bar.high),
            low: column(|bar| bar.low),
            close: column(|bar| bar.close),
            volume: column(|bar| bar.volume),
            hl2: column(|bar| (bar.high + bar.low) / 2.0),
            hlc3: column(|bar| (bar.high + bar.low + bar.close) / 3.0),
            closes: bars.iter().map(|bar| bar.close).collect(),
            bars,
        }
    }

    fn true_range(&self) -> Series {
        (0..self.bars.len())
            .map(|i| {
                let (bar, before) = (&self.bars[i], &self.bars[i.checked_sub(1)?]);
                max(&[bar.high - bar.low, (bar.high - before.close).abs(), (bar.low - before.close).abs()])
            })
            .collect()
    }

    fn atr(&self, n: usize) -> Series {
        wilder(&self.true_range(), n)
    }

    fn log_returns(&self) -> Series {
        zip(&self.close, &lag(&self.close, 1), |a, b| (a / b).ln())
    }
}

/// Holds columns against their second implementation and remembers which names were.
struct Check<'a> {
    market: &'a Market,
    file: &'a str,
    wrong: Vec<String>,
    seen: Vec<String>,
}

impl Check<'_> {
    fn is(&mut self, name: &str, expected: &Series) {
        let mut panel = Panel::new([name]).unwrap_or_else(|error| panic!("{error}"));
        let got = panel.batch(candles(&self.market.bars).columns()).remove(0);
        let size = expected.iter().flatten().map(|x| x.abs()).sum::<f64>() / expected.len().max(1) as f64;
        let differs =
            expected.iter().zip(&got).enumerate().find(|(_, (want, got))| match (want, got.get()) {
                (None, None) => false,
                (Some(want), Some(got)) => (want - got).abs() > 1e-8 * want.abs().max(size) + 1e-13,
                _ => true,
            });
        if let Some((row, (want, got))) = differs {
            self.wrong.push(format!("{} {name} row {row}: expected {want:?}, got {got:?}", self.file));
        }
        assert!(expected.iter().any(Option::is_some), "{name}: nothing to compare");
        self.seen.push(name.to_owned());
    }
}

#[test]
fn every_name_without_a_golden_column_has_a_second_implementation_that_agrees() {
    let mut compared = Vec::new();
    let mut wrong = Vec::new();
    for file in ["BTC_USDT-5m", "ETH_USDT-1d", "ETH_BTC-5m"] {
        let market = Market::of(file, 700);
        let mut check = Check { market: &market, file, wrong: Vec::new(), seen: Vec::new() };
        averages(&mut check);
        filters(&mut check);
        oscillators(&mut check);
        volatility(&mut check);
        volume(&mut check);
        levels(&mut check);
        features(&mut check);
        compared = check.seen;
        wrong.extend(check.wrong);
    }
    assert!(wrong.is_empty(), "{} differ\n{}", wrong.len(), wrong.join("\n"));
    let left: Vec<&str> = catalogue()
        .map(|(_, entry)| entry)
        .filter(|entry| entry.compared.is_empty())
        .map(|entry| entry.name)
        .filter(|name| !compared.iter().any(|seen| names(seen, name)))
        .collect();
    assert!(left.is_empty(), "neither a golden column nor a second implementation: {left:?}");
}

/// Is `column` a column of the indicator `name`?
fn names(column: &str, name: &str) -> bool {
    strategies::indicators::Request::parse(column).is_ok_and(|request| request.entry().name == name)
}

fn averages(check: &mut Check<'_>) {
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

fn filters(check: &mut Check<'_>) {
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

fn oscillators(check: &mut Check<'_>) {
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

fn volatility(check: &mut Check<'_>) {
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

fn volume(check: &mut Check<'_>) {
    let (c, v, typical) =
        (check.market.close.clone(), check.market.volume.clone(), check.market.hlc3.clone());
    check.is("vosc_2_5", &zip(&sma(&v, 2), &sma(&v, 5), |a, b| 100.0 * (a - b) / b));
    let vwma =
        |x: &Series, n| zip(&sma(&zip(x, &v, |x, v| x * v), n), &sma(&zip(&v, x, |v, _| v), n), |a, b| a / b);
    let (long, short) = (vwma(&c, 25), vwma(&c, 5));
    let confirmation =
        zip(&minus(&long, &sma(&c, 25)), &zip(&short, &sma(&c, 5), |a, b| a / b), |a, b| a * b);
    let vpci = zip(&confirmation, &zip(&sma(&v, 5), &sma(&v, 25), |a, b| a / b), |a, b| a * b);
    let smooth = vwma(&vpci, 5);
    check.is("vpci_5_25", &zip(&vpci, &smooth, |a, _| a));
    check.is("vpci_5_25_signal", &smooth);
    let line = minus(&vwma(&c, 12), &vwma(&c, 26));
    check.is("vwmacd_12_26_9", &line);
    check.is("vwmacd_12_26_9_hist", &minus(&line, &ema(&line, 9)));
    let macd = minus(&ema(&c, 20), &ema(&c, 40));
    let trend = map(&minus(&macd, &lag(&macd, 1)), |x| 150.0 * x);
    check.is("waddah_attr_explosion_trend", &map(&trend, f64::abs));
    check.is(
        "waddah_attr_explosion_direction",
        &map(&trend, |x| {
            if x > 0.0 {
                1.0
            } else if x < 0.0 {
                -1.0
            } else {
                0.0
            }
        }),
    );
    check.is(
        "waddah_attr_explosion_width",
        &zip(&rolling(&c, 20, |w| Some(4.0 * variance(w)?.sqrt())), &trend, |w, _| w),
    );
    check.is("volume", &v);
    check.is(
        "avgprice",
        &check.market.bars.iter().map(|b| Some((b.open + b.high + b.low + b.close) / 4.0)).collect(),
    );
    check.is("medprice", &check.market.hl2.clone());
    check.is("typprice", &typical);
    check.is(
        "wclprice",
        &check.market.bars.iter().map(|b| Some((b.high + b.low + 2.0 * b.close) / 4.0)).collect(),
    );
    let weighted = |rows: std::ops::RangeInclusive<usize>| {
        let bars = &check.market.bars[rows];
        let total: f64 = bars.iter().map(|b| b.volume).sum();
        let price = |b: &Bar| (b.high + b.low + b.close) / 3.0;
        let m = bars.iter().map(|b| price(b) * b.volume).sum::<f64>() / total;
        let deviation = (bars.iter().map(|b| b.volume * (price(b) - m).powi(2)).sum::<f64>() / total).sqrt();
        (m, deviation)
    };
    let rows = check.market.bars.len();
    let rolled: Vec<Option<(f64, f64)>> =
        (0..rows).map(|i| Some(weighted((i + 1).checked_sub(20)?..=i))).collect();
    let (anchored, session): (Vec<_>, Vec<_>) = (0..rows)
        .map(|i| {
            let anchor = check.market.bars[100].open_time_ms;
            let hours = |b: &Bar| b.open_time_ms.div_euclid(8 * 3_600_000);
            let start =
                (0..=i).find(|j| hours(&check.market.bars[*j]) == hours(&check.market.bars[i])).unwrap();
            (
                (check.market.bars[i].open_time_ms >= anchor).then(|| weighted(100..=i)),
                Some(weighted(start..=i)),
            )
        })
        .unzip();
    let anchor = check.market.bars[100].open_time_ms;
    for (name, both) in [
        ("vwap_rolling_20_2".to_owned(), rolled),
        (format!("vwap_anchored_{anchor}_2"), anchored),
        ("vwap_session_8_2".to_owned(), session),
    ] {
        check.is(&name, &both.iter().map(|b| b.map(|(m, _)| m)).collect());
        check.is(&format!("{name}_u"), &both.iter().map(|b| b.map(|(m, d)| m + 2.0 * d)).collect());
        check.is(&format!("{name}_l"), &both.iter().map(|b| b.map(|(m, d)| m - 2.0 * d)).collect());
    }
    let profiles: Vec<Option<[f64; 3]>> = (0..rows)
        .map(|i| Some(profile(&check.market.bars[(i + 1).checked_sub(100)?..=i], 24, 0.7)))
        .collect();
    for (k, name) in ["poc", "vah", "val"].into_iter().enumerate() {
        check.is(
            &format!("volume_profile_100_24_0.7_{name}"),
            &profiles.iter().map(|p| p.map(|p| p[k])).collect(),
        );
    }
}

fn profile(bars: &[Bar], bins: usize, share: f64) -> [f64; 3] {
    let top = bars.iter().map(|b| b.high).fold(f64::MIN, f64::max);
    let bottom = bars.iter().map(|b| b.low).fold(f64::MAX, f64::min);
    let width = (top - bottom) / bins as f64;
    let mut held = vec![0.0; bins];
    for bar in bars {
        let index =
            |price: f64| (0..bins - 1).take_while(|i| (price - bottom) / width >= *i as f64 + 1.0).count();
        let (from, to) = (index(bar.low), index(bar.high));
        for cell in &mut held[from..=to] {
            *cell += bar.volume / (to - from + 1) as f64;
        }
    }
    let total: f64 = bars.iter().map(|b| b.volume).sum();
    let control = (0..bins).rev().max_by(|a, b| held[*a].total_cmp(&held[*b])).unwrap();
    let (mut from, mut to) = (control, control);
    while held[from..=to].iter().sum::<f64>() < share * total && (from > 0 || to + 1 < bins) {
        let above = if to + 1 < bins { held[to + 1] } else { -1.0 };
        let below = if from > 0 { held[from - 1] } else { -1.0 };
        if above >= below { to += 1 } else { from -= 1 }
    }
    [
        bottom + width * (control as f64 + 0.5),
        bottom + width * (to as f64 + 1.0),
        bottom + width * from as f64,
    ]
}

fn levels(check: &mut Check<'_>) {
    let bars = check.market.bars.clone();
    let day = |b: &Bar| b.open_time_ms.div_euclid(86_400_000);
    let before = |i: usize| -> Option<(Bar, f64)> {
        let start = (0..=i).find(|j| day(&bars[*j]) == day(&bars[i]))?;
        let last = day(&bars[start.checked_sub(1)?]);
        let of_day: Vec<&Bar> = bars[..start].iter().filter(|b| day(b) == last).collect();
        let high = of_day.iter().map(|b| b.high).fold(f64::MIN, f64::max);
        let low = of_day.iter().map(|b| b.low).fold(f64::MAX, f64::min);
        Some((
            Bar { open: of_day[0].open, high, low, close: of_day[of_day.len() - 1].close, ..*of_day[0] },
            bars[start].open,
        ))
    };
    let days: Vec<Option<(Bar, f64)>> = (0..bars.len()).map(before).collect();
    let pivots = |of: &dyn Fn(&Bar, f64) -> f64| {
        days.iter().map(|d| d.as_ref().map(|(d, open)| of(d, *open))).collect::<Series>()
    };
    let p = |d: &Bar| (d.high + d.low + d.close) / 3.0;
    check.is("pivot", &pivots(&|d, _| p(d)));
    check.is("pivot_classic_r1", &pivots(&|d, _| 2.0 * p(d) - d.low));
    check.is("pivot_classic_s3", &pivots(&|d, _| d.low - 2.0 * (d.high - p(d))));
    check.is("pivot_fibonacci_s2", &pivots(&|d, _| p(d) - 0.618 * (d.high - d.low)));
    check.is("pivot_woodie_r1", &pivots(&|d, open| (d.high + d.low + 2.0 * open) / 2.0 - d.low));
    check.is("pivot_camarilla_r3", &pivots(&|d, _| d.close + 1.1 * (d.high - d.low) / 4.0));
    check.is(
        "pivot_demark_s1",
        &pivots(&|d, _| {
            let x = if d.close < d.open {
                d.high + 2.0 * d.low + d.close
            } else if d.close > d.open {
                2.0 * d.high + d.low + d.close
            } else {
                d.high + d.low + 2.0 * d.close
            };
            x / 2.0 - d.high
        }),
    );
    let (high, low, close) =
        (check.market.high.clone(), check.market.low.clone(), check.market.close.clone());
    let swing = |xs: &Series, sign: f64, side: usize| {
        rolling(xs, 2 * side + 1, |w| {
            let mid = sign * w[side];
            let ok =
                w[..side].iter().all(|x| sign * x < mid) && w[side + 1..].iter().all(|x| sign * x <= mid);
            Some(if ok { w[side] } else { f64::NAN })
        })
    };
    let held = |found: &Series| {
        let mut last = None;
        found
            .iter()
            .map(|x| {
                if let Some(x) = x {
                    if !x.is_nan() {
                        last = Some(*x);
                    }
                }
                last
            })
            .collect::<Series>()
    };
    let (tops, bottoms) = (swing(&high, 1.0, 2), swing(&low, -1.0, 2));
    check.is("swings_2_2_high", &held(&tops));
    check.is("swings_2_2_low", &held(&bottoms));
    let age = |found: &Series| {
        let mut since = None;
        found
            .iter()
            .map(|x| {
                since = if x.is_some_and(|x| !x.is_nan()) { Some(0.0) } else { since.map(|s| s + 1.0) };
                since
            })
            .collect::<Series>()
    };
    check.is("swings_2_2_high_age", &age(&tops));
    check.is(
        "swings_2_2_direction",
        &zip(&age(&tops), &age(&bottoms), |h, l| if h <= l { 1.0 } else { -1.0 }),
    );
    let (resistance, support) = (held(&swing(&high, 1.0, 6)), held(&swing(&low, -1.0, 6)));
    check.is("support_resistance_6_6_support", &support);
    check.is("support_resistance_6_6_resistance", &resistance);
    let levels = zip(&resistance, &support, |r, _| r);
    let breaks = (0..bars.len())
        .map(|i| {
            let (r, s, now, before) = (levels[i]?, support[i]?, close[i]?, close[i - 1]?);
            Some(f64::from(i8::from(before <= r && now > r) - i8::from(before >= s && now < s)))
        })
        .collect();
    check.is("support_resistance_6_6_break", &breaks);
    let (top, bottom) = (lag(&rolling(&high, 20, max), 1), lag(&rolling(&low, 20, min), 1));
    check.is(
        "breakout_20",
        &zip(
            &zip(&close, &top, |c, t| f64::from(u8::from(c > t))),
            &zip(&close, &bottom, |c, b| f64::from(u8::from(c < b))),
            |u, d| u - d,
        ),
    );
    check.is("breakout_20_u", &top);
    check.is("breakout_20_l", &bottom);
    let brick = check.market.closes[0] * 0.004;
    let (mut edge, mut direction, anchor) = (0_i64, 0_i64, check.market.closes[0]);
    let renko: Vec<(f64, f64, f64)> = check
        .market
        .closes
        .iter()
        .map(|x| {
            let mut drawn = 0.0;
            loop {
                let reach = |bricks: i64| (x - anchor) / brick - bricks as f64;
                if reach(edge + 1 + i64::from(direction < 0)) >= 0.0 {
                    edge += 1 + i64::from(direction < 0);
                    direction = 1;
                } else if reach(edge - 1 - i64::from(direction > 0)) <= 0.0 {
                    edge -= 1 + i64::from(direction > 0);
                    direction = -1;
                } else {
                    break;
                }
                drawn += 1.0;
            }
            (anchor + edge as f64 * brick, direction as f64, drawn)
        })
        .collect();
    let seen = |of: fn(&(f64, f64, f64)) -> f64| {
        renko.iter().map(|r| (r.1 != 0.0).then(|| of(r))).collect::<Series>()
    };
    check.is(&format!("renko_{brick}"), &seen(|r| r.0));
    check.is(&format!("renko_{brick}_direction"), &seen(|r| r.1));
    check.is(&format!("renko_{brick}_drawn"), &seen(|r| r.2));
    let crossed = |a: &Series, b: &Series| {
        let sides = zip(a, b, |a, b| {
            if a > b {
                1.0
            } else if a < b {
                -1.0
            } else {
                0.0
            }
        });
        let mut before = 0.0;
        sides
            .iter()
            .map(|s| {
                s.map(|s| {
                    let hit = if s * before < 0.0 { s } else { 0.0 };
                    if s != 0.0 {
                        before = s;
                    }
                    hit
                })
            })
            .collect::<Series>()
    };
    check.is("cross(close,open)", &crossed(&close, &check.market.open.clone()));
    check.is("ma_cross_9_21_sma", &crossed(&sma(&close, 9), &sma(&close, 21)));
    check.is(
        "ma_cross_9_21_wma_side",
        &zip(&wma(&close, 9), &wma(&close, 21), |a, b| if a > b { 1.0 } else { -1.0 }),
    );
    let mut ashi: Vec<(f64, f64)> = Vec::new();
    for b in &bars {
        let open = ashi.last().map_or((b.open + b.close) / 2.0, |(o, c)| (o + c) / 2.0);
        ashi.push((open, (b.open + b.high + b.low + b.close) / 4.0));
    }
    check.is("heikin_ashi_open", &ashi.iter().map(|a| Some(a.0)).collect());
    check.is("heikin_ashi_low", &bars.iter().zip(&ashi).map(|(b, a)| min(&[b.low, a.0, a.1])).collect());
}

fn features(check: &mut Check<'_>) {
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
    let pairs = |n: usize, a: &Series, b: &Series, of: &dyn Fn(&[f64], &[f64]) -> Option<f64>| {
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

/// Names of other packages whose indicator is spelt differently here, or is an output, or no indicator.
const ELSEWHERE: &[(&str, &str)] = &[
    ("dm", "plus_dm"),
    ("rvi", "rvi_volatility"),
    ("bb", "bb"),
    ("swings", "swings"),
    ("fuzzy-candles", "fuzzy_candle"),
    ("keltner-position", "keltner_position"),
    ("vertical-ratio", "volatility_ratio"),
    ("efficiency-ratio", "er"),
    // Fed with books, not with candles: `strategies::indicators::micro`.
    ("spread-analyzer", ""),
    ("book-imbalance", ""),
];

#[test]
fn nobody_who_comes_from_another_package_misses_a_name() {
    let listed = text("indicator-names.md");
    let mut missing = Vec::new();
    let mut count = 0;
    for line in listed.lines().filter(|line| line.starts_with("**")) {
        let (_, names) = line.split_once(":**").unwrap();
        for name in names.split([' ', '|']).filter(|name| !name.is_empty()) {
            count += 1;
            let here = ELSEWHERE.iter().find(|(there, _)| *there == name).map_or(name, |(_, here)| here);
            if !here.is_empty() && strategies::indicators::Request::parse(here).is_err() {
                missing.push(name.to_owned());
            }
        }
    }
    assert!(count > 200 && missing.is_empty(), "of {count}: {missing:?}");
}
