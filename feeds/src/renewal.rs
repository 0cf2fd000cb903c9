//! A snapshot and the updates that came while it was on its way, as one snapshot at the stream's position: a live book
//! is renewed in one step, so that nobody behind the feed stage sees an older market in between.

use crate::codec::LEVELS_MAX;
use engine::message::{Cell, Depth, LEVELS_PER_CELL, levels_of};
use engine::num::Level;
use zerocopy::{FromBytes, IntoBytes};

/// Room for one snapshot, used for all instruments.
pub struct Merger {
    /// Bids and asks, best first.
    sides: [Vec<Level>; 2],
    /// Prices of the farthest levels of the snapshot: beyond them it knows nothing. Of an empty side it knows all.
    edges: [i64; 2],
    depth: Depth,
    cells: Box<[Cell]>,
}

impl Merger {
    /// Takes the memory: none where books are never renewed.
    #[must_use]
    pub fn new(is_needed: bool) -> Self {
        let (levels, cells) = if is_needed { (LEVELS_MAX, 1 + LEVELS_MAX / LEVELS_PER_CELL) } else { (0, 0) };
        Self {
            sides: [Vec::with_capacity(levels), Vec::with_capacity(levels)],
            edges: [0; 2],
            depth: Depth::default(),
            cells: vec![Cell::default(); cells].into_boxed_slice(),
        }
    }

    /// Whether books are renewed.
    #[inline]
    #[must_use]
    pub const fn is_needed(&self) -> bool {
        !self.cells.is_empty()
    }

    /// Begins with a snapshot's body, levels best first as venues send them. False: it does not fit.
    pub fn begin(&mut self, depth: &Depth, body: &[Cell]) -> bool {
        self.depth = *depth;
        let (bids, asks) = split(depth, body);
        let beyond_all = [i64::MIN, i64::MAX];
        for (((side, edge), levels), none) in
            self.sides.iter_mut().zip(&mut self.edges).zip([bids, asks]).zip(beyond_all)
        {
            if levels.len() > side.capacity() {
                return false;
            }
            side.clear();
            side.extend_from_slice(levels);
            *edge = levels.last().map_or(none, |level| level.price.0);
        }
        true
    }

    /// Applies an update's body. Levels beyond the snapshot's range are left out: what lies between is not known.
    pub fn apply(&mut self, update: &Depth, body: &[Cell]) {
        self.depth.last_id = update.last_id;
        let [bids, asks] = &mut self.sides;
        let (new_bids, new_asks) = split(update, body);
        for level in new_bids.iter().filter(|level| level.price.0 >= self.edges[0]) {
            set(bids, *level, |one| one.price.0 > level.price.0);
        }
        for level in new_asks.iter().filter(|level| level.price.0 <= self.edges[1]) {
            set(asks, *level, |one| one.price.0 < level.price.0);
        }
    }

    /// The whole as a message body. None: more levels than a message has.
    pub fn finish(&mut self) -> Option<(Depth, &[Cell])> {
        let [bids, asks] = &self.sides;
        if bids.len() + asks.len() > LEVELS_MAX {
            return None;
        }
        self.depth.bid_count = u32::try_from(bids.len()).ok()?;
        self.depth.ask_count = u32::try_from(asks.len()).ok()?;
        let cells = self.depth.body_cells();
        *self.cells.first_mut()? = zerocopy::transmute!(self.depth);
        let room = self.cells.get_mut(1..cells)?;
        let room = <[Level]>::mut_from_bytes(room.as_mut_bytes()).ok()?;
        room.get_mut(..bids.len())?.copy_from_slice(bids);
        room.get_mut(bids.len()..bids.len() + asks.len())?.copy_from_slice(asks);
        room.get_mut(bids.len() + asks.len()..)?.fill(Level::default());
        Some((self.depth, self.cells.get(..cells)?))
    }
}

/// Sets a level's quantity among levels sorted by `comes_before`; zero takes it away.
fn set(side: &mut Vec<Level>, level: Level, comes_before: impl Fn(&Level) -> bool) {
    let at = side.partition_point(comes_before);
    let is_there = side.get(at).is_some_and(|one| one.price == level.price);
    match (is_there, level.qty.0 == 0) {
        (true, true) => {
            side.remove(at);
        }
        (true, false) => side[at] = level,
        (false, true) => {}
        // Full: the farthest goes.
        (false, false) if at < side.capacity() => {
            side.truncate(side.capacity() - 1);
            side.insert(at, level);
        }
        (false, false) => {}
    }
}

fn split<'a>(depth: &Depth, body: &'a [Cell]) -> (&'a [Level], &'a [Level]) {
    let levels = levels_of(body.get(1..).unwrap_or_default());
    let (bids, asks) = (depth.bid_count as usize, depth.ask_count as usize);
    match (levels.get(..bids), levels.get(bids..bids + asks)) {
        (Some(bids), Some(asks)) => (bids, asks),
        _ => (&[], &[]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::num::{Price, Qty};
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn body(id: u64, bids: &[(i64, i64)], asks: &[(i64, i64)]) -> (Depth, Vec<Cell>) {
        let count = |side: &[(i64, i64)]| u32::try_from(side.len()).unwrap();
        let depth = Depth {
            first_id: id,
            last_id: id,
            bid_count: count(bids),
            ask_count: count(asks),
            ..Depth::default()
        };
        let levels: Vec<Level> = bids
            .iter()
            .chain(asks)
            .map(|(price, qty)| Level { price: Price(*price), qty: Qty(*qty) })
            .collect();
        let mut cells = vec![Cell::default(); depth.body_cells()];
        cells[0] = zerocopy::transmute!(depth);
        cells[1..].as_mut_bytes()[..size_of_val(levels.as_slice())].copy_from_slice(levels.as_bytes());
        (depth, cells)
    }

    fn levels(depth: &Depth, cells: &[Cell]) -> [Vec<(i64, i64)>; 2] {
        <[_; 2]>::from(split(depth, cells))
            .map(|side| side.iter().map(|level| (level.price.0, level.qty.0)).collect())
    }

    #[test]
    fn updates_change_the_snapshot_within_its_range_and_improve_its_touch() {
        let mut merger = Merger::new(true);
        let (depth, cells) = body(10, &[(100, 1), (99, 2), (97, 3)], &[(101, 4), (103, 5)]);
        assert!(merger.begin(&depth, &cells));
        let (update, cells) =
            body(20, &[(101, 9), (99, 0), (98, 7), (96, 5), (50, 0)], &[(101, 0), (102, 6), (104, 1)]);
        merger.apply(&update, &cells);
        let (depth, cells) = merger.finish().unwrap();
        assert_eq!(depth.last_id, 20);
        let [bids, asks] = levels(&depth, cells);
        assert_eq!(bids, [(101, 9), (100, 1), (98, 7), (97, 3)]);
        assert_eq!(asks, [(102, 6), (103, 5)]);
    }

    #[test]
    fn a_side_that_was_empty_takes_what_comes() {
        let mut merger = Merger::new(true);
        let (depth, cells) = body(10, &[], &[]);
        assert!(merger.begin(&depth, &cells));
        let (update, cells) = body(20, &[(99, 1)], &[(101, 2), (103, 3)]);
        merger.apply(&update, &cells);
        let (depth, cells) = merger.finish().unwrap();
        assert_eq!(levels(&depth, cells), [vec![(99, 1)], vec![(101, 2), (103, 3)]]);
    }

    #[test]
    fn a_merger_that_is_not_needed_takes_nothing_in() {
        let (depth, cells) = body(1, &[(100, 1)], &[]);
        assert!(!Merger::new(false).begin(&depth, &cells));
        assert!(Merger::new(true).is_needed() && !Merger::new(false).is_needed());
    }

    proptest! {
        #[test]
        fn it_equals_a_map_that_is_changed_level_by_level(
            snapshot in proptest::collection::btree_map(50_i64..150, 1_i64..9, 1..60),
            updates in proptest::collection::vec(proptest::collection::vec((40_i64..160, 0_i64..9), 0..12), 0..6),
        ) {
            let bids: Vec<(i64, i64)> = snapshot.iter().rev().map(|(p, q)| (*p, *q)).collect();
            let edge = bids.last().unwrap().0;
            let mut map: BTreeMap<i64, i64> = snapshot.clone();
            let mut merger = Merger::new(true);
            let (depth, cells) = body(1, &bids, &[]);
            prop_assert!(merger.begin(&depth, &cells));
            for update in &updates {
                let (depth, cells) = body(2, update, &[]);
                merger.apply(&depth, &cells);
                for (price, qty) in update.iter().filter(|(price, _)| *price >= edge) {
                    if *qty == 0 { map.remove(price); } else { map.insert(*price, *qty); }
                }
            }
            let (depth, cells) = merger.finish().unwrap();
            let [merged, _] = levels(&depth, cells);
            prop_assert_eq!(merged, map.into_iter().rev().collect::<Vec<_>>());
        }
    }
}
