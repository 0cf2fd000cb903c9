//! What comes from a venue outside the process. Its answers are inputs: each is journalled as it was heard and with its
//! place among the gateway's other inputs, before anything follows from it, so that a repetition of the run takes the
//! same answers at the same places. Whether a request left is known here alone too, and journalled where it did not.

use super::OrderManager;
use crate::client_order_id::ClientOrderId;
use crate::counterparty::{Counterparty, Paid, Request};
use crate::heard;
use engine::journal::schema::{FundingBody, HeardBody, RecordKind, UnsentBody};
use engine::message::{Head, Kind, words_of};
use engine::order::OrderState;
use engine::runner::StopReason;
use engine::stage::{Nowhere, Sink};
use engine::time::Nanos;

/// Answers taken in one look at most; the rest is taken with the next.
const HEARD_MAX: u32 = 64;
/// What single cancels have not ended for so long is ended all at once.
const ALL_AFTER_NS: Nanos = Nanos::from_ms(3_000);
/// A halt waits so long for the venue to end what is open.
const HALT_NS_MAX: Nanos = Nanos::from_ms(10_000);

impl<X: Counterparty> OrderManager<X> {
    /// One more message is taken.
    #[inline]
    pub fn count_input(&mut self) {
        self.inputs += 1;
    }

    /// In a repetition of a run: whether an answer has to be taken before the next input.
    #[inline]
    pub fn is_owed(&self) -> bool {
        self.exchange.is_owed(self.inputs)
    }

    /// Takes what a venue outside has said since the last call, and what follows from it. Returns what was taken; 0 of a
    /// counterparty that is not outside.
    #[inline]
    pub fn hear<S: Sink>(&mut self, out: &mut S) -> u32 {
        if !self.exchange.is_outside() {
            return 0;
        }
        self.exchange.poll(self.inputs);
        self.take_heard(out)
    }

    fn take_heard<S: Sink>(&mut self, out: &mut S) -> u32 {
        let mut taken = 0;
        while taken < HEARD_MAX
            && let Some((at, answer)) = self.exchange.next_answer(Nanos::MAX)
        {
            taken += 1;
            self.now = self.now.max(at);
            let round_trip =
                self.exchange.round_trip().map_or(0, |ns| u32::try_from(ns.0).unwrap_or(u32::MAX));
            let mut body = heard::answered_body(self.inputs, &answer, &self.ids);
            body.round_trip_ns = round_trip;
            if round_trip > 0 {
                self.latency.answered(round_trip);
            }
            let of = self.orders.get(body.order_seq).filter(|live| live.run == body.run);
            let head = of.map_or_else(
                || heard_head(at),
                |live| Head { instrument: live.order.instrument, cause: live.record, ..heard_head(at) },
            );
            self.log.record(RecordKind::Answered, &head, &body);
            self.take_answer(&answer, at, out);
        }
        while let Some((at, paid)) = self.exchange.take_paid() {
            taken += 1;
            self.now = self.now.max(at);
            let head = Head { instrument: paid.instrument, ..heard_head(at) };
            self.log.record(RecordKind::Paid, &head, &heard::paid_body(self.inputs, &paid));
            self.share_out(&head, &paid);
        }
        if let Some(account) = self.exchange.take_account(Nanos::MAX) {
            taken += 1;
            let body = heard::account_body(self.inputs, &account, &self.exchange.baselines());
            self.log.bytes(RecordKind::Account, &heard_head(self.now), [], &body);
            self.baselines = heard::baselines_of(&body).unwrap_or_default();
            self.account = Some(account);
        }
        if self.exchange.has_reconnected() {
            taken += 1;
            let body = HeardBody { after: self.inputs };
            self.log.record(RecordKind::Reconnected, &heard_head(self.now), &body);
            self.doubt_all(out);
        }
        if let Some(why) = self.exchange.refusal() {
            self.control.stop_with(StopReason::VenueRefused, why.to_owned());
        }
        if self.exchange.has_lost_answers() {
            self.position_is_unknown(format_args!("answers were lost"));
        }
        if taken > 0 {
            // What is heard with the next look is another input.
            self.inputs = self.inputs.saturating_add(1);
            // What the answers made due at once belongs to them: nothing falls due between two messages of one moment.
            self.time_out(out);
            self.lift_refusals();
            self.reconcile(out);
            self.pursue_dirty(None, out);
        }
        taken
    }

    /// Makes a request that needs no approval. False: it did not leave.
    pub(super) fn ask_for(&mut self, request: Request<'_>, id: &ClientOrderId) -> bool {
        let is_sent = self.exchange.encode(request, id, self.now) && self.exchange.send(self.now);
        self.left(is_sent);
        is_sent
    }

    /// A request has left, or has not.
    #[inline]
    pub(super) fn left(&mut self, is_sent: bool) {
        self.requests += 1;
        if !is_sent {
            self.unsent();
        }
    }

    #[cold]
    fn unsent(&mut self) {
        self.counts.unsent += 1;
        if self.exchange.is_outside() {
            let body = UnsentBody { request: self.requests };
            self.log.record(RecordKind::Unsent, &heard_head(self.now), &body);
        }
    }

    /// Funding that a venue says was paid on an instrument: each strategy's share is that of its position, and the last
    /// one's what is left over. It is told after it was due, so that positions may be others by then.
    #[cold]
    fn share_out(&mut self, head: &Head, paid: &Paid) {
        let Some(traded) = self.instruments.get(paid.instrument.index()) else { return };
        let exponent = traded.instrument.amount_exponent();
        let books = self.books_of(paid.instrument.index());
        let held = || books.clone().filter_map(|index| Some((index, self.books.get(index)?.position.qty.0)));
        let whole: i128 = held().map(|(_, qty)| i128::from(qty)).sum();
        let Ok(amount) = paid.amount.floor_to(exponent).rescaled(exponent) else {
            return self.position_is_unknown(format_args!("funding of {paid:?} cannot be booked"));
        };
        let Some((last, _)) = held().rfind(|(_, qty)| *qty != 0) else {
            // It was closed since: the amount is nobody's any more, and the account's comparison shows it.
            self.counts.bad_answers += 1;
            return;
        };
        let mut left = amount;
        for index in books {
            let strategy = self.strategy_of(index);
            let Some(book) = self.books.get_mut(index).filter(|book| book.position.qty.0 != 0) else {
                continue;
            };
            // Where positions cancel out now there are no shares of it: the last holder has all.
            let share = match whole {
                0 => Some(0),
                _ => amount.checked_mul(i128::from(book.position.qty.0)).and_then(|of| of.checked_div(whole)),
            };
            let received = if index == last { Some(left) } else { share };
            let Some(received) = received.filter(|received| book.position.receive(*received).is_ok()) else {
                return self.position_is_unknown(format_args!("funding of {paid:?} cannot be booked"));
            };
            left -= received;
            let body = FundingBody {
                qty: book.position.qty,
                mark_e8: 0,
                rate_e8: 0,
                received: words_of(received),
                cash: words_of(book.position.cash),
                strategy: strategy.0,
                reserved: [0; 3],
            };
            self.log.record(RecordKind::Funding, &Head { strategy, ..*head }, &body);
        }
    }

    /// Asks the venue to end everything of the instruments that still have orders, whatever it calls them.
    fn cancel_all_there(&mut self) {
        for index in 0..self.instruments.len() {
            let Some(id) = self.instruments.get(index).map(|traded| traded.instrument.id) else { continue };
            let has_orders = self.orders.live().any(|live| live.order.instrument == id);
            if has_orders {
                let is_sent = self.exchange.cancel_all_of(id, self.now);
                self.left(is_sent);
            }
        }
    }

    /// Trading has stopped: cancels what is open, and goes on asking until the venue has said that nothing is, or does
    /// not answer any more. True: nothing is open.
    #[cold]
    pub(super) fn end_outside(&mut self) -> bool {
        // What is heard from here on lies behind every input, in a repetition too.
        self.inputs = u64::MAX;
        let began = self.exchange.poll(self.inputs);
        let mut has_asked_for_all = false;
        loop {
            self.take_heard(&mut Nowhere);
            if self.orders.count() == 0 {
                return true;
            }
            let now = self.exchange.poll(self.inputs);
            if now.since(began) > HALT_NS_MAX {
                return false;
            }
            self.now = self.now.max(now);
            if now.since(began) > ALL_AFTER_NS && !std::mem::replace(&mut has_asked_for_all, true) {
                self.cancel_all_there();
            }
            self.time_out(&mut Nowhere);
            for place in 0..self.orders.room() {
                let Some(live) = self.orders.at(place).copied() else { continue };
                if matches!(live.order.state, OrderState::Open | OrderState::PartiallyFilled) {
                    let head = Head { cause: live.record, ..self.told_head(&live.order, self.now) };
                    self.cancel(&head, live.book, &live.order, true);
                }
            }
            std::thread::yield_now();
        }
    }
}

fn heard_head(at: Nanos) -> Head {
    Head { recv_ns: at, ..Head::new(Kind::Execution) }
}
