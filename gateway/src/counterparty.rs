//! Who answers orders: a venue behind its session, or the paper exchange. The order manager knows nothing else of
//! either: it hands over what the gate approved and takes answers in the order in which they come.

use crate::client_order_id::ClientOrderId;
use crate::paper::funding::FundingDue;
use engine::ids::InstrumentId;
use engine::message::Message;
use engine::num::{Decimal, Level, Qty, Side};
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
    /// What became of an order: [`AnswerEvent::Standing`] answers it, behind every fill of the order, from the first.
    Query(&'a Order),
}

/// What a counterparty says of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The order.
    pub id: ClientOrderId,
    /// What became of it.
    pub event: AnswerEvent,
    /// All that has traded of it, this event included, as the venue counts (Binance: `executedQty`, `z`). By it a
    /// fill is taken once, however often it is told, and one that is missing is noticed. None: the answer does not
    /// say, as a refusal does not.
    pub filled: Option<Qty>,
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
    /// A stop's trigger was met: from now on it is a market or a limit order.
    Triggered,
    /// So much of it traded.
    Filled {
        /// Price and quantity of the fill.
        fill: Level,
        /// It rested before.
        maker: bool,
        /// What the venue charged for it. None: it does not say, and the configured rates hold.
        fee: Option<Charge>,
    },
    /// The answer to a query.
    Standing(Standing),
}

/// What a venue charged for a fill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Charge {
    /// Above zero where it was paid; a rebate is below zero.
    pub amount: Decimal,
    /// What it was paid in.
    pub asset: ChargeAsset,
}

/// What a charge was paid in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum ChargeAsset {
    /// What the instrument settles in.
    Settle = 0,
    /// The base asset of a spot instrument: so much less was bought.
    Base = 1,
    /// Another: a discount token. It is valued by the configured rates.
    Other = 2,
}

impl ChargeAsset {
    /// Every one, by its number.
    pub const ALL: [Self; 3] = [Self::Settle, Self::Base, Self::Other];
}

/// Funding that a venue says was paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Paid {
    /// On what is held of this.
    pub instrument: InstrumentId,
    /// In what the instrument settles in; below zero where it was paid, above where it was received.
    pub amount: Decimal,
}

/// Where an order stands, as the venue answers a query by client order id. Conclusive: while a placement or an
/// amendment of it is under way that the venue would still take (its receive window has not passed), an answer that it
/// would change is told as [`Self::Unknown`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// The venue has or had it.
    Exists {
        /// Where it stands.
        state: VenueState,
        /// All that has traded of it. Those fills come before this answer.
        filled: Qty,
    },
    /// The venue never had it and never will: it does not know the id, and a request that is still under way would
    /// be refused, because its receive window has passed.
    Absent,
    /// It cannot be told now: an error, no answer, a venue that has forgotten, or a request that may still arrive.
    Unknown,
}

/// What a venue says of an order that it has or had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VenueState {
    /// It rests, at this price and whole quantity.
    Open(Level),
    /// All of it traded.
    Filled,
    /// It was canceled.
    Canceled,
    /// It was not taken.
    Rejected,
    /// The venue ended it.
    Expired,
}

/// What a venue holds of ours.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// Every open order, whoever placed it.
    pub open: Vec<VenueOrder>,
    /// Positions by instrument id; zero where there is none.
    pub positions: Vec<Qty>,
}

/// An open order in a venue's list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VenueOrder {
    /// What the venue knows it by.
    pub id: ClientOrderId,
    /// What it trades.
    pub instrument: InstrumentId,
    /// Buys or sells.
    pub side: Side,
    /// Price and whole quantity.
    pub level: Level,
    /// Traded so far.
    pub filled: Qty,
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

    /// Asks for the end of every open order of an instrument at once, those that wait for a trigger included. Each
    /// order's end is told as if it had been canceled alone; the request itself has no answer. False: this venue has no
    /// such request, or it did not leave.
    fn cancel_all_of(&mut self, _instrument: InstrumentId, _now: Nanos) -> bool {
        false
    }

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

    /// Whether its answers come from outside the process. They are inputs then: taken as they come ([`Self::poll`]) and
    /// journalled. Where they are worked out from what was sent and the time, as a paper exchange's are, a repetition
    /// of the run works them out again.
    fn is_outside(&self) -> bool {
        false
    }

    /// Looks for answers, where they come from outside. `inputs` counts what the manager has taken before: the place of
    /// an answer among its inputs. Returns the time by a clock of its own; no decision may depend on it.
    fn poll(&mut self, _inputs: u64) -> Nanos {
        Nanos(0)
    }

    /// In a repetition of a run: whether an answer has to be taken before the next input.
    fn is_owed(&self, _inputs: u64) -> bool {
        false
    }

    /// Why the venue will take no more orders of ours, whatever is asked: the account or its key is refused. None: nothing
    /// of the kind.
    fn refusal(&self) -> Option<&'static str> {
        None
    }

    /// The oldest answer that has come until `now`, with its time, handed out once.
    fn next_answer(&mut self, now: Nanos) -> Option<(Nanos, Answer)>;

    /// The instrument pays funding with the market message taken last, on whatever is held of it; once. For a
    /// counterparty that keeps no cash of its own: a venue tells what it paid.
    fn take_funding(&mut self) -> Option<FundingDue> {
        None
    }

    /// How long the placement was under way that the answer handed out last is the first answer to. None: it is another
    /// answer, or nobody knows.
    fn round_trip(&self) -> Option<Nanos> {
        None
    }

    /// By instrument id, what the account had before any run of the engine traded it, which is not the engine's: of spot,
    /// whose balances are all that there is. Below zero: not known. A later run has to know it too.
    fn baselines(&self) -> Vec<Qty> {
        Vec::new()
    }

    /// Funding that the venue says was paid, with the time at which it was heard, handed out once. For a counterparty
    /// outside.
    fn take_paid(&mut self) -> Option<(Nanos, Paid)> {
        None
    }

    /// Answers may have been lost since the last call, as when a private stream was opened again: every order is
    /// asked about.
    fn has_reconnected(&mut self) -> bool {
        false
    }

    /// Asks for everything that the venue holds of ours, before trading begins. The answer is of a time when no
    /// request that an earlier process sent would be taken any more: its receive window has passed. False: it did
    /// not leave, or this venue cannot tell. May take memory.
    fn ask_account(&mut self, _now: Nanos) -> bool {
        false
    }

    /// What the venue answered to the last [`Self::ask_account`] and has come until `now`, once. None: nothing yet.
    fn take_account(&mut self, _now: Nanos) -> Option<Account> {
        None
    }
}
