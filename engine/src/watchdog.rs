//! Who still turns. A thread says so by its beats; one that has been silent for longer than it may be is stalled,
//! one that the kernel no longer has and that never ended is dead. What follows from it is not decided here.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU64, Ordering};
use std::time::Duration;

/// A thread's signs of life, written by it alone. Aligned, so that two threads never share a cache line or the
/// pair that the prefetcher fetches.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(crate) struct Pulses {
    beats: AtomicU64,
    /// 0: it has not begun.
    tid: AtomicI32,
    /// It ends what is open, and may wait for a venue's answers.
    is_halting: AtomicBool,
}

impl Pulses {
    /// The thread has begun.
    pub(crate) fn begin(&self, tid: i32) {
        // Relaxed, here and below: nothing else is published with it.
        self.tid.store(tid, Ordering::Relaxed);
    }

    /// The thread turns no more: it ends what is open.
    pub(crate) fn halt(&self) {
        self.is_halting.store(true, Ordering::Relaxed);
    }

    /// The thread turns.
    #[inline]
    pub(crate) fn beat(&self) {
        // Only this thread writes it.
        self.beats.store(self.beats.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
    }
}

/// What was found out about a thread, once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The thread's name.
    pub thread: String,
    /// Whether orders are sent and canceled on it.
    pub has_gateway: bool,
    /// What is wrong with it.
    pub loss: Loss,
}

/// What is wrong with a thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// It has made no turn for so long. It may come back.
    Stalled(Duration),
    /// The kernel does not have it any more, and it did not end.
    Died,
}

impl std::fmt::Display for Found {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.loss {
            Loss::Stalled(silent) => {
                write!(f, "thread {}: no turn for {} ms", self.thread, silent.as_millis())
            }
            Loss::Died => write!(f, "thread {}: it is gone without an end", self.thread),
        }
    }
}

/// Watches the threads of a run.
#[derive(Debug)]
pub(crate) struct Watchdog {
    stall_after: Duration,
    threads: Vec<Watched>,
}

#[derive(Debug)]
struct Watched {
    name: String,
    has_gateway: bool,
    pulses: Arc<Pulses>,
    beats: u64,
    silent: Duration,
    loss: Option<Loss>,
}

impl Watchdog {
    pub(crate) const fn new(stall_after: Duration) -> Self {
        Self { stall_after, threads: Vec::new() }
    }

    /// One more thread; what it beats with.
    pub(crate) fn watch(&mut self, name: String, has_gateway: bool) -> Arc<Pulses> {
        let pulses = Arc::<Pulses>::default();
        let (beats, silent) = (0, Duration::ZERO);
        self.threads.push(Watched {
            name,
            has_gateway,
            pulses: Arc::clone(&pulses),
            beats,
            silent,
            loss: None,
        });
        pulses
    }

    /// Looks again, `elapsed` after the last time. `has_ended` says of a thread, by its place, that it ended as it
    /// should. `is_there` asks the kernel. Says what is new.
    ///
    /// Where this look itself comes late, the process or the machine stood still and no thread can be blamed for
    /// it: no more than `LOOK_MAX` of it counts.
    pub(crate) fn look(
        &mut self,
        elapsed: Duration,
        has_ended: impl Fn(usize) -> bool,
        is_there: impl Fn(i32) -> bool,
    ) -> Vec<Found> {
        let mut found = Vec::new();
        for (place, thread) in self.threads.iter_mut().enumerate() {
            let (beats, tid) =
                (thread.pulses.beats.load(Ordering::Relaxed), thread.pulses.tid.load(Ordering::Relaxed));
            let loss = if tid != 0 && !is_there(tid) && !has_ended(place) {
                Some(Loss::Died)
            } else if beats != thread.beats || has_ended(place) {
                (thread.beats, thread.silent) = (beats, Duration::ZERO);
                None
            } else {
                thread.silent += elapsed.min(LOOK_MAX);
                let is_halting = thread.pulses.is_halting.load(Ordering::Relaxed);
                let may_be = if is_halting { self.stall_after.max(HALT_MAX) } else { self.stall_after };
                (thread.silent > may_be).then_some(Loss::Stalled(thread.silent))
            };
            let is_new = loss.is_some_and(|loss| match thread.loss {
                None => true,
                Some(before) => loss == Loss::Died && before != Loss::Died,
            });
            thread.loss = loss;
            if let Some(loss) = loss.filter(|_| is_new) {
                found.push(Found { thread: thread.name.clone(), has_gateway: thread.has_gateway, loss });
            }
        }
        found
    }

    /// What is wrong with a thread now, by its place.
    pub(crate) fn loss(&self, place: usize) -> Option<Loss> {
        self.threads.get(place)?.loss
    }

    /// Whether the thread that could cancel orders cannot.
    pub(crate) fn has_lost_gateway(&self) -> bool {
        self.threads.iter().any(|thread| thread.has_gateway && thread.loss.is_some())
    }
}

/// How long a thread may take to end what is open: a venue is asked for ten seconds whether it is.
const HALT_MAX: Duration = Duration::from_secs(15);
/// Most that one look adds to a thread's silence.
const LOOK_MAX: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use super::*;

    const TICK: Duration = Duration::from_millis(20);

    fn dog() -> (Watchdog, [Arc<Pulses>; 2]) {
        let mut dog = Watchdog::new(Duration::from_millis(100));
        let pulses = [dog.watch("feed".into(), false), dog.watch("gateway".into(), true)];
        for (tid, pulses) in (1..).zip(&pulses) {
            pulses.begin(tid);
        }
        (dog, pulses)
    }

    #[test]
    fn silence_beyond_the_deadline_is_told_once_and_a_beat_ends_it() {
        let (mut dog, [feed, gateway]) = dog();
        for look in 1..=8 {
            gateway.beat();
            let found = dog.look(TICK, |_| false, |_| true);
            let lines: Vec<String> = found.iter().map(ToString::to_string).collect();
            let expected = if look == 6 { vec!["thread feed: no turn for 120 ms"] } else { vec![] };
            assert_eq!(lines, expected, "look {look}");
        }
        assert!(dog.loss(0).is_some() && dog.loss(1).is_none() && !dog.has_lost_gateway());
        feed.beat();
        gateway.beat();
        assert!(dog.look(TICK, |_| false, |_| true).is_empty() && dog.loss(0).is_none());
        let again = (0..6).flat_map(|_| dog.look(TICK, |_| false, |_| true)).count();
        assert!(again == 2 && dog.has_lost_gateway(), "it is told again, and the other too");
    }

    #[test]
    fn a_thread_that_ends_what_is_open_may_take_as_long_as_a_venue_is_asked_for() {
        let (mut dog, [feed, gateway]) = dog();
        gateway.halt();
        let looks = u32::try_from(HALT_MAX.as_millis() / TICK.as_millis()).unwrap();
        for _ in 0..looks {
            feed.beat();
            assert!(dog.look(TICK, |_| false, |_| true).is_empty());
        }
        feed.beat();
        let found = dog.look(TICK, |_| false, |_| true);
        assert!(found.len() == 1 && found[0].has_gateway && dog.has_lost_gateway(), "{found:?}");
    }

    #[test]
    fn a_machine_that_stood_still_blames_no_thread() {
        let (mut dog, _) = dog();
        assert!(dog.look(Duration::from_secs(3600), |_| false, |_| true).is_empty());
    }

    #[test]
    fn a_thread_that_ended_is_not_missed_and_one_that_is_gone_without_an_end_is() {
        let (mut dog, _) = dog();
        for _ in 0..10 {
            assert!(dog.look(TICK, |_| true, |_| false).is_empty());
        }
        let found = dog.look(TICK, |place| place == 0, |_| false);
        assert_eq!(found, [Found { thread: "gateway".into(), has_gateway: true, loss: Loss::Died }]);
        assert_eq!(found[0].to_string(), "thread gateway: it is gone without an end");
        assert!(dog.look(TICK, |place| place == 0, |_| false).is_empty(), "once");
    }
}
