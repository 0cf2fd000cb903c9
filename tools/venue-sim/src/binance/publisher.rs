//! Public streams: who listens to what, and what they are sent.
//!
//! Shapes: fixtures and captures where there are any, else the examples of developers.binance.com, read 2026-11-21.

use engine::book::BookSide;
use engine::num::{Decimal, Level, Price, Qty, Side};
use engine::time::Nanos;
use std::collections::{BTreeMap, BTreeSet};
use tungstenite::Utf8Bytes;

use super::candles::{Candles, Interval, event_member};
use super::json::Json;
use super::order_text::{order_type, side, status, time_in_force};
use super::render::Digits;
use super::statistics::Day;
use super::streams::{StreamKey, StreamKind};
use crate::exchange::{AggTrade, Exchange, LevelChange, Liquidation, Mark, Product, Quote, Trade};
use crate::outbox::{ConnId, Outbox, Topic};

/// Periods of streams are multiples of this.
pub(crate) const TICK_MS: u64 = 50;

/// The streams of one product that somebody listens to.
pub(crate) struct Publisher {
    product: Product,
    channels: BTreeMap<StreamKey, Channel>,
    /// Connections that want each event wrapped with its stream's name.
    combined: BTreeSet<ConnId>,
}

struct Channel {
    /// With the name that each of them used.
    listeners: Vec<(ConnId, String)>,
    state: State,
}

enum State {
    /// Sent as it happens.
    Instant,
    /// Changed levels since the last message, which ended at `sent`.
    Depth { levels: BTreeMap<(bool, Price), Qty>, sent: u64, last: u64 },
    /// The last message showed the book of this update id.
    Periodic { sent: u64 },
    /// Start and trade count of the candle shown last.
    Kline { shown: Option<(Nanos, u64)> },
}

/// What every message needs beside its event.
#[derive(Clone, Copy)]
pub(crate) struct Here<'a> {
    /// The exchange.
    pub(crate) exchange: &'a Exchange,
    /// Candles by market.
    pub(crate) candles: &'a [Candles],
    /// Last mark prices by market.
    pub(crate) marks: &'a [Option<Mark>],
    /// Now.
    pub(crate) now: Nanos,
    /// What the venue's clock is off by, ms.
    pub(crate) shift_ms: i64,
}

impl Here<'_> {
    fn ms(&self, time: Nanos) -> i64 {
        i64::try_from(time.as_ms()).unwrap_or(i64::MAX).saturating_add(self.shift_ms)
    }

    fn market(&self, market: engine::ids::InstrumentId) -> Option<(&str, Digits)> {
        let found = self.exchange.market(market)?;
        Some((found.instrument.symbol.as_str(), Digits::of(self.exchange.product(), &found.instrument)))
    }
}

impl Publisher {
    /// Nobody listens.
    #[must_use]
    pub(crate) const fn new(product: Product) -> Self {
        Self { product, channels: BTreeMap::new(), combined: BTreeSet::new() }
    }

    /// Whether a connection's events are wrapped with the stream's name.
    pub(crate) fn set_combined(&mut self, conn: ConnId, is_combined: bool) {
        if is_combined {
            self.combined.insert(conn);
        } else {
            self.combined.remove(&conn);
        }
    }

    /// A connection listens from now on.
    pub(crate) fn subscribe(&mut self, conn: ConnId, name: &str, key: StreamKey, exchange: &Exchange) {
        let channel = self.channels.entry(key).or_insert_with(|| {
            let last = key
                .market
                .and_then(|market| exchange.depth(market, 0))
                .map_or(0, |depth| depth.last_update_id);
            let state = match key.kind {
                StreamKind::Depth { .. } => State::Depth { levels: BTreeMap::new(), sent: last, last },
                StreamKind::Partial { .. } => State::Periodic { sent: 0 },
                StreamKind::Kline(_) => State::Kline { shown: None },
                _ => State::Instant,
            };
            Channel { listeners: Vec::new(), state }
        });
        if !channel.listeners.iter().any(|(known, _)| *known == conn) {
            channel.listeners.push((conn, name.to_owned()));
        }
    }

    /// A connection listens no more.
    pub(crate) fn unsubscribe(&mut self, conn: ConnId, key: StreamKey) {
        if let Some(channel) = self.channels.get_mut(&key) {
            channel.listeners.retain(|(known, _)| *known != conn);
            if channel.listeners.is_empty() {
                self.channels.remove(&key);
            }
        }
    }

    /// A connection is gone.
    pub(crate) fn forget(&mut self, conn: ConnId) {
        for channel in self.channels.values_mut() {
            channel.listeners.retain(|(known, _)| *known != conn);
        }
        self.channels.retain(|_, channel| !channel.listeners.is_empty());
        self.combined.remove(&conn);
    }

    /// A level changed.
    pub(crate) fn level(&mut self, change: &LevelChange) {
        let from = StreamKey::of(change.market, StreamKind::Depth { every_ms: 0 });
        let to = StreamKey::of(change.market, StreamKind::Depth { every_ms: u32::MAX });
        for channel in self.channels.range_mut(from..=to).map(|(_, channel)| channel) {
            if let State::Depth { levels, last, .. } = &mut channel.state {
                levels.insert((change.side == BookSide::Ask, change.level.price), change.level.qty);
                *last = change.update_id;
            }
        }
    }

    /// The touch is another.
    pub(crate) fn quote(&self, quote: &Quote, here: Here<'_>, out: &mut Outbox) {
        let Some(channel) = self.channels.get(&StreamKey::of(quote.market, StreamKind::BookTicker)) else {
            return;
        };
        if let Some((symbol, digits)) = here.market(quote.market) {
            self.send(channel, Topic::Market, &book_ticker(self.product, quote, symbol, digits, here), out);
        }
    }

    /// A trade.
    pub(crate) fn trade(&self, trade: &Trade, here: Here<'_>, out: &mut Outbox) {
        let Some(channel) = self.channels.get(&StreamKey::of(trade.market, StreamKind::Trade)) else {
            return;
        };
        let Some((symbol, digits)) = here.market(trade.market) else { return };
        let mut json = Json::object();
        json.text("e", "trade").int("E", here.ms(here.now)).text("s", symbol).int("t", trade.id);
        json.shown("p", digits.price(trade.price)).shown("q", digits.qty(trade.qty));
        json.int("T", here.ms(trade.time)).flag("m", trade.aggressor == Side::Sell).flag("M", true);
        self.send(channel, Topic::Market, &json.done(), out);
    }

    /// What one order took at one price.
    pub(crate) fn agg_trade(&self, trade: &AggTrade, here: Here<'_>, out: &mut Outbox) {
        let Some(channel) = self.channels.get(&StreamKey::of(trade.market, StreamKind::AggTrade)) else {
            return;
        };
        let Some((symbol, digits)) = here.market(trade.market) else { return };
        let mut json = Json::object();
        json.text("e", "aggTrade").int("E", here.ms(here.now));
        match self.product {
            Product::Spot => json.text("s", symbol).int("a", trade.id),
            Product::Futures => json.int("a", trade.id).text("s", symbol),
        };
        json.shown("p", digits.price(trade.price)).shown("q", digits.qty(trade.qty));
        json.int("f", trade.first_trade).int("l", trade.last_trade).int("T", here.ms(trade.time));
        json.flag("m", trade.aggressor == Side::Sell);
        match self.product {
            Product::Spot => json.flag("M", true),
            Product::Futures => json.int("st", 1),
        };
        self.send(channel, Topic::Market, &json.done(), out);
    }

    /// A position was closed by force.
    pub(crate) fn liquidation(&self, liquidation: &Liquidation, here: Here<'_>, out: &mut Outbox) {
        let order = &liquidation.order;
        let Some((symbol, digits)) = here.market(order.market) else { return };
        let mut json = Json::object();
        json.text("e", "forceOrder").int("E", here.ms(here.now)).open("o").text("s", symbol);
        json.text("S", side(order.side)).text("o", order_type(Product::Futures, order));
        json.text("f", time_in_force(Product::Futures, order)).shown("q", digits.qty(order.qty));
        json.shown("p", digits.price(order.kind.price().unwrap_or_default()));
        json.shown("ap", digits.mean_price(order.filled_value, order.filled)).text("X", status(order));
        json.shown("l", digits.qty(order.filled)).shown("z", digits.qty(order.filled));
        json.int("T", here.ms(order.updated)).close();
        let json = json.done();
        for market in [Some(order.market), None] {
            let key = StreamKey { market, kind: StreamKind::ForceOrder };
            if let Some(channel) = self.channels.get(&key) {
                self.send(channel, Topic::Market, &json, out);
            }
        }
    }

    /// Sends what is due at `now_ms`, a multiple of [`TICK_MS`].
    pub(crate) fn tick(&mut self, now_ms: u64, here: Here<'_>, out: &mut Outbox) {
        let product = self.product;
        let mut due = Vec::new();
        for (key, channel) in &mut self.channels {
            if !now_ms.is_multiple_of(period_ms(product, *key)) {
                continue;
            }
            let markets = here.exchange.markets().iter().map(|market| market.instrument.id);
            let (topic, texts) = match (key.kind, key.market) {
                (StreamKind::Depth { .. }, Some(market)) => (Topic::Depth, depth(channel, market, here)),
                (StreamKind::Partial { levels, .. }, Some(market)) => {
                    (Topic::Depth, partial(channel, market, usize::from(levels), here))
                }
                (StreamKind::Kline(interval), Some(market)) => {
                    (Topic::Market, kline(channel, market, interval, here))
                }
                (StreamKind::MarkPrice { .. }, Some(market)) => {
                    (Topic::Market, mark_price(market, here).into_iter().collect())
                }
                (StreamKind::MarkPrice { .. }, None) => {
                    (Topic::Market, vec![listed(markets.filter_map(|market| mark_price(market, here)))])
                }
                (StreamKind::Ticker, Some(market)) => {
                    (Topic::Market, ticker(market, here).into_iter().collect())
                }
                (StreamKind::Ticker, None) => {
                    (Topic::Market, vec![listed(markets.filter_map(|market| ticker(market, here)))])
                }
                (StreamKind::BookTicker, None) => {
                    let quote = |market: &crate::exchange::Market| {
                        let digits = Digits::of(product, &market.instrument);
                        book_ticker(product, &market.quote(), &market.instrument.symbol, digits, here)
                    };
                    (Topic::Market, here.exchange.markets().iter().map(quote).collect())
                }
                _ => continue,
            };
            due.push((*key, topic, texts));
        }
        for (key, topic, texts) in due {
            for text in texts {
                self.send(&self.channels[&key], topic, &text, out);
            }
        }
    }

    fn send(&self, channel: &Channel, topic: Topic, json: &str, out: &mut Outbox) {
        let raw = Utf8Bytes::from(json);
        for (conn, name) in &channel.listeners {
            if self.combined.contains(conn) {
                out.text(*conn, topic, format!("{{\"stream\":\"{name}\",\"data\":{json}}}"));
            } else {
                out.text(*conn, topic, raw.clone());
            }
        }
    }
}

fn period_ms(product: Product, key: StreamKey) -> u64 {
    match (key.kind, product) {
        (
            StreamKind::Depth { every_ms }
            | StreamKind::Partial { every_ms, .. }
            | StreamKind::MarkPrice { every_ms },
            _,
        ) => u64::from(every_ms.max(50)),
        (StreamKind::Kline(interval), Product::Spot) if interval != Interval::SECOND => 2_000,
        (StreamKind::Kline(_), Product::Spot) => 1_000,
        (StreamKind::Kline(_), Product::Futures) => 250,
        (StreamKind::Ticker, _) => 2_000,
        (StreamKind::BookTicker, _) => 5_000,
        (StreamKind::Trade | StreamKind::AggTrade | StreamKind::ForceOrder, _) => u64::MAX,
    }
}

fn listed(items: impl Iterator<Item = String>) -> String {
    let mut json = Json::list();
    for item in items {
        json.item(item);
    }
    json.done_list()
}

fn book_ticker(product: Product, quote: &Quote, symbol: &str, digits: Digits, here: Here<'_>) -> String {
    let mut json = Json::object();
    match product {
        Product::Spot => json.int("u", quote.update_id).text("s", symbol),
        Product::Futures => json
            .text("e", "bookTicker")
            .int("u", quote.update_id)
            .int("E", here.ms(here.now))
            .int("T", here.ms(quote.time))
            .text("s", symbol),
    };
    for ([price, qty], level) in [(["b", "B"], quote.bid), (["a", "A"], quote.ask)] {
        let level = level.unwrap_or(Level { price: Price(0), qty: Qty(0) });
        json.shown(price, digits.price(level.price)).shown(qty, digits.qty(level.qty));
    }
    if product == Product::Futures {
        json.int("st", 1).text("ps", symbol);
    }
    json.done()
}

fn depth(channel: &mut Channel, market: engine::ids::InstrumentId, here: Here<'_>) -> Vec<String> {
    let State::Depth { levels, sent, last } = &mut channel.state else { return Vec::new() };
    let Some((symbol, digits)) = here.market(market).filter(|_| !levels.is_empty()) else {
        return Vec::new();
    };
    let side = |asks: bool| -> Vec<Level> {
        let of_side = levels.iter().filter(|((is_ask, _), _)| *is_ask == asks);
        let mut side: Vec<_> = of_side.map(|((_, price), qty)| Level { price: *price, qty: *qty }).collect();
        if !asks {
            side.reverse();
        }
        side
    };
    let json = depth_update(symbol, digits, [*sent + 1, *last, *sent], [&side(false), &side(true)], here);
    levels.clear();
    *sent = *last;
    vec![json]
}

fn depth_update(
    symbol: &str,
    digits: Digits,
    [first, last, previous]: [u64; 3],
    [bids, asks]: [&[Level]; 2],
    here: Here<'_>,
) -> String {
    let mut json = Json::object();
    json.text("e", "depthUpdate").int("E", here.ms(here.now));
    match here.exchange.product() {
        Product::Spot => json.text("s", symbol).int("U", first).int("u", last),
        Product::Futures => json
            .int("T", here.ms(here.now))
            .text("s", symbol)
            .text("ps", symbol)
            .int("st", 1)
            .int("U", first)
            .int("u", last)
            .int("pu", previous),
    };
    digits.levels(&mut json, "b", bids);
    digits.levels(&mut json, "a", asks);
    json.done()
}

fn partial(
    channel: &mut Channel,
    market: engine::ids::InstrumentId,
    levels: usize,
    here: Here<'_>,
) -> Vec<String> {
    let State::Periodic { sent } = &mut channel.state else { return Vec::new() };
    let Some(((symbol, digits), depth)) = here.market(market).zip(here.exchange.depth(market, levels)) else {
        return Vec::new();
    };
    let last = depth.last_update_id;
    if last == *sent {
        return Vec::new();
    }
    let previous = std::mem::replace(sent, last);
    vec![match here.exchange.product() {
        Product::Spot => {
            let mut json = Json::object();
            json.int("lastUpdateId", last);
            digits.levels(&mut json, "bids", &depth.bids);
            digits.levels(&mut json, "asks", &depth.asks);
            json.done()
        }
        Product::Futures => {
            depth_update(symbol, digits, [previous + 1, last, previous], [&depth.bids, &depth.asks], here)
        }
    }]
}

/// The candle that ended since the last message, and the one that forms if it has changed.
fn kline(
    channel: &mut Channel,
    market: engine::ids::InstrumentId,
    interval: Interval,
    here: Here<'_>,
) -> Vec<String> {
    let State::Kline { shown } = &mut channel.state else { return Vec::new() };
    let Some(((symbol, digits), candles)) = here.market(market).zip(here.candles.get(market.index())) else {
        return Vec::new();
    };
    let newest: Vec<_> = candles.of(interval).rev().take(2).collect();
    let mut texts = Vec::new();
    for (index, candle) in newest.iter().enumerate().rev() {
        let is_closed = index == 1;
        let is_news = match *shown {
            None => !is_closed,
            Some((start, count)) if is_closed => {
                candle.start == start || (candle.start > start && count == 0)
            }
            Some((start, count)) => candle.start > start || candle.count > count,
        };
        // A closed candle is shown once: after it the newer one is remembered.
        if is_news && !(is_closed && shown.is_some_and(|(start, _)| start > candle.start)) {
            let mut json = Json::object();
            json.text("e", "kline").int("E", here.ms(here.now)).text("s", symbol);
            event_member(&mut json, symbol, candle, interval, is_closed, digits);
            texts.push(json.done());
        }
    }
    if let Some(newest) = newest.first() {
        *shown = Some((newest.start, newest.count));
    }
    texts
}

fn eight(decimal: Decimal) -> Decimal {
    Decimal { digits: 8, ..decimal }
}

fn mark_price(market: engine::ids::InstrumentId, here: Here<'_>) -> Option<String> {
    let (symbol, digits) = here.market(market)?;
    let mark = here.marks.get(market.index())?.as_ref()?;
    let mut json = Json::object();
    json.text("e", "markPriceUpdate").int("E", here.ms(here.now)).text("s", symbol);
    json.shown("p", eight(digits.price(mark.price))).shown("i", eight(digits.price(mark.index)));
    json.shown("P", eight(digits.price(mark.index))).shown("r", mark.funding_rate.decimal());
    json.int("T", here.ms(mark.next_funding)).int("st", 1);
    Some(json.done())
}

fn ticker(market: engine::ids::InstrumentId, here: Here<'_>) -> Option<String> {
    let (symbol, digits) = here.market(market)?;
    let day = Day::of(here.candles.get(market.index())?, here.now)?;
    let last = here.exchange.trades(market, None, 1);
    let mut json = Json::object();
    json.text("e", "24hrTicker").int("E", here.ms(here.now)).text("s", symbol);
    json.shown("p", digits.price(day.change())).shown("P", day.change_percent());
    json.shown("w", digits.mean_price(day.value, day.volume)).shown("c", digits.price(day.prices[3]));
    json.shown("Q", digits.qty(last.last().map_or(Qty(0), |trade| trade.qty)));
    json.shown("o", digits.price(day.prices[0])).shown("h", digits.price(day.prices[1]));
    json.shown("l", digits.price(day.prices[2])).shown("v", digits.qty(day.volume));
    json.shown("q", digits.amount(day.value)).int("O", here.ms(day.start)).int("C", here.ms(here.now));
    json.int("F", day.first_id).int("L", day.last_id).int("n", day.count).int("st", 1);
    Some(json.done())
}
