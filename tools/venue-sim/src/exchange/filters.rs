//! The venue's filters: what an order must keep to before the matching engine sees it.
//!
//! Tests and names: Binance's filters (developers.binance.com, read 2026-11-21). Steps are counted from zero, which
//! is what spot does; futures count from the minimum, the same wherever the minimum is a multiple of the step.

use super::amount::{Amount, Rate};
use super::market::{Market, VALUE_MAX};
use super::order::{Kind, NewOrder, Size};
use super::reject::{Bound, Reject};
use engine::num::{Price, Qty, Side};
use engine::time::Nanos;

/// What orders of one market must keep to, beside the tick, lot, quantity bounds and minimum value of its
/// `Instrument`. Zero turns a bound off.
#[derive(Clone, Debug, Default)]
pub struct Filters {
    /// Lowest price.
    pub price_min: Price,
    /// Highest price.
    pub price_max: Price,
    /// Smallest market order.
    pub market_qty_min: Qty,
    /// Largest market order.
    pub market_qty_max: Qty,
    /// Step of market orders.
    pub market_lot: Qty,
    /// Largest order value, quote asset.
    pub notional_max: Amount,
    /// Whether the smallest value holds for market orders too.
    pub notional_min_to_market: bool,
    /// Whether the largest value holds for market orders too.
    pub notional_max_to_market: bool,
    /// The band of prices around the reference price.
    pub percent_price: Option<PercentPrice>,
    /// Open orders of an account, waiting ones included.
    pub orders_max: u32,
    /// Waiting orders of an account.
    pub conditional_orders_max: u32,
    /// Amendments of one order.
    pub amends_max: u32,
}

/// Multipliers of the reference price: on spot the mean price of a time, on futures the mark price.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PercentPrice {
    /// Highest price of a buy; on spot also lowest.
    pub bid_up: Rate,
    /// Lowest price of a buy (spot).
    pub bid_down: Rate,
    /// Highest price of a sell (spot).
    pub ask_up: Rate,
    /// Lowest price of a sell.
    pub ask_down: Rate,
    /// The mean price is over so many minutes; 0: the last price (spot).
    pub average_minutes: u32,
}

impl Market {
    /// Price, quantity, value and band of a new order, in this order. `now` is for the mean price.
    pub(super) fn check_filters(&self, now: Nanos, order: &NewOrder) -> Result<(), Reject> {
        if let Some(price) = order.kind.price() {
            self.check_price(price, false)?;
        }
        if let Some(trigger) = order.trigger {
            self.check_price(trigger.price, true)?;
        }
        let is_market = order.kind == Kind::Market;
        match order.size {
            Size::Base(qty) => {
                self.check_qty(qty, is_market)?;
                self.check_value(
                    now,
                    order.kind,
                    order.trigger.map(|trigger| trigger.price),
                    qty,
                    order.reduce_only,
                )?;
            }
            Size::Quote(value) if value <= Amount::ZERO => {
                return Err(Reject::Notional { bound: Bound::NotPositive, limit: Amount::ZERO, value });
            }
            Size::Quote(value) if value > VALUE_MAX => return Err(Reject::OutOfRange),
            Size::Quote(value) => self.check_notional(value, is_market, order.reduce_only)?,
            Size::Position => {}
        }
        order.kind.price().map_or(Ok(()), |price| self.check_band(now, order.side, price))
    }

    /// What holds for every order, of the crowd too, whose orders need not keep to the filters because recorded books
    /// hold dust and far prices: numbers that a market can have.
    pub(super) fn check_range(&self, order: &NewOrder) -> Result<(), Reject> {
        let price_fits = |price: Price| (1..=PRICE_MAX).contains(&price.0);
        let price = order.kind.price().or(order.trigger.map(|trigger| trigger.price));
        let fits = match order.size {
            Size::Base(qty) => {
                let value = self.terms.value_checked(price.unwrap_or(Price(1)), qty);
                (1..=QTY_MAX).contains(&qty.0) && value.is_some()
            }
            Size::Quote(value) => (Amount(1)..=VALUE_MAX).contains(&value),
            Size::Position => true,
        };
        let trigger_fits = order.trigger.is_none_or(|trigger| price_fits(trigger.price));
        if fits && trigger_fits && price.is_none_or(price_fits) { Ok(()) } else { Err(Reject::OutOfRange) }
    }

    /// `PRICE_FILTER`.
    fn check_price(&self, price: Price, is_trigger: bool) -> Result<(), Reject> {
        let (min, max) = (self.filters.price_min, self.filters.price_max);
        let rule = &self.instrument.price_rule;
        let (bound, limit) = if price.0 <= 0 {
            (Bound::NotPositive, Price(0))
        } else if price < min {
            (Bound::BelowMin, min)
        } else if max.0 > 0 && price > max {
            (Bound::AboveMax, max)
        } else if !rule.allows(price) {
            (Bound::OffStep, Price(rule.step_at(price)))
        } else if price.0 > PRICE_MAX {
            return Err(Reject::OutOfRange);
        } else {
            return Ok(());
        };
        Err(Reject::Price { bound, limit, value: price, is_trigger })
    }

    /// `LOT_SIZE`, and for market orders `MARKET_LOT_SIZE`.
    fn check_qty(&self, qty: Qty, is_market: bool) -> Result<(), Reject> {
        let (instrument, filters) = (&self.instrument, &self.filters);
        if let Some((bound, limit)) = missed(qty, instrument.qty_min, instrument.qty_max, instrument.lot) {
            return Err(Reject::Lot { bound, limit, value: qty });
        }
        let market = missed(qty, filters.market_qty_min, filters.market_qty_max, filters.market_lot);
        match market.filter(|_| is_market) {
            Some((bound, limit)) => Err(Reject::MarketLot { bound, limit, value: qty }),
            None if qty.0 > QTY_MAX => Err(Reject::OutOfRange),
            None => Ok(()),
        }
    }

    /// `NOTIONAL` of a quantity: at the limit price, else at the trigger's, else at the reference price.
    fn check_value(
        &self,
        now: Nanos,
        kind: Kind,
        trigger: Option<Price>,
        qty: Qty,
        reduce_only: bool,
    ) -> Result<(), Reject> {
        let price = kind.price().or(trigger).or_else(|| self.reference_price(now));
        // Without any price yet there is nothing to value the order at.
        let Some(price) = price else { return Ok(()) };
        let value = self.terms.value_checked(price, qty).ok_or(Reject::OutOfRange)?;
        self.check_notional(value, kind == Kind::Market, reduce_only)
    }

    fn check_notional(&self, value: Amount, is_market: bool, reduce_only: bool) -> Result<(), Reject> {
        let min = self.notional_min;
        let max = self.filters.notional_max;
        let min_holds = !reduce_only && (!is_market || self.filters.notional_min_to_market);
        let max_holds = max.0 > 0 && (!is_market || self.filters.notional_max_to_market);
        if min_holds && value < min {
            return Err(Reject::Notional { bound: Bound::BelowMin, limit: min, value });
        }
        if max_holds && value > max {
            return Err(Reject::Notional { bound: Bound::AboveMax, limit: max, value });
        }
        Ok(())
    }

    /// `PERCENT_PRICE_BY_SIDE` on spot; one-sided around the mark price on futures.
    fn check_band(&self, now: Nanos, side: Side, price: Price) -> Result<(), Reject> {
        let (Some(band), Some(reference)) = (self.filters.percent_price, self.reference_price(now)) else {
            return Ok(());
        };
        let times = |rate: Rate| i128::from(reference.0) * i128::from(rate.0);
        let whole = i128::from(Rate::ONE.0);
        let (up, down) = match side {
            Side::Buy => (band.bid_up, band.bid_down),
            Side::Sell => (band.ask_up, band.ask_down),
        };
        let (checks_up, checks_down) =
            if self.is_futures() { (side == Side::Buy, side == Side::Sell) } else { (true, true) };
        let limit = |value: i128| Price(i64::try_from(value).unwrap_or(i64::MAX));
        let scaled = i128::from(price.0) * whole;
        if checks_up && scaled > times(up) {
            let limit = limit(times(up).div_euclid(whole));
            return Err(Reject::PercentPrice { bound: Bound::AboveMax, limit, value: price });
        }
        if checks_down && scaled < times(down) {
            let limit = limit(-(-times(down)).div_euclid(whole));
            return Err(Reject::PercentPrice { bound: Bound::BelowMin, limit, value: price });
        }
        Ok(())
    }
}

/// Which bound `qty` misses. Zero as `max` or `step`: no such bound.
fn missed(qty: Qty, min: Qty, max: Qty, step: Qty) -> Option<(Bound, Qty)> {
    if qty.0 <= 0 {
        Some((Bound::NotPositive, Qty(0)))
    } else if qty < min {
        Some((Bound::BelowMin, min))
    } else if max.0 > 0 && qty > max {
        Some((Bound::AboveMax, max))
    } else if step.0 > 0 && qty.0 % step.0 != 0 {
        Some((Bound::OffStep, step))
    } else {
        None
    }
}

/// Highest price and largest quantity that can be asked for: their product is within 94 bits.
const PRICE_MAX: i64 = 1 << 44;
/// See [`PRICE_MAX`].
const QTY_MAX: i64 = 1 << 50;
