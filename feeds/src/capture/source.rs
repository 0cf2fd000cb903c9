//! Captures as a source of frames for the feed stage.

use super::{CaptureLine, MergedCaptures, NextLine};
use crate::stage::{Frame, FrameSource, SourcePoll};
use engine::ids::ConnectionId;
use std::sync::mpsc::SyncSender;

/// Lines of captures as frames; the file's index is the connection.
pub struct CaptureSource {
    captures: MergedCaptures,
    held: bool,
    failed: SyncSender<String>,
}

impl CaptureSource {
    /// A source over opened captures. What ends it before their end goes to `failed`.
    #[must_use]
    pub fn new(captures: MergedCaptures, failed: SyncSender<String>) -> Self {
        Self { captures, held: false, failed }
    }
}

impl FrameSource for CaptureSource {
    #[inline]
    fn poll(&mut self) -> SourcePoll<'_> {
        if self.held {
            return self
                .captures
                .current()
                .map_or(SourcePoll::End, |line| SourcePoll::Ready(frame_of(&line)));
        }
        match self.captures.poll() {
            NextLine::Line(line) => {
                self.held = true;
                SourcePoll::Ready(frame_of(&line))
            }
            NextLine::NotYet => SourcePoll::NotYet,
            NextLine::End => SourcePoll::End,
            NextLine::Failed(error) => {
                // The receiver is gone only when nobody wants to know.
                let _ = self.failed.send(error.to_string());
                SourcePoll::End
            }
        }
    }

    #[inline]
    fn consume(&mut self) {
        self.held = false;
    }
}

#[inline]
fn frame_of<'a>(line: &CaptureLine<'a>) -> Frame<'a> {
    Frame {
        connection: ConnectionId(u16::try_from(line.file_index).unwrap_or(u16::MAX)),
        line: u32::try_from(line.line_number).unwrap_or(u32::MAX),
        recv_ns: line.recv_ns,
        clock_fault: line.clock_fault.is_some(),
        behind_ns: 0,
        bytes: line.json,
    }
}
