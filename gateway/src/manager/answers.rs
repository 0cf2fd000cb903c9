//! What answers do to orders, positions and strategies.

use super::OrderManager;
use super::orders::{Ending, Live};
use crate::counterparty::{
    Answer, AnswerEvent, Charge, ChargeAsset, Counterparty, Request, Standing, VenueState,
};
use engine::ids::Cause;
use engine::journal::schema::RecordKind;
use engine::message::{Body, Execution, Head, Kind, Message, QUOTES_MAX, words_of};
use engine::num::{Level, NumError, Qty};
use engine::order::{Order, OrderEvent, OrderState};
use engine::risk::RiskRule;
use engine::runner::StopReason;
use engine::stage::Sink;
use engine::time::Nanos;

/// What a strategy is told about an order.
#[derive(Clone, Copy, Debug)]
pub(super) enum Told {
    Refused(RiskRule),
    Answer { is_maker: bool, cost: Cost },
}

impl Told {
    /// An answer that is no fill.
    pub(super) const NO_FILL: Self =
        Self::Answer { is_maker: false, cost: Cost { fee: 0, fee_qty: Qty(0), is_charged: false } };
}

/// What a fill cost, in units of the instrument's amount exponent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Cost {
    fee: i64,
    /// Kept back of what was bought; `fee` is its value.
    fee_qty: Qty,
    /// The venue said so.
    is_charged: bool,
}

/// An unknown order is asked about again after the answer time-out, then twice as long, up to so many doublings.
const QUERY_DOUBLINGS_MAX: u32 = 5;

impl<X: Counterparty> OrderManager<X> {
    /// Takes the exchange's answers up to now. Returns their number.
    pub(super) fn take_answers<S: Sink>(&mut self, out: &mut S) -> u32 {
        if self.exchange.is_outside() {
            return 0;
        }
        let mut taken = 0;
        while let Some((at, answer)) = self.exchange.next_answer(self.now) {
            taken += 1;
            self.take_answer(&answer, at, out);
        }
        if self.exchange.has_lost_answers() {
            self.position_is_unknown(format_args!("answers were lost"));
        }
        if self.exchange.has_reconnected() {
            self.doubt_all(out);
        }
        taken
    }

    /// One answer, to whatever order it is about.
    pub(super) fn take_answer<S: Sink>(&mut self, answer: &Answer, at: Nanos, out: &mut S) {
        match self.ids.run_and_seq(&answer.id) {
            Some((run, seq)) if self.orders.get(seq).is_some_and(|live| live.run == run) => {
                self.on_answer(seq, answer, at, out);
            }
            Some((_, seq)) => self.on_late_answer(seq, answer),
            None => self.on_impossible_answer(answer),
        }
    }

    /// Answers may have been lost: every order is asked about.
    #[cold]
    pub(super) fn doubt_all<S: Sink>(&mut self, out: &mut S) {
        for place in 0..self.orders.room() {
            if let Some(seq) = self.orders.at(place).map(|live| live.order.seq) {
                self.doubt(seq, out);
            }
        }
    }

    /// An answer about a live order, weighed by what the venue counts as filled: each fill is taken once, and one
    /// that is missing is asked for.
    fn on_answer<S: Sink>(&mut self, seq: u64, answer: &Answer, at: Nanos, out: &mut S) {
        let Some(order) = self.orders.get(seq).map(|live| live.order) else { return };
        let misses = |filled: Qty, fill: Qty| filled.0.saturating_sub(fill.0) != order.filled.0;
        match (answer.event, answer.filled) {
            (AnswerEvent::Filled { .. }, Some(filled)) if filled <= order.filled => {
                self.counts.late_answers += 1;
            }
            (AnswerEvent::Filled { fill, .. }, Some(filled)) if misses(filled, fill.qty) => {
                self.doubt(seq, out);
            }
            (AnswerEvent::Filled { .. }, _) => self.on_event(seq, answer.event, at, out),
            (AnswerEvent::Standing(standing), _) => self.on_standing(&order, standing, at, out),
            (_, Some(filled)) if filled > order.filled => self.doubt(seq, out),
            // The order is gone, or the venue has another reason: it says which when it is asked.
            (AnswerEvent::CancelRefused, _) => {
                self.counts.cancels_refused += 1;
                self.doubt(seq, out);
            }
            // A venue tells an amendment twice: it answers the request, and its stream reports it.
            (AnswerEvent::Amended(level), _) if level != order.amend && level == order.level => {
                self.counts.late_answers += 1;
            }
            // To an amendment that was given up.
            (AnswerEvent::Amended(level), _) if level != order.amend => self.doubt(seq, out),
            (event, _) => self.on_event(seq, event, at, out),
        }
    }

    /// The answer to a query. What it does not settle is asked again later.
    fn on_standing<S: Sink>(&mut self, order: &Order, standing: Standing, at: Nanos, out: &mut S) {
        let amends = order.amend.qty.0 > 0;
        let event = match standing {
            _ if order.state != OrderState::Unknown => {
                self.counts.late_answers += 1;
                return;
            }
            Standing::Absent if order.filled.0 == 0 && !amends => AnswerEvent::Rejected,
            Standing::Unknown | Standing::Absent => return,
            // Fills are on their way, or the answer is older than what is known.
            Standing::Exists { filled, .. } if filled != order.filled => return,
            Standing::Exists { state, .. } => match state {
                VenueState::Open(level) if amends && level == order.amend => AnswerEvent::Amended(level),
                VenueState::Open(level) if level == order.level => {
                    if amends {
                        AnswerEvent::AmendRefused
                    } else {
                        AnswerEvent::Accepted
                    }
                }
                VenueState::Filled if amends => AnswerEvent::AmendRefused,
                // The journal lost an amendment; nothing trades before the order is canceled.
                VenueState::Open(level) if self.reconciling.is_some() => {
                    if let Some(live) = self.orders.get_mut(order.seq) {
                        live.order.amend = level;
                    }
                    AnswerEvent::Amended(level)
                }
                // More or less can trade than was ever sent: nothing here can be relied on.
                VenueState::Open(_) | VenueState::Filled => {
                    self.counts.bad_answers += 1;
                    return self
                        .position_is_unknown(format_args!("order {} is said to be {state:?}", order.seq));
                }
                VenueState::Canceled => AnswerEvent::Canceled,
                VenueState::Rejected => AnswerEvent::Rejected,
                VenueState::Expired => AnswerEvent::Expired,
            },
        };
        self.on_event(order.seq, event, at, out);
    }

    /// An answer about an order that has ended: nothing new, unless it traded after that.
    #[cold]
    fn on_late_answer(&mut self, seq: u64, answer: &Answer) {
        let is_fill = matches!(answer.event, AnswerEvent::Filled { .. });
        let told_before = match (answer.filled, self.orders.filled_of_ended(seq)) {
            (Some(filled), Some(known)) => filled <= known,
            _ => !is_fill,
        };
        if self.orders.has_been(seq) && told_before {
            self.counts.late_answers += 1;
        } else {
            self.on_impossible_answer(answer);
        }
    }

    /// An answer that no order of ours can have. After a restart it may be about an order that the journal lost: the
    /// comparison with the account then decides.
    #[cold]
    fn on_impossible_answer(&mut self, answer: &Answer) {
        self.counts.bad_answers += 1;
        if self.reconciling.is_some() {
            return;
        }
        if answer.filled.is_some_and(|filled| filled.0 > 0)
            || matches!(answer.event, AnswerEvent::Filled { .. })
        {
            self.position_is_unknown(format_args!("no order can have {answer:?}"));
        }
    }

    /// Nobody knows any more where a live order stands: it keeps its exposure, new risk on its instrument waits, and
    /// it is asked about at once.
    #[cold]
    pub(super) fn doubt<S: Sink>(&mut self, seq: u64, out: &mut S) {
        let Some(live) = self.orders.get_mut(seq) else { return };
        if live.order.state == OrderState::Unknown || live.order.apply(OrderEvent::InDoubt).is_err() {
            return;
        }
        (live.was_unknown, live.queries) = (true, 0);
        let is_counted = std::mem::replace(&mut live.is_in_doubt, true);
        let Live { order, record, book: index, .. } = *live;
        self.orders.owe(seq, self.now);
        if !is_counted && let Some(traded) = self.instruments.get_mut(order.instrument.index()) {
            traded.unknown += 1;
        }
        let head = Head { cause: record, ..self.told_head(&order, self.now) };
        self.tell(&head, index, &order, Level::default(), Told::NO_FILL, out);
    }

    /// Asks what became of an unknown order, and when to ask again: each time after twice as long, up to a bound.
    fn ask(&mut self, seq: u64) {
        let Some(live) = self.orders.get_mut(seq) else { return };
        let wait_ns = self.answer_timeout.0.saturating_mul(1 << live.queries.min(QUERY_DOUBLINGS_MAX));
        live.queries += 1;
        let (order, run) = (live.order, live.run);
        self.orders.owe(seq, self.now.plus(Nanos(wait_ns)));
        let id = self.id_of(run, seq);
        self.counts.queries += 1;
        self.ask_for(Request::Query(&order), &id);
    }

    /// The position is not known any more: nothing may be traded on it.
    #[cold]
    pub(super) fn position_is_unknown(&self, why: std::fmt::Arguments<'_>) {
        self.control.stop_with(StopReason::PositionUnknown, why.to_string());
    }

    /// The venue says that something happened to an order that is live.
    #[inline]
    pub(super) fn on_event<S: Sink>(&mut self, seq: u64, event: AnswerEvent, at: Nanos, out: &mut S) {
        self.happened(seq, event, Nanos::MAX, at, out);
    }

    /// An order or an amendment did not leave. The venue refused nothing, and time alone lifts what kept it here: its
    /// quote is tried again after a while. An order that was to be amended does not stay meanwhile at a price that
    /// nobody wants any more.
    #[cold]
    pub(super) fn on_unsent<S: Sink>(&mut self, seq: u64, is_amendment: bool, out: &mut S) {
        let event = if is_amendment { AnswerEvent::AmendRefused } else { AnswerEvent::Rejected };
        let until = self.now.plus(self.answer_timeout);
        self.next_retry = self.next_retry.min(until);
        self.happened(seq, event, until, self.now, out);
    }

    /// Something happened to an order that is live. `until`: what of it is a refusal holds until then; `Nanos::MAX`: it
    /// is the venue's.
    fn happened<S: Sink>(&mut self, seq: u64, event: AnswerEvent, until: Nanos, at: Nanos, out: &mut S) {
        let (Some(live), Some(order_event)) = (self.orders.get_mut(seq), order_event(event)) else { return };
        let before = live.order;
        if live.order.apply(order_event).is_err() {
            return self.on_misfit(seq, event, out);
        }
        let is_resolved = live.settle();
        let Live { order, record, book: index, slot, .. } = *live;
        let (mut fill, mut is_maker, mut cost) = (Level::default(), false, Cost::default());
        if let AnswerEvent::Filled { fill: filled, maker, fee } = event {
            (fill, is_maker) = (filled, maker);
            match self.book_fill(index, &order, fill, is_maker, fee) {
                Ok(booked) => cost = booked,
                Err(_) => {
                    self.position_is_unknown(format_args!("a fill of order {seq} cannot be booked"));
                }
            }
        }
        self.count_event(event, order.state, until == Nanos::MAX);
        if let Some(book) = self.books.get_mut(index) {
            if event == AnswerEvent::AmendRefused {
                book.refuse(order.side, before.amend, until, None);
            }
            match order.state {
                OrderState::Filled if slot < QUOTES_MAX => book.filled(&order),
                OrderState::Rejected if slot < QUOTES_MAX => {
                    book.refuse(order.side, order.level, until, None);
                }
                _ => {}
            }
        }
        if order.state.is_final() {
            self.orders.remove(seq);
            self.set_slot(index, order.side, slot, 0);
        }
        self.mark(index);
        if is_resolved {
            self.resolved(&order);
        }
        self.hold(order.instrument.index());
        let head = Head { cause: record, ..self.told_head(&order, at) };
        if fill.qty.0 > 0 {
            self.tell_touch(&head);
        }
        self.tell(&head, index, &order, fill, Told::Answer { is_maker, cost }, out);
    }

    /// What did not leave is counted as unsent, and not as the venue's refusal.
    #[inline]
    fn count_event(&mut self, event: AnswerEvent, state: OrderState, is_venues: bool) {
        let counts = &mut self.counts;
        match event {
            AnswerEvent::Amended(_) => counts.amended += 1,
            AnswerEvent::AmendRefused => counts.amends_refused += u64::from(is_venues),
            _ => {}
        }
        match state {
            OrderState::Filled => counts.filled += 1,
            OrderState::Canceled => counts.canceled += 1,
            OrderState::Expired => counts.expired += 1,
            OrderState::Rejected => counts.rejected += u64::from(is_venues),
            _ => {}
        }
    }

    /// An event that the order's state does not allow.
    #[cold]
    fn on_misfit<S: Sink>(&mut self, seq: u64, event: AnswerEvent, out: &mut S) {
        match event {
            // An acknowledgement that a query was faster than, or a trigger told twice or after a fill.
            AnswerEvent::Accepted | AnswerEvent::Triggered => self.counts.late_answers += 1,
            AnswerEvent::Filled { .. } => {
                self.counts.bad_answers += 1;
                self.position_is_unknown(format_args!("order {seq} cannot have {event:?}"));
            }
            _ => {
                self.counts.bad_answers += 1;
                self.doubt(seq, out);
            }
        }
    }

    pub(super) fn book_fill(
        &mut self,
        index: usize,
        order: &Order,
        fill: Level,
        is_maker: bool,
        charge: Option<Charge>,
    ) -> Result<Cost, NumError> {
        let traded = self.instruments.get(order.instrument.index()).ok_or(NumError::OutOfRange)?;
        let book = self.books.get_mut(index).ok_or(NumError::OutOfRange)?;
        let instrument = &traded.instrument;
        let by_rates = || self.fees.fee_ceil(instrument, fill.price, fill.qty, is_maker);
        let (fee, fee_qty, is_charged) = match charge {
            Some(Charge { amount, asset: ChargeAsset::Settle }) => {
                (amount.ceil_at(instrument.amount_exponent())?, Qty(0), true)
            }
            Some(Charge { amount, asset: ChargeAsset::Base }) => {
                let unit = instrument.qty_unit;
                // A unit that is no power of ten would need a division; no venue prints one.
                let units = amount.ceil_at(unit.exponent())?.checked_div(i128::from(unit.mantissa()));
                let units = units.and_then(|units| i64::try_from(units).ok()).ok_or(NumError::Overflow)?;
                (0, Qty(units), true)
            }
            Some(Charge { asset: ChargeAsset::Other, .. }) | None => (by_rates()?, Qty(0), false),
        };
        let fee = book.position.fill_charged(instrument, order.side, fill, fee, fee_qty)?;
        let fee = i64::try_from(fee).map_err(|_| NumError::Overflow)?;
        Ok(Cost { fee, fee_qty, is_charged })
    }

    /// An order is known again: what it kept from being tried may be tried.
    #[cold]
    pub(super) fn resolved(&mut self, order: &Order) {
        let Some(traded) = self.instruments.get_mut(order.instrument.index()) else { return };
        traded.unknown = traded.unknown.saturating_sub(1);
        if traded.unknown == 0 {
            for index in self.books_of(order.instrument.index()) {
                if let Some(book) = self.books.get_mut(index) {
                    book.forgive(RiskRule::UnknownOrder);
                }
                self.mark(index);
            }
        }
    }

    /// Orders whose answer is overdue become unknown, and unknown ones are asked about.
    pub(super) fn time_out<S: Sink>(&mut self, out: &mut S) -> u32 {
        let mut taken = 0;
        while self.orders.next_deadline() <= self.now
            && let Some(seq) = self.orders.overdue(self.now)
        {
            let Some(Live { order, queries, .. }) = self.orders.get(seq).copied() else { break };
            if order.state != OrderState::Unknown {
                self.counts.timed_out += 1;
                self.doubt(seq, out);
            }
            // A refused cancel is not repeated before the question that follows it has had its time.
            let has_waited = order.state == OrderState::PendingCancel || queries > 0;
            if !(has_waited && self.cancel_stop_again(seq)) {
                self.ask(seq);
            }
            taken += 1;
        }
        taken
    }

    /// A stop whose end was asked for, and of which nobody knows where it stands: there are venues that answer no
    /// question about one that waits, and a cancel that was lost would be the last. False: it is not such a one.
    fn cancel_stop_again(&mut self, seq: u64) -> bool {
        let Some(live) = self.orders.get(seq).filter(|live| live.ending != Ending::No).copied() else {
            return false;
        };
        let Live { order, book, record, .. } = live;
        let head = Head { cause: record, ..self.told_head(&order, self.now) };
        order.terms.kind.is_stop() && self.cancel(&head, book, &order, true)
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
        let (rule, maker, cost) = match told {
            Told::Refused(rule) => (rule as u16, false, Cost::default()),
            Told::Answer { is_maker, cost } => (0, is_maker, cost),
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
            fee: cost.fee,
            fee_qty: cost.fee_qty,
            is_charged: u8::from(cost.is_charged),
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

/// What an answer says of the order's state. None: it answers a question.
#[inline]
const fn order_event(event: AnswerEvent) -> Option<OrderEvent> {
    Some(match event {
        AnswerEvent::Accepted => OrderEvent::Accepted,
        AnswerEvent::Rejected => OrderEvent::Rejected,
        AnswerEvent::Canceled => OrderEvent::Canceled,
        AnswerEvent::CancelRefused => OrderEvent::CancelRefused,
        AnswerEvent::Amended(level) => OrderEvent::Amended(level),
        AnswerEvent::AmendRefused => OrderEvent::AmendRefused,
        AnswerEvent::Expired => OrderEvent::Expired,
        AnswerEvent::Triggered => OrderEvent::Triggered,
        AnswerEvent::Filled { fill, .. } => OrderEvent::Filled(fill.qty),
        AnswerEvent::Standing(_) => return None,
    })
}
