//! The book that is right because it is simple: the truth that the fast one is compared with.

use std::collections::BTreeMap;

use engine::book::{Book, BookSide};
use engine::num::{Level, Price, Qty};

/// One side, keyed so that the best level is the last.
#[derive(Default)]
struct NaiveSide {
    levels: BTreeMap<i64, i64>,
    dropped: u64,
    dropped_best: Option<i64>,
    covered: Option<i64>,
}

pub(crate) struct NaiveBook {
    capacity: usize,
    sides: [NaiveSide; 2],
    beyond_snapshot: bool,
}

impl NaiveBook {
    pub(crate) fn new(capacity: usize) -> Self {
        Self { capacity, sides: Default::default(), beyond_snapshot: false }
    }

    pub(crate) fn load_snapshot(&mut self, bids: &[Level], asks: &[Level]) {
        *self = Self::new(self.capacity);
        for (side, levels) in BookSide::BOTH.into_iter().zip([bids, asks]) {
            for &level in levels {
                self.set(side, level);
            }
            let prices = levels.iter().filter(|level| level.qty.0 > 0).map(|level| key(side, level.price.0));
            self.sides[side as usize].covered = prices.min();
        }
    }

    /// Returns the best price that changed, bid and ask.
    pub(crate) fn apply(&mut self, bids: &[Level], asks: &[Level]) -> [Option<i64>; 2] {
        let touched = [BookSide::Bid, BookSide::Ask].map(|side| {
            let levels = if side == BookSide::Bid { bids } else { asks };
            let changed = levels.iter().filter(|&&level| self.set(side, level));
            changed.map(|level| key(side, level.price.0)).max().map(|best| key(side, best))
        });
        self.beyond_snapshot |= self.sides.iter().any(|side| {
            let best = side.levels.last_key_value().map(|(&key, _)| key);
            best.zip(side.covered).is_some_and(|(best, covered)| best < covered)
        });
        touched
    }

    /// True when the level's quantity changed.
    fn set(&mut self, side: BookSide, level: Level) -> bool {
        let half = &mut self.sides[side as usize];
        let key = key(side, level.price.0);
        let before = half.levels.get(&key).copied();
        if level.qty.0 <= 0 {
            half.levels.remove(&key);
        } else {
            half.levels.insert(key, level.qty.0);
        }
        if half.levels.len() > self.capacity {
            let (worst, _) = half.levels.pop_first().unwrap();
            half.dropped += 1;
            half.dropped_best = half.dropped_best.max(Some(worst));
        }
        before != half.levels.get(&key).copied()
    }

    pub(crate) fn levels(&self, side: BookSide) -> impl Iterator<Item = Level> {
        let levels = self.sides[side as usize].levels.iter().rev();
        levels.map(move |(&held, &qty)| Level { price: Price(key(side, held)), qty: Qty(qty) })
    }

    pub(crate) fn best(&self, side: BookSide) -> Option<Level> {
        self.levels(side).next()
    }

    /// Everything that both books can say, side by side.
    pub(crate) fn assert_same(&self, book: &Book) {
        self.assert_same_touch(book);
        for side in BookSide::BOTH {
            let half = &self.sides[side as usize];
            assert_eq!(book.level_count(side), half.levels.len(), "{side:?} levels held");
            assert!(book.levels(side).eq(self.levels(side)), "{side:?} levels");
            let sum: i128 = half.levels.values().map(|&qty| i128::from(qty)).sum();
            assert_eq!(book.qty_sum(side), sum, "{side:?} sum");
            let mut top = [Level::default(); 10];
            let count = book.top(side, &mut top);
            assert!(top[..count].iter().copied().eq(self.levels(side).take(10)), "{side:?} top");
            assert_eq!(book.dropped_levels(side), half.dropped, "{side:?} dropped");
            assert_eq!(book.truncated_at(side), half.dropped_best.map(|best| key(side, best)), "{side:?}");
            assert_eq!(book.covered_to(side), half.covered.map(|end| key(side, end)), "{side:?} covered");
        }
        let state = book.state();
        assert_eq!(state.is_truncated(), self.sides.iter().any(|side| side.dropped > 0));
        assert_eq!(state.is_beyond_snapshot(), self.beyond_snapshot);
    }

    /// Best levels and what follows from them.
    pub(crate) fn assert_same_touch(&self, book: &Book) {
        let [bid, ask] = BookSide::BOTH.map(|side| {
            let best = self.best(side);
            assert_eq!(book.best(side), best, "best {side:?}");
            best
        });
        let state = book.state();
        assert_eq!((state.bids_empty(), state.asks_empty()), (bid.is_none(), ask.is_none()));
        let touch = bid.zip(ask).map(|(bid, ask)| (bid.price.0, ask.price.0));
        assert_eq!(state.is_crossed(), touch.is_some_and(|(bid, ask)| bid > ask));
        assert_eq!(state.is_locked(), touch.is_some_and(|(bid, ask)| bid == ask));
    }
}

/// Larger is better; its own inverse.
fn key(side: BookSide, price: i64) -> i64 {
    match side {
        BookSide::Bid => price,
        BookSide::Ask => !price,
    }
}
