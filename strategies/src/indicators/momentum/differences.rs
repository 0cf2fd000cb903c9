//! One average against another.

use crate::indicators::answer::indicators;
use crate::indicators::blocks::{AVERAGES, Average, Ema, state};
use crate::indicators::registry::{
    Entry, GOLDEN, Output, Param, Reads, choice, fast_below_slow, on_value, out, out_with, whole,
};
use crate::indicators::source::Field;

state! {
    /// MACD as TA-Lib seeds it: both averages start at row slow - 1, the fast one from the mean of the
    /// `fast` values that end there.
    #[derive(Debug)]
    pub struct Macd {
        /// Values the fast average still passes over.
        skip: usize,
        fast: Ema,
        slow: Ema,
        signal: Ema,
    }
}

impl Macd {
    /// Lengths of the averages, `fast` below `slow`.
    #[must_use]
    pub fn new(fast: usize, slow: usize, signal: usize) -> Self {
        Self {
            skip: slow.saturating_sub(fast),
            fast: Ema::new(fast),
            slow: Ema::new(slow),
            signal: Ema::new(signal),
        }
    }

    /// Adds `x`: line, signal, histogram, from where the signal is defined.
    #[inline]
    pub fn push(&mut self, x: f64) -> Option<[f64; 3]> {
        let fast = if self.skip == 0 { self.fast.push(x) } else { self.pass() };
        let slow = self.slow.push(x);
        let line = fast? - slow?;
        let signal = self.signal.push(line)?;
        Some([line, signal, line - signal])
    }

    #[cold]
    fn pass(&mut self) -> Option<f64> {
        self.skip -= 1;
        None
    }
}

state! {
    /// MACD with each average seeded from the start of its own input.
    #[derive(Debug)]
    pub struct MacdNaive {
        fast: Ema,
        slow: Ema,
        signal: Ema,
    }
}

impl MacdNaive {
    /// Lengths of the averages.
    #[must_use]
    pub fn new(fast: usize, slow: usize, signal: usize) -> Self {
        Self { fast: Ema::new(fast), slow: Ema::new(slow), signal: Ema::new(signal) }
    }

    /// Adds `x`: line, signal, histogram, each as soon as it is defined.
    #[inline]
    pub fn push(&mut self, x: f64) -> [Option<f64>; 3] {
        let (fast, slow) = (self.fast.push(x), self.slow.push(x));
        let (Some(fast), Some(slow)) = (fast, slow) else { return [None; 3] };
        let line = fast - slow;
        let signal = self.signal.push(line);
        [Some(line), signal, signal.map(|signal| line - signal)]
    }
}

state! {
    /// The difference of two averages, absolute or in percent of the slow one.
    #[derive(Debug)]
    pub struct PriceOscillator {
        fast: Average,
        slow: Average,
        signal: Ema,
        percent: bool,
    }
}

impl PriceOscillator {
    /// Averages named `kind`, and the length of the signal.
    #[must_use]
    pub fn new(fast: usize, slow: usize, kind: &str, signal: usize, percent: bool) -> Self {
        let (fast, slow) = (Average::named(kind, fast), Average::named(kind, slow));
        Self { fast, slow, signal: Ema::new(signal), percent }
    }

    /// Adds `x`: oscillator, signal, histogram. In percent, 0 where the slow average is 0.
    #[inline]
    pub fn push(&mut self, x: f64) -> [Option<f64>; 3] {
        let (fast, slow) = (self.fast.push(x), self.slow.push(x));
        let (Some(fast), Some(slow)) = (fast, slow) else { return [None; 3] };
        let line = match self.percent {
            false => fast - slow,
            true if slow == 0.0 => 0.0,
            true => 100.0 * ((fast - slow) / slow),
        };
        let signal = self.signal.push(line);
        [Some(line), signal, signal.map(|signal| line - signal)]
    }
}

indicators!(f64: Macd => 3, MacdNaive => 3, PriceOscillator => 3);

const FAST: Param = whole("fast", 12, 1, 10_000);
const SLOW: Param = whole("slow", 26, 2, 10_000);
const SIGNAL: Param = whole("signal", 9, 1, 10_000);
const THREE: &[Output] = &[out(""), out("signal"), out("hist")];
const THREE_OF_KIND: &[Output] = &[out(""), out_with("signal", 3), out_with("hist", 3)];
const OF_KIND: &[Param] = &[FAST, SLOW, choice("kind", AVERAGES), SIGNAL];

pub(crate) const TABLE: &[Entry] = &[
    Entry::of_value(
        "macd",
        "Moving average convergence/divergence",
        "ema(fast) - ema(slow), its EMA, the difference; both averages start at row slow-1, all outputs with the signal",
        &[FAST, SLOW, SIGNAL],
        |a, s| on_value(Macd::new(a.whole(0), a.whole(1), a.whole(2)), s),
    )
    .outputs(THREE)
    .check(fast_below_slow)
    .compared(GOLDEN)
    .differs("others seed each average from row 0: `macd_alt`; they converge"),
    Entry::of_value(
        "macd_alt",
        "MACD, each average seeded on its own",
        "ema(fast) - ema(slow), its EMA, the difference",
        &[FAST, SLOW, SIGNAL],
        |a, s| on_value(MacdNaive::new(a.whole(0), a.whole(1), a.whole(2)), s),
    )
    .outputs(THREE)
    .check(fast_below_slow)
    .compared(GOLDEN),
    Entry::of_value(
        "ppo",
        "Percentage price oscillator",
        "100 (fast - slow)/slow of two averages, its EMA, the difference; each average seeded on its own",
        OF_KIND,
        |a, s| on_value(PriceOscillator::new(a.whole(0), a.whole(1), AVERAGES[a.whole(2)], a.whole(3), true), s),
    )
    .outputs(THREE_OF_KIND)
    .check(fast_below_slow)
    .compared(GOLDEN),
    Entry::of_value(
        "pvo",
        "Percentage volume oscillator",
        "the PPO of the volume",
        OF_KIND,
        |a, s| on_value(PriceOscillator::new(a.whole(0), a.whole(1), AVERAGES[a.whole(2)], a.whole(3), true), s),
    )
    .reading(Reads::Value(Field::Volume))
    .outputs(THREE_OF_KIND)
    .check(fast_below_slow)
    .compared(GOLDEN),
    Entry::of_value(
        "apo",
        "Absolute price oscillator",
        "fast - slow of two averages, its EMA, the difference",
        OF_KIND,
        |a, s| on_value(PriceOscillator::new(a.whole(0), a.whole(1), AVERAGES[a.whole(2)], a.whole(3), false), s),
    )
    .outputs(THREE_OF_KIND)
    .check(fast_below_slow)
    .compared("ta-lib 0.8.3, APO"),
];
