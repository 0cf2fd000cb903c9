//! Averages that adapt, and pictures made of several averages.

use crate::indicators::answer::indicators;
use crate::indicators::bar::Bar;
use crate::indicators::blocks::{Average, Delay, Ema, Mean, Moments, Wilder, Wma, state};
use crate::indicators::registry::{Entry, choice, fast_below_slow, on_candle, on_value, out, real, whole};
use crate::indicators::trend::{Hma, LinearRegression};

state! {
    /// Jurik's average as it is published by others.
    #[derive(Debug)]
    struct Jurik {
        phase: f64,
        beta: f64,
        alpha: f64,
        e0: f64,
        e1: f64,
        e2: f64,
        out: f64,
    }
}

impl Jurik {
    fn new(n: usize, phase: f64, power: f64) -> Self {
        let lag = 0.45 * (n as f64 - 1.0);
        let beta = lag / (lag + 2.0);
        Self {
            phase: (phase / 100.0 + 1.5).clamp(0.5, 2.5),
            beta,
            alpha: libm::pow(beta, power),
            e0: 0.0,
            e1: 0.0,
            e2: 0.0,
            out: 0.0,
        }
    }

    #[inline]
    fn push(&mut self, x: f64) -> f64 {
        let (a, b) = (self.alpha, self.beta);
        self.e0 = (1.0 - a) * x + a * self.e0;
        self.e1 = (x - self.e0) * (1.0 - b) + b * self.e1;
        self.e2 = (self.e0 + self.phase * self.e1 - self.out) * (1.0 - a) * (1.0 - a) + a * a * self.e2;
        self.out += self.e2;
        self.out
    }
}

state! {
    /// Arms' variable-length average: longer while the price is near its mean, shorter when it is far.
    #[derive(Debug)]
    struct VariableLength {
        moments: Moments,
        length: f64,
        shortest: f64,
        longest: f64,
        average: f64,
    }
}

impl VariableLength {
    #[inline]
    fn push(&mut self, x: f64) -> Option<f64> {
        let Some((mean, variance)) = self.moments.push(x) else {
            self.average = x;
            return None;
        };
        let (distance, deviation) = ((x - mean).abs(), variance.sqrt());
        if distance <= 0.25 * deviation {
            self.length += 1.0;
        } else if distance > 1.75 * deviation {
            self.length -= 1.0;
        }
        self.length = self.length.clamp(self.shortest, self.longest);
        self.average = (x - self.average).mul_add(2.0 / (self.length + 1.0), self.average);
        Some(self.average)
    }
}

state! {
    /// Williams' alligator and the gator of it.
    #[derive(Debug)]
    struct Alligator {
        averages: [Wilder; 3],
        shifts: [Delay; 3],
    }
}

impl Alligator {
    fn new() -> Self {
        Self { averages: [13, 8, 5].map(Wilder::new), shifts: [8, 5, 3].map(Delay::new) }
    }

    #[inline]
    fn push(&mut self, x: f64) -> [Option<f64>; 5] {
        let mut lines = [None; 3];
        for ((line, average), shift) in lines.iter_mut().zip(&mut self.averages).zip(&mut self.shifts) {
            *line = average.push(x).and_then(|now| shift.push(now));
        }
        let [jaw, teeth, lips] = lines;
        let apart = |a: Option<f64>, b: Option<f64>| Some((a? - b?).abs());
        [jaw, teeth, lips, apart(jaw, teeth), apart(teeth, lips).map(|x| -x)]
    }
}

/// The Hull averages of the suite.
const HULLS: &[&str] = &["hma", "ehma", "thma"];

state! {
    /// A Hull average, itself two candles ago, and on which side of that it is.
    #[derive(Debug)]
    struct HullSuite {
        kind: usize,
        hull: Hma,
        emas: [Ema; 3],
        wmas: [Wma; 4],
        before: Delay,
    }
}

impl HullSuite {
    fn new(n: usize, kind: usize) -> Self {
        Self {
            kind,
            hull: Hma::new(n),
            emas: [(n / 2).max(1), n, n.isqrt()].map(Ema::new),
            wmas: [(n / 3).max(1), (n / 2).max(1), n, n].map(Wma::new),
            before: Delay::new(2),
        }
    }

    #[inline]
    fn push(&mut self, x: f64) -> Option<[f64; 3]> {
        let now = match self.kind {
            1 => {
                let [half, full, last] = &mut self.emas;
                let (half, full) = (half.push(x), full.push(x));
                last.push(2.0 * half? - full?)
            }
            2 => {
                let [third, half, full, last] = &mut self.wmas;
                let (third, half, full) = (third.push(x), half.push(x), full.push(x));
                last.push(3.0 * third? - half? - full?)
            }
            _ => self.hull.push(x),
        }?;
        let before = self.before.push(now)?;
        Some([now, before, f64::from(i8::from(now > before) - i8::from(now < before))])
    }
}

state! {
    /// Moving average bands: the slow average ± root mean square distance of the fast one.
    #[derive(Debug)]
    struct AverageBands {
        fast: Average,
        slow: Average,
        squares: Mean,
        deviations: f64,
    }
}

impl AverageBands {
    #[inline]
    fn push(&mut self, x: f64) -> Option<[f64; 3]> {
        let (fast, slow) = (self.fast.push(x), self.slow.push(x));
        let (fast, slow) = (fast?, slow?);
        let away = self.deviations * self.squares.push((fast - slow) * (fast - slow))?.max(0.0).sqrt();
        Some([slow + away, fast, slow - away])
    }
}

state! {
    /// Archer's moving average trends.
    #[derive(Debug)]
    struct Archer {
        fast: Ema,
        slow: Ema,
        fast_before: Delay,
        slow_before: Delay,
    }
}

impl Archer {
    #[inline]
    fn push(&mut self, x: f64) -> Option<[f64; 2]> {
        let (fast, slow) = (self.fast.push(x), self.slow.push(x));
        let fast = fast.and_then(|now| self.fast_before.push(now).map(|before| now - before));
        let slow = slow.and_then(|now| self.slow_before.push(now).map(|before| now - before));
        let (fast, slow) = (fast?, slow?);
        // The fast average rises, whatever the slow one does; and mirrored.
        Some([f64::from(u8::from(fast > 0.0 && slow != 0.0)), f64::from(u8::from(fast < 0.0 && slow != 0.0))])
    }
}

state! {
    /// The close against the mean of the last middles.
    #[derive(Debug)]
    struct TtmTrend {
        mean: Mean,
    }
}

impl TtmTrend {
    #[inline]
    fn push(&mut self, bar: Bar) -> Option<f64> {
        let mean = self.mean.push(bar.hl2())?;
        Some(if bar.close > mean { 1.0 } else { -1.0 })
    }
}

state! {
    /// The line one step ahead, and the distance from the line in percent.
    #[derive(Debug)]
    struct Forecast {
        line: LinearRegression,
        ahead: bool,
    }
}

impl Forecast {
    #[inline]
    fn push(&mut self, x: f64) -> Option<f64> {
        let [at, .., ahead, _] = self.line.push(x)?;
        Some(if self.ahead { ahead } else { 100.0 * (x - at) / x })
    }
}

indicators!(f64: Jurik => 1, VariableLength => 1, Alligator => 5, HullSuite => 3, AverageBands => 3, Archer => 2, Forecast => 1);
indicators!(Bar: TtmTrend => 1);

pub(crate) const TABLE: &[Entry] = &[
    Entry::of_value(
        "jma",
        "Jurik's average, as published by others",
        "e0 EMA by α = β^power, e1 smoothed remainder, y += (e0 + phase e1 - y)(1 - α)² + α² e2; β = 0.45(n-1)/(0.45(n-1) + 2); starts from 0",
        &[whole("n", 7, 1, 10_000), real("phase", 50.0, -1e3, 1e3), real("power", 2.0, 0.0, 10.0)],
        |a, s| on_value(Jurik::new(a.whole(0), a.real(1), a.real(2)), s),
    )
    .differs("the original is not published"),
    Entry::of_value(
        "vlma",
        "Variable-length average",
        "an EMA whose length grows within ¼ deviation of the mean and shrinks beyond 1¾",
        &[whole("min", 5, 1, 10_000), whole("max", 50, 2, 10_000)],
        |a, s| {
            let (shortest, longest) = (a.real(0), a.real(1));
            on_value(VariableLength { moments: Moments::new(a.whole(1)), length: longest, shortest, longest, average: 0.0 }, s)
        },
    )
    .check(|a| (a.real(0) > a.real(1)).then_some("`min` must not be above `max`")),
    Entry::of_value(
        "alligator",
        "Williams' alligator (jaw, teeth, lips) and the gator oscillator",
        "Wilder averages of hl2 over 13, 8, 5, drawn 8, 5, 3 candles ahead; gator: |jaw - teeth|, -|teeth - lips|",
        &[],
        |_, s| on_value(Alligator::new(), s),
    )
    .reading(crate::indicators::registry::Reads::Value(crate::indicators::source::Field::Hl2))
    .outputs(&[out("jaw"), out("teeth"), out("lips"), out("gator_u"), out("gator_l")])
    .also(&["gatorosc"]),
    Entry::of_value(
        "hull_suit",
        "Hull suite: the average, itself two candles ago, the side it is on",
        "hma; ehma: the same of EMAs; thma: wma(3 wma(n/3) - wma(n/2) - wma(n), n)",
        &[whole("n", 55, 3, 10_000), choice("kind", HULLS)],
        |a, s| on_value(HullSuite::new(a.whole(0), a.whole(1)), s),
    )
    .outputs(&[out(""), out("before"), out("side")]),
    Entry::of_value(
        "mab",
        "Moving average bands",
        "sma(slow) ± deviations·√mean((sma(fast) - sma(slow))², fast); middle: sma(fast)",
        &[whole("fast", 10, 1, 10_000), whole("slow", 50, 2, 10_000), real("deviations", 1.0, 0.0, 100.0)],
        |a, s| {
            let (fast, slow) = (a.whole(0), a.whole(1));
            let average = |n| Average::named("sma", n);
            on_value(AverageBands { fast: average(fast), slow: average(slow), squares: Mean::new(fast), deviations: a.real(2) }, s)
        },
    )
    .outputs(&[out("u"), out("m"), out("l")])
    .check(fast_below_slow),
    Entry::of_value(
        "amat",
        "Archer's moving average trends: long run, short run",
        "1 when ema(fast) is above itself `signal` candles ago (long) or below (short) while ema(slow) moves",
        &[whole("fast", 8, 1, 10_000), whole("slow", 21, 2, 10_000), whole("signal", 2, 1, 1_000)],
        |a, s| {
            let delay = || Delay::new(a.whole(2));
            on_value(Archer { fast: Ema::new(a.whole(0)), slow: Ema::new(a.whole(1)), fast_before: delay(), slow_before: delay() }, s)
        },
    )
    .outputs(&[out("long"), out("short")])
    .check(fast_below_slow),
    Entry::of_candle("ttm_trend", "TTM trend", "1 when the close is above the mean of hl2, -1 otherwise", &[whole("n", 5, 1, 10_000)], |a, _| {
        on_candle(TtmTrend { mean: Mean::new(a.whole(0)) })
    }),
    Entry::of_value("tsf", "Time series forecast", "the least-squares line one step ahead", &[whole("n", 14, 2, 10_000)], |a, s| {
        on_value(Forecast { line: LinearRegression::new(a.whole(0)), ahead: true }, s)
    })
    .compared("ta-lib 0.8.3, TSF"),
    Entry::of_value("cfo", "Chande's forecast oscillator", "100 (x - least-squares line at x)/x", &[whole("n", 14, 2, 10_000)], |a, s| {
        on_value(Forecast { line: LinearRegression::new(a.whole(0)), ahead: false }, s)
    }),
];
