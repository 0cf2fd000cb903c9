//! Cancels, amendments, and questions.

use crate::exchange::testing::{Bench, MARKET, amount, limit, market, named};
use crate::exchange::{
    Amend, Cancel, CancelOnly, CancelScope, ClientId, Event, Execution, OrderId, OrderRef, Product, Reject,
    Status,
};
use engine::ids::AccountId;
use engine::num::Side::{self, Buy, Sell};
use engine::num::{Price, Qty};
use engine::order::Tif;
use engine::time::Nanos;

fn spot() -> (Bench, [AccountId; 2]) {
    let mut bench = Bench::new(Product::Spot, |listing| listing.filters.amends_max = 3);
    let accounts = [(); 2].map(|()| bench.account(&[("BTC", "1000"), ("USDT", "1000000")]));
    (bench, accounts)
}

fn cancel(id: OrderId, only: CancelOnly) -> Cancel {
    Cancel { market: MARKET, order: OrderRef::Id(id), request_id: ClientId::new("request"), only }
}

fn amend(price: Option<i64>, qty: i64, keeps_place: bool) -> Amend {
    Amend { price: price.map(Price), qty: Qty(qty), client_id: None, keeps_place }
}

impl Bench {
    fn cancel(&mut self, account: AccountId, cancel: &Cancel) -> Result<OrderId, Reject> {
        self.exchange.cancel(self.now, account, cancel, &mut self.events)
    }

    fn amend(&mut self, account: AccountId, id: OrderId, amend: &Amend) -> Result<OrderId, Reject> {
        self.exchange.amend(self.now, account, MARKET, OrderRef::Id(id), amend, &mut self.events)
    }

    /// The makers that a market order of `qty` meets, by their numbers.
    fn makers(&mut self, account: AccountId, side: Side, qty: i64) -> Vec<OrderId> {
        self.events.clear();
        self.place(account, market(side, qty)).unwrap();
        let trade = |event: &Event| if let Event::Trade(trade) = event { Some(*trade) } else { None };
        let maker = |trade: crate::exchange::Trade| if side == Buy { trade.seller } else { trade.buyer };
        self.events.iter().filter_map(trade).map(maker).collect()
    }
}

#[test]
fn a_cancel_ends_an_open_order_of_the_account_and_no_other() {
    let (mut bench, [owner, other]) = spot();
    let id = bench.limit(owner, Buy, 90, 5);
    assert_eq!(bench.balance(owner, "USDT").1, amount("45"));
    assert_eq!(bench.cancel(other, &cancel(id, CancelOnly::Any)), Err(Reject::UnknownOrder));
    assert_eq!(bench.cancel(owner, &cancel(id, CancelOnly::PartiallyFilled)), Err(Reject::CancelRestricted));
    bench.events.clear();
    assert_eq!(bench.cancel(owner, &cancel(id, CancelOnly::New)), Ok(id));
    let request_id = ClientId::new("request");
    assert_eq!(bench.executions(), [(id.0, Execution::Canceled { request_id })]);
    assert_eq!(bench.balance(owner, "USDT"), (amount("1000000"), amount("0")));
    assert_eq!(bench.cancel(owner, &cancel(id, CancelOnly::Any)), Err(Reject::UnknownOrder));
    assert_eq!(bench.status(owner, id), Status::Canceled);
}

#[test]
fn orders_are_found_by_number_by_name_and_by_both_if_they_agree() {
    let (mut bench, [owner, other]) = spot();
    let id = bench.place(owner, named(limit(Buy, 90, 1, Tif::Gtc), "mine")).unwrap();
    let second = bench.place(owner, named(limit(Buy, 90, 1, Tif::Gtc), "second")).unwrap();
    let name = ClientId::new("mine").unwrap();
    let found = |account, order| bench.exchange.order(account, MARKET, order).map(|order| order.id);
    assert_eq!(found(owner, OrderRef::Client(name)), Ok(id));
    assert_eq!(found(owner, OrderRef::Both(id, name)), Ok(id));
    assert_eq!(found(owner, OrderRef::Both(second, name)), Err(Reject::NamesDisagree));
    assert_eq!(found(other, OrderRef::Client(name)), Err(Reject::UnknownOrder));
    assert_eq!(
        bench.place(owner, named(limit(Buy, 80, 1, Tif::Gtc), "mine")),
        Err(Reject::DuplicateClientId)
    );
    bench.cancel(owner, &cancel(id, CancelOnly::Any)).unwrap();
    let again = bench.place(owner, named(limit(Buy, 80, 1, Tif::Gtc), "mine")).unwrap();
    assert_eq!(bench.exchange.order(owner, MARKET, OrderRef::Client(name)).unwrap().id, again);
    let ids: Vec<_> = bench.exchange.orders(owner, MARKET, None, 10).iter().map(|order| order.id).collect();
    assert_eq!(ids, [id, second, again]);
    let ids: Vec<_> = bench.exchange.orders(owner, MARKET, Some(second), 1).iter().map(|o| o.id).collect();
    assert_eq!(ids, [second]);
}

#[test]
fn a_cancel_of_all_takes_what_its_scope_says_oldest_first() {
    let (mut bench, [owner, other]) = spot();
    let ids = [90, 91, 89].map(|price| bench.limit(owner, Buy, price, 1));
    bench.limit(other, Buy, 88, 1);
    let all = bench.exchange.cancel_all(bench.now, owner, MARKET, CancelScope::All, &mut bench.events);
    assert_eq!(all, Ok(ids.to_vec()));
    assert_eq!(bench.book(), [vec![(88, 1)], vec![]]);
    let none = bench.exchange.cancel_all(bench.now, owner, MARKET, CancelScope::InBook, &mut bench.events);
    assert_eq!(none, Ok(vec![]));
}

#[test]
fn a_cancel_replace_is_two_steps_of_which_the_second_may_not_be_attempted() {
    let (mut bench, [owner, _]) = spot();
    let id = bench.limit(owner, Buy, 90, 1);
    let order = limit(Buy, 91, 1, Tif::Gtc);
    let cancel_it = cancel(id, CancelOnly::Any);
    let both = bench.exchange.cancel_replace(bench.now, owner, &cancel_it, false, &order, &mut bench.events);
    let both = both.unwrap();
    assert!(both.canceled == Ok(id) && matches!(both.placed, Some(Ok(_))));
    let failed =
        bench.exchange.cancel_replace(bench.now, owner, &cancel_it, false, &order, &mut bench.events);
    let failed = failed.unwrap();
    assert_eq!((failed.canceled, failed.placed), (Err(Reject::UnknownOrder), None));
    let on = bench.exchange.cancel_replace(bench.now, owner, &cancel_it, true, &order, &mut bench.events);
    assert!(matches!(on.unwrap().placed, Some(Ok(_))));
}

#[test]
fn less_at_the_same_price_keeps_the_place_and_everything_else_goes_to_the_back() {
    let (mut bench, [owner, taker]) = spot();
    let first = bench.limit(owner, Sell, 100, 5);
    let second = bench.limit(owner, Sell, 100, 5);
    assert_eq!(bench.amend(owner, first, &amend(None, 3, true)), Ok(first));
    assert_eq!(bench.balance(owner, "BTC").1, amount("0.8"));
    assert_eq!(bench.makers(taker, Buy, 1), [first]);
    assert_eq!(bench.amend(owner, first, &amend(None, 9, false)), Ok(first));
    assert_eq!(bench.makers(taker, Buy, 1), [second]);
    assert_eq!(bench.amend(owner, second, &amend(None, 3, false)), Ok(second));
    assert_eq!(bench.makers(taker, Buy, 1), [first]);
    assert_eq!(bench.book(), [vec![], vec![(100, 9)]]);
    assert_eq!(bench.order(owner, first).remaining().0, 7);
}

#[test]
fn an_amended_price_that_crosses_takes() {
    let (mut bench, [owner, other]) = spot();
    bench.limit(other, Sell, 100, 2);
    let id = bench.limit(owner, Buy, 90, 5);
    bench.amend(owner, id, &amend(Some(100), 5, false)).unwrap();
    assert_eq!((bench.order(owner, id).filled.0, bench.book()), (2, [vec![(100, 3)], vec![]]));
    assert_eq!(bench.balance(owner, "USDT"), (amount("999950"), amount("30")));
    // Not more than has filled: that is a cancel.
    bench.amend(owner, id, &amend(Some(100), 2, false)).unwrap();
    assert_eq!(bench.status(owner, id), Status::Canceled);
    let post_only = bench.place(owner, limit(Buy, 90, 1, Tif::PostOnly)).unwrap();
    bench.limit(other, Sell, 95, 1);
    bench.amend(owner, post_only, &amend(Some(95), 1, false)).unwrap();
    assert_eq!(bench.status(owner, post_only), Status::Canceled);
    assert_eq!(bench.balance(owner, "USDT").1, amount("0"));
}

#[test]
fn an_amendment_that_is_refused_leaves_the_order() {
    let (mut bench, [owner, _]) = spot();
    let id = bench.limit(owner, Buy, 100, 5);
    let before = *bench.order(owner, id);
    assert_eq!(bench.amend(owner, id, &amend(None, 5, true)), Err(Reject::AmendChangesNothing));
    assert_eq!(bench.amend(owner, id, &amend(None, 6, true)), Err(Reject::AmendIncreases));
    assert_eq!(bench.amend(owner, id, &amend(Some(99), 5, true)), Err(Reject::AmendIncreases));
    let too_much = bench.amend(owner, id, &amend(None, 1_000_000, false));
    assert!(matches!(too_much, Err(Reject::InsufficientBalance { .. })), "{too_much:?}");
    assert_eq!(*bench.order(owner, id), before);
    for qty in [4, 3, 2] {
        bench.amend(owner, id, &amend(None, qty, true)).unwrap();
    }
    assert_eq!(bench.amend(owner, id, &amend(None, 1, true)), Err(Reject::TooManyAmends { limit: 3 }));
}

#[test]
fn an_amendment_may_rename_the_order_and_says_so() {
    let (mut bench, [owner, _]) = spot();
    let id = bench.place(owner, named(limit(Buy, 90, 5, Tif::Gtc), "before")).unwrap();
    bench.events.clear();
    let request = Amend { client_id: ClientId::new("after"), ..amend(None, 4, true) };
    bench.amend(owner, id, &request).unwrap();
    let client_id_before = ClientId::new("before").unwrap();
    assert_eq!(bench.executions(), [(id.0, Execution::Amended { client_id_before })]);
    let named = |name| bench.exchange.order(owner, MARKET, OrderRef::Client(ClientId::new(name).unwrap()));
    assert_eq!(named("after").map(|order| order.id), Ok(id));
    assert_eq!(named("before").err(), Some(Reject::UnknownOrder));
}

#[test]
fn trades_and_fills_are_answered_from_an_id_on_or_the_newest() {
    let (mut bench, [maker, taker]) = spot();
    bench.limit(maker, Sell, 100, 10);
    for _ in 0..4 {
        bench.place(taker, market(Buy, 1)).unwrap();
    }
    let ids =
        |from, limit| bench.exchange.trades(MARKET, from, limit).iter().map(|t| t.id).collect::<Vec<_>>();
    assert_eq!((ids(None, 2), ids(Some(2), 2), ids(Some(9), 2)), (vec![3, 4], vec![2, 3], vec![]));
    let fills = bench.exchange.fills(taker, MARKET, Some(3), 10);
    assert_eq!(
        fills.iter().map(|fill| (fill.fill.trade, fill.side)).collect::<Vec<_>>(),
        [(3, Buy), (4, Buy)]
    );
    let (now, third) = (bench.now, fills[0].order);
    let since = |since, of| {
        let fills = bench.exchange.fills_since(taker, MARKET, (since, of), 3);
        fills.iter().map(|fill| fill.fill.trade).collect::<Vec<_>>()
    };
    assert_eq!((since(now, None), since(now, Some(third))), (vec![1, 2, 3], vec![3]));
    assert!(since(Nanos(now.0 + 1), None).is_empty());
    assert_eq!(bench.exchange.orders_since(taker, MARKET, now, 2).len(), 2);
    assert!(bench.exchange.orders_since(taker, MARKET, Nanos(now.0 + 1), 2).is_empty());
    assert_eq!(bench.exchange.agg_trades(MARKET, None, 1)[0].id, 4);
    assert!(bench.exchange.fills(maker, MARKET, None, 10).iter().all(|fill| fill.fill.is_maker));
}
