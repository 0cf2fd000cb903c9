//! Live orders in a fixed arena: an order lies where the low bits of its sequence say, so that it is found in one
//! step. A sequence whose place is taken is skipped; sequences are never used again.

use engine::ids::Cause;
use engine::num::Qty;
use engine::order::{Order, OrderState};
use engine::time::Nanos;
use std::collections::VecDeque;

/// An order that has not ended.
#[derive(Clone, Copy, Debug)]
pub(super) struct Live {
    pub(super) order: Order,
    /// Its own record: what its answers are caused by.
    pub(super) record: Cause,
    /// When the answer that it owes is overdue, or an unknown one is asked about again; `Nanos::MAX`: it owes none.
    pub(super) deadline: Nanos,
    /// Which book it belongs to, and its place there.
    pub(super) book: usize,
    pub(super) slot: usize,
    /// The run that its client order id is of.
    pub(super) run: u32,
    /// Times it was asked about since it became unknown.
    pub(super) queries: u32,
    /// It was unknown once: an answer to a request of before may still come, and must not be taken for another's.
    pub(super) was_unknown: bool,
    /// It counts among its instrument's unknown orders: it was unknown, and the venue has not said since where it
    /// stands. A cancel that left says nothing of that.
    pub(super) is_in_doubt: bool,
    /// Whether its end was asked for since it was last known to rest.
    pub(super) ending: Ending,
}

/// Whether an order's end was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    No,
    /// The cancel could not be sent.
    Unsent,
    /// The cancel left.
    Left,
}

impl Live {
    /// An answer has moved the order on: what it still owes. True: it was in doubt, and is no more.
    #[inline]
    pub(super) fn settle(&mut self) -> bool {
        let state = self.order.state;
        if state != OrderState::Unknown {
            self.queries = 0;
            if !state.is_pending() {
                (self.deadline, self.ending) = (Nanos::MAX, Ending::No);
            }
        }
        let is_resolved =
            self.is_in_doubt && !matches!(state, OrderState::Unknown | OrderState::PendingCancel);
        self.is_in_doubt &= !is_resolved;
        is_resolved
    }
}

/// The arena.
pub(super) struct Orders {
    places: Box<[Option<Live>]>,
    next_seq: u64,
    count: usize,
    /// No answer is overdue before this.
    next_deadline: Nanos,
    /// What had filled of orders that ended lately, the youngest last.
    ended: VecDeque<(u64, Qty)>,
}

impl Orders {
    /// Room for so many orders at once.
    pub(super) fn new(capacity: usize) -> Self {
        // Twice the room, so that a sequence finds its place free more often than not.
        let places = vec![None; (2 * capacity.max(1)).next_power_of_two()].into();
        let ended = VecDeque::with_capacity(ENDED_PER_ORDER * capacity.max(1));
        Self { places, next_seq: 1, count: 0, next_deadline: Nanos::MAX, ended }
    }

    /// The sequence of the next order. None: there is no room.
    #[inline]
    pub(super) fn next_seq(&mut self) -> Option<u64> {
        for _ in 0..self.places.len() {
            if self.places.get(self.place(self.next_seq))?.is_none() {
                return Some(self.next_seq);
            }
            self.next_seq += 1;
        }
        None
    }

    /// Sequences up to `seq` have been used, by this run or an earlier one.
    pub(super) fn used(&mut self, seq: u64) {
        self.next_seq = self.next_seq.max(seq.saturating_add(1));
    }

    /// The last sequence that was used, by this run or an earlier one; 0: none.
    pub(super) const fn last_seq(&self) -> u64 {
        self.next_seq - 1
    }

    /// What had filled of an order that ended. None: it ended long ago, or never was.
    #[cold]
    pub(super) fn filled_of_ended(&self, seq: u64) -> Option<Qty> {
        self.ended.iter().rev().find(|(of, _)| *of == seq).map(|(_, filled)| *filled)
    }

    /// Whether an order of this sequence has ever been.
    pub(super) const fn has_been(&self, seq: u64) -> bool {
        seq > 0 && seq < self.next_seq
    }

    /// Whether there is room for an order of this sequence.
    pub(super) fn is_free(&self, seq: u64) -> bool {
        self.places.get(self.place(seq)).is_some_and(Option::is_none)
    }

    /// Takes an order in, at the sequence that `next_seq` gave.
    #[inline]
    pub(super) fn insert(&mut self, live: Live) {
        let place = self.place(live.order.seq);
        if let Some(place) = self.places.get_mut(place) {
            *place = Some(live);
            self.count += 1;
            self.used(live.order.seq);
        }
    }

    #[inline]
    pub(super) fn get(&self, seq: u64) -> Option<&Live> {
        self.places.get(self.place(seq))?.as_ref().filter(|live| live.order.seq == seq)
    }

    #[inline]
    pub(super) fn get_mut(&mut self, seq: u64) -> Option<&mut Live> {
        let place = self.place(seq);
        self.places.get_mut(place)?.as_mut().filter(|live| live.order.seq == seq)
    }

    /// Forgets an order that has ended.
    #[inline]
    pub(super) fn remove(&mut self, seq: u64) {
        let place = self.place(seq);
        if let Some(place) = self.places.get_mut(place)
            && let Some(live) = place.take_if(|live| live.order.seq == seq)
        {
            self.count -= 1;
            if self.ended.len() == self.ended.capacity() {
                self.ended.pop_front();
            }
            self.ended.push_back((seq, live.order.filled));
        }
    }

    /// An order owes an answer until `deadline`.
    #[inline]
    pub(super) fn owe(&mut self, seq: u64, deadline: Nanos) {
        if let Some(live) = self.get_mut(seq) {
            live.deadline = deadline;
            self.next_deadline = self.next_deadline.min(deadline);
        }
    }

    /// No answer is overdue before this.
    #[inline]
    pub(super) const fn next_deadline(&self) -> Nanos {
        self.next_deadline
    }

    /// The first order whose answer is overdue. Looks at all of them; when none is left, [`Self::next_deadline`] is
    /// later than `now`.
    #[cold]
    pub(super) fn overdue(&mut self, now: Nanos) -> Option<u64> {
        self.next_deadline = self.live().map(|live| live.deadline).min().unwrap_or(Nanos::MAX);
        self.live().find(|live| live.deadline <= now).map(|live| live.order.seq)
    }

    /// All of them, in an order that depends on nothing but what was placed.
    pub(super) fn live(&self) -> impl Iterator<Item = &Live> {
        self.places.iter().flatten()
    }

    pub(super) const fn count(&self) -> usize {
        self.count
    }

    pub(super) const fn room(&self) -> usize {
        self.places.len()
    }

    /// The order at a place of the arena, for whoever steps through it while changing it.
    pub(super) fn at(&self, place: usize) -> Option<&Live> {
        self.places.get(place)?.as_ref()
    }

    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "the low bits are meant")]
    const fn place(&self, seq: u64) -> usize {
        seq as usize & (self.places.len() - 1)
    }
}

/// Orders that ended and are remembered, for each that can be live: a fill told again is known by them.
const ENDED_PER_ORDER: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;
    use engine::ids::{InstrumentId, StrategyId};
    use engine::num::{Level, Side};
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn live(seq: u64) -> Live {
        let order = Order::new(seq, InstrumentId(0), StrategyId(1), Side::Buy, Level::default());
        Live {
            order,
            record: Cause::NONE,
            deadline: Nanos::MAX,
            book: 0,
            slot: 0,
            run: 0,
            queries: 0,
            was_unknown: false,
            is_in_doubt: false,
            ending: Ending::No,
        }
    }

    proptest! {
        /// Against a map, with orders that stay while thousands come and go.
        #[test]
        fn every_order_is_found_until_it_ends_and_no_sequence_comes_twice(
            steps in proptest::collection::vec((any::<bool>(), 0_usize..8, 1_u64..50), 1..300)
        ) {
            let (mut orders, mut all, mut last) = (Orders::new(4), BTreeMap::new(), 0);
            for (place, which, deadline) in steps {
                if place && all.len() < 4 {
                    let seq = orders.next_seq().unwrap();
                    prop_assert!(seq > last && !orders.has_been(seq));
                    orders.insert(live(seq));
                    orders.owe(seq, Nanos(deadline));
                    all.insert(seq, deadline);
                    last = seq;
                } else if let Some(seq) = all.keys().nth(which).copied() {
                    orders.remove(seq);
                    orders.remove(seq);
                    all.remove(&seq);
                    prop_assert!(orders.has_been(seq));
                    prop_assert_eq!(orders.filled_of_ended(seq), Some(Qty(0)));
                }
                prop_assert_eq!(orders.count(), all.len());
                prop_assert!((1..=last).all(|seq| orders.get(seq).is_some() == all.contains_key(&seq)));
                let first = all.values().min().copied().unwrap_or(u64::MAX);
                prop_assert!(orders.next_deadline() <= Nanos(first));
                let overdue = orders.overdue(Nanos(25));
                prop_assert_eq!(overdue.is_some(), first <= 25);
                prop_assert_eq!(orders.next_deadline(), Nanos(first));
            }
        }

        #[test]
        fn a_full_arena_has_no_next_sequence(capacity in 1_usize..20) {
            let mut orders = Orders::new(capacity);
            for _ in 0..orders.room() {
                let seq = orders.next_seq().unwrap();
                orders.insert(live(seq));
            }
            prop_assert_eq!(orders.next_seq(), None);
        }
    }
}
