//! `sabrewing replay`: recorded frames through all five stages, to paper orders and a summary.

mod books;
mod instruments;
pub(crate) mod pace;
mod rows;
mod signals;
pub(crate) mod summary;
mod taps;

use crate::config::Config;
use crate::run::{
    Attached, OnStall, PlacementText, Progress, Refused, Run, Show, input, json_line, refuse_unfit_host, say,
    usage,
};
pub(crate) use books::BooksTap;
use clap::Args;
use engine::counters::Snapshot;
use engine::ids::ConnectionId;
use feeds::capture::{CaptureError, CaptureFile, CaptureSource, MergedCaptures};
pub(crate) use instruments::SHIPPED as SHIPPED_INSTRUMENTS;
use instruments::{ResolveError, Resolved, VenueArg, resolve};
use pace::{Pace, Paced};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::mpsc::sync_channel;
use std::time::Duration;
use strategies::signal::Subscriptions;
use taps::Taps;

/// Replays captures through all five stages.
///
/// Files of one instrument continue one stream in the order given; streams of different instruments are merged
/// by receive time. Venue and instrument are found from the messages.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  sabrewing replay btcusdt_20240808.gz
  sabrewing replay day1.gz day2.gz --journal run1 --json
  sabrewing replay spot.gz --books rows.jsonl.gz --books-every 10
  sabrewing replay spot.gz --signals rows.csv --vpin-bucket 3 --candles 1m minutes.csv
  sabrewing replay new.gz --tick 0.01 --lot 0.001 --placement five --pace 2x

Exit codes: 0 every line was read; 1 the input could not be read to its end, or --strict and anything was
reported; 2 usage or configuration; 3 trading was stopped for safety.")]
pub(crate) struct ReplayArgs {
    /// Captures: lines of `<recv_ns> <json>`, plain or gzip.
    #[arg(required = true)]
    pub(crate) files: Vec<PathBuf>,
    /// Configuration; the shipped replay.toml when absent.
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
    /// max, recorded, N/s messages, or Nx the recorded speed.
    #[arg(long, default_value = "max")]
    pace: Pace,
    /// One JSON object on stdout instead of a page of text.
    #[arg(long)]
    json: bool,
    /// Exit 1 when anything is reported: decode errors, gaps, unsynchronised books, clock steps.
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
    let config = Config::load(args.config.as_deref()).map_err(usage)?;
    let placement = args.placement.load()?;
    refuse_unfit_host(&config, &placement, args.journal.as_deref())?;
    let rows = taps::wanted(args).map_err(usage)?;
    let Resolved { table, of_file, assumed } = match resolve(args) {
        Ok(resolved) => resolved,
        Err(ResolveError::Usage(what)) => return Err(usage(what)),
        Err(ResolveError::Input(what)) => {
            taps::create_without_rows(&rows).map_err(usage)?;
            return Err(input(what));
        }
    };
    let tapped = taps::instrument(args, &table, &rows).map_err(usage)?;
    for line in assumed {
        say(&format!("assumed {line}"));
    }
    // Strategies declare theirs first: their slots are then the same with and without taps.
    let mut subscriptions = Subscriptions::new();
    let taps = Taps::open(args, &of_file, tapped, &mut subscriptions).map_err(usage)?;
    let progress =
        Progress { status: &messages, every: Duration::from_millis(500), to: Show::unless(args.json) };
    let run = Run::new(&config, &table, args.journal.as_deref(), progress)?;

    let captures: Vec<CaptureFile> = args
        .files
        .iter()
        .zip(&of_file)
        .map(|(path, id)| CaptureFile { path: path.clone(), stream: id.index() })
        .collect();
    let (capture_failed_tx, capture_failed) = sync_channel(1);
    let opened = MergedCaptures::open(&captures).map_err(input)?;
    let source = Paced::new(CaptureSource::new(opened, capture_failed_tx), args.pace);

    let Taps { books, signals, mark_every, failed: rows_failed } = taps;
    let signals = signals.map(|(instrument, tap)| (instrument, Box::new(tap) as _));
    let attached = Attached { books, signals, mark_every };
    let mut ended = run.go(&placement, &of_file, source, &subscriptions, attached, OnStall::Count)?;
    let is_interrupted = ended.is_interrupted();
    let (feed, summary) = (&ended.feed, &mut ended.summary);
    summary.files = args.files.iter().map(|path| path.display().to_string()).collect();
    summary.first_errors = feed
        .first_errors
        .iter()
        .map(|(ConnectionId(file), line, error)| {
            let file = args
                .files
                .get(usize::from(*file))
                .map_or_else(String::new, |path| path.display().to_string());
            format!("{file}, line {line}: {error}")
        })
        .collect();

    let mut code = 0;
    let mut failures = Vec::new();
    if summary.has_findings() && args.strict {
        code = 1;
    }
    if let Ok(error) = capture_failed.try_recv() {
        failures.push(CaptureError::to_string(&error));
        code = 1;
    } else if feed.frames == 0 && !is_interrupted {
        failures.push("no line was read".into());
        code = 1;
    }
    for failure in rows_failed.try_iter() {
        failures.push(failure);
        code = 1;
    }
    let page = if args.json { json_line(summary)? } else { summary.text() };
    Ok(ended.close("sabrewing replay", "every line was read", code, failures, &page))
}

/// What a terminal shows while a replay runs.
fn messages(counters: &Snapshot, elapsed: Duration) -> String {
    let frames = counters.find("feed", "frames").map_or(0, |entry| entry.value);
    format!("{frames} messages, {} s ", elapsed.as_secs())
}
