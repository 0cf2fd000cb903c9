//! Signals, indicators and strategies.
#![allow(rustdoc::broken_intra_doc_links, reason = "formulas index their series in brackets: x[n]")]

pub mod candles;
pub mod indicators;
pub mod market_maker;
pub mod registry;
pub mod signal;
pub mod stage;
pub mod strategy;
mod ticks;
