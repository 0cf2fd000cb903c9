//! What a session is made from: whose account it is, what it trades, and how it reaches the venue.

use super::super::{Authentication, BinanceCodecError, RecvWindow};
use super::remark::Remark;
use super::settings::FuturesSettings;
use crate::throttle::Limit;
use engine::instrument::Instrument;
use engine::time::Nanos;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::mpsc::SyncSender;
use wire::http::HttpClient;
use wire::net::Net;
use wire::sign::{Ed25519Key, HmacKey, KeyError, Secret};

/// How far the venue's clock is ahead of ours, as its owner measures it.
#[derive(Clone, Debug, Default)]
pub struct VenueOffset(Arc<AtomicI64>);

impl VenueOffset {
    /// Sets how far the venue's clock is ahead, ns.
    pub fn set_ns(&self, ahead_ns: i64) {
        // Alone: whoever signs takes the last value that it sees.
        self.0.store(ahead_ns, Ordering::Relaxed);
    }

    /// The venue's time at `now` of ours.
    #[inline]
    #[must_use]
    pub fn venue_time(&self, now: Nanos) -> Nanos {
        Nanos(now.0.saturating_add_signed(self.0.load(Ordering::Relaxed)))
    }
}

/// Whose account it is.
pub struct Credentials {
    /// The key's public half.
    pub api_key: String,
    /// The secret half.
    pub secret: Secret,
    /// What kind of key it is.
    pub kind: KeyKind,
}

/// The kind of a key, by which requests are authenticated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyKind {
    /// Every request is signed.
    Hmac,
    /// The connection logs on once; the secret is PKCS#8, as PEM or DER.
    Ed25519,
}

impl Credentials {
    /// What signs with this key. Err: the secret is no such key.
    pub fn authentication(&self) -> Result<Authentication, KeyError> {
        let api_key = self.api_key.clone();
        Ok(match self.kind {
            KeyKind::Hmac => Authentication::Hmac { api_key, key: HmacKey::new(&self.secret) },
            KeyKind::Ed25519 => {
                Authentication::Ed25519 { api_key, key: Ed25519Key::from_pkcs8(&self.secret)? }
            }
        })
    }
}

/// Neither half of the key.
impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials").field("kind", &self.kind).finish_non_exhaustive()
    }
}

/// Why there is no session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SessionError {
    /// The secret is no key of its kind.
    Key(KeyError),
    /// A message cannot be prepared.
    Codec(BinanceCodecError),
    /// No instrument, or instruments of two products.
    Products,
}

impl std::fmt::Display for SessionError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Key(error) => error.fmt(f),
            Self::Codec(error) => error.fmt(f),
            Self::Products => f.write_str("a session trades instruments of one product"),
        }
    }
}

impl std::error::Error for SessionError {}

/// What a session is made from.
pub struct SessionSetup<'a, C> {
    /// What it trades: instruments of one product.
    pub instruments: &'a [Instrument],
    /// Whose account it is.
    pub credentials: &'a Credentials,
    /// For how long after its time stamp a request is taken.
    pub recv_window: RecvWindow,
    /// The venue's limits, as its instrument endpoint states them.
    pub limits: &'a [Limit],
    /// After so long without us the venue cancels everything, ms; futures alone. None: it does not.
    pub dead_man_ms: Option<u32>,
    /// What is set of every instrument before trading begins; futures alone.
    pub settings: FuturesSettings,
    /// How far the venue's clock is ahead.
    pub offset: VenueOffset,
    /// The sockets of the thread.
    pub net: Net,
    /// The clock that requests are dated by.
    pub clock: C,
}

/// What a session tells its owner, who is on another thread.
#[derive(Clone, Debug)]
pub struct SessionWatch {
    is_live: Arc<AtomicBool>,
    is_clock_off: Arc<AtomicBool>,
    remarks: SyncSender<Remark>,
}

impl SessionWatch {
    /// Lines for the operator go to `remarks`, and are lost where nobody takes them away.
    #[must_use]
    pub fn new(remarks: SyncSender<Remark>) -> Self {
        Self { is_live: Arc::default(), is_clock_off: Arc::default(), remarks }
    }

    /// Whether orders can be sent and their events come.
    #[must_use]
    pub fn is_live(&self) -> bool {
        // Alone: nothing else is published with it.
        self.is_live.load(Ordering::Relaxed)
    }

    /// Whether the venue said since the last call that our time is off: it is to be measured again.
    #[must_use]
    pub fn take_clock_off(&self) -> bool {
        // Alone, as above. One that is said between the measurement and its use is said again with the next refusal.
        self.is_clock_off.swap(false, Ordering::Relaxed)
    }

    pub(super) fn set_live(&self, is_live: bool) {
        self.is_live.store(is_live, Ordering::Relaxed);
    }

    pub(super) fn set_clock_off(&self) {
        self.is_clock_off.store(true, Ordering::Relaxed);
    }

    /// False: there was no room for it.
    pub(super) fn tell(&self, remark: Remark) -> bool {
        self.remarks.try_send(remark).is_ok()
    }
}

/// How the session's three ways to the venue are opened, each by the host's own configuration.
pub struct Routes<A, S> {
    /// Makes the WebSocket API's driver.
    pub api: A,
    /// Makes the user stream's driver; futures alone. Its path is set with the listen key.
    pub stream: S,
    /// The client of REST.
    pub rest: HttpClient,
}
