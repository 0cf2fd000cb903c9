//! The engine's end of the lanes: cold, on the supervisor's thread.

use super::closer::Closer;
use super::layout::{EXTENSION, FILE_WORDS, HEADER_WORDS, Half, Header, SLOTS, decode, encode};
use super::{Answer, Command, Malformed};
use crate::time::Nanos;
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fmt;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{Ordering, fence};

/// Lanes that are read at the same time.
pub const LANES_MAX: usize = 64;
/// Entries of the directory that are looked at.
const ENTRIES_MAX: usize = 1024;
/// How far the writer's clock may be ahead.
const AHEAD_MAX: Nanos = Nanos(5 * Nanos::SECOND.0);

/// Reads every lane of a run, and answers.
#[derive(Debug)]
pub struct CommandReader {
    dir: PathBuf,
    run_id: u64,
    uid: u32,
    lanes: Vec<Lane>,
    lane_count: u32,
    /// Names of files that were reported and are not looked at again.
    skipped: BTreeSet<OsString>,
    /// The last thing that was wrong with the directory, so that it is said once.
    said: Option<String>,
    /// For the files of lanes that are given up.
    closer: Closer,
}

impl CommandReader {
    /// Makes the directory `dir` (0700), which must not exist, for the commands to run `run_id`.
    /// Err: it exists, or cannot be made.
    pub fn create(dir: &Path, run_id: u64) -> io::Result<Self> {
        DirBuilder::new().mode(0o700).create(dir)?;
        Ok(Self::open(dir, run_id))
    }

    /// Reads the lanes of the directory `dir`, whether it is there already or not.
    #[must_use]
    pub fn open(dir: &Path, run_id: u64) -> Self {
        // SAFETY: asks the system for a number.
        let uid = unsafe { libc::geteuid() };
        let (dir, lanes, skipped) = (dir.to_owned(), Vec::new(), BTreeSet::new());
        Self { dir, run_id, uid, lanes, lane_count: 0, skipped, said: None, closer: Closer::start() }
    }

    /// Looks for new lanes and takes what they hold, `now` by the wall clock. At most [`SLOTS`] commands a lane.
    /// Everything that comes with a ticket wants an answer.
    pub fn poll(&mut self, now: Nanos) -> Vec<Found> {
        let mut found = Vec::new();
        self.rescan(&mut found);
        let Self { lanes, dir, skipped, run_id, closer, .. } = self;
        let given_up = lanes.extract_if(.., |lane| {
            // Asked first: what a writer stored before it died is read below.
            let is_dead = lane.is_writer_dead();
            // What its writer took away is withdrawn.
            let commands = if lane.is_removed() { 0 } else { SLOTS };
            for _ in 0..commands {
                match lane.next() {
                    Ok(None) => break,
                    Ok(Some((ticket, bytes))) => {
                        let command = Command::decode(&bytes).map_err(Refusal::Malformed);
                        let timely = |command| refuse_untimely(&command, *run_id, now).map(|()| command);
                        found.push(match command.and_then(timely) {
                            Ok(command) => Found::Command(ticket, command),
                            Err(refusal) => Found::Refused(ticket, refusal),
                        });
                    }
                    Err(what) => {
                        skipped.insert(lane.name.clone());
                        found.push(Found::Problem(Problem { path: dir.join(&lane.name), what }));
                        return true;
                    }
                }
            }
            if is_dead && lane.awaited == 0 {
                // A lane that cannot be removed is not read again.
                let _ = std::fs::remove_file(dir.join(&lane.name));
                skipped.insert(lane.name.clone());
            }
            is_dead && lane.awaited == 0
        });
        given_up.for_each(|lane| closer.close(lane.file));
        found
    }

    /// Writes the answer into the command's slot, where its lane is still there.
    pub fn answer(&mut self, ticket: Ticket, answer: &Answer) {
        let Some(lane) = self.lanes.iter_mut().find(|lane| lane.number == ticket.lane) else { return };
        lane.awaited = lane.awaited.saturating_sub(1);
        let words = encode(lane.header, ticket.id, &answer.encode());
        let bytes: Vec<u8> = words.into_iter().flat_map(u64::to_le_bytes).collect();
        let at = Half::Answer.word(ticket.id) as u64 * 8;
        // Whoever awaits it times out where it cannot be written. Two calls: the id appears after the rest
        // (pairs with the Acquire in `entry`).
        let written = lane.file.write_all_at(&bytes, at + 8);
        let _ = written.and_then(|()| lane.file.write_all_at(&ticket.id.to_le_bytes(), at));
    }

    fn rescan(&mut self, found: &mut Vec<Found>) {
        let mut names = BTreeSet::new();
        let mut said = None;
        match std::fs::read_dir(&self.dir) {
            Ok(entries) => {
                for (index, entry) in entries.enumerate() {
                    match entry {
                        Ok(_) if index == ENTRIES_MAX => {
                            said =
                                Some(format!("more than {ENTRIES_MAX} files; the others are not looked at"));
                            break;
                        }
                        Ok(entry) => drop(names.insert(entry.file_name())),
                        Err(error) => said = Some(error.to_string()),
                    }
                }
            }
            Err(error) => said = Some(error.to_string()),
        }
        self.skipped.retain(|name| names.contains(name));
        for name in names {
            let is_lane = Path::new(&name).extension().is_some_and(|extension| extension == EXTENSION);
            if !is_lane || self.skipped.contains(&name) || self.lanes.iter().any(|lane| lane.name == name) {
                continue;
            }
            if self.lanes.len() == LANES_MAX {
                said = Some(format!("more than {LANES_MAX} lanes; the others wait"));
                break;
            }
            match Lane::open(&self.dir, &name, self.lane_count, self.uid) {
                Ok(lane) => {
                    self.lanes.push(lane);
                    self.lane_count = self.lane_count.wrapping_add(1);
                }
                // Its writer took it away.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => {
                    found.push(Found::Problem(Problem {
                        path: self.dir.join(&name),
                        what: error.to_string(),
                    }));
                    self.skipped.insert(name);
                }
            }
        }
        if let Some(what) = said.as_ref().filter(|_| said != self.said) {
            found.push(Found::Problem(Problem { path: self.dir.clone(), what: what.clone() }));
        }
        self.said = said;
    }
}

/// What a look at the lanes brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// A command in time and for this run.
    Command(Ticket, Command),
    /// A command that must be refused.
    Refused(Ticket, Refusal),
    /// A file that is no lane, or a lane that is damaged: said once, and not read again.
    Problem(Problem),
}

/// Which command an answer is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ticket {
    /// The lane: counted from 0 as the run meets them.
    pub lane: u32,
    /// The command's id in its lane, from 1.
    pub id: u64,
}

impl fmt::Display for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.lane, self.id)
    }
}

/// Why a command cannot be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The checksum fits, the bytes make no command.
    Malformed(Malformed),
    /// Its time to live had passed.
    Expired {
        /// How long ago it was issued.
        age: Nanos,
        /// Its time to live.
        ttl: Nanos,
    },
    /// Its writer's clock is ahead of the engine's.
    FromTheFuture {
        /// How far.
        ahead: Nanos,
    },
    /// It is for another run.
    OtherRun {
        /// The one it names.
        named: u64,
        /// This one.
        this: u64,
    },
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(malformed) => malformed.fmt(f),
            Self::Expired { age, ttl } => {
                write!(f, "expired: issued {} ms ago, to live {} ms", age.as_ms(), ttl.as_ms())
            }
            Self::FromTheFuture { ahead } => {
                write!(f, "issued {} ms in the future: the clocks disagree", ahead.as_ms())
            }
            Self::OtherRun { named, this } => write!(f, "addressed to run {named}; this is run {this}"),
        }
    }
}

/// Something in the directory that is no lane, or none any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The file, or the directory.
    pub path: PathBuf,
    /// What is wrong with it.
    pub what: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path.display(), self.what)
    }
}

fn refuse_untimely(command: &Command, run_id: u64, now: Nanos) -> Result<(), Refusal> {
    let (age, ahead) = (now.since(command.issued), command.issued.since(now));
    if command.run_id != run_id {
        Err(Refusal::OtherRun { named: command.run_id, this: run_id })
    } else if ahead > AHEAD_MAX {
        Err(Refusal::FromTheFuture { ahead })
    } else if age >= command.ttl {
        Err(Refusal::Expired { age, ttl: command.ttl })
    } else {
        Ok(())
    }
}

/// One lane, open.
#[derive(Debug)]
struct Lane {
    number: u32,
    name: OsString,
    file: File,
    header: Header,
    next: u64,
    /// Commands that were handed on and not answered.
    awaited: u64,
}

impl Lane {
    /// Err: not a regular file of ours that nobody else may write, not as long as a lane, or another header.
    fn open(dir: &Path, name: &OsString, number: u32, uid: u32) -> io::Result<Self> {
        // Non-blocking, because opening a pipe would wait; a link could lead anywhere.
        let flags = libc::O_NONBLOCK | libc::O_NOFOLLOW;
        let file = OpenOptions::new().read(true).write(true).custom_flags(flags).open(dir.join(name))?;
        let metadata = file.metadata()?;
        let error = |what: String| io::Error::new(io::ErrorKind::InvalidData, what);
        let wrong = |what| Err(error(what));
        if !metadata.is_file() {
            return wrong("not a regular file".into());
        }
        if metadata.uid() != uid || metadata.mode() & 0o077 != 0 {
            let mode = metadata.mode() & 0o777;
            return wrong(format!("owner {} and mode {mode:03o}, not {uid} and 600", metadata.uid()));
        }
        let expected = FILE_WORDS as u64 * 8;
        if metadata.len() != expected {
            return wrong(format!("{} bytes long instead of {expected}", metadata.len()));
        }
        let mut bytes = [0; HEADER_WORDS * 8];
        file.read_exact_at(&mut bytes, 0)?;
        let mut words = [0; 5];
        for (word, bytes) in words.iter_mut().zip(bytes.as_chunks::<8>().0) {
            *word = u64::from_le_bytes(*bytes);
        }
        let header = Header::parse(words).map_err(|what| error(what.into()))?;
        if header.uid != uid {
            return wrong(format!("made by user {}, not {uid}", header.uid));
        }
        Ok(Self { number, name: name.clone(), file, header, next: 1, awaited: 0 })
    }

    /// The next command. None: not there yet. Err: the lane is damaged.
    fn next(&mut self) -> Result<Option<(Ticket, Vec<u8>)>, String> {
        let (id, at) = (self.next, Half::Command.word(self.next) as u64 * 8);
        let mut stored = [0; 8];
        let damaged = |error: io::Error| format!("command {id} cannot be read: {error}");
        self.file.read_exact_at(&mut stored, at).map_err(damaged)?;
        let seen = u64::from_le_bytes(stored);
        if seen != id {
            let before = id.saturating_sub(SLOTS);
            let what = format!("command {seen} stands where {id} belongs (byte {at})");
            return if seen == before { Ok(None) } else { Err(what) };
        }
        // Pairs with the Release in `publish`: what belongs to the id is read after the id.
        fence(Ordering::Acquire);
        let mut behind = [0; 8 + super::layout::COMMAND_BYTES_MAX];
        self.file.read_exact_at(&mut behind, at + 8).map_err(damaged)?;
        let bytes = decode(self.header, id, Half::Command, &behind);
        let bytes = bytes.ok_or_else(|| format!("command {id}: wrong checksum (byte {})", at + 8))?;
        self.next += 1;
        self.awaited += 1;
        Ok(Some((Ticket { lane: self.number, id }, bytes.to_vec())))
    }

    /// Whether the file has lost its name.
    fn is_removed(&self) -> bool {
        self.file.metadata().is_ok_and(|metadata| metadata.nlink() == 0)
    }

    /// Whether nobody holds the lock that a writer holds for as long as it lives.
    fn is_writer_dead(&self) -> bool {
        // An error says nothing: a lane more is kept until the end of the run.
        self.file.try_lock_shared().is_ok_and(|()| self.file.unlock().is_ok())
    }
}
