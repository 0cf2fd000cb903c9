//! Whatever connections bring, and in whatever order, a book that can be trusted is the venue's own at its id: through
//! copies, repeats, losses, renewals from early and late snapshots, and cuts.

use engine::message::{Cell, Depth, Head, Kind, RENEWAL, levels_of};
use engine::num::{Level, Price, Qty};
use feeds::codec::{Chain, FeedCodec, SyncState};
use feeds::renewal::Merger;
use feeds::sync::{Sync, SyncSink};
use feeds::venues::binance::{BinanceCodec, Product};
use proptest::prelude::*;
use std::collections::BTreeMap;
use zerocopy::IntoBytes;

/// Bids and asks: quantity by price.
type Naive = [BTreeMap<i64, i64>; 2];

/// One change: side, price, quantity; 0 takes the level away.
type Change = (usize, i64, i64);

/// Id of the book before all changes; each change is the next.
const BASE: u64 = 100;

/// The venue: its book at every id, and the updates that it sends.
struct Venue {
    books: Vec<Naive>,
    updates: Vec<(Depth, Vec<Cell>)>,
}

impl Venue {
    /// `lengths`: how many changes each update holds.
    fn new(changes: &[Change], lengths: &[usize]) -> Self {
        // Levels that never change, farther out than any other: a snapshot knows the whole range.
        let mut book: Naive = [BTreeMap::from([(1, 1)]), BTreeMap::from([(1_000, 1)])];
        let (mut books, mut updates) = (vec![book.clone()], Vec::new());
        let (mut rest, mut first_id) = (changes, BASE + 1);
        for length in lengths.iter().cycle() {
            let (now, later) = rest.split_at((*length).min(rest.len()));
            if now.is_empty() {
                break;
            }
            let mut changed: Naive = Naive::default();
            for (side, price, qty) in now {
                changed[*side].insert(*price, *qty);
                if *qty == 0 {
                    book[*side].remove(price);
                } else {
                    book[*side].insert(*price, *qty);
                }
                books.push(book.clone());
            }
            let last_id = first_id + now.len() as u64 - 1;
            let ids = Depth { first_id, last_id, prev_id: first_id - 1, ..Depth::default() };
            updates.push(message(ids, &changed));
            (rest, first_id) = (later, last_id + 1);
        }
        Self { books, updates }
    }

    fn book(&self, id: u64) -> &Naive {
        &self.books[usize::try_from(id - BASE).unwrap()]
    }

    fn last_id(&self) -> u64 {
        BASE + self.books.len() as u64 - 1
    }
}

fn message(ids: Depth, levels: &Naive) -> (Depth, Vec<Cell>) {
    let [bids, asks] = levels;
    let count = |side: &BTreeMap<i64, i64>| u32::try_from(side.len()).unwrap();
    let depth = Depth { bid_count: count(bids), ask_count: count(asks), ..ids };
    let level = |(price, qty): (&i64, &i64)| Level { price: Price(*price), qty: Qty(*qty) };
    let levels: Vec<Level> = bids.iter().rev().chain(asks).map(level).collect();
    let mut cells = vec![Cell::default(); depth.body_cells()];
    cells[0] = zerocopy::transmute!(depth);
    cells[1..].as_mut_bytes()[..size_of_val(levels.as_slice())].copy_from_slice(levels.as_bytes());
    (depth, cells)
}

/// A book as the book stage keeps it, held against the venue's after every message.
struct Follower<'a> {
    venue: &'a Venue,
    codec: &'a BinanceCodec,
    book: Naive,
    id: u64,
    /// It can be trusted.
    is_valid: bool,
    renewals: u64,
}

impl SyncSink for Follower<'_> {
    fn emit(&mut self, kind: Kind, head: &Head, body: &[Cell]) {
        if kind == Kind::Stale {
            self.is_valid = false;
            return;
        }
        let depth: Depth = zerocopy::transmute!(body[0]);
        let bid_count = depth.bid_count as usize;
        let levels = &levels_of(&body[1..])[..bid_count + depth.ask_count as usize];
        let was_valid = self.is_valid;
        if kind == Kind::Snapshot {
            self.book = Naive::default();
            self.is_valid = head.flags & RENEWAL != 0;
            self.renewals += u64::from(self.is_valid);
        } else {
            self.is_valid = true;
        }
        for (place, level) in levels.iter().enumerate() {
            let side = &mut self.book[usize::from(place >= bid_count)];
            side.remove(&level.price.0);
            if level.qty.0 > 0 {
                side.insert(level.price.0, level.qty.0);
            }
        }
        if self.is_valid {
            assert_eq!(&self.book, self.venue.book(depth.last_id), "{kind:?} to {}", depth.last_id);
            assert!(!was_valid || depth.last_id >= self.id, "back from {} to {}", self.id, depth.last_id);
        }
        self.id = depth.last_id;
    }

    fn chain(&self, state: &SyncState, update: &Depth) -> Chain {
        self.codec.chain(state, update)
    }

    fn broke(&mut self, _head: &Head, _expected: u64, _update: &Depth) {}

    fn resynced(&mut self, _head: &Head, _snapshot_id: u64, _update: &Depth) {}
}

#[derive(Clone, Debug)]
enum Step {
    /// This connection brings its next update.
    Next(usize),
    /// This connection loses its next update.
    Lose(usize),
    /// This connection brings an update again, so many before its last.
    Again(usize, usize),
    /// A snapshot is asked for to renew the book.
    Renew,
    /// A snapshot comes, so far from what was brought last.
    Snapshot(i64),
    Cut,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        24 => (0_usize..2).prop_map(Step::Next),
        1 => (0_usize..2).prop_map(Step::Lose),
        4 => (0_usize..2, 0_usize..6).prop_map(|(connection, back)| Step::Again(connection, back)),
        6 => Just(Step::Renew),
        6 => (-8_i64..5).prop_map(Step::Snapshot),
        1 => Just(Step::Cut),
    ]
}

/// Takes the steps. Returns how often the book was renewed.
fn run(product: Product, venue: &Venue, steps: &[Step], buffer_bytes: usize) -> u64 {
    let codec = BinanceCodec::new(product, &[]);
    let mut sink =
        Follower { venue, codec: &codec, book: Naive::default(), id: 0, is_valid: false, renewals: 0 };
    let (mut sync, mut merger) = (Sync::new(buffer_bytes), Merger::new(true));
    let (mut next, mut brought, mut brought_id) = ([0_usize; 2], 0, BASE);
    let head = Head::new(Kind::Delta);
    for step in steps {
        let mut bring = |place: usize, sync: &mut Sync, sink: &mut Follower<'_>| {
            if let Some((depth, body)) = venue.updates.get(place) {
                sync.on_delta(&head, depth, body, sink);
                brought += 1;
                brought_id = depth.last_id.max(brought_id);
            }
        };
        match *step {
            Step::Next(connection) => {
                bring(next[connection], &mut sync, &mut sink);
                next[connection] += 1;
            }
            Step::Lose(connection) => next[connection] += 1,
            Step::Again(connection, back) => {
                if let Some(place) = next[connection].checked_sub(1 + back) {
                    bring(place, &mut sync, &mut sink);
                }
            }
            Step::Renew => sync.renew(),
            Step::Snapshot(offset) => {
                let id = brought_id.saturating_add_signed(offset).clamp(BASE, venue.last_id());
                let ids = Depth { first_id: id, last_id: id, ..Depth::default() };
                let (depth, body) = message(ids, venue.book(id));
                sync.on_snapshot(&head, &depth, &body, &mut merger, &mut sink);
                while sync.is_behind() {
                    sync.catch_up(&mut sink);
                }
            }
            Step::Cut => {
                sync.cut(&head, &mut sink);
                assert!(!sink.is_valid);
            }
        }
        let counts = sync.counts();
        let ended = counts.applied + counts.duplicates + counts.dropped_unsynced;
        assert_eq!(ended, brought, "each update ends in one count: {counts:?}");
        assert_eq!(counts.renewals, sink.renewals);
    }
    sink.renewals
}

proptest! {
    #[test]
    fn a_trusted_book_is_the_venues_at_its_id(
        changes in prop::collection::vec((0_usize..2, 90_i64..110, 0_i64..4), 20..120),
        lengths in prop::collection::vec(1_usize..4, 1..5),
        steps in prop::collection::vec(step(), 20..160),
        is_spot in any::<bool>(),
        // Room for everything, and for a few updates only.
        buffer_bytes in prop_oneof![Just(1_usize << 16), Just(640)],
    ) {
        let product = if is_spot { Product::Spot } else { Product::UsdM };
        run(product, &Venue::new(&changes, &lengths), &steps, buffer_bytes);
    }
}

#[test]
fn a_pair_of_connections_renews_its_book_again_and_again() {
    let changes: Vec<Change> =
        (0..400_i64).map(|n| (usize::from(n % 2 == 1), 90 + (n * 7) % 20, (n * 5) % 4)).collect();
    let venue = Venue::new(&changes, &[2]);
    // One connection lags two updates behind the other, and each snapshot is of the middle of the last but one.
    let mut steps = vec![Step::Next(0), Step::Next(0), Step::Snapshot(-3)];
    for _ in 0..90 {
        let renewed =
            [Step::Renew, Step::Next(0), Step::Next(1), Step::Next(0), Step::Next(1), Step::Snapshot(-3)];
        steps.extend(renewed);
    }
    for product in [Product::Spot, Product::UsdM] {
        assert_eq!(run(product, &venue, &steps, 1 << 16), 90, "{product:?}");
    }
}
