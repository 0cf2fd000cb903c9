//! One instrument's order book by price (L2).
//!
//! Each side is a *ladder* (quantities in a flat window of ticks that follows the touch, with a bitmap of
//! the occupied ones) and, behind the window, a *far* store (sorted chunks in an arena). Three quarters of
//! what a venue sends falls within some thousand ticks of the touch and costs a store and a bit there;
//! the deep tail is kept exactly as well, without its prices deciding how much memory the book takes.
//!
//! ```text
//!              far: sorted chunks                    ladder: window_ticks slots
//!   worst ◀─[k k k k k][k k k k][k k k k k]─│─ q · q q · q · · q q q · q ▲ · · · · │ ─▶ better
//!           any distance                 window's end                  best  headroom
//! ```
//!
//! Invariants, between calls: every far level is worse than the whole window; the best level lies in the
//! window; ladder and far together hold at most the configured capacity.
//!
//! Cost of one level: O(1) in the window, O(log chunks + one chunk) in the far store. A level that moves the
//! window costs at most one look at every word of the bitmap (`window_ticks / 64`) and the levels moved
//! (2 to 4 ns each: 16,000 levels leave the window in 50 us, which takes a price far off the market).
//! Nothing allocates after `new`, and nothing panics: any `i64` is a legal price.

mod far;
mod half;
mod ladder;
mod state;

use crate::num::Level;
use std::fmt;

use half::Half;
pub use half::Levels;
pub use state::{Applied, BookState};

/// Memory of `len` times `value` with every page there: a page that is only promised would be paid for by the
/// message that first needs it.
fn taken<T: Copy>(value: T, len: usize) -> Box<[T]> {
    let mut memory = vec![value; len];
    for page in memory.chunks_mut((4096 / size_of::<T>()).max(1)) {
        if let Some(first) = page.first_mut() {
            *std::hint::black_box(first) = value;
        }
    }
    memory.into()
}

/// A side of the book. (Orders and aggressors have another: buy or sell.)
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum BookSide {
    /// Resting buy interest; the highest price is the best.
    Bid = 0,
    /// Resting sell interest; the lowest price is the best.
    Ask = 1,
}

impl BookSide {
    /// Bid, then ask: the order in which a delta is applied.
    pub const BOTH: [Self; 2] = [Self::Bid, Self::Ask];

    /// True when `price` is better than `other` on this side: higher for bids, lower for asks.
    #[inline]
    #[must_use]
    pub const fn is_better(self, price: i64, other: i64) -> bool {
        match self {
            Self::Bid => price > other,
            Self::Ask => price < other,
        }
    }
}

/// How much one book holds. Made by `BookConfig::new` only, so that a `Book` cannot be built out of range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BookConfig {
    window_ticks: usize,
    capacity_per_side: usize,
}

impl BookConfig {
    /// Smallest window, ticks.
    pub const WINDOW_TICKS_MIN: usize = 256;
    /// Largest window, ticks.
    pub const WINDOW_TICKS_MAX: usize = 1 << 18;
    /// Largest number of levels a side.
    pub const CAPACITY_MAX: usize = 1 << 24;

    /// `window_ticks`: width of each side's ladder, a power of two from 256 to 262,144.
    /// `capacity_per_side`: most levels a side holds, ladder and far store together, 1 to 16,777,216.
    ///
    /// Err: which of the two is out of its range.
    pub fn new(window_ticks: usize, capacity_per_side: usize) -> Result<Self, BookConfigError> {
        let window_fits = (Self::WINDOW_TICKS_MIN..=Self::WINDOW_TICKS_MAX).contains(&window_ticks);
        if !window_fits || !window_ticks.is_power_of_two() {
            Err(BookConfigError::WindowTicks(window_ticks))
        } else if !(1..=Self::CAPACITY_MAX).contains(&capacity_per_side) {
            Err(BookConfigError::CapacityPerSide(capacity_per_side))
        } else {
            Ok(Self { window_ticks, capacity_per_side })
        }
    }

    /// Width of each side's ladder, ticks.
    #[must_use]
    pub const fn window_ticks(self) -> usize {
        self.window_ticks
    }

    /// Most levels a side holds.
    #[must_use]
    pub const fn capacity_per_side(self) -> usize {
        self.capacity_per_side
    }
}

impl Default for BookConfig {
    /// 32,768 ticks and 16,384 levels a side. On the recorded spot market, with its fine tick, half the
    /// window costs 40 % more a level (more far levels); on futures any width from 16,384 does as well.
    fn default() -> Self {
        Self { window_ticks: 1 << 15, capacity_per_side: 1 << 14 }
    }
}

/// A book size that cannot be built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BookConfigError {
    /// Not a power of two, or out of 256..=262,144.
    WindowTicks(usize),
    /// Out of 1..=16,777,216.
    CapacityPerSide(usize),
}

impl fmt::Display for BookConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WindowTicks(value) => write!(
                f,
                "window_ticks = {value}: not a power of two from {} to {}",
                BookConfig::WINDOW_TICKS_MIN,
                BookConfig::WINDOW_TICKS_MAX
            ),
            Self::CapacityPerSide(value) => {
                write!(f, "capacity_per_side = {value}: not from 1 to {}", BookConfig::CAPACITY_MAX)
            }
        }
    }
}

impl std::error::Error for BookConfigError {}

/// The order book of one instrument.
///
/// It knows no venue: whoever feeds it has put the deltas in order. A negative quantity, which no decoder
/// lets through, counts as 0.
pub struct Book {
    sides: [Half; 2],
    config: BookConfig,
    beyond_snapshot: bool,
}

impl Book {
    /// An empty book. All memory it will ever use is allocated here; its pages become resident as they are
    /// first used, or at once in a process that locks its memory.
    #[must_use]
    pub fn new(config: BookConfig) -> Self {
        Self { sides: BookSide::BOTH.map(|side| Half::new(side, config)), config, beyond_snapshot: false }
    }

    /// The size it was built with.
    #[must_use]
    pub const fn config(&self) -> BookConfig {
        self.config
    }

    /// Forgets every level, what a snapshot covered, and the `truncated` and `beyond_snapshot` marks.
    pub fn clear(&mut self) {
        self.sides.iter_mut().for_each(Half::clear);
        self.beyond_snapshot = false;
    }

    /// Replaces the whole book. The range from the lowest bid to the highest ask counts as covered from here
    /// on; a side without levels is covered whole. Levels come in any order, the last of equal prices holds.
    pub fn load_snapshot(&mut self, bids: &[Level], asks: &[Level]) {
        self.clear();
        self.sides[0].load_snapshot(bids);
        self.sides[1].load_snapshot(asks);
    }

    /// Applies one whole delta: absolute quantities, 0 removes, removing an unknown level is normal. Levels
    /// come in any order, the last of equal prices holds. Bids go first.
    #[inline]
    pub fn apply(&mut self, bids: &[Level], asks: &[Level]) -> Applied {
        let [bid_side, ask_side] = &mut self.sides;
        let applied = Applied { touched: [bid_side.apply(bids), ask_side.apply(asks)] };
        self.beyond_snapshot |= bid_side.is_beyond_snapshot() | ask_side.is_beyond_snapshot();
        applied
    }

    /// Best level of a side. None: the side is empty.
    #[inline]
    #[must_use]
    pub fn best(&self, side: BookSide) -> Option<Level> {
        self.half(side).best()
    }

    /// Levels a side holds.
    #[inline]
    #[must_use]
    pub fn level_count(&self, side: BookSide) -> usize {
        self.half(side).len()
    }

    /// The side's levels from the best outwards.
    #[inline]
    #[must_use]
    pub fn levels(&self, side: BookSide) -> Levels<'_> {
        self.half(side).levels()
    }

    /// Copies the side's best levels into `out`, best first, and returns how many there were: less than
    /// `out.len()` only when the side has no more.
    #[inline]
    pub fn top(&self, side: BookSide, out: &mut [Level]) -> usize {
        let mut count = 0;
        for (slot, level) in out.iter_mut().zip(self.levels(side)) {
            *slot = level;
            count += 1;
        }
        count
    }

    /// Quantity resting at a price; 0 when there is no level.
    #[inline]
    #[must_use]
    pub fn quantity_at(&self, side: BookSide, price: i64) -> i64 {
        self.half(side).quantity_at(price)
    }

    /// Sum of the side's quantities. Walks the side: for taps, not for the hot path.
    #[must_use]
    pub fn qty_sum(&self, side: BookSide) -> i128 {
        self.levels(side).map(|level| i128::from(level.qty.0)).sum()
    }

    /// What holds of the book as a whole.
    #[inline]
    #[must_use]
    pub fn state(&self) -> BookState {
        let [bids, asks] = &self.sides;
        let touch = match (bids.best_price(), asks.best_price()) {
            (Some(bid), Some(ask)) if bid > ask => BookState::CROSSED,
            (Some(bid), Some(ask)) if bid == ask => BookState::LOCKED,
            _ => 0,
        };
        let when = |condition: bool, bit: u8| if condition { bit } else { 0 };
        BookState::from_parts(
            touch
                | when(bids.len() == 0, BookState::BIDS_EMPTY)
                | when(asks.len() == 0, BookState::ASKS_EMPTY)
                | when(bids.dropped() + asks.dropped() > 0, BookState::TRUNCATED)
                | when(self.beyond_snapshot, BookState::BEYOND_SNAPSHOT),
        )
    }

    /// Levels dropped since the last snapshot or `clear` because the side was full.
    #[must_use]
    pub fn dropped_levels(&self, side: BookSide) -> u64 {
        self.half(side).dropped()
    }

    /// How near to the touch dropping came: the best price dropped since the last snapshot or `clear`.
    /// Levels better than it are complete. None: nothing was dropped.
    #[must_use]
    pub fn truncated_at(&self, side: BookSide) -> Option<i64> {
        self.half(side).truncated_at()
    }

    /// The side's end of the range that the last snapshot covered: lowest bid or highest ask. None: no
    /// snapshot, or the side was empty in it.
    #[must_use]
    pub fn covered_to(&self, side: BookSide) -> Option<i64> {
        self.half(side).covered_to()
    }

    /// Bytes allocated by the book, itself included.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        size_of::<Self>() + self.sides.iter().map(Half::heap_bytes).sum::<usize>()
    }

    #[inline]
    fn half(&self, side: BookSide) -> &Half {
        let [bids, asks] = &self.sides;
        match side {
            BookSide::Bid => bids,
            BookSide::Ask => asks,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_out_of_range_are_refused_by_name_and_value() {
        for bad in [0, 128, 16_383, 1 << 19, usize::MAX] {
            assert_eq!(BookConfig::new(bad, 10), Err(BookConfigError::WindowTicks(bad)));
        }
        for bad in [0, (1 << 24) + 1, usize::MAX] {
            assert_eq!(BookConfig::new(256, bad), Err(BookConfigError::CapacityPerSide(bad)));
        }
        assert_eq!(
            BookConfigError::WindowTicks(100).to_string(),
            "window_ticks = 100: not a power of two from 256 to 262144"
        );
        assert_eq!(BookConfig::new(1 << 15, 1 << 14), Ok(BookConfig::default()));
    }

    #[test]
    fn better_is_higher_for_bids_and_lower_for_asks() {
        assert!(BookSide::Bid.is_better(2, 1) && !BookSide::Bid.is_better(1, 1));
        assert!(BookSide::Ask.is_better(1, 2) && !BookSide::Ask.is_better(1, 1));
    }
}
