//! What was sent and what came back, without a socket or a clock: each answer finds its request by number, each event
//! its order by client order id, and both become what the order manager understands.

use super::super::errors::{ErrorAction, action_of};
use super::super::heard::{
    AccountReason, Answer as Heard, Execution, Listing, OrderReport, OrderUpdate, Outcome, RateLimit,
    RateLimitKind, Refusal, Reported, Status, Trade, UserEvent,
};
use crate::client_order_id::ClientOrderId;
use crate::counterparty::{Answer, AnswerEvent, Charge, ChargeAsset, Paid, Standing, VenueState};
use crate::throttle::{Counted, Limit, Pass, Throttle};
use engine::ids::InstrumentId;
use engine::instrument::{ContractKind, Instrument};
use engine::num::{Decimal, Qty};
use engine::time::Nanos;
use std::collections::VecDeque;
use wire::json::{JsonError, Value};

/// What a request was for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    Place,
    Cancel,
    Amend,
    Query,
    /// A listen key, or that it goes on living.
    ListenKey,
}

/// A request that was not answered yet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sent {
    pub(super) number: u64,
    pub(super) asked: Asked,
    pub(super) id: ClientOrderId,
    pub(super) at: Nanos,
    pub(super) pass: Pass,
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
    answers: VecDeque<(Nanos, Answer)>,
    /// Funding that was paid, until it is taken.
    paid: VecDeque<(Nanos, Paid)>,
    /// By instrument: what it settles in, and its base asset.
    assets: Vec<Assets>,
    pub(super) inquiries: VecDeque<Inquiry>,
    pub(super) counts: SessionCounts,
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

/// Requests under way, a power of two: far more than a venue takes in the time of an answer.
const SENT_MAX: usize = 2_048;
const ANSWERS_MAX: usize = 8_192;
/// Payments of funding that are not taken yet.
const PAID_MAX: usize = 256;
/// After so long nobody answers any more: the venue's own limit is 10 s.
const ANSWER_NS_MAX: Nanos = Nanos::from_ms(12_000);
/// What the venue allows a time stamp to lie ahead.
const AHEAD_NS: Nanos = Nanos::SECOND;

impl Ledger {
    pub(super) fn new(
        kind: ContractKind,
        instruments: &[Instrument],
        limits: &[Limit],
        recv_window_ms: u32,
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
        Self {
            kind,
            listing: Listing::new(instruments),
            assets,
            paid: VecDeque::with_capacity(PAID_MAX),
            throttle: Throttle::new(limits),
            sent: vec![None; SENT_MAX].into(),
            order: VecDeque::with_capacity(SENT_MAX),
            answers: VecDeque::with_capacity(ANSWERS_MAX),
            inquiries: VecDeque::with_capacity(SENT_MAX),
            counts: SessionCounts::default(),
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
        self.sent.get(place(number)).is_some_and(Option::is_none)
    }

    pub(super) fn sent(&mut self, sent: Sent) {
        if let Some(slot) = self.sent.get_mut(place(sent.number)) {
            *slot = Some(sent);
            self.order.push_back(sent.number);
        }
    }

    fn take(&mut self, number: u64) -> Option<Sent> {
        self.sent.get_mut(place(number))?.take_if(|sent| sent.number == number)
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
                Some(sent) if now < sent.at.plus(self.window_ns).plus(ANSWER_NS_MAX) => return,
                Some(sent) => {
                    self.throttle.give_up(sent.pass);
                    self.take(number);
                }
                None => {}
            }
            self.order.pop_front();
        }
    }

    pub(super) fn next_answer(&mut self, now: Nanos) -> Option<(Nanos, Answer)> {
        self.answers.pop_front_if(|(at, _)| *at <= now)
    }

    fn tell(&mut self, at: Nanos, id: ClientOrderId, event: AnswerEvent, filled: Option<Qty>) {
        if self.answers.len() == ANSWERS_MAX {
            self.has_overflowed = true;
            return;
        }
        self.answers.push_back((at, Answer { id, event, filled }));
    }

    /// A text frame of either connection; `venue_now` is the venue's time. Returns a listen key, if it is the answer
    /// to the wish for one.
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
        if answer.id.is_none() && answer.status == 401 {
            self.stopped = Some("the session's key was revoked or lost a permission");
            return None;
        }
        let sent = answer.id.and_then(|number| self.take(number));
        let counts = answer.limits().into_iter().flatten().flatten().filter_map(|limit| count_of(&limit));
        match &sent {
            Some(sent) => self.throttle.answered(sent.pass, counts, venue_now),
            None => {
                for (limit, used) in counts {
                    self.throttle.corrected(limit.counted, limit.window_ns, used, venue_now);
                }
            }
        }
        // The session's own requests are answered to it.
        let Some(sent) = sent else {
            self.counts.unmatched += 1;
            return None;
        };
        match answer.outcome {
            Outcome::Done(result) if sent.asked == Asked::ListenKey => {
                let key = result.fields(&["listenKey"]).ok()?.optional("listenKey")?;
                return key.text().ok();
            }
            Outcome::Done(result) => {
                if self.on_done(&sent, result, at).is_err() {
                    self.counts.unreadable += 1;
                    self.is_in_doubt = true;
                }
            }
            Outcome::Refused(refusal) => self.on_refused(&sent, answer.status, &refusal, at, venue_now),
        }
        None
    }

    fn on_done(&mut self, sent: &Sent, result: Value<'_>, at: Nanos) -> Result<(), JsonError> {
        match sent.asked {
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
                    Some(reported) if !self.may_still_change(&sent.id, sent.at) => {
                        self.inquiries.push_back(Inquiry { report, reported });
                    }
                    _ => self.tell(at, sent.id, AnswerEvent::Standing(Standing::Unknown), None),
                }
            }
            Asked::ListenKey => {}
        }
        Ok(())
    }

    fn on_refused(&mut self, sent: &Sent, status: u16, refusal: &Refusal<'_>, at: Nanos, venue_now: Nanos) {
        self.counts.refused += 1;
        let action = action_of(self.kind, status, refusal);
        match action {
            ErrorAction::Stop => self.stopped = Some("the venue refuses the account or its key"),
            ErrorAction::SignAgain => self.is_clock_off = true,
            ErrorAction::Pause => self.pause(refusal, venue_now),
            _ => {}
        }
        let event = match (sent.asked, action) {
            (Asked::Query, _) => {
                let is_absent = refusal.code == NO_SUCH_ORDER && !self.may_still_change(&sent.id, sent.at);
                AnswerEvent::Standing(if is_absent { Standing::Absent } else { Standing::Unknown })
            }
            (Asked::ListenKey, _) => {
                self.is_stream_over = true;
                return;
            }
            // The manager asks what became of an order whose cancel was refused.
            (Asked::Cancel, _) => AnswerEvent::CancelRefused,
            // Not answered: when the answer is overdue the order is unknown and asked about.
            (Asked::Place | Asked::Amend, ErrorAction::Resolve) => return,
            (Asked::Place, _) => AnswerEvent::Rejected,
            (Asked::Amend, _) => AnswerEvent::AmendRefused,
        };
        self.tell(at, sent.id, event, None);
    }

    fn pause(&mut self, refusal: &Refusal<'_>, venue_now: Nanos) {
        let is_orders = refusal.code == TOO_MANY_ORDERS;
        let counted = if is_orders { Counted::Orders } else { Counted::Weight };
        let turns = || self.throttle.turns_at(counted, venue_now).unwrap_or(venue_now.plus(ANSWER_NS_MAX));
        let until = refusal.retry_after_ms.map_or_else(turns, Nanos::from_ms);
        if is_orders {
            self.throttle.pause_orders(until);
        } else {
            self.throttle.pause(until);
        }
    }

    /// Whether a placement or an amendment of the order was under way at `asked_at` that the venue may still take.
    fn may_still_change(&self, id: &ClientOrderId, asked_at: Nanos) -> bool {
        self.order.iter().filter_map(|number| self.sent.get(place(*number)).copied().flatten()).any(|sent| {
            matches!(sent.asked, Asked::Place | Asked::Amend)
                && sent.id == *id
                && asked_at < sent.at.plus(self.window_ns)
        })
    }

    fn on_event(&mut self, frame: &[u8], at: Nanos) -> Result<(), JsonError> {
        match UserEvent::read(frame, &self.listing)? {
            UserEvent::Order(update) => self.on_update(&update, at),
            UserEvent::ForeignOrder { .. } => self.counts.foreign += 1,
            UserEvent::Ended => self.is_stream_over = true,
            UserEvent::Account { reason: AccountReason::Funding, symbol, balances: Some(rows), .. } => {
                self.on_funding(rows, symbol, at)?;
            }
            // Wallets and positions are compared when the account is asked for; an early fill is told again with its
            // sum, by which it is booked.
            _ => {}
        }
        Ok(())
    }

    fn on_update(&mut self, update: &OrderUpdate<'_>, at: Nanos) {
        let Reported { filled, level, .. } = update.reported;
        if let Some(fill) = update.fill {
            let fee = self.charge(update.instrument, fill.fee, fill.fee_asset);
            let event = AnswerEvent::Filled { fill: fill.level, maker: fill.maker, fee };
            return self.tell(at, update.id, event, Some(filled));
        }
        let event = match update.execution {
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
mod tests {
    use super::*;
    use crate::throttle::{Cost, Priority};
    use engine::ids::VenueId;
    use engine::instrument::{PriceRule, Status as Trading};
    use engine::num::{Level, Price, Side, Step};
    use wire::json::Value;

    const AT: Nanos = Nanos::from_ms(1_700_000_003_000);
    const WINDOW_MS: u32 = 2_000;

    fn ledger() -> Ledger {
        let instrument = Instrument {
            id: InstrumentId(0),
            venue_id: VenueId(0),
            venue: "binance-usdm".into(),
            symbol: "BTCUSDT".into(),
            base: "BTC".into(),
            quote: "USDT".into(),
            kind: ContractKind::Linear,
            price_rule: PriceRule { tick: Step::parse(b"0.1").unwrap(), significant_figures: None },
            qty_unit: Step::parse(b"0.001").unwrap(),
            lot: Qty(1),
            qty_min: Qty(1),
            qty_max: Qty(1_000),
            notional_min: Decimal::ZERO,
            contract_size: Step::ONE,
            status: Trading::Trading,
            source: "test".into(),
        };
        let limits = [Limit { counted: Counted::Orders, window_ns: Nanos::from_ms(10_000), max: 100 }];
        Ledger::new(ContractKind::Linear, &[instrument], &limits, WINDOW_MS)
    }

    fn id() -> ClientOrderId {
        ClientOrderId::from_bytes(b"a1").unwrap()
    }

    fn ask(ledger: &mut Ledger, number: u64, asked: Asked, at: Nanos) {
        let pass = ledger.throttle.ask(Priority::Cancel, Cost { weight: 1, orders: 1 }, at).unwrap();
        assert!(ledger.has_room(number));
        ledger.sent(Sent { number, asked, id: id(), at, pass });
    }

    fn said(ledger: &mut Ledger) -> Vec<(AnswerEvent, Option<Qty>)> {
        std::iter::from_fn(|| ledger.next_answer(Nanos::MAX))
            .map(|(_, one)| (one.event, one.filled))
            .collect()
    }

    fn refused(number: u64, status: u16, code: i32) -> String {
        format!(r#"{{"id":"{number}","status":{status},"error":{{"code":{code},"msg":"no"}}}}"#)
    }

    const FILL: &[u8] = br#"{"e":"ORDER_TRADE_UPDATE","T":1,"E":2,"o":{"s":"BTCUSDT","c":"a1","S":"BUY","q":"0.003","p":"100.0","x":"TRADE","X":"PARTIALLY_FILLED","i":8,"l":"0.001","z":"0.001","L":"100.0","N":"USDT","n":"0","T":3,"t":12,"m":true}}"#;
    const OPEN: &str = r#"{"symbol":"BTCUSDT","orderId":8,"clientOrderId":"a1","price":"100.0","origQty":"0.003","executedQty":"0.003","status":"FILLED","side":"BUY","updateTime":3}"#;

    fn trade(trade_id: u64, qty: i64, venue_order_id: u64) -> Trade<'static> {
        Trade {
            instrument: InstrumentId(0),
            trade_id,
            venue_order_id,
            side: Side::Buy,
            level: Level { price: Price(1_000), qty: Qty(qty) },
            maker: true,
            fee: Decimal::ZERO,
            fee_asset: b"USDT",
            at: AT,
        }
    }

    #[test]
    fn a_fill_that_overtakes_its_acknowledgement_is_told_first() {
        let mut ledger = ledger();
        ask(&mut ledger, 1, Asked::Place, AT);
        ledger.on_text(FILL, AT, AT);
        let ack = format!(r#"{{"id":"1","status":200,"result":{OPEN}}}"#);
        ledger.on_text(ack.as_bytes(), AT, AT);
        let fill = Level { price: Price(1_000), qty: Qty(1) };
        let told = [
            (
                AnswerEvent::Filled {
                    fill,
                    maker: true,
                    fee: Some(Charge { amount: Decimal::parse("0").unwrap(), asset: ChargeAsset::Settle }),
                },
                Some(Qty(1)),
            ),
            (AnswerEvent::Accepted, None),
        ];
        assert_eq!(said(&mut ledger), told);
        assert!(!ledger.has_overflowed && ledger.stopped.is_none());
    }

    #[test]
    fn an_order_is_absent_only_once_a_request_for_it_would_be_refused() {
        let window = u64::from(WINDOW_MS) + 1_000;
        for (later_ms, standing) in [(window - 1, Standing::Unknown), (window, Standing::Absent)] {
            let mut ledger = ledger();
            ask(&mut ledger, 1, Asked::Place, AT);
            let later = AT.plus(Nanos::from_ms(later_ms));
            ask(&mut ledger, 2, Asked::Query, later);
            ledger.on_text(refused(2, 400, -2013).as_bytes(), later, later);
            assert_eq!(said(&mut ledger), [(AnswerEvent::Standing(standing), None)]);
        }
        // Another refusal says nothing of the order.
        let mut ledger = ledger();
        ask(&mut ledger, 2, Asked::Query, AT);
        ledger.on_text(refused(2, 400, -1000).as_bytes(), AT, AT);
        assert_eq!(said(&mut ledger), [(AnswerEvent::Standing(Standing::Unknown), None)]);
    }

    #[test]
    fn an_order_that_traded_is_answered_behind_its_trades_and_only_by_their_sum() {
        let mut ledger = ledger();
        ask(&mut ledger, 1, Asked::Query, AT);
        ledger.on_text(format!(r#"{{"id":"1","status":200,"result":{OPEN}}}"#).as_bytes(), AT, AT);
        assert!(said(&mut ledger).is_empty());
        let inquiry = ledger.inquiries.pop_front().unwrap();
        for mut rows in [vec![trade(1, 2, 8)], vec![trade(1, 2, 8), trade(2, 1, 9)], vec![]] {
            ledger.on_trades(&inquiry, &mut rows, AT);
            assert_eq!(said(&mut ledger), [(AnswerEvent::Standing(Standing::Unknown), None)]);
        }
        ledger.on_trades(&inquiry, &mut [trade(2, 1, 8), trade(1, 2, 8)], AT);
        let sums: Vec<_> = said(&mut ledger).into_iter().map(|(_, filled)| filled).collect();
        assert_eq!(sums, [Some(Qty(2)), Some(Qty(3)), None]);
    }

    #[test]
    fn what_leaves_the_outcome_open_is_not_answered_and_the_rest_is() {
        let mut ledger = ledger();
        for (number, asked, code, expected) in [
            (1, Asked::Place, -1007, None),
            (2, Asked::Place, -4116, None),
            (3, Asked::Place, -5022, Some(AnswerEvent::Rejected)),
            (4, Asked::Amend, -5027, Some(AnswerEvent::AmendRefused)),
            (5, Asked::Amend, -1006, None),
            (6, Asked::Cancel, -2011, Some(AnswerEvent::CancelRefused)),
            (7, Asked::Place, -1021, Some(AnswerEvent::Rejected)),
        ] {
            ask(&mut ledger, number, asked, AT);
            ledger.on_text(refused(number, 400, code).as_bytes(), AT, AT);
            let told: Vec<_> = said(&mut ledger).into_iter().map(|(event, _)| event).collect();
            assert_eq!(told, expected.into_iter().collect::<Vec<_>>(), "{code}");
        }
        assert!(ledger.is_clock_off && ledger.stopped.is_none());
        ask(&mut ledger, 8, Asked::Place, AT);
        ledger.on_text(refused(8, 400, -1022).as_bytes(), AT, AT);
        assert!(ledger.stopped.is_some());
    }

    #[test]
    fn a_used_up_limit_holds_orders_back_and_a_ban_everything() {
        let mut ledger = ledger();
        ask(&mut ledger, 1, Asked::Place, AT);
        ledger.on_text(refused(1, 429, -1015).as_bytes(), AT, AT);
        let (order, cancel) = (Cost { weight: 0, orders: 1 }, Cost { weight: 1, orders: 0 });
        assert_eq!(ledger.throttle.ask(Priority::New, order, AT), Err(AT.plus(Nanos::from_ms(7_500))));
        assert!(ledger.throttle.ask(Priority::Cancel, cancel, AT).is_ok());
        ask(&mut ledger, 2, Asked::Cancel, AT.plus(Nanos::from_ms(8_000)));
        let until = AT.plus(Nanos::from_ms(60_000));
        let banned = format!(
            r#"{{"id":"2","status":429,"error":{{"code":-1003,"msg":"x","data":{{"retryAfter":{}}}}}}}"#,
            until.as_ms()
        );
        ledger.on_text(banned.as_bytes(), AT, AT);
        assert_eq!(ledger.throttle.ask(Priority::Cancel, cancel, AT), Err(until));
    }

    #[test]
    fn what_cannot_be_read_puts_everything_in_doubt_and_a_lost_session_stops() {
        let mut ledger = ledger();
        ledger.on_text(b"{\"e\":\"ORDER_TRADE_UPDATE\",\"o\":{}}", AT, AT);
        assert!(ledger.is_in_doubt && ledger.counts.unreadable == 1);
        ledger.on_text(b"{\"e\":\"listenKeyExpired\",\"E\":\"1\",\"listenKey\":\"k\"}", AT, AT);
        assert!(ledger.is_stream_over);
        ledger.on_text(
            br#"{"id":null,"status":401,"error":{"code":-2015,"msg":"Invalid API-key."}}"#,
            AT,
            AT,
        );
        assert!(ledger.stopped.is_some());
        ledger.on_text(refused(77, 400, -1000).as_bytes(), AT, AT);
        assert_eq!(ledger.counts.unmatched, 1);
        assert!(Value::root(OPEN.as_bytes()).check().is_ok());
    }

    #[test]
    fn what_nobody_answers_is_given_up_in_time() {
        let mut ledger = ledger();
        ask(&mut ledger, 1, Asked::Cancel, AT);
        ledger.expire(AT.plus(Nanos::from_ms(14_999)));
        assert!(!ledger.order.is_empty());
        ledger.expire(AT.plus(Nanos::from_ms(15_000)));
        assert!(ledger.order.is_empty());
        ledger.on_text(refused(1, 400, -2011).as_bytes(), AT, AT);
        assert!(said(&mut ledger).is_empty());
    }
}
