//! Where the probes read: `/` on a live host, a fixture tree in tests. A container lacks most of `/sys`,
//! so a file that cannot be read is an answer with its reason, never a panic.

use std::fs;
use std::path::PathBuf;

/// A value read from the host, or why it could not be read, in words for the operator.
pub(crate) type Read<T> = Result<T, String>;

/// The directory that stands for `/`.
#[derive(Clone, Debug)]
pub(crate) struct HostRoot(PathBuf);

impl HostRoot {
    /// The machine that this process runs on.
    pub(crate) fn live() -> Self {
        Self(PathBuf::from("/"))
    }

    #[cfg(test)]
    pub(crate) fn at(dir: &std::path::Path) -> Self {
        Self(dir.to_path_buf())
    }

    /// The text of a file, without the white space around it; bytes that are not UTF-8 are replaced.
    /// `path` is relative to the root, as in `proc/swaps`.
    /// Err: cannot be read; names the absolute path and the system's reason.
    pub(crate) fn read(&self, path: &str) -> Read<String> {
        match fs::read(self.0.join(path)) {
            Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).trim().to_owned()),
            Err(error) => Err(format!("/{path}: {}", reason(&error))),
        }
    }

    /// The file's text through `parse`.
    /// Err: cannot be read, or `parse` refused it; names the path.
    pub(crate) fn parse<T>(&self, path: &str, parse: impl FnOnce(&str) -> Read<T>) -> Read<T> {
        parse(&self.read(path)?)
            .map_err(|why| if why.starts_with('/') { why } else { format!("/{path}: {why}") })
    }

    /// The names in a directory, sorted. Err: cannot be listed.
    pub(crate) fn list(&self, path: &str) -> Read<Vec<String>> {
        let entries =
            fs::read_dir(self.0.join(path)).map_err(|error| format!("/{path}: {}", reason(&error)))?;
        let mut names: Vec<String> =
            entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        Ok(names)
    }

    /// Whether the path exists.
    pub(crate) fn exists(&self, path: &str) -> bool {
        self.0.join(path).exists()
    }
}

/// The system's reason without Rust's `(os error N)`.
pub(crate) fn reason(error: &std::io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or(&text).to_lowercase()
}

/// A tree of fake `/proc` and `/sys` files, removed when dropped.
#[cfg(test)]
pub(crate) struct Fixture {
    dir: tempfile::TempDir,
}

#[cfg(test)]
impl Fixture {
    /// A tree that holds `files`: path and content.
    pub(crate) fn new(files: &[(&str, &str)]) -> Self {
        let fixture = Self { dir: tempfile::tempdir().unwrap() };
        for (path, text) in files {
            fixture.put(path, text);
        }
        fixture
    }

    pub(crate) fn put(&self, path: &str, text: &str) {
        let path = self.dir.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub(crate) fn root(&self) -> HostRoot {
        HostRoot::at(self.dir.path())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_file_is_named_by_its_path_on_the_host() {
        let why = Fixture::new(&[]).root().read("sys/devices/system/cpu/isolated").unwrap_err();
        assert_eq!(why, "/sys/devices/system/cpu/isolated: no such file or directory");
    }

    #[test]
    fn a_refused_text_is_named_by_its_path() {
        let fixture = Fixture::new(&[("proc/x", "seven")]);
        let why = fixture.root().parse("proc/x", |_| Err::<u32, _>("not a number".into())).unwrap_err();
        assert_eq!(why, "/proc/x: not a number");
    }
}
