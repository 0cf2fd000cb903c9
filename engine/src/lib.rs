//! Words, stages, books, journal: what every other part of Sabrewing agrees on.
#![deny(clippy::float_arithmetic)]
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

pub mod candle;
pub mod counters;
pub mod ids;
pub mod instrument;
pub mod message;
pub mod num;
pub mod time;
