//! Orders that wait for a price.

use super::order::{Order, OrderId, Trigger, TriggerSource};
use engine::num::{Price, Side};
use std::collections::BTreeSet;

/// The waiting orders of one market, by what wakes them: nearest trigger first, then oldest.
#[derive(Default)]
pub(super) struct Stops {
    last: Waiting,
    mark: Waiting,
}

#[derive(Default)]
struct Waiting {
    /// For a price at or above: lowest first.
    rise: BTreeSet<(Price, OrderId)>,
    /// For a price at or below: highest last.
    fall: BTreeSet<(Price, std::cmp::Reverse<OrderId>)>,
}

impl Stops {
    pub(super) fn add(&mut self, id: OrderId, side: Side, trigger: Trigger) {
        let waiting = self.of(trigger.source);
        if trigger.waits_for_rise(side) {
            waiting.rise.insert((trigger.price, id));
        } else {
            waiting.fall.insert((trigger.price, std::cmp::Reverse(id)));
        }
    }

    /// Takes out an order that was canceled.
    pub(super) fn remove(&mut self, order: &Order) {
        let Some(trigger) = order.trigger else { return };
        let waiting = self.of(trigger.source);
        if trigger.waits_for_rise(order.side) {
            waiting.rise.remove(&(trigger.price, order.id));
        } else {
            waiting.fall.remove(&(trigger.price, std::cmp::Reverse(order.id)));
        }
    }

    /// Takes out one that these prices wake. None: no more.
    pub(super) fn pop(&mut self, last: Option<Price>, mark: Option<Price>) -> Option<OrderId> {
        last.and_then(|price| self.last.pop(price)).or_else(|| mark.and_then(|price| self.mark.pop(price)))
    }

    fn of(&mut self, source: TriggerSource) -> &mut Waiting {
        match source {
            TriggerSource::Last => &mut self.last,
            TriggerSource::Mark => &mut self.mark,
        }
    }
}

impl Waiting {
    fn pop(&mut self, price: Price) -> Option<OrderId> {
        if self.rise.first().is_some_and(|(trigger, _)| price >= *trigger) {
            return self.rise.pop_first().map(|(_, id)| id);
        }
        if self.fall.last().is_some_and(|(trigger, _)| price <= *trigger) {
            return self.fall.pop_last().map(|(_, id)| id.0);
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::order::TriggerKind;

    #[test]
    fn the_nearest_trigger_wakes_first_and_the_older_of_two_equal_ones() {
        let mut stops = Stops::default();
        let trigger = |price, kind| Trigger { price: Price(price), source: TriggerSource::Last, kind };
        stops.add(OrderId(1), Side::Sell, trigger(95, TriggerKind::Stop));
        stops.add(OrderId(2), Side::Sell, trigger(98, TriggerKind::Stop));
        stops.add(OrderId(3), Side::Sell, trigger(98, TriggerKind::Stop));
        stops.add(OrderId(4), Side::Buy, trigger(105, TriggerKind::Stop));
        stops.add(OrderId(5), Side::Sell, trigger(104, TriggerKind::TakeProfit));
        assert_eq!(stops.pop(Some(Price(100)), Some(Price(1))), None);
        let mut woken = |price| stops.pop(Some(Price(price)), None).map(|id| id.0);
        assert_eq!(
            [woken(97), woken(97), woken(97), woken(90), woken(90)],
            [Some(2), Some(3), None, Some(1), None]
        );
        assert_eq!([woken(110), woken(110), woken(110)], [Some(5), Some(4), None]);
    }
}
