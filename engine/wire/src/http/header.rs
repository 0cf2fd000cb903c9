//! Headers that we send.

use crate::sign::Secret;
use std::fmt;

/// One header of a request. Its value may be a key, and is not shown.
#[derive(Debug)]
pub struct Header {
    name: String,
    value: Secret,
}

/// What cannot be written into a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeaderError {
    /// The host is empty or has other characters than visible ASCII.
    Host,
    /// The path does not begin with `/` or has other characters than visible ASCII.
    Path,
    /// A header's name is no token (RFC 9110, 5.6.2).
    Name,
    /// A header's value has control characters.
    Value,
    /// It does not fit into the send buffer.
    TooLong,
}

impl fmt::Display for HeaderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Host => "the host name has characters that a request cannot carry",
            Self::Path => "the path does not begin with / or has characters that a request cannot carry",
            Self::Name => "a header's name has characters that a request cannot carry",
            Self::Value => "a header's value has control characters",
            Self::TooLong => "the request does not fit into the send buffer",
        })
    }
}

impl std::error::Error for HeaderError {}

impl Header {
    /// A header; it is checked when it is written.
    #[must_use]
    pub fn new(name: &str, value: Secret) -> Self {
        Self { name: name.to_owned(), value }
    }

    /// Err: [`HeaderError::Name`], [`HeaderError::Value`].
    pub(crate) fn check(&self) -> Result<(), HeaderError> {
        let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        if self.name.is_empty() || !self.name.bytes().all(is_token) {
            return Err(HeaderError::Name);
        }
        let is_value = |byte: &u8| (0x20..0x7F).contains(byte) || *byte == b'\t';
        if self.value.expose().iter().all(is_value) { Ok(()) } else { Err(HeaderError::Value) }
    }

    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        for part in [self.name.as_bytes(), b": ", self.value.expose(), b"\r\n"] {
            out.extend_from_slice(part);
        }
    }
}

impl HeaderError {
    /// Whether a request can name them. Err: [`HeaderError::Host`], [`HeaderError::Path`].
    pub(crate) fn check_target(host: &str, path: &str) -> Result<(), Self> {
        let is_visible = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic());
        if host.is_empty() || !is_visible(host) {
            return Err(Self::Host);
        }
        if path.starts_with('/') && is_visible(path) { Ok(()) } else { Err(Self::Path) }
    }
}
