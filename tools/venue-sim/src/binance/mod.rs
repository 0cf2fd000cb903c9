//! Binance's dialect, spot and USD-M futures: requests in, answers and events out, as text. No socket and no clock.

pub mod auth;
pub mod calls;
pub mod candles;
pub mod control;
pub mod desk;
pub mod exchange_info;
pub mod failure;
pub mod futures_calls;
pub mod json;
pub mod limits;
pub mod order_text;
pub mod orders;
pub mod params;
pub mod public_calls;
pub mod publisher;
pub mod render;
pub mod spot_calls;
pub mod statistics;
pub mod streams;
pub mod user_events;

pub use calls::{Call, Endpoint, Security, Weight};
pub use desk::{Asked, Desk};
pub use json::Json;
pub use limits::{LimitTerms, Limits};
