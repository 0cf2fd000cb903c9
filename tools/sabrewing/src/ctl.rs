//! `sabrewing ctl`: asks a running engine, and says what became of it.

mod by_hand;

use crate::run_files::wall_now;
use by_hand::{FlattenArgs, Follower, OrderArgs, Told};
use clap::{Args, Subcommand};
use engine::commands::{Answer, Command, CommandKind, CommandWriter, KillLatch, KillRecord};
use engine::counters::{Entry, Kind, Liveness, Reader, Snapshot};
use engine::ids::Cause;
use engine::time::Nanos;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// Asks a running engine: what it does, to pause, to change parameters, to stop.
///
/// A run is a directory with `counters`, `journal/` and `commands/`. Without --run it is the only live one: the
/// data directory itself, or one directly below it.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  sabrewing ctl status
  sabrewing ctl --run run1 --json status
  sabrewing ctl pause quoter
  sabrewing ctl set quoter levels=3 skew_bps=0.5
  sabrewing ctl cancel-all binance-usdm:BTCUSDT
  sabrewing ctl order sell 0.5 binance-usdm:BTCUSDT --limit 61000 --tif post-only
  sabrewing ctl order sell 0.5 binance-usdm:BTCUSDT --stop 59000 --reduce-only
  sabrewing ctl cancel 34
  sabrewing ctl flatten --strategy quoter
  sabrewing ctl kill the market is odd
  sabrewing ctl release-kill

Exit codes: 0 accepted; 1 refused, no answer in time, or what came of it cannot be told; 2 usage.")]
pub(crate) struct CtlArgs {
    /// The run's directory; the only live one below --data-dir when absent.
    #[arg(long, global = true)]
    run: Option<PathBuf>,
    /// Where runs are kept.
    #[arg(long, global = true, default_value = ".")]
    data_dir: PathBuf,
    /// One JSON object on stdout instead of text.
    #[arg(long, global = true)]
    json: bool,
    /// How long the command may wait to be taken: 500ms, 5s, 1m.
    #[arg(long, global = true, default_value = "5s", value_parser = length_of)]
    ttl: Nanos,
    /// Who asks; the user's name when absent.
    #[arg(long, global = true)]
    author: Option<String>,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand, Debug)]
enum Verb {
    /// What the run is doing, from its counters; of a dead run, its last.
    Status,
    /// Takes a strategy's quotes back and places nothing new.
    Pause {
        /// Every strategy when absent.
        strategy: Option<String>,
    },
    /// Undoes pause.
    Resume {
        /// Every strategy when absent.
        strategy: Option<String>,
    },
    /// Cancels every open order.
    CancelAll {
        /// `venue:symbol`; every instrument when absent.
        instrument: Option<String>,
    },
    /// Changes parameters of a strategy, all at one event or none.
    Set {
        /// Whose.
        strategy: String,
        /// NAME=VALUE, up to 16.
        #[arg(required = true, value_parser = param_of)]
        params: Vec<(String, String)>,
    },
    /// Places an order by hand. It passes the gate and is journalled like any other, and is the order of `manual`,
    /// which has a position and a profit of its own, unless --strategy names another owner.
    ///
    /// Says what became of it until it rests or has ended, for as long as --ttl.
    Order(OrderArgs),
    /// Cancels one order, whoever's it is. A quote that its strategy still wants is placed again: pause it first.
    Cancel {
        /// Its sequence (34), or its client order id (sb7-12-34).
        order: String,
    },
    /// Pauses strategies, cancels their orders, and closes what they hold with reduce-only market orders.
    ///
    /// A strategy that quotes the instrument is paused on all of its instruments, and stays paused until resume. On a
    /// book that is stale nothing can be closed. Says what is left, for as long as --ttl.
    Flatten(FlattenArgs),
    /// Stops trading, cancels everything, and latches: nothing starts in the data directory until release-kill.
    ///
    /// Works by files named KILL in the run's directory and in the one above, whatever state the lanes are in.
    Kill {
        /// Why; for people.
        reason: Vec<String>,
    },
    /// Takes the latch away, so that runs may start again. The killed run must have ended.
    ReleaseKill,
}

/// Runs the command.
pub(crate) fn run(args: &CtlArgs) -> ExitCode {
    let done = match &args.verb {
        Verb::Status => find(args).map(|run| status(&run)),
        Verb::Kill { reason } => kill(args, &reason.join(" ")),
        Verb::ReleaseKill => release(args),
        Verb::Pause { strategy } => command(args, CommandKind::Pause { strategy: strategy.clone() }),
        Verb::Resume { strategy } => command(args, CommandKind::Resume { strategy: strategy.clone() }),
        Verb::CancelAll { instrument } => {
            command(args, CommandKind::CancelAll { instrument: instrument.clone() })
        }
        Verb::Set { strategy, params } => {
            command(args, CommandKind::Set { strategy: strategy.clone(), params: params.clone() })
        }
        Verb::Order(order) => by_hand(args, &order.command()),
        Verb::Cancel { order } => by_hand(args, &CommandKind::Cancel { order: order.clone() }),
        Verb::Flatten(flatten) => by_hand(args, &flatten.command()),
    };
    match done {
        Ok(Done { accepted, text, json }) => {
            let page = if args.json { json.to_string() + "\n" } else { text };
            // A reader that closed the pipe has seen what it wanted.
            let _ = std::io::stdout().write_all(page.as_bytes());
            ExitCode::from(u8::from(!accepted))
        }
        Err(what) => {
            let _ = writeln!(std::io::stderr(), "sabrewing ctl: {what}");
            ExitCode::from(2)
        }
    }
}

/// What became of it, for people and for programs.
struct Done {
    accepted: bool,
    text: String,
    json: Value,
}

impl Done {
    fn of(run: &Path, answer: &Answer) -> Self {
        let journal = Some(answer.journal.to_string()).filter(|record| record != "-");
        Self {
            accepted: answer.accepted,
            text: format!("{answer}\n"),
            json: json!({
                "run": run.display().to_string(),
                "accepted": answer.accepted,
                "journal": journal,
                "reason": Some(&answer.reason).filter(|reason| !reason.is_empty()),
            }),
        }
    }
}

/// A run's directory and what its counters say.
struct Run {
    dir: PathBuf,
    reader: Reader,
    snapshot: Snapshot,
    liveness: Liveness,
}

impl Run {
    /// Err: no counters that can be read.
    fn open(dir: &Path) -> Result<Self, String> {
        let reader = Reader::open(&dir.join("counters")).map_err(|error| error.to_string())?;
        let snapshot = reader.snapshot().map_err(|error| error.to_string())?;
        let liveness = reader.liveness(&snapshot, wall_now(), LATE_AFTER);
        Ok(Self {
            dir: dir.to_owned(),
            liveness: liveness.map_err(|error| error.to_string())?,
            snapshot,
            reader,
        })
    }

    fn is_alive(&self) -> bool {
        self.liveness != Liveness::Gone
    }

    /// Whether its process has ended since.
    fn has_ended(&self) -> bool {
        self.reader.liveness(&self.snapshot, wall_now(), LATE_AFTER).is_ok_and(|now| now == Liveness::Gone)
    }
}

/// A thread without a heartbeat for longer is late.
const LATE_AFTER: Nanos = Nanos(2 * Nanos::SECOND.0);

/// The runs that live in the data directory or directly below it, by name.
fn live(data_dir: &Path) -> Result<Vec<Run>, String> {
    let fail = |error: std::io::Error| format!("{}: {error}", data_dir.display());
    let mut dirs = vec![data_dir.to_owned()];
    for entry in std::fs::read_dir(data_dir).map_err(fail)? {
        dirs.push(entry.map_err(fail)?.path());
    }
    dirs.sort();
    // What has no counters, or not readable ones, is no run.
    Ok(dirs.iter().filter_map(|dir| Run::open(dir).ok()).filter(Run::is_alive).collect())
}

/// The only run of those that live. None: no run does. Err: several do.
fn only_live(args: &CtlArgs) -> Result<Option<Run>, String> {
    let mut runs = live(&args.data_dir)?;
    let Some(first) = runs.pop() else { return Ok(None) };
    if runs.is_empty() {
        return Ok(Some(first));
    }
    runs.push(first);
    let names: Vec<_> = runs.iter().map(|run| format!("  {}", run.dir.display())).collect();
    Err(format!("{} runs are alive; choose one with --run:\n{}", runs.len(), names.join("\n")))
}

fn find(args: &CtlArgs) -> Result<Run, String> {
    match &args.run {
        Some(dir) => Run::open(dir),
        None => only_live(args)?.ok_or_else(|| {
            format!(
                "no run is alive in {} or directly below it; see --run, --data-dir",
                args.data_dir.display()
            )
        }),
    }
}

/// Sends a command and waits for its answer.
fn command(args: &CtlArgs, kind: CommandKind) -> Result<Done, String> {
    let run = find(args)?;
    if !run.is_alive() {
        let answer = Answer::refused("the run has ended", Cause::NONE);
        return Ok(Done::of(&run.dir, &answer));
    }
    let (writer, id) = send(args, &run, kind)?;
    let answer = wait(args, &run, &writer, id)?.unwrap_or_else(|| {
        let reason = if run.has_ended() { "the run ended without an answer" } else { "no answer in time" };
        Answer::refused(reason, Cause::NONE)
    });
    Ok(Done::of(&run.dir, &answer))
}

/// Sends a command for the gateway, and says what came of it there.
fn by_hand(args: &CtlArgs, kind: &CommandKind) -> Result<Done, String> {
    let run = find(args)?;
    if !run.is_alive() {
        let answer = Answer::refused("the run has ended", Cause::NONE);
        return Ok(Done::of(&run.dir, &answer));
    }
    // Before the command: what it leads to comes behind. A journal that cannot be read keeps nothing from being sent.
    let follower = Follower::open(&run.dir);
    let (writer, id) = send(args, &run, kind.clone())?;
    let Some(answer) = wait(args, &run, &writer, id)? else {
        let reason = if run.has_ended() { "the run ended without an answer" } else { "no answer in time" };
        return Ok(Done::of(&run.dir, &Answer::refused(reason, Cause::NONE)));
    };
    if !answer.accepted {
        return Ok(Done::of(&run.dir, &answer));
    }
    let told = match follower {
        Ok(mut follower) => follower.follow(kind, &answer, Duration::from_nanos(args.ttl.0)),
        Err(why) => Told::nothing(&why),
    };
    let mut done = Done::of(&run.dir, &answer);
    done.accepted = told.done;
    for line in &told.lines {
        let _ = writeln!(done.text, "{line}");
    }
    if let Some(refusal) = told.refusal {
        let _ = writeln!(done.text, "refused: {refusal}");
        done.json["reason"] = json!(refusal);
    }
    done.json["accepted"] = json!(told.done);
    done.json["told"] = json!(told.json);
    Ok(done)
}

fn send(args: &CtlArgs, run: &Run, kind: CommandKind) -> Result<(CommandWriter, u64), String> {
    let commands = run.dir.join("commands");
    let fail = |error: std::io::Error| format!("{}: {error}", commands.display());
    let mut writer = CommandWriter::create(&commands, wall_now()).map_err(fail)?;
    let command = Command {
        author: author(args),
        issued: wall_now(),
        ttl: args.ttl,
        run_id: run.snapshot.run.id,
        kind,
    };
    let id = writer.send(&command).map_err(|error| error.to_string())?;
    Ok((writer, id))
}

/// The answer, or none where there is none in time. Err: it is damaged.
fn wait(args: &CtlArgs, run: &Run, writer: &CommandWriter, id: u64) -> Result<Option<Answer>, String> {
    let deadline = Instant::now() + Duration::from_nanos(args.ttl.0) + ANSWER_MARGIN;
    loop {
        // Asked first: the answer of an engine that has ended since is read below.
        let is_last = run.has_ended() || Instant::now() > deadline;
        let answer = writer.answer(id).map_err(|error| error.to_string())?;
        if answer.is_some() || is_last {
            return Ok(answer);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// What is taken at the last moment still wants its answer.
const ANSWER_MARGIN: Duration = Duration::from_millis(500);

/// Latches, tells the engine, and waits until it has answered or ended. What cannot be done of it does not keep
/// the rest from being done.
fn kill(args: &CtlArgs, reason: &str) -> Result<Done, String> {
    let (dir, opened) = match &args.run {
        Some(dir) if !dir.is_dir() => return Err(format!("{}: no such directory", dir.display())),
        Some(dir) => (Some(dir.clone()), Some(Run::open(dir))),
        None => match only_live(args)? {
            Some(run) => (Some(run.dir.clone()), Some(Ok(run))),
            None => (None, None),
        },
    };
    let record = KillRecord { author: author(args), at: wall_now(), reason: reason.to_owned() };
    let run = match &opened {
        Some(Ok(run)) if run.is_alive() => Some(run),
        _ => None,
    };
    // The lane first: the engine then finds it no later than the latch, and answers.
    let kind = CommandKind::Kill { reason: reason.to_owned() };
    let sent = run.map(|run| (run, send(args, run, kind)));
    let latches = dir.as_deref().map_or_else(|| vec![KillLatch::of(&args.data_dir)], KillLatch::of_run);
    let (mut set, mut failed) = (Vec::new(), Vec::new());
    for latch in &latches {
        match latch.set(&record) {
            Ok(()) => set.push(latch.path().display().to_string()),
            Err(error) => failed.push(format!("{}: {error}", latch.path().display())),
        }
    }
    for failure in &failed {
        let _ = writeln!(std::io::stderr(), "sabrewing ctl: not latched: {failure}");
    }
    let answer = match (sent, &opened) {
        (Some((run, sent)), _) => {
            let answer = match &sent {
                Ok((writer, id)) => wait(args, run, writer, *id).unwrap_or_default(),
                Err(error) => {
                    let _ =
                        writeln!(std::io::stderr(), "sabrewing ctl: no lane ({error}): the latch must do");
                    wait_for_end(args, run);
                    None
                }
            };
            answer.unwrap_or_else(|| {
                if run.has_ended() {
                    Answer::accepted(Cause::NONE)
                } else {
                    Answer::refused("no answer in time, and the run is alive: end its process", Cause::NONE)
                }
            })
        }
        (None, Some(Err(error))) => {
            Answer::refused(format!("whether the run is alive cannot be seen: {error}"), Cause::NONE)
        }
        (None, _) if failed.is_empty() => Answer::accepted(Cause::NONE),
        (None, _) => Answer::refused("no run is alive, and a latch could not be set", Cause::NONE),
    };
    let mut done = Done::of(dir.as_deref().unwrap_or(&args.data_dir), &answer);
    if !set.is_empty() {
        let _ = writeln!(done.text, "latched: {}", set.join(", "));
    }
    done.json["latched"] = json!(set);
    Ok(done)
}

fn wait_for_end(args: &CtlArgs, run: &Run) {
    let deadline = Instant::now() + Duration::from_nanos(args.ttl.0) + ANSWER_MARGIN;
    while !run.has_ended() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn release(args: &CtlArgs) -> Result<Done, String> {
    let (shown, latches) = match &args.run {
        Some(dir) => (dir, KillLatch::of_run(dir)),
        None => (&args.data_dir, vec![KillLatch::of(&args.data_dir)]),
    };
    let alive: Vec<PathBuf> = match &args.run {
        Some(dir) => Run::open(dir).into_iter().filter(Run::is_alive).map(|run| run.dir).collect(),
        None => live(&args.data_dir)?.into_iter().map(|run| run.dir).collect(),
    };
    if let Some(dir) = alive.first() {
        let reason = format!("{} is still alive: release the kill when it has ended", dir.display());
        return Ok(Done::of(shown, &Answer::refused(reason, Cause::NONE)));
    }
    let mut released = Vec::new();
    for latch in &latches {
        let fail = |error: std::io::Error| format!("{}: {error}", latch.path().display());
        if let Some(record) = latch.release().map_err(fail)? {
            released.push(format!("{}: {record}", latch.path().display()));
        }
    }
    if released.is_empty() {
        let reason = format!("no kill is latched in {}", shown.display());
        return Ok(Done::of(shown, &Answer::refused(reason, Cause::NONE)));
    }
    let mut done = Done::of(shown, &Answer::accepted(Cause::NONE));
    for line in &released {
        let _ = writeln!(done.text, "released: {line}");
    }
    done.json["released"] = json!(released);
    Ok(done)
}

/// What a run's counters say.
fn status(run: &Run) -> Done {
    let now = wall_now();
    let Snapshot { run: about, pid, counters } = &run.snapshot;
    let state = match &run.liveness {
        Liveness::Turning => "alive".to_owned(),
        Liveness::Stalled { owner, age } => format!("alive, but {owner} last turned {} ago", seconds(*age)),
        Liveness::Gone => "dead".to_owned(),
    };
    let killed = KillLatch::of_run(&run.dir).iter().find_map(KillLatch::check);
    let mut text = format!(
        "run {} in {}\nprocess {pid}, started {}\nstate {state}\n",
        about.id,
        run.dir.display(),
        about.start
    );
    if let Some(record) = &killed {
        let _ = writeln!(text, "kill latch: {record}");
    }
    let beats = counters.iter().filter(|counter| counter.kind == Kind::Heartbeat);
    let beats: Vec<(&str, u64)> =
        beats.map(|beat| (beat.owner.as_str(), now.since(Nanos(beat.value.max(about.start.0))).0)).collect();
    for (thread, age_ns) in &beats {
        let _ = writeln!(text, "{thread}: last turned {} ago", seconds(Nanos(*age_ns)));
    }
    // What is labelled is about a strategy or an instrument: why there are no quotes, orders, positions.
    let labelled = || {
        let is_labelled = |c: &&Entry| !c.strategy.is_empty() || !c.instrument.is_empty();
        counters.iter().filter(is_labelled)
    };
    for counter in labelled() {
        let label = format!("{} {}", counter.strategy, counter.instrument);
        let value = shown(counter);
        let unit = if counter.kind == Kind::Reason { "" } else { counter.unit.name() };
        let _ = writeln!(text, "{} {}: {value} {unit}", label.trim(), counter.name.replace('_', " "));
    }
    let text = text.lines().map(|line| line.trim_end().to_owned() + "\n").collect();
    let entry = |counter: &Entry| {
        json!({
            "strategy": counter.strategy,
            "instrument": counter.instrument,
            "name": counter.name,
            "unit": counter.unit.name(),
            "value": if counter.kind == Kind::Reason { json!(shown(counter)) } else { number(counter) },
        })
    };
    let json = json!({
        "run": run.dir.display().to_string(),
        "run_id": about.id,
        "pid": pid,
        "started_ns": about.start.0,
        "alive": run.is_alive(),
        "state": state,
        "killed": killed.map(|record| record.to_string()),
        "threads": beats.iter().map(|(thread, age)| json!({"thread": thread, "heartbeat_age_ns": age})).collect::<Vec<_>>(),
        "counters": labelled().map(entry).collect::<Vec<_>>(),
    });
    Done { accepted: true, text, json }
}

fn shown(counter: &Entry) -> String {
    match counter.kind {
        Kind::Reason => counter.reason().unwrap_or("a reason that it does not list").to_owned(),
        _ => number(counter).to_string(),
    }
}

fn number(counter: &Entry) -> Value {
    if counter.kind == Kind::Gauge { json!(counter.signed()) } else { json!(counter.value) }
}

/// A length of time in seconds, to a millisecond.
fn seconds(length: Nanos) -> String {
    format!("{}.{:03} s", length.as_ms() / 1000, length.as_ms() % 1000)
}

fn author(args: &CtlArgs) -> String {
    let named = || std::env::var("USER").or_else(|_| std::env::var("LOGNAME")).ok();
    // SAFETY: asks the system for a number.
    let uid = || format!("uid {}", unsafe { libc::geteuid() });
    args.author.clone().or_else(named).filter(|name| !name.is_empty()).unwrap_or_else(uid)
}

/// Err: not a length of time, below 1 ms, or above an hour.
fn length_of(text: &str) -> Result<Nanos, String> {
    Nanos::parse_length(text, Nanos::from_ms(1)..=engine::commands::TTL_MAX)
}

/// Err: not `NAME=VALUE`.
fn param_of(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() && !value.is_empty() => Ok((name.into(), value.into())),
        _ => Err("NAME=VALUE".into()),
    }
}
