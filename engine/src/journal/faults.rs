//! What the file system does to a journal: full, read-only, not empty. The disk that fills up is a small one
//! of its own where this process may mount it, and a limit on the size of files where it may not.

use std::env;
use std::ffi::CString;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::Command;

use super::tests::{body_of, entry, read_back, small};
use super::*;
use crate::ids::{Cause, Lane};

const DIR: &str = "JOURNAL_TEST_DIR";

/// Runs one of the ignored tests below in a process of its own: mounts and limits end with it.
fn in_a_process(test: &str) {
    let dir = tempfile::tempdir().unwrap();
    let output = Command::new(env::current_exe().unwrap())
        .args(["--ignored", "--exact", "--nocapture", &format!("journal::faults::{test}")])
        .env(DIR, dir.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("shown on"), "{said}");
}

/// Mounts a file system of `bytes` in memory over `dir`, for this thread and those it starts. False: may not.
fn mount(dir: &Path, bytes: u64, flags: libc::c_ulong) -> bool {
    let target = CString::new(dir.as_os_str().as_bytes()).unwrap();
    let size = CString::new(format!("size={bytes}")).unwrap();
    // SAFETY: plain calls with strings that live until they return; the new namespace is this thread's own.
    unsafe {
        libc::unshare(libc::CLONE_NEWNS) == 0
            && libc::mount(
                c"none".as_ptr(),
                c"/".as_ptr(),
                std::ptr::null(),
                libc::MS_REC | libc::MS_PRIVATE,
                std::ptr::null(),
            ) == 0
            && libc::mount(c"tmpfs".as_ptr(), target.as_ptr(), c"tmpfs".as_ptr(), flags, size.as_ptr().cast())
                == 0
    }
}

#[test]
#[ignore = "runs in a process of its own, started by the test below"]
fn full_disk_process() {
    let Ok(dir) = env::var(DIR) else { return };
    let dir = Path::new(&dir);
    let mounted = mount(dir, 10 * 4096, 0);
    let mut journal = Journal::create(&dir.join("journal"), small()).unwrap();
    let mut writer = journal.writer(Lane::Feed).unwrap();
    let room = journal.room();
    room.wait(7000).unwrap();
    if !mounted {
        let limit = libc::rlimit { rlim_cur: 4096, rlim_max: 4096 };
        // SAFETY: plain calls; the limit and the ignored signal are this process's own.
        unsafe {
            libc::signal(libc::SIGXFSZ, libc::SIG_IGN);
            assert_eq!(libc::setrlimit(libc::RLIMIT_FSIZE, &raw const limit), 0);
        }
    }
    let refused = loop {
        if let Err(error) = room.wait(512) {
            break error;
        }
        let seq = writer.next_seq();
        assert!(seq < 1000, "the disk never filled up");
        writer.append(entry(1, Cause::NONE, seq), &body_of(seq)).unwrap();
    };
    assert_eq!(refused, AppendError::Failed);
    // What is left of the current segment is still good for the orderly end of trading.
    let last = loop {
        let seq = writer.next_seq();
        if let Err(error) = writer.append(entry(1, Cause::NONE, seq), &body_of(seq)) {
            assert_eq!(error, AppendError::Failed);
            break seq - 1;
        }
    };
    let failure = journal.failure().unwrap().to_string();
    assert!(failure.contains("reserve the space of") && failure.contains("feed-0"), "{failure}");
    drop(writer);
    assert_eq!(journal.close().unwrap_err().to_string(), failure);
    let reader = Reader::open(dir).unwrap();
    assert_eq!(read_back(&reader, Lane::Feed), (last, Ok(Stand::Closed)));
    assert!(reader.foreign().is_empty());
    assert!(
        fs::read_dir(reader.dir())
            .unwrap()
            .all(|file| file.unwrap().path().extension() != Some("tmp".as_ref()))
    );
    eprintln!("shown on a {}: {failure}", if mounted { "full file system" } else { "file size limit" });
}

#[test]
fn a_full_disk_is_an_error_with_the_path_and_loses_no_record() {
    in_a_process("full_disk_process");
}

#[test]
#[ignore = "runs in a process of its own, started by the test below"]
fn read_only_process() {
    let Ok(dir) = env::var(DIR) else { return };
    let dir = Path::new(&dir);
    // A root that may not mount still meets a file system where nobody may create anything.
    let (dir, how) = if mount(dir, 1 << 20, libc::MS_RDONLY) {
        (dir.to_path_buf(), "read-only file system")
    } else {
        ("/proc/self".into(), "file system that takes no files")
    };
    for path in [dir.clone(), dir.join("journal")] {
        let error = Journal::create(&path, small()).map(|_| ()).unwrap_err();
        let named = matches!(&error, JournalError::Io { path: of, .. } if of.starts_with(&path));
        assert!(named || matches!(&error, JournalError::NotEmpty { .. }), "{error}");
        eprintln!("shown on a {how}: {error}");
    }
}

#[test]
fn a_read_only_directory_is_an_error_with_the_path() {
    in_a_process("read_only_process");
}

#[test]
fn a_directory_with_something_in_it_is_refused_and_left_as_it_was() {
    let run = tempfile::tempdir().unwrap();
    let mine = run.path().join("notes.txt");
    fs::write(&mine, "mine").unwrap();
    let error = Journal::create(run.path(), small()).map(|_| ()).unwrap_err();
    assert!(
        matches!(&error, JournalError::NotEmpty { entry, .. } if entry == Path::new("notes.txt")),
        "{error}"
    );
    assert_eq!(fs::read_dir(run.path()).unwrap().count(), 1);
    assert_eq!(fs::read(mine).unwrap(), b"mine");
}

#[test]
fn options_out_of_range_a_second_writer_and_a_close_too_early_are_errors() {
    let run = tempfile::tempdir().unwrap();
    let bad = [
        Options { segment_bytes: 4096, ..small() },
        Options { feed_segment_bytes: 10_000, ..small() },
        Options { durability: Durability::Msync { every_ms: 0 }, ..small() },
    ];
    for options in bad {
        let error = Journal::create(&run.path().join("bad"), options).map(|_| ()).unwrap_err();
        assert!(matches!(error, JournalError::Options(_)), "{error}");
    }
    assert!(!run.path().join("bad").exists());
    let mut journal = Journal::create(&run.path().join("good"), small()).unwrap();
    let writer = journal.writer(Lane::Book).unwrap();
    assert!(matches!(journal.writer(Lane::Book), Err(JournalError::LaneTaken(Lane::Book))));
    assert!(matches!(journal.close(), Err(JournalError::WriterAlive(Lane::Book))));
    drop(writer);
}

#[test]
fn synced_records_are_on_the_disk_in_either_durable_mode_and_come_back() {
    for durability in [Durability::Msync { every_ms: 1 }, Durability::SyncBeforeSend] {
        let run = tempfile::tempdir().unwrap();
        let mut journal = Journal::create(run.path(), Options { durability, ..small() }).unwrap();
        let mut writer = journal.writer(Lane::Gateway).unwrap();
        let room = journal.room();
        for seq in 1..=150 {
            tests::append(&mut writer, &room, entry(1, Cause::NONE, seq), &body_of(seq));
            if durability == Durability::SyncBeforeSend { writer.before_send() } else { writer.sync() }
                .unwrap();
        }
        drop(writer);
        journal.close().unwrap();
        assert_eq!(read_back(&Reader::open(run.path()).unwrap(), Lane::Gateway), (150, Ok(Stand::Closed)));
    }
}
