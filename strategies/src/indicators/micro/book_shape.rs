//! What the shape of the book says at one instant.

use super::{Level, Ratio, Touch};
use crate::indicators::value::Value;

/// Imbalance of the best `k` levels: 1 all bids, -1 all asks. Undefined on an empty book.
#[inline]
#[must_use]
pub fn imbalance(bids: &[Level], asks: &[Level], k: usize) -> Ratio {
    let sum = |side: &[Level]| side.iter().take(k).map(|level| i128::from(level.quantity)).sum::<i128>();
    let (bids, asks) = (sum(bids), sum(asks));
    Ratio { numerator: bids - asks, denominator: bids + asks }
}

/// The sums of [`imbalance`] kept as single slots of the top change, instead of taken anew.
#[derive(Clone, Copy, Debug)]
pub struct TopImbalance {
    k: usize,
    bids: i128,
    asks: i128,
}

impl TopImbalance {
    /// Of the best `k` levels; both sides are empty.
    #[must_use]
    pub const fn new(k: usize) -> Self {
        Self { k, bids: 0, asks: 0 }
    }

    /// Slot `slot` of the bids (else of the asks), 0 the best, came to hold `quantity` after `before`.
    #[inline]
    pub fn replace(&mut self, of_bids: bool, slot: usize, before: i64, quantity: i64) {
        if slot < self.k {
            let side = if of_bids { &mut self.bids } else { &mut self.asks };
            *side += i128::from(quantity) - i128::from(before);
        }
    }

    /// As [`imbalance`].
    #[inline]
    #[must_use]
    pub fn value(&self) -> Ratio {
        Ratio { numerator: self.bids - self.asks, denominator: self.bids + self.asks }
    }
}

/// Imbalance of all levels given, level i weighing `decay`^i.
#[inline]
#[must_use]
pub fn decayed_imbalance(bids: &[Level], asks: &[Level], decay: f64) -> Value {
    let sum = |side: &[Level]| {
        // From the deepest level up (Horner): one multiplication a level.
        side.iter().rev().fold(0.0, |sum, level| decay * sum + level.quantity as f64)
    };
    let (bids, asks) = (sum(bids), sum(asks));
    Value::of((bids - asks) / (bids + asks))
}

/// The touch's prices weighted by the quantities of the other side, ticks.
#[inline]
#[must_use]
pub fn micro_price(touch: &Touch) -> Ratio {
    let (bid_quantity, ask_quantity) = (i128::from(touch.bid.quantity), i128::from(touch.ask.quantity));
    Ratio {
        numerator: i128::from(touch.bid.price) * ask_quantity + i128::from(touch.ask.price) * bid_quantity,
        denominator: bid_quantity + ask_quantity,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn kept_sums_are_those_taken_anew(
            changes in prop::collection::vec((any::<bool>(), 0..10_usize, 0..50_i64), 1..80),
            k in 1..=10_usize,
        ) {
            let mut top = [[Level::default(); 10]; 2];
            let mut kept = TopImbalance::new(k);
            for (of_bids, slot, quantity) in changes {
                let level = &mut top[usize::from(!of_bids)][slot];
                let before = std::mem::replace(&mut level.quantity, quantity);
                kept.replace(of_bids, slot, before, quantity);
                prop_assert_eq!(kept.value(), imbalance(&top[0], &top[1], k));
            }
        }
    }

    #[test]
    fn a_decay_of_one_is_the_plain_imbalance_and_zero_is_that_of_the_touch() {
        let level = |price, quantity| Level { price, quantity };
        let (bids, asks) = ([level(99, 5), level(98, 7)], [level(100, 3), level(101, 2), level(102, 11)]);
        assert_eq!(decayed_imbalance(&bids, &asks, 1.0), imbalance(&bids, &asks, 9).value());
        assert_eq!(decayed_imbalance(&bids, &asks, 0.0), imbalance(&bids, &asks, 1).value());
        let half = (5.0 + 3.5 - (3.0 + 1.0 + 2.75)) / (5.0 + 3.5 + 3.0 + 1.0 + 2.75);
        assert_eq!(decayed_imbalance(&bids, &asks, 0.5).get(), Some(half));
        assert_eq!(decayed_imbalance(&[], &[], 0.5), Value::UNDEFINED);
        assert_eq!(imbalance(&[], &[], 3).value(), Value::UNDEFINED);
    }
}
