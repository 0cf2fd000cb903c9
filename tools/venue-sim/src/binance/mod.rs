//! Binance's dialect, spot and USD-M futures: requests in, answers and events out, as text. No socket and no clock.

pub mod auth;
pub(crate) mod calls;
pub(crate) mod candles;
pub(crate) mod control;
pub(crate) mod desk;
pub(crate) mod exchange_info;
pub mod failure;
pub(crate) mod futures_calls;
pub(crate) mod json;
pub(crate) mod limits;
pub(crate) mod order_text;
pub(crate) mod orders;
pub mod params;
pub(crate) mod public_calls;
pub(crate) mod publisher;
pub(crate) mod render;
pub(crate) mod spot_calls;
pub(crate) mod statistics;
pub(crate) mod streams;
pub(crate) mod user_events;

pub(crate) use calls::{Endpoint, Security, Weight};
pub(crate) use desk::Desk;
pub(crate) use json::Json;
pub(crate) use limits::LimitTerms;
