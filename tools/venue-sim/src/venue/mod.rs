//! The whole venue without sockets and clocks: requests and time come in, what is sent goes out.
//!
//! ```text
//!  server ──▶ http, text, pong, closed ──▶ desks (spot, futures) ──▶ outbox ──▶ faults ──▶ server
//!  server ──▶ advance(machine's time) ──▶ order flow, mark prices, streams ──▶
//! ```
//! The same calls at the same times under the same seed give the same bytes.

mod accounts;
mod admin;
mod api;
mod clock;
mod rest;
mod stream_client;

use engine::ids::AccountId;
use engine::time::Nanos;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;

use crate::binance::auth::Keys;
use crate::binance::desk::ListenKeys;
use crate::binance::publisher::TICK_MS;
use crate::binance::user_events::UserEvent;
use crate::binance::{Desk, LimitTerms};
use crate::exchange::{AccountTerms, ConfigError, Exchange, Product};
use crate::faults::{Faults, Script};
use crate::flow::generator::{Crowd, Generator};
use crate::markets;
use crate::outbox::{ConnId, Outbox, Outgoing, Payload, Topic};
use crate::server::{Request, Response};

pub use accounts::{AccountFile, TEST_ACCOUNTS, TEST_LOG_ON_KEY};
pub(crate) use admin::ADMIN_HELP;
use api::ApiClient;
use clock::Clock;
use stream_client::StreamClient;

/// What a venue is built from.
#[derive(Clone, Debug)]
pub struct VenueConfig {
    /// Spot symbols.
    pub spot: Vec<String>,
    /// Futures symbols.
    pub futures: Vec<String>,
    /// Of order flow and faults.
    pub seed: u64,
    /// The venue's time when it opens.
    pub opened: Nanos,
    /// None: the test accounts.
    pub accounts: Option<PathBuf>,
    /// Faults from the start.
    pub faults: Option<PathBuf>,
    /// Whether rates are limited as the venue does.
    pub limits: bool,
    /// Whether others trade too.
    pub flow: bool,
}

/// The venue.
pub struct Venue {
    clock: Clock,
    /// The venue's time of the last call.
    now: Nanos,
    /// The machine's.
    real: Nanos,
    desks: [Option<Desk>; 2],
    keys: Keys,
    accounts: BTreeMap<String, AccountId>,
    clients: BTreeMap<ConnId, Client>,
    faults: Faults,
    next_tick: Nanos,
    /// Whether clients were told of the maintenance that runs.
    announced: bool,
}

/// A WebSocket client.
struct Client {
    ip: IpAddr,
    product: Product,
    opened: Nanos,
    /// The machine's times of the last ping and pong: clients live in the machine's time.
    pinged: Nanos,
    ponged: Nanos,
    kind: ClientKind,
}

enum ClientKind {
    Stream(StreamClient),
    Api(ApiClient),
}

/// What becomes of a request.
#[derive(Debug)]
pub enum Answer {
    /// It is answered; the answer is in the outbox.
    Sent,
    /// The connection becomes a WebSocket with this answer.
    Upgrade(Response),
    /// The answer is in the outbox and the connection ends behind it.
    Last,
}

/// Life of a WebSocket connection.
const LIFE: Nanos = Nanos(24 * Nanos::HOUR.0);

const fn ping_every(product: Product) -> Nanos {
    match product {
        Product::Spot => Nanos(20 * Nanos::SECOND.0),
        Product::Futures => Nanos(180 * Nanos::SECOND.0),
    }
}

const fn pong_within(product: Product) -> Nanos {
    match product {
        Product::Spot => Nanos(60 * Nanos::SECOND.0),
        Product::Futures => Nanos(600 * Nanos::SECOND.0),
    }
}

impl Venue {
    /// Opens a venue when the machine's clock shows `real`. Err: what of the configuration cannot be.
    pub fn open(config: &VenueConfig, real: Nanos) -> Result<Self, String> {
        let accounts = match &config.accounts {
            Some(path) => AccountFile::read(path)?,
            None => AccountFile::parse(TEST_ACCOUNTS)?,
        };
        let mut desks = [None, None];
        for (slot, (product, symbols)) in
            desks.iter_mut().zip([(Product::Spot, &config.spot), (Product::Futures, &config.futures)])
        {
            if symbols.is_empty() {
                continue;
            }
            let names: Vec<&str> = symbols.iter().map(String::as_str).collect();
            let mut listed = markets::config(product, &names, config.opened).ok_or_else(|| {
                let known: Vec<_> = markets::symbols().collect();
                let unknown = names.iter().find(|name| !known.contains(name)).unwrap_or(&"");
                format!("symbol `{unknown}` is not listed; there are {}", known.join(", "))
            })?;
            if product == Product::Spot {
                listed.other_assets.extend(accounts.spot_assets());
            }
            let exchange = Exchange::new(&listed).map_err(|error: ConfigError| error.to_string())?;
            let terms = if config.limits { LimitTerms::of_venue(product) } else { LimitTerms::OFF };
            *slot = Some(Desk::new(exchange, terms));
        }
        if desks.iter().all(Option::is_none) {
            return Err("a venue needs at least one symbol".to_owned());
        }
        let mut keys = Keys::default();
        let accounts = accounts.open(config.opened, &mut desks, &mut keys)?;
        if config.flow {
            for desk in desks.iter_mut().flatten() {
                gather_crowds(desk, config.opened, config.seed);
            }
        }
        let mut faults = Faults::new(config.seed);
        if let Some(path) = &config.faults {
            for rule in Script::read(path)?.fault {
                faults.add(rule, config.opened);
            }
        }
        let mut venue = Self {
            clock: Clock::new(real, config.opened),
            now: config.opened,
            real,
            desks,
            keys,
            accounts,
            clients: BTreeMap::new(),
            faults,
            next_tick: config.opened,
            announced: false,
        };
        for desk in venue.desks.iter_mut().flatten() {
            desk.advance(config.opened);
        }
        venue.settle(&mut Outbox::default());
        Ok(venue)
    }

    /// Lets time pass up to the machine's time `real`.
    pub fn advance(&mut self, real: Nanos, out: &mut Outbox) {
        let target = self.clock.at(real).max(self.now);
        loop {
            let due = self.next_event();
            if due > target {
                break;
            }
            self.now = due.max(self.now);
            for desk in self.desks.iter_mut().flatten() {
                desk.advance(self.now);
            }
            self.settle(out);
            if self.next_tick <= self.now {
                self.tick(out);
            }
        }
        self.now = target;
        self.heartbeat(real, out);
        self.real = real;
    }

    /// The machine's time at which [`Self::advance`] has something to do next.
    #[must_use]
    pub fn next_due(&self) -> Nanos {
        let heartbeat = self.real.plus(Nanos::SECOND);
        self.clock.real_at(self.next_event().min(self.faults.next_due())).min(heartbeat)
    }

    fn next_event(&self) -> Nanos {
        let desks = self.desks.iter().flatten().map(Desk::next_due);
        desks.min().unwrap_or(Nanos::MAX).min(self.next_tick)
    }

    /// Periodic streams, listen keys and maintenance.
    fn tick(&mut self, out: &mut Outbox) {
        let step = TICK_MS * 1_000_000;
        let at = Nanos(self.now.0 / step * step);
        let shift = self.shift();
        for desk in self.desks.iter_mut().flatten() {
            desk.tick(at, shift, out);
        }
        self.next_tick = at.plus(Nanos(step));
        self.expire_listen_keys(out);
        self.maintain(out);
    }

    /// What the venue's clock is off by, ms.
    fn shift(&self) -> i64 {
        self.faults.clock_shift_ms(self.now)
    }

    /// Tells everybody what the exchanges have said.
    fn settle(&mut self, out: &mut Outbox) {
        let (now, shift) = (self.now, self.shift());
        for product in [Product::Spot, Product::Futures] {
            let Some(desk) = &mut self.desks[slot(product)] else { continue };
            let clients = &self.clients;
            let is_heard = |listen_keys: &ListenKeys, account| {
                let mut here = clients.values().filter(|client| client.product == product);
                here.any(|client| match &client.kind {
                    ClientKind::Api(api) => api.subscriptions_of(account).next().is_some(),
                    ClientKind::Stream(stream) => {
                        stream.listen_keys().any(|key| listen_keys.owner(key, now) == Some(account))
                    }
                })
            };
            for (account, event) in desk.digest(now, shift, out, is_heard) {
                self.tell(product, account, &event, out);
            }
        }
    }

    fn tell(&self, product: Product, account: AccountId, event: &UserEvent, out: &mut Outbox) {
        for (conn, client) in self.clients.iter().filter(|(_, client)| client.product == product) {
            match &client.kind {
                ClientKind::Api(api) => {
                    for id in api.subscriptions_of(account) {
                        let text = format!("{{\"subscriptionId\":{id},\"event\":{}}}", event.json);
                        out.text(*conn, event.topic, text);
                    }
                }
                ClientKind::Stream(stream) => {
                    let Some(desk) = &self.desks[slot(product)] else { continue };
                    for key in stream.listen_keys() {
                        if desk.listen_keys.owner(key, self.now) == Some(account) {
                            out.text(*conn, event.topic, stream.wrapped(key, &event.json));
                        }
                    }
                }
            }
        }
    }

    /// Pings, and the ends of connections that live too long or do not answer. In the machine's time, but for the
    /// life of a connection, which a test can pass in a leap.
    fn heartbeat(&mut self, real: Nanos, out: &mut Outbox) {
        for (conn, client) in &mut self.clients {
            if self.now.0 - client.opened.0 >= LIFE.0 {
                out.push(*conn, Topic::Control, Payload::Close("24 hours are over"));
            } else if real.0.saturating_sub(client.ponged.0)
                >= pong_within(client.product).0 + ping_every(client.product).0
            {
                out.push(*conn, Topic::Control, Payload::Close("no pong"));
            } else if real.0.saturating_sub(client.pinged.0) >= ping_every(client.product).0 {
                client.pinged = real;
                out.push(*conn, Topic::Control, Payload::Ping);
            }
        }
    }

    fn expire_listen_keys(&mut self, out: &mut Outbox) {
        let Some(desk) = &mut self.desks[slot(Product::Futures)] else { return };
        for (_, key) in desk.listen_keys.expired(self.now) {
            let text = format!(
                "{{\"e\":\"listenKeyExpired\",\"E\":\"{}\",\"listenKey\":\"{key}\"}}",
                self.now.as_ms()
            );
            for (conn, client) in &self.clients {
                if let ClientKind::Stream(stream) = &client.kind
                    && stream.listen_keys().any(|known| *known == key)
                {
                    out.text(*conn, Topic::User, stream.wrapped(&key, &text));
                }
            }
        }
    }

    /// Announces maintenance, and ends connections when its notice is over, or where their way is closed.
    fn maintain(&mut self, out: &mut Outbox) {
        for (conn, client) in &self.clients {
            if self.faults.is_closed(matches!(client.kind, ClientKind::Api(_)), self.now) {
                out.push(*conn, Topic::Control, Payload::Close("closed for a time"));
            }
        }
        let Some(is_over) = self.faults.maintenance(self.now) else {
            self.announced = false;
            return;
        };
        if !std::mem::replace(&mut self.announced, true) {
            let event = format!("{{\"e\":\"serverShutdown\",\"E\":{}}}", self.now.as_ms());
            for (conn, client) in self.clients.iter().filter(|(_, client)| client.product == Product::Spot) {
                match &client.kind {
                    ClientKind::Api(_) => out.text(*conn, Topic::Control, format!("{{\"event\":{event}}}")),
                    ClientKind::Stream(stream) => {
                        out.text(*conn, Topic::Control, stream.wrapped("!serverShutdown", &event));
                    }
                }
            }
        }
        if is_over {
            for conn in self.clients.keys() {
                out.push(*conn, Topic::Control, Payload::Close("maintenance"));
            }
        }
    }

    /// A client's request. WebSocket clients are known from their upgrade on.
    pub fn http(&mut self, conn: ConnId, ip: IpAddr, request: &Request, out: &mut Outbox) -> Answer {
        if self.faults.maintenance(self.now) == Some(true) {
            let body = "{\"code\":-1016,\"msg\":\"This service is no longer available.\"}".to_owned();
            out.push(conn, Topic::Control, Payload::Http(Response::json(503, body)));
            return Answer::Last;
        }
        if let Some(key) = &request.web_socket_key {
            return match self.open_client(conn, ip, request) {
                Ok(()) => Answer::Upgrade(Response::upgrade(key)),
                Err(failure) => {
                    let response = Response::json(failure.status, failure.json());
                    out.push(conn, Topic::Control, Payload::Http(response));
                    Answer::Last
                }
            };
        }
        self.rest(conn, ip, request, out);
        self.settle(out);
        Answer::Sent
    }

    /// A client's text message.
    pub fn text(&mut self, conn: ConnId, text: &str, out: &mut Outbox) {
        let is_api = match self.clients.get(&conn) {
            None => return,
            Some(client) => matches!(client.kind, ClientKind::Api(_)),
        };
        if is_api {
            self.api_text(conn, text, out);
            self.settle(out);
        } else {
            self.stream_text(conn, text, out);
        }
    }

    /// A client's ping, pong or binary message: they count, and a pong says that it lives.
    pub fn control_frame(&mut self, conn: ConnId, is_pong: bool, out: &mut Outbox) {
        let real = self.real;
        if let Some(client) = self.clients.get_mut(&conn) {
            if is_pong {
                client.ponged = real;
            }
            if let ClientKind::Stream(_) = client.kind {
                self.count_message(conn, out);
            }
        }
    }

    /// A client is gone.
    pub fn closed(&mut self, conn: ConnId) {
        self.faults.forget(conn);
        if self.clients.remove(&conn).is_some() {
            for desk in self.desks.iter_mut().flatten() {
                desk.publisher.forget(conn);
            }
        }
    }

    /// What really leaves of what was sent.
    pub fn pass(&mut self, out: &mut Outbox) -> Vec<Outgoing> {
        self.faults.pass(self.now, std::mem::take(&mut out.0))
    }

    /// Whether a new connection meets the certificate that ran out.
    #[must_use]
    pub fn has_expired_certificate(&self) -> bool {
        self.faults.has_expired_certificate(self.now)
    }

    /// The venue's time.
    #[must_use]
    pub const fn now(&self) -> Nanos {
        self.now
    }

    /// An account by its name.
    #[must_use]
    pub fn account(&self, name: &str) -> Option<AccountId> {
        self.accounts.get(name).copied()
    }
}

/// One crowd a market, all on one account that may owe without limit.
fn gather_crowds(desk: &mut Desk, now: Nanos, seed: u64) {
    let terms = AccountTerms { reports: false, unlimited: true };
    let Some(account) = desk.exchange.open_account(terms) else { return };
    let product = desk.product;
    for (index, market) in (0_u64..).zip(desk.exchange.markets()) {
        let Some(price) = markets::first_price(product, &market.instrument.symbol) else { continue };
        let seed = seed.wrapping_add(index * 2 + u64::from(product == Product::Futures));
        let crowd = Crowd::of(product);
        let id = market.instrument.id;
        desk.crowds.extend(Generator::new(&desk.exchange, id, account, crowd, price, now, seed));
    }
}

const fn slot(product: Product) -> usize {
    match product {
        Product::Spot => 0,
        Product::Futures => 1,
    }
}
