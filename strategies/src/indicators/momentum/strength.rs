//! Gains against losses.

use crate::indicators::answer::indicators;
use crate::indicators::bar::Bar;
use crate::indicators::blocks::{Sum, Wilder, larger, state};
use crate::indicators::registry::{Entry, GOLDEN, length_from_2, on_candle, on_value, out, whole};

state! {
    /// Wilder's relative strength.
    #[derive(Debug)]
    pub struct Rsi {
        previous: Option<f64>,
        gain: Wilder,
        loss: Wilder,
    }
}

impl Rsi {
    /// Smoothed over `n` changes.
    #[must_use]
    pub fn new(n: usize) -> Self {
        Self { previous: None, gain: Wilder::new(n), loss: Wilder::new(n) }
    }

    /// Adds `x`; average gain and average loss, once n changes are in.
    #[inline]
    fn averages(&mut self, x: f64) -> Option<(f64, f64)> {
        let change = x - self.previous.replace(x)?;
        let gain = self.gain.push(larger(change, 0.0));
        let loss = self.loss.push(larger(-change, 0.0));
        Some((gain?, loss?))
    }

    /// Adds `x`: 100 gain / (gain + loss), and 0 where nothing has moved.
    #[inline]
    pub fn push(&mut self, x: f64) -> Option<f64> {
        let (gain, loss) = self.averages(x)?;
        let both = gain + loss;
        Some(if both > 0.0 { 100.0 * (gain / both) } else { 0.0 })
    }
}

state! {
    /// Chande's momentum in both forms: over Wilder averages (as TA-Lib has it) and over plain sums (the
    /// textbook's, TradingView's and tulipy's).
    #[derive(Debug)]
    pub struct Chande {
        smoothed: Rsi,
        previous: Option<f64>,
        up: Sum,
        down: Sum,
    }
}

impl Chande {
    /// Over `n` changes.
    #[must_use]
    pub fn new(n: usize) -> Self {
        Self { smoothed: Rsi::new(n), previous: None, up: Sum::new(n), down: Sum::new(n) }
    }

    /// Adds `x`: the smoothed form, the textbook form.
    #[inline]
    pub fn push(&mut self, x: f64) -> Option<[f64; 2]> {
        let averages = self.smoothed.averages(x);
        let change = x - self.previous.replace(x)?;
        let up = self.up.push(change.max(0.0));
        let down = self.down.push((-change).max(0.0));
        let (gain, loss) = averages?;
        Some([balance(gain, loss), balance(up?, down?)])
    }
}

/// 100 (a - b) / (a + b); 0 when both are 0.
#[inline]
fn balance(a: f64, b: f64) -> f64 {
    if a + b > 0.0 { 100.0 * ((a - b) / (a + b)) } else { 0.0 }
}

state! {
    /// One form of [`Chande`].
    #[derive(Debug)]
    struct ChandeForm {
        chande: Chande,
        output: usize,
    }
}

impl ChandeForm {
    #[inline]
    fn push(&mut self, x: f64) -> Option<f64> {
        self.chande.push(x).map(|both| both[self.output])
    }
}

state! {
    /// Williams' ultimate oscillator: buying pressure over three windows, weighing 4, 2 and 1.
    #[derive(Debug)]
    pub struct UltimateOscillator {
        previous: Option<f64>,
        pressure: [Sum; 3],
        range: [Sum; 3],
    }
}

impl UltimateOscillator {
    /// Over three windows, the first weighing most.
    #[must_use]
    pub fn new(windows: [usize; 3]) -> Self {
        Self { previous: None, pressure: windows.map(Sum::new), range: windows.map(Sum::new) }
    }

    /// Adds a candle; a window without range counts 0.
    #[inline]
    pub fn push(&mut self, bar: Bar) -> Option<f64> {
        let previous = self.previous.replace(bar.close)?;
        let low = bar.low.min(previous);
        let (pressure, range) = (bar.close - low, bar.high.max(previous) - low);
        let mut total = Some(0.0);
        for (i, weight) in [4.0, 2.0, 1.0].into_iter().enumerate() {
            let pressure = self.pressure[i].push(pressure);
            let range = self.range[i].push(range);
            total = match (total, pressure, range) {
                (Some(total), Some(pressure), Some(range)) if range > 0.0 => {
                    Some(total + weight * (pressure / range))
                }
                (Some(total), Some(_), Some(_)) => Some(total),
                _ => None,
            };
        }
        total.map(|total| 100.0 * (total / 7.0))
    }
}

indicators!(f64: Rsi => 1, Chande => 2, ChandeForm => 1);
indicators!(Bar: UltimateOscillator => 1);

pub(crate) const TABLE: &[Entry] = &[
    Entry::of_value(
        "rsi",
        "Wilder's relative strength index",
        "100 g/(g + l), g and l the Wilder averages of gains and losses; 0 where nothing has moved",
        &[length_from_2(14)],
        |a, s| on_value(Rsi::new(a.whole(0)), s),
    )
    .compared(GOLDEN)
    .differs("TA-Lib from 0.8.3 answers 50 where nothing has ever moved"),
    Entry::of_value(
        "cmo",
        "Chande's momentum, Wilder-smoothed",
        "100 (g - l)/(g + l) over Wilder averages: 2 RSI - 100",
        &[length_from_2(14)],
        |a, s| on_value(ChandeForm { chande: Chande::new(a.whole(0)), output: 0 }, s),
    )
    .compared(GOLDEN)
    .differs("this is TA-Lib's form; `cmou` is the textbook's"),
    Entry::of_value(
        "cmou",
        "Chande's momentum, the textbook form",
        "100 (Σ up - Σ down)/(Σ up + Σ down) over n changes",
        &[length_from_2(14)],
        |a, s| on_value(ChandeForm { chande: Chande::new(a.whole(0)), output: 1 }, s),
    )
    .compared(GOLDEN)
    .differs("tulipy, jesse and TradingView call this `cmo`"),
    Entry::of_candle(
        "ultosc",
        "Ultimate oscillator",
        "100 (4 a1 + 2 a2 + a3)/7, a = Σ(close - true low)/Σ true range over each window",
        &[whole("short", 7, 1, 10_000), whole("middle", 14, 1, 10_000), whole("long", 28, 1, 10_000)],
        |a, _| on_candle(UltimateOscillator::new([a.whole(0), a.whole(1), a.whole(2)])),
    )
    .outputs(&[out("")])
    .compared(GOLDEN),
];
