//! `record`: live market data as captures, lines of `<recv_ns> <json>` that `sabrewing replay` reads.

mod file;
mod recorder;

use clap::{Parser, ValueEnum};
use engine::ids::Lane;
use engine::journal::Writer;
use engine::runner::{Control, Source, Step};
use engine::stage::Nowhere;
use engine::stage_log::StageLog;
use engine::time::{Nanos, StampClock};
use feeds::codec::Event;
use feeds::live::{Endpoints, LiveSource, LiveVenue, VenuePlan, Venues, Wanted, product_of, rotate_after};
use feeds::stage::{Connection, FeedConfig, FeedReport, FeedStage};
use feeds::venues::AnyCodec;
use feeds::venues::binance::streams;
use file::{Captures, Written};
use recorder::Recorder;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use wire::net::{Backend, NetOptions};

/// Records live market data: one capture for each instrument, gzip, a new file at every boundary of time.
///
/// Every frame is written as it came, behind the time at which it left the socket. A file holds a snapshot of the book,
/// so that it can be replayed alone; what happens to connections stands in it as lines of a recorder's own. A file is
/// called `.part` until it is whole and was read again.
#[derive(Parser)]
#[command(
    name = "record",
    version,
    after_help = "\
Examples:
  record --venue binance-usdm --symbols BTCUSDT,ETHUSDT --out data/
  record --venue binance-spot --symbols BTCUSDT --out data/ --every 1h --for 12h
  sabrewing replay data/binance-usdm_btcusdt_20261128T030000Z.gz

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
    /// A new file at every multiple of this: 10m, 1h, 24h.
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
            let _ = std::io::stdout().write_all(page.as_bytes());
            ExitCode::SUCCESS
        }
        Err((code, what)) => {
            say(&format!("record: {what}"));
            ExitCode::from(code)
        }
    }
}

type Failed = (u8, String);

fn record(args: &Args) -> Result<String, Failed> {
    let usage = |what: String| (2, what);
    let interrupted = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        let at_once = signal_hook::flag::register_conditional_shutdown;
        at_once(signal, 1, Arc::clone(&interrupted)).map_err(|error| usage(error.to_string()))?;
        signal_hook::flag::register(signal, Arc::clone(&interrupted))
            .map_err(|error| usage(error.to_string()))?;
    }
    let venues = Venues::new(vec![venue(args).map_err(usage)?], wall_now()).map_err(usage)?;
    std::fs::create_dir_all(&args.out).map_err(|error| (1, format!("{}: {error}", args.out.display())))?;
    let table = venues.ask_instruments().map_err(|error| (1, error.to_string()))?;
    let plan = venues.plan(&table).map_err(usage)?;

    let (notice, notices) = sync_channel(256);
    let (remark, remarks) = sync_channel(256);
    let clock_every = Nanos(60 * Nanos::SECOND.0);
    let (snapshots, fetchers) = venues.start_fetching(&plan, clock_every, &remark).map_err(usage)?;
    let options = venues.options(NetOptions { backend: Backend::Mio, busy_poll_us: 0 }, wall_now().0);
    let source = LiveSource::new(&plan, &options, snapshots, notice).map_err(usage)?;
    let written = Arc::new(Written::default());
    let captures = table
        .iter()
        .map(|one| Captures::new(&args.out, &one.venue, &one.symbol, args.every, Arc::clone(&written)));
    let (failed, failures) = sync_channel(1);
    let recorder = Recorder::new(source, &plan, &table, captures.collect(), failed);
    let recorder = recorder.ok_or_else(|| usage(format!("{}: no decoder", args.venue)))?;

    let connection = |carried: &Vec<engine::ids::InstrumentId>| {
        let carried: Vec<_> = carried.iter().filter_map(|id| Some((*id, table.get(*id)?))).collect();
        let (_, first) = carried.first()?;
        Some(Connection { codec: AnyCodec::new(&first.venue, &carried)?, venue: first.venue_id })
    };
    let connections =
        plan.connections.iter().map(|one| connection(&one.instruments)).collect::<Option<Vec<_>>>();
    let connections = connections.ok_or_else(|| usage(format!("{}: no decoder", args.venue)))?;
    let config =
        FeedConfig { timer_ns: Nanos::from_ms(100), resync_buffer_bytes: 4 << 20, renew_ns: Nanos(0) };
    let log = StageLog::new(Writer::off(Lane::Feed), Arc::new(Control::default()), 0);
    let (done, report): (_, Receiver<FeedReport>) = sync_channel(1);
    let mut stage = FeedStage::new(recorder, connections, &table, config, log, StampClock::off(), done)
        .watching(plan.subscriptions.clone());

    let started = Instant::now();
    let mut shown = Instant::now();
    loop {
        match stage.step(&mut Nowhere) {
            Step::Worked => {}
            Step::Idle => std::thread::sleep(Duration::from_micros(100)),
            Step::Ended => break,
        }
        let is_over = args.duration.is_some_and(|length| started.elapsed() >= Duration::from_nanos(length.0));
        if is_over || interrupted.load(Ordering::Relaxed) {
            stage.stop_reading();
        }
        if shown.elapsed() >= Duration::from_secs(1) {
            shown = Instant::now();
            notices.try_iter().for_each(|notice| say(&format!("{} {notice}", notice.at)));
            remarks.try_iter().for_each(|remark: String| say(&remark));
            if !args.json {
                say(&format!("{} s, {} lines", started.elapsed().as_secs(), written.lines()));
            }
        }
    }
    drop((stage, fetchers));
    if let Ok(what) = failures.try_recv() {
        return Err((1, what));
    }
    let report = report.recv().map_err(|error| (1, error.to_string()))?;
    Ok(page(args.json, &report, written.lines(), written.files()))
}

/// What the recording is worth.
fn page(json: bool, report: &FeedReport, lines: u64, files: u64) -> String {
    let sum = |count: fn(&feeds::sync::SyncCounts) -> u64| report.sync.iter().map(count).sum::<u64>();
    let (gaps, cuts, resyncs) = (sum(|c| c.gaps), sum(|c| c.cuts), sum(|c| c.resyncs));
    let FeedReport { frames, decode_errors, lost, copies, .. } = report;
    if json {
        let page = serde_json::json!({
            "frames": frames, "lines": lines, "files": files, "decode_errors": decode_errors, "lost": lost,
            "copies": copies, "gaps": gaps, "cuts": cuts, "resyncs": resyncs,
        });
        return format!("{page}\n");
    }
    format!(
        "{frames} frames, {lines} lines in {files} files, {decode_errors} decode errors\n\
         {lost} connections lost or streams silent; books: {gaps} gaps, {cuts} cut, {resyncs} resynchronised\n"
    )
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

/// Reads `30s`, `10m`, `24h`. Err: another text.
fn length_of(text: &str) -> Result<Nanos, String> {
    let (number, unit_s) = match text.char_indices().next_back() {
        Some((at, 's')) => (&text[..at], 1),
        Some((at, 'm')) => (&text[..at], 60),
        Some((at, 'h')) => (&text[..at], 3_600),
        _ => (text, 0),
    };
    let seconds = number.parse::<u64>().ok().and_then(|number| number.checked_mul(unit_s));
    seconds
        .filter(|s| (1..=31 * 86_400).contains(s))
        .map(|s| Nanos(s * Nanos::SECOND.0))
        .ok_or_else(|| format!("`{text}`: a whole number of s, m or h, at most 31 days"))
}

fn wall_now() -> Nanos {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Nanos(u64::try_from(now.as_nanos()).unwrap_or(u64::MAX))
}

/// A line for whoever watches; nobody need.
fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_are_read_or_refused() {
        assert_eq!(length_of("90s"), Ok(Nanos(90 * Nanos::SECOND.0)));
        assert_eq!(length_of("24h"), Ok(Nanos(24 * Nanos::HOUR.0)));
        for bad in ["", "h", "0s", "1d", "-1s", "1.5h", "99999999999999999999h", "é"] {
            assert!(length_of(bad).is_err(), "{bad}");
        }
    }
}
