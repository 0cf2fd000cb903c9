//! Signals, indicators and strategies.

pub mod quoter;
pub mod signal;
pub mod stage;
