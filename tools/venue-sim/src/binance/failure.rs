//! What a request is refused with: status, code and text as Binance sends them.
//!
//! Codes and texts: developers.binance.com, error pages of spot and USD-M, read 2026-11-21. The two products give one
//! number different meanings, so a rejection of the exchange is translated by product.

use std::borrow::Cow;

use super::json::Json;
use crate::exchange::{Bound, Product, Reject};

/// A refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// HTTP status, and `status` of a WebSocket answer.
    pub status: u16,
    /// The venue's code.
    pub code: i32,
    /// The venue's text.
    pub text: Cow<'static, str>,
    /// Finished JSON of `data`: the two halves of a cancel-replace.
    pub data: Option<String>,
    /// Milliseconds since 1970 before which the client must not ask again.
    pub retry_at_ms: Option<u64>,
}

impl Failure {
    /// A refusal with a fixed text.
    #[must_use]
    pub const fn of(status: u16, code: i32, text: &'static str) -> Self {
        Self { status, code, text: Cow::Borrowed(text), data: None, retry_at_ms: None }
    }

    /// A refusal with a text that names something.
    #[must_use]
    pub const fn saying(status: u16, code: i32, text: String) -> Self {
        Self { status, code, text: Cow::Owned(text), data: None, retry_at_ms: None }
    }

    /// A parameter that must be there is not.
    #[must_use]
    pub fn missing(name: &str) -> Self {
        let text = format!("Mandatory parameter '{name}' was not sent, was empty/null, or malformed.");
        Self::saying(400, -1102, text)
    }

    /// A parameter is there and is not what it should be.
    #[must_use]
    pub fn malformed(name: &str) -> Self {
        Self::missing(name)
    }

    /// A parameter holds what no such parameter can.
    #[must_use]
    pub fn illegal_characters(name: &str) -> Self {
        Self::saying(400, -1100, format!("Illegal characters found in parameter '{name}'."))
    }

    /// More digits than the venue keeps.
    #[must_use]
    pub fn precision(name: &str) -> Self {
        Self::saying(400, -1111, format!("Parameter '{name}' has too much precision."))
    }

    /// A parameter that must not be there.
    #[must_use]
    pub fn not_required(name: &str) -> Self {
        Self::saying(400, -1106, format!("Parameter '{name}' sent when not required."))
    }

    /// A spot filter.
    #[must_use]
    pub fn filter(name: &str) -> Self {
        Self::saying(400, -1013, format!("Filter failure: {name}"))
    }

    /// `{"code":…,"msg":…}`, with `data` where there is one.
    #[must_use]
    pub fn json(&self) -> String {
        let mut json = Json::object();
        json.int("code", self.code).text("msg", &self.text);
        if let Some(data) = &self.data {
            json.raw("data", data);
        }
        json.done()
    }

    /// The venue's words for what the exchange refused to a request for an order, a cancel or an amendment.
    #[must_use]
    pub fn rejected(product: Product, reject: &Reject) -> Self {
        match product {
            Product::Spot => spot(reject),
            Product::Futures => futures(reject),
        }
    }
}

fn spot(reject: &Reject) -> Failure {
    let refused = |text| Failure::of(400, -2010, text);
    match reject {
        Reject::UnknownMarket => Failure::of(400, -1121, "Invalid symbol."),
        Reject::UnknownAccount => INVALID_KEY,
        Reject::MarketClosed => refused("Market is closed."),
        Reject::Unsupported(what) => Failure::of(400, -1106, what),
        Reject::Price { .. } => Failure::filter("PRICE_FILTER"),
        Reject::Lot { .. } => Failure::filter("LOT_SIZE"),
        Reject::MarketLot { .. } => Failure::filter("MARKET_LOT_SIZE"),
        Reject::Notional { .. } => Failure::filter("NOTIONAL"),
        Reject::PercentPrice { .. } => Failure::filter("PERCENT_PRICE_BY_SIDE"),
        Reject::TooManyOrders { .. } => Failure::filter("MAX_NUM_ORDERS"),
        Reject::TooManyConditional { .. } => Failure::filter("MAX_NUM_ALGO_ORDERS"),
        Reject::DuplicateClientId => refused("Duplicate order sent."),
        Reject::InsufficientBalance { .. } | Reject::InsufficientMargin { .. } => {
            refused("Account has insufficient balance for requested action.")
        }
        Reject::WouldTake => refused("Order would immediately match and take."),
        Reject::WouldTrigger => refused("Order would trigger immediately."),
        Reject::UnknownOrder => UNKNOWN_ORDER,
        Reject::NamesDisagree => Failure::of(400, -2039, "Client order ID is not correct for this order ID."),
        Reject::CancelRestricted => {
            Failure::of(400, -2011, "Order was not canceled due to cancel restrictions.")
        }
        Reject::AmendChangesNothing => {
            Failure::of(400, -2038, "The requested action would change no state; rejecting.")
        }
        Reject::AmendIncreases => {
            Failure::of(400, -2038, "Order amend (quantity increase) is not supported.")
        }
        Reject::AmendNotLimit => Failure::of(400, -2038, "Order amend is not supported for this order."),
        Reject::TooManyAmends { .. } => Failure::of(400, -2038, "Order has been amended too many times."),
        Reject::OutOfRange => Failure::of(400, -1100, "Illegal characters found in a parameter."),
        Reject::PositionLimit { .. } | Reject::Leverage { .. } | Reject::FokUnfilled | Reject::ReduceOnly => {
            Failure::of(400, -1014, "Unsupported order combination.")
        }
    }
}

fn futures(reject: &Reject) -> Failure {
    let refused = |code, text| Failure::of(400, code, text);
    match reject {
        Reject::UnknownMarket => refused(-1121, "Invalid symbol."),
        Reject::UnknownAccount => INVALID_KEY,
        Reject::MarketClosed => refused(-4141, "Symbol is closed."),
        Reject::Unsupported(what) => refused(-1116, what),
        Reject::Price { bound, is_trigger, .. } => match (bound, is_trigger) {
            (Bound::NotPositive, false) => refused(-4001, "Price less than 0."),
            (Bound::NotPositive, true) => refused(-4006, "Stop price less than zero."),
            (Bound::AboveMax, false) => refused(-4002, "Price greater than max price."),
            (Bound::AboveMax, true) => refused(-4007, "Stop price greater than max price."),
            (Bound::BelowMin, _) => refused(-4013, "Price less than min price."),
            (Bound::OffStep, _) => refused(-4014, "Price not increased by tick size."),
        },
        Reject::Lot { bound, .. } | Reject::MarketLot { bound, .. } => match bound {
            Bound::NotPositive => refused(-4003, "Quantity less than or equal to zero."),
            Bound::BelowMin => refused(-4004, "Quantity less than min quantity."),
            Bound::AboveMax => refused(-4005, "Quantity greater than max quantity."),
            Bound::OffStep => refused(-4023, "Quantity not increased by step size."),
        },
        Reject::Notional { limit, .. } => Failure::saying(
            400,
            -4164,
            format!(
                "Order's notional must be no smaller than {} (unless you choose reduce only).",
                limit.decimal(0)
            ),
        ),
        Reject::PercentPrice { bound: Bound::AboveMax, limit, .. } => {
            Failure::saying(400, -4016, format!("Limit price can't be higher than {}.", limit.0))
        }
        Reject::PercentPrice { limit, .. } => {
            Failure::saying(400, -4024, format!("Limit price can't be lower than {}.", limit.0))
        }
        Reject::TooManyOrders { .. } => refused(-2025, "Reach max open order limit."),
        Reject::TooManyConditional { .. } => refused(-4045, "Reach max stop order limit."),
        Reject::DuplicateClientId => refused(-4116, "ClientOrderId is duplicated."),
        Reject::InsufficientBalance { .. } => refused(-2018, "Balance is insufficient."),
        Reject::InsufficientMargin { .. } => refused(-2019, "Margin is insufficient."),
        Reject::PositionLimit { .. } => {
            refused(-2027, "Exceeded the maximum allowable position at current leverage.")
        }
        Reject::Leverage { .. } => refused(-4028, "Leverage is not valid"),
        Reject::WouldTake => refused(
            -5022,
            "Due to the order could not be executed as maker, the Post Only order will be rejected. The order will not be recorded in the order history",
        ),
        Reject::FokUnfilled => refused(
            -5021,
            "Due to the order could not be filled immediately, the FOK order has been rejected. The order will not be recorded in the order history",
        ),
        Reject::WouldTrigger => refused(-2021, "Order would immediately trigger."),
        Reject::ReduceOnly => refused(-2022, "ReduceOnly Order is rejected."),
        Reject::UnknownOrder => UNKNOWN_ORDER,
        Reject::NamesDisagree => UNKNOWN_ORDER,
        Reject::CancelRestricted => refused(-2011, "Unknown order sent."),
        Reject::AmendChangesNothing => refused(-5027, "No need to modify the order."),
        Reject::AmendIncreases | Reject::AmendNotLimit => refused(-5025, "Only limit order is supported."),
        Reject::TooManyAmends { .. } => refused(-5026, "Exceed maximum modify order limit."),
        Reject::OutOfRange => refused(-1100, "Illegal characters found in a parameter."),
    }
}

/// No such key, or none that may do this.
pub const INVALID_KEY: Failure = Failure::of(401, -2015, "Invalid API-key, IP, or permissions for action.");
/// A key that no key can be.
pub const BAD_KEY_FORMAT: Failure = Failure::of(401, -2014, "API-key format invalid.");
/// The signature belongs to another text or key.
pub const BAD_SIGNATURE: Failure = Failure::of(400, -1022, "Signature for this request is not valid.");
/// Too late, by the request's own window.
pub const OUTSIDE_WINDOW: Failure =
    Failure::of(400, -1021, "Timestamp for this request is outside of the recvWindow.");
/// More than a second in the future.
pub const AHEAD_OF_SERVER: Failure =
    Failure::of(400, -1021, "Timestamp for this request was 1000ms ahead of the server's time.");
/// A cancel of an order that is not open.
pub const UNKNOWN_ORDER: Failure = Failure::of(400, -2011, "Unknown order sent.");
/// A question for an order that does not exist.
pub const NO_SUCH_ORDER: Failure = Failure::of(400, -2013, "Order does not exist.");
/// No market of that name.
pub const INVALID_SYMBOL: Failure = Failure::of(400, -1121, "Invalid symbol.");
/// A listen key that has run out or never was.
pub const NO_LISTEN_KEY: Failure = Failure::of(400, -1125, "This listenKey does not exist.");

#[cfg(test)]
mod tests {
    use super::*;
    use engine::num::Price;

    #[test]
    fn a_rejection_has_the_code_of_its_product() {
        let price =
            Reject::Price { bound: Bound::OffStep, limit: Price(1), value: Price(3), is_trigger: false };
        let both = |reject: &Reject| {
            [Product::Spot, Product::Futures].map(|product| Failure::rejected(product, reject).code)
        };
        assert_eq!(both(&price), [-1013, -4014]);
        assert_eq!(both(&Reject::WouldTake), [-2010, -5022]);
        assert_eq!(both(&Reject::DuplicateClientId), [-2010, -4116]);
        assert_eq!(both(&Reject::UnknownOrder), [-2011, -2011]);
        assert_eq!(both(&Reject::AmendChangesNothing), [-2038, -5027]);
    }

    #[test]
    fn a_failure_is_an_object_of_code_and_text() {
        assert_eq!(Failure::filter("LOT_SIZE").json(), r#"{"code":-1013,"msg":"Filter failure: LOT_SIZE"}"#);
    }
}
