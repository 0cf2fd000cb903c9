//! What crosses the wire, end to end, with another process on the other end: ticks to orders beside a bare echo, a
//! lost connection to the next valid book, orders to a venue's acknowledgement, many instruments at a high rate.
//!
//! ```text
//! cargo bench -p sabrewing --bench wire                      all of it
//! cargo bench -p sabrewing --bench wire -- to-wire           ticks to orders, orders to acknowledgements
//! cargo bench -p sabrewing --bench wire -- resets [COUNT]    lost connections
//! cargo bench -p sabrewing --bench wire -- load [SECONDS]    50 instruments, 100,000 messages a second
//! ```
//!
//! The child is this program again, pinned to another core where there is one. Without cargo's `--bench` everything
//! runs for a moment, to show that it runs; no time decides whether it passes.
#![allow(clippy::disallowed_methods, reason = "a bench reads clocks")]

mod at_venue;
mod child;
mod engine;
#[path = "../../gateway/tests/support/mod.rs"]
mod gate;
#[path = "../in_memory/mod.rs"]
#[expect(dead_code, reason = "its captures are for benches without a wire")]
mod in_memory;
mod link;
mod load;
mod market;
#[path = "../requoter/mod.rs"]
mod requoter;
mod samples;
mod to_wire;
#[path = "../verdict/mod.rs"]
mod verdict;

use gateway::venues::binance::session::{Credentials, KeyKind};
use to_wire::Target;
use wire::sign::Secret;

/// First argument of a child.
pub(crate) const PEER: &str = "--peer";
/// Turns of orders and echo when they only have to run.
pub(crate) const MINIMAL_ROUNDS: usize = 1;

const TCP: Target = Target { p50_more_ns: 1_500.0, p99_times: 2.0 };
const TLS: Target = Target { p50_more_ns: 3_000.0, p99_times: 2.5 };

/// The cores of the two processes.
pub(crate) struct Cores(Vec<usize>);

impl Cores {
    /// Both processes share one: each gives it away while it waits.
    pub(crate) fn is_alone(&self) -> bool {
        self.0.len() < 2
    }

    pub(crate) fn engine(&self) -> Option<usize> {
        self.0.last().copied().filter(|_| !self.is_alone())
    }

    pub(crate) fn engine_text(&self) -> String {
        self.engine().map_or(SHARED.to_owned(), |core| core.to_string())
    }

    /// Does something on a thread of the engine's core; this one, and whoever it starts, stay free.
    pub(crate) fn on_engine<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        let pinned = || {
            pin(&self.engine_text());
            work()
        };
        std::thread::scope(|scope| scope.spawn(pinned).join().expect("a thread"))
    }

    pub(crate) fn peer_text(&self) -> String {
        self.0.first().filter(|_| !self.is_alone()).map_or(SHARED.to_owned(), usize::to_string)
    }
}

const SHARED: &str = "shared";

/// Pins this thread to the core of that text, unless it is shared.
pub(crate) fn pin(core: &str) {
    if let Ok(id) = core.parse() {
        core_affinity::set_for_current(core_affinity::CoreId { id });
    }
}

/// Whether a child on that core has to give it away while it waits.
pub(crate) fn yields(core: &str) -> bool {
    core == SHARED
}

/// The simulated venue's test account with the key that logs on, which public documents print.
pub(crate) fn keys() -> Credentials {
    Credentials {
        api_key: "aliceEd25519aliceEd25519aliceEd25519aliceEd25519aliceEd25519alic".into(),
        secret: Secret::new(gate::ED25519_PEM.into()),
        kind: KeyKind::Ed25519,
    }
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if args.first().is_some_and(|first| first == PEER) {
        return peer(&args[1], &args[2..]);
    }
    let is_bench = args.iter().any(|arg| arg == "--bench");
    let words: Vec<&String> = args.iter().filter(|arg| !arg.starts_with('-')).collect();
    let wanted = |section: &str| words.first().is_none_or(|first| *first == section);
    let number = |usual: u64| words.get(1).map_or(usual, |word| word.parse().expect("a number"));
    let cores = Cores(::engine::thread_facts::allowed_cores());
    println!("engine on core {}, the other end on core {}", cores.engine_text(), cores.peer_text());
    if wanted("to-wire") {
        let ticks = usize::try_from(number(if is_bench { 40_000 } else { 200 })).expect("a count");
        println!(
            "{:<58} {:>7} {:>7} {:>8} {:>9} {:>7}",
            "ns between two processes over loopback", "min", "p50", "p99", "p99.9", "samples"
        );
        to_wire::rows(&cores, false, ticks, &TCP);
        to_wire::rows(&cores, true, ticks, &TLS);
        cores.on_engine(|| at_venue::acknowledged(&cores, if is_bench { 2_000 } else { 20 }));
    }
    if wanted("resets") {
        let count = usize::try_from(number(if is_bench { 100 } else { 1 })).expect("a count");
        // Not pinned: the helper that fetches snapshots is a thread of ours.
        at_venue::resets(&cores, count);
    }
    if wanted("load") {
        load::rows(&cores, if is_bench { 100_000 } else { 2_000 }, number(if is_bench { 60 } else { 1 }));
    }
}

fn peer(role: &str, args: &[String]) {
    match role {
        "ticks" => to_wire::ticks(args),
        "echo" => to_wire::echo(args),
        "load" => load::load(args),
        "venue" => at_venue::venue(args),
        _ => panic!("no such role: {role}"),
    }
}
