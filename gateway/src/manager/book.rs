//! What one strategy wants, has and holds in one instrument.

use super::quotes::{Slots, Tolerance, is_close};
use engine::message::{Head, Kind, QUOTES_MAX, Quotes};
use engine::num::{Level, Qty, Side};
use engine::order::Order;
use engine::position::Position;
use engine::risk::RiskRule;
use engine::time::Nanos;

/// One strategy in one instrument.
pub(super) struct Book {
    pub(super) quotes: Quotes,
    /// The message that the quotes came by: what led to the orders that they lead to.
    pub(super) head: Head,
    /// Orders by side: their sequences, 0 where there is none.
    pub(super) slots: [Slots<u64>; 2],
    /// Orders that no quote wants: by hand, or closing a position. Likewise.
    pub(super) beside: [u64; BESIDE_MAX],
    /// There are some.
    pub(super) has_beside: bool,
    /// The position is to be closed: the command that asked for it, and what was held when it was last tried.
    pub(super) closing: Option<Closing>,
    /// Sides that are not quoted on: another strategy's position in the instrument is closed against them.
    pub(super) yields: [bool; 2],
    refused: [Slots<Refused>; 2],
    /// There may be entries in `refused`.
    has_refused: bool,
    pub(super) position: Position,
    /// Cancels that make room for another order wait until then.
    pub(super) cancel_after: Nanos,
    /// When time will have lifted a refusal.
    pub(super) retry_at: Nanos,
    /// It waits to be pursued.
    pub(super) is_dirty: bool,
}

/// Orders that a strategy can have beside its quotes in an instrument.
pub const BESIDE_MAX: usize = 8;

/// A position that is being closed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Closing {
    /// What led to it.
    pub(super) head: Head,
    /// What was held when the last order for it left. None: none has.
    pub(super) tried_at: Option<Qty>,
    /// That order; 0: none has left.
    pub(super) order_seq: u64,
    /// None is tried before.
    pub(super) not_before: Nanos,
}

/// A wanted quote that is not tried for now: gate or exchange refused it, or it was filled. A refused one waits until
/// the target is another, or until a time; a filled one until the strategy, which was told of the fill, states what
/// it wants again.
#[derive(Clone, Copy, Debug, Default)]
struct Refused {
    /// Zero quantity: none.
    level: Level,
    until: Nanos,
    /// Not for longer than until the target is stated again, the same one too.
    is_filled: bool,
    /// The gate's rule; none: the exchange, or a fill.
    rule: Option<RiskRule>,
}

impl Book {
    pub(super) fn new() -> Self {
        Self {
            quotes: Quotes::default(),
            head: Head::new(Kind::Target),
            slots: Default::default(),
            beside: [0; BESIDE_MAX],
            has_beside: false,
            closing: None,
            yields: [false; 2],
            refused: Default::default(),
            has_refused: false,
            position: Position::default(),
            cancel_after: Nanos(0),
            retry_at: Nanos::MAX,
            is_dirty: false,
        }
    }

    /// Other quotes are wanted. What was refused and is still wanted stays refused.
    pub(super) fn want(&mut self, quotes: &Quotes, head: &Head) {
        (self.quotes, self.head) = (*quotes, *head);
        if !self.has_refused {
            return;
        }
        self.has_refused = false;
        for side in Side::BOTH {
            let wanted = self.wanted(side);
            for refused in &mut self.refused[side as usize] {
                if refused.is_filled || !wanted.contains(&refused.level) {
                    *refused = Refused::default();
                }
                self.has_refused |= refused.level.qty.0 > 0;
            }
        }
    }

    /// Places of a side from the first that can have a wish or an order; in all others is nothing.
    #[inline]
    pub(super) fn places(&self) -> usize {
        let wanted = usize::from(self.quotes.first.pairs).min(QUOTES_MAX);
        let is_used = |place: usize| self.slots.iter().any(|slots| slots[place] != 0);
        (wanted..QUOTES_MAX).rev().find(|place| is_used(*place)).map_or(wanted, |place| place + 1)
    }

    /// The quotes of one side, from the innermost.
    pub(super) fn wanted(&self, side: Side) -> Slots<Level> {
        let mut wanted = Slots::default();
        for (place, (bid, ask)) in wanted.iter_mut().zip(self.quotes.pairs()) {
            *place = if side == Side::Buy { bid } else { ask };
        }
        wanted
    }

    /// Those of them that were not refused.
    #[inline]
    pub(super) fn open_wishes(&self, side: Side, now: Nanos) -> Slots<Level> {
        let mut wanted = self.wanted(side);
        if !self.has_refused {
            return wanted;
        }
        for refused in &self.refused[side as usize] {
            if refused.level.qty.0 > 0 && now < refused.until {
                for level in &mut wanted {
                    if *level == refused.level {
                        *level = Level::default();
                    }
                }
            }
        }
        wanted
    }

    /// A quote was refused. One that is no longer wanted is not kept.
    pub(super) fn refuse(&mut self, side: Side, level: Level, until: Nanos, rule: Option<RiskRule>) {
        self.retry_at = self.retry_at.min(until);
        self.set_aside(side, Refused { level, until, is_filled: false, rule });
    }

    /// Time has lifted something: the next of what it will lift is due then.
    pub(super) fn lift(&mut self, now: Nanos) {
        let refused = self.refused.iter().flatten().filter(|entry| entry.level.qty.0 > 0);
        let closing = self.closing.map(|closing| closing.not_before);
        let times = refused.map(|entry| entry.until).chain(closing).chain([self.cancel_after]);
        self.retry_at = times.filter(|until| *until > now).min().unwrap_or(Nanos::MAX);
    }

    /// An order was wholly filled: the quote that it was is done.
    pub(super) fn filled(&mut self, order: &Order) {
        let done = self
            .wanted(order.side)
            .into_iter()
            .find(|wanted| wanted.qty.0 > 0 && is_close(order, *wanted, self.tolerance()));
        if let Some(level) = done {
            self.set_aside(order.side, Refused { level, until: Nanos::MAX, is_filled: true, rule: None });
        }
    }

    /// How close an open order has to be to a wanted quote to stay.
    pub(super) const fn tolerance(&self) -> Tolerance {
        let first = &self.quotes.first;
        Tolerance { price_ticks: first.price_tolerance_ticks, qty_bps: first.qty_tolerance_bps }
    }

    fn set_aside(&mut self, side: Side, aside: Refused) {
        let level = aside.level;
        let wanted = self.wanted(side);
        let refused = &mut self.refused[side as usize];
        if !wanted.contains(&level) {
            return;
        }
        // There is room: every entry is of a wanted quote.
        let place = refused
            .iter()
            .position(|entry| entry.level == level)
            .or_else(|| refused.iter().position(|entry| entry.level.qty.0 == 0));
        if let Some(entry) = place.and_then(|place| refused.get_mut(place)) {
            *entry = aside;
            self.has_refused = true;
        }
    }

    /// What a rule of the gate kept from being tried may be tried again: what it was refused for is over.
    pub(super) fn forgive(&mut self, rule: RiskRule) {
        for refused in self.refused.iter_mut().flatten() {
            if refused.rule == Some(rule) {
                *refused = Refused::default();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::message::QuoteReason;
    use engine::num::Price;

    #[test]
    fn each_refusal_is_lifted_at_its_own_time() {
        let level = |price| Level { price: Price(price), qty: Qty(1) };
        let mut book = Book::new();
        book.want(&Quotes::new(level(99), level(101), QuoteReason::Quoting), &Head::new(Kind::Target));
        book.refuse(Side::Sell, level(101), Nanos(20), None);
        book.refuse(Side::Buy, level(99), Nanos(10), None);
        book.cancel_after = Nanos(30);
        let mut times = vec![];
        while book.retry_at < Nanos::MAX {
            times.push(book.retry_at.0);
            book.lift(book.retry_at);
        }
        assert_eq!(times, [10, 20, 30]);
    }
}
