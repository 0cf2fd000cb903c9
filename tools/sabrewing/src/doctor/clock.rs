//! The two clocks a run rests on: the counter behind every stamp, and the wall clock that it is anchored to.

use serde_json::json;

use super::finding::{Finding, Wanted};
use super::host_root::{HostRoot, Read, reason};
use super::requirements::HostRequirements;

/// The kernel's view of the wall clock (`adjtimex`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WallClock {
    /// The kernel holds the clock for synchronised.
    pub(crate) synchronised: bool,
    /// Error as last estimated by what disciplines the clock, us.
    pub(crate) estimated_error_us: i64,
    /// Bound of the error, grown by the kernel between corrections, us.
    pub(crate) max_error_us: i64,
}

impl WallClock {
    /// Asks the kernel. Err: the call is refused, as under some seccomp profiles.
    pub(crate) fn probe() -> Read<Self> {
        // SAFETY: `timex` holds integers only, for which all zeros is a value; `modes` 0 only reads.
        let mut state: libc::timex = unsafe { std::mem::zeroed() };
        // SAFETY: the pointer is to a live, writable `timex`.
        let answer = unsafe { libc::adjtimex(&raw mut state) };
        if answer < 0 {
            return Err(format!("adjtimex: {}", reason(&std::io::Error::last_os_error())));
        }
        Ok(Self {
            synchronised: answer != libc::TIME_ERROR && state.status & libc::STA_UNSYNC == 0,
            estimated_error_us: state.esterror,
            max_error_us: state.maxerror,
        })
    }
}

/// The checks of clock source, counter and wall clock.
pub(crate) fn check(root: &HostRoot, wall: &Read<WallClock>, want: &HostRequirements) -> Vec<Finding> {
    vec![source(root, want), counter(root), synchronised(root, wall, want), error(wall, want)]
}

fn source(root: &HostRoot, want: &HostRequirements) -> Finding {
    let id = "clock.source";
    let asked = want.clock_source.as_deref();
    let wanted_name = asked.unwrap_or(CLOCK_SOURCE);
    let wanted = Wanted::new(asked.is_some(), wanted_name);
    match root.read("sys/devices/system/clocksource/clocksource0/current_clocksource") {
        Err(why) => Finding::unknown(id, wanted, why),
        Ok(name) => Finding::judged(id, wanted, name == wanted_name, name.as_str())
            .because("another source turns each reading of the clock into a slow device access or a system call")
            .advise([
                format!("echo {wanted_name} | sudo tee /sys/devices/system/clocksource/clocksource0/current_clocksource"),
                format!("# if the kernel refuses or leaves it again: dmesg | grep -i {wanted_name}"),
            ])
            .with_data(name.into()),
    }
}

/// Whether the processor's counter runs at one rate in every frequency and idle state.
fn counter(root: &HostRoot) -> Finding {
    let id = "clock.counter";
    let wanted = Wanted::new(false, "constant_tsc nonstop_tsc");
    if cfg!(not(target_arch = "x86_64")) {
        return Finding::told(id, "architected counter, constant by definition");
    }
    let flags = root.parse("proc/cpuinfo", |text| {
        let line = text.lines().find(|line| line.starts_with("flags")).and_then(|line| line.split_once(':'));
        line.map(|(_, flags)| flags.to_owned()).ok_or_else(|| "no flags".to_owned())
    });
    match flags {
        Err(why) => Finding::unknown(id, wanted, why),
        Ok(flags) => {
            let found: Vec<&str> = ["constant_tsc", "nonstop_tsc"]
                .into_iter()
                .filter(|flag| flags.split_whitespace().any(|word| word == *flag))
                .collect();
            let value = if found.is_empty() { "neither".to_owned() } else { found.join(" ") };
            Finding::judged(id, wanted, found.len() == 2, value)
                .because("stamps taken from a counter that changes its rate or stops are wrong by any amount")
                .advise(["# a guest: ask the hypervisor for an invariant TSC; else use another host"])
                .with_data(found.into())
        }
    }
}

fn synchronised(root: &HostRoot, wall: &Read<WallClock>, want: &HostRequirements) -> Finding {
    let id = "clock.synchronised";
    let wanted = Wanted::new(want.clock_synchronised, "synchronised");
    match wall {
        Err(why) => Finding::unknown(id, wanted, why),
        Ok(wall) => {
            let daemons = daemons(root);
            let by = match &daemons {
                Ok(names) if names.is_empty() => "no daemon seen".to_owned(),
                Ok(names) => format!("{} runs", names.join(", ")),
                Err(why) => format!("daemons hidden: {why}"),
            };
            let state = if wall.synchronised { "synchronised" } else { "not synchronised" };
            Finding::judged(id, wanted, wall.synchronised, format!("{state}; {by}"))
                .because("venues refuse orders whose time stamp is off, and one-way delays cannot be read")
                .advise(["sudo apt-get install chrony && sudo systemctl enable --now chrony"])
                .with_data(
                    json!({ "synchronised": wall.synchronised, "daemons": daemons.unwrap_or_default() }),
                )
        }
    }
}

fn error(wall: &Read<WallClock>, want: &HostRequirements) -> Finding {
    let id = "clock.error";
    let max_us = want.clock_error_us_max;
    let wanted = match max_us {
        Some(max_us) => Wanted::new(true, format!("at most {max_us} us")),
        None => Wanted::new(false, ""),
    };
    let wall = match wall {
        Err(why) => return Finding::unknown(id, wanted, why),
        Ok(wall) if !wall.synchronised => {
            return Finding::unknown(
                id,
                wanted,
                "the clock is not synchronised, so the kernel has no estimate",
            );
        }
        // systemd-timesyncd writes 0 for want of an estimate.
        Ok(wall) if wall.estimated_error_us == 0 => {
            let why =
                format!("what disciplines the clock gives no estimate (bound {} us)", wall.max_error_us);
            return Finding::unknown(id, wanted, why);
        }
        Ok(wall) => wall,
    };
    let good =
        max_us.is_none_or(|max_us| u64::try_from(wall.estimated_error_us).is_ok_and(|us| us <= max_us));
    Finding::judged(
        id,
        wanted,
        good,
        format!("{} us, bound {} us", wall.estimated_error_us, wall.max_error_us),
    )
    .because("a venue's receive window and one-way delays are read against this clock")
    .advise(["chronyc sources -v   # choose nearer servers, or PTP from the venue's network"])
    .with_data(json!({ "estimated_us": wall.estimated_error_us, "max_us": wall.max_error_us }))
}

/// Names of the running processes known to discipline a wall clock.
fn daemons(root: &HostRoot) -> Read<Vec<String>> {
    let is_process = |name: &String| name.bytes().all(|byte| byte.is_ascii_digit());
    let names = root.list("proc")?.into_iter().filter(is_process);
    // A process that ends meanwhile is no daemon.
    let mut found: Vec<String> =
        names.filter_map(|pid| root.read(&format!("proc/{pid}/comm")).ok()).collect();
    found.retain(|name| DAEMONS.contains(&name.as_str()));
    found.sort();
    found.dedup();
    Ok(found)
}

/// The source that a stamp costs least with.
const CLOCK_SOURCE: &str = if cfg!(target_arch = "aarch64") { "arch_sys_counter" } else { "tsc" };

/// Process names, cut to 15 bytes as the kernel does.
const DAEMONS: [&str; 7] =
    ["chronyd", "ntpd", "ntpd-rs", "ntp-daemon", "systemd-timesyn", "ptp4l", "phc2sys"];

#[cfg(test)]
mod tests {
    use super::super::finding::State;
    use super::super::host_root::Fixture;
    use super::*;

    const GOOD: WallClock = WallClock { synchronised: true, estimated_error_us: 80, max_error_us: 900 };

    fn fixture() -> Fixture {
        Fixture::new(&[
            ("sys/devices/system/clocksource/clocksource0/current_clocksource", "tsc\n"),
            ("proc/cpuinfo", "processor : 0\nflags\t\t: fpu constant_tsc nonstop_tsc\n"),
            ("proc/1/comm", "systemd\n"),
            ("proc/77/comm", "chronyd\n"),
        ])
    }

    fn found(fixture: &Fixture, wall: &Read<WallClock>, id: &str, want: &HostRequirements) -> Finding {
        check(&fixture.root(), wall, want).into_iter().find(|finding| finding.id == id).unwrap()
    }

    #[test]
    fn another_source_fails_the_requirement() {
        let want = HostRequirements { clock_source: Some("tsc".into()), ..Default::default() };
        let fixture = fixture();
        assert_eq!(found(&fixture, &Ok(GOOD), "clock.source", &want).state, State::Ok);
        fixture.put("sys/devices/system/clocksource/clocksource0/current_clocksource", "hpet\n");
        assert_eq!(found(&fixture, &Ok(GOOD), "clock.source", &want).state, State::Fail);
        assert_eq!(
            found(&fixture, &Ok(GOOD), "clock.source", &HostRequirements::default()).state,
            State::Warn
        );
    }

    #[cfg(target_arch = "x86_64")]
    #[test]
    fn a_counter_without_both_flags_is_a_finding() {
        let fixture = fixture();
        assert_eq!(
            found(&fixture, &Ok(GOOD), "clock.counter", &HostRequirements::default()).state,
            State::Ok
        );
        fixture.put("proc/cpuinfo", "flags : fpu constant_tsc xnonstop_tsc\n");
        let finding = found(&fixture, &Ok(GOOD), "clock.counter", &HostRequirements::default());
        assert_eq!((finding.state, finding.value.as_str()), (State::Warn, "constant_tsc"));
    }

    #[test]
    fn an_unsynchronised_clock_fails_the_requirement_and_the_daemon_is_named() {
        let want = HostRequirements { clock_synchronised: true, ..Default::default() };
        let good = found(&fixture(), &Ok(GOOD), "clock.synchronised", &want);
        assert_eq!((good.state, good.value.as_str()), (State::Ok, "synchronised; chronyd runs"));
        let drifting = Ok(WallClock { synchronised: false, ..GOOD });
        assert_eq!(found(&fixture(), &drifting, "clock.synchronised", &want).state, State::Fail);
        assert!(found(&fixture(), &Err("adjtimex: refused".into()), "clock.synchronised", &want).is_unmet());
    }

    #[test]
    fn the_error_is_judged_by_the_estimate_and_an_estimate_of_zero_is_none() {
        let of = |max| HostRequirements { clock_error_us_max: Some(max), ..Default::default() };
        assert_eq!(found(&fixture(), &Ok(GOOD), "clock.error", &of(80)).state, State::Ok);
        assert_eq!(found(&fixture(), &Ok(GOOD), "clock.error", &of(79)).state, State::Fail);
        for wall in [WallClock { estimated_error_us: 0, ..GOOD }, WallClock { synchronised: false, ..GOOD }] {
            assert!(found(&fixture(), &Ok(wall), "clock.error", &of(79)).is_unmet());
        }
    }

    #[test]
    fn the_kernel_answers_or_the_refusal_is_explained() {
        match WallClock::probe() {
            Ok(wall) => assert!(wall.max_error_us >= 0),
            Err(why) => assert!(why.starts_with("adjtimex: "), "{why}"),
        }
    }
}
