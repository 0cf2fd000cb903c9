//! While the WebSocket API is closed, REST carries what it can.

use super::support::SimVenue;
use super::trader::{Bob, Given, Key, Trader, accepted, canceled, filled, wall};
use engine::instrument::ContractKind;
use engine::num::{Level, Price, Qty, Side};
use engine::order::{Order, OrderState, Tif};
use gateway::counterparty::{AnswerEvent, Counterparty, Request, Standing, VenueState};
use std::time::Instant;

#[test]
fn futures_orders_go_over_rest_while_the_web_socket_api_is_closed_and_user_events_come() {
    for key in [Key::Hmac, Key::Ed25519] {
        let venue = SimVenue::start();
        let mut trader = Trader::connect(&venue, ContractKind::Linear, key);
        let mut order = Trader::order(1, Side::Buy, Tif::PostOnly, 500_000, 10);
        trader.place(&order);
        trader.hears(1, accepted);
        order.state = OrderState::Open;
        venue.fault(r#"{"kind":"no-api"}"#);
        trader.until("the loss", |trader| !trader.session.is_live());
        trader.ask(Request::Cancel(&order), 1);
        assert_eq!(trader.hears(1, canceled).filled, Some(Qty(0)));
        let mut order = Trader::order(2, Side::Buy, Tif::PostOnly, 490_000, 10);
        trader.until("a warm connection", |trader| trader.try_place(&order));
        trader.hears(2, accepted);
        order.state = OrderState::Open;
        let to = Level { price: Price(500_000), qty: Qty(8) };
        trader.amend(&order, to);
        assert_eq!(
            trader.hears(2, |event| matches!(event, AnswerEvent::Amended(_))).event,
            AnswerEvent::Amended(to)
        );
        order.level = to;
        Bob(&venue).trades(Side::Sell, "50000.0", "0.003");
        trader.hears(2, filled);
        let open = Standing::Exists { state: VenueState::Open(to), filled: Qty(3) };
        assert_eq!(trader.standing(&order), open);
        // What would take is refused alike.
        Bob(&venue).trades(Side::Sell, "50500.0", "0.003");
        trader.place(&Trader::order(3, Side::Buy, Tif::PostOnly, 505_000, 10));
        trader.hears(3, |event| matches!(event, AnswerEvent::Rejected));
        assert!(trader.line(-5022).starts_with("a new order: -5022"));
        assert!(trader.session.counts().over_rest >= 5);
        venue.clear_faults();
        trader.until("the return", |trader| trader.session.is_live());
        trader.ask(Request::Cancel(&order), 2);
        trader.hears(2, canceled);
        trader.agrees(&venue, &[(1, Side::Buy), (2, Side::Buy)]);
        assert_eq!((trader.session.counts().unreadable, trader.session.stopped()), (0, None));
    }
}

#[test]
fn spot_orders_end_over_rest_while_the_connection_is_closed_and_none_is_placed_blind() {
    for key in [Key::Hmac, Key::Ed25519] {
        let venue = SimVenue::start();
        let mut trader = Trader::connect(&venue, ContractKind::Spot, key);
        let order = Trader::order(1, Side::Buy, Tif::PostOnly, 5_000_000, 1_000);
        trader.place(&order);
        trader.hears(1, accepted);
        venue.fault(r#"{"kind":"no-api"}"#);
        trader.until("the loss", |trader| !trader.session.is_live());
        assert!(!trader.try_place(&Trader::order(2, Side::Buy, Tif::PostOnly, 5_000_000, 1_000)), "blind");
        trader.ask(Request::Cancel(&order), 1);
        trader.hears(1, canceled);
        let ended = Standing::Exists { state: VenueState::Canceled, filled: Qty(0) };
        assert_eq!(trader.standing(&order), ended);
        assert!(venue.open("spot").is_empty());
        venue.clear_faults();
        trader.until("the return", |trader| trader.session.is_live());
        assert!(trader.session.has_reconnected());
        assert_eq!((trader.session.counts().unreadable, trader.session.stopped()), (0, None));
    }
}

fn all_canceled(trader: &Trader, count: u64) -> bool {
    let is_canceled = |seq| trader.heard.iter().any(|one| one.id == trader.id(seq) && canceled(&one.event));
    (1..=count).all(is_canceled)
}

/// So many orders that rest, each at its own price.
fn resting(trader: &mut Trader, kind: ContractKind, count: u64) -> Vec<Order> {
    let mut orders = Vec::new();
    for seq in 1..=count {
        let below = i64::try_from(seq).unwrap();
        let (price, qty) =
            if kind == ContractKind::Spot { (5_000_000 - below, 1_000) } else { (500_000 - below, 10) };
        let order = Trader::order(seq, Side::Buy, Tif::PostOnly, price, qty);
        trader.until("room for an order", |trader| trader.try_place(&order));
        orders.push(order);
    }
    for seq in 1..=count {
        trader.hears(seq, accepted);
    }
    orders
}

#[test]
fn everything_of_an_instrument_ends_with_one_request_and_each_order_says_so() {
    for kind in [ContractKind::Spot, ContractKind::Linear] {
        let venue = SimVenue::start();
        let mut trader = Trader::connect(&venue, kind, Key::Ed25519);
        resting(&mut trader, kind, 6);
        let product = if kind == ContractKind::Spot { "spot" } else { "futures" };
        assert_eq!(venue.open(product).len(), 6);
        // It is the way while the WebSocket API is closed, too.
        if kind == ContractKind::Spot {
            venue.fault(r#"{"kind":"no-api"}"#);
            trader.until("the loss", |trader| !trader.session.is_live());
        }
        assert!(trader.session.cancel_all_of(trader.instrument.id, wall()));
        trader.until("every end", |trader| all_canceled(trader, 6));
        assert!(venue.open(product).is_empty());
        assert!(!trader.session.cancel_all_of(engine::ids::InstrumentId(9), wall()), "not its instrument");
        assert_eq!(trader.session.counts().unreadable, 0);
    }
}

/// `cargo test -p sabrewing --test venue_orders -- --ignored --nocapture two_hundred`
#[test]
#[ignore = "prints figures"]
fn two_hundred_orders_end_at_once_and_one_by_one() {
    for kind in [ContractKind::Spot, ContractKind::Linear] {
        for at_once in [true, false] {
            let venue = SimVenue::start();
            let product = if kind == ContractKind::Spot { "spot" } else { "futures" };
            venue.admin("POST", &format!("limits?product={product}&orders10s=10000"), "");
            let given = Given { orders_max: 10_000, ..Given::new(kind, Key::Ed25519) };
            let mut trader = Trader::connect_with(&venue, &given);
            let orders = resting(&mut trader, kind, 200);
            let began = Instant::now();
            if at_once {
                assert!(trader.session.cancel_all_of(trader.instrument.id, wall()));
            } else {
                for order in &orders {
                    trader.ask(Request::Cancel(order), order.seq);
                }
            }
            let sent = began.elapsed();
            trader.until("every end", |trader| all_canceled(trader, 200));
            let confirmed = began.elapsed();
            assert!(venue.open(product).is_empty());
            let way = if at_once { "one request" } else { "200 requests" };
            println!(
                "{product}, 200 open orders, {way}: sent in {sent:?}, every end told after {confirmed:?}"
            );
        }
    }
}
