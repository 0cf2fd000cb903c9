//! The paper exchange and a strategy on recorded events, without decoding: the market of hftbacktest's recorded runs,
//! quoted by the rule of those runs, matched as there (the test `parity` compares every row). Beside what that package
//! needs for the same events: 2.7 M events/s.
//!
//! `cargo bench -p sim --bench paper`. Run by `cargo test`, it only shows that it runs.

use sim::parity::{Run, Settings, load_events};
use std::path::{Path, PathBuf};
use std::time::Instant;

const SHARED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/hftbacktest");
const RUNS: [&str; 2] = ["lat10_touch_riskaverse", "lat10_touch_power3"];

fn main() {
    let is_bench = std::env::args().any(|argument| argument == "--bench");
    let passes = if is_bench { 9 } else { 1 };
    println!("{:<40} {:>10} {:>10} {:>12}", "whole runs", "ns/event", "min", "M events/s");
    for name in RUNS {
        let file = |end: &str| -> PathBuf { Path::new(SHARED).join(format!("usdm_btcusdt_20240808_{end}")) };
        let settings = Settings::load(&file(&format!("{name}_summary.json"))).expect("settings");
        let events = load_events(&file("events.csv.gz"), &settings).expect("events");
        let mut ns: Vec<f64> = (0..passes)
            .map(|_| {
                let mut run = Run::new(&settings);
                let (start, mut ended) = (Instant::now(), 0);
                while run.step(&events) {
                    ended += run.decide().len();
                }
                let elapsed = start.elapsed();
                assert!(ended > 100, "{ended} orders ended");
                elapsed.as_nanos() as f64 / events.len() as f64
            })
            .collect();
        ns.sort_by(f64::total_cmp);
        let median = ns[ns.len() / 2];
        println!("{name:<40} {median:>10.1} {:>10.1} {:>12.2}", ns[0], 1000.0 / median);
    }
}
