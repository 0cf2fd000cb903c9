//! `--books`: a row of the book after chosen updates, written as the stages run.

use engine::book::{Book, BookSide};
use engine::book_stage::BookTap;
use engine::ids::InstrumentId;
use engine::instrument::Instrument;
use engine::message::{Depth, Head};
use engine::num::Level;
use flate2::Compression;
use flate2::write::GzEncoder;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::sync::mpsc::SyncSender;

/// Writes rows of one instrument: `seq` 1, every N-th, and the last.
pub(crate) struct BooksTap {
    out: Option<Output>,
    instrument: Instrument,
    every: u64,
    /// Which file of the instrument's stream a connection is.
    file_of_connection: Vec<usize>,
    seq: u64,
    /// The update applied last, while its row was not written.
    unwritten: Option<(Head, Depth)>,
    /// Its row, when a snapshot has replaced the book since.
    row_before_snapshot: Option<String>,
    failed: SyncSender<io::Error>,
}

/// The file that rows go to.
pub(crate) enum Output {
    Plain(BufWriter<File>),
    Gzip(Box<GzEncoder<BufWriter<File>>>),
}

impl Output {
    /// Makes the file, compressed when its name ends in `.gz`.
    pub(crate) fn create(path: &Path) -> io::Result<Self> {
        let file = BufWriter::with_capacity(1 << 16, File::create(path)?);
        Ok(match path.extension() {
            Some(extension) if extension == "gz" => {
                Self::Gzip(Box::new(GzEncoder::new(file, Compression::default())))
            }
            _ => Self::Plain(file),
        })
    }

    /// Writes what is held back, and what ends a compressed file.
    pub(crate) fn finish(self) -> io::Result<()> {
        match self {
            Self::Plain(mut out) => out.flush(),
            Self::Gzip(out) => out.finish()?.flush(),
        }
    }
}

impl BooksTap {
    /// Rows of `instrument` into `out`. What goes wrong with the file later goes to `failed`.
    pub(crate) fn new(
        out: Output,
        instrument: Instrument,
        every: u64,
        file_of_connection: Vec<usize>,
        failed: SyncSender<io::Error>,
    ) -> Self {
        let (unwritten, row_before_snapshot) = (None, None);
        Self {
            out: Some(out),
            instrument,
            every,
            file_of_connection,
            seq: 0,
            unwritten,
            row_before_snapshot,
            failed,
        }
    }

    fn write(&mut self, row: &str) {
        let written = match &mut self.out {
            Some(Output::Plain(out)) => out.write_all(row.as_bytes()),
            Some(Output::Gzip(out)) => out.write_all(row.as_bytes()),
            None => return,
        };
        if let Err(error) = written {
            self.out = None;
            // The receiver is gone only when nobody wants to know.
            let _ = self.failed.send(error);
        }
    }

    fn row(&self, head: &Head, depth: &Depth, book: &Book) -> String {
        let (tick, unit) = (self.instrument.price_rule.tick, self.instrument.qty_unit);
        let file = self.file_of_connection.get(head.connection.index()).copied().unwrap_or(0);
        let mut row = String::with_capacity(1024);
        // Writing into a string cannot fail.
        let _ = write!(
            row,
            "{{\"seq\":{},\"file\":{file},\"line\":{},\"u\":{},\"E\":{},\"T\":{}",
            self.seq,
            head.line,
            depth.last_id,
            ms_or_null(depth.venue_ns.as_ms()),
            ms_or_null(depth.transact_ns.as_ms()),
        );
        for (name, side) in [("n_bids", BookSide::Bid), ("n_asks", BookSide::Ask)] {
            let _ = write!(row, ",\"{name}\":{}", book.level_count(side));
        }
        for (name, side) in [("bid_qty_sum", BookSide::Bid), ("ask_qty_sum", BookSide::Ask)] {
            let _ = write!(row, ",\"{name}\":\"{}\"", unit.decimal(book.qty_sum(side)));
        }
        for (name, side) in [("bids", BookSide::Bid), ("asks", BookSide::Ask)] {
            let mut top = [Level::default(); ROW_LEVELS];
            let count = book.top(side, &mut top);
            let _ = write!(row, ",\"{name}\":[");
            for (index, level) in top.iter().take(count).enumerate() {
                let comma = if index == 0 { "" } else { "," };
                let (price, qty) = (level.price.display(tick), level.qty.display(unit));
                let _ = write!(row, "{comma}[\"{price}\",\"{qty}\"]");
            }
            row.push(']');
        }
        row.push_str("}\n");
        row
    }
}

impl BookTap for BooksTap {
    fn applied(&mut self, head: &Head, depth: &Depth, book: &Book) {
        if head.instrument != self.instrument.id {
            return;
        }
        self.seq += 1;
        self.row_before_snapshot = None;
        self.unwritten = Some((*head, *depth));
        if self.seq == 1 || self.seq.is_multiple_of(self.every) {
            let row = self.row(head, depth, book);
            self.write(&row);
            self.unwritten = None;
        }
    }

    fn replacing(&mut self, instrument: InstrumentId, book: &Book) {
        if instrument == self.instrument.id
            && let Some((head, depth)) = self.unwritten.take()
        {
            self.row_before_snapshot = Some(self.row(&head, &depth, book));
        }
    }

    fn ended(&mut self, instrument: InstrumentId, book: &Book) {
        if instrument != self.instrument.id {
            return;
        }
        if let Some((head, depth)) = self.unwritten.take() {
            let row = self.row(&head, &depth, book);
            self.write(&row);
        } else if let Some(row) = self.row_before_snapshot.take() {
            self.write(&row);
        }
    }
}

impl Drop for BooksTap {
    fn drop(&mut self) {
        if let Some(Err(error)) = self.out.take().map(Output::finish) {
            // The receiver is gone only when nobody wants to know.
            let _ = self.failed.send(error);
        }
    }
}

/// Levels of a side in a row.
const ROW_LEVELS: usize = 10;

fn ms_or_null(ms: u64) -> String {
    if ms == 0 { "null".into() } else { ms.to_string() }
}
