//! What travels between stages: a message is one 64-byte head and its body cells.
//!
//! The head says where a message comes from and what led to it; the body is what it says. Both are plain
//! data, so that a message crosses a ring as a copy of cells and a stage on the same thread as a reference.
//!
//! ```text
//! cell 0   Head                                              every message
//! cell 1   Depth | Trade | Ticker | MarkPrice | ...          the kind's first body cell
//! cell 2.. levels, four a cell                               Snapshot, Delta, BookChanged
//! ```

use crate::candle::Candle;
use crate::ids::{AccountId, Cause, ConnectionId, InstrumentId, StrategyId, VenueId};
use crate::num::{Level, Price, Qty, Side};
use crate::time::{Lap, Nanos, Stamp};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// 64 bytes, one cache line: the unit that rings move.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C, align(64))]
pub struct Cell(pub [u64; 8]);

/// What a message says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Kind {
    /// Feed: the whole book; forget what was there. Body: [`Depth`], then bids and asks.
    Snapshot = 1,
    /// Feed: absolute quantities of changed levels. Body: [`Depth`], then bids and asks.
    Delta = 2,
    /// Feed: the book can no longer be trusted until the next `Snapshot`. Body: none.
    Stale = 3,
    /// Feed: one trade, or one aggregate of trades. Body: [`Trade`].
    Trade = 4,
    /// Feed: the venue's own best bid and ask. Body: [`Ticker`].
    Ticker = 5,
    /// Feed: mark price and funding. Body: [`MarkPrice`].
    MarkPrice = 6,
    /// Feed: the venue's own candle. Body: [`Kline`], two cells.
    Kline = 7,
    /// Runner, through the feed stage: time has passed. `recv_ns` is the time; no body.
    Timer = 8,
    /// Book: the book after a message. Body: [`BookChanged`], then the changed slots of the top.
    BookChanged = 9,
    /// Signal: subscribed features that changed. Body: [`Features`], then the values, eight a cell.
    Features = 10,
    /// Strategy: the quotes it wants. Body: [`Target`], then further pairs of levels.
    Target = 11,
    /// Gateway to strategy: what became of an order. Body: [`Execution`], two cells.
    Execution = 12,
    /// The stream has ended; nothing follows on this path.
    End = 13,
    /// Operator: a command, or the answer to one. Body: `commands::CommandBody`, then its parameters.
    Command = 14,
    /// Signal: a subscribed candle has closed. Body: [`ClosedCandle`], two cells.
    Candle = 15,
    /// Feed: the frame `line` of `connection` has been taken to its end, whatever came of it; only where a tap
    /// asked for it, and not beyond the signal stage. No body.
    Mark = 16,
}

/// Set in [`Head::flags`] of the first message that a frame gave rise to: the one that its latency is taken from.
pub const FIRST_OF_FRAME: u8 = 1;

/// First cell of every message.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C, align(64))]
pub struct Head {
    /// What the message says: `Kind` as a number, read by [`Head::kind`].
    pub kind_code: u8,
    /// [`FIRST_OF_FRAME`].
    pub flags: u8,
    /// Body cells that follow.
    pub body_cells: u16,
    /// Number of the frame on its connection, from 1; the line of a capture.
    pub line: u32,
    /// What it is about.
    pub instrument: InstrumentId,
    /// Whose it is: a strategy's target or execution. 0 = the engine.
    pub strategy: StrategyId,
    /// The account traded on.
    pub account: AccountId,
    /// Where it came from.
    pub venue: VenueId,
    /// The socket or capture it came from.
    pub connection: ConnectionId,
    /// Feed messages: gap-free number of the instrument's messages, wrapping. Others: 0.
    pub seq: u32,
    /// The journal record that led to it.
    pub cause: Cause,
    /// When the frame left the socket: the time of this input.
    pub recv_ns: Nanos,
    /// The counter when this process received the frame. Zero: not stamped.
    pub received: Stamp,
    /// Ticks from `received` until decoded, booked, signalled, decided.
    pub laps: [Lap; 4],
}

const _: () = assert!(size_of::<Head>() == 64 && size_of::<Cell>() == 64);

impl Head {
    /// A head of `kind` with everything else zero.
    #[inline]
    #[must_use]
    pub fn new(kind: Kind) -> Self {
        Self { kind_code: kind as u8, ..Self::default() }
    }

    /// A head of another kind that keeps what led to it: instrument, origin, cause, time, stamps.
    #[inline]
    #[must_use]
    pub fn derive(&self, kind: Kind) -> Self {
        Self { kind_code: kind as u8, body_cells: 0, ..*self }
    }

    /// What the message says. None: a number that is no kind (never from this process).
    #[inline]
    #[must_use]
    pub const fn kind(&self) -> Option<Kind> {
        Some(match self.kind_code {
            1 => Kind::Snapshot,
            2 => Kind::Delta,
            3 => Kind::Stale,
            4 => Kind::Trade,
            5 => Kind::Ticker,
            6 => Kind::MarkPrice,
            7 => Kind::Kline,
            8 => Kind::Timer,
            9 => Kind::BookChanged,
            10 => Kind::Features,
            11 => Kind::Target,
            12 => Kind::Execution,
            13 => Kind::End,
            14 => Kind::Command,
            15 => Kind::Candle,
            16 => Kind::Mark,
            _ => return None,
        })
    }
}

/// A message as a stage sees it.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    /// Where it comes from.
    pub head: &'a Head,
    /// What it says.
    pub body: &'a [Cell],
}

impl<'a> Message<'a> {
    /// The body's first cell as `T`. None: the message has no such cell (never for the kind documented with `T`).
    #[inline]
    #[must_use]
    pub fn body_as<T: Body>(&self) -> Option<&'a T> {
        T::ref_from_prefix(self.body.as_bytes()).ok().map(|(body, _)| body)
    }

    /// The levels of a `Snapshot` or `Delta`: bids, asks. Empty when the counts do not fit the cells.
    #[inline]
    #[must_use]
    pub fn depth_levels(&self, depth: &Depth) -> (&'a [Level], &'a [Level]) {
        let levels = levels_of(self.body.get(1..).unwrap_or_default());
        let (bids, asks) = (depth.bid_count as usize, depth.ask_count as usize);
        match (levels.get(..bids), levels.get(bids..bids + asks)) {
            (Some(bids), Some(asks)) => (bids, asks),
            _ => (&[], &[]),
        }
    }
}

/// Cells as levels, four a cell.
#[inline]
#[must_use]
pub fn levels_of(cells: &[Cell]) -> &[Level] {
    <[Level]>::ref_from_bytes(cells.as_bytes()).unwrap_or_default()
}

/// Plain data that fills whole cells.
pub trait Body: FromBytes + IntoBytes + Immutable + KnownLayout + Copy {
    /// The cells it fills.
    #[inline]
    fn cells(&self) -> &[Cell] {
        <[Cell]>::ref_from_bytes(self.as_bytes()).unwrap_or_default()
    }
}

macro_rules! body {
    ($name:ident, $cells:literal) => {
        impl Body for $name {}
        const _: () = assert!(size_of::<$name>() == $cells * 64 && align_of::<$name>() == 64);
    };
}

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

    /// The name of the lowest bit set, for people; `valid` for 0.
    #[must_use]
    pub const fn name(state: u32) -> &'static str {
        match state & state.wrapping_neg() {
            0 => "valid",
            EMPTY => "no snapshot",
            STALE => "stale",
            CROSSED => "crossed",
            ONE_SIDED => "one-sided",
            BEYOND_SNAPSHOT => "beyond snapshot",
            TRUNCATED => "truncated near the touch",
            DISAGREES => "book and ticker disagree",
            _ => "unknown",
        }
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

/// Bids, and asks, that one target can hold.
pub const QUOTES_MAX: usize = 8;

/// First cell of the quotes a strategy wants on an instrument: the innermost pair, and how close an open order
/// has to be. Further pairs follow, two a cell, outwards. See [`Quotes`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C, align(64))]
pub struct Target {
    /// The innermost bid it wants; zero quantity: none.
    pub bid: Level,
    /// The innermost ask it wants; zero quantity: none.
    pub ask: Level,
    /// Why a side is empty; [`QuoteReason`] as a number.
    pub reason: u16,
    /// Pairs of levels, this one included; 1..=[`QUOTES_MAX`].
    pub pairs: u16,
    /// An open order this far from a wanted price stays where it is.
    pub price_tolerance_ticks: u32,
    /// An open order whose remaining quantity differs by no more than this share of the wanted one stays.
    pub qty_tolerance_bps: u32,
    /// Whose target it is.
    pub strategy: StrategyId,
    /// Zero.
    pub reserved: [u16; 9],
}
body!(Target, 1);

/// All the quotes a strategy wants on an instrument: an open order that is not among them is not wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C, align(64))]
pub struct Quotes {
    /// The innermost pair, counts, tolerances.
    pub first: Target,
    /// Further pairs of bid and ask, outwards; zero quantity: none. The last is always zero: it fills the cell.
    more: [[Level; 2]; QUOTES_MAX],
}
body!(Quotes, 5);

impl Quotes {
    /// One bid and one ask, with the reason when a side is empty.
    #[must_use]
    pub fn new(bid: Level, ask: Level, reason: QuoteReason) -> Self {
        let first = Target { bid, ask, reason: reason as u16, pairs: 1, ..Target::default() };
        Self { first, ..Self::default() }
    }

    /// No quotes at all.
    #[must_use]
    pub fn none(reason: QuoteReason) -> Self {
        Self::new(Level::default(), Level::default(), reason)
    }

    /// Adds a pair outside those before. False: [`QUOTES_MAX`] are there, it was not added.
    pub fn push(&mut self, bid: Level, ask: Level) -> bool {
        let pairs = usize::from(self.first.pairs);
        let has_room = pairs < QUOTES_MAX;
        if has_room && let Some(slot) = self.more.get_mut(pairs.wrapping_sub(1)) {
            *slot = [bid, ask];
            self.first.pairs += 1;
        }
        has_room
    }

    /// Pairs of bid and ask, from the innermost outwards.
    pub fn pairs(&self) -> impl Iterator<Item = (Level, Level)> + '_ {
        let first = std::iter::once((self.first.bid, self.first.ask));
        let more = self.more.iter().map(|[bid, ask]| (*bid, *ask));
        first.chain(more).take(usize::from(self.first.pairs).min(QUOTES_MAX))
    }

    /// Why a side is empty.
    #[must_use]
    pub fn reason(&self) -> QuoteReason {
        QuoteReason::ALL.get(usize::from(self.first.reason)).copied().unwrap_or(QuoteReason::NoData)
    }

    /// The cells that hold something: what travels and is journalled.
    #[inline]
    #[must_use]
    pub fn used_cells(&self) -> &[Cell] {
        let more = usize::from(self.first.pairs).saturating_sub(1).min(QUOTES_MAX - 1);
        self.cells().get(..1 + more.div_ceil(2)).unwrap_or_default()
    }

    /// From the body of a message or record. None: not as long as it says, or more pairs than there can be.
    #[inline]
    #[must_use]
    pub fn read(body: &[u8]) -> Option<Self> {
        let mut quotes = Self::default();
        quotes.as_mut_bytes().get_mut(..body.len())?.copy_from_slice(body);
        let fits = (1..=QUOTES_MAX).contains(&usize::from(quotes.first.pairs));
        (fits && size_of_val(quotes.used_cells()) == body.len()).then_some(quotes)
    }
}

/// Why a strategy quotes or not: the one current reason per strategy and instrument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum QuoteReason {
    /// Both sides are quoted.
    Quoting = 0,
    /// No input yet.
    NoData = 1,
    /// The book's state or touch cannot be made sense of.
    BookInvalid = 2,
    /// The touch is older than allowed.
    BookOld = 3,
    /// Long at the limit: no bid.
    PositionLong = 4,
    /// Short at the limit: no ask.
    PositionShort = 5,
    /// The size comes to less than the instrument's minimum.
    SizeBelowMinimum = 6,
    /// Trading was stopped.
    Stopped = 7,
    /// No snapshot was applied yet.
    BookEmpty = 8,
    /// The book lost its stream.
    BookStale = 9,
    /// Best bid at or above best ask.
    BookCrossed = 10,
    /// One side of the book has no level.
    BookOneSided = 11,
    /// The touch left the range that a snapshot covered.
    BookBeyondSnapshot = 12,
    /// Levels near the touch were dropped for capacity.
    BookTruncated = 13,
    /// Book and best-quote ticker disagree.
    BookDisagrees = 14,
    /// A feature that it rests on has no value.
    FeatureMissing = 15,
    /// The strategy's own rule wants none now.
    NotWanted = 16,
}

impl QuoteReason {
    /// Every reason, by its number.
    pub const ALL: [Self; 17] = [
        Self::Quoting,
        Self::NoData,
        Self::BookInvalid,
        Self::BookOld,
        Self::PositionLong,
        Self::PositionShort,
        Self::SizeBelowMinimum,
        Self::Stopped,
        Self::BookEmpty,
        Self::BookStale,
        Self::BookCrossed,
        Self::BookOneSided,
        Self::BookBeyondSnapshot,
        Self::BookTruncated,
        Self::BookDisagrees,
        Self::FeatureMissing,
        Self::NotWanted,
    ];

    /// For people.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Quoting => "quoting",
            Self::NoData => "no data yet",
            Self::BookInvalid => "book not valid",
            Self::BookOld => "book too old",
            Self::PositionLong => "long at the limit: no bid",
            Self::PositionShort => "short at the limit: no ask",
            Self::SizeBelowMinimum => "size below the instrument's minimum",
            Self::Stopped => "stopped",
            Self::BookEmpty => "book has no snapshot",
            Self::BookStale => "book stale",
            Self::BookCrossed => "book crossed",
            Self::BookOneSided => "book one-sided",
            Self::BookBeyondSnapshot => "book beyond its snapshot",
            Self::BookTruncated => "book truncated near the touch",
            Self::BookDisagrees => "book and ticker disagree",
            Self::FeatureMissing => "a feature has no value",
            Self::NotWanted => "the strategy wants none",
        }
    }
}

/// What became of an order, and where that leaves the position.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C, align(64))]
pub struct Execution {
    /// The order: sequence of its client order id; 0: refused by the gate before it had one.
    pub order_seq: u64,
    /// Its price and whole quantity.
    pub order: Level,
    /// Filled so far.
    pub filled: Qty,
    /// The fill that this reports; zero quantity: none.
    pub fill: Level,
    /// `Side` as a number.
    pub side: u8,
    /// `OrderState` as a number.
    pub state: u8,
    /// `RiskRule` as a number when the gate refused it, else 0.
    pub rule: u8,
    /// 1: the fill made liquidity, it rested.
    pub maker: u8,
    /// Whose order it is.
    pub strategy: StrategyId,
    /// Zero.
    pub reserved0: [u8; 2],
    /// The strategy's position in the instrument after it.
    pub position: Qty,
    /// Cash after it, fees not included, in units of the instrument's amount exponent.
    pub cash: [u64; 2],
    /// Profit and loss at the touch's mid after it, fees not included, likewise.
    pub pnl: [u64; 2],
    /// Fees paid so far, likewise; negative: earned.
    pub fees: [u64; 2],
    /// Zero.
    pub reserved1: [u64; 2],
}
body!(Execution, 2);

/// An `i128` as two words, for cells.
#[inline]
#[must_use]
pub const fn words_of(value: i128) -> [u64; 2] {
    let bits = value.cast_unsigned();
    #[expect(clippy::cast_possible_truncation, reason = "the two halves")]
    [bits as u64, (bits >> 64) as u64]
}

/// The `i128` of two words.
#[inline]
#[must_use]
pub const fn i128_of(words: [u64; 2]) -> i128 {
    ((words[1] as u128) << 64 | words[0] as u128).cast_signed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_survives_the_head() {
        for number in 0..=u8::MAX {
            let head = Head { kind_code: number, ..Head::default() };
            assert_eq!(
                head.kind().map_or(0, |kind| kind as u8),
                if (1..=16).contains(&number) { number } else { 0 }
            );
        }
    }

    #[test]
    fn levels_come_back_split_into_bids_and_asks() {
        let level = |price, qty| Level { price: Price(price), qty: Qty(qty) };
        let levels = [
            level(10, 1),
            level(9, 2),
            level(11, 3),
            level(12, 4),
            level(13, 5),
            Level::default(),
            Level::default(),
            Level::default(),
        ];
        let depth = Depth { bid_count: 2, ask_count: 3, ..Depth::default() };
        let mut body = depth.cells().to_vec();
        let cells: Vec<Cell> =
            levels.as_bytes().chunks(64).map(|c| Cell::read_from_bytes(c).unwrap()).collect();
        body.extend(cells);
        assert_eq!(body.len(), depth.body_cells());
        let head = Head::new(Kind::Delta);
        let message = Message { head: &head, body: &body };
        let seen: &Depth = message.body_as().unwrap();
        assert_eq!(message.depth_levels(seen), (&levels[..2], &levels[2..5]));
        let lying = Depth { bid_count: 2, ask_count: 30, ..depth };
        assert_eq!(message.depth_levels(&lying), (&[][..], &[][..]));
    }

    #[test]
    fn quotes_travel_in_the_cells_they_need_and_no_others_are_read() {
        let level = |price| Level { price: Price(price), qty: Qty(1) };
        let mut quotes = Quotes::new(level(100), level(101), QuoteReason::Quoting);
        for pair in 1..10_i64 {
            let bytes = quotes.used_cells().as_bytes();
            assert_eq!(bytes.len(), 64 * (1 + (usize::try_from(pair).unwrap().min(8) - 1).div_ceil(2)));
            assert_eq!(Quotes::read(bytes), Some(quotes));
            assert_eq!(Quotes::read(&bytes[1..]), None);
            assert_eq!(Quotes::read(&[bytes, &[0; 64]].concat()), None);
            assert_eq!(quotes.push(level(100 - pair), level(101 + pair)), pair < 8);
        }
        let wanted: Vec<i64> = quotes.pairs().map(|(bid, _)| bid.price.0).collect();
        assert_eq!(wanted, (93..=100).rev().collect::<Vec<_>>());
        let lying = Target { pairs: 9, ..quotes.first };
        assert_eq!(Quotes::read(lying.as_bytes()), None);
        assert_eq!(Quotes::read(Target::default().as_bytes()), None, "no pair is no target");
    }

    #[test]
    fn wide_amounts_survive_the_cell() {
        for value in [0, 1, -1, i128::MAX, i128::MIN, -865_202_800] {
            assert_eq!(i128_of(words_of(value)), value);
        }
    }

    #[test]
    fn the_lowest_state_bit_names_a_book() {
        assert_eq!(book_state::name(0), "valid");
        assert_eq!(book_state::name(book_state::CROSSED | book_state::STALE), "stale");
    }
}
