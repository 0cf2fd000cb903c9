//! What stands between a restart and trading: every order of the run before is asked about, what still rests is
//! canceled, and what the venue holds is compared with what the journal says. Until both agree nothing is placed.
//!
//! ```text
//! resume ─▶ query each order ─▶ cancel what rests ─▶ ask for the account ─▶ no order open? positions equal? ─▶ trade
//!             ▲    until the venue has said          │ an order of ours that the journal lost: canceled, asked again
//!             └── back-off                           └ somebody else's order, another position: trading stops
//! ```
//!
//! Quotes of the run before are not adopted: positions can be compared exactly only while nothing can trade.

use super::OrderManager;
use super::answers::Told;
use super::orders::{Ending, Live};
use crate::counterparty::{Account, Counterparty, Request, VenueOrder};
use crate::recovery::Recovered;
use engine::ids::{Cause, InstrumentId, StrategyId};
use engine::journal::schema::{BegunBody, CarriedBody, OpeningBody, OrderBody, RecordKind};
use engine::message::{Head, Kind};
use engine::num::{Level, Qty, Side};
use engine::order::{Order, OrderState};
use engine::position::Position;
use engine::runner::StopReason;
use engine::stage::Sink;
use engine::time::Nanos;
use std::fmt;
use zerocopy::IntoBytes;

/// How far a restart has come.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Reconciling {
    /// Time has begun, and the orders were asked about.
    has_begun: bool,
    /// The account was asked for: when to ask again.
    ask_again: Option<Nanos>,
}

/// Why a manager cannot go on from what was recovered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResumeError {
    /// The run has no such instrument or strategy.
    NotTraded(InstrumentId, StrategyId),
    /// There is no room for the order of this sequence.
    Room(u64),
}

impl fmt::Display for ResumeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotTraded(instrument, strategy) => write!(
                f,
                "the run before held instrument {instrument} for strategy {strategy}, which this run does not have"
            ),
            Self::Room(seq) => write!(f, "no room for order {seq} of the run before"),
        }
    }
}

impl std::error::Error for ResumeError {}

impl<X: Counterparty> OrderManager<X> {
    /// Goes on from a run that ended, in whatever way: with its positions, and with its orders as unknown ones; the
    /// first run goes on from nothing. Nothing is placed until the venue has confirmed all of it. Called once, before
    /// the first input.
    /// Err: the run does not have what was held.
    pub fn resume(&mut self, recovered: &Recovered) -> Result<(), ResumeError> {
        self.orders.used(recovered.last_seq);
        self.baselines.clone_from(&recovered.baselines);
        self.log.state_begins();
        for held in &recovered.positions {
            let head = self.opening_head(held.instrument, held.strategy, recovered.at);
            let index = self.book_of(&head);
            let book = index.and_then(|index| self.books.get_mut(index));
            let book = book.ok_or(ResumeError::NotTraded(held.instrument, held.strategy))?;
            book.position = held.position;
            self.log.record(RecordKind::Opening, &head, &OpeningBody::new(held.strategy, &held.position));
        }
        for carried in &recovered.orders {
            let order = Order { state: OrderState::Unknown, ..carried.order };
            let head = self.opening_head(order.instrument, order.strategy, recovered.at);
            let index =
                self.book_of(&head).ok_or(ResumeError::NotTraded(order.instrument, order.strategy))?;
            if !self.orders.is_free(order.seq) {
                return Err(ResumeError::Room(order.seq));
            }
            let body = carried_body(&order, carried.run);
            let record = self.log.record(RecordKind::Carried, &head, &body).unwrap_or(Cause::NONE);
            self.orders.insert(Live {
                order,
                record,
                deadline: Nanos::MAX,
                book: index,
                slot: usize::MAX,
                run: carried.run,
                queries: 0,
                was_unknown: true,
                is_in_doubt: true,
                // Nothing of the run before goes on.
                ending: Ending::Unsent,
            });
            if let Some(traded) = self.instruments.get_mut(order.instrument.index()) {
                traded.unknown += 1;
            }
        }
        let records = (recovered.positions.len() + recovered.orders.len()) as u64;
        self.state_is_told(records, recovered.at);
        for instrument in 0..self.instruments.len() {
            self.hold(instrument);
        }
        self.reconciling = Some(Reconciling::default());
        Ok(())
    }

    /// Whether a restart is not through yet.
    #[must_use]
    pub const fn is_reconciling(&self) -> bool {
        self.reconciling.is_some()
    }

    /// The state is told again after so many records of the lane instead of `STATE_EVERY`.
    pub const fn tell_state_every(&mut self, records: u64) {
        self.state_every = records;
        if self.state_due < u64::MAX {
            self.state_due = self.log.next_seq().saturating_add(records);
        }
    }

    /// Says again all that a restart would have to know, once the lane has grown by `STATE_EVERY` records since it was
    /// said: a restart begins with the last time, and what lies before it may be deleted. Only where the run began with
    /// [`Self::resume`]. Between two inputs: what is said is then what the records before have led to.
    #[inline]
    pub fn tell_state_when_due(&mut self, now: Nanos) {
        if self.log.next_seq() >= self.state_due {
            self.tell_state(now);
        }
    }

    #[cold]
    fn tell_state(&mut self, now: Nanos) {
        self.log.state_begins();
        let mut records = 0;
        for index in 0..self.books.len() {
            let Some((position, id)) =
                self.books.get(index).map(|book| book.position).zip(self.id_of_book(index))
            else {
                continue;
            };
            if position != Position::default() {
                let head = self.opening_head(id.0, id.1, now);
                self.log.record(RecordKind::Opening, &head, &OpeningBody::new(id.1, &position));
                records += 1;
            }
        }
        for place in 0..self.orders.room() {
            let Some(Live { order, run, .. }) = self.orders.at(place).copied() else { continue };
            let head = self.opening_head(order.instrument, order.strategy, now);
            self.log.record(RecordKind::Carried, &head, &carried_body(&order, run));
            records += 1;
        }
        self.state_is_told(records, now);
    }

    /// The records before this one say all that is held and open.
    fn state_is_told(&mut self, records: u64, at: Nanos) {
        let head = self.opening_head(InstrumentId(0), StrategyId(0), at);
        let begun = BegunBody {
            last_seq: self.orders.last_seq(),
            records,
            run: self.ids.run(),
            engine: self.ids.engine(),
            is_outside: u16::from(self.exchange.is_outside()),
        };
        let begun: [u8; size_of::<BegunBody>()] = zerocopy::transmute!(begun);
        self.log.bytes(RecordKind::Begun, &head, begun, self.baselines.as_bytes());
        self.log.state_told();
        self.state_due = self.log.next_seq().saturating_add(self.state_every);
    }

    /// Instrument and strategy of a book.
    fn id_of_book(&self, index: usize) -> Option<(InstrumentId, StrategyId)> {
        Some((self.traded(index)?.instrument.id, self.strategy_of(index)))
    }

    fn opening_head(&self, instrument: InstrumentId, strategy: StrategyId, at: Nanos) -> Head {
        Head { instrument, strategy, recv_ns: at, ..Head::new(Kind::Execution) }
    }

    /// The first input after a restart says what time it is.
    #[cold]
    pub(super) fn begin_reconciling(&mut self, now: Nanos) {
        let Some(reconciling) = self.reconciling.as_mut().filter(|one| !one.has_begun) else { return };
        reconciling.has_begun = true;
        self.now = now;
        for place in 0..self.orders.room() {
            if let Some(seq) = self.orders.at(place).map(|live| live.order.seq) {
                self.orders.owe(seq, now);
            }
        }
    }

    /// When a restart has something to do that no answer brings.
    #[inline]
    pub(super) fn reconcile_due(&self) -> Nanos {
        match &self.reconciling {
            None => Nanos::MAX,
            Some(_) if self.halted || self.orders.count() > 0 => Nanos::MAX,
            Some(reconciling) => reconciling.ask_again.unwrap_or(self.now).max(self.now),
        }
    }

    /// One step of a restart. Returns the work done.
    #[inline]
    pub(super) fn reconcile<S: Sink>(&mut self, out: &mut S) -> u32 {
        if self.reconciling.is_none() || self.halted { 0 } else { self.reconcile_step(out) }
    }

    #[cold]
    fn reconcile_step<S: Sink>(&mut self, out: &mut S) -> u32 {
        let mut work = 0;
        for place in 0..self.orders.room() {
            let Some(Live { order, book, record, .. }) = self.orders.at(place).copied() else { continue };
            if matches!(order.state, OrderState::Open | OrderState::PartiallyFilled) {
                let head = Head { cause: record, ..self.told_head(&order, self.now) };
                work += u32::from(self.cancel(&head, book, &order, true));
            }
        }
        if self.orders.count() > 0 {
            return work;
        }
        let account = match self.account.take() {
            None if !self.exchange.is_outside() => self.exchange.take_account(self.now),
            heard => heard,
        };
        if let Some(account) = account {
            self.compare(&account, out);
            return work + 1;
        }
        if let Some(reconciling) = &mut self.reconciling
            && reconciling.ask_again.is_none_or(|at| at <= self.now)
        {
            reconciling.ask_again = Some(self.now.plus(self.answer_timeout));
            let is_sent = self.exchange.ask_account(self.now);
            self.left(is_sent);
            work += 1;
        }
        work
    }

    /// Journal and venue side by side.
    fn compare<S: Sink>(&mut self, account: &Account, out: &mut S) {
        for open in &account.open {
            match self.ids.run_and_seq(&open.id) {
                Some((run, seq)) => self.cancel_stray(open, run, seq),
                None => {
                    let detail = format!("order {:?} is open and not of this engine", open.id);
                    return self.control.stop_with(StopReason::Unreconciled, detail);
                }
            }
        }
        if !account.open.is_empty() {
            return;
        }
        for (place, traded) in self.instruments.iter().enumerate() {
            let here = self.books_of(place).filter_map(|index| self.books.get(index));
            let here = Qty(here.fold(0, |sum: i64, book| sum.saturating_add(book.position.qty.0)));
            let there = account.positions.get(place).copied().unwrap_or(Qty(0));
            if here != there {
                let unit = traded.instrument.qty_unit;
                let detail = format!(
                    "{}: the journal says {}, the venue {}",
                    traded.instrument.full_name(),
                    here.display(unit),
                    there.display(unit)
                );
                return self.control.stop_with(StopReason::Unreconciled, detail);
            }
        }
        self.reconciling = None;
        self.open_for_trading(out);
    }

    /// An order of ours that no journal holds, as after a power loss: it is taken back, and the account asked for
    /// again. Its fills, if it had any, are a difference that nothing explains.
    fn cancel_stray(&mut self, open: &VenueOrder, run: u32, seq: u64) {
        self.orders.used(seq);
        let order = Order {
            filled: open.filled,
            state: OrderState::Open,
            ..Order::new(seq, open.instrument, StrategyId(0), open.side, open.level)
        };
        let head = self.told_head(&order, self.now);
        self.log.record(RecordKind::Cancel, &head, &OrderBody::new(&order));
        let id = self.id_of(run, seq);
        self.ask_for(Request::Cancel(&order), &id);
    }

    /// Strategies hear what they hold, and their targets are pursued.
    fn open_for_trading<S: Sink>(&mut self, out: &mut S) {
        for index in 0..self.books.len() {
            self.mark(index);
            let Some(book) = self.books.get(index).filter(|book| book.position != Position::default()) else {
                continue;
            };
            let position = book.position;
            let Some(instrument) = self.traded(index).map(|traded| traded.instrument.id) else { continue };
            let strategy = self.strategy_of(index);
            // No order: sequence 0, which says only what is held.
            let side = if position.qty.0 < 0 { Side::Sell } else { Side::Buy };
            let order = Order {
                state: OrderState::Canceled,
                ..Order::new(0, instrument, strategy, side, Level::default())
            };
            let head = Head { cause: Cause::NONE, ..self.told_head(&order, self.now) };
            self.tell(&head, index, &order, Level::default(), Told::NO_FILL, out);
        }
    }
}

/// An order as a restart would go on with it.
fn carried_body(order: &Order, run: u32) -> CarriedBody {
    CarriedBody { order: OrderBody::new(order), amend: order.amend, filled: order.filled, run, reserved: 0 }
}

/// Records of the lane between two tellings of the state: 4 MiB and more.
pub(super) const STATE_EVERY: u64 = 1 << 16;
