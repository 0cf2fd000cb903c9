//! One record: a 64-byte head that holds the first 24 bytes of the body, and whole raw cells behind it for
//! the rest. Head and cells are contiguous, so a body of any length is simply the `len_bytes` bytes that
//! start at offset 40.
//!
//! ```text
//!  0        8      12    14    16         20          24      32        40            64
//! | seq    | crc  |kind |lane | len_bytes| instrument| cause | recv_ns | body[0..24] | body[24..88] | …
//! ```

use std::mem::offset_of;
use std::sync::atomic::AtomicU64;

use crate::ids::{Cause, InstrumentId, Lane};
use crate::time::Nanos;

use super::crc::Crc;

/// Head of one journal record, little-endian; a body longer than `body` goes on in the raw cells behind it.
/// `seq` is stored last, with Release (pairs with the fence in `Cursor::next`), so another process sees a
/// whole record or none.
#[repr(C, align(64))]
pub struct Record {
    /// Gap-free from 1 in its lane; 0 is not written yet.
    pub seq: AtomicU64,
    /// CRC-32C over every cell of the record, `seq` and padding included, this field taken as 0.
    pub crc32c: u32,
    /// What the body holds.
    pub kind: u16,
    /// The stage that wrote it.
    pub lane: u16,
    /// Length of the whole body, bytes.
    pub len_bytes: u32,
    /// `InstrumentId`.
    pub instrument: u32,
    /// Record that led to this one: `lane << 48 | seq`; 0 = none.
    pub cause: u64,
    /// When the frame left the socket.
    pub recv_ns: Nanos,
    /// First bytes of the body, zero-padded: no stale bytes.
    pub body: [u8; 24],
}

const _: () = assert!(size_of::<Record>() == CELL_BYTES && align_of::<Record>() == CELL_BYTES);
const _: () = assert!(offset_of!(Record, seq) == 0 && offset_of!(Record, crc32c) == 8);
const _: () = assert!(offset_of!(Record, kind) == 12 && offset_of!(Record, lane) == 14);
const _: () = assert!(offset_of!(Record, len_bytes) == 16 && offset_of!(Record, instrument) == 20);
const _: () = assert!(offset_of!(Record, cause) == 24 && offset_of!(Record, recv_ns) == 32);
const _: () = assert!(offset_of!(Record, body) == 40);

/// Bytes of a cell: the unit of space in a segment, and a cache line.
pub const CELL_BYTES: usize = 64;
/// Words of a cell.
pub(super) const CELL_WORDS: usize = CELL_BYTES / 8;
/// Bytes of a record before its body.
pub const HEAD_BYTES: usize = offset_of!(Record, body);
/// Longest body that needs no raw cell.
pub const INLINE_BYTES: usize = CELL_BYTES - HEAD_BYTES;

/// What a writer says of a record besides its body.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    /// What the body holds.
    pub kind: u16,
    /// The instrument it is about; by convention of the kind, any value where there is none.
    pub instrument: InstrumentId,
    /// The record that led to this one.
    pub cause: Cause,
    /// When the frame left the socket.
    pub recv_ns: Nanos,
}

/// A record that a reader has checked: sequence, length and checksum are right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct View<'a> {
    /// The lane it was read from.
    pub lane: Lane,
    /// Gap-free from 1 in its lane.
    pub seq: u64,
    /// What the writer said of it.
    pub entry: Entry,
    /// The whole body.
    pub body: &'a [u8],
}

impl View<'_> {
    /// What a record caused by this one carries as its `cause`.
    #[must_use]
    pub fn as_cause(&self) -> Cause {
        Cause::new(self.lane, self.seq)
    }

    /// Bytes that the record takes in its segment.
    #[must_use]
    pub const fn stored_bytes(&self) -> usize {
        record_bytes(self.body.len())
    }
}

/// Bytes that a record with a body of `len_bytes` takes in a segment.
#[inline]
#[must_use]
pub const fn record_bytes(len_bytes: usize) -> usize {
    (HEAD_BYTES + len_bytes).next_multiple_of(CELL_BYTES)
}

/// The words of a head before its body. `w[1]` has a checksum of 0.
#[inline]
pub(super) fn head_words(lane: Lane, seq: u64, entry: &Entry, len_bytes: u32) -> [u64; 5] {
    [
        seq,
        u64::from(entry.kind) << 32 | (lane as u64) << 48,
        u64::from(len_bytes) | u64::from(entry.instrument.0) << 32,
        entry.cause.raw(),
        entry.recv_ns.0,
    ]
}

/// Why stored bytes are no record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Damage {
    /// The sequence is not the one that follows.
    Sequence {
        /// What is stored.
        found: u64,
    },
    /// The length runs beyond the segment.
    Length {
        /// What is stored, bytes.
        found: u32,
    },
    /// The checksum does not fit the bytes.
    Checksum,
    /// The record names another lane than its file.
    Lane {
        /// What is stored.
        found: u16,
    },
}

/// Fields of a head, not yet believed.
#[derive(Clone, Copy)]
pub(super) struct Head {
    pub(super) seq: u64,
    pub(super) len_bytes: u32,
}

pub(super) fn peek(cell: &[u8; CELL_BYTES]) -> Head {
    Head { seq: le_u64(cell, 0), len_bytes: le_u32(cell, offset_of!(Record, len_bytes)) }
}

/// The checksum that is stored in a head.
pub(super) fn crc32c_of(head: &[u8; CELL_BYTES]) -> u32 {
    le_u32(head, offset_of!(Record, crc32c))
}

/// Whether `cells`, exactly the cells that the head's `len_bytes` asks for, are a record of `lane`.
/// Err: wrong checksum or lane.
pub(super) fn check(cells: &[u8], lane: Lane) -> Result<(), Damage> {
    let Some(head) = cells.first_chunk::<CELL_BYTES>() else { return Err(Damage::Checksum) };
    let mut crc = Crc::new();
    for (index, word) in cells.as_chunks::<8>().0.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        crc = crc.word(if index == 1 { word >> 32 << 32 } else { word });
    }
    if crc.finish() != crc32c_of(head) {
        return Err(Damage::Checksum);
    }
    let found = (le_u32(head, offset_of!(Record, kind)) >> 16) as u16;
    if found == lane as u16 { Ok(()) } else { Err(Damage::Lane { found }) }
}

/// The record in `cells`, which `check` has accepted.
pub(super) fn view(cells: &[u8], lane: Lane) -> Option<View<'_>> {
    let head = cells.first_chunk::<CELL_BYTES>()?;
    let Head { seq, len_bytes } = peek(head);
    Some(View {
        lane,
        seq,
        entry: Entry {
            kind: (le_u32(head, offset_of!(Record, kind)) & 0xFFFF) as u16,
            instrument: InstrumentId(le_u32(head, offset_of!(Record, instrument))),
            cause: Cause::from_raw(le_u64(head, offset_of!(Record, cause))),
            recv_ns: Nanos(le_u64(head, offset_of!(Record, recv_ns))),
        },
        body: cells.get(HEAD_BYTES..HEAD_BYTES + len_bytes as usize)?,
    })
}

fn le_u64(cell: &[u8; CELL_BYTES], at: usize) -> u64 {
    cell[at..].first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

fn le_u32(cell: &[u8; CELL_BYTES], at: usize) -> u32 {
    cell[at..].first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes))
}
