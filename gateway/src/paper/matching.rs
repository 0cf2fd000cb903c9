//! Matching of our own orders against one instrument's recorded or live market. It knows no time, no text and
//! no strategy: the paper exchange and `sim parity` put those around it.
//!
//! A resting order is filled
//! - when the opposite best reaches or passes its price;
//! - when a trade prints through its price;
//! - when a trade prints at its price and what stood before it (see [`QueueModel`]) is used up.
//!
//! With [`FillModel::Full`] any of these fills the whole order, as hftbacktest's `NoPartialFillExchange` does.
//! With [`FillModel::Partial`] nothing is filled that was not there: a trade fills at most its own quantity, shared
//! by our orders from the best price on and in the order of their arrival; at the order's price, only what the
//! queue lets through; and an opposite side that reaches it, at most what that side shows at or through the
//! price, each level once.
//!
//! An order that may take walks the opposite side from the best, each shown quantity once, up to its limit.

use super::depth::Depth;
use super::queue::{Place, QueueModel};
use engine::book::{BookConfig, BookSide};
use engine::num::{Level, Price, Qty, Side};
use engine::order::Tif;
use serde::Deserialize;

/// How much of a resting order one event fills.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FillModel {
    /// All of it.
    Full,
    /// What was there.
    Partial,
}

/// A fill of one of our orders.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fill {
    /// The order.
    pub order: u64,
    /// Price and quantity.
    pub level: Level,
    /// It rested.
    pub maker: bool,
    /// Nothing is left of the order.
    pub done: bool,
}

/// What became of a new order beyond its fills.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placed {
    /// What is left of it rests.
    Rests,
    /// It was filled at once, whole.
    Filled,
    /// The rest of an order that does not rest ended: immediate-or-cancel, fill-or-kill.
    Expired,
    /// Post-only, and it would have taken.
    WouldTake,
    /// As many orders rest as the exchange keeps.
    Full,
}

/// An order to be matched.
#[derive(Clone, Copy, Debug)]
pub struct Incoming {
    /// Its number; unique among those that rest.
    pub order: u64,
    /// Buys or sells.
    pub side: Side,
    /// Its limit. None: at any price.
    pub limit: Option<Price>,
    /// Quantity.
    pub qty: Qty,
    /// How long, and whether it may take.
    pub tif: Tif,
}

/// One instrument's book and our orders in it.
pub struct Matching {
    depth: Depth,
    /// The best-quote ticker's touch where it is newer than the book: bid, ask.
    ticker: [Option<Price>; 2],
    resting: Vec<Resting>,
    queue: QueueModel,
    fills: FillModel,
    lot: Qty,
}

/// An order that rests.
#[derive(Clone, Copy, Debug)]
struct Resting {
    order: u64,
    side: Side,
    price: Price,
    left: Qty,
    place: Place,
    /// What its level showed last.
    shown: Qty,
}

impl Resting {
    /// Its level shows this much now.
    #[inline]
    fn show(&mut self, shown: Qty, queue: QueueModel) {
        self.place.on_change(queue, self.shown, shown);
        self.shown = shown;
    }
}

impl Matching {
    /// An empty book without orders; room for so many. All memory is taken here.
    #[must_use]
    pub fn new(book: BookConfig, queue: QueueModel, fills: FillModel, lot: Qty, orders_max: usize) -> Self {
        Self {
            depth: Depth::new(book),
            ticker: [None; 2],
            resting: Vec::with_capacity(orders_max),
            queue,
            fills,
            lot,
        }
    }

    /// Best bid and ask of the newer of book and ticker.
    #[inline]
    #[must_use]
    pub fn touch(&self) -> [Option<Price>; 2] {
        let [bid, ask] = self.ticker;
        [bid.or(self.depth.best(BookSide::Bid)), ask.or(self.depth.best(BookSide::Ask))]
    }

    /// The book.
    #[must_use]
    pub const fn depth(&self) -> &Depth {
        &self.depth
    }

    /// Orders that rest.
    #[must_use]
    pub fn resting_count(&self) -> usize {
        self.resting.len()
    }

    /// The whole book is shown. Queues keep their places, as far as what is shown now lets them.
    pub fn on_snapshot(&mut self, bids: &[Level], asks: &[Level], out: &mut impl FnMut(Fill)) {
        let before = self.touch();
        self.depth.load_snapshot(bids, asks);
        for order in &mut self.resting {
            order.show(self.depth.shown(book_side(order.side), order.price), self.queue);
        }
        self.changed(before, out);
    }

    /// Levels changed.
    #[inline]
    pub fn on_delta(&mut self, bids: &[Level], asks: &[Level], out: &mut impl FnMut(Fill)) {
        let before = self.touch();
        self.depth.apply(bids, asks);
        for order in &mut self.resting {
            let levels = if order.side == Side::Buy { bids } else { asks };
            // A level that is shown anew with the same quantity says something too: what traded was replaced.
            if let Some(level) = levels.iter().rev().find(|level| level.price == order.price) {
                order.show(level.qty, self.queue);
            }
        }
        self.changed(before, out);
    }

    /// A side is cleared from the best to `price`.
    pub fn on_clear(&mut self, side: BookSide, price: Price) {
        self.depth.clear_to(side, price);
    }

    /// The best-quote ticker is newer than the book.
    #[inline]
    pub fn on_ticker(&mut self, bid: Price, ask: Price, out: &mut impl FnMut(Fill)) {
        self.ticker = [Some(bid), Some(ask)];
        if !self.resting.is_empty() {
            self.fill_reached(out);
        }
    }

    /// A trade was printed: `taker` is the side of its aggressor.
    #[inline]
    pub fn on_trade(&mut self, taker: Side, traded: Level, out: &mut impl FnMut(Fill)) {
        if self.resting.is_empty() {
            return;
        }
        let maker = taker.opposite();
        let mut budget = traded.qty;
        // From the best price on: the trade reached those first.
        let mut last: Option<Price> = None;
        loop {
            let beyond = |price: Price| last.is_none_or(|last| is_behind(maker, price, last));
            let prices = self.resting.iter().filter(|order| order.side == maker).map(|order| order.price);
            let within = prices.filter(|price| beyond(*price) && !is_behind(maker, *price, traded.price));
            let next = match maker {
                Side::Buy => within.max(),
                Side::Sell => within.min(),
            };
            let Some(price) = next else { break };
            self.trade_at(maker, price, traded, &mut budget, out);
            last = Some(price);
        }
        self.sweep();
    }

    /// An order arrives.
    pub fn place(&mut self, incoming: &Incoming, out: &mut impl FnMut(Fill)) -> Placed {
        let Incoming { order, side, limit, qty, tif } = *incoming;
        let opposite = match side {
            Side::Buy => BookSide::Ask,
            Side::Sell => BookSide::Bid,
        };
        let touch = self.touch()[opposite as usize];
        let takes = touch.is_some_and(|touch| limit.is_none_or(|limit| reaches(side, limit, touch)));
        let rests = limit.filter(|_| matches!(tif, Tif::Gtc | Tif::PostOnly));
        if takes && tif == Tif::PostOnly {
            return Placed::WouldTake;
        }
        // Before anything is taken: an order whose rest could not rest is not taken at all.
        if rests.is_some() && self.resting.len() == self.resting.capacity() {
            return Placed::Full;
        }
        let mut left = qty;
        if takes {
            if tif == Tif::Fok && self.depth.takeable_sum(opposite, limit, qty) < qty {
                return Placed::Expired;
            }
            left = self.take(order, opposite, limit, qty, out);
        }
        match rests {
            _ if left.0 <= 0 => Placed::Filled,
            Some(price) => {
                let shown = self.depth.shown(book_side(side), price);
                self.resting.push(Resting { order, side, price, left, place: Place::behind(shown), shown });
                Placed::Rests
            }
            None => Placed::Expired,
        }
    }

    /// Takes an order out. None: it does not rest.
    pub fn cancel(&mut self, order: u64) -> Option<Qty> {
        let index = self.resting.iter().position(|resting| resting.order == order)?;
        Some(self.resting.remove(index).left)
    }

    /// Leaves an order less to trade, in its place. False: it does not rest, or has no more than that left.
    pub fn reduce(&mut self, order: u64, left: Qty) -> bool {
        let found = self.resting.iter_mut().find(|resting| resting.order == order && left < resting.left);
        found.is_some_and(|resting| {
            resting.left = left;
            left.0 > 0
        })
    }

    /// Whether an order of this limit would take.
    #[must_use]
    pub fn would_take(&self, side: Side, limit: Price) -> bool {
        self.touch()[book_side(side.opposite()) as usize].is_some_and(|touch| reaches(side, limit, touch))
    }

    /// Price and what is left of an order that rests.
    #[must_use]
    pub fn find(&self, order: u64) -> Option<Level> {
        let found = self.resting.iter().find(|resting| resting.order == order)?;
        Some(Level { price: found.price, qty: found.left })
    }

    /// The book is newer than the ticker now; what the opposite side reached is filled.
    #[inline]
    fn changed(&mut self, before: [Option<Price>; 2], out: &mut impl FnMut(Fill)) {
        self.ticker = [None; 2];
        if !self.resting.is_empty() && self.touch() != before {
            self.fill_reached(out);
        }
    }

    /// Fills what the opposite best stands at or through.
    fn fill_reached(&mut self, out: &mut impl FnMut(Fill)) {
        let [bid, ask] = self.touch();
        for index in 0..self.resting.len() {
            let order = self.resting[index];
            let (opposite, touch) = match order.side {
                Side::Buy => (BookSide::Ask, ask),
                Side::Sell => (BookSide::Bid, bid),
            };
            if !touch.is_some_and(|touch| reaches(order.side, order.price, touch)) {
                continue;
            }
            match self.fills {
                FillModel::Full => fill(&mut self.resting[index], order.left, out),
                FillModel::Partial => {
                    while self.resting[index].left.0 > 0
                        && let Some(level) = self.depth.takeable(opposite, Some(order.price))
                    {
                        let qty = level.qty.min(self.resting[index].left);
                        self.depth.take(opposite, Level { qty, ..level });
                        fill(&mut self.resting[index], qty, out);
                    }
                }
            }
        }
        self.sweep();
    }

    /// A trade meets our orders at one price, in the order of their arrival.
    fn trade_at(
        &mut self,
        maker: Side,
        price: Price,
        traded: Level,
        budget: &mut Qty,
        out: &mut impl FnMut(Fill),
    ) {
        let (is_through, fills, lot) = (price != traded.price, self.fills, self.lot);
        for order in self.resting.iter_mut().filter(|order| order.side == maker && order.price == price) {
            let qty = if is_through {
                order.left
            } else {
                order.place.on_trade(traded.qty);
                match (order.place.reached(lot), fills) {
                    (Qty(0), _) => continue,
                    (_, FillModel::Full) => order.left,
                    (reached, FillModel::Partial) => reached.min(order.left),
                }
            };
            let qty = if fills == FillModel::Partial { qty.min(*budget) } else { qty };
            if qty.0 > 0 {
                budget.0 -= qty.0.min(budget.0);
                order.place.fill(qty);
                fill(order, qty, out);
            }
        }
    }

    /// Takes from the opposite side. Returns what is left of the order.
    fn take(
        &mut self,
        order: u64,
        side: BookSide,
        limit: Option<Price>,
        qty: Qty,
        out: &mut impl FnMut(Fill),
    ) -> Qty {
        let mut left = qty;
        while left.0 > 0
            && let Some(level) = self.depth.takeable(side, limit)
        {
            let taken = Level { qty: level.qty.min(left), ..level };
            self.depth.take(side, taken);
            left.0 -= taken.qty.0;
            out(Fill { order, level: taken, maker: false, done: left.0 == 0 });
        }
        left
    }

    #[inline]
    fn sweep(&mut self) {
        self.resting.retain(|order| order.left.0 > 0);
    }
}

fn fill(order: &mut Resting, qty: Qty, out: &mut impl FnMut(Fill)) {
    order.left.0 -= qty.0;
    let level = Level { price: order.price, qty };
    out(Fill { order: order.order, level, maker: true, done: order.left.0 <= 0 });
}

/// Whether the opposite side's `touch` stands at or through the limit of an order of this side.
const fn reaches(side: Side, limit: Price, touch: Price) -> bool {
    match side {
        Side::Buy => touch.0 <= limit.0,
        Side::Sell => touch.0 >= limit.0,
    }
}

/// Whether `price` stands further out on this side's book than `than`.
const fn is_behind(side: Side, price: Price, than: Price) -> bool {
    match side {
        Side::Buy => price.0 < than.0,
        Side::Sell => price.0 > than.0,
    }
}

const fn book_side(side: Side) -> BookSide {
    match side {
        Side::Buy => BookSide::Bid,
        Side::Sell => BookSide::Ask,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn level(price: i64, qty: i64) -> Level {
        Level { price: Price(price), qty: Qty(qty) }
    }

    fn matching(fills: FillModel) -> Matching {
        let book = BookConfig::new(256, 1024).unwrap();
        let mut matching = Matching::new(book, QueueModel::RiskAverse, fills, Qty(1), 4);
        matching.on_snapshot(&[level(99, 5), level(98, 7)], &[level(101, 5), level(102, 7)], &mut |_| ());
        matching
    }

    fn incoming(order: u64, side: Side, limit: i64, qty: i64, tif: Tif) -> Incoming {
        Incoming { order, side, limit: Some(Price(limit)), qty: Qty(qty), tif }
    }

    fn fills(run: impl FnOnce(&mut dyn FnMut(Fill))) -> Vec<(u64, i64, i64, bool)> {
        let mut fills = Vec::new();
        run(&mut |fill: Fill| fills.push((fill.order, fill.level.price.0, fill.level.qty.0, fill.maker)));
        fills
    }

    #[test]
    fn a_post_only_order_rests_or_is_turned_away() {
        let mut matching = matching(FillModel::Full);
        let mut place = |price| matching.place(&incoming(1, Side::Buy, price, 1, Tif::PostOnly), &mut |_| ());
        assert_eq!(place(101), Placed::WouldTake);
        assert_eq!(place(100), Placed::Rests);
        assert_eq!((matching.cancel(1), matching.cancel(1)), (Some(Qty(1)), None));
    }

    #[test]
    fn the_newer_ticker_turns_away_and_fills_too() {
        let mut matching = matching(FillModel::Full);
        matching.on_ticker(Price(99), Price(100), &mut |_| ());
        assert_eq!(
            matching.place(&incoming(1, Side::Buy, 100, 1, Tif::PostOnly), &mut |_| ()),
            Placed::WouldTake
        );
        assert_eq!(matching.place(&incoming(2, Side::Buy, 99, 1, Tif::PostOnly), &mut |_| ()), Placed::Rests);
        assert_eq!(
            fills(|out| matching.on_ticker(Price(98), Price(99), &mut |f| out(f))),
            [(2, 99, 1, true)]
        );
    }

    #[test]
    fn taking_orders_walk_the_book_and_take_each_quantity_once() {
        let mut matching = matching(FillModel::Full);
        let ioc = incoming(1, Side::Buy, 102, 8, Tif::Ioc);
        assert_eq!(
            fills(|out| _ = matching.place(&ioc, &mut |f| out(f))),
            [(1, 101, 5, false), (1, 102, 3, false)]
        );
        let fok = incoming(2, Side::Buy, 102, 5, Tif::Fok);
        assert_eq!(matching.place(&fok, &mut |_| panic!("4 are left")), Placed::Expired);
        let market = Incoming { limit: None, ..incoming(3, Side::Buy, 0, 9, Tif::Ioc) };
        assert_eq!(
            fills(|out| assert_eq!(matching.place(&market, &mut |f| out(f)), Placed::Expired)),
            [(3, 102, 4, false)]
        );
        matching.on_delta(&[], &[level(101, 2)], &mut |_| ());
        let gtc = incoming(4, Side::Buy, 101, 3, Tif::Gtc);
        assert_eq!(
            fills(|out| assert_eq!(matching.place(&gtc, &mut |f| out(f)), Placed::Rests)),
            [(4, 101, 2, false)]
        );
        assert_eq!(matching.find(4), Some(level(101, 1)));
    }

    #[test]
    fn a_full_exchange_takes_nothing_of_an_order_whose_rest_could_not_rest() {
        let mut matching = matching(FillModel::Full);
        for order in 0..4 {
            assert_eq!(
                matching.place(&incoming(order, Side::Buy, 90, 1, Tif::Gtc), &mut |_| ()),
                Placed::Rests
            );
        }
        let gtc = incoming(9, Side::Buy, 101, 9, Tif::Gtc);
        assert_eq!(matching.place(&gtc, &mut |_| panic!("nothing is taken")), Placed::Full);
    }

    #[test]
    fn a_trade_reaches_an_order_behind_its_queue_and_in_partial_fills_no_further_than_itself() {
        for (model, expected) in [(FillModel::Full, (1, 99, 4, true)), (FillModel::Partial, (1, 99, 2, true))]
        {
            let mut matching = matching(model);
            matching.place(&incoming(1, Side::Buy, 99, 4, Tif::PostOnly), &mut |_| ());
            assert_eq!(fills(|out| matching.on_trade(Side::Sell, level(99, 5), &mut |f| out(f))), []);
            assert_eq!(fills(|out| matching.on_trade(Side::Sell, level(99, 2), &mut |f| out(f))), [expected]);
        }
        let mut matching = matching(FillModel::Partial);
        matching.place(&incoming(1, Side::Buy, 98, 4, Tif::PostOnly), &mut |_| ());
        matching.place(&incoming(2, Side::Buy, 100, 4, Tif::PostOnly), &mut |_| ());
        let through = fills(|out| matching.on_trade(Side::Sell, level(97, 6), &mut |f| out(f)));
        assert_eq!(through, [(2, 100, 4, true), (1, 98, 2, true)], "the better price first, and six in all");
    }

    #[test]
    fn less_of_an_order_keeps_its_place_and_nothing_makes_it_more() {
        let mut matching = matching(FillModel::Full);
        matching.place(&incoming(1, Side::Sell, 101, 4, Tif::Gtc), &mut |_| ());
        assert!(matching.reduce(1, Qty(2)) && !matching.reduce(1, Qty(2)) && !matching.reduce(1, Qty(3)));
        matching.on_trade(Side::Buy, level(101, 5), &mut |_| ());
        assert_eq!(
            fills(|out| matching.on_trade(Side::Buy, level(101, 1), &mut |f| out(f))),
            [(1, 101, 2, true)]
        );
    }

    proptest! {
        /// With partial fills nothing is traded that was not there: a trade fills no more than itself, a book no
        /// more than it shows between two changes of a level, and no order more than it has.
        #[test]
        fn partial_fills_conserve(steps in proptest::collection::vec((0_u8..5, 90_i64..110, 1_i64..8), 1..150)) {
            let mut matching = Matching::new(BookConfig::new(256, 1024).unwrap(), QueueModel::Power(2), FillModel::Partial, Qty(1), 8);
            let mut left = std::collections::BTreeMap::new();
            for (order, (what, price, qty)) in (0_u64..).zip(steps) {
                let mut out = Vec::new();
                let mut keep = |fill: Fill| out.push(fill);
                // What this event makes available to resting orders.
                let available = match what {
                    0 => { matching.on_delta(&[level(price, qty - 1)], &[], &mut keep); None }
                    1 => { matching.on_delta(&[], &[level(price, qty - 1)], &mut keep); None }
                    2 => { matching.on_trade(Side::Sell, level(price, qty), &mut keep); Some(qty) }
                    3 => { matching.on_trade(Side::Buy, level(price, qty), &mut keep); Some(qty) }
                    _ => {
                        let side = if order % 2 == 0 { Side::Buy } else { Side::Sell };
                        left.insert(order, qty);
                        let placed = matching.place(&incoming(order, side, price, qty, Tif::Gtc), &mut keep);
                        if placed == Placed::Full {
                            left.remove(&order);
                        }
                        None
                    }
                };
                let filled: i64 = out.iter().map(|fill| fill.level.qty.0).sum();
                prop_assert!(available.is_none_or(|available| filled <= available), "{out:?}");
                for fill in out {
                    let of_order = left.get_mut(&fill.order).expect("an order that has not ended");
                    *of_order -= fill.level.qty.0;
                    prop_assert!(fill.level.qty.0 > 0 && *of_order >= 0 && fill.done == (*of_order == 0));
                    if fill.done {
                        left.remove(&fill.order);
                    }
                }
                prop_assert_eq!(matching.resting_count(), left.len());
                for (order, qty) in &left {
                    prop_assert_eq!(matching.find(*order).map(|level| level.qty), Some(Qty(*qty)));
                }
            }
        }
    }
}
