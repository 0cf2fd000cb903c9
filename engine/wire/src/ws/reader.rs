//! From bytes of a connection to messages: parsed where they lie and lent. The parts of a message are moved
//! together in the same buffer; there is no second one.

use super::frame::{FrameError, FrameHead, Opcode, parse_head};
use crate::net::ROOM_BYTES;
use std::ops::Range;

/// What a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageKind {
    /// UTF-8 text.
    Text,
    /// Bytes.
    Binary,
    /// A ping; its pong must carry the same payload.
    Ping,
    /// A pong.
    Pong,
    /// The peer closes; see [`close_reason`].
    Close,
}

/// A whole message, or a control frame, lent from the buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message<'a> {
    /// What it is.
    pub kind: MessageKind,
    /// What it says; UTF-8 where it is text.
    pub payload: &'a [u8],
}

/// The receiving side of a connection.
///
/// ```text
/// buffer: | parts of a message so far | gap | unread bytes | room |
/// ```
pub struct Reader {
    buffer: Box<[u8]>,
    /// The message whose last part has not come.
    parts: Option<Parts>,
    /// Unread bytes are `start..end`.
    start: usize,
    end: usize,
    /// What [`Reader::poll`] gave last, and is not consumed.
    held: Option<Held>,
    message_bytes_max: usize,
}

#[derive(Clone, Copy)]
struct Parts {
    kind: MessageKind,
    start: usize,
    end: usize,
}

#[derive(Clone, Copy)]
struct Held {
    kind: MessageKind,
    start: usize,
    end: usize,
    /// Where the unread bytes begin once it is consumed.
    next: usize,
}

impl Reader {
    /// A reader of messages of up to `message_bytes_max` bytes. Takes its memory here: that, and [`ROOM_BYTES`].
    #[must_use]
    pub fn new(message_bytes_max: usize) -> Self {
        let bytes =
            message_bytes_max.max(CONTROL_FRAME_BYTES) + HEAD_BYTES_MAX + CONTROL_FRAME_BYTES + ROOM_BYTES;
        Self {
            buffer: vec![0; bytes].into_boxed_slice(),
            parts: None,
            start: 0,
            end: 0,
            held: None,
            message_bytes_max,
        }
    }

    /// Where the next bytes of the connection go. At least [`ROOM_BYTES`], once [`Reader::poll`] said that there is no
    /// message; it may be less, or nothing, before.
    #[inline]
    pub fn room(&mut self) -> &mut [u8] {
        if self.held.is_none() && self.start == self.end && self.parts.is_none() {
            (self.start, self.end) = (0, 0);
        } else if self.buffer.len() - self.end < ROOM_BYTES && self.held.is_none() {
            self.compact();
        }
        &mut self.buffer[self.end..]
    }

    /// `count` bytes were put at the start of the room.
    #[inline]
    pub fn received(&mut self, count: usize) {
        debug_assert!(count <= self.buffer.len() - self.end, "{count} bytes were never room");
        self.end = (self.end + count).min(self.buffer.len());
    }

    /// Bytes that came and are not read: the answer to the handshake, before there are messages.
    #[inline]
    #[must_use]
    pub fn unread(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    /// Skips `count` unread bytes: those of the handshake.
    pub fn skip(&mut self, count: usize) {
        self.start = (self.start + count).min(self.end);
    }

    /// The next message, the same one again until it is consumed. None: more bytes are needed.
    /// Err: what came is no WebSocket; the reader says so from now on, until it is cleared.
    #[inline]
    pub fn poll(&mut self) -> Result<Option<Message<'_>>, FrameError> {
        Ok(self.advance()?.map(|(kind, range)| Message { kind, payload: &self.buffer[range] }))
    }

    /// As [`Reader::poll`], and says where in the buffer the payload lies.
    #[inline]
    pub(super) fn advance(&mut self) -> Result<Option<(MessageKind, Range<usize>)>, FrameError> {
        loop {
            if let Some(Held { kind, start, end, .. }) = self.held {
                return Ok(Some((kind, start..end)));
            }
            let unread = &self.buffer[self.start..self.end];
            let Some(head) = parse_head(unread)? else { return Ok(None) };
            let payload_bytes = self.fits(&head)?;
            if unread.len() - head.head_bytes < payload_bytes {
                return Ok(None);
            }
            self.take(&head, payload_bytes)?;
        }
    }

    /// The payload at `range`, as [`Reader::advance`] gave it.
    #[inline]
    pub(super) fn payload(&self, range: Range<usize>) -> &[u8] {
        &self.buffer[range]
    }

    /// Done with the message that [`Reader::poll`] gave.
    #[inline]
    pub fn consume(&mut self) {
        if let Some(held) = self.held.take() {
            self.start = held.next;
        }
    }

    /// Forgets everything: a new connection begins.
    pub fn clear(&mut self) {
        (self.parts, self.start, self.end, self.held) = (None, 0, 0, None);
    }

    /// Whether the frame may be there at all, before its payload is waited for. Returns the payload's bytes.
    #[inline]
    fn fits(&self, head: &FrameHead) -> Result<usize, FrameError> {
        if head.opcode.is_control() {
            return Ok(usize::try_from(head.payload_bytes).unwrap_or(usize::MAX));
        }
        if (head.opcode == Opcode::Continuation) != self.parts.is_some() {
            return Err(FrameError::Fragment);
        }
        let so_far = self.parts.map_or(0, |parts| parts.end - parts.start);
        let bytes_max = self.message_bytes_max;
        let bytes = head.payload_bytes.saturating_add(so_far as u64);
        match usize::try_from(bytes) {
            Ok(total) if total <= bytes_max => Ok(total - so_far),
            _ => Err(FrameError::TooLong { bytes, bytes_max }),
        }
    }

    /// Takes a whole frame out of the unread bytes.
    #[inline]
    fn take(&mut self, head: &FrameHead, payload_bytes: usize) -> Result<(), FrameError> {
        let start = self.start + head.head_bytes;
        let next = start + payload_bytes;
        let kind = match head.opcode {
            Opcode::Text => MessageKind::Text,
            Opcode::Binary => MessageKind::Binary,
            Opcode::Ping => MessageKind::Ping,
            Opcode::Pong => MessageKind::Pong,
            Opcode::Close => MessageKind::Close,
            Opcode::Continuation => return self.go_on(head.is_last, start, next),
        };
        if !head.is_last {
            self.parts = Some(Parts { kind, start, end: next });
            self.start = next;
            return Ok(());
        }
        self.hold(Held { kind, start, end: next, next })
    }

    /// Moves the next part behind the parts before it.
    fn go_on(&mut self, is_last: bool, start: usize, next: usize) -> Result<(), FrameError> {
        let Some(mut parts) = self.parts.take() else { return Err(FrameError::Fragment) };
        self.buffer.copy_within(start..next, parts.end);
        parts.end += next - start;
        if is_last {
            return self.hold(Held { kind: parts.kind, start: parts.start, end: parts.end, next });
        }
        self.parts = Some(parts);
        self.start = next;
        Ok(())
    }

    #[inline]
    fn hold(&mut self, held: Held) -> Result<(), FrameError> {
        let payload = &self.buffer[held.start..held.end];
        if held.kind == MessageKind::Text && !is_utf8(payload) {
            return Err(FrameError::Utf8);
        }
        if held.kind == MessageKind::Close {
            close_reason(payload)?;
        }
        self.held = Some(held);
        Ok(())
    }

    /// Moves what is kept to the front, without the heads and control frames that lay between.
    fn compact(&mut self) {
        let mut at = 0;
        if let Some(parts) = &mut self.parts {
            self.buffer.copy_within(parts.start..parts.end, 0);
            at = parts.end - parts.start;
            (parts.start, parts.end) = (0, at);
        }
        self.buffer.copy_within(self.start..self.end, at);
        (self.start, self.end) = (at, at + (self.end - self.start));
    }
}

/// Code and reason of a close frame; code 1005 where it has none (RFC 6455, 7.1.5).
/// Err: [`FrameError::Close`].
pub fn close_reason(payload: &[u8]) -> Result<(u16, &str), FrameError> {
    let Some((code, reason)) = payload.split_first_chunk::<2>() else {
        return if payload.is_empty() { Ok((1005, "")) } else { Err(FrameError::Close) };
    };
    // 7.4: 1004 to 1006 and 1015 must not be on the wire, below 1000 and 1016 to 2999 nothing is defined.
    let code = u16::from_be_bytes(*code);
    match (code, std::str::from_utf8(reason)) {
        (1000..=1003 | 1007..=1014 | 3000..=4999, Ok(reason)) => Ok((code, reason)),
        _ => Err(FrameError::Close),
    }
}

/// Market data is ASCII almost always, and for a few hundred bytes asking only that is faster than the whole test.
#[inline]
fn is_utf8(bytes: &[u8]) -> bool {
    let (blocks, tail) = bytes.as_chunks::<32>();
    let blocks = blocks.iter().fold([0_u8; 32], |mut all, block| {
        all.iter_mut().zip(block).for_each(|(all, byte)| *all |= byte);
        all
    });
    let high = blocks.iter().chain(tail).fold(0, |all, byte| all | byte);
    high < 0x80 || simdutf8::basic::from_utf8(bytes).is_ok()
}

/// Bytes of a head at most, from a server.
const HEAD_BYTES_MAX: usize = 10;

const CONTROL_FRAME_BYTES: usize = 2 + super::frame::CONTROL_BYTES_MAX;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Everything that comes out of `bytes`, given in pieces that end at `cuts`.
    fn read(
        bytes: &[u8],
        cuts: &[usize],
        bytes_max: usize,
    ) -> (Vec<(MessageKind, Vec<u8>)>, Option<FrameError>) {
        let (mut reader, mut messages, mut start) = (Reader::new(bytes_max), Vec::new(), 0);
        for end in cuts.iter().copied().chain([bytes.len()]) {
            let mut piece = &bytes[start..end.clamp(start, bytes.len())];
            start += piece.len();
            while !piece.is_empty() {
                let room = reader.room();
                let count = piece.len().min(room.len());
                room[..count].copy_from_slice(&piece[..count]);
                reader.received(count);
                piece = &piece[count..];
                loop {
                    match reader.poll() {
                        Ok(Some(Message { kind, payload })) => messages.push((kind, payload.to_vec())),
                        Ok(None) => break,
                        Err(error) => return (messages, Some(error)),
                    }
                    reader.consume();
                }
            }
        }
        (messages, None)
    }

    /// A server's frame.
    fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
        let mut bytes = vec![first];
        match payload.len() {
            length @ 0..=125 => bytes.push(u8::try_from(length).unwrap()),
            length @ 126..=0xFFFF => {
                bytes.push(126);
                bytes.extend_from_slice(&u16::try_from(length).unwrap().to_be_bytes());
            }
            length => {
                bytes.push(127);
                bytes.extend_from_slice(&(length as u64).to_be_bytes());
            }
        }
        bytes.extend_from_slice(payload);
        bytes
    }

    fn error(bytes: &[u8]) -> Option<FrameError> {
        read(bytes, &[], 1_000).1
    }

    #[test]
    fn a_message_in_parts_with_a_ping_between_them_is_one_message_after_the_ping() {
        let bytes =
            [frame(0x01, b"Hel"), frame(0x89, b"?"), frame(0x00, b""), frame(0x80, b"lo"), frame(0x82, b"!")];
        let expected = [
            (MessageKind::Ping, b"?".to_vec()),
            (MessageKind::Text, b"Hello".to_vec()),
            (MessageKind::Binary, b"!".to_vec()),
        ];
        assert_eq!(read(&bytes.concat(), &[], 1_000), (expected.to_vec(), None));
    }

    #[test]
    fn a_message_stays_where_it_is_until_it_is_consumed() {
        let mut reader = Reader::new(100);
        let bytes = frame(0x81, b"one");
        reader.room()[..bytes.len()].copy_from_slice(&bytes);
        reader.received(bytes.len());
        for _ in 0..3 {
            let message = reader.poll().unwrap().unwrap();
            assert_eq!((message.kind, message.payload), (MessageKind::Text, &b"one"[..]));
            reader.room();
        }
        reader.consume();
        assert_eq!(reader.poll(), Ok(None));
        reader.consume();
        assert!(reader.room().len() > ROOM_BYTES);
    }

    #[test]
    fn what_is_no_message_of_a_server_is_refused() {
        assert_eq!(error(&frame(0x80, b"x")), Some(FrameError::Fragment));
        assert_eq!(error(&[frame(0x01, b"x"), frame(0x81, b"y")].concat()), Some(FrameError::Fragment));
        assert_eq!(error(&frame(0x81, b"\xFF")), Some(FrameError::Utf8));
        assert_eq!(error(&frame(0x81, b"12345678901234567890123456789012\xC3")), Some(FrameError::Utf8));
        assert_eq!(error(&frame(0x82, b"\xFF")), None);
        // Half a character at the end of a part is half a message; the other half makes it whole.
        assert_eq!(error(&[frame(0x01, b"\xC3"), frame(0x80, b"\xA9")].concat()), None);
        assert_eq!(error(&[frame(0x01, b"\xC3"), frame(0x80, b"x")].concat()), Some(FrameError::Utf8));
        assert_eq!(error(&frame(0x88, b"x")), Some(FrameError::Close));
        assert_eq!(error(&frame(0x88, &1005_u16.to_be_bytes())), Some(FrameError::Close));
        assert_eq!(error(&frame(0x88, b"\x03\xE8\xFF")), Some(FrameError::Close));
        assert_eq!(close_reason(b"\x03\xE8bye"), Ok((1000, "bye")));
        assert_eq!(close_reason(b""), Ok((1005, "")));
    }

    #[test]
    fn a_message_above_the_limit_is_refused_before_it_has_come() {
        let too_long = |bytes| Some(FrameError::TooLong { bytes, bytes_max: 1_000 });
        assert_eq!(error(&[0x81, 126, 0x03, 0xE9]), too_long(1_001));
        assert_eq!(error(&[0x81, 127, 0x7F, 255, 255, 255, 255, 255, 255, 255]), too_long(i64::MAX as u64));
        let parts = [frame(0x01, &[b'x'; 600]), frame(0x00, &[b'x'; 400])].concat();
        assert_eq!(error(&parts), None);
        assert_eq!(error(&[parts, vec![0x80, 1]].concat()), too_long(1_001));
    }

    #[test]
    fn control_frames_without_end_between_two_parts_need_no_more_memory() {
        let mut bytes = frame(0x01, &[b'a'; 500]);
        for _ in 0..2_000 {
            bytes.extend(frame(0x8A, &[7; 125]));
        }
        bytes.extend(frame(0x80, &[b'b'; 500]));
        let (messages, error) = read(&bytes, &[], 1_000);
        assert_eq!((messages.len(), error), (2_001, None));
        let whole = [[b'a'; 500], [b'b'; 500]].concat();
        assert_eq!(messages.last(), Some(&(MessageKind::Text, whole)));
    }

    fn any_frame() -> impl Strategy<Value = Vec<u8>> {
        let first = prop::sample::select(vec![0x81_u8, 0x82, 0x01, 0x02, 0x00, 0x80, 0x89, 0x8A, 0x88, 0xC1]);
        let payload = prop_oneof![
            "[a-zé]{0,60}".prop_map(String::into_bytes),
            prop::collection::vec(any::<u8>(), 0..600)
        ];
        (first, payload).prop_map(|(first, payload)| {
            frame(first, &payload[..payload.len().min(if first & 8 == 8 { 125 } else { 600 })])
        })
    }

    proptest! {
        #[test]
        fn any_split_of_the_bytes_gives_the_same_messages_and_the_same_error(
            frames in prop::collection::vec(any_frame(), 0..20),
            cuts in prop::collection::vec(0_usize..6_000, 0..20),
        ) {
            let (bytes, mut cuts) = (frames.concat(), cuts);
            cuts.sort_unstable();
            let every_byte: Vec<usize> = (0..bytes.len()).collect();
            let whole = read(&bytes, &[], 1_000);
            prop_assert_eq!(&read(&bytes, &cuts, 1_000), &whole);
            prop_assert_eq!(&read(&bytes, &every_byte, 1_000), &whole);
        }
    }
}
