//! User events of both products, as JSON.

use super::order::{self, client_order_id, level, side};
use super::{Balances, Listing, OrderUpdate};
use crate::client_order_id::ClientOrderId;
use engine::ids::InstrumentId;
use engine::num::{Decimal, Level, Side};
use engine::time::Nanos;
use wire::json::{JsonError, JsonErrorKind, Value};

/// What a user stream says.
#[derive(Clone, Debug)]
pub enum UserEvent<'t> {
    /// Something happened to an order: `executionReport`, `ORDER_TRADE_UPDATE`.
    Order(OrderUpdate<'t>),
    /// An order of a symbol that is not listed: somebody else trades on the account.
    ForeignOrder {
        /// The symbol.
        symbol: &'t [u8],
    },
    /// A fill said early, without fee and sum: `TRADE_LITE`. The whole event follows.
    Lite(LiteFill),
    /// What assets changed to: `outboundAccountPosition`.
    Balances {
        /// When.
        at: Nanos,
        /// Those that may have changed.
        balances: Balances<'t>,
    },
    /// A deposit, withdrawal, transfer, or a lock of another product: `balanceUpdate`, `externalLockUpdate`.
    Transfer {
        /// When.
        at: Nanos,
        /// The asset.
        asset: &'t [u8],
        /// By how much, signed.
        change: Decimal,
    },
    /// Futures wallet and positions: `ACCOUNT_UPDATE`. Positions are read by [`super::positions`].
    Account {
        /// When.
        at: Nanos,
        /// Why.
        reason: AccountReason,
        /// The symbol on which funding was paid. None: something else happened, or the venue does not say.
        symbol: Option<&'t [u8]>,
        /// The array of balances; each has `a`, `wb`, and `bc`, by how much it changed.
        balances: Option<Value<'t>>,
        /// The array of positions.
        positions: Option<Value<'t>>,
    },
    /// A conditional order of futures: `ALGO_UPDATE`.
    Algo(AlgoUpdate<'t>),
    /// A list of spot orders changed; its orders say so themselves: `listStatus`.
    List,
    /// Leverage or asset mode changed: `ACCOUNT_CONFIG_UPDATE`.
    Configured {
        /// A symbol and the leverage that it has now.
        leverage: Option<(&'t [u8], u64)>,
        /// Whether the account is in multi-assets mode now.
        multi_assets: Option<bool>,
    },
    /// The account is short of margin: `MARGIN_CALL`.
    MarginCall {
        /// The array of positions: `s` symbol, `pa` quantity, `mp` mark price, `up` profit, `mm` maintenance margin.
        positions: Option<Value<'t>>,
    },
    /// Nothing more comes until it is subscribed again: `eventStreamTerminated`, `listenKeyExpired`.
    Ended,
    /// The server is about to close: `serverShutdown`.
    Shutdown,
    /// An event that the engine has no use for.
    Other,
}

/// A fill said early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LiteFill {
    /// What was traded.
    pub instrument: InstrumentId,
    /// The order.
    pub id: ClientOrderId,
    /// The venue's id of it.
    pub venue_order_id: u64,
    /// The trade's number.
    pub trade_id: u64,
    /// Bought or sold.
    pub side: Side,
    /// Price and quantity.
    pub level: Level,
    /// The order rested before.
    pub maker: bool,
    /// When.
    pub at: Nanos,
}

/// Why a futures wallet changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccountReason {
    /// Orders traded.
    Order,
    /// Funding was paid.
    Funding,
    /// Money moved: deposit, withdrawal, transfer, adjustment.
    Transfer,
    /// Anything else.
    Other,
}

/// A conditional order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AlgoUpdate<'t> {
    /// Its id.
    pub id: ClientOrderId,
    /// The venue's id.
    pub algo_id: u64,
    /// The order that it became, in the venue's numbers. None: it waits.
    pub became: Option<u64>,
    /// Where it stands.
    pub state: AlgoState,
    /// Why it was refused; empty: it was not.
    pub reason: &'t [u8],
    /// When.
    pub at: Nanos,
}

/// Where a conditional order stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AlgoState {
    /// It waits.
    New,
    /// It becomes an order.
    Triggering,
    /// It is an order.
    Triggered,
    /// The order that it became has ended.
    Finished,
    /// It was canceled.
    Canceled,
    /// The engine refused the order that it was to become.
    Rejected,
    /// The venue ended it.
    Expired,
}

impl<'t> UserEvent<'t> {
    /// The event in a frame, wrapped (`subscriptionId`, `event`) or not.
    /// Err: not an event; see [`JsonError`].
    pub fn read(frame: &'t [u8], listing: &Listing) -> Result<Self, JsonError> {
        let fields = Value::root(frame).fields(&["event", "e", "E", "T", "u", "o", "a"])?;
        let Some(inner) = fields.optional("event") else { return Self::of(&fields, listing) };
        Self::of(&inner.fields(&["event", "e", "E", "T", "u", "o", "a"])?, listing)
    }

    fn of(fields: &wire::json::Fields<'t, 7>, listing: &Listing) -> Result<Self, JsonError> {
        let (event, name) = (fields.object(), fields.required("e")?);
        let at = |key: &'static str| fields.required(key)?.millis();
        Ok(match name.text()? {
            b"executionReport" => match order::spot(event, listing) {
                Ok(update) => Self::Order(update),
                Err(error) => foreign(event, error)?,
            },
            b"ORDER_TRADE_UPDATE" => {
                let order = fields.required("o")?;
                match order::futures(order, listing) {
                    Ok(update) => Self::Order(update),
                    Err(error) => foreign(order, error)?,
                }
            }
            b"TRADE_LITE" => match lite(event, listing) {
                Ok(fill) => Self::Lite(fill),
                Err(error) => foreign(event, error)?,
            },
            b"outboundAccountPosition" => Self::Balances {
                at: at("u")?,
                balances: Balances::of_event(event.fields(&["B"])?.required("B")?)?,
            },
            b"balanceUpdate" | b"externalLockUpdate" => {
                let inner = event.fields(&["a", "d"])?;
                Self::Transfer {
                    at: at("T")?,
                    asset: inner.required("a")?.words()?,
                    change: inner.required("d")?.amount()?,
                }
            }
            b"ACCOUNT_UPDATE" => {
                let inner = fields.required("a")?.fields(&["m", "S", "B", "P"])?;
                Self::Account {
                    at: at("T")?,
                    reason: AccountReason::of(inner.required("m")?.words()?),
                    symbol: inner.present("S").map(|symbol| symbol.words()).transpose()?,
                    balances: inner.present("B"),
                    positions: inner.present("P"),
                }
            }
            b"ALGO_UPDATE" => Self::Algo(algo(fields.required("o")?, at("T")?)?),
            b"listStatus" => Self::List,
            b"ACCOUNT_CONFIG_UPDATE" => {
                let inner = event.fields(&["ac", "ai"])?;
                let leverage = inner.present("ac").map(|of| {
                    let of = of.fields(&["s", "l"])?;
                    Ok((of.required("s")?.words()?, of.required("l")?.uint()?))
                });
                let multi_assets = inner.present("ai").map(|of| of.fields(&["j"])?.required("j")?.bool());
                Self::Configured { leverage: leverage.transpose()?, multi_assets: multi_assets.transpose()? }
            }
            b"MARGIN_CALL" => Self::MarginCall { positions: event.fields(&["p"])?.present("p") },
            b"eventStreamTerminated" | b"listenKeyExpired" => Self::Ended,
            b"serverShutdown" => Self::Shutdown,
            _ => Self::Other,
        })
    }
}

impl AccountReason {
    fn of(name: &[u8]) -> Self {
        match name {
            b"ORDER" => Self::Order,
            b"FUNDING_FEE" => Self::Funding,
            b"DEPOSIT"
            | b"WITHDRAW"
            | b"WITHDRAW_REJECT"
            | b"ADJUSTMENT"
            | b"MARGIN_TRANSFER"
            | b"ASSET_TRANSFER"
            | b"ADMIN_DEPOSIT"
            | b"ADMIN_WITHDRAW"
            | b"COIN_SWAP_DEPOSIT"
            | b"COIN_SWAP_WITHDRAW" => Self::Transfer,
            _ => Self::Other,
        }
    }
}

impl AlgoState {
    fn named(name: &[u8]) -> Option<Self> {
        Some(match name {
            b"NEW" => Self::New,
            b"TRIGGERING" => Self::Triggering,
            b"TRIGGERED" => Self::Triggered,
            b"FINISHED" => Self::Finished,
            b"CANCELED" => Self::Canceled,
            b"REJECTED" => Self::Rejected,
            b"EXPIRED" => Self::Expired,
            _ => return None,
        })
    }
}

/// A symbol that is not listed makes an event somebody else's; any other error stays one.
fn foreign<'t>(order: Value<'t>, error: JsonError) -> Result<UserEvent<'t>, JsonError> {
    if (error.kind, error.key) != (JsonErrorKind::Unknown, "s") {
        return Err(error);
    }
    Ok(UserEvent::ForeignOrder { symbol: order.fields(&["s"])?.required("s")?.words()? })
}

fn lite(event: Value<'_>, listing: &Listing) -> Result<LiteFill, JsonError> {
    let fields = event.fields(&["T", "s", "c", "S", "i", "l", "L", "t", "m"])?;
    let listed = listing.of(fields.required("s")?)?;
    Ok(LiteFill {
        instrument: listed.id,
        id: client_order_id(fields.required("c")?)?,
        venue_order_id: fields.required("i")?.uint()?,
        trade_id: fields.required("t")?.uint()?,
        side: side(fields.required("S")?)?,
        level: level(listed, fields.required("L")?, fields.required("l")?)?,
        maker: fields.required("m")?.bool()?,
        at: fields.required("T")?.millis()?,
    })
}

fn algo(order: Value<'_>, at: Nanos) -> Result<AlgoUpdate<'_>, JsonError> {
    let fields = order.fields(&["caid", "aid", "X", "ai", "rm"])?;
    // Empty while it waits; a text, or a number in some captures.
    let became = match fields.present("ai") {
        None => None,
        Some(id) => match id.text() {
            Ok([] | b"0") => None,
            Ok(text) => {
                let number = std::str::from_utf8(text).ok().and_then(|text| text.parse().ok());
                Some(number.ok_or_else(|| id.error(JsonErrorKind::Number))?)
            }
            Err(_) => Some(id.uint()?),
        },
    };
    Ok(AlgoUpdate {
        id: client_order_id(fields.required("caid")?)?,
        algo_id: fields.required("aid")?.uint()?,
        became,
        state: fields.required("X")?.named(AlgoState::named)?,
        reason: fields.present("rm").map_or(Ok(&[][..]), |reason| reason.words())?,
        at,
    })
}
