//! The first copy of each message of an instrument that several connections carry: an A/B pair, or the two links of a
//! session that moves. Depth needs none of it: its update ids already say what was applied (`sync`).

use engine::message::{MarkPrice, Ticker, Trade};

/// What an instrument's redundant connections have brought so far.
#[derive(Clone, Copy, Debug, Default)]
pub struct Arbiter {
    /// Ids seen last: tickers, single trades, aggregates, mark prices.
    seen: Option<[u64; 4]>,
    /// Copies dropped.
    copies: u64,
}

impl Arbiter {
    /// In a recording every message is the first copy, whatever its id.
    #[must_use]
    pub fn new(is_live: bool) -> Self {
        Self { seen: is_live.then_some([0; 4]), copies: 0 }
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
        if let Some(seen) = &mut self.seen
            && seen[3].saturating_sub(mark.venue_ns.0) > MINUTE_NS
        {
            seen[3] = 0;
        }
        self.is_first(3, mark.venue_ns.0)
    }

    #[inline]
    fn is_first(&mut self, kind: usize, id: u64) -> bool {
        let Some(seen) = &mut self.seen else { return true };
        let is_later = id > seen[kind];
        if is_later {
            seen[kind] = id;
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
    fn every_message_of_a_recording_counts() {
        let mut arbiter = Arbiter::new(false);
        assert!(arbiter.trade(&trade(7, 0)) && arbiter.trade(&trade(7, 0)));
        assert_eq!(arbiter.copies(), 0);
    }
}
