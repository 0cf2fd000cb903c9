//! An answer read from the bytes of a connection (RFC 9112): status, headers, and a body by length, in chunks, or to
//! the end of the connection. Chunks are moved together in the same buffer.

use super::Method;
use crate::net::ROOM_BYTES;
use std::fmt;

/// A whole answer, lent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Response<'a> {
    /// The status, 200 to 999.
    pub status: u16,
    /// Status line and headers, as they came.
    pub head: &'a [u8],
    /// The body.
    pub body: &'a [u8],
}

impl<'a> Response<'a> {
    /// The value of the first header called `name`, whatever its case, without spaces around it.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&'a [u8]> {
        self.head.split(|byte| *byte == b'\n').skip(1).find_map(|line| {
            let colon = line.iter().position(|byte| *byte == b':')?;
            let is_it = line[..colon].eq_ignore_ascii_case(name.as_bytes());
            is_it.then(|| line[colon + 1..].trim_ascii())
        })
    }

    /// A header as a whole number: `Retry-After`, used weights. None: it is missing or is no number.
    #[must_use]
    pub fn number(&self, name: &str) -> Option<u64> {
        std::str::from_utf8(self.header(name)?).ok()?.parse().ok()
    }
}

/// Why bytes are no answer. The connection is not usable any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResponseError {
    /// No status line and headers of HTTP/1.
    NotHttp,
    /// More than 64 headers, or more bytes than configured.
    TooLong,
    /// `Content-Length` is no number, is there twice with two values, or beside `Transfer-Encoding`.
    Length,
    /// A transfer encoding other than `chunked`, or a chunk that is none.
    Chunk,
    /// The connection ended within the answer.
    Truncated,
    /// Bytes that nobody asked for.
    Trailing,
}

impl fmt::Display for ResponseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotHttp => "the answer is not HTTP/1.1",
            Self::TooLong => "the answer is longer than the limit",
            Self::Length => "the answer's length is stated wrongly or twice",
            Self::Chunk => "the answer's body is in broken chunks or an unknown encoding",
            Self::Truncated => "the connection ended within the answer",
            Self::Trailing => "the peer sent bytes that nobody asked for",
        })
    }
}

impl std::error::Error for ResponseError {}

/// Reads one answer after the other.
pub struct ResponseReader {
    buffer: Vec<u8>,
    /// Bytes that came: `..end`.
    end: usize,
    bytes_max: usize,
    /// The answer to HEAD has headers that speak of a body, and none.
    is_head: bool,
    state: State,
}

#[derive(Clone, Copy)]
enum State {
    /// None is awaited.
    Idle,
    Head,
    Body {
        head: Head,
        body: Body,
    },
    Done {
        head: Head,
        body_bytes: usize,
    },
}

#[derive(Clone, Copy)]
struct Head {
    status: u16,
    bytes: usize,
    is_last: bool,
}

#[derive(Clone, Copy)]
enum Body {
    Length(usize),
    /// Read to `at`; what was read is moved together behind the head, to `out`.
    Chunks {
        at: usize,
        out: usize,
    },
    /// To the end of the connection.
    Rest,
}

impl ResponseReader {
    /// A reader of answers of up to `bytes_max` bytes, head and framing included. Takes memory for usual ones here, and
    /// more when a long one comes.
    #[must_use]
    pub fn new(bytes_max: usize) -> Self {
        Self { buffer: vec![0; 2 * ROOM_BYTES], end: 0, bytes_max, is_head: false, state: State::Idle }
    }

    /// The answer to a request of `method` is awaited.
    pub fn begin(&mut self, method: Method) {
        (self.end, self.is_head, self.state) = (0, method == Method::Head, State::Head);
    }

    /// Done with the answer, or given up: none is awaited.
    pub fn clear(&mut self) {
        (self.end, self.state) = (0, State::Idle);
    }

    /// Where the next bytes of the connection go: at least [`ROOM_BYTES`].
    pub fn room(&mut self) -> &mut [u8] {
        if self.buffer.len() - self.end < ROOM_BYTES {
            let grown = (self.buffer.len() * 2).min(self.bytes_max + ROOM_BYTES).max(self.end + ROOM_BYTES);
            self.buffer.resize(grown, 0);
        }
        &mut self.buffer[self.end..]
    }

    /// `count` bytes were put at the start of the room. Err: the answer is none; see [`ResponseError`].
    pub fn received(&mut self, count: usize) -> Result<(), ResponseError> {
        self.end = (self.end + count).min(self.buffer.len());
        self.read()
    }

    /// The connection ended. Err: [`ResponseError::Truncated`] where an answer was awaited that is not whole.
    pub fn ended(&mut self) -> Result<(), ResponseError> {
        match self.state {
            State::Idle | State::Done { .. } => Ok(()),
            State::Body { head, body: Body::Rest } => {
                self.state = State::Done { head, body_bytes: self.end - head.bytes };
                Ok(())
            }
            State::Head | State::Body { .. } => Err(ResponseError::Truncated),
        }
    }

    /// The answer, once it is whole.
    #[must_use]
    pub fn response(&self) -> Option<Response<'_>> {
        let State::Done { head, body_bytes } = self.state else { return None };
        let (head_bytes, rest) = self.buffer.split_at(head.bytes);
        Some(Response { status: head.status, head: head_bytes, body: &rest[..body_bytes] })
    }

    /// Whether the connection ends with this answer.
    #[must_use]
    pub fn is_last(&self) -> bool {
        !matches!(self.state, State::Done { head: Head { is_last: false, .. }, .. })
    }

    fn read(&mut self) -> Result<(), ResponseError> {
        loop {
            match self.state {
                State::Idle | State::Done { .. } => {
                    return if self.end == 0 { Ok(()) } else { Err(ResponseError::Trailing) };
                }
                State::Head => {
                    if !self.read_head()? {
                        return Ok(());
                    }
                }
                State::Body { head, body: Body::Length(length) } => {
                    let needed = head.bytes + length;
                    if self.end < needed {
                        return Ok(());
                    }
                    return self.finish(head, length, needed);
                }
                State::Body { body: Body::Rest, .. } => {
                    return if self.end <= self.bytes_max { Ok(()) } else { Err(ResponseError::TooLong) };
                }
                State::Body { head, body: Body::Chunks { at, out } } => {
                    if !self.read_chunk(head, at, out)? {
                        return Ok(());
                    }
                    if let State::Done { .. } = self.state {
                        return Ok(());
                    }
                }
            }
        }
    }

    /// True: it went on.
    fn read_head(&mut self) -> Result<bool, ResponseError> {
        let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
        let mut response = httparse::Response::new(&mut headers);
        let bytes_max = HEAD_BYTES_MAX.min(self.bytes_max);
        let bytes = match response.parse(&self.buffer[..self.end]) {
            Ok(httparse::Status::Complete(bytes)) if bytes <= bytes_max => bytes,
            Ok(httparse::Status::Partial) if self.end < bytes_max => return Ok(false),
            Ok(_) | Err(httparse::Error::TooManyHeaders) => return Err(ResponseError::TooLong),
            Err(_) => return Err(ResponseError::NotHttp),
        };
        let status = response.code.unwrap_or_default();
        // Informational answers precede the answer (RFC 9110, 15.2); switching protocols was never asked for.
        if (100..200).contains(&status) && status != 101 {
            self.buffer.copy_within(bytes..self.end, 0);
            self.end -= bytes;
            return Ok(self.end > 0);
        }
        if !(200..1000).contains(&status) {
            return Err(ResponseError::NotHttp);
        }
        let (mut length, mut is_chunked, mut is_last) = (None, false, response.version != Some(1));
        for header in response.headers.iter() {
            let has = |word: &[u8]| {
                header
                    .value
                    .split(|byte| *byte == b',')
                    .any(|part| part.trim_ascii().eq_ignore_ascii_case(word))
            };
            if header.name.eq_ignore_ascii_case("content-length") {
                let stated = digits(header.value).ok_or(ResponseError::Length)?;
                if length.is_some_and(|length| length != stated) {
                    return Err(ResponseError::Length);
                }
                length = Some(stated);
            } else if header.name.eq_ignore_ascii_case("transfer-encoding") {
                if is_chunked || !header.value.trim_ascii().eq_ignore_ascii_case(b"chunked") {
                    return Err(ResponseError::Chunk);
                }
                is_chunked = true;
            } else if header.name.eq_ignore_ascii_case("connection") {
                is_last = (is_last || has(b"close")) && !has(b"keep-alive");
            }
        }
        if is_chunked && length.is_some() {
            return Err(ResponseError::Length);
        }
        let mut head = Head { status, bytes, is_last };
        let body = if self.is_head || matches!(status, 204 | 304) {
            Body::Length(0)
        } else if is_chunked {
            Body::Chunks { at: bytes, out: bytes }
        } else if let Some(length) = length {
            if length > self.bytes_max.saturating_sub(bytes) {
                return Err(ResponseError::TooLong);
            }
            Body::Length(length)
        } else {
            head.is_last = true;
            Body::Rest
        };
        self.state = State::Body { head, body };
        Ok(true)
    }

    /// True: it went on.
    fn read_chunk(&mut self, head: Head, at: usize, out: usize) -> Result<bool, ResponseError> {
        let unread = &self.buffer[at..self.end];
        // `parse_chunk_size` takes a line without a digit for the last chunk, and a bare line feed for a part of it.
        if unread.first().is_some_and(|byte| !byte.is_ascii_hexdigit()) {
            return Err(ResponseError::Chunk);
        }
        let (line_bytes, size) = match httparse::parse_chunk_size(unread) {
            Ok(httparse::Status::Complete(found)) if found.0 <= CHUNK_LINE_BYTES_MAX => found,
            Ok(httparse::Status::Partial) if unread.len() < CHUNK_LINE_BYTES_MAX => return self.waits(),
            _ => return Err(ResponseError::Chunk),
        };
        if unread[..line_bytes - 2].contains(&b'\n') {
            return Err(ResponseError::Chunk);
        }
        if size == 0 {
            // Trailers, and the line that ends them.
            let mut trailers = [httparse::EMPTY_HEADER; HEADERS_MAX];
            return match httparse::parse_headers(&unread[line_bytes..], &mut trailers) {
                Ok(httparse::Status::Complete((bytes, _))) => {
                    let end = at + line_bytes + bytes;
                    if end > self.bytes_max {
                        return Err(ResponseError::TooLong);
                    }
                    self.finish(head, out - head.bytes, end)?;
                    Ok(true)
                }
                Ok(httparse::Status::Partial) => self.waits(),
                _ => Err(ResponseError::Chunk),
            };
        }
        let size = usize::try_from(size).map_err(|_| ResponseError::TooLong)?;
        let start = at + line_bytes;
        let end = start.checked_add(size).and_then(|end| end.checked_add(2)).ok_or(ResponseError::TooLong)?;
        if end > self.bytes_max {
            return Err(ResponseError::TooLong);
        }
        if end > self.end {
            return self.waits();
        }
        if self.buffer[end - 2..end] != *b"\r\n" {
            return Err(ResponseError::Chunk);
        }
        self.buffer.copy_within(start..start + size, out);
        self.state = State::Body { head, body: Body::Chunks { at: end, out: out + size } };
        Ok(true)
    }

    const fn waits(&self) -> Result<bool, ResponseError> {
        if self.end > self.bytes_max { Err(ResponseError::TooLong) } else { Ok(false) }
    }

    fn finish(&mut self, head: Head, body_bytes: usize, end: usize) -> Result<(), ResponseError> {
        if self.end > end {
            return Err(ResponseError::Trailing);
        }
        self.state = State::Done { head, body_bytes };
        Ok(())
    }
}

/// A whole number in digits alone. None: another character, or too large.
fn digits(text: &[u8]) -> Option<usize> {
    let text = text.trim_ascii();
    let is_number = !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    if is_number { std::str::from_utf8(text).ok()?.parse().ok() } else { None }
}

/// Most headers of an answer.
const HEADERS_MAX: usize = 64;

/// Longest head, bytes.
const HEAD_BYTES_MAX: usize = 64 * 1024;

/// Longest line that states a chunk's size, extensions included.
const CHUNK_LINE_BYTES_MAX: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Status, body, and whether the connection ends with it.
    type Read = (u16, String, bool);

    /// Reads `answer` in pieces that end at `cuts`, and then, where it says so, at the end of the connection.
    fn read_in(
        answer: &[u8],
        cuts: &[usize],
        method: Method,
        ends: bool,
    ) -> Result<Option<Read>, ResponseError> {
        let mut reader = ResponseReader::new(100_000);
        reader.begin(method);
        let mut start = 0;
        for end in cuts.iter().copied().chain([answer.len()]) {
            let piece = &answer[start..end.clamp(start, answer.len())];
            start += piece.len();
            reader.room()[..piece.len()].copy_from_slice(piece);
            if !piece.is_empty() {
                reader.received(piece.len())?;
            }
        }
        if ends {
            reader.ended()?;
        }
        let is_last = reader.is_last();
        Ok(reader
            .response()
            .map(|found| (found.status, String::from_utf8_lossy(found.body).into_owned(), is_last)))
    }

    fn read(answer: &str) -> Result<Option<Read>, ResponseError> {
        read_in(answer.as_bytes(), &[], Method::Get, false)
    }

    fn body(status: u16, text: &str, is_last: bool) -> Result<Option<Read>, ResponseError> {
        Ok(Some((status, text.to_owned(), is_last)))
    }

    #[test]
    fn bodies_by_length_in_chunks_to_the_end_and_none() {
        assert_eq!(read("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"), body(200, "hello", false));
        assert_eq!(read("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell"), Ok(None));
        assert_eq!(
            read("HTTP/1.1 418 \r\nConnection: close\r\nContent-Length: 0\r\n\r\n"),
            body(418, "", true)
        );
        let chunks = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nhel\r\n2\r\nlo\r\n0\r\nA: b\r\n\r\n";
        assert_eq!(read(chunks), body(200, "hello", false));
        assert_eq!(read("HTTP/1.1 204 No Content\r\n\r\n"), body(204, "", false));
        let head = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n";
        assert_eq!(read_in(head, &[], Method::Head, false), body(200, "", false));
        let rest = b"HTTP/1.0 200 OK\r\n\r\nall of it";
        assert_eq!(read_in(rest, &[], Method::Get, false), Ok(None));
        assert_eq!(read_in(rest, &[], Method::Get, true), body(200, "all of it", true));
        let continued = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n!";
        assert_eq!(read(continued), body(200, "!", false));
    }

    #[test]
    fn headers_are_found_whatever_their_case() {
        let answer = b"HTTP/1.1 429 Too Many\r\nX-MBX-USED-WEIGHT-1M: 2401\r\nRetry-after:  7 \r\nContent-Length: 0\r\n\r\n";
        let mut reader = ResponseReader::new(1_000);
        reader.begin(Method::Get);
        reader.room()[..answer.len()].copy_from_slice(answer);
        reader.received(answer.len()).unwrap();
        let response = reader.response().unwrap();
        assert_eq!(response.number("x-mbx-used-weight-1m"), Some(2_401));
        assert_eq!(response.number("Retry-After"), Some(7));
        assert_eq!((response.header("Date"), response.number("Content-Length")), (None, Some(0)));
    }

    #[test]
    fn every_broken_answer_has_its_error() {
        let with = |headers: &str| read(&format!("HTTP/1.1 200 OK\r\n{headers}\r\n\r\n"));
        assert_eq!(read("\u{16}\u{3}\u{1}"), Err(ResponseError::NotHttp));
        assert_eq!(read("HTTP/1.1 101 Switching\r\n\r\n"), Err(ResponseError::NotHttp));
        for length in [
            "Content-Length: x",
            "Content-Length: -1",
            "Content-Length: +1",
            "Content-Length:",
            "Content-Length: 1\r\nContent-Length: 2",
            "Content-Length: 3\r\nTransfer-Encoding: chunked",
        ] {
            assert_eq!(with(length), Err(ResponseError::Length), "{length}");
        }
        assert_eq!(with("Transfer-Encoding: gzip, chunked"), Err(ResponseError::Chunk));
        assert_eq!(with("Content-Length: 100000"), Err(ResponseError::TooLong));
        assert_eq!(with(&"A: b\r\n".repeat(70)), Err(ResponseError::TooLong));
        let chunked =
            |text: &str| read(&format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{text}"));
        assert_eq!(chunked("x\r\n"), Err(ResponseError::Chunk));
        assert_eq!(chunked("1\r\na\r\n\r\n\r\n"), Err(ResponseError::Chunk));
        assert_eq!(chunked("1;\n\r\na\r\n0\r\n\r\n"), Err(ResponseError::Chunk));
        assert_eq!(chunked("2\r\nabc\r\n"), Err(ResponseError::Chunk));
        assert_eq!(chunked("fffffffffffffff\r\n"), Err(ResponseError::TooLong));
        assert_eq!(chunked("0\r\n\r\nHTTP"), Err(ResponseError::Trailing));
        assert_eq!(read("HTTP/1.1 204 \r\n\r\nx"), Err(ResponseError::Trailing));
        let cut = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell";
        assert_eq!(read_in(cut, &[], Method::Get, true), Err(ResponseError::Truncated));
        let mut idle = ResponseReader::new(100);
        assert_eq!(idle.received(1), Err(ResponseError::Trailing));
        assert_eq!(ResponseReader::new(100).ended(), Ok(()));
    }

    proptest! {
        #[test]
        fn any_split_of_the_bytes_gives_the_same_answer(
            pieces in prop::collection::vec("[a-z]{1,300}", 0..8),
            is_chunked: bool,
            cuts in prop::collection::vec(0_usize..3_000, 0..10),
        ) {
            let text = pieces.concat();
            let answer = if is_chunked {
                let chunks: String = pieces.iter().map(|piece| format!("{:x}\r\n{piece}\r\n", piece.len())).collect();
                format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}0\r\n\r\n")
            } else {
                format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{text}", text.len())
            };
            let mut cuts = cuts;
            cuts.sort_unstable();
            let found = read_in(answer.as_bytes(), &cuts, Method::Get, false);
            prop_assert_eq!(found, body(200, &text, false));
        }
    }
}
