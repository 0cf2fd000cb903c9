//! The volume-weighted mean price of the last minutes.

use engine::num::{Price, Qty};
use engine::time::Nanos;
use std::collections::VecDeque;

const MINUTE_NS: u64 = 60_000_000_000;

/// Sums of whole minutes; the minute that runs counts as one.
pub(super) struct MeanPrice {
    minutes: u32,
    sums: VecDeque<Sum>,
    last: Option<Price>,
}

struct Sum {
    minute: u64,
    value: i128,
    qty: i128,
}

impl MeanPrice {
    /// Over `minutes`; 0: the last price.
    pub(super) fn new(minutes: u32) -> Self {
        Self { minutes, sums: VecDeque::new(), last: None }
    }

    pub(super) fn trade(&mut self, now: Nanos, price: Price, qty: Qty) {
        self.last = Some(price);
        if self.minutes == 0 {
            return;
        }
        let minute = now.0 / MINUTE_NS;
        if self.sums.back().is_none_or(|sum| sum.minute != minute) {
            self.sums.push_back(Sum { minute, value: 0, qty: 0 });
            while self.sums.len() > self.minutes as usize {
                self.sums.pop_front();
            }
        }
        if let Some(sum) = self.sums.back_mut() {
            sum.value += i128::from(price.0) * i128::from(qty.0);
            sum.qty += i128::from(qty.0);
        }
    }

    /// Rounded down to a tick; the last price when no trade is that young. None: no trade ever.
    pub(super) fn price(&self, now: Nanos) -> Option<Price> {
        let oldest = (now.0 / MINUTE_NS).saturating_sub(u64::from(self.minutes.saturating_sub(1)));
        let young = self.sums.iter().filter(|sum| sum.minute >= oldest);
        let (value, qty) = young.fold((0, 0), |(value, qty), sum| (value + sum.value, qty + sum.qty));
        if qty == 0 { self.last } else { i64::try_from(value / qty).ok().map(Price) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trades_weigh_by_quantity_and_leave_with_their_minute() {
        let at = |minute: u64| Nanos(minute * MINUTE_NS);
        let mut mean = MeanPrice::new(2);
        assert_eq!(mean.price(at(0)), None);
        mean.trade(at(0), Price(100), Qty(1));
        mean.trade(at(1), Price(400), Qty(2));
        assert_eq!(mean.price(at(1)), Some(Price(300)));
        assert_eq!(mean.price(at(2)), Some(Price(400)));
        assert_eq!(mean.price(at(9)), Some(Price(400)));
        let mut last = MeanPrice::new(0);
        last.trade(at(0), Price(7), Qty(1));
        assert_eq!(last.price(at(9)), Some(Price(7)));
    }
}
