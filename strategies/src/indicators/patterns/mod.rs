//! Candle patterns.

mod candle_patterns;

use super::registry::Entry;

pub(crate) const TABLES: &[&[Entry]] = &[candle_patterns::TABLE];
