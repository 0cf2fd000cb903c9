//! What was sent and what came back, without a socket or a clock: each answer finds its request by number, each event
//! its order by client order id, and both become what the order manager understands.

use super::super::errors::{ErrorAction, action_of};
use super::super::heard::{
    AccountReason, AlgoState, AlgoUpdate, Answer as Heard, Execution, Listing, OrderReport, OrderUpdate,
    Outcome, RateLimit, RateLimitKind, Refusal, Reported, Status, Trade, UserEvent, algo_id, rest_refusal,
};
use super::remark::{Remark, Remarks};
use crate::client_order_id::ClientOrderId;
use crate::counterparty::{Answer, AnswerEvent, Charge, ChargeAsset, Paid, Standing, VenueState};
use crate::throttle::{Counted, GUARD_NS, Limit, Pass, Throttle};
use engine::ids::InstrumentId;
use engine::instrument::{ContractKind, Instrument};
use engine::num::{Decimal, Qty};
use engine::time::Nanos;
use std::collections::VecDeque;
use std::fmt::Write;
use wire::http::Response;
use wire::json::{JsonError, Value};
use wire::session::Failure;

/// What a request was for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    Place,
    Cancel,
    Amend,
    Query,
    /// A listen key.
    ListenKey,
    /// That the listen key goes on living.
    KeepKey,
}

impl Asked {
    const fn name(self) -> &'static str {
        match self {
            Self::Place => "a new order",
            Self::Cancel => "a cancel",
            Self::Amend => "an amendment",
            Self::Query => "a query of an order",
            Self::ListenKey | Self::KeepKey => "the listen key",
        }
    }
}

/// A request under way, or one whose answer does not end the doubt that it leaves about its order.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sent {
    pub(super) number: u64,
    pub(super) asked: Asked,
    pub(super) id: ClientOrderId,
    pub(super) at: Nanos,
    /// None: it was answered, and the pass given back.
    pub(super) pass: Option<Pass>,
}

/// An order of which the venue says that it traded: its trades are wanted before that is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Inquiry {
    pub(super) report: OrderReport,
    pub(super) reported: Reported,
}

/// Counts of what happened, for people.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SessionCounts {
    /// Answers and events that could not be read.
    pub unreadable: u64,
    /// Answers to nothing that was asked, or too late.
    pub unmatched: u64,
    /// Requests that the venue refused.
    pub refused: u64,
    /// Orders and trades of somebody else on the account.
    pub foreign: u64,
    /// Requests that the throttle held back.
    pub held_back: u64,
    /// Payments of funding that could be of several instruments: the account's comparison shows them.
    pub unattributed: u64,
    /// Times that the venue's own timer was set.
    pub timers_set: u64,
    /// Requests about orders that left over REST, because the WebSocket API was down.
    pub over_rest: u64,
    /// Lines for the operator for which there was no room.
    pub remarks_lost: u64,
}

/// What fees of an instrument are charged in.
#[derive(Clone, Debug, Default)]
struct Assets {
    settle: String,
    base: String,
    is_spot: bool,
}

pub(super) struct Ledger {
    kind: ContractKind,
    pub(super) listing: Listing,
    pub(super) throttle: Throttle,
    /// By the low bits of the request's number.
    sent: Box<[Option<Sent>]>,
    /// Numbers in the order in which they were sent.
    order: VecDeque<u64>,
    /// Answered, and their orders may still be asked about too early: in the order in which they were answered.
    open: VecDeque<Sent>,
    /// With how long the placement was under way that each is the answer to.
    answers: VecDeque<(Nanos, Answer, Option<Nanos>)>,
    /// Of the answer that is being read.
    under_way: Option<Nanos>,
    /// Of the answer handed out last.
    pub(super) round_trip: Option<Nanos>,
    /// Funding that was paid, until it is taken.
    paid: VecDeque<(Nanos, Paid)>,
    /// By instrument: what it settles in, and its base asset.
    assets: Vec<Assets>,
    pub(super) inquiries: VecDeque<Inquiry>,
    pub(super) counts: SessionCounts,
    pub(super) remarks: Remarks,
    /// How long the venue takes a request after its time stamp, with what clocks may differ.
    window_ns: Nanos,
    /// There was no room for an answer.
    pub(super) has_overflowed: bool,
    /// Why nothing may be traded any more.
    pub(super) stopped: Option<&'static str>,
    /// The user stream has ended and has to be opened with a new key.
    pub(super) is_stream_over: bool,
    /// Something was said that could not be read.
    pub(super) is_in_doubt: bool,
    /// The venue says that our time is off.
    pub(super) is_clock_off: bool,
}

/// Requests under way, a power of two: far more than a venue takes in the time after which they expire.
const SENT_MAX: usize = 8_192;
const ANSWERS_MAX: usize = 8_192;
/// Payments of funding that are not taken yet.
const PAID_MAX: usize = 256;
/// After so long nobody answers any more: the venue's own limit is 10 s.
const ANSWER_NS_MAX: Nanos = Nanos::from_ms(12_000);
/// What the venue allows a time stamp to lie ahead.
const AHEAD_NS: Nanos = Nanos::SECOND;

impl Ledger {
    /// `api_key` is the key's public half, which no remark shows.
    pub(super) fn new(
        kind: ContractKind,
        instruments: &[Instrument],
        limits: &[Limit],
        recv_window_ms: u32,
        api_key: &str,
    ) -> Self {
        let mut assets = Vec::new();
        for one in instruments {
            let index = one.id.index();
            assets.resize(assets.len().max(index + 1), Assets::default());
            if let Some(place) = assets.get_mut(index) {
                let is_spot = one.kind == ContractKind::Spot;
                *place = Assets { settle: one.settle().to_owned(), base: one.base.clone(), is_spot };
            }
        }
        let throttle = Throttle::new(limits);
        let is_spot = kind == ContractKind::Spot;
        Self {
            kind,
            listing: Listing::new(instruments),
            assets,
            paid: VecDeque::with_capacity(PAID_MAX),
            // By the current page of USD-M the WebSocket API and REST are counted apart, by older ones together.
            throttle: if is_spot { throttle } else { throttle.with_ways_apart() },
            sent: vec![None; SENT_MAX].into(),
            order: VecDeque::with_capacity(SENT_MAX),
            open: VecDeque::with_capacity(SENT_MAX),
            answers: VecDeque::with_capacity(ANSWERS_MAX),
            under_way: None,
            round_trip: None,
            inquiries: VecDeque::with_capacity(SENT_MAX),
            counts: SessionCounts::default(),
            remarks: Remarks::new(api_key.to_owned()),
            window_ns: Nanos::from_ms(u64::from(recv_window_ms)).plus(AHEAD_NS),
            has_overflowed: false,
            stopped: None,
            is_stream_over: false,
            is_in_doubt: false,
            is_clock_off: false,
        }
    }

    /// How long after it was sent a request may still be taken.
    pub(super) const fn window_ns(&self) -> Nanos {
        self.window_ns
    }

    /// Whether there is room for another request.
    pub(super) fn has_room(&self, number: u64) -> bool {
        // What is under way may come to be open.
        self.order.len() + self.open.len() < SENT_MAX
            && self.sent.get(place(number)).is_some_and(Option::is_none)
    }

    pub(super) fn sent(&mut self, sent: Sent) {
        if let Some(slot) = self.sent.get_mut(place(sent.number)) {
            *slot = Some(sent);
            self.order.push_back(sent.number);
        }
    }

    pub(super) fn take(&mut self, number: u64) -> Option<Sent> {
        self.sent.get_mut(place(number))?.take_if(|sent| sent.number == number)
    }

    /// Remembers what was just taken because of an answer after which its order may still be asked about too early,
    /// until it expires. It is not in the way of what is sent later: at a high rate numbers come round before that.
    fn keep(&mut self, sent: &Sent) {
        self.open.push_back(Sent { pass: None, ..*sent }); // never beyond its capacity, see `has_room`
    }

    /// Nobody knows what became of the request. One that opens risk may be carried out yet.
    fn leave_open(&mut self, sent: &Sent) {
        if matches!(sent.asked, Asked::Place | Asked::Amend) {
            self.keep(sent);
        }
    }

    /// What the venue charged for a fill. An asset without a name: nothing was charged.
    fn charge(&self, instrument: InstrumentId, amount: Decimal, asset: &[u8]) -> Option<Charge> {
        let of = self.assets.get(instrument.index())?;
        let asset = match asset {
            asset if asset.is_empty() || asset == of.settle.as_bytes() => ChargeAsset::Settle,
            asset if of.is_spot && asset == of.base.as_bytes() => ChargeAsset::Base,
            _ => ChargeAsset::Other,
        };
        Some(Charge { amount, asset })
    }

    pub(super) fn take_paid(&mut self) -> Option<(Nanos, Paid)> {
        self.paid.pop_front()
    }

    /// Gives up what nobody will answer any more.
    pub(super) fn expire(&mut self, now: Nanos) {
        while let Some(number) = self.order.front().copied() {
            match self.sent.get(place(number)).copied().flatten().filter(|sent| sent.number == number) {
                Some(sent) if now < sent.at.plus(self.window_ns).plus(ANSWER_NS_MAX) => break,
                Some(sent) => {
                    self.give_back(&sent);
                    self.take(number);
                    self.is_stream_over |= matches!(sent.asked, Asked::ListenKey | Asked::KeepKey);
                }
                None => {}
            }
            self.order.pop_front();
        }
        let is_over = |sent: &Sent, window| now >= sent.at.plus(window).plus(ANSWER_NS_MAX);
        while self.open.front().is_some_and(|sent| is_over(sent, self.window_ns)) {
            self.open.pop_front();
        }
    }

    /// Gives a request's pass back, unless it was given back before.
    pub(super) fn give_back(&mut self, sent: &Sent) {
        if let Some(pass) = sent.pass {
            self.throttle.give_up(pass);
        }
    }

    pub(super) fn next_answer(&mut self, now: Nanos) -> Option<(Nanos, Answer)> {
        let (at, answer, round_trip) = self.answers.pop_front_if(|(at, ..)| *at <= now)?;
        self.round_trip = round_trip;
        Some((at, answer))
    }

    pub(super) fn tell(&mut self, at: Nanos, id: ClientOrderId, event: AnswerEvent, filled: Option<Qty>) {
        if self.answers.len() == ANSWERS_MAX {
            self.has_overflowed = true;
            return;
        }
        self.answers.push_back((at, Answer { id, event, filled }, self.under_way.take()));
    }

    /// A text frame of either connection; `venue_now` is the venue's time. Returns the listen key, if it is the answer to
    /// the wish for one or for its longer life.
    pub(super) fn on_text<'t>(&mut self, frame: &'t [u8], at: Nanos, venue_now: Nanos) -> Option<&'t [u8]> {
        let read = match Heard::read(frame) {
            Ok(Some(answer)) => return self.on_answer(&answer, at, venue_now),
            Ok(None) => self.on_event(frame, at),
            Err(error) => Err(error),
        };
        if read.is_err() {
            self.counts.unreadable += 1;
            // It may have been about an order: everything is asked about, and nothing is guessed.
            self.is_in_doubt = true;
        }
        None
    }

    fn on_answer<'t>(&mut self, answer: &Heard<'t>, at: Nanos, venue_now: Nanos) -> Option<&'t [u8]> {
        if answer.id.is_none()
            && answer.status == 401
            && let Outcome::Refused(refusal) = answer.outcome
        {
            self.stop("the session's key was revoked or lost a permission");
            self.remark(at, "the session", Some(&refusal), ErrorAction::Stop.meaning());
            return None;
        }
        let sent = answer.id.and_then(|number| self.take(number));
        let counts = answer.limits().into_iter().flatten().flatten().filter_map(|limit| count_of(&limit));
        match sent.and_then(|sent| sent.pass) {
            Some(pass) => self.throttle.answered(pass, counts, venue_now),
            None => {
                for (limit, used) in counts {
                    self.throttle.corrected(limit, used, venue_now);
                }
            }
        }
        // The session's own requests are answered to it; what came too late is known to be.
        let Some(sent) = sent else {
            self.counts.unmatched += 1;
            if let Outcome::Refused(refusal) = answer.outcome {
                self.weigh("the log-on, or a request of before", answer.status, &refusal, at, venue_now);
            }
            return None;
        };
        self.under_way = (sent.asked == Asked::Place && sent.pass.is_some()).then(|| at.since(sent.at));
        match answer.outcome {
            Outcome::Done(result) if matches!(sent.asked, Asked::ListenKey | Asked::KeepKey) => {
                let fields = result.fields(&["listenKey"]).ok();
                let key = fields.and_then(|fields| fields.optional("listenKey")?.text().ok());
                if key.is_none() && sent.asked == Asked::ListenKey {
                    self.counts.unreadable += 1;
                    self.is_stream_over = true;
                }
                return key;
            }
            Outcome::Done(result) => self.on_result(&sent, result, at),
            Outcome::Refused(refusal) => self.on_refused(&sent, answer.status, &refusal, at, venue_now),
        }
        self.under_way = None;
        None
    }

    fn on_result(&mut self, sent: &Sent, result: Value<'_>, at: Nanos) {
        match self.on_done(sent, result, at) {
            // For a second or so a copy of the venue's books may deny the order.
            Ok(()) if sent.asked == Asked::Place => self.keep(sent),
            Ok(()) => {}
            Err(_) => {
                self.counts.unreadable += 1;
                self.is_in_doubt = true;
                self.leave_open(sent);
            }
        }
    }

    /// The answer of REST to a request about an order; None: there is none, and nobody knows what became of it.
    pub(super) fn on_order_answer(
        &mut self,
        number: u64,
        response: Option<Response<'_>>,
        at: Nanos,
        venue_now: Nanos,
    ) {
        if let Some(response) = &response {
            self.on_headers(response, venue_now);
        }
        let Some(sent) = self.take(number) else {
            self.counts.unmatched += 1;
            return;
        };
        self.give_back(&sent);
        match response {
            None => self.leave_open(&sent),
            Some(response) if response.status == 200 => {
                self.on_result(&sent, Value::root(response.body), at);
            }
            Some(response) => {
                let refusal = refusal_of(&response, venue_now);
                self.on_refused(&sent, response.status, &refusal, at, venue_now);
            }
        }
    }

    /// An answer of REST to anything else; `what` it is about.
    pub(super) fn on_rest(
        &mut self,
        response: &Response<'_>,
        what: &'static str,
        at: Nanos,
        venue_now: Nanos,
    ) {
        self.on_headers(response, venue_now);
        if response.status != 200 {
            let refusal = refusal_of(response, venue_now);
            self.weigh(what, response.status, &refusal, at, venue_now);
        }
    }

    /// What the headers say that is used.
    fn on_headers(&mut self, response: &Response<'_>, venue_now: Nanos) {
        for (name, limit) in HEADERS {
            if let Some(used) = response.number(name) {
                self.throttle.corrected(*limit, used, venue_now);
            }
        }
    }

    /// Nothing that opens risk is sent any more; what stopped it first is kept.
    pub(super) fn stop(&mut self, why: &'static str) {
        self.stopped.get_or_insert(why);
    }

    /// A line for the operator.
    #[cold]
    pub(super) fn remark(
        &mut self,
        at: Nanos,
        what: &'static str,
        refusal: Option<&Refusal<'_>>,
        done: &'static str,
    ) {
        let code = refusal.map_or(0, |refusal| refusal.code);
        let message = refusal.map_or(&b""[..], |refusal| refusal.message);
        self.remarks.push(Remark::new(at, what, code, done), message);
        self.counts.remarks_lost = self.remarks.lost;
    }

    /// A line about a connection.
    #[cold]
    pub(super) fn remark_loss(&mut self, at: Nanos, what: &'static str, failure: &Failure) {
        let message = failure.to_string();
        self.remarks.push(Remark::new(at, what, 0, "It is opened again."), message.as_bytes());
        self.counts.remarks_lost = self.remarks.lost;
    }

    /// What follows from a refusal whatever it was of: the stated action, and a line that says so.
    #[cold]
    pub(super) fn weigh(
        &mut self,
        what: &'static str,
        status: u16,
        refusal: &Refusal<'_>,
        at: Nanos,
        venue_now: Nanos,
    ) -> ErrorAction {
        self.counts.refused += 1;
        let action = action_of(self.kind, status, refusal);
        match action {
            ErrorAction::Stop if status == BANNED => {
                self.stop("the venue has banned this address for a time");
                self.pause(refusal, venue_now);
            }
            ErrorAction::Stop => self.stop("the venue refuses the account or its key"),
            ErrorAction::SignAgain => self.is_clock_off = true,
            ErrorAction::Pause => self.pause(refusal, venue_now),
            _ => {}
        }
        self.remark(at, what, Some(refusal), action.meaning());
        action
    }

    fn on_done(&mut self, sent: &Sent, result: Value<'_>, at: Nanos) -> Result<(), JsonError> {
        match sent.asked {
            Asked::Place | Asked::Cancel if let Some(id) = algo_id(result)? => {
                let is_placed = sent.asked == Asked::Place;
                let event = if is_placed { AnswerEvent::Accepted } else { AnswerEvent::Canceled };
                self.tell(at, id, event, None);
            }
            Asked::Place => {
                let report = OrderReport::read(result, &self.listing)?;
                self.tell(at, report.id, AnswerEvent::Accepted, None);
            }
            Asked::Cancel => {
                let report = OrderReport::read_canceled(result, &self.listing)?;
                let filled = report.reported.map(|reported| reported.filled);
                self.tell(at, report.id, AnswerEvent::Canceled, filled);
            }
            Asked::Amend => {
                // On spot the order is within the answer.
                let inner = result.fields(&["amendedOrder"])?.optional("amendedOrder").unwrap_or(result);
                let report = OrderReport::read(inner, &self.listing)?;
                if let Some(reported) = report.reported {
                    let event = match state_of(&reported) {
                        VenueState::Open(level) => AnswerEvent::Amended(level),
                        VenueState::Expired => AnswerEvent::Expired,
                        // An amendment to what has traded ends the order.
                        _ => AnswerEvent::Canceled,
                    };
                    self.tell(at, report.id, event, Some(reported.filled));
                }
            }
            Asked::Query => {
                let report = OrderReport::read(result, &self.listing)?;
                match report.reported {
                    // Its placement cannot change it: the id is used once, and is there.
                    Some(reported) if !self.may_still_come(&[Asked::Amend], sent) => {
                        self.inquiries.push_back(Inquiry { report, reported });
                    }
                    _ => self.tell(at, sent.id, AnswerEvent::Standing(Standing::Unknown), None),
                }
            }
            Asked::ListenKey | Asked::KeepKey => {}
        }
        Ok(())
    }

    fn on_refused(&mut self, sent: &Sent, status: u16, refusal: &Refusal<'_>, at: Nanos, venue_now: Nanos) {
        let action = self.weigh(sent.asked.name(), status, refusal, at, venue_now);
        let event = match (sent.asked, action) {
            (Asked::Query, _) => {
                let is_absent = refusal.code == NO_SUCH_ORDER
                    && !self.may_still_come(&[Asked::Place, Asked::Amend], sent);
                AnswerEvent::Standing(if is_absent { Standing::Absent } else { Standing::Unknown })
            }
            (Asked::ListenKey | Asked::KeepKey, _) => {
                self.is_stream_over = true;
                return;
            }
            // The manager asks what became of an order whose cancel was refused.
            (Asked::Cancel, _) => AnswerEvent::CancelRefused,
            // Not answered: when the answer is overdue the order is unknown and asked about.
            (Asked::Place | Asked::Amend, ErrorAction::Resolve) => return self.leave_open(sent),
            (Asked::Place, _) => AnswerEvent::Rejected,
            (Asked::Amend, _) => AnswerEvent::AmendRefused,
        };
        self.tell(at, sent.id, event, None);
    }

    fn pause(&mut self, refusal: &Refusal<'_>, venue_now: Nanos) {
        let is_orders = refusal.code == TOO_MANY_ORDERS;
        let counted = if is_orders { Counted::Orders } else { Counted::Weight };
        let turns = || self.throttle.turns_at(counted, venue_now).unwrap_or(venue_now.plus(ANSWER_NS_MAX));
        // Later rather than earlier: our notion of the venue's time may be off.
        let told = |ms| Nanos::from_ms(ms).plus(GUARD_NS);
        let until = refusal.retry_after_ms.map_or_else(turns, told);
        if is_orders {
            self.throttle.pause_orders(until);
        } else {
            self.throttle.pause(until);
        }
    }

    /// Whether one of these requests about the order of a query was sent so shortly before it that the venue may have
    /// answered the query first.
    fn may_still_come(&self, these: &[Asked], query: &Sent) -> bool {
        let unanswered = self.order.iter().filter_map(|number| self.sent.get(place(*number))?.as_ref());
        unanswered.chain(&self.open).any(|sent| {
            these.contains(&sent.asked) && sent.id == query.id && query.at < sent.at.plus(self.window_ns)
        })
    }

    fn on_event(&mut self, frame: &[u8], at: Nanos) -> Result<(), JsonError> {
        match UserEvent::read(frame, &self.listing)? {
            UserEvent::Order(update) => self.on_update(&update, at),
            UserEvent::Algo(update) => self.on_algo(&update, at),
            UserEvent::ForeignOrder { .. } => self.counts.foreign += 1,
            UserEvent::Ended => {
                self.is_stream_over = true;
                let done = "It is opened again with a new key, and every order is asked about.";
                self.remark(at, "the user stream has ended", None, done);
            }
            UserEvent::Account { reason: AccountReason::Funding, symbol, balances: Some(rows), .. } => {
                self.on_funding(rows, symbol, at)?;
            }
            UserEvent::Configured { leverage, multi_assets } => {
                self.on_configured(leverage, multi_assets, at);
            }
            UserEvent::MarginCall { positions } => self.on_margin_call(positions, at),
            // Wallets and positions are compared when the account is asked for; an early fill is told again with its
            // sum, by which it is booked.
            _ => {}
        }
        Ok(())
    }

    /// Somebody set the account, perhaps this engine at its start.
    #[cold]
    fn on_configured(&mut self, leverage: Option<(&[u8], u64)>, multi_assets: Option<bool>, at: Nanos) {
        let leverage = leverage.map(|(symbol, is)| format!("{}: {is}", String::from_utf8_lossy(symbol)));
        let multi_assets =
            multi_assets.map(|is_on| format!("multi-assets mode {}", if is_on { "on" } else { "off" }));
        for (what, message) in [("the leverage was set", leverage), ("the asset mode was set", multi_assets)]
        {
            let Some(message) = message else { continue };
            // Each of them, however soon after another symbol's.
            self.remarks.tell(Remark::new(at, what, 0, "Orders go on."), message.as_bytes());
        }
        self.counts.remarks_lost = self.remarks.lost;
    }

    /// What the venue asks margin for, as far as it can be read: the line matters more than any of its numbers.
    #[cold]
    fn on_margin_call(&mut self, positions: Option<Value<'_>>, at: Nanos) {
        let mut message = String::new();
        let rows = positions.and_then(|rows| rows.elements().ok());
        for row in rows.into_iter().flatten().flatten() {
            let Ok(fields) = row.fields(&["s", "pa", "mp", "up", "mm"]) else { continue };
            let text = |key: &'static str| {
                let words = fields.present(key).and_then(|value| value.words().ok());
                String::from_utf8_lossy(words.unwrap_or(b"?")).into_owned()
            };
            message += if message.is_empty() { "" } else { "; " };
            // Writing to a string cannot fail.
            let _ = write!(message, "{} {} at {}, profit {}", text("s"), text("pa"), text("mp"), text("up"));
            let _ = write!(message, ", needs {}", text("mm"));
        }
        let done = "Nothing is done about it: add margin, or reduce the position.";
        self.remarks.push(Remark::new(at, "a margin call", 0, done), message.as_bytes());
        self.counts.remarks_lost = self.remarks.lost;
    }

    /// A conditional order of futures; once it is triggered the order that it became has its id and speaks for itself.
    fn on_algo(&mut self, update: &AlgoUpdate<'_>, at: Nanos) {
        let event = match update.state {
            AlgoState::New => AnswerEvent::Accepted,
            AlgoState::Triggering | AlgoState::Finished => return,
            AlgoState::Triggered => AnswerEvent::Triggered,
            AlgoState::Canceled => AnswerEvent::Canceled,
            // It had been taken: what the venue refused is the order that it was to become.
            AlgoState::Rejected | AlgoState::Expired => AnswerEvent::Expired,
        };
        self.tell(at, update.id, event, None);
    }

    fn on_update(&mut self, update: &OrderUpdate<'_>, at: Nanos) {
        let Reported { filled, level, .. } = update.reported;
        if let Some(fill) = update.fill {
            let fee = self.charge(update.instrument, fill.fee, fill.fee_asset);
            let event = AnswerEvent::Filled { fill: fill.level, maker: fill.maker, fee };
            return self.tell(at, update.id, event, Some(filled));
        }
        let event = match update.execution {
            Execution::New if update.was_triggered => AnswerEvent::Triggered,
            Execution::New => AnswerEvent::Accepted,
            Execution::Canceled => AnswerEvent::Canceled,
            Execution::Amended => AnswerEvent::Amended(level),
            Execution::Rejected => AnswerEvent::Rejected,
            Execution::Expired => AnswerEvent::Expired,
            Execution::TradePrevention if update.reported.status.is_final() => AnswerEvent::Expired,
            Execution::TradePrevention | Execution::Trade | Execution::Calculated => return,
        };
        self.tell(at, update.id, event, Some(filled));
    }

    /// Funding was paid on `symbol`; where the venue does not name it, on the only instrument of the session that settles
    /// in the asset, or nobody knows on which.
    fn on_funding(&mut self, rows: Value<'_>, symbol: Option<&[u8]>, at: Nanos) -> Result<(), JsonError> {
        for row in rows.elements()? {
            let fields = row?.fields(&["a", "bc"])?;
            let asset = fields.required("a")?.words()?;
            let amount = fields.required("bc")?.amount()?;
            let settles = |(_, of): &(u32, &Assets)| of.settle.as_bytes() == asset;
            let mut those = (0_u32..).zip(&self.assets).filter(settles).map(|(id, _)| InstrumentId(id));
            let instrument = match symbol {
                Some(symbol) => self.listing.find(symbol).map(|listed| listed.id),
                None => those.next().filter(|_| those.next().is_none()),
            };
            match instrument {
                _ if amount.mantissa == 0 => {}
                Some(instrument) if self.paid.len() < PAID_MAX => {
                    self.paid.push_back((at, Paid { instrument, amount }));
                }
                _ => self.counts.unattributed += 1,
            }
        }
        Ok(())
    }

    /// The trades of an order that was asked about, by which its fills are told from the first.
    pub(super) fn on_trades(&mut self, inquiry: &Inquiry, trades: &mut [Trade<'_>], at: Nanos) {
        trades.sort_unstable_by_key(|trade| trade.trade_id);
        let sum = trades.iter().try_fold(0_i64, |sum, trade| sum.checked_add(trade.level.qty.0));
        let are_its = trades.iter().all(|trade| trade.venue_order_id == inquiry.report.venue_order_id);
        // Lists may lag behind the order.
        if !are_its || sum != Some(inquiry.reported.filled.0) {
            return self.standing_is_unknown(inquiry, at);
        }
        let mut filled = Qty(0);
        for trade in trades.iter() {
            filled.0 += trade.level.qty.0;
            let fee = self.charge(trade.instrument, trade.fee, trade.fee_asset);
            let event = AnswerEvent::Filled { fill: trade.level, maker: trade.maker, fee };
            self.tell(at, inquiry.report.id, event, Some(filled));
        }
        let standing = Standing::Exists { state: state_of(&inquiry.reported), filled };
        self.tell(at, inquiry.report.id, AnswerEvent::Standing(standing), None);
    }

    pub(super) fn standing_is_unknown(&mut self, inquiry: &Inquiry, at: Nanos) {
        self.tell(at, inquiry.report.id, AnswerEvent::Standing(Standing::Unknown), None);
    }
}

const NO_SUCH_ORDER: i32 = -2013;
const TOO_MANY_ORDERS: i32 = -1015;
/// The status of an address that is banned.
const BANNED: u16 = 418;
/// REST's headers of what is used, and of which limit, whose height they do not say.
const HEADERS: &[(&str, Limit)] = &[
    ("X-MBX-USED-WEIGHT-1M", limit_of(Counted::Weight, 60_000)),
    ("X-MBX-ORDER-COUNT-10S", limit_of(Counted::Orders, 10_000)),
    ("X-MBX-ORDER-COUNT-1M", limit_of(Counted::Orders, 60_000)),
    ("X-MBX-ORDER-COUNT-1D", limit_of(Counted::Orders, 86_400_000)),
];

const fn limit_of(counted: Counted, window_ms: u64) -> Limit {
    Limit { counted, window_ns: Nanos::from_ms(window_ms), max: 0 }
}

/// The refusal that an answer of REST is; `Retry-After` is in seconds there.
fn refusal_of<'t>(response: &Response<'t>, venue_now: Nanos) -> Refusal<'t> {
    let after_ms = response.number("Retry-After").map(|seconds| seconds.saturating_mul(1_000));
    let retry_after_ms = after_ms.map(|ms| venue_now.as_ms().saturating_add(ms));
    let mut refusal = rest_refusal(response.body).unwrap_or_else(|| Refusal::wordless(response.body));
    refusal.retry_after_ms = retry_after_ms.or(refusal.retry_after_ms);
    refusal
}

#[expect(clippy::cast_possible_truncation, reason = "the low bits are meant")]
const fn place(number: u64) -> usize {
    number as usize & (SENT_MAX - 1)
}

const fn state_of(reported: &Reported) -> VenueState {
    match reported.status {
        Status::New | Status::PartiallyFilled | Status::PendingCancel => VenueState::Open(reported.level),
        Status::Filled => VenueState::Filled,
        Status::Canceled => VenueState::Canceled,
        Status::Rejected => VenueState::Rejected,
        Status::Expired | Status::ExpiredInMatch => VenueState::Expired,
    }
}

fn count_of(limit: &RateLimit) -> Option<(Limit, u64)> {
    let counted = match limit.kind {
        RateLimitKind::Orders => Counted::Orders,
        RateLimitKind::RequestWeight => Counted::Weight,
        RateLimitKind::Other => return None,
    };
    Some((Limit { counted, window_ns: limit.window, max: limit.limit }, limit.used))
}

#[cfg(test)]
pub(super) mod tests;
