//! The machines that follow the book of one instrument, and how machines are kept: one for each of their
//! parameters, whatever the number of slots that show it.

use super::state::Source;
use crate::indicators::micro::{
    InstantVolatility, Level, OrderFlow, QueueImbalance, RealisedVolatility, SpreadStatistics, TopImbalance,
    Touch,
};
use engine::book_stage::TOP_SLOTS;
use engine::message::{BookChanged, Message, book_state, levels_of};
use engine::num::Level as BookLevel;
use engine::time::Nanos;

/// Machines of one kind, one for each of their parameters.
pub(super) struct Machines<K, M>(pub(super) Vec<Machine<K, M>>);

pub(super) struct Machine<K, M> {
    pub(super) parameters: K,
    pub(super) inner: M,
    /// Slots that show it.
    pub(super) uses: u64,
}

impl<K: PartialEq, M> Machines<K, M> {
    pub(super) const fn new() -> Self {
        Self(Vec::new())
    }

    /// The machine with these parameters, made where there is none, now shown by `slot` too.
    pub(super) fn of(&mut self, parameters: K, slot: usize, make: impl FnOnce() -> M) -> usize {
        let index = self.0.iter().position(|machine| machine.parameters == parameters).unwrap_or_else(|| {
            self.0.push(Machine { parameters, inner: make(), uses: 0 });
            self.0.len() - 1
        });
        self.0[index].uses |= 1 << slot;
        index
    }

    #[inline]
    pub(super) fn get(&self, index: usize) -> Option<&M> {
        self.0.get(index).map(|machine| &machine.inner)
    }
}

/// What follows the book.
pub(super) struct BookMachines {
    pub(super) top: [[Level; TOP_SLOTS]; 2],
    pub(super) state: u32,
    /// Best levels of the book that depth messages built; none: a side is empty.
    pub(super) best: Option<Touch>,
    /// The newer of book and best-quote ticker.
    pub(super) touch: Option<Touch>,
    pub(super) best_uses: u64,
    pub(super) touch_uses: u64,
    pub(super) decayed_uses: u64,
    pub(super) depths: Machines<usize, TopImbalance>,
    pub(super) realised: Machines<usize, RealisedVolatility>,
    pub(super) instant: Machines<Nanos, InstantVolatility>,
    pub(super) order_flows: Machines<Nanos, OrderFlow>,
    pub(super) queues: Machines<Nanos, QueueImbalance>,
    pub(super) spreads: Machines<Nanos, SpreadStatistics>,
}

impl BookMachines {
    pub(super) const fn new() -> Self {
        Self {
            top: [[Level { price: 0, quantity: 0 }; TOP_SLOTS]; 2],
            state: book_state::EMPTY,
            best: None,
            touch: None,
            best_uses: 0,
            touch_uses: 0,
            decayed_uses: 0,
            depths: Machines::new(),
            realised: Machines::new(),
            instant: Machines::new(),
            order_flows: Machines::new(),
            queues: Machines::new(),
            spreads: Machines::new(),
        }
    }

    pub(super) const fn show_best(&mut self, slot: usize, source: Source) -> Source {
        self.best_uses |= 1 << slot;
        source
    }

    pub(super) const fn show_touch(&mut self, slot: usize, source: Source) -> Source {
        self.touch_uses |= 1 << slot;
        source
    }

    /// Whether the levels are those of a synchronised book. Crossed, truncated and the rest are for strategies to
    /// judge: `BookChanged` tells them.
    #[inline]
    pub(super) const fn is_trusted(&self) -> bool {
        self.state & (book_state::EMPTY | book_state::STALE) == 0
    }

    #[inline]
    pub(super) fn best(&self) -> Option<&Touch> {
        self.best.as_ref().filter(|_| self.is_trusted())
    }

    #[inline]
    pub(super) fn touch(&self) -> Option<&Touch> {
        self.touch.as_ref().filter(|_| self.is_trusted())
    }

    /// Takes the book after a message; answers the slots that may show something else now.
    #[inline]
    pub(super) fn take(&mut self, at: Nanos, message: Message<'_>, changed: &BookChanged) -> u64 {
        let was_trusted = self.is_trusted();
        self.state = changed.state;
        let mut dirty = 0;
        if changed.bid_slots | changed.ask_slots != 0 {
            dirty |= self.mirror(message, changed);
            if (changed.bid_slots | changed.ask_slots) & 1 == 1 {
                dirty |= self.take_best(at);
            }
        }
        dirty |= self.take_touch(at, changed);
        if self.is_trusted() != was_trusted {
            dirty |= self.best_uses | self.touch_uses | self.decayed_uses;
            dirty |= self.depths.0.iter().fold(0, |uses, depth| uses | depth.uses);
        }
        dirty
    }

    /// Copies the changed slots of the top.
    #[inline]
    pub(super) fn mirror(&mut self, message: Message<'_>, changed: &BookChanged) -> u64 {
        let mut levels = levels_of(message.body.get(1..).unwrap_or_default()).iter();
        for (side, slots) in [changed.bid_slots, changed.ask_slots].into_iter().enumerate() {
            let mut slots = slots;
            while slots != 0 {
                let slot = slots.trailing_zeros() as usize;
                slots &= slots - 1;
                let (Some(level), Some(kept)) = (levels.next(), self.top[side].get_mut(slot)) else {
                    continue;
                };
                let before = std::mem::replace(kept, plain(*level)).quantity;
                if before != level.qty.0 {
                    for depth in &mut self.depths.0 {
                        depth.inner.replace(side == 0, slot, before, level.qty.0);
                    }
                }
            }
        }
        self.depths.0.iter().fold(self.decayed_uses, |uses, depth| uses | depth.uses)
    }

    /// The book's best levels became others.
    #[inline]
    pub(super) fn take_best(&mut self, at: Nanos) -> u64 {
        let [[bid, ..], [ask, ..]] = self.top;
        self.best = touch_of(bid, ask);
        let mut dirty = self.best_uses;
        if let Some(best) = &self.best {
            for Machine { inner: volatility, uses, .. } in &mut self.realised.0 {
                volatility.mid(at, best.mid_x2());
                dirty |= *uses;
            }
        }
        dirty
    }

    /// The touch, which the best-quote ticker may have moved.
    #[inline]
    pub(super) fn take_touch(&mut self, at: Nanos, changed: &BookChanged) -> u64 {
        let trusted = if self.is_trusted() { touch_of(plain(changed.bid), plain(changed.ask)) } else { None };
        if trusted == self.touch {
            return 0;
        }
        self.touch = trusted;
        let mut dirty = self.touch_uses;
        let Some(touch) = trusted else {
            for Machine { inner: flow, .. } in &mut self.order_flows.0 {
                flow.lose();
            }
            return dirty;
        };
        for Machine { inner: flow, uses, .. } in &mut self.order_flows.0 {
            flow.touch(at, &touch);
            dirty |= *uses;
        }
        for Machine { inner: queue, uses, .. } in &mut self.queues.0 {
            queue.touch(at, touch.bid, touch.ask);
            dirty |= *uses;
        }
        for Machine { inner: spread, uses, .. } in &mut self.spreads.0 {
            spread.spread(at, touch.spread());
            dirty |= *uses;
        }
        for Machine { inner: volatility, uses, .. } in &mut self.instant.0 {
            volatility.mid(at, touch.mid_x2());
            dirty |= *uses;
        }
        dirty
    }

    /// Time has come to `now`.
    #[inline]
    pub(super) fn advance(&mut self, now: Nanos) -> u64 {
        let mut dirty = 0;
        for Machine { inner: volatility, uses, .. } in &mut self.realised.0 {
            if volatility.advance(now) {
                dirty |= *uses;
            }
        }
        for Machine { inner: flow, uses, .. } in &mut self.order_flows.0 {
            if flow.advance(now) {
                dirty |= *uses;
            }
        }
        for Machine { inner: queue, uses, .. } in &mut self.queues.0 {
            queue.advance(now);
            dirty |= *uses;
        }
        for Machine { inner: spread, uses, .. } in &mut self.spreads.0 {
            spread.advance(now);
            dirty |= *uses;
        }
        dirty
    }
}

#[inline]
const fn plain(level: BookLevel) -> Level {
    Level { price: level.price.0, quantity: level.qty.0 }
}

/// Both sides, where there are two that can be added up.
#[inline]
fn touch_of(bid: Level, ask: Level) -> Option<Touch> {
    const MOST: i64 = 1 << 60;
    let fits = |level: Level| (1..MOST).contains(&level.price) && (1..MOST).contains(&level.quantity);
    (fits(bid) && fits(ask)).then_some(Touch { bid, ask })
}
