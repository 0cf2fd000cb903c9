//! `venue-sim`: the simulated venue's own commands.

use clap::{Parser, Subcommand};
use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use venue_sim::flow::capture;
use venue_sim::flow::compare::{self, Compared};

/// A simulated venue.
#[derive(Parser)]
#[command(version, after_help = EXAMPLES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Compares generated markets with recorded ones: spread, message mix, inter-arrival times, sizes, volatility.
    ///
    /// Each recording is put beside a market of the same symbol and product that the seeded crowd made for as long,
    /// and beside the recording itself, played to an exchange.
    Statistics {
        /// Recorded markets: lines of `<ns> <json>`, plain or gzip, in Binance's stream format.
        #[arg(long, num_args = 1.., required = true)]
        captures: Vec<PathBuf>,
        /// Which crowd.
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// One object a recording instead of a table.
        #[arg(long)]
        json: bool,
    },
}

const EXAMPLES: &str = "Examples:
  venue-sim statistics --captures ../shared/captures/usdm/btcusdt_20240808.gz
  venue-sim statistics --seed 7 --json --captures spot.gz usdm.gz

Exit codes: 0 done; 1 a recording could not be read to its end; 2 usage.";

fn main() -> ExitCode {
    let Command::Statistics { captures, seed, json } = Cli::parse().command;
    let mut out = String::new();
    for path in &captures {
        let compared = match capture::read(path) {
            Ok(capture) => compare::compare(&capture, seed),
            Err(error) => {
                eprintln!("venue-sim statistics: {error}");
                return ExitCode::FAILURE;
            }
        };
        let Compared { title, markets, .. } = &compared;
        let text = if json { compared.json().to_string() } else { format!("{title}\n{markets}") };
        let _ = writeln!(out, "{text}");
    }
    // A closed pipe ends quietly.
    let _ = std::io::Write::write_all(&mut std::io::stdout(), out.as_bytes());
    ExitCode::SUCCESS
}
