//! The trading process as a library: the one crate that knows every room and wires them. The binary is a
//! `main` around [`run`]; tests and benches build the same pipeline from here.

mod commands;
pub mod config;
mod ctl;
mod decisions;
pub mod demo;
pub mod doctor;
mod executions;
mod indicators;
pub mod live;
pub mod pipeline;
mod replay;
mod run;
mod run_files;
mod same_file;
mod wiring;

pub use replay::seen;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// Sabrewing, a latency-optimised trading engine.
#[derive(Parser)]
#[command(name = "sabrewing", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Demo(demo::DemoArgs),
    Replay(Box<replay::ReplayArgs>),
    Ctl(ctl::CtlArgs),
    Doctor(doctor::DoctorArgs),
    Run(live::run::RunArgs),
    Check(live::check::CheckArgs),
    Indicators(indicators::IndicatorsArgs),
    /// Serves the simulated venue; `sabrewing venue-sim --help` says how.
    #[cfg(feature = "venue-sim")]
    #[command(disable_help_flag = true)]
    VenueSim {
        /// Its own arguments.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
        args: Vec<std::ffi::OsString>,
    },
}

/// Runs the command that the process was started with.
#[must_use]
pub fn run() -> ExitCode {
    match Cli::parse().command {
        Command::Demo(args) => demo::run(&args),
        Command::Replay(args) => replay::run(&args),
        Command::Ctl(args) => ctl::run(&args),
        Command::Doctor(args) => doctor::run(&args),
        Command::Run(args) => live::run::run(&args),
        Command::Check(args) => live::check::run(&args),
        Command::Indicators(args) => indicators::run(&args),
        #[cfg(feature = "venue-sim")]
        Command::VenueSim { args } => venue_sim::main(std::iter::once("venue-sim".into()).chain(args)),
    }
}
