//! In which order a recorded run's strategy stage took its inputs: what a repetition of that run follows, whatever
//! threads the run had. Everything else about the stage is determined by its inputs.
//!
//! A step says how many inputs in a row came from one side. What operators asked for is part of it, the market and
//! the executions are not: those the repetition has to bring forth again. Where they do not come as they came then,
//! the two runs have parted, and the stage takes nothing more.

use engine::commands::Taken;
use engine::decisions::{EXECUTIONS_INPUT, MARKET_INPUT};
use engine::ids::Cause;
use engine::message::{Cell, Head, Kind, Message};
use engine::runner::Control;
use engine::stage_log::TOOK_RUN_MAX;
use engine::time::Nanos;
use std::fmt;
use std::iter::Peekable;
use std::sync::Arc;
use std::sync::mpsc::SyncSender;

/// What comes next in a recorded run.
#[derive(Clone, Debug)]
pub enum Step {
    /// So many inputs in a row from the market or from the gateway.
    Inputs {
        /// The `Took` record.
        record: Cause,
        /// `MARKET_INPUT` or `EXECUTIONS_INPUT`.
        input: u32,
        /// How many; above 0.
        count: u32,
    },
    /// A command.
    Command {
        /// The runner's record of it.
        cause: Cause,
        /// `CommandBody` and its parameters.
        cells: Vec<Cell>,
    },
}

/// Where and why a repetition left the order of the run that it repeats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parted {
    /// The `Took` record that could not be followed. None: the run says nothing more.
    pub record: Option<Cause>,
    /// Time of the input at hand.
    pub at: Nanos,
    /// What did not fit.
    pub why: Why,
}

/// What did not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// The run says nothing more, and the market goes on.
    MarketGoesOn,
    /// The run says nothing more, and the gateway goes on.
    ExecutionsGoOn,
    /// The run took so many more messages of the market.
    MarketEnded(u32),
    /// The run took so many more executions here.
    NoExecution(u32),
    /// The run took no executions for so long that their ring is half full.
    Behind,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MarketGoesOn => f.write_str("the run took no more of the market, and more comes"),
            Self::ExecutionsGoOn => f.write_str("the run took no more executions, and more come"),
            Self::MarketEnded(count) => {
                write!(f, "the run took {count} more messages of the market, and none comes")
            }
            Self::NoExecution(count) => {
                write!(f, "the run took {count} more executions here, and none comes")
            }
            Self::Behind => f.write_str("the run took no executions here, and too many come"),
        }
    }
}

/// What is to be taken before the next message of the market.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    /// So many executions.
    Executions(u32),
    /// A command.
    Command,
}

/// The steps of a recorded run, and how far they have been followed.
pub struct Script {
    steps: Peekable<Box<dyn Iterator<Item = Step> + Send>>,
    /// The step at hand with what is left of it.
    current: Option<Step>,
    /// Length of the step at hand.
    length: u32,
    control: Arc<Control>,
    parted: SyncSender<Parted>,
    has_stopped: bool,
    has_end: bool,
}

impl Script {
    /// A script. Where the runs part, `parted` is told, once, and `control` is asked for the end.
    #[must_use]
    pub fn new(
        steps: impl Iterator<Item = Step> + Send + 'static,
        control: Arc<Control>,
        parted: SyncSender<Parted>,
    ) -> Self {
        let steps: Box<dyn Iterator<Item = Step> + Send> = Box::new(steps);
        Self {
            steps: steps.peekable(),
            current: None,
            length: 0,
            control,
            parted,
            has_stopped: false,
            has_end: false,
        }
    }

    /// Whether the runs have parted: nothing more is taken.
    pub(crate) const fn has_stopped(&self) -> bool {
        self.has_stopped
    }

    /// Whether the market ended where it ended for the run.
    pub(crate) const fn has_end(&self) -> bool {
        self.has_end
    }

    /// Whether the run says nothing more.
    pub(crate) fn is_at_its_end(&mut self) -> bool {
        self.load().is_none()
    }

    /// What is to be taken before the next message of the market. None: nothing.
    pub(crate) fn due(&mut self) -> Option<Due> {
        if self.has_stopped {
            return None;
        }
        match self.load()? {
            Step::Command { .. } => Some(Due::Command),
            Step::Inputs { input, count, .. } => (*input != MARKET_INPUT).then_some(Due::Executions(*count)),
        }
    }

    /// A message of the market comes. False: not now.
    pub(crate) fn takes_market(&mut self, at: Nanos) -> bool {
        if self.has_stopped {
            return false;
        }
        match self.load() {
            Some(Step::Inputs { input: MARKET_INPUT, .. }) => {
                self.took(1);
                true
            }
            Some(Step::Inputs { count, .. }) => {
                let why = Why::NoExecution(*count);
                self.part(at, why);
                false
            }
            // A command is taken before the message it stands before.
            Some(Step::Command { .. }) | None => {
                self.part(at, Why::MarketGoesOn);
                false
            }
        }
    }

    /// So many executions were taken. True: the run had taken no more before it stated what they led to.
    pub(crate) fn took_executions(&mut self, count: u32) -> bool {
        self.took(count);
        let is_cut = || self.length == TOOK_RUN_MAX;
        self.current.is_none()
            && !(is_cut() && matches!(self.steps.peek(), Some(Step::Inputs { input: EXECUTIONS_INPUT, .. })))
    }

    /// Hands the command that is due to `f`.
    pub(crate) fn command(&mut self, f: impl FnOnce(&Taken<'_>)) {
        let Some(Step::Command { cause, cells }) = self.current.take() else { return };
        let head = Head { cause, ..Head::new(Kind::Command) };
        if let Some(taken) = Taken::read(&Message { head: &head, body: &cells }) {
            f(&taken);
        }
    }

    /// The market has ended: its end is the last of its inputs.
    pub(crate) fn market_ended(&mut self, at: Nanos) {
        let why = match self.load() {
            Some(Step::Inputs { input: MARKET_INPUT, count: 1, .. }) => {
                self.has_end = true;
                return self.took(1);
            }
            Some(Step::Inputs { input: MARKET_INPUT, count, .. }) => Why::MarketEnded(*count - 1),
            Some(Step::Inputs { count, .. }) => Why::NoExecution(*count),
            Some(Step::Command { .. }) | None => return,
        };
        self.part(at, why);
    }

    /// The gateway has ended while executions were due.
    pub(crate) fn executions_ended(&mut self, at: Nanos) {
        if let Some(Step::Inputs { count, .. }) = self.load() {
            let why = Why::NoExecution(*count);
            self.part(at, why);
        }
    }

    /// An execution has come that the run did not take.
    pub(crate) fn unknown_execution(&mut self, at: Nanos) {
        self.part(at, Why::ExecutionsGoOn);
    }

    /// Executions have come for too long that the run did not take.
    pub(crate) fn fell_behind(&mut self, at: Nanos) {
        self.part(at, Why::Behind);
    }

    fn load(&mut self) -> Option<&mut Step> {
        if self.current.is_none() {
            self.current = self.steps.next();
            if let Some(Step::Inputs { count, .. }) = self.current {
                self.length = count;
            }
        }
        self.current.as_mut()
    }

    fn took(&mut self, taken: u32) {
        if let Some(Step::Inputs { count, .. }) = &mut self.current {
            *count = count.saturating_sub(taken);
            if *count == 0 {
                self.current = None;
            }
        }
    }

    fn part(&mut self, at: Nanos, why: Why) {
        if self.has_stopped {
            return;
        }
        self.has_stopped = true;
        let record = match &self.current {
            Some(Step::Inputs { record, .. }) => Some(*record),
            _ => None,
        };
        // The receiver is gone only when nobody wants to know.
        let _ = self.parted.send(Parted { record, at, why });
        self.control.interrupt();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::commands::{ALL_INSTRUMENTS, ALL_STRATEGIES, Action, CommandBody, Ticket, command_cells};
    use engine::ids::Lane;
    use std::sync::mpsc::{Receiver, sync_channel};

    const NOW: Nanos = Nanos(7);

    fn record(seq: u64) -> Cause {
        Cause::new(Lane::Strategy, seq)
    }

    fn script(steps: &[(u32, u32)]) -> (Script, Receiver<Parted>, Arc<Control>) {
        let (parted, receiver) = sync_channel(1);
        let steps: Vec<Step> = (1..)
            .zip(steps)
            .map(|(seq, (input, count))| match input {
                2 => {
                    let body = CommandBody::new(Action::Pause, ALL_STRATEGIES, ALL_INSTRUMENTS);
                    let cells = command_cells(Ticket { lane: 0, id: seq }, body, &[]);
                    Step::Command { cause: Cause::new(Lane::Runner, seq), cells }
                }
                _ => Step::Inputs { record: record(seq), input: *input, count: *count },
            })
            .collect();
        let control = Arc::<Control>::default();
        (Script::new(steps.into_iter(), Arc::clone(&control), parted), receiver, control)
    }

    #[test]
    fn inputs_are_due_in_their_order_and_the_end_is_the_last_of_the_market() {
        let (mut script, parted, control) = script(&[(0, 2), (1, 3), (2, 1), (0, 1), (1, 1)]);
        assert!(script.due().is_none() && script.takes_market(NOW) && script.takes_market(NOW));
        assert_eq!(script.due(), Some(Due::Executions(3)));
        assert!(!script.took_executions(2), "one is not there yet");
        assert_eq!(script.due(), Some(Due::Executions(1)));
        assert!(script.took_executions(1));
        assert_eq!(script.due(), Some(Due::Command));
        let mut id = 0;
        script.command(|command| id = command.body.id);
        assert_eq!((id, script.due()), (3, None));
        script.market_ended(NOW);
        assert!(script.has_end() && script.due() == Some(Due::Executions(1)) && script.took_executions(1));
        assert!(script.is_at_its_end() && !script.has_stopped() && !control.is_interrupted());
        assert!(parted.try_recv().is_err());
    }

    #[test]
    fn a_run_of_inputs_that_was_cut_for_its_length_is_answered_at_its_end_only() {
        let (mut script, ..) = script(&[(1, TOOK_RUN_MAX), (1, 1), (1, 2), (0, 1)]);
        for (count, answered) in [(TOOK_RUN_MAX, false), (1, true), (2, true)] {
            assert_eq!(script.due(), Some(Due::Executions(count)));
            assert_eq!(script.took_executions(count), answered, "{count}");
        }
    }

    #[test]
    fn where_the_runs_part_is_told_once_and_nothing_more_is_taken() {
        let parted_by = |steps: &[(u32, u32)], act: fn(&mut Script)| {
            let (mut script, parted, control) = script(steps);
            act(&mut script);
            script.unknown_execution(Nanos(9));
            assert!(control.is_interrupted() && script.due().is_none() && !script.takes_market(NOW));
            let told = parted.try_recv().unwrap();
            assert!(parted.try_recv().is_err() && told.at == NOW);
            (told.record, told.why)
        };
        let market = |script: &mut Script| _ = script.takes_market(NOW);
        assert_eq!(parted_by(&[(1, 2)], market), (Some(record(1)), Why::NoExecution(2)));
        assert_eq!(parted_by(&[], market), (None, Why::MarketGoesOn));
        let ended = |script: &mut Script| script.market_ended(NOW);
        assert_eq!(parted_by(&[(0, 5)], ended), (Some(record(1)), Why::MarketEnded(4)));
        assert_eq!(parted_by(&[(1, 5)], ended), (Some(record(1)), Why::NoExecution(5)));
        assert_eq!(parted_by(&[], |script| script.fell_behind(NOW)), (None, Why::Behind));
        assert_eq!(parted_by(&[], |script| script.unknown_execution(NOW)), (None, Why::ExecutionsGoOn));
    }
}
