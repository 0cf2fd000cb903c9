//! `sabrewing doctor`: is this host fit to trade on? It reads, measures and recommends; it changes nothing
//! (`tuning/setup-host` does). What a run must not start without is written in the configuration's `[host]`
//! table, so the same judgement serves the operator and the run.

mod clock;
mod cores;
mod cpu_list;
mod disk;
mod finding;
mod gaps;
mod host_root;
mod irqs;
mod kernel;
mod limits;
mod memory;
mod power;
mod render;
mod report;
mod requirements;
mod smt;

use clap::Args;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clock::WallClock;
use cpu_list::CpuList;
use disk::Disk;
pub(crate) use finding::Finding;
use host_root::HostRoot;
use report::Examination;
pub(crate) use requirements::HostRequirements;

/// Check whether this host is fit to trade on, and say what would make it fitter.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  sabrewing doctor
  sabrewing doctor --config host.toml --json
  sabrewing doctor --cores 2-5,8 --seconds 60
  sabrewing doctor --seconds 0 --dir data --journal-bytes-per-s 2000000

Exit codes: 0 nothing required is missing (warnings do not count); 1 a requirement of the configuration is not met or
cannot be verified; 2 usage or configuration.")]
pub(crate) struct DoctorArgs {
    /// Configuration whose `[host]` table states what is required; other tables are not looked at
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Cores that the engine's threads are pinned to, such as 2-5,8 [default: pinned_cores of the
    /// configuration, else the isolated cores, else all that this process may use]
    #[arg(long, value_name = "LIST", value_parser = given_cores)]
    cores: Option<CpuList>,
    /// How long to measure scheduling gaps on the pinned cores, s, at most 600; 0 leaves it out
    #[arg(long, value_name = "S", default_value = "3", value_parser = given_seconds)]
    seconds: Duration,
    /// Directory that takes the journals, or an earlier run or journal in it, whose rate is then measured
    /// [default: journal_dir of the configuration, else the current directory]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Rate at which the journal grows, bytes a second, instead of a measured or configured one
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    journal_bytes_per_s: Option<u64>,
    /// Print one JSON object instead of text
    #[arg(long)]
    json: bool,
}

/// Examines the host and prints the report on stdout.
pub(crate) fn run(args: &DoctorArgs) -> ExitCode {
    let read = args.config.as_deref().map(HostRequirements::read).transpose();
    let want = match read {
        Ok(want) => want.flatten().unwrap_or_default(),
        Err(why) => {
            eprintln!("sabrewing doctor: {why}");
            return ExitCode::from(2);
        }
    };
    if !args.seconds.is_zero() && io::stderr().is_terminal() {
        eprintln!("measuring scheduling gaps for {} s ...", args.seconds.as_secs_f64());
    }
    let dir = args.dir.as_deref().or(want.journal_dir.as_deref()).unwrap_or(Path::new("."));
    let examination = Examination {
        root: HostRoot::live(),
        cores: args.cores.clone(),
        gap_time: args.seconds,
        wall: WallClock::probe(),
        disk: Disk::probe(dir, args.journal_bytes_per_s, &want),
    };
    let report = examination.examine(&want, args.config.as_ref().map(|file| file.display().to_string()));
    let text = if args.json { format!("{}\n", render::json(&report)) } else { render::text(&report) };
    // A reader that has gone away (`doctor | head`) changes nothing about the verdict.
    _ = io::stdout().write_all(text.as_bytes());
    if report.unmet().next().is_some() { ExitCode::from(1) } else { ExitCode::SUCCESS }
}

/// What `want` requires and this host does not show, for a run that is asked to be strict. Takes
/// [`GAP_TIME`] when a scheduling gap is limited, otherwise milliseconds; `pinned_cores` should hold
/// the placement's cores.
pub(crate) fn unmet(want: &HostRequirements) -> Vec<Finding> {
    let dir = want.journal_dir.as_deref().unwrap_or(Path::new("."));
    let examination = Examination {
        root: HostRoot::live(),
        cores: None,
        gap_time: if want.scheduling_gap_us_p999_max.is_some() { GAP_TIME } else { Duration::ZERO },
        wall: WallClock::probe(),
        disk: Disk::probe(dir, None, want),
    };
    let mut findings = examination.examine(want, None).findings;
    findings.retain(Finding::is_unmet);
    findings
}

fn given_cores(text: &str) -> Result<CpuList, String> {
    let cores = CpuList::parse(text)?;
    if cores.is_empty() { Err("no core is named".to_owned()) } else { Ok(cores) }
}

fn given_seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "not a number of seconds".to_owned())?;
    if (0.0..=SECONDS_MAX).contains(&seconds) {
        return Ok(Duration::from_secs_f64(seconds));
    }
    Err(format!("not in 0..={SECONDS_MAX} s"))
}

/// How long a strict run measures scheduling gaps before it starts.
const GAP_TIME: Duration = Duration::from_secs(1);
/// Longest measurement of scheduling gaps, s.
const SECONDS_MAX: f64 = 600.0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_told_exactly_what_is_unmet_on_this_host() {
        let want = HostRequirements {
            pinned_cores: Some(vec![cpu_list::CORE_MAX]),
            governor: Some("no-such-governor".into()),
            ..Default::default()
        };
        let ids: Vec<&str> = unmet(&want).iter().map(|finding| finding.id).collect();
        assert_eq!(ids, ["cores.pinned", "power.governor"]);
        assert!(unmet(&HostRequirements::default()).is_empty());
    }

    #[test]
    fn seconds_are_a_number_from_0_to_600() {
        assert_eq!(given_seconds("0.5"), Ok(Duration::from_millis(500)));
        for text in ["-1", "601", "nan", "inf", "x"] {
            assert!(given_seconds(text).is_err(), "{text}");
        }
    }
}
