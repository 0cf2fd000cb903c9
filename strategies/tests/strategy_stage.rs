//! The strategy stage around the market maker: what it states, when, why not, and what operators change.

use engine::commands::{
    ALL_INSTRUMENTS, ALL_STRATEGIES, Action, CommandBody, CommandOutput, Outcome, Param, Ticket, channel,
};
use engine::counters::{Counters, Run};
use engine::ids::{Cause, InstrumentId, Lane, StrategyId, VenueId};
use engine::instrument::{ContractKind, Instrument, InstrumentTable, PriceRule, Status};
use engine::journal::Writer;
use engine::message::{
    Body, BookChanged, Cell, Execution, Features, Head, Kind, Message, QuoteReason, Quotes, book_state,
};
use engine::num::{Decimal, Level, Price, Qty, Step};
use engine::order::OrderState;
use engine::ring::{RingSender, ring};
use engine::stage::{Sink, Stage};
use engine::stage_log::StageLog;
use engine::time::Nanos;
use serde::Deserialize;
use std::sync::Arc;
use strategies::registry::{KINDS, StrategyConfig, StrategyTable};
use strategies::signal::Subscriptions;
use strategies::stage::StrategyStage;

const MM: &str = r#"{
    "kind": "market_maker", "name": "mm", "instruments": ["*"], "quote_notional": "650",
    "position_notional_max": "1300", "levels": 1, "level_spacing_ticks": 5, "spread_min_ticks": "1",
    "skew_ticks": "4", "refresh_ms": 100, "touch_age_ms_max": 500, "price_tolerance_ticks": 1,
    "qty_tolerance_bps": 100
}"#;

/// What the stage sends on.
#[derive(Default)]
struct Seen {
    targets: Vec<(StrategyId, InstrumentId, Quotes)>,
    commands: u32,
    is_full: bool,
}

impl Sink for Seen {
    fn send(&mut self, message: Message<'_>) -> bool {
        use zerocopy::IntoBytes;
        match message.head.kind() {
            Some(Kind::Target) => {
                let quotes = Quotes::read(message.body.as_bytes()).unwrap();
                assert_eq!(quotes.first.strategy, message.head.strategy);
                self.targets.push((message.head.strategy, message.head.instrument, quotes));
            }
            Some(Kind::Command) => self.commands += 1,
            _ => {}
        }
        true
    }
    fn has_room(&mut self) -> bool {
        !self.is_full
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

struct Rig {
    stage: StrategyStage,
    out: Seen,
    executions: RingSender,
    commands: CommandOutput,
    counters: Counters,
    now: Nanos,
    next_command: u64,
}

fn instrument(symbol: &str) -> Instrument {
    let step = |text: &str| Step::parse(text.as_bytes()).unwrap();
    Instrument {
        id: InstrumentId(0),
        venue_id: VenueId(0),
        venue: "test".into(),
        symbol: symbol.into(),
        base: "BTC".into(),
        quote: "USDT".into(),
        kind: ContractKind::Linear,
        price_rule: PriceRule { tick: step("0.1"), significant_figures: None },
        qty_unit: step("0.001"),
        lot: Qty(1),
        qty_min: Qty(1),
        qty_max: Qty(1_000_000),
        notional_min: Decimal::parse("100").unwrap(),
        contract_size: Step::ONE,
        status: Status::Trading,
        source: "test".into(),
    }
}

fn config(change: impl Fn(&mut serde_json::Value)) -> StrategyConfig {
    let mut value: serde_json::Value = serde_json::from_str(MM).unwrap();
    change(&mut value);
    StrategyConfig::new(KINDS, &StrategyTable::deserialize(value).unwrap()).unwrap()
}

fn rig_of(configs: &[StrategyConfig], symbols: &[&str]) -> Rig {
    let mut table = InstrumentTable::default();
    symbols.iter().for_each(|symbol| {
        table.add(instrument(symbol));
    });
    let (executions, executed) = ring(256, 4, 64);
    let (commands, commanded) = channel();
    let log = StageLog::new(Writer::off(Lane::Strategy), Arc::default(), 1 << 16);
    let mut counters = Counters::create(None, &Run { id: 1, start: Nanos(0) }, 64).unwrap();
    let stage = StrategyStage::new(&table, configs, &mut Subscriptions::new(), executed, log).unwrap();
    let stage = stage.counting(&mut counters).unwrap().taking(commanded);
    let (now, next_command) = (Nanos::SECOND, 1);
    Rig { stage, out: Seen::default(), executions, commands, counters, now, next_command }
}

fn rig() -> Rig {
    rig_of(&[config(|_| ())], &["BTCUSDT"])
}

fn level(price: i64, qty: i64) -> Level {
    Level { price: Price(price), qty: Qty(qty) }
}

impl Rig {
    fn head(&self, kind: Kind, instrument: u32) -> Head {
        Head { instrument: InstrumentId(instrument), recv_ns: self.now, ..Head::new(kind) }
    }

    fn pass(&mut self, ms: u64) -> &mut Self {
        self.now = self.now.plus(Nanos::from_ms(ms));
        self
    }

    /// A book without features behind it.
    fn book_alone(&mut self, bid: Level, ask: Level, state: u32) {
        let head = self.head(Kind::BookChanged, 0);
        let book = BookChanged { bid, ask, state, ..BookChanged::default() };
        self.stage.on_message(Message { head: &head, body: book.cells() }, &mut self.out);
    }

    /// A book and its features: the last target that they led to.
    fn book(&mut self, bid: Level, ask: Level, state: u32) -> Option<Quotes> {
        self.book_alone(bid, ask, state);
        self.features(bid, ask);
        self.target()
    }

    /// The micro-price in slot 0.
    fn features(&mut self, bid: Level, ask: Level) {
        let head = self.head(Kind::Features, 0);
        let qty = (bid.qty.0 + ask.qty.0) as f64;
        let ticks = (bid.price.0 * ask.qty.0 + ask.price.0 * bid.qty.0) as f64 / qty;
        let features = Features { changed: 1, defined: 1, ..Features::default() };
        let cells = [features.cells()[0], Cell([ticks.to_bits(), 0, 0, 0, 0, 0, 0, 0])];
        self.stage.on_message(Message { head: &head, body: &cells }, &mut self.out);
    }

    /// A sound book with the micro-price in its middle.
    fn sound(&mut self, bid: i64) -> Option<Quotes> {
        self.book(level(bid, 5), level(bid + 10, 5), 0)
    }

    fn timer(&mut self) -> Option<Quotes> {
        let head = self.head(Kind::Timer, 0);
        self.stage.on_message(Message { head: &head, body: &[] }, &mut self.out);
        self.target()
    }

    fn executed(&mut self, strategy: u16, position: i64) {
        let execution = Execution { position: Qty(position), ..Execution::default() };
        let head = Head { strategy: StrategyId(strategy), ..self.head(Kind::Execution, 0) };
        assert!(self.executions.send(Message { head: &head, body: execution.cells() }));
    }

    fn settle(&mut self) -> Option<Quotes> {
        self.stage.settle(&mut self.out);
        self.target()
    }

    fn command(&mut self, action: Action, strategy: u16, params: &[(u32, i64)]) -> Outcome {
        let ticket = Ticket { lane: 0, id: self.next_command };
        self.next_command += 1;
        let body = CommandBody::new(action, StrategyId(strategy), ALL_INSTRUMENTS);
        let params: Vec<Param> =
            params.iter().map(|(index, value)| Param { index: *index, reserved: 0, value: *value }).collect();
        assert!(self.commands.send(ticket, body, &params, Cause::NONE));
        assert_eq!(self.stage.settle(&mut self.out), 1);
        let answered = self.commands.answered().unwrap();
        assert_eq!(answered.ticket, ticket);
        answered.outcome
    }

    /// The only target since the last look.
    fn target(&mut self) -> Option<Quotes> {
        let mut targets = std::mem::take(&mut self.out.targets);
        assert!(targets.len() <= 1, "{targets:?}");
        targets.pop().map(|(_, _, quotes)| quotes)
    }

    fn counter(&self, strategy: &str, name: &str) -> i64 {
        let snapshot = self.counters.snapshot().unwrap();
        let found = snapshot.counters.iter().find(|entry| entry.name == name && entry.strategy == strategy);
        found.unwrap().signed()
    }
}

fn prices(quotes: &Quotes) -> (i64, i64) {
    (quotes.first.bid.price.0, quotes.first.ask.price.0)
}

#[test]
fn it_quotes_around_the_micro_price_and_states_a_target_once() {
    let mut rig = rig();
    let quotes = rig.sound(600_000).unwrap();
    assert_eq!((quotes.first.bid, quotes.first.ask), (level(600_004, 10), level(600_006, 10)));
    assert_eq!((quotes.first.price_tolerance_ticks, quotes.first.qty_tolerance_bps), (1, 100));
    assert_eq!(rig.pass(200).sound(600_000), None);
    // Three quarters of what is on offer lies at the ask: the price leans down, and so do both quotes.
    let leaning = rig.book(level(600_000, 5), level(600_010, 15), 0).unwrap();
    assert_eq!(prices(&leaning), (600_002, 600_003));
    assert_eq!(rig.counter("mm", "not_quoting"), 0);
    assert_eq!(rig.counter("mm", "param_refresh_ms"), 100);
}

#[test]
fn it_wants_nothing_on_a_book_that_cannot_be_trusted_and_says_why() {
    let (bid, ask) = (level(600_000, 5), level(600_010, 5));
    for (bid, ask, state, reason) in [
        (bid, ask, book_state::EMPTY, QuoteReason::BookEmpty),
        (bid, ask, book_state::STALE, QuoteReason::BookStale),
        (bid, ask, book_state::CROSSED, QuoteReason::BookCrossed),
        (bid, ask, book_state::ONE_SIDED, QuoteReason::BookOneSided),
        (bid, ask, book_state::BEYOND_SNAPSHOT, QuoteReason::BookBeyondSnapshot),
        (bid, ask, book_state::TRUNCATED, QuoteReason::BookTruncated),
        (bid, ask, book_state::DISAGREES, QuoteReason::BookDisagrees),
        (bid, Level::default(), 0, QuoteReason::BookInvalid),
        (ask, bid, 0, QuoteReason::BookInvalid),
        (level(5, 1), level(6, 1), 0, QuoteReason::NotWanted),
    ] {
        let mut rig = rig();
        rig.sound(600_000).unwrap();
        let none = rig.book(bid, ask, state);
        if reason == QuoteReason::NotWanted {
            assert!(none.is_some(), "a strange price is none of its business");
            continue;
        }
        let none = none.unwrap();
        assert_eq!((none.reason(), none.first.bid.qty, none.first.ask.qty), (reason, Qty(0), Qty(0)));
        assert_eq!(rig.counter("mm", "not_quoting"), reason as i64);
        assert!(rig.pass(1).sound(600_000).is_some(), "back at once on a sound book");
    }
}

#[test]
fn a_command_waits_while_time_passes_and_lies_between_two_messages() {
    let mut rig = rig();
    rig.sound(600_000).unwrap();
    // Before the next message time passes, moment by moment, and what the gateway did in each is taken meanwhile.
    assert_eq!(rig.stage.advance(rig.now, &mut rig.out), 0);
    let body = CommandBody::new(Action::Pause, StrategyId(1), ALL_INSTRUMENTS);
    assert!(rig.commands.send(Ticket { lane: 0, id: 1 }, body, &[], Cause::NONE));
    rig.executed(1, 0);
    assert_eq!(rig.stage.settle(&mut rig.out), 1, "the execution alone");
    assert!(rig.commands.answered().is_none());
    rig.timer();
    assert_eq!(rig.stage.settle(&mut rig.out), 1);
    assert!(rig.commands.answered().is_some());
}

#[test]
fn what_is_wanted_after_a_whole_fill_is_stated_again_and_after_a_part_it_is_not() {
    // No skew: what a fill changes of the position changes no quote.
    let mut rig = rig_of(&[config(|mm| mm["skew_ticks"] = "0".into())], &["BTCUSDT"]);
    let quotes = rig.sound(600_000).unwrap();
    let fill = |rig: &mut Rig, state: OrderState, position| {
        let execution = Execution { state: state as u8, position: Qty(position), ..Execution::default() };
        let head = Head { strategy: StrategyId(1), ..rig.head(Kind::Execution, 0) };
        assert!(rig.executions.send(Message { head: &head, body: execution.cells() }));
        rig.settle()
    };
    assert_eq!(fill(&mut rig, OrderState::PartiallyFilled, 4), None);
    assert_eq!(fill(&mut rig, OrderState::Filled, 10), Some(quotes));
    assert_eq!(rig.pass(200).sound(600_000), None, "once");
    rig.command(Action::Pause, 1, &[]);
    assert!(rig.target().unwrap().is_empty());
    assert_eq!(fill(&mut rig, OrderState::Filled, 20), None, "nothing is wanted while it is paused");
}

#[test]
fn an_unsound_book_is_left_before_its_features_come() {
    let mut rig = rig();
    rig.sound(600_000).unwrap();
    rig.book_alone(level(600_000, 5), level(600_010, 5), book_state::STALE);
    assert_eq!(rig.target().unwrap().reason(), QuoteReason::BookStale);
}

#[test]
fn a_touch_that_nothing_confirms_is_left_by_the_timer_and_by_another_input() {
    for by_timer in [true, false] {
        let mut rig = rig_of(&[config(|_| ())], &["BTCUSDT", "ETHUSDT"]);
        rig.sound(600_000).unwrap();
        assert_eq!(rig.pass(500).timer(), None);
        rig.pass(1);
        let none = if by_timer {
            rig.timer()
        } else {
            // A message of the other instrument brings the time; it is met before the input after it.
            for _ in 0..2 {
                rig.pass(1);
                let head = rig.head(Kind::Trade, 1);
                let trade = engine::message::Trade::default();
                rig.stage.on_message(Message { head: &head, body: trade.cells() }, &mut rig.out);
            }
            rig.target()
        };
        assert_eq!(none.unwrap().reason(), QuoteReason::BookOld, "{by_timer}");
    }
}

#[test]
fn safe_quotes_wait_for_the_refresh_and_unsafe_ones_do_not() {
    let mut rig = rig_of(&[config(|value| value["spread_min_ticks"] = "4".into())], &["BTCUSDT"]);
    assert_eq!(prices(&rig.sound(600_000).unwrap()), (600_003, 600_007));
    assert_eq!(rig.pass(50).sound(600_001), None, "one tick better is not worth it yet");
    assert_eq!(prices(&rig.pass(50).timer().unwrap()), (600_004, 600_008), "and is, when the time has come");
    let moved = rig.pass(1).sound(599_999).unwrap();
    assert_eq!(prices(&moved), (600_002, 600_006), "the bid lay at the price that it should lie around");
}

#[test]
fn features_that_do_not_follow_are_not_waited_for() {
    let mut rig = rig();
    rig.sound(600_000).unwrap();
    rig.book_alone(level(600_000, 5), level(600_010, 5), book_state::STALE);
    rig.target().unwrap();
    rig.pass(1).book_alone(level(600_000, 5), level(600_010, 5), 0);
    assert_eq!(rig.target(), None);
    assert!(rig.pass(1).timer().is_some());
}

#[test]
fn a_fill_moves_the_quotes_and_the_maximum_leaves_one_side() {
    let mut rig = rig();
    rig.sound(600_000).unwrap();
    rig.executed(1, 10);
    let long = rig.settle().unwrap();
    assert_eq!(prices(&long).0, 600_002, "half of the maximum is half of the skew");
    rig.executed(1, 21);
    let full = rig.settle().unwrap();
    assert_eq!((full.first.bid.qty, full.reason()), (Qty(0), QuoteReason::PositionLong));
    rig.executed(1, -21);
    let short = rig.settle().unwrap();
    assert_eq!((short.first.ask.qty, short.reason()), (Qty(0), QuoteReason::PositionShort));
    rig.executed(1, i64::MIN);
    assert_eq!(rig.settle().unwrap_or(short).first.ask.qty, Qty(0));
}

#[test]
fn executions_are_taken_without_room_and_answered_before_the_next_input() {
    let mut rig = rig();
    rig.sound(600_000).unwrap();
    rig.out.is_full = true;
    rig.executed(1, 5);
    rig.executed(1, 11);
    assert_eq!(rig.settle(), None);
    rig.out.is_full = false;
    let head = rig.head(Kind::MarkPrice, 0);
    rig.stage.on_message(Message { head: &head, body: &[] }, &mut rig.out);
    assert_eq!(prices(&rig.target().unwrap()).0, 600_002, "of both, once");
}

#[test]
fn strategies_see_their_own_executions_only() {
    let second = config(|value| value["name"] = "second".into());
    let mut rig = rig_of(&[config(|_| ()), second], &["BTCUSDT"]);
    rig.book_alone(level(600_000, 5), level(600_010, 5), 0);
    rig.features(level(600_000, 5), level(600_010, 5));
    let whose: Vec<u16> = std::mem::take(&mut rig.out.targets).iter().map(|(id, ..)| id.0).collect();
    assert_eq!(whose.len(), 2, "{whose:?}");
    rig.executed(2, 21);
    rig.stage.settle(&mut rig.out);
    let targets = std::mem::take(&mut rig.out.targets);
    assert_eq!(targets.iter().map(|(id, ..)| id.0).collect::<Vec<_>>(), [2]);
    assert_eq!((rig.counter("mm", "not_quoting"), rig.counter("second", "not_quoting")), (0, 4));
}

#[test]
fn a_paused_strategy_wants_nothing_until_it_is_resumed() {
    let mut rig = rig();
    rig.sound(600_000).unwrap();
    assert_eq!(rig.command(Action::Pause, ALL_STRATEGIES.0, &[]), Outcome::Accepted);
    assert_eq!(rig.target().unwrap().reason(), QuoteReason::Stopped);
    assert_eq!(rig.pass(200).sound(600_100), None);
    assert_eq!(rig.counter("mm", "not_quoting"), QuoteReason::Stopped as i64);
    assert_eq!(rig.command(Action::Resume, 1, &[]), Outcome::Accepted);
    assert_eq!(prices(&rig.target().unwrap()).0, 600_104, "what it came to want meanwhile");
}

#[test]
fn parameters_change_together_or_not_at_all() {
    let mut rig = rig();
    rig.sound(600_000).unwrap();
    let (quote, max, levels, spread) = (0, 1, 2, 4);
    for (changes, outcome) in [
        (&[(levels, 2), (99, 1)][..], Outcome::Conflicting),
        (&[(levels, 2), (spread, 0)], Outcome::Conflicting),
        (&[(levels, 2), (quote, 200_000_000_000)], Outcome::Conflicting),
    ] {
        assert_eq!(rig.command(Action::Set, 1, changes), outcome, "{changes:?}");
        assert_eq!((rig.target(), rig.counter("mm", "param_levels")), (None, 1));
    }
    assert_eq!(rig.command(Action::Set, 7, &[]), Outcome::Conflicting);
    let changes = [(levels, 2), (spread, 400), (max, 1_300_000_000_000), (quote, 65_000_000_000)];
    assert_eq!(rig.command(Action::Set, 1, &changes), Outcome::Accepted);
    let quotes = rig.target().unwrap();
    assert_eq!((prices(&quotes), quotes.first.pairs), ((600_003, 600_007), 2));
    assert_eq!((rig.counter("mm", "param_levels"), rig.counter("mm", "param_spread_min_ticks")), (2, 400));
}

#[test]
fn cancel_all_takes_the_quotes_back_and_reaches_the_gateway() {
    let mut rig = rig();
    rig.sound(600_000).unwrap();
    assert_eq!(rig.command(Action::CancelAll, ALL_STRATEGIES.0, &[]), Outcome::Accepted);
    assert_eq!((rig.target().unwrap().reason(), rig.out.commands), (QuoteReason::NotWanted, 1));
    assert!(rig.pass(1).sound(600_000).is_some(), "it was not paused");
}

#[test]
fn a_size_below_the_venues_minimum_is_no_quote() {
    let mut rig = rig_of(&[config(|value| value["quote_notional"] = "99".into())], &["BTCUSDT"]);
    assert_eq!(rig.sound(600_000).unwrap().reason(), QuoteReason::SizeBelowMinimum);
}

#[test]
fn an_instrument_that_the_run_does_not_have_is_refused_with_the_nearest() {
    let wrong = config(|value| value["instruments"] = ["test:BTCUSD"].into());
    let mut table = InstrumentTable::default();
    table.add(instrument("BTCUSDT"));
    let error = wrong.instruments_of(&table).unwrap_err();
    let said = "[[strategy]] name = \"mm\", instruments: the run has no \"test:BTCUSD\"; did you mean \"test:BTCUSDT\"?";
    assert_eq!(error, said);
}
