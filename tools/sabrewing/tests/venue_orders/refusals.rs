//! What the venue refuses: one clear line for the operator each, and the stated action.

use super::support::SimVenue;
use super::trader::{Given, Key, Trader, accepted, canceled, set_offset};
use engine::instrument::ContractKind;
use engine::num::{Qty, Side};
use engine::order::{Order, Tif};
use gateway::counterparty::{AnswerEvent, Request, Standing, VenueState};
use gateway::venues::binance::session::FuturesSettings;

const fn rejected(event: &AnswerEvent) -> bool {
    matches!(event, AnswerEvent::Rejected)
}

fn buy(seq: u64, price: i64, qty: i64) -> Order {
    Trader::order(seq, Side::Buy, Tif::PostOnly, price, qty)
}

#[test]
fn a_clock_that_is_off_by_five_seconds_is_said_and_set_right_trading_goes_on() {
    for ahead_ms in [-5_000_i64, 5_000] {
        let venue = SimVenue::start();
        let given = Given { recv_window_ms: 2_000, ..Given::new(ContractKind::Linear, Key::Ed25519) };
        let mut trader = Trader::connect_with(&venue, &given);
        let ns = i64::try_from(venue.now_ms()).unwrap() * 1_000_000
            - i64::try_from(super::trader::wall().0).unwrap();
        trader.offset.set_ns(ns + ahead_ms * 1_000_000);
        trader.place(&buy(1, 500_000, 10));
        trader.hears(1, rejected);
        let line = trader.line(-1021);
        assert!(line.contains("The clock is off: it is measured again"), "{line}");
        assert!(trader.session.take_clock_off());
        set_offset(&venue, &trader.offset);
        trader.place(&buy(2, 500_000, 10));
        trader.hears(2, accepted);
        assert_eq!(trader.session.stopped(), None);
        trader.agrees(&venue, &[(2, Side::Buy)]);
    }
}

#[test]
fn a_key_that_the_venue_does_not_know_or_a_wrong_secret_stops_with_one_line() {
    for kind in [ContractKind::Spot, ContractKind::Linear] {
        for (key, code) in [(Key::BadHmac, -2015), (Key::BadEd25519, -2015), (Key::BadSecret, -1022)] {
            let venue = SimVenue::start();
            let mut trader = Trader::begin(&venue, &Given::new(kind, key));
            trader.until("the stop", |trader| trader.session.stopped().is_some());
            assert_eq!(trader.session.stopped(), Some("the venue refuses the account or its key"));
            let line = trader.line(code);
            assert!(line.ends_with("Nothing is traded before somebody has looked."), "{line}");
            assert!(!trader.try_place(&buy(1, 500_000, 10)), "{line}");
        }
    }
}

#[test]
fn a_key_that_is_revoked_while_it_trades_stops_with_one_line() {
    for (kind, key) in [
        (ContractKind::Spot, Key::Ed25519),
        (ContractKind::Linear, Key::Ed25519),
        (ContractKind::Linear, Key::Hmac),
    ] {
        let venue = SimVenue::start();
        let mut trader = Trader::connect(&venue, kind, key);
        let order = if kind == ContractKind::Spot { buy(1, 5_000_000, 1_000) } else { buy(1, 500_000, 10) };
        trader.place(&order);
        trader.hears(1, accepted);
        venue.admin("POST", &format!("revoke?key={}", key.halves().0), "");
        trader.try_ask(Request::Cancel(&order), 1);
        trader.until("the stop", |trader| trader.session.stopped().is_some());
        let line = trader.line(-2015);
        assert!(line.ends_with("Nothing is traded before somebody has looked."), "{line}");
        assert!(!trader.try_place(&order));
        let product = if kind == ContractKind::Spot { "spot" } else { "futures" };
        assert_eq!(venue.open(product).len(), 1, "it stays, and is said to be there");
    }
}

#[test]
fn an_order_that_breaks_a_filter_or_the_balance_is_rejected_with_the_venues_words() {
    let poor = FuturesSettings { leverage: Some(1), margin: None };
    let linear = Given { settings: poor, ..Given::new(ContractKind::Linear, Key::Ed25519) };
    let spot = Given::new(ContractKind::Spot, Key::Ed25519);
    // So many of them the account pays for, and not one more.
    for (given, price, qty, count, code, words) in [
        (&spot, 5_000_000, 1, 0, -1013, "Filter failure: NOTIONAL"),
        (&spot, 5_000_000, 1_000_000, 20, -2010, "insufficient balance"),
        (&linear, 500_000, 1, 0, -4164, "must be no smaller than"),
        (&linear, 500_000, 12_000, 1, -2019, "Margin is insufficient."),
    ] {
        let venue = SimVenue::start();
        let mut trader = Trader::connect_with(&venue, given);
        for seq in 1..=count + 1 {
            trader.place(&buy(seq, price, qty));
        }
        trader.hears(count + 1, rejected);
        let line = trader.line(code);
        assert!(line.starts_with("a new order: ") && line.contains(words), "{line}");
        assert!(line.ends_with("It was not carried out and never will be."), "{line}");
        assert_eq!((trader.session.stopped(), trader.session.counts().refused >= 1), (None, true));
        let product = if given.kind == ContractKind::Spot { "spot" } else { "futures" };
        assert_eq!(venue.open(product).len() as u64, count);
    }
}

#[test]
fn a_cancel_of_no_order_and_an_id_that_is_taken_are_resolved_by_asking() {
    for kind in [ContractKind::Spot, ContractKind::Linear] {
        let venue = SimVenue::start();
        let mut trader = Trader::connect(&venue, kind, Key::Ed25519);
        let order = if kind == ContractKind::Spot { buy(1, 5_000_000, 1_000) } else { buy(1, 500_000, 10) };
        trader.ask(Request::Cancel(&order), 1);
        trader.hears(1, |event| matches!(event, AnswerEvent::CancelRefused));
        let line = trader.line(-2011);
        assert!(line.ends_with("the order is asked about, never sent again."), "{line}");
        trader.place(&order);
        trader.hears(1, accepted);
        trader.heard.clear();
        // The same id again, as after an answer that was lost: nothing is told of it but what it is.
        trader.place(&order);
        let line = trader.line(if kind == ContractKind::Spot { -2010 } else { -4116 });
        assert!(line.contains("uplicate"), "{line}");
        let open = Standing::Exists { state: VenueState::Open(order.level), filled: Qty(0) };
        assert_eq!(trader.standing(&order), open);
        assert!(!trader.heard.iter().any(|one| rejected(&one.event)));
        trader.ask(Request::Cancel(&order), 1);
        trader.hears(1, canceled);
        assert_eq!(trader.session.stopped(), None);
    }
}
