//! Reads a counters file from outside: cold, with ordinary read calls (a file cut short under a mapping would
//! end the reader), and trusting none of the bytes.

use std::fmt;
use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{Ordering, fence};

use super::layout::{self, Layout, TextRef};
use super::{Kind, Run, Unit};
use crate::histogram::Histogram;
use crate::time::Nanos;

/// An open counters file, of an engine that runs or that ran.
#[derive(Debug)]
pub struct Reader {
    file: File,
    path: PathBuf,
    layout: Layout,
}

impl Reader {
    /// Opens the counters file at `path` and checks its header.
    ///
    /// Err: cannot be read, is no counters file, or one of another version.
    pub fn open(path: &Path) -> Result<Self, ReadError> {
        let error = |cause| ReadError { path: path.to_owned(), cause };
        // Non-blocking, because opening a pipe would wait for its writer.
        let file = OpenOptions::new()
            .read(true)
            .custom_flags(libc::O_NONBLOCK)
            .open(path)
            .map_err(|io| error(Cause::Io(io)))?;
        let layout = read_layout(&file).map_err(error)?;
        Ok(Self { file, path: path.to_owned(), layout })
    }

    /// Every registered counter and its value now. Each value is whole; together they are no instant: one
    /// may be newer than another.
    ///
    /// Err: cannot be read, or damaged: the counter and the field are named.
    pub fn snapshot(&self) -> Result<Snapshot, ReadError> {
        self.read().map_err(|cause| ReadError { path: self.path.clone(), cause })
    }

    /// Whether the engine behind the file lives and turns, judged at `now` (UTC) from `snapshot`: it lives
    /// while it holds its lock on the file, and turns while every heartbeat is at most `late_after` old. A
    /// thread that has not beaten yet is judged from the start of the run.
    ///
    /// Err: the lock cannot be asked for.
    pub fn liveness(
        &self,
        snapshot: &Snapshot,
        now: Nanos,
        late_after: Nanos,
    ) -> Result<Liveness, ReadError> {
        match self.file.try_lock_shared() {
            Ok(()) => {
                self.file
                    .unlock()
                    .map_err(|io| ReadError { path: self.path.clone(), cause: Cause::Io(io) })?;
                return Ok(Liveness::Gone);
            }
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(io)) => {
                return Err(ReadError { path: self.path.clone(), cause: Cause::Io(io) });
            }
        }
        let ages =
            snapshot.counters.iter().filter(|counter| counter.kind == Kind::Heartbeat).map(|counter| {
                let last = counter.value.max(snapshot.run.start.0);
                (Nanos(now.0.saturating_sub(last)), counter)
            });
        Ok(match ages.max_by_key(|(age, _)| *age) {
            Some((age, counter)) if age > late_after => {
                Liveness::Stalled { owner: counter.owner.clone(), age }
            }
            _ => Liveness::Turning,
        })
    }

    fn read(&self) -> Result<Snapshot, Cause> {
        let mut bytes = vec![0; self.layout.file_words() * 8];
        let (header, rest) = bytes.split_at_mut(layout::HEADER_WORDS * 8);
        read_at(&self.file, header, 0)?;
        // Pairs with the Release stores of `Counters::create` and `register`: what the count covers is read
        // after the count.
        fence(Ordering::Acquire);
        read_at(&self.file, rest, header.len())?;
        parse(&bytes).map_err(Cause::Damage)
    }
}

/// The counters at about one instant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// Which run they are about.
    pub run: Run,
    /// The engine's process.
    pub pid: u32,
    /// In the order in which they were registered.
    pub counters: Vec<Entry>,
}

impl Snapshot {
    /// The first counter of that owner and name, whatever its labels.
    #[must_use]
    pub fn find(&self, owner: &str, name: &str) -> Option<&Entry> {
        self.counters.iter().find(|counter| counter.owner == owner && counter.name == name)
    }
}

/// One counter as it describes itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The stage or thread that writes it.
    pub owner: String,
    /// `a-z`, `0-9` and `_`.
    pub name: String,
    /// The strategy it is about; empty: none.
    pub strategy: String,
    /// The instrument it is about; empty: none.
    pub instrument: String,
    /// One sentence.
    pub help: String,
    /// How the value behaves.
    pub kind: Kind,
    /// What is counted.
    pub unit: Unit,
    /// What the values of a reason mean; empty for the other kinds.
    pub reasons: Vec<String>,
    /// The 64 bits as stored; of a histogram, its largest value.
    pub value: u64,
    /// The histogram, of that kind.
    pub histogram: Option<Histogram>,
}

impl Entry {
    /// The value of a gauge, which may be negative.
    #[must_use]
    pub fn signed(&self) -> i64 {
        self.value.cast_signed()
    }

    /// The reason that holds now. None: another kind, or an index that the engine never listed.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        self.reasons.get(usize::try_from(self.value).ok()?).map(String::as_str)
    }
}

/// How the engine behind a file is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Liveness {
    /// The process lives and no heartbeat is late.
    Turning,
    /// The process lives, but a thread does not turn.
    Stalled {
        /// The thread with the oldest heartbeat.
        owner: String,
        /// How old it is.
        age: Nanos,
    },
    /// The process has ended, however it did. The values are its last.
    Gone,
}

/// Why a counters file cannot be read.
#[derive(Debug)]
pub struct ReadError {
    path: PathBuf,
    cause: Cause,
}

impl ReadError {
    /// What is wrong with the bytes. None: the system refused.
    #[must_use]
    pub fn damage(&self) -> Option<Damage> {
        match self.cause {
            Cause::Damage(damage) => Some(damage),
            Cause::Io(_) => None,
        }
    }
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.cause {
            Cause::Io(error) => write!(f, "counters file {}: {error}", self.path.display()),
            Cause::Damage(damage) => write!(f, "counters file {}: {damage}", self.path.display()),
        }
    }
}

impl std::error::Error for ReadError {}

/// What is wrong with the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Damage {
    /// Not as long as the header says, or too short for one.
    Length {
        /// Bytes found.
        found: u64,
        /// Bytes expected.
        expected: u64,
    },
    /// Another kind of file, or one that is being made.
    Magic,
    /// A version this build does not read.
    Version(u32),
    /// Room for so many counters cannot be.
    Capacity(u32),
    /// More counters or texts than there is room for.
    Count,
    /// A field of a descriptor makes no sense.
    Descriptor {
        /// The descriptor's index.
        counter: u32,
        /// Which field.
        field: &'static str,
    },
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length { found, expected } => write!(f, "{found} bytes long instead of {expected}"),
            Self::Magic => f.write_str("not a counters file (byte 0)"),
            Self::Version(version) => {
                write!(f, "version {version} (byte 8), this build reads {}", layout::VERSION)
            }
            Self::Capacity(capacity) => write!(f, "impossible capacity {capacity} (byte 12)"),
            Self::Count => {
                write!(
                    f,
                    "more counters or texts than there is room for (byte {})",
                    layout::PUBLISHED_WORD * 8
                )
            }
            Self::Descriptor { counter, field } => write!(f, "counter {counter}: impossible {field}"),
        }
    }
}

impl std::error::Error for Damage {}

#[derive(Debug)]
enum Cause {
    Io(io::Error),
    Damage(Damage),
}

/// Reads a whole file's bytes. What `published` covers must have been read after it.
pub(super) fn parse(bytes: &[u8]) -> Result<Snapshot, Damage> {
    let words = Words(bytes);
    let layout = parse_layout(bytes, bytes.len() as u64)?;
    let (count, text_words) = layout::unpack(words.at(layout::PUBLISHED_WORD)?);
    if count > layout.capacity() || text_words > layout.text_words() {
        return Err(Damage::Count);
    }
    let texts_start = layout.text_word(0) * 8;
    let texts = &bytes[texts_start..texts_start + text_words as usize * 8];
    let counters = (0..count).map(|counter| {
        let at = layout.descriptor_word(counter);
        let damage = |field| Damage::Descriptor { counter, field };
        let text = |offset: usize, field: &'static str| {
            let (word, len_bytes) = layout::unpack(words.at(at + offset)?);
            text_at(texts, TextRef { word, len_bytes }).ok_or(damage(field))
        };
        let plain = |offset, field| {
            text(offset, field).and_then(|text| {
                if layout::is_plain(text) { Ok(text.to_owned()) } else { Err(damage(field)) }
            })
        };
        let (kinds, slot) = layout::unpack(words.at(at + 6)?);
        let name = plain(0, "name")?;
        let reasons = text(5, "reasons")?;
        if !layout::is_name(&name) {
            return Err(damage("name"));
        }
        let reasons: Vec<_> = if reasons.is_empty() { vec![] } else { reasons.split('\n').collect() };
        if reasons.iter().any(|reason| !layout::is_plain(reason)) {
            return Err(damage("reasons"));
        }
        let kind = Kind::ALL.into_iter().find(|kind| *kind as u32 == kinds & 0xffff);
        let unit = Unit::ALL.into_iter().find(|unit| *unit as u32 == kinds >> 16);
        let kind = kind.ok_or(damage("kind"))?;
        let words_wide = if kind == Kind::Histogram { layout::HISTOGRAM_WORDS } else { 1 };
        if slot.checked_add(words_wide).is_none_or(|end| end > layout.value_words()) {
            return Err(damage("value"));
        }
        let value_words = (slot..slot + words_wide).map(|slot| words.at(layout.value_word(slot)));
        let mut values = value_words.collect::<Result<Vec<_>, _>>()?;
        let value = values.pop().ok_or(damage("value"))?;
        let histogram = u32::try_from(value).ok().and_then(|max| Histogram::from_parts(&values, max));
        if kind == Kind::Histogram && histogram.is_none() {
            return Err(damage("value"));
        }
        Ok(Entry {
            owner: plain(1, "owner")?,
            name,
            strategy: plain(2, "strategy")?,
            instrument: plain(3, "instrument")?,
            help: plain(4, "help")?,
            kind,
            unit: unit.ok_or(damage("unit"))?,
            reasons: reasons.into_iter().map(str::to_owned).collect(),
            value,
            histogram,
        })
    });
    let run = Run { id: words.at(2)?, start: Nanos(words.at(4)?) };
    let (pid, _) = layout::unpack(words.at(3)?);
    Ok(Snapshot { run, pid, counters: counters.collect::<Result<_, _>>()? })
}

/// Bytes seen as words.
struct Words<'a>(&'a [u8]);

impl Words<'_> {
    fn at(&self, index: usize) -> Result<u64, Damage> {
        let word = self.0.as_chunks::<8>().0.get(index).copied().map(u64::from_le_bytes);
        word.ok_or(Damage::Length { found: self.0.len() as u64, expected: index as u64 * 8 + 8 })
    }
}

fn read_layout(file: &File) -> Result<Layout, Cause> {
    let metadata = file.metadata().map_err(Cause::Io)?;
    if !metadata.is_file() {
        return Err(Cause::Damage(Damage::Magic));
    }
    let mut header = [0; layout::HEADER_WORDS * 8];
    let found = metadata.len();
    if found < header.len() as u64 {
        return Err(Cause::Damage(Damage::Length { found, expected: header.len() as u64 }));
    }
    read_at(file, &mut header, 0)?;
    parse_layout(&header, found).map_err(Cause::Damage)
}

/// The layout of a file of `found` bytes that starts with `header`.
fn parse_layout(header: &[u8], found: u64) -> Result<Layout, Damage> {
    let words = Words(header);
    if words.at(layout::MAGIC_WORD)? != layout::MAGIC {
        return Err(Damage::Magic);
    }
    let (version, capacity) = layout::unpack(words.at(1)?);
    if version != layout::VERSION {
        return Err(Damage::Version(version));
    }
    let layout = Layout::new(capacity).ok_or(Damage::Capacity(capacity))?;
    let expected = layout.file_words() as u64 * 8;
    if found == expected { Ok(layout) } else { Err(Damage::Length { found, expected }) }
}

fn read_at(file: &File, bytes: &mut [u8], offset: usize) -> Result<(), Cause> {
    let end = (offset + bytes.len()) as u64;
    file.read_exact_at(bytes, offset as u64).map_err(|error| match error.kind() {
        // Cut short after it was opened.
        io::ErrorKind::UnexpectedEof => Cause::Damage(Damage::Length {
            found: file.metadata().map_or(0, |metadata| metadata.len()),
            expected: end,
        }),
        _ => Cause::Io(error),
    })
}

/// None: outside the used texts, or not UTF-8.
fn text_at(texts: &[u8], place: TextRef) -> Option<&str> {
    let start = place.word as usize * 8;
    std::str::from_utf8(texts.get(start..start.checked_add(place.len_bytes as usize)?)?).ok()
}
