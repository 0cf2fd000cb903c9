//! One session at the simulated venue, and who stands on the other side.

use super::gate;
use super::support::{PATIENCE, SimVenue, Terms};
use engine::instrument::{ContractKind, Instrument};
use engine::num::{Level, Qty, Side};
use engine::order::{Order, Tif};
use engine::time::Nanos;
use gateway::client_order_id::{ClientOrderId, ClientOrderIds};
use gateway::counterparty::{Account, Answer, AnswerEvent, Counterparty, Request, Standing, VenueOrder};
use gateway::throttle::{Counted, Limit};
use gateway::venues::binance::RecvWindow;
use gateway::venues::binance::session::{
    BinanceSession, Credentials, FuturesSettings, KeyKind, Remark, Routes, SessionSetup, VenueOffset,
};
use serde_json::Value;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use wire::driver::Driver;
use wire::http::{HttpClient, HttpConfig};
use wire::net::{Backend, Endpoint, Net, NetOptions, Resolver};
use wire::session::{Protocol, Session, SessionConfig, SessionTimes};
use wire::sign::Secret;
use wire::tls::TlsConfig;

/// Alice's keys, printed in public documentation: HMAC, and the key of RFC 8032 that logs on.
pub(crate) const ALICE_SESSION: &str = "aliceEd25519aliceEd25519aliceEd25519aliceEd25519aliceEd25519alic";

/// Between two turns.
pub(crate) const PAUSE: Duration = Duration::from_micros(200);

/// The venue of these tests: without a crowd, and with limits.
impl SimVenue {
    pub(crate) fn start() -> Self {
        let opened = Nanos::from_ms(1_700_000_003_000);
        Self::with(Terms { seed: 3, opened, crowd: false, tls: true, limits: true })
    }

    /// The ids of alice's open orders.
    pub(crate) fn open(&self, product: &str) -> Vec<String> {
        let orders = self.admin("GET", &format!("orders?product={product}&account=alice"), "");
        let id = |order: &Value| order["clientOrderId"].as_str().unwrap().to_owned();
        orders.as_array().unwrap().iter().map(id).collect()
    }

    /// How much of an order of alice's has traded, in units of 0.001.
    pub(crate) fn filled(&self, product: &str, id: &str) -> i64 {
        let target = format!("order?product={product}&account=alice&symbol=BTCUSDT&origClientOrderId={id}");
        let order = self.admin("GET", &target, "");
        let executed = order["executedQty"].as_str().unwrap_or_else(|| panic!("{order}"));
        i64::try_from(engine::num::Decimal::parse(executed).unwrap().rescaled(3).unwrap()).unwrap()
    }

    /// Alice's fills on futures.
    pub(crate) fn fills(&self) -> usize {
        let target = "fills?product=futures&account=alice&symbol=BTCUSDT&limit=1000";
        self.admin("GET", target, "").as_array().unwrap().len()
    }

    /// What the venue says that alice has of an asset on spot.
    pub(crate) fn spot(&self, asset: &str) -> String {
        let account = self.admin("GET", "account?product=spot&account=alice", "");
        let of = |row: &Value| row["asset"] == asset;
        let row = account["balances"].as_array().unwrap().iter().find(|row| of(row)).cloned().unwrap();
        let amount = |key: &str| engine::num::Decimal::parse(row[key].as_str().unwrap()).unwrap();
        amount("free").checked_add(amount("locked")).unwrap().to_string()
    }

    /// What the venue says that alice holds on futures.
    pub(crate) fn position(&self) -> String {
        let held = self.admin("GET", "positions?account=alice", "");
        held[0]["positionAmt"].as_str().unwrap_or("0.000").to_owned()
    }
}

/// Measures how far the venue's clock is ahead, as the owner of a session does.
pub(crate) fn set_offset(venue: &SimVenue, offset: &VenueOffset) {
    let venue_ns = i64::try_from(venue.now_ms()).unwrap() * 1_000_000;
    offset.set_ns(venue_ns - i64::try_from(wall().0).unwrap());
}

fn text_of(order: &VenueOrder) -> String {
    String::from_utf8(order.id.as_bytes().to_vec()).unwrap()
}

/// A quantity of futures as the venue prints it.
pub(crate) fn thousandths(qty: i64) -> String {
    let sign = if qty < 0 { "-" } else { "" };
    format!("{sign}{}.{:03}", qty.abs() / 1_000, qty.abs() % 1_000)
}

pub(crate) fn wall() -> Nanos {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Nanos(u64::try_from(since.as_nanos()).unwrap())
}

/// A session in real time.
pub(crate) type RealSession = BinanceSession<fn() -> Nanos>;

/// A session and what it said.
pub(crate) struct Trader {
    pub(crate) session: RealSession,
    pub(crate) instrument: Instrument,
    pub(crate) ids: ClientOrderIds,
    pub(crate) heard: Vec<Answer>,
    /// What the operator was told.
    pub(crate) lines: Vec<Remark>,
    pub(crate) offset: VenueOffset,
}

#[derive(Clone, Copy)]
pub(crate) enum Key {
    Hmac,
    Ed25519,
    /// Unknown to the venue.
    BadHmac,
    /// Unknown to the venue.
    BadEd25519,
    /// Known, and signed with another secret.
    BadSecret,
}

impl Key {
    /// Public and secret half.
    pub(crate) const fn halves(self) -> (&'static str, &'static str) {
        match self {
            Self::Hmac => (gate::API_KEY, gate::SECRET),
            Self::Ed25519 => (ALICE_SESSION, gate::ED25519_PEM),
            Self::BadHmac => (UNKNOWN, gate::SECRET),
            Self::BadEd25519 => (UNKNOWN, gate::ED25519_PEM),
            Self::BadSecret => (gate::API_KEY, UNKNOWN),
        }
    }
}

const UNKNOWN: &str = "nobodyHmacnobodyHmacnobodyHmacnobodyHmacnobodyHmacnobodyHmacnobo";

/// What a session is made from, as far as tests differ.
#[derive(Clone)]
pub(crate) struct Given {
    pub(crate) kind: ContractKind,
    pub(crate) key: Key,
    /// Its place in the run.
    pub(crate) id: u32,
    pub(crate) settings: FuturesSettings,
    pub(crate) recv_window_ms: u32,
    /// Most orders in 10 s.
    pub(crate) orders_max: u64,
    /// A connection to the WebSocket API is replaced after so long.
    pub(crate) rotate_after: Nanos,
    /// The venue's own timer.
    pub(crate) dead_man_ms: Option<u32>,
    /// The venue speaks TLS.
    pub(crate) tls: bool,
}

impl Given {
    pub(crate) fn new(kind: ContractKind, key: Key) -> Self {
        Self {
            kind,
            key,
            id: 0,
            settings: FuturesSettings::default(),
            recv_window_ms: 5_000,
            orders_max: 100,
            rotate_after: SessionTimes::USUAL.rotate_after_ns,
            dead_man_ms: Some(60_000),
            tls: true,
        }
    }
}

impl Trader {
    pub(crate) fn connect(venue: &SimVenue, kind: ContractKind, key: Key) -> Self {
        Self::connect_with(venue, &Given::new(kind, key))
    }

    pub(crate) fn connect_with(venue: &SimVenue, given: &Given) -> Self {
        let mut trader = Self::begin(venue, given);
        trader.until("the session is live", |trader| trader.session.is_live());
        trader
    }

    pub(crate) fn begin(venue: &SimVenue, given: &Given) -> Self {
        let Given { kind, id, .. } = *given;
        let (api_key, secret) = given.key.halves();
        let kind_of_key = if secret.contains("PRIVATE") { KeyKind::Ed25519 } else { KeyKind::Hmac };
        let credentials =
            Credentials { api_key: api_key.into(), secret: Secret::new(secret.into()), kind: kind_of_key };
        let instrument = match kind {
            ContractKind::Spot => Instrument {
                venue: "binance-spot".into(),
                ..gate::instrument(id, kind, "BTCUSDT", "0.01", "0.00001")
            },
            _ => gate::instrument(id, kind, "BTCUSDT", "0.10", "0.001"),
        };
        let tls = given.tls.then(|| TlsConfig::trusting(venue.root_pem.as_bytes()).unwrap());
        let endpoint = Endpoint::new("localhost", venue.clients.port(), tls);
        let path = if kind == ContractKind::Spot { "/ws-api/v3" } else { "/ws-fapi/v1" };
        let rest = HttpConfig {
            endpoint: endpoint.clone(),
            connections_max: 4,
            spare_count: 1,
            response_bytes_max: 1 << 20,
            answer_ns_max: Nanos::from_ms(10_000),
        };
        let offset = VenueOffset::default();
        set_offset(venue, &offset);
        let setup = SessionSetup {
            instruments: std::slice::from_ref(&instrument),
            credentials: &credentials,
            recv_window: RecvWindow::from_ms(given.recv_window_ms).unwrap(),
            limits: &[
                Limit { counted: Counted::Orders, window_ns: Nanos::from_ms(10_000), max: given.orders_max },
                Limit { counted: Counted::Weight, window_ns: Nanos::from_ms(60_000), max: 2_400 },
            ],
            dead_man_ms: given.dead_man_ms,
            settings: given.settings,
            offset: offset.clone(),
            net: Net::new(NetOptions { backend: Backend::Busy, busy_poll_us: 0 }),
            clock: wall as fn() -> Nanos,
        };
        let usual = SessionTimes { backoff_first_ns: Nanos::from_ms(20), ..SessionTimes::USUAL };
        let overlap_ns = Nanos::from_ms(300);
        let of_api = SessionTimes { rotate_after_ns: given.rotate_after, overlap_ns, ..usual };
        let routes = Routes {
            api: |protocol| driver(&endpoint, path, of_api, protocol),
            stream: |protocol| driver(&endpoint, "/private/ws/none", usual, protocol),
            rest: HttpClient::new(rest, Resolver::start().unwrap()),
        };
        let session = BinanceSession::new(setup, routes).unwrap();
        let ids = ClientOrderIds::new(7, 1);
        Self { session, instrument, ids, heard: Vec::new(), lines: Vec::new(), offset }
    }

    pub(crate) fn turn(&mut self) {
        self.session.poll(0);
        while let Some((_, answer)) = self.session.next_answer(wall()) {
            self.heard.push(answer);
        }
        self.lines.extend(std::iter::from_fn(|| self.session.take_remark()));
    }

    pub(crate) fn until(&mut self, what: &str, mut done: impl FnMut(&mut Self) -> bool) {
        let began = Instant::now();
        while !done(self) {
            self.turn();
            assert!(
                began.elapsed() < PATIENCE,
                "{what} never came; heard {:?}, {:?}, {:?}, {:?}",
                self.heard,
                self.session.counts(),
                self.session.stopped(),
                self.lines
            );
            // The venue's thread has no other core to itself.
            std::thread::sleep(PAUSE);
        }
    }

    pub(crate) fn id(&self, seq: u64) -> ClientOrderId {
        self.ids.id(seq)
    }

    pub(crate) fn order(seq: u64, side: Side, tif: Tif, price: i64, qty: i64) -> Order {
        Order { seq, ..gate::order(0, side, tif, price, qty) }
    }

    pub(crate) fn try_place(&mut self, order: &Order) -> bool {
        let approved = gate::approved(*order, &self.instrument);
        let id = self.id(order.seq);
        self.session.encode(Request::Place(&approved), &id, wall()) && self.session.send(wall())
    }

    pub(crate) fn place(&mut self, order: &Order) {
        assert!(self.try_place(order), "order {} did not leave", order.seq);
    }

    pub(crate) fn try_ask(&mut self, request: Request<'_>, seq: u64) -> bool {
        let id = self.id(seq);
        self.session.encode(request, &id, wall()) && self.session.send(wall())
    }

    pub(crate) fn ask(&mut self, request: Request<'_>, seq: u64) {
        assert!(self.try_ask(request, seq), "a request about order {seq} did not leave");
    }

    pub(crate) fn amend(&mut self, order: &Order, to: Level) {
        let amended = gate::approved(Order { level: to, ..*order }, &self.instrument);
        self.ask(Request::Amend(order, &amended), order.seq);
    }

    /// The line with this code, once there is one.
    pub(crate) fn line(&mut self, code: i32) -> String {
        let find = |trader: &Self| trader.lines.iter().find(|line| line.code == code).map(Remark::to_string);
        self.until("a line for the operator", |trader| find(trader).is_some());
        find(self).unwrap()
    }

    /// What was told of each order, and what is open and held, is what the venue has.
    pub(crate) fn agrees(&mut self, venue: &SimVenue, sides: &[(u64, Side)]) {
        let mut held = 0;
        for (seq, side) in sides {
            let filled = self.filled(*seq).0;
            held += if *side == Side::Buy { filled } else { -filled };
            assert_eq!(venue.filled("futures", &format!("sb7-1-{seq}")), filled, "order {seq}");
        }
        let account = self.account();
        let mut open: Vec<_> = account.open.iter().map(text_of).collect();
        let mut there = venue.open("futures");
        open.sort();
        there.sort();
        assert_eq!((open, account.positions), (there, vec![Qty(held)]));
        assert_eq!(venue.position(), thousandths(held));
    }

    /// What was said of an order, once `wanted` is among it.
    pub(crate) fn hears(&mut self, seq: u64, wanted: impl Fn(&AnswerEvent) -> bool) -> Answer {
        let id = self.id(seq);
        let find =
            |trader: &Self| trader.heard.iter().find(|one| one.id == id && wanted(&one.event)).copied();
        self.until("an answer", |trader| find(trader).is_some());
        find(self).unwrap()
    }

    /// Asks what became of an order until it can be told.
    pub(crate) fn standing(&mut self, order: &Order) -> Standing {
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

    pub(crate) fn account(&mut self) -> Account {
        self.until("asking for the account", |trader| trader.session.ask_account(wall()));
        let mut account = None;
        self.until("the account", |trader| {
            account = trader.session.take_account(wall());
            account.is_some()
        });
        account.unwrap()
    }

    /// All that was filled of an order, each fill once.
    pub(crate) fn filled(&self, seq: u64) -> Qty {
        let told = |answer: &&Answer| {
            answer.id == self.id(seq) && matches!(answer.event, AnswerEvent::Filled { .. })
        };
        self.heard.iter().filter(told).filter_map(|answer| answer.filled).max().unwrap_or_default()
    }
}

fn driver<P: Protocol>(endpoint: &Endpoint, path: &str, times: SessionTimes, protocol: P) -> Driver<P> {
    let config = SessionConfig {
        host: endpoint.host_header(),
        path: path.into(),
        headers: vec![],
        message_bytes_max: 1 << 20,
        send_bytes_max: 1 << 16,
        times,
    };
    Driver::new(Session::new(config, protocol, 1), endpoint.clone(), Resolver::start().unwrap())
}

pub(crate) const fn accepted(event: &AnswerEvent) -> bool {
    matches!(event, AnswerEvent::Accepted)
}

pub(crate) const fn canceled(event: &AnswerEvent) -> bool {
    matches!(event, AnswerEvent::Canceled)
}

pub(crate) const fn filled(event: &AnswerEvent) -> bool {
    matches!(event, AnswerEvent::Filled { .. })
}

/// Bob stands on the other side.
pub(crate) struct Bob<'v>(pub(crate) &'v SimVenue);

/// Alice with the HMAC key is the same account: what trades between two orders of hers would be self-trade, so the
/// other side is bob.
impl Bob<'_> {
    pub(crate) fn trades(&self, side: Side, price: &str, qty: &str) {
        self.places("/fapi/v1/order", side, price, qty);
    }

    pub(crate) fn trades_spot(&self, side: Side, price: &str, qty: &str) {
        self.places("/api/v3/order", side, price, qty);
    }

    fn places(&self, path: &str, side: Side, price: &str, qty: &str) {
        let side = if side == Side::Buy { "BUY" } else { "SELL" };
        let now = self.0.now_ms();
        let text = format!(
            "symbol=BTCUSDT&side={side}&type=LIMIT&timeInForce=GTC&quantity={qty}&price={price}&timestamp={now}"
        );
        self.asks(wire::http::Method::Post, path, &text);
    }

    /// A request of his, from the same address as alice's.
    pub(crate) fn asks(&self, method: wire::http::Method, path: &str, text: &str) {
        let key = wire::sign::HmacKey::new(&Secret::new(
            b"bobSecretbobSecretbobSecretbobSecretbobSecretbobSecretbobSecret0".to_vec(),
        ));
        let signature = String::from_utf8(key.sign(text.as_bytes()).unwrap().to_vec()).unwrap();
        let header = wire::http::Header::new(
            "X-MBX-APIKEY",
            Secret::new(b"bobHmacbobHmacbobHmacbobHmacbobHmacbobHmacbobHmacbobHmacbobHmac0".to_vec()),
        );
        let tls = TlsConfig::trusting(self.0.root_pem.as_bytes()).unwrap();
        let config = HttpConfig {
            endpoint: Endpoint::new("localhost", self.0.clients.port(), Some(tls)),
            connections_max: 1,
            spare_count: 0,
            response_bytes_max: 1 << 16,
            answer_ns_max: Nanos::from_ms(20_000),
        };
        let mut client = HttpClient::new(config, Resolver::start().unwrap());
        let mut net = Net::new(NetOptions { backend: Backend::Busy, busy_poll_us: 0 });
        let path = format!("{path}?{text}&signature={signature}");
        let request = wire::http::Request { method, path: &path, headers: &[header], body: &[] };
        let response = client.call(&mut net, &wall, &request, std::thread::yield_now).unwrap();
        assert_eq!(response.status, 200, "{}", String::from_utf8_lossy(response.body));
    }
}
