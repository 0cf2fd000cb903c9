//! What book and signal stage make of the market: the touch and its state, features, closed candles.

use super::{Body, i128_of, words_of};
use crate::candle::Candle;
use crate::num::{Level, Price, Qty};
use crate::time::Nanos;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// The book after a message: the touch, its state, and which slots of the top changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C, align(64))]
pub struct BookChanged {
    /// Best bid of the newer of book and best-quote ticker, by update id; zero quantity: none.
    pub bid: Level,
    /// Best ask likewise.
    pub ask: Level,
    /// Update id that the touch belongs to.
    pub update_id: u64,
    /// Bits of [`book_state`]; 0: valid.
    pub state: u32,
    /// Changed bid slots of the top, bit 0 the best; their levels follow, then the asks'.
    pub bid_slots: u32,
    /// Changed ask slots of the top.
    pub ask_slots: u32,
    /// 1: the touch came from the best-quote ticker.
    pub from_ticker: u32,
    /// Zero.
    pub reserved: u64,
}
body!(BookChanged, 1);

/// Reasons why a book must not be quoted on, as bits of [`BookChanged::state`].
pub mod book_state {
    /// No snapshot was applied yet.
    pub const EMPTY: u32 = 1;
    /// The feed lost the stream's sequence, or the book stage lost the feed's.
    pub const STALE: u32 = 2;
    /// Best bid at or above best ask.
    pub const CROSSED: u32 = 4;
    /// One side has no level.
    pub const ONE_SIDED: u32 = 8;
    /// The touch left the price range that a snapshot covered: unknown levels may lie before it.
    pub const BEYOND_SNAPSHOT: u32 = 16;
    /// Capacity dropped levels close to the touch.
    pub const TRUNCATED: u32 = 32;
    /// Book and best-quote ticker disagreed at the same update id.
    pub const DISAGREES: u32 = 64;

    /// What the lowest bit set says, for people, from `valid` for none; [`index`] finds a state's.
    pub const NAMES: [&str; 9] = [
        "valid",
        "no snapshot",
        "stale",
        "crossed",
        "one-sided",
        "beyond snapshot",
        "truncated near the touch",
        "book and ticker disagree",
        "unknown",
    ];

    /// The place in [`NAMES`] of a state.
    #[inline]
    #[must_use]
    pub const fn index(state: u32) -> u64 {
        let first = state.trailing_zeros() as u64 + 1;
        match state {
            0 => 0,
            _ if first < NAMES.len() as u64 => first,
            _ => NAMES.len() as u64 - 1,
        }
    }

    /// The name of the lowest bit set, for people; `valid` for 0.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "below the number of names")]
    pub const fn name(state: u32) -> &'static str {
        NAMES[index(state) as usize]
    }
}

/// Features that strategies subscribed to, by slot. The values of the slots that are both changed and defined
/// follow in ascending order, `f64` as bits, eight a cell; the rest of the last cell is zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C, align(64))]
pub struct Features {
    /// How old the touch is: time of this input minus the time of the last input that confirmed it.
    pub touch_age: Nanos,
    /// Slots whose value became another, or ceased to be, since the message before; bit n is slot n.
    pub changed: u64,
    /// Slots that have a value now.
    pub defined: u64,
    /// Zero.
    pub reserved: [u64; 5],
}
body!(Features, 1);

impl Features {
    /// Slots that an instrument can have.
    pub const SLOTS_MAX: usize = u64::BITS as usize;
    /// Body cells of the largest message.
    pub const CELLS_MAX: usize = 1 + Self::SLOTS_MAX / 8;

    /// Cells that hold the values of these slots.
    #[inline]
    #[must_use]
    pub const fn value_cells(slots: u64) -> usize {
        (slots.count_ones() as usize).div_ceil(8)
    }
}

/// A candle that has closed; it will not change any more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C, align(64))]
pub struct ClosedCandle {
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
    /// Part of it whose taker bought.
    pub taker_buy_volume: Qty,
    /// Sum of notional values, in units of the instrument's amount exponent: an `i128` as [`words_of`] has it.
    pub quote_volume: [u64; 2],
    /// Part of it whose taker bought, likewise.
    pub taker_buy_quote_volume: [u64; 2],
    /// The venue's id of the first trade.
    pub first_trade_id: u64,
    /// The venue's id of the last trade.
    pub last_trade_id: u64,
    /// Number of trades.
    pub trades: u64,
    /// Length of the time frame; 0 for the calendar month.
    pub frame: Nanos,
}
body!(ClosedCandle, 2);

impl ClosedCandle {
    /// `candle`, of a time frame of this length (0: the calendar month).
    #[inline]
    #[must_use]
    pub const fn new(candle: &Candle, frame: Nanos) -> Self {
        Self {
            open_time: candle.open_time,
            length: candle.length,
            open: candle.open,
            high: candle.high,
            low: candle.low,
            close: candle.close,
            volume: candle.volume,
            taker_buy_volume: candle.taker_buy_volume,
            quote_volume: words_of(candle.quote_volume),
            taker_buy_quote_volume: words_of(candle.taker_buy_quote_volume),
            first_trade_id: candle.first_trade_id,
            last_trade_id: candle.last_trade_id,
            trades: candle.trades as u64,
            frame,
        }
    }

    /// The candle.
    #[must_use]
    pub fn candle(&self) -> Candle {
        Candle {
            open_time: self.open_time,
            length: self.length,
            open: self.open,
            high: self.high,
            low: self.low,
            close: self.close,
            volume: self.volume,
            taker_buy_volume: self.taker_buy_volume,
            quote_volume: i128_of(self.quote_volume),
            taker_buy_quote_volume: i128_of(self.taker_buy_quote_volume),
            trades: u32::try_from(self.trades).unwrap_or(u32::MAX),
            first_trade_id: self.first_trade_id,
            last_trade_id: self.last_trade_id,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lowest_state_bit_names_a_book() {
        assert_eq!(book_state::name(0), "valid");
        assert_eq!(book_state::name(book_state::CROSSED | book_state::STALE), "stale");
    }
}
