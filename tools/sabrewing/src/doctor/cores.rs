//! Which cores there are, which of them are meant for the engine's threads, and whether the kernel keeps
//! off those.

use serde_json::json;

use super::cpu_list::CpuList;
use super::finding::{Finding, Wanted};
use super::host_root::{HostRoot, Read};
use super::requirements::HostRequirements;

/// The kernel's sets of cores.
#[derive(Clone, Debug)]
pub(crate) struct Cores {
    /// Cores that run.
    pub(crate) online: Read<CpuList>,
    /// Cores that this process may be scheduled on.
    pub(crate) allowed: Read<CpuList>,
    /// Cores kept out of the scheduler's balancing.
    pub(crate) isolated: Read<CpuList>,
    /// Cores that drop the scheduler's tick while one thread runs.
    pub(crate) nohz_full: Read<CpuList>,
}

impl Cores {
    /// Reads the four sets.
    pub(crate) fn probe(root: &HostRoot) -> Self {
        Self {
            online: root.parse("sys/devices/system/cpu/online", CpuList::parse),
            allowed: root.parse("proc/self/status", |status| {
                let line = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
                CpuList::parse(line.ok_or("no Cpus_allowed_list")?)
            }),
            isolated: root.parse("sys/devices/system/cpu/isolated", CpuList::parse),
            nohz_full: root.parse("sys/devices/system/cpu/nohz_full", CpuList::parse),
        }
    }
}

/// The cores that the engine's threads are, or would be, pinned to.
#[derive(Clone, Debug)]
pub(crate) struct Pinned {
    pub(crate) cores: CpuList,
    pub(crate) from: PinnedFrom,
}

/// Who chose the pinned cores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PinnedFrom {
    CommandLine,
    Configuration,
    Isolated,
    Allowed,
}

impl PinnedFrom {
    /// The choice in words.
    pub(crate) fn describe(self) -> &'static str {
        match self {
            Self::CommandLine => "from --cores",
            Self::Configuration => "pinned_cores of the configuration",
            Self::Isolated => "no pinned_cores given: the isolated cores",
            Self::Allowed => "no pinned_cores given: all cores this process may use",
        }
    }
}

impl Pinned {
    /// The command line's cores, else the configuration's, else the isolated ones, else all that the process
    /// may use. Empty only when the host shows neither.
    pub(crate) fn choose(given: Option<CpuList>, requirements: &HostRequirements, cores: &Cores) -> Self {
        if let Some(cores) = given {
            return Self { cores, from: PinnedFrom::CommandLine };
        }
        if let Some(list) = &requirements.pinned_cores {
            return Self { cores: list.iter().copied().collect(), from: PinnedFrom::Configuration };
        }
        let of = |read: &Read<CpuList>| read.clone().unwrap_or_default();
        let isolated = of(&cores.isolated).both(&of(&cores.online));
        if isolated.is_empty() {
            Self { cores: of(&cores.allowed), from: PinnedFrom::Allowed }
        } else {
            Self { cores: isolated, from: PinnedFrom::Isolated }
        }
    }
}

/// The checks of the four sets against the pinned cores.
pub(crate) fn check(cores: &Cores, pinned: &Pinned, want: &HostRequirements) -> Vec<Finding> {
    vec![
        usable(cores, pinned),
        housekeeping(cores, pinned),
        isolated(cores, pinned, want),
        nohz_full(cores, pinned, want),
    ]
}

fn usable(cores: &Cores, pinned: &Pinned) -> Finding {
    let id = "cores.pinned";
    // A list in the configuration is a requirement by itself: its threads cannot be pinned elsewhere.
    let wanted = Wanted::new(pinned.from == PinnedFrom::Configuration, "online, open to this process");
    let (online, allowed) = match (&cores.online, &cores.allowed) {
        (Ok(online), Ok(allowed)) => (online, allowed),
        (Err(why), _) | (_, Err(why)) => return Finding::unknown(id, wanted, why),
    };
    // The kernel leaves isolated cores out of a process's first mask, yet lets it pin itself there.
    let open = allowed.either(&cores.isolated.clone().unwrap_or_default()).both(online);
    let missing = pinned.cores.without(&open);
    let value = if missing.is_empty() {
        format!("{} of online {online}", pinned.cores)
    } else {
        format!("{missing} not available; online {online}, allowed {allowed}")
    };
    let data =
        json!({ "online": online.to_json(), "allowed": allowed.to_json(), "unavailable": missing.to_json() });
    Finding::judged(id, wanted, missing.is_empty() && !pinned.cores.is_empty(), value)
        .because("a thread cannot be pinned to a core that is offline or outside its cpuset")
        .advise(["# choose pinned cores among the allowed ones, or widen the cpuset of the service"])
        .with_data(data)
}

fn housekeeping(cores: &Cores, pinned: &Pinned) -> Finding {
    let id = "cores.housekeeping";
    let wanted = Wanted::new(false, "at least 1 core not pinned");
    match &cores.online {
        Err(why) => Finding::unknown(id, wanted, why),
        Ok(online) => {
            let rest = online.without(&pinned.cores);
            Finding::judged(id, wanted, !rest.is_empty(), format!("{rest}"))
                .because("interrupts, the journal's helper and your shell then run on the pinned cores")
                .advise(["# leave one core out of pinned_cores, normally core 0"])
                .with_data(rest.to_json())
        }
    }
}

fn isolated(cores: &Cores, pinned: &Pinned, want: &HostRequirements) -> Finding {
    let wanted = Wanted::new(want.cores_isolated, format!("{} isolated", pinned.cores));
    subset("cores.isolated", &cores.isolated, pinned, wanted)
        .because("the scheduler may put other threads on these cores: stalls of milliseconds")
}

fn nohz_full(cores: &Cores, pinned: &Pinned, want: &HostRequirements) -> Finding {
    let wanted = Wanted::new(want.cores_nohz_full, format!("{} tickless", pinned.cores));
    match &cores.nohz_full {
        Err(why) if why.ends_with("no such file or directory") => Finding::unknown(
            "cores.nohz_full",
            wanted,
            format!("{why} (kernel without NO_HZ_FULL, or /sys hidden)"),
        ),
        read => subset("cores.nohz_full", read, pinned, wanted)
            .because("the tick interrupts a spinning thread 100 to 1000 times a second"),
    }
}

fn subset(id: &'static str, set: &Read<CpuList>, pinned: &Pinned, wanted: Wanted) -> Finding {
    match set {
        Err(why) => Finding::unknown(id, wanted, why),
        Ok(set) => {
            let good = pinned.cores.without(set).is_empty() && !pinned.cores.is_empty();
            Finding::judged(id, wanted, good, set.to_string())
                .advise([
                    "# kernel command line, needs a reboot; writes /etc/default/grub.d/90-sabrewing.cfg"
                        .to_owned(),
                    "sudo tuning/setup-host PROFILE --only boot".to_owned(),
                ])
                .with_data(set.to_json())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::State;
    use super::super::host_root::Fixture;
    use super::*;

    fn tuned() -> Fixture {
        Fixture::new(&[
            ("sys/devices/system/cpu/online", "0-7\n"),
            ("sys/devices/system/cpu/isolated", "2-7\n"),
            ("sys/devices/system/cpu/nohz_full", "2-7\n"),
            ("proc/self/status", "Name:\tx\nCpus_allowed:\t3\nCpus_allowed_list:\t0-1\n"),
        ])
    }

    fn pinned(list: &str) -> Pinned {
        Pinned { cores: CpuList::parse(list).unwrap(), from: PinnedFrom::Configuration }
    }

    fn states(fixture: &Fixture, list: &str, want: &HostRequirements) -> Vec<(&'static str, State)> {
        check(&Cores::probe(&fixture.root()), &pinned(list), want)
            .iter()
            .map(|finding| (finding.id.split_once('.').unwrap().1, finding.state))
            .collect()
    }

    #[test]
    fn isolated_tickless_cores_meet_every_requirement_and_others_fail_it() {
        let want = HostRequirements { cores_isolated: true, cores_nohz_full: true, ..Default::default() };
        use State::{Fail, Ok, Warn};
        let names = ["pinned", "housekeeping", "isolated", "nohz_full"];
        let with = |states: [State; 4]| names.into_iter().zip(states).collect::<Vec<_>>();
        assert_eq!(states(&tuned(), "2-4", &want), with([Ok, Ok, Ok, Ok]));
        assert_eq!(states(&tuned(), "1-2", &want), with([Ok, Ok, Fail, Fail]));
        assert_eq!(states(&tuned(), "1-2", &HostRequirements::default()), with([Ok, Ok, Warn, Warn]));
        assert_eq!(states(&tuned(), "0-8", &want), with([Fail, Warn, Fail, Fail]));
    }

    #[test]
    fn a_core_outside_the_cpuset_is_not_usable_unless_it_is_isolated() {
        let fixture = tuned();
        fixture.put("sys/devices/system/cpu/isolated", "2-5");
        let want = HostRequirements::default();
        assert_eq!(states(&fixture, "5", &want)[0].1, State::Ok);
        assert_eq!(states(&fixture, "6", &want)[0].1, State::Fail);
    }

    #[test]
    fn a_hidden_sys_leaves_the_sets_unknown_with_the_reason() {
        let findings =
            check(&Cores::probe(&Fixture::new(&[]).root()), &pinned("1"), &HostRequirements::default());
        for finding in findings {
            assert_eq!(finding.state, State::Unknown);
            assert!(finding.why.contains("no such file"), "{}", finding.why);
        }
    }

    #[test]
    fn cores_come_from_the_command_line_then_the_configuration_then_isolation_then_the_mask() {
        let fixture = tuned();
        let cores = Cores::probe(&fixture.root());
        let none = HostRequirements::default();
        let some = HostRequirements { pinned_cores: Some(vec![4, 3]), ..none.clone() };
        let choose = |given: Option<&str>, want: &HostRequirements, cores: &Cores| {
            let pinned = Pinned::choose(given.map(|list| CpuList::parse(list).unwrap()), want, cores);
            (pinned.cores.to_string(), pinned.from)
        };
        assert_eq!(choose(Some("6"), &some, &cores), ("6".into(), PinnedFrom::CommandLine));
        assert_eq!(choose(None, &some, &cores), ("3-4".into(), PinnedFrom::Configuration));
        assert_eq!(choose(None, &none, &cores), ("2-7".into(), PinnedFrom::Isolated));
        fixture.put("sys/devices/system/cpu/isolated", "\n");
        let cores = Cores::probe(&fixture.root());
        assert_eq!(choose(None, &none, &cores), ("0-1".into(), PinnedFrom::Allowed));
    }
}
