//! `sabrewing demo`: all five stages for a machine without data or network, against the simulated venue, or on markets
//! made from a seed inside the process. The markets speak as Binance USD-M does, so that nothing behind the source knows
//! the difference.

mod frames;
mod market;
mod random;
mod resting;
mod source;
mod statistics;
#[cfg(feature = "venue-sim")]
mod venue;

use crate::config::Config;
use crate::pipeline::{order_ids, paper_venue};
use crate::replay::BooksTap;
use crate::replay::pace::{Pace, Paced};
use crate::replay::summary::Summary;
use crate::run::{
    Attached, OnStall, PlacementText, Progress, Refused, Run, Show, json_line, refuse_unfit_host, say, usage,
};
use crate::run_files::{RunFacts, wall_now};
use clap::{Args, ValueEnum};
use engine::counters::{Entry, Snapshot};
use engine::instrument::InstrumentTable;
use engine::num::Qty;
use engine::time::Nanos;
use market::Start;
pub use random::Random;
use serde::Serialize;
pub use source::DemoSource;
use statistics::MarketSummary;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::mpsc::sync_channel;
use std::time::Duration;
use strategies::signal::Subscriptions;

/// Runs all five stages against a simulated venue on this machine: no data, no account, no network.
///
/// The venue is a process of its own, which speaks Binance's protocol over TLS on the loopback; its market is made from
/// the seed. Orders are sent to it as to a real one, and at the end its books are compared with the engine's. With --pace
/// the market is made inside the engine instead, without sockets, and the paper exchange answers the orders. The page at
/// the end says what was traded, and what each hop took.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  sabrewing demo
  sabrewing demo --for 2m --instruments 2 --placement two --journal run1
  sabrewing demo --for 1h --pace max --seed 7 --journal run1 --json

Exit codes: 0 it ran to its end, or to Ctrl-C; 1 the venue did not begin, or did not answer; 2 usage or configuration;
3 trading was stopped for safety, or the venue's books are not the engine's.")]
pub(crate) struct DemoArgs {
    /// Which market: one seed is one market, on every machine.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How long, in the market's time: 500ms, 20s, 5m, 1h.
    #[arg(long = "for", value_name = "DURATION", default_value = "20s", value_parser = duration)]
    duration: Nanos,
    /// 1: BTCUSDT; 2: ETHUSDT too.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=2))]
    instruments: u8,
    /// Which stages share which thread: one, two, five, or a placement file.
    #[arg(long, default_value = "one")]
    placement: PlacementText,
    /// Keeps the run's journal and counters in this new directory.
    #[arg(long)]
    journal: Option<PathBuf>,
    /// Configuration; the shipped replay.toml when absent.
    #[arg(long)]
    config: Option<PathBuf>,
    /// One JSON object on stdout instead of a page of text; a line a second on stderr.
    #[arg(long)]
    json: bool,
    /// A market made inside the engine. live: by the clock; max: as fast as frames are taken, from a fixed start, alike
    /// every time.
    #[arg(long, value_enum)]
    pace: Option<PaceArg>,
}

/// `--pace`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum PaceArg {
    Live,
    Max,
}

/// Runs the command.
pub(crate) fn run(args: &DemoArgs) -> ExitCode {
    let ran = match args.pace {
        #[cfg(feature = "venue-sim")]
        None => venue::demo(args),
        pace => demo(args, pace.unwrap_or(PaceArg::Live)),
    };
    match ran {
        Ok(code) => code,
        Err(Refused(code, what)) => {
            say(&format!("sabrewing demo: {what}"));
            ExitCode::from(code)
        }
    }
}

fn demo(args: &DemoArgs, pace: PaceArg) -> Result<ExitCode, Refused> {
    let config = Config::load(args.config.as_deref()).map_err(usage)?;
    // A market made inside the engine has no connections.
    let config = config.with_live_tables_of(None).map_err(usage)?;
    let placement = args.placement.load()?;
    refuse_unfit_host(&config, &placement, args.journal.as_deref())?;
    let table = instruments(usize::from(args.instruments)).map_err(usage)?;
    let status = |counters: &Snapshot, elapsed: Duration| status(&table, counters, elapsed);
    let to = if args.json { Show::Lines } else { Show::unless(false) };
    let of_connection: Vec<_> = table.iter().map(|instrument| vec![instrument.id]).collect();
    let (clock, pace): (fn() -> Nanos, _) = match pace {
        PaceArg::Live => (wall_now, Pace::Recorded { speed_milli: 1_000 }),
        PaceArg::Max => (|| MAX_START, Pace::Max),
    };
    let run = Run::new(
        &config,
        &table,
        (&placement, &of_connection),
        args.journal.as_deref(),
        RunFacts { command: "demo", pace, ids: order_ids() },
        Progress { status: &status, every: Duration::from_secs(1), to },
    )?;

    let (done, statistics) = sync_channel(1);
    let markets = table.iter().zip(STARTS);
    let source = Paced::new(DemoSource::new(args.seed, markets, clock, args.duration, done), pace);
    // Nobody looks at the books of a demo but the stages.
    let attached = Attached {
        repeated: None,
        books: None::<BooksTap>,
        signals: None,
        mark_every: 0,
        watched: Vec::new(),
    };
    let paper = paper_venue(&config, &table).map_err(usage)?;
    let ended = run.go(source, &Subscriptions::new(), attached, OnStall::Stop, (paper, None))?;

    let statistics =
        statistics.recv().map_err(|_| Refused(3, "the source ended without its report".into()))?;
    let generated = statistics.summary(&table);
    let (seed, summary) = (args.seed, &ended.summary);
    let page = if args.json {
        json_line(&DemoSummary { seed, generated, summary })?
    } else {
        format!("{:<18} {seed}\n{}{}", "seed", generated.text(), summary.text())
    };
    Ok(ended.close("sabrewing demo", "the time was over", 0, Vec::new(), &page))
}

/// The summary of a replay, and what it was of.
#[derive(Serialize)]
struct DemoSummary<'a> {
    seed: u64,
    generated: MarketSummary,
    #[serde(flatten)]
    summary: &'a Summary,
}

/// Frames of `count` (1 or 2) generated markets of a seed, for `duration` from a fixed start, as fast as they are
/// asked for, and their instruments; an instrument's number is its connection. Err: an instrument that cannot be read.
pub fn generated(seed: u64, count: usize, duration: Nanos) -> Result<(DemoSource, InstrumentTable), String> {
    let table = instruments(count)?;
    // Nobody asks what the markets were like.
    let done = sync_channel(1).0;
    Ok((DemoSource::new(seed, table.iter().zip(STARTS), || MAX_START, duration, done), table))
}

/// The first instrument ships with the program, the others belong to the demo.
fn instruments(count: usize) -> Result<InstrumentTable, String> {
    let parse = |text: &str| feeds::instruments::parse(text.as_bytes()).map_err(|e| e.to_string());
    let shipped = parse(crate::replay::SHIPPED_INSTRUMENTS)?;
    let shipped = shipped.into_iter().filter(|i| i.venue == "binance-usdm");
    let mut table = InstrumentTable::default();
    for instrument in shipped.chain(parse(INSTRUMENTS)?).take(count) {
        table.add(instrument);
    }
    Ok(table)
}

/// A line for whoever watches.
fn status(table: &InstrumentTable, counters: &Snapshot, elapsed: Duration) -> String {
    let frames = counters.find("feed", "frames").map_or(0, |entry| entry.value);
    let mut line = format!("{} s, {frames} messages", elapsed.as_secs());
    for instrument in table.iter() {
        let name = instrument.full_name();
        let here = || counters.counters.iter().filter(|counter| counter.instrument == name);
        for quoting in here().filter(|counter| counter.owner == "strategy" && counter.name == "not_quoting") {
            let strategy = &quoting.strategy;
            let gateway = |wanted: &str| {
                let mut own = here().filter(|c| c.owner == "gateway" && c.strategy == *strategy);
                own.find(|c| c.name == wanted).map_or(0, Entry::signed)
            };
            let position = Qty(gateway("position")).display(instrument.qty_unit);
            let (pnl, fees) = (gateway("pnl"), gateway("fees"));
            let [pnl, fees] = [pnl, fees].map(|amount| instrument.amount(i128::from(amount)));
            let (orders, open, fills) = (gateway("orders"), gateway("open_orders"), gateway("fills"));
            let (symbol, settle) = (&instrument.symbol, instrument.settle());
            let reason = quoting.reason().unwrap_or("no reason");
            line += &format!(
                "; {strategy} {symbol}: {orders} orders, {open} open, {fills} fills, position {position}, \
                 profit {pnl} {settle} before {fees} fees, {reason}"
            );
        }
    }
    line
}

/// Reads `500ms`, `20s`, `5m`, `1h`. Err: another text; less than 1 ms; more than a day.
fn duration(text: &str) -> Result<Nanos, String> {
    Nanos::parse_length(text, Nanos::from_ms(1)..=Nanos::DAY)
}

/// The demo's own instruments.
const INSTRUMENTS: &str = include_str!("../../configs/demo_instruments.toml");
/// Where the markets start, in the order of the instruments.
const STARTS: [Start; 2] = [
    Start { price_ticks: 618_000, qty_units: 1 }, // 61,800.00 USDT, orders from 0.001 BTC
    Start { price_ticks: 265_000, qty_units: 20 }, // 2,650.00 USDT, orders from 0.020 ETH
];
/// Start of a run that does not follow the clock: 1 January 2026, 00:00 UTC.
const MAX_START: Nanos = Nanos(1_767_225_600_000_000_000);

#[cfg(test)]
mod tests {
    use super::*;

    /// The source of a demo at `--pace max`, and its instruments.
    pub(super) fn source(seed: u64, instruments: usize, seconds: u64) -> (DemoSource, InstrumentTable) {
        generated(seed, instruments, Nanos(seconds * Nanos::SECOND.0)).unwrap()
    }

    #[test]
    fn each_instrument_has_a_start_and_says_where_its_values_come_from() {
        let table = instruments(STARTS.len()).unwrap();
        let names: Vec<String> = table.iter().map(engine::instrument::Instrument::full_name).collect();
        assert_eq!(names, ["binance-usdm:BTCUSDT", "binance-usdm:ETHUSDT"]);
        assert_eq!(table.get(engine::ids::InstrumentId(1)).unwrap().source, "generated for the demo");
    }

    #[test]
    fn durations_are_read_or_refused_with_what_they_may_be() {
        for (text, ns) in [("1ms", 1_000_000), ("20s", 20_000_000_000), ("2m", 120_000_000_000)] {
            assert_eq!(duration(text), Ok(Nanos(ns)));
        }
        assert_eq!(duration("24h"), Ok(Nanos(24 * Nanos::HOUR.0)));
        for bad in ["", "20", "s", "-1s", "1.5s", "0s", "25h", "20 s", "2d", "99999999999999999999h"] {
            assert!(duration(bad).unwrap_err().contains("a duration is"), "{bad}");
        }
    }
}
