//! CRC-32C (Castagnoli, polynomial 0x1EDC6F41, reflected), a 64-bit word at a time.
//!
//! With SSE4.2 at compile time (the workspace builds for x86-64-v3) a word is one instruction with three
//! cycles of latency; elsewhere eight table look-ups. Both give the same numbers on any machine, because
//! words are taken in little-endian order.

/// A CRC-32C in progress. `Crc::new().word(..).word(..).finish()` equals the CRC-32C of the same bytes.
#[derive(Clone, Copy, Debug)]
pub struct Crc(u64);

impl Crc {
    /// The CRC of nothing yet.
    #[inline]
    #[must_use]
    pub const fn new() -> Self {
        Self(0xFFFF_FFFF)
    }

    /// Takes eight bytes, given as the number they make in little-endian order.
    #[inline]
    #[must_use]
    pub fn word(self, word: u64) -> Self {
        #[cfg(all(target_arch = "x86_64", target_feature = "sse4.2"))]
        // SAFETY: the instruction is part of the instruction set that this build is compiled for.
        return Self(unsafe { core::arch::x86_64::_mm_crc32_u64(self.0, word) });
        #[cfg(not(all(target_arch = "x86_64", target_feature = "sse4.2")))]
        return Self(u64::from(table_word(self.low(), word)));
    }

    /// Takes bytes of any number; cold, for file headers and tests.
    #[must_use]
    pub fn bytes(self, bytes: &[u8]) -> Self {
        let (words, tail) = bytes.as_chunks::<8>();
        let crc = words.iter().fold(self, |crc, word| crc.word(u64::from_le_bytes(*word)));
        Self(u64::from(tail.iter().fold(crc.low(), |crc, byte| table_byte(crc, *byte))))
    }

    /// The finished checksum.
    #[inline]
    #[must_use]
    pub const fn finish(self) -> u32 {
        !self.low()
    }

    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "the upper half of the running value is always zero")]
    const fn low(self) -> u32 {
        self.0 as u32
    }
}

impl Default for Crc {
    fn default() -> Self {
        Self::new()
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the low byte is what is wanted")]
const fn table_byte(crc: u32, byte: u8) -> u32 {
    crc >> 8 ^ TABLES[0][(crc as u8 ^ byte) as usize]
}

/// Slicing by eight: the eight look-ups do not wait for one another.
#[cfg_attr(all(target_arch = "x86_64", target_feature = "sse4.2", not(test)), expect(dead_code))]
fn table_word(crc: u32, word: u64) -> u32 {
    let bytes = (word ^ u64::from(crc)).to_le_bytes();
    (0..8).fold(0, |sum, index| sum ^ TABLES[7 - index][usize::from(bytes[index])])
}

/// `TABLES[n][byte]` is the CRC of `byte` followed by `n` zero bytes.
static TABLES: [[u32; 256]; 8] = tables();

#[expect(clippy::cast_possible_truncation, reason = "the index runs to 255")]
const fn tables() -> [[u32; 256]; 8] {
    let mut tables = [[0_u32; 256]; 8];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ 0x82F6_3B78 } else { crc >> 1 };
            bit += 1;
        }
        tables[0][byte] = crc;
        byte += 1;
    }
    let mut table = 1;
    while table < 8 {
        let mut byte = 0;
        while byte < 256 {
            let before = tables[table - 1][byte];
            tables[table][byte] = before >> 8 ^ tables[0][(before & 0xFF) as usize];
            byte += 1;
        }
        table += 1;
    }
    tables
}

#[cfg(test)]
mod tests {
    use super::*;

    fn crc(bytes: &[u8]) -> u32 {
        Crc::new().bytes(bytes).finish()
    }

    #[test]
    fn the_published_vectors_come_out() {
        // RFC 3720, appendix B.4, and the check value of the CRC catalogue.
        assert_eq!(crc(b"123456789"), 0xE306_9283);
        assert_eq!(crc(&[0; 32]), 0x8A91_36AA);
        assert_eq!(crc(&[0xFF; 32]), 0x62A8_AB43);
        let up: Vec<u8> = (0..32).collect();
        assert_eq!(crc(&up), 0x46DD_794E);
        let down: Vec<u8> = (0..32).rev().collect();
        assert_eq!(crc(&down), 0x113F_DB5C);
        assert_eq!(crc(b""), 0);
    }

    #[test]
    fn instruction_and_table_agree_on_every_word() {
        let mut word = 0x9E37_79B9_7F4A_7C15_u64;
        let (mut fast, mut table) = (Crc::new(), 0xFFFF_FFFF_u32);
        for _ in 0..10_000 {
            word = word.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            fast = fast.word(word);
            table = table_word(table, word);
            assert_eq!(fast.finish(), !table);
            let bytes = word.to_le_bytes().iter().fold(0xFFFF_FFFF, |crc, byte| table_byte(crc, *byte));
            assert_eq!(bytes, table_word(0xFFFF_FFFF, word));
        }
    }
}
