//! Random requests of several accounts: nothing is created or lost but by deposits, nobody spends what it does not
//! have, the stream of level changes is the book, and the same requests give the same events.

use engine::book::BookSide;
use engine::ids::{AccountId, InstrumentId};
use engine::num::{Price, Qty, Side};
use engine::order::Tif;
use engine::time::Nanos;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use std::collections::BTreeMap;
use venue_sim::exchange::{
    AccountTerms, Amend, Amount, AssetId, Cancel, CancelOnly, CancelScope, Event, Events, Exchange, HOUSE,
    Kind, NewOrder, OrderId, OrderRef, Product, SelfTrade, Size, Trigger, TriggerKind, TriggerSource,
};
use venue_sim::markets;

const MARKET: InstrumentId = InstrumentId(0);
const CLIENTS: u16 = 3;
/// Ticks around which everything happens: 60,000 USDT.
const MIDDLE: i64 = 600_000;

#[derive(Clone, Debug)]
enum Request {
    Place { account: u16, order: NewOrder },
    Cancel { account: u16, which: usize },
    Amend { account: u16, which: usize, price: i64, lots: i64, keeps_place: bool },
    CancelAll { account: u16 },
    Replace { account: u16, which: usize, order: NewOrder },
    Index { price: i64 },
    Wait { ms: u64 },
}

/// An exchange of one market, what was put in, and what a client would know of its book.
struct Run {
    exchange: Exchange,
    product: Product,
    now: Nanos,
    tick_scale: i64,
    lot: i64,
    deposited: Vec<Amount>,
    ids: Vec<OrderId>,
    book: BTreeMap<(BookSide, i64), i64>,
    update_id: u64,
    trade_id: u64,
    events: Events,
}

impl Run {
    fn new(product: Product) -> Self {
        let config = markets::config(product, &["BTCUSDT"], Nanos(0)).unwrap();
        let instrument = &config.listings[0].instrument;
        let tick_scale = if product == Product::Spot { 10 } else { 1 };
        let lot = instrument.lot.0;
        let mut exchange = Exchange::new(&config).unwrap();
        let mut deposited = vec![Amount::ZERO; exchange.assets().len()];
        let mut events = Vec::new();
        for account in 1..=CLIENTS {
            // The last one is one of the crowd.
            let is_crowd = account == CLIENTS;
            let terms = AccountTerms { reports: !is_crowd, unlimited: is_crowd };
            assert_eq!(exchange.open_account(terms), Some(AccountId(account)));
            let usdt = if product == Product::Spot { "100000" } else { "300" };
            for (asset, amount) in [("USDT", usdt), ("BTC", "2")] {
                let (asset, amount) = (exchange.asset(asset).unwrap(), Amount::parse(amount).unwrap());
                exchange.deposit(Nanos(0), AccountId(account), asset, amount, &mut events).unwrap();
                deposited[usize::from(asset.0)] += amount;
            }
        }
        Self {
            exchange,
            product,
            now: Nanos(1),
            tick_scale,
            lot,
            deposited,
            ids: Vec::new(),
            book: BTreeMap::new(),
            update_id: 0,
            trade_id: 0,
            events: Vec::new(),
        }
    }

    fn run(&mut self, request: &Request) {
        let mut events = Vec::new();
        let (now, own) = (self.now, |account: u16| AccountId(1 + account % CLIENTS));
        match request {
            Request::Place { account, order } => {
                let placed = self.exchange.place(now, own(*account), &self.scaled(order), &mut events);
                self.ids.extend(placed);
                assert!(placed.is_ok() || events.is_empty(), "a refused order left {events:?}");
            }
            Request::Cancel { account, which } => {
                let _ = self.exchange.cancel(now, own(*account), &self.cancel(*which), &mut events);
            }
            Request::Amend { account, which, price, lots, keeps_place } => {
                let Cancel { order, .. } = self.cancel(*which);
                let price = (!keeps_place).then_some(Price((MIDDLE + price) * self.tick_scale));
                let qty = Qty(lots * self.lot);
                let amend = Amend { price, qty, client_id: None, keeps_place: *keeps_place };
                let _ = self.exchange.amend(now, own(*account), MARKET, order, &amend, &mut events);
            }
            Request::CancelAll { account } => {
                self.exchange.cancel_all(now, own(*account), MARKET, CancelScope::All, &mut events).unwrap();
            }
            Request::Replace { account, which, order } => {
                let (cancel, order) = (self.cancel(*which), self.scaled(order));
                let account = own(*account);
                let done = self.exchange.cancel_replace(now, account, &cancel, false, &order, &mut events);
                self.ids.extend(done.ok().and_then(|done| done.placed).and_then(Result::ok));
            }
            Request::Index { price } => self.exchange.set_index(MARKET, Price(MIDDLE + price)),
            Request::Wait { ms } => {
                self.now = self.now.plus(Nanos::from_ms(*ms));
                self.exchange.advance(self.now, &mut events);
            }
        }
        self.follow(&events);
        self.check();
        self.events.extend(events);
    }

    fn cancel(&self, which: usize) -> Cancel {
        let id = self.ids.get(which % self.ids.len().max(1)).copied().unwrap_or_default();
        Cancel { market: MARKET, order: OrderRef::Id(id), request_id: None, only: CancelOnly::Any }
    }

    /// The order with prices around the middle and quantities in lots.
    fn scaled(&self, order: &NewOrder) -> NewOrder {
        let price = |price: Price| Price((MIDDLE + price.0) * self.tick_scale);
        let mut order = *order;
        if let Kind::Limit { price: limit, .. } = &mut order.kind {
            *limit = price(*limit);
        }
        if let Some(trigger) = &mut order.trigger {
            trigger.price = price(trigger.price);
        }
        if let Size::Base(qty) = order.size {
            order.size = Size::Base(Qty(qty.0 * self.lot));
        }
        order
    }

    /// Applies what a client sees to what it knows.
    fn follow(&mut self, events: &Events) {
        for event in events {
            match event {
                Event::Level(change) => {
                    self.update_id += 1;
                    assert_eq!(change.update_id, self.update_id);
                    let key = (change.side, change.level.price.0);
                    if change.level.qty.0 == 0 {
                        self.book.remove(&key);
                    } else {
                        self.book.insert(key, change.level.qty.0);
                    }
                }
                Event::Trade(trade) => {
                    self.trade_id += 1;
                    assert_eq!(trade.id, self.trade_id);
                }
                Event::Quote(quote) => {
                    assert!(quote.bid.zip(quote.ask).is_none_or(|(b, a)| b.price < a.price));
                }
                _ => {}
            }
        }
    }

    fn check(&self) {
        let depth = self.exchange.depth(MARKET, usize::MAX).unwrap();
        assert_eq!(depth.last_update_id, self.update_id);
        let sides = [(BookSide::Bid, depth.bids), (BookSide::Ask, depth.asks)];
        let book: BTreeMap<_, _> = sides
            .iter()
            .flat_map(|(side, levels)| levels.iter().map(|level| ((*side, level.price.0), level.qty.0)))
            .collect();
        assert_eq!(book, self.book, "the stream is not the book");

        let accounts: Vec<_> =
            (0..=CLIENTS).map(|id| self.exchange.account(AccountId(id)).unwrap()).collect();
        for (index, deposited) in self.deposited.iter().enumerate() {
            // What a position cost has not been paid: it is owed at its price until it is closed.
            let held = accounts.iter().map(|account| {
                let costs: Amount = account.positions().map(|position| position.cost).sum();
                let is_margin = self.product == Product::Futures && self.exchange.assets()[index] == "USDT";
                let total = account.balances()[index].total();
                if is_margin { total - costs } else { total }
            });
            assert_eq!(held.sum::<Amount>(), *deposited, "sum of {}", self.exchange.assets()[index]);
        }
        let positions = accounts.iter().map(|account| account.positions().map(|p| p.qty.0).sum::<i64>());
        assert_eq!(positions.sum::<i64>(), 0, "contracts are owed by somebody");
        for (id, account) in (0..).zip(&accounts).filter(|(id, _)| (1..CLIENTS).contains(id)) {
            let open = self.exchange.open_orders(AccountId(id), None);
            for (index, balance) in account.balances().iter().enumerate() {
                assert!(balance.locked >= Amount::ZERO);
                if self.product == Product::Spot {
                    assert!(balance.free >= Amount::ZERO, "{id} owes {balance:?}");
                    let asset = AssetId(u16::try_from(index).unwrap());
                    let locked = open.iter().map(|order| self.locks(order, asset));
                    assert_eq!(locked.sum::<Amount>(), balance.locked, "locks of {id}");
                }
            }
            assert!(open.iter().all(|order| order.is_in_book() || order.trigger.is_some()));
        }
    }

    /// What an open order must keep locked of an asset.
    fn locks(&self, order: &venue_sim::exchange::Order, asset: AssetId) -> Amount {
        let market = self.exchange.market(MARKET).unwrap();
        let price = order.kind.price().or(order.trigger.map(|trigger| trigger.price)).unwrap();
        match order.side {
            Side::Buy if asset == market.quote_asset() => market.value(price, order.remaining()),
            // One unit is 10^-8 of the base.
            Side::Sell if asset == market.base() => Amount(i128::from(order.remaining().0) * 10_i128.pow(10)),
            _ => Amount::ZERO,
        }
    }
}

fn side() -> impl Strategy<Value = Side> {
    any::<bool>().prop_map(|buy| if buy { Side::Buy } else { Side::Sell })
}

fn kind() -> impl Strategy<Value = Kind> {
    let tif =
        prop_oneof![4 => Just(Tif::Gtc), 1 => Just(Tif::Ioc), 1 => Just(Tif::Fok), 1 => Just(Tif::PostOnly)];
    prop_oneof![
        5 => (-40..40_i64, tif).prop_map(|(price, tif)| Kind::Limit { price: Price(price), tif }),
        2 => Just(Kind::Market),
    ]
}

fn size() -> impl Strategy<Value = Size> {
    prop_oneof![
        12 => (1..40_i64).prop_map(|lots| Size::Base(Qty(lots))),
        2 => (5..3_000_i128).prop_map(|usdt| Size::Quote(Amount(usdt * 10_i128.pow(18)))),
        1 => Just(Size::Position),
    ]
}

fn trigger() -> impl Strategy<Value = Option<Trigger>> {
    let source = prop_oneof![Just(TriggerSource::Last), Just(TriggerSource::Mark)];
    let kind = prop_oneof![Just(TriggerKind::Stop), Just(TriggerKind::TakeProfit)];
    let trigger = (-60..60_i64, source, kind);
    let trigger = trigger.prop_map(|(price, source, kind)| Trigger { price: Price(price), source, kind });
    prop_oneof![4 => Just(None), 1 => trigger.prop_map(Some)]
}

fn order() -> impl Strategy<Value = NewOrder> {
    let modes = [SelfTrade::Allow, SelfTrade::ExpireTaker, SelfTrade::ExpireMaker, SelfTrade::ExpireBoth];
    let mode = prop::sample::select(modes.to_vec());
    (side(), kind(), size(), trigger(), prop::bool::weighted(0.2), mode).prop_map(
        |(side, kind, size, trigger, reduce_only, mode)| NewOrder {
            market: MARKET,
            side,
            kind,
            size,
            trigger,
            reduce_only,
            self_trade: Some(mode),
            client_id: None,
            good_till: None,
        },
    )
}

fn request() -> impl Strategy<Value = Request> {
    let which = any::<usize>;
    prop_oneof![
        12 => (any::<u16>(), order()).prop_map(|(account, order)| Request::Place { account, order }),
        3 => (any::<u16>(), which()).prop_map(|(account, which)| Request::Cancel { account, which }),
        3 => (any::<u16>(), which(), -40..40_i64, 1..40_i64, any::<bool>()).prop_map(
            |(account, which, price, lots, keeps_place)| Request::Amend { account, which, price, lots, keeps_place }
        ),
        1 => any::<u16>().prop_map(|account| Request::CancelAll { account }),
        1 => (any::<u16>(), which(), order())
            .prop_map(|(account, which, order)| Request::Replace { account, which, order }),
        2 => prop_oneof![-30_000..30_000_i64, -200_000..200_000_i64, Just(0)].prop_map(|price| Request::Index { price }),
        3 => prop_oneof![1..2_000_u64, Just(9 * 3_600_000)].prop_map(|ms| Request::Wait { ms }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn spot_keeps_every_balance(requests in prop::collection::vec(request(), 1..150)) {
        all(Product::Spot, &requests);
    }

    #[test]
    fn futures_keep_every_balance(requests in prop::collection::vec(request(), 1..150)) {
        all(Product::Futures, &requests);
    }
}

fn all(product: Product, requests: &[Request]) {
    let mut runs = [Run::new(product), Run::new(product)];
    for run in &mut runs {
        for request in requests {
            run.run(request);
        }
    }
    assert_eq!(runs[0].events, runs[1].events, "the same requests gave other events");
    let fees = runs[0].exchange.account(HOUSE).unwrap().balances().iter().map(|balance| balance.free);
    assert!(product == Product::Futures || fees.into_iter().all(|fee| fee >= Amount::ZERO));
}

#[test]
fn random_requests_trade_wake_stops_and_liquidate() {
    // What the properties above hold over: a seeded sample must reach every part.
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut seen = [0_usize; 5];
    for _ in 0..60 {
        let requests = prop::collection::vec(request(), 150).new_tree(&mut runner).unwrap().current();
        let mut run = Run::new(Product::Futures);
        requests.iter().for_each(|request| run.run(request));
        for event in &run.events {
            match event {
                Event::Trade(_) => seen[0] += 1,
                Event::Liquidation(_) => seen[1] += 1,
                Event::Funding(_) => seen[2] += 1,
                Event::Order(report) => match report.execution {
                    venue_sim::exchange::Execution::Triggered => seen[3] += 1,
                    venue_sim::exchange::Execution::Prevented { .. } => seen[4] += 1,
                    _ => {}
                },
                _ => {}
            }
        }
    }
    assert!(
        seen.iter().all(|count| *count > 0),
        "trades, liquidations, funding, stops, preventions: {seen:?}"
    );
}
