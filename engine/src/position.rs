//! Positions and what they are worth, in exact integers.
//!
//! A position is a quantity and the cash that it cost: buying spends, selling earns, and the profit is the
//! cash plus what the quantity is worth now. Inverse contracts are the same with the sign turned: one contract
//! bought owes `size / price` of base when it is sold.

use crate::instrument::{ContractKind, Instrument};
use crate::num::{NumError, Price, Qty, Side};

/// A position of one strategy in one instrument. Amounts in units of the instrument's amount exponent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// Held; negative when short.
    pub qty: Qty,
    /// Earned by selling minus spent by buying, fees not included.
    pub cash: i128,
    /// Number of fills.
    pub fills: u64,
    /// Quantity bought, all in all.
    pub bought: i128,
    /// Quantity sold, all in all.
    pub sold: i128,
}

impl Position {
    /// Books a fill. Err: overflow; a price of zero or below on an inverse contract. The position is unchanged.
    pub fn fill(
        &mut self,
        instrument: &Instrument,
        side: Side,
        price: Price,
        qty: Qty,
    ) -> Result<(), NumError> {
        let signed = side.signed(qty);
        let cash =
            self.cash.checked_sub(signed_value(instrument, price, signed)?).ok_or(NumError::Overflow)?;
        let held = self.qty.0.checked_add(signed.0).ok_or(NumError::Overflow)?;
        (self.qty, self.cash) = (Qty(held), cash);
        self.fills += 1;
        match side {
            Side::Buy => self.bought += i128::from(qty.0),
            Side::Sell => self.sold += i128::from(qty.0),
        }
        Ok(())
    }

    /// Profit and loss if the position were closed at `price`, fees not included. Err: as `fill`.
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

/// What `qty` at `price` adds to the holder's wealth in the settlement asset.
fn signed_value(instrument: &Instrument, price: Price, qty: Qty) -> Result<i128, NumError> {
    if qty.0 == 0 {
        return Ok(0);
    }
    let value = instrument.notional(price, qty)?;
    Ok(if instrument.kind == ContractKind::Inverse { -value } else { value })
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
        position.fill(&btc, Side::Buy, Price(600_000), Qty(2)).unwrap();
        assert_eq!(btc.amount(position.pnl_at(&btc, Price(600_100)).unwrap()).to_string(), "0.02");
        assert_eq!(
            btc.amount(position.pnl_at_mid_floor(&btc, Price(600_100), Price(600_101)).unwrap()).to_string(),
            "0.0201"
        );
        position.fill(&btc, Side::Sell, Price(600_100), Qty(2)).unwrap();
        assert_eq!((position.qty, btc.amount(position.cash).to_string()), (Qty(0), "0.02".into()));
    }

    #[test]
    fn an_inverse_round_trip_earns_in_base() {
        let perp = instrument(ContractKind::Inverse, "0.1", "1", "100");
        let mut position = Position::default();
        // 10 contracts of 100 USD: 1000/50000 - 1000/62500 = 0.02 - 0.016
        position.fill(&perp, Side::Buy, Price(500_000), Qty(10)).unwrap();
        assert_eq!(perp.amount(position.pnl_at(&perp, Price(625_000)).unwrap()).to_string(), "0.004");
        position.fill(&perp, Side::Sell, Price(625_000), Qty(10)).unwrap();
        assert_eq!(perp.amount(position.cash).to_string(), "0.004");
        let mut short = Position::default();
        short.fill(&perp, Side::Sell, Price(500_000), Qty(10)).unwrap();
        assert_eq!(perp.amount(short.pnl_at(&perp, Price(625_000)).unwrap()).to_string(), "-0.004");
    }

    #[test]
    fn an_overflow_leaves_the_position_alone() {
        let huge = instrument(ContractKind::Linear, "1000000", "1000000", "1000000");
        let mut position = Position::default();
        let before = position;
        assert!(position.fill(&huge, Side::Buy, Price(i64::MAX), Qty(i64::MAX)).is_err());
        assert_eq!(position, before);
    }

    proptest! {
        /// Whatever was traded, a flat position's profit does not depend on the price.
        #[test]
        fn a_flat_position_is_worth_its_cash(fills in proptest::collection::vec((1_i64..1_000_000, 1_i64..1000, any::<bool>()), 1..50)) {
            for kind in [ContractKind::Linear, ContractKind::Inverse] {
                let traded = instrument(kind, "0.1", "1", "100");
                let mut position = Position::default();
                for (price, qty, buy) in &fills {
                    let side = if *buy { Side::Buy } else { Side::Sell };
                    position.fill(&traded, side, Price(*price), Qty(*qty)).unwrap();
                }
                let side = if position.qty.0 > 0 { Side::Sell } else { Side::Buy };
                if position.qty.0 != 0 {
                    position.fill(&traded, side, Price(777), Qty(position.qty.0.abs())).unwrap();
                }
                prop_assert_eq!(position.qty, Qty(0));
                prop_assert_eq!(position.bought, position.sold);
                prop_assert_eq!(position.pnl_at(&traded, Price(1)).unwrap(), position.cash);
                prop_assert_eq!(position.pnl_at(&traded, Price(999_999)).unwrap(), position.cash);
            }
        }
    }
}
