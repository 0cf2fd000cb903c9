//! The directory that an engine keeps between its runs: who it is, how many runs it has had, and their directories.
//!
//! ```text
//! DATA/engine         engine = 7          names the engine in every client order id; written once
//! DATA/runs           runs = 12           the number of the last run begun
//! DATA/lock           locked while an engine runs
//! DATA/run-000012/    journal/ counters commands/
//! ```
//!
//! A run's number is on the disk before the run has a directory, so that no end, however sudden, lets two runs have
//! one number: with it, client order ids are never used again.

use std::fmt;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// An engine's directory, locked against a second engine.
#[derive(Debug)]
pub struct DataDir {
    path: PathBuf,
    engine: u16,
    _lock: File, // held open: the lock ends with it
}

/// A run of an engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunDir {
    /// The run's number, from 1.
    pub number: u32,
    /// Its directory.
    pub path: PathBuf,
}

/// Why there is no run.
#[derive(Debug)]
pub enum DataDirError {
    /// A file, and what the system says of it.
    Io(PathBuf, io::Error),
    /// Another process runs an engine here.
    InUse(PathBuf),
    /// The directory is another engine's: its id.
    OtherEngine(PathBuf, u16),
    /// A file does not say what it should.
    Text(PathBuf),
    /// 4,294,967,295 runs have been.
    NoRunLeft,
}

impl fmt::Display for DataDirError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(path, error) => write!(f, "{}: {error}", path.display()),
            Self::InUse(path) => write!(f, "{}: an engine is running here", path.display()),
            Self::OtherEngine(path, engine) => {
                write!(f, "{}: belongs to engine {engine}", path.display())
            }
            Self::Text(path) => write!(f, "{}: must be one line `name = number`", path.display()),
            Self::NoRunLeft => f.write_str("the run counter is at its end"),
        }
    }
}

impl std::error::Error for DataDirError {}

impl DataDir {
    /// The directory of `engine`, made if it is not there. Err: see [`DataDirError`].
    pub fn open(path: &Path, engine: u16) -> Result<Self, DataDirError> {
        fs::create_dir_all(path).map_err(|error| DataDirError::Io(path.into(), error))?;
        let lock_path = path.join("lock");
        let failed = |error| DataDirError::Io(lock_path.clone(), error);
        let lock =
            OpenOptions::new().create(true).truncate(false).write(true).open(&lock_path).map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(DataDirError::InUse(path.into())),
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        let dir = Self { path: path.into(), engine, _lock: lock };
        match dir.number("engine")? {
            None => dir.store("engine", u64::from(engine))?,
            Some(known) if known == u64::from(engine) => {}
            Some(known) => {
                let known = u16::try_from(known).map_err(|_| DataDirError::Text(dir.path.join("engine")))?;
                return Err(DataDirError::OtherEngine(dir.path.clone(), known));
            }
        }
        Ok(dir)
    }

    /// The engine's id.
    #[must_use]
    pub const fn engine(&self) -> u16 {
        self.engine
    }

    /// The last run begun. None: there was none. Err: see [`DataDirError`].
    pub fn last_run(&self) -> Result<Option<RunDir>, DataDirError> {
        let Some(number) = self.number("runs")? else { return Ok(None) };
        let number = u32::try_from(number).map_err(|_| DataDirError::Text(self.path.join("runs")))?;
        Ok(Some(self.run(number)))
    }

    /// Begins the next run: counts it, and makes its directory. Err: see [`DataDirError`].
    pub fn begin_run(&self) -> Result<RunDir, DataDirError> {
        let last = self.last_run()?.map_or(0, |run| run.number);
        let run = self.run(last.checked_add(1).ok_or(DataDirError::NoRunLeft)?);
        self.store("runs", u64::from(run.number))?;
        fs::create_dir(&run.path).map_err(|error| DataDirError::Io(run.path.clone(), error))?;
        Ok(run)
    }

    /// The run of a number, whether it has been or not.
    #[must_use]
    pub fn run(&self, number: u32) -> RunDir {
        RunDir { number, path: self.path.join(format!("run-{number:06}")) }
    }

    /// What a file says. None: there is no such file.
    fn number(&self, name: &str) -> Result<Option<u64>, DataDirError> {
        let path = self.path.join(name);
        match fs::read_to_string(&path) {
            Ok(text) => {
                let digits = text.strip_prefix(name).and_then(|rest| rest.strip_prefix(" = "));
                let number = digits.and_then(|rest| rest.trim_end().parse().ok());
                // Exactly as it is written here: no sign, no leading zero, a line feed.
                number
                    .filter(|number: &u64| text == line(name, *number))
                    .map(Some)
                    .ok_or(DataDirError::Text(path))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => Err(DataDirError::Text(path)),
            Err(error) => Err(DataDirError::Io(path, error)),
        }
    }

    /// Replaces what a file says, on the disk before this returns: the old text or the new one, never a part.
    fn store(&self, name: &str, number: u64) -> Result<(), DataDirError> {
        let path = self.path.join(name);
        let new = self.path.join(format!("{name}.new"));
        let stored = File::create(&new)
            .and_then(|mut file| {
                file.write_all(line(name, number).as_bytes())?;
                file.sync_all()
            })
            .and_then(|()| fs::rename(&new, &path))
            .and_then(|()| File::open(&self.path)?.sync_all());
        stored.map_err(|error| DataDirError::Io(path, error))
    }
}

/// What a file says.
fn line(name: &str, number: u64) -> String {
    format!("{name} = {number}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_numbered_across_engines_that_come_and_go() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("data");
        let data = DataDir::open(&path, 7).unwrap();
        assert_eq!((data.engine(), data.last_run().unwrap()), (7, None));
        let first = data.begin_run().unwrap();
        assert_eq!((first.number, first.path.is_dir()), (1, true));
        assert_eq!(data.begin_run().unwrap().path, path.join("run-000002"));
        drop(data);
        let data = DataDir::open(&path, 7).unwrap();
        assert_eq!(data.last_run().unwrap().unwrap().number, 2);
        // A run that ended before it had a directory has had its number all the same.
        fs::remove_dir(path.join("run-000002")).unwrap();
        assert_eq!(data.begin_run().unwrap().number, 3);
    }

    #[test]
    fn a_directory_in_use_of_another_engine_or_with_other_text_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let data = DataDir::open(dir.path(), 7).unwrap();
        assert!(matches!(DataDir::open(dir.path(), 7), Err(DataDirError::InUse(_))));
        drop(data);
        let error = DataDir::open(dir.path(), 8).unwrap_err();
        assert!(error.to_string().ends_with("belongs to engine 7"), "{error}");
        for text in ["runs = x\n", "runs = 7", "runs = +7\n", "runs = 07\n", "7\n", "runs = 99999999999\n"] {
            fs::write(dir.path().join("runs"), text).unwrap();
            let data = DataDir::open(dir.path(), 7).unwrap();
            assert!(matches!(data.begin_run(), Err(DataDirError::Text(_))), "{text}");
        }
        fs::write(dir.path().join("runs"), "runs = 4294967295\n").unwrap();
        let data = DataDir::open(dir.path(), 7).unwrap();
        assert!(matches!(data.begin_run(), Err(DataDirError::NoRunLeft)));
    }
}
