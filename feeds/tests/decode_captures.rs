//! Every message of every capture decodes, and the kinds are as many as an independent count found.

mod support;

use engine::ids::InstrumentId;
use feeds::codec::{Decoded, Event, FeedCodec};
use feeds::venues::AnyCodec;
use std::collections::BTreeMap;
use support::{CAPTURES, instrument, messages};

#[test]
fn every_message_of_every_capture_decodes_to_its_kind() {
    for (path, venue, symbol) in CAPTURES {
        let expected: &[(Event, u64)] = match path {
            "captures/usdm/btcusdt_20240808.gz" => &[
                (Event::Delta, 6_551),
                (Event::Snapshot, 1),
                (Event::Ticker, 66_089),
                (Event::Trades, 21_313),
            ],
            "captures/spot/btcusdt_20240808.gz" => &[
                (Event::Delta, 3_451),
                (Event::Snapshot, 1),
                (Event::Ticker, 28_040),
                (Event::Trades, 9_757),
            ],
            "captures/spot/btcusdt_20240809.gz" => {
                &[(Event::Delta, 3_044), (Event::Ticker, 45_134), (Event::Trades, 10_147)]
            }
            "captures/cm/btcusd_perp_20240808.gz" => &[
                (Event::Delta, 26_847),
                (Event::Snapshot, 1),
                (Event::Ticker, 19_136),
                (Event::Trades, 2_286),
            ],
            _ => &[(Event::Snapshot, 46), (Event::Trades, 9)],
        };
        let instrument = instrument(venue, symbol);
        let mut codec = AnyCodec::new(venue, &[(InstrumentId(7), &instrument)]).unwrap();
        let mut out = Decoded::new();
        let mut counts = BTreeMap::new();
        for message in messages(path) {
            let event = codec.decode(&message, &mut out);
            let event = event.unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&message)));
            assert_eq!(out.instrument, InstrumentId(7));
            *counts.entry(event as u8).or_insert(0_u64) += 1;
        }
        let expected: BTreeMap<_, _> = expected.iter().map(|(event, count)| (*event as u8, *count)).collect();
        assert_eq!(counts, expected, "{path}");
    }
}
