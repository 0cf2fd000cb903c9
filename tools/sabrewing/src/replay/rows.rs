//! Files of rows that taps write while the stages run.

use flate2::Compression;
use flate2::write::GzEncoder;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::SyncSender;

/// A file of rows. What goes wrong with it while the stages run is told once, and ends the writing.
pub(crate) struct RowFile {
    out: Option<Output>,
    path: PathBuf,
    failed: SyncSender<String>,
}

enum Output {
    Plain(BufWriter<File>),
    Gzip(Box<GzEncoder<BufWriter<File>>>),
}

impl RowFile {
    /// Makes the file, compressed when its name ends in `.gz`, with this text in it. `failed` has room for one
    /// message of every file. Err: the file, and what the system says.
    pub(crate) fn create(path: &Path, text: &str, failed: SyncSender<String>) -> Result<Self, String> {
        let out = Output::create(path).map_err(|error| format!("{}: {error}", path.display()))?;
        let mut file = Self { out: Some(out), path: path.to_owned(), failed };
        file.write(text);
        Ok(file)
    }

    /// Makes a file with nothing but this text in it. Err: as `create`, or what is held back cannot be written.
    pub(crate) fn create_without_rows(path: &Path, text: &str) -> Result<(), String> {
        let written = Output::create(path).and_then(|mut out| {
            out.write_all(text.as_bytes())?;
            out.finish()
        });
        written.map_err(|error| format!("{}: {error}", path.display()))
    }

    /// Writes a row.
    pub(crate) fn write(&mut self, row: &str) {
        let Some(out) = &mut self.out else { return };
        if let Err(error) = out.write_all(row.as_bytes()) {
            self.out = None;
            self.fail(&error);
        }
    }

    fn fail(&self, error: &io::Error) {
        // The receiver is gone only when nobody wants to know.
        let _ = self.failed.send(format!("{}: {error}", self.path.display()));
    }
}

impl Drop for RowFile {
    fn drop(&mut self) {
        if let Some(Err(error)) = self.out.take().map(Output::finish) {
            self.fail(&error);
        }
    }
}

impl Output {
    fn create(path: &Path) -> io::Result<Self> {
        let file = BufWriter::with_capacity(1 << 16, File::create(path)?);
        Ok(match path.extension() {
            Some(extension) if extension == "gz" => {
                Self::Gzip(Box::new(GzEncoder::new(file, Compression::default())))
            }
            _ => Self::Plain(file),
        })
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Plain(out) => out.write_all(bytes),
            Self::Gzip(out) => out.write_all(bytes),
        }
    }

    /// Writes what is held back, and what ends a compressed file.
    fn finish(self) -> io::Result<()> {
        match self {
            Self::Plain(mut out) => out.flush(),
            Self::Gzip(out) => out.finish()?.flush(),
        }
    }
}
