//! Prices, quantities and decimals. Text becomes an integer here and nowhere passes through a float.
//!
//! A price is a count of the instrument's ticks, a quantity a count of its quantity unit (the finest amount
//! the venue prints; the order step is a rule on orders, see `Instrument::lot`). What one count is worth is a
//! [`Step`], a decimal such as `0.10`. Products of the two are `i128` and checked: an overflow is an error.

use serde::{Deserialize, Deserializer, de};
use std::fmt;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Price of one instrument, counted in its ticks. Two instruments have two ticks: prices of different
/// instruments are compared only as amounts (`Instrument::notional`).
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    FromBytes,
    IntoBytes,
    Immutable,
    KnownLayout,
)]
#[repr(transparent)]
pub struct Price(pub i64);

/// Quantity of one instrument, counted in its quantity unit. Negative only as a signed position or change.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    FromBytes,
    IntoBytes,
    Immutable,
    KnownLayout,
)]
#[repr(transparent)]
pub struct Qty(pub i64);

/// Direction of an order or an aggressor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Side {
    /// Takes from the asks or rests among the bids.
    Buy = 0,
    /// Takes from the bids or rests among the asks.
    Sell = 1,
}

impl Side {
    /// Both, buy first.
    pub const BOTH: [Self; 2] = [Self::Buy, Self::Sell];

    /// The other side.
    #[inline]
    #[must_use]
    pub const fn opposite(self) -> Self {
        match self {
            Self::Buy => Self::Sell,
            Self::Sell => Self::Buy,
        }
    }

    /// `qty` with the sign it gives to a position: positive for a buy.
    #[inline]
    #[must_use]
    pub const fn signed(self, qty: Qty) -> Qty {
        match self {
            Self::Buy => qty,
            Self::Sell => Qty(-qty.0),
        }
    }

    /// `buy` or `sell`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Buy => "buy",
            Self::Sell => "sell",
        }
    }
}

/// Why a text is not the number it should be, or an arithmetic result does not exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NumError {
    /// Not `digits` or `digits.digits`.
    NotADecimal,
    /// Does not fit the integer it is read into.
    OutOfRange,
    /// Digits beyond the finest unit, or a price between two ticks.
    OffStep,
    /// Arithmetic beyond 127 bits.
    Overflow,
    /// A price of zero where it divides.
    ZeroPrice,
}

impl fmt::Display for NumError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotADecimal => "not a plain decimal number",
            Self::OutOfRange => "number out of range",
            Self::OffStep => "not a whole number of ticks or units",
            Self::Overflow => "arithmetic overflow",
            Self::ZeroPrice => "price is zero",
        })
    }
}

impl std::error::Error for NumError {}

/// Reads `digits` or `digits.digits` (ASCII, no sign, no exponent) as a count of 10^-`exponent`, exactly.
/// `exponent` 0..=18.
/// Err: not such a text; beyond `i64`; non-zero digits finer than `exponent`.
pub fn parse_decimal(text: &[u8], exponent: u8) -> Result<i64, NumError> {
    let (mut value, mut integer_digits, mut fraction_digits) = (0_i64, 0_usize, 0_u8);
    let mut in_fraction = false;
    for &byte in text {
        match byte {
            b'0'..=b'9' => {
                if in_fraction {
                    if fraction_digits >= exponent {
                        if byte != b'0' {
                            return Err(fault_of(text, NumError::OffStep));
                        }
                        fraction_digits = fraction_digits.saturating_add(1).max(exponent);
                        continue;
                    }
                    fraction_digits += 1;
                } else {
                    integer_digits += 1;
                }
                let digit = i64::from(byte - b'0');
                value = match value.checked_mul(10).and_then(|v| v.checked_add(digit)) {
                    Some(v) => v,
                    None => return Err(fault_of(text, NumError::OutOfRange)),
                };
            }
            b'.' if !in_fraction && integer_digits > 0 => in_fraction = true,
            _ => return Err(NumError::NotADecimal),
        }
    }
    if integer_digits == 0 || text.last() == Some(&b'.') {
        return Err(NumError::NotADecimal);
    }
    let missing = u32::from(exponent.saturating_sub(fraction_digits));
    let scale = 10_i64.checked_pow(missing).ok_or(NumError::OutOfRange)?;
    value.checked_mul(scale).ok_or(NumError::OutOfRange)
}

/// `fault`, unless the text as a whole is malformed, which is the worse one.
#[cold]
fn fault_of(text: &[u8], fault: NumError) -> NumError {
    let mut points = 0;
    let is_plain = text.iter().all(|byte| {
        points += u32::from(*byte == b'.');
        byte.is_ascii_digit() || *byte == b'.'
    });
    let is_decimal = is_plain && points <= 1 && text.last() != Some(&b'.');
    if is_decimal { fault } else { NumError::NotADecimal }
}

/// What one tick, one quantity unit or one contract is worth: `mantissa` x 10^-`exponent`, above zero.
/// Remembers the digits it was written with, so that `0.10` prints prices with two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Step {
    mantissa: i64,
    exponent: u8,
    digits: u8,
}

impl Step {
    /// One.
    pub const ONE: Self = Self { mantissa: 1, exponent: 0, digits: 0 };

    /// Reads a decimal above zero with at most 18 digits behind the point.
    /// Err: not a plain decimal; zero; too fine; too large.
    pub fn parse(text: &[u8]) -> Result<Self, NumError> {
        let digits = text.iter().position(|b| *b == b'.').map_or(0, |point| text.len() - point - 1);
        let digits = u8::try_from(digits).ok().filter(|d| *d <= 18).ok_or(NumError::OutOfRange)?;
        let (mut mantissa, mut exponent) = (parse_decimal(text, digits)?, digits);
        if mantissa == 0 {
            return Err(NumError::OutOfRange);
        }
        while exponent > 0 && mantissa % 10 == 0 {
            mantissa /= 10;
            exponent -= 1;
        }
        Ok(Self { mantissa, exponent, digits })
    }

    /// 10^-`digits`. `digits` 0..=18; more saturates.
    #[must_use]
    pub const fn of_digits(digits: u8) -> Self {
        let digits = if digits > 18 { 18 } else { digits };
        Self { mantissa: 1, exponent: digits, digits }
    }

    /// The integer part of the decimal, without trailing zeros where it has a fraction. 1 for `0.01`, 25 for `0.25`.
    #[inline]
    #[must_use]
    pub const fn mantissa(self) -> i64 {
        self.mantissa
    }

    /// The power of ten it is scaled by, 0..=18. 2 for `0.01` and `0.010`.
    #[inline]
    #[must_use]
    pub const fn exponent(self) -> u8 {
        self.exponent
    }

    /// Digits behind the point that values are printed with.
    #[inline]
    #[must_use]
    pub const fn digits(self) -> u8 {
        self.digits
    }

    /// How many of this step `text` is. Err: not a plain decimal, out of range, between two steps.
    pub fn count(self, text: &[u8]) -> Result<i64, NumError> {
        let scaled = parse_decimal(text, self.exponent)?;
        if scaled % self.mantissa == 0 { Ok(scaled / self.mantissa) } else { Err(NumError::OffStep) }
    }

    /// `count` of this step as a decimal that prints with the step's digits.
    #[inline]
    #[must_use]
    pub const fn decimal(self, count: i128) -> Decimal {
        let mantissa = count.saturating_mul(self.mantissa as i128);
        Decimal { mantissa, exponent: self.exponent, digits: self.digits }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.decimal(1).fmt(f)
    }
}

impl Price {
    /// Reads a price such as `27431.50`. Err: not a plain decimal, out of range, or not a whole number of ticks.
    pub fn parse(text: &[u8], tick: Step) -> Result<Self, NumError> {
        tick.count(text).map(Self)
    }

    /// The price as text of `tick`'s digits.
    #[must_use]
    pub const fn display(self, tick: Step) -> Decimal {
        tick.decimal(self.0 as i128)
    }
}

impl Qty {
    /// Reads a quantity such as `0.014`. Err: not a plain decimal, out of range, or finer than the unit.
    pub fn parse(text: &[u8], unit: Step) -> Result<Self, NumError> {
        unit.count(text).map(Self)
    }

    /// The quantity as text of `unit`'s digits.
    #[must_use]
    pub const fn display(self, unit: Step) -> Decimal {
        unit.decimal(self.0 as i128)
    }

    /// The largest multiple of `lot` that is not above this quantity (both above zero).
    #[must_use]
    pub const fn floor_to_lot(self, lot: Self) -> Self {
        Self(self.0.div_euclid(lot.0) * lot.0)
    }
}

/// An exact decimal, `mantissa` x 10^-`exponent`, for amounts of money and for printing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decimal {
    /// Signed integer part.
    pub mantissa: i128,
    /// Power of ten it is scaled by.
    pub exponent: u8,
    /// Digits behind the point to print at least; more are printed when the value has them.
    pub digits: u8,
}

impl Decimal {
    /// Zero, printed `0`.
    pub const ZERO: Self = Self { mantissa: 0, exponent: 0, digits: 0 };

    /// Reads `[-]digits[.digits]` exactly. Err: not such a text; more than 18 digits behind the point; beyond `i64`.
    pub fn parse(text: &str) -> Result<Self, NumError> {
        let (negative, body) = text.strip_prefix('-').map_or((false, text), |body| (true, body));
        let digits = body.find('.').map_or(0, |point| body.len() - point - 1);
        let digits = u8::try_from(digits).ok().filter(|d| *d <= 18).ok_or(NumError::OutOfRange)?;
        let mantissa = i128::from(parse_decimal(body.as_bytes(), digits)?);
        Ok(Self { mantissa: if negative { -mantissa } else { mantissa }, exponent: digits, digits })
    }

    /// The sum, at the finer of the two scales. Err: overflow.
    pub fn checked_add(self, other: Self) -> Result<Self, NumError> {
        let exponent = self.exponent.max(other.exponent);
        let sum =
            self.rescaled(exponent)?.checked_add(other.rescaled(exponent)?).ok_or(NumError::Overflow)?;
        Ok(Self { mantissa: sum, exponent, digits: self.digits.max(other.digits) })
    }

    /// The mantissa at a scale at least as fine. Err: overflow, or `exponent` is coarser.
    pub fn rescaled(self, exponent: u8) -> Result<i128, NumError> {
        let finer = exponent.checked_sub(self.exponent).ok_or(NumError::OffStep)?;
        let factor = 10_i128.checked_pow(u32::from(finer)).ok_or(NumError::Overflow)?;
        self.mantissa.checked_mul(factor).ok_or(NumError::Overflow)
    }

    /// The mantissa at a scale, rounded towards plus infinity where that is coarser. Err: overflow.
    pub fn ceil_at(self, exponent: u8) -> Result<i128, NumError> {
        match self.exponent.checked_sub(exponent) {
            None | Some(0) => self.rescaled(exponent),
            Some(coarser) => {
                let factor = 10_i128.checked_pow(u32::from(coarser)).ok_or(NumError::Overflow)?;
                Ok(-(-self.mantissa).div_euclid(factor))
            }
        }
    }

    /// Rounds to `exponent` digits towards minus infinity. The same value when it is already that coarse.
    #[must_use]
    pub fn floor_to(self, exponent: u8) -> Self {
        let coarser = self.exponent.saturating_sub(exponent).min(38);
        let mantissa = self.mantissa.div_euclid(10_i128.pow(u32::from(coarser)));
        Self { mantissa, exponent: self.exponent - coarser, digits: self.digits.min(exponent) }
    }
}

impl From<i64> for Decimal {
    fn from(value: i64) -> Self {
        Self { mantissa: i128::from(value), exponent: 0, digits: 0 }
    }
}

/// From configuration: text such as `"0.05"`, or a whole number. Never a float: `0.05` without quotes is refused.
impl<'de> Deserialize<'de> for Decimal {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Decimal;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a decimal in quotes, such as \"0.05\", or a whole number")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Decimal, E> {
                Decimal::parse(text).map_err(|error| E::custom(format_args!("`{text}`: {error}")))
            }
            fn visit_i64<E: de::Error>(self, value: i64) -> Result<Decimal, E> {
                Ok(value.into())
            }
            fn visit_u64<E: de::Error>(self, value: u64) -> Result<Decimal, E> {
                Ok(Decimal { mantissa: value.into(), exponent: 0, digits: 0 })
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (mut mantissa, mut exponent) = (self.mantissa.unsigned_abs(), self.exponent);
        while exponent > self.digits && mantissa.is_multiple_of(10) {
            mantissa /= 10;
            exponent -= 1;
        }
        // Printed from the end into zeros. Most numbers fit into 64 bits, whose division is far cheaper.
        let mut text = [b'0'; DECIMAL_BYTES_MAX];
        let mut at = text.len();
        let mut small = loop {
            match u64::try_from(mantissa) {
                Ok(small) => break small,
                Err(_) => {
                    at -= 1;
                    text[at] += u8::try_from(mantissa % 10).unwrap_or(0);
                    mantissa /= 10;
                }
            }
        };
        while small > 0 {
            at -= 1;
            text[at] += u8::try_from(small % 10).unwrap_or(0);
            small /= 10;
        }
        let point = text.len() - usize::from(exponent);
        let text = std::str::from_utf8(&text[at.min(point - 1)..]).map_err(|_| fmt::Error)?;
        let (whole, fraction) = text.split_at(text.len() - usize::from(exponent));
        let padding = usize::from(self.digits.saturating_sub(exponent));
        if self.mantissa < 0 {
            f.write_str("-")?;
        }
        f.write_str(whole)?;
        if exponent > 0 || padding > 0 {
            f.write_str(".")?;
        }
        f.write_str(fraction)?;
        if padding == 0 { Ok(()) } else { write!(f, "{:0<padding$}", "") }
    }
}

/// Digits of the largest mantissa behind as many zeros as an exponent can ask for.
const DECIMAL_BYTES_MAX: usize = 40 + u8::MAX as usize;

/// One price level of one side of a book: the whole quantity at a price; zero means that the level is gone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Level {
    /// Its price.
    pub price: Price,
    /// The quantity at that price.
    pub qty: Qty,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn step(text: &str) -> Step {
        Step::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn decimals_are_read_exactly_or_refused() {
        assert_eq!(parse_decimal(b"61800.20", 1), Ok(618_002));
        assert_eq!(parse_decimal(b"61800.20", 2), Ok(6_180_020));
        assert_eq!(parse_decimal(b"0", 8), Ok(0));
        assert_eq!(parse_decimal(b"9223372036854775807", 0), Ok(i64::MAX));
        assert_eq!(parse_decimal(b"9223372036854775808", 0), Err(NumError::OutOfRange));
        assert_eq!(parse_decimal(b"92233720368.54775808", 8), Err(NumError::OutOfRange));
        assert_eq!(parse_decimal(b"1.05", 1), Err(NumError::OffStep));
        assert_eq!(parse_decimal(b"1.0500000000000000000000000000", 2), Ok(105));
        for malformed in ["1.55.5", "1.55.", "9223372036854775808 ", "9223372036854775808.1."] {
            assert_eq!(parse_decimal(malformed.as_bytes(), 1), Err(NumError::NotADecimal), "{malformed}");
        }
        for bad in ["", ".", ".5", "5.", "1e3", "-1", "+1", " 1", "1 ", "1.2.3", "0x1", "1,5", "1.05x", "NaN"]
        {
            assert_eq!(parse_decimal(bad.as_bytes(), 1), Err(NumError::NotADecimal), "{bad:?}");
        }
    }

    #[test]
    fn a_step_counts_and_prints_with_its_own_digits() {
        let tick = step("0.10");
        assert_eq!((tick.mantissa(), tick.exponent(), tick.digits()), (1, 1, 2));
        assert_eq!(Price::parse(b"61800.2", tick), Ok(Price(618_002)));
        assert_eq!(Price(618_002).display(tick).to_string(), "61800.20");
        let quarter = step("0.25");
        assert_eq!(Price::parse(b"10.50", quarter), Ok(Price(42)));
        assert_eq!(Price::parse(b"10.60", quarter), Err(NumError::OffStep));
        assert_eq!(Price(42).display(quarter).to_string(), "10.50");
        assert_eq!(step("10").count(b"250"), Ok(25));
        assert_eq!(step("10").decimal(25).to_string(), "250");
        assert_eq!(Step::parse(b"0.000"), Err(NumError::OutOfRange));
        assert_eq!(Step::parse(b"0.0000000000000000001"), Err(NumError::OutOfRange));
    }

    #[test]
    fn decimals_add_at_the_finer_scale_and_print_plainly() {
        let sum = Decimal::parse("-0.015").unwrap().checked_add(Decimal::parse("10").unwrap()).unwrap();
        assert_eq!(sum.to_string(), "9.985");
        assert_eq!(Decimal { mantissa: -5, exponent: 4, digits: 2 }.to_string(), "-0.0005");
        assert_eq!(Decimal { mantissa: 120_000, exponent: 4, digits: 2 }.to_string(), "12.00");
        assert_eq!(
            Decimal { mantissa: -25, exponent: 50, digits: 0 }.to_string(),
            format!("-0.{}25", "0".repeat(48))
        );
        assert_eq!(Decimal { mantissa: 7, exponent: 0, digits: 3 }.to_string(), "7.000");
        assert_eq!(Decimal::parse("-1.239").unwrap().floor_to(2).to_string(), "-1.24");
        let huge = Decimal { mantissa: i128::MAX, exponent: 0, digits: 0 };
        assert_eq!(huge.checked_add(Decimal::parse("0.1").unwrap()), Err(NumError::Overflow));
    }

    #[test]
    fn quantities_round_down_to_whole_lots() {
        assert_eq!(Qty(1_999).floor_to_lot(Qty(1_000)), Qty(1_000));
        assert_eq!(Qty(999).floor_to_lot(Qty(1_000)), Qty(0));
    }

    proptest! {
        #[test]
        fn what_a_step_prints_it_reads_back(
            count in 0_i64..1_000_000_000_000, mantissa in 1_i64..1000, digits in 0_usize..=6
        ) {
            let scale = 10_i64.pow(u32::try_from(digits).unwrap());
            let text = if digits == 0 { mantissa.to_string() } else {
                format!("{}.{:0digits$}", mantissa / scale, mantissa % scale)
            };
            let step = Step::parse(text.as_bytes()).unwrap();
            prop_assert_eq!(step.count(step.decimal(i128::from(count)).to_string().as_bytes()), Ok(count));
        }

        #[test]
        fn any_decimal_prints_its_value_with_the_digits_asked_for(
            mantissa in any::<i128>(), shift in 0_u32..=127, exponent in 0_u8..=80, digits in 0_u8..=80
        ) {
            let mantissa = mantissa >> shift;
            let text = Decimal { mantissa, exponent, digits }.to_string();
            let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
            prop_assert_eq!(whole.starts_with('-'), mantissa < 0);
            let (whole, places) = (whole.trim_start_matches('-'), usize::from(exponent));
            prop_assert!(whole == "0" || !whole.starts_with('0'), "{}", text);
            // As many digits as asked for, and beyond them none that says nothing.
            prop_assert!(fraction.len() >= usize::from(digits) && fraction.len() <= places.max(usize::from(digits)));
            prop_assert!(fraction.len() == usize::from(digits) || !fraction.ends_with('0'));
            let zeros = "0".repeat(places.saturating_sub(fraction.len()));
            let shown = format!("{whole}{fraction}{zeros}");
            let (kept, rest) = shown.split_at(whole.len() + places);
            prop_assert!(rest.bytes().all(|byte| byte == b'0'));
            let kept = kept.trim_start_matches('0');
            prop_assert_eq!(if kept.is_empty() { "0" } else { kept }, mantissa.unsigned_abs().to_string());
        }

        #[test]
        fn no_text_makes_the_reader_panic(text in proptest::collection::vec(any::<u8>(), 0..40), exponent in 0_u8..=18) {
            let _ = parse_decimal(&text, exponent);
            let _ = Step::parse(&text);
        }
    }
}
