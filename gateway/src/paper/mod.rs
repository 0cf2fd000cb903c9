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
//! An order that waits for its trigger is woken by trades, as at the venue (`CONTRACT_PRICE`, spot's last price): a buy by
//! one at or above it, a sell by one at or below; where no trades are recorded it waits for ever. A reduce-only order is
//! held to the position whenever something fills: what is beyond it expires.
//!
//! It speaks Binance's order protocol whatever the venue of the market data is.

pub mod depth;
pub mod funding;
mod history;
pub mod matching;
pub mod queue;
pub mod request;
pub mod venue;

use crate::client_order_id::ClientOrderId;
use crate::counterparty::{Account, Answer, AnswerEvent, Standing, VenueOrder, VenueState};
use engine::book::BookConfig;
use engine::ids::{InstrumentId, VenueId};
use engine::instrument::InstrumentTable;
use engine::message::Trade;
use engine::num::{Level, Price, Qty, Side};
use engine::order::Tif;
use engine::time::Nanos;
use history::History;
use matching::{Fill, FillModel, Incoming, Matching, Placed};
use queue::QueueModel;
use request::{NO_INSTRUMENT, NewOrder, Request, RequestError, RequestErrorKind, Wants};
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
    history: History,
    clock: Nanos,
    overflowed: bool,
    /// Orders that wait for a trigger.
    waiting: usize,
    /// Orders placed so far: which of two that wait was first.
    placed: u64,
}

struct Market {
    matching: Matching,
    /// Whether its book is known.
    open: bool,
    /// Single trades are printed: aggregates of them say nothing new.
    has_singles: bool,
    /// The last trade's price.
    last: Option<Price>,
}

/// An order that rests, or waits for its trigger.
#[derive(Clone, Copy)]
struct Known {
    id: ClientOrderId,
    instrument: InstrumentId,
    side: Side,
    /// Whole quantity, what is filled included.
    qty: Qty,
    filled: Qty,
    /// It waits: what it was placed as, and which it was in their order.
    waits: Option<(NewOrder, u64)>,
    /// It only ever reduces the position.
    reduces: bool,
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
            last: None,
        };
        Self {
            table: table.clone(),
            config,
            markets: table.iter().map(|instrument| market(instrument.lot)).collect(),
            orders: vec![None; orders_max],
            requests: VecDeque::with_capacity(orders_max),
            answers: VecDeque::with_capacity(ANSWERS_PER_ORDER * orders_max.max(8)),
            history: History::new(table.len(), REMEMBERED_PER_ORDER * orders_max.max(8)),
            clock: Nanos::default(),
            overflowed: false,
            waiting: 0,
            placed: 0,
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
            market.last = Some(traded.price);
            if *desk.waiting > 0 {
                desk.wake(market, instrument, traded.price);
            }
        });
    }

    /// The best-quote ticker is newer than the book.
    #[inline]
    pub fn on_ticker(&mut self, instrument: InstrumentId, bid: Price, ask: Price, now: Nanos) {
        self.on_market(instrument, now, |market, desk| {
            market.matching.on_ticker(bid, ask, &mut |fill| desk.filled(&fill));
        });
    }

    /// Asks what became of an order, where the venue's messages have no question for it: on futures of one that waits.
    /// False: as many requests are on their way as the exchange keeps.
    pub(super) fn ask(&mut self, instrument: InstrumentId, id: ClientOrderId, now: Nanos) -> bool {
        self.travel(Request { instrument, id, wants: Wants::Query }, now)
    }

    /// A request leaves for the exchange: the bytes that the venue would get.
    /// Err: it cannot be understood, or too many are on their way; it has no effect.
    pub fn request(&mut self, bytes: &[u8], venue: VenueId, now: Nanos) -> Result<(), RequestError> {
        let request = request::parse(bytes, venue, &self.table)?;
        let travels = self.travel(request, now);
        travels.then_some(()).ok_or(RequestError { kind: RequestErrorKind::TooMany, offset: 0 })
    }

    fn travel(&mut self, request: Request, now: Nanos) -> bool {
        if self.requests.len() == self.requests.capacity() {
            return false;
        }
        let arrives = now.max(self.clock).plus(Nanos::from_us(self.config.entry_latency_us));
        self.requests.push_back((arrives, request));
        if self.config.entry_latency_us == 0 {
            self.advance(arrives);
        }
        true
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

    /// What is held of ours now.
    #[must_use]
    pub fn account(&self) -> Account {
        let rests = |(slot, known): (usize, &Option<Known>)| {
            let known = known.as_ref()?;
            let price = match known.waits {
                Some((new, _)) => new.limit.unwrap_or_default(),
                None => self.markets.get(known.instrument.index())?.matching.find(slot as u64)?.price,
            };
            let Known { id, instrument, side, qty, filled, .. } = *known;
            Some(VenueOrder { id, instrument, side, level: Level { price, qty }, filled })
        };
        let open = self.orders.iter().enumerate().filter_map(rests).collect();
        Account { open, positions: self.history.positions() }
    }

    /// From decision to exchange and back, for what is asked beside the orders.
    const fn round_trip(&self) -> Nanos {
        Nanos::from_us(self.config.entry_latency_us + self.config.response_latency_us)
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
            history: &mut self.history,
            overflowed: &mut self.overflowed,
            waiting: &mut self.waiting,
            placed: &mut self.placed,
            when,
        };
        let before = desk.history.fill_count();
        event(market, &mut desk);
        if desk.history.fill_count() != before {
            desk.hold_reducing(market, instrument);
        }
    }

    /// A request reaches its market.
    fn take(&mut self, request: &Request, arrived: Nanos) {
        self.clock = self.clock.max(arrived);
        let when = self.clock.plus(Nanos::from_us(self.config.response_latency_us));
        // A cancel of one that waits names no symbol; where there is none, any market refuses it.
        let waits = |known: &&Known| known.waits.is_some() && known.id == request.id;
        let instrument = match request.instrument {
            NO_INSTRUMENT => {
                self.orders.iter().flatten().find(waits).map_or(InstrumentId(0), |one| one.instrument)
            }
            instrument => instrument,
        };
        let is_waiting = self.orders.iter().flatten().any(|known| waits(&known));
        let request = &Request { instrument, ..*request };
        let Some(market) = self.markets.get_mut(instrument.index()) else { return };
        let mut desk = Desk {
            orders: &mut self.orders,
            answers: &mut self.answers,
            history: &mut self.history,
            overflowed: &mut self.overflowed,
            waiting: &mut self.waiting,
            placed: &mut self.placed,
            when,
        };
        let before = desk.history.fill_count();
        match request.wants {
            Wants::Place(new) => desk.place(market, request, &new),
            Wants::Replace { open, new, stops } => {
                if desk.cancel(market, &Request { id: open, ..*request }) || !stops {
                    desk.place(market, request, &new);
                } else {
                    desk.end(request.id, AnswerEvent::Rejected, Qty(0));
                }
            }
            // One that waits no longer has another name at the venue.
            Wants::CancelWaiting if !is_waiting => desk.answer(request.id, AnswerEvent::CancelRefused, None),
            Wants::Cancel | Wants::CancelWaiting => _ = desk.cancel(market, request),
            Wants::Modify { price, qty } => desk.modify(market, request, Level { price, qty }),
            Wants::Shrink { qty } => desk.shrink(market, request, qty),
            Wants::Query => desk.query(market, request),
        }
        if desk.history.fill_count() != before {
            desk.hold_reducing(market, instrument);
        }
    }
}

/// Whether a trade at `last` is what a stop of this side waits for.
const fn meets(side: Side, trigger: Price, last: Price) -> bool {
    match side {
        Side::Buy => last.0 >= trigger.0,
        Side::Sell => last.0 <= trigger.0,
    }
}

/// Answers that one order can have before they are taken: its fills level by level, and its end.
const ANSWERS_PER_ORDER: usize = 16;
/// Orders that ended, and fills, that are remembered for each order that can rest.
const REMEMBERED_PER_ORDER: usize = 64;

/// Where requests and fills become answers.
struct Desk<'a> {
    orders: &'a mut [Option<Known>],
    answers: &'a mut VecDeque<(Nanos, Answer)>,
    history: &'a mut History,
    overflowed: &'a mut bool,
    waiting: &'a mut usize,
    placed: &'a mut u64,
    when: Nanos,
}

impl Desk<'_> {
    fn answer(&mut self, id: ClientOrderId, event: AnswerEvent, filled: Option<Qty>) {
        if self.answers.len() == self.answers.capacity() {
            *self.overflowed = true;
            return;
        }
        self.answers.push_back((self.when, Answer { id, event, filled }));
    }

    /// The end of an order, as its answer and for whoever asks later.
    fn end(&mut self, id: ClientOrderId, event: AnswerEvent, filled: Qty) {
        let state = match event {
            AnswerEvent::Canceled => VenueState::Canceled,
            AnswerEvent::Expired => VenueState::Expired,
            _ => VenueState::Rejected,
        };
        self.history.ended(id, state, filled);
        self.answer(id, event, Some(filled));
    }

    #[inline]
    fn filled(&mut self, fill: &Fill) {
        let slot = usize::try_from(fill.order).ok().and_then(|slot| self.orders.get_mut(slot));
        let Some(slot) = slot else { return };
        let Some(order) = slot else { return };
        order.filled.0 += fill.level.qty.0;
        let Known { id, instrument, side, qty, filled, .. } = *order;
        if fill.done {
            *slot = None;
        }
        let told = self.history.filled(id, instrument, side, (fill.level, fill.maker), filled);
        // One that was held to the position has no more to trade, and has not traded all.
        let is_whole = filled >= qty;
        if fill.done && is_whole {
            self.history.ended(id, VenueState::Filled, filled);
        }
        self.answer(id, told.event, Some(filled));
        if fill.done && !is_whole {
            self.end(id, AnswerEvent::Expired, filled);
        }
    }

    /// Every fill of an order again, then where it stands.
    fn query(&mut self, market: &Market, request: &Request) {
        let standing = match self.find(request) {
            Some((_, Known { waits: Some((new, _)), filled, .. })) => Standing::Exists {
                state: VenueState::Open(Level { price: new.limit.unwrap_or_default(), qty: new.qty }),
                filled,
            },
            Some((slot, order)) => match market.matching.find(slot as u64) {
                Some(Level { price, .. }) => Standing::Exists {
                    state: VenueState::Open(Level { price, qty: order.qty }),
                    filled: order.filled,
                },
                None => Standing::Unknown,
            },
            None => self.history.standing(&request.id),
        };
        for told in self.history.fills(request.id) {
            if self.answers.len() == self.answers.capacity() {
                *self.overflowed = true;
                return;
            }
            let answer = Answer { id: request.id, event: told.event, filled: Some(told.filled) };
            self.answers.push_back((self.when, answer));
        }
        self.answer(request.id, AnswerEvent::Standing(standing), None);
    }

    fn find(&self, request: &Request) -> Option<(usize, Known)> {
        let is_it = |order: &Known| order.id == request.id && order.instrument == request.instrument;
        let mut orders = self.orders.iter().enumerate();
        orders.find_map(|(slot, order)| Some((slot, order.filter(is_it)?)))
    }

    fn place(&mut self, market: &mut Market, request: &Request, new: &NewOrder) {
        let free = self.orders.iter().position(Option::is_none);
        let is_met = |trigger| market.last.is_some_and(|last| meets(new.side, trigger, last));
        let reducible = self.reducible(request.instrument, new.side, new.reduces);
        let (Some(slot), true, None, false, true) = (
            free,
            market.open,
            self.find(request),
            new.trigger.is_some_and(is_met),
            reducible > 0 || new.trigger.is_some(),
        ) else {
            return self.end(request.id, AnswerEvent::Rejected, Qty(0));
        };
        *self.placed += 1;
        let NewOrder { side, qty, reduces, .. } = *new;
        let waits = new.trigger.map(|_| (*new, *self.placed));
        let (id, instrument) = (request.id, request.instrument);
        self.orders[slot] = Some(Known { id, instrument, side, qty, filled: Qty(0), waits, reduces });
        // The answer stands before the fills; where the order is turned away, there were none.
        let at = self.answers.len();
        self.answer(request.id, AnswerEvent::Accepted, Some(Qty(0)));
        if waits.is_some() {
            *self.waiting += 1;
            return;
        }
        self.work(market, slot, new, reducible, Some(at));
    }

    /// What an order can trade without adding to the position; without end where it need not.
    fn reducible(&self, instrument: InstrumentId, side: Side, reduces: bool) -> i64 {
        if reduces { side.opposite().signed(self.history.position(instrument)).0 } else { i64::MAX }
    }

    /// A trade at `last` wakes what waits for it, the oldest first.
    #[cold]
    fn wake(&mut self, market: &mut Market, instrument: InstrumentId, last: Price) {
        // Each round takes one from among those that wait.
        for _ in 0..self.orders.len() {
            let due = |(slot, order): (usize, &Option<Known>)| {
                let known = order.as_ref().filter(|known| known.instrument == instrument)?;
                let (new, placed) = known.waits?;
                new.trigger.is_some_and(|trigger| meets(known.side, trigger, last)).then_some((placed, slot))
            };
            let Some((_, slot)) = self.orders.iter().enumerate().filter_map(due).min() else { return };
            let Some(known) = self.orders[slot].as_mut() else { return };
            let Some((new, _)) = known.waits.take() else { return };
            let id = known.id;
            *self.waiting -= 1;
            self.answer(id, AnswerEvent::Triggered, Some(Qty(0)));
            let reducible = self.reducible(instrument, new.side, new.reduces);
            if market.open && reducible > 0 {
                self.work(market, slot, &new, reducible, None);
            } else {
                self.orders[slot] = None;
                self.end(id, AnswerEvent::Expired, Qty(0));
            }
        }
    }

    /// Whatever rests and only reduces is held to what there is to reduce.
    fn hold_reducing(&mut self, market: &mut Market, instrument: InstrumentId) {
        for slot in 0..self.orders.len() {
            let reduces =
                |known: &Known| known.instrument == instrument && known.reduces && known.waits.is_none();
            let Some(known) = self.orders[slot].filter(reduces) else { continue };
            let most = self.reducible(instrument, known.side, true);
            if most <= 0 && market.matching.cancel(slot as u64).is_some() {
                self.orders[slot] = None;
                self.end(known.id, AnswerEvent::Expired, known.filled);
            } else {
                // No more than that is left of it, or was.
                market.matching.reduce(slot as u64, Qty(most));
            }
        }
    }

    /// An order that was accepted, or woken, meets the market. `answered`: where the answer to it stands.
    fn work(
        &mut self,
        market: &mut Market,
        slot: usize,
        new: &NewOrder,
        reducible: i64,
        answered: Option<usize>,
    ) {
        let Some(id) = self.orders[slot].map(|known| known.id) else { return };
        let NewOrder { side, limit, tif, .. } = *new;
        let qty = Qty(new.qty.0.min(reducible));
        let incoming = Incoming { order: slot as u64, side, limit, qty, tif };
        match market.matching.place(&incoming, &mut |fill| self.filled(&fill)) {
            Placed::Rests | Placed::Filled => {}
            Placed::Expired => {
                let filled = self.orders[slot].take().map_or(Qty(0), |order| order.filled);
                self.end(id, AnswerEvent::Expired, filled);
            }
            Placed::WouldTake | Placed::Full => {
                self.orders[slot] = None;
                match answered {
                    Some(at) => {
                        self.answers.truncate(at);
                        self.end(id, AnswerEvent::Rejected, Qty(0));
                    }
                    None => self.end(id, AnswerEvent::Expired, Qty(0)),
                }
            }
        }
    }

    /// Whether it was there to be canceled.
    fn cancel(&mut self, market: &mut Market, request: &Request) -> bool {
        let found = self
            .find(request)
            .filter(|(slot, order)| order.waits.is_some() || market.matching.cancel(*slot as u64).is_some());
        match found {
            Some((slot, order)) => {
                *self.waiting -= usize::from(order.waits.is_some());
                self.orders[slot] = None;
                self.end(request.id, AnswerEvent::Canceled, order.filled);
            }
            None => self.answer(request.id, AnswerEvent::CancelRefused, None),
        }
        found.is_some()
    }

    /// Another price or quantity: to the end of the queue. An amendment to no more than what is filled cancels.
    fn modify(&mut self, market: &mut Market, request: &Request, level: Level) {
        let rests = |(_, order): &(usize, Known)| market.open && order.waits.is_none() && !order.reduces;
        let Some((slot, order)) = self.find(request).filter(rests) else {
            return self.answer(request.id, AnswerEvent::AmendRefused, None);
        };
        // As at the venue: an amended post-only order that would take is canceled.
        if level.qty <= order.filled || market.matching.would_take(order.side, level.price) {
            self.cancel(market, request);
            return;
        }
        if market.matching.cancel(slot as u64).is_none() {
            return self.answer(request.id, AnswerEvent::AmendRefused, None);
        }
        let qty = Qty(level.qty.0 - order.filled.0);
        let (side, limit, tif) = (order.side, Some(level.price), Tif::PostOnly);
        // It does not take, and there is the room that it had.
        market.matching.place(&Incoming { order: slot as u64, side, limit, qty, tif }, &mut |_| ());
        self.orders[slot] = Some(Known { qty: level.qty, ..order });
        self.answer(request.id, AnswerEvent::Amended(level), Some(order.filled));
    }

    /// Less to trade, in its place.
    fn shrink(&mut self, market: &mut Market, request: &Request, qty: Qty) {
        let rests = |(_, order): &(usize, Known)| qty < order.qty && order.waits.is_none() && !order.reduces;
        let Some((slot, order)) = self.find(request).filter(rests) else {
            return self.answer(request.id, AnswerEvent::AmendRefused, None);
        };
        if qty <= order.filled {
            self.cancel(market, request);
            return;
        }
        let left = Qty(qty.0 - order.filled.0);
        let level = market.matching.find(slot as u64).filter(|_| market.matching.reduce(slot as u64, left));
        match level {
            Some(level) => {
                self.orders[slot] = Some(Known { qty, ..order });
                let amended = AnswerEvent::Amended(Level { qty, ..level });
                self.answer(request.id, amended, Some(order.filled));
            }
            None => self.answer(request.id, AnswerEvent::AmendRefused, None),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
