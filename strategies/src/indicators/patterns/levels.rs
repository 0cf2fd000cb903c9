//! Levels: pivots, swing points, support and resistance, breakouts.

use crate::indicators::answer::indicators;
use crate::indicators::bar::Bar;
use crate::indicators::blocks::{Delay, Highest, Lowest, Ring, state};
use crate::indicators::registry::{Cost, Entry, choice, length, on_candle, out, whole};

/// How pivots follow from the day before.
const PIVOT_KINDS: &[&str] = &["classic", "fibonacci", "woodie", "camarilla", "demark"];

state! {
    /// Pivot points from the UTC day before.
    #[derive(Debug)]
    pub struct Pivots {
        kind: usize,
        day: Option<i64>,
        forming: Bar,
        levels: Option<[f64; 7]>,
    }
}

impl Pivots {
    /// By the rule `kind` of `PIVOT_KINDS`.
    #[must_use]
    pub fn new(kind: usize) -> Self {
        Self { kind, day: None, forming: Bar::default(), levels: None }
    }

    /// Adds a candle: pivot, r1, s1, r2, s2, r3, s3 of its day; undefined on the first day.
    #[inline]
    pub fn push(&mut self, bar: Bar) -> Option<[f64; 7]> {
        let day = bar.open_time_ms.div_euclid(86_400_000);
        match self.day.replace(day) {
            Some(last) if last == day => {
                self.forming.high = self.forming.high.max(bar.high);
                self.forming.low = self.forming.low.min(bar.low);
                self.forming.close = bar.close;
            }
            Some(_) => {
                self.levels = Some(levels(self.kind, &self.forming, bar.open));
                self.forming = bar;
            }
            None => self.forming = bar,
        }
        self.levels
    }
}

fn levels(kind: usize, day: &Bar, open: f64) -> [f64; 7] {
    let (high, low, close) = (day.high, day.low, day.close);
    let range = high - low;
    let pivot = (high + low + close) / 3.0;
    match kind {
        1 => {
            let at = |share: f64| share * range;
            [
                pivot,
                pivot + at(0.382),
                pivot - at(0.382),
                pivot + at(0.618),
                pivot - at(0.618),
                pivot + range,
                pivot - range,
            ]
        }
        2 => {
            let pivot = (high + low + 2.0 * open) / 4.0;
            let (r1, s1) = (2.0 * pivot - low, 2.0 * pivot - high);
            [pivot, r1, s1, pivot + range, pivot - range, r1 + range, s1 - range]
        }
        3 => {
            let at = |part: f64| 1.1 * range / part;
            [
                pivot,
                close + at(12.0),
                close - at(12.0),
                close + at(6.0),
                close - at(6.0),
                close + at(4.0),
                close - at(4.0),
            ]
        }
        4 => {
            let x = if close < day.open {
                high + 2.0 * low + close
            } else if close > day.open {
                2.0 * high + low + close
            } else {
                high + low + 2.0 * close
            };
            // DeMark gives one level a side: the others repeat it.
            let (r1, s1) = (x / 2.0 - low, x / 2.0 - high);
            [x / 4.0, r1, s1, r1, s1, r1, s1]
        }
        _ => {
            let (r1, s1) = (2.0 * pivot - low, 2.0 * pivot - high);
            [
                pivot,
                r1,
                s1,
                pivot + range,
                pivot - range,
                high + 2.0 * (pivot - low),
                low - 2.0 * (high - pivot),
            ]
        }
    }
}

state! {
    /// Swing points: a high above the `left` highs before it and not below the `right` highs after it; lows
    /// mirrored. Known `right` candles later.
    #[derive(Debug)]
    pub struct Swings {
        highs: Ring,
        lows: Ring,
        right: usize,
    }
}

/// What [`Swings`] finds on a candle, `right` candles after it happened.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Swing {
    /// The high that has just been confirmed.
    pub high: Option<f64>,
    /// The low that has just been confirmed.
    pub low: Option<f64>,
}

impl Swings {
    /// Candles on either side.
    #[must_use]
    pub fn new(left: usize, right: usize) -> Self {
        Self { highs: Ring::new(left + right + 1), lows: Ring::new(left + right + 1), right }
    }

    /// Adds a candle; `None` until the window is full.
    #[inline]
    pub fn swing(&mut self, bar: &Bar) -> Option<Swing> {
        self.highs.push(bar.high);
        self.lows.push(bar.low);
        if !self.highs.is_full() {
            return None;
        }
        let (high, low) = (self.highs.get(self.right)?, self.lows.get(self.right)?);
        let last = self.highs.len();
        let is_high = (0..self.right).all(|age| self.highs.get(age).is_some_and(|x| x <= high))
            && (self.right + 1..last).all(|age| self.highs.get(age).is_some_and(|x| x < high));
        let is_low = (0..self.right).all(|age| self.lows.get(age).is_some_and(|x| x >= low))
            && (self.right + 1..last).all(|age| self.lows.get(age).is_some_and(|x| x > low));
        Some(Swing { high: is_high.then_some(high), low: is_low.then_some(low) })
    }
}

state! {
    /// The last swing points, the trend between them and how old they are.
    #[derive(Debug)]
    pub struct SwingState {
        swings: Swings,
        high: Option<f64>,
        low: Option<f64>,
        since_high: f64,
        since_low: f64,
    }
}

impl SwingState {
    /// Candles on either side.
    #[must_use]
    pub fn new(left: usize, right: usize) -> Self {
        Self { swings: Swings::new(left, right), high: None, low: None, since_high: 0.0, since_low: 0.0 }
    }

    /// Adds a candle: last swing high, last swing low, direction (1: the high is the newer), candles since
    /// each was confirmed.
    #[inline]
    pub fn push(&mut self, bar: Bar) -> [Option<f64>; 5] {
        self.since_high += 1.0;
        self.since_low += 1.0;
        let Some(swing) = self.swings.swing(&bar) else { return [None; 5] };
        if swing.high.is_some() {
            (self.high, self.since_high) = (swing.high, 0.0);
        }
        if swing.low.is_some() {
            (self.low, self.since_low) = (swing.low, 0.0);
        }
        let both = self.high.and(self.low).is_some();
        let direction = both.then_some(if self.since_high <= self.since_low { 1.0 } else { -1.0 });
        let age = |level: Option<f64>, since: f64| level.map(|_| since);
        [self.high, self.low, direction, age(self.high, self.since_high), age(self.low, self.since_low)]
    }
}

state! {
    /// Support and resistance from swing points, and closes through them with volume behind.
    #[derive(Debug)]
    pub struct SupportResistance {
        swings: Swings,
        resistance: Option<f64>,
        support: Option<f64>,
        close: f64,
    }
}

impl SupportResistance {
    /// Candles on either side of a swing point.
    #[must_use]
    pub fn new(left: usize, right: usize) -> Self {
        Self { swings: Swings::new(left, right), resistance: None, support: None, close: f64::NAN }
    }

    /// Adds a candle: support, resistance, and the break: 1 when this close is the first above the
    /// resistance, -1 the first below the support, 0 otherwise.
    #[inline]
    pub fn push(&mut self, bar: Bar) -> [Option<f64>; 3] {
        let before = std::mem::replace(&mut self.close, bar.close);
        let Some(swing) = self.swings.swing(&bar) else { return [None; 3] };
        self.resistance = swing.high.or(self.resistance);
        self.support = swing.low.or(self.support);
        let up = self.resistance.is_some_and(|level| before <= level && bar.close > level);
        let down = self.support.is_some_and(|level| before >= level && bar.close < level);
        let both = self.resistance.and(self.support);
        [self.support, self.resistance, both.map(|_| f64::from(i8::from(up) - i8::from(down)))]
    }
}

state! {
    /// A close beyond the extremes of the n candles before it.
    #[derive(Debug)]
    pub struct Breakout {
        high: Highest,
        low: Lowest,
        upper: Delay,
        lower: Delay,
    }
}

impl Breakout {
    /// Of the `n` candles before.
    #[must_use]
    pub fn new(n: usize) -> Self {
        Self { high: Highest::new(n), low: Lowest::new(n), upper: Delay::new(1), lower: Delay::new(1) }
    }

    /// Adds a candle: 1 above, -1 below, 0 within; and the two extremes.
    #[inline]
    pub fn push(&mut self, bar: Bar) -> Option<[f64; 3]> {
        let (high, low) = (self.high.push(bar.high), self.low.push(bar.low));
        let (upper, lower) = (self.upper.push(high?), self.lower.push(low?));
        let (upper, lower) = (upper?, lower?);
        let broken = i8::from(bar.close > upper) - i8::from(bar.close < lower);
        Some([f64::from(broken), upper, lower])
    }
}

indicators!(Bar: Pivots => 7, SwingState => 5, SupportResistance => 3, Breakout => 3);

pub(crate) const TABLE: &[Entry] = &[
    Entry::of_candle(
        "pivot",
        "Pivot points from the UTC day before",
        "classic: p = hlc3 of the day before, r1 = 2p - l, s1 = 2p - h, r2/s2 = p ± (h - l), r3 = h + 2(p - l), s3 = l - 2(h - p); the other kinds by their authors' rules",
        &[choice("kind", PIVOT_KINDS)],
        |a, _| on_candle(Pivots::new(a.whole(0))),
    )
    .outputs(&[out(""), out("r1"), out("s1"), out("r2"), out("s2"), out("r3"), out("s3")]),
    Entry::of_candle(
        "swings",
        "Swing points: last high and low, direction, ages",
        "a high above the `left` before and not below the `right` after it, known `right` candles later; lows mirrored",
        &[whole("left", 2, 1, 1_000), whole("right", 2, 1, 1_000)],
        |a, _| on_candle(SwingState::new(a.whole(0), a.whole(1))),
    )
    .outputs(&[out("high"), out("low"), out("direction"), out("high_age"), out("low_age")])
    .also(&["minmax"])
    .cost(Cost::Window),
    Entry::of_candle(
        "support_resistance",
        "Support and resistance from swing points, and breaks of them",
        "the last swing low and high; break: 1 on the first close above the resistance, -1 below the support",
        &[whole("left", 15, 1, 1_000), whole("right", 15, 1, 1_000)],
        |a, _| on_candle(SupportResistance::new(a.whole(0), a.whole(1))),
    )
    .outputs(&[out("support"), out("resistance"), out("break")])
    .also(&["support_resistance_with_break"])
    .cost(Cost::Window)
    .differs("jesse asks for volume as well before it calls a break"),
    Entry::of_candle(
        "breakout",
        "Close beyond the extremes of the n candles before",
        "1 above the highest high, -1 below the lowest low, 0 within",
        &[length(20)],
        |a, _| on_candle(Breakout::new(a.whole(0))),
    )
    .outputs(&[out(""), out("u"), out("l")]),
];
