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

use engine::num::Step;

/// How one kind of number of one instrument is printed, and what it counts.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(16))]
pub struct DecimalFormat {
    /// Turns the bytes that must be there into zeros, and digits into their values.
    pub(crate) xor: [u8; WINDOW],
    /// The greatest value each byte may have then.
    pub(crate) limit: [u8; WINDOW],
    /// Which byte goes to each of 16 decimal places, most significant first; 128 and more: none.
    pub(crate) shuffle: [u8; WINDOW],
    step: Step,
    /// Digits behind the point.
    digits: u8,
    /// Bytes of the shortest such number.
    pub(crate) len_min: u32,
    /// The step's mantissa, by which the value is still to be divided.
    pub(crate) divisor: i64,
}

/// Bytes looked at; a longer number is refused.
pub const WINDOW: usize = 16;

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
        Self { xor, limit, shuffle, step, digits, len_min, divisor: step.mantissa() }
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
    #[inline]
    #[must_use]
    pub fn read(&self, window: &[u8; WINDOW], len: usize) -> Option<i64> {
        #[cfg(all(target_arch = "x86_64", target_feature = "avx2"))]
        // SAFETY: the build's target has AVX2, and with it SSE4.1.
        let value = unsafe { simd::read(self, window, len) }?;
        #[cfg(not(all(target_arch = "x86_64", target_feature = "avx2")))]
        let value = self.read_scalar(window, len)?;
        divide(value, self.divisor)
    }

    /// As [`Self::read`] before the division, one digit after the other: for other processors, and the truth
    /// in tests.
    #[cfg(any(test, not(all(target_arch = "x86_64", target_feature = "avx2"))))]
    pub(crate) fn read_scalar(&self, window: &[u8; WINDOW], len: usize) -> Option<i64> {
        if len < self.len_min as usize || len > WINDOW {
            return None;
        }
        let mut digits = [0; WINDOW];
        for place in WINDOW - len..WINDOW {
            digits[place] = window[place] ^ self.xor[place];
            if digits[place] > self.limit[place] {
                return None;
            }
        }
        Some(self.shuffle.iter().fold(0, |value, from| {
            value * 10 + digits.get(usize::from(*from)).map_or(0, |digit| i64::from(*digit))
        }))
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

/// 16 bytes of zeros, then 16 of ones: the 16 from `len` on keep the last `len` bytes of a window.
pub(crate) static KEEP: [u8; 2 * WINDOW] = {
    let mut keep = [0xFF; 2 * WINDOW];
    let mut place = 0;
    while place < WINDOW {
        keep[place] = 0;
        place += 1;
    }
    keep
};

#[cfg(all(target_arch = "x86_64", target_feature = "avx2"))]
mod simd {
    use super::{DecimalFormat, KEEP, WINDOW};
    use std::arch::x86_64::{
        __m128i, _mm_and_si128, _mm_cvtsi128_si64, _mm_loadu_si128, _mm_madd_epi16, _mm_maddubs_epi16,
        _mm_packus_epi32, _mm_set1_epi16, _mm_set1_epi32, _mm_setr_epi16, _mm_shuffle_epi8, _mm_subs_epu8,
        _mm_testz_si128, _mm_xor_si128,
    };

    #[inline]
    #[target_feature(enable = "avx2")]
    fn load(bytes: &[u8; WINDOW]) -> __m128i {
        // SAFETY: a reference to 16 bytes; the load needs no alignment.
        unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) }
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    pub(super) fn read(format: &DecimalFormat, window: &[u8; WINDOW], len: usize) -> Option<i64> {
        if len < format.len_min as usize {
            return None;
        }
        let keep = load(KEEP.get(len..)?.first_chunk()?);
        let digits = _mm_and_si128(_mm_xor_si128(load(window), load(&format.xor)), keep);
        let over = _mm_subs_epu8(digits, load(&format.limit));
        if _mm_testz_si128(over, over) == 0 {
            return None;
        }
        Some(sixteen(_mm_shuffle_epi8(digits, load(&format.shuffle))))
    }

    /// The number of 16 digits, the first the most significant.
    #[inline]
    #[target_feature(enable = "avx2")]
    pub(super) fn sixteen(digits: __m128i) -> i64 {
        let twos = _mm_maddubs_epi16(digits, _mm_set1_epi16(0x010A)); // x10, x1
        let fours = _mm_madd_epi16(twos, _mm_set1_epi32(0x0001_0064)); // x100, x1
        let fours = _mm_packus_epi32(fours, fours);
        let eights = _mm_madd_epi16(fours, _mm_setr_epi16(10_000, 1, 10_000, 1, 10_000, 1, 10_000, 1));
        let both = _mm_cvtsi128_si64(eights);
        (both & 0xFFFF_FFFF) * 100_000_000 + (both >> 32)
    }

    /// Where the first quote is; at least 16 when there is none.
    #[inline]
    #[target_feature(enable = "avx2")]
    pub(crate) fn first_quote(bytes: &[u8; WINDOW]) -> usize {
        use std::arch::x86_64::{_mm_cmpeq_epi8, _mm_movemask_epi8, _mm_set1_epi8};
        let quote = _mm_cmpeq_epi8(load(bytes), _mm_set1_epi8(b'"'.cast_signed()));
        _mm_movemask_epi8(quote).trailing_zeros() as usize
    }

    /// Sliding shuffle: the 16 from `len` on move the first `len` of 16 bytes to the end.
    static TO_THE_RIGHT: [u8; 2 * WINDOW] = {
        let mut shuffle = [0x80; 2 * WINDOW];
        let mut place = 0;
        while place < 0x10 {
            shuffle[WINDOW + place as usize] = place;
            place += 1;
        }
        shuffle
    };

    /// The digits at the front of `bytes`: how many, and their number. None: 16 of them.
    #[inline]
    #[target_feature(enable = "avx2")]
    pub(crate) fn leading(bytes: &[u8; WINDOW]) -> Option<(usize, u64)> {
        use std::arch::x86_64::{
            _mm_cmpeq_epi8, _mm_min_epu8, _mm_movemask_epi8, _mm_set1_epi8, _mm_sub_epi8,
        };
        let digits = _mm_sub_epi8(load(bytes), _mm_set1_epi8(b'0'.cast_signed()));
        let is_digit = _mm_cmpeq_epi8(_mm_min_epu8(digits, _mm_set1_epi8(9)), digits);
        let len = (!_mm_movemask_epi8(is_digit)).trailing_zeros() as usize;
        let shuffle = load(TO_THE_RIGHT.get(len..)?.first_chunk()?);
        if len == WINDOW {
            return None;
        }
        // Bytes behind the digits go nowhere: only `len` places are filled.
        Some((len, sixteen(_mm_shuffle_epi8(digits, shuffle)).cast_unsigned()))
    }
}

/// Where the first quote is. None: there is none.
#[inline]
pub(crate) fn quote_in(bytes: &[u8; WINDOW]) -> Option<usize> {
    #[cfg(all(target_arch = "x86_64", target_feature = "avx2"))]
    {
        // SAFETY: the build's target has AVX2.
        let place = unsafe { simd::first_quote(bytes) };
        (place < WINDOW).then_some(place)
    }
    #[cfg(not(all(target_arch = "x86_64", target_feature = "avx2")))]
    bytes.iter().position(|byte| *byte == b'"')
}

/// The whole number at the front of `bytes`: its length and value. None: 16 digits and more.
#[inline]
pub(crate) fn leading_digits(bytes: &[u8; WINDOW]) -> Option<(usize, u64)> {
    #[cfg(all(target_arch = "x86_64", target_feature = "avx2"))]
    // SAFETY: the build's target has AVX2, and with it SSE4.1.
    return unsafe { simd::leading(bytes) };
    #[cfg(not(all(target_arch = "x86_64", target_feature = "avx2")))]
    leading_digits_scalar(bytes)
}

/// As [`leading_digits`], one digit after the other; for slices of any length up to 18 digits.
#[inline]
pub(crate) fn leading_digits_scalar(bytes: &[u8]) -> Option<(usize, u64)> {
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
        let value = format.read(&window, text.len());
        let scalar = format.read_scalar(&window, text.len()).and_then(|v| divide(v, format.divisor));
        assert_eq!(value, scalar, "{text:?}");
        value
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

        #[test]
        fn leading_digits_are_read_the_same_both_ways(text in "[0-9]{0,17}[^0-9]{0,3}.{16}") {
            let bytes: &[u8; 16] = text.as_bytes().first_chunk().unwrap();
            let scalar = leading_digits_scalar(bytes).filter(|(len, _)| *len < 16);
            prop_assert_eq!(leading_digits(bytes), scalar);
        }
    }
}
