//! The risk gate: an order through every rule, with positions and open orders in several instruments.
//!
//! ```text
//! cargo bench -p gateway --bench gate
//! ```

#![allow(clippy::disallowed_methods, reason = "a benchmark reads clocks")]

mod verdict;

use engine::ids::{AccountId, InstrumentId, StrategyId};
use engine::instrument::{ContractKind, Instrument, InstrumentTable, PriceRule, Status};
use engine::num::{Decimal, Level, Price, Qty, Side, Step};
use engine::order::{Order, OrderState, Terms, Tif};
use engine::risk::{Exposure, Gate, Market, Proposal, RiskConfig};
use engine::time::Nanos;
use std::hint::black_box;
use std::time::Instant;
use verdict::verdict;

const ORDERS: usize = 4096;
const INSTRUMENTS: u32 = 8;
/// An order, or an amendment, through every rule.
const ORDER_NS_MAX: f64 = 60.0;

fn main() {
    let is_bench = std::env::args().any(|argument| argument == "--bench");
    let rounds = if is_bench { 201 } else { 1 };
    println!("{:<40} {:>8} {:>8} {:>8}", "ns", "min", "p50", "p99");
    let orders: Vec<Order> = (0..ORDERS).map(order).collect();

    let mut bench = Bench::new();
    row("an order through every rule", rounds, Some(ORDER_NS_MAX), |at| {
        usize::from(bench.ask(Proposal::New(orders[at]), true))
    });
    let open: Vec<(Order, Level)> = orders
        .iter()
        .map(|order| {
            let level = Level { price: Price(order.level.price.0 - 1), ..order.level };
            (Order { state: OrderState::Open, ..*order }, level)
        })
        .collect();
    row("an amendment through every rule", rounds, Some(ORDER_NS_MAX), |at| {
        let (open, level) = open[at];
        usize::from(bench.ask(Proposal::Amend(open, level), true))
    });
    let far: Vec<Order> = orders
        .iter()
        .map(|order| Order { level: Level { price: Price(100_000), qty: Qty(100) }, ..*order })
        .collect();
    row("a refusal, by the price collar", rounds, None, |at| {
        usize::from(bench.ask(Proposal::New(far[at]), false))
    });
    row("what an instrument comes to has changed", rounds, None, |at| {
        let moved = i64::try_from(at % 64).unwrap_or_default();
        let id = orders[at].instrument;
        usize::from(bench.gate.hold(id, Qty(100 + moved), Qty(-100), Price(600_000 + moved)).is_ok())
    });
}

/// A gate, and what it is asked with.
struct Bench {
    gate: Gate,
    table: InstrumentTable,
    now: Nanos,
}

impl Bench {
    fn new() -> Self {
        let step = |text: &str| Step::parse(text.as_bytes()).expect("a step");
        let mut table = InstrumentTable::default();
        for id in 0..INSTRUMENTS {
            table.add(Instrument {
                id: InstrumentId(id),
                venue_id: Default::default(),
                venue: format!("venue {}", id % 2),
                symbol: format!("I{id}"),
                base: format!("B{}", id / 2),
                quote: "USDT".into(),
                kind: ContractKind::Linear,
                price_rule: PriceRule { tick: step("0.1"), significant_figures: None },
                qty_unit: step("0.001"),
                lot: Qty(1),
                qty_min: Qty(1),
                qty_max: Qty(1_000_000),
                notional_min: Decimal::from(100),
                contract_size: step("1"),
                status: Status::Trading,
                source: String::new(),
            });
        }
        let much = Decimal::from(100_000_000);
        let limits = RiskConfig {
            whitelist: vec!["*".into()],
            blacklist: vec![],
            order_notional_max: Decimal::from(10_000),
            order_lots_max: Some(1000),
            position_notional_max: Decimal::from(100_000),
            position_lots_max: Some(10_000),
            portfolio_gross_max: much,
            portfolio_net_max: much,
            venue_gross_max: much,
            venue_net_max: much,
            asset_gross_max: much,
            asset_net_max: much,
            collar_bps: 200,
            book_age_ms_max: 1000,
            open_orders_max: 16,
            orders_per_s_max: 10_000,
            cancels_per_s_max: 10_000,
            duplicate_ns: 1_000_000,
        };
        let mut gate = Gate::new(limits.check().expect("sound limits"), &table).expect("a gate");
        for id in 0..INSTRUMENTS {
            gate.hold(InstrumentId(id), Qty(200), Qty(-150), Price(600_000)).expect("small enough");
        }
        Self { gate, table, now: Nanos::SECOND }
    }

    /// Two hundred microseconds after the order before: five orders are looked at for a duplicate.
    #[inline]
    fn ask(&mut self, proposal: Proposal, passes: bool) -> bool {
        self.now = self.now.plus(Nanos(200_000));
        let (Proposal::New(order) | Proposal::Amend(order, _)) = &proposal;
        let instrument = self.table.get(order.instrument).expect("in the table");
        let level = |price| Level { price: Price(price), qty: Qty(5) };
        let market = Market { bid: level(600_000), ask: level(600_002), state: 0, confirmed: self.now };
        let exposure = Exposure {
            position: Qty(50),
            open_buys: Qty(40),
            open_sells: Qty(40),
            open_orders: 4,
            opposite: Some(if order.side == Side::Buy { Price(600_400) } else { Price(599_000) }),
            unknown_orders: 0,
            net: Qty(50),
            open_reducing: Qty(0),
        };
        let approved = self.gate.approve(black_box(proposal), instrument, &market, &exposure, self.now);
        assert_eq!(black_box(&approved).is_ok(), passes, "{approved:?}");
        approved.is_ok()
    }
}

fn order(at: usize) -> Order {
    let moved = i64::try_from(at % 64).unwrap_or_default();
    let side = Side::BOTH[at % 2];
    let price = if side == Side::Buy { 600_000 - moved } else { 600_002 + moved };
    Order {
        seq: at as u64 + 1,
        instrument: InstrumentId(u32::try_from(at / 2).unwrap_or_default() % INSTRUMENTS),
        strategy: StrategyId(1),
        account: AccountId(0),
        side,
        level: Level { price: Price(price), qty: Qty(20) },
        amend: Level::default(),
        tif: Tif::PostOnly,
        terms: Terms::LIMIT,
        filled: Qty(0),
        state: OrderState::PendingCreate,
    }
}

/// Times rounds of calls, each with another order. Percentiles are of the rounds' means: a single call is too short
/// for the clock.
fn row(name: &str, rounds: usize, target_max: Option<f64>, mut call: impl FnMut(usize) -> usize) {
    let mut times: Vec<f64> = (0..rounds)
        .map(|_| {
            let start = Instant::now();
            for at in 0..ORDERS {
                black_box(call(at));
            }
            start.elapsed().as_nanos() as f64 / ORDERS as f64
        })
        .collect();
    times.sort_unstable_by(f64::total_cmp);
    let at = |share: usize| times[(times.len() - 1) * share / 100];
    println!("{name:<40} {:>8.1} {:>8.1} {:>8.1}  {}", at(0), at(50), at(99), verdict(at(50), target_max));
}
