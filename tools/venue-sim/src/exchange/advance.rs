//! What happens because time passes.

use super::order::Expiry;
use super::{Events, Exchange};
use engine::ids::InstrumentId;
use engine::time::Nanos;

/// What is due next.
#[derive(Clone, Copy)]
enum Due {
    Mark(InstrumentId),
    Funding(InstrumentId),
    GoodTill,
}

impl Exchange {
    /// Lets time pass: funding, mark prices with the stops and liquidations that they cause, orders whose time is
    /// over; in the order of their times. Events carry `now`. Call it before requests of the same time, and at least
    /// as often as [`Self::next_due`] says.
    pub fn advance(&mut self, now: Nanos, events: &mut Events) {
        while let Some((_, due)) = self.due().filter(|(time, _)| *time <= now) {
            match due {
                Due::Mark(market) => self.mark_due(now, market, events),
                Due::Funding(market) => self.funding_due(now, market, events),
                Due::GoodTill => self.end_good_till(now, events),
            }
        }
    }

    /// When something is due next; `Nanos::MAX`: nothing ever.
    #[must_use]
    pub fn next_due(&self) -> Nanos {
        self.due().map_or(Nanos::MAX, |(time, _)| time)
    }

    /// The earliest; funding before a mark price of the same time.
    fn due(&self) -> Option<(Nanos, Due)> {
        let times = self.markets.iter().flat_map(|market| {
            let id = market.terms.id;
            [(market.mark.next_funding, Due::Funding(id)), (market.mark.next_mark, Due::Mark(id))]
        });
        let good_till = self.good_till.first().map(|(time, _)| (*time, Due::GoodTill));
        let earliest = times.chain(good_till).min_by_key(|(time, _)| *time);
        earliest.filter(|(time, _)| *time < Nanos::MAX)
    }

    fn end_good_till(&mut self, now: Nanos, events: &mut Events) {
        let Some((_, id)) = self.good_till.pop_first() else { return };
        let open = self.ledger.orders.by_id(id).filter(|order| order.status.is_open()).copied();
        if let Some((order, slot)) = open.zip(self.ledger.orders.slot(id)) {
            self.expire(now, slot, Expiry::GoodTill, events);
            self.finish(now, order.market, events);
        }
    }
}
