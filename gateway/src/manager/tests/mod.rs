//! The manager against a venue that answers in any order, late, twice or not at all, and fills when it likes.

mod by_hand;
mod cases;
mod doubts;
mod outside;
mod properties;
mod restart;

use super::*;
use crate::client_order_id::ClientOrderId;
use crate::counterparty::{Account, Answer, AnswerEvent, Request, Standing, VenueState};
use engine::counters::Counters;
use engine::fees::FeesConfig;
use engine::ids::Cause;
use engine::ids::{InstrumentId, Lane, VenueId};
use engine::instrument::{ContractKind, PriceRule, Status};
use engine::journal::schema::{OrderBody, RecordKind};
use engine::journal::{Journal, Options, Reader, Writer};
use engine::message::{Body, Execution};
use engine::message::{QuoteReason, book_state};
use engine::num::{Decimal, Price, Step};
use engine::num::{Level, Side};
use engine::order::{Order, OrderState};
use engine::risk::RiskConfig;
use engine::risk::RiskRule;
use engine::runner::StopReason;
use engine::time::StampClock;
use std::collections::VecDeque;
use zerocopy::FromBytes;

const STRATEGIES: u16 = 2;

/// What the venue was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    Place(Order),
    Amend(Order),
    Cancel(u64),
    Query(u64),
}

impl Asked {
    fn seq(&self) -> u64 {
        match self {
            Self::Place(order) | Self::Amend(order) => order.seq,
            Self::Cancel(seq) | Self::Query(seq) => *seq,
        }
    }
}

/// A venue that does what the test says.
struct Venue {
    ids: ClientOrderIds,
    /// What orders were called that were asked for.
    names: std::collections::BTreeMap<u64, ClientOrderId>,
    written: Option<Asked>,
    /// Requests that were not answered, oldest first.
    asked: Vec<Asked>,
    /// Everything that was ever sent.
    sent: Vec<Asked>,
    open: Vec<Order>,
    answers: VecDeque<(Nanos, Answer)>,
    now: Nanos,
    amends: bool,
    /// Requests are lost.
    is_deaf: bool,
    /// Queries are.
    is_secretive: bool,
    /// Nothing that opens risk leaves.
    is_away: bool,
    /// No cancel leaves.
    cuts_off_cancels: bool,
    queried: Vec<u64>,
    fills: Vec<(u64, Level, Qty)>,
    ended: Vec<(u64, VenueState, Qty)>,
    account: Option<Account>,
    is_asked: bool,
}

impl Venue {
    fn new(amends: bool) -> Self {
        Self {
            ids: ClientOrderIds::new(3, 4),
            names: std::collections::BTreeMap::new(),
            written: None,
            asked: vec![],
            sent: vec![],
            open: vec![],
            answers: VecDeque::new(),
            now: Nanos(0),
            amends,
            is_deaf: false,
            is_secretive: false,
            is_away: false,
            cuts_off_cancels: false,
            queried: vec![],
            fills: vec![],
            ended: vec![],
            account: None,
            is_asked: false,
        }
    }

    fn say(&mut self, seq: u64, event: AnswerEvent) {
        self.say_filled(seq, event, None);
    }

    fn say_filled(&mut self, seq: u64, event: AnswerEvent, filled: Option<Qty>) {
        let id = self.names.get(&seq).copied().unwrap_or_else(|| self.ids.id(seq));
        self.answers.push_back((self.now, Answer { id, event, filled }));
    }

    fn told(&mut self, seq: u64, level: Level, filled: Qty) {
        self.say_filled(seq, AnswerEvent::Filled { fill: level, maker: true, fee: None }, Some(filled));
    }

    /// Answers a query: every fill again, then where the order stands.
    fn tell_standing(&mut self, seq: u64) {
        for (_, level, filled) in self.fills.clone().into_iter().filter(|(of, ..)| *of == seq) {
            self.told(seq, level, filled);
        }
        let open = self.open.iter().find(|order| order.seq == seq);
        let ended = self.ended.iter().find(|(of, ..)| *of == seq);
        let standing = match (open, ended) {
            _ if self.asked.iter().any(|asked| asked.seq() == seq) => Standing::Unknown,
            (Some(order), _) => {
                Standing::Exists { state: VenueState::Open(order.level), filled: order.filled }
            }
            (None, Some((_, state, filled))) => Standing::Exists { state: *state, filled: *filled },
            (None, None) => Standing::Absent,
        };
        self.say(seq, AnswerEvent::Standing(standing));
    }

    /// Answers the request at `index`, modulo their number.
    fn answer(&mut self, index: usize, refuses: bool) {
        if self.asked.is_empty() {
            return;
        }
        let asked = self.asked.remove(index % self.asked.len());
        let at = self.open.iter().position(|order| order.seq == asked.seq());
        let event = match (asked, at) {
            (Asked::Place(_), _) if refuses => {
                self.ended.push((asked.seq(), VenueState::Rejected, Qty(0)));
                AnswerEvent::Rejected
            }
            (Asked::Place(order), _) => {
                self.open.push(order);
                AnswerEvent::Accepted
            }
            (Asked::Amend(order), Some(at)) if !refuses && order.level.qty > self.open[at].filled => {
                self.open[at].level = order.level;
                AnswerEvent::Amended(order.level)
            }
            (Asked::Amend(_), _) => AnswerEvent::AmendRefused,
            (Asked::Cancel(_), Some(at)) if !refuses => {
                let order = self.open.remove(at);
                self.ended.push((order.seq, VenueState::Canceled, order.filled));
                AnswerEvent::Canceled
            }
            (Asked::Cancel(_) | Asked::Query(_), _) => AnswerEvent::CancelRefused,
        };
        self.say(asked.seq(), event);
    }

    /// Fills an open order, at most this much.
    fn fill(&mut self, index: usize, qty: i64) {
        if self.open.is_empty() {
            return;
        }
        let at = index % self.open.len();
        let order = &mut self.open[at];
        let qty = qty.min(order.level.qty.0 - order.filled.0);
        order.filled.0 += qty;
        let (seq, price, filled) = (order.seq, order.level.price, order.filled);
        if filled == order.level.qty {
            self.open.remove(at);
            self.ended.push((seq, VenueState::Filled, filled));
        }
        let fill = Level { price, qty: Qty(qty) };
        self.fills.push((seq, fill, filled));
        self.told(seq, fill, filled);
    }
}

impl Counterparty for Venue {
    fn can_amend(&self, _open: &Order, _to: Level) -> bool {
        self.amends
    }

    fn encode(&mut self, request: Request<'_>, id: &ClientOrderId, _now: Nanos) -> bool {
        let asked = match request {
            Request::Place(approved) => Asked::Place(*approved.order()),
            Request::Amend(open, approved) => {
                let wanted = *approved.order();
                assert!(approved.is_amendment() && wanted == Order { level: wanted.level, ..*open });
                Asked::Amend(wanted)
            }
            Request::Cancel(order) => Asked::Cancel(order.seq),
            Request::Query(order) => Asked::Query(order.seq),
        };
        assert_eq!(self.ids.run_and_seq(id).map(|(_, seq)| seq), Some(asked.seq()));
        self.names.entry(asked.seq()).or_insert(*id);
        self.written = Some(asked);
        true
    }

    fn send(&mut self, _now: Nanos) -> bool {
        let asked = self.written.take().unwrap();
        let is_cut_off = match asked {
            Asked::Place(_) | Asked::Amend(_) => self.is_away,
            Asked::Cancel(_) => self.cuts_off_cancels,
            Asked::Query(_) => false,
        };
        if is_cut_off {
            return false;
        }
        if let Asked::Query(seq) = asked {
            self.queried.push(seq);
            if !self.is_secretive {
                self.tell_standing(seq);
            }
            return true;
        }
        assert!(self.asked.iter().all(|other| other.seq() != asked.seq()), "two requests for one order");
        let is_new = matches!(asked, Asked::Place(_));
        assert!(!is_new || self.sent.iter().all(|other| other.seq() < asked.seq()), "an id came twice");
        self.sent.push(asked);
        if !self.is_deaf {
            self.asked.push(asked);
        }
        true
    }

    fn on_market(&mut self, message: Message<'_>) {
        self.now = message.head.recv_ns;
    }

    fn next_due(&self) -> Option<Nanos> {
        let account = (self.is_asked && self.account.is_some()).then_some(self.now);
        self.answers.front().map(|(at, _)| *at).or(account)
    }

    fn advance(&mut self, now: Nanos) {
        self.now = now;
    }

    fn settle(&mut self, now: Nanos) {
        self.now = now;
    }

    fn next_answer(&mut self, now: Nanos) -> Option<(Nanos, Answer)> {
        self.answers.pop_front_if(|(at, _)| *at <= now)
    }

    fn ask_account(&mut self, _now: Nanos) -> bool {
        self.is_asked = true;
        true
    }

    fn take_account(&mut self, _now: Nanos) -> Option<Account> {
        if std::mem::take(&mut self.is_asked) { self.account.clone() } else { None }
    }
}

/// Keeps what strategies are told.
#[derive(Default)]
struct Told(Vec<Execution>);

impl Sink for Told {
    fn send(&mut self, message: Message<'_>) -> bool {
        self.0.push(*message.body_as::<Execution>().unwrap());
        true
    }
    fn has_room(&mut self) -> bool {
        true
    }
    fn settle(&mut self) -> u32 {
        0
    }
    fn advance(&mut self, _now: Nanos) -> u32 {
        0
    }
    fn is_settled(&self) -> bool {
        true
    }
    fn halt(&mut self) {}
}

fn decimal(text: &str) -> Decimal {
    Decimal::parse(text).unwrap()
}

fn table() -> InstrumentTable {
    let step = |text: &str| Step::parse(text.as_bytes()).unwrap();
    let instrument = |symbol: &str| Instrument {
        id: InstrumentId(0),
        venue_id: VenueId(0),
        venue: "test".into(),
        symbol: symbol.into(),
        base: symbol.into(),
        quote: "USDT".into(),
        kind: ContractKind::Linear,
        price_rule: PriceRule { tick: step("0.1"), significant_figures: None },
        qty_unit: step("0.001"),
        lot: Qty(1),
        qty_min: Qty(1),
        qty_max: Qty(1_000_000),
        notional_min: Decimal::ZERO,
        contract_size: step("1"),
        status: Status::Trading,
        source: String::new(),
    };
    let mut table = InstrumentTable::default();
    table.add(instrument("A"));
    table.add(instrument("B"));
    table
}

fn limits() -> RiskConfig {
    let much = || decimal("1000000000");
    RiskConfig {
        whitelist: vec!["*".into()],
        blacklist: vec![],
        order_notional_max: much(),
        order_lots_max: None,
        position_notional_max: much(),
        position_lots_max: None,
        portfolio_gross_max: much(),
        portfolio_net_max: much(),
        venue_gross_max: much(),
        venue_net_max: much(),
        asset_gross_max: much(),
        asset_net_max: much(),
        collar_bps: 10_000,
        book_age_ms_max: 60_000,
        open_orders_max: 1000,
        orders_per_s_max: 40,
        cancels_per_s_max: 20,
        duplicate_ns: 1_000_000,
    }
}

struct Run {
    manager: OrderManager<Venue>,
    told: Told,
    control: Arc<Control>,
    now: Nanos,
    causes: u64,
}

impl Run {
    fn new(limits: RiskConfig, amends: bool, writer: Writer) -> Self {
        let control = Arc::new(Control::default());
        let setup = ManagerSetup {
            instruments: &table(),
            strategies: STRATEGIES,
            limits: limits.check().unwrap(),
            fees: FeesConfig { maker_bps: decimal("2"), taker_bps: decimal("5") }.check().unwrap(),
            answer_timeout: Nanos::from_ms(1000),
            ids: ClientOrderIds::new(3, 4),
            log: StageLog::new(writer, Arc::clone(&control), 1 << 16),
            latency: Latency::register(
                StampClock::off(),
                &mut Counters::create(None, &engine::counters::Run { id: 1, start: Nanos(0) }, 2048).unwrap(),
            )
            .unwrap(),
            control: Arc::clone(&control),
        };
        let manager = OrderManager::new(setup, Venue::new(amends)).unwrap();
        let mut run = Self { manager, told: Told::default(), control, now: Nanos(5_000_000_000), causes: 0 };
        for instrument in [0, 1] {
            run.market(instrument, 1000, 0);
        }
        run
    }

    /// Without a journal, with limits that nothing reaches.
    fn plain() -> Self {
        Self::new(limits(), true, Writer::off(Lane::Gateway))
    }

    fn advance(&mut self) {
        while self.manager.advance(self.now, &mut self.told) > 0 {}
    }

    fn pass(&mut self, ns: u64) {
        self.now = self.now.plus(Nanos(ns));
        self.advance();
    }

    fn head(&mut self, kind: Kind, instrument: u32) -> Head {
        self.causes += 1;
        Head {
            instrument: InstrumentId(instrument),
            recv_ns: self.now,
            cause: Cause::new(Lane::Strategy, self.causes),
            ..Head::new(kind)
        }
    }

    fn market(&mut self, instrument: u32, mid: i64, state: u32) {
        self.advance();
        let level = |price| Level { price: Price(price), qty: Qty(10) };
        let book = BookChanged { bid: level(mid - 1), ask: level(mid + 1), state, ..BookChanged::default() };
        let head = self.head(Kind::BookChanged, instrument);
        self.manager.on_market(Message { head: &head, body: book.cells() }, &mut self.told);
    }

    fn target(&mut self, instrument: u32, strategy: u16, quotes: &Quotes) {
        self.advance();
        let mut quotes = *quotes;
        quotes.first.strategy = StrategyId(strategy);
        let head = Head { strategy: StrategyId(strategy), ..self.head(Kind::Target, instrument) };
        self.manager.on_target(Message { head: &head, body: quotes.used_cells() }, &mut self.told);
    }

    fn venue(&mut self) -> &mut Venue {
        self.manager.exchange.now = self.now;
        &mut self.manager.exchange
    }

    /// Everything asked is answered, until nothing more is asked.
    fn answer_all(&mut self) {
        for _ in 0..200 {
            while !self.venue().asked.is_empty() {
                self.venue().answer(0, false);
            }
            self.advance();
            if self.venue().asked.is_empty() {
                return;
            }
        }
        panic!("it never comes to rest");
    }

    /// Prices and quantities left of a strategy's orders that rest at the venue.
    fn resting(&self, instrument: u32, strategy: u16, side: Side) -> Vec<(i64, i64)> {
        let mine = |order: &&Order| {
            (order.instrument.0, order.strategy.0, order.side) == (instrument, strategy, side)
        };
        let open = self.manager.exchange.open.iter().filter(mine);
        let mut levels: Vec<_> =
            open.map(|order| (order.level.price.0, order.level.qty.0 - order.filled.0)).collect();
        levels.sort_unstable();
        levels
    }
}

fn level(price: i64, qty: i64) -> Level {
    Level { price: Price(price), qty: Qty(qty) }
}

fn one(bid: (i64, i64), ask: (i64, i64)) -> Quotes {
    Quotes::new(level(bid.0, bid.1), level(ask.0, ask.1), QuoteReason::Quoting)
}
