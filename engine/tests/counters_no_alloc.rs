//! Counting allocates nothing: a stage may count on its hot path.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::hint::black_box;

use engine::counters::{Counters, Desc, Run, Unit};
use engine::time::Nanos;

struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: hands every call on to `System`, unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract of `dealloc`; the block came from `System`.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static GLOBAL: Counting = Counting;

#[test]
fn counting_allocates_nothing() {
    let run = Run { id: 1, start: Nanos(0) };
    let mut counters = Counters::create(None, &run, 4).unwrap();
    let mut counter = counters.register("feed", &Desc::counter("frames", Unit::Count, "Frames")).unwrap();

    let before = ALLOCATIONS.get();
    drop(black_box(Box::new(1)));
    let counted = ALLOCATIONS.get();
    assert_eq!(counted, before + 1, "the counter of allocations counts");
    for n in 0..1_000 {
        counter.add(n);
        counter.max(n);
        counter.set(counter.value());
        counter.set_signed(-1);
    }
    assert_eq!(ALLOCATIONS.get(), counted);
}
