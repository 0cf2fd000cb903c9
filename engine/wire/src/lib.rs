//! What crosses the wire: JSON scanners; later sockets, TLS, WebSocket, HTTP and signing.
#![deny(clippy::float_arithmetic)]
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

pub mod symbols;
