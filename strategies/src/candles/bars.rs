//! Bars cut by what is traded instead of by the clock, and Renko bricks.

use super::{Candle, Trade};
use engine::time::Nanos;

/// When a bar closes. Trades are not split: the one that reaches the bound is the bar's last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BarRule {
    /// After this many trades.
    Ticks(u32),
    /// Once this much is traded, quantity units.
    Volume(i64),
    /// Once this much is paid, notional.
    Value(i128),
    /// Once taker buys and taker sells differ by this many trades.
    TickImbalance(u32),
    /// Once taker buys and taker sells differ by this much, quantity units.
    VolumeImbalance(i64),
}

/// Bars of one rule. Allocates nothing.
#[derive(Clone, Debug)]
pub struct Bars {
    rule: BarRule,
    forming: Option<Candle>,
    /// Taker buys less taker sells, trades.
    tick_balance: i64,
}

impl Bars {
    /// Starts with nothing formed. A bound of 0 or less closes a bar with every trade.
    #[must_use]
    pub fn new(rule: BarRule) -> Self {
        Self { rule, forming: None, tick_balance: 0 }
    }

    /// The bar that still forms.
    #[must_use]
    pub fn forming(&self) -> Option<&Candle> {
        self.forming.as_ref()
    }

    /// Takes a trade; answers the bar that it closes. The bar's `open_time` is its first trade's time, its
    /// `length` the time to its last.
    #[inline]
    pub fn trade(&mut self, trade: &Trade) -> Option<Candle> {
        let one = trade.candle(trade.venue_ns, Nanos(0));
        self.tick_balance += if trade.taker_buys { 1 } else { -1 };
        let bar = match self.forming {
            None => one,
            Some(mut forming) => {
                forming.append(&one);
                forming.length = trade.venue_ns.since(forming.open_time);
                forming
            }
        };
        let done = match self.rule {
            BarRule::Ticks(count) => bar.trades >= count,
            BarRule::Volume(volume) => bar.volume.0 >= volume,
            BarRule::Value(value) => bar.quote_volume >= value,
            BarRule::TickImbalance(count) => self.tick_balance.unsigned_abs() >= u64::from(count),
            BarRule::VolumeImbalance(volume) => {
                (2 * i128::from(bar.taker_buy_volume.0) - i128::from(bar.volume.0)).abs()
                    >= i128::from(volume)
            }
        };
        if done {
            self.tick_balance = 0;
        }
        self.forming = (!done).then_some(bar);
        done.then_some(bar)
    }
}

/// One Renko brick.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Brick {
    /// Where it starts, ticks.
    pub open: i64,
    /// Where it ends, one brick away.
    pub close: i64,
}

/// Renko: a brick for every full brick that the price moves on; against the last brick's direction the
/// price must come back by two.
#[derive(Clone, Debug)]
pub struct Renko {
    brick: i64,
    last: Option<Brick>,
    anchor: Option<i64>,
}

impl Renko {
    /// Bricks of `brick` ticks. None: not more than 0.
    #[must_use]
    pub fn new(brick: i64) -> Option<Self> {
        (brick > 0).then_some(Self { brick, last: None, anchor: None })
    }

    /// Takes a price; `drawn` is handed each brick it completes, the first price being the anchor. A jump
    /// draws as many bricks as it covers; prices beyond 2^62 are refused by drawing nothing.
    pub fn price(&mut self, price: i64, mut drawn: impl FnMut(Brick)) {
        const BOUND: i64 = 1 << 62;
        if !(-BOUND..=BOUND).contains(&price) || self.brick > BOUND {
            return;
        }
        let mut edge = match (self.last, self.anchor) {
            (Some(last), _) => last.close,
            (None, Some(anchor)) => anchor,
            (None, None) => {
                self.anchor = Some(price);
                return;
            }
        };
        loop {
            let (rise, fall) = match self.last {
                None => (edge, edge),
                Some(last) if last.close > last.open => (edge, last.open),
                Some(last) => (last.open, edge),
            };
            let brick = if price >= rise + self.brick {
                Brick { open: rise, close: rise + self.brick }
            } else if price <= fall - self.brick {
                Brick { open: fall, close: fall - self.brick }
            } else {
                return;
            };
            drawn(brick);
            self.last = Some(brick);
            edge = brick.close;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::num::{Price, Qty};

    fn trade(id: u64, price: i64, quantity: i64, taker_buys: bool) -> Trade {
        let notional = i128::from(price) * i128::from(quantity);
        let (price, quantity) = (Price(price), Qty(quantity));
        Trade { venue_ns: Nanos(1_000 * id), price, quantity, notional, taker_buys, id }
    }

    fn closes(rule: BarRule) -> Vec<(u64, u64, i64)> {
        let mut bars = Bars::new(rule);
        let trades =
            [(100, 2, true), (101, 3, true), (99, 5, false), (99, 1, false), (98, 4, false), (100, 9, true)];
        let closed = trades
            .iter()
            .zip(1..)
            .filter_map(|((price, quantity, buys), id)| bars.trade(&trade(id, *price, *quantity, *buys)));
        closed.map(|bar| (bar.first_trade_id, bar.last_trade_id, bar.volume.0)).collect()
    }

    #[test]
    fn bars_close_with_the_trade_that_reaches_the_bound() {
        assert_eq!(closes(BarRule::Ticks(2)), [(1, 2, 5), (3, 4, 6), (5, 6, 13)]);
        assert_eq!(closes(BarRule::Volume(5)), [(1, 2, 5), (3, 3, 5), (4, 5, 5), (6, 6, 9)]);
        assert_eq!(closes(BarRule::Value(500)), [(1, 2, 5), (3, 4, 6), (5, 6, 13)]);
        assert_eq!(closes(BarRule::TickImbalance(2)), [(1, 2, 5), (3, 4, 6)]);
        assert_eq!(closes(BarRule::VolumeImbalance(5)), [(1, 2, 5), (3, 3, 5), (4, 5, 5), (6, 6, 9)]);
    }

    fn bricks(prices: &[i64]) -> Vec<(i64, i64)> {
        let mut renko = Renko::new(10).unwrap();
        let mut drawn = Vec::new();
        for price in prices {
            renko.price(*price, |brick| drawn.push((brick.open, brick.close)));
        }
        drawn
    }

    #[test]
    fn a_brick_needs_a_full_move_and_a_reversal_needs_two() {
        assert_eq!(bricks(&[100, 109, 110, 131]), [(100, 110), (110, 120), (120, 130)]);
        assert_eq!(bricks(&[100, 120, 101]), [(100, 110), (110, 120)]);
        assert_eq!(bricks(&[100, 120, 100, 99]), [(100, 110), (110, 120), (110, 100)]);
        assert_eq!(bricks(&[100, 90, 109, 110]), [(100, 90), (100, 110)]);
        assert_eq!(bricks(&[100, i64::MAX, i64::MIN]), []);
    }
}
