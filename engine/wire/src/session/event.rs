//! What goes out of a session, and what it is told.

use crate::net::NetError;
use crate::ws::{MessageKind, WsError};
use engine::time::Nanos;
use std::fmt;

/// One of a session's two links.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LinkId(pub u8);

impl LinkId {
    /// Both.
    pub const BOTH: [Self; 2] = [Self(0), Self(1)];

    /// As an index.
    #[inline]
    #[must_use]
    pub const fn index(self) -> usize {
        (self.0 & 1) as usize
    }
}

/// What the driver must do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Connect this link, and say [`super::Session::connected`] or [`super::Session::ended`].
    Connect(LinkId),
    /// Close this link's connection: nothing it brings is wanted any more.
    Close(LinkId),
}

/// What comes out of a session.
#[derive(Clone, Debug)]
pub enum Polled<'a> {
    /// Nothing now.
    Nothing,
    /// A frame, the same one again until it is consumed.
    Frame(Frame<'a>),
    /// Something happened, the same again until it is consumed.
    Event(&'a Event),
}

/// A text or binary message of the venue, lent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// The link that brought it.
    pub link: LinkId,
    /// Its number on the link, from 1; it goes on over reconnects.
    pub line: u32,
    /// When its last byte left the socket.
    pub recv_ns: Nanos,
    /// Text or binary.
    pub kind: MessageKind,
    /// The whole message.
    pub bytes: &'a [u8],
}

/// What a frame says to the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// Nothing: it is for the reader.
    Data,
    /// The request with this id was done.
    Ack {
        /// The id.
        id: u64,
    },
    /// A request was refused.
    Refused {
        /// Its id, where the venue says it.
        id: Option<u64>,
        /// The venue's code.
        code: i64,
    },
    /// The server is about to close: the session moves at once.
    Shutdown,
}

/// Something happened to a session.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The link's WebSocket is open.
    Opened(LinkId),
    /// The link is logged on and every subscription acknowledged: it is the one in service.
    Live(LinkId),
    /// The link will be left once another one is live: its time is over, the server said so, or it was told to.
    Leaving(LinkId),
    /// The link ended as planned.
    Left(LinkId),
    /// The link is gone.
    Lost {
        /// Which.
        link: LinkId,
        /// Why.
        failure: Failure,
        /// The earliest time of the next attempt.
        retry_ns: Nanos,
    },
}

/// Why a link is gone.
#[derive(Clone, Debug, PartialEq)]
pub enum Failure {
    /// The connection; says host and port.
    Net(NetError),
    /// The WebSocket.
    Ws(WsError),
    /// The peer closed, with this code (1005: without one).
    ClosedByPeer(u16),
    /// Nothing came for so long, ns.
    Silent(Nanos),
    /// A step was not done in time.
    Late(Step),
    /// The venue refused a request of the session.
    Refused {
        /// Which.
        step: Step,
        /// The venue's code.
        code: i64,
    },
    /// A request of the session did not fit into the send buffer, or a header is none.
    Request(Step),
}

/// A step on the way to a live link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Name, addresses, TLS and WebSocket.
    Opening,
    /// The log-on.
    LogOn,
    /// This batch of subscriptions, from 0.
    Subscription(usize),
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Opening => f.write_str("the opening of the connection"),
            Self::LogOn => f.write_str("the log-on"),
            Self::Subscription(batch) => write!(f, "subscription request {}", batch + 1),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Net(error) => error.fmt(f),
            Self::Ws(error) => error.fmt(f),
            Self::ClosedByPeer(1005) => f.write_str("the peer closed"),
            Self::ClosedByPeer(code) => write!(f, "the peer closed with code {code}"),
            Self::Silent(ns) => write!(f, "nothing came for {} ms", ns.as_ms()),
            Self::Late(step) => write!(f, "{step} was not done in time"),
            Self::Refused { step, code } => write!(f, "{step} was refused with code {code}"),
            Self::Request(step) => write!(f, "{step} could not be written"),
        }
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Opened(link) => write!(f, "link {} opened", link.0),
            Self::Live(link) => write!(f, "link {} live", link.0),
            Self::Leaving(link) => write!(f, "link {} leaving", link.0),
            Self::Left(link) => write!(f, "link {} left", link.0),
            Self::Lost { link, failure, .. } => write!(f, "link {} lost: {failure}", link.0),
        }
    }
}
