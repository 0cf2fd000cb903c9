//! Wiring: which stages become which chains on which threads. The stages nest into one type; where the
//! placement puts two neighbours on different threads, a ring goes between them.

use crate::config::Config;
use crate::executions::Executions;
use engine::book_stage::{BookReport, BookStage, BookTap};
use engine::counters::{Counter, Counters, CountersError, Desc, Unit};
use engine::decisions::is_listed;
use engine::ids::{InstrumentId, Lane};
use engine::instrument::InstrumentTable;
use engine::journal::Writer;
use engine::journal::schema::RecordKind;
use engine::message::{Cell, QUOTES_MAX, Quotes};
use engine::placement::{Placement, StageId, ThreadPlan};
use engine::record_copies::{CopyReceiver, copies};
use engine::ring::{BATCH_MAX, RingReceiver, RingSender, ring};
use engine::runner::{Chain, Control, Pulse, RingChain, SourceChain, ThreadReport, ThreadSpec};
use engine::stage::{Link, Node, Sink};
use engine::stage_log::StageLog;
use engine::time::StampClock;
use feeds::codec::{FeedCodec, LEVELS_MAX};
use feeds::stage::{Connection, FeedReport, FeedStage, FrameSource};
use feeds::venues::AnyCodec;
use gateway::client_order_id::ClientOrderIds;
use gateway::counterparty::Counterparty;
use gateway::latency::Latency;
use gateway::manager::{BESIDE_MAX, GatewayReport, ManagerSetup, OrderManager};
use gateway::paper::PaperExchange;
use gateway::paper::venue::PaperVenue;
use gateway::recovery::Recovered;
use gateway::stage::GatewayStage;
use gateway::venues::binance::{Authentication, BinanceCodec, RecvWindow};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::{SystemTime, UNIX_EPOCH};
use strategies::script::Script;
use strategies::signal::{FEATURE_CELLS_MAX, SignalCounts, SignalStage, Subscriptions, TRADE_CELLS_MAX};
use strategies::stage::StrategyStage;

/// The five stages, ready to be put together.
pub struct Stages<F, C: FeedCodec, T, X: Counterparty = PaperVenue> {
    /// Decodes and synchronises.
    pub feed: FeedStage<F, C>,
    /// Builds books.
    pub book: BookStage<T>,
    /// Computes features.
    pub signal: SignalStage,
    /// Decides.
    pub strategy: StrategyStage,
    /// Checks, keeps order state, sends.
    pub gateway: GatewayStage<X>,
    /// From the gateway back to the strategy; its other end is the strategy's.
    pub executions: Executions,
    /// Time passes to the gateway as to the head of a chain, though the strategy is on its thread.
    pub gateway_heads: bool,
    /// Inputs that a chain takes in one turn. On one thread nothing that is decided depends on it.
    pub batch_max: u32,
}

impl<F: FrameSource, C: FeedCodec + Send, T, X: Counterparty> Stages<F, C, T, X> {
    /// The stages as they repeat a recorded run: the strategy takes its inputs in the order of `script`, and the
    /// gateway's time passes as it did there.
    #[must_use]
    pub fn repeating(self, script: Script, gateway_heads: bool) -> Self {
        // Here the gateway is never behind the strategy, as it was where both had a thread of their own.
        let (sender, receiver) = ring(REPEATED_RING_CELLS, 4, SMALL_CELLS_MAX);
        let strategy = self.strategy.repeating(script, receiver);
        Self { strategy, executions: self.executions.through(sender), gateway_heads, ..self }
    }

    /// Copies of the records of strategy and gateway that a listing of decisions is made from; with `whole`, of all
    /// of them and of the feed's, but for the frames.
    pub fn copies(&mut self, whole: bool) -> Vec<CopyReceiver> {
        let lanes = [
            (Lane::Feed, self.feed.log_mut()),
            (Lane::Strategy, self.strategy.log_mut()),
            (Lane::Gateway, self.gateway.log_mut()),
        ];
        let mut receivers = Vec::new();
        for (lane, log) in lanes {
            let wants = |kind| if whole { kind != RecordKind::Frame } else { is_listed(lane, kind) };
            if RecordKind::ALL.into_iter().any(wants) {
                let (sender, receiver) = copies(lane, wants);
                log.copy_to(sender);
                receivers.push(receiver);
            }
        }
        receivers
    }
}

/// Room for all executions that a repeated run can be ahead of the run it repeats.
const REPEATED_RING_CELLS: usize = 1 << 18;

/// What the stages of a run are made from.
pub struct Setup<'a> {
    /// Limits, sizes, strategies.
    pub config: &'a Config,
    /// The instruments of the run.
    pub table: &'a InstrumentTable,
    /// The instruments that each connection carries, at least one.
    pub of_connection: &'a [Vec<InstrumentId>],
    /// What the signal stage computes besides what strategies declare.
    pub subscriptions: &'a Subscriptions,
    /// What latency is measured with.
    pub clock: &'a StampClock,
    /// What the threads share.
    pub control: &'a Arc<Control>,
}

/// Where the stages' reports arrive when they have ended.
pub struct Reports {
    /// From the feed stage.
    pub feed: Receiver<FeedReport>,
    /// From the book stage.
    pub book: Receiver<BookReport>,
    /// From the signal stage.
    pub signal: Receiver<SignalCounts>,
    /// From the gateway.
    pub gateway: Receiver<GatewayReport>,
}

/// Makes the five stages over `source`, trading at a paper exchange of their own. `writer` hands out the journal's
/// lanes. Err: a connection without a decoder; what `writer` or the counters said.
pub fn assemble<F: FrameSource, T: BookTap>(
    setup: &Setup<'_>,
    source: F,
    tap: T,
    counters: &mut Counters,
    writer: impl FnMut(Lane) -> Result<Writer, String>,
) -> Result<Assembled<F, T, PaperVenue>, String> {
    // A replay is nobody's engine and no run of it: its orders meet no others.
    let party = Party { exchange: paper_venue(setup.config, setup.table)?, ids: order_ids() };
    assemble_with(setup, source, tap, counters, writer, party, None)
}

/// Five stages, and where their reports arrive.
pub type Assembled<F, T, X> = (Stages<F, AnyCodec, T, X>, Reports);

/// Who answers orders, and what orders are called there.
pub struct Party<X> {
    /// The counterparty.
    pub exchange: X,
    /// Ids of the engine and the run.
    pub ids: ClientOrderIds,
}

/// As [`assemble`], trading with `party`, and going on from what the run before left, where there is such a thing.
/// Err: as [`assemble`]; something was left that this run does not trade.
pub fn assemble_with<F: FrameSource, T: BookTap, X: Counterparty>(
    setup: &Setup<'_>,
    source: F,
    tap: T,
    counters: &mut Counters,
    mut writer: impl FnMut(Lane) -> Result<Writer, String>,
    party: Party<X>,
    recovered: Option<&Recovered>,
) -> Result<Assembled<F, T, X>, String> {
    let Setup { config, table, of_connection, subscriptions, clock, control } = *setup;
    let connections = connections(table, of_connection)?;
    let mut log =
        |lane| Ok::<_, String>(StageLog::new(writer(lane)?, Arc::clone(control), LANE_RESERVE_BYTES));
    let (feed_log, strategy_log, gateway_log) = (log(Lane::Feed)?, log(Lane::Strategy)?, log(Lane::Gateway)?);
    // Each holds its one report, so that a stage that ends never waits for whoever wants it.
    let ((feed_tx, feed), (book_tx, book), (signal_tx, signal), (gateway_tx, gateway)) =
        (sync_channel(1), sync_channel(1), sync_channel(1), sync_channel(1));
    let full = |error: CountersError| error.to_string();
    let (executions, executed) = executions_ring(table.len() * (config.strategies.len() + 1));
    let executed = count_receiver(counters, executed, "strategy", "executions").map_err(full)?;
    // What strategies declare is computed besides what taps watch.
    let mut subscriptions = subscriptions.clone();
    let strategy = StrategyStage::new(table, &config.strategies, &mut subscriptions, executed, strategy_log)?;
    let executions = Executions::publishing(executions, table, &config.strategies, counters).map_err(full)?;
    let manager = ManagerSetup {
        instruments: table,
        strategies: u16::try_from(config.strategies.len()).map_err(|_| "too many strategies")?,
        limits: config.limits.clone(),
        fees: config.fees,
        answer_timeout: config.answer_timeout,
        ids: party.ids,
        log: gateway_log,
        latency: Latency::register(clock.clone(), counters).map_err(full)?,
        control: Arc::clone(control),
    };
    let mut manager = OrderManager::new(manager, party.exchange)
        .map_err(|error| format!("the gate's limits and the instruments do not fit together: {error}"))?;
    if let Some(recovered) = recovered {
        manager.resume(recovered).map_err(|error| error.to_string())?;
    }
    let books = BookStage::new(table, config.book, tap, book_tx).counting(table, counters).map_err(full)?;
    let stages = Stages {
        feed: FeedStage::new(source, connections, table, config.feed, feed_log, clock.clone(), feed_tx)
            .counting(counters)
            .map_err(full)?,
        book: if config.strategies.is_empty() { books } else { books.forwarding_depth() },
        signal: SignalStage::new(table, &subscriptions, signal_tx).counting(counters).map_err(full)?,
        strategy: strategy.counting(counters).map_err(full)?,
        gateway: GatewayStage::new(manager, Arc::clone(control), gateway_tx),
        executions,
        gateway_heads: false,
        batch_max: BATCH_MAX,
    };
    Ok((stages, Reports { feed, book, signal, gateway }))
}

/// A decoder for each connection. Err: a connection without one.
pub(crate) fn connections(
    table: &InstrumentTable,
    of_connection: &[Vec<InstrumentId>],
) -> Result<Vec<Connection<AnyCodec>>, String> {
    let connection = |ids: &Vec<InstrumentId>| {
        let carried: Vec<_> = ids.iter().filter_map(|id| Some((*id, table.get(*id)?))).collect();
        let (_, first) = carried.first()?;
        let codec = AnyCodec::new(&first.venue, &carried)?;
        Some(Connection { codec, venue: first.venue_id })
    };
    let connections = of_connection.iter().map(connection).collect::<Option<Vec<_>>>();
    connections.ok_or_else(|| "a venue without a decoder".to_owned())
}

/// What a replay's orders are called: it is nobody's engine and no run of it.
pub(crate) fn order_ids() -> ClientOrderIds {
    ClientOrderIds::new(0, 0)
}

/// The exchange that answers: every order travels to it as a venue's bytes. Err: an instrument that cannot be sent.
pub fn paper_venue(config: &Config, table: &InstrumentTable) -> Result<PaperVenue, String> {
    let codec = order_codec(table)?;
    // Whoever trades by hand has no quotes, and the same room.
    let orders_max = (2 * QUOTES_MAX + BESIDE_MAX) * table.len() * (config.strategies.len() + 1);
    let exchange = PaperExchange::new(config.paper, table, config.book, orders_max);
    Ok(PaperVenue::new(codec, exchange, table))
}

/// What writes orders for a counterparty that looks at no time stamp and no signature. Err: an instrument that cannot
/// be sent.
pub(crate) fn order_codec(table: &InstrumentTable) -> Result<BinanceCodec, String> {
    let window = RecvWindow::from_ms(5_000).ok_or("a receive window")?;
    BinanceCodec::new(table.iter(), Authentication::Session, window).map_err(|error| error.to_string())
}

/// Bytes of journal that one input may take: the longest frame and everything it leads to.
const LANE_RESERVE_BYTES: usize = 1 << 20;

/// Cells of the largest message: a frame of `LEVELS_MAX` levels with its head.
const MESSAGE_CELLS_MAX: usize = 2 + LEVELS_MAX / 4;
/// Cells that one input can lead to behind the book stage: the book, its features, a few targets. A timer leads to
/// the features of every instrument on top.
const SMALL_CELLS_MAX: usize = 64;
const _: () = assert!(2 + TRADE_CELLS_MAX <= SMALL_CELLS_MAX);
/// Cells of one target.
const TARGET_CELLS: usize = 1 + size_of::<Quotes>() / size_of::<Cell>();
/// Room of the rings behind the book stage.
const SMALL_RING_CELLS: usize = 4096;

/// The ring from gateway to strategy. It holds everything that one input of the gateway can lead to.
#[must_use]
pub fn executions_ring(slots: usize) -> (RingSender, RingReceiver) {
    // An input of the gateway fills, ends, amends and places every quote of every strategy and instrument at most.
    let reserve = SMALL_CELLS_MAX + 2 * QUOTES_MAX * 4 * 3 * slots;
    ring(4 * reserve, 4, reserve)
}

/// Puts the stages together as the placement says. Err: the counters are full.
pub fn build<F, C, T, X>(
    stages: Stages<F, C, T, X>,
    placement: &Placement,
    instruments: usize,
    clock: &StampClock,
    counters: &mut Counters,
) -> Result<Vec<ThreadSpec>, CountersError>
where
    F: FrameSource + 'static,
    C: FeedCodec + Send + 'static,
    T: BookTap + 'static,
    X: Counterparty + 'static,
{
    let targets = stages.strategy.slot_count();
    let batch_max = stages.batch_max;
    let mut wiring = Wiring { placement, instruments, targets, batch_max, counters, chains: Vec::new() };
    let executions = stages.executions.try_map(|ring| wiring.count_sender(ring, "gateway", "executions"))?;
    let gateway = Node::new(stages.gateway, executions, clock.clone(), None);
    let gateway = match wiring.join(gateway, StageId::Gateway)? {
        Link::Here(gateway) if stages.gateway_heads => Link::Head(gateway),
        link => link,
    };
    let strategy = Node::new(stages.strategy, gateway, clock.clone(), Some(3));
    let strategy = wiring.join(strategy, StageId::Strategy)?;
    let signal = Node::new(stages.signal, strategy, clock.clone(), Some(2));
    let signal = wiring.join(signal, StageId::Signal)?;
    let book = Node::new(stages.book, signal, clock.clone(), Some(1));
    let book = wiring.join(book, StageId::Book)?;
    let source = SourceChain::new(stages.feed, book).taking(batch_max);
    wiring.chains.push((StageId::Feed, Box::new(source)));

    let mut chains = wiring.chains;
    let mut threads = Vec::new();
    for plan in &placement.threads {
        let heads = plan.chains().into_iter().filter_map(|run| run.first().copied());
        let of_plan = heads.filter_map(|head| {
            let index = chains.iter().position(|(stage, _)| *stage == head)?;
            Some(chains.swap_remove(index).1)
        });
        let of_plan: Vec<Box<dyn Chain>> = of_plan.collect();
        let pulse = Box::new(CounterPulse::register(counters, &plan.name())?);
        threads.push(ThreadSpec { plan: plan.clone(), chains: of_plan, pulse });
    }
    Ok(threads)
}

struct Wiring<'a> {
    placement: &'a Placement,
    instruments: usize,
    /// Targets that strategies can state at once.
    targets: usize,
    batch_max: u32,
    counters: &'a mut Counters,
    /// Chains that begin at a ring or at the source, by their first stage.
    chains: Vec<(StageId, Box<dyn Chain>)>,
}

impl Wiring<'_> {
    /// Joins a stage to the one before it: in place, or by a ring to a chain of its own.
    fn join<N: Sink + Send + 'static>(&mut self, node: N, stage: StageId) -> Result<Link<N>, CountersError> {
        let neighbours = |run: Vec<StageId>| run.windows(2).any(|pair| pair[1] == stage);
        if self.placement.threads.iter().flat_map(ThreadPlan::chains).any(neighbours) {
            return Ok(Link::Here(node));
        }
        let (sender, receiver) = if stage == StageId::Book {
            ring(4 * MESSAGE_CELLS_MAX, MESSAGE_CELLS_MAX, MESSAGE_CELLS_MAX + SMALL_CELLS_MAX)
        } else {
            let more = match stage {
                // What executions led to may wait when an input leads to as much again.
                StageId::Gateway => 2 * TARGET_CELLS * self.targets,
                _ => FEATURE_CELLS_MAX * self.instruments,
            };
            // The feed's depth goes on to the paper exchange.
            let reserve = MESSAGE_CELLS_MAX + SMALL_CELLS_MAX + more;
            ring(SMALL_RING_CELLS + 4 * reserve, MESSAGE_CELLS_MAX, reserve)
        };
        let name = stage.name();
        let sender = self.count_sender(sender, name, "input")?;
        let receiver = count_receiver(self.counters, receiver, name, "input")?;
        let chain = RingChain::new(receiver, node).taking(self.batch_max);
        self.chains.push((stage, Box::new(chain)));
        Ok(Link::Ring(sender))
    }

    fn count_sender(
        &mut self,
        sender: RingSender,
        owner: &str,
        name: &str,
    ) -> Result<RingSender, CountersError> {
        // Owned by the ring, not by a stage: sender and receiver are two threads and must not share a line.
        let mut register = |name: String, help| {
            let owner = format!("{owner} ring sender");
            self.counters.register(&owner, &Desc::counter(&name, Unit::Count, help))
        };
        let sent = register(format!("{name}_sent"), "Messages that entered the ring")?;
        let refused = register(format!("{name}_refused"), "Messages that found the ring full")?;
        Ok(sender.counting(sent, refused))
    }
}

fn count_receiver(
    counters: &mut Counters,
    receiver: RingReceiver,
    owner: &str,
    name: &str,
) -> Result<RingReceiver, CountersError> {
    let name = format!("{name}_taken");
    let desc = Desc::counter(&name, Unit::Count, "Messages that left the ring");
    Ok(receiver.counting(counters.register(&format!("{owner} ring receiver"), &desc)?))
}

/// A thread's heartbeat and turns, in the counters.
struct CounterPulse {
    heartbeat: Counter,
    turns: Counter,
    idle_turns: Counter,
    inputs: Counter,
    turn_max: Counter,
    long_turns: Counter,
}

impl CounterPulse {
    fn register(counters: &mut Counters, thread: &str) -> Result<Self, CountersError> {
        let owner = format!("thread {thread}");
        let mut register = |desc: Desc<'_>| counters.register(&owner, &desc);
        Ok(Self {
            heartbeat: register(Desc::heartbeat())?,
            turns: register(Desc::counter("turns", Unit::Count, "Turns made"))?,
            idle_turns: register(Desc::counter("idle_turns", Unit::Count, "Turns that found no work"))?,
            inputs: register(Desc::counter("inputs", Unit::Count, "Inputs taken"))?,
            long_turns: register(Desc::counter("long_turns", Unit::Count, "Turns of 1 ms and longer"))?,
            turn_max: register(Desc::max("turn_max", Unit::Nanos, "Longest turn, scheduling gaps included"))?,
        })
    }
}

impl Pulse for CounterPulse {
    fn beat(&mut self, report: &ThreadReport) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        self.heartbeat.set(u64::try_from(now.as_nanos()).unwrap_or(u64::MAX));
        self.turns.set(report.turns);
        self.idle_turns.set(report.idle_turns);
        self.inputs.set(report.inputs);
        self.turn_max.max(report.longest_turn_ns);
        self.long_turns.set(report.long_turns);
    }
}

const _: () = assert!(size_of::<Cell>() == 64 && MESSAGE_CELLS_MAX < u16::MAX as usize);
