//! Features for models: what a learner is fed, each defined where its inputs are and nowhere else.

mod calendar;
mod pairs;
mod regime;
mod shape;

pub use calendar::TimeEncoding;
pub use pairs::{Cointegration, ReturnRegression};
pub use regime::Regime;
pub use shape::{CandleShape, Lag, LogReturn, Rank};

use super::registry::Entry;

pub(crate) const TABLES: &[&[Entry]] = &[shape::TABLE, calendar::TABLE, pairs::TABLE, regime::TABLE];
