//! Signals, indicators and strategies.
