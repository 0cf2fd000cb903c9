//! From a frame in memory to an order: through the stages that trade, wired as the process wires them, every frame,
//! target and order journalled, every rule of the gate asked. A strategy states other quotes on every tick, a bid
//! and an ask, and a venue that answers at once lets both be amended by the next. The clock is read when the frame
//! is handed over and when the first order that it led to has been journalled, and once more when its bytes are
//! written. Service time: a frame follows when the one before has been worked off.
//!
//! ```text
//! cargo bench -p sabrewing --bench tick_to_order [-- --quick]
//! ```

mod in_memory;
mod verdict;

use engine::counters::{Counters, Run};
use engine::ids::InstrumentId;
use engine::instrument::Instrument;
use engine::message::{Message, QuoteReason, Quotes};
use engine::num::{Level, Price, Qty};
use engine::order::Order;
use engine::placement::Placement;
use engine::runner::{self, Control};
use engine::time::{Lap, Nanos, Stamp, StampClock};
use feeds::stage::{FrameSource, SourcePoll};
use gateway::client_order_id::{ClientOrderId, ClientOrderIds};
use gateway::codec::{Amendment, OpenOrder, OrderCodec, Request as Envelope};
use gateway::counterparty::{Answer, AnswerEvent, Counterparty, Request};
use gateway::venues::binance::{Authentication, BinanceCodec, RecvWindow};
use in_memory::{Capture, InMemory, Kept, NO_TAP};
use sabrewing::config::Config;
use sabrewing::pipeline::{Party, Setup, assemble_with, build, paper_venue};
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use strategies::registry::{Kind, StrategyConfig};
use strategies::signal::Subscriptions;
use strategies::strategy::{Context, Event, Strategy, What};
use verdict::verdict;
use wire::sign::{HmacKey, Secret};

/// Another pair of quotes with every change of the micro-price.
struct Requoter {
    stated: i64,
}

const REQUOTER: Kind = Kind {
    name: "requoter",
    params: &[],
    check: |_| Ok(()),
    make: |_: &[Instrument]| Box::new(Requoter { stated: 0 }),
};

impl Strategy for Requoter {
    fn features(&self) -> &'static [&'static str] {
        &["touch_micro_price"]
    }

    fn on_events(&mut self, events: &[Event<'_>], ctx: &mut Context<'_>) {
        for Event { index, what } in events {
            let (What::Features, Some(micro), Some(instrument)) =
                (what, ctx.feature_ticks(*index, 0), ctx.instrument(*index))
            else {
                continue;
            };
            let touch = ctx.touch(*index);
            if touch.state != 0 {
                continue;
            }
            self.stated += 1;
            // Never at the level of the last few quotes: the gate would take them for duplicates.
            let away = QUOTE_TICKS + self.stated % 32;
            let qty = Qty(LOTS * instrument.lot.0);
            let bid = Price(micro.floor().0.min(touch.bid.price.0) - away);
            let ask = Price(micro.ceil().0.max(touch.ask.price.0) + away);
            let quotes =
                Quotes::new(Level { price: bid, qty }, Level { price: ask, qty }, QuoteReason::Quoting);
            ctx.quote(*index, &quotes);
        }
    }
}

/// How far from the touch the innermost quote is at least.
const QUOTE_TICKS: i64 = 10;
/// Size of a quote: above the venue's least value.
const LOTS: i64 = 5;

/// The frames, and when each was handed over.
struct Started {
    frames: InMemory,
    moments: Arc<Moments>,
    clock: StampClock,
    /// A frame waits until so long after the one before: across threads nothing shall stand in a ring.
    every_ns: u64,
    before: Stamp,
}

impl FrameSource for Started {
    #[inline]
    fn poll(&mut self) -> SourcePoll<'_> {
        let line = self.frames.next;
        let mut now = self.clock.now();
        while self.clock.nanos_of(now.lap_since(self.before)) < self.every_ns {
            now = self.clock.now();
        }
        // Relaxed: the orders that read it travelled behind it.
        if let Some(start) = self.moments.starts.get(line) {
            start.store(now.0, Ordering::Relaxed);
        }
        self.before = now;
        self.frames.poll()
    }

    #[inline]
    fn consume(&mut self) {
        self.frames.consume();
    }
}

/// When every frame was handed over, by line.
struct Moments {
    starts: Vec<AtomicU64>,
}

/// An order's line, and ticks of the clock since its frame was handed over.
#[derive(Clone, Copy)]
struct Sample {
    line: usize,
    journalled: Lap,
    encoded: Lap,
}

/// A counterparty, and when requests reach it. The samples go to `done` when it is dropped.
struct Timed<X> {
    inner: X,
    clock: StampClock,
    capture: Arc<Capture>,
    moments: Arc<Moments>,
    /// No request before this line's can come any more.
    line: usize,
    samples: Vec<Sample>,
    done: SyncSender<Vec<Sample>>,
}

impl<X: Counterparty> Counterparty for Timed<X> {
    fn can_amend(&self, open: &Order, to: Level) -> bool {
        self.inner.can_amend(open, to)
    }

    #[inline]
    fn encode(&mut self, request: Request<'_>, id: &ClientOrderId, now: Nanos) -> bool {
        let journalled = self.clock.now();
        let is_written = self.inner.encode(request, id, now);
        let encoded = self.clock.now();
        // An order carries the time of its frame, and no two frames have the same.
        while self.capture.lines.get(self.line).is_some_and(|(at, _)| *at < now) {
            self.line += 1;
        }
        let frame = self.capture.lines.get(self.line).filter(|(at, _)| *at == now);
        let is_first = self.samples.last().is_none_or(|sample| sample.line != self.line);
        if let (Some(_), Some(start), true) = (frame, self.moments.starts.get(self.line), is_first) {
            let start = Stamp(start.load(Ordering::Relaxed));
            self.samples.push(Sample {
                line: self.line,
                journalled: journalled.lap_since(start),
                encoded: encoded.lap_since(start),
            });
        }
        is_written
    }

    #[inline]
    fn send(&mut self, now: Nanos) -> bool {
        self.inner.send(now)
    }

    #[inline]
    fn on_market(&mut self, message: Message<'_>) {
        self.inner.on_market(message);
    }

    #[inline]
    fn next_due(&self) -> Option<Nanos> {
        self.inner.next_due()
    }

    #[inline]
    fn advance(&mut self, now: Nanos) {
        self.inner.advance(now);
    }

    #[inline]
    fn settle(&mut self, now: Nanos) {
        self.inner.settle(now);
    }

    fn has_lost_answers(&self) -> bool {
        self.inner.has_lost_answers()
    }

    #[inline]
    fn next_answer(&mut self, now: Nanos) -> Option<(Nanos, Answer)> {
        self.inner.next_answer(now)
    }
}

impl<X> Drop for Timed<X> {
    fn drop(&mut self) {
        // The receiver is there until the run is over.
        let _ = self.done.send(std::mem::take(&mut self.samples));
    }
}

/// A venue behind its codec that takes every order and says so at once.
struct Willing {
    codec: BinanceCodec,
    requests: u64,
    message: [u8; BinanceCodec::MESSAGE_BYTES_MAX],
    written: Option<Answer>,
    answers: VecDeque<(Nanos, Answer)>,
}

impl Willing {
    fn new(codec: BinanceCodec) -> Self {
        let answers = VecDeque::with_capacity(64);
        Self { codec, requests: 0, message: [0; BinanceCodec::MESSAGE_BYTES_MAX], written: None, answers }
    }
}

impl Counterparty for Willing {
    fn can_amend(&self, open: &Order, to: Level) -> bool {
        matches!(self.codec.amendment(open, to), Ok(Amendment::KeepsPriority | Amendment::LosesPriority))
    }

    #[inline]
    fn encode(&mut self, request: Request<'_>, id: &ClientOrderId, now: Nanos) -> bool {
        self.requests += 1;
        let envelope = Envelope { id: self.requests, now };
        let (bytes, event) = match request {
            Request::Place(approved) => {
                (self.codec.place(envelope, approved, id, &mut self.message), AnswerEvent::Accepted)
            }
            Request::Amend(order, approved) => (
                self.codec.amend(envelope, OpenOrder { order, id }, approved, id, &mut self.message),
                AnswerEvent::Amended(approved.order().level),
            ),
            Request::Cancel(order) => {
                (self.codec.cancel(envelope, order, id, &mut self.message), AnswerEvent::Canceled)
            }
            // Every request is answered before it could be asked about.
            Request::Query(_) => return false,
        };
        std::hint::black_box(bytes.as_ref().ok());
        self.written = bytes.is_ok().then_some(Answer { id: *id, event, filled: Some(Qty(0)) });
        self.written.is_some()
    }

    #[inline]
    fn send(&mut self, now: Nanos) -> bool {
        let Some(answer) = self.written.take() else { return false };
        self.answers.push_back((now, answer));
        true
    }

    fn on_market(&mut self, _: Message<'_>) {}

    #[inline]
    fn next_due(&self) -> Option<Nanos> {
        self.answers.front().map(|(due, _)| *due)
    }

    fn advance(&mut self, _: Nanos) {}

    fn settle(&mut self, _: Nanos) {}

    #[inline]
    fn next_answer(&mut self, now: Nanos) -> Option<(Nanos, Answer)> {
        self.answers.pop_front_if(|(due, _)| *due <= now)
    }
}

/// What a frame is, as far as the rows tell them apart.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Trigger {
    Ticker,
    Depth,
    Other,
}

struct Bench {
    capture: Arc<Capture>,
    triggers: Vec<Trigger>,
    config: Config,
    passes: usize,
}

impl Bench {
    fn new(passes: usize) -> Self {
        let mut capture = Capture::load("usdm/btcusdt_20240808.gz", "binance-usdm");
        let mut last = Nanos::default();
        for (recv_ns, _) in &mut capture.lines {
            *recv_ns = (*recv_ns).max(last.plus(Nanos(1)));
            last = *recv_ns;
        }
        let trigger = |(_, range): &(Nanos, std::ops::Range<usize>)| {
            let is =
                |name: &[u8]| capture.bytes[range.clone()].windows(name.len()).take(80).any(|w| w == name);
            match (is(b"\"bookTicker\""), is(b"\"depthUpdate\"")) {
                (true, _) => Trigger::Ticker,
                (_, true) => Trigger::Depth,
                _ => Trigger::Other,
            }
        };
        let triggers = capture.lines.iter().map(trigger).collect();
        let mut config = Config::load(None).expect("the shipped configuration");
        let mut limits = config.limits.config().clone();
        // As many orders as there are ticks; and ticks come within the microsecond, with quotes 32 apart.
        (limits.orders_per_s_max, limits.cancels_per_s_max, limits.duplicate_ns) = (10_000, 10_000, 1_000);
        config.limits = limits.check().expect("sound limits");
        let (name, instruments) = ("requoter".to_owned(), vec!["*".to_owned()]);
        config.strategies = vec![StrategyConfig { kind: REQUOTER, name, instruments, values: Vec::new() }];
        Self { capture: Arc::new(capture), triggers, config, passes }
    }

    fn codec(&self, authentication: Authentication) -> BinanceCodec {
        let window = RecvWindow::from_ms(5_000).expect("in range");
        BinanceCodec::new(self.capture.table.iter(), authentication, window).expect("a codec")
    }

    /// The samples of each pass in this placement.
    fn run<X: Counterparty + 'static>(
        &self,
        exchange: impl Fn() -> X,
        stamps: bool,
        placement: &Placement,
        every_ns: u64,
    ) -> Vec<Vec<Sample>> {
        let clock = StampClock::on();
        let pass = |_| {
            let mut kept = Kept::new(true);
            let control = Arc::new(Control::default());
            let starts = self.capture.lines.iter().map(|_| AtomicU64::new(0)).collect();
            let moments = Arc::new(Moments { starts });
            let source = Started {
                frames: InMemory { capture: Arc::clone(&self.capture), next: 0, copy: 0 },
                moments: Arc::clone(&moments),
                clock: clock.clone(),
                every_ns,
                before: Stamp::default(),
            };
            let (done, samples) = sync_channel(1);
            let exchange = Timed {
                inner: exchange(),
                clock: clock.clone(),
                capture: Arc::clone(&self.capture),
                moments,
                line: 0,
                samples: Vec::with_capacity(self.capture.lines.len()),
                done,
            };
            let of_stages = if stamps { clock.clone() } else { StampClock::off() };
            let setup = Setup {
                config: &self.config,
                table: &self.capture.table,
                of_connection: &[vec![InstrumentId(0)]],
                subscriptions: &Subscriptions::new(),
                clock: &of_stages,
                control: &control,
            };
            let mut counters =
                Counters::create(None, &Run { id: 1, start: Nanos(0) }, 4096).expect("counters");
            let lane = |lane| Ok(kept.writer(lane));
            let party = Party { exchange, ids: ClientOrderIds::new(0, 0) };
            let (stages, _reports) =
                assemble_with(&setup, source, NO_TAP, &mut counters, lane, party, None).expect("stages");
            let threads = build(stages, placement, self.capture.table.len(), &of_stages, &mut counters)
                .expect("a pipeline");
            kept.wait();
            runner::run(threads, &control, || ()).expect("threads");
            assert_eq!(control.stopped(), None, "{:?}", control.detail());
            kept.end();
            samples.recv().expect("samples")
        };
        (0..self.passes).map(pass).collect()
    }

    /// Prints a row: percentiles of the orders that `trigger` led to, of each pass; the best and the median pass.
    fn print(
        &self,
        what: &str,
        passes: &[Vec<Sample>],
        trigger: Trigger,
        moment: fn(&Sample) -> Lap,
        targets: Option<(f64, f64)>,
    ) {
        let clock = StampClock::on();
        let of_pass = |samples: &Vec<Sample>| {
            let wanted = samples.iter().filter(|sample| self.triggers[sample.line] == trigger);
            let mut ns: Vec<u64> = wanted.map(|sample| clock.nanos_of(moment(sample))).collect();
            ns.sort_unstable();
            assert!(ns.len() > 1000, "{what}: {} orders", ns.len());
            [500, 990, 999, 1000].map(|permille| ns[(ns.len() - 1) * permille / 1000])
        };
        let passes: Vec<[u64; 4]> = passes.iter().map(of_pass).collect();
        let across = |percentile: usize, share: usize| {
            let mut values: Vec<u64> = passes.iter().map(|pass| pass[percentile]).collect();
            values.sort_unstable();
            values[(values.len() - 1) * share / 100]
        };
        let (p50, p99) = (across(0, 50), across(1, 50));
        let verdict = targets.map_or_else(
            || "reported".to_owned(),
            |(p50_max, p99_max)| {
                format!("p50 {}, p99 {}", verdict(p50 as f64, p50_max), verdict(p99 as f64, p99_max))
            },
        );
        println!(
            "{what:<64} {:>6} {p50:>6} {:>6} {p99:>6} {:>7} {:>8}  {verdict}",
            across(0, 0),
            across(1, 0),
            across(2, 50),
            across(3, 50)
        );
    }
}

fn main() {
    let quick = std::env::args().any(|argument| argument == "--quick" || argument == "--test");
    let bench = Bench::new(if quick { 1 } else { 7 });
    let cores = engine::thread_facts::allowed_cores();
    let one = Placement::one(&cores);
    println!(
        "{:<64} {:>13} {:>13} {:>7} {:>8}",
        format!("ns to the first order of a frame, {}", bench.capture.venue),
        "p50",
        "p99",
        "p99.9",
        "max"
    );
    println!("{:<64} {:>6} {:>6} {:>6} {:>6}", "", "best", "median", "best", "median");
    let journalled = |sample: &Sample| sample.journalled;
    let encoded = |sample: &Sample| sample.encoded;

    let session = || Willing::new(bench.codec(Authentication::Session));
    let hmac = || {
        let key = HmacKey::new(&Secret::new(vec![b'k'; 64]));
        Willing::new(bench.codec(Authentication::Hmac { api_key: "K".repeat(64), key }))
    };
    let passes = bench.run(session, false, &one, 0);
    let row = |what: &str, trigger, moment, targets| bench.print(what, &passes, trigger, moment, targets);
    row("bookTicker to approved and journalled", Trigger::Ticker, journalled, Some((600.0, 1800.0)));
    row("bookTicker to bytes for an authenticated session", Trigger::Ticker, encoded, Some((650.0, 2000.0)));
    row("depth to approved and journalled", Trigger::Depth, journalled, None);
    row("depth to bytes for an authenticated session", Trigger::Depth, encoded, None);
    let signed = bench.run(hmac, false, &one, 0);
    bench.print(
        "bookTicker to bytes signed by HMAC-SHA256",
        &signed,
        Trigger::Ticker,
        encoded,
        Some((1000.0, 2500.0)),
    );
    bench.print("depth to bytes signed by HMAC-SHA256", &signed, Trigger::Depth, encoded, None);
    let stamped = bench.run(session, true, &one, 0);
    bench.print("bookTicker to bytes (session), every hop stamped", &stamped, Trigger::Ticker, encoded, None);
    let paper = || paper_venue(&bench.config, &bench.capture.table).expect("a paper exchange");
    let paper = bench.run(paper, false, &one, 0);
    bench.print(
        "bookTicker to bytes (session), the paper exchange behind",
        &paper,
        Trigger::Ticker,
        encoded,
        None,
    );

    let what = "bookTicker to bytes (session), five threads on five cores";
    // One more for the thread that supervises them and the journal's helper.
    if cores.len() > 5 {
        let five = bench.run(session, false, &Placement::five(&cores), 5_000);
        bench.print(what, &five, Trigger::Ticker, encoded, Some((1800.0, 5000.0)));
    } else {
        println!("{what:<64} not measured: {} cores, 6 needed", cores.len());
    }
}
