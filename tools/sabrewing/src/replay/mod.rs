//! `sabrewing replay`: recorded frames through all five stages, to paper orders and a summary.

mod books;
mod instruments;
mod pace;
mod rows;
mod signals;
mod summary;
mod taps;

use crate::config::{Config, PlacementChoice};
use crate::pipeline::{Setup, assemble, build};
use crate::run_files::RunFiles;
use clap::Args;
use engine::ids::ConnectionId;
use engine::placement::Placement;
use engine::runner::{self, Control};
use engine::time::StampClock;
use feeds::capture::{CaptureError, CaptureFile, CaptureSource, MergedCaptures};
use instruments::{ResolveError, Resolved, VenueArg, resolve};
use pace::{Pace, Paced};
use std::collections::BTreeSet;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::{Duration, Instant};
use strategies::signal::Subscriptions;
use summary::{StageReports, Summary};
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

#[derive(Clone, Debug)]
struct PlacementText(PlacementChoice);

impl std::str::FromStr for PlacementText {
    type Err = std::convert::Infallible;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(text.into()))
    }
}

/// Why a replay did not happen: its exit code, and one line.
struct Refused(u8, String);

#[expect(clippy::needless_pass_by_value, reason = "as `map_err` takes it")]
fn input(what: impl ToString) -> Refused {
    Refused(1, what.to_string())
}

#[expect(clippy::needless_pass_by_value, reason = "as `map_err` takes it")]
fn usage(what: impl ToString) -> Refused {
    Refused(2, what.to_string())
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

/// A line for whoever watches; nobody need.
fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

fn replay(args: &ReplayArgs) -> Result<ExitCode, Refused> {
    let config = Config::load(args.config.as_deref()).map_err(usage)?;
    let cores = engine::thread_facts::allowed_cores();
    let placement = args.placement.0.load(&cores).map_err(usage)?;
    if let Some(host) = config.host.as_ref().filter(|host| host.strict_host) {
        refuse_unfit_host(host, &placement, args.journal.as_deref())?;
    }
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
    let clock = if config.stamps { StampClock::on() } else { StampClock::off() };
    let control = Arc::new(Control::default());
    let interrupted = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&interrupted)).map_err(usage)?;
    }
    // Strategies declare theirs first: their slots are then the same with and without taps.
    let mut subscriptions = Subscriptions::new();
    let taps = Taps::open(args, &of_file, tapped, &mut subscriptions).map_err(usage)?;
    let mut files = RunFiles::create(args.journal.as_deref(), &config, &table).map_err(usage)?;

    let captures: Vec<CaptureFile> = args
        .files
        .iter()
        .zip(&of_file)
        .map(|(path, id)| CaptureFile { path: path.clone(), stream: id.index() })
        .collect();
    let (capture_failed_tx, capture_failed) = sync_channel(1);
    let started = Instant::now(); // the reading threads start here
    let opened = MergedCaptures::open(&captures).map_err(input)?;
    let source = Paced::new(CaptureSource::new(opened, capture_failed_tx), args.pace);

    let setup = Setup {
        config: &config,
        table: &table,
        of_connection: &of_file,
        subscriptions: &subscriptions,
        clock: &clock,
        control: &control,
    };
    let Taps { books, signals, mark_every, failed: rows_failed } = taps;
    let (threads, ended) = {
        let (counters, writer) = files.split();
        let (mut stages, ended) = assemble(&setup, source, books, counters, writer).map_err(usage)?;
        stages.feed.mark_every(mark_every);
        if let Some((instrument, tap)) = signals {
            stages.signal.tap(instrument, Box::new(tap));
        }
        (build(stages, &placement, table.len(), &clock, counters).map_err(usage)?, ended)
    };

    let mut supervisor = Supervisor::new(&mut files, &control, &interrupted, args.json);
    let threads = runner::run(threads, &control, || supervisor.tick()).map_err(usage)?;
    let anonymous_bytes = supervisor.finish();
    let elapsed = started.elapsed();

    let feed = received(&ended.feed)?;
    let mut summary = Summary::of(&StageReports {
        table: &table,
        feed: &feed,
        book: &received(&ended.book)?,
        signal: received(&ended.signal)?,
        gateway: &received(&ended.gateway)?,
        threads: &threads,
    });
    summary.files = args.files.iter().map(|path| path.display().to_string()).collect();
    summary.config.clone_from(&config.name);
    summary.journal = args.journal.as_ref().map(|path| path.display().to_string());
    summary.memory_bytes.anonymous = anonymous_bytes;
    summary.elapsed_s = elapsed.as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
    let lines = feed.frames as f64;
    summary.messages_per_s = lines / elapsed.as_secs_f64();
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
    summary.stopped = stop_text(&control);

    let mut code = 0;
    let mut failures = Vec::new();
    if summary.has_findings() && args.strict {
        code = 1;
    }
    if let Ok(error) = capture_failed.try_recv() {
        failures.push(CaptureError::to_string(&error));
        code = 1;
    } else if feed.frames == 0 && !control.is_interrupted() {
        failures.push("no line was read".into());
        code = 1;
    }
    for failure in rows_failed.try_iter() {
        failures.push(failure);
        code = 1;
    }
    if summary.stopped.is_some() {
        code = 3;
    }
    let how = summary.stopped.clone().unwrap_or_else(|| match failures.first() {
        Some(failure) => format!("input failed: {failure}"),
        None if control.is_interrupted() => "interrupted".into(),
        None => "every line was read".into(),
    });
    if let Err(error) = files.close(&how) {
        failures.push(error);
        code = 3;
    }
    let page =
        if args.json { serde_json::to_string(&summary).map_err(usage)? + "\n" } else { summary.text() };
    if let Err(error) = std::io::stdout().write_all(page.as_bytes())
        // A reader that closed the pipe has seen what it wanted.
        && error.kind() != std::io::ErrorKind::BrokenPipe
    {
        failures.push(format!("the summary could not be written: {error}"));
        code = code.max(1);
    }
    for failure in failures {
        say(&format!("sabrewing replay: {failure}"));
    }
    Ok(ExitCode::from(code))
}

/// A stage's report: it sends one whatever ended it.
fn received<T>(report: &Receiver<T>) -> Result<T, Refused> {
    report.recv().map_err(|_| Refused(3, "a stage ended without its report".into()))
}

/// `strict_host`: what the configuration leaves open is asked of the cores and the disk that this run will use.
fn refuse_unfit_host(
    host: &crate::doctor::HostRequirements,
    placement: &Placement,
    journal: Option<&Path>,
) -> Result<(), Refused> {
    let mut host = host.clone();
    let pinned: BTreeSet<u32> =
        placement.threads.iter().filter_map(|thread| u32::try_from(thread.core?).ok()).collect();
    if host.pinned_cores.is_none() && !pinned.is_empty() {
        host.pinned_cores = Some(pinned.into_iter().collect());
    }
    if host.journal_dir.is_none() {
        // The directory itself is not there yet.
        host.journal_dir =
            journal.map(|dir| dir.parent().filter(|p| p.is_dir()).unwrap_or(Path::new(".")).to_owned());
    }
    let unmet = crate::doctor::unmet(&host);
    if unmet.is_empty() {
        return Ok(());
    }
    let lines: Vec<String> =
        unmet.iter().map(|finding| format!("  {}: {}", finding.id, finding.value)).collect();
    Err(usage(format!("strict_host: this host does not meet its requirements:\n{}", lines.join("\n"))))
}

fn stop_text(control: &Control) -> Option<String> {
    let reason = control.stopped()?;
    let detail = control.detail().map_or_else(String::new, |detail| format!(": {detail}"));
    let orders = if control.is_canceled() { "nothing is open" } else { "open orders could NOT be canceled" };
    Some(format!("{}{detail}; {orders}", reason.name()))
}

/// What the main thread does while the stages run: signals, clock anchors, progress, memory.
struct Supervisor<'a> {
    files: &'a mut RunFiles,
    control: &'a Control,
    interrupted: &'a AtomicBool,
    started: Instant,
    last_anchor: Instant,
    last_progress: Instant,
    progress: bool,
    shown: bool,
    anonymous_bytes: u64,
}

impl<'a> Supervisor<'a> {
    fn new(files: &'a mut RunFiles, control: &'a Control, interrupted: &'a AtomicBool, json: bool) -> Self {
        let now = Instant::now();
        let progress = std::io::stderr().is_terminal() && !json;
        Self {
            files,
            control,
            interrupted,
            started: now,
            last_anchor: now,
            last_progress: now,
            progress,
            shown: false,
            anonymous_bytes: 0,
        }
    }

    fn tick(&mut self) {
        if self.interrupted.load(Ordering::Relaxed) {
            self.control.interrupt();
        }
        self.anonymous_bytes = self.anonymous_bytes.max(summary::anonymous_bytes());
        if self.last_anchor.elapsed() >= Duration::from_secs(10) {
            self.last_anchor = Instant::now();
            self.files.anchor();
        }
        if self.progress
            && self.started.elapsed().as_secs() >= 2
            && self.last_progress.elapsed().as_millis() >= 500
        {
            self.last_progress = Instant::now();
            self.shown = true;
            let frames = self.files.counters().snapshot().ok();
            let frames =
                frames.and_then(|all| all.find("feed", "frames").map(|entry| entry.value)).unwrap_or(0);
            let _ = write!(std::io::stderr(), "\r{frames} messages, {} s ", self.started.elapsed().as_secs());
        }
    }

    /// The most anonymous memory seen, bytes.
    fn finish(self) -> u64 {
        if self.shown {
            say("");
        }
        self.anonymous_bytes
    }
}
