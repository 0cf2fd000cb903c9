//! Where things are in a lane file: 64-bit little-endian words.
//!
//! ```text
//! word 0       magic                                 ┐
//!      1       version u32, slots u32                │ complete before the file gets its name
//!      2       writer's pid u32, uid u32             │
//!      3       when it was made, UTC ns              │
//!      4       crc32c of words 0..4                  ┘
//!     16..     slots, 320 words each
//!
//! slot  0      command id, stored last               ┐ the writer's; 0: none yet
//!       1      crc32c u32, length u32                │
//!       2..    command, up to 2,032 bytes            ┘
//!     256      id of the command answered, last      ┐ the engine's; 0: none yet
//!     257      crc32c u32, length u32                │
//!     258..    answer, up to 496 bytes               ┘
//! ```
//!
//! Ids count from 1 without gaps. Command `id` is in slot `(id - 1) % SLOTS`, whose former command was answered.
//! A checksum covers words 2 and 3 of the header, id, length and bytes: what belongs to another lane, slot or
//! round does not fit.

use crate::counters::region::Region;
use crate::journal::Crc;
use std::sync::atomic::Ordering;

/// Commands that a lane holds before the first of them is answered.
pub const SLOTS: u64 = 16;

pub(super) const MAGIC: u64 = u64::from_le_bytes(*b"SABRECMD");
pub(super) const VERSION: u32 = 1;
pub(super) const HEADER_WORDS: usize = 16;
const SLOT_WORDS: usize = 320;
const ANSWER_WORD: usize = 256;
/// Longest command, bytes.
pub(super) const COMMAND_BYTES_MAX: usize = (ANSWER_WORD - 2) * 8;
/// Longest answer, bytes.
pub(super) const ANSWER_BYTES_MAX: usize = (SLOT_WORDS - ANSWER_WORD - 2) * 8;
#[expect(clippy::cast_possible_truncation, reason = "16")]
pub(super) const FILE_WORDS: usize = HEADER_WORDS + SLOTS as usize * SLOT_WORDS;
/// How the file names of lanes end.
pub(super) const EXTENSION: &str = "lane";

const _: () = assert!(super::Answer::REASON_BYTES_MAX + 11 <= ANSWER_BYTES_MAX);

/// Who made the file, as it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) pid: u32,
    pub(super) uid: u32,
    pub(super) start_ns: u64,
}

impl Header {
    pub(super) fn words(&self) -> [u64; 5] {
        let version = u64::from(VERSION) | SLOTS << 32;
        let words = [MAGIC, version, u64::from(self.pid) | u64::from(self.uid) << 32, self.start_ns];
        let crc = words.iter().fold(Crc::new(), |crc, word| crc.word(*word)).finish();
        [words[0], words[1], words[2], words[3], crc.into()]
    }

    /// The header of a file's first words. Err: what is wrong.
    pub(super) fn parse(words: [u64; 5]) -> Result<Self, &'static str> {
        if words[0] != MAGIC {
            return Err("not a lane of commands (byte 0)");
        }
        if words[1] != u64::from(VERSION) | SLOTS << 32 {
            return Err("another version (byte 8)");
        }
        let (pid, uid) = (words[2] & 0xFFFF_FFFF, words[2] >> 32);
        let header = Self {
            pid: u32::try_from(pid).unwrap_or(0),
            uid: u32::try_from(uid).unwrap_or(0),
            start_ns: words[3],
        };
        if header.words() == words { Ok(header) } else { Err("damaged header (byte 32)") }
    }

    /// The checksum of an entry's bytes begins with the lane it belongs to.
    fn seed(self) -> Crc {
        let [_, _, owner, start, _] = self.words();
        Crc::new().word(owner).word(start)
    }
}

/// One of the two halves of a slot.
#[derive(Clone, Copy)]
pub(super) enum Half {
    Command,
    Answer,
}

impl Half {
    /// The word that holds the id.
    pub(super) fn word(self, id: u64) -> usize {
        let slot = usize::try_from(id.wrapping_sub(1) % SLOTS).unwrap_or(0);
        HEADER_WORDS + slot * SLOT_WORDS + if matches!(self, Self::Command) { 0 } else { ANSWER_WORD }
    }

    pub(super) const fn bytes_max(self) -> usize {
        match self {
            Self::Command => COMMAND_BYTES_MAX,
            Self::Answer => ANSWER_BYTES_MAX,
        }
    }
}

/// The words of an entry behind its id.
pub(super) fn encode(header: Header, id: u64, bytes: &[u8]) -> Vec<u64> {
    let mut words = vec![checked(header, id, bytes)];
    words.extend(bytes.chunks(8).map(|chunk| {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        u64::from_le_bytes(word)
    }));
    words
}

/// The bytes of an entry from what follows its id. None: length or checksum do not fit.
pub(super) fn decode(header: Header, id: u64, half: Half, stored: &[u8]) -> Option<&[u8]> {
    let checked_word = u64::from_le_bytes(*stored.first_chunk()?);
    let len_bytes = usize::try_from(checked_word >> 32).ok()?;
    let bytes = stored.get(8..8 + len_bytes.min(half.bytes_max()))?;
    (len_bytes <= half.bytes_max() && checked(header, id, bytes) == checked_word).then_some(bytes)
}

fn checked(header: Header, id: u64, bytes: &[u8]) -> u64 {
    let crc = header.seed().word(id).word(bytes.len() as u64).bytes(bytes);
    u64::from(crc.finish()) | (bytes.len() as u64) << 32
}

/// Stores an entry: everything else first, its id last.
pub(super) fn publish(region: &Region, half: Half, id: u64, behind: &[u64]) {
    let at = half.word(id);
    for (offset, word) in behind.iter().enumerate() {
        // Relaxed: published by the store of the id below.
        region.word(at + 1 + offset).store(*word, Ordering::Relaxed);
    }
    // Pairs with the fence in `Lane::next`, and with the Acquire in `entry` where the engine's answers are
    // modelled: who sees the id sees the bytes.
    region.word(at).store(id, Ordering::Release);
}

/// The bytes of entry `id`. None: not there yet. Err: there, and damaged.
pub(super) fn entry(region: &Region, header: Header, half: Half, id: u64) -> Option<Result<Vec<u8>, ()>> {
    let at = half.word(id);
    // Pairs with the engine's second write in `CommandReader::answer`.
    if region.word(at).load(Ordering::Acquire) != id {
        return None;
    }
    let load = |offset: usize| region.word(at + offset).load(Ordering::Relaxed);
    let len_bytes = usize::try_from(load(1) >> 32).unwrap_or(usize::MAX).min(half.bytes_max());
    let stored: Vec<u8> =
        (0..=len_bytes.div_ceil(8)).flat_map(|offset| load(1 + offset).to_le_bytes()).collect();
    Some(decode(header, id, half, &stored).map(<[u8]>::to_vec).ok_or(()))
}
