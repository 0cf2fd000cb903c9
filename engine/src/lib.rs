//! Words, stages, books, journal: what every other part of Sabrewing agrees on.
#![deny(clippy::float_arithmetic)]
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::panic))]
#![cfg_attr(test, allow(clippy::disallowed_types, clippy::disallowed_methods))]

pub mod book;
pub mod book_stage;
pub mod candle;
pub mod commands;
pub mod counters;
pub mod data_dir;
pub mod decisions;
pub mod fees;
pub mod histogram;
pub mod ids;
pub mod instrument;
pub mod journal;
pub mod latency;
pub mod message;
pub mod num;
pub mod order;
pub mod placement;
pub mod position;
pub mod record_copies;
pub mod ring;
pub mod risk;
pub mod runner;
pub mod stage;
pub mod stage_log;
pub mod thread_facts;
pub mod time;
pub mod watchdog;
