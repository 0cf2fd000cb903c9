//! Sockets.
mod certificates;
mod connection;
mod http;
pub use certificates::{CertificateError, Certificates};
pub use connection::{Connection, Said};
pub use http::{Request, RequestError, Response};
