//! One mapped segment file, as its writer and the helper thread share it.
//!
//! The mapping is seen as atomic words and never as bytes: writer, helper and other processes touch it at
//! the same time.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use memmap2::{MmapOptions, MmapRaw};

use crate::ids::Lane;

use super::JournalError;
use super::commit::publish;
use super::header::{self, BEGIN, END, End, SEGMENT_HEADER_BYTES, SegmentInfo};

/// Bytes that one page fault brings in; smaller than any page size in use.
const PAGE_WORDS: usize = 4096 / 8;

/// A segment whose every page has been written once, so that a later store faults on none of them.
pub(super) struct Segment {
    map: MmapRaw,
    file: File,
    path: PathBuf,
    info: SegmentInfo,
}

impl Segment {
    /// Creates `lane-number.seg` with room for `info.bytes`: reserves the disk space, writes every page, and
    /// gives the file its name last, so that a reader never meets a half-made one. Cold: about 1 µs a page.
    /// Err: the disk is full, or another failure of the file system, with the path.
    pub(super) fn create(dir: &Path, info: &SegmentInfo) -> Result<Self, JournalError> {
        let path = dir.join(file_name(info.lane, info.number));
        let unnamed = path.with_extension("tmp");
        let made = Self::make(&unnamed, &path, info);
        if made.is_err() {
            // The space is worth more than the error of a removal that fails as well.
            let _ = fs::remove_file(&unnamed);
        }
        made
    }

    fn make(unnamed: &Path, path: &Path, info: &SegmentInfo) -> Result<Self, JournalError> {
        let fail = |what| {
            move |source: io::Error| JournalError::Io {
                what,
                path: unnamed.to_path_buf(),
                source: source.into(),
            }
        };
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .open(unnamed)
            .map_err(fail("create"))?;
        reserve(&file, info.bytes).map_err(fail("reserve the space of"))?;
        let map = MmapOptions::new().map_raw(&file).map_err(fail("map"))?;
        let segment = Self { map, file, path: path.to_path_buf(), info: *info };
        let words = segment.words();
        // Writing, not MAP_POPULATE: a populated page of a disk file still faults on its first store.
        for page in words.chunks(PAGE_WORDS) {
            page[0].store(0, Ordering::Relaxed);
        }
        // Word by word, without order: the rename below publishes the file.
        for (word, value) in words.iter().zip(header::encode(info)) {
            word.store(value.to_le(), Ordering::Relaxed);
        }
        fs::rename(unnamed, path).map_err(fail("rename"))?;
        Ok(segment)
    }

    /// All words of the file.
    #[inline]
    pub(super) fn words(&self) -> &[AtomicU64] {
        // SAFETY: the mapping is readable and writable, page-aligned, `map.len()` bytes long, and lives as
        // long as `self`; the disk space is reserved, and nobody but `trim`, which consumes the mapping,
        // shortens the file. Every access to it, from whichever process, is atomic.
        unsafe { std::slice::from_raw_parts(self.map.as_ptr().cast(), self.map.len() / 8) }
    }

    pub(super) fn info(&self) -> &SegmentInfo {
        &self.info
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Marks the segment as taken, from `first_seq` on.
    pub(super) fn begin(&self, first_seq: u64, before_store: impl FnMut()) {
        let values = header::encode_begin(self.static_word(), first_seq);
        publish(&self.words()[BEGIN], &values, before_store);
    }

    /// Marks the segment as left.
    pub(super) fn end(&self, end: &End, before_store: impl FnMut()) {
        publish(&self.words()[END], &header::encode_end(self.static_word(), end), before_store);
    }

    /// The header's word that carries its checksum: begin and end cells are bound to it.
    fn static_word(&self) -> u64 {
        header::encode(&self.info)[2]
    }

    /// Makes `count` pages from word `from` on writable without a fault again: the kernel write-protects the
    /// pages that it has written to the disk.
    pub(super) fn touch(&self, from: usize, count: usize) {
        for page in self.words()[from.min(self.words().len())..].chunks(PAGE_WORDS).take(count) {
            // Adds nothing, atomically: a store of the writer that races with it is not lost.
            page[0].fetch_or(0, Ordering::Relaxed);
        }
    }

    /// Writes the bytes from `from` up to `to` to the disk and waits. Err: the disk's.
    pub(super) fn sync(&self, from: u64, to: u64) -> Result<(), JournalError> {
        let (from, to) = (to_usize(from), to_usize(to).min(self.map.len()));
        let fail = |source: io::Error| JournalError::Io {
            what: "sync",
            path: self.path.clone(),
            source: source.into(),
        };
        self.map.flush_range(from, to.saturating_sub(from)).map_err(fail)
    }

    /// Unmaps the file, gives its unused end back and, where `sync` asks for it, waits for the disk.
    /// Err: the disk's.
    pub(super) fn trim(self, used_bytes: u64, sync: bool) -> Result<(), JournalError> {
        let Self { map, file, path, info } = self;
        drop(map);
        let fail = |what| {
            let path = &path;
            move |source: io::Error| JournalError::Io { what, path: path.clone(), source: source.into() }
        };
        if used_bytes < info.bytes {
            file.set_len(used_bytes).map_err(fail("trim"))?;
        }
        if sync { file.sync_all().map_err(fail("sync")) } else { Ok(()) }
    }
}

/// Name of a segment file.
pub(super) fn file_name(lane: Lane, number: u32) -> String {
    format!("{}-{number:06}.seg", lane.name())
}

/// Lane and number of a segment file's name.
pub(super) fn parse_file_name(name: &str) -> Option<(Lane, u32)> {
    let (lane, number) = name.strip_suffix(".seg")?.split_once('-')?;
    let lane = Lane::ALL.into_iter().find(|known| known.name() == lane)?;
    let number = number.parse().ok().filter(|number| (1..u32::MAX).contains(number))?;
    (file_name(lane, number) == name).then_some((lane, number))
}

/// Reserves the whole length, so that a full disk is an error here and not a SIGBUS in a later store.
fn reserve(file: &File, bytes: u64) -> io::Result<()> {
    let length = libc::off_t::try_from(bytes).map_err(|_| io::Error::from(io::ErrorKind::FileTooLarge))?;
    loop {
        // SAFETY: plain call on a file descriptor that `file` keeps open.
        if unsafe { libc::fallocate(file.as_raw_fd(), 0, 0, length) } == 0 {
            return Ok(());
        }
        let error = io::Error::last_os_error();
        match error.raw_os_error() {
            Some(libc::EINTR) => {}
            // File systems without the call: writing zeros reserves as well, only slower.
            Some(libc::EOPNOTSUPP) => return write_zeros(file, bytes),
            _ => return Err(error),
        }
    }
}

fn write_zeros(mut file: &File, bytes: u64) -> io::Result<()> {
    let zeros = vec![0; 1 << 16];
    let mut left = bytes;
    while left > 0 {
        let part = to_usize(left).min(zeros.len());
        file.write_all(&zeros[..part])?;
        left -= part as u64;
    }
    Ok(())
}

pub(super) fn to_usize(value: u64) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
}

/// Bytes that records can take in a segment of `bytes`.
pub(super) fn capacity_bytes(bytes: u64) -> u64 {
    bytes.saturating_sub(SEGMENT_HEADER_BYTES as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_name_is_a_segment_only_in_its_one_spelling() {
        assert_eq!(parse_file_name("feed-000001.seg"), Some((Lane::Feed, 1)));
        assert_eq!(parse_file_name("runner-1000000.seg"), Some((Lane::Runner, 1_000_000)));
        for name in [
            "feed-1.seg",
            "feed-000000.seg",
            "feed-4294967295.seg",
            "feed-000001.tmp",
            "feeds-000001.seg",
            "feed-+00001.seg",
            "",
        ] {
            assert_eq!(parse_file_name(name), None, "{name}");
        }
    }
}
