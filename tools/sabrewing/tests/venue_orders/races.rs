//! What may happen on the way between an order manager and the venue; afterwards orders, fills and position are the
//! venue's.

use super::managed::Managed;
use super::support::SimVenue;
use super::trader::{Bob, Given, Key, Trader, accepted, canceled, filled, set_offset};
use engine::instrument::ContractKind;
use engine::message::Kind;
use engine::num::{Qty, Side};
use engine::order::Tif;
use engine::time::Nanos;
use gateway::counterparty::Counterparty;

const BID: (i64, i64) = (500_000, 10);
const ASK: (i64, i64) = (510_000, 10);
const NONE: (i64, i64) = (0, 0);

/// A manager whose two quotes rest.
fn quoting(venue: &SimVenue) -> Managed {
    let mut run = Managed::start(venue, 1);
    quotes(&mut run, venue);
    run
}

fn quotes(run: &mut Managed, venue: &SimVenue) {
    run.target(BID, ASK);
    run.until("both quotes", |_| venue.open("futures").len() == 2);
    run.agrees(venue);
}

/// Everything is taken back, and still all of it is the venue's.
fn ends(mut run: Managed, venue: &SimVenue) {
    run.agrees(venue);
    run.target(NONE, NONE);
    run.until("the ends", |run| run.open() == 0 && venue.open("futures").is_empty());
    let head = run.head(Kind::Timer);
    assert!(run.manager.cancel_all(&head), "everything is confirmed to be gone");
    assert!(venue.open("futures").is_empty());
    run.agrees(venue);
}

#[test]
fn an_amendment_that_races_a_fill_ends_where_the_venue_says() {
    let venue = SimVenue::start();
    let mut run = quoting(&venue);
    // A part of the bid, then all that is left of it, told late: the amendment knows of neither.
    for (qty, moved) in [("0.004", 500_010), ("0.010", 500_020), ("0.010", 500_000)] {
        venue.fault(r#"{"kind":"late-fill","ms":300,"count":1}"#);
        let best = if moved == 500_000 {
            "50002.0"
        } else if moved == 500_010 {
            "50000.0"
        } else {
            "50001.0"
        };
        Bob(&venue).trades(Side::Sell, best, qty);
        run.target((moved, 10), ASK);
        run.until("a moment", |run| run.manager.report().orders.placed > 0);
        run.agrees(&venue);
    }
    assert!(run.position() >= Qty(4), "{:?}", run.position());
    ends(run, &venue);
}

#[test]
fn a_fill_during_a_cancel_is_booked_once() {
    let venue = SimVenue::start();
    let mut run = quoting(&venue);
    venue.fault(r#"{"kind":"late-fill","ms":300,"count":1}"#);
    Bob(&venue).trades(Side::Sell, "50000.0", "0.004");
    run.target(NONE, NONE);
    run.until("the ends", |_| venue.open("futures").is_empty());
    run.agrees(&venue);
    assert_eq!(run.position(), Qty(4));
    // All of it this time: there is nothing left to cancel.
    quotes(&mut run, &venue);
    venue.fault(r#"{"kind":"late-fill","ms":300,"count":1}"#);
    Bob(&venue).trades(Side::Buy, "51000.0", "0.010");
    run.target(NONE, NONE);
    run.until("the ends", |_| venue.open("futures").is_empty());
    run.agrees(&venue);
    assert_eq!(run.position(), Qty(-6));
    ends(run, &venue);
}

#[test]
fn lost_acknowledgements_of_every_kind_leave_nothing_in_doubt() {
    let venue = SimVenue::start();
    let mut run = Managed::start(&venue, 1);
    // Of both placements, then of an amendment, then of both cancels.
    for (bid, ask) in [(BID, ASK), ((500_100, 10), ASK), (NONE, NONE)] {
        venue.fault(r#"{"kind":"lost-ack","count":2}"#);
        run.target(bid, ask);
        let wanted = if bid == NONE { 0 } else { 2 };
        run.until("what is wanted", |_| venue.open("futures").len() == wanted);
        run.agrees(&venue);
        venue.clear_faults();
    }
    ends(run, &venue);
}

#[test]
fn late_doubled_and_disordered_user_events_are_booked_once_each() {
    let venue = SimVenue::start();
    let mut run = quoting(&venue);
    venue.fault(r#"{"kind":"duplicate","topic":"user","probability":0.5,"count":40}"#);
    venue.fault(r#"{"kind":"reorder","topic":"user","probability":0.5,"count":40}"#);
    venue.fault(r#"{"kind":"late-fill","ms":150,"probability":0.5,"count":40}"#);
    for round in 0..6 {
        let (side, price) = if round % 2 == 0 { (Side::Sell, "50000.0") } else { (Side::Buy, "51000.0") };
        Bob(&venue).trades(side, price, "0.003");
        Bob(&venue).trades(side, price, "0.002");
        run.agrees(&venue);
        run.target(BID, ASK);
    }
    venue.clear_faults();
    ends(run, &venue);
}

#[test]
fn maintenance_of_the_venue_is_waited_for_and_what_happened_before_it_is_found() {
    let venue = SimVenue::start();
    let mut run = quoting(&venue);
    venue.fault(r#"{"kind":"drop","topic":"user"}"#);
    Bob(&venue).trades(Side::Sell, "50000.0", "0.004");
    venue.clear_faults();
    venue.fault(r#"{"kind":"maintenance","ms":100,"for_ms":1500}"#);
    run.until("the fill that nobody told", |run| run.position() == Qty(4));
    run.agrees(&venue);
    ends(run, &venue);
}

#[test]
fn a_listen_key_that_ran_out_is_replaced_and_every_order_asked_about() {
    let venue = SimVenue::start();
    let mut trader = Trader::connect(&venue, ContractKind::Linear, Key::Hmac);
    let order = Trader::order(1, Side::Buy, Tif::PostOnly, 500_000, 10);
    trader.place(&order);
    trader.hears(1, accepted);
    trader.until("the venue's own timer", |trader| trader.session.counts().timers_set > 0);
    // More than an hour without a word: the key is over, and the timer has taken the order back.
    venue.leap(61 * 60_000);
    set_offset(&venue, &trader.offset);
    trader.hears(1, canceled);
    trader
        .until("the line", |trader| trader.lines.iter().any(|line| line.what == "the user stream has ended"));
    trader.until("a new stream", |trader| trader.session.is_live());
    assert!(trader.session.has_reconnected());
    trader.place(&Trader::order(2, Side::Buy, Tif::PostOnly, 500_000, 10));
    trader.hears(2, accepted);
    Bob(&venue).trades(Side::Sell, "50000.0", "0.004");
    trader.hears(2, filled);
    trader.agrees(&venue, &[(1, Side::Buy), (2, Side::Buy)]);
}

#[test]
fn connections_are_replaced_while_trading_and_nothing_is_lost() {
    let venue = SimVenue::start();
    let given = Given { rotate_after: Nanos::from_ms(400), ..Given::new(ContractKind::Linear, Key::Ed25519) };
    let (mut run, _) = Managed::start_with(&venue, &given, 1);
    quotes(&mut run, &venue);
    for round in 0..12 {
        let (side, price) = if round % 2 == 0 { (Side::Sell, "50000.0") } else { (Side::Buy, "51000.0") };
        Bob(&venue).trades(side, price, "0.010");
        run.agrees(&venue);
        run.target(BID, ASK);
        run.until("both quotes", |_| venue.open("futures").len() == 2);
    }
    ends(run, &venue);
}

#[test]
fn a_user_stream_that_is_cut_at_any_step_leaves_the_venues_truth() {
    let steps: [(&str, (i64, i64), Option<Side>); 5] = [
        ("before it is placed", BID, None),
        ("before it trades", BID, Some(Side::Sell)),
        ("before it is moved", (500_100, 10), None),
        ("before it is moved and trades", (500_000, 10), Some(Side::Sell)),
        ("before it is canceled", NONE, None),
    ];
    let venue = SimVenue::start();
    let mut run = Managed::start(&venue, 1);
    run.until("trading", |run| {
        run.target(NONE, NONE);
        !run.manager.is_reconciling()
    });
    for (what, bid, trades) in steps {
        venue.fault(r#"{"kind":"no-streams","for_ms":400}"#);
        run.target(bid, if bid == NONE { NONE } else { ASK });
        if let Some(side) = trades {
            Bob(&venue).trades(side, "50000.0", "0.002");
        }
        let wanted = usize::from(bid != NONE) * 2;
        run.until(what, |_| venue.open("futures").len() == wanted);
        run.agrees(&venue);
        venue.clear_faults();
    }
    assert!(run.position() > Qty(0));
    ends(run, &venue);
}
