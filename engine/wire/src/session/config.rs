//! How a session is set up, and what its venue does differently.

use super::event::Heard;
use crate::http::Header;
use engine::time::Nanos;

/// What one venue's sessions do differently. No socket, timer or retry: the session has them.
pub trait Protocol {
    /// Appends the request that logs the link on, a JSON text with `id`, to `out`; `now` is for its time stamp.
    /// False: this session needs none.
    fn log_on(&mut self, id: u64, now: Nanos, out: &mut Vec<u8>) -> bool {
        let _ = (id, now, out);
        false
    }

    /// Appends the request, with `id`, of the `batch`-th subscription, from 0. False: there are no more. The next is
    /// asked for when the one before is acknowledged.
    fn subscribe(&mut self, batch: usize, id: u64, out: &mut Vec<u8>) -> bool {
        let _ = (batch, id, out);
        false
    }

    /// What a frame says to the session. Called once for each text or binary frame, those of market data too, which
    /// should be told by their first bytes.
    fn hear(&mut self, frame: &[u8]) -> Heard;

    /// Appends the venue's own ping, a text, to `out`. False: a WebSocket ping serves.
    fn ping(&mut self, out: &mut Vec<u8>) -> bool {
        let _ = out;
        false
    }
}

/// Where a session goes, and its limits.
#[derive(Debug)]
pub struct SessionConfig {
    /// The `Host` header: the name, and the port where it is not the scheme's own.
    pub host: String,
    /// Path and query, from `/` on. May hold a key: see [`super::Session::set_path`].
    pub path: SecretText,
    /// Further headers of the handshake.
    pub headers: Vec<Header>,
    /// Longest message that is received, bytes. Memory for two is taken at start.
    pub message_bytes_max: usize,
    /// Most bytes that wait to be sent.
    pub send_bytes_max: usize,
    /// Its times.
    pub times: SessionTimes,
}

/// Text that may hold a key: `Debug` shows nothing of it.
pub struct SecretText(String);

impl SecretText {
    /// The text.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for SecretText {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl From<&str> for SecretText {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl std::fmt::Debug for SecretText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SecretText")
    }
}

/// Lengths of time of a session, ns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionTimes {
    /// From the wish to connect to the WebSocket: name, addresses, TLS and handshake together.
    pub open_ns_max: Nanos,
    /// From a request of the session (log-on, subscription) to its answer.
    pub ack_ns_max: Nanos,
    /// Between two requests of the session, so that a start with many subscriptions stays below the venue's limit of
    /// messages.
    pub request_gap_ns: Nanos,
    /// A link that was silent for so long is pinged.
    pub ping_after_ns: Nanos,
    /// A link that was silent for so long is lost. Above `ping_after_ns`.
    pub silence_ns_max: Nanos,
    /// First wait after a failure; doubled by each that follows.
    pub backoff_first_ns: Nanos,
    /// Longest wait after failures.
    pub backoff_max_ns: Nanos,
    /// A link that was live for so long ends the row of failures.
    pub stable_after_ns: Nanos,
    /// A link that was open for so long is replaced: below the venue's lifetime of a connection.
    pub rotate_after_ns: Nanos,
    /// For how long both links deliver once the new one is live.
    pub overlap_ns: Nanos,
    /// From our close frame to the peer's.
    pub close_ns_max: Nanos,
}

impl SessionTimes {
    /// What suits a venue with pings every 20 s to 3 min and connections that live for 24 h.
    pub const USUAL: Self = Self {
        open_ns_max: Nanos::from_ms(10_000),
        ack_ns_max: Nanos::from_ms(5_000),
        request_gap_ns: Nanos::from_ms(250),
        ping_after_ns: Nanos::from_ms(15_000),
        silence_ns_max: Nanos::from_ms(25_000),
        backoff_first_ns: Nanos::from_ms(500),
        backoff_max_ns: Nanos::from_ms(60_000),
        stable_after_ns: Nanos::from_ms(60_000),
        rotate_after_ns: Nanos::from_ms((23 * 60 + 50) * 60_000),
        overlap_ns: Nanos::from_ms(2_000),
        close_ns_max: Nanos::from_ms(2_000),
    };
}
