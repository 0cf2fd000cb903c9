//! The order manager: compares what strategies want with what is open, and moves the one towards the other.
//!
//! A request leaves in one place only, `OrderManager::leave`: approved by the gate, then journalled, then written
//! in the venue's form, then sent. An order owes at most one answer at a time. An answer that does not come in time
//! makes the order unknown: it keeps its exposure, and new risk on its instrument waits until the counterparty has
//! said what became of it; nothing is invented.

mod book;
mod orders;
mod quotes;
mod report;
#[cfg(test)]
mod tests;

pub use report::{GatewayReport, OrderCounts, PositionReport};

use crate::client_order_id::ClientOrderIds;
use crate::counterparty::{Answer, AnswerEvent, Counterparty, Request};
use crate::latency::{Latency, Moments};
use book::Book;
use engine::fees::FeeRates;
use engine::ids::{AccountId, Cause, StrategyId};
use engine::instrument::{Instrument, InstrumentTable};
use engine::journal::schema::{GateRefusal, OrderBody, RecordKind};
use engine::message::{Body, BookChanged, Execution, Head, Kind, Message, Quotes, words_of};
use engine::num::{Level, NumError, Price, Qty, Side};
use engine::order::{Order, OrderEvent, OrderState, Tif};
use engine::risk::{Approved, Exposure, Gate, Market, Proposal, Refusal, RiskLimits, RiskRule};
use engine::runner::{Control, StopReason};
use engine::stage::{Nowhere, Sink};
use engine::stage_log::StageLog;
use engine::time::{Nanos, Stamp};
use orders::{Live, Orders};
use quotes::{Action, Slots, plan};
use std::sync::Arc;
use zerocopy::IntoBytes;

/// What a manager is made from.
pub struct ManagerSetup<'a> {
    /// The instruments of the run.
    pub instruments: &'a InstrumentTable,
    /// Strategies of the run; their ids are 1 to this.
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
}

/// One instrument.
struct Traded {
    instrument: Instrument,
    market: Market,
    /// All strategies' position with everything open to buy bought, and with everything open to sell sold.
    worst: [Qty; 2],
    /// Orders of it that are unknown.
    unknown: u32,
}

/// Times that the books are gone through at most before the rest waits for the next input.
const ROUNDS_MAX: usize = 8;

impl<X: Counterparty> OrderManager<X> {
    /// A manager with nothing open. Err: limits or instruments beyond what the gate's arithmetic holds.
    pub fn new(setup: ManagerSetup<'_>, exchange: X) -> Result<Self, NumError> {
        let traded = |instrument: &Instrument| Traded {
            instrument: instrument.clone(),
            market: Market::default(),
            worst: [Qty(0); 2],
            unknown: 0,
        };
        let strategies = usize::from(setup.strategies);
        let books: Vec<Book> = (0..setup.instruments.len() * strategies).map(|_| Book::new()).collect();
        Ok(Self {
            gate: Gate::new(setup.limits, setup.instruments)?,
            instruments: setup.instruments.iter().map(traded).collect(),
            orders: Orders::new(2 * size_of::<Slots<u8>>() * books.len()),
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
        })
    }

    /// The journal lane has room for all that one input can cause.
    #[inline]
    pub fn has_room(&self) -> bool {
        self.log.has_room()
    }

    /// What the market says, for the exchange and, where it is the book after a message, for the gate.
    #[inline]
    pub fn on_market<S: Sink>(&mut self, message: Message<'_>, out: &mut S) {
        let head = message.head;
        self.now = head.recv_ns;
        if let (Some(Kind::BookChanged), Some(book)) = (head.kind(), message.body_as::<BookChanged>())
            && let Some(traded) = self.instruments.get_mut(head.instrument.index())
        {
            let was = traded.market.ask.price;
            traded.market =
                Market { bid: book.bid, ask: book.ask, state: book.state, confirmed: head.recv_ns };
            if book.ask.price != was && traded.worst != [Qty(0); 2] {
                self.revalue(head.instrument.index());
            }
        }
        self.exchange.on_market(message);
        if self.exchange.next_due().is_some_and(|due| due <= self.now) {
            self.take_answers(out);
            self.pursue_dirty(None, out);
        }
    }

    /// A strategy wants other quotes.
    pub fn on_target<S: Sink>(&mut self, message: Message<'_>, out: &mut S) {
        let head = message.head;
        let Some(quotes) = Quotes::read(message.body.as_bytes()) else { return };
        let Some(index) = self.book_of(head) else { return };
        self.now = head.recv_ns;
        if let Some(book) = self.books.get_mut(index) {
            book.want(&quotes, head);
        }
        self.mark(index);
        self.pursue_dirty(Some(index), out);
    }

    /// An input of time `now` comes next: takes what is due at the first moment before it. Returns what was taken;
    /// 0 when nothing is due.
    #[inline]
    pub fn advance<S: Sink>(&mut self, now: Nanos, out: &mut S) -> u32 {
        let due = self.exchange.next_due().unwrap_or(Nanos::MAX);
        let due = due.min(self.orders.next_deadline()).min(self.next_retry);
        if due > now {
            self.exchange.advance(now);
            return 0;
        }
        self.moment(due, now, out)
    }

    fn moment<S: Sink>(&mut self, due: Nanos, now: Nanos, out: &mut S) -> u32 {
        self.now = due;
        if due < now {
            self.exchange.settle(due);
        } else {
            self.exchange.advance(due);
        }
        let taken = self.take_answers(out) + self.time_out(out) + self.lift_refusals();
        self.pursue_dirty(None, out);
        // A request that reached the exchange has no answer yet: the moment has passed all the same.
        taken.max(u32::from(due < now))
    }

    /// The instrument's and strategy's book. None: no such one.
    fn book_of(&self, head: &Head) -> Option<usize> {
        let strategy = head.strategy.index().checked_sub(1).filter(|index| *index < self.strategies)?;
        let index = head.instrument.index();
        (index < self.instruments.len()).then_some(index * self.strategies + strategy)
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

    /// Moves what is open towards the targets, as far as answers allow. `stamped` is the book whose target is the
    /// input at hand: its orders are what the frame led to.
    fn pursue_dirty<S: Sink>(&mut self, stamped: Option<usize>, out: &mut S) {
        for _ in 0..ROUNDS_MAX * self.books.len() {
            let Some(index) = self.dirty.pop() else { return };
            if let Some(book) = self.books.get_mut(index) {
                book.is_dirty = false;
            }
            if self.pursue(index, stamped == Some(index), out) {
                self.exchange.settle(self.now);
                self.take_answers(out);
            }
        }
    }

    /// One step of one book: cancels first. True when something was sent.
    fn pursue<S: Sink>(&mut self, index: usize, is_stamped: bool, out: &mut S) -> bool {
        if self.halted {
            return false;
        }
        let Some(book) = self.books.get(index) else { return false };
        let mut head = Head { recv_ns: self.now, ..book.head };
        if !is_stamped {
            head.received = Stamp::default();
        }
        let (tolerance, places) = (book.tolerance(), book.places());
        let mut open: [Slots<Option<Order>>; 2] = Default::default();
        let mut planned: [Slots<Action>; 2] = Default::default();
        for side in Side::BOTH {
            let (open, planned) = (&mut open[side as usize][..places], &mut planned[side as usize][..places]);
            for (order, seq) in open.iter_mut().zip(&book.slots[side as usize]) {
                *order = self.orders.get(*seq).map(|live| live.order);
            }
            let wanted = book.open_wishes(side, self.now);
            let can_amend = |order: &Order, level| self.exchange.can_amend(order, level);
            plan(&wanted[..places], tolerance, open, can_amend, planned);
        }
        let open = [&open[0][..places], &open[1][..places]];
        let planned = [&planned[0][..places], &planned[1][..places]];
        let mut entered = if is_stamped { self.stamp(&head) } else { Stamp::default() };
        let mut moved = false;
        for (actions, orders) in planned.iter().zip(open) {
            for (action, order) in actions.iter().zip(orders) {
                if let (Action::Cancel { must }, Some(order)) = (action, order) {
                    moved |= self.cancel(&head, index, order, *must);
                }
            }
        }
        for side in Side::BOTH {
            let opposite = side.opposite() as usize;
            for (slot, (action, order)) in planned[side as usize].iter().zip(open[side as usize]).enumerate()
            {
                let (Action::Place(level) | Action::Amend(level)) = *action else { continue };
                // An own order that is on its way out of this one's: its answer is awaited, not refused for.
                let in_the_way = |(order, action): (&Option<Order>, &Action)| {
                    order.is_some_and(|order| {
                        (order.state.is_pending() || *action != Action::Keep) && crosses(side, level, &order)
                    })
                };
                if open[opposite].iter().zip(planned[opposite]).any(in_the_way) {
                    continue;
                }
                moved |= self.propose(&head, index, slot, side, level, order.as_ref(), &mut entered, out);
            }
        }
        moved
    }

    /// A stamp, where the input at hand is stamped.
    #[inline]
    fn stamp(&self, head: &Head) -> Stamp {
        if head.received.0 == 0 { Stamp::default() } else { self.latency.now() }
    }

    /// Asks the gate for an order, or for another level of an open one, and lets it leave. True: it left.
    #[expect(clippy::too_many_arguments, reason = "one order, whole")]
    fn propose<S: Sink>(
        &mut self,
        head: &Head,
        index: usize,
        slot: usize,
        side: Side,
        level: Level,
        open: Option<&Order>,
        entered: &mut Stamp,
        out: &mut S,
    ) -> bool {
        let exposure = self.exposure(index, side);
        let proposal = match open {
            Some(open) => Proposal::Amend(*open, level),
            None => {
                let Some(seq) = self.orders.next_seq() else { return false };
                Proposal::New(Order {
                    seq,
                    instrument: head.instrument,
                    strategy: head.strategy,
                    account: AccountId(0),
                    side,
                    level,
                    amend: Level::default(),
                    tif: Tif::PostOnly,
                    filled: Qty(0),
                    state: OrderState::PendingCreate,
                })
            }
        };
        let Some(traded) = self.instruments.get(head.instrument.index()) else { return false };
        match self.gate.approve(proposal, &traded.instrument, &traded.market, &exposure, self.now) {
            Ok(approved) => self.leave(head, index, slot, open, &approved, entered, out),
            Err(refusal) => {
                let order = match proposal {
                    Proposal::New(order) => Order { state: OrderState::Rejected, ..order },
                    Proposal::Amend(open, _) => open,
                };
                self.refused(head, index, &Order { level, ..order }, &refusal, out);
                false
            }
        }
    }

    /// The gate refused a quote: it is not tried again until the target is another, or time has lifted the refusal.
    fn refused<S: Sink>(&mut self, head: &Head, index: usize, order: &Order, refusal: &Refusal, out: &mut S) {
        self.count_refusal(refusal.rule);
        if let Some(book) = self.books.get_mut(index) {
            book.refuse(order.side, order.level, refusal.until, Some(refusal.rule));
            self.next_retry = self.next_retry.min(refusal.until);
        }
        let cause = self.log.record(RecordKind::GateRefused, head, &GateRefusal::new(order, refusal));
        let head = Head { cause: cause.unwrap_or(head.cause), ..*head };
        self.tell(&head, index, order, Level::default(), Told::Refused(refusal.rule), out);
        // What the quote was to replace is not wanted any more.
        self.mark(index);
    }

    fn count_refusal(&mut self, rule: RiskRule) {
        if let Some(count) = self.counts.refused.get_mut(rule as usize) {
            *count += 1;
        }
    }

    /// The only place that an order or an amendment leaves by. False: it could not be journalled, and did not leave.
    #[expect(clippy::too_many_arguments, reason = "one order, whole")]
    fn leave<S: Sink>(
        &mut self,
        head: &Head,
        index: usize,
        slot: usize,
        open: Option<&Order>,
        approved: &Approved,
        entered: &mut Stamp,
        out: &mut S,
    ) -> bool {
        let approved_at = self.stamp(head);
        let order = *approved.order();
        let kind = if approved.is_amendment() { RecordKind::Amend } else { RecordKind::Order };
        let Some(record) = self.log.record(kind, head, &body_of(&order)) else { return false };
        let id = self.ids.id(order.seq);
        let request = match open {
            Some(open) => Request::Amend(open, approved),
            None => Request::Place(approved),
        };
        let is_written = self.exchange.encode(request, &id, self.now);
        let encoded_at = self.stamp(head);
        let is_sent = is_written && self.exchange.send(self.now);
        match open {
            None => {
                let live = Live { order, record, deadline: Nanos::MAX, book: index, slot };
                self.orders.insert(live);
                if let Some(seq) = self.slot_mut(index, order.side, slot) {
                    *seq = order.seq;
                }
                self.counts.placed += 1;
            }
            Some(open) => {
                if let Some(live) = self.orders.get_mut(open.seq) {
                    // The gate was asked about an order that can be amended.
                    let _ = live.order.apply(OrderEvent::AmendSent(order.level));
                }
            }
        }
        self.orders.owe(order.seq, self.now.plus(self.answer_timeout));
        self.hold(order.instrument.index());
        if !is_sent {
            self.counts.unsent += 1;
            let event =
                if approved.is_amendment() { AnswerEvent::AmendRefused } else { AnswerEvent::Rejected };
            self.on_event(order.seq, event, self.now, out);
            return true;
        }
        if head.received.0 != 0 {
            let moments = Moments { entered: *entered, approved: approved_at, encoded: encoded_at };
            let stamps = self.latency.order(head, &moments);
            self.log.record(RecordKind::OrderStamps, &Head { cause: record, ..*head }, &stamps);
            *entered = self.stamp(head);
        }
        true
    }

    /// Takes an order back. `must`: nothing is to take its place, so no limit keeps it from leaving.
    fn cancel(&mut self, head: &Head, index: usize, order: &Order, must: bool) -> bool {
        let Some(book) = self.books.get_mut(index) else { return false };
        if !must && self.now < book.cancel_after {
            return false;
        }
        if let Err(refusal) = self.gate.cancel(order, must, self.now) {
            book.cancel_after = refusal.until;
            book.retry_at = book.retry_at.min(refusal.until);
            self.next_retry = self.next_retry.min(refusal.until);
            self.count_refusal(refusal.rule);
            self.log.record(RecordKind::GateRefused, head, &GateRefusal::new(order, &refusal));
            return false;
        }
        let Some(live) = self.orders.get_mut(order.seq) else { return false };
        if live.order.apply(OrderEvent::CancelSent).is_err() {
            return false;
        }
        // A cancel goes out even when it cannot be journalled: it only ever takes risk away.
        self.log.record(RecordKind::Cancel, head, &body_of(order));
        let id = self.ids.id(order.seq);
        // One that could not be sent is overdue later, like one that nobody answers.
        let is_sent =
            self.exchange.encode(Request::Cancel(order), &id, self.now) && self.exchange.send(self.now);
        self.counts.unsent += u64::from(!is_sent);
        self.orders.owe(order.seq, self.now.plus(self.answer_timeout));
        true
    }

    /// Takes the exchange's answers up to now. Returns their number.
    fn take_answers<S: Sink>(&mut self, out: &mut S) -> u32 {
        let mut taken = 0;
        while let Some((at, Answer { id, event })) = self.exchange.next_answer(self.now) {
            taken += 1;
            let is_fill = matches!(event, AnswerEvent::Filled { .. });
            match self.ids.seq_of(&id) {
                Some(seq) if self.orders.get(seq).is_some() => self.on_event(seq, event, at, out),
                // Its end was told before: nothing new, unless it traded after that.
                Some(seq) if self.orders.has_been(seq) && !is_fill => self.counts.late_answers += 1,
                _ => {
                    self.counts.bad_answers += 1;
                    if is_fill {
                        self.position_is_unknown();
                    }
                }
            }
        }
        if self.exchange.has_lost_answers() {
            self.position_is_unknown();
        }
        taken
    }

    /// The position is not known any more: nothing may be traded on it.
    #[cold]
    fn position_is_unknown(&self) {
        self.control.stop(StopReason::PositionUnknown);
    }

    /// Something happened to an order that is live.
    fn on_event<S: Sink>(&mut self, seq: u64, event: AnswerEvent, at: Nanos, out: &mut S) {
        let Some(live) = self.orders.get_mut(seq) else { return };
        let (before, mut fill, mut is_maker) = (live.order, Level::default(), false);
        let applied = live.order.apply(match event {
            AnswerEvent::Accepted => OrderEvent::Accepted,
            AnswerEvent::Rejected => OrderEvent::Rejected,
            AnswerEvent::Canceled => OrderEvent::Canceled,
            AnswerEvent::CancelRefused => OrderEvent::CancelRefused,
            AnswerEvent::Amended(level) => OrderEvent::Amended(level),
            AnswerEvent::AmendRefused => OrderEvent::AmendRefused,
            AnswerEvent::Expired => OrderEvent::Expired,
            AnswerEvent::Filled { fill: filled, maker } => {
                (fill, is_maker) = (filled, maker);
                OrderEvent::Filled(filled.qty)
            }
        });
        if applied.is_err() {
            self.counts.bad_answers += 1;
            if fill.qty.0 != 0 {
                self.position_is_unknown();
            }
            return;
        }
        if !live.order.state.is_pending() {
            live.deadline = Nanos::MAX;
        }
        let Live { order, record, book: index, slot, .. } = *live;
        if fill.qty.0 > 0 && self.book_fill(index, &order, fill, is_maker).is_err() {
            self.position_is_unknown();
        }
        match event {
            AnswerEvent::Amended(_) => self.counts.amended += 1,
            AnswerEvent::CancelRefused => self.counts.cancels_refused += 1,
            AnswerEvent::AmendRefused => {
                self.counts.amends_refused += 1;
                if let Some(book) = self.books.get_mut(index) {
                    book.refuse(order.side, before.amend, Nanos::MAX, None);
                }
            }
            _ => {}
        }
        match order.state {
            OrderState::Filled => {
                self.counts.filled += 1;
                if let Some(book) = self.books.get_mut(index) {
                    book.filled(&order);
                }
            }
            OrderState::Canceled => self.counts.canceled += 1,
            OrderState::Expired => self.counts.expired += 1,
            OrderState::Rejected => {
                self.counts.rejected += 1;
                if let Some(book) = self.books.get_mut(index) {
                    book.refuse(order.side, order.level, Nanos::MAX, None);
                }
            }
            _ => {}
        }
        if order.state.is_final() {
            self.orders.remove(seq);
            if let Some(seq) = self.slot_mut(index, order.side, slot) {
                *seq = 0;
            }
        }
        self.mark(index);
        if before.state == OrderState::Unknown && order.state != OrderState::Unknown {
            self.resolved(&order);
        }
        self.hold(order.instrument.index());
        let head = Head { cause: record, ..self.told_head(&order, at) };
        self.tell(&head, index, &order, fill, Told::Answer { is_maker }, out);
    }

    fn book_fill(
        &mut self,
        index: usize,
        order: &Order,
        fill: Level,
        is_maker: bool,
    ) -> Result<(), NumError> {
        let traded = self.instruments.get(order.instrument.index()).ok_or(NumError::OutOfRange)?;
        let book = self.books.get_mut(index).ok_or(NumError::OutOfRange)?;
        let instrument = &traded.instrument;
        let fee = self.fees.fee_ceil(instrument, fill.price, fill.qty, is_maker)?;
        book.position.fill(instrument, order.side, fill.price, fill.qty, fee)
    }

    /// An order is known again: what it kept from being tried may be tried.
    #[cold]
    fn resolved(&mut self, order: &Order) {
        let Some(traded) = self.instruments.get_mut(order.instrument.index()) else { return };
        traded.unknown = traded.unknown.saturating_sub(1);
        if traded.unknown == 0 {
            for index in self.books_of(order.instrument.index()) {
                if let Some(book) = self.books.get_mut(index) {
                    book.forgive_unknown();
                }
                self.mark(index);
            }
        }
    }

    /// Orders whose answer is overdue become unknown.
    fn time_out<S: Sink>(&mut self, out: &mut S) -> u32 {
        let mut taken = 0;
        while self.orders.next_deadline() <= self.now
            && let Some(seq) = self.orders.overdue(self.now)
        {
            let Some(live) = self.orders.get_mut(seq) else { break };
            live.deadline = Nanos::MAX;
            if live.order.apply(OrderEvent::TimedOut).is_err() {
                continue;
            }
            let Live { order, record, book: index, .. } = *live;
            if let Some(traded) = self.instruments.get_mut(order.instrument.index()) {
                traded.unknown += 1;
            }
            self.counts.timed_out += 1;
            taken += 1;
            let head = Head { cause: record, ..self.told_head(&order, self.now) };
            self.tell(&head, index, &order, Level::default(), Told::Answer { is_maker: false }, out);
        }
        taken
    }

    /// Books with a refusal that time has lifted are pursued again.
    fn lift_refusals(&mut self) -> u32 {
        if self.now < self.next_retry {
            return 0;
        }
        self.next_retry = Nanos::MAX;
        let mut lifted = 0;
        for index in 0..self.books.len() {
            let Some(book) = self.books.get_mut(index) else { continue };
            if book.retry_at <= self.now {
                book.retry_at = Nanos::MAX;
                lifted += 1;
                self.mark(index);
            } else {
                self.next_retry = self.next_retry.min(book.retry_at);
            }
        }
        lifted
    }

    fn slot_mut(&mut self, index: usize, side: Side, slot: usize) -> Option<&mut u64> {
        self.books.get_mut(index)?.slots[side as usize].get_mut(slot)
    }

    /// The books of all strategies in an instrument.
    fn books_of(&self, instrument: usize) -> std::ops::Range<usize> {
        instrument * self.strategies..(instrument + 1) * self.strategies
    }

    /// Live orders of one book and side.
    fn live(&self, index: usize, side: Side) -> impl Iterator<Item = &Order> {
        let slots = self.books.get(index).map_or(&[][..], |book| &book.slots[side as usize][..]);
        slots.iter().filter(|seq| **seq != 0).filter_map(|seq| self.orders.get(*seq)).map(|live| &live.order)
    }

    /// What the gate has to know of a book and of those beside it, for an order on `side`.
    fn exposure(&self, index: usize, side: Side) -> Exposure {
        let (Some(book), Some(traded)) = (self.books.get(index), self.traded(index)) else {
            return Exposure::default();
        };
        let (mut open, mut open_orders, mut opposite) = ([0_i64; 2], 0, None);
        // Until an amendment is answered an order may be at either of its prices.
        let mut meets = |order: &Order| {
            for price in [order.level.price, order.sent_level().price] {
                opposite = Some(opposite.map_or(price, |nearest: Price| match side {
                    Side::Buy => nearest.min(price),
                    Side::Sell => nearest.max(price),
                }));
            }
        };
        for own in Side::BOTH {
            for order in self.live(index, own) {
                open[own as usize] = open[own as usize].saturating_add(order.remaining().0);
                open_orders += 1;
                if own != side {
                    meets(order);
                }
            }
        }
        for other in self.books_of(traded.instrument.id.index()).filter(|other| *other != index) {
            self.live(other, side.opposite()).for_each(&mut meets);
        }
        Exposure {
            position: book.position.qty,
            open_buys: Qty(open[0]),
            open_sells: Qty(open[1]),
            open_orders,
            opposite,
            unknown_orders: traded.unknown,
        }
    }

    /// Sums up what an instrument comes to, remembers it, and tells the gate.
    fn hold(&mut self, instrument: usize) {
        let (mut position, mut open) = (0_i64, [0_i64; 2]);
        for index in self.books_of(instrument) {
            position = position.saturating_add(self.books.get(index).map_or(0, |book| book.position.qty.0));
            for side in Side::BOTH {
                let remaining = self.live(index, side).map(|order| order.remaining().0);
                open[side as usize] = remaining.fold(open[side as usize], i64::saturating_add);
            }
        }
        if let Some(traded) = self.instruments.get_mut(instrument) {
            traded.worst = [Qty(position.saturating_add(open[0])), Qty(position.saturating_sub(open[1]))];
        }
        self.revalue(instrument);
    }

    /// Tells the gate what an instrument comes to at the price of now.
    #[inline]
    fn revalue(&mut self, instrument: usize) {
        let Some(traded) = self.instruments.get(instrument) else { return };
        let [long, short] = traded.worst;
        // Without an ask the last price that it was worth stays.
        let price = traded.market.ask.price;
        if price.0 > 0 && self.gate.hold(traded.instrument.id, long, short, price).is_err() {
            self.position_is_unknown();
        }
    }

    /// The head of what is told about an order that an answer came for.
    fn told_head(&self, order: &Order, at: Nanos) -> Head {
        let venue = self.instruments.get(order.instrument.index()).map(|traded| traded.instrument.venue_id);
        Head {
            instrument: order.instrument,
            strategy: order.strategy,
            account: order.account,
            venue: venue.unwrap_or_default(),
            recv_ns: at,
            ..Head::new(Kind::Execution)
        }
    }

    /// Journals what became of an order and tells the strategy. `head.cause` is the order's record; of a refusal,
    /// its own.
    fn tell<S: Sink>(
        &mut self,
        head: &Head,
        index: usize,
        order: &Order,
        fill: Level,
        told: Told,
        out: &mut S,
    ) {
        let (Some(book), Some(traded)) = (self.books.get(index), self.traded(index)) else { return };
        let (rule, maker) = match told {
            Told::Refused(rule) => (rule as u16, false),
            Told::Answer { is_maker } => (0, is_maker),
        };
        let execution = Execution {
            order_seq: order.seq,
            order: order.level,
            filled: order.filled,
            fill,
            side: order.side as u8,
            state: order.state as u8,
            rule: u8::try_from(rule).unwrap_or(u8::MAX),
            maker: u8::from(maker),
            strategy: order.strategy,
            position: book.position.qty,
            cash: words_of(book.position.cash),
            pnl: words_of(traded.pnl(book).unwrap_or(0)),
            fees: words_of(book.position.fees),
            ..Execution::default()
        };
        let mut head = Head { body_cells: 0, ..head.derive(Kind::Execution) };
        if rule == 0 {
            let kind = if fill.qty.0 > 0 { RecordKind::Fill } else { RecordKind::OrderUpdate };
            head.cause = self.log.record(kind, &head, &execution).unwrap_or(Cause::NONE);
        }
        if !out.send(Message { head: &head, body: execution.cells() }) {
            self.control.stop(StopReason::RingFull);
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
            let traded = self.traded(index)?;
            Some(PositionReport {
                instrument: traded.instrument.id,
                strategy: StrategyId(u16::try_from(index % self.strategies + 1).unwrap_or(u16::MAX)),
                position: book.position,
                pnl: traded.pnl(book),
                open_orders: book.slots.iter().flatten().filter(|seq| **seq != 0).count(),
            })
        };
        GatewayReport {
            orders: self.counts,
            positions: self.books.iter().enumerate().filter_map(position).collect(),
            latency: self.latency.hops(),
        }
    }
}

/// Answers and arrivals that an order can still have when everything is canceled.
const HALT_ROUNDS_PER_ORDER: usize = 8;

/// What a strategy is told about an order.
#[derive(Clone, Copy, Debug)]
enum Told {
    Refused(RiskRule),
    Answer { is_maker: bool },
}

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

/// Whether an order on `side` at a level would meet `other`, which is on the other side.
fn crosses(side: Side, level: Level, other: &Order) -> bool {
    [other.level.price, other.sent_level().price].into_iter().any(|price| match side {
        Side::Buy => level.price >= price,
        Side::Sell => level.price <= price,
    })
}

fn body_of(order: &Order) -> OrderBody {
    OrderBody {
        order_seq: order.seq,
        price: order.level.price,
        qty: order.level.qty,
        side: order.side as u8,
        time_in_force: order.tif as u8,
        strategy: order.strategy.0,
        account: order.account.0,
        reserved: 0,
    }
}
