//! What the feed says of the market: depth, trades, tickers, mark prices, the venue's own candles.

use super::Body;
use crate::num::{Level, Price, Qty, Side};
use crate::time::Nanos;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Ids, times and counts of a `Snapshot` or `Delta`; the levels follow, bids first, best or venue's order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C, align(64))]
pub struct Depth {
    /// First update id that the frame covers (`U`); of a snapshot, its id.
    pub first_id: u64,
    /// Last update id that the frame covers (`u`); of a snapshot, its id.
    pub last_id: u64,
    /// Last update id of the frame before it (`pu`); 0 where the venue sends none.
    pub prev_id: u64,
    /// When the venue sent it (`E`); 0 where it does not say.
    pub venue_ns: Nanos,
    /// When the venue's engine made it (`T`); 0 where it does not say.
    pub transact_ns: Nanos,
    /// Number of bid levels.
    pub bid_count: u32,
    /// Number of ask levels behind them.
    pub ask_count: u32,
    /// 1: this snapshot needs no further message to be the current book (venues that send whole books).
    pub complete: u32,
    /// Zero.
    pub reserved: [u32; 3],
}
body!(Depth, 1);

impl Depth {
    /// Cells of the message's body: this one and the levels'.
    #[inline]
    #[must_use]
    pub const fn body_cells(&self) -> usize {
        1 + (self.bid_count as usize + self.ask_count as usize).div_ceil(LEVELS_PER_CELL)
    }
}

/// Levels that one cell holds.
pub const LEVELS_PER_CELL: usize = 4;

/// One trade, or one aggregate of trades at one price.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C, align(64))]
pub struct Trade {
    /// The venue's id of the first trade.
    pub first_id: u64,
    /// The venue's id of the last trade; equals `first_id` for a single trade.
    pub last_id: u64,
    /// Its price.
    pub price: Price,
    /// Its quantity.
    pub qty: Qty,
    /// When the venue sent it (`E`).
    pub venue_ns: Nanos,
    /// When it happened (`T`).
    pub trade_ns: Nanos,
    /// 0: the taker bought; 1: the taker sold (`Side` as a number).
    pub taker: u32,
    /// 1: an aggregate (`aggTrade`).
    pub aggregate: u32,
    /// Zero.
    pub reserved: u64,
}
body!(Trade, 1);

impl Trade {
    /// The side of the aggressor.
    #[inline]
    #[must_use]
    pub const fn taker_side(&self) -> Side {
        if self.taker == 0 { Side::Buy } else { Side::Sell }
    }
}

/// The venue's best bid and ask.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C, align(64))]
pub struct Ticker {
    /// Update id (`u`): orders it against depth messages.
    pub update_id: u64,
    /// Best bid; zero quantity where the side is empty.
    pub bid: Level,
    /// Best ask; zero quantity where the side is empty.
    pub ask: Level,
    /// When the venue sent it (`E`); 0 where it does not say.
    pub venue_ns: Nanos,
    /// When the venue's engine made it (`T`); 0 where it does not say.
    pub transact_ns: Nanos,
    /// Zero.
    pub reserved: u64,
}
body!(Ticker, 1);

/// Mark price, index price and funding of a perpetual. Amounts in 10^-8 of the quote asset: finer than a tick.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C, align(64))]
pub struct MarkPrice {
    /// Mark price, 10^-8 of the quote asset.
    pub mark_e8: i64,
    /// Index price, 10^-8 of the quote asset; 0 where the venue sends none.
    pub index_e8: i64,
    /// Estimated settlement price, 10^-8 of the quote asset; 0 where the venue sends none.
    pub settle_e8: i64,
    /// Funding rate of the running interval, 10^-8; 0 and no `funding_ns` on dated contracts.
    pub funding_rate_e8: i64,
    /// When funding is paid next; 0: no funding.
    pub funding_ns: Nanos,
    /// When the venue sent it (`E`).
    pub venue_ns: Nanos,
    /// Zero.
    pub reserved: [u64; 2],
}
body!(MarkPrice, 1);

/// The venue's own candle, running or closed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C, align(64))]
pub struct Kline {
    /// Start of the interval.
    pub open_time: Nanos,
    /// Length of the interval; 0 for the calendar month.
    pub length: Nanos,
    /// First price.
    pub open: Price,
    /// Highest price.
    pub high: Price,
    /// Lowest price.
    pub low: Price,
    /// Last price so far.
    pub close: Price,
    /// Base volume (contracts for inverse contracts).
    pub volume: Qty,
    /// Part of it whose taker bought.
    pub taker_buy_volume: Qty,
    /// Quote volume (base volume for inverse contracts), 10^-8.
    pub quote_volume_e8: i64,
    /// Part of it whose taker bought, 10^-8.
    pub taker_buy_quote_volume_e8: i64,
    /// Id of the first trade; `u64::MAX` when there was none.
    pub first_trade_id: u64,
    /// Id of the last trade; `u64::MAX` when there was none.
    pub last_trade_id: u64,
    /// Number of trades.
    pub trades: u64,
    /// When the venue sent it.
    pub venue_ns: Nanos,
    /// 1: closed, it will not change any more.
    pub closed: u64,
    /// Zero.
    pub reserved: u64,
}
body!(Kline, 2);
