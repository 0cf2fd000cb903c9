//! A journal directory as a reader finds it, and its lanes merged for display.

use std::collections::VecDeque;
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use crate::ids::Lane;
use crate::time::Nanos;

use super::cursor::{Cursor, Stand};
use super::header::{self, RunInfo, SEGMENT_HEADER_BYTES};
use super::live::LOCK_FILE;
use super::problem::{Problem, Trouble};
use super::record::View;
use super::segment::{file_name, parse_file_name};

/// A journal that may be finished, growing or damaged. Nothing in it is ever changed.
#[derive(Debug)]
pub struct Reader {
    dir: PathBuf,
    lanes: Vec<(Lane, u32)>,
    foreign: Vec<PathBuf>,
}

impl Reader {
    /// Opens a journal directory, or the run directory that holds it as `journal`.
    /// Err: cannot be listed, or holds no journal.
    pub fn open(path: &Path) -> Result<Self, Problem> {
        let inner = path.join("journal");
        let dir = if inner.is_dir() { inner } else { path.to_path_buf() };
        let fail = |kind| Problem { path: dir.clone(), offset: 0, after_seq: 0, what: Trouble::Read(kind) };
        let (mut lanes, mut foreign, mut is_journal) = (Vec::new(), Vec::new(), false);
        for entry in fs::read_dir(&dir).map_err(|error| fail(error.kind()))? {
            let path = entry.map_err(|error| fail(error.kind()))?.path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if let Some((lane, number)) = parse_file_name(name) {
                is_journal = true;
                match lanes.iter_mut().find(|(known, _)| *known == lane) {
                    Some((_, first)) => *first = number.min(*first),
                    None => lanes.push((lane, number)),
                }
            } else if name == LOCK_FILE {
                is_journal = true;
            } else if !is_unfinished(name) {
                foreign.push(path);
            }
        }
        if !is_journal {
            return Err(Problem { path: dir, offset: 0, after_seq: 0, what: Trouble::NoJournal });
        }
        lanes.sort_unstable();
        foreign.sort_unstable();
        Ok(Self { dir, lanes, foreign })
    }

    /// The directory that holds the segments.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Lanes that had a segment when the journal was opened.
    pub fn lanes(&self) -> impl Iterator<Item = Lane> + '_ {
        self.lanes.iter().map(|(lane, _)| *lane)
    }

    /// What does not belong in a journal; ignored.
    #[must_use]
    pub fn foreign(&self) -> &[PathBuf] {
        &self.foreign
    }

    /// A cursor at the start of `lane`.
    #[must_use]
    pub fn cursor(&self, lane: Lane) -> Cursor {
        Cursor::new(&self.dir, lane)
    }

    /// A cursor at the start of the newest segment of `lane`, for who wants to know what comes from now on and not what
    /// was written in days; the records before it are a gap. Err: which segment that is cannot be told.
    pub fn newest(&self, lane: Lane) -> Result<Cursor, Problem> {
        Cursor::newest(&self.dir, lane)
    }

    /// What the segments say of the run, from the first readable one, the runner's lane first.
    #[must_use]
    pub fn run(&self) -> Option<RunInfo> {
        self.lanes.iter().rev().find_map(|(lane, number)| {
            let bytes = read_start(&self.dir.join(file_name(*lane, *number))).ok()?;
            header::decode(&bytes, *lane, *number).ok().map(|info| info.run)
        })
    }

    /// Whether a process is writing the journal now. Err: the lock file cannot be read.
    pub fn is_being_written(&self) -> io::Result<bool> {
        let lock = match File::open(self.dir.join(LOCK_FILE)) {
            Ok(lock) => lock,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(error),
        };
        match lock.try_lock_shared() {
            Ok(()) => Ok(false),
            Err(TryLockError::WouldBlock) => Ok(true),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
}

/// A segment that the helper was making: not a segment yet, and no foreign file.
fn is_unfinished(name: &str) -> bool {
    name.strip_suffix(".tmp").is_some_and(|stem| parse_file_name(&format!("{stem}.seg")).is_some())
}

fn read_start(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    io::Read::read_to_end(&mut io::Read::take(File::open(path)?, SEGMENT_HEADER_BYTES as u64), &mut bytes)?;
    Ok(bytes)
}

const LANES: usize = Lane::ALL.len();

/// All lanes as one sequence for display: by receive time, but never a record before the one that caused it.
///
/// The order between lanes is for people. What a stage took in which order, the lanes themselves record.
pub struct Merged {
    lanes: Vec<MergedLane>,
    shown: Option<usize>, // the lane whose record `next` returned last
    problems: VecDeque<Problem>,
}

struct MergedLane {
    cursor: Cursor,
    stand: Option<Stand>, // None: it cannot be read on
    is_torn: bool,        // for its last record is unfinished
}

impl Merged {
    /// The given lanes (each once), from their starts. Lanes whose segments do not exist yet may be among them.
    #[must_use]
    pub fn new(reader: &Reader, lanes: impl IntoIterator<Item = Lane>) -> Self {
        let lane =
            |lane| MergedLane { cursor: reader.cursor(lane), stand: Some(Stand::Tail), is_torn: false };
        let mut merged =
            Self { lanes: lanes.into_iter().map(lane).collect(), shown: None, problems: VecDeque::new() };
        merged.look_again();
        merged
    }

    /// Looks at the tail of each lane whether something has been written since.
    pub fn look_again(&mut self) {
        for index in 0..self.lanes.len() {
            // What looks unfinished is damage once something was written behind it.
            let lane = &self.lanes[index];
            if (lane.stand == Some(Stand::Tail) || lane.is_torn) && self.shown != Some(index) {
                self.step(index);
            }
        }
    }

    /// The next record to show. None: no lane has one now.
    #[expect(clippy::should_implement_trait, reason = "an iterator cannot lend its own buffer")]
    pub fn next(&mut self) -> Option<View<'_>> {
        if let Some(index) = self.shown.take() {
            self.step(index);
        }
        let index = self.choose()?;
        self.shown = Some(index);
        self.lanes[index].cursor.current()
    }

    /// Damage met since the last call. The lane ends there, the others go on. An unfinished last record, as a killed
    /// process or a power loss leaves it, is none: the lane ends with the record before.
    pub fn take_problem(&mut self) -> Option<Problem> {
        self.problems.pop_front()
    }

    /// The cursors, for what they say of their places.
    pub fn cursors(&self) -> impl Iterator<Item = &Cursor> {
        self.lanes.iter().map(|lane| &lane.cursor)
    }

    fn step(&mut self, index: usize) {
        let lane = &mut self.lanes[index];
        let found = lane.cursor.step();
        lane.is_torn = found.is_err() && lane.cursor.is_torn();
        lane.stand = match found {
            Ok(stand) => Some(stand),
            Err(problem) => {
                if !lane.is_torn {
                    self.problems.push_back(problem);
                }
                None
            }
        };
    }

    /// The lane with the earliest record whose cause has been shown; of those where each waits for another, as
    /// only damage can make them, the earliest.
    fn choose(&mut self) -> Option<usize> {
        loop {
            let ready = self.ready();
            let next = ready.iter().flatten().find(|(_, index)| !self.waits(*index));
            if let Some((_, index)) = next.copied() {
                return Some(index);
            }
            // Looking for causes may have found records in lanes that had none.
            if self.ready() == ready {
                return ready[0].map(|(_, index)| index);
            }
        }
    }

    /// Receive times and lanes of the current records, earliest first.
    fn ready(&self) -> [Option<(Nanos, usize)>; LANES] {
        let mut ready = [None; LANES];
        for (index, (lane, slot)) in self.lanes.iter().zip(&mut ready).enumerate() {
            *slot = lane.cursor.current().map(|view| (view.entry.recv_ns, index));
        }
        ready.sort_unstable_by_key(|slot| {
            slot.map_or((true, Nanos(0), 0), |(time, index)| (false, time, index))
        });
        ready
    }

    /// Whether the record that caused the lane's current one is still to be shown.
    fn waits(&mut self, index: usize) -> bool {
        let Some(cause) = self.lanes[index].cursor.current().map(|view| view.entry.cause) else {
            return false;
        };
        let causing = self
            .lanes
            .iter()
            .position(|lane| Some(lane.cursor.lane()) == cause.lane())
            .filter(|lane| *lane != index);
        let Some(causing) = causing else { return false };
        if self.lanes[causing].cursor.last_seq() >= cause.seq() {
            return false;
        }
        if self.lanes[causing].stand == Some(Stand::Tail) {
            // It was written before the record it caused: it has come since the last look.
            self.step(causing);
        }
        self.lanes[causing].stand == Some(Stand::Record)
    }
}
