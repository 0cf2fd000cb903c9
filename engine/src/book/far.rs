//! The levels behind the window: sorted chunks from an arena, found through a sorted directory.
//!
//! A B+tree of two levels. It takes and gives levels at its best end in O(1) (the window moving over it),
//! drops its worst, and finds any other with two binary searches and the move of at most one chunk.
//!
//! Any two neighbouring chunks hold more than `MERGE_MAX` levels together, so the directory and the arena
//! are bounded by the capacity: `chunks_max`.

use std::ops::Range;

/// Levels a chunk holds.
const CHUNK: usize = 64;
/// Neighbours with at most this many levels become one chunk. Under `CHUNK`, so that a level coming and going
/// at the border does not split and merge each time.
const MERGE_MAX: usize = CHUNK * 3 / 4;

/// Levels that a split moves out of a full chunk, and those it leaves.
const HALF: u32 = 32;
const KEPT: usize = CHUNK - HALF as usize;

/// A chunk of the arena.
#[derive(Clone, Copy, Default)]
struct ChunkId(u32);

impl ChunkId {
    #[inline]
    const fn at(self) -> usize {
        self.0 as usize
    }
}

/// One chunk as the directory sees it.
#[derive(Clone, Copy, Default)]
struct Entry {
    /// Best (largest) key in the chunk.
    last: i64,
    id: ChunkId,
    len: u32,
}

impl Entry {
    #[inline]
    const fn len(self) -> usize {
        self.len as usize
    }
}

/// Levels in ascending order of key: the worst first.
pub(super) struct Far {
    len: usize,
    chunks: usize,
    directory: Box<[Entry]>,
    keys: Box<[[i64; CHUNK]]>,
    qtys: Box<[[i64; CHUNK]]>,
    free: Vec<ChunkId>,
}

impl Far {
    /// Room for `capacity` levels, however they are spread over chunks.
    pub(super) fn new(capacity: usize) -> Self {
        let chunks = chunks_max(capacity);
        let ids = 0..u32::try_from(chunks).unwrap_or(u32::MAX);
        Self {
            len: 0,
            chunks: 0,
            directory: vec![Entry::default(); chunks].into(),
            keys: vec![[0; CHUNK]; chunks].into(),
            qtys: vec![[0; CHUNK]; chunks].into(),
            free: ids.rev().map(ChunkId).collect(),
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
        let (id, len) = self.chunk(position);
        let keys = &self.keys[id][..len];
        let index = keys.partition_point(|&held| held < key);
        if keys.get(index) != Some(&key) {
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
        let (id, len) = self.chunk(position);
        self.keys[id][..len].binary_search(&key).map_or(0, |index| self.qtys[id][index])
    }

    /// Adds a level better than every other one here.
    pub(super) fn push_best(&mut self, key: i64, qty: i64) {
        let position = self.chunks.saturating_sub(1);
        if self.chunks == 0 || self.directory[position].len() == CHUNK {
            self.open_chunk(self.chunks, key, qty);
        } else {
            self.insert(position, self.directory[position].len(), key, qty);
        }
    }

    #[inline]
    pub(super) fn best(&self) -> Option<i64> {
        self.chunks.checked_sub(1).map(|position| self.directory[position].last)
    }

    /// Takes the best level out.
    pub(super) fn pop_best(&mut self) -> Option<(i64, i64)> {
        let position = self.chunks.checked_sub(1)?;
        let (id, len) = self.chunk(position);
        let level = (self.keys[id][len - 1], self.qtys[id][len - 1]);
        self.remove(position, len - 1);
        Some(level)
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
        self.free.extend(self.directory[..self.chunks].iter().rev().map(|entry| entry.id));
        self.chunks = 0;
        self.len = 0;
    }

    pub(super) fn heap_bytes(&self) -> usize {
        size_of_val(&*self.directory)
            + size_of_val(&*self.keys)
            + size_of_val(&*self.qtys)
            + self.free.capacity() * size_of::<ChunkId>()
    }

    /// The chunk in which `key` is or would be; `chunks` when it is better than every key.
    #[inline]
    fn position(&self, key: i64) -> usize {
        self.directory[..self.chunks].partition_point(|entry| entry.last < key)
    }

    #[inline]
    fn chunk(&self, position: usize) -> (usize, usize) {
        let entry = self.directory[position];
        (entry.id.at(), entry.len())
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
            let (id, len) = self.chunk(position);
            let index = self.keys[id][..len].partition_point(|&held| held < key);
            return self.insert(position, index, key, qty);
        }
        self.keys[id].copy_within(index..len, index + 1);
        self.qtys[id].copy_within(index..len, index + 1);
        self.keys[id][index] = key;
        self.qtys[id][index] = qty;
        self.directory[position].len += 1;
        self.directory[position].last = self.keys[id][len];
        self.len += 1;
    }

    fn remove(&mut self, position: usize, index: usize) {
        let (id, len) = self.chunk(position);
        self.keys[id].copy_within(index + 1..len, index);
        self.qtys[id].copy_within(index + 1..len, index);
        self.len -= 1;
        if len == 1 {
            self.close_chunk(position);
            return;
        }
        self.directory[position].len -= 1;
        self.directory[position].last = self.keys[id][len - 2];
        if !self.merge_if_small(position) && position > 0 {
            self.merge_if_small(position - 1);
        }
    }

    /// Moves the better half of a full chunk into a new one behind it. False: no chunk is left, which the
    /// bound on chunks rules out.
    fn split(&mut self, position: usize) -> bool {
        let Some(new) = self.take_chunk() else { return false };
        let (id, _) = self.chunk(position);
        self.copy_levels(id, KEPT..CHUNK, new.at(), 0);
        self.directory.copy_within(position..self.chunks, position + 1);
        self.chunks += 1;
        self.directory[position].len -= HALF;
        self.directory[position].last = self.keys[id][KEPT - 1];
        self.directory[position + 1] = Entry { id: new, len: HALF, ..self.directory[position + 1] };
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
        self.directory[position].last = self.directory[position + 1].last;
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
        self.directory.copy_within(position..self.chunks, position + 1);
        self.directory[position] = Entry { last: key, id, len: 1 };
        self.keys[id.at()][0] = key;
        self.qtys[id.at()][0] = qty;
        self.chunks += 1;
        self.len += 1;
    }

    fn take_chunk(&mut self) -> Option<ChunkId> {
        debug_assert!(!self.free.is_empty(), "neighbouring chunks hold over MERGE_MAX levels together");
        self.free.pop()
    }

    fn close_chunk(&mut self, position: usize) {
        self.free.push(self.directory[position].id);
        self.directory.copy_within(position + 1..self.chunks, position);
        self.chunks -= 1;
    }
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
            self.index = far.directory[self.position].len();
        }
        self.index -= 1;
        let id = far.directory[self.position].id.at();
        Some((far.keys[id][self.index], far.qtys[id][self.index]))
    }
}
