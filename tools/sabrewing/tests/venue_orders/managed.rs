//! The order manager on a session at the simulated venue.

use super::{Key, PATIENCE, Running, Trader, gate, wall};
use engine::counters::Counters;
use engine::fees::FeesConfig;
use engine::ids::{Cause, InstrumentId, Lane, StrategyId};
use engine::instrument::{ContractKind, InstrumentTable};
use engine::journal::Writer;
use engine::message::{Body, BookChanged, Head, Kind, Message, QuoteReason, Quotes};
use engine::num::{Level, Price, Qty};
use engine::runner::Control;
use engine::stage::Nowhere;
use engine::stage_log::StageLog;
use engine::time::{Nanos, StampClock};
use gateway::client_order_id::ClientOrderIds;
use gateway::latency::Latency;
use gateway::manager::{ManagerSetup, OrderManager};
use gateway::recovery::Recovered;
use gateway::venues::binance::session::BinanceSession;
use std::sync::Arc;
use std::time::Instant;

/// An order manager that trades through a session.
pub(super) struct Managed {
    pub(super) manager: OrderManager<BinanceSession<fn() -> Nanos>>,
    pub(super) control: Arc<Control>,
    pub(super) causes: u64,
}

impl Managed {
    /// Goes on from nothing, as a first run does.
    pub(super) fn start(venue: &Running, run: u32) -> Self {
        let trader = Trader::begin(venue, ContractKind::Linear, Key::Ed25519);
        let decimal = |text: &str| engine::num::Decimal::parse(text).unwrap();
        let control = Arc::new(Control::default());
        let mut instruments = InstrumentTable::default();
        instruments.add(trader.instrument.clone());
        let counters =
            &mut Counters::create(None, &engine::counters::Run { id: 1, start: Nanos(0) }, 2048).unwrap();
        let limits = engine::risk::RiskConfig {
            collar_bps: 1_000,
            book_age_ms_max: 60_000,
            open_orders_max: 10,
            orders_per_s_max: 100,
            cancels_per_s_max: 100,
            ..gate::limits()
        };
        let setup = ManagerSetup {
            instruments: &instruments,
            strategies: 1,
            limits: limits.check().unwrap(),
            fees: FeesConfig { maker_bps: decimal("2"), taker_bps: decimal("5") }.check().unwrap(),
            answer_timeout: Nanos::from_ms(1_000),
            ids: ClientOrderIds::new(7, run),
            log: StageLog::new(Writer::off(Lane::Gateway), Arc::clone(&control), 1 << 16),
            latency: Latency::register(StampClock::off(), counters).unwrap(),
            control: Arc::clone(&control),
        };
        let mut manager = OrderManager::new(setup, trader.session).unwrap();
        manager.resume(&Recovered::default()).unwrap();
        Self { manager, control, causes: 0 }
    }

    pub(super) fn head(&mut self, kind: Kind) -> Head {
        self.causes += 1;
        let cause = Cause::new(Lane::Strategy, self.causes);
        Head {
            instrument: InstrumentId(0),
            strategy: StrategyId(1),
            recv_ns: wall(),
            cause,
            ..Head::new(kind)
        }
    }

    /// The market says again what it said, and time passes.
    pub(super) fn turn(&mut self) {
        let level = |price| Level { price: Price(price), qty: Qty(10) };
        let book = BookChanged { bid: level(504_990), ask: level(505_010), ..BookChanged::default() };
        let head = self.head(Kind::BookChanged);
        while self.manager.hear(&mut Nowhere) > 0 {}
        while self.manager.advance(head.recv_ns, &mut Nowhere) > 0 {}
        self.manager.on_market(Message { head: &head, body: book.cells() }, &mut Nowhere);
    }

    pub(super) fn until(&mut self, what: &str, mut done: impl FnMut(&mut Self) -> bool) {
        let began = Instant::now();
        while !done(self) {
            self.turn();
            let report = self.manager.report();
            assert!(
                began.elapsed() < PATIENCE,
                "{what} never came: {:?} {:?}",
                report.orders,
                report.positions
            );
            std::thread::yield_now();
        }
    }

    pub(super) fn target(&mut self, bid: (i64, i64), ask: (i64, i64)) {
        let level = |(price, qty)| Level { price: Price(price), qty: Qty(qty) };
        let mut quotes = Quotes::new(level(bid), level(ask), QuoteReason::Quoting);
        quotes.first.strategy = StrategyId(1);
        let head = self.head(Kind::Target);
        self.manager.on_target(Message { head: &head, body: quotes.used_cells() }, &mut Nowhere);
    }

    pub(super) fn position(&self) -> Qty {
        self.manager.report().positions[0].position.qty
    }

    pub(super) fn open(&self) -> usize {
        self.manager.report().positions[0].open_orders
    }
}
