//! Lists of pairs of quoted decimals, `[["61837.63","0.5"],["61837.62","1.2"]]`: the levels of a book.
//!
//! Two passes. The first finds where the pairs end: a `]` behind a quote, 64 bytes at a time, as bits. The second
//! reads price and quantity of a level together, one in each half of a 256-bit register. Because all ends are known
//! beforehand, no level waits for the one before, and nothing branches on a number's length.

use crate::decimal::{DecimalFormat, WINDOW, divide};
use engine::num::Level;

/// Where the pairs of a frame end. Room for the largest frame is taken once.
#[derive(Debug)]
pub struct PairEnds {
    ends: Box<[u32]>,
    count: usize,
}

/// Bytes that the first pass takes at a time, and the second at once.
const BLOCK: usize = 64;
/// Ends that are written at once.
const GROUP: usize = 4;

impl PairEnds {
    /// Room for `pairs_max` pairs.
    #[must_use]
    pub fn new(pairs_max: usize) -> Self {
        Self { ends: vec![0; pairs_max + BLOCK].into_boxed_slice(), count: 0 }
    }

    /// Finds the ends in `frame` of the pairs that begin at `from` or behind it. False: more than there is room for.
    #[inline]
    pub fn find(&mut self, frame: &[u8], from: usize) -> bool {
        let Some(text) = frame.get(from..) else { return false };
        let (mut count, mut at) = (0, 0);
        while let Some(block) = text.get(at..).and_then(<[u8]>::first_chunk) {
            let Some(room) = self.ends.get_mut(count..).and_then(<[u32]>::first_chunk_mut) else {
                return false;
            };
            count += write_places(pair_ends(block), from + 1 + at, room);
            at += BLOCK;
        }
        let rest = text.get(at..).unwrap_or_default();
        let mut last = [0; BLOCK + 1];
        last[..rest.len()].copy_from_slice(rest);
        let Some(room) = self.ends.get_mut(count..).and_then(<[u32]>::first_chunk_mut) else {
            return false;
        };
        self.count = count + write_places(pair_ends(&last), from + 1 + at, room);
        true
    }

    /// The places of the `]` behind a quote, ascending.
    #[inline]
    #[must_use]
    pub fn ends(&self) -> &[u32] {
        self.ends.get(..self.count).unwrap_or_default()
    }
}

/// Writes `base` plus the place of each bit; returns how many. Some at a time, because so many steps without a
/// branch cost less than one that is predicted wrong.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "a frame's length fits")]
fn write_places(mut bits: u64, base: usize, room: &mut [u32; BLOCK]) -> usize {
    let count = bits.count_ones() as usize;
    let (groups, _) = room.as_chunks_mut::<GROUP>();
    for group in groups {
        for place in group {
            *place = (base as u32).wrapping_add(bits.trailing_zeros());
            bits &= bits.wrapping_sub(1);
        }
        if bits == 0 {
            break;
        }
    }
    count
}

/// Bits of the brackets that stand behind a quote, from the block's second byte on: the first is only looked back at.
#[inline]
fn pair_ends(block: &[u8; BLOCK + 1]) -> u64 {
    #[cfg(all(target_arch = "x86_64", target_feature = "avx2"))]
    // SAFETY: the build's target has AVX2.
    return unsafe { simd::pair_ends(block) };
    #[cfg(not(all(target_arch = "x86_64", target_feature = "avx2")))]
    return pair_ends_scalar(block);
}

#[cfg(any(test, not(all(target_arch = "x86_64", target_feature = "avx2"))))]
fn pair_ends_scalar(block: &[u8; BLOCK + 1]) -> u64 {
    let pairs = block.windows(2).enumerate();
    pairs.fold(0, |bits, (place, pair)| bits | u64::from(pair == b"\"]") << place)
}

/// How the two numbers of a pair are printed.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(32))]
pub struct PairFormat {
    xor: [[u8; WINDOW]; 2],
    limit: [[u8; WINDOW]; 2],
    shuffle: [[u8; WINDOW]; 2],
    price: DecimalFormat,
    qty: DecimalFormat,
}

impl PairFormat {
    /// Prices printed as `price`, quantities as `qty`.
    #[must_use]
    pub fn new(price: DecimalFormat, qty: DecimalFormat) -> Self {
        Self {
            xor: [price.layout.xor, qty.layout.xor],
            limit: [price.layout.limit, qty.layout.limit],
            shuffle: [price.layout.shuffle, qty.layout.shuffle],
            price,
            qty,
        }
    }

    /// How prices are printed.
    #[inline]
    #[must_use]
    pub const fn price(&self) -> &DecimalFormat {
        &self.price
    }

    /// How quantities are printed.
    #[inline]
    #[must_use]
    pub const fn qty(&self) -> &DecimalFormat {
        &self.qty
    }

    /// Reads the pairs of the list at `start`, which points behind its first `[`, into the front of `out`.
    /// `ends` are those of the frame from `start` on, as [`PairEnds::find`] gave them: that a quote stands before each
    /// is not looked at again. Returns how many pairs there are and the place behind the closing `]`. None: another
    /// shape, another format, between two steps, or more than `out` holds.
    #[inline]
    #[must_use]
    pub fn read(
        &self,
        frame: &[u8],
        start: usize,
        ends: &[u32],
        out: &mut [Level],
    ) -> Option<(usize, usize)> {
        match frame.get(start..)? {
            [b']', ..] => return Some((0, start + 1)),
            [b'[', b'"', ..] => {}
            _ => return None,
        }
        #[cfg(all(target_arch = "x86_64", target_feature = "avx2"))]
        // SAFETY: the build's target has AVX2.
        let (count, end) = unsafe { simd::read_pairs(self, frame, start + 2, ends, out) }?;
        #[cfg(not(all(target_arch = "x86_64", target_feature = "avx2")))]
        let (count, end) = self.read_scalar(frame, start + 2, ends, out)?;
        if self.price.divisor != 1 || self.qty.divisor != 1 {
            for level in out.get_mut(..count)? {
                level.price.0 = divide(level.price.0, self.price.divisor)?;
                level.qty.0 = divide(level.qty.0, self.qty.divisor)?;
            }
        }
        Some((count, end))
    }

    /// As `simd::read_pairs`, for other processors, and the truth in tests.
    #[cfg(any(test, not(all(target_arch = "x86_64", target_feature = "avx2"))))]
    fn read_scalar(
        &self,
        frame: &[u8],
        mut start: usize,
        ends: &[u32],
        out: &mut [Level],
    ) -> Option<(usize, usize)> {
        let number = |format: &DecimalFormat, start: usize, end: usize| {
            let window = frame.get(end.checked_sub(WINDOW)?..end)?.first_chunk()?;
            let len = end.checked_sub(start).filter(|len| *len >= format.len_min as usize)?;
            crate::chunk::scalar::Chunk::new(window).decimal(&format.layout, len).map(u64::cast_signed)
        };
        for (index, bracket) in ends.iter().enumerate() {
            let qty_end = *bracket as usize - 1;
            let price_end = start + frame.get(start..qty_end)?.iter().position(|byte| *byte == b'"')?;
            let qty_start = price_end + BETWEEN.len();
            let (price, qty) =
                (number(&self.price, start, price_end)?, number(&self.qty, qty_start, qty_end)?);
            if frame.get(price_end..qty_start)? != BETWEEN {
                return None;
            }
            *out.get_mut(index)? = Level { price: engine::num::Price(price), qty: engine::num::Qty(qty) };
            if frame.get(qty_end..)?.starts_with(NEXT) {
                start = qty_end + NEXT.len();
            } else if frame.get(qty_end..)?.starts_with(LAST) {
                return Some((index + 1, qty_end + LAST.len()));
            } else {
                return None;
            }
        }
        None
    }
}

/// Between the numbers of a pair.
const BETWEEN: &[u8; 3] = b"\",\"";
/// Between two pairs.
const NEXT: &[u8; 5] = b"\"],[\"";
/// Behind the last pair.
const LAST: &[u8; 3] = b"\"]]";

#[cfg(all(target_arch = "x86_64", target_feature = "avx2"))]
mod simd {
    use super::{BETWEEN, BLOCK, LAST, Level, NEXT, PairFormat, WINDOW};
    use crate::chunk::KEEP;
    use std::arch::x86_64::{
        __m256i, _mm_storeu_si128, _mm256_add_epi64, _mm256_and_si256, _mm256_castsi256_si128,
        _mm256_cmpeq_epi8, _mm256_loadu_si256, _mm256_loadu2_m128i, _mm256_madd_epi16, _mm256_maddubs_epi16,
        _mm256_movemask_epi8, _mm256_mul_epu32, _mm256_or_si256, _mm256_packus_epi32,
        _mm256_permute4x64_epi64, _mm256_set1_epi8, _mm256_set1_epi16, _mm256_set1_epi32, _mm256_set1_epi64x,
        _mm256_setzero_si256, _mm256_shuffle_epi8, _mm256_srli_epi64, _mm256_subs_epu8, _mm256_testz_si256,
        _mm256_xor_si256,
    };

    #[inline]
    #[target_feature(enable = "avx2")]
    fn load(bytes: &[u8; 32]) -> __m256i {
        // SAFETY: a reference to 32 bytes; the load needs no alignment.
        unsafe { _mm256_loadu_si256(bytes.as_ptr().cast()) }
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn halves(low: &[u8; WINDOW], high: &[u8; WINDOW]) -> __m256i {
        // SAFETY: references to 16 bytes each; the loads need no alignment.
        unsafe { _mm256_loadu2_m128i(high.as_ptr().cast(), low.as_ptr().cast()) }
    }

    /// Which bytes are `byte`.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn equal(bytes: &[u8; 32], byte: u8) -> __m256i {
        _mm256_cmpeq_epi8(load(bytes), _mm256_set1_epi8(byte.cast_signed()))
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    pub(super) fn pair_ends(block: &[u8; BLOCK + 1]) -> u64 {
        let (mut before, mut behind) = ([[0; 32]; 2], [[0; 32]; 2]);
        before.as_flattened_mut().copy_from_slice(&block[..BLOCK]);
        behind.as_flattened_mut().copy_from_slice(&block[1..]);
        let half = |half: usize| {
            let ends = _mm256_and_si256(equal(&before[half], b'"'), equal(&behind[half], b']'));
            u64::from(_mm256_movemask_epi8(ends).cast_unsigned())
        };
        half(0) | half(1) << 32
    }

    /// The pairs from the digit at `start` on: how many, and the place behind the list.
    #[inline]
    #[target_feature(enable = "avx2")]
    pub(super) fn read_pairs(
        format: &PairFormat,
        frame: &[u8],
        mut start: usize,
        ends: &[u32],
        out: &mut [Level],
    ) -> Option<(usize, usize)> {
        let (xor, limit) = (
            load(format.xor.as_flattened().first_chunk()?),
            load(format.limit.as_flattened().first_chunk()?),
        );
        let shuffle = load(format.shuffle.as_flattened().first_chunk()?);
        let (price_min, qty_min) = (format.price.len_min as usize, format.qty.len_min as usize);
        // A length that is so much above the least, and no more, fits the window.
        let (price_spare, qty_spare) = (WINDOW.checked_sub(price_min)?, WINDOW.checked_sub(qty_min)?);
        let mut over = _mm256_setzero_si256();
        let mut tail = [0; BLOCK];
        let room = out.len();
        // Fronts of the blocks that end no later than the frame.
        let fronts = frame.len().saturating_sub(BLOCK - 1);
        let mut levels = out.iter_mut();
        for bracket in ends {
            let level = levels.next()?;
            let front = start.wrapping_sub(BEFORE);
            let block: &[u8; BLOCK] = if front < fronts {
                // SAFETY: the block ends no later than the frame.
                unsafe { &*frame.as_ptr().add(front).cast() }
            } else {
                last_block(frame, front, &mut tail)?
            };
            // Everything from here on lies in the block.
            let text: &[u8; 32] = block.get(BEFORE..)?.first_chunk()?;
            let quotes = _mm256_movemask_epi8(equal(text, b'"')).cast_unsigned();
            let price_len = quotes.trailing_zeros() as usize;
            let qty_end = (*bracket as usize).wrapping_sub(start + 1);
            let qty_len = qty_end.wrapping_sub(price_len + BETWEEN.len());
            if price_len.wrapping_sub(price_min) > price_spare || qty_len.wrapping_sub(qty_min) > qty_spare {
                return None;
            }
            // SAFETY: both lengths are at most `WINDOW` now, and the quantity ends at most `PAIR_MAX` behind the
            // price's start: what is read up to 8 bytes behind that lies in the block.
            let (windows, keep, comma, behind) = unsafe {
                let at = |place: usize| block.as_ptr().add(place);
                let keep = |len: usize| &*KEEP.as_ptr().add(len).cast();
                (
                    halves(&*at(price_len).cast(), &*at(qty_end).cast()),
                    halves(keep(price_len), keep(qty_len)),
                    at(BEFORE + price_len + 1).cast::<[u8; 2]>().read(),
                    at(BEFORE + qty_end + 1).cast::<[u8; 4]>().read(),
                )
            };
            let digits = _mm256_and_si256(_mm256_xor_si256(windows, xor), keep);
            over = _mm256_or_si256(over, _mm256_subs_epu8(digits, limit));

            let digits = _mm256_shuffle_epi8(digits, shuffle);
            let twos = _mm256_maddubs_epi16(digits, _mm256_set1_epi16(0x010A)); // x10, x1
            let fours = _mm256_madd_epi16(twos, _mm256_set1_epi32(0x0001_0064)); // x100, x1
            let fours = _mm256_packus_epi32(fours, fours);
            let eights = _mm256_madd_epi16(fours, _mm256_set1_epi32(0x0001_2710)); // x10000, x1
            let high = _mm256_mul_epu32(eights, _mm256_set1_epi64x(100_000_000));
            let values = _mm256_add_epi64(high, _mm256_srli_epi64::<32>(eights));
            let values = _mm256_castsi256_si128(_mm256_permute4x64_epi64::<0b1000>(values));
            // SAFETY: a reference to a level, which is price and quantity, 16 bytes in this order, any bits valid.
            unsafe { _mm_storeu_si128(std::ptr::from_mut(level).cast(), values) };

            // The quotes at both ends are known: one was found here, the other with its bracket.
            if comma != BETWEEN[1..] {
                return None;
            }
            if behind != NEXT[1..] {
                let fits = behind[..2] == LAST[1..] && _mm256_testz_si256(over, over) == 1;
                return fits.then_some((room - levels.len(), start + qty_end + LAST.len()));
            }
            start = *bracket as usize + NEXT.len() - 1;
        }
        None
    }

    /// Bytes of a block before the price: what a window reaches back over.
    const BEFORE: usize = WINDOW;
    /// Bytes from the price to the quote behind the quantity at most: all that is read of them lies in a block.
    const PAIR_MAX: usize = WINDOW + BETWEEN.len() + WINDOW;
    const _: () = assert!(BEFORE + PAIR_MAX + 8 <= BLOCK);

    /// The block at `front`, with zeros where the frame has ended.
    #[inline(never)]
    fn last_block<'t>(frame: &[u8], front: usize, tail: &'t mut [u8; BLOCK]) -> Option<&'t [u8; BLOCK]> {
        let rest = frame.get(front..)?;
        *tail = [0; BLOCK];
        tail.get_mut(..rest.len())?.copy_from_slice(rest);
        Some(tail)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::num::{Price, Qty, Step};
    use proptest::prelude::*;

    fn format(tick: &str, price_digits: u8, unit: &str, qty_digits: u8) -> PairFormat {
        let step = |text: &str| Step::parse(text.as_bytes()).unwrap();
        PairFormat::new(
            DecimalFormat::new(step(tick), price_digits),
            DecimalFormat::new(step(unit), qty_digits),
        )
    }

    const HEAD: &[u8] = b"{\"some\":1,\"head\":[";

    /// Reads `list`, which begins behind the first `[`, inside a frame.
    fn read(format: &PairFormat, list: &[u8], room: usize) -> Option<(Vec<Level>, usize)> {
        let frame = [HEAD, list].concat();
        let (mut ends, start) = (PairEnds::new(1_000), HEAD.len());
        assert!(ends.find(&frame, start));
        let mut out = vec![Level::default(); room];
        let read = format.read(&frame, start, ends.ends(), &mut out);
        let mut scalar_out = vec![Level::default(); room];
        if list.starts_with(b"[\"") && format.price.divisor == 1 && format.qty.divisor == 1 {
            let scalar = format.read_scalar(&frame, start + 2, ends.ends(), &mut scalar_out);
            assert_eq!(read, scalar, "{}", String::from_utf8_lossy(list));
            if let Some((count, _)) = read {
                assert_eq!(out[..count], scalar_out[..count]);
            }
        }
        read.map(|(count, end)| (out[..count].to_vec(), end - start))
    }

    fn level(price: i64, qty: i64) -> Level {
        Level { price: Price(price), qty: Qty(qty) }
    }

    #[test]
    fn lists_are_read_to_their_end_and_other_shapes_refused() {
        let usual = format("0.10", 2, "0.001", 3);
        let list = br#"["61800.20","0.014"],["61800.10","12.000"]],"a":[]}"#;
        assert_eq!(read(&usual, list, 9), Some((vec![level(618_002, 14), level(618_001, 12_000)], 43)));
        assert_eq!(read(&usual, list, 2).unwrap().0.len(), 2);
        assert_eq!(read(&usual, list, 1), None, "more than there is room for");
        assert_eq!(read(&usual, b"],\"a\":[]}", 9), Some((vec![], 1)));
        for other in [
            &br#"["61800.20","0.014"],["61800.10","12.000"]"#[..],
            br#"["61800.20","0.014"],["61800.10"]],"a":[]}"#,
            br#"["61800.20","0.014","1"]],"a":[]}"#,
            br#"["61800.20","0.014"], ["61800.10","12.000"]],"a":[]}"#,
            br#"["61800.20", "0.014"]],"a":[]}"#,
            br#"["61800.20","0.0140"]],"a":[]}"#,
            br#"["61800.25","0.014"]],"a":[]}"#,
            br#"["61800.20","-0.014"]],"a":[]}"#,
            br#"["61800.20","0.0e4"]],"a":[]}"#,
            br#"["61800.20",0.014]],"a":[]}"#,
            br#"["",""]],"a":[]}"#,
            br#"["61800.20","0.014"]"#,
            br#"["61800.20","0.014"]]"#,
            br#"["12345678901234.20","0.014"]],"a":[]}"#,
            b"",
            b"[",
            br#"[""#,
        ] {
            let whole = other == br#"["61800.20","0.014"]]"#;
            assert_eq!(read(&usual, other, 9).is_some(), whole, "{}", String::from_utf8_lossy(other));
        }
    }

    #[test]
    fn steps_of_other_mantissas_are_divided_or_refused() {
        let quarters = format("0.25", 2, "5", 0);
        assert_eq!(read(&quarters, br#"["10.50","25"]],"#, 9).unwrap().0, [level(42, 5)]);
        assert_eq!(read(&quarters, br#"["10.60","25"]],"#, 9), None);
        assert_eq!(read(&quarters, br#"["10.50","24"]],"#, 9), None);
    }

    #[test]
    fn more_ends_than_there_is_room_for_are_noticed() {
        let frame = b"\"]".repeat(200);
        assert!(!PairEnds::new(20).find(&frame, 0));
        let mut ends = PairEnds::new(200);
        assert!(ends.find(&frame, 0) && ends.ends().len() == 200);
        assert!(!ends.find(&frame, 500), "beyond the frame");
    }

    proptest! {
        #[test]
        fn every_bracket_behind_a_quote_is_found(text in "[0-9\"\\[\\],a]{0,300}", from in 0_usize..300) {
            let frame = text.as_bytes();
            let mut ends = PairEnds::new(300);
            if from <= frame.len() {
                prop_assert!(ends.find(frame, from));
                let places: Vec<u32> = (from + 1..frame.len())
                    .filter(|at| frame[*at] == b']' && frame[*at - 1] == b'"')
                    .map(|at| u32::try_from(at).unwrap())
                    .collect();
                prop_assert_eq!(ends.ends(), &places[..]);
            }
        }

        #[test]
        fn vectors_and_bytes_agree_on_blocks(block in prop::array::uniform32(prop_oneof![any::<u8>(), Just(b'"'), Just(b']')])) {
            let mut whole = [b'"'; BLOCK + 1];
            whole[..32].copy_from_slice(&block);
            whole[33..].copy_from_slice(&block);
            prop_assert_eq!(pair_ends(&whole), pair_ends_scalar(&whole));
        }

        #[test]
        fn levels_of_any_numbers_are_read_as_the_engine_reads_them(
            numbers in prop::collection::vec((0_u64..10_000_000_000, 0_u64..10_000_000_000), 0..40),
        ) {
            let usual = format("0.01", 2, "0.001", 3);
            let rows: Vec<String> = numbers
                .iter()
                .map(|(p, q)| format!("[\"{}.{:02}\",\"{}.{:03}\"]", p / 100, p % 100, q / 1000, q % 1000))
                .collect();
            let list = format!("{}],", rows.join(","));
            let expected: Vec<Level> =
                numbers.iter().map(|(p, q)| level(i64::try_from(*p).unwrap(), i64::try_from(*q).unwrap())).collect();
            prop_assert_eq!(read(&usual, list.as_bytes(), 40), Some((expected, list.len() - 1)));
        }
    }
}
