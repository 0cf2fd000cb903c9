//! What a replay says at its end: one JSON object for programs, a page of text for people.

mod text;

use super::verify::Verified;
use crate::live::venue_books::VenueBooks;
use engine::book_stage::BookReport;
use engine::ids::InstrumentId;
use engine::instrument::{Instrument, InstrumentTable};
use engine::latency::Percentiles;
use engine::message::book_state;
use engine::num::Decimal;
use engine::risk::{MarketUnits, Refusal, RiskRule};
use engine::runner::ThreadReport;
use feeds::stage::FeedReport;
use feeds::sync::SyncCounts;
use gateway::manager::{GatewayReport, OrderCounts, PositionReport};
use serde::Serialize;
use std::collections::BTreeMap;
use strategies::signal::SignalCounts;

/// Everything a replay found, in the order in which it is printed.
#[derive(Debug, Serialize)]
pub(crate) struct Summary {
    pub(crate) files: Vec<String>,
    pub(crate) venue: String,
    pub(crate) instruments: Vec<String>,
    pub(crate) messages: BTreeMap<&'static str, u64>,
    pub(crate) decode_errors: u64,
    pub(crate) general_decoder: u64,
    pub(crate) book_updates: u64,
    pub(crate) gaps: u64,
    /// Books that were left because their connection was lost or their stream fell silent.
    pub(crate) cuts: u64,
    /// Completed returns after a gap or a cut.
    pub(crate) resyncs: u64,
    /// Live books that were renewed from a later snapshot.
    pub(crate) renewals: u64,
    pub(crate) dropped_unsynced: u64,
    pub(crate) duplicates: u64,
    pub(crate) snapshots_ignored: u64,
    /// Connections lost, and streams found silent.
    pub(crate) lost: u64,
    /// Messages that another connection had brought before.
    pub(crate) copies: u64,
    pub(crate) clock_steps: u64,
    /// Trades older than the last closed candle of a time frame.
    pub(crate) late_trades: u64,
    pub(crate) books: BTreeMap<String, BookSummary>,
    pub(crate) orders: Orders,
    pub(crate) position: BTreeMap<String, String>,
    pub(crate) cash: BTreeMap<String, String>,
    pub(crate) pnl: BTreeMap<String, Option<String>>,
    /// Paid by asset; negative: earned.
    pub(crate) fees: BTreeMap<String, String>,
    /// Received by asset, part of the cash; negative: paid.
    pub(crate) funding: BTreeMap<String, String>,
    /// Positions by strategy, where there are several.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) strategies: BTreeMap<u16, BTreeMap<String, StrategyPosition>>,
    pub(crate) open_orders: usize,
    /// SHA-256 of the listing of decisions: `journal dump RUN --decisions`. None: it could not be made.
    pub(crate) decisions_sha256: Option<String>,
    pub(crate) config: ConfigSummary,
    pub(crate) journal: Option<String>,
    pub(crate) placement: Vec<Thread>,
    pub(crate) elapsed_s: f64,
    pub(crate) messages_per_s: f64,
    pub(crate) latency_ns: BTreeMap<&'static str, Percentiles>,
    pub(crate) memory_bytes: Memory,
    /// Times that a thread made no turn for longer than `stall_ms`.
    pub(crate) stalls: u64,
    /// Why trading stopped before the end.
    pub(crate) stopped: Option<String>,
    /// The first lines that could not be used.
    pub(crate) first_errors: Vec<String>,
    /// What the comparison with the venue's own books found, where the venue answered the orders.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) venue_books: Option<VenueBooks>,
    /// What the comparison with the recorded run found, where it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) verified: Option<Verified>,
}

/// The configuration of a run.
#[derive(Debug, Default, Serialize)]
pub(crate) struct ConfigSummary {
    pub(crate) file: String,
    /// Of its text.
    pub(crate) sha256: String,
}

#[derive(Debug, Serialize)]
pub(crate) struct BookSummary {
    /// `valid`, or why it must not be quoted on.
    pub(crate) state: &'static str,
    pub(crate) updates: u64,
    pub(crate) gaps: u64,
    pub(crate) dropped_unsynced: u64,
}

/// One strategy in one instrument.
#[derive(Debug, Serialize)]
pub(crate) struct StrategyPosition {
    pub(crate) position: String,
    /// At average cost, fees not included.
    pub(crate) realised: Option<String>,
    /// Realised and unrealised, fees not included.
    pub(crate) pnl: Option<String>,
    pub(crate) fees: String,
}

#[derive(Debug, Serialize)]
pub(crate) struct Orders {
    pub(crate) placed: u64,
    pub(crate) amended: u64,
    pub(crate) canceled: u64,
    pub(crate) filled: u64,
    pub(crate) rejected: BTreeMap<&'static str, u64>,
    /// The last refusal of each rule of the gate, in words: instrument, limit, value.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) rejected_last: BTreeMap<&'static str, String>,
}

#[derive(Debug, Serialize)]
pub(crate) struct Thread {
    pub(crate) thread: String,
    pub(crate) tid: i32,
    pub(crate) core: Option<usize>,
    /// The cores that the kernel says it may run on.
    pub(crate) cores: Vec<usize>,
    pub(crate) pinned: bool,
    pub(crate) turns: u64,
    pub(crate) idle_share: f64,
    pub(crate) longest_turn_ns: u64,
}

/// Memory of the process at the end.
#[derive(Debug, Serialize)]
pub(crate) struct Memory {
    /// All books.
    pub(crate) books: u64,
    /// Anonymous memory of the process, the most seen while it ran; 0: the kernel does not say, or it was too short.
    pub(crate) anonymous: u64,
}

/// The reports of a run's stages and threads.
pub(crate) struct StageReports<'a> {
    pub(crate) table: &'a InstrumentTable,
    pub(crate) feed: &'a FeedReport,
    pub(crate) book: &'a BookReport,
    pub(crate) signal: SignalCounts,
    pub(crate) gateway: &'a GatewayReport,
    pub(crate) threads: &'a [ThreadReport],
}

impl Summary {
    /// Fills in what the stages and threads reported.
    pub(crate) fn of(reports: &StageReports<'_>) -> Self {
        let StageReports { table, feed, book, signal, gateway, threads } = reports;
        let sum = |of: fn(&SyncCounts) -> u64| feed.sync.iter().map(of).sum();
        let names = ["depth", "snapshot", "book_ticker", "trade", "mark_price", "kline", "other"];
        let Held { position, cash, pnl, fees, funding, strategies } = Held::of(table, &gateway.positions);
        Self {
            files: Vec::new(),
            venue: venues(table).join(","),
            instruments: table.iter().map(Instrument::full_name).collect(),
            messages: names.into_iter().zip(feed.events).filter(|(_, count)| *count > 0).collect(),
            decode_errors: feed.decode_errors,
            general_decoder: feed.general_decoder,
            book_updates: sum(|sync| sync.applied),
            gaps: sum(|sync| sync.gaps),
            cuts: sum(|sync| sync.cuts),
            resyncs: sum(|sync| sync.resyncs),
            renewals: sum(|sync| sync.renewals),
            dropped_unsynced: sum(|sync| sync.dropped_unsynced),
            duplicates: sum(|sync| sync.duplicates),
            snapshots_ignored: sum(|sync| sync.snapshots_ignored),
            lost: feed.lost,
            copies: feed.copies,
            clock_steps: feed.clock_steps,
            late_trades: signal.late_trades,
            books: books(table, book, feed),
            orders: Orders::of(table, gateway),
            position,
            cash,
            pnl,
            fees,
            funding,
            strategies,
            open_orders: gateway.positions.iter().map(|report| report.open_orders).sum(),
            decisions_sha256: None,
            config: ConfigSummary::default(),
            journal: None,
            placement: threads.iter().map(Thread::of).collect(),
            elapsed_s: 0.0,
            messages_per_s: 0.0,
            latency_ns: gateway.latency.percentiles(),
            memory_bytes: Memory { books: book.memory_bytes, anonymous: 0 },
            stalls: 0,
            stopped: None,
            first_errors: Vec::new(),
            venue_books: None,
            verified: None,
        }
    }

    /// Whether anything was reported that `--strict` does not let pass.
    pub(crate) fn has_findings(&self) -> bool {
        let unsynchronised = self.books.values().any(|book| book.updates == 0 && book.dropped_unsynced > 0);
        self.decode_errors > 0
            || self.gaps > 0
            || self.cuts > 0
            || self.clock_steps > 0
            || unsynchronised
            || self.stopped.is_some()
    }
}

/// The venues of the instruments, each once, in the order in which they come.
fn venues(table: &InstrumentTable) -> Vec<&str> {
    let mut venues: Vec<&str> = Vec::new();
    for instrument in table.iter() {
        if !venues.contains(&instrument.venue.as_str()) {
            venues.push(&instrument.venue);
        }
    }
    venues
}

fn books(table: &InstrumentTable, book: &BookReport, feed: &FeedReport) -> BTreeMap<String, BookSummary> {
    let summary = |((instrument, state), sync): ((&Instrument, &u32), &SyncCounts)| {
        let summary = BookSummary {
            state: book_state::name(*state),
            updates: sync.applied,
            gaps: sync.gaps,
            dropped_unsynced: sync.dropped_unsynced,
        };
        (instrument.full_name(), summary)
    };
    table.iter().zip(&book.states).zip(&feed.sync).map(summary).collect()
}

impl Orders {
    fn of(table: &InstrumentTable, gateway: &GatewayReport) -> Self {
        let OrderCounts { placed, amended, canceled, filled, .. } = gateway.orders;
        let refused = RiskRule::ALL.iter().map(|rule| (rule.name(), gateway.orders.refused[*rule as usize]));
        let rejected = refused.chain([("exchange", gateway.orders.rejected)]);
        let in_words = |(id, refusal): &(InstrumentId, Refusal)| {
            let instrument = table.get(*id)?;
            let words = refusal.in_words(MarketUnits::of(instrument));
            Some((refusal.rule.name(), format!("{}, {words}", instrument.full_name())))
        };
        Self {
            placed,
            amended,
            canceled,
            filled,
            rejected: rejected.filter(|(_, count)| *count > 0).collect(),
            rejected_last: gateway.last_refusals.iter().filter_map(in_words).collect(),
        }
    }
}

/// What is held at the end, and what it came to, as the summary says it.
struct Held {
    position: BTreeMap<String, String>,
    cash: BTreeMap<String, String>,
    pnl: BTreeMap<String, Option<String>>,
    fees: BTreeMap<String, String>,
    funding: BTreeMap<String, String>,
    strategies: BTreeMap<u16, BTreeMap<String, StrategyPosition>>,
}

impl Held {
    fn of(table: &InstrumentTable, positions: &[PositionReport]) -> Self {
        let [mut cash, mut pnl, mut fees, mut funding] = [const { Sums::new() }; 4];
        let (mut held, mut strategies) = (BTreeMap::new(), BTreeMap::<u16, BTreeMap<_, _>>::new());
        for report in positions {
            let Some(instrument) = table.get(report.instrument) else { continue };
            let amount = |amount: Option<i128>| amount.map(|amount| instrument.amount(amount));
            *held.entry(report.instrument).or_insert(0_i128) += i128::from(report.position.qty.0);
            add(&mut cash, instrument, amount(Some(report.position.cash)));
            add(&mut pnl, instrument, amount(report.pnl));
            add(&mut fees, instrument, amount(Some(report.position.fees)));
            add(&mut funding, instrument, amount(Some(report.position.funding)));
            let position = StrategyPosition {
                position: report.position.qty.display(instrument.qty_unit).to_string(),
                realised: amount(report.position.realised().ok()).map(|amount| amount.to_string()),
                pnl: amount(report.pnl).map(|amount| amount.to_string()),
                fees: instrument.amount(report.position.fees).to_string(),
            };
            strategies.entry(report.strategy.0).or_default().insert(instrument.full_name(), position);
        }
        if strategies.len() == 1 {
            strategies.clear();
        }
        let position = table.iter().map(|instrument| {
            let qty = held.get(&instrument.id).copied().unwrap_or(0);
            (instrument.full_name(), instrument.qty_unit.decimal(qty).to_string())
        });
        let known = |sums: Sums| {
            sums.into_iter().filter_map(|(asset, sum)| Some((asset, sum?.to_string()))).collect()
        };
        Self {
            position: position.collect(),
            cash: known(cash),
            pnl: pnl.into_iter().map(|(asset, sum)| (asset, sum.map(|sum| sum.to_string()))).collect(),
            fees: known(fees),
            funding: known(funding),
            strategies,
        }
    }
}

/// Amounts by asset; None: not known.
type Sums = BTreeMap<String, Option<Decimal>>;

/// Adds an amount to its asset's sum; once a part is unknown, so is the sum.
fn add(sums: &mut Sums, instrument: &Instrument, amount: Option<Decimal>) {
    let sum = sums.entry(instrument.settle().to_owned()).or_insert(Some(Decimal::ZERO));
    *sum = sum.zip(amount).and_then(|(sum, amount)| sum.checked_add(amount).ok());
}

impl Thread {
    fn of(report: &ThreadReport) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "a share for people")]
        let idle_share = report.idle_turns as f64 / report.turns.max(1) as f64;
        Self {
            thread: report.name.clone(),
            tid: report.tid,
            core: report.core_wanted,
            cores: report.cores.clone(),
            pinned: report.core_wanted.is_some() && !report.missed_pin(),
            turns: report.turns,
            idle_share,
            longest_turn_ns: report.longest_turn_ns,
        }
    }
}

/// Anonymous memory of the process now (`RssAnon`), 0 when the kernel does not say.
pub(crate) fn anonymous_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
    let kib = line.and_then(|rest| rest.trim().trim_end_matches(" kB").trim().parse::<u64>().ok());
    kib.unwrap_or(0) * 1024
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::latency::Hops;

    /// The summary of a run of these instruments whose feed said this.
    fn summary(table: &InstrumentTable, feed: &FeedReport) -> Summary {
        let gateway = GatewayReport {
            orders: OrderCounts::default(),
            last_refusals: Vec::new(),
            positions: Vec::new(),
            latency: Hops::default(),
        };
        let book = BookReport { states: vec![0; table.len()], ..BookReport::default() };
        let signal = SignalCounts::default();
        Summary::of(&StageReports { table, feed, book: &book, signal, gateway: &gateway, threads: &[] })
    }

    #[test]
    fn a_venue_is_named_once_however_its_instruments_lie() {
        let shipped = feeds::instruments::parse(crate::replay::SHIPPED_INSTRUMENTS.as_bytes()).unwrap();
        let mut table = InstrumentTable::default();
        for (venue, symbol) in [("binance-spot", "BTC"), ("binance-usdm", "BTC"), ("binance-spot", "ETH")] {
            table.add(Instrument { venue: venue.into(), symbol: symbol.into(), ..shipped[0].clone() });
        }
        let feed = FeedReport { sync: vec![SyncCounts::default(); 3], ..FeedReport::default() };
        assert_eq!(summary(&table, &feed).venue, "binance-spot,binance-usdm");
    }

    #[test]
    fn what_became_of_connections_is_said_and_a_cut_book_is_a_finding() {
        let mut table = InstrumentTable::default();
        table
            .add(feeds::instruments::parse(crate::replay::SHIPPED_INSTRUMENTS.as_bytes()).unwrap().remove(0));
        let of = |lost, copies, cuts, renewals| {
            let sync = SyncCounts { applied: 9, cuts, resyncs: cuts, renewals, ..SyncCounts::default() };
            summary(&table, &FeedReport { lost, copies, sync: vec![sync], ..FeedReport::default() })
        };
        let quiet = of(0, 0, 0, 0);
        assert!(!quiet.has_findings() && !quiet.text().contains("connections"), "{}", quiet.text());
        // The other copy of a pair went on.
        let pair = of(2, 40, 0, 3);
        assert!(!pair.has_findings(), "{pair:?}");
        let line = "connections        2 lost or silent; 0 books cut, 3 renewed, 40 second copies dropped\n";
        assert!(pair.text().contains(line), "{}", pair.text());
        let cut = of(1, 0, 1, 0);
        assert!(cut.has_findings(), "{cut:?}");
        let json = serde_json::to_value(&cut).unwrap();
        let keys = ["lost", "copies", "cuts", "renewals", "resyncs", "gaps"].map(|key| json[key].as_u64());
        assert_eq!(keys, [1, 0, 1, 0, 1, 0].map(Some));
    }
}
