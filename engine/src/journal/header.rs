//! The first 256 bytes of a segment file, in 64-bit little-endian words.
//!
//! ```text
//! word 0     magic                         ┐
//!      1     version u32, lane u16, 0      │ written by the helper thread, complete before
//!      2     crc of words 0..16, number    │ the file gets its name
//!      3     run id                        │
//!      4..8  configuration hash            │
//!      8     bytes of the file             │
//!      9     created, UTC ns               │
//!      10..13  clock anchor                │
//!      13..15  retention: bytes, age ns    │
//!      15    1: a slice                    ┘
//!      16    seq of the first record       ┐ `begin`: by the writer, when it takes the segment;
//!      17    crc of words 2 and 16         ┘ word 16 is stored last
//!      24    seq after the last record     ┐ `end`: by the writer, when it leaves the segment;
//!      25    crc of words 2, 24 and 26; how│ word 24 is stored last
//!      26    bytes used, header included   ┘
//! ```

use std::time::Duration;

use crate::ids::Lane;
use crate::time::Nanos;

use super::crc::Crc;

/// Bytes of a segment before its first record.
pub const SEGMENT_HEADER_BYTES: usize = 256;
/// Version of the container: segment header and record head.
pub const VERSION: u32 = 1;

pub(super) const BEGIN: std::ops::Range<usize> = 16..24;
pub(super) const END: std::ops::Range<usize> = 24..32;
const MAGIC: u64 = u64::from_le_bytes(*b"SABREJNL");
const STATIC_WORDS: usize = 16;

/// One instant on three clocks, so that counter readings become times.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Anchor {
    /// UTC.
    pub wall_ns: Nanos,
    /// `CLOCK_MONOTONIC`.
    pub mono_ns: Nanos,
    /// Time-stamp counter of the CPU; 0 where there is none.
    pub tsc: u64,
}

impl Anchor {
    /// The instant of the call; cold.
    #[must_use]
    pub fn now() -> Self {
        let mut mono = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: `mono` is a valid place for one timespec; the clock exists on every Linux.
        unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut mono) };
        #[cfg(target_arch = "x86_64")]
        // SAFETY: every x86-64 CPU has the instruction.
        let tsc = unsafe { core::arch::x86_64::_rdtsc() };
        #[cfg(not(target_arch = "x86_64"))]
        let tsc = 0;
        let mono_ns = mono.tv_sec.unsigned_abs() * 1_000_000_000 + mono.tv_nsec.unsigned_abs();
        Self { wall_ns: wall_now(), mono_ns: Nanos(mono_ns), tsc }
    }
}

#[expect(clippy::disallowed_methods, reason = "for the helper thread and at start")]
pub(super) fn wall_now() -> Nanos {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    nanos(since)
}

pub(super) fn nanos(length: Duration) -> Nanos {
    Nanos(u64::try_from(length.as_nanos()).unwrap_or(u64::MAX))
}

/// What may be deleted while the run goes on. The newest segment of each lane and the first of the runner's
/// lane, from which recovery starts, never are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Most bytes that the journal keeps on disk, all lanes together.
    pub bytes: u64,
    /// Segments left longer ago than this are deleted.
    pub age: Duration,
}

/// What every segment of a run repeats, so that each can be read alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunInfo {
    /// Names the run; never reused under one data directory.
    pub run_id: u64,
    /// Hash of the resolved configuration.
    pub config_hash: [u8; 32],
    /// Clocks at the start of the run.
    pub anchor: Anchor,
    /// None: everything is kept.
    pub retention: Option<Retention>,
    /// Cut out of a longer journal: its lanes may begin after record 1, and nothing was ever deleted.
    pub is_slice: bool,
}

/// The part of a segment's header that is complete before the file gets its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SegmentInfo {
    /// What all segments of the run say.
    pub run: RunInfo,
    /// Whose records it holds.
    pub lane: Lane,
    /// Counts from 1 in its lane.
    pub number: u32,
    /// Length of the whole file, bytes.
    pub bytes: u64,
    /// When the file was made, UTC.
    pub created_ns: Nanos,
}

/// How a writer left a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Left {
    /// For the next one.
    Moved,
    /// For good: the journal was closed in order.
    Closed,
}

/// The `end` cell of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End {
    /// The sequence after the segment's last.
    pub next_seq: u64,
    /// Bytes in use, header included.
    pub used_bytes: u64,
    /// How the writer left.
    pub left: Left,
}

/// Why the start of a file is no segment header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeaderDamage {
    /// Shorter than a header.
    Short,
    /// Another kind of file.
    Magic,
    /// A version this build does not read.
    Version(u32),
    /// The checksum does not fit: the static words, the `begin` or the `end` cell.
    Checksum(&'static str),
    /// Written for another lane than the file's name says.
    Lane(u16),
    /// Written for another number than the file's name says.
    Number(u32),
}

pub(super) fn encode(info: &SegmentInfo) -> [u64; STATIC_WORDS] {
    let RunInfo { run_id, config_hash, anchor, retention, is_slice } = info.run;
    let (retention_bytes, retention_age) = retention.map_or((0, 0), |keep| (keep.bytes, nanos(keep.age).0));
    let mut words = [0; STATIC_WORDS];
    words[0] = MAGIC;
    words[1] = u64::from(VERSION) | (info.lane as u64) << 32;
    words[2] = u64::from(info.number) << 32;
    words[3] = run_id;
    for (word, bytes) in words[4..8].iter_mut().zip(config_hash.as_chunks::<8>().0) {
        *word = u64::from_le_bytes(*bytes);
    }
    words[8] = info.bytes;
    words[9] = info.created_ns.0;
    words[10] = anchor.wall_ns.0;
    words[11] = anchor.mono_ns.0;
    words[12] = anchor.tsc;
    words[13] = retention_bytes;
    words[14] = retention_age;
    words[15] = u64::from(is_slice);
    words[2] |= u64::from(crc_of(&words));
    words
}

/// Err: not the header of segment `number` of `lane`, and why.
pub(super) fn decode(bytes: &[u8], lane: Lane, number: u32) -> Result<SegmentInfo, HeaderDamage> {
    let words = words_of(bytes).ok_or(HeaderDamage::Short)?;
    if words[0] != MAGIC {
        return Err(HeaderDamage::Magic);
    }
    if low(words[1]) != VERSION {
        return Err(HeaderDamage::Version(low(words[1])));
    }
    let mut bare = [0; STATIC_WORDS];
    bare.copy_from_slice(&words[..STATIC_WORDS]);
    bare[2] = bare[2] >> 32 << 32;
    if crc_of(&bare) != low(words[2]) {
        return Err(HeaderDamage::Checksum("header"));
    }
    let found = (words[1] >> 32 & 0xFFFF) as u16;
    if found != lane as u16 {
        return Err(HeaderDamage::Lane(found));
    }
    if high(words[2]) != number {
        return Err(HeaderDamage::Number(high(words[2])));
    }
    let mut config_hash = [0; 32];
    for (bytes, word) in config_hash.as_chunks_mut::<8>().0.iter_mut().zip(&words[4..8]) {
        *bytes = word.to_le_bytes();
    }
    let retention = (words[13] != 0 || words[14] != 0)
        .then(|| Retention { bytes: words[13], age: Duration::from_nanos(words[14]) });
    let anchor = Anchor { wall_ns: Nanos(words[10]), mono_ns: Nanos(words[11]), tsc: words[12] };
    Ok(SegmentInfo {
        run: RunInfo { run_id: words[3], config_hash, anchor, retention, is_slice: words[15] == 1 },
        lane,
        number,
        bytes: words[8],
        created_ns: Nanos(words[9]),
    })
}

pub(super) fn encode_begin(static_word: u64, first_seq: u64) -> [u64; 8] {
    [first_seq, u64::from(crc_of(&[static_word, first_seq])), 0, 0, 0, 0, 0, 0]
}

/// The segment's first sequence; None: no writer has taken the segment yet.
/// Err: the cell's checksum does not fit.
pub(super) fn decode_begin(bytes: &[u8]) -> Result<Option<u64>, HeaderDamage> {
    let words = words_of(bytes).ok_or(HeaderDamage::Short)?;
    let first_seq = words[BEGIN.start];
    match first_seq {
        0 => Ok(None),
        _ if words[BEGIN] == encode_begin(words[2], first_seq) => Ok(Some(first_seq)),
        _ => Err(HeaderDamage::Checksum("begin cell")),
    }
}

pub(super) fn encode_end(static_word: u64, end: &End) -> [u64; 8] {
    let how = match end.left {
        Left::Moved => 1,
        Left::Closed => 2,
    };
    let crc = crc_of(&[static_word, end.next_seq, end.used_bytes, how]);
    [end.next_seq, u64::from(crc) | how << 32, end.used_bytes, 0, 0, 0, 0, 0]
}

/// How the segment ends; None: its writer is in it, or died in it.
/// Err: the cell's checksum does not fit.
pub(super) fn decode_end(bytes: &[u8]) -> Result<Option<End>, HeaderDamage> {
    let words = words_of(bytes).ok_or(HeaderDamage::Short)?;
    let (next_seq, used_bytes) = (words[END.start], words[END.start + 2]);
    let left = if high(words[END.start + 1]) == 2 { Left::Closed } else { Left::Moved };
    let end = End { next_seq, used_bytes, left };
    match next_seq {
        0 => Ok(None),
        _ if words[END] == encode_end(words[2], &end) => Ok(Some(end)),
        _ => Err(HeaderDamage::Checksum("end cell")),
    }
}

fn words_of(bytes: &[u8]) -> Option<[u64; SEGMENT_HEADER_BYTES / 8]> {
    let mut words = [0; SEGMENT_HEADER_BYTES / 8];
    for (word, bytes) in words.iter_mut().zip(bytes.get(..SEGMENT_HEADER_BYTES)?.as_chunks::<8>().0) {
        *word = u64::from_le_bytes(*bytes);
    }
    Some(words)
}

fn crc_of(words: &[u64]) -> u32 {
    words.iter().fold(Crc::new(), |crc, word| crc.word(*word)).finish()
}

const fn low(word: u64) -> u32 {
    (word & 0xFFFF_FFFF) as u32
}

const fn high(word: u64) -> u32 {
    (word >> 32) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info() -> SegmentInfo {
        SegmentInfo {
            run: RunInfo {
                run_id: 7,
                config_hash: *b"a hash of the configuration file",
                anchor: Anchor { wall_ns: Nanos(1), mono_ns: Nanos(2), tsc: 3 },
                retention: Some(Retention { bytes: 1 << 30, age: Duration::from_secs(60) }),
                is_slice: true,
            },
            lane: Lane::Gateway,
            number: 9,
            bytes: 4096,
            created_ns: Nanos(5),
        }
    }

    fn bytes(info: &SegmentInfo, first_seq: u64, end: &End) -> Vec<u8> {
        let head = encode(info);
        let words = [&head[..], &encode_begin(head[2], first_seq), &encode_end(head[2], end)].concat();
        words.iter().flat_map(|word| word.to_le_bytes()).collect()
    }

    #[test]
    fn a_header_comes_back_and_any_flipped_bit_is_noticed() {
        let end = End { next_seq: 90, used_bytes: 640, left: Left::Moved };
        let good = bytes(&info(), 41, &end);
        let read = |bytes: &[u8]| (decode(bytes, Lane::Gateway, 9), decode_begin(bytes), decode_end(bytes));
        assert_eq!(read(&good), (Ok(info()), Ok(Some(41)), Ok(Some(end))));
        for bit in 0..good.len() * 8 {
            let mut bad = good.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert_ne!(read(&bad), read(&good), "bit {bit}");
        }
    }

    #[test]
    fn another_lane_number_version_or_file_is_named() {
        let end = End { next_seq: 2, used_bytes: 320, left: Left::Closed };
        let good = bytes(&info(), 1, &end);
        assert_eq!(decode(&good, Lane::Feed, 9), Err(HeaderDamage::Lane(5)));
        assert_eq!(decode(&good, Lane::Gateway, 8), Err(HeaderDamage::Number(9)));
        assert_eq!(decode(&good[..255], Lane::Gateway, 9), Err(HeaderDamage::Short));
        let mut other = good.clone();
        other[8] = 2;
        assert_eq!(decode(&other, Lane::Gateway, 9), Err(HeaderDamage::Version(2)));
        other[0] = 0;
        assert_eq!(decode(&other, Lane::Gateway, 9), Err(HeaderDamage::Magic));
    }
}
