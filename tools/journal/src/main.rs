//! Reads a run's journal: `tail`, `dump`, `verify`, `stat`, `explain`, `slice`. It never changes what it reads.

mod accounts;
mod context;
mod decisions;
mod explain;
mod fills_csv;
mod filter;
mod output;
mod pnl;
mod rebuilt;
mod render;
mod show;
mod slice;
mod stat;
mod verify;
mod when;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use engine::journal::Reader;

use context::Context;
use filter::FilterArgs;
use output::{Out, Stop, input};
use when::When;

/// Reads the journal of a run: what the engine took in, in the order taken, and what it put out.
#[derive(Parser)]
#[command(version, after_help = EXAMPLES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Shows the newest records, and with --follow those still to come.
    Tail {
        #[command(flatten)]
        source: Source,
        #[command(flatten)]
        filter: FilterArgs,
        /// Goes on until the journal is closed or its writer is gone.
        #[arg(long, short)]
        follow: bool,
        /// From this UTC time, or this long before the newest record, instead of the last --lines.
        #[arg(long, value_name = "TIME|DURATION", value_parser = When::parse)]
        since: Option<When>,
        /// How many records.
        #[arg(long, short = 'n', default_value_t = 10, conflicts_with = "since")]
        lines: usize,
    },
    /// Shows every record, all lanes in one sequence: by time, and never before the record that caused it.
    Dump {
        #[command(flatten)]
        source: Source,
        #[command(flatten)]
        filter: FilterArgs,
        /// With --kind fill alone: the fills as a table for a spreadsheet, checked against the engine's accounts.
        #[arg(long, conflicts_with = "json")]
        csv: bool,
        /// What the run decided instead, as its strategies lived through it: the listing whose SHA-256 is the
        /// decisions_sha256 of the run's summary.
        #[arg(long, conflicts_with_all = ["json", "csv", "kind", "instrument", "lane"])]
        decisions: bool,
    },
    /// Tells why an order was sent and what became of it: frame, book, features, target, gate, order, answers, fills.
    ///
    /// Book and features are not journalled: the run's frames are taken again up to the one that led to the target, by
    /// the stages that had taken them.
    Explain {
        /// Client order id as the venue sees it, or its sequence in the run.
        order: String,
        /// Run directory, or the journal directory in it.
        #[arg(long = "in", value_name = "RUN")]
        run: PathBuf,
        /// How many levels of each side of the book, 10 at most.
        #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u8).range(0..=10))]
        levels: u8,
        /// One JSON object a record.
        #[arg(long)]
        json: bool,
    },
    /// Checks every byte of every lane. Exit code 1 when written records are lost or damaged.
    Verify {
        #[command(flatten)]
        source: Source,
    },
    /// Counts records and bytes by lane and kind, and tells profit and loss by strategy and instrument.
    ///
    /// Every fill is booked anew and compared with what the engine wrote behind it; a difference ends with exit
    /// code 1. Profit splits into the spread captured (against the mid when the fill was told) and inventory (what
    /// the market did since). `after 1 s` is what fills were worth that long after, against their price.
    Stat {
        #[command(flatten)]
        source: Source,
        #[command(flatten)]
        filter: FilterArgs,
    },
    /// Writes part of the journal as a journal of its own, with the configuration and the same sequences.
    Slice {
        #[command(flatten)]
        source: Source,
        /// First moment: UTC time, or a length before the newest record. Default: the start.
        #[arg(long, value_name = "TIME|DURATION", value_parser = When::parse)]
        from: Option<When>,
        /// First moment no longer in it. Default: behind the end.
        #[arg(long, value_name = "TIME|DURATION", value_parser = When::parse)]
        to: Option<When>,
        /// Where the slice goes: a new or empty directory.
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
    },
}

#[derive(Args)]
struct Source {
    /// Run directory, or the journal directory in it.
    run: PathBuf,
    /// One JSON object a line.
    #[arg(long)]
    json: bool,
}

impl Source {
    fn open(&self) -> Result<Reader, Stop> {
        open(&self.run)
    }
}

fn open(run: &Path) -> Result<Reader, Stop> {
    let reader = Reader::open(run).map_err(input)?;
    for path in reader.foreign() {
        eprintln!("journal: {} does not belong in a journal: ignored", path.display());
    }
    Ok(reader)
}

fn main() -> ExitCode {
    match run(&Cli::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(stop) => stop.exit(),
    }
}

fn run(command: &Command) -> Result<(), Stop> {
    let mut out = Out::new();
    let result = match command {
        Command::Tail { source, filter, follow, since, lines } => {
            let reader = source.open()?;
            let context = Context::read(&reader).map_err(Stop::Input)?;
            let filter = filter.resolve(&context).map_err(Stop::Usage)?;
            let from = since.map_or(show::From::Last(*lines), show::From::Since);
            show::tail(&reader, context, &filter, from, *follow, source.json, &mut out)
        }
        Command::Dump { source, decisions: true, .. } => decisions::dump(&source.open()?, &mut out),
        Command::Dump { source, filter, csv, .. } => {
            let reader = source.open()?;
            let context = Context::read(&reader).map_err(Stop::Input)?;
            let filter = filter.resolve(&context).map_err(Stop::Usage)?;
            if *csv {
                return fills_csv::run(&reader, &context, &filter, &mut out).and(out.flush());
            }
            show::dump(&reader, &context, &filter, source.json, &mut out)
        }
        Command::Explain { order, run, levels, json } => {
            let reader = open(run)?;
            let context = Context::read(&reader).map_err(Stop::Input)?;
            explain::run(&reader, &context, order, usize::from(*levels), *json, &mut out)
        }
        Command::Verify { source } => verify::run(&source.open()?, source.json, &mut out),
        Command::Stat { source, filter } => {
            let reader = source.open()?;
            let context = Context::read(&reader).map_err(Stop::Input)?;
            let filter = filter.resolve(&context).map_err(Stop::Usage)?;
            stat::run(&reader, &context, &filter, source.json, &mut out)
        }
        Command::Slice { source, from, to, out: dir } => {
            slice::run(&source.open()?, *from, *to, dir, source.json, &mut out)
        }
    };
    let flushed = out.flush();
    result.and(flushed)
}

const EXAMPLES: &str = "Examples:
  journal tail run1 --follow                          what happens now
  journal tail run1 --since 5m --kind order --kind fill
  journal dump run1 --instrument BTCUSDT --json | jq .body
  journal dump run1 --kind fill --csv > fills.csv     for the accountant
  journal dump run1 --decisions | sha256sum           the decisions_sha256 of the run
  journal explain sb0-0-12 --in run1                  why this order was sent, and what became of it
  journal stat run1                                   records, bytes and rate by kind; profit and loss
  journal verify run1 && echo whole
  journal slice run1 --from 2024-08-08T23:54 --to 2024-08-08T23:55 --out minute

Exit codes: 0 done; 1 the journal cannot be read to its end, or verify found a difference; 2 usage.";
