//! Market data: venue decoders, synchronisation, the feed stage.
#![deny(clippy::float_arithmetic)]
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

pub mod capture;
pub mod codec;
mod json;
pub mod stage;
pub mod sync;
pub mod venues;
