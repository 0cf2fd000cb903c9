//! What holds whatever happens.

use super::*;
use proptest::prelude::*;

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
                Asked::Query(_) => prop_assert!(false, "a query is no request"),
                Asked::Cancel(canceled) => prop_assert_eq!((kind, seq), (RecordKind::Cancel, canceled)),
            }
        }
    }
}
