//! A market made from a seed: one instrument's limit order book, and what the venue would tell of it.
//!
//! The model, in integers alone:
//! - A *fair price* that nobody sees moves every 10 ms by a normal shock, whose variance follows GARCH(1,1)
//!   (0.1 of the last squared shock, 0.88 of the last variance: quiet and wild times cluster), and is drawn back to
//!   where it started, by 1/8192 of the distance a step.
//! - Orders come as Poisson events. Near the touch and deep in the book, each side gets limit orders (distance
//!   from the fair price: half as many with every tick near it, every octave alike beyond) and loses orders to
//!   cancels (all or a part of a level). More limit orders come while the spread is wide.
//! - Market orders on each side excite more of themselves (Hawkes: exponential decay, two in three are children
//!   of another), take what rests from the best price on, and never more than [`PRINTS_MAX`] prints.
//! - A best price that the fair price has left behind is pulled by its owner (three times in four) or taken by
//!   whoever saw it first, the sooner the farther behind.
//!
//! What is told: a trade for each order met and the touch whenever it changes, at once; every changed level each
//! 50 to 54 ms; the whole book once, a quarter of a second in, as a client that asked for it would get it. Ids
//! rise by one to a hundred and twenty-eight with every change of the book, as the venue's skip.

use super::random::Random;
use super::resting::{Resting, WINDOW_TICKS};
use engine::book::BookSide;
use engine::num::{Level, Price, Qty, Side};

/// Trades that one market order makes at most.
pub(super) const PRINTS_MAX: usize = 64;

/// Where an instrument's market starts, and how large its orders are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Start {
    /// Fair price, ticks; at least `WINDOW_TICKS`.
    pub(super) price_ticks: i64,
    /// Quantity units in the smallest order, above zero.
    pub(super) qty_units: i64,
}

/// What the venue tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Told {
    /// When, ns since the market's start; never before the one before.
    pub(super) at_ns: u64,
    pub(super) what: What,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// The whole book; its levels are `Market::levels`.
    Snapshot { update_id: u64 },
    /// Changed levels, those of `Market::changes`.
    Depth { first_id: u64, last_id: u64, prev_id: u64 },
    /// The touch.
    Touch { update_id: u64, bid: Level, ask: Level },
    /// An order met another.
    Trade { id: u64, price: Price, qty: Qty, taker: Side },
}

/// One instrument's market.
#[derive(Debug)]
pub(super) struct Market {
    random: Random,
    start: Start,
    /// Price of the window's first tick.
    origin_ticks: i64,
    now_ns: u64,
    step_due_ns: u64,
    order_due_ns: u64,
    depth_due_ns: u64,
    /// Tick of the window, scaled by 2^16.
    fair_q16: i64,
    /// Of a step, in the same scale squared.
    variance: u64,
    /// Market orders expected beyond the usual ones, by taker's side, in 1,000 s.
    excited: [u64; 2],
    bids: Resting,
    asks: Resting,
    update_id: u64,
    /// First change since the last depth message, and the id that message ended with.
    first_id: u64,
    prev_id: u64,
    trade_id: u64,
    touch: Option<[(usize, i64); 2]>,
    snapshot_told: bool,
    depth_told: bool,
    prints: [(usize, i64); PRINTS_MAX],
    print_count: usize,
    prints_told: usize,
    taker: Side,
}

impl Market {
    /// The market of a seed, with its book filled.
    pub(super) fn new(seed: u64, start: Start) -> Self {
        let mut random = Random::new(seed);
        let mut market = Self {
            start,
            origin_ticks: start.price_ticks - WINDOW_MIDDLE,
            now_ns: 0,
            step_due_ns: STEP_NS,
            order_due_ns: 0,
            depth_due_ns: DEPTH_NS,
            fair_q16: FAIR_START_Q16,
            variance: VARIANCE_USUAL,
            excited: [0; 2],
            bids: Resting::new(BookSide::Bid),
            asks: Resting::new(BookSide::Ask),
            update_id: 5_000_000_000_000 + random.below(1 << 40),
            first_id: 0,
            prev_id: 0,
            trade_id: 5_000_000_000 + random.below(1 << 31),
            touch: None,
            snapshot_told: false,
            depth_told: false,
            prints: [(0, 0); PRINTS_MAX],
            print_count: 0,
            prints_told: 0,
            taker: Side::Buy,
            random,
        };
        market.fill(BookSide::Bid);
        market.fill(BookSide::Ask);
        market.prev_id = market.update_id;
        market
    }

    /// Goes on to what the venue tells next. None: nothing in the next [`EVENTS_MAX`] events; call again.
    pub(super) fn advance(&mut self) -> Option<Told> {
        if std::mem::take(&mut self.depth_told) {
            self.bids.told();
            self.asks.told();
        }
        for _ in 0..EVENTS_MAX {
            if let Some(what) = self.due() {
                return Some(Told { at_ns: self.now_ns, what });
            }
            let other_due_ns = self.step_due_ns.min(self.order_due_ns);
            if self.depth_due_ns <= other_due_ns {
                self.now_ns = self.now_ns.max(self.depth_due_ns);
                self.depth_due_ns = self.now_ns + DEPTH_NS + self.random.below(DEPTH_JITTER_NS);
                if self.is_changed() {
                    return Some(Told { at_ns: self.now_ns, what: self.depth() });
                }
            } else if self.step_due_ns <= self.order_due_ns {
                self.now_ns = self.step_due_ns;
                self.step_due_ns += STEP_NS;
                self.step();
                self.draw_order();
            } else {
                self.now_ns = self.order_due_ns;
                self.order();
                self.draw_order();
            }
        }
        None
    }

    /// The last update of the book, which a snapshot taken now is as of.
    pub(super) const fn update_id(&self) -> u64 {
        self.update_id
    }

    /// Levels of a side from the touch outwards.
    pub(super) fn levels(&self, side: BookSide) -> impl Iterator<Item = Level> {
        self.side(side).levels().map(|(tick, qty)| self.level(tick, qty))
    }

    /// What a depth message is about: levels of a side that changed since the last one, by rising price.
    pub(super) fn changes(&mut self, side: BookSide) -> impl Iterator<Item = Level> {
        let origin = self.origin_ticks;
        self.side_mut(side).changes().map(move |(tick, qty)| level(origin, tick, qty))
    }

    /// What has to be told before anything else happens.
    fn due(&mut self) -> Option<What> {
        if self.prints_told < self.print_count {
            let (tick, qty) = self.prints[self.prints_told];
            self.prints_told += 1;
            self.trade_id += 1;
            let Level { price, qty } = self.level(tick, qty);
            return Some(What::Trade { id: self.trade_id, price, qty, taker: self.taker });
        }
        let touch = [&self.bids, &self.asks].map(|side| (side.best(), side.at(side.best())));
        if self.touch != Some(touch) {
            self.touch = Some(touch);
            let [bid, ask] = touch.map(|(tick, qty)| self.level(tick, qty));
            return Some(What::Touch { update_id: self.update_id, bid, ask });
        }
        if !self.snapshot_told && self.now_ns >= SNAPSHOT_NS && self.is_changed() {
            // Amid the changes of a depth message, so that the message spans the snapshot's id.
            self.snapshot_told = true;
            return Some(What::Snapshot { update_id: self.update_id });
        }
        None
    }

    fn depth(&mut self) -> What {
        let what = What::Depth { first_id: self.first_id, last_id: self.update_id, prev_id: self.prev_id };
        self.prev_id = self.update_id;
        self.depth_told = true;
        what
    }

    /// Ten milliseconds of the fair price.
    fn step(&mut self) {
        let shock = (i64::try_from(self.variance.isqrt()).unwrap_or(0) * self.random.normal_q16()) >> 16;
        let squared = shock.unsigned_abs().pow(2);
        let next = (VARIANCE_USUAL * 20 + squared * 100 + self.variance * 880) / 1_000;
        self.variance = next.min(VARIANCE_USUAL * 100);
        let back = (FAIR_START_Q16 - self.fair_q16) / 8_192;
        let (low, high) = (FAIR_START_Q16 - FAIR_RANGE_Q16, FAIR_START_Q16 + FAIR_RANGE_Q16);
        self.fair_q16 = (self.fair_q16 + shock + back).clamp(low, high);
        for excited in &mut self.excited {
            *excited -= *excited / 10;
        }
    }

    /// When the next order comes at the rates of now: whatever came before does not matter.
    fn draw_order(&mut self) {
        let total = self.rates().iter().map(|(rate, _)| rate).sum();
        self.order_due_ns = self.now_ns + self.random.gap_ns(total);
    }

    /// What may happen next, and how often it would in 1,000 s.
    fn rates(&self) -> [(u64, Order); 12] {
        let [fair_bid, fair_ask] = self.fair();
        let spread = self.asks.best().saturating_sub(self.bids.best()).saturating_sub(1).min(10) as u64;
        let near = NEAR_RATE + spread * WIDE_RATE;
        let behind = |ticks: usize| ticks.min(30) as u64 * BEHIND_RATE;
        let [buy, sell] = self.excited.map(|excited| MARKET_RATE + excited);
        [
            (near, Order::Limit(BookSide::Bid, Place::Near)),
            (near, Order::Limit(BookSide::Ask, Place::Near)),
            (NEAR_RATE, Order::Cancel(BookSide::Bid, Place::Near)),
            (NEAR_RATE, Order::Cancel(BookSide::Ask, Place::Near)),
            (DEEP_RATE, Order::Limit(BookSide::Bid, Place::Deep)),
            (DEEP_RATE, Order::Limit(BookSide::Ask, Place::Deep)),
            (DEEP_RATE, Order::Cancel(BookSide::Bid, Place::Deep)),
            (DEEP_RATE, Order::Cancel(BookSide::Ask, Place::Deep)),
            (buy, Order::Market(Side::Buy)),
            (sell, Order::Market(Side::Sell)),
            (behind(self.bids.best().saturating_sub(fair_bid)), Order::LeftBehind(BookSide::Bid)),
            (behind(fair_ask.saturating_sub(self.asks.best())), Order::LeftBehind(BookSide::Ask)),
        ]
    }

    fn order(&mut self) {
        let rates = self.rates();
        let mut pick = self.random.below(rates.iter().map(|(rate, _)| rate).sum());
        let chosen = rates.iter().find(|(rate, _)| {
            let here = pick < *rate;
            pick = pick.saturating_sub(*rate);
            here
        });
        match chosen.map(|(_, order)| *order) {
            Some(Order::Limit(side, place)) => self.limit(side, place),
            Some(Order::Cancel(side, place)) => self.cancel(side, place),
            Some(Order::Market(taker)) => {
                let qty = self.qty(8, 7);
                self.take(taker, qty);
            }
            Some(Order::LeftBehind(side)) => {
                let best = self.side(side).best();
                if self.random.below(4) > 0 {
                    self.change(side, best, 0);
                } else {
                    let taker = if side == BookSide::Bid { Side::Sell } else { Side::Buy };
                    self.take(taker, self.side(side).at(best));
                }
            }
            None => {}
        }
        if self.bids.is_nearly_full() || self.asks.is_nearly_full() {
            self.depth_due_ns = self.now_ns;
        }
    }

    /// Post-only: where it would meet the other side it rests one tick before it.
    fn limit(&mut self, side: BookSide, place: Place) {
        let distance = match place {
            Place::Near => self.random.heads(6) as usize,
            Place::Deep => self.deep(),
        };
        let (levels_max, octaves) = match place {
            Place::Near => (LEVELS_MAX, 8),
            Place::Deep => (LEVELS_USUAL, 5),
        };
        let [fair_bid, fair_ask] = self.fair();
        let tick = match side {
            BookSide::Bid => self.bids.away(fair_bid, distance).map(|t| t.min(self.asks.best() - 1)),
            BookSide::Ask => self.asks.away(fair_ask, distance).map(|t| t.max(self.bids.best() + 1)),
        };
        let qty = self.qty(16, octaves);
        let Some(tick) = tick else { return };
        let old = self.side(side).at(tick);
        if old > 0 || self.side(side).count() < levels_max {
            self.change(side, tick, old + qty);
        }
    }

    /// All of a level or a part of it, at a distance from the best price or at the next level behind it.
    fn cancel(&mut self, side: BookSide, place: Place) {
        let distance = match place {
            Place::Near => self.random.heads(6) as usize,
            Place::Deep => self.deep(),
        };
        let resting = self.side(side);
        let Some(from) = resting.away(resting.best(), distance) else { return };
        let found = (0..64).filter_map(|more| resting.away(from, more)).find(|tick| resting.at(*tick) > 0);
        let Some(tick) = found else { return };
        let units = self.side(side).at(tick) / self.start.qty_units;
        let part = self.random.below(units.unsigned_abs());
        let left = if self.random.coin() { 0 } else { self.units(part) };
        if left > 0 || self.side(side).count() > LEVELS_MIN {
            self.change(side, tick, left);
        }
    }

    /// Takes `qty` from the other side, a trade for each order that rested there.
    fn take(&mut self, taker: Side, qty: i64) {
        let side = if taker == Side::Buy { BookSide::Ask } else { BookSide::Bid };
        let mut left = qty;
        (self.taker, self.print_count, self.prints_told) = (taker, 0, 0);
        while left > 0 && self.print_count < PRINTS_MAX && self.side(side).count() > LEVELS_MIN {
            let tick = self.side(side).best();
            let here = self.side(side).at(tick);
            let mut of_level = here.min(left);
            let after = here - of_level;
            left -= of_level;
            while of_level > 0 {
                let order = self.qty(16, 6);
                // The last print that there is room for says the rest.
                let printed = if self.print_count + 1 < PRINTS_MAX { order.min(of_level) } else { of_level };
                of_level -= printed;
                if let Some(print) = self.prints.get_mut(self.print_count) {
                    *print = (tick, printed);
                    self.print_count += 1;
                }
            }
            self.set(side, tick, after);
        }
        if self.print_count > 0 {
            self.changed();
            self.excited[taker as usize] += EXCITEMENT;
        }
    }

    /// A change of the book with an id of its own.
    fn change(&mut self, side: BookSide, tick: usize, qty: i64) {
        self.set(side, tick, qty);
        self.changed();
    }

    fn set(&mut self, side: BookSide, tick: usize, qty: i64) {
        self.side_mut(side).set(tick, qty);
    }
}

impl Market {
    /// A new id for what the book is now.
    fn changed(&mut self) {
        self.update_id += 1 + self.random.below(128);
        if self.first_id <= self.prev_id {
            self.first_id = self.update_id;
        }
    }

    /// The book at the start: every tick near the touch, then every other, then every fourth.
    fn fill(&mut self, side: BookSide) {
        let from = self.fair()[usize::from(side == BookSide::Ask)];
        for distance in 0..WINDOW_TICKS {
            let sparse = match distance {
                0..8 => 1,
                8..256 => 2,
                _ => 4,
            };
            let Some(tick) = self.side(side).away(from, distance) else { return };
            if self.random.below(sparse) == 0 {
                let qty = self.qty(16, 5);
                self.set(side, tick, qty);
            }
            if self.side(side).count() == LEVELS_USUAL {
                break;
            }
        }
        self.side_mut(side).told(); // nobody knew another book
    }

    /// Ticks of the best bid and ask that are worth their price.
    fn fair(&self) -> [usize; 2] {
        let bid = usize::try_from(self.fair_q16 >> 16).unwrap_or(0);
        [bid, bid + 1]
    }

    /// A distance far from the touch: every octave from 4 to 4,095 ticks alike.
    fn deep(&mut self) -> usize {
        let octave = 4_u64 << self.random.below(10);
        usize::try_from(octave + self.random.below(octave)).unwrap_or(0)
    }

    /// An order's quantity: 1 to `orders` of the smallest, doubled as often as heads falls, at most `doublings` times.
    fn qty(&mut self, orders: u64, doublings: u32) -> i64 {
        let count = (1 + self.random.below(orders)) << self.random.heads(doublings);
        self.units(count)
    }

    fn units(&self, count: u64) -> i64 {
        i64::try_from(count).unwrap_or(0) * self.start.qty_units
    }

    const fn side(&self, side: BookSide) -> &Resting {
        match side {
            BookSide::Bid => &self.bids,
            BookSide::Ask => &self.asks,
        }
    }

    const fn side_mut(&mut self, side: BookSide) -> &mut Resting {
        match side {
            BookSide::Bid => &mut self.bids,
            BookSide::Ask => &mut self.asks,
        }
    }

    const fn is_changed(&self) -> bool {
        self.bids.is_changed() || self.asks.is_changed()
    }

    const fn level(&self, tick: usize, qty: i64) -> Level {
        level(self.origin_ticks, tick, qty)
    }
}

/// A level of the window that begins at `origin`.
#[expect(clippy::cast_possible_wrap, reason = "a tick is below `WINDOW_TICKS`")]
const fn level(origin: i64, tick: usize, qty: i64) -> Level {
    Level { price: Price(origin + tick as i64), qty: Qty(qty) }
}

/// What may happen.
#[derive(Clone, Copy, Debug)]
enum Order {
    Limit(BookSide, Place),
    Cancel(BookSide, Place),
    Market(Side),
    /// Something happens to a best price that the fair price has passed.
    LeftBehind(BookSide),
}

/// Where in the book.
#[derive(Clone, Copy, Debug)]
enum Place {
    Near,
    Deep,
}

/// Events of the model in one call, so that a call ends.
pub(super) const EVENTS_MAX: u32 = 4_096;

/// Step of the fair price.
const STEP_NS: u64 = 10_000_000;
/// Time between depth messages, and what it varies by.
const DEPTH_NS: u64 = 50_000_000;
const DEPTH_JITTER_NS: u64 = 4_000_000;
/// When the snapshot is told.
const SNAPSHOT_NS: u64 = 250_000_000;

/// Where in the window the fair price starts.
const WINDOW_MIDDLE: i64 = 1 << 13;
const _: () = assert!(WINDOW_TICKS == 1 << 14);
const FAIR_START_Q16: i64 = WINDOW_MIDDLE << 16;
/// How far the fair price goes from its start at most: the deepest orders still find room.
const FAIR_RANGE_Q16: i64 = 3_000 << 16;
/// Of a step's shock in the long run: 1.5 ticks, squared.
const VARIANCE_USUAL: u64 = (3 << 15) * (3 << 15);

/// Events in 1,000 s, each side: limit orders and cancels near the touch,
const NEAR_RATE: u64 = 60_000;
/// what comes on top of the limit orders for every tick of spread beyond the first,
const WIDE_RATE: u64 = 1_000_000;
/// limit orders and cancels deep in the book,
const DEEP_RATE: u64 = 200_000;
/// market orders that nothing excited,
const MARKET_RATE: u64 = 4_000;
/// what a market order adds to their rate at first (a tenth of it goes every step),
const EXCITEMENT: u64 = 7_000;
/// and what happens to a best price for every tick that the fair price has passed it.
const BEHIND_RATE: u64 = 100_000;

/// Levels of a side: cancels and market orders leave the last ones, deep limit orders open none beyond the usual.
/// No side ever has more than a snapshot holds.
const LEVELS_MIN: usize = 300;
const LEVELS_USUAL: usize = 900;
const LEVELS_MAX: usize = super::frames::SNAPSHOT_LEVELS_MAX;

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) const BTC: Start = Start { price_ticks: 618_000, qty_units: 1 };

    fn told(market: &mut Market) -> Told {
        (0..100).find_map(|_| market.advance()).unwrap()
    }

    #[test]
    fn a_seed_is_a_market_and_another_seed_another() {
        let of = |seed| {
            let mut market = Market::new(seed, BTC);
            (0..20_000).map(|_| told(&mut market)).collect::<Vec<_>>()
        };
        assert_eq!(of(1), of(1));
        assert_ne!(of(1), of(2));
    }

    #[test]
    fn time_and_ids_only_rise_and_the_book_is_never_crossed_or_thin() {
        let mut market = Market::new(3, BTC);
        let (mut at_ns, mut update_id, mut trade_id, mut depth_id) = (0, 0, 0, 0);
        let (mut snapshot_id, mut spanned) = (None, false);
        for _ in 0..200_000 {
            let told = told(&mut market);
            assert!(told.at_ns >= at_ns);
            at_ns = told.at_ns;
            match told.what {
                What::Touch { update_id: id, bid, ask } => {
                    assert!(id > update_id && bid.price < ask.price && bid.qty.0 > 0 && ask.qty.0 > 0);
                    update_id = id;
                }
                What::Trade { id, qty, .. } => {
                    assert!((trade_id == 0 || id == trade_id + 1) && qty.0 > 0);
                    trade_id = id;
                }
                What::Depth { first_id, last_id, prev_id } => {
                    assert!(
                        first_id > prev_id && first_id <= last_id && (depth_id == 0 || prev_id == depth_id)
                    );
                    assert!(last_id >= update_id); // the touch at that id was told before
                    if let Some(id) = snapshot_id.take() {
                        assert!(first_id <= id && id <= last_id);
                        spanned = true;
                    }
                    depth_id = last_id;
                }
                What::Snapshot { update_id } => {
                    assert!(snapshot_id.is_none() && !spanned);
                    snapshot_id = Some(update_id);
                }
            }
            for side in BookSide::BOTH {
                assert!((LEVELS_MIN..=LEVELS_MAX).contains(&market.side(side).count()));
            }
        }
        assert!(spanned && at_ns > 100 * 1_000_000_000, "{at_ns}");
    }

    /// Numbers of market orders in 100 ms, whose variance is their mean if none excites another.
    #[test]
    fn trades_cluster() {
        let mut market = Market::new(4, BTC);
        let mut counts = vec![0_u64; 6_000];
        let (mut last, mut at) = (u64::MAX, 0);
        while at < counts.len() {
            let told = told(&mut market);
            at = usize::try_from(told.at_ns / 100_000_000).unwrap();
            if matches!(told.what, What::Trade { .. }) && told.at_ns != last {
                last = told.at_ns;
                if let Some(count) = counts.get_mut(at) {
                    *count += 1;
                }
            }
        }
        let n = counts.len() as u64;
        let sum = counts.iter().sum::<u64>();
        let squares = counts.iter().map(|count| count * count).sum::<u64>();
        let variance_times_n_squared = squares * n - sum * sum;
        assert!(variance_times_n_squared > 2 * sum * n, "mean {sum} / {n}, squares {squares}");
    }
}
