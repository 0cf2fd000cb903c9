//! Where a resting order stands in the queue of its price, by the models of hftbacktest 2.4
//! (`RiskAdverseQueueModel`, `ProbQueueModel` with `PowerProbQueueFunc`).
//!
//! The exchange shows what rests at a price, not who: of a quantity that leaves without a trade nobody knows
//! whether it stood before or behind us. The risk-averse model lets it leave from behind for as long as that is
//! possible; the power model shares it out by the odds `back^n / (back^n + front^n)` that it stood behind.
//!
//! The one place of the gateway with floats: the odds are no whole number. They use + - x / only, so that every
//! machine computes the same queue; quantities are whole numbers below 2^53 and exact in a float.
#![allow(clippy::float_arithmetic, reason = "the odds of a queue model are fractions: see above")]
#![allow(clippy::cast_precision_loss, reason = "quantities below 2^53")]
#![allow(clippy::cast_possible_truncation, reason = "rounded to a whole number first; `as` saturates")]

use engine::num::Qty;
use serde::Deserialize;

/// How a quantity that leaves without a trade is shared out between those before and behind an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QueueModel {
    /// It leaves from behind: the order moves up by trades alone, until less is shown than stood before it.
    RiskAverse,
    /// By the odds of this power, 1..=8.
    Power(u8),
}

impl QueueModel {
    /// Err: what the power must be.
    pub fn check(self) -> Result<(), &'static str> {
        match self {
            Self::RiskAverse | Self::Power(1..=8) => Ok(()),
            Self::Power(_) => Err("queue.power must be in 1..=8"),
        }
    }
}

/// An order's place in the queue of its price, in quantity units.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Place {
    /// What stands before it; below zero: trades have eaten into the order itself.
    front: f64,
    /// Traded at its price since the shown quantity last changed.
    traded: f64,
}

impl Place {
    /// Behind everything that is shown.
    #[must_use]
    pub fn behind(shown: Qty) -> Self {
        Self { front: shown.0 as f64, traded: 0.0 }
    }

    /// So much traded at its price.
    #[inline]
    pub fn on_trade(&mut self, qty: Qty) {
        self.front -= qty.0 as f64;
        self.traded += qty.0 as f64;
    }

    /// The quantity shown at its price went from `before` to `after`.
    #[inline]
    pub fn on_change(&mut self, model: QueueModel, before: Qty, after: Qty) {
        let (before, after) = (before.0 as f64, after.0 as f64);
        let power = match model {
            QueueModel::RiskAverse => {
                self.front = self.front.min(after);
                return;
            }
            QueueModel::Power(power) => i32::from(power),
        };
        // What left without a trade: trades have moved the order up already.
        let left = before - after - std::mem::take(&mut self.traded);
        if left < 0.0 {
            self.front = self.front.min(after);
            return;
        }
        let back = before - self.front;
        let (of_back, of_front) = (raised(back, power), raised(self.front, power));
        let odds = of_back / (of_back + of_front);
        let estimate = self.front - (1.0 - odds) * left + (back - odds * left).min(0.0);
        // Nothing before and nothing behind has no odds (0/0); `min` then takes what is shown.
        self.front = estimate.min(after);
    }

    /// How much of the order trades have reached, rounded to whole lots; zero while others stand before it.
    #[inline]
    #[must_use]
    pub fn reached(&self, lot: Qty) -> Qty {
        let lots = (-self.front / lot.0 as f64).round();
        Qty((lots.max(0.0) as i64).saturating_mul(lot.0))
    }

    /// So much of the order was filled: it is not reached a second time.
    pub fn fill(&mut self, qty: Qty) {
        self.front += qty.0 as f64;
    }

    /// What stands before it, quantity units rounded up.
    #[must_use]
    pub fn front_ceil(&self) -> Qty {
        Qty(self.front.max(0.0).ceil() as i64)
    }
}

fn raised(base: f64, power: i32) -> f64 {
    (1..power).fold(base, |product, _| product * base)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LOT: Qty = Qty(1);

    #[test]
    fn the_risk_averse_queue_moves_by_trades_and_by_what_cannot_stand_behind() {
        let model = QueueModel::RiskAverse;
        let mut place = Place::behind(Qty(100));
        place.on_change(model, Qty(100), Qty(80));
        assert_eq!(place.front_ceil(), Qty(80), "no more can stand before it than is shown");
        place.on_change(model, Qty(80), Qty(200));
        assert_eq!(place.front_ceil(), Qty(80));
        place.on_trade(Qty(80));
        assert_eq!(place.reached(LOT), Qty(0), "the order before was filled, this one was not reached");
        place.on_trade(Qty(3));
        assert_eq!(place.reached(LOT), Qty(3));
        place.fill(Qty(3));
        assert_eq!(place.reached(LOT), Qty(0));
    }

    #[test]
    fn the_power_queue_shares_what_leaves_by_the_odds() {
        let mut place = Place::behind(Qty(10));
        place.on_change(QueueModel::Power(3), Qty(10), Qty(30)); // 20 behind it
        // odds 20^3 / (20^3 + 10^3) = 8/9: of 9 that leave, one stood before it.
        place.on_change(QueueModel::Power(3), Qty(30), Qty(21));
        assert_eq!(place.front_ceil(), Qty(9));
        // What traded does not count a second time when the level shows it.
        place.on_trade(Qty(4));
        place.on_change(QueueModel::Power(3), Qty(21), Qty(17));
        assert_eq!(place.front_ceil(), Qty(5));
        let mut empty = Place::behind(Qty(0));
        empty.on_change(QueueModel::Power(3), Qty(0), Qty(0));
        assert_eq!(empty.front_ceil(), Qty(0), "0/0 odds");
    }

    #[test]
    fn before_an_order_that_trades_have_nearly_reached_nobody_comes_to_stand() {
        let (mut place, mut shown) = (Place::behind(Qty(500)), Qty(500));
        for (is_trade, qty) in [(false, 547), (true, 99), (false, 285), (true, 282), (false, 602), (false, 0)]
        {
            if is_trade {
                place.on_trade(Qty(qty));
            } else {
                place.on_change(QueueModel::Power(1), shown, Qty(qty));
                shown = Qty(qty);
            }
        }
        assert_eq!(place.front_ceil(), Qty(0));
    }

    #[test]
    fn a_power_out_of_range_is_refused() {
        assert!(QueueModel::Power(0).check().is_err() && QueueModel::Power(9).check().is_err());
        assert!(QueueModel::Power(8).check().is_ok());
    }

    proptest! {
        /// Whatever happens at the price, nobody moves in before the order. Below zero nobody stands before it, and how
        /// far trades have eaten into it may be thought less of when more leaves.
        #[test]
        fn the_queue_before_an_order_never_grows(power in 0_u8..4, steps in proptest::collection::vec((any::<bool>(), 0_i64..1000), 1..100)) {
            let model = if power == 0 { QueueModel::RiskAverse } else { QueueModel::Power(power) };
            let mut shown = Qty(500);
            let mut place = Place::behind(shown);
            for (is_trade, qty) in steps {
                let before = place.front;
                if is_trade {
                    place.on_trade(Qty(qty));
                } else {
                    place.on_change(model, shown, Qty(qty));
                    shown = Qty(qty);
                }
                prop_assert!(place.front <= before.max(0.0), "{before} {place:?}");
                if place.reached(LOT).0 > 0 {
                    break; // it is filled now, and has no place any more
                }
            }
        }
    }
}
