//! One module a target, or two where they share their checks.

pub mod binance;
pub mod capture;
pub mod commands;
pub mod config;
pub mod counters;
pub mod decisions;
pub mod detect;
pub mod events;
pub mod handshake;
pub mod heard;
pub mod http;
pub mod hyperliquid;
pub mod indicators;
pub mod instruments;
pub mod journal;
pub mod keys;
pub mod lines;
pub mod num;
pub mod orders;
pub mod played;
pub mod recovery;
pub mod stage;
pub mod streams;
pub mod venue;
pub mod websocket;
pub mod wire;
