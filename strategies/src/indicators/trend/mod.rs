//! Trend: moving averages and what follows a move.

mod averages;
mod directional;
mod ichimoku;
mod lines;
mod stops;
mod wrapped;

pub use averages::{Dema, Hma, Kama, T3, Tema, Trima, Vwma, Zlema};
pub use directional::{Adx, Dx};
pub use ichimoku::Ichimoku;
pub use lines::LinearRegression;
pub use stops::{ParabolicSar, Supertrend};

use super::registry::Entry;

pub(crate) const TABLES: &[&[Entry]] =
    &[averages::TABLE, lines::TABLE, directional::TABLE, stops::TABLE, ichimoku::TABLE, wrapped::TABLE];
