//! What a market looks like in numbers: spread, message mix, inter-arrival times, sizes, volatility. The same
//! measurements of a recorded market and of a generated one, side by side.

use super::capture::{Capture, Message};
use crate::exchange::Event;
use engine::book::BookSide;
use engine::num::{Level, Qty, Side};
use engine::time::Nanos;

/// Measurements of one market, taken message by message.
#[derive(Clone, Debug)]
pub struct Statistics {
    name: String,
    lot: Qty,
    first: Option<Nanos>,
    last: Nanos,
    quotes: u64,
    depth_messages: u64,
    levels: u64,
    trade_times: Vec<Nanos>,
    trade_lots: Vec<f64>,
    trade_signs: Vec<f64>,
    /// (time, spread in ticks, middle in ticks, lots at both sides' best).
    touches: Vec<Touch>,
}

#[derive(Clone, Copy, Debug)]
struct Touch {
    time: Nanos,
    spread_ticks: f64,
    mid_ticks: f64,
    lots: f64,
}

/// One row of the table: what it is and its value of each market.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// What is measured, with its unit.
    pub what: &'static str,
    /// One value a market.
    pub values: Vec<f64>,
}

impl Statistics {
    /// `lot`: sizes are counted in it.
    #[must_use]
    pub fn new(name: &str, lot: Qty) -> Self {
        Self {
            name: name.to_owned(),
            lot,
            first: None,
            last: Nanos(0),
            quotes: 0,
            depth_messages: 0,
            levels: 0,
            trade_times: Vec::new(),
            trade_lots: Vec::new(),
            trade_signs: Vec::new(),
            touches: Vec::new(),
        }
    }

    /// Of a recorded market, on receive times.
    #[must_use]
    pub fn of_capture(name: &str, capture: &Capture) -> Self {
        let mut statistics = Self::new(name, capture.listing.instrument.lot);
        for frame in &capture.frames {
            match &frame.what {
                Message::Quote { bid, ask, .. } => statistics.quote(frame.time, *bid, *ask),
                Message::Trade { level, aggressor, .. } => statistics.trade(frame.time, *level, *aggressor),
                Message::Depth { bids, asks, .. } => {
                    statistics.depth(frame.time, (bids.len() + asks.len()) as u64);
                }
                Message::Snapshot { .. } => {}
            }
        }
        statistics
    }

    /// The touch changed.
    pub fn quote(&mut self, time: Nanos, bid: Level, ask: Level) {
        self.at(time);
        self.quotes += 1;
        self.touches.push(Touch {
            time,
            spread_ticks: (ask.price.0 - bid.price.0) as f64,
            mid_ticks: (ask.price.0 + bid.price.0) as f64 / 2.0,
            lots: (bid.qty.0 + ask.qty.0) as f64 / 2.0 / self.lot.0 as f64,
        });
    }

    /// A trade.
    pub fn trade(&mut self, time: Nanos, level: Level, aggressor: Side) {
        self.at(time);
        self.trade_times.push(time);
        self.trade_lots.push(level.qty.0 as f64 / self.lot.0 as f64);
        self.trade_signs.push(if aggressor == Side::Buy { 1.0 } else { -1.0 });
    }

    /// A message of level changes.
    pub fn depth(&mut self, time: Nanos, levels: u64) {
        self.at(time);
        self.depth_messages += 1;
        self.levels += levels;
    }

    fn at(&mut self, time: Nanos) {
        self.first.get_or_insert(time);
        self.last = self.last.max(time);
    }

    fn seconds(&self) -> f64 {
        let length = self.last.since(self.first.unwrap_or(self.last));
        (length.0 as f64 / 1e9).max(1e-9)
    }

    fn values(&self) -> Vec<(&'static str, f64)> {
        let seconds = self.seconds();
        let (trades, depths) = (self.trade_times.len() as f64, self.depth_messages as f64);
        let messages = (trades + depths + self.quotes as f64).max(1.0);
        let spreads = sorted(self.touches.iter().map(|touch| touch.spread_ticks));
        let touch_lots = sorted(self.touches.iter().map(|touch| touch.lots));
        let gaps_ms: Vec<f64> =
            self.trade_times.windows(2).map(|pair| pair[1].since(pair[0]).0 as f64 / 1e6).collect();
        let gaps = sorted(gaps_ms.iter().copied());
        let lots = sorted(self.trade_lots.iter().copied());
        vec![
            ("duration, s", seconds),
            ("messages a second", messages / seconds),
            ("best quotes, % of messages", 100.0 * self.quotes as f64 / messages),
            ("trades, % of messages", 100.0 * trades / messages),
            ("depth messages, % of messages", 100.0 * depths / messages),
            ("levels a depth message", self.levels as f64 / depths.max(1.0)),
            ("spread mean, ticks", mean(&spreads)),
            ("spread p50, ticks", quantile(&spreads, 0.5)),
            ("spread p95, ticks", quantile(&spreads, 0.95)),
            ("quantity at the touch p50, lots", quantile(&touch_lots, 0.5)),
            ("between trades p50, ms", quantile(&gaps, 0.5)),
            ("between trades p90, ms", quantile(&gaps, 0.9)),
            ("between trades p99, ms", quantile(&gaps, 0.99)),
            ("between trades, deviation over mean", deviation(&gaps_ms) / mean(&gaps_ms).max(1e-12)),
            ("trade size p50, lots", quantile(&lots, 0.5)),
            ("trade size p90, lots", quantile(&lots, 0.9)),
            ("trade size mean, lots", mean(&lots)),
            ("side of a trade and the next, correlation", self.sign_correlation()),
            ("volatility of 1 s, bps", self.volatility_bps(Nanos::SECOND)),
            ("volatility of 10 s, bps", self.volatility_bps(Nanos(10 * Nanos::SECOND.0))),
        ]
    }

    /// Of the signs of consecutive trades.
    fn sign_correlation(&self) -> f64 {
        let products: Vec<f64> = self.trade_signs.windows(2).map(|pair| pair[0] * pair[1]).collect();
        let centre = mean(&self.trade_signs);
        let variance = 1.0 - centre * centre;
        if variance <= 0.0 { 0.0 } else { (mean(&products) - centre * centre) / variance }
    }

    /// Standard deviation of the changes of the middle over `step`, in hundredths of a percent of it.
    fn volatility_bps(&self, step: Nanos) -> f64 {
        let Some(first) = self.touches.first() else { return 0.0 };
        let mut due = first.time.plus(step);
        let (mut before, mut now, mut changes) = (first.mid_ticks, first.mid_ticks, Vec::new());
        for touch in &self.touches {
            while touch.time >= due {
                changes.push(1e4 * (now - before) / before);
                before = now;
                due = due.plus(step);
            }
            now = touch.mid_ticks;
        }
        let squares: Vec<f64> = changes.iter().map(|change| change * change).collect();
        mean(&squares).sqrt()
    }
}

/// Feeds events of an exchange into statistics: level changes are sent together, every `interval`, as a venue does.
pub struct Observer {
    /// What was seen.
    pub statistics: Statistics,
    interval: Nanos,
    due: Nanos,
    /// Levels that changed since the last depth message.
    changed: Vec<(BookSide, i64)>,
}

impl Observer {
    /// `interval` between depth messages.
    #[must_use]
    pub fn new(statistics: Statistics, interval: Nanos) -> Self {
        Self { statistics, interval, due: Nanos(0), changed: Vec::new() }
    }

    /// Takes events in their order.
    pub fn take(&mut self, events: &[Event]) {
        for event in events {
            match event {
                Event::Trade(trade) => {
                    let level = Level { price: trade.price, qty: trade.qty };
                    self.statistics.trade(trade.time, level, trade.aggressor);
                }
                Event::Quote(quote) => {
                    if let (Some(bid), Some(ask)) = (quote.bid, quote.ask) {
                        self.statistics.quote(quote.time, bid, ask);
                    }
                }
                Event::Level(change) => {
                    if change.time >= self.due {
                        self.send();
                        self.due = change.time.plus(self.interval);
                    }
                    self.changed.push((change.side, change.level.price.0));
                }
                _ => {}
            }
        }
    }

    fn send(&mut self) {
        self.changed.sort_unstable();
        self.changed.dedup();
        if !self.changed.is_empty() {
            self.statistics.depth(self.due, self.changed.len() as u64);
            self.changed.clear();
        }
    }
}

/// The measurements of several markets side by side.
#[must_use]
pub fn table(markets: &[Statistics]) -> Vec<Row> {
    let columns: Vec<_> = markets.iter().map(Statistics::values).collect();
    let Some(first) = columns.first() else { return Vec::new() };
    let row = |(index, (what, _)): (usize, &(&'static str, f64))| Row {
        what,
        values: columns.iter().map(|column| column[index].1).collect(),
    };
    first.iter().enumerate().map(row).collect()
}

/// The table as text, one line a row, under the markets' names.
#[must_use]
pub fn print(markets: &[Statistics]) -> String {
    let cells = |cells: Vec<String>| cells.iter().map(|cell| format!(" {cell:>22}")).collect::<String>();
    let mut text =
        format!("{:<42}{}\n", "", cells(markets.iter().map(|market| market.name.clone()).collect()));
    for Row { what, values } in table(markets) {
        let values = cells(values.iter().map(|value| format!("{value:.2}")).collect());
        text += &format!("{what:<42}{values}\n");
    }
    text
}

fn sorted(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values
}

/// Of sorted values; 0 of none.
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let index = (share * sorted.len().saturating_sub(1) as f64).round();
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an index within the slice")]
    let index = index as usize;
    sorted.get(index).copied().unwrap_or(0.0)
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / (values.len() as f64).max(1.0)
}

fn deviation(values: &[f64]) -> f64 {
    let centre = mean(values);
    let squares: Vec<f64> = values.iter().map(|value| (value - centre) * (value - centre)).collect();
    mean(&squares).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::num::Price;

    fn level(price: i64, qty: i64) -> Level {
        Level { price: Price(price), qty: Qty(qty) }
    }

    fn value(statistics: &Statistics, what: &str) -> f64 {
        let rows = table(std::slice::from_ref(statistics));
        rows.iter().find(|row| row.what == what).unwrap().values[0]
    }

    #[test]
    fn a_market_that_is_known_has_the_figures_that_it_must_have() {
        let mut market = Statistics::new("known", Qty(10));
        let second = |count: u64| Nanos(1_000_000_000 * count);
        for count in 0..=10 {
            let middle = 10_000 + i64::from(count % 2 == 1);
            market.quote(second(count), level(middle - 1, 20), level(middle + 1, 40));
            market.trade(
                second(count),
                level(middle, 30),
                if count % 2 == 0 { Side::Buy } else { Side::Sell },
            );
        }
        market.depth(second(10), 4);
        assert_eq!(value(&market, "duration, s"), 10.0);
        assert_eq!(value(&market, "messages a second"), 2.3);
        assert_eq!(value(&market, "spread p50, ticks"), 2.0);
        assert_eq!(value(&market, "quantity at the touch p50, lots"), 3.0);
        assert_eq!(value(&market, "between trades p50, ms"), 1_000.0);
        assert_eq!(value(&market, "between trades, deviation over mean"), 0.0);
        assert_eq!(value(&market, "trade size mean, lots"), 3.0);
        assert!(value(&market, "side of a trade and the next, correlation") < -0.95);
        let volatility = value(&market, "volatility of 1 s, bps");
        // Ten seconds: the first ends as it began, the others move by one of 10,000.
        assert!((volatility - 0.9_f64.sqrt()).abs() < 0.001, "{volatility}");
    }

    #[test]
    fn a_market_without_messages_has_no_figures_that_are_not_numbers() {
        let rows = table(&[Statistics::new("empty", Qty(1))]);
        assert!(rows.iter().all(|row| row.values.iter().all(|value| value.is_finite())), "{rows:?}");
    }
}
