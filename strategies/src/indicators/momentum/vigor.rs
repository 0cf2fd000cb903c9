//! The two indices that share the letters RVI.

use crate::indicators::answer::indicators;
use crate::indicators::bar::Bar;
use crate::indicators::blocks::{Moments, Ring, Sum, Wilder, state};
use crate::indicators::registry::{Entry, GOLDEN, length, on_candle, on_value, out, whole};

state! {
    /// Relative VOLATILITY: the RSI's form, with the standard deviation in place of the change.
    #[derive(Debug)]
    pub struct RelativeVolatility {
        moments: Moments,
        previous: f64,
        up: Wilder,
        down: Wilder,
    }
}

impl RelativeVolatility {
    /// Deviations over `window` values, smoothed over `n`.
    #[must_use]
    pub fn new(n: usize, window: usize) -> Self {
        Self { moments: Moments::new(window), previous: 0.0, up: Wilder::new(n), down: Wilder::new(n) }
    }

    /// Adds `x`; 50 where nothing has moved.
    #[inline]
    pub fn push(&mut self, x: f64) -> Option<f64> {
        let previous = std::mem::replace(&mut self.previous, x);
        let (_, variance) = self.moments.push(x)?;
        let deviation = variance.sqrt();
        let up = self.up.push(if x > previous { deviation } else { 0.0 });
        let down = self.down.push(if x < previous { deviation } else { 0.0 });
        let (up, down) = (up?, down?);
        Some(if up + down > 0.0 { 100.0 * (up / (up + down)) } else { 50.0 })
    }
}

state! {
    /// (x + 2 x1 + 2 x2 + x3) / 6 of the last four numbers.
    #[derive(Debug)]
    pub(crate) struct Symmetric {
        last: Ring,
    }
}

impl Symmetric {
    pub(crate) fn new() -> Self {
        Self { last: Ring::new(4) }
    }

    #[inline]
    pub(crate) fn push(&mut self, x: f64) -> Option<f64> {
        self.last.push(x);
        let (one, two, three) = (self.last.get(1)?, self.last.get(2)?, self.last.get(3)?);
        Some((x + 2.0 * one + 2.0 * two + three) / 6.0)
    }
}

state! {
    /// Relative VIGOR: where candles close in their range, smoothed.
    #[derive(Debug)]
    pub struct RelativeVigor {
        body: Symmetric,
        range: Symmetric,
        bodies: Sum,
        ranges: Sum,
        signal: Symmetric,
    }
}

impl RelativeVigor {
    /// Over `n` candles.
    #[must_use]
    pub fn new(n: usize) -> Self {
        let symmetric = Symmetric::new;
        Self {
            body: symmetric(),
            range: symmetric(),
            bodies: Sum::new(n),
            ranges: Sum::new(n),
            signal: symmetric(),
        }
    }

    /// Adds a candle: the index and its signal; 1 while no candle of the window has a range, the limit
    /// of a close at the end of its range.
    #[inline]
    pub fn push(&mut self, bar: Bar) -> [Option<f64>; 2] {
        let body = self.body.push(bar.close - bar.open).and_then(|body| self.bodies.push(body));
        let range = self.range.push(bar.range()).and_then(|range| self.ranges.push(range));
        let vigor = match (body, range) {
            (Some(body), Some(range)) => Some(if range == 0.0 { 1.0 } else { body / range }),
            _ => None,
        };
        [vigor, vigor.and_then(|vigor| self.signal.push(vigor))]
    }
}

indicators!(f64: RelativeVolatility => 1);
indicators!(Bar: RelativeVigor => 2);

pub(crate) const TABLE: &[Entry] = &[
    Entry::of_value(
        "rvi_volatility",
        "Relative volatility index",
        "100 u/(u + d): Wilder averages of the standard deviation on rising and on falling candles",
        &[length(14), whole("stddev", 10, 2, 10_000)],
        |a, s| on_value(RelativeVolatility::new(a.whole(0), a.whole(1)), s),
    )
    .also(&["rvi"])
    .compared(GOLDEN)
    .differs("jesse smooths with an EMA and counts flat candles as down; `rvi_vigor` is the other RVI"),
    Entry::of_candle(
        "rvi_vigor",
        "Relative vigor index",
        "Σ swma(close - open)/Σ swma(high - low), swma weighing 1,2,2,1; 1 where no candle has a range; signal = swma",
        &[length(10)],
        |a, _| on_candle(RelativeVigor::new(a.whole(0))),
    )
    .outputs(&[out(""), out("signal")])
    .also(&["rvgi"])
    .compared("pandas-ta-classic 0.8.32, every row of five candle files"),
];
