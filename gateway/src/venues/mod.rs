//! The venues, one room each: what their orders do differently.

pub mod binance;
