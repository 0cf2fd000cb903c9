//! Moving averages.

use crate::indicators::answer::indicators;
use crate::indicators::blocks::{AVERAGES, Average, Delay, Ema, Mean, Ring, Sum, Wilder, Wma, state};
use crate::indicators::contract::Pair;
use crate::indicators::registry::{Entry, GOLDEN, Reads, choice, length, on_pair, on_value, real, whole};
use crate::indicators::source::Field;

state! {
    /// Double exponential average, 2 e1 - e2.
    #[derive(Debug)]
    pub struct Dema {
        first: Ema,
        second: Ema,
    }
}

impl Dema {
    /// Of length `n`.
    #[must_use]
    pub fn new(n: usize) -> Self {
        Self { first: Ema::new(n), second: Ema::new(n) }
    }

    /// Adds `x`; answers the average once every stage is seeded on its own input.
    #[inline]
    pub fn push(&mut self, x: f64) -> Option<f64> {
        let first = self.first.push(x)?;
        let second = self.second.push(first)?;
        Some(2.0 * first - second)
    }
}

state! {
    /// Triple exponential average, 3 e1 - 3 e2 + e3.
    #[derive(Debug)]
    pub struct Tema {
        first: Ema,
        second: Ema,
        third: Ema,
    }
}

impl Tema {
    /// Of length `n`.
    #[must_use]
    pub fn new(n: usize) -> Self {
        Self { first: Ema::new(n), second: Ema::new(n), third: Ema::new(n) }
    }

    /// Adds `x`; answers the average once every stage is seeded on its own input.
    #[inline]
    pub fn push(&mut self, x: f64) -> Option<f64> {
        let first = self.first.push(x)?;
        let second = self.second.push(first)?;
        let third = self.third.push(second)?;
        Some(3.0 * first - 3.0 * second + third)
    }
}

state! {
    /// Triangular average: a mean of means, the middle of the window weighing most.
    #[derive(Debug)]
    pub struct Trima {
        inner: Mean,
        outer: Mean,
    }
}

impl Trima {
    /// Of length `n`.
    #[must_use]
    pub fn new(n: usize) -> Self {
        Self { inner: Mean::new(n.div_ceil(2)), outer: Mean::new(n / 2 + 1) }
    }

    /// Adds `x`.
    #[inline]
    pub fn push(&mut self, x: f64) -> Option<f64> {
        let inner = self.inner.push(x)?;
        self.outer.push(inner)
    }
}

state! {
    /// Kaufman's adaptive average: fast when the price goes somewhere, slow when it goes to and fro.
    #[derive(Debug)]
    pub struct Kama {
        window: Ring,
        travel: Sum,
        slow_k: f64,
        span_k: f64,
        kama: f64,
    }
}

impl Kama {
    /// Efficiency over `n` changes, between the constants of averages of `fast` and `slow`.
    #[must_use]
    pub fn new(n: usize, fast: usize, slow: usize) -> Self {
        let slow_k = 2.0 / (slow as f64 + 1.0);
        let span_k = 2.0 / (fast as f64 + 1.0) - slow_k;
        Self { window: Ring::new(n), travel: Sum::new(n), slow_k, span_k, kama: 0.0 }
    }

    /// Adds `x`; the average starts from the number before its first output.
    #[inline]
    pub fn push(&mut self, x: f64) -> Option<f64> {
        let previous = self.window.get(0);
        let start = self.window.push(x);
        let travel = previous.and_then(|previous| self.travel.push((x - previous).abs()));
        let (Some(start), Some(travel)) = (start, travel) else {
            self.kama = x;
            return None;
        };
        let efficiency = if travel > 0.0 { ((x - start).abs() / travel).min(1.0) } else { 1.0 };
        let k = efficiency.mul_add(self.span_k, self.slow_k);
        self.kama = (x - self.kama).mul_add(k * k, self.kama);
        Some(self.kama)
    }
}

state! {
    /// Volume-weighted average, Σ price · volume / Σ volume.
    #[derive(Debug)]
    pub struct Vwma {
        value: Sum,
        volume: Sum,
    }
}

impl Vwma {
    /// Over `n` candles.
    #[must_use]
    pub fn new(n: usize) -> Self {
        Self { value: Sum::new(n), volume: Sum::new(n) }
    }

    /// Adds a price and its volume; undefined while the window holds no volume.
    #[inline]
    pub fn push(&mut self, [price, volume]: Pair) -> Option<f64> {
        let value = self.value.push(price * volume);
        let volume = self.volume.push(volume);
        (volume? != 0.0).then_some(value? / volume?)
    }
}

state! {
    /// Hull's average: wma(2 wma(n/2) - wma(n), √n).
    #[derive(Debug)]
    pub struct Hma {
        half: Wma,
        full: Wma,
        last: Wma,
    }
}

impl Hma {
    /// Of length `n`, at least 2; halves and roots are rounded down.
    #[must_use]
    pub fn new(n: usize) -> Self {
        Self { half: Wma::new((n / 2).max(1)), full: Wma::new(n), last: Wma::new(n.isqrt()) }
    }

    /// Adds `x`.
    #[inline]
    pub fn push(&mut self, x: f64) -> Option<f64> {
        let half = self.half.push(x);
        let full = self.full.push(x)?;
        self.last.push(2.0 * half? - full)
    }
}

state! {
    /// Zero-lag exponential average: the EMA of 2 x - x[lag].
    #[derive(Debug)]
    pub struct Zlema {
        delay: Delay,
        ema: Ema,
    }
}

impl Zlema {
    /// Of length `n`; the lag is (n - 1) / 2, rounded down.
    #[must_use]
    pub fn new(n: usize) -> Self {
        Self { delay: Delay::new((n - 1) / 2), ema: Ema::new(n) }
    }

    /// Adds `x`.
    #[inline]
    pub fn push(&mut self, x: f64) -> Option<f64> {
        let before = self.delay.push(x)?;
        self.ema.push(2.0 * x - before)
    }
}

state! {
    /// Tillson's T3: six exponential averages in a row, mixed by the volume factor.
    #[derive(Debug)]
    pub struct T3 {
        stages: [Ema; 6],
        weights: [f64; 4],
    }
}

impl T3 {
    /// Of length `n` and volume factor `v`.
    #[must_use]
    pub fn new(n: usize, v: f64) -> Self {
        let weights = [
            -v * v * v,
            3.0 * v * v + 3.0 * v * v * v,
            -6.0 * v * v - 3.0 * v - 3.0 * v * v * v,
            1.0 + 3.0 * v + v * v * v + 3.0 * v * v,
        ];
        Self { stages: std::array::from_fn(|_| Ema::new(n)), weights }
    }

    /// Adds `x`.
    #[inline]
    pub fn push(&mut self, x: f64) -> Option<f64> {
        let mut through = [x; 6];
        let mut last = x;
        for (stage, out) in self.stages.iter_mut().zip(&mut through) {
            last = stage.push(last)?;
            *out = last;
        }
        let [c1, c2, c3, c4] = self.weights;
        Some(c1 * through[5] + c2 * through[4] + c3 * through[3] + c4 * through[2])
    }
}

indicators!(f64: Dema => 1, Tema => 1, Trima => 1, Kama => 1, Hma => 1, Zlema => 1, T3 => 1);
indicators!(Pair: Vwma => 1);

const FULL_WINDOW: &str = "mean of the last n values";

pub(crate) const TABLE: &[Entry] = &[
    Entry::of_value("sma", "Simple moving average", FULL_WINDOW, &[length(20)], |a, s| {
        on_value(Mean::new(a.whole(0)), s)
    })
    .compared(GOLDEN),
    Entry::of_value(
        "ema",
        "Exponential moving average",
        "e += 2/(n+1) (x - e), seeded with the mean of the first n values",
        &[length(20)],
        |a, s| on_value(Ema::new(a.whole(0)), s),
    )
    .compared(GOLDEN)
    .differs("tulipy and jesse seed with the first value and start there; they converge"),
    Entry::of_value(
        "wma",
        "Linearly weighted moving average",
        "weights 1..n, the newest n",
        &[length(20)],
        |a, s| on_value(Wma::new(a.whole(0)), s),
    )
    .compared(GOLDEN),
    Entry::of_value(
        "rma",
        "Wilder's smoothed average",
        "r += (x - r)/n, seeded with the mean of the first n values",
        &[length(14)],
        |a, s| on_value(Wilder::new(a.whole(0)), s),
    )
    .also(&["smma", "wilders"])
    .compared(GOLDEN),
    Entry::of_value(
        "dema",
        "Double exponential average",
        "2 e1 - e2, e2 the EMA of e1; each seeded on its own input",
        &[length(20)],
        |a, s| on_value(Dema::new(a.whole(0)), s),
    )
    .compared(GOLDEN),
    Entry::of_value(
        "tema",
        "Triple exponential average",
        "3 e1 - 3 e2 + e3; each seeded on its own input",
        &[length(20)],
        |a, s| on_value(Tema::new(a.whole(0)), s),
    )
    .compared(GOLDEN),
    Entry::of_value("trima", "Triangular average", "mean of means of (n+1)/2", &[length(20)], |a, s| {
        on_value(Trima::new(a.whole(0)), s)
    })
    .compared("ta-lib 0.8.3, TRIMA"),
    Entry::of_value(
        "kama",
        "Kaufman's adaptive average",
        "k += sc (x - k), sc = (ER (2/(fast+1) - 2/(slow+1)) + 2/(slow+1))², ER = |x - x[n]| / Σ|changes|",
        &[length(10), whole("fast", 2, 1, 1000), whole("slow", 30, 1, 1000)],
        |a, s| on_value(Kama::new(a.whole(0), a.whole(1), a.whole(2)), s),
    )
    .also(&["maaq", "ama"])
    .compared(GOLDEN)
    .differs("jesse's `maaq` is the same average with n = 11"),
    Entry::of_pair(
        "vwma",
        "Volume-weighted moving average",
        "Σ price·volume / Σ volume over n; undefined without volume",
        &[length(20)],
        |a, s| on_pair(Vwma::new(a.whole(0)), s),
    )
    .reading(Reads::Pair(Field::Close, Field::Volume))
    .compared(GOLDEN),
    Entry::of_value(
        "hma",
        "Hull's average",
        "wma(2 wma(x, n/2) - wma(x, n), √n), rounded down",
        &[whole("n", 16, 2, 10_000)],
        |a, s| on_value(Hma::new(a.whole(0)), s),
    )
    .compared(GOLDEN),
    Entry::of_value(
        "zlema",
        "Zero-lag exponential average",
        "ema(2 x - x[(n-1)/2], n)",
        &[length(20)],
        |a, s| on_value(Zlema::new(a.whole(0)), s),
    )
    .compared(GOLDEN),
    Entry::of_value(
        "t3",
        "Tillson's T3",
        "c1 e6 + c2 e5 + c3 e4 + c4 e3 of six EMAs in a row; v mixes them",
        &[length(5), real("v", 0.7, 0.0, 1.0)],
        |a, s| on_value(T3::new(a.whole(0), a.real(1)), s),
    )
    .compared("ta-lib 0.8.3, T3"),
    Entry::of_value(
        "ma",
        "Moving average of a chosen kind",
        "ema, sma, wma or rma of length n",
        &[length(20), choice("kind", AVERAGES)],
        |a, s| on_value(Average::named(AVERAGES[a.whole(1)], a.whole(0)), s),
    )
    .compared("the averages it names"),
];
