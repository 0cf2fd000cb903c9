//! Balances on spot: what is locked, paid, received and charged.

use crate::exchange::testing::{Bench, MARKET, amount, limit, market};
use crate::exchange::{
    AccountReason, AccountTerms, Event, Execution, HOUSE, NewOrder, Product, Rate, Reject, Size,
};
use engine::num::Side::{Buy, Sell};
use engine::order::Tif;

fn with_fees() -> Bench {
    Bench::new(Product::Spot, |listing| {
        listing.maker_fee = Rate::parse("0.001").unwrap();
        listing.taker_fee = Rate::parse("0.002").unwrap();
    })
}

#[test]
fn a_limit_order_locks_what_it_may_spend_and_gets_back_what_it_did_not() {
    let mut bench = with_fees();
    let maker = bench.account(&[("BTC", "10")]);
    let taker = bench.account(&[("USDT", "1000")]);
    bench.limit(maker, Sell, 100, 20);
    assert_eq!(bench.balance(maker, "BTC"), (amount("8"), amount("2")));
    let id = bench.limit(taker, Buy, 110, 50);
    // 2 at 100 paid; 3 at 110 locked; fee 0.2 % of 2 BTC received
    assert_eq!(bench.balance(taker, "USDT"), (amount("470"), amount("330")));
    assert_eq!(bench.balance(taker, "BTC"), (amount("1.996"), amount("0")));
    assert_eq!(bench.balance(maker, "USDT"), (amount("199.8"), amount("0")));
    assert_eq!(bench.balance(maker, "BTC"), (amount("8"), amount("0")));
    assert_eq!(bench.balance(HOUSE, "USDT").0, amount("0.2"));
    assert_eq!(bench.balance(HOUSE, "BTC").0, amount("0.004"));
    assert_eq!(bench.order(taker, id).remaining().0, 30);
    let fill = bench.exchange.fills(taker, MARKET, None, 1)[0].fill;
    assert_eq!((fill.fee, fill.value, fill.is_maker), (amount("0.004"), amount("200"), false));
    assert_eq!(bench.exchange.assets()[usize::from(fill.fee_asset.0)], "BTC");
}

#[test]
fn nobody_spends_more_than_is_free() {
    let mut bench = with_fees();
    let rich = bench.account(&[("BTC", "100"), ("USDT", "100000")]);
    let poor = bench.account(&[("USDT", "100"), ("BTC", "0.5")]);
    bench.limit(rich, Sell, 100, 5);
    bench.limit(rich, Sell, 200, 50);
    bench.limit(rich, Buy, 50, 100);
    let refused =
        |free, needed| Err(Reject::InsufficientBalance { free: amount(free), needed: amount(needed) });
    assert_eq!(bench.place(poor, limit(Buy, 101, 10, Tif::Gtc)), refused("100", "101"));
    assert_eq!(bench.place(poor, market(Buy, 8)), refused("100", "110"));
    assert_eq!(bench.place(poor, market(Sell, 6)), refused("0.5", "0.6"));
    assert_eq!(
        bench.place(poor, NewOrder::market(MARKET, Buy, Size::Quote(amount("101")))),
        refused("100", "101")
    );
    bench.limit(poor, Buy, 60, 10);
    assert_eq!(bench.place(poor, limit(Buy, 60, 10, Tif::Gtc)), refused("40", "60"));
    assert!(bench.place(poor, market(Sell, 5)).is_ok());
}

#[test]
fn deposits_and_withdrawals_are_reported_and_bounded() {
    let mut bench = with_fees();
    let account = bench.account(&[]);
    let asset = bench.exchange.asset("USDT").unwrap();
    bench.events.clear();
    let mut deposit =
        |text: &str| bench.exchange.deposit(bench.now, account, asset, amount(text), &mut bench.events);
    assert_eq!(deposit("100"), Ok(()));
    let needed = amount("101");
    assert_eq!(deposit("-101"), Err(Reject::InsufficientBalance { free: amount("100"), needed }));
    assert_eq!(deposit("-40"), Ok(()));
    assert_eq!(deposit("1000000000000"), Err(Reject::OutOfRange));
    let updates: Vec<_> = bench
        .events
        .iter()
        .filter_map(|event| if let Event::Account(update) = event { Some(update) } else { None })
        .map(|update| (update.reason, update.balances[0].change, update.balances[0].balance.free))
        .collect();
    let expected = [
        (AccountReason::Deposit, amount("100"), amount("100")),
        (AccountReason::Withdrawal, amount("-40"), amount("60")),
    ];
    assert_eq!(updates, expected);
}

#[test]
fn reports_come_for_accounts_that_report_and_are_numbered_without_gaps() {
    let mut bench = with_fees();
    let crowd = bench.exchange.open_account(AccountTerms { reports: false, unlimited: true }).unwrap();
    let client = bench.account(&[("USDT", "1000")]);
    bench.events.clear();
    let maker = bench.limit(crowd, Sell, 100, 5);
    assert!(bench.events.iter().all(|event| !matches!(event, Event::Order(_) | Event::Account(_))));
    let id = bench.limit(client, Buy, 100, 9);
    let reports: Vec<_> = bench
        .events
        .iter()
        .filter_map(|event| if let Event::Order(report) = event { Some(**report) } else { None })
        .collect();
    assert_eq!(reports.iter().map(|report| report.execution_id).collect::<Vec<_>>(), [1, 2]);
    assert!(matches!((reports[0].execution, reports[0].order.id), (Execution::New, of) if of == id));
    let Execution::Trade(fill) = reports[1].execution else { panic!("{:?}", reports[1]) };
    assert_eq!((fill.counter, fill.qty.0, reports[1].order.filled.0), (maker, 5, 5));
    let update =
        bench.events.iter().rev().find_map(|e| if let Event::Account(u) = e { Some(u) } else { None });
    assert_eq!(update.unwrap().balances.len(), 2);
    // The crowd owes what it sold.
    assert_eq!(bench.balance(crowd, "BTC").0, amount("-0.5"));
}
