//! Ichimoku's lines.

use crate::indicators::answer::indicators;
use crate::indicators::bar::Bar;
use crate::indicators::blocks::{Delay, Highest, Lowest, state};
use crate::indicators::registry::{Entry, GOLDEN, on_candle, out, out_with, whole};

state! {
    /// Middle of the range of the last n candles.
    #[derive(Debug)]
    pub(crate) struct MidRange {
        high: Highest,
        low: Lowest,
    }
}

impl MidRange {
    pub(crate) fn new(n: usize) -> Self {
        Self { high: Highest::new(n), low: Lowest::new(n) }
    }

    #[inline]
    pub(crate) fn push(&mut self, bar: &Bar) -> Option<f64> {
        let (high, low) = (self.high.push(bar.high), self.low.push(bar.low));
        Some((high? + low?) / 2.0)
    }
}

state! {
    /// Conversion and base line, and the two leading spans.
    #[derive(Debug)]
    pub struct Ichimoku {
        tenkan: MidRange,
        kijun: MidRange,
        senkou_b: MidRange,
        drawn_a: Delay,
        drawn_b: Delay,
        lagging: Delay,
    }
}

impl Ichimoku {
    /// Windows of the three lines, and how many candles ahead the spans are drawn.
    #[must_use]
    pub fn new(tenkan: usize, kijun: usize, senkou_b: usize, displacement: usize) -> Self {
        Self {
            tenkan: MidRange::new(tenkan),
            kijun: MidRange::new(kijun),
            senkou_b: MidRange::new(senkou_b),
            drawn_a: Delay::new(displacement),
            drawn_b: Delay::new(displacement),
            lagging: Delay::new(displacement),
        }
    }

    /// Adds a candle: tenkan, kijun, both spans as computed here, both as drawn here (computed
    /// `displacement` candles ago), and the close of that candle, which the lagging line is held against.
    #[inline]
    pub fn push(&mut self, bar: Bar) -> [Option<f64>; 7] {
        let tenkan = self.tenkan.push(&bar);
        let kijun = self.kijun.push(&bar);
        let a = tenkan.and_then(|tenkan| kijun.map(|kijun| (tenkan + kijun) / 2.0));
        let b = self.senkou_b.push(&bar);
        let drawn_a = a.and_then(|a| self.drawn_a.push(a));
        let drawn_b = b.and_then(|b| self.drawn_b.push(b));
        [tenkan, kijun, a, b, drawn_a, drawn_b, self.lagging.push(bar.close)]
    }
}

indicators!(Bar: Ichimoku => 7);

pub(crate) const TABLE: &[Entry] = &[Entry::of_candle(
    "ichimoku",
    "Ichimoku's lines",
    "(highest high + lowest low)/2 over each window; span a = (tenkan + kijun)/2; `raw` is computed at this candle, `drawn` is raw `displacement` candles ago",
    &[
        whole("tenkan", 9, 1, 10_000),
        whole("kijun", 26, 1, 10_000),
        whole("senkou_b", 52, 1, 10_000),
        whole("displacement", 26, 0, 10_000),
    ],
    |a, _| on_candle(Ichimoku::new(a.whole(0), a.whole(1), a.whole(2), a.whole(3))),
)
.outputs(&[
    out("tenkan"),
    out("kijun"),
    out("senkou_a_raw"),
    out("senkou_b_raw"),
    out_with("senkou_a_drawn", 3),
    out_with("senkou_b_drawn", 3),
    out("close_displaced"),
])
.also(&["ichimoku_cloud", "ichimoku_cloud_seq"])
.compared(GOLDEN)
.differs("pandas-ta draws 25 candles ahead")];
