//! The candle: trades of one interval, in the instrument's exact integers.

use crate::num::{Price, Qty};
use crate::time::Nanos;

/// Trades of one instrument within one interval of venue time. Exact; research code converts to floats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candle {
    /// Start of the interval: a multiple of `length` since 1970.
    pub open_time: Nanos,
    /// Length of the interval.
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
    /// Number of trades.
    pub trades: u32,
    /// The venue's id of the first trade.
    pub first_trade_id: u64,
    /// The venue's id of the last trade.
    pub last_trade_id: u64,
}
