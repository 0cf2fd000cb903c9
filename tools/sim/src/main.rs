//! `sim`: the engine's own parts under circumstances of which everything is known.

use clap::{Parser, Subcommand};
use sim::parity::{self, Error, Run, Settings};
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

const EXAMPLES: &str = "Examples:
  sim parity events.csv.gz --settings run_summary.json --orders orders.csv --state state.csv
  diff orders.csv run_orders.csv && diff state.csv run_state.csv

Exit codes: 0 done; 1 the events could not be read to their end; 2 usage or settings.";

fn main() -> ExitCode {
    let Command::Parity { events, settings, orders, state } = Cli::parse().command;
    match parity(&events, &settings, &orders, &state) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("sim parity: {error}");
            ExitCode::from(if error.is_usage() { 2 } else { 1 })
        }
    }
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
