//! Candle patterns.

mod candle_patterns;
mod levels;
mod redrawn;
pub use levels::{Breakout, Pivots, SupportResistance, Swing, SwingState, Swings};
pub use redrawn::{AverageCross, Cross, HeikinAshi, RenkoOfCloses};

use super::registry::Entry;

pub(crate) const TABLES: &[&[Entry]] = &[candle_patterns::TABLE, levels::TABLE, redrawn::TABLE];
