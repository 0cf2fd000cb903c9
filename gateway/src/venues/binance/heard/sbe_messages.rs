//! The messages of the spot WebSocket API in binary form: what [`super::sbe`] reads, as the same values that JSON gives.
//! Offsets are those of schema 3:5, of which versions from 1 on are read.

use super::sbe::{Block, Message, Reader, SbeErrorKind, error};
use super::{
    Balance, Execution, Fill, Listed, Listing, OrderReport, OrderUpdate, RateLimit, RateLimitKind, Reported,
    SbeError, Status,
};
use crate::client_order_id::ClientOrderId;
use engine::num::{Decimal, Level, Price, Qty, Side};
use engine::time::Nanos;

/// A binary frame.
#[derive(Clone, Debug)]
pub enum SbeMessage<'t> {
    /// The answer to a request.
    Answer(SbeAnswer<'t>),
    /// Something happened to an order.
    Order(OrderUpdate<'t>),
    /// What assets changed to.
    Balances {
        /// When.
        at: Nanos,
        /// Those that may have changed.
        balances: SbeBalances<'t>,
    },
    /// A deposit, withdrawal, transfer, or a lock of another product.
    Transfer {
        /// When.
        at: Nanos,
        /// The asset.
        asset: &'t [u8],
        /// By how much, signed.
        change: Decimal,
    },
    /// Nothing more comes until it is subscribed again.
    Ended,
    /// The server is about to close.
    Shutdown,
    /// A message that the engine has no use for, by its template.
    Other(u16),
}

/// The answer to a request.
#[derive(Clone, Debug)]
pub struct SbeAnswer<'t> {
    /// The request's id. None: it is about the session, or no id of ours.
    pub id: Option<u64>,
    /// HTTP's status numbers.
    pub status: u16,
    /// The schema that was asked for is on its way out.
    pub is_deprecated: bool,
    /// What is left of the limits.
    pub limits: SbeLimits<'t>,
    /// What came of it.
    pub outcome: SbeOutcome<'t>,
}

/// What came of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SbeOutcome<'t> {
    /// An order was placed.
    Placed(OrderReport),
    /// An order was canceled.
    Canceled(OrderReport),
    /// User events are subscribed.
    Subscribed,
    /// The connection is logged on.
    LoggedOn,
    /// It was not done.
    Refused {
        /// The venue's code.
        code: i32,
        /// The message.
        message: &'t [u8],
        /// When to ask again at the earliest.
        retry_after_ms: Option<u64>,
    },
    /// Done, with an answer that the engine has no use for, by its template. 0: none.
    Other(u16),
}

impl<'t> SbeMessage<'t> {
    /// The message in a frame, to its last byte. Err: see [`SbeError`].
    pub fn read(frame: &'t [u8], listing: &Listing) -> Result<Self, SbeError> {
        let Message { template, block, mut rest } = Message::read(frame, 0)?;
        Ok(match template {
            50 => Self::Answer(answer(block, rest, listing)?),
            601 | 604 => Self::Transfer {
                at: block.micros(8)?,
                change: block.amount(17, block.power(16)?)?,
                asset: rest.text()?,
            },
            602 => Self::Ended,
            603 => Self::Order(execution_report(block, rest, listing)?),
            607 => {
                let at = block.micros(8)?;
                let (block_len, count) = (rest.u16()?, rest.u32()?);
                Self::Balances { at, balances: SbeBalances { rest, block_len, left: count } }
            }
            610 => Self::Shutdown,
            other => Self::Other(other),
        })
    }
}

/// Balances, one after the other; ends behind the first that is broken.
#[derive(Clone, Debug)]
pub struct SbeBalances<'t> {
    rest: Reader<'t>,
    block_len: u16,
    left: usize,
}

impl<'t> Iterator for SbeBalances<'t> {
    type Item = Result<Balance<'t>, SbeError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let balance = (|| {
            let block = self.rest.block(usize::from(self.block_len))?;
            let power = block.power(0)?;
            let (free, locked) = (block.amount(1, power)?, block.amount(9, power)?);
            Ok(Balance { asset: self.rest.text()?, free, locked })
        })();
        if balance.is_err() {
            self.left = 0;
        }
        Some(balance)
    }
}

/// Limits, one after the other.
#[derive(Clone, Debug)]
pub struct SbeLimits<'t> {
    rest: Reader<'t>,
    block_len: u16,
    left: u16,
}

impl Iterator for SbeLimits<'_> {
    type Item = Result<RateLimit, SbeError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let limit = (|| {
            let block = self.rest.block(usize::from(self.block_len))?;
            let unit = match block.code(1)? {
                0 => Nanos::SECOND,
                1 => Nanos::from_ms(60_000),
                2 => Nanos::HOUR,
                3 => Nanos::from_ms(86_400_000),
                _ => return block.unknown(1),
            };
            Ok(RateLimit {
                kind: match block.code(0)? {
                    2 => RateLimitKind::RequestWeight,
                    3 => RateLimitKind::Orders,
                    _ => RateLimitKind::Other,
                },
                window: Nanos(unit.0.saturating_mul(u64::from(block.code(2)?))),
                limit: block.uint(3)?,
                used: block.uint(11)?,
            })
        })();
        if limit.is_err() {
            self.left = 0;
        }
        Some(limit)
    }
}

fn answer<'t>(block: Block<'t>, mut rest: Reader<'t>, listing: &Listing) -> Result<SbeAnswer<'t>, SbeError> {
    let (block_len, count) = (rest.u16()?, rest.u16()?);
    let limits = SbeLimits { rest, block_len, left: count };
    for _ in 0..count {
        rest.block(usize::from(block_len))?;
    }
    let id = rest.text()?;
    let id = std::str::from_utf8(id).ok().and_then(|id| id.parse().ok());
    let outcome = match rest.message()? {
        None => SbeOutcome::Other(0),
        Some(Message { template, block, mut rest }) => match template {
            51 => SbeOutcome::LoggedOn,
            100 => {
                let code = block.need(block.i16(0), 0)?;
                let after = block.i64(10).and_then(|after| u64::try_from(after).ok());
                SbeOutcome::Refused {
                    code: i32::from(code),
                    // Microseconds, as all times of this encoding.
                    retry_after_ms: after.map(|us| us / 1_000),
                    message: rest.long_text()?,
                }
            }
            300 => SbeOutcome::Placed(acknowledged(block, rest, listing)?),
            301 | 302 => {
                if template == 302 {
                    skip_fills(&mut rest)?;
                }
                let (symbol, id) = (rest.text()?, rest.text()?);
                SbeOutcome::Placed(reported(block, listed(listing, symbol, rest.at)?, id, rest.at)?)
            }
            305 => {
                let (symbol, own) = (rest.text()?, rest.text()?);
                SbeOutcome::Canceled(reported(block, listed(listing, symbol, rest.at)?, own, rest.at)?)
            }
            503 => SbeOutcome::Subscribed,
            other => SbeOutcome::Other(other),
        },
    };
    Ok(SbeAnswer {
        id,
        status: block.need(block.u16(1), 1)?,
        is_deprecated: block.code(0)? != 0,
        limits,
        outcome,
    })
}

/// The fills and the prevented matches of a full answer; the fills come as events too.
fn skip_fills(rest: &mut Reader<'_>) -> Result<(), SbeError> {
    let (block_len, count) = (rest.u16()?, rest.u32()?);
    for _ in 0..count {
        rest.block(usize::from(block_len))?;
        rest.text()?;
    }
    let (block_len, count) = (rest.u16()?, rest.u32()?);
    for _ in 0..count {
        rest.block(usize::from(block_len))?;
    }
    Ok(())
}

fn listed(listing: &Listing, symbol: &[u8], offset: usize) -> Result<Listed, SbeError> {
    listing.find(symbol).ok_or(SbeError { kind: SbeErrorKind::Symbol, offset })
}

fn order_id(id: &[u8], offset: usize) -> Result<ClientOrderId, SbeError> {
    ClientOrderId::from_bytes(id).ok_or(SbeError { kind: SbeErrorKind::Unknown, offset })
}

fn acknowledged(block: Block<'_>, mut rest: Reader<'_>, listing: &Listing) -> Result<OrderReport, SbeError> {
    let (symbol, id) = (rest.text()?, rest.text()?);
    Ok(OrderReport {
        instrument: listed(listing, symbol, rest.at)?.id,
        id: order_id(id, rest.at)?,
        venue_order_id: block.uint(0)?,
        at: block.micros(16)?,
        reported: None,
    })
}

/// What templates 301, 302 and 305 have in common.
fn reported(block: Block<'_>, listed: Listed, id: &[u8], offset: usize) -> Result<OrderReport, SbeError> {
    let (price_power, qty_power) = (block.power(0)?, block.power(1)?);
    Ok(OrderReport {
        instrument: listed.id,
        id: order_id(id, offset)?,
        venue_order_id: block.uint(2)?,
        at: block.micros(18)?,
        reported: Some(Reported {
            side: side(block, 61)?,
            status: status(block, 58)?,
            level: Level {
                price: Price(block.count(26, price_power, listed.tick)?),
                qty: Qty(block.count(34, qty_power, listed.unit)?),
            },
            filled: Qty(block.count(42, qty_power, listed.unit)?),
        }),
    })
}

fn execution_report<'t>(
    block: Block<'t>,
    mut rest: Reader<'t>,
    listing: &Listing,
) -> Result<OrderUpdate<'t>, SbeError> {
    let (symbol, current, before) = (rest.text()?, rest.text()?, rest.text()?);
    let (fee_asset, reject_reason, _counter_symbol) = (rest.text()?, rest.text()?, rest.text()?);
    let listed = listed(listing, symbol, rest.at)?;
    let (price_power, qty_power) = (block.power(16)?, block.power(17)?);
    let level = |price: usize, qty: usize| {
        Ok(Level {
            price: Price(block.count(price, price_power, listed.tick)?),
            qty: Qty(block.count(qty, qty_power, listed.unit)?),
        })
    };
    let trade_id = block.i64(96).filter(|id| *id >= 0).map(i64::cast_unsigned);
    let fill = trade_id.map(|trade_id| {
        Ok(Fill {
            trade_id,
            level: level(136, 128)?,
            maker: block.code(161)? == 1,
            fee: block.amount(152, block.power(18)?)?,
            fee_asset,
        })
    });
    let execution = match block.code(94)? {
        0 => Execution::New,
        1 => Execution::Canceled,
        2 => Execution::Amended,
        3 => Execution::Rejected,
        4 => Execution::Trade,
        5 => Execution::Expired,
        8 => Execution::TradePrevention,
        _ => return block.unknown(94),
    };
    Ok(OrderUpdate {
        instrument: listed.id,
        // As in JSON: the report of a cancel or an amendment has the order's own id in the second place.
        id: order_id(if before.is_empty() { current } else { before }, rest.at)?,
        venue_order_id: block.uint(35)?,
        at: block.micros(8)?,
        execution,
        reported: Reported {
            side: side(block, 92)?,
            status: status(block, 95)?,
            level: level(59, 51)?,
            filled: Qty(block.count(112, qty_power, listed.unit)?),
        },
        fill: fill.transpose()?,
        execution_id: block.i64(104).and_then(|id| u64::try_from(id).ok()),
        reason: if reject_reason == b"NONE" { expiry_reason(block) } else { reject_reason },
        // A stop price, and a time since which it works.
        was_triggered: [83, 27].iter().all(|at| block.i64(*at).is_some_and(|value| value > 0)),
    })
}

fn expiry_reason(block: Block<'_>) -> &'static [u8] {
    match block.u8(281) {
        Some(1) => b"REJECTED",
        Some(2) => b"EXCHANGE_CANCELED",
        Some(3) => b"OCO_TRIGGER",
        Some(4) => b"OTO_PHASE_ONE_EXPIRED",
        Some(5) => b"UNFILLED_IOC_QUANTITY_EXPIRED",
        Some(6) => b"UNFILLED_FOK_ORDER_EXPIRED",
        Some(7) => b"INSUFFICIENT_LIQUIDITY",
        Some(8) => b"EXECUTION_RULE_PRICE_RANGE_EXCEEDED",
        _ => b"",
    }
}

fn side(block: Block<'_>, at: usize) -> Result<Side, SbeError> {
    match block.code(at)? {
        0 => Ok(Side::Buy),
        1 => Ok(Side::Sell),
        _ => error(SbeErrorKind::Unknown, block.at + at),
    }
}

fn status(block: Block<'_>, at: usize) -> Result<Status, SbeError> {
    Ok(match block.code(at)? {
        0 | 11 => Status::New,
        1 => Status::PartiallyFilled,
        2 => Status::Filled,
        3 => Status::Canceled,
        4 => Status::PendingCancel,
        5 => Status::Rejected,
        6 => Status::Expired,
        9 => Status::ExpiredInMatch,
        _ => return block.unknown(at),
    })
}
