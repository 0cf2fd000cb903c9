//! The paper exchange: a counterparty that takes the bytes of an order as a venue would, and answers from the
//! recorded or live market.
//!
//! A request travels for the entry latency, is matched when it arrives, and its answer travels for the response
//! latency; in between the market goes on. All of it is event time: the exchange has no clock. Requests and market
//! data are taken in the order of their times; of equal ones, requests that were on their way come first. The
//! market is believed as it was recorded: our orders take from it, and it does not react.
//!
//! ```text
//! request(bytes, now) ──entry──▶ matching ──response──▶ next_answer(now)
//!                                    ▲
//!        on_snapshot, on_delta, on_trade, on_ticker
//! ```
//!
//! It speaks Binance's order protocol whatever the venue of the market data is.

pub mod depth;
pub mod matching;
pub mod queue;
pub mod request;
pub mod venue;

use crate::client_order_id::ClientOrderId;
use crate::counterparty::{Answer, AnswerEvent};
use engine::book::BookConfig;
use engine::ids::{InstrumentId, VenueId};
use engine::instrument::InstrumentTable;
use engine::message::Trade;
use engine::num::{Level, Price, Qty, Side};
use engine::order::Tif;
use engine::time::Nanos;
use matching::{Fill, FillModel, Incoming, Matching, Placed};
use queue::QueueModel;
use request::{Request, RequestError, RequestErrorKind, Wants};
use serde::Deserialize;
use std::collections::VecDeque;

/// The exchange's table in the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PaperConfig {
    /// How an order moves up in its queue: `risk_averse`, or `{ power = 3 }`.
    pub queue: QueueModel,
    /// How much of a resting order an event fills: `full` or `partial`.
    pub fills: FillModel,
    /// From decision to exchange, us; 0..=10,000,000.
    pub entry_latency_us: u64,
    /// From exchange to the strategy, us; 0..=10,000,000.
    pub response_latency_us: u64,
}

impl PaperConfig {
    /// Err: the key and what it must be.
    pub fn check(&self) -> Result<(), &'static str> {
        self.queue.check()?;
        if self.entry_latency_us > LATENCY_US_MAX {
            return Err("entry_latency_us must be in 0..=10000000");
        }
        if self.response_latency_us > LATENCY_US_MAX {
            return Err("response_latency_us must be in 0..=10000000");
        }
        Ok(())
    }
}

const LATENCY_US_MAX: u64 = 10_000_000;

/// The exchange.
pub struct PaperExchange {
    table: InstrumentTable,
    config: PaperConfig,
    markets: Vec<Market>,
    /// Orders that rest, by the number that matching knows them by.
    orders: Vec<Option<Known>>,
    requests: VecDeque<(Nanos, Request)>,
    answers: VecDeque<(Nanos, Answer)>,
    clock: Nanos,
    overflowed: bool,
}

struct Market {
    matching: Matching,
    /// Whether its book is known.
    open: bool,
    /// Single trades are printed: aggregates of them say nothing new.
    has_singles: bool,
}

/// An order that rests.
#[derive(Clone, Copy)]
struct Known {
    id: ClientOrderId,
    instrument: InstrumentId,
    side: Side,
    /// Whole quantity, what is filled included.
    qty: Qty,
    filled: Qty,
}

impl PaperExchange {
    /// An exchange without markets yet. Room for `orders_max` orders resting and as many requests on their way;
    /// what is more is rejected. All memory is taken here.
    #[must_use]
    pub fn new(config: PaperConfig, table: &InstrumentTable, book: BookConfig, orders_max: usize) -> Self {
        let market = |lot| Market {
            matching: Matching::new(book, config.queue, config.fills, lot, orders_max),
            open: false,
            has_singles: false,
        };
        Self {
            table: table.clone(),
            config,
            markets: table.iter().map(|instrument| market(instrument.lot)).collect(),
            orders: vec![None; orders_max],
            requests: VecDeque::with_capacity(orders_max),
            answers: VecDeque::with_capacity(ANSWERS_PER_ORDER * orders_max.max(8)),
            clock: Nanos::default(),
            overflowed: false,
        }
    }

    /// The whole book is shown.
    pub fn on_snapshot(&mut self, instrument: InstrumentId, bids: &[Level], asks: &[Level], now: Nanos) {
        self.on_market(instrument, now, |market, desk| {
            market.open = true;
            market.matching.on_snapshot(bids, asks, &mut |fill| desk.filled(&fill));
        });
    }

    /// Levels changed.
    #[inline]
    pub fn on_delta(&mut self, instrument: InstrumentId, bids: &[Level], asks: &[Level], now: Nanos) {
        self.on_market(instrument, now, |market, desk| {
            market.matching.on_delta(bids, asks, &mut |fill| desk.filled(&fill));
        });
    }

    /// The book is not known any more: new orders are rejected until it is shown again; those that rest stay.
    pub fn on_stale(&mut self, instrument: InstrumentId) {
        if let Some(market) = self.markets.get_mut(instrument.index()) {
            market.open = false;
        }
    }

    /// A trade was printed.
    #[inline]
    pub fn on_trade(&mut self, instrument: InstrumentId, trade: &Trade, now: Nanos) {
        let traded = Level { price: trade.price, qty: trade.qty };
        let is_single = trade.aggregate == 0;
        self.on_market(instrument, now, |market, desk| {
            market.has_singles |= is_single;
            if market.has_singles && !is_single {
                return;
            }
            market.matching.on_trade(trade.taker_side(), traded, &mut |fill| desk.filled(&fill));
        });
    }

    /// The best-quote ticker is newer than the book.
    #[inline]
    pub fn on_ticker(&mut self, instrument: InstrumentId, bid: Price, ask: Price, now: Nanos) {
        self.on_market(instrument, now, |market, desk| {
            market.matching.on_ticker(bid, ask, &mut |fill| desk.filled(&fill));
        });
    }

    /// A request leaves for the exchange: the bytes that the venue would get.
    /// Err: it cannot be understood, or too many are on their way; it has no effect.
    pub fn request(&mut self, bytes: &[u8], venue: VenueId, now: Nanos) -> Result<(), RequestError> {
        let request = request::parse(bytes, venue, &self.table)?;
        if self.requests.len() == self.requests.capacity() {
            return Err(RequestError { kind: RequestErrorKind::TooMany, offset: 0 });
        }
        let arrives = now.max(self.clock).plus(Nanos::from_us(self.config.entry_latency_us));
        self.requests.push_back((arrives, request));
        if self.config.entry_latency_us == 0 {
            self.advance(arrives);
        }
        Ok(())
    }

    /// When something is due next: a request at the exchange, or an answer at the strategy.
    #[inline]
    #[must_use]
    pub fn next_due(&self) -> Option<Nanos> {
        match (self.requests.front(), self.answers.front()) {
            (Some((request, _)), Some((answer, _))) => Some(*request.min(answer)),
            (Some((due, _)), None) => Some(*due),
            (None, Some((due, _))) => Some(*due),
            (None, None) => None,
        }
    }

    /// Time passes: every request that is due by `now` reaches its market.
    pub fn advance(&mut self, now: Nanos) {
        while let Some((arrives, request)) = self.requests.pop_front_if(|(arrives, _)| *arrives <= now) {
            self.take(&request, arrives);
        }
        self.clock = self.clock.max(now);
    }

    /// The oldest answer that has arrived by `now`, with its time; handed out once.
    #[inline]
    pub fn next_answer(&mut self, now: Nanos) -> Option<(Nanos, Answer)> {
        if self.answers.front()?.0 > now {
            return None;
        }
        self.answers.pop_front()
    }

    /// Orders that rest.
    #[must_use]
    pub fn resting_count(&self) -> usize {
        self.orders.iter().flatten().count()
    }

    /// An answer was lost for want of room: what the exchange holds is not known any more.
    #[must_use]
    pub const fn has_overflowed(&self) -> bool {
        self.overflowed
    }

    /// A market moves, and what rests in it may fill.
    #[inline]
    fn on_market(
        &mut self,
        instrument: InstrumentId,
        now: Nanos,
        event: impl FnOnce(&mut Market, &mut Desk<'_>),
    ) {
        self.advance(now);
        let when = self.clock.plus(Nanos::from_us(self.config.response_latency_us));
        let Some(market) = self.markets.get_mut(instrument.index()) else { return };
        let mut desk = Desk {
            orders: &mut self.orders,
            answers: &mut self.answers,
            overflowed: &mut self.overflowed,
            when,
        };
        event(market, &mut desk);
    }

    /// A request reaches its market.
    fn take(&mut self, request: &Request, arrived: Nanos) {
        self.clock = self.clock.max(arrived);
        let when = self.clock.plus(Nanos::from_us(self.config.response_latency_us));
        let Some(market) = self.markets.get_mut(request.instrument.index()) else { return };
        let mut desk = Desk {
            orders: &mut self.orders,
            answers: &mut self.answers,
            overflowed: &mut self.overflowed,
            when,
        };
        match request.wants {
            Wants::Place { side, limit, qty, tif } => desk.place(market, request, (side, limit, qty, tif)),
            Wants::Replace { open, side, limit, qty, tif, stops } => {
                if desk.cancel(market, &Request { id: open, ..*request }) || !stops {
                    desk.place(market, request, (side, limit, qty, tif));
                } else {
                    desk.answer(request.id, AnswerEvent::Rejected);
                }
            }
            Wants::Cancel => _ = desk.cancel(market, request),
            Wants::Modify { price, qty } => desk.modify(market, request, Level { price, qty }),
            Wants::Shrink { qty } => desk.shrink(market, request, qty),
        }
    }
}

/// Answers that one order can have before they are taken: its fills level by level, and its end.
const ANSWERS_PER_ORDER: usize = 16;

/// Where requests and fills become answers.
struct Desk<'a> {
    orders: &'a mut [Option<Known>],
    answers: &'a mut VecDeque<(Nanos, Answer)>,
    overflowed: &'a mut bool,
    when: Nanos,
}

impl Desk<'_> {
    fn answer(&mut self, id: ClientOrderId, event: AnswerEvent) {
        if self.answers.len() == self.answers.capacity() {
            *self.overflowed = true;
            return;
        }
        self.answers.push_back((self.when, Answer { id, event }));
    }

    #[inline]
    fn filled(&mut self, fill: &Fill) {
        let slot = usize::try_from(fill.order).ok().and_then(|slot| self.orders.get_mut(slot));
        let Some(slot) = slot else { return };
        let Some(order) = slot else { return };
        order.filled.0 += fill.level.qty.0;
        let id = order.id;
        if fill.done {
            *slot = None;
        }
        self.answer(id, AnswerEvent::Filled { fill: fill.level, maker: fill.maker });
    }

    fn find(&self, request: &Request) -> Option<(usize, Known)> {
        let is_it = |order: &Known| order.id == request.id && order.instrument == request.instrument;
        let mut orders = self.orders.iter().enumerate();
        orders.find_map(|(slot, order)| Some((slot, order.filter(is_it)?)))
    }

    fn place(
        &mut self,
        market: &mut Market,
        request: &Request,
        (side, limit, qty, tif): (Side, Option<Price>, Qty, Tif),
    ) {
        let free = self.orders.iter().position(Option::is_none);
        let (Some(slot), true, None) = (free, market.open, self.find(request)) else {
            return self.answer(request.id, AnswerEvent::Rejected);
        };
        self.orders[slot] =
            Some(Known { id: request.id, instrument: request.instrument, side, qty, filled: Qty(0) });
        // The answer stands before the fills; where the order is turned away, there were none.
        let at = self.answers.len();
        self.answer(request.id, AnswerEvent::Accepted);
        let incoming = Incoming { order: slot as u64, side, limit, qty, tif };
        let event = match market.matching.place(&incoming, &mut |fill| self.filled(&fill)) {
            Placed::Rests | Placed::Filled => return,
            Placed::Expired => {
                self.orders[slot] = None;
                return self.answer(request.id, AnswerEvent::Expired);
            }
            Placed::WouldTake | Placed::Full => AnswerEvent::Rejected,
        };
        self.orders[slot] = None;
        self.answers.truncate(at);
        self.answer(request.id, event);
    }

    /// Whether it was there to be canceled.
    fn cancel(&mut self, market: &mut Market, request: &Request) -> bool {
        let found = self.find(request).filter(|(slot, _)| market.matching.cancel(*slot as u64).is_some());
        if let Some((slot, _)) = found {
            self.orders[slot] = None;
        }
        let event = if found.is_some() { AnswerEvent::Canceled } else { AnswerEvent::CancelRefused };
        self.answer(request.id, event);
        found.is_some()
    }

    /// Another price or quantity: to the end of the queue. An amendment to no more than what is filled cancels.
    fn modify(&mut self, market: &mut Market, request: &Request, level: Level) {
        let Some((slot, order)) = self.find(request).filter(|_| market.open) else {
            return self.answer(request.id, AnswerEvent::AmendRefused);
        };
        // As at the venue: an amended post-only order that would take is canceled.
        if level.qty <= order.filled || market.matching.would_take(order.side, level.price) {
            self.cancel(market, request);
            return;
        }
        if market.matching.cancel(slot as u64).is_none() {
            return self.answer(request.id, AnswerEvent::AmendRefused);
        }
        let qty = Qty(level.qty.0 - order.filled.0);
        let (side, limit, tif) = (order.side, Some(level.price), Tif::PostOnly);
        // It does not take, and there is the room that it had.
        market.matching.place(&Incoming { order: slot as u64, side, limit, qty, tif }, &mut |_| ());
        self.orders[slot] = Some(Known { qty: level.qty, ..order });
        self.answer(request.id, AnswerEvent::Amended(level));
    }

    /// Less to trade, in its place.
    fn shrink(&mut self, market: &mut Market, request: &Request, qty: Qty) {
        let Some((slot, order)) = self.find(request).filter(|(_, order)| qty < order.qty) else {
            return self.answer(request.id, AnswerEvent::AmendRefused);
        };
        if qty <= order.filled {
            self.cancel(market, request);
            return;
        }
        let left = Qty(qty.0 - order.filled.0);
        let level = market.matching.find(slot as u64).filter(|_| market.matching.reduce(slot as u64, left));
        let event = match level {
            Some(level) => {
                self.orders[slot] = Some(Known { qty, ..order });
                AnswerEvent::Amended(Level { qty, ..level })
            }
            None => AnswerEvent::AmendRefused,
        };
        self.answer(request.id, event);
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::client_order_id::ClientOrderIds;
    use engine::instrument::{ContractKind, Instrument, PriceRule, Status};
    use engine::num::{Decimal, Step};

    pub(crate) fn table() -> InstrumentTable {
        let step = |text: &str| Step::parse(text.as_bytes()).unwrap();
        let mut table = InstrumentTable::default();
        table.add(Instrument {
            id: InstrumentId(0),
            venue_id: VenueId(0),
            venue: "binance-usdm".into(),
            symbol: "BTCUSDT".into(),
            base: "BTC".into(),
            quote: "USDT".into(),
            kind: ContractKind::Linear,
            price_rule: PriceRule { tick: step("0.1"), significant_figures: None },
            qty_unit: step("0.001"),
            lot: Qty(1),
            qty_min: Qty(1),
            qty_max: Qty(1_000_000),
            notional_min: Decimal::ZERO,
            contract_size: Step::ONE,
            status: Status::Trading,
            source: "test".into(),
        });
        table
    }

    const I: InstrumentId = InstrumentId(0);

    fn level(price: i64, qty: i64) -> Level {
        Level { price: Price(price), qty: Qty(qty) }
    }

    fn exchange(entry_latency_us: u64, response_latency_us: u64) -> PaperExchange {
        let config = PaperConfig {
            queue: QueueModel::RiskAverse,
            fills: FillModel::Full,
            entry_latency_us,
            response_latency_us,
        };
        let book = BookConfig::new(256, 1024).unwrap();
        let mut exchange = PaperExchange::new(config, &table(), book, 8);
        exchange.on_snapshot(I, &[level(1000, 5)], &[level(1001, 5)], Nanos(0));
        exchange
    }

    fn id(seq: u64) -> ClientOrderId {
        ClientOrderIds::new(0, 1).id(seq)
    }

    fn place(
        exchange: &mut PaperExchange,
        seq: u64,
        side: &str,
        tif: &str,
        price: &str,
        qty: &str,
        now: u64,
    ) {
        let id = id(seq);
        let text = format!(
            r#"{{"id":"{seq}","method":"order.place","params":{{"symbol":"BTCUSDT","side":"{side}","type":"LIMIT","timeInForce":"{tif}","price":"{price}","quantity":"{qty}","newClientOrderId":"{id:?}"}}}}"#
        );
        exchange.request(text.as_bytes(), VenueId(0), Nanos(now)).unwrap();
    }

    fn about(exchange: &mut PaperExchange, method: &str, seq: u64, more: &str, now: u64) {
        let id = id(seq);
        let text = format!(
            r#"{{"id":"9","method":"{method}","params":{{"symbol":"BTCUSDT","origClientOrderId":"{id:?}"{more}}}}}"#
        );
        exchange.request(text.as_bytes(), VenueId(0), Nanos(now)).unwrap();
    }

    fn answers(exchange: &mut PaperExchange, now: u64) -> Vec<(u64, AnswerEvent)> {
        std::iter::from_fn(|| exchange.next_answer(Nanos(now)))
            .map(|(at, answer)| (at.0, answer.event))
            .collect()
    }

    fn filled(price: i64, qty: i64, maker: bool) -> AnswerEvent {
        AnswerEvent::Filled { fill: level(price, qty), maker }
    }

    #[test]
    fn without_latency_an_answer_is_there_at_once() {
        let mut exchange = exchange(0, 0);
        place(&mut exchange, 1, "BUY", "GTX", "100.0", "0.002", 10);
        assert_eq!(answers(&mut exchange, 10), [(10, AnswerEvent::Accepted)]);
        place(&mut exchange, 2, "BUY", "GTX", "100.1", "0.002", 11);
        assert_eq!(answers(&mut exchange, 11), [(11, AnswerEvent::Rejected)]);
        exchange.on_delta(I, &[], &[level(1000, 1)], Nanos(12));
        assert_eq!(answers(&mut exchange, 12), [(12, filled(1000, 2, true))]);
        about(&mut exchange, "order.cancel", 1, "", 13);
        assert_eq!(answers(&mut exchange, 13), [(13, AnswerEvent::CancelRefused)]);
        assert_eq!(exchange.resting_count(), 0);
    }

    #[test]
    fn requests_and_answers_travel_while_the_market_goes_on() {
        let mut exchange = exchange(10, 5);
        place(&mut exchange, 1, "BUY", "GTX", "100.0", "0.002", 1_000);
        assert_eq!(exchange.next_due(), Some(Nanos(11_000)));
        // The ask reaches the price while the order is on its way: it would take when it arrives.
        exchange.on_delta(I, &[], &[level(1000, 1)], Nanos(5_000));
        exchange.advance(Nanos(11_000));
        assert_eq!(answers(&mut exchange, 15_999), []);
        assert_eq!(exchange.next_due(), Some(Nanos(16_000)));
        assert_eq!(answers(&mut exchange, 16_000), [(16_000, AnswerEvent::Rejected)]);
        // A cancel that arrives behind the fill.
        place(&mut exchange, 2, "SELL", "GTX", "100.1", "0.002", 20_000);
        exchange.advance(Nanos(30_000));
        about(&mut exchange, "order.cancel", 2, "", 31_000);
        let trade = Trade { price: Price(1002), qty: Qty(1), taker: 0, ..Trade::default() };
        exchange.on_trade(I, &trade, Nanos(32_000));
        exchange.advance(Nanos(41_000));
        assert_eq!(
            answers(&mut exchange, 50_000),
            [
                (35_000, AnswerEvent::Accepted),
                (37_000, filled(1001, 2, true)),
                (46_000, AnswerEvent::CancelRefused)
            ]
        );
        assert_eq!(exchange.next_due(), None);
    }

    #[test]
    fn taking_orders_fill_and_what_may_not_rest_expires() {
        let mut exchange = exchange(0, 0);
        place(&mut exchange, 1, "BUY", "IOC", "100.1", "0.009", 1);
        let taken = [(1, AnswerEvent::Accepted), (1, filled(1001, 5, false)), (1, AnswerEvent::Expired)];
        assert_eq!(answers(&mut exchange, 1), taken);
        place(&mut exchange, 2, "SELL", "FOK", "100.0", "0.006", 2);
        assert_eq!(answers(&mut exchange, 2), [(2, AnswerEvent::Accepted), (2, AnswerEvent::Expired)]);
        place(&mut exchange, 3, "SELL", "GTC", "100.0", "0.006", 3);
        assert_eq!(answers(&mut exchange, 3), [(3, AnswerEvent::Accepted), (3, filled(1000, 5, false))]);
        assert_eq!(exchange.resting_count(), 1);
    }

    #[test]
    fn amendments_change_price_and_quantity_and_never_take() {
        let mut exchange = exchange(0, 0);
        place(&mut exchange, 1, "BUY", "GTX", "99.9", "0.006", 1);
        about(&mut exchange, "order.modify", 1, r#","price":"100.0","quantity":"0.004""#, 2);
        about(&mut exchange, "order.amend.keepPriority", 1, r#","newQty":"0.003""#, 4);
        about(&mut exchange, "order.amend.keepPriority", 1, r#","newQty":"0.003""#, 5);
        about(&mut exchange, "order.modify", 7, r#","price":"100.0","quantity":"0.004""#, 6);
        about(&mut exchange, "order.modify", 1, r#","price":"100.1","quantity":"0.004""#, 7);
        let expected = [
            (1, AnswerEvent::Accepted),
            (2, AnswerEvent::Amended(level(1000, 4))),
            (4, AnswerEvent::Amended(level(1000, 3))),
            (5, AnswerEvent::AmendRefused),
            (6, AnswerEvent::AmendRefused),
            (7, AnswerEvent::Canceled),
        ];
        assert_eq!(answers(&mut exchange, 9), expected);
        assert_eq!(exchange.resting_count(), 0);
    }

    #[test]
    fn an_amended_order_fills_at_its_new_price() {
        let mut exchange = exchange(0, 0);
        place(&mut exchange, 1, "BUY", "GTX", "99.9", "0.006", 1);
        about(&mut exchange, "order.modify", 1, r#","price":"100.0","quantity":"0.003""#, 2);
        let trade = Trade { price: Price(999), qty: Qty(1), taker: 1, ..Trade::default() };
        exchange.on_trade(I, &trade, Nanos(10));
        assert_eq!(answers(&mut exchange, 10).last(), Some(&(10, filled(1000, 3, true))));
    }

    #[test]
    fn nothing_is_taken_on_a_book_that_is_not_known_or_under_an_id_in_use() {
        let mut exchange = exchange(0, 0);
        place(&mut exchange, 1, "BUY", "GTX", "99.9", "0.006", 1);
        place(&mut exchange, 1, "BUY", "GTX", "99.9", "0.006", 2);
        exchange.on_stale(I);
        place(&mut exchange, 2, "BUY", "GTX", "99.9", "0.006", 3);
        about(&mut exchange, "order.cancel", 1, "", 4);
        let rejected = AnswerEvent::Rejected;
        let expected = [(1, AnswerEvent::Accepted), (2, rejected), (3, rejected), (4, AnswerEvent::Canceled)];
        assert_eq!(answers(&mut exchange, 4), expected);
        exchange.on_snapshot(I, &[level(1000, 5)], &[level(1001, 5)], Nanos(5));
        place(&mut exchange, 2, "BUY", "GTX", "99.9", "0.006", 6);
        assert_eq!(answers(&mut exchange, 6), [(6, AnswerEvent::Accepted)]);
    }

    #[test]
    fn a_trade_counts_once_where_aggregates_are_printed_too() {
        let mut exchange = exchange(0, 0);
        place(&mut exchange, 1, "BUY", "GTX", "100.0", "0.002", 1);
        let single = Trade { price: Price(1000), qty: Qty(3), taker: 1, ..Trade::default() };
        // Five stand before it: three traded, told twice, leave two.
        for trade in [single, Trade { aggregate: 1, ..single }] {
            exchange.on_trade(I, &trade, Nanos(2));
        }
        assert_eq!(answers(&mut exchange, 2), [(1, AnswerEvent::Accepted)]);
        exchange.on_trade(I, &single, Nanos(3));
        assert_eq!(answers(&mut exchange, 3), [(3, filled(1000, 2, true))]);
    }

    #[test]
    fn an_exchange_that_cannot_answer_says_so() {
        let mut exchange = exchange(0, 0);
        for seq in 0..200 {
            place(&mut exchange, seq, "BUY", "GTX", "99.9", "0.006", 1);
        }
        assert!(exchange.has_overflowed());
    }
}
