//! A run's journal in memory, and walks from a record to what caused it.

use engine::decisions::{self, Decisions};
use engine::ids::{Cause, InstrumentId, Lane};
use engine::journal::schema::{FrameHead, RecordKind};
use engine::journal::{Entry, Reader, verify};
use std::path::Path;
use zerocopy::FromBytes;

/// One record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) kind: RecordKind,
    pub(crate) seq: u64,
    pub(crate) cause: Cause,
    pub(crate) instrument: InstrumentId,
    pub(crate) recv_ns: u64,
    pub(crate) body: Vec<u8>,
}

impl Record {
    /// The record's body. Fails where it is of another size.
    pub(crate) fn body<T: FromBytes>(&self) -> T {
        T::read_from_prefix(&self.body).unwrap_or_else(|_| panic!("{self:?}")).0
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
}

/// Every record of a run, by lane.
pub(crate) struct Journal(Vec<(Lane, Vec<Record>)>);

impl Journal {
    /// Reads the journal of a run that has ended; every lane must be good and closed.
    pub(crate) fn open(run: impl AsRef<Path>) -> Self {
        let reader = Reader::open(run.as_ref()).unwrap();
        for report in verify(&reader, |_| ()) {
            assert!(report.is_good() && report.end == engine::journal::LaneEnd::Closed, "{report:?}");
        }
        let records = |lane| {
            let (mut cursor, mut records) = (reader.cursor(lane), Vec::new());
            while let Some(view) = cursor.next().unwrap() {
                records.push(Record {
                    kind: RecordKind::from_u16(view.entry.kind).unwrap(),
                    seq: view.seq,
                    cause: view.entry.cause,
                    instrument: view.entry.instrument,
                    recv_ns: view.entry.recv_ns.0,
                    body: view.body.to_vec(),
                });
            }
            (lane, records)
        };
        Self(reader.lanes().map(records).collect())
    }

    pub(crate) fn lane(&self, wanted: Lane) -> &[Record] {
        self.0.iter().find(|(lane, _)| *lane == wanted).map_or(&[], |(_, records)| records)
    }

    pub(crate) fn of_kind(&self, lane: Lane, kind: RecordKind) -> impl Iterator<Item = &Record> {
        self.lane(lane).iter().filter(move |record| record.kind == kind)
    }

    /// The record that a cause names.
    pub(crate) fn at(&self, cause: Cause) -> &Record {
        let lane = cause.lane().unwrap_or_else(|| panic!("{cause:?} names no record"));
        let index = usize::try_from(cause.seq()).unwrap() - 1;
        let record = self.lane(lane).get(index).unwrap_or_else(|| panic!("{cause:?} is not there"));
        assert_eq!(record.seq, cause.seq());
        record
    }

    /// The input of the run that led to a record.
    pub(crate) fn input_of<'a>(&'a self, record: &'a Record) -> &'a Record {
        let mut record = record;
        while record.cause != Cause::NONE {
            record = self.at(record.cause);
        }
        record
    }

    /// The capture's line of a frame.
    pub(crate) fn line(frame: &Record) -> u32 {
        assert_eq!(frame.kind, RecordKind::Frame, "{frame:?}");
        frame.body::<FrameHead>().line
    }
}

/// The decisions in a run's journal, line by line.
pub(crate) fn listing(run: &str) -> String {
    let reader = Reader::open(run.as_ref()).unwrap();
    let (mut decisions, mut text) = (Decisions::default(), String::new());
    for lane in [Lane::Gateway, Lane::Strategy] {
        let mut cursor = reader.cursor(lane);
        while let Some(view) = cursor.next().unwrap() {
            let Entry { kind, instrument, recv_ns, .. } = view.entry;
            let record = decisions::Record { lane, kind, instrument, recv_ns, body: view.body };
            decisions.record(&record, &mut |line| text.push_str(line)).unwrap();
        }
    }
    decisions.finish(&mut |line| text.push_str(line));
    text
}
