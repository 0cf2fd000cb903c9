//! What could still trade, for the gate.

use super::OrderManager;
use crate::counterparty::Counterparty;
use engine::message::QUOTES_MAX;
use engine::num::{Price, Qty, Side};
use engine::order::Order;
use engine::risk::{Exposure, RiskRule};

impl<X: Counterparty> OrderManager<X> {
    /// Notes which order, 0: none, is in a place of a book.
    #[inline]
    pub(super) fn set_slot(&mut self, index: usize, side: Side, slot: usize, seq: u64) {
        let Some(book) = self.books.get_mut(index) else { return };
        let place = match slot.checked_sub(QUOTES_MAX) {
            None => book.slots[side as usize].get_mut(slot),
            Some(slot) => book.beside.get_mut(slot),
        };
        if let Some(place) = place {
            *place = seq;
            book.has_beside = book.beside.iter().any(|seq| *seq != 0);
        }
    }

    /// The books of all strategies in an instrument.
    pub(super) fn books_of(&self, instrument: usize) -> std::ops::Range<usize> {
        instrument * self.strategies..(instrument + 1) * self.strategies
    }

    /// Live orders of one book and side: those of quotes, and those beside them.
    pub(super) fn live(&self, index: usize, side: Side) -> impl Iterator<Item = &Order> {
        let book = self.books.get(index);
        let slots = book.map_or(&[][..], |book| &book.slots[side as usize][..]);
        let beside = book.filter(|book| book.has_beside).map_or(&[][..], |book| &book.beside[..]);
        let live = slots.iter().chain(beside).filter(|seq| **seq != 0);
        let live = live.filter_map(|seq| self.orders.get(*seq)).map(|live| &live.order);
        live.filter(move |order| order.side == side)
    }

    /// What the gate has to know of a book and of those beside it, for an order on `side`.
    pub(super) fn exposure(&self, index: usize, side: Side) -> Exposure {
        let (Some(book), Some(traded)) = (self.books.get(index), self.traded(index)) else {
            return Exposure::default();
        };
        let (mut open, mut open_orders, mut open_reducing, mut opposite) = ([0_i64; 2], 0, 0_i64, None);
        // Until an amendment is answered an order may be at either of its prices.
        let mut meets = |order: &Order| {
            // A stop that waits and a market order are nowhere to be met.
            if !order.is_in_book() {
                return;
            }
            for price in [order.level.price, order.sent_level().price] {
                opposite = Some(opposite.map_or(price, |nearest: Price| match side {
                    Side::Buy => nearest.min(price),
                    Side::Sell => nearest.max(price),
                }));
            }
        };
        for own in Side::BOTH {
            for order in self.live(index, own) {
                open[own as usize] = open[own as usize].saturating_add(order.remaining().0);
                open_orders += 1;
                if own != side {
                    meets(order);
                } else if order.terms.reduce_only {
                    open_reducing = open_reducing.saturating_add(order.remaining().0);
                }
            }
        }
        for other in self.books_of(traded.instrument.id.index()).filter(|other| *other != index) {
            self.live(other, side.opposite()).for_each(&mut meets);
        }
        Exposure {
            position: book.position.qty,
            open_buys: Qty(open[0]),
            open_sells: Qty(open[1]),
            open_orders,
            opposite,
            unknown_orders: traded.unknown,
            net: traded.net,
            open_reducing: Qty(open_reducing),
        }
    }

    /// Sums up what an instrument comes to, remembers it, and tells the gate.
    pub(super) fn hold(&mut self, instrument: usize) {
        let (mut position, mut open) = (0_i64, [0_i64; 2]);
        for index in self.books_of(instrument) {
            position = position.saturating_add(self.books.get(index).map_or(0, |book| book.position.qty.0));
            for side in Side::BOTH {
                let remaining = self.live(index, side).map(|order| order.remaining().0);
                open[side as usize] = remaining.fold(open[side as usize], i64::saturating_add);
            }
        }
        if let Some(traded) = self.instruments.get_mut(instrument) {
            traded.net = Qty(position);
            traded.worst = [Qty(position.saturating_add(open[0])), Qty(position.saturating_sub(open[1]))];
        }
        self.revalue(instrument);
    }

    /// Tells the gate what an instrument comes to at the price of now.
    #[inline]
    pub(super) fn revalue(&mut self, instrument: usize) {
        let Some(traded) = self.instruments.get_mut(instrument) else { return };
        let (id, [long, short], ask) = (traded.instrument.id, traded.worst, traded.market.ask.price);
        // Without an ask the last price that it was worth stays.
        if ask.0 > 0 {
            traded.price = ask;
        }
        let price = traded.price;
        if price.0 <= 0 && [long, short] != [Qty(0); 2] {
            return self.gate.cannot_value(id);
        }
        let was_unvalued = self.gate.has_unvalued();
        if self.gate.hold(id, long, short, price).is_err() {
            return self
                .position_is_unknown(format_args!("what instrument {instrument} comes to does not fit"));
        }
        if was_unvalued && !self.gate.has_unvalued() {
            self.all_is_valued();
        }
    }

    /// Everything that is held has a price: what waited for that is tried before the next input.
    #[cold]
    fn all_is_valued(&mut self) {
        for book in &mut self.books {
            book.forgive(RiskRule::Unvalued);
            book.retry_at = book.retry_at.min(self.now);
        }
        self.next_retry = self.now;
    }
}
