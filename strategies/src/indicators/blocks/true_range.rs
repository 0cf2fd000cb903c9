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
        Some(larger(larger(bar.range(), (bar.high - previous).abs()), (bar.low - previous).abs()))
    }

    /// Adds a candle; the first counts with its own range.
    #[inline]
    pub fn push_from_first(&mut self, bar: &Bar) -> f64 {
        self.push(bar).unwrap_or_else(|| bar.range())
    }
}

/// The larger of two numbers that are none of them NaN: one instruction, where `f64::max` looks for NaNs first.
#[inline(always)]
pub(crate) fn larger(a: f64, b: f64) -> f64 {
    if a > b { a } else { b }
}
