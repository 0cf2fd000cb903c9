//! Wilder's directional movement.

use crate::indicators::answer::indicators;
use crate::indicators::bar::Bar;
use crate::indicators::blocks::{Delay, Wilder, state};
use crate::indicators::registry::{Entry, GOLDEN, length, on_candle, out};

state! {
    /// Directional movement, smoothed: +DI, -DI, DX.
    ///
    /// Wilder sums: the first n - 1 terms add up, then s += term - s/n. A tie between the move up and
    /// the move down counts for neither side. Where both DI are 0, DX repeats.
    #[derive(Debug)]
    pub struct Dx {
        previous: Option<Bar>,
        n: f64,
        /// Terms that still only add up.
        seed: usize,
        plus: f64,
        minus: f64,
        range: f64,
        dx: f64,
    }
}

/// What [`Dx`] answers.
#[derive(Clone, Copy, Debug)]
pub struct Directional {
    /// +DI, 0..=100.
    pub plus_di: f64,
    /// -DI, 0..=100.
    pub minus_di: f64,
    /// DX, 0..=100.
    pub dx: f64,
    /// Does DX follow from this candle, or repeat because neither side moved?
    pub moved: bool,
}

impl Dx {
    /// Smoothed over `n` candles.
    #[must_use]
    pub fn new(n: usize) -> Self {
        Self {
            previous: None,
            n: n as f64,
            seed: n.saturating_sub(1),
            plus: 0.0,
            minus: 0.0,
            range: 0.0,
            dx: 0.0,
        }
    }

    /// Adds a candle; answers from the n-th change on.
    #[inline]
    pub fn directional(&mut self, bar: Bar) -> Option<Directional> {
        let previous = self.previous.replace(bar)?;
        let (up, down) = (bar.high - previous.high, previous.low - bar.low);
        let plus = if up > 0.0 && up > down { up } else { 0.0 };
        let minus = if down > 0.0 && down > up { down } else { 0.0 };
        let range = bar.range().max((bar.high - previous.close).abs()).max((bar.low - previous.close).abs());
        if self.seed > 0 {
            self.seed -= 1;
            self.plus += plus;
            self.minus += minus;
            self.range += range;
            return None;
        }
        self.plus += plus - self.plus / self.n;
        self.minus += minus - self.minus / self.n;
        self.range += range - self.range / self.n;
        let share = |dm: f64| if self.range > 0.0 { 100.0 * (dm / self.range) } else { 0.0 };
        let (plus_di, minus_di) = (share(self.plus), share(self.minus));
        let both = plus_di + minus_di;
        let moved = both > 0.0;
        if moved {
            self.dx = 100.0 * ((plus_di - minus_di).abs() / both);
        }
        Some(Directional { plus_di, minus_di, dx: self.dx, moved })
    }

    /// Adds a candle: DX, +DI, -DI.
    #[inline]
    pub fn push(&mut self, bar: Bar) -> Option<[f64; 3]> {
        self.directional(bar).map(|d| [d.dx, d.plus_di, d.minus_di])
    }
}

state! {
    /// Average directional index and its rating.
    #[derive(Debug)]
    pub struct Adx {
        dx: Dx,
        n: usize,
        seed: usize,
        adx: Wilder,
        delay: Delay,
        last: Option<f64>,
    }
}

impl Adx {
    /// Smoothed over `n` candles.
    #[must_use]
    pub fn new(n: usize) -> Self {
        Self {
            dx: Dx::new(n),
            n,
            seed: 0,
            adx: Wilder::new(n),
            delay: Delay::new(n.saturating_sub(1)),
            last: None,
        }
    }

    /// Adds a candle: ADX, +DI, -DI, ADXR = (ADX + ADX n - 1 candles ago) / 2.
    #[inline]
    pub fn push(&mut self, bar: Bar) -> [Option<f64>; 4] {
        let Some(d) = self.dx.directional(bar) else { return [None; 4] };
        // In the seed a candle without movement counts as 0; afterwards it changes nothing.
        if self.seed < self.n {
            self.seed += 1;
            self.last = self.adx.push(if d.moved { d.dx } else { 0.0 });
        } else if d.moved {
            self.last = self.adx.push(d.dx);
        }
        let before = self.last.and_then(|adx| self.delay.push(adx));
        let rating = before.and_then(|before| self.last.map(|adx| (adx + before) / 2.0));
        [self.last, Some(d.plus_di), Some(d.minus_di), rating]
    }
}

state! {
    /// One output of [`Dx`] by itself.
    #[derive(Debug)]
    struct One {
        dx: Dx,
        output: usize,
    }
}

impl One {
    #[inline]
    fn push(&mut self, bar: Bar) -> Option<f64> {
        self.dx.push(bar).map(|all| all[self.output])
    }
}

state! {
    /// The rating of [`Adx`] by itself.
    #[derive(Debug)]
    struct Rating {
        adx: Adx,
    }
}

impl Rating {
    #[inline]
    fn push(&mut self, bar: Bar) -> Option<f64> {
        let [.., rating] = self.adx.push(bar);
        rating
    }
}

indicators!(Bar: Dx => 3, Adx => 4, One => 1, Rating => 1);

pub(crate) const TABLE: &[Entry] = &[
    Entry::of_candle(
        "adx",
        "Average directional index, with +DI, -DI and ADXR",
        "mean of the first n DX, then Wilder; ADXR = (ADX + ADX[n-1])/2",
        &[length(14)],
        |a, _| on_candle(Adx::new(a.whole(0))),
    )
    .outputs(&[out(""), out("plus_di"), out("minus_di"), out("adxr")])
    .compared(GOLDEN)
    .differs("ties (up move = down move) count for neither side; tulipy differs by up to 0.2 relative"),
    Entry::of_candle(
        "dx",
        "Directional movement: DX, +DI, -DI",
        "DX = 100 |+DI - -DI| / (+DI + -DI); DI = 100 DM/TR of Wilder sums (first n-1 terms added, then s += x - s/n)",
        &[length(14)],
        |a, _| on_candle(Dx::new(a.whole(0))),
    )
    .outputs(&[out(""), out("plus_di"), out("minus_di")])
    .also(&["di"])
    .compared(GOLDEN),
    Entry::of_candle("adxr", "Average directional movement rating", "(ADX + ADX[n-1])/2", &[length(14)], |a, _| {
        on_candle(Rating { adx: Adx::new(a.whole(0)) })
    })
    .compared("ta-lib 0.8.3, ADXR"),
    Entry::of_candle("plus_di", "Plus directional indicator", "100 +DM/TR of Wilder sums", &[length(14)], |a, _| {
        on_candle(One { dx: Dx::new(a.whole(0)), output: 1 })
    })
    .compared(GOLDEN),
    Entry::of_candle("minus_di", "Minus directional indicator", "100 -DM/TR of Wilder sums", &[length(14)], |a, _| {
        on_candle(One { dx: Dx::new(a.whole(0)), output: 2 })
    })
    .compared(GOLDEN),
];
