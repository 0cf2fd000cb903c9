//! The opening handshake of RFC 6455, section 4: a request written, an answer checked. No extension and no
//! subprotocol is asked for, so that none may be answered.

use crate::http::{Header, HeaderError};
use crate::sign::base64;
use aws_lc_rs::digest::{Context, SHA1_FOR_LEGACY_USE_ONLY};
use std::fmt;

/// What is asked of a server.
#[derive(Debug)]
pub struct Upgrade<'a> {
    /// The `Host` header: the name, and the port where it is not the scheme's own.
    pub host: &'a str,
    /// Path and query, from `/` on. May hold a key: it is in no error and no `Debug` of a session.
    pub path: &'a str,
    /// Further headers.
    pub headers: &'a [Header],
}

/// `Sec-WebSocket-Key`: the base64 of 16 bytes.
pub type Key = [u8; 24];

/// `Sec-WebSocket-Accept`: the base64 of a SHA-1.
pub type Accept = [u8; 28];

/// Why an answer opens no WebSocket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HandshakeError {
    /// Not HTTP/1.1.
    NotHttp,
    /// Headers of more than [`ANSWER_BYTES_MAX`] bytes, or more than [`HEADERS_MAX`] of them.
    TooLong,
    /// Another status than 101.
    Status {
        /// The status.
        status: u16,
        /// `Retry-After`, seconds.
        retry_after_s: Option<u32>,
    },
    /// Status 101, and not `Upgrade: websocket` with `Connection: Upgrade`.
    NotWebSocket,
    /// `Sec-WebSocket-Accept` is missing, or is not that of our key.
    Accept,
    /// An extension or subprotocol that was not asked for: compression is refused.
    Extension,
}

impl fmt::Display for HandshakeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotHttp => f.write_str("the answer to the WebSocket handshake is not HTTP/1.1"),
            Self::TooLong => f.write_str("the answer to the WebSocket handshake has too many headers"),
            Self::Status { status, retry_after_s: None } => {
                write!(f, "the WebSocket handshake was refused with HTTP status {status}")
            }
            Self::Status { status, retry_after_s: Some(seconds) } => {
                write!(
                    f,
                    "the WebSocket handshake was refused with HTTP status {status}, retry after {seconds} s"
                )
            }
            Self::NotWebSocket => {
                f.write_str("the answer to the WebSocket handshake upgrades to something else")
            }
            Self::Accept => f.write_str("Sec-WebSocket-Accept is not that of our key"),
            Self::Extension => f.write_str("the server answered with an extension that was not asked for"),
        }
    }
}

impl std::error::Error for HandshakeError {}

/// The key header of 16 random bytes.
#[must_use]
pub fn key(nonce: &[u8; 16]) -> Key {
    base64(nonce)
}

/// What a server must answer to `key` (RFC 6455, 4.2.2).
#[must_use]
pub fn accept(key: &Key) -> Accept {
    let mut context = Context::new(&SHA1_FOR_LEGACY_USE_ONLY);
    context.update(key);
    context.update(b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    let digest = context.finish();
    base64::<20, 28>(digest.as_ref().first_chunk().unwrap_or(&[0; 20]))
}

/// Appends the request to `out`. Err: a header that would break the request; nothing was appended.
pub fn write_request(upgrade: &Upgrade<'_>, key: &Key, out: &mut Vec<u8>) -> Result<(), HeaderError> {
    HeaderError::check_target(upgrade.host, upgrade.path)?;
    for header in upgrade.headers {
        header.check()?;
    }
    for part in [b"GET ", upgrade.path.as_bytes(), b" HTTP/1.1\r\nHost: ", upgrade.host.as_bytes()] {
        out.extend_from_slice(part);
    }
    out.extend_from_slice(b"\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n");
    for part in [b"Sec-WebSocket-Key: ", &key[..], b"\r\n"] {
        out.extend_from_slice(part);
    }
    for header in upgrade.headers {
        header.write(out);
    }
    out.extend_from_slice(b"\r\n");
    Ok(())
}

/// Reads the answer at the start of `bytes`. Returns its length: what follows are frames. None: its end has not come.
/// Err: it opens no WebSocket.
pub fn read_answer(bytes: &[u8], accept: &Accept) -> Result<Option<usize>, HandshakeError> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut response = httparse::Response::new(&mut headers);
    let head_bytes = match response.parse(bytes) {
        Ok(httparse::Status::Complete(count)) if count <= ANSWER_BYTES_MAX => count,
        Ok(httparse::Status::Partial) if bytes.len() < ANSWER_BYTES_MAX => return Ok(None),
        Ok(_) | Err(httparse::Error::TooManyHeaders) => return Err(HandshakeError::TooLong),
        Err(_) => return Err(HandshakeError::NotHttp),
    };
    let header = |name: &str| {
        response
            .headers
            .iter()
            .find(|header| header.name.eq_ignore_ascii_case(name))
            .map(|header| header.value)
    };
    let status = response.code.unwrap_or_default();
    if status != 101 {
        let retry_after_s =
            header("retry-after").and_then(|value| std::str::from_utf8(value).ok()?.trim().parse().ok());
        return Err(HandshakeError::Status { status, retry_after_s });
    }
    let says = |name: &str, word: &str| {
        header(name).is_some_and(|value| {
            value
                .split(|byte| *byte == b',')
                .any(|part| part.trim_ascii().eq_ignore_ascii_case(word.as_bytes()))
        })
    };
    if response.version != Some(1) || !says("upgrade", "websocket") || !says("connection", "upgrade") {
        return Err(HandshakeError::NotWebSocket);
    }
    if header("sec-websocket-accept").map(<[u8]>::trim_ascii) != Some(accept) {
        return Err(HandshakeError::Accept);
    }
    if header("sec-websocket-extensions").is_some() || header("sec-websocket-protocol").is_some() {
        return Err(HandshakeError::Extension);
    }
    Ok(Some(head_bytes))
}

/// Longest answer, bytes.
pub const ANSWER_BYTES_MAX: usize = 16 * 1024;

/// Most headers of an answer.
pub const HEADERS_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sign::Secret;

    /// RFC 6455, 1.3.
    const KEY: &Key = b"dGhlIHNhbXBsZSBub25jZQ==";
    const ACCEPT: &Accept = b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
    const ANSWER: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                          Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

    fn error(answer: &str) -> HandshakeError {
        read_answer(answer.as_bytes(), ACCEPT).unwrap_err()
    }

    #[test]
    fn the_key_and_its_answer_are_those_of_the_rfc() {
        assert_eq!(&key(b"the sample nonce"), KEY);
        assert_eq!(&accept(KEY), ACCEPT);
    }

    #[test]
    fn the_request_is_written_with_its_headers() {
        let headers = [Header::new("X-MBX-APIKEY", Secret::new(b"abc".to_vec()))];
        let upgrade = Upgrade { host: "localhost:9443", path: "/ws?a=b", headers: &headers };
        let mut out = Vec::new();
        write_request(&upgrade, KEY, &mut out).unwrap();
        let expected = "GET /ws?a=b HTTP/1.1\r\nHost: localhost:9443\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                        Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
                        X-MBX-APIKEY: abc\r\n\r\n";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
        assert!(!format!("{upgrade:?}").contains("abc"));
    }

    #[test]
    fn what_would_break_the_request_is_refused() {
        let mut out = Vec::new();
        let mut refused = |host, path, value: &str| {
            let headers = [Header::new("A", Secret::new(value.as_bytes().to_vec()))];
            let error = write_request(&Upgrade { host, path, headers: &headers }, KEY, &mut out).unwrap_err();
            assert!(out.is_empty());
            error
        };
        assert_eq!(refused("h", "/a b", ""), HeaderError::Path);
        assert_eq!(refused("h", "a", ""), HeaderError::Path);
        assert_eq!(refused("h\r\nX: 1", "/", ""), HeaderError::Host);
        assert_eq!(refused("h", "/", "1\r\nX: 2"), HeaderError::Value);
    }

    #[test]
    fn the_answer_ends_where_the_frames_begin() {
        let with_frame = format!("{ANSWER}\u{1}");
        assert_eq!(read_answer(with_frame.as_bytes(), ACCEPT), Ok(Some(ANSWER.len())));
        for cut in 0..ANSWER.len() {
            assert_eq!(read_answer(&ANSWER.as_bytes()[..cut], ACCEPT), Ok(None), "after {cut} bytes");
        }
        let lenient =
            ANSWER.replace("Upgrade\r", "keep-alive, upgrade\r").replace("Upgrade: w", "UPGRADE: W");
        assert_eq!(read_answer(lenient.as_bytes(), ACCEPT), Ok(Some(lenient.len())));
    }

    #[test]
    fn every_answer_that_opens_nothing_has_its_error() {
        assert_eq!(error("SSH-2.0-OpenSSH\r\n"), HandshakeError::NotHttp);
        assert_eq!(error(&ANSWER.replace("websocket", "h2c")), HandshakeError::NotWebSocket);
        assert_eq!(
            error(&ANSWER.replace("Connection: Upgrade", "Connection: close")),
            HandshakeError::NotWebSocket
        );
        assert_eq!(error(&ANSWER.replace("s3p", "S3p")), HandshakeError::Accept);
        assert_eq!(error(&ANSWER.replace("Sec-WebSocket-Accept", "X")), HandshakeError::Accept);
        let with = |header: &str| ANSWER.replace("\r\n\r\n", &format!("\r\n{header}\r\n\r\n"));
        assert_eq!(error(&with("Sec-WebSocket-Extensions: permessage-deflate")), HandshakeError::Extension);
        assert_eq!(error(&with("Sec-WebSocket-Protocol: chat")), HandshakeError::Extension);
        assert_eq!(error(&with(&"A: b\r\n".repeat(70))), HandshakeError::TooLong);
        assert_eq!(error(&format!("HTTP/1.1 101 {}", "x".repeat(ANSWER_BYTES_MAX))), HandshakeError::TooLong);
        let refused = error("HTTP/1.1 429 Too Many Requests\r\nRetry-After: 7\r\n\r\n");
        assert_eq!(refused, HandshakeError::Status { status: 429, retry_after_s: Some(7) });
        assert!(refused.to_string().ends_with("HTTP status 429, retry after 7 s"));
    }
}
