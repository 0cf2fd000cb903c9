//! `--books`: a row of the book after chosen updates, written as the stages run.

use super::rows::RowFile;
use engine::book::{Book, BookSide};
use engine::book_stage::BookTap;
use engine::ids::InstrumentId;
use engine::instrument::Instrument;
use engine::message::{Depth, Head};
use engine::num::Level;
use std::fmt::Write as _;

/// Writes rows of one instrument: `seq` 1, every N-th, and the last.
pub(crate) struct BooksTap {
    out: RowFile,
    instrument: Instrument,
    every: u64,
    /// Which file of the instrument's stream a connection is.
    file_of_connection: Vec<usize>,
    seq: u64,
    /// The update applied last, while its row was not written.
    unwritten: Option<(Head, Depth)>,
    /// Its row, when a snapshot has replaced the book since.
    row_before_snapshot: Option<String>,
}

impl BooksTap {
    /// Rows of `instrument` into `out`.
    pub(crate) fn new(
        out: RowFile,
        instrument: Instrument,
        every: u64,
        file_of_connection: Vec<usize>,
    ) -> Self {
        let (unwritten, row_before_snapshot) = (None, None);
        Self { out, instrument, every, file_of_connection, seq: 0, unwritten, row_before_snapshot }
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
            self.out.write(&row);
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
            self.out.write(&row);
        } else if let Some(row) = self.row_before_snapshot.take() {
            self.out.write(&row);
        }
    }
}

/// Levels of a side in a row.
const ROW_LEVELS: usize = 10;

fn ms_or_null(ms: u64) -> String {
    if ms == 0 { "null".into() } else { ms.to_string() }
}
