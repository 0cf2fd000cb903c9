//! Bodies of the records of orders, and of what came of commands to the gateway.

use crate::num::{Price, Qty};
use crate::order::{Order, OrderKind, Terms};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Body of `Order`, `Amend` and `Cancel`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct OrderBody {
    /// Sequence of the client order id.
    pub order_seq: u64,
    /// Limit price; zero where its kind has none.
    pub price: Price,
    /// Whole quantity.
    pub qty: Qty,
    /// The price that triggers it; zero: it was never a stop.
    pub trigger: Price,
    /// `Side`.
    pub side: u8,
    /// `TimeInForce`.
    pub time_in_force: u8,
    /// Whose order it is.
    pub strategy: u16,
    /// On which account.
    pub account: u16,
    /// `OrderKind`.
    pub kind: u8,
    /// 1: it only reduces the position.
    pub reduce_only: u8,
}

impl OrderBody {
    /// The body of an order's records.
    #[must_use]
    pub const fn new(order: &Order) -> Self {
        Self {
            order_seq: order.seq,
            price: order.level.price,
            qty: order.level.qty,
            trigger: order.terms.trigger,
            side: order.side as u8,
            time_in_force: order.tif as u8,
            strategy: order.strategy.0,
            account: order.account.0,
            kind: order.terms.kind as u8,
            reduce_only: order.terms.reduce_only as u8,
        }
    }

    /// Kind, trigger and whether it only reduces. None: a kind of a later version.
    #[must_use]
    pub fn terms(&self) -> Option<Terms> {
        let kind = OrderKind::from_u8(self.kind)?;
        Some(Terms { kind, trigger: self.trigger, reduce_only: self.reduce_only == 1 })
    }
}

/// Body of `CommandResult`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct CommandResult {
    /// The order that it is about; 0: none. Of `Closing`: how many results follow.
    pub order_seq: u64,
    /// What was asked for, what can still trade of what is canceled, what is held after closing.
    pub qty: Qty,
    /// Whose it is; 0: several.
    pub strategy: u16,
    /// [`HandResult`].
    pub result: u16,
    /// Zero.
    pub reserved: u32,
}

/// What came of a command to the gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub enum HandResult {
    /// The order, or the cancel, left.
    Left = 1,
    /// The gate refused the order: the record before says why.
    Refused = 2,
    /// No such order is open.
    NoOrder = 3,
    /// As many orders are open beside quotes as there can be, or it could not be journalled.
    NoRoom = 4,
    /// Trading was stopped, or a restart is not through yet.
    NotTrading = 5,
    /// Closing begins: so many results follow, one for each strategy and instrument.
    Closing = 6,
    /// Nothing is open and nothing is held.
    Flat = 7,
    /// Nothing is open, and what is held could not be closed: refused, rejected, no liquidity, or less than a lot.
    GaveUp = 8,
    /// The order, or the cancel, could not be sent: the venue was not reached, or takes no more for now.
    NotSent = 9,
}

impl HandResult {
    /// Every result, by its number less one.
    pub const ALL: [Self; 9] = [
        Self::Left,
        Self::Refused,
        Self::NoOrder,
        Self::NoRoom,
        Self::NotTrading,
        Self::Closing,
        Self::Flat,
        Self::GaveUp,
        Self::NotSent,
    ];

    /// The result of a stored number. None: written by a later version.
    #[must_use]
    pub fn from_u16(value: u16) -> Option<Self> {
        Self::ALL.into_iter().find(|result| *result as u16 == value)
    }

    /// For people and records.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Left => "left",
            Self::Refused => "refused",
            Self::NoOrder => "no-order",
            Self::NoRoom => "no-room",
            Self::NotTrading => "not-trading",
            Self::Closing => "closing",
            Self::Flat => "flat",
            Self::GaveUp => "gave-up",
            Self::NotSent => "not-sent",
        }
    }
}

const _: () = assert!(size_of::<OrderBody>() == 40 && size_of::<CommandResult>() == 24);
