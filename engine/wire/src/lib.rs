//! What crosses the wire: sockets, TLS, WebSocket, HTTP, sessions, JSON scanners and signing.
//!
//! A scanner reads frames whose shape it knows by heart: the same keys in the same order, no white space.
//! It either reads the whole frame exactly or says that the frame is of another shape; it is never lenient.
//! No venue is known here.
#![deny(clippy::float_arithmetic)]
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod chunk;
pub mod cursor;
pub mod decimal;
pub mod driver;
pub mod http;
pub mod json;
pub mod net;
pub mod outbox;
pub mod pairs;
pub mod print;
pub mod random;
pub mod session;
pub mod sign;
pub mod symbols;
pub mod tls;
pub mod url;
pub mod ws;
