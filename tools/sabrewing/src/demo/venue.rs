//! The demo against the simulated venue: a child process of this very program, on the loopback, behind TLS.

use super::DemoArgs;
use crate::config::Config;
use crate::live::ask_instruments;
use crate::live::run::{Trading, accounts_of};
use crate::pipeline::order_ids;
use crate::run::{Refused, json_line, usage};
use crate::run_files::wall_now;
use feeds::live::Venues;
use gateway::recovery::Recovered;
use serde::Deserialize;
use std::fs::OpenOptions;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::mpsc::channel;
use std::time::Duration;
use toml::{Table, Value};
use venue_sim::venue::TEST_LOG_ON_KEY;

/// The live tables, and all others where the demo is given no configuration.
const SHIPPED: &str = include_str!("../../configs/binance-paper.toml");
/// The longest that the venue may take to be ready.
const READY_MAX: Duration = Duration::from_secs(20);

/// Runs the demo.
pub(super) fn demo(args: &DemoArgs) -> Result<ExitCode, Refused> {
    let base = match &args.config {
        None => SHIPPED.to_owned(),
        Some(path) => {
            let at = |what: String| usage(format!("{}: {what}", path.display()));
            // What is wrong in it is said with its own lines.
            Config::load(Some(path)).map_err(usage)?;
            std::fs::read_to_string(path).map_err(|error| at(error.to_string()))?
        }
    };
    let placement = args.placement.load()?;
    let venue = Venue::start(args)?;
    let config = Config::parse("demo".into(), configured(&base, &venue)?).map_err(usage)?;
    let live = config.live.as_ref().ok_or_else(|| usage("demo: no [live]"))?;
    let venues = Venues::new(live.venues.clone(), wall_now()).map_err(usage)?;
    let table = ask_instruments(&venues)?;
    let accounts = accounts_of(live, &venues, &table)?;
    let trading = Trading {
        command: "demo",
        config: &config,
        live,
        placement: &placement,
        ids: order_ids(),
        run_dir: args.journal.as_deref(),
        duration: Some(args.duration),
        json: args.json,
        accounts: accounts.as_ref(),
        // The venue has just begun, and so has the account.
        recovered: &Recovered::default(),
    };
    let (ended, failures) = trading.go(&venues, &table)?;
    // Its orders are canceled and its books compared: the venue may go.
    drop(venue);
    let page = if args.json { json_line(&ended.summary)? } else { ended.summary.text() };
    let code = if failures.is_empty() { 0 } else { 3 };
    Ok(ended.close("sabrewing demo", "the time was over", code, failures, &page))
}

/// The configuration with its one venue on the loopback, and real orders sent there. Err: it is no TOML.
fn configured(base: &str, venue: &Venue) -> Result<String, Refused> {
    let parse = |text: &str| text.parse::<Table>().map_err(|error| usage(error.to_string()));
    let (mut config, shipped) = (parse(base)?, parse(SHIPPED)?);
    for key in ["live", "venue"] {
        let table = shipped.get(key).cloned().ok_or_else(|| usage(format!("no {key} in what ships")))?;
        config.entry(key).or_insert(table);
    }
    let first = config.get_mut("venue").and_then(|venues| venues.as_array_mut()?.first_mut()?.as_table_mut());
    let first = first.ok_or_else(|| usage("[[venue]] is missing"))?;
    let text = |text: &str| Value::String(text.to_owned());
    first.insert("symbols".into(), Value::Array(venue.symbols.iter().map(|symbol| text(symbol)).collect()));
    first.insert("rest".into(), text(&venue.ready.rest));
    first.insert("stream".into(), text(&venue.ready.ws));
    first.insert("root_certificate".into(), text(&venue.ready.root.display().to_string()));
    let live =
        config.get_mut("live").and_then(Value::as_table_mut).ok_or_else(|| usage("[live] is no table"))?;
    live.insert("mode".into(), text("live"));
    let account = Table::from_iter([
        ("venue".into(), text("binance-usdm")),
        ("key".into(), text("ed25519")),
        ("key_from".into(), text(&format!("file:{}", venue.key.display()))),
        ("order_api".into(), text(&format!("{}/ws-fapi/v1", venue.ready.ws))),
        ("recv_window_ms".into(), Value::Integer(2_000)),
        ("dead_man_ms".into(), Value::Integer(60_000)),
    ]);
    config.insert("account".into(), Value::Array(vec![Value::Table(account)]));
    toml::to_string(&config).map_err(|error| usage(error.to_string()))
}

/// The venue's process. Dropped, it ends; it ends too when this process does, however it does.
struct Venue {
    child: Child,
    ready: Ready,
    /// The file with the key of its test account.
    key: PathBuf,
    symbols: &'static [&'static str],
}

/// What the venue says when it is ready.
#[derive(Deserialize)]
struct Ready {
    rest: String,
    ws: String,
    root: PathBuf,
}

impl Venue {
    fn start(args: &DemoArgs) -> Result<Self, Refused> {
        let symbols: &[&str] = if args.instruments == 1 { &["BTCUSDT"] } else { &["BTCUSDT", "ETHUSDT"] };
        let program = std::env::current_exe().map_err(|error| usage(format!("this program: {error}")))?;
        let root = std::env::temp_dir().join(format!("sabrewing-demo-{}.pem", std::process::id()));
        let key = root.with_extension("key");
        write_key(&key).map_err(|error| usage(format!("{}: {error}", key.display())))?;
        let mut child = command(&program, args.seed, symbols, &root)
            .spawn()
            .map_err(|error| usage(format!("{}: {error}", program.display())))?;
        let Some(stdout) = child.stdout.take() else { return Err(usage("the venue has no output")) };
        // A reader of its own, so that a venue that says nothing is not waited for without end.
        let (line, lines) = channel();
        std::thread::spawn(move || {
            let mut text = String::new();
            let _ = BufReader::new(stdout).read_line(&mut text);
            let _ = line.send(text);
        });
        let said = lines.recv_timeout(READY_MAX).unwrap_or_default();
        match serde_json::from_str(&said) {
            Ok(ready) => Ok(Self { child, ready, key, symbols }),
            Err(_) => {
                end(&mut child);
                let _ = std::fs::remove_file(&key);
                Err(Refused(1, format!("the simulated venue did not begin: {:?}", said.trim_end())))
            }
        }
    }
}

impl Drop for Venue {
    fn drop(&mut self) {
        end(&mut self.child);
        // It is of no use to anybody any more.
        let _ = std::fs::remove_file(&self.ready.root);
        let _ = std::fs::remove_file(&self.key);
    }
}

/// Writes the test account's key where nobody else reads it, as a real one would be kept.
fn write_key(path: &Path) -> std::io::Result<()> {
    let (api_key, secret) = TEST_LOG_ON_KEY;
    // What a process of the same number left there, killed before it could clean up.
    let _ = std::fs::remove_file(path);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    write!(file, "{api_key}\n{secret}")
}

/// The venue's command line. In a process group of its own: Ctrl-C reaches only the engine, which ends the venue after its
/// orders are canceled.
fn command(program: &Path, seed: u64, symbols: &[&str], root: &Path) -> Command {
    let mut command = Command::new(program);
    command
        .args(["venue-sim", "--listen", "127.0.0.1:0", "--json", "--seed", &seed.to_string()])
        .args(["--futures", &symbols.join(",")])
        .arg("--root")
        .arg(root)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .process_group(0);
    let end_with_parent = || {
        // SAFETY: prctl with these arguments changes this process alone; it is async-signal-safe.
        match unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGTERM) } {
            0 => Ok(()),
            _ => Err(std::io::Error::last_os_error()),
        }
    };
    // SAFETY: between fork and exec only prctl is called, which may be.
    unsafe { command.pre_exec(end_with_parent) };
    command
}

/// Ends the venue: asks, waits a second, then kills.
fn end(child: &mut Child) {
    if let Ok(id) = i32::try_from(child.id()) {
        // SAFETY: the child has not been waited for, so the id is its own.
        unsafe { libc::kill(id, libc::SIGTERM) };
    }
    for _ in 0..100 {
        if !matches!(child.try_wait(), Ok(None)) {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    let _ = child.kill();
    let _ = child.wait();
}
