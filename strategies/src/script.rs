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
