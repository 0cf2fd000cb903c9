//! One side of the generated market's own book: anonymous quantities by price, in a fixed window of ticks.
//! Apart from the engine's book on purpose: the tests compare the two.

use engine::book::BookSide;

/// Ticks that the market can move in; the start is in the middle.
pub(super) const WINDOW_TICKS: usize = 1 << 14;
/// Changed prices that a side keeps before they have to be told.
pub(super) const CHANGES_MAX: usize = 2_048;

/// Quantities of one side by tick of the window.
#[derive(Debug)]
pub(super) struct Resting {
    side: BookSide,
    qty: Box<[i64]>,
    best: usize,
    count: usize,
    /// Ticks changed since they were told last, each once; `is_changed` says which.
    changed: Vec<usize>,
    is_changed: Box<[bool]>,
}

impl Resting {
    /// A side that holds nothing. The first `set` must put something there.
    pub(super) fn new(side: BookSide) -> Self {
        let best = match side {
            BookSide::Bid => 0,
            BookSide::Ask => WINDOW_TICKS - 1,
        };
        Self {
            side,
            qty: vec![0; WINDOW_TICKS].into(),
            best,
            count: 0,
            changed: Vec::with_capacity(CHANGES_MAX),
            is_changed: vec![false; WINDOW_TICKS].into(),
        }
    }

    /// The best tick.
    pub(super) const fn best(&self) -> usize {
        self.best
    }

    /// Levels that hold something.
    pub(super) const fn count(&self) -> usize {
        self.count
    }

    /// The quantity at a tick; zero: none, or outside the window.
    pub(super) fn at(&self, tick: usize) -> i64 {
        self.qty.get(tick).copied().unwrap_or(0)
    }

    /// The tick `distance` away from the other side. None: outside the window.
    pub(super) fn away(&self, tick: usize, distance: usize) -> Option<usize> {
        match self.side {
            BookSide::Bid => tick.checked_sub(distance),
            BookSide::Ask => tick.checked_add(distance).filter(|tick| *tick < WINDOW_TICKS),
        }
    }

    /// The levels from the best one outwards.
    pub(super) fn levels(&self) -> impl Iterator<Item = (usize, i64)> {
        let ticks = (0..WINDOW_TICKS).map_while(|distance| self.away(self.best, distance));
        ticks.map(|tick| (tick, self.at(tick))).filter(|(_, qty)| *qty > 0).take(self.count)
    }

    /// Changes the quantity at a tick of the window. The last level stays: a side is never empty.
    pub(super) fn set(&mut self, tick: usize, qty: i64) {
        let Some(old) = self.qty.get(tick).copied() else { return };
        if old == qty || (qty == 0 && self.count == 1) {
            return;
        }
        self.qty[tick] = qty;
        if !self.is_changed[tick] {
            self.is_changed[tick] = true;
            self.changed.push(tick);
        }
        match (old, qty) {
            (0, _) => {
                let better = match self.side {
                    BookSide::Bid => tick > self.best,
                    BookSide::Ask => tick < self.best,
                };
                if better || self.count == 0 {
                    self.best = tick;
                }
                self.count += 1;
            }
            (_, 0) => {
                self.count -= 1;
                let next = self.levels().next();
                self.best = next.map_or(self.best, |(best, _)| best);
            }
            _ => {}
        }
    }

    /// Whether little room is left for changes.
    pub(super) const fn is_nearly_full(&self) -> bool {
        self.changed.len() > CHANGES_MAX / 2
    }

    /// Whether something changed since it was told.
    pub(super) const fn is_changed(&self) -> bool {
        !self.changed.is_empty()
    }

    /// What changed, by rising price, as the venue lists it.
    pub(super) fn changes(&mut self) -> impl Iterator<Item = (usize, i64)> {
        self.changed.sort_unstable();
        self.changed.iter().map(|tick| (*tick, self.qty[*tick]))
    }

    /// All changes were told.
    pub(super) fn told(&mut self) {
        for tick in self.changed.drain(..) {
            self.is_changed[tick] = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_follows_what_is_set_and_taken_away() {
        for (side, ticks) in [(BookSide::Bid, [90, 100, 95]), (BookSide::Ask, [110, 100, 105])] {
            let mut resting = Resting::new(side);
            for (tick, best) in ticks.into_iter().zip([ticks[0], 100, 100]) {
                resting.set(tick, 7);
                assert_eq!(resting.best(), best);
            }
            assert_eq!(resting.levels().map(|(tick, _)| tick).collect::<Vec<_>>(), [100, ticks[2], ticks[0]]);
            resting.set(100, 0);
            assert_eq!((resting.best(), resting.count(), resting.at(100)), (ticks[2], 2, 0));
            resting.set(ticks[2], 3);
            resting.set(ticks[2], 0);
            resting.set(ticks[0], 0); // the last one stays
            assert_eq!((resting.best(), resting.count(), resting.at(ticks[0])), (ticks[0], 1, 7));
        }
    }

    #[test]
    fn a_change_is_told_once_and_by_rising_price() {
        let mut resting = Resting::new(BookSide::Bid);
        for (tick, qty) in [(90, 1), (100, 2), (95, 3), (90, 4), (100, 0)] {
            resting.set(tick, qty);
        }
        resting.set(WINDOW_TICKS, 1); // nowhere
        assert_eq!(resting.changes().collect::<Vec<_>>(), [(90, 4), (95, 3), (100, 0)]);
        resting.told();
        assert!(!resting.is_changed() && resting.changes().next().is_none());
        resting.set(90, 4); // no change
        assert!(!resting.is_changed());
    }
}
