//! Scheduling gaps: a pinned thread does nothing but read the counter, and a step of more than 1 us means
//! that somebody else had the core. It is the floor of every tail that the engine can show on this host.

use hdrhistogram::Histogram;
use quanta::Clock;
use serde::Serialize;
use std::time::Duration;

use super::cores::Pinned;
use super::finding::{Finding, Wanted};
use super::host_root::Read;
use super::requirements::HostRequirements;

/// The gaps of one core.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct CoreGaps {
    pub(crate) core: u32,
    /// Time measured, s.
    pub(crate) seconds: f64,
    /// Gaps above 1 us.
    pub(crate) count: u64,
    /// Gaps above 1 us a second.
    pub(crate) per_s: f64,
    /// Percentiles of the gaps above 1 us, us; 0 without gaps.
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
    pub(crate) p999_us: f64,
    /// Longest gap above 1 us, us; 0 without gaps.
    pub(crate) max_us: f64,
    /// Share of the time that the gaps took, in 0..=1.
    pub(crate) lost_share: f64,
}

/// What a spinning thread collects.
struct GapMeter {
    gaps_ns: Histogram<u64>,
    lost_ns: u64,
}

impl GapMeter {
    /// Takes all its memory, so that the measuring loop takes none.
    /// Err: the histogram's bounds; they are constants, so never in practice.
    fn new() -> Read<Self> {
        let gaps_ns =
            Histogram::new_with_bounds(1, GAP_NS_MAX, 3).map_err(|error| format!("histogram: {error}"))?;
        Ok(Self { gaps_ns, lost_ns: 0 })
    }

    /// Takes the time between two readings of the counter.
    fn step(&mut self, step_ns: u64) {
        if step_ns > GAP_NS_MIN {
            self.gaps_ns.saturating_record(step_ns);
            self.lost_ns += step_ns;
        }
    }

    /// The result after `elapsed_ns` on `core`.
    fn finish(&self, core: u32, elapsed_ns: u64) -> CoreGaps {
        let us = |ns: u64| ns as f64 / 1e3;
        let seconds = elapsed_ns as f64 / 1e9;
        CoreGaps {
            core,
            seconds,
            count: self.gaps_ns.len(),
            per_s: self.gaps_ns.len() as f64 / seconds,
            p50_us: us(self.gaps_ns.value_at_quantile(0.5)),
            p99_us: us(self.gaps_ns.value_at_quantile(0.99)),
            p999_us: us(self.gaps_ns.value_at_quantile(0.999)),
            max_us: us(self.gaps_ns.max()),
            lost_share: self.lost_ns as f64 / elapsed_ns as f64,
        }
    }
}

/// Spins on all pinned cores at once, as the engine will, for `duration` each.
/// Err: no core, a core that cannot be pinned to, or a thread that cannot be started.
pub(crate) fn measure(pinned: &Pinned, duration: Duration) -> Read<Vec<CoreGaps>> {
    if pinned.cores.is_empty() {
        return Err("no pinned core to measure".to_owned());
    }
    // Calibrated once, before the threads start; clones share the calibration.
    let clock = Clock::new();
    std::thread::scope(|scope| {
        let start = |core| {
            let clock = clock.clone();
            let thread = std::thread::Builder::new().name(format!("gaps-{core}"));
            thread
                .spawn_scoped(scope, move || spin(core, &clock, duration))
                .map_err(|error| format!("cannot start a thread for core {core}: {error}"))
        };
        let threads: Vec<_> = pinned.cores.iter().map(start).collect();
        let joined = threads
            .into_iter()
            .map(|thread| thread?.join().unwrap_or_else(|_| Err("a measuring thread panicked".to_owned())));
        // Every thread is joined before the first error is returned.
        joined.collect::<Vec<_>>().into_iter().collect()
    })
}

fn spin(core: u32, clock: &Clock, duration: Duration) -> Read<CoreGaps> {
    let mut meter = GapMeter::new()?;
    if !core_affinity::set_for_current(core_affinity::CoreId { id: core as usize }) {
        return Err(format!("cannot pin a thread to core {core}: offline, or outside the cpuset"));
    }
    let first = clock.raw();
    let mut last = first;
    loop {
        let now = clock.raw();
        meter.step(clock.delta_as_nanos(last, now));
        last = now;
        let elapsed_ns = clock.delta_as_nanos(first, now);
        if u128::from(elapsed_ns) >= duration.as_nanos() && elapsed_ns > 0 {
            return Ok(meter.finish(core, elapsed_ns));
        }
    }
}

/// The check of the gaps. None: not measured.
pub(crate) fn check(gaps: Option<&Read<Vec<CoreGaps>>>, want: &HostRequirements) -> Finding {
    let id = "scheduling.gap_p999";
    let max_us = want.scheduling_gap_us_p999_max;
    let wanted =
        Wanted::new(max_us.is_some(), format!("at most {} us", max_us.unwrap_or(GAP_US_P999_RECOMMENDED)));
    let gaps = match gaps {
        None => return Finding::unknown(id, wanted, "not measured: --seconds is 0"),
        Some(Err(why)) => return Finding::unknown(id, wanted, why),
        Some(Ok(gaps)) => gaps,
    };
    let Some(worst) = gaps.iter().max_by(|a, b| a.p999_us.total_cmp(&b.p999_us)) else {
        return Finding::unknown(id, wanted, "no pinned core to measure");
    };
    let good = worst.p999_us <= max_us.unwrap_or(GAP_US_P999_RECOMMENDED);
    let value = format!("{:.1} us on core {}", worst.p999_us, worst.core);
    Finding::judged(id, wanted, good, value)
        .because("no tail of the engine can be shorter than this on these cores")
        .advise(["# first mend cores.isolated, cores.nohz_full, irq.pinned_cores and smt.siblings, then measure again"])
        .with_data(serde_json::json!(gaps))
}

/// A step above this is a gap, ns: reading the counter takes about 15.
const GAP_NS_MIN: u64 = 1_000;
/// Gaps beyond a minute are recorded as a minute, ns.
const GAP_NS_MAX: u64 = 60_000_000_000;
/// On isolated, tickless cores of bare metal gaps stay around 10 us, us.
const GAP_US_P999_RECOMMENDED: f64 = 20.0;

#[cfg(test)]
mod tests {
    use super::super::finding::State;
    use super::*;

    #[test]
    fn only_steps_above_a_microsecond_are_gaps_and_their_sum_is_the_time_lost() {
        let mut meter = GapMeter::new().unwrap();
        for step_ns in [15, 1_000, 1_001, 4_000, 100_000] {
            meter.step(step_ns);
        }
        let gaps = meter.finish(3, 1_000_000);
        assert_eq!((gaps.core, gaps.count, gaps.per_s), (3, 3, 3_000.0));
        assert_eq!(gaps.lost_share, 0.105_001);
        assert!((gaps.p50_us - 4.0).abs() < 0.01 && (gaps.max_us - 100.0).abs() < 0.1, "{gaps:?}");
    }

    #[test]
    fn a_core_without_gaps_reports_zeros() {
        let gaps = GapMeter::new().unwrap().finish(0, 1_000);
        assert_eq!((gaps.count, gaps.p999_us, gaps.max_us, gaps.lost_share), (0, 0.0, 0.0, 0.0));
    }

    #[test]
    fn a_gap_beyond_the_histograms_range_is_still_counted() {
        let mut meter = GapMeter::new().unwrap();
        meter.step(10 * GAP_NS_MAX);
        assert_eq!(meter.finish(0, 20 * GAP_NS_MAX).count, 1);
    }

    #[test]
    fn the_worst_core_is_judged() {
        let of = |core, p999_us| CoreGaps {
            core,
            seconds: 1.0,
            count: 1,
            per_s: 1.0,
            p50_us: 1.5,
            p99_us: 1.5,
            p999_us,
            max_us: p999_us,
            lost_share: 0.0,
        };
        let gaps = Ok(vec![of(2, 9.0), of(3, 30.0)]);
        let want = |max| HostRequirements { scheduling_gap_us_p999_max: Some(max), ..Default::default() };
        assert_eq!(check(Some(&gaps), &want(30.0)).state, State::Ok);
        assert_eq!(check(Some(&gaps), &want(29.0)).state, State::Fail);
        assert_eq!(check(Some(&gaps), &want(29.0)).value, "30.0 us on core 3");
        assert_eq!(check(Some(&gaps), &HostRequirements::default()).state, State::Warn);
        assert!(check(None, &want(29.0)).is_unmet());
    }

    #[test]
    fn a_core_that_does_not_exist_is_an_error_and_not_a_measurement() {
        let pinned = Pinned {
            cores: [super::super::cpu_list::CORE_MAX].into_iter().collect(),
            from: super::super::cores::PinnedFrom::CommandLine,
        };
        let why = measure(&pinned, Duration::ZERO).unwrap_err();
        assert!(why.contains("core 1023"), "{why}");
    }
}
