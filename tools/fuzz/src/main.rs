//! `fuzz`: searches for inputs that break a property. The corpus runs in `cargo test`; this goes on from there.

use clap::Parser;
use engine::time::Nanos;
use fuzz::{Limit, TARGETS, Target, attempt, search, shrink};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// Changes the corpus of a target until a property breaks or the time is over.
#[derive(Parser)]
#[command(name = "fuzz", after_help = EXAMPLES)]
struct Cli {
    /// A target, or `all`; without one, lists them
    target: Option<String>,
    /// How long to search, each target: seconds, or with a unit behind, as in 10m
    #[arg(long = "for", value_name = "TIME", default_value = "60s", value_parser = time)]
    time: Duration,
    /// Where the search begins; the same number and build repeat it
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Runs this input only
    #[arg(long, value_name = "FILE")]
    input: Option<PathBuf>,
}

const EXAMPLES: &str = "Examples:
  cargo run -p fuzz                              what there is
  cargo run -p fuzz -- binance --for 10m --seed 7
  cargo run -p fuzz -- binance --input target/fuzz/binance-1f3a

Exit codes: 0 nothing found; 1 a property broke, its input lies in target/fuzz; 2 usage.";

fn main() -> ExitCode {
    let cli = Cli::parse();
    let Some(name) = &cli.target else {
        for target in TARGETS {
            println!("{:12} {}", target.name, target.parses.join(", "));
        }
        return ExitCode::SUCCESS;
    };
    let targets: Vec<&Target> =
        TARGETS.iter().filter(|target| name == "all" || name == target.name).collect();
    if targets.is_empty() {
        eprintln!("fuzz: no target `{name}`; `fuzz` without arguments lists them");
        return ExitCode::from(2);
    }
    if let Some(path) = &cli.input {
        return match std::fs::read(path) {
            Ok(input) => repeat(&targets, &input),
            Err(error) => {
                eprintln!("fuzz: {}: {error}", path.display());
                ExitCode::from(2)
            }
        };
    }
    // A broken property is reported below, once and shrunk.
    std::panic::set_hook(Box::new(|panic| {
        if !fuzz::is_attempting() {
            eprintln!("fuzz: {panic}");
        }
    }));
    let found = targets.into_iter().filter(|target| !is_clean(target, cli.time, cli.seed)).count();
    if found == 0 { ExitCode::SUCCESS } else { ExitCode::from(1) }
}

fn repeat(targets: &[&Target], input: &[u8]) -> ExitCode {
    let broken = targets.iter().filter(|target| attempt(&target.run, input).is_err()).count();
    if broken == 0 { ExitCode::SUCCESS } else { ExitCode::from(1) }
}

/// Searches, and says what happened.
fn is_clean(target: &Target, time: Duration, seed: u64) -> bool {
    let corpus: Vec<_> = target.corpus().into_iter().map(|(_, input)| input).collect();
    let start = Instant::now();
    let report = search(&target.run, &corpus, target.words, seed, Limit::Time(time));
    println!(
        "{:12} {:9} inputs, {:5} outcomes, {:6.1} s: {}",
        target.name,
        report.inputs,
        report.outcomes,
        start.elapsed().as_secs_f64(),
        if report.failure.is_some() { "BROKEN" } else { "holds" },
    );
    let Some(failure) = report.failure else { return true };
    let failure = shrink(&target.run, failure);
    println!("  {}", failure.message);
    match keep(target, &failure.input) {
        Ok(path) => println!("  cargo run -p fuzz -- {} --input {}", target.name, path.display()),
        Err(error) => println!("  its input cannot be kept: {error}"),
    }
    false
}

fn keep(target: &Target, input: &[u8]) -> std::io::Result<PathBuf> {
    let mut hasher = DefaultHasher::new();
    input.hash(&mut hasher);
    let dir = Path::new("target/fuzz");
    std::fs::create_dir_all(dir)?;
    let path = dir.join(format!("{}-{:016x}", target.name, hasher.finish()));
    std::fs::write(&path, input)?;
    Ok(path)
}

/// A number alone is of seconds.
fn time(text: &str) -> Result<Duration, String> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let text = if is_number { format!("{text}s") } else { text.to_owned() };
    Nanos::parse_length(&text, Nanos(0)..=Nanos::MAX).map(|time| Duration::from_nanos(time.0))
}
