//! One session with a venue, without a socket, a thread or a clock: connect, log on, subscribe, stay alive, come
//! back, and move to a new connection before the venue ends the old one. Every venue uses it; what a venue does
//! differently is its [`Protocol`].
//!
//! A session has two links. One is in service; the other is used while the session moves: the new link is opened and
//! subscribed before the old one is left, and for [`SessionTimes::overlap_ns`] both deliver. The reader takes the
//! first copy of each of the venue's sequence numbers, as with redundant connections.
//!
//! ```text
//! Down -> Connecting -> Upgrading -> LoggingOn -> Subscribing -> Live -> Closing -> Down
//! ```
//!
//! Inputs are bytes, time and commands; outputs are bytes to send, what the driver must do ([`Action`]), frames and
//! [`Event`]s. The same inputs give the same outputs.

mod backoff;
mod config;
mod event;
mod link;
mod state;

pub use config::{Protocol, SessionConfig, SessionTimes};
pub use event::{Action, Event, Failure, Frame, Heard, LinkId, Polled, Step};
pub use state::Session;
