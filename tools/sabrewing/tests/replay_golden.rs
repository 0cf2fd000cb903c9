//! `replay --books` against the recorded books, in every row and every placement.

mod support;

use serde_json::Value;
use std::collections::BTreeMap;
use support::{COINM, Dir, HYPERLIQUID, Ran, SPOT, SPOT_NEXT, USDM, arg, replay, shared, text_of};

/// A recorded stream: its files, the spacing of its rows, its golden, what its messages count.
struct Stream {
    files: &'static [&'static str],
    every: &'static str,
    golden: &'static str,
    depth: u64,
    tickers: u64,
    trades: u64,
    applied: u64,
    dropped: u64,
}

const STREAMS: [Stream; 4] = [
    Stream {
        files: &[USDM],
        every: "10",
        golden: "book/usdm_btcusdt_20240808.jsonl.gz",
        depth: 6551,
        tickers: 66_089,
        trades: 21_313,
        applied: 6547,
        dropped: 4,
    },
    Stream {
        files: &[SPOT],
        every: "10",
        golden: "book/spot_btcusdt_20240808.jsonl.gz",
        depth: 3451,
        tickers: 28_040,
        trades: 9757,
        applied: 3449,
        dropped: 2,
    },
    Stream {
        files: &[SPOT, SPOT_NEXT],
        every: "10",
        golden: "book/spot_btcusdt_20240808_20240809.jsonl.gz",
        depth: 6495,
        tickers: 73_174,
        trades: 19_904,
        applied: 6493,
        dropped: 2,
    },
    Stream {
        files: &[COINM],
        every: "50",
        golden: "book/cm_btcusd_perp_20240808.jsonl.gz",
        depth: 26_847,
        tickers: 19_136,
        trades: 2286,
        applied: 26_824,
        dropped: 23,
    },
];

fn replay_books(files: &[&str], every: &str, placement: &str, books: &str) -> Ran {
    let mut args: Vec<String> = files.iter().map(|file| arg(file)).collect();
    for text in ["--json", "--placement", placement, "--books", books, "--books-every", every] {
        args.push(text.into());
    }
    replay(args).expect(0, &[])
}

/// The keys of a row as they stand in it; values are no keys: the rows have no text but decimals.
fn keys_in_order(row: &str) -> Vec<&str> {
    row.split('"').filter(|part| part.starts_with(|c: char| c.is_ascii_alphabetic())).collect()
}

/// Sign, digits before and digits after the point, without the zeros that mean nothing.
fn decimal(text: &str) -> (String, String) {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    assert!(text.bytes().all(|b| b.is_ascii_digit() || b == b'.'), "`{text}` is no decimal");
    (whole.trim_start_matches('0').into(), part.trim_end_matches('0').into())
}

/// Texts compared as decimals, everything else exactly.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::String(a), Value::String(b)) => decimal(a) == decimal(b),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| same(a, b)))
        }
        _ => a == b,
    }
}

fn assert_rows(made: &str, golden: &str, name: &str) {
    assert_eq!(made.lines().count(), golden.lines().count(), "rows of {name}");
    for (made, golden) in made.lines().zip(golden.lines()) {
        assert_eq!(keys_in_order(made), keys_in_order(golden), "{name}: {made}");
        let (a, b): (Value, Value) =
            (serde_json::from_str(made).unwrap(), serde_json::from_str(golden).unwrap());
        assert!(same(&a, &b), "{name}:\n{made}\n{golden}");
    }
}

fn books_equal_the_recorded_ones(stream: &Stream) {
    let dir = Dir::new();
    let golden = text_of(&shared(stream.golden));
    let one = dir.at("one.jsonl");
    let ran = replay_books(stream.files, stream.every, "one", &one);
    let one = text_of(one.as_ref());
    assert_rows(&one, &golden, stream.golden);
    let json = ran.json();
    let messages = [("depth", stream.depth), ("book_ticker", stream.tickers), ("trade", stream.trades)];
    for (kind, count) in messages.into_iter().chain([("snapshot", 1)]) {
        assert_eq!(json["messages"][kind], count, "{kind} of {}", stream.golden);
    }
    assert_eq!(json["messages"].as_object().unwrap().len(), 4);
    let keys = ["book_updates", "dropped_unsynced", "gaps", "resyncs", "duplicates", "decode_errors"];
    assert_eq!(ran.counts(keys), [stream.applied, stream.dropped, 0, 0, 0, 0], "{}", stream.golden);
    // The same bytes whatever thread the stages run on, and whatever the file is packed in.
    for (placement, name) in [("two", "two.jsonl"), ("five", "five.jsonl.gz")] {
        let path = dir.at(name);
        let again = replay_books(stream.files, stream.every, placement, &path);
        assert!(text_of(path.as_ref()) == one, "{} differs with placement {placement}", stream.golden);
        assert_eq!(again.counts(keys), ran.counts(keys));
        assert_eq!(again.json()["messages"], json["messages"]);
    }
}

#[test]
fn usdm_books_equal_the_recorded_ones_in_every_row_and_placement() {
    books_equal_the_recorded_ones(&STREAMS[0]);
}

#[test]
fn spot_books_equal_the_recorded_ones_in_every_row_and_placement() {
    books_equal_the_recorded_ones(&STREAMS[1]);
}

#[test]
fn two_files_of_an_instrument_are_one_stream_in_every_row_and_placement() {
    books_equal_the_recorded_ones(&STREAMS[2]);
}

#[test]
fn coinm_books_equal_the_recorded_ones_in_every_row_and_placement() {
    books_equal_the_recorded_ones(&STREAMS[3]);
}

#[test]
fn a_plain_capture_gives_the_rows_of_the_packed_one() {
    let dir = Dir::new();
    let plain = dir.file("capture", text_of(&shared(SPOT)));
    let books = dir.at("rows.jsonl");
    replay([&plain, "--books", &books, "--books-every", "10"]).expect(0, &[]);
    assert_rows(&text_of(books.as_ref()), &text_of(&shared(STREAMS[1].golden)), "plain");
}

#[test]
fn whole_books_of_hyperliquid_equal_the_recorded_ones_line_by_line() {
    let dir = Dir::new();
    for placement in ["one", "five"] {
        let books = dir.at(placement);
        let ran = replay_books(&[HYPERLIQUID], "1", placement, &books);
        assert_eq!(ran.counts(["book_updates", "gaps", "dropped_unsynced", "decode_errors"]), [46, 0, 0, 0]);
        assert_eq!(ran.json()["messages"], serde_json::json!({"snapshot": 46, "trade": 9}));
        let (rows, golden) =
            (text_of(books.as_ref()), text_of(&shared("book/hyperliquid_btcusd_20250126_book.csv")));
        assert_eq!(rows.lines().count(), 46);
        let keys: Vec<&str> = golden.lines().next().unwrap().split(',').collect();
        for (index, (row, line)) in rows.lines().zip(golden.lines().skip(1)).enumerate() {
            let csv: BTreeMap<&str, &str> = keys.iter().copied().zip(line.split(',')).collect();
            let row: Value = serde_json::from_str(row).unwrap();
            assert_eq!(row["seq"], index + 1);
            for (key, of_csv) in
                [("line", "line"), ("E", "time_ms"), ("n_bids", "n_bids"), ("n_asks", "n_asks")]
            {
                assert_eq!(row[key].to_string(), csv[of_csv], "{key}: {line}");
            }
            let levels = [
                (&row["bids"][0][0], "bid_px"),
                (&row["bids"][0][1], "bid_sz"),
                (&row["asks"][0][0], "ask_px"),
                (&row["asks"][0][1], "ask_sz"),
                (&row["bid_qty_sum"], "bid_sz_sum"),
                (&row["ask_qty_sum"], "ask_sz_sum"),
            ];
            for (value, of_csv) in levels {
                assert_eq!(decimal(value.as_str().unwrap()), decimal(csv[of_csv]), "{of_csv}: {line}");
            }
        }
    }
}

#[test]
fn a_file_that_continues_another_is_never_synchronised_alone() {
    let dir = Dir::new();
    let books = dir.at("rows.jsonl.gz");
    let args = [arg(SPOT_NEXT), "--json".into(), "--books".into(), books.clone()];
    let ran = replay(&args).expect(0, &[]);
    assert_eq!(ran.counts(["book_updates", "gaps", "resyncs", "dropped_unsynced"]), [0, 0, 0, 3044]);
    let json = ran.json();
    assert_eq!(json["books"]["binance-spot:BTCUSDT"]["state"], "no snapshot");
    assert_eq!(
        json["orders"],
        serde_json::json!({"placed": 0, "amended": 0, "canceled": 0, "filled": 0, "rejected": {}})
    );
    assert_eq!(text_of(books.as_ref()), "", "the file of rows is there, without one");
    replay(args.iter().map(String::as_str).chain(["--strict"])).expect(1, &[]);
}

#[test]
fn files_of_two_instruments_are_merged_and_each_has_the_rows_it_has_alone() {
    let dir = Dir::new();
    for (instrument, stream) in [("binance-usdm:BTCUSDT", &STREAMS[0]), ("BTCUSD_PERP", &STREAMS[3])] {
        let books = dir.at(instrument);
        let (usdm, coinm) = (arg(USDM), arg(COINM));
        let args = [
            &coinm,
            &usdm,
            "--json",
            "--instrument",
            instrument,
            "--books",
            &books,
            "--books-every",
            stream.every,
        ];
        let ran = replay(args).expect(0, &[]);
        assert_rows(&text_of(books.as_ref()), &text_of(&shared(stream.golden)), instrument);
        assert_eq!(ran.counts(["book_updates", "dropped_unsynced", "gaps"]), [6547 + 26_824, 27, 0]);
    }
}
