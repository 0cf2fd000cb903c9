//! Real orders at the simulated venue, over TLS: what the session says of them, and that the venue's own books say the
//! same. No timing decides: a test waits for what must come, and only what never comes fails.
#![cfg(feature = "venue-sim")]

#[path = "../counting/mod.rs"]
mod counting;
mod fallback;
#[path = "../../../../gateway/tests/support/mod.rs"]
mod gate;
mod kinds;
mod lanes;
mod limits;
mod managed;
mod no_alloc;
mod races;
mod refusals;
mod secrets;
mod settings;
#[path = "../../../venue-sim/tests/support/mod.rs"]
mod support;
mod trader;

use engine::instrument::ContractKind;
use engine::message::Kind;
use engine::num::{Decimal, Level, Price, Qty, Side};
use engine::order::{OrderState, Tif};
use engine::runner::StopReason;
use gateway::counterparty::{AnswerEvent, Charge, ChargeAsset, Counterparty, Request, Standing, VenueState};
use managed::Managed;
use support::SimVenue;
use trader::{Bob, Key, Trader, accepted, canceled, filled, wall};

/// Places, amends, cancels and queries, by either key; afterwards nothing is open on either side.
fn lives(kind: ContractKind, key: Key) {
    let venue = SimVenue::start();
    let product = if kind == ContractKind::Spot { "spot" } else { "futures" };
    let (price, more, qty) =
        if kind == ContractKind::Spot { (5_000_000, 100, 1_000) } else { (500_000, 10, 10) };
    let mut trader = Trader::connect(&venue, kind, key);
    let mut order = Trader::order(1, Side::Buy, Tif::PostOnly, price, qty);
    trader.place(&order);
    trader.hears(1, accepted);
    assert_eq!(venue.open(product), ["sb7-1-1"]);
    order.state = OrderState::Open;
    let open = Standing::Exists { state: VenueState::Open(order.level), filled: Qty(0) };
    // The venue may not be asked too soon: while it could still take the request nothing is certain.
    assert_eq!(trader.standing(&order), open);
    let account = trader.account();
    assert_eq!(account.open.len(), 1);
    assert_eq!((account.open[0].id, account.open[0].level), (trader.id(1), order.level));
    assert_eq!(account.positions, [Qty(0)]);
    let to = if kind == ContractKind::Spot {
        Level { qty: Qty(qty / 2), ..order.level }
    } else {
        Level { price: Price(price + more), qty: Qty(qty / 2) }
    };
    assert!(trader.session.can_amend(&order, to));
    trader.amend(&order, to);
    let said = trader.hears(1, |event| matches!(event, AnswerEvent::Amended(_)));
    assert_eq!(said.event, AnswerEvent::Amended(to));
    order.level = to;
    trader.ask(Request::Cancel(&order), 1);
    assert_eq!(trader.hears(1, canceled).filled, Some(Qty(0)));
    assert!(venue.open(product).is_empty());
    trader.ask(Request::Cancel(&order), 1);
    trader.hears(1, |event| matches!(event, AnswerEvent::CancelRefused));
    let ended = Standing::Exists { state: VenueState::Canceled, filled: Qty(0) };
    assert_eq!(trader.standing(&order), ended);
    // An order that never was.
    assert_eq!(trader.standing(&Trader::order(9, Side::Buy, Tif::PostOnly, price, qty)), Standing::Absent);
    assert_eq!(trader.session.counts().unreadable, 0, "{:?}", trader.session.counts());
    assert_eq!(trader.session.stopped(), None);
}

#[test]
fn a_spot_order_lives_and_ends_with_a_key_that_signs() {
    lives(ContractKind::Spot, Key::Hmac);
}

#[test]
fn a_spot_order_lives_and_ends_on_a_session_that_logged_on() {
    lives(ContractKind::Spot, Key::Ed25519);
}

#[test]
fn a_futures_order_lives_and_ends_with_a_key_that_signs() {
    lives(ContractKind::Linear, Key::Hmac);
}

#[test]
fn a_futures_order_lives_and_ends_on_a_session_that_logged_on() {
    lives(ContractKind::Linear, Key::Ed25519);
}

#[test]
fn partial_fills_add_up_and_the_venue_holds_the_same() {
    let venue = SimVenue::start();
    let mut trader = Trader::connect(&venue, ContractKind::Linear, Key::Ed25519);
    let order = Trader::order(1, Side::Buy, Tif::PostOnly, 500_000, 10);
    trader.place(&order);
    trader.hears(1, accepted);
    for (qty, sum) in [("0.004", 4), ("0.002", 6), ("0.004", 10)] {
        Bob(&venue).trades(Side::Sell, "50000.0", qty);
        trader.until("the fill", |trader| trader.filled(1) == Qty(sum));
    }
    let said = trader.hears(1, filled);
    let fill = Level { price: Price(500_000), qty: Qty(4) };
    // 200 USDT x 0.02 %.
    let fee = Some(Charge { amount: Decimal::parse("0.04000000").unwrap(), asset: ChargeAsset::Settle });
    assert_eq!(said.event, AnswerEvent::Filled { fill, maker: true, fee });
    assert_eq!(venue.position(), "0.010");
    // Told again from the first by a query, in the same sums.
    trader.heard.clear();
    let standing = trader.standing(&order);
    assert_eq!(standing, Standing::Exists { state: VenueState::Filled, filled: Qty(10) });
    let sums: Vec<_> =
        trader.heard.iter().filter(|one| filled(&one.event)).filter_map(|one| one.filled).collect();
    assert_eq!(sums, [Qty(4), Qty(6), Qty(10)]);
    let account = trader.account();
    assert_eq!((account.open.len(), account.positions), (0, vec![Qty(10)]));
}

#[test]
fn an_order_that_would_take_is_refused_and_one_that_may_take_expires_with_what_it_got() {
    let venue = SimVenue::start();
    let mut trader = Trader::connect(&venue, ContractKind::Linear, Key::Ed25519);
    Bob(&venue).trades(Side::Sell, "50000.0", "0.003");
    trader.place(&Trader::order(1, Side::Buy, Tif::PostOnly, 500_000, 10));
    trader.hears(1, |event| matches!(event, AnswerEvent::Rejected | AnswerEvent::Expired));
    trader.place(&Trader::order(2, Side::Buy, Tif::Fok, 500_000, 10));
    trader.hears(2, |event| matches!(event, AnswerEvent::Rejected | AnswerEvent::Expired));
    trader.place(&Trader::order(3, Side::Buy, Tif::Ioc, 500_000, 10));
    trader.hears(3, |event| matches!(event, AnswerEvent::Expired));
    assert_eq!(trader.filled(3), Qty(3));
    trader.place(&Trader::order(4, Side::Sell, Tif::Gtc, 510_000, 3));
    trader.hears(4, accepted);
    Bob(&venue).trades(Side::Buy, "51000.0", "0.003");
    trader.until("the fill", |trader| trader.filled(4) == Qty(3));
    assert_eq!((venue.position().as_str(), venue.open("futures").len()), ("0.000", 0));
}

#[test]
fn a_lost_acknowledgement_leaves_an_order_that_a_query_finds() {
    let venue = SimVenue::start();
    let mut trader = Trader::connect(&venue, ContractKind::Linear, Key::Ed25519);
    venue.fault(r#"{"kind":"lost-ack","count":1}"#);
    let order = Trader::order(1, Side::Buy, Tif::PostOnly, 500_000, 10);
    trader.place(&order);
    let open = Standing::Exists { state: VenueState::Open(order.level), filled: Qty(0) };
    assert_eq!(trader.standing(&order), open);
    trader.ask(Request::Cancel(&order), 1);
    trader.hears(1, canceled);
    assert!(venue.open("futures").is_empty());
}

#[test]
fn user_events_that_come_twice_or_late_tell_of_no_more_than_traded() {
    let venue = SimVenue::start();
    let mut trader = Trader::connect(&venue, ContractKind::Linear, Key::Ed25519);
    venue.fault(r#"{"kind":"duplicate","topic":"user","count":20}"#);
    venue.fault(r#"{"kind":"late-fill","ms":300,"count":1}"#);
    let order = Trader::order(1, Side::Buy, Tif::PostOnly, 500_000, 10);
    trader.place(&order);
    trader.hears(1, accepted);
    Bob(&venue).trades(Side::Sell, "50000.0", "0.004");
    trader.ask(Request::Cancel(&order), 1);
    let said = trader.hears(1, canceled);
    assert_eq!(said.filled, Some(Qty(4)), "the answer to the cancel knows of the fill that comes late");
    trader.until("the late fill", |trader| trader.filled(1) == Qty(4));
    let times = trader.heard.iter().filter(|one| filled(&one.event)).count();
    assert!(times >= 1);
    assert_eq!((venue.position().as_str(), venue.open("futures").len()), ("0.004", 0));
}

#[test]
fn an_account_comes_however_often_it_is_asked_for_meanwhile() {
    let venue = SimVenue::start();
    let mut trader = Trader::connect(&venue, ContractKind::Linear, Key::Ed25519);
    // More times than there are connections.
    for _ in 0..6 {
        trader.until("the account", |trader| {
            let is_there = trader.session.take_account(wall()).is_some();
            if !is_there {
                trader.session.ask_account(wall());
            }
            is_there
        });
    }
}

#[test]
fn a_broken_connection_is_opened_again_and_everything_is_asked_about() {
    for kind in [ContractKind::Spot, ContractKind::Linear] {
        let venue = SimVenue::start();
        let product = if kind == ContractKind::Spot { "spot" } else { "futures" };
        let mut trader = Trader::connect(&venue, kind, Key::Ed25519);
        let (price, qty) = if kind == ContractKind::Spot { (5_000_000, 1_000) } else { (500_000, 10) };
        let order = Trader::order(1, Side::Buy, Tif::PostOnly, price, qty);
        trader.place(&order);
        trader.hears(1, accepted);
        assert!(!trader.session.has_reconnected());
        venue.admin("POST", &format!("disconnect?product={product}"), "");
        trader.until("the loss", |trader| !trader.session.is_live());
        assert!(!trader.try_place(&Trader::order(2, Side::Buy, Tif::PostOnly, price, qty)), "blind");
        trader.until("the return", |trader| trader.session.is_live());
        assert!(trader.session.has_reconnected() && !trader.session.has_reconnected());
        let open = Standing::Exists { state: VenueState::Open(order.level), filled: Qty(0) };
        assert_eq!(trader.standing(&order), open);
        trader.ask(Request::Cancel(&order), 1);
        trader.hears(1, canceled);
        assert!(venue.open(product).is_empty());
    }
}

#[test]
fn a_clock_that_is_off_a_revoked_key_and_a_used_up_limit_each_have_their_answer() {
    let venue = SimVenue::start();
    let mut trader = Trader::connect(&venue, ContractKind::Linear, Key::Hmac);
    venue.fault(r#"{"kind":"wrong-clock","ms":9000}"#);
    trader.place(&Trader::order(1, Side::Buy, Tif::PostOnly, 500_000, 10));
    trader.hears(1, |event| matches!(event, AnswerEvent::Rejected));
    assert!(trader.session.take_clock_off() && !trader.session.take_clock_off());
    venue.admin("POST", "faults/clear", "");
    // Ours is set wrong and right again.
    trader.place(&Trader::order(2, Side::Buy, Tif::PostOnly, 500_000, 10));
    trader.hears(2, accepted);
    // The venue allows fewer orders than it said: quotes wait, cancels pass.
    venue.admin("POST", "limits?product=futures&orders10s=1", "");
    let mut seq = 3;
    trader.until("the limit", |trader| {
        let left = trader.try_place(&Trader::order(seq, Side::Buy, Tif::PostOnly, 490_000, 10));
        seq += 1;
        !left
    });
    let order = Trader::order(2, Side::Buy, Tif::PostOnly, 500_000, 10);
    trader.ask(Request::Cancel(&order), 2);
    trader.hears(2, canceled);
    venue.admin("POST", &format!("revoke?key={}", gate::API_KEY), "");
    trader.ask(Request::Cancel(&order), 2);
    trader.until("the stop", |trader| trader.session.stopped().is_some());
    assert!(!trader.try_place(&Trader::order(seq, Side::Buy, Tif::PostOnly, 490_000, 10)));
}

#[test]
fn the_order_manager_reconciles_quotes_survives_a_cut_and_leaves_nothing_open() {
    let venue = SimVenue::start();
    let mut run = Managed::start(&venue, 1);
    // Before anything is placed the account is compared.
    run.target((500_000, 10), (510_000, 10));
    run.until("trading", |run| !run.manager.is_reconciling());
    run.until("both quotes", |_| venue.open("futures").len() == 2);
    Bob(&venue).trades(Side::Sell, "50000.0", "0.004");
    run.until("the fill", |run| run.position() == Qty(4));
    assert_eq!(venue.position(), "0.004");
    // Moved, by an amendment that keeps the order's id.
    run.target((500_000, 10), (511_000, 10));
    let ask_is_at = |price: &str| {
        let orders = venue.admin("GET", "orders?product=futures&account=alice", "");
        orders.as_array().unwrap().iter().any(|order| order["price"].as_str() == Some(price))
    };
    run.until("the amendment", |_| ask_is_at("51100.0") || ask_is_at("51100.00"));
    // The streams are cut, and meanwhile somebody takes the rest of the bid.
    venue.admin("POST", "disconnect?product=futures", "");
    Bob(&venue).trades(Side::Sell, "50000.0", "0.006");
    run.until("the fill that nobody told", |run| run.position() == Qty(10));
    assert_eq!(venue.position(), "0.010");
    run.until("as many orders here as there", |run| {
        run.open() == venue.open("futures").len() && run.manager.report().orders.queries > 0
    });
    let head = run.head(Kind::Timer);
    assert!(run.manager.cancel_all(&head), "everything is confirmed to be gone");
    assert_eq!((venue.open("futures").len(), venue.position().as_str()), (0, "0.010"));
    assert_eq!((run.position(), run.control.stopped()), (Qty(10), None));
    drop(run);

    // A run that knows nothing of that position does not trade.
    let mut next = Managed::start(&venue, 2);
    next.target((500_000, 10), (510_000, 10));
    next.until("the stop", |next| next.control.stopped().is_some());
    assert_eq!(next.control.stopped(), Some(StopReason::Unreconciled));
    assert!(venue.open("futures").is_empty());
}

#[test]
fn orders_whose_engine_is_gone_end_when_the_venues_timer_runs_out() {
    let venue = SimVenue::start();
    let mut trader = Trader::connect(&venue, ContractKind::Linear, Key::Ed25519);
    trader.until("the timer", |trader| trader.session.counts().timers_set > 0);
    trader.place(&Trader::order(1, Side::Buy, Tif::PostOnly, 500_000, 10));
    trader.hears(1, accepted);
    drop(trader);
    assert_eq!(venue.open("futures"), ["sb7-1-1"]);
    venue.admin("POST", "clock?leapMs=61000", "");
    assert!(venue.open("futures").is_empty());
}
