//! What the gateway says of itself at its end.

use engine::ids::{InstrumentId, StrategyId};
use engine::latency::Hops;
use engine::position::Position;
use engine::risk::{Refusal, RiskRule};

/// What became of orders.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OrderCounts {
    /// Approved, journalled and sent.
    pub placed: u64,
    /// Amended, as the exchange says.
    pub amended: u64,
    /// Ended by a cancel.
    pub canceled: u64,
    /// Wholly filled.
    pub filled: u64,
    /// Ended by the exchange itself.
    pub expired: u64,
    /// Refused by the gate, by [`RiskRule`].
    pub refused: [u64; RiskRule::ALL.len() + 1],
    /// Refused by the exchange.
    pub rejected: u64,
    /// Cancels that the exchange refused.
    pub cancels_refused: u64,
    /// Amendments that the exchange refused.
    pub amends_refused: u64,
    /// Answers that did not come in time.
    pub timed_out: u64,
    /// Queries about orders that were unknown.
    pub queries: u64,
    /// Answers that said nothing new: to orders that had ended, because a fill or a cancel was faster, or told twice.
    pub late_answers: u64,
    /// Answers that no order could have.
    pub bad_answers: u64,
    /// Requests that could not be written or sent.
    pub unsent: u64,
}

/// What the gateway did, sent when the stage ends.
#[derive(Clone)]
pub struct GatewayReport {
    /// What became of orders.
    pub orders: OrderCounts,
    /// Of each rule of the gate that refused, the last refusal and its instrument.
    pub last_refusals: Vec<(InstrumentId, Refusal)>,
    /// By instrument, and within it by strategy.
    pub positions: Vec<PositionReport>,
    /// By hop.
    pub latency: Hops,
}

/// One strategy's position in one instrument at the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PositionReport {
    /// The instrument.
    pub instrument: InstrumentId,
    /// The strategy.
    pub strategy: StrategyId,
    /// What is held, what it cost, what was paid in fees.
    pub position: Position,
    /// Profit at the last mid, fees not included, in units of the instrument's amount exponent. None: there is no
    /// touch to value it at.
    pub pnl: Option<i128>,
    /// Orders still open.
    pub open_orders: usize,
}
