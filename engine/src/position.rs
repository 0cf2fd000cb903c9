//! Positions and what they are worth, in exact integers.
//!
//! A position is a quantity and the cash that it cost: buying spends, selling earns, and the profit is the
//! cash plus what the quantity is worth now. Inverse contracts are the same with the sign turned: one contract
//! bought owes `size / price` of base when it is sold.
//!
//! Profit splits at average cost: a fill that reduces the position takes its share of the cost out, rounded so that
//! the profit realised is rounded towards minus infinity; what stays in is exact. Realised and unrealised profit
//! therefore always add up to the whole, and a flat position has realised all of it.

use crate::instrument::{ContractKind, Instrument};
use crate::num::{Level, NumError, Price, Qty, Side};

/// A position of one strategy in one instrument. Amounts in units of the instrument's amount exponent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// Held; negative when short.
    pub qty: Qty,
    /// Earned by selling minus spent by buying, fees not included.
    pub cash: i128,
    /// What the quantity held is worth at its average cost; negative when short, zero when flat.
    pub cost: i128,
    /// Fees paid; negative: earned.
    pub fees: i128,
    /// Number of fills.
    pub fills: u64,
    /// Quantity bought, all in all.
    pub bought: i128,
    /// Quantity sold, all in all.
    pub sold: i128,
    /// Funding received since the run began; negative: paid. Part of `cash`.
    pub funding: i128,
}

impl Position {
    /// Books a fill and its fee. Err: overflow; a price of zero or below on an inverse contract. The position is
    /// unchanged.
    pub fn fill(
        &mut self,
        instrument: &Instrument,
        side: Side,
        price: Price,
        qty: Qty,
        fee: i128,
    ) -> Result<(), NumError> {
        let signed = side.signed(qty);
        let value = signed_value(instrument, price, signed)?;
        let cash = self.cash.checked_sub(value).ok_or(NumError::Overflow)?;
        let fees = self.fees.checked_add(fee).ok_or(NumError::Overflow)?;
        let held = self.qty.0.checked_add(signed.0).ok_or(NumError::Overflow)?;
        let grows = self.qty.0 == 0 || (self.qty.0 > 0) == (signed.0 > 0);
        let turns = held != 0 && (held > 0) != (self.qty.0 > 0);
        let cost = if grows {
            self.cost.checked_add(value).ok_or(NumError::Overflow)?
        } else if turns {
            signed_value(instrument, price, Qty(held))?
        } else {
            let kept = self.cost.checked_mul(i128::from(held)).ok_or(NumError::Overflow)?;
            floor_div(kept, i128::from(self.qty.0))
        };
        (self.qty, self.cash, self.cost, self.fees) = (Qty(held), cash, cost, fees);
        self.fills += 1;
        match side {
            Side::Buy => self.bought += i128::from(qty.0),
            Side::Sell => self.sold += i128::from(qty.0),
        }
        Ok(())
    }

    /// Books the funding of what is held: the value at the mark price, in 10^-8 of the quote asset, times the rate, in
    /// 10^-8, which longs pay to shorts; rounded against us. Returns what was received; negative: paid.
    /// Err: overflow; a mark price of zero or below. The position is unchanged.
    ///
    /// <https://www.binance.com/en/support/faq/360033525031>: funding amount = nominal value of positions at the mark
    /// price x funding rate (from the project's dossier of 21 Nov 2026).
    pub fn fund(&mut self, instrument: &Instrument, mark_e8: i64, rate_e8: i64) -> Result<i128, NumError> {
        if mark_e8 <= 0 {
            return Err(NumError::ZeroPrice);
        }
        let (unit, size) = (instrument.qty_unit, instrument.contract_size);
        let times = |one: i128, other: i128| one.checked_mul(other).ok_or(NumError::Overflow);
        let ten_to = |exponent: u8| 10_i128.checked_pow(u32::from(exponent)).ok_or(NumError::Overflow);
        let contracts = times(i128::from(self.qty.0), i128::from(unit.mantissa()))?;
        let owed = times(times(contracts, i128::from(size.mantissa()))?, -i128::from(rate_e8))?;
        // What `owed` is scaled by, beyond the amount's own exponent.
        let (owed, divisor) = if instrument.kind == ContractKind::Inverse {
            let up = instrument.amount_exponent().checked_sub(unit.exponent() + size.exponent());
            (times(owed, ten_to(up.ok_or(NumError::Overflow)?)?)?, i128::from(mark_e8))
        } else {
            let exponent = MARK_AND_RATE_EXPONENT + unit.exponent() + size.exponent();
            let down = exponent.checked_sub(instrument.amount_exponent()).ok_or(NumError::Overflow)?;
            (times(owed, i128::from(mark_e8))?, ten_to(down)?)
        };
        let received = floor_div(owed, divisor);
        self.receive(received)?;
        Ok(received)
    }

    /// Books funding again as a record of it says: from mark price and rate, or, where the mark price is 0, what the
    /// venue said, `told`. Returns what was received. Err: as [`Self::fund`].
    pub fn fund_as_told(
        &mut self,
        instrument: &Instrument,
        (mark_e8, rate_e8): (i64, i64),
        told: i128,
    ) -> Result<i128, NumError> {
        if mark_e8 == 0 { self.receive(told).map(|()| told) } else { self.fund(instrument, mark_e8, rate_e8) }
    }

    /// Books funding as the venue says that it was paid: `received`, negative where it was paid. Err: overflow; the
    /// position is unchanged.
    pub fn receive(&mut self, received: i128) -> Result<(), NumError> {
        let cash = self.cash.checked_add(received).ok_or(NumError::Overflow)?;
        let funding = self.funding.checked_add(received).ok_or(NumError::Overflow)?;
        (self.cash, self.funding) = (cash, funding);
        Ok(())
    }

    /// As [`Self::fill`], where the fee may have been kept back of what was bought: `fee_qty` of it, above zero. It is
    /// then booked as if so much had been sold at the fill's price to pay a fee of that value, so that profit before
    /// fees stays what it was, and `fee` is not looked at. Returns the fee in the settlement asset.
    /// Err: as [`Self::fill`].
    pub fn fill_charged(
        &mut self,
        instrument: &Instrument,
        side: Side,
        fill: Level,
        fee: i128,
        fee_qty: Qty,
    ) -> Result<i128, NumError> {
        if fee_qty.0 == 0 {
            self.fill(instrument, side, fill.price, fill.qty, fee)?;
            return Ok(fee);
        }
        let fee = signed_value(instrument, fill.price, fee_qty)?;
        let mut after = *self;
        after.fill(instrument, side, fill.price, fill.qty, 0)?;
        let (fills, sold) = (after.fills, after.sold);
        after.fill(instrument, Side::Sell, fill.price, fee_qty, fee)?;
        (after.fills, after.sold) = (fills, sold);
        *self = after;
        Ok(fee)
    }

    /// Profit and loss of what was closed, at average cost, fees not included. Err: overflow.
    pub fn realised(&self) -> Result<i128, NumError> {
        self.cash.checked_add(self.cost).ok_or(NumError::Overflow)
    }

    /// Profit and loss if the position were closed at `price`, fees not included: the realised and the unrealised.
    /// Err: as `fill`.
    pub fn pnl_at(&self, instrument: &Instrument, price: Price) -> Result<i128, NumError> {
        self.cash.checked_add(signed_value(instrument, price, self.qty)?).ok_or(NumError::Overflow)
    }

    /// Profit and loss at the middle of a touch: the mean of both sides' values, rounded towards minus infinity.
    /// Err: as `fill`.
    pub fn pnl_at_mid_floor(
        &self,
        instrument: &Instrument,
        bid: Price,
        ask: Price,
    ) -> Result<i128, NumError> {
        let (at_bid, at_ask) = (self.pnl_at(instrument, bid)?, self.pnl_at(instrument, ask)?);
        Ok(at_bid.checked_add(at_ask).ok_or(NumError::Overflow)?.div_euclid(2))
    }
}

/// Digits of a mark price and of a funding rate together.
const MARK_AND_RATE_EXPONENT: u8 = 16;

/// What `qty` at `price` adds to the holder's wealth in the settlement asset.
fn signed_value(instrument: &Instrument, price: Price, qty: Qty) -> Result<i128, NumError> {
    if qty.0 == 0 {
        return Ok(0);
    }
    let value = instrument.notional(price, qty)?;
    Ok(if instrument.kind == ContractKind::Inverse { -value } else { value })
}

/// The quotient rounded towards minus infinity; `divisor` not zero.
const fn floor_div(dividend: i128, divisor: i128) -> i128 {
    if divisor < 0 { (-dividend).div_euclid(-divisor) } else { dividend.div_euclid(divisor) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::instrument::tests::instrument;
    use proptest::prelude::*;

    #[test]
    fn a_linear_round_trip_earns_the_difference() {
        let btc = instrument(ContractKind::Linear, "0.1", "0.001", "1");
        let mut position = Position::default();
        position.fill(&btc, Side::Buy, Price(600_000), Qty(2), 0).unwrap();
        assert_eq!(btc.amount(position.pnl_at(&btc, Price(600_100)).unwrap()).to_string(), "0.02");
        assert_eq!(
            btc.amount(position.pnl_at_mid_floor(&btc, Price(600_100), Price(600_101)).unwrap()).to_string(),
            "0.0201"
        );
        position.fill(&btc, Side::Sell, Price(600_100), Qty(2), 0).unwrap();
        assert_eq!((position.qty, btc.amount(position.cash).to_string()), (Qty(0), "0.02".into()));
    }

    #[test]
    fn longs_pay_a_positive_rate_shorts_receive_it_and_what_is_left_over_is_the_venues() {
        let btc = instrument(ContractKind::Linear, "0.1", "0.001", "1");
        let received = |instrument: &Instrument, qty, mark_e8, rate_e8| {
            let mut position = Position { qty: Qty(qty), cash: 5, ..Position::default() };
            let received = position.fund(instrument, mark_e8, rate_e8).unwrap();
            assert_eq!((position.cash, position.funding), (5 + received, received));
            instrument.amount(received).to_string()
        };
        // 0.02 BTC at 60,000: 1,200 USDT, of it 0.01 %.
        assert_eq!(received(&btc, 20, 6_000_000_000_000, 10_000), "-0.12");
        assert_eq!(received(&btc, -20, 6_000_000_000_000, 10_000), "0.12");
        assert_eq!(received(&btc, 20, 6_000_000_000_000, -10_000), "0.12");
        assert_eq!(
            received(&btc, 1, 6_000_012_345_678, 10_000),
            "-0.00600002",
            "0.006000012 rounded against us"
        );
        assert_eq!(received(&btc, -1, 6_000_012_345_678, 10_000), "0.00600001");
        assert_eq!(received(&btc, 0, 6_000_000_000_000, 10_000), "0");
        let perp = instrument(ContractKind::Inverse, "0.1", "1", "100");
        // 10 contracts of 100 USD at 50,000: 0.02 BTC.
        assert_eq!(received(&perp, 10, 5_000_000_000_000, 10_000), "-0.000002");
        assert_eq!(received(&perp, -10, 5_000_000_000_000, 10_000), "0.000002");
        let mut position = Position { qty: Qty(1), ..Position::default() };
        assert_eq!(position.fund(&btc, 0, 1), Err(NumError::ZeroPrice));
        assert_eq!(position, Position { qty: Qty(1), ..Position::default() });
    }

    #[test]
    fn an_inverse_round_trip_earns_in_base() {
        let perp = instrument(ContractKind::Inverse, "0.1", "1", "100");
        let mut position = Position::default();
        // 10 contracts of 100 USD: 1000/50000 - 1000/62500 = 0.02 - 0.016
        position.fill(&perp, Side::Buy, Price(500_000), Qty(10), 0).unwrap();
        assert_eq!(perp.amount(position.pnl_at(&perp, Price(625_000)).unwrap()).to_string(), "0.004");
        position.fill(&perp, Side::Sell, Price(625_000), Qty(10), 0).unwrap();
        assert_eq!(perp.amount(position.cash).to_string(), "0.004");
        let mut short = Position::default();
        short.fill(&perp, Side::Sell, Price(500_000), Qty(10), 0).unwrap();
        assert_eq!(perp.amount(short.pnl_at(&perp, Price(625_000)).unwrap()).to_string(), "-0.004");
    }

    #[test]
    fn an_overflow_leaves_the_position_alone() {
        let huge = instrument(ContractKind::Linear, "1000000", "1000000", "1000000");
        let mut position = Position::default();
        let before = position;
        assert!(position.fill(&huge, Side::Buy, Price(i64::MAX), Qty(i64::MAX), 0).is_err());
        assert_eq!(position, before);
    }

    #[test]
    fn what_is_closed_is_realised_at_the_average_cost() {
        let btc = instrument(ContractKind::Linear, "0.1", "0.001", "1");
        let mut position = Position::default();
        let text = |amount: Result<i128, NumError>| btc.amount(amount.unwrap()).to_string();
        position.fill(&btc, Side::Buy, Price(600_000), Qty(2), 7).unwrap();
        position.fill(&btc, Side::Buy, Price(600_300), Qty(1), 0).unwrap();
        assert_eq!(text(position.realised()), "0");
        position.fill(&btc, Side::Sell, Price(600_400), Qty(2), -2).unwrap();
        // Bought at 60,010 on average.
        assert_eq!(
            (text(position.realised()), position.cost, position.fees),
            ("0.06".into(), 6_001_000_000, 5)
        );
        position.fill(&btc, Side::Sell, Price(600_100), Qty(3), 0).unwrap();
        assert_eq!(
            (position.qty, text(position.realised())),
            (Qty(-2), "0.06".into()),
            "closed at cost, then short"
        );
        assert_eq!(position.cost, -12_002_000_000);
        // A third of a cost that three does not divide: the profit realised is rounded down.
        let mut thirds = Position::default();
        thirds.fill(&btc, Side::Buy, Price(10), Qty(2), 0).unwrap();
        thirds.fill(&btc, Side::Buy, Price(11), Qty(1), 0).unwrap();
        thirds.fill(&btc, Side::Sell, Price(12), Qty(1), 0).unwrap();
        // In 10^-8 USDT: a step of price and quantity is 10,000 of them.
        assert_eq!(
            (thirds.cost, thirds.realised()),
            (206_666, Ok(16_666)),
            "12 - 31/3 = 1.6667, rounded down"
        );
    }

    #[test]
    fn a_fee_kept_back_of_what_was_bought_is_sold_at_the_fills_price() {
        let btc = instrument(ContractKind::Spot, "0.01", "0.00000001", "1");
        let mut position = Position::default();
        // 0.001 BTC at 60,000.00, of it 0.1 % kept back: 0.000001 BTC, worth 0.06 USDT.
        let fee = position.fill_charged(
            &btc,
            Side::Buy,
            Level { price: Price(6_000_000), qty: Qty(100_000) },
            0,
            Qty(100),
        );
        assert_eq!(btc.amount(fee.unwrap()).to_string(), "0.06");
        assert_eq!(
            (position.qty, position.fills, position.bought, position.sold),
            (Qty(99_900), 1, 100_000, 0)
        );
        assert_eq!(btc.amount(position.cash).to_string(), "-59.94");
        let text = |amount: Result<i128, NumError>| btc.amount(amount.unwrap()).to_string();
        assert_eq!(
            (text(position.pnl_at(&btc, Price(6_000_000))), text(Ok(position.fees))),
            ("0".into(), "0.06".into())
        );
        let before = position;
        let level = Level { price: Price(i64::MAX), qty: Qty(i64::MAX) };
        assert!(position.fill_charged(&btc, Side::Buy, level, 0, Qty(1)).is_err());
        assert_eq!(position, before, "a fill that cannot be booked leaves the position alone");
    }

    proptest! {
        /// Realised and unrealised profit add up to the whole; average cost lies between the prices paid.
        #[test]
        fn profit_realised_and_not_add_up(fills in proptest::collection::vec((1_i64..1000, 1_i64..50, any::<bool>()), 1..40)) {
            for kind in [ContractKind::Linear, ContractKind::Inverse] {
                let traded = instrument(kind, "0.1", "1", "100");
                let mut position = Position::default();
                for (price, qty, buy) in &fills {
                    let side = if *buy { Side::Buy } else { Side::Sell };
                    position.fill(&traded, side, Price(*price), Qty(*qty), 1).unwrap();
                    let value = signed_value(&traded, Price(500), position.qty).unwrap();
                    let unrealised = value - position.cost;
                    prop_assert_eq!(position.realised().unwrap() + unrealised, position.pnl_at(&traded, Price(500)).unwrap());
                    prop_assert!(position.qty.0 != 0 || position.cost == 0);
                    let dearest = signed_value(&traded, Price(1000), position.qty).unwrap();
                    let cheapest = signed_value(&traded, Price(1), position.qty).unwrap();
                    let slack = fills.len() as i128;
                    prop_assert!(position.cost >= dearest.min(cheapest) - slack);
                    prop_assert!(position.cost <= dearest.max(cheapest) + slack);
                }
                prop_assert_eq!(position.fees, fills.len() as i128);
            }
        }

        /// Whatever was traded, a flat position's profit does not depend on the price.
        #[test]
        fn a_flat_position_is_worth_its_cash(fills in proptest::collection::vec((1_i64..1_000_000, 1_i64..1000, any::<bool>()), 1..50)) {
            for kind in [ContractKind::Linear, ContractKind::Inverse] {
                let traded = instrument(kind, "0.1", "1", "100");
                let mut position = Position::default();
                for (price, qty, buy) in &fills {
                    let side = if *buy { Side::Buy } else { Side::Sell };
                    position.fill(&traded, side, Price(*price), Qty(*qty), 0).unwrap();
                }
                let side = if position.qty.0 > 0 { Side::Sell } else { Side::Buy };
                if position.qty.0 != 0 {
                    position.fill(&traded, side, Price(777), Qty(position.qty.0.abs()), 0).unwrap();
                }
                prop_assert_eq!(position.qty, Qty(0));
                prop_assert_eq!(position.bought, position.sold);
                prop_assert_eq!(position.pnl_at(&traded, Price(1)).unwrap(), position.cash);
                prop_assert_eq!(position.pnl_at(&traded, Price(999_999)).unwrap(), position.cash);
            }
        }
    }
}
