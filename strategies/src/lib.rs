//! Signals, indicators and strategies.

pub mod candles;
pub mod indicators;
