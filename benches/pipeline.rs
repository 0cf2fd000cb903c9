//! What a message costs on its way through the stages that trade: the same types, the same wiring, frames in
//! memory. Whole captures in order; `--quick` makes two passes (the smoke test of `cargo test`).
//!
//! ```text
//! cargo bench -p sabrewing --bench pipeline [-- --quick]
//! ```

mod in_memory;
mod verdict;

use engine::book::{Book, BookConfig};
use engine::book_stage::BookStage;
use engine::counters::{Counters, Run};
use engine::ids::{InstrumentId, Lane};
use engine::instrument::{Instrument, InstrumentTable};
use engine::journal::{Entry, Writer};
use engine::message::{Cell, Head, Kind, Message};
use engine::num::{Price, Qty};
use engine::placement::{Idle, Placement, StageId, ThreadPlan};
use engine::ring::ring;
use engine::runner::{self, Chain, Control, RingChain, Source, SourceChain, Step, ThreadSpec, Turn};
use engine::stage::{Node, Nowhere, Sink, Stage};
use engine::stage_log::StageLog;
use engine::time::{Nanos, StampClock};
use feeds::codec::{Decoded, Event, FeedCodec};
use feeds::stage::{Connection, FeedConfig, FeedStage};
use feeds::venues::AnyCodec;
use in_memory::{Capture, InMemory, Kept, NO_TAP, NoTap};
use sabrewing::config::Config;
use sabrewing::pipeline::{Setup, assemble, build};
use std::collections::BTreeMap;
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use strategies::signal::{DEFAULT_FEATURES, SignalStage, Subscriptions};
use strategies::stage::StrategyStage;
use verdict::verdict;

impl Capture {
    fn is_depth(&self, range: &std::ops::Range<usize>) -> bool {
        self.bytes[range.clone()].windows(13).take(80).any(|part| part == b"\"depthUpdate\"")
    }

    fn depth_messages(&self) -> Vec<&[u8]> {
        let depth = self.lines.iter().filter(|(_, range)| self.is_depth(range));
        depth.map(|(_, range)| &self.bytes[range.clone()]).collect()
    }

    fn depth_only(&self) -> Self {
        let is_snapshot =
            |range: &std::ops::Range<usize>| self.bytes[range.clone()].starts_with(b"{\"lastUpdateId\"");
        let wanted =
            |(_, range): &&(Nanos, std::ops::Range<usize>)| self.is_depth(range) || is_snapshot(range);
        let lines = self.lines.iter().filter(wanted).cloned().collect();
        Self { bytes: self.bytes.clone(), lines, table: self.table.clone(), venue: self.venue }
    }

    /// The first messages on `copies` instruments, each message on all of them in turn.
    fn interleaved(&self, copies: u32, messages: usize) -> Self {
        let original = self.table.get(InstrumentId(0)).expect("the instrument");
        let mut table = InstrumentTable::default();
        for n in 0..copies {
            table.add(Instrument { venue: format!("{}#{n}", self.venue), ..original.clone() });
        }
        Self { bytes: self.bytes.clone(), lines: self.lines[..messages].to_vec(), table, venue: self.venue }
    }
}

/// Cells of the ring between feed and book, as the pipeline has it.
const MESSAGE_CELLS: usize = 2 + feeds::codec::LEVELS_MAX / 4 + 64;
const RING_CELLS: usize = 4 * MESSAGE_CELLS;

/// Lets one step through a turn, so that single messages can be timed.
struct Single<F> {
    inner: F,
    stepped: bool,
}

impl<F: Source> Source for Single<F> {
    fn step<S: Sink>(&mut self, out: &mut S) -> Step {
        self.stepped = !self.stepped;
        if self.stepped { self.inner.step(out) } else { Step::Idle }
    }
    fn has_room(&mut self) -> bool {
        self.inner.has_room()
    }
    fn stop_reading(&mut self) {
        self.inner.stop_reading();
    }
}

struct Bench {
    capture: Arc<Capture>,
    config: Config,
    clock: StampClock,
    passes: usize,
}

impl Bench {
    fn again(&self) -> Self {
        Self {
            capture: Arc::clone(&self.capture),
            config: self.config.clone(),
            clock: self.clock.clone(),
            passes: self.passes.min(5),
        }
    }

    fn codec(&self) -> AnyCodec {
        let instrument = self.capture.table.get(InstrumentId(0)).expect("the instrument");
        AnyCodec::new(self.capture.venue, &[(instrument.id, instrument)]).expect("a codec")
    }

    fn source(&self) -> InMemory {
        InMemory { capture: Arc::clone(&self.capture), next: 0, copy: 0 }
    }

    fn feed(&self, kept: &mut Kept) -> FeedStage<InMemory, AnyCodec> {
        let log = StageLog::new(kept.writer(Lane::Feed), Arc::default(), 1 << 20);
        let table = &self.capture.table;
        let connection = |instrument: &Instrument| {
            let codec = AnyCodec::new(self.capture.venue, &[(instrument.id, instrument)]).expect("a codec");
            Connection { codec, venue: instrument.venue_id }
        };
        let connections = table.iter().map(connection).collect();
        let (tx, _) = sync_channel(1);
        FeedStage::new(self.source(), connections, table, self.config.feed, log, self.clock.clone(), tx)
    }

    fn book(&self) -> BookStage<Option<NoTap>> {
        let (tx, _) = sync_channel(1);
        BookStage::new(&self.capture.table, self.config.book, NO_TAP, tx)
    }

    /// Nanoseconds a message of each pass of feed and book, one thread.
    fn feed_and_book(&self, journal: bool) -> Vec<f64> {
        let pass = |_| {
            let mut kept = Kept::new(journal);
            let feed = self.feed(&mut kept);
            let book = Node::new(self.book(), Nowhere, self.clock.clone(), Some(1));
            kept.wait();
            let elapsed = timed(&mut SourceChain::new(feed, book));
            kept.end();
            self.per_message(elapsed)
        };
        (0..self.passes).map(pass).collect()
    }

    /// The same with the ring between two threads, as the runner runs them.
    fn feed_ring_book(&self, cores: &[usize]) -> Vec<f64> {
        let pass = |_| {
            let feed = self.feed(&mut Kept::new(false));
            let (tx, rx) = ring(RING_CELLS, MESSAGE_CELLS, MESSAGE_CELLS);
            let source = SourceChain::new(feed, tx);
            let book = RingChain::new(rx, Node::new(self.book(), Nowhere, self.clock.clone(), Some(1)));
            let thread = |index: usize, stage, chain: Box<dyn Chain>| {
                let core = (cores.len() > 1).then(|| cores[index % cores.len()]);
                let idle = if cores.len() > 1 { Idle::Spin } else { Idle::SpinThenYield };
                let plan = ThreadPlan { stages: vec![stage], core, idle };
                ThreadSpec { plan, chains: vec![chain], pulse: Box::new(()) }
            };
            let threads =
                vec![thread(0, StageId::Feed, Box::new(source)), thread(1, StageId::Book, Box::new(book))];
            let start = Instant::now();
            runner::run(threads, &Arc::default(), || ()).expect("threads");
            self.per_message(start.elapsed())
        };
        (0..self.passes).map(pass).collect()
    }

    /// Nanoseconds of each of the first messages on one thread that idles for `pause` before each.
    fn after_a_pause(&self, pause: Duration, messages: usize) -> Vec<f64> {
        let feed = self.feed(&mut Kept::new(false));
        let book = Node::new(self.book(), Nowhere, self.clock.clone(), Some(1));
        let mut chain = SourceChain::new(Single { inner: feed, stepped: false }, book);
        let mut times = Vec::with_capacity(messages);
        for _ in 0..messages {
            let start = Instant::now();
            while start.elapsed() < pause {
                std::hint::spin_loop();
            }
            let start = Instant::now();
            if chain.turn() == Turn::Finished {
                break;
            }
            times.push(start.elapsed().as_nanos() as f64);
        }
        times
    }

    /// Nanoseconds a depth message of what a plain program does: serde_json into maps.
    fn plain_depth(&self) -> Vec<f64> {
        #[derive(serde::Deserialize)]
        struct Data<'a> {
            #[serde(borrow)]
            b: Vec<[&'a str; 2]>,
            #[serde(borrow)]
            a: Vec<[&'a str; 2]>,
        }
        #[derive(serde::Deserialize)]
        struct Wrapped<'a> {
            #[serde(borrow)]
            data: Data<'a>,
        }
        let instrument = self.capture.table.get(InstrumentId(0)).expect("the instrument");
        let depth = self.capture.depth_messages();
        let pass = |_| {
            let mut sides = [BTreeMap::new(), BTreeMap::new()];
            let start = Instant::now();
            for json in &depth {
                let message: Wrapped<'_> = serde_json::from_slice(json).expect("a depth message");
                for (side, levels) in sides.iter_mut().zip([&message.data.b, &message.data.a]) {
                    for [price, qty] in levels {
                        let price =
                            Price::parse(price.as_bytes(), instrument.price_rule.tick).expect("a price");
                        let qty = Qty::parse(qty.as_bytes(), instrument.qty_unit).expect("a quantity");
                        if qty.0 == 0 {
                            side.remove(&price);
                        } else {
                            side.insert(price, qty);
                        }
                    }
                }
            }
            std::hint::black_box(&sides);
            start.elapsed().as_nanos() as f64 / depth.len() as f64
        };
        (0..self.passes.min(5)).map(pass).collect()
    }

    /// Nanoseconds a depth message through decode, sync and book: only the snapshot and depth messages are there.
    fn depth_only(&self) -> Vec<f64> {
        let only = Self {
            capture: Arc::new(self.capture.depth_only()),
            // Without the other messages the market would seem silent, and be told so by timers.
            config: Config {
                feed: FeedConfig { timer_ns: Nanos(0), ..self.config.feed },
                ..self.config.clone()
            },
            clock: self.clock.clone(),
            passes: self.passes,
        };
        only.feed_and_book(false)
    }

    /// What the book stage says of the capture.
    fn booked(&self) -> Booked {
        let kept = Arc::new(Mutex::new(Booked::default()));
        let book = Node::new(self.book(), Recorder(Arc::clone(&kept)), self.clock.clone(), Some(1));
        let mut chain = SourceChain::new(self.feed(&mut Kept::new(false)), book);
        while chain.turn() != Turn::Finished {}
        drop(chain);
        Arc::into_inner(kept).and_then(|kept| kept.into_inner().ok()).expect("the only owner")
    }

    /// Nanoseconds a book event of the signal stage alone, trades and timers included, with these features.
    fn signal_stage(&self, booked: &Booked, features: &[&str]) -> Vec<f64> {
        let instrument = self.capture.table.get(InstrumentId(0)).expect("the instrument");
        let mut subscriptions = Subscriptions::new();
        subscriptions.declare(instrument, features).expect("features");
        let is_book = |(head, _): &&(Head, _)| head.kind() == Some(Kind::BookChanged);
        let events = booked.messages.iter().filter(is_book).count();
        let pass = |_| {
            let (tx, _rx) = sync_channel(1);
            let mut stage = SignalStage::new(&self.capture.table, &subscriptions, tx);
            let mut out = Seen::default();
            let start = Instant::now();
            for (head, body) in &booked.messages {
                stage.on_message(Message { head, body: &booked.cells[body.clone()] }, &mut out);
            }
            let elapsed = start.elapsed();
            std::hint::black_box(out.0);
            elapsed.as_nanos() as f64 / events as f64
        };
        (0..self.passes).map(pass).collect()
    }

    /// Nanoseconds a book event of the strategy stage alone with the shipped strategies, its features, trades and
    /// timers included; nothing is ever filled.
    fn strategy_stage(&self, booked: &Booked) -> Vec<f64> {
        let table = &self.capture.table;
        let stage = |subscriptions: &mut Subscriptions| {
            let (_, executions) = ring(64, 4, 4);
            let log = StageLog::new(Writer::off(Lane::Strategy), Arc::default(), 1 << 20);
            StrategyStage::new(table, &self.config.strategies, subscriptions, executions, log)
                .expect("the shipped strategies")
        };
        let mut subscriptions = Subscriptions::new();
        drop(stage(&mut subscriptions));
        let told = Arc::new(Mutex::new(Booked::default()));
        let (tx, _rx) = sync_channel(1);
        let mut signal = SignalStage::new(table, &subscriptions, tx);
        for (head, body) in &booked.messages {
            let message = Message { head, body: &booked.cells[body.clone()] };
            signal.on_message(message, &mut Recorder(Arc::clone(&told)));
        }
        let told = Arc::into_inner(told).and_then(|told| told.into_inner().ok()).expect("the only owner");
        let events = told.messages.iter().filter(|(head, _)| head.kind() == Some(Kind::BookChanged)).count();
        let pass = |_| {
            let (mut stage, mut out) = (stage(&mut subscriptions.clone()), Seen::default());
            let start = Instant::now();
            for (head, body) in &told.messages {
                stage.on_message(Message { head, body: &told.cells[body.clone()] }, &mut out);
            }
            let elapsed = start.elapsed();
            std::hint::black_box(out.0);
            elapsed.as_nanos() as f64 / events as f64
        };
        (0..self.passes).map(pass).collect()
    }

    /// Nanoseconds a message of each pass of all five stages, as the runner runs them.
    fn five_stages(&self, journal: bool, placement: &Placement) -> Vec<f64> {
        let pass = |_| {
            let control = Arc::new(Control::default());
            let mut kept = Kept::new(journal);
            let threads = self.threads(&mut kept, &control, placement);
            kept.wait();
            let start = Instant::now();
            runner::run(threads, &control, || ()).expect("threads");
            let elapsed = start.elapsed();
            assert_eq!(control.stopped(), None, "{:?}", control.detail());
            kept.end();
            self.per_message(elapsed)
        };
        (0..self.passes).map(pass).collect()
    }

    /// All five stages, put together as the placement says.
    fn threads(&self, kept: &mut Kept, control: &Arc<Control>, placement: &Placement) -> Vec<ThreadSpec> {
        let table = &self.capture.table;
        let setup = Setup {
            config: &self.config,
            table,
            of_connection: &[vec![InstrumentId(0)]],
            subscriptions: &Subscriptions::new(),
            clock: &self.clock,
            control,
        };
        let mut counters = Counters::create(None, &Run { id: 1, start: Nanos(0) }, 4096).expect("counters");
        let (stages, _) =
            assemble(&setup, self.source(), NO_TAP, &mut counters, |lane| Ok(kept.writer(lane)))
                .expect("stages");
        build(stages, placement, table.len(), &self.clock, &mut counters).expect("a pipeline")
    }

    fn per_message(&self, elapsed: Duration) -> f64 {
        elapsed.as_nanos() as f64 / (self.capture.lines.len() * self.capture.table.len()) as f64
    }
}

/// Messages, with their bodies in one piece of memory.
#[derive(Default)]
struct Booked {
    messages: Vec<(Head, std::ops::Range<usize>)>,
    cells: Vec<Cell>,
}

/// Keeps what it is sent.
struct Recorder(Arc<Mutex<Booked>>);

impl Sink for Recorder {
    fn send(&mut self, message: Message<'_>) -> bool {
        let mut kept = self.0.lock().expect("one thread");
        let from = kept.cells.len();
        kept.cells.extend_from_slice(message.body);
        let body = from..kept.cells.len();
        kept.messages.push((*message.head, body));
        true
    }
    fn has_room(&mut self) -> bool {
        true
    }
    fn settle(&mut self) -> u32 {
        0
    }
    fn advance(&mut self, _: Nanos) -> u32 {
        0
    }
    fn is_settled(&self) -> bool {
        true
    }
    fn halt(&mut self) {}
}

/// Looks at every message and keeps none.
#[derive(Default)]
struct Seen(u64);

impl Sink for Seen {
    #[inline]
    fn send(&mut self, message: Message<'_>) -> bool {
        let first = message.body.first().map_or(0, |cell| cell.0[1]);
        self.0 = std::hint::black_box(self.0 ^ first ^ message.body.len() as u64);
        true
    }
    fn has_room(&mut self) -> bool {
        true
    }
    fn settle(&mut self) -> u32 {
        0
    }
    fn advance(&mut self, _: Nanos) -> u32 {
        0
    }
    fn is_settled(&self) -> bool {
        true
    }
    fn halt(&mut self) {}
}

/// What `scripts/instructions` counts: the calls of `work`, and nothing around them.
#[inline(never)]
#[unsafe(export_name = "counted")]
fn counted(work: &mut dyn FnMut()) {
    work();
}

/// One pass of a case on one thread, without the runner: its instructions are the stages'.
fn count(case: &str, bench: &Bench) {
    let control = Arc::new(Control::default());
    let mut kept = Kept::new(case.ends_with("_journal") || case == "append");
    match case {
        "decode" => {
            let mut codec = bench.codec();
            let mut decoded = Decoded::new();
            counted(&mut || {
                for (_, range) in &bench.capture.lines {
                    codec.decode(&bench.capture.bytes[range.clone()], &mut decoded).expect("a message");
                }
            });
        }
        "apply" => {
            let (mut codec, mut decoded, mut deltas) = (bench.codec(), Decoded::new(), Vec::new());
            let mut book = Book::new(bench.config.book);
            for (_, range) in &bench.capture.lines {
                let event =
                    codec.decode(&bench.capture.bytes[range.clone()], &mut decoded).expect("a message");
                let (bids, asks) =
                    (decoded.depth.depth().bid_count as usize, decoded.depth.depth().ask_count as usize);
                let levels = decoded.depth.levels_mut();
                match event {
                    Event::Snapshot => book.load_snapshot(&levels[..bids], &levels[bids..bids + asks]),
                    Event::Delta => deltas.push((levels[..bids + asks].to_vec(), bids)),
                    _ => {}
                }
            }
            counted(&mut || {
                for (levels, bids) in &deltas {
                    std::hint::black_box(book.apply(&levels[..*bids], &levels[*bids..]));
                }
            });
        }
        "append" => {
            let mut writer = kept.writer(Lane::Feed);
            counted(&mut || {
                for _ in 0..100_000 {
                    writer.append(Entry::default(), &[0x5A; 24]).expect("room");
                }
            });
        }
        _ => {
            let mut chain: Box<dyn Chain> = if case.starts_with("five") {
                let mut threads = bench.threads(&mut kept, &control, &Placement::one(&[]));
                threads.remove(0).chains.remove(0)
            } else {
                let feed = bench.feed(&mut kept);
                Box::new(SourceChain::new(
                    feed,
                    Node::new(bench.book(), Nowhere, bench.clock.clone(), Some(1)),
                ))
            };
            counted(&mut || while chain.turn() != Turn::Finished {});
        }
    }
    kept.end();
}

fn timed(chain: &mut impl Chain) -> Duration {
    let start = Instant::now();
    while chain.turn() != Turn::Finished {}
    start.elapsed()
}

/// Prints a row: the fastest and the median pass, and what the median is against its target. Returns the median.
fn print(what: &str, mut passes: Vec<f64>, target_max: Option<f64>) -> f64 {
    passes.sort_by(f64::total_cmp);
    let (min, median) = (passes[0], passes[passes.len() / 2]);
    let rate = 1000.0 / median;
    println!("{what:<58} {min:>8.1} {median:>8.1} {rate:>10.2}  {}", verdict(median, target_max));
    median
}

/// How many times faster a depth message is than what a plain program does in the same run.
const DEPTH_RATIO_MIN: f64 = 8.0;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let quick = arguments.iter().any(|a| a == "--quick" || a == "--test");
    let passes = if quick { 2 } else { 15 };
    let config = Config::load(None).expect("the shipped configuration");
    if let Some(at) = arguments.iter().position(|a| a == "--count") {
        let capture = Arc::new(Capture::load("usdm/btcusdt_20240808.gz", "binance-usdm"));
        let bench = Bench { capture, config, clock: StampClock::off(), passes: 1 };
        return count(arguments.get(at + 1).expect("--count CASE"), &bench);
    }
    let cores = engine::thread_facts::allowed_cores();
    println!(
        "{:<58} {:>8} {:>8} {:>10}",
        "ns a message (whole capture, one pass after another)", "min", "median", "M msg/s"
    );
    let captures = [
        ("usdm", "usdm/btcusdt_20240808.gz", "binance-usdm", "10"),
        ("spot", "spot/btcusdt_20240808.gz", "binance-spot", "3"),
        ("coinm", "cm/btcusd_perp_20240808.gz", "binance-coinm", "200"),
    ];
    for (name, file, venue, bucket) in captures {
        let capture = Arc::new(Capture::load(file, venue));
        let bench = |stamps| Bench {
            capture: Arc::clone(&capture),
            config: Config { book: BookConfig::default(), ..config.clone() },
            clock: if stamps { StampClock::on() } else { StampClock::off() },
            passes,
        };
        let (plain, stamped) = (bench(false), bench(true));
        // Targets bind the USD-M capture; the others are reported.
        let usdm = |max: f64| (name == "usdm").then_some(max);
        let per_s = |millions: f64| (1000.0 / millions).round();
        print(&format!("{name}: decode + sync + book, one thread"), plain.feed_and_book(false), usdm(150.0));
        print(
            &format!("{name}: the same, a ring between two threads"),
            plain.feed_ring_book(&cores),
            usdm(200.0),
        );
        print(&format!("{name}: the same, journal on"), plain.feed_and_book(true), usdm(per_s(3.0)));
        print(
            &format!("{name}: five stages, one thread"),
            plain.five_stages(false, &Placement::one(&cores)),
            None,
        );
        print(
            &format!("{name}: five stages, one thread, journal on"),
            plain.five_stages(true, &Placement::one(&cores)),
            usdm(per_s(2.0)),
        );
        print(
            &format!("{name}: five stages, one thread, journal and stamps on"),
            stamped.five_stages(true, &Placement::one(&cores)),
            None,
        );
        print(
            &format!("{name}: five stages, two threads, journal on"),
            plain.five_stages(true, &Placement::two(&cores)),
            None,
        );
        let booked = plain.booked();
        print(
            &format!("{name}: strategy stage, a book event, the market maker"),
            plain.strategy_stage(&booked),
            None,
        );
        let bucket = format!("vpin(20,{bucket})");
        let default: Vec<&str> =
            DEFAULT_FEATURES.into_iter().chain([bucket.as_str(), "candle(1s)", "candle(1m)"]).collect();
        print(
            &format!("{name}: signal stage, a book event, nothing subscribed"),
            plain.signal_stage(&booked, &[]),
            None,
        );
        print(
            &format!("{name}: signal stage, a book event, the default set"),
            plain.signal_stage(&booked, &default),
            Some(100.0),
        );
        let own = print(&format!("{name}: a depth message, decode + sync + book"), plain.depth_only(), None);
        let rival =
            print(&format!("{name}: a depth message, serde_json + BTreeMap"), plain.plain_depth(), None);
        let of_rival = verdict(own, usdm((rival / DEPTH_RATIO_MIN).round()));
        println!("{:<58} {:>26.2}x  {of_rival}", format!("{name}: faster by"), rival / own);
        let many = Bench {
            capture: Arc::new(capture.interleaved(50, if quick { 200 } else { 10_000 })),
            ..plain.again()
        };
        print(
            &format!("{name}: 50 instruments interleaved, decode + sync + book"),
            many.feed_and_book(false),
            None,
        );
        print(
            &format!("{name}: single messages, back to back"),
            plain.after_a_pause(Duration::ZERO, 3000),
            None,
        );
        let pause = Duration::from_millis(u64::from(!quick));
        print(
            &format!("{name}: single messages, each after {pause:?} idle"),
            plain.after_a_pause(pause, 3000),
            None,
        );
    }
}
