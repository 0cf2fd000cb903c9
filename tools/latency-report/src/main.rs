//! Latency of a run by hop, from the stamps of its journal: a table, JSON, `.hgrm` files, a page of HTML, and
//! whether it is slower than another run. It never changes what it reads.

mod baseline;
mod hgrm;
mod html;
mod plot;
mod run;
mod text;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use baseline::{Compared, compare};
use clap::Parser;
use run::Run;

/// Reports the latency of a run by hop, from the frame's receipt to the order's bytes.
///
/// Service time is measured from the moment a frame was taken; response time, of runs at a fixed pace, from the
/// moment it was due, so that a stall counts for every frame that waited. The two never stand in one table.
#[derive(Parser)]
#[command(version, after_help = EXAMPLES)]
struct Cli {
    /// Run directory, or the journal directory in it.
    run: PathBuf,
    /// Prints the `latency_ns` object of the run's summary instead of a page.
    #[arg(long)]
    json: bool,
    /// Writes a percentile file a hop, as HdrHistogram's plotters read it, into this directory.
    #[arg(long, value_name = "DIR")]
    hgrm: Option<PathBuf>,
    /// Writes the report with percentile plots as one HTML file.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Compares with this run; exit code 1 when a percentile is slower.
    #[arg(long, value_name = "RUN")]
    baseline: Option<PathBuf>,
    /// How much slower is no regression, percent.
    #[arg(long, value_name = "PCT", default_value = "10", requires = "baseline", value_parser = tolerance)]
    tolerance: f64,
}

/// Why there is no report.
enum Stop {
    Input(String),
    Usage(String),
}

fn main() -> ExitCode {
    match report(&Cli::parse()) {
        Ok(code) => code,
        Err(Stop::Input(reason)) => {
            eprintln!("latency-report: {reason}");
            ExitCode::from(1)
        }
        Err(Stop::Usage(reason)) => {
            eprintln!("latency-report: {reason}");
            ExitCode::from(2)
        }
    }
}

fn report(args: &Cli) -> Result<ExitCode, Stop> {
    let run = Run::read(&args.run).map_err(Stop::Input)?;
    let baseline = args.baseline.as_deref().map(Run::read).transpose().map_err(Stop::Input)?;
    for Run { name, facts, .. } in [&run].into_iter().chain(&baseline) {
        if let Some(what) = &facts.lacks {
            eprintln!(
                "latency-report: {name}: the report lacks {what}; not compared with the run's counters"
            );
        }
    }
    let compared = match &baseline {
        Some(baseline) => compare(&run, baseline, args.tolerance).map_err(Stop::Usage)?,
        None => Vec::new(),
    };
    if let Some(dir) = &args.hgrm {
        std::fs::create_dir_all(dir).map_err(|error| failed(dir, &error))?;
        for (hop, histogram) in run.hops.said() {
            let text = hgrm::file(histogram).map_err(Stop::Input)?;
            write(&dir.join(format!("{}.hgrm", hop.name())), &text)?;
        }
    }
    if let Some(file) = &args.html {
        write(file, &html::page(&run, baseline.as_ref(), &compared))?;
    }
    let page = if args.json {
        let line = serde_json::to_string(&run.hops.percentiles());
        line.map_err(|error| Stop::Input(error.to_string()))? + "\n"
    } else {
        text::page(&run)
    };
    if let Err(error) = std::io::stdout().write_all(page.as_bytes())
        // A reader that closed the pipe has seen what it wanted.
        && error.kind() != std::io::ErrorKind::BrokenPipe
    {
        return Err(Stop::Input(format!("the report could not be written: {error}")));
    }
    let slower: Vec<&Compared> = compared.iter().filter(|one| one.is_regression).collect();
    for one in &slower {
        eprintln!("latency-report: slower: {}", one.text());
    }
    if let (true, Some(baseline)) = (slower.is_empty(), &baseline) {
        eprintln!(
            "latency-report: no regression: {} percentiles within {} % of {}",
            compared.len(),
            args.tolerance,
            baseline.name
        );
    }
    Ok(ExitCode::from(u8::from(!slower.is_empty())))
}

fn write(path: &Path, text: &str) -> Result<(), Stop> {
    std::fs::write(path, text).map_err(|error| failed(path, &error))
}

fn failed(path: &Path, error: &std::io::Error) -> Stop {
    Stop::Usage(format!("{}: {error}", path.display()))
}

fn tolerance(text: &str) -> Result<f64, String> {
    let pct = text.parse().ok().filter(|pct| (0.0..=10_000.0).contains(pct));
    pct.ok_or_else(|| "percent, 0 to 10000".to_owned())
}

const EXAMPLES: &str = "Examples:
  latency-report run1
  latency-report run1 --html report.html
  latency-report run1 --json | jq .tick_to_order.p99
  latency-report run1 --hgrm percentiles              percentiles/decode.hgrm and so on
  latency-report run2 --baseline run1 --tolerance 5

Exit codes: 0 done; 1 the run's files cannot be read to their end, hold no stamps or contradict each other, or a
percentile is slower than the baseline's; 2 usage.";
