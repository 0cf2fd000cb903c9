//! The trading process: one binary that knows every room and wires them.

mod config;
mod doctor;
mod pipeline;
mod replay;
mod run_files;

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
    Replay(Box<replay::ReplayArgs>),
    Doctor(doctor::DoctorArgs),
}

fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Replay(args) => replay::run(&args),
        Command::Doctor(args) => doctor::run(&args),
    }
}
