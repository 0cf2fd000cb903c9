//! Orders that wait for a price.

use crate::exchange::testing::{Bench, MARKET, amount, limit, market};
use crate::exchange::{
    CancelScope, Execution, NewOrder, Product, Reject, Size, Status, Trigger, TriggerKind, TriggerSource,
};
use engine::ids::AccountId;
use engine::num::Price;
use engine::num::Side::{Buy, Sell};
use engine::order::Tif;
use engine::time::Nanos;

fn bench(product: Product) -> (Bench, [AccountId; 2]) {
    let mut bench = Bench::new(product, |_| {});
    let base = if product == Product::Spot { "1000" } else { "0" };
    let accounts = [(); 2].map(|()| bench.account(&[("BTC", base), ("USDT", "1000000")]));
    // The last price is 100.
    bench.limit(accounts[0], Sell, 100, 1);
    bench.limit(accounts[0], Buy, 100, 1);
    bench.events.clear();
    (bench, accounts)
}

fn waiting(order: NewOrder, price: i64, kind: TriggerKind) -> NewOrder {
    let trigger = Trigger { price: Price(price), source: TriggerSource::Last, kind };
    NewOrder { trigger: Some(trigger), ..order }
}

#[test]
fn a_stop_that_is_met_already_is_refused() {
    let (mut bench, [_, owner]) = bench(Product::Spot);
    let mut place = |order, price, kind| bench.place(owner, waiting(order, price, kind));
    assert_eq!(place(market(Buy, 1), 100, TriggerKind::Stop), Err(Reject::WouldTrigger));
    assert_eq!(place(market(Sell, 1), 100, TriggerKind::Stop), Err(Reject::WouldTrigger));
    assert_eq!(place(market(Buy, 1), 101, TriggerKind::TakeProfit), Err(Reject::WouldTrigger));
    assert_eq!(place(market(Sell, 1), 99, TriggerKind::TakeProfit), Err(Reject::WouldTrigger));
    assert!(place(market(Sell, 1), 101, TriggerKind::TakeProfit).is_ok());
}

#[test]
fn on_spot_a_stop_locks_its_funds_and_works_under_its_own_number_once_met() {
    let (mut bench, [other, owner]) = bench(Product::Spot);
    let stop = bench.place(owner, waiting(market(Sell, 5), 95, TriggerKind::Stop)).unwrap();
    assert_eq!((bench.status(owner, stop), bench.balance(owner, "BTC").1), (Status::Waiting, amount("0.5")));
    let stop_limit = waiting(limit(Buy, 111, 2, Tif::Gtc), 110, TriggerKind::Stop);
    let stop_limit = bench.place(owner, stop_limit).unwrap();
    assert_eq!(bench.balance(owner, "USDT").1, amount("22.2"));
    bench.limit(other, Buy, 95, 3);
    bench.limit(other, Buy, 94, 10);
    bench.events.clear();
    bench.place(other, market(Sell, 1)).unwrap();
    let reports = bench.executions();
    let own: Vec<_> =
        reports.iter().filter(|(id, _)| *id == stop.0).map(|(_, execution)| execution).collect();
    assert!(matches!(own[..], [Execution::Triggered, Execution::Trade(_), Execution::Trade(_)]), "{own:?}");
    assert_eq!((bench.status(owner, stop), bench.balance(owner, "BTC").1), (Status::Filled, amount("0")));
    assert_eq!(bench.status(owner, stop_limit), Status::Waiting);
    bench.limit(other, Sell, 110, 1);
    bench.place(other, market(Buy, 1)).unwrap();
    assert_eq!(bench.status(owner, stop_limit), Status::New);
    assert_eq!(bench.book()[0][0], (111, 2));
    assert_eq!(bench.balance(owner, "USDT").1, amount("22.2"));
}

#[test]
fn on_futures_a_stop_becomes_an_order_of_its_own() {
    let (mut bench, [other, owner]) = bench(Product::Futures);
    bench.limit(other, Sell, 100, 5);
    bench.limit(owner, Buy, 100, 5);
    let stop = waiting(NewOrder::market(MARKET, Sell, Size::Position), 95, TriggerKind::Stop);
    let stop = bench.place(owner, stop).unwrap();
    bench.limit(other, Buy, 95, 10);
    bench.place(other, market(Sell, 1)).unwrap();
    let parent = *bench.order(owner, stop);
    assert_eq!(parent.status, Status::Triggered);
    let child = *bench.order(owner, parent.child.unwrap());
    assert_eq!((child.parent, child.status, child.qty.0), (Some(stop), Status::Filled, 5));
    assert_eq!(child.client_id, parent.client_id);
    assert_eq!(bench.held(owner).positions().next().unwrap().qty.0, 0);
}

#[test]
fn a_stop_whose_funds_or_position_are_gone_is_refused_when_it_is_met() {
    let (mut bench, [other, owner]) = bench(Product::Futures);
    let stop = NewOrder { reduce_only: true, ..market(Sell, 5) };
    let stop = bench.place(owner, waiting(stop, 95, TriggerKind::Stop)).unwrap();
    let whole = waiting(NewOrder::market(MARKET, Sell, Size::Position), 95, TriggerKind::Stop);
    let whole = bench.place(owner, whole).unwrap();
    bench.limit(other, Buy, 95, 10);
    bench.place(other, market(Sell, 1)).unwrap();
    assert_eq!([bench.status(owner, stop), bench.status(owner, whole)], [Status::Rejected; 2]);
    let refused =
        bench.executions().into_iter().filter(|(_, e)| *e == Execution::Rejected(Reject::ReduceOnly));
    assert_eq!(refused.count(), 2);
}

#[test]
fn stops_that_wake_each_other_all_work_within_the_request() {
    let (mut bench, [other, owner]) = bench(Product::Spot);
    let stops = [97, 96, 95]
        .map(|price| bench.place(owner, waiting(market(Sell, 1), price, TriggerKind::Stop)).unwrap());
    for price in [97, 96, 95, 94] {
        bench.limit(other, Buy, price, 1);
    }
    bench.place(other, market(Sell, 1)).unwrap();
    assert_eq!(stops.map(|id| bench.status(owner, id)), [Status::Filled; 3]);
    assert_eq!(bench.book(), [vec![], vec![]]);
}

#[test]
fn a_stop_on_the_mark_price_waits_for_the_mark_price() {
    let (mut bench, [other, owner]) = bench(Product::Futures);
    let trigger = Trigger { price: Price(95), source: TriggerSource::Mark, kind: TriggerKind::Stop };
    let stop = bench.place(owner, NewOrder { trigger: Some(trigger), ..market(Sell, 1) }).unwrap();
    bench.limit(other, Buy, 94, 10);
    bench.limit(other, Sell, 96, 10);
    bench.place(other, market(Sell, 1)).unwrap();
    assert_eq!(bench.status(owner, stop), Status::Waiting);
    bench.exchange.set_index(MARKET, Price(90));
    bench.exchange.advance(Nanos::SECOND, &mut bench.events);
    // Median of index 90, last 94, middle 95.
    assert_eq!(bench.status(owner, stop), Status::Triggered);
}

#[test]
fn waiting_orders_are_canceled_by_their_own_scope() {
    let (mut bench, [_, owner]) = bench(Product::Spot);
    let resting = bench.limit(owner, Buy, 90, 1);
    let stop = bench.place(owner, waiting(market(Sell, 5), 95, TriggerKind::Stop)).unwrap();
    let mut cancel =
        |scope| bench.exchange.cancel_all(bench.now, owner, MARKET, scope, &mut bench.events).unwrap();
    assert_eq!(cancel(CancelScope::Waiting), [stop]);
    assert_eq!(cancel(CancelScope::InBook), [resting]);
    assert_eq!(bench.balance(owner, "BTC").1, amount("0"));
    assert_eq!(bench.status(owner, stop), Status::Canceled);
}
