//! What of a command reaches a stage: plain data in a ring, and the answers in another.
//!
//! ```text
//! supervisor   CommandOutput ──ring of cells──▶ CommandInput   the stage that takes commands
//!                            ◀──ring of answers──
//! ```
//!
//! At most [`PENDING_MAX`] commands are on their way, so neither ring is ever full where it must not be.

use super::{OrderWish, PARAMS_MAX, Ticket};
use crate::ids::{Cause, InstrumentId, StrategyId};
use crate::message::{Body, Cell, Head, Kind, Message};
use crate::ring::{RingReceiver, RingSender, ring};
use crate::stage::Sink;
use rtrb::{Consumer, Producer, RingBuffer};
use std::ops::ControlFlow;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Every strategy of the run.
pub const ALL_STRATEGIES: StrategyId = StrategyId(u16::MAX);
/// Every instrument of the run.
pub const ALL_INSTRUMENTS: InstrumentId = InstrumentId(u32::MAX);
/// Commands that the stage may owe an answer.
pub const PENDING_MAX: usize = 16;

/// What a stage is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Action {
    /// Take the quotes back and want nothing, `strategy`.
    Pause = 1,
    /// Undo `Pause`, `strategy`.
    Resume = 2,
    /// Cancel every open order, `instrument`.
    CancelAll = 3,
    /// Replace the values of the parameters, all before the next decision, `strategy`.
    Set = 4,
    /// Place `order` on `instrument` for `strategy`.
    Order = 5,
    /// Cancel the order that `order` and `engine` name.
    Cancel = 6,
    /// Pause, cancel, and close what is held, `strategy`, `instrument`.
    Flatten = 7,
}

/// First cell of a command; its parameters follow, four a cell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C, align(64))]
pub struct CommandBody {
    /// Its id in its lane, from 1.
    pub id: u64,
    /// Its lane, from 0, as the run met them.
    pub lane: u32,
    /// [`ALL_INSTRUMENTS`] or one.
    pub instrument: InstrumentId,
    /// [`ALL_STRATEGIES`] or one.
    pub strategy: StrategyId,
    /// `Action` as a number, read by [`Self::action`].
    pub action_code: u8,
    /// Zero.
    pub reserved0: u8,
    /// Parameters behind it, at most [`PARAMS_MAX`].
    pub param_count: u16,
    /// Of a cancel by client order id: the engine that it names. Zero with `order.run`: any.
    pub engine: u16,
    /// What is to be placed, or canceled.
    pub order: OrderWish,
}

impl Body for CommandBody {}
const _: () = assert!(size_of::<CommandBody>() == 64 && align_of::<CommandBody>() == 64);

impl CommandBody {
    /// A command without id, lane and parameters.
    #[must_use]
    pub fn new(action: Action, strategy: StrategyId, instrument: InstrumentId) -> Self {
        Self { action_code: action as u8, strategy, instrument, ..Self::default() }
    }

    /// What is to be done. None: a number that is no action (never from this process).
    #[inline]
    #[must_use]
    pub const fn action(&self) -> Option<Action> {
        Some(match self.action_code {
            1 => Action::Pause,
            2 => Action::Resume,
            3 => Action::CancelAll,
            4 => Action::Set,
            5 => Action::Order,
            6 => Action::Cancel,
            7 => Action::Flatten,
            _ => return None,
        })
    }

    /// Whether it is for that strategy.
    #[inline]
    #[must_use]
    pub fn is_for(&self, strategy: StrategyId) -> bool {
        self.strategy == ALL_STRATEGIES || self.strategy == strategy
    }

    /// Whether it is for that instrument.
    #[inline]
    #[must_use]
    pub fn is_on(&self, instrument: InstrumentId) -> bool {
        self.instrument == ALL_INSTRUMENTS || self.instrument == instrument
    }
}

/// One parameter's new value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Param {
    /// Index in the strategy's `StrategyDesc::params`.
    pub index: u32,
    /// Zero.
    pub reserved: u32,
    /// The value, scaled by the parameter's `digits`; inside its range.
    pub value: i64,
}

/// What a stage made of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Outcome {
    /// It is done, or as good as: what it leads to follows.
    Accepted = 1,
    /// The values do not go together; none was changed.
    Conflicting = 2,
    /// The journal could not take it; nothing was changed and trading stops.
    NotJournalled = 3,
    /// The stream has ended or trading was stopped.
    TooLate = 4,
}

impl Outcome {
    /// For people; of what was accepted, empty.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Accepted => "",
            Self::Conflicting => "these values do not go together",
            Self::NotJournalled => "the journal could not be written",
            Self::TooLate => "the run is ending",
        }
    }
}

/// What a stage made of which command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answered {
    /// Which.
    pub ticket: Ticket,
    /// What came of it.
    pub outcome: Outcome,
    /// The record that holds it, in the stage's lane; `Cause::NONE` where there is none.
    pub journal: Cause,
}

/// A command in the stage's hands.
#[derive(Clone, Copy, Debug)]
pub struct Taken<'a> {
    /// Its `cause` is the runner's record of it; it has no time: the stage's last input says when it is.
    pub head: &'a Head,
    /// What to do.
    pub body: &'a CommandBody,
    /// The values to set.
    pub params: &'a [Param],
    /// Body and parameters as they are: what a journal keeps.
    pub cells: &'a [Cell],
}

impl<'a> Taken<'a> {
    /// The command in a message, or in the journal's cells with a head made for them. None: it has no cell.
    #[inline]
    #[must_use]
    pub fn read(message: &Message<'a>) -> Option<Self> {
        let body = message.body_as::<CommandBody>()?;
        let params = message.body.get(1..).unwrap_or_default().as_bytes();
        let params = <[Param]>::ref_from_bytes(params).unwrap_or_default();
        let params = params.get(..usize::from(body.param_count)).unwrap_or_default();
        Some(Self { head: message.head, body, params, cells: message.body })
    }
}

/// Both ends of the way between the supervisor and the stage that takes commands. Allocates: at start only.
#[must_use]
pub fn channel() -> (CommandOutput, CommandInput) {
    let (sender, receiver) = ring(PENDING_MAX * MESSAGE_CELLS_MAX, MESSAGE_CELLS_MAX, MESSAGE_CELLS_MAX);
    let (answers, answered) = RingBuffer::new(PENDING_MAX);
    (CommandOutput { sender, answered, pending: Vec::new() }, CommandInput { receiver, answers })
}

/// The supervisor's end.
pub struct CommandOutput {
    sender: RingSender,
    answered: Consumer<Answered>,
    pending: Vec<Ticket>,
}

impl CommandOutput {
    /// Hands a command to the stage. `cause` is the runner's record of it. False: [`PENDING_MAX`] commands await
    /// their answers, it has too many parameters, or the stage is gone.
    pub fn send(&mut self, ticket: Ticket, body: CommandBody, params: &[Param], cause: Cause) -> bool {
        if self.pending.len() == PENDING_MAX || params.len() > PARAMS_MAX || self.sender.is_abandoned() {
            return false;
        }
        let cells = command_cells(ticket, body, params);
        let head =
            Head { instrument: body.instrument, strategy: body.strategy, cause, ..Head::new(Kind::Command) };
        let sent = self.sender.send(Message { head: &head, body: &cells });
        if sent {
            self.pending.push(ticket);
        }
        sent
    }

    /// The next answer of the stage.
    pub fn answered(&mut self) -> Option<Answered> {
        let answered = self.answered.pop().ok()?;
        self.pending.retain(|ticket| *ticket != answered.ticket);
        Some(answered)
    }

    /// The commands that the stage will not answer any more: it is gone. Empty while it is there, and while
    /// there are answers to take.
    pub fn orphaned(&mut self) -> Vec<Ticket> {
        let gone = self.answered.is_abandoned() && self.answered.is_empty();
        if gone { std::mem::take(&mut self.pending) } else { Vec::new() }
    }
}

/// A command as it travels, and as the journal keeps it.
#[must_use]
pub fn command_cells(ticket: Ticket, mut body: CommandBody, params: &[Param]) -> Vec<Cell> {
    (body.id, body.lane) = (ticket.id, ticket.lane);
    body.param_count = u16::try_from(params.len()).unwrap_or(0);
    let mut cells = body.cells().to_vec();
    cells.extend(params.chunks(PARAMS_A_CELL).map(|params| {
        let mut cell = Cell::default();
        cell.as_mut_bytes()[..size_of_val(params)].copy_from_slice(params.as_bytes());
        cell
    }));
    cells
}

/// The stage's end: no allocation, lock, system call or panic.
pub struct CommandInput {
    receiver: RingReceiver,
    answers: Producer<Answered>,
}

impl CommandInput {
    /// Whether there is nothing to take now: one load.
    #[inline]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.receiver.is_empty()
    }

    /// Hands up to `max` commands to `f`, oldest first, and passes back what it makes of them. Returns how many
    /// there were.
    #[inline]
    pub fn take(&mut self, max: u32, mut f: impl FnMut(Taken<'_>) -> (Outcome, Cause)) -> u32 {
        let Self { receiver, answers } = self;
        receiver.take(max, |message| {
            let Some(taken) = Taken::read(&message) else { return ControlFlow::Continue(()) };
            let (outcome, journal) = f(taken);
            let ticket = Ticket { lane: taken.body.lane, id: taken.body.id };
            // Never full: it holds an answer to each command that may be on its way.
            let _ = answers.push(Answered { ticket, outcome, journal });
            ControlFlow::Continue(())
        })
    }
}

const PARAMS_A_CELL: usize = size_of::<Cell>() / size_of::<Param>();
/// Head, body, parameters.
const MESSAGE_CELLS_MAX: usize = 2 + PARAMS_MAX.div_ceil(PARAMS_A_CELL);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::Lane;

    fn ticket(id: u64) -> Ticket {
        Ticket { lane: 3, id }
    }

    #[test]
    fn a_command_crosses_with_its_parameters_and_its_answer_comes_back() {
        let (mut output, mut input) = channel();
        let params: Vec<Param> =
            (0..16_u32).map(|index| Param { index, reserved: 0, value: -i64::from(index) }).collect();
        let body = CommandBody::new(Action::Set, StrategyId(2), ALL_INSTRUMENTS);
        let cause = Cause::new(Lane::Runner, 9);
        for count in [0, 1, 4, 5, 16] {
            assert!(output.send(ticket(count as u64), body, &params[..count], cause));
        }
        assert!(!output.send(ticket(99), body, &vec![params[0]; 17], cause), "too many parameters");
        let journal = Cause::new(Lane::Strategy, 5);
        let mut seen = Vec::new();
        assert!(!input.is_empty());
        let taken = input.take(9, |command| {
            assert_eq!((command.head.kind(), command.head.cause), (Some(Kind::Command), cause));
            assert_eq!((command.body.action(), command.body.strategy), (Some(Action::Set), StrategyId(2)));
            assert_eq!(command.params, &params[..usize::from(command.body.param_count)]);
            assert_eq!(command.cells.len(), 1 + command.params.len().div_ceil(4));
            seen.push(command.params.len());
            (Outcome::Accepted, journal)
        });
        assert_eq!((taken, seen), (5, vec![0, 1, 4, 5, 16]));
        assert!(input.is_empty());
        for count in [0, 1, 4, 5, 16] {
            let answered = Answered { ticket: ticket(count), outcome: Outcome::Accepted, journal };
            assert_eq!(output.answered(), Some(answered));
        }
        assert_eq!(output.answered(), None);
    }

    #[test]
    fn a_stage_that_owes_too_many_answers_gets_no_more_commands_and_a_stage_that_is_gone_none() {
        let (mut output, mut input) = channel();
        let body = CommandBody::new(Action::Pause, ALL_STRATEGIES, ALL_INSTRUMENTS);
        let sent = (1..100).take_while(|id| output.send(ticket(*id), body, &[], Cause::NONE)).count();
        assert_eq!(sent, PENDING_MAX);
        input.take(1, |_| (Outcome::TooLate, Cause::NONE));
        assert!(!output.send(ticket(17), body, &[], Cause::NONE), "its answer was not looked at yet");
        assert_eq!(output.answered().map(|answered| answered.ticket), Some(ticket(1)));
        assert!(output.send(ticket(17), body, &[], Cause::NONE));
        assert!(output.orphaned().is_empty());
        input.take(1, |_| (Outcome::Accepted, Cause::NONE));
        drop(input);
        assert!(output.orphaned().is_empty(), "an answer is there");
        assert_eq!(output.answered().map(|answered| answered.ticket), Some(ticket(2)));
        assert_eq!(output.orphaned(), (3..=17).map(ticket).collect::<Vec<_>>());
        assert!(!output.send(ticket(18), body, &[], Cause::NONE));
    }
}
