//! One examination of the host: every probe once, in a fixed order.

use std::time::Duration;

use super::clock::{self, WallClock};
use super::cores::{self, Cores, Pinned};
use super::cpu_list::CpuList;
use super::disk::{self, Disk};
use super::finding::Finding;
use super::gaps::{self, CoreGaps};
use super::host_root::{HostRoot, Read};
use super::requirements::HostRequirements;
use super::{irqs, kernel, limits, memory, power, smt};

/// Everything that was found.
#[derive(Clone, Debug)]
pub(crate) struct Report {
    pub(crate) pinned: Pinned,
    pub(crate) findings: Vec<Finding>,
    /// None: not measured.
    pub(crate) gaps: Option<Read<Vec<CoreGaps>>>,
    /// The configuration file; None: none was given.
    pub(crate) requirements_from: Option<String>,
    pub(crate) strict_host: bool,
}

/// What an examination takes beside the requirements.
#[derive(Clone, Debug)]
pub(crate) struct Examination {
    pub(crate) root: HostRoot,
    /// Pinned cores from the command line.
    pub(crate) cores: Option<CpuList>,
    /// How long to spin on the pinned cores; zero: not at all.
    pub(crate) gap_time: Duration,
    pub(crate) wall: Read<WallClock>,
    pub(crate) disk: Disk,
}

impl Examination {
    /// Makes every check.
    pub(crate) fn examine(self, want: &HostRequirements, requirements_from: Option<String>) -> Report {
        let Self { root, cores, gap_time, wall, disk } = self;
        let sets = Cores::probe(&root);
        let pinned = Pinned::choose(cores, want, &sets);
        let gaps = (!gap_time.is_zero()).then(|| gaps::measure(&pinned, gap_time));
        let mut findings = kernel::check(&root);
        findings.extend(cores::check(&sets, &pinned, want));
        findings.push(smt::check(&root, &sets, &pinned, want));
        findings.push(irqs::check(&root, &pinned, want));
        findings.extend(power::check(&root, &pinned, want));
        findings.extend(memory::check(&root, &pinned, want));
        findings.extend(limits::check(&root, want));
        findings.extend(clock::check(&root, &wall, want));
        findings.push(disk::check(&disk, want));
        findings.push(gaps::check(gaps.as_ref(), want));
        Report { pinned, findings, gaps, requirements_from, strict_host: want.strict_host }
    }
}

impl Report {
    /// The checks that the configuration requires and the host does not show.
    pub(crate) fn unmet(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|finding| finding.is_unmet())
    }
}
