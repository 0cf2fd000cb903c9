//! Sixteen bytes of a frame, taken at once: in a vector register where the processor has one. What is found
//! in them never passes through memory, which would cost more than the finding.

/// Bytes of a chunk.
pub(crate) const CHUNK: usize = 16;

#[cfg(not(all(target_arch = "x86_64", target_feature = "avx2")))]
pub(crate) use scalar::Chunk;
#[cfg(all(target_arch = "x86_64", target_feature = "avx2"))]
pub(crate) use vector::Chunk;

/// The 16 from `len` on keep the last `len` bytes of a chunk.
#[cfg(all(target_arch = "x86_64", target_feature = "avx2"))]
pub(crate) static KEEP: [u8; 2 * CHUNK] = {
    let mut keep = [0xFF; 2 * CHUNK];
    let mut place = 0;
    while place < CHUNK {
        keep[place] = 0;
        place += 1;
    }
    keep
};

/// What a decimal's bytes are held against; see `DecimalFormat`.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(16))]
pub(crate) struct Layout {
    /// Turns the bytes that must be there into zeros, and digits into their values.
    pub(crate) xor: [u8; CHUNK],
    /// The greatest value each byte may have then.
    pub(crate) limit: [u8; CHUNK],
    /// Which byte goes to each of 16 decimal places, most significant first; 128 and more: none.
    pub(crate) shuffle: [u8; CHUNK],
}

#[cfg(all(target_arch = "x86_64", target_feature = "avx2"))]
mod vector {
    use super::{CHUNK, KEEP, Layout};
    use std::arch::x86_64::{
        __m128i, _mm_and_si128, _mm_cmpeq_epi8, _mm_cvtsi128_si64, _mm_loadu_si128, _mm_madd_epi16,
        _mm_maddubs_epi16, _mm_min_epu8, _mm_movemask_epi8, _mm_packus_epi32, _mm_set1_epi8, _mm_set1_epi16,
        _mm_set1_epi32, _mm_shuffle_epi8, _mm_sub_epi8, _mm_subs_epu8, _mm_testz_si128, _mm_xor_si128,
    };

    /// Sixteen bytes. Every `unsafe` here stands on the same ground: this module is compiled only for targets
    /// that have AVX2 (and with it SSE4.1), and loads take references to 16 bytes and need no alignment.
    #[derive(Clone, Copy, Debug)]
    pub(crate) struct Chunk(__m128i);

    /// Sliding shuffle: the 16 from `len` on move the first `len` bytes to the end, the 16 from `16 + count` on
    /// move what follows the first `count` bytes to the front; zeros come in.
    static SLIDE: [u8; 3 * CHUNK] = {
        let mut shuffle = [0x80; 3 * CHUNK];
        let mut place = 0;
        while place < 0x10 {
            shuffle[CHUNK + place as usize] = place;
            place += 1;
        }
        shuffle
    };

    impl Chunk {
        #[inline(always)]
        pub(crate) fn new(bytes: &[u8; CHUNK]) -> Self {
            // SAFETY: see the type.
            Self(unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) })
        }

        /// Every byte to the place that the 16 of `SLIDE` from `from` on say.
        #[inline(always)]
        fn slid(self, from: usize) -> Option<Self> {
            let shuffle = Self::new(SLIDE.get(from..)?.first_chunk()?);
            // SAFETY: see the type.
            Some(Self(unsafe { _mm_shuffle_epi8(self.0, shuffle.0) }))
        }

        /// As if the first `count` bytes were not there. `count` 0..=16.
        #[inline(always)]
        pub(crate) fn without_first(self, count: usize) -> Option<Self> {
            self.slid(CHUNK + count)
        }

        /// Where the first quote is; 32 when there is none.
        #[inline(always)]
        pub(crate) fn quote(self) -> usize {
            // SAFETY: see the type.
            let quotes =
                unsafe { _mm_movemask_epi8(_mm_cmpeq_epi8(self.0, _mm_set1_epi8(b'"'.cast_signed()))) };
            quotes.trailing_zeros() as usize
        }

        /// The number at the front, when it has exactly `len` digits, 1..=15.
        #[inline(always)]
        pub(crate) fn leading_digits_if(self, len: u8) -> Option<u64> {
            // SAFETY: see the type.
            let (digits, marks) = unsafe {
                let digits = _mm_sub_epi8(self.0, _mm_set1_epi8(b'0'.cast_signed()));
                let is_digit = _mm_cmpeq_epi8(_mm_min_epu8(digits, _mm_set1_epi8(9)), digits);
                (Self(digits), _mm_movemask_epi8(is_digit))
            };
            let len = len & 15;
            if marks & ((2 << len) - 1) != (1 << len) - 1 {
                return None;
            }
            Some(digits.slid(usize::from(len))?.sixteen_digits())
        }

        /// The whole number at the front: its length and value. None: 16 digits and more.
        #[inline(always)]
        pub(crate) fn leading_digits(self) -> Option<(usize, u64)> {
            // SAFETY: see the type.
            let (digits, marks) = unsafe {
                let digits = _mm_sub_epi8(self.0, _mm_set1_epi8(b'0'.cast_signed()));
                let is_digit = _mm_cmpeq_epi8(_mm_min_epu8(digits, _mm_set1_epi8(9)), digits);
                (Self(digits), _mm_movemask_epi8(is_digit))
            };
            let len = (!marks).trailing_zeros() as usize;
            if len >= CHUNK {
                return None;
            }
            // Only the digits find a place.
            Some((len, digits.slid(len)?.sixteen_digits()))
        }

        /// The decimal in the last `len` bytes, in the layout's places. None: it is laid out otherwise.
        #[inline(always)]
        pub(crate) fn decimal(self, layout: &Layout, len: usize) -> Option<u64> {
            let keep = Self::new(KEEP.get(len..)?.first_chunk()?);
            let (xor, limit) = (Self::new(&layout.xor), Self::new(&layout.limit));
            // SAFETY: see the type.
            let (digits, fits) = unsafe {
                let digits = _mm_and_si128(_mm_xor_si128(self.0, xor.0), keep.0);
                let over = _mm_subs_epu8(digits, limit.0);
                (digits, _mm_testz_si128(over, over) == 1)
            };
            // SAFETY: see the type.
            let digits = Self(unsafe { _mm_shuffle_epi8(digits, Self::new(&layout.shuffle).0) });
            fits.then(|| digits.sixteen_digits())
        }

        /// The number of 16 digit values, the first the most significant.
        #[inline(always)]
        fn sixteen_digits(self) -> u64 {
            // SAFETY: see the type.
            let both = unsafe {
                let twos = _mm_maddubs_epi16(self.0, _mm_set1_epi16(0x010A)); // x10, x1
                let fours = _mm_madd_epi16(twos, _mm_set1_epi32(0x0001_0064)); // x100, x1
                let fours = _mm_packus_epi32(fours, fours);
                _mm_cvtsi128_si64(_mm_madd_epi16(fours, _mm_set1_epi32(0x0001_2710))) // x10000, x1
            };
            let both = both.cast_unsigned();
            (both & 0xFFFF_FFFF) * 100_000_000 + (both >> 32)
        }
    }
}

/// The same, one byte after the other: for other processors, and the truth in tests.
#[cfg(any(test, not(all(target_arch = "x86_64", target_feature = "avx2"))))]
pub(crate) mod scalar {
    use super::{CHUNK, Layout};

    /// Sixteen bytes.
    #[derive(Clone, Copy, Debug)]
    pub(crate) struct Chunk([u8; CHUNK]);

    impl Chunk {
        pub(crate) fn new(bytes: &[u8; CHUNK]) -> Self {
            Self(*bytes)
        }

        /// As if the first `count` bytes were not there. `count` 0..=16.
        pub(crate) fn without_first(self, count: usize) -> Option<Self> {
            let mut bytes = [0; CHUNK];
            bytes.get_mut(..CHUNK.checked_sub(count)?)?.copy_from_slice(self.0.get(count..)?);
            Some(Self(bytes))
        }

        /// Where the first quote is; 32 when there is none.
        pub(crate) fn quote(self) -> usize {
            self.0.iter().position(|byte| *byte == b'"').unwrap_or(32)
        }

        /// The number at the front, when it has exactly `len` digits, 1..=15.
        pub(crate) fn leading_digits_if(self, len: u8) -> Option<u64> {
            let (found, value) = self.leading_digits()?;
            (found == usize::from(len & 15)).then_some(value)
        }

        /// The whole number at the front: its length and value. None: 16 digits and more.
        pub(crate) fn leading_digits(self) -> Option<(usize, u64)> {
            let len = self.0.iter().position(|byte| !byte.is_ascii_digit())?;
            Some((len, self.0.iter().take(len).fold(0, |value, byte| value * 10 + u64::from(byte - b'0'))))
        }

        /// The decimal in the last `len` bytes, in the layout's places. None: it is laid out otherwise.
        pub(crate) fn decimal(self, layout: &Layout, len: usize) -> Option<u64> {
            let mut digits = [0; CHUNK];
            for (place, digit) in digits.iter_mut().enumerate().skip(CHUNK.checked_sub(len)?) {
                *digit = self.0[place] ^ layout.xor[place];
                if *digit > layout.limit[place] {
                    return None;
                }
            }
            Some(layout.shuffle.iter().fold(0, |value, from| {
                value * 10 + digits.get(usize::from(*from)).map_or(0, |digit| u64::from(*digit))
            }))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn chunks_say_the_same_both_ways(text in "[0-9]{0,17}[\"0-9.x]{0,16}", count in 0_usize..=17) {
            let padded = format!("{text:\0<16}");
            let bytes = padded.as_bytes().first_chunk().unwrap();
            let (fast, slow) = (Chunk::new(bytes), scalar::Chunk::new(bytes));
            prop_assert_eq!(fast.quote(), slow.quote());
            prop_assert_eq!(fast.leading_digits(), slow.leading_digits());
            for len in 0..16 {
                prop_assert_eq!(fast.leading_digits_if(len), slow.leading_digits_if(len));
            }
            match (fast.without_first(count), slow.without_first(count)) {
                (Some(fast), Some(slow)) => {
                    prop_assert_eq!(fast.quote(), slow.quote());
                    prop_assert_eq!(fast.leading_digits(), slow.leading_digits());
                }
                (fast, slow) => prop_assert!(fast.is_none() && slow.is_none() && count > CHUNK),
            }
        }

        #[test]
        fn decimals_say_the_same_both_ways(bytes in prop::array::uniform16(b'.'..b':'), len in 0_usize..=17) {
            let mut layout = Layout { xor: [b'0'; 16], limit: [9; 16], shuffle: [0x80; 16] };
            (layout.xor[12], layout.limit[12]) = (b'.', 0);
            for place in 1..16_u8 {
                layout.shuffle[usize::from(place)] = if place > 12 { place } else { place - 1 };
            }
            let (fast, slow) = (Chunk::new(&bytes), scalar::Chunk::new(&bytes));
            prop_assert_eq!(fast.decimal(&layout, len), slow.decimal(&layout, len));
        }
    }
}
