//! A recorded run's journal as a source of frames and timers for the feed stage.

use super::recorded::Records;
use engine::ids::ConnectionId;
use engine::journal::View;
use engine::journal::schema::{ConnectionChange, FrameHead, RecordKind};
use engine::time::Nanos;
use feeds::codec::{DecodeError, DecodeErrorKind};
use feeds::stage::{Frame, FrameSource, SourcePoll};
use std::sync::mpsc::SyncSender;
use zerocopy::FromBytes;

/// Frames and timers of a journal, in their order.
pub(crate) struct JournalSource {
    records: Records,
    connections: usize,
    next: Next,
    failed: SyncSender<String>,
}

/// What the source has in hand.
#[derive(Clone, Copy)]
enum Next {
    /// Nothing: the next record is to be read.
    Unread,
    /// The record read last was looked at only: it is next.
    Read,
    /// The frame that is the record read last.
    Frame(FrameHead, Nanos),
    /// A capture's line that was none, and the offset of its error; whether the record read last is behind it.
    Clockless(FrameHead, Nanos, u32, bool),
    /// Time passed.
    Timer(Nanos),
    /// A connection was opened or lost.
    Connection(ConnectionChange, Nanos),
    /// Nothing any more.
    End,
}

impl JournalSource {
    /// A source over the records of the feed's lane. What ends it before their end goes to `failed`.
    pub(crate) fn new(records: Records, connections: usize, failed: SyncSender<String>) -> Self {
        Self { records, connections, next: Next::Unread, failed }
    }

    /// Sequence of the record that was read last; 0: none.
    pub(crate) fn seq(&self) -> u64 {
        self.records.current().map_or(0, |view| view.seq)
    }

    /// Finds the next frame or timer. Err: a record that cannot be read, with its place.
    fn find(&mut self) -> Result<Next, String> {
        loop {
            if matches!(self.next, Next::Unread) && self.read()?.is_none() {
                return Ok(Next::End);
            }
            self.next = Next::Unread;
            let Some(view) = self.records.current() else { return Ok(Next::End) };
            let at = view.entry.recv_ns;
            match RecordKind::from_u16(view.entry.kind) {
                Some(RecordKind::Timer) => return Ok(Next::Timer(at)),
                Some(RecordKind::Connection) => {
                    let change = ConnectionChange::read_from_bytes(view.body);
                    let change = change.map_err(|_| {
                        format!("record feed:{}: a connection of {} bytes", view.seq, view.body.len())
                    })?;
                    return Ok(Next::Connection(change, at));
                }
                Some(RecordKind::Frame) => {}
                _ => continue,
            }
            let fail = |what: &str| format!("record feed:{}: {what}", view.seq);
            let Ok((head, _)) = FrameHead::read_from_prefix(view.body) else {
                return Err(fail(&format!("a frame of {} bytes", view.body.len())));
            };
            if usize::from(head.connection) >= self.connections {
                return Err(fail(&format!("a frame of connection {}, which is not there", head.connection)));
            }
            if head.clockless == 0 {
                return Ok(Next::Frame(head, at));
            }
            // The error that follows says where the line went wrong.
            let after = self.read()?;
            let is_read = after.is_some();
            let offset = after.and_then(|view| {
                let text = std::str::from_utf8(view.body).ok()?;
                text.rsplit_once(' ')?.1.parse().ok()
            });
            return Ok(Next::Clockless(head, at, offset.unwrap_or(0), is_read));
        }
    }

    fn read(&mut self) -> Result<Option<View<'_>>, String> {
        self.records.next().map_err(|problem| problem.to_string())
    }
}

impl FrameSource for JournalSource {
    fn poll(&mut self) -> SourcePoll<'_> {
        if matches!(self.next, Next::Unread | Next::Read) {
            self.next = self.find().unwrap_or_else(|error| {
                // The receiver is gone only when nobody wants to know.
                let _ = self.failed.send(error);
                Next::End
            });
        }
        let frame = |head: FrameHead, recv_ns, bytes| {
            let (connection, line) = (ConnectionId(head.connection), head.line);
            SourcePoll::Ready(Frame { connection, line, recv_ns, behind_ns: 0, clock_fault: false, bytes })
        };
        match self.next {
            Next::Frame(head, at) => {
                let body = self.records.current().map_or(&[][..], |view| view.body);
                frame(head, at, Ok(body.get(size_of::<FrameHead>()..).unwrap_or_default()))
            }
            Next::Clockless(head, at, offset, _) => {
                frame(head, at, Err(DecodeError { kind: DecodeErrorKind::NoReceiveTime, key: "", offset }))
            }
            Next::Timer(at) => SourcePoll::Timer(at),
            Next::Connection(change, at) => {
                SourcePoll::Connection(ConnectionId(change.connection), change.is_open == 1, at)
            }
            Next::Unread | Next::Read | Next::End => SourcePoll::End,
        }
    }

    fn consume(&mut self) {
        self.next = match self.next {
            Next::Clockless(.., true) => Next::Read,
            Next::End => Next::End,
            _ => Next::Unread,
        };
    }
}
