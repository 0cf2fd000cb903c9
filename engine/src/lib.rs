//! Words, stages, books, journal: what every other part of Sabrewing agrees on.
#![deny(clippy::float_arithmetic)]
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

pub mod book;
pub mod book_stage;
pub mod candle;
pub mod counters;
pub mod ids;
pub mod instrument;
pub mod journal;
pub mod message;
pub mod num;
pub mod placement;
pub mod ring;
pub mod runner;
pub mod stage;
pub mod stage_log;
pub mod thread_facts;
pub mod time;
