//! The window near the touch: quantities by tick in a ring, and which of them are occupied.
//!
//! A key's slot is its low bits, so the window moves without moving what stays in it: only levels that leave
//! or enter are touched. `words` has a bit for each slot, `groups` a bit for each word that has one.

use super::taken;

/// Quantities of the keys `base .. base + window`, 0 where there is no level.
pub(super) struct Ladder {
    /// Lowest key of the window, a multiple of 64: a word's keys are contiguous.
    base: i64,
    len: usize,
    qty: Box<[i64]>,
    words: Box<[u64]>,
    groups: Box<[u64]>,
}

impl Ladder {
    /// `window`: a power of two of at least 256.
    pub(super) fn new(window: usize) -> Self {
        let words = window / 64;
        Self {
            base: 0,
            len: 0,
            qty: taken(0, window),
            words: taken(0, words),
            groups: taken(0, words.div_ceil(64)),
        }
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        self.len
    }

    #[inline]
    pub(super) fn base(&self) -> i64 {
        self.base
    }

    #[inline]
    pub(super) fn window(&self) -> u64 {
        self.qty.len() as u64
    }

    /// How far `key` lies above the base; at least `window()` for keys outside, also those below.
    #[inline]
    pub(super) fn offset(&self, key: i64) -> u64 {
        key.wrapping_sub(self.base).cast_unsigned()
    }

    #[inline]
    pub(super) fn covers(&self, key: i64) -> bool {
        self.offset(key) < self.window()
    }

    /// Sets the quantity of a covered key and returns the one before.
    #[inline]
    pub(super) fn replace(&mut self, key: i64, qty: i64) -> i64 {
        let slot = self.slot(key);
        let old = std::mem::replace(&mut self.qty[slot], qty);
        let (word, bit) = (slot / 64, slot % 64);
        let before = self.words[word];
        let after = before & !(1 << bit) | u64::from(qty != 0) << bit;
        self.words[word] = after;
        if (before == 0) != (after == 0) {
            self.groups[word / 64] ^= 1 << (word % 64);
        }
        self.len = self.len + usize::from(qty != 0) - usize::from(old != 0);
        old
    }

    /// Quantity of a covered key.
    #[inline]
    pub(super) fn quantity(&self, key: i64) -> i64 {
        self.qty[self.slot(key)]
    }

    /// The best occupied key, given a covered one above which nothing is occupied. None: the ladder is empty.
    #[inline]
    pub(super) fn best_from(&self, key: i64) -> Option<i64> {
        if self.quantity(key) != 0 {
            return Some(key);
        }
        self.cursor(key).next(self).map(|(key, _)| key)
    }

    /// The worst occupied key. None: the ladder is empty.
    pub(super) fn worst(&self) -> Option<i64> {
        let base_word = self.slot(self.base) / 64;
        let word = self.occupied_word_from(base_word)?;
        Some(self.key(word * 64 + self.words[word].trailing_zeros() as usize))
    }

    /// Walks down from a covered key above which nothing is occupied.
    #[inline]
    pub(super) fn cursor(&self, key: i64) -> Cursor {
        let word = self.slot(key) / 64;
        Cursor { word, bits: self.words[word], left: self.len }
    }

    /// Moves the window; `out` takes, worst first, the levels that fall below the new base. Levels above
    /// the new window must not exist. `base`: a multiple of 64 with `base + window` in range.
    pub(super) fn move_to(&mut self, base: i64, mut out: impl FnMut(i64, i64)) {
        let leaving = if base > self.base { base.abs_diff(self.base).min(self.window()) / 64 } else { 0 };
        let first = self.slot(self.base) / 64;
        let words_mask = self.words.len() - 1;
        for step in 0..usize::try_from(leaving).unwrap_or(0) {
            let word = (first + step) & words_mask;
            let mut bits = std::mem::take(&mut self.words[word]);
            if bits == 0 {
                continue;
            }
            self.groups[word / 64] &= !(1 << (word % 64));
            while bits != 0 {
                let slot = word * 64 + bits.trailing_zeros() as usize;
                bits &= bits - 1;
                self.len -= 1;
                out(self.key(slot), std::mem::take(&mut self.qty[slot]));
            }
        }
        self.base = base;
    }

    /// Costs what was held, not the window: a venue that sends only snapshots clears at each message.
    pub(super) fn clear(&mut self) {
        for group in 0..self.groups.len() {
            let mut words = std::mem::take(&mut self.groups[group]);
            while words != 0 {
                let word = group * 64 + words.trailing_zeros() as usize;
                words &= words - 1;
                let mut bits = std::mem::take(&mut self.words[word]);
                while bits != 0 {
                    self.qty[word * 64 + bits.trailing_zeros() as usize] = 0;
                    bits &= bits - 1;
                }
            }
        }
        self.len = 0;
    }

    pub(super) fn heap_bytes(&self) -> usize {
        size_of_val(&*self.qty) + size_of_val(&*self.words) + size_of_val(&*self.groups)
    }

    #[inline]
    #[allow(clippy::cast_possible_truncation, reason = "the low bits are what is asked for")]
    fn slot(&self, key: i64) -> usize {
        key.cast_unsigned() as usize & (self.qty.len() - 1)
    }

    #[inline]
    fn key(&self, slot: usize) -> i64 {
        let above_base = (slot as u64).wrapping_sub(self.base.cast_unsigned()) & (self.window() - 1);
        self.base + above_base.cast_signed()
    }

    /// The first occupied word going down the ring from `word`, itself the last to be looked at.
    #[inline]
    fn occupied_word_below(&self, word: usize) -> Option<usize> {
        let (mut group, bit) = (word / 64, word % 64);
        let mut bits = self.groups[group] & ((1 << bit) - 1);
        for _ in 0..=self.groups.len() {
            if bits != 0 {
                return Some(group * 64 + 63 - bits.leading_zeros() as usize);
            }
            group = group.wrapping_sub(1) & (self.groups.len() - 1);
            bits = self.groups[group];
        }
        None
    }

    /// The first occupied word going up the ring from `word`, itself the first to be looked at.
    fn occupied_word_from(&self, word: usize) -> Option<usize> {
        let (mut group, bit) = (word / 64, word % 64);
        let mut bits = self.groups[group] & (u64::MAX << bit);
        for _ in 0..=self.groups.len() {
            if bits != 0 {
                return Some(group * 64 + bits.trailing_zeros() as usize);
            }
            group = (group + 1) & (self.groups.len() - 1);
            bits = self.groups[group];
        }
        None
    }
}

/// A place in a ladder, walking from the best level to the worst. `left` ends the walk before the ring wraps.
#[derive(Clone)]
pub(super) struct Cursor {
    word: usize,
    bits: u64,
    left: usize,
}

impl Cursor {
    #[inline]
    pub(super) fn next(&mut self, ladder: &Ladder) -> Option<(i64, i64)> {
        if self.left == 0 {
            return None;
        }
        if self.bits == 0 {
            self.word = ladder.occupied_word_below(self.word)?;
            self.bits = ladder.words[self.word];
        }
        let bit = 63 - self.bits.leading_zeros() as usize;
        self.bits ^= 1 << bit;
        self.left -= 1;
        let slot = self.word * 64 + bit;
        Some((ladder.key(slot), ladder.qty[slot]))
    }
}
