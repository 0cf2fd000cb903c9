//! The strategy stage: hands the market and executions to the strategy, journals the targets it states, and
//! passes both on. It has two inputs, and journals the order in which it took them.

use crate::quoter::{Quoter, QuoterConfig};
use engine::counters::Counter;
use engine::ids::{AccountId, StrategyId};
use engine::instrument::InstrumentTable;
use engine::journal::schema::RecordKind;
use engine::message::{BookChanged, Execution, Features, Head, Kind, Message, Quotes};
use engine::ring::{BATCH_MAX, RingReceiver, is_end};
use engine::stage::{Sink, Stage};
use engine::stage_log::StageLog;
use std::ops::ControlFlow;

/// The fourth stage.
pub struct StrategyStage {
    slots: Vec<Slot>,
    /// Executions from the gateway.
    executions: RingReceiver,
    /// Some slot has executions that it has not decided on yet.
    unanswered: bool,
    /// The last input from the market: what a target that an execution leads to is dated and stamped by.
    last: Head,
    settled: bool,
    log: StageLog,
}

/// The strategy on one instrument.
pub struct Slot {
    quoter: Option<Quoter>,
    /// The one current reason why it is not quoting.
    reason: Option<Counter>,
    /// The last execution that it has not decided on yet.
    unanswered: Option<Head>,
}

/// The only strategy of a run, until there are several.
pub const QUOTER: StrategyId = StrategyId(1);

/// Input 0: the stage before; input 1: the stage behind.
const MARKET: u32 = 0;
const EXECUTIONS: u32 = 1;

impl StrategyStage {
    /// A quoter for every instrument, or nothing where there is no configuration. `reasons` are the counters
    /// of the current reasons, by instrument.
    pub fn new(
        instruments: &InstrumentTable,
        config: Option<QuoterConfig>,
        reasons: impl IntoIterator<Item = Counter>,
        executions: RingReceiver,
        log: StageLog,
    ) -> Self {
        let mut reasons = reasons.into_iter();
        let slot = |instrument: &engine::instrument::Instrument| Slot {
            quoter: config.map(|config| Quoter::new(config, instrument.clone())),
            reason: reasons.next(),
            unanswered: None,
        };
        let slots = instruments.iter().map(slot).collect();
        Self { slots, executions, unanswered: false, last: Head::new(Kind::Timer), settled: false, log }
    }
}

impl Stage for StrategyStage {
    const NAME: &'static str = "strategy";

    #[inline]
    fn on_message<S: Sink>(&mut self, message: Message<'_>, out: &mut S) {
        let head = message.head;
        match head.kind() {
            Some(Kind::BookChanged) => {
                // The exchange sees the market before what the strategy makes of it.
                out.send(message);
                self.log.took(MARKET, head);
                let slot = self.slots.get_mut(head.instrument.index());
                if let (Some(quoter), Some(book)) =
                    (slot.and_then(|slot| slot.quoter.as_mut()), message.body_as::<BookChanged>())
                {
                    quoter.on_book(book);
                }
            }
            Some(Kind::Features) => {
                let Some(features) = message.body_as::<Features>() else { return };
                let Some(slot) = self.slots.get_mut(head.instrument.index()) else { return };
                self.last = *head;
                if let Some(target) = slot.quoter.as_mut().and_then(|quoter| {
                    quoter.on_touch_age(features.touch_age);
                    quoter.decide()
                }) {
                    slot.state(&target, head, &mut self.log, out);
                }
            }
            Some(Kind::End) => {
                self.log.flush_took(head);
                out.send(message);
            }
            _ => {
                self.log.took(MARKET, head);
                out.send(message);
            }
        }
    }

    /// Executions are always taken, so that the gateway is never kept waiting by a full ring that only this
    /// stage can empty; what they lead to waits until there is room for it.
    #[inline]
    fn settle<S: Sink>(&mut self, out: &mut S) -> u32 {
        if self.executions.is_empty() && !self.unanswered {
            return 0;
        }
        let Self { slots, executions, unanswered, last, settled, log } = self;
        let taken = executions.take(BATCH_MAX, |message| {
            if is_end(message.head) {
                log.flush_took(last);
                *settled = true;
                return ControlFlow::Break(());
            }
            log.took(EXECUTIONS, message.head);
            let slot = slots.get_mut(message.head.instrument.index());
            if let (Some(slot), Some(execution)) = (slot, message.body_as::<Execution>())
                && let Some(quoter) = &mut slot.quoter
            {
                quoter.on_position(execution.position);
                slot.unanswered = Some(*message.head);
                *unanswered = true;
            }
            ControlFlow::Continue(())
        });
        if *unanswered && out.has_room() {
            *unanswered = false;
            for slot in slots {
                if let Some(head) = slot.unanswered.take()
                    && let Some(target) = slot.quoter.as_mut().and_then(Quoter::decide)
                {
                    slot.state(&target, &head, log, out);
                }
            }
        }
        taken
    }

    #[inline]
    fn has_room(&mut self) -> bool {
        self.log.has_room()
    }

    fn is_settled(&self) -> bool {
        self.settled
    }
}

impl Slot {
    /// Journals a target and passes it on. A target that cannot be journalled is not stated.
    fn state<S: Sink>(&mut self, target: &Quotes, input: &Head, log: &mut StageLog, out: &mut S) {
        if let (Some(counter), Some(quoter)) = (&mut self.reason, &self.quoter) {
            counter.set(quoter.reason() as u64);
        }
        let mut target = *target;
        target.first.strategy = QUOTER;
        let mut head = Head { strategy: QUOTER, account: AccountId(0), ..input.derive(Kind::Target) };
        let Some(cause) = log.record(RecordKind::Target, &head, target.used_cells()) else { return };
        head.cause = cause;
        out.send(Message { head: &head, body: target.used_cells() });
    }
}
