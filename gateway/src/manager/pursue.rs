//! From what is open towards what is wanted: plan, gate, journal, bytes. The only place that a request leaves by.

use super::OrderManager;
use super::answers::Told;
use super::orders::{Ending, Live};
use super::quotes::{Action, Slots, plan};
use crate::client_order_id::ClientOrderId;
use crate::counterparty::{Counterparty, Request};
use crate::latency::Moments;
use engine::journal::schema::{GateRefusal, OrderBody, RecordKind};
use engine::message::Head;
use engine::num::{Level, Side};
use engine::order::{Order, OrderEvent, OrderState};
use engine::risk::{Approved, Proposal, Refusal, RiskRule};
use engine::stage::Sink;
use engine::time::{Nanos, Stamp};

/// What became of an order or an amendment that the gate approved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Leaving {
    Left,
    /// The venue was not reached, or takes no more for now: it ended here.
    Unsent,
    /// It could not be journalled.
    NotJournalled,
}

/// Times that the books are gone through at most before the rest waits for the next input.
const ROUNDS_MAX: usize = 8;

impl<X: Counterparty> OrderManager<X> {
    /// Moves what is open towards the targets, as far as answers allow. `stamped` is the book whose target is the
    /// input at hand: its orders are what the frame led to.
    pub(super) fn pursue_dirty<S: Sink>(&mut self, stamped: Option<usize>, out: &mut S) {
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
    pub(super) fn pursue<S: Sink>(&mut self, index: usize, is_stamped: bool, out: &mut S) -> bool {
        if self.halted || self.reconciling.is_some() {
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
            // A position that is being closed is not quoted on.
            let is_off = book.closing.is_some() || book.yields[side as usize];
            let wanted = if is_off { Slots::default() } else { book.open_wishes(side, self.now) };
            let can_amend = |order: &Order, level| {
                let was_unknown = self.orders.get(order.seq).is_none_or(|live| live.was_unknown);
                !was_unknown && self.exchange.can_amend(order, level)
            };
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
        if let Some(book) = self.books.get(index) {
            if book.closing.is_some() {
                moved |= self.close(index, out);
            } else if book.yields != [false; 2] {
                self.mark_closing(index);
            }
        }
        moved
    }

    /// A stamp, where the input at hand is stamped.
    #[inline]
    pub(super) fn stamp(&self, head: &Head) -> Stamp {
        if head.received.0 == 0 { Stamp::default() } else { self.latency.now() }
    }

    /// Asks the gate for an order, or for another level of an open one, and lets it leave. True: it left.
    #[expect(clippy::too_many_arguments, reason = "one order, whole")]
    pub(super) fn propose<S: Sink>(
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
                Proposal::New(Order::new(seq, head.instrument, head.strategy, side, level))
            }
        };
        let Some(traded) = self.instruments.get(head.instrument.index()) else { return false };
        match self.gate.approve(proposal, &traded.instrument, &traded.market, &exposure, self.now) {
            Ok(approved) => self.leave(head, index, slot, open, &approved, entered, out) == Leaving::Left,
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
    pub(super) fn refused<S: Sink>(
        &mut self,
        head: &Head,
        index: usize,
        order: &Order,
        refusal: &Refusal,
        out: &mut S,
    ) {
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

    pub(super) fn count_refusal(&mut self, rule: RiskRule) {
        if let Some(count) = self.counts.refused.get_mut(rule as usize) {
            *count += 1;
        }
    }

    /// The only place that an order or an amendment leaves by.
    #[expect(clippy::too_many_arguments, reason = "one order, whole")]
    pub(super) fn leave<S: Sink>(
        &mut self,
        head: &Head,
        index: usize,
        slot: usize,
        open: Option<&Order>,
        approved: &Approved,
        entered: &mut Stamp,
        out: &mut S,
    ) -> Leaving {
        let approved_at = self.stamp(head);
        let order = *approved.order();
        let kind = if approved.is_amendment() { RecordKind::Amend } else { RecordKind::Order };
        let Some(record) = self.log.record(kind, head, &OrderBody::new(&order)) else {
            return Leaving::NotJournalled;
        };
        let id = self.ids.id(order.seq);
        let request = match open {
            Some(open) => Request::Amend(open, approved),
            None => Request::Place(approved),
        };
        let is_written = self.exchange.encode(request, &id, self.now);
        let encoded_at = self.stamp(head);
        let is_sent = is_written && self.log.before_send() && self.exchange.send(self.now);
        self.left(is_sent);
        match open {
            None => {
                self.orders.insert(Live {
                    order,
                    record,
                    deadline: Nanos::MAX,
                    book: index,
                    slot,
                    run: self.ids.run(),
                    queries: 0,
                    was_unknown: false,
                    is_in_doubt: false,
                    ending: Ending::No,
                });
                self.set_slot(index, order.side, slot, order.seq);
                self.counts.placed += u64::from(is_sent);
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
            self.on_unsent(order.seq, approved.is_amendment(), out);
            return Leaving::Unsent;
        }
        if head.received.0 != 0 {
            let moments = Moments { entered: *entered, approved: approved_at, encoded: encoded_at };
            let stamps = self.latency.order(head, &moments);
            self.log.record(RecordKind::OrderStamps, &Head { cause: record, ..*head }, &stamps);
            *entered = self.stamp(head);
        }
        Leaving::Left
    }

    /// What the venue knows an order by.
    #[inline]
    pub(super) fn id_of(&self, run: u32, seq: u64) -> ClientOrderId {
        if run == self.ids.run() { self.ids.id(seq) } else { self.ids.of_run(run).id(seq) }
    }

    /// Takes an order back. `must`: nothing is to take its place, so no limit keeps it from leaving. True: it was tried;
    /// the order says whether the cancel left.
    pub(super) fn cancel(&mut self, head: &Head, index: usize, order: &Order, must: bool) -> bool {
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
        let run = live.run;
        // A cancel goes out even when it cannot be journalled: it only ever takes risk away.
        self.log.record(RecordKind::Cancel, head, &OrderBody::new(order));
        let id = self.id_of(run, order.seq);
        // One that could not be sent is overdue later, like one that nobody answers.
        let is_sent = self.ask_for(Request::Cancel(order), &id);
        if let Some(live) = self.orders.get_mut(order.seq) {
            live.ending = if is_sent { Ending::Left } else { Ending::Unsent };
        }
        self.orders.owe(order.seq, self.now.plus(self.answer_timeout));
        true
    }

    /// Books with a refusal that time has lifted are pursued again.
    pub(super) fn lift_refusals(&mut self) -> u32 {
        if self.now < self.next_retry {
            return 0;
        }
        self.next_retry = Nanos::MAX;
        let mut lifted = 0;
        for index in 0..self.books.len() {
            let Some(book) = self.books.get_mut(index) else { continue };
            let is_lifted = book.retry_at <= self.now;
            if is_lifted {
                book.lift(self.now);
            }
            self.next_retry = self.next_retry.min(book.retry_at);
            if is_lifted {
                lifted += 1;
                self.mark(index);
            }
        }
        lifted
    }
}

/// Whether an order on `side` at a level would meet `other`, which is on the other side.
pub(super) fn crosses(side: Side, level: Level, other: &Order) -> bool {
    [other.level.price, other.sent_level().price].into_iter().any(|price| match side {
        Side::Buy => level.price >= price,
        Side::Sell => level.price <= price,
    })
}
