//! Appending allocates nothing, over segment changes too. A counter of the thread's own allocations is armed
//! around the appends; it is shown to count first.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use engine::ids::{Cause, InstrumentId, Lane};
use engine::journal::{Entry, Journal, Options, Reader, record_bytes};
use engine::time::Nanos;

struct Counting;

thread_local! {
    static COUNT: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: hands every request to the system's allocator unchanged; counting touches only a thread-local cell
// that needs no initialisation.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's promise, passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        COUNT.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's promise, passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn calls(work: impl FnOnce()) -> u64 {
    let before = COUNT.with(Cell::get);
    work();
    COUNT.with(Cell::get) - before
}

fn main() {
    assert!(calls(|| drop(std::hint::black_box(Box::new(1)))) >= 2, "the counter does not count");
    let run = tempfile::tempdir().unwrap();
    let options = Options { feed_segment_bytes: 1 << 16, ..Options::new(1, [0; 32]) };
    let mut journal = Journal::create(run.path(), options).unwrap();
    let mut writer = journal.writer(Lane::Feed).unwrap();
    let room = journal.room();
    let body = [7; 1500];
    let mut counted = 0;
    for seq in 1..=2000_usize {
        let body = &body[..seq % body.len()];
        room.wait(record_bytes(body.len())).unwrap();
        counted += calls(|| {
            let entry = Entry { kind: 1, instrument: InstrumentId(0), cause: Cause::NONE, recv_ns: Nanos(0) };
            writer.append(entry, body).unwrap();
        });
    }
    assert_eq!(counted, 0, "appending allocated or freed");
    drop(writer);
    journal.close().unwrap();
    let mut cursor = Reader::open(run.path()).unwrap().cursor(Lane::Feed);
    while cursor.next().unwrap().is_some() {}
    let segments = cursor.segment().map_or(0, |segment| segment.number);
    assert!(cursor.last_seq() == 2000 && segments > 10, "{segments} segments show no changes");
    println!("2000 appends over {segments} segments: no allocation");
}
