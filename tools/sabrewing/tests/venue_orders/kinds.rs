//! Market orders, stops and reduce-only orders at the simulated venue.

use crate::support::SimVenue;
use crate::trader::{Bob, Key, Trader, accepted, canceled, wall};
use engine::instrument::ContractKind;
use engine::num::{Level, Price, Qty, Side};
use engine::order::{Order, Terms, Tif};
use gateway::counterparty::{AnswerEvent, Counterparty, Request, Standing, VenueState};

const fn triggered(event: &AnswerEvent) -> bool {
    matches!(event, AnswerEvent::Triggered)
}

fn of(terms: Terms, seq: u64, side: Side, price: i64, qty: i64) -> Order {
    let tif = if terms.kind.has_limit() { Tif::Gtc } else { Tif::Ioc };
    Order { terms, ..Trader::order(seq, side, tif, price, qty) }
}

/// Prices in ticks of `tick`, quantities in hundreds of `unit`.
fn every_kind(kind: ContractKind, key: Key) {
    let venue = SimVenue::start();
    let is_spot = kind == ContractKind::Spot;
    let (tick, unit) = if is_spot { (10, 100) } else { (1, 1) };
    let bob = |side, price, qty| {
        if is_spot { Bob(&venue).trades_spot(side, price, qty) } else { Bob(&venue).trades(side, price, qty) }
    };
    let mut trader = Trader::connect(&venue, kind, key);
    let ticks = |price: i64| Price(price * 10 * tick);

    bob(Side::Sell, "50000.0", "0.010");
    trader.place(&of(Terms::MARKET, 1, Side::Buy, 0, 5 * unit));
    trader.until("the market order's fill", |trader| trader.filled(1) == Qty(5 * unit));
    bob(Side::Buy, "49900.0", "0.010");

    let stop = of(Terms::stop(ticks(49_900)).reducing(), 2, Side::Sell, 0, 2 * unit);
    trader.place(&stop);
    trader.hears(2, accepted);
    let limited = of(Terms::stop_limit(ticks(49_800)), 3, Side::Sell, ticks(49_790).0, 3 * unit);
    trader.place(&limited);
    trader.hears(3, accepted);
    trader.ask(Request::Cancel(&limited), 3);
    trader.hears(3, canceled);
    if is_spot {
        let standing = trader.standing(&stop);
        let waits = VenueState::Open(Level { price: Price(0), qty: Qty(2 * unit) });
        assert_eq!(standing, Standing::Exists { state: waits, filled: Qty(0) });
    }

    // The last price reaches the trigger.
    trader.place(&of(Terms::MARKET.reducing(), 4, Side::Sell, 0, unit));
    trader.until("the reducing order's fill", |trader| trader.filled(4) == Qty(unit));
    trader.hears(2, triggered);
    trader.until("the stop's fill", |trader| trader.filled(2) == Qty(2 * unit));
    if !is_spot {
        assert_eq!(venue.position(), "0.002");
        // More than there is: the venue holds it to the position.
        trader.place(&of(Terms::MARKET.reducing(), 5, Side::Sell, 0, 2));
        trader.until("the position's end", |trader| trader.filled(5) == Qty(2));
        assert_eq!(venue.position(), "0.000");
        trader.place(&of(Terms::MARKET.reducing(), 6, Side::Sell, 0, 1));
        trader.hears(6, |event| matches!(event, AnswerEvent::Rejected));
    }
    let product = if is_spot { "spot" } else { "futures" };
    assert!(venue.open(product).is_empty());
    assert_eq!((trader.session.counts().unreadable, trader.session.stopped()), (0, None));
}

#[test]
fn orders_that_wait_for_a_trigger_end_with_everything_else_of_the_instrument() {
    for kind in [ContractKind::Spot, ContractKind::Linear] {
        let venue = SimVenue::start();
        let mut trader = Trader::connect(&venue, kind, Key::Ed25519);
        let (tick, unit) = if kind == ContractKind::Spot { (10, 100) } else { (1, 1) };
        let trigger = Price(600_000 * tick);
        trader.place(&Trader::order(1, Side::Buy, Tif::PostOnly, 500_000 * tick, 10 * unit));
        trader.place(&of(Terms::stop_limit(trigger), 2, Side::Buy, trigger.0, 10 * unit));
        trader.hears(1, accepted);
        trader.hears(2, accepted);
        assert!(trader.session.cancel_all_of(trader.instrument.id, wall()));
        trader.hears(1, canceled);
        trader.hears(2, canceled);
        let product = if kind == ContractKind::Spot { "spot" } else { "futures" };
        assert!(venue.open(product).is_empty());
        assert_eq!((trader.session.counts().unreadable, trader.session.counts().refused), (0, 0));
    }
}

#[test]
fn every_kind_of_spot_order_is_placed_triggered_and_filled() {
    every_kind(ContractKind::Spot, Key::Hmac);
}

#[test]
fn every_kind_of_futures_order_is_placed_triggered_and_filled() {
    every_kind(ContractKind::Linear, Key::Hmac);
}

#[test]
fn every_kind_of_futures_order_lives_on_a_session_that_logged_on() {
    every_kind(ContractKind::Linear, Key::Ed25519);
}
