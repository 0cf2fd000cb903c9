//! What trading costs: rates as the configuration writes them, and the fee of a fill in exact integers.
//!
//! A rate is an exact decimal: 0.2 of a hundredth of a percent is no binary fraction, and a fee that is rounded up
//! would charge a unit too much wherever the product comes out whole.

use crate::instrument::Instrument;
use crate::num::{Decimal, NumError, Price, Qty};
use serde::Deserialize;

/// Fee rates as written in the configuration, in hundredths of a percent of a fill's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FeesConfig {
    /// Of fills that rested, -100..=100 with at most four digits behind the point; negative: a rebate.
    pub maker_bps: Decimal,
    /// Of fills that took, -100..=100 likewise.
    pub taker_bps: Decimal,
}

/// Rates that were checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FeeRates {
    maker: FeeRate,
    taker: FeeRate,
}

/// A share of a fill's value, in 10^-8.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct FeeRate(i64);

impl FeesConfig {
    /// The only maker of [`FeeRates`]. Err: the key and what it must be.
    pub fn check(self) -> Result<FeeRates, &'static str> {
        let rate = |bps: Decimal| {
            let e8 = bps.rescaled(4).ok().and_then(|rate| i64::try_from(rate).ok())?;
            (e8.abs() <= 1_000_000).then_some(FeeRate(e8))
        };
        Ok(FeeRates {
            maker: rate(self.maker_bps)
                .ok_or("maker_bps must be in -100..=100, with at most 4 digits behind the point")?,
            taker: rate(self.taker_bps)
                .ok_or("taker_bps must be in -100..=100, with at most 4 digits behind the point")?,
        })
    }
}

impl FeeRates {
    /// The fee of a fill in the settlement asset, in units of the instrument's amount exponent: value x rate,
    /// rounded up (towards plus infinity, against us; a rebate is rounded down). Negative: earned.
    /// Err: overflow; a price of zero or below on an inverse contract.
    pub fn fee_ceil(
        &self,
        instrument: &Instrument,
        price: Price,
        qty: Qty,
        is_maker: bool,
    ) -> Result<i128, NumError> {
        let FeeRate(rate_e8) = if is_maker { self.maker } else { self.taker };
        let value = instrument.notional(price, qty)?;
        let fee_e8 = value.checked_mul(i128::from(rate_e8)).ok_or(NumError::Overflow)?;
        Ok(-(-fee_e8).div_euclid(100_000_000))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::instrument::ContractKind;
    use crate::instrument::tests::instrument;

    fn rates(maker: &str, taker: &str) -> Result<FeeRates, &'static str> {
        let decimal = |text| Decimal::parse(text).unwrap();
        FeesConfig { maker_bps: decimal(maker), taker_bps: decimal(taker) }.check()
    }

    #[test]
    fn a_fee_is_a_share_of_the_value_rounded_up_against_us() {
        let btc = instrument(ContractKind::Linear, "0.1", "0.001", "1");
        let fee = |rates: FeeRates, price, qty, is_maker| {
            btc.amount(rates.fee_ceil(&btc, Price(price), Qty(qty), is_maker).unwrap()).to_string()
        };
        let usual = rates("2.0", "5").unwrap();
        assert_eq!(fee(usual, 500_000, 2, true), "0.02", "50,000 x 0.002 x 0.02 %");
        assert_eq!(fee(usual, 500_000, 2, false), "0.05");
        assert_eq!(fee(usual, 500_001, 1, true), "0.01000002");
        let rebate = rates("-0.2", "5").unwrap();
        assert_eq!(fee(rebate, 500_000, 2, true), "-0.002");
        assert_eq!(fee(rebate, 500_001, 1, true), "-0.001", "0.001000002 earned, rounded down");
        let perp = instrument(ContractKind::Inverse, "0.1", "1", "100");
        let fee = usual.fee_ceil(&perp, Price(500_000), Qty(10), true).unwrap();
        assert_eq!(perp.amount(fee).to_string(), "0.000004", "in the base asset: 1,000 / 50,000 x 0.02 %");
        assert!(usual.fee_ceil(&btc, Price(i64::MAX), Qty(i64::MAX), true).is_err());
    }

    #[test]
    fn rates_that_make_no_sense_are_refused_by_name() {
        assert!(rates("101", "5").unwrap_err().starts_with("maker_bps"));
        assert!(rates("2", "-100.0001").unwrap_err().starts_with("taker_bps"));
        assert!(rates("0.00001", "5").unwrap_err().starts_with("maker_bps"), "finer than four digits");
    }
}
