//! Signals, indicators and strategies.

pub mod indicators;
