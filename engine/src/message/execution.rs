//! What the gateway says of an order.

use super::Body;
use crate::ids::StrategyId;
use crate::num::{Level, Qty};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// What became of an order, and where that leaves the position.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C, align(64))]
pub struct Execution {
    /// The order: sequence of its client order id; 0: refused by the gate before it had one.
    pub order_seq: u64,
    /// Its price and whole quantity.
    pub order: Level,
    /// Filled so far.
    pub filled: Qty,
    /// The fill that this reports; zero quantity: none.
    pub fill: Level,
    /// `Side` as a number.
    pub side: u8,
    /// `OrderState` as a number.
    pub state: u8,
    /// `RiskRule` as a number when the gate refused it, else 0.
    pub rule: u8,
    /// 1: the fill made liquidity, it rested.
    pub maker: u8,
    /// Whose order it is.
    pub strategy: StrategyId,
    /// 1: `fee` is what the venue charged; 0: what the configured rates come to.
    pub is_charged: u8,
    /// Zero.
    pub reserved: u8,
    /// The strategy's position in the instrument after it.
    pub position: Qty,
    /// Cash after it, fees not included, in units of the instrument's amount exponent.
    pub cash: [u64; 2],
    /// Profit and loss at the touch's mid after it, fees not included, likewise.
    pub pnl: [u64; 2],
    /// Fees paid so far, likewise; negative: earned.
    pub fees: [u64; 2],
    /// What the fill cost, likewise; negative: earned.
    pub fee: i64,
    /// The part of the fill's quantity that was kept back as the fee; `fee` is its value at the fill's price.
    pub fee_qty: Qty,
}
body!(Execution, 2);
