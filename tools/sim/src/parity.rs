//! hftbacktest's runs, repeated by the paper exchange's own matching.
//!
//! The exchange lives on the venue's time and the strategy on receive time; a request travels for the entry
//! latency, an answer for the response latency. Four queues are taken in the order of their times, equal times in
//! the order: market data at the strategy, answers at the strategy, market data at the exchange, requests at the
//! exchange. Each step advances both and then decides. Rules and columns: `shared/hftbacktest/README.md` and
//! hftbacktest 2.4.4.

use engine::book::{BookConfig, BookSide};
use engine::num::{Level, Price, Qty, Side, parse_decimal};
use engine::order::Tif;
use flate2::read::MultiGzDecoder;
use gateway::paper::depth::Depth;
use gateway::paper::matching::{Fill, FillModel, Incoming, Matching, Placed};
use gateway::paper::queue::QueueModel;
use serde::Deserialize;
use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Columns of the orders file.
pub const ORDERS_HEADER: &str =
    "seen_local_ns,order_id,side,price,status,exec_price,exec_qty,exch_ns,local_ns,maker";
/// Columns of the state file.
pub const STATE_HEADER: &str =
    "local_ns,best_bid,best_ask,position,balance,fee,num_trades,trading_volume,trading_value";

/// A file that does not say what it should, with the place.
#[derive(Debug)]
pub struct Error {
    path: PathBuf,
    line: Option<usize>,
    what: String,
    usage: bool,
}

impl Error {
    /// What could not be written.
    #[must_use]
    pub fn output(path: &Path, error: &std::io::Error) -> Self {
        Self { path: path.to_owned(), line: None, what: error.to_string(), usage: true }
    }

    /// Whether the command or its settings are wrong, and not the events.
    #[must_use]
    pub const fn is_usage(&self) -> bool {
        self.usage
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path.display())?;
        if let Some(line) = self.line {
            write!(f, ", line {line}")?;
        }
        write!(f, ": {}", self.what)
    }
}

impl std::error::Error for Error {}

/// The settings of a run that are read; other keys of the file are its results.
#[derive(Clone, Debug, Deserialize)]
struct Keys {
    tick_size: f64,
    lot_size: f64,
    maker_fee_rate: f64,
    order_entry_latency_ns: u64,
    order_response_latency_ns: u64,
    queue_model: String,
    exchange_model: String,
    step_ns: u64,
    warm_up_steps_without_quotes: u64,
    half_spread_ticks: i64,
    order_qty: f64,
    max_position: f64,
    start_local_ns: u64,
}

/// Settings that were checked, prices in ticks and quantities in lots.
#[derive(Clone, Debug)]
pub struct Settings {
    keys: Keys,
    queue: QueueModel,
    fills: FillModel,
    order_lots: i64,
    max_lots: i64,
    tick_digits: u8,
    lot_digits: u8,
}

impl Settings {
    /// Reads a summary of hftbacktest's run, or a file with the same keys.
    /// Err: unreadable, a key is missing or out of range, a model that is not known.
    pub fn load(path: &Path) -> Result<Self, Error> {
        let fail = |what: String| Error { path: path.to_owned(), line: None, what, usage: true };
        let text = std::fs::read_to_string(path).map_err(|error| fail(error.to_string()))?;
        let keys: Keys = serde_json::from_str(&text).map_err(|error| fail(error.to_string()))?;
        let queue = match keys.queue_model.as_str() {
            "RiskAdverseQueueModel" => QueueModel::RiskAverse,
            name => {
                let power = name
                    .strip_prefix("ProbQueueModel PowerProbQueueFunc(")
                    .and_then(|rest| rest.strip_suffix(')'))
                    .and_then(|power| power.parse().ok())
                    .ok_or_else(|| {
                        fail(format!(
                            "queue_model `{name}`: known are `RiskAdverseQueueModel` and `ProbQueueModel PowerProbQueueFunc(N)`"
                        ))
                    })?;
                QueueModel::Power(power)
            }
        };
        queue.check().map_err(|what| fail(format!("queue_model: {what}")))?;
        let fills = match keys.exchange_model.as_str() {
            "NoPartialFillExchange" => FillModel::Full,
            "PartialFillExchange" => FillModel::Partial,
            name => {
                return Err(fail(format!(
                    "exchange_model `{name}`: known are `NoPartialFillExchange` and `PartialFillExchange`"
                )));
            }
        };
        let digits = |key: &str, step: f64| {
            let digits =
                (0..=12_u8).find(|digits| (step * 10_f64.powi(i32::from(*digits)) - 1.0).abs() < 1e-9);
            digits.ok_or_else(|| fail(format!("{key} {step}: a power of ten from 1 to 1e-12")))
        };
        let (tick_digits, lot_digits) =
            (digits("tick_size", keys.tick_size)?, digits("lot_size", keys.lot_size)?);
        let lots = |key: &str, qty: f64| {
            let lots = (qty / keys.lot_size).round();
            let fits =
                (1.0..1e15).contains(&lots) && (lots * keys.lot_size - qty).abs() < 1e-9 * qty.max(1.0);
            #[expect(clippy::cast_possible_truncation, reason = "in range")]
            if fits {
                Ok(lots as i64)
            } else {
                Err(fail(format!("{key} {qty}: a whole number of lots above 0")))
            }
        };
        if keys.step_ns == 0 {
            return Err(fail("step_ns must be above 0".into()));
        }
        let (order_lots, max_lots) =
            (lots("order_qty", keys.order_qty)?, lots("max_position", keys.max_position)?);
        Ok(Self { queue, fills, order_lots, max_lots, tick_digits, lot_digits, keys })
    }
}

/// One row of the events file: a level or a trade, for the exchange, the strategy, or both.
#[derive(Clone, Copy, Debug)]
struct Event {
    flags: u32,
    exch_ns: u64,
    local_ns: u64,
    level: Level,
}

const AT_EXCHANGE: u32 = 1 << 31;
const AT_LOCAL: u32 = 1 << 30;
const IS_BUY: u32 = 1 << 29;
const IS_SELL: u32 = 1 << 28;

/// What an event is: the low byte of its flags.
const DEPTH: u32 = 1;
const TRADE: u32 = 2;
const CLEAR: u32 = 3;
const SNAPSHOT: u32 = 4;

impl Event {
    fn is_buy(&self) -> bool {
        self.flags & IS_BUY != 0
    }
}

/// The events of a file.
pub struct Events(Vec<Event>);

impl Events {
    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Reads an events file, plain or gzip. Err: unreadable, cut, or a row that is not one: file, line, column.
pub fn load_events(path: &Path, settings: &Settings) -> Result<Events, Error> {
    let fail = |line: Option<usize>, what: String| Error { path: path.to_owned(), line, what, usage: false };
    let mut bytes = std::fs::read(path).map_err(|error| fail(None, error.to_string()))?;
    if bytes.starts_with(&[0x1f, 0x8b]) {
        let mut text = Vec::new();
        MultiGzDecoder::new(bytes.as_slice())
            .read_to_end(&mut text)
            .map_err(|error| fail(None, error.to_string()))?;
        bytes = text;
    }
    parse_events(&bytes, settings.tick_digits, settings.lot_digits)
        .map_err(|(line, what)| fail(Some(line), what))
}

/// Rows of `ev,exch_ts,local_ts,px,qty` under that header. Prices have `tick_digits` digits at most, quantities
/// `lot_digits`. Err: the line, and the column with its value.
pub fn parse_events(text: &[u8], tick_digits: u8, lot_digits: u8) -> Result<Events, (usize, String)> {
    let mut lines = text.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let header = lines.next().unwrap_or_default();
    if header != b"ev,exch_ts,local_ts,px,qty" {
        let header =
            String::from_utf8_lossy(header.get(..header.len().min(60)).unwrap_or_default()).into_owned();
        return Err((1, format!("header `{header}` instead of `ev,exch_ts,local_ts,px,qty`")));
    }
    let mut events = Vec::new();
    for (number, line) in (2..).zip(lines) {
        if line.is_empty() {
            continue;
        }
        let mut columns = line.split(|byte| *byte == b',');
        let mut column = |name: &str, digits: u8| {
            let text = columns.next().unwrap_or_default();
            let negative = text.strip_prefix(b"-");
            let value = parse_decimal(negative.unwrap_or(text), digits);
            let value = value.map(|value| if negative.is_some() { -value } else { value });
            value.map_err(|error| (number, format!("{name} `{}`: {error}", String::from_utf8_lossy(text))))
        };
        let whole = |name: &str, value: i64| {
            u64::try_from(value).map_err(|_| (number, format!("{name} `{value}`: below zero")))
        };
        let flags = column("ev", 0)?;
        let flags = u32::try_from(flags).map_err(|_| (number, format!("ev `{flags}`: not 32 bits")))?;
        if !(DEPTH..=SNAPSHOT).contains(&(flags & 0xff)) || flags & (IS_BUY | IS_SELL) == 0 {
            return Err((number, format!("ev `{flags}`: no level, trade, clear or snapshot of a side")));
        }
        let exch_ns = whole("exch_ts", column("exch_ts", 0)?)?;
        let local_ns = whole("local_ts", column("local_ts", 0)?)?;
        let price = Price(column("px", tick_digits)?);
        let qty = Qty(column("qty", lot_digits)?);
        if qty.0 < 0 {
            return Err((number, format!("qty `{}`: below zero", qty.0)));
        }
        if columns.next().is_some() {
            return Err((number, "more than five columns".into()));
        }
        events.push(Event { flags, exch_ns, local_ns, level: Level { price, qty } });
    }
    Ok(Events(events))
}

/// What the exchange says of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    New,
    Filled { maker: bool, qty: Qty },
    Canceled,
    Expired,
    CancelRefused,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Status {
    Sent,
    New,
    Filled,
    Canceled,
    Expired,
}

/// An order as the strategy knows it.
#[derive(Clone, Copy, Debug)]
struct Local {
    side: Side,
    price: Price,
    status: Status,
    /// A request of it has not been answered.
    in_flight: bool,
    filled: Qty,
    maker: bool,
    exch_ns: u64,
    local_ns: u64,
}

#[derive(Clone, Copy, Debug)]
struct Request {
    at: u64,
    order: u64,
    /// Side and price of a new order; none: a cancel.
    new: Option<(Side, Price)>,
}

/// A run: both sides and what is on its way between them.
pub struct Run<'a> {
    settings: &'a Settings,
    exchange: Matching,
    local: Depth,
    exchange_next: usize,
    local_next: usize,
    requests: VecDeque<Request>,
    answers: VecDeque<(u64, u64, Answer, u64)>,
    orders: BTreeMap<u64, Local>,
    next_order: u64,
    now: u64,
    steps: u64,
    position: i64,
    balance: f64,
    fee: f64,
    trades: u64,
    volume: f64,
    value: f64,
}

const ORDERS_MAX: usize = 1024;

impl<'a> Run<'a> {
    /// A run before its first event.
    #[must_use]
    pub fn new(settings: &'a Settings) -> Self {
        let book = BookConfig::default();
        Self {
            settings,
            exchange: Matching::new(book, settings.queue, settings.fills, Qty(1), ORDERS_MAX),
            local: Depth::new(book),
            exchange_next: 0,
            local_next: 0,
            requests: VecDeque::new(),
            answers: VecDeque::new(),
            orders: BTreeMap::new(),
            next_order: 1,
            now: settings.keys.start_local_ns,
            steps: 0,
            position: 0,
            balance: 0.0,
            fee: 0.0,
            trades: 0,
            volume: 0.0,
            value: 0.0,
        }
    }

    /// Lets one step pass. False: the events ran out before its end.
    pub fn step(&mut self, events: &Events) -> bool {
        let events = &events.0;
        let end = self.now.saturating_add(self.settings.keys.step_ns);
        loop {
            let at = |index: usize, side: u32, time: fn(&Event) -> u64| {
                let rest = events.get(index..).unwrap_or_default();
                let found = rest.iter().position(|event| event.flags & side != 0);
                found.map(|offset| (index + offset, time(&rest[offset])))
            };
            let local = at(self.local_next, AT_LOCAL, |event| event.local_ns);
            let exchange = at(self.exchange_next, AT_EXCHANGE, |event| event.exch_ns);
            let times = [
                local.map(|(_, time)| time),
                self.answers.front().map(|answer| answer.0),
                exchange.map(|(_, time)| time),
                self.requests.front().map(|request| request.at),
            ];
            // The first of equal times: `min_by_key` takes it.
            let next = times.iter().enumerate().filter_map(|(queue, time)| Some((queue, (*time)?)));
            let Some((queue, time)) = next.min_by_key(|(_, time)| *time) else { return false };
            if time > end {
                break;
            }
            match (queue, local, exchange) {
                (0, Some((index, _)), _) => {
                    self.local_next = index + 1;
                    self.at_local(&events[index]);
                }
                (1, ..) => self.on_answer(),
                (2, _, Some((index, _))) => {
                    self.exchange_next = index + 1;
                    self.at_exchange(&events[index]);
                }
                _ => self.on_request(),
            }
        }
        self.now = end;
        self.steps += 1;
        true
    }

    /// One row of the state file.
    #[must_use]
    pub fn state_row(&self) -> String {
        let touch = |side| {
            let price = self.local.best(side).map_or(f64::NAN, |price| self.price(price));
            format!("{price:.*}", usize::from(self.settings.tick_digits))
        };
        let lots = usize::from(self.settings.lot_digits);
        format!(
            "{},{},{},{:.lots$},{:?},{:?},{},{:.lots$},{:?}",
            self.now,
            touch(BookSide::Bid),
            touch(BookSide::Ask),
            self.qty(self.position),
            self.balance,
            self.fee,
            self.trades,
            self.volume,
            self.value
        )
    }

    /// Decides, and returns the rows of orders that have ended.
    pub fn decide(&mut self) -> Vec<String> {
        if self.steps <= self.settings.keys.warm_up_steps_without_quotes {
            return Vec::new();
        }
        let is_over =
            |order: &Local| matches!(order.status, Status::Filled | Status::Canceled | Status::Expired);
        let ended: Vec<_> = self
            .orders
            .iter()
            .filter(|(_, order)| is_over(order))
            .map(|(id, order)| self.order_row(*id, order))
            .collect();
        self.orders.retain(|_, order| !is_over(order));
        let (Some(bid), Some(ask)) = (self.local.best(BookSide::Bid), self.local.best(BookSide::Ask)) else {
            return ended;
        };
        let half = i128::from(self.settings.keys.half_spread_ticks);
        let sum = i128::from(bid.0) + i128::from(ask.0);
        // No price of a market is out of range; one of a file may be, and is then never reached.
        let price = |ticks: i128| Price(i64::try_from(ticks).unwrap_or(i64::MAX));
        let targets = [
            (Side::Buy, price(sum.div_euclid(2) - half), self.position < self.settings.max_lots),
            (Side::Sell, price(-(-sum).div_euclid(2) + half), self.position > -self.settings.max_lots),
        ];
        let mut has_quote = [false; 2];
        let mut cancels = Vec::new();
        for (id, order) in &self.orders {
            let (side, target, wanted) = targets[order.side as usize];
            debug_assert!(side == order.side);
            if wanted && order.price == target {
                has_quote[side as usize] = true;
            } else if order.status == Status::New && !order.in_flight {
                cancels.push(*id);
            }
        }
        for id in cancels {
            self.send(id, None);
        }
        for (side, price, wanted) in targets {
            if wanted && !has_quote[side as usize] {
                let id = self.next_order;
                self.next_order += 1;
                let order = Local {
                    side,
                    price,
                    status: Status::Sent,
                    in_flight: true,
                    filled: Qty(0),
                    maker: false,
                    exch_ns: 0,
                    local_ns: self.now,
                };
                self.orders.insert(id, order);
                self.send(id, Some((side, price)));
            }
        }
        ended
    }

    fn send(&mut self, order: u64, new: Option<(Side, Price)>) {
        if let Some(known) = self.orders.get_mut(&order) {
            known.in_flight = true;
            known.local_ns = self.now;
        }
        let at = self.now.saturating_add(self.settings.keys.order_entry_latency_ns);
        self.requests.push_back(Request { at, order, new });
    }

    fn at_local(&mut self, event: &Event) {
        let one = [event.level];
        match (event.flags & 0xff, event.is_buy()) {
            (DEPTH | SNAPSHOT, true) => self.local.apply(&one, &[]),
            (DEPTH | SNAPSHOT, false) => self.local.apply(&[], &one),
            (CLEAR, true) => self.local.clear_to(BookSide::Bid, event.level.price),
            (CLEAR, false) => self.local.clear_to(BookSide::Ask, event.level.price),
            _ => {}
        }
    }

    fn at_exchange(&mut self, event: &Event) {
        let one = [event.level];
        let (answers, due) =
            (&mut self.answers, event.exch_ns.saturating_add(self.settings.keys.order_response_latency_ns));
        let mut out = |fill: Fill| answers.push_back((due, fill.order, answer_of(&fill), event.exch_ns));
        match (event.flags & 0xff, event.is_buy()) {
            (DEPTH | SNAPSHOT, true) => self.exchange.on_delta(&one, &[], &mut out),
            (DEPTH | SNAPSHOT, false) => self.exchange.on_delta(&[], &one, &mut out),
            (TRADE, true) => self.exchange.on_trade(Side::Buy, event.level, &mut out),
            (TRADE, false) => self.exchange.on_trade(Side::Sell, event.level, &mut out),
            (_, true) => self.exchange.on_clear(BookSide::Bid, event.level.price),
            (_, false) => self.exchange.on_clear(BookSide::Ask, event.level.price),
        }
    }

    fn on_request(&mut self) {
        let Some(Request { at, order, new }) = self.requests.pop_front() else { return };
        let (answers, due) =
            (&mut self.answers, at.saturating_add(self.settings.keys.order_response_latency_ns));
        let mut out = |fill: Fill| answers.push_back((due, fill.order, answer_of(&fill), at));
        let answer = match new {
            Some((side, price)) => {
                let qty = Qty(self.settings.order_lots);
                let incoming = Incoming { order, side, limit: Some(price), qty, tif: Tif::PostOnly };
                match self.exchange.place(&incoming, &mut out) {
                    Placed::Rests => Some(Answer::New),
                    Placed::Filled => None,
                    Placed::WouldTake | Placed::Expired | Placed::Full => Some(Answer::Expired),
                }
            }
            None => Some(self.exchange.cancel(order).map_or(Answer::CancelRefused, |_| Answer::Canceled)),
        };
        if let Some(answer) = answer {
            self.answers.push_back((due, order, answer, at));
        }
    }

    fn on_answer(&mut self) {
        let Some((_, id, answer, exch_ns)) = self.answers.pop_front() else { return };
        let Some(order) = self.orders.get_mut(&id) else { return };
        order.in_flight = false;
        order.status = match answer {
            Answer::New => Status::New,
            Answer::Canceled => Status::Canceled,
            Answer::Expired => Status::Expired,
            Answer::CancelRefused => return,
            Answer::Filled { maker, qty } => {
                order.filled.0 += qty.0;
                order.maker = maker;
                if order.filled.0 >= self.settings.order_lots { Status::Filled } else { order.status }
            }
        };
        order.exch_ns = exch_ns;
        if let Answer::Filled { qty, .. } = answer {
            let (side, price) = (order.side, order.price);
            self.book_fill(side, price, qty);
        }
    }

    fn book_fill(&mut self, side: Side, price: Price, qty: Qty) {
        let (price, lots) = (self.price(price), self.qty(qty.0));
        let amount = price * lots;
        self.position += side.signed(qty).0;
        self.balance -= if side == Side::Buy { amount } else { -amount };
        self.fee += amount * self.settings.keys.maker_fee_rate;
        self.trades += 1;
        self.volume += lots;
        self.value += amount;
    }

    fn order_row(&self, id: u64, order: &Local) -> String {
        let (ticks, lots) = (usize::from(self.settings.tick_digits), usize::from(self.settings.lot_digits));
        let side = if order.side == Side::Buy { "BUY" } else { "SELL" };
        let status = match order.status {
            Status::Sent | Status::New => "NEW",
            Status::Filled => "FILLED",
            Status::Canceled => "CANCELED",
            Status::Expired => "EXPIRED",
        };
        let exec_price = if order.filled.0 > 0 { self.price(order.price) } else { 0.0 };
        format!(
            "{},{id},{side},{:.ticks$},{status},{exec_price:.ticks$},{:.lots$},{},{},{}",
            self.now,
            self.price(order.price),
            self.qty(order.filled.0),
            order.exch_ns,
            order.local_ns,
            u8::from(order.maker)
        )
    }

    #[expect(clippy::cast_precision_loss, reason = "ticks below 2^53")]
    fn price(&self, price: Price) -> f64 {
        price.0 as f64 * self.settings.keys.tick_size
    }

    #[expect(clippy::cast_precision_loss, reason = "lots below 2^53")]
    fn qty(&self, lots: i64) -> f64 {
        lots as f64 * self.settings.keys.lot_size
    }
}

fn answer_of(fill: &Fill) -> Answer {
    Answer::Filled { maker: fill.maker, qty: fill.level.qty }
}
