//! Where a connection goes, as a person writes it: `wss://host:port/path`.

use std::fmt::{self, Write as _};

/// A URL of one of the schemes `ws`, `wss`, `http`, `https`, without user, password or fragment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url {
    is_secure: bool,
    host: String,
    port: u16,
    path: String,
}

/// What is wrong with a URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UrlError {
    /// Not one of the four schemes.
    Scheme,
    /// No host, or one with a character that no host has; a user or password.
    Host,
    /// Not a port.
    Port,
    /// A path with white space or control characters, or a fragment.
    Path,
}

impl fmt::Display for UrlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Scheme => "does not begin with ws://, wss://, http:// or https://",
            Self::Host => "has no host, or one that is none",
            Self::Port => "has a port that is none",
            Self::Path => "has a path that is none",
        })
    }
}

impl std::error::Error for UrlError {}

impl Url {
    /// Reads a URL. Err: see [`UrlError`].
    pub fn parse(text: &str) -> Result<Self, UrlError> {
        let (scheme, rest) = text.split_once("://").ok_or(UrlError::Scheme)?;
        let is_secure = match scheme {
            "ws" | "http" => false,
            "wss" | "https" => true,
            _ => return Err(UrlError::Scheme),
        };
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        if authority.contains('@') {
            return Err(UrlError::Host);
        }
        let usual = if is_secure { 443 } else { 80 };
        // An IPv6 address stands in brackets, with colons of its own.
        let (host, port) = match authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((host, "")) => (host, None),
            Some((host, rest)) => (host, Some(rest.strip_prefix(':').ok_or(UrlError::Port)?)),
            None => match authority.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (authority, None),
            },
        };
        let is_host = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b':');
        if host.is_empty() || !host.bytes().all(is_host) {
            return Err(UrlError::Host);
        }
        let port = port.map_or(Ok(usual), |port| port.parse().map_err(|_| UrlError::Port))?;
        if path.bytes().any(|b| !b.is_ascii_graphic() || b == b'#') {
            return Err(UrlError::Path);
        }
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        Ok(Self { is_secure, host: host.to_owned(), port, path })
    }

    /// TLS.
    #[must_use]
    pub const fn is_secure(&self) -> bool {
        self.is_secure
    }

    /// Name or address, without brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port; the scheme's own where the URL names none.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Path and query, from `/` on.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Whether the host is this machine by its name or address.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        self.host == "localhost"
            || self.host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
    }
}

/// A text as a query carries it (RFC 3986, 2.1): it may hold any characters, requests only some of ASCII.
#[must_use]
pub fn encoded(text: &str) -> String {
    let mut query = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                query.push(char::from(byte));
            }
            // Writing to a string cannot fail.
            _ => drop(write!(query, "%{byte:02X}")),
        }
    }
    query
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_encoded_is_part_of_a_path_whatever_it_held() {
        assert_eq!(encoded("A-z_0.9~"), "A-z_0.9~");
        assert_eq!(encoded("a b&c=\u{5E01}/%"), "a%20b%26c%3D%E5%B8%81%2F%25");
        let url = format!("https://a.b/c?d={}", encoded("\0\n \u{1F4B0}#"));
        assert_eq!(
            Url::parse(&url).map(|url| url.path().to_owned()),
            Ok("/c?d=%00%0A%20%F0%9F%92%B0%23".into())
        );
    }

    #[test]
    fn urls_are_taken_apart() {
        let parts = |text| Url::parse(text).map(|url| (url.is_secure, url.host, url.port, url.path));
        let whole =
            |secure, host: &str, port, path: &str| Ok((secure, host.to_owned(), port, path.to_owned()));
        assert_eq!(parts("wss://a.b:9443/ws?x=1"), whole(true, "a.b", 9443, "/ws?x=1"));
        assert_eq!(parts("https://a.b"), whole(true, "a.b", 443, "/"));
        assert_eq!(parts("http://127.0.0.1?x"), whole(false, "127.0.0.1", 80, "/?x"));
        assert_eq!(parts("ws://[::1]:80/"), whole(false, "::1", 80, "/"));
        assert_eq!(parts("ws://[::1]"), whole(false, "::1", 80, "/"));
    }

    #[test]
    fn what_is_none_is_refused_with_what_is_wrong() {
        for (text, error) in [
            ("a.b", UrlError::Scheme),
            ("ftp://a.b", UrlError::Scheme),
            ("wss://", UrlError::Host),
            ("wss://user:secret@a.b/", UrlError::Host),
            ("wss://a b/", UrlError::Host),
            ("wss://a.b:99999", UrlError::Port),
            ("wss://a.b:", UrlError::Port),
            ("wss://[::1]9", UrlError::Port),
            ("wss://a.b/x y", UrlError::Path),
            ("wss://a.b/x#y", UrlError::Path),
        ] {
            assert_eq!(Url::parse(text), Err(error), "{text}");
        }
    }

    #[test]
    fn only_this_machine_is_loopback() {
        let is = |text| Url::parse(text).is_ok_and(|url| url.is_loopback());
        assert!(is("ws://localhost:1") && is("ws://127.8.0.1:1") && is("ws://[::1]:1"));
        assert!(!is("ws://localhost.example:1") && !is("ws://10.0.0.1:1"));
    }
}
