//! The feed stage over live sockets, with everything that it takes written down before it is looked at. That the stage
//! follows the streams makes the recorder ask for snapshots when books need them, find silent streams, and say at the
//! end what the recording is worth.

use crate::file::Captures;
use engine::ids::{ConnectionId, InstrumentId};
use engine::instrument::InstrumentTable;
use engine::time::Nanos;
use feeds::codec::{Decoded, Event, FeedCodec};
use feeds::live::{LivePlan, LiveSource};
use feeds::stage::{Frame, FrameSource, SourcePoll};
use feeds::venues::AnyCodec;
use serde_json::Value;

/// A source whose frames are written down, each into the captures of its instrument; one that is nobody's, into all
/// that its connection brings frames for.
pub(crate) struct Recorder {
    source: LiveSource,
    /// By connection: what tells whose frame it is.
    codecs: Vec<AnyCodec>,
    /// By connection: whom its frames are about.
    carried: Vec<Vec<InstrumentId>>,
    decoded: Box<Decoded>,
    /// By instrument, as are its captures.
    symbols: Vec<String>,
    captures: Vec<Captures>,
    failed: std::sync::mpsc::SyncSender<String>,
    is_over: bool,
}

impl Recorder {
    /// Records what `source`, made for `plan`, brings; `codecs` are its connections'. What ends the recording goes to
    /// `failed`.
    pub(crate) fn new(
        source: LiveSource,
        plan: &LivePlan,
        codecs: Vec<AnyCodec>,
        table: &InstrumentTable,
        captures: Vec<Captures>,
        failed: std::sync::mpsc::SyncSender<String>,
    ) -> Self {
        Self {
            source,
            codecs,
            carried: plan.connections.iter().map(|one| one.instruments.clone()).collect(),
            decoded: Box::default(),
            symbols: table.iter().map(|one| one.symbol.clone()).collect(),
            captures,
            failed,
            is_over: false,
        }
    }

    /// A line that says what happened to a connection: in every capture that it brings frames for.
    fn mark(&mut self, connection: ConnectionId, is_open: bool, now: Nanos) -> Result<(), String> {
        let what = if is_open { "opened" } else { "lost" };
        let text = format!(r#"{{"e":"recorder","connection":{connection},"what":"{what}"}}"#);
        for instrument in self.carried.get(connection.index()).into_iter().flatten() {
            if let Some(captures) = self.captures.get_mut(instrument.index())
                && !captures.line(now, text.as_bytes())?.is_there()
            {
                self.source.want_snapshot(*instrument);
            }
        }
        Ok(())
    }

    /// Writes the frame in hand down.
    fn keep(&mut self) -> Result<(), String> {
        let Self { source, codecs, carried, decoded, symbols, captures, .. } = self;
        let SourcePoll::Ready(Frame { connection, recv_ns, bytes: Ok(bytes), .. }) = source.poll() else {
            return Ok(());
        };
        let index = connection.index();
        let (Some(codec), Some(carried)) = (codecs.get_mut(index), carried.get(index)) else { return Ok(()) };
        // What is of no use to the engine leaves in `decoded` what was there before.
        let event = codec.decode(bytes, decoded).ok().filter(|event| *event != Event::Other);
        let whose = match event {
            Some(_) => Some(decoded.instrument),
            None => named(bytes, carried, symbols),
        };
        let whose = whose.as_ref().map_or(&carried[..], std::slice::from_ref);
        let mut unstarted = Vec::new();
        for id in whose {
            let Some(captures) = captures.get_mut(id.index()) else { continue };
            let start = captures.line(recv_ns, bytes)?;
            if let Some(event) = event {
                start.take(event, decoded.depth.depth(), codec);
            }
            if !start.is_there() {
                unstarted.push(*id);
            }
        }
        // Asked again with every frame: a request may fail, and one is on its way at a time.
        unstarted.into_iter().for_each(|id| source.want_snapshot(id));
        Ok(())
    }

    fn fail(&mut self, what: String) {
        self.is_over = true;
        // The first failure is the one that ended it.
        let _ = self.failed.try_send(what);
    }
}

/// The instrument that a frame names of which the decoder makes nothing: that of a price between two ticks, say.
/// None: it names none of those `carried`.
fn named(frame: &[u8], carried: &[InstrumentId], symbols: &[String]) -> Option<InstrumentId> {
    let frame: Value = serde_json::from_slice(frame).ok()?;
    let symbol = frame.get("data").unwrap_or(&frame).get("s")?.as_str()?;
    carried.iter().copied().find(|id| symbols.get(id.index()).is_some_and(|known| known == symbol))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_that_cannot_be_used_is_its_instruments_where_it_names_one_of_the_connections() {
        let symbols = ["BTCUSDT", "ETHUSDT", "BNBUSDT"].map(str::to_owned);
        let carried = [InstrumentId(0), InstrumentId(1)];
        let named = |frame: &str| named(frame.as_bytes(), &carried, &symbols);
        assert_eq!(named(r#"{"stream":"x","data":{"e":"trade","s":"ETHUSDT","X":"NA"}}"#), Some(carried[1]));
        assert_eq!(named(r#"{"e":"trade","s":"BTCUSDT"}"#), Some(carried[0]));
        for nobodys in
            [r#"{"result":null,"id":1}"#, r#"{"e":"x","s":"BNBUSDT"}"#, r#"{"s":1}"#, "[]", "{", "\u{fffd}"]
        {
            assert_eq!(named(nobodys), None, "{nobodys}");
        }
    }
}
