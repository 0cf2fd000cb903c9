//! Volatility: how wide the price moves.

mod bands;
mod exits;
mod ranges;
mod rarer;
mod realised;
mod spread;
mod wrapped;

pub use bands::{Bollinger, Donchian, Keltner, KeltnerClose};
pub use exits::{Chandelier, DevStop, KaufmanStop, SafeZone};
pub use ranges::{Atr, Natr};
pub(crate) use realised::log_ratio;
pub use realised::{CloseToClose, RangeEstimator, RangeVolatility, Ulcer, VixFix, VixLike, YangZhang};
pub use spread::{StandardDeviation, ZScore};

use super::registry::Entry;

pub(crate) const TABLES: &[&[Entry]] = &[
    bands::TABLE,
    ranges::TABLE,
    spread::TABLE,
    wrapped::TABLE,
    realised::TABLE,
    exits::TABLE,
    rarer::TABLE,
];
