//! A simulated venue: a matching engine with accounts, order flow that looks like a market, and Binance's protocol over
//! TLS, WebSocket and HTTP in front of them.
//!
//! [`exchange`] is pure: requests and time come in, events go out. [`flow`] makes the requests of everybody else,
//! from a seed or from a recorded market. [`binance`] reads requests and prints answers and events as Binance does,
//! [`server`] carries them over sockets, and [`faults`] spoils what is sent where a test asks for it. [`venue`] joins
//! them without a socket or a clock.
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

pub mod binance;
mod cli;
pub mod exchange;
pub mod faults;
pub mod flow;
pub mod markets;
pub mod outbox;
pub mod server;
pub mod venue;

pub use cli::main;
