//! `sabrewing replay`: recorded frames through all five stages, to paper orders and a summary.

mod books;
mod instruments;
pub(crate) mod pace;
pub(crate) mod summary;

use crate::config::Config;
use crate::run::{
    PlacementText, Progress, Refused, Run, Show, input, json_line, refuse_unfit_host, say, usage,
};
pub(crate) use books::BooksTap;
use books::Output;
use clap::Args;
use engine::counters::Snapshot;
use engine::ids::ConnectionId;
use engine::instrument::InstrumentTable;
use feeds::capture::{CaptureError, CaptureFile, CaptureSource, MergedCaptures};
pub(crate) use instruments::SHIPPED as SHIPPED_INSTRUMENTS;
use instruments::{ResolveError, Resolved, VenueArg, resolve};
use pace::{Pace, Paced};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::mpsc::sync_channel;
use std::time::Duration;

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
    /// The instrument of --books, where the files are of several; the symbol, where no message names it.
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
    refuse_overwriting_inputs(args)?;
    let rows_failed = |error: std::io::Error| {
        let path = args.books.as_ref().map_or_else(String::new, |path| path.display().to_string());
        usage(format!("{path}: {error}"))
    };
    let Resolved { table, of_file, assumed } = match resolve(args) {
        Ok(resolved) => resolved,
        Err(ResolveError::Usage(what)) => return Err(usage(what)),
        Err(ResolveError::Input(what)) => {
            // The rows of an input without one: whoever reads them finds the file of this run.
            if let Some(path) = &args.books {
                Output::create(path).and_then(Output::finish).map_err(rows_failed)?;
            }
            return Err(input(what));
        }
    };
    let tapped = match (&args.instrument, &args.books) {
        (None, None) => None,
        _ => Some(tapped(args, &table)?),
    };
    for line in assumed {
        say(&format!("assumed {line}"));
    }
    let (books_failed_tx, books_failed) = sync_channel(2);
    let tap = match (&args.books, tapped) {
        (Some(path), Some(instrument)) => {
            let out = Output::create(path).map_err(rows_failed)?;
            Some(BooksTap::new(out, instrument, args.books_every, file_numbers(&of_file), books_failed_tx))
        }
        _ => None,
    };
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

    let mut ended = run.go(&placement, &of_file, source, tap)?;
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
    if let Ok(error) = books_failed.try_recv() {
        let path = args.books.as_ref().map_or_else(String::new, |path| path.display().to_string());
        failures.push(format!("{path}: {error}"));
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

/// Which file of its own stream each file is.
fn file_numbers(of_file: &[engine::ids::InstrumentId]) -> Vec<usize> {
    let before = |index: usize| of_file[..index].iter().filter(|id| **id == of_file[index]).count();
    (0..of_file.len()).map(before).collect()
}

/// Rows written over a capture would destroy what is replayed. Err: the file of rows is one of the inputs.
fn refuse_overwriting_inputs(args: &ReplayArgs) -> Result<(), Refused> {
    let identity = |path: &Path| std::fs::metadata(path).map(|file| (file.dev(), file.ino())).ok();
    let Some(rows) = args.books.as_deref() else { return Ok(()) };
    let inputs = args.files.iter().chain(&args.config).chain(&args.instruments);
    match inputs
        .map(PathBuf::as_path)
        .find(|path| identity(path).is_some_and(|id| identity(rows) == Some(id)))
    {
        Some(path) => Err(usage(format!("{}: --books would overwrite {}", rows.display(), path.display()))),
        None => Ok(()),
    }
}

fn tapped(args: &ReplayArgs, table: &InstrumentTable) -> Result<engine::instrument::Instrument, Refused> {
    let names = || table.iter().map(engine::instrument::Instrument::full_name).collect::<Vec<_>>().join(", ");
    let wanted = args.instrument.as_deref();
    let mut fits =
        table.iter().filter(|i| wanted.is_none_or(|name| i.symbol == name || i.full_name() == name));
    match (fits.next(), fits.next()) {
        (Some(only), None) => Ok(only.clone()),
        (None, _) => {
            Err(usage(format!("--instrument {}: the files are of {}", wanted.unwrap_or(""), names())))
        }
        (Some(_), Some(_)) => {
            Err(usage(format!("the files are of {}: choose the one for --books with --instrument", names())))
        }
    }
}
