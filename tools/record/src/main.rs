//! `record`: live market data as captures, lines of `<recv_ns> <json>` that `sabrewing replay` reads.

mod file;
mod instruments;
mod recorder;
mod recording;
mod start;

use clap::{Parser, ValueEnum};
use engine::instrument::InstrumentTable;
use engine::time::Nanos;
use feeds::codec::Event;
use feeds::live::{Endpoints, LiveVenue, VenuePlan, Venues, Wanted, product_of, rotate_after};
use feeds::venues::binance::streams;
use recording::Recording;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{SystemTime, UNIX_EPOCH};

/// Records live market data: one capture for each instrument, gzip, a new file at every boundary of time.
///
/// Every frame is written as it came, behind the time at which it left the socket; one that is no instrument's, into all
/// files of its connection. A file holds a snapshot of the book, which is asked for until it comes, so that it can be
/// replayed alone; what happens to connections stands in it as lines of a recorder's own. A file is called `.part` until
/// it is whole and was read again. `instruments.json` beside them lists what is recorded there, for `replay`.
#[derive(Parser)]
#[command(
    name = "record",
    version,
    after_help = "\
Examples:
  record --venue binance-usdm --symbols BTCUSDT,ETHUSDT --out data/
  record --venue binance-spot --symbols BTCUSDT --out data/ --every 1h --for 12h
  sabrewing replay data/*.gz --instruments data/instruments.json

Exit codes: 0 it recorded until it was told to end; 1 the venue could not be asked, or the disk refused; 2 usage."
)]
struct Args {
    /// binance-spot, binance-usdm or binance-coinm.
    #[arg(long)]
    venue: String,
    /// As the venue writes them, with commas between.
    #[arg(long, value_delimiter = ',', required = true)]
    symbols: Vec<String>,
    /// The directory for the captures; made if it is not there.
    #[arg(long)]
    out: PathBuf,
    /// What is recorded.
    #[arg(long, value_delimiter = ',', value_enum, default_value = "depth,ticker,trades,mark-price")]
    streams: Vec<Stream>,
    /// A new file at every multiple of this: 10m, 1h, 1d.
    #[arg(long, default_value = "1h", value_parser = length_of)]
    every: Nanos,
    /// Ends after this time; until it is told to when absent.
    #[arg(long = "for", value_name = "DURATION", value_parser = length_of)]
    duration: Option<Nanos>,
    /// Base of REST requests instead of the venue's own.
    #[arg(long)]
    rest: Option<String>,
    /// Base of streams instead of the venue's own.
    #[arg(long)]
    stream: Option<String>,
    /// PEM file with the root that signs a test venue's certificate.
    #[arg(long)]
    root_certificate: Option<PathBuf>,
    /// One JSON object on stdout at the end instead of text.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Stream {
    Depth,
    Ticker,
    Trades,
    MarkPrice,
    Kline,
}

fn main() -> ExitCode {
    let args = Args::parse();
    match record(&args) {
        Ok(page) => {
            // A reader that closed the pipe has seen what it wanted.
            let _ = io::stdout().write_all(page.as_bytes());
            ExitCode::SUCCESS
        }
        Err((code, what)) => {
            say(&format!("record: {what}"));
            ExitCode::from(code)
        }
    }
}

/// Exit code, and what there is to say.
type Failed = (u8, String);

fn record(args: &Args) -> Result<String, Failed> {
    let interrupted = interrupts().map_err(|error| (2, error.to_string()))?;
    let venues = Venues::new(vec![venue(args).map_err(usage)?], wall_now()).map_err(usage)?;
    std::fs::create_dir_all(&args.out).map_err(|error| (1, format!("{}: {error}", args.out.display())))?;
    let table = venues.ask_instruments().map_err(|error| (1, error.to_string()))?;
    keep_instruments(&args.out, &table).map_err(|what| (1, what))?;
    let recording = Recording::start(args, &venues, &table).map_err(usage)?;
    recording.run(args, &interrupted).map_err(|what| (1, what))
}

fn usage(what: String) -> Failed {
    (2, what)
}

/// Ctrl-C and SIGTERM end the recording in order, a second one at once.
fn interrupts() -> io::Result<Arc<AtomicBool>> {
    let interrupted = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        signal_hook::flag::register_conditional_shutdown(signal, 1, Arc::clone(&interrupted))?;
        signal_hook::flag::register(signal, Arc::clone(&interrupted))?;
    }
    Ok(interrupted)
}

/// Lists the instruments beside their captures. Err: as [`instruments::keep`].
fn keep_instruments(dir: &Path, table: &InstrumentTable) -> Result<(), String> {
    if let Some(aside) = instruments::keep(dir, table, wall_now())? {
        say(&format!("ticks or quantity units have changed: captures of before go with {}", aside.display()));
    }
    Ok(())
}

/// The venue that the arguments name. Err: which of them is wrong.
fn venue(args: &Args) -> Result<LiveVenue, String> {
    let product = product_of(&args.venue).ok_or_else(|| {
        format!("--venue {}: there is binance-spot, binance-usdm, binance-coinm", args.venue)
    })?;
    let usual = streams::endpoints(product);
    let base = |given: &Option<String>, usual: String| {
        given.as_ref().map_or(usual, |url| url.trim_end_matches('/').to_owned())
    };
    let event = |stream: &Stream| {
        let (event, silence_ms) = match stream {
            Stream::Depth => (Event::Delta, 5_000),
            Stream::Ticker => (Event::Ticker, 30_000),
            Stream::Trades => (Event::Trades, 0),
            Stream::MarkPrice => (Event::MarkPrice, 30_000),
            Stream::Kline => (Event::Kline, 0),
        };
        (event, Nanos::from_ms(silence_ms))
    };
    Ok(LiveVenue {
        plan: VenuePlan {
            venue: args.venue.clone(),
            endpoints: Endpoints {
                rest: base(&args.rest, usual.rest),
                stream: base(&args.stream, usual.stream),
            },
            wanted: Wanted { events: args.streams.iter().map(event).collect(), copies: 1 },
        },
        symbols: args.symbols.clone(),
        root_certificate: args.root_certificate.clone(),
        request_weight_per_minute: 1_000,
        rotate_after: rotate_after(product),
    })
}

/// Reads `30s`, `10m`, `24h`. Err: another text; less than a second; more than 31 days.
fn length_of(text: &str) -> Result<Nanos, String> {
    Nanos::parse_length(text, Nanos::SECOND..=Nanos(31 * Nanos::DAY.0))
}

fn wall_now() -> Nanos {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Nanos(u64::try_from(now.as_nanos()).unwrap_or(u64::MAX))
}

/// A line for whoever watches; nobody need.
fn say(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_are_read_or_refused() {
        assert_eq!(length_of("90s"), Ok(Nanos(90 * Nanos::SECOND.0)));
        assert_eq!(length_of("31d"), Ok(Nanos(31 * Nanos::DAY.0)));
        for bad in ["", "h", "0s", "999ms", "32d", "-1s", "1.5h", "99999999999999999999h", "é"] {
            assert!(length_of(bad).is_err(), "{bad}");
        }
    }
}
