//! What an account has: balances, positions, trades, and what is left of its limits.

use super::order::{level, side};
use super::{Listed, Listing};
use engine::ids::InstrumentId;
use engine::num::{Decimal, Level, Qty, Side};
use engine::time::Nanos;
use wire::json::{Elements, JsonError, Value};

/// What a spot account has of one asset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Balance<'t> {
    /// The asset.
    pub asset: &'t [u8],
    /// What can be used.
    pub free: Decimal,
    /// What open orders hold.
    pub locked: Decimal,
}

/// Balances in a message, one after the other.
#[derive(Clone, Debug)]
pub struct Balances<'t> {
    rows: Rows<'t>,
}

#[derive(Clone, Debug)]
enum Rows<'t> {
    /// Objects with the keys of an event (`a`, `f`, `l`).
    Event(Elements<'t>),
    /// Objects with the keys of an answer (`asset`, `free`, `locked`).
    Answer(Elements<'t>),
}

impl<'t> Balances<'t> {
    /// The balances in an event's array. Err: not an array.
    pub(super) fn of_event(rows: Value<'t>) -> Result<Self, JsonError> {
        Ok(Self { rows: Rows::Event(rows.elements()?) })
    }
}

impl<'t> Iterator for Balances<'t> {
    type Item = Result<Balance<'t>, JsonError>;

    fn next(&mut self) -> Option<Self::Item> {
        Some(match &mut self.rows {
            Rows::Event(rows) => rows.next()?.and_then(|row| {
                let fields = row.fields(&["a", "f", "l"])?;
                Ok(Balance {
                    asset: fields.required("a")?.words()?,
                    free: fields.required("f")?.amount()?,
                    locked: fields.required("l")?.amount()?,
                })
            }),
            Rows::Answer(rows) => rows.next()?.and_then(|row| {
                let fields = row.fields(&["asset", "free", "locked"])?;
                Ok(Balance {
                    asset: fields.required("asset")?.words()?,
                    free: fields.required("free")?.amount()?,
                    locked: fields.required("locked")?.amount()?,
                })
            }),
        })
    }
}

/// The balances in the answer to `account` of spot. Err: not such an answer.
pub fn spot_balances(answer: Value<'_>) -> Result<Balances<'_>, JsonError> {
    let rows = answer.fields(&["balances"])?.required("balances")?.elements()?;
    Ok(Balances { rows: Rows::Answer(rows) })
}

/// What a futures account has of one asset, profit of open positions left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FuturesBalance<'t> {
    /// The asset.
    pub asset: &'t [u8],
    /// The wallet.
    pub wallet: Decimal,
}

/// The balances in the answer to `balance` (an array) or `account` (its `assets`) of futures.
/// Err: not such an answer.
pub fn futures_balances(
    answer: Value<'_>,
) -> Result<impl Iterator<Item = Result<FuturesBalance<'_>, JsonError>>, JsonError> {
    let rows = if answer.is_array() {
        answer.elements()?
    } else {
        answer.fields(&["assets"])?.required("assets")?.elements()?
    };
    Ok(rows.map(|row| {
        let fields = row?.fields(&["asset", "balance", "walletBalance"])?;
        let wallet = fields.optional("balance").or_else(|| fields.optional("walletBalance"));
        Ok(FuturesBalance {
            asset: fields.required("asset")?.words()?,
            wallet: wallet.ok_or_else(|| fields.missing("balance"))?.amount()?,
        })
    }))
}

/// A futures position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position<'t> {
    /// Its symbol.
    pub symbol: &'t [u8],
    /// What it is in. None: the symbol is not listed, so that the amount has no unit.
    pub instrument: Option<InstrumentId>,
    /// In one-way mode above zero where it is long. Of a symbol that is not listed: 1 where it holds anything.
    pub qty: Qty,
    /// Its own side of an account in hedge mode, which the engine does not trade in.
    pub is_hedged: bool,
}

/// The positions in the answer to `positionRisk` (an array) or `account` (its `positions`), or in an event's `P`.
/// Err: not such an answer.
pub fn positions<'t>(
    answer: Value<'t>,
    listing: &'t Listing,
) -> Result<impl Iterator<Item = Result<Position<'t>, JsonError>> + 't, JsonError> {
    let rows = if answer.is_array() {
        answer.elements()?
    } else {
        answer.fields(&["positions"])?.required("positions")?.elements()?
    };
    Ok(rows.map(move |row| {
        let fields = row?.fields(&["symbol", "s", "positionAmt", "pa", "positionSide", "ps"])?;
        let either = |long, short| fields.optional(long).or_else(|| fields.optional(short));
        let symbol = either("symbol", "s").ok_or_else(|| fields.missing("symbol"))?.words()?;
        let amount = either("positionAmt", "pa").ok_or_else(|| fields.missing("positionAmt"))?;
        let mode = either("positionSide", "ps").ok_or_else(|| fields.missing("positionSide"))?;
        let listed = listing.find(symbol);
        let qty = match listed {
            Some(Listed { unit, .. }) => amount.signed_count(unit)?,
            None => i64::from(amount.amount()?.mantissa != 0),
        };
        Ok(Position {
            symbol,
            instrument: listed.map(|listed| listed.id),
            qty: Qty(qty),
            is_hedged: mode.words()? != b"BOTH",
        })
    }))
}

/// A trade of the account, in the answer to `myTrades` or `userTrades`. It has no client order id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trade<'t> {
    /// What was traded.
    pub instrument: InstrumentId,
    /// The venue's number.
    pub trade_id: u64,
    /// The venue's id of the order.
    pub venue_order_id: u64,
    /// Bought or sold.
    pub side: Side,
    /// Price and quantity.
    pub level: Level,
    /// The order rested before.
    pub maker: bool,
    /// What it cost, above zero where it was paid.
    pub fee: Decimal,
    /// In which asset.
    pub fee_asset: &'t [u8],
    /// When.
    pub at: Nanos,
}

/// The trades of an account. Err: not an array.
pub fn trades<'t>(
    answer: Value<'t>,
    listing: &'t Listing,
) -> Result<impl Iterator<Item = Result<Trade<'t>, JsonError>> + 't, JsonError> {
    Ok(answer.elements()?.map(move |row| {
        let fields = row?.fields(&[
            "symbol",
            "id",
            "orderId",
            "side",
            "price",
            "qty",
            "commission",
            "commissionAsset",
            "time",
            "isBuyer",
            "buyer",
            "isMaker",
            "maker",
        ])?;
        let listed = listing.of(fields.required("symbol")?)?;
        let either = |spot: &'static str, futures: &'static str| {
            let found = fields.optional(spot).or_else(|| fields.optional(futures));
            found.ok_or_else(|| fields.missing(spot))?.bool()
        };
        Ok(Trade {
            instrument: listed.id,
            trade_id: fields.required("id")?.uint()?,
            venue_order_id: fields.required("orderId")?.uint()?,
            side: match fields.optional("side") {
                Some(value) => side(value)?,
                None if either("isBuyer", "buyer")? => Side::Buy,
                None => Side::Sell,
            },
            level: level(listed, fields.required("price")?, fields.required("qty")?)?,
            maker: either("isMaker", "maker")?,
            fee: fields.required("commission")?.amount()?,
            fee_asset: fields.required("commissionAsset")?.words()?,
            at: fields.required("time")?.millis()?,
        })
    }))
}

/// How much of a limit is used, as the venue counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// What is counted.
    pub kind: RateLimitKind,
    /// Over how long; windows begin at multiples of it since 1970.
    pub window: Nanos,
    /// How much may be used in a window.
    pub limit: u64,
    /// How much is used in this one.
    pub used: u64,
}

/// What a limit counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RateLimitKind {
    /// Orders that were placed.
    Orders,
    /// Weights of requests.
    RequestWeight,
    /// Requests, connections: nothing that is counted here.
    Other,
}

impl RateLimit {
    /// One row of a `rateLimits` array. Err: see [`JsonError`].
    pub fn read(row: Value<'_>) -> Result<Self, JsonError> {
        let fields = row.fields(&["rateLimitType", "interval", "intervalNum", "limit", "count"])?;
        let unit = fields.required("interval")?.named(|name| {
            Some(match name {
                b"SECOND" => Nanos::SECOND,
                b"MINUTE" => Nanos::from_ms(60_000),
                b"HOUR" => Nanos::HOUR,
                b"DAY" => Nanos::from_ms(86_400_000),
                _ => return None,
            })
        })?;
        Ok(Self {
            kind: match fields.required("rateLimitType")?.words()? {
                b"ORDERS" => RateLimitKind::Orders,
                b"REQUEST_WEIGHT" => RateLimitKind::RequestWeight,
                _ => RateLimitKind::Other,
            },
            window: Nanos(unit.0.saturating_mul(fields.required("intervalNum")?.uint()?)),
            limit: fields.required("limit")?.uint()?,
            used: fields.required("count")?.uint()?,
        })
    }
}
