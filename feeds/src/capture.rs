//! Recorded market data: lines of `<receive time, ns since 1970> <one JSON message>`, plain or gzip.
//!
//! A cold thread reads, inflates and cuts the file at its line ends, into large buffers that go round between
//! it and the consumer. The consuming side is a hot path: it makes no system call and takes no memory after
//! the start; when the next buffer is not there yet it says so and comes back.

mod error;
mod gzip;
mod line;
mod merge;
mod reader;
mod source;

pub use error::{CaptureError, CaptureErrorKind};
pub use line::{ClockFault, RecvClock, split_line};
pub use merge::{CaptureFile, CaptureLine, MergedCaptures, NextLine};
pub use reader::{CaptureReader, LINE_BYTES_MAX, Next, RawLine};
pub use source::CaptureSource;
