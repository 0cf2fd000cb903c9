//! The first copy of each message of an instrument that several connections carry: an A/B pair, or the two links of a
//! session that moves. Depth needs none of it: its update ids already say what was applied (`sync`).

use crate::codec::Event;
use engine::message::{MarkPrice, Ticker, Trade};

/// What an instrument's redundant connections have brought so far.
#[derive(Clone, Copy, Debug, Default)]
pub struct Arbiter {
    /// The lowest ids that are news: of tickers, single trades, aggregates, mark prices.
    news_from: Option<[u64; 4]>,
    /// Copies dropped.
    copies: u64,
}

impl Arbiter {
    /// In a recording every message is the first copy, whatever its id.
    #[must_use]
    pub fn new(is_live: bool) -> Self {
        Self { news_from: is_live.then_some([0; 4]), copies: 0 }
    }

    /// No connection brings the event any more. What comes next may have any id: a venue that starts anew counts from
    /// the beginning.
    pub const fn forget(&mut self, event: Event) {
        let Some([ticker, single, aggregate, mark_price]) = &mut self.news_from else { return };
        match event {
            Event::Ticker => *ticker = 0,
            Event::Trades => (*single, *aggregate) = (0, 0),
            Event::MarkPrice => *mark_price = 0,
            Event::Delta | Event::Snapshot | Event::Kline | Event::Other => {}
        }
    }

    /// Copies dropped so far.
    #[must_use]
    pub const fn copies(&self) -> u64 {
        self.copies
    }

    /// Whether a ticker is later than any before, by its update id.
    #[inline]
    pub fn ticker(&mut self, ticker: &Ticker) -> bool {
        self.is_first(0, ticker.update_id)
    }

    /// Whether a trade is later than any before of its kind, by the id of its last trade.
    #[inline]
    pub fn trade(&mut self, trade: &Trade) -> bool {
        self.is_first(if trade.aggregate == 1 { 2 } else { 1 }, trade.last_id)
    }

    /// Whether a mark price is later than any before, by the venue's time. No copy lags a minute behind: there the
    /// venue's clock was set back, and is followed.
    #[inline]
    pub fn mark_price(&mut self, mark: &MarkPrice) -> bool {
        if let Some(news_from) = &mut self.news_from
            && news_from[3].saturating_sub(mark.venue_ns.0) > MINUTE_NS
        {
            news_from[3] = 0;
        }
        self.is_first(3, mark.venue_ns.0)
    }

    #[inline]
    fn is_first(&mut self, kind: usize, id: u64) -> bool {
        let Some(news_from) = &mut self.news_from else { return true };
        let is_later = id >= news_from[kind];
        if is_later {
            news_from[kind] = id.saturating_add(1);
        } else {
            self.copies += 1;
        }
        is_later
    }
}

const MINUTE_NS: u64 = 60 * 1_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;
    use engine::time::Nanos;

    fn trade(last_id: u64, aggregate: u32) -> Trade {
        Trade { last_id, aggregate, ..Trade::default() }
    }

    #[test]
    fn of_two_connections_the_first_copy_counts_and_kinds_have_ids_of_their_own() {
        let mut arbiter = Arbiter::new(true);
        assert!(arbiter.trade(&trade(7, 0)) && !arbiter.trade(&trade(7, 0)) && !arbiter.trade(&trade(6, 0)));
        assert!(arbiter.trade(&trade(7, 1)) && arbiter.trade(&trade(8, 0)));
        let ticker = Ticker { update_id: 3, ..Ticker::default() };
        assert!(arbiter.ticker(&ticker) && !arbiter.ticker(&ticker));
        assert_eq!(arbiter.copies(), 3);
    }

    #[test]
    fn a_mark_price_of_a_clock_that_was_set_back_counts_and_a_late_copy_does_not() {
        let mut arbiter = Arbiter::new(true);
        let mut first = |s: u64| {
            arbiter.mark_price(&MarkPrice { venue_ns: Nanos(s * 1_000_000_000), ..MarkPrice::default() })
        };
        assert!(first(7_000) && !first(6_999) && first(3_400) && !first(3_400) && first(3_401));
    }

    #[test]
    fn ids_count_from_the_beginning_again_once_nothing_brings_their_event() {
        let mut arbiter = Arbiter::new(true);
        let ticker = |update_id| Ticker { update_id, ..Ticker::default() };
        assert!(arbiter.trade(&trade(7, 0)) && arbiter.trade(&trade(7, 1)) && arbiter.ticker(&ticker(90)));
        arbiter.forget(Event::Delta);
        assert!(!arbiter.trade(&trade(0, 0)) && !arbiter.ticker(&ticker(1)), "depth says nothing of others");
        arbiter.forget(Event::Trades);
        assert!(arbiter.trade(&trade(0, 0)) && arbiter.trade(&trade(0, 1)) && !arbiter.trade(&trade(0, 0)));
        assert!(!arbiter.ticker(&ticker(1)));
        arbiter.forget(Event::Ticker);
        assert!(arbiter.ticker(&ticker(1)) && !arbiter.ticker(&ticker(1)));
    }

    #[test]
    fn every_message_of_a_recording_counts() {
        let mut arbiter = Arbiter::new(false);
        assert!(arbiter.trade(&trade(7, 0)) && arbiter.trade(&trade(7, 0)));
        assert_eq!(arbiter.copies(), 0);
    }
}
