//! The writing end of a lane: `ctl`, a console, a test.

use super::layout::{self, EXTENSION, FILE_WORDS, Half, Header, SLOTS};
use super::{Answer, Command, Malformed};
use crate::counters::region::Region;
use crate::time::Nanos;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// A lane of this process: sends commands, and reads what became of them. Dropped, it takes its file away; a
/// command that was not taken by then is withdrawn.
#[derive(Debug)]
pub struct CommandWriter {
    region: Region,
    header: Header,
    path: PathBuf,
    next: u64,
}

impl CommandWriter {
    /// Makes a lane in a run's `commands/`. `now` is the wall clock.
    /// Err: the directory is missing, not ours, or the disk is full.
    pub fn create(dir: &Path, now: Nanos) -> io::Result<Self> {
        static LANES: AtomicU32 = AtomicU32::new(0);
        let pid = std::process::id();
        // Unique: no two processes of one moment have the same id, no two lanes of a process the same count.
        let name = format!("{pid}-{}-{}", now.0, LANES.fetch_add(1, Ordering::Relaxed));
        let unnamed = dir.join(&name).with_extension("tmp");
        let path = unnamed.with_extension(EXTENSION);
        let region = Region::file(&unnamed, FILE_WORDS)?;
        // SAFETY: asks the system for a number.
        let uid = unsafe { libc::geteuid() };
        let header = Header { pid, uid, start_ns: now.0 };
        for (index, word) in header.words().into_iter().enumerate() {
            // Relaxed: the rename publishes the file.
            region.word(index).store(word, Ordering::Relaxed);
        }
        if let Err(error) = std::fs::rename(&unnamed, &path) {
            let _ = std::fs::remove_file(&unnamed); // the error at hand says more than a second one
            return Err(error);
        }
        Ok(Self { region, header, path, next: 1 })
    }

    /// Hands a command over. Returns its id. Err: it is malformed, or [`SLOTS`] commands await their answers.
    pub fn send(&mut self, command: &Command) -> Result<u64, SendError> {
        let bytes = command.encode().map_err(SendError::Malformed)?;
        let id = self.next;
        if id > SLOTS && self.answer(id - SLOTS) == Ok(None) {
            return Err(SendError::Full);
        }
        layout::publish(&self.region, Half::Command, id, &layout::encode(self.header, id, &bytes));
        self.next += 1;
        Ok(id)
    }

    /// What became of command `id`. None: no answer yet, or none any more ([`SLOTS`] commands later).
    /// Err: there is an answer, and it cannot be read.
    pub fn answer(&self, id: u64) -> Result<Option<Answer>, AnswerDamaged> {
        let Some(bytes) = layout::entry(&self.region, self.header, Half::Answer, id) else { return Ok(None) };
        let bytes = bytes.map_err(|()| AnswerDamaged)?;
        Answer::decode(&bytes).map(Some).map_err(|_| AnswerDamaged)
    }

    /// The lane's file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for CommandWriter {
    fn drop(&mut self) {
        // The engine removes the lanes of the dead: gone already is well.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Why a command was not handed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SendError {
    /// It cannot be written down.
    Malformed(Malformed),
    /// As many commands as the lane holds await their answers.
    Full,
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(malformed) => malformed.fmt(f),
            Self::Full => write!(f, "{SLOTS} commands await their answers: the lane is full"),
        }
    }
}

impl std::error::Error for SendError {}

/// The answer is there, and its bytes are not what the engine wrote: the command may have been done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AnswerDamaged;

impl fmt::Display for AnswerDamaged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the answer is damaged: whether the command was done is not known")
    }
}

impl std::error::Error for AnswerDamaged {}
