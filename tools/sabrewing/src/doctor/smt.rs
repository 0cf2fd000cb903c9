//! Hardware threads that share a physical core. A pinned core shares execution units and both first cache
//! levels with its sibling, so whatever runs there is felt.

use serde_json::json;

use super::cores::{Cores, Pinned};
use super::cpu_list::CpuList;
use super::finding::{Finding, Wanted};
use super::host_root::{HostRoot, Read};
use super::requirements::HostRequirements;

/// What a sibling of a pinned core is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Use {
    Pinned,
    Scheduled,
    Idle,
}

/// The check of every pinned core's siblings.
pub(crate) fn check(root: &HostRoot, cores: &Cores, pinned: &Pinned, want: &HostRequirements) -> Finding {
    let id = "smt.siblings";
    let wanted = Wanted::new(want.smt_siblings_free, "siblings offline or isolated, not pinned");
    let siblings = match probe(root, &pinned.cores) {
        Ok(siblings) => siblings,
        Err(why) => return Finding::unknown(id, wanted, why),
    };
    let online = match &cores.online {
        Ok(online) => online,
        Err(why) => return Finding::unknown(id, wanted, why),
    };
    let isolated = cores.isolated.clone().unwrap_or_default();
    let mut shared = Vec::new();
    let mut data = Vec::new();
    let mut open = CpuList::default();
    for (core, siblings) in &siblings {
        for sibling in siblings.iter() {
            let state = if pinned.cores.contains(sibling) {
                Use::Pinned
            } else if online.contains(sibling) && !isolated.contains(sibling) {
                Use::Scheduled
            } else {
                Use::Idle
            };
            data.push(
                json!({ "core": core, "sibling": sibling, "use": format!("{state:?}").to_lowercase() }),
            );
            match state {
                Use::Pinned if *core < sibling => shared.push(format!("{core} and {sibling} both pinned")),
                Use::Scheduled => {
                    shared.push(format!("{core} with {sibling}"));
                    open = open.either(&[sibling].into_iter().collect());
                }
                Use::Pinned | Use::Idle => {}
            }
        }
    }
    let value = match (shared.is_empty(), data.is_empty()) {
        (true, true) => "no sibling: one thread a physical core".to_owned(),
        (true, false) => format!("{} siblings, all free", data.len()),
        (false, _) => shared.join("; "),
    };
    let mut advice = vec!["# pin one thread a physical core; then take its sibling offline:".to_owned()];
    advice.extend(
        open.iter().map(|sibling| format!("echo 0 | sudo tee /sys/devices/system/cpu/cpu{sibling}/online")),
    );
    Finding::judged(id, wanted, shared.is_empty(), value)
        .because("work on a sibling takes execution units and L1/L2 from the pinned thread")
        .advise(advice)
        .with_data(data.into())
}

/// Each pinned core with the other hardware threads of its physical core.
fn probe(root: &HostRoot, pinned: &CpuList) -> Read<Vec<(u32, CpuList)>> {
    let of = |core: u32| {
        let own: CpuList = [core].into_iter().collect();
        let path = format!("sys/devices/system/cpu/cpu{core}/topology/thread_siblings_list");
        root.parse(&path, CpuList::parse).map(|all| (core, all.without(&own)))
    };
    pinned.iter().map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::super::cores::PinnedFrom;
    use super::super::finding::State;
    use super::super::host_root::Fixture;
    use super::*;

    fn check_on(online: &str, isolated: &str, list: &str, required: bool) -> Finding {
        let fixture = Fixture::new(&[
            ("sys/devices/system/cpu/online", online),
            ("sys/devices/system/cpu/isolated", isolated),
            ("proc/self/status", "Cpus_allowed_list:\t0-7\n"),
        ]);
        for core in 0..8 {
            let path = format!("sys/devices/system/cpu/cpu{core}/topology/thread_siblings_list");
            fixture.put(&path, &format!("{},{}", core % 4, core % 4 + 4));
        }
        let pinned = Pinned { cores: CpuList::parse(list).unwrap(), from: PinnedFrom::Configuration };
        let want = HostRequirements { smt_siblings_free: required, ..Default::default() };
        check(&fixture.root(), &Cores::probe(&fixture.root()), &pinned, &want)
    }

    #[test]
    fn a_sibling_that_is_pinned_or_open_to_the_scheduler_is_a_finding() {
        let scheduled = check_on("0-7", "", "1", true);
        assert_eq!((scheduled.state, scheduled.value.as_str()), (State::Fail, "1 with 5"));
        assert!(scheduled.advice.iter().any(|line| line.contains("cpu5/online")));
        let both = check_on("0-7", "1-7", "1,5", true);
        assert_eq!((both.state, both.value.as_str()), (State::Fail, "1 and 5 both pinned"));
        assert_eq!(check_on("0-7", "", "1", false).state, State::Warn);
    }

    #[test]
    fn a_sibling_that_is_offline_or_isolated_leaves_the_core_alone() {
        assert_eq!(check_on("0-3", "", "1", true).state, State::Ok);
        assert_eq!(check_on("0-7", "1,5", "1", true).state, State::Ok);
    }

    #[test]
    fn missing_topology_is_unknown() {
        let fixture = Fixture::new(&[("sys/devices/system/cpu/online", "0-1")]);
        let pinned = Pinned { cores: CpuList::parse("1").unwrap(), from: PinnedFrom::Configuration };
        let cores = Cores::probe(&fixture.root());
        let finding = check(&fixture.root(), &cores, &pinned, &HostRequirements::default());
        assert_eq!(finding.state, State::Unknown);
        assert!(finding.why.contains("cpu1/topology"), "{}", finding.why);
    }
}
