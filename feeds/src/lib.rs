//! Market data: venue decoders, synchronisation, the feed stage.
#![deny(clippy::float_arithmetic)]
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::panic))]
#![cfg_attr(test, allow(clippy::disallowed_types, clippy::disallowed_methods))]

pub mod arbiter;
pub mod capture;
pub mod codec;
pub mod detect;
pub mod instruments;
pub mod instruments_recorded;
mod json;
pub mod live;
pub mod renewal;
pub mod stage;
pub mod sync;
pub mod venues;
pub mod watch;
