//! `replay` on damaged and foreign input: the stated exit code, a line that names place and value, and
//! everything before the fault done.

mod support;

use std::process::Command;
use support::market::Step::{D, S};
use support::market::{Product, capture, message};
use support::{COINM, Dir, HYPERLIQUID, SPOT, USDM, arg, lines_of, replay, shared, text_of};

/// The rows of the whole spot capture, one for every update.
fn spot_rows(dir: &Dir) -> String {
    let rows = dir.at("whole");
    replay([&arg(SPOT), "--books", &rows, "--books-every", "1"]).expect(0, &[]);
    text_of(rows.as_ref())
}

#[test]
fn a_cut_gzip_exits_1_with_its_length_and_everything_before_the_cut_done() {
    let dir = Dir::new();
    let whole = spot_rows(&dir);
    let bytes = std::fs::read(shared(SPOT)).unwrap();
    let mut longest = 0;
    for cut in [60_000, 400_000, 1_000_000, bytes.len() - 1] {
        let (path, rows) = (dir.raw("cut.gz", &bytes[..cut]), dir.at("rows"));
        let args = [&path, "--json", "--books", &rows, "--books-every", "1"];
        let ran = replay(args).expect(1, &[&path, &format!("gzip data is cut off at byte {cut}")]);
        let rows = text_of(rows.as_ref());
        assert!(whole.starts_with(&rows), "the rows are those of the whole capture up to the cut");
        assert_eq!(ran.counts(["book_updates", "decode_errors"]), [rows.lines().count() as u64, 0]);
        assert!(rows.len() > longest, "a later cut leaves more");
        longest = rows.len();
    }
    assert_eq!(longest, whole.len(), "only a byte of the trailer was missing");
    for cut in [2, 8, 100] {
        let (path, rows) = (dir.raw("head.gz", &bytes[..cut]), dir.at(&format!("rows-{cut}.gz")));
        replay([&path, "--books", &rows]).expect(1, &[&path, &format!("gzip data is cut off at byte {cut}")]);
        assert_eq!(text_of(rows.as_ref()), "", "the file of rows is there, without one");
    }
}

#[test]
fn a_flipped_bit_in_a_gzip_exits_1_with_the_byte_where_it_was_noticed() {
    let dir = Dir::new();
    let bytes = std::fs::read(shared(SPOT)).unwrap();
    for at in [50_000, 700_000, bytes.len() - 6] {
        let mut bad = bytes.clone();
        bad[at] ^= 4;
        let (path, rows) = (dir.raw("bad.gz", &bad), dir.at("rows"));
        let ran = replay([&path, "--json", "--books", &rows]).expect(1, &[&path, "corrupt gzip at byte "]);
        assert!(ran.counts(["book_updates"])[0] > 0, "what came before was taken");
        assert!(!text_of(rows.as_ref()).is_empty());
    }
}

#[test]
fn damaged_messages_are_counted_with_file_line_and_fault_and_strict_exits_1() {
    let dir = Dir::new();
    let mut lines = lines_of(USDM);
    lines.truncate(2000);
    let trade = lines.iter().position(|line| line.contains("\"e\":\"trade\"")).unwrap();
    let mut damage = |n: usize, from: &str, to: &str| {
        let at =
            lines.iter().enumerate().skip(trade + 100 * n).find(|(_, line)| line.contains(from)).unwrap().0;
        lines[at] = lines[at].replace(from, to);
        at + 1
    };
    let damaged = [
        damage(1, "\"e\":\"trade\"", "\"e\":\"trade"),
        damage(2, "\"s\":\"BTCUSDT\"", "\"s\":\"ETHUSDT\""),
        damage(3, "\"p\":\"6", "\"p\":\"x"),
        damage(4, "\"q\":", "\"Q\":"),
        damage(5, "1723161", "x723161"),
        damage(6, "}", ""),
    ];
    let path = dir.lines("damaged", &lines);
    let ran = replay([&path, "--json"]).expect(0, &[]);
    assert_eq!(ran.counts(["decode_errors", "gaps"]), [6, 0]);
    let json = ran.json();
    let said: Vec<&str> =
        json["first_errors"].as_array().unwrap().iter().map(|e| e.as_str().unwrap()).collect();
    assert_eq!(said.len(), 6);
    for (line, said) in damaged.iter().zip(&said) {
        assert!(said.starts_with(&format!("{path}, line {line}: ")), "{said}");
        assert!(said.contains("at byte "), "{said}");
    }
    assert!(said[1].contains("symbol") || said[1].contains("`s`"), "{said:?}");
    let total: u64 = json["messages"].as_object().unwrap().values().map(|n| n.as_u64().unwrap()).sum();
    assert_eq!(total, 2000 - 6, "every other line was taken");
    let text = replay([&path]).expect(0, &[]);
    assert!(text.stdout.contains("decode errors      6") && text.stdout.contains(said[0]), "{text:?}");
    let strict = replay([&path, "--json", "--strict"]).expect(1, &[]);
    assert_eq!(strict.json()["decode_errors"], 6, "the summary comes all the same");
}

#[test]
fn any_bit_flipped_in_plain_messages_is_survived() {
    let dir = Dir::new();
    let text: Vec<u8> = lines_of(COINM)[30..330].join("\n").into_bytes();
    let mut state = 7_u64;
    for round in 0..12 {
        let mut bad = text.clone();
        for _ in 0..200 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let at = (state >> 33) as usize % bad.len();
            bad[at] ^= 1 << (state >> 60 & 7);
        }
        let path = dir.raw("bad", &bad);
        let ran = replay([&path, "--json"]);
        assert!(!ran.stderr.contains("panicked"), "round {round}: {ran:?}");
        match ran.code {
            Some(0) => assert!(ran.counts(["decode_errors"])[0] > 10, "{ran:?}"),
            // A flip may contradict what the capture is of, or say that of another symbol.
            Some(code @ 1..=2) => {
                assert!(ran.stderr.contains(&path) && ran.stdout.is_empty(), "{code} {ran:?}");
            }
            other => panic!("round {round}: {other:?} {ran:?}"),
        }
    }
}

#[test]
fn what_is_no_capture_exits_1_and_leaves_an_empty_file_of_rows() {
    let dir = Dir::new();
    let noise: Vec<u8> = (0..4096_u32).map(|i| i.wrapping_mul(2_654_435_761).to_be_bytes()[1]).collect();
    let (missing, pipe) = (dir.at("nowhere"), dir.at("pipe"));
    // Nobody writes into it: whoever opens it waits for ever.
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    std::fs::create_dir(dir.at("folder")).unwrap();
    for (path, what) in [
        (dir.raw("empty", b""), "is empty"),
        (dir.file("empty.gz", ""), "is empty"),
        (dir.raw("noise", &noise), "tells the venue"),
        (dir.raw("blank", b"\n\n\n"), "none of its first 3 lines tells the venue"),
        (dir.raw("prose", b"not a capture\n"), "none of its first 1 lines tells the venue"),
        (dir.raw("one", b"\x1f"), "none of its first 1 lines"),
        (dir.at("folder"), "holds no journal"),
        ("/dev/zero".to_owned(), "is a pipe or a device"),
        (pipe, "is a pipe or a device"),
        (missing, "cannot be opened: No such file"),
    ] {
        let rows = dir.at("rows");
        let ran = replay([&path, "--json", "--books", &rows]).expect(1, &[&path, what]);
        assert_eq!(ran.stderr.lines().count(), 1, "{ran:?}");
        assert_eq!(text_of(rows.as_ref()), "");
        std::fs::remove_file(rows).unwrap();
    }
}

#[test]
fn a_fault_in_the_second_file_leaves_what_the_first_had() {
    let dir = Dir::new();
    let first = dir.file("first", capture(Product::Spot, &[S(5), D(1), D(2)]));
    let mut second = support::gzip(capture(Product::Spot, &[D(3), D(4), D(5)]).as_bytes());
    second.truncate(second.len() - 8);
    let second = dir.raw("second.gz", &second);
    let rows = dir.at("rows");
    let args = [&first, &second, "--json", "--books", &rows, "--books-every", "1"];
    let ran = replay(args).expect(1, &[&second, "cut off at byte"]);
    assert_eq!(ran.counts(["book_updates"]), [5]);
    let rows = text_of(rows.as_ref());
    let place = |row: &str| {
        let row: serde_json::Value = serde_json::from_str(row).unwrap();
        ["seq", "file", "line"].map(|key| row[key].as_u64().unwrap())
    };
    let expected = [[1, 0, 2], [2, 0, 3], [3, 1, 1], [4, 1, 2], [5, 1, 3]];
    assert_eq!(rows.lines().map(place).collect::<Vec<_>>(), expected);
    // A file that is missing is noticed before anything is replayed.
    let ran = replay([&first, &dir.at("missing"), "--json"]).expect(1, &["missing: cannot be opened"]);
    assert_eq!(ran.stdout, "");
}

#[test]
fn receive_times_that_are_missing_or_leap_are_counted_and_change_nothing_else() {
    let dir = Dir::new();
    let whole = capture(Product::UsdM, &[S(5), D(1), D(2), D(3), D(4), D(5)]);
    let with = |change: &dyn Fn(&mut Vec<String>)| {
        let mut lines: Vec<String> = whole.lines().map(str::to_owned).collect();
        change(&mut lines);
        let ran = replay([&dir.lines("times", &lines), "--json"]).expect(0, &[]);
        (ran.counts(["book_updates", "decode_errors", "clock_steps"]), ran)
    };
    let leap = |line: &str, by: i64| {
        let (recv_ns, message) = line.split_once(' ').unwrap();
        format!("{} {message}", recv_ns.parse::<u64>().unwrap().strict_add_signed(by))
    };
    assert_eq!(with(&|_| ()).0, [5, 0, 0]);
    // Without its time a line is none: the update is missing, and the next one shows it.
    let (counts, ran) = with(&|lines| lines[2] = lines[2].split_once(' ').unwrap().1.into());
    assert_eq!((counts, ran.counts(["gaps"])), ([1, 1, 0], [1]));
    assert!(ran.json()["first_errors"][0].as_str().unwrap().contains("line 3: no receive time"), "{ran:?}");
    assert_eq!(with(&|lines| lines[3] = leap(&lines[3], -500_000_000)).0, [5, 0, 1]);
    assert_eq!(with(&|lines| lines[3] = leap(&lines[3], 3_600_100_000_000)).0, [5, 0, 1]);
    assert_eq!(with(&|lines| lines[5] = leap(&lines[5], 3_599_000_000_000)).0, [5, 0, 0], "within the hour");
    let (_, ran) = with(&|lines| lines[3] = leap(&lines[3], -1_000_000_000));
    assert_eq!(ran.json()["clock_steps"], 1);
}

#[test]
fn a_file_that_contradicts_itself_exits_1_with_line_and_both_values() {
    let dir = Dir::new();
    // A futures snapshot names no symbol: it decides the product alone.
    let coinm = message(Product::CoinM, S(5)).replace("\"symbol\":\"BTCUSD_PERP\",", "");
    let spot = message(Product::Spot, D(1));
    let path = dir.lines("both", [format!("1 {coinm}"), format!("2 {spot}")]);
    replay([&path]).expect(1, &[&path, "line 2 is of binance-spot", "of binance-coinm"]);
    let usdm = message(Product::UsdM, S(5));
    let book = lines_of(HYPERLIQUID)[0].split_once(' ').unwrap().1.to_owned();
    let path = dir.lines("venues", [format!("1 {usdm}"), format!("2 {book}")]);
    replay([&path]).expect(1, &[&path, "line 2 is of hyperliquid", "of binance-usdm"]);
    // Told what it is, the lines that are not are decode errors.
    let ran = replay([&path, "--json", "--venue", "hyperliquid"]).expect(0, &[]);
    assert_eq!(ran.counts(["decode_errors", "book_updates"]), [1, 1]);
}

#[test]
fn rows_that_cannot_be_written_to_their_end_exit_1_with_the_file() {
    // Every write to this device fails as a full disk does: with many rows while the stages run, with few at
    // their end.
    for every in ["1", "100000"] {
        let args = [&arg(SPOT), "--books", "/dev/full", "--books-every", every];
        replay(args).expect(1, &["/dev/full: No space left on device"]);
    }
}
