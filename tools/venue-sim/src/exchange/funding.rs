//! Mark price and funding of futures.
//!
//! Mark price: the median of index, middle of the touch and last trade, where there are all three. Funding rate:
//! `P + clamp(I - P, -0.05 %, 0.05 %)`, P the mean premium of the middle of the touch over the index since the last
//! funding time, I the interest; held within the market's largest rate (Binance, "Introduction to Binance Futures
//! Funding Rates", read 2026-11-21). A position pays `value at mark x rate`, longs when the rate is positive.

use super::amount::{Amount, Rate};
use super::event::{AccountReason, Event, Funding, Mark};
use super::ledger::HOUSE;
use super::listing::FuturesTerms;
use super::market::Market;
use super::{Events, Exchange};
use engine::ids::{AccountId, InstrumentId};
use engine::num::Price;
use engine::time::Nanos;

/// How far the premium's part of the rate is damped, 0.05 %.
const DAMPING: i64 = 50_000;

/// Where mark price and funding of one market stand.
#[derive(Clone, Debug)]
pub(super) struct MarkState {
    pub(super) price: Option<Price>,
    pub(super) index: Option<Price>,
    /// When the mark price is set next; never on spot.
    pub(super) next_mark: Nanos,
    pub(super) next_funding: Nanos,
    /// Premiums in 10^-8 since the last funding, and how many.
    premium_sum: i128,
    premium_count: i128,
}

impl MarkState {
    pub(super) fn new(terms: Option<&FuturesTerms>, opened: Nanos) -> Self {
        let after = |interval: fn(&FuturesTerms) -> Nanos| {
            terms.map_or(Nanos::MAX, |terms| next_multiple(opened, interval(terms)))
        };
        Self {
            price: None,
            index: None,
            next_mark: after(|terms| terms.mark_interval),
            next_funding: after(|terms| terms.funding_interval),
            premium_sum: 0,
            premium_count: 0,
        }
    }

    /// What funding would be now.
    pub(super) fn rate(&self, terms: &FuturesTerms) -> Rate {
        let premium =
            if self.premium_count == 0 { 0 } else { self.premium_sum.div_euclid(self.premium_count) };
        let max = terms.funding_rate_max.0;
        // Far beyond any largest rate, and within what the sum below can hold.
        let premium = i64::try_from(premium.clamp(-1 << 40, 1 << 40)).unwrap_or(0);
        let damped = (terms.interest.0 - premium).clamp(-DAMPING, DAMPING);
        Rate((premium + damped).clamp(-max, max))
    }
}

/// The first multiple of `interval` after `time`.
pub(super) fn next_multiple(time: Nanos, interval: Nanos) -> Nanos {
    Nanos((time.0 / interval.0 + 1).saturating_mul(interval.0))
}

impl Market {
    /// Its mark price and what comes with it. None: spot, or no price yet.
    #[must_use]
    pub fn mark(&self, time: Nanos) -> Option<Mark> {
        let (price, terms) = (self.mark.price?, self.futures.as_ref()?);
        Some(Mark {
            market: self.terms.id,
            time,
            price,
            index: self.mark.index.unwrap_or(price),
            funding_rate: self.mark.rate(terms),
            next_funding: self.mark.next_funding,
        })
    }

    /// Sets the mark price anew, and takes a sample of the premium.
    fn set_mark(&mut self) {
        let (mid, last) = (self.mid_floor(), self.tape.last_price);
        let Some(index) = self.mark.index.or(mid).or(last) else { return };
        if let Some(mid) = mid {
            let premium = i128::from(mid.0 - index.0) * i128::from(Rate::ONE.0) / i128::from(index.0.max(1));
            self.mark.premium_sum += premium;
            self.mark.premium_count += 1;
        }
        let mut three = [index, mid.unwrap_or(index), last.unwrap_or(index)];
        three.sort_unstable();
        self.mark.price = Some(three[1]);
    }
}

impl Exchange {
    /// Sets the index that a futures market follows; it is used from the next mark price on. Without one the middle
    /// of the touch stands for it. Ignored for prices of zero and below.
    pub fn set_index(&mut self, market: InstrumentId, index: Price) {
        if let Some(market) = self.markets.get_mut(market.index()).filter(|_| index.0 > 0) {
            market.mark.index = Some(index);
        }
    }

    /// The mark price of a market is due.
    pub(super) fn mark_due(&mut self, now: Nanos, market: InstrumentId, events: &mut Events) {
        let here = &mut self.markets[market.index()];
        let Some(interval) = here.futures.as_ref().map(|terms| terms.mark_interval) else { return };
        here.mark.next_mark = next_multiple(now, interval);
        here.set_mark();
        if let Some(mark) = here.mark(now) {
            events.push(Event::Mark(mark));
            self.finish(now, market, events);
            self.liquidate_due(now, market, events);
        }
    }

    /// Funding of a market is due: every position pays or receives. What rounding leaves goes to the house.
    pub(super) fn funding_due(&mut self, now: Nanos, market: InstrumentId, events: &mut Events) {
        let here = &mut self.markets[market.index()];
        let Some(terms) = &here.futures else { return };
        let (time, rate) = (here.mark.next_funding, here.mark.rate(terms));
        here.mark.next_funding = next_multiple(time, terms.funding_interval);
        (here.mark.premium_sum, here.mark.premium_count) = (0, 0);
        let Some(mark) = here.mark.price else { return };
        let (asset, mut kept) = (here.terms.quote, Amount::ZERO);
        for index in 0..self.ledger.accounts.len() {
            let id = AccountId(u16::try_from(index).unwrap_or(u16::MAX));
            let qty = self.ledger.of_market(id, market).position.qty;
            if qty.0 == 0 || id == HOUSE {
                continue;
            }
            let value = self.markets[market.index()].value(mark, qty);
            let received = -rate.of_floor(value).ceil_charged();
            kept -= received;
            self.ledger.pay(id, asset, received);
            self.ledger.touch_balance(id, asset, received);
        }
        self.ledger.pay(HOUSE, asset, kept);
        self.flush_accounts(now, AccountReason::Funding, Some(market), events);
        events.push(Event::Funding(Funding { market, time, rate, mark }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::testing::futures_terms;

    #[test]
    fn the_rate_is_the_interest_while_the_premium_is_small_and_follows_it_beyond() {
        let terms = futures_terms();
        let rate = |premium: i128| {
            MarkState { premium_sum: premium * 4, premium_count: 4, ..MarkState::new(Some(&terms), Nanos(0)) }
                .rate(&terms)
        };
        assert_eq!(rate(0), Rate::parse("0.0001").unwrap());
        assert_eq!(rate(50_000), Rate::parse("0.0001").unwrap());
        assert_eq!(rate(200_000), Rate::parse("0.0015").unwrap());
        assert_eq!(rate(-200_000), Rate::parse("-0.0015").unwrap());
        assert_eq!(rate(90_000_000), terms.funding_rate_max);
    }

    #[test]
    fn the_next_time_is_the_next_multiple() {
        assert_eq!(next_multiple(Nanos(0), Nanos(8)), Nanos(8));
        assert_eq!(next_multiple(Nanos(7), Nanos(8)), Nanos(8));
        assert_eq!(next_multiple(Nanos(8), Nanos(8)), Nanos(16));
        assert_eq!(next_multiple(Nanos::MAX, Nanos(8)), Nanos(u64::MAX));
    }
}
