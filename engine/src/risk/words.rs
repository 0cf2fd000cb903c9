//! A refusal in words: the rule, the limit by its name in the configuration, and the value, in the units of the
//! market.

use super::{Refusal, RiskRule};
use crate::instrument::{ContractKind, Instrument};
use crate::message::book_state;
use crate::num::Decimal;
use std::fmt;

/// What prices, values and quantities of an instrument are counted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MarketUnits<'a> {
    /// Of prices and values: the quote asset.
    pub value: &'a str,
    /// Of quantities: the base asset, or `contracts`.
    pub qty: &'a str,
}

impl<'a> MarketUnits<'a> {
    /// Of an instrument with these assets; `is_inverse` as its contract is.
    #[must_use]
    pub const fn new(base: &'a str, quote: &'a str, is_inverse: bool) -> Self {
        Self { value: quote, qty: if is_inverse { "contracts" } else { base } }
    }

    /// Of an instrument.
    #[must_use]
    pub fn of(instrument: &'a Instrument) -> Self {
        Self::new(&instrument.base, &instrument.quote, instrument.kind == ContractKind::Inverse)
    }
}

/// [`Refusal::in_words`].
#[derive(Clone, Copy, Debug)]
pub struct InWords<'a> {
    refusal: &'a Refusal,
    units: MarketUnits<'a>,
}

impl Refusal {
    /// The refusal for people.
    #[must_use]
    pub const fn in_words<'a>(&'a self, units: MarketUnits<'a>) -> InWords<'a> {
        InWords { refusal: self, units }
    }
}

impl fmt::Display for InWords<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Refusal { rule, limit, value, .. } = self.refusal;
        let MarketUnits { value: quote, qty } = self.units;
        write!(f, "{}: ", rule.name())?;
        match rule {
            RiskRule::InstrumentStatus => {
                let status = if value.mantissa == 1 { "takes cancels only" } else { "is halted" };
                write!(f, "the instrument {status}")
            }
            RiskRule::StaleBook if limit.mantissa == 0 => {
                write!(
                    f,
                    "the book is {}",
                    book_state::name(u32::try_from(value.mantissa).unwrap_or(u32::MAX))
                )
            }
            RiskRule::StaleBook => {
                write!(f, "nothing confirmed the book for {value} ms, book_age_ms_max is {limit}")
            }
            RiskRule::PriceStep => write!(f, "price {value} {quote} is no positive multiple of {limit}"),
            RiskRule::QuantityStep => write!(f, "quantity {value} {qty} is no multiple of {limit}"),
            RiskRule::Quantity if is_less(value, limit) => {
                write!(f, "quantity {value} {qty} is below the venue's smallest, {limit}")
            }
            RiskRule::Quantity => write!(f, "quantity {value} {qty} is above the venue's largest, {limit}"),
            RiskRule::MinimumNotional => {
                write!(f, "value {value} {quote} is below the venue's smallest, {limit}")
            }
            RiskRule::OrderSize => write!(f, "value {value} {quote} is above order_notional_max {limit}"),
            RiskRule::OrderLots => write!(f, "quantity {value} {qty} is above order_lots_max, {limit}"),
            RiskRule::PriceCollar => {
                write!(f, "price is {value} bps outside the touch, collar_bps is {limit}")
            }
            RiskRule::OpenOrders => write!(f, "{value} open orders are above open_orders_max {limit}"),
            RiskRule::Position => {
                let what = "position with every open order filled is worth";
                write!(f, "{what} {value} {quote}, above position_notional_max {limit}")
            }
            RiskRule::PositionLots => {
                let what = "position with every open order filled is";
                write!(f, "{what} {value} {qty}, above position_lots_max, {limit}")
            }
            RiskRule::Arithmetic => f.write_str("the numbers do not fit, and nothing is guessed"),
            RiskRule::Lists => f.write_str("the instrument is not on the whitelist, or on the blacklist"),
            RiskRule::PortfolioGross
            | RiskRule::PortfolioNet
            | RiskRule::VenueGross
            | RiskRule::VenueNet
            | RiskRule::AssetGross
            | RiskRule::AssetNet => {
                let what = "positions with every open order filled are worth";
                write!(f, "{what} {value} {quote}, above {}_max {limit}", rule.name())
            }
            RiskRule::OrderRate => {
                write!(f, "{value} orders in a second are above orders_per_s_max {limit}")
            }
            RiskRule::CancelRate => {
                write!(f, "{value} cancels in a second are above cancels_per_s_max {limit}")
            }
            RiskRule::Duplicate => {
                write!(f, "one like it left {value} ns before, duplicate_ns is {limit}")
            }
            RiskRule::SelfTrade => {
                write!(f, "price {value} {quote} would meet an own order at {limit}")
            }
            RiskRule::UnknownOrder => write!(f, "orders of the instrument are unknown: {value}"),
            RiskRule::ReduceOnly => {
                write!(f, "quantity {value} {qty} is more than there is to reduce, {limit}")
            }
            RiskRule::Trigger => {
                write!(f, "the market stands at {limit} {quote}: trigger {value} would be met at once")
            }
            RiskRule::Unvalued => {
                write!(f, "there is no price yet for what is held or open; instruments: {value}")
            }
        }
    }
}

/// Whether `a < b`; both are of one exponent or comparable, else false.
fn is_less(a: &Decimal, b: &Decimal) -> bool {
    let exponent = a.exponent.max(b.exponent);
    matches!((a.rescaled(exponent), b.rescaled(exponent)), (Ok(a), Ok(b)) if a < b)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn say(rule: RiskRule, limit: &str, value: &str) -> String {
        let decimal = |text| Decimal::parse(text).unwrap();
        let refusal = Refusal::of(rule, decimal(limit), decimal(value));
        refusal.in_words(MarketUnits { value: "USDT", qty: "BTC" }).to_string()
    }

    #[test]
    fn each_rule_says_its_name_and_where_there_are_any_limit_and_value() {
        for rule in RiskRule::ALL {
            let said = say(rule, "7", "8.5");
            assert!(said.starts_with(&format!("{}: ", rule.name())), "{said}");
            let numbers =
                ![RiskRule::InstrumentStatus, RiskRule::Arithmetic, RiskRule::Lists].contains(&rule);
            assert_eq!(said.contains("8.5"), numbers, "{said}");
            let limited = ![RiskRule::UnknownOrder, RiskRule::Unvalued].contains(&rule);
            assert_eq!(said.contains('7'), numbers && limited, "{said}");
        }
    }

    #[test]
    fn numbers_have_the_units_of_the_market() {
        for (rule, limit, value, expected) in [
            (RiskRule::Quantity, "0.002", "0.001", "quantity 0.001 BTC is below the venue's smallest, 0.002"),
            (RiskRule::Quantity, "1", "1.002", "quantity 1.002 BTC is above the venue's largest, 1"),
            (RiskRule::OrderSize, "1000", "1200.002", "value 1200.002 USDT is above order_notional_max 1000"),
            (RiskRule::PriceCollar, "200", "201", "price is 201 bps outside the touch, collar_bps is 200"),
            (RiskRule::StaleBook, "0", "2", "the book is stale"),
            (
                RiskRule::StaleBook,
                "1000",
                "1001",
                "nothing confirmed the book for 1001 ms, book_age_ms_max is 1000",
            ),
            (RiskRule::InstrumentStatus, "0", "1", "the instrument takes cancels only"),
            (
                RiskRule::AssetNet,
                "5000",
                "5100",
                "positions with every open order filled are worth 5100 USDT, above asset_net_max 5000",
            ),
        ] {
            assert_eq!(say(rule, limit, value), format!("{}: {expected}", rule.name()));
        }
    }
}
