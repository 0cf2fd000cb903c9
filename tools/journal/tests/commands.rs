//! The commands as a user types them, over journals written by the engine's own writer.

use std::fs;
use std::io::Read;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use engine::ids::{Cause, InstrumentId, Lane};
use engine::journal::schema::{FrameHead, OrderBody, RecordKind, StreamBreak};
use engine::journal::{Entry, Journal, Options, Reader, Retention, Writer};
use engine::num::{Price, Qty};
use engine::time::Nanos;
use serde_json::Value;
use zerocopy::IntoBytes;

const START: u64 = 1_723_161_255_000_000_000; // 2024-08-08T23:54:15Z
const INSTRUMENTS: &str = r#"
[[instrument]]
id = 0
venue = "binance-usdm"
symbol = "ETHUSDT"
tick = "0.01"
qty_unit = "0.001"
amount_digits = 5

[[instrument]]
id = 1
venue = "binance-usdm"
symbol = "BTCUSDT"
tick = "0.10"
qty_unit = "0.001"
amount_digits = 4
"#;

fn journal(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_journal")).args(arguments).output().unwrap()
}

fn lines(output: &Output) -> Vec<String> {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).unwrap().lines().map(str::to_owned).collect()
}

fn objects(output: &Output) -> Vec<Value> {
    lines(output).iter().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn entry(kind: RecordKind, instrument: u32, cause: Cause, ms: u64) -> Entry {
    Entry {
        kind: kind as u16,
        instrument: InstrumentId(instrument),
        cause,
        recv_ns: Nanos(START + ms * 1_000_000),
    }
}

fn frame(feed: &mut Writer, ms: u64, line: u32) -> Cause {
    let head = FrameHead { line, ..FrameHead::default() };
    let body = [head.as_bytes(), br#"{"e":"t"}"#].concat();
    feed.append(entry(RecordKind::Frame, 0, Cause::NONE, ms), &body).unwrap()
}

fn order(gateway: &mut Writer, ms: u64, cause: Cause, order_seq: u64) {
    let body =
        OrderBody { order_seq, price: Price(601_234), qty: Qty(1_500), side: 1, ..OrderBody::default() };
    gateway.append(entry(RecordKind::Order, 1, cause, ms), body.as_bytes()).unwrap();
}

/// Ten frames, a second apart, an order after each, a break at the end; closed.
fn write_run(run: &Path) {
    let options = Options { feed_segment_bytes: 8192, segment_bytes: 8192, ..Options::new(7, [3; 32]) };
    let mut journal = Journal::create(&run.join("journal"), options).unwrap();
    let mut runner = journal.writer(Lane::Runner).unwrap();
    let mut feed = journal.writer(Lane::Feed).unwrap();
    let mut gateway = journal.writer(Lane::Gateway).unwrap();
    runner.append(entry(RecordKind::Config, 0, Cause::NONE, 0), b"[limits]\n").unwrap();
    runner.append(entry(RecordKind::Instruments, 0, Cause::NONE, 0), INSTRUMENTS.as_bytes()).unwrap();
    for second in 0..10_u32 {
        let ms = u64::from(second) * 1000;
        let cause = frame(&mut feed, ms, second + 1);
        order(&mut gateway, ms, cause, u64::from(second) + 1);
    }
    let broken = StreamBreak { expected: 10, first_id: 12, last_id: 13 };
    feed.append(entry(RecordKind::StreamStale, 1, Cause::NONE, 9_500), broken.as_bytes()).unwrap();
    drop((runner, feed, gateway));
    journal.close().unwrap();
}

#[test]
fn a_dump_shows_symbols_decimals_and_utc_and_causes_before_what_they_caused() {
    let run = tempfile::tempdir().unwrap();
    write_run(run.path());
    let path = run.path().to_str().unwrap();
    let shown = lines(&journal(&["dump", path]));
    assert_eq!(shown.len(), 23);
    let first_order = shown.iter().position(|line| line.contains(" order ")).unwrap();
    assert_eq!(
        shown[first_order],
        "2024-08-08T23:54:15.000000000Z gateway:1 order binance-usdm:BTCUSDT <-feed:1 order=1 kind=limit \
         tif=GTC side=sell price=60123.40 trigger=null qty=1.500 reduce_only=false strategy=0 account=0"
    );
    assert!(shown[..first_order].iter().any(|line| line.contains(" feed:1 frame - <-- ")));
    let stale = shown.iter().find(|line| line.contains(" stale ")).unwrap();
    assert!(stale.ends_with("had=10 first=12 last=13"), "{stale}");
    let shown = objects(&journal(&["dump", path, "--json", "--kind", "frame"]));
    assert_eq!(shown.len(), 10);
    assert_eq!(shown[9]["body"]["frame"], r#"{"e":"t"}"#);
    assert_eq!(shown[9]["recv"], "2024-08-08T23:54:24.000000000Z");
    assert_eq!(shown[9]["recv_ns"], START + 9_000_000_000);
}

#[test]
fn filters_by_kind_instrument_and_lane_hold_together_and_unknown_ones_are_usage_errors() {
    let run = tempfile::tempdir().unwrap();
    write_run(run.path());
    let path = run.path().to_str().unwrap();
    let count = |arguments: &[&str]| lines(&journal(&[&["dump", path], arguments].concat())).len();
    assert_eq!(count(&["--kind", "order", "--kind", "config"]), 11);
    assert_eq!(count(&["--kind", "31"]), 10);
    assert_eq!(count(&["--instrument", "BTCUSDT"]), 11);
    assert_eq!(count(&["--instrument", "binance-usdm:BTCUSDT", "--lane", "feed"]), 1);
    assert_eq!(count(&["--instrument", "ETHUSDT"]), 0);
    for arguments in [["--kind", "ordre"], ["--instrument", "DOGEUSDT"], ["--lane", "web"]] {
        let output = journal(&["dump", path, arguments[0], arguments[1]]);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains(arguments[1]), "{said}");
    }
}

#[test]
fn a_tail_shows_the_last_records_or_those_since_a_time() {
    let run = tempfile::tempdir().unwrap();
    write_run(run.path());
    let path = run.path().to_str().unwrap();
    let shown = lines(&journal(&["tail", path, "-n", "3"]));
    assert_eq!(shown.len(), 3);
    assert!(shown[2].contains(" stale "), "{shown:?}");
    assert_eq!(lines(&journal(&["tail", path, "--since", "2s"])).len(), 5);
    assert_eq!(lines(&journal(&["tail", path, "--since", "2024-08-08T23:54:24Z"])).len(), 3);
    assert_eq!(journal(&["tail", path, "--since", "soon"]).status.code(), Some(2));
}

#[test]
fn a_follower_shows_what_is_written_while_it_follows_and_ends_with_the_writer() {
    let run = tempfile::tempdir().unwrap();
    let mut journal = Journal::create(&run.path().join("journal"), Options::new(1, [0; 32])).unwrap();
    let mut feed = journal.writer(Lane::Feed).unwrap();
    frame(&mut feed, 0, 1);
    let mut follower = Command::new(env!("CARGO_BIN_EXE_journal"))
        .args(["tail", run.path().to_str().unwrap(), "--follow", "--json"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut pipe = follower.stdout.take().unwrap();
    let mut shown = Vec::new();
    // The first line says that it follows; what comes after was not there when it started.
    while !shown.ends_with(b"\n") {
        let mut byte = [0];
        pipe.read_exact(&mut byte).unwrap();
        shown.extend(byte);
    }
    for line in 2..=500 {
        frame(&mut feed, 0, line);
    }
    drop(feed);
    journal.close().unwrap();
    pipe.read_to_end(&mut shown).unwrap();
    assert!(follower.wait().unwrap().success());
    assert_eq!(shown.iter().filter(|byte| **byte == b'\n').count(), 500);
}

#[test]
fn verify_names_the_place_of_a_flipped_bit_and_exits_1() {
    let run = tempfile::tempdir().unwrap();
    write_run(run.path());
    let path = run.path().to_str().unwrap();
    let whole = objects(&journal(&["verify", path, "--json"]));
    assert!(whole.iter().all(|lane| lane["good"] == true && lane["end"] == "closed"), "{whole:?}");
    let file = run.path().join("journal/gateway-000001.seg");
    let mut bytes = fs::read(&file).unwrap();
    bytes[256 + 4 * 128 + 70] ^= 1;
    fs::write(&file, bytes).unwrap();
    let output = journal(&["verify", path]);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(
        said.contains("DAMAGED") && said.contains("gateway-000001.seg at byte 768, after record 4"),
        "{said}"
    );
    for command in ["dump", "stat"] {
        let output = journal(&[command, path]);
        assert_eq!(output.status.code(), Some(1), "{command}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("byte 768"));
    }
}

#[test]
fn the_decisions_of_a_run_are_lines_without_sequences_and_files() {
    let run = tempfile::tempdir().unwrap();
    write_run(run.path());
    let path = run.path().to_str().unwrap();
    let listed = lines(&journal(&["dump", path, "--decisions"]));
    assert_eq!(listed.len(), 10);
    let first = "0 order instrument=1 strategy=0 account=0 order=1 side=1 tif=0 601234x1500";
    assert_eq!(listed[0], first, "no stage said when it began");
    assert_eq!(journal(&["dump", path, "--decisions", "--json"]).status.code(), Some(2));
}

#[test]
fn stat_counts_by_lane_and_kind() {
    let run = tempfile::tempdir().unwrap();
    write_run(run.path());
    let path = run.path().to_str().unwrap();
    let shown = objects(&journal(&["stat", path, "--json"]));
    let frames = shown.iter().find(|row| row["kind"] == "frame").unwrap();
    assert_eq!((frames["records"].as_u64(), frames["bytes"].as_u64()), (Some(10), Some(640)));
    assert_eq!(frames["records_per_s"], 1);
    assert_eq!(lines(&journal(&["stat", path])).len(), 1 + 5);
}

#[test]
fn a_slice_keeps_sequences_causes_and_configuration_and_is_whole() {
    let run = tempfile::tempdir().unwrap();
    let run_dir = run.path().join("run");
    write_run(&run_dir);
    let (path, out) = (run_dir.to_str().unwrap(), run.path().join("slice"));
    let out = out.to_str().unwrap();
    let times = ["--from", "2024-08-08T23:54:18", "--to", "2024-08-08T23:54:20"];
    lines(&journal(&[&["slice", path, "--out", out], &times[..]].concat()));
    let all = lines(&journal(&["dump", path]));
    let wanted: Vec<_> = all
        .into_iter()
        .filter(|line| line.contains("runner:") || line.contains(":18.") || line.contains(":19."))
        .collect();
    assert_eq!(lines(&journal(&["dump", out])), wanted);
    let whole = objects(&journal(&["verify", out, "--json"]));
    assert!(whole.iter().all(|lane| lane["good"] == true), "{whole:?}");
    assert_eq!(whole[1]["not_kept"][0], serde_json::json!([1, 3]));
    assert_eq!(journal(&["slice", path, "--out", out]).status.code(), Some(1));
    let reversed = journal(&["slice", path, "--out", out, "--from", "1s", "--to", "2s"]);
    assert_eq!(reversed.status.code(), Some(2));
}

/// A replay's run: the runner's records are of the day of the replay, the others of the day of the capture.
const LATER_MS: u64 = 60_000_000_000;

#[test]
fn a_slice_of_a_replay_has_its_configuration_though_it_is_of_another_day() {
    let run = tempfile::tempdir().unwrap();
    let options = Options::new(7, [3; 32]);
    let mut journal = Journal::create(&run.path().join("journal"), options).unwrap();
    let mut runner = journal.writer(Lane::Runner).unwrap();
    let mut feed = journal.writer(Lane::Feed).unwrap();
    let of_runner = |kind| entry(kind, 0, Cause::NONE, LATER_MS);
    runner.append(of_runner(RecordKind::Instruments), INSTRUMENTS.as_bytes()).unwrap();
    for second in 0..10_u32 {
        frame(&mut feed, u64::from(second) * 1000, second + 1);
    }
    runner.append(of_runner(RecordKind::RunEnd), b"in order").unwrap();
    drop((runner, feed));
    journal.close().unwrap();
    let path = run.path().to_str().unwrap();
    let out = run.path().join("slice");
    let out = out.to_str().unwrap();
    // Counted from the newest frame.
    let said = lines(&self::journal(&["slice", path, "--from", "3500ms", "--to", "1500ms", "--out", out]));
    assert_eq!(said, ["feed     2 records from 7 on", "runner   2 records from 1 on"]);
    assert_eq!(lines(&self::journal(&["tail", path, "--since", "1500ms", "--kind", "frame"])).len(), 2);
}

/// A run with retention whose gateway says at record 600 all that was open; not closed. The first records that the
/// lanes still have.
fn write_run_with_retention(run: &Path) -> [u64; 2] {
    let options = Options {
        feed_segment_bytes: 8192,
        segment_bytes: 8192,
        retention: Some(Retention { bytes: 1, age: Duration::ZERO }),
        ..Options::new(7, [3; 32])
    };
    let mut journal = Journal::create(&run.join("journal"), options).unwrap();
    let mut runner = journal.writer(Lane::Runner).unwrap();
    let mut feed = journal.writer(Lane::Feed).unwrap();
    let mut gateway = journal.writer(Lane::Gateway).unwrap();
    runner.append(entry(RecordKind::Instruments, 0, Cause::NONE, 0), INSTRUMENTS.as_bytes()).unwrap();
    gateway.needed_from(1);
    let room = journal.room();
    for number in 0..1_000_u32 {
        room.wait(512).unwrap();
        if number == 600 {
            gateway.needed_from(gateway.segment_number());
        }
        let ms = u64::from(number);
        let cause = frame(&mut feed, ms, number + 1);
        order(&mut gateway, ms, cause, u64::from(number) + 1);
    }
    drop((runner, feed, gateway, journal));
    let reader = Reader::open(run).unwrap();
    [Lane::Feed, Lane::Gateway].map(|lane| reader.cursor(lane).next().unwrap().unwrap().seq)
}

#[test]
fn what_retention_has_deleted_is_said_by_verify_and_missed_by_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let run = dir.path().join("run");
    let [feed, gateway] = write_run_with_retention(&run);
    assert!(feed > 700 && (500..=601).contains(&gateway), "kept from {feed} and {gateway} on");
    let path = run.to_str().unwrap();
    let rows = objects(&journal(&["verify", path, "--json"]));
    let row = |lane: &str| rows.iter().find(|row| row["lane"] == lane).unwrap();
    for (lane, first) in [("feed", feed), ("gateway", gateway)] {
        let row = row(lane);
        assert_eq!((&row["good"], &row["end"]), (&true.into(), &"open".into()), "{row}");
        assert_eq!(row["not_kept"], serde_json::json!([[1, first - 1]]), "{row}");
        assert_eq!((&row["last_seq"], &row["records"]), (&1000.into(), &(1001 - first).into()), "{row}");
    }
    assert_eq!(row("runner")["not_kept"], serde_json::json!([]));
    // A cause that was deleted is no cause that points to nothing: the story begins later.
    let text = lines(&journal(&["verify", path])).join("\n");
    assert!(text.contains(&format!("not kept: 1 to {}", gateway - 1)) && !text.contains("nothing"), "{text}");
    assert_eq!(lines(&journal(&["dump", path, "--lane", "gateway"])).len() as u64, 1001 - gateway);

    // What is cut out of it is as whole as it is.
    let out = dir.path().join("slice");
    let out = out.to_str().unwrap();
    lines(&journal(&["slice", path, "--from", "200ms", "--out", out]));
    let rows = objects(&journal(&["verify", out, "--json"]));
    assert!(rows.iter().all(|row| row["good"] == true && row["end"] == "closed"), "{rows:?}");
    let gateway = rows.iter().find(|row| row["lane"] == "gateway").unwrap();
    assert_eq!((&gateway["first_seq"], &gateway["last_seq"]), (&800.into(), &1000.into()));
    // A slice of a slice of a time that holds nothing keeps its place.
    let nothing = dir.path().join("nothing");
    let nothing = nothing.to_str().unwrap();
    let years = ["--from", "2030-01-01", "--to", "2031-01-01"];
    lines(&journal(&[&["slice", out, "--out", nothing], &years[..]].concat()));
    let rows = objects(&journal(&["verify", nothing, "--json"]));
    assert!(rows.iter().all(|row| row["good"] == true), "{rows:?}");
    let empty = rows.iter().find(|row| row["lane"] == "gateway").unwrap();
    assert_eq!((&empty["records"], &empty["not_kept"]), (&0.into(), &serde_json::json!([[1, 1000]])));
}

#[test]
fn one_record_that_is_gone_from_the_middle_is_no_work_of_retention() {
    let dir = tempfile::tempdir().unwrap();
    let run = dir.path().join("run");
    write_run_with_retention(&run);
    let segment = fs::read_dir(run.join("journal")).unwrap().map(|entry| entry.unwrap().path());
    let mut gateway: Vec<_> = segment.filter(|path| path.to_str().unwrap().contains("gateway")).collect();
    gateway.sort();
    let middle = &gateway[gateway.len() / 2];
    let mut bytes = fs::read(middle).unwrap();
    bytes[256 + 128..256 + 256].fill(0);
    fs::write(middle, bytes).unwrap();
    let output = journal(&["verify", run.to_str().unwrap()]);
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.contains("DAMAGED") && said.contains(middle.file_name().unwrap().to_str().unwrap()),
        "{said}"
    );
}

/// Five orders, of records of 128 bytes each; of the last one the second half is lost.
fn write_torn_run(run: &Path) {
    let mut journal = Journal::create(&run.join("journal"), Options::new(7, [3; 32])).unwrap();
    let mut gateway = journal.writer(Lane::Gateway).unwrap();
    (1..=5).for_each(|seq| order(&mut gateway, seq, Cause::NONE, seq));
    drop((gateway, journal));
    let file = run.join("journal/gateway-000001.seg");
    let mut bytes = fs::read(&file).unwrap();
    bytes[256 + 4 * 128 + 64..256 + 5 * 128].fill(0);
    fs::write(&file, bytes).unwrap();
}

#[test]
fn a_run_that_was_killed_in_a_record_is_shown_up_to_the_record_before() {
    let dir = tempfile::tempdir().unwrap();
    write_torn_run(dir.path());
    let path = dir.path().to_str().unwrap();
    for (arguments, shown) in [
        (&["dump", path][..], 4),
        (&["dump", path, "--decisions"], 4),
        (&["dump", path, "--kind", "fill", "--csv"], 1),
        (&["tail", path, "-n", "2"], 2),
        (&["tail", path, "--follow"], 4),
        (&["tail", path, "--since", "1ms"], 2),
        (&["explain", "4", "--in", path], 2),
    ] {
        assert_eq!(lines(&journal(arguments)).len(), shown, "{arguments:?}");
    }
    let rows = objects(&journal(&["stat", path, "--json"]));
    assert_eq!((&rows[0]["kind"], &rows[0]["records"]), (&"order".into(), &4.into()));
    let missing = journal(&["explain", "5", "--in", path]);
    assert_eq!(missing.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&missing.stderr).contains("no order 5 in this journal"));
}

#[test]
fn of_a_run_that_was_killed_in_a_record_a_slice_has_all_that_is_whole() {
    let dir = tempfile::tempdir().unwrap();
    let run = dir.path().join("run");
    write_torn_run(&run);
    let path = run.to_str().unwrap();
    let row = &objects(&journal(&["verify", path, "--json"]))[0];
    assert_eq!((&row["good"], &row["end"], &row["last_seq"]), (&true.into(), &"torn".into(), &4.into()));
    let out = dir.path().join("slice");
    let out = out.to_str().unwrap();
    assert_eq!(lines(&journal(&["slice", path, "--out", out])), ["gateway  4 records from 1 on"]);
    let row = &objects(&journal(&["verify", out, "--json"]))[0];
    assert_eq!(
        (&row["end"], &row["records"], &row["not_kept"]),
        (&"closed".into(), &4.into(), &Value::Array(vec![]))
    );
}

#[test]
fn a_closed_pipe_ends_quietly_and_no_journal_is_an_error() {
    let run = tempfile::tempdir().unwrap();
    write_run(run.path());
    let mut child = Command::new(env!("CARGO_BIN_EXE_journal"))
        .args(["dump", run.path().to_str().unwrap()])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    let empty = tempfile::tempdir().unwrap();
    let output = journal(&["dump", empty.path().to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("holds no journal"));
    assert_eq!(journal(&["dump"]).status.code(), Some(2));
}
