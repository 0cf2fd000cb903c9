//! The gate asked one thing after the other.

use super::limits::tests::{config, decimal};
use super::*;
use crate::ids::{AccountId, StrategyId};
use crate::instrument::ContractKind;
use crate::instrument::tests::instrument;
use crate::order::{OrderEvent, OrderState, Terms, Tif};

fn btc() -> Instrument {
    let btc = instrument(ContractKind::Linear, "0.1", "0.001", "1");
    Instrument { notional_min: decimal("100"), lot: Qty(2), qty_min: Qty(2), qty_max: Qty(1000), ..btc }
}

const fn level(price: i64, qty: i64) -> Level {
    Level { price: Price(price), qty: Qty(qty) }
}

fn market() -> Market {
    Market { bid: level(600_000, 5), ask: level(600_001, 5), state: 0, confirmed: Nanos(0) }
}

fn order(side: Side, price: i64, qty: i64) -> Order {
    Order {
        seq: 1,
        instrument: InstrumentId(0),
        strategy: StrategyId(1),
        account: AccountId(0),
        side,
        level: level(price, qty),
        amend: Level::default(),
        tif: Tif::PostOnly,
        terms: Terms::LIMIT,
        filled: Qty(0),
        state: OrderState::PendingCreate,
    }
}

fn gate_of(config: RiskConfig, instruments: &[Instrument]) -> Gate {
    let mut table = InstrumentTable::default();
    for instrument in instruments {
        table.add(instrument.clone());
    }
    Gate::new(config.check().unwrap(), &table).unwrap()
}

/// A gate around one instrument, asked one thing after the other.
struct Asked {
    gate: Gate,
    btc: Instrument,
    market: Market,
    exposure: Exposure,
    now: Nanos,
}

impl Asked {
    fn new() -> Self {
        let btc = btc();
        let gate = gate_of(config(), std::slice::from_ref(&btc));
        Self { gate, btc, market: market(), exposure: Exposure::default(), now: Nanos(0) }
    }

    fn propose(&mut self, proposal: Proposal) -> Result<Approved, String> {
        self.gate
            .approve(proposal, &self.btc, &self.market, &self.exposure, self.now)
            .map_err(|refusal| refusal.to_string())
    }

    fn say(&mut self, order: Order) -> String {
        match self.propose(Proposal::New(order)) {
            Ok(approved) => {
                assert_eq!(*approved.order(), order);
                assert!(!approved.is_amendment());
                "approved".into()
            }
            Err(refusal) => refusal,
        }
    }
}

fn plain(order: Order) -> String {
    Asked::new().say(order)
}

fn with(change: impl Fn(&mut Asked), order: Order) -> String {
    let mut asked = Asked::new();
    change(&mut asked);
    asked.say(order)
}

#[test]
fn a_strategy_a_venue_and_an_asset_are_held_to_limits_of_their_own() {
    let parts = vec![
        PartLimits {
            strategy: Some("mm".into()),
            order_notional_max: Some(decimal("500")),
            open_orders_max: Some(2),
            orders_per_s_max: Some(1),
            ..PartLimits::default()
        },
        PartLimits { asset: Some("BTC".into()), gross_max: Some(decimal("1500")), ..PartLimits::default() },
    ];
    let mut table = InstrumentTable::default();
    table.add(btc());
    let limits = config().check().unwrap().with_parts(parts, &["other", "mm"]).unwrap();
    let mut asked = Asked { gate: Gate::new(limits, &table).unwrap(), ..Asked::new() };
    let of = |strategy, below: i64, qty| Order {
        strategy: StrategyId(strategy),
        ..order(Side::Buy, 600_000 - below, qty)
    };
    assert_eq!(asked.say(of(2, 0, 10)), "order_size: limit 500, value 600");
    assert_eq!(asked.say(of(1, 0, 10)), "approved");
    assert_eq!(asked.say(of(2, 1, 8)), "approved");
    assert_eq!(asked.say(of(2, 2, 8)), "order_rate: limit 1, value 2");
    assert_eq!(asked.say(of(1, 3, 10)), "approved", "the others' rate is another");
    asked.exposure.open_orders = 2;
    assert_eq!(asked.say(of(2, 4, 8)), "open_orders: limit 2, value 3");
    assert_eq!(asked.say(of(1, 4, 10)), "approved");
    asked.exposure.open_orders = 0;
    asked.gate.hold(InstrumentId(0), Qty(20), Qty(0), Price(600_000)).unwrap();
    assert_eq!(asked.say(of(1, 5, 10)), "asset_gross: limit 1500, value 1799.995");
    // Whoever is not known is held to what holds for everybody.
    assert_eq!(asked.say(of(7, 5, 4)), "approved");
}

#[test]
fn every_rule_refuses_with_its_limit_and_the_value() {
    assert_eq!(plain(order(Side::Buy, 600_000, 10)), "approved");
    assert_eq!(plain(order(Side::Buy, 600_000, 3)), "quantity_step: limit 0.002, value 0.003");
    assert_eq!(plain(order(Side::Buy, 600_000, 0)), "quantity: limit 0.002, value 0.000");
    assert_eq!(plain(order(Side::Buy, 600_000, 1002)), "quantity: limit 1.000, value 1.002");
    assert_eq!(plain(order(Side::Buy, 0, 10)), "price_step: limit 0.1, value 0.0");
    assert_eq!(plain(order(Side::Buy, 40_000, 2)), "minimum_notional: limit 100, value 8");
    assert_eq!(plain(order(Side::Sell, 600_001, 20)), "order_size: limit 1000, value 1200.002");
    assert_eq!(plain(order(Side::Buy, 587_999, 10)), "price_collar: limit 200, value 201");
    assert_eq!(plain(order(Side::Buy, 588_000, 10)), "approved");
    assert_eq!(plain(order(Side::Buy, 612_002, 10)), "price_collar: limit 200, value 201");
    let order = order(Side::Buy, 600_000, 10);
    assert_eq!(with(|a| a.btc.status = Status::CancelOnly, order), "instrument_status: limit 0, value 1");
    assert_eq!(with(|a| a.exposure.open_orders = 4, order), "open_orders: limit 4, value 5");
    assert_eq!(with(|a| a.market.state = book_state::STALE, order), "stale_book: limit 0, value 2");
    assert_eq!(with(|a| a.market.ask = Level::default(), order), "stale_book: limit 0, value 8");
    assert_eq!(with(|a| a.now = Nanos(1_000_000_000), order), "approved");
    assert_eq!(
        with(|a| a.now = Nanos(1_000_000_001), order),
        "stale_book: limit 1000, value 1001",
        "rounded up"
    );
    let lots = RiskConfig { order_notional_max: decimal("2000"), ..config() };
    assert_eq!(
        with(|a| a.gate = gate_of(lots.clone(), &[btc()]), self::order(Side::Buy, 600_000, 32)),
        "order_lots: limit 0.030, value 0.032"
    );
    let unlisted = RiskConfig { blacklist: vec!["binance-usdm".into()], ..config() };
    let unlisted = RiskConfig { whitelist: vec!["other".into()], ..unlisted };
    assert_eq!(with(|a| a.gate = gate_of(unlisted.clone(), &[btc()]), order), "lists: limit 0, value 1");
    assert_eq!(
        with(|a| a.exposure.opposite = Some(Price(600_000)), order),
        "self_trade: limit 60000.0, value 60000.0"
    );
    assert_eq!(with(|a| a.exposure.opposite = Some(Price(600_001)), order), "approved");
    let sell = self::order(Side::Sell, 600_001, 10);
    assert_eq!(
        with(|a| a.exposure.opposite = Some(Price(600_002)), sell),
        "self_trade: limit 60000.2, value 60000.1"
    );
    assert_eq!(with(|a| a.exposure.unknown_orders = 1, order), "unknown_order: limit 0, value 1");
    let stranger = Order { instrument: InstrumentId(1), ..order };
    assert_eq!(plain(stranger), "arithmetic: limit 0, value 0");
}

#[test]
fn the_position_counts_what_is_open_and_lets_reducing_orders_through() {
    let long = Exposure { position: Qty(20), open_buys: Qty(12), ..Exposure::default() };
    let at = |exposure: Exposure, order| with(|a| a.exposure = exposure, order);
    let buy = order(Side::Buy, 600_000, 10);
    assert_eq!(at(long, buy), "position: limit 2500, value 2520");
    assert_eq!(at(long, order(Side::Buy, 600_000, 8)), "approved");
    assert_eq!(at(long, order(Side::Sell, 600_001, 10)), "approved");
    let beyond = Exposure { position: Qty(100), unknown_orders: 1, ..Exposure::default() };
    assert_eq!(at(beyond, order(Side::Sell, 600_001, 10)), "approved", "it reduces");
    let beyond = Exposure { position: Qty(100), ..Exposure::default() };
    assert_eq!(at(beyond, buy), "position: limit 2500, value 6600");
    let edge = Exposure { position: Qty(i64::MAX), ..Exposure::default() };
    assert_eq!(at(edge, buy), "arithmetic: limit 0, value 0");
    let config = RiskConfig { position_lots_max: Some(20), ..config() };
    assert_eq!(
        with(
            |a| {
                a.gate = gate_of(config.clone(), &[btc()]);
                a.exposure = Exposure { position: Qty(36), ..Exposure::default() };
            },
            order(Side::Buy, 588_000, 6)
        ),
        "position_lots: limit 0.040, value 0.042"
    );
}

#[test]
fn a_market_order_is_judged_at_the_touch_that_it_takes_from() {
    let market = |side, qty| Order { terms: Terms::MARKET, tif: Tif::Ioc, ..order(side, 0, qty) };
    assert_eq!(plain(market(Side::Buy, 10)), "approved", "it has no price, and needs none");
    assert_eq!(plain(market(Side::Buy, 18)), "order_size: limit 1000, value 1080.0018");
    assert_eq!(plain(market(Side::Sell, 18)), "order_size: limit 1000, value 1080");
    assert_eq!(plain(market(Side::Sell, 3)), "quantity_step: limit 0.002, value 0.003");
    let own = |price| move |a: &mut Asked| a.exposure.opposite = Some(Price(price));
    let met = "self_trade: limit 60000.1, value 60000.1";
    assert_eq!(with(own(600_001), market(Side::Buy, 10)), met, "the own order is the touch");
    assert_eq!(with(own(600_002), market(Side::Buy, 10)), "approved");
    let long = |a: &mut Asked| a.exposure = Exposure { position: Qty(40), ..Exposure::default() };
    assert_eq!(with(long, market(Side::Buy, 10)), "position: limit 2500, value 3000.005");
    assert_eq!(
        with(|a| a.market.state = book_state::STALE, market(Side::Buy, 10)),
        "stale_book: limit 0, value 2"
    );
}

#[test]
fn a_stop_is_judged_by_its_trigger_and_its_limit() {
    let stop =
        |side, trigger| Order { terms: Terms::stop(Price(trigger)), tif: Tif::Ioc, ..order(side, 0, 10) };
    let limited = |side, trigger, limit| Order {
        terms: Terms::stop_limit(Price(trigger)),
        tif: Tif::Gtc,
        ..order(side, limit, 10)
    };
    assert_eq!(plain(stop(Side::Buy, 600_002)), "approved");
    assert_eq!(plain(stop(Side::Sell, 599_999)), "approved");
    assert_eq!(plain(stop(Side::Buy, 600_001)), "trigger: limit 60000.1, value 60000.1");
    assert_eq!(plain(stop(Side::Sell, 600_000)), "trigger: limit 60000.0, value 60000.0");
    assert_eq!(plain(stop(Side::Buy, 612_002)), "price_collar: limit 200, value 201");
    assert_eq!(plain(stop(Side::Sell, 0)), "price_step: limit 0.1, value 0.0");
    assert_eq!(
        plain(Order { level: level(0, 18), ..stop(Side::Buy, 600_002) }),
        "order_size: limit 1000, value 1080.0036"
    );
    assert_eq!(plain(limited(Side::Sell, 599_999, 599_000)), "approved");
    assert_eq!(plain(limited(Side::Sell, 599_999, 587_999)), "price_collar: limit 200, value 201");
    assert_eq!(plain(limited(Side::Sell, 587_999, 600_000)), "price_collar: limit 200, value 201");
    assert_eq!(plain(limited(Side::Sell, 599_999, 0)), "price_step: limit 0.1, value 0.0");
    // Before it is triggered it meets nobody.
    let own = |a: &mut Asked| a.exposure.opposite = Some(Price(600_000));
    assert_eq!(with(own, limited(Side::Sell, 599_999, 599_000)), "approved");
}

#[test]
fn a_reduce_only_order_reduces_the_position_and_nothing_more() {
    let reduce = |order: Order| Order { terms: order.terms.reducing(), ..order };
    let sell = |qty| reduce(Order { terms: Terms::MARKET, tif: Tif::Ioc, ..order(Side::Sell, 0, qty) });
    let held =
        |position: i64, net: i64| Exposure { position: Qty(position), net: Qty(net), ..Exposure::default() };
    let at = |exposure: Exposure, order| with(|a| a.exposure = exposure, order);
    assert_eq!(
        at(held(20, 20), sell(20)),
        "approved",
        "beyond the largest single order, and it only reduces"
    );
    assert_eq!(at(held(20, 20), sell(22)), "reduce_only: limit 0.020, value 0.022");
    assert_eq!(
        at(held(20, 20), reduce(order(Side::Buy, 600_000, 2))),
        "reduce_only: limit 0.000, value 0.002"
    );
    assert_eq!(at(held(0, 0), sell(2)), "reduce_only: limit 0.000, value 0.002");
    assert_eq!(at(held(20, 6), sell(8)), "reduce_only: limit 0.006, value 0.008", "the venue holds no more");
    assert_eq!(at(held(20, -6), sell(8)), "reduce_only: limit 0.000, value 0.008");
    let spot = |a: &mut Asked| {
        a.btc.kind = ContractKind::Spot;
        a.exposure = held(20, 6);
    };
    assert_eq!(with(spot, sell(8)), "approved", "spot has no such orders: only the strategy's own counts");
    let more = Exposure { open_reducing: Qty(14), ..held(20, 20) };
    assert_eq!(
        (at(more, sell(6)), at(more, sell(8))),
        ("approved".into(), "reduce_only: limit 0.006, value 0.008".into())
    );
    let short = Exposure { unknown_orders: 1, open_buys: Qty(30), ..held(-20, -20) };
    let buy = reduce(Order { terms: Terms::stop(Price(600_002)), ..order(Side::Buy, 0, 20) });
    assert_eq!(at(short, buy), "approved", "no risk, whatever else is open or unknown");
    let rest = |kind| {
        let small = |a: &mut Asked| {
            a.btc = Instrument { kind, notional_min: decimal("200"), ..btc() };
            a.gate = gate_of(config(), std::slice::from_ref(&a.btc));
            a.exposure = held(2, 2);
        };
        with(small, sell(2))
    };
    assert_eq!(rest(ContractKind::Linear), "approved", "any rest can be closed");
    assert_eq!(rest(ContractKind::Spot), "minimum_notional: limit 200, value 120");
}

#[test]
fn an_amendment_is_approved_net_of_what_it_replaces() {
    let mut asked = Asked::new();
    let mut open = order(Side::Buy, 600_000, 10);
    open.apply(OrderEvent::Accepted).unwrap();
    // 2,400 of 2,500 are taken, this order included.
    asked.exposure =
        Exposure { position: Qty(30), open_buys: Qty(10), open_orders: 4, ..Exposure::default() };
    let approved = asked.propose(Proposal::Amend(open, level(600_001, 10))).unwrap();
    assert!(approved.is_amendment());
    assert_eq!(*approved.order(), Order { level: level(600_001, 10), ..open });
    assert_eq!(
        asked.propose(Proposal::Amend(open, level(600_001, 12))).unwrap_err(),
        "position: limit 2500, value 2520.0042"
    );
    assert!(asked.propose(Proposal::Amend(open, level(600_000, 8))).is_ok(), "less is always less");
    assert_eq!(
        asked.propose(Proposal::Amend(open, level(580_000, 10))).unwrap_err(),
        "price_collar: limit 200, value 334"
    );
    open.apply(OrderEvent::Filled(Qty(4))).unwrap();
    asked.exposure.open_buys = Qty(6);
    asked.now = Nanos(5_000_000);
    assert!(
        asked.propose(Proposal::Amend(open, level(600_001, 10))).is_ok(),
        "six are left, six replace them"
    );
}

#[test]
fn exposure_counts_every_instrument_of_a_scope() {
    let other = |symbol: &str, venue: &str, base: &str| Instrument {
        symbol: symbol.into(),
        venue: venue.into(),
        base: base.into(),
        ..btc()
    };
    // 0: btc here; 1: another base here; 2: btc elsewhere; 3: another base elsewhere.
    let all = [btc(), other("B", &btc().venue, "B"), other("C", "v", &btc().base), other("D", "v", "D")];
    let say = |held: [(i64, i64); 4], side| {
        let mut gate = gate_of(config(), &all);
        for (id, (long, short)) in (0..).zip(held) {
            gate.hold(InstrumentId(id), Qty(long), Qty(short), Price(500_000)).unwrap();
        }
        let order = order(side, 600_000, 10);
        let approved = gate.approve(Proposal::New(order), &all[0], &market(), &Exposure::default(), Nanos(0));
        approved.map_or_else(|refusal| refusal.to_string(), |_| "approved".into())
    };
    // A lot of 500,000 ticks is worth 50; the order 600.
    let none = (0, 0);
    assert_eq!(say([none, none, none, (180, 0)], Side::Buy), "portfolio_net: limit 8000, value 9600");
    assert_eq!(say([none, none, none, (0, -180)], Side::Buy), "approved", "net of a short elsewhere");
    assert_eq!(say([none, none, none, (0, -190)], Side::Buy), "portfolio_gross: limit 10000, value 10100");
    assert_eq!(say([none, none, none, (0, -150)], Side::Sell), "portfolio_net: limit 8000, value 8100");
    assert_eq!(say([none, (130, 0), none, none], Side::Buy), "venue_net: limit 7000, value 7100");
    assert_eq!(say([none, (0, -170), none, none], Side::Buy), "venue_gross: limit 9000, value 9100");
    assert_eq!(say([none, none, (90, 0), none], Side::Buy), "asset_net: limit 5000, value 5100");
    assert_eq!(say([none, none, (0, -110), none], Side::Buy), "asset_gross: limit 6000, value 6100");
    assert_eq!(say([(0, -199), none, none, none], Side::Buy), "approved", "it only reduces");
}

#[test]
fn rates_and_duplicates_go_by_the_time_of_events() {
    let mut asked = Asked::new();
    assert_eq!(asked.say(order(Side::Buy, 600_000, 10)), "approved");
    asked.now = Nanos(999_999);
    assert_eq!(asked.say(order(Side::Buy, 600_000, 10)), "duplicate: limit 1000000, value 999999");
    assert_eq!(asked.say(order(Side::Buy, 600_000, 8)), "approved", "another quantity");
    asked.now = Nanos(1_000_000);
    assert_eq!(asked.say(order(Side::Buy, 600_000, 10)), "approved", "long enough ago");
    for price in 0..7 {
        assert_eq!(asked.say(order(Side::Buy, 599_000 + price, 10)), "approved");
    }
    assert_eq!(asked.say(order(Side::Buy, 598_000, 10)), "order_rate: limit 10, value 11");
    let refusal = asked
        .gate
        .approve(
            Proposal::New(order(Side::Buy, 598_000, 10)),
            &asked.btc,
            &asked.market,
            &asked.exposure,
            asked.now,
        )
        .unwrap_err();
    assert_eq!(refusal.until, Nanos(1_000_000_000), "when the first of them is a second old");
    asked.now = Nanos(999_999_999);
    assert_eq!(asked.say(order(Side::Buy, 598_000, 10)), "order_rate: limit 10, value 11");
    asked.now = Nanos(1_000_000_000);
    assert_eq!(asked.say(order(Side::Buy, 598_000, 10)), "approved");
}

#[test]
fn cancels_are_counted_and_only_those_for_a_better_place_wait() {
    let mut gate = gate_of(config(), &[btc()]);
    let order = order(Side::Buy, 600_000, 10);
    for _ in 0..3 {
        gate.cancel(&order, false, Nanos(5)).unwrap();
    }
    let refusal = gate.cancel(&order, false, Nanos(6)).unwrap_err();
    assert_eq!(
        (refusal.to_string(), refusal.until),
        ("cancel_rate: limit 3, value 4".into(), Nanos(1_000_000_005))
    );
    gate.cancel(&order, true, Nanos(6)).unwrap();
    gate.cancel(&order, true, Nanos(1_000_000_004)).unwrap();
    assert!(gate.cancel(&order, false, Nanos(1_000_000_005)).is_ok());
    let counted = gate.cancel(&order, false, Nanos(1_000_000_005)).unwrap_err();
    assert_eq!(counted.until, Nanos(1_000_000_006), "those that had to leave count");
}

#[test]
fn the_last_refusal_of_each_rule_is_remembered() {
    let mut asked = Asked::new();
    for order in [order(Side::Buy, 600_000, 3), order(Side::Buy, 587_999, 10), order(Side::Buy, 600_000, 5)] {
        asked.say(order);
    }
    let said: Vec<String> = asked.gate.last_refusals().map(|(_, refusal)| refusal.to_string()).collect();
    assert_eq!(said, ["quantity_step: limit 0.002, value 0.005", "price_collar: limit 200, value 201"]);
}

#[test]
fn rules_have_numbers_and_names_of_their_own() {
    for (number, rule) in (1..).zip(RiskRule::ALL) {
        assert_eq!(rule as u16, number);
        assert_eq!(RiskRule::ALL.iter().filter(|other| other.name() == rule.name()).count(), 1);
    }
    assert!(RiskRule::ALL.len() < 32, "numbers from 32 are kept for rules that are to come");
}

#[test]
fn nothing_adds_to_what_is_held_while_something_has_no_price() {
    let mut asked = Asked::new();
    asked.gate =
        gate_of(config(), &[btc(), Instrument { symbol: "ETHUSDT".into(), base: "ETH".into(), ..btc() }]);
    let (own, other, price) = (InstrumentId(0), InstrumentId(1), Price(600_000));
    asked.gate.hold(own, Qty(20), Qty(20), price).unwrap();
    asked.exposure.position = Qty(20);
    asked.gate.cannot_value(other);
    asked.gate.cannot_value(other);
    assert!(asked.gate.has_unvalued());
    let refused = "unvalued: limit 0, value 1";
    assert_eq!(asked.say(order(Side::Buy, 600_000, 4)), refused);
    assert_eq!(asked.say(order(Side::Sell, 600_001, 10)), "approved", "it reduces");
    asked.gate.hold(own, Qty(20), Qty(10), price).unwrap();
    asked.exposure.open_sells = Qty(10);
    assert_eq!(asked.say(order(Side::Sell, 600_002, 12)), refused, "it turns the position round");
    assert_eq!(asked.say(order(Side::Sell, 600_003, 10)), "approved", "to zero and no further");
    asked.gate.hold(other, Qty(0), Qty(0), Price(0)).unwrap();
    assert!(!asked.gate.has_unvalued());
    assert_eq!(asked.say(order(Side::Buy, 600_000, 4)), "approved");
}
