//! Frequency and idle states of the pinned cores. A core that slows down or sleeps answers late, most of all
//! the first message after a quiet spell.

use serde_json::json;

use super::cores::Pinned;
use super::finding::{Finding, Wanted};
use super::host_root::{HostRoot, Read};
use super::requirements::HostRequirements;

/// The checks of governor and idle states.
pub(crate) fn check(root: &HostRoot, pinned: &Pinned, want: &HostRequirements) -> Vec<Finding> {
    vec![governor(root, pinned, want), idle_exit(root, pinned, want)]
}

fn governor(root: &HostRoot, pinned: &Pinned, want: &HostRequirements) -> Finding {
    let id = "power.governor";
    let asked = want.governor.as_deref();
    let wanted_name = asked.unwrap_or("performance");
    let wanted = Wanted::new(asked.is_some(), wanted_name);
    let of = |core: u32| root.read(&format!("sys/devices/system/cpu/cpu{core}/cpufreq/scaling_governor"));
    let found: Read<Vec<(u32, String)>> =
        pinned.cores.iter().map(|core| of(core).map(|name| (core, name))).collect();
    match found {
        Err(why) => Finding::unknown(
            id,
            wanted,
            format!("{why} (no cpufreq: firmware or hypervisor sets the frequency)"),
        ),
        Ok(found) => {
            let mut names: Vec<&str> = found.iter().map(|(_, name)| name.as_str()).collect();
            names.sort_unstable();
            names.dedup();
            let data = found.iter().map(|(core, name)| json!({ "core": core, "governor": name })).collect();
            Finding::judged(id, wanted, names == [wanted_name], names.join(", "))
                .because("the frequency rises only after work has come")
                .advise(["sudo tuning/setup-host PROFILE --only power"])
                .with_data(data)
        }
    }
}

/// The slowest enabled idle state of one core.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct IdleState {
    exit_us: u64,
    name: String,
    core: u32,
}

fn idle_exit(root: &HostRoot, pinned: &Pinned, want: &HostRequirements) -> Finding {
    let id = "power.idle_exit";
    let max_us = want.idle_exit_us_max.unwrap_or(IDLE_EXIT_US_RECOMMENDED);
    let wanted = Wanted::new(want.idle_exit_us_max.is_some(), format!("at most {max_us} us"));
    let deepest: Read<Vec<IdleState>> = pinned.cores.iter().map(|core| deepest_idle(root, core)).collect();
    match deepest.map(|states| states.into_iter().max()) {
        Err(why) => Finding::unknown(id, wanted, why),
        Ok(None) => Finding::unknown(id, wanted, "no pinned core to look at"),
        Ok(Some(state)) => Finding::judged(
            id,
            wanted,
            state.exit_us <= max_us,
            format!("{} us ({})", state.exit_us, state.name),
        )
        .because("a thread that yields or parks pays this before it runs again; a spinning one does not")
        .advise(["sudo tuning/setup-host PROFILE --only power"])
        .with_data(json!({ "exit_us": state.exit_us, "state": state.name, "core": state.core })),
    }
}

fn deepest_idle(root: &HostRoot, core: u32) -> Read<IdleState> {
    let dir = format!("sys/devices/system/cpu/cpu{core}/cpuidle");
    let mut deepest = IdleState { exit_us: 0, name: "none enabled".into(), core };
    for state in root.list(&dir)?.iter().filter(|name| name.starts_with("state")) {
        let whole = |text: &str| text.parse::<u64>().map_err(|_| format!("`{text}` is not a whole number"));
        if root.parse(&format!("{dir}/{state}/disable"), whole)? == 0 {
            let exit_us = root.parse(&format!("{dir}/{state}/latency"), whole)?;
            let name = root.read(&format!("{dir}/{state}/name"))?;
            deepest = deepest.max(IdleState { exit_us, name, core });
        }
    }
    Ok(deepest)
}

/// Exit latency that is still small beside a message's way through the engine and the network, us: C1 costs
/// about 2 us, C6 over 100 us.
const IDLE_EXIT_US_RECOMMENDED: u64 = 10;

#[cfg(test)]
mod tests {
    use super::super::cores::PinnedFrom;
    use super::super::cpu_list::CpuList;
    use super::super::finding::State;
    use super::super::host_root::Fixture;
    use super::*;

    fn fixture() -> Fixture {
        let fixture = Fixture::new(&[]);
        for core in [2, 3] {
            let cpu = format!("sys/devices/system/cpu/cpu{core}");
            fixture.put(&format!("{cpu}/cpufreq/scaling_governor"), "performance\n");
            for (state, name, latency) in [(0, "POLL", 0), (1, "C1", 2), (2, "C6", 133)] {
                let dir = format!("{cpu}/cpuidle/state{state}");
                fixture.put(&format!("{dir}/name"), name);
                fixture.put(&format!("{dir}/latency"), &format!("{latency}\n"));
                fixture.put(&format!("{dir}/disable"), if state == 2 { "1\n" } else { "0\n" });
            }
        }
        fixture
    }

    fn check_on(fixture: &Fixture, want: &HostRequirements) -> Vec<Finding> {
        let pinned = Pinned { cores: CpuList::parse("2-3").unwrap(), from: PinnedFrom::Configuration };
        check(&fixture.root(), &pinned, want)
    }

    #[test]
    fn one_core_on_another_governor_fails_the_requirement() {
        let want = HostRequirements { governor: Some("performance".into()), ..Default::default() };
        let fixture = fixture();
        assert_eq!(check_on(&fixture, &want)[0].state, State::Ok);
        fixture.put("sys/devices/system/cpu/cpu3/cpufreq/scaling_governor", "powersave\n");
        let finding = &check_on(&fixture, &want)[0];
        assert_eq!((finding.state, finding.value.as_str()), (State::Fail, "performance, powersave"));
        assert_eq!(check_on(&fixture, &HostRequirements::default())[0].state, State::Warn);
    }

    #[test]
    fn a_deep_state_counts_only_while_it_is_enabled() {
        let want = HostRequirements { idle_exit_us_max: Some(2), ..Default::default() };
        let fixture = fixture();
        assert_eq!(check_on(&fixture, &want)[1].state, State::Ok);
        fixture.put("sys/devices/system/cpu/cpu3/cpuidle/state2/disable", "0\n");
        let finding = &check_on(&fixture, &want)[1];
        assert_eq!((finding.state, finding.value.as_str()), (State::Fail, "133 us (C6)"));
        assert_eq!(check_on(&fixture, &HostRequirements::default())[1].state, State::Warn);
    }

    #[test]
    fn a_guest_without_cpufreq_and_cpuidle_is_unknown() {
        for finding in check_on(&Fixture::new(&[]), &HostRequirements::default()) {
            assert_eq!(finding.state, State::Unknown);
        }
    }
}
