//! What a configuration file may require of the host: its `[host]` table.

use serde::Deserialize;
use serde::de::{Deserializer, Error as _};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::cpu_list::CORE_MAX;
use super::host_root::reason;

/// Requirements on the host, as written in the `[host]` table. An absent key requires nothing, and so
/// does a `false`; `Default` therefore is a table without keys. Ranges are enforced while reading, so that
/// an error carries its line.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HostRequirements {
    /// `run` and `replay` refuse to start while a requirement is unmet. Doctor judges the same either way.
    pub(crate) strict_host: bool,
    /// Cores that the engine's threads are pinned to; at least one, no repeats, each in 0..=1023. Absent:
    /// the isolated cores, or where there are none, all that the process may use.
    #[serde(deserialize_with = "cores")]
    pub(crate) pinned_cores: Option<Vec<u32>>,
    /// Every pinned core is in the kernel's isolated set (`isolcpus=`, or an isolated cpuset partition).
    pub(crate) cores_isolated: bool,
    /// Every pinned core runs without the scheduler's tick (`nohz_full=`).
    pub(crate) cores_nohz_full: bool,
    /// No hardware thread that shares a physical core with a pinned core is pinned itself or open to the
    /// scheduler: it is offline or isolated.
    pub(crate) smt_siblings_free: bool,
    /// No interrupt that has fired since boot may run on a pinned core.
    pub(crate) irqs_off_pinned_cores: bool,
    /// All pinned cores belong to one NUMA node.
    pub(crate) one_numa_node: bool,
    /// Frequency governor of every pinned core, such as `performance`.
    #[serde(deserialize_with = "word")]
    pub(crate) governor: Option<String>,
    /// Largest exit latency of an enabled idle state on a pinned core, us.
    pub(crate) idle_exit_us_max: Option<u64>,
    /// Huge pages of the default size that are reserved and free.
    pub(crate) huge_pages_min: Option<u64>,
    /// Mode of transparent huge pages: `always`, `madvise` or `never`.
    #[serde(deserialize_with = "word")]
    pub(crate) transparent_huge_pages: Option<String>,
    /// No swap space is in use by the kernel.
    pub(crate) swap_off: bool,
    /// Memory that the process may lock, bytes. A process with `CAP_IPC_LOCK` has no limit.
    pub(crate) memlock_bytes_min: Option<u64>,
    /// Real-time priority that the process may take, 1..=99. A process with `CAP_SYS_NICE` has no limit.
    #[serde(deserialize_with = "priority")]
    pub(crate) rtprio_min: Option<u64>,
    /// The kernel's clock source, such as `tsc`.
    #[serde(deserialize_with = "word")]
    pub(crate) clock_source: Option<String>,
    /// The kernel holds the wall clock for synchronised.
    pub(crate) clock_synchronised: bool,
    /// Largest error of the wall clock as estimated by what disciplines it, us.
    pub(crate) clock_error_us_max: Option<u64>,
    /// Directory that takes the journals; free disk is measured there unless `--dir` names another.
    pub(crate) journal_dir: Option<PathBuf>,
    /// Rate at which a journal is expected to grow, bytes a second, above 0; a rate measured from a journal
    /// is preferred.
    #[serde(deserialize_with = "positive_integer")]
    pub(crate) journal_bytes_per_s: Option<u64>,
    /// Hours for which the free disk lasts at the journal's rate; above 0.
    #[serde(deserialize_with = "positive")]
    pub(crate) disk_hours_min: Option<f64>,
    /// Largest p99.9 of the scheduling gaps above 1 us of a spinning thread, on every pinned core, us;
    /// above 0.
    #[serde(deserialize_with = "positive")]
    pub(crate) scheduling_gap_us_p999_max: Option<f64>,
}

/// A configuration file seen through doctor's eyes: every table but `host` is somebody else's.
#[derive(Deserialize)]
struct ConfigFile {
    host: Option<HostRequirements>,
}

impl HostRequirements {
    /// Reads the `[host]` table of a TOML file. None: the file has no such table.
    /// Err: cannot be read, not TOML, an unknown key, a wrong type or a value out of range; the message
    /// starts with `FILE:LINE:` where a line is to blame and quotes the line.
    pub(crate) fn read(file: &Path) -> Result<Option<Self>, String> {
        let text =
            fs::read_to_string(file).map_err(|error| format!("{}: {}", file.display(), reason(&error)))?;
        toml::from_str::<ConfigFile>(&text).map(|config| config.host).map_err(|error| {
            let place = error.span().map(|span| {
                let before = text.get(..span.start).unwrap_or(&text);
                let line = before.matches('\n').count();
                (line + 1, text.lines().nth(line).unwrap_or("").trim())
            });
            let message = error.message().replace('\n', "; ");
            match place {
                Some((line, source)) => format!("{}:{line}: {message}, at `{source}`", file.display()),
                None => format!("{}: {message}", file.display()),
            }
        })
    }
}

fn cores<'de, D: Deserializer<'de>>(input: D) -> Result<Option<Vec<u32>>, D::Error> {
    let cores = Vec::<u32>::deserialize(input)?;
    let mut seen = BTreeSet::new();
    if cores.is_empty() {
        return Err(D::Error::custom("pinned_cores names no core"));
    }
    for core in &cores {
        if *core > CORE_MAX {
            return Err(D::Error::custom(format!("core {core} is beyond {CORE_MAX}")));
        }
        if !seen.insert(core) {
            return Err(D::Error::custom(format!("core {core} is listed twice")));
        }
    }
    Ok(Some(cores))
}

fn word<'de, D: Deserializer<'de>>(input: D) -> Result<Option<String>, D::Error> {
    let word = String::deserialize(input)?;
    if word.is_empty() || word.contains(char::is_whitespace) {
        return Err(D::Error::custom(format!("`{word}` is not one word")));
    }
    Ok(Some(word))
}

fn positive<'de, D: Deserializer<'de>>(input: D) -> Result<Option<f64>, D::Error> {
    let value = f64::deserialize(input)?;
    if value.is_finite() && value > 0.0 {
        return Ok(Some(value));
    }
    Err(D::Error::custom(format!("{value} is not above 0")))
}

fn positive_integer<'de, D: Deserializer<'de>>(input: D) -> Result<Option<u64>, D::Error> {
    match u64::deserialize(input)? {
        0 => Err(D::Error::custom("0 is not above 0")),
        value => Ok(Some(value)),
    }
}

fn priority<'de, D: Deserializer<'de>>(input: D) -> Result<Option<u64>, D::Error> {
    match u64::deserialize(input)? {
        value @ 1..=99 => Ok(Some(value)),
        value => Err(D::Error::custom(format!("{value} is not in 1..=99"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Option<HostRequirements>, String> {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("host.toml");
        fs::write(&file, text).unwrap();
        HostRequirements::read(&file).map_err(|why| why.replace(&dir.path().display().to_string(), ""))
    }

    #[test]
    fn other_tables_are_ignored_and_a_missing_table_is_none() {
        assert_eq!(read("[risk]\norder_lots_max = 3\n").unwrap(), None);
        let host = read("[risk]\nx = 1\n[host]\ngovernor = \"performance\"\n").unwrap().unwrap();
        assert_eq!(host.governor.as_deref(), Some("performance"));
        assert_eq!(HostRequirements { governor: None, ..host }, HostRequirements::default());
    }

    #[test]
    fn an_unknown_key_is_refused_with_file_line_and_key() {
        let why = read("[host]\n\ngoverner = \"performance\"\n").unwrap_err();
        assert!(why.starts_with("/host.toml:3: ") && why.contains("`governer`"), "{why}");
    }

    #[test]
    fn a_wrong_type_or_range_is_refused_with_its_line_and_key() {
        for line in [
            "governor = 3",
            "governor = \"\"",
            "cores_isolated = \"yes\"",
            "pinned_cores = []",
            "pinned_cores = [1, 1]",
            "pinned_cores = [1024]",
            "pinned_cores = [-1]",
            "rtprio_min = 100",
            "disk_hours_min = 0",
            "disk_hours_min = nan",
            "journal_bytes_per_s = 0",
            "scheduling_gap_us_p999_max = -1.0",
            "huge_pages_min = -1",
        ] {
            let why = read(&format!("# comment\n[host]\nswap_off = true\n{line}\n")).unwrap_err();
            assert!(why.starts_with("/host.toml:4: ") && why.ends_with(&format!("at `{line}`")), "{why}");
        }
    }

    #[test]
    fn what_is_not_toml_is_refused_with_its_line() {
        let why = read("[host]\nswap_off = \n").unwrap_err();
        assert!(why.starts_with("/host.toml:2: "), "{why}");
    }

    #[test]
    fn whole_numbers_are_taken_where_fractions_may_stand() {
        assert_eq!(read("[host]\ndisk_hours_min = 24\n").unwrap().unwrap().disk_hours_min, Some(24.0));
    }

    #[test]
    fn the_shipped_example_is_read() {
        let file = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/configs/host.toml"));
        assert!(HostRequirements::read(file).unwrap().unwrap().cores_isolated);
    }
}
