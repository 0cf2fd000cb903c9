//! The statistics of the last 24 hours, from minute candles.

use engine::num::{Decimal, Price, Qty};
use engine::time::Nanos;

use super::candles::{Candles, Interval};
use crate::exchange::Amount;

/// The last 24 hours of one market.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Day {
    /// When they begin: at a minute.
    pub(crate) start: Nanos,
    /// First, highest, lowest and last price.
    pub(crate) prices: [Price; 4],
    /// Traded quantity.
    pub(crate) volume: Qty,
    /// Traded value.
    pub(crate) value: Amount,
    /// Id of the first trade; -1: none.
    pub(crate) first_id: i64,
    /// Id of the last trade; -1: none.
    pub(crate) last_id: i64,
    /// Trades.
    pub(crate) count: u64,
}

impl Day {
    /// The day that ends `now`. None: no trade ever.
    #[must_use]
    pub(crate) fn of(candles: &Candles, now: Nanos) -> Option<Self> {
        let minute = Interval::parse("1m")?;
        let start = Nanos(now.0.saturating_sub(24 * Nanos::HOUR.0));
        let mut day: Option<Self> = None;
        for candle in candles.of(minute).filter(|candle| candle.start >= start) {
            let ids =
                candle.ids.map(|(first, last)| [first, last].map(|id| i64::try_from(id).unwrap_or(i64::MAX)));
            let day = day.get_or_insert(Self {
                start: candle.start,
                prices: candle.prices,
                volume: Qty(0),
                value: Amount::ZERO,
                first_id: -1,
                last_id: -1,
                count: 0,
            });
            let [_, high, low, close] = &mut day.prices;
            *high = (*high).max(candle.prices[1]);
            *low = (*low).min(candle.prices[2]);
            *close = candle.prices[3];
            day.volume.0 += candle.volume.0;
            day.value += candle.value;
            day.count += candle.count;
            if let Some([first, last]) = ids {
                day.last_id = last;
                if day.first_id < 0 {
                    day.first_id = first;
                }
            }
        }
        day
    }

    /// Last price minus first.
    #[must_use]
    pub(crate) const fn change(&self) -> Price {
        Price(self.prices[3].0 - self.prices[0].0)
    }

    /// The change in percent of the first price, three digits, rounded down.
    #[must_use]
    pub(crate) fn change_percent(&self) -> Decimal {
        let first = i128::from(self.prices[0].0.max(1));
        let mantissa = (i128::from(self.change().0) * 100_000).div_euclid(first);
        Decimal { mantissa, exponent: 3, digits: 3 }
    }
}
