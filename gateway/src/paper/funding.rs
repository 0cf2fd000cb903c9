//! When the positions of a perpetual pay or receive funding, told by its mark prices.

use engine::message::MarkPrice;
use engine::time::Nanos;

/// Funding that is due now, on whatever is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FundingDue {
    /// The price that positions are valued at, 10^-8 of the quote asset.
    pub mark_e8: i64,
    /// Part of the value that longs pay to shorts, 10^-8; negative: shorts pay.
    pub rate_e8: i64,
}

/// One instrument's funding.
///
/// Paid at the first mark price at or after the time that was announced, of that price, and at the rate that the last
/// mark price before it announced: the venue settles the rate of the interval that ends. Mark prices come each second; a
/// time that no mark price follows is not paid.
#[derive(Clone, Copy, Debug, Default)]
pub struct FundingClock {
    /// The venue's time at which it is paid next; 0: none was announced.
    due: Nanos,
    rate_e8: i64,
}

impl FundingClock {
    /// A mark price came. Returns what is due with it.
    pub fn see(&mut self, mark: &MarkPrice) -> Option<FundingDue> {
        let is_due = self.due.0 > 0 && mark.venue_ns >= self.due;
        let due = is_due.then_some(FundingDue { mark_e8: mark.mark_e8, rate_e8: self.rate_e8 });
        // At the moment itself the time that has come may still be announced.
        let is_ahead = mark.funding_ns > mark.venue_ns;
        if is_ahead {
            (self.due, self.rate_e8) = (mark.funding_ns, mark.funding_rate_e8);
        } else if is_due {
            *self = Self::default();
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn mark(at_s: u64, funding_s: u64, rate_e8: i64, mark_e8: i64) -> MarkPrice {
        let at = |s: u64| Nanos(s * Nanos::SECOND.0);
        MarkPrice {
            mark_e8,
            funding_rate_e8: rate_e8,
            funding_ns: at(funding_s),
            venue_ns: at(at_s),
            ..MarkPrice::default()
        }
    }

    #[test]
    fn the_rate_of_the_interval_that_ends_is_paid_once_at_the_mark_price_of_its_end() {
        let mut clock = FundingClock::default();
        assert_eq!(clock.see(&mark(98, 100, 5, 1_000)), None);
        assert_eq!(clock.see(&mark(99, 100, 7, 1_010)), None);
        let due = FundingDue { mark_e8: 1_020, rate_e8: 7 };
        assert_eq!(clock.see(&mark(100, 100, 9, 1_020)), Some(due), "still announced at its moment");
        assert_eq!(clock.see(&mark(101, 200, 9, 1_030)), None);
        assert_eq!(clock.see(&mark(205, 300, 1, 1_040)), Some(FundingDue { mark_e8: 1_040, rate_e8: 9 }));
    }

    #[test]
    fn what_announces_no_funding_has_none() {
        let mut clock = FundingClock::default();
        assert!((1..100).all(|second| clock.see(&mark(second, 0, 0, 1)).is_none()));
    }

    proptest! {
        /// Mark prices at any distances, some of them missing: each interval with a mark price in it before its end
        /// is paid once.
        #[test]
        fn each_interval_is_paid_once_whatever_mark_prices_are_missing(
            steps in proptest::collection::vec(1_u64..40, 1..200), interval in 20_u64..100,
        ) {
            let mut clock = FundingClock::default();
            let (mut now, mut paid, mut ends) = (1, 0, std::collections::BTreeSet::new());
            for step in steps {
                let next = (now / interval + 1) * interval;
                paid += u32::from(clock.see(&mark(now, next, 1, 1)).is_some());
                ends.insert(next);
                now += step;
            }
            let last = *ends.last().unwrap();
            prop_assert_eq!(paid, u32::try_from(ends.iter().filter(|end| **end < last).count()).unwrap());
        }
    }
}
