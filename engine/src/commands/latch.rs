//! The kill latch: a file named `KILL`. Where it lies no run starts, and a run beside which it appears stops.
//!
//! It lies in the run's directory and in the one above, which outlives the run. That it exists is all that
//! counts: an empty, damaged or foreign file kills too, and so does a directory that cannot be looked into.
//! Only an explicit release takes it away.

use super::command::is_plain;
use crate::time::Nanos;
use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// The latch's file name.
pub const KILL_FILE: &str = "KILL";

const FIRST_LINE: &str = "sabrewing kill 1";
/// Bytes of the file that are read.
const RECORD_BYTES_MAX: u64 = 4096;

/// What a latch says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KillRecord {
    /// Who killed; empty: the file does not say.
    pub author: String,
    /// When, UTC; 0: the file does not say.
    pub at: Nanos,
    /// Why; may be empty. Of a file that cannot be read: what is wrong with it.
    pub reason: String,
}

impl fmt::Display for KillRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("killed")?;
        if self.at.0 > 0 {
            write!(f, " {}", self.at)?;
        }
        if !self.author.is_empty() {
            write!(f, " by {}", self.author)?;
        }
        if self.reason.is_empty() { Ok(()) } else { write!(f, ": {}", self.reason) }
    }
}

impl KillRecord {
    fn text(&self) -> String {
        let plain = |text: &str| text.chars().filter(|c| !c.is_control()).collect::<String>();
        let (author, reason) = (plain(&self.author), plain(&self.reason));
        format!("{FIRST_LINE}\nauthor {author}\nat_ns {}\nreason {reason}\n", self.at.0)
    }

    /// What the text of a latch says; any bytes say something.
    fn parse(bytes: &[u8]) -> Self {
        let unreadable = Self { reason: "the latch's file says nothing readable".into(), ..Self::default() };
        let Ok(text) = std::str::from_utf8(bytes) else { return unreadable };
        let mut lines = text.split('\n');
        if lines.next() != Some(FIRST_LINE) {
            return unreadable;
        }
        let mut field = |name: &str| {
            let value = lines.next().and_then(|line| line.strip_prefix(name)?.strip_prefix(' '));
            value.filter(|value| is_plain(value)).map(str::to_owned)
        };
        let (author, at, reason) = (field("author"), field("at_ns"), field("reason"));
        match (author, at.and_then(|at| at.parse().ok()), reason) {
            (Some(author), Some(at), Some(reason)) => Self { author, at: Nanos(at), reason },
            _ => unreadable,
        }
    }
}

/// The latch of one directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KillLatch {
    path: PathBuf,
}

impl KillLatch {
    /// The latch of `dir`.
    #[must_use]
    pub fn of(dir: &Path) -> Self {
        Self { path: dir.join(KILL_FILE) }
    }

    /// The latches of a run: of its directory, and of the one that holds it.
    #[must_use]
    pub fn of_run(run_dir: &Path) -> Vec<Self> {
        let whole = fs::canonicalize(run_dir).unwrap_or_else(|_| run_dir.to_owned());
        [Some(whole.as_path()), whole.parent()].into_iter().flatten().map(Self::of).collect()
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What it says, if it is set: one `stat`, and a read where there is one. What cannot be looked at is set.
    #[must_use]
    pub fn check(&self) -> Option<KillRecord> {
        match fs::symlink_metadata(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => Some(KillRecord {
                reason: format!("whether there is a latch cannot be seen: {error}"),
                ..KillRecord::default()
            }),
            Ok(_) => Some(self.read().unwrap_or_else(|error| KillRecord {
                reason: format!("the latch's file cannot be read: {error}"),
                ..KillRecord::default()
            })),
        }
    }

    /// Sets it, whole or not at all, and on the disk when this returns. A latch that is set stays as it is.
    /// Err: nothing could be made there.
    pub fn set(&self, record: &KillRecord) -> io::Result<()> {
        let unnamed = self.path.with_extension(format!("tmp-{}-{}", std::process::id(), record.at.0));
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .custom_flags(libc::O_NOFOLLOW)
            .open(&unnamed)?;
        // A full disk must not keep anybody from killing: an empty latch kills as well.
        let _ = file.write_all(record.text().as_bytes()).and_then(|()| file.sync_all());
        let linked = match fs::hard_link(&unnamed, &self.path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            // A file system without links.
            Err(_) => fs::rename(&unnamed, &self.path),
            Ok(()) => Ok(()),
        };
        let _ = fs::remove_file(&unnamed); // a stray file is no latch
        linked?;
        self.sync_dir();
        Ok(())
    }

    /// Takes it away. Returns what it said; none: it was not set. Err: it is there and cannot be removed.
    pub fn release(&self) -> io::Result<Option<KillRecord>> {
        let Some(record) = self.check() else { return Ok(None) };
        fs::remove_file(&self.path)?;
        self.sync_dir();
        Ok(Some(record))
    }

    fn read(&self) -> io::Result<KillRecord> {
        // A pipe must not hold up the engine, nor a link lead it elsewhere.
        let flags = libc::O_NONBLOCK | libc::O_NOFOLLOW;
        let file = OpenOptions::new().read(true).custom_flags(flags).open(&self.path)?;
        if !file.metadata()?.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "not a regular file"));
        }
        let mut bytes = Vec::new();
        file.take(RECORD_BYTES_MAX).read_to_end(&mut bytes)?;
        Ok(KillRecord::parse(&bytes))
    }

    /// A latch in the memory of the file system is one all the same, so a failure changes nothing.
    fn sync_dir(&self) {
        let dir = self.path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let _ = File::open(dir).and_then(|dir| dir.sync_all());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    fn record() -> KillRecord {
        KillRecord { author: "bob".into(), at: Nanos(1_723_161_255_000_000_000), reason: "too odd".into() }
    }

    #[test]
    fn a_latch_stays_as_it_was_set_until_it_is_released() {
        let dir = tempfile::tempdir().unwrap();
        let latch = KillLatch::of(dir.path());
        assert_eq!((latch.check(), latch.release().unwrap()), (None, None));
        latch.set(&record()).unwrap();
        latch.set(&KillRecord { author: "eve".into(), ..record() }).unwrap();
        assert_eq!(latch.check(), Some(record()), "the first stays");
        assert_eq!(fs::metadata(latch.path()).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "nothing else is left");
        assert_eq!(latch.release().unwrap(), Some(record()));
        assert_eq!(latch.check(), None);
        assert_eq!(record().to_string(), "killed 2024-08-08T23:54:15.000000000Z by bob: too odd");
    }

    #[test]
    fn whatever_lies_there_kills() {
        let dir = tempfile::tempdir().unwrap();
        let latch = KillLatch::of(dir.path());
        let said = |bytes: &[u8]| {
            fs::write(latch.path(), bytes).unwrap();
            latch.check().unwrap().reason
        };
        let unreadable = "the latch's file says nothing readable";
        for bytes in [
            &b""[..],
            b"\xFF\xFE",
            b"sabrewing kill 2\n",
            b"sabrewing kill 1\nauthor a\x1b[2J\nat_ns 1\nreason \n",
        ] {
            assert_eq!(said(bytes), unreadable, "{bytes:?}");
        }
        assert_eq!(said(&vec![b'x'; 100_000]), unreadable);
        assert_eq!(said(b"sabrewing kill 1\nauthor a\nat_ns 1\nreason b\nmore\n"), "b");
        fs::remove_file(latch.path()).unwrap();
        symlink("/nowhere", latch.path()).unwrap();
        assert!(latch.check().unwrap().reason.contains("cannot be read"), "a link that leads nowhere");
        fs::remove_file(latch.path()).unwrap();
        fs::create_dir(latch.path()).unwrap();
        assert!(latch.check().unwrap().reason.contains("not a regular file"));
        assert!(latch.release().is_err());
        let inside_a_file = KillLatch::of(&latch.path().join("missing/../KILL"));
        assert_eq!(inside_a_file.check(), None);
    }

    #[test]
    fn control_characters_do_not_get_into_a_latch() {
        let dir = tempfile::tempdir().unwrap();
        let latch = KillLatch::of(dir.path());
        latch.set(&KillRecord { reason: "a\nat_ns 5\u{1b}[2J".into(), ..record() }).unwrap();
        assert_eq!(latch.check().unwrap().reason, "aat_ns 5[2J");
    }

    #[test]
    fn a_run_has_its_own_latch_and_that_of_the_directory_above() {
        let dir = tempfile::tempdir().unwrap();
        let run = dir.path().join("run");
        fs::create_dir(&run).unwrap();
        let whole = fs::canonicalize(dir.path()).unwrap();
        let paths: Vec<_> = KillLatch::of_run(&run).iter().map(|latch| latch.path().to_owned()).collect();
        assert_eq!(paths, [whole.join("run/KILL"), whole.join("KILL")]);
    }
}
