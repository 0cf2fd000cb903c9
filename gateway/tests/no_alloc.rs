//! Encoding takes no memory after the start, signed by HMAC or over an authenticated session: neither from Rust's
//! allocator nor from the C library's, which the signing library uses. First shown: that the counters count.

mod support;

use engine::num::{Level, Price, Qty, Side};
use engine::order::{Order, Terms, Tif};
use engine::time::Nanos;
use gateway::client_order_id::ClientOrderIds;
use gateway::codec::{OpenOrder, OrderCodec, Request};
use gateway::venues::binance::{Authentication, BinanceCodec, RecvWindow};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use support::{API_KEY, approved, ed25519_key, hmac_key, instruments, order};

thread_local! {
    /// Calls to the allocator on this thread. Const and without a destructor, so that it needs no memory itself.
    static CALLS: Cell<u64> = const { Cell::new(0) };
}

struct Counting;

// SAFETY: every call goes to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        CALLS.set(CALLS.get() + 1);
        // SAFETY: the caller's promises are the ones needed.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        CALLS.set(CALLS.get() + 1);
        // SAFETY: the caller's promises are the ones needed.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        CALLS.set(CALLS.get() + 1);
        // SAFETY: the caller's promises are the ones needed.
        unsafe { System.realloc(pointer, layout, new_size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The C library's `malloc`, counted: glibc lets a program have its own, and keeps the real one under this name.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod c_library {
    use super::CALLS;
    use std::ffi::c_void;

    unsafe extern "C" {
        fn __libc_malloc(size: usize) -> *mut c_void;
    }

    #[unsafe(no_mangle)]
    unsafe extern "C" fn malloc(size: usize) -> *mut c_void {
        CALLS.set(CALLS.get() + 1);
        // SAFETY: the caller's promises are the ones needed.
        unsafe { __libc_malloc(size) }
    }
}

/// Calls to the allocators that `work` makes.
fn calls(work: impl FnOnce()) -> u64 {
    let before = CALLS.get();
    work();
    CALLS.get() - before
}

/// Calls that so many life cycles make, of every instrument, side and time in force: place, amend, cancel; and of
/// market orders and stops: place, cancel.
fn life_cycles(authentication: Authentication, count: u64) -> u64 {
    let instruments = instruments();
    let window = RecvWindow::from_ms(2000).unwrap();
    let mut codec = BinanceCodec::new(&instruments, authentication, window).unwrap();
    let mut out = [0; BinanceCodec::MESSAGE_BYTES_MAX];
    let ids = ClientOrderIds::new(1, 2);
    let mut counted = 0;
    for seq in 0..count {
        let instrument = &instruments[usize::try_from(seq % 3).unwrap()];
        let (side, tif) = (Side::BOTH[(seq / 3 % 2) as usize], Tif::ALL[(seq / 6 % 4) as usize]);
        let moved = i64::try_from(seq).unwrap();
        let placed = Order { seq, ..order(instrument.id.0, side, tif, 6_000_000 + moved, 1_000 + moved) };
        let level = Level { price: Price(6_100_000), qty: Qty(2_000 + moved) };
        let in_place = instrument.id.0 > 0;
        let amended = Order { seq: if in_place { seq } else { seq + 1 }, level, ..placed };
        // A gate of its own for each: it is made at start, and is not what is counted.
        let (place, amend) = (approved(placed, instrument), approved(amended, instrument));
        counted += calls(|| {
            let (id, request) =
                (ids.id(seq), Request { id: seq, now: Nanos::from_ms(1_700_000_000_000 + seq) });
            codec.place(request, &place, &id, &mut out).unwrap();
            let open = OpenOrder { order: &placed, id: &id };
            codec.amend(request, open, &amend, &ids.id(amended.seq), &mut out).unwrap();
            codec.cancel(request, &placed, &id, &mut out).unwrap();
        });
        let terms =
            [Terms::MARKET, Terms::stop(Price(6_000_000)), Terms::MARKET.reducing()][(seq % 3) as usize];
        let level = Level { price: Price(0), ..placed.level };
        let taking = Order { level, tif: Tif::Ioc, terms, ..placed };
        let place = approved(taking, instrument);
        counted += calls(|| {
            let (id, request) =
                (ids.id(seq), Request { id: seq, now: Nanos::from_ms(1_700_000_000_000 + seq) });
            codec.place(request, &place, &id, &mut out).unwrap();
            codec.cancel(request, &taking, &id, &mut out).unwrap();
        });
    }
    counted
}

fn main() {
    // Rust's own calls, and the C library's below one of them.
    let counted = if cfg!(all(target_os = "linux", target_env = "gnu")) { 3 } else { 2 };
    assert_eq!(calls(|| drop(std::hint::black_box(vec![1_u8]))), counted, "the counters count");
    let signed = life_cycles(Authentication::Ed25519 { api_key: API_KEY.into(), key: ed25519_key() }, 10);
    assert!(signed > 60, "thirty Ed25519 signatures take memory: counted {signed} times");
    let hmac = Authentication::Hmac { api_key: API_KEY.into(), key: hmac_key() };
    assert_eq!(life_cycles(hmac, 10_000), 0, "signed by HMAC");
    assert_eq!(life_cycles(Authentication::Session, 10_000), 0, "authenticated session");
    println!("orders signed by HMAC, orders of a session: no call to an allocator");
}
