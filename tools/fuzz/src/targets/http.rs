//! HTTP answers: read the same however the bytes are split; a body is what a slow reading finds; a header is what the
//! head says; nothing is read beyond the limit.
//!
//! Input: a byte whose lowest bit says that the request was HEAD, then what a server sends.

use crate::driver::Outcome;
use crate::truth::outcome;
use wire::http::{Method, ResponseError, ResponseReader};

const BYTES_MAX: usize = 8_192;

/// Status, head, body, whether the connection ends.
type Found = Option<(u16, Vec<u8>, Vec<u8>, bool)>;

/// Tokens of the format.
pub const WORDS: &[&str] = &[
    "HTTP/1.1 200 OK\r\n",
    "HTTP/1.1 101 Switching Protocols\r\n",
    "HTTP/1.1 100 Continue\r\n\r\n",
    "HTTP/1.0 429 X\r\n",
    "204",
    "304",
    "\r\n\r\n",
    "Content-Length: 5\r\n",
    "Transfer-Encoding: chunked\r\n",
    "5\r\nhello\r\n",
    "0\r\n\r\n",
    "Connection: close\r\n",
    "Connection: upgrade\r\n",
    "Upgrade: websocket\r\n",
    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n",
    "Sec-WebSocket-Extensions: permessage-deflate\r\n",
    "Retry-After: 7\r\n",
    ": ",
];

/// Runs one input.
pub fn target(data: &[u8]) -> Outcome {
    let Some((first, answer)) = data.split_first() else { return outcome(()) };
    let method = if first & 1 == 1 { Method::Head } else { Method::Get };
    let found = read(answer, method, usize::MAX);
    for piece_bytes in [1, 3, 100] {
        let again = read(answer, method, piece_bytes);
        // Bytes that nobody asked for are seen when they come, or never asked for.
        let is_same = again == found || [&again, &found].iter().all(|read| is_whole_or_trailing(read));
        assert!(is_same, "{again:?}, not {found:?}, in pieces of {piece_bytes}");
    }
    if let Ok(Some((status, head, body, _))) = &found {
        assert!((200..1000).contains(status) && head.len() + body.len() <= BYTES_MAX.max(answer.len()));
        assert!(answer.windows(head.len()).any(|window| window == head), "a head that never came");
        let chunked = header(head, b"transfer-encoding").is_some();
        let length = header(head, b"content-length").and_then(|text| text.parse::<usize>().ok());
        let is_empty = method == Method::Head || [204, 304].contains(status);
        match (is_empty, chunked, length) {
            (true, ..) => assert!(body.is_empty()),
            (false, true, _) => {
                let start =
                    answer.windows(head.len()).position(|window| window == head).unwrap_or(0) + head.len();
                assert_eq!(Some(body), dechunk(&answer[start..]).as_ref());
            }
            (false, false, Some(length)) => assert_eq!(body.len(), length),
            (false, false, None) => assert!(answer.ends_with(body)),
        }
    }
    let shape = found
        .as_ref()
        .map(|found| found.as_ref().map(|(status, _, body, last)| (status / 100, body.len().min(3), *last)));
    outcome(format!("{shape:?}"))
}

fn is_whole_or_trailing(read: &Result<Found, ResponseError>) -> bool {
    matches!(read, Ok(Some(_)) | Err(ResponseError::Trailing))
}

fn read(answer: &[u8], method: Method, piece_bytes: usize) -> Result<Found, ResponseError> {
    let mut reader = ResponseReader::new(BYTES_MAX);
    reader.begin(method);
    for piece in answer.chunks(piece_bytes.min(16_000)) {
        reader.room()[..piece.len()].copy_from_slice(piece);
        reader.received(piece.len())?;
        if let Some(response) = reader.response() {
            let names = ["content-length", "Retry-After", "x"];
            for name in names {
                let expected = header(response.head, name.to_ascii_lowercase().as_bytes());
                let found = response.header(name).map(|value| String::from_utf8_lossy(value).into_owned());
                assert_eq!(found, expected, "{name}");
                assert!(
                    response
                        .number(name)
                        .is_none_or(|number| found.is_some_and(|text| text.parse() == Ok(number)))
                );
            }
        }
    }
    reader.ended()?;
    let is_last = reader.is_last();
    Ok(reader.response().map(|found| (found.status, found.head.to_vec(), found.body.to_vec(), is_last)))
}

/// The first header of that lower-case name, line by line.
fn header(head: &[u8], name: &[u8]) -> Option<String> {
    let mut lines = head.split(|byte| *byte == b'\n').skip(1);
    lines.find_map(|line| {
        let at = line.iter().position(|byte| *byte == b':')?;
        (line[..at].to_ascii_lowercase() == name)
            .then(|| String::from_utf8_lossy(line[at + 1..].trim_ascii()).into_owned())
    })
}

/// What chunks hold, up to the last.
fn dechunk(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let end = rest.iter().position(|byte| *byte == b'\n')?;
        let digits: Vec<u8> = rest[..end].iter().copied().take_while(u8::is_ascii_hexdigit).collect();
        let size = usize::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?;
        if size == 0 {
            return Some(body);
        }
        body.extend_from_slice(rest.get(end + 1..end + 1 + size)?);
        rest = rest.get(end + 1 + size + 2..)?;
    }
}
