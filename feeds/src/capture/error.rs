//! Why a capture could not be read to its end, and where.

use std::fmt;
use std::io;
use std::path::PathBuf;

/// A capture that could not be read to its end.
#[derive(Debug)]
pub struct CaptureError {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub kind: CaptureErrorKind,
}

/// What is wrong with a capture. Offsets count bytes of the file as it lies on disk, from 0.
#[derive(Debug)]
pub enum CaptureErrorKind {
    /// It cannot be opened.
    Open(io::Error),
    /// It is a directory: a journal, not a capture.
    Directory,
    /// It is a pipe or a device, which cannot be looked into and then read from its start.
    NotAFile,
    /// It holds nothing.
    Empty,
    /// The system failed to read it.
    Read {
        /// Bytes read before.
        offset: u64,
        /// The system's answer.
        error: io::Error,
    },
    /// The compressed data contradicts itself.
    Corrupt {
        /// Where that was noticed.
        offset: u64,
        /// What was noticed.
        what: &'static str,
    },
    /// The compressed data ends too early.
    Cut {
        /// The file's length.
        offset: u64,
    },
    /// A line is longer than any message.
    LineTooLong {
        /// The line, from 1.
        line: u64,
    },
    /// The reading thread could not be started, or ended without a word.
    NoReader,
}

impl fmt::Display for CaptureError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path.display(), self.kind)
    }
}

impl fmt::Display for CaptureErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open(error) => write!(f, "cannot be opened: {error}"),
            Self::Directory => f.write_str("is a directory, a capture is a file"),
            Self::NotAFile => f.write_str("is a pipe or a device, a capture is a file"),
            Self::Empty => f.write_str("is empty"),
            Self::Read { offset, error } => write!(f, "reading failed at byte {offset}: {error}"),
            Self::Corrupt { offset, what } => write!(f, "corrupt gzip at byte {offset}: {what}"),
            Self::Cut { offset } => write!(f, "gzip data is cut off at byte {offset}"),
            Self::LineTooLong { line } => {
                write!(f, "line {line} is longer than {} bytes", super::LINE_BYTES_MAX)
            }
            Self::NoReader => f.write_str("the reading thread is not there"),
        }
    }
}

impl std::error::Error for CaptureError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.kind {
            CaptureErrorKind::Open(error) | CaptureErrorKind::Read { error, .. } => Some(error),
            _ => None,
        }
    }
}
