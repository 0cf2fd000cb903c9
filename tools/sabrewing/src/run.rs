//! A run of the stages, whatever their frames come from: what `replay` and `demo` share between reading their
//! arguments and printing their summary.

use crate::commands::CommandDesk;
use crate::config::{Config, PlacementChoice};
use crate::decisions::{self, Listed, hex};
use crate::pipeline::{Party, Reports, Setup, assemble_with, build};
use crate::replay::summary::{self, ConfigSummary, StageReports, Summary};
use crate::replay::verify::{Check, Checked, Steps};
use crate::run_files::{RunFacts, RunFiles, wall_now};
use crate::wiring::Wiring;
use engine::book_stage::BookTap;
use engine::commands::{CommandInput, KillLatch};
use engine::counters::{Counter, Counters, Desc, Snapshot, Unit};
use engine::ids::InstrumentId;
use engine::instrument::InstrumentTable;
use engine::placement::Placement;
use engine::runner::{self, Control, StopReason, ThreadReport, ThreadSpec};
use engine::time::{Nanos, StampClock};
use engine::watchdog::{Found, Loss};
use feeds::stage::{FeedReport, FrameSource};
use feeds::watch::Subscription;
use gateway::client_order_id::ClientOrderIds;
use gateway::counterparty::Counterparty;
use gateway::manager::GatewayReport;
use gateway::recovery::Recovered;
use serde::Serialize;
use std::collections::BTreeSet;
use std::io::{IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use strategies::registry::names;
use strategies::script::{Parted, Script};
use strategies::signal::{SignalTap, Subscriptions};

/// A run that is about to start: from here on a signal ends it in order.
pub(crate) struct Run<'a> {
    config: &'a Config,
    table: &'a InstrumentTable,
    placement: &'a Placement,
    of_connection: &'a [Vec<InstrumentId>],
    journal: Option<&'a Path>,
    progress: Progress<'a>,
    clock: StampClock,
    control: Arc<Control>,
    interrupted: Arc<AtomicBool>,
    files: RunFiles,
    desk: Option<CommandDesk>,
    /// For the strategy stage, until the stages are put together.
    commands: Option<CommandInput>,
    ids: ClientOrderIds,
    /// It ends in order after this time.
    end_after: Option<Duration>,
}

/// What looks at the running stages.
pub(crate) struct Attached<T> {
    /// A recorded run that is repeated.
    pub(crate) repeated: Option<Repeated>,
    /// At the books.
    pub(crate) books: T,
    /// At the signals of one instrument.
    pub(crate) signals: Option<(InstrumentId, Box<dyn SignalTap>)>,
    /// The feed stage marks the end of every so many lines; 0: of none.
    pub(crate) mark_every: u32,
    /// What was subscribed to; empty: the frames are a recording's.
    pub(crate) watched: Vec<Subscription>,
}

/// A recorded run that is repeated.
pub(crate) struct Repeated {
    /// The order in which its strategy stage took its inputs.
    pub(crate) steps: Steps,
    /// What the repetition is compared with.
    pub(crate) check: Check,
    /// Whether its gateway took the strategy's messages from a ring.
    pub(crate) gateway_heads: bool,
}

/// What a thread that stalls leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OnStall {
    /// It is counted: nothing waits for a recorded market.
    Count,
    /// Trading stops.
    Stop,
}

/// A run that has ended; its journal is still open.
pub(crate) struct Ended {
    /// What the feed stage saw.
    pub(crate) feed: FeedReport,
    /// What the gateway did.
    pub(crate) gateway: GatewayReport,
    /// Filled in but for where the frames came from.
    pub(crate) summary: Summary,
    /// What was found of a repeated run, and where it left the order of the run it repeats.
    pub(crate) checked: Option<(Checked, Option<Parted>)>,
    files: RunFiles,
    control: Arc<Control>,
}

impl<'a> Run<'a> {
    /// Takes the signals, and makes the run's files. Err: the directory of the journal cannot be one; trading was
    /// killed there.
    pub(crate) fn new(
        config: &'a Config,
        table: &'a InstrumentTable,
        (placement, of_connection): (&'a Placement, &'a [Vec<InstrumentId>]),
        journal: Option<&'a Path>,
        facts: RunFacts,
        progress: Progress<'a>,
    ) -> Result<Self, Refused> {
        let interrupted = Arc::new(AtomicBool::new(false));
        for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
            // The second one ends at once: the first is set already when it comes.
            let at_once = signal_hook::flag::register_conditional_shutdown;
            at_once(signal, 3, Arc::clone(&interrupted)).map_err(usage)?;
            signal_hook::flag::register(signal, Arc::clone(&interrupted)).map_err(usage)?;
        }
        refuse_killed(journal)?;
        let wiring = Wiring::new(of_connection, placement);
        let files = RunFiles::create(journal, config, table, &wiring, facts).map_err(usage)?;
        let (output, commands) = engine::commands::channel();
        let open =
            |dir| CommandDesk::open(dir, files.run_id(), names(&config.strategies, table), Some(output));
        let desk = journal.map(open).transpose().map_err(usage)?;
        let clock = if config.stamps { StampClock::on() } else { StampClock::off() };
        Ok(Self {
            config,
            table,
            placement,
            of_connection,
            journal,
            progress,
            clock,
            control: Arc::default(),
            interrupted,
            files,
            desk,
            commands: Some(commands),
            ids: facts.ids,
            end_after: None,
        })
    }

    /// Ends the run in order, as a signal would, after this time.
    pub(crate) fn end_after(&mut self, length: Option<Nanos>) {
        self.end_after = length.map(|length| Duration::from_nanos(length.0));
    }

    /// Cancels what is open at an orderly end too.
    pub(crate) fn cancel_at_end(&self) {
        self.control.cancel_at_end();
    }

    /// The run's counters, for a source that has some.
    pub(crate) const fn counters(&mut self) -> &mut Counters {
        self.files.counters_mut()
    }

    /// Runs the stages over `source` until it or the run ends; `exchange` answers orders, and what the run before left
    /// is gone on from where it is given. Err: they could not be put together or started; a thread would not end, and
    /// the process must.
    pub(crate) fn go<F: FrameSource + 'static, T: BookTap + 'static, X: Counterparty + 'static>(
        mut self,
        source: F,
        subscriptions: &Subscriptions,
        attached: Attached<T>,
        on_stall: OnStall,
        trading: (X, Option<&Recovered>),
    ) -> Result<Ended, Refused> {
        let Ready { threads, reports, listing, parted } =
            self.put_together(source, subscriptions, attached, trading)?;
        let Self {
            config, table, journal, progress, control, interrupted, mut files, desk, end_after, ..
        } = self;

        files.wait_prepared().map_err(usage)?;
        let stalls = files.counters_mut().register("runner", &STALLS).map_err(usage)?;
        let started = Instant::now(); // the first byte is read after this, when the feed stage asks for it
        let watch = Watch { stalls, stops: on_stall == OnStall::Stop, end_after };
        let mut supervisor = Supervisor::new(&mut files, desk, &control, &interrupted, progress, watch);
        let threads =
            runner::run_watched(threads, &control, config.stall_after, |found| supervisor.tick(found))
                .map_err(usage)?;
        let (anonymous_bytes, stalls) = supervisor.finish();
        if threads.iter().any(|thread| thread.is_lost) {
            let how = stop_text(&control).unwrap_or_default();
            files.abandon(&format!("{STOPPED}{how}"));
            return Err(Refused(3, how));
        }
        // With its last turn a thread has committed its last record.
        let last = threads.iter().filter_map(|thread| thread.ended_at).max();
        let elapsed = last.map_or_else(|| started.elapsed(), |last| last - started);

        let (feed, gateway, mut summary) = reported(table, &reports, &threads)?;
        let listed = listing.join().map_err(|_| Refused(3, "the listing of decisions ended early".into()))?;
        if let Err(error) = &listed.sha256 {
            say(&format!("the decisions cannot be hashed: {error}"));
        }
        summary.decisions_sha256 = listed.sha256.ok();
        summary.config = ConfigSummary { file: config.name.clone(), sha256: hex(&config.sha256()) };
        summary.journal = journal.map(|path| path.display().to_string());
        summary.memory_bytes.anonymous = anonymous_bytes;
        summary.elapsed_s = elapsed.as_secs_f64();
        #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
        let frames = feed.frames as f64;
        summary.messages_per_s = frames / elapsed.as_secs_f64();
        summary.stopped = stop_text(&control);
        summary.stalls = stalls;
        let checked = listed.checked.map(|checked| (checked, parted.try_recv().ok()));
        Ok(Ended { feed, gateway, summary, checked, files, control })
    }

    /// Puts the stages together over `source`, and what looks at them and counts. Err: they cannot be.
    fn put_together<F: FrameSource + 'static, T: BookTap + 'static, X: Counterparty + 'static>(
        &mut self,
        source: F,
        subscriptions: &Subscriptions,
        attached: Attached<T>,
        (exchange, recovered): (X, Option<&Recovered>),
    ) -> Result<Ready, Refused> {
        let Self { config, table, placement, of_connection, .. } = *self;
        let (clock, control) = (&self.clock, &self.control);
        let setup = Setup { config, table, of_connection, subscriptions, clock, control };
        let (counters, writer) = self.files.split();
        let party = Party { exchange, ids: self.ids };
        let (mut stages, reports) =
            assemble_with(&setup, source, attached.books, counters, writer, party, recovered)
                .map_err(usage)?;
        let (parted_tx, parted) = sync_channel(1);
        let mut check = None;
        match attached.repeated {
            Some(Repeated { steps, check: with, gateway_heads }) => {
                check = Some(with);
                let script = Script::new(steps, Arc::clone(control), parted_tx);
                stages = stages.repeating(script, gateway_heads);
            }
            None => {
                if let Some(commands) = self.commands.take() {
                    stages.strategy = stages.strategy.taking(commands);
                }
            }
        }
        let copies = stages.copies(check.is_some());
        let listing = decisions::list(copies, check, Arc::clone(control)).map_err(usage)?;
        stages.feed.mark_every(attached.mark_every);
        if !attached.watched.is_empty() {
            stages.feed = stages.feed.watching(attached.watched);
        }
        if let Some((instrument, tap)) = attached.signals {
            stages.signal.tap(instrument, tap);
        }
        let threads = build(stages, placement, table.len(), clock, counters).map_err(usage)?;
        Ok(Ready { threads, reports, listing, parted })
    }
}

/// Stages that were put together and do not run yet.
struct Ready {
    threads: Vec<ThreadSpec>,
    reports: Reports,
    /// Lists and compares what they decide.
    listing: JoinHandle<Listed>,
    /// Where a repetition leaves the order of the run it repeats.
    parted: Receiver<Parted>,
}

/// What the stages and threads of a run say at its end. Err: a stage says nothing.
fn reported(
    table: &InstrumentTable,
    reports: &Reports,
    threads: &[ThreadReport],
) -> Result<(FeedReport, GatewayReport, Summary), Refused> {
    let (feed, gateway) = (received(&reports.feed)?, received(&reports.gateway)?);
    let summary = Summary::of(&StageReports {
        table,
        feed: &feed,
        book: &received(&reports.book)?,
        signal: received(&reports.signal)?,
        gateway: &gateway,
        threads,
    });
    Ok((feed, gateway, summary))
}

impl Ended {
    /// Whether a signal ended it.
    pub(crate) fn is_interrupted(&self) -> bool {
        self.control.is_interrupted()
    }

    /// Ends the journal, prints `page` to stdout, then `failures` to stderr under the command's name. `code` is
    /// the exit code unless something worse is known here; `done` says how a run ended that nothing cut short.
    pub(crate) fn close(
        self,
        command: &str,
        done: &str,
        mut code: u8,
        mut failures: Vec<String>,
        page: &str,
    ) -> ExitCode {
        if self.summary.stopped.is_some() {
            code = 3;
        }
        let stopped = self.summary.stopped.as_ref().map(|why| format!("{STOPPED}{why}"));
        let how = stopped.unwrap_or_else(|| match failures.first() {
            Some(failure) => format!("input failed: {failure}"),
            None if self.is_interrupted() => "interrupted".into(),
            None => done.into(),
        });
        if let Err(error) = self.files.close(&how) {
            failures.push(error);
            code = 3;
        }
        if let Err(error) = std::io::stdout().write_all(page.as_bytes())
            // A reader that closed the pipe has seen what it wanted.
            && error.kind() != std::io::ErrorKind::BrokenPipe
        {
            failures.push(format!("the summary could not be written: {error}"));
            code = code.max(1);
        }
        for failure in failures {
            say(&format!("{command}: {failure}"));
        }
        ExitCode::from(code)
    }
}

/// How the last record of a run begins that was stopped; its reason follows.
pub(crate) const STOPPED: &str = "trading was stopped: ";

/// One JSON object on a line. Err: it cannot be written as one.
pub(crate) fn json_line(summary: &impl Serialize) -> Result<String, Refused> {
    Ok(serde_json::to_string(summary).map_err(usage)? + "\n")
}

/// What is shown while a run goes on.
pub(crate) struct Progress<'a> {
    /// Words for the run so far, from its counters.
    pub(crate) status: &'a dyn Fn(&Snapshot, Duration) -> String,
    /// Time between two.
    pub(crate) every: Duration,
    /// Where they go.
    pub(crate) to: Show,
}

/// Where progress is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Show {
    /// Nowhere.
    Nothing,
    /// On one line of a terminal, over and over, from the third second on.
    Terminal,
    /// A line each time, for whoever reads stderr.
    Lines,
    /// A page each time, over the whole terminal.
    Screen,
}

impl Show {
    /// On stderr where that is a terminal, and not where a program reads.
    pub(crate) fn unless(json: bool) -> Self {
        if std::io::stderr().is_terminal() && !json { Self::Terminal } else { Self::Nothing }
    }

    /// A page on a terminal, lines in a pipe.
    pub(crate) fn screen() -> Self {
        if std::io::stderr().is_terminal() { Self::Screen } else { Self::Lines }
    }
}

/// Err: the operator killed trading here, and nobody released it.
fn refuse_killed(run_dir: Option<&Path>) -> Result<(), Refused> {
    // A file in the directory's place is refused where the directory is made.
    let latches = run_dir.filter(|dir| !dir.is_file()).map(KillLatch::of_run).unwrap_or_default();
    match latches.iter().find_map(|latch| Some((latch.path(), latch.check()?))) {
        Some((path, record)) => {
            Err(Refused(3, format!("{}: {record}; see `sabrewing ctl release-kill --help`", path.display())))
        }
        None => Ok(()),
    }
}

/// `--placement`.
#[derive(Clone, Debug)]
pub(crate) struct PlacementText(PlacementChoice);

impl std::str::FromStr for PlacementText {
    type Err = std::convert::Infallible;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(text.into()))
    }
}

impl PlacementText {
    /// The placement. Err: an unknown name; a file that is none; cores that are not there.
    pub(crate) fn load(&self) -> Result<Placement, Refused> {
        self.0.load(&engine::thread_facts::allowed_cores()).map_err(usage)
    }
}

/// Why a run did not happen: its exit code, and one line.
pub(crate) struct Refused(pub(crate) u8, pub(crate) String);

#[expect(clippy::needless_pass_by_value, reason = "as `map_err` takes it")]
pub(crate) fn input(what: impl ToString) -> Refused {
    Refused(1, what.to_string())
}

#[expect(clippy::needless_pass_by_value, reason = "as `map_err` takes it")]
pub(crate) fn usage(what: impl ToString) -> Refused {
    Refused(2, what.to_string())
}

/// A line for whoever watches; nobody need.
pub(crate) fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// `strict_host`: what the configuration leaves open is asked of the cores and the disk that this run will use.
/// Err: what the host does not meet.
pub(crate) fn refuse_unfit_host(
    config: &Config,
    placement: &Placement,
    journal: Option<&Path>,
) -> Result<(), Refused> {
    let Some(mut host) = config.host.clone().filter(|host| host.strict_host) else { return Ok(()) };
    let pinned: BTreeSet<u32> =
        placement.threads.iter().filter_map(|thread| u32::try_from(thread.core?).ok()).collect();
    if host.pinned_cores.is_none() && !pinned.is_empty() {
        host.pinned_cores = Some(pinned.into_iter().collect());
    }
    if host.journal_dir.is_none() {
        // The directory itself is not there yet.
        host.journal_dir =
            journal.map(|dir| dir.parent().filter(|p| p.is_dir()).unwrap_or(Path::new(".")).to_owned());
    }
    let unmet = crate::doctor::unmet(&host);
    if unmet.is_empty() {
        return Ok(());
    }
    let lines: Vec<String> =
        unmet.iter().map(|finding| format!("  {}: {}", finding.id, finding.value)).collect();
    Err(usage(format!("strict_host: this host does not meet its requirements:\n{}", lines.join("\n"))))
}

/// A stage's report: it sends one whatever ended it.
fn received<T>(report: &Receiver<T>) -> Result<T, Refused> {
    report.recv().map_err(|_| Refused(3, "a stage ended without its report".into()))
}

fn stop_text(control: &Control) -> Option<String> {
    let reason = control.stopped()?;
    let detail = control.detail().map_or_else(String::new, |detail| format!(": {detail}"));
    let orders = if control.is_canceled() { "nothing is open" } else { "open orders could NOT be canceled" };
    Some(format!("{}{detail}; {orders}", reason.name()))
}

/// In the counters of the runner.
const STALLS: Desc<'_> =
    Desc::counter("stalls", Unit::Count, "Times that a thread made no turn for longer than stall_ms");

/// What is done about threads, and about time.
struct Watch {
    stalls: Counter,
    /// Whether a stall stops trading.
    stops: bool,
    /// The run ends in order after this time.
    end_after: Option<Duration>,
}

/// What the main thread does while the stages run: signals, threads, clock anchors, progress, memory.
struct Supervisor<'a> {
    files: &'a mut RunFiles,
    desk: Option<CommandDesk>,
    control: &'a Control,
    interrupted: &'a AtomicBool,
    started: Instant,
    last_anchor: Instant,
    last_progress: Instant,
    progress: Progress<'a>,
    watch: Watch,
    stalls: u64,
    shown: bool,
    anonymous_bytes: u64,
}

impl<'a> Supervisor<'a> {
    fn new(
        files: &'a mut RunFiles,
        desk: Option<CommandDesk>,
        control: &'a Control,
        interrupted: &'a AtomicBool,
        progress: Progress<'a>,
        watch: Watch,
    ) -> Self {
        let now = Instant::now();
        Self {
            files,
            desk,
            control,
            interrupted,
            started: now,
            last_anchor: now,
            last_progress: now,
            progress,
            watch,
            stalls: 0,
            shown: false,
            anonymous_bytes: 0,
        }
    }

    fn tick(&mut self, found: &[Found]) {
        for found in found {
            self.missed(found);
        }
        let is_over = self.watch.end_after.is_some_and(|length| self.started.elapsed() >= length);
        if is_over || self.interrupted.load(Ordering::Relaxed) {
            self.control.interrupt();
        }
        if let Some(desk) = &mut self.desk {
            desk.tick(wall_now(), &mut |text| self.files.command(text), self.control);
        }
        self.anonymous_bytes = self.anonymous_bytes.max(summary::anonymous_bytes());
        if self.last_anchor.elapsed() >= Duration::from_secs(10) {
            self.last_anchor = Instant::now();
            self.files.anchor();
        }
        let due = match self.progress.to {
            Show::Nothing => false,
            Show::Terminal => self.started.elapsed().as_secs() >= 2,
            Show::Lines | Show::Screen => true,
        };
        if due
            && self.last_progress.elapsed() >= self.progress.every
            && let Ok(counters) = self.files.counters().snapshot()
        {
            self.last_progress = Instant::now();
            let status = (self.progress.status)(&counters, self.started.elapsed());
            match self.progress.to {
                Show::Nothing => {}
                Show::Lines => say(&status),
                Show::Terminal => {
                    self.shown = true;
                    // The end of a longer line before it is wiped away.
                    let _ = write!(std::io::stderr(), "\r{status}\x1b[K");
                }
                // Home; every line wiped to its end, and what is below.
                Show::Screen => {
                    self.shown = true;
                    let page = status.replace('\n', "\x1b[K\n");
                    let _ = write!(std::io::stderr(), "\x1b[H{page}\x1b[J");
                }
            }
        }
    }

    /// A thread stalled or died: kept first, then acted on.
    fn missed(&mut self, found: &Found) {
        let text = found.to_string();
        if let Err(error) = self.files.thread_lost(&text) {
            say(&error);
        }
        if matches!(found.loss, Loss::Stalled(_)) {
            self.stalls += 1;
            self.watch.stalls.add(1);
            if self.watch.stops {
                self.control.stop_with(StopReason::ThreadStalled, text);
            }
        }
    }

    /// The most anonymous memory seen, bytes, and how often a thread stalled.
    fn finish(self) -> (u64, u64) {
        if let Some(desk) = self.desk {
            desk.finish(wall_now(), &mut |text| self.files.command(text), self.control);
        }
        if self.shown {
            say("");
        }
        (self.anonymous_bytes, self.stalls)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::paper_venue;
    use crate::replay::pace::Pace;
    use crate::replay::{BooksTap, SHIPPED_INSTRUMENTS};
    use engine::ids::Lane;
    use engine::journal::Reader;
    use engine::journal::schema::RecordKind;
    use feeds::stage::SourcePoll;

    /// Has nothing yet, and panics when it was asked so often.
    struct Panicking(u32);

    impl FrameSource for Panicking {
        fn poll(&mut self) -> SourcePoll<'_> {
            self.0 -= 1;
            assert!(self.0 > 0, "planted");
            SourcePoll::NotYet
        }
        fn consume(&mut self) {}
    }

    #[test]
    fn a_run_whose_stage_panics_ends_with_exit_3_and_its_journal_says_why() {
        let config = Config::load(None).unwrap();
        let mut table = InstrumentTable::default();
        table.add(feeds::instruments::parse(SHIPPED_INSTRUMENTS.as_bytes()).unwrap().remove(0));
        for (placement, thread) in [("one", "feed-gateway"), ("two", "feed-book"), ("five", "feed")] {
            let dir = tempfile::tempdir().unwrap();
            let run_dir = dir.path().join("run");
            let status = |_: &Snapshot, _| String::new();
            let progress = Progress { status: &status, every: Duration::from_secs(1), to: Show::Nothing };
            let say = |refused: Refused| refused.1;
            let placement = placement.parse::<PlacementText>().unwrap().load().map_err(say).unwrap();
            let wired = (&placement, &[vec![InstrumentId(0)]][..]);
            let facts = RunFacts { command: "test", pace: Pace::Max, ids: ClientOrderIds::new(0, 0) };
            let run = Run::new(&config, &table, wired, Some(&run_dir), facts, progress).map_err(say).unwrap();
            let attached = Attached {
                repeated: None,
                books: None::<BooksTap>,
                signals: None,
                mark_every: 0,
                watched: Vec::new(),
            };
            let none = Subscriptions::new();
            let paper = paper_venue(&config, &table).unwrap();
            let ended = run.go(Panicking(1000), &none, attached, OnStall::Count, (paper, None));
            let ended = ended.map_err(say).unwrap();
            let code = ended.close("test", "done", 0, Vec::new(), "");
            assert_eq!(format!("{code:?}"), format!("{:?}", ExitCode::from(3)));
            let reader = Reader::open(&run_dir).unwrap();
            let (mut runner, mut last) = (reader.cursor(Lane::Runner), None);
            while let Some(view) = runner.next().unwrap() {
                last = Some((view.entry.kind, String::from_utf8_lossy(view.body).into_owned()));
            }
            let why = format!("{STOPPED}a stage panicked: thread {thread}: planted; nothing is open");
            assert_eq!(last, Some((RecordKind::RunEnd as u16, why)));
        }
    }
}
