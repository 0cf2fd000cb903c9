//! One of a session's links: where it stands, and when something of it is due.

use super::event::{Failure, Step};
use crate::ws::WebSocket;
use engine::time::Nanos;

pub(super) struct Link {
    pub(super) ws: WebSocket,
    pub(super) stage: Stage,
    /// Another link takes over; this one is not used for requests any more.
    pub(super) is_leaving: bool,
    /// The connection ended, for this reason and then; what it brought is read first.
    pub(super) ended: Option<(Failure, Nanos)>,
    /// When its WebSocket opened.
    pub(super) opened_ns: Nanos,
    /// When it became live.
    pub(super) live_ns: Nanos,
    /// When bytes came last.
    pub(super) heard_ns: Nanos,
    /// It was pinged since.
    pub(super) is_pinged: bool,
    /// When the session's last request left it.
    pub(super) requested_ns: Nanos,
    /// Frames that it brought.
    pub(super) line: u32,
}

/// How far a link is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Down,
    Connecting {
        until: Nanos,
    },
    Upgrading {
        until: Nanos,
    },
    LoggingOn {
        id: u64,
        until: Nanos,
    },
    Subscribing {
        batch: usize,
        request: Request,
    },
    Live,
    /// A close frame is written or on its way; `is_planned`: nobody was let down.
    Closing {
        until: Nanos,
        is_planned: bool,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Request {
    /// To be written at this time.
    Due(Nanos),
    /// Its answer is due until.
    Sent { id: u64, until: Nanos },
}

impl Link {
    pub(super) fn new(ws: WebSocket) -> Self {
        Self {
            ws,
            stage: Stage::Down,
            is_leaving: false,
            ended: None,
            opened_ns: Nanos::default(),
            live_ns: Nanos::default(),
            heard_ns: Nanos::default(),
            is_pinged: false,
            requested_ns: Nanos::default(),
            line: 0,
        }
    }

    /// The link is, or is about to be, what the session is there for.
    pub(super) const fn is_wanted(&self) -> bool {
        !self.is_leaving && !matches!(self.stage, Stage::Down | Stage::Closing { .. })
    }

    /// Subscribed: requests can go over it.
    #[inline]
    pub(super) fn is_live(&self) -> bool {
        self.stage == Stage::Live
    }

    /// Its WebSocket is open, and silence counts.
    pub(super) const fn is_open(&self) -> bool {
        matches!(self.stage, Stage::LoggingOn { .. } | Stage::Subscribing { .. } | Stage::Live)
    }

    /// The step that it is at, and until when it must be done.
    pub(super) const fn step(&self) -> Option<(Step, Nanos)> {
        match self.stage {
            Stage::Connecting { until } | Stage::Upgrading { until } => Some((Step::Opening, until)),
            Stage::LoggingOn { until, .. } => Some((Step::LogOn, until)),
            Stage::Subscribing { batch, request: Request::Sent { until, .. } } => {
                Some((Step::Subscription(batch), until))
            }
            _ => None,
        }
    }

    /// The id whose answer it waits for, and the step.
    pub(super) const fn awaited(&self) -> Option<(u64, Step)> {
        match self.stage {
            Stage::LoggingOn { id, .. } => Some((id, Step::LogOn)),
            Stage::Subscribing { batch, request: Request::Sent { id, .. } } => {
                Some((id, Step::Subscription(batch)))
            }
            _ => None,
        }
    }
}
