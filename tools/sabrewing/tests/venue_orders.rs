//! Real orders at the simulated venue, over TLS: what the session says of them, and that the venue's own books say the
//! same. No timing decides: a test waits for what must come, and only what never comes fails.
#![cfg(feature = "venue-sim")]

#[path = "../../../gateway/tests/support/mod.rs"]
mod gate;
#[path = "venue_orders/managed.rs"]
mod managed;

use engine::instrument::{ContractKind, Instrument};
use engine::message::Kind;
use engine::num::{Decimal, Level, Price, Qty, Side};
use engine::order::{Order, OrderState, Tif};
use engine::runner::StopReason;
use engine::time::Nanos;
use gateway::client_order_id::{ClientOrderId, ClientOrderIds};
use gateway::counterparty::{
    Account, Answer, AnswerEvent, Charge, ChargeAsset, Counterparty, Request, Standing, VenueState,
};
use gateway::throttle::{Counted, Limit};
use gateway::venues::binance::RecvWindow;
use gateway::venues::binance::session::{
    BinanceSession, Credentials, KeyKind, Routes, SessionSetup, VenueOffset,
};
use managed::Managed;
use serde_json::Value;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use venue_sim::server::{Certificates, Server};
use venue_sim::venue::{Venue, VenueConfig};
use wire::driver::Driver;
use wire::http::{HttpClient, HttpConfig};
use wire::net::{Backend, Endpoint, Net, NetOptions, Resolver};
use wire::session::{Protocol, Session, SessionConfig, SessionTimes};
use wire::sign::Secret;
use wire::tls::TlsConfig;

/// Alice's keys, printed in public documentation: HMAC, and the key of RFC 8032 that logs on.
const ALICE_SESSION: &str = "aliceEd25519aliceEd25519aliceEd25519aliceEd25519aliceEd25519alic";

/// A venue on a thread of its own, without a crowd, until it is dropped.
struct Running {
    clients: SocketAddr,
    operators: SocketAddr,
    root: String,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Running {
    fn start() -> Self {
        let (tell, told) = mpsc::channel();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let config = VenueConfig {
                spot: vec!["BTCUSDT".into()],
                futures: vec!["BTCUSDT".into()],
                seed: 3,
                opened: Nanos::from_ms(1_700_000_003_000),
                accounts: None,
                faults: None,
                limits: true,
                flow: false,
            };
            let venue = Venue::open(&config, Nanos(0)).unwrap();
            let certificates = Certificates::make(&["localhost".to_owned()]).unwrap();
            let root = certificates.root_pem.clone();
            let any = "127.0.0.1:0".parse().unwrap();
            let mut server = Server::listen(any, any, Some(certificates), venue, Instant::now()).unwrap();
            tell.send((server.addresses().unwrap(), root)).unwrap();
            server.run(&stopped).unwrap();
        });
        let ([clients, operators], root) = told.recv().unwrap();
        Self { clients, operators, root, stop, thread: Some(thread) }
    }

    fn admin(&self, method: &str, target: &str, text: &str) -> Value {
        let mut stream = TcpStream::connect(self.operators).unwrap();
        let request = format!(
            "{method} /admin/{target} HTTP/1.1\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{text}",
            text.len()
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        let answer = String::from_utf8(answer).unwrap();
        serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap()
    }

    fn fault(&self, rule: &str) {
        assert!(self.admin("POST", "fault", rule)["now_ms"].is_u64(), "{rule}");
    }

    /// The ids of alice's open orders.
    fn open(&self, product: &str) -> Vec<String> {
        let orders = self.admin("GET", &format!("orders?product={product}&account=alice"), "");
        let id = |order: &Value| order["clientOrderId"].as_str().unwrap().to_owned();
        orders.as_array().unwrap().iter().map(id).collect()
    }

    /// What the venue says that alice holds on futures.
    fn position(&self) -> String {
        let held = self.admin("GET", "positions?account=alice", "");
        held[0]["positionAmt"].as_str().unwrap_or("0.000").to_owned()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            assert!(std::thread::panicking() || ended.is_ok(), "the venue panicked");
        }
    }
}

/// Far longer than anything takes.
const PATIENCE: Duration = Duration::from_secs(60);

fn wall() -> Nanos {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Nanos(u64::try_from(since.as_nanos()).unwrap())
}

/// A session and what it said.
struct Trader {
    session: BinanceSession<fn() -> Nanos>,
    instrument: Instrument,
    ids: ClientOrderIds,
    heard: Vec<Answer>,
    offset: VenueOffset,
}

#[derive(Clone, Copy)]
enum Key {
    Hmac,
    Ed25519,
}

impl Trader {
    fn connect(venue: &Running, kind: ContractKind, key: Key) -> Self {
        let mut trader = Self::begin(venue, kind, key);
        trader.until("the session is live", |trader| trader.session.is_live());
        trader
    }

    fn begin(venue: &Running, kind: ContractKind, key: Key) -> Self {
        let credentials = match key {
            Key::Hmac => Credentials {
                api_key: gate::API_KEY.into(),
                secret: Secret::new(gate::SECRET.into()),
                kind: KeyKind::Hmac,
            },
            Key::Ed25519 => Credentials {
                api_key: ALICE_SESSION.into(),
                secret: Secret::new(gate::ED25519_PEM.into()),
                kind: KeyKind::Ed25519,
            },
        };
        let instrument = match kind {
            ContractKind::Spot => gate::instrument(0, kind, "BTCUSDT", "0.01", "0.00001"),
            _ => gate::instrument(0, kind, "BTCUSDT", "0.10", "0.001"),
        };
        let tls = TlsConfig::trusting(venue.root.as_bytes()).unwrap();
        let endpoint = Endpoint::new("localhost", venue.clients.port(), Some(tls));
        let path = if kind == ContractKind::Spot { "/ws-api/v3" } else { "/ws-fapi/v1" };
        let rest = HttpConfig {
            endpoint: endpoint.clone(),
            connections_max: 4,
            spare_count: 1,
            response_bytes_max: 1 << 20,
            answer_ns_max: Nanos::from_ms(10_000),
        };
        let offset = VenueOffset::default();
        let venue_ms = venue.admin("GET", "state", "")["now_ms"].as_i64().unwrap();
        offset.set_ns(venue_ms * 1_000_000 - i64::try_from(wall().0).unwrap());
        let setup = SessionSetup {
            instruments: std::slice::from_ref(&instrument),
            credentials: &credentials,
            recv_window: RecvWindow::from_ms(5_000).unwrap(),
            limits: &[
                Limit { counted: Counted::Orders, window_ns: Nanos::from_ms(10_000), max: 100 },
                Limit { counted: Counted::Weight, window_ns: Nanos::from_ms(60_000), max: 2_400 },
            ],
            dead_man_ms: Some(60_000),
            offset: offset.clone(),
            net: Net::new(NetOptions { backend: Backend::Busy, busy_poll_us: 0 }),
            clock: wall as fn() -> Nanos,
        };
        let routes = Routes {
            api: |protocol| driver(&endpoint, path, protocol),
            stream: |protocol| driver(&endpoint, "/private/ws/none", protocol),
            rest: HttpClient::new(rest, Resolver::start().unwrap()),
        };
        let session = BinanceSession::new(setup, routes).unwrap();
        Self { session, instrument, ids: ClientOrderIds::new(7, 1), heard: Vec::new(), offset }
    }

    fn turn(&mut self) {
        self.session.poll(0);
        while let Some((_, answer)) = self.session.next_answer(wall()) {
            self.heard.push(answer);
        }
    }

    fn until(&mut self, what: &str, mut done: impl FnMut(&mut Self) -> bool) {
        let began = Instant::now();
        while !done(self) {
            self.turn();
            assert!(
                began.elapsed() < PATIENCE,
                "{what} never came; heard {:?}, {:?}",
                self.heard,
                self.session.counts()
            );
            std::thread::yield_now();
        }
    }

    fn id(&self, seq: u64) -> ClientOrderId {
        self.ids.id(seq)
    }

    fn order(seq: u64, side: Side, tif: Tif, price: i64, qty: i64) -> Order {
        Order { seq, ..gate::order(0, side, tif, price, qty) }
    }

    fn try_place(&mut self, order: &Order) -> bool {
        let approved = gate::approved(*order, &self.instrument);
        let id = self.id(order.seq);
        self.session.encode(Request::Place(&approved), &id, wall()) && self.session.send(wall())
    }

    fn place(&mut self, order: &Order) {
        assert!(self.try_place(order), "order {} did not leave", order.seq);
    }

    fn ask(&mut self, request: Request<'_>, seq: u64) {
        let id = self.id(seq);
        assert!(self.session.encode(request, &id, wall()) && self.session.send(wall()));
    }

    /// What was said of an order, once `wanted` is among it.
    fn hears(&mut self, seq: u64, wanted: impl Fn(&AnswerEvent) -> bool) -> Answer {
        let id = self.id(seq);
        let find =
            |trader: &Self| trader.heard.iter().find(|one| one.id == id && wanted(&one.event)).copied();
        self.until("an answer", |trader| find(trader).is_some());
        find(self).unwrap()
    }

    /// Asks what became of an order until it can be told.
    fn standing(&mut self, order: &Order) -> Standing {
        loop {
            self.heard.retain(|answer| !matches!(answer.event, AnswerEvent::Standing(_)));
            self.ask(Request::Query(order), order.seq);
            let said = self.hears(order.seq, |event| matches!(event, AnswerEvent::Standing(_)));
            match said.event {
                // As the manager does, not at once again.
                AnswerEvent::Standing(Standing::Unknown) => {
                    let again = wall().plus(Nanos::from_ms(200));
                    self.until("a while", |_| wall() >= again);
                }
                AnswerEvent::Standing(standing) => return standing,
                _ => unreachable!(),
            }
        }
    }

    fn account(&mut self) -> Account {
        self.until("asking for the account", |trader| trader.session.ask_account(wall()));
        let mut account = None;
        self.until("the account", |trader| {
            account = trader.session.take_account(wall());
            account.is_some()
        });
        account.unwrap()
    }

    /// All that was filled of an order, each fill once.
    fn filled(&self, seq: u64) -> Qty {
        let told = |answer: &&Answer| {
            answer.id == self.id(seq) && matches!(answer.event, AnswerEvent::Filled { .. })
        };
        self.heard.iter().filter(told).filter_map(|answer| answer.filled).max().unwrap_or_default()
    }
}

fn driver<P: Protocol>(endpoint: &Endpoint, path: &str, protocol: P) -> Driver<P> {
    let config = SessionConfig {
        host: endpoint.host_header(),
        path: path.into(),
        headers: vec![],
        message_bytes_max: 1 << 20,
        send_bytes_max: 1 << 16,
        times: SessionTimes { backoff_first_ns: Nanos::from_ms(20), ..SessionTimes::USUAL },
    };
    Driver::new(Session::new(config, protocol, 1), endpoint.clone(), Resolver::start().unwrap())
}

/// Bob stands on the other side.
struct Bob<'v>(&'v Running);

const fn accepted(event: &AnswerEvent) -> bool {
    matches!(event, AnswerEvent::Accepted)
}

const fn canceled(event: &AnswerEvent) -> bool {
    matches!(event, AnswerEvent::Canceled)
}

const fn filled(event: &AnswerEvent) -> bool {
    matches!(event, AnswerEvent::Filled { .. })
}

/// Places, amends, cancels and queries, by either key; afterwards nothing is open on either side.
fn lives(kind: ContractKind, key: Key) {
    let venue = Running::start();
    let product = if kind == ContractKind::Spot { "spot" } else { "futures" };
    let (price, more, qty) =
        if kind == ContractKind::Spot { (5_000_000, 100, 1_000) } else { (500_000, 10, 10) };
    let mut trader = Trader::connect(&venue, kind, key);
    let mut order = Trader::order(1, Side::Buy, Tif::PostOnly, price, qty);
    trader.place(&order);
    trader.hears(1, accepted);
    assert_eq!(venue.open(product), ["sb7-1-1"]);
    order.state = OrderState::Open;
    let open = Standing::Exists { state: VenueState::Open(order.level), filled: Qty(0) };
    // The venue may not be asked too soon: while it could still take the request nothing is certain.
    assert_eq!(trader.standing(&order), open);
    let account = trader.account();
    assert_eq!(account.open.len(), 1);
    assert_eq!((account.open[0].id, account.open[0].level), (trader.id(1), order.level));
    assert_eq!(account.positions, [Qty(0)]);
    let to = if kind == ContractKind::Spot {
        Level { qty: Qty(qty / 2), ..order.level }
    } else {
        Level { price: Price(price + more), qty: Qty(qty / 2) }
    };
    assert!(trader.session.can_amend(&order, to));
    let amended = gate::approved(Order { level: to, ..order }, &trader.instrument);
    trader.ask(Request::Amend(&order, &amended), 1);
    let said = trader.hears(1, |event| matches!(event, AnswerEvent::Amended(_)));
    assert_eq!(said.event, AnswerEvent::Amended(to));
    order.level = to;
    trader.ask(Request::Cancel(&order), 1);
    assert_eq!(trader.hears(1, canceled).filled, Some(Qty(0)));
    assert!(venue.open(product).is_empty());
    trader.ask(Request::Cancel(&order), 1);
    trader.hears(1, |event| matches!(event, AnswerEvent::CancelRefused));
    let ended = Standing::Exists { state: VenueState::Canceled, filled: Qty(0) };
    assert_eq!(trader.standing(&order), ended);
    // An order that never was.
    assert_eq!(trader.standing(&Trader::order(9, Side::Buy, Tif::PostOnly, price, qty)), Standing::Absent);
    assert_eq!(trader.session.counts().unreadable, 0, "{:?}", trader.session.counts());
    assert_eq!(trader.session.stopped(), None);
}

#[test]
fn a_spot_order_lives_and_ends_with_a_key_that_signs() {
    lives(ContractKind::Spot, Key::Hmac);
}

#[test]
fn a_spot_order_lives_and_ends_on_a_session_that_logged_on() {
    lives(ContractKind::Spot, Key::Ed25519);
}

#[test]
fn a_futures_order_lives_and_ends_with_a_key_that_signs() {
    lives(ContractKind::Linear, Key::Hmac);
}

#[test]
fn a_futures_order_lives_and_ends_on_a_session_that_logged_on() {
    lives(ContractKind::Linear, Key::Ed25519);
}

/// Alice with the HMAC key is the same account: what trades between two orders of hers would be self-trade, so the
/// other side is bob.
impl Bob<'_> {
    fn trades(&self, side: Side, price: &str, qty: &str) {
        let side = if side == Side::Buy { "BUY" } else { "SELL" };
        let now = self.0.admin("GET", "state", "")["now_ms"].as_u64().unwrap();
        let text = format!(
            "symbol=BTCUSDT&side={side}&type=LIMIT&timeInForce=GTC&quantity={qty}&price={price}&timestamp={now}"
        );
        let key = wire::sign::HmacKey::new(&Secret::new(
            b"bobSecretbobSecretbobSecretbobSecretbobSecretbobSecretbobSecret0".to_vec(),
        ));
        let signature = String::from_utf8(key.sign(text.as_bytes()).unwrap().to_vec()).unwrap();
        let header = wire::http::Header::new(
            "X-MBX-APIKEY",
            Secret::new(b"bobHmacbobHmacbobHmacbobHmacbobHmacbobHmacbobHmacbobHmacbobHmac0".to_vec()),
        );
        let tls = TlsConfig::trusting(self.0.root.as_bytes()).unwrap();
        let config = HttpConfig {
            endpoint: Endpoint::new("localhost", self.0.clients.port(), Some(tls)),
            connections_max: 1,
            spare_count: 0,
            response_bytes_max: 1 << 16,
            answer_ns_max: Nanos::from_ms(20_000),
        };
        let mut client = HttpClient::new(config, Resolver::start().unwrap());
        let mut net = Net::new(NetOptions { backend: Backend::Busy, busy_poll_us: 0 });
        let path = format!("/fapi/v1/order?{text}&signature={signature}");
        let request = wire::http::Request {
            method: wire::http::Method::Post,
            path: &path,
            headers: &[header],
            body: &[],
        };
        let response = client.call(&mut net, &wall, &request, std::thread::yield_now).unwrap();
        assert_eq!(response.status, 200, "{}", String::from_utf8_lossy(response.body));
    }
}

#[test]
fn partial_fills_add_up_and_the_venue_holds_the_same() {
    let venue = Running::start();
    let mut trader = Trader::connect(&venue, ContractKind::Linear, Key::Ed25519);
    let order = Trader::order(1, Side::Buy, Tif::PostOnly, 500_000, 10);
    trader.place(&order);
    trader.hears(1, accepted);
    for (qty, sum) in [("0.004", 4), ("0.002", 6), ("0.004", 10)] {
        Bob(&venue).trades(Side::Sell, "50000.0", qty);
        trader.until("the fill", |trader| trader.filled(1) == Qty(sum));
    }
    let said = trader.hears(1, filled);
    let fill = Level { price: Price(500_000), qty: Qty(4) };
    // 200 USDT x 0.02 %.
    let fee = Some(Charge { amount: Decimal::parse("0.04000000").unwrap(), asset: ChargeAsset::Settle });
    assert_eq!(said.event, AnswerEvent::Filled { fill, maker: true, fee });
    assert_eq!(venue.position(), "0.010");
    // Told again from the first by a query, in the same sums.
    trader.heard.clear();
    let standing = trader.standing(&order);
    assert_eq!(standing, Standing::Exists { state: VenueState::Filled, filled: Qty(10) });
    let sums: Vec<_> =
        trader.heard.iter().filter(|one| filled(&one.event)).filter_map(|one| one.filled).collect();
    assert_eq!(sums, [Qty(4), Qty(6), Qty(10)]);
    let account = trader.account();
    assert_eq!((account.open.len(), account.positions), (0, vec![Qty(10)]));
}

#[test]
fn an_order_that_would_take_is_refused_and_one_that_may_take_expires_with_what_it_got() {
    let venue = Running::start();
    let mut trader = Trader::connect(&venue, ContractKind::Linear, Key::Ed25519);
    Bob(&venue).trades(Side::Sell, "50000.0", "0.003");
    trader.place(&Trader::order(1, Side::Buy, Tif::PostOnly, 500_000, 10));
    trader.hears(1, |event| matches!(event, AnswerEvent::Rejected | AnswerEvent::Expired));
    trader.place(&Trader::order(2, Side::Buy, Tif::Fok, 500_000, 10));
    trader.hears(2, |event| matches!(event, AnswerEvent::Rejected | AnswerEvent::Expired));
    trader.place(&Trader::order(3, Side::Buy, Tif::Ioc, 500_000, 10));
    trader.hears(3, |event| matches!(event, AnswerEvent::Expired));
    assert_eq!(trader.filled(3), Qty(3));
    trader.place(&Trader::order(4, Side::Sell, Tif::Gtc, 510_000, 3));
    trader.hears(4, accepted);
    Bob(&venue).trades(Side::Buy, "51000.0", "0.003");
    trader.until("the fill", |trader| trader.filled(4) == Qty(3));
    assert_eq!((venue.position().as_str(), venue.open("futures").len()), ("0.000", 0));
}

#[test]
fn a_lost_acknowledgement_leaves_an_order_that_a_query_finds() {
    let venue = Running::start();
    let mut trader = Trader::connect(&venue, ContractKind::Linear, Key::Ed25519);
    venue.fault(r#"{"kind":"lost-ack","count":1}"#);
    let order = Trader::order(1, Side::Buy, Tif::PostOnly, 500_000, 10);
    trader.place(&order);
    let open = Standing::Exists { state: VenueState::Open(order.level), filled: Qty(0) };
    assert_eq!(trader.standing(&order), open);
    trader.ask(Request::Cancel(&order), 1);
    trader.hears(1, canceled);
    assert!(venue.open("futures").is_empty());
}

#[test]
fn user_events_that_come_twice_or_late_tell_of_no_more_than_traded() {
    let venue = Running::start();
    let mut trader = Trader::connect(&venue, ContractKind::Linear, Key::Ed25519);
    venue.fault(r#"{"kind":"duplicate","topic":"user","count":20}"#);
    venue.fault(r#"{"kind":"late-fill","ms":300,"count":1}"#);
    let order = Trader::order(1, Side::Buy, Tif::PostOnly, 500_000, 10);
    trader.place(&order);
    trader.hears(1, accepted);
    Bob(&venue).trades(Side::Sell, "50000.0", "0.004");
    trader.ask(Request::Cancel(&order), 1);
    let said = trader.hears(1, canceled);
    assert_eq!(said.filled, Some(Qty(4)), "the answer to the cancel knows of the fill that comes late");
    trader.until("the late fill", |trader| trader.filled(1) == Qty(4));
    let times = trader.heard.iter().filter(|one| filled(&one.event)).count();
    assert!(times >= 1);
    assert_eq!((venue.position().as_str(), venue.open("futures").len()), ("0.004", 0));
}

#[test]
fn a_broken_connection_is_opened_again_and_everything_is_asked_about() {
    for kind in [ContractKind::Spot, ContractKind::Linear] {
        let venue = Running::start();
        let product = if kind == ContractKind::Spot { "spot" } else { "futures" };
        let mut trader = Trader::connect(&venue, kind, Key::Ed25519);
        let (price, qty) = if kind == ContractKind::Spot { (5_000_000, 1_000) } else { (500_000, 10) };
        let order = Trader::order(1, Side::Buy, Tif::PostOnly, price, qty);
        trader.place(&order);
        trader.hears(1, accepted);
        assert!(!trader.session.has_reconnected());
        venue.admin("POST", &format!("disconnect?product={product}"), "");
        trader.until("the loss", |trader| !trader.session.is_live());
        assert!(!trader.try_place(&Trader::order(2, Side::Buy, Tif::PostOnly, price, qty)), "blind");
        trader.until("the return", |trader| trader.session.is_live());
        assert!(trader.session.has_reconnected() && !trader.session.has_reconnected());
        let open = Standing::Exists { state: VenueState::Open(order.level), filled: Qty(0) };
        assert_eq!(trader.standing(&order), open);
        trader.ask(Request::Cancel(&order), 1);
        trader.hears(1, canceled);
        assert!(venue.open(product).is_empty());
    }
}

#[test]
fn a_clock_that_is_off_a_revoked_key_and_a_used_up_limit_each_have_their_answer() {
    let venue = Running::start();
    let mut trader = Trader::connect(&venue, ContractKind::Linear, Key::Hmac);
    venue.fault(r#"{"kind":"wrong-clock","ms":9000}"#);
    trader.place(&Trader::order(1, Side::Buy, Tif::PostOnly, 500_000, 10));
    trader.hears(1, |event| matches!(event, AnswerEvent::Rejected));
    assert!(trader.session.take_clock_off() && !trader.session.take_clock_off());
    venue.admin("POST", "faults/clear", "");
    // Ours is set wrong and right again.
    trader.place(&Trader::order(2, Side::Buy, Tif::PostOnly, 500_000, 10));
    trader.hears(2, accepted);
    // The venue allows fewer orders than it said: quotes wait, cancels pass.
    venue.admin("POST", "limits?product=futures&orders10s=1", "");
    let mut seq = 3;
    trader.until("the limit", |trader| {
        let left = trader.try_place(&Trader::order(seq, Side::Buy, Tif::PostOnly, 490_000, 10));
        seq += 1;
        !left
    });
    let order = Trader::order(2, Side::Buy, Tif::PostOnly, 500_000, 10);
    trader.ask(Request::Cancel(&order), 2);
    trader.hears(2, canceled);
    venue.admin("POST", &format!("revoke?key={}", gate::API_KEY), "");
    trader.ask(Request::Cancel(&order), 2);
    trader.until("the stop", |trader| trader.session.stopped().is_some());
    assert!(!trader.try_place(&Trader::order(seq, Side::Buy, Tif::PostOnly, 490_000, 10)));
    // Nothing that the session shows has a key in it.
    let shown = format!(
        "{:?} {:?} {:?} {:?}",
        trader.heard,
        trader.session.counts(),
        trader.session.stopped(),
        trader.offset
    );
    for secret in [gate::API_KEY, gate::SECRET, "MC4CAQAw"] {
        assert!(!shown.contains(secret));
    }
}

#[test]
fn the_order_manager_reconciles_quotes_survives_a_cut_and_leaves_nothing_open() {
    let venue = Running::start();
    let mut run = Managed::start(&venue, 1);
    // Before anything is placed the account is compared.
    run.target((500_000, 10), (510_000, 10));
    run.until("trading", |run| !run.manager.is_reconciling());
    run.until("both quotes", |_| venue.open("futures").len() == 2);
    Bob(&venue).trades(Side::Sell, "50000.0", "0.004");
    run.until("the fill", |run| run.position() == Qty(4));
    assert_eq!(venue.position(), "0.004");
    // Moved, by an amendment that keeps the order's id.
    run.target((500_000, 10), (511_000, 10));
    let ask_is_at = |price: &str| {
        let orders = venue.admin("GET", "orders?product=futures&account=alice", "");
        orders.as_array().unwrap().iter().any(|order| order["price"].as_str() == Some(price))
    };
    run.until("the amendment", |_| ask_is_at("51100.0") || ask_is_at("51100.00"));
    // The streams are cut, and meanwhile somebody takes the rest of the bid.
    venue.admin("POST", "disconnect?product=futures", "");
    Bob(&venue).trades(Side::Sell, "50000.0", "0.006");
    run.until("the fill that nobody told", |run| run.position() == Qty(10));
    assert_eq!(venue.position(), "0.010");
    run.until("as many orders here as there", |run| {
        run.open() == venue.open("futures").len() && run.manager.report().orders.queries > 0
    });
    let head = run.head(Kind::Timer);
    assert!(run.manager.cancel_all(&head), "everything is confirmed to be gone");
    assert_eq!((venue.open("futures").len(), venue.position().as_str()), (0, "0.010"));
    assert_eq!((run.position(), run.control.stopped()), (Qty(10), None));
    drop(run);

    // A run that knows nothing of that position does not trade.
    let mut next = Managed::start(&venue, 2);
    next.target((500_000, 10), (510_000, 10));
    next.until("the stop", |next| next.control.stopped().is_some());
    assert_eq!(next.control.stopped(), Some(StopReason::Unreconciled));
    assert!(venue.open("futures").is_empty());
}

#[test]
fn orders_whose_engine_is_gone_end_when_the_venues_timer_runs_out() {
    let venue = Running::start();
    let mut trader = Trader::connect(&venue, ContractKind::Linear, Key::Ed25519);
    trader.until("the timer", |trader| trader.session.counts().timers_set > 0);
    trader.place(&Trader::order(1, Side::Buy, Tif::PostOnly, 500_000, 10));
    trader.hears(1, accepted);
    drop(trader);
    assert_eq!(venue.open("futures"), ["sb7-1-1"]);
    venue.admin("POST", "clock?leapMs=61000", "");
    assert!(venue.open("futures").is_empty());
}
