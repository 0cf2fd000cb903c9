//! What one venue's orders do differently: [`OrderCodec`] turns an approved order into the bytes that the venue
//! reads. It owns prepared messages and patches them; it has no socket, no clock, no memory to take, and keeps no
//! order state. Nothing but an [`Approved`] can be placed or amended.
//!
//! The order manager keeps one buffer, and hands what was encoded to the counterparty, which is the socket or the
//! paper exchange:
//!
//! ```
//! use engine::num::Level;
//! use engine::order::Order;
//! use engine::risk::{Approved, Refusal};
//! use engine::time::Nanos;
//! use gateway::client_order_id::{ClientOrderId, ClientOrderIds};
//! use gateway::codec::{Amendment, EncodeError, OpenOrder, OrderCodec, Request};
//!
//! struct Manager<C> {
//!     codec: C,
//!     ids: ClientOrderIds,
//!     requests: u64,
//!     message: [u8; 1024],
//! }
//!
//! impl<C: OrderCodec> Manager<C> {
//!     fn request(&mut self, now: Nanos) -> Request {
//!         self.requests += 1;
//!         Request { id: self.requests, now }
//!     }
//!
//!     /// Approved, journalled, encoded: then it goes out.
//!     fn place(&mut self, approved: &Approved, now: Nanos) -> Result<&[u8], EncodeError> {
//!         let (request, id) = (self.request(now), self.ids.id(approved.order().seq));
//!         self.codec.place(request, approved, &id, &mut self.message)
//!     }
//!
//!     fn cancel(&mut self, order: &Order, now: Nanos) -> Result<&[u8], EncodeError> {
//!         let (request, id) = (self.request(now), self.ids.id(order.seq));
//!         self.codec.cancel(request, order, &id, &mut self.message)
//!     }
//!
//!     /// First asks what the venue can do, so that gate and journal see the order that will be there.
//!     fn amend(
//!         &mut self,
//!         open: &Order,
//!         to: Level,
//!         gate: impl Fn(Order) -> Result<Approved, Refusal>,
//!         now: Nanos,
//!     ) -> Result<&[u8], EncodeError> {
//!         let wanted = match self.codec.amendment(open, to)? {
//!             Amendment::KeepsPriority | Amendment::LosesPriority => {
//!                 let whole = engine::num::Qty(open.filled.0 + to.qty.0);
//!                 Order { level: Level { qty: whole, ..to }, ..*open }
//!             }
//!             // Another order, with a sequence of its own: nothing of it is filled.
//!             Amendment::NewOrder => {
//!                 let (seq, filled) = (open.seq + 1, engine::num::Qty(0));
//!                 Order { seq, level: to, filled, state: engine::order::OrderState::PendingCreate, ..*open }
//!             }
//!         };
//!         let Ok(approved) = gate(wanted) else { return Err(EncodeError::NoChange) };
//!         let request = self.request(now);
//!         let (open_id, id) = (self.ids.id(open.seq), self.ids.id(wanted.seq));
//!         let open = OpenOrder { order: open, id: &open_id };
//!         self.codec.amend(request, open, &approved, &id, &mut self.message)
//!     }
//! }
//! ```

use crate::client_order_id::ClientOrderId;
use engine::num::Level;
use engine::order::Order;
use engine::risk::Approved;
use engine::time::Nanos;
use std::fmt;

/// What one venue's orders do differently. Messages are written from the start of `out`, and the part that was
/// written comes back: whole messages or an error, never a cut one.
pub trait OrderCodec {
    /// Bytes of the longest message that the codec writes; a buffer of so many is never too short.
    const MESSAGE_BYTES_MAX: usize;

    /// The message that places `approved` under `id`, which no order had before.
    /// Err: see [`EncodeError`]; nothing may be sent.
    fn place<'o>(
        &mut self,
        request: Request,
        approved: &Approved,
        id: &ClientOrderId,
        out: &'o mut [u8],
    ) -> Result<&'o [u8], EncodeError>;

    /// The message that cancels `order`, known as `id`, which needs no approval: it only takes risk away.
    /// Err: as [`Self::place`].
    fn cancel<'o>(
        &mut self,
        request: Request,
        order: &Order,
        id: &ClientOrderId,
        out: &'o mut [u8],
    ) -> Result<&'o [u8], EncodeError>;

    /// The message that asks what became of `order`, known as `id`.
    /// Err: as [`Self::place`]; the venue answers of no such order this way.
    fn query<'o>(
        &mut self,
        request: Request,
        order: &Order,
        id: &ClientOrderId,
        out: &'o mut [u8],
    ) -> Result<&'o [u8], EncodeError>;

    /// What becomes of `open` when it is amended to `to`: the price, and the quantity that shall rest from then on.
    /// Says which order has to be approved before [`Self::amend`]: unless a new one is needed, `open` with its
    /// sequence and `to`, the quantity with `filled` added; else an order of another sequence with `to`.
    /// Err: not this codec's instrument; an order that is not in the book; nothing would change; nothing would rest.
    fn amendment(&self, open: &Order, to: Level) -> Result<Amendment, EncodeError>;

    /// The message that makes `approved` of `open`. `id` is the open order's, or the new order's where
    /// [`Self::amendment`] asks for one.
    /// Err: as [`Self::place`] and [`Self::amendment`]; also when the two orders differ in more than level and
    /// sequence, or `id` is new without need or old where it has to be new.
    fn amend<'o>(
        &mut self,
        request: Request,
        open: OpenOrder<'_>,
        approved: &Approved,
        id: &ClientOrderId,
        out: &'o mut [u8],
    ) -> Result<&'o [u8], EncodeError>;
}

/// What every message has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    /// Comes back in the answer; printed as a decimal. Never used twice on a connection.
    pub id: u64,
    /// The time of the input that is handled, on the venue's clock as well as it is known.
    pub now: Nanos,
}

/// An order and what the venue knows it by.
#[derive(Clone, Copy, Debug)]
pub struct OpenOrder<'a> {
    /// The order.
    pub order: &'a Order,
    /// Its id.
    pub id: &'a ClientOrderId,
}

/// What an amendment does to an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Amendment {
    /// The same order, in its place in the queue.
    KeepsPriority,
    /// The same order, behind the others at its price.
    LosesPriority,
    /// The venue cancels it and places another, under another id, or does neither.
    NewOrder,
}

/// Why there is no message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EncodeError {
    /// The buffer is shorter than the message.
    Room,
    /// The codec was not made for this instrument.
    UnknownInstrument,
    /// The client order id has a character that the venue does not take.
    ClientOrderId,
    /// The venue has no such order: its kind, with this time in force.
    Kind,
    /// The price, or the trigger, is not above zero, or does not fit when written out.
    Price,
    /// The quantity is not above zero, or does not fit when written out.
    Quantity,
    /// The amendment is to an order of another instrument, side, time in force, kind, strategy or account.
    OtherOrder,
    /// The amendment changes nothing.
    NoChange,
    /// The amendment keeps the id where a new order needs its own, or changes it where the order stays.
    AmendedId,
    /// The library could not sign.
    Signing,
}

impl EncodeError {
    /// Every one, for counters.
    pub const ALL: [Self; 10] = [
        Self::Room,
        Self::UnknownInstrument,
        Self::ClientOrderId,
        Self::Kind,
        Self::Price,
        Self::Quantity,
        Self::OtherOrder,
        Self::NoChange,
        Self::AmendedId,
        Self::Signing,
    ];

    /// For people and counters.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Room => "room",
            Self::UnknownInstrument => "unknown_instrument",
            Self::ClientOrderId => "client_order_id",
            Self::Kind => "kind",
            Self::Price => "price",
            Self::Quantity => "quantity",
            Self::OtherOrder => "other_order",
            Self::NoChange => "no_change",
            Self::AmendedId => "amended_id",
            Self::Signing => "signing",
        }
    }
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl std::error::Error for EncodeError {}
