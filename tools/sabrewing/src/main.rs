//! The trading process.

mod doctor;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// Sabrewing, a latency-optimised trading engine.
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Doctor(doctor::DoctorArgs),
}

fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Doctor(args) => doctor::run(&args),
    }
}
