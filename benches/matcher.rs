//! Time an operation of the simulated venue's matcher: adds, cancels by id and market orders in the mix that other
//! order books were measured with, beside the `lobster` crate in the same run. Both must end with the same book.
//!
//! `cargo bench -p venue-sim --bench matcher`. Without cargo's `--bench` (as `cargo test --benches` runs it) one pass
//! shows that both do the same.

#![allow(clippy::disallowed_methods, reason = "a bench reads the clock")]
#![allow(clippy::cast_possible_truncation, reason = "counts of the mix, and indices below them")]

mod verdict;

use std::hint::black_box;
use std::time::Instant;

use engine::book::BookSide;
use engine::num::{Price, Qty, Side};
use venue_sim::exchange::{Handle, Matcher, Meet};
use verdict::verdict;

/// Orders added, canceled, and market orders: 300,000 operations.
const MIX: [u64; 3] = [165_374, 128_650, 5_976];
const PASSES: usize = 31;
/// An operation, ns.
const NS_MAX: f64 = 25.0;
/// How much longer the peer takes.
const RATIO_MIN: f64 = 3.0;

#[derive(Clone, Copy)]
enum Operation {
    Add { id: u32, side: Side, price: i64, qty: i64 },
    Cancel { id: u32 },
    Market { id: u32, side: Side, qty: i64 },
}

fn main() {
    let passes = if std::env::args().any(|argument| argument == "--bench") { PASSES } else { 1 };
    let operations = operations();
    let (ours, book) = time(passes, &operations, Subject::new, Subject::run, Subject::book);
    let (peer, peer_book) = time(passes, &operations, lobster_book, run_lobster, book_of_lobster);
    assert_eq!(book, peer_book, "the two books end differently");
    println!("ns an operation, {} operations, {passes} passes   min / median / p99", operations.len());
    println!(
        "matcher   {:>8.1} / {:.1} / {:.1}   median {}",
        ours[0],
        ours[1],
        ours[2],
        verdict(ours[1], NS_MAX)
    );
    println!("lobster   {:>8.1} / {:.1} / {:.1}", peer[0], peer[1], peer[2]);
    let ratio = peer[1] / ours[1];
    let is_met = if ratio >= RATIO_MIN { "ok" } else { "MISSED" };
    println!("ratio of the medians {ratio:.1}, {is_met} (>= {RATIO_MIN}); {} levels at the end", book.len());
}

/// Minimum, median and 99th percentile of the passes, and the book after the last one.
fn time<S>(
    passes: usize,
    operations: &[Operation],
    new: impl Fn() -> S,
    run: impl Fn(&mut S, &[Operation]),
    book: impl Fn(&S) -> Vec<(i64, i64)>,
) -> ([f64; 3], Vec<(i64, i64)>) {
    let mut last = Vec::new();
    let mut times: Vec<f64> = (0..passes)
        .map(|_| {
            let mut subject = new();
            let start = Instant::now();
            run(&mut subject, operations);
            let elapsed = start.elapsed();
            last = book(&subject);
            elapsed.as_nanos() as f64 / operations.len() as f64
        })
        .collect();
    times.sort_by(f64::total_cmp);
    ([times[0], times[passes / 2], times[(passes * 99 / 100).min(passes - 1)]], last)
}

/// The matcher as the exchange uses it: orders are canceled by their dense ids.
struct Subject {
    matcher: Matcher,
    handles: Vec<Option<Handle>>,
}

impl Subject {
    fn new() -> Self {
        Self { matcher: Matcher::new(), handles: vec![None; MIX.iter().sum::<u64>() as usize] }
    }

    fn run(&mut self, operations: &[Operation]) {
        for operation in operations {
            match *operation {
                Operation::Add { id, side, price, qty } => {
                    let left = self.take(side, Price(price), qty);
                    if left > 0 {
                        let handle = self.matcher.add(side, Price(price), Qty(left), id);
                        self.handles[id as usize] = Some(handle);
                    }
                }
                Operation::Cancel { id } => {
                    if let Some(handle) = self.handles[id as usize].take() {
                        self.matcher.remove(handle);
                    }
                }
                Operation::Market { side, qty, .. } => {
                    let limit = if side == Side::Buy { i64::MAX } else { -i64::MAX };
                    black_box(self.take(side, Price(limit), qty));
                }
            }
        }
    }

    fn take(&mut self, side: Side, limit: Price, qty: i64) -> i64 {
        let mut left = qty;
        let handles = &mut self.handles;
        self.matcher.take(side, limit, |resting| {
            if left == 0 {
                return Meet::Stop;
            }
            let traded = left.min(resting.qty.0);
            left -= traded;
            if traded == resting.qty.0 {
                handles[resting.tag as usize] = None;
            }
            Meet::Trade(Qty(black_box(traded)))
        });
        left
    }

    fn book(&self) -> Vec<(i64, i64)> {
        let levels = BookSide::BOTH.into_iter().flat_map(|side| self.matcher.levels(side));
        levels.map(|level| (level.price.0, level.qty.0)).collect()
    }
}

fn lobster_book() -> lobster::OrderBook {
    lobster::OrderBook::new(200_000, 64, false)
}

fn run_lobster(book: &mut lobster::OrderBook, operations: &[Operation]) {
    let side_of = |side| if side == Side::Buy { lobster::Side::Bid } else { lobster::Side::Ask };
    for operation in operations {
        let order = match *operation {
            Operation::Add { id, side, price, qty } => lobster::OrderType::Limit {
                id: u128::from(id),
                side: side_of(side),
                qty: qty.cast_unsigned(),
                price: price.cast_unsigned(),
            },
            Operation::Cancel { id } => lobster::OrderType::Cancel { id: u128::from(id) },
            Operation::Market { id, side, qty } => lobster::OrderType::Market {
                id: u128::from(id),
                side: side_of(side),
                qty: qty.cast_unsigned(),
            },
        };
        black_box(book.execute(order));
    }
}

fn book_of_lobster(book: &lobster::OrderBook) -> Vec<(i64, i64)> {
    let depth = book.depth(0);
    let level = |level: &lobster::BookLevel| (level.price.cast_signed(), level.qty.cast_signed());
    depth.bids.iter().rev().map(level).chain(depth.asks.iter().map(level)).collect()
}

/// The mix in random order: limit orders within 200 ticks of a wandering middle, most of them near, one in thirty crossing it,
/// cancels of orders that rest, market orders for a few orders' quantity.
fn operations() -> Vec<Operation> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = |below: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 20) % below
    };
    let (mut left, mut subject, mut middle, mut id) = (MIX, Subject::new(), 60_000_i64, 0_u32);
    let mut resting: Vec<u32> = Vec::new();
    let mut operations = Vec::new();
    while left.iter().sum::<u64>() > 0 {
        let mut pick = random(left.iter().sum());
        let mut kind = 0;
        while pick >= left[kind] {
            pick -= left[kind];
            kind += 1;
        }
        if kind == 1 {
            // Orders that were filled meanwhile are forgotten. With none left to cancel, something else comes first.
            let canceled = loop {
                let Some(last) = resting.len().checked_sub(1) else { break None };
                let id = resting.swap_remove(random(last as u64 + 1) as usize);
                if subject.handles[id as usize].is_some() {
                    break Some(id);
                }
            };
            let Some(id) = canceled else {
                assert!(left[0] + left[2] > 0, "nothing rests that the mix's last cancels could cancel");
                continue;
            };
            operations.push(Operation::Cancel { id });
        }
        let side = if random(2) == 0 { Side::Buy } else { Side::Sell };
        let away = if side == Side::Buy { -1 } else { 1 };
        match kind {
            0 => {
                middle += random(3).cast_signed() - 1;
                let distance =
                    (random(200) * random(200) / 200).cast_signed() - i64::from(random(30) == 0) * 20;
                let (price, qty) = (middle + away * distance, 1 + random(100).cast_signed());
                operations.push(Operation::Add { id, side, price, qty });
                resting.push(id);
                id += 1;
            }
            1 => {}
            _ => {
                operations.push(Operation::Market { id, side, qty: 1 + random(150).cast_signed() });
                id += 1;
            }
        }
        left[kind] -= 1;
        subject.run(&operations[operations.len() - 1..]);
    }
    operations
}
