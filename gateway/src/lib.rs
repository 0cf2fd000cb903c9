//! The order gateway: targets in, approved and journalled orders out, answers back.
#![deny(clippy::float_arithmetic)]
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::panic))]
#![cfg_attr(test, allow(clippy::disallowed_types, clippy::disallowed_methods))]

pub mod client_order_id;
pub mod codec;
pub mod counterparty;
pub mod heard;
pub mod lanes;
pub mod latency;
pub mod manager;
pub mod paper;
pub mod recovery;
pub mod stage;
pub mod throttle;
pub mod venues;
