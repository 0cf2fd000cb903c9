//! The container as a whole: what a writer appends is what a reader gets, and damage is named.
#![expect(clippy::cast_possible_truncation, reason = "patterns of test bytes")]

use std::fs;
use std::path::Path;

use proptest::prelude::*;

use super::*;
use crate::ids::{Cause, InstrumentId, Lane};
use crate::time::Nanos;

/// Smallest segments that are allowed: many segment changes in little time.
pub(super) fn small() -> Options {
    Options { feed_segment_bytes: 8192, segment_bytes: 8192, ..Options::new(7, [3; 32]) }
}

pub(super) fn entry(kind: u16, cause: Cause, recv_ns: u64) -> Entry {
    Entry { kind, instrument: InstrumentId(u32::from(kind) + 1), cause, recv_ns: Nanos(recv_ns) }
}

/// Appends, and waits for the next segment where that is what is missing.
pub(super) fn append(writer: &mut Writer, room: &Room, entry: Entry, body: &[u8]) -> Cause {
    room.wait(record_bytes(body.len())).unwrap();
    writer.append(entry, body).unwrap()
}

/// The body of record `seq` in the tests that need to know it again.
pub(super) fn body_of(seq: u64) -> Vec<u8> {
    let length = (seq * 37 % 301) as usize;
    (0..length).map(|index| (seq as usize * 7 + index) as u8).collect()
}

fn write_run(dir: &Path, options: Options, records: u64) {
    let mut journal = Journal::create(dir, options).unwrap();
    let mut writer = journal.writer(Lane::Feed).unwrap();
    let room = journal.room();
    for seq in 1..=records {
        append(&mut writer, &room, entry(1, Cause::NONE, seq), &body_of(seq));
    }
    drop(writer);
    journal.close().unwrap();
}

/// Every record is the one that was written; returns how many there are.
pub(super) fn read_back(reader: &Reader, lane: Lane) -> (u64, Result<Stand, Problem>) {
    let mut cursor = reader.cursor(lane);
    loop {
        match cursor.step() {
            Ok(Stand::Record) => {
                let view = cursor.current().unwrap();
                let gap = cursor.gaps().last().is_some_and(|gap| gap.next_seq == view.seq);
                assert!(gap || view.seq == cursor.last_seq() + 1);
                assert_eq!(view.body, body_of(view.seq), "record {}", view.seq);
            }
            stand => return (cursor.last_seq(), stand),
        }
    }
}

#[test]
fn records_come_back_in_order_over_segment_changes_and_the_close() {
    let run = tempfile::tempdir().unwrap();
    let dir = run.path().join("journal");
    write_run(&dir, small(), 500);
    let reader = Reader::open(run.path()).unwrap();
    assert_eq!(reader.dir(), dir);
    assert_eq!(read_back(&reader, Lane::Feed), (500, Ok(Stand::Closed)));
    assert_eq!(reader.run().unwrap().run_id, 7);
    let files = fs::read_dir(&dir).unwrap().count();
    assert!(files > 5, "{files} files show few segment changes");
    let unused = fs::read_dir(&dir).unwrap().filter(|file| {
        let path = file.as_ref().unwrap().path();
        path.extension().is_some_and(|kind| kind == "seg") && path.metadata().unwrap().len() % 64 != 0
    });
    assert_eq!(unused.count(), 0);
}

#[test]
fn a_writer_that_is_off_gives_the_same_causes() {
    let run = tempfile::tempdir().unwrap();
    let mut journal = Journal::create(run.path(), small()).unwrap();
    let (mut on, mut off) = (journal.writer(Lane::Gateway).unwrap(), Writer::off(Lane::Gateway));
    for seq in 1..=20 {
        let entry = entry(3, Cause::NONE, seq);
        assert_eq!(on.append(entry, &body_of(seq)), off.append(entry, &body_of(seq)));
        assert_eq!(on.next_seq(), off.next_seq());
    }
    assert!(off.has_room(usize::MAX));
}

#[test]
fn a_prefix_and_the_rest_are_one_body() {
    let run = tempfile::tempdir().unwrap();
    let mut journal = Journal::create(run.path(), small()).unwrap();
    let mut writer = journal.writer(Lane::Feed).unwrap();
    for length in 0..200_usize {
        let bytes: Vec<u8> = (0..length as u8).collect();
        let room = journal.room();
        room.wait(record_bytes(length) * 4).unwrap();
        writer.append(Entry::default(), &bytes).unwrap();
        let (first, rest) = bytes.split_at(length.min(8));
        let prefix = first.first_chunk::<8>();
        match prefix {
            Some(prefix) => writer.append_parts(Entry::default(), *prefix, rest).unwrap(),
            None => writer.append_parts(Entry::default(), [], &bytes).unwrap(),
        };
    }
    let reader = Reader::open(run.path()).unwrap();
    let mut cursor = reader.cursor(Lane::Feed);
    for length in 0..200_usize {
        let bytes: Vec<u8> = (0..length as u8).collect();
        for _ in 0..2 {
            assert_eq!(cursor.next().unwrap().unwrap().body, bytes);
        }
    }
    assert_eq!(cursor.next(), Ok(None));
}

#[test]
fn a_record_longer_than_a_segment_is_refused_and_one_that_just_fits_is_taken() {
    let run = tempfile::tempdir().unwrap();
    let mut journal = Journal::create(run.path(), small()).unwrap();
    let mut writer = journal.writer(Lane::Feed).unwrap();
    let most = 8192 - SEGMENT_HEADER_BYTES - HEAD_BYTES;
    assert_eq!(writer.append(Entry::default(), &vec![1; most + 1]), Err(AppendError::TooLong));
    assert_eq!(journal.room().wait(8192), Err(AppendError::TooLong));
    assert_eq!(writer.append(Entry::default(), &vec![1; most]), Ok(Cause::new(Lane::Feed, 1)));
}

#[test]
fn room_that_was_promised_is_there_however_the_records_fall() {
    let run = tempfile::tempdir().unwrap();
    let mut journal = Journal::create(run.path(), small()).unwrap();
    let mut writer = journal.writer(Lane::Feed).unwrap();
    let room = journal.room();
    for turn in 0..400_usize {
        let lengths = [turn * 97 % 700, turn * 31 % 900, turn % 100];
        let bytes = lengths.iter().map(|length| record_bytes(*length)).sum();
        room.wait(bytes).unwrap();
        assert!(writer.has_room(bytes));
        for length in lengths {
            writer.append(Entry::default(), &vec![9; length]).unwrap();
        }
    }
}

#[test]
fn without_a_next_segment_the_append_fails_and_uses_no_sequence() {
    let run = tempfile::tempdir().unwrap();
    let shared = std::sync::Arc::new(writer::LaneShared::new(8192, std::sync::Arc::default()));
    let info = SegmentInfo {
        run: RunInfo {
            run_id: 1,
            config_hash: [0; 32],
            anchor: Anchor::now(),
            retention: None,
            is_slice: false,
        },
        lane: Lane::Book,
        number: 1,
        bytes: 8192,
        created_ns: Nanos(0),
    };
    let segment = segment::Segment::create(run.path(), &info).unwrap();
    let mut writer = Writer::new(segment.into(), shared, 1, Durability::Process);
    while writer.has_room(64) {
        writer.append(Entry::default(), b"x").unwrap();
    }
    let next = writer.next_seq();
    assert_eq!(writer.append(Entry::default(), b"x"), Err(AppendError::Full));
    assert_eq!(writer.next_seq(), next);
}

#[test]
fn the_lanes_merge_by_time_but_no_record_comes_before_its_cause() {
    let run = tempfile::tempdir().unwrap();
    let mut journal = Journal::create(run.path(), small()).unwrap();
    let mut feed = journal.writer(Lane::Feed).unwrap();
    let mut gateway = journal.writer(Lane::Gateway).unwrap();
    let mut runner = journal.writer(Lane::Runner).unwrap();
    let frame = feed.append(entry(1, Cause::NONE, 100), b"").unwrap();
    let late = feed.append(entry(1, Cause::NONE, 200), b"").unwrap();
    gateway.append(entry(2, frame, 100), b"").unwrap();
    // Stamped earlier than what caused it, as another clock might.
    gateway.append(entry(2, late, 150), b"").unwrap();
    // Names a record that never came: shown all the same.
    runner.append(entry(3, Cause::new(Lane::Feed, 99), 120), b"").unwrap();
    runner.append(entry(3, Cause::NONE, 500), b"").unwrap();
    let reader = Reader::open(run.path()).unwrap();
    let mut merged = Merged::new(&reader, Lane::ALL);
    let mut shown = Vec::new();
    while let Some(view) = merged.next() {
        shown.push((view.lane, view.seq));
    }
    let expected = [
        (Lane::Feed, 1),
        (Lane::Gateway, 1),
        (Lane::Feed, 2),
        (Lane::Runner, 1),
        (Lane::Gateway, 2),
        (Lane::Runner, 2),
    ];
    assert_eq!(shown, expected);
    feed.append(entry(1, Cause::NONE, 600), b"").unwrap();
    assert_eq!(merged.next(), None);
    merged.look_again();
    assert_eq!(merged.next().map(|view| (view.lane, view.seq)), Some((Lane::Feed, 3)));
}

#[test]
fn an_unfinished_last_record_is_none_until_something_is_written_behind_it() {
    let run = tempfile::tempdir().unwrap();
    let mut journal = Journal::create(run.path(), small()).unwrap();
    let mut feed = journal.writer(Lane::Feed).unwrap();
    for seq in 1..=4 {
        feed.append(entry(1, Cause::NONE, seq), &body_of(1)).unwrap();
    }
    drop((feed, journal));
    let path = run.path().join("feed-000001.seg");
    let whole = fs::read(&path).unwrap();
    let (third, fourth) =
        (256 + 2 * record_bytes(body_of(1).len()), 256 + 3 * record_bytes(body_of(1).len()));
    let mut torn = whole.clone();
    torn[third + 64..].fill(0);
    fs::write(&path, &torn).unwrap();
    let reader = Reader::open(run.path()).unwrap();
    let mut cursor = reader.cursor(Lane::Feed);
    let mut seqs = Vec::new();
    while let Some(view) = cursor.next_whole().unwrap() {
        seqs.push(view.seq);
    }
    assert_eq!((seqs, cursor.is_torn()), (vec![1, 2], true));
    let mut merged = Merged::new(&reader, Lane::ALL);
    while merged.next().is_some() {}
    assert_eq!(merged.take_problem(), None);
    merged.look_again();
    assert_eq!(merged.take_problem(), None);

    torn[fourth..].copy_from_slice(&whole[fourth..]);
    fs::write(&path, &torn).unwrap();
    merged.look_again();
    assert_eq!(merged.take_problem().unwrap().after_seq, 2);
    merged.look_again();
    assert_eq!(merged.take_problem(), None, "it is said once");
    assert_eq!(cursor.next_whole().unwrap_err().after_seq, 2);
}

#[test]
fn a_cause_that_points_to_nothing_is_reported() {
    let run = tempfile::tempdir().unwrap();
    let mut journal = Journal::create(run.path(), small()).unwrap();
    let mut feed = journal.writer(Lane::Feed).unwrap();
    let mut gateway = journal.writer(Lane::Gateway).unwrap();
    let frame = feed.append(Entry::default(), b"").unwrap();
    for cause in [
        frame,
        Cause::NONE,
        Cause::new(Lane::Feed, 2),
        Cause::from_raw(60 << 48 | 1),
        Cause::new(Lane::Book, 1),
    ] {
        gateway.append(entry(1, cause, 1), b"").unwrap();
    }
    let reports = verify(&Reader::open(run.path()).unwrap(), |_| ());
    assert_eq!(reports.iter().map(LaneReport::is_good).collect::<Vec<_>>(), [true, false]);
    assert_eq!(reports[1].dangling_causes, 3);
    assert_eq!(reports[1].first_dangling, Some((3, Cause::new(Lane::Feed, 2))));
}

#[test]
fn retention_deletes_old_segments_but_not_the_runners_first_and_verify_knows() {
    let run = tempfile::tempdir().unwrap();
    let retention = Retention { bytes: 10 * 8192, age: std::time::Duration::from_secs(3600) };
    let mut journal = Journal::create(run.path(), Options { retention: Some(retention), ..small() }).unwrap();
    let mut feed = journal.writer(Lane::Feed).unwrap();
    let mut runner = journal.writer(Lane::Runner).unwrap();
    let room = journal.room();
    for seq in 1..=1000 {
        append(&mut feed, &room, entry(1, Cause::NONE, seq), &body_of(seq));
        append(&mut runner, &room, entry(1, Cause::NONE, seq), &body_of(seq));
    }
    drop((feed, runner));
    journal.close().unwrap();
    assert!(run.path().join("runner-000001.seg").exists());
    assert!(!run.path().join("feed-000001.seg").exists());
    let bytes: u64 =
        fs::read_dir(run.path()).unwrap().map(|file| file.unwrap().metadata().unwrap().len()).sum();
    assert!(bytes <= retention.bytes + 2 * 8192, "{bytes} bytes kept");
    let reader = Reader::open(run.path()).unwrap();
    for report in verify(&reader, |_| ()) {
        assert!(report.is_good(), "{report:?}");
        assert_eq!((report.last_seq, report.gaps.len(), report.end), (1000, 1, LaneEnd::Closed));
    }
    assert_eq!(read_back(&reader, Lane::Feed).0, 1000);
}

#[test]
fn a_newest_cursor_begins_with_the_segment_that_is_written_and_reads_none_before_it() {
    let run = tempfile::tempdir().unwrap();
    let mut journal = Journal::create(run.path(), small()).unwrap();
    let mut writer = journal.writer(Lane::Feed).unwrap();
    let room = journal.room();
    // The segment that waits for its writer is not the newest.
    journal.wait_prepared().unwrap();
    assert!(run.path().join("feed-000002.seg").exists());
    append(&mut writer, &room, entry(1, Cause::NONE, 1), &body_of(1));
    let reader = Reader::open(run.path()).unwrap();
    let mut first = reader.newest(Lane::Feed).unwrap();
    assert_eq!((first.next().unwrap().unwrap().seq, first.gaps()), (1, &[][..]));
    for seq in 2..=300 {
        append(&mut writer, &room, entry(1, Cause::NONE, seq), &body_of(seq));
    }
    // Neither what is gone nor what is damaged before it is looked at.
    fs::remove_file(run.path().join("feed-000001.seg")).unwrap();
    fs::write(run.path().join("feed-000002.seg"), "damaged").unwrap();
    let mut cursor = reader.newest(Lane::Feed).unwrap();
    let seq = cursor.next().unwrap().unwrap().seq;
    assert_eq!(cursor.segment().unwrap().number, writer.segment_number());
    assert_eq!(cursor.gaps(), [Gap { after_seq: 0, next_seq: seq }]);
    for due in seq + 1..=300 {
        assert_eq!(cursor.next().unwrap().unwrap().body, body_of(due));
    }
    assert_eq!(cursor.step(), Ok(Stand::Tail));
    // It goes on with the lane, over its changes of segments.
    for seq in 301..=400 {
        append(&mut writer, &room, entry(1, Cause::NONE, seq), &body_of(seq));
        assert_eq!(cursor.next().unwrap().unwrap().seq, seq);
    }
    drop(writer);
    journal.close().unwrap();
    assert_eq!(cursor.step(), Ok(Stand::Closed));
    assert_eq!(reader.newest(Lane::Gateway).unwrap().step(), Ok(Stand::Tail), "nobody has written it");
    fs::write(run.path().join("feed-999999.seg"), "no header").unwrap();
    let problem = reader.newest(Lane::Feed).err().unwrap();
    assert!(problem.path.ends_with("feed-999999.seg"), "{problem}");
}

#[test]
fn a_segment_that_is_gone_without_retention_is_missed() {
    for (gone, after) in [("feed-000001.seg", 0), ("feed-000003.seg", 1)] {
        let run = tempfile::tempdir().unwrap();
        write_run(run.path(), small(), 300);
        fs::remove_file(run.path().join(gone)).unwrap();
        let (last, end) = read_back(&Reader::open(run.path()).unwrap(), Lane::Feed);
        let problem = end.unwrap_err();
        assert!(last >= after && problem.path.ends_with(gone), "{problem}");
        assert!(matches!(problem.what, Trouble::Missing { .. }), "{problem}");
    }
}

#[test]
fn a_segment_of_another_run_is_no_continuation() {
    let (run, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    write_run(run.path(), small(), 300);
    write_run(other.path(), Options { run_id: 8, ..small() }, 300);
    fs::copy(other.path().join("feed-000002.seg"), run.path().join("feed-000002.seg")).unwrap();
    let (_, end) = read_back(&Reader::open(run.path()).unwrap(), Lane::Feed);
    assert_eq!(end.unwrap_err().what, Trouble::OtherRun);
}

/// One lane in one segment, as a killed process leaves it or closed; returns where each record starts.
fn one_segment(dir: &Path, records: u64, close: bool) -> Vec<u64> {
    let mut journal = Journal::create(dir, small()).unwrap();
    let mut writer = journal.writer(Lane::Feed).unwrap();
    let (mut at, mut starts) = (SEGMENT_HEADER_BYTES as u64, Vec::new());
    for seq in 1..=records {
        starts.push(at);
        at += record_bytes(body_of(seq).len()) as u64;
        writer.append(entry(1, Cause::NONE, seq), &body_of(seq)).unwrap();
    }
    starts.push(at);
    drop(writer);
    if close {
        journal.close().unwrap();
    } else {
        drop(journal);
        // The prepared segment says nothing; without it the test reads one file only.
        fs::remove_file(dir.join("feed-000002.seg")).ok();
    }
    starts
}

#[test]
fn every_cut_of_the_file_is_named_and_yields_only_whole_records() {
    for close in [true, false] {
        let run = tempfile::tempdir().unwrap();
        let starts = one_segment(run.path(), 8, close);
        let path = run.path().join("feed-000001.seg");
        let whole = fs::read(&path).unwrap();
        for length in 0..whole.len().min(starts[8] as usize + 64) {
            fs::write(&path, &whole[..length]).unwrap();
            let reader = Reader::open(run.path()).unwrap();
            let (last, _) = read_back(&reader, Lane::Feed);
            let reports = verify(&reader, |_| ());
            assert_eq!(reports[0].last_seq, last);
            assert!(!reports[0].is_good(), "cut to {length} bytes: {:?}", reports[0].end);
            let due = starts.iter().skip(1).filter(|start| **start <= length as u64).count() as u64;
            assert_eq!(last, due, "cut to {length} bytes");
        }
    }
}

#[test]
fn every_flipped_bit_of_a_record_is_noticed_at_its_place() {
    for close in [true, false] {
        let run = tempfile::tempdir().unwrap();
        let starts = one_segment(run.path(), 8, close);
        let path = run.path().join("feed-000001.seg");
        let whole = fs::read(&path).unwrap();
        for record in 0..8 {
            let (from, to) = (starts[record] as usize, starts[record + 1] as usize);
            // Every bit of a head, every seventh of the rest.
            let bits = (from * 8..(from + 64) * 8).chain(((from + 64) * 8..to * 8).step_by(7));
            for bit in bits {
                let mut bad = whole.clone();
                bad[bit / 8] ^= 1 << (bit % 8);
                fs::write(&path, &bad).unwrap();
                let reader = Reader::open(run.path()).unwrap();
                assert_eq!(read_back(&reader, Lane::Feed).0, record as u64, "bit {bit}");
                let report = verify(&reader, |_| ()).remove(0);
                let offset = match report.end {
                    LaneEnd::Torn { offset, .. } => {
                        // Of an unfinished last record this is all that anyone can say.
                        assert!(!close && record == 7, "bit {bit} taken for an unfinished record");
                        offset
                    }
                    LaneEnd::Damaged(problem) => problem.offset,
                    end => panic!("bit {bit} went unnoticed: {end:?}"),
                };
                assert_eq!(offset, starts[record], "bit {bit}");
            }
        }
    }
}

#[test]
fn garbage_in_place_of_a_segment_is_an_error_with_its_name() {
    let run = tempfile::tempdir().unwrap();
    write_run(run.path(), small(), 10);
    let path = run.path().join("feed-000001.seg");
    for garbage in [Vec::new(), vec![0; 10], vec![0; 8192], vec![0xA5; 8192], b"#!/bin/sh\n".repeat(200)] {
        fs::write(&path, garbage).unwrap();
        let (last, end) = read_back(&Reader::open(run.path()).unwrap(), Lane::Feed);
        let problem = end.unwrap_err();
        assert!(last == 0 && problem.path == path && matches!(problem.what, Trouble::Header(_)), "{problem}");
    }
}

#[test]
fn foreign_files_are_reported_and_left_alone_and_a_directory_without_segments_is_no_journal() {
    let run = tempfile::tempdir().unwrap();
    assert_eq!(Reader::open(run.path()).unwrap_err().what, Trouble::NoJournal);
    assert!(matches!(Reader::open(&run.path().join("none")).unwrap_err().what, Trouble::Read(_)));
    write_run(run.path(), small(), 10);
    for name in ["notes.txt", "feed-1.seg", "feed-000009.tmp"] {
        fs::write(run.path().join(name), "mine").unwrap();
    }
    let reader = Reader::open(run.path()).unwrap();
    assert_eq!(reader.foreign(), [run.path().join("feed-1.seg"), run.path().join("notes.txt")]);
    assert_eq!(read_back(&reader, Lane::Feed), (10, Ok(Stand::Closed)));
    assert_eq!(fs::read(run.path().join("notes.txt")).unwrap(), b"mine");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn any_records_of_any_lanes_come_back(
        records in prop::collection::vec(
            (0..6_usize, any::<u16>(), any::<u32>(), any::<u64>(), any::<u64>(), prop::collection::vec(any::<u8>(), 0..600)),
            0..120,
        ),
        close: bool,
    ) {
        let run = tempfile::tempdir().unwrap();
        let mut journal = Journal::create(run.path(), small()).unwrap();
        let mut writers: Vec<_> = Lane::ALL.into_iter().map(|lane| journal.writer(lane).unwrap()).collect();
        let room = journal.room();
        let mut expected: Vec<Vec<(Entry, &[u8])>> = vec![Vec::new(); 6];
        for (lane, kind, instrument, cause, recv_ns, body) in &records {
            let entry = Entry {
                kind: *kind,
                instrument: InstrumentId(*instrument),
                cause: Cause::from_raw(*cause),
                recv_ns: Nanos(*recv_ns),
            };
            let written = append(&mut writers[*lane], &room, entry, body);
            expected[*lane].push((entry, body));
            prop_assert_eq!(written, Cause::new(Lane::ALL[*lane], expected[*lane].len() as u64));
        }
        drop(writers);
        if close { journal.close().unwrap() } else { drop(journal) }
        let reader = Reader::open(run.path()).unwrap();
        for (lane, expected) in Lane::ALL.into_iter().zip(expected) {
            let mut cursor = reader.cursor(lane);
            for (index, (entry, body)) in expected.iter().enumerate() {
                let view = cursor.next().unwrap().unwrap();
                prop_assert_eq!((view.seq, view.entry, view.body), (index as u64 + 1, *entry, *body));
            }
            prop_assert_eq!(cursor.step(), Ok(if close { Stand::Closed } else { Stand::Tail }));
        }
    }

    #[test]
    fn random_bytes_anywhere_yield_no_record_that_was_not_written(
        close: bool,
        changes in prop::collection::vec((any::<u32>(), prop::collection::vec(any::<u8>(), 1..80)), 1..6),
        length in prop::option::of(any::<u32>()),
    ) {
        let run = tempfile::tempdir().unwrap();
        let mut journal = Journal::create(run.path(), small()).unwrap();
        let mut writer = journal.writer(Lane::Feed).unwrap();
        let room = journal.room();
        for seq in 1..=60 {
            append(&mut writer, &room, entry(1, Cause::NONE, seq), &body_of(seq));
        }
        drop(writer);
        if close { journal.close().unwrap() } else { drop(journal) }
        let path = run.path().join("feed-000001.seg");
        let mut bytes = fs::read(&path).unwrap();
        for (at, change) in changes {
            let at = at as usize % bytes.len();
            let end = bytes.len().min(at + change.len());
            bytes[at..end].copy_from_slice(&change[..end - at]);
        }
        if let Some(length) = length {
            bytes.truncate(length as usize % (bytes.len() + 1));
        }
        fs::write(&path, bytes).unwrap();
        let reader = Reader::open(run.path()).unwrap();
        let (last, _) = read_back(&reader, Lane::Feed);
        prop_assert!(last <= 60);
        prop_assert_eq!(verify(&reader, |_| ())[0].last_seq, last);
        let mut merged = Merged::new(&reader, Lane::ALL);
        let mut shown = 0;
        while merged.next().is_some() { shown += 1 }
        prop_assert_eq!(shown, last);
    }
}
