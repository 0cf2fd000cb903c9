//! Which kernel runs, how it preempts, and whether a hypervisor runs beneath it.

use serde_json::json;

use super::finding::{Finding, Wanted};
use super::host_root::{HostRoot, Read};

/// The checks of kernel and virtualisation; both inform rather than judge.
pub(crate) fn check(root: &HostRoot) -> Vec<Finding> {
    vec![version(root), virtualised(root)]
}

fn version(root: &HostRoot) -> Finding {
    let id = "kernel.version";
    match root.read("proc/sys/kernel/osrelease") {
        Err(why) => Finding::unknown(id, Wanted::new(false, ""), why),
        Ok(release) => {
            let model = preemption(root);
            let text = model.as_deref().unwrap_or("preemption unknown").to_owned();
            Finding::told(id, format!("{release}, {text}"))
                .with_data(json!({ "release": release, "preemption": model.ok() }))
        }
    }
}

/// The preemption model: the one chosen at boot where debugfs shows it, else the one that was built.
fn preemption(root: &HostRoot) -> Read<String> {
    if let Ok(modes) = root.read("sys/kernel/debug/sched/preempt")
        && let Some((_, rest)) = modes.split_once('(')
        && let Some((mode, _)) = rest.split_once(')')
    {
        return Ok(format!("preempt={mode}"));
    }
    root.parse("proc/sys/kernel/version", |text| {
        let word = text.split_whitespace().find(|word| word.starts_with("PREEMPT"));
        Ok(word.unwrap_or("no PREEMPT").to_owned())
    })
}

fn virtualised(root: &HostRoot) -> Finding {
    let id = "kernel.virtualised";
    let wanted = Wanted::new(false, "bare metal");
    let hypervisor = root.parse("proc/cpuinfo", |text| {
        let line = text.lines().find(|line| line.starts_with("flags"));
        let flags = line.ok_or("no flags")?;
        Ok(flags.split_whitespace().any(|flag| flag == "hypervisor"))
    });
    let names: Vec<String> =
        ["sys/hypervisor/type", "sys/class/dmi/id/sys_vendor", "sys/class/dmi/id/product_name"]
            .iter()
            .filter_map(|path| root.read(path).ok())
            .filter(|name| !name.is_empty())
            .collect();
    let container = root.exists(".dockerenv") || root.exists("run/.containerenv");
    let inside = if container { ", in a container" } else { "" };
    match hypervisor {
        Err(why) => Finding::unknown(id, wanted, why),
        Ok(guest) => {
            let what = if guest { "virtual machine" } else { "bare metal" };
            let name = if names.is_empty() { String::new() } else { format!(" ({})", names.join(" ")) };
            Finding::judged(id, wanted, !guest, format!("{what}{name}{inside}"))
                .because("the hypervisor stops cores as it likes: p99.9 near 1 us is not the program's")
                .with_data(json!({ "guest": guest, "names": names, "container": container }))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::State;
    use super::super::host_root::Fixture;
    use super::*;

    #[test]
    fn the_preemption_model_chosen_at_boot_wins_over_the_one_built() {
        let fixture = Fixture::new(&[
            ("proc/sys/kernel/osrelease", "6.18.1\n"),
            ("proc/sys/kernel/version", "#1 SMP PREEMPT_DYNAMIC @0\n"),
        ]);
        assert_eq!(check(&fixture.root())[0].value, "6.18.1, PREEMPT_DYNAMIC");
        fixture.put("sys/kernel/debug/sched/preempt", "none voluntary (full) lazy\n");
        assert_eq!(check(&fixture.root())[0].value, "6.18.1, preempt=full");
    }

    #[test]
    fn a_guest_is_told_by_the_processors_flag() {
        let fixture = Fixture::new(&[
            ("proc/cpuinfo", "flags : fpu hypervisor\n"),
            ("sys/class/dmi/id/sys_vendor", "QEMU\n"),
        ]);
        let guest = &check(&fixture.root())[1];
        assert_eq!((guest.state, guest.value.as_str()), (State::Warn, "virtual machine (QEMU)"));
        fixture.put("proc/cpuinfo", "flags : fpu\n");
        fixture.put(".dockerenv", "");
        let metal = &check(&fixture.root())[1];
        assert_eq!((metal.state, metal.value.as_str()), (State::Ok, "bare metal (QEMU), in a container"));
    }

    #[test]
    fn hidden_files_are_unknown() {
        for finding in check(&Fixture::new(&[]).root()) {
            assert_eq!(finding.state, State::Unknown);
        }
    }
}
