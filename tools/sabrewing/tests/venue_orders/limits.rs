//! The venue's limits: known from every answer, kept to, and never gone on against.

use super::support::SimVenue;
use super::trader::{Bob, Given, Key, Trader, accepted, canceled, set_offset, wall};
use engine::instrument::ContractKind;
use engine::num::Side;
use engine::order::{Order, Tif};
use gateway::counterparty::{Counterparty, Request};
use gateway::throttle::Counted;

fn resting(kind: ContractKind, seq: u64) -> Order {
    let (price, qty) = if kind == ContractKind::Spot { (5_000_000, 1_000) } else { (500_000, 10) };
    Trader::order(seq, Side::Buy, Tif::PostOnly, price, qty)
}

fn product(kind: ContractKind) -> &'static str {
    if kind == ContractKind::Spot { "spot" } else { "futures" }
}

/// A session with an order that rests, and every timer set.
fn trading(venue: &SimVenue, kind: ContractKind) -> (Trader, Order) {
    let mut trader = Trader::connect_with(venue, &Given::new(kind, Key::Hmac));
    if kind == ContractKind::Linear {
        trader.until("the timer", |trader| trader.session.counts().timers_set > 0);
    }
    let order = resting(kind, 1);
    trader.place(&order);
    trader.hears(1, accepted);
    (trader, order)
}

/// Nothing leaves, however often it is wished for: not even a cancel.
fn nothing_leaves(trader: &mut Trader, order: &Order) {
    let until = wall().plus(engine::time::Nanos::from_ms(300));
    let before = trader.session.counts().refused;
    trader.until("a while", |trader| {
        assert!(!trader.try_ask(Request::Cancel(order), 1), "a cancel left");
        assert!(!trader.try_place(&resting(ContractKind::Linear, 2)), "an order left");
        trader.session.ask_account(wall());
        wall() >= until
    });
    assert_eq!(trader.session.counts().refused, before, "the venue was asked, and refused");
}

/// The venue's minute has passed, and its limit is what it was.
fn a_minute_later(venue: &SimVenue, trader: &Trader, kind: ContractKind, ms: u64) {
    venue.admin("POST", &format!("limits?product={}&weight=6000&refusals=10", product(kind)), "");
    venue.leap(ms);
    set_offset(venue, &trader.offset);
}

#[test]
fn a_429_of_rest_holds_everything_back_until_the_time_it_says_and_no_ban_follows() {
    let venue = SimVenue::start();
    let (mut trader, order) = trading(&venue, ContractKind::Linear);
    venue.admin("POST", "limits?product=futures&weight=1&refusals=2", "");
    trader.until("asking for the account", |trader| trader.session.ask_account(wall()));
    let line = trader.line(-1003);
    assert!(line.starts_with("the account: -1003 \"Too much request weight used"), "{line}");
    nothing_leaves(&mut trader, &order);
    assert_eq!(trader.session.stopped(), None);
    // The venue opened 23 s into its minute.
    a_minute_later(&venue, &trader, ContractKind::Linear, 40_000);
    trader.until("a cancel", |trader| trader.try_ask(Request::Cancel(&order), 1));
    trader.hears(1, canceled);
    assert_eq!(trader.account().open.len(), 0);
    assert_eq!(trader.session.stopped(), None);
}

#[test]
fn a_429_of_the_web_socket_api_holds_rest_back_too_and_no_ban_follows() {
    for kind in [ContractKind::Spot, ContractKind::Linear] {
        let venue = SimVenue::start();
        let (mut trader, order) = trading(&venue, kind);
        venue.admin("POST", &format!("limits?product={}&weight=1&refusals=2", product(kind)), "");
        trader.ask(Request::Query(&order), 1);
        let line = trader.line(-1003);
        assert!(line.starts_with("a query of an order: -1003"), "{line}");
        nothing_leaves(&mut trader, &order);
        // Nor is a connection opened again, whose log-on would count.
        venue.admin("POST", &format!("disconnect?product={}", product(kind)), "");
        trader.until("the loss", |trader| !trader.session.is_live());
        nothing_leaves(&mut trader, &order);
        assert!(!trader.session.is_live());
        a_minute_later(&venue, &trader, kind, 40_000);
        trader.until("the return", |trader| trader.session.is_live());
        trader.ask(Request::Cancel(&order), 1);
        trader.hears(1, canceled);
        assert_eq!((trader.session.stopped(), venue.open(product(kind)).len()), (None, 0));
    }
}

#[test]
fn a_ban_stops_trading_and_nothing_is_asked_before_it_is_over() {
    let venue = SimVenue::start();
    let (mut trader, order) = trading(&venue, ContractKind::Spot);
    venue.admin("POST", "limits?product=spot&weight=1&refusals=0", "");
    trader.ask(Request::Query(&order), 1);
    let line = trader.line(-1003);
    assert!(line.contains("IP banned until"), "{line}");
    assert_eq!(trader.session.stopped(), Some("the venue has banned this address for a time"));
    // The venue closes the connection of whom it has banned.
    trader.until("the loss", |trader| !trader.session.is_live());
    nothing_leaves(&mut trader, &order);
    // Two minutes, not four: nobody went on against it.
    a_minute_later(&venue, &trader, ContractKind::Spot, 121_000);
    trader.until("the return", |trader| trader.session.is_live());
    assert!(!trader.try_place(&resting(ContractKind::Spot, 2)), "somebody must look first");
    trader.ask(Request::Cancel(&order), 1);
    trader.hears(1, canceled);
    assert!(venue.open("spot").is_empty());
}

#[test]
fn what_others_on_the_address_use_is_known_from_the_headers_of_rest() {
    let venue = SimVenue::start();
    let mut trader = Trader::connect(&venue, ContractKind::Linear, Key::Ed25519);
    let used = |trader: &mut Trader| {
        let weight = |(limit, used): (gateway::throttle::Limit, u64)| {
            (limit.counted == Counted::Weight).then_some(used)
        };
        trader.session.usage().find_map(weight).unwrap()
    };
    assert!(used(&mut trader) < 200);
    for _ in 0..3 {
        Bob(&venue).asks(wire::http::Method::Get, "/fapi/v1/historicalTrades", "symbol=BTCUSDT");
    }
    trader.account();
    assert!(used(&mut trader) >= 600, "{}", used(&mut trader));
}
