//! Commands: what operators and other programs ask of a running engine, one file a writer.
//!
//! `RUN/commands/` holds a lane file for each process that writes commands. A [`CommandWriter`] makes its own
//! (0600, locked while it lives) and maps it; the engine's [`CommandReader`] finds it, reads it with ordinary
//! read calls (a file cut short under a mapping would end the engine), trusts none of the bytes, and writes
//! the answer into the command's slot. A lane that is damaged, foreign or left by a dead writer is reported
//! once and skipped: it holds up nobody.
//!
//! A command is believed when its checksum fits, and then still refused when it is malformed, expired, or
//! addressed to another run. Whoever may write into the run's directory may command: the file system's owner
//! and mode are the only permission there is.
//!
//! The reader's side is cold. What reaches a stage is plain data with names resolved: [`CommandBody`] and
//! [`Param`]s in a ring, see [`channel`].
//!
//! Kill does not depend on any of this: see [`KillLatch`].

mod by_hand;
mod closer;
mod command;
mod hot;
mod latch;
mod layout;
#[cfg(all(test, loom))]
mod model;
mod names;
mod reader;
mod writer;

pub use by_hand::OrderWish;
pub use command::{
    AUTHOR_BYTES_MAX, Answer, Command, CommandKind, Malformed, NAME_BYTES_MAX, PARAMS_MAX, REASON_BYTES_MAX,
    TTL_MAX, VALUE_BYTES_MAX,
};
pub use hot::{
    ALL_INSTRUMENTS, ALL_STRATEGIES, Action, Answered, CommandBody, CommandInput, CommandOutput, Outcome,
    PENDING_MAX, Param, Taken, channel, command_cells,
};
pub use latch::{KILL_FILE, KillLatch, KillRecord};
pub use layout::SLOTS;
pub use names::{Names, ParamDesc, ResolveError, Resolved, StrategyDesc};
pub use reader::{CommandReader, Found, LANES_MAX, Problem, Refusal, Ticket};
pub use writer::{AnswerDamaged, CommandWriter, SendError};
