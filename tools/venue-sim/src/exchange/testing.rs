//! Markets with round numbers for the tests of this room.

use super::{
    Account, AccountTerms, Amount, AssetId, Bracket, ClientId, Event, Events, Exchange, ExchangeConfig,
    Execution, Filters, FuturesTerms, Listing, NewOrder, Order, OrderId, OrderRef, Product, Rate, Reject,
    SelfTrade, Size, Status,
};
use engine::ids::{AccountId, InstrumentId, VenueId};
use engine::instrument::{ContractKind, Instrument, PriceRule, Status as MarketStatus};
use engine::num::{Decimal, Price, Qty, Side, Step};
use engine::order::Tif;
use engine::time::Nanos;

/// The only market.
pub(super) const MARKET: InstrumentId = InstrumentId(0);

pub(super) fn amount(text: &str) -> Amount {
    Amount::parse(text).unwrap()
}

/// 100,000 at leverage 20, 1,000,000 at 5.
pub(super) fn futures_terms() -> FuturesTerms {
    let bracket = |cap: &str, leverage_max, rate: &str, deduction: &str| Bracket {
        notional_cap: amount(cap),
        leverage_max,
        maintenance_rate: Rate::parse(rate).unwrap(),
        maintenance_deduction: amount(deduction),
    };
    FuturesTerms {
        brackets: vec![bracket("100000", 20, "0.01", "0"), bracket("1000000", 5, "0.05", "4000")],
        leverage: 10,
        funding_interval: Nanos::from_ms(8 * 3_600_000),
        interest: Rate::parse("0.0001").unwrap(),
        funding_rate_max: Rate::parse("0.02").unwrap(),
        liquidation_fee: Rate::parse("0.01").unwrap(),
        mark_interval: Nanos::SECOND,
    }
}

/// Prices in whole quote units, quantities in tenths of the base; no fees.
pub(super) fn listing(product: Product) -> Listing {
    let step = |text: &str| Step::parse(text.as_bytes()).unwrap();
    let is_spot = product == Product::Spot;
    Listing {
        instrument: Instrument {
            id: MARKET,
            venue_id: VenueId(0),
            venue: "sim".into(),
            symbol: "BTCUSDT".into(),
            base: "BTC".into(),
            quote: "USDT".into(),
            kind: if is_spot { ContractKind::Spot } else { ContractKind::Linear },
            price_rule: PriceRule { tick: step("1"), significant_figures: None },
            qty_unit: step("0.1"),
            lot: Qty(1),
            qty_min: Qty(1),
            qty_max: Qty(1_000_000),
            notional_min: Decimal::ZERO,
            contract_size: Step::ONE,
            status: MarketStatus::Trading,
            source: "test".into(),
        },
        filters: Filters::default(),
        maker_fee: Rate(0),
        taker_fee: Rate(0),
        self_trade: SelfTrade::Allow,
        futures: (!is_spot).then(futures_terms),
    }
}

/// An exchange, its events, and the time, which stands still unless a test moves it.
pub(super) struct Bench {
    pub(super) exchange: Exchange,
    pub(super) events: Events,
    pub(super) now: Nanos,
}

impl Bench {
    pub(super) fn new(product: Product, change: impl FnOnce(&mut Listing)) -> Self {
        let mut listing = listing(product);
        change(&mut listing);
        let config = ExchangeConfig {
            product,
            listings: vec![listing],
            other_assets: vec![],
            opened: Nanos(0),
            ended_orders_kept: 1_000,
            trades_kept: 1_000,
        };
        Self { exchange: Exchange::new(&config).unwrap(), events: Vec::new(), now: Nanos(1) }
    }

    /// An account that reports, with these amounts.
    pub(super) fn account(&mut self, balances: &[(&str, &str)]) -> AccountId {
        let id = self.exchange.open_account(AccountTerms { reports: true, unlimited: false }).unwrap();
        for (asset, text) in balances {
            let asset = self.exchange.asset(asset).unwrap();
            self.exchange.deposit(self.now, id, asset, amount(text), &mut self.events).unwrap();
        }
        id
    }

    pub(super) fn place(&mut self, account: AccountId, order: NewOrder) -> Result<OrderId, Reject> {
        self.exchange.place(self.now, account, &order, &mut self.events)
    }

    /// A limit order that must be taken.
    pub(super) fn limit(&mut self, account: AccountId, side: Side, price: i64, qty: i64) -> OrderId {
        self.place(account, limit(side, price, qty, Tif::Gtc)).unwrap()
    }

    pub(super) fn order(&self, account: AccountId, id: OrderId) -> &Order {
        self.exchange.order(account, MARKET, OrderRef::Id(id)).unwrap()
    }

    pub(super) fn status(&self, account: AccountId, id: OrderId) -> Status {
        self.order(account, id).status
    }

    pub(super) fn held(&self, account: AccountId) -> &Account {
        self.exchange.account(account).unwrap()
    }

    /// Free and locked.
    pub(super) fn balance(&self, account: AccountId, asset: &str) -> (Amount, Amount) {
        let AssetId(asset) = self.exchange.asset(asset).unwrap();
        let balance = self.held(account).balances()[usize::from(asset)];
        (balance.free, balance.locked)
    }

    /// The executions that were reported since the last call, with the orders' numbers.
    pub(super) fn executions(&mut self) -> Vec<(u64, Execution)> {
        let events = self.events.drain(..);
        let report = |event| if let Event::Order(report) = event { Some(report) } else { None };
        events.filter_map(report).map(|report| (report.order.id.0, report.execution)).collect()
    }

    /// Bids and asks as (price, quantity).
    pub(super) fn book(&self) -> [Vec<(i64, i64)>; 2] {
        let depth = self.exchange.depth(MARKET, 100).unwrap();
        [depth.bids, depth.asks].map(|side| side.iter().map(|level| (level.price.0, level.qty.0)).collect())
    }
}

pub(super) fn limit(side: Side, price: i64, qty: i64, tif: Tif) -> NewOrder {
    NewOrder::limit(MARKET, side, Price(price), Qty(qty), tif)
}

pub(super) fn market(side: Side, qty: i64) -> NewOrder {
    NewOrder::market(MARKET, side, Size::Base(Qty(qty)))
}

pub(super) fn named(order: NewOrder, name: &str) -> NewOrder {
    NewOrder { client_id: ClientId::new(name), ..order }
}
