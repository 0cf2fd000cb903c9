//! The rules by number and name, and what a refusal says.

use crate::num::{Decimal, NumError};
use crate::time::Nanos;
use std::fmt;

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
    /// Less than the venue's smallest value; not of a reduce-only order on futures, which may close any rest.
    MinimumNotional = 6,
    /// More than `order_notional_max`; not of a reduce-only order, which is no larger than the position.
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
    /// More than `order_lots_max`; not of a reduce-only order.
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
    /// Reduce-only, and more than there is to reduce.
    ReduceOnly = 26,
    /// A stop that the market would trigger at once.
    Trigger = 27,
    /// New risk while there is no price yet for what is held or open of some instrument: no sum over it is known.
    Unvalued = 28,
}

impl RiskRule {
    /// Every rule, in the order of their numbers.
    pub const ALL: [Self; 28] = [
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
        Self::ReduceOnly,
        Self::Trigger,
        Self::Unvalued,
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
            Self::ReduceOnly => "reduce_only",
            Self::Trigger => "trigger",
            Self::Unvalued => "unvalued",
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
    pub(super) fn of(rule: RiskRule, limit: impl Into<Decimal>, value: impl Into<Decimal>) -> Self {
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
