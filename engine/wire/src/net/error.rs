//! What goes wrong on the way to a peer: host, port and what failed, in one line.

use std::fmt;
use std::io;

/// A connection that could not be made, or ended.
#[derive(Clone, Debug, PartialEq)]
pub struct NetError {
    /// Name or address, as configured.
    pub host: String,
    /// The port.
    pub port: u16,
    /// What failed.
    pub what: What,
}

/// What failed.
#[derive(Clone, Debug, PartialEq)]
pub enum What {
    /// The name has no address, with the resolver's reason.
    Resolve(String),
    /// No address took the connection; the last one's reason.
    Connect(String),
    /// Not done within so many milliseconds.
    ConnectTimeout(u64),
    /// The peer does not speak TLS.
    PlainText,
    /// TLS: a certificate that is not trusted, is for another name or another time, or a broken protocol.
    Tls(rustls::Error),
    /// The TLS handshake was not done within so many milliseconds.
    TlsTimeout(u64),
    /// Receiving failed.
    Recv(String),
    /// Sending failed.
    Send(String),
    /// The peer ended the connection.
    Closed,
    /// The connection ended in the middle of TLS, without its goodbye: what came may be cut short.
    Truncated,
}

impl NetError {
    /// `what` failed with the peer at `host` and `port`.
    #[must_use]
    pub fn new(host: &str, port: u16, what: What) -> Self {
        Self { host: host.to_owned(), port, what }
    }
}

impl What {
    pub(super) fn recv(error: &io::Error) -> Self {
        Self::Recv(error.to_string())
    }

    pub(super) fn send(error: &io::Error) -> Self {
        Self::Send(error.to_string())
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Resolve(reason) => write!(f, "the name cannot be resolved: {reason}"),
            Self::Connect(reason) => write!(f, "cannot connect: {reason}"),
            Self::ConnectTimeout(ms) => write!(f, "cannot connect within {ms} ms"),
            Self::PlainText => f.write_str("the peer does not speak TLS"),
            Self::Tls(error) => write!(f, "TLS: {error}"),
            Self::TlsTimeout(ms) => write!(f, "the TLS handshake was not done within {ms} ms"),
            Self::Recv(reason) => write!(f, "receiving failed: {reason}"),
            Self::Send(reason) => write!(f, "sending failed: {reason}"),
            Self::Closed => f.write_str("the peer ended the connection"),
            Self::Truncated => f.write_str("the connection was cut without TLS's goodbye"),
        }
    }
}

impl fmt::Display for NetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.host, self.port, self.what)
    }
}

impl std::error::Error for NetError {}
