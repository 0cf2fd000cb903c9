//! Reads every byte of a journal and says what is wrong with it.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use crate::ids::{Cause, Lane};
use crate::time::Nanos;

use super::cursor::{Cursor, Gap, Stand};
use super::problem::{Problem, Trouble};
use super::reader::Reader;
use super::record::{CELL_BYTES, Damage, View, check, peek, record_bytes};

/// What `verify` found in one lane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LaneReport {
    /// The lane.
    pub lane: Lane,
    /// Good records.
    pub records: u64,
    /// Bytes they take, heads and padding included.
    pub bytes: u64,
    /// First good sequence; 0: none.
    pub first_seq: u64,
    /// Last good sequence; 0: none.
    pub last_seq: u64,
    /// Receive time of the first and the last good record.
    pub recv_ns: Option<(Nanos, Nanos)>,
    /// What retention has deleted, or a slice left out.
    pub gaps: Vec<Gap>,
    /// How the lane ends.
    pub end: LaneEnd,
    /// Records whose cause is a record that does not exist.
    pub dangling_causes: u64,
    /// The first of them: its sequence, and the cause it names.
    pub first_dangling: Option<(u64, Cause)>,
}

/// How a lane ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LaneEnd {
    /// Closed in order.
    Closed,
    /// Not closed: its writer lives, or was killed between two records.
    Open,
    /// Not closed, and the last record is unfinished: cut after the last good one. What a killed process or
    /// a power loss leaves; nothing after it was written.
    Torn {
        /// The file.
        path: PathBuf,
        /// Where the unfinished record starts.
        offset: u64,
    },
    /// Damaged: written records are lost.
    Damaged(Problem),
}

impl LaneReport {
    /// Whether everything ever written is there, but for what retention deleted and one unfinished record.
    #[must_use]
    pub fn is_good(&self) -> bool {
        !matches!(self.end, LaneEnd::Damaged(_)) && self.dangling_causes == 0
    }
}

/// Checks every lane of a journal. `progress` is called now and then with the records read so far.
#[must_use]
pub fn verify(reader: &Reader, mut progress: impl FnMut(u64)) -> Vec<LaneReport> {
    let is_live = reader.is_being_written().unwrap_or(false);
    let mut read = 0;
    let mut checked: Vec<_> = reader
        .lanes()
        .map(|lane| {
            let mut cursor = reader.cursor(lane);
            let (report, named) = check_lane(&mut cursor, is_live, &mut read, &mut progress);
            (report, named, cursor)
        })
        .collect();
    for (lane, furthest) in furthest_causes(checked.iter().flat_map(|(_, named, _)| named)) {
        // A live lane may have grown since it was read: the record may be there by now.
        if let Some((.., cursor)) = checked.iter_mut().find(|(report, ..)| report.lane == lane) {
            while cursor.last_seq() < furthest && matches!(cursor.next(), Ok(Some(_))) {}
        }
    }
    let last: Vec<_> = checked.iter().map(|(report, _, cursor)| (report.lane, cursor.known_seq())).collect();
    let dangles = |cause: Cause| {
        cause != Cause::NONE
            && !last
                .iter()
                .any(|(lane, seq)| Some(*lane) == cause.lane() && (1..=*seq).contains(&cause.seq()))
    };
    for (report, named, _) in &mut checked {
        if named.iter().copied().any(dangles) {
            count_dangling(reader, report, dangles);
        }
    }
    checked.into_iter().map(|(report, ..)| report).collect()
}

fn furthest_causes<'a>(named: impl Iterator<Item = &'a Cause>) -> Vec<(Lane, u64)> {
    let named: Vec<_> = named.filter_map(|cause| Some((cause.lane()?, cause.seq()))).collect();
    Lane::ALL
        .into_iter()
        .filter_map(|lane| {
            Some((lane, named.iter().filter(|(of, _)| *of == lane).map(|(_, seq)| *seq).max()?))
        })
        .collect()
}

/// The second, slower look at a lane: only where its furthest causes have shown that something dangles.
fn count_dangling(reader: &Reader, report: &mut LaneReport, dangles: impl Fn(Cause) -> bool) {
    let mut cursor = reader.cursor(report.lane);
    while let Ok(Some(view)) = cursor.next() {
        if view.seq > report.last_seq {
            break;
        }
        if dangles(view.entry.cause) {
            report.dangling_causes += 1;
            report.first_dangling.get_or_insert((view.seq, view.entry.cause));
        }
    }
}

/// Checks one lane. Also returns the extreme causes that its records name, by lane number: if these exist,
/// all others do.
fn check_lane(
    cursor: &mut Cursor,
    is_live: bool,
    read: &mut u64,
    progress: &mut impl FnMut(u64),
) -> (LaneReport, Vec<Cause>) {
    let lane = cursor.lane();
    let (mut records, mut bytes, mut first_seq) = (0, 0, 0);
    let mut recv_ns: Option<(Nanos, Nanos)> = None;
    let mut named: Vec<Cause> = Vec::new();
    let stop = loop {
        match cursor.next() {
            Ok(Some(view)) => {
                records += 1;
                bytes += view.stored_bytes() as u64;
                first_seq = if first_seq == 0 { view.seq } else { first_seq };
                recv_ns = Some((recv_ns.map_or(view.entry.recv_ns, |(first, _)| first), view.entry.recv_ns));
                note(&mut named, view.entry.cause);
                *read += 1;
                if read.is_multiple_of(1 << 16) {
                    progress(*read);
                }
            }
            Ok(None) => break None,
            Err(problem) => break Some(problem),
        }
    };
    let last_seq = cursor.last_seq();
    let end = match stop {
        None if matches!(cursor.step(), Ok(Stand::Closed)) => LaneEnd::Closed,
        None if is_live => LaneEnd::Open,
        None => match cursor.place() {
            Some((path, offset)) => open_end(path, offset, lane, last_seq),
            None => LaneEnd::Open,
        },
        Some(problem) if cursor.is_torn() => LaneEnd::Torn { path: problem.path, offset: problem.offset },
        Some(problem) => LaneEnd::Damaged(problem),
    };
    let report = LaneReport {
        lane,
        records,
        bytes,
        first_seq,
        last_seq,
        recv_ns,
        gaps: cursor.gaps().to_vec(),
        end,
        dangling_causes: 0,
        first_dangling: None,
    };
    (report, named)
}

impl Cursor {
    /// Whether what the last `step` could not read is an unfinished last record, as a killed process or a power loss
    /// leaves it: the lane ends with the record before, and nothing behind it was written.
    #[must_use]
    pub fn is_torn(&self) -> bool {
        let Some(Problem { path, offset, what: Trouble::Record(_), .. }) = self.problem() else {
            return false;
        };
        // In a segment that its writer left, every record was finished once.
        let remains = || remains(path, *offset, self.lane(), self.last_seq());
        !self.is_left() && matches!(remains(), Ok(Remains::Nothing | Remains::Scraps))
    }

    /// As `next`, but an unfinished last record is none: the lane ends with the record before.
    /// Err: as `step`.
    pub fn next_whole(&mut self) -> Result<Option<View<'_>>, Problem> {
        match self.step() {
            Ok(_) => Ok(self.current()),
            Err(_) if self.is_torn() => Ok(None),
            Err(problem) => Err(problem),
        }
    }
}

/// How a lane ends whose writer is gone without closing it, and whose next record is not there.
fn open_end(path: &Path, offset: u64, lane: Lane, last_seq: u64) -> LaneEnd {
    let damaged =
        |what| LaneEnd::Damaged(Problem { path: path.to_path_buf(), offset, after_seq: last_seq, what });
    match remains(path, offset, lane, last_seq) {
        Ok(Remains::Nothing) => LaneEnd::Open,
        Ok(Remains::Scraps) => LaneEnd::Torn { path: path.to_path_buf(), offset },
        Ok(Remains::Record) => damaged(Trouble::Record(Damage::Sequence { found: 0 })),
        Err(error) => damaged(Trouble::Read(error.kind())),
    }
}

/// Keeps, of each lane number, the furthest cause; and one of each that names no lane or no sequence.
fn note(named: &mut Vec<Cause>, cause: Cause) {
    if cause == Cause::NONE {
        return;
    }
    match named
        .iter_mut()
        .find(|known| known.raw() >> 48 == cause.raw() >> 48 && (known.seq() == 0) == (cause.seq() == 0))
    {
        Some(known) if known.seq() < cause.seq() => *known = cause,
        Some(_) => {}
        None => named.push(cause),
    }
}

enum Remains {
    Nothing,
    Scraps,
    Record,
}

/// What is in a segment behind the lane's last good record, at `offset`.
fn remains(path: &Path, offset: u64, lane: Lane, last_seq: u64) -> std::io::Result<Remains> {
    let file = File::open(path)?;
    let length = usize::try_from(file.metadata()?.len().saturating_sub(offset)).unwrap_or(usize::MAX);
    let mut bytes = vec![0; length];
    file.read_exact_at(&mut bytes, offset)?;
    let (cells, _) = bytes.as_chunks::<CELL_BYTES>();
    let mut found = if bytes.iter().all(|byte| *byte == 0) { Remains::Nothing } else { Remains::Scraps };
    for (index, cell) in cells.iter().enumerate().skip(1) {
        let head = peek(cell);
        let plausible = head.seq > last_seq && head.seq - last_seq <= cells.len() as u64;
        let end = index * CELL_BYTES + record_bytes(head.len_bytes as usize);
        if plausible && bytes.get(index * CELL_BYTES..end).is_some_and(|cells| check(cells, lane).is_ok()) {
            found = Remains::Record;
            break;
        }
    }
    Ok(found)
}
