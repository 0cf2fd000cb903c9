//! Standard output that may be a pipe closed early, progress on a terminal, and how a command ends.

use std::fmt::Display;
use std::io::{self, BufWriter, IsTerminal, StdoutLock, Write};
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// Why a command stops before its end.
#[derive(Debug)]
pub(crate) enum Stop {
    /// Nobody reads the output any more: not an error.
    Closed,
    /// The journal cannot be read to its end, or a check found a difference.
    Input(String),
    /// What was asked for makes no sense.
    Usage(String),
}

impl Stop {
    /// The process's answer, with the reason on standard error.
    pub(crate) fn exit(self) -> ExitCode {
        match self {
            Self::Closed => ExitCode::SUCCESS,
            Self::Input(reason) => {
                eprintln!("journal: {reason}");
                ExitCode::from(1)
            }
            Self::Usage(reason) => {
                eprintln!("journal: {reason}");
                ExitCode::from(2)
            }
        }
    }
}

/// An input error of anything that can be shown.
pub(crate) fn input(error: impl Display) -> Stop {
    Stop::Input(error.to_string())
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe { Self::Closed } else { input(error) }
    }
}

/// Lines to standard output.
pub(crate) struct Out(BufWriter<StdoutLock<'static>>);

impl Out {
    pub(crate) fn new() -> Self {
        Self(BufWriter::with_capacity(1 << 16, io::stdout().lock()))
    }

    pub(crate) fn line(&mut self, line: impl Display) -> Result<(), Stop> {
        Ok(writeln!(self.0, "{line}")?)
    }

    pub(crate) fn flush(&mut self) -> Result<(), Stop> {
        Ok(self.0.flush()?)
    }
}

/// A count on standard error, once work has taken two seconds and somebody may be watching.
pub(crate) struct Progress {
    started: Instant,
    shown: Option<Instant>,
    is_watched: bool,
    /// What is counted.
    what: &'static str,
}

impl Progress {
    pub(crate) fn new(what: &'static str) -> Self {
        Self { started: Instant::now(), shown: None, is_watched: io::stderr().is_terminal(), what }
    }

    /// Call it often; it shows the count twice a second.
    pub(crate) fn at(&mut self, count: u64) {
        let is_due = self.shown.is_none_or(|shown| shown.elapsed() > Duration::from_millis(500));
        if self.is_watched && is_due && self.started.elapsed() > Duration::from_secs(2) {
            eprint!("\r{count} {}", self.what);
            self.shown = Some(Instant::now());
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.shown.is_some() {
            eprint!("\r\x1b[K");
        }
    }
}
