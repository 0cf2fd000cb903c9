//! Counters: numbers about a run in one mapped file that any process of the same user may read while the
//! engine runs and after it died.
//!
//! The file describes itself (names, units, help texts, owners, labels), so an exporter needs no rebuild when
//! a counter is added. `Counters` makes the file and hands out one `Counter` a name, at start only; a
//! `Counter` is one plain store away from every reader, without lock, system call or read-modify-write.
//! `Reader` takes snapshots with ordinary read calls and trusts none of the bytes.
//!
//! The kernel write-protects a mapped page whenever it writes the page back, and the next store there takes a
//! page fault: 3 to 8 us (median of 300, ext4 on a virtual disk), against no fault at all on tmpfs. A run that
//! minds this once in half a minute keeps the file on tmpfs and a link in the run directory.

mod desc;
mod layout;
#[cfg(all(test, loom))]
mod model;
mod reader;
pub(crate) mod region;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::Ordering;

pub use desc::{Desc, Kind, Unit};
pub use layout::CAPACITY_MAX;
pub use reader::{Damage, Entry, Liveness, ReadError, Reader, Snapshot};

use crate::time::Nanos;
use layout::{Descriptor, Header, Layout, TextRef};
use region::{AtomicU64, Region};

/// The counters of one run: hands out `Counter`s at start, and reads them all.
#[derive(Debug)]
pub struct Counters {
    region: Arc<Region>,
    layout: Layout,
    count: u32,
    text_words_used: u32,
    lines_used: u32,
    texts: BTreeMap<String, TextRef>,
    owners: BTreeMap<String, OwnerLine>,
    names: BTreeSet<[String; 4]>,
}

impl Counters {
    /// Makes the file `path` (mode 0600, it must not exist) with room for `capacity` counters, or the same in
    /// anonymous memory where there is no path. `capacity` is 1 to [`CAPACITY_MAX`]; the file takes
    /// 448 bytes a counter. The process holds a lock on the file until the last `Counter` is gone.
    ///
    /// Err: capacity out of range; the file exists, or cannot be made, sized, locked or mapped.
    pub fn create(path: Option<&Path>, run: &Run, capacity: u32) -> Result<Self, CountersError> {
        let layout = Layout::new(capacity).ok_or(CountersError::Capacity(capacity))?;
        let region = match path {
            Some(path) => Region::file(path, layout.file_words())
                .map_err(|error| CountersError::Io { path: path.to_owned(), error })?,
            None => Region::anonymous(layout.file_words()).map_err(CountersError::Memory)?,
        };
        let header = Header { layout, run_id: run.id, pid: std::process::id(), start: run.start };
        let [magic, rest @ ..] = header.words();
        for (index, word) in rest.into_iter().enumerate() {
            // Relaxed: published by the store of the magic below.
            region.word(index + 1).store(word, Ordering::Relaxed);
        }
        // Pairs with the fence in `Reader::snapshot`: who sees the magic sees the header.
        region.word(layout::MAGIC_WORD).store(magic, Ordering::Release);
        Ok(Self {
            region: Arc::new(region),
            layout,
            count: 0,
            text_words_used: 0,
            lines_used: 0,
            texts: BTreeMap::new(),
            owners: BTreeMap::new(),
            names: BTreeSet::new(),
        })
    }

    /// Adds one counter, 0 at first. `owner` names the stage or thread that will write it; the counters of two
    /// owners never share 128 bytes (two cache lines, which the CPU prefetches as a pair). Allocates: at start only.
    ///
    /// Err: no room, a text that readers would refuse, or the same owner, name and labels a second time.
    pub fn register(&mut self, owner: &str, desc: &Desc<'_>) -> Result<Counter, CountersError> {
        desc.check(owner)?;
        let key = [owner, desc.name, desc.strategy, desc.instrument].map(str::to_owned);
        if self.names.contains(&key) {
            return Err(CountersError::Duplicate { owner: owner.to_owned(), name: desc.full_name() });
        }
        if self.count == self.layout.capacity() {
            return Err(CountersError::Full { capacity: self.count, name: desc.full_name() });
        }
        let descriptor = Descriptor {
            name: self.text(desc.name)?,
            owner: self.text(owner)?,
            strategy: self.text(desc.strategy)?,
            instrument: self.text(desc.instrument)?,
            help: self.text(desc.help)?,
            reasons: self.text(&desc.reasons.join("\n"))?,
            kind: desc.kind,
            unit: desc.unit,
            value: self.value_slot(owner),
        };
        for (offset, word) in descriptor.words().into_iter().enumerate() {
            // Relaxed: published by the store of the count below.
            self.region.word(self.layout.descriptor_word(self.count) + offset).store(word, Ordering::Relaxed);
        }
        let word = self.region.word(self.layout.value_word(descriptor.value));
        // Relaxed: it is 0 already; the store faults the page in now rather than on the hot path.
        word.store(0, Ordering::Relaxed);
        let counter = Counter { word: NonNull::from(word), region: Arc::clone(&self.region) };
        self.count += 1;
        self.names.insert(key);
        // Pairs with the Acquire in `Region::published` and the fence in `Reader::snapshot`: who sees the
        // count sees the descriptors and texts that it covers.
        let published = layout::published(self.count, self.text_words_used);
        self.region.word(layout::PUBLISHED_WORD).store(published, Ordering::Release);
        Ok(counter)
    }

    /// All counters now, without the detour over the file. Cold.
    ///
    /// Err: never, unless the memory was overwritten from outside.
    pub fn snapshot(&self) -> Result<Snapshot, Damage> {
        reader::parse(&self.region.copy(&self.layout))
    }

    fn text(&mut self, text: &str) -> Result<TextRef, CountersError> {
        if let Some(known) = self.texts.get(text) {
            return Ok(*known);
        }
        let full = || CountersError::TextsFull { text: text.to_owned() };
        let len_bytes = u32::try_from(text.len()).map_err(|_| full())?;
        let end = self.text_words_used.checked_add(len_bytes.div_ceil(8)).ok_or_else(full)?;
        if end > self.layout.text_words() {
            return Err(full());
        }
        let place = TextRef { word: self.text_words_used, len_bytes };
        for (offset, chunk) in text.as_bytes().chunks(8).enumerate() {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            // Relaxed: published by the store of the count in `register`.
            self.region
                .word(self.layout.text_word(place.word) + offset)
                .store(u64::from_ne_bytes(word), Ordering::Relaxed);
        }
        self.text_words_used = end;
        self.texts.insert(text.to_owned(), place);
        Ok(place)
    }

    /// The next free value of the owner's current line, or the first of a new line. There is always one: the
    /// file has a line for each counter.
    fn value_slot(&mut self, owner: &str) -> u32 {
        let line = self.owners.entry(owner.to_owned()).or_insert(OwnerLine { next: 0, left: 0 });
        if line.left == 0 {
            *line = OwnerLine { next: self.lines_used * layout::LINE_WORDS, left: layout::LINE_WORDS };
            self.lines_used += 1;
        }
        let slot = line.next;
        line.next += 1;
        line.left -= 1;
        slot
    }
}

/// One number with one writer. `Send`, so that it moves to the thread of its stage; not `Clone`.
pub struct Counter {
    word: NonNull<AtomicU64>,
    /// Keeps `word` mapped.
    region: Arc<Region>,
}

// SAFETY: `word` points into `region`, which `Counter` keeps alive and which is shared memory of atomics.
unsafe impl Send for Counter {}

impl Counter {
    /// Adds `n`; wraps at 2^64.
    #[inline]
    pub fn add(&mut self, n: u64) {
        self.set(self.value().wrapping_add(n));
    }

    /// Replaces the value: a gauge, or the index of a reason.
    #[inline]
    pub fn set(&mut self, value: u64) {
        // Relaxed: pairs with the Relaxed load in `Region::copy`; a value publishes nothing but itself.
        self.word().store(value, Ordering::Relaxed);
    }

    /// Replaces the value of a gauge that may be negative.
    #[inline]
    pub fn set_signed(&mut self, value: i64) {
        self.set(value.cast_unsigned());
    }

    /// Raises the value to `value` if it is less.
    #[inline]
    pub fn max(&mut self, value: u64) {
        if value > self.value() {
            self.set(value);
        }
    }

    /// What was last written.
    #[inline]
    #[must_use]
    pub fn value(&self) -> u64 {
        self.word().load(Ordering::Relaxed)
    }

    #[inline]
    fn word(&self) -> &AtomicU64 {
        // SAFETY: `word` was made from a reference into `region`, which neither moves nor shrinks while
        // `self.region` holds it.
        unsafe { self.word.as_ref() }
    }
}

impl fmt::Debug for Counter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Counter").field("value", &self.value()).field("region", &self.region).finish()
    }
}

/// Which run the counters are about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// Names the run; never reused under one data directory.
    pub id: u64,
    /// When the run started, UTC.
    pub start: Nanos,
}

/// Why there are no counters, or not this one.
#[derive(Debug)]
pub enum CountersError {
    /// Room for so many counters cannot be asked for.
    Capacity(u32),
    /// The file exists, or cannot be made, sized, locked or mapped.
    Io {
        /// The counters file.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// No anonymous memory.
    Memory(io::Error),
    /// As many counters are registered as there is room for.
    Full {
        /// Room in the file.
        capacity: u32,
        /// The counter that found none.
        name: String,
    },
    /// The texts together are longer than the file's text area.
    TextsFull {
        /// The text that found no room.
        text: String,
    },
    /// A name that is not `[a-z0-9_]+`, an empty owner, or a text with control characters.
    Text {
        /// As given.
        text: String,
    },
    /// A reason counter without reasons.
    NoReasons {
        /// As given.
        name: String,
    },
    /// The same owner, name and labels were registered before: two writers.
    Duplicate {
        /// As given.
        owner: String,
        /// Name and labels as given.
        name: String,
    },
}

impl fmt::Display for CountersError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Capacity(capacity) => {
                write!(f, "counters: capacity {capacity} is not in 1..={CAPACITY_MAX}")
            }
            Self::Io { path, error } => write!(f, "counters file {}: {error}", path.display()),
            Self::Memory(error) => write!(f, "memory for counters: {error}"),
            Self::Full { capacity, name } => {
                write!(f, "counters: no room for {name:?}, all {capacity} are taken")
            }
            Self::TextsFull { text } => write!(f, "counters: no room for the text {text:?}"),
            Self::Text { text } => {
                write!(
                    f,
                    "counters: {text:?} cannot be a name (a-z, 0-9, _), an owner or a text without controls"
                )
            }
            Self::NoReasons { name } => write!(f, "counters: reason {name:?} lists no reasons"),
            Self::Duplicate { owner, name } => {
                write!(f, "counters: {owner:?} has {name:?} already, and a counter has one writer")
            }
        }
    }
}

impl std::error::Error for CountersError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { error, .. } | Self::Memory(error) => Some(error),
            _ => None,
        }
    }
}

/// Free values of the line that an owner is filling.
#[derive(Debug)]
struct OwnerLine {
    next: u32,
    left: u32,
}
