//! The order manager: compares what strategies want with what is open, and moves the one towards the other.
//!
//! A request leaves in one place only, `OrderManager::leave`: approved by the gate, then journalled, then written
//! in the venue's form, then sent. An order owes at most one answer at a time. An answer that does not come in time
//! makes the order unknown: it keeps its exposure, and new risk on its instrument waits until the counterparty, which
//! is asked, has said what became of it; nothing is invented. After a restart all orders of the run before are unknown,
//! and nothing leaves until journal and venue agree.

mod answers;
mod book;
mod by_hand;
mod exposure;
mod orders;
mod outside;
mod pursue;
mod quotes;
mod reconcile;
mod report;
#[cfg(test)]
mod tests;
mod touch;

pub use book::BESIDE_MAX;
pub use reconcile::ResumeError;
pub use report::{GatewayReport, OrderCounts, PositionReport};

use crate::client_order_id::ClientOrderIds;
use crate::counterparty::{Account, Counterparty};
use crate::latency::Latency;
use crate::paper::funding::FundingDue;
use book::Book;
use engine::fees::FeeRates;
use engine::ids::StrategyId;
use engine::instrument::{Instrument, InstrumentTable};
use engine::journal::schema::{FundingBody, RecordKind};
use engine::message::{BookChanged, Head, Kind, Message, QUOTES_MAX, Quotes, words_of};
use engine::num::{NumError, Price, Qty};
use engine::position::Position;
use engine::risk::{Gate, Market, RiskLimits};
use engine::runner::Control;
use engine::stage::{Nowhere, Sink};
use engine::stage_log::StageLog;
use engine::time::Nanos;
use orders::{Live, Orders};
use reconcile::Reconciling;
use std::sync::Arc;
use touch::TouchSeries;
use zerocopy::IntoBytes;

/// What a manager is made from.
pub struct ManagerSetup<'a> {
    /// The instruments of the run.
    pub instruments: &'a InstrumentTable,
    /// Strategies of the run; their ids are 1 to this. Beside them orders by hand have an owner of their own,
    /// [`StrategyId::MANUAL`].
    pub strategies: u16,
    /// The gate's limits.
    pub limits: RiskLimits,
    /// What trading costs.
    pub fees: FeeRates,
    /// After so long without an answer an order is unknown.
    pub answer_timeout: Nanos,
    /// What orders are called.
    pub ids: ClientOrderIds,
    /// The gateway's journal lane.
    pub log: StageLog,
    /// Latency by hop.
    pub latency: Latency,
    /// What the threads share.
    pub control: Arc<Control>,
}

/// Orders, positions and targets of all strategies of one risk domain.
pub struct OrderManager<X> {
    instruments: Vec<Traded>,
    /// By instrument, and within it by strategy.
    books: Vec<Book>,
    /// Owners of orders: the run's strategies, and behind them whoever trades by hand.
    strategies: usize,
    orders: Orders,
    gate: Gate,
    fees: FeeRates,
    exchange: X,
    ids: ClientOrderIds,
    answer_timeout: Nanos,
    log: StageLog,
    latency: Latency,
    control: Arc<Control>,
    counts: OrderCounts,
    /// Books whose orders or wishes changed: each once.
    dirty: Vec<usize>,
    /// No refusal is lifted by time before this.
    next_retry: Nanos,
    /// Time of the input or moment at hand.
    now: Nanos,
    halted: bool,
    /// After a restart, until venue and journal agree: nothing is placed.
    reconciling: Option<Reconciling>,
    /// What the venue said that it holds of ours, until it is compared.
    account: Option<Account>,
    /// What a venue held before any run of the engine, by instrument, as it said last; empty: nobody has asked.
    baselines: Vec<Qty>,
    /// Inputs taken: messages, and moments at which something fell due. An answer from outside lies between two.
    inputs: u64,
    /// Requests made, whether they left or not.
    requests: u64,
    /// Records of the lane between two tellings of the state, and the sequence at which the next one is due.
    state_every: u64,
    state_due: u64,
}

/// One instrument.
struct Traded {
    instrument: Instrument,
    market: Market,
    touches: TouchSeries,
    /// All strategies' position with everything open to buy bought, and with everything open to sell sold.
    worst: [Qty; 2],
    /// All strategies' position.
    net: Qty,
    /// The last ask that it was valued at; zero: none yet.
    price: Price,
    /// Orders of it of which nobody knows where they stand.
    unknown: u32,
}

impl<X: Counterparty> OrderManager<X> {
    /// A manager with nothing open. Err: limits or instruments beyond what the gate's arithmetic holds.
    pub fn new(setup: ManagerSetup<'_>, exchange: X) -> Result<Self, NumError> {
        let traded = |instrument: &Instrument| Traded {
            instrument: instrument.clone(),
            market: Market::default(),
            touches: TouchSeries::default(),
            worst: [Qty(0); 2],
            net: Qty(0),
            price: Price(0),
            unknown: 0,
        };
        let strategies = usize::from(setup.strategies) + 1;
        let books: Vec<Book> = (0..setup.instruments.len() * strategies).map(|_| Book::new()).collect();
        Ok(Self {
            gate: Gate::new(setup.limits, setup.instruments)?,
            instruments: setup.instruments.iter().map(traded).collect(),
            orders: Orders::new((2 * QUOTES_MAX + BESIDE_MAX) * books.len()),
            dirty: Vec::with_capacity(books.len()),
            books,
            strategies,
            fees: setup.fees,
            exchange,
            ids: setup.ids,
            answer_timeout: setup.answer_timeout,
            log: setup.log,
            latency: setup.latency,
            control: setup.control,
            counts: OrderCounts::default(),
            next_retry: Nanos::MAX,
            now: Nanos(0),
            halted: false,
            reconciling: None,
            account: None,
            baselines: Vec::new(),
            inputs: 0,
            requests: 0,
            state_every: reconcile::STATE_EVERY,
            state_due: u64::MAX,
        })
    }

    /// The journal lane has room for all that one input can cause.
    #[inline]
    pub fn has_room(&mut self) -> bool {
        self.log.has_room()
    }

    /// What the market says, for the exchange and, where it is the book after a message, for the gate.
    #[inline]
    pub fn on_market<S: Sink>(&mut self, message: Message<'_>, out: &mut S) {
        let head = message.head;
        // An answer from outside may have come later than the frame that is taken now.
        self.now = self.now.max(head.recv_ns);
        if let (Some(Kind::BookChanged), Some(book)) = (head.kind(), message.body_as::<BookChanged>())
            && let Some(traded) = self.instruments.get_mut(head.instrument.index())
        {
            let was = traded.market.ask.price;
            traded.market =
                Market { bid: book.bid, ask: book.ask, state: book.state, confirmed: head.recv_ns };
            let touch = traded.touches.see(book, head.recv_ns);
            if book.ask.price != was && traded.worst != [Qty(0); 2] {
                self.revalue(head.instrument.index());
            }
            if let Some(touch) = touch {
                self.log.record(RecordKind::Touch, head, &touch);
            }
        }
        self.exchange.on_market(message);
        if head.kind() == Some(Kind::MarkPrice)
            && let Some(due) = self.exchange.take_funding()
        {
            self.fund(head, due);
        }
        if self.exchange.next_due().is_some_and(|due| due <= self.now) {
            self.take_answers(out);
            self.pursue_dirty(None, out);
        }
    }

    /// Every strategy that holds something of the head's instrument pays or receives funding.
    #[cold]
    fn fund(&mut self, head: &Head, due: FundingDue) {
        for index in self.books_of(head.instrument.index()) {
            let strategy = self.strategy_of(index);
            let Some(traded) = self.instruments.get(head.instrument.index()) else { return };
            let Some(book) = self.books.get_mut(index).filter(|book| book.position.qty.0 != 0) else {
                continue;
            };
            let FundingDue { mark_e8, rate_e8 } = due;
            let Ok(received) = book.position.fund(&traded.instrument, mark_e8, rate_e8) else {
                let why = format_args!("funding of instrument {} cannot be booked", head.instrument);
                return self.position_is_unknown(why);
            };
            let (qty, cash) = (book.position.qty, words_of(book.position.cash));
            let received = words_of(received);
            let body =
                FundingBody { qty, mark_e8, rate_e8, received, cash, strategy: strategy.0, reserved: [0; 3] };
            self.log.record(RecordKind::Funding, &Head { strategy, ..*head }, &body);
        }
    }

    /// A strategy wants other quotes.
    pub fn on_target<S: Sink>(&mut self, message: Message<'_>, out: &mut S) {
        let head = message.head;
        let Some(quotes) = Quotes::read(message.body.as_bytes()) else { return };
        let Some(index) = self.book_of(head) else { return };
        self.now = self.now.max(head.recv_ns);
        if let Some(book) = self.books.get_mut(index) {
            book.want(&quotes, head);
        }
        self.mark(index);
        self.pursue_dirty(Some(index), out);
        // Behind the orders, which do not wait for it.
        self.tell_touch(head);
    }

    /// Journals the touch of the head's instrument, unless the journal has it.
    pub(super) fn tell_touch(&mut self, head: &Head) {
        let traded = self.instruments.get_mut(head.instrument.index());
        if let Some(touch) = traded.and_then(|traded| traded.touches.untold(head.recv_ns)) {
            self.log.record(RecordKind::Touch, head, &touch);
        }
    }

    /// Nothing follows: the journal keeps the last touch of every instrument.
    pub fn finish(&mut self) {
        for index in 0..self.instruments.len() {
            let Some(id) = self.instruments.get(index).map(|traded| traded.instrument.id) else { continue };
            self.tell_touch(&Head { instrument: id, recv_ns: self.now, ..Head::new(Kind::End) });
        }
    }

    /// An input of time `now` comes next: takes what is due at the first moment before it. Returns what was taken;
    /// 0 when nothing is due.
    #[inline]
    pub fn advance<S: Sink>(&mut self, now: Nanos, out: &mut S) -> u32 {
        if self.reconciling.is_some() {
            self.begin_reconciling(now);
        }
        let due = self.exchange.next_due().unwrap_or(Nanos::MAX);
        let due = due.min(self.orders.next_deadline()).min(self.next_retry).min(self.reconcile_due());
        if due > now {
            self.exchange.advance(now);
            return 0;
        }
        self.moment(due, now, out)
    }

    fn moment<S: Sink>(&mut self, due: Nanos, now: Nanos, out: &mut S) -> u32 {
        self.now = self.now.max(due);
        if due < now {
            self.exchange.settle(due);
        } else {
            self.exchange.advance(due);
        }
        let taken = self.take_answers(out) + self.time_out(out) + self.lift_refusals() + self.reconcile(out);
        self.pursue_dirty(None, out);
        // A request that reached the exchange has no answer yet: the moment has passed all the same.
        let passed = taken.max(u32::from(due < now));
        self.inputs += u64::from(passed > 0);
        passed
    }

    /// The instrument's and strategy's book. None: no such one.
    fn book_of(&self, head: &Head) -> Option<usize> {
        let manual = self.strategies - 1;
        let strategy = match head.strategy {
            StrategyId::MANUAL => manual,
            strategy => strategy.index().checked_sub(1).filter(|index| *index < manual)?,
        };
        let index = head.instrument.index();
        (index < self.instruments.len()).then_some(index * self.strategies + strategy)
    }

    /// Whose book it is.
    fn strategy_of(&self, book: usize) -> StrategyId {
        match book.checked_rem(self.strategies).unwrap_or_default() + 1 {
            last if last == self.strategies => StrategyId::MANUAL,
            number => StrategyId(u16::try_from(number).unwrap_or(u16::MAX)),
        }
    }

    /// The book's instrument and its place.
    fn traded(&self, book: usize) -> Option<&Traded> {
        self.instruments.get(book.checked_div(self.strategies)?)
    }

    /// A book is to be pursued.
    #[inline]
    fn mark(&mut self, index: usize) {
        if let Some(book) = self.books.get_mut(index)
            && !book.is_dirty
        {
            book.is_dirty = true;
            self.dirty.push(index);
        }
    }

    /// Ends everything that is open, and lets time pass until it is answered. True: nothing is open any more.
    pub fn cancel_all(&mut self, head: &Head) -> bool {
        self.halted = true;
        self.now = self.now.max(head.recv_ns);
        for place in 0..self.orders.room() {
            let Some(Live { order, book, .. }) = self.orders.at(place).copied() else { continue };
            let head = Head { recv_ns: self.now, ..self.told_head(&order, self.now) };
            let head = Head { cause: self.orders.at(place).map_or(head.cause, |live| live.record), ..head };
            self.cancel(&head, book, &order, true);
        }
        if self.exchange.is_outside() {
            return self.end_outside();
        }
        self.exchange.settle(self.now);
        self.take_answers(&mut Nowhere);
        // Every order ends with a few answers at most.
        for _ in 0..HALT_ROUNDS_PER_ORDER * self.orders.room() {
            let Some(due) = self.exchange.next_due().filter(|_| self.orders.count() > 0) else { break };
            self.now = self.now.max(due);
            self.exchange.settle(self.now);
            self.take_answers(&mut Nowhere);
        }
        self.orders.count() == 0
    }

    /// The latency of frames.
    #[inline]
    pub fn latency_mut(&mut self) -> &mut Latency {
        &mut self.latency
    }

    /// The journal lane.
    #[inline]
    pub fn log_mut(&mut self) -> &mut StageLog {
        &mut self.log
    }

    /// Counts, latency, and positions with their profit at the last mid, by instrument and strategy.
    #[must_use]
    pub fn report(&self) -> GatewayReport {
        let position = |(index, book): (usize, &Book)| {
            let (traded, strategy) = (self.traded(index)?, self.strategy_of(index));
            let open_orders =
                book.slots.iter().flatten().chain(&book.beside).filter(|seq| **seq != 0).count();
            // Where nobody traded by hand there is nothing to say of it.
            if strategy == StrategyId::MANUAL && open_orders == 0 && book.position == Position::default() {
                return None;
            }
            Some(PositionReport {
                instrument: traded.instrument.id,
                strategy,
                position: book.position,
                pnl: traded.pnl(book),
                open_orders,
            })
        };
        GatewayReport {
            orders: self.counts,
            last_refusals: self.gate.last_refusals().collect(),
            positions: self.books.iter().enumerate().filter_map(position).collect(),
            latency: self.latency.hops(),
        }
    }
}

/// Answers and arrivals that an order can still have when everything is canceled.
const HALT_ROUNDS_PER_ORDER: usize = 8;

impl Traded {
    /// Profit of a strategy's position at the mid of the last known touch; the cash alone while flat. None: no
    /// touch, or overflow.
    fn pnl(&self, book: &Book) -> Option<i128> {
        if book.position.qty.0 == 0 {
            return Some(book.position.cash);
        }
        let (bid, ask) = (self.market.bid, self.market.ask);
        if bid.qty.0 <= 0 || ask.qty.0 <= 0 {
            return None;
        }
        book.position.pnl_at_mid_floor(&self.instrument, bid.price, ask.price).ok()
    }
}
