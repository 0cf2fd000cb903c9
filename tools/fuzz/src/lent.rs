//! Codecs that are used again: a codec takes the memory of its longest frame, and a stage owns its codecs.

use crate::markets::Market;
use engine::message::Depth;
use feeds::codec::{Chain, DecodeError, Decoded, Event, FeedCodec, SyncState};
use feeds::venues::AnyCodec;
use std::sync::{Mutex, PoisonError};

/// A codec that goes back when it is dropped.
#[derive(Debug)]
pub(crate) struct LentCodec {
    market: &'static str,
    codec: Option<AnyCodec>,
    counted_before: u64,
}

static IDLE: Mutex<Vec<(&str, AnyCodec)>> = Mutex::new(Vec::new());

impl LentCodec {
    /// A codec for a market, used before or new.
    ///
    /// # Panics
    /// The market is of a venue that has no codec.
    #[must_use]
    pub(crate) fn of(market: &Market) -> Self {
        let mut idle = IDLE.lock().unwrap_or_else(PoisonError::into_inner);
        let found = idle.iter().position(|(name, _)| *name == market.name);
        let codec = found.map(|index| idle.swap_remove(index).1);
        drop(idle);
        let codec = codec.or_else(|| AnyCodec::new(market.venue, &market.carried()));
        assert!(codec.is_some(), "no codec for {}", market.venue);
        let counted_before = codec.as_ref().map_or(0, FeedCodec::general_count);
        Self { market: market.name, codec, counted_before }
    }
}

impl FeedCodec for LentCodec {
    fn decode(&mut self, frame: &[u8], out: &mut Decoded) -> Result<Event, DecodeError> {
        self.codec.as_mut().map_or(Ok(Event::Other), |codec| codec.decode(frame, out))
    }

    fn chain(&self, state: &SyncState, update: &Depth) -> Chain {
        self.codec.as_ref().map_or(Chain::Gap, |codec| codec.chain(state, update))
    }

    fn general_count(&self) -> u64 {
        self.codec.as_ref().map_or(0, FeedCodec::general_count) - self.counted_before
    }
}

impl Drop for LentCodec {
    fn drop(&mut self) {
        if let Some(codec) = self.codec.take()
            && !std::thread::panicking()
        {
            IDLE.lock().unwrap_or_else(PoisonError::into_inner).push((self.market, codec));
        }
    }
}
