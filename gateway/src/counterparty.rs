//! Who answers orders: a venue behind its session, or the paper exchange. The order manager knows nothing else of
//! either: it hands over what the gate approved and takes answers in the order in which they come.

use crate::client_order_id::ClientOrderId;
use engine::message::Message;
use engine::num::Level;
use engine::order::Order;
use engine::risk::Approved;
use engine::time::Nanos;

/// What is asked of a counterparty. Nothing that opens risk can be written down without the gate.
#[derive(Clone, Copy, Debug)]
pub enum Request<'a> {
    /// A new order.
    Place(&'a Approved),
    /// Another price and whole quantity for an open order: the order as it stands, and as it is to be.
    Amend(&'a Order, &'a Approved),
    /// An order's end.
    Cancel(&'a Order),
}

/// What a counterparty says of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The order.
    pub id: ClientOrderId,
    /// What became of it.
    pub event: AnswerEvent,
}

/// What became of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnswerEvent {
    /// It rests, or is there.
    Accepted,
    /// It was not taken.
    Rejected,
    /// It is gone.
    Canceled,
    /// It was not canceled: it is where it was, or has ended and said so.
    CancelRefused,
    /// It has this price and whole quantity now.
    Amended(Level),
    /// It was not amended: it is where it was, or has ended and said so.
    AmendRefused,
    /// The venue ended it.
    Expired,
    /// So much of it traded.
    Filled {
        /// Price and quantity of the fill.
        fill: Level,
        /// It rested before.
        maker: bool,
    },
}

/// A counterparty. It neither blocks nor allocates after the start.
pub trait Counterparty: Send {
    /// Whether an order can be amended to a price and whole quantity, keeping its id.
    fn can_amend(&self, open: &Order, to: Level) -> bool;

    /// Writes a request in the venue's form. It leaves with the next [`Self::send`]. False: this venue has no form
    /// for it, and nothing will leave.
    fn encode(&mut self, request: Request<'_>, id: &ClientOrderId, now: Nanos) -> bool;

    /// Lets what was written leave. False: it did not leave.
    fn send(&mut self, now: Nanos) -> bool;

    /// What the market says: the feed's depth messages, trades, and books after them, before any decision on them.
    fn on_market(&mut self, message: Message<'_>);

    /// When something that it owes is due; None: nothing is, or it does not know.
    fn next_due(&self) -> Option<Nanos>;

    /// Time goes on to `now`, at which an input follows.
    fn advance(&mut self, now: Nanos);

    /// Nothing more happens at `now`: no input follows, everything sent has been sent.
    fn settle(&mut self, now: Nanos);

    /// Answers were lost: what it holds of ours is not known any more.
    fn has_lost_answers(&self) -> bool {
        false
    }

    /// The oldest answer that has come until `now`, with its time, handed out once.
    fn next_answer(&mut self, now: Nanos) -> Option<(Nanos, Answer)>;
}
