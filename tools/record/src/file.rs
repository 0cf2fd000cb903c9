//! One instrument's captures: lines of `<recv_ns> <json>`, gzip, a new file at every boundary of time. A file has its
//! name only once it is whole and was read again; until then it ends in `.part`.

use crate::start::Start;
use engine::time::Nanos;
use feeds::capture::{CaptureReader, Next};
use flate2::Compression;
use flate2::write::GzEncoder;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// The captures of one instrument.
pub(crate) struct Captures {
    dir: PathBuf,
    /// Venue and symbol, as they stand in file names.
    name: String,
    every: Nanos,
    open: Option<Open>,
    written: Arc<Written>,
}

/// What all captures of a recording have come to.
#[derive(Debug, Default)]
pub(crate) struct Written {
    lines: AtomicU64,
    files: AtomicU64,
    without_start: Mutex<Vec<String>>,
}

impl Written {
    /// Lines written.
    pub(crate) fn lines(&self) -> u64 {
        self.lines.load(Ordering::Relaxed)
    }

    /// Files that are whole.
    pub(crate) fn files(&self) -> u64 {
        self.files.load(Ordering::Relaxed)
    }

    /// Names of the files that cannot be replayed alone: no snapshot came that their updates follow.
    pub(crate) fn without_start(&self) -> Vec<String> {
        self.without_start.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

struct Open {
    out: GzEncoder<BufWriter<File>>,
    path: PathBuf,
    /// The next file begins here.
    until: Nanos,
    lines: u64,
    flushed: Nanos,
    start: Start,
}

impl Captures {
    /// Captures in `dir`, which is there, a new file at every multiple of `every`.
    pub(crate) fn new(dir: &Path, venue: &str, symbol: &str, every: Nanos, written: Arc<Written>) -> Self {
        let name = format!("{venue}_{}", symbol.to_lowercase());
        Self { dir: dir.to_owned(), name, every, open: None, written }
    }

    /// Adds a line. Returns what its file starts from, to be told of the frame. Err: the disk's, or a file that cannot
    /// be read again, with its path.
    pub(crate) fn line(&mut self, recv_ns: Nanos, json: &[u8]) -> Result<&mut Start, String> {
        if self.open.as_ref().is_some_and(|open| recv_ns >= open.until) {
            self.close()?;
        }
        let Self { dir, name, every, open, written } = self;
        let open = match open {
            Some(open) => open,
            none => none.insert(Open::begin(dir, name, *every, recv_ns)?),
        };
        let mut write = || {
            write!(open.out, "{} ", recv_ns.0)?;
            open.out.write_all(json)?;
            open.out.write_all(b"\n")?;
            // What a killed recorder loses is a second's worth.
            if recv_ns.since(open.flushed) >= Nanos::SECOND {
                open.flushed = recv_ns;
                open.out.flush()?;
            }
            Ok::<(), io::Error>(())
        };
        write().map_err(|error| format!("{}: {error}", open.path.display()))?;
        open.lines += 1;
        written.lines.fetch_add(1, Ordering::Relaxed);
        Ok(&mut open.start)
    }

    /// Ends the file that is open, reads it again, and gives it its name. Err: as [`Self::line`].
    pub(crate) fn close(&mut self) -> Result<(), String> {
        let Some(Open { out, path, lines, start, .. }) = self.open.take() else { return Ok(()) };
        let at = |what: &dyn std::fmt::Display| format!("{}: {what}", path.display());
        let file =
            out.finish().and_then(|buffer| buffer.into_inner().map_err(io::IntoInnerError::into_error));
        file.and_then(|file| file.sync_all()).map_err(|error| at(&error))?;
        let found = count(&path)?;
        if found != lines {
            return Err(at(&format!("{lines} lines were written, and {found} are there")));
        }
        let whole = path.with_extension("");
        std::fs::rename(&path, &whole).map_err(|error| at(&error))?;
        self.written.files.fetch_add(1, Ordering::Relaxed);
        if !start.is_there() {
            let name = whole.file_name().unwrap_or_default().to_string_lossy().into_owned();
            self.written.without_start.lock().unwrap_or_else(PoisonError::into_inner).push(name);
        }
        Ok(())
    }
}

impl Open {
    /// Err: as [`Captures::line`].
    fn begin(dir: &Path, name: &str, every: Nanos, now: Nanos) -> Result<Self, String> {
        let until = Nanos((now.0 / every.0 + 1) * every.0);
        let free = (0..1_000)
            .map(|more| if more == 0 { String::new() } else { format!("-{more}") })
            .map(|more| dir.join(format!("{name}_{}{more}.gz", stamp(now))))
            .find(|path| !path.exists() && !part(path).exists());
        let path = part(&free.ok_or_else(|| format!("{}: a thousand files of one second", dir.display()))?);
        let file = File::create_new(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        let out = GzEncoder::new(BufWriter::new(file), Compression::default());
        Ok(Self { out, path, until, lines: 0, flushed: now, start: Start::default() })
    }
}

/// `2026-11-28T03:00:00.123456789Z` to the second, without what file names do not take.
pub(crate) fn stamp(now: Nanos) -> String {
    now.to_string().chars().take(19).filter(|c| !matches!(c, '-' | ':')).chain(['Z']).collect()
}

fn part(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".part");
    name.into()
}

/// The lines of a capture, read as `replay` reads them. Err: it cannot be read to its end.
fn count(path: &Path) -> Result<u64, String> {
    let mut reader = CaptureReader::open(path).map_err(|error| error.to_string())?;
    let mut lines = 0;
    loop {
        match reader.wait() {
            Next::Line(_) => lines += 1,
            Next::NotYet => {}
            Next::End => return Ok(lines),
            Next::Failed(error) => return Err(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::message::Depth;
    use feeds::codec::Event;
    use feeds::venues::binance::{BinanceCodec, Product};

    fn captures(dir: &Path, venue: &str, symbol: &str) -> Captures {
        Captures::new(dir, venue, symbol, Nanos::HOUR, Arc::default())
    }

    fn names(dir: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name());
        let mut names: Vec<String> = entries.map(|name| name.into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn files_change_at_boundaries_of_time_and_have_their_names_when_they_are_whole() {
        let dir = tempfile::tempdir().unwrap();
        let hour = Nanos::HOUR;
        let mut recorded = captures(dir.path(), "binance-usdm", "BTCUSDT");
        let start = Nanos(1_723_161_255_030_314_667);
        recorded.line(start, b"{\"a\":1}").unwrap();
        recorded.line(start.plus(Nanos(1)), b"{\"a\":2}").unwrap();
        assert_eq!(names(dir.path()), ["binance-usdm_btcusdt_20240808T235415Z.gz.part"]);
        recorded.line(start.plus(hour), b"{\"a\":3}").unwrap();
        recorded.close().unwrap();
        assert_eq!(
            names(dir.path()),
            ["binance-usdm_btcusdt_20240808T235415Z.gz", "binance-usdm_btcusdt_20240809T005415Z.gz"]
        );
        assert_eq!((recorded.written.files(), recorded.written.lines()), (2, 3));
        assert_eq!(count(&dir.path().join(&names(dir.path())[0])), Ok(2));
    }

    #[test]
    fn each_file_needs_a_snapshot_of_its_own_and_those_without_one_are_named() {
        let dir = tempfile::tempdir().unwrap();
        let mut recorded = captures(dir.path(), "binance-usdm", "BTCUSDT");
        let codec = BinanceCodec::new(Product::UsdM, &[]);
        let start = recorded.line(Nanos(1), b"{}").unwrap();
        start.take(Event::Snapshot, &Depth { last_id: 7, ..Depth::default() }, &codec);
        assert!(start.is_there());
        let start = recorded.line(Nanos::HOUR, b"{}").unwrap();
        assert!(!start.is_there());
        start.take(Event::Delta, &Depth { last_id: 9, ..Depth::default() }, &codec);
        recorded.close().unwrap();
        assert_eq!(recorded.written.without_start(), ["binance-usdm_btcusdt_19700101T010000Z.gz"]);
    }

    #[test]
    fn a_file_of_another_recorder_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let record = || {
            let mut recorded = captures(dir.path(), "binance-spot", "ETHBTC");
            recorded.line(Nanos(1_723_161_255_030_314_667), b"{}").unwrap();
            recorded.close().unwrap();
        };
        record();
        record();
        assert_eq!(
            names(dir.path()),
            ["binance-spot_ethbtc_20240808T235415Z-1.gz", "binance-spot_ethbtc_20240808T235415Z.gz"]
        );
    }

    #[test]
    fn a_directory_that_is_gone_is_said_with_its_path() {
        let mut recorded = captures(Path::new("no/such/directory"), "v", "S");
        let error = recorded.line(Nanos(1), b"{}").unwrap_err();
        assert!(error.starts_with("no/such/directory/v_s_19700101T000000Z.gz.part: "), "{error}");
    }
}
