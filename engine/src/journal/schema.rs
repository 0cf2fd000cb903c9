//! What the records of a run's journal hold. Bodies are plain little-endian data, declared here once for the
//! stages that write them and the tools that read them. Texts (configuration, instruments, reasons) are UTF-8.

mod orders;

pub use orders::{CommandResult, HandResult, OrderBody};

use crate::ids::StrategyId;
use crate::message::{BookChanged, Execution, book_state, i128_of, words_of};
use crate::num::{Decimal, Level, Price, Qty};
use crate::order::{Order, OrderKind};
use crate::position::Position;
use crate::risk::{Refusal, RiskRule};
use crate::time::Nanos;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// What a record is. The numbers are stored: they are never given a second meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u16)]
pub enum RecordKind {
    /// Runner: the whole resolved configuration, TOML text.
    Config = 1,
    /// Runner: the instruments of the run with their ids, TOML text.
    Instruments = 2,
    /// Runner: version and build of the program, `key = value` lines.
    Build = 3,
    /// Runner: wall clock and the CPU's counter at one moment, every 10 s. Body: [`ClockAnchor`].
    ClockAnchor = 4,
    /// Runner: how the run ended, text; last record of an orderly run.
    RunEnd = 5,
    /// Runner: a command as it was taken, text: lane, id, author, what it asks for.
    OperatorCommand = 6,
    /// Runner: the instrument that each connection carries and the stages that share a thread, TOML text.
    Wiring = 7,
    /// Runner: a thread stalled or died, text.
    ThreadLost = 8,
    /// Feed: one inbound frame as received. Body: [`FrameHead`], then the frame's bytes.
    Frame = 10,
    /// Feed: the frame could not be used. Body: what is wrong and where, text.
    DecodeError = 11,
    /// Feed: time has passed; `recv_ns` is the time. No body.
    Timer = 12,
    /// Feed: an instrument's stream lost its sequence. Body: [`StreamBreak`].
    StreamStale = 13,
    /// Feed: an instrument's stream continues from a snapshot. Body: [`StreamBreak`] with `expected` = the snapshot's id.
    StreamResync = 14,
    /// Feed: a connection was opened or lost; `recv_ns` is the time. Body: [`ConnectionChange`].
    Connection = 15,
    /// A stage with several inputs: it took `count` inputs in a row from `input`. Body: [`Took`].
    Took = 20,
    /// Strategy: the quotes it wants. Body: [`Quotes`](crate::message::Quotes), the cells in use.
    Target = 21,
    /// Strategy: a command was taken. Body: [`CommandBody`](crate::commands::CommandBody), then its parameters.
    Command = 22,
    /// Strategy: a parameter has another value from this input on. Body: [`ParamChange`].
    Param = 23,
    /// Gateway: the risk gate refused an order. Body: [`GateRefusal`].
    GateRefused = 30,
    /// Gateway: the risk gate approved an order; it leaves next. Body: [`OrderBody`].
    Order = 31,
    /// Gateway: a cancel leaves next. Body: [`OrderBody`] of the order.
    Cancel = 32,
    /// Gateway: the venue answered, or an order changed state. Body: [`Execution`].
    OrderUpdate = 33,
    /// Gateway: a fill, and the position after it. Body: [`Execution`].
    Fill = 34,
    /// Gateway: latency stamps of one frame. Body: [`Stamps`].
    Stamps = 35,
    /// Gateway: the risk gate approved another price and quantity for an order; the request leaves next. Body:
    /// [`OrderBody`] with the new ones.
    Amend = 36,
    /// Gateway: latency stamps of one order or amendment that left; caused by its record. Body: [`OrderStamps`].
    OrderStamps = 37,
    /// Gateway: an instrument's best bid and ask as the gate sees them, where they differ from the record before:
    /// when they may be trusted again or no more, after a target was taken up, before a fill, at the end, and else
    /// ten times a second at most. Body: [`Touch`].
    Touch = 38,
    /// Gateway: trading was stopped; what follows only ends what was open. No body.
    Halt = 39,
    /// Gateway: what a strategy holds, when the run begins from the run before, and told again now and then. Body:
    /// [`OpeningBody`].
    Opening = 40,
    /// Gateway: an order that has not ended; when the run begins one of an earlier run, unknown until the venue has said.
    /// Body: [`CarriedBody`].
    Carried = 41,
    /// Gateway: the `Opening` and `Carried` records right before this one say all that is held and open, so that nothing
    /// before them is needed to go on. The first stands before anything was sent. Body: [`BegunBody`], then what a venue
    /// held before any run of the engine, a quantity an instrument, as in `Account`.
    Begun = 42,
    /// Gateway: a venue's answer as it was taken; `recv_ns` is when it was received. Body: [`AnsweredBody`].
    Answered = 43,
    /// Gateway: a request did not leave. Body: [`UnsentBody`].
    Unsent = 44,
    /// Gateway: answers may have been lost, and every order is asked about. Body: [`HeardBody`].
    Reconnected = 45,
    /// Gateway: what a venue holds of ours, as it was asked for. Body: [`AccountBody`], then its rows.
    Account = 46,
    /// Gateway: a venue says what funding was paid on an instrument. Body: [`PaidBody`].
    Paid = 47,
    /// Gateway: what a strategy holds paid or received funding. Body: [`FundingBody`].
    Funding = 48,
    /// Gateway: what came of an order by hand, a cancel by id or the closing of a position; caused by the strategy
    /// lane's record of the command. Body: [`CommandResult`].
    CommandResult = 49,
}

impl RecordKind {
    /// Every kind.
    pub const ALL: [Self; 38] = [
        Self::Config,
        Self::Instruments,
        Self::Build,
        Self::ClockAnchor,
        Self::RunEnd,
        Self::OperatorCommand,
        Self::Wiring,
        Self::ThreadLost,
        Self::Frame,
        Self::DecodeError,
        Self::Timer,
        Self::StreamStale,
        Self::StreamResync,
        Self::Connection,
        Self::Took,
        Self::Target,
        Self::Command,
        Self::Param,
        Self::GateRefused,
        Self::Order,
        Self::Cancel,
        Self::OrderUpdate,
        Self::Fill,
        Self::Stamps,
        Self::Amend,
        Self::OrderStamps,
        Self::Touch,
        Self::Halt,
        Self::Opening,
        Self::Carried,
        Self::Begun,
        Self::Answered,
        Self::Unsent,
        Self::Reconnected,
        Self::Account,
        Self::Paid,
        Self::Funding,
        Self::CommandResult,
    ];

    /// The kind of a stored number. None: written by a later version.
    #[must_use]
    pub fn from_u16(value: u16) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| *kind as u16 == value)
    }

    /// The name that tools filter by and print.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Config => "config",
            Self::Instruments => "instruments",
            Self::Build => "build",
            Self::ClockAnchor => "clock-anchor",
            Self::RunEnd => "run-end",
            Self::OperatorCommand => "operator-command",
            Self::Wiring => "wiring",
            Self::ThreadLost => "thread-lost",
            Self::Frame => "frame",
            Self::DecodeError => "decode-error",
            Self::Timer => "timer",
            Self::StreamStale => "stale",
            Self::StreamResync => "resync",
            Self::Connection => "connection",
            Self::Took => "took",
            Self::Target => "target",
            Self::Command => "command",
            Self::Param => "param",
            Self::GateRefused => "gate-refused",
            Self::Order => "order",
            Self::Cancel => "cancel",
            Self::OrderUpdate => "order-update",
            Self::Fill => "fill",
            Self::Stamps => "stamps",
            Self::Amend => "amend",
            Self::OrderStamps => "order-stamps",
            Self::Touch => "touch",
            Self::Halt => "halt",
            Self::Opening => "opening",
            Self::Carried => "carried",
            Self::Begun => "begun",
            Self::Answered => "answered",
            Self::Unsent => "unsent",
            Self::Reconnected => "reconnected",
            Self::Account => "account",
            Self::Paid => "paid",
            Self::Funding => "funding",
            Self::CommandResult => "command-result",
        }
    }
}

/// Body of `ClockAnchor`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct ClockAnchor {
    /// Wall clock, ns since 1970.
    pub wall_ns: u64,
    /// The CPU's counter.
    pub ticks: u64,
}

/// First bytes of a `Frame` body.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct FrameHead {
    /// Number of the frame on its connection, from 1; the line of a capture.
    pub line: u32,
    /// The socket or capture it came from.
    pub connection: u16,
    /// 1: a capture's line without a receive time: no frame, and it carries the time before it.
    pub clockless: u16,
    /// Checksum of the frame's record before this one, whose own holds that of the one before it: frames that were
    /// changed later, checksum included, show. 0: the first.
    pub before_crc32c: u32,
}

/// Body of `StreamStale` and `StreamResync`: the ids that did not, or do, fit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct StreamBreak {
    /// Last update id that the book held (stale), or the snapshot's id (resync).
    pub expected: u64,
    /// First update id of the message that came.
    pub first_id: u64,
    /// Last update id of the message that came.
    pub last_id: u64,
}

/// Body of `Connection`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct ConnectionChange {
    /// The connection, by its place in the run's list.
    pub connection: u16,
    /// 1: opened; 0: lost.
    pub is_open: u16,
    /// Zero.
    pub reserved: u32,
}

/// Body of `Took`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Took {
    /// Which input: 0 the stage before, 1 the stage behind, 2 commands.
    pub input: u32,
    /// How many in a row.
    pub count: u32,
}

/// Body of `Param`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct ParamChange {
    /// Whose parameter it is.
    pub strategy: u16,
    /// Its place among the strategy's parameters.
    pub index: u16,
    /// Zero.
    pub reserved: u32,
    /// The new value, in 10^-digits of the parameter.
    pub value: i64,
}

/// Body of `Opening`. Amounts as two words, in units of the instrument's amount exponent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct OpeningBody {
    /// Held; negative when short.
    pub qty: Qty,
    /// Number of fills.
    pub fills: u64,
    /// Earned by selling minus spent by buying, fees not included.
    pub cash: [u64; 2],
    /// What the quantity held is worth at its average cost.
    pub cost: [u64; 2],
    /// Fees paid.
    pub fees: [u64; 2],
    /// Quantity bought.
    pub bought: [u64; 2],
    /// Quantity sold.
    pub sold: [u64; 2],
    /// Whose it is.
    pub strategy: u16,
    /// Zero.
    pub reserved: [u16; 3],
}

impl OpeningBody {
    /// What a strategy holds.
    #[must_use]
    pub const fn new(strategy: StrategyId, position: &Position) -> Self {
        Self {
            qty: position.qty,
            fills: position.fills,
            cash: words_of(position.cash),
            cost: words_of(position.cost),
            fees: words_of(position.fees),
            bought: words_of(position.bought),
            sold: words_of(position.sold),
            strategy: strategy.0,
            reserved: [0; 3],
        }
    }

    /// The position.
    #[must_use]
    pub const fn position(&self) -> Position {
        Position {
            qty: self.qty,
            cash: i128_of(self.cash),
            cost: i128_of(self.cost),
            fees: i128_of(self.fees),
            fills: self.fills,
            bought: i128_of(self.bought),
            sold: i128_of(self.sold),
            funding: 0,
        }
    }
}

/// Body of `Begun`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct BegunBody {
    /// The last order sequence that was used, by this run or an earlier one; 0: none.
    pub last_seq: u64,
    /// The `Opening` and `Carried` records right before it.
    pub records: u64,
    /// Number of the run, as in its client order ids.
    pub run: u32,
    /// Number of the engine likewise.
    pub engine: u16,
    /// 1: a venue answers orders, and its answers are journalled; 0: a paper exchange does.
    pub is_outside: u16,
}

/// First words of what came from a venue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct HeardBody {
    /// Inputs that the gateway had taken before: messages, and moments at which something fell due.
    pub after: u64,
}

/// Body of `Unsent`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct UnsentBody {
    /// Number of the request among those of the run, from 1.
    pub request: u64,
}

/// Body of `Answered`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct AnsweredBody {
    /// As in [`HeardBody`].
    pub after: u64,
    /// Sequence of the order; 0: not of this engine.
    pub order_seq: u64,
    /// Price and quantity of a fill; price and whole quantity of an amended or open order; else zero.
    pub level: Level,
    /// All that had filled, as the venue counts; below zero: it does not say.
    pub filled: Qty,
    /// All that had filled, in the answer to a query.
    pub standing_filled: Qty,
    /// What the fill cost: the mantissa's two words.
    pub fee: [u64; 2],
    /// The run that the client order id is of.
    pub run: u32,
    /// What was said.
    pub event: u8,
    /// In the answer to a query: where the order stands.
    pub standing: u8,
    /// 1: the order of the fill rested.
    pub maker: u8,
    /// Power of ten that `fee` is scaled by.
    pub fee_exponent: u8,
    /// What the fee was paid in, plus 1; 0: the venue does not say.
    pub fee_asset: u8,
    /// Zero.
    pub reserved: [u8; 3],
    /// How long the placement that is answered was under way, ns, saturating; 0: another answer.
    pub round_trip_ns: u32,
}

impl AnsweredBody {
    /// What was said, by the number of `event`.
    pub const EVENTS: [&'static str; 10] = [
        "accepted",
        "rejected",
        "canceled",
        "cancel-refused",
        "amended",
        "amend-refused",
        "expired",
        "filled",
        "standing",
        "triggered",
    ];
    /// `event` of a stop whose trigger was met.
    pub const TRIGGERED: u8 = 9;
    /// Where an order stands, by the number of `standing`.
    pub const STANDINGS: [&'static str; 7] =
        ["unknown", "absent", "open", "filled", "canceled", "rejected", "expired"];

    /// What was said; in the answer to a query, where the order stands. None: a number of a later version.
    #[must_use]
    pub fn name(&self) -> Option<&'static str> {
        match *Self::EVENTS.get(usize::from(self.event))? {
            "standing" => Self::STANDINGS.get(usize::from(self.standing)).copied(),
            name => Some(name),
        }
    }
}

/// First bytes of an `Account` body; `open` times [`AccountOrder`] follow, then `positions` quantities, then as many of
/// what was there before any run of the engine, below zero where it is not known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct AccountBody {
    /// As in [`HeardBody`].
    pub after: u64,
    /// Open orders.
    pub open: u32,
    /// Instruments, by id.
    pub positions: u32,
}

/// An open order in an `Account` body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct AccountOrder {
    /// Price and whole quantity.
    pub level: Level,
    /// Traded so far.
    pub filled: Qty,
    /// What it trades.
    pub instrument: u32,
    /// `Side`.
    pub side: u8,
    /// Bytes of `id` in use.
    pub id_len: u8,
    /// Zero.
    pub reserved: u16,
    /// What the venue knows it by.
    pub id: [u8; 40],
}

/// Body of `Paid`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct PaidBody {
    /// As in [`HeardBody`].
    pub after: u64,
    /// Received in the settlement asset; negative: paid. The mantissa's two words.
    pub amount: [u64; 2],
    /// Power of ten that it is scaled by.
    pub exponent: u64,
}

/// Body of `Funding`. Amounts as two words, in units of the instrument's amount exponent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct FundingBody {
    /// What was held; negative when short.
    pub qty: Qty,
    /// The mark price that it was valued at, 10^-8 of the quote asset; 0: the venue said what was paid.
    pub mark_e8: i64,
    /// Part of the value that longs pay to shorts, 10^-8.
    pub rate_e8: i64,
    /// Received; negative: paid.
    pub received: [u64; 2],
    /// Cash after it.
    pub cash: [u64; 2],
    /// Whose it is.
    pub strategy: u16,
    /// Zero.
    pub reserved: [u16; 3],
}

/// Body of `Carried`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct CarriedBody {
    /// The order, at the price and whole quantity that it had when it was last known.
    pub order: OrderBody,
    /// Price and whole quantity of an amendment that was not answered; zero quantity: there was none.
    pub amend: Level,
    /// Traded of it.
    pub filled: Qty,
    /// The run that its client order id is of.
    pub run: u32,
    /// Zero.
    pub reserved: u32,
}

/// Body of `GateRefused`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct GateRefusal {
    /// Price of the order refused; of a stop without a limit the trigger, of a market order zero.
    pub price: Price,
    /// Its quantity.
    pub qty: Qty,
    /// What the rule allows: the mantissa's two words.
    pub limit: [u64; 2],
    /// What the order would be, likewise.
    pub value: [u64; 2],
    /// Powers of ten that `limit` and `value` are scaled by.
    pub exponents: [u8; 2],
    /// `RiskRule`.
    pub rule: u16,
    /// `Side`.
    pub side: u8,
    /// `OrderKind`.
    pub kind: u8,
    /// Whose order it was.
    pub strategy: u16,
}

impl GateRefusal {
    /// The refusal of an order.
    #[must_use]
    pub fn new(order: &Order, refusal: &Refusal) -> Self {
        Self {
            price: if order.terms.kind == OrderKind::Stop { order.terms.trigger } else { order.level.price },
            qty: order.level.qty,
            limit: words_of(refusal.limit.mantissa),
            value: words_of(refusal.value.mantissa),
            exponents: [refusal.limit.exponent, refusal.value.exponent],
            rule: refusal.rule as u16,
            side: order.side as u8,
            kind: order.terms.kind as u8,
            strategy: order.strategy.0,
        }
    }

    /// Rule, limit and value. None: a rule of a later version.
    #[must_use]
    pub fn refusal(&self) -> Option<Refusal> {
        let rule = RiskRule::ALL.into_iter().find(|rule| *rule as u16 == self.rule)?;
        let decimal = |words, exponent| Decimal { mantissa: i128_of(words), exponent, digits: 0 };
        let [limit_exponent, value_exponent] = self.exponents;
        Some(Refusal {
            rule,
            limit: decimal(self.limit, limit_exponent),
            value: decimal(self.value, value_exponent),
            until: Nanos::MAX,
        })
    }
}

/// Body of `Stamps`: nanoseconds from the frame's receipt to the end of each step; 0: it did not get there.
/// Saturates at 2^32 - 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Stamps {
    /// Decoded and synchronised.
    pub decoded: u32,
    /// In the book.
    pub booked: u32,
    /// Features computed.
    pub signalled: u32,
    /// Seen by the strategy.
    pub decided: u32,
}

/// Body of `OrderStamps`: nanoseconds from the receipt of the frame that caused the order to the end of each
/// step. Saturates at 2^32 - 1. Orders that no frame caused (a timer, a fill) have none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct OrderStamps {
    /// Features computed.
    pub signalled: u32,
    /// Target stated.
    pub decided: u32,
    /// Target taken up by the gateway.
    pub entered: u32,
    /// Approved by the gate.
    pub approved: u32,
    /// Journalled, and in the venue's bytes.
    pub encoded: u32,
    /// Handed over.
    pub sent: u32,
}

/// Body of `Touch`: fits beside the record's head, so that one costs a single cell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Touch {
    /// Best bid; no price where `has_both_sides` is false.
    pub bid: Price,
    /// Best ask likewise.
    pub ask: Price,
    /// Bits of [`book_state`]; 0: the book is valid.
    pub state: u32,
    /// 1: the venue's best-quote ticker was newer than the book.
    pub from_ticker: u32,
}

impl Touch {
    /// Of an instrument whose book has not been seen.
    pub const UNSEEN: Self = Self {
        bid: Price(0),
        ask: Price(0),
        state: book_state::EMPTY | book_state::ONE_SIDED,
        from_ticker: 0,
    };

    /// The touch after a message.
    #[inline]
    #[must_use]
    pub const fn of(book: &BookChanged) -> Self {
        let is_whole = book.bid.qty.0 > 0 && book.ask.qty.0 > 0;
        let one_sided = if is_whole { 0 } else { book_state::ONE_SIDED };
        Self {
            bid: book.bid.price,
            ask: book.ask.price,
            state: book.state | one_sided,
            from_ticker: book.from_ticker,
        }
    }

    /// Whether there is a bid and an ask to value a position at, in doubt or not.
    #[inline]
    #[must_use]
    pub const fn has_both_sides(&self) -> bool {
        self.state & book_state::ONE_SIDED == 0
    }

    /// Whether the touch is the market's: of a valid book, or from the venue's ticker where nothing but the book's
    /// depth is in doubt.
    #[inline]
    #[must_use]
    pub const fn is_sound(&self) -> bool {
        let depth = book_state::BEYOND_SNAPSHOT | book_state::TRUNCATED;
        self.state == 0 || (self.from_ticker == 1 && self.state & !depth == 0)
    }
}

const _: () = assert!(size_of::<Touch>() == 24);
const _: () = assert!(size_of::<ParamChange>() == 16);
const _: () = assert!(size_of::<OpeningBody>() == 104 && size_of::<CarriedBody>() == 72);
const _: () = assert!(size_of::<FrameHead>() == 12);
const _: () = assert!(size_of::<Execution>() == 128);
const _: () = assert!(size_of::<AnsweredBody>() == 80 && size_of::<AccountOrder>() == 72);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::num::Level;

    #[test]
    fn kinds_have_numbers_and_names_of_their_own() {
        for kind in RecordKind::ALL {
            assert_eq!(RecordKind::from_u16(kind as u16), Some(kind));
            assert_eq!(RecordKind::ALL.iter().filter(|other| other.name() == kind.name()).count(), 1);
        }
        assert_eq!(RecordKind::from_u16(0), None);
    }

    #[test]
    fn a_touch_is_sound_on_a_valid_book_and_on_a_ticker_beside_unknown_depth() {
        let level = |price, qty| Level { price: Price(price), qty: Qty(qty) };
        let touch = |state, from_ticker, ask_qty| {
            let (bid, ask) = (level(100, 5), level(101, ask_qty));
            Touch::of(&BookChanged { bid, ask, state, from_ticker, ..BookChanged::default() })
        };
        let sound = |touch: Touch| (touch.has_both_sides(), touch.is_sound());
        assert_eq!(sound(touch(0, 0, 5)), (true, true));
        assert_eq!(sound(touch(0, 0, 0)), (false, false));
        assert_eq!(sound(touch(book_state::BEYOND_SNAPSHOT, 0, 5)), (true, false));
        assert_eq!(sound(touch(book_state::BEYOND_SNAPSHOT, 1, 5)), (true, true));
        assert_eq!(sound(touch(book_state::STALE, 1, 5)), (true, false));
        assert_eq!(sound(Touch::UNSEEN), (false, false));
    }
}
