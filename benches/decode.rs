//! What a frame costs to decode, by kind: the codec with its scanners, the general decoder, and `serde_json`
//! into typed structs, over the same recorded frames in the same run.
//!
//! `cargo bench -p feeds --bench decode [-- PASSES [VENUE-KIND]]`, such as `31 binance-spot-ticker`. Medians over the passes; a pass takes every frame of a
//! kind in its order. Under `cargo test` one pass runs.

mod verdict;

use engine::ids::InstrumentId;
use engine::instrument::Instrument;
use feeds::capture::{CaptureReader, Next, split_line};
use feeds::codec::{Decoded, Event, FeedCodec};
use feeds::venues::binance::{BinanceCodec, Product};
use serde::Deserialize;
use std::hint::black_box;
use std::path::PathBuf;
use std::time::Instant;
use verdict::verdict;

/// A level of a depth message, a ticker, a trade.
const DEPTH_LEVEL_NS_MAX: f64 = 10.0;
const TICKER_NS_MAX: f64 = 50.0;
const TRADE_NS_MAX: f64 = 45.0;

fn main() {
    let benching = std::env::args().any(|arg| arg == "--bench");
    let passes = std::env::args().nth(1).and_then(|text| text.parse().ok());
    let passes = passes.unwrap_or(if benching { 31 } else { 1 });
    println!(
        "{:<12} {:<8} {:>7} {:>6} {:>8} {:>8}   ns a message: median, fastest pass, (median a level)",
        "capture", "kind", "frames", "bytes", "levels", ""
    );
    let captures = [
        ("usdm/btcusdt_20240808.gz", "binance-usdm", Product::UsdM),
        ("spot/btcusdt_20240808.gz", "binance-spot", Product::Spot),
        ("cm/btcusd_perp_20240808.gz", "binance-coinm", Product::CoinM),
    ];
    let shipped = feeds::instruments::parse(include_bytes!("../tools/sabrewing/configs/instruments.toml"))
        .expect("the shipped instruments");
    for (path, venue, product) in captures {
        let instrument = shipped.iter().find(|i| i.venue == venue).expect("an instrument of each venue");
        capture(path, venue, product, instrument, passes);
    }
}

fn capture(path: &str, venue: &str, product: Product, instrument: &Instrument, passes: usize) {
    let mut codec = BinanceCodec::new(product, &[(InstrumentId(0), instrument)]);
    let mut out = Decoded::new();
    let mut kinds: [(Event, &str, Frames); 3] = [
        (Event::Delta, "depth", Frames::default()),
        (Event::Ticker, "ticker", Frames::default()),
        (Event::Trades, "trade", Frames::default()),
    ];
    let mut levels = 0_usize;
    let shared = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/captures/");
    let mut reader = CaptureReader::open(PathBuf::from(shared).join(path)).expect("the shared captures");
    while let Next::Line(line) = reader.wait() {
        let json = split_line(line.bytes).expect("a receive time").1;
        let event = codec.decode(json, &mut out).expect("a message");
        if event == Event::Delta {
            levels += (out.depth.depth().bid_count + out.depth.depth().ask_count) as usize;
        }
        if let Some((_, _, frames)) = kinds.iter_mut().find(|(kind, ..)| *kind == event) {
            frames.push(json);
        }
    }
    for (event, name, frames) in &kinds {
        if !format!("{venue}-{name}").contains(&std::env::args().nth(2).unwrap_or_default()) {
            continue;
        }
        let levels = if *event == Event::Delta { levels } else { 0 };
        let count = frames.ends.len();
        let (mut scanner, mut general, mut typed) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..passes {
            scanner.push(frames.time(|frame| {
                let _ = black_box(codec.decode(black_box(frame), &mut out));
                black_box(&mut out);
            }));
            general.push(frames.time(|frame| {
                let _ = black_box(codec.decode_general(black_box(frame), &mut out));
                black_box(&mut out);
            }));
            typed.push(frames.time(|frame| {
                assert!(typed_decode(*event, black_box(frame)));
            }));
        }
        print!(
            "{venue:<14} {name:<8} {count:>6} {:>6} {:>8.1} ",
            frames.bytes.len() / count.max(1),
            per(levels, count)
        );
        for (name, times) in
            [("scanner", &mut scanner), ("general", &mut general), ("serde_json", &mut typed)]
        {
            times.sort_unstable();
            let ns = per(usize::try_from(times[times.len() / 2]).unwrap_or(0), count);
            let least = per(usize::try_from(times[0]).unwrap_or(0), count);
            print!(" {name} {ns:>7.1} min {least:>7.1}");
            if levels > 0 {
                print!(" ({:>5.2})", ns * count as f64 / levels as f64);
            }
        }
        let scanner = per(usize::try_from(scanner[scanner.len() / 2]).unwrap_or(0), count);
        let measured = if levels > 0 { scanner * count as f64 / levels as f64 } else { scanner };
        let target_max = match (venue, *name) {
            ("binance-usdm", "depth") => Some(DEPTH_LEVEL_NS_MAX),
            ("binance-usdm", "ticker") => Some(TICKER_NS_MAX),
            ("binance-usdm", "trade") => Some(TRADE_NS_MAX),
            _ => None,
        };
        println!("  {}", verdict(measured, target_max));
    }
}

fn per(total: usize, count: usize) -> f64 {
    total as f64 / count.max(1) as f64
}

/// Frames one behind the other, as they lie in a capture's buffer.
#[derive(Default)]
struct Frames {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Frames {
    fn push(&mut self, frame: &[u8]) {
        self.bytes.extend_from_slice(frame);
        self.ends.push(self.bytes.len());
    }

    /// Nanoseconds that all frames take.
    fn time(&self, mut decode: impl FnMut(&[u8])) -> u128 {
        #[expect(clippy::disallowed_methods, reason = "a bench reads the clock, stages do not")]
        let start = Instant::now();
        let mut from = 0;
        for &end in &self.ends {
            decode(&self.bytes[from..end]);
            from = end;
        }
        start.elapsed().as_nanos()
    }
}

/// What others would write: borrowed strings, numbers left as text, only the keys that are used.
#[derive(Deserialize)]
#[allow(dead_code)]
struct Wrapped<'a, T> {
    stream: &'a str,
    data: T,
}

#[derive(Deserialize)]
#[allow(dead_code, non_snake_case)]
struct Depth<'a> {
    E: u64,
    T: Option<u64>,
    s: &'a str,
    U: u64,
    u: u64,
    pu: Option<u64>,
    #[serde(borrow)]
    b: Vec<(&'a str, &'a str)>,
    a: Vec<(&'a str, &'a str)>,
}

#[derive(Deserialize)]
#[allow(dead_code, non_snake_case)]
struct Ticker<'a> {
    E: Option<u64>,
    T: Option<u64>,
    s: &'a str,
    u: u64,
    b: &'a str,
    B: &'a str,
    a: &'a str,
    A: &'a str,
}

#[derive(Deserialize)]
#[allow(dead_code, non_snake_case)]
struct Trade<'a> {
    E: u64,
    T: u64,
    s: &'a str,
    t: u64,
    p: &'a str,
    q: &'a str,
    m: bool,
}

fn typed_decode(event: Event, frame: &[u8]) -> bool {
    match event {
        Event::Delta => black_box(serde_json::from_slice::<Wrapped<'_, Depth<'_>>>(frame)).is_ok(),
        Event::Ticker => black_box(serde_json::from_slice::<Wrapped<'_, Ticker<'_>>>(frame)).is_ok(),
        _ => black_box(serde_json::from_slice::<Wrapped<'_, Trade<'_>>>(frame)).is_ok(),
    }
}
