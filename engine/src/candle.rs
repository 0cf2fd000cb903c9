//! The candle: trades of one interval, in the instrument's exact integers.

use crate::num::{Price, Qty};
use crate::time::Nanos;

/// Trades of one instrument within one interval of venue time. Exact; research code converts to floats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candle {
    /// Start of the interval, UTC.
    pub open_time: Nanos,
    /// Its length; of a month, the length of that month.
    pub length: Nanos,
    /// First trade's price.
    pub open: Price,
    /// Highest price.
    pub high: Price,
    /// Lowest price.
    pub low: Price,
    /// Last trade's price.
    pub close: Price,
    /// Sum of quantities.
    pub volume: Qty,
    /// Part of `volume` whose taker bought.
    pub taker_buy_volume: Qty,
    /// Sum of notional values, in units of the instrument's amount exponent.
    pub quote_volume: i128,
    /// Part of `quote_volume` whose taker bought.
    pub taker_buy_quote_volume: i128,
    /// Number of trades; 0 in a candle that fills a gap.
    pub trades: u32,
    /// The venue's id of the first trade; 0 without one.
    pub first_trade_id: u64,
    /// The venue's id of the last trade; 0 without one.
    pub last_trade_id: u64,
}

impl Candle {
    /// An interval without a trade: prices stand still at `close`.
    #[must_use]
    pub const fn standing_still(close: Price, open_time: Nanos, length: Nanos) -> Self {
        Self {
            open_time,
            length,
            open: close,
            high: close,
            low: close,
            close,
            volume: Qty(0),
            taker_buy_volume: Qty(0),
            quote_volume: 0,
            taker_buy_quote_volume: 0,
            trades: 0,
            first_trade_id: 0,
            last_trade_id: 0,
        }
    }

    /// Takes what happened next, however long it lasted. Sums saturate.
    #[inline]
    pub fn append(&mut self, next: &Self) {
        if next.trades == 0 {
            return;
        }
        if self.trades == 0 {
            *self = Self { open_time: self.open_time, length: self.length, ..*next };
            return;
        }
        let sum = |a: Qty, b: Qty| Qty(a.0.saturating_add(b.0));
        self.high = self.high.max(next.high);
        self.low = self.low.min(next.low);
        self.close = next.close;
        self.volume = sum(self.volume, next.volume);
        self.taker_buy_volume = sum(self.taker_buy_volume, next.taker_buy_volume);
        self.quote_volume = self.quote_volume.saturating_add(next.quote_volume);
        self.taker_buy_quote_volume = self.taker_buy_quote_volume.saturating_add(next.taker_buy_quote_volume);
        self.trades = self.trades.saturating_add(next.trades);
        self.last_trade_id = next.last_trade_id;
    }

    /// The first field in which a venue's candle of the same interval differs from this one; prices and
    /// volume only when the venue tells no more (`trades` 0).
    #[must_use]
    pub fn differs_from(&self, venue: &Self) -> Option<Difference> {
        let prices = [
            ("open_time", i128::from(self.open_time.0), i128::from(venue.open_time.0)),
            ("open", self.open.0.into(), venue.open.0.into()),
            ("high", self.high.0.into(), venue.high.0.into()),
            ("low", self.low.0.into(), venue.low.0.into()),
            ("close", self.close.0.into(), venue.close.0.into()),
            ("volume", self.volume.0.into(), venue.volume.0.into()),
        ];
        let rest = [
            ("taker_buy_volume", self.taker_buy_volume.0.into(), venue.taker_buy_volume.0.into()),
            ("quote_volume", self.quote_volume, venue.quote_volume),
            ("taker_buy_quote_volume", self.taker_buy_quote_volume, venue.taker_buy_quote_volume),
            ("trades", self.trades.into(), venue.trades.into()),
        ];
        let told = if venue.trades == 0 { 0 } else { rest.len() };
        let mut fields = prices.into_iter().chain(rest.into_iter().take(told));
        let differs = fields.find(|(_, own, venue)| own != venue);
        differs.map(|(field, own, venue)| Difference { field, own, venue })
    }
}

/// Where a venue's candle differs from the one made of its trades.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The field.
    pub field: &'static str,
    /// Made of the trades.
    pub own: i128,
    /// Told by the venue.
    pub venue: i128,
}
