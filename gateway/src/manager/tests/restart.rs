//! A run goes on from the journal of the one before.

use super::*;
use crate::recovery::{CarriedOrder, HeldPosition, Recovered, RecoveryError};
use engine::data_dir::DataDir;
use engine::journal::schema::{AnsweredBody, BegunBody};
use engine::journal::{Durability, Entry, instruments_text};
use engine::order::{OrderKind, Terms, Tif};
use std::path::Path;

fn journal(dir: &Path) -> (Journal, Writer) {
    let sizes = Options { feed_segment_bytes: 1 << 16, segment_bytes: 1 << 18, ..Options::new(1, [0; 32]) };
    let mut journal = Journal::create(dir, sizes).unwrap();
    let mut runner = journal.writer(Lane::Runner).unwrap();
    let entry = Entry { kind: RecordKind::Instruments as u16, ..Entry::default() };
    runner.append(entry, instruments_text(&table()).as_bytes()).unwrap();
    let writer = journal.writer(Lane::Gateway).unwrap();
    (journal, writer)
}

fn bid_of_five() -> Order {
    Order::new(1, InstrumentId(0), StrategyId(1), Side::Buy, level(999, 5))
}

/// A run that bought 2 of 5 and is killed while its ask is on its way; and what the venue is then like.
fn killed(dir: &Path) -> Venue {
    let (journal, writer) = journal(dir);
    let mut run = Run::new(limits(), true, writer);
    run.venue().account = Some(Account::default());
    run.manager.resume(&Recovered::default()).unwrap();
    run.market(0, 1000, 0);
    run.venue().account = None;
    run.target(0, 1, &one((999, 5), (0, 0)));
    run.answer_all();
    run.venue().fill(0, 2);
    run.advance();
    run.target(0, 1, &one((999, 5), (1001, 4)));
    let venue = std::mem::replace(&mut run.manager.exchange, Venue::new(true));
    drop((run, journal));
    venue
}

fn restarted(recovered: &Recovered, venue: Venue, writer: Writer) -> Run {
    let mut run = Run::new(limits(), true, writer);
    run.manager.ids = run.manager.ids.of_run(5);
    run.manager.exchange = venue;
    run.venue().asked.clear();
    run.venue().answers.clear();
    run.manager.resume(recovered).unwrap();
    run.now = Nanos(90_000_000_000);
    run
}

#[test]
fn the_journal_says_what_was_open_and_what_is_held() {
    let dir = tempfile::tempdir().unwrap();
    let _ = killed(dir.path());
    let left = Recovered::read(dir.path(), 4, &table()).unwrap();
    let orders: Vec<_> = left.orders.iter().map(|one| (one.run, one.order.seq, one.order.filled)).collect();
    assert_eq!((left.last_seq, orders), (2, vec![(4, 1, Qty(2)), (4, 2, Qty(0))]));
    let held: Vec<_> = left.positions.iter().map(|held| (held.strategy.0, held.position.qty)).collect();
    assert_eq!(held, [(1, Qty(2))]);
    assert_eq!(left.positions[0].position.bought, 2);
}

#[test]
fn a_restart_asks_cancels_compares_and_only_then_trades_under_new_ids() {
    let dir = tempfile::tempdir().unwrap();
    let (first, second) = (dir.path().join("1"), dir.path().join("2"));
    let mut venue = killed(&first);
    // Of the bid one more traded meanwhile; the ask never arrived.
    venue.fill(0, 1);
    let left = Recovered::read(&first, 4, &table()).unwrap();
    let (journal, writer) = journal(&second);
    let mut run = restarted(&left, venue, writer);
    run.market(0, 1000, 0);
    assert_eq!(run.venue().queried, [1, 2]);
    assert_eq!(run.venue().asked, [Asked::Cancel(1)], "what rests is canceled");
    run.target(0, 1, &one((998, 5), (0, 0)));
    assert_eq!(run.venue().asked, [Asked::Cancel(1)], "nothing is placed meanwhile");
    run.venue().account = Some(Account { open: vec![], positions: vec![Qty(3), Qty(0)] });
    run.venue().answer(0, false);
    run.advance();
    assert!(!run.manager.is_reconciling());
    let placed = run.venue().asked.clone();
    assert!(matches!(placed[..], [Asked::Place(order)] if order.seq == 3), "{placed:?}");
    let told = run.told.0.iter().rev().find(|told| told.order_seq == 0).unwrap();
    assert_eq!((told.position, told.rule), (Qty(3), 0), "the strategy hears what it holds");
    run.answer_all();
    run.venue().fill(0, 2);
    run.advance();
    assert_eq!(run.control.stopped(), None);
    // And the next restart reads all of it from the second journal alone.
    drop((run, journal));
    let left = Recovered::read(&second, 5, &table()).unwrap();
    let orders: Vec<_> = left.orders.iter().map(|one| (one.run, one.order.seq, one.order.filled)).collect();
    assert_eq!((left.last_seq, orders), (3, vec![(5, 3, Qty(2))]));
    assert_eq!((left.positions[0].position.qty, left.positions[0].position.bought), (Qty(5), 5));
}

#[test]
fn a_position_that_nothing_explains_refuses_to_trade() {
    let dir = tempfile::tempdir().unwrap();
    let venue = killed(dir.path());
    let left = Recovered::read(dir.path(), 4, &table()).unwrap();
    let mut run = restarted(&left, venue, Writer::off(Lane::Gateway));
    run.venue().account = Some(Account { open: vec![], positions: vec![Qty(9), Qty(0)] });
    run.market(0, 1000, 0);
    run.venue().answer(0, false);
    run.advance();
    assert_eq!(run.control.stopped(), Some(StopReason::Unreconciled));
    assert_eq!(run.control.detail(), Some("test:A: the journal says 0.002, the venue 0.009"));
    assert!(run.manager.is_reconciling());
}

#[test]
fn an_order_that_the_journal_lost_is_canceled_and_somebody_elses_stops_trading() {
    let lost = |id: ClientOrderId| Account {
        open: vec![crate::counterparty::VenueOrder {
            id,
            instrument: InstrumentId(0),
            side: Side::Sell,
            level: level(1005, 4),
            filled: Qty(0),
        }],
        positions: vec![Qty(0); 2],
    };
    let ids = ClientOrderIds::new(3, 4);
    let mut run = restarted(&Recovered::default(), Venue::new(true), Writer::off(Lane::Gateway));
    run.venue().account = Some(lost(ids.id(7)));
    run.market(0, 1000, 0);
    assert_eq!((run.venue().asked.clone(), run.control.stopped()), (vec![Asked::Cancel(7)], None));
    run.venue().asked.clear();
    run.venue().account = Some(Account { open: vec![], positions: vec![Qty(0); 2] });
    run.pass(1_000_000_000);
    assert!(!run.manager.is_reconciling());
    run.target(0, 1, &one((998, 5), (0, 0)));
    assert!(matches!(run.venue().asked[..], [Asked::Place(order)] if order.seq == 8));

    let mut run = restarted(&Recovered::default(), Venue::new(true), Writer::off(Lane::Gateway));
    run.venue().account = Some(lost(ClientOrderId::from_bytes(b"web_1").unwrap()));
    run.market(0, 1000, 0);
    assert_eq!(run.control.stopped(), Some(StopReason::Unreconciled));
    assert_eq!(run.control.detail(), Some("order web_1 is open and not of this engine"));
}

#[test]
fn a_journal_of_other_instruments_or_with_a_fill_that_does_not_add_up_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let _ = killed(&dir.path().join("a"));
    let read = |table: &InstrumentTable| Recovered::read(&dir.path().join("a"), 4, table);
    assert_eq!(read(&InstrumentTable::default()), Err(RecoveryError::Instruments));
    let with = |change: fn(&mut Instrument)| {
        let mut other = InstrumentTable::default();
        for instrument in table().iter() {
            let mut instrument = instrument.clone();
            change(&mut instrument);
            other.add(instrument);
        }
        other
    };
    let coarser = with(|one| one.qty_unit = Step::parse(b"0.01").unwrap());
    assert_eq!(read(&coarser), Err(RecoveryError::Instruments), "its quantities would count something else");
    // What the venue allows may be another every day, and so is where it was read.
    let same = with(|one| (one.source, one.qty_max) = ("another answer".into(), Qty(1)));
    assert!(read(&same).is_ok());

    let (journal, mut writer) = journal(&dir.path().join("b"));
    let order = bid_of_five();
    let entry = |kind: RecordKind| Entry { kind: kind as u16, ..Entry::default() };
    writer.append(entry(RecordKind::Begun), BegunBody::default().as_bytes()).unwrap();
    writer.append(entry(RecordKind::Order), OrderBody::new(&order).as_bytes()).unwrap();
    let told = Execution {
        order_seq: 1,
        order: order.level,
        state: 1,
        position: Qty(1),
        strategy: StrategyId(1),
        ..Execution::default()
    };
    writer.append(entry(RecordKind::OrderUpdate), told.as_bytes()).unwrap();
    drop((writer, journal));
    let error = Recovered::read(&dir.path().join("b"), 4, &table()).unwrap_err();
    assert_eq!(error.to_string(), "gateway record 3: the position after it is not what the fills come to");
}

/// Where the records of the gateway's lane begin in its last segment, and behind the last one.
fn places(dir: &Path) -> (std::path::PathBuf, Vec<usize>) {
    let mut cursor = Reader::open(dir).unwrap().cursor(Lane::Gateway);
    let mut places = vec![];
    loop {
        let is_record = cursor.step().unwrap() == engine::journal::Stand::Record;
        let (path, at) = cursor.place().unwrap();
        places.push(usize::try_from(at).unwrap());
        if !is_record {
            return (path.to_owned(), places);
        }
    }
}

#[test]
fn a_record_that_was_cut_anywhere_is_as_if_it_had_never_been_begun() {
    let dir = tempfile::tempdir().unwrap();
    let _ = killed(dir.path());
    let (path, places) = places(dir.path());
    let whole = std::fs::read(&path).unwrap();
    let read = |bytes: &[u8]| {
        std::fs::write(&path, bytes).unwrap();
        Recovered::read(dir.path(), 4, &table())
    };
    let cut = |at: usize| [&whole[..at], &vec![0; whole.len() - at]].concat();
    let mut cuts = 0;
    for record in places.windows(2) {
        let [from, to] = *record else { unreachable!() };
        let without = read(&cut(from));
        for at in from..to {
            let bytes = cut(at);
            // Where what is cut away was zero, nothing was cut.
            let expected = if bytes[from..to] == whole[from..to] { read(&cut(to)) } else { without.clone() };
            assert_eq!(read(&bytes), expected, "cut at byte {} of the record at {from}", at - from);
            cuts += 1;
        }
    }
    assert!(cuts > 500, "{cuts}");
    // What follows makes it damage, which nothing is traded on.
    let mut bytes = whole.clone();
    bytes[places[3] + 9] ^= 1;
    assert!(matches!(read(&bytes), Err(RecoveryError::Journal(_))), "{:?}", read(&bytes));
}

/// A journal of small segments that keeps as little as it may.
fn small(dir: &Path, durability: Durability) -> (Journal, Writer) {
    let options = Options {
        durability,
        feed_segment_bytes: 1 << 16,
        segment_bytes: 1 << 14,
        retention: Some(engine::journal::Retention { bytes: 1, age: std::time::Duration::ZERO }),
        ..Options::new(1, [0; 32])
    };
    let mut journal = Journal::create(dir, options).unwrap();
    let mut runner = journal.writer(Lane::Runner).unwrap();
    let entry = Entry { kind: RecordKind::Instruments as u16, ..Entry::default() };
    runner.append(entry, instruments_text(&table()).as_bytes()).unwrap();
    let writer = journal.writer(Lane::Gateway).unwrap();
    (journal, writer)
}

#[test]
fn a_restart_needs_nothing_before_the_last_time_that_all_was_told() {
    let go = |journal: Journal, writer: Writer| {
        let room = journal.room();
        let mut run = Run::new(limits(), true, writer);
        run.venue().account = Some(Account::default());
        run.manager.resume(&Recovered::default()).unwrap();
        run.manager.tell_state_every(50);
        run.market(0, 1000, 0);
        run.venue().account = None;
        for round in 0..600_i64 {
            room.wait(1 << 13).unwrap();
            run.pass(100_000_000);
            // Its bid and its ask move; of every other bid something trades.
            run.market(0, 1000 + round % 7, 0);
            run.target(0, 1, &one((990 + round % 5, 5), (1010 + round % 3, 4)));
            run.answer_all();
            if round % 2 == 0 {
                run.venue().fill(0, 1);
                run.advance();
            }
            run.manager.tell_state_when_due(run.now);
        }
        assert_eq!(run.control.stopped(), None);
        drop((run, journal));
    };
    let all = tempfile::tempdir().unwrap();
    let (journal, writer) = journal(all.path());
    go(journal, writer);
    let whole = Recovered::read(all.path(), 4, &table()).unwrap();
    assert!(whole.last_seq > 100 && !whole.orders.is_empty() && !whole.positions.is_empty(), "{whole:?}");
    for durability in [Durability::Process, Durability::Msync { every_ms: 60_000 }] {
        let dir = tempfile::tempdir().unwrap();
        let (journal, writer) = small(dir.path(), durability);
        go(journal, writer);
        let mut cursor = Reader::open(dir.path()).unwrap().cursor(Lane::Gateway);
        let first = cursor.next().unwrap().unwrap().seq;
        assert!(first > 1_000, "{durability:?}: most of it is to be deleted, and record {first} is there");
        assert_eq!(Recovered::read(dir.path(), 4, &table()).as_ref(), Ok(&whole), "{durability:?}");
    }
}

#[test]
fn a_lane_of_which_the_last_telling_is_not_whole_recovers_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let _ = killed(dir.path());
    let read = |from: u64, records: &[(RecordKind, Vec<u8>)]| {
        let slice = tempfile::tempdir().unwrap();
        let options = Options { is_slice: true, ..Options::new(1, [0; 32]) };
        let mut journal = Journal::create(slice.path(), options).unwrap();
        let mut runner = journal.writer(Lane::Runner).unwrap();
        let append = |writer: &mut Writer, kind: RecordKind, body: &[u8]| {
            writer.append(Entry { kind: kind as u16, ..Entry::default() }, body).unwrap();
        };
        append(&mut runner, RecordKind::Instruments, instruments_text(&table()).as_bytes());
        let mut writer = journal.writer_from(Lane::Gateway, from).unwrap();
        records.iter().for_each(|(kind, body)| append(&mut writer, *kind, body));
        drop((runner, writer, journal));
        Recovered::read(slice.path(), 4, &table())
    };
    let opening = (RecordKind::Opening, vec![0; size_of::<engine::journal::schema::OpeningBody>()]);
    let begun = |records| {
        let body = BegunBody { records, last_seq: 70, ..BegunBody::default() };
        (RecordKind::Begun, body.as_bytes().to_vec())
    };
    let halt = (RecordKind::Halt, vec![]);
    let told = read(9, &[halt.clone(), opening.clone(), begun(1), halt.clone()]).unwrap();
    assert_eq!((told.last_seq, told.positions.len()), (70, 1));
    // Its beginning is gone; something stands in its middle; its end is missing.
    assert_eq!(read(9, &[opening.clone(), begun(2)]), Err(RecoveryError::Incomplete));
    let split = read(9, &[opening.clone(), halt, begun(1)]);
    assert!(matches!(split, Err(RecoveryError::Record(11, _))), "{split:?}");
    assert_eq!(read(9, &[opening]), Err(RecoveryError::NotBegun));
}

#[test]
fn a_run_that_never_began_is_passed_over_for_the_one_before() {
    let dir = tempfile::tempdir().unwrap();
    let data = DataDir::open(dir.path(), 3).unwrap();
    assert_eq!(Recovered::latest(&data, &table()), Ok(Recovered::default()));
    let run = data.begin_run().unwrap();
    let _ = killed(&run.path);
    // One without a journal, one with an empty one, one that did not get as far as a directory.
    data.begin_run().unwrap();
    drop(journal(&data.begin_run().unwrap().path));
    std::fs::remove_dir(data.begin_run().unwrap().path).unwrap();
    let left = Recovered::latest(&data, &table()).unwrap();
    assert_eq!((left.last_seq, left.orders.len(), left.orders[0].run), (2, 2, 1));
}

#[test]
fn a_stop_of_the_run_before_that_nobody_can_be_asked_about_is_canceled() {
    let order =
        Order { terms: Terms::stop(Price(995)), tif: Tif::Ioc, state: OrderState::Unknown, ..bid_of_five() };
    let left =
        Recovered { last_seq: 1, orders: vec![CarriedOrder { run: 4, order }], ..Recovered::default() };
    let mut venue = Venue::new(true);
    (venue.is_secretive, venue.open) = (true, vec![order]);
    let mut run = restarted(&left, venue, Writer::off(Lane::Gateway));
    run.venue().account = Some(Account { open: vec![], positions: vec![Qty(0); 2] });
    run.market(0, 1000, 0);
    assert_eq!((run.venue().queried.clone(), run.venue().asked.clone()), (vec![1], vec![]));
    run.pass(1_000_000_000);
    assert_eq!(run.venue().asked, [Asked::Cancel(1)]);
    run.venue().answer(0, false);
    run.advance();
    assert!(!run.manager.is_reconciling());
}

#[test]
fn a_stop_that_was_triggered_is_recovered_as_what_it_became() {
    let answered = |run: u32| {
        let body =
            AnsweredBody { order_seq: 1, run, event: AnsweredBody::TRIGGERED, ..AnsweredBody::default() };
        (RecordKind::Answered, body.as_bytes().to_vec())
    };
    let filled = {
        let told = Execution {
            order_seq: 1,
            order: level(999, 5),
            filled: Qty(2),
            fill: level(999, 2),
            state: OrderState::PartiallyFilled as u8,
            position: Qty(2),
            strategy: StrategyId(1),
            cash: words_of(-19_980_000),
            ..Execution::default()
        };
        (RecordKind::Fill, told.as_bytes().to_vec())
    };
    for (records, expected) in [
        (vec![], OrderKind::StopLimit),
        (vec![answered(4)], OrderKind::Limit),
        (vec![answered(3)], OrderKind::StopLimit),
        (vec![filled.clone()], OrderKind::Limit),
        (vec![filled, answered(4)], OrderKind::Limit),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let (journal, mut writer) = journal(dir.path());
        let order = Order { terms: Terms::stop_limit(Price(998)), ..bid_of_five() };
        let begun = (RecordKind::Begun, BegunBody::default().as_bytes().to_vec());
        let placed = (RecordKind::Order, OrderBody::new(&order).as_bytes().to_vec());
        for (kind, body) in [begun, placed].iter().chain(&records) {
            writer.append(Entry { kind: *kind as u16, ..Entry::default() }, body).unwrap();
        }
        drop((writer, journal));
        let left = Recovered::read(dir.path(), 4, &table()).unwrap();
        let terms = left.orders[0].order.terms;
        assert_eq!((terms.kind, terms.trigger), (expected, Price(998)), "{records:?}");
    }
}

#[test]
fn a_carried_position_without_a_price_keeps_new_risk_of_every_instrument_waiting() {
    let held = |instrument, qty| {
        let position = Position { qty: Qty(qty), ..Position::default() };
        HeldPosition { instrument: InstrumentId(instrument), strategy: StrategyId(1), position }
    };
    let left = Recovered { positions: vec![held(0, 3), held(1, 5)], ..Recovered::default() };
    let mut run = Run::new(limits(), true, Writer::off(Lane::Gateway));
    // Nothing was seen of the first instrument's market.
    run.manager.instruments[0].market = Market::default();
    run.venue().account = Some(Account { open: vec![], positions: vec![Qty(3), Qty(5)] });
    run.manager.resume(&left).unwrap();
    run.market(1, 1000, 0);
    assert!(!run.manager.is_reconciling());
    run.target(1, 1, &one((999, 2), (1001, 4)));
    assert_eq!(run.told.0.last().unwrap().rule, RiskRule::Unvalued as u8);
    let placed = run.venue().asked.clone();
    assert!(matches!(placed[..], [Asked::Place(order)] if order.side == Side::Sell), "{placed:?}");
    run.answer_all();
    run.market(0, 1000, 0);
    run.advance();
    run.answer_all();
    assert_eq!(run.resting(1, 1, Side::Buy), [(999, 2)], "under the same target");
    // A book that loses its ask keeps the price that it had.
    run.manager.instruments[0].market.ask = Level::default();
    run.manager.hold(0);
    assert!(!run.manager.gate.has_unvalued());
}
