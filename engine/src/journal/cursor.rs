//! Reads one lane, record by record, while it grows or after it ended.
//!
//! With read calls, not a mapping: the writer trims its files, and a mapping cut short is a SIGBUS. The calls
//! copy from the page cache that the writer's mapping is, so a record is visible as soon as it is stored.

use std::fs;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{Ordering, fence};

use crate::ids::Lane;

use super::header::{self, End, HeaderDamage, Left, SEGMENT_HEADER_BYTES, SegmentInfo};
use super::problem::{Problem, Trouble};
use super::record::{CELL_BYTES, Damage, View, check, crc32c_of, peek, record_bytes, view};
use super::segment::{file_name, parse_file_name, to_usize};

/// A place in one lane. Yields only records whose sequence follows and whose checksum fits; after the first
/// that does not, it stays there.
pub struct Cursor {
    dir: PathBuf,
    lane: Lane,
    first_number: u32, // of the segment that it begins in
    segment: Option<OpenSegment>,
    next_seq: u64, // 0: whatever the first segment present begins with
    last_seq: u64,
    window: Window,
    loaded: Option<std::ops::Range<usize>>, // the current record's cells in `window`
    gaps: Vec<Gap>,
    problem: Option<Problem>,
}

/// Where a cursor stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stand {
    /// On a record: `Cursor::current` gives it.
    Record,
    /// Behind the last record written so far.
    Tail,
    /// Behind the last record of a lane that was closed in order.
    Closed,
}

/// Records that retention has deleted, that a slice was never meant to hold, or that a cursor began behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// The last sequence before the gap; 0: the lane's start is gone.
    pub after_seq: u64,
    /// The first sequence behind it.
    pub next_seq: u64,
}

struct OpenSegment {
    file: File,
    path: PathBuf,
    info: SegmentInfo,
    begun: bool,
    at: u64,
}

impl Cursor {
    /// At the start of `lane` in the journal directory `dir`.
    #[must_use]
    pub fn new(dir: &Path, lane: Lane) -> Self {
        Self::from_segment(dir, lane, 1)
    }

    /// At the start of the newest segment of `lane` that its writer has taken: who wants to know what comes from now on
    /// need not read what was written in days. The records before it are a gap.
    /// Err: the directory cannot be listed, or the newest segments' headers not be read.
    pub(super) fn newest(dir: &Path, lane: Lane) -> Result<Self, Problem> {
        let fail = |path: &Path, what| Problem { path: path.into(), offset: 0, after_seq: 0, what };
        let mut numbers = numbers(dir, lane).map_err(|error| fail(dir, Trouble::Read(error.kind())))?;
        numbers.sort_unstable();
        for number in numbers.into_iter().rev() {
            let path = dir.join(file_name(lane, number));
            let begun =
                OpenSegment::open(path.clone(), lane, number).and_then(|segment| segment.read_begin());
            match begun {
                Ok(Some(_)) => return Ok(Self::from_segment(dir, lane, number)),
                // The one that waits for its writer; or one that retention has deleted since it was listed.
                Ok(None) | Err(Trouble::Read(io::ErrorKind::NotFound)) => {}
                Err(what) => return Err(fail(&path, what)),
            }
        }
        Ok(Self::new(dir, lane))
    }

    fn from_segment(dir: &Path, lane: Lane, first_number: u32) -> Self {
        Self {
            dir: dir.to_path_buf(),
            lane,
            first_number,
            segment: None,
            next_seq: 0,
            last_seq: 0,
            window: Window::default(),
            loaded: None,
            gaps: Vec::new(),
            problem: None,
        }
    }

    /// Steps behind the current record, if there is one, and looks for the next.
    /// Err: the lane cannot be read on from here; every later call says the same.
    pub fn step(&mut self) -> Result<Stand, Problem> {
        if let Some(problem) = &self.problem {
            return Err(problem.clone());
        }
        if let Some(cells) = self.loaded.take()
            && let Some(segment) = &mut self.segment
        {
            segment.at += cells.len() as u64;
            self.last_seq = self.next_seq;
            self.next_seq += 1;
        }
        let found = self.find();
        if let Err(problem) = &found {
            self.problem = Some(problem.clone());
        }
        found
    }

    /// The record that the last `step` found.
    #[must_use]
    pub fn current(&self) -> Option<View<'_>> {
        view(self.window.bytes.get(self.loaded.clone()?)?, self.lane)
    }

    /// Checksum of the record that the last `step` found.
    #[must_use]
    pub fn current_crc32c(&self) -> Option<u32> {
        self.window.bytes.get(self.loaded.clone()?)?.first_chunk().map(crc32c_of)
    }

    /// Steps and gives the record. None: at the tail, or closed.
    /// Err: as `step`.
    #[expect(clippy::should_implement_trait, reason = "an iterator cannot lend its own buffer")]
    pub fn next(&mut self) -> Result<Option<View<'_>>, Problem> {
        Ok(if self.step()? == Stand::Record { self.current() } else { None })
    }

    /// The lane.
    #[must_use]
    pub const fn lane(&self) -> Lane {
        self.lane
    }

    /// The last record stepped behind; 0: none yet.
    #[must_use]
    pub const fn last_seq(&self) -> u64 {
        self.last_seq
    }

    /// The last sequence known to have been written, kept or not; 0: none.
    #[must_use]
    pub const fn known_seq(&self) -> u64 {
        self.next_seq.saturating_sub(1)
    }

    /// What retention had deleted before the cursor came there, and what lies before its beginning.
    #[must_use]
    pub fn gaps(&self) -> &[Gap] {
        &self.gaps
    }

    /// File and offset of the current record, or of where the next one is due. None: no segment yet.
    #[must_use]
    pub fn place(&self) -> Option<(&Path, u64)> {
        self.segment.as_ref().map(|segment| (segment.path.as_path(), segment.at))
    }

    /// What stopped it.
    pub(super) const fn problem(&self) -> Option<&Problem> {
        self.problem.as_ref()
    }

    /// Whether the writer has left the cursor's segment, so that all its records were finished.
    pub(super) fn is_left(&self) -> bool {
        self.segment.as_ref().is_some_and(|segment| !matches!(segment.read_end(), Ok(None)))
    }

    /// Header of the segment that the cursor is in. None: no segment yet.
    #[must_use]
    pub fn segment(&self) -> Option<&SegmentInfo> {
        self.segment.as_ref().map(|segment| &segment.info)
    }

    fn find(&mut self) -> Result<Stand, Problem> {
        loop {
            let Some(segment) = &mut self.segment else {
                if !self.enter(self.first_number, None)? {
                    return Ok(Stand::Tail);
                }
                continue;
            };
            if !segment.begun {
                match segment.read_begin() {
                    Ok(None) => return Ok(Stand::Tail),
                    Ok(Some(first_seq)) => self.begin(first_seq)?,
                    Err(what) => return Err(self.trouble(what)),
                }
                continue;
            }
            match load(segment, &mut self.window, self.next_seq, self.lane) {
                Err(what) => return Err(self.trouble(what)),
                Ok(Some(cells)) => {
                    self.loaded = Some(cells);
                    return Ok(Stand::Record);
                }
                Ok(None) => match self.tail()? {
                    Some(stand) => return Ok(stand),
                    None => continue,
                },
            }
        }
    }

    /// No record at the cursor: the lane's tail (`Some`), or the next segment has been entered (`None`).
    fn tail(&mut self) -> Result<Option<Stand>, Problem> {
        let Some(segment) = &self.segment else { return Ok(Some(Stand::Tail)) };
        let (number, run) = (segment.info.number, segment.info.run);
        match segment.read_tail(self.next_seq) {
            Err(what) => Err(self.trouble(what)),
            Ok(Tail::Grown) => Ok(None),
            Ok(Tail::Ended(Left::Closed)) => Ok(Some(Stand::Closed)),
            Ok(Tail::Ended(Left::Moved)) if self.enter(number + 1, Some(run))? => Ok(None),
            Ok(Tail::Ended(Left::Moved)) => Err(self.trouble(Trouble::Missing { number: number + 1 })),
            Ok(Tail::Open) => {
                // A power loss can keep the next segment and lose the end mark of this one.
                let path = self.dir.join(file_name(self.lane, number + 1));
                let next = OpenSegment::open(path, self.lane, number + 1);
                let follows = next
                    .is_ok_and(|next| next.info.run == run && next.read_begin() == Ok(Some(self.next_seq)));
                Ok(if follows && self.enter(number + 1, Some(run))? { None } else { Some(Stand::Tail) })
            }
        }
    }

    /// Opens the lane's lowest segment from `expected` on; those before it must be retention's.
    /// False: there is none.
    fn enter(&mut self, expected: u32, run: Option<header::RunInfo>) -> Result<bool, Problem> {
        let mut tries = 0;
        let (number, segment) = loop {
            let fail =
                |what, path: &Path| Problem { path: path.into(), offset: 0, after_seq: self.last_seq, what };
            let number = match first_number(&self.dir, self.lane, expected) {
                Ok(Some(number)) => number,
                Ok(None) => return Ok(false),
                Err(error) => return Err(fail(Trouble::Read(error.kind()), &self.dir)),
            };
            let path = self.dir.join(file_name(self.lane, number));
            match OpenSegment::open(path.clone(), self.lane, number) {
                Ok(segment) => break (number, segment),
                // Deleted by retention since it was listed.
                Err(Trouble::Read(io::ErrorKind::NotFound)) if tries < 8 => tries += 1,
                Err(what) => return Err(fail(what, &path)),
            }
        };
        let fail = |what, path| Problem { path, offset: 0, after_seq: self.last_seq, what };
        if run.is_some_and(|run| run != segment.info.run) {
            return Err(fail(Trouble::OtherRun, segment.path));
        }
        if number != expected {
            if segment.info.run.retention.is_none() {
                let missing = self.dir.join(file_name(self.lane, expected));
                return Err(fail(Trouble::Missing { number: expected }, missing));
            }
            self.next_seq = 0;
        } else if number == 1 {
            self.next_seq = u64::from(!segment.info.run.is_slice);
        }
        self.window.clear();
        self.segment = Some(segment);
        Ok(true)
    }

    /// The writer has taken the segment.
    fn begin(&mut self, first_seq: u64) -> Result<(), Problem> {
        if self.next_seq == 0 {
            let expected = self.last_seq + 1;
            // A sequence has 48 bits, so that it fits a cause: counting on from it cannot overflow.
            if first_seq < expected || first_seq >= 1 << 48 {
                return Err(self.trouble(Trouble::Begin { expected, found: first_seq }));
            }
            if first_seq > expected {
                self.gaps.push(Gap { after_seq: self.last_seq, next_seq: first_seq });
            }
            self.next_seq = first_seq;
        } else if self.next_seq != first_seq {
            return Err(self.trouble(Trouble::Begin { expected: self.next_seq, found: first_seq }));
        }
        if let Some(segment) = &mut self.segment {
            segment.begun = true;
        }
        Ok(())
    }

    fn trouble(&self, what: Trouble) -> Problem {
        let (path, at) = self.place().unwrap_or((&self.dir, 0));
        let offset = match what {
            Trouble::Header(_) | Trouble::OtherRun | Trouble::Begin { .. } => 0,
            _ => at,
        };
        Problem { path: path.to_path_buf(), offset, after_seq: self.last_seq, what }
    }
}

enum Tail {
    Open,
    Ended(Left),
    /// A record has appeared after all.
    Grown,
}

impl OpenSegment {
    fn open(path: PathBuf, lane: Lane, number: u32) -> Result<Self, Trouble> {
        let file = File::open(&path).map_err(|error| Trouble::Read(error.kind()))?;
        let mut head = Vec::new();
        read_to(&file, 0, SEGMENT_HEADER_BYTES, &mut head)?;
        let info = header::decode(&head, lane, number).map_err(Trouble::Header)?;
        Ok(Self { file, path, info, begun: false, at: SEGMENT_HEADER_BYTES as u64 })
    }

    fn read_begin(&self) -> Result<Option<u64>, Trouble> {
        self.read_mark(header::decode_begin)
    }

    fn read_end(&self) -> Result<Option<End>, Trouble> {
        self.read_mark(header::decode_end)
    }

    /// Reads a mark that the writer sets by storing the words behind it, then its first one.
    fn read_mark<T>(
        &self,
        decode: impl Fn(&[u8]) -> Result<Option<T>, HeaderDamage>,
    ) -> Result<Option<T>, Trouble> {
        let mut head = Vec::new();
        read_to(&self.file, 0, SEGMENT_HEADER_BYTES, &mut head)?;
        match decode(&head) {
            Err(HeaderDamage::Checksum(_)) => {
                // Perhaps the words behind the first were read before they were stored. Pairs with the
                // Release in `publish`: the second read sees them.
                fence(Ordering::Acquire);
                read_to(&self.file, 0, SEGMENT_HEADER_BYTES, &mut head)?;
                decode(&head).map_err(Trouble::Header)
            }
            other => other.map_err(Trouble::Header),
        }
    }

    /// What it means that there is no record at `at`, where `next_seq` would be.
    fn read_tail(&self, next_seq: u64) -> Result<Tail, Trouble> {
        // The length first: a file is marked as ended before it is trimmed.
        let file_bytes = self.file.metadata().map_err(|error| Trouble::Read(error.kind()))?.len();
        let end = self.read_end()?;
        let expected_bytes = end.map_or(self.info.bytes, |end| end.used_bytes);
        if file_bytes < expected_bytes {
            return Err(Trouble::Cut { file_bytes, expected_bytes });
        }
        let Some(end) = end else { return Ok(Tail::Open) };
        if end.next_seq == next_seq && end.used_bytes == self.at {
            return Ok(Tail::Ended(end.left));
        }
        // The mark is set after the last record: look again, this time for good.
        if self.seq_here()? == 0 { Err(Trouble::End { next_seq: end.next_seq }) } else { Ok(Tail::Grown) }
    }

    /// The sequence stored where the cursor is; 0: none, or no room for one.
    fn seq_here(&self) -> Result<u64, Trouble> {
        let mut cell = Vec::new();
        if self.at + CELL_BYTES as u64 <= self.info.bytes {
            read_to(&self.file, self.at, CELL_BYTES, &mut cell)?;
        }
        Ok(cell.first_chunk().map_or(0, |cell| peek(cell).seq))
    }
}

/// Part of a file, as it was when it was read.
#[derive(Default)]
struct Window {
    bytes: Vec<u8>,
    at: u64,
}

impl Window {
    fn clear(&mut self) {
        self.bytes.clear();
    }

    fn get(&self, at: u64, length: usize) -> Option<&[u8]> {
        let from = to_usize(at.checked_sub(self.at)?);
        self.bytes.get(from..from.checked_add(length)?)
    }

    fn fill(&mut self, segment: &OpenSegment, length: usize) -> Result<(), Trouble> {
        // No more than there is: what the file says of itself may be wrong, and must not cost memory.
        let file_bytes = segment.file.metadata().map_err(|error| Trouble::Read(error.kind()))?.len();
        let left = to_usize(segment.info.bytes.min(file_bytes).saturating_sub(segment.at));
        self.at = segment.at;
        read_to(&segment.file, self.at, length.max(WINDOW_BYTES).min(left), &mut self.bytes)
    }
}

/// Finds the record `next_seq` at the segment's place. None: nothing is there yet.
fn load(
    segment: &OpenSegment,
    window: &mut Window,
    next_seq: u64,
    lane: Lane,
) -> Result<Option<std::ops::Range<usize>>, Trouble> {
    let seq_in = |window: &Window| {
        window.get(segment.at, CELL_BYTES).and_then(<[u8]>::first_chunk).map_or(0, |cell| peek(cell).seq)
    };
    if seq_in(window) == 0 {
        if segment.seq_here()? == 0 {
            return Ok(None);
        }
        window.clear();
    }
    let (mut fresh, mut need) = (false, 0);
    loop {
        match examine(segment, window, next_seq, lane) {
            Ok(cells) => return Ok(Some(cells)),
            Err(Doubt::Wrong(damage)) if fresh => return Err(Trouble::Record(damage)),
            Err(Doubt::Short(length)) if fresh && need >= length => {
                let file_bytes = segment.at + window.bytes.len() as u64;
                return Err(Trouble::Cut { file_bytes, expected_bytes: segment.at + length as u64 });
            }
            Err(Doubt::Short(length)) => need = length,
            Err(Doubt::Wrong(_)) => {}
        }
        // Pairs with the Release of `seq` in `write_record`: the sequence has been read, so what is read from
        // here on is the whole record; the window may still hold it as it was being written.
        fence(Ordering::Acquire);
        window.fill(segment, need)?;
        fresh = true;
    }
}

enum Doubt {
    /// The window ends before the record: so many bytes are needed.
    Short(usize),
    Wrong(Damage),
}

fn examine(
    segment: &OpenSegment,
    window: &Window,
    next_seq: u64,
    lane: Lane,
) -> Result<std::ops::Range<usize>, Doubt> {
    let Some(cell) = window.get(segment.at, CELL_BYTES).and_then(<[u8]>::first_chunk) else {
        return Err(Doubt::Short(CELL_BYTES));
    };
    let head = peek(cell);
    if head.seq != next_seq {
        return Err(Doubt::Wrong(Damage::Sequence { found: head.seq }));
    }
    let length = record_bytes(head.len_bytes as usize);
    if length as u64 > segment.info.bytes.saturating_sub(segment.at) {
        return Err(Doubt::Wrong(Damage::Length { found: head.len_bytes }));
    }
    let cells = window.get(segment.at, length).ok_or(Doubt::Short(length))?;
    check(cells, lane).map_err(Doubt::Wrong)?;
    let from = to_usize(segment.at - window.at);
    Ok(from..from + length)
}

/// Reads up to `length` bytes; fewer where the file ends before.
fn read_to(file: &File, at: u64, length: usize, into: &mut Vec<u8>) -> Result<(), Trouble> {
    into.resize(length, 0);
    let mut got = 0;
    while got < length {
        match file.read_at(&mut into[got..], at + got as u64) {
            Ok(0) => break,
            Ok(count) => got += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(Trouble::Read(error.kind())),
        }
    }
    into.truncate(got);
    Ok(())
}

/// The lane's lowest segment number from `from` on.
fn first_number(dir: &Path, lane: Lane, from: u32) -> io::Result<Option<u32>> {
    let next = dir.join(file_name(lane, from));
    if from > 1 && next.exists() {
        return Ok(Some(from));
    }
    Ok(numbers(dir, lane)?.into_iter().filter(|number| *number >= from).min())
}

/// The numbers of the lane's segments, in no order.
fn numbers(dir: &Path, lane: Lane) -> io::Result<Vec<u32>> {
    let mut numbers = Vec::new();
    for entry in fs::read_dir(dir)? {
        let name = entry?.file_name();
        numbers.extend(
            name.to_str()
                .and_then(parse_file_name)
                .filter(|(found, _)| *found == lane)
                .map(|(_, number)| number),
        );
    }
    Ok(numbers)
}

const WINDOW_BYTES: usize = 256 << 10;
