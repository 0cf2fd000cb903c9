//! A session with Binance that trades: orders over the WebSocket API, user events over the same connection (spot) or a
//! user stream (futures), trades and the account over REST. Polled by the order manager, on its thread.
//!
//! ```text
//! encode, send ─▶ throttle ─▶ WebSocket API ─▶ venue        a request is found again by its number,
//!                        └──▶ REST, while that is down      an order by its client order id
//! next_answer ◀── ledger ◀─── answers, user events
//!                   ▲ └─ an order that was asked about and traded: its trades, over REST
//! take_account ◀── REST: open orders, positions or balances
//! take_remark ◀─── what was refused, in the venue's words, and what was done about it
//! ```
//!
//! Nothing that opens risk is sent while user events do not come. An order that nobody answers is unknown to the manager,
//! which asks; the session says that an order never was only once the venue would refuse a request for it.

mod account;
mod dead_man;
mod fallback;
mod ledger;
mod listen_key;
mod protocol;
mod remark;
mod rest;
mod settings;
mod setup;
mod statement;

pub use ledger::SessionCounts;
pub use protocol::{ApiProtocol, StreamProtocol};
pub use remark::Remark;
pub use settings::{FuturesSettings, MarginMode};
pub use setup::{Credentials, KeyKind, Routes, SessionError, SessionSetup, SessionWatch, VenueOffset};
pub use statement::{BookedTrade, OrderEnds, Statement, Statements};

use super::heard::trades;
use super::template::Prepared;
use super::{Authentication, BinanceCodec, BinanceCodecError, LogOn, RecvWindow};
use crate::client_order_id::ClientOrderId;
use crate::codec::{OpenOrder, OrderCodec, Request as Envelope};
use crate::counterparty::{Account, Answer, Counterparty, Paid, Request};
use crate::throttle::{Cost, Limit, Priority};
use account::AccountInquiry;
use dead_man::DeadMan;
use engine::ids::InstrumentId;
use engine::instrument::{ContractKind, Instrument};
use engine::message::Message;
use engine::num::{Level, Qty};
use engine::order::Order;
use engine::time::Nanos;
use fallback::Fallback;
use ledger::{Asked, Inquiry, Ledger, Sent};
use listen_key::ListenKey;
use protocol::{Events, listen_key_request};
use rest::{Asking, Question, Rest};
use settings::Settings;
use wire::driver::Driver;
use wire::http::Method;
use wire::json::Value;
use wire::net::{Clock, Net};
use wire::session::{Event, Polled};
use wire::sign::Ed25519Key;
use wire::url::encoded;

/// A session with one account of one product: see the module.
pub struct BinanceSession<C> {
    net: Net,
    clock: C,
    api: Driver<ApiProtocol>,
    stream: Option<Driver<StreamProtocol>>,
    ledger: Ledger,
    rest: Rest,
    codec: BinanceCodec,
    /// Writes what leaves over REST, which signs in its own way.
    rest_codec: BinanceCodec,
    message: [u8; BinanceCodec::MESSAGE_BYTES_MAX],
    /// What was written and has not left.
    written: Option<Written>,
    fallback: Fallback,
    settings: Settings,
    offset: VenueOffset,
    kind: ContractKind,
    api_key: String,
    /// By instrument; none: another's.
    symbols: Vec<Option<String>>,
    /// The orders whose trades are being asked for.
    asking: Vec<(Inquiry, Asking)>,
    account: AccountInquiry,
    dead_man: Option<DeadMan>,
    /// The last turn's time.
    polled: Nanos,
    /// What is looked at next.
    part: Part,
    is_api_up: bool,
    is_stream_up: bool,
    was_lost: bool,
    has_reconnected: bool,
    /// The connection is not opened while the venue refuses everything.
    is_waiting: bool,
    listen_key: ListenKey,
    watch: Option<SessionWatch>,
    /// What the owner was told last.
    was_live: bool,
}

/// A request that was written and has not left.
#[derive(Clone, Copy)]
struct Written {
    len_bytes: usize,
    sent: Sent,
    is_rest: bool,
}

/// Frames taken in a turn at most.
const BATCH_MAX: usize = 64;
/// Orders whose trades are asked for at once.
const ASKING_MAX: usize = 3;

/// What a turn looks at, one after the other. Every look is a call to the system, nearly always in vain, and what shares
/// the thread waits for it: a market's stream waits for one of these and not for all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    /// The WebSocket API.
    Api,
    /// The user stream, where it is a connection of its own.
    Stream,
    /// REST, and what was sent too long ago.
    Rest,
}

impl Part {
    const fn next(self) -> Self {
        match self {
            Self::Api => Self::Stream,
            Self::Stream => Self::Rest,
            Self::Rest => Self::Api,
        }
    }
}

impl<C: Clock + Send> BinanceSession<C> {
    /// A session that connects with its first turn. Takes the memory that trading needs.
    /// Err: see [`SessionError`].
    pub fn new<A, S>(setup: SessionSetup<'_, C>, routes: Routes<A, S>) -> Result<Self, SessionError>
    where
        A: FnOnce(ApiProtocol) -> Driver<ApiProtocol>,
        S: FnOnce(StreamProtocol) -> Driver<StreamProtocol>,
    {
        let SessionSetup { instruments, credentials, recv_window, limits, dead_man_ms, settings, .. } = setup;
        let SessionSetup { offset, net, clock, .. } = setup;
        let kind = instruments.first().ok_or(SessionError::Products)?.kind;
        if instruments.iter().any(|one| one.kind != kind) {
            return Err(SessionError::Products);
        }
        let authentication = || credentials.authentication().map_err(SessionError::Key);
        let log_on = log_on_of(credentials, recv_window)?;
        let of_requests = if log_on.is_some() { Authentication::Session } else { authentication()? };
        let codec = |of| BinanceCodec::new(instruments, of, recv_window).map_err(SessionError::Codec);
        let (codec, rest_codec) = (codec(of_requests)?, codec(Authentication::Session)?);
        let events = events_of(kind, log_on.is_some(), credentials)?;
        let mut api = (routes.api)(ApiProtocol::new(log_on, events, offset.clone()));
        let stream = (kind != ContractKind::Spot).then(|| (routes.stream)(StreamProtocol));
        let now = clock.now();
        api.session().start(now);
        let ledger = Ledger::new(kind, instruments, limits, recv_window.as_ms(), &credentials.api_key);
        let names: Vec<String> = instruments.iter().map(|one| one.symbol.clone()).collect();
        let dead_man_ms = dead_man_ms.filter(|_| kind == ContractKind::Linear);
        Ok(Self {
            rest: Rest::new(routes.rest, authentication()?, recv_window, offset.clone()),
            account: AccountInquiry::new(kind, instruments, now.plus(ledger.window_ns())),
            settings: Settings::new(kind, &names, settings),
            dead_man: dead_man_ms.map(|ms| DeadMan::new(names, ms)),
            symbols: symbols_by_id(instruments),
            api_key: credentials.api_key.clone(),
            net,
            clock,
            api,
            stream,
            ledger,
            codec,
            rest_codec,
            fallback: Fallback::new(kind),
            message: [0; BinanceCodec::MESSAGE_BYTES_MAX],
            written: None,
            offset,
            kind,
            asking: Vec::with_capacity(ASKING_MAX),
            polled: now,
            part: Part::Api,
            is_api_up: false,
            is_stream_up: false,
            was_lost: false,
            has_reconnected: false,
            is_waiting: false,
            listen_key: ListenKey::new(),
            watch: None,
            was_live: false,
        })
    }

    /// Whether orders can be sent, their events come, and the account is as it must be.
    #[must_use]
    pub const fn is_live(&self) -> bool {
        self.is_api_up && self.is_stream_up && self.settings.are_done()
    }

    /// Tells `watch` from now on what the operator should know.
    #[must_use]
    pub fn watched_by(self, watch: SessionWatch) -> Self {
        Self { watch: Some(watch), ..self }
    }

    /// Goes on with what the account had before any run of the engine, by instrument id; below zero: not known. Of spot,
    /// where nothing else says what of a balance is the engine's.
    #[must_use]
    pub fn begun_at(mut self, baselines: &[Qty]) -> Self {
        self.account.begins_at(baselines);
        self
    }

    /// The oldest line for the operator that was not taken. Whoever takes it may format it.
    pub fn take_remark(&mut self) -> Option<Remark> {
        self.ledger.remarks.take()
    }

    /// Why nothing may be traded any more. None: nothing of the kind.
    #[must_use]
    pub const fn stopped(&self) -> Option<&'static str> {
        self.ledger.stopped
    }

    /// Whether the venue said since the last call that our time is off: it is to be measured again. Who watches asks
    /// [`SessionWatch::take_clock_off`].
    pub const fn take_clock_off(&mut self) -> bool {
        std::mem::replace(&mut self.ledger.is_clock_off, false)
    }

    /// What happened so far.
    #[must_use]
    pub const fn counts(&self) -> SessionCounts {
        self.ledger.counts
    }

    /// How much of each limit is used, as far as is known.
    pub fn usage(&mut self) -> impl Iterator<Item = (Limit, u64)> + '_ {
        let venue_now = self.offset.venue_time(self.polled);
        self.ledger.throttle.usage(venue_now)
    }

    /// While everything waits, a connection that is gone is not opened again: its log-on would count, and going on
    /// against a refusal leads to a ban.
    #[inline]
    fn wait_or_go_on(&mut self, now: Nanos) {
        let is_paused = self.ledger.throttle.paused_until() > self.offset.venue_time(now);
        if !is_paused && !self.is_waiting {
            return;
        }
        let waits = is_paused && !self.is_api_up && self.api.session().in_service().is_none();
        if waits != std::mem::replace(&mut self.is_waiting, waits) {
            if waits {
                self.api.session().stop(now);
            } else {
                self.api.session().start(now);
            }
        }
    }

    /// Hands the owner what is new to it.
    #[inline]
    fn tell_watch(&mut self) {
        let Some(watch) = &self.watch else { return };
        let is_live = self.is_live();
        if is_live != self.was_live {
            self.was_live = is_live;
            watch.set_live(is_live);
        }
        if std::mem::replace(&mut self.ledger.is_clock_off, false) {
            watch.set_clock_off();
        }
        while let Some(remark) = self.ledger.remarks.take() {
            if !watch.tell(remark) {
                self.ledger.counts.remarks_lost += 1;
            }
        }
    }

    /// One turn of the part whose turn it is.
    #[inline]
    fn turn(&mut self, now: Nanos) {
        self.polled = self.polled.max(now);
        let part = self.part;
        self.part = part.next();
        match part {
            Part::Api => self.turn_api(now),
            Part::Stream => self.turn_stream(now),
            Part::Rest => {
                self.ledger.expire(now);
                self.turn_rest(now);
            }
        }
        self.tell_watch();
    }

    fn turn_api(&mut self, now: Nanos) {
        self.wait_or_go_on(now);
        let is_spot = self.stream.is_none();
        for _ in 0..BATCH_MAX {
            let (venue_now, mut key) = (self.offset.venue_time(now), None);
            match self.api.poll(&mut self.net, &self.clock, now) {
                Polled::Nothing => break,
                Polled::Frame(frame) => {
                    let heard = self.ledger.on_text(frame.bytes, frame.recv_ns, venue_now);
                    key = heard.map(|key| String::from_utf8_lossy(key).into_owned());
                }
                Polled::Event(Event::Live(_)) => {
                    self.is_api_up = true;
                    if is_spot {
                        (self.is_stream_up, self.has_reconnected) =
                            (true, self.has_reconnected || self.was_lost);
                        self.was_lost = false;
                    }
                }
                Polled::Event(Event::Lost { failure, .. }) => {
                    self.ledger.remark_loss(now, "a connection to the WebSocket API is lost", failure);
                    self.is_api_up = self.api.session().in_service().is_some();
                    if is_spot && !self.is_api_up {
                        (self.was_lost, self.is_stream_up) = (self.is_stream_up || self.was_lost, false);
                    }
                }
                Polled::Event(_) => {}
            }
            self.api.consume();
            if let Some(key) = key.or_else(|| self.api.session().protocol().take_listen_key()) {
                self.hear_listen_key(key, now);
            }
        }
    }

    /// Opens the user stream of a key that was heard, or moves it there, unless that is where it is.
    #[cold]
    fn hear_listen_key(&mut self, key: String, now: Nanos) {
        if self.listen_key.heard(key, self.is_stream_up, now)
            && let Some(stream) = &mut self.stream
        {
            stream.session().set_path(self.listen_key.path().into());
            stream.session().start(now);
            stream.session().rotate(now);
        }
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
                Polled::Event(Event::Lost { failure, .. }) => {
                    self.ledger.remark_loss(now, "a connection of the user stream is lost", failure);
                    let is_up = stream.session().in_service().is_some();
                    self.was_lost |= self.is_stream_up && !is_up;
                    self.is_stream_up = is_up;
                    // The key may be over too: the same one comes again where it is not.
                    self.ledger.is_stream_over |= !is_up;
                }
                Polled::Event(_) => {}
            }
            stream.consume();
        }
        if self.ledger.is_stream_over {
            self.was_lost |= self.is_stream_up;
            self.is_stream_up = false;
            if self.listen_key.may_ask(now) && self.is_api_up && self.ask_for_key(Asked::ListenKey, now) {
                self.listen_key.was_asked_for(now);
                self.ledger.is_stream_over = false;
            }
        } else if self.listen_key.is_old(now) && self.is_api_up && self.ask_for_key(Asked::KeepKey, now) {
            self.listen_key.was_kept(now);
        }
    }

    /// False: it did not leave.
    #[cold]
    fn ask_for_key(&mut self, asked: Asked, now: Nanos) -> bool {
        let cost = Cost { weight: 1, orders: 0 };
        let Ok(pass) = self.ledger.throttle.ask(Priority::Hedge, cost, self.offset.venue_time(now)) else {
            return false;
        };
        let number = self.api.session().request_id();
        let what = if asked == Asked::KeepKey { "ping" } else { "start" };
        let text = listen_key_request(number, what, &self.api_key);
        let id = ClientOrderId::from_bytes(b"-");
        match (id, self.api.send_text(&mut self.net, now, text.as_bytes())) {
            (Some(id), Ok(_)) => {
                self.ledger.sent(Sent { number, asked, id, at: now, pass: Some(pass) });
                true
            }
            _ => {
                self.ledger.throttle.give_up(pass);
                false
            }
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
                Some(asking) => self.asking.push((inquiry, asking)),
                None => self.ledger.standing_is_unknown(&inquiry, now),
            }
        }
        let mut at = 0;
        while let Some((inquiry, asking)) = self.asking.get(at).copied() {
            let Some(answer) = self.rest.answer(asking, &mut self.ledger, now) else {
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
            self.rest.finish(&mut self.net, asking);
            self.asking.swap_remove(at);
        }
        let venue_now = self.offset.venue_time(now);
        let (rest, net, ledger) = (&mut self.rest, &mut self.net, &mut self.ledger);
        self.fallback.turn(rest, net, ledger, (now, venue_now));
        self.settings.turn(rest, net, ledger, now);
        self.account.turn(rest, net, ledger, now);
        if let Some(dead_man) = &mut self.dead_man {
            dead_man.turn(rest, net, ledger, (self.is_api_up && self.is_stream_up, now));
        }
    }

    fn ask_trades(&mut self, inquiry: &Inquiry, now: Nanos) -> Option<Asking> {
        let symbol = self.symbols.get(inquiry.report.instrument.index())?.as_deref()?;
        let (path, weight) = match self.kind {
            ContractKind::Spot => ("/api/v3/myTrades", 5),
            _ => ("/fapi/v1/userTrades", 5),
        };
        let parameters =
            format!("symbol={}&orderId={}&limit=1000", encoded(symbol), inquiry.report.venue_order_id);
        let what = "the trades of an order";
        let question = Question { what, method: Method::Get, path, parameters: &parameters };
        self.rest.ask(question, (Priority::Hedge, weight), &mut self.ledger, now)
    }

    /// Whether what opens risk may leave: its events come, and it leaves at once.
    #[inline]
    fn may_open_risk(&self) -> bool {
        let leaves = self.is_api_up || self.rest.is_warm();
        leaves && self.is_stream_up && self.settings.are_done() && self.ledger.stopped.is_none()
    }

    /// What a request costs at most, and who may make it.
    const fn price(&self, asked: Asked) -> (Priority, Cost) {
        let is_spot = matches!(self.kind, ContractKind::Spot);
        match asked {
            Asked::Place => (Priority::New, Cost { weight: is_spot as u32, orders: 1 }),
            Asked::Amend if is_spot => (Priority::New, Cost { weight: 4, orders: 0 }),
            Asked::Amend => (Priority::New, Cost { weight: 0, orders: 1 }),
            Asked::Cancel | Asked::ListenKey | Asked::KeepKey => {
                (Priority::Cancel, Cost { weight: 1, orders: 0 })
            }
            Asked::Query => (Priority::Hedge, Cost { weight: if is_spot { 4 } else { 1 }, orders: 0 }),
        }
    }
}

/// What logs a connection on, where the key can. Err: the secret is no such key.
fn log_on_of(credentials: &Credentials, recv_window: RecvWindow) -> Result<Option<LogOn>, SessionError> {
    if credentials.kind == KeyKind::Hmac {
        return Ok(None);
    }
    let key = Ed25519Key::from_pkcs8(&credentials.secret).map_err(SessionError::Key)?;
    let log_on = LogOn::new(credentials.api_key.clone(), key, recv_window);
    log_on.map(Some).map_err(SessionError::Codec)
}

/// How user events are had: over the connection of orders on spot, by a listen key on futures.
/// Err: the secret is no key of its kind, or its public half cannot be sent.
fn events_of(
    kind: ContractKind,
    is_logged_on: bool,
    credentials: &Credentials,
) -> Result<Events, SessionError> {
    if kind != ContractKind::Spot {
        return Ok(Events::ListenKey(credentials.api_key.clone()));
    }
    if is_logged_on {
        return Ok(Events::Subscribed);
    }
    let signs = credentials.authentication().map_err(SessionError::Key)?;
    let prepared = Prepared::new("userDataStream.subscribe.signature", Vec::new(), &signs);
    let prepared = prepared.ok_or(SessionError::Codec(BinanceCodecError::ApiKey))?;
    Ok(Events::Signed(Box::new(prepared), signs))
}

fn symbols_by_id(instruments: &[Instrument]) -> Vec<Option<String>> {
    let mut symbols = Vec::new();
    for instrument in instruments {
        let index = instrument.id.index();
        symbols.resize(symbols.len().max(index + 1), None);
        if let Some(place) = symbols.get_mut(index) {
            *place = Some(instrument.symbol.clone());
        }
    }
    symbols
}

impl<C: Clock + Send> Counterparty for BinanceSession<C> {
    fn can_amend(&self, open: &Order, to: Level) -> bool {
        self.codec.can_amend(open, to)
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
        let (opens_risk, is_rest) = (matches!(asked, Asked::Place | Asked::Amend), !self.is_api_up);
        if opens_risk && !self.may_open_risk() {
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
        let codec = if is_rest { &mut self.rest_codec } else { &mut self.codec };
        let written = match request {
            Request::Place(approved) => codec.place(envelope, approved, id, out),
            Request::Amend(order, approved) => {
                codec.amend(envelope, OpenOrder { order, id }, approved, id, out)
            }
            Request::Query(order) => codec.query(envelope, order, id, out),
            Request::Cancel(order) => codec.cancel(envelope, order, id, out),
        };
        let Ok(len_bytes) = written.map(<[u8]>::len) else { return false };
        let (priority, cost) = self.price(asked);
        let Ok(pass) = self.ledger.throttle.ask(priority, cost, venue_now) else {
            self.ledger.counts.held_back += 1;
            return false;
        };
        let sent = Sent { number, asked, id: *id, at: now, pass: Some(pass) };
        self.written = Some(Written { len_bytes, sent, is_rest });
        true
    }

    #[inline]
    fn send(&mut self, now: Nanos) -> bool {
        let Some(Written { len_bytes, sent, is_rest }) = self.written.take() else { return false };
        let now = now.max(self.polled);
        let text = self.message.get(..len_bytes).unwrap_or_default();
        let is_sent = if is_rest {
            self.fallback.send(text, sent.number, &mut self.rest, sent.at)
        } else {
            self.api.send_text(&mut self.net, now, text).is_ok()
        };
        if is_sent {
            self.ledger.sent(sent);
        } else {
            self.ledger.give_back(&sent);
        }
        if is_sent && is_rest {
            self.ledger.counts.over_rest += 1;
            // It leaves with a turn of the client's.
            self.rest.turn(&mut self.net, &self.clock, now);
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

    fn round_trip(&self) -> Option<Nanos> {
        self.ledger.round_trip
    }

    fn baselines(&self) -> Vec<Qty> {
        self.account.baselines()
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

    fn cancel_all_of(&mut self, instrument: InstrumentId, now: Nanos) -> bool {
        let now = now.max(self.clock.now());
        let Some(symbol) = self.symbols.get(instrument.index()).and_then(Option::as_deref) else {
            return false;
        };
        let is_sent = self.fallback.end_all(symbol, &mut self.rest, &mut self.ledger, now);
        if is_sent {
            self.rest.turn(&mut self.net, &self.clock, now);
        }
        is_sent
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
