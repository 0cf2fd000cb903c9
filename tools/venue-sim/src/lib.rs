//! A simulated venue that speaks Binance's protocol over TLS, WebSocket and HTTP.

pub mod binance;
pub mod exchange;
pub mod outbox;
pub mod server;
