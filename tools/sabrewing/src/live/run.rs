//! `sabrewing run`: live market data through all five stages, with a screen that says what goes on.

use super::config::{LiveConfig, Mode, Sockets};
use super::orders::Accounts;
use super::screen::{self, Beside};
use super::venue_books::{self, EngineBooks};
use super::{ask_instruments, instruments_of, refuse_mode};
use crate::config::Config;
use crate::pipeline::paper_venue;
use crate::replay::BooksTap;
use crate::replay::pace::Pace;
use crate::run::{
    Attached, Ended, OnStall, PlacementText, Progress, Refused, Run, Show, input, json_line,
    refuse_unfit_host, say, usage,
};
use crate::run_files::{RunFacts, wall_now};
use clap::Args;
use engine::counters::Snapshot;
use engine::data_dir::DataDir;
use engine::instrument::InstrumentTable;
use engine::placement::Placement;
use engine::time::Nanos;
use feeds::live::fetch::VenueClock;
use feeds::live::{LiveSource, LiveVenue, Notice, Venues};
use gateway::client_order_id::ClientOrderIds;
use gateway::recovery::Recovered;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Duration;
use strategies::signal::Subscriptions;
use wire::net::{Backend, NetOptions};
use wire::random::unpredictable_seed;

/// Trades on live market data: on paper, without an account or keys, or with real orders on a test network.
///
/// The run has a directory of its own below `data_dir`: journal, counters, commands. Ctrl-C or SIGTERM stops quoting,
/// cancels every order, and ends with exit code 0; a second one ends at once.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  sabrewing run --config tools/sabrewing/configs/binance-paper.toml
  sabrewing run --config mine.toml --for 10m --json > summary.json
  BINANCE_USDM_API_KEY=... BINANCE_USDM_SECRET=... sabrewing run --config tools/sabrewing/configs/binance-testnet.toml
  sabrewing ctl --data-dir data status

Exit codes: 0 it ran until it was told to end; 1 a venue did not answer, or not so that it could be read; 2 usage or
configuration, a symbol that the venue does not list included; 3 trading was stopped for safety, or the venue's books
are not the engine's.")]
pub(crate) struct RunArgs {
    /// The configuration; see `sabrewing check --schema`.
    #[arg(long)]
    config: PathBuf,
    /// Ends after this time: 30s, 10m, 12h, 7d; until it is told to when absent.
    #[arg(long = "for", value_name = "DURATION", value_parser = duration)]
    duration: Option<Nanos>,
    /// Instruments of a file instead of the venue's own answer.
    #[arg(long)]
    instruments: Option<PathBuf>,
    /// One JSON object on stdout at the end instead of a page; a line a second on stderr.
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(crate) fn run(args: &RunArgs) -> ExitCode {
    match go(args) {
        Ok(code) => code,
        Err(Refused(code, what)) => {
            say(&format!("sabrewing run: {what}"));
            ExitCode::from(code)
        }
    }
}

/// Reads `30s`, `10m`, `12h`, `7d`. Err: another text; less than 1 ms; more than a year.
fn duration(text: &str) -> Result<Nanos, String> {
    Nanos::parse_length(text, Nanos::from_ms(1)..=Nanos(365 * Nanos::DAY.0))
}

fn go(args: &RunArgs) -> Result<ExitCode, Refused> {
    let config = Config::load(Some(&args.config)).map_err(usage)?;
    let live = config.live.as_ref().ok_or_else(|| usage(format!("{}: [live] is missing", config.name)))?;
    refuse_mode(live)?;
    let Ok(placement) = live.placement.parse::<PlacementText>();
    let placement = placement.load()?;
    let venues = Venues::new(live.venues.clone(), wall_now()).map_err(usage)?;
    let table = match &args.instruments {
        Some(path) => instruments_of(&venues, path)?,
        None => ask_instruments(&venues)?,
    };
    let data = DataDir::open(&live.data_dir, live.engine).map_err(usage)?;
    let accounts = accounts_of(live, &venues, &table)?;
    let recovered = match &accounts {
        Some(_) => Recovered::latest(&data, &table)
            .map_err(|error| Refused(3, format!("what the last run left cannot be told: {error}")))?,
        None => Recovered::default(),
    };
    let run_dir = data.begin_run().map_err(usage)?;
    let trading = Trading {
        command: "run",
        config: &config,
        live,
        placement: &placement,
        ids: ClientOrderIds::new(live.engine, run_dir.number),
        run_dir: Some(&run_dir.path),
        duration: args.duration,
        json: args.json,
        accounts: accounts.as_ref(),
        recovered: &recovered,
    };
    let (ended, failures) = trading.go(&venues, &table)?;
    let page = if args.json { json_line(&ended.summary)? } else { ended.summary.text() };
    let code = if failures.is_empty() { 0 } else { 3 };
    Ok(ended.close("sabrewing run", "it was told to end", code, failures, &page))
}

/// The accounts that orders are sent on. None: they go to the paper exchange. Err: a key; a venue that does not answer.
pub(crate) fn accounts_of<'a>(
    live: &'a LiveConfig,
    venues: &'a Venues,
    table: &InstrumentTable,
) -> Result<Option<Accounts<'a>>, Refused> {
    match live.mode {
        Mode::Paper => Ok(None),
        Mode::Live => Accounts::open(live, venues, table).map(Some),
    }
}

/// Live market data through all five stages, whoever asks for it.
pub(crate) struct Trading<'a> {
    /// The command that asks.
    pub(crate) command: &'static str,
    /// Limits, sizes, strategies.
    pub(crate) config: &'a Config,
    /// Its venues.
    pub(crate) live: &'a LiveConfig,
    /// Which stages share which thread.
    pub(crate) placement: &'a Placement,
    /// What orders are called.
    pub(crate) ids: ClientOrderIds,
    /// Where journal, counters and commands are kept; None: nowhere.
    pub(crate) run_dir: Option<&'a Path>,
    /// It ends after this time; None: when it is told to.
    pub(crate) duration: Option<Nanos>,
    /// A line a second instead of a screen.
    pub(crate) json: bool,
    /// Whose orders are sent; None: the paper exchange answers them.
    pub(crate) accounts: Option<&'a Accounts<'a>>,
    /// What the run before left at the venue.
    pub(crate) recovered: &'a Recovered,
}

impl Trading<'_> {
    /// Trades on `table` until the time is over or it is told to end, cancels what is open, and compares books with the
    /// venue. Returns what was found wrong. Err: it could not begin.
    pub(crate) fn go(
        self,
        venues: &Venues,
        table: &InstrumentTable,
    ) -> Result<(Ended, Vec<String>), Refused> {
        let Self { command, config, live, placement, ids, run_dir, duration, json, accounts, recovered } =
            self;
        let plan = venues.plan(table).map_err(usage)?;
        refuse_unfit_host(config, placement, run_dir)?;
        let (remark, remarks) = sync_channel(256);
        let (notice, notices) = sync_channel(256);
        let (snapshots, fetchers) = venues.start_fetching(&plan, live.clock_every, &remark).map_err(usage)?;
        let clocks = fetchers.clocks.clone();
        let before = match accounts {
            Some(accounts) => {
                accounts.wait_for_clocks(live, &clocks).map_err(input)?;
                venue_books::before(accounts).map_err(input)?
            }
            None => Vec::new(),
        };
        let screen = Screen {
            table,
            live,
            accounts,
            clocks,
            connections: screen::connection_names(&plan),
            notices,
            remarks,
            is_page: !json && Show::screen() == Show::Screen,
            news: RefCell::default(),
        };
        let status = |counters: &Snapshot, elapsed: Duration| screen.status(counters, elapsed);
        let to = if json { Show::Lines } else { Show::screen() };
        let progress = Progress { status: &status, every: Duration::from_secs(1), to };
        let carried: Vec<_> = plan.connections.iter().map(|one| one.instruments.clone()).collect();
        let facts = RunFacts { command, pace: Pace::Recorded { speed_milli: 1_000 }, ids };
        let mut run = Run::new(config, table, (placement, &carried), run_dir, facts, progress)?;
        run.end_after(duration);
        run.cancel_at_end();

        let net = NetOptions { backend: backend(live.sockets), busy_poll_us: live.busy_poll_us };
        let seed = unpredictable_seed().ok_or_else(|| usage("the system gives no random numbers"))?;
        let options = venues.options(net, seed);
        let source = LiveSource::new(&plan, &options, snapshots, notice).map_err(usage)?;
        let (used, missing) = source.remarks();
        let place = run_dir.map_or_else(|| "nothing is kept".to_owned(), |dir| dir.display().to_string());
        say(&format!("{place}: {} connections, sockets by {used}", plan.connections.len()));
        missing.iter().for_each(|remark| say(remark));
        let source = source.counting(run.counters()).map_err(usage)?;
        let attached = Attached {
            repeated: None,
            books: None::<BooksTap>,
            signals: None,
            mark_every: 0,
            watched: plan.subscriptions.clone(),
        };
        let none = Subscriptions::new();
        let ended = match accounts {
            Some(accounts) => {
                let sessions = accounts.sessions(net, seed, recovered).map_err(usage)?;
                run.go(source, &none, attached, OnStall::Stop, (sessions, Some(recovered)))
            }
            None => {
                let paper = paper_venue(config, table).map_err(usage)?;
                run.go(source, &none, attached, OnStall::Stop, (paper, None))
            }
        };
        drop(fetchers);
        screen.say_news();
        let mut ended = ended?;
        let mut failures = Vec::new();
        if let Some(accounts) = accounts {
            let gateway = &ended.gateway;
            let books = EngineBooks { gateway, recovered, ids, rates: config.fees };
            match venue_books::compare(accounts, &before, &books) {
                Ok(books) => {
                    failures.extend((!books.equal).then(|| books.text().trim_end().to_owned()));
                    ended.summary.venue_books = Some(books);
                }
                Err(error) => failures.push(format!("the venue's books could not be compared: {error}")),
            }
        }
        Ok((ended, failures))
    }
}

const fn backend(sockets: Sockets) -> Backend {
    match sockets {
        Sockets::BusyPoll => Backend::Busy,
        Sockets::Mio => Backend::Mio,
        Sockets::IoUring => Backend::IoUring,
    }
}

/// What is shown while the run goes on.
struct Screen<'a> {
    table: &'a InstrumentTable,
    live: &'a LiveConfig,
    accounts: Option<&'a Accounts<'a>>,
    clocks: Vec<Arc<VenueClock>>,
    /// What each connection is.
    connections: Vec<String>,
    notices: Receiver<Notice>,
    remarks: Receiver<String>,
    /// A page on a terminal, and not lines.
    is_page: bool,
    /// The last of what happened, for the page.
    news: RefCell<VecDeque<String>>,
}

/// Lines of news on a page.
const NEWS_LINES: usize = 8;

impl Screen<'_> {
    /// What happened since it was last said: on the page's next version, or as lines.
    fn say_news(&self) {
        let notices = self.notices.try_iter().map(|notice| format!("{} {notice}", notice.at));
        let sessions = self.accounts.into_iter().flat_map(Accounts::remarks);
        for line in notices.chain(self.remarks.try_iter()).chain(sessions) {
            if self.is_page {
                let mut news = self.news.borrow_mut();
                news.truncate(NEWS_LINES - 1);
                news.push_front(line);
            } else {
                say(&line);
            }
        }
    }

    fn status(&self, counters: &Snapshot, elapsed: Duration) -> String {
        self.say_news();
        if let Some(accounts) = self.accounts {
            accounts.set_clocks(self.live, &self.clocks);
        }
        if self.is_page {
            let news = self.news.borrow();
            let orders =
                self.accounts.map_or_else(String::new, |accounts| format!("; {}", accounts.states()));
            let (clocks, connections) = (self.clock_text() + &orders, &self.connections[..]);
            let beside = Beside { clocks: &clocks, connections, news: &news };
            return screen::page(self.table, counters, elapsed, &beside);
        }
        let line = screen::line(self.table, counters, elapsed);
        self.accounts.map_or_else(|| line.clone(), |accounts| format!("{line}; {}", accounts.states()))
    }

    /// Each venue's clock against ours.
    fn clock_text(&self) -> String {
        let text = |(venue, clock): (&LiveVenue, &Arc<VenueClock>)| {
            let offset = clock.offset().map_or("not measured".to_owned(), |(offset_ns, round_trip)| {
                format!("{:+} ms ({} ms round trip)", offset_ns / 1_000_000, round_trip.as_ms())
            });
            format!("{} clock {offset}", venue.plan.venue)
        };
        self.live.venues.iter().zip(&self.clocks).map(text).collect::<Vec<_>>().join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_goes_on_for_days_where_it_is_told_to() {
        assert_eq!(duration("48h"), Ok(Nanos(2 * Nanos::DAY.0)));
        assert_eq!(duration("365d"), Ok(Nanos(365 * Nanos::DAY.0)));
        assert!(duration("366d").unwrap_err().ends_with("from 1ms to 365d"));
        assert!(duration("0s").is_err());
    }
}
