//! Returns, ranges, ratios, lags and ranks.

use crate::indicators::answer::indicators;
use crate::indicators::bar::Bar;
use crate::indicators::blocks::{Delay, Ring, state};
use crate::indicators::contract::Pair;
use crate::indicators::registry::{
    Cost, Entry, Reads, length, length_from_2, on_candle, on_pair, on_value, out,
};
use crate::indicators::source::Field;
use crate::indicators::volatility::log_ratio;

state! {
    /// ln(x / x[n]).
    #[derive(Debug)]
    pub struct LogReturn {
        delay: Delay,
    }
}

impl LogReturn {
    /// Over `n` candles.
    #[must_use]
    pub fn new(n: usize) -> Self {
        Self { delay: Delay::new(n) }
    }

    /// Adds `x`; undefined where one of the two is not above 0.
    #[inline]
    pub fn push(&mut self, x: f64) -> Option<f64> {
        log_ratio(x, self.delay.push(x)?)
    }
}

state! {
    /// The value n candles ago.
    #[derive(Debug)]
    pub struct Lag {
        delay: Delay,
    }
}

impl Lag {
    /// `n` candles back.
    #[must_use]
    pub fn new(n: usize) -> Self {
        Self { delay: Delay::new(n) }
    }

    /// Adds `x`.
    #[inline]
    pub fn push(&mut self, x: f64) -> Option<f64> {
        self.delay.push(x)
    }
}

state! {
    /// Where a value ranks among the last n, itself included: 0 the lowest, 1 the highest, ties in the
    /// middle of their places.
    #[derive(Debug)]
    pub struct Rank {
        window: Ring,
    }
}

impl Rank {
    /// Among `n` values, at least 2.
    #[must_use]
    pub fn new(n: usize) -> Self {
        Self { window: Ring::new(n) }
    }

    /// Adds `x`.
    #[inline]
    pub fn push(&mut self, x: f64) -> Option<f64> {
        self.window.push(x);
        if !self.window.is_full() {
            return None;
        }
        let (mut below, mut equal) = (0.0, 0.0);
        for y in self.window.held() {
            below += f64::from(u8::from(*y < x));
            equal += f64::from(u8::from(*y == x));
        }
        Some((below + (equal - 1.0) / 2.0) / (self.window.capacity() as f64 - 1.0))
    }
}

state! {
    /// The shape of a candle in fractions.
    #[derive(Debug, Default)]
    pub struct CandleShape {
        previous: Option<f64>,
    }
}

impl CandleShape {
    /// Adds a candle: range over close, body over range (signed), upper and lower shadow over range, gap to
    /// the close before over that close. The three over the range are undefined without one.
    #[inline]
    pub fn push(&mut self, bar: Bar) -> [Option<f64>; 5] {
        let range = bar.range();
        let of_range = |x: f64| (range > 0.0).then(|| x / range);
        let gap = self.previous.replace(bar.close).map(|previous| (bar.open - previous) / previous);
        [
            Some(range / bar.close),
            of_range(bar.close - bar.open),
            of_range(bar.high - bar.open.max(bar.close)),
            of_range(bar.open.min(bar.close) - bar.low),
            gap,
        ]
    }
}

state! {
    /// One value over another.
    #[derive(Debug, Default)]
    struct Quotient {
        nothing: (),
    }
}

impl Quotient {
    #[inline]
    fn push(&mut self, [a, b]: Pair) -> f64 {
        a / b
    }
}

indicators!(f64: LogReturn => 1, Lag => 1, Rank => 1);
indicators!(Bar: CandleShape => 5);
indicators!(Pair: Quotient => 1);

pub(crate) const TABLE: &[Entry] = &[
    Entry::of_value("log_return", "Log return", "ln(x/x[n])", &[length(1)], |a, s| {
        on_value(LogReturn::new(a.whole(0)), s)
    }),
    Entry::of_value("lag", "The value n candles ago", "x[n]", &[length(1)], |a, s| {
        on_value(Lag::new(a.whole(0)), s)
    }),
    Entry::of_value(
        "rank",
        "Rank among the last n values, 0..1",
        "(how many are below + (ties - 1)/2)/(n - 1), itself included",
        &[length_from_2(100)],
        |a, s| on_value(Rank::new(a.whole(0)), s),
    )
    .cost(Cost::Window),
    Entry::of_candle(
        "candle_shape",
        "Shape of the candle in fractions",
        "(high - low)/close; body, upper and lower shadow over the range; (open - close[1])/close[1]",
        &[],
        |_, _| on_candle(CandleShape::default()),
    )
    .outputs(&[out("range"), out("body"), out("upper"), out("lower"), out("gap")]),
    Entry::of_pair("ratio", "One value over another", "a/b; undefined where b is 0", &[], |_, s| {
        on_pair(Quotient::default(), s)
    })
    .reading(Reads::Pair(Field::Close, Field::Open)),
];
