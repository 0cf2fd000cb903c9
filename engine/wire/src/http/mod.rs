//! HTTP/1.1, the client's side: requests written, answers read, connections kept alive and spare ones kept warm.

mod client;
mod header;
mod request;
mod response;

pub use client::{HttpClient, HttpConfig, HttpError, Ticket};
pub use header::{Header, HeaderError};
pub use request::{Method, Request};
pub use response::{Response, ResponseError, ResponseReader};
