//! Copies of a lane's records for a reader on another thread, while the run goes on and whether or not it keeps a
//! journal: what a listing of decisions is made from, and what a repeated run is compared by.
//!
//! The stage's side only copies cells into a ring. It asks for room before an input, as for its journal lane; a
//! copy that finds none all the same is lost, and the reader is told.

use crate::ids::{Cause, InstrumentId, Lane};
use crate::journal::Entry;
use crate::journal::schema::RecordKind;
use crate::message::{Body, Cell, Head, Message};
use crate::ring::{RingReceiver, RingSender, ring};
use crate::stage::Sink;
use crate::time::Nanos;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// A record, as its stage wrote it.
#[derive(Clone, Copy, Debug)]
pub struct Copied<'a> {
    /// The record itself.
    pub record: Cause,
    /// What the stage said of it.
    pub entry: Entry,
    /// The whole body.
    pub body: &'a [u8],
}

/// The stage's end.
pub struct CopySender {
    ring: RingSender,
    /// Bit n: kind n.
    wanted: u64,
    lost: Arc<AtomicBool>,
}

/// The reader's end.
pub struct CopyReceiver {
    ring: RingReceiver,
    lane: Lane,
    lost: Arc<AtomicBool>,
}

/// Both ends for the records of `lane` that `wants` chooses. Bodies are of at most [`BODY_BYTES_MAX`]; a longer one
/// is lost. Allocates 2 MiB.
#[must_use]
pub fn copies(lane: Lane, wants: impl Fn(RecordKind) -> bool) -> (CopySender, CopyReceiver) {
    let (sender, receiver) = ring(CAPACITY_CELLS, 2 + BODY_CELLS_MAX, RESERVE_CELLS);
    let lost = Arc::<AtomicBool>::default();
    let wanted =
        RecordKind::ALL.into_iter().filter(|kind| wants(*kind)).fold(0, |bits, kind| bits | bit(kind));
    let sender = CopySender { ring: sender, wanted, lost: Arc::clone(&lost) };
    (sender, CopyReceiver { ring: receiver, lane, lost })
}

impl CopySender {
    /// Whether copies of all that one more input can cause find room.
    #[inline]
    pub fn has_room(&mut self) -> bool {
        self.ring.has_room()
    }

    /// Copies a record whose body is `prefix` followed by `rest`. No allocation, lock or system call.
    #[inline]
    pub fn copy(&mut self, kind: RecordKind, record: Cause, entry: &Entry, prefix: &[u8], rest: &[u8]) {
        if self.wanted & bit(kind) != 0 {
            self.send(record, entry, prefix, rest);
        }
    }

    fn send(&mut self, record: Cause, entry: &Entry, prefix: &[u8], rest: &[u8]) {
        let len_bytes = prefix.len() + rest.len();
        let mut cells = [Cell::default(); 1 + BODY_CELLS_MAX];
        let used = 1 + len_bytes.div_ceil(size_of::<Cell>());
        let Entry { kind, instrument, cause, recv_ns } = *entry;
        let first = First {
            record,
            cause,
            recv_ns,
            instrument,
            len_bytes: u32::try_from(len_bytes).unwrap_or(u32::MAX),
            kind: kind.into(),
            reserved: [0; 7],
        };
        let sent = cells.get_mut(..used).is_some_and(|cells| {
            let (before, body) = cells.as_mut_bytes().split_at_mut(size_of::<Cell>());
            before.copy_from_slice(first.as_bytes());
            let (start, end) = body.split_at_mut(prefix.len());
            start.copy_from_slice(prefix);
            end[..rest.len()].copy_from_slice(rest);
            self.ring.send(Message { head: &Head::default(), body: cells })
        });
        if !sent {
            // Release pairs with the Acquire in `has_lost`.
            self.lost.store(true, Ordering::Release);
        }
    }
}

impl CopyReceiver {
    /// Hands what has come to `f`, oldest first. Returns how many there were.
    pub fn take(&mut self, mut f: impl FnMut(Copied<'_>)) -> u32 {
        self.ring.take(u32::MAX, |message| {
            if let Some(first) = message.body_as::<First>() {
                let body = message.body.get(1..).unwrap_or_default().as_bytes();
                let First { record, cause, recv_ns, instrument, len_bytes, kind, .. } = *first;
                let kind = u16::try_from(kind).unwrap_or(u16::MAX);
                let body = body.get(..len_bytes as usize).unwrap_or_default();
                f(Copied { record, entry: Entry { kind, instrument, cause, recv_ns }, body });
            }
            ControlFlow::Continue(())
        })
    }

    /// The lane.
    #[must_use]
    pub const fn lane(&self) -> Lane {
        self.lane
    }

    /// Whether the stage is gone; what it copied before can still be taken.
    #[must_use]
    pub fn is_abandoned(&self) -> bool {
        self.ring.is_abandoned()
    }

    /// Whether a copy was lost.
    #[must_use]
    pub fn has_lost(&self) -> bool {
        // Acquire pairs with the Release in `send`.
        self.lost.load(Ordering::Acquire)
    }
}

/// First cell of a copy; the body follows.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C, align(64))]
struct First {
    record: Cause,
    cause: Cause,
    recv_ns: Nanos,
    instrument: InstrumentId,
    len_bytes: u32,
    kind: u32,
    reserved: [u32; 7],
}

impl Body for First {}
const _: () = assert!(size_of::<First>() == size_of::<Cell>());

#[inline]
const fn bit(kind: RecordKind) -> u64 {
    const { assert!((RecordKind::ALL[RecordKind::ALL.len() - 1] as u16) < 64) };
    1 << kind as u16
}

const BODY_CELLS_MAX: usize = 8;
/// Longest body that is copied.
pub const BODY_BYTES_MAX: usize = BODY_CELLS_MAX * size_of::<Cell>();
/// Room for what one input can cause: some thousand records.
const RESERVE_CELLS: usize = 1 << 13;
const CAPACITY_CELLS: usize = 4 * RESERVE_CELLS;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::Writer;
    use crate::stage_log::StageLog;

    fn log(wants: impl Fn(RecordKind) -> bool) -> (StageLog, CopyReceiver) {
        let (sender, receiver) = copies(Lane::Gateway, wants);
        let mut log = StageLog::new(Writer::off(Lane::Gateway), Arc::default(), 1 << 10);
        log.copy_to(sender);
        (log, receiver)
    }

    #[test]
    fn what_is_wanted_comes_out_as_it_was_written() {
        let (mut log, mut receiver) = log(|kind| kind != RecordKind::Stamps);
        let head = Head {
            instrument: InstrumentId(3),
            cause: Cause::new(Lane::Feed, 9),
            recv_ns: Nanos(5),
            ..Head::default()
        };
        for len in [0, 1, 24, 63, 64, 500, BODY_BYTES_MAX - 4] {
            log.record(RecordKind::Stamps, &head, &[1_u8; 16]);
            log.bytes(RecordKind::Order, &head, [7; 4], &vec![8; len]);
        }
        let mut seen = Vec::new();
        receiver.take(|copied| {
            let Copied { record, entry, body } = copied;
            assert_eq!((entry.kind, entry.instrument), (RecordKind::Order as u16, head.instrument));
            assert_eq!((entry.cause, entry.recv_ns), (head.cause, head.recv_ns));
            assert!(body[..4] == [7; 4] && body[4..].iter().all(|byte| *byte == 8));
            seen.push((record, body.len()));
        });
        let expected = [4, 5, 28, 67, 68, 504, BODY_BYTES_MAX];
        let expected = (1..).zip(expected).map(|(n, len)| (Cause::new(Lane::Gateway, 2 * n), len));
        assert_eq!(seen, expected.collect::<Vec<_>>());
        assert!(!receiver.has_lost() && !receiver.is_abandoned());
        drop(log);
        assert!(receiver.is_abandoned());
    }

    #[test]
    fn a_full_ring_is_no_room_for_the_next_input_and_what_is_copied_all_the_same_is_known_to_be_lost() {
        let (mut log, mut receiver) = log(|_| true);
        let head = Head::default();
        let mut written = 0;
        while log.has_room() {
            log.record(RecordKind::Fill, &head, &[0_u8; 128]);
            written += 1;
        }
        assert!(!receiver.has_lost());
        assert_eq!(receiver.take(|_| ()), written);
        assert!(log.has_room());
        log.record(RecordKind::Fill, &head, &[0_u8; BODY_BYTES_MAX + 1][..]);
        assert!(receiver.has_lost(), "too long");
    }
}
