//! Orders as the venue reports them: in answers, in lists, in user events.

use super::{Listed, Listing};
use crate::client_order_id::ClientOrderId;
use engine::ids::InstrumentId;
use engine::num::{Decimal, Level, Price, Qty, Side};
use engine::time::Nanos;
use wire::json::{Elements, Fields, JsonError, JsonErrorKind, Value};

/// An order in an answer or a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OrderReport {
    /// What it trades.
    pub instrument: InstrumentId,
    /// The order's own id, also in the answer to a cancel, which on spot has an id of its own.
    pub id: ClientOrderId,
    /// The venue's id.
    pub venue_order_id: u64,
    /// When it last changed; zero where the answer does not say.
    pub at: Nanos,
    /// What else is said of it. None: a bare acknowledgement.
    pub reported: Option<Reported>,
}

/// What is said of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reported {
    /// Buys or sells.
    pub side: Side,
    /// Where it stands.
    pub status: Status,
    /// Price, zero of a market order, and whole quantity.
    pub level: Level,
    /// Traded so far.
    pub filled: Qty,
}

/// Where an order stands, in the venue's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Status {
    /// It rests, or waits to be triggered.
    New,
    /// It rests, partly filled.
    PartiallyFilled,
    /// All of it traded.
    Filled,
    /// It was canceled.
    Canceled,
    /// Never used by the venue; the order is open.
    PendingCancel,
    /// Never taken.
    Rejected,
    /// Ended by a rule: time in force, price range, liquidation.
    Expired,
    /// Ended by self-trade prevention.
    ExpiredInMatch,
}

impl Status {
    /// The status of that name.
    #[must_use]
    pub fn named(name: &[u8]) -> Option<Self> {
        Some(match name {
            b"NEW" | b"PENDING_NEW" => Self::New,
            b"PARTIALLY_FILLED" => Self::PartiallyFilled,
            // The last two: taken over by the insurance fund, or closed against a counterparty.
            b"FILLED" | b"NEW_INSURANCE" | b"NEW_ADL" => Self::Filled,
            b"CANCELED" => Self::Canceled,
            b"PENDING_CANCEL" => Self::PendingCancel,
            b"REJECTED" => Self::Rejected,
            b"EXPIRED" => Self::Expired,
            b"EXPIRED_IN_MATCH" => Self::ExpiredInMatch,
            _ => return None,
        })
    }

    /// Whether nothing can happen to the order any more.
    #[must_use]
    pub const fn is_final(self) -> bool {
        !matches!(self, Self::New | Self::PartiallyFilled | Self::PendingCancel)
    }
}

/// An event of an order: `executionReport` or `ORDER_TRADE_UPDATE`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OrderUpdate<'t> {
    /// What it trades.
    pub instrument: InstrumentId,
    /// The order's own id, before an amendment that gave it another.
    pub id: ClientOrderId,
    /// The venue's id.
    pub venue_order_id: u64,
    /// When it happened.
    pub at: Nanos,
    /// What happened.
    pub execution: Execution,
    /// Where the order stands now.
    pub reported: Reported,
    /// What traded.
    pub fill: Option<Fill<'t>>,
    /// The event's number among those of the account (spot's `I`): each counts once. None: futures have none.
    pub execution_id: Option<u64>,
    /// Why, in the venue's words: reject reason, else expiry reason. Empty: neither.
    pub reason: &'t [u8],
    /// Spot: a stop whose trigger was met, with this event or before. Of futures `ALGO_UPDATE` says so.
    pub was_triggered: bool,
}

/// What happened to an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Execution {
    /// It was taken.
    New,
    /// It was canceled.
    Canceled,
    /// It was amended, or gave way to another.
    Amended,
    /// It was refused after all.
    Rejected,
    /// It traded.
    Trade,
    /// A rule ended it.
    Expired,
    /// Self-trade prevention took part of it.
    TradePrevention,
    /// Liquidated, or closed against a counterparty: it traded without being asked.
    Calculated,
}

impl Execution {
    /// The execution type of that name.
    #[must_use]
    pub fn named(name: &[u8]) -> Option<Self> {
        Some(match name {
            b"NEW" => Self::New,
            b"CANCELED" => Self::Canceled,
            b"REPLACED" | b"AMENDMENT" => Self::Amended,
            b"REJECTED" => Self::Rejected,
            b"TRADE" => Self::Trade,
            b"EXPIRED" => Self::Expired,
            b"TRADE_PREVENTION" => Self::TradePrevention,
            b"CALCULATED" => Self::Calculated,
            _ => return None,
        })
    }
}

/// One trade of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fill<'t> {
    /// The venue's number; each of a symbol counts once.
    pub trade_id: u64,
    /// Price and quantity.
    pub level: Level,
    /// The order rested before.
    pub maker: bool,
    /// What it cost, above zero where it was paid; a rebate is below zero.
    pub fee: Decimal,
    /// In which asset; empty where nothing was charged.
    pub fee_asset: &'t [u8],
}

impl OrderReport {
    /// The order in an answer: to a placement, a query, an amendment, or in a list.
    /// Err: see [`JsonError`]; a symbol that is not listed.
    pub fn read(value: Value<'_>, listing: &Listing) -> Result<Self, JsonError> {
        Self::read_as(value, listing, false)
    }

    /// The order in the answer to a cancel. On spot `clientOrderId` is there the id of the request.
    /// Err: as [`Self::read`].
    pub fn read_canceled(value: Value<'_>, listing: &Listing) -> Result<Self, JsonError> {
        Self::read_as(value, listing, true)
    }

    fn read_as(value: Value<'_>, listing: &Listing, is_cancel: bool) -> Result<Self, JsonError> {
        let fields = value.fields(&[
            "orderId",
            "symbol",
            "status",
            "origClientOrderId",
            "clientOrderId",
            "transactTime",
            "price",
            "origQty",
            "qty",
            "executedQty",
            "side",
            "time",
            "updateTime",
        ])?;
        let listed = listing.of(fields.required("symbol")?)?;
        let request_id = fields.required("clientOrderId")?;
        let own = fields.optional("origClientOrderId").filter(|_| is_cancel).unwrap_or(request_id);
        let at = ["transactTime", "updateTime", "time"].iter().find_map(|key| fields.optional(key));
        let reported = fields.optional("status").map(|status| {
            let qty = fields.optional("origQty").or_else(|| fields.optional("qty"));
            let level = Level {
                price: Price(fields.required("price")?.count(listed.tick)?),
                qty: Qty(qty.ok_or_else(|| fields.missing("origQty"))?.count(listed.unit)?),
            };
            Ok(Reported {
                side: side(fields.required("side")?)?,
                status: status.named(Status::named)?,
                level,
                filled: Qty(fields.required("executedQty")?.count(listed.unit)?),
            })
        });
        Ok(Self {
            instrument: listed.id,
            id: client_order_id(own)?,
            venue_order_id: fields.required("orderId")?.uint()?,
            at: at.map_or(Ok(Nanos(0)), |at| at.millis())?,
            reported: reported.transpose()?,
        })
    }
}

/// The orders of a list: `openOrders`, `allOrders`. Err: not an array.
pub fn open_orders<'t>(
    value: Value<'t>,
    listing: &'t Listing,
) -> Result<impl Iterator<Item = Result<OrderReport, JsonError>> + 't, JsonError> {
    let elements: Elements<'t> = value.elements()?;
    Ok(elements.map(move |each| each.and_then(|order| OrderReport::read(order, listing))))
}

/// `executionReport` of spot.
pub(super) fn spot<'t>(event: Value<'t>, listing: &Listing) -> Result<OrderUpdate<'t>, JsonError> {
    let fields = event.fields(&[
        "s", "c", "S", "q", "p", "P", "C", "x", "X", "r", "i", "l", "z", "L", "n", "N", "T", "t", "I", "m",
        "eR", "w", "W",
    ])?;
    let listed = listing.of(fields.required("s")?)?;
    // In the report of a cancel `c` is the request's id and `C` the order's; an amendment has the id before in `C`.
    let (current, before) = (fields.required("c")?, fields.present("C"));
    let own = before.filter(|value| value.words().is_ok_and(|id| !id.is_empty())).unwrap_or(current);
    let trade = fields.required("t")?.uint_or_none()?;
    let fill = trade.map(|trade_id| {
        Ok(Fill {
            trade_id,
            level: level(listed, fields.required("L")?, fields.required("l")?)?,
            maker: fields.required("m")?.bool()?,
            fee: fields.required("n")?.amount()?,
            fee_asset: words(&fields, "N")?,
        })
    });
    let (reason, expiry) = (words(&fields, "r")?, words(&fields, "eR")?);
    Ok(OrderUpdate {
        instrument: listed.id,
        id: client_order_id(own)?,
        venue_order_id: fields.required("i")?.uint()?,
        at: fields.required("T")?.millis()?,
        execution: fields.required("x")?.named(Execution::named)?,
        reported: reported(&fields, listed)?,
        fill: fill.transpose()?,
        execution_id: fields.optional("I").map(|id| id.uint()).transpose()?,
        reason: if matches!(reason, b"" | b"NONE") { expiry } else { reason },
        was_triggered: {
            let trigger = fields.optional("P").map_or(Ok(Decimal::ZERO), |price| price.amount())?;
            // Once on the book, or where a market order never is, once it works.
            let on_book = fields.present("w").map_or(Ok(false), |on_book| on_book.bool())?;
            trigger.mantissa > 0 && (on_book || fields.present("W").is_some())
        },
    })
}

/// `ORDER_TRADE_UPDATE` of futures; `order` is its `o`.
pub(super) fn futures<'t>(order: Value<'t>, listing: &Listing) -> Result<OrderUpdate<'t>, JsonError> {
    let fields = order
        .fields(&["s", "c", "S", "q", "p", "x", "X", "i", "l", "z", "L", "N", "n", "T", "t", "m", "er"])?;
    let listed = listing.of(fields.required("s")?)?;
    // A trade has a number and a quantity; of other events both are zero.
    let (trade_id, last) = (fields.required("t")?.uint()?, fields.required("l")?);
    let traded = last.count(listed.unit)? > 0;
    let fill = traded.then(|| {
        Ok(Fill {
            trade_id,
            level: level(listed, fields.required("L")?, last)?,
            maker: fields.required("m")?.bool()?,
            fee: fields.present("n").map_or(Ok(Decimal::ZERO), |fee| fee.amount())?,
            fee_asset: words(&fields, "N")?,
        })
    });
    let reason = words(&fields, "er")?;
    Ok(OrderUpdate {
        instrument: listed.id,
        id: client_order_id(fields.required("c")?)?,
        venue_order_id: fields.required("i")?.uint()?,
        at: fields.required("T")?.millis()?,
        execution: fields.required("x")?.named(Execution::named)?,
        reported: reported(&fields, listed)?,
        fill: fill.transpose()?,
        execution_id: None,
        reason: if reason == b"0" { b"" } else { reason },
        was_triggered: false,
    })
}

/// What an event of either product says of the order, under the same names.
fn reported<const N: usize>(fields: &Fields<'_, N>, listed: Listed) -> Result<Reported, JsonError> {
    Ok(Reported {
        side: side(fields.required("S")?)?,
        status: fields.required("X")?.named(Status::named)?,
        level: level(listed, fields.required("p")?, fields.required("q")?)?,
        filled: Qty(fields.required("z")?.count(listed.unit)?),
    })
}

/// A text for people; empty where it is missing or `null`.
fn words<'t, const N: usize>(fields: &Fields<'t, N>, key: &'static str) -> Result<&'t [u8], JsonError> {
    fields.present(key).map_or(Ok(&[][..]), |text| text.words())
}

/// The id of the conditional order that an answer to `algoOrder.place` or `algoOrder.cancel` is about. None: it is
/// about another order. Err: see [`JsonError`].
pub fn algo_id(answer: Value<'_>) -> Result<Option<ClientOrderId>, JsonError> {
    answer.fields(&["clientAlgoId"])?.optional("clientAlgoId").map(client_order_id).transpose()
}

pub(super) fn level(listed: Listed, price: Value<'_>, qty: Value<'_>) -> Result<Level, JsonError> {
    Ok(Level { price: Price(price.count(listed.tick)?), qty: Qty(qty.count(listed.unit)?) })
}

pub(super) fn side(value: Value<'_>) -> Result<Side, JsonError> {
    value.named(|name| match name {
        b"BUY" => Some(Side::Buy),
        b"SELL" => Some(Side::Sell),
        _ => None,
    })
}

pub(super) fn client_order_id(value: Value<'_>) -> Result<ClientOrderId, JsonError> {
    ClientOrderId::from_bytes(value.text()?).ok_or_else(|| value.error(JsonErrorKind::Unknown))
}
