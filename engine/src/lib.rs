//! Words, stages, books, journal: what every other part of Sabrewing agrees on.
#![deny(clippy::float_arithmetic)]
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

pub mod ids;
pub mod journal;
pub mod time;
