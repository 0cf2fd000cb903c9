//! Candles from trades and from smaller candles, in exact integers.
//!
//! **Intervals** are those of UTC: an interval of length L holds the trades whose venue time T has the
//! same floor(T / L); weeks start on Monday, months on the first. **Open and close** follow the order in
//! which trades arrive, which is the venue's. **Gaps** follow a stated policy: an interval without a
//! trade has no candle ([`Gaps::Absent`], as in venues' trade data), or one that stands still at the last
//! close with volume 0 ([`Gaps::Flat`]). **A late trade**, of an interval already closed, is refused: a
//! candle that has been traded on does not change.
//!
//! A candle closes when a trade of a later interval arrives or when [`Aggregator::advance`] says that
//! time has passed it; the candle that forms can be looked at any time.

mod bars;
mod time_frame;

pub use bars::{BarRule, Bars, Brick, Renko};
pub use time_frame::{TimeFrame, TimeFrameError};

pub use engine::candle::{Candle, Difference};

use engine::num::{Price, Qty};
use engine::time::Nanos;
use std::fmt;

/// One trade, in the instrument's integers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trade {
    /// The venue's time.
    pub venue_ns: Nanos,
    /// Price.
    pub price: Price,
    /// Quantity.
    pub quantity: Qty,
    /// Price times quantity, in any fixed scale.
    pub notional: i128,
    /// Did the taker buy?
    pub taker_buys: bool,
    /// The venue's id.
    pub id: u64,
}

impl Trade {
    /// A candle of this trade alone.
    #[must_use]
    pub fn candle(&self, open_time: Nanos, length: Nanos) -> Candle {
        let bought = self.taker_buys;
        Candle {
            volume: self.quantity,
            taker_buy_volume: if bought { self.quantity } else { Qty(0) },
            quote_volume: self.notional,
            taker_buy_quote_volume: if bought { self.notional } else { 0 },
            trades: 1,
            first_trade_id: self.id,
            last_trade_id: self.id,
            ..Candle::standing_still(self.price, open_time, length)
        }
    }
}

/// What an interval without a trade becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gaps {
    /// No candle.
    Absent,
    /// A candle at the last close with volume 0, for at most this many intervals of one gap, so that the
    /// work of one trade is bounded; the rest of a longer gap stays absent.
    Flat(u32),
}

/// What an aggregator refuses. It is left as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AggregateError {
    /// Of an interval that has closed: the time given, and the start of the first open interval.
    Late(Nanos, Nanos),
    /// A smaller candle that does not lie within one interval: its start and its end.
    Straddles(Nanos, Nanos),
}

impl fmt::Display for AggregateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Late(at, open) => write!(f, "of {at}, but everything before {open} is closed"),
            Self::Straddles(from, to) => write!(f, "a candle from {from} to {to} lies in two intervals"),
        }
    }
}

impl std::error::Error for AggregateError {}

/// Candles of one time frame. Allocates nothing.
#[derive(Clone, Debug)]
pub struct Aggregator {
    frame: TimeFrame,
    gaps: Gaps,
    forming: Option<Candle>,
    /// Everything before this is closed.
    closed_until: Nanos,
}

impl Aggregator {
    /// Starts with nothing formed.
    #[must_use]
    pub fn new(frame: TimeFrame, gaps: Gaps) -> Self {
        Self { frame, gaps, forming: None, closed_until: Nanos(0) }
    }

    /// The time frame.
    #[must_use]
    pub fn frame(&self) -> TimeFrame {
        self.frame
    }

    /// The candle that still forms.
    #[must_use]
    pub fn forming(&self) -> Option<&Candle> {
        self.forming.as_ref()
    }

    /// Takes a trade; `closed` is handed each candle that it closes. Err: late.
    #[inline]
    pub fn trade(&mut self, trade: &Trade, closed: impl FnMut(Candle)) -> Result<(), AggregateError> {
        self.append(trade.candle(trade.venue_ns, Nanos(0)), closed)
    }

    /// Takes a candle of a smaller time frame. Err: late, or not within one interval.
    pub fn candle(&mut self, smaller: &Candle, closed: impl FnMut(Candle)) -> Result<(), AggregateError> {
        let end = smaller.open_time.plus(smaller.length);
        let last = Nanos(end.0.saturating_sub(1)).max(smaller.open_time);
        if self.frame.start(last) != self.frame.start(smaller.open_time) {
            return Err(AggregateError::Straddles(smaller.open_time, end));
        }
        self.append(*smaller, closed)
    }

    /// Time has come to `now`: closes the candle whose interval is over. With [`Gaps::Flat`], intervals
    /// that have passed since without a trade get theirs.
    pub fn advance(&mut self, now: Nanos, mut closed: impl FnMut(Candle)) {
        let start = self.frame.start(now);
        if let Some(forming) = self.forming.filter(|forming| forming.open_time < start) {
            self.close(forming, start, &mut closed);
        }
    }

    /// The candle that still forms, cut short; the end of the data.
    pub fn finish(&mut self) -> Option<Candle> {
        self.forming.take()
    }

    #[inline]
    fn append(&mut self, next: Candle, mut closed: impl FnMut(Candle)) -> Result<(), AggregateError> {
        let start = self.frame.start(next.open_time);
        if start < self.closed_until {
            return Err(AggregateError::Late(next.open_time, self.closed_until));
        }
        match &mut self.forming {
            Some(forming) if forming.open_time == start => forming.append(&next),
            other => {
                if let Some(last) = *other {
                    self.close(last, start, &mut closed);
                }
                let length = Nanos(self.frame.end(start).0 - start.0);
                self.forming = Some(Candle { open_time: start, length, ..next });
                self.closed_until = start;
            }
        }
        Ok(())
    }

    /// Hands out the formed candle and fills the gap up to `until`.
    fn close(&mut self, formed: Candle, until: Nanos, closed: &mut impl FnMut(Candle)) {
        self.forming = None;
        closed(formed);
        let mut next = self.frame.end(formed.open_time);
        if let Gaps::Flat(most) = self.gaps {
            for _ in 0..most {
                if next >= until {
                    break;
                }
                let end = self.frame.end(next);
                let still = Candle::standing_still(formed.close, next, Nanos(end.0 - next.0));
                closed(still);
                next = end;
            }
        }
        self.closed_until = until;
        // Time passes on without trades: the next still candles continue from here.
        if let Gaps::Flat(_) = self.gaps {
            let end = self.frame.end(until);
            self.forming = Some(Candle::standing_still(formed.close, until, Nanos(end.0 - until.0)));
        }
    }
}

/// Several time frames fed at once.
#[derive(Clone, Debug)]
pub struct Aggregators {
    each: Box<[Aggregator]>,
}

impl Aggregators {
    /// One aggregator a time frame, in the order given.
    #[must_use]
    pub fn new(frames: impl IntoIterator<Item = TimeFrame>, gaps: Gaps) -> Self {
        Self { each: frames.into_iter().map(|frame| Aggregator::new(frame, gaps)).collect() }
    }

    /// The aggregators.
    #[must_use]
    pub fn each(&self) -> &[Aggregator] {
        &self.each
    }

    /// Takes a trade; `closed` is handed the index of the time frame and the candle. Err: late for one of
    /// them, in which case none has taken it.
    pub fn trade(
        &mut self,
        trade: &Trade,
        mut closed: impl FnMut(usize, Candle),
    ) -> Result<(), AggregateError> {
        for aggregator in &self.each {
            if aggregator.frame.start(trade.venue_ns) < aggregator.closed_until {
                return Err(AggregateError::Late(trade.venue_ns, aggregator.closed_until));
            }
        }
        for (index, aggregator) in self.each.iter_mut().enumerate() {
            aggregator.trade(trade, |candle| closed(index, candle))?;
        }
        Ok(())
    }

    /// Time has come to `now`.
    pub fn advance(&mut self, now: Nanos, mut closed: impl FnMut(usize, Candle)) {
        for (index, aggregator) in self.each.iter_mut().enumerate() {
            aggregator.advance(now, |candle| closed(index, candle));
        }
    }
}
