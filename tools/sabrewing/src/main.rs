//! The trading process.

mod indicators;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// A trading engine.
#[derive(Parser, Debug)]
#[command(name = "sabrewing", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Indicator columns over a candle file; the catalogue; a plot.
    Indicators(indicators::IndicatorsArgs),
}

fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Indicators(args) => indicators::run(&args),
    }
}
