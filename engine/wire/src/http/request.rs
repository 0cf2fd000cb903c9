//! Requests as bytes.

use super::{Header, HeaderError};

/// What is asked of a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Read it.
    Get,
    /// Read its headers alone.
    Head,
    /// Act on it.
    Post,
    /// Replace it.
    Put,
    /// Remove it.
    Delete,
}

impl Method {
    /// As it is written.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Delete => "DELETE",
        }
    }
}

/// A request.
#[derive(Debug)]
pub struct Request<'a> {
    /// What is asked.
    pub method: Method,
    /// Path and query, from `/` on.
    pub path: &'a str,
    /// Headers beside `Host` and `Content-Length`, which are written here.
    pub headers: &'a [Header],
    /// The body; empty for most.
    pub body: &'a [u8],
}

impl<'a> Request<'a> {
    /// A request without headers or a body.
    #[must_use]
    pub const fn new(method: Method, path: &'a str) -> Self {
        Self { method, path, headers: &[], body: &[] }
    }

    /// Appends the request to the host of that header to `out`. Err: it cannot be written; nothing was appended.
    pub fn write(&self, host: &str, out: &mut Vec<u8>) -> Result<(), HeaderError> {
        HeaderError::check_target(host, self.path)?;
        for header in self.headers {
            header.check()?;
        }
        for part in [self.method.name(), " ", self.path, " HTTP/1.1\r\nHost: ", host, "\r\n"] {
            out.extend_from_slice(part.as_bytes());
        }
        for header in self.headers {
            header.write(out);
        }
        if !self.body.is_empty() || matches!(self.method, Method::Post | Method::Put) {
            out.extend_from_slice(format!("Content-Length: {}\r\n", self.body.len()).as_bytes());
        }
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(self.body);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sign::Secret;

    fn written(request: &Request<'_>) -> String {
        let mut out = Vec::new();
        request.write("api.test:8443", &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn requests_with_and_without_a_body() {
        let get = Request::new(Method::Get, "/api/v3/depth?symbol=BTCUSDT");
        assert_eq!(written(&get), "GET /api/v3/depth?symbol=BTCUSDT HTTP/1.1\r\nHost: api.test:8443\r\n\r\n");
        let headers = [Header::new("X-MBX-APIKEY", Secret::new(b"k1".to_vec()))];
        let post = Request { method: Method::Post, path: "/order", headers: &headers, body: b"a=1" };
        let expected =
            "POST /order HTTP/1.1\r\nHost: api.test:8443\r\nX-MBX-APIKEY: k1\r\nContent-Length: 3\r\n\r\na=1";
        assert_eq!(written(&post), expected);
        assert!(!format!("{post:?}").contains("k1"));
        assert!(written(&Request::new(Method::Put, "/key")).ends_with("Content-Length: 0\r\n\r\n"));
        assert!(written(&Request::new(Method::Delete, "/key")).starts_with("DELETE /key HTTP/1.1\r\n"));
    }

    #[test]
    fn a_request_that_would_be_two_is_refused() {
        let mut out = Vec::new();
        let smuggled = Request::new(Method::Get, "/a HTTP/1.1\r\nX: y");
        assert_eq!(smuggled.write("h", &mut out), Err(HeaderError::Path));
        let headers = [Header::new("A b", Secret::new(vec![]))];
        let named = Request { headers: &headers, ..Request::new(Method::Get, "/") };
        assert_eq!(named.write("h", &mut out), Err(HeaderError::Name));
        assert!(out.is_empty());
    }
}
