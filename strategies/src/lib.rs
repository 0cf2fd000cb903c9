//! Signals, indicators and strategies.

pub mod candles;
pub mod indicators;
pub mod quoter;
pub mod signal;
pub mod stage;
