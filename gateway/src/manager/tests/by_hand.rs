//! Orders beside the quotes, cancels by id, and positions that are closed.

use super::*;
use engine::commands::{ALL_INSTRUMENTS, ALL_STRATEGIES, Action, CommandBody, OrderWish};
use engine::journal::schema::{CommandResult, HandResult};
use engine::order::{OrderKind, Terms, Tif};
use std::path::Path;

fn wish(side: Side, kind: OrderKind, price: i64, trigger: i64, qty: i64) -> OrderWish {
    let tif = if kind.has_limit() { Tif::Gtc } else { Tif::Ioc };
    OrderWish {
        price: Price(price),
        trigger: Price(trigger),
        qty: Qty(qty),
        side: side as u8,
        kind: kind as u8,
        tif: tif as u8,
        ..OrderWish::default()
    }
}

impl Run {
    fn command(&mut self, body: CommandBody) {
        self.advance();
        let (instrument, strategy) = (body.instrument, body.strategy);
        let head = Head { instrument, strategy, ..self.head(Kind::Command, 0) };
        self.manager.on_command(Message { head: &head, body: body.cells() }, &mut self.told);
    }

    fn by_hand(&mut self, strategy: StrategyId, order: OrderWish) {
        self.command(CommandBody { order, ..CommandBody::new(Action::Order, strategy, InstrumentId(0)) });
    }

    fn flatten(&mut self, strategy: StrategyId, instrument: InstrumentId) {
        self.command(CommandBody::new(Action::Flatten, strategy, instrument));
    }

    fn cancel(&mut self, seq: u64, of: (u16, u32)) {
        let order = OrderWish { seq, run: of.1, ..OrderWish::default() };
        let body = CommandBody::new(Action::Cancel, ALL_STRATEGIES, ALL_INSTRUMENTS);
        self.command(CommandBody { order, engine: of.0, ..body });
    }

    fn manual(&self) -> Option<PositionReport> {
        self.manager.report().positions.into_iter().find(|one| one.strategy == StrategyId::MANUAL)
    }
}

/// What was said of commands: the result, the order, the quantity, whose.
fn results(dir: &Path) -> Vec<(HandResult, u64, i64, u16)> {
    let (mut cursor, mut results) = (Reader::open(dir).unwrap().cursor(Lane::Gateway), Vec::new());
    while let Some(view) = cursor.next().unwrap() {
        if view.entry.kind == RecordKind::CommandResult as u16 {
            assert_eq!(view.entry.cause.lane(), Some(Lane::Strategy), "the command's");
            let body = CommandResult::read_from_bytes(view.body).unwrap();
            let result = HandResult::from_u16(body.result).unwrap();
            results.push((result, body.order_seq, body.qty.0, body.strategy));
        }
    }
    results
}

const MANUAL: StrategyId = StrategyId::MANUAL;
const MM: StrategyId = StrategyId(1);

#[test]
fn an_order_by_hand_is_nobodys_quote_and_has_a_position_of_its_own() {
    let mut run = Run::plain();
    assert_eq!(run.manual(), None, "nothing is said of it before it trades");
    run.by_hand(MANUAL, wish(Side::Buy, OrderKind::Limit, 997, 0, 7));
    run.answer_all();
    run.target(0, 1, &one((999, 5), (1001, 5)));
    run.answer_all();
    run.target(0, 1, &one((998, 5), (1001, 5)));
    run.answer_all();
    assert_eq!(run.resting(0, MANUAL.0, Side::Buy), [(997, 7)], "no plan moves it");
    assert_eq!(run.resting(0, 1, Side::Buy), [(998, 5)]);
    run.target(0, 1, &Quotes::none(QuoteReason::NotWanted));
    run.answer_all();
    assert_eq!(run.resting(0, MANUAL.0, Side::Buy), [(997, 7)], "nor takes it back");
    run.venue().fill(0, 7);
    run.advance();
    let manual = run.manual().unwrap();
    assert_eq!((manual.position.qty, manual.open_orders), (Qty(7), 0));
    let others = run.manager.report().positions;
    assert!(others.iter().all(|one| one.strategy == MANUAL || one.position.qty == Qty(0)));
    run.by_hand(MM, wish(Side::Sell, OrderKind::Market, 0, 0, 3));
    run.answer_all();
    run.venue().fill(0, 3);
    run.advance();
    let of_mm = run.manager.report().positions.into_iter().find(|one| one.strategy == MM).unwrap();
    assert_eq!(of_mm.position.qty, Qty(-3), "of the strategy that was named");
    assert_eq!(run.told.0.last().unwrap().strategy, MM, "which is told");
}

#[test]
fn what_the_gate_refuses_by_hand_does_not_leave() {
    let mut run =
        Run::new(RiskConfig { order_lots_max: Some(5), ..limits() }, true, Writer::off(Lane::Gateway));
    run.by_hand(MANUAL, wish(Side::Buy, OrderKind::Market, 0, 0, 6));
    assert_eq!(run.told.0.last().unwrap().rule, RiskRule::OrderLots as u8);
    let reduce = OrderWish { reduce_only: 1, ..wish(Side::Buy, OrderKind::Market, 0, 0, 2) };
    run.by_hand(MANUAL, reduce);
    assert_eq!(run.told.0.last().unwrap().rule, RiskRule::ReduceOnly as u8);
    run.by_hand(MANUAL, wish(Side::Buy, OrderKind::Stop, 0, 999, 2));
    assert_eq!(run.told.0.last().unwrap().rule, RiskRule::Trigger as u8);
    assert_eq!((run.venue().sent.len(), run.manager.orders.count()), (0, 0));
    // A quote of any strategy in the way of it is an own order.
    run.target(0, 1, &one((999, 5), (0, 0)));
    run.answer_all();
    run.by_hand(MANUAL, wish(Side::Sell, OrderKind::Market, 0, 0, 2));
    assert_eq!(run.told.0.last().unwrap().rule, RiskRule::SelfTrade as u8);
}

#[test]
fn a_stop_waits_beside_the_quotes_and_stands_in_their_way_once_it_is_triggered() {
    let mut run = Run::plain();
    run.by_hand(MANUAL, wish(Side::Sell, OrderKind::StopLimit, 990, 995, 4));
    run.answer_all();
    run.target(0, 1, &one((998, 5), (0, 0)));
    run.answer_all();
    assert_eq!(run.resting(0, 1, Side::Buy), [(998, 5)], "it meets nobody");
    run.venue().say(1, AnswerEvent::Triggered);
    run.advance();
    let terms = |run: &Run| run.manager.orders.get(1).unwrap().order.terms;
    assert_eq!(terms(&run), Terms { trigger: Price(995), ..Terms::LIMIT });
    run.target(0, 1, &one((997, 5), (0, 0)));
    run.answer_all();
    assert!(run.told.0.iter().any(|told| told.rule == RiskRule::SelfTrade as u8));
    run.venue().say(1, AnswerEvent::Triggered);
    run.advance();
    assert_eq!(run.manager.counts.late_answers, 1, "told twice");
    assert_eq!(run.control.stopped(), None);
}

#[test]
fn places_beside_the_quotes_run_out_and_come_back() {
    let mut run = Run::plain();
    for qty in 0..10 {
        run.by_hand(MANUAL, wish(Side::Buy, OrderKind::Limit, 900, 0, 1 + qty));
    }
    run.answer_all();
    assert_eq!(run.resting(0, MANUAL.0, Side::Buy).len(), BESIDE_MAX);
    run.cancel(3, (0, 0));
    run.answer_all();
    run.by_hand(MANUAL, wish(Side::Buy, OrderKind::Limit, 901, 0, 1));
    run.answer_all();
    assert!(run.resting(0, MANUAL.0, Side::Buy).contains(&(901, 1)));
    let body = CommandBody::new(Action::CancelAll, ALL_STRATEGIES, InstrumentId(1));
    run.command(body);
    run.answer_all();
    assert_eq!(run.manager.orders.count(), BESIDE_MAX, "of another instrument");
    run.command(CommandBody { instrument: ALL_INSTRUMENTS, ..body });
    run.answer_all();
    assert_eq!(run.manager.orders.count(), 0);
}

#[test]
fn an_order_of_any_strategy_is_canceled_by_its_id() {
    let mut run = Run::plain();
    run.target(0, 1, &one((999, 5), (0, 0)));
    run.answer_all();
    for (seq, of) in [(2, (0, 0)), (1, (3, 5)), (1, (2, 4))] {
        run.cancel(seq, of);
        assert_eq!(run.venue().asked, [], "{seq} of {of:?} is not there");
    }
    run.cancel(1, (3, 4));
    assert_eq!(run.venue().asked, [Asked::Cancel(1)]);
}

#[test]
fn a_position_is_closed_once_nothing_of_it_is_open() {
    let mut run = Run::plain();
    run.target(0, 1, &one((999, 9), (1001, 9)));
    run.answer_all();
    run.venue().fill(0, 4);
    run.advance();
    run.by_hand(MM, wish(Side::Buy, OrderKind::Limit, 950, 0, 2));
    run.answer_all();
    // As the strategy stage does before it hands the command on.
    run.target(0, 1, &Quotes::none(QuoteReason::Stopped));
    run.flatten(MM, ALL_INSTRUMENTS);
    assert!(run.venue().asked.iter().all(|asked| matches!(asked, Asked::Cancel(_))));
    // It fills on while it is canceled.
    run.venue().fill(0, 2);
    run.advance();
    for _ in 0..3 {
        run.venue().answer(0, false);
    }
    run.advance();
    let Some(Asked::Place(order)) = run.venue().asked.first().copied() else {
        panic!("no order to close it")
    };
    assert_eq!((order.side, order.level, order.terms), (Side::Sell, level(0, 6), Terms::MARKET.reducing()));
    // No quote meanwhile, whoever resumes.
    run.target(0, 1, &one((998, 9), (1002, 9)));
    assert_eq!(run.venue().asked.len(), 1);
    run.venue().answer(0, false);
    run.venue().fill(0, 5);
    let seq = order.seq;
    run.venue().open.retain(|order| order.seq != seq);
    run.venue().say_filled(seq, AnswerEvent::Expired, Some(Qty(5)));
    run.advance();
    let Some(Asked::Place(rest)) = run.venue().asked.first().copied() else {
        panic!("the rest is tried again")
    };
    assert_eq!(rest.level, level(0, 1));
    run.venue().answer(0, false);
    run.venue().fill(0, 1);
    run.answer_all();
    assert_eq!(run.resting(0, 1, Side::Buy), [(998, 9)], "closed, and quoted on again");
    assert_eq!(run.control.stopped(), None);
}

#[test]
fn positions_that_stand_against_each_other_are_closed_one_after_the_other() {
    let mut run = Run::plain();
    run.by_hand(MM, wish(Side::Buy, OrderKind::Market, 0, 0, 4));
    run.answer_all();
    run.venue().fill(0, 4);
    run.by_hand(MANUAL, wish(Side::Sell, OrderKind::Market, 0, 0, 4));
    run.answer_all();
    run.venue().fill(0, 4);
    // The same orders once more are no mistake then.
    run.pass(1_000_000);
    run.flatten(ALL_STRATEGIES, ALL_INSTRUMENTS);
    let mut closed = Vec::new();
    while let Some(Asked::Place(order)) = run.venue().asked.first().copied() {
        assert_eq!(run.venue().asked.len(), 1, "one at a time");
        closed.push((order.side, order.level.qty.0, order.terms.reduce_only));
        run.venue().answer(0, false);
        run.venue().fill(0, 4);
        run.advance();
    }
    closed.sort_unstable_by_key(|(side, ..)| *side as u8);
    // The account holds nothing that the first could reduce; the second takes off what that one opened.
    let sides: Vec<_> = closed.iter().map(|(side, qty, _)| (*side, *qty)).collect();
    assert_eq!(sides, [(Side::Buy, 4), (Side::Sell, 4)]);
    assert_eq!(closed.iter().filter(|(.., reduces)| *reduces).count(), 1);
    assert!(run.manager.report().positions.iter().all(|one| one.position.qty == Qty(0)));
}

#[test]
fn what_cannot_be_closed_is_given_up_and_everything_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = Journal::create(&dir.path().join("journal"), Options::new(1, [0; 32])).unwrap();
    let mut run = Run::new(limits(), true, journal.writer(Lane::Gateway).unwrap());
    run.by_hand(MANUAL, wish(Side::Buy, OrderKind::Market, 0, 0, 4));
    run.answer_all();
    run.venue().fill(0, 4);
    run.advance();
    run.flatten(MANUAL, InstrumentId(0));
    run.venue().answer(0, true);
    run.advance();
    assert_eq!(
        run.manual().unwrap().position.qty,
        Qty(4),
        "the exchange rejects it, and it is not tried for ever"
    );
    assert_eq!(run.venue().asked, []);
    run.market(0, 1000, book_state::STALE);
    run.flatten(MANUAL, InstrumentId(0));
    run.market(0, 1000, 0);
    run.pass(1_000_000);
    run.flatten(ALL_STRATEGIES, InstrumentId(0));
    run.venue().answer(0, false);
    run.venue().fill(0, 4);
    run.advance();
    run.cancel(99, (0, 0));
    drop(run);
    drop(journal);
    let results = results(dir.path());
    use HandResult::{Closing, Flat, GaveUp, Left, NoOrder};
    let manual = MANUAL.0;
    let expected = [
        (Left, 1, 4, manual),
        (Closing, 1, 0, manual),
        (GaveUp, 2, 4, manual),
        (Closing, 1, 0, manual),
        (GaveUp, 0, 4, manual),
        (Closing, 3, 0, 0),
        (Flat, 0, 0, 1),
        (Flat, 0, 0, 2),
        (Flat, 3, 0, manual),
        (NoOrder, 99, 0, 0),
    ];
    let mut sorted = results.clone();
    // In which order books are gone through is nobody's business.
    sorted[6..8].sort_unstable_by_key(|(.., strategy)| *strategy);
    assert_eq!(sorted, expected);
}

#[test]
fn what_is_open_beside_the_quotes_of_a_closing_position_is_canceled_until_it_is_gone() {
    let mut run = Run::plain();
    run.by_hand(MM, wish(Side::Buy, OrderKind::Market, 0, 0, 4));
    run.answer_all();
    run.venue().fill(0, 4);
    run.by_hand(MM, wish(Side::Buy, OrderKind::Limit, 950, 0, 2));
    run.answer_all();
    run.flatten(MM, InstrumentId(0));
    assert_eq!(run.venue().asked, [Asked::Cancel(2)]);
    run.venue().answer(0, true);
    run.advance();
    assert_eq!(run.venue().asked, [Asked::Cancel(2)], "refused, found open, and asked for again");
    // This one never arrives.
    run.venue().asked.clear();
    run.pass(1_000_000_000);
    assert_eq!(run.venue().asked, [Asked::Cancel(2)]);
    run.venue().answer(0, false);
    run.advance();
    let Some(Asked::Place(order)) = run.venue().asked.first().copied() else {
        panic!("no order to close it")
    };
    run.venue().answer(0, false);
    run.advance();
    assert_eq!(run.venue().asked, [], "the order that closes is not taken back");
    run.venue().fill(0, 4);
    run.advance();
    assert_eq!((order.level, run.manager.orders.count()), (level(0, 4), 0));
}

#[test]
fn an_unknown_order_stays_unknown_while_its_cancel_by_hand_is_under_way() {
    let mut run = Run::plain();
    run.target(0, 1, &one((999, 5), (0, 0)));
    run.venue().answer(0, false);
    run.venue().answers.clear();
    run.venue().is_secretive = true;
    run.pass(1_000_000_000);
    run.cancel(1, (0, 0));
    assert_eq!(run.venue().asked, [Asked::Cancel(1)]);
    run.target(0, 2, &one((998, 5), (0, 0)));
    assert_eq!(
        run.told.0.last().unwrap().rule,
        RiskRule::UnknownOrder as u8,
        "nobody has said where it stands"
    );
    // Nobody answers the cancel either, and it is no second unknown order.
    run.venue().asked.clear();
    run.pass(1_000_000_000);
    assert_eq!(run.manager.exposure(0, Side::Buy).unknown_orders, 1);
    run.cancel(1, (0, 0));
    run.answer_all();
    assert_eq!(run.manager.exposure(0, Side::Buy).unknown_orders, 0);
    assert_eq!(run.resting(0, 2, Side::Buy), [(998, 5)], "what it kept waiting is tried again");
}

#[test]
fn a_lost_cancel_of_a_stop_is_repeated_where_nobody_says_what_became_of_it() {
    let mut run = Run::plain();
    run.venue().is_secretive = true;
    run.by_hand(MANUAL, wish(Side::Sell, OrderKind::Stop, 0, 995, 4));
    run.answer_all();
    run.cancel(1, (0, 0));
    run.venue().asked.clear();
    run.pass(1_000_000_000);
    assert_eq!(run.venue().asked, [Asked::Cancel(1)], "lost, and asked for again");
    run.venue().answer(0, true);
    run.advance();
    assert_eq!(
        (run.venue().asked.clone(), run.venue().queried.len()),
        (vec![], 1),
        "refused: first a question"
    );
    run.pass(1_000_000_000);
    assert_eq!(run.venue().asked, [Asked::Cancel(1)]);
    run.answer_all();
    assert_eq!(run.manager.orders.count(), 0);
    // One that nobody wants to end is only asked about.
    run.venue().is_deaf = true;
    run.by_hand(MANUAL, wish(Side::Sell, OrderKind::Stop, 0, 995, 4));
    for _ in 0..5 {
        run.pass(1_000_000_000);
    }
    let cancels = run.venue().sent.iter().filter(|asked| matches!(asked, Asked::Cancel(_))).count();
    assert_eq!((cancels, run.manager.orders.count()), (3, 1));
}

#[test]
fn a_flatten_waits_for_a_venue_that_is_not_reached_and_orders_by_hand_are_said_not_to_have_left() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = Journal::create(&dir.path().join("journal"), Options::new(1, [0; 32])).unwrap();
    let mut run = Run::new(limits(), true, journal.writer(Lane::Gateway).unwrap());
    run.by_hand(MANUAL, wish(Side::Buy, OrderKind::Market, 0, 0, 4));
    run.answer_all();
    run.venue().fill(0, 4);
    run.advance();
    run.venue().is_away = true;
    run.by_hand(MANUAL, wish(Side::Buy, OrderKind::Limit, 950, 0, 1));
    run.flatten(MANUAL, InstrumentId(0));
    run.pass(999_999_999);
    assert_eq!(run.manager.counts.unsent, 2);
    run.pass(1);
    assert_eq!(run.manager.counts.unsent, 3);
    run.venue().is_away = false;
    run.pass(1_000_000_000);
    run.venue().answer(0, false);
    run.venue().fill(0, 4);
    run.advance();
    drop(run);
    drop(journal);
    use HandResult::{Closing, Flat, Left, NotSent};
    let manual = MANUAL.0;
    let expected =
        [(Left, 1, 4, manual), (NotSent, 2, 1, manual), (Closing, 1, 0, manual), (Flat, 5, 0, manual)];
    assert_eq!(results(dir.path()), expected);
}

#[test]
fn a_cancel_by_hand_that_did_not_leave_is_said_not_to_have_left() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = Journal::create(&dir.path().join("journal"), Options::new(1, [0; 32])).unwrap();
    let mut run = Run::new(limits(), true, journal.writer(Lane::Gateway).unwrap());
    run.by_hand(MANUAL, wish(Side::Buy, OrderKind::Limit, 950, 0, 1));
    run.answer_all();
    run.venue().cuts_off_cancels = true;
    run.cancel(1, (0, 0));
    run.cancel(1, (0, 0));
    run.venue().cuts_off_cancels = false;
    // Found open when it is asked about, and canceled by the next command.
    run.pass(1_000_000_000);
    run.cancel(1, (0, 0));
    run.cancel(1, (0, 0));
    run.answer_all();
    assert_eq!(run.manager.orders.count(), 0);
    drop(run);
    drop(journal);
    use HandResult::{Left, NotSent};
    let said: Vec<_> = results(dir.path()).into_iter().map(|(result, ..)| result).collect();
    assert_eq!(said, [Left, NotSent, NotSent, Left, Left]);
}

#[test]
fn own_orders_at_the_touch_are_taken_back_for_a_position_to_be_closed() {
    let mut run = Run::plain();
    run.by_hand(MM, wish(Side::Buy, OrderKind::Market, 0, 0, 4));
    run.answer_all();
    run.venue().fill(0, 4);
    // Another strategy and an order by hand are the best bid; one further off meets nobody.
    run.target(0, 2, &one((999, 5), (1005, 5)));
    run.by_hand(MANUAL, wish(Side::Buy, OrderKind::Limit, 999, 0, 7));
    run.by_hand(MANUAL, wish(Side::Buy, OrderKind::Limit, 990, 0, 7));
    run.answer_all();
    run.flatten(MM, InstrumentId(0));
    let mut canceled: Vec<_> = run.venue().asked.iter().map(Asked::seq).collect();
    canceled.sort_unstable();
    assert!(run.venue().asked.iter().all(|asked| matches!(asked, Asked::Cancel(_))));
    assert_eq!(canceled, [2, 4]);
    run.venue().answer(0, false);
    run.advance();
    assert_eq!(run.venue().asked.len(), 1, "one of them is still there");
    run.target(0, 2, &one((999, 6), (1005, 5)));
    assert_eq!(run.venue().asked.len(), 1, "and nobody bids meanwhile");
    run.venue().answer(0, false);
    run.advance();
    let Some(Asked::Place(order)) = run.venue().asked.first().copied() else {
        panic!("no order to close it")
    };
    assert_eq!((order.side, order.level), (Side::Sell, level(0, 4)));
    let is_it = |open: &Order| open.seq == order.seq;
    run.venue().answer(0, false);
    let at = run.venue().open.iter().position(is_it).unwrap();
    run.venue().fill(at, 4);
    run.advance();
    run.answer_all();
    assert_eq!(run.resting(0, 2, Side::Buy), [(999, 6)], "closed, and quoted on again");
    assert_eq!(run.resting(0, 2, Side::Sell), [(1005, 5)]);
    assert_eq!(run.resting(0, MANUAL.0, Side::Buy), [(990, 7)]);
    assert_eq!(run.manager.counts.refused, OrderCounts::default().refused);
}
