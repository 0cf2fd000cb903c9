//! Free disk in hours of journal. The rate is measured from an earlier run's journal where there is one, so
//! that the answer is about this engine's traffic and not about a guess.

use engine::ids::Lane;
use serde_json::json;
use std::ffi::CString;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::finding::{Finding, Wanted};
use super::host_root::{Read, reason};
use super::limits::bytes;
use super::requirements::HostRequirements;

/// Free space where journals go, and how fast it is used.
#[derive(Clone, Debug)]
pub(crate) struct Disk {
    /// Directory that was asked about, absolute where that can be found out.
    pub(crate) dir: PathBuf,
    /// Bytes free to this user on the file system of `dir`.
    pub(crate) free_bytes: Read<u64>,
    /// Bytes a second; None: nobody named or measured one.
    pub(crate) rate: Read<Option<Rate>>,
}

/// A journal's rate of growth.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Rate {
    /// Bytes a second, above 0.
    pub(crate) bytes_per_s: f64,
    /// Where the figure comes from, in words.
    pub(crate) from: String,
}

impl Disk {
    /// Free space and rate for `dir`; a rate given on the command line wins over one measured from a journal
    /// in `dir`, and that one over the configuration's.
    pub(crate) fn probe(dir: &Path, given: Option<u64>, want: &HostRequirements) -> Self {
        let named = |rate: u64, from: &str| Rate { bytes_per_s: to_f64(rate), from: from.to_owned() };
        let rate = match given {
            Some(rate) => Ok(Some(named(rate, "--journal-bytes-per-s"))),
            None => measured(dir).map(|measured| {
                let configured = want.journal_bytes_per_s;
                measured.or_else(|| {
                    configured.map(|rate| named(rate, "journal_bytes_per_s of the configuration"))
                })
            }),
        };
        let shown = std::path::absolute(dir).unwrap_or_else(|_| dir.to_owned());
        Self { dir: shown, free_bytes: free_bytes(dir), rate }
    }
}

/// The check of free disk.
pub(crate) fn check(disk: &Disk, want: &HostRequirements) -> Finding {
    let id = "disk.journal_hours";
    let min = want.disk_hours_min;
    let wanted = Wanted::new(min.is_some(), format!("at least {} h", min.unwrap_or(HOURS_RECOMMENDED)));
    let free = match &disk.free_bytes {
        Ok(free) => *free,
        Err(why) => return Finding::unknown(id, wanted, why),
    };
    let dir = disk.dir.display();
    let rate = match &disk.rate {
        Ok(Some(rate)) => rate,
        Ok(None) => {
            let why = format!(
                "{} free for {dir}, but no rate: give --dir a run with a journal, --journal-bytes-per-s, or \
                 journal_bytes_per_s in [host]",
                bytes(free)
            );
            return Finding::unknown(id, wanted, why).with_data(json!({ "free_bytes": free }));
        }
        Err(why) => return Finding::unknown(id, wanted, why).with_data(json!({ "free_bytes": free })),
    };
    let hours = to_f64(free) / rate.bytes_per_s / 3600.0;
    let good = hours >= min.unwrap_or(HOURS_RECOMMENDED);
    Finding::judged(
        id,
        wanted,
        good,
        format!("{hours:.1} h at {}/s ({})", bytes(whole(rate.bytes_per_s)), rate.from),
    )
    .because(format!("{} free for {dir}; a full disk stops trading", bytes(free)))
    .advise(["# free space, move the journals to a larger disk, or shorten the journal's retention"])
    .with_data(json!({
        "dir": disk.dir,
        "free_bytes": free,
        "bytes_per_s": rate.bytes_per_s,
        "rate_from": rate.from,
        "hours": hours,
    }))
}

/// Bytes free to this user on the file system that holds `dir`, or would hold it once it is made.
fn free_bytes(dir: &Path) -> Read<u64> {
    let absolute =
        std::path::absolute(dir).map_err(|error| format!("{}: {}", dir.display(), reason(&error)))?;
    let existing = absolute.ancestors().find(|path| path.exists()).unwrap_or(Path::new("/"));
    let fail = |why: String| format!("{}: {why}", existing.display());
    let path =
        CString::new(existing.as_os_str().as_bytes()).map_err(|_| fail("a zero byte in the path".into()))?;
    // SAFETY: `statvfs` holds integers only, for which all zeros is a value.
    let mut stat: libc::statvfs = unsafe { std::mem::zeroed() };
    // SAFETY: `path` is a terminated string and `stat` is writable; both live through the call.
    if unsafe { libc::statvfs(path.as_ptr(), &raw mut stat) } != 0 {
        return Err(fail(reason(&std::io::Error::last_os_error())));
    }
    Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
}

/// One segment file: its length and the span of its life.
#[derive(Clone, Copy, Debug)]
struct Segment {
    len_bytes: u64,
    made: SystemTime,
    written: SystemTime,
}

/// The rate of the journal in `dir`, which is a run's directory (with `journal/` in it) or a journal itself.
/// None: neither. The newest segment of each lane counts whole while it is being written, so the rate of a
/// short live run is too high rather than too low.
/// Err: a directory or file cannot be read, or the journal is too short to tell.
fn measured(dir: &Path) -> Read<Option<Rate>> {
    let inner = dir.join("journal");
    let journal = if inner.is_dir() { inner.as_path() } else { dir };
    let fail = |error: &std::io::Error| format!("{}: {}", journal.display(), reason(error));
    let entries = match fs::read_dir(journal) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        entries => entries.map_err(|error| fail(&error))?,
    };
    let mut segments = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|error| fail(&error))?;
        if is_segment(&entry.file_name().to_string_lossy()) {
            let about = entry.metadata().map_err(|error| fail(&error))?;
            let written = about.modified().map_err(|error| fail(&error))?;
            // A file system without birth times still tells the rate when there are two segments.
            segments.push(Segment {
                len_bytes: about.len(),
                made: about.created().unwrap_or(written),
                written,
            });
        }
    }
    if segments.is_empty() {
        return Ok(None);
    }
    match growth(&segments) {
        Some((len_bytes, seconds)) => Ok(Some(Rate {
            bytes_per_s: to_f64(len_bytes) / seconds,
            from: format!("measured: {} in {seconds:.0} s of {}", bytes(len_bytes), journal.display()),
        })),
        None => {
            Err(format!("{}: the journal spans less than a second, too short for a rate", journal.display()))
        }
    }
}

/// Bytes, and the seconds from the first segment's making to the last write. None: under a second, or nothing.
fn growth(segments: &[Segment]) -> Option<(u64, f64)> {
    let len_bytes = segments.iter().map(|segment| segment.len_bytes).sum();
    let made = segments.iter().map(|segment| segment.made).min()?;
    let written = segments.iter().map(|segment| segment.written).max()?;
    let seconds = written.duration_since(made).ok()?.as_secs_f64();
    (seconds >= 1.0 && len_bytes > 0).then_some((len_bytes, seconds))
}

/// Whether a file name is `<lane>-<number>.seg`.
fn is_segment(name: &str) -> bool {
    let parts = name.strip_suffix(".seg").and_then(|stem| stem.split_once('-'));
    parts.is_some_and(|(lane, number)| {
        Lane::ALL.iter().any(|known| known.name() == lane) && number.bytes().all(|byte| byte.is_ascii_digit())
    })
}

/// Bytes as a float for rates and hours, where a part in 2^53 is nothing.
fn to_f64(count: u64) -> f64 {
    count as f64
}

/// A rate as whole bytes, for the screen.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "rates are positive; `as` saturates"
)]
fn whole(bytes_per_s: f64) -> u64 {
    bytes_per_s.round() as u64
}

/// A day of trading without anybody looking.
const HOURS_RECOMMENDED: f64 = 24.0;

#[cfg(test)]
mod tests {
    use super::super::finding::State;
    use super::*;
    use std::time::Duration;

    fn disk(free_bytes: u64, bytes_per_s: f64) -> Disk {
        let rate = Rate { bytes_per_s, from: "test".into() };
        Disk { dir: "runs".into(), free_bytes: Ok(free_bytes), rate: Ok(Some(rate)) }
    }

    #[test]
    fn hours_are_free_bytes_by_the_rate() {
        let of = |min| HostRequirements { disk_hours_min: Some(min), ..Default::default() };
        let two_hours = disk(7_200_000, 1000.0);
        assert_eq!(check(&two_hours, &of(2.0)).state, State::Ok);
        assert_eq!(check(&two_hours, &of(2.1)).state, State::Fail);
        assert_eq!(check(&two_hours, &HostRequirements::default()).state, State::Warn);
        assert_eq!(check(&two_hours, &of(2.0)).data["hours"], 2.0);
    }

    #[test]
    fn without_a_rate_the_hours_are_unknown_and_the_free_bytes_told() {
        let finding = check(&Disk { rate: Ok(None), ..disk(1 << 30, 1.0) }, &HostRequirements::default());
        assert_eq!(finding.state, State::Unknown);
        assert!(finding.why.starts_with("1 GiB free for runs, but no rate"), "{}", finding.why);
    }

    #[test]
    fn a_given_rate_wins_over_a_measured_one_and_that_over_the_configured_one() {
        let run = tempfile::tempdir().unwrap();
        let want = HostRequirements { journal_bytes_per_s: Some(5), ..Default::default() };
        let from = |given| Disk::probe(run.path(), given, &want).rate.unwrap().unwrap().from;
        assert_eq!(from(None), "journal_bytes_per_s of the configuration");
        fs::create_dir(run.path().join("journal")).unwrap();
        let path = run.path().join("journal/feed-000001.seg");
        fs::write(&path, [1; 4000]).unwrap();
        fs::write(run.path().join("journal/notes.txt"), [1; 4000]).unwrap();
        let file = fs::File::options().write(true).open(path).unwrap();
        let made = file.metadata().unwrap().created().unwrap();
        file.set_modified(made + Duration::from_secs(100)).unwrap();
        assert!(from(None).starts_with("measured: 3.9 KiB in 100 s of "), "{}", from(None));
        assert_eq!(from(Some(7)), "--journal-bytes-per-s");
    }

    #[test]
    fn growth_runs_from_the_first_making_to_the_last_write() {
        let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let segment = |len_bytes, made, written| Segment { len_bytes, made: at(made), written: at(written) };
        let segments = [segment(300, 20, 30), segment(700, 10, 20)];
        assert_eq!(growth(&segments), Some((1000, 20.0)));
        assert_eq!(growth(&[segment(300, 20, 20)]), None);
        assert_eq!(growth(&[segment(0, 20, 30)]), None);
    }

    #[test]
    fn a_directory_that_is_yet_to_be_made_is_measured_at_its_nearest_parent() {
        let dir = tempfile::tempdir().unwrap();
        assert!(free_bytes(&dir.path().join("not/yet")).unwrap() > 0);
    }

    #[test]
    fn only_segment_names_are_segments() {
        assert!(is_segment("gateway-000012.seg"));
        for name in ["gateway-000012.tmp", "other-000001.seg", "feed.seg", "feed-x.seg"] {
            assert!(!is_segment(name), "{name}");
        }
    }
}
