//! After construction a book never allocates: a counting allocator sees nothing over a whole recording, window
//! moves, far levels, a full side and a second snapshot. It first shows that it counts.

mod book_capture;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use book_capture::{RECORDINGS, load};
use engine::book::{Book, BookConfig, BookSide};
use engine::num::Level;

/// The system's allocator, counting what this thread asks of it.
struct Counting;

thread_local! {
    static REQUESTS: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: every call goes to `System` unchanged; the counter is a thread-local without a destructor and
// does not allocate.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        REQUESTS.set(REQUESTS.get() + 1);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        REQUESTS.set(REQUESTS.get() + 1);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn requests_of(work: impl FnOnce()) -> u64 {
    let before = REQUESTS.get();
    work();
    REQUESTS.get() - before
}

#[test]
fn nothing_is_allocated_or_freed_after_construction() {
    assert!(requests_of(|| drop(std::hint::black_box(Box::new(1_u64)))) == 2, "the counter counts");
    let recordings = [&RECORDINGS[0], &RECORDINGS[2]].map(load);
    for config in [(1 << 14, 1 << 14), (256, 1 << 14), (256, 900)] {
        let mut book = Book::new(BookConfig::new(config.0, config.1).unwrap());
        for (snapshot, deltas) in &recordings {
            let mut top = [Level::default(); 10];
            let mut seen = 0;
            let requests = requests_of(|| {
                book.load_snapshot(&snapshot.bids, &snapshot.asks);
                for delta in deltas {
                    book.apply(&delta.bids, &delta.asks);
                    for side in BookSide::BOTH {
                        seen += book.top(side, &mut top);
                    }
                }
                seen += book.levels(BookSide::Bid).count();
                book.clear();
            });
            assert_eq!(requests, 0, "window and capacity {config:?}");
            assert!(seen > deltas.len() * 20, "the books had levels");
        }
    }
}
