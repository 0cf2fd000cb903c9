//! Synchronisation and books as the venues' documents tell it, with maps and lists that never run full: what
//! the feed and book stages are compared with.

use crate::lent::LentCodec;
use crate::markets::Market;
use engine::ids::InstrumentId;
use engine::message::Depth;
use engine::num::{Level, Price, Qty};
use feeds::capture::split_line;
use feeds::codec::{Decoded, Event, FeedCodec};
use feeds::sync::SyncCounts;
use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};

/// All instruments of a market after some lines.
#[derive(Debug, Default)]
pub(crate) struct Model {
    /// Those that had a depth message.
    pub(crate) streams: BTreeMap<InstrumentId, ModelStream>,
}

/// One instrument.
#[derive(Debug, Default)]
pub(crate) struct ModelStream {
    book: [BTreeMap<i64, i64>; 2],
    /// The snapshot's id and the last id applied after it, while there is no gap.
    live: Option<(u64, Option<u64>)>,
    whole_book_ns: Option<u64>,
    waiting: VecDeque<Update>,
    broken: bool,
    counts: SyncCounts,
}

#[derive(Clone, Debug)]
struct Update {
    depth: Depth,
    levels: Vec<Level>,
}

enum Fits {
    Follows,
    Old,
    Hole,
}

impl Model {
    /// Takes the lines one by one.
    #[must_use]
    pub(crate) fn of(market: &Market, lines: &[&[u8]]) -> Self {
        thread_local! {
            static OUT: RefCell<Decoded> = RefCell::new(Decoded::new());
        }
        let (mut model, mut codec) = (Self::default(), LentCodec::of(market));
        OUT.with_borrow_mut(|out| {
            for line in lines {
                let Ok((_, frame)) = split_line(line) else { continue };
                let Ok(event @ (Event::Delta | Event::Snapshot)) = codec.decode(frame, out) else { continue };
                let depth = *out.depth.depth();
                let count = (depth.bid_count + depth.ask_count) as usize;
                let update = Update { depth, levels: out.depth.levels_mut()[..count].to_vec() };
                let stream = model.streams.entry(out.instrument).or_default();
                match event {
                    Event::Delta => stream.update(update, market.is_futures()),
                    _ if depth.complete == 1 => stream.whole_book(&update),
                    _ => stream.snapshot(&update, market.is_futures()),
                }
            }
        });
        model
    }
}

impl ModelStream {
    /// The counts; what still waits is dropped.
    #[must_use]
    pub(crate) fn counts(&self) -> SyncCounts {
        let waiting = self.waiting.len() as u64;
        SyncCounts { dropped_unsynced: self.counts.dropped_unsynced + waiting, ..self.counts }
    }

    /// Bids and asks, best first.
    #[must_use]
    pub(crate) fn levels(&self) -> [Vec<Level>; 2] {
        let level = |(price, qty): (&i64, &i64)| Level { price: Price(*price), qty: Qty(*qty) };
        [self.book[0].iter().rev().map(level).collect(), self.book[1].iter().map(level).collect()]
    }

    fn update(&mut self, update: Update, is_futures: bool) {
        let Some((snapshot_id, last_id)) = self.live else {
            self.waiting.push_back(update);
            return;
        };
        match fits(&update.depth, snapshot_id, last_id, is_futures) {
            Fits::Follows => self.apply(&update, snapshot_id, last_id.is_none()),
            Fits::Old if last_id.is_some() => self.counts.duplicates += 1,
            Fits::Old => self.counts.dropped_unsynced += 1,
            Fits::Hole => {
                self.lose();
                self.waiting.push_back(update);
            }
        }
    }

    fn snapshot(&mut self, snapshot: &Update, is_futures: bool) {
        let id = snapshot.depth.last_id;
        let reached = self.live.map(|(snapshot_id, last_id)| last_id.unwrap_or(snapshot_id));
        if reached.is_some_and(|reached| id < reached) {
            self.counts.snapshots_ignored += 1;
            return;
        }
        let known = self.live.and_then(|(_, last_id)| last_id).filter(|last_id| *last_id == id);
        self.replace(snapshot);
        self.live = Some((id, known));
        while let Some(update) = self.waiting.pop_front() {
            let Some((snapshot_id, last_id)) = self.live else { break };
            match fits(&update.depth, snapshot_id, last_id, is_futures) {
                Fits::Follows => self.apply(&update, snapshot_id, last_id.is_none()),
                Fits::Old => self.counts.dropped_unsynced += 1,
                Fits::Hole => {
                    self.lose();
                    self.waiting.push_front(update);
                    break;
                }
            }
        }
    }

    fn whole_book(&mut self, book: &Update) {
        let venue_ns = book.depth.venue_ns.0;
        if self.whole_book_ns.is_some_and(|known| venue_ns < known) {
            self.counts.snapshots_ignored += 1;
            return;
        }
        self.whole_book_ns = Some(venue_ns);
        self.counts.applied += 1;
        self.replace(book);
    }

    fn apply(&mut self, update: &Update, snapshot_id: u64, is_first: bool) {
        if is_first && std::mem::take(&mut self.broken) {
            self.counts.resyncs += 1;
        }
        self.counts.applied += 1;
        self.live = Some((snapshot_id, Some(update.depth.last_id)));
        self.put(update);
    }

    fn lose(&mut self) {
        self.counts.gaps += 1;
        self.broken = true;
        self.live = None;
    }

    fn replace(&mut self, book: &Update) {
        self.book = Default::default();
        self.put(book);
    }

    fn put(&mut self, update: &Update) {
        let (bids, asks) = update.levels.split_at(update.depth.bid_count as usize);
        for (side, levels) in self.book.iter_mut().zip([bids, asks]) {
            for level in levels {
                side.remove(&level.price.0);
                if level.qty.0 > 0 {
                    side.insert(level.price.0, level.qty.0);
                }
            }
        }
    }
}

/// Futures: the first update spans the snapshot's id, each later one names the one before it. Spot: each
/// begins one behind the one before; the first may begin earlier.
fn fits(update: &Depth, snapshot_id: u64, last_id: Option<u64>, is_futures: bool) -> Fits {
    let (first, last) = (u128::from(update.first_id), u128::from(update.last_id));
    let reached = u128::from(last_id.unwrap_or(snapshot_id));
    let (old, follows) = match (is_futures, last_id) {
        (true, None) => (last < reached, first <= reached),
        (true, Some(last_id)) => (last <= reached && update.prev_id != last_id, update.prev_id == last_id),
        (false, None) => (last <= reached, first <= reached + 1),
        (false, Some(_)) => (last <= reached, first == reached + 1),
    };
    if old {
        Fits::Old
    } else if follows {
        Fits::Follows
    } else {
        Fits::Hole
    }
}
