//! The first copy of each message of an instrument that several connections carry: an A/B pair, or the two links of a
//! session that moves. Depth needs none of it: its update ids already say what was applied (`sync`).
//!
//! Some venues send the last trades again after each subscription. There the prints had last are kept, and a print is
//! told by its time and id together: such ids do not rise.

use crate::codec::Event;
use engine::message::{MarkPrice, Ticker, Trade};
use engine::time::Nanos;

/// What an instrument's connections have brought so far.
#[derive(Clone, Debug, Default)]
pub struct Arbiter {
    /// The lowest ids that are news: of tickers, single trades, aggregates, mark prices.
    news_from: Option<[u64; 4]>,
    /// The prints had last, where the venue sends them again; when full, the oldest goes.
    prints: Vec<(Nanos, u64)>,
    /// The place of the oldest once `prints` is full.
    oldest: usize,
    /// Copies dropped.
    copies: u64,
}

/// Prints that are kept: the history at the start of a recorded stream had 30.
const PRINTS_MAX: usize = 256;

impl Arbiter {
    /// Of a recording, in which every message is the first copy, whatever its id; but for trades where
    /// `resends_trades`.
    #[must_use]
    pub fn new(resends_trades: bool) -> Self {
        let prints = Vec::with_capacity(if resends_trades { PRINTS_MAX } else { 0 });
        Self { prints, ..Self::default() }
    }

    /// Of a live stream: the first copy counts.
    pub const fn go_live(&mut self) {
        self.news_from = Some([0; 4]);
    }

    /// No connection brings the event any more. What comes next may have any id: a venue that starts anew counts from
    /// the beginning. Prints are kept, since it is a new subscription that brings them again.
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

    /// Whether a trade is later than any before of its kind, by the id of its last trade; or is not among the prints
    /// had last, where the venue sends them again.
    #[inline]
    pub fn trade(&mut self, trade: &Trade) -> bool {
        if self.prints.capacity() > 0 {
            return self.is_new_print(trade);
        }
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

    fn is_new_print(&mut self, trade: &Trade) -> bool {
        let print = (trade.trade_ns, trade.last_id);
        if self.prints.contains(&print) {
            self.copies += 1;
            return false;
        }
        if self.prints.len() < PRINTS_MAX {
            self.prints.push(print);
        } else if let Some(oldest) = self.prints.get_mut(self.oldest) {
            *oldest = print;
            self.oldest = (self.oldest + 1) % PRINTS_MAX;
        }
        true
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

    fn live() -> Arbiter {
        let mut arbiter = Arbiter::new(false);
        arbiter.go_live();
        arbiter
    }

    #[test]
    fn of_two_connections_the_first_copy_counts_and_kinds_have_ids_of_their_own() {
        let mut arbiter = live();
        assert!(arbiter.trade(&trade(7, 0)) && !arbiter.trade(&trade(7, 0)) && !arbiter.trade(&trade(6, 0)));
        assert!(arbiter.trade(&trade(7, 1)) && arbiter.trade(&trade(8, 0)));
        let ticker = Ticker { update_id: 3, ..Ticker::default() };
        assert!(arbiter.ticker(&ticker) && !arbiter.ticker(&ticker));
        assert_eq!(arbiter.copies(), 3);
    }

    #[test]
    fn a_mark_price_of_a_clock_that_was_set_back_counts_and_a_late_copy_does_not() {
        let mut arbiter = live();
        let mut first = |s: u64| {
            arbiter.mark_price(&MarkPrice { venue_ns: Nanos(s * 1_000_000_000), ..MarkPrice::default() })
        };
        assert!(first(7_000) && !first(6_999) && first(3_400) && !first(3_400) && first(3_401));
    }

    #[test]
    fn ids_count_from_the_beginning_again_once_nothing_brings_their_event() {
        let mut arbiter = live();
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
    fn prints_that_a_subscription_brings_again_are_told_by_time_and_id_whatever_their_order() {
        let print = |ms: u64, last_id| Trade { last_id, trade_ns: Nanos::from_ms(ms), ..Trade::default() };
        let mut arbiter = Arbiter::new(true);
        assert!(
            arbiter.trade(&print(5, 900)) && arbiter.trade(&print(5, 200)) && arbiter.trade(&print(6, 300))
        );
        arbiter.forget(Event::Trades);
        assert!(!arbiter.trade(&print(5, 200)) && !arbiter.trade(&print(6, 300)));
        assert!(arbiter.trade(&print(7, 300)) && arbiter.trade(&print(4, 100)), "not had yet");
        assert_eq!(arbiter.copies(), 2);
        let (taken, many) = (arbiter.prints.capacity(), PRINTS_MAX as u64);
        assert!((0..2 * many).all(|id| arbiter.trade(&print(8, id))) && arbiter.trade(&print(5, 900)));
        assert!(!arbiter.trade(&print(8, many + 1)), "the last {many} are kept");
        assert_eq!(arbiter.prints.capacity(), taken);
    }

    #[test]
    fn every_message_of_a_recording_counts() {
        let mut arbiter = Arbiter::new(false);
        assert!(arbiter.trade(&trade(7, 0)) && arbiter.trade(&trade(7, 0)));
        assert_eq!(arbiter.copies(), 0);
    }
}
