//! Why the venue refuses a request: one variant a cause, each with the limit and the value that broke it, so that a
//! dialect can print its venue's own code and text.
//!
//! Codes in the descriptions are Binance's (developers.binance.com, spot and USD-M error codes, read 2026-11-21).

use super::amount::Amount;
use engine::num::{Price, Qty};

/// How a value missed its bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    /// Zero or below.
    NotPositive,
    /// Below the smallest allowed.
    BelowMin,
    /// Above the largest allowed.
    AboveMax,
    /// Between two steps.
    OffStep,
}

/// Why a request was refused. Nothing has changed and no event was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reject {
    /// No such market. -1121.
    UnknownMarket,
    /// No such account.
    UnknownAccount,
    /// The market takes no orders now. Spot -2010 "Market is closed."; futures -4141, -4140.
    MarketClosed,
    /// The kind of order does not exist on this product, or its parts do not go together. -1106, -1116, -4120.
    Unsupported(&'static str),
    /// Price or trigger price outside `PRICE_FILTER`. Spot -1013; futures -4001, -4002, -4013, -4014.
    Price {
        /// How.
        bound: Bound,
        /// The bound; the step for `OffStep`.
        limit: Price,
        /// What was asked for.
        value: Price,
        /// Whether it is the trigger's price.
        is_trigger: bool,
    },
    /// Quantity outside `LOT_SIZE`. Spot -1013; futures -4003, -4004, -4005, -4023.
    Lot {
        /// How.
        bound: Bound,
        /// The bound; the step for `OffStep`.
        limit: Qty,
        /// What was asked for.
        value: Qty,
    },
    /// Quantity of a market order outside `MARKET_LOT_SIZE`. As `Lot`.
    MarketLot {
        /// How.
        bound: Bound,
        /// The bound; the step for `OffStep`.
        limit: Qty,
        /// What was asked for.
        value: Qty,
    },
    /// Order value outside `NOTIONAL` or `MIN_NOTIONAL`. Spot -1013; futures -4164.
    Notional {
        /// `BelowMin` or `AboveMax`.
        bound: Bound,
        /// The bound in the quote asset.
        limit: Amount,
        /// The order's value.
        value: Amount,
    },
    /// Price outside the band around the reference price (`PERCENT_PRICE`, `PERCENT_PRICE_BY_SIDE`). Spot -1013;
    /// futures -4016, -4024.
    PercentPrice {
        /// `BelowMin` or `AboveMax`.
        bound: Bound,
        /// The band's end.
        limit: Price,
        /// What was asked for.
        value: Price,
    },
    /// The account has `MAX_NUM_ORDERS` open orders on the market. Spot -1013; futures -2025.
    TooManyOrders {
        /// So many are allowed.
        limit: u32,
    },
    /// The account has `MAX_NUM_ALGO_ORDERS` waiting ones. Spot -1013; futures -4045.
    TooManyConditional {
        /// So many are allowed.
        limit: u32,
    },
    /// An open order of the account has the client id. Spot -2010 "Duplicate order sent."; futures -4116.
    DuplicateClientId,
    /// Spot: the free balance does not cover it. -2010 "Account has insufficient balance for requested action."
    InsufficientBalance {
        /// What is free of the asset to spend.
        free: Amount,
        /// What it takes.
        needed: Amount,
    },
    /// Futures: the margin left does not cover it. -2019.
    InsufficientMargin {
        /// What is available.
        available: Amount,
        /// What it takes.
        needed: Amount,
    },
    /// Futures: position and orders would be worth more than the leverage allows. -2027.
    PositionLimit {
        /// Largest notional at this leverage.
        limit: Amount,
        /// What it would be.
        value: Amount,
    },
    /// Futures: the leverage is not offered, or position and orders are too large for it. -4028, -2028.
    Leverage {
        /// Largest leverage that is possible.
        limit: u32,
    },
    /// A post-only order would take. Spot -2010 "Order would immediately match and take."; futures -5022.
    WouldTake,
    /// Futures: a fill-or-kill order cannot be filled. -5021.
    FokUnfilled,
    /// The trigger's price is met already. Spot -2010 "Order would trigger immediately."; futures -2021.
    WouldTrigger,
    /// Futures: there is no position that a reduce-only order of this side reduces. -2022.
    ReduceOnly,
    /// No open order of that name on the market. Cancel -2011, query -2013.
    UnknownOrder,
    /// The two names belong to two orders. -2039.
    NamesDisagree,
    /// The cancel's condition does not hold. -2011 "Order was not canceled due to cancel restrictions."
    CancelRestricted,
    /// The amendment asks for what the order is. Spot -2038; futures -5027.
    AmendChangesNothing,
    /// The amendment keeps its place only by asking for less. Spot -2038.
    AmendIncreases,
    /// Only limit orders that rest can be amended. -5025.
    AmendNotLimit,
    /// The order was amended as often as it may be. Spot -2038; futures -5026.
    TooManyAmends {
        /// So often is allowed.
        limit: u32,
    },
    /// Beyond what the venue can count: a price or quantity that no market has.
    OutOfRange,
}
