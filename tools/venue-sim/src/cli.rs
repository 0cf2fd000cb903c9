//! The command line: what to serve, and where.

use clap::{Parser, Subcommand};
use std::ffi::OsString;
use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use engine::time::Nanos;

use crate::binance::Json;
use crate::flow::{capture, compare};
use crate::server::{Certificates, Server};
use crate::venue::{ADMIN_HELP, Venue, VenueConfig};

/// A simulated venue that speaks Binance's protocol, spot and USD-M futures, over TLS, WebSocket and HTTP.
#[derive(Parser)]
#[command(name = "venue-sim", version, args_conflicts_with_subcommands = true, after_help = EXAMPLES, after_long_help = long_help())]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    /// Where clients connect to; port 0: any free one.
    #[arg(long, default_value = "127.0.0.1:9443", value_name = "ADDRESS")]
    listen: SocketAddr,
    /// Where operators connect to, in plain HTTP; port 0: any free one.
    #[arg(long, default_value = "127.0.0.1:0", value_name = "ADDRESS")]
    admin: SocketAddr,
    /// Spot symbols.
    #[arg(long, value_delimiter = ',', value_name = "SYMBOLS")]
    symbols: Vec<String>,
    /// USD-M futures symbols.
    #[arg(long, value_delimiter = ',', value_name = "SYMBOLS")]
    futures: Vec<String>,
    /// Accounts and their API keys. Default: alice and bob with public test keys.
    #[arg(long, value_name = "FILE")]
    accounts: Option<PathBuf>,
    /// Faults from the start.
    #[arg(long, value_name = "FILE")]
    faults: Option<PathBuf>,
    /// Of order flow and faults.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The venue's time when it opens, milliseconds since 1970. Default: now.
    #[arg(long, value_name = "MS")]
    start_ms: Option<u64>,
    /// No rate limits.
    #[arg(long)]
    no_limits: bool,
    /// Nobody trades but the clients.
    #[arg(long)]
    no_flow: bool,
    /// No TLS: ws:// and http://.
    #[arg(long)]
    plain: bool,
    /// Names and addresses of the certificate, beside localhost, 127.0.0.1 and ::1.
    #[arg(long = "name", value_name = "NAME")]
    names: Vec<String>,
    /// Where the root certificate is written. Default: a file in the system's temporary folder.
    #[arg(long, value_name = "FILE")]
    root: Option<PathBuf>,
    /// Says when it is ready in one line of JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Subcommand)]
enum Command {
    /// Compares generated markets with recorded ones: spread, message mix, inter-arrival times, sizes, volatility.
    ///
    /// Each recording is put beside a market of the same symbol and product that the seeded crowd made for as long,
    /// and beside the recording itself, played to an exchange. Exit code 1: a recording could not be read to its end.
    Statistics {
        /// Recorded markets: lines of `<ns> <json>`, plain or gzip, in Binance's stream format.
        #[arg(long, num_args = 1.., required = true)]
        captures: Vec<PathBuf>,
        /// Which crowd.
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// One object a recording instead of a table.
        #[arg(long)]
        json: bool,
    },
}

const EXAMPLES: &str = "\
Examples:
  venue-sim --symbols BTCUSDT
  venue-sim --listen 127.0.0.1:9443 --symbols BTCUSDT,ETHUSDT --futures BTCUSDT --json
  venue-sim --plain --symbols BTCUSDT --faults faults.toml --seed 7
  venue-sim statistics --captures ../shared/captures/usdm/btcusdt_20240808.gz
Then: curl --cacert ROOT 'https://127.0.0.1:9443/api/v3/depth?symbol=BTCUSDT&limit=5'";

fn long_help() -> String {
    format!("{EXAMPLES}\n\nThe operator's port:\n{ADMIN_HELP}")
}

/// Runs the command line `args`, the program's name first. Exit code: 0 ended by a signal; 1 the sockets failed;
/// 2 usage or configuration.
pub fn main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) => {
            // A closed pipe is not worth a word.
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { 2 } else { 0 });
        }
    };
    let done = match &cli.command {
        None => serve(&cli),
        Some(Command::Statistics { captures, seed, json }) => statistics(captures, *seed, *json),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err((code, text)) => {
            eprintln!("venue-sim: {text}");
            ExitCode::from(code)
        }
    }
}

fn serve(cli: &Cli) -> Result<(), (u8, String)> {
    let usage = |text: String| (2, text);
    let failed = |error: std::io::Error| (1, error.to_string());
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
    let now = Nanos::from_ms(cli.start_ms.unwrap_or(u64::try_from(now).unwrap_or(0)));
    let config = VenueConfig {
        spot: cli.symbols.clone(),
        futures: cli.futures.clone(),
        seed: cli.seed,
        opened: now,
        accounts: cli.accounts.clone(),
        faults: cli.faults.clone(),
        limits: !cli.no_limits,
        flow: !cli.no_flow,
    };
    let started = Instant::now();
    let venue = Venue::open(&config, Nanos(0)).map_err(usage)?;
    let mut names: Vec<String> = ["localhost", "127.0.0.1", "::1"].map(str::to_owned).to_vec();
    names.extend(cli.names.iter().cloned());
    let certificates = if cli.plain { None } else { Some(Certificates::make(&names)) };
    let certificates = certificates.transpose().map_err(|error| usage(error.to_string()))?;
    let root_pem = certificates.as_ref().map(|made| made.root_pem.clone());
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&stop)).map_err(failed)?;
    }
    let mut server = Server::listen(cli.listen, cli.admin, certificates, venue, started)
        .map_err(|error| usage(error.to_string()))?;
    let [clients, operators] = server.addresses().map_err(failed)?;
    let root = root_pem.map(|pem| {
        let default = || std::env::temp_dir().join(format!("venue-sim-{}.pem", clients.port()));
        let path = cli.root.clone().unwrap_or_else(default);
        match std::fs::write(&path, pem) {
            Ok(()) => Ok(path),
            Err(error) => Err((2, format!("{}: {error}", path.display()))),
        }
    });
    let root = root.transpose()?;
    say_ready(cli, clients, operators, root.as_deref());
    server.run(&stop).map_err(failed)
}

fn statistics(captures: &[PathBuf], seed: u64, json: bool) -> Result<(), (u8, String)> {
    for path in captures {
        let capture = capture::read(path).map_err(|error| (1, error.to_string()))?;
        let compared = compare::compare(&capture, seed);
        let text = if json {
            compared.json().to_string()
        } else {
            format!("{}\n{}", compared.title, compared.markets)
        };
        // A closed pipe ends quietly.
        if writeln!(std::io::stdout(), "{text}").is_err() {
            break;
        }
    }
    Ok(())
}

fn say_ready(cli: &Cli, clients: SocketAddr, operators: SocketAddr, root: Option<&std::path::Path>) {
    let (https, wss) = if cli.plain { ("http", "ws") } else { ("https", "wss") };
    let text = if cli.json {
        let mut json = Json::object();
        json.text("event", "ready").shown("listen", clients).shown("admin", operators);
        json.shown("rest", format_args!("{https}://{clients}"))
            .shown("ws", format_args!("{wss}://{clients}"));
        match root {
            Some(root) => json.text("root", &root.display().to_string()),
            None => json.null("root"),
        };
        json.done()
    } else {
        let trust = root.map_or(String::new(), |root| format!("; trust {}", root.display()));
        format!(
            "ready: {https}://{clients} and {wss}://{clients}{trust}; operators: http://{operators}/admin/state"
        )
    };
    // A closed pipe must not end the venue.
    let _ = writeln!(std::io::stdout(), "{text}");
    let _ = std::io::stdout().flush();
}
