//! Journal append, through the writer that trades, into a file written ahead: single calls timed with the
//! CPU's counter, and a tight loop. The first row is what timing itself costs; the second is the floor, a
//! bare 64-byte store into memory that is already mapped.
//!
//! `cargo bench -p engine --bench journal [-- DIR]`; DIR is where the journal goes (default: the temporary
//! directory). Run by `cargo test`, it only shows that it runs.
#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "a benchmark reads clocks")]

mod verdict;

use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::time::Instant;

use engine::ids::{Cause, InstrumentId, Lane};
use engine::journal::{Entry, Journal, Options, record_bytes};
use engine::time::Nanos;
use verdict::verdict;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let is_bench = arguments.iter().any(|argument| argument == "--bench");
    let calls = if is_bench { 500_000 } else { 2_000 };
    let dir = arguments.iter().find(|argument| !argument.starts_with('-'));
    let dir = dir.map_or_else(std::env::temp_dir, PathBuf::from);
    let per_tick = ns_per_tick();
    println!("{:<26} {:>8} {:>8} {:>8} {:>10} {:>12}", "ns", "p50", "p99", "p99.9", "max", "tight loop");
    report("timing alone", &mut single(calls, || ()), per_tick, tight(calls, || ()), None);
    let mut cells = vec![[0_u64; 8]; 1 << 16];
    let mut at = 0;
    let mut store = || {
        cells[at & 0xFFFF] = black_box([at as u64; 8]);
        at += 1;
    };
    let mut timed = single(calls, &mut store);
    report("bare store of 64 bytes", &mut timed, per_tick, tight(calls, store), None);
    for len_bytes in [24, 180, 300, 1600] {
        let (mut timed, loop_ns) = append(&dir, len_bytes, calls);
        // Targets bind a record of one cell.
        let targets = (len_bytes == 24).then_some((30.0, 150.0));
        report(&format!("append, body of {len_bytes} bytes"), &mut timed, per_tick, loop_ns, targets);
    }
}

/// Ticks of single appends, and ns of one in a loop.
fn append(dir: &Path, len_bytes: usize, calls: usize) -> (Vec<u64>, f64) {
    let run = tempfile::tempdir_in(dir).unwrap();
    let mut journal = Journal::create(run.path(), Options::new(1, [0; 32])).unwrap();
    let mut writer = journal.writer(Lane::Feed).unwrap();
    let room = journal.room();
    let body = vec![0x5A_u8; len_bytes];
    let mut seq = 0;
    // The caller that can wait does so outside the timed call, a megabyte at a time.
    let need = 1 << 20;
    let mut left = 0;
    let make_room = |left: &mut usize| {
        if *left < record_bytes(len_bytes) {
            room.wait(need).unwrap();
            *left = need;
        }
        *left -= record_bytes(len_bytes);
    };
    let mut one = || {
        seq += 1;
        let entry = Entry { kind: 1, instrument: InstrumentId(3), cause: Cause::NONE, recv_ns: Nanos(seq) };
        writer.append(entry, black_box(&body)).unwrap()
    };
    let mut timed = Vec::with_capacity(calls);
    for _ in 0..calls {
        make_room(&mut left);
        let start = ticks();
        black_box(one());
        timed.push(ticks() - start);
    }
    let batch = need / record_bytes(len_bytes) / 2;
    let mut best = f64::MAX;
    for _ in 0..(calls / batch).clamp(1, 200) {
        room.wait(need).unwrap();
        best = best.min(tight(batch, &mut one));
    }
    (timed, best)
}

fn single(calls: usize, mut call: impl FnMut()) -> Vec<u64> {
    let mut timed = Vec::with_capacity(calls);
    for _ in 0..calls {
        let start = ticks();
        call();
        timed.push(ticks() - start);
    }
    timed
}

fn tight<T>(calls: usize, mut call: impl FnMut() -> T) -> f64 {
    let start = Instant::now();
    for _ in 0..calls {
        black_box(call());
    }
    start.elapsed().as_nanos() as f64 / calls as f64
}

/// `targets_max`: of p50 and of p99.9.
fn report(name: &str, timed: &mut [u64], per_tick: f64, loop_ns: f64, targets_max: Option<(f64, f64)>) {
    timed.sort_unstable();
    let at = |share: usize| timed[(timed.len() - 1) * share / 1000] as f64 * per_tick;
    let verdict = targets_max.map_or_else(String::new, |(p50, p999)| {
        format!("p50 {}, p99.9 {}", verdict(at(500), p50), verdict(at(999), p999))
    });
    println!(
        "{name:<26} {:>8.0} {:>8.0} {:>8.0} {:>10.0} {loop_ns:>12.1}  {verdict}",
        at(500),
        at(990),
        at(999),
        at(1000)
    );
}

#[cfg(target_arch = "x86_64")]
fn ticks() -> u64 {
    // SAFETY: every x86-64 CPU has the instruction.
    unsafe { core::arch::x86_64::_rdtsc() }
}

#[cfg(not(target_arch = "x86_64"))]
fn ticks() -> u64 {
    static START: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    u64::try_from(START.get_or_init(Instant::now).elapsed().as_nanos()).unwrap_or(u64::MAX)
}

fn ns_per_tick() -> f64 {
    let (wall, start) = (Instant::now(), ticks());
    while wall.elapsed().as_millis() < 20 {}
    wall.elapsed().as_nanos() as f64 / (ticks() - start) as f64
}
