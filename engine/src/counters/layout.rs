//! Where things are in a counters file: 64-bit little-endian words, every one of them stored atomically.
//!
//! ```text
//! word 0       magic                                     ┐
//!      1       version u32, capacity u32                 │ written by `create`, magic last
//!      2       run id                                    │
//!      3       pid u32, 0                                │
//!      4       start, UTC ns                             ┘
//!     16       count u32, text words used u32            rewritten by each `register`, last
//!     32..     descriptors, 8 words each                 ┐ `capacity` of them
//!              texts, 32 words a descriptor              │ UTF-8, each from a new word on
//!              values, 16 words (one line) a descriptor  ┘ a line has one owner
//! ```
//!
//! A descriptor is six texts (first word u32, length in bytes u32: name, owner, strategy, instrument, help,
//! reasons joined by line feeds), then `kind u16, unit u16, value u32`, then 0. Texts may be shared. `value` is
//! the counter's word in the value area; of a histogram, the first of `HISTOGRAM_WORDS`, in lines of its own.

use crate::histogram::BUCKETS;
use crate::time::Nanos;

use super::{Kind, Unit};

/// Most counters that a file may hold.
pub const CAPACITY_MAX: u32 = 65_536;

pub(super) const MAGIC: u64 = u64::from_le_bytes(*b"SABRECNT");
pub(super) const VERSION: u32 = 1;
pub(super) const MAGIC_WORD: usize = 0;
pub(super) const PUBLISHED_WORD: usize = 16;
pub(super) const HEADER_WORDS: usize = 32;
pub(super) const DESCRIPTOR_WORDS: usize = 8;
/// Two cache lines, the unit in which the CPU prefetches.
pub(super) const LINE_WORDS: u32 = 16;
/// Counts by bucket, and the largest value.
#[expect(clippy::cast_possible_truncation, reason = "3,329")]
pub(super) const HISTOGRAM_WORDS: u32 = BUCKETS as u32 + 1;
const TEXT_WORDS_EACH: u32 = 32;

// Words are stored as they are; a big-endian machine would need a swap at each.
const _: () = assert!(cfg!(target_endian = "little"));
// Mappings start at a page, so lines are lines in memory if they are in the file.
const _: () = assert!(HEADER_WORDS.is_multiple_of(LINE_WORDS as usize));
const _: () = assert!(PUBLISHED_WORD.is_multiple_of(LINE_WORDS as usize));

/// Places that follow from the capacity alone; word indices count from the start of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    capacity: u32,
}

impl Layout {
    /// None: `capacity` is not in `1..=CAPACITY_MAX`.
    pub(super) fn new(capacity: u32) -> Option<Self> {
        (1..=CAPACITY_MAX).contains(&capacity).then_some(Self { capacity })
    }

    pub(super) fn capacity(&self) -> u32 {
        self.capacity
    }

    pub(super) fn descriptor_word(&self, index: u32) -> usize {
        HEADER_WORDS + index as usize * DESCRIPTOR_WORDS
    }

    pub(super) fn text_words(&self) -> u32 {
        self.capacity * TEXT_WORDS_EACH
    }

    pub(super) fn text_word(&self, word: u32) -> usize {
        self.descriptor_word(self.capacity) + word as usize
    }

    pub(super) fn value_words(&self) -> u32 {
        self.capacity * LINE_WORDS
    }

    pub(super) fn value_word(&self, slot: u32) -> usize {
        // The areas before end on a line only where the capacity is even.
        self.text_word(self.text_words()).next_multiple_of(LINE_WORDS as usize) + slot as usize
    }

    pub(super) fn file_words(&self) -> usize {
        self.value_word(self.value_words())
    }
}

/// What `create` writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) layout: Layout,
    pub(super) run_id: u64,
    pub(super) pid: u32,
    pub(super) start: Nanos,
}

impl Header {
    pub(super) fn words(&self) -> [u64; 5] {
        [MAGIC, pack(VERSION, self.layout.capacity), self.run_id, pack(self.pid, 0), self.start.0]
    }
}

/// A text: its first word in the text area, and its length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TextRef {
    pub(super) word: u32,
    pub(super) len_bytes: u32,
}

/// One counter's description as stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Descriptor {
    pub(super) name: TextRef,
    pub(super) owner: TextRef,
    pub(super) strategy: TextRef,
    pub(super) instrument: TextRef,
    pub(super) help: TextRef,
    pub(super) reasons: TextRef,
    pub(super) kind: Kind,
    pub(super) unit: Unit,
    /// Index in the value area.
    pub(super) value: u32,
}

impl Descriptor {
    pub(super) fn words(&self) -> [u64; DESCRIPTOR_WORDS] {
        let texts = [self.name, self.owner, self.strategy, self.instrument, self.help, self.reasons];
        let [name, owner, strategy, instrument, help, reasons] =
            texts.map(|text| pack(text.word, text.len_bytes));
        let kind =
            u64::from(self.kind as u16) | u64::from(self.unit as u16) << 16 | u64::from(self.value) << 32;
        [name, owner, strategy, instrument, help, reasons, kind, 0]
    }
}

/// The word that publishes `count` descriptors and the texts they use.
pub(super) fn published(count: u32, text_words_used: u32) -> u64 {
    pack(count, text_words_used)
}

/// Two numbers in a word, the first in the low half.
pub(super) fn pack(low: u32, high: u32) -> u64 {
    u64::from(high) << 32 | u64::from(low)
}

/// Undoes `pack`.
#[expect(clippy::cast_possible_truncation, reason = "the halves are what is wanted")]
pub(super) fn unpack(word: u64) -> (u32, u32) {
    (word as u32, (word >> 32) as u32)
}

/// Whether exporters can take it for a metric's name.
pub(super) fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_'))
}

/// Whether it can be shown: a control character could move a terminal's cursor or end a line early.
pub(super) fn is_plain(text: &str) -> bool {
    !text.chars().any(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn areas_follow_each_other_and_values_start_on_a_line() {
        for capacity in [1, 2, 3, 1_000, CAPACITY_MAX] {
            let layout = Layout::new(capacity).unwrap();
            assert_eq!(layout.descriptor_word(0), HEADER_WORDS);
            assert_eq!(layout.descriptor_word(capacity), layout.text_word(0));
            assert!(layout.text_word(layout.text_words()) <= layout.value_word(0));
            assert!(layout.value_word(0).is_multiple_of(LINE_WORDS as usize));
            assert_eq!(layout.file_words(), layout.value_word(capacity * LINE_WORDS));
        }
        assert_eq!(Layout::new(0), None);
        assert_eq!(Layout::new(CAPACITY_MAX + 1), None);
    }
}
