//! Interrupts that may run on pinned cores. Only those with a number can be steered; the timer, the
//! reschedule and the other per-core ones are the business of isolation and `nohz_full`.

use serde_json::json;
use std::collections::BTreeMap;

use super::cores::Pinned;
use super::cpu_list::CpuList;
use super::finding::{Finding, Wanted};
use super::host_root::{HostRoot, Read};
use super::requirements::HostRequirements;

/// One steerable interrupt.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Irq {
    number: u32,
    /// Last word of its row, the device's name; empty when nobody claimed it.
    name: String,
    /// Cores that it may run on.
    allowed: CpuList,
    /// Times that it ran since boot, by core.
    counts: BTreeMap<u32, u64>,
}

impl Irq {
    fn fired(&self) -> u64 {
        self.counts.values().sum()
    }

    fn fired_on(&self, cores: &CpuList) -> u64 {
        cores.iter().filter_map(|core| self.counts.get(&core)).sum()
    }
}

/// The check that pinned cores take no interrupts. An interrupt that has never fired anywhere is left out:
/// the kernel gives idle device queues to every core, and several of them cannot be moved at all.
pub(crate) fn check(root: &HostRoot, pinned: &Pinned, want: &HostRequirements) -> Finding {
    let id = "irq.pinned_cores";
    let wanted = Wanted::new(want.irqs_off_pinned_cores, format!("none on {}", pinned.cores));
    let irqs = match probe(root) {
        Ok(irqs) => irqs,
        Err(why) => return Finding::unknown(id, wanted, why),
    };
    let mut guilty: Vec<&Irq> =
        irqs.iter().filter(|irq| irq.fired() > 0 && !irq.allowed.both(&pinned.cores).is_empty()).collect();
    guilty.sort_by_key(|irq| std::cmp::Reverse(irq.fired_on(&pinned.cores)));
    let value = if guilty.is_empty() {
        format!("none of {}", irqs.len())
    } else {
        let total: u64 = guilty.iter().map(|irq| irq.fired_on(&pinned.cores)).sum();
        format!("{} of {} may, {total} times since boot", guilty.len(), irqs.len())
    };
    let worst: Vec<String> = guilty
        .iter()
        .take(NAMED_MAX)
        .map(|irq| format!("{} {} ({})", irq.number, irq.name, irq.fired_on(&pinned.cores)))
        .collect();
    let more = guilty.len().saturating_sub(NAMED_MAX);
    let tail = if more > 0 { format!(" and {more} more") } else { String::new() };
    let data: Vec<_> = guilty
        .iter()
        .map(|irq| {
            json!({
                "irq": irq.number,
                "name": irq.name,
                "allowed_cores": irq.allowed.to_json(),
                "count_on_pinned": irq.fired_on(&pinned.cores),
            })
        })
        .collect();
    Finding::judged(id, wanted, guilty.is_empty(), value)
        .because(format!("interrupts, with their count on the pinned cores: {}{tail}", worst.join(", ")))
        .advise(["sudo tuning/setup-host PROFILE --only irqs"])
        .with_data(data.into())
}

/// Every numbered interrupt of `/proc/interrupts`, with its affinity from `/proc/irq`.
fn probe(root: &HostRoot) -> Read<Vec<Irq>> {
    let mut irqs = root.parse("proc/interrupts", parse_interrupts)?;
    for irq in &mut irqs {
        irq.allowed = root.parse(&format!("proc/irq/{}/smp_affinity_list", irq.number), CpuList::parse)?;
    }
    Ok(irqs)
}

/// The numbered rows of `/proc/interrupts`, affinity left empty.
/// Err: no header of cores, or a row with fewer counts than cores; names the line.
fn parse_interrupts(text: &str) -> Read<Vec<Irq>> {
    let mut lines = text.lines();
    let header = lines.next().unwrap_or("");
    let core = |word: &str| word.strip_prefix("CPU").and_then(|number| number.parse::<u32>().ok());
    let cores: Vec<u32> = header.split_whitespace().map_while(core).collect();
    if cores.is_empty() {
        return Err(format!("line 1: `{header}` does not name the cores"));
    }
    let mut irqs = Vec::new();
    for (index, line) in lines.enumerate() {
        let Some((label, rest)) = line.split_once(':') else {
            return Err(format!("line {}: no colon in `{line}`", index + 2));
        };
        let Ok(number) = label.trim().parse() else { continue };
        let mut words = rest.split_whitespace();
        let mut counts = BTreeMap::new();
        for core in &cores {
            let count = words.next().and_then(|word| word.parse().ok());
            let count = count.ok_or_else(|| format!("line {}: no count for core {core}", index + 2))?;
            counts.insert(*core, count);
        }
        let name = words.next_back().unwrap_or("").to_owned();
        irqs.push(Irq { number, name, allowed: CpuList::default(), counts });
    }
    Ok(irqs)
}

/// Interrupts named on the screen; JSON names all.
const NAMED_MAX: usize = 4;

#[cfg(test)]
mod tests {
    use super::super::cores::PinnedFrom;
    use super::super::finding::State;
    use super::super::host_root::Fixture;
    use super::*;

    const INTERRUPTS: &str = "           CPU0       CPU2
 24:         10          0  IO-APIC   5-edge      ACPI:Ged
 41:       3780         12  PCI-MSIX-0000:00:04.0   1-edge      eth0-rx
 42:          0          0  PCI-MSIX-0000:00:05.0   1-edge      nvme0q3
NMI:          0          0   Non-maskable interrupts
ERR:          0
";

    fn fixture(rx: &str) -> Fixture {
        Fixture::new(&[
            ("proc/interrupts", INTERRUPTS),
            ("proc/irq/24/smp_affinity_list", "0"),
            ("proc/irq/41/smp_affinity_list", rx),
            ("proc/irq/42/smp_affinity_list", "2"),
        ])
    }

    fn check_on(fixture: &Fixture, required: bool) -> Finding {
        let pinned = Pinned { cores: CpuList::parse("2-3").unwrap(), from: PinnedFrom::Configuration };
        let want = HostRequirements { irqs_off_pinned_cores: required, ..Default::default() };
        check(&fixture.root(), &pinned, &want)
    }

    #[test]
    fn counts_belong_to_the_cores_of_the_header_and_unnumbered_rows_are_left_out() {
        let irqs = parse_interrupts(INTERRUPTS).unwrap();
        assert_eq!(irqs.iter().map(|irq| irq.number).collect::<Vec<_>>(), [24, 41, 42]);
        assert_eq!((irqs[1].name.as_str(), irqs[1].counts[&0], irqs[1].counts[&2]), ("eth0-rx", 3780, 12));
    }

    #[test]
    fn an_interrupt_that_fired_and_may_run_on_a_pinned_core_is_a_finding() {
        let finding = check_on(&fixture("0-7"), true);
        assert_eq!(finding.state, State::Fail);
        assert_eq!(finding.value, "1 of 3 may, 12 times since boot");
        assert!(finding.why.contains("41 eth0-rx (12)"), "{}", finding.why);
        assert_eq!(check_on(&fixture("0-7"), false).state, State::Warn);
    }

    #[test]
    fn an_interrupt_that_never_fired_is_no_finding() {
        assert_eq!(check_on(&fixture("0-1"), true).state, State::Ok);
    }

    #[test]
    fn a_row_cut_short_is_unknown_with_its_line() {
        let fixture = fixture("0");
        fixture.put("proc/interrupts", "  CPU0 CPU1\n 24: 1 2 x\n 25: 1 PCI\n");
        let finding = check_on(&fixture, true);
        assert_eq!(finding.state, State::Unknown);
        assert_eq!(finding.why, "/proc/interrupts: line 3: no count for core 1");
    }

    #[test]
    fn a_hidden_affinity_is_unknown() {
        let finding = check_on(&Fixture::new(&[("proc/interrupts", INTERRUPTS)]), true);
        assert_eq!(finding.state, State::Unknown);
        assert!(finding.why.contains("/proc/irq/24/smp_affinity_list"), "{}", finding.why);
    }
}
