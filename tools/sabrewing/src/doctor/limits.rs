//! What this process may lock and how far it may raise its priority. Both come from `/proc/self/limits`, and a
//! capability lifts either.

use serde_json::json;

use super::finding::{Finding, Wanted};
use super::host_root::{HostRoot, Read};
use super::requirements::HostRequirements;

/// The checks of memlock and real-time priority.
pub(crate) fn check(root: &HostRoot, want: &HostRequirements) -> Vec<Finding> {
    vec![memlock(root, want), rtprio(root, want)]
}

fn memlock(root: &HostRoot, want: &HostRequirements) -> Finding {
    let id = "limits.memlock";
    let wanted = match want.memlock_bytes_min {
        Some(min) => Wanted::new(true, format!("at least {}", bytes(min))),
        None => Wanted::new(false, "unlimited"),
    };
    match Limit::probe(root, "Max locked memory", CAP_IPC_LOCK) {
        Err(why) => Finding::unknown(id, wanted, why),
        Ok(limit) => {
            let good = limit.reaches(want.memlock_bytes_min.unwrap_or(u64::MAX));
            Finding::judged(id, wanted, good, limit.describe(bytes, "CAP_IPC_LOCK"))
                .because("memory that is not locked may be taken away and faulted back in the middle of a turn")
                .advise(["sudo tuning/setup-host PROFILE --only limits   # then log in again, or LimitMEMLOCK=infinity in the unit"])
                .with_data(limit.to_json())
        }
    }
}

fn rtprio(root: &HostRoot, want: &HostRequirements) -> Finding {
    let id = "limits.rtprio";
    let wanted = match want.rtprio_min {
        Some(min) => Wanted::new(true, format!("at least {min}")),
        None => Wanted::new(false, ""),
    };
    match Limit::probe(root, "Max realtime priority", CAP_SYS_NICE) {
        Err(why) => Finding::unknown(id, wanted, why),
        Ok(limit) => {
            let good = want.rtprio_min.is_none_or(|min| limit.reaches(min));
            Finding::judged(id, wanted, good, limit.describe(|value| value.to_string(), "CAP_SYS_NICE"))
                .because("without it a thread cannot outrank others on a core that is not isolated")
                .advise(["sudo tuning/setup-host PROFILE --only limits   # then log in again, or LimitRTPRIO=50 in the unit"])
                .with_data(limit.to_json())
        }
    }
}

/// A soft limit of this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Limit {
    /// None: unlimited.
    soft: Option<u64>,
    /// Whether a capability makes the limit moot.
    lifted: bool,
}

impl Limit {
    /// Reads the row `name` of `/proc/self/limits`, and bit `capability` of the effective capabilities.
    fn probe(root: &HostRoot, name: &str, capability: u32) -> Read<Self> {
        let soft = root.parse("proc/self/limits", |text| {
            let row = text.lines().find_map(|line| line.strip_prefix(name));
            match row.and_then(|row| row.split_whitespace().next()) {
                None => Err(format!("no row `{name}`")),
                Some("unlimited") => Ok(None),
                Some(word) => {
                    word.parse().map(Some).map_err(|_| format!("`{word}` in row `{name}` is not a number"))
                }
            }
        })?;
        let effective = root.parse("proc/self/status", |text| {
            let word = text.lines().find_map(|line| line.strip_prefix("CapEff:")).map(str::trim);
            word.and_then(|word| u64::from_str_radix(word, 16).ok()).ok_or_else(|| "no CapEff".to_owned())
        });
        // Capabilities that cannot be read lift nothing.
        Ok(Self { soft, lifted: effective.is_ok_and(|bits| bits >> capability & 1 == 1) })
    }

    fn reaches(self, min: u64) -> bool {
        self.lifted || self.soft.is_none_or(|soft| soft >= min)
    }

    fn describe(self, show: impl Fn(u64) -> String, capability: &str) -> String {
        let soft = self.soft.map_or("unlimited".to_owned(), show);
        if self.lifted { format!("{soft}, lifted by {capability}") } else { soft }
    }

    fn to_json(self) -> serde_json::Value {
        json!({ "soft": self.soft, "lifted": self.lifted })
    }
}

/// A size in the largest binary unit that keeps it whole, or with one digit.
pub(crate) fn bytes(count: u64) -> String {
    let unit = [("GiB", 30), ("MiB", 20), ("KiB", 10)].into_iter().find(|(_, shift)| count >> shift > 0);
    match unit {
        None => format!("{count} B"),
        Some((name, shift)) if count.trailing_zeros() >= shift => format!("{} {name}", count >> shift),
        // One digit after the point; a screen's rounding, not the judgement's.
        Some((name, shift)) => {
            let tenths = (u128::from(count) * 10) >> shift;
            format!("{}.{} {name}", tenths / 10, tenths % 10)
        }
    }
}

/// Bits of the capability mask, from `linux/capability.h`.
const CAP_IPC_LOCK: u32 = 14;
const CAP_SYS_NICE: u32 = 23;

#[cfg(test)]
mod tests {
    use super::super::finding::State;
    use super::super::host_root::Fixture;
    use super::*;

    fn fixture(memlock: &str, rtprio: &str, capabilities: &str) -> Fixture {
        let limits = format!(
            "Limit                     Soft Limit           Hard Limit           Units     \n\
             Max locked memory         {memlock}              8388608              bytes     \n\
             Max realtime priority     {rtprio}                    0                    \n"
        );
        let status = format!("CapPrm:\t0\nCapEff:\t{capabilities}\n");
        Fixture::new(&[("proc/self/limits", &limits), ("proc/self/status", &status)])
    }

    fn states(fixture: &Fixture, want: &HostRequirements) -> [State; 2] {
        let findings = check(&fixture.root(), want);
        [findings[0].state, findings[1].state]
    }

    #[test]
    fn a_limit_at_the_minimum_passes_and_one_below_fails() {
        let want =
            HostRequirements { memlock_bytes_min: Some(8 << 20), rtprio_min: Some(50), ..Default::default() };
        assert_eq!(states(&fixture("8388608", "50", "0"), &want), [State::Ok; 2]);
        assert_eq!(states(&fixture("8388607", "49", "0"), &want), [State::Fail; 2]);
        assert_eq!(states(&fixture("unlimited", "unlimited", "0"), &want), [State::Ok; 2]);
        assert_eq!(
            states(&fixture("8388607", "49", "0"), &HostRequirements::default()),
            [State::Warn, State::Ok]
        );
    }

    #[test]
    fn a_capability_lifts_its_own_limit_only() {
        let want =
            HostRequirements { memlock_bytes_min: Some(1 << 30), rtprio_min: Some(99), ..Default::default() };
        assert_eq!(states(&fixture("0", "0", "0000000000004000"), &want), [State::Ok, State::Fail]);
        assert_eq!(states(&fixture("0", "0", "0000000000800000"), &want), [State::Fail, State::Ok]);
    }

    #[test]
    fn a_table_without_the_row_is_unknown() {
        let fixture = Fixture::new(&[("proc/self/limits", "Limit Soft\n")]);
        assert_eq!(states(&fixture, &HostRequirements::default()), [State::Unknown; 2]);
    }

    #[test]
    fn sizes_are_shown_in_their_unit() {
        let sizes = [(0, "0 B"), (8 << 20, "8 MiB"), (1536, "1.5 KiB"), (85_899_345_920, "80 GiB")];
        for (count, text) in sizes {
            assert_eq!(bytes(count), text);
        }
    }
}
