//! `replay --signals` and `--candles` against the recorded columns, in every row and over one and five threads.

mod support;

use std::collections::BTreeMap;
use support::{COINM, Dir, Ran, SPOT, SPOT_NEXT, USDM, arg, lines_of, replay, shared, text_of};

/// A recorded stream with its goldens.
struct Stream {
    files: &'static [&'static str],
    name: &'static str,
    vpin_bucket: &'static str,
    /// Whether its signals are recorded; its candles are.
    has_signals: bool,
}

const STREAMS: [Stream; 4] = [
    Stream { files: &[USDM], name: "usdm_btcusdt_20240808", vpin_bucket: "10", has_signals: true },
    Stream { files: &[COINM], name: "cm_btcusd_perp_20240808", vpin_bucket: "200", has_signals: true },
    Stream { files: &[SPOT], name: "spot_btcusdt_20240808", vpin_bucket: "3", has_signals: true },
    Stream {
        files: &[SPOT, SPOT_NEXT],
        name: "spot_btcusdt_20240808_20240809",
        vpin_bucket: "3",
        has_signals: false,
    },
];

/// What a replay wrote.
struct Written {
    signals: String,
    seconds: String,
    minutes: String,
    ran: Ran,
}

fn written(files: &[String], vpin_bucket: &str, placement: &str) -> Written {
    let dir = Dir::new();
    let (signals, seconds, minutes) = (dir.at("rows.csv.gz"), dir.at("1s.csv"), dir.at("1m.csv.gz"));
    let mut args = files.to_vec();
    let options = ["--json", "--placement", placement, "--signals", &signals, "--signals-every-line", "100"];
    args.extend(options.map(str::to_owned));
    args.extend(["--vpin-bucket", vpin_bucket, "--candles", "1s", &seconds].map(str::to_owned));
    args.extend(["--candles", "1m", &minutes].map(str::to_owned));
    let ran = replay(args).expect(0, &[]);
    let text = |path: &String| text_of(path.as_ref());
    Written { signals: text(&signals), seconds: text(&seconds), minutes: text(&minutes), ran }
}

/// Columns that are sums or counts: the same text. The others are quotients, statistics.
const EXACT: [&str; 11] = [
    "line",
    "recv_ns",
    "bid_px",
    "bid_qty",
    "ask_px",
    "ask_qty",
    "spread",
    "mid",
    "taker_buy_10s",
    "taker_sell_10s",
    "vpin_buckets_done",
];

fn assert_signals(made: &str, golden: &str, name: &str) {
    assert_eq!(made.lines().count(), golden.lines().count(), "rows of {name}");
    let header: Vec<&str> = golden.lines().next().unwrap().split(',').collect();
    assert_eq!(made.lines().next(), golden.lines().next());
    for (made, golden) in made.lines().zip(golden.lines()).skip(1) {
        let cells = || made.split(',').zip(golden.split(','));
        assert_eq!(made.split(',').count(), header.len(), "{made}");
        for (column, (made, golden)) in header.iter().zip(cells()) {
            let place = || format!("{name}, {column}: {made} for {golden}");
            if EXACT.contains(column) || made.is_empty() || golden.is_empty() {
                assert_eq!(made, golden, "{}", place());
                continue;
            }
            let (made, golden): (f64, f64) = (made.parse().unwrap(), golden.parse().unwrap());
            assert!((made - golden).abs() <= 1e-12 * golden.abs(), "{}", place());
        }
    }
}

fn agrees(stream: &Stream) {
    let files: Vec<String> = stream.files.iter().map(|file| arg(file)).collect();
    let one = written(&files, stream.vpin_bucket, "one");
    if stream.has_signals {
        let golden = text_of(&shared(&format!("microstructure/{}.csv", stream.name)));
        assert_signals(&one.signals, &golden, stream.name);
    }
    for (made, frame) in [(&one.seconds, "1s"), (&one.minutes, "1m")] {
        let golden = text_of(&shared(&format!("capture_candles/{}_{frame}.csv", stream.name)));
        assert!(*made == golden, "candles of {frame} of {}", stream.name);
    }
    assert_eq!(one.ran.counts(["late_trades"]), [0]);
    let five = written(&files, stream.vpin_bucket, "five");
    assert!(five.signals == one.signals && five.seconds == one.seconds && five.minutes == one.minutes);
}

#[test]
fn usdm_signals_and_candles_equal_the_recorded_ones() {
    agrees(&STREAMS[0]);
}

#[test]
fn coinm_signals_and_candles_equal_the_recorded_ones() {
    agrees(&STREAMS[1]);
}

#[test]
fn spot_signals_and_candles_equal_the_recorded_ones() {
    agrees(&STREAMS[2]);
}

#[test]
fn candles_of_two_files_equal_the_recorded_ones() {
    agrees(&STREAMS[3]);
}

/// Rows by file and line.
fn by_line(text: &str) -> BTreeMap<(usize, usize), Vec<&str>> {
    let rows = text.lines().skip(1).map(|line| {
        let cells: Vec<&str> = line.split(',').collect();
        let file = cells.get(18).map_or(0, |file| file.parse().unwrap());
        ((file, cells[0].parse().unwrap()), cells)
    });
    rows.collect()
}

#[test]
fn a_second_file_counts_its_lines_anew_and_adds_a_column() {
    let two = written(&[arg(SPOT), arg(SPOT_NEXT)], "3", "one");
    assert!(two.signals.lines().next().unwrap().ends_with("realised_vol_60s,file"));
    let golden = text_of(&shared("microstructure/spot_btcusdt_20240808.csv"));
    let rows = by_line(&two.signals);
    let first: Vec<String> = rows.range((0, 0)..(1, 0)).map(|(_, cells)| cells[..18].join(",")).collect();
    let first = format!("{}\n{}\n", golden.lines().next().unwrap(), first.join("\n"));
    assert_signals(&first, &golden, "the first of two files");
    let lines: Vec<usize> = rows.range((1, 0)..).map(|((_, line), _)| *line).collect();
    let count = lines_of(SPOT_NEXT).len();
    assert_eq!(lines, (1..=count / 100).map(|row| row * 100).collect::<Vec<_>>());
}

#[test]
fn lines_that_lead_to_no_message_count_and_have_their_row() {
    let dir = Dir::new();
    let mut lines = lines_of(COINM);
    lines.truncate(12_000);
    let plain = written(&[dir.lines("plain", &lines)], "200", "one");
    // Every hundred lines become 102: one that nothing can read, and one that says nothing of the market.
    let mut longer = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        longer.push(line.clone());
        if (index + 1) % 100 == 49 {
            longer.push("no line of a capture".to_owned());
        }
        if (index + 1) % 100 == 98 {
            let recv_ns = line.split(' ').next().unwrap();
            longer.push(format!("{recv_ns} {{\"result\":null,\"id\":1}}"));
        }
    }
    let rows = written(&[dir.lines("longer.gz", &longer)], "200", "five");
    let (plain, rows) = (by_line(&plain.signals), by_line(&rows.signals));
    assert_eq!(rows.keys().filter(|(_, line)| line % 100 != 0).count(), 0);
    // Line 102 k of the longer file ends what line 100 k of the plain one ends; both have a row every 5100 lines.
    let mut compared = 0;
    for k in (50..=110).step_by(50) {
        assert_eq!(rows[&(0, 102 * k)][1..], plain[&(0, 100 * k)][1..], "row of line {}", 100 * k);
        compared += 1;
    }
    assert_eq!(compared, 2);
    // Rows of the lines that were put in: state and time are those of the line before.
    let is_silent = |line: &usize| matches!(line % 102, 50 | 100);
    let silent: Vec<usize> = rows.keys().map(|(_, line)| *line).filter(is_silent).collect();
    assert!(silent.len() >= 4, "{silent:?}");
    for line in silent {
        let last = longer[..line].iter().rev().find_map(|text| text.split_once(" {")).unwrap();
        assert_eq!(rows[&(0, line)][1], last.0, "the time of line {line}");
    }
}

#[test]
fn a_late_trade_is_counted_and_changes_no_candle() {
    let dir = Dir::new();
    let lines = lines_of(COINM);
    let is_trade = |line: &&String| line.contains("\"e\":\"trade\"");
    let first = lines.iter().find(is_trade).unwrap().clone();
    let mut late = lines.clone();
    let middle = late.len() / 2;
    let recv_ns = late[middle].split(' ').next().unwrap().to_owned();
    late.insert(middle + 1, format!("{recv_ns} {}", first.split_once(' ').unwrap().1));
    let made = written(&[dir.lines("late", &late)], "200", "one");
    assert_eq!(made.ran.counts(["late_trades"]), [2], "of the second and of the minute");
    for (made, frame) in [(&made.seconds, "1s"), (&made.minutes, "1m")] {
        let golden = text_of(&shared(&format!("capture_candles/{}_{frame}.csv", STREAMS[1].name)));
        assert!(*made == golden, "candles of {frame}");
    }
}

#[test]
fn aggregates_make_the_candles_where_there_are_no_single_trades() {
    let dir = Dir::new();
    // Each trade as an aggregate of its own.
    let as_aggregate = |line: String| {
        if !line.contains("\"e\":\"trade\"") {
            return line;
        }
        let (head, json) = line.split_once(' ').unwrap();
        let mut message: serde_json::Value = serde_json::from_str(json).unwrap();
        let data = message["data"].as_object_mut().unwrap();
        let id = data.remove("t").unwrap();
        data.insert("e".into(), "aggTrade".into());
        for key in ["a", "f", "l"] {
            data.insert(key.into(), id.clone());
        }
        data.remove("X");
        let stream = message["stream"].as_str().unwrap().replace("@trade", "@aggTrade");
        message["stream"] = stream.into();
        format!("{head} {message}")
    };
    let lines = lines_of(USDM).into_iter().map(as_aggregate);
    let made = written(&[dir.lines("aggregates", lines)], "10", "one");
    let golden = text_of(&shared(&format!("capture_candles/{}_1s.csv", STREAMS[0].name)));
    assert!(made.seconds == golden);
    let golden = text_of(&shared(&format!("microstructure/{}.csv", STREAMS[0].name)));
    assert_signals(&made.signals, &golden, "aggregates");
}

#[test]
fn rows_of_an_input_without_any_are_the_header_alone() {
    let dir = Dir::new();
    let empty = dir.lines("empty", ["1 {\"result\":null}"]);
    let (signals, candles) = (dir.at("s.csv"), dir.at("c.csv.gz"));
    replay([&empty, "--signals", &signals, "--candles", "1m", &candles]).expect(1, &[&empty]);
    let golden = |path: &str| text_of(&shared(path)).lines().next().unwrap().to_owned() + "\n";
    assert_eq!(text_of(signals.as_ref()), golden("microstructure/usdm_btcusdt_20240808.csv"));
    assert_eq!(text_of(candles.as_ref()), golden("capture_candles/usdm_btcusdt_20240808_1s.csv"));
    // And of a market that never was synchronised; without a bucket nothing else changes.
    let few = dir.lines("few", &lines_of(USDM)[..40]);
    let options = ["--signals", &signals, "--signals-every-line", "1"];
    replay([&few].into_iter().map(String::as_str).chain(options)).expect(0, &[]);
    assert_eq!(text_of(signals.as_ref()), golden("microstructure/usdm_btcusdt_20240808.csv"));
}

#[test]
fn without_a_bucket_its_columns_are_empty() {
    let dir = Dir::new();
    let signals = dir.at("s.csv");
    replay([arg(SPOT), "--signals".into(), signals.clone()]).expect(0, &[]);
    let text = text_of(signals.as_ref());
    let golden = text_of(&shared("microstructure/spot_btcusdt_20240808.csv"));
    let rows = by_line(&text);
    assert_eq!(rows.len(), golden.lines().count() - 1);
    assert!(rows.values().all(|cells| cells[15].is_empty() && cells[16].is_empty() && !cells[8].is_empty()));
}

#[test]
fn what_cannot_be_written_is_refused_or_reported() {
    let dir = Dir::new();
    let (spot, rows) = (arg(SPOT), dir.at("rows.csv"));
    for (args, words) in [
        (vec!["--signals", &spot], "--signals would overwrite"),
        (vec!["--candles", "1m", &spot], "--candles would overwrite"),
        (vec!["--signals", &rows, "--candles", "1m", &rows], "--candles would overwrite"),
        (vec!["--candles", "1x", &rows], "a time frame is a count"),
        (vec!["--candles", "1m"], "--candles"),
        (vec!["--vpin-bucket", "3"], "--signals"),
        (vec!["--signals", &rows, "--vpin-bucket", "0"], "--vpin-bucket"),
        (vec!["--signals", &rows, "--vpin-bucket", "1e3"], "--vpin-bucket"),
        (vec!["--signals", &rows, "--signals-every-line", "0"], "--signals-every-line"),
    ] {
        let all = [spot.as_str()].into_iter().chain(args);
        replay(all).expect(2, &[words]);
    }
    replay([&spot, "--signals", "/dev/full"]).expect(1, &["/dev/full"]);
    replay([&spot, "--candles", "1s", "/dev/full"]).expect(1, &["/dev/full"]);
}
