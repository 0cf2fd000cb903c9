//! What the tests and the bench of the codec share: instruments, the documented key, and a gate that lets every
//! sound order through.

#![allow(dead_code, reason = "each user needs a part of it")]

use engine::ids::{AccountId, InstrumentId, StrategyId, VenueId};
use engine::instrument::{ContractKind, Instrument, InstrumentTable, PriceRule, Status};
use engine::num::{Decimal, Level, Price, Qty, Side, Step};
use engine::order::{Order, OrderKind, OrderState, Terms, Tif};
use engine::risk::{Approved, Exposure, Gate, Market, Proposal, RiskConfig};
use engine::time::Nanos;
use wire::sign::{Ed25519Key, HmacKey, Secret};

/// The key pair that Binance's public documentation prints (dossier, section 5.1).
pub(crate) const API_KEY: &str = "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A";
pub(crate) const SECRET: &str = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j";

/// The key of RFC 8032, test 1, as PKCS#8.
pub(crate) const ED25519_PEM: &str = "-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g
-----END PRIVATE KEY-----
";

pub(crate) fn hmac_key() -> HmacKey {
    HmacKey::new(&Secret::new(SECRET.into()))
}

pub(crate) fn ed25519_key() -> Ed25519Key {
    Ed25519Key::from_pkcs8(&Secret::new(ED25519_PEM.into())).unwrap()
}

/// Spot, USD-M and COIN-M, with ids 0, 1, 2.
pub(crate) fn instruments() -> [Instrument; 3] {
    [
        instrument(0, ContractKind::Spot, "BTCUSDT", "0.01", "0.00000001"),
        instrument(1, ContractKind::Linear, "BTCUSDT", "0.10", "0.001"),
        instrument(2, ContractKind::Inverse, "BTCUSD_PERP", "0.1", "1"),
    ]
}

pub(crate) fn instrument(id: u32, kind: ContractKind, symbol: &str, tick: &str, unit: &str) -> Instrument {
    let step = |text: &str| Step::parse(text.as_bytes()).unwrap();
    Instrument {
        id: InstrumentId(id),
        venue_id: VenueId(0),
        venue: "binance".into(),
        symbol: symbol.into(),
        base: "BTC".into(),
        quote: "USDT".into(),
        kind,
        price_rule: PriceRule { tick: step(tick), significant_figures: None },
        qty_unit: step(unit),
        lot: Qty(1),
        qty_min: Qty(1),
        qty_max: Qty(i64::MAX),
        notional_min: Decimal::ZERO,
        contract_size: Step::ONE,
        status: Status::Trading,
        source: "test".into(),
    }
}

pub(crate) fn order(instrument: u32, side: Side, tif: Tif, price: i64, qty: i64) -> Order {
    Order {
        seq: 1,
        instrument: InstrumentId(instrument),
        strategy: StrategyId(1),
        account: AccountId(0),
        side,
        level: Level { price: Price(price), qty: Qty(qty) },
        amend: Level::default(),
        tif,
        terms: Terms::LIMIT,
        filled: Qty(0),
        state: OrderState::PendingCreate,
    }
}

/// Limits that no order here reaches.
pub(crate) fn limits() -> RiskConfig {
    let much = Decimal { mantissa: 10_i128.pow(21), exponent: 0, digits: 0 };
    RiskConfig {
        whitelist: vec!["*".into()],
        blacklist: vec![],
        order_notional_max: much,
        order_lots_max: None,
        position_notional_max: much,
        position_lots_max: None,
        portfolio_gross_max: much,
        portfolio_net_max: much,
        venue_gross_max: much,
        venue_net_max: much,
        asset_gross_max: much,
        asset_net_max: much,
        collar_bps: 10_000,
        book_age_ms_max: 1,
        open_orders_max: 1,
        orders_per_s_max: 1,
        cancels_per_s_max: 1,
        duplicate_ns: 1,
    }
}

/// The order, through the gate with limits that no order here reaches.
pub(crate) fn approved(order: Order, instrument: &Instrument) -> Approved {
    // The gate knows instruments by their place.
    let mut table = InstrumentTable::default();
    for place in 0..instrument.id.0 {
        table.add(Instrument { symbol: format!("OTHER{place}"), ..instrument.clone() });
    }
    table.add(instrument.clone());
    let touch = match order.terms.kind {
        OrderKind::Limit => order.level.price,
        OrderKind::Market => Price(1_000_000),
        // A tick before the trigger.
        OrderKind::Stop | OrderKind::StopLimit => Price(order.terms.trigger.0 - order.side.signed(Qty(1)).0),
    };
    let touch = Level { price: touch, qty: Qty(1) };
    let market = Market { bid: touch, ask: touch, state: 0, confirmed: Nanos(0) };
    let reducible = if order.terms.reduce_only { order.level.qty } else { Qty(0) };
    let position = order.side.opposite().signed(reducible);
    let exposure = Exposure { position, net: position, ..Exposure::default() };
    let mut gate = Gate::new(limits().check().unwrap(), &table).unwrap();
    gate.approve(Proposal::New(order), instrument, &market, &exposure, Nanos(0)).unwrap()
}
