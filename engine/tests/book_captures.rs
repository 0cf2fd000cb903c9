//! The fast book on recorded markets: its touch equals the naive book's after every event, and the whole book
//! equals it and the independently made golden rows wherever there is one.

mod book_capture;
mod book_naive;

use std::collections::BTreeMap;

use book_capture::{RECORDINGS, Recording, lines, load, units};
use book_naive::NaiveBook;
use engine::book::{Book, BookConfig, BookSide};
use serde_json::Value;

/// Replays a stream through both books; returns the fast one and how many golden rows were met.
fn replay(recording: &Recording, config: BookConfig) -> (Book, usize) {
    let rows: BTreeMap<u64, Value> = lines(&format!("book/{}.jsonl.gz", recording.name))
        .map(|line| serde_json::from_str::<Value>(&line).unwrap())
        .map(|row| (row["seq"].as_u64().unwrap(), row))
        .collect();
    let (snapshot, events) = load(recording);
    let mut book = Book::new(config);
    let mut naive = NaiveBook::new(config.capacity_per_side());
    book.load_snapshot(&snapshot.bids, &snapshot.asks);
    naive.load_snapshot(&snapshot.bids, &snapshot.asks);
    naive.assert_same(&book);
    let mut met = 0;
    for (seq, event) in (1..).zip(&events) {
        let applied = book.apply(&event.bids, &event.asks);
        assert_eq!(applied.touched, naive.apply(&event.bids, &event.asks), "event {seq}");
        naive.assert_same_touch(&book);
        if let Some(row) = rows.get(&seq) {
            naive.assert_same(&book);
            let place = |key: &str| row[key].as_u64().unwrap();
            let (file, line, last) = event.place();
            assert_eq!((file as u64, line as u64, last), (place("file"), place("line"), place("u")));
            if !book.state().is_truncated() {
                assert_golden(recording, &book, row);
            }
            met += 1;
        }
    }
    assert_eq!(met, rows.len(), "every golden row is met");
    (book, met)
}

fn assert_golden(recording: &Recording, book: &Book, row: &Value) {
    let keys = [("bids", "n_bids", "bid_qty_sum"), ("asks", "n_asks", "ask_qty_sum")];
    for (side, (top, count, sum)) in BookSide::BOTH.into_iter().zip(keys) {
        let seq = &row["seq"];
        assert!(book.levels(side).take(10).eq(recording.levels(&row[top])), "row {seq}: {top}");
        assert_eq!(book.level_count(side) as u64, row[count].as_u64().unwrap(), "row {seq}: {count}");
        let expected = units(row[sum].as_str().unwrap(), recording.qty_digits);
        assert_eq!(book.qty_sum(side), i128::from(expected), "row {seq}: {sum}");
    }
}

#[test]
fn recorded_books_equal_the_naive_book_and_every_golden_row() {
    // A snapshot covers 1000 levels a side. The touch fell under the lowest of them on USD-M (at event 4,117
    // of 6,547) and on spot; COIN-M's levels are further apart.
    let expected = [(656, true), (346, true), (651, true), (538, false)];
    for (recording, (rows, beyond)) in RECORDINGS.iter().zip(expected) {
        let (book, met) = replay(recording, BookConfig::default());
        assert_eq!(met, rows, "{}", recording.name);
        assert_eq!(book.state().is_beyond_snapshot(), beyond, "{}", recording.name);
    }
}

#[test]
fn recorded_books_equal_the_naive_book_when_window_and_capacity_are_small() {
    for (recording, capacity) in [(&RECORDINGS[0], 16_384), (&RECORDINGS[0], 900), (&RECORDINGS[3], 700)] {
        let (book, _) = replay(recording, BookConfig::new(256, capacity).unwrap());
        assert_eq!(book.state().is_truncated(), capacity < 1_000, "{}", recording.name);
    }
}
