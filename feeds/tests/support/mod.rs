//! The recorded market data that the tests stand on, and its instruments.
#![allow(dead_code, reason = "each test binary uses its part")]

use engine::ids::InstrumentId;
use engine::instrument::{ContractKind, Instrument, InstrumentTable, PriceRule, Status};
use engine::num::{Decimal, Qty, Step};
use feeds::capture::{CaptureReader, Next, split_line};
use std::path::PathBuf;

/// A file of the shared data; missing data fails the test.
pub(crate) fn shared(path: &str) -> PathBuf {
    let path = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared")).join(path);
    assert!(path.exists(), "the shared test data lacks {}", path.display());
    path
}

/// The captures: file, venue, symbol.
pub(crate) const CAPTURES: [(&str, &str, &str); 5] = [
    ("captures/usdm/btcusdt_20240808.gz", "binance-usdm", "BTCUSDT"),
    ("captures/spot/btcusdt_20240808.gz", "binance-spot", "BTCUSDT"),
    ("captures/spot/btcusdt_20240809.gz", "binance-spot", "BTCUSDT"),
    ("captures/cm/btcusd_perp_20240808.gz", "binance-coinm", "BTCUSD_PERP"),
    ("captures/hyperliquid/btcusd_20250126.gz", "hyperliquid", "BTC"),
];

/// The messages of a capture.
pub(crate) fn messages(path: &str) -> Vec<Vec<u8>> {
    let mut reader = CaptureReader::open(shared(path)).unwrap();
    let mut messages = Vec::new();
    loop {
        match reader.wait() {
            Next::Line(line) => messages.push(split_line(line.bytes).unwrap().1.to_vec()),
            Next::NotYet => unreachable!(),
            Next::End => return messages,
            Next::Failed(error) => panic!("{error}"),
        }
    }
}

/// An instrument with the captures' steps.
pub(crate) fn instrument(venue: &str, symbol: &str) -> Instrument {
    let (tick, unit, kind) = match venue {
        "binance-spot" => ("0.01", "0.00000001", ContractKind::Spot),
        "binance-usdm" => ("0.10", "0.001", ContractKind::Linear),
        "binance-coinm" => ("0.1", "1", ContractKind::Inverse),
        "hyperliquid" => ("0.1", "0.00001", ContractKind::Linear),
        _ => panic!("{venue}"),
    };
    with_steps(venue, symbol, kind, tick, unit)
}

/// An instrument of which only the steps matter.
pub(crate) fn with_steps(
    venue: &str,
    symbol: &str,
    kind: ContractKind,
    tick: &str,
    unit: &str,
) -> Instrument {
    let step = |text: &str| Step::parse(text.as_bytes()).unwrap();
    let instrument = Instrument {
        id: InstrumentId(0),
        venue_id: engine::ids::VenueId(0),
        venue: venue.into(),
        symbol: symbol.into(),
        base: "BTC".into(),
        quote: "USDT".into(),
        kind,
        price_rule: PriceRule { tick: step(tick), significant_figures: None },
        qty_unit: step(unit),
        lot: Qty(1),
        qty_min: Qty(1),
        qty_max: Qty(i64::MAX),
        notional_min: Decimal::ZERO,
        contract_size: Step::ONE,
        status: Status::Trading,
        source: "test".into(),
    };
    let mut table = InstrumentTable::default();
    let id = table.add(instrument);
    table.get(id).unwrap().clone()
}
