//! What the venue sends, before faults have had their say and sockets carry it.

use crate::server::Response;
use tungstenite::Utf8Bytes;

/// A client's connection, from 1, never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnId(pub u64);

/// What a message is about; faults choose by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Topic {
    /// Depth changes and partial books.
    Depth,
    /// Other public streams.
    Market,
    /// Fills on a user data stream.
    Fill,
    /// Everything else on a user data stream.
    User,
    /// The answer to a request that places, amends or cancels.
    OrderAnswer,
    /// Other answers.
    Answer,
    /// Pings and ends of connections: no fault touches them.
    Control,
}

/// One thing to send or to do to a connection.
#[derive(Clone, Debug)]
pub enum Payload {
    /// A text message.
    Text(Utf8Bytes),
    /// An HTTP answer.
    Http(Response),
    /// A WebSocket ping.
    Ping,
    /// Bytes where the protocol wants others.
    Raw(Vec<u8>),
    /// A close frame (or just the end, on HTTP), then the end.
    Close(&'static str),
    /// The end of what the venue sends; it goes on reading.
    HalfClose,
    /// The connection is reset.
    Reset,
    /// Nothing leaves any more until [`Payload::Resume`].
    Stall,
    /// What was held back leaves.
    Resume,
}

/// A payload and where it goes.
#[derive(Clone, Debug)]
pub struct Outgoing {
    /// To whom.
    pub conn: ConnId,
    /// What about.
    pub topic: Topic,
    /// What.
    pub payload: Payload,
}

/// What the venue sends in one turn, in order.
#[derive(Debug, Default)]
pub struct Outbox(pub Vec<Outgoing>);

impl Outbox {
    /// Appends a text message.
    pub fn text(&mut self, conn: ConnId, topic: Topic, text: impl Into<Utf8Bytes>) {
        self.push(conn, topic, Payload::Text(text.into()));
    }

    /// Appends anything.
    pub fn push(&mut self, conn: ConnId, topic: Topic, payload: Payload) {
        self.0.push(Outgoing { conn, topic, payload });
    }
}
