//! A run against an earlier one: what has become slower, beyond a tolerance.

use engine::histogram::Histogram;
use engine::latency::Hop;

use crate::run::Run;

/// Percentiles that are compared, in millionths. A largest value says nothing of the next run's.
const COMPARED: [(&str, u32); 3] = [("p50", 500_000), ("p99", 990_000), ("p99.9", 999_000)];

/// Values that must lie beyond a percentile for it to be compared: fewer, and it is one gap of the scheduler.
const BEYOND_MIN: u64 = 10;

/// One percentile of one hop in both runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Compared {
    pub(crate) hop: Hop,
    pub(crate) percentile: &'static str,
    pub(crate) was_ns: u32,
    pub(crate) is_ns: u32,
    pub(crate) is_regression: bool,
}

impl Compared {
    /// For people: which, from what to what, and by how much.
    pub(crate) fn text(&self) -> String {
        let Self { hop, percentile, was_ns, is_ns, .. } = self;
        let change = 100.0 * (f64::from(*is_ns) / f64::from((*was_ns).max(1)) - 1.0);
        format!("{} {percentile}: {was_ns} ns before, {is_ns} ns now ({change:+.1} %)", hop.name())
    }
}

/// Every percentile that both runs have values enough for. `tolerance_pct` is how much slower is no regression.
/// Err: the runs measure different things.
pub(crate) fn compare(run: &Run, baseline: &Run, tolerance_pct: f64) -> Result<Vec<Compared>, String> {
    let (is, was) = (run.facts.measured_name(), baseline.facts.measured_name());
    if is != was {
        return Err(format!("{} holds {is}, {} {was}: they do not compare", run.name, baseline.name));
    }
    let mut compared = Vec::new();
    for (hop, now) in run.hops.iter() {
        let before = baseline.hops.of(hop);
        for (percentile, millionths) in COMPARED {
            if [now, before].into_iter().all(|histogram| beyond(histogram, millionths) >= BEYOND_MIN) {
                let (was_ns, is_ns) = (before.percentile_ns(millionths), now.percentile_ns(millionths));
                let allowed = f64::from(was_ns) * (1.0 + tolerance_pct / 100.0);
                let is_regression = f64::from(is_ns) > allowed;
                compared.push(Compared { hop, percentile, was_ns, is_ns, is_regression });
            }
        }
    }
    Ok(compared)
}

/// Values beyond a percentile.
fn beyond(histogram: &Histogram, millionths: u32) -> u64 {
    let beyond = u128::from(histogram.count()) * u128::from(1_000_000 - millionths) / 1_000_000;
    u64::try_from(beyond).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::Facts;
    use engine::journal::schema::Stamps;
    use engine::latency::Hops;

    fn run(decoded: impl Fn(u32) -> u32, frames: u32) -> Run {
        let mut hops = Hops::default();
        (0..frames)
            .for_each(|n| hops.frame(&Stamps { decoded: decoded(n), booked: 500, ..Stamps::default() }));
        Run { name: "run".to_owned(), hops, facts: Facts::default(), threads: Vec::new() }
    }

    #[test]
    fn what_is_slower_beyond_the_tolerance_is_named_and_what_is_within_is_not() {
        let (before, slower) = (run(|_| 100, 2_000), run(|n| if n % 50 == 0 { 150 } else { 105 }, 2_000));
        let compared = compare(&slower, &before, 10.0).unwrap();
        let named: Vec<_> = compared.iter().filter(|one| one.is_regression).map(Compared::text).collect();
        assert_eq!(named, ["decode p99: 100 ns before, 150 ns now (+50.0 %)"]);
        assert!(compare(&slower, &before, 60.0).unwrap().iter().all(|one| !one.is_regression));
        assert!(
            compare(&before, &slower, 0.0)
                .unwrap()
                .iter()
                .all(|one| one.hop != Hop::Decode || !one.is_regression)
        );
    }

    #[test]
    fn a_percentile_with_too_few_values_beyond_it_is_not_compared() {
        let (one, other) = (run(|_| 100, 1_000), run(|_| 900, 1_000));
        let compared = compare(&other, &one, 10.0).unwrap();
        assert!(compared.iter().all(|one| one.percentile != "p99.9"), "{compared:?}");
        assert!(compared.iter().all(|one| one.hop as usize <= Hop::Signal as usize), "orders have no values");
    }
}
