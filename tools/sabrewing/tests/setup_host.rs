//! `tuning/setup-host` on a copy of the control files: what it shows, does, and undoes.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const TUNING: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tuning");

/// A host with cores 0-15, where 8-15 are the siblings of 0-7.
fn host() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let put = |path: &str, text: &str| {
        let path = dir.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    for core in 0..16 {
        let cpu = format!("sys/devices/system/cpu/cpu{core}");
        put(&format!("{cpu}/cpufreq/scaling_governor"), "powersave\n");
        put(&format!("{cpu}/topology/thread_siblings_list"), &format!("{},{}\n", core % 8, core % 8 + 8));
        put(&format!("{cpu}/online"), "1\n");
        for (state, latency) in [(0, 2), (1, 133)] {
            put(&format!("{cpu}/cpuidle/state{state}/latency"), &format!("{latency}\n"));
            put(&format!("{cpu}/cpuidle/state{state}/disable"), "0\n");
        }
    }
    put("proc/irq/24/smp_affinity_list", "0-15\n");
    put("proc/sys/vm/nr_hugepages", "0\n");
    put("proc/sys/vm/swappiness", "60\n");
    put("proc/sys/kernel/nmi_watchdog", "1\n");
    put("sys/kernel/mm/transparent_hugepage/enabled", "[always] madvise never\n");
    put("sys/devices/virtual/workqueue/cpumask", "ffff\n");
    put("sys/class/net/eth7/queues/rx-0/rps_cpus", "0\n");
    put("proc/cmdline", "quiet\n");
    dir
}

fn setup(root: &Path, args: &[&str]) -> Output {
    let script = PathBuf::from(TUNING).join("setup-host");
    Command::new(script).args(args).arg("--root").arg(root).current_dir(TUNING).output().unwrap()
}

fn applied(root: &Path, args: &[&str]) -> String {
    let output = setup(root, args);
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// Every file below `dir` with its content.
fn files(dir: &Path) -> BTreeMap<PathBuf, String> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.append(&mut files(&path));
        } else {
            found.insert(path.clone(), fs::read_to_string(&path).unwrap());
        }
    }
    found
}

const PROFILE: &str = "profiles/bare-metal-8core.toml";

#[test]
fn a_dry_run_shows_every_change_and_makes_none() {
    let host = host();
    let before = files(host.path());
    let shown = applied(host.path(), &[PROFILE, "--dry-run"]);
    assert_eq!(files(host.path()), before);
    for line in [
        "would    /proc/irq/24/smp_affinity_list: 0-15 -> 0-1,7",
        "would    /sys/devices/virtual/workqueue/cpumask: ffff -> 83",
        "would    /sys/devices/system/cpu/cpu2/cpufreq/scaling_governor: powersave -> performance",
        "would    /sys/devices/system/cpu/cpu6/cpuidle/state1/disable: 0 -> 1",
        "would    /sys/devices/system/cpu/cpu10/online: 1 -> 0",
        "would    /sys/kernel/mm/transparent_hugepage/enabled: always -> madvise",
        "           sabrewing - memlock 4194304",
    ] {
        assert!(shown.lines().any(|shown| shown == line), "{line}\n{shown}");
    }
    assert!(shown.contains("isolcpus=managed_irq,domain,2-6 nohz_full=2-6 rcu_nocbs=2-6 irqaffinity=0-1,7"));
    assert!(
        !shown.contains("cpu7/") && !shown.contains("cpu8/online") && !shown.contains("state0"),
        "{shown}"
    );
}

#[test]
fn a_second_application_changes_nothing_and_revert_puts_back_what_the_first_one_found() {
    let host = host();
    let before = files(host.path());
    applied(host.path(), &[PROFILE]);
    let after = files(host.path());
    assert_ne!(after, before);
    let again = applied(host.path(), &[PROFILE]);
    assert_eq!(files(host.path()), after);
    assert!(!again.contains("set  ") && !again.contains("write  "), "{again}");
    applied(host.path(), &["--revert"]);
    let mut wanted = before;
    // The kernel's brackets are its own; what was chosen is put back.
    let mode = host.path().join("sys/kernel/mm/transparent_hugepage/enabled");
    wanted.insert(mode, "always\n".into());
    assert_eq!(files(host.path()), wanted);
    assert_eq!(applied(host.path(), &["--revert"]), "nothing to revert\n");
}

#[test]
fn revert_after_two_profiles_goes_back_to_before_the_first_in_one_step() {
    let host = host();
    let profile = |pages: u32| {
        let file = host.path().join(format!("{pages}.toml"));
        let text = format!("pinned_cores = \"2\"\nhousekeeping_cores = \"0\"\nhuge_pages = {pages}\n");
        fs::write(&file, text).unwrap();
        applied(host.path(), &[file.to_str().unwrap(), "--only", "memory"]);
    };
    profile(512);
    profile(1024);
    assert_eq!(applied(host.path(), &["--revert"]), "restore  /proc/sys/vm/nr_hugepages -> 0\n");
    assert_eq!(fs::read_to_string(host.path().join("proc/sys/vm/nr_hugepages")).unwrap(), "0\n");
}

#[test]
fn only_the_named_group_is_touched() {
    let host = host();
    let shown = applied(host.path(), &[PROFILE, "--only", "memory"]);
    assert!(shown.starts_with("memory\n") && !shown.contains("irq"), "{shown}");
    assert_eq!(fs::read_to_string(host.path().join("proc/sys/vm/nr_hugepages")).unwrap(), "512\n");
}

#[test]
fn packets_of_the_named_card_are_steered_to_the_named_cores() {
    let host = host();
    let profile = host.path().join("nic.toml");
    let text = "pinned_cores = \"2\"\nhousekeeping_cores = \"0-1\"\nnic = \"eth7\"\nrps_cores = \"0-1\"\n";
    fs::write(&profile, text).unwrap();
    applied(host.path(), &[profile.to_str().unwrap(), "--only", "network"]);
    assert_eq!(
        fs::read_to_string(host.path().join("sys/class/net/eth7/queues/rx-0/rps_cpus")).unwrap(),
        "3\n"
    );
}

#[test]
fn masks_beyond_32_cores_are_written_in_words() {
    let host = host();
    let profile = host.path().join("wide.toml");
    fs::write(&profile, "pinned_cores = \"1\"\nhousekeeping_cores = \"0,33,64\"\n").unwrap();
    let shown = applied(host.path(), &[profile.to_str().unwrap(), "--only", "irqs", "--dry-run"]);
    assert!(shown.contains("cpumask: ffff -> 1,00000002,00000001\n"), "{shown}");
}

#[test]
fn a_wrong_profile_is_refused_with_its_line_before_anything_is_changed() {
    let good = "pinned_cores = \"2-3\"\nhousekeeping_cores = \"0-1\"\n";
    for (text, why) in [
        (format!("{good}governer = \"performance\"\n"), "wrong.toml:3: unknown key 'governer'"),
        (format!("{good}huge_pages = many\n"), "wrong.toml:3: not 'key = value'"),
        (format!("{good}huge_pages = 1\nhuge_pages = 2\n"), "wrong.toml:4: 'huge_pages' a second time"),
        ("pinned_cores = \"2-3\"\n".into(), "housekeeping_cores must be a list"),
        (
            "pinned_cores = \"0-3\"\nhousekeeping_cores = \"0-1\"\n".into(),
            "core 0 is both pinned and housekeeping",
        ),
    ] {
        let host = host();
        let before = files(host.path());
        let dir = tempfile::tempdir().unwrap();
        let profile = dir.path().join("wrong.toml");
        fs::write(&profile, text).unwrap();
        let output = setup(host.path(), &[profile.to_str().unwrap()]);
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        assert!(String::from_utf8_lossy(&output.stderr).contains(why), "{output:?}");
        assert_eq!(files(host.path()), before);
    }
}

#[test]
fn every_shipped_profile_is_read() {
    for entry in fs::read_dir(PathBuf::from(TUNING).join("profiles")).unwrap() {
        let path = entry.unwrap().path();
        applied(host().path(), &[path.to_str().unwrap(), "--dry-run"]);
    }
}
