//! One situation a test.

use super::*;

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
    (run.venue().is_deaf, run.venue().is_secretive) = (true, true);
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
        run.venue().say(seq, AnswerEvent::Filled { fill, maker: true, fee: None });
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
    assert_eq!((of(0).0, of(0).1.qty, of(0).1.fees), (1, Qty(5), 9_990), "99.9 x 0.005 x 0.02 %");
    assert_eq!((of(1).0, of(1).1.qty, of(1).1.fees), (2, Qty(-2), 4_004));
    assert_eq!(positions[0].pnl, Some(50_000), "bought a tick below the mid");
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

#[test]
fn what_could_not_be_sent_is_tried_again_and_is_no_refusal_of_the_venue() {
    let mut run = Run::plain();
    run.venue().is_away = true;
    run.target(0, 1, &one((999, 5), (0, 0)));
    assert_eq!((run.manager.orders.count(), run.manager.counts.placed), (0, 0));
    assert_eq!(run.told.0.last().unwrap().state, OrderState::Rejected as u8);
    run.pass(999_999_999);
    assert_eq!(run.manager.counts.unsent, 1, "not at once");
    run.pass(1);
    assert_eq!(run.manager.counts.unsent, 2, "nor for the last time");
    run.venue().is_away = false;
    run.pass(1_000_000_000);
    run.answer_all();
    assert_eq!(run.resting(0, 1, Side::Buy), [(999, 5)], "under the same target");
    // Nor does an order stay where nobody wants it any more, because it could not be moved.
    run.venue().is_away = true;
    run.target(0, 1, &one((998, 5), (0, 0)));
    assert!(matches!(run.venue().asked[..], [Asked::Cancel(_)]));
    run.answer_all();
    assert_eq!(run.resting(0, 1, Side::Buy), []);
    run.venue().is_away = false;
    run.pass(1_000_000_000);
    run.answer_all();
    assert_eq!(run.resting(0, 1, Side::Buy), [(998, 5)]);
    let counts = run.manager.counts;
    assert_eq!((counts.placed, counts.rejected, counts.amends_refused, counts.unsent), (2, 0, 0, 3));
}
