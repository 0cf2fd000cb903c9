//! Hyperliquid begins each subscription with the last trades: a recording that goes over a reconnect holds them twice,
//! and nobody behind the feed stage may see a print twice.

mod support;

use engine::ids::{ConnectionId, InstrumentId, Lane, VenueId};
use engine::instrument::InstrumentTable;
use engine::journal::Writer;
use engine::message::{FIRST_OF_FRAME, Kind, Message, Trade};
use engine::runner::{Control, Source, Step};
use engine::stage::Sink;
use engine::stage_log::StageLog;
use engine::time::{Nanos, StampClock};
use feeds::stage::{Connection, FeedConfig, FeedStage, Frame, FrameSource, SourcePoll};
use feeds::venues::AnyCodec;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use support::{instrument, messages};

/// Frames, each on the connection beside it.
struct Frames {
    frames: Vec<(u16, Vec<u8>)>,
    at: usize,
}

impl FrameSource for Frames {
    fn poll(&mut self) -> SourcePoll<'_> {
        let Some((connection, bytes)) = self.frames.get(self.at) else { return SourcePoll::End };
        SourcePoll::Ready(Frame {
            connection: ConnectionId(*connection),
            line: 1,
            recv_ns: Nanos(1),
            behind_ns: 0,
            clock_fault: false,
            bytes: Ok(bytes),
        })
    }

    fn consume(&mut self) {
        self.at += 1;
    }
}

/// The prints that were sent on, and whether each was its frame's first message.
#[derive(Default)]
struct Prints(Vec<(Trade, bool)>);

impl Sink for Prints {
    fn send(&mut self, message: Message<'_>) -> bool {
        if message.head.kind() == Some(Kind::Trade) {
            let is_first = message.head.flags & FIRST_OF_FRAME != 0;
            self.0.push((*message.body_as::<Trade>().unwrap(), is_first));
        }
        true
    }
    fn has_room(&mut self) -> bool {
        true
    }
    fn settle(&mut self) -> u32 {
        0
    }
    fn advance(&mut self, _now: Nanos) -> u32 {
        0
    }
    fn is_settled(&self) -> bool {
        true
    }
    fn halt(&mut self) {}
}

/// The prints that frames lead to, and the copies among them.
fn prints(frames: Vec<(u16, Vec<u8>)>) -> (Vec<(Trade, bool)>, u64) {
    let mut table = InstrumentTable::default();
    table.add(instrument("hyperliquid", "BTC"));
    let btc = InstrumentId(0);
    let connection = || {
        let carried = [(btc, table.get(btc).unwrap())];
        Connection { codec: AnyCodec::new("hyperliquid", &carried).unwrap(), venue: VenueId(0) }
    };
    let config = FeedConfig { timer_ns: Nanos(0), resync_buffer_bytes: 1 << 16, renew_ns: Nanos(0) };
    let log = StageLog::new(Writer::off(Lane::Feed), Arc::new(Control::default()), 0);
    let (done, report) = sync_channel(1);
    let (source, connections) = (Frames { frames, at: 0 }, vec![connection(), connection()]);
    let mut stage = FeedStage::new(source, connections, &table, config, log, StampClock::off(), done);
    let mut prints = Prints::default();
    while stage.step(&mut prints) != Step::Ended {}
    drop(stage);
    (prints.0, report.recv().unwrap().copies)
}

#[test]
fn a_recording_over_a_reconnect_has_each_print_once() {
    let once: Vec<_> = messages("captures/hyperliquid/btcusd_20250126.gz");
    let (recorded, copies) = prints(once.iter().map(|bytes| (0, bytes.clone())).collect());
    assert_eq!((recorded.len(), copies), (64, 0));
    let history = once.iter().find(|bytes| bytes.starts_with(b"{\"channel\":\"trades\"")).unwrap();
    let print = r#",{"coin":"BTC","side":"B","px":"105056.0","sz":"0.001","time":1737918868400,"tid":5}]}"#;
    let mut longer = history.strip_suffix(b"]}").unwrap().to_vec();
    longer.extend_from_slice(print.as_bytes());
    // The same file goes on, or another one begins.
    for connection in [0, 1] {
        let again = [history.clone(), longer.clone()].map(|bytes| (connection, bytes));
        let all = once.iter().map(|bytes| (0, bytes.clone())).chain(again).collect();
        let (told, copies) = prints(all);
        assert_eq!(copies, 60, "thirty prints of history, twice");
        assert_eq!(told[..64], recorded);
        let (new, is_first) = told[64];
        assert_eq!((told.len(), new.last_id, is_first), (65, 5, true), "its frame's first message");
    }
}
