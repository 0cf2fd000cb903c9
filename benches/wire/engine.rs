//! The engine at the other end of a child: its live source over sockets and all five stages on one thread, journal on.

use crate::child::Peer;
use crate::in_memory::{Kept, NO_TAP};
use crate::market::wall_ns;
use crate::requoter::requoter;
use crate::samples::Gaps;
use crate::{Cores, keys};
use engine::book_stage::BookReport;
use engine::counters::{Counters, Run};
use engine::ids::{ConnectionId, InstrumentId};
use engine::instrument::InstrumentTable;
use engine::placement::{Idle, Placement, StageId, ThreadPlan};
use engine::runner::{self, Control};
use engine::time::{Nanos, Stamp, StampClock};
use feeds::codec::Event;
use feeds::live::{Endpoints, LivePlan, LiveSource, LiveVenue, VenuePlan, Venues, Wanted, rotate_after};
use feeds::stage::{FeedReport, FrameSource, SourcePoll};
use feeds::venues::binance::Product;
use gateway::client_order_id::ClientOrderIds;
use gateway::counterparty::Counterparty;
use gateway::manager::GatewayReport;
use gateway::throttle::{Counted, Limit};
use gateway::venues::binance::RecvWindow;
use gateway::venues::binance::session::{BinanceSession, FuturesSettings, Routes, SessionSetup, VenueOffset};
use hdrhistogram::Histogram;
use sabrewing::config::Config;
use sabrewing::pipeline::{Party, Setup, Stages, assemble_with, build};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use strategies::signal::Subscriptions;
use tempfile::TempDir;
use wire::driver::Driver;
use wire::http::{HttpClient, HttpConfig};
use wire::net::{Backend, Clock, Endpoint, Net, NetOptions, Resolver};
use wire::session::{Protocol, Session, SessionConfig, SessionTimes};
use wire::tls::TlsConfig;

const INSTRUMENTS: &str = include_str!("../../tools/sabrewing/configs/instruments.toml");

/// What the engine trades with.
pub(crate) struct Engine<'p> {
    peer: &'p Peer,
    endpoint: Endpoint,
    pub(crate) config: Config,
    pub(crate) table: InstrumentTable,
    venues: Venues,
    plan: LivePlan,
    /// Holds the child's root certificate.
    _dir: TempDir,
}

/// What a run came to.
pub(crate) struct Ran {
    pub(crate) feed: FeedReport,
    pub(crate) book: BookReport,
    pub(crate) gateway: GatewayReport,
    pub(crate) watched: Watched,
}

/// What was seen of the source's frames.
pub(crate) struct Watched {
    /// Of the thread that runs the stages, while it is measured.
    pub(crate) gaps: Gaps,
    /// Frames worked off, snapshots among them.
    pub(crate) frames: u64,
    /// From when a frame was due, by its update id, until all stages were done with it, ns.
    pub(crate) latency: Histogram<u64>,
}

impl<'p> Engine<'p> {
    /// With a strategy that requotes on every tick, at limits that let it.
    pub(crate) fn requoting(peer: &'p Peer, tls: bool) -> Self {
        let mut config = Config::load(None).expect("the shipped configuration");
        let mut limits = config.limits.config().clone();
        (limits.orders_per_s_max, limits.cancels_per_s_max, limits.duplicate_ns) = (10_000, 10_000, 1_000);
        config.limits = limits.check().expect("sound limits");
        config.strategies = vec![requoter()];
        // A stall of the machine is no lost order.
        config.answer_timeout = Nanos::from_ms(60_000);
        Self::new(peer, tls, config, &["BTCUSDT".to_owned()], &[Event::Delta, Event::Ticker])
    }

    pub(crate) fn new(
        peer: &'p Peer,
        tls: bool,
        config: Config,
        symbols: &[String],
        events: &[Event],
    ) -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let root = dir.path().join("root.pem");
        std::fs::write(&root, &peer.root_pem).expect("a file");
        let address = format!("localhost:{}", peer.port);
        let [rest, stream] = if tls { ["https", "wss"] } else { ["http", "ws"] };
        let endpoints =
            Endpoints { rest: format!("{rest}://{address}"), stream: format!("{stream}://{address}") };
        let wanted = Wanted { events: events.iter().map(|event| (*event, Nanos(0))).collect(), copies: 1 };
        let venue = LiveVenue {
            plan: VenuePlan { venue: VENUE.into(), endpoints, wanted },
            symbols: symbols.to_vec(),
            root_certificate: tls.then_some(root),
            request_weight_per_minute: 1_000_000,
            rotate_after: rotate_after(Product::UsdM),
        };
        let known = feeds::instruments::parse(INSTRUMENTS.as_bytes()).expect("shipped instruments");
        let bitcoin = known.iter().find(|one| one.venue == VENUE).expect("an instrument of the venue");
        let mut table = InstrumentTable::default();
        for symbol in symbols {
            table.add(engine::instrument::Instrument { symbol: symbol.clone(), ..bitcoin.clone() });
        }
        let venues = Venues::new(vec![venue], Nanos(wall_ns())).expect("a venue");
        let plan = venues.plan(&table).expect("a plan");
        let trust = tls.then(|| TlsConfig::trusting(peer.root_pem.as_bytes()).expect("the child's root"));
        let endpoint = Endpoint::new("localhost", peer.port, trust);
        Self { peer, endpoint, config, table, venues, plan, _dir: dir }
    }

    /// A session that has logged on at the child.
    pub(crate) fn session(&self) -> BinanceSession<impl Clock + Send + use<>> {
        let instruments: Vec<_> = self.table.iter().cloned().collect();
        let wall = self.venues.clock().clone();
        let setup = SessionSetup {
            instruments: &instruments,
            credentials: &keys(),
            recv_window: RecvWindow::from_ms(5_000).expect("in range"),
            limits: &[
                Limit { counted: Counted::Orders, window_ns: Nanos::from_ms(10_000), max: 10_000_000 },
                Limit { counted: Counted::Weight, window_ns: Nanos::from_ms(60_000), max: 10_000_000 },
            ],
            dead_man_ms: None,
            settings: FuturesSettings::default(),
            offset: VenueOffset::default(),
            net: Net::new(NetOptions { backend: Backend::Busy, busy_poll_us: 0 }),
            clock: move || wall.read().0,
        };
        session_at(&self.endpoint, setup)
    }

    /// Runs all five stages, orders going to `exchange`, until `is_over`. Trading must not have been stopped, and every
    /// frame must have been understood.
    pub(crate) fn run<X: Counterparty + 'static>(
        &self,
        cores: &Cores,
        exchange: X,
        is_over: impl Fn() -> bool,
    ) -> Ran {
        let Self { config, table, venues, plan, .. } = self;
        let mut kept = Kept::new(true);
        let control = Arc::new(Control::default());
        let ((remark, _remarks), (notice, _notices)) = (sync_channel(256), sync_channel(256));
        let (snapshots, fetchers) =
            venues.start_fetching(plan, Nanos(10 * Nanos::SECOND.0), &remark).expect("a helper");
        let net = NetOptions { backend: Backend::Busy, busy_poll_us: 0 };
        let (done, watched) = sync_channel(1);
        let source = Watching {
            inner: LiveSource::new(plan, &venues.options(net, 7), snapshots, notice).expect("a source"),
            clock: StampClock::on(),
            looked: Stamp::default(),
            due_ns: None,
            is_measuring: Arc::clone(&self.peer.is_measuring),
            watched: Some(Watched {
                gaps: Gaps::default(),
                frames: 0,
                latency: Histogram::new(3).expect("three digits"),
            }),
            done,
        };
        let carried: Vec<Vec<InstrumentId>> =
            plan.connections.iter().map(|connection| connection.instruments.clone()).collect();
        let clock = StampClock::off();
        let subscriptions = Subscriptions::new();
        let setup = Setup {
            config,
            table,
            of_connection: &carried,
            subscriptions: &subscriptions,
            clock: &clock,
            control: &control,
        };
        let run = Run { id: 1, start: Nanos(wall_ns()) };
        let mut counters = Counters::create(None, &run, 16_384).expect("counters");
        let lane = |lane| Ok(kept.writer(lane));
        let party = Party { exchange, ids: ClientOrderIds::new(7, 1) };
        let (stages, reports) =
            assemble_with(&setup, source, NO_TAP, &mut counters, lane, party, None).expect("stages");
        let stages = Stages { feed: stages.feed.watching(plan.subscriptions.clone()), ..stages };
        let idle = if cores.is_alone() { Idle::SpinThenYield } else { Idle::Spin };
        let core = cores.engine();
        let placement = Placement { threads: vec![ThreadPlan { stages: StageId::ALL.to_vec(), core, idle }] };
        let threads = build(stages, &placement, table.len(), &clock, &mut counters).expect("a pipeline");
        kept.wait();
        runner::run(threads, &control, || {
            if is_over() {
                control.interrupt();
            }
        })
        .expect("threads");
        drop(fetchers);
        assert_eq!(control.stopped(), None, "{:?}", control.detail());
        kept.end();
        let feed = reports.feed.recv().expect("a report");
        assert_eq!(feed.decode_errors, 0, "{:?}", feed.first_errors);
        Ran {
            feed,
            book: reports.book.recv().expect("a report"),
            gateway: reports.gateway.recv().expect("a report"),
            watched: watched.recv().expect("what was seen"),
        }
    }
}

const VENUE: &str = "binance-usdm";

/// A session with the futures of `endpoint`.
pub(crate) fn session_at<C: Clock + Send>(
    endpoint: &Endpoint,
    setup: SessionSetup<'_, C>,
) -> BinanceSession<C> {
    let rest = HttpConfig {
        endpoint: endpoint.clone(),
        connections_max: 4,
        spare_count: 1,
        response_bytes_max: 1 << 20,
        answer_ns_max: Nanos::from_ms(10_000),
    };
    let routes = Routes {
        api: |protocol| driver(endpoint, "/ws-fapi/v1", protocol),
        stream: |protocol| driver(endpoint, "/private/ws/none", protocol),
        rest: HttpClient::new(rest, Resolver::start().expect("a thread")),
    };
    BinanceSession::new(setup, routes).expect("a session")
}

fn driver<P: Protocol>(endpoint: &Endpoint, path: &str, protocol: P) -> Driver<P> {
    let config = SessionConfig {
        host: endpoint.host_header(),
        path: path.into(),
        headers: vec![],
        message_bytes_max: 1 << 20,
        send_bytes_max: 1 << 16,
        times: SessionTimes::USUAL,
    };
    Driver::new(Session::new(config, protocol, 1), endpoint.clone(), Resolver::start().expect("a thread"))
}

/// The live source, and what is seen of it.
struct Watching {
    inner: LiveSource,
    clock: StampClock,
    looked: Stamp,
    /// When the frame in hand was due.
    due_ns: Option<u64>,
    is_measuring: Arc<AtomicBool>,
    watched: Option<Watched>,
    done: SyncSender<Watched>,
}

impl FrameSource for Watching {
    #[inline]
    fn poll(&mut self) -> SourcePoll<'_> {
        let now = self.clock.now();
        let turn_ns = self.clock.nanos_of(now.lap_since(self.looked));
        self.looked = now;
        // Relaxed: a flag alone.
        let is_measuring = self.is_measuring.load(Ordering::Relaxed);
        if let Some(watched) = self.watched.as_mut().filter(|_| is_measuring) {
            watched.gaps.see(turn_ns);
        }
        let polled = self.inner.poll();
        if let SourcePoll::Ready(frame) = &polled {
            self.due_ns = frame.bytes.ok().filter(|_| is_measuring).and_then(update_id);
        }
        polled
    }

    #[inline]
    fn consume(&mut self) {
        self.inner.consume();
        let Some(watched) = &mut self.watched else { return };
        watched.frames += 1;
        if let Some(due_ns) = self.due_ns.take() {
            // Above an hour nothing is recorded; the histogram grows to what it is told.
            let _ = watched.latency.record(wall_ns().saturating_sub(due_ns));
        }
    }

    fn want_snapshot(&mut self, instrument: InstrumentId) {
        self.inner.want_snapshot(instrument);
    }

    fn reopen(&mut self, connection: ConnectionId) {
        self.inner.reopen(connection);
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        if let Some(watched) = self.watched.take() {
            // The receiver is there until the run is over.
            let _ = self.done.send(watched);
        }
    }
}

/// The number behind the first `"u":`, which says when a frame of the child was due. None: trades have none.
#[inline]
fn update_id(frame: &[u8]) -> Option<u64> {
    const KEY: &[u8] = b"\"u\":";
    let head = frame.get(..frame.len().min(200))?;
    let at = head.windows(KEY.len()).position(|window| window == KEY)? + KEY.len();
    let digits = frame.get(at..)?.iter().take_while(|byte| byte.is_ascii_digit());
    Some(digits.fold(0, |number: u64, digit| number.wrapping_mul(10).wrapping_add(u64::from(digit - b'0'))))
}
