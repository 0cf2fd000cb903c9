//! A strategy that asks for every way that an order can go, an exchange that ends some orders itself, and commands
//! in between: thousands of whole order lives in one recorded market.

use super::{InMemory, Market, Prepared, signals};
use engine::commands::{
    ALL_INSTRUMENTS, ALL_STRATEGIES, Action, CommandBody, CommandOutput, Outcome, Param, ParamDesc, Ticket,
    channel,
};
use engine::counters::{Counters, Run};
use engine::ids::{Cause, InstrumentId, Lane, StrategyId};
use engine::journal::{Journal, Writer};
use engine::message::{Message, QuoteReason, Quotes};
use engine::num::{Decimal, Level, Price, Qty};
use engine::order::Order;
use engine::placement::Placement;
use engine::runner::Control;
use engine::time::{Nanos, StampClock};
use feeds::stage::{FrameSource, SourcePoll};
use gateway::client_order_id::ClientOrderId;
use gateway::client_order_id::ClientOrderIds;
use gateway::counterparty::{Answer, AnswerEvent, Counterparty, Request};
use gateway::paper::venue::PaperVenue;
use sabrewing::config::Config;
use sabrewing::pipeline::{Party, Setup, assemble_with, build, paper_venue};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use strategies::registry::{Kind, StrategyConfig};
use strategies::strategy::{Context, Event, Strategy, What};

const KIND: Kind = Kind {
    name: "churn",
    params: &[ParamDesc { name: "levels", digits: 0, min: 1, max: 8, help: "bids, and asks" }],
    check: |_| Ok(()),
    make: |_| Box::new(Churn { step: 0 }),
};

/// Quotes at the touch and behind it, moves them, takes them back, and crosses the touch, by turns.
struct Churn {
    step: u64,
}

impl Strategy for Churn {
    fn on_events(&mut self, events: &[Event<'_>], ctx: &mut Context<'_>) {
        if !events.iter().any(|event| matches!(event.what, What::Features)) {
            return;
        }
        let (touch, levels) = (ctx.touch(0), ctx.param(0));
        if touch.fault(ctx.now(), Nanos::SECOND).is_some() {
            return ctx.no_quotes(0, QuoteReason::BookInvalid);
        }
        self.step += 1;
        let qty = Qty(40);
        let at = |price: i64| Level { price: Price(price), qty };
        let (bid, ask) = (touch.bid.price.0, touch.ask.price.0);
        match self.step % 16 {
            // Nothing is wanted: everything is canceled.
            5 | 11 => ctx.no_quotes(0, QuoteReason::NotWanted),
            // A bid that would take: the exchange rejects it.
            6 => ctx.quote(0, &Quotes::new(at(ask), Level::default(), QuoteReason::Quoting)),
            // The same quotes for some time, so that trades reach them; one step out, so that they are amended.
            step => {
                let out = i64::from(step == 3 || step == 9);
                let mut quotes = Quotes::new(at(bid - out), at(ask + out), QuoteReason::Quoting);
                for level in 1..levels {
                    quotes.push(at(bid - out - level), at(ask + out + level));
                }
                ctx.quote(0, &quotes);
            }
        }
    }
}

/// Ends every seventh order that it was to cancel itself, as a venue does when it expires.
struct Expiring {
    paper: PaperVenue,
    canceled: u32,
}

impl Counterparty for Expiring {
    fn can_amend(&self, open: &Order, to: Level) -> bool {
        self.paper.can_amend(open, to)
    }
    fn encode(&mut self, request: Request<'_>, id: &ClientOrderId, now: Nanos) -> bool {
        self.paper.encode(request, id, now)
    }
    fn send(&mut self, now: Nanos) -> bool {
        self.paper.send(now)
    }
    fn on_market(&mut self, message: Message<'_>) {
        self.paper.on_market(message);
    }
    fn next_due(&self) -> Option<Nanos> {
        self.paper.next_due()
    }
    fn advance(&mut self, now: Nanos) {
        self.paper.advance(now);
    }
    fn settle(&mut self, now: Nanos) {
        self.paper.settle(now);
    }
    fn has_lost_answers(&self) -> bool {
        self.paper.has_lost_answers()
    }
    fn next_answer(&mut self, now: Nanos) -> Option<(Nanos, Answer)> {
        let (at, mut answer) = self.paper.next_answer(now)?;
        if answer.event == AnswerEvent::Canceled {
            self.canceled += 1;
            if self.canceled.is_multiple_of(7) {
                answer.event = AnswerEvent::Expired;
            }
        }
        Some((at, answer))
    }
}

/// The frames, held up every so many until as many commands were answered.
struct Gated {
    frames: InMemory,
    taken: u32,
    answered: Option<Arc<AtomicU32>>,
}

/// Frames between two commands.
const FRAMES_A_COMMAND: u32 = 7_000;
/// Every command, twice.
pub(crate) const COMMANDS: u32 = 10;

impl FrameSource for Gated {
    fn poll(&mut self) -> SourcePoll<'_> {
        let due = (self.taken / FRAMES_A_COMMAND).min(COMMANDS);
        match &self.answered {
            Some(answered) if answered.load(Ordering::Relaxed) < due => SourcePoll::NotYet,
            _ => self.frames.poll(),
        }
    }
    fn consume(&mut self) {
        self.taken += 1;
        self.frames.consume();
    }
}

/// The supervisor's side: gives one command after the other.
pub(crate) struct Commander {
    output: CommandOutput,
    answered: Arc<AtomicU32>,
    sent: u32,
}

impl Commander {
    /// Gives the next command once the one before is answered. Every one must be accepted.
    pub(crate) fn tick(&mut self) {
        while let Some(answered) = self.output.answered() {
            assert_eq!(answered.outcome, Outcome::Accepted);
            self.answered.fetch_add(1, Ordering::Relaxed);
        }
        if self.sent < COMMANDS && self.sent == self.answered.load(Ordering::Relaxed) {
            self.send();
        }
    }

    /// Gives the next command.
    pub(crate) fn send(&mut self) {
        let body = |action| CommandBody::new(action, ALL_STRATEGIES, ALL_INSTRUMENTS);
        let levels = [Param { index: 0, reserved: 0, value: 3 + i64::from(self.sent / 5 % 2) }];
        let (body, params) = match self.sent % 5 {
            0 => (body(Action::Pause), &[][..]),
            1 => (body(Action::Resume), &[][..]),
            2 => (CommandBody::new(Action::Set, StrategyId(1), ALL_INSTRUMENTS), &levels[..]),
            3 => (body(Action::CancelAll), &[][..]),
            _ => (body(Action::Resume), &[][..]),
        };
        self.sent += 1;
        let ticket = Ticket { lane: 0, id: u64::from(self.sent) };
        assert!(self.output.send(ticket, body, params, Cause::NONE));
    }

    pub(crate) fn answered(&self) -> u32 {
        self.answered.load(Ordering::Relaxed)
    }
}

/// The pipeline with that strategy and that exchange. The frames wait for commands where `waits`.
pub(crate) fn prepare_churning(
    market: &Arc<Market>,
    placement: &Placement,
    journal: &mut Option<Journal>,
    counters: Option<&std::path::Path>,
    waits: bool,
) -> (Prepared, Commander) {
    let mut config = Config::load(None).unwrap();
    let much = Decimal::from(1_000_000_000);
    let mut limits = config.limits.config().clone();
    limits.orders_per_s_max = 10_000;
    limits.cancels_per_s_max = 10_000;
    limits.duplicate_ns = 1;
    for limit in [
        &mut limits.order_notional_max,
        &mut limits.position_notional_max,
        &mut limits.portfolio_gross_max,
        &mut limits.portfolio_net_max,
        &mut limits.venue_gross_max,
        &mut limits.venue_net_max,
        &mut limits.asset_gross_max,
        &mut limits.asset_net_max,
    ] {
        *limit = much;
    }
    config.limits = limits.check().unwrap();
    config.paper.entry_latency_us = 100;
    config.paper.response_latency_us = 100;
    config.strategies = vec![StrategyConfig {
        kind: KIND,
        name: "churn".into(),
        instruments: vec!["*".into()],
        values: vec![4],
    }];
    let (control, clock) = (Arc::new(Control::default()), StampClock::on());
    let mut counters = Counters::create(counters, &Run { id: 1, start: Nanos(0) }, 4096).unwrap();
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
    let (output, input) = channel();
    let answered = Arc::<AtomicU32>::default();
    let waited = Some(Arc::clone(&answered)).filter(|_| waits);
    let source = Gated { frames: InMemory::of(market), taken: 0, answered: waited };
    let exchange = Expiring { paper: paper_venue(&config, &market.table).unwrap(), canceled: 0 };
    let party = Party { exchange, ids: ClientOrderIds::new(0, 0) };
    let tap = None::<super::NoTap>;
    let (mut stages, reports) =
        assemble_with(&setup, source, tap, &mut counters, writer, party, None).unwrap();
    stages.strategy = stages.strategy.taking(input);
    let threads = build(stages, placement, market.table.len(), &clock, &mut counters).unwrap();
    (Prepared { threads, reports, control, counters }, Commander { output, answered, sent: 0 })
}
