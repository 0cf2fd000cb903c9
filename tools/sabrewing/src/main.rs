//! The trading process.

use std::process::ExitCode;

fn main() -> ExitCode {
    sabrewing::run()
}
