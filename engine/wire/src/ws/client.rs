//! One WebSocket, the client's side, without a socket: bytes in, messages and bytes out. Pings are answered and
//! closes confirmed here.

use super::frame::{FrameError, Opcode, client_frame_bytes, write_frame};
use super::handshake::{self, Accept, HandshakeError, Upgrade};
use super::reader::{MessageKind, Reader, close_reason};
use crate::http::HeaderError;
use crate::outbox::{Outbox, OutboxFull};
use crate::random::Random;
use std::fmt;
use std::ops::Range;

/// A connection's WebSocket. Its buffers outlive connections: [`WebSocket::begin`] starts over.
pub struct WebSocket {
    reader: Reader,
    outbox: Outbox,
    state: State,
    accept: Accept,
    /// The pong to the ping that is held is written.
    is_answered: bool,
    /// Masking keys and the handshake's nonce. The mask protects proxies from pages that choose what a browser
    /// sends (RFC 6455, 10.3); nobody but us chooses what we send.
    keys: Random,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Idle,
    /// The request is written.
    Upgrading,
    Open,
    /// We sent a close frame, and wait for the peer's.
    Closing,
    /// Close frames went both ways, or the peer broke the protocol.
    Closed,
}

/// What comes next out of a WebSocket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// More bytes are needed.
    Nothing,
    /// The handshake is done.
    Opened,
    /// A message, at that place: [`WebSocket::payload`] lends it until [`WebSocket::consume`].
    Message(MessageKind, Range<usize>),
    /// The peer closed with this code (1005: none). Its close frame is answered; once that is sent, it is over.
    Closed(u16),
}

/// Why a WebSocket is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WsError {
    /// The handshake failed.
    Handshake(HandshakeError),
    /// What came is no WebSocket. A close frame with the code for it is written.
    Frame(FrameError),
    /// A pong or close did not fit: the peer sends and does not read.
    Full,
}

impl fmt::Display for WsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Handshake(error) => error.fmt(f),
            Self::Frame(error) => error.fmt(f),
            Self::Full => OutboxFull.fmt(f),
        }
    }
}

impl std::error::Error for WsError {}

/// Why a message was not sent. Nothing of it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SendError {
    /// No connection is open for it.
    NotOpen,
    /// What was written before has not left.
    Full,
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotOpen => f.write_str("no connection is open"),
            Self::Full => OutboxFull.fmt(f),
        }
    }
}

impl std::error::Error for SendError {}

impl WebSocket {
    /// A WebSocket that receives messages of up to `message_bytes_max` bytes and keeps up to `send_bytes_max` unsent.
    /// `seed` gives masks and nonces. Takes its memory here.
    #[must_use]
    pub fn new(message_bytes_max: usize, send_bytes_max: usize, seed: u64) -> Self {
        Self {
            reader: Reader::new(message_bytes_max.max(handshake::ANSWER_BYTES_MAX)),
            outbox: Outbox::new(send_bytes_max),
            state: State::Idle,
            accept: [0; 28],
            is_answered: false,
            keys: Random::new(seed),
        }
    }

    /// Starts over on a new connection: forgets everything and writes the handshake.
    /// Err: a header that would break it, or one that does not fit into the send buffer ([`HeaderError::TooLong`]).
    pub fn begin(&mut self, upgrade: &Upgrade<'_>) -> Result<(), HeaderError> {
        self.end();
        let mut nonce = [0; 16];
        for half in nonce.as_chunks_mut::<8>().0 {
            *half = self.keys.bits().to_ne_bytes();
        }
        let key = handshake::key(&nonce);
        self.accept = handshake::accept(&key);
        let mut request = Vec::new();
        handshake::write_request(upgrade, &key, &mut request)?;
        self.outbox.push(&request).map_err(|OutboxFull| HeaderError::TooLong)?;
        self.state = State::Upgrading;
        Ok(())
    }

    /// The connection is gone: forgets what came and what was to be sent.
    pub fn end(&mut self) {
        self.reader.clear();
        self.outbox.clear();
        (self.state, self.is_answered) = (State::Idle, false);
    }

    /// Whether messages can be sent.
    #[inline]
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.state == State::Open
    }

    /// Close frames went both ways: once what is unsent has left, the connection has done its work.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.state == State::Closed
    }

    /// Where the next bytes of the connection go; see [`Reader::room`].
    #[inline]
    pub fn room(&mut self) -> &mut [u8] {
        self.reader.room()
    }

    /// `count` bytes were put at the start of the room.
    #[inline]
    pub fn received(&mut self, count: usize) {
        self.reader.received(count);
    }

    /// What comes next; a message comes again until it is consumed.
    /// Err: the WebSocket is over.
    #[inline]
    pub fn advance(&mut self) -> Result<Next, WsError> {
        if self.state == State::Upgrading {
            return self.upgrade();
        }
        if matches!(self.state, State::Closed | State::Idle) {
            return Ok(Next::Nothing);
        }
        match self.reader.advance() {
            Ok(None) => Ok(Next::Nothing),
            Ok(Some((kind @ (MessageKind::Text | MessageKind::Binary | MessageKind::Pong), range))) => {
                Ok(Next::Message(kind, range))
            }
            Ok(Some((MessageKind::Ping, range))) => {
                if !self.is_answered {
                    self.pong(range.clone())?;
                }
                self.is_answered = true;
                Ok(Next::Message(MessageKind::Ping, range))
            }
            Ok(Some((MessageKind::Close, range))) => self.confirm(range),
            Err(error) => {
                let _ = self.close(error.close_code());
                self.state = State::Closed;
                Err(WsError::Frame(error))
            }
        }
    }

    /// The payload of the message at `range`.
    #[inline]
    #[must_use]
    pub fn payload(&self, range: Range<usize>) -> &[u8] {
        self.reader.payload(range)
    }

    /// Done with the message.
    #[inline]
    pub fn consume(&mut self) {
        self.reader.consume();
        self.is_answered = false;
    }

    /// Writes `text` as a message. Err: it was not written.
    #[inline]
    pub fn send_text(&mut self, text: &[u8]) -> Result<(), SendError> {
        self.send(Opcode::Text, text)
    }

    /// Writes a ping of no payload. Err: it was not written.
    pub fn ping(&mut self) -> Result<(), SendError> {
        self.send(Opcode::Ping, b"")
    }

    /// Begins to close with `code`: nothing can be sent any more, and what comes is still read.
    /// Err: it was not written.
    pub fn close(&mut self, code: u16) -> Result<(), SendError> {
        self.send(Opcode::Close, &code.to_be_bytes())?;
        self.state = State::Closing;
        Ok(())
    }

    /// What is to be sent.
    #[inline]
    #[must_use]
    pub fn unsent(&self) -> &[u8] {
        self.outbox.unsent()
    }

    /// The first `count` bytes of it are sent.
    #[inline]
    pub fn sent(&mut self, count: usize) {
        self.outbox.sent(count);
    }

    #[inline]
    fn send(&mut self, opcode: Opcode, payload: &[u8]) -> Result<(), SendError> {
        if self.state != State::Open {
            return Err(SendError::NotOpen);
        }
        write(&mut self.outbox, &mut self.keys, opcode, payload).map_err(|OutboxFull| SendError::Full)
    }

    #[cold]
    fn upgrade(&mut self) -> Result<Next, WsError> {
        match handshake::read_answer(self.reader.unread(), &self.accept) {
            Ok(None) => Ok(Next::Nothing),
            Ok(Some(head_bytes)) => {
                self.reader.skip(head_bytes);
                self.state = State::Open;
                Ok(Next::Opened)
            }
            Err(error) => {
                self.state = State::Closed;
                Err(WsError::Handshake(error))
            }
        }
    }

    #[cold]
    fn pong(&mut self, range: Range<usize>) -> Result<(), WsError> {
        // After our close frame nothing is sent (RFC 6455, 5.5.1).
        if self.state != State::Open {
            return Ok(());
        }
        let payload = self.reader.payload(range);
        write(&mut self.outbox, &mut self.keys, Opcode::Pong, payload).map_err(|OutboxFull| WsError::Full)
    }

    #[cold]
    fn confirm(&mut self, range: Range<usize>) -> Result<Next, WsError> {
        let payload = self.reader.payload(range);
        let code = close_reason(payload).map_or(1002, |(code, _)| code);
        let echo = payload.get(..2).unwrap_or_default();
        let written = match self.state {
            State::Open => write(&mut self.outbox, &mut self.keys, Opcode::Close, echo),
            _ => Ok(()),
        };
        self.reader.consume();
        self.state = State::Closed;
        written.map_err(|OutboxFull| WsError::Full)?;
        Ok(Next::Closed(code))
    }
}

#[inline]
fn write(outbox: &mut Outbox, keys: &mut Random, opcode: Opcode, payload: &[u8]) -> Result<(), OutboxFull> {
    let key = keys.key();
    outbox.append(client_frame_bytes(payload.len()), |room| {
        write_frame(room, opcode, key, payload).ok_or(OutboxFull)
    })?
}
