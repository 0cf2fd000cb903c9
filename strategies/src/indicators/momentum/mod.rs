//! Momentum: how fast and how far the price moves.

mod changes;
mod channel_oscillators;
mod differences;
mod kst;
mod rarer;
mod strength;
mod vigor;
mod wave;
mod wrapped;

pub use changes::{Change, ChangeKind, Trix};
pub use channel_oscillators::{Cci, Stochastic, StochasticFast, StochasticRsi, Williams};
pub use differences::{Macd, MacdNaive, PriceOscillator};
pub use kst::Kst;
pub use strength::{Chande, Rsi, UltimateOscillator};
pub use vigor::{RelativeVigor, RelativeVolatility};
pub use wave::WaveTrend;

use super::registry::Entry;

pub(crate) const TABLES: &[&[Entry]] = &[
    strength::TABLE,
    channel_oscillators::TABLE,
    differences::TABLE,
    changes::TABLE,
    kst::TABLE,
    vigor::TABLE,
    wave::TABLE,
    wrapped::TABLE,
    rarer::TABLE,
];
