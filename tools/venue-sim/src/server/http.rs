//! HTTP/1.1 as a server: requests read with `httparse`, answers written.

use std::fmt::Write;

/// Longest head of a request, bytes.
const HEAD_BYTES_MAX: usize = 16 << 10;
/// Longest body of a request, bytes.
const BODY_BYTES_MAX: usize = 64 << 10;
const HEADERS_MAX: usize = 64;

/// One request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// `GET`, `POST`, `PUT`, `DELETE`, …
    pub method: String,
    /// Path without the query.
    pub path: String,
    /// What stands behind `?`, as it was sent.
    pub query: String,
    /// The body, as it was sent.
    pub body: String,
    /// Value of `X-MBX-APIKEY`.
    pub api_key: Option<String>,
    /// Value of `Sec-WebSocket-Key` when the request asks for a WebSocket.
    pub web_socket_key: Option<String>,
    /// Whether the connection ends with this request.
    pub closes: bool,
}

/// Why bytes are no request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestError {
    /// Not HTTP/1.x.
    Malformed,
    /// Head or body beyond what is read.
    TooLarge,
    /// A body of unknown length.
    LengthRequired,
    /// A body that is no UTF-8.
    NotText,
    /// An upgrade to something other than WebSocket version 13.
    Upgrade,
}

impl RequestError {
    /// What the client is told before the connection ends.
    #[must_use]
    pub fn response(self) -> Response {
        let (status, text) = match self {
            Self::Malformed => (400, "Malformed request."),
            Self::TooLarge => (413, "Request too large."),
            Self::LengthRequired => (411, "Content-Length required."),
            Self::NotText => (400, "Body is not UTF-8."),
            Self::Upgrade => (426, "Only WebSocket version 13 is spoken here."),
        };
        Response::json(status, format!("{{\"code\":-1000,\"msg\":\"{text}\"}}"))
    }
}

impl Request {
    /// Reads one request from the front of `bytes`. None: more bytes are needed. Also says how many bytes it took.
    /// Err: they never become a request.
    pub fn parse(bytes: &[u8]) -> Result<Option<(Self, usize)>, RequestError> {
        let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
        let mut head = httparse::Request::new(&mut headers);
        let head_len = match head.parse(bytes) {
            Ok(httparse::Status::Complete(len)) if len <= HEAD_BYTES_MAX => len,
            Ok(httparse::Status::Partial) if bytes.len() <= HEAD_BYTES_MAX => return Ok(None),
            Ok(_) | Err(httparse::Error::TooManyHeaders) => return Err(RequestError::TooLarge),
            Err(_) => return Err(RequestError::Malformed),
        };
        let header = |name: &str| {
            let found = head.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name));
            found.and_then(|header| std::str::from_utf8(header.value).ok()).map(str::trim)
        };
        let says = |name: &str, word: &str| {
            let mut words = header(name).unwrap_or_default().split(',');
            words.any(|known| known.trim().eq_ignore_ascii_case(word))
        };
        if header("Transfer-Encoding").is_some() {
            return Err(RequestError::LengthRequired);
        }
        let body_len = match header("Content-Length") {
            None => 0,
            Some(text) => text.parse::<usize>().map_err(|_| RequestError::Malformed)?,
        };
        if body_len > BODY_BYTES_MAX {
            return Err(RequestError::TooLarge);
        }
        let Some(body) = bytes.get(head_len..head_len + body_len) else { return Ok(None) };
        let web_socket_key = match header("Upgrade") {
            None => None,
            Some(_) if says("Upgrade", "websocket") && header("Sec-WebSocket-Version") == Some("13") => {
                Some(header("Sec-WebSocket-Key").ok_or(RequestError::Upgrade)?.to_owned())
            }
            Some(_) => return Err(RequestError::Upgrade),
        };
        let target = head.path.unwrap_or_default();
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let request = Self {
            method: head.method.unwrap_or_default().to_owned(),
            path: path.to_owned(),
            query: query.to_owned(),
            body: std::str::from_utf8(body).map_err(|_| RequestError::NotText)?.to_owned(),
            api_key: header("X-MBX-APIKEY").map(str::to_owned),
            web_socket_key,
            closes: says("Connection", "close") || head.version == Some(0),
        };
        Ok(Some((request, head_len + body_len)))
    }
}

/// One answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// HTTP status.
    pub status: u16,
    /// Headers beside those of the connection and the body.
    pub headers: Vec<(&'static str, String)>,
    /// The body, JSON.
    pub body: String,
}

impl Response {
    /// An answer without headers of its own.
    #[must_use]
    pub const fn json(status: u16, body: String) -> Self {
        Self { status, headers: Vec::new(), body }
    }

    /// The bytes of the answer. `closes` says that the connection ends with it.
    #[must_use]
    pub fn bytes(&self, closes: bool) -> Vec<u8> {
        let mut text = format!("HTTP/1.1 {} {}\r\n", self.status, reason(self.status));
        if self.status != 101 {
            let _ = write!(
                text,
                "Content-Type: application/json;charset=UTF-8\r\nContent-Length: {}\r\n",
                self.body.len()
            );
            text.push_str(if closes { "Connection: close\r\n" } else { "Connection: keep-alive\r\n" });
        }
        for (name, value) in &self.headers {
            let _ = write!(text, "{name}: {value}\r\n");
        }
        text.push_str("\r\n");
        text.push_str(&self.body);
        text.into_bytes()
    }

    /// The answer that turns the connection into a WebSocket.
    #[must_use]
    pub fn upgrade(web_socket_key: &str) -> Self {
        let accept = tungstenite::handshake::derive_accept_key(web_socket_key.as_bytes());
        let headers = vec![
            ("Upgrade", "websocket".to_owned()),
            ("Connection", "Upgrade".to_owned()),
            ("Sec-WebSocket-Accept", accept),
        ];
        Self { status: 101, headers, body: String::new() }
    }
}

fn reason(status: u16) -> &'static str {
    match status {
        101 => "Switching Protocols",
        200 => "OK",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        409 => "Conflict",
        411 => "Length Required",
        413 => "Content Too Large",
        418 => "I'm a teapot",
        426 => "Upgrade Required",
        429 => "Too Many Requests",
        503 => "Service Unavailable",
        _ => "Bad Request",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const POST: &[u8] =
        b"POST /api/v3/order?a=1 HTTP/1.1\r\nHost: x\r\nx-mbx-apikey: K\r\nContent-Length: 3\r\n\r\nb=2";

    #[test]
    fn a_request_is_read_when_its_last_byte_is_there_and_not_before() {
        for len in 0..POST.len() {
            assert_eq!(Request::parse(&POST[..len]), Ok(None), "{len}");
        }
        let (request, taken) = Request::parse(&[POST, b"GET /"].concat()).unwrap().unwrap();
        assert_eq!(taken, POST.len());
        assert_eq!((request.method.as_str(), request.path.as_str()), ("POST", "/api/v3/order"));
        assert_eq!((request.query.as_str(), request.body.as_str()), ("a=1", "b=2"));
        assert_eq!(request.api_key.as_deref(), Some("K"));
    }

    #[test]
    fn what_never_becomes_a_request_is_refused_by_kind() {
        let parse = |text: &str| Request::parse(text.as_bytes()).unwrap_err();
        assert_eq!(parse("\x16\x03\x01 hello\r\n\r\n"), RequestError::Malformed);
        assert_eq!(
            parse("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"),
            RequestError::LengthRequired
        );
        assert_eq!(parse("POST / HTTP/1.1\r\nContent-Length: 65537\r\n\r\n"), RequestError::TooLarge);
        assert_eq!(parse("POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n"), RequestError::Malformed);
        assert_eq!(parse("GET / HTTP/1.1\r\nUpgrade: h2c\r\n\r\n"), RequestError::Upgrade);
        assert_eq!(parse(&format!("GET /{} HTTP/1.1\r\n\r\n", "a".repeat(17_000))), RequestError::TooLarge);
        assert_eq!(
            Request::parse(b"POST / HTTP/1.1\r\nContent-Length: 1\r\n\r\n\xff").unwrap_err(),
            RequestError::NotText
        );
        for error in [RequestError::Malformed, RequestError::TooLarge, RequestError::Upgrade] {
            assert!(error.response().status >= 400);
        }
    }

    proptest! {
        #[test]
        fn bytes_of_any_kind_are_a_request_that_fits_or_none(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(Some((request, taken))) = Request::parse(&bytes) {
                prop_assert!(taken <= bytes.len() && request.body.len() <= taken);
                prop_assert!(!request.path.contains('?'));
            }
        }

        #[test]
        fn a_damaged_request_reads_the_same_or_is_another(at in 0..POST.len(), byte in any::<u8>()) {
            let mut bytes = POST.to_vec();
            bytes[at] = byte;
            if let Ok(Some((_, taken))) = Request::parse(&bytes) {
                prop_assert!(taken <= bytes.len());
            }
        }
    }
}
