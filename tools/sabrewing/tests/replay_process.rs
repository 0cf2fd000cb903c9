//! `replay` as a process: its threads as the kernel shows them, its counters, its pace, its end by a signal.

mod support;

use engine::counters::{Kind, Reader};
use engine::ids::Lane;
use engine::journal::schema::RecordKind;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::process::{Child, Stdio};
use support::hold::{Held, with_stall_ms};
use support::journal::Journal;
use support::{Dir, Ran, SPOT, USDM, arg, command, replay};

const STAGES: [&str; 5] = ["feed", "book", "signal", "strategy", "gateway"];

/// A list of cores as the kernel writes it: `0-2,5`.
fn cores(list: &str) -> Vec<usize> {
    let range = |part: &str| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        first.parse::<usize>().unwrap()..=last.parse::<usize>().unwrap()
    };
    list.trim().split(',').flat_map(range).collect()
}

/// The stages' threads of a process, as the kernel shows them now: name, id, cores.
fn threads_of(child: &Child) -> BTreeMap<String, (i64, Vec<usize>)> {
    let tasks = fs::read_dir(format!("/proc/{}/task", child.id())).unwrap();
    let thread = |task: fs::DirEntry| {
        // A thread may end between the listing and the look at it.
        let name = fs::read_to_string(task.path().join("comm")).ok()?.trim().to_owned();
        let status = fs::read_to_string(task.path().join("status")).ok()?;
        let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"))?;
        let tid = task.file_name().to_str()?.parse().ok()?;
        STAGES.contains(&name.as_str()).then(|| (name, (tid, cores(list))))
    };
    tasks.filter_map(|task| thread(task.unwrap())).collect()
}

/// Waits until the process has told its counters that it took frames. Fails when it ends before.
fn wait_for_frames(child: &mut Child, counters: &str) {
    loop {
        assert!(child.try_wait().unwrap().is_none(), "it ended by itself");
        let frames = Reader::open(counters.as_ref()).ok().and_then(|reader| reader.snapshot().ok());
        if frames.is_some_and(|all| all.find("feed", "frames").is_some_and(|frames| frames.value > 0)) {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
}

fn interrupt(child: &Child) {
    let pid = i32::try_from(child.id()).unwrap();
    // SAFETY: sends a signal to the child, which has not been waited for and so still has this id.
    assert_eq!(unsafe { libc::kill(pid, libc::SIGINT) }, 0);
}

#[test]
fn an_interrupt_ends_a_paced_run_in_order_and_its_threads_are_those_the_kernel_showed() {
    let dir = Dir::new();
    let (run, rows) = (dir.at("run"), dir.at("rows.gz"));
    let capture = arg(USDM);
    let args = [
        &capture,
        "--json",
        "--pace",
        "recorded",
        "--placement",
        "five",
        "--journal",
        &run,
        "--books",
        &rows,
        "--books-every",
        "1",
    ];
    let mut child = command(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    wait_for_frames(&mut child, &format!("{run}/counters"));
    let seen = threads_of(&child);
    interrupt(&child);
    let ran = Ran::from(child.wait_with_output().unwrap()).expect(0, &[]);
    let json = ran.json();

    let reported = json["placement"].as_array().unwrap();
    assert_eq!(reported.len(), 5);
    for (thread, stage) in reported.iter().zip(STAGES) {
        let (tid, allowed) = &seen[stage];
        assert_eq!((&thread["thread"], &thread["tid"]), (&stage.into(), &(*tid).into()));
        assert_eq!(thread["cores"], serde_json::json!(allowed), "{stage}");
        let pinned = thread["core"].as_u64().is_some_and(|core| *allowed == [usize::try_from(core).unwrap()]);
        assert_eq!(thread["pinned"], pinned, "{thread}");
        assert!(thread["turns"].as_u64().unwrap() > 0);
    }

    let frames = json["messages"].as_object().unwrap().values().map(|n| n.as_u64().unwrap()).sum::<u64>();
    assert!(frames > 0 && frames < 93_953, "it was ended on the way: {frames}");
    let journal = Journal::open(&run);
    let last = journal.lane(Lane::Runner).last().unwrap();
    assert_eq!((last.kind, last.text()), (RecordKind::RunEnd, "interrupted"));
    assert_eq!(journal.of_kind(Lane::Feed, RecordKind::Frame).count() as u64, frames);
    let applied = ran.counts(["book_updates"])[0];
    assert_eq!(support::text_of(rows.as_ref()).lines().count() as u64, applied, "every row is there");
}

#[test]
fn a_thread_that_stalls_in_a_replay_is_counted_and_kept_and_the_run_goes_on() {
    let dir = Dir::new();
    let (run, config) = (dir.at("run"), dir.file("c.toml", with_stall_ms(200)));
    let args = ["--json", "--pace", "recorded", "--placement", "two", "--config", &config, "--journal", &run];
    let mut child =
        command([&arg(USDM)]).args(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let counters = format!("{run}/counters");
    wait_for_frames(&mut child, &counters);
    let held = Held::of(&child, "feed-book");
    let stalls = || {
        let all = Reader::open(counters.as_ref()).unwrap().snapshot().unwrap();
        all.find("runner", "stalls").unwrap().value
    };
    while stalls() == 0 {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    held.release();
    interrupt(&child);
    let json = Ran::from(child.wait_with_output().unwrap()).expect(0, &[]).json();
    assert!(json["stalls"].as_u64().unwrap() >= 1 && json["stopped"].is_null(), "{json}");
    let journal = Journal::open(&run);
    let mut lost = journal.of_kind(Lane::Runner, RecordKind::ThreadLost);
    assert!(lost.any(|record| record.text().starts_with("thread feed-book: no turn for ")));
}

#[test]
fn every_ring_of_five_threads_gave_all_that_it_took_and_every_thread_beat() {
    let dir = Dir::new();
    let run = dir.at("run");
    let ran = replay([&arg(SPOT), "--json", "--placement", "five", "--journal", &run]).expect(0, &[]);
    let all = Reader::open(format!("{run}/counters").as_ref()).unwrap().snapshot().unwrap();
    let value = |owner: &str, name: &str| {
        all.find(owner, name).unwrap_or_else(|| panic!("{owner} {name} in {all:?}")).value
    };
    let rings = [("book", "input", "book"), ("signal", "input", "signal"), ("strategy", "input", "strategy")];
    let rings =
        rings.into_iter().chain([("gateway", "input", "gateway"), ("gateway", "executions", "strategy")]);
    for (writer, name, reader) in rings {
        let sender = format!("{writer} ring sender");
        let sent = value(&sender, &format!("{name}_sent"));
        assert_eq!(value(&sender, &format!("{name}_refused")), 0, "{writer} {name}");
        assert_eq!(
            value(&format!("{reader} ring receiver"), &format!("{name}_taken")),
            sent,
            "{writer} {name}"
        );
        assert!(sent > 100, "{writer} {name}: {sent}");
    }
    let messages: u64 =
        ran.json()["messages"].as_object().unwrap().values().map(|n| n.as_u64().unwrap()).sum();
    assert_eq!(value("feed", "frames"), messages);
    // Each frame that is for the book or passes it is one message, each timer, and the end.
    let (timers, dropped) = (value("feed", "timers"), ran.counts(["dropped_unsynced"])[0]);
    assert_eq!(value("book ring sender", "input_sent"), messages - dropped + timers + 1);
    for stage in STAGES {
        let owner = format!("thread {stage}");
        let beat = all.counters.iter().find(|c| c.owner == owner && c.kind == Kind::Heartbeat);
        let beat = beat.unwrap_or_else(|| panic!("no heartbeat of {stage}"));
        assert!(beat.value >= all.run.start.0, "{stage} beat at {}", beat.value);
        let reported =
            ran.json()["placement"].as_array().unwrap().iter().find(|t| t["thread"] == stage).cloned();
        assert_eq!(Value::from(value(&owner, "turns")), reported.unwrap()["turns"], "{stage}");
    }
}

#[test]
fn a_finished_run_says_so_at_the_end_of_its_journal_and_a_cut_one_says_where() {
    let dir = Dir::new();
    let how = |file: &str, name: &str, code: i32| {
        let run = dir.at(name);
        replay([file, "--json", "--journal", &run]).expect(code, &[]);
        let journal = Journal::open(&run);
        let last = journal.lane(Lane::Runner).last().unwrap().clone();
        assert_eq!(last.kind, RecordKind::RunEnd);
        last.text().to_owned()
    };
    assert_eq!(how(&arg(SPOT), "whole", 0), "every line was read");
    let bytes = fs::read(support::shared(SPOT)).unwrap();
    let cut = dir.raw("cut.gz", &bytes[..100_000]);
    assert_eq!(how(&cut, "cut", 1), format!("input failed: {cut}: gzip data is cut off at byte 100000"));
}

#[test]
fn a_rate_bounds_how_fast_messages_are_taken_and_changes_nothing_else() {
    let dir = Dir::new();
    let capture = dir.lines("short", support::lines_of(USDM).iter().take(5000));
    let paced = replay([&capture, "--json", "--pace", "100000/s"]).expect(0, &[]).json();
    assert!(paced["elapsed_s"].as_f64().unwrap() >= 0.0499, "{}", paced["elapsed_s"]);
    assert!(paced["messages_per_s"].as_f64().unwrap() <= 100_200.0, "{}", paced["messages_per_s"]);
    let free = replay([&capture, "--json"]).expect(0, &[]).json();
    let fast = replay([&capture, "--json", "--pace", "1000000x"]).expect(0, &[]).json();
    for key in ["messages", "book_updates", "orders", "position", "cash", "pnl", "open_orders"] {
        assert_eq!(paced[key], free[key], "{key}");
        assert_eq!(fast[key], free[key], "{key}");
    }
}

#[test]
fn a_reader_that_has_gone_is_no_failure_but_a_full_disk_is() {
    let dir = Dir::new();
    let file = dir.lines("short", support::lines_of(USDM).iter().take(500));
    for json in [&["--json"][..], &[]] {
        let closed = || {
            let (reader, writer) = std::io::pipe().unwrap();
            drop(reader);
            writer
        };
        let mut gone = command([&file]);
        let gone = gone.args(json).stdout(closed()).stderr(Stdio::piped()).output().unwrap();
        Ran::from(gone).expect(0, &[]);
        let mut deaf = command([&file, "--config", "missing"]);
        let deaf = deaf.args(json).stdout(closed()).stderr(closed()).output().unwrap();
        assert_eq!(deaf.status.code(), Some(2), "nobody hears why, and nothing panics");
        let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let full = command([&file]).args(json).stdout(full).stderr(Stdio::piped()).output().unwrap();
        Ran::from(full).expect(1, &["the summary could not be written: No space left on device"]);
    }
}
