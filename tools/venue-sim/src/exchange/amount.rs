//! Money of any asset on one scale, and shares of it.

use engine::num::{Decimal, NumError};
use std::iter::Sum;
use std::ops::{Add, AddAssign, Neg, Sub, SubAssign};

/// Digits behind the point that amounts are kept to. Fine enough for every product of a price and a quantity.
pub const AMOUNT_EXPONENT: u8 = 18;
/// Digits behind the point that the venue charges fees, funding and margin in.
pub const CHARGED_EXPONENT: u8 = 8;
/// The finest amount that is charged.
const CHARGED_UNIT: i128 = 10_i128.pow((AMOUNT_EXPONENT - CHARGED_EXPONENT) as u32);
const RATE_SCALE: i128 = 100_000_000;

/// An amount of one asset, in units of 10^-18; up to 1.7 x 10^20 whole ones. `Exchange` bounds what enters, so
/// that sums of amounts that exist stay in range.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Amount(pub i128);

impl Amount {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// Exactly `decimal`. Err: more than 18 digits behind the point; overflow.
    pub fn from_decimal(decimal: Decimal) -> Result<Self, NumError> {
        decimal.rescaled(AMOUNT_EXPONENT).map(Self)
    }

    /// Reads `[-]digits[.digits]`. Err: not such a text; too fine; too large.
    pub fn parse(text: &str) -> Result<Self, NumError> {
        Decimal::parse(text).and_then(Self::from_decimal)
    }

    /// For printing, with `digits` digits behind the point at least.
    #[must_use]
    pub const fn decimal(self, digits: u8) -> Decimal {
        Decimal { mantissa: self.0, exponent: AMOUNT_EXPONENT, digits }
    }

    /// Rounded towards minus infinity to what is charged, 10^-8.
    #[must_use]
    pub const fn floor_charged(self) -> Self {
        Self(self.0.div_euclid(CHARGED_UNIT) * CHARGED_UNIT)
    }

    /// Rounded towards plus infinity to what is charged, 10^-8.
    #[must_use]
    pub const fn ceil_charged(self) -> Self {
        Self(-Self(-self.0).floor_charged().0)
    }

    /// The larger of this and nothing.
    #[must_use]
    pub fn or_zero(self) -> Self {
        self.max(Self::ZERO)
    }

    /// Without its sign.
    #[must_use]
    pub const fn abs(self) -> Self {
        Self(self.0.abs())
    }
}

impl Add for Amount {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }
}

impl Sub for Amount {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0 - other.0)
    }
}

impl Neg for Amount {
    type Output = Self;
    fn neg(self) -> Self {
        Self(-self.0)
    }
}

impl AddAssign for Amount {
    fn add_assign(&mut self, other: Self) {
        self.0 += other.0;
    }
}

impl SubAssign for Amount {
    fn sub_assign(&mut self, other: Self) {
        self.0 -= other.0;
    }
}

impl Sum for Amount {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::ZERO, Add::add)
    }
}

/// A share in units of 10^-8: 100,000,000 is the whole, 10,000 a hundredth of a percent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rate(pub i64);

impl Rate {
    /// The whole.
    pub const ONE: Self = Self(100_000_000);

    /// Reads `[-]digits[.digits]`, such as `0.0004`. Err: not such a text; more than 8 digits; too large.
    pub fn parse(text: &str) -> Result<Self, NumError> {
        let rate = Decimal::parse(text)?.rescaled(8)?;
        i64::try_from(rate).map(Self).map_err(|_| NumError::OutOfRange)
    }

    /// From hundredths of a percent.
    #[must_use]
    pub const fn from_bps(bps: i64) -> Self {
        Self(bps * 10_000)
    }

    /// The share of `amount`, rounded towards minus infinity at 10^-18.
    #[must_use]
    pub const fn of_floor(self, amount: Amount) -> Amount {
        // Whole and rest apart: the product of both with the rate would leave 127 bits at 10^12 coins.
        let (whole, rest) = (amount.0.div_euclid(RATE_SCALE), amount.0.rem_euclid(RATE_SCALE));
        let rate = self.0 as i128;
        Amount(whole * rate + (rest * rate).div_euclid(RATE_SCALE))
    }

    /// For printing.
    #[must_use]
    pub fn decimal(self) -> Decimal {
        Decimal { mantissa: i128::from(self.0), exponent: 8, digits: 8 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn amount(text: &str) -> Amount {
        Amount::parse(text).unwrap()
    }

    #[test]
    fn a_share_is_rounded_down_and_a_charge_to_eight_digits() {
        let fee = Rate::parse("0.0004").unwrap().of_floor(amount("61.80025"));
        assert_eq!(fee, amount("0.0247201"));
        assert_eq!(amount("0.000000001").ceil_charged(), amount("0.00000001"));
        assert_eq!(amount("-0.000000001").floor_charged(), amount("-0.00000001"));
        assert_eq!(amount("-0.000000001").ceil_charged(), Amount::ZERO);
        assert_eq!(Rate(-1).of_floor(Amount(1)), Amount(-1));
    }

    #[test]
    fn amounts_print_with_the_digits_asked_for() {
        assert_eq!(amount("1.5").decimal(8).to_string(), "1.50000000");
        assert_eq!(amount("-0.1").decimal(2).to_string(), "-0.10");
        assert!(Amount::parse("1e3").is_err());
        assert_eq!(Rate::from_bps(4), Rate::parse("0.0004").unwrap());
    }
}
