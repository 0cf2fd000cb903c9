//! The levels behind the window: sorted chunks from an arena, found through a sorted directory.
//!
//! A B+tree of two levels. It takes and gives levels at its best end in O(1) (the window moving over it),
//! drops its worst, and finds any other with two binary searches and the move of at most one chunk.
//!
//! Unused places of a chunk and of the directory hold the largest `i64`, so a search counts the smaller keys
//! of a whole block of `CHUNK`: a few vector compares without a branch, where a binary search waits for each
//! of its loads.
//!
//! Any two neighbouring chunks hold more than `MERGE_MAX` levels together, so the directory and the arena
//! are bounded by the capacity: `chunks_max`.

use super::taken;
use std::ops::Range;

/// Levels a chunk holds.
const CHUNK: usize = 64;
/// Neighbours with at most this many levels become one chunk. Under `CHUNK`, so that a level coming and going
/// at the border does not split and merge each time.
const MERGE_MAX: usize = CHUNK * 7 / 8;
/// Levels that a split leaves in a full chunk; as many move out.
const HALF: usize = CHUNK / 2;
/// Key of a place without a level. Far keys are below the window, so none of them is this large.
const VACANT: i64 = i64::MAX;

/// A chunk of the arena, by position in the directory: which one, and how many levels it holds.
#[derive(Clone, Copy, Default)]
struct Chunk {
    id: u32,
    len: usize,
}

/// Levels in ascending order of key: the worst first.
pub(super) struct Far {
    len: usize,
    chunks: usize,
    /// Best key of each chunk; `CHUNK` places longer than the directory can get.
    last: Box<[i64]>,
    directory: Box<[Chunk]>,
    keys: Box<[[i64; CHUNK]]>,
    qtys: Box<[[i64; CHUNK]]>,
    free: Vec<u32>,
}

impl Far {
    /// Room for `capacity` levels, however they are spread over chunks.
    pub(super) fn new(capacity: usize) -> Self {
        let chunks = chunks_max(capacity);
        Self {
            len: 0,
            chunks: 0,
            last: taken(VACANT, chunks + CHUNK),
            directory: taken(Chunk::default(), chunks),
            keys: taken([0; CHUNK], chunks),
            qtys: taken([0; CHUNK], chunks),
            free: (0..u32::try_from(chunks).unwrap_or(u32::MAX)).rev().collect(),
        }
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Sets the quantity of a key, 0 removes; returns the one before. There must be room for a new one.
    pub(super) fn replace(&mut self, key: i64, qty: i64) -> i64 {
        let position = self.position(key);
        if position == self.chunks {
            if qty != 0 {
                self.push_best(key, qty);
            }
            return 0;
        }
        let (id, _) = self.chunk(position);
        let index = count_below(&self.keys[id], key);
        if self.keys[id].get(index) != Some(&key) {
            if qty != 0 {
                self.insert(position, index, key, qty);
            }
            return 0;
        }
        let old = self.qtys[id][index];
        if qty != 0 {
            self.qtys[id][index] = qty;
        } else {
            self.remove(position, index);
        }
        old
    }

    pub(super) fn quantity(&self, key: i64) -> i64 {
        let position = self.position(key);
        if position == self.chunks {
            return 0;
        }
        let (id, _) = self.chunk(position);
        let index = count_below(&self.keys[id], key);
        if self.keys[id].get(index) == Some(&key) { self.qtys[id][index] } else { 0 }
    }

    /// Adds a level better than every other one here.
    pub(super) fn push_best(&mut self, key: i64, qty: i64) {
        let position = self.chunks.saturating_sub(1);
        let (id, len) = self.chunk(position);
        if self.chunks == 0 || len == CHUNK {
            return self.open_chunk(self.chunks, key, qty);
        }
        self.keys[id][len] = key;
        self.qtys[id][len] = qty;
        self.directory[position].len += 1;
        self.last[position] = key;
        self.len += 1;
    }

    #[inline]
    pub(super) fn best(&self) -> Option<i64> {
        self.chunks.checked_sub(1).map(|position| self.last[position])
    }

    /// Takes out the levels at `from` and better; `out` gets them, the best first.
    pub(super) fn drain_best(&mut self, from: i64, mut out: impl FnMut(i64, i64)) {
        while let Some(position) = self.chunks.checked_sub(1) {
            let (id, len) = self.chunk(position);
            let kept = count_below(&self.keys[id], from);
            for index in (kept..len).rev() {
                out(self.keys[id][index], self.qtys[id][index]);
            }
            self.len -= len - kept;
            if kept == 0 {
                self.close_chunk(position);
                continue;
            }
            self.keys[id][kept..].fill(VACANT);
            self.directory[position].len = kept;
            self.last[position] = self.keys[id][kept - 1];
            if position > 0 {
                self.merge_if_small(position - 1);
            }
            return;
        }
    }

    pub(super) fn worst(&self) -> Option<i64> {
        (self.chunks > 0).then(|| self.keys[self.chunk(0).0][0])
    }

    /// Takes the worst level out.
    pub(super) fn drop_worst(&mut self) {
        if self.chunks > 0 {
            self.remove(0, 0);
        }
    }

    /// Where a walk from the best level to the worst starts.
    #[inline]
    pub(super) fn cursor(&self) -> Cursor {
        Cursor { position: self.chunks, index: 0 }
    }

    pub(super) fn clear(&mut self) {
        self.free.extend(self.directory[..self.chunks].iter().rev().map(|chunk| chunk.id));
        self.last[..self.chunks].fill(VACANT);
        self.chunks = 0;
        self.len = 0;
    }

    pub(super) fn heap_bytes(&self) -> usize {
        size_of_val(&*self.last)
            + size_of_val(&*self.directory)
            + size_of_val(&*self.keys)
            + size_of_val(&*self.qtys)
            + self.free.capacity() * size_of::<u32>()
    }

    /// The chunk in which `key` is or would be; `chunks` when it is better than every key.
    #[inline]
    fn position(&self, key: i64) -> usize {
        let (mut low, mut size) = (0, self.chunks);
        while size > CHUNK {
            let half = size / 2;
            low += if self.last[low + half - 1] < key { half } else { 0 };
            size -= half;
        }
        let block = self.last[low..].first_chunk();
        low + block.map_or(0, |block| count_below(block, key))
    }

    #[inline]
    fn chunk(&self, position: usize) -> (usize, usize) {
        let Chunk { id, len } = self.directory[position];
        (id as usize, len)
    }

    fn insert(&mut self, position: usize, index: usize, key: i64, qty: i64) {
        let (id, len) = self.chunk(position);
        if len == CHUNK {
            // A run of levels that only goes outwards fills its chunks instead of leaving halves.
            if (position, index) == (0, 0) {
                return self.open_chunk(0, key, qty);
            }
            if !self.split(position) {
                return;
            }
            let position = self.position(key).min(self.chunks - 1);
            let index = count_below(&self.keys[self.chunk(position).0], key);
            return self.insert(position, index, key, qty);
        }
        self.keys[id].copy_within(index..len, index + 1);
        self.qtys[id].copy_within(index..len, index + 1);
        self.keys[id][index] = key;
        self.qtys[id][index] = qty;
        self.directory[position].len += 1;
        self.last[position] = self.keys[id][len];
        self.len += 1;
    }

    fn remove(&mut self, position: usize, index: usize) {
        let (id, len) = self.chunk(position);
        self.len -= 1;
        if len == 1 {
            self.close_chunk(position);
            return;
        }
        self.keys[id].copy_within(index + 1..len, index);
        self.qtys[id].copy_within(index + 1..len, index);
        self.keys[id][len - 1] = VACANT;
        self.directory[position].len -= 1;
        self.last[position] = self.keys[id][len - 2];
        if !self.merge_if_small(position) && position > 0 {
            self.merge_if_small(position - 1);
        }
    }

    /// Moves the better half of a full chunk into a new one behind it. False: no chunk is left, which the
    /// bound on chunks rules out.
    fn split(&mut self, position: usize) -> bool {
        let Some(new) = self.take_chunk() else { return false };
        let (id, _) = self.chunk(position);
        self.keys[new as usize] = [VACANT; CHUNK];
        self.copy_levels(id, HALF..CHUNK, new as usize, 0);
        self.keys[id][HALF..].fill(VACANT);
        self.shift_directory_out(position);
        self.directory[position].len /= 2;
        self.last[position] = self.keys[id][HALF - 1];
        self.directory[position + 1] = Chunk { id: new, len: self.directory[position].len };
        self.merge_if_small(position + 1);
        if position > 0 {
            self.merge_if_small(position - 1);
        }
        true
    }

    /// Makes one chunk of those at `position` and `position + 1` when they are small enough together.
    fn merge_if_small(&mut self, position: usize) -> bool {
        if position + 1 >= self.chunks {
            return false;
        }
        let ((id, len), (next_id, next_len)) = (self.chunk(position), self.chunk(position + 1));
        if len + next_len > MERGE_MAX {
            return false;
        }
        self.copy_levels(next_id, 0..next_len, id, len);
        self.directory[position].len += self.directory[position + 1].len;
        self.last[position] = self.last[position + 1];
        self.close_chunk(position + 1);
        true
    }

    fn copy_levels(&mut self, from: usize, range: Range<usize>, to: usize, at: usize) {
        let end = at + range.len();
        for column in [&mut self.keys, &mut self.qtys] {
            if let Ok([source, target]) = column.get_disjoint_mut([from, to]) {
                target[at..end].copy_from_slice(&source[range.clone()]);
            }
        }
    }

    /// Puts a new chunk of one level at `position`.
    fn open_chunk(&mut self, position: usize, key: i64, qty: i64) {
        let Some(id) = self.take_chunk() else { return };
        let (keys, qtys) = (&mut self.keys[id as usize], &mut self.qtys[id as usize]);
        *keys = [VACANT; CHUNK];
        keys[0] = key;
        qtys[0] = qty;
        self.shift_directory_out(position);
        self.directory[position] = Chunk { id, len: 1 };
        self.last[position] = key;
        self.len += 1;
    }

    /// Doubles the directory's entry at `position`.
    fn shift_directory_out(&mut self, position: usize) {
        self.directory.copy_within(position..self.chunks, position + 1);
        self.last.copy_within(position..self.chunks, position + 1);
        self.chunks += 1;
    }

    fn close_chunk(&mut self, position: usize) {
        self.free.push(self.directory[position].id);
        self.directory.copy_within(position + 1..self.chunks, position);
        self.last.copy_within(position + 1..self.chunks, position);
        self.chunks -= 1;
        self.last[self.chunks] = VACANT;
    }

    fn take_chunk(&mut self) -> Option<u32> {
        debug_assert!(!self.free.is_empty(), "neighbouring chunks hold over MERGE_MAX levels together");
        self.free.pop()
    }
}

/// How many of the sorted keys are below `key`.
#[inline]
fn count_below(keys: &[i64; CHUNK], key: i64) -> usize {
    keys.iter().map(|&held| usize::from(held < key)).sum()
}

/// Chunks that `capacity` levels can need: neighbours hold over `MERGE_MAX` together, and one more is open
/// while a split has not yet been looked at.
const fn chunks_max(capacity: usize) -> usize {
    2 * capacity.div_ceil(MERGE_MAX + 1) + 2
}

/// A place in the far levels, walking from the best to the worst.
#[derive(Clone)]
pub(super) struct Cursor {
    position: usize,
    index: usize,
}

impl Cursor {
    #[inline]
    pub(super) fn next(&mut self, far: &Far) -> Option<(i64, i64)> {
        if self.index == 0 {
            self.position = self.position.checked_sub(1)?;
            self.index = far.chunk(self.position).1;
        }
        self.index -= 1;
        let (id, _) = far.chunk(self.position);
        Some((far.keys[id][self.index], far.qtys[id][self.index]))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    const CAPACITY: usize = 700;

    /// What bounds memory and makes searches right, whatever came before.
    fn assert_sound(far: &Far) {
        let chunks: Vec<_> = (0..far.chunks).map(|position| far.chunk(position)).collect();
        for pair in chunks.windows(2) {
            assert!(
                pair[0].1 + pair[1].1 > MERGE_MAX,
                "neighbours of {} and {} levels",
                pair[0].1,
                pair[1].1
            );
        }
        for (position, &(id, len)) in chunks.iter().enumerate() {
            assert!((1..=CHUNK).contains(&len));
            assert_eq!(far.last[position], far.keys[id][len - 1]);
            assert!(far.keys[id][len..].iter().all(|&key| key == VACANT));
        }
        assert!(far.last[far.chunks..].iter().all(|&key| key == VACANT));
        assert_eq!(far.chunks + far.free.len(), far.directory.len());
        assert_eq!(far.len, chunks.iter().map(|&(_, len)| len).sum::<usize>());
    }

    fn walk(far: &Far) -> Vec<(i64, i64)> {
        let mut cursor = far.cursor();
        std::iter::from_fn(|| cursor.next(far)).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

        #[test]
        fn equals_a_tree_and_stays_within_its_chunks(
            steps in prop::collection::vec((0_u8..6, 0_i64..1_500, 1_usize..90), 1..120),
        ) {
            let mut far = Far::new(CAPACITY);
            let mut tree = BTreeMap::new();
            for (kind, start, count) in steps {
                for step in 0_i64.. {
                    if step.cast_unsigned() >= count as u64 {
                        break;
                    }
                    // Runs of neighbours, scattered keys, removals of both, and the two ends.
                    let key = if kind % 2 == 0 { start + step } else { (start + step * 389) % 1_500 };
                    match kind {
                        0 | 1 if tree.len() < CAPACITY => {
                            prop_assert_eq!(far.replace(key, step + 1), tree.insert(key, step + 1).unwrap_or(0));
                        }
                        0..=3 => {
                            prop_assert_eq!(far.quantity(key), tree.get(&key).copied().unwrap_or(0));
                            prop_assert_eq!(far.replace(key, 0), tree.remove(&key).unwrap_or(0));
                        }
                        4 => {
                            // Between the best levels, so that what stays ends anywhere in a chunk.
                            let from = tree.keys().rev().nth(count % 9).map_or(key, |held| held + step % 2);
                            let mut drained = Vec::new();
                            far.drain_best(from, |key, qty| drained.push((key, qty)));
                            let expected = tree.split_off(&from);
                            prop_assert!(drained.into_iter().eq(expected.into_iter().rev()));
                        }
                        _ => {
                            far.drop_worst();
                            tree.pop_first();
                        }
                    }
                    assert_sound(&far);
                }
                prop_assert_eq!(far.best(), tree.keys().next_back().copied());
                prop_assert_eq!(far.worst(), tree.keys().next().copied());
                prop_assert_eq!(far.len(), tree.len());
                prop_assert!(walk(&far).into_iter().eq(tree.iter().rev().map(|(&key, &qty)| (key, qty))));
            }
            far.clear();
            assert_sound(&far);
            prop_assert_eq!(walk(&far), vec![]);
        }
    }

    #[test]
    fn every_level_is_found_among_hundreds_of_chunks() {
        let mut far = Far::new(16_384);
        let keys = || (0..16_384_i64).map(|next| next * 7_919 % 100_003);
        keys().for_each(|key| assert_eq!(far.replace(key, key + 1), 0));
        assert!(far.chunks > 4 * CHUNK, "the directory is searched in blocks");
        assert_sound(&far);
        keys().for_each(|key| assert_eq!((far.quantity(key), far.quantity(key + 100_003)), (key + 1, 0)));
        assert!(walk(&far).is_sorted_by(|better, worse| better > worse));
        keys().for_each(|key| assert_eq!(far.replace(key, 0), key + 1));
        assert_sound(&far);
    }

    #[test]
    fn a_full_store_thinned_to_the_sparsest_chunks_fits_its_arena() {
        let mut far = Far::new(CAPACITY);
        let mut scattered = (1_i64..).map(|next| next * 7_919 % 100_003);
        for _ in 0..40 {
            while far.len() < CAPACITY {
                far.replace(scattered.next().unwrap(), 1);
                assert_sound(&far);
            }
            for (index, (key, _)) in walk(&far).into_iter().enumerate() {
                if index % 4 != 0 {
                    far.replace(key, 0);
                    assert_sound(&far);
                }
            }
        }
    }
}
