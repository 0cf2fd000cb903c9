//! The paper exchange's own book of one instrument: the engine's book, the touch as a matching engine would keep
//! it, and what our own orders have taken from it.
//!
//! Quantities of a level come one side after the other, so that for a moment one side may stand at or through
//! the other. The newer side is believed: the other's best is pushed back to its next level behind, while the
//! levels stay stored (as hftbacktest does). A level that one of our orders has taken from is worth that much
//! less until the market shows it anew.

use engine::book::{Book, BookConfig, BookSide};
use engine::num::{Level, Price, Qty};

/// Levels that our orders have taken from and that were not shown anew.
const TAKEN_MAX: usize = 64;

/// One instrument's book.
pub struct Depth {
    book: Book,
    /// Best price of bids and asks.
    best: [Option<i64>; 2],
    /// Some stored level stands before its side's best.
    is_pushed: bool,
    taken: Vec<Taken>,
}

#[derive(Clone, Copy)]
struct Taken {
    side: BookSide,
    price: i64,
    qty: i64,
}

impl Depth {
    /// An empty book. All memory is taken here.
    #[must_use]
    pub fn new(config: BookConfig) -> Self {
        Self {
            book: Book::new(config),
            best: [None; 2],
            is_pushed: false,
            taken: Vec::with_capacity(TAKEN_MAX),
        }
    }

    /// Best price of a side. None: it is empty.
    #[inline]
    #[must_use]
    pub fn best(&self, side: BookSide) -> Option<Price> {
        self.best[side as usize].map(Price)
    }

    /// Quantity shown at a price, quantity units.
    #[inline]
    #[must_use]
    pub fn shown(&self, side: BookSide, price: Price) -> Qty {
        Qty(self.book.quantity_at(side, price.0))
    }

    /// Replaces the whole book.
    pub fn load_snapshot(&mut self, bids: &[Level], asks: &[Level]) {
        self.book.load_snapshot(bids, asks);
        self.taken.clear();
        self.settle_best();
    }

    /// Applies changed levels, bids first; a side pushes the other's best back where it reaches it.
    #[inline]
    pub fn apply(&mut self, bids: &[Level], asks: &[Level]) {
        if !self.taken.is_empty() {
            let shown_anew = |taken: &Taken| match taken.side {
                BookSide::Bid => bids.iter().any(|level| level.price.0 == taken.price),
                BookSide::Ask => asks.iter().any(|level| level.price.0 == taken.price),
            };
            self.taken.retain(|taken| !shown_anew(taken));
        }
        // A single level, and everything while a side is pushed back, goes step by step.
        if self.is_pushed || bids.len() + asks.len() == 1 {
            bids.iter().for_each(|level| self.step(BookSide::Bid, *level));
            asks.iter().for_each(|level| self.step(BookSide::Ask, *level));
            self.is_pushed = self.is_pushed && !self.is_whole();
            return;
        }
        self.book.apply(bids, asks);
        self.settle_best();
        if let [Some(bid), Some(ask)] = self.best
            && bid >= ask
        {
            // The side that came last is the newer one.
            if asks.is_empty() {
                self.push_back(BookSide::Ask, bid);
            } else {
                self.push_back(BookSide::Bid, ask);
            }
        }
    }

    /// Forgets every level of `side` from the best to `price`.
    pub fn clear_to(&mut self, side: BookSide, price: Price) {
        loop {
            let best = self.book.best(side).filter(|best| !side.is_better(price.0, best.price.0));
            let Some(best) = best else { break };
            let gone = [Level { qty: Qty(0), ..best }];
            match side {
                BookSide::Bid => self.book.apply(&gone, &[]),
                BookSide::Ask => self.book.apply(&[], &gone),
            };
        }
        self.best[side as usize] = self.book.best(side).map(|best| best.price.0);
    }

    /// The next price that an order of the other kind can take from, from the best outwards and not beyond
    /// `limit`, with what is left there. None: there is nothing.
    pub fn takeable(&self, side: BookSide, limit: Option<Price>) -> Option<Level> {
        if self.taken.len() == TAKEN_MAX {
            return None; // what was taken could not be remembered
        }
        let best = self.best[side as usize]?;
        let levels = self.book.levels(side).skip_while(|level| side.is_better(level.price.0, best));
        let within =
            levels.take_while(|level| limit.is_none_or(|limit| !side.is_better(limit.0, level.price.0)));
        within
            .map(|level| Level { qty: Qty(level.qty.0 - self.taken_at(side, level.price.0)), ..level })
            .find(|level| level.qty.0 > 0)
    }

    /// What an order of the other kind could take up to its limit, no more than `enough`.
    #[must_use]
    pub fn takeable_sum(&self, side: BookSide, limit: Option<Price>, enough: Qty) -> Qty {
        let Some(best) = self.best[side as usize].filter(|_| self.taken.len() < TAKEN_MAX) else {
            return Qty(0);
        };
        let mut sum = 0_i64;
        for level in self.book.levels(side) {
            let is_before = side.is_better(level.price.0, best);
            let is_beyond = limit.is_some_and(|limit| side.is_better(limit.0, level.price.0));
            if is_beyond || sum >= enough.0 {
                break;
            }
            if !is_before {
                sum = sum.saturating_add((level.qty.0 - self.taken_at(side, level.price.0)).max(0));
            }
        }
        Qty(sum.min(enough.0))
    }

    /// One of our orders took this from a level of [`Self::takeable`].
    pub fn take(&mut self, side: BookSide, taken: Level) {
        let same = |known: &&mut Taken| known.side == side && known.price == taken.price.0;
        if let Some(known) = self.taken.iter_mut().find(same) {
            known.qty += taken.qty.0;
        } else if self.taken.len() < TAKEN_MAX {
            self.taken.push(Taken { side, price: taken.price.0, qty: taken.qty.0 });
        }
    }

    fn taken_at(&self, side: BookSide, price: i64) -> i64 {
        self.taken.iter().find(|t| t.side == side && t.price == price).map_or(0, |taken| taken.qty)
    }

    /// One level changes.
    fn step(&mut self, side: BookSide, level: Level) {
        match side {
            BookSide::Bid => self.book.apply(&[level], &[]),
            BookSide::Ask => self.book.apply(&[], &[level]),
        };
        let (price, best) = (level.price.0, self.best[side as usize]);
        if level.qty.0 <= 0 {
            if best == Some(price) {
                self.best[side as usize] = self.behind(side, price);
            }
        } else if best.is_none_or(|best| side.is_better(price, best)) {
            self.best[side as usize] = Some(price);
            if self.reaches(side, price) {
                let other = match side {
                    BookSide::Bid => BookSide::Ask,
                    BookSide::Ask => BookSide::Bid,
                };
                self.push_back(other, price);
            }
        }
    }

    fn reaches(&self, side: BookSide, price: i64) -> bool {
        match side {
            BookSide::Bid => self.best[BookSide::Ask as usize].is_some_and(|ask| price >= ask),
            BookSide::Ask => self.best[BookSide::Bid as usize].is_some_and(|bid| price <= bid),
        }
    }

    fn push_back(&mut self, side: BookSide, from: i64) {
        self.best[side as usize] = self.behind(side, from);
        self.is_pushed = true;
    }

    /// The side's best stored level behind `price`.
    fn behind(&self, side: BookSide, price: i64) -> Option<i64> {
        self.book.levels(side).map(|level| level.price.0).find(|level| side.is_better(price, *level))
    }

    fn settle_best(&mut self) {
        self.best = BookSide::BOTH.map(|side| self.book.best(side).map(|best| best.price.0));
        self.is_pushed = false;
    }

    fn is_whole(&self) -> bool {
        BookSide::BOTH
            .iter()
            .all(|side| self.best[*side as usize] == self.book.best(*side).map(|best| best.price.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn level(price: i64, qty: i64) -> Level {
        Level { price: Price(price), qty: Qty(qty) }
    }

    fn depth() -> Depth {
        Depth::new(BookConfig::new(256, 1024).unwrap())
    }

    fn touch(depth: &Depth) -> (Option<i64>, Option<i64>) {
        (depth.best(BookSide::Bid).map(|price| price.0), depth.best(BookSide::Ask).map(|price| price.0))
    }

    #[test]
    fn a_side_that_reaches_the_other_pushes_its_best_back_to_the_next_level() {
        let mut depth = depth();
        depth.load_snapshot(&[level(99, 1)], &[level(100, 1), level(102, 1)]);
        depth.apply(&[level(101, 5)], &[]);
        assert_eq!(touch(&depth), (Some(101), Some(102)));
        assert_eq!(depth.shown(BookSide::Ask, Price(100)), Qty(1), "it stays stored");
        depth.apply(&[], &[level(100, 0)]);
        assert_eq!(touch(&depth), (Some(101), Some(102)));
        depth.apply(&[], &[level(98, 2)]);
        assert_eq!(touch(&depth), (None, Some(98)), "nothing is left behind it");
        depth.apply(&[level(97, 1)], &[]);
        assert_eq!(touch(&depth), (Some(97), Some(98)));
    }

    #[test]
    fn what_was_taken_is_not_there_a_second_time_until_it_is_shown_anew() {
        let mut depth = depth();
        depth.load_snapshot(&[level(99, 1)], &[level(100, 3), level(101, 4)]);
        let next = |depth: &Depth, limit| depth.takeable(BookSide::Ask, Some(Price(limit)));
        assert_eq!(next(&depth, 99), None);
        depth.take(BookSide::Ask, level(100, 1));
        assert_eq!(next(&depth, 101), Some(level(100, 2)));
        depth.take(BookSide::Ask, level(100, 2));
        assert_eq!(next(&depth, 101), Some(level(101, 4)));
        assert_eq!(next(&depth, 100), None);
        depth.apply(&[level(98, 1)], &[level(103, 1)]);
        assert_eq!(next(&depth, 100), None, "other levels say nothing of it");
        depth.apply(&[], &[level(100, 3)]);
        assert_eq!(next(&depth, 101), Some(level(100, 3)));
    }

    proptest! {
        /// Level by level, the touch is what hftbacktest's map of levels says: both bests are kept, moved and
        /// pushed as its `HashMapMarketDepth` does.
        #[test]
        fn single_levels_move_the_touch_as_the_rule_says(steps in proptest::collection::vec((any::<bool>(), 1_i64..40, 0_i64..3), 1..200)) {
            let (mut depth, mut stored, mut best) = (depth(), [BTreeMap::new(), BTreeMap::new()], [None, None]);
            for (is_bid, price, qty) in steps {
                let (side, own, other) = if is_bid { (1, 0, 1) } else { (-1, 1, 0) };
                // Prices of asks negated: on both sides the best is the highest.
                stored[own].insert(side * price, qty);
                let next = |levels: &BTreeMap<i64, i64>, below: i64| {
                    levels.range(..below).rev().find(|(_, qty)| **qty > 0).map(|(price, _)| *price)
                };
                if qty == 0 {
                    if best[own] == Some(side * price) {
                        best[own] = next(&stored[own], side * price);
                    }
                } else if best[own].is_none_or(|best| side * price > best) {
                    best[own] = Some(side * price);
                    if best[other].is_some_and(|best| price * side >= -best) {
                        best[other] = next(&stored[other], -side * price);
                    }
                }
                let one = [level(price, qty)];
                if is_bid { depth.apply(&one, &[]) } else { depth.apply(&[], &one) }
                prop_assert_eq!(touch(&depth), (best[0], best[1].map(|price: i64| -price)));
            }
        }
    }
}
