//! No indicator allocates after construction, whatever it is fed, warm-up included; a wrapped function
//! that must open its stream does so once, at the end of its warm-up, and the catalogue says so.

mod support;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use strategies::indicators::{Origin, Request, catalogue};

struct Counting;

thread_local! {
    static COUNT: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: every call is passed on to the system's allocator unchanged; counting touches no memory of it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's promises are handed on.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        COUNT.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's promises are handed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Allocations and frees during `work`.
fn counted(work: impl FnOnce()) -> u64 {
    let before = COUNT.with(Cell::get);
    work();
    COUNT.with(Cell::get) - before
}

#[test]
fn updates_and_peeks_do_not_allocate() {
    assert!(counted(|| drop(std::hint::black_box(Box::new(1)))) == 2, "the counter counts");
    let bars = support::bars("BTC_USDT-5m");
    let mut guilty = Vec::new();
    for (_, entry) in catalogue() {
        let mut study = Request::parse(entry.name).unwrap_or_else(|error| panic!("{error}")).build();
        let once = matches!(entry.origin, Origin::TaLib { allocates_once: true, .. });
        let (first, rest) = bars.split_at(600);
        let warming = counted(|| {
            for bar in first {
                if !once {
                    study.peek(bar);
                }
                study.update(bar);
            }
        });
        let after = counted(|| {
            for bar in &rest[..600] {
                study.peek(bar);
                study.update(bar);
            }
        });
        // What the catalogue says of opening must be so, both ways.
        if after > 0 || (warming > 0) != once {
            guilty.push(format!("{}: {warming} while warming up, {after} afterwards", entry.name));
        }
    }
    assert!(guilty.is_empty(), "{}", guilty.join("\n"));
}
