//! A frame that was due before it was taken has waited since: its latency begins when it was due.

mod support;

use engine::ids::{ConnectionId, InstrumentId, Lane, VenueId};
use engine::instrument::{ContractKind, InstrumentTable};
use engine::journal::Writer;
use engine::message::{Kind, Message};
use engine::runner::{Control, Source, Step};
use engine::stage::Sink;
use engine::stage_log::StageLog;
use engine::time::{Nanos, StampClock};
use feeds::stage::{Connection, FeedConfig, FeedStage, Frame, FrameSource, SourcePoll};
use feeds::venues::AnyCodec;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use support::with_steps;

const TRADE: &[u8] =
    br#"{"e":"trade","E":1,"T":1,"s":"BTCUSDT","t":7,"p":"0.5","q":"1","X":"MARKET","m":false}"#;

/// The same trade, so long after it was due.
struct Late {
    behind_ns: Vec<u64>,
    given: usize,
}

impl FrameSource for Late {
    fn poll(&mut self) -> SourcePoll<'_> {
        let Some(&behind_ns) = self.behind_ns.get(self.given) else { return SourcePoll::End };
        SourcePoll::Ready(Frame {
            connection: ConnectionId(0),
            line: 1,
            recv_ns: Nanos::SECOND,
            clock_fault: false,
            behind_ns,
            bytes: Ok(TRADE),
        })
    }

    fn consume(&mut self) {
        self.given += 1;
    }
}

/// Ticks from the trades' stamps until they were decoded.
#[derive(Default)]
struct Decoded(Vec<u32>);

impl Sink for Decoded {
    fn send(&mut self, message: Message<'_>) -> bool {
        if message.head.kind() == Some(Kind::Trade) {
            self.0.push(message.head.laps[0].0);
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

#[test]
fn the_time_that_a_frame_was_due_before_it_was_taken_is_part_of_its_latency() {
    let instrument = with_steps("binance-usdm", "BTCUSDT", ContractKind::Linear, "0.1", "0.001");
    let codec = AnyCodec::new("binance-usdm", &[(InstrumentId(0), &instrument)]).unwrap();
    let mut table = InstrumentTable::default();
    table.add(instrument);
    let clock = StampClock::on();
    let source = Late { behind_ns: vec![200_000_000, 900_000_000], given: 0 };
    let config = FeedConfig { timer_ns: Nanos(0), resync_buffer_bytes: 1 << 16, renew_ns: Nanos(0) };
    let log = StageLog::new(Writer::off(Lane::Feed), Arc::new(Control::default()), 0);
    let connections = vec![Connection { codec, venue: VenueId(0) }];
    let (done, _report) = sync_channel(1);
    let mut stage = FeedStage::new(source, connections, &table, config, log, clock.clone(), done);
    let mut decoded = Decoded::default();
    while stage.step(&mut decoded) != Step::Ended {}
    let ns: Vec<u64> = decoded.0.iter().map(|ticks| clock.nanos_of(engine::time::Lap(*ticks))).collect();
    // To a microsecond in a second, which is as well as the counter's rate is known; more only if it takes long.
    assert!(ns.len() == 2 && ns[0] >= 199_999_000 && ns[1] >= 899_999_000, "{ns:?}");
}
