//! True range: how far the market moved, gaps included.

use super::state;
use crate::indicators::bar::Bar;

state! {
    /// max(high - low, |high - previous close|, |low - previous close|); undefined on the first candle,
    /// which has no previous close.
    #[derive(Debug, Default)]
    pub struct TrueRange {
        previous: Option<f64>,
    }
}

impl TrueRange {
    /// Adds a candle.
    #[inline]
    pub fn push(&mut self, bar: &Bar) -> Option<f64> {
        let previous = self.previous.replace(bar.close)?;
        Some(bar.range().max((bar.high - previous).abs()).max((bar.low - previous).abs()))
    }

    /// Adds a candle; the first counts with its own range.
    #[inline]
    pub fn push_from_first(&mut self, bar: &Bar) -> f64 {
        self.push(bar).unwrap_or_else(|| bar.range())
    }
}
