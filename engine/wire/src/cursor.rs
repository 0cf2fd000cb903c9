//! A place in a frame whose shape is known: what should come next either comes, or the frame is of another
//! shape.

use crate::chunk::Chunk;
use crate::decimal::{DecimalFormat, WINDOW, leading_digits};

/// A place in a frame. Every step returns None when something else is there, and the cursor is of no use then.
#[derive(Clone, Copy, Debug)]
pub struct Cursor<'f> {
    frame: &'f [u8],
    /// At most the frame's length.
    at: usize,
}

impl<'f> Cursor<'f> {
    /// The front of `frame`.
    #[inline]
    #[must_use]
    pub const fn new(frame: &'f [u8]) -> Self {
        Self { frame, at: 0 }
    }

    /// The whole frame.
    #[inline]
    #[must_use]
    pub const fn frame(&self) -> &'f [u8] {
        self.frame
    }

    /// Where it is.
    #[inline]
    #[must_use]
    pub const fn at(&self) -> usize {
        self.at
    }

    /// Goes to a place found otherwise; to the end when it lies beyond.
    #[inline]
    pub const fn go_to(&mut self, at: usize) {
        self.at = if at < self.frame.len() { at } else { self.frame.len() };
    }

    /// What follows.
    #[inline]
    #[must_use]
    pub fn rest(&self) -> &'f [u8] {
        self.frame.get(self.at..).unwrap_or_default()
    }

    /// Whether this is the end of the frame.
    #[inline]
    #[must_use]
    pub const fn is_at_end(&self) -> bool {
        self.at == self.frame.len()
    }

    /// Passes over exactly this text.
    #[inline(always)]
    pub fn literal<const N: usize>(&mut self, text: &[u8; N]) -> Option<()> {
        let found: &[u8; N] = self.next()?;
        self.at += N;
        (found == text).then_some(())
    }

    /// Reads a whole number as JSON writes it: 1 to 18 digits, no leading zero.
    #[inline(always)]
    pub fn uint(&mut self) -> Option<u64> {
        let (len, value) = match self.ahead()?.leading_digits() {
            Some(found) => found,
            None => leading_digits(self.rest())?,
        };
        let first = self.frame.get(self.at)?;
        self.at += len;
        (len == 1 || (len > 1 && *first != b'0')).then_some(value)
    }

    /// As [`Self::uint`], for a number that mostly has `len` digits. Where the number ends is then known before
    /// it has been looked at, and what follows need not wait for it. Another length becomes the usual one.
    #[inline(always)]
    pub fn usual_uint(&mut self, len: &mut u8) -> Option<u64> {
        let chunk = self.ahead()?;
        let first = self.next::<1>()?[0];
        let Some(value) = chunk.leading_digits_if(*len) else { return self.unusual_uint(len) };
        // So many digits were seen, and are in the frame.
        self.at += usize::from(*len);
        (first != b'0' || *len == 1).then_some(value)
    }

    #[cold]
    fn unusual_uint(&mut self, len: &mut u8) -> Option<u64> {
        let from = self.at;
        let value = self.uint()?;
        *len = u8::try_from(self.at - from).unwrap_or(1).min(15);
        Some(value)
    }

    /// Reads the text up to the next quote and passes over the quote. The text is plain: ASCII, no escape, no
    /// control character; and at most 32 bytes.
    #[inline(always)]
    pub fn text(&mut self) -> Option<&'f [u8]> {
        let rest = self.frame.get(self.at..)?;
        let len = plain_text_len(rest)?;
        self.at += len + 1;
        rest.get(..len)
    }

    /// Reads a quoted decimal whose opening quote was passed, and passes over the closing quote. A number of
    /// another format is still read exactly, and the format follows it.
    #[inline(always)]
    pub fn decimal(&mut self, format: &mut DecimalFormat) -> Option<i64> {
        let len = self.ahead()?.quote();
        let window = if len < WINDOW { self.window_to(len) } else { None };
        match window.and_then(|window| format.read(window, len)) {
            Some(value) => {
                self.at += len + 1;
                Some(value)
            }
            None => self.long_decimal(format),
        }
    }

    /// The next `N` bytes.
    #[inline(always)]
    fn next<const N: usize>(&self) -> Option<&'f [u8; N]> {
        if self.at + N > self.frame.len() {
            return None;
        }
        // SAFETY: the bytes from `at` to `at + N` lie in the frame. The sum does not wrap: a frame is no longer than
        // `isize::MAX`, and `at` is in it.
        Some(unsafe { &*self.frame.as_ptr().add(self.at).cast() })
    }

    /// The window that ends `len` bytes from here.
    #[inline(always)]
    fn window_to(&self, len: usize) -> Option<&'f [u8; WINDOW]> {
        let end = self.at + len;
        if end < WINDOW || end > self.frame.len() {
            return None;
        }
        // SAFETY: the bytes from `end - WINDOW` to `end` lie in the frame.
        Some(unsafe { &*self.frame.as_ptr().add(end - WINDOW).cast() })
    }

    /// The next 16 bytes; at the end of the frame fewer, and zeros behind them. None: nothing, or the frame is
    /// shorter than that.
    #[inline(always)]
    fn ahead(&self) -> Option<Chunk> {
        if let Some(bytes) = self.next() {
            return Some(Chunk::new(bytes));
        }
        let rest = self.frame.len().checked_sub(self.at).filter(|rest| *rest > 0)?;
        Chunk::new(self.frame.last_chunk()?).without_first(WINDOW.checked_sub(rest)?)
    }

    /// A decimal of any length and format.
    #[cold]
    fn long_decimal(&mut self, format: &mut DecimalFormat) -> Option<i64> {
        let rest = self.frame.get(self.at..)?;
        let len = rest.iter().take(DECIMAL_BYTES_MAX + 1).position(|byte| *byte == b'"')?;
        let text = rest.get(..len)?;
        let value = format.step().count(text).ok()?;
        *format = format.like(text);
        self.at += len + 1;
        Some(value)
    }
}

/// Bytes of the longest decimal read here.
const DECIMAL_BYTES_MAX: usize = 40;

/// Bytes before the first quote. None: more than 32, or something that is not plain among them.
#[inline]
fn plain_text_len(text: &[u8]) -> Option<usize> {
    #[cfg(all(target_arch = "x86_64", target_feature = "avx2"))]
    if let Some(window) = text.first_chunk() {
        // SAFETY: the build's target has AVX2.
        if let Some(len) = unsafe { simd::plain_text_len(window) } {
            return Some(len);
        }
    }
    let len = text.iter().take(33).position(|byte| *byte == b'"')?;
    let plain = text.iter().take(len).all(|byte| (0x20..0x80).contains(byte) && *byte != b'\\');
    plain.then_some(len)
}

#[cfg(all(target_arch = "x86_64", target_feature = "avx2"))]
mod simd {
    use std::arch::x86_64::{
        _mm256_cmpeq_epi8, _mm256_cmpgt_epi8, _mm256_loadu_si256, _mm256_movemask_epi8, _mm256_or_si256,
        _mm256_set1_epi8,
    };

    /// Bytes before the first quote. None: no quote, or something that is not plain before it.
    #[inline]
    #[target_feature(enable = "avx2")]
    pub(super) fn plain_text_len(window: &[u8; 32]) -> Option<usize> {
        // SAFETY: a reference to 32 bytes; the load needs no alignment.
        let text = unsafe { _mm256_loadu_si256(window.as_ptr().cast()) };
        let is = |byte: u8| _mm256_cmpeq_epi8(text, _mm256_set1_epi8(byte.cast_signed()));
        // Signed: what is not ASCII is below zero.
        let control = _mm256_cmpgt_epi8(_mm256_set1_epi8(0x20), text);
        let quote = _mm256_movemask_epi8(is(b'"')).cast_unsigned();
        let other = _mm256_movemask_epi8(_mm256_or_si256(is(b'\\'), control)).cast_unsigned();
        // The first mark of either kind is a quote.
        let marks = quote | other;
        (marks & marks.wrapping_neg() & quote != 0).then(|| quote.trailing_zeros() as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::num::Step;
    use proptest::prelude::*;

    #[test]
    fn whole_numbers_are_read_as_json_writes_them() {
        for (text, value) in [
            ("0}", Some(0)),
            ("7", Some(7)),
            ("1723161255343,\"T\":1", Some(1_723_161_255_343)),
            ("1723161255343}}", Some(1_723_161_255_343)),
            ("123456789012345}", Some(123_456_789_012_345)),
            ("1234567890123456}", Some(1_234_567_890_123_456)),
            ("123456789012345678}", Some(123_456_789_012_345_678)),
            ("1234567890123456789}", None),
            ("012}", None),
            ("00}", None),
            ("}", None),
            ("", None),
            ("-1}", None),
        ] {
            let frame = format!("{{\"some longer head\":{text}");
            let mut at = Cursor::new(frame.as_bytes());
            at.literal(b"{\"some longer head\":").unwrap();
            assert_eq!(at.uint(), value, "{text}");
            if value.is_some() {
                let digits = text.bytes().take_while(u8::is_ascii_digit).count();
                assert_eq!(at.rest(), &text.as_bytes()[digits..]);
            }
        }
        assert_eq!(Cursor::new(b"12").uint(), None, "a frame shorter than any message");
    }

    #[test]
    fn a_number_of_unusual_length_is_read_and_becomes_the_usual_one() {
        let frame = b"{\"n\":12345,\"n\":12346,\"n\":0,\"n\":0,\"n\":05,\"n\":123456789012345678,\"n\":x}";
        let (mut at, mut len) = (Cursor::new(frame), 4);
        let values = [(Some(12_345), 5), (Some(12_346), 5), (Some(0), 1), (Some(0), 1), (None, 1)];
        for (value, usual) in values {
            at.go_to(at.at() + 5);
            assert_eq!((at.usual_uint(&mut len), len), (value, usual));
        }
        at.go_to(frame.len() - 25);
        assert_eq!((at.usual_uint(&mut len), len), (Some(123_456_789_012_345_678), 15));
        at.go_to(frame.len() - 2);
        assert_eq!((at.usual_uint(&mut len), len), (None, 15));
        assert_eq!(Cursor::new(b"{}").usual_uint(&mut len), None);
    }

    #[test]
    fn a_literal_is_there_or_not() {
        let mut at = Cursor::new(b"{\"a\":1}");
        assert_eq!((at.literal(b"{\"a"), at.at()), (Some(()), 3));
        assert_eq!(at.literal(b"\":2"), None);
        at.go_to(5);
        assert_eq!((at.literal(b"1}"), at.is_at_end(), at.rest()), (Some(()), true, &b""[..]));
        assert_eq!(at.literal(b"}"), None);
        assert_eq!(at.frame().len(), 7);
    }

    #[test]
    fn decimals_of_another_format_are_read_and_followed() {
        let mut format = DecimalFormat::new(Step::parse(b"0.1").unwrap(), 1);
        let frame = br#"{"p":"61800.20","q":"618000000000000000.2","r":"61800.25","s":"1"}"#;
        let mut at = Cursor::new(frame);
        at.go_to(6);
        assert_eq!((at.decimal(&mut format), format.digits()), (Some(618_002), 2));
        assert_eq!(at.literal(b",\"q\":\""), Some(()));
        assert_eq!((at.decimal(&mut format), format.digits()), (Some(6_180_000_000_000_000_002), 1));
        assert_eq!(at.literal(b",\"r\":\""), Some(()));
        assert_eq!((at.decimal(&mut format), format.digits()), (None, 1));
        at.go_to(frame.len() - 3);
        assert_eq!((at.decimal(&mut format), format.digits()), (Some(10), 0));
    }

    proptest! {
        #[test]
        fn texts_end_at_their_quote_and_are_plain(text in "[ -~]{0,34}|.{0,34}", tail in "\"?[a-z\"]{0,40}") {
            let frame = format!("{text}{tail}");
            let plain = frame.bytes().take_while(|b| *b != b'"').all(|b| (0x20..0x80).contains(&b) && b != b'\\');
            let quote = frame.bytes().position(|byte| byte == b'"');
            let expected = quote.filter(|len| plain && *len <= 32).map(|len| &frame.as_bytes()[..len]);
            let mut at = Cursor::new(frame.as_bytes());
            prop_assert_eq!(at.text(), expected);
            prop_assert!(expected.is_none_or(|text| at.at() == text.len() + 1));
        }
    }
}
