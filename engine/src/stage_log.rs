//! A stage's journal lane, with the engine's answer to a journal that cannot be written: stop trading.

use crate::ids::Cause;
use crate::journal::schema::{RecordKind, Took};
use crate::journal::{Entry, Writer};
use crate::message::Head;
use crate::record_copies::CopySender;
use crate::runner::{Control, StopReason};
use crate::time::Nanos;
use std::sync::Arc;
use zerocopy::{Immutable, IntoBytes};

/// One lane of the journal in the hands of the stage that owns it.
pub struct StageLog {
    writer: Writer,
    control: Arc<Control>,
    reserve_bytes: usize,
    took: Took,
    /// When the first input of the open run came.
    took_since: Nanos,
    copies: Option<CopySender>,
    /// The segment in which the stage's state is being told.
    state_from: u32,
}

impl StageLog {
    /// Wraps a lane. `reserve_bytes` is what [`Self::has_room`] asks for: all that one input can cause.
    #[must_use]
    pub fn new(writer: Writer, control: Arc<Control>, reserve_bytes: usize) -> Self {
        let (took, took_since) = (Took::default(), Nanos(0));
        Self { writer, control, reserve_bytes, took, took_since, copies: None, state_from: 0 }
    }

    /// Sends copies of records to a reader on another thread.
    pub fn copy_to(&mut self, copies: CopySender) {
        self.copies = Some(copies);
    }

    /// Whether all records that one more input can cause are sure to be taken.
    #[inline]
    #[must_use]
    pub fn has_room(&mut self) -> bool {
        self.writer.has_room(self.reserve_bytes) && self.copies.as_mut().is_none_or(CopySender::has_room)
    }

    /// Writes a record caused by `head.cause`. None: the journal failed; trading was stopped, and what the
    /// record would have announced must not happen.
    #[inline]
    pub fn record(
        &mut self,
        kind: RecordKind,
        head: &Head,
        body: &(impl IntoBytes + Immutable + ?Sized),
    ) -> Option<Cause> {
        self.bytes(kind, head, [], body.as_bytes())
    }

    /// Writes a record whose body is `prefix` and then `rest`. Otherwise as [`Self::record`].
    #[inline]
    pub fn bytes<const N: usize>(
        &mut self,
        kind: RecordKind,
        head: &Head,
        prefix: [u8; N],
        rest: &[u8],
    ) -> Option<Cause> {
        let entry = Entry {
            kind: kind as u16,
            instrument: head.instrument,
            cause: head.cause,
            recv_ns: head.recv_ns,
        };
        match self.writer.append_parts(entry, prefix, rest) {
            Ok(cause) => {
                if let Some(copies) = &mut self.copies {
                    copies.copy(kind, cause, &entry, &prefix, rest);
                }
                Some(cause)
            }
            Err(_) => {
                self.control.stop(StopReason::JournalFailed);
                None
            }
        }
    }

    /// Whether what was recorded may leave: it is on the disk, where the journal's durability asks for that. False:
    /// it is not, and trading was stopped.
    #[inline]
    pub fn before_send(&mut self) -> bool {
        let is_safe = self.writer.before_send().is_ok();
        if !is_safe {
            self.control.stop(StopReason::JournalFailed);
        }
        is_safe
    }

    /// The sequence of the next record; it counts without a journal too.
    #[inline]
    #[must_use]
    pub const fn next_seq(&self) -> u64 {
        self.writer.next_seq()
    }

    /// The records up to [`Self::state_told`] say all that a restart needs to know of the stage.
    pub fn state_begins(&mut self) {
        self.state_from = self.writer.segment_number();
    }

    /// A restart needs nothing of the lane that lies before the last [`Self::state_begins`].
    pub fn state_told(&mut self) {
        self.writer.needed_from(self.state_from);
    }

    /// Checksum of the record written last; 0 before the first, and without a journal.
    #[inline]
    #[must_use]
    pub const fn last_crc32c(&self) -> u32 {
        self.writer.last_crc32c()
    }

    /// Notes that one input was taken from `input`. A run of inputs from one side is one record, written when
    /// the side changes, and at the latest after [`TOOK_RUN_MAX`] inputs; it has the time of its first input.
    #[inline]
    pub fn took(&mut self, input: u32, head: &Head) {
        if self.took.input != input || self.took.count == TOOK_RUN_MAX {
            self.flush_took();
            self.took.input = input;
        }
        if self.took.count == 0 {
            self.took_since = head.recv_ns;
        }
        self.took.count += 1;
    }

    /// Writes the run of inputs that is open, if any.
    pub fn flush_took(&mut self) {
        if self.took.count > 0 {
            let took = self.took;
            let head = Head { recv_ns: self.took_since, ..Head::default() };
            self.record(RecordKind::Took, &head, &took);
            self.took.count = 0;
        }
    }
}

/// Inputs in a row that one `Took` record covers at most: what a killed process loses of the order.
pub const TOOK_RUN_MAX: u32 = 1024;
