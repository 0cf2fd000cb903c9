//! What a client asks for, and what became of it.

use super::amount::Amount;
use super::matcher::Handle;
use engine::ids::{AccountId, InstrumentId};
use engine::num::{Price, Qty, Side};
use engine::order::Tif;
use engine::time::Nanos;
use std::fmt;

/// An order's number at the venue: from 1, in the order of acceptance, one sequence for all markets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OrderId(pub u64);

/// The client's name of an order: 1 to 36 bytes of ASCII without spaces and controls.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ClientId {
    bytes: [u8; Self::LEN_MAX],
    len: u8,
}

impl ClientId {
    /// Longest id, bytes.
    pub const LEN_MAX: usize = 36;

    /// The name of orders that nobody asks for by name.
    pub(super) const CROWD: Self = {
        let mut bytes = [0; Self::LEN_MAX];
        bytes[0] = b'-';
        Self { bytes, len: 1 }
    };

    /// None: empty, too long, or a byte outside `!`..=`~`. What else the venue forbids its dialect checks.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let fits =
            (1..=Self::LEN_MAX).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        let mut bytes = [0; Self::LEN_MAX];
        bytes.get_mut(..text.len())?.copy_from_slice(text.as_bytes());
        fits.then(|| Self { bytes, len: u8::try_from(text.len()).unwrap_or(0) })
    }

    /// The id as it was given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.bytes[..usize::from(self.len)]).unwrap_or_default()
    }
}

impl fmt::Display for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

/// How an order is named in a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrderRef {
    /// By the venue's number.
    Id(OrderId),
    /// By the client's name: the newest order of that name.
    Client(ClientId),
    /// By both, which must belong to one order.
    Both(OrderId, ClientId),
}

/// Market or limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Takes at any price; what finds nobody expires.
    Market,
    /// Takes up to its price; `tif` says what becomes of the rest.
    Limit {
        /// The worst price it trades at.
        price: Price,
        /// What becomes of what does not trade at once.
        tif: Tif,
    },
}

impl Kind {
    /// The limit price. None: a market order.
    #[must_use]
    pub const fn price(self) -> Option<Price> {
        match self {
            Self::Limit { price, .. } => Some(price),
            Self::Market => None,
        }
    }

    /// Whether what is left of it rests in the book.
    #[must_use]
    pub const fn rests(self) -> bool {
        matches!(self, Self::Limit { tif: Tif::Gtc | Tif::PostOnly, .. })
    }
}

/// How much an order is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// A quantity.
    Base(Qty),
    /// Market orders on spot: as many lots as this much of the quote asset buys or as sell for it.
    Quote(Amount),
    /// Conditional market orders on futures: whatever the position is when the order is triggered.
    Position,
}

/// Which price wakes a conditional order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TriggerSource {
    /// The last trade's.
    Last,
    /// The mark price (futures).
    Mark,
}

/// On which side of the market a conditional order waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TriggerKind {
    /// Against the position: a buy waits for a rise to its price, a sell for a fall.
    Stop,
    /// With it: a buy waits for a fall, a sell for a rise.
    TakeProfit,
}

/// What a conditional order waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trigger {
    /// The price that wakes it.
    pub price: Price,
    /// Of what.
    pub source: TriggerSource,
    /// From which side.
    pub kind: TriggerKind,
}

impl Trigger {
    /// Whether the order waits for prices at or above its own (or else at or below).
    #[must_use]
    pub fn waits_for_rise(&self, side: Side) -> bool {
        (side == Side::Buy) == (self.kind == TriggerKind::Stop)
    }

    /// Whether `price` wakes the order.
    #[must_use]
    pub fn is_met(&self, side: Side, price: Price) -> bool {
        if self.waits_for_rise(side) { price >= self.price } else { price <= self.price }
    }
}

/// What happens when an order would trade with one of its own account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SelfTrade {
    /// They trade.
    #[default]
    Allow,
    /// What is left of the incoming order expires.
    ExpireTaker,
    /// The resting order expires and the incoming one goes on.
    ExpireMaker,
    /// Both expire.
    ExpireBoth,
}

/// A request for an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewOrder {
    /// Where.
    pub market: InstrumentId,
    /// Buy or sell.
    pub side: Side,
    /// Market or limit.
    pub kind: Kind,
    /// How much.
    pub size: Size,
    /// Waits for a price first.
    pub trigger: Option<Trigger>,
    /// Futures: only ever brings the position nearer to zero.
    pub reduce_only: bool,
    /// None: the market's default.
    pub self_trade: Option<SelfTrade>,
    /// None: the venue makes one of the order's number.
    pub client_id: Option<ClientId>,
    /// A resting order expires at this time.
    pub good_till: Option<Nanos>,
}

impl NewOrder {
    /// A limit order without conditions.
    #[must_use]
    pub const fn limit(market: InstrumentId, side: Side, price: Price, qty: Qty, tif: Tif) -> Self {
        Self::plain(market, side, Kind::Limit { price, tif }, Size::Base(qty))
    }

    /// A market order without conditions.
    #[must_use]
    pub const fn market(market: InstrumentId, side: Side, size: Size) -> Self {
        Self::plain(market, side, Kind::Market, size)
    }

    const fn plain(market: InstrumentId, side: Side, kind: Kind, size: Size) -> Self {
        Self {
            market,
            side,
            kind,
            size,
            trigger: None,
            reduce_only: false,
            self_trade: None,
            client_id: None,
            good_till: None,
        }
    }
}

/// Where an order stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Waits for its trigger.
    Waiting,
    /// In the book, nothing filled.
    New,
    /// In the book, partly filled.
    PartiallyFilled,
    /// Wholly filled.
    Filled,
    /// Canceled by its owner.
    Canceled,
    /// Ended by a rule of the venue.
    Expired,
    /// Ended by self-trade prevention.
    ExpiredInMatch,
    /// A conditional order that the venue refused when it was triggered.
    Rejected,
    /// Futures: a conditional order that has become the order [`Order::child`].
    Triggered,
}

impl Status {
    /// Whether it can still trade or be canceled.
    #[must_use]
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Waiting | Self::New | Self::PartiallyFilled)
    }
}

/// Why the venue ended an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expiry {
    /// The rest of an immediate-or-cancel order.
    IocRemainder,
    /// A fill-or-kill order that could not be filled (spot; futures refuse it without a record).
    FokUnfilled,
    /// A market order that found nobody, or nobody more.
    NoLiquidity,
    /// The time of [`NewOrder::good_till`] has come.
    GoodTill,
    /// Self-trade prevention.
    SelfTrade,
    /// A reduce-only order whose position is gone or has turned.
    ReduceOnly,
    /// The account was liquidated.
    Liquidation,
    /// The market was closed.
    MarketClosed,
}

/// An order as the venue keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Order {
    /// The venue's number.
    pub id: OrderId,
    /// Whose.
    pub account: AccountId,
    /// The client's name.
    pub client_id: ClientId,
    /// Where.
    pub market: InstrumentId,
    /// Buy or sell.
    pub side: Side,
    /// Market or limit.
    pub kind: Kind,
    /// As it was asked for.
    pub size: Size,
    /// The whole quantity; what has filled for [`Size::Quote`], zero for [`Size::Position`] until it is known.
    pub qty: Qty,
    /// What it waits for or has waited for.
    pub trigger: Option<Trigger>,
    /// Only reduces the position.
    pub reduce_only: bool,
    /// Against its own account's orders.
    pub self_trade: SelfTrade,
    /// Expires at this time.
    pub good_till: Option<Nanos>,
    /// Where it stands.
    pub status: Status,
    /// Filled quantity.
    pub filled: Qty,
    /// Filled value in the quote asset; over `filled` it is the average price.
    pub filled_value: Amount,
    /// Quantity that self-trade prevention took.
    pub prevented: Qty,
    /// When the venue took it.
    pub created: Nanos,
    /// When it last changed.
    pub updated: Nanos,
    /// When it first could trade; for a conditional order when it was triggered.
    pub working: Option<Nanos>,
    /// How often it was amended.
    pub amend_count: u32,
    /// Futures: the conditional order that this one comes from.
    pub parent: Option<OrderId>,
    /// Futures: the order that this conditional order has become.
    pub child: Option<OrderId>,
    /// Why it expired.
    pub expiry: Option<Expiry>,
    /// The venue's own order that closes a position by force.
    pub is_liquidation: bool,
    /// Its place in the book.
    pub(super) handle: Option<Handle>,
    /// What it keeps locked on spot, of the asset that it spends.
    pub(super) locked: Amount,
}

impl Order {
    /// What can still trade.
    #[must_use]
    pub const fn remaining(&self) -> Qty {
        Qty(self.qty.0 - self.filled.0 - self.prevented.0)
    }

    /// Whether it rests in the book.
    #[must_use]
    pub const fn is_in_book(&self) -> bool {
        self.handle.is_some()
    }
}

/// New terms of a resting limit order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Amend {
    /// New price; None: as it is.
    pub price: Option<Price>,
    /// New whole quantity, what has filled included.
    pub qty: Qty,
    /// The name it has from now on; None: as it is.
    pub client_id: Option<ClientId>,
    /// Whether a smaller quantity at the same price keeps its place in the queue (spot), or goes to the back like
    /// everything else (futures).
    pub keeps_place: bool,
}

/// A condition on a cancel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CancelOnly {
    /// None.
    #[default]
    Any,
    /// Only when nothing has filled.
    New,
    /// Only when a part has filled.
    PartiallyFilled,
}

/// A request to cancel one order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cancel {
    /// Where.
    pub market: InstrumentId,
    /// Which.
    pub order: OrderRef,
    /// The client's name of this request, for the report.
    pub request_id: Option<ClientId>,
    /// On which condition.
    pub only: CancelOnly,
}

/// Which orders a cancel of all means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CancelScope {
    /// Those in the book.
    InBook,
    /// Those that wait for a trigger.
    Waiting,
    /// All.
    All,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_id_keeps_its_text_or_is_refused() {
        assert_eq!(ClientId::new("x-1_A").unwrap().as_str(), "x-1_A");
        assert_eq!(ClientId::new(&"a".repeat(36)).unwrap().as_str().len(), 36);
        for bad in ["", "a b", "ä", "a\n", &"a".repeat(37)] {
            assert_eq!(ClientId::new(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn stops_wait_on_one_side_of_the_market_and_take_profits_on_the_other() {
        let trigger = |kind| Trigger { price: Price(100), source: TriggerSource::Last, kind };
        let met = |kind, side, price| trigger(kind).is_met(side, Price(price));
        assert!(met(TriggerKind::Stop, Side::Buy, 100) && !met(TriggerKind::Stop, Side::Buy, 99));
        assert!(met(TriggerKind::Stop, Side::Sell, 100) && !met(TriggerKind::Stop, Side::Sell, 101));
        assert!(met(TriggerKind::TakeProfit, Side::Buy, 99) && !met(TriggerKind::TakeProfit, Side::Buy, 101));
        assert!(
            met(TriggerKind::TakeProfit, Side::Sell, 101) && !met(TriggerKind::TakeProfit, Side::Sell, 99)
        );
    }
}
