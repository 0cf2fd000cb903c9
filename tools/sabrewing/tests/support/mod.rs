//! Running `sabrewing replay` as its users do, and the captures to run it on.
#![allow(dead_code, reason = "each test binary uses its part")]

pub(crate) mod hold;
pub(crate) mod journal;
pub(crate) mod market;

use serde_json::Value;
use std::ffi::OsStr;
use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A recorded file; the tests fail loudly where it is missing.
pub(crate) fn shared(path: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared").join(path);
    assert!(path.is_file(), "{} is missing: the recorded data belongs beside the repository", path.display());
    path
}

/// The text of a file, inflated when its name says so.
pub(crate) fn text_of(path: &Path) -> String {
    let bytes = fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    if path.extension().is_none_or(|extension| extension != "gz") {
        return String::from_utf8(bytes).unwrap();
    }
    let mut text = String::new();
    flate2::read::MultiGzDecoder::new(&bytes[..]).read_to_string(&mut text).unwrap();
    text
}

/// The lines of a recorded capture.
pub(crate) fn lines_of(path: &str) -> Vec<String> {
    text_of(&shared(path)).lines().map(str::to_owned).collect()
}

pub(crate) fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

/// `sabrewing replay`, not yet started.
pub(crate) fn command(args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sabrewing"));
    command.arg("replay").args(args).stdin(Stdio::null());
    command
}

/// What a replay said and how it ended.
#[derive(Clone, Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Self { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }
}

impl Ran {
    /// The summary: one JSON object on one line, and nothing else.
    pub(crate) fn json(&self) -> Value {
        assert_eq!(self.stdout.matches('\n').count(), 1, "{self:?}");
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Fails unless the exit code is `code`, nothing panicked, and stderr has all of `words`.
    pub(crate) fn expect(self, code: i32, words: &[&str]) -> Self {
        assert_eq!(self.code, Some(code), "{self:?}");
        assert!(!self.stderr.contains("panicked"), "{self:?}");
        for word in words {
            assert!(self.stderr.contains(word), "`{word}` is not in {:?}", self.stderr);
        }
        self
    }

    /// A summary's numbers by key.
    pub(crate) fn counts<const N: usize>(&self, keys: [&str; N]) -> [u64; N] {
        let json = self.json();
        keys.map(|key| json[key].as_u64().unwrap_or_else(|| panic!("{key} in {json}")))
    }
}

/// Runs `sabrewing replay` to its end.
pub(crate) fn replay(args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Ran {
    command(args).output().unwrap().into()
}

/// A temporary directory with files in it.
pub(crate) struct Dir(tempfile::TempDir);

impl Dir {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// The path of a file that may not exist.
    pub(crate) fn at(&self, name: &str) -> String {
        self.0.path().join(name).to_str().unwrap().to_owned()
    }

    /// Writes a file, compressed when its name says so.
    pub(crate) fn file(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        let content = content.as_ref();
        let bytes = if name.ends_with(".gz") { gzip(content) } else { content.to_vec() };
        self.raw(name, &bytes)
    }

    /// Writes a file as it is.
    pub(crate) fn raw(&self, name: &str, bytes: &[u8]) -> String {
        fs::write(self.at(name), bytes).unwrap();
        self.at(name)
    }

    /// Writes lines, each with its line end.
    pub(crate) fn lines<T: AsRef<str>>(&self, name: &str, lines: impl IntoIterator<Item = T>) -> String {
        let text: String = lines.into_iter().map(|line| line.as_ref().to_owned() + "\n").collect();
        self.file(name, text)
    }
}

/// Names of what the tests are run on.
pub(crate) const USDM: &str = "captures/usdm/btcusdt_20240808.gz";
pub(crate) const SPOT: &str = "captures/spot/btcusdt_20240808.gz";
pub(crate) const SPOT_NEXT: &str = "captures/spot/btcusdt_20240809.gz";
pub(crate) const COINM: &str = "captures/cm/btcusd_perp_20240808.gz";
pub(crate) const HYPERLIQUID: &str = "captures/hyperliquid/btcusd_20250126.gz";

/// A path as an argument.
pub(crate) fn arg(path: &str) -> String {
    shared(path).to_str().unwrap().to_owned()
}
