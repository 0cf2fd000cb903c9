//! The counters file as other processes meet it: read back whole, locked while its engine lives, refused where
//! it is anything else, laid out so that owners do not disturb each other.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use engine::counters::{
    CAPACITY_MAX, Counters, CountersError, Damage, Desc, Kind, Liveness, ReadError, Reader, Run, Snapshot,
    Unit,
};
use engine::histogram::Histogram;
use engine::time::Nanos;
use proptest::prelude::*;

const RUN: Run = Run { id: 42, start: Nanos(1_000) };
const CHILD: &str = "SABREWING_TEST_COUNTERS_CHILD";
const FRAMES: Desc<'_> = Desc::counter("frames", Unit::Count, "Frames taken from the source");
const WHY: Desc<'_> =
    Desc::reason("not_quoting", "Why there is no quote", &["quoting", "book stale", "position limit"]);

#[test]
fn a_reader_finds_every_counter_as_it_was_described() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("counters");
    let mut counters = Counters::create(Some(&path), &RUN, 8).unwrap();
    let mut frames = counters.register("feed", &FRAMES).unwrap();
    let mut turn = counters.register("feed", &Desc::max("turn_max", Unit::Nanos, "Longest turn")).unwrap();
    let position = Desc::gauge("position", Unit::Quantity, "Position");
    let mut position =
        counters.register("gateway", &position.of_strategy("quoter").on_instrument("BTCUSDT")).unwrap();
    let mut why = counters.register("strategy", &WHY.of_strategy("quoter").on_instrument("BTCUSDT")).unwrap();
    frames.add(40);
    frames.add(2);
    turn.max(7);
    turn.max(5);
    position.set_signed(-3);
    why.set(2);
    assert_eq!((frames.value(), turn.value()), (42, 7));

    let snapshot = Reader::open(&path).unwrap().snapshot().unwrap();
    assert_eq!(snapshot, counters.snapshot().unwrap(), "the file and the memory differ");
    assert_eq!((snapshot.run, snapshot.pid), (RUN, std::process::id()));
    assert_eq!(snapshot.counters.len(), 4);
    let frames = snapshot.find("feed", "frames").unwrap();
    assert_eq!((frames.value, frames.kind, frames.unit), (42, Kind::Counter, Unit::Count));
    assert_eq!(frames.help, "Frames taken from the source");
    let position = snapshot.find("gateway", "position").unwrap();
    assert_eq!(position.signed(), -3);
    assert_eq!((position.strategy.as_str(), position.instrument.as_str()), ("quoter", "BTCUSDT"));
    let why = snapshot.find("strategy", "not_quoting").unwrap();
    assert_eq!(why.reason(), Some("position limit"));
    assert_eq!(why.reasons, ["quoting", "book stale", "position limit"]);
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn anonymous_counters_answer_like_those_of_a_file() {
    let mut counters = Counters::create(None, &RUN, 2).unwrap();
    let mut frames = counters.register("feed", &FRAMES).unwrap();
    frames.set(9);
    assert_eq!(counters.snapshot().unwrap().find("feed", "frames").unwrap().value, 9);
}

#[test]
fn a_histogram_is_read_bucket_by_bucket_and_shares_no_line() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("counters");
    let mut counters = Counters::create(Some(&path), &RUN, 500).unwrap();
    let mut before = counters.register("gateway", &FRAMES).unwrap();
    let latency = Desc::histogram("latency", "Tick to order").of_strategy("mm");
    let mut latency = counters.register_histogram("gateway", &latency).unwrap();
    let mut after =
        counters.register("gateway", &Desc::counter("orders", Unit::Count, "Orders sent")).unwrap();
    before.set(u64::MAX);
    after.set(u64::MAX);
    let mut expected = Histogram::default();
    for value_ns in [0, 1, 255, 256, 1_000, 1_000, 70_000, u32::MAX] {
        latency.record(value_ns);
        expected.record(value_ns);
    }
    assert_eq!(latency.copy(), expected);
    let snapshot = Reader::open(&path).unwrap().snapshot().unwrap();
    assert_eq!(snapshot, counters.snapshot().unwrap());
    let entry = snapshot.find("gateway", "latency").unwrap();
    assert_eq!((entry.kind, entry.histogram.as_ref()), (Kind::Histogram, Some(&expected)));
    assert_eq!(snapshot.find("gateway", "orders").unwrap().value, u64::MAX);

    // Each takes 209 of the 500 lines, the counters one: a third has no room, a counter still has.
    let histogram = |name| Desc::histogram(name, "");
    counters.register_histogram("gateway", &histogram("second")).unwrap();
    let full = counters.register_histogram("gateway", &histogram("third")).unwrap_err();
    assert!(matches!(full, CountersError::Full { capacity: 500, .. }), "{full}");
    counters.register("gateway", &Desc::counter("last", Unit::Count, "")).unwrap();
}

#[test]
fn two_owners_never_share_a_line() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("counters");
    let mut counters = Counters::create(Some(&path), &RUN, 100).unwrap();
    let mut handles = Vec::new();
    for (index, owner) in (0_u64..100).zip(["feed", "book", "signal"].into_iter().cycle()) {
        let name = format!("n{index}");
        let mut counter = counters.register(owner, &Desc::counter(&name, Unit::Count, "")).unwrap();
        counter.set(0xC0DE_0000 + index);
        handles.push((owner, counter));
    }
    // The values are found in the file by what they are.
    let bytes = fs::read(&path).unwrap();
    let mut owners = BTreeMap::new();
    let mut found = 0;
    for (word, value) in bytes.as_chunks::<8>().0.iter().map(|word| u64::from_le_bytes(*word)).enumerate() {
        if let Some((owner, _)) = handles.iter().find(|(_, counter)| counter.value() == value) {
            assert_eq!(owners.entry(word * 8 / 128).or_insert(*owner), owner, "line of byte {}", word * 8);
            found += 1;
        }
    }
    assert_eq!(found, 100);
    assert_eq!(owners.len(), 9, "33 or 34 counters of an owner take 3 lines of 16");
}

#[test]
fn registering_refuses_what_readers_could_not_tell_apart_or_show() {
    let mut counters = Counters::create(None, &RUN, 2).unwrap();
    counters.register("feed", &FRAMES).unwrap();
    let mut refused = |owner: &str, desc: &Desc<'_>| counters.register(owner, desc).unwrap_err();
    assert!(matches!(refused("feed", &FRAMES), CountersError::Duplicate { .. }));
    for name in ["", "Frames", "frames total", "främes"] {
        let error = refused("feed", &Desc::counter(name, Unit::Count, ""));
        assert!(matches!(error, CountersError::Text { .. }), "{name:?}: {error}");
    }
    assert!(matches!(refused("", &FRAMES), CountersError::Text { .. }));
    assert!(matches!(refused("feed", &FRAMES.on_instrument("BTC\u{1b}[2J")), CountersError::Text { .. }));
    assert!(matches!(refused("feed", &Desc::reason("why", "", &[])), CountersError::NoReasons { .. }));
    assert!(matches!(refused("feed", &Desc::reason("why", "", &["a\nb"])), CountersError::Text { .. }));
    let long = "x".repeat(2 * 256);
    let too_long = Desc::counter("n", Unit::Count, &long);
    assert!(matches!(refused("feed", &too_long), CountersError::TextsFull { .. }));

    // Another label is another counter; then the room is taken.
    counters.register("feed", &FRAMES.on_instrument("BTCUSDT")).unwrap();
    let full = counters.register("book", &FRAMES).unwrap_err();
    assert!(matches!(full, CountersError::Full { capacity: 2, .. }), "{full}");
    assert_eq!(counters.snapshot().unwrap().counters.len(), 2, "a refused counter left a trace");
}

#[test]
fn a_file_is_made_once_and_only_in_sizes_that_can_be() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("counters");
    for capacity in [0, CAPACITY_MAX + 1] {
        let error = Counters::create(Some(&path), &RUN, capacity).unwrap_err();
        assert!(matches!(error, CountersError::Capacity(given) if given == capacity));
    }
    let first = Counters::create(Some(&path), &RUN, 1).unwrap();
    let error = Counters::create(Some(&path), &RUN, 1).unwrap_err();
    assert!(matches!(error, CountersError::Io { .. }), "{error}");
    assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
    assert_eq!(read(&path).unwrap(), first.snapshot().unwrap());
}

/// Not a test of its own: the engine that the next test starts and kills.
#[test]
fn child_that_counts_until_killed() {
    let Some(path) = std::env::var_os(CHILD) else { return };
    let mut counters = Counters::create(Some(Path::new(&path)), &RUN, 4).unwrap();
    let mut frames = counters.register("feed", &FRAMES).unwrap();
    let mut heartbeat = counters.register("feed", &Desc::heartbeat()).unwrap();
    heartbeat.set(5_000);
    frames.set(123);
    println!("ready");
    // Until killed; ends by itself when the parent has gone.
    std::io::stdin().read_line(&mut String::new()).unwrap();
}

#[test]
fn a_killed_engine_leaves_its_last_values_and_is_known_to_be_gone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("counters");
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["child_that_counts_until_killed", "--exact", "--nocapture"])
        .env(CHILD, &path)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    assert!(lines.any(|line| line.contains("ready")), "the child did not start");

    let reader = Reader::open(&path).unwrap();
    let alive = reader.snapshot().unwrap();
    assert_eq!(alive.pid, child.id());
    let judge = |now| reader.liveness(&alive, Nanos(now), Nanos(100)).unwrap();
    assert_eq!(judge(5_100), Liveness::Turning);
    assert_eq!(judge(4_000), Liveness::Turning, "a clock that stepped back stalls nobody");
    assert_eq!(judge(5_101), Liveness::Stalled { owner: "feed".into(), age: Nanos(101) });

    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(judge(5_000), Liveness::Gone, "a young heartbeat does not make a dead engine alive");
    let dead = reader.snapshot().unwrap();
    assert_eq!(dead, alive);
    assert_eq!(dead.find("feed", "frames").unwrap().value, 123);
}

#[test]
fn a_thread_that_never_beat_is_judged_from_the_start_of_the_run() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("counters");
    let mut counters = Counters::create(Some(&path), &RUN, 4).unwrap();
    let mut feed = counters.register("feed", &Desc::heartbeat()).unwrap();
    counters.register("book", &Desc::heartbeat()).unwrap();
    feed.set(1_200);
    let reader = Reader::open(&path).unwrap();
    let snapshot = reader.snapshot().unwrap();
    let judge = |now| reader.liveness(&snapshot, Nanos(now), Nanos(100)).unwrap();
    assert_eq!(judge(1_100), Liveness::Turning);
    assert_eq!(judge(1_200), Liveness::Stalled { owner: "book".into(), age: Nanos(200) });
}

#[test]
fn an_engine_lives_until_its_last_counter_is_gone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("counters");
    let mut counters = Counters::create(Some(&path), &RUN, 4).unwrap();
    let mut frames = counters.register("feed", &FRAMES).unwrap();
    drop(counters);
    frames.set(8);
    let reader = Reader::open(&path).unwrap();
    let snapshot = reader.snapshot().unwrap();
    let judge = || reader.liveness(&snapshot, RUN.start, Nanos(100)).unwrap();
    assert_eq!(snapshot.find("feed", "frames").unwrap().value, 8);
    assert_eq!(judge(), Liveness::Turning);
    drop(frames);
    assert_eq!(judge(), Liveness::Gone);
}

#[test]
fn a_file_that_is_no_counters_file_is_refused_with_the_place() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("counters");
    let good = good_bytes();
    let refused = |bytes: &[u8]| {
        fs::write(&path, bytes).unwrap();
        let error = read(&path).unwrap_err();
        assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
        error.damage().unwrap()
    };
    let patched = |offset: usize, patch: &[u8]| {
        let mut bytes = good.clone();
        bytes[offset..offset + patch.len()].copy_from_slice(patch);
        bytes
    };
    let found = good.len() as u64;
    assert_eq!(refused(b""), Damage::Length { found: 0, expected: 256 });
    assert_eq!(refused(&good[..100]), Damage::Length { found: 100, expected: 256 });
    assert_eq!(refused(&good[..300]), Damage::Length { found: 300, expected: found });
    assert_eq!(refused(&[&good[..], b"x"].concat()), Damage::Length { found: found + 1, expected: found });
    assert_eq!(refused(&patched(0, b"X")), Damage::Magic);
    assert_eq!(refused(&patched(8, &[9])), Damage::Version(9));
    assert_eq!(refused(&patched(12, &[0; 4])), Damage::Capacity(0));
    assert_eq!(refused(&patched(12, &[255; 4])), Damage::Capacity(u32::MAX));
    assert_eq!(refused(&patched(128, &[5])), Damage::Count);
    assert_eq!(refused(&patched(132, &[255; 4])), Damage::Count);
    let of_first = |field| Damage::Descriptor { counter: 0, field };
    assert_eq!(refused(&patched(256, &[255; 4])), of_first("name"));
    assert_eq!(refused(&patched(260, &[255; 4])), of_first("name"));
    assert_eq!(refused(&patched(268, &[255; 4])), of_first("owner"));
    assert_eq!(refused(&patched(304, &[77])), of_first("kind"));
    assert_eq!(refused(&patched(306, &[77])), of_first("unit"));
    assert_eq!(refused(&patched(308, &[255; 4])), of_first("value"));
    let name = good.windows(6).position(|bytes| bytes == b"frames").unwrap();
    assert_eq!(refused(&patched(name, b"F")), of_first("name"), "a name that no exporter takes");
    assert_eq!(refused(&patched(name, b"\x1b")), of_first("name"));
    assert_eq!(refused(&patched(name, b"\xff")), of_first("name"));

    let missing = read(&dir.path().join("missing")).unwrap_err();
    assert!(missing.damage().is_none() && missing.to_string().contains("missing"), "{missing}");
    assert_eq!(read(dir.path()).unwrap_err().damage(), Some(Damage::Magic), "a directory");
}

#[test]
fn a_file_cut_short_under_a_reader_is_an_error_not_a_signal() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("counters");
    let good = good_bytes();
    fs::write(&path, &good).unwrap();
    let reader = Reader::open(&path).unwrap();
    fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(400).unwrap();
    let expected = good.len() as u64;
    assert_eq!(reader.snapshot().unwrap_err().damage(), Some(Damage::Length { found: 400, expected }));
}

proptest! {
    /// Every byte may be anything: the reader answers, and what it accepts can be shown.
    #[test]
    fn no_bytes_make_the_reader_panic_or_show_controls(
        patches in prop::collection::vec((0_usize..700, any::<u8>()), 0..12),
        cut in prop::option::weighted(0.1, 0_usize..1_400),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("counters");
        let mut bytes = good_bytes();
        for (offset, byte) in patches {
            bytes[offset] = byte;
        }
        bytes.truncate(cut.unwrap_or(bytes.len()));
        fs::write(&path, &bytes).unwrap();
        if let Ok(snapshot) = read(&path) {
            prop_assert!(snapshot.counters.len() <= 4);
            for entry in &snapshot.counters {
                let texts = [&entry.name, &entry.owner, &entry.strategy, &entry.instrument, &entry.help];
                let shown = texts.into_iter().chain(&entry.reasons);
                prop_assert!(shown.into_iter().all(|text| !text.contains(char::is_control)));
            }
        }
    }

    #[test]
    fn random_bytes_are_no_counters_file(bytes in prop::collection::vec(any::<u8>(), 0..2_000)) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("counters");
        fs::write(&path, &bytes).unwrap();
        prop_assert!(read(&path).unwrap_err().damage().is_some());
    }
}

fn read(path: &Path) -> Result<Snapshot, ReadError> {
    Reader::open(path)?.snapshot()
}

/// A file with two counters of four.
fn good_bytes() -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("counters");
    let mut counters = Counters::create(Some(&path), &RUN, 4).unwrap();
    counters.register("feed", &FRAMES).unwrap().set(1);
    counters.register("strategy", &WHY.of_strategy("quoter")).unwrap().set(1);
    fs::read(path).unwrap()
}
