//! What could still trade, for the gate.

use super::OrderManager;
use crate::counterparty::Counterparty;
use engine::num::{Qty, Side};
use engine::order::Order;
use engine::risk::Exposure;

impl<X: Counterparty> OrderManager<X> {
    pub(super) fn slot_mut(&mut self, index: usize, side: Side, slot: usize) -> Option<&mut u64> {
        self.books.get_mut(index)?.slots[side as usize].get_mut(slot)
    }

    /// The books of all strategies in an instrument.
    pub(super) fn books_of(&self, instrument: usize) -> std::ops::Range<usize> {
        instrument * self.strategies..(instrument + 1) * self.strategies
    }

    /// Live orders of one book and side.
    pub(super) fn live(&self, index: usize, side: Side) -> impl Iterator<Item = &Order> {
        let slots = self.books.get(index).map_or(&[][..], |book| &book.slots[side as usize][..]);
        slots.iter().filter(|seq| **seq != 0).filter_map(|seq| self.orders.get(*seq)).map(|live| &live.order)
    }

    /// What the gate has to know of a book and of those beside it, for an order on `side`.
    pub(super) fn exposure(&self, index: usize, side: Side) -> Exposure {
        let open =
            |side| self.live(index, side).fold(0, |sum: i64, order| sum.saturating_add(order.remaining().0));
        let (Some(book), Some(traded)) = (self.books.get(index), self.traded(index)) else {
            return Exposure::default();
        };
        // Until an amendment is answered an order may be at either of its prices.
        let prices = |order: &Order| [order.level.price, order.sent_level().price];
        let others = self
            .books_of(traded.instrument.id.index())
            .flat_map(|index| self.live(index, side.opposite()))
            .flat_map(prices);
        Exposure {
            position: book.position.qty,
            open_buys: Qty(open(Side::Buy)),
            open_sells: Qty(open(Side::Sell)),
            open_orders: Side::BOTH
                .into_iter()
                .map(|side| u32::try_from(self.live(index, side).count()).unwrap_or(u32::MAX))
                .sum(),
            opposite: match side {
                Side::Buy => others.min(),
                Side::Sell => others.max(),
            },
            unknown_orders: traded.unknown,
        }
    }

    /// Tells the gate what an instrument comes to, and remembers it.
    pub(super) fn hold(&mut self, instrument: usize) {
        let (mut position, mut open) = (0_i64, [0_i64; 2]);
        for index in self.books_of(instrument) {
            position = position.saturating_add(self.books.get(index).map_or(0, |book| book.position.qty.0));
            for side in Side::BOTH {
                let remaining = self.live(index, side).map(|order| order.remaining().0);
                open[side as usize] = remaining.fold(open[side as usize], i64::saturating_add);
            }
        }
        let Some(traded) = self.instruments.get_mut(instrument) else { return };
        traded.worst = [Qty(position.saturating_add(open[0])), Qty(position.saturating_sub(open[1]))];
        let [long, short] = traded.worst;
        // Without an ask the last price that it was worth stays.
        let price = traded.market.ask.price;
        if price.0 > 0 && self.gate.hold(traded.instrument.id, long, short, price).is_err() {
            self.position_is_unknown(format_args!("what instrument {instrument} comes to does not fit"));
        }
    }
}
