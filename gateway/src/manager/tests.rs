//! The manager against a venue that answers in any order, late, twice or not at all, and fills when it likes.

use super::*;
use crate::client_order_id::ClientOrderId;
use engine::counters::Counters;
use engine::fees::FeesConfig;
use engine::ids::{InstrumentId, Lane, VenueId};
use engine::instrument::{ContractKind, PriceRule, Status};
use engine::journal::{Journal, Options, Reader, Writer};
use engine::message::{QuoteReason, book_state};
use engine::num::{Decimal, Price, Step};
use engine::risk::RiskConfig;
use engine::time::StampClock;
use proptest::prelude::*;
use std::collections::VecDeque;
use zerocopy::FromBytes;

const STRATEGIES: u16 = 2;

/// What the venue was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    Place(Order),
    Amend(Order),
    Cancel(u64),
}

impl Asked {
    fn seq(&self) -> u64 {
        match self {
            Self::Place(order) | Self::Amend(order) => order.seq,
            Self::Cancel(seq) => *seq,
        }
    }
}

/// A venue that does what the test says.
struct Venue {
    ids: ClientOrderIds,
    written: Option<Asked>,
    /// Requests that were not answered, oldest first.
    asked: Vec<Asked>,
    /// Everything that was ever sent.
    sent: Vec<Asked>,
    open: Vec<Order>,
    answers: VecDeque<(Nanos, Answer)>,
    now: Nanos,
    amends: bool,
    is_deaf: bool,
}

impl Venue {
    fn new(amends: bool) -> Self {
        Self {
            ids: ClientOrderIds::new(3, 4),
            written: None,
            asked: vec![],
            sent: vec![],
            open: vec![],
            answers: VecDeque::new(),
            now: Nanos(0),
            amends,
            is_deaf: false,
        }
    }

    fn say(&mut self, seq: u64, event: AnswerEvent) {
        self.answers.push_back((self.now, Answer { id: self.ids.id(seq), event }));
    }

    /// Answers the request at `index`, modulo their number.
    fn answer(&mut self, index: usize, refuses: bool) {
        if self.asked.is_empty() {
            return;
        }
        let asked = self.asked.remove(index % self.asked.len());
        let at = self.open.iter().position(|order| order.seq == asked.seq());
        let event = match (asked, at) {
            (Asked::Place(_), _) if refuses => AnswerEvent::Rejected,
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
                self.open.remove(at);
                AnswerEvent::Canceled
            }
            (Asked::Cancel(_), _) => AnswerEvent::CancelRefused,
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
        let (seq, price, ended) = (order.seq, order.level.price, order.filled == order.level.qty);
        if ended {
            self.open.remove(at);
        }
        self.say(seq, AnswerEvent::Filled { fill: Level { price, qty: Qty(qty) }, maker: true });
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
        };
        assert_eq!(self.ids.seq_of(id), Some(asked.seq()));
        self.written = Some(asked);
        true
    }

    fn send(&mut self, _now: Nanos) -> bool {
        let asked = self.written.take().unwrap();
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
        self.answers.front().map(|(at, _)| *at)
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

#[test]
fn a_quote_is_placed_moved_and_taken_back() {
    let mut run = Run::plain();
    run.target(0, 1, &one((999, 5), (1001, 5)));
    assert_eq!(run.venue().asked.len(), 2);
    run.target(0, 1, &one((998, 5), (1001, 5)));
    assert_eq!(run.venue().asked.len(), 2, "the bid owes an answer");
    run.answer_all();
    assert_eq!(run.resting(0, 1, Side::Buy), [(998, 5)]);
    assert!(matches!(run.venue().sent[2], Asked::Amend(order) if order.level == level(998, 5)));
    assert_eq!(run.manager.counts.amended, 1);
    run.target(0, 1, &Quotes::none(QuoteReason::BookInvalid));
    run.answer_all();
    assert_eq!((run.resting(0, 1, Side::Buy), run.manager.orders.count()), (vec![], 0));
    let states: Vec<u8> = run.told.0.iter().map(|told| told.state).collect();
    assert_eq!(states, [1, 1, 1, 6, 6], "accepted twice, amended, canceled twice");
    assert_eq!(run.manager.counts.canceled, 2);
}

#[test]
fn a_venue_that_cannot_amend_is_asked_to_cancel_first() {
    let mut run = Run::new(limits(), false, Writer::off(Lane::Gateway));
    run.target(0, 1, &one((999, 5), (0, 0)));
    run.answer_all();
    run.target(0, 1, &one((998, 5), (0, 0)));
    assert_eq!(run.venue().asked, [Asked::Cancel(1)]);
    run.answer_all();
    assert_eq!(run.resting(0, 1, Side::Buy), [(998, 5)]);
    assert!(matches!(run.venue().sent[2], Asked::Place(order) if order.seq == 2));
}

#[test]
fn an_order_that_nobody_answers_is_unknown_and_new_risk_waits_for_it() {
    let mut run = Run::plain();
    run.venue().is_deaf = true;
    run.target(0, 1, &one((999, 5), (0, 0)));
    run.venue().is_deaf = false;
    run.pass(999_999_999);
    assert_eq!(run.manager.counts.timed_out, 0);
    run.pass(1);
    assert_eq!(run.manager.counts.timed_out, 1);
    assert_eq!(run.told.0.last().unwrap().state, OrderState::Unknown as u8);
    run.target(0, 2, &one((998, 5), (0, 0)));
    assert_eq!(run.venue().asked, [], "another strategy's risk on the same instrument waits too");
    assert_eq!(run.told.0.last().unwrap().rule, RiskRule::UnknownOrder as u8);
    run.target(1, 2, &one((998, 5), (0, 0)));
    assert_eq!(run.venue().asked.len(), 1, "another instrument does not");
    // The venue had it all the time.
    let found = match run.venue().sent[0] {
        Asked::Place(order) => order,
        other => panic!("{other:?}"),
    };
    run.venue().open.push(found);
    run.venue().say(1, AnswerEvent::Accepted);
    run.answer_all();
    assert_eq!(run.resting(0, 1, Side::Buy), [(999, 5)]);
    assert_eq!(run.resting(0, 2, Side::Buy), [(998, 5)], "it is tried again once the other is known");
}

#[test]
fn strategies_do_not_trade_with_each_other() {
    let mut run = Run::plain();
    run.target(0, 1, &one((999, 5), (1001, 5)));
    run.answer_all();
    run.target(0, 2, &one((1001, 5), (0, 0)));
    assert_eq!(run.told.0.last().unwrap().rule, RiskRule::SelfTrade as u8);
    assert_eq!(run.venue().asked, []);
    // A strategy's own quotes that move through each other wait instead: first the ask goes, then the bid follows.
    run.target(0, 1, &one((1001, 5), (1003, 5)));
    assert_eq!(run.venue().asked.len(), 1, "{:?}", run.manager.exchange.asked);
    run.answer_all();
    assert_eq!(
        (run.resting(0, 1, Side::Buy), run.resting(0, 1, Side::Sell)),
        (vec![(1001, 5)], vec![(1003, 5)])
    );
    assert_eq!(run.manager.counts.refused[RiskRule::SelfTrade as usize], 1);
}

#[test]
fn a_refusal_that_time_lifts_is_tried_again_and_others_are_not() {
    let mut run = Run::plain();
    run.target(0, 1, &one((999, 5), (0, 0)));
    run.answer_all();
    run.target(0, 1, &Quotes::none(QuoteReason::BookInvalid));
    run.answer_all();
    run.target(0, 1, &one((999, 5), (0, 0)));
    assert_eq!(run.told.0.last().unwrap().rule, RiskRule::Duplicate as u8);
    run.pass(999_999);
    assert_eq!(run.venue().asked, []);
    run.pass(1);
    assert_eq!(run.venue().asked.len(), 1);
    run.answer_all();
    run.market(0, 1000, book_state::STALE);
    run.target(0, 1, &one((998, 5), (0, 0)));
    assert_eq!(run.told.0.last().unwrap().rule, RiskRule::StaleBook as u8);
    assert!(
        matches!(run.venue().asked[..], [Asked::Cancel(_)]),
        "what was to be replaced is not wanted any more"
    );
    run.answer_all();
    run.market(0, 1000, 0);
    run.pass(10_000_000_000);
    assert_eq!(run.venue().asked, [], "not until the target is another");
    run.target(0, 1, &one((997, 5), (0, 0)));
    assert_eq!(run.venue().asked.len(), 1);
}

#[test]
fn a_fill_that_cannot_be_stops_trading() {
    for seq in [1, 9] {
        let mut run = Run::plain();
        run.target(0, 1, &one((999, 5), (0, 0)));
        run.answer_all();
        let fill = level(999, 6);
        run.venue().say(seq, AnswerEvent::Filled { fill, maker: true });
        run.advance();
        assert_eq!(run.control.stopped(), Some(StopReason::PositionUnknown), "{seq}");
        assert_eq!(run.manager.counts.bad_answers, 1);
    }
}

#[test]
fn positions_and_fees_are_each_strategys_own() {
    let mut run = Run::plain();
    run.target(0, 1, &one((999, 5), (0, 0)));
    run.target(0, 2, &one((0, 0), (1001, 5)));
    run.answer_all();
    run.venue().fill(0, 5);
    run.venue().fill(0, 2);
    run.advance();
    let positions = run.manager.report().positions;
    let of = |index: usize| (positions[index].strategy.0, positions[index].position);
    assert_eq!((of(0).0, of(0).1.qty, of(0).1.fees), (1, Qty(5), 1), "99.9 x 0.005 x 0.02 %, rounded up");
    assert_eq!((of(1).0, of(1).1.qty, of(1).1.fees), (2, Qty(-2), 1));
    assert_eq!(positions[0].pnl, Some(5), "bought a tick below the mid");
    let told = run.told.0.iter().filter(|told| told.fill.qty.0 > 0).count();
    assert_eq!((told, run.manager.counts.filled), (2, 1));
}

#[test]
fn a_halt_cancels_everything_and_waits_for_the_answers() {
    let mut run = Run::plain();
    run.target(0, 1, &one((999, 5), (1001, 5)));
    run.target(1, 2, &one((999, 5), (1001, 5)));
    run.answer_all();
    let head = run.head(Kind::Timer, 0);
    assert!(!run.manager.cancel_all(&head), "nobody has answered");
    assert_eq!(run.venue().asked.len(), 4);
    for _ in 0..4 {
        run.venue().answer(0, false);
    }
    assert!(run.manager.cancel_all(&head));
    run.target(0, 1, &one((998, 5), (1001, 5)));
    assert_eq!(run.venue().asked, [], "nothing leaves after a halt");
}

#[derive(Clone, Debug)]
enum Move {
    Target { instrument: u32, strategy: u16, quotes: Vec<(i64, i64, i64)>, tolerance: (u32, u32) },
    Market { instrument: u32, move_ticks: i64, is_bad: bool },
    Pass(u64),
    Answer { index: usize, refuses: bool },
    Again { index: usize },
    Fill { index: usize, qty: i64 },
}

fn steps() -> impl Strategy<Value = Vec<Move>> {
    let quotes = proptest::collection::vec((0_i64..6, 0_i64..6, 0_i64..4), 0..=4);
    let tolerance = (0_u32..3, 0_u32..3000);
    let step = prop_oneof![
        4 => (0_u32..2, 1..=STRATEGIES, quotes, tolerance).prop_map(|(instrument, strategy, quotes, tolerance)| {
            Move::Target { instrument, strategy, quotes, tolerance }
        }),
        2 => (0_u32..2, -3_i64..=3, proptest::bool::weighted(0.2)).prop_map(|(instrument, move_ticks, is_bad)| {
            Move::Market { instrument, move_ticks, is_bad }
        }),
        2 => prop_oneof![0_u64..2_000_000, Just(700_000_000_u64)].prop_map(Move::Pass),
        8 => (0_usize..8, proptest::bool::weighted(0.15)).prop_map(|(index, refuses)| Move::Answer { index, refuses }),
        1 => (0_usize..40).prop_map(|index| Move::Again { index }),
        3 => (0_usize..8, 1_i64..6).prop_map(|(index, qty)| Move::Fill { index, qty }),
    ];
    proptest::collection::vec(step, 1..80)
}

/// Quotes around a mid: distances of bid and ask, and the size.
fn around(mid: i64, quotes: &[(i64, i64, i64)], tolerance: (u32, u32)) -> Quotes {
    let mut all = Quotes::none(QuoteReason::Quoting);
    for (place, (below, above, qty)) in quotes.iter().enumerate() {
        let (bid, ask) = (level(mid - 1 - below, *qty), level(mid + 1 + above, *qty));
        if place == 0 {
            (all.first.bid, all.first.ask) = (bid, ask);
        } else {
            assert!(all.push(bid, ask));
        }
    }
    (all.first.price_tolerance_ticks, all.first.qty_tolerance_bps) = tolerance;
    all
}

fn play(run: &mut Run, steps: &[Move]) {
    let mut mids = [1000_i64; 2];
    for step in steps {
        let sent = run.manager.exchange.sent.len();
        match step {
            Move::Target { instrument, strategy, quotes, tolerance } => {
                let quotes = around(mids[*instrument as usize], quotes, *tolerance);
                run.target(*instrument, *strategy, &quotes);
            }
            Move::Market { instrument, move_ticks, is_bad } => {
                mids[*instrument as usize] += move_ticks;
                run.market(
                    *instrument,
                    mids[*instrument as usize],
                    if *is_bad { book_state::STALE } else { 0 },
                );
            }
            Move::Pass(ns) => run.pass(*ns),
            Move::Answer { index, refuses } => {
                run.venue().answer(*index, *refuses);
                run.advance();
            }
            // An answer that was given once comes again.
            Move::Again { index } => {
                let seqs = u64::try_from(index + 1).unwrap();
                if run.manager.orders.has_been(seqs) && run.manager.orders.get(seqs).is_none() {
                    run.venue().say(seqs, AnswerEvent::Canceled);
                    run.advance();
                }
            }
            Move::Fill { index, qty } => {
                run.venue().fill(*index, *qty);
                run.advance();
            }
        }
        check(run, sent);
    }
}

/// What holds after every step.
fn check(run: &Run, sent_before: usize) {
    let manager = &run.manager;
    let new = &manager.exchange.sent[sent_before..];
    for (index, book) in manager.books.iter().enumerate() {
        for side in Side::BOTH {
            let open = manager.live(index, side).count();
            let wanted = book.wanted(side).iter().filter(|level| level.qty.0 > 0).count();
            let placed = new.iter().any(|asked| {
                matches!(asked, Asked::Place(order) if manager.book_of(&Head {
                    instrument: order.instrument, strategy: order.strategy, ..Head::new(Kind::Target)
                }) == Some(index) && order.side == side)
            });
            // A quote never has two orders: where one was added, there are no more orders than quotes.
            assert!(!placed || open <= wanted, "{open} orders for {wanted} quotes");
        }
    }
    // The venue and the manager never disagree about what can trade: what rests there is reserved here.
    for order in &manager.exchange.open {
        let live = manager.orders.get(order.seq).map(|live| live.order);
        let told_later = manager
            .exchange
            .answers
            .iter()
            .any(|(_, answer)| manager.ids.seq_of(&answer.id) == Some(order.seq));
        let Some(live) = live else { panic!("{order:?} is at the venue and not here") };
        assert!(told_later || live.remaining().0 >= order.level.qty.0 - order.filled.0, "{live:?} {order:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Whatever was wanted, answered, refused, lost and filled before: once everything is answered, the orders at
    /// the venue are the last target's quotes, and the manager knows each of them.
    #[test]
    fn at_rest_the_orders_are_the_quotes(
        steps in steps(),
        last in proptest::collection::vec((0_i64..6, 0_i64..6, 1_i64..4), 0..=4),
        tolerance in (0_u32..3, 0_u32..3000),
        amends: bool,
    ) {
        let mut run = Run::new(limits(), amends, Writer::off(Lane::Gateway));
        play(&mut run, &steps);
        prop_assert_eq!(run.control.stopped(), None);
        // Everything that is still asked is answered; refusals that time lifts are lifted.
        run.pass(2_000_000_000);
        run.answer_all();
        run.pass(2_000_000_000);
        run.answer_all();
        for instrument in [0, 1] {
            for strategy in 1..=STRATEGIES {
                run.target(instrument, strategy, &Quotes::none(QuoteReason::NoData));
            }
            run.answer_all();
            run.market(instrument, 1000, 0);
        }
        prop_assert_eq!(run.manager.orders.count(), 0, "{:?}", run.manager.exchange.open);
        run.pass(2_000_000_000);
        // One price has one quote, so that the rule against duplicates has nothing to say.
        let mut last = last;
        last.sort_unstable();
        last.dedup_by_key(|(below, ..)| *below);
        let mut seen = std::collections::BTreeSet::new();
        last.retain(|(_, above, _)| seen.insert(*above));
        for (mid, tolerance) in [(1000, (0, 0)), (1001, tolerance)] {
            for strategy in 1..=STRATEGIES {
                let shifted = mid + i64::from(strategy) - 1;
                run.target(0, strategy, &around(shifted, &last, tolerance));
                run.answer_all();
                run.pass(2_000_000_000);
                run.answer_all();
                // Strategies that quote through each other are refused; one after the other is not.
                let side = |side: Side| {
                    let mut wanted: Vec<_> = last
                        .iter()
                        .map(|(below, above, qty)| match side {
                            Side::Buy => (shifted - 1 - below, *qty),
                            Side::Sell => (shifted + 1 + above, *qty),
                        })
                        .collect();
                    wanted.sort_unstable();
                    wanted
                };
                for (wanted, resting) in Side::BOTH.map(|of| (side(of), run.resting(0, strategy, of))) {
                    prop_assert_eq!(wanted.len(), resting.len(), "{:?} {:?}", wanted, resting);
                    for ((price, qty), (at, left)) in wanted.iter().zip(&resting) {
                        prop_assert!((price - at).abs() <= i64::from(tolerance.0), "{:?} {:?}", wanted, resting);
                        prop_assert!((qty - left).abs() * 10_000 <= qty * i64::from(tolerance.1));
                    }
                }
                if strategy == 1 {
                    run.target(0, strategy, &Quotes::none(QuoteReason::NoData));
                    run.answer_all();
                }
            }
            run.target(0, 2, &Quotes::none(QuoteReason::NoData));
            run.answer_all();
            run.pass(2_000_000_000);
        }
        prop_assert_eq!(run.manager.orders.count(), 0);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// The journal holds every request before it leaves, in order; every approval comes from a target; every answer
    /// and fill from the record of its order, acknowledged before.
    #[test]
    fn nothing_leaves_that_the_journal_does_not_hold(steps in steps(), amends: bool) {
        let dir = tempfile::tempdir().unwrap();
        let sizes = Options { feed_segment_bytes: 1 << 16, segment_bytes: 1 << 20, ..Options::new(1, [0; 32]) };
        let mut journal = Journal::create(&dir.path().join("j"), sizes).unwrap();
        let writer = journal.writer(Lane::Gateway).unwrap();
        let mut run = Run::new(limits(), amends, writer);
        play(&mut run, &steps);
        let sent = run.manager.exchange.sent.clone();
        let counts = run.manager.counts;
        drop(run);
        journal.close().unwrap();
        let reader = Reader::open(&dir.path().join("j")).unwrap();
        let mut cursor = reader.cursor(Lane::Gateway);
        let (mut requests, mut records, mut refused) = (vec![], std::collections::BTreeMap::new(), 0);
        while let Some(view) = cursor.next().unwrap() {
            let kind = RecordKind::from_u16(view.entry.kind).unwrap();
            match kind {
                RecordKind::Order | RecordKind::Amend | RecordKind::Cancel => {
                    let body = OrderBody::read_from_bytes(view.body).unwrap();
                    prop_assert_eq!(view.entry.cause.lane(), Some(Lane::Strategy), "a target led to it");
                    if kind == RecordKind::Order {
                        records.insert(Cause::new(view.lane, view.seq).raw(), body.order_seq);
                    }
                    requests.push((kind, body.order_seq, body.price, body.qty));
                }
                RecordKind::OrderUpdate | RecordKind::Fill => {
                    let told = Execution::read_from_bytes(view.body).unwrap();
                    prop_assert_eq!(records.get(&view.entry.cause.raw()), Some(&told.order_seq));
                }
                RecordKind::GateRefused => refused += 1,
                _ => {}
            }
        }
        prop_assert_eq!(refused, counts.refused.iter().sum::<u64>());
        prop_assert_eq!(requests.len(), sent.len());
        for ((kind, seq, price, qty), asked) in requests.into_iter().zip(sent) {
            match asked {
                Asked::Place(order) => prop_assert_eq!((kind, seq, level(price.0, qty.0)), (RecordKind::Order, order.seq, order.level)),
                Asked::Amend(order) => prop_assert_eq!((kind, seq, level(price.0, qty.0)), (RecordKind::Amend, order.seq, order.level)),
                Asked::Cancel(canceled) => prop_assert_eq!((kind, seq), (RecordKind::Cancel, canceled)),
            }
        }
    }
}
