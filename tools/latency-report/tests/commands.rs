//! The report as a user asks for it, over journals written by the engine's own writer.

use std::path::Path;
use std::process::{Command, Output};

use engine::ids::{Cause, InstrumentId, Lane};
use engine::journal::schema::{RecordKind, Stamps};
use engine::journal::{Entry, Journal, Options};
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
    let mut journal = Journal::create(&run.join("journal"), Options::new(7, [3; 32])).unwrap();
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
    for _ in 0..2_000 {
        gateway.append(entry(RecordKind::Stamps), stamps.as_bytes()).unwrap();
    }
    if let Some(end) = end {
        runner.append(entry(RecordKind::RunEnd), end.as_bytes()).unwrap();
    }
    drop((runner, gateway));
    journal.close().unwrap();
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
    let page = std::fs::read_to_string(html).unwrap();
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
