//! Journals: whatever was done to the files, no record comes out whose checksum is wrong, none that was not
//! written, and a lane that ends in order has lost nothing.
//!
//! Input: `base N` (0: closed, 1: closed and with retention, 2: its writer was killed), then changes to its
//! files, one a line: `flip FILE BIT`, `put FILE AT VALUE BYTES`, `cut FILE BYTES`, `drop FILE`,
//! `name FILE NUMBER`, `seal FILE AT` (makes the checksum of the record at a cell fit again), `seal-head FILE`
//! (likewise those of the header), `raw FILE TEXT` (replaces the file).

use crate::driver::Outcome;
use crate::scratch;
use crate::truth::outcome;
use engine::ids::{Cause, InstrumentId, Lane};
use engine::journal::{
    Anchor, CELL_BYTES, Entry, HEAD_BYTES, Journal, LaneEnd, LaneReport, Merged, Options, Reader, Retention,
    SEGMENT_HEADER_BYTES, Stand, View, record_bytes, verify,
};
use engine::time::Nanos;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::OnceLock;
use std::time::Duration;

/// Runs one input.
pub fn target(data: &[u8]) -> Outcome {
    let text = String::from_utf8_lossy(data);
    let mut lines = text.lines();
    let base =
        lines.next().and_then(|line| line.strip_prefix("base ")?.parse::<usize>().ok()).unwrap_or(0) % 3;
    let base = &bases()[base];
    let mut changed = Changed { files: base.files.clone(), sealed: false, renamed: false };
    for line in lines.take(64) {
        changed.change(line);
    }
    let dir = scratch::path("journal");
    let _ = std::fs::remove_dir_all(&dir);
    std::fs::create_dir(&dir).unwrap_or_else(|error| panic!("{error}"));
    for (name, bytes) in &changed.files {
        std::fs::write(dir.join(name), bytes).unwrap_or_else(|error| panic!("{error}"));
    }
    // The lock of a writer that is gone; without a segment it is all there is of a journal.
    std::fs::write(dir.join("lock"), "1").unwrap_or_else(|error| panic!("{error}"));
    let reader = match Reader::open(&dir) {
        Ok(reader) => reader,
        Err(problem) => panic!("{problem}"),
    };
    assert!(
        (reader.foreign().is_empty() || changed.renamed) && reader.is_being_written().is_ok_and(|live| !live)
    );
    let mut counts = BTreeMap::new();
    let mut ends = Vec::new();
    for lane in reader.lanes() {
        let (count, end) = read_lane(&reader, lane, base, &changed);
        counts.insert(lane.name(), count);
        ends.push(end);
    }
    let reports = verify(&reader, |_| ());
    for report in &reports {
        assert_eq!(
            report.records,
            counts[report.lane.name()],
            "verify and a cursor see the same: {report:?}"
        );
        let written = base.records.keys().filter(|(lane, _)| *lane == report.lane as u16).count() as u64;
        if report.end == LaneEnd::Closed && !changed.sealed && !changed.renamed && report.gaps.is_empty() {
            assert_eq!(report.records, written, "a lane that ends in order has lost records");
        }
    }
    if changed.files == base.files {
        assert!(reports.iter().all(|report| report.is_good() && report.gaps.is_empty()), "{reports:?}");
    }
    merge(&reader, &counts);
    outcome((reader.run().is_some(), ends, reports.iter().map(LaneReport::is_good).collect::<Vec<_>>()))
}

/// Reads a lane to its end. Returns how many records it has, and how it ends, in few words.
fn read_lane(reader: &Reader, lane: Lane, base: &Base, changed: &Changed) -> (u64, String) {
    let (mut cursor, mut count, mut last) = (reader.cursor(lane), 0, 0);
    loop {
        match cursor.step() {
            Ok(Stand::Record) => {
                let Some(view) = cursor.current() else { panic!("a record that is not there") };
                let gap = cursor.gaps().last().is_some_and(|gap| gap.next_seq == view.seq);
                assert!(view.seq == last + 1 || gap, "{} after {last} without a gap", view.seq);
                last = view.seq;
                count += 1;
                let (path, offset) = cursor.place().unwrap_or((Path::new(""), 0));
                is_stored(&view, path, offset, changed);
                if !changed.sealed {
                    let written = base.records.get(&(lane as u16, view.seq));
                    assert_eq!(
                        written,
                        Some(&(view.entry, view.body.to_vec())),
                        "a record that was not written"
                    );
                }
            }
            Ok(stand) => return (count, format!("{stand:?}")),
            Err(problem) => {
                assert_eq!(problem.after_seq, last, "{problem}");
                let (said, name) = (problem.to_string(), problem.path.display().to_string());
                assert!(said.starts_with(&name) && said.len() > name.len() + 4, "{said}");
                assert_eq!(cursor.step(), Err(problem.clone()), "a cursor stays where it failed");
                let text = format!("{:?}", problem.what);
                return (
                    count,
                    text.split(|c: char| c.is_ascii_digit()).next().unwrap_or_default().to_owned(),
                );
            }
        }
    }
}

/// The bytes of the file say what the view says, and their checksum, computed bit by bit, fits.
fn is_stored(view: &View<'_>, path: &Path, offset: u64, changed: &Changed) {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let Some(file) = changed.files.get(name) else { panic!("a record of {name}, which does not exist") };
    let at = usize::try_from(offset).unwrap_or(usize::MAX);
    let cells = &file[at..at + record_bytes(view.body.len())];
    assert_eq!(number(cells, 0, 8), view.seq);
    assert_eq!(number(cells, 12, 2), u64::from(view.entry.kind));
    assert_eq!(number(cells, 14, 2), view.lane as u64);
    assert_eq!(number(cells, 16, 4), view.body.len() as u64);
    assert_eq!(&cells[HEAD_BYTES..HEAD_BYTES + view.body.len()], view.body);
    assert_eq!(number(cells, 8, 4), u64::from(record_crc(cells)), "a record whose checksum is wrong");
}

/// Merged, every lane's records come once and in their order.
fn merge(reader: &Reader, counts: &BTreeMap<&str, u64>) {
    let mut merged = Merged::new(reader, reader.lanes());
    let (mut seen, mut last) = (BTreeMap::new(), BTreeMap::new());
    while let Some(view) = merged.next() {
        *seen.entry(view.lane.name()).or_insert(0) += 1;
        let before = last.insert(view.lane.name(), view.seq);
        assert!(before.is_none_or(|before| before < view.seq));
    }
    while let Some(problem) = merged.take_problem() {
        assert!(problem.path.starts_with(reader.dir()), "{problem}");
    }
    for (lane, count) in counts {
        assert_eq!(seen.get(lane).copied().unwrap_or(0), *count, "{lane}: merging loses or doubles records");
    }
}

/// A journal as it was written.
struct Base {
    files: BTreeMap<String, Vec<u8>>,
    /// By lane and sequence.
    records: BTreeMap<(u16, u64), (Entry, Vec<u8>)>,
}

/// The files after the changes.
struct Changed {
    files: BTreeMap<String, Vec<u8>>,
    /// Whether a checksum was made to fit what was not written.
    sealed: bool,
    renamed: bool,
}

impl Changed {
    /// Makes one change; a line that is none changes nothing.
    fn change(&mut self, line: &str) {
        let mut words = line.split(' ');
        let verb = words.next().unwrap_or_default();
        let mut next = || words.next().and_then(|word| word.parse::<u64>().ok());
        let Some(index) = next() else { return };
        let index = usize::try_from(index).unwrap_or(0) % self.files.len().max(1);
        let Some(name) = self.files.keys().nth(index).cloned() else { return };
        let file = self.files.entry(name.clone()).or_default();
        let place = |value: Option<u64>, bound: usize| {
            value.and_then(|value| usize::try_from(value).ok()).map(|value| value % bound.max(1))
        };
        match verb {
            "flip" => {
                let Some(bit) = place(next(), file.len() * 8) else { return };
                if let Some(byte) = file.get_mut(bit / 8) {
                    *byte ^= 1 << (bit % 8);
                }
            }
            "put" => {
                let (Some(at), Some(value), Some(len)) = (place(next(), file.len()), next(), next()) else {
                    return;
                };
                let len = usize::try_from(len).unwrap_or(8);
                let bytes = value.to_le_bytes().into_iter().chain(std::iter::repeat(0)).take(len.min(4096));
                file[at..].iter_mut().zip(bytes).for_each(|(old, new)| *old = new);
            }
            "cut" => file.truncate(place(next(), file.len() + 1).unwrap_or(0)),
            "drop" => drop(self.files.remove(&name)),
            "name" => {
                let Some(number) = next().and_then(|number| u32::try_from(number).ok()).filter(|n| *n > 0)
                else {
                    return;
                };
                let lane = name.split('-').next().unwrap_or_default();
                let bytes = self.files.remove(&name).unwrap_or_default();
                self.files.insert(format!("{lane}-{number:06}.seg"), bytes);
                self.renamed = true;
            }
            "seal" => {
                let Some(at) = place(next(), file.len()) else { return };
                let at = at / CELL_BYTES * CELL_BYTES;
                let Some(cells) = file.get_mut(at..) else { return };
                if cells.len() < CELL_BYTES {
                    return;
                }
                let body = usize::try_from(number(cells, 16, 4)).unwrap_or(0);
                let length = record_bytes(body).min(cells.len());
                let crc = record_crc(&cells[..length]);
                self.sealed |= number(cells, 8, 4) != u64::from(crc);
                cells[8..12].copy_from_slice(&crc.to_le_bytes());
            }
            "seal-head" if file.len() >= SEGMENT_HEADER_BYTES => {
                let before = file[..SEGMENT_HEADER_BYTES].to_vec();
                seal_head(file);
                self.sealed |= before != file[..SEGMENT_HEADER_BYTES];
            }
            "raw" => *file = line.splitn(3, ' ').nth(2).unwrap_or_default().as_bytes().to_vec(),
            _ => {}
        }
    }
}

/// Makes the three checksums of a segment's header fit.
fn seal_head(file: &mut [u8]) {
    file[16..20].fill(0);
    let crc = crc32c(file[..128].iter().copied());
    file[16..20].copy_from_slice(&crc.to_le_bytes());
    let fixed: Vec<u8> = file[16..24].to_vec();
    if number(file, 128, 8) != 0 {
        let crc = crc32c(fixed.iter().chain(&file[128..136]).copied());
        file[136..144].copy_from_slice(&u64::from(crc).to_le_bytes());
        file[144..192].fill(0);
    }
    if number(file, 192, 8) != 0 {
        let how = number(file, 204, 4).clamp(1, 2);
        let words = fixed.iter().chain(&file[192..200]).chain(&file[208..216]).copied();
        let crc = crc32c(words.chain(how.to_le_bytes()));
        file[200..208].copy_from_slice(&(u64::from(crc) | how << 32).to_le_bytes());
        file[216..256].fill(0);
    }
}

fn number(bytes: &[u8], at: usize, len: usize) -> u64 {
    bytes[at..at + len].iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte))
}

fn record_crc(cells: &[u8]) -> u32 {
    crc32c(cells.iter().enumerate().map(|(at, byte)| if (8..12).contains(&at) { 0 } else { *byte }))
}

/// CRC-32C from its definition.
fn crc32c(bytes: impl IntoIterator<Item = u8>) -> u32 {
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ 0x82F6_3B78 } else { crc >> 1 };
        }
    }
    !crc
}

fn bases() -> &'static [Base; 3] {
    static BASES: OnceLock<[Base; 3]> = OnceLock::new();
    BASES.get_or_init(|| {
        let retention = Retention { bytes: 1 << 40, age: Duration::from_secs(1 << 30) };
        [write(None, true), write(Some(retention), true), write(None, false)]
    })
}

/// Three lanes: frames in several segments, what they led to, and the runner's few records.
fn write(retention: Option<Retention>, close: bool) -> Base {
    let dir = scratch::path("journal-base");
    let _ = std::fs::remove_dir_all(&dir);
    let anchor = Anchor { wall_ns: Nanos(1), mono_ns: Nanos(2), tsc: 3 };
    let options = Options {
        anchor,
        feed_segment_bytes: 8192,
        segment_bytes: 8192,
        retention,
        ..Options::new(7, *b"a hash of the configuration file")
    };
    let fail = |what: &dyn std::fmt::Display| -> ! { panic!("writing a journal to read: {what}") };
    let mut journal = Journal::create(&dir, options).unwrap_or_else(|error| fail(&error));
    let mut writer = |lane| journal.writer(lane).unwrap_or_else(|error| fail(&error));
    let mut writers = [Lane::Feed, Lane::Gateway, Lane::Runner].map(|lane| (lane, writer(lane)));
    let room = journal.room();
    let mut records = BTreeMap::new();
    let mut seqs = [0_u64; 3];
    for step in 0..70_u64 {
        let index = if step % 5 == 0 { 1 + usize::from(step % 3 == 0) } else { 0 };
        let (lane, writer) = &mut writers[index];
        let cause = if index == 0 { Cause::NONE } else { Cause::new(Lane::Feed, seqs[0].max(1)) };
        let cause = if seqs[0] == 0 { Cause::NONE } else { cause };
        let entry = Entry { kind: 10, instrument: InstrumentId(3), cause, recv_ns: Nanos(1_000 + step) };
        let body: Vec<u8> = (0..step * 37 % 501).map(|at| (step + at).to_le_bytes()[0]).collect();
        if let Err(error) = room.wait(record_bytes(body.len())) {
            fail(&error);
        }
        if let Err(error) = writer.append(entry, &body) {
            fail(&error);
        }
        seqs[index] += 1;
        records.insert((*lane as u16, seqs[index]), (entry, body));
    }
    drop((writers, room));
    if close && let Err(error) = journal.close() {
        fail(&error);
    }
    let mut files = BTreeMap::new();
    for file in std::fs::read_dir(&dir).into_iter().flatten().flatten() {
        let name = file.file_name().to_string_lossy().into_owned();
        if name.ends_with(".seg") {
            files.insert(name, std::fs::read(file.path()).unwrap_or_else(|error| fail(&error)));
        }
    }
    assert!(files.len() >= 5, "several segments: {:?}", files.keys());
    Base { files, records }
}
