//! The memory of the counters, and of a command lane: a mapped file, or anonymous memory, seen as atomic words.

#[cfg(not(loom))]
pub(crate) use std::sync::atomic::AtomicU64;

#[cfg(loom)]
pub(crate) use loom::sync::atomic::AtomicU64;

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::atomic::Ordering;

use super::layout::{self, Layout};

/// Zeroed words, shared with every process that maps or reads the file.
#[derive(Debug)]
pub(crate) struct Region {
    #[cfg(not(loom))]
    map: memmap2::MmapRaw,
    #[cfg(loom)]
    map: Vec<AtomicU64>,
    words: usize,
    /// Open, and locked, as long as anybody may write: how a reader knows that the process lives.
    _lock: Option<File>,
}

impl Region {
    /// A new file of `words` words, mapped and locked. Its blocks are allocated now: a store into a hole of a
    /// full disk would end the process.
    pub(crate) fn file(path: &Path, words: usize) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(path)?;
        let map = allocate(&file, words).and_then(|()| map_file(&file, words));
        if map.is_err() {
            let _ = std::fs::remove_file(path); // the error at hand says more than a second one
        }
        Ok(Self { map: map?, words, _lock: Some(file) })
    }

    pub(crate) fn anonymous(words: usize) -> io::Result<Self> {
        Ok(Self { map: map_anonymous(words)?, words, _lock: None })
    }

    /// The word at `index`, counted from the start of the file.
    pub(crate) fn word(&self, index: usize) -> &AtomicU64 {
        assert!(index < self.words, "word {index} of {}", self.words);
        #[cfg(loom)]
        return &self.map[index];
        #[cfg(not(loom))]
        // SAFETY: in bounds by the assertion; pages are aligned, zeroed at first and written only as atomic
        // words, by this process through this function. Other processes of the user could write the file:
        // any bit pattern is a u64. The file is not truncated by us, and its blocks are allocated.
        unsafe {
            &*self.map.as_mut_ptr().cast::<AtomicU64>().add(index)
        }
    }

    /// Count and text words used; what they cover may be read after it.
    fn published(&self) -> (u32, u32) {
        // Pairs with the Release in `Counters::register`.
        layout::unpack(self.word(layout::PUBLISHED_WORD).load(Ordering::Acquire))
    }

    /// The published part as a reader of the file would see it; zeros elsewhere.
    pub(super) fn copy(&self, layout: &Layout) -> Vec<u8> {
        let (count, text_words) = self.published();
        let mut bytes = vec![0; self.words * 8];
        let mut take = |range: std::ops::Range<usize>| {
            for index in range {
                let word = self.word(index).load(Ordering::Relaxed);
                bytes[index * 8..][..8].copy_from_slice(&word.to_ne_bytes());
            }
        };
        take(0..layout::PUBLISHED_WORD);
        take(layout.descriptor_word(0)..layout.descriptor_word(count));
        take(layout.text_word(0)..layout.text_word(text_words));
        take(layout.value_word(0)..layout.value_word(layout.value_words().min(count * layout::LINE_WORDS)));
        let published = layout::published(count, text_words);
        bytes[layout::PUBLISHED_WORD * 8..][..8].copy_from_slice(&published.to_ne_bytes());
        bytes
    }
}

fn allocate(file: &File, words: usize) -> io::Result<()> {
    file.lock()?;
    let len_bytes = libc::off_t::try_from(words * 8).map_err(io::Error::other)?;
    // SAFETY: plain system call on a file descriptor that is open for writing.
    match unsafe { libc::posix_fallocate(file.as_raw_fd(), 0, len_bytes) } {
        0 => Ok(()),
        code => Err(io::Error::from_raw_os_error(code)),
    }
}

#[cfg(not(loom))]
fn map_file(file: &File, words: usize) -> io::Result<memmap2::MmapRaw> {
    memmap2::MmapOptions::new().len(words * 8).map_raw(file)
}

#[cfg(not(loom))]
fn map_anonymous(words: usize) -> io::Result<memmap2::MmapRaw> {
    memmap2::MmapMut::map_anon(words * 8).map(memmap2::MmapRaw::from)
}

#[cfg(loom)]
fn map_file(_: &File, words: usize) -> io::Result<Vec<AtomicU64>> {
    map_anonymous(words)
}

#[cfg(loom)]
#[expect(clippy::unnecessary_wraps, reason = "has the signature of the mapping it stands for")]
fn map_anonymous(words: usize) -> io::Result<Vec<AtomicU64>> {
    Ok((0..words).map(|_| AtomicU64::new(0)).collect())
}
