//! The hot end: one lane's writer.

use std::ptr::NonNull;
use std::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use std::{fmt, thread};

use crate::ids::{Cause, Lane};

use super::JournalError;
use super::commit::{Place, write_record};
use super::handoff::Slot;
use super::header::{End, Left, SEGMENT_HEADER_BYTES};
use super::live::Durability;
use super::record::{CELL_BYTES, Entry, INLINE_BYTES, record_bytes};
use super::segment::{Segment, capacity_bytes};

/// Writes the records of one lane, on whichever thread its stage runs.
///
/// A writer that is `off` stores nothing but counts all the same, so that causes, and with them every
/// decision that is compared between runs, do not depend on whether a journal is kept.
pub struct Writer {
    segment: Option<Arc<Segment>>, // None: off
    at_words: usize,               // first free word of `segment`
    next_seq: u64,
    last_crc32c: u32,
    lane: Lane,
    syncs_before_send: bool,
    shared: Arc<LaneShared>,
}

impl Writer {
    /// A writer that stores nothing: the same interface, sequences and causes.
    #[must_use]
    pub fn off(lane: Lane) -> Self {
        let shared = Arc::new(LaneShared::new(u64::MAX, Arc::default()));
        Self {
            segment: None,
            at_words: 0,
            next_seq: 1,
            last_crc32c: 0,
            lane,
            syncs_before_send: false,
            shared,
        }
    }

    pub(super) fn new(
        segment: Arc<Segment>,
        shared: Arc<LaneShared>,
        next_seq: u64,
        durability: Durability,
    ) -> Self {
        let lane = segment.info().lane;
        let syncs_before_send = durability == Durability::SyncBeforeSend;
        segment.begin(next_seq, || ());
        let at_words = SEGMENT_HEADER_BYTES / 8;
        let segment = Some(segment);
        let writer = Self { segment, at_words, next_seq, last_crc32c: 0, lane, syncs_before_send, shared };
        writer.show_used();
        writer
    }

    /// Appends a record. Returns what the records that it leads to carry as their cause.
    /// No allocation, system call or panic; about 10 ns for a body of up to `INLINE_BYTES`.
    ///
    /// Err: nothing was written and no sequence used, because the helper thread has not prepared the next
    /// segment yet (`Full`), has failed to (`Failed`), or the record is longer than any segment (`TooLong`).
    #[inline]
    pub fn append(&mut self, entry: Entry, body: &[u8]) -> Result<Cause, AppendError> {
        self.append_parts(entry, [], body)
    }

    /// Appends a record whose body is `prefix` followed by `rest`: saves gathering a frame and what is said
    /// about it in one place first. Otherwise as `append`.
    #[inline]
    pub fn append_parts<const N: usize>(
        &mut self,
        entry: Entry,
        prefix: [u8; N],
        rest: &[u8],
    ) -> Result<Cause, AppendError> {
        self.append_stopping(entry, prefix, rest, || ())
    }

    /// As `append_parts`, with something to do before each store into the file: the kill tests end the
    /// process there.
    #[inline]
    pub(super) fn append_stopping<const N: usize>(
        &mut self,
        entry: Entry,
        prefix: [u8; N],
        rest: &[u8],
        mut before_store: impl FnMut(),
    ) -> Result<Cause, AppendError> {
        const { assert!(N <= INLINE_BYTES) };
        let length = N + rest.len();
        let Ok(len_bytes) = u32::try_from(length) else { return Err(AppendError::TooLong) };
        if self.segment.is_some() {
            let words = record_bytes(length) / 8;
            if self.room_words() < words {
                self.change_segment(words, &mut before_store)?;
            }
            let (short, long) = rest.split_at(rest.len().min(INLINE_BYTES - N));
            let mut inline = [0; INLINE_BYTES];
            inline[..N].copy_from_slice(&prefix);
            inline[N..N + short.len()].copy_from_slice(short);
            let place = Place { lane: self.lane, seq: self.next_seq, len_bytes };
            let free = self.segment.as_ref().and_then(|segment| segment.words().get(self.at_words..));
            let Some(cells) = free.and_then(|free| free.get(..words)) else { return Err(AppendError::Full) };
            self.last_crc32c = write_record(cells, place, &entry, inline, long, before_store);
            self.at_words += words;
            self.show_used();
        }
        let cause = Cause::new(self.lane, self.next_seq);
        self.next_seq += 1;
        Ok(cause)
    }

    /// The sequence of the next record.
    #[inline]
    #[must_use]
    pub const fn next_seq(&self) -> u64 {
        self.next_seq
    }

    /// Checksum of the record appended last; 0 before the first, and while off.
    #[inline]
    #[must_use]
    pub const fn last_crc32c(&self) -> u32 {
        self.last_crc32c
    }

    /// Number of the segment that the last record went into; 0 while off.
    #[must_use]
    pub fn segment_number(&self) -> u32 {
        self.segment.as_ref().map_or(0, |segment| segment.info().number)
    }

    /// From segment `number` on the lane says all that recovery needs of it, and retention leaves that alone. Called
    /// once it has been said; until the first call nothing of the lane is needed.
    pub fn needed_from(&mut self, number: u32) {
        // Pairs with the Acquire in the helper: who sees the number sees the records stored before.
        self.shared.needed_from.store(number, Ordering::Release);
    }

    /// The lane it writes.
    #[inline]
    #[must_use]
    pub const fn lane(&self) -> Lane {
        self.lane
    }

    /// Whether records of `bytes` in all (`record_bytes` each) are sure to be taken now. A source that can
    /// wait asks before it takes its next input, and waits with `Room::wait`.
    #[inline]
    #[must_use]
    pub fn has_room(&self, bytes: usize) -> bool {
        self.segment.is_none() || self.room_words() >= bytes / 8 || self.shared.spare_bytes() >= bytes as u64
    }

    /// What is about to leave may: its records are on the disk where the durability asks for that
    /// ([`Durability::SyncBeforeSend`]), which blocks as [`Self::sync`] does. Err: they are not.
    #[inline]
    pub fn before_send(&mut self) -> Result<(), JournalError> {
        if self.syncs_before_send { self.sync() } else { Ok(()) }
    }

    /// Waits until every record appended so far is on the disk. Blocks for tens of microseconds to tens of
    /// milliseconds, and the pages written are write-protected afterwards.
    /// Err: the disk's; or the helper thread has failed.
    pub fn sync(&mut self) -> Result<(), JournalError> {
        let Some(segment) = &self.segment else { return Ok(()) };
        segment.sync(0, self.at_words as u64 * 8)?;
        while self.shared.synced_number.load(Ordering::Acquire) + 1 < segment.info().number {
            if self.shared.failure.get().is_some() {
                return Err(JournalError::HelperFailed);
            }
            #[expect(clippy::disallowed_methods, reason = "whoever calls this has chosen to wait")]
            thread::sleep(POLL);
        }
        Ok(())
    }

    #[inline]
    fn room_words(&self) -> usize {
        self.segment.as_ref().map_or(0, |segment| segment.words().len().saturating_sub(self.at_words))
    }

    #[inline]
    fn show_used(&self) {
        // Pairs with the loads in `LaneShared::room_bytes` and in the helper's turn, which take it as a hint.
        self.shared.used_bytes.store(self.at_words as u64 * 8, Ordering::Relaxed);
    }

    #[cold]
    #[inline(never)]
    fn change_segment(&mut self, words: usize, mut before_store: impl FnMut()) -> Result<(), AppendError> {
        if words as u64 * 8 > self.shared.capacity_bytes {
            return Err(AppendError::TooLong);
        }
        let shared = Arc::clone(&self.shared);
        let moved = shared.slot.take(|next| {
            // SAFETY: the helper put it there with `Arc::into_raw`, and the slot is emptied after this.
            let next = unsafe { Arc::from_raw(next.cast_const()) };
            if let Some(former) = self.segment.take() {
                let used_bytes = self.at_words as u64 * 8;
                former
                    .end(&End { next_seq: self.next_seq, used_bytes, left: Left::Moved }, &mut before_store);
                // The helper holds the former segment too, and lets go after the slot is empty: the
                // reference dropped here is never the last, and nothing is unmapped on this thread.
            }
            next.begin(self.next_seq, &mut before_store);
            self.segment = Some(next);
            self.at_words = SEGMENT_HEADER_BYTES / 8;
        });
        match moved {
            true => Ok(()),
            false if self.shared.failure.get().is_some() => Err(AppendError::Failed),
            false => Err(AppendError::Full),
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        if self.segment.take().is_some() {
            self.shared.last_used_bytes.store(self.at_words as u64 * 8, Ordering::Relaxed);
            // Pairs with the Acquire in `LaneShared::released`.
            self.shared.last_next_seq.store(self.next_seq, Ordering::Release);
        }
    }
}

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let off = self.segment.is_none();
        f.debug_struct("Writer")
            .field("lane", &self.lane)
            .field("next_seq", &self.next_seq)
            .field("off", &off)
            .finish()
    }
}

/// Why a record was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AppendError {
    /// The next segment is not ready yet. Who can wait, waits; who cannot, stops trading.
    Full,
    /// The next segment will never be ready: `Journal::failure` says why.
    Failed,
    /// Longer than a segment.
    TooLong,
}

impl fmt::Display for AppendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full => "the journal's next segment is not ready",
            Self::Failed => "the journal cannot be written",
            Self::TooLong => "the record is longer than a journal segment",
        })
    }
}

impl std::error::Error for AppendError {}

/// Whether a journal's lanes have room, asked from any thread.
#[derive(Clone)]
pub struct Room {
    lanes: Vec<Arc<LaneShared>>,
}

impl Room {
    pub(super) fn new(lanes: Vec<Arc<LaneShared>>) -> Self {
        Self { lanes }
    }

    /// The room of a run without journal: endless.
    #[must_use]
    pub const fn endless() -> Self {
        Self { lanes: Vec::new() }
    }

    /// Whether every lane is sure to take records of `bytes` in all (`record_bytes` each).
    #[inline]
    #[must_use]
    pub fn has(&self, bytes: usize) -> bool {
        self.lanes.iter().all(|lane| lane.room_bytes() >= bytes as u64)
    }

    /// Blocks until every lane has room for records of `bytes` in all. For sources that can wait.
    /// Err: a lane never will (`Failed`), or `bytes` exceed a segment (`TooLong`).
    pub fn wait(&self, bytes: usize) -> Result<(), AppendError> {
        if self.lanes.iter().any(|lane| lane.capacity_bytes < bytes as u64) {
            return Err(AppendError::TooLong);
        }
        while !self.has(bytes) {
            if self.lanes.iter().any(|lane| lane.failure.get().is_some()) {
                return Err(AppendError::Failed);
            }
            #[expect(clippy::disallowed_methods, reason = "whoever calls this has chosen to wait")]
            thread::sleep(POLL);
        }
        Ok(())
    }
}

/// What writer, helper and watchers of one lane share. The writer's line is its own.
#[repr(align(128))]
pub(super) struct LaneShared {
    /// Bytes used of the current segment, its header included. By the writer.
    pub(super) used_bytes: AtomicU64,
    pub(super) rest: LaneRest,
}

/// What changes once a segment, or once a run.
#[repr(align(128))]
pub(super) struct LaneRest {
    pub(super) slot: Slot<AtomicPtr<Segment>>,
    /// Number of the last segment that is left and on the disk. By the helper.
    pub(super) synced_number: AtomicU32,
    /// Recovery reads the lane from this segment on; `u32::MAX`: not at all. By the writer.
    pub(super) needed_from: AtomicU32,
    /// Where a dropped writer stopped; `last_next_seq` is 0 until then.
    last_used_bytes: AtomicU64,
    last_next_seq: AtomicU64,
    pub(super) capacity_bytes: u64,
    /// Set once, by the helper.
    pub(super) failure: Arc<OnceLock<JournalError>>,
}

impl std::ops::Deref for LaneShared {
    type Target = LaneRest;

    #[inline]
    fn deref(&self) -> &LaneRest {
        &self.rest
    }
}

impl LaneShared {
    pub(super) fn new(segment_bytes: u64, failure: Arc<OnceLock<JournalError>>) -> Self {
        Self {
            used_bytes: AtomicU64::new(0),
            rest: LaneRest {
                slot: Slot::new(AtomicPtr::default()),
                synced_number: AtomicU32::new(0),
                needed_from: AtomicU32::new(u32::MAX),
                last_used_bytes: AtomicU64::new(0),
                last_next_seq: AtomicU64::new(0),
                capacity_bytes: capacity_bytes(segment_bytes),
                failure,
            },
        }
    }

    #[inline]
    fn spare_bytes(&self) -> u64 {
        if self.slot.is_full() { self.capacity_bytes } else { 0 }
    }

    /// Records of so many bytes in all are sure to be taken. A waiting segment counts whole and the current
    /// one then not at all: its end may be too short for the next record.
    #[inline]
    fn room_bytes(&self) -> u64 {
        let used = self.used_bytes.load(Ordering::Relaxed).saturating_sub(SEGMENT_HEADER_BYTES as u64);
        self.spare_bytes().max(self.capacity_bytes.saturating_sub(used))
    }

    /// Next sequence and bytes used, once the writer is dropped.
    pub(super) fn released(&self) -> Option<(u64, u64)> {
        // Pairs with the Release in `Writer::drop`.
        let next_seq = self.last_next_seq.load(Ordering::Acquire);
        (next_seq > 0).then(|| (next_seq, self.last_used_bytes.load(Ordering::Relaxed)))
    }
}

impl Drop for LaneShared {
    fn drop(&mut self) {
        self.slot.take(|waiting| {
            if let Some(waiting) = NonNull::new(waiting) {
                // SAFETY: from `Arc::into_raw`, and nobody else can reach the slot any more.
                drop(unsafe { Arc::from_raw(waiting.as_ptr().cast_const()) });
            }
        });
    }
}

const POLL: Duration = Duration::from_micros(200);
const _: () = assert!(CELL_BYTES.is_multiple_of(8));
