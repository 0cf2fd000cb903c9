//! In which order the words of a record reach memory: all of it first, its sequence last, with Release.
//!
//! Generic over the atomic word, so that the model checker runs this very code (`model.rs`), and over what
//! happens before each store, so that the kill tests can end the process there (`kill.rs`). In the engine
//! both are nothing: a store is one `mov`.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::ids::Lane;

use super::crc::Crc;
use super::record::{CELL_WORDS, Entry, INLINE_BYTES, head_words};

/// A 64-bit atomic word of a segment, holding little-endian bytes.
pub(super) trait Word {
    fn store(&self, value: u64, order: Ordering);
}

impl Word for AtomicU64 {
    #[inline]
    fn store(&self, value: u64, order: Ordering) {
        Self::store(self, value.to_le(), order);
    }
}

/// Where a record is in its lane, and how long.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub(super) lane: Lane,
    pub(super) seq: u64,
    pub(super) len_bytes: u32,
}

/// Writes one record into `words`, which are exactly its cells and all zero. The body is `inline`, then
/// `long`; where the body is shorter than `inline`, the rest of it is zero. Returns the record's checksum.
#[inline]
pub(super) fn write_record<W: Word>(
    words: &[W],
    place: Place,
    entry: &Entry,
    inline: [u8; INLINE_BYTES],
    long: &[u8],
    mut before_store: impl FnMut(),
) -> u32 {
    let Some((head, raw)) = words.split_first_chunk::<CELL_WORDS>() else { return 0 };
    let fields = head_words(place.lane, place.seq, entry, place.len_bytes);
    let mut crc = fields.iter().fold(Crc::new(), |crc, field| crc.word(*field));
    for (slot, bytes) in head[5..].iter().zip(inline.as_chunks::<8>().0) {
        let word = u64::from_le_bytes(*bytes);
        crc = crc.word(word);
        before_store();
        slot.store(word, Ordering::Relaxed);
    }
    let (long_words, tail) = long.as_chunks::<8>();
    let mut slots = raw.iter();
    // `long_words` leads the zip: it is the shorter, and a slot that meets no word must not be lost.
    for (bytes, slot) in long_words.iter().zip(&mut slots) {
        let word = u64::from_le_bytes(*bytes);
        crc = crc.word(word);
        before_store();
        slot.store(word, Ordering::Relaxed);
    }
    let mut word = tail.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte));
    for slot in slots {
        crc = crc.word(word);
        before_store();
        slot.store(word, Ordering::Relaxed);
        word = 0;
    }
    for index in [4, 3, 2] {
        before_store();
        head[index].store(fields[index], Ordering::Relaxed);
    }
    before_store();
    let crc32c = crc.finish();
    head[1].store(fields[1] | u64::from(crc32c), Ordering::Relaxed);
    before_store();
    // Pairs with the fence in `Cursor::next`: who sees `seq` sees all stores above.
    head[0].store(place.seq, Ordering::Release);
    before_store();
    crc32c
}

/// Stores `words[1..]`, then `words[0]` with Release (pairs with the fence in `SegmentFile::mark`): how a segment's
/// `begin` and `end` cells appear whole or not at all.
pub(super) fn publish<W: Word>(words: &[W], values: &[u64], mut before_store: impl FnMut()) {
    let (Some((first, rest)), Some((value, values))) = (words.split_first(), values.split_first()) else {
        return;
    };
    for (word, value) in rest.iter().zip(values) {
        before_store();
        word.store(*value, Ordering::Relaxed);
    }
    before_store();
    first.store(*value, Ordering::Release);
    before_store();
}
