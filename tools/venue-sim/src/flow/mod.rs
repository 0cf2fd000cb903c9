//! Everybody else: the orders that make a market of an exchange, from a seed or from a recorded market.

pub mod capture;
pub mod compare;
pub mod generator;
pub mod random;
pub mod replay;
pub mod statistics;
