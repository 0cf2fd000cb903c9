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
//! | 48 to 63 | breakers, in the order of their list | breakers |

mod exposure;
mod limits;
mod window;

pub use limits::{RiskConfig, RiskLimits};

use crate::ids::InstrumentId;
use crate::instrument::{ContractKind, Instrument, InstrumentTable, Status};
use crate::message::book_state;
use crate::num::{Decimal, Level, NumError, Price, Qty, Side};
use crate::order::Order;
use crate::time::Nanos;
use exposure::{Exposures, Held, SCOPES};
use std::fmt;
use window::{Sent, Window};

/// The gate's rules, in the order of their numbers. The numbers are stored: they are never given a second meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u16)]
pub enum RiskRule {
    /// The instrument is not trading.
    InstrumentStatus = 1,
    /// The book is stale, crossed, empty, truncated, beyond its snapshot, or too old.
    StaleBook = 2,
    /// The price is not one that an order may have.
    PriceStep = 3,
    /// The quantity is not a whole number of lots.
    QuantityStep = 4,
    /// Less than the venue's smallest quantity, or more than its largest.
    Quantity = 5,
    /// Less than the venue's smallest value.
    MinimumNotional = 6,
    /// More than `order_notional_max`.
    OrderSize = 7,
    /// Further from the touch than `collar_bps`.
    PriceCollar = 8,
    /// More than `open_orders_max`.
    OpenOrders = 9,
    /// With every open order filled, more than `position_notional_max`.
    Position = 10,
    /// The arithmetic does not fit: never guessed.
    Arithmetic = 11,
    /// Not on the whitelist, or on the blacklist.
    Lists = 12,
    /// More than `order_lots_max`.
    OrderLots = 13,
    /// With every open order filled, more than `position_lots_max`.
    PositionLots = 14,
    /// More than `portfolio_gross_max`.
    PortfolioGross = 15,
    /// More than `portfolio_net_max`.
    PortfolioNet = 16,
    /// More than `venue_gross_max`.
    VenueGross = 17,
    /// More than `venue_net_max`.
    VenueNet = 18,
    /// More than `asset_gross_max`.
    AssetGross = 19,
    /// More than `asset_net_max`.
    AssetNet = 20,
    /// More than `orders_per_s_max` in a second.
    OrderRate = 21,
    /// More than `cancels_per_s_max` in a second.
    CancelRate = 22,
    /// Like one that left less than `duplicate_ns` before.
    Duplicate = 23,
    /// An own order on the other side, of any strategy, at or through the price.
    SelfTrade = 24,
    /// New risk while an order of the instrument is unknown.
    UnknownOrder = 25,
}

impl RiskRule {
    /// Every rule, in the order of their numbers.
    pub const ALL: [Self; 25] = [
        Self::InstrumentStatus,
        Self::StaleBook,
        Self::PriceStep,
        Self::QuantityStep,
        Self::Quantity,
        Self::MinimumNotional,
        Self::OrderSize,
        Self::PriceCollar,
        Self::OpenOrders,
        Self::Position,
        Self::Arithmetic,
        Self::Lists,
        Self::OrderLots,
        Self::PositionLots,
        Self::PortfolioGross,
        Self::PortfolioNet,
        Self::VenueGross,
        Self::VenueNet,
        Self::AssetGross,
        Self::AssetNet,
        Self::OrderRate,
        Self::CancelRate,
        Self::Duplicate,
        Self::SelfTrade,
        Self::UnknownOrder,
    ];

    /// The rule's name in reasons, counters and summaries.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::InstrumentStatus => "instrument_status",
            Self::StaleBook => "stale_book",
            Self::PriceStep => "price_step",
            Self::QuantityStep => "quantity_step",
            Self::Quantity => "quantity",
            Self::MinimumNotional => "minimum_notional",
            Self::OrderSize => "order_size",
            Self::PriceCollar => "price_collar",
            Self::OpenOrders => "open_orders",
            Self::Position => "position",
            Self::Arithmetic => "arithmetic",
            Self::Lists => "lists",
            Self::OrderLots => "order_lots",
            Self::PositionLots => "position_lots",
            Self::PortfolioGross => "portfolio_gross",
            Self::PortfolioNet => "portfolio_net",
            Self::VenueGross => "venue_gross",
            Self::VenueNet => "venue_net",
            Self::AssetGross => "asset_gross",
            Self::AssetNet => "asset_net",
            Self::OrderRate => "order_rate",
            Self::CancelRate => "cancel_rate",
            Self::Duplicate => "duplicate",
            Self::SelfTrade => "self_trade",
            Self::UnknownOrder => "unknown_order",
        }
    }
}

/// Why an order may not leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The rule.
    pub rule: RiskRule,
    /// What it allows.
    pub limit: Decimal,
    /// What the order would be.
    pub value: Decimal,
    /// When time alone will have lifted it; `Nanos::MAX`: time alone does not.
    pub until: Nanos,
}

impl Refusal {
    #[cold]
    fn of(rule: RiskRule, limit: impl Into<Decimal>, value: impl Into<Decimal>) -> Self {
        Self { rule, limit: limit.into(), value: value.into(), until: Nanos::MAX }
    }
}

impl From<NumError> for Refusal {
    fn from(_: NumError) -> Self {
        Self::of(RiskRule::Arithmetic, 0, 0)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: limit {}, value {}", self.rule.name(), self.limit, self.value)
    }
}

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
    /// By instrument.
    rules: Vec<Rules>,
    exposures: Exposures,
    /// Gross and net limit of each scope, in the common unit.
    exposure_max: [(i128, i128); SCOPES],
    /// The power of ten that the common unit is scaled by.
    common_exponent: u8,
    orders: Window,
    cancels: Window,
}

/// What the rules come to for one instrument, in its own units. Limits are rounded down to them, minimums up.
#[derive(Clone, Debug)]
struct Rules {
    is_listed: bool,
    is_inverse: bool,
    /// Value of one quantity unit at one tick (or of one contract); the value's power of ten.
    unit_value: i128,
    value_exponent: u8,
    /// What a value is multiplied by to be one of the common unit.
    to_common: i128,
    notional_min: i128,
    order_value_max: i128,
    position_value_max: i128,
    order_qty_max: i64,
    position_qty_max: i64,
}

impl Gate {
    /// A gate with nothing held. Err: a limit, or an instrument's unit, beyond what the arithmetic holds.
    pub fn new(limits: RiskLimits, instruments: &InstrumentTable) -> Result<Self, NumError> {
        let config = limits.config();
        let common_exponent = instruments.iter().map(|i| Rules::value_unit(i).1).max().unwrap_or_default();
        let rules = instruments
            .iter()
            .map(|instrument| Rules::new(&limits, instrument, common_exponent))
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
        let exposure_max = [
            (common(config.portfolio_gross_max)?, common(config.portfolio_net_max)?),
            (common(config.venue_gross_max)?, common(config.venue_net_max)?),
            (common(config.asset_gross_max)?, common(config.asset_net_max)?),
        ];
        let (orders, cancels) = (Window::new(config.orders_per_s_max), Window::new(config.cancels_per_s_max));
        Ok(Self { limits, rules, exposures, exposure_max, common_exponent, orders, cancels })
    }

    /// All strategies' position in an instrument with everything open to buy bought (`long`), and with everything
    /// open to sell sold (`short`), at a price that it is worth. Until this is told, the gate counts what it was told
    /// last. Err: overflow; nothing changed.
    #[inline]
    pub fn hold(&mut self, id: InstrumentId, long: Qty, short: Qty, price: Price) -> Result<(), NumError> {
        let rules = self.rules.get(id.index()).ok_or(NumError::OutOfRange)?;
        let held = Held::of(rules.common_value(price, long.0)?, rules.common_value(price, short.0)?);
        self.exposures.hold(id, held)
    }

    /// A cancel wants to leave. `must` leave: it takes a quote back that nobody wants; it is only counted.
    /// Err: too many in a second.
    #[inline]
    pub fn cancel(&mut self, order: &Order, must: bool, now: Nanos) -> Result<(), Refusal> {
        if !must && let Some(until) = self.cancels.full_until(now) {
            let limit = i64::from(self.limits.config().cancels_per_s_max);
            return Err(Refusal { until, ..Refusal::of(RiskRule::CancelRate, limit, limit + 1) });
        }
        self.cancels.add(Sent::new(now, order.instrument, order.side, order.level));
        Ok(())
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
        let config = self.limits.config();
        let (order, level, replaced) = match proposal {
            Proposal::New(order) => (order, order.level, None),
            Proposal::Amend(order, level) => (order, level, Some(order.remaining())),
        };
        let rules = self.rules.get(order.instrument.index()).ok_or(NumError::OutOfRange)?;
        let (price, qty, side) = (level.price, level.qty, order.side);
        if !rules.is_listed {
            return Err(Refusal::of(RiskRule::Lists, 0, 1));
        }
        if instrument.status != Status::Trading {
            return Err(Refusal::of(RiskRule::InstrumentStatus, 0, instrument.status as i64));
        }
        if market.state != 0 || market.bid.qty.0 <= 0 || market.ask.qty.0 <= 0 {
            let state = if market.state == 0 { book_state::ONE_SIDED } else { market.state };
            return Err(Refusal::of(RiskRule::StaleBook, 0, i64::from(state)));
        }
        let age = now.since(market.confirmed);
        if age > Nanos::from_ms(config.book_age_ms_max) {
            let age_ms = age.0.div_ceil(1_000_000).cast_signed();
            return Err(Refusal::of(RiskRule::StaleBook, config.book_age_ms_max.cast_signed(), age_ms));
        }
        rules.check_size(instrument, level)?;
        let far = outside(market, price);
        if far.0 * 10_000 > i128::from(config.collar_bps) * far.1 {
            return Err(collar_refusal(config.collar_bps, far));
        }
        if let Some(opposite) = exposure.opposite
            && match side {
                Side::Buy => price >= opposite,
                Side::Sell => price <= opposite,
            }
        {
            let tick = instrument.price_rule.tick;
            return Err(Refusal::of(RiskRule::SelfTrade, opposite.display(tick), price.display(tick)));
        }
        if replaced.is_none() && exposure.open_orders >= config.open_orders_max {
            let open = i64::from(exposure.open_orders) + 1;
            return Err(Refusal::of(RiskRule::OpenOrders, i64::from(config.open_orders_max), open));
        }
        // What the order can still trade beyond what the replaced one could: what it adds to the worst case.
        let adds = qty.0 - order.filled.0 - replaced.map_or(0, |qty| qty.0);
        rules.check_position(instrument, side, price, adds, exposure)?;
        if adds > 0 {
            self.check_exposure(order.instrument, side, rules.common_value(price, adds)?)?;
        }
        let sent = Sent::new(now, order.instrument, side, level);
        let duplicate_ns = Nanos(config.duplicate_ns);
        if let Some(at) = self.orders.latest_like(&sent, duplicate_ns) {
            let (limit, value) = (config.duplicate_ns.cast_signed(), now.since(at).0.cast_signed());
            return Err(Refusal {
                until: at.plus(duplicate_ns),
                ..Refusal::of(RiskRule::Duplicate, limit, value)
            });
        }
        if let Some(until) = self.orders.full_until(now) {
            let limit = i64::from(config.orders_per_s_max);
            return Err(Refusal { until, ..Refusal::of(RiskRule::OrderRate, limit, limit + 1) });
        }
        self.orders.add(sent);
        Ok(Approved { order: Order { level, ..order }, is_amendment: replaced.is_some() })
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
        for (scope, (before, after)) in self.exposures.with(id, &held)?.into_iter().enumerate() {
            let (gross_max, net_max) = self.exposure_max[scope];
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

/// Products of price and quantity below this, and units below `UNIT_MAX`, multiply without overflow.
const PRODUCT_BITS: u32 = 96;
const UNIT_MAX: i128 = 1 << 30;

impl Rules {
    /// Value of one quantity unit at one tick, or of one contract that is worth a fixed amount of the quote asset;
    /// and the power of ten that it is scaled by.
    fn value_unit(instrument: &Instrument) -> (i128, u8) {
        let (tick, unit, size) = (instrument.price_rule.tick, instrument.qty_unit, instrument.contract_size);
        let contract = i128::from(unit.mantissa()) * i128::from(size.mantissa());
        let exponent = unit.exponent() + size.exponent();
        match instrument.kind {
            ContractKind::Inverse => (contract, exponent),
            ContractKind::Spot | ContractKind::Linear => {
                (contract.saturating_mul(i128::from(tick.mantissa())), exponent + tick.exponent())
            }
        }
    }

    fn new(limits: &RiskLimits, instrument: &Instrument, common_exponent: u8) -> Result<Self, NumError> {
        let config = limits.config();
        let (unit_value, value_exponent) = Self::value_unit(instrument);
        if unit_value >= UNIT_MAX {
            return Err(NumError::Overflow);
        }
        let to_common = 10_i128
            .checked_pow(u32::from(common_exponent.checked_sub(value_exponent).ok_or(NumError::Overflow)?))
            .ok_or(NumError::Overflow)?;
        let minimum = instrument.notional_min;
        let notional_min = -scaled_floor(Decimal { mantissa: -minimum.mantissa, ..minimum }, value_exponent)?;
        let lots = |lots: Option<u64>| {
            let lots = i64::try_from(lots.unwrap_or(u64::MAX)).unwrap_or(i64::MAX);
            lots.saturating_mul(instrument.lot.0)
        };
        Ok(Self {
            is_listed: limits.lists(instrument),
            is_inverse: instrument.kind == ContractKind::Inverse,
            unit_value,
            value_exponent,
            to_common,
            notional_min,
            order_value_max: scaled_floor(config.order_notional_max, value_exponent)?,
            position_value_max: scaled_floor(config.position_notional_max, value_exponent)?,
            order_qty_max: lots(config.order_lots_max),
            position_qty_max: lots(config.position_lots_max),
        })
    }

    /// Value in the quote asset, exact, with the sign of `qty`. Err: overflow.
    #[inline]
    fn value(&self, price: Price, qty: i64) -> Result<i128, NumError> {
        let price = if self.is_inverse { 1 } else { price.0 };
        let product = i128::from(price) * i128::from(qty);
        if product.unsigned_abs() >> PRODUCT_BITS != 0 {
            return Err(NumError::Overflow);
        }
        Ok(product * self.unit_value)
    }

    #[inline]
    fn common_value(&self, price: Price, qty: i64) -> Result<i128, NumError> {
        let value = self.value(price, qty)?;
        if self.to_common == 1 {
            return Ok(value);
        }
        value.checked_mul(self.to_common).ok_or(NumError::Overflow)
    }

    fn decimal(&self, value: i128) -> Decimal {
        Decimal { mantissa: value, exponent: self.value_exponent, digits: 0 }
    }

    /// The rules that look at nothing but the order and its instrument.
    #[inline]
    fn check_size(&self, instrument: &Instrument, level: Level) -> Result<(), Refusal> {
        let Level { price, qty } = level;
        if !instrument.price_rule.allows(price) {
            let tick = instrument.price_rule.tick;
            let step = tick.decimal(i128::from(instrument.price_rule.step_at(price)));
            return Err(Refusal::of(RiskRule::PriceStep, step, price.display(tick)));
        }
        let unit = instrument.qty_unit;
        let against = |rule, limit: Qty| Err(Refusal::of(rule, limit.display(unit), qty.display(unit)));
        if qty.0 % instrument.lot.0 != 0 {
            return against(RiskRule::QuantityStep, instrument.lot);
        }
        if qty < instrument.qty_min {
            return against(RiskRule::Quantity, instrument.qty_min);
        }
        if qty > instrument.qty_max {
            return against(RiskRule::Quantity, instrument.qty_max);
        }
        let value = self.value(price, qty.0)?;
        if value < self.notional_min {
            return Err(Refusal::of(RiskRule::MinimumNotional, instrument.notional_min, self.decimal(value)));
        }
        if value > self.order_value_max {
            let limit = self.decimal(self.order_value_max);
            return Err(Refusal::of(RiskRule::OrderSize, limit, self.decimal(value)));
        }
        if qty.0 > self.order_qty_max {
            return against(RiskRule::OrderLots, Qty(self.order_qty_max));
        }
        Ok(())
    }

    /// The worst case on the order's own side: everything open there fills, nothing on the other. An order that
    /// brings the position no further from zero than it could get anyway passes.
    #[inline]
    fn check_position(
        &self,
        instrument: &Instrument,
        side: Side,
        price: Price,
        adds: i64,
        exposure: &Exposure,
    ) -> Result<(), Refusal> {
        let worst = match side {
            Side::Buy => {
                exposure.position.0.checked_add(exposure.open_buys.0).and_then(|q| q.checked_add(adds))
            }
            Side::Sell => {
                exposure.open_sells.0.checked_sub(exposure.position.0).and_then(|q| q.checked_add(adds))
            }
        };
        // Away from zero on the order's side; zero or less only reduces.
        let worst = worst.ok_or(NumError::Overflow)?;
        if worst <= 0 || adds <= 0 {
            return Ok(());
        }
        if exposure.unknown_orders > 0 {
            return Err(Refusal::of(RiskRule::UnknownOrder, 0, i64::from(exposure.unknown_orders)));
        }
        let value = self.value(price, worst)?;
        if value > self.position_value_max {
            let limit = self.decimal(self.position_value_max);
            return Err(Refusal::of(RiskRule::Position, limit, self.decimal(value)));
        }
        if worst > self.position_qty_max {
            let unit = instrument.qty_unit;
            let limit = Qty(self.position_qty_max).display(unit);
            return Err(Refusal::of(RiskRule::PositionLots, limit, Qty(worst).display(unit)));
        }
        Ok(())
    }
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

/// An amount as a count of 10^-`exponent`, rounded towards minus infinity. Err: overflow.
fn scaled_floor(amount: Decimal, exponent: u8) -> Result<i128, NumError> {
    amount.floor_to(exponent).rescaled(exponent)
}

#[cfg(test)]
mod tests {
    use super::limits::tests::{config, decimal};
    use super::*;
    use crate::ids::{AccountId, StrategyId};
    use crate::instrument::tests::instrument;
    use crate::order::{OrderEvent, OrderState, Tif};

    fn btc() -> Instrument {
        let btc = instrument(ContractKind::Linear, "0.1", "0.001", "1");
        Instrument { notional_min: decimal("100"), lot: Qty(2), qty_min: Qty(2), qty_max: Qty(1000), ..btc }
    }

    const fn level(price: i64, qty: i64) -> Level {
        Level { price: Price(price), qty: Qty(qty) }
    }

    fn market() -> Market {
        Market { bid: level(600_000, 5), ask: level(600_001, 5), state: 0, confirmed: Nanos(0) }
    }

    fn order(side: Side, price: i64, qty: i64) -> Order {
        Order {
            seq: 1,
            instrument: InstrumentId(0),
            strategy: StrategyId(1),
            account: AccountId(0),
            side,
            level: level(price, qty),
            amend: Level::default(),
            tif: Tif::PostOnly,
            filled: Qty(0),
            state: OrderState::PendingCreate,
        }
    }

    fn gate_of(config: RiskConfig, instruments: &[Instrument]) -> Gate {
        let mut table = InstrumentTable::default();
        for instrument in instruments {
            table.add(instrument.clone());
        }
        Gate::new(config.check().unwrap(), &table).unwrap()
    }

    /// A gate around one instrument, asked one thing after the other.
    struct Asked {
        gate: Gate,
        btc: Instrument,
        market: Market,
        exposure: Exposure,
        now: Nanos,
    }

    impl Asked {
        fn new() -> Self {
            let btc = btc();
            let gate = gate_of(config(), std::slice::from_ref(&btc));
            Self { gate, btc, market: market(), exposure: Exposure::default(), now: Nanos(0) }
        }

        fn propose(&mut self, proposal: Proposal) -> Result<Approved, String> {
            self.gate
                .approve(proposal, &self.btc, &self.market, &self.exposure, self.now)
                .map_err(|refusal| refusal.to_string())
        }

        fn say(&mut self, order: Order) -> String {
            match self.propose(Proposal::New(order)) {
                Ok(approved) => {
                    assert_eq!(*approved.order(), order);
                    assert!(!approved.is_amendment());
                    "approved".into()
                }
                Err(refusal) => refusal,
            }
        }
    }

    fn plain(order: Order) -> String {
        Asked::new().say(order)
    }

    fn with(change: impl Fn(&mut Asked), order: Order) -> String {
        let mut asked = Asked::new();
        change(&mut asked);
        asked.say(order)
    }

    #[test]
    fn every_rule_refuses_with_its_limit_and_the_value() {
        assert_eq!(plain(order(Side::Buy, 600_000, 10)), "approved");
        assert_eq!(plain(order(Side::Buy, 600_000, 3)), "quantity_step: limit 0.002, value 0.003");
        assert_eq!(plain(order(Side::Buy, 600_000, 0)), "quantity: limit 0.002, value 0.000");
        assert_eq!(plain(order(Side::Buy, 600_000, 1002)), "quantity: limit 1.000, value 1.002");
        assert_eq!(plain(order(Side::Buy, 0, 10)), "price_step: limit 0.1, value 0.0");
        assert_eq!(plain(order(Side::Buy, 40_000, 2)), "minimum_notional: limit 100, value 8");
        assert_eq!(plain(order(Side::Sell, 600_001, 20)), "order_size: limit 1000, value 1200.002");
        assert_eq!(plain(order(Side::Buy, 587_999, 10)), "price_collar: limit 200, value 201");
        assert_eq!(plain(order(Side::Buy, 588_000, 10)), "approved");
        assert_eq!(plain(order(Side::Buy, 612_002, 10)), "price_collar: limit 200, value 201");
        let order = order(Side::Buy, 600_000, 10);
        assert_eq!(with(|a| a.btc.status = Status::CancelOnly, order), "instrument_status: limit 0, value 1");
        assert_eq!(with(|a| a.exposure.open_orders = 4, order), "open_orders: limit 4, value 5");
        assert_eq!(with(|a| a.market.state = book_state::STALE, order), "stale_book: limit 0, value 2");
        assert_eq!(with(|a| a.market.ask = Level::default(), order), "stale_book: limit 0, value 8");
        assert_eq!(with(|a| a.now = Nanos(1_000_000_000), order), "approved");
        assert_eq!(
            with(|a| a.now = Nanos(1_000_000_001), order),
            "stale_book: limit 1000, value 1001",
            "rounded up"
        );
        let lots = RiskConfig { order_notional_max: decimal("2000"), ..config() };
        assert_eq!(
            with(|a| a.gate = gate_of(lots.clone(), &[btc()]), self::order(Side::Buy, 600_000, 32)),
            "order_lots: limit 0.030, value 0.032"
        );
        let unlisted = RiskConfig { blacklist: vec!["binance-usdm".into()], ..config() };
        let unlisted = RiskConfig { whitelist: vec!["other".into()], ..unlisted };
        assert_eq!(with(|a| a.gate = gate_of(unlisted.clone(), &[btc()]), order), "lists: limit 0, value 1");
        assert_eq!(
            with(|a| a.exposure.opposite = Some(Price(600_000)), order),
            "self_trade: limit 60000.0, value 60000.0"
        );
        assert_eq!(with(|a| a.exposure.opposite = Some(Price(600_001)), order), "approved");
        let sell = self::order(Side::Sell, 600_001, 10);
        assert_eq!(
            with(|a| a.exposure.opposite = Some(Price(600_002)), sell),
            "self_trade: limit 60000.2, value 60000.1"
        );
        assert_eq!(with(|a| a.exposure.unknown_orders = 1, order), "unknown_order: limit 0, value 1");
        let stranger = Order { instrument: InstrumentId(1), ..order };
        assert_eq!(plain(stranger), "arithmetic: limit 0, value 0");
    }

    #[test]
    fn the_position_counts_what_is_open_and_lets_reducing_orders_through() {
        let long = Exposure { position: Qty(20), open_buys: Qty(12), ..Exposure::default() };
        let at = |exposure: Exposure, order| with(|a| a.exposure = exposure, order);
        let buy = order(Side::Buy, 600_000, 10);
        assert_eq!(at(long, buy), "position: limit 2500, value 2520");
        assert_eq!(at(long, order(Side::Buy, 600_000, 8)), "approved");
        assert_eq!(at(long, order(Side::Sell, 600_001, 10)), "approved");
        let beyond = Exposure { position: Qty(100), unknown_orders: 1, ..Exposure::default() };
        assert_eq!(at(beyond, order(Side::Sell, 600_001, 10)), "approved", "it reduces");
        let beyond = Exposure { position: Qty(100), ..Exposure::default() };
        assert_eq!(at(beyond, buy), "position: limit 2500, value 6600");
        let edge = Exposure { position: Qty(i64::MAX), ..Exposure::default() };
        assert_eq!(at(edge, buy), "arithmetic: limit 0, value 0");
        let config = RiskConfig { position_lots_max: Some(20), ..config() };
        assert_eq!(
            with(
                |a| {
                    a.gate = gate_of(config.clone(), &[btc()]);
                    a.exposure = Exposure { position: Qty(36), ..Exposure::default() };
                },
                order(Side::Buy, 588_000, 6)
            ),
            "position_lots: limit 0.040, value 0.042"
        );
    }

    #[test]
    fn an_amendment_is_approved_net_of_what_it_replaces() {
        let mut asked = Asked::new();
        let mut open = order(Side::Buy, 600_000, 10);
        open.apply(OrderEvent::Accepted).unwrap();
        // 2,400 of 2,500 are taken, this order included.
        asked.exposure =
            Exposure { position: Qty(30), open_buys: Qty(10), open_orders: 4, ..Exposure::default() };
        let approved = asked.propose(Proposal::Amend(open, level(600_001, 10))).unwrap();
        assert!(approved.is_amendment());
        assert_eq!(*approved.order(), Order { level: level(600_001, 10), ..open });
        assert_eq!(
            asked.propose(Proposal::Amend(open, level(600_001, 12))).unwrap_err(),
            "position: limit 2500, value 2520.0042"
        );
        assert!(asked.propose(Proposal::Amend(open, level(600_000, 8))).is_ok(), "less is always less");
        assert_eq!(
            asked.propose(Proposal::Amend(open, level(580_000, 10))).unwrap_err(),
            "price_collar: limit 200, value 334"
        );
        open.apply(OrderEvent::Filled(Qty(4))).unwrap();
        asked.exposure.open_buys = Qty(6);
        asked.now = Nanos(5_000_000);
        assert!(
            asked.propose(Proposal::Amend(open, level(600_001, 10))).is_ok(),
            "six are left, six replace them"
        );
    }

    #[test]
    fn exposure_counts_every_instrument_of_a_scope() {
        let other = |symbol: &str, venue: &str, base: &str| Instrument {
            symbol: symbol.into(),
            venue: venue.into(),
            base: base.into(),
            ..btc()
        };
        // 0: btc here; 1: another base here; 2: btc elsewhere; 3: another base elsewhere.
        let all = [btc(), other("B", &btc().venue, "B"), other("C", "v", &btc().base), other("D", "v", "D")];
        let say = |held: [(i64, i64); 4], side| {
            let mut gate = gate_of(config(), &all);
            for (id, (long, short)) in (0..).zip(held) {
                gate.hold(InstrumentId(id), Qty(long), Qty(short), Price(500_000)).unwrap();
            }
            let order = order(side, 600_000, 10);
            let approved =
                gate.approve(Proposal::New(order), &all[0], &market(), &Exposure::default(), Nanos(0));
            approved.map_or_else(|refusal| refusal.to_string(), |_| "approved".into())
        };
        // A lot of 500,000 ticks is worth 50; the order 600.
        let none = (0, 0);
        assert_eq!(say([none, none, none, (180, 0)], Side::Buy), "portfolio_net: limit 8000, value 9600");
        assert_eq!(say([none, none, none, (0, -180)], Side::Buy), "approved", "net of a short elsewhere");
        assert_eq!(
            say([none, none, none, (0, -190)], Side::Buy),
            "portfolio_gross: limit 10000, value 10100"
        );
        assert_eq!(say([none, none, none, (0, -150)], Side::Sell), "portfolio_net: limit 8000, value 8100");
        assert_eq!(say([none, (130, 0), none, none], Side::Buy), "venue_net: limit 7000, value 7100");
        assert_eq!(say([none, (0, -170), none, none], Side::Buy), "venue_gross: limit 9000, value 9100");
        assert_eq!(say([none, none, (90, 0), none], Side::Buy), "asset_net: limit 5000, value 5100");
        assert_eq!(say([none, none, (0, -110), none], Side::Buy), "asset_gross: limit 6000, value 6100");
        assert_eq!(say([(0, -199), none, none, none], Side::Buy), "approved", "it only reduces");
    }

    #[test]
    fn rates_and_duplicates_go_by_the_time_of_events() {
        let mut asked = Asked::new();
        assert_eq!(asked.say(order(Side::Buy, 600_000, 10)), "approved");
        asked.now = Nanos(999_999);
        assert_eq!(asked.say(order(Side::Buy, 600_000, 10)), "duplicate: limit 1000000, value 999999");
        assert_eq!(asked.say(order(Side::Buy, 600_000, 8)), "approved", "another quantity");
        asked.now = Nanos(1_000_000);
        assert_eq!(asked.say(order(Side::Buy, 600_000, 10)), "approved", "long enough ago");
        for price in 0..7 {
            assert_eq!(asked.say(order(Side::Buy, 599_000 + price, 10)), "approved");
        }
        assert_eq!(asked.say(order(Side::Buy, 598_000, 10)), "order_rate: limit 10, value 11");
        let refusal = asked
            .gate
            .approve(
                Proposal::New(order(Side::Buy, 598_000, 10)),
                &asked.btc,
                &asked.market,
                &asked.exposure,
                asked.now,
            )
            .unwrap_err();
        assert_eq!(refusal.until, Nanos(1_000_000_000), "when the first of them is a second old");
        asked.now = Nanos(999_999_999);
        assert_eq!(asked.say(order(Side::Buy, 598_000, 10)), "order_rate: limit 10, value 11");
        asked.now = Nanos(1_000_000_000);
        assert_eq!(asked.say(order(Side::Buy, 598_000, 10)), "approved");
    }

    #[test]
    fn cancels_are_counted_and_only_those_for_a_better_place_wait() {
        let mut gate = gate_of(config(), &[btc()]);
        let order = order(Side::Buy, 600_000, 10);
        for _ in 0..3 {
            gate.cancel(&order, false, Nanos(5)).unwrap();
        }
        let refusal = gate.cancel(&order, false, Nanos(6)).unwrap_err();
        assert_eq!(
            (refusal.to_string(), refusal.until),
            ("cancel_rate: limit 3, value 4".into(), Nanos(1_000_000_005))
        );
        gate.cancel(&order, true, Nanos(6)).unwrap();
        gate.cancel(&order, true, Nanos(1_000_000_004)).unwrap();
        assert!(gate.cancel(&order, false, Nanos(1_000_000_005)).is_ok());
        let counted = gate.cancel(&order, false, Nanos(1_000_000_005)).unwrap_err();
        assert_eq!(counted.until, Nanos(1_000_000_006), "those that had to leave count");
    }

    #[test]
    fn rules_have_numbers_and_names_of_their_own() {
        for (number, rule) in (1..).zip(RiskRule::ALL) {
            assert_eq!(rule as u16, number);
            assert_eq!(RiskRule::ALL.iter().filter(|other| other.name() == rule.name()).count(), 1);
        }
        assert!(RiskRule::ALL.len() < 32, "numbers from 32 are kept for rules that are to come");
    }
}
