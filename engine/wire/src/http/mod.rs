//! HTTP/1.1, the client's side: requests written, answers read, connections kept alive.

mod header;

pub use header::{Header, HeaderError};
