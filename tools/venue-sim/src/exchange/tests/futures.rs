//! Positions, margin, funding, liquidation.

use crate::exchange::testing::{Bench, MARKET, amount, limit, market};
use crate::exchange::{
    AccountReason, Amount, Event, Execution, Expiry, HOUSE, NewOrder, Product, Rate, Reject, Status,
};
use engine::ids::AccountId;
use engine::num::Price;
use engine::num::Side::{Buy, Sell};
use engine::order::Tif;
use engine::time::Nanos;

/// A maker with much and a client with 1,000 at leverage 10; the mark price is 100.
fn bench() -> (Bench, [AccountId; 2]) {
    let mut bench = Bench::new(Product::Futures, |_| {});
    let accounts = [bench.account(&[("USDT", "900000")]), bench.account(&[("USDT", "1000")])];
    bench.exchange.set_index(MARKET, Price(100));
    bench.exchange.advance(Nanos::SECOND, &mut bench.events);
    bench.now = Nanos::SECOND;
    bench.events.clear();
    (bench, accounts)
}

impl Bench {
    /// Both sides rest at `price`, and the index is there: the next mark price will be.
    fn mark_at(&mut self, maker: AccountId, price: i64) {
        let all = crate::exchange::CancelScope::All;
        self.exchange.cancel_all(self.now, maker, MARKET, all, &mut self.events).unwrap();
        self.limit(maker, Buy, price - 1, 100_000 / price);
        self.limit(maker, Sell, price + 1, 100_000 / price);
        self.exchange.set_index(MARKET, Price(price));
        self.now = self.now.plus(Nanos::SECOND);
        self.exchange.advance(self.now, &mut self.events);
    }

    fn position(&self, account: AccountId) -> (i64, Amount) {
        let position = self.held(account).positions().next().unwrap();
        (position.qty.0, position.cost)
    }
}

#[test]
fn a_position_has_margin_at_the_mark_price_and_profit_goes_to_the_wallet() {
    let (mut bench, [maker, client]) = bench();
    let usdt = bench.exchange.asset("USDT").unwrap();
    bench.limit(maker, Sell, 100, 500);
    bench.limit(client, Buy, 100, 500);
    assert_eq!(bench.position(client), (500, amount("5000")));
    let margin = bench.exchange.margin(client, usdt);
    assert_eq!(
        (margin.initial, margin.maintenance, margin.available),
        (amount("500"), amount("50"), amount("500"))
    );
    bench.mark_at(maker, 104);
    let margin = bench.exchange.margin(client, usdt);
    assert_eq!((margin.unrealised, margin.initial), (amount("200"), amount("520")));
    assert_eq!(margin.available, amount("680"));
    bench.events.clear();
    bench.place(client, market(Sell, 200)).unwrap();
    // 20 sold at 103 that cost 100
    assert_eq!((bench.balance(client, "USDT").0, bench.position(client).0), (amount("1060"), 300));
    let fill = bench.exchange.fills(client, MARKET, None, 1)[0].fill;
    assert_eq!(fill.realised, amount("60"));
    let update = bench.events.iter().find_map(|event| match event {
        Event::Account(update) if update.account == client => Some(update),
        _ => None,
    });
    let update = update.unwrap();
    assert_eq!((update.reason, update.positions[0].position.qty.0), (AccountReason::Order, 300));
    assert_eq!(update.positions[0].unrealised, amount("120"));
}

#[test]
fn orders_need_margin_for_the_worse_of_both_sides_and_closing_ones_none() {
    let (mut bench, [maker, client]) = bench();
    bench.limit(maker, Sell, 100, 900);
    bench.limit(client, Buy, 100, 900);
    let refused = |available, needed| {
        Err(Reject::InsufficientMargin { available: amount(available), needed: amount(needed) })
    };
    assert_eq!(bench.place(client, limit(Buy, 100, 101, Tif::Gtc)), refused("100", "101"));
    // Selling what it holds, and as much again, exposes it to no more than it is exposed to now.
    assert!(bench.place(client, limit(Sell, 100, 1_800, Tif::Gtc)).is_ok());
    assert_eq!(bench.place(client, limit(Sell, 100, 101, Tif::Gtc)), refused("100", "101"));
    assert!(bench.place(client, limit(Buy, 100, 100, Tif::Ioc)).is_ok());
}

#[test]
fn leverage_is_held_to_the_brackets() {
    let (mut bench, [maker, client]) = bench();
    let set = |bench: &mut Bench, account, leverage| bench.exchange.set_leverage(account, MARKET, leverage);
    assert_eq!(set(&mut bench, client, 21), Err(Reject::Leverage { limit: 20 }));
    assert_eq!(set(&mut bench, client, 0), Err(Reject::Leverage { limit: 20 }));
    assert_eq!(set(&mut bench, client, 20), Ok(()));
    let (limit_value, value) = (amount("100000"), amount("100010"));
    let order = limit(Buy, 100, 10_001, Tif::Gtc);
    assert_eq!(bench.place(maker, order), Err(Reject::PositionLimit { limit: limit_value, value }));
    set(&mut bench, maker, 5).unwrap();
    bench.place(maker, order).unwrap();
    assert_eq!(set(&mut bench, maker, 6), Err(Reject::Leverage { limit: 5 }));
}

#[test]
fn reduce_only_orders_close_and_never_turn_a_position() {
    let (mut bench, [maker, client]) = bench();
    let reduce = |order| NewOrder { reduce_only: true, ..order };
    assert_eq!(bench.place(client, reduce(market(Sell, 1))), Err(Reject::ReduceOnly));
    bench.limit(maker, Sell, 100, 50);
    bench.limit(client, Buy, 100, 50);
    assert_eq!(bench.place(client, reduce(market(Buy, 1))), Err(Reject::ReduceOnly));
    let resting = bench.place(client, reduce(limit(Sell, 102, 80, Tif::Gtc))).unwrap();
    bench.place(maker, limit(Buy, 102, 30, Tif::Gtc)).unwrap();
    assert_eq!((bench.position(client).0, bench.status(client, resting)), (20, Status::PartiallyFilled));
    bench.limit(maker, Buy, 99, 100);
    let closing = bench.place(client, reduce(market(Sell, 70))).unwrap();
    assert_eq!((bench.position(client).0, bench.order(client, closing).filled.0), (0, 20));
    assert_eq!(bench.order(client, closing).expiry, Some(Expiry::ReduceOnly));
    // The position is gone, and the resting order with it.
    assert_eq!(bench.order(client, resting).expiry, Some(Expiry::ReduceOnly));
    assert!(bench.book()[1].is_empty());
}

#[test]
fn a_fill_or_kill_order_that_cannot_be_filled_is_refused_without_a_trace() {
    let (mut bench, [maker, client]) = bench();
    bench.limit(maker, Sell, 100, 5);
    bench.events.clear();
    assert_eq!(bench.place(client, limit(Buy, 100, 6, Tif::Fok)), Err(Reject::FokUnfilled));
    assert!(bench.events.is_empty());
    let id = bench.place(client, limit(Buy, 100, 5, Tif::Fok)).unwrap();
    assert_eq!(bench.status(client, id), Status::Filled);
}

#[test]
fn longs_pay_shorts_at_the_funding_times() {
    let (mut bench, [maker, client]) = bench();
    bench.limit(maker, Sell, 100, 500);
    bench.limit(client, Buy, 100, 500);
    bench.mark_at(maker, 100);
    bench.events.clear();
    let time = Nanos::from_ms(8 * 3_600_000);
    bench.exchange.advance(Nanos(time.0 - 1), &mut bench.events);
    assert!(!bench.events.iter().any(|event| matches!(event, Event::Funding(_))));
    bench.exchange.advance(time, &mut bench.events);
    let funding =
        bench.events.iter().find_map(|event| if let Event::Funding(f) = event { Some(*f) } else { None });
    let funding = funding.unwrap();
    assert_eq!((funding.time, funding.rate, funding.mark), (time, Rate::from_bps(1), Price(100)));
    // 50 at 100, 0.01 %
    assert_eq!(bench.balance(client, "USDT").0, amount("999.5"));
    assert_eq!(bench.balance(maker, "USDT").0, amount("900000.5"));
    assert_eq!(bench.balance(HOUSE, "USDT").0, amount("0"));
    let changes: Vec<_> = bench
        .events
        .iter()
        .filter_map(|event| if let Event::Account(update) = event { Some(update) } else { None })
        .filter(|update| update.reason == AccountReason::Funding)
        .map(|update| (update.account, update.balances[0].change))
        .collect();
    assert_eq!(changes, [(maker, amount("0.5")), (client, amount("-0.5"))]);
}

#[test]
fn an_account_short_of_maintenance_margin_loses_its_orders_then_its_position() {
    let (mut bench, [maker, client]) = bench();
    bench.limit(maker, Sell, 100, 900);
    bench.limit(client, Buy, 100, 900);
    let resting = bench.limit(client, Sell, 150, 10);
    bench.mark_at(maker, 91);
    assert_eq!(bench.position(client).0, 900, "91 leaves 190 of 81.9 maintenance margin");
    bench.events.clear();
    bench.mark_at(maker, 89);
    assert_eq!(bench.position(client).0, 0);
    assert_eq!(bench.order(client, resting).expiry, Some(Expiry::Liquidation));
    let found =
        bench.events.iter().find_map(|e| if let Event::Liquidation(l) = e { Some(**l) } else { None });
    let liquidation = found.unwrap();
    assert_eq!((liquidation.account, liquidation.order.side, liquidation.taken_over.0), (client, Sell, 0));
    assert!(
        liquidation.order.is_liquidation && liquidation.order.client_id.as_str().starts_with("autoclose-")
    );
    let forced = bench.events.iter().any(|event| {
        matches!(event, Event::Order(report)
            if report.order.is_liquidation && matches!(report.execution, Execution::Trade(_)))
    });
    assert!(forced);
    // 1,000 - 90 x 12 lost at 88: below zero, which the house pays.
    assert_eq!(bench.balance(client, "USDT").0, amount("0"));
    assert_eq!(bench.balance(HOUSE, "USDT").0, amount("-80"));
}

#[test]
fn what_nobody_buys_in_a_liquidation_the_house_takes_over_at_the_mark_price() {
    let (mut bench, [maker, client]) = bench();
    bench.limit(maker, Sell, 100, 900);
    bench.limit(client, Buy, 100, 900);
    bench.exchange.set_index(MARKET, Price(89));
    bench.place(maker, limit(Buy, 89, 100, Tif::Gtc)).unwrap();
    bench.place(maker, limit(Sell, 89, 1, Tif::Gtc)).unwrap();
    bench.exchange.advance(Nanos(3 * Nanos::SECOND.0), &mut bench.events);
    let found =
        bench.events.iter().find_map(|e| if let Event::Liquidation(l) = e { Some(**l) } else { None });
    let liquidation = found.unwrap();
    assert_eq!((liquidation.taken_over.0, bench.position(HOUSE)), (801, (801, amount("7128.9"))));
    // 1,000 - 90 x 11 = 10 are left, less than 1 % of 8,010: the house keeps them.
    assert_eq!(bench.balance(client, "USDT").0, amount("0"));
    assert_eq!(liquidation.fee, amount("10"));
}
