//! Ehlers' filters: recursive, with coefficients from a cut-off period.

use core::f64::consts::PI;

use crate::indicators::answer::indicators;
use crate::indicators::blocks::{Mean, Ring, state};
use crate::indicators::registry::{Cost, Entry, Param, on_value, out, real, whole};

state! {
    /// y = Σ b[i] x[i] + Σ a[j] y[j+1], with up to three terms each.
    #[derive(Debug)]
    pub struct Recursive {
        b: [f64; 3],
        a: [f64; 3],
        x: [f64; 3],
        y: [f64; 3],
        /// Values that pass through unchanged (or as 0) before the filter starts.
        start: usize,
        /// Is the start the value itself, or 0?
        follows: bool,
    }
}

impl Recursive {
    fn new(b: [f64; 3], a: [f64; 3], start: usize, follows: bool) -> Self {
        Self { b, a, x: [0.0; 3], y: [0.0; 3], start, follows }
    }

    /// Two-pole super smoother.
    #[must_use]
    pub fn super_smoother(n: f64) -> Self {
        let decay = libm::exp(-core::f64::consts::SQRT_2 * PI / n);
        let turn = 2.0 * decay * libm::cos(core::f64::consts::SQRT_2 * PI / n);
        let gain = (1.0 - turn + decay * decay) / 2.0;
        Self::new([gain, gain, 0.0], [turn, -decay * decay, 0.0], 2, true)
    }

    /// Three-pole super smoother.
    #[must_use]
    pub fn super_smoother_3(n: f64) -> Self {
        let decay = libm::exp(-PI / n);
        let turn = 2.0 * decay * libm::cos(1.738 * PI / n);
        let square = decay * decay;
        let a = [turn + square, -(square + turn * square), square * square];
        Self::new([1.0 - a[0] - a[1] - a[2], 0.0, 0.0], a, 3, true)
    }

    /// One-pole high-pass.
    #[must_use]
    pub fn high_pass(n: f64) -> Self {
        let alpha = high_pass_alpha(2.0 * PI / n);
        let gain = 1.0 - alpha / 2.0;
        Self::new([gain, -gain, 0.0], [1.0 - alpha, 0.0, 0.0], 1, false)
    }

    /// Two-pole high-pass.
    #[must_use]
    pub fn high_pass_2(n: f64) -> Self {
        let alpha = high_pass_alpha(core::f64::consts::SQRT_2 * PI / n);
        let gain = (1.0 - alpha / 2.0) * (1.0 - alpha / 2.0);
        let keep = 1.0 - alpha;
        Self::new([gain, -2.0 * gain, gain], [2.0 * keep, -keep * keep, 0.0], 2, false)
    }

    /// Resonant at the period, `width` of it wide.
    #[must_use]
    pub fn band_pass(n: f64, width: f64) -> Self {
        let middle = libm::cos(2.0 * PI / n);
        let gamma = 1.0 / libm::cos(2.0 * PI * width / n);
        let alpha = gamma - (gamma * gamma - 1.0).sqrt();
        let gain = 0.5 * (1.0 - alpha);
        Self::new([gain, 0.0, -gain], [middle * (1.0 + alpha), -alpha, 0.0], 2, false)
    }

    /// Adds `x`.
    #[inline]
    pub fn push(&mut self, x: f64) -> f64 {
        let [b0, b1, b2] = self.b;
        let [a1, a2, a3] = self.a;
        let [x1, x2, _] = self.x;
        let [y1, y2, y3] = self.y;
        let y = if self.start > 0 {
            self.start -= 1;
            if self.follows { x } else { 0.0 }
        } else {
            b0 * x + b1 * x1 + b2 * x2 + a1 * y1 + a2 * y2 + a3 * y3
        };
        (self.x, self.y) = ([x, x1, x2], [y, y1, y2]);
        y
    }
}

fn high_pass_alpha(angle: f64) -> f64 {
    (libm::cos(angle) + libm::sin(angle) - 1.0) / libm::cos(angle)
}

state! {
    /// Up to four exponential averages in a row: a Gaussian in the limit.
    #[derive(Debug)]
    struct Gauss {
        poles: usize,
        alpha: f64,
        stages: [Option<f64>; 4],
    }
}

impl Gauss {
    fn new(n: usize, poles: usize) -> Self {
        let beta = (1.0 - libm::cos(2.0 * PI / n as f64)) / (libm::pow(2.0, 1.0 / poles as f64) - 1.0);
        Self { poles, alpha: -beta + (beta * beta + 2.0 * beta).sqrt(), stages: [None; 4] }
    }

    #[inline]
    fn push(&mut self, x: f64) -> f64 {
        let mut last = x;
        for stage in &mut self.stages[..self.poles] {
            let before = stage.unwrap_or(last);
            last = (last - before).mul_add(self.alpha, before);
            *stage = Some(last);
        }
        last
    }
}

state! {
    /// What a two-pole high-pass leaves: the trend; and the oscillation of it in percent.
    #[derive(Debug)]
    struct Decycler {
        high_pass: Recursive,
        half: Recursive,
    }
}

impl Decycler {
    #[inline]
    fn push(&mut self, x: f64) -> [f64; 2] {
        let trend = x - self.high_pass.push(x);
        [trend, 100.0 * self.half.push(trend) / x]
    }
}

state! {
    /// High-pass, then super smoother.
    #[derive(Debug)]
    struct Roofing {
        high_pass: Recursive,
        smoother: Recursive,
    }
}

impl Roofing {
    #[inline]
    fn push(&mut self, x: f64) -> f64 {
        let passed = self.high_pass.push(x);
        self.smoother.push(passed)
    }
}

state! {
    /// Band-pass behind a high-pass, and the same in units of its decaying peak.
    #[derive(Debug)]
    struct BandPass {
        high_pass: Recursive,
        band: Recursive,
        peak: f64,
    }
}

impl BandPass {
    #[inline]
    fn push(&mut self, x: f64) -> [f64; 2] {
        let band = self.band.push(self.high_pass.push(x));
        self.peak = (0.991 * self.peak).max(band.abs());
        [band, if self.peak > 0.0 { band / self.peak } else { 0.0 }]
    }
}

state! {
    /// Ehlers' reflex and trendflex: how far the smoothed value lies from its past, in root mean squares.
    #[derive(Debug)]
    struct Flex {
        smoother: Recursive,
        past: Ring,
        /// 1 takes the slope of the window out (reflex), 0 leaves it in (trendflex).
        straighten: f64,
        square: f64,
    }
}

impl Flex {
    fn new(n: usize, straighten: f64) -> Self {
        Self {
            smoother: Recursive::super_smoother(n as f64 / 2.0),
            past: Ring::new(n + 1),
            straighten,
            square: 0.0,
        }
    }

    #[inline]
    fn push(&mut self, x: f64) -> Option<f64> {
        let now = self.smoother.push(x);
        self.past.push(now);
        if !self.past.is_full() {
            return None;
        }
        let n = (self.past.len() - 1) as f64;
        let slope = self.straighten * (self.past.get(self.past.len() - 1)? - now) / n;
        let sum: f64 =
            self.past.iter().rev().skip(1).zip(1..).map(|(y, age)| now + f64::from(age) * slope - y).sum();
        let mean = sum / n;
        self.square = 0.04 * mean * mean + 0.96 * self.square;
        Some(if self.square > 0.0 { mean / self.square.sqrt() } else { 0.0 })
    }
}

state! {
    /// Ehlers' instantaneous trend line and its trigger.
    #[derive(Debug)]
    struct InstantTrend {
        alpha: f64,
        x: Ring,
        y: Ring,
        seen: usize,
    }
}

impl InstantTrend {
    #[inline]
    fn push(&mut self, x: f64) -> Option<[f64; 2]> {
        self.x.push(x);
        self.seen = (self.seen + 1).min(8);
        let (x1, x2) = (self.x.get(1)?, self.x.get(2)?);
        let a = self.alpha;
        let y = match (self.y.get(0), self.y.get(1)) {
            (Some(y1), Some(y2)) if self.seen > 7 => {
                (a - a * a / 4.0) * x + 0.5 * a * a * x1 - (a - 0.75 * a * a) * x2 + 2.0 * (1.0 - a) * y1
                    - (1.0 - a) * (1.0 - a) * y2
            }
            _ => (x + 2.0 * x1 + x2) / 4.0,
        };
        self.y.push(y);
        Some([y, 2.0 * y - self.y.get(2)?])
    }
}

state! {
    /// Ehlers' Voss predictor and the band-pass it predicts.
    #[derive(Debug)]
    struct Voss {
        band: Recursive,
        past: Ring,
    }
}

impl Voss {
    #[inline]
    fn push(&mut self, x: f64) -> [f64; 2] {
        let band = self.band.push(x);
        let order = self.past.capacity();
        let sum: f64 = (0..order)
            .map(|i| (i + 1) as f64 / order as f64 * self.past.get(order - i - 1).unwrap_or(0.0))
            .sum();
        let voss = (3.0 + order as f64) / 2.0 * band - sum;
        self.past.push(voss);
        [voss, band]
    }
}

state! {
    /// Ehlers' empirical mode decomposition: the mean of the band-pass between the means of its peaks and
    /// valleys.
    #[derive(Debug)]
    struct ModeDecomposition {
        band: Recursive,
        last: [f64; 2],
        peak: f64,
        valley: f64,
        mean: Mean,
        peaks: Mean,
        valleys: Mean,
        fraction: f64,
    }
}

impl ModeDecomposition {
    #[inline]
    fn push(&mut self, x: f64) -> Option<[f64; 3]> {
        let band = self.band.push(x);
        let [one, two] = self.last;
        self.last = [band, one];
        if one > band && one > two {
            self.peak = one;
        }
        if one < band && one < two {
            self.valley = one;
        }
        let mean = self.mean.push(band);
        let (peaks, valleys) = (self.peaks.push(self.peak), self.valleys.push(self.valley));
        Some([self.fraction * peaks?, mean?, self.fraction * valleys?])
    }
}

state! {
    /// Ehlers' correlation cycle: correlation with a cosine and a sine of the period, their angle, and the
    /// state: 1 or -1 in a trend, 0 in a cycle.
    #[derive(Debug)]
    struct CorrelationCycle {
        window: Ring,
        /// (cosine, negative sine) by age, less their means.
        waves: Box<[(f64, f64)]>,
        squares: (f64, f64),
        angle: f64,
    }
}

impl CorrelationCycle {
    fn new(n: usize) -> Self {
        let raw: Vec<(f64, f64)> = (0..n)
            .map(|i| {
                let (sin, cos) = libm::sincos(2.0 * PI * i as f64 / n as f64);
                (cos, -sin)
            })
            .collect();
        let count = n as f64;
        let mean =
            (raw.iter().map(|w| w.0).sum::<f64>() / count, raw.iter().map(|w| w.1).sum::<f64>() / count);
        let waves: Box<[(f64, f64)]> = raw.iter().map(|w| (w.0 - mean.0, w.1 - mean.1)).collect();
        let squares = (waves.iter().map(|w| w.0 * w.0).sum(), waves.iter().map(|w| w.1 * w.1).sum());
        Self { window: Ring::new(n), waves, squares, angle: 0.0 }
    }

    #[inline]
    fn push(&mut self, x: f64) -> Option<[f64; 4]> {
        self.window.push(x);
        if !self.window.is_full() {
            return None;
        }
        let mean = self.window.held().iter().sum::<f64>() / self.window.len() as f64;
        let (mut square, mut with_cos, mut with_sin) = (0.0, 0.0, 0.0);
        for (x, (cos, sin)) in self.window.iter().rev().zip(&self.waves) {
            let distance = x - mean;
            square += distance * distance;
            with_cos += distance * cos;
            with_sin += distance * sin;
        }
        let correlation =
            |with: f64, wave: f64| if square * wave > 0.0 { with / (square * wave).sqrt() } else { 0.0 };
        let (real, imaginary) =
            (correlation(with_cos, self.squares.0), correlation(with_sin, self.squares.1));
        let mut angle = if imaginary == 0.0 { 0.0 } else { 90.0 + libm::atan(real / imaginary).to_degrees() };
        if imaginary > 0.0 {
            angle -= 180.0;
        }
        let before = self.angle;
        if before > angle && before - angle < 270.0 {
            angle = before;
        }
        self.angle = angle;
        let state = if (angle - before).abs() >= 9.0 {
            0.0
        } else if angle < 0.0 {
            -1.0
        } else {
            1.0
        };
        Some([real, imaginary, angle, state])
    }
}

indicators!(f64: Recursive => 1, Gauss => 1, Decycler => 2, Roofing => 1, BandPass => 2, Flex => 1, InstantTrend => 2, Voss => 2, ModeDecomposition => 3, CorrelationCycle => 4);

/// A cut-off period; below 4 the coefficients have no meaning.
const fn period(default: u32) -> Param {
    whole("n", default, 5, 10_000)
}

pub(crate) const TABLE: &[Entry] = &[
    Entry::of_value(
        "supersmoother",
        "Ehlers' super smoother, two poles",
        "y = c1 (x + x[1])/2 + c2 y[1] + c3 y[2], a = exp(-√2 π/n)",
        &[period(14)],
        |a, s| on_value(Recursive::super_smoother(a.real(0)), s),
    ),
    Entry::of_value(
        "supersmoother_3_pole",
        "Ehlers' super smoother, three poles",
        "a = exp(-π/n), b = 2a cos(1.738 π/n)",
        &[period(14)],
        |a, s| on_value(Recursive::super_smoother_3(a.real(0)), s),
    ),
    Entry::of_value(
        "high_pass",
        "High-pass filter, one pole",
        "y = (1 - α/2)(x - x[1]) + (1 - α) y[1]; starts at 0",
        &[period(48)],
        |a, s| on_value(Recursive::high_pass(a.real(0)), s),
    ),
    Entry::of_value(
        "high_pass_2_pole",
        "High-pass filter, two poles",
        "y = (1 - α/2)² (x - 2x[1] + x[2]) + 2(1 - α) y[1] - (1 - α)² y[2]; starts at 0",
        &[period(48)],
        |a, s| on_value(Recursive::high_pass_2(a.real(0)), s),
    ),
    Entry::of_value(
        "gauss",
        "Gaussian filter",
        "`poles` averages in a row, β = (1 - cos(2π/n))/(2^(1/poles) - 1), α = -β + √(β² + 2β)",
        &[period(14), whole("poles", 4, 1, 4)],
        |a, s| on_value(Gauss::new(a.whole(0), a.whole(1)), s),
    ),
    Entry::of_value(
        "decycler",
        "Ehlers' decycler and its oscillator",
        "x - two-pole high-pass(n); 100 high-pass(n/2) of it / x",
        &[whole("n", 125, 10, 10_000)],
        |a, s| {
            let n = a.real(0);
            on_value(
                Decycler { high_pass: Recursive::high_pass_2(n), half: Recursive::high_pass_2(n / 2.0) },
                s,
            )
        },
    )
    .outputs(&[out(""), out("osc")])
    .also(&["dec_osc"]),
    Entry::of_value(
        "roofing",
        "Ehlers' roofing filter",
        "super smoother of the two-pole high-pass",
        &[whole("high", 48, 5, 10_000), whole("low", 10, 5, 10_000)],
        |a, s| {
            on_value(
                Roofing {
                    high_pass: Recursive::high_pass_2(a.real(0)),
                    smoother: Recursive::super_smoother(a.real(1)),
                },
                s,
            )
        },
    ),
    Entry::of_value(
        "bandpass",
        "Ehlers' band-pass, and the same over its decaying peak",
        "resonant at n behind a high-pass of 4n/width",
        &[whole("n", 20, 5, 10_000), real("width", 0.3, 0.01, 1.0)],
        |a, s| {
            let (n, width) = (a.real(0), a.real(1));
            on_value(
                BandPass {
                    high_pass: Recursive::high_pass(4.0 * n / width),
                    band: Recursive::band_pass(n, width),
                    peak: 0.0,
                },
                s,
            )
        },
    )
    .outputs(&[out(""), out("normalised")]),
    Entry::of_value(
        "reflex",
        "Ehlers' reflex",
        "mean of f + i slope - f[i] over its root mean square, f the super smoother of n/2",
        &[whole("n", 20, 10, 1_000)],
        |a, s| on_value(Flex::new(a.whole(0), 1.0), s),
    )
    .cost(Cost::Window),
    Entry::of_value(
        "trendflex",
        "Ehlers' trendflex",
        "mean of f - f[i] over its root mean square",
        &[whole("n", 20, 10, 1_000)],
        |a, s| on_value(Flex::new(a.whole(0), 0.0), s),
    )
    .cost(Cost::Window),
    Entry::of_value(
        "itrend",
        "Ehlers' instantaneous trend line and its trigger",
        "second-order recursion by α; (x + 2x[1] + x[2])/4 for the first seven",
        &[real("alpha", 0.07, 0.001, 1.0)],
        |a, s| on_value(InstantTrend { alpha: a.real(0), x: Ring::new(3), y: Ring::new(3), seen: 0 }, s),
    )
    .outputs(&[out(""), out("trigger")]),
    Entry::of_value(
        "voss",
        "Ehlers' Voss predictor and its band-pass",
        "(3 + order)/2 · filter - Σ weighted past outputs, order = 3 predict",
        &[whole("n", 20, 5, 10_000), whole("predict", 3, 1, 100), real("width", 0.25, 0.01, 1.0)],
        |a, s| {
            on_value(
                Voss { band: Recursive::band_pass(a.real(0), a.real(2)), past: Ring::new(3 * a.whole(1)) },
                s,
            )
        },
    )
    .outputs(&[out(""), out("filter")])
    .cost(Cost::Window),
    Entry::of_value(
        "emd",
        "Ehlers' empirical mode decomposition",
        "mean of the band-pass over 2n; fraction of the means of 50 peaks and valleys",
        &[whole("n", 20, 5, 5_000), real("width", 0.5, 0.01, 1.0), real("fraction", 0.1, 0.0, 10.0)],
        |a, s| {
            on_value(
                ModeDecomposition {
                    band: Recursive::band_pass(a.real(0), a.real(1)),
                    last: [0.0; 2],
                    peak: 0.0,
                    valley: 0.0,
                    mean: Mean::new(2 * a.whole(0)),
                    peaks: Mean::new(50),
                    valleys: Mean::new(50),
                    fraction: a.real(2),
                },
                s,
            )
        },
    )
    .outputs(&[out("u"), out("m"), out("l")]),
    Entry::of_value(
        "correlation_cycle",
        "Ehlers' correlation cycle",
        "correlation with cosine and sine of the period; angle; state: ±1 when the angle moves less than 9°",
        &[whole("n", 20, 5, 1_000)],
        |a, s| on_value(CorrelationCycle::new(a.whole(0)), s),
    )
    .outputs(&[out("real"), out("imaginary"), out("angle"), out("state")])
    .cost(Cost::Window),
];
