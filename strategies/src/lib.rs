//! Signals, indicators and strategies.
#![allow(rustdoc::broken_intra_doc_links, reason = "formulas index their series in brackets: x[n]")]

// So that a strategy's file reads the same inside this crate and outside, where `docs/strategy.md` is tested.
extern crate self as strategies;

pub mod candles;
pub mod indicators;
pub mod market_maker;
pub mod registry;
pub mod script;
pub mod signal;
pub mod stage;
pub mod strategy;
mod ticks;
