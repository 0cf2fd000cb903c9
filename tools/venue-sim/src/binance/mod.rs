//! Binance's dialect, spot and USD-M futures.

pub mod auth;
pub mod candles;
pub mod failure;
pub mod json;
pub mod limits;
pub mod order_text;
pub mod orders;
pub mod params;
pub mod publisher;
pub mod render;
pub mod statistics;
pub mod streams;
pub mod user_events;
