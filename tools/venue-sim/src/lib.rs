//! A simulated venue: a matching engine with accounts, and order flow that looks like a market.
//!
//! [`exchange`] is pure: requests and time come in, events go out. [`flow`] makes the requests of everybody else,
//! from a seed or from a recorded market.
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

pub mod exchange;
pub mod flow;
pub mod markets;
