//! The feed stage with its synchronisation, and the book stage behind it, over any sequence of lines: every
//! frame ends in exactly one count, every depth message in exactly one, numbers have no holes, and the books
//! are those of a model that keeps everything in maps and lists.
//!
//! Input: a market's name, then a capture's lines.

use crate::driver::Outcome;
use crate::lent::LentCodec;
use crate::markets::Market;
use crate::model::Model;
use crate::truth::outcome;
use engine::book::{Book, BookConfig, BookSide};
use engine::book_stage::{BookReport, BookStage, BookTap};
use engine::counters::Counters;
use engine::ids::{ConnectionId, InstrumentId, Lane, VenueId};
use engine::journal::Writer;
use engine::message::{Depth, Head, Kind, Message};
use engine::num::Level;
use engine::runner::{Control, Source, Step};
use engine::stage::{Node, Nowhere, Sink};
use engine::stage_log::StageLog;
use engine::time::{Nanos, StampClock};
use feeds::capture::{RecvClock, split_line};
use feeds::codec::Event;
use feeds::stage::{Connection, FeedConfig, FeedReport, FeedStage, Frame, FrameSource, SourcePoll};
use feeds::sync::SyncCounts;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};

/// Runs one input.
pub fn target(data: &[u8]) -> Outcome {
    let (index, lines) = Market::choose(data);
    let lines: Vec<&[u8]> = lines.split(|byte| *byte == b'\n').collect();
    MARKETS.with(|markets| {
        let market = &markets[index];
        // A buffer that holds everything there is, and one that holds a few updates only.
        let wide = Run::over(market, &lines, 4 << 20);
        wide.is_conserved(&lines);
        let model = Model::of(market, &lines);
        for (id, expected) in &model.streams {
            let stream = id.index();
            assert_eq!(wide.report.sync[stream], expected.counts(), "counts of {id:?}");
            assert_eq!(wide.books[stream], expected.levels(), "the book of {id:?}");
        }
        let narrow = Run::over(market, &lines, 512);
        narrow.is_conserved(&lines);
        assert_eq!(narrow.report.events, wide.report.events);
        let few = |count: &SyncCounts| {
            let all = [count.applied, count.gaps, count.resyncs, count.dropped_unsynced, count.duplicates];
            all.map(|count| count.min(4))
        };
        let counts: Vec<_> = wide.report.sync.iter().map(few).collect();
        outcome((index, counts, wide.report.events.map(|count| count.min(2)), wide.states))
    })
}

thread_local! {
    static MARKETS: Vec<Market> = Market::all();
}

const TIMER_NS: Nanos = Nanos(60 * Nanos::SECOND.0);
/// An hour's: a longer silence is a pause of the recording, which one timer stands for.
const TIMERS_MAX: u64 = Nanos::HOUR.0 / TIMER_NS.0 + 1;

/// What came out of both stages.
struct Run {
    watch: Watch,
    report: FeedReport,
    states: Vec<u32>,
    /// Levels at the end, bids and asks, by instrument.
    books: Vec<[Vec<Level>; 2]>,
}

impl Run {
    fn over(market: &Market, lines: &[&[u8]], resync_buffer_bytes: usize) -> Self {
        let (done, reports) = sync_channel(1);
        let (book_done, book_reports) = sync_channel(1);
        let (ended, books) = sync_channel(market.table.len());
        let config = FeedConfig { timer_ns: TIMER_NS, resync_buffer_bytes, renew_ns: Nanos(0) };
        let log = StageLog::new(Writer::off(Lane::Feed), Arc::new(Control::default()), 0);
        let connection = Connection { codec: LentCodec::of(market), venue: VenueId(0) };
        let source = Lines { lines, at: 0, clock: RecvClock::default(), held: None };
        let clock = StampClock::off();
        let stage = FeedStage::new(source, vec![connection], &market.table, config, log, clock.clone(), done);
        let run = engine::counters::Run { id: 1, start: Nanos(0) };
        let counters = Counters::create(None, &run, 16);
        let mut counters = counters.unwrap_or_else(|error| panic!("{error}"));
        let mut stage = stage.counting(&mut counters).unwrap_or_else(|error| panic!("{error}"));
        let size = BookConfig::new(256, 8192).unwrap_or_default();
        let book = BookStage::new(&market.table, size, Tap { ended }, book_done);
        let mut watch = Watch {
            next: Some(Node::new(book, Nowhere, clock, None)),
            seqs: BTreeMap::new(),
            kinds: BTreeMap::new(),
            last_ns: Nanos(0),
            timers_in_a_row: 0,
        };
        while stage.step(&mut watch) != Step::Ended {}
        drop((stage, watch.next.take()));
        let report = reports.recv().unwrap_or_else(|_| panic!("no report of the feed stage"));
        let states = book_reports.recv().map(|report: BookReport| report.states).unwrap_or_default();
        let counted = counters.snapshot().unwrap_or_else(|damage| panic!("{damage}"));
        let shown = |name| counted.find("feed", name).map(|counter| counter.value);
        assert_eq!(shown("frames"), Some(report.frames), "counters say what the report says");
        assert_eq!(shown("decode_errors"), Some(report.decode_errors));
        Self { watch, report, states, books: books.iter().collect() }
    }

    /// Nothing is lost and nothing counted twice.
    fn is_conserved(&self, lines: &[&[u8]]) {
        let Self { report, watch, .. } = self;
        assert_eq!(report.frames, lines.len() as u64);
        assert_eq!(report.events.iter().sum::<u64>() + report.decode_errors, report.frames);
        assert_eq!(report.first_errors.len() as u64, report.decode_errors.min(8));
        assert_eq!(report.refused, 0);
        let event = |event: Event| report.events[event as usize];
        let sent = |kind: Kind| watch.kinds.get(&(kind as u8)).copied().unwrap_or(0);
        let all = |count: fn(&SyncCounts) -> u64| report.sync.iter().map(count).sum::<u64>();
        let (applied, ignored) = (all(|c| c.applied), all(|c| c.snapshots_ignored));
        let ended = applied + all(|c| c.dropped_unsynced) + all(|c| c.duplicates);
        assert_eq!(sent(Kind::Snapshot) + ignored, event(Event::Snapshot), "snapshots: {report:?}");
        if event(Event::Delta) > 0 || applied != sent(Kind::Snapshot) {
            assert_eq!(ended, event(Event::Delta), "depth messages: {report:?}");
            assert_eq!(sent(Kind::Delta), applied, "{report:?}");
        }
        assert_eq!(sent(Kind::Stale), all(|c| c.gaps), "{report:?}");
        assert!(all(|c| c.resyncs) <= all(|c| c.gaps), "{report:?}");
        assert_eq!(sent(Kind::Ticker), event(Event::Ticker));
        assert_eq!(sent(Kind::MarkPrice), event(Event::MarkPrice));
        assert_eq!(sent(Kind::Kline), event(Event::Kline));
        assert!(sent(Kind::Trade) >= event(Event::Trades));
        assert_eq!(sent(Kind::Timer), report.timers);
        assert_eq!(sent(Kind::End), 1);
    }
}

/// Between the stages: looks at every message and passes it on.
struct Watch {
    next: Option<Node<BookStage<Tap>, Nowhere>>,
    seqs: BTreeMap<u32, u32>,
    kinds: BTreeMap<u8, u64>,
    last_ns: Nanos,
    timers_in_a_row: u64,
}

impl Sink for Watch {
    fn send(&mut self, message: Message<'_>) -> bool {
        let head = message.head;
        let Some(kind) = head.kind() else { panic!("a message of no kind") };
        *self.kinds.entry(kind as u8).or_default() += 1;
        self.timers_in_a_row = if kind == Kind::Timer { self.timers_in_a_row + 1 } else { 0 };
        assert!(self.timers_in_a_row <= TIMERS_MAX, "a pause is filled with timers without end");
        if kind != Kind::End {
            assert!(head.recv_ns >= self.last_ns, "{kind:?} goes back in time");
            self.last_ns = head.recv_ns;
        }
        if !matches!(kind, Kind::Timer | Kind::End) {
            let seq = self.seqs.entry(head.instrument.0).or_default();
            *seq += 1;
            assert_eq!(head.seq, *seq, "numbers without holes");
        }
        if let Some(depth) =
            message.body_as::<Depth>().filter(|_| matches!(kind, Kind::Delta | Kind::Snapshot))
        {
            let (bids, asks) = message.depth_levels(depth);
            assert_eq!((bids.len(), asks.len()), (depth.bid_count as usize, depth.ask_count as usize));
        }
        self.next.as_mut().is_none_or(|next| next.send(message))
    }

    fn has_room(&mut self) -> bool {
        true
    }

    fn advance(&mut self, _now: Nanos) -> u32 {
        0
    }

    fn settle(&mut self) -> u32 {
        0
    }

    fn is_settled(&self) -> bool {
        true
    }

    fn halt(&mut self) {}
}

/// Takes the books when the stream has ended.
struct Tap {
    ended: SyncSender<[Vec<Level>; 2]>,
}

impl BookTap for Tap {
    fn applied(&mut self, _head: &Head, _depth: &Depth, _book: &Book) {}

    fn replacing(&mut self, _instrument: InstrumentId, _book: &Book) {}

    fn ended(&mut self, _instrument: InstrumentId, book: &Book) {
        let levels = BookSide::BOTH.map(|side| book.levels(side).collect());
        self.ended.send(levels).unwrap_or_else(|_| panic!("nobody takes the books"));
    }
}

/// Lines in memory as the capture's reader would give them.
struct Lines<'a> {
    lines: &'a [&'a [u8]],
    at: usize,
    clock: RecvClock,
    held: Option<Frame<'a>>,
}

impl FrameSource for Lines<'_> {
    fn poll(&mut self) -> SourcePoll<'_> {
        if self.held.is_none() {
            let Some(line) = self.lines.get(self.at) else { return SourcePoll::End };
            self.at += 1;
            let (recv_ns, clock_fault, bytes) = match split_line(line) {
                Ok((says, message)) => {
                    let (recv_ns, fault) = self.clock.take(says);
                    (recv_ns, fault.is_some(), Ok(message))
                }
                Err(error) => (self.clock.last(), false, Err(error)),
            };
            let line = u32::try_from(self.at).unwrap_or(u32::MAX);
            self.held =
                Some(Frame { connection: ConnectionId(0), line, recv_ns, clock_fault, behind_ns: 0, bytes });
        }
        self.held.map_or(SourcePoll::End, SourcePoll::Ready)
    }

    fn consume(&mut self) {
        self.held = None;
    }
}
