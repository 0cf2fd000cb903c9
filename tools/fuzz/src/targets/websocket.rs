//! WebSocket framing: what the reader finds is what a slow reading over lists finds, however the bytes are split, and
//! what is written masked is read back.
//!
//! Input: what a server sends.

use crate::driver::Outcome;
use crate::truth::outcome;
use wire::ws::frame::{CONTROL_BYTES_MAX, FrameHead, client_frame_bytes, parse_head, write_frame};
use wire::ws::reader::close_reason;
use wire::ws::{FrameError, MessageKind, Opcode, Reader};

const MESSAGE_BYTES_MAX: usize = 4_096;

type Messages = Vec<(MessageKind, Vec<u8>)>;

/// Tokens of the format.
pub const WORDS: &[&str] = &[
    "\u{1}\u{5}",
    "\u{0}\u{1}",
    "\u{2}\u{0}",
    "\u{3}\u{e8}",
    "\u{7e}\u{0}\u{7e}",
    "\u{7f}\u{0}\u{0}\u{0}\u{0}\u{0}\u{1}\u{0}\u{0}",
    "\u{e9}",
];

/// Runs one input.
pub fn target(data: &[u8]) -> Outcome {
    let (messages, error) = expected(data);
    for piece_bytes in [usize::MAX, 1, 7, 130] {
        let found = read(data, piece_bytes);
        assert!(
            found == (messages.clone(), error),
            "{found:?}, not {messages:?} and {error:?}, in {piece_bytes}"
        );
    }
    for (kind, payload) in &messages {
        if *kind == MessageKind::Close {
            let (code, reason) = close_reason(payload).expect("a close frame that was let through");
            assert!((code == 1005) == payload.is_empty() && payload.ends_with(reason.as_bytes()));
        }
        written(payload);
    }
    let kinds: Vec<_> = messages.iter().map(|(kind, _)| *kind as u8).collect();
    outcome((
        kinds.len().min(4),
        kinds.first(),
        kinds.last(),
        error.map(FrameError::close_code),
        format!("{error:?}").len(),
    ))
}

fn read(data: &[u8], piece_bytes: usize) -> (Messages, Option<FrameError>) {
    let (mut reader, mut messages) = (Reader::new(MESSAGE_BYTES_MAX), Vec::new());
    for piece in data.chunks(piece_bytes.min(16_000)) {
        reader.room()[..piece.len()].copy_from_slice(piece);
        reader.received(piece.len());
        loop {
            match reader.poll() {
                Ok(None) => break,
                Ok(Some(message)) => messages.push((message.kind, message.payload.to_vec())),
                Err(error) => return (messages, Some(error)),
            }
            reader.consume();
        }
    }
    (messages, None)
}

/// The same by lists: a frame is copied, a part is appended.
fn expected(data: &[u8]) -> (Messages, Option<FrameError>) {
    let (mut messages, mut rest, mut parts) = (Vec::new(), data, None::<(MessageKind, Vec<u8>)>);
    let refused = |messages, error| (messages, Some(error));
    loop {
        let FrameHead { opcode, is_last, head_bytes, payload_bytes } = match parse_head(rest) {
            Ok(Some(head)) => head,
            Ok(None) => return (messages, None),
            Err(error) => return refused(messages, error),
        };
        assert!(head_bytes <= rest.len() && (rest[0] & 0x0F, rest[0] >> 7 == 1) == (opcode as u8, is_last));
        if opcode.is_control() {
            assert!(is_last && payload_bytes <= CONTROL_BYTES_MAX as u64);
        } else {
            if (opcode == Opcode::Continuation) != parts.is_some() {
                return refused(messages, FrameError::Fragment);
            }
            let so_far = parts.as_ref().map_or(0, |(_, payload)| payload.len() as u64);
            let bytes = payload_bytes.saturating_add(so_far);
            if bytes > MESSAGE_BYTES_MAX as u64 {
                return refused(messages, FrameError::TooLong { bytes, bytes_max: MESSAGE_BYTES_MAX });
            }
        }
        let end = head_bytes + usize::try_from(payload_bytes).expect("below the limit");
        let Some(payload) = rest.get(head_bytes..end) else { return (messages, None) };
        rest = &rest[end..];
        let kind = match opcode {
            Opcode::Text => MessageKind::Text,
            Opcode::Binary => MessageKind::Binary,
            Opcode::Ping => MessageKind::Ping,
            Opcode::Pong => MessageKind::Pong,
            Opcode::Close => MessageKind::Close,
            Opcode::Continuation => parts.as_ref().map_or(MessageKind::Binary, |(kind, _)| *kind),
        };
        let whole = if opcode.is_control() {
            payload.to_vec()
        } else {
            let (_, so_far) = parts.get_or_insert((kind, Vec::new()));
            so_far.extend_from_slice(payload);
            if !is_last {
                continue;
            }
            parts.take().map(|(_, payload)| payload).unwrap_or_default()
        };
        if kind == MessageKind::Text && std::str::from_utf8(&whole).is_err() {
            return refused(messages, FrameError::Utf8);
        }
        if kind == MessageKind::Close && close_reason(&whole).is_err() {
            return refused(messages, FrameError::Close);
        }
        messages.push((kind, whole));
    }
}

/// A payload as a client's frame: its head is a server's but for the mask, and the mask taken off gives it back.
fn written(payload: &[u8]) {
    let mut out = vec![0xAA; client_frame_bytes(payload.len()) + 3];
    let key = [1, 2, 3, 0xFF];
    let count = write_frame(&mut out, Opcode::Binary, key, payload).expect("room");
    assert_eq!((count + 3, &out[count..]), (out.len(), &[0xAA; 3][..]));
    assert_eq!(parse_head(&out), Err(FrameError::Masked));
    out[1] &= 0x7F;
    let head = parse_head(&out).expect("a head").expect("all of it");
    assert_eq!((head.payload_bytes, head.head_bytes + 4 + payload.len()), (payload.len() as u64, count));
    let masked = out[head.head_bytes + 4..count].iter().zip(key.iter().cycle());
    assert!(masked.map(|(byte, key)| byte ^ key).eq(payload.iter().copied()));
    assert_eq!(write_frame(&mut out[..count - 1], Opcode::Binary, key, payload), None);
}
