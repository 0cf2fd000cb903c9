//! The venues, one room each, and the choice between them.

pub mod binance;
pub mod hyperliquid;

use crate::codec::{Chain, DecodeError, Decoded, Event, FeedCodec, SyncState};
use binance::{BinanceCodec, Product};
use engine::ids::InstrumentId;
use engine::instrument::Instrument;
use engine::message::Depth;
use engine::num::Step;
use hyperliquid::HyperliquidCodec;
use wire::symbols::SymbolTable;

/// Names of the venues, products included, as in `Instrument::venue` and on the command line.
pub const VENUES: [&str; 4] = ["binance-spot", "binance-usdm", "binance-coinm", "hyperliquid"];

/// The codec of one connection, whichever venue it goes to. The choice is one predictable branch a frame.
#[derive(Debug)]
pub enum AnyCodec {
    /// Spot, USD-M or COIN-M.
    Binance(BinanceCodec),
    /// Perpetuals.
    Hyperliquid(HyperliquidCodec),
}

impl AnyCodec {
    /// The codec for `venue`, one of [`VENUES`], and the instruments that the connection carries.
    /// None: no such venue.
    #[must_use]
    pub fn new(venue: &str, instruments: &[(InstrumentId, &Instrument)]) -> Option<Self> {
        Some(match venue {
            "binance-spot" => Self::Binance(BinanceCodec::new(Product::Spot, instruments)),
            "binance-usdm" => Self::Binance(BinanceCodec::new(Product::UsdM, instruments)),
            "binance-coinm" => Self::Binance(BinanceCodec::new(Product::CoinM, instruments)),
            "hyperliquid" => Self::Hyperliquid(HyperliquidCodec::new(instruments)),
            _ => return None,
        })
    }
}

impl FeedCodec for AnyCodec {
    #[inline]
    fn decode(&mut self, frame: &[u8], out: &mut Decoded) -> Result<Event, DecodeError> {
        match self {
            Self::Binance(codec) => codec.decode(frame, out),
            Self::Hyperliquid(codec) => codec.decode(frame, out),
        }
    }

    #[inline]
    fn chain(&self, state: &SyncState, update: &Depth) -> Chain {
        match self {
            Self::Binance(codec) => codec.chain(state, update),
            Self::Hyperliquid(codec) => codec.chain(state, update),
        }
    }

    fn general_count(&self) -> u64 {
        match self {
            Self::Binance(codec) => codec.general_count(),
            Self::Hyperliquid(codec) => codec.general_count(),
        }
    }

    fn resends_trades(&self) -> bool {
        match self {
            Self::Binance(codec) => codec.resends_trades(),
            Self::Hyperliquid(codec) => codec.resends_trades(),
        }
    }
}

/// What a decoder needs of an instrument.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Carried {
    pub(crate) id: InstrumentId,
    pub(crate) tick: Step,
    pub(crate) unit: Step,
}

/// The instruments that a connection carries, found by the venue's symbol.
#[derive(Debug)]
pub(crate) struct CarriedTable {
    symbols: SymbolTable,
    carried: Vec<Carried>,
}

impl CarriedTable {
    pub(crate) fn new(instruments: &[(InstrumentId, &Instrument)]) -> Self {
        let names = instruments.iter().map(|(_, instrument)| instrument.symbol.as_str());
        let carried = instruments.iter().map(|(id, instrument)| Carried {
            id: *id,
            tick: instrument.price_rule.tick,
            unit: instrument.qty_unit,
        });
        Self { symbols: SymbolTable::new(names.zip(0..)), carried: carried.collect() }
    }

    /// The place in `all` of the instrument with this symbol. None: not carried here.
    #[inline]
    pub(crate) fn index(&self, symbol: &[u8]) -> Option<usize> {
        self.symbols.find(symbol).map(|index| index as usize)
    }

    /// The instrument with this symbol. None: not carried here.
    #[inline]
    pub(crate) fn find(&self, symbol: &[u8]) -> Option<&Carried> {
        self.carried.get(self.index(symbol)?)
    }

    /// All of them, in the order given.
    pub(crate) fn all(&self) -> &[Carried] {
        &self.carried
    }

    /// The instrument, when there is exactly one.
    pub(crate) fn only(&self) -> Option<&Carried> {
        match self.carried.as_slice() {
            [only] => Some(only),
            _ => None,
        }
    }
}
