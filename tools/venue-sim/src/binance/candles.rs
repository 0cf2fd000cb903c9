//! Candles of one market in every interval, from its trades.

use engine::num::{Price, Qty, Side};
use engine::time::Nanos;
use std::collections::VecDeque;

use super::json::Json;
use super::render::Digits;
use crate::exchange::{Amount, Trade};

/// A candle's length. Candles begin at multiples of it since 1970, weeks on Mondays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Interval(usize);

/// The venue's name and the length in seconds. Calendar months are not kept.
const INTERVALS: [(&str, u64); 15] = [
    ("1s", 1),
    ("1m", 60),
    ("3m", 180),
    ("5m", 300),
    ("15m", 900),
    ("30m", 1_800),
    ("1h", 3_600),
    ("2h", 7_200),
    ("4h", 14_400),
    ("6h", 21_600),
    ("8h", 28_800),
    ("12h", 43_200),
    ("1d", 86_400),
    ("3d", 259_200),
    ("1w", 604_800),
];
/// 1970 began on a Thursday.
const MONDAY_SECONDS: u64 = 4 * 86_400;
/// Candles remembered of an interval: what one request may ask for.
const KEPT: usize = 1_500;

impl Interval {
    /// One second.
    pub(crate) const SECOND: Self = Self(0);

    /// The interval of that name. None: no such interval.
    #[must_use]
    pub(crate) fn parse(name: &str) -> Option<Self> {
        INTERVALS.iter().position(|(known, _)| *known == name).map(Self)
    }

    /// The venue's name.
    #[must_use]
    pub(crate) const fn name(self) -> &'static str {
        INTERVALS[self.0].0
    }

    const fn length(self) -> Nanos {
        Nanos(INTERVALS[self.0].1 * Nanos::SECOND.0)
    }

    fn start(self, now: Nanos) -> Nanos {
        let shift = if self.name() == "1w" { MONDAY_SECONDS * Nanos::SECOND.0 } else { 0 };
        Nanos(now.0 - now.0.saturating_sub(shift) % self.length().0)
    }
}

/// One candle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Candle {
    /// When it began.
    pub(crate) start: Nanos,
    /// First, highest, lowest and last price.
    pub(crate) prices: [Price; 4],
    /// Traded quantity.
    pub(crate) volume: Qty,
    /// Traded value.
    pub(crate) value: Amount,
    /// Of it bought by takers.
    pub(crate) taker_volume: Qty,
    /// Of it bought by takers.
    pub(crate) taker_value: Amount,
    /// First and last trade id; none: no trade.
    pub(crate) ids: Option<(u64, u64)>,
    /// Trades.
    pub(crate) count: u64,
}

impl Candle {
    const fn flat(start: Nanos, price: Price) -> Self {
        let (volume, value) = (Qty(0), Amount::ZERO);
        Self {
            start,
            prices: [price; 4],
            volume,
            value,
            taker_volume: volume,
            taker_value: value,
            ids: None,
            count: 0,
        }
    }

    fn trade(&mut self, trade: &Trade, value: Amount) {
        let [_, high, low, close] = &mut self.prices;
        *high = (*high).max(trade.price);
        *low = (*low).min(trade.price);
        *close = trade.price;
        if self.count == 0 {
            self.prices = [trade.price; 4];
        }
        self.volume.0 += trade.qty.0;
        self.value += value;
        if trade.aggressor == Side::Buy {
            self.taker_volume.0 += trade.qty.0;
            self.taker_value += value;
        }
        self.ids = Some((self.ids.map_or(trade.id, |(first, _)| first), trade.id));
        self.count += 1;
    }
}

/// The candles of one market.
pub(crate) struct Candles(Vec<VecDeque<Candle>>);

impl Default for Candles {
    fn default() -> Self {
        Self(vec![VecDeque::new(); INTERVALS.len()])
    }
}

impl Candles {
    /// Counts a trade of the value `value`.
    pub(crate) fn trade(&mut self, trade: &Trade, value: Amount) {
        self.advance(trade.time);
        for (index, candles) in self.0.iter_mut().enumerate() {
            if candles.is_empty() {
                candles.push_back(Candle::flat(Interval(index).start(trade.time), trade.price));
            }
            if let Some(candle) = candles.back_mut() {
                candle.trade(trade, value);
            }
        }
    }

    /// Begins the candles that have begun by `now`.
    pub(crate) fn advance(&mut self, now: Nanos) {
        for (index, candles) in self.0.iter_mut().enumerate() {
            let interval = Interval(index);
            let (start, length) = (interval.start(now), interval.length().0);
            let Some(last) = candles.back().copied().filter(|last| last.start < start) else { continue };
            // A leap of time: candles that would be dropped at once are not made.
            let oldest = start.0.saturating_sub(length * (KEPT as u64 - 1));
            let mut next = (last.start.0 + length).max(oldest);
            while next <= start.0 {
                if candles.len() >= KEPT {
                    candles.pop_front();
                }
                candles.push_back(Candle::flat(Nanos(next), last.prices[3]));
                next += length;
            }
        }
    }

    /// The candles of an interval, oldest first, the last one still forming.
    pub(crate) fn of(&self, interval: Interval) -> impl DoubleEndedIterator<Item = &Candle> {
        self.0[interval.0].iter()
    }

    /// Rows of the REST answer: those that begin in `from..=to`, the last `limit` of them, or the first when `from`
    /// is given.
    #[must_use]
    pub(crate) fn rows(
        &self,
        interval: Interval,
        from: Option<Nanos>,
        to: Nanos,
        limit: usize,
        digits: Digits,
    ) -> String {
        let inside = |candle: &&Candle| candle.start <= to && from.is_none_or(|from| candle.start >= from);
        let all: Vec<_> = self.of(interval).filter(inside).collect();
        let skipped = if from.is_some() { 0 } else { all.len().saturating_sub(limit) };
        let mut json = Json::list();
        for candle in all.into_iter().skip(skipped).take(limit) {
            json.item_open_list().item(candle.start.as_ms());
            for price in candle.prices {
                json.item_shown(digits.price(price));
            }
            json.item_shown(digits.qty(candle.volume)).item(end_ms(candle, interval));
            json.item_shown(digits.amount(candle.value)).item(candle.count);
            json.item_shown(digits.qty(candle.taker_volume)).item_shown(digits.amount(candle.taker_value));
            json.item_text("0").close_list();
        }
        json.done_list()
    }
}

/// The object `k` of a kline event.
pub(crate) fn event_member(
    json: &mut Json,
    symbol: &str,
    candle: &Candle,
    interval: Interval,
    closed: bool,
    digits: Digits,
) {
    let (first, last) = candle.ids.map_or((-1, -1), |(first, last)| (as_signed(first), as_signed(last)));
    let [open, high, low, close] = candle.prices;
    json.open("k").int("t", candle.start.as_ms()).int("T", end_ms(candle, interval)).text("s", symbol);
    json.text("i", interval.name()).int("f", first).int("L", last);
    json.shown("o", digits.price(open)).shown("c", digits.price(close));
    json.shown("h", digits.price(high)).shown("l", digits.price(low));
    json.shown("v", digits.qty(candle.volume)).int("n", candle.count).flag("x", closed);
    json.shown("q", digits.amount(candle.value)).shown("V", digits.qty(candle.taker_volume));
    json.shown("Q", digits.amount(candle.taker_value)).text("B", "0").close();
}

fn as_signed(id: u64) -> i64 {
    i64::try_from(id).unwrap_or(i64::MAX)
}

fn end_ms(candle: &Candle, interval: Interval) -> u64 {
    Nanos(candle.start.0 + interval.length().0).as_ms() - 1
}
