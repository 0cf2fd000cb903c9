//! A session with Binance that trades: orders over the WebSocket API, user events over the same connection (spot) or a
//! user stream (futures), trades and the account over REST. Polled by the order manager, on its thread.
//!
//! ```text
//! encode, send ─▶ throttle ─▶ WebSocket API ─▶ venue        a request is found again by its number,
//! next_answer ◀── ledger ◀─── answers, user events          an order by its client order id
//!                   ▲ └─ an order that was asked about and traded: its trades, over REST
//! take_account ◀── REST: open orders, positions or balances
//! ```
//!
//! Nothing that opens risk is sent while user events do not come. An order that nobody answers is unknown to the manager,
//! which asks; the session says that an order never was only once the venue would refuse a request for it.

mod account;
mod dead_man;
mod ledger;
mod protocol;
mod rest;
mod statement;

pub use ledger::SessionCounts;
pub use protocol::{ApiProtocol, StreamProtocol};
pub use statement::{BookedTrade, OrderEnds, Statement, Statements};

use super::heard::trades;
use super::template::Prepared;
use super::{Authentication, BinanceCodec, BinanceCodecError, LogOn, RecvWindow};
use crate::client_order_id::ClientOrderId;
use crate::codec::{Amendment, OpenOrder, OrderCodec, Request as Envelope};
use crate::counterparty::{Account, Answer, Counterparty, Paid, Request};
use crate::throttle::{Cost, Limit, Priority};
use account::AccountInquiry;
use dead_man::DeadMan;
use engine::instrument::{ContractKind, Instrument};
use engine::message::Message;
use engine::num::{Level, Qty};
use engine::order::Order;
use engine::time::Nanos;
use ledger::{Asked, Inquiry, Ledger, Sent};
use protocol::{Events, listen_key_request};
use rest::{Rest, encoded};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use wire::driver::Driver;
use wire::http::{HttpClient, Ticket};
use wire::json::Value;
use wire::net::{Clock, Net};
use wire::session::{Event, Polled};
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
    /// How far the venue's clock is ahead.
    pub offset: VenueOffset,
    /// The sockets of the thread.
    pub net: Net,
    /// The clock that requests are dated by.
    pub clock: C,
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

/// A session with one account of one product: see the module.
pub struct BinanceSession<C> {
    net: Net,
    clock: C,
    api: Driver<ApiProtocol>,
    stream: Option<Driver<StreamProtocol>>,
    ledger: Ledger,
    rest: Rest,
    codec: BinanceCodec,
    message: [u8; BinanceCodec::MESSAGE_BYTES_MAX],
    /// What was written and has not left.
    written: Option<(usize, Sent)>,
    offset: VenueOffset,
    kind: ContractKind,
    api_key: String,
    /// By instrument; none: another's.
    symbols: Vec<Option<String>>,
    /// The orders whose trades are being asked for.
    asking: Vec<(Inquiry, Ticket)>,
    account: AccountInquiry,
    dead_man: Option<DeadMan>,
    /// The last turn's time.
    polled: Nanos,
    is_api_up: bool,
    is_stream_up: bool,
    was_lost: bool,
    has_reconnected: bool,
    /// When the listen key is told to go on living.
    keep_key_at: Nanos,
}

/// Frames taken in a turn at most.
const BATCH_MAX: usize = 64;
/// Below the hour that a listen key lives.
const KEEP_KEY_NS: Nanos = Nanos::from_ms(30 * 60_000);
/// Orders whose trades are asked for at once.
const ASKING_MAX: usize = 3;

impl<C: Clock + Send> BinanceSession<C> {
    /// A session that connects with its first turn. Takes the memory that trading needs.
    /// Err: see [`SessionError`].
    pub fn new<A, S>(setup: SessionSetup<'_, C>, routes: Routes<A, S>) -> Result<Self, SessionError>
    where
        A: FnOnce(ApiProtocol) -> Driver<ApiProtocol>,
        S: FnOnce(StreamProtocol) -> Driver<StreamProtocol>,
    {
        let SessionSetup { instruments, credentials, recv_window, limits, dead_man_ms, offset, net, clock } =
            setup;
        let kind = instruments.first().ok_or(SessionError::Products)?.kind;
        if instruments.iter().any(|one| one.kind != kind) {
            return Err(SessionError::Products);
        }
        let authentication = || credentials.authentication().map_err(SessionError::Key);
        let api_key = credentials.api_key.clone();
        let log_on = match credentials.kind {
            KeyKind::Hmac => None,
            KeyKind::Ed25519 => {
                let key = Ed25519Key::from_pkcs8(&credentials.secret).map_err(SessionError::Key)?;
                Some(LogOn::new(api_key.clone(), key, recv_window).map_err(SessionError::Codec)?)
            }
        };
        let events = match (kind, &log_on) {
            (ContractKind::Spot, Some(_)) => Events::Subscribed,
            (ContractKind::Spot, None) => {
                let signs = authentication()?;
                let prepared = Prepared::new("userDataStream.subscribe.signature", Vec::new(), &signs);
                let prepared = prepared.ok_or(SessionError::Codec(BinanceCodecError::ApiKey))?;
                Events::Signed(Box::new(prepared), signs)
            }
            _ => Events::ListenKey(api_key.clone()),
        };
        let of_requests = if log_on.is_some() { Authentication::Session } else { authentication()? };
        let codec = BinanceCodec::new(instruments, of_requests, recv_window).map_err(SessionError::Codec)?;
        let mut symbols = Vec::new();
        for instrument in instruments {
            let index = instrument.id.index();
            symbols.resize(symbols.len().max(index + 1), None);
            if let Some(place) = symbols.get_mut(index) {
                *place = Some(instrument.symbol.clone());
            }
        }
        let names = || instruments.iter().map(|one| one.symbol.clone()).collect();
        let dead_man = dead_man_ms.filter(|_| kind == ContractKind::Linear);
        let dead_man = dead_man.map(|ms| DeadMan::new(names(), ms));
        let ledger = Ledger::new(kind, instruments, limits, recv_window.as_ms());
        let protocol = ApiProtocol::new(log_on, events, offset.clone());
        let mut api = (routes.api)(protocol);
        let now = clock.now();
        api.session().start(now);
        let stream = (kind != ContractKind::Spot).then(|| (routes.stream)(StreamProtocol));
        Ok(Self {
            rest: Rest::new(routes.rest, authentication()?, recv_window, offset.clone()),
            account: AccountInquiry::new(kind, instruments, now.plus(ledger.window_ns())),
            dead_man,
            net,
            clock,
            api,
            stream,
            ledger,
            codec,
            message: [0; BinanceCodec::MESSAGE_BYTES_MAX],
            written: None,
            offset,
            kind,
            api_key,
            symbols,
            asking: Vec::with_capacity(ASKING_MAX),
            polled: now,
            is_api_up: false,
            is_stream_up: false,
            was_lost: false,
            has_reconnected: false,
            keep_key_at: Nanos::MAX,
        })
    }

    /// Whether orders can be sent and their events come.
    #[must_use]
    pub const fn is_live(&self) -> bool {
        self.is_api_up && self.is_stream_up
    }

    /// Why nothing may be traded any more. None: nothing of the kind.
    #[must_use]
    pub const fn stopped(&self) -> Option<&'static str> {
        self.ledger.stopped
    }

    /// Whether the venue said since the last call that our time is off: it is to be measured again.
    pub const fn take_clock_off(&mut self) -> bool {
        std::mem::replace(&mut self.ledger.is_clock_off, false)
    }

    /// What happened so far.
    #[must_use]
    pub const fn counts(&self) -> SessionCounts {
        self.ledger.counts
    }

    /// One turn of everything.
    fn turn(&mut self, now: Nanos) {
        self.polled = self.polled.max(now);
        let is_spot = self.stream.is_none();
        for _ in 0..BATCH_MAX {
            let venue_now = self.offset.venue_time(now);
            match self.api.poll(&mut self.net, &self.clock, now) {
                Polled::Nothing => break,
                Polled::Frame(frame) => {
                    if let Some(key) = self.ledger.on_text(frame.bytes, frame.recv_ns, venue_now) {
                        let key = String::from_utf8_lossy(key).into_owned();
                        open_stream(self.stream.as_mut(), &key, now);
                        self.keep_key_at = now.plus(KEEP_KEY_NS);
                    }
                }
                Polled::Event(Event::Live(_)) => {
                    self.is_api_up = true;
                    if is_spot {
                        (self.is_stream_up, self.has_reconnected) =
                            (true, self.has_reconnected || self.was_lost);
                        self.was_lost = false;
                    }
                }
                Polled::Event(Event::Lost { .. }) => {
                    self.is_api_up = self.api.session().in_service().is_some();
                    if is_spot && !self.is_api_up {
                        (self.was_lost, self.is_stream_up) = (self.is_stream_up || self.was_lost, false);
                    }
                }
                Polled::Event(_) => {}
            }
            self.api.consume();
            if let Some(key) = self.api.session().protocol().take_listen_key() {
                if !self.is_stream_up {
                    open_stream(self.stream.as_mut(), &key, now);
                }
                self.keep_key_at = now.plus(KEEP_KEY_NS);
            }
        }
        self.turn_stream(now);
        self.ledger.expire(now);
        self.turn_rest(now);
    }

    fn turn_stream(&mut self, now: Nanos) {
        let Some(stream) = &mut self.stream else { return };
        let venue_now = self.offset.venue_time(now);
        for _ in 0..BATCH_MAX {
            match stream.poll(&mut self.net, &self.clock, now) {
                Polled::Nothing => break,
                Polled::Frame(frame) => {
                    self.ledger.on_text(frame.bytes, frame.recv_ns, venue_now);
                }
                Polled::Event(Event::Live(_)) => {
                    (self.is_stream_up, self.has_reconnected) = (true, self.has_reconnected || self.was_lost);
                    self.was_lost = false;
                }
                Polled::Event(Event::Lost { .. }) => {
                    let is_up = stream.session().in_service().is_some();
                    self.was_lost |= self.is_stream_up && !is_up;
                    self.is_stream_up = is_up;
                }
                Polled::Event(_) => {}
            }
            stream.consume();
        }
        if std::mem::replace(&mut self.ledger.is_stream_over, false) {
            self.was_lost |= self.is_stream_up;
            self.is_stream_up = false;
            self.ask_listen_key("start", now);
        } else if now >= self.keep_key_at {
            self.keep_key_at = now.plus(KEEP_KEY_NS);
            self.ask_listen_key("ping", now);
        }
    }

    #[cold]
    fn ask_listen_key(&mut self, what: &str, now: Nanos) {
        let cost = Cost { weight: 1, orders: 0 };
        let Ok(pass) = self.ledger.throttle.ask(Priority::Hedge, cost, self.offset.venue_time(now)) else {
            return;
        };
        let number = self.api.session().request_id();
        let text = listen_key_request(number, what, &self.api_key);
        let id = ClientOrderId::from_bytes(b"-");
        match (id, self.api.send_text(&mut self.net, now, text.as_bytes())) {
            (Some(id), Ok(_)) => {
                let asked = Asked::ListenKey;
                self.ledger.sent(Sent { number, asked, id, at: now, pass });
            }
            _ => self.ledger.throttle.give_up(pass),
        }
    }

    /// Trades of orders that were asked about, and the account.
    fn turn_rest(&mut self, now: Nanos) {
        self.rest.turn(&mut self.net, &self.clock, now);
        while self.asking.len() < ASKING_MAX
            && let Some(inquiry) = self.ledger.inquiries.pop_front()
        {
            if inquiry.reported.filled.0 == 0 {
                self.ledger.on_trades(&inquiry, &mut [], now);
                continue;
            }
            match self.ask_trades(&inquiry, now) {
                Some(ticket) => self.asking.push((inquiry, ticket)),
                None => self.ledger.standing_is_unknown(&inquiry, now),
            }
        }
        let mut at = 0;
        while let Some((inquiry, ticket)) = self.asking.get(at).copied() {
            let Some(answer) = self.rest.answer(ticket) else {
                at += 1;
                continue;
            };
            let body = answer.filter(|response| response.status == 200).map(|response| response.body);
            let listing = self.ledger.listing.clone();
            let rows = body.and_then(|body| trades(Value::root(body), &listing).ok());
            match rows.map(Iterator::collect::<Result<Vec<_>, _>>) {
                Some(Ok(mut rows)) => self.ledger.on_trades(&inquiry, &mut rows, now),
                _ => self.ledger.standing_is_unknown(&inquiry, now),
            }
            self.rest.finish(&mut self.net, ticket);
            self.asking.swap_remove(at);
        }
        let venue_now = self.offset.venue_time(now);
        self.account.turn(&mut self.rest, &mut self.net, &mut self.ledger, now, venue_now);
        if self.is_api_up
            && self.is_stream_up
            && let Some(dead_man) = &mut self.dead_man
        {
            dead_man.turn(&mut self.rest, &mut self.net, &mut self.ledger, now, venue_now);
        }
    }

    fn ask_trades(&mut self, inquiry: &Inquiry, now: Nanos) -> Option<Ticket> {
        let symbol = self.symbols.get(inquiry.report.instrument.index())?.as_deref()?;
        let (path, weight) = match self.kind {
            ContractKind::Spot => ("/api/v3/myTrades", 5),
            _ => ("/fapi/v1/userTrades", 5),
        };
        let venue_now = self.offset.venue_time(now);
        let pass = self.ledger.throttle.ask(Priority::Hedge, Cost { weight, orders: 0 }, venue_now).ok()?;
        self.ledger.throttle.give_up(pass);
        let parameters =
            format!("symbol={}&orderId={}&limit=1000", encoded(symbol), inquiry.report.venue_order_id);
        self.rest.get(path, &parameters, now)
    }

    /// What a request costs at most, and who may make it.
    const fn price(&self, asked: Asked) -> (Priority, Cost) {
        let is_spot = matches!(self.kind, ContractKind::Spot);
        match asked {
            Asked::Place => (Priority::New, Cost { weight: is_spot as u32, orders: 1 }),
            Asked::Amend if is_spot => (Priority::New, Cost { weight: 4, orders: 0 }),
            Asked::Amend => (Priority::New, Cost { weight: 0, orders: 1 }),
            Asked::Cancel | Asked::ListenKey => (Priority::Cancel, Cost { weight: 1, orders: 0 }),
            Asked::Query => (Priority::Hedge, Cost { weight: if is_spot { 4 } else { 1 }, orders: 0 }),
        }
    }
}

/// Opens the user stream of this key, or moves it there.
#[cold]
fn open_stream(stream: Option<&mut Driver<StreamProtocol>>, key: &str, now: Nanos) {
    let Some(stream) = stream else { return };
    stream.session().set_path(format!("/private/ws/{key}").into());
    stream.session().start(now);
    stream.session().rotate(now);
}

impl<C: Clock + Send> Counterparty for BinanceSession<C> {
    fn can_amend(&self, open: &Order, to: Level) -> bool {
        let rest = Level { qty: Qty(to.qty.0 - open.filled.0), ..to };
        let amendment = self.codec.amendment(open, rest);
        matches!(amendment, Ok(Amendment::KeepsPriority | Amendment::LosesPriority))
    }

    #[inline]
    fn encode(&mut self, request: Request<'_>, id: &ClientOrderId, now: Nanos) -> bool {
        self.written = None;
        let asked = match request {
            Request::Place(_) => Asked::Place,
            Request::Amend(..) => Asked::Amend,
            Request::Cancel(_) => Asked::Cancel,
            Request::Query(_) => Asked::Query,
        };
        let opens_risk = matches!(asked, Asked::Place | Asked::Amend);
        if !self.is_api_up || (opens_risk && (!self.is_live() || self.ledger.stopped.is_some())) {
            return false;
        }
        let number = self.api.session().request_id();
        if !self.ledger.has_room(number) {
            return false;
        }
        // The clock rather than the input's time: what waited in a ring must not be dated back.
        let now = now.max(self.clock.now());
        let venue_now = self.offset.venue_time(now);
        let envelope = Envelope { id: number, now: venue_now };
        let out = &mut self.message;
        let written = match request {
            Request::Place(approved) => self.codec.place(envelope, approved, id, out),
            Request::Amend(order, approved) => {
                self.codec.amend(envelope, OpenOrder { order, id }, approved, id, out)
            }
            Request::Query(order) => self.codec.query(envelope, order.instrument, id, out),
            Request::Cancel(order) => self.codec.cancel(envelope, order.instrument, id, out),
        };
        let Ok(len_bytes) = written.map(<[u8]>::len) else { return false };
        let (priority, cost) = self.price(asked);
        let Ok(pass) = self.ledger.throttle.ask(priority, cost, venue_now) else {
            self.ledger.counts.held_back += 1;
            return false;
        };
        self.written = Some((len_bytes, Sent { number, asked, id: *id, at: now, pass }));
        true
    }

    #[inline]
    fn send(&mut self, now: Nanos) -> bool {
        let Some((len_bytes, sent)) = self.written.take() else { return false };
        let text = self.message.get(..len_bytes).unwrap_or_default();
        let is_sent = self.api.send_text(&mut self.net, now.max(self.polled), text).is_ok();
        if is_sent {
            self.ledger.sent(sent);
        } else {
            self.ledger.throttle.give_up(sent.pass);
        }
        is_sent
    }

    fn on_market(&mut self, _message: Message<'_>) {}

    /// Nothing falls due: what the venue says is heard when it comes.
    #[inline]
    fn next_due(&self) -> Option<Nanos> {
        None
    }

    #[inline]
    fn advance(&mut self, _now: Nanos) {}

    #[inline]
    fn settle(&mut self, _now: Nanos) {}

    fn is_outside(&self) -> bool {
        true
    }

    #[inline]
    fn poll(&mut self, _inputs: u64) -> Nanos {
        let now = self.clock.now();
        self.turn(now);
        now
    }

    fn refusal(&self) -> Option<&'static str> {
        self.stopped()
    }

    fn take_paid(&mut self) -> Option<(Nanos, Paid)> {
        self.ledger.take_paid()
    }

    fn has_lost_answers(&self) -> bool {
        self.ledger.has_overflowed
    }

    #[inline]
    fn next_answer(&mut self, now: Nanos) -> Option<(Nanos, Answer)> {
        self.ledger.next_answer(now.max(self.polled))
    }

    fn has_reconnected(&mut self) -> bool {
        let in_doubt = std::mem::replace(&mut self.ledger.is_in_doubt, false);
        std::mem::replace(&mut self.has_reconnected, false) || in_doubt
    }

    fn ask_account(&mut self, now: Nanos) -> bool {
        self.is_live() && self.account.ask(now)
    }

    fn take_account(&mut self, _now: Nanos) -> Option<Account> {
        self.account.take()
    }
}
