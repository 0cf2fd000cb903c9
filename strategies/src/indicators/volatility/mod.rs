//! Volatility: how wide the price moves.

mod bands;
mod ranges;
mod spread;
mod wrapped;

pub use bands::{Bollinger, Donchian, Keltner, KeltnerClose};
pub use ranges::{Atr, Natr};
pub use spread::{StandardDeviation, ZScore};

use super::registry::Entry;

pub(crate) const TABLES: &[&[Entry]] = &[bands::TABLE, ranges::TABLE, spread::TABLE, wrapped::TABLE];
