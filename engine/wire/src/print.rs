//! Numbers as the text that venues read: exact, in a buffer of fixed size, without the formatting machinery.
//! The way back from [`crate::decimal`].

use engine::num::Step;

/// A short text that is rewritten in place, message after message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Text {
    bytes: [u8; TEXT_BYTES_MAX],
    len: u8,
}

/// Bytes of a [`Text`]: the longest decimal (20 digits, the point, 18 digits) and the longest client order id fit.
pub const TEXT_BYTES_MAX: usize = 40;

impl Text {
    /// No text.
    pub const EMPTY: Self = Self { bytes: [0; TEXT_BYTES_MAX], len: 0 };

    /// What is written.
    #[inline]
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or_default()
    }

    /// Writes a text down. False: longer than [`TEXT_BYTES_MAX`]; then nothing is written.
    #[inline]
    pub fn set(&mut self, text: &[u8]) -> bool {
        let (Some(room), Ok(len)) = (self.bytes.get_mut(..text.len()), u8::try_from(text.len())) else {
            return false;
        };
        room.copy_from_slice(text);
        self.len = len;
        true
    }

    /// Writes a whole number.
    #[inline]
    pub fn set_number(&mut self, number: u64) {
        self.len = digits_of(number);
        digits(&mut self.bytes[..usize::from(self.len)], number);
    }
}

/// How counts of a step are printed: always with the step's own digits behind the point.
#[derive(Clone, Copy, Debug)]
pub struct DecimalPrinter {
    /// What one count is in units of the last digit.
    factor: u64,
    /// 10 to the number of digits behind the point.
    scale: u64,
    /// Digits behind the point, 0..=18.
    digits: u8,
}

impl DecimalPrinter {
    /// A printer of counts of `step`. Nothing saturates: a step fits 63 bits when written out, however it was made.
    #[must_use]
    pub fn new(step: Step) -> Self {
        let padding = 10_u64.saturating_pow(u32::from(step.digits().saturating_sub(step.exponent())));
        let factor = step.mantissa().unsigned_abs().saturating_mul(padding);
        Self { factor, scale: 10_u64.saturating_pow(u32::from(step.digits())), digits: step.digits() }
    }

    /// Writes `count` steps to `text`. False: below zero, or beyond 64 bits in units of the last digit; then
    /// `text` is as it was.
    #[inline]
    pub fn print(&self, count: i64, text: &mut Text) -> bool {
        let Some(value) = u64::try_from(count).ok().and_then(|count| count.checked_mul(self.factor)) else {
            return false;
        };
        let (whole, fraction) = (value / self.scale, value % self.scale);
        let (point, digits_behind) = (usize::from(digits_of(whole)), usize::from(self.digits));
        digits(&mut text.bytes[..point], whole);
        text.len = digits_of(whole);
        if digits_behind > 0 {
            text.bytes[point] = b'.';
            digits(&mut text.bytes[point + 1..point + 1 + digits_behind], fraction);
            text.len += 1 + self.digits;
        }
        true
    }
}

/// Digits that a number is written with, 1..=20.
#[inline]
fn digits_of(number: u64) -> u8 {
    #[expect(clippy::cast_possible_truncation, reason = "at most 19")]
    number.checked_ilog10().map_or(1, |log| log as u8 + 1)
}

/// Fills `room` with the last digits of `number`, zeros in front.
#[inline]
fn digits(room: &mut [u8], mut number: u64) {
    let (first, pairs) = room.as_rchunks_mut::<2>();
    for pair in pairs.iter_mut().rev() {
        *pair = PAIRS[(number % 100) as usize];
        number /= 100;
    }
    if let [first] = first {
        *first = b'0' + (number % 10) as u8;
    }
}

const PAIRS: [[u8; 2]; 100] = {
    let (mut pairs, mut number) = ([[0; 2]; 100], 0);
    while number < 100 {
        pairs[number as usize] = [b'0' + number / 10, b'0' + number % 10];
        number += 1;
    }
    pairs
};

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn printed(step: &str, count: i64) -> Option<String> {
        let mut text = Text::EMPTY;
        let printer = DecimalPrinter::new(Step::parse(step.as_bytes()).unwrap());
        printer.print(count, &mut text).then(|| String::from_utf8(text.as_bytes().to_vec()).unwrap())
    }

    #[test]
    fn decimals_have_the_digits_of_their_step() {
        assert_eq!(printed("0.10", 618_002).unwrap(), "61800.20");
        assert_eq!(printed("0.00000001", 1_000_000).unwrap(), "0.01000000");
        assert_eq!(printed("0.25", 42).unwrap(), "10.50");
        assert_eq!(printed("10", 25).unwrap(), "250");
        assert_eq!(printed("1", 0).unwrap(), "0");
        assert_eq!(printed("0.000000000000000001", i64::MAX).unwrap(), "9.223372036854775807");
        assert_eq!(printed("0.1", -1), None);
        assert_eq!(printed("1000", i64::MAX), None, "beyond 64 bits");
    }

    #[test]
    fn a_text_that_is_too_long_is_not_written() {
        let mut text = Text::EMPTY;
        assert!(text.set(&[b'a'; TEXT_BYTES_MAX]) && !text.set(&[b'b'; TEXT_BYTES_MAX + 1]));
        assert_eq!(text.as_bytes(), [b'a'; TEXT_BYTES_MAX]);
        assert!(text.set(b"") && text.as_bytes().is_empty());
    }

    proptest! {
        #[test]
        fn numbers_and_decimals_print_as_the_standard_library_and_the_engine_print_them(
            number: u64, count in 0..i64::MAX, shift in 0_u32..64, mantissa in 1_i64..1000, digits in 0_usize..=18,
        ) {
            let mut text = Text::EMPTY;
            text.set_number(number >> shift);
            let expected = (number >> shift).to_string();
            prop_assert_eq!(text.as_bytes(), expected.as_bytes());
            let step = format!("{mantissa:0width$}", width = digits + 1);
            let (whole, fraction) = step.split_at(step.len() - digits);
            let step = if digits > 0 { format!("{whole}.{fraction}") } else { whole.to_owned() };
            let count = count >> shift.min(62);
            let expected = Step::parse(step.as_bytes()).unwrap().decimal(count.into()).to_string();
            match printed(&step, count) {
                Some(text) => prop_assert_eq!(text, expected),
                None => prop_assert!(i128::from(count) * i128::from(mantissa) > i128::from(u64::MAX)),
            }
        }
    }
}
