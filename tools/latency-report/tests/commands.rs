//! The report as a user asks for it, over journals written by the engine's own writer.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use engine::counters::{Counters, Desc, Run};
use engine::ids::{Cause, InstrumentId, Lane};
use engine::journal::schema::{RecordKind, Stamps};
use engine::journal::{Entry, Journal, Options, Reader, Retention};
use engine::time::Nanos;
use zerocopy::IntoBytes;

fn report(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_latency-report")).args(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

/// A run of two thousand frames that took so long to decode; it ends in order where it says how.
fn write_run(run: &Path, build: &str, decoded: u32, end: Option<&str>) {
    write_journal(run, Options::new(7, [3; 32]), build, decoded, end).close().unwrap();
}

/// The same, its journal not closed yet.
fn write_journal(run: &Path, options: Options, build: &str, decoded: u32, end: Option<&str>) -> Journal {
    let mut journal = Journal::create(&run.join("journal"), options).unwrap();
    let mut runner = journal.writer(Lane::Runner).unwrap();
    let mut gateway = journal.writer(Lane::Gateway).unwrap();
    let entry = |kind: RecordKind| Entry {
        kind: kind as u16,
        instrument: InstrumentId(0),
        cause: Cause::NONE,
        recv_ns: Nanos::SECOND,
    };
    runner.append(entry(RecordKind::Build), build.as_bytes()).unwrap();
    let stamps = Stamps { decoded, booked: 500, signalled: 600, decided: 0 };
    let room = journal.room();
    for _ in 0..2_000 {
        room.wait(64).unwrap();
        gateway.append(entry(RecordKind::Stamps), stamps.as_bytes()).unwrap();
    }
    if let Some(end) = end {
        runner.append(entry(RecordKind::RunEnd), end.as_bytes()).unwrap();
    }
    journal
}

/// Counters of so many frames that took 100 ns to decode.
fn write_counters(run: &Path, frames: u32) {
    let facts = Run { id: 7, start: Nanos::SECOND };
    let mut counters = Counters::create(Some(&run.join("counters")), &facts, 1_000).unwrap();
    let decode = Desc::histogram("latency_decode", "Frame decoded");
    let mut decode = counters.register_histogram("gateway", &decode).unwrap();
    (0..frames).for_each(|_| decode.record(100));
}

const SERVICE: &str = "pace = \"max\"\nlatency = \"service time\"\n";

#[test]
fn a_slower_run_ends_with_exit_code_1_and_says_which_hop_and_percentile() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    write_run(&dir.path().join("before"), SERVICE, 100, Some("over"));
    write_run(&dir.path().join("after"), SERVICE, 150, Some("over"));
    let html = path("report.html");
    let output = report(&[&path("after"), "--baseline", &path("before"), "--html", &html]);
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stderr);
    for percentile in ["p50", "p99"] {
        assert!(
            said.contains(&format!("slower: decode {percentile}: 100 ns before, 150 ns now (+50.0 %)")),
            "{said}"
        );
    }
    // Two values lie beyond the 99.9th percentile, and the book was the faster for it.
    assert!(!said.contains("p99.9") && !said.contains("slower: book"), "{said}");
    let page = fs::read_to_string(html).unwrap();
    assert!(page.contains("slower: decode p50") && page.contains("curve c1 dashed"));
    let output = report(&[&path("after"), "--baseline", &path("before"), "--tolerance", "50"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let output = report(&[&path("before"), "--baseline", &path("after"), "--tolerance", "0"]);
    assert!(text(&output.stderr).contains("slower: book p50: 350 ns before, 400 ns now"));
}

#[test]
fn a_run_that_was_cut_off_is_reported_and_one_that_does_not_say_what_it_measured_says_so() {
    let dir = tempfile::tempdir().unwrap();
    write_run(dir.path(), "version = \"0\"\n", 100, None);
    let output = report(&[dir.path().to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let page = text(&output.stdout);
    for words in [
        "not ended in order",
        "the journal does not say which",
        "no counters file",
        "decode                100",
    ] {
        assert!(page.contains(words), "`{words}` is not in {page}");
    }
    assert_eq!(report(&[]).status.code(), Some(2));
}

#[test]
fn counters_that_say_something_else_than_a_whole_journal_end_with_exit_code_1() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().to_str().unwrap();
    write_run(dir.path(), SERVICE, 100, Some("over"));
    write_counters(dir.path(), 2_000);
    let output = report(&[path]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(!text(&output.stdout).contains("lacks") && output.stderr.is_empty(), "{output:?}");
    fs::remove_file(dir.path().join("counters")).unwrap();
    write_counters(dir.path(), 2_001);
    let output = report(&[path]);
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stderr);
    assert!(said.contains("decode: the journal's stamps make 2000 values up to 100 ns"), "{said}");
}

#[test]
fn what_retention_deleted_is_said_and_what_is_left_is_reported() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options {
        feed_segment_bytes: 8192,
        segment_bytes: 8192,
        retention: Some(Retention { bytes: 1, age: Duration::ZERO }),
        ..Options::new(7, [3; 32])
    };
    write_journal(dir.path(), options, SERVICE, 100, Some("over")).close().unwrap();
    write_counters(dir.path(), 2_000);
    let reader = Reader::open(dir.path()).unwrap();
    let first = reader.cursor(Lane::Gateway).next().unwrap().unwrap().seq;
    assert!(first > 1, "nothing was deleted");
    let output = report(&[dir.path().to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let lacks = format!("records 1 to {} of the gateway lane, which were not kept", first - 1);
    let page = text(&output.stdout);
    assert!(page.contains(&format!("{:<16} {lacks}\n", "lacks")), "{page}");
    let row = page.lines().find(|line| line.starts_with("decode")).unwrap();
    assert!(row.ends_with(&format!(" {}", 2_001 - first)), "{row}");
    let said = text(&output.stderr);
    assert!(said.contains(&format!("lacks {lacks}; not compared with the run's counters")), "{said}");
}

#[test]
fn a_run_that_was_killed_in_a_record_or_left_a_lane_open_is_reported_up_to_there() {
    for (end, words) in [
        (None, "not ended in order"),
        (Some("stopped: a thread is lost"), "the end of the gateway lane, which was not closed"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        drop(write_journal(dir.path(), Options::new(7, [3; 32]), SERVICE, 100, end));
        write_counters(dir.path(), 2_000);
        // Of the last of the records, of 64 bytes each, the body is lost.
        let file = dir.path().join("journal/gateway-000001.seg");
        let mut bytes = fs::read(&file).unwrap();
        bytes[256 + 1_999 * 64 + 40..256 + 2_000 * 64].fill(0);
        fs::write(&file, bytes).unwrap();
        let output = report(&[dir.path().to_str().unwrap()]);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        let page = text(&output.stdout);
        let row = page.lines().find(|line| line.starts_with("decode")).unwrap();
        assert!(page.contains(words) && row.ends_with(" 1999"), "{page}");
    }
}
