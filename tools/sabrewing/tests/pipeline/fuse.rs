//! A stage that fails on command: a fuse lies in one of the five, burns down as the stage works, and then the stage
//! panics, stalls until it is released, or its thread is gone without an unwind.

use super::{InMemory, Market, Prepared, signals};
use engine::book::Book;
use engine::book_stage::BookTap;
use engine::candle::Candle;
use engine::counters::{Counters, Run};
use engine::ids::{InstrumentId, Lane};
use engine::instrument::Instrument;
use engine::journal::{Journal, Writer};
use engine::message::{Depth, Head, Message};
use engine::num::Level;
use engine::order::Order;
use engine::placement::{Placement, StageId, ThreadPlan};
use engine::runner::Control;
use engine::time::{Nanos, StampClock};
use feeds::stage::{FrameSource, SourcePoll};
use gateway::client_order_id::ClientOrderId;
use gateway::client_order_id::ClientOrderIds;
use gateway::counterparty::{Answer, Counterparty, Request};
use gateway::paper::venue::PaperVenue;
use sabrewing::config::Config;
use sabrewing::pipeline::{Party, Setup, assemble_with, build, paper_venue};
use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use strategies::candles::TimeFrame;
use strategies::market_maker;
use strategies::registry::Kind;
use strategies::signal::{SignalTap, Signals};
use strategies::strategy::{Context, Event, Strategy};

/// What a stage does when its fuse has burnt down.
#[derive(Clone)]
pub(crate) enum Then {
    Panic,
    /// Makes no further step until the flag is raised.
    Stall(Arc<AtomicBool>),
    /// Its thread is gone.
    Die,
}

/// Lies in one stage.
#[derive(Clone)]
pub(crate) struct Fuse {
    pub(crate) stage: StageId,
    /// Steps of the stage that are left.
    pub(crate) left: u32,
    pub(crate) then: Then,
    /// An order was sent.
    ordered: Arc<AtomicBool>,
    /// The stage has a thread without the gateway: it can wait for the order.
    waits: bool,
}

impl Fuse {
    /// Burns down after about as much market in every stage.
    pub(crate) fn new(stage: StageId, then: Then) -> Self {
        let left = match stage {
            StageId::Feed | StageId::Signal => 5_000,
            StageId::Book => 600,
            StageId::Strategy | StageId::Gateway => 3_000,
        };
        Self { stage, left, then, ordered: Arc::default(), waits: false }
    }
}

/// A part of a stage, and the fuse where it lies in this one.
struct Fused<T> {
    inner: T,
    fuse: Option<Fuse>,
    ordered: Arc<AtomicBool>,
}

impl<T> Fused<T> {
    fn new(inner: T, fuse: &Fuse, stage: StageId) -> Self {
        let ordered = Arc::clone(&fuse.ordered);
        Self { inner, fuse: Some(fuse.clone()).filter(|fuse| fuse.stage == stage), ordered }
    }

    fn burn(&mut self) {
        let Some(fuse) = &mut self.fuse else { return };
        fuse.left = fuse.left.saturating_sub(1);
        if fuse.left == 0 && !fuse.ordered.load(Ordering::Relaxed) {
            // The stages behind may be far behind on a busy machine, and there must be something to cancel.
            if !fuse.waits {
                fuse.left = 1;
                return;
            }
            while !fuse.ordered.load(Ordering::Relaxed) {
                std::thread::sleep(std::time::Duration::from_millis(1));
            }
        }
        match &fuse.then {
            _ if fuse.left > 0 => {}
            Then::Panic => panic!("planted"),
            Then::Stall(released) => {
                while !released.load(Ordering::Relaxed) {
                    std::thread::sleep(Duration::from_millis(1));
                }
            }
            Then::Die => {
                // SAFETY: ends this thread alone; nothing on its stack is used again, and nobody joins it.
                unsafe { libc::syscall(libc::SYS_exit, 0) };
            }
        }
    }
}

impl FrameSource for Fused<InMemory> {
    fn poll(&mut self) -> SourcePoll<'_> {
        self.inner.poll()
    }
    fn consume(&mut self) {
        self.burn();
        self.inner.consume();
    }
}

impl BookTap for Fused<()> {
    fn applied(&mut self, _: &Head, _: &Depth, _: &Book) {
        self.burn();
    }
    fn replacing(&mut self, _: InstrumentId, _: &Book) {}
    fn ended(&mut self, _: InstrumentId, _: &Book) {}
}

impl SignalTap for Fused<()> {
    fn line(&mut self, _: &Head, _: &Signals) {
        self.burn();
    }
    fn closed(&mut self, _: TimeFrame, _: &Candle) {}
    fn forming(&mut self, _: TimeFrame, _: &Candle) {}
}

impl Strategy for Fused<Box<dyn Strategy>> {
    fn features(&self) -> &'static [&'static str] {
        self.inner.features()
    }
    fn on_events(&mut self, events: &[Event<'_>], ctx: &mut Context<'_>) {
        self.burn();
        self.inner.on_events(events, ctx);
    }
}

impl Counterparty for Fused<PaperVenue> {
    fn can_amend(&self, open: &Order, to: Level) -> bool {
        self.inner.can_amend(open, to)
    }
    fn encode(&mut self, request: Request<'_>, id: &ClientOrderId, now: Nanos) -> bool {
        self.inner.encode(request, id, now)
    }
    fn send(&mut self, now: Nanos) -> bool {
        let is_sent = self.inner.send(now);
        self.ordered.fetch_or(is_sent, Ordering::Relaxed);
        is_sent
    }
    fn on_market(&mut self, message: Message<'_>) {
        self.burn();
        self.inner.on_market(message);
    }
    fn next_due(&self) -> Option<Nanos> {
        self.inner.next_due()
    }
    fn advance(&mut self, now: Nanos) {
        self.inner.advance(now);
    }
    fn settle(&mut self, now: Nanos) {
        self.inner.settle(now);
    }
    fn has_lost_answers(&self) -> bool {
        self.inner.has_lost_answers()
    }
    fn next_answer(&mut self, now: Nanos) -> Option<(Nanos, Answer)> {
        self.inner.next_answer(now)
    }
}

thread_local! {
    /// On its way to the strategy, which a plain function makes, on the thread that assembles.
    static FOR_STRATEGY: RefCell<Option<Fuse>> = const { RefCell::new(None) };
}

/// The market maker that ships, with the fuse.
const FUSED_MAKER: Kind = Kind { make, ..market_maker::KIND };

fn make(instruments: &[Instrument]) -> Box<dyn Strategy> {
    let inner = (market_maker::KIND.make)(instruments);
    FOR_STRATEGY.with_borrow_mut(|fuse| {
        let fuse = fuse.take();
        let ordered = fuse.as_ref().map(|fuse| Arc::clone(&fuse.ordered)).unwrap_or_default();
        Box::new(Fused { inner, fuse, ordered }) as _
    })
}

/// The shipped pipeline over a market, with a fuse in one stage.
pub(crate) fn prepare_fused(
    market: &Arc<Market>,
    placement: &Placement,
    fuse: &Fuse,
    journal: &mut Option<Journal>,
) -> Prepared {
    let mut config = Config::load(None).unwrap();
    for strategy in &mut config.strategies {
        strategy.kind = FUSED_MAKER;
    }
    let beside_gateway =
        |plan: &ThreadPlan| plan.stages.contains(&fuse.stage) && plan.stages.contains(&StageId::Gateway);
    let fuse = &Fuse { waits: !placement.threads.iter().any(beside_gateway), ..fuse.clone() };
    FOR_STRATEGY.set(Some(fuse.clone()).filter(|fuse| fuse.stage == StageId::Strategy));
    let (control, clock) = (Arc::new(Control::default()), StampClock::off());
    let mut counters = Counters::create(None, &Run { id: 1, start: Nanos(0) }, 4096).unwrap();
    let subscriptions = signals(&market.table);
    let setup = Setup {
        config: &config,
        table: &market.table,
        of_connection: &[vec![InstrumentId(0)]],
        subscriptions: &subscriptions,
        clock: &clock,
        control: &control,
    };
    let writer = |lane: Lane| match journal.as_mut() {
        Some(journal) => journal.writer(lane).map_err(|e| e.to_string()),
        None => Ok(Writer::off(lane)),
    };
    let source = Fused::new(InMemory::of(market), fuse, StageId::Feed);
    let tap = Fused::new((), fuse, StageId::Book);
    let exchange = Fused::new(paper_venue(&config, &market.table).unwrap(), fuse, StageId::Gateway);
    let party = Party { exchange, ids: ClientOrderIds::new(0, 0) };
    let (mut stages, reports) =
        assemble_with(&setup, source, tap, &mut counters, writer, party, None).unwrap();
    stages.feed.mark_every(1);
    stages.signal.tap(InstrumentId(0), Box::new(Fused::new((), fuse, StageId::Signal)));
    let threads = build(stages, placement, market.table.len(), &clock, &mut counters).unwrap();
    Prepared { threads, reports, control, counters }
}
