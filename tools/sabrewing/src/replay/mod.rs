//! `sabrewing replay`: recorded frames through all five stages, to paper orders and a summary. They come from captures
//! or from the journal of a run.

mod books;
mod instruments;
mod journal_source;
pub(crate) mod pace;
pub(crate) mod recorded;
mod rows;
pub mod seen;
mod signals;
pub(crate) mod summary;
mod taps;
pub(crate) mod verify;

use crate::config::Config;
use crate::pipeline::{order_ids, paper_venue};
use crate::run::{
    Attached, Ended, OnStall, PlacementText, Progress, Refused, Repeated, Run, Show, input, json_line,
    refuse_unfit_host, say, usage,
};
use crate::run_files::RunFacts;
pub(crate) use books::BooksTap;
use clap::Args;
use engine::counters::Snapshot;
use engine::ids::{InstrumentId, Lane};
use engine::instrument::InstrumentTable;
use engine::time::Nanos;
use feeds::capture::{CaptureFile, CaptureSource, MergedCaptures};
use feeds::stage::FrameSource;
pub(crate) use instruments::SHIPPED as SHIPPED_INSTRUMENTS;
use instruments::{ResolveError, Resolved, VenueArg, resolve};
use journal_source::JournalSource;
use pace::{Pace, Paced};
use recorded::{Began, Recorded};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;
use strategies::signal::Subscriptions;
use taps::Taps;
use verify::{Check, Steps, Verified};

/// Replays captures, or the journal of a run, through all five stages.
///
/// Files of one instrument continue one stream in the order given; streams of different instruments are merged
/// by receive time. Venue and instrument are found from the messages. A run's directory brings its frames, timers,
/// instruments and configuration along; with --verify its commands and the order of its inputs are repeated too, and
/// every record that comes of it is compared with the run's.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  sabrewing replay btcusdt_20240808.gz
  sabrewing replay day1.gz day2.gz --journal run1 --json
  sabrewing replay spot.gz --books rows.jsonl.gz --books-every 10
  sabrewing replay spot.gz --signals rows.csv --vpin-bucket 3 --candles 1m minutes.csv
  sabrewing replay new.gz --tick 0.01 --lot 0.001 --placement five --pace 2x
  sabrewing replay run1 --config other.toml
  sabrewing replay run1 --verify

Exit codes: 0 every line was read; 1 the input could not be read to its end, --verify and the runs differ, or
--strict and anything was reported; 2 usage or configuration; 3 trading was stopped for safety.")]
pub(crate) struct ReplayArgs {
    /// Captures: lines of `<recv_ns> <json>`, plain or gzip; or the directory of one run.
    #[arg(required = true)]
    pub(crate) files: Vec<PathBuf>,
    /// Configuration; when absent the shipped replay.toml, or that of the run.
    #[arg(long)]
    config: Option<PathBuf>,
    /// Which stages share which thread: one, two, five, or a placement file.
    #[arg(long, default_value = "one")]
    placement: PlacementText,
    /// Venue and product, where the messages should not decide.
    #[arg(long)]
    pub(crate) venue: Option<VenueArg>,
    /// More instruments: an exchangeInfo answer, or a list in TOML or JSON.
    #[arg(long)]
    pub(crate) instruments: Option<PathBuf>,
    /// Price tick of an instrument that no list has.
    #[arg(long, requires = "lot")]
    pub(crate) tick: Option<String>,
    /// Order step of that instrument.
    #[arg(long, requires = "tick")]
    pub(crate) lot: Option<String>,
    /// Finest quantity the venue prints for it; found from the capture when absent.
    #[arg(long, requires = "tick")]
    pub(crate) qty_unit: Option<String>,
    /// Its contract size: required for inverse contracts, 1 otherwise.
    #[arg(long, requires = "tick")]
    pub(crate) contract_size: Option<String>,
    /// Keeps the run's journal and counters in this new directory.
    #[arg(long)]
    journal: Option<PathBuf>,
    /// Writes rows of the book to this file (gzip when it ends in .gz).
    #[arg(long)]
    books: Option<PathBuf>,
    /// A row for the first update, every N-th, and the last.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..))]
    books_every: u64,
    /// Writes rows of the signals to this CSV file (gzip when it ends in .gz).
    #[arg(long, value_name = "FILE")]
    signals: Option<PathBuf>,
    /// A row after every N-th line of a file, once the book is synchronised.
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    signals_every_line: u32,
    /// Volume of a VPIN bucket, in the venue's unit of quantity; its columns are empty without it.
    #[arg(long, value_name = "QTY", requires = "signals")]
    vpin_bucket: Option<String>,
    /// Writes candles of this time frame (1s, 1m, 4h, ...) to this CSV file (gzip when it ends in .gz); repeatable.
    #[arg(long, num_args = 2, value_names = ["FRAME", "FILE"])]
    candles: Vec<String>,
    /// The instrument of --books, --signals and --candles, where the files are of several; the symbol, where no message names it.
    #[arg(long)]
    instrument: Option<String>,
    /// Repeats the decisions of a run, whatever threads it had, and names the first record that differs.
    #[arg(long, conflicts_with_all = ["config", "journal", "placement"])]
    verify: bool,
    /// max, recorded, N/s messages, or Nx the recorded speed.
    #[arg(long, default_value = "max")]
    pace: Pace,
    /// One JSON object on stdout instead of a page of text.
    #[arg(long)]
    json: bool,
    /// Exit 1 when anything is reported: decode errors, gaps, cut or unsynchronised books, clock steps.
    #[arg(long)]
    strict: bool,
}

/// Runs the command.
pub(crate) fn run(args: &ReplayArgs) -> ExitCode {
    match replay(args) {
        Ok(code) => code,
        Err(Refused(code, what)) => {
            say(&format!("sabrewing replay: {what}"));
            ExitCode::from(code)
        }
    }
}

fn replay(args: &ReplayArgs) -> Result<ExitCode, Refused> {
    match run_directory(args)? {
        Some(dir) => replay_run(args, dir),
        None => replay_captures(args),
    }
}

/// The run to be replayed. None: captures are. Err: options or further files that do not go with it.
fn run_directory(args: &ReplayArgs) -> Result<Option<&Path>, Refused> {
    let Some(dir) = args.files.iter().find(|path| path.is_dir()) else {
        let what = "--verify takes the directory of a run";
        return if args.verify { Err(usage(what)) } else { Ok(None) };
    };
    let described = [&args.tick, &args.lot, &args.qty_unit, &args.contract_size];
    let what = if args.files.len() > 1 {
        "a run is replayed alone"
    } else if args.venue.is_some() || args.instruments.is_some() || described.into_iter().any(Option::is_some)
    {
        "a run brings its instruments along: they cannot be described"
    } else {
        return Ok(Some(dir));
    };
    Err(usage(format!("{}: {what}", dir.display())))
}

fn replay_captures(args: &ReplayArgs) -> Result<ExitCode, Refused> {
    let config = Config::load(args.config.as_deref()).map_err(usage)?;
    // A capture tells of no connection that could be lost.
    let config = config.with_live_tables_of(None).map_err(usage)?;
    let rows = taps::wanted(args).map_err(usage)?;
    let Resolved { table, of_file, assumed } = match resolve(args) {
        Ok(resolved) => resolved,
        Err(ResolveError::Usage(what)) => return Err(usage(what)),
        Err(ResolveError::Input(what)) => {
            taps::create_without_rows(&rows).map_err(usage)?;
            return Err(input(what));
        }
    };
    for line in assumed {
        say(&format!("assumed {line}"));
    }
    let files = args.files.iter().map(|path| path.display().to_string()).collect();
    let of_connection = of_file.iter().map(|id| vec![*id]).collect();
    let replayed = Replayed { config, table, of_connection, connections: files, repeated: None };
    replayed.run(args, |failed: Failed| {
        let streams = args.files.iter().zip(&of_file);
        let captures: Vec<CaptureFile> =
            streams.map(|(path, id)| CaptureFile { path: path.clone(), stream: id.index() }).collect();
        let opened = MergedCaptures::open(&captures).map_err(input)?;
        Ok(CaptureSource::new(opened, failed))
    })
}

fn replay_run(args: &ReplayArgs, dir: &Path) -> Result<ExitCode, Refused> {
    let mut recorded = match Recorded::open(dir) {
        Ok(recorded) => recorded,
        Err(refused) => {
            taps::create_without_rows(&taps::wanted(args).map_err(usage)?).map_err(usage)?;
            return Err(refused);
        }
    };
    if let Some(path) = &args.config {
        let config = Config::load(Some(path)).map_err(usage)?;
        recorded.config = config.with_live_tables_of(Some(&recorded.config)).map_err(usage)?;
    }
    // The journal has the timers.
    recorded.config.feed.timer_ns = Nanos(0);
    let of_connection = recorded.of_connection();
    let connections: Vec<String> =
        (0..of_connection.len()).map(|index| format!("{}, connection {index}", dir.display())).collect();
    let (frames, count) = (recorded.records(Lane::Feed), connections.len());
    let (config, table) = (recorded.config.clone(), recorded.table.clone());
    let repeated = args.verify.then_some(recorded);
    Replayed { config, table, of_connection, connections, repeated }
        .run(args, |failed: Failed| Ok(JournalSource::new(frames, count, failed)))
}

/// Where a source says what ended it before its end.
type Failed = SyncSender<String>;

/// What is replayed.
struct Replayed {
    config: Config,
    table: InstrumentTable,
    /// The instruments of each connection, and what messages call the connection.
    of_connection: Vec<Vec<InstrumentId>>,
    connections: Vec<String>,
    /// The run that is repeated and compared.
    repeated: Option<Recorded>,
}

impl Replayed {
    /// Runs the stages over what `open` makes, and says what came of it.
    fn run<F: FrameSource + 'static>(
        self,
        args: &ReplayArgs,
        open: impl FnOnce(Failed) -> Result<F, Refused>,
    ) -> Result<ExitCode, Refused> {
        let Self { config, table, of_connection, repeated, .. } = &self;
        let placement = args.placement.load()?;
        refuse_unfit_host(config, &placement, args.journal.as_deref())?;
        let rows = taps::wanted(args).map_err(usage)?;
        let tapped = taps::instrument(args, table, &rows).map_err(usage)?;
        // Strategies declare theirs first: their slots are then the same with and without taps.
        let mut subscriptions = Subscriptions::new();
        let taps = Taps::open(args, of_connection, tapped, &mut subscriptions).map_err(usage)?;
        let progress =
            Progress { status: &messages, every: Duration::from_millis(500), to: Show::unless(args.json) };
        let wired = (&placement, &of_connection[..]);
        let began = match repeated {
            Some(run) => run.began()?,
            None => None,
        };
        let ids = began.as_ref().map_or_else(order_ids, Began::ids);
        let facts = RunFacts { command: "replay", pace: args.pace, ids };
        let run = Run::new(config, table, wired, args.journal.as_deref(), facts, progress)?;
        if repeated.as_ref().is_some_and(Recorded::cancels_at_end) {
            run.cancel_at_end();
        }
        let (failed_tx, failed) = sync_channel(1);
        let source = Paced::new(open(failed_tx)?, args.pace);

        let Taps { books, signals, mark_every, failed: rows_failed } = taps;
        let signals = signals.map(|(instrument, tap)| (instrument, Box::new(tap) as _));
        let repeating = repeated.as_ref().map(|run| Repeated {
            steps: Steps::of(run),
            check: Check::new(run, began.as_ref().is_some_and(|began| began.is_outside)),
            gateway_heads: run.wiring.gateway_heads(),
        });
        let watched = crate::live::watched(config, table)?;
        let attached = Attached { repeated: repeating, books, signals, mark_every, watched };
        let recovered = began.as_ref().map(|began| &began.recovered);
        let on_stall = OnStall::Count;
        let ended = match repeated.as_ref().zip(began.as_ref()) {
            Some((recorded, began)) if began.is_outside => {
                let venue = recorded.venue(began, table)?;
                run.go(source, &subscriptions, attached, on_stall, (venue, recovered))?
            }
            _ => {
                let paper = paper_venue(config, table).map_err(usage)?;
                run.go(source, &subscriptions, attached, on_stall, (paper, recovered))?
            }
        };
        self.close(args, ended, &failed, &rows_failed)
    }

    /// Says what came of a replay, and what failed of its source and its files of rows.
    fn close(
        &self,
        args: &ReplayArgs,
        mut ended: Ended,
        failed: &Receiver<String>,
        rows_failed: &Receiver<String>,
    ) -> Result<ExitCode, Refused> {
        let is_interrupted = ended.is_interrupted();
        let checked = ended.checked.take();
        let (feed, summary) = (&ended.feed, &mut ended.summary);
        summary.files = args.files.iter().map(|path| path.display().to_string()).collect();
        summary.first_errors = feed
            .first_errors
            .iter()
            .map(|(connection, line, error)| {
                let name = self.connections.get(connection.index()).map_or("", String::as_str);
                format!("{name}, line {line}: {error}")
            })
            .collect();

        let mut failures: Vec<String> = failed.try_iter().collect();
        if failures.is_empty() && feed.frames == 0 && !is_interrupted && self.repeated.is_none() {
            failures.push("no line was read".into());
        }
        failures.extend(rows_failed.try_iter());
        if let Some((run, (checked, parted))) = self.repeated.as_ref().zip(checked) {
            let verified = Verified::new(run, checked, parted);
            failures.extend(verified.difference.as_ref().map(ToString::to_string));
            summary.verified = Some(verified);
        }
        let code = u8::from(!failures.is_empty() || summary.has_findings() && args.strict);
        let page = if args.json { json_line(summary)? } else { summary.text() };
        Ok(ended.close("sabrewing replay", "every line was read", code, failures, &page))
    }
}

/// What a terminal shows while a replay runs.
fn messages(counters: &Snapshot, elapsed: Duration) -> String {
    let frames = counters.find("feed", "frames").map_or(0, |entry| entry.value);
    format!("{frames} messages, {} s ", elapsed.as_secs())
}
