//! A recorded market as orders: a crowd that rests what the recording's book showed and takes what it traded.
//!
//! Clients' orders stand among them by price and time. A level that grew gets another order behind those there, one
//! that shrank loses the newest first, so that an order of a client moves up as little as it can: nobody knows who of
//! a real level left. Of best quotes and depth messages that say something of the same price, the one with the newer
//! update id holds.

use super::capture::{Capture, Frame, Message};
use crate::exchange::{Amend, Cancel, CancelOnly, Events, Exchange, NewOrder, OrderId, OrderRef, SelfTrade};
use engine::book::BookSide;
use engine::ids::{AccountId, InstrumentId};
use engine::num::{Level, Price, Qty, Side};
use engine::order::Tif;
use engine::time::Nanos;
use std::collections::BTreeMap;

/// A recording that is being played to one market.
pub struct Replay {
    market: InstrumentId,
    account: AccountId,
    now: Nanos,
    /// The orders at each price, oldest first.
    levels: BTreeMap<(BookSide, Price), Vec<OrderId>>,
    /// Depth messages that came before the snapshot; None: it has come, or there is none.
    waiting: Option<Vec<Frame>>,
    /// The last change that the book includes.
    update_id: u64,
    /// The newest best quote: its update id, and the best bid's and ask's price.
    touch: Option<(u64, [Price; 2])>,
}

impl Replay {
    /// Plays to `market` with the orders of `account`, which may owe without limit, or its orders are refused.
    #[must_use]
    pub fn new(capture: &Capture, market: InstrumentId, account: AccountId) -> Self {
        let is_snapshot = |frame: &Frame| matches!(frame.what, Message::Snapshot { .. });
        let has_snapshot = capture.frames.iter().any(is_snapshot);
        Self {
            market,
            account,
            now: Nanos(0),
            levels: BTreeMap::new(),
            waiting: has_snapshot.then(Vec::new),
            update_id: 0,
            touch: None,
        }
    }

    /// Plays one message at its receive time, letting the exchange's own time pass with it.
    pub fn play(&mut self, exchange: &mut Exchange, frame: &Frame, events: &mut Events) {
        self.now = frame.time;
        exchange.advance(self.now, events);
        exchange.hold_levels();
        self.play_message(exchange, frame, events);
        exchange.release_levels(self.now, self.market, events);
    }

    fn play_message(&mut self, exchange: &mut Exchange, frame: &Frame, events: &mut Events) {
        match &frame.what {
            Message::Snapshot { last_update_id, bids, asks } => {
                self.update_id = *last_update_id;
                let gone: Vec<_> = self.levels.keys().copied().collect();
                for (side, price) in gone {
                    self.set(exchange, side, Level { price, qty: Qty(0) }, events);
                }
                self.set_all(exchange, bids, asks, events);
                for frame in self.waiting.take().unwrap_or_default() {
                    self.play_depth(exchange, &frame, events);
                }
            }
            Message::Depth { .. } => match &mut self.waiting {
                Some(waiting) => waiting.push(frame.clone()),
                None => self.play_depth(exchange, frame, events),
            },
            Message::Trade { level, aggressor, .. } => self.trade(exchange, *level, *aggressor, events),
            Message::Quote { update_id, bid, ask } => self.quote(exchange, *update_id, [*bid, *ask], events),
        }
    }

    /// Nothing is better than the best, and there is so much of it.
    fn quote(&mut self, exchange: &mut Exchange, update_id: u64, touch: [Level; 2], events: &mut Events) {
        let is_newer = self.touch.is_none_or(|(known, _)| known < update_id) && self.update_id < update_id;
        if self.waiting.is_some() || !is_newer {
            return;
        }
        let [bid, ask] = touch;
        self.touch = Some((update_id, [bid.price, ask.price]));
        self.clear_through(exchange, BookSide::Bid, Price(ask.price.0 - 1), events);
        self.clear_through(exchange, BookSide::Ask, Price(bid.price.0 + 1), events);
        self.set(exchange, BookSide::Bid, bid, events);
        self.set(exchange, BookSide::Ask, ask, events);
    }

    /// Whether the newest quote is newer than the depth message `update_id` and says what there is at this price.
    fn is_quoted(&self, update_id: u64, side: BookSide, price: Price) -> bool {
        self.touch.is_some_and(|(newer, touch)| {
            let best = touch[side as usize];
            newer > update_id && (price == best || side.is_better(price.0, best.0))
        })
    }

    fn play_depth(&mut self, exchange: &mut Exchange, frame: &Frame, events: &mut Events) {
        if let Message::Depth { last_update_id, bids, asks } = &frame.what
            && *last_update_id > self.update_id
        {
            self.update_id = *last_update_id;
            let kept = |side, levels: &[Level]| -> Vec<Level> {
                let quoted = |level: &&Level| self.is_quoted(*last_update_id, side, level.price);
                levels.iter().filter(|level| !quoted(level)).copied().collect()
            };
            let (bids, asks) = (kept(BookSide::Bid, bids), kept(BookSide::Ask, asks));
            self.set_all(exchange, &bids, &asks, events);
        }
    }

    /// Levels that leave go first: what comes may lie where they were.
    fn set_all(&mut self, exchange: &mut Exchange, bids: &[Level], asks: &[Level], events: &mut Events) {
        let sides = [(BookSide::Bid, bids), (BookSide::Ask, asks)];
        for leaves in [true, false] {
            for (side, levels) in sides {
                for level in levels.iter().filter(|level| (level.qty.0 == 0) == leaves) {
                    self.set(exchange, side, *level, events);
                }
            }
        }
    }

    /// Makes the crowd's quantity at a price what the recording says.
    fn set(&mut self, exchange: &mut Exchange, side: BookSide, level: Level, events: &mut Events) {
        if level.qty.0 > 0 {
            self.clear_through(exchange, side, level.price, events);
        }
        let orders = self.levels.remove(&(side, level.price)).unwrap_or_default();
        let mut orders: Vec<(OrderId, Qty, Qty)> =
            orders.iter().filter_map(|id| self.left(exchange, *id)).collect();
        let mut excess = orders.iter().map(|(_, left, _)| left.0).sum::<i64>() - level.qty.0;
        while let Some((id, left, whole)) = orders.last().copied().filter(|_| excess > 0) {
            if left.0 <= excess {
                self.cancel(exchange, id, events);
                orders.pop();
            } else {
                let qty = Qty(whole.0 - excess);
                let amend = Amend { price: None, qty, client_id: None, keeps_place: true };
                // Refused only where a rule of the market forbids the quantity: the level is then what it was.
                let _ = exchange.amend(self.now, self.account, self.market, OrderRef::Id(id), &amend, events);
            }
            excess -= left.0.min(excess);
        }
        let mut ids: Vec<OrderId> = orders.into_iter().map(|(id, ..)| id).collect();
        if excess < 0 {
            ids.extend(self.place(exchange, side, level.price, Qty(-excess), Tif::Gtc, events));
        }
        if !ids.is_empty() {
            self.levels.insert((side, level.price), ids);
        }
    }

    /// Takes as the recording did. Trades and quotes come on two streams, so that the book may be ahead of the trade:
    /// what stands in its way steps aside and comes back, and what it needs is there for it alone.
    fn trade(&mut self, exchange: &mut Exchange, level: Level, aggressor: Side, events: &mut Events) {
        if self.waiting.is_some() {
            return;
        }
        let (taking, making) = match aggressor {
            Side::Buy => (BookSide::Bid, BookSide::Ask),
            Side::Sell => (BookSide::Ask, BookSide::Bid),
        };
        // The crowd's orders at better prices than the trade's, and those that the maker's would meet.
        let before = Price(if aggressor == Side::Buy { level.price.0 - 1 } else { level.price.0 + 1 });
        let mut aside = self.clear_through(exchange, taking, before, events);
        aside.extend(self.clear_through(exchange, making, level.price, events));
        let there = self.levels.get(&(making, level.price)).into_iter().flatten();
        let there: i64 = there.filter_map(|id| self.left(exchange, *id)).map(|(_, left, _)| left.0).sum();
        if there < level.qty.0 {
            self.set(exchange, making, level, events);
        }
        self.place(exchange, taking, level.price, level.qty, Tif::Ioc, events);
        for (side, level) in aside {
            self.set(exchange, side, level, events);
        }
    }

    /// Withdraws the crowd's own orders that one of `side` at `price` would meet, and says which.
    fn clear_through(
        &mut self,
        exchange: &mut Exchange,
        side: BookSide,
        price: Price,
        events: &mut Events,
    ) -> Vec<(BookSide, Level)> {
        let met = match side {
            BookSide::Bid => (BookSide::Ask, Price(i64::MIN))..=(BookSide::Ask, price),
            BookSide::Ask => (BookSide::Bid, price)..=(BookSide::Bid, Price(i64::MAX)),
        };
        let met: Vec<_> = self.levels.range(met).map(|(key, _)| *key).collect();
        let mut cleared = Vec::new();
        for (side, price) in met {
            let mut qty = Qty(0);
            for id in self.levels.remove(&(side, price)).unwrap_or_default() {
                qty.0 += self.left(exchange, id).map_or(0, |(_, left, _)| left.0);
                self.cancel(exchange, id, events);
            }
            cleared.push((side, Level { price, qty }));
        }
        cleared
    }

    /// What is left of an order, and its whole quantity. None: it has ended.
    fn left(&self, exchange: &Exchange, id: OrderId) -> Option<(OrderId, Qty, Qty)> {
        let order = exchange.order(self.account, self.market, OrderRef::Id(id)).ok()?;
        order.status.is_open().then_some((id, order.remaining(), order.qty))
    }

    fn cancel(&self, exchange: &mut Exchange, id: OrderId, events: &mut Events) {
        let (order, only) = (OrderRef::Id(id), CancelOnly::Any);
        let cancel = Cancel { market: self.market, order, request_id: None, only };
        // Unknown: it has traded meanwhile.
        let _ = exchange.cancel(self.now, self.account, &cancel, events);
    }

    fn place(
        &self,
        exchange: &mut Exchange,
        side: BookSide,
        price: Price,
        qty: Qty,
        tif: Tif,
        events: &mut Events,
    ) -> Option<OrderId> {
        let side = if side == BookSide::Bid { Side::Buy } else { Side::Sell };
        let order = NewOrder {
            self_trade: Some(SelfTrade::Allow),
            ..NewOrder::limit(self.market, side, price, qty, tif)
        };
        exchange.place(self.now, self.account, &order, events).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::{AccountTerms, Event, Product};
    use crate::flow::capture;
    use crate::markets;
    use std::path::Path;

    fn exchange(capture: &Capture) -> (Exchange, AccountId) {
        let symbol = capture.listing.instrument.symbol.as_str();
        let opened = capture.frames[0].time;
        let mut exchange =
            Exchange::new(&markets::config(capture.product, &[symbol], opened).unwrap()).unwrap();
        let account = exchange.open_account(AccountTerms { reports: false, unlimited: true }).unwrap();
        (exchange, account)
    }

    /// The recorded book, kept as the recording says.
    #[derive(Default)]
    struct Recorded {
        book: BTreeMap<(BookSide, Price), Qty>,
    }

    impl Recorded {
        fn set(&mut self, bids: &[Level], asks: &[Level]) {
            for (side, levels) in [(BookSide::Bid, bids), (BookSide::Ask, asks)] {
                for level in levels {
                    self.book.insert((side, level.price), level.qty);
                }
            }
            self.book.retain(|_, qty| qty.0 > 0);
        }
    }

    #[test]
    fn after_every_depth_message_the_book_is_the_recorded_one_and_every_trade_is_printed() {
        let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/captures");
        for name in ["usdm/btcusdt_20240808.gz", "spot/btcusdt_20240808.gz"] {
            let capture = capture::read(&shared.join(name)).unwrap();
            let (mut exchange, account) = exchange(&capture);
            let mut replay = Replay::new(&capture, InstrumentId(0), account);
            let (mut recorded, mut waiting) = (Recorded::default(), Vec::<(u64, &[Level], &[Level])>::new());
            let (mut update_id, mut compared, mut events) = (None, 0, Vec::new());
            let (mut traded, mut printed) = ([0_i64; 2], [0_i64; 2]);
            for frame in capture.frames.iter().take(20_000) {
                events.clear();
                let is_open = replay.waiting.is_none();
                replay.play(&mut exchange, frame, &mut events);
                for event in &events {
                    if let Event::Trade(trade) = event {
                        printed[trade.aggressor as usize] += trade.qty.0;
                    }
                }
                match &frame.what {
                    Message::Trade { level, aggressor, .. } if is_open => {
                        traded[*aggressor as usize] += level.qty.0;
                    }
                    Message::Snapshot { last_update_id, bids, asks } => {
                        recorded.set(bids, asks);
                        update_id = Some(*last_update_id);
                        for (id, bids, asks) in waiting.drain(..).filter(|(id, ..)| *id > *last_update_id) {
                            recorded.set(bids, asks);
                            update_id = Some(id);
                        }
                    }
                    Message::Depth { last_update_id, bids, asks } => match update_id {
                        None => waiting.push((*last_update_id, bids, asks)),
                        Some(known) if known < *last_update_id => {
                            recorded.set(bids, asks);
                            update_id = Some(*last_update_id);
                            compared += 1;
                            // All that the message says holds, but for what a newer quote says.
                            let depth = exchange.depth(InstrumentId(0), 20).unwrap();
                            for (side, changed, shown) in
                                [(BookSide::Bid, bids, &depth.bids), (BookSide::Ask, asks, &depth.asks)]
                            {
                                let Some(last) = shown.last().map(|level| level.price.0) else { continue };
                                let near = |level: &&Level| !side.is_better(last, level.price.0);
                                let quoted =
                                    |level: &Level| replay.is_quoted(*last_update_id, side, level.price);
                                for level in changed.iter().filter(near).filter(|level| !quoted(level)) {
                                    let found = shown.iter().find(|shown| shown.price == level.price);
                                    assert_eq!(found.map_or(Qty(0), |found| found.qty), level.qty, "{name}");
                                }
                            }
                        }
                        Some(_) => {}
                    },
                    Message::Quote { update_id, bid, ask }
                        if replay.touch.is_some_and(|(id, _)| id == *update_id) =>
                    {
                        let quote = exchange.market(InstrumentId(0)).unwrap().quote();
                        assert_eq!((quote.bid, quote.ask), (Some(*bid), Some(*ask)), "{name}");
                    }
                    Message::Trade { .. } | Message::Quote { .. } => {}
                }
            }
            assert!(compared > 200, "{name}: {compared} messages compared");
            assert_eq!(printed, traded, "{name}");
            // Levels behind the touch are there; those that quotes have passed leave the recording later.
            let depth = exchange.depth(InstrumentId(0), usize::MAX).unwrap();
            let quoted = |(side, price)| replay.is_quoted(0, side, price);
            for (side, price) in recorded.book.into_keys().filter(|key| !quoted(*key)) {
                let shown = if side == BookSide::Bid { &depth.bids } else { &depth.asks };
                assert!(shown.iter().any(|level| level.price == price), "{name}: {side:?} {price:?}");
            }
        }
    }

    #[test]
    fn an_order_of_a_client_trades_when_the_recording_trades_through_it() {
        let lines = [
            r#"1 {"lastUpdateId":5,"bids":[["60000.00","1.000"]],"asks":[["60001.00","1.000"]]}"#,
            r#"2 {"stream":"x","data":{"e":"depthUpdate","s":"BTCUSDT","U":6,"u":6,"pu":5,"b":[["60000.00","2.000"]],"a":[]}}"#,
            r#"3 {"stream":"x","data":{"e":"trade","s":"BTCUSDT","t":1,"p":"60000.00","q":"0.500","m":true}}"#,
        ];
        let capture = capture::parse(lines.join("\n").as_bytes()).unwrap();
        assert_eq!((capture.product, capture.frames.len()), (Product::Futures, 3));
        let (mut exchange, account) = exchange(&capture);
        let client = exchange.open_account(AccountTerms { reports: true, unlimited: true }).unwrap();
        let mut replay = Replay::new(&capture, InstrumentId(0), account);
        let mut events = Vec::new();
        replay.play(&mut exchange, &capture.frames[0], &mut events);
        let better = NewOrder::limit(InstrumentId(0), Side::Buy, Price(600_001), Qty(200), Tif::Gtc);
        exchange.place(Nanos(1), client, &better, &mut events).unwrap();
        let behind = NewOrder::limit(InstrumentId(0), Side::Buy, Price(600_000), Qty(200), Tif::Gtc);
        let behind = exchange.place(Nanos(1), client, &behind, &mut events).unwrap();
        for frame in &capture.frames[1..] {
            replay.play(&mut exchange, frame, &mut events);
        }
        let fills = exchange.fills(client, InstrumentId(0), None, 9);
        assert_eq!(
            fills.iter().map(|fill| (fill.fill.price.0, fill.fill.qty.0)).collect::<Vec<_>>(),
            [(600_001, 200)]
        );
        let behind = exchange.order(client, InstrumentId(0), OrderRef::Id(behind)).unwrap();
        assert_eq!(behind.filled, Qty(0));
        // 1.000 ahead of it, less the 0.300 that traded, 0.200 of its own, 1.000 behind.
        assert_eq!(exchange.depth(InstrumentId(0), 1).unwrap().bids[0].qty, Qty(1_900));
    }
}
