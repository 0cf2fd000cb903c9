//! What takes the simulated venue itself on the other end, a process of its own, over TLS: a connection that it resets
//! until the book stands again, and orders until it has acknowledged them.

use crate::child::{Peer, say_ready};
use crate::engine::session_at;
use crate::in_memory::NO_TAP;
use crate::market::wall_ns;
use crate::samples::Samples;
use crate::verdict::verdict;
use crate::{Cores, gate, keys, pin};
use engine::book::BookConfig;
use engine::book_stage::BookStage;
use engine::ids::Lane;
use engine::instrument::{ContractKind, InstrumentTable};
use engine::journal::Writer;
use engine::message::{BookChanged, Kind, Message, book_state};
use engine::num::Side;
use engine::order::{Order, Tif};
use engine::runner::{Control, Source, Step};
use engine::stage::{Node, Sink};
use engine::stage_log::StageLog;
use engine::time::{Nanos, StampClock};
use feeds::codec::Event;
use feeds::live::{Endpoints, LiveSource, LiveVenue, VenuePlan, Venues, Wanted, rotate_after};
use feeds::stage::{Connection, FeedConfig, FeedStage};
use feeds::venues::AnyCodec;
use feeds::venues::binance::Product;
use gateway::client_order_id::{ClientOrderId, ClientOrderIds};
use gateway::counterparty::{AnswerEvent, Counterparty, Request};
use gateway::throttle::{Counted, Limit};
use gateway::venues::binance::RecvWindow;
use gateway::venues::binance::session::{FuturesSettings, SessionSetup, VenueOffset};
use sabrewing::config::Config;
use std::cell::Cell;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::sync_channel;
use std::time::{Duration, Instant};
use venue_sim::server::{Certificates, Server};
use venue_sim::venue::{Venue, VenueConfig};
use wire::net::{Backend, Endpoint, Net, NetOptions};
use wire::tls::TlsConfig;

/// From a connection's loss to the book, beyond the wait that the session draws, ns.
const BOOK_P99_NS_MAX: f64 = 250e6;
/// Far longer than anything takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// In the child: the venue, with a crowd that trades (`1`) or without.
pub(crate) fn venue(args: &[String]) {
    pin(&args[0]);
    let config = VenueConfig {
        spot: Vec::new(),
        futures: vec!["BTCUSDT".into()],
        seed: 5,
        opened: Nanos(wall_ns() / 1_000_000 * 1_000_000),
        accounts: None,
        faults: None,
        limits: false,
        flow: args[1] == "1",
    };
    let venue = Venue::open(&config, Nanos(0)).expect("the test accounts are accounts");
    let certificates = Certificates::make(&["localhost".to_owned()]).expect("certificates");
    let root_pem = certificates.root_pem.clone();
    let any = "127.0.0.1:0".parse().expect("an address");
    let mut server =
        Server::listen(any, any, Some(certificates), venue, Instant::now()).expect("a free port");
    let ports = server.addresses().expect("addresses").map(|address| address.port());
    say_ready(&ports, Some(&root_pem));
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = Arc::clone(&stop);
    std::thread::spawn(move || {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        stopped.store(true, Ordering::Relaxed);
    });
    server.run(&stop).expect("sockets");
}

/// Asks the venue's operator.
fn admin(peer: &Peer, method: &str, target: &str, text: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", peer.operators)).expect("the operator's port");
    let length = text.len();
    let request = format!(
        "{method} /admin/{target} HTTP/1.1\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{text}"
    );
    stream.write_all(request.as_bytes()).expect("a socket");
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer);
    assert!(answer.starts_with("HTTP/1.1 200"), "{target}: {answer}");
    answer
}

/// What comes out of the book stage: the state last told; None: none was.
#[derive(Clone, Default)]
struct Books(Rc<Cell<Option<u32>>>);

impl Sink for Books {
    fn send(&mut self, message: Message<'_>) -> bool {
        if let (Some(Kind::BookChanged), Some(book)) = (message.head.kind(), message.body_as::<BookChanged>())
        {
            self.0.set(Some(book.state));
        }
        true
    }
    fn has_room(&mut self) -> bool {
        true
    }
    fn settle(&mut self) -> u32 {
        0
    }
    fn advance(&mut self, _now: Nanos) -> u32 {
        0
    }
    fn is_settled(&self) -> bool {
        true
    }
    fn halt(&mut self) {}
}

/// Prints the row of `count` resets, each of a source of its own: a second one soon after would wait for longer.
pub(crate) fn resets(cores: &Cores, count: usize) {
    let peer = Peer::start("venue", &[cores.peer_text(), "1".to_owned()]);
    let dir = tempfile::tempdir().expect("a temporary directory");
    let root = dir.path().join("root.pem");
    std::fs::write(&root, &peer.root_pem).expect("a file");
    let address = format!("localhost:{}", peer.port);
    let endpoints = Endpoints { rest: format!("https://{address}"), stream: format!("wss://{address}") };
    let wanted = Wanted { events: vec![(Event::Delta, Nanos(0)), (Event::Ticker, Nanos(0))], copies: 1 };
    let venue = LiveVenue {
        plan: VenuePlan { venue: "binance-usdm".into(), endpoints, wanted },
        symbols: vec!["BTCUSDT".into()],
        root_certificate: Some(root),
        request_weight_per_minute: 1_000_000,
        rotate_after: rotate_after(Product::UsdM),
    };
    let venues = Venues::new(vec![venue], Nanos(wall_ns())).expect("a venue");
    let table = venues.ask_instruments().expect("instruments");
    let book = Config::load(None).expect("the shipped configuration").book;
    let (mut beyond, mut whole) = (Samples::default(), Samples::default());
    for index in 0..count {
        let [total_ns, wait_ns] = reset(&peer, &venues, &table, book, index as u64);
        whole.ns.push(total_ns);
        beyond.ns.push(total_ns.saturating_sub(wait_ns));
    }
    peer.end();
    for (what, samples, target) in [
        ("reset socket to first valid book, beyond the wait drawn", &beyond, Some(BOOK_P99_NS_MAX)),
        ("  the wait included (drawn from 250 to 500 ms)", &whole, None),
    ] {
        let [min, p50, p99, max] = samples.shares([0, 500, 990, 1000]);
        let [min, p50, p99_ms, max] = [min, p50, p99, max].map(|ns| ns as f64 / 1e6);
        let verdict = target.map_or("reported".to_owned(), |target| {
            format!("p99 {}", verdict(p99 as f64 / 1e6, target / 1e6))
        });
        println!(
            "{what:<58} ms: min {min:.1} p50 {p50:.1} p99 {p99_ms:.1} max {max:.1} of {count}  {verdict}"
        );
    }
}

/// One reset: ns from its loss to a valid book, and what of that the session waited by the back-off rule.
fn reset(peer: &Peer, venues: &Venues, table: &InstrumentTable, book: BookConfig, seed: u64) -> [u64; 2] {
    let plan = venues.plan(table).expect("a plan");
    let ((remark, _remarks), (notice, notices)) = (sync_channel(64), sync_channel(64));
    let (snapshots, _fetchers) = venues.start_fetching(&plan, Nanos::HOUR, &remark).expect("a helper");
    let options = venues.options(NetOptions { backend: Backend::Busy, busy_poll_us: 0 }, seed);
    let source = LiveSource::new(&plan, &options, snapshots, notice).expect("a source");
    let bitcoin = table.iter().next().expect("an instrument");
    let connection = |_: &_| Connection {
        codec: AnyCodec::new("binance-usdm", &[(bitcoin.id, bitcoin)]).expect("a decoder"),
        venue: bitcoin.venue_id,
    };
    let connections = plan.connections.iter().map(connection).collect();
    let config =
        FeedConfig { timer_ns: Nanos::from_ms(10), resync_buffer_bytes: 4 << 20, renew_ns: Nanos(0) };
    let log = StageLog::new(Writer::off(Lane::Feed), Arc::new(Control::default()), 0);
    let ((feed_done, _feed), (book_done, _book)) = (sync_channel(1), sync_channel(1));
    let mut feed = FeedStage::new(source, connections, table, config, log, StampClock::off(), feed_done)
        .watching(plan.subscriptions.clone());
    let seen = Books::default();
    let books = BookStage::new(table, book, NO_TAP, book_done);
    let mut node = Node::new(books, seen.clone(), StampClock::off(), None);
    let began = Instant::now();
    let mut until = |what: &str, is_so: &dyn Fn(u32) -> bool| loop {
        if feed.step(&mut node) == Step::Idle {
            // The venue and the helper that fetches may have to share the cores with us.
            std::thread::yield_now();
        }
        if seen.0.get().is_some_and(is_so) {
            return Instant::now();
        }
        assert!(began.elapsed() < PATIENCE, "never: {what}; {:?}", notices.try_iter().collect::<Vec<_>>());
    };
    until("the first book", &|state| state == 0);
    admin(peer, "POST", "fault", r#"{"kind":"reset","topic":"depth","count":1}"#);
    let lost = until("the loss", &|state| state & book_state::STALE != 0);
    let back = until("the book again", &|state| state == 0);
    let wait = |notice: feeds::live::Notice| Some(notice.retry_ns?.since(notice.at).0);
    let waits: Vec<u64> = notices.try_iter().filter_map(wait).collect();
    assert_eq!(waits.len(), 1, "one loss, and nothing failed on the way back");
    [u64::try_from((back - lost).as_nanos()).expect("short"), waits[0]]
}

/// Prints the row of `count` orders and as many cancels, one at a time, on a session that has logged on.
pub(crate) fn acknowledged(cores: &Cores, count: usize) {
    let peer = Peer::start("venue", &[cores.peer_text(), "0".to_owned()]);
    let instrument = gate::instrument(0, ContractKind::Linear, "BTCUSDT", "0.10", "0.001");
    let trust = TlsConfig::trusting(peer.root_pem.as_bytes()).expect("the venue's root");
    let endpoint = Endpoint::new("localhost", peer.port, Some(trust));
    let clock = || Nanos(wall_ns());
    let setup = SessionSetup {
        instruments: std::slice::from_ref(&instrument),
        credentials: &keys(),
        recv_window: RecvWindow::from_ms(60_000).expect("in range"),
        limits: &[Limit { counted: Counted::Orders, window_ns: Nanos::from_ms(10_000), max: 10_000_000 }],
        dead_man_ms: None,
        settings: FuturesSettings::default(),
        offset: VenueOffset::default(),
        net: Net::new(NetOptions { backend: Backend::Busy, busy_poll_us: 0 }),
        clock,
    };
    let mut session = session_at(&endpoint, setup);
    let began = Instant::now();
    while !session.is_live() {
        session.poll(0);
        assert!(began.elapsed() < PATIENCE, "the session never is live: {:?}", session.counts());
        std::thread::yield_now();
    }
    let ids = ClientOrderIds::new(7, 1);
    let (mut placed, mut canceled) = (Samples::default(), Samples::default());
    for seq in 1..=count as u64 {
        let order = Order { seq, ..gate::order(0, Side::Buy, Tif::PostOnly, 500_000, 10) };
        let (id, approved) = (ids.id(seq), gate::approved(order, &instrument));
        let mut ask = |request, wanted: fn(&AnswerEvent) -> bool, samples: &mut Samples| {
            let sent = Instant::now();
            assert!(session.encode(request, &id, clock()) && session.send(clock()), "request {seq} left");
            let said = |told: Option<(ClientOrderId, AnswerEvent)>| {
                told.is_some_and(|(of, event)| of == id && wanted(&event))
            };
            loop {
                session.poll(0);
                let told = session.next_answer(clock()).map(|(_, answer)| (answer.id, answer.event));
                if said(told) {
                    break;
                }
                assert!(sent.elapsed() < PATIENCE, "order {seq}: {:?}", session.counts());
                if cores.is_alone() {
                    std::thread::yield_now();
                }
            }
            samples.ns.push(u64::try_from(sent.elapsed().as_nanos()).expect("short"));
        };
        ask(Request::Place(&approved), |event| matches!(event, AnswerEvent::Accepted), &mut placed);
        ask(Request::Cancel(&order), |event| matches!(event, AnswerEvent::Canceled), &mut canceled);
    }
    drop(session);
    peer.end();
    for (what, samples) in
        [("order to the venue's acknowledgement, TLS", placed), ("  cancel likewise", canceled)]
    {
        let [min, p50, p99, p999] = samples.shares([0, 500, 990, 999]);
        println!("{what:<58} {min:>7} {p50:>7} {p99:>8} {p999:>9} {:>7}  reported", samples.ns.len());
    }
}
