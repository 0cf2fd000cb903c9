//! The limits as they come to for a strategy's orders on one instrument, in its own units, and the rules that need
//! nothing but the order, its instrument and what is held of it.

use super::{Exposure, Refusal, RiskLimits, RiskRule};
use crate::ids::StrategyId;
use crate::instrument::{ContractKind, Instrument};
use crate::num::{Decimal, Level, NumError, Price, Qty, Side};

/// What the rules come to for a strategy's orders on one instrument, in its own units. Limits are rounded down to
/// them, minimums up.
#[derive(Clone, Debug)]
pub(super) struct Rules {
    pub(super) is_listed: bool,
    is_inverse: bool,
    /// Value of one quantity unit at one tick (or of one contract); the value's power of ten.
    unit_value: i128,
    value_exponent: u8,
    /// What a value is multiplied by to be one of the common unit.
    pub(super) to_common: i128,
    notional_min: i128,
    order_value_max: i128,
    position_value_max: i128,
    order_qty_max: i64,
    position_qty_max: i64,
    pub(super) collar_bps: u32,
    pub(super) open_orders_max: u32,
    pub(super) book_age_ms_max: u64,
    pub(super) duplicate_ns: u64,
    /// The parts of the limits with an order rate of their own that the orders count in, a bit each.
    pub(super) rates: u64,
}
/// Products of price and quantity below this, and units below `UNIT_MAX`, multiply without overflow.
const PRODUCT_BITS: u32 = 96;
const UNIT_MAX: i128 = 1 << 30;

impl Rules {
    /// Value of one quantity unit at one tick, or of one contract that is worth a fixed amount of the quote asset;
    /// and the power of ten that it is scaled by.
    pub(super) fn value_unit(instrument: &Instrument) -> (i128, u8) {
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

    pub(super) fn new(
        limits: &RiskLimits,
        strategy: StrategyId,
        instrument: &Instrument,
        common_exponent: u8,
    ) -> Result<Self, NumError> {
        let config = limits.of(strategy, instrument);
        let rates = limits.fitting(strategy, instrument).filter(|(_, part)| part.orders_per_s_max.is_some());
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
            collar_bps: config.collar_bps,
            open_orders_max: config.open_orders_max,
            book_age_ms_max: config.book_age_ms_max,
            duplicate_ns: config.duplicate_ns,
            rates: rates.fold(0, |bits, (place, _)| bits | 1 << place),
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
    pub(super) fn common_value(&self, price: Price, qty: i64) -> Result<i128, NumError> {
        let value = self.value(price, qty)?;
        if self.to_common == 1 {
            return Ok(value);
        }
        value.checked_mul(self.to_common).ok_or(NumError::Overflow)
    }

    fn decimal(&self, value: i128) -> Decimal {
        Decimal { mantissa: value, exponent: self.value_exponent, digits: 0 }
    }

    /// Whether it is one of the prices that orders may have.
    #[inline]
    pub(super) fn check_price(&self, instrument: &Instrument, price: Price) -> Result<(), Refusal> {
        if instrument.price_rule.allows(price) {
            return Ok(());
        }
        let tick = instrument.price_rule.tick;
        let step = tick.decimal(i128::from(instrument.price_rule.step_at(price)));
        Err(Refusal::of(RiskRule::PriceStep, step, price.display(tick)))
    }

    /// The rules that look at nothing but the order and its instrument. `level` has the price that it is judged by.
    /// One that only reduces is no larger than the position, which was let in; and venues of futures take any rest of it.
    #[inline]
    pub(super) fn check_size(
        &self,
        instrument: &Instrument,
        level: Level,
        reduces: bool,
    ) -> Result<(), Refusal> {
        let Level { price, qty } = level;
        self.check_price(instrument, price)?;
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
        let takes_any_rest = reduces && instrument.kind != ContractKind::Spot;
        if value < self.notional_min && !takes_any_rest {
            return Err(Refusal::of(RiskRule::MinimumNotional, instrument.notional_min, self.decimal(value)));
        }
        if reduces {
            return Ok(());
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
    pub(super) fn check_position(
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
/// An amount as a count of 10^-`exponent`, rounded towards minus infinity. Err: overflow.
pub(super) fn scaled_floor(amount: Decimal, exponent: u8) -> Result<i128, NumError> {
    amount.floor_to(exponent).rescaled(exponent)
}
