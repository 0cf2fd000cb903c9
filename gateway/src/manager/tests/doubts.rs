//! Orders of which nobody knows where they stand.

use super::*;

/// A bid of 5 that the venue has, and whose answer was lost.
fn unanswered() -> Run {
    let mut run = Run::plain();
    run.target(0, 1, &one((999, 5), (0, 0)));
    run.venue().answer(0, false);
    run.venue().answers.clear();
    run
}

fn state(run: &Run, seq: u64) -> Option<OrderState> {
    run.manager.orders.get(seq).map(|live| live.order.state)
}

#[test]
fn an_overdue_order_is_asked_about_and_found() {
    let mut run = unanswered();
    run.pass(1_000_000_000);
    assert_eq!((run.venue().queried.clone(), state(&run, 1)), (vec![1], Some(OrderState::Open)));
    assert_eq!((run.manager.counts.timed_out, run.manager.counts.queries), (1, 1));
    run.target(0, 2, &one((998, 5), (0, 0)));
    assert_eq!(run.venue().asked.len(), 1, "nothing is unknown any more");
}

#[test]
fn an_order_that_never_arrived_ends_only_when_the_venue_says_so() {
    let mut run = Run::plain();
    (run.venue().is_deaf, run.venue().is_secretive) = (true, true);
    run.target(0, 1, &one((999, 5), (0, 0)));
    run.venue().is_deaf = false;
    run.pass(1_000_000_000);
    run.venue().say(1, AnswerEvent::Standing(Standing::Unknown));
    run.pass(1);
    assert_eq!(state(&run, 1), Some(OrderState::Unknown), "it may still arrive");
    assert_eq!(run.manager.exposure(0, Side::Buy).open_buys, Qty(5), "it keeps its exposure");
    run.venue().is_secretive = false;
    run.pass(1_000_000_000);
    assert_eq!(state(&run, 1), None, "absent");
    assert_eq!((run.manager.counts.rejected, run.manager.counts.queries), (1, 2));
}

#[test]
fn queries_wait_longer_each_time_up_to_a_bound() {
    let mut run = unanswered();
    run.venue().is_secretive = true;
    let mut seconds = vec![];
    for second in 1..=200 {
        let asked = run.venue().queried.len();
        run.pass(1_000_000_000);
        if run.venue().queried.len() > asked {
            seconds.push(second);
        }
    }
    assert_eq!(seconds, [1, 2, 4, 8, 16, 32, 64, 96, 128, 160, 192]);
}

#[test]
fn fills_that_were_missed_come_with_the_query_and_once() {
    let mut run = unanswered();
    run.venue().fill(0, 2);
    run.venue().fill(0, 1);
    run.venue().answers.clear();
    run.pass(1_000_000_000);
    let filled = |run: &Run| {
        (
            run.manager.report().positions[0].position.qty,
            run.told.0.iter().map(|told| told.fill.qty.0).sum::<i64>(),
        )
    };
    assert_eq!((filled(&run), state(&run, 1)), ((Qty(3), 3), Some(OrderState::PartiallyFilled)));
    // The stream tells them too, late; and again after the end.
    for (_, fill, total) in run.venue().fills.clone() {
        run.venue().told(1, fill, total);
    }
    run.advance();
    assert_eq!((filled(&run), run.manager.counts.late_answers), ((Qty(3), 3), 2));
    run.venue().fill(0, 2);
    run.venue().told(1, level(999, 2), Qty(5));
    run.advance();
    assert_eq!((filled(&run), state(&run, 1)), ((Qty(5), 5), None));
    assert_eq!(run.control.stopped(), None);
}

#[test]
fn a_fill_that_is_missing_before_another_is_asked_for() {
    let mut run = Run::plain();
    run.target(0, 1, &one((999, 5), (0, 0)));
    run.answer_all();
    run.venue().fill(0, 2);
    run.venue().answers.clear();
    run.venue().fill(0, 1);
    run.advance();
    assert_eq!(run.venue().queried, [1]);
    assert_eq!(run.manager.report().positions[0].position.qty, Qty(3));
    assert_eq!(state(&run, 1), Some(OrderState::PartiallyFilled));
}

#[test]
fn a_refused_cancel_and_an_end_with_fills_nobody_told_are_asked_about() {
    let mut run = Run::plain();
    run.target(0, 1, &one((999, 5), (1001, 5)));
    run.answer_all();
    run.venue().fill(0, 5);
    run.venue().fill(0, 2);
    run.venue().answers.clear();
    run.target(0, 1, &Quotes::none(QuoteReason::BookInvalid));
    // The bid is gone, so its cancel is refused; the ask's end says that two had traded.
    run.venue().answer(0, false);
    let canceled = run.venue().open.remove(0);
    run.venue().asked.clear();
    run.venue().ended.push((canceled.seq, VenueState::Canceled, Qty(2)));
    run.venue().say_filled(canceled.seq, AnswerEvent::Canceled, Some(Qty(2)));
    run.advance();
    assert_eq!(run.manager.orders.count(), 0);
    let position = run.manager.report().positions[0].position;
    assert_eq!((position.bought, position.sold, run.control.stopped()), (5, 2, None));
}

#[test]
fn an_order_that_was_unknown_is_replaced_and_not_amended() {
    let mut run = unanswered();
    run.pass(1_000_000_000);
    run.target(0, 1, &one((998, 5), (0, 0)));
    assert_eq!(run.venue().asked, [Asked::Cancel(1)]);
}

#[test]
fn an_order_of_another_size_than_was_sent_stops_trading() {
    let mut run = unanswered();
    run.venue().is_secretive = true;
    run.pass(1_000_000_000);
    let state = VenueState::Open(level(999, 50));
    run.venue().say(1, AnswerEvent::Standing(Standing::Exists { state, filled: Qty(0) }));
    run.advance();
    assert_eq!(run.control.stopped(), Some(StopReason::PositionUnknown));
}

#[test]
fn an_amendment_that_is_told_twice_is_taken_once_and_leaves_no_doubt() {
    // The answer to the request says how much has traded, and so does the stream; either may be the first, and the
    // second may come when the next amendment is under way.
    for (first, second) in [(None, Some(Qty(0))), (Some(Qty(0)), None)] {
        for goes_on in [false, true] {
            let mut run = Run::plain();
            run.target(0, 1, &one((999, 5), (0, 0)));
            run.answer_all();
            run.target(0, 1, &one((998, 5), (0, 0)));
            assert!(matches!(run.venue().asked[..], [Asked::Amend(_)]));
            run.venue().answer(0, false);
            run.venue().answers.clear();
            run.venue().say_filled(1, AnswerEvent::Amended(level(998, 5)), first);
            run.advance();
            if goes_on {
                run.target(0, 1, &one((997, 5), (0, 0)));
            }
            run.venue().say_filled(1, AnswerEvent::Amended(level(998, 5)), second);
            run.answer_all();
            assert_eq!(run.venue().queried, [], "{first:?} {second:?} {goes_on}");
            assert_eq!(
                (run.manager.counts.amended, run.manager.counts.late_answers),
                (1 + u64::from(goes_on), 1)
            );
            assert!(!run.manager.orders.get(1).unwrap().was_unknown);
            run.target(0, 1, &one((996, 5), (0, 0)));
            assert!(
                matches!(run.venue().asked[..], [Asked::Amend(_)]),
                "it is still amended and not replaced"
            );
        }
    }
}
