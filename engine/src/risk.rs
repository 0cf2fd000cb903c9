//! The risk gate: the only maker of [`Approved`], and nothing but an `Approved` can be sent.
//!
//! ```compile_fail,E0451
//! // An approved order cannot be written down by anyone but the gate.
//! fn forge(order: engine::order::Order) -> engine::risk::Approved {
//!     engine::risk::Approved { order }
//! }
//! ```

use crate::instrument::{Instrument, Status};
use crate::message::book_state;
use crate::num::{Decimal, Level, NumError, Qty, Side};
use crate::order::Order;
use crate::time::Nanos;
use serde::Deserialize;
use std::fmt;

/// Pre-trade limits, as written in the configuration. No `Default`: nobody trades on a limit they did not
/// write down. Amounts are in the quote asset, so that one table fits every instrument.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RiskConfig {
    /// Largest value of a single order, quote asset; above zero.
    pub order_notional_max: Decimal,
    /// Largest absolute value of a position with every open order filled, quote asset; at least `order_notional_max`.
    pub position_notional_max: Decimal,
    /// How far from the touch a price may be, hundredths of a percent; 1..=10,000.
    pub collar_bps: u32,
    /// A book that no message confirmed for longer is not traded on, ms; 1..=60,000.
    pub book_age_ms_max: u64,
    /// Orders that a strategy may have open in an instrument; 1..=1,000.
    pub open_orders_max: u32,
}

/// Limits that were checked: what the gate runs with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RiskLimits(RiskConfig);

impl RiskConfig {
    /// The only maker of [`RiskLimits`]. Err: the key and what it must be.
    pub fn check(self) -> Result<RiskLimits, &'static str> {
        if self.order_notional_max.mantissa <= 0 {
            return Err("order_notional_max must be above 0");
        }
        let larger = |a: Decimal, b: Decimal| {
            let exponent = a.exponent.max(b.exponent);
            matches!((a.rescaled(exponent), b.rescaled(exponent)), (Ok(a), Ok(b)) if a >= b)
        };
        if !larger(self.position_notional_max, self.order_notional_max) {
            return Err("position_notional_max must be at least order_notional_max");
        }
        if !(1..=10_000).contains(&self.collar_bps) {
            return Err("collar_bps must be in 1..=10000");
        }
        if !(1..=60_000).contains(&self.book_age_ms_max) {
            return Err("book_age_ms_max must be in 1..=60000");
        }
        if !(1..=1000).contains(&self.open_orders_max) {
            return Err("open_orders_max must be in 1..=1000");
        }
        Ok(RiskLimits(self))
    }
}

impl RiskLimits {
    /// The values.
    #[must_use]
    pub const fn config(&self) -> &RiskConfig {
        &self.0
    }
}

/// The gate's rules, in the order in which they are tested.
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
}

impl RiskRule {
    /// Every rule, in the order of their numbers.
    pub const ALL: [Self; 11] = [
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
}

impl Refusal {
    fn of(rule: RiskRule, limit: impl Into<Decimal>, value: impl Into<Decimal>) -> Self {
        Self { rule, limit: limit.into(), value: value.into() }
    }
}

impl From<NumError> for Refusal {
    fn from(_: NumError) -> Self {
        Self { rule: RiskRule::Arithmetic, limit: Decimal::ZERO, value: Decimal::ZERO }
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

/// What a strategy has and could get in an instrument.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Exposure {
    /// Position.
    pub position: Qty,
    /// What open buy orders can still buy, unknown ones included.
    pub open_buys: Qty,
    /// What open sell orders can still sell, unknown ones included.
    pub open_sells: Qty,
    /// Orders open, unknown ones included.
    pub open_orders: u32,
}

/// An order that passed the gate. Made nowhere else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Approved {
    order: Order,
}

impl Approved {
    /// The order.
    #[must_use]
    pub const fn order(&self) -> &Order {
        &self.order
    }
}

/// Tests an order against every rule; the first that it breaks refuses it. `now` is the time of the input
/// being handled. A missing input (no book, no touch) refuses.
/// Err: rule, limit and value.
pub fn approve(
    limits: &RiskLimits,
    order: Order,
    instrument: &Instrument,
    market: &Market,
    exposure: &Exposure,
    now: Nanos,
) -> Result<Approved, Refusal> {
    let config = limits.config();
    if instrument.status != Status::Trading {
        return Err(Refusal::of(RiskRule::InstrumentStatus, 0, instrument.status as i64));
    }
    if market.state != 0 || market.bid.qty.0 <= 0 || market.ask.qty.0 <= 0 {
        let state = if market.state == 0 { book_state::ONE_SIDED } else { market.state };
        return Err(Refusal::of(RiskRule::StaleBook, 0, i64::from(state)));
    }
    let age_ms = now.since(market.confirmed).as_ms();
    if age_ms > config.book_age_ms_max {
        return Err(Refusal::of(
            RiskRule::StaleBook,
            config.book_age_ms_max.cast_signed(),
            age_ms.cast_signed(),
        ));
    }
    let (price, qty) = (order.level.price, order.level.qty);
    if !instrument.price_rule.allows(price) {
        let tick = instrument.price_rule.tick;
        let step = tick.decimal(i128::from(instrument.price_rule.step_at(price)));
        return Err(Refusal::of(RiskRule::PriceStep, step, price.display(tick)));
    }
    let unit = instrument.qty_unit;
    if qty.0 % instrument.lot.0 != 0 {
        return Err(Refusal::of(RiskRule::QuantityStep, instrument.lot.display(unit), qty.display(unit)));
    }
    if qty < instrument.qty_min {
        return Err(Refusal::of(RiskRule::Quantity, instrument.qty_min.display(unit), qty.display(unit)));
    }
    if qty > instrument.qty_max {
        return Err(Refusal::of(RiskRule::Quantity, instrument.qty_max.display(unit), qty.display(unit)));
    }
    let value = instrument.quote_value(price, qty)?;
    if below(value, instrument.notional_min)? {
        return Err(Refusal::of(RiskRule::MinimumNotional, instrument.notional_min, value));
    }
    if below(config.order_notional_max, value)? {
        return Err(Refusal::of(RiskRule::OrderSize, config.order_notional_max, value));
    }
    let far = distance_bps_ceil(order.side, order.level, market)?;
    if far > i128::from(config.collar_bps) {
        let far = Decimal { mantissa: far, exponent: 0, digits: 0 };
        return Err(Refusal::of(RiskRule::PriceCollar, i64::from(config.collar_bps), far));
    }
    if exposure.open_orders >= config.open_orders_max {
        let open = i64::from(exposure.open_orders) + 1;
        return Err(Refusal::of(RiskRule::OpenOrders, i64::from(config.open_orders_max), open));
    }
    // The worst case on the order's own side: everything open there fills, nothing on the other.
    let worst = match order.side {
        Side::Buy => exposure.position.0.checked_add(exposure.open_buys.0).and_then(|q| q.checked_add(qty.0)),
        Side::Sell => {
            exposure.position.0.checked_sub(exposure.open_sells.0).and_then(|q| q.checked_sub(qty.0))
        }
    };
    let worst = worst.ok_or(NumError::Overflow)?;
    let grows = match order.side {
        Side::Buy => worst > 0,
        Side::Sell => worst < 0,
    };
    if grows {
        let worst = worst.checked_abs().ok_or(NumError::Overflow)?;
        let value = instrument.quote_value(price, Qty(worst))?;
        if below(config.position_notional_max, value)? {
            return Err(Refusal::of(RiskRule::Position, config.position_notional_max, value));
        }
    }
    Ok(Approved { order })
}

/// How far a price lies outside the touch, in hundredths of a percent of the touch's own side, rounded up;
/// zero inside the spread.
fn distance_bps_ceil(side: Side, level: Level, market: &Market) -> Result<i128, NumError> {
    let (price, bid, ask) =
        (i128::from(level.price.0), i128::from(market.bid.price.0), i128::from(market.ask.price.0));
    let (outside, reference) = match side {
        _ if price < bid => (bid - price, bid),
        _ if price > ask => (price - ask, ask),
        _ => return Ok(0),
    };
    if reference <= 0 {
        return Err(NumError::ZeroPrice);
    }
    Ok((outside * 10_000 + reference - 1) / reference)
}

fn below(a: Decimal, b: Decimal) -> Result<bool, NumError> {
    let exponent = a.exponent.max(b.exponent);
    Ok(a.rescaled(exponent)? < b.rescaled(exponent)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{AccountId, InstrumentId, StrategyId};
    use crate::instrument::ContractKind;
    use crate::instrument::tests::instrument;
    use crate::num::Price;
    use crate::order::{OrderState, Tif};

    fn decimal(text: &str) -> Decimal {
        Decimal::parse(text).unwrap()
    }

    fn config() -> RiskConfig {
        RiskConfig {
            order_notional_max: decimal("1000"),
            position_notional_max: decimal("2500"),
            collar_bps: 200,
            book_age_ms_max: 1000,
            open_orders_max: 4,
        }
    }

    fn btc() -> Instrument {
        let btc = instrument(ContractKind::Linear, "0.1", "0.001", "1");
        Instrument { notional_min: decimal("100"), lot: Qty(2), qty_min: Qty(2), qty_max: Qty(1000), ..btc }
    }

    fn market() -> Market {
        let level = |price, qty| Level { price: Price(price), qty: Qty(qty) };
        Market { bid: level(600_000, 5), ask: level(600_001, 5), state: 0, confirmed: Nanos(0) }
    }

    fn order(side: Side, price: i64, qty: i64) -> Order {
        Order {
            seq: 1,
            instrument: InstrumentId(0),
            strategy: StrategyId(1),
            account: AccountId(0),
            side,
            level: Level { price: Price(price), qty: Qty(qty) },
            amend: Level::default(),
            tif: Tif::PostOnly,
            filled: Qty(0),
            state: OrderState::PendingCreate,
        }
    }

    fn refused(order: Order, btc: &Instrument, market: &Market, exposure: &Exposure, now: Nanos) -> String {
        let limits = config().check().unwrap();
        match approve(&limits, order, btc, market, exposure, now) {
            Ok(approved) => {
                assert_eq!(*approved.order(), order);
                "approved".into()
            }
            Err(refusal) => refusal.to_string(),
        }
    }

    #[test]
    fn every_rule_refuses_with_its_limit_and_the_value() {
        let (btc, flat, t0) = (btc(), Exposure::default(), Nanos(0));
        let plain = |order| refused(order, &btc, &market(), &flat, t0);
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
        let halted = Instrument { status: Status::CancelOnly, ..btc.clone() };
        let order = order(Side::Buy, 600_000, 10);
        assert_eq!(refused(order, &halted, &market(), &flat, t0), "instrument_status: limit 0, value 1");
        let four = Exposure { open_orders: 4, ..flat };
        assert_eq!(refused(order, &btc, &market(), &four, t0), "open_orders: limit 4, value 5");
        let stale = Market { state: book_state::STALE, ..market() };
        assert_eq!(refused(order, &btc, &stale, &flat, t0), "stale_book: limit 0, value 2");
        let one_sided = Market { ask: Level::default(), ..market() };
        assert_eq!(refused(order, &btc, &one_sided, &flat, t0), "stale_book: limit 0, value 8");
        assert_eq!(
            refused(order, &btc, &market(), &flat, Nanos(1_001_000_000)),
            "stale_book: limit 1000, value 1001"
        );
    }

    #[test]
    fn the_position_counts_what_is_open_and_lets_reducing_orders_through() {
        let (btc, t0) = (btc(), Nanos(0));
        let long = Exposure { position: Qty(20), open_buys: Qty(12), ..Exposure::default() };
        let buy = order(Side::Buy, 600_000, 10);
        assert_eq!(refused(buy, &btc, &market(), &long, t0), "position: limit 2500, value 2520");
        assert_eq!(refused(order(Side::Buy, 600_000, 8), &btc, &market(), &long, t0), "approved");
        assert_eq!(refused(order(Side::Sell, 600_001, 10), &btc, &market(), &long, t0), "approved");
        let beyond = Exposure { position: Qty(100), ..Exposure::default() };
        assert_eq!(
            refused(order(Side::Sell, 600_001, 10), &btc, &market(), &beyond, t0),
            "approved",
            "it reduces"
        );
        assert_eq!(refused(buy, &btc, &market(), &beyond, t0), "position: limit 2500, value 6600");
        let edge = Exposure { position: Qty(i64::MAX), ..Exposure::default() };
        assert_eq!(refused(buy, &btc, &market(), &edge, t0), "arithmetic: limit 0, value 0");
    }

    #[test]
    fn limits_that_make_no_sense_are_refused_by_name() {
        let bad = |change: fn(&mut RiskConfig)| {
            let mut config = config();
            change(&mut config);
            config.check().unwrap_err()
        };
        assert!(bad(|c| c.order_notional_max = Decimal::ZERO).starts_with("order_notional_max"));
        assert!(
            bad(|c| c.position_notional_max = Decimal::parse("999.99").unwrap())
                .starts_with("position_notional_max")
        );
        assert!(bad(|c| c.collar_bps = 0).starts_with("collar_bps"));
        assert!(bad(|c| c.book_age_ms_max = 0).starts_with("book_age_ms_max"));
        assert!(bad(|c| c.open_orders_max = 0).starts_with("open_orders_max"));
    }
}
