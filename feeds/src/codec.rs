//! What one venue's market data does differently: how a frame becomes events, and when an update follows
//! the one before. Everything else (buffering, snapshots, gaps, numbering) is written once, in the feed stage.

use engine::ids::InstrumentId;
use engine::message::{Cell, Depth, Kline, LEVELS_PER_CELL, MarkPrice, Ticker, Trade};
use engine::num::Level;
use std::fmt;

/// One venue's market data.
pub trait FeedCodec {
    /// Decodes one whole frame into `out`, which it clears first.
    /// Err: counted and journalled by the caller, the frame is dropped.
    fn decode(&mut self, frame: &[u8], out: &mut Decoded) -> Result<Event, DecodeError>;

    /// Does `update` follow? Acted on by the synchronisation.
    fn chain(&self, state: &SyncState, update: &Depth) -> Chain;

    /// Frames that went to the general decoder because no scanner knew their shape.
    fn general_count(&self) -> u64;

    /// Whether a subscription begins with trades that an earlier one may have brought.
    fn resends_trades(&self) -> bool {
        false
    }
}

/// What a frame turned out to be; its contents are in [`Decoded`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Event {
    /// Changed levels: `Decoded::depth`.
    Delta,
    /// A whole book: `Decoded::depth`.
    Snapshot,
    /// A best-quote ticker: `Decoded::ticker`.
    Ticker,
    /// One or several trades: `Decoded::trades`.
    Trades,
    /// Mark price and funding: `Decoded::mark_price`.
    MarkPrice,
    /// The venue's candle: `Decoded::kline`.
    Kline,
    /// A well-formed message of a kind that the engine does not use: an acknowledgement, another stream.
    Other,
}

impl Event {
    /// How many there are: the length of a table indexed by them.
    pub const COUNT: usize = 7;
}

/// Room for one decoded frame, taken at start and used again for every frame.
#[derive(Debug)]
pub struct Decoded {
    /// What the event is about.
    pub instrument: InstrumentId,
    /// `Delta` and `Snapshot`.
    pub depth: DepthCells,
    /// `Ticker`.
    pub ticker: Ticker,
    /// `Trades`: at most [`TRADES_MAX`] are kept; never reallocated.
    pub trades: Vec<Trade>,
    /// `MarkPrice`.
    pub mark_price: MarkPrice,
    /// `Kline`.
    pub kline: Kline,
}

/// Trades that one frame may hold; more is `DecodeErrorKind::TooMany`.
pub const TRADES_MAX: usize = 4096;
/// Levels, bids and asks together, that one frame may hold; more is `DecodeErrorKind::TooMany`.
pub const LEVELS_MAX: usize = 16_384;
/// Bytes that one frame may have; more is `DecodeErrorKind::TooLong`. Room for [`LEVELS_MAX`] levels of 64 bytes.
pub const FRAME_BYTES_MAX: usize = 1 << 20;

impl Decoded {
    /// Takes the memory.
    #[must_use]
    pub fn new() -> Self {
        Self {
            instrument: InstrumentId::default(),
            depth: DepthCells::new(),
            ticker: Ticker::default(),
            trades: Vec::with_capacity(TRADES_MAX),
            mark_price: MarkPrice::default(),
            kline: Kline::default(),
        }
    }
}

impl Default for Decoded {
    fn default() -> Self {
        Self::new()
    }
}

/// A depth message in the form in which it travels: [`Depth`] in the first cell, levels behind it, bids first.
#[derive(Debug)]
pub struct DepthCells {
    cells: Box<[Cell]>,
}

impl DepthCells {
    fn new() -> Self {
        Self { cells: vec![Cell::default(); 1 + LEVELS_MAX / LEVELS_PER_CELL].into_boxed_slice() }
    }

    /// Ids, times and counts, to be filled by the decoder.
    #[inline]
    pub fn depth_mut(&mut self) -> &mut Depth {
        zerocopy::transmute_mut!(&mut self.cells[0])
    }

    /// Ids, times and counts.
    #[inline]
    #[must_use]
    pub fn depth(&self) -> &Depth {
        zerocopy::transmute_ref!(&self.cells[0])
    }

    /// Room for `LEVELS_MAX` levels: bids from the start, asks right behind the last bid.
    #[inline]
    pub fn levels_mut(&mut self) -> &mut [Level] {
        use zerocopy::{FromBytes, IntoBytes};
        <[Level]>::mut_from_bytes(self.cells[1..].as_mut_bytes()).unwrap_or_default()
    }

    /// The message's body cells. Zeroes the unused levels of the last cell, so that no stale bytes travel.
    #[inline]
    pub fn body(&mut self) -> &[Cell] {
        let (levels, cells) = {
            let depth = self.depth();
            (depth.bid_count as usize + depth.ask_count as usize, depth.body_cells())
        };
        let end = (cells - 1) * LEVELS_PER_CELL;
        if let Some(unused) = self.levels_mut().get_mut(levels..end) {
            unused.fill(Level::default());
        }
        self.cells.get(..cells).unwrap_or_default()
    }
}

/// Where a stream of depth updates stands, as far as the chain rule needs it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SyncState {
    /// Id of the snapshot in force.
    pub snapshot_id: u64,
    /// Last update id applied; the snapshot's while none was.
    pub last_id: u64,
    /// Whether an update was applied after the snapshot.
    pub first_applied: bool,
}

/// Whether an update follows the state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chain {
    /// It follows: apply it.
    Apply,
    /// The state already holds it: a repeat, or older than the snapshot.
    Stale,
    /// Something between is missing.
    Gap,
}

/// Why a frame could not be decoded, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecodeError {
    /// What is wrong.
    pub kind: DecodeErrorKind,
    /// The key that it is wrong with; empty when it is the frame as a whole.
    pub key: &'static str,
    /// Byte of the frame where it was noticed, from 0; the frame's length when something is missing.
    pub offset: u32,
}

/// What is wrong with a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum DecodeErrorKind {
    /// Not JSON.
    NotJson,
    /// JSON, but of no shape this venue sends.
    UnknownShape,
    /// A key that this message must have is not there.
    MissingKey,
    /// A key occurs twice.
    DuplicateKey,
    /// A value of the wrong type.
    WrongType,
    /// A number that is not one, or does not fit.
    BadNumber,
    /// A price between two ticks, or a quantity finer than the unit.
    OffStep,
    /// A symbol that this connection does not carry.
    UnknownSymbol,
    /// More levels or trades than a message may have.
    TooMany,
    /// More bytes than a frame may have.
    TooLong,
    /// A capture's line that does not begin with a receive time.
    NoReceiveTime,
}

impl DecodeErrorKind {
    /// Every kind, in the order of their numbers.
    pub const ALL: [Self; 11] = [
        Self::NotJson,
        Self::UnknownShape,
        Self::MissingKey,
        Self::DuplicateKey,
        Self::WrongType,
        Self::BadNumber,
        Self::OffStep,
        Self::UnknownSymbol,
        Self::TooMany,
        Self::TooLong,
        Self::NoReceiveTime,
    ];

    /// For people.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::NotJson => "not JSON",
            Self::UnknownShape => "not a message this venue sends",
            Self::MissingKey => "missing key",
            Self::DuplicateKey => "duplicate key",
            Self::WrongType => "value of the wrong type",
            Self::BadNumber => "bad number",
            Self::OffStep => "not a whole number of ticks or units",
            Self::UnknownSymbol => "symbol not carried by this connection",
            Self::TooMany => "too many entries",
            Self::TooLong => "frame too long",
            Self::NoReceiveTime => "no receive time before the message",
        }
    }
}

impl DecodeError {
    /// Bytes that the longest text of an error takes.
    pub const TEXT_MAX: usize = 128;
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = self.kind.name();
        if self.key.is_empty() {
            write!(f, "{what} at byte {}", self.offset)
        } else {
            write!(f, "{what} `{}` at byte {}", self.key, self.offset)
        }
    }
}

impl std::error::Error for DecodeError {}
