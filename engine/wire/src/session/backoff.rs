//! How long to wait after failures: doubled each time up to a limit, the upper half of it drawn, so that sessions
//! that a venue dropped together do not come back together.

use super::config::SessionTimes;
use crate::random::Random;
use engine::time::Nanos;

#[derive(Clone, Debug)]
pub(super) struct Backoff {
    failures: u32,
    random: Random,
}

impl Backoff {
    pub(super) const fn new(seed: u64) -> Self {
        Self { failures: 0, random: Random::new(seed) }
    }

    /// Counts a failure. Returns the wait: between half of the doubled time and all of it.
    pub(super) fn failed(&mut self, times: &SessionTimes) -> Nanos {
        let doubled = times.backoff_first_ns.0.saturating_mul(1 << self.failures.min(32));
        let longest = doubled.min(times.backoff_max_ns.0);
        self.failures = self.failures.saturating_add(1);
        Nanos(longest / 2 + self.random.below(longest - longest / 2 + 1))
    }

    /// The row of failures is over.
    pub(super) const fn succeeded(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_limit_and_begin_again_after_success() {
        let times = SessionTimes {
            backoff_max_ns: Nanos(3_500),
            backoff_first_ns: Nanos(1_000),
            ..SessionTimes::USUAL
        };
        let mut backoff = Backoff::new(1);
        for longest in [1_000, 2_000, 3_500, 3_500] {
            let wait = backoff.failed(&times).0;
            assert!((longest / 2..=longest).contains(&wait), "{wait} for {longest}");
        }
        for _ in 0..100 {
            assert!(backoff.failed(&times).0 <= 3_500);
        }
        backoff.succeeded();
        assert!(backoff.failed(&times).0 <= 1_000);
    }

    #[test]
    fn one_seed_gives_the_same_waits_and_another_gives_others() {
        let waits = |seed| {
            let mut backoff = Backoff::new(seed);
            std::array::from_fn::<_, 8, _>(|_| backoff.failed(&SessionTimes::USUAL))
        };
        assert_eq!(waits(7), waits(7));
        assert_ne!(waits(7), waits(8));
    }
}
