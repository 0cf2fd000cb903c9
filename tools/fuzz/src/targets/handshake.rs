//! The way to a session: answers to the WebSocket handshake, requests with an operator's path and header, and what a
//! peer sends in place of TLS.
//!
//! Input: a path, a header's value, and what a server answers, by lines `\n`; the answer is the rest.

use crate::driver::Outcome;
use crate::truth::outcome;
use wire::http::{Header, HeaderError, Method, Request};
use wire::sign::Secret;
use wire::tls::{TlsConfig, TlsStream};
use wire::ws::handshake::{ANSWER_BYTES_MAX, Accept, Key, accept, read_answer, write_request};
use wire::ws::{HandshakeError, Next, Upgrade, WebSocket};

/// RFC 6455, 1.3.
const KEY: &Key = b"dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &Accept = b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// Runs one input.
pub fn target(data: &[u8]) -> Outcome {
    assert_eq!(&accept(KEY), ACCEPT);
    let mut lines = data.splitn(3, |byte| *byte == b'\n');
    let mut line = || lines.next().unwrap_or_default();
    let (path, value, bytes) = (String::from_utf8_lossy(line()).into_owned(), line(), line());
    let written = request(&path, value);
    let answer = answer(bytes);
    let tls = secured(bytes);
    outcome((written.is_ok(), format!("{written:?} {:?} {tls:?}", answer.map(|end| end.is_some()))))
}

/// A request is written whole, with one head that says what was asked; or not at all.
fn request(path: &str, value: &[u8]) -> Result<(), HeaderError> {
    let headers = [Header::new("X-Key", Secret::new(value.to_vec()))];
    let mut texts = [Vec::new(), Vec::new()];
    let [upgrade, get] = &mut texts;
    let written = write_request(&Upgrade { host: "venue.test", path, headers: &headers }, KEY, upgrade);
    let request = Request { headers: &headers, ..Request::new(Method::Get, path) };
    assert_eq!(request.write("venue.test", get), written);
    for (text, lines) in texts.iter().zip([7, 3]) {
        assert_eq!(text.is_empty(), written.is_err(), "{written:?}");
        if written.is_ok() {
            let text = std::str::from_utf8(text).expect("ASCII");
            let found: Vec<&str> = text.strip_suffix("\r\n\r\n").expect("an end").split("\r\n").collect();
            assert_eq!((found.len(), found[0]), (lines, format!("GET {path} HTTP/1.1").as_str()));
            let says = |line: &str| found.contains(&line);
            assert!(says("Host: venue.test") && says(&format!("X-Key: {}", String::from_utf8_lossy(value))));
        }
    }
    written
}

/// An answer opens a WebSocket with its last byte, not before; the WebSocket as used says the same.
fn answer(bytes: &[u8]) -> Result<Option<usize>, HandshakeError> {
    let found = read_answer(bytes, ACCEPT);
    if let Ok(Some(end)) = found {
        assert!(end <= bytes.len() && bytes[..end].ends_with(b"\n"));
        let text = String::from_utf8_lossy(&bytes[..end]).into_owned();
        assert!(text.contains(" 101") && text.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "{text}");
        assert!(!text.to_ascii_lowercase().contains("\nsec-websocket-extensions"), "{text}");
        for cut in 0..end {
            assert_eq!(read_answer(&bytes[..cut], ACCEPT), Ok(None), "after {cut} bytes");
        }
    }
    let mut socket = WebSocket::new(1_024, 1_024, 1);
    socket.begin(&Upgrade { host: "venue.test", path: "/", headers: &[] }).expect("a request");
    let bytes = &bytes[..bytes.len().min(2 * ANSWER_BYTES_MAX)];
    socket.room()[..bytes.len()].copy_from_slice(bytes);
    socket.received(bytes.len());
    // Its key is another: nothing opens it but an answer to that key.
    assert_ne!(socket.advance(), Ok(Next::Opened));
    assert!(!socket.is_open());
    found
}

/// What is no TLS server's gives no data and no end of the handshake.
fn secured(bytes: &[u8]) -> Option<bool> {
    // A key exchange for each input would be slow: only what begins as a record does.
    if !matches!(bytes.first(), Some(0x14..=0x17)) {
        return None;
    }
    let config = TlsConfig::public().expect("roots");
    let mut stream = TlsStream::new(&config, "venue.test").expect("a name");
    let room = stream.room(usize::MAX);
    let bytes = &bytes[..bytes.len().min(room.len())];
    room[..bytes.len()].copy_from_slice(bytes);
    stream.received(bytes.len());
    let went_on = stream.handshake().is_ok();
    assert!(stream.is_handshaking() && !stream.is_peer_closed());
    if went_on {
        assert!(stream.process(&mut vec![0; 40_000]).unwrap_or(0) == 0, "data without a handshake");
        assert!(stream.write(b"order").unwrap_or(0) == 0, "data before the handshake");
    }
    Some(went_on)
}
