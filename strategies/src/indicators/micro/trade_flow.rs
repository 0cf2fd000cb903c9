//! Taker volumes over a window of time.

use super::{Print, Ratio};
use engine::time::Nanos;

/// Sums of taker buys and sells received in (now - window, now].
///
/// The trades of the window lie in a ring of fixed size. When more come than it holds, the oldest leave
/// early and are counted in [`TradeFlow::dropped`]: the sums are then those of the newest `capacity`, and
/// [`TradeFlow::is_whole`] says so until the window has passed what was dropped.
#[derive(Clone, Debug)]
pub struct TradeFlow {
    window: Nanos,
    cells: Box<[(Nanos, i64)]>,
    head: usize,
    len: usize,
    buys: i128,
    sells: i128,
    dropped: u64,
    /// Before this time the window reaches back to a trade that was dropped.
    whole_from: Nanos,
    now: Nanos,
}

impl TradeFlow {
    /// Over `window`, holding up to `capacity` trades. Panics when `capacity` is 0.
    #[must_use]
    pub fn new(window: Nanos, capacity: usize) -> Self {
        assert!(capacity > 0, "a window holds something");
        let cells = vec![(Nanos(0), 0); capacity].into_boxed_slice();
        Self {
            window,
            cells,
            head: 0,
            len: 0,
            buys: 0,
            sells: 0,
            dropped: 0,
            whole_from: Nanos(0),
            now: Nanos(0),
        }
    }

    /// Takes a trade.
    #[inline]
    pub fn trade(&mut self, print: &Print) {
        self.advance(print.at);
        if self.len == self.cells.len() {
            self.whole_from = self.cells[self.head].0.plus(self.window);
            self.drop_oldest();
            self.dropped += 1;
        }
        let mut at = self.head + self.len;
        if at >= self.cells.len() {
            at -= self.cells.len();
        }
        self.cells[at] = (print.at, print.signed());
        self.len += 1;
        self.count(print.signed(), 1);
    }

    /// Time has come to `now`: what is `window` old or older leaves. Each trade leaves once, so that the work is
    /// amortised one a trade, and `capacity` at most at once. Answers whether the sums may be others than before.
    #[inline]
    pub fn advance(&mut self, now: Nanos) -> bool {
        let (before, was_whole) = (self.len, self.is_whole());
        self.now = self.now.max(now);
        while self.len > 0 && self.cells[self.head].0.plus(self.window) <= now {
            self.drop_oldest();
        }
        self.len != before || self.is_whole() != was_whole
    }

    /// Whether the window holds every trade that it should, as of the time last told.
    #[inline]
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.now >= self.whole_from
    }

    /// Quantity that takers bought in the window.
    #[must_use]
    pub fn buys(&self) -> i128 {
        self.buys
    }

    /// Quantity that takers sold in the window.
    #[must_use]
    pub fn sells(&self) -> i128 {
        self.sells
    }

    /// (buys - sells)/(buys + sells), undefined without trades.
    #[inline]
    #[must_use]
    pub fn imbalance(&self) -> Ratio {
        Ratio { numerator: self.buys - self.sells, denominator: self.buys + self.sells }
    }

    /// Trades in the window.
    #[must_use]
    pub fn trades(&self) -> usize {
        self.len
    }

    /// Trades that left early for want of room.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    #[inline]
    fn drop_oldest(&mut self) {
        let (_, signed) = self.cells[self.head];
        self.head = if self.head + 1 == self.cells.len() { 0 } else { self.head + 1 };
        self.len -= 1;
        self.count(signed, -1);
    }

    #[inline]
    fn count(&mut self, signed: i64, times: i128) {
        if signed >= 0 {
            self.buys += times * i128::from(signed);
        } else {
            self.sells -= times * i128::from(signed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trade_leaves_when_it_is_a_window_old_or_room_is_wanted() {
        let print = |at, quantity, taker_buys| Print { at: Nanos(at), price: 1, quantity, taker_buys };
        let mut flow = TradeFlow::new(Nanos(10), 2);
        flow.trade(&print(1, 5, true));
        flow.trade(&print(4, 3, false));
        assert_eq!((flow.buys(), flow.sells(), flow.imbalance().value().get()), (5, 3, Some(0.25)));
        flow.advance(Nanos(10));
        assert_eq!(flow.buys(), 5);
        flow.advance(Nanos(11));
        assert_eq!((flow.buys(), flow.sells()), (0, 3));
        flow.trade(&print(12, 1, true));
        flow.trade(&print(13, 1, true));
        assert_eq!((flow.buys(), flow.sells(), flow.dropped()), (2, 0, 1));
        // The sale at 4 was dropped, and would have left at 14.
        assert!(!flow.is_whole());
        assert!(!flow.advance(Nanos(13)) && !flow.is_whole());
        assert!(flow.advance(Nanos(14)) && flow.is_whole());
        assert!(flow.advance(Nanos(100)));
        assert_eq!((flow.trades(), flow.imbalance().value().get()), (0, None));
    }
}
