//! A recorded market in memory, and the pipeline over it, for the tests that look inside a run.

#![allow(dead_code, reason = "each test binary uses a part")]

pub(crate) mod churn;
pub(crate) mod fuse;

use engine::book::Book;
use engine::book_stage::BookTap;
use engine::counters::{Counters, Run};
use engine::ids::{ConnectionId, InstrumentId, Lane};
use engine::instrument::InstrumentTable;
use engine::journal::{Journal, Options, Writer};
use engine::message::{Depth, Head};
use engine::placement::Placement;
use engine::ring::BATCH_MAX;
use engine::runner::{Control, ThreadSpec};
use engine::time::{Nanos, StampClock};
use feeds::capture::{CaptureReader, Next, split_line};
use feeds::stage::{Frame, FrameSource, SourcePoll};
use sabrewing::config::Config;
use sabrewing::pipeline::{Reports, Setup, assemble, build};
use std::path::Path;
use std::sync::Arc;
use strategies::signal::{DEFAULT_FEATURES, Subscriptions};

const USDM: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/captures/usdm/btcusdt_20240808.gz");
const INSTRUMENTS: &str = include_str!("../../configs/instruments.toml");

/// Messages with their receive times.
pub(crate) struct Market {
    pub(crate) lines: Vec<(Nanos, Vec<u8>)>,
    pub(crate) table: InstrumentTable,
}

impl Market {
    /// The USD-M capture, cut after `lines_max` lines.
    pub(crate) fn usdm(lines_max: usize) -> Self {
        let instruments = feeds::instruments::parse(INSTRUMENTS.as_bytes()).unwrap();
        let mut table = InstrumentTable::default();
        table.add(instruments.into_iter().find(|i| i.venue == "binance-usdm").unwrap());
        let mut reader = CaptureReader::open(USDM).unwrap_or_else(|e| panic!("{USDM}: {e}"));
        let mut lines = Vec::new();
        while let (Next::Line(line), true) = (reader.wait(), lines.len() < lines_max) {
            let (recv_ns, json) = split_line(line.bytes).unwrap();
            lines.push((recv_ns, json.to_vec()));
        }
        Self { lines, table }
    }

    /// Loses a depth message at about the middle, and brings a snapshot a hundred depth messages later: a gap,
    /// then a resynchronisation.
    pub(crate) fn with_a_forced_resync(mut self) -> Self {
        let is_depth = |line: &(Nanos, Vec<u8>)| line.1.windows(13).any(|part| part == b"\"depthUpdate\"");
        let middle = self.lines.len() / 2;
        let lost = (middle..).find(|at| is_depth(&self.lines[*at])).unwrap();
        let (later, _) =
            self.lines.iter().enumerate().skip(lost).filter(|(_, line)| is_depth(line)).nth(100).unwrap();
        let original = self.lines.iter().find(|line| line.1.starts_with(b"{\"lastUpdateId\"")).unwrap();
        let mut snapshot: serde_json::Value = serde_json::from_slice(&original.1).unwrap();
        let update: serde_json::Value = serde_json::from_slice(&self.lines[later].1).unwrap();
        snapshot["lastUpdateId"] = update["data"]["u"].clone();
        let line = (self.lines[later].0, serde_json::to_vec(&snapshot).unwrap());
        self.lines.insert(later + 1, line);
        self.lines.remove(lost);
        self
    }
}

/// Its frames, in order.
pub(crate) struct InMemory {
    market: Arc<Market>,
    next: usize,
}

impl InMemory {
    pub(crate) fn of(market: &Arc<Market>) -> Self {
        Self { market: Arc::clone(market), next: 0 }
    }
}

impl FrameSource for InMemory {
    fn poll(&mut self) -> SourcePoll<'_> {
        let Some((recv_ns, json)) = self.market.lines.get(self.next) else { return SourcePoll::End };
        let line = u32::try_from(self.next + 1).unwrap();
        let (connection, clock_fault) = (ConnectionId(0), false);
        SourcePoll::Ready(Frame {
            connection,
            line,
            recv_ns: *recv_ns,
            clock_fault,
            behind_ns: 0,
            bytes: Ok(json),
        })
    }

    fn consume(&mut self) {
        self.next += 1;
    }
}

/// A run that is ready to start.
pub(crate) struct Prepared {
    pub(crate) threads: Vec<ThreadSpec>,
    pub(crate) reports: Reports,
    pub(crate) control: Arc<Control>,
    pub(crate) counters: Counters,
}

/// The pipeline over a market, with a journal in `dir` where there is one.
pub(crate) fn prepare<T: BookTap + 'static>(
    market: &Arc<Market>,
    placement: &Placement,
    tap: T,
    journal: &mut Option<Journal>,
    clock: &StampClock,
) -> Prepared {
    prepare_with(&Config::load(None).unwrap(), market, placement, tap, journal, clock)
}

/// The same with another configuration than the shipped one.
pub(crate) fn prepare_with<T: BookTap + 'static>(
    config: &Config,
    market: &Arc<Market>,
    placement: &Placement,
    tap: T,
    journal: &mut Option<Journal>,
    clock: &StampClock,
) -> Prepared {
    prepare_taking(BATCH_MAX, config, market, placement, tap, journal, clock)
}

/// The same with chains that take so many inputs a turn.
pub(crate) fn prepare_taking<T: BookTap + 'static>(
    batch_max: u32,
    config: &Config,
    market: &Arc<Market>,
    placement: &Placement,
    tap: T,
    journal: &mut Option<Journal>,
    clock: &StampClock,
) -> Prepared {
    let control = Arc::new(Control::default());
    let mut counters = Counters::create(None, &Run { id: 1, start: Nanos(0) }, 4096).unwrap();
    let subscriptions = signals(&market.table);
    let setup = Setup {
        config,
        table: &market.table,
        of_connection: &[vec![InstrumentId(0)]],
        subscriptions: &subscriptions,
        clock,
        control: &control,
    };
    let writer = |lane: Lane| match journal.as_mut() {
        Some(journal) => journal.writer(lane).map_err(|e| e.to_string()),
        None => Ok(Writer::off(lane)),
    };
    let source = InMemory::of(market);
    let (mut stages, reports) = assemble(&setup, source, tap, &mut counters, writer).unwrap();
    stages.batch_max = batch_max;
    let threads = build(stages, placement, market.table.len(), clock, &mut counters).unwrap();
    Prepared { threads, reports, control, counters }
}

/// The signals that ship, an indicator, and what follows the touch: something of every kind.
fn signals(table: &InstrumentTable) -> Subscriptions {
    let mut subscriptions = Subscriptions::new();
    for instrument in table.iter() {
        let more = [
            "vpin(20,10)",
            "candle(1s)",
            "candle(1m)",
            "rsi(14)@1s",
            "touch_micro_price",
            "order_flow(1s)",
            "queue_imbalance(1s)",
            "roll_spread(50)",
        ];
        subscriptions.declare(instrument, DEFAULT_FEATURES.into_iter().chain(more)).unwrap();
    }
    subscriptions
}

/// A journal in a new directory, with segments of these sizes ready.
pub(crate) fn journal(dir: &Path, feed_segment_bytes: u64, segment_bytes: u64) -> Journal {
    let options = Options { feed_segment_bytes, segment_bytes, ..Options::new(1, [0; 32]) };
    Journal::create(dir, options).unwrap()
}

/// The placements that ship, by name.
pub(crate) fn placements() -> [(&'static str, Placement); 3] {
    let cores = engine::thread_facts::allowed_cores();
    [("one", Placement::one(&cores)), ("two", Placement::two(&cores)), ("five", Placement::five(&cores))]
}

/// No tap on the books.
pub(crate) enum NoTap {}

impl BookTap for NoTap {
    fn applied(&mut self, _: &Head, _: &Depth, _: &Book) {}
    fn replacing(&mut self, _: InstrumentId, _: &Book) {}
    fn ended(&mut self, _: InstrumentId, _: &Book) {}
}
