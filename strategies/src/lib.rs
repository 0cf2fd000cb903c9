//! Signals, indicators and strategies.
#![allow(rustdoc::broken_intra_doc_links, reason = "formulas index their series in brackets: x[n]")]

pub mod candles;
pub mod indicators;
pub mod quoter;
pub mod signal;
pub mod stage;
