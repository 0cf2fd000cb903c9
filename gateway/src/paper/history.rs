//! What the paper exchange remembers of orders so that it can answer queries: those that ended, every fill, and what
//! all fills come to. As a venue's archive does, it forgets the oldest, and then says so instead of "never had it".

use crate::client_order_id::ClientOrderId;
use crate::counterparty::{AnswerEvent, Standing, VenueState};
use engine::ids::InstrumentId;
use engine::num::{Level, Qty, Side};
use std::collections::VecDeque;

/// The exchange's memory.
pub(super) struct History {
    ended: VecDeque<Ended>,
    fills: VecDeque<ToldFill>,
    /// An order was forgotten: an id that is not found may have been one's.
    forgot: bool,
    /// By instrument.
    positions: Vec<Qty>,
    /// Fills told, wrapping.
    fill_count: u64,
}

struct Ended {
    id: ClientOrderId,
    state: VenueState,
    filled: Qty,
}

/// A fill as it was told.
#[derive(Clone, Copy)]
pub(super) struct ToldFill {
    id: ClientOrderId,
    /// What it was told as.
    pub(super) event: AnswerEvent,
    /// All that had traded of the order by then.
    pub(super) filled: Qty,
}

impl History {
    /// Room for so many ended orders and as many fills. All memory is taken here.
    pub(super) fn new(instruments: usize, orders: usize) -> Self {
        Self {
            ended: VecDeque::with_capacity(orders),
            fills: VecDeque::with_capacity(orders),
            forgot: false,
            positions: vec![Qty(0); instruments],
            fill_count: 0,
        }
    }

    /// A fill was told.
    #[inline]
    pub(super) fn filled(
        &mut self,
        id: ClientOrderId,
        instrument: InstrumentId,
        side: Side,
        (fill, maker): (Level, bool),
        filled: Qty,
    ) -> ToldFill {
        self.fill_count = self.fill_count.wrapping_add(1);
        let told = ToldFill { id, event: AnswerEvent::Filled { fill, maker, fee: None }, filled };
        if let Some(position) = self.positions.get_mut(instrument.index()) {
            position.0 = position.0.saturating_add(side.signed(fill.qty).0);
        }
        if self.fills.len() == self.fills.capacity() {
            self.fills.pop_front();
        }
        self.fills.push_back(told);
        told
    }

    /// An order ended.
    #[inline]
    pub(super) fn ended(&mut self, id: ClientOrderId, state: VenueState, filled: Qty) {
        if self.ended.len() == self.ended.capacity() {
            self.ended.pop_front();
            self.forgot = true;
        }
        self.ended.push_back(Ended { id, state, filled });
    }

    /// Where an order that does not rest stands. An id that was used twice is the order that was taken.
    pub(super) fn standing(&self, id: &ClientOrderId) -> Standing {
        let mut found = Standing::Absent;
        for ended in self.ended.iter().rev().filter(|ended| ended.id == *id) {
            found = Standing::Exists { state: ended.state, filled: ended.filled };
            if ended.state != VenueState::Rejected {
                return found;
            }
        }
        if found == Standing::Absent && self.forgot { Standing::Unknown } else { found }
    }

    /// The fills of an order that are remembered, in order.
    pub(super) fn fills(&self, id: ClientOrderId) -> impl Iterator<Item = ToldFill> {
        self.fills.iter().copied().filter(move |told| told.id == id)
    }

    /// Fills told, wrapping: whether there were some since.
    pub(super) const fn fill_count(&self) -> u64 {
        self.fill_count
    }

    /// What all fills of an instrument come to.
    pub(super) fn position(&self, instrument: InstrumentId) -> Qty {
        self.positions.get(instrument.index()).copied().unwrap_or_default()
    }

    /// What all fills come to, by instrument.
    pub(super) fn positions(&self) -> Vec<Qty> {
        self.positions.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client_order_id::ClientOrderIds;

    #[test]
    fn what_was_forgotten_is_unknown_and_not_absent() {
        let (ids, mut history) = (ClientOrderIds::new(1, 1), History::new(1, 4));
        assert_eq!(history.standing(&ids.id(9)), Standing::Absent);
        let capacity = history.ended.capacity() as u64;
        for seq in 0..capacity {
            history.ended(ids.id(seq), VenueState::Canceled, Qty(2));
        }
        let canceled = Standing::Exists { state: VenueState::Canceled, filled: Qty(2) };
        assert_eq!(
            (history.standing(&ids.id(0)), history.standing(&ids.id(99))),
            (canceled, Standing::Absent)
        );
        history.ended(ids.id(capacity), VenueState::Filled, Qty(3));
        assert_eq!(history.standing(&ids.id(0)), Standing::Unknown);
    }

    #[test]
    fn a_rejected_double_does_not_hide_the_order() {
        let (ids, mut history) = (ClientOrderIds::new(1, 1), History::new(1, 4));
        history.ended(ids.id(1), VenueState::Filled, Qty(3));
        history.ended(ids.id(1), VenueState::Rejected, Qty(0));
        let filled = Standing::Exists { state: VenueState::Filled, filled: Qty(3) };
        assert_eq!(history.standing(&ids.id(1)), filled);
    }

    #[test]
    fn positions_are_the_sum_of_all_fills() {
        let (ids, mut history) = (ClientOrderIds::new(1, 1), History::new(2, 1));
        let fill = |qty| (Level { price: engine::num::Price(10), qty: Qty(qty) }, true);
        history.filled(ids.id(1), InstrumentId(1), Side::Buy, fill(5), Qty(5));
        history.filled(ids.id(2), InstrumentId(1), Side::Sell, fill(7), Qty(7));
        history.filled(ids.id(3), InstrumentId(0), Side::Sell, fill(1), Qty(1));
        assert_eq!(history.positions(), [Qty(-1), Qty(-2)]);
    }
}
