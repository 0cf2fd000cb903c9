//! Binance market data: spot, USD-M and COIN-M futures are values of one room.
//!
//! Frames come raw or wrapped (`{"stream":..,"data":..}`); a REST depth snapshot may stand among them. The
//! streams and the synchronisation rule: <https://developers.binance.com/docs/binance-spot-api-docs/web-socket-streams>,
//! <https://developers.binance.com/docs/derivatives/usds-margined-futures/websocket-market-streams/How-to-manage-a-local-order-book-correctly>
//! (from the project's dossier of 21 Nov 2026).

mod general;
pub mod instruments;
mod scan;
pub mod streams;

use crate::codec::{Chain, DecodeError, Decoded, Event, FeedCodec, SyncState};
use crate::json::JsonReader;
use crate::venues::CarriedTable;
use engine::ids::InstrumentId;
use engine::instrument::Instrument;
use engine::message::Depth;
use scan::Scanner;

/// What is traded on a connection; the messages of the three differ a little.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Product {
    /// Spot and margin.
    Spot,
    /// Futures margined in a stable coin.
    UsdM,
    /// Futures margined in the base coin.
    CoinM,
}

impl Product {
    /// Whether messages have the futures' extra keys (`T`, `pu`) and chain by `pu`.
    #[must_use]
    pub const fn is_futures(self) -> bool {
        !matches!(self, Self::Spot)
    }
}

/// Decodes the frames of one connection.
#[derive(Debug)]
pub struct BinanceCodec {
    product: Product,
    instruments: CarriedTable,
    scanner: Scanner,
    json: JsonReader,
    general_count: u64,
}

impl BinanceCodec {
    /// A codec for a connection that carries `instruments` of `product`. Takes all the memory it will need.
    #[must_use]
    pub fn new(product: Product, instruments: &[(InstrumentId, &Instrument)]) -> Self {
        let instruments = CarriedTable::new(instruments);
        let scanner = Scanner::new(product, &instruments);
        Self { product, instruments, scanner, json: JsonReader::new(), general_count: 0 }
    }

    /// Decodes `frame` by the general decoder alone: what the scanners must agree with. Not counted.
    /// Err: as [`FeedCodec::decode`].
    #[cold]
    pub fn decode_general(&mut self, frame: &[u8], out: &mut Decoded) -> Result<Event, DecodeError> {
        out.trades.clear();
        let (product, instruments) = (self.product, &self.instruments);
        self.json.read(frame, |root| general::message(product, instruments, root, out))
    }
}

impl FeedCodec for BinanceCodec {
    #[inline]
    fn decode(&mut self, frame: &[u8], out: &mut Decoded) -> Result<Event, DecodeError> {
        out.trades.clear();
        if let Some(event) = self.scanner.scan(&self.instruments, frame, out) {
            return Ok(event);
        }
        self.general_count += 1;
        self.decode_general(frame, out)
    }

    /// Futures: obsolete before the snapshot's id, first update spans it, then `pu` is the id before. Spot:
    /// obsolete up to the snapshot's id, every update begins one after the id before (the first may begin
    /// earlier).
    fn chain(&self, state: &SyncState, update: &Depth) -> Chain {
        if self.product.is_futures() {
            chain_by_prev_id(state, update)
        } else {
            chain_by_first_id(state, update)
        }
    }

    fn general_count(&self) -> u64 {
        self.general_count
    }
}

fn chain_by_prev_id(state: &SyncState, update: &Depth) -> Chain {
    if !state.first_applied {
        return match state.snapshot_id {
            id if update.last_id < id => Chain::Stale,
            id if update.first_id <= id => Chain::Apply,
            _ => Chain::Gap,
        };
    }
    if update.prev_id == state.last_id {
        Chain::Apply
    } else if update.last_id <= state.last_id {
        Chain::Stale
    } else {
        Chain::Gap
    }
}

fn chain_by_first_id(state: &SyncState, update: &Depth) -> Chain {
    let last_id = if state.first_applied { state.last_id } else { state.snapshot_id };
    let next_id = last_id.saturating_add(1);
    if update.last_id <= last_id {
        Chain::Stale
    } else if update.first_id == next_id || (!state.first_applied && update.first_id < next_id) {
        Chain::Apply
    } else {
        Chain::Gap
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn update(first_id: u64, last_id: u64, prev_id: u64) -> Depth {
        Depth { first_id, last_id, prev_id, ..Depth::default() }
    }

    fn fresh(snapshot_id: u64) -> SyncState {
        SyncState { snapshot_id, last_id: snapshot_id, first_applied: false }
    }

    fn running(snapshot_id: u64, last_id: u64) -> SyncState {
        SyncState { snapshot_id, last_id, first_applied: true }
    }

    #[test]
    fn futures_updates_chain_by_the_previous_id() {
        let codec = BinanceCodec::new(Product::UsdM, &[]);
        for (state, update, expected) in [
            // Before the first applied update: U <= L <= u.
            (fresh(500), update(480, 499, 470), Chain::Stale),
            (fresh(500), update(480, 500, 470), Chain::Apply),
            (fresh(500), update(480, 505, 470), Chain::Apply), // the dossier's example
            (fresh(500), update(500, 505, 470), Chain::Apply),
            (fresh(500), update(500, 500, 470), Chain::Apply),
            (fresh(500), update(501, 505, 500), Chain::Gap),
            (fresh(0), update(1, 5, 0), Chain::Gap),
            // After it: pu == last u, whatever U is.
            (running(500, 505), update(510, 512, 505), Chain::Apply),
            (running(500, 512), update(521, 525, 520), Chain::Gap),
            (running(500, 512), update(510, 512, 505), Chain::Stale),
            (running(500, 512), update(480, 505, 470), Chain::Stale),
            (running(500, 512), update(513, 520, 511), Chain::Gap),
            (running(500, 512), update(513, 513, 512), Chain::Apply),
        ] {
            assert_eq!(codec.chain(&state, &update), expected, "{state:?} {update:?}");
        }
    }

    #[test]
    fn spot_updates_chain_by_the_first_id() {
        let codec = BinanceCodec::new(Product::Spot, &[]);
        for (state, update, expected) in [
            // Before the first applied update: U <= L + 1 <= u.
            (fresh(1000), update(990, 998, 0), Chain::Stale), // the dossier's example
            (fresh(1000), update(990, 1000, 0), Chain::Stale),
            (fresh(1000), update(999, 1003, 0), Chain::Apply),
            (fresh(1000), update(1001, 1001, 0), Chain::Apply),
            (fresh(1000), update(1002, 1003, 0), Chain::Gap),
            (fresh(998), update(999, 1003, 0), Chain::Apply),
            // After it: U == last u + 1.
            (running(1000, 1003), update(1004, 1004, 0), Chain::Apply),
            (running(1000, 1004), update(1006, 1008, 0), Chain::Gap),
            (running(1000, 1004), update(1004, 1004, 0), Chain::Stale),
            (running(1000, 1004), update(999, 1003, 0), Chain::Stale),
            (running(1000, 1004), update(1004, 1008, 0), Chain::Gap),
            (running(1000, 1004), update(1005, 1008, 0), Chain::Apply),
            (running(u64::MAX, u64::MAX), update(1, 5, 0), Chain::Stale),
        ] {
            assert_eq!(codec.chain(&state, &update), expected, "{state:?} {update:?}");
        }
    }
}
