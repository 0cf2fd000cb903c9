//! Memory: huge pages, transparent huge pages, swap, NUMA nodes.

use serde_json::json;

use super::cores::Pinned;
use super::cpu_list::CpuList;
use super::finding::{Finding, Wanted};
use super::host_root::{HostRoot, Read};
use super::requirements::HostRequirements;

/// The checks of memory.
pub(crate) fn check(root: &HostRoot, pinned: &Pinned, want: &HostRequirements) -> Vec<Finding> {
    vec![huge_pages(root, want), transparent(root, want), swap(root, want), numa(root, pinned, want)]
}

fn huge_pages(root: &HostRoot, want: &HostRequirements) -> Finding {
    let id = "memory.huge_pages";
    let min = want.huge_pages_min;
    let wanted = match min {
        Some(min) => Wanted::new(true, format!("at least {min} free")),
        None => Wanted::new(false, ""),
    };
    let found = root.parse("proc/meminfo", |text| {
        let of = |key: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(key));
            let number = line
                .and_then(|rest| rest.trim_start_matches(':').split_whitespace().next()?.parse::<u64>().ok());
            number.ok_or_else(|| format!("no number for {key}"))
        };
        Ok((of("HugePages_Total")?, of("HugePages_Free")?, of("Hugepagesize")?))
    });
    match found {
        Err(why) => Finding::unknown(id, wanted, why),
        Ok((reserved, free, kib)) => {
            let good = min.is_none_or(|min| free >= min);
            Finding::judged(id, wanted, good, format!("{reserved} reserved, {free} free, of {kib} KiB"))
                .because(
                    "without them large books and rings miss the TLB more often; pages in use are not free",
                )
                .advise(["sudo tuning/setup-host PROFILE --only memory"])
                .with_data(json!({ "reserved": reserved, "free": free, "page_kib": kib }))
        }
    }
}

fn transparent(root: &HostRoot, want: &HostRequirements) -> Finding {
    let id = "memory.transparent_huge_pages";
    let asked = want.transparent_huge_pages.as_deref();
    let wanted = Wanted::new(asked.is_some(), asked.unwrap_or("madvise or never"));
    let mode = root.parse("sys/kernel/mm/transparent_hugepage/enabled", |text| {
        let chosen = text.split_once('[').and_then(|(_, rest)| rest.split_once(']'));
        chosen.map(|(mode, _)| mode.to_owned()).ok_or_else(|| format!("no mode is chosen in `{text}`"))
    });
    match mode {
        Err(why) => Finding::unknown(id, wanted, why),
        Ok(mode) => {
            let good = asked.map_or(mode != "always", |asked| asked == mode);
            Finding::judged(id, wanted, good, mode.as_str())
                .because("with `always` the kernel compacts memory behind any page fault")
                .advise(["sudo tuning/setup-host PROFILE --only memory"])
                .with_data(mode.into())
        }
    }
}

fn swap(root: &HostRoot, want: &HostRequirements) -> Finding {
    let id = "memory.swap";
    let wanted = Wanted::new(want.swap_off, "off");
    match root.read("proc/swaps") {
        Err(why) => Finding::unknown(id, wanted, why),
        Ok(text) => {
            let names: Vec<&str> =
                text.lines().skip(1).filter_map(|line| line.split_whitespace().next()).collect();
            let value = if names.is_empty() { "off".to_owned() } else { names.join(", ") };
            Finding::judged(id, wanted, names.is_empty(), value)
                .because("a page read back from disk stalls its thread for longer than any deadline")
                .advise(["sudo swapoff -a   # and remove the swap line from /etc/fstab"])
                .with_data(names.into())
        }
    }
}

fn numa(root: &HostRoot, pinned: &Pinned, want: &HostRequirements) -> Finding {
    let id = "memory.numa";
    let wanted = Wanted::new(want.one_numa_node, "pinned cores on one node");
    match nodes(root) {
        Err(why) => Finding::unknown(id, wanted, why),
        Ok(nodes) => {
            let used: Vec<String> = nodes
                .iter()
                .filter(|(_, cores)| !cores.both(&pinned.cores).is_empty())
                .map(|(name, _)| name.clone())
                .collect();
            let data =
                nodes.iter().map(|(name, cores)| json!({ "node": name, "cores": cores.to_json() })).collect();
            let value = format!(
                "{} of {}",
                if used.is_empty() { "none".into() } else { used.join(", ") },
                nodes.len()
            );
            Finding::judged(id, wanted, used.len() == 1, value)
                .because("a ring or book read from another node's memory costs an extra hop a cache line")
                .advise(["# choose pinned_cores from one node: cat /sys/devices/system/node/node*/cpulist"])
                .with_data(data)
        }
    }
}

/// Every NUMA node and its cores.
fn nodes(root: &HostRoot) -> Read<Vec<(String, CpuList)>> {
    let dir = "sys/devices/system/node";
    let is_node =
        |name: &String| name.strip_prefix("node").is_some_and(|number| number.parse::<u32>().is_ok());
    let names = root.list(dir)?;
    let of = |name: String| {
        root.parse(&format!("{dir}/{name}/cpulist"), CpuList::parse).map(|cores| (name, cores))
    };
    names.into_iter().filter(is_node).map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::super::cores::PinnedFrom;
    use super::super::finding::State;
    use super::super::host_root::Fixture;
    use super::*;

    fn fixture() -> Fixture {
        Fixture::new(&[
            (
                "proc/meminfo",
                "MemTotal: 1 kB\nHugePages_Total:     512\nHugePages_Free:      400\nHugepagesize:       2048 kB\n",
            ),
            ("sys/kernel/mm/transparent_hugepage/enabled", "always [madvise] never\n"),
            ("proc/swaps", "Filename\tType\tSize\n"),
            ("sys/devices/system/node/node0/cpulist", "0-3\n"),
            ("sys/devices/system/node/node1/cpulist", "4-7\n"),
            ("sys/devices/system/node/possible", "0-1\n"),
        ])
    }

    fn state(fixture: &Fixture, id: &str, list: &str, want: &HostRequirements) -> State {
        let pinned = Pinned { cores: CpuList::parse(list).unwrap(), from: PinnedFrom::Configuration };
        check(&fixture.root(), &pinned, want).into_iter().find(|finding| finding.id == id).unwrap().state
    }

    #[test]
    fn huge_pages_are_judged_by_those_free() {
        let id = "memory.huge_pages";
        let of = |min| HostRequirements { huge_pages_min: Some(min), ..Default::default() };
        assert_eq!(state(&fixture(), id, "1", &of(400)), State::Ok);
        assert_eq!(state(&fixture(), id, "1", &of(401)), State::Fail);
        assert_eq!(state(&fixture(), id, "1", &HostRequirements::default()), State::Ok);
    }

    #[test]
    fn the_chosen_mode_of_transparent_huge_pages_is_the_one_in_brackets() {
        let id = "memory.transparent_huge_pages";
        let of =
            |mode: &str| HostRequirements { transparent_huge_pages: Some(mode.into()), ..Default::default() };
        assert_eq!(state(&fixture(), id, "1", &of("madvise")), State::Ok);
        assert_eq!(state(&fixture(), id, "1", &of("never")), State::Fail);
        let always = fixture();
        always.put("sys/kernel/mm/transparent_hugepage/enabled", "[always] madvise never\n");
        assert_eq!(state(&always, id, "1", &HostRequirements::default()), State::Warn);
    }

    #[test]
    fn a_swap_file_is_a_finding() {
        let want = HostRequirements { swap_off: true, ..Default::default() };
        let fixture = fixture();
        assert_eq!(state(&fixture, "memory.swap", "1", &want), State::Ok);
        fixture.put("proc/swaps", "Filename\tType\tSize\n/swapfile file 8\n");
        assert_eq!(state(&fixture, "memory.swap", "1", &want), State::Fail);
        assert_eq!(state(&fixture, "memory.swap", "1", &HostRequirements::default()), State::Warn);
    }

    #[test]
    fn pinned_cores_on_two_nodes_are_a_finding() {
        let want = HostRequirements { one_numa_node: true, ..Default::default() };
        assert_eq!(state(&fixture(), "memory.numa", "1-3", &want), State::Ok);
        assert_eq!(state(&fixture(), "memory.numa", "3-4", &want), State::Fail);
        assert_eq!(state(&fixture(), "memory.numa", "3-4", &HostRequirements::default()), State::Warn);
    }

    #[test]
    fn hidden_files_are_unknown() {
        let pinned = Pinned { cores: CpuList::parse("1").unwrap(), from: PinnedFrom::Configuration };
        for finding in check(&Fixture::new(&[]).root(), &pinned, &HostRequirements::default()) {
            assert_eq!(finding.state, State::Unknown, "{}", finding.id);
        }
    }
}
