//! What can be wrong with a journal's files, with the place, for people.

use std::path::PathBuf;
use std::{fmt, io};

use super::header::{HeaderDamage, VERSION};
use super::record::Damage;

/// Something wrong in a journal's files, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The file.
    pub path: PathBuf,
    /// Bytes from the file's start.
    pub offset: u64,
    /// The lane's last good record; 0: none.
    pub after_seq: u64,
    /// What is wrong.
    pub what: Trouble,
}

/// What is wrong in a journal's files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// The operating system cannot read it.
    Read(io::ErrorKind),
    /// The directory holds no journal.
    NoJournal,
    /// The start of the file is no segment header.
    Header(HeaderDamage),
    /// The segment belongs to another run than the one before.
    OtherRun,
    /// The segment does not begin where the one before ended.
    Begin {
        /// The sequence that was to come.
        expected: u64,
        /// What the header says.
        found: u64,
    },
    /// No record where one is due.
    Record(Damage),
    /// The file is shorter than its header says.
    Cut {
        /// Its length.
        file_bytes: u64,
        /// The length that its header says.
        expected_bytes: u64,
    },
    /// The lane ends before the end that its segment's header names.
    End {
        /// The sequence that would follow the last.
        next_seq: u64,
    },
    /// Segments are missing that no retention has deleted.
    Missing {
        /// The first one missing.
        number: u32,
    },
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.what {
            Trouble::NoJournal | Trouble::Read(_) | Trouble::Missing { .. } => {
                write!(f, "{}: {}", self.path.display(), self.what)
            }
            _ => write!(
                f,
                "{} at byte {}, after record {}: {}",
                self.path.display(),
                self.offset,
                self.after_seq,
                self.what
            ),
        }
    }
}

impl std::error::Error for Problem {}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read(kind) => write!(f, "cannot be read: {kind}"),
            Self::NoJournal => f.write_str("holds no journal"),
            Self::Header(damage) => damage.fmt(f),
            Self::OtherRun => f.write_str("the segment belongs to another run"),
            Self::Begin { expected, found } => {
                write!(f, "the segment begins with record {found}, not {expected}")
            }
            Self::Record(damage) => damage.fmt(f),
            Self::Cut { file_bytes, expected_bytes } => {
                write!(f, "the file is cut: {file_bytes} of {expected_bytes} bytes")
            }
            Self::End { next_seq } => write!(f, "records up to {} are gone", next_seq.saturating_sub(1)),
            Self::Missing { number } => write!(f, "segment {number} is missing"),
        }
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sequence { found } => write!(f, "the record's sequence is {found}"),
            Self::Length { found } => write!(f, "the record's length of {found} bytes exceeds the segment"),
            Self::Checksum => f.write_str("the record's checksum does not fit"),
            Self::Lane { found } => write!(f, "the record names lane {found}"),
        }
    }
}

impl fmt::Display for HeaderDamage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Short => f.write_str("the file is shorter than a segment header"),
            Self::Magic => f.write_str("the file is no journal segment"),
            Self::Version(found) => write!(f, "the segment has version {found}, not {}", VERSION),
            Self::Checksum(part) => write!(f, "the checksum of the segment's {part} does not fit"),
            Self::Lane(found) => write!(f, "the segment's header names lane {found}"),
            Self::Number(found) => write!(f, "the segment's header names number {found}"),
        }
    }
}
