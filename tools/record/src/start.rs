//! Whether a file can be replayed alone: its book starts from a snapshot, and the file's first update must not lie
//! behind it.

use engine::message::Depth;
use feeds::codec::{Chain, Event, FeedCodec, SyncState};

/// What a file has so far of what its book starts from.
#[derive(Debug, Default)]
pub(crate) struct Start {
    first_update: Option<Depth>,
    snapshot_id: Option<u64>,
    is_there: bool,
}

impl Start {
    /// Takes a frame of the file, as `codec` decoded it.
    pub(crate) fn take(&mut self, event: Event, depth: &Depth, codec: &impl FeedCodec) {
        if self.is_there && self.first_update.is_some() {
            return;
        }
        match event {
            Event::Delta if self.first_update.is_none() => self.first_update = Some(*depth),
            Event::Snapshot => self.snapshot_id = Some(depth.last_id),
            _ => return,
        }
        self.is_there = match (self.snapshot_id, &self.first_update) {
            (Some(id), Some(update)) => {
                // One that was asked for before the file began may be older than all of its updates.
                let state = SyncState { snapshot_id: id, last_id: id, first_applied: false };
                codec.chain(&state, update) != Chain::Gap
            }
            (snapshot_id, _) => snapshot_id.is_some(),
        };
    }

    /// Whether the file has it.
    pub(crate) const fn is_there(&self) -> bool {
        self.is_there
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use feeds::venues::binance::{BinanceCodec, Product};

    #[test]
    fn a_file_starts_from_a_snapshot_that_its_first_update_follows() {
        let codec = BinanceCodec::new(Product::Spot, &[]);
        let update = |first_id, last_id| (Event::Delta, Depth { first_id, last_id, ..Depth::default() });
        let snapshot = |id| (Event::Snapshot, Depth { first_id: id, last_id: id, ..Depth::default() });
        let ticker = (Event::Ticker, Depth::default());
        for (frames, expected) in [
            (&[ticker][..], false),
            (&[snapshot(5)], true),
            (&[update(5, 8)], false),
            (&[update(5, 8), snapshot(6)], true),
            (&[update(5, 8), update(9, 10), snapshot(9)], true),
            // Of before the file: what lies between is in another one.
            (&[update(5, 8), snapshot(3)], false),
            (&[snapshot(3), update(5, 8)], false),
            (&[snapshot(3), update(5, 8), update(9, 9), snapshot(9)], true),
            (&[snapshot(4), update(5, 8), snapshot(2)], true),
        ] {
            let mut start = Start::default();
            frames.iter().for_each(|(event, depth)| start.take(*event, depth, &codec));
            assert_eq!(start.is_there(), expected, "{frames:?}");
        }
    }
}
