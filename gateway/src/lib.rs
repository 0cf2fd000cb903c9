//! The order gateway: risk gate, order state, venue codecs, paper exchange.
#![deny(clippy::float_arithmetic)]
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::panic))]
#![cfg_attr(test, allow(clippy::disallowed_types, clippy::disallowed_methods))]
