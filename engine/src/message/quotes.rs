//! What a strategy wants on an instrument, and why it wants nothing.

use super::{Body, Cell};
use crate::ids::StrategyId;
use crate::num::Level;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Bids, and asks, that one target can hold.
pub const QUOTES_MAX: usize = 8;

/// First cell of the quotes a strategy wants on an instrument: the innermost pair, and how close an open order
/// has to be. Further pairs follow, two a cell, outwards. See [`Quotes`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C, align(64))]
pub struct Target {
    /// The innermost bid it wants; zero quantity: none.
    pub bid: Level,
    /// The innermost ask it wants; zero quantity: none.
    pub ask: Level,
    /// Why a side is empty; [`QuoteReason`] as a number.
    pub reason: u16,
    /// Pairs of levels, this one included; 1..=[`QUOTES_MAX`].
    pub pairs: u16,
    /// An open order this far from a wanted price stays where it is.
    pub price_tolerance_ticks: u32,
    /// An open order whose remaining quantity differs by no more than this share of the wanted one stays.
    pub qty_tolerance_bps: u32,
    /// Whose target it is.
    pub strategy: StrategyId,
    /// Zero.
    pub reserved: [u16; 9],
}
body!(Target, 1);

/// All the quotes a strategy wants on an instrument: an open order that is not among them is not wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C, align(64))]
pub struct Quotes {
    /// The innermost pair, counts, tolerances.
    pub first: Target,
    /// Further pairs of bid and ask, outwards; zero quantity: none. The last is always zero: it fills the cell.
    more: [[Level; 2]; QUOTES_MAX],
}
body!(Quotes, 5);

impl Quotes {
    /// One bid and one ask, with the reason when a side is empty.
    #[must_use]
    pub fn new(bid: Level, ask: Level, reason: QuoteReason) -> Self {
        let first = Target { bid, ask, reason: reason as u16, pairs: 1, ..Target::default() };
        Self { first, ..Self::default() }
    }

    /// No quotes at all.
    #[must_use]
    pub fn none(reason: QuoteReason) -> Self {
        Self::new(Level::default(), Level::default(), reason)
    }

    /// Whether nothing is wanted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.pairs().all(|(bid, ask)| bid.qty.0 == 0 && ask.qty.0 == 0)
    }

    /// Adds a pair outside those before. False: [`QUOTES_MAX`] are there, it was not added.
    pub fn push(&mut self, bid: Level, ask: Level) -> bool {
        let pairs = usize::from(self.first.pairs);
        let has_room = pairs < QUOTES_MAX;
        if has_room && let Some(slot) = self.more.get_mut(pairs.wrapping_sub(1)) {
            *slot = [bid, ask];
            self.first.pairs += 1;
        }
        has_room
    }

    /// Pairs of bid and ask, from the innermost outwards.
    pub fn pairs(&self) -> impl Iterator<Item = (Level, Level)> + '_ {
        let first = std::iter::once((self.first.bid, self.first.ask));
        let more = self.more.iter().map(|[bid, ask]| (*bid, *ask));
        first.chain(more).take(usize::from(self.first.pairs).min(QUOTES_MAX))
    }

    /// Why a side is empty.
    #[must_use]
    pub fn reason(&self) -> QuoteReason {
        QuoteReason::ALL.get(usize::from(self.first.reason)).copied().unwrap_or(QuoteReason::NoData)
    }

    /// The cells that hold something: what travels and is journalled.
    #[inline]
    #[must_use]
    pub fn used_cells(&self) -> &[Cell] {
        let more = usize::from(self.first.pairs).saturating_sub(1).min(QUOTES_MAX - 1);
        self.cells().get(..1 + more.div_ceil(2)).unwrap_or_default()
    }

    /// From the body of a message or record. None: not as long as it says, or more pairs than there can be.
    #[inline]
    #[must_use]
    pub fn read(body: &[u8]) -> Option<Self> {
        let mut quotes = Self::default();
        quotes.as_mut_bytes().get_mut(..body.len())?.copy_from_slice(body);
        let fits = (1..=QUOTES_MAX).contains(&usize::from(quotes.first.pairs));
        (fits && size_of_val(quotes.used_cells()) == body.len()).then_some(quotes)
    }
}

/// Why a strategy quotes or not: the one current reason per strategy and instrument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum QuoteReason {
    /// Both sides are quoted.
    Quoting = 0,
    /// No input yet.
    NoData = 1,
    /// The book's state or touch cannot be made sense of.
    BookInvalid = 2,
    /// The touch is older than allowed.
    BookOld = 3,
    /// Long at the limit: no bid.
    PositionLong = 4,
    /// Short at the limit: no ask.
    PositionShort = 5,
    /// The size comes to less than the instrument's minimum.
    SizeBelowMinimum = 6,
    /// Trading was stopped.
    Stopped = 7,
    /// No snapshot was applied yet.
    BookEmpty = 8,
    /// The book lost its stream.
    BookStale = 9,
    /// Best bid at or above best ask.
    BookCrossed = 10,
    /// One side of the book has no level.
    BookOneSided = 11,
    /// The touch left the range that a snapshot covered.
    BookBeyondSnapshot = 12,
    /// Levels near the touch were dropped for capacity.
    BookTruncated = 13,
    /// Book and best-quote ticker disagree.
    BookDisagrees = 14,
    /// A feature that it rests on has no value.
    FeatureMissing = 15,
    /// The strategy's own rule wants none now.
    NotWanted = 16,
}

impl QuoteReason {
    /// Every reason, by its number.
    pub const ALL: [Self; 17] = [
        Self::Quoting,
        Self::NoData,
        Self::BookInvalid,
        Self::BookOld,
        Self::PositionLong,
        Self::PositionShort,
        Self::SizeBelowMinimum,
        Self::Stopped,
        Self::BookEmpty,
        Self::BookStale,
        Self::BookCrossed,
        Self::BookOneSided,
        Self::BookBeyondSnapshot,
        Self::BookTruncated,
        Self::BookDisagrees,
        Self::FeatureMissing,
        Self::NotWanted,
    ];

    /// For people.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Quoting => "quoting",
            Self::NoData => "no data yet",
            Self::BookInvalid => "book not valid",
            Self::BookOld => "book too old",
            Self::PositionLong => "long at the limit: no bid",
            Self::PositionShort => "short at the limit: no ask",
            Self::SizeBelowMinimum => "size below the instrument's minimum",
            Self::Stopped => "stopped",
            Self::BookEmpty => "book has no snapshot",
            Self::BookStale => "book stale",
            Self::BookCrossed => "book crossed",
            Self::BookOneSided => "book one-sided",
            Self::BookBeyondSnapshot => "book beyond its snapshot",
            Self::BookTruncated => "book truncated near the touch",
            Self::BookDisagrees => "book and ticker disagree",
            Self::FeatureMissing => "a feature has no value",
            Self::NotWanted => "the strategy wants none",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::num::{Price, Qty};

    #[test]
    fn quotes_travel_in_the_cells_they_need_and_no_others_are_read() {
        let level = |price| Level { price: Price(price), qty: Qty(1) };
        let mut quotes = Quotes::new(level(100), level(101), QuoteReason::Quoting);
        for pair in 1..10_i64 {
            let bytes = quotes.used_cells().as_bytes();
            assert_eq!(bytes.len(), 64 * (1 + (usize::try_from(pair).unwrap().min(8) - 1).div_ceil(2)));
            assert_eq!(Quotes::read(bytes), Some(quotes));
            assert_eq!(Quotes::read(&bytes[1..]), None);
            assert_eq!(Quotes::read(&[bytes, &[0; 64]].concat()), None);
            assert_eq!(quotes.push(level(100 - pair), level(101 + pair)), pair < 8);
        }
        let wanted: Vec<i64> = quotes.pairs().map(|(bid, _)| bid.price.0).collect();
        assert_eq!(wanted, (93..=100).rev().collect::<Vec<_>>());
        let lying = Target { pairs: 9, ..quotes.first };
        assert_eq!(Quotes::read(lying.as_bytes()), None);
        assert_eq!(Quotes::read(Target::default().as_bytes()), None, "no pair is no target");
    }
}
