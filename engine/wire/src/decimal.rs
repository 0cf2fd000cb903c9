//! Decimals as the venue prints them: always the same number of digits behind the point. That makes the
//! point's place known from the right, and the whole conversion a fixed sequence of vector instructions.
//!
//! ```text
//! 16 bytes that end with the number    ,["61837.63000000      price, tick 0.01, printed with 8 digits
//! xor with '0' and the '.'             ???61837063000000
//! bytes before the number cleared      00061837063000000
//! each at most its limit?              ---99999099000000      the point and the digits below the tick: 0
//! digits that count, to the right      0000000006183763
//! pairs, fours, eights, sixteen        x10+, x100+, x10000+, x100000000+
//! ```
//!
//! A text of any other form is refused, never rounded.

use crate::chunk::{CHUNK, Chunk, Layout};
use engine::num::Step;

/// How one kind of number of one instrument is printed, and what it counts.
#[derive(Clone, Copy, Debug)]
pub struct DecimalFormat {
    pub(crate) layout: Layout,
    step: Step,
    /// Digits behind the point.
    digits: u8,
    /// Bytes of the shortest such number.
    pub(crate) len_min: u32,
    /// The step's mantissa, by which the value is still to be divided.
    pub(crate) divisor: i64,
}

/// Bytes looked at; a longer number is refused.
pub const WINDOW: usize = CHUNK;

impl DecimalFormat {
    /// Numbers printed with `digits` digits behind the point (no point for none) and counted in `step`.
    /// `digits` 0..=14; more saturates, and such numbers are then refused.
    #[must_use]
    pub fn new(step: Step, digits: u8) -> Self {
        let digits = digits.min(14);
        let (printed, counted) = (usize::from(digits), usize::from(step.exponent()));
        let (mut xor, mut limit, mut shuffle) = ([b'0'; WINDOW], [0; WINDOW], [0x80; WINDOW]);
        // Where the point is, and the last digit before it.
        let units = if printed > 0 { WINDOW - 2 - printed } else { WINDOW - 1 };
        if printed > 0 {
            xor[units + 1] = b'.';
        }
        for (place, from) in shuffle.iter_mut().enumerate() {
            let power = WINDOW - 1 - place;
            let source = if power >= counted {
                units.checked_sub(power - counted)
            } else {
                let behind_point = counted - 1 - power;
                (behind_point < printed).then_some(WINDOW - printed + behind_point)
            };
            if let Some(source) = source {
                #[expect(clippy::cast_possible_truncation, reason = "below 16")]
                let source_byte = source as u8;
                *from = source_byte;
                limit[source] = 9;
            }
        }
        let len_min = if digits > 0 { u32::from(digits) + 2 } else { 1 };
        let layout = Layout { xor, limit, shuffle };
        Self { layout, step, digits, len_min, divisor: step.mantissa() }
    }

    /// Digits behind the point.
    #[must_use]
    pub const fn digits(&self) -> u8 {
        self.digits
    }

    /// What is counted.
    #[must_use]
    pub const fn step(&self) -> Step {
        self.step
    }

    /// The number in the last `len` bytes of `window`. None: another form, or not a whole number of steps.
    #[inline(always)]
    #[must_use]
    pub fn read(&self, window: &[u8; WINDOW], len: usize) -> Option<i64> {
        if len < self.len_min as usize {
            return None;
        }
        let value = Chunk::new(window).decimal(&self.layout, len)?;
        divide(value.cast_signed(), self.divisor)
    }

    /// The format for numbers that look like `text`.
    #[cold]
    #[must_use]
    pub fn like(&self, text: &[u8]) -> Self {
        let digits = text.iter().position(|byte| *byte == b'.').map_or(0, |point| text.len() - point - 1);
        Self::new(self.step, u8::try_from(digits).unwrap_or(u8::MAX))
    }
}

/// `value` in steps. None: between two steps.
#[inline]
pub(crate) fn divide(value: i64, divisor: i64) -> Option<i64> {
    if divisor == 1 {
        return Some(value); // nearly every step is a power of ten, and a division costs more than the rest
    }
    (value % divisor == 0).then(|| value / divisor)
}

/// The digits at the front of `bytes`: how many, and their number. None: more than 18.
#[cold]
pub(crate) fn leading_digits(bytes: &[u8]) -> Option<(usize, u64)> {
    let (mut len, mut value) = (0, 0_u64);
    for byte in bytes {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            break;
        }
        if len == 18 {
            return None;
        }
        (len, value) = (len + 1, value * 10 + u64::from(digit));
    }
    Some((len, value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn step(text: &str) -> Step {
        Step::parse(text.as_bytes()).unwrap()
    }

    /// `text` at the end of a window of which the rest is anything.
    fn read(format: &DecimalFormat, text: &[u8]) -> Option<i64> {
        let mut window = *b"9.9\"],[\"9.\",\"999";
        let room = WINDOW - text.len();
        window[room..].copy_from_slice(text);
        format.read(&window, text.len())
    }

    #[test]
    fn printed_numbers_are_read_and_others_refused() {
        for (tick, digits, text, value) in [
            ("0.01", 8, "61837.63000000", Some(6_183_763)),
            ("0.01", 8, "61837.63100000", None),
            ("0.01", 8, "61837.63000001", None),
            ("0.00000001", 8, "3.78826000", Some(378_826_000)),
            ("0.00000001", 8, "1234567.12345678", Some(123_456_712_345_678)),
            ("0.10", 2, "61800.20", Some(618_002)),
            ("0.10", 2, "61800.25", None),
            ("0.001", 3, "0.014", Some(14)),
            ("0.001", 3, "0.000", Some(0)),
            ("0.001", 3, ".014", None),
            ("0.001", 3, "014", None),
            ("0.001", 3, "0.0140", None),
            ("0.001", 3, "0.01", None),
            ("0.001", 3, "0,014", None),
            ("0.001", 3, "0.0x4", None),
            ("0.001", 3, "-0.014", None),
            ("1", 0, "1001", Some(1001)),
            ("1", 0, "0", Some(0)),
            ("1", 0, "1001.0", None),
            ("1", 0, "9999999999999999", Some(9_999_999_999_999_999)),
            ("0.001", 0, "25", Some(25_000)),
            ("0.001", 0, "9999999999999999", None),
            ("0.25", 2, "10.50", Some(42)),
            ("0.25", 2, "10.60", None),
            ("10", 0, "250", Some(25)),
            ("10", 0, "255", None),
            ("100", 2, "2500.00", Some(25)),
        ] {
            let format = DecimalFormat::new(step(tick), digits);
            assert_eq!(read(&format, text.as_bytes()), value, "{text} in {tick}");
        }
        assert_eq!(DecimalFormat::new(Step::ONE, 0).read(&[b'1'; 16], 0), None);
        assert_eq!(DecimalFormat::new(Step::ONE, 0).read(&[b'1'; 16], 17), None);
    }

    #[test]
    fn a_format_follows_the_text_it_is_shown() {
        let format = DecimalFormat::new(step("0.1"), 1);
        assert_eq!(read(&format, b"61800.20"), None);
        assert_eq!(read(&format.like(b"61800.20"), b"61800.30"), Some(618_003));
        assert_eq!(format.like(b"7").digits(), 0);
        assert_eq!(format.like(&[b'.'; 300]).digits(), 14);
        assert_eq!(format.like(b"7").step(), step("0.1"));
    }

    proptest! {
        /// What is read is what the engine's own parser reads; what that refuses is refused.
        #[test]
        fn reading_agrees_with_the_engines_parser(
            tick in prop::sample::select(vec!["0.01", "0.00000001", "0.1", "0.5", "0.25", "1", "10", "0.000005"]),
            digits in 0_u8..=14,
            text in "[0-9]{1,9}(\\.[0-9]{1,9})?|[0-9.]{1,16}|[0-9.e+-]{1,16}",
            rounder in prop::bool::ANY,
        ) {
            let format = DecimalFormat::new(step(tick), digits);
            let text = if rounder { text.replace(|c: char| ('1'..='8').contains(&c), "0") } else { text };
            if text.len() <= WINDOW {
                let expected = step(tick).count(text.as_bytes()).ok();
                match read(&format, text.as_bytes()) {
                    Some(value) => prop_assert_eq!(Some(value), expected),
                    // Its own form it reads, unless the value needs more than 16 places.
                    None => if let Some(expected) = expected {
                        let own = text.split_once('.').map_or(0, |(_, f)| f.len()) == usize::from(digits);
                        let places = i128::from(expected) * i128::from(format.divisor);
                        prop_assert!(!own || places >= 10_i128.pow(16) - 1, "{} refused", text);
                    },
                }
            }
        }
    }
}
