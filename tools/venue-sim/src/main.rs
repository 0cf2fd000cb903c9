//! `venue-sim`: see its `--help`.

use std::process::ExitCode;

fn main() -> ExitCode {
    venue_sim::main(std::env::args_os())
}
