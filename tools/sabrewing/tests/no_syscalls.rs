//! No system call after the start, from the first frame to the last: a forked child takes the whole capture
//! through all five stages, journal included, behind a filter that allows nothing but to exit. What it wrote to its
//! journal shows that every way of an order and every command was on the way. A second child makes one call, and
//! must be killed for it.

mod pipeline;

use engine::ids::Lane;
use engine::journal::Reader;
use engine::journal::schema::RecordKind;
use engine::placement::Placement;
use engine::runner::Turn;
use pipeline::churn::{COMMANDS, prepare_churning};
use pipeline::{Market, journal};
use std::sync::Arc;

/// Lets the calling thread do nothing but end; anything else kills the process.
fn allow_only_exit() {
    let allow = |number: i64| libc::sock_filter {
        code: 0x15, // jump when equal: to the return that allows, else to the next
        jt: 0,
        jf: 1,
        k: u32::try_from(number).unwrap(),
    };
    let answer = |value: u32| libc::sock_filter { code: 0x06, jt: 0, jf: 0, k: value };
    let load_number = libc::sock_filter { code: 0x20, jt: 0, jf: 0, k: 0 };
    let mut program = [
        load_number,
        allow(libc::SYS_exit_group),
        answer(libc::SECCOMP_RET_ALLOW),
        allow(libc::SYS_exit),
        answer(libc::SECCOMP_RET_ALLOW),
        answer(libc::SECCOMP_RET_KILL_PROCESS),
    ];
    let filter = libc::sock_fprog { len: 6, filter: program.as_mut_ptr() };
    // SAFETY: plain numbers, and a program that lives through the call, which copies it.
    let installed = unsafe {
        libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
            && libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const filter) == 0
    };
    assert!(installed, "seccomp is not to be had: {}", std::io::Error::last_os_error());
}

/// Runs `work` in a child and returns its wait status. The parent has no other thread that holds a lock which
/// `work` could need: `work` takes no memory and calls nothing.
fn in_child(work: impl FnOnce()) -> i32 {
    // SAFETY: the child calls only `work`, which neither allocates nor locks, and leaves by `_exit`.
    match unsafe { libc::fork() } {
        -1 => panic!("fork: {}", std::io::Error::last_os_error()),
        0 => {
            work();
            // SAFETY: ends the child at once.
            unsafe { libc::_exit(0) }
        }
        child => {
            let mut status = 0;
            // SAFETY: waits for the child made above.
            let waited = unsafe { libc::waitpid(child, &raw mut status, 0) };
            assert_eq!(waited, child);
            status
        }
    }
}

fn main() {
    let market = Arc::new(Market::usdm(usize::MAX).with_a_forced_resync());
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("journal");
    // Segments that hold the whole run: preparing the next one is the helper thread's work, which a child lacks.
    let mut kept = Some(journal(&path, 128 << 20, 128 << 20));
    let (mut run, mut commander) = prepare_churning(&market, &Placement::one(&[]), &mut kept, None, false);
    for _ in 0..COMMANDS {
        commander.send();
    }
    kept.as_ref().unwrap().wait_prepared().unwrap();
    let mut chain = run.threads.remove(0).chains.remove(0);
    let status = in_child(|| {
        allow_only_exit();
        while chain.turn() != Turn::Finished {}
    });
    assert!(
        libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0,
        "the pipeline called the system: {status:#x}"
    );
    // The journal's pages are shared with the child.
    let reader = Reader::open(&path).unwrap();
    let count = |lane, kind: RecordKind| {
        let (mut cursor, mut count) = (reader.cursor(lane), 0_u64);
        while let Ok(Some(view)) = cursor.next() {
            count += u64::from(view.entry.kind == kind as u16);
        }
        count
    };
    for (lane, kind, least) in [
        (Lane::Feed, RecordKind::Frame, 90_000),
        (Lane::Strategy, RecordKind::Target, 10_000),
        (Lane::Strategy, RecordKind::Command, COMMANDS.into()),
        (Lane::Strategy, RecordKind::Param, 1),
        (Lane::Gateway, RecordKind::Order, 10_000),
        (Lane::Gateway, RecordKind::Amend, 100),
        (Lane::Gateway, RecordKind::Cancel, 100),
        (Lane::Gateway, RecordKind::Fill, 100),
    ] {
        let found = count(lane, kind);
        assert!(found >= least, "{found} records {}", kind.name());
    }
    println!("test no_stage_calls_the_system ... ok");

    let status = in_child(|| {
        allow_only_exit();
        // SAFETY: takes nothing, and does not come back.
        unsafe { libc::getppid() };
    });
    assert!(
        libc::WIFSIGNALED(status) && libc::WTERMSIG(status) == libc::SIGSYS,
        "one call was let through: {status:#x}"
    );
    println!("test one_call_to_the_system_is_fatal ... ok");
    println!("\ntest result: ok. 2 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out");
}
