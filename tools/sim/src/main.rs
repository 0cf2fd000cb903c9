//! `sim`: the engine's own parts under circumstances of which everything is known.

use clap::{Args, Parser, Subcommand};
use sim::parity::{Error, Run, Settings};
use sim::run::{self, Outcome};
use sim::{Bug, parity};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Runs parts of the engine against recorded circumstances.
#[derive(Parser)]
#[command(version, after_help = EXAMPLES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs the whole engine against a market, a venue and a host that fail as a seed says, and checks what it did.
    ///
    /// Five stages on one thread in virtual time. Frames are lost, doubled, swapped; snapshots are old; requests and
    /// answers are lost or late; the private stream breaks; the process dies at any record and restarts from its
    /// journal. The checks know nothing of the code that they judge. A seed is the same run on every machine.
    Run(RunArgs),
    /// Lets the paper exchange trade a recorded market by hftbacktest's rules, and writes what it would write.
    ///
    /// Reads the events that its converter makes (`ev,exch_ts,local_ts,px,qty`) and the settings of a run, quotes
    /// around the mid by the rule that the settings' run used, and writes one row an ended order and one a step.
    Parity {
        /// Events, CSV, plain or gzip.
        events: PathBuf,
        /// Settings, JSON: tick_size, lot_size, fees, latencies, queue_model, half_spread_ticks, order_qty, ...
        #[arg(long)]
        settings: PathBuf,
        /// Where the orders go, CSV.
        #[arg(long)]
        orders: PathBuf,
        /// Where the state after each step goes, CSV.
        #[arg(long)]
        state: PathBuf,
    },
}

/// Arguments of `run`.
#[derive(Args)]
struct RunArgs {
    /// The first seed.
    #[arg(long)]
    seed: u64,
    /// So many seeds from there on.
    #[arg(long, default_value_t = 1)]
    seeds: u64,
    /// Plants a bug, to see it found.
    #[arg(long, value_enum)]
    bug: Option<Bug>,
    /// Keeps the journals below this directory, which must be empty; one seed only.
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
    /// One JSON object.
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "Examples:
  sim run --seed 1 --seeds 1000
  sim run --seed 17 --keep seed17
  sim run --seed 1 --seeds 20 --bug fill-told-twice
  sim parity events.csv.gz --settings run_summary.json --orders orders.csv --state state.csv
  diff orders.csv run_orders.csv && diff state.csv run_state.csv

Exit codes: 0 done; 1 the events could not be read to their end, or a check found something; 2 usage or settings.";

fn main() -> ExitCode {
    let (events, settings, orders, state) = match Cli::parse().command {
        Command::Parity { events, settings, orders, state } => (events, settings, orders, state),
        Command::Run(args) => {
            return simulate(&args).unwrap_or_else(|error| {
                eprintln!("sim run: {error}");
                ExitCode::from(2)
            });
        }
    };
    match parity(&events, &settings, &orders, &state) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("sim parity: {error}");
            ExitCode::from(if error.is_usage() { 2 } else { 1 })
        }
    }
}

fn simulate(args: &RunArgs) -> Result<ExitCode, String> {
    if args.keep.is_some() && args.seeds != 1 {
        return Err("--keep takes one seed".into());
    }
    let (mut total, mut failed) = (Outcome::default(), 0_u64);
    for seed in args.seed..args.seed.saturating_add(args.seeds) {
        let outcome = match &args.keep {
            Some(dir) => run::seed(seed, dir, args.bug)?,
            None => run::seed_and_forget(seed, args.bug)?,
        };
        failed += u64::from(!outcome.violations.is_empty());
        for violation in &outcome.violations {
            eprintln!("seed {seed}: {violation}");
        }
        if !outcome.violations.is_empty() {
            eprintln!("repeat it: {}", run::repeat(seed, args.bug));
        }
        total.add(&outcome);
    }
    let page = if args.json {
        serde_json::to_string(&total).map_err(|error| error.to_string())?
    } else {
        let Outcome { lives, frames, orders, fills, queries, breaks, reconnects, refusals, digest, .. } =
            total;
        format!(
            "{} seeds, {failed} failed: {lives} lives, {frames} frames, {breaks} broken streams, {orders} orders, \
             {fills} fills, {queries} queries, {reconnects} reconnects, {refusals} refusals to trade; digest {digest:016x}",
            args.seeds
        )
    };
    // A reader that closed the pipe has seen what it wanted.
    let _ = writeln!(std::io::stdout(), "{page}");
    Ok(ExitCode::from(u8::from(failed > 0)))
}

fn parity(events: &Path, settings: &Path, orders: &Path, state: &Path) -> Result<(), Error> {
    let settings = Settings::load(settings)?;
    let events = parity::load_events(events, &settings)?;
    let (mut orders_out, mut state_out) = (create(orders)?, create(state)?);
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |error: std::io::Error| Error::output(&path, &error)
    };
    let mut run = Run::new(&settings);
    writeln!(orders_out, "{}", parity::ORDERS_HEADER).map_err(failed(orders))?;
    writeln!(state_out, "{}", parity::STATE_HEADER).map_err(failed(state))?;
    while run.step(&events) {
        writeln!(state_out, "{}", run.state_row()).map_err(failed(state))?;
        for row in run.decide() {
            writeln!(orders_out, "{row}").map_err(failed(orders))?;
        }
    }
    orders_out.flush().map_err(failed(orders))?;
    state_out.flush().map_err(failed(state))
}

fn create(path: &Path) -> Result<BufWriter<File>, Error> {
    File::create(path).map(BufWriter::new).map_err(|error| Error::output(path, &error))
}
