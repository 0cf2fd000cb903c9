//! The order manager on one session or several at the simulated venue.

use super::gate;
use super::support::{PATIENCE, SimVenue};
use super::trader::{Given, Key, PAUSE, RealSession, Trader, thousandths, wall};
use engine::counters::Counters;
use engine::fees::FeesConfig;
use engine::ids::{Cause, InstrumentId, Lane, StrategyId};
use engine::instrument::{ContractKind, Instrument, InstrumentTable};
use engine::journal::Writer;
use engine::message::{Body, BookChanged, Head, Kind, Message, QuoteReason, Quotes};
use engine::num::{Level, Price, Qty};
use engine::runner::Control;
use engine::stage::Nowhere;
use engine::stage_log::StageLog;
use engine::time::{Nanos, StampClock};
use gateway::client_order_id::ClientOrderIds;
use gateway::counterparty::Counterparty;
use gateway::latency::Latency;
use gateway::manager::{ManagerSetup, OrderManager};
use gateway::recovery::Recovered;
use gateway::venues::binance::session::VenueOffset;
use std::sync::Arc;
use std::time::Instant;

/// An order manager that trades through a session, or through lanes of them.
pub(super) struct Managed<X: Counterparty = RealSession> {
    pub(super) manager: OrderManager<X>,
    pub(super) control: Arc<Control>,
    pub(super) causes: u64,
    instruments: Vec<Instrument>,
}

impl Managed {
    /// On one session of USD-M. Goes on from nothing, as a first run does.
    pub(super) fn start(venue: &SimVenue, run: u32) -> Self {
        Self::start_with(venue, &Given::new(ContractKind::Linear, Key::Ed25519), run).0
    }

    /// With what it knows of the venue's clock.
    pub(super) fn start_with(venue: &SimVenue, given: &Given, run: u32) -> (Self, VenueOffset) {
        let trader = Trader::begin(venue, given);
        (Self::over(trader.session, vec![trader.instrument], run), trader.offset)
    }

    /// Until orders, fills and position are the venue's.
    pub(super) fn agrees(&mut self, venue: &SimVenue) {
        self.until("the same here as there", |run| {
            let position = run.manager.report().positions[0].position;
            run.open() == venue.open("futures").len()
                && thousandths(position.qty.0) == venue.position()
                && usize::try_from(position.fills).unwrap() == venue.fills()
        });
        assert_eq!(self.control.stopped(), None, "{:?}", self.control.detail());
    }
}

impl<X: Counterparty> Managed<X> {
    pub(super) fn over(exchange: X, instruments: Vec<Instrument>, run: u32) -> Self {
        Self::over_journal(exchange, instruments, run, Writer::off(Lane::Gateway))
    }

    pub(super) fn over_journal(exchange: X, instruments: Vec<Instrument>, run: u32, journal: Writer) -> Self {
        let decimal = |text: &str| engine::num::Decimal::parse(text).unwrap();
        let control = Arc::new(Control::default());
        let mut table = InstrumentTable::default();
        for instrument in &instruments {
            table.add(instrument.clone());
        }
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
            instruments: &table,
            strategies: 1,
            limits: limits.check().unwrap(),
            fees: FeesConfig { maker_bps: decimal("2"), taker_bps: decimal("5") }.check().unwrap(),
            answer_timeout: Nanos::from_ms(1_000),
            ids: ClientOrderIds::new(7, run),
            log: StageLog::new(journal, Arc::clone(&control), 1 << 16),
            latency: Latency::register(StampClock::off(), counters).unwrap(),
            control: Arc::clone(&control),
        };
        let mut manager = OrderManager::new(setup, exchange).unwrap();
        manager.resume(&Recovered::default()).unwrap();
        Self { manager, control, causes: 0, instruments }
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
        for place in 0..self.instruments.len() {
            let (id, tick) = (self.instruments[place].id, self.instruments[place].price_rule.tick);
            // About 50,500.00, in ticks of each.
            let mid =
                5_050_000 / tick.decimal(1).rescaled(2).map_or(1, |cents| i64::try_from(cents).unwrap());
            let level = |price| Level { price: Price(price), qty: Qty(10) };
            let book = BookChanged { bid: level(mid - 10), ask: level(mid + 10), ..BookChanged::default() };
            let head = Head { instrument: id, ..self.head(Kind::BookChanged) };
            while self.manager.hear(&mut Nowhere) > 0 {}
            while self.manager.advance(head.recv_ns, &mut Nowhere) > 0 {}
            self.manager.on_market(Message { head: &head, body: book.cells() }, &mut Nowhere);
        }
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
            // The venue's thread has no other core to itself.
            std::thread::sleep(PAUSE);
        }
    }

    /// Quotes of the first instrument.
    pub(super) fn target(&mut self, bid: (i64, i64), ask: (i64, i64)) {
        self.target_of(InstrumentId(0), bid, ask);
    }

    pub(super) fn target_of(&mut self, instrument: InstrumentId, bid: (i64, i64), ask: (i64, i64)) {
        let level = |(price, qty)| Level { price: Price(price), qty: Qty(qty) };
        let mut quotes = Quotes::new(level(bid), level(ask), QuoteReason::Quoting);
        quotes.first.strategy = StrategyId(1);
        let head = Head { instrument, ..self.head(Kind::Target) };
        self.manager.on_target(Message { head: &head, body: quotes.used_cells() }, &mut Nowhere);
    }

    pub(super) fn position(&self) -> Qty {
        self.position_of(0)
    }

    pub(super) fn position_of(&self, place: usize) -> Qty {
        self.manager.report().positions[place].position.qty
    }

    pub(super) fn open(&self) -> usize {
        self.manager.report().positions.iter().map(|of| of.open_orders).sum()
    }
}
