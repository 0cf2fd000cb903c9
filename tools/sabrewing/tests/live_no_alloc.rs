//! The feed thread over sockets takes and frees no memory while its connections stand: frames, snapshots that renew
//! books, pings and timers included. Over plain TCP: TLS takes memory for each record inside rustls, and nothing of ours
//! adds to that (`engine/wire/tests/no_alloc.rs`).

mod counting;
#[path = "live/venue.rs"]
#[expect(dead_code, reason = "other tests use the rest")]
mod venue;

use counting::calls;
use engine::ids::Lane;
use engine::journal::Writer;
use engine::message::{Kind, Message};
use engine::runner::{Control, Source, Step};
use engine::stage::Sink;
use engine::stage_log::StageLog;
use engine::time::{Nanos, StampClock};
use feeds::codec::Event;
use feeds::live::{Endpoints, LiveSource, LiveVenue, VenuePlan, Venues, Wanted, rotate_after};
use feeds::stage::{Connection, FeedConfig, FeedStage};
use feeds::venues::AnyCodec;
use feeds::venues::binance::Product;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::time::{Instant, SystemTime, UNIX_EPOCH};
use venue::{PATIENCE, SimVenue};
use wire::net::{Backend, NetOptions};

/// Counts what the stage says.
#[derive(Default)]
struct Count {
    messages: u64,
    snapshots: u64,
}

impl Sink for Count {
    fn send(&mut self, message: Message<'_>) -> bool {
        self.messages += 1;
        self.snapshots += u64::from(message.head.kind() == Some(Kind::Snapshot));
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

#[test]
fn the_feed_thread_leaves_the_allocator_alone_while_connections_stand() {
    let sim = SimVenue::open(true, false);
    for backend in [Backend::Busy, Backend::Mio] {
        let address = sim.clients;
        let events = [Event::Delta, Event::Ticker, Event::Trades, Event::MarkPrice];
        let wanted = Wanted { events: events.map(|event| (event, Nanos(0))).to_vec(), copies: 2 };
        let endpoints = Endpoints { rest: format!("http://{address}"), stream: format!("ws://{address}") };
        let watched = LiveVenue {
            plan: VenuePlan { venue: "binance-usdm".into(), endpoints, wanted },
            symbols: vec!["BTCUSDT".into()],
            root_certificate: None,
            request_weight_per_minute: 100_000,
            rotate_after: rotate_after(Product::UsdM),
        };
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let wall = Nanos(u64::try_from(wall.as_nanos()).unwrap());
        let venues = Venues::new(vec![watched], wall).unwrap();
        let table = venues.ask_instruments().unwrap();
        let plan = venues.plan(&table).unwrap();
        let ((remark, _remarks), (notice, _notices)) = (sync_channel(64), sync_channel(64));
        let second = Nanos::SECOND;
        let (snapshots, _fetchers) = venues.start_fetching(&plan, second, &remark).unwrap();
        let options = venues.options(NetOptions { backend, busy_poll_us: 0 }, 7);
        let source = LiveSource::new(&plan, &options, snapshots, notice).unwrap();
        let btc = table.iter().next().unwrap();
        let connection = |_: &_| Connection {
            codec: AnyCodec::new("binance-usdm", &[(btc.id, btc)]).unwrap(),
            venue: btc.venue_id,
        };
        let connections = plan.connections.iter().map(connection).collect();
        let renew_ns = Nanos::from_ms(200);
        let config = FeedConfig { timer_ns: Nanos::from_ms(10), resync_buffer_bytes: 4 << 20, renew_ns };
        let log = StageLog::new(Writer::off(Lane::Feed), Arc::new(Control::default()), 0);
        let (done, report) = sync_channel(1);
        let mut stage = FeedStage::new(source, connections, &table, config, log, StampClock::on(), done)
            .watching(plan.subscriptions.clone());
        sim.speed(5);
        let started = Instant::now();
        let mut count = Count::default();
        let mut run_until = |snapshots: u64, messages: u64| {
            while count.snapshots < snapshots || count.messages < messages {
                assert!(stage.step(&mut count) != Step::Ended && started.elapsed() < PATIENCE);
            }
        };
        // The first pass through everything: connections, the first snapshot, a renewal.
        run_until(3, 1_000);
        let before = calls();
        run_until(8, 5_000);
        assert_eq!(calls() - before, 0, "{backend:?}");
        drop(stage);
        let report = report.recv().unwrap();
        assert!(report.copies > 0 && report.sync[0].renewals >= 5, "{:?}", report.sync);
        assert_eq!((report.decode_errors, report.lost), (0, 0));
    }
}
