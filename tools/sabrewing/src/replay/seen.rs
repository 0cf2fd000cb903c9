//! What the strategies of a recorded run saw when they stated a target: book and features, which no journal holds,
//! rebuilt from the run's frames by the stages that had built them.
//!
//! A target that a frame or a timer led to is met behind the last message that this input led to: a deadline that passed
//! unmet with the input before was answered on the book before it. One that executions or a command led to is found by
//! count: the run's `Took` records say how many messages of the market the strategy stage had taken.

use super::books::BooksTap;
use super::journal_source::JournalSource;
use super::recorded::{Beginning, Records};
use crate::pipeline::connections;
use crate::run::Refused;
use engine::book_stage::{BookStage, TOP_SLOTS};
use engine::decisions::MARKET_INPUT;
use engine::ids::{Cause, InstrumentId, Lane, StrategyId};
use engine::instrument::{Instrument, InstrumentTable};
use engine::journal::schema::{RecordKind, Took};
use engine::journal::{Cursor, Reader, Writer};
use engine::message::{BookChanged, Kind, Message, Quotes, book_state, levels_of};
use engine::num::Level;
use engine::runner::{Control, Source, Step};
use engine::stage::{Node, Sink};
use engine::stage_log::StageLog;
use engine::time::{Nanos, StampClock};
use feeds::stage::{FeedConfig, FeedStage, FrameSource, SourcePoll};
use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::sync_channel;
use strategies::registry::StrategyConfig;
use strategies::signal::{Feature, FeatureMirror, SignalStage, Subscriptions};
use zerocopy::FromBytes;

/// What a strategy saw of a target's instrument when it stated the target.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
    /// Best bid and ask of the newer of book and best-quote ticker, and whether they could be trusted.
    pub touch: BookChanged,
    /// Best levels of the book, bids then asks, the best first; ten at most.
    pub levels: [Vec<Level>; 2],
    /// The features that the strategy declared, in its order.
    pub features: Vec<SeenFeature>,
    /// All the run's frames up to there were at hand; else features may have a shorter memory than they had in the run.
    pub is_whole: bool,
}

/// A feature as a strategy saw it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SeenFeature {
    /// As the strategy declared it.
    pub name: &'static str,
    /// In market units. None: it had no value.
    pub value: Option<f64>,
    /// Digits behind the point that are worth showing.
    pub digits: u8,
}

/// Rebuilds what was seen for these targets, by their sequences in the strategy's lane; what cannot be found, as the
/// journal lacks the target or its frames, is not among them. `run` is a run's directory or the journal in it, finished or
/// not. `progress` is called now and then with the steps made so far.
/// Err: what the journal lacks to rebuild anything, or what cannot be read in it.
pub fn seen(run: &Path, targets: &[u64], progress: impl FnMut(u64)) -> Result<BTreeMap<u64, Seen>, String> {
    let reader = Reader::open(run).map_err(|error| error.to_string())?;
    let beginning = Beginning::read(&reader)?;
    let mut feed = reader.cursor(Lane::Feed);
    let is_whole = matches!(feed.next(), Ok(Some(first)) if first.seq == 1);
    let moments = moments_of(&reader, targets, is_whole)?;
    if moments.is_empty() {
        return Ok(BTreeMap::new());
    }
    rebuild(&beginning, reader.cursor(Lane::Feed), &moments, is_whole, progress)
}

/// A target, and up to where its strategy had taken the market.
#[derive(Clone, Copy)]
struct Moment {
    /// Its sequence in the strategy's lane.
    target: u64,
    strategy: StrategyId,
    instrument: InstrumentId,
    /// Its time.
    at: Nanos,
    upto: Upto,
}

#[derive(Clone, Copy)]
enum Upto {
    /// To the end of this record of the feed's lane.
    Input(u64),
    /// So many messages.
    Messages(u64),
    /// Everything up to its time.
    Time,
}

/// Finds the targets, in their order. Err: the strategy's lane is damaged before the last of them.
fn moments_of(reader: &Reader, targets: &[u64], is_whole: bool) -> Result<Vec<Moment>, String> {
    let last = targets.iter().copied().max().unwrap_or(0);
    let (mut moments, mut taken) = (Vec::new(), 0);
    let mut cursor = reader.cursor(Lane::Strategy);
    while cursor.last_seq() < last {
        let Some(view) = cursor.next().map_err(|problem| problem.to_string())? else { break };
        let (seq, entry) = (view.seq, view.entry);
        match RecordKind::from_u16(entry.kind) {
            Some(RecordKind::Took) => {
                if let Ok(Took { input: MARKET_INPUT, count }) = Took::read_from_bytes(view.body) {
                    taken += u64::from(count);
                }
            }
            Some(RecordKind::Target) if targets.contains(&seq) => {
                let Some(quotes) = Quotes::read(view.body) else { continue };
                let (strategy, instrument) = (quotes.first.strategy, entry.instrument);
                let upto = match entry.cause.lane() {
                    Some(Lane::Feed) => Upto::Input(entry.cause.seq()),
                    _ if is_whole && cursor.gaps().is_empty() => Upto::Messages(taken),
                    _ => Upto::Time,
                };
                moments.push(Moment { target: seq, strategy, instrument, at: entry.recv_ns, upto });
            }
            _ => {}
        }
    }
    Ok(moments)
}

/// Drives feed, book and signal stage over the frames, and looks at each moment at what they have sent.
fn rebuild(
    beginning: &Beginning,
    feed: Cursor,
    moments: &[Moment],
    is_whole: bool,
    mut progress: impl FnMut(u64),
) -> Result<BTreeMap<u64, Seen>, String> {
    let Beginning { config, table, wiring } = beginning;
    let (declared, subscriptions) = declare(&config.strategies, table)?;
    let connections = connections(table, &wiring.of_connection())?;
    let (failed_tx, failed) = sync_channel(1);
    let frames = JournalSource::new(Records::unchecked(feed), connections.len(), failed_tx);
    let reach = Arc::new(Reach::default());
    let source = Until { frames, reach: Arc::clone(&reach) };
    // The journal has the timers.
    let feed_config = FeedConfig { timer_ns: Nanos(0), ..config.feed };
    let watched = crate::live::watched(config, table).map_err(|Refused(_, what)| what)?;
    let (log, clock) =
        (StageLog::new(Writer::off(Lane::Feed), Arc::new(Control::default()), 0), StampClock::off());
    // Nobody wants the stages' reports.
    let ((feed_tx, _), (book_tx, _), (signal_tx, _)) = (sync_channel(1), sync_channel(1), sync_channel(1));
    let feed = FeedStage::new(source, connections, table, feed_config, log, clock.clone(), feed_tx);
    let mut feed = feed.watching(watched);
    let book = BookStage::new(table, config.book, None::<BooksTap>, book_tx).forwarding_depth();
    let signal = SignalStage::new(table, &subscriptions, signal_tx);
    let watcher = Rc::new(RefCell::new(Watcher::new(table.len(), moments)));
    let strategies = Strategies(Rc::clone(&watcher));
    let mut book = Node::new(book, Node::new(signal, strategies, clock.clone(), None), clock, None);

    let mut steps: u64 = 0;
    let mut go_on = |upto: (u64, Nanos), is_enough: &dyn Fn() -> bool| {
        reach.limit.store(upto.0, Ordering::Relaxed);
        reach.limit_ns.store(upto.1.0, Ordering::Relaxed);
        while !is_enough() && feed.step(&mut book) == Step::Worked {
            steps += 1;
            if steps.is_multiple_of(PROGRESS_EVERY) {
                progress(steps);
            }
        }
    };
    for moment in moments {
        if let Upto::Input(record) = moment.upto {
            if is_whole {
                watcher.borrow_mut().expect(record);
            }
            go_on((record, Nanos(0)), &|| false);
            // An update that was kept until a snapshot came leads to something only then.
            go_on((record, moment.at), &|| watcher.borrow().has_come());
            if reach.reached.load(Ordering::Relaxed) >= record {
                watcher.borrow_mut().look(*moment);
            }
        }
    }
    go_on((u64::MAX, Nanos(0)), &|| watcher.borrow().due.is_empty());
    watcher.borrow_mut().look_before(Nanos(u64::MAX));
    let found = watcher.take().found;
    match failed.try_recv() {
        Ok(what) if found.len() < moments.len() => Err(what),
        _ => Ok(found.iter().map(|(at, view)| (at.target, view.seen(at, &declared, is_whole))).collect()),
    }
}

/// Steps between two reports of progress.
const PROGRESS_EVERY: u64 = 1 << 12;

/// A feature that a strategy declared, and where it is among those of the instrument.
struct Declared {
    name: &'static str,
    slot: usize,
    /// What its value is counted in: market units, as numerator and denominator.
    unit: (f64, f64),
    digits: u8,
}

/// By strategy and instrument.
type Declarations = BTreeMap<(StrategyId, InstrumentId), Vec<Declared>>;

/// What the strategies declare, in the order in which the strategy stage asks them: it decides on the slots.
fn declare(
    strategies: &[StrategyConfig],
    table: &InstrumentTable,
) -> Result<(Declarations, Subscriptions), String> {
    let (mut declarations, mut subscriptions) = (Declarations::new(), Subscriptions::new());
    for (id, config) in (1..).map(StrategyId).zip(strategies) {
        let instruments = config.instruments_of(table)?;
        let names = (config.kind.make)(&instruments).features();
        for instrument in &instruments {
            let slots = subscriptions.declare(instrument, names).map_err(|error| error.to_string())?;
            let declared = names.iter().zip(slots).map(|(name, slot)| Declared::new(name, slot, instrument));
            declarations.insert((id, instrument.id), declared.collect());
        }
    }
    Ok((declarations, subscriptions))
}

impl Declared {
    fn new(name: &'static str, slot: usize, instrument: &Instrument) -> Self {
        let (tick, qty_unit) = (instrument.price_rule.tick, instrument.qty_unit);
        let (step, more_digits) = match Feature::parse(name) {
            Ok(
                Feature::Spread
                | Feature::Mid
                | Feature::MicroPrice
                | Feature::TouchSpread
                | Feature::TouchMid
                | Feature::TouchMicroPrice
                | Feature::SpreadMean { .. }
                | Feature::RollSpread { .. },
            ) => (tick, 3),
            Ok(Feature::TakerBuy { .. } | Feature::TakerSell { .. } | Feature::OrderFlow { .. }) => {
                (qty_unit, 0)
            }
            // Plain numbers, and candles, which are in market units already.
            _ => return Self { name, slot, unit: (1.0, 1.0), digits: 6 },
        };
        let power = 10_f64.powi(step.exponent().into());
        #[expect(clippy::cast_precision_loss, reason = "a step's mantissa is small")]
        let unit = (step.mantissa() as f64, power);
        Self { name, slot, unit, digits: step.digits() + more_digits }
    }
}

/// How far the frames may be taken, by sequence in the feed's lane or by time, and how far they were.
#[derive(Default)]
struct Reach {
    limit: AtomicU64,
    limit_ns: AtomicU64,
    reached: AtomicU64,
}

/// The run's frames, as far as they may be taken.
struct Until {
    frames: JournalSource,
    reach: Arc<Reach>,
}

impl FrameSource for Until {
    fn poll(&mut self) -> SourcePoll<'_> {
        let at = match self.frames.poll() {
            SourcePoll::Ready(frame) => frame.recv_ns,
            SourcePoll::Timer(at) | SourcePoll::Connection(.., at) => at,
            SourcePoll::NotYet | SourcePoll::Time(_) | SourcePoll::End => return self.frames.poll(),
        };
        let Reach { limit, limit_ns, .. } = &*self.reach;
        let is_within =
            self.frames.seq() <= limit.load(Ordering::Relaxed) || at.0 <= limit_ns.load(Ordering::Relaxed);
        if is_within { self.frames.poll() } else { SourcePoll::NotYet }
    }

    fn consume(&mut self) {
        self.reach.reached.store(self.frames.seq(), Ordering::Relaxed);
        self.frames.consume();
    }
}

/// One instrument as strategies see it.
#[derive(Clone)]
struct View {
    touch: BookChanged,
    levels: [[Level; TOP_SLOTS]; 2],
    features: FeatureMirror,
}

impl View {
    fn seen(&self, at: &Moment, declared: &Declarations, is_whole: bool) -> Seen {
        let shown = |of: &Declared| {
            let value = self.features.value(of.slot).map(|value| value * of.unit.0 / of.unit.1);
            SeenFeature { name: of.name, value, digits: of.digits }
        };
        let features = declared.get(&(at.strategy, at.instrument)).map_or(&[][..], Vec::as_slice);
        let levels = |side: [Level; TOP_SLOTS]| side.into_iter().filter(|level| level.qty.0 != 0).collect();
        Seen {
            touch: self.touch,
            levels: self.levels.map(levels),
            features: features.iter().map(shown).collect(),
            is_whole,
        }
    }
}

/// Takes what the strategies took.
#[derive(Default)]
struct Watcher {
    views: Vec<View>,
    /// Messages taken.
    taken: u64,
    /// Moments between two messages, in their order.
    due: VecDeque<Moment>,
    /// The input whose messages are waited for, and what was there behind the last one, by instrument.
    expected: Option<Cause>,
    come: BTreeMap<usize, View>,
    found: Vec<(Moment, View)>,
}

impl Watcher {
    fn new(instruments: usize, moments: &[Moment]) -> Self {
        let view = View {
            touch: BookChanged { state: book_state::EMPTY, ..BookChanged::default() },
            levels: Default::default(),
            features: FeatureMirror::default(),
        };
        let due = moments.iter().filter(|moment| !matches!(moment.upto, Upto::Input(_)));
        Self { views: vec![view; instruments], due: due.copied().collect(), ..Self::default() }
    }

    /// Notes what is there behind the messages of this input.
    fn expect(&mut self, record: u64) {
        let expected = Some(Cause::new(Lane::Feed, record));
        // Several targets are an answer to one input.
        if self.expected != expected {
            self.expected = expected;
            self.come.clear();
        }
    }

    fn has_come(&self) -> bool {
        !self.come.is_empty()
    }

    fn look(&mut self, moment: Moment) {
        let index = moment.instrument.index();
        let noted = self.come.get(&index).filter(|_| matches!(moment.upto, Upto::Input(_)));
        if let Some(view) = noted.or_else(|| self.views.get(index)) {
            self.found.push((moment, view.clone()));
        }
    }

    /// Looks where the message that comes next, at this time, lies behind the moment.
    fn look_before(&mut self, next: Nanos) {
        while let Some(moment) = self.due.front().copied() {
            let is_now = match moment.upto {
                Upto::Messages(count) => count <= self.taken,
                Upto::Time => moment.at < next,
                Upto::Input(_) => true,
            };
            if !is_now {
                break;
            }
            self.due.pop_front();
            self.look(moment);
        }
    }

    fn take(&mut self, message: &Message<'_>) {
        let head = message.head;
        self.look_before(if head.kind() == Some(Kind::End) { Nanos(u64::MAX) } else { head.recv_ns });
        self.taken += 1;
        self.apply(message);
        if self.expected == Some(head.cause)
            && let Some(view) = self.views.get(head.instrument.index())
        {
            self.come.insert(head.instrument.index(), view.clone());
        }
    }

    fn apply(&mut self, message: &Message<'_>) {
        let Some(view) = self.views.get_mut(message.head.instrument.index()) else { return };
        match message.head.kind() {
            Some(Kind::BookChanged) => {
                let Some(touch) = message.body_as::<BookChanged>() else { return };
                view.touch = *touch;
                let mut levels = levels_of(message.body.get(1..).unwrap_or_default()).iter();
                for (mask, side) in [touch.bid_slots, touch.ask_slots].into_iter().zip(&mut view.levels) {
                    for (slot, level) in side.iter_mut().enumerate() {
                        if mask >> slot & 1 == 1 {
                            *level = levels.next().copied().unwrap_or_default();
                        }
                    }
                }
            }
            // Of this process, so that its cells are those it speaks of.
            Some(Kind::Features) => _ = view.features.apply(message),
            _ => {}
        }
    }
}

/// Where the strategy stage would be.
struct Strategies(Rc<RefCell<Watcher>>);

impl Sink for Strategies {
    fn send(&mut self, message: Message<'_>) -> bool {
        self.0.borrow_mut().take(&message);
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
