//! The feed stage over live sockets, with everything that it takes written down before it is looked at. That the stage
//! follows the streams makes the recorder ask for snapshots when books need them, find silent streams, and say at the
//! end what the recording is worth.

use crate::file::Captures;
use engine::ids::{ConnectionId, InstrumentId};
use engine::instrument::InstrumentTable;
use engine::time::Nanos;
use feeds::codec::{Decoded, FeedCodec};
use feeds::live::{LivePlan, LiveSource};
use feeds::stage::{Frame, FrameSource, SourcePoll};
use feeds::venues::AnyCodec;

/// A source whose frames are written down, each into the captures of its instrument.
pub(crate) struct Recorder {
    source: LiveSource,
    /// By connection: what tells whose frame it is.
    codecs: Vec<AnyCodec>,
    /// Whom a connection's frames are about where they do not say it.
    carried: Vec<Vec<InstrumentId>>,
    decoded: Box<Decoded>,
    /// By instrument.
    captures: Vec<Captures>,
    failed: std::sync::mpsc::SyncSender<String>,
    is_over: bool,
    /// Frames that no instrument of ours is named in.
    others: u64,
}

impl Recorder {
    /// Records what `source`, made for `plan`, brings. What ends the recording goes to `failed`.
    /// None: a venue without a decoder.
    pub(crate) fn new(
        source: LiveSource,
        plan: &LivePlan,
        table: &InstrumentTable,
        captures: Vec<Captures>,
        failed: std::sync::mpsc::SyncSender<String>,
    ) -> Option<Self> {
        let codec = |instruments: &Vec<InstrumentId>| {
            let carried: Vec<_> = instruments.iter().filter_map(|id| Some((*id, table.get(*id)?))).collect();
            AnyCodec::new(&carried.first()?.1.venue, &carried)
        };
        let carried: Vec<_> = plan.connections.iter().map(|one| one.instruments.clone()).collect();
        Some(Self {
            source,
            codecs: carried.iter().map(codec).collect::<Option<_>>()?,
            carried,
            decoded: Box::default(),
            captures,
            failed,
            is_over: false,
            others: 0,
        })
    }

    /// A line that says what happened to a connection: in every capture that it brings frames for.
    fn mark(&mut self, connection: ConnectionId, is_open: bool, now: Nanos) -> Result<(), String> {
        let what = if is_open { "opened" } else { "lost" };
        let text = format!(r#"{{"e":"recorder","connection":{connection},"what":"{what}"}}"#);
        for instrument in self.carried.get(connection.index()).into_iter().flatten() {
            if let Some(captures) = self.captures.get_mut(instrument.index())
                && captures.line(now, text.as_bytes())?
            {
                self.source.want_snapshot(*instrument);
            }
        }
        Ok(())
    }

    /// Writes the frame in hand down.
    fn keep(&mut self) -> Result<(), String> {
        let Self { source, codecs, carried, decoded, captures, others, .. } = self;
        let SourcePoll::Ready(Frame { connection, recv_ns, bytes: Ok(bytes), .. }) = source.poll() else {
            return Ok(());
        };
        let only = carried.get(connection.index()).filter(|ids| ids.len() == 1).map(|ids| ids[0]);
        let decoded = codecs.get_mut(connection.index()).and_then(|codec| {
            codec.decode(bytes, decoded).ok()?;
            Some(decoded.instrument)
        });
        let id = only.or(decoded);
        let Some((id, captures)) = id.and_then(|id| Some((id, captures.get_mut(id.index())?))) else {
            *others += 1;
            return Ok(());
        };
        // A file has a snapshot of its own.
        if captures.line(recv_ns, bytes)? {
            source.want_snapshot(id);
        }
        Ok(())
    }

    fn fail(&mut self, what: String) {
        self.is_over = true;
        // The first failure is the one that ended it.
        let _ = self.failed.try_send(what);
    }
}

impl FrameSource for Recorder {
    fn poll(&mut self) -> SourcePoll<'_> {
        if self.is_over {
            return SourcePoll::End;
        }
        if let Some((connection, is_open, now)) = self.source.next_change() {
            if let Err(what) = self.mark(connection, is_open, now) {
                self.fail(what);
                return SourcePoll::End;
            }
            return SourcePoll::Connection(connection, is_open, now);
        }
        self.source.poll()
    }

    fn consume(&mut self) {
        if let Err(what) = self.keep() {
            self.fail(what);
        }
        self.source.consume();
    }

    fn want_snapshot(&mut self, instrument: InstrumentId) {
        self.source.want_snapshot(instrument);
    }

    fn reopen(&mut self, connection: ConnectionId) {
        self.source.reopen(connection);
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        for captures in &mut self.captures {
            if let Err(what) = captures.close() {
                let _ = self.failed.try_send(what);
            }
        }
    }
}
