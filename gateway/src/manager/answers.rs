//! What answers do to orders, positions and strategies.

use super::OrderManager;
use super::orders::Live;
use crate::counterparty::{Answer, AnswerEvent, Counterparty};
use engine::ids::Cause;
use engine::journal::schema::RecordKind;
use engine::message::{Body, Execution, Head, Kind, Message, words_of};
use engine::num::{Level, NumError};
use engine::order::{Order, OrderEvent, OrderState};
use engine::risk::RiskRule;
use engine::runner::StopReason;
use engine::stage::Sink;
use engine::time::Nanos;

/// What a strategy is told about an order.
#[derive(Clone, Copy, Debug)]
pub(super) enum Told {
    Refused(RiskRule),
    Answer { is_maker: bool },
}

impl<X: Counterparty> OrderManager<X> {
    /// Takes the exchange's answers up to now. Returns their number.
    pub(super) fn take_answers<S: Sink>(&mut self, out: &mut S) -> u32 {
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
    pub(super) fn position_is_unknown(&self) {
        self.control.stop(StopReason::PositionUnknown);
    }

    /// Something happened to an order that is live.
    pub(super) fn on_event<S: Sink>(&mut self, seq: u64, event: AnswerEvent, at: Nanos, out: &mut S) {
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

    pub(super) fn book_fill(
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
    pub(super) fn resolved(&mut self, order: &Order) {
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
    pub(super) fn time_out<S: Sink>(&mut self, out: &mut S) -> u32 {
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

    /// The head of what is told about an order that an answer came for.
    pub(super) fn told_head(&self, order: &Order, at: Nanos) -> Head {
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
    pub(super) fn tell<S: Sink>(
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
}
