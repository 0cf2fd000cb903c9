//! The instruments and codecs that market data is decoded with, and the recorded messages.

use engine::ids::InstrumentId;
use engine::instrument::{ContractKind, Instrument, InstrumentTable, PriceRule, Status};
use engine::num::{Decimal, Qty, Step};
use feeds::capture::{CaptureReader, Next};
use std::path::PathBuf;

/// One market: what a connection carries.
#[derive(Clone, Debug)]
pub(crate) struct Market {
    /// First line of an input: `spot`, `usdm`, `coinm` or `perp`, with `2` behind it where the connection
    /// carries two instruments.
    pub(crate) name: &'static str,
    /// As in `feeds::venues::VENUES`.
    pub(crate) venue: &'static str,
    /// The instruments.
    pub(crate) table: InstrumentTable,
}

/// Name, venue, symbol, tick, quantity unit; those of the recorded markets.
const MARKETS: [(&str, &str, &str, &str, &str); 8] = [
    ("spot", "binance-spot", "BTCUSDT", "0.01", "0.00000001"),
    ("usdm", "binance-usdm", "BTCUSDT", "0.10", "0.001"),
    ("coinm", "binance-coinm", "BTCUSD_PERP", "0.1", "1"),
    ("perp", "hyperliquid", "BTC", "0.1", "0.00001"),
    ("spot2", "binance-spot", "BTCUSDT", "0.01", "0.00000001"),
    ("usdm2", "binance-usdm", "BTCUSDT", "0.10", "0.001"),
    ("coinm2", "binance-coinm", "BTCUSD_PERP", "0.1", "1"),
    ("perp2", "hyperliquid", "BTC", "0.1", "0.00001"),
];

impl Market {
    /// All of them.
    #[must_use]
    pub(crate) fn all() -> Vec<Self> {
        let market = |(name, venue, symbol, tick, unit): (&'static str, &'static str, &str, &str, &str)| {
            let mut table = InstrumentTable::default();
            table.add(instrument(venue, symbol, tick, unit));
            if name.ends_with('2') {
                table.add(instrument(venue, "ETHUSDT", "0.25", "0.002"));
            }
            Self { name, venue, table }
        };
        MARKETS.into_iter().map(market).collect()
    }

    /// The market that an input names in its first line, as an index into [`Self::all`], and the rest of the
    /// input. Any other first line belongs to the input, and its bytes choose.
    #[must_use]
    pub(crate) fn choose(data: &[u8]) -> (usize, &[u8]) {
        let end = data.iter().position(|byte| *byte == b'\n').unwrap_or(data.len());
        match MARKETS.iter().position(|market| market.0.as_bytes() == &data[..end]) {
            Some(index) => (index, data.get(end + 1..).unwrap_or_default()),
            None => (data.len() % MARKETS.len(), data),
        }
    }

    /// The instruments with their ids, as codecs take them.
    #[must_use]
    pub(crate) fn carried(&self) -> Vec<(InstrumentId, &Instrument)> {
        self.table.iter().map(|instrument| (instrument.id, instrument)).collect()
    }

    /// Tick and quantity unit of an instrument of this market.
    #[must_use]
    pub(crate) fn steps(&self, id: InstrumentId) -> Option<(Step, Step)> {
        self.table.get(id).map(|instrument| (instrument.price_rule.tick, instrument.qty_unit))
    }

    /// Whether messages chain by the id before (`pu`).
    #[must_use]
    pub(crate) fn is_futures(&self) -> bool {
        matches!(self.venue, "binance-usdm" | "binance-coinm")
    }
}

fn instrument(venue: &str, symbol: &str, tick: &str, unit: &str) -> Instrument {
    let step = |text: &str| Step::parse(text.as_bytes()).unwrap_or(Step::ONE);
    Instrument {
        id: InstrumentId(0),
        venue_id: engine::ids::VenueId(0),
        venue: venue.into(),
        symbol: symbol.into(),
        base: "BTC".into(),
        quote: "USDT".into(),
        kind: ContractKind::Linear,
        price_rule: PriceRule { tick: step(tick), significant_figures: None },
        qty_unit: step(unit),
        lot: Qty(1),
        qty_min: Qty(1),
        qty_max: Qty(i64::MAX),
        notional_min: Decimal::ZERO,
        contract_size: Step::ONE,
        status: Status::Trading,
        source: "fuzz".into(),
    }
}

/// Recorded lines of a market, each `every`th, and all of the first fifty: they lie beside the repository.
///
/// # Panics
/// The recording is not there.
#[must_use]
pub fn recorded(market: &str, every: u64) -> Vec<Vec<u8>> {
    let file = match market {
        "spot" => "spot/btcusdt_20240808.gz",
        "usdm" => "usdm/btcusdt_20240808.gz",
        "coinm" => "cm/btcusd_perp_20240808.gz",
        _ => "hyperliquid/btcusd_20250126.gz",
    };
    let path = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/captures")).join(file);
    let mut reader = CaptureReader::open(&path).unwrap_or_else(|error| panic!("recorded data: {error}"));
    let mut lines = Vec::new();
    while let Next::Line(line) = reader.wait() {
        if line.line_number <= 50 || line.line_number.is_multiple_of(every) {
            lines.push(line.bytes.to_vec());
        }
    }
    lines
}
