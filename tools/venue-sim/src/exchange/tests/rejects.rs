//! Every cause of a refusal, provoked.

use crate::exchange::testing::{Bench, MARKET, amount, limit, market, named};
use crate::exchange::{
    AccountTerms, Bound, CancelScope, NewOrder, PercentPrice, Product, Rate, Reject, Size, Trigger,
    TriggerKind, TriggerSource,
};
use engine::ids::{AccountId, InstrumentId};
use engine::instrument::Status as MarketStatus;
use engine::num::Side::{Buy, Sell};
use engine::num::{Decimal, Price, Qty, Step};
use engine::order::Tif;
use engine::time::Nanos;

fn gtc(price: i64, qty: i64) -> NewOrder {
    limit(Buy, price, qty, Tif::Gtc)
}

#[test]
fn prices_and_quantities_outside_the_filters_are_refused_with_the_bound() {
    let mut bench = Bench::new(Product::Spot, |listing| {
        listing.filters.price_min = Price(10);
        listing.filters.price_max = Price(1_000);
        listing.instrument.lot = Qty(5);
        listing.instrument.qty_min = Qty(10);
        listing.instrument.qty_max = Qty(100);
        listing.filters.market_qty_max = Qty(50);
    });
    let account = bench.account(&[("USDT", "100000"), ("BTC", "10")]);
    let price = |bound, limit, value| {
        Err(Reject::Price { bound, limit: Price(limit), value: Price(value), is_trigger: false })
    };
    assert_eq!(bench.place(account, gtc(0, 10)), price(Bound::NotPositive, 0, 0));
    assert_eq!(bench.place(account, gtc(9, 10)), price(Bound::BelowMin, 10, 9));
    assert_eq!(bench.place(account, gtc(1_001, 10)), price(Bound::AboveMax, 1_000, 1_001));
    let lot = |bound, limit, value| Err(Reject::Lot { bound, limit: Qty(limit), value: Qty(value) });
    assert_eq!(bench.place(account, gtc(10, -1)), lot(Bound::NotPositive, 0, -1));
    assert_eq!(bench.place(account, gtc(10, 5)), lot(Bound::BelowMin, 10, 5));
    assert_eq!(bench.place(account, gtc(10, 105)), lot(Bound::AboveMax, 100, 105));
    assert_eq!(bench.place(account, gtc(10, 12)), lot(Bound::OffStep, 5, 12));
    let (bound, limit, value) = (Bound::AboveMax, Qty(50), Qty(60));
    assert_eq!(bench.place(account, market(Buy, 60)), Err(Reject::MarketLot { bound, limit, value }));
    assert!(bench.place(account, gtc(10, 10)).is_ok());
}

#[test]
fn prices_between_two_steps_are_refused() {
    let mut bench = Bench::new(Product::Spot, |listing| {
        listing.instrument.price_rule.tick = Step::parse(b"0.1").unwrap();
        listing.instrument.price_rule.significant_figures = Some(3);
    });
    let account = bench.account(&[("USDT", "100000")]);
    let (bound, limit, value, is_trigger) = (Bound::OffStep, Price(10), Price(12_345), false);
    assert_eq!(bench.place(account, gtc(12_345, 1)), Err(Reject::Price { bound, limit, value, is_trigger }));
    assert!(bench.place(account, gtc(12_340, 1)).is_ok());
}

#[test]
fn order_values_outside_the_filters_are_refused_with_the_bound() {
    let mut bench = Bench::new(Product::Spot, |listing| {
        listing.instrument.notional_min = Decimal::parse("10").unwrap();
        listing.filters.notional_max = amount("1000");
        listing.filters.notional_min_to_market = true;
    });
    let account = bench.account(&[("USDT", "100000"), ("BTC", "100")]);
    let notional =
        |bound, limit, value| Err(Reject::Notional { bound, limit: amount(limit), value: amount(value) });
    assert_eq!(bench.place(account, gtc(99, 1)), notional(Bound::BelowMin, "10", "9.9"));
    assert_eq!(bench.place(account, gtc(1_001, 10)), notional(Bound::AboveMax, "1000", "1001"));
    bench.limit(account, Sell, 100, 10);
    bench.limit(account, Buy, 100, 5);
    // The mean price of the trades is 100.
    assert!(bench.place(account, market(Buy, 1)).is_ok());
    bench.limit(account, Buy, 90, 10);
    bench.limit(account, Sell, 90, 10);
    assert_eq!(bench.place(account, market(Buy, 1)), notional(Bound::BelowMin, "10", "9"));
    let quote = |value: &str| NewOrder::market(MARKET, Buy, Size::Quote(amount(value)));
    assert_eq!(bench.place(account, quote("9")), notional(Bound::BelowMin, "10", "9"));
    assert_eq!(bench.place(account, quote("0")), notional(Bound::NotPositive, "0", "0"));
}

#[test]
fn prices_outside_the_band_are_refused_both_ways_on_spot_and_one_way_on_futures() {
    let band = PercentPrice {
        bid_up: Rate::parse("1.1").unwrap(),
        bid_down: Rate::parse("0.5").unwrap(),
        ask_up: Rate::parse("2").unwrap(),
        ask_down: Rate::parse("0.9").unwrap(),
        average_minutes: 0,
    };
    let percent =
        |bound, limit, value| Err(Reject::PercentPrice { bound, limit: Price(limit), value: Price(value) });
    for product in [Product::Spot, Product::Futures] {
        let mut bench = Bench::new(product, |listing| listing.filters.percent_price = Some(band));
        let account = bench.account(&[("USDT", "1000000")]);
        if product == Product::Spot {
            let asset = bench.exchange.asset("BTC").unwrap();
            bench.exchange.deposit(bench.now, account, asset, amount("100"), &mut bench.events).unwrap();
        }
        assert!(bench.place(account, gtc(900, 1)).is_ok(), "no reference price, no band");
        bench.exchange.cancel_all(bench.now, account, MARKET, CancelScope::All, &mut bench.events).unwrap();
        bench.limit(account, Sell, 101, 1);
        bench.limit(account, Buy, 101, 1);
        assert_eq!(bench.place(account, gtc(112, 1)), percent(Bound::AboveMax, 111, 112));
        assert_eq!(bench.place(account, limit(Sell, 90, 1, Tif::Gtc)), percent(Bound::BelowMin, 91, 90));
        let (low_bid, high_ask) =
            (bench.place(account, gtc(50, 1)), bench.place(account, limit(Sell, 203, 1, Tif::Gtc)));
        if product == Product::Spot {
            assert_eq!(low_bid, percent(Bound::BelowMin, 51, 50));
            assert_eq!(high_ask, percent(Bound::AboveMax, 202, 203));
        } else {
            assert!(low_bid.is_ok() && high_ask.is_ok());
        }
    }
}

#[test]
fn an_account_has_only_so_many_orders_and_so_many_that_wait() {
    let mut bench = Bench::new(Product::Spot, |listing| {
        listing.filters.orders_max = 3;
        listing.filters.conditional_orders_max = 1;
    });
    let account = bench.account(&[("USDT", "100000")]);
    let trigger = Trigger { price: Price(200), source: TriggerSource::Last, kind: TriggerKind::Stop };
    let stop = NewOrder { trigger: Some(trigger), ..gtc(210, 1) };
    bench.place(account, stop).unwrap();
    assert_eq!(bench.place(account, stop), Err(Reject::TooManyConditional { limit: 1 }));
    bench.place(account, gtc(10, 1)).unwrap();
    bench.place(account, gtc(10, 1)).unwrap();
    assert_eq!(bench.place(account, gtc(10, 1)), Err(Reject::TooManyOrders { limit: 3 }));
    let other = bench.account(&[("USDT", "100000")]);
    assert!(bench.place(other, gtc(10, 1)).is_ok());
}

#[test]
fn what_does_not_go_together_is_refused() {
    let mut spot = Bench::new(Product::Spot, |_| {});
    let account = spot.account(&[("USDT", "100000"), ("BTC", "10")]);
    let trigger = |source, kind| Some(Trigger { price: Price(50), source, kind });
    let of_futures = [
        NewOrder { reduce_only: true, ..gtc(10, 1) },
        NewOrder::market(MARKET, Sell, Size::Position),
        NewOrder { trigger: trigger(TriggerSource::Mark, TriggerKind::Stop), ..gtc(10, 1) },
        NewOrder { good_till: Some(Nanos(0)), ..gtc(10, 1) },
        NewOrder { good_till: Some(Nanos(9)), ..market(Buy, 1) },
    ];
    for order in of_futures {
        let answer = spot.place(account, order);
        assert!(matches!(answer, Err(Reject::Unsupported(_))), "{order:?}: {answer:?}");
    }
    let mut futures = Bench::new(Product::Futures, |_| {});
    let account = futures.account(&[("USDT", "100000")]);
    let quote = NewOrder::market(MARKET, Buy, Size::Quote(amount("10")));
    let whole = NewOrder {
        trigger: trigger(TriggerSource::Mark, TriggerKind::Stop),
        reduce_only: true,
        ..NewOrder::market(MARKET, Sell, Size::Position)
    };
    for order in [quote, whole] {
        assert!(matches!(futures.place(account, order), Err(Reject::Unsupported(_))), "{order:?}");
    }
}

#[test]
fn names_that_do_not_exist_and_closed_markets_are_refused() {
    let mut bench = Bench::new(Product::Spot, |_| {});
    let account = bench.account(&[("USDT", "100000")]);
    assert_eq!(bench.place(AccountId(99), gtc(10, 1)), Err(Reject::UnknownAccount));
    let elsewhere = NewOrder { market: InstrumentId(7), ..gtc(10, 1) };
    assert_eq!(bench.place(account, elsewhere), Err(Reject::UnknownMarket));
    bench.exchange.set_status(MARKET, MarketStatus::CancelOnly).unwrap();
    assert_eq!(bench.place(account, gtc(10, 1)), Err(Reject::MarketClosed));
    bench.exchange.set_status(MARKET, MarketStatus::Trading).unwrap();
    bench.place(account, named(gtc(10, 1), "a")).unwrap();
    assert_eq!(bench.place(account, named(gtc(10, 1), "a")), Err(Reject::DuplicateClientId));
    assert_eq!(
        bench.exchange.set_leverage(account, MARKET, 2),
        Err(Reject::Unsupported("leverage belongs to futures"))
    );
}

#[test]
fn numbers_that_no_market_has_are_refused_also_from_the_crowd() {
    let mut bench = Bench::new(Product::Spot, |listing| listing.instrument.qty_max = Qty(i64::MAX));
    let account = bench.account(&[("USDT", "100000")]);
    let crowd = bench.exchange.open_account(AccountTerms { reports: false, unlimited: true }).unwrap();
    for account in [account, crowd] {
        assert_eq!(bench.place(account, gtc(1 << 44, i64::MAX / 2)), Err(Reject::OutOfRange));
        assert_eq!(bench.place(account, gtc(1 << 43, 1 << 49)), Err(Reject::OutOfRange));
    }
    assert_eq!(bench.place(crowd, gtc(i64::MAX, 1)), Err(Reject::OutOfRange));
    assert_eq!(bench.place(crowd, gtc(0, 1)), Err(Reject::OutOfRange));
    assert!(bench.place(crowd, gtc(1 << 43, 1)).is_ok());
}
