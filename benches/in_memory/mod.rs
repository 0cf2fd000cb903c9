//! What the benches of whole stages share: a recorded capture in memory as a source of frames, and a journal that
//! is thrown away.

use engine::book::Book;
use engine::book_stage::BookTap;
use engine::ids::{ConnectionId, InstrumentId, Lane};
use engine::instrument::InstrumentTable;
use engine::journal::{Journal, Options, Writer};
use engine::message::{Depth, Head};
use engine::time::Nanos;
use feeds::capture::{CaptureReader, Next, split_line};
use feeds::stage::{Frame, FrameSource, SourcePoll};
use std::ops::Range;
use std::sync::Arc;

const SHARED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/captures/");

/// A capture in memory.
pub(crate) struct Capture {
    /// The messages, one behind the other.
    pub(crate) bytes: Vec<u8>,
    /// Receive time and place of each message.
    pub(crate) lines: Vec<(Nanos, Range<usize>)>,
    /// The instruments of it.
    pub(crate) table: InstrumentTable,
    /// Its venue and product.
    pub(crate) venue: &'static str,
}

impl Capture {
    pub(crate) fn load(file: &str, venue: &'static str) -> Self {
        let instruments = feeds::instruments::parse(INSTRUMENTS.as_bytes()).expect("shipped instruments");
        let instrument =
            instruments.into_iter().find(|i| i.venue == venue).expect("an instrument of the venue");
        let mut table = InstrumentTable::default();
        table.add(instrument);
        let path = format!("{SHARED}{file}");
        let mut reader = CaptureReader::open(&path).unwrap_or_else(|e| panic!("{path}: {e}"));
        let (mut bytes, mut lines) = (Vec::new(), Vec::new());
        while let Next::Line(line) = reader.wait() {
            let (recv_ns, json) = split_line(line.bytes).expect("a receive time");
            lines.push((recv_ns, bytes.len()..bytes.len() + json.len()));
            bytes.extend_from_slice(json);
        }
        Self { bytes, lines, table, venue }
    }
}

const INSTRUMENTS: &str = include_str!("../../tools/sabrewing/configs/instruments.toml");

/// Its frames, from the first to the last.
pub(crate) struct InMemory {
    pub(crate) capture: Arc<Capture>,
    /// The next line.
    pub(crate) next: usize,
    /// Which instrument's copy of the line is next.
    pub(crate) copy: u16,
}

impl FrameSource for InMemory {
    #[inline]
    fn poll(&mut self) -> SourcePoll<'_> {
        let Some((recv_ns, range)) = self.capture.lines.get(self.next) else { return SourcePoll::End };
        SourcePoll::Ready(Frame {
            connection: ConnectionId(self.copy),
            line: u32::try_from(self.next).unwrap_or(u32::MAX),
            recv_ns: *recv_ns,
            clock_fault: false,
            behind_ns: 0,
            bytes: Ok(&self.capture.bytes[range.clone()]),
        })
    }

    #[inline]
    fn consume(&mut self) {
        self.copy += 1;
        if usize::from(self.copy) == self.capture.table.len() {
            (self.copy, self.next) = (0, self.next + 1);
        }
    }
}

/// A journal in a temporary directory, or none.
pub(crate) struct Kept {
    journal: Option<Journal>,
    dir: Option<tempfile::TempDir>,
}

impl Kept {
    pub(crate) fn new(on: bool) -> Self {
        if !on {
            return Self { journal: None, dir: None };
        }
        let dir = tempfile::tempdir().expect("a temporary directory");
        let journal =
            Journal::create(&dir.path().join("journal"), Options::new(1, [0; 32])).expect("a journal");
        Self { journal: Some(journal), dir: Some(dir) }
    }

    pub(crate) fn writer(&mut self, lane: Lane) -> Writer {
        self.journal
            .as_mut()
            .map_or_else(|| Writer::off(lane), |journal| journal.writer(lane).expect("a lane"))
    }

    /// The helper writes segments ahead; a run that has just started would measure the helper.
    pub(crate) fn wait(&self) {
        self.journal.as_ref().map_or(Ok(()), Journal::wait_prepared).expect("segments");
    }

    pub(crate) fn end(self) {
        if let Some(journal) = self.journal {
            journal.close().expect("a closed journal");
        }
        drop(self.dir);
    }
}

/// No rows are wanted.
pub(crate) enum NoTap {}

/// Nobody looks at the books.
pub(crate) const NO_TAP: Option<NoTap> = None;

impl BookTap for NoTap {
    fn applied(&mut self, _: &Head, _: &Depth, _: &Book) {}
    fn replacing(&mut self, _: InstrumentId, _: &Book) {}
    fn ended(&mut self, _: InstrumentId, _: &Book) {}
}
