//! Fractions of a tick: micro-price, reservation price, skew, half a spread. Binary fixed point in 128 bits, 64 of
//! them behind the point, so that a sum never rounds and a replay on another machine decides alike.
//!
//! A float that came out of statistics becomes ticks in [`Ticks::from_float`] and nowhere else; ticks become an
//! order's price by [`Ticks::floor`] and [`Ticks::ceil`] and nowhere else.

use engine::num::Price;
use std::ops::{Add, Neg, Sub};

/// A price or a difference of prices, in fractions of an instrument's tick; exact to 2^-64. Sums saturate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ticks(i128);

impl Ticks {
    /// Whole ticks.
    #[inline]
    #[must_use]
    pub const fn whole(price: Price) -> Self {
        Self((price.0 as i128) << FRACTION_BITS)
    }

    /// `mantissa` x 10^-`digits` ticks, rounded towards minus infinity at 2^-64. `digits` 0..=18.
    #[inline]
    #[must_use]
    pub fn decimal_floor(mantissa: i64, digits: u8) -> Self {
        Self((i128::from(mantissa) << FRACTION_BITS).div_euclid(10_i128.pow(u32::from(digits.min(18)))))
    }

    /// A price in ticks, as signals compute it: the one place where a float becomes ticks. Rounded to the nearest
    /// 2^-20 tick, which is coarser than what the float can tell apart up to 2^32 ticks.
    /// None: not finite, not above zero, or beyond 2^42 ticks.
    #[inline]
    #[must_use]
    pub fn from_float(ticks: f64) -> Option<Self> {
        let scaled = ticks * FLOAT_SCALE + 0.5;
        if !(1.0..=FLOAT_SCALE * FLOAT_TICKS_MAX).contains(&scaled) {
            return None;
        }
        #[expect(clippy::cast_possible_truncation, reason = "within 2^62, and rounded on purpose")]
        let units = scaled as i64;
        Some(Self(i128::from(units) << (FRACTION_BITS - FLOAT_BITS)))
    }

    /// The highest whole price not above it; the ends of `i64` beyond them.
    #[inline]
    #[must_use]
    pub fn floor(self) -> Price {
        // 128 bits less the 64 of the fraction: it fits.
        Price((self.0 >> FRACTION_BITS) as i64)
    }

    /// The lowest whole price not below it; `i64::MAX` beyond it.
    #[inline]
    #[must_use]
    pub fn ceil(self) -> Price {
        let whole = self.floor();
        if self > Self::whole(whole) { Price(whole.0.saturating_add(1)) } else { whole }
    }

    /// Half of it, rounded towards minus infinity.
    #[inline]
    #[must_use]
    pub const fn half(self) -> Self {
        Self(self.0 >> 1)
    }

    /// `share` / `whole` of it, the share between minus and plus one whole, rounded towards zero. All of it, with
    /// the share's sign, when the share is larger; none of it when `whole` is not above zero.
    #[inline]
    #[must_use]
    pub fn times_share(self, share: i64, whole: i64) -> Self {
        if whole <= 0 || share == 0 {
            return Self(0);
        }
        if share.unsigned_abs() >= whole.unsigned_abs() {
            return if share > 0 { self } else { -self };
        }
        // 2^-32 of a whole is finer than any position that matters; the product stays within 128 bits for up to
        // 2^31 ticks, and saturates beyond.
        let share = (i128::from(share) << SHARE_BITS) / i128::from(whole);
        Self((self.0 >> SHARE_BITS).saturating_mul(share))
    }
}

impl Add for Ticks {
    type Output = Self;
    #[inline]
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl Sub for Ticks {
    type Output = Self;
    #[inline]
    fn sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl Neg for Ticks {
    type Output = Self;
    #[inline]
    fn neg(self) -> Self {
        Self(self.0.saturating_neg())
    }
}

const FRACTION_BITS: u32 = 64;
const SHARE_BITS: u32 = 32;
/// Binary digits behind the point that a float is rounded to.
const FLOAT_BITS: u32 = 20;
const FLOAT_SCALE: f64 = (1_u32 << FLOAT_BITS) as f64;
const FLOAT_TICKS_MAX: f64 = FLOAT_SCALE * FLOAT_SCALE * 4.0;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn decimal(mantissa: i64, digits: u8) -> Ticks {
        Ticks::decimal_floor(mantissa, digits)
    }

    #[test]
    fn rounding_goes_the_way_its_name_says() {
        for (ticks, floor, ceil) in [
            (decimal(15, 1), 1, 2),
            (decimal(-15, 1), -2, -1),
            (decimal(3, 0), 3, 3),
            (decimal(-3, 0), -3, -3),
        ] {
            assert_eq!((ticks.floor(), ticks.ceil()), (Price(floor), Price(ceil)));
        }
        assert_eq!(decimal(3, 0).half(), decimal(15, 1));
        assert_eq!(Ticks(i128::MAX).ceil(), Price(i64::MAX));
    }

    #[test]
    fn a_float_price_becomes_ticks_or_is_refused() {
        assert_eq!(Ticks::from_float(618_047.5), Some(decimal(6_180_475, 1)));
        assert_eq!(Ticks::from_float(123_609.5), Some(decimal(1_236_095, 1)));
        assert_eq!(Ticks::from_float(0.1 + 0.2 + 2.7), Some(decimal(3, 0)), "not a hair beside");
        for price in [f64::NAN, f64::INFINITY, -1.0, 0.0, 1e300] {
            assert_eq!(Ticks::from_float(price), None, "{price}");
        }
    }

    #[test]
    fn a_share_is_bounded_by_one_whole_and_keeps_its_sign() {
        let ten = decimal(10, 0);
        assert_eq!(ten.times_share(1, 4), decimal(25, 1));
        assert_eq!(ten.times_share(-1, 4), -decimal(25, 1));
        assert_eq!(ten.times_share(9, 4), ten);
        assert_eq!(ten.times_share(i64::MIN, i64::MAX), -ten);
        assert_eq!(ten.times_share(3, 0), Ticks(0));
    }

    proptest! {
        #[test]
        fn floor_and_ceil_enclose_and_mirror(bits in any::<i128>(), half in -1_000_000_i64..1_000_000) {
            let ticks = Ticks(bits >> 2);
            prop_assert!(Ticks::whole(ticks.floor()) <= ticks && ticks <= Ticks::whole(ticks.ceil()));
            prop_assert!(ticks.ceil().0 - ticks.floor().0 <= 1);
            let half = decimal(half, 2);
            prop_assert!((half.floor().0, half.ceil().0) == (-(-half).ceil().0, -(-half).floor().0) || half.half() != -(-half).half());
        }

        #[test]
        fn a_larger_share_is_no_less(a in any::<i64>(), b in any::<i64>(), whole in 1_i64..) {
            let skew = decimal(750, 2);
            let (low, high) = (a.min(b), a.max(b));
            prop_assert!(skew.times_share(low, whole) <= skew.times_share(high, whole));
        }
    }
}
