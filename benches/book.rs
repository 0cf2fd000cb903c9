//! Time to apply a level: this book and a `BTreeMap` a side, in the same run, on recorded deltas that were
//! decoded beforehand. Prints the median of the passes, the touch being read after each message.
//!
//! `cargo bench -p engine --bench book [-- windows]`: `windows` compares window widths instead. Without cargo's
//! `--bench` (as `cargo test --benches` runs it) one pass shows that it works.

#![expect(clippy::disallowed_methods, reason = "a bench reads the clock")]

#[path = "../engine/tests/book_capture/mod.rs"]
mod book_capture;
mod verdict;

use std::collections::BTreeMap;
use std::hint::black_box;
use std::time::{Duration, Instant};

use book_capture::{Depth, RECORDINGS, load};
use engine::book::{Book, BookConfig, BookSide};
use engine::num::{Level, Price, Qty};
use verdict::verdict;

const PASSES: usize = 15;
const INSTRUMENTS: usize = 50;
/// A level of one instrument.
const LEVEL_NS_MAX: f64 = 8.0;

/// What the bench asks of a book: a delta, then the touch.
trait Subject {
    fn load(&mut self, snapshot: &Depth);
    fn apply(&mut self, delta: &Depth) -> (Option<Level>, Option<Level>);
}

impl Subject for Book {
    fn load(&mut self, snapshot: &Depth) {
        self.load_snapshot(&snapshot.bids, &snapshot.asks);
    }

    fn apply(&mut self, delta: &Depth) -> (Option<Level>, Option<Level>) {
        Self::apply(self, &delta.bids, &delta.asks);
        (self.best(BookSide::Bid), self.best(BookSide::Ask))
    }
}

#[derive(Default)]
struct TreeBook {
    bids: BTreeMap<i64, i64>,
    asks: BTreeMap<i64, i64>,
}

impl Subject for TreeBook {
    fn load(&mut self, snapshot: &Depth) {
        self.bids.clear();
        self.asks.clear();
        self.apply(snapshot);
    }

    fn apply(&mut self, delta: &Depth) -> (Option<Level>, Option<Level>) {
        for (tree, levels) in [(&mut self.bids, &delta.bids), (&mut self.asks, &delta.asks)] {
            for level in levels {
                if level.qty.0 == 0 {
                    tree.remove(&level.price.0);
                } else {
                    tree.insert(level.price.0, level.qty.0);
                }
            }
        }
        let level = |(&price, &qty): (&i64, &i64)| Level { price: Price(price), qty: Qty(qty) };
        (self.bids.last_key_value().map(level), self.asks.first_key_value().map(level))
    }
}

struct Stream {
    name: &'static str,
    snapshot: Depth,
    deltas: Vec<Depth>,
    levels: usize,
}

fn main() {
    let streams: Vec<Stream> = [0, 2, 3]
        .map(|index| {
            let (snapshot, deltas) = load(&RECORDINGS[index]);
            let levels = deltas.iter().map(|delta| delta.bids.len() + delta.asks.len()).sum();
            Stream { name: RECORDINGS[index].name, snapshot, deltas, levels }
        })
        .into();
    if std::env::args().any(|argument| argument == "windows") {
        compare_windows(&streams);
    } else {
        compare_books(&streams);
    }
}

fn compare_books(streams: &[Stream]) {
    println!("ns a level, median of {} passes", passes());
    println!("{:<40} {:>9} {:>9} {:>9} {:>6}", "stream", "levels", "book", "BTreeMap", "ratio");
    for stream in streams {
        let book = time_one(stream, &mut Book::new(BookConfig::default()));
        let tree = time_one(stream, &mut TreeBook::default());
        print_row(stream.name, stream.levels, book, tree, Some(LEVEL_NS_MAX));
    }
    for stream in streams {
        let book = time_many(stream, || Book::new(BookConfig::default()));
        let tree = time_many(stream, TreeBook::default);
        print_row(&format!("{INSTRUMENTS} interleaved {}", stream.name), stream.levels, book, tree, None);
    }
    let memory = Book::new(BookConfig::default()).memory_bytes();
    println!("one default book allocates {} KiB", memory / 1024);
}

fn print_row(name: &str, levels: usize, book: f64, tree: f64, target_max: Option<f64>) {
    let verdict = verdict(book, target_max);
    println!("{name:<40} {levels:>9} {book:>9.2} {tree:>9.2} {:>6.1}  {verdict}", tree / book);
}

fn compare_windows(streams: &[Stream]) {
    println!("ns a level by window_ticks: one instrument / {INSTRUMENTS} interleaved");
    for stream in streams {
        for window_ticks in [1 << 10, 1 << 12, 1 << 13, 1 << 14, 1 << 15, 1 << 16, 1 << 17] {
            let config = BookConfig::new(window_ticks, 1 << 14).expect("a legal size");
            let one = time_one(stream, &mut Book::new(config));
            let many = time_many(stream, || Book::new(config));
            println!("{:<34} {window_ticks:>7} {one:>7.2} / {many:>6.2}", stream.name);
        }
    }
}

/// Nanoseconds a level with one book.
fn time_one(stream: &Stream, subject: &mut impl Subject) -> f64 {
    median(|| {
        subject.load(&stream.snapshot);
        let start = Instant::now();
        for delta in &stream.deltas {
            black_box(subject.apply(delta));
        }
        (start.elapsed(), stream.levels)
    })
}

/// Nanoseconds a level with `INSTRUMENTS` books that take one message each in turn, so that a book's memory
/// has been pushed out of the near caches when its next message comes. Each book is at its own place of the
/// stream; the passes go on where the last one ended.
fn time_many<S: Subject>(stream: &Stream, new: impl Fn() -> S) -> f64 {
    let length = stream.deltas.len();
    let mut subjects: Vec<(S, usize)> = (0..INSTRUMENTS)
        .map(|index| {
            let mut subject = new();
            let place = index * length / INSTRUMENTS;
            subject.load(&stream.snapshot);
            stream.deltas[..place].iter().for_each(|delta| {
                subject.apply(delta);
            });
            (subject, place)
        })
        .collect();
    median(|| {
        let mut levels = 0;
        let start = Instant::now();
        for _ in 0..length / 20 {
            for (subject, place) in &mut subjects {
                if *place == length {
                    *place = 0;
                    subject.load(&stream.snapshot);
                }
                let delta = &stream.deltas[*place];
                *place += 1;
                levels += delta.bids.len() + delta.asks.len();
                black_box(subject.apply(delta));
            }
        }
        (start.elapsed(), levels)
    })
}

fn passes() -> usize {
    if std::env::args().any(|argument| argument == "--bench") { PASSES } else { 1 }
}

fn median(mut pass: impl FnMut() -> (Duration, usize)) -> f64 {
    let mut times: Vec<f64> = (0..passes())
        .map(|_| {
            let (time, levels) = pass();
            time.as_nanos() as f64 / levels as f64
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}
