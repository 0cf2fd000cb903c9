//! Reading and decoding take no memory after the start: on the consuming thread the first pass over every
//! capture, the largest frame there can be, and frames that are no messages leave the allocator alone. Other
//! threads (the one that reads ahead) may allocate. First shown: that the counter counts.

mod support;

use engine::ids::InstrumentId;
use feeds::capture::{CaptureFile, MergedCaptures, NextLine};
use feeds::codec::{Decoded, FRAME_BYTES_MAX, FeedCodec, LEVELS_MAX};
use feeds::venues::AnyCodec;
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use support::{CAPTURES, instrument, shared};

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

/// Calls to the allocator that `work` makes.
fn calls(work: impl FnOnce()) -> u64 {
    let before = CALLS.get();
    work();
    CALLS.get() - before
}

fn main() {
    assert_eq!(calls(|| drop(std::hint::black_box(vec![1_u8]))), 2, "the counter counts");

    for (path, venue, symbol) in CAPTURES {
        let instrument = instrument(venue, symbol);
        let mut codec = AnyCodec::new(venue, &[(InstrumentId(0), &instrument)]).unwrap();
        let mut out = Decoded::new();
        let mut captures = MergedCaptures::open(&[CaptureFile { path: shared(path), stream: 0 }]).unwrap();
        let (mut frames, mut ended) = (0, false);
        let made = calls(|| {
            while !ended {
                match captures.poll() {
                    NextLine::Line(line) => {
                        frames += u64::from(codec.decode(line.json.unwrap_or_default(), &mut out).is_ok());
                    }
                    NextLine::NotYet => std::hint::spin_loop(),
                    NextLine::End | NextLine::Failed(_) => ended = true,
                }
            }
        });
        assert!(made == 0 && frames > 50, "{path}: {made} calls in {frames} frames");
        println!("{path}: {frames} frames, {made} calls to the allocator");
    }

    // A fresh codec meets the worst at once: the general decoder and every kind of failure.
    let depth = |levels: usize, space: &str| {
        let rows = vec![r#"["61800.20","0.014"]"#; levels].join(",");
        format!(
            r#"{{"e":"depthUpdate",{space}"E":1,"T":1,"s":"BTCUSDT","U":1,"u":2,"pu":0,"b":[{rows}],"a":[]}}"#
        )
    };
    let frames: Vec<Vec<u8>> = vec![
        depth(LEVELS_MAX, " ").into_bytes(),
        depth(LEVELS_MAX, "").into_bytes(),
        depth(LEVELS_MAX + 1, "").into_bytes(),
        vec![b'['; FRAME_BYTES_MAX],
        vec![b'"'; FRAME_BYTES_MAX],
        vec![b','; FRAME_BYTES_MAX],
        vec![b' '; FRAME_BYTES_MAX + 1],
        format!("[{}1]", "1,".repeat(FRAME_BYTES_MAX / 2 - 2)).into_bytes(),
        format!("[{}{{}}]", "{},".repeat(FRAME_BYTES_MAX / 3 - 2)).into_bytes(),
        format!("\"{}\"", "\\u00e9".repeat(FRAME_BYTES_MAX / 6 - 2)).into_bytes(),
        b"1e999999999".to_vec(),
        format!("{{\"id\":0.{}}}", "1234567890".repeat(1_000)).into_bytes(),
        vec![0xFF; 100],
        vec![],
    ];
    for venue in ["binance-usdm", "hyperliquid"] {
        let instrument = instrument(venue, "BTCUSDT");
        for frame in &frames {
            let mut codec = AnyCodec::new(venue, &[(InstrumentId(0), &instrument)]).unwrap();
            let mut out = Decoded::new();
            let mut ok = false;
            let made = calls(|| ok = codec.decode(frame, &mut out).is_ok());
            let shown = String::from_utf8_lossy(&frame[..frame.len().min(40)]);
            assert_eq!(made, 0, "{venue}: {} bytes {shown}", frame.len());
        }
    }
    println!("largest frames and failures: no call to the allocator");
}
