//! The book stage: applies what the feed stage numbered, and says after every message what the touch is,
//! whether the book can be trusted, and which slots of its top changed. It knows no venue.

use crate::book::{Book, BookConfig, BookSide};
use crate::counters::{Counter, Counters, CountersError, Desc, Unit};
use crate::ids::InstrumentId;
use crate::instrument::InstrumentTable;
use crate::message::{
    Body, BookChanged, Cell, Depth, Head, Kind, LEVELS_PER_CELL, Message, RENEWAL, Ticker, book_state,
};
use crate::num::Level;
use crate::stage::{Sink, Stage};
use std::sync::mpsc::SyncSender;
use zerocopy::IntoBytes;

/// Sees each book after each update that was applied: the rows of `--books`, tests.
pub trait BookTap: Send {
    /// `depth` was applied and `book` is the result.
    fn applied(&mut self, head: &Head, depth: &Depth, book: &Book);
    /// A snapshot is about to replace `book`.
    fn replacing(&mut self, instrument: InstrumentId, book: &Book);
    /// The stream ended with `book`.
    fn ended(&mut self, instrument: InstrumentId, book: &Book);
}

impl<T: BookTap> BookTap for Option<T> {
    #[inline]
    fn applied(&mut self, head: &Head, depth: &Depth, book: &Book) {
        if let Some(tap) = self {
            tap.applied(head, depth, book);
        }
    }

    #[inline]
    fn replacing(&mut self, instrument: InstrumentId, book: &Book) {
        if let Some(tap) = self {
            tap.replacing(instrument, book);
        }
    }

    fn ended(&mut self, instrument: InstrumentId, book: &Book) {
        if let Some(tap) = self {
            tap.ended(instrument, book);
        }
    }
}

/// Slots of the top that the next stage mirrors, a side.
pub const TOP_SLOTS: usize = 10;

/// What the book stage counted, sent when the stage ends.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BookReport {
    /// Updates applied.
    pub updates: u64,
    /// Levels in them.
    pub levels: u64,
    /// Times that the feed's numbering broke before the book.
    pub lost: u64,
    /// Times that a book became crossed.
    pub crossed: u64,
    /// Times that book and ticker disagreed at the same update id.
    pub disagreed: u64,
    /// Levels dropped for capacity.
    pub dropped_levels: u64,
    /// Books that end in doubt, by instrument: bits of [`book_state`].
    pub states: Vec<u32>,
    /// Memory of all books, bytes.
    pub memory_bytes: u64,
}

/// The second stage.
pub struct BookStage<T> {
    books: Vec<Slot>,
    tap: T,
    /// Whether the feed's depth messages go on to the stages behind.
    forwards_depth: bool,
    report: BookReport,
    done: SyncSender<BookReport>,
}

/// One instrument's book and what is known about it.
struct Slot {
    book: Book,
    /// Number of the feed's last message.
    seq: u32,
    /// Whether any message came; the first may have any number.
    begun: bool,
    state: u32,
    update_id: u64,
    ticker: Ticker,
    top: [[Level; TOP_SLOTS]; 2],
    /// Slots of `top` that the message at hand changed.
    changed: [u32; 2],
    counters: Option<SlotCounters>,
}

/// One instrument's touch and state in the counters file.
struct SlotCounters {
    bid: Counter,
    ask: Counter,
    state: Counter,
}

impl<T: BookTap> BookStage<T> {
    /// A book for every instrument. The report goes to `done` when the stage is dropped.
    #[must_use]
    pub fn new(
        instruments: &InstrumentTable,
        config: BookConfig,
        tap: T,
        done: SyncSender<BookReport>,
    ) -> Self {
        let slot = || Slot {
            book: Book::new(config),
            seq: 0,
            begun: false,
            state: book_state::EMPTY,
            update_id: 0,
            ticker: Ticker::default(),
            top: [[Level::default(); TOP_SLOTS]; 2],
            changed: [0; 2],
            counters: None,
        };
        let books = (0..instruments.len()).map(|_| slot()).collect();
        Self { books, tap, forwards_depth: false, report: BookReport::default(), done }
    }

    /// Publishes each instrument's touch and state. Err: the counters are full, or have them already.
    pub fn counting(
        mut self,
        instruments: &InstrumentTable,
        counters: &mut Counters,
    ) -> Result<Self, CountersError> {
        for (slot, instrument) in self.books.iter_mut().zip(instruments.iter()) {
            let name = instrument.full_name();
            let mut register = |desc: Desc<'_>| counters.register("book", &desc.on_instrument(&name));
            let mut state =
                register(Desc::reason("state", "Whether the book can be quoted on", &book_state::NAMES))?;
            state.set(book_state::index(book_state::EMPTY) as u64);
            slot.counters = Some(SlotCounters {
                bid: register(Desc::gauge("bid", Unit::Ticks, "Best bid; 0: none"))?,
                ask: register(Desc::gauge("ask", Unit::Ticks, "Best ask; 0: none"))?,
                state,
            });
        }
        Ok(self)
    }

    /// Passes the feed's own `Snapshot`, `Delta` and `Stale` on before what it says of the book: a paper exchange
    /// behind it keeps a book of its own, and sees the market before a strategy does.
    #[must_use]
    pub fn forwarding_depth(mut self) -> Self {
        self.forwards_depth = true;
        self
    }
}

impl<T: BookTap> Stage for BookStage<T> {
    const NAME: &'static str = "book";

    #[inline]
    fn on_message<S: Sink>(&mut self, message: Message<'_>, out: &mut S) {
        let head = message.head;
        let Some(kind) = head.kind() else { return };
        match kind {
            Kind::Timer | Kind::Mark => {
                out.send(message);
                return;
            }
            Kind::End => {
                for (instrument, slot) in (0..).zip(&self.books) {
                    self.tap.ended(InstrumentId(instrument), &slot.book);
                }
                out.send(message);
                return;
            }
            _ => {}
        }
        let Some(slot) = self.books.get_mut(head.instrument.index()) else { return };
        slot.number(head, &mut self.report);
        if self.forwards_depth && matches!(kind, Kind::Delta | Kind::Snapshot | Kind::Stale) {
            out.send(message);
        }
        match kind {
            Kind::Delta => {
                let Some(depth) = message.body_as::<Depth>() else { return };
                slot.delta(message, depth, &mut self.report);
                self.tap.applied(head, depth, &slot.book);
                slot.send(head, out);
            }
            Kind::Snapshot => {
                let Some(depth) = message.body_as::<Depth>() else { return };
                self.tap.replacing(head.instrument, &slot.book);
                slot.snapshot(message, depth, &mut self.report);
                if depth.complete == 1 {
                    self.tap.applied(head, depth, &slot.book);
                }
                slot.send(head, out);
            }
            Kind::Ticker => {
                let Some(ticker) = message.body_as::<Ticker>() else { return };
                slot.ticker(ticker, &mut self.report);
                slot.send(head, out);
            }
            Kind::Stale => {
                slot.state |= book_state::STALE;
                // A venue that starts anew counts from the beginning, and this one would stay the newer for ever.
                slot.ticker = Ticker::default();
                slot.send(head, out);
            }
            _ => {
                out.send(message);
            }
        }
    }
}

impl Slot {
    /// A hole in the feed's numbering means that a ring dropped something: the book is lost until a snapshot.
    #[inline]
    fn number(&mut self, head: &Head, report: &mut BookReport) {
        if self.begun && head.seq != self.seq.wrapping_add(1) {
            report.lost += 1;
            self.state |= book_state::STALE;
        }
        self.begun = true;
        self.seq = head.seq;
    }

    #[inline]
    fn delta(&mut self, message: Message<'_>, depth: &Depth, report: &mut BookReport) {
        let (bids, asks) = message.depth_levels(depth);
        let applied = self.book.apply(bids, asks);
        report.updates += 1;
        report.levels += (bids.len() + asks.len()) as u64;
        self.update_id = depth.last_id;
        self.state &= !book_state::EMPTY; // the chain from the snapshot is proven
        self.judge(report);
        for side in BookSide::BOTH {
            let last = self.top[side as usize][TOP_SLOTS - 1];
            let edge = (last.qty.0 != 0).then_some(last.price.0);
            if applied.reaches(side, edge) {
                self.retake(side);
            }
        }
    }

    fn snapshot(&mut self, message: Message<'_>, depth: &Depth, report: &mut BookReport) {
        let (bids, asks) = message.depth_levels(depth);
        self.book.load_snapshot(bids, asks);
        self.update_id = depth.last_id;
        // Until an update follows it, a snapshot may be older than the market: not yet a book to quote on. One that
        // renews a live book is where its stream is.
        let is_proven = depth.complete == 1 || message.head.flags & RENEWAL != 0;
        self.state = if is_proven { 0 } else { book_state::EMPTY };
        if depth.complete == 1 {
            report.updates += 1;
            report.levels += (bids.len() + asks.len()) as u64;
        }
        self.judge(report);
        self.retake(BookSide::Bid);
        self.retake(BookSide::Ask);
    }

    #[inline]
    fn ticker(&mut self, ticker: &Ticker, report: &mut BookReport) {
        if ticker.update_id >= self.ticker.update_id {
            self.ticker = *ticker;
            self.compare_with_ticker(report);
        }
    }

    /// What the levels themselves say about the book's state.
    #[inline]
    fn judge(&mut self, report: &mut BookReport) {
        let book = self.book.state();
        let was_crossed = self.state & book_state::CROSSED != 0;
        self.state &= !(book_state::CROSSED
            | book_state::ONE_SIDED
            | book_state::BEYOND_SNAPSHOT
            | book_state::TRUNCATED);
        if book.is_crossed_or_locked() {
            self.state |= book_state::CROSSED;
            report.crossed += u64::from(!was_crossed);
        }
        if book.is_one_sided() {
            self.state |= book_state::ONE_SIDED;
        }
        if book.is_beyond_snapshot() {
            self.state |= book_state::BEYOND_SNAPSHOT;
        }
        if book.is_truncated() && self.is_truncated_near_touch() {
            self.state |= book_state::TRUNCATED;
        }
        self.compare_with_ticker(report);
    }

    #[inline]
    fn compare_with_ticker(&mut self, report: &mut BookReport) {
        if self.ticker.update_id != self.update_id
            || self.update_id == 0
            || self.state & book_state::EMPTY != 0
        {
            return;
        }
        let same = |side, seen: Level| self.book.best(side).unwrap_or_default() == seen;
        let agrees = same(BookSide::Bid, self.ticker.bid) && same(BookSide::Ask, self.ticker.ask);
        if !agrees && self.state & book_state::DISAGREES == 0 {
            report.disagreed += 1;
            self.state |= book_state::DISAGREES | book_state::STALE;
        }
    }

    /// Whether capacity dropped a level that would belong to the top.
    #[cold]
    fn is_truncated_near_touch(&self) -> bool {
        BookSide::BOTH.into_iter().any(|side| {
            let dropped = self.book.truncated_at(side);
            let edge = self.book.levels(side).nth(TOP_SLOTS - 1).map(|level| level.price.0);
            dropped.is_some_and(|price| edge.is_none_or(|edge| !side.is_better(edge, price)))
        })
    }

    fn retake(&mut self, side: BookSide) {
        let mut now = [Level::default(); TOP_SLOTS];
        self.book.top(side, &mut now);
        let top = &mut self.top[side as usize];
        let differs = |(slot, (old, new)): (usize, (&Level, &Level))| u32::from(old != new) << slot;
        self.changed[side as usize] = top.iter().zip(&now).enumerate().map(differs).sum();
        *top = now;
    }

    /// Sends what is known after a message: the touch of the newer of book and ticker, and the changed slots.
    #[inline]
    fn send<S: Sink>(&mut self, head: &Head, out: &mut S) {
        let from_ticker = self.ticker.update_id > self.update_id;
        let (bid, ask) =
            if from_ticker { (self.ticker.bid, self.ticker.ask) } else { (self.top[0][0], self.top[1][0]) };
        if let Some(counters) = &mut self.counters {
            let shown = |level: Level| if level.qty.0 == 0 { 0 } else { level.price.0 };
            counters.bid.set_signed(shown(bid));
            counters.ask.set_signed(shown(ask));
            counters.state.set(book_state::index(self.state) as u64);
        }
        let [bid_slots, ask_slots] = std::mem::take(&mut self.changed);
        let changed = BookChanged {
            bid,
            ask,
            update_id: self.update_id.max(self.ticker.update_id),
            state: self.state,
            bid_slots,
            ask_slots,
            from_ticker: u32::from(from_ticker),
            ..BookChanged::default()
        };
        let head = head.derive(Kind::BookChanged);
        if bid_slots | ask_slots == 0 {
            out.send(Message { head: &head, body: changed.cells() });
            return;
        }
        let mut body = [Cell::default(); 1 + SLOT_CELLS];
        body[..1].copy_from_slice(changed.cells());
        let (mut levels, mut count) = ([Level::default(); SLOT_CELLS * LEVELS_PER_CELL], 0);
        for (mask, top) in [bid_slots, ask_slots].into_iter().zip(&self.top) {
            for (slot, level) in top.iter().enumerate() {
                if mask >> slot & 1 == 1 {
                    levels[count] = *level;
                    count += 1;
                }
            }
        }
        body[1..].as_mut_bytes().copy_from_slice(levels.as_bytes());
        out.send(Message { head: &head, body: &body[..1 + count.div_ceil(LEVELS_PER_CELL)] });
    }
}

/// Cells that hold the changed slots of both sides.
const SLOT_CELLS: usize = (2 * TOP_SLOTS).div_ceil(LEVELS_PER_CELL);

impl<T> Drop for BookStage<T> {
    fn drop(&mut self) {
        let mut report = std::mem::take(&mut self.report);
        report.states = self.books.iter().map(|slot| slot.state).collect();
        report.memory_bytes = self.books.iter().map(|slot| slot.book.memory_bytes() as u64).sum();
        report.dropped_levels = self
            .books
            .iter()
            .flat_map(|slot| BookSide::BOTH.map(|side| slot.book.dropped_levels(side)))
            .sum();
        // The receiver is gone only when nobody wants the report.
        let _ = self.done.send(report);
    }
}
