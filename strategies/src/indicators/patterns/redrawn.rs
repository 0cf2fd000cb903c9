//! Candles drawn anew: Heikin-Ashi, Renko; and lines that cross.

use crate::indicators::answer::indicators;
use crate::indicators::bar::Bar;
use crate::indicators::blocks::{AVERAGES, Average, state};
use crate::indicators::contract::Pair;
use crate::indicators::registry::{
    Entry, Reads, choice, fast_below_slow, on_candle, on_pair, on_value, out, real, whole,
};
use crate::indicators::source::Field;

state! {
    /// Heikin-Ashi candles.
    #[derive(Debug, Default)]
    pub struct HeikinAshi {
        previous: Option<[f64; 2]>,
    }
}

impl HeikinAshi {
    /// Adds a candle: open, high, low, close.
    #[inline]
    pub fn push(&mut self, bar: Bar) -> [f64; 4] {
        let close = bar.ohlc4();
        let open = match self.previous {
            Some([open, close]) => (open + close) / 2.0,
            None => (bar.open + bar.close) / 2.0,
        };
        self.previous = Some([open, close]);
        [open, bar.high.max(open).max(close), bar.low.min(open).min(close), close]
    }
}

state! {
    /// Renko on closes: the last brick's end and direction, and bricks drawn by this candle.
    #[derive(Debug)]
    pub struct RenkoOfCloses {
        brick: f64,
        anchor: Option<f64>,
        /// Bricks above the anchor: the last brick's end; whole, so that no rounding adds up.
        edge: f64,
        direction: f64,
    }
}

impl RenkoOfCloses {
    /// Bricks of `brick` price units.
    #[must_use]
    pub fn new(brick: f64) -> Self {
        Self { brick, anchor: None, edge: 0.0, direction: 0.0 }
    }

    /// Adds a close. Undefined until the first brick. The number of bricks is found by division: a jump
    /// costs no more than a step.
    #[inline]
    pub fn push(&mut self, x: f64) -> Option<[f64; 3]> {
        let anchor = *self.anchor.get_or_insert(x);
        let at = (x - anchor) / self.brick;
        // Against the direction the price must come back by two bricks, the first of which draws nothing.
        let (top, bottom) = (
            self.edge - f64::from(self.direction < 0.0) * self.direction,
            self.edge - f64::from(self.direction > 0.0) * self.direction,
        );
        let (up, down) = ((at - top).floor(), (bottom - at).floor());
        let drawn = if up >= 1.0 {
            (self.edge, self.direction) = (top + up, 1.0);
            up
        } else if down >= 1.0 {
            (self.edge, self.direction) = (bottom - down, -1.0);
            down
        } else {
            0.0
        };
        (self.direction != 0.0).then(|| [self.edge.mul_add(self.brick, anchor), self.direction, drawn])
    }
}

state! {
    /// One line crossing another.
    #[derive(Debug, Default)]
    pub struct Cross {
        above: Option<bool>,
    }
}

impl Cross {
    /// Adds both lines: 1 when the first comes above the second, -1 when it comes below, 0 otherwise. Equal
    /// lines are on the side they came from.
    #[inline]
    pub fn push(&mut self, [a, b]: Pair) -> f64 {
        let now = if a > b {
            Some(true)
        } else if a < b {
            Some(false)
        } else {
            self.above
        };
        let before = std::mem::replace(&mut self.above, now);
        match (before, now) {
            (Some(false), Some(true)) => 1.0,
            (Some(true), Some(false)) => -1.0,
            _ => 0.0,
        }
    }
}

state! {
    /// A fast average crossing a slow one.
    #[derive(Debug)]
    pub struct AverageCross {
        fast: Average,
        slow: Average,
        cross: Cross,
    }
}

impl AverageCross {
    /// Averages named `kind`.
    #[must_use]
    pub fn new(fast: usize, slow: usize, kind: &str) -> Self {
        let (fast, slow) = (Average::named(kind, fast), Average::named(kind, slow));
        Self { fast, slow, cross: Cross::default() }
    }

    /// Adds `x`: the crossing, and which average is above: 1 the fast one, -1 the slow one, 0 neither.
    #[inline]
    pub fn push(&mut self, x: f64) -> Option<[f64; 2]> {
        let (fast, slow) = (self.fast.push(x), self.slow.push(x));
        let (fast, slow) = (fast?, slow?);
        Some([self.cross.push([fast, slow]), f64::from(i8::from(fast > slow) - i8::from(fast < slow))])
    }
}

indicators!(Bar: HeikinAshi => 4);
indicators!(f64: RenkoOfCloses => 3, AverageCross => 2);
indicators!(Pair: Cross => 1);

pub(crate) const TABLE: &[Entry] = &[
    Entry::of_candle(
        "heikin_ashi",
        "Heikin-Ashi candles",
        "close = ohlc4, open = middle of the body before, high and low enclose both",
        &[],
        |_, _| on_candle(HeikinAshi::default()),
    )
    .outputs(&[out("open"), out("high"), out("low"), out("close")])
    .also(&["heikin_ashi_candles"])
    .compared("ta-lib 0.8.3, HA"),
    Entry::of_value(
        "renko",
        "Renko on closes: end of the last brick, its direction, bricks drawn now",
        "a brick for every full brick moved on from the last one's end; two back for a reversal",
        &[real("brick", 1.0, 1e-12, 1e12)],
        |a, s| on_value(RenkoOfCloses::new(a.real(0)), s),
    )
    .outputs(&[out(""), out("direction"), out("drawn")]),
    Entry::of_pair(
        "cross",
        "One line crossing another",
        "1 up, -1 down, 0 none; equal lines stay on their side",
        &[],
        |_, s| on_pair(Cross::default(), s),
    )
    .reading(Reads::Pair(Field::Close, Field::Open)),
    Entry::of_value(
        "ma_cross",
        "A fast average crossing a slow one, and which is above",
        "1 when the fast average comes above the slow one, -1 below, 0 otherwise",
        &[whole("fast", 9, 1, 10_000), whole("slow", 21, 2, 10_000), choice("kind", AVERAGES)],
        |a, s| on_value(AverageCross::new(a.whole(0), a.whole(1), AVERAGES[a.whole(2)]), s),
    )
    .outputs(&[out(""), out("side")])
    .check(fast_below_slow),
];
