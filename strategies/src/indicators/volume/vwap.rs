//! Volume-weighted average price.

use crate::indicators::answer::indicators;
use crate::indicators::bar::Bar;
use crate::indicators::blocks::state;
use crate::indicators::registry::{Entry, GOLDEN, on_candle};

state! {
    /// Average of the typical price by volume, since the start.
    #[derive(Debug, Default)]
    pub struct CumulativeVwap {
        value: f64,
        volume: f64,
    }
}

impl CumulativeVwap {
    /// Adds a candle; undefined until something has traded.
    #[inline]
    pub fn push(&mut self, bar: Bar) -> Option<f64> {
        self.value += bar.hlc3() * bar.volume;
        self.volume += bar.volume;
        (self.volume > 0.0).then_some(self.value / self.volume)
    }
}

state! {
    /// The same since the first candle of the UTC day.
    #[derive(Debug, Default)]
    pub struct SessionVwap {
        day: Option<i64>,
        vwap: CumulativeVwap,
    }
}

impl SessionVwap {
    /// Adds a candle; undefined until something has traded in the session.
    #[inline]
    pub fn push(&mut self, bar: Bar) -> Option<f64> {
        let day = bar.open_time_ms.div_euclid(DAY_MS);
        if self.day.replace(day) != Some(day) {
            self.vwap = CumulativeVwap::default();
        }
        self.vwap.push(bar)
    }
}

const DAY_MS: i64 = 86_400_000;

indicators!(Bar: CumulativeVwap => 1, SessionVwap => 1);

pub(crate) const TABLE: &[Entry] = &[
    Entry::of_candle(
        "vwap_session_utc_day",
        "Volume-weighted average price of the UTC day",
        "Σ hlc3·volume / Σ volume since the day's first candle",
        &[],
        |_, _| on_candle(SessionVwap::default()),
    )
    .also(&["vwap"])
    .compared("jesse 3.5.3 (anchor D), every row of five candle files"),
    Entry::of_candle(
        "vwap_cumulative",
        "Volume-weighted average price since the start",
        "Σ hlc3·volume / Σ volume",
        &[],
        |_, _| on_candle(CumulativeVwap::default()),
    )
    .compared(GOLDEN),
];
