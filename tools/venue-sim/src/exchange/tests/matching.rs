//! Who trades with whom, at what price, and what is said about it.

use crate::exchange::testing::{Bench, MARKET, amount, limit, market};
use crate::exchange::{
    Event, Execution, Expiry, NewOrder, OrderRef, Product, Reject, SelfTrade, Size, Status,
};
use engine::book::BookSide;
use engine::num::Side::{Buy, Sell};
use engine::order::Tif;

fn spot() -> (Bench, [engine::ids::AccountId; 2]) {
    let mut bench = Bench::new(Product::Spot, |_| {});
    let accounts = [(); 2].map(|()| bench.account(&[("BTC", "1000"), ("USDT", "1000000")]));
    bench.events.clear();
    (bench, accounts)
}

#[test]
fn the_best_price_trades_first_then_the_oldest_and_always_at_the_makers_price() {
    let (mut bench, [maker, taker]) = spot();
    let worse = bench.limit(maker, Sell, 102, 5);
    let first = bench.limit(maker, Sell, 101, 5);
    let second = bench.limit(maker, Sell, 101, 5);
    bench.events.clear();
    let taking = bench.limit(taker, Buy, 102, 12);
    let trades: Vec<_> = bench
        .events
        .iter()
        .filter_map(|event| if let Event::Trade(trade) = event { Some(trade) } else { None })
        .map(|trade| (trade.id, trade.price.0, trade.qty.0, trade.seller, trade.aggressor))
        .collect();
    assert_eq!(trades, [(1, 101, 5, first, Buy), (2, 101, 5, second, Buy), (3, 102, 2, worse, Buy)]);
    let aggregates: Vec<_> = bench
        .events
        .iter()
        .filter_map(|event| if let Event::AggTrade(agg) = event { Some(agg) } else { None })
        .map(|agg| (agg.id, agg.price.0, agg.qty.0, agg.first_trade, agg.last_trade))
        .collect();
    assert_eq!(aggregates, [(1, 101, 10, 1, 2), (2, 102, 2, 3, 3)]);
    assert_eq!(bench.status(taker, taking), Status::Filled);
    // 10 tenths at 101 and 2 at 102
    assert_eq!(bench.order(taker, taking).filled_value, amount("121.4"));
    assert_eq!(bench.status(maker, worse), Status::PartiallyFilled);
    assert_eq!(bench.book(), [vec![], vec![(102, 3)]]);
}

#[test]
fn levels_come_with_absolute_quantities_and_gap_free_ids_and_the_touch_when_it_changes() {
    let (mut bench, [maker, taker]) = spot();
    bench.limit(maker, Sell, 101, 5);
    bench.limit(maker, Sell, 101, 2);
    bench.limit(maker, Sell, 103, 4);
    bench.limit(taker, Buy, 101, 9);
    let mut levels = Vec::new();
    let mut quotes = Vec::new();
    for event in &bench.events {
        match event {
            Event::Level(change) => {
                levels.push((change.update_id, change.side, change.level.price.0, change.level.qty.0));
            }
            Event::Quote(quote) => {
                quotes.push((quote.update_id, quote.bid.map(|l| l.price.0), quote.ask.map(|l| l.qty.0)));
            }
            _ => {}
        }
    }
    let (bid, ask) = (BookSide::Bid, BookSide::Ask);
    assert_eq!(
        levels,
        [(1, ask, 101, 5), (2, ask, 101, 7), (3, ask, 103, 4), (4, bid, 101, 2), (5, ask, 101, 0)]
    );
    assert_eq!(quotes, [(1, None, Some(5)), (2, None, Some(7)), (5, Some(101), Some(4))]);
    assert_eq!(bench.exchange.depth(MARKET, 1).unwrap().last_update_id, 5);
}

#[test]
fn what_an_order_may_not_keep_expires() {
    let (mut bench, [maker, taker]) = spot();
    bench.limit(maker, Sell, 101, 5);
    let ioc = bench.place(taker, limit(Buy, 101, 8, Tif::Ioc)).unwrap();
    assert_eq!(bench.order(taker, ioc).expiry, Some(Expiry::IocRemainder));
    assert_eq!(bench.order(taker, ioc).filled.0, 5);
    bench.limit(maker, Sell, 101, 5);
    let fok = bench.place(taker, limit(Buy, 101, 6, Tif::Fok)).unwrap();
    assert_eq!((bench.status(taker, fok), bench.order(taker, fok).filled.0), (Status::Expired, 0));
    assert_eq!(bench.order(taker, fok).expiry, Some(Expiry::FokUnfilled));
    let fok = bench.place(taker, limit(Buy, 101, 5, Tif::Fok)).unwrap();
    assert_eq!(bench.status(taker, fok), Status::Filled);
    let alone = bench.place(taker, market(Buy, 1)).unwrap();
    assert_eq!(bench.order(taker, alone).expiry, Some(Expiry::NoLiquidity));
    assert_eq!(bench.book(), [vec![], vec![]]);
    assert_eq!(bench.balance(taker, "USDT").1, amount("0"));
}

#[test]
fn a_post_only_order_that_would_take_is_refused_without_a_trace() {
    let (mut bench, [maker, taker]) = spot();
    bench.limit(maker, Sell, 101, 5);
    bench.events.clear();
    assert_eq!(bench.place(taker, limit(Buy, 101, 1, Tif::PostOnly)), Err(Reject::WouldTake));
    assert!(bench.events.is_empty());
    let id = bench.place(taker, limit(Buy, 100, 1, Tif::PostOnly)).unwrap();
    assert!(bench.order(taker, id).is_in_book());
}

#[test]
fn a_market_order_for_a_quote_amount_takes_whole_lots_within_it() {
    let (mut bench, [maker, taker]) = spot();
    bench.limit(maker, Sell, 100, 5);
    bench.limit(maker, Sell, 110, 50);
    // 50 buys five tenths at 100, then 6 tenths at 11 each
    let order = NewOrder::market(MARKET, Buy, Size::Quote(amount("121")));
    let id = bench.place(taker, order).unwrap();
    let order = bench.order(taker, id);
    assert_eq!((order.status, order.qty.0, order.filled_value), (Status::Filled, 11, amount("116")));
    let id = bench.place(taker, NewOrder::market(MARKET, Buy, Size::Quote(amount("10.9")))).unwrap();
    assert_eq!(bench.order(taker, id).expiry, Some(Expiry::NoLiquidity));
    bench.limit(maker, Buy, 90, 50);
    let id = bench.place(taker, NewOrder::market(MARKET, Sell, Size::Quote(amount("20")))).unwrap();
    assert_eq!(bench.order(taker, id).filled_value, amount("18"));
}

#[test]
fn orders_of_one_account_meet_as_their_prevention_mode_says() {
    let modes = [SelfTrade::Allow, SelfTrade::ExpireTaker, SelfTrade::ExpireMaker, SelfTrade::ExpireBoth];
    let mut ends = Vec::new();
    for mode in modes {
        let (mut bench, [other, own]) = spot();
        let resting = bench.limit(own, Sell, 100, 5);
        bench.limit(other, Sell, 100, 5);
        bench.events.clear();
        let order = NewOrder { self_trade: Some(mode), ..limit(Buy, 100, 7, Tif::Gtc) };
        let id = bench.place(own, order).unwrap();
        let (taker, maker) = (*bench.order(own, id), *bench.order(own, resting));
        ends.push((taker.status, taker.filled.0, taker.prevented.0, maker.status, maker.prevented.0));
        let prevented =
            bench.executions().iter().filter(|(_, e)| matches!(e, Execution::Prevented { .. })).count();
        assert_eq!(prevented, usize::from(taker.prevented.0 > 0) + usize::from(maker.prevented.0 > 0));
        let open = bench.exchange.open_orders(own, None);
        let locked = [("USDT", Buy), ("BTC", Sell)].map(|(asset, side)| {
            let any = open.iter().any(|order| order.side == side);
            any == (bench.balance(own, asset).1 > amount("0"))
        });
        assert_eq!(locked, [true, true], "locks of {mode:?}");
    }
    use Status::{ExpiredInMatch, Filled, New, PartiallyFilled};
    assert_eq!(ends[0], (Filled, 7, 0, Filled, 0));
    assert_eq!(ends[1], (ExpiredInMatch, 0, 7, New, 0));
    assert_eq!(ends[2], (PartiallyFilled, 5, 0, ExpiredInMatch, 5));
    assert_eq!(ends[3], (ExpiredInMatch, 0, 7, ExpiredInMatch, 5));
}

#[test]
fn an_order_ends_at_its_good_till_time() {
    let (mut bench, [maker, _]) = spot();
    let order = NewOrder { good_till: Some(engine::time::Nanos(50)), ..limit(Buy, 90, 1, Tif::Gtc) };
    let id = bench.place(maker, order).unwrap();
    assert_eq!(bench.exchange.next_due().0, 50);
    bench.exchange.advance(engine::time::Nanos(49), &mut bench.events);
    assert_eq!(bench.status(maker, id), Status::New);
    bench.exchange.advance(engine::time::Nanos(50), &mut bench.events);
    assert_eq!(bench.exchange.order(maker, MARKET, OrderRef::Id(id)).unwrap().expiry, Some(Expiry::GoodTill));
    assert_eq!((bench.balance(maker, "USDT").1, bench.book()), (amount("0"), [vec![], vec![]]));
}
