//! Writers that are killed: before every single store of a record and of a segment change, and at random
//! moments while a follower reads. Each writer is a process of its own: this test binary again, told by the
//! environment to be one.

use std::env;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};

use super::tests::{body_of, entry, small};
use super::*;
use crate::ids::{Cause, Lane};

const DIR: &str = "JOURNAL_TEST_DIR";
const STORE: &str = "JOURNAL_TEST_STORE";

/// A child that is killed when the test ends, however it ends.
struct Writing(Child);

impl Writing {
    fn start(test: &str, dir: &Path, store: u64) -> Self {
        let child = Command::new(env::current_exe().unwrap())
            .args(["--ignored", "--exact", &format!("journal::kill::{test}")])
            .env(DIR, dir)
            .env(STORE, store.to_string())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        Self(child.unwrap())
    }

    fn kill(&mut self) -> ExitStatus {
        self.0.kill().unwrap();
        self.0.wait().unwrap()
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Nearly fills a segment, then appends records over the change to the next with `before_store` in each of
/// their stores. Returns how many records came before those, and how often `before_store` had been called
/// when each of them was done.
fn write_over_a_change(dir: &Path, mut before_store: impl FnMut()) -> (u64, Vec<u64>) {
    let mut journal = Journal::create(dir, small()).unwrap();
    let mut writer = journal.writer(Lane::Feed).unwrap();
    let room = journal.room();
    let mut left = 8192 - SEGMENT_HEADER_BYTES;
    while left >= 1000 {
        let body = body_of(writer.next_seq());
        left -= record_bytes(body.len());
        writer.append(entry(1, Cause::NONE, 1), &body).unwrap();
    }
    room.wait(8192 - SEGMENT_HEADER_BYTES).unwrap();
    let before = writer.next_seq() - 1;
    let (mut calls, mut done) = (0, Vec::new());
    for _ in 0..8 {
        let body = body_of(writer.next_seq());
        let counted = || {
            calls += 1;
            before_store();
        };
        writer.append_stopping(entry(1, Cause::NONE, 1), [], &body, counted).unwrap();
        done.push(calls);
    }
    (before, done)
}

#[test]
#[ignore = "the writing process of the test below"]
fn killed_at_a_store() {
    let (Ok(dir), Ok(store)) = (env::var(DIR), env::var(STORE)) else { return };
    let mut left: u64 = store.parse().unwrap();
    write_over_a_change(Path::new(&dir), || {
        left -= 1;
        if left == 0 {
            // SAFETY: a signal to this process itself, which nothing can catch.
            unsafe { libc::kill(libc::getpid(), libc::SIGKILL) };
        }
    });
}

#[test]
fn a_writer_killed_before_any_store_leaves_whole_records_only() {
    let run = tempfile::tempdir().unwrap();
    let (before, done) = write_over_a_change(&run.path().join("whole"), || ());
    let changed = done.windows(2).any(|pair| pair[1] - pair[0] > 64 + 16);
    assert!(changed || done[0] > 16, "{done:?} shows no segment change");
    for store in 1..=*done.last().unwrap() {
        let dir = run.path().join(store.to_string());
        let mut child = Writing::start("killed_at_a_store", &dir, store);
        assert!(!child.0.wait().unwrap().success(), "not killed before store {store}");
        let written = before + done.iter().filter(|calls| **calls <= store).count() as u64;
        let reader = Reader::open(&dir).unwrap();
        let (last, stand) = tests::read_back(&reader, Lane::Feed);
        assert_eq!((last, stand), (written, Ok(Stand::Tail)), "killed before store {store}");
        let report = verify(&reader, |_| ()).remove(0);
        assert!(report.is_good() && report.last_seq == written, "killed before store {store}: {report:?}");
    }
}

#[test]
#[ignore = "the writing process of the tests below"]
fn writes_until_killed() {
    let Ok(dir) = env::var(DIR) else { return };
    let options = Options { feed_segment_bytes: 1 << 16, segment_bytes: 1 << 14, ..small() };
    let mut journal = Journal::create(Path::new(&dir), options).unwrap();
    let mut feed = journal.writer(Lane::Feed).unwrap();
    let mut gateway = journal.writer(Lane::Gateway).unwrap();
    let room = journal.room();
    // An end of its own, should nobody kill it.
    for seq in 1..=1_000_000 {
        room.wait(1024).unwrap();
        let frame = feed.append(entry(1, Cause::NONE, seq), &body_of(seq)).unwrap();
        gateway.append(entry(2, frame, seq), &body_of(seq)).unwrap();
    }
}

/// What a follower has shown of each lane.
#[derive(Default)]
struct Shown {
    feed: u64,
    gateway: u64,
}

impl Shown {
    fn follow(&mut self, merged: &mut Merged) {
        merged.look_again();
        while let Some(view) = merged.next() {
            let last = if view.lane == Lane::Feed { &mut self.feed } else { &mut self.gateway };
            *last += 1;
            assert_eq!(view.seq, *last);
            assert_eq!(view.body, body_of(view.seq));
            assert!(view.entry.cause.seq() <= self.feed, "shown before its cause");
        }
        assert_eq!(merged.take_problem(), None);
    }
}

#[test]
fn a_follower_shows_nothing_that_verify_cuts_over_two_hundred_kills() {
    let run = tempfile::tempdir().unwrap();
    let mut random = 0x5EED_u64;
    let mut after_changes = 0;
    for round in 0..200 {
        let dir = run.path().join(round.to_string());
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        // Records to have seen before the kill; up to some segment changes.
        let enough = (random >> 33) % 1500;
        let mut child = Writing::start("writes_until_killed", &dir, 0);
        let reader = loop {
            match Reader::open(&dir) {
                Ok(reader) => break reader,
                Err(_) => assert_eq!(child.0.try_wait().unwrap(), None, "the writer ended by itself"),
            }
        };
        let mut merged = Merged::new(&reader, Lane::ALL);
        let mut shown = Shown::default();
        while shown.feed < enough {
            shown.follow(&mut merged);
            assert_eq!(child.0.try_wait().unwrap(), None, "the writer ended by itself");
        }
        assert!(!child.kill().success());
        shown.follow(&mut merged);
        let reports = verify(&Reader::open(&dir).unwrap(), |_| ());
        for report in &reports {
            let shown = if report.lane == Lane::Feed { shown.feed } else { shown.gateway };
            assert!(report.is_good(), "round {round}: {report:?}");
            assert_eq!(report.last_seq, shown, "round {round}: {report:?}");
        }
        after_changes += u32::from(dir.join("feed-000003.seg").exists());
        std::fs::remove_dir_all(&dir).unwrap();
    }
    assert!(after_changes > 20, "{after_changes} rounds saw a segment change");
}

#[test]
fn a_second_process_is_refused_with_the_first_ones_number_and_later_finds_the_directory_taken() {
    let run = tempfile::tempdir().unwrap();
    let dir = run.path().join("journal");
    let mut child = Writing::start("writes_until_killed", &dir, 0);
    let reader = loop {
        match Reader::open(&dir) {
            Ok(reader) if reader.lanes().count() == 2 => break reader,
            _ => assert_eq!(child.0.try_wait().unwrap(), None, "the writer ended by itself"),
        }
    };
    assert!(reader.is_being_written().unwrap());
    let busy = Journal::create(&dir, small()).map(|_| ()).unwrap_err();
    assert!(matches!(busy, JournalError::Busy { pid, .. } if pid == Some(child.0.id())), "{busy}");
    child.kill();
    assert!(!reader.is_being_written().unwrap());
    let taken = Journal::create(&dir, small()).map(|_| ()).unwrap_err();
    assert!(matches!(taken, JournalError::NotEmpty { .. }), "{taken}");
    let again = reader.cursor(Lane::Feed).next().unwrap().map(|view| view.seq);
    assert_eq!(again, Some(1), "the refused processes changed the journal");
}
