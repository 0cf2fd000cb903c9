//! What travels between stages: a message is one 64-byte head and its body cells.
//!
//! The head says where a message comes from and what led to it; the body is what it says. Both are plain
//! data, so that a message crosses a ring as a copy of cells and a stage on the same thread as a reference.
//!
//! ```text
//! cell 0   Head                                              every message
//! cell 1   Depth | Trade | Ticker | MarkPrice | ...          the kind's first body cell
//! cell 2.. levels, four a cell                               Snapshot, Delta, BookChanged
//! ```

use crate::ids::{AccountId, Cause, ConnectionId, InstrumentId, StrategyId, VenueId};
use crate::num::Level;
use crate::time::{Lap, Nanos, Stamp};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// 64 bytes, one cache line: the unit that rings move.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C, align(64))]
pub struct Cell(pub [u64; 8]);

/// What a message says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Kind {
    /// Feed: the whole book; forget what was there. Body: [`Depth`], then bids and asks.
    Snapshot = 1,
    /// Feed: absolute quantities of changed levels. Body: [`Depth`], then bids and asks.
    Delta = 2,
    /// Feed: the book can no longer be trusted until the next `Snapshot`. Body: none.
    Stale = 3,
    /// Feed: one trade, or one aggregate of trades. Body: [`Trade`].
    Trade = 4,
    /// Feed: the venue's own best bid and ask. Body: [`Ticker`].
    Ticker = 5,
    /// Feed: mark price and funding. Body: [`MarkPrice`].
    MarkPrice = 6,
    /// Feed: the venue's own candle. Body: [`Kline`], two cells.
    Kline = 7,
    /// Runner, through the feed stage: time has passed. `recv_ns` is the time; no body.
    Timer = 8,
    /// Book: the book after a message. Body: [`BookChanged`], then the changed slots of the top.
    BookChanged = 9,
    /// Signal: subscribed features that changed. Body: [`Features`], then the values, eight a cell.
    Features = 10,
    /// Strategy: the quotes it wants. Body: [`Target`], then further pairs of levels.
    Target = 11,
    /// Gateway to strategy: what became of an order. Body: [`Execution`], two cells.
    Execution = 12,
    /// The stream has ended; nothing follows on this path.
    End = 13,
    /// Operator: a command, or the answer to one. Body: `commands::CommandBody`, then its parameters.
    Command = 14,
    /// Signal: a subscribed candle has closed. Body: [`ClosedCandle`], two cells.
    Candle = 15,
    /// Feed: the frame `line` of `connection` has been taken to its end, whatever came of it; only where a tap
    /// asked for it, and not beyond the signal stage. No body.
    Mark = 16,
}

/// Set in [`Head::flags`] of the first message that a frame gave rise to: the one that its latency is taken from.
pub const FIRST_OF_FRAME: u8 = 1;

/// Set in [`Head::flags`] of a snapshot that renews a live book: the chain of updates goes on over it.
pub const RENEWAL: u8 = 2;

/// First cell of every message.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C, align(64))]
pub struct Head {
    /// What the message says: `Kind` as a number, read by [`Head::kind`].
    pub kind_code: u8,
    /// [`FIRST_OF_FRAME`], [`RENEWAL`].
    pub flags: u8,
    /// Body cells that follow.
    pub body_cells: u16,
    /// Number of the frame on its connection, from 1; the line of a capture.
    pub line: u32,
    /// What it is about.
    pub instrument: InstrumentId,
    /// Whose it is: a strategy's target or execution. 0 = the engine.
    pub strategy: StrategyId,
    /// The account traded on.
    pub account: AccountId,
    /// Where it came from.
    pub venue: VenueId,
    /// The socket or capture it came from.
    pub connection: ConnectionId,
    /// Feed messages: gap-free number of the instrument's messages, wrapping. Others: 0.
    pub seq: u32,
    /// The journal record that led to it.
    pub cause: Cause,
    /// When the frame left the socket: the time of this input.
    pub recv_ns: Nanos,
    /// The counter when this process received the frame. Zero: not stamped.
    pub received: Stamp,
    /// Ticks from `received` until decoded, booked, signalled, decided.
    pub laps: [Lap; 4],
}

const _: () = assert!(size_of::<Head>() == 64 && size_of::<Cell>() == 64);

impl Head {
    /// A head of `kind` with everything else zero.
    #[inline]
    #[must_use]
    pub fn new(kind: Kind) -> Self {
        Self { kind_code: kind as u8, ..Self::default() }
    }

    /// A head of another kind that keeps what led to it: instrument, origin, cause, time, stamps.
    #[inline]
    #[must_use]
    pub fn derive(&self, kind: Kind) -> Self {
        Self { kind_code: kind as u8, body_cells: 0, ..*self }
    }

    /// What the message says. None: a number that is no kind (never from this process).
    #[inline]
    #[must_use]
    pub const fn kind(&self) -> Option<Kind> {
        Some(match self.kind_code {
            1 => Kind::Snapshot,
            2 => Kind::Delta,
            3 => Kind::Stale,
            4 => Kind::Trade,
            5 => Kind::Ticker,
            6 => Kind::MarkPrice,
            7 => Kind::Kline,
            8 => Kind::Timer,
            9 => Kind::BookChanged,
            10 => Kind::Features,
            11 => Kind::Target,
            12 => Kind::Execution,
            13 => Kind::End,
            14 => Kind::Command,
            15 => Kind::Candle,
            16 => Kind::Mark,
            _ => return None,
        })
    }
}

/// A message as a stage sees it.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    /// Where it comes from.
    pub head: &'a Head,
    /// What it says.
    pub body: &'a [Cell],
}

impl<'a> Message<'a> {
    /// The body's first cell as `T`. None: the message has no such cell (never for the kind documented with `T`).
    #[inline]
    #[must_use]
    pub fn body_as<T: Body>(&self) -> Option<&'a T> {
        T::ref_from_prefix(self.body.as_bytes()).ok().map(|(body, _)| body)
    }

    /// The levels of a `Snapshot` or `Delta`: bids, asks. Empty when the counts do not fit the cells.
    #[inline]
    #[must_use]
    pub fn depth_levels(&self, depth: &Depth) -> (&'a [Level], &'a [Level]) {
        let levels = levels_of(self.body.get(1..).unwrap_or_default());
        let (bids, asks) = (depth.bid_count as usize, depth.ask_count as usize);
        match (levels.get(..bids), levels.get(bids..bids + asks)) {
            (Some(bids), Some(asks)) => (bids, asks),
            _ => (&[], &[]),
        }
    }
}

/// Cells as levels, four a cell.
#[inline]
#[must_use]
pub fn levels_of(cells: &[Cell]) -> &[Level] {
    <[Level]>::ref_from_bytes(cells.as_bytes()).unwrap_or_default()
}

/// Plain data that fills whole cells.
pub trait Body: FromBytes + IntoBytes + Immutable + KnownLayout + Copy {
    /// The cells it fills.
    #[inline]
    fn cells(&self) -> &[Cell] {
        <[Cell]>::ref_from_bytes(self.as_bytes()).unwrap_or_default()
    }
}

macro_rules! body {
    ($name:ident, $cells:literal) => {
        impl Body for $name {}
        const _: () = assert!(size_of::<$name>() == $cells * 64 && align_of::<$name>() == 64);
    };
}

// Below the macro that they use.
mod derived;
mod execution;
mod market;
mod quotes;

pub use derived::{BookChanged, ClosedCandle, Features, book_state};
pub use execution::Execution;
pub use market::{Depth, Kline, LEVELS_PER_CELL, MarkPrice, Ticker, Trade};
pub use quotes::{QUOTES_MAX, QuoteReason, Quotes, Target};

/// An `i128` as two words, for cells.
#[inline]
#[must_use]
pub const fn words_of(value: i128) -> [u64; 2] {
    let bits = value.cast_unsigned();
    #[expect(clippy::cast_possible_truncation, reason = "the two halves")]
    [bits as u64, (bits >> 64) as u64]
}

/// The `i128` of two words.
#[inline]
#[must_use]
pub const fn i128_of(words: [u64; 2]) -> i128 {
    ((words[1] as u128) << 64 | words[0] as u128).cast_signed()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::num::{Price, Qty};

    #[test]
    fn every_kind_survives_the_head() {
        for number in 0..=u8::MAX {
            let head = Head { kind_code: number, ..Head::default() };
            assert_eq!(
                head.kind().map_or(0, |kind| kind as u8),
                if (1..=16).contains(&number) { number } else { 0 }
            );
        }
    }

    #[test]
    fn levels_come_back_split_into_bids_and_asks() {
        let level = |price, qty| Level { price: Price(price), qty: Qty(qty) };
        let levels = [
            level(10, 1),
            level(9, 2),
            level(11, 3),
            level(12, 4),
            level(13, 5),
            Level::default(),
            Level::default(),
            Level::default(),
        ];
        let depth = Depth { bid_count: 2, ask_count: 3, ..Depth::default() };
        let mut body = depth.cells().to_vec();
        let cells: Vec<Cell> =
            levels.as_bytes().chunks(64).map(|c| Cell::read_from_bytes(c).unwrap()).collect();
        body.extend(cells);
        assert_eq!(body.len(), depth.body_cells());
        let head = Head::new(Kind::Delta);
        let message = Message { head: &head, body: &body };
        let seen: &Depth = message.body_as().unwrap();
        assert_eq!(message.depth_levels(seen), (&levels[..2], &levels[2..5]));
        let lying = Depth { bid_count: 2, ask_count: 30, ..depth };
        assert_eq!(message.depth_levels(&lying), (&[][..], &[][..]));
    }

    #[test]
    fn wide_amounts_survive_the_cell() {
        for value in [0, 1, -1, i128::MAX, i128::MIN, -865_202_800] {
            assert_eq!(i128_of(words_of(value)), value);
        }
    }
}
