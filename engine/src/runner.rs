//! The runner: threads, pinning, idling, turns. It alone reads the clock, and nothing it reads reaches a
//! decision. It makes one virtual call a chain and turn; inside a chain dispatch is static.

use crate::placement::{Idle, StageId, ThreadPlan};
use crate::ring::{BATCH_MAX, RingReceiver, is_end};
use crate::stage::{Advancing, Sink, settle_all};
use crate::time::StampClock;
use crate::watchdog::{Found, Loss, Pulses, Watchdog};
use crossbeam::channel::{RecvTimeoutError, bounded};
use crossbeam::utils::Backoff;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// A run of stages on one thread.
pub trait Chain: Send {
    /// One turn: at most [`BATCH_MAX`] inputs, or as many as the chain was told.
    fn turn(&mut self) -> Turn;
    /// Take no further input from outside; end in order.
    fn stop_reading(&mut self);
    /// Trading must stop now: every intact stage of the chain ends what it has open.
    fn halt(&mut self);
}

/// What a turn did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Took this many inputs; 0: it was idle.
    Worked(u32),
    /// Everything was taken and passed on; the chain need not be called again.
    Finished,
}

/// Where frames come from: the first stage of the pipeline.
pub trait Source: Send {
    /// Takes one input to its end.
    fn step<S: Sink>(&mut self, out: &mut S) -> Step;
    /// Whether it can take another input now (its journal lane has room).
    fn has_room(&mut self) -> bool;
    /// Take no further input; the next `step` passes the end on.
    fn stop_reading(&mut self);
}

/// What a source's step did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// It took an input.
    Worked,
    /// There was none to take now.
    Idle,
    /// It passed the end on; there will be no more.
    Ended,
}

/// A chain that begins with the source. Aligned, so that two threads' chains never share a cache line or the
/// pair that the prefetcher fetches.
#[repr(align(128))]
pub struct SourceChain<F, S> {
    source: F,
    out: S,
    batch_max: u32,
    ended: bool,
    busy: bool,
}

impl<F: Source, S: Sink> SourceChain<F, S> {
    /// Joins the source to what follows it on this thread.
    pub fn new(source: F, out: S) -> Self {
        Self { source, out, batch_max: BATCH_MAX, ended: false, busy: false }
    }

    /// Takes so many inputs a turn at most, at least one, instead of [`BATCH_MAX`].
    #[must_use]
    pub fn taking(self, batch_max: u32) -> Self {
        Self { batch_max: batch_max.max(1), ..self }
    }
}

impl<F: Source, S: Sink + Send> Chain for SourceChain<F, S> {
    fn turn(&mut self) -> Turn {
        let mut work = settle_all(&mut self.out);
        while work < self.batch_max && !self.ended && self.source.has_room() && self.out.has_room() {
            self.busy = true;
            let step = self.source.step(&mut Advancing(&mut self.out));
            self.busy = false;
            match step {
                Step::Worked => work += 1 + settle_all(&mut self.out),
                Step::Idle => break,
                Step::Ended => {
                    self.ended = true;
                    work += 1 + settle_all(&mut self.out);
                }
            }
        }
        if self.ended && work == 0 && self.out.is_settled() { Turn::Finished } else { Turn::Worked(work) }
    }

    fn stop_reading(&mut self) {
        if !self.busy {
            self.source.stop_reading();
        }
    }

    fn halt(&mut self) {
        self.out.halt();
    }
}

/// A chain that begins at a ring. Aligned as [`SourceChain`].
#[repr(align(128))]
pub struct RingChain<S> {
    input: RingReceiver,
    out: S,
    batch_max: u32,
    ended: bool,
}

impl<S: Sink> RingChain<S> {
    /// Joins a ring to the stages behind it on this thread.
    pub fn new(input: RingReceiver, out: S) -> Self {
        Self { input, out, batch_max: BATCH_MAX, ended: false }
    }

    /// As [`SourceChain::taking`].
    #[must_use]
    pub fn taking(self, batch_max: u32) -> Self {
        Self { batch_max: batch_max.max(1), ..self }
    }
}

impl<S: Sink + Send> Chain for RingChain<S> {
    #[inline]
    fn turn(&mut self) -> Turn {
        let mut work = settle_all(&mut self.out);
        if !self.ended && self.out.has_room() {
            let (out, ended) = (&mut self.out, &mut self.ended);
            work += self.input.take(self.batch_max, |message| {
                Advancing(out).send(message);
                *ended = is_end(message.head);
                settle_all(out);
                if out.has_room() && !*ended { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
            });
        }
        if self.ended && work == 0 && self.out.is_settled() { Turn::Finished } else { Turn::Worked(work) }
    }

    fn stop_reading(&mut self) {}

    fn halt(&mut self) {
        self.out.halt();
    }
}

/// Why a run stopped trading before its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum StopReason {
    /// A stage panicked.
    StagePanicked = 1,
    /// A journal lane could not be written.
    JournalFailed = 2,
    /// A ring that must never be full was full.
    RingFull = 3,
    /// A fill could not be booked.
    PositionUnknown = 4,
    /// The operator said so; latched until it is released.
    OperatorKill = 5,
    /// A thread made no turn for too long.
    ThreadStalled = 6,
    /// A thread is gone, and did not end.
    ThreadDied = 7,
    /// After a restart the venue and the journal did not agree.
    Unreconciled = 8,
    /// The venue takes no more orders of this account.
    VenueRefused = 9,
}

impl StopReason {
    /// For people.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::StagePanicked => "a stage panicked",
            Self::JournalFailed => "the journal could not be written",
            Self::PositionUnknown => "a fill could not be booked: the position is unknown",
            Self::RingFull => "a ring that must not fill was full",
            Self::OperatorKill => "the operator killed trading",
            Self::ThreadStalled => "a thread stalled",
            Self::ThreadDied => "a thread died",
            Self::Unreconciled => "the venue and the journal of the run before do not agree",
            Self::VenueRefused => "the venue refuses the account",
        }
    }
}

/// What the threads of a run share: three flags that are only ever raised. Aligned, so that nothing written often
/// lies beside what every turn reads.
#[derive(Debug, Default)]
#[repr(align(128))]
pub struct Control {
    stop: AtomicU8,
    interrupted: AtomicBool,
    cancels_at_end: AtomicBool,
    orders_canceled: AtomicBool,
    /// The first stop, and what is known about it.
    why: OnceLock<(StopReason, String)>,
}

impl Control {
    /// Stops trading on every thread. The first reason stays.
    pub fn stop(&self, reason: StopReason) {
        self.stop_with(reason, String::new());
    }

    /// Stops trading and says more about why (cold: formats on the failing thread only).
    pub fn stop_with(&self, reason: StopReason, detail: String) {
        let (first, _) = self.why.get_or_init(|| (reason, detail));
        // Release pairs with the Acquire in `stopped`: whoever sees the stop sees what was written before it.
        self.stop.store(*first as u8, Ordering::Release);
    }

    /// Why trading was stopped, if it was.
    #[inline]
    #[must_use]
    pub fn stopped(&self) -> Option<StopReason> {
        // Acquire pairs with the Release in `stop`.
        match self.stop.load(Ordering::Acquire) {
            0 => None,
            1 => Some(StopReason::StagePanicked),
            2 => Some(StopReason::JournalFailed),
            3 => Some(StopReason::RingFull),
            5 => Some(StopReason::OperatorKill),
            6 => Some(StopReason::ThreadStalled),
            7 => Some(StopReason::ThreadDied),
            8 => Some(StopReason::Unreconciled),
            9 => Some(StopReason::VenueRefused),
            _ => Some(StopReason::PositionUnknown),
        }
    }

    /// What is known about the stop beyond its reason.
    #[must_use]
    pub fn detail(&self) -> Option<&str> {
        self.why.get().map(|(_, detail)| detail.as_str()).filter(|detail| !detail.is_empty())
    }

    /// The operator wants an orderly end.
    pub fn interrupt(&self) {
        // Relaxed: nothing else is published with it.
        self.interrupted.store(true, Ordering::Relaxed);
    }

    /// Whether the operator wants an orderly end.
    #[inline]
    #[must_use]
    pub fn is_interrupted(&self) -> bool {
        self.interrupted.load(Ordering::Relaxed)
    }

    /// An orderly end cancels what is open too. Said before the threads start.
    pub fn cancel_at_end(&self) {
        // Relaxed: the threads are started after it.
        self.cancels_at_end.store(true, Ordering::Relaxed);
    }

    /// The gateway says that nothing is open any more after a halt.
    pub fn confirm_canceled(&self) {
        // Release pairs with the Acquire in `is_canceled`.
        self.orders_canceled.store(true, Ordering::Release);
    }

    /// Whether the gateway confirmed, after a halt, that nothing is open.
    #[must_use]
    pub fn is_canceled(&self) -> bool {
        self.orders_canceled.load(Ordering::Acquire)
    }
}

/// What a thread did, and where the kernel says that it ran.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ThreadReport {
    /// The name that the kernel shows.
    pub name: String,
    /// The kernel's thread id.
    pub tid: i32,
    /// The core it was to be pinned to.
    pub core_wanted: Option<usize>,
    /// The cores that the kernel lets it run on, read back after pinning.
    pub cores: Vec<usize>,
    /// Turns made.
    pub turns: u64,
    /// Turns that found no work.
    pub idle_turns: u64,
    /// Inputs taken.
    pub inputs: u64,
    /// Longest turn, ns, scheduling gaps and up to 32 looks for work before it included.
    pub longest_turn_ns: u64,
    /// Turns of [`LONG_TURN_NS`] and longer: the scheduler took the core away, or a source gave very much at once.
    pub long_turns: u64,
    /// When its last turn had ended, before it gave back the memory of its stages.
    pub ended_at: Option<Instant>,
    /// The message of the panic that ended it.
    pub panicked: Option<String>,
    /// It had not ended when the run was given up: its stages are where they were, and it may still run. Everything
    /// but the name is missing.
    pub is_lost: bool,
}

impl ThreadReport {
    /// Whether the thread was to be pinned and is not.
    #[must_use]
    pub fn missed_pin(&self) -> bool {
        self.core_wanted.is_some_and(|core| self.cores != [core])
    }
}

/// What a thread tells while it runs.
pub trait Pulse: Send {
    /// Called at most every millisecond or so and at the end, with the running totals.
    fn beat(&mut self, report: &ThreadReport);
}

impl Pulse for () {
    fn beat(&mut self, _report: &ThreadReport) {}
}

/// A thread to be started: its plan, its chains, and where its heartbeat goes.
pub struct ThreadSpec {
    /// Stages, core, idle policy.
    pub plan: ThreadPlan,
    /// The chains of the plan, in its order.
    pub chains: Vec<Box<dyn Chain>>,
    /// Where the heartbeat goes.
    pub pulse: Box<dyn Pulse>,
}

/// Starts the threads, calls `supervise` every few milliseconds from this one until all have ended, and says
/// what they did, in the order given. Nobody watches for stalls.
/// Err: a thread could not be started; the others were stopped.
pub fn run(
    threads: Vec<ThreadSpec>,
    control: &Arc<Control>,
    mut supervise: impl FnMut(),
) -> Result<Vec<ThreadReport>, std::io::Error> {
    run_watched(threads, control, Duration::MAX, |_| supervise())
}

/// As [`run`], and watches. `supervise` is handed what is newly wrong with a thread: one that has made no turn for
/// `stall_after`, which it may stop trading for, or one that is gone without an end, which stops trading in any
/// case. Once trading was stopped, a thread that cannot end is not waited for, and where it is the gateway's,
/// neither is any other: [`ThreadReport::is_lost`].
/// Err: as [`run`].
pub fn run_watched(
    threads: Vec<ThreadSpec>,
    control: &Arc<Control>,
    stall_after: Duration,
    mut supervise: impl FnMut(&[Found]),
) -> Result<Vec<ThreadReport>, std::io::Error> {
    let clock = StampClock::on();
    let mut handles = Vec::with_capacity(threads.len());
    let mut failed = None;
    let mut watchdog = Watchdog::new(stall_after);
    // Nothing is sent: that its last sender is gone tells that the last thread has ended.
    let (running, all_ended) = bounded::<()>(0);
    for spec in threads {
        let (control_of_thread, clock) = (Arc::clone(control), clock.clone());
        let name = spec.plan.name();
        let running = running.clone();
        let pulses = watchdog.watch(name.clone(), spec.plan.stages.contains(&StageId::Gateway));
        let body = move || {
            let report = run_thread(spec, &control_of_thread, &clock, &pulses);
            drop(running);
            report
        };
        match std::thread::Builder::new().name(name.clone()).spawn(body) {
            Ok(handle) => handles.push((name, handle)),
            Err(error) => {
                control
                    .stop_with(StopReason::StagePanicked, format!("a thread could not be started: {error}"));
                failed = Some(error);
                break;
            }
        }
    }
    drop(running);
    #[expect(clippy::disallowed_methods, reason = "the runner keeps the time of the run")]
    let mut looked = Instant::now();
    supervise(&[]);
    let mut is_given_up = false;
    while !is_given_up && all_ended.recv_timeout(SUPERVISE) == Err(RecvTimeoutError::Timeout) {
        let has_ended = |place: usize| handles.get(place).is_none_or(|(_, handle)| handle.is_finished());
        let found = watchdog.look(looked.elapsed(), has_ended, crate::thread_facts::is_there);
        looked += looked.elapsed();
        supervise(&found);
        if let Some(died) = found.iter().find(|found| found.loss == Loss::Died) {
            control.stop_with(StopReason::ThreadDied, died.to_string());
        }
        let is_waited_for = |place| !has_ended(place) && watchdog.loss(place).is_none();
        let is_hopeless = watchdog.has_lost_gateway() || !(0..handles.len()).any(is_waited_for);
        is_given_up = control.stopped().is_some() && is_hopeless;
    }
    let report = |(name, handle): (String, JoinHandle<ThreadReport>)| {
        if is_given_up && !handle.is_finished() {
            return ThreadReport { name, is_lost: true, ..ThreadReport::default() };
        }
        handle.join().unwrap_or_default()
    };
    let reports = handles.into_iter().map(report).collect();
    failed.map_or(Ok(reports), Err)
}

fn run_thread(spec: ThreadSpec, control: &Control, clock: &StampClock, pulses: &Pulses) -> ThreadReport {
    let ThreadSpec { plan, mut chains, mut pulse } = spec;
    let mut report = ThreadReport { core_wanted: plan.core, ..ThreadReport::default() };
    if let Some(core) = plan.core {
        // The answer is not believed: what the kernel says afterwards is reported.
        core_affinity::set_for_current(core_affinity::CoreId { id: core });
    }
    (report.name, report.tid, report.cores) = crate::thread_facts::of_current();
    pulses.begin(report.tid);

    let backoff = Backoff::new();
    let mut finished = vec![false; chains.len()];
    let (mut interrupted, mut turn_start, mut last_beat) = (false, clock.now(), clock.now());
    pulse.beat(&report);
    while !finished.iter().all(|done| *done) {
        if control.stopped().is_some() {
            break;
        }
        if control.is_interrupted() && !interrupted {
            interrupted = true;
            chains.iter_mut().for_each(|chain| chain.stop_reading());
        }
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            let mut inputs = 0;
            for (chain, done) in chains.iter_mut().zip(&mut finished) {
                if !*done {
                    match chain.turn() {
                        Turn::Worked(taken) => inputs += taken,
                        Turn::Finished => *done = true,
                    }
                }
            }
            inputs
        }));
        let inputs = match outcome {
            Ok(inputs) => inputs,
            Err(panic) => {
                let text = panic_text(&*panic);
                control.stop_with(StopReason::StagePanicked, format!("thread {}: {text}", report.name));
                report.panicked = Some(text);
                break;
            }
        };
        report.turns += 1;
        if inputs == 0 {
            report.idle_turns += 1;
            idle(plan.idle, &backoff);
            // Waiting is not part of a turn. While spinning the clock is read now and then only: reading it
            // costs as much as looking for work, and would delay what arrives meanwhile.
            if !backoff.is_completed() && !report.idle_turns.is_multiple_of(IDLE_TURNS_A_READING) {
                continue;
            }
            turn_start = clock.now();
        } else {
            backoff.reset();
            let turn_end = clock.now();
            report.inputs += u64::from(inputs);
            let turn_ns = clock.nanos_of(turn_end.lap_since(turn_start));
            report.longest_turn_ns = report.longest_turn_ns.max(turn_ns);
            report.long_turns += u64::from(turn_ns >= LONG_TURN_NS);
            turn_start = turn_end;
        }
        if clock.nanos_of(turn_start.lap_since(last_beat)) > BEAT_NS {
            last_beat = turn_start;
            pulses.beat();
            pulse.beat(&report);
        }
    }
    if control.stopped().is_some() || control.cancels_at_end.load(Ordering::Relaxed) {
        pulses.halt();
        // A stage that unwound is skipped by its node; the gateway behind it still cancels.
        let halted = catch_unwind(AssertUnwindSafe(|| chains.iter_mut().for_each(|chain| chain.halt())));
        if let Err(panic) = halted {
            report.panicked.get_or_insert_with(|| panic_text(&*panic));
        }
    }
    pulse.beat(&report);
    #[expect(clippy::disallowed_methods, reason = "the runner keeps the time of the run")]
    let now = Instant::now();
    report.ended_at = Some(now);
    report
}

/// Idle turns in a row between two readings of the clock.
const IDLE_TURNS_A_READING: u64 = 32;

/// A turn that takes so long is no turn's work, ns.
pub const LONG_TURN_NS: u64 = 1_000_000;
/// Between two calls of the supervisor.
const SUPERVISE: Duration = Duration::from_millis(20);

const BEAT_NS: u64 = 1_000_000;

fn idle(policy: Idle, backoff: &Backoff) {
    match policy {
        // The pause matters: without it the polling thread keeps taking the line that the other one writes.
        Idle::Spin => std::hint::spin_loop(),
        Idle::SpinThenYield => backoff.snooze(),
        Idle::Park if backoff.is_completed() => {
            std::thread::park_timeout(Duration::from_micros(50));
        }
        Idle::Park => backoff.snooze(),
    }
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("panic").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{Head, Kind, Message};
    use crate::ring::ring;
    use crate::stage::{Link, Node, Nowhere, Stage};
    use std::sync::Mutex;

    /// Sends `count` numbered messages, then the end.
    struct Numbers {
        next: u32,
        count: u32,
    }

    impl Source for Numbers {
        fn step<S: Sink>(&mut self, out: &mut S) -> Step {
            if self.next == self.count {
                out.send(Message { head: &Head::new(Kind::End), body: &[] });
                return Step::Ended;
            }
            self.next += 1;
            out.send(Message { head: &Head { line: self.next, ..Head::new(Kind::Timer) }, body: &[] });
            Step::Worked
        }
        fn has_room(&mut self) -> bool {
            true
        }
        fn stop_reading(&mut self) {
            self.count = self.next;
        }
    }

    /// Remembers what it saw; panics at a number; remembers that it was halted.
    #[derive(Clone)]
    struct Witness {
        seen: Arc<Mutex<Vec<u32>>>,
        halted: Arc<AtomicBool>,
        panic_at: u32,
    }

    fn witness(panic_at: u32) -> Witness {
        Witness { seen: Arc::default(), halted: Arc::default(), panic_at }
    }

    impl Stage for Witness {
        const NAME: &'static str = "witness";
        fn on_message<S: Sink>(&mut self, message: Message<'_>, out: &mut S) {
            assert!(message.head.line == 0 || message.head.line != self.panic_at, "planted");
            self.seen.lock().unwrap().push(message.head.line);
            out.send(message);
        }
        fn halt(&mut self) {
            self.halted.store(true, Ordering::Relaxed);
        }
    }

    fn node<S: Sink>(stage: &Witness, out: S) -> Node<Witness, S> {
        Node::new(stage.clone(), out, StampClock::off(), None)
    }

    fn thread(chain: impl Chain + 'static) -> ThreadSpec {
        let plan = ThreadPlan { stages: vec![StageId::Feed], core: None, idle: Idle::SpinThenYield };
        ThreadSpec { plan, chains: vec![Box::new(chain)], pulse: Box::new(()) }
    }

    #[test]
    fn a_thousand_messages_cross_two_threads_in_order_and_both_end() {
        let (first, second) = (witness(0), witness(0));
        let (tx, rx) = ring(16, 1, 1);
        let source =
            SourceChain::new(Numbers { next: 0, count: 1000 }, node(&first, Link::<Nowhere>::Ring(tx)));
        let sink = RingChain::new(rx, node(&second, Nowhere));
        let control = Arc::new(Control::default());
        let reports = run(vec![thread(source), thread(sink)], &control, || ()).unwrap();
        let expected: Vec<u32> = (1..=1000).chain([0]).collect();
        assert_eq!(*second.seen.lock().unwrap(), expected);
        assert_eq!(*first.seen.lock().unwrap(), expected);
        assert_eq!(reports.iter().map(|r| r.inputs).collect::<Vec<_>>(), [1001, 1001]);
        assert!(control.stopped().is_none() && reports.iter().all(|r| r.tid > 0 && r.name == "feed"));
    }

    #[test]
    fn a_panic_stops_every_thread_and_halts_the_intact_stages_only() {
        let (first, broken, third) = (witness(0), witness(5), witness(0));
        let (tx, rx) = ring(64, 1, 1);
        let chain = node(&first, Link::Here(node(&broken, Link::<Nowhere>::Ring(tx))));
        let source = SourceChain::new(Numbers { next: 0, count: 1_000_000 }, chain);
        let sink = RingChain::new(rx, node(&third, Nowhere));
        let control = Arc::new(Control::default());
        let reports = run(vec![thread(source), thread(sink)], &control, || ()).unwrap();
        assert_eq!(control.stopped(), Some(StopReason::StagePanicked));
        assert!(control.detail().unwrap().contains("planted"));
        assert_eq!(reports[0].panicked.as_deref(), Some("planted"));
        // `first` was still inside its call to `broken`: both count as broken.
        assert!(!broken.halted.load(Ordering::Relaxed) && third.halted.load(Ordering::Relaxed));
    }

    #[test]
    fn an_interrupt_ends_a_source_in_order() {
        let seen = witness(0);
        let source = SourceChain::new(Numbers { next: 0, count: u32::MAX }, node(&seen, Nowhere));
        let control = Arc::new(Control::default());
        control.interrupt();
        run(vec![thread(source)], &control, || ()).unwrap();
        assert_eq!(seen.seen.lock().unwrap().last(), Some(&0), "the end was passed on");
    }

    #[test]
    fn the_first_stop_reason_stays() {
        let control = Control::default();
        control.stop(StopReason::JournalFailed);
        control.stop_with(StopReason::RingFull, "its detail".into());
        assert_eq!((control.stopped(), control.detail()), (Some(StopReason::JournalFailed), None));
    }
}
