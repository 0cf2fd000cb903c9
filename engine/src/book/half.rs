//! One side of a book. Prices become *keys* that grow towards the other side (a bid's price, an ask's
//! complement), so both sides run the same code and the best key is the largest.

use super::far::{self, Far};
use super::ladder::{self, Ladder};
use super::{BookConfig, BookSide};
use crate::num::{Level, Price, Qty};

pub(super) struct Half {
    /// The best key; while a delta is being applied an upper bound of it. Means nothing while empty.
    best: i64,
    /// `price ^ flip` is the key: 0 for bids, all ones for asks.
    flip: i64,
    capacity: usize,
    ladder: Ladder,
    far: Far,
    dropped: u64,
    /// Best key dropped, if `dropped` is not 0.
    dropped_best: i64,
    /// Worst key of the last snapshot.
    covered: Option<i64>,
}

impl Half {
    pub(super) fn new(side: BookSide, config: BookConfig) -> Self {
        Self {
            best: i64::MIN,
            flip: match side {
                BookSide::Bid => 0,
                BookSide::Ask => -1,
            },
            capacity: config.capacity_per_side,
            ladder: Ladder::new(config.window_ticks),
            far: Far::new(config.capacity_per_side),
            dropped: 0,
            dropped_best: i64::MIN,
            covered: None,
        }
    }

    pub(super) fn clear(&mut self) {
        self.best = i64::MIN;
        self.ladder.clear();
        self.far.clear();
        self.dropped = 0;
        self.covered = None;
    }

    /// Fills the cleared side.
    pub(super) fn load_snapshot(&mut self, levels: &[Level]) {
        self.apply(levels);
        self.covered = self.keys_with_quantity(levels).min();
    }

    /// Applies the side's part of a delta. Returns the best price whose quantity changed.
    pub(super) fn apply(&mut self, levels: &[Level]) -> Option<i64> {
        if self.len() == 0
            && let Some(best) = self.keys_with_quantity(levels).max()
        {
            self.ladder.move_to(self.base_for(best), |_, _| {});
        }
        let touched = if self.len() + levels.len() <= self.capacity {
            self.apply_all::<false>(levels)
        } else {
            self.apply_all::<true>(levels)
        };
        self.settle();
        touched.map(|key| key ^ self.flip)
    }

    /// `MAY_FILL`: the side may reach its capacity on the way, so each new level has to ask for room.
    #[inline]
    fn apply_all<const MAY_FILL: bool>(&mut self, levels: &[Level]) -> Option<i64> {
        let mut touched = i64::MIN;
        let mut changed = 0;
        for level in levels {
            let key = level.price.0 ^ self.flip;
            let qty = level.qty.0.max(0);
            if MAY_FILL && qty > 0 && self.len() == self.capacity && !self.make_room(key) {
                continue;
            }
            let old = if self.ladder.covers(key) {
                self.ladder.replace(key, qty)
            } else {
                self.replace_outside(key, qty)
            };
            self.best = self.best.max(if qty == 0 { i64::MIN } else { key });
            touched = touched.max(if old == qty { i64::MIN } else { key });
            changed |= old ^ qty;
        }
        (changed != 0).then_some(touched)
    }

    /// A level outside the window. One better than the window moves it.
    #[inline(never)]
    fn replace_outside(&mut self, key: i64, qty: i64) -> i64 {
        if key < self.ladder.base() {
            return self.far.replace(key, qty);
        }
        if qty == 0 {
            return 0;
        }
        let base = self.base_for(key);
        let far = &mut self.far;
        self.ladder.move_to(base, |key, qty| far.push_best(key, qty));
        self.ladder.replace(key, qty)
    }

    /// On a full side: makes room for a level at `key` by dropping the worst one. False when `key` is itself
    /// the worst, and is dropped. A level that is already there needs no room.
    #[cold]
    fn make_room(&mut self, key: i64) -> bool {
        if self.quantity(key) != 0 {
            return true;
        }
        let worst = match self.far.worst() {
            Some(worst) => worst,
            None => self.ladder.worst().unwrap_or(i64::MIN),
        };
        let dropped = worst.min(key);
        self.dropped_best = if self.dropped == 0 { dropped } else { self.dropped_best.max(dropped) };
        self.dropped += 1;
        if key < worst {
            return false;
        }
        if self.far.len() > 0 {
            self.far.drop_worst();
        } else {
            self.ladder.replace(worst, 0);
        }
        true
    }

    /// After a delta: finds the best level again, and follows it with the window when it has gone too far
    /// down to leave a deep enough one.
    #[inline]
    fn settle(&mut self) {
        if self.ladder.len() > 0 {
            // Some ladder key is at most `best`, and none above it is occupied.
            self.best = self.ladder.best_from(self.best).unwrap_or(self.best);
            if self.ladder.offset(self.best) >= self.lowest_offset() {
                return;
            }
        } else {
            match self.far.best() {
                Some(best) => self.best = best,
                None => {
                    self.best = i64::MIN;
                    return;
                }
            }
        }
        self.follow_down();
    }

    #[inline(never)]
    fn follow_down(&mut self) {
        let base = self.base_for(self.best);
        self.ladder.move_to(base, |_, _| {});
        let ladder = &mut self.ladder;
        self.far.drain_best(base, |key, qty| {
            ladder.replace(key, qty);
        });
    }

    /// The window's base when `best` is the best level: an eighth of the window is headroom over it. Near the
    /// ends of the range the window stays inside.
    fn base_for(&self, best: i64) -> i64 {
        let window = self.ladder.window().cast_signed();
        let lowest = best.saturating_sub(window / 8 * 7);
        ((lowest + 63) & !63).min(i64::MAX - (window - 1))
    }

    /// Under this offset of the best level the window moves down: a quarter of it under where it was put.
    #[inline]
    fn lowest_offset(&self) -> u64 {
        self.ladder.window() / 8 * 5
    }

    fn keys_with_quantity(&self, levels: &[Level]) -> impl Iterator<Item = i64> {
        levels.iter().filter(|level| level.qty.0 > 0).map(|level| level.price.0 ^ self.flip)
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        self.ladder.len() + self.far.len()
    }

    #[inline]
    pub(super) fn best_price(&self) -> Option<i64> {
        (self.ladder.len() > 0).then_some(self.best ^ self.flip)
    }

    #[inline]
    pub(super) fn best(&self) -> Option<Level> {
        self.best_price()
            .map(|price| Level { price: Price(price), qty: Qty(self.ladder.quantity(self.best)) })
    }

    pub(super) fn quantity_at(&self, price: i64) -> i64 {
        self.quantity(price ^ self.flip)
    }

    fn quantity(&self, key: i64) -> i64 {
        if self.ladder.covers(key) { self.ladder.quantity(key) } else { self.far.quantity(key) }
    }

    #[inline]
    pub(super) fn levels(&self) -> Levels<'_> {
        let start = if self.ladder.len() > 0 { self.best } else { self.ladder.base() };
        Levels { half: self, ladder: self.ladder.cursor(start), far: self.far.cursor() }
    }

    #[inline]
    pub(super) fn is_beyond_snapshot(&self) -> bool {
        self.covered.is_some_and(|covered| self.ladder.len() > 0 && self.best < covered)
    }

    pub(super) fn covered_to(&self) -> Option<i64> {
        self.covered.map(|key| key ^ self.flip)
    }

    #[inline]
    pub(super) fn dropped(&self) -> u64 {
        self.dropped
    }

    pub(super) fn truncated_at(&self) -> Option<i64> {
        (self.dropped > 0).then_some(self.dropped_best ^ self.flip)
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.ladder.heap_bytes() + self.far.heap_bytes()
    }
}

/// A side's levels from the best outwards. Made by `Book::levels`.
#[derive(Clone)]
pub struct Levels<'book> {
    half: &'book Half,
    ladder: ladder::Cursor,
    far: far::Cursor,
}

impl Iterator for Levels<'_> {
    type Item = Level;

    #[inline]
    fn next(&mut self) -> Option<Level> {
        let (key, qty) = match self.ladder.next(&self.half.ladder) {
            Some(level) => level,
            None => self.far.next(&self.half.far)?,
        };
        Some(Level { price: Price(key ^ self.half.flip), qty: Qty(qty) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The touch walks over many windows; both ways it must have a deep window behind it, or what is frequent
    /// becomes slow without becoming wrong.
    #[test]
    fn the_window_follows_the_touch_both_ways() {
        let config = BookConfig::new(1_024, 4_096).unwrap();
        for side in BookSide::BOTH {
            let mut half = Half::new(side, config);
            let mut best = 600_000_i64;
            half.apply(&[Level { price: Price(best ^ half.flip), qty: Qty(1) }]);
            for (step, turns) in [(3, 900), (-3, 1_800), (400, 20), (-400, 30), (5_000, 3), (-5_000, 3)] {
                for _ in 0..turns {
                    best += step;
                    let depth = (0..900).step_by(50).map(|ticks| best - ticks);
                    let mut levels: Vec<Level> =
                        depth.map(|key| Level { price: Price(key ^ half.flip), qty: Qty(key) }).collect();
                    let above = half.levels().filter(|level| level.price.0 ^ half.flip > best);
                    levels.extend(above.map(|level| Level { qty: Qty(0), ..level }));
                    half.apply(&levels);
                    assert_eq!(half.best_price(), Some(best ^ half.flip));
                    let offset = half.ladder.offset(best);
                    assert!((640..1_024).contains(&offset), "{side:?}: the best lies at {offset}");
                    assert!(half.far.best().is_none_or(|far| far < half.ladder.base()));
                }
            }
        }
    }
}
