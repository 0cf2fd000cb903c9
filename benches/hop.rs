//! The hop between two running stages on two cores, runner, counters and batch commits included, beside bare
//! `rtrb` in the same run: a message goes there and back, half the way is a hop.
//!
//! ```text
//! cargo bench -p engine --bench hop
//! ```

mod verdict;

use engine::counters::{Counters, Desc, Run, Unit};
use engine::message::{Cell, Head, Kind, Message};
use engine::placement::{Idle, StageId, ThreadPlan};
use engine::ring::{RingReceiver, RingSender, is_end, ring};
use engine::runner::{self, RingChain, Source, SourceChain, Step, ThreadSpec};
use engine::stage::{Link, Node, Nowhere, Sink, Stage};
use engine::time::{Nanos, StampClock};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use verdict::verdict;

/// Our hop against the bare ring's.
const RATIO_MAX: f64 = 1.2;

/// Sends a message, waits until it has come back, and sends the next.
struct Pinger {
    back: RingReceiver,
    left: u32,
    waiting: bool,
    sent: engine::time::Stamp,
    clock: StampClock,
    times: Vec<u32>,
    done: SyncSender<Vec<u32>>,
}

impl Source for Pinger {
    fn step<S: Sink>(&mut self, out: &mut S) -> Step {
        if self.waiting {
            if self.back.take(1, |_| ControlFlow::Continue(())) == 0 {
                return Step::Idle;
            }
            self.waiting = false;
            self.times.push(self.clock.now().lap_since(self.sent).0);
        }
        if self.left == 0 {
            out.send(Message { head: &Head::new(Kind::End), body: &[] });
            return Step::Ended;
        }
        self.left -= 1;
        self.waiting = true;
        self.sent = self.clock.now();
        out.send(Message { head: &Head::new(Kind::Timer), body: &[] });
        Step::Worked
    }

    fn has_room(&mut self) -> bool {
        true
    }

    fn stop_reading(&mut self) {
        self.left = 0;
    }
}

impl Drop for Pinger {
    fn drop(&mut self) {
        let _ = self.done.send(std::mem::take(&mut self.times));
    }
}

/// Sends everything back.
struct Echo {
    back: RingSender,
}

impl Stage for Echo {
    const NAME: &'static str = "echo";

    fn on_message<S: Sink>(&mut self, message: Message<'_>, _out: &mut S) {
        if !is_end(message.head) {
            self.back.send(message);
        }
    }
}

fn stages(cores: [usize; 2], round_trips: u32) -> Vec<u32> {
    let mut counters = Counters::create(None, &Run { id: 1, start: Nanos(0) }, 64).expect("counters");
    let mut counter = |owner: &str, name: &str| {
        counters.register(owner, &Desc::counter(name, Unit::Count, "Messages")).expect("a counter")
    };
    let (there, here) = ring(1024, 1, 1);
    let (back, again) = ring(1024, 1, 1);
    let there = there.counting(counter("a sender", "sent"), counter("a sender", "refused"));
    let here = here.counting(counter("b receiver", "taken"));
    let back = back.counting(counter("b sender", "sent"), counter("b sender", "refused"));
    let again = again.counting(counter("a receiver", "taken"));
    let (done, times) = sync_channel(1);
    let clock = StampClock::on();
    let pinger = Pinger {
        back: again,
        left: round_trips,
        waiting: false,
        sent: clock.now(),
        clock: clock.clone(),
        times: Vec::with_capacity(round_trips as usize),
        done,
    };
    let plan = |core| ThreadPlan { stages: vec![StageId::Feed], core: Some(core), idle: Idle::Spin };
    let source = SourceChain::new(pinger, Link::<Nowhere>::Ring(there));
    let echo = RingChain::new(here, Node::new(Echo { back }, Nowhere, StampClock::off(), None));
    let threads = vec![
        ThreadSpec { plan: plan(cores[0]), chains: vec![Box::new(source)], pulse: Box::new(()) },
        ThreadSpec { plan: plan(cores[1]), chains: vec![Box::new(echo)], pulse: Box::new(()) },
    ];
    runner::run(threads, &Arc::default(), || ()).expect("threads");
    times.recv().expect("times")
}

fn bare(cores: [usize; 2], round_trips: u32) -> Vec<u32> {
    let (mut there, mut here) = rtrb::RingBuffer::<Cell>::new(1024);
    let (mut back, mut again) = rtrb::RingBuffer::<Cell>::new(1024);
    let pin = |core| core_affinity::set_for_current(core_affinity::CoreId { id: core });
    let echo = std::thread::spawn(move || {
        pin(cores[1]);
        for _ in 0..round_trips {
            let cell = loop {
                match here.pop() {
                    Ok(cell) => break cell,
                    Err(_) => std::hint::spin_loop(),
                }
            };
            back.push(cell).expect("room");
        }
    });
    let ping = std::thread::spawn(move || {
        pin(cores[0]);
        let clock = StampClock::on();
        let mut times = Vec::with_capacity(round_trips as usize);
        for _ in 0..round_trips {
            let sent = clock.now();
            there.push(Cell::default()).expect("room");
            // Looked at, as a stage looks at what it is sent: else the cell would never leave its core.
            let cell = loop {
                match again.pop() {
                    Ok(cell) => break cell,
                    Err(_) => std::hint::spin_loop(),
                }
            };
            std::hint::black_box(&cell);
            times.push(clock.now().lap_since(sent).0);
        }
        times
    });
    echo.join().expect("the echo");
    ping.join().expect("the ping")
}

fn main() {
    let quick = std::env::args().any(|a| a == "--test" || a == "--quick");
    let cores = engine::thread_facts::allowed_cores();
    let &[first, second, ..] = cores.as_slice() else {
        println!("not measured: a hop takes two cores, this process may use {cores:?}");
        return;
    };
    let round_trips = if quick { 1000 } else { 100_000 };
    let clock = StampClock::on();
    println!(
        "{:<44} {:>8} {:>8} {:>8} {:>8}",
        "one way, ns (half a round trip)", "min", "p50", "p99", "p99.9"
    );
    let mut p50 = [Vec::new(), Vec::new()];
    for round in 1..=if quick { 1 } else { 5 } {
        for (which, name) in
            ["bare rtrb, 64-byte cells", "two stages, runner and counters"].into_iter().enumerate()
        {
            let run = if which == 0 { bare } else { stages };
            let mut times = run([first, second], round_trips);
            times.sort_unstable();
            let at =
                |share: usize| clock.nanos_of(engine::time::Lap(times[(times.len() - 1) * share / 1000])) / 2;
            p50[which].push(at(500));
            println!(
                "{:<44} {:>8} {:>8} {:>8} {:>8}",
                format!("{name}, round {round}"),
                at(0),
                at(500),
                at(990),
                at(999)
            );
        }
    }
    let median = |values: &mut Vec<u64>| {
        values.sort_unstable();
        values[values.len() / 2]
    };
    let (bare, stages) = (median(&mut p50[0]), median(&mut p50[1]));
    let ratio = f(stages) / f(bare.max(1));
    let verdict = verdict(ratio, RATIO_MAX);
    println!("median of the rounds' p50: stages {stages} / bare {bare} = {ratio:.2}  {verdict}");
}

fn f(value: u64) -> f64 {
    value as f64
}
