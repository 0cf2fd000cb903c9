//! A crowd that makes a market, from a seed.
//!
//! The model, a point process of six kinds of acts on one book:
//!
//! - **Fair value**: Ornstein-Uhlenbeck around the price that the market began with, in continuous time. It is also the
//!   index that a futures market follows.
//! - **What the crowd sees of it**: the fair value as it was when it last was a distance away from what they saw. Prices
//!   therefore stand still, queues grow, and then all move at once.
//! - **Takers**: a self-exciting (Hawkes) process with exponential decay; the side is the last one's with a
//!   probability, less so against the fair value; log-normal sizes; the limit is some way through the touch.
//! - **Near makers**: Poisson; join or improve the touch on their side of the fair value, at a Pareto distance of few
//!   ticks.
//! - **Far makers**: Poisson; log-normal distance from the fair value. They are the book's depth.
//! - **Cancels** of near and of far orders: each order has an exponential life, near ones a short one.
//! - **Repricing**: while the fair value lies beyond a side's best price, its orders there are withdrawn or taken, the
//!   faster the farther it lies beyond. This is what moves the market.
//!
//! Waiting times: the sum of the rates is constant between events but for the decay of the takers' excitation, so the
//! next event is drawn from the sum now and thinned by what has decayed (Ogata 1981, "On Lewis' simulation method for
//! point processes"). Rates, sizes and distances are fitted to the recorded BTCUSDT markets of August 2024; `venue-sim
//! statistics` prints how near they come.

use super::random::Random;
use crate::exchange::{
    Cancel, CancelOnly, Events, Exchange, HOUSE, Market, NewOrder, OrderId, OrderRef, Product, SelfTrade,
};
use engine::ids::{AccountId, InstrumentId};
use engine::num::{Price, Qty, Side};
use engine::order::Tif;
use engine::time::Nanos;

/// What a crowd is like. Rates a second, sizes in the quote asset, distances in hundredths of a percent of the price.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Crowd {
    /// Takers that no earlier taker has caused.
    pub takers_per_s: f64,
    /// Takers that each taker causes in the mean; below 1.
    pub takers_caused: f64,
    /// How fast that wears off.
    pub excitation_decay_per_s: f64,
    /// Probability that a taker is on the side of the last one.
    pub side_kept: f64,
    /// Median value of a taking order.
    pub taker_value: f64,
    /// Deviation of its logarithm.
    pub taker_value_deviation: f64,
    /// How far beyond the touch a taker goes.
    pub taker_reach_bps: f64,
    /// Orders near the touch.
    pub near_per_s: f64,
    /// Mean life of one.
    pub near_life_s: f64,
    /// Typical distance of one from the best price it may have, ticks.
    pub near_ticks: f64,
    /// Orders far from it.
    pub far_per_s: f64,
    /// Mean life of one.
    pub far_life_s: f64,
    /// Median distance of one from the fair value.
    pub far_bps: f64,
    /// Deviation of its logarithm.
    pub far_deviation: f64,
    /// Median value of a resting order.
    pub maker_value: f64,
    /// Deviation of its logarithm.
    pub maker_value_deviation: f64,
    /// Volatility of the fair value over one second.
    pub volatility_bps: f64,
    /// How far the fair value moves before the crowd sees it.
    pub unseen_bps: f64,
    /// Time in which the fair value comes back by a factor e.
    pub reversion_s: f64,
    /// Withdrawals a second for each hundredth of a percent that the fair value lies beyond the touch.
    pub repricing_per_bps: f64,
}

impl Crowd {
    /// As recorded on BTCUSDT in August 2024.
    #[must_use]
    pub const fn of(product: Product) -> Self {
        match product {
            Product::Futures => Self {
                takers_per_s: 4.8,
                takers_caused: 0.65,
                excitation_decay_per_s: 12.0,
                side_kept: 0.7,
                taker_value: 1_850.0,
                taker_value_deviation: 2.3,
                taker_reach_bps: 5.0,
                near_per_s: 130.0,
                near_life_s: 1.0,
                near_ticks: 1.0,
                far_per_s: 420.0,
                far_life_s: 10.0,
                far_bps: 6.5,
                far_deviation: 1.4,
                maker_value: 1_400.0,
                maker_value_deviation: 2.1,
                volatility_bps: 1.35,
                unseen_bps: 1.2,
                reversion_s: 40.0,
                repricing_per_bps: 1_500.0,
            },
            Product::Spot => Self {
                takers_per_s: 3.3,
                takers_caused: 0.65,
                excitation_decay_per_s: 9.0,
                side_kept: 0.7,
                taker_value: 214.0,
                taker_value_deviation: 2.6,
                taker_reach_bps: 5.0,
                near_per_s: 50.0,
                near_life_s: 2.0,
                near_ticks: 1.0,
                far_per_s: 200.0,
                far_life_s: 10.0,
                far_bps: 4.2,
                far_deviation: 1.5,
                maker_value: 150.0,
                maker_value_deviation: 3.1,
                volatility_bps: 1.4,
                unseen_bps: 1.2,
                reversion_s: 40.0,
                repricing_per_bps: 700.0,
            },
        }
    }
}

/// The crowd of one market.
pub struct Generator {
    crowd: Crowd,
    market: InstrumentId,
    account: AccountId,
    random: Random,
    /// When it last acted, and when it acts next if nothing decays meanwhile.
    now: Nanos,
    next: Nanos,
    /// What the takers so far add to the takers' rate.
    excitation: f64,
    last_side: Side,
    /// Ticks.
    fair: f64,
    /// What the crowd sees of it.
    seen: f64,
    anchor: f64,
    /// Ticks that are a hundredth of a percent of the anchor.
    bps: f64,
    /// One lot's value in the quote asset, and its quantity.
    lot_value: f64,
    lot: Qty,
    near: Vec<OrderId>,
    far: Vec<OrderId>,
}

/// What happens next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    Take,
    Near,
    Far,
    CancelNear,
    CancelFar,
    Reprice,
}

impl Generator {
    /// A crowd for a market, acting from `now` on around `price`; `account` may owe without limit, or its orders are
    /// refused. The book is empty until the first call of [`Self::run_until`].
    #[must_use]
    pub fn new(
        exchange: &Exchange,
        market: InstrumentId,
        account: AccountId,
        crowd: Crowd,
        price: Price,
        now: Nanos,
        seed: u64,
    ) -> Option<Self> {
        let instrument = &exchange.market(market)?.instrument;
        let (anchor, lot) = (price.0 as f64, instrument.lot);
        let lot_value = exchange.market(market)?.value(price, lot).0 as f64 / 1e18;
        Some(Self {
            crowd,
            market,
            account,
            random: Random::new(seed),
            now,
            next: now,
            excitation: 0.0,
            last_side: Side::Buy,
            fair: anchor,
            seen: anchor,
            anchor,
            bps: anchor / 1e4,
            lot_value,
            lot,
            near: Vec::new(),
            far: Vec::new(),
        })
    }

    /// When it acts next, at the earliest.
    #[must_use]
    pub fn next_due(&self) -> Nanos {
        self.next
    }

    /// Acts until `until`, letting the exchange's own time pass with it.
    pub fn run_until(&mut self, exchange: &mut Exchange, until: Nanos, events: &mut Events) {
        if self.near.is_empty() && self.far.is_empty() {
            self.fill(exchange, events);
        }
        while self.next <= until {
            let rates = self.rates(exchange);
            let drawn: f64 = rates.iter().map(|(rate, _)| rate).sum();
            self.pass(self.next);
            exchange.set_index(self.market, Price(count(self.fair).max(1)));
            exchange.advance(self.now, events);
            let rates = self.rates(exchange);
            // What has decayed since the time was drawn is thinned out.
            let mut at = self.random.unit() * drawn.max(rates.iter().map(|(rate, _)| rate).sum());
            let act = rates.into_iter().find(|(rate, _)| {
                at -= rate;
                at < 0.0
            });
            if let Some((_, act)) = act {
                self.act(exchange, act, events);
            }
            let total: f64 = self.rates(exchange).iter().map(|(rate, _)| rate).sum();
            self.next = self.now.plus(nanos(self.random.exponential() / total.max(1e-3)));
        }
        exchange.advance(until, events);
    }

    /// The book that there is when the market opens: as many orders as there are in the mean.
    fn fill(&mut self, exchange: &mut Exchange, events: &mut Events) {
        let mean = |rate: f64, life: f64| count(rate * life);
        for _ in 0..mean(self.crowd.near_per_s, self.crowd.near_life_s) {
            self.act(exchange, Act::Near, events);
        }
        for _ in 0..mean(self.crowd.far_per_s, self.crowd.far_life_s) {
            self.act(exchange, Act::Far, events);
        }
    }

    fn rates(&self, exchange: &Exchange) -> [(f64, Act); 6] {
        let crowd = &self.crowd;
        let beyond = self.beyond(exchange).map_or(0.0, |(_, ticks)| ticks) / self.bps;
        [
            (crowd.takers_per_s + self.excitation, Act::Take),
            (crowd.near_per_s, Act::Near),
            (crowd.far_per_s, Act::Far),
            (self.near.len() as f64 / crowd.near_life_s, Act::CancelNear),
            (self.far.len() as f64 / crowd.far_life_s, Act::CancelFar),
            (crowd.repricing_per_bps * beyond.min(4.0), Act::Reprice),
        ]
    }

    /// The side whose best price the fair value lies beyond, and by how many ticks.
    fn beyond(&self, exchange: &Exchange) -> Option<(Side, f64)> {
        let quote = exchange.market(self.market)?.quote();
        let above = quote.ask.map(|ask| (Side::Sell, self.seen - ask.price.0 as f64));
        let below = quote.bid.map(|bid| (Side::Buy, bid.price.0 as f64 - self.seen));
        above.into_iter().chain(below).find(|(_, ticks)| *ticks > 0.0)
    }

    /// Lets time pass for the fair value and the excitation.
    fn pass(&mut self, to: Nanos) {
        let seconds = to.since(self.now).0 as f64 / 1e9;
        self.now = to;
        self.excitation *= libm::exp(-self.crowd.excitation_decay_per_s * seconds);
        let kept = libm::exp(-seconds / self.crowd.reversion_s);
        let variance = self.crowd.reversion_s / 2.0 * (1.0 - kept * kept);
        let noise = self.crowd.volatility_bps * self.bps * variance.sqrt() * self.random.normal();
        self.fair = (self.anchor + (self.fair - self.anchor) * kept + noise).max(self.anchor / 10.0);
        if (self.fair - self.seen).abs() > self.crowd.unseen_bps * self.bps {
            self.seen = self.fair;
        }
    }

    fn act(&mut self, exchange: &mut Exchange, act: Act, events: &mut Events) {
        match act {
            Act::Take => self.take(exchange, events),
            Act::Near => self.place_near(exchange, events),
            Act::Far => self.place_far(exchange, events),
            Act::CancelNear => self.cancel_any(exchange, true, events),
            Act::CancelFar => self.cancel_any(exchange, false, events),
            Act::Reprice => self.reprice(exchange, events),
        }
    }

    fn take(&mut self, exchange: &mut Exchange, events: &mut Events) {
        self.excitation += self.crowd.takers_caused * self.crowd.excitation_decay_per_s;
        // Against the fair value fewer go on.
        let side =
            if self.random.chance(self.crowd.side_kept) { self.last_side } else { self.last_side.opposite() };
        let side = match self.beyond(exchange) {
            Some((stale, _)) if self.random.chance(0.5) => stale.opposite(),
            _ => side,
        };
        self.last_side = side;
        let Some(quote) = exchange.market(self.market).map(Market::quote) else { return };
        let best = if side == Side::Buy { quote.ask } else { quote.bid };
        let Some(best) = best else { return };
        let reach = count(self.crowd.taker_reach_bps * self.bps).max(1);
        let price = Price(if side == Side::Buy { best.price.0 + reach } else { best.price.0 - reach });
        let qty = self.qty(self.crowd.taker_value, self.crowd.taker_value_deviation);
        self.place(exchange, side, price, qty, Tif::Ioc, events);
    }

    fn place_near(&mut self, exchange: &mut Exchange, events: &mut Events) {
        let side = self.any_side();
        let distance = count(self.random.pareto(self.crowd.near_ticks, 1.5)).min(count(20.0 * self.bps));
        let Some(quote) = exchange.market(self.market).map(Market::quote) else { return };
        let fair = self.seen_price();
        let price = match side {
            Side::Buy => fair.min(quote.ask.map_or(i64::MAX, |ask| ask.price.0 - 1)) - distance,
            Side::Sell => (fair + 1).max(quote.bid.map_or(0, |bid| bid.price.0 + 1)) + distance,
        };
        let qty = self.qty(self.crowd.maker_value, self.crowd.maker_value_deviation);
        let placed = self.place(exchange, side, Price(price), qty, Tif::PostOnly, events);
        self.near.extend(placed);
    }

    fn place_far(&mut self, exchange: &mut Exchange, events: &mut Events) {
        let side = self.any_side();
        let distance = self.random.log_normal(self.crowd.far_bps * self.bps, self.crowd.far_deviation);
        let distance = count(distance.min(self.anchor / 4.0)) + 1;
        let fair = self.seen_price();
        let price = Price(if side == Side::Buy { fair - distance } else { fair + distance });
        let qty = self.qty(self.crowd.maker_value, self.crowd.maker_value_deviation);
        let placed = self.place(exchange, side, price, qty, Tif::PostOnly, events);
        self.far.extend(placed);
    }

    /// Cancels a random one of the near or far orders; those that have traded meanwhile leave the list.
    fn cancel_any(&mut self, exchange: &mut Exchange, is_near: bool, events: &mut Events) {
        let orders = if is_near { &mut self.near } else { &mut self.far };
        for _ in 0..8 {
            if orders.is_empty() {
                return;
            }
            let id = orders.swap_remove(self.random.below(orders.len()));
            if cancel(exchange, self.now, self.account, self.market, id, events) {
                return;
            }
        }
    }

    /// Withdraws the orders at the best price that the fair value lies beyond.
    fn reprice(&mut self, exchange: &mut Exchange, events: &mut Events) {
        let Some((stale, _)) = self.beyond(exchange) else { return };
        for order in exchange.best_orders(self.market, stale, REPRICED_MAX) {
            if order.1 == self.account {
                cancel(exchange, self.now, self.account, self.market, order.0, events);
            }
        }
    }

    fn place(
        &mut self,
        exchange: &mut Exchange,
        side: Side,
        price: Price,
        qty: Qty,
        tif: Tif,
        events: &mut Events,
    ) -> Option<OrderId> {
        let order = NewOrder {
            self_trade: Some(SelfTrade::Allow),
            ..NewOrder::limit(self.market, side, price, qty, tif)
        };
        // Refused where it would take, as post-only orders are, or below the lowest price: the next one fits.
        exchange.place(self.now, self.account, &order, events).ok()
    }

    fn qty(&mut self, value: f64, deviation: f64) -> Qty {
        let lots = count(self.random.log_normal(value, deviation) / self.lot_value);
        Qty(lots.clamp(1, 1_000_000) * self.lot.0)
    }

    fn any_side(&mut self) -> Side {
        if self.random.chance(0.5) { Side::Buy } else { Side::Sell }
    }

    /// The price that the crowd sees as fair.
    fn seen_price(&self) -> i64 {
        count(self.seen).max(1)
    }
}

/// Orders withdrawn at once at most.
const REPRICED_MAX: usize = 4;

fn cancel(
    exchange: &mut Exchange,
    now: Nanos,
    account: AccountId,
    market: InstrumentId,
    id: OrderId,
    events: &mut Events,
) -> bool {
    debug_assert!(account != HOUSE);
    let cancel = Cancel { market, order: OrderRef::Id(id), request_id: None, only: CancelOnly::Any };
    exchange.cancel(now, account, &cancel, events).is_ok()
}

/// Whole part of a number that is not below zero, for counts, ticks and lots.
#[allow(clippy::cast_possible_truncation, reason = "saturates, and nobody counts that far")]
fn count(value: f64) -> i64 {
    value as i64
}

fn nanos(seconds: f64) -> Nanos {
    Nanos(count(seconds * 1e9).max(1).unsigned_abs())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::{AccountTerms, Event};
    use crate::markets;

    fn run(product: Product, seed: u64, seconds: u64) -> (Exchange, Events) {
        let config = markets::config(product, &["BTCUSDT"], Nanos(0)).unwrap();
        let mut exchange = Exchange::new(&config).unwrap();
        let account = exchange.open_account(AccountTerms { reports: false, unlimited: true }).unwrap();
        let price = markets::first_price(product, "BTCUSDT").unwrap();
        let (market, crowd) = (InstrumentId(0), Crowd::of(product));
        let generator = Generator::new(&exchange, market, account, crowd, price, Nanos(0), seed);
        let (mut generator, mut events) = (generator.unwrap(), Vec::new());
        generator.run_until(&mut exchange, Nanos(seconds * Nanos::SECOND.0), &mut events);
        (exchange, events)
    }

    #[test]
    fn a_seed_is_a_market_and_another_seed_another() {
        let (first, second, other) =
            (run(Product::Spot, 1, 3), run(Product::Spot, 1, 3), run(Product::Spot, 2, 3));
        assert_eq!(first.1, second.1);
        assert_ne!(first.1, other.1);
    }

    #[test]
    fn both_sides_are_quoted_without_a_pause_and_the_price_stays_near_its_anchor() {
        for product in [Product::Spot, Product::Futures] {
            let (exchange, events) = run(product, 3, 30);
            let opened = events.iter().position(|event| matches!(event, Event::Trade(_))).unwrap();
            let quotes =
                events[opened..].iter().filter_map(|e| if let Event::Quote(q) = e { Some(q) } else { None });
            assert!(quotes.clone().count() > 500, "{product:?}");
            assert!(quotes.clone().all(|quote| quote.bid.is_some() && quote.ask.is_some()));
            let first = markets::first_price(product, "BTCUSDT").unwrap().0;
            let mid = exchange.market(InstrumentId(0)).unwrap().mid_floor().unwrap().0;
            assert!((mid - first).abs() < first / 200, "{product:?}: {mid}");
            let trades = events.iter().filter(|event| matches!(event, Event::Trade(_))).count();
            assert!(trades > 200, "{product:?}: {trades} trades");
        }
    }

    #[test]
    fn a_futures_market_has_a_mark_price_each_second() {
        let (_, events) = run(Product::Futures, 5, 10);
        let marks = events.iter().filter(|event| matches!(event, Event::Mark(_))).count();
        assert_eq!(marks, 10);
    }
}
