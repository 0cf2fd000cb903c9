//! Hyperliquid market data: whole books of up to 20 levels a side, and trades. No sequence numbers, no
//! changes, no checksum: a book heals by the next one, and is as old as its `time`.

mod general;
pub mod instruments;

use crate::codec::{Chain, DecodeError, Decoded, Event, FeedCodec, SyncState};
use crate::json::JsonReader;
use crate::venues::CarriedTable;
use engine::ids::InstrumentId;
use engine::instrument::Instrument;
use engine::message::Depth;

/// Significant figures of an order price.
pub(crate) const PRICE_FIGURES: u8 = 5;

/// Decodes the frames of one connection. Every frame goes to the general decoder: two books a second and
/// instrument leave a scanner nothing to win.
#[derive(Debug)]
pub struct HyperliquidCodec {
    instruments: CarriedTable,
    json: JsonReader,
    general_count: u64,
}

impl HyperliquidCodec {
    /// A codec for a connection that carries `instruments`. Takes all the memory it will need.
    #[must_use]
    pub fn new(instruments: &[(InstrumentId, &Instrument)]) -> Self {
        Self { instruments: CarriedTable::new(instruments), json: JsonReader::new(), general_count: 0 }
    }
}

impl FeedCodec for HyperliquidCodec {
    fn decode(&mut self, frame: &[u8], out: &mut Decoded) -> Result<Event, DecodeError> {
        self.general_count += 1;
        out.trades.clear();
        self.json.read(frame, |root| general::message(&self.instruments, root, out))
    }

    /// The venue sends whole books only: there are no updates, so one that turns up follows nothing.
    fn chain(&self, _state: &SyncState, _update: &Depth) -> Chain {
        Chain::Gap
    }

    fn general_count(&self) -> u64 {
        self.general_count
    }

    /// The first message of a subscription is recent history (from the project's dossier of 21 Nov 2026), and `tid`,
    /// as recorded, does not rise.
    fn resends_trades(&self) -> bool {
        true
    }
}
