//! The journal: what the pipeline took in, in the order taken, and what it put out, in append-only mapped
//! segment files that survive the process.
//!
//! ```text
//! RUN/journal/lock                 pid and lock of the writing process
//! RUN/journal/feed-000001.seg      header, records …    one lane a stage, one writer a lane
//! RUN/journal/feed-000002.seg
//! RUN/journal/runner-000001.seg    configuration, instruments, build
//! ```
//!
//! `Journal` makes the directory and hands out one `Writer` a lane; a helper thread prepares segments ahead,
//! so that appending is a copy, a checksum and one ordered store. `Reader` reads a journal that is finished,
//! growing or damaged, with ordinary read calls: a file cut short under a mapping would end the reader.

mod commit;
mod crc;
mod cursor;
mod handoff;
mod header;
mod helper;
mod instruments;
mod live;
mod problem;
mod reader;
mod record;
mod retention;
pub mod schema;
mod segment;
mod verify;
mod writer;

pub use crc::Crc;
pub use cursor::{Cursor, Gap, Stand};
pub use header::{
    Anchor, End, HeaderDamage, Left, Retention, RunInfo, SEGMENT_HEADER_BYTES, SegmentInfo, VERSION,
};
pub use instruments::instruments_text;
pub use live::{Durability, Journal, JournalError, Options};
pub use problem::{Problem, Trouble};
pub use reader::{Merged, Reader};
pub use record::{CELL_BYTES, Damage, Entry, HEAD_BYTES, INLINE_BYTES, Record, View, record_bytes};
pub use verify::{LaneEnd, LaneReport, verify};
pub use writer::{AppendError, Room, Writer};

#[cfg(all(test, not(loom)))]
mod faults;
#[cfg(all(test, not(loom)))]
mod kill;
#[cfg(all(test, loom))]
mod model;
#[cfg(all(test, not(loom)))]
mod tests;
