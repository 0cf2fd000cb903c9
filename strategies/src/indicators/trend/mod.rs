//! Trend: moving averages and what follows a move.

mod adaptive;
mod averages;
mod directional;
mod filters;
mod ichimoku;
mod lines;
mod stops;
mod weighted;
mod wrapped;

pub use averages::{Dema, Hma, Kama, T3, Tema, Trima, Vwma, Zlema};
pub use directional::{Adx, Dx};
pub use filters::Recursive;
pub use ichimoku::Ichimoku;
pub use lines::LinearRegression;
pub use stops::{ParabolicSar, Supertrend};
pub use weighted::Weighted;

use super::registry::Entry;

pub(crate) const TABLES: &[&[Entry]] = &[
    averages::TABLE,
    lines::TABLE,
    directional::TABLE,
    stops::TABLE,
    ichimoku::TABLE,
    wrapped::TABLE,
    weighted::TABLE,
    filters::TABLE,
    adaptive::TABLE,
];
