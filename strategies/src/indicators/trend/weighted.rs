//! Averages with fixed weights over a window, and a few whose weights follow the values.

use crate::indicators::answer::indicators;
use crate::indicators::blocks::{Delay, Ring, Wma, state};
use crate::indicators::registry::{Cost, Entry, Param, length, length_from_2, on_value, out, real, whole};

state! {
    /// A mean with fixed weights, the first of which belongs to the newest value.
    #[derive(Debug)]
    pub struct Weighted {
        window: Ring,
        weights: Box<[f64]>,
        total: f64,
    }
}

impl Weighted {
    /// With these weights, newest first. Panics without any.
    #[must_use]
    pub fn new(weights: Vec<f64>) -> Self {
        Self { window: Ring::new(weights.len()), total: weights.iter().sum(), weights: weights.into() }
    }

    fn of(n: usize, weight: impl Fn(f64) -> f64) -> Self {
        // Position n is the newest value's, 1 the oldest's.
        Self::new((1..=n).rev().map(|position| weight(position as f64)).collect())
    }

    /// Adds `x`; undefined where the weights sum to 0.
    #[inline]
    pub fn push(&mut self, x: f64) -> Option<f64> {
        self.window.push(x);
        if !self.window.is_full() {
            return None;
        }
        let newest_first = self.window.iter().rev();
        Some(newest_first.zip(&self.weights).map(|(x, weight)| x * weight).sum::<f64>() / self.total)
    }
}

/// Fibonacci's numbers; beyond the 70th the ratio is the golden one to the last digit of a float.
fn fibonacci(n: usize) -> Vec<f64> {
    let mut weights = vec![1.0, 1.0];
    while weights.len() < n {
        let last = weights.len();
        weights.push(weights[last - 1] + weights[last - 2]);
    }
    weights.truncate(n);
    weights.reverse();
    weights
}

/// A row of Pascal's triangle.
fn pascal(n: usize) -> Vec<f64> {
    let mut row = vec![1.0];
    for k in 1..n {
        row.push(row[k - 1] * (n - k) as f64 / k as f64);
    }
    row
}

fn symmetric(n: usize) -> Vec<f64> {
    (0..n).map(|i| (i + 1).min(n - i) as f64).collect()
}

state! {
    /// (x + x[n]) / 2.
    #[derive(Debug)]
    struct Jsa {
        delay: Delay,
    }
}

impl Jsa {
    #[inline]
    fn push(&mut self, x: f64) -> Option<f64> {
        Some((x + self.delay.push(x)?) / 2.0)
    }
}

state! {
    /// Ehlers' distance coefficient filter: a value weighs by how far it is from the n before it.
    #[derive(Debug)]
    struct DistanceCoefficient {
        window: Ring,
        n: usize,
    }
}

impl DistanceCoefficient {
    #[inline]
    fn push(&mut self, x: f64) -> Option<f64> {
        self.window.push(x);
        if !self.window.is_full() {
            return None;
        }
        let (mut sum, mut total) = (0.0, 0.0);
        for age in 0..self.n {
            let own = self.window.get(age)?;
            let mut distance = 0.0;
            for k in 1..self.n {
                let far = own - self.window.get(age + k)?;
                distance += far * far;
            }
            sum += distance * own;
            total += distance;
        }
        Some(if total > 0.0 { sum / total } else { x })
    }
}

state! {
    /// Sloman's natural moving average: between the last two values, by how much of the log travel was
    /// recent.
    #[derive(Debug)]
    struct Natural {
        logs: Ring,
        last: f64,
    }
}

impl Natural {
    #[inline]
    fn push(&mut self, x: f64) -> Option<f64> {
        let before = std::mem::replace(&mut self.last, x);
        let log = libm::log(x);
        if !log.is_finite() {
            return None;
        }
        self.logs.push(log);
        if !self.logs.is_full() {
            return None;
        }
        let (mut sum, mut total) = (0.0, 0.0);
        for age in 0..self.logs.len() - 1 {
            let travel = (self.logs.get(age)? - self.logs.get(age + 1)?).abs();
            sum += travel * (((age + 1) as f64).sqrt() - (age as f64).sqrt());
            total += travel;
        }
        let share = if total > 0.0 { sum / total } else { 0.0 };
        Some(x * share + before * (1.0 - share))
    }
}

state! {
    /// Ehlers' predictive average: twice the weighted mean less the weighted mean of it, and its trigger.
    #[derive(Debug)]
    struct Predictive {
        first: Wma,
        second: Wma,
        trigger: Wma,
    }
}

impl Predictive {
    #[inline]
    fn push(&mut self, x: f64) -> Option<[f64; 2]> {
        let first = self.first.push(x)?;
        let predict = 2.0 * first - self.second.push(first)?;
        Some([predict, self.trigger.push(predict)?])
    }
}

state! {
    /// Holt and Winters: level, slope and curvature, each smoothed.
    #[derive(Debug)]
    struct HoltWinters {
        level: Option<f64>,
        slope: f64,
        curve: f64,
        rates: [f64; 3],
    }
}

impl HoltWinters {
    #[inline]
    fn push(&mut self, x: f64) -> f64 {
        let [a, b, c] = self.rates;
        let before = self.level.unwrap_or(x);
        let level = (1.0 - a) * (before + self.slope + 0.5 * self.curve) + a * x;
        let slope = (1.0 - b) * (self.slope + self.curve) + b * (level - before);
        self.curve = (1.0 - c) * self.curve + c * (slope - self.slope);
        (self.level, self.slope) = (Some(level), slope);
        level + slope + 0.5 * self.curve
    }
}

state! {
    /// An exponential average of any factor, from the first value on.
    #[derive(Debug)]
    struct Factor {
        average: Option<f64>,
        k: f64,
    }
}

impl Factor {
    #[inline]
    fn push(&mut self, x: f64) -> f64 {
        let before = self.average.unwrap_or(x);
        let now = (x - before).mul_add(self.k, before);
        self.average = Some(now);
        now
    }
}

indicators!(f64: Weighted => 1, Jsa => 1, DistanceCoefficient => 1, Natural => 1, Predictive => 2, HoltWinters => 1, Factor => 1);

/// Windows of weights grow fast beyond this.
const SHORT: Param = whole("n", 5, 1, 1_000);

pub(crate) const TABLE: &[Entry] = &[
    Entry::of_value(
        "cwma",
        "Cubed weighted average",
        "weights i³, the newest n³",
        &[length(14)],
        |a, s| on_value(Weighted::of(a.whole(0), |i| i * i * i), s),
    )
    .cost(Cost::Window),
    Entry::of_value("sqwma", "Square weighted average", "weights i²", &[length(14)], |a, s| {
        on_value(Weighted::of(a.whole(0), |i| i * i), s)
    })
    .cost(Cost::Window),
    Entry::of_value("srwma", "Square root weighted average", "weights √i", &[length(14)], |a, s| {
        on_value(Weighted::of(a.whole(0), f64::sqrt), s)
    })
    .cost(Cost::Window),
    Entry::of_value(
        "vpwma",
        "Variable power weighted average",
        "weights i^power",
        &[length(14), real("power", 0.382, 0.0, 10.0)],
        |a, s| {
            let power = a.real(1);
            on_value(Weighted::of(a.whole(0), |i| libm::pow(i, power)), s)
        },
    )
    .cost(Cost::Window),
    Entry::of_value("sinwma", "Sine weighted average", "weights sin(π i/(n + 1))", &[length(14)], |a, s| {
        let n = a.whole(0) as f64;
        on_value(Weighted::of(a.whole(0), |i| libm::sin(core::f64::consts::PI * i / (n + 1.0))), s)
    })
    .cost(Cost::Window),
    Entry::of_value(
        "fwma",
        "Fibonacci weighted average",
        "Fibonacci's numbers, the newest the largest",
        &[SHORT],
        |a, s| on_value(Weighted::new(fibonacci(a.whole(0))), s),
    )
    .cost(Cost::Window),
    Entry::of_value("pwma", "Pascal weighted average", "a row of Pascal's triangle", &[SHORT], |a, s| {
        on_value(Weighted::new(pascal(a.whole(0))), s)
    })
    .cost(Cost::Window),
    Entry::of_value(
        "swma",
        "Symmetric weighted average",
        "weights 1, 2, … up to the middle and down again",
        &[length(5)],
        |a, s| on_value(Weighted::new(symmetric(a.whole(0))), s),
    )
    .cost(Cost::Window),
    Entry::of_value(
        "epma",
        "End point average",
        "weights n - i - offset, i = 0 the newest",
        &[length_from_2(11), whole("offset", 4, 0, 10_000)],
        |a, s| {
            let (n, offset) = (a.whole(0), a.real(1));
            on_value(Weighted::new((0..n).map(|i| (n - i) as f64 - offset).collect()), s)
        },
    )
    .cost(Cost::Window),
    Entry::of_value("jsa", "JSA average", "(x + x[n])/2", &[length(30)], |a, s| {
        on_value(Jsa { delay: Delay::new(a.whole(0)) }, s)
    }),
    Entry::of_value(
        "edcf",
        "Ehlers' distance coefficient filter",
        "weights Σ (x[i] - x[i+k])², k = 1..n-1",
        &[whole("n", 15, 2, 200)],
        |a, s| on_value(DistanceCoefficient { window: Ring::new(2 * a.whole(0) - 1), n: a.whole(0) }, s),
    )
    .cost(Cost::Window),
    Entry::of_value(
        "nma",
        "Sloman's natural moving average",
        "x r + x[1] (1 - r), r = Σ |Δ ln| (√(i+1) - √i)/Σ |Δ ln|",
        &[length(40)],
        |a, s| on_value(Natural { logs: Ring::new(a.whole(0) + 1), last: 0.0 }, s),
    )
    .cost(Cost::Window),
    Entry::of_value(
        "pma",
        "Ehlers' predictive average and its trigger",
        "2 wma7 - wma7(wma7); wma4 of it",
        &[],
        |_, s| on_value(Predictive { first: Wma::new(7), second: Wma::new(7), trigger: Wma::new(4) }, s),
    )
    .outputs(&[out(""), out("trigger")]),
    Entry::of_value(
        "hwma",
        "Holt-Winters average",
        "level, slope and curvature smoothed by a, b, c; level + slope + ½ curvature",
        &[real("a", 0.2, 0.0, 1.0), real("b", 0.1, 0.0, 1.0), real("c", 0.1, 0.0, 1.0)],
        |a, s| {
            on_value(
                HoltWinters { level: None, slope: 0.0, curve: 0.0, rates: [a.real(0), a.real(1), a.real(2)] },
                s,
            )
        },
    ),
    Entry::of_value(
        "mwdx",
        "Exponential average of any factor",
        "y += factor (x - y), from the first value",
        &[real("factor", 0.2, 0.0, 1.0)],
        |a, s| on_value(Factor { average: None, k: a.real(0) }, s),
    ),
];
