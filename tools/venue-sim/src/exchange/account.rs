//! What an account holds: balances, and on futures positions.

use super::amount::Amount;
use super::event::AccountFill;
use super::order::OrderId;
use engine::num::Qty;
use std::collections::{BTreeSet, VecDeque};

/// A balance of one asset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Balance {
    /// To spend; on futures the wallet balance: deposits, realised profit, fees and funding.
    pub free: Amount,
    /// Kept for open orders (spot).
    pub locked: Amount,
}

impl Balance {
    /// Free and locked.
    #[must_use]
    pub fn total(&self) -> Amount {
        self.free + self.locked
    }
}

/// A futures position of one market, one-way mode.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// Held; negative when short.
    pub qty: Qty,
    /// What it is worth at its average entry price, signed like `qty`.
    pub cost: Amount,
    /// Realised since the account was opened, fees and funding not included.
    pub realised: Amount,
}

impl Position {
    /// Books a fill of the signed quantity `qty` with the signed value `value`; returns the profit realised. The part
    /// of the cost that stays is rounded so that profit is rounded down.
    pub(super) fn fill(&mut self, qty: Qty, value: Amount) -> Amount {
        let held = self.qty.0 + qty.0;
        let grows = self.qty.0 == 0 || (self.qty.0 > 0) == (qty.0 > 0);
        let turns = held != 0 && (held > 0) != (self.qty.0 > 0);
        let cost = if grows {
            self.cost + value
        } else if turns {
            share_floor(value, held, qty.0)
        } else {
            share_floor(self.cost, held, self.qty.0)
        };
        let realised = cost - self.cost - value;
        *self = Self { qty: Qty(held), cost, realised: self.realised + realised };
        realised
    }
}

/// `amount x part / whole` rounded down; `part` and `whole` of one sign, `part` no larger.
fn share_floor(amount: Amount, part: i64, whole: i64) -> Amount {
    let (part, whole) = (i128::from(part).abs(), i128::from(whole).abs());
    // Quotient and rest apart: the product of amount and part may need more than 127 bits.
    let (each, rest) = (amount.0.div_euclid(whole), amount.0.rem_euclid(whole));
    Amount(each * part + (rest * part).div_euclid(whole))
}

/// How an account is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AccountTerms {
    /// Writes order and account events and remembers its fills and ended orders. Off for the simulated crowd.
    pub reports: bool,
    /// May owe without limit: neither balance nor margin is asked for, and nothing is liquidated.
    pub unlimited: bool,
}

/// One account.
#[derive(Clone, Debug)]
pub struct Account {
    /// How it is kept.
    pub terms: AccountTerms,
    /// By asset.
    pub(super) balances: Vec<Balance>,
    /// By market: the position, leverage, and what its open orders come to.
    pub(super) markets: Vec<AccountMarket>,
    /// Its last fills, oldest first.
    pub(super) fills: VecDeque<AccountFill>,
}

/// An account's share of one market.
#[derive(Clone, Debug, Default)]
pub(super) struct AccountMarket {
    pub(super) position: Position,
    pub(super) leverage: u32,
    /// In the book, oldest first.
    pub(super) open: BTreeSet<OrderId>,
    /// Waiting for a trigger, oldest first.
    pub(super) waiting: BTreeSet<OrderId>,
    /// Value and quantity of what rests, by side, reduce-only orders left out (futures margin).
    pub(super) resting: [Resting; 2],
}

/// What rests on one side of a market for one account.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Resting {
    pub(super) value: Amount,
    pub(super) qty: i64,
}

impl Account {
    /// By asset, indexed by `AssetId`.
    #[must_use]
    pub fn balances(&self) -> &[Balance] {
        &self.balances
    }

    /// The positions, indexed by market.
    pub fn positions(&self) -> impl Iterator<Item = Position> {
        self.markets.iter().map(|market| market.position)
    }

    /// The leverages set, indexed by market.
    pub fn leverages(&self) -> impl Iterator<Item = u32> {
        self.markets.iter().map(|market| market.leverage)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn profit_is_realised_at_average_cost_and_turns_with_the_position() {
        let mut position = Position::default();
        assert_eq!(position.fill(Qty(2), Amount(200)), Amount(0));
        assert_eq!(position.fill(Qty(1), Amount(130)), Amount(0));
        // average 110; one sold at 140
        assert_eq!(position.fill(Qty(-1), Amount(-140)), Amount(30));
        assert_eq!((position.qty, position.cost), (Qty(2), Amount(220)));
        // five sold at 100: two close at -10 each, three are short at 100
        assert_eq!(position.fill(Qty(-5), Amount(-500)), Amount(-20));
        assert_eq!((position.qty, position.cost), (Qty(-3), Amount(-300)));
        assert_eq!(position.fill(Qty(3), Amount(270)), Amount(30));
        assert_eq!((position.qty, position.cost, position.realised), (Qty(0), Amount(0), Amount(40)));
    }

    #[test]
    fn what_is_realised_is_rounded_down_and_nothing_is_lost() {
        let mut position = Position::default();
        position.fill(Qty(3), Amount(100));
        let first = position.fill(Qty(-1), Amount(-34));
        let second = position.fill(Qty(-2), Amount(-67));
        assert_eq!((first, second), (Amount(0), Amount(1)));
        assert_eq!(
            share_floor(Amount(i128::MAX / 4), i64::MAX - 1, i64::MAX).0 >> 100,
            (i128::MAX / 4) >> 100
        );
    }
}
