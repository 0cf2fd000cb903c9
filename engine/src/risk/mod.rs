//! The risk gate: the only maker of [`Approved`], and nothing but an `Approved` can be sent.
//!
//! ```compile_fail,E0451
//! // An approved order cannot be written down by anyone but the gate.
//! fn forge(order: engine::order::Order) -> engine::risk::Approved {
//!     engine::risk::Approved { order, is_amendment: false }
//! }
//! ```
//!
//! ```compile_fail,E0616
//! // Neither can what was approved be changed afterwards: an amendment is approved like an order.
//! fn amend(mut approved: engine::risk::Approved, level: engine::num::Level) -> engine::risk::Approved {
//!     approved.order.level = level;
//!     approved
//! }
//! ```
//!
//! ```compile_fail,E0616
//! // An order's approval cannot be passed off as that of an amendment.
//! fn disguise(mut approved: engine::risk::Approved) -> engine::risk::Approved {
//!     approved.is_amendment = true;
//!     approved
//! }
//! ```
//!
//! # Rules that are not here yet
//! Their numbers are kept free for them, so that a journal never has one number for two rules.
//!
//! | number | rule | comes with |
//! |---|---|---|
//! | 32 | daily trades | breakers |
//! | 33 | concurrent positions | breakers |
//! | 34, 35, 36 | leverage, margin, reserve | real orders: balances of the account |
//! | 37 | trading hours | breakers |
//! | 38 | market filters: volatility, volume, spread | breakers |
//! | 39 | correlation | portfolio sizing |
//! | 40 | loss per trade | position exits |
//! | 41 | protocol health | commands from outside |
//! | 42, 43 | the venue's own price band and open-order limit | live instruments, whose filters state them |
//! | 48 to 63 | breakers, in the order of their list | breakers |

mod exposure;
mod instrument_rules;
mod limits;
mod rule;
#[cfg(test)]
mod tests;
mod window;
mod words;

pub use limits::{PARTS_MAX, PartLimits, RiskConfig, RiskLimits};
pub use rule::{Refusal, RiskRule};
pub use words::{InWords, MarketUnits};

use crate::ids::{InstrumentId, StrategyId};
use crate::instrument::{ContractKind, Instrument, InstrumentTable, Status};
use crate::message::book_state;
use crate::num::{Decimal, Level, NumError, Price, Qty, Side};
use crate::order::{Order, OrderKind};
use crate::time::Nanos;
use exposure::{Exposures, Held, SCOPES};
use instrument_rules::{Rules, scaled_floor};
use window::{Sent, Window};

/// What the gate knows of the market of an instrument.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Market {
    /// Best bid; zero quantity: none.
    pub bid: Level,
    /// Best ask; zero quantity: none.
    pub ask: Level,
    /// Bits of [`book_state`].
    pub state: u32,
    /// Time of the last input that confirmed it.
    pub confirmed: Nanos,
}

/// What a strategy has and could get in an instrument, and what stands in its way there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Exposure {
    /// The strategy's position.
    pub position: Qty,
    /// What its open buy orders can still buy, unknown ones included.
    pub open_buys: Qty,
    /// What its open sell orders can still sell, unknown ones included.
    pub open_sells: Qty,
    /// Its orders open, unknown ones included.
    pub open_orders: u32,
    /// The best price of any strategy's order on the other side than the one asked about.
    pub opposite: Option<Price>,
    /// Orders of any strategy in the instrument that are unknown.
    pub unknown_orders: u32,
    /// All strategies' position: what the venue holds reduce-only orders against.
    pub net: Qty,
    /// What the strategy's open reduce-only orders on the side asked about can still trade.
    pub open_reducing: Qty,
}

impl Exposure {
    /// What an order on `side` can take off the position beside the reduce-only orders that are open there, on
    /// futures no more than off all strategies' position. Below zero: it would add to it.
    fn reducible(&self, side: Side, on_spot: bool) -> i64 {
        let against = |position: Qty| match side {
            Side::Buy => 0_i64.saturating_sub(position.0),
            Side::Sell => position.0,
        };
        let (own, all) = (against(self.position), against(self.net));
        let most = if on_spot || own < all { own } else { all };
        most.saturating_sub(self.open_reducing.0)
    }
}

/// What is asked of the gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proposal {
    /// A new order.
    New(Order),
    /// Another price and whole quantity for an order that is open.
    Amend(Order, Level),
}

/// An order, or an amendment of one, that passed the gate. Made nowhere else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Approved {
    order: Order,
    is_amendment: bool,
}

impl Approved {
    /// The order; of an amendment, the open order with the price and whole quantity that it is to have.
    #[must_use]
    pub const fn order(&self) -> &Order {
        &self.order
    }

    /// Whether an open order is to be amended.
    #[must_use]
    pub const fn is_amendment(&self) -> bool {
        self.is_amendment
    }
}

/// The gate of one risk domain: limits, what left lately, and what everything is worth.
#[derive(Clone, Debug)]
pub struct Gate {
    limits: RiskLimits,
    /// By strategy and then by instrument. The first strategy stands for orders by hand, the others follow by number.
    rules: Vec<Rules>,
    instrument_count: usize,
    /// By instrument, what it could come to: everything bought that is open to buy, and sold that is open to sell.
    worst: Vec<[Qty; 2]>,
    exposures: Exposures,
    /// Gross and net limit of each instrument's sums, in the common unit.
    exposure_max: Vec<[(i128, i128); SCOPES]>,
    /// The power of ten that the common unit is scaled by.
    common_exponent: u8,
    orders: Window,
    /// By part of the limits; empty where it has no rate of its own.
    part_orders: Vec<Window>,
    cancels: Window,
    /// By rule, the last refusal.
    last: [Option<(InstrumentId, Refusal)>; RiskRule::ALL.len() + 1],
}

impl Gate {
    /// A gate with nothing held. Err: a limit, or an instrument's unit, beyond what the arithmetic holds.
    pub fn new(limits: RiskLimits, instruments: &InstrumentTable) -> Result<Self, NumError> {
        let config = limits.config();
        let common_exponent = instruments.iter().map(|i| Rules::value_unit(i).1).max().unwrap_or_default();
        let strategies = std::iter::once(StrategyId::MANUAL).chain((1..=limits.strategies()).map(StrategyId));
        let rules = strategies
            .flat_map(|strategy| instruments.iter().map(move |instrument| (strategy, instrument)))
            .map(|(strategy, instrument)| Rules::new(&limits, strategy, instrument, common_exponent))
            .collect::<Result<_, _>>()?;
        let mut names: Vec<String> = vec!["portfolio".into()];
        let mut group = |name: String| {
            names.iter().position(|known| *known == name).unwrap_or_else(|| {
                names.push(name);
                names.len() - 1
            })
        };
        let groups = instruments
            .iter()
            .map(|i| [0, group(format!("venue {}", i.venue)), group(format!("asset {}", i.base))]);
        let exposures = Exposures::new(groups.collect());
        let common = |limit: Decimal| scaled_floor(limit, common_exponent);
        let both = |(gross, net): (Decimal, Decimal)| Ok((common(gross)?, common(net)?));
        let sums_of = |i: &Instrument| {
            let portfolio = both((config.portfolio_gross_max, config.portfolio_net_max))?;
            Ok([portfolio, both(limits.of_venue(&i.venue))?, both(limits.of_asset(&i.base))?])
        };
        let exposure_max = instruments.iter().map(sums_of).collect::<Result<_, NumError>>()?;
        let (orders, cancels) = (Window::new(config.orders_per_s_max), Window::new(config.cancels_per_s_max));
        let part_orders = limits.part_rates().map(|rate| Window::new(rate.unwrap_or(0))).collect();
        let (instrument_count, last) = (instruments.iter().count(), [None; RiskRule::ALL.len() + 1]);
        Ok(Self {
            limits,
            rules,
            instrument_count,
            worst: vec![[Qty(0); 2]; instrument_count],
            exposures,
            exposure_max,
            common_exponent,
            orders,
            part_orders,
            cancels,
            last,
        })
    }

    /// All strategies' position in an instrument with everything open to buy bought (`long`), and with everything
    /// open to sell sold (`short`), at a price that it is worth. Until this is told, the gate counts what it was told
    /// last. Err: overflow; nothing changed.
    #[inline]
    pub fn hold(&mut self, id: InstrumentId, long: Qty, short: Qty, price: Price) -> Result<(), NumError> {
        let rules = self.rules.get(id.index()).ok_or(NumError::OutOfRange)?;
        let held = Held::of(rules.common_value(price, long.0)?, rules.common_value(price, short.0)?);
        self.exposures.hold(id, held)?;
        if let Some(worst) = self.worst.get_mut(id.index()) {
            *worst = [long, short];
        }
        Ok(())
    }

    /// Something of an instrument is held or open, and there is no price that it is worth: until [`Self::hold`] says
    /// one, nothing passes that adds to what is held of any instrument.
    #[cold]
    pub fn cannot_value(&mut self, id: InstrumentId) {
        self.exposures.set_unvalued(id, true);
    }

    /// Whether there is such an instrument.
    #[inline]
    #[must_use]
    pub const fn has_unvalued(&self) -> bool {
        self.exposures.unvalued() > 0
    }

    /// A cancel wants to leave. `must` leave: it takes a quote back that nobody wants; it is only counted.
    /// Err: too many in a second.
    #[inline]
    pub fn cancel(&mut self, order: &Order, must: bool, now: Nanos) -> Result<(), Refusal> {
        if !must && let Some(until) = self.cancels.full_until(now) {
            let limit = i64::from(self.limits.config().cancels_per_s_max);
            let refusal = Refusal { until, ..Refusal::of(RiskRule::CancelRate, limit, limit + 1) };
            return Err(self.remembered(order.instrument, refusal));
        }
        self.cancels.add(Sent::new(now, order.instrument, order.side, order.level));
        Ok(())
    }

    #[cold]
    fn remembered(&mut self, instrument: InstrumentId, refusal: Refusal) -> Refusal {
        if let Some(last) = self.last.get_mut(refusal.rule as usize) {
            *last = Some((instrument, refusal));
        }
        refusal
    }

    /// The last refusal of each rule that refused, and of which instrument, in the order of the rules.
    pub fn last_refusals(&self) -> impl Iterator<Item = (InstrumentId, Refusal)> + '_ {
        self.last.iter().filter_map(|last| *last)
    }

    /// Tests an order or an amendment against every rule; the first that it breaks refuses it. What passes counts
    /// as sent. `now` is the time of the input being handled; `exposure` includes an order to be amended. A missing
    /// input (no book, no touch) refuses.
    /// Err: rule, limit and value.
    #[inline]
    pub fn approve(
        &mut self,
        proposal: Proposal,
        instrument: &Instrument,
        market: &Market,
        exposure: &Exposure,
        now: Nanos,
    ) -> Result<Approved, Refusal> {
        let (Proposal::New(order) | Proposal::Amend(order, _)) = proposal;
        self.test(proposal, instrument, market, exposure, now)
            .map_err(|refusal| self.remembered(order.instrument, refusal))
    }

    #[inline]
    fn test(
        &mut self,
        proposal: Proposal,
        instrument: &Instrument,
        market: &Market,
        exposure: &Exposure,
        now: Nanos,
    ) -> Result<Approved, Refusal> {
        let (order, level, replaced) = match proposal {
            Proposal::New(order) => (order, order.level, None),
            Proposal::Amend(order, level) => (order, level, Some(order.remaining())),
        };
        let rules = self.rules_of(&order)?;
        if !rules.is_listed {
            return Err(Refusal::of(RiskRule::Lists, 0, 1));
        }
        check_market(rules, instrument, market, now)?;
        let judged = Level { price: judged_price(&order, level.price, market), ..level };
        rules.check_size(instrument, judged, order.terms.reduce_only)?;
        check_prices(rules, instrument, market, &order, judged.price)?;
        check_self_trade(instrument, exposure, &order, judged.price)?;
        if replaced.is_none() && exposure.open_orders >= rules.open_orders_max {
            let open = i64::from(exposure.open_orders) + 1;
            return Err(Refusal::of(RiskRule::OpenOrders, i64::from(rules.open_orders_max), open));
        }
        // What the order can still trade beyond what the replaced one could: what it adds to the worst case.
        let more = level.qty.0 - order.filled.0 - replaced.map_or(0, |qty| qty.0);
        let adds = added(instrument, exposure, &order, more)?;
        rules.check_position(instrument, order.side, judged.price, adds, exposure)?;
        if adds > 0 {
            if self.exposures.unvalued() > 0 {
                self.check_valued(order.instrument, order.side, adds)?;
            }
            self.check_exposure(order.instrument, order.side, rules.common_value(judged.price, adds)?)?;
        }
        let (duplicate_ns, rates) = (Nanos(rules.duplicate_ns), rules.rates);
        let sent = Sent::new(now, order.instrument, order.side, judged);
        self.check_rate(sent, duplicate_ns, rates, now)?;
        Ok(Approved { order: Order { level, ..order }, is_amendment: replaced.is_some() })
    }

    /// What leaves counts as sent, in the parts of the limits that `rates` names too. Err: it is like one that just
    /// left, or too many left in a second.
    #[inline]
    fn check_rate(&mut self, sent: Sent, duplicate_ns: Nanos, rates: u64, now: Nanos) -> Result<(), Refusal> {
        if let Some(at) = self.orders.latest_like(&sent, duplicate_ns) {
            let (limit, value) = (duplicate_ns.0.cast_signed(), now.since(at).0.cast_signed());
            return Err(Refusal {
                until: at.plus(duplicate_ns),
                ..Refusal::of(RiskRule::Duplicate, limit, value)
            });
        }
        let parts = places_of(rates).filter_map(|place| self.part_orders.get(place));
        if let Some((until, limit)) = std::iter::once(&self.orders).chain(parts).find_map(|w| w.full(now)) {
            return Err(Refusal { until, ..Refusal::of(RiskRule::OrderRate, limit, limit + 1) });
        }
        self.orders.add(sent);
        for place in places_of(rates) {
            if let Some(window) = self.part_orders.get_mut(place) {
                window.add(sent);
            }
        }
        Ok(())
    }

    /// What the limits come to for an order. Err: its instrument is none of the gate's.
    #[inline]
    fn rules_of(&self, order: &Order) -> Result<&Rules, NumError> {
        let (strategy, instrument) = (order.strategy.0, order.instrument.index());
        let row = if strategy <= self.limits.strategies() { usize::from(strategy) } else { 0 };
        let place = row * self.instrument_count + instrument;
        self.rules.get(place).filter(|_| instrument < self.instrument_count).ok_or(NumError::OutOfRange)
    }

    /// While something held has no value, an order may bring a position towards zero and no further.
    #[cold]
    fn check_valued(&self, id: InstrumentId, side: Side, adds: i64) -> Result<(), Refusal> {
        let [long, short] = self.worst.get(id.index()).copied().unwrap_or_default();
        let reduces = match side {
            Side::Buy => long.0.saturating_add(adds) <= 0,
            Side::Sell => short.0.saturating_sub(adds) >= 0,
        };
        let unvalued = i64::from(self.exposures.unvalued());
        if reduces { Ok(()) } else { Err(Refusal::of(RiskRule::Unvalued, 0, unvalued)) }
    }

    /// The sums that an order of this value would move, where it moves them outwards.
    #[inline]
    fn check_exposure(&self, id: InstrumentId, side: Side, value: i128) -> Result<(), Refusal> {
        let now = self.exposures.at(id);
        let held = match side {
            Side::Buy => Held::of(now.long.checked_add(value).ok_or(NumError::Overflow)?, now.short),
            Side::Sell => Held::of(now.long, now.short.checked_sub(value).ok_or(NumError::Overflow)?),
        };
        let decimal = |mantissa| Decimal { mantissa, exponent: self.common_exponent, digits: 0 };
        let limits = self.exposure_max.get(id.index()).ok_or(NumError::OutOfRange)?;
        for (scope, (before, after)) in self.exposures.with(id, &held)?.into_iter().enumerate() {
            let (gross_max, net_max) = limits[scope];
            if after.gross > before.gross && after.gross > gross_max {
                return Err(Refusal::of(GROSS[scope], decimal(gross_max), decimal(after.gross)));
            }
            let net = match side {
                Side::Buy => after.long,
                Side::Sell => -after.short,
            };
            if net > net_max {
                return Err(Refusal::of(NET[scope], decimal(net_max), decimal(net)));
            }
        }
        Ok(())
    }
}

const GROSS: [RiskRule; SCOPES] = [RiskRule::PortfolioGross, RiskRule::VenueGross, RiskRule::AssetGross];
const NET: [RiskRule; SCOPES] = [RiskRule::PortfolioNet, RiskRule::VenueNet, RiskRule::AssetNet];

/// The places of the bits that are set, from the lowest.
#[inline]
fn places_of(mut bits: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let place = bits.trailing_zeros();
        bits &= bits.wrapping_sub(1);
        (place < u64::BITS).then_some(place as usize)
    })
}

/// Err: the instrument takes no orders, or nothing sound or recent is known of its market.
#[inline]
fn check_market(rules: &Rules, instrument: &Instrument, market: &Market, now: Nanos) -> Result<(), Refusal> {
    if instrument.status != Status::Trading {
        return Err(Refusal::of(RiskRule::InstrumentStatus, 0, instrument.status as i64));
    }
    if market.state != 0 || market.bid.qty.0 <= 0 || market.ask.qty.0 <= 0 {
        let state = if market.state == 0 { book_state::ONE_SIDED } else { market.state };
        return Err(Refusal::of(RiskRule::StaleBook, 0, i64::from(state)));
    }
    let age = now.since(market.confirmed);
    if age > Nanos::from_ms(rules.book_age_ms_max) {
        let age_ms = age.0.div_ceil(1_000_000).cast_signed();
        return Err(Refusal::of(RiskRule::StaleBook, rules.book_age_ms_max.cast_signed(), age_ms));
    }
    Ok(())
}

/// Err: the price that the order is judged by lies too far outside the touch, or so does a stop's trigger, or that is
/// no price, or would be met at once.
#[inline]
fn check_prices(
    rules: &Rules,
    instrument: &Instrument,
    market: &Market,
    order: &Order,
    price: Price,
) -> Result<(), Refusal> {
    let terms = order.terms;
    if terms.kind.is_stop() {
        rules.check_price(instrument, terms.trigger)?;
        check_trigger(instrument, market, order.side, terms.trigger)?;
        check_collar(rules.collar_bps, market, terms.trigger)?;
    }
    check_collar(rules.collar_bps, market, price)
}

/// Err: an own order would be met. A stop stands in nobody's way before it is triggered.
#[inline]
fn check_self_trade(
    instrument: &Instrument,
    exposure: &Exposure,
    order: &Order,
    price: Price,
) -> Result<(), Refusal> {
    if let Some(opposite) = exposure.opposite.filter(|_| !order.terms.kind.is_stop())
        && match order.side {
            Side::Buy => price >= opposite,
            Side::Sell => price <= opposite,
        }
    {
        let tick = instrument.price_rule.tick;
        return Err(Refusal::of(RiskRule::SelfTrade, opposite.display(tick), price.display(tick)));
    }
    Ok(())
}

/// What an order that can trade `more` adds to the worst case; of a reduce-only one on futures nothing, because the
/// venue holds it to the position, whatever else fills before it. Err: reduce-only, and more than there is to reduce.
#[inline]
fn added(instrument: &Instrument, exposure: &Exposure, order: &Order, more: i64) -> Result<i64, Refusal> {
    if !order.terms.reduce_only {
        return Ok(more);
    }
    let on_spot = instrument.kind == ContractKind::Spot;
    let most = exposure.reducible(order.side, on_spot);
    if more > most {
        let unit = instrument.qty_unit;
        let limit = Qty(most.max(0)).display(unit);
        return Err(Refusal::of(RiskRule::ReduceOnly, limit, Qty(more).display(unit)));
    }
    Ok(if on_spot { more } else { 0 })
}

/// The price that an order is judged by: its limit; of a market order the touch that it takes from; of a stop that
/// will be one, its trigger.
#[inline]
const fn judged_price(order: &Order, limit: Price, market: &Market) -> Price {
    match (order.terms.kind, order.side) {
        (OrderKind::Limit | OrderKind::StopLimit, _) => limit,
        (OrderKind::Stop, _) => order.terms.trigger,
        (OrderKind::Market, Side::Buy) => market.ask.price,
        (OrderKind::Market, Side::Sell) => market.bid.price,
    }
}

/// A stop waits: its trigger lies beyond the touch. Err: it would be met at once.
fn check_trigger(
    instrument: &Instrument,
    market: &Market,
    side: Side,
    trigger: Price,
) -> Result<(), Refusal> {
    let (waits, touch) = match side {
        Side::Buy => (trigger > market.ask.price, market.ask.price),
        Side::Sell => (trigger < market.bid.price, market.bid.price),
    };
    let tick = instrument.price_rule.tick;
    if waits {
        Ok(())
    } else {
        Err(Refusal::of(RiskRule::Trigger, touch.display(tick), trigger.display(tick)))
    }
}

/// Err: the price lies too far outside the touch.
#[inline]
fn check_collar(collar_bps: u32, market: &Market, price: Price) -> Result<(), Refusal> {
    let far = outside(market, price);
    if far.0 * 10_000 > i128::from(collar_bps) * far.1 {
        return Err(collar_refusal(collar_bps, far));
    }
    Ok(())
}

/// How far a price lies outside the touch, and what that is a share of: the touch's own side; zero inside the spread.
#[inline]
fn outside(market: &Market, price: Price) -> (i128, i128) {
    let (price, bid, ask) =
        (i128::from(price.0), i128::from(market.bid.price.0), i128::from(market.ask.price.0));
    match () {
        () if price < bid => (bid - price, bid),
        () if price > ask => (price - ask, ask),
        () => (0, bid),
    }
}

#[cold]
fn collar_refusal(collar_bps: u32, (outside, reference): (i128, i128)) -> Refusal {
    if reference <= 0 {
        return NumError::ZeroPrice.into();
    }
    let far_bps_ceil = (outside * 10_000 + reference - 1) / reference;
    let far = Decimal { mantissa: far_bps_ceil, exponent: 0, digits: 0 };
    Refusal::of(RiskRule::PriceCollar, i64::from(collar_bps), far)
}
