//! No stage allocates or frees after the start: the first pass over a whole capture, its snapshot, a forced
//! resynchronisation, orders and fills, the largest message and changes of the journal's segments leave the
//! counter of every stage's thread where it was, in each placement; and so do ten thousand whole lives of orders
//! with every command in between.

mod counting;
mod pipeline;

use counting::calls;
use engine::runner::{self, Pulse, ThreadReport, ThreadSpec};
use engine::time::StampClock;
use pipeline::churn::{COMMANDS, prepare_churning};
use pipeline::{Market, NoTap, journal, placements, prepare};
use std::sync::{Arc, Mutex};

/// Notes, on a stage's own thread, how often it allocated between the first beat and the last: the first comes
/// before the first frame, the last before anything is dropped.
struct Armed {
    start: Option<u64>,
    seen: Seen,
    slot: Option<usize>,
}

impl Pulse for Armed {
    fn beat(&mut self, report: &ThreadReport) {
        let now = calls();
        match (self.start, self.slot) {
            (None, _) | (_, None) => {
                let mut seen = self.seen.lock().unwrap();
                self.slot = Some(seen.len());
                seen.push((report.name.clone(), 0));
                drop(seen);
                self.start = Some(calls());
            }
            (Some(start), Some(slot)) => self.seen.lock().unwrap()[slot].1 = now - start,
        }
    }
}

type Seen = Arc<Mutex<Vec<(String, u64)>>>;

/// From the first frame on, each thread's allocations are counted.
fn arm(threads: &mut [ThreadSpec]) -> Seen {
    let seen = Seen::default();
    for thread in threads {
        thread.pulse = Box::new(Armed { start: None, seen: Arc::clone(&seen), slot: None });
    }
    seen
}

fn assert_none_allocated(placement: &str, seen: &Seen, threads: usize) {
    let seen = seen.lock().unwrap();
    assert_eq!(seen.len(), threads);
    for (thread, calls) in seen.iter() {
        assert_eq!(*calls, 0, "placement {placement}: thread {thread} allocated or freed");
    }
}

#[test]
fn the_counter_counts() {
    let before = calls();
    drop(std::hint::black_box(vec![1_u8; 100]));
    assert_eq!(calls() - before, 2);
}

#[test]
fn no_stage_allocates_after_the_start_in_any_placement() {
    let market = Arc::new(Market::usdm(usize::MAX).with_a_forced_resync());
    for (name, placement) in placements() {
        let dir = tempfile::tempdir().unwrap();
        // Small segments, so that every lane that is written changes them on the way.
        let mut journal = Some(journal(&dir.path().join("journal"), 8 << 20, 4 << 20));
        let tap = None::<NoTap>;
        let mut run = prepare(&market, &placement, tap, &mut journal, &StampClock::on());
        let seen = arm(&mut run.threads);
        let threads = run.threads.len();
        runner::run(run.threads, &run.control, || ()).unwrap();
        assert_eq!(run.control.stopped(), None, "{name}: {:?}", run.control.detail());
        assert_none_allocated(name, &seen, threads);
        let (feed, gateway) = (run.reports.feed.recv().unwrap(), run.reports.gateway.recv().unwrap());
        assert_eq!((feed.sync[0].gaps, feed.sync[0].resyncs), (1, 1), "{name}");
        assert!(gateway.orders.placed > 100 && gateway.orders.filled > 10, "{name}: {:?}", gateway.orders);
        journal.take().unwrap().close().unwrap();
        let segments = std::fs::read_dir(dir.path().join("journal")).unwrap();
        let feed_segments = segments
            .filter(|e| e.as_ref().unwrap().file_name().to_string_lossy().starts_with("feed"))
            .count();
        assert!(feed_segments >= 3, "{name}: {feed_segments} feed segments");
    }
}

#[test]
fn ten_thousand_lives_of_orders_and_every_command_allocate_nothing_in_any_placement() {
    let market = Arc::new(Market::usdm(usize::MAX).with_a_forced_resync());
    for (name, placement) in placements() {
        let dir = tempfile::tempdir().unwrap();
        let mut journal = Some(journal(&dir.path().join("journal"), 8 << 20, 4 << 20));
        let (mut run, mut commander) = prepare_churning(&market, &placement, &mut journal, None, true);
        let seen = arm(&mut run.threads);
        let threads = run.threads.len();
        runner::run(run.threads, &run.control, || commander.tick()).unwrap();
        assert_eq!(run.control.stopped(), None, "{name}: {:?}", run.control.detail());
        assert_none_allocated(name, &seen, threads);
        assert_eq!(commander.answered(), COMMANDS, "{name}");
        let orders = run.reports.gateway.recv().unwrap().orders;
        let fills = run.counters.snapshot().unwrap().find("gateway", "fills").unwrap().value;
        assert!(orders.placed >= 10_000, "{name}: {orders:?}");
        for (what, count) in [
            ("amended", orders.amended),
            ("canceled", orders.canceled),
            ("expired", orders.expired),
            ("filled", orders.filled),
            ("rejected", orders.rejected),
            ("partial fills", fills - orders.filled),
        ] {
            assert!(count >= 100, "{name}: {count} {what}; {orders:?}, {fills} fills");
        }
        assert_eq!((orders.bad_answers, orders.unsent), (0, 0), "{name}: {orders:?}");
        journal.take().unwrap().close().unwrap();
    }
}
