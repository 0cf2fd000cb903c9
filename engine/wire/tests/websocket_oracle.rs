//! Our framing against tungstenite's, both ways: what one writes, the other reads; what one refuses, so does the
//! other.

use proptest::prelude::*;
use std::io::{self, Read, Write};
use tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tungstenite::{Bytes, Message as TheirMessage, WebSocket as TheirSocket};
use wire::ws::frame::{client_frame_bytes, write_frame};
use wire::ws::{FrameError, Message, MessageKind, Opcode, Reader};

/// A connection in memory: what is written is kept, and reading ends where the bytes do.
#[derive(Default)]
struct Memory {
    written: Vec<u8>,
    to_read: io::Cursor<Vec<u8>>,
}

impl Read for Memory {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        match self.to_read.read(room)? {
            0 => Err(io::ErrorKind::WouldBlock.into()),
            count => Ok(count),
        }
    }
}

impl Write for Memory {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.written.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn theirs(role: Role, to_read: Vec<u8>) -> TheirSocket<Memory> {
    let memory = Memory { to_read: io::Cursor::new(to_read), ..Memory::default() };
    TheirSocket::from_raw_socket(memory, role, Some(WebSocketConfig::default()))
}

/// A message's kind and payload.
type Found = (MessageKind, Vec<u8>);

/// What our reader finds, and how it ends.
fn ours(bytes: &[u8]) -> (Vec<Found>, Option<FrameError>) {
    let (mut reader, mut messages) = (Reader::new(1 << 20), Vec::new());
    for piece in bytes.chunks(1_000) {
        reader.room()[..piece.len()].copy_from_slice(piece);
        reader.received(piece.len());
        loop {
            match reader.poll() {
                Ok(None) => break,
                Ok(Some(Message { kind, payload })) => messages.push((kind, payload.to_vec())),
                Err(error) => return (messages, Some(error)),
            }
            reader.consume();
        }
    }
    (messages, None)
}

/// What their client finds in a server's bytes, and whether it refused any.
fn found_by_them(bytes: &[u8], role: Role) -> (Vec<Found>, bool) {
    let (mut socket, mut messages) = (theirs(role, bytes.to_vec()), Vec::new());
    loop {
        match socket.read() {
            Ok(TheirMessage::Text(text)) => messages.push((MessageKind::Text, text.as_bytes().to_vec())),
            Ok(TheirMessage::Binary(bytes)) => messages.push((MessageKind::Binary, bytes.to_vec())),
            Ok(TheirMessage::Ping(bytes)) => messages.push((MessageKind::Ping, bytes.to_vec())),
            Ok(TheirMessage::Pong(bytes)) => messages.push((MessageKind::Pong, bytes.to_vec())),
            Ok(TheirMessage::Close(_)) => {
                messages.push((MessageKind::Close, vec![]));
                return (messages, false);
            }
            Ok(TheirMessage::Frame(_)) => unreachable!("reading gives no raw frames"),
            Err(tungstenite::Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => {
                return (messages, false);
            }
            Err(_) => return (messages, true),
        }
    }
}

fn any_message() -> impl Strategy<Value = TheirMessage> {
    let bytes = |most| prop::collection::vec(any::<u8>(), 0..most).prop_map(Bytes::from);
    prop_oneof![
        4 => "[ -~é漢]{0,300}".prop_map(TheirMessage::text),
        2 => bytes(70_000).prop_map(TheirMessage::Binary),
        1 => bytes(126).prop_map(TheirMessage::Ping),
        1 => bytes(126).prop_map(TheirMessage::Pong),
    ]
}

fn as_ours(message: &TheirMessage) -> Found {
    let kind = match message {
        TheirMessage::Text(_) => MessageKind::Text,
        TheirMessage::Binary(_) => MessageKind::Binary,
        TheirMessage::Ping(_) => MessageKind::Ping,
        _ => MessageKind::Pong,
    };
    (kind, message.clone().into_data().to_vec())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

    #[test]
    fn what_their_server_writes_our_reader_reads(messages in prop::collection::vec(any_message(), 0..12)) {
        let mut server = theirs(Role::Server, vec![]);
        for message in &messages {
            server.send(message.clone()).unwrap();
        }
        let expected: Vec<_> = messages.iter().map(as_ours).collect();
        prop_assert_eq!(ours(&server.get_ref().written), (expected, None));
    }

    #[test]
    fn what_we_write_their_server_reads(
        messages in prop::collection::vec((any::<[u8; 4]>(), any_message()), 0..12),
    ) {
        let (mut bytes, mut expected) = (Vec::new(), Vec::new());
        for (key, message) in &messages {
            let (kind, payload) = as_ours(message);
            let opcode = match kind {
                MessageKind::Text => Opcode::Text,
                MessageKind::Binary => Opcode::Binary,
                MessageKind::Ping => Opcode::Ping,
                MessageKind::Pong => Opcode::Pong,
                MessageKind::Close => Opcode::Close,
            };
            let mut frame = vec![0; client_frame_bytes(payload.len())];
            prop_assert_eq!(write_frame(&mut frame, opcode, *key, &payload), Some(frame.len()));
            bytes.extend(frame);
            expected.push((kind, payload));
        }
        prop_assert_eq!(found_by_them(&bytes, Role::Server), (expected, false));
    }

    #[test]
    fn of_any_frames_both_read_the_same_up_to_the_same_refusal(
        frames in prop::collection::vec((any::<u8>(), prop::collection::vec(0_u8..0xC0, 0..40)), 1..10),
    ) {
        // Mostly possible frames: text and binary whole or in parts, control frames; a few that are none.
        let mut bytes = Vec::new();
        for (choice, payload) in &frames {
            let heads =
                [0x81, 0x82, 0x01, 0x02, 0x00, 0x80, 0x89, 0x8A, 0x81, 0x82, 0x88, 0x83, 0xC1, 0x09, 0x01, 0x80];
            let head = heads[usize::from(*choice) % heads.len()];
            // They refuse a part of a text before its end has come, and we then: parts are ASCII here.
            let bits = if matches!(head, 0x01 | 0x00 | 0x80) { 0x7F } else { 0xFF };
            // They let any close code through; ours are those that may be on the wire.
            let payload = if head == 0x88 { &b"\x03\xE8"[..] } else { payload };
            bytes.extend([head, u8::try_from(payload.len()).unwrap()]);
            bytes.extend(payload.iter().map(|byte| byte & bits));
        }
        let (mut messages, error) = ours(&bytes);
        let (their_messages, their_refusal) = found_by_them(&bytes, Role::Client);
        // After a close they read no further, and their close has no payload to compare.
        if let Some(at) = messages.iter().position(|(kind, _)| *kind == MessageKind::Close) {
            messages.truncate(at + 1);
            messages[at].1.clear();
            prop_assert_eq!(messages, their_messages);
        } else {
            prop_assert_eq!((messages, error.is_some()), (their_messages, their_refusal));
        }
    }
}

#[test]
fn their_close_is_read_with_its_code_and_reason() {
    let mut server = theirs(Role::Server, vec![]);
    let frame = CloseFrame { code: 1001.into(), reason: "maintenance".into() };
    server.close(Some(frame)).unwrap();
    let (messages, error) = ours(&server.get_ref().written);
    assert_eq!((messages.len(), error), (1, None));
    assert_eq!(wire::ws::reader::close_reason(&messages[0].1), Ok((1001, "maintenance")));
}
