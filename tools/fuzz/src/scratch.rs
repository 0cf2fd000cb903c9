//! Files and directories for functions that take a path.

use std::cell::OnceCell;
use std::path::PathBuf;
use tempfile::TempDir;

thread_local! {
    static SCRATCH: OnceCell<TempDir> = const { OnceCell::new() };
}

/// A path in this thread's own directory, which goes when the thread ends; in memory where the system has such.
///
/// # Panics
/// No directory can be made.
#[must_use]
pub(crate) fn path(name: &str) -> PathBuf {
    SCRATCH.with(|scratch| {
        let dir = scratch.get_or_init(|| {
            let made = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir());
            made.unwrap_or_else(|error| panic!("no scratch directory: {error}"))
        });
        dir.path().join(name)
    })
}

/// A file of this thread with `bytes` in it.
///
/// # Panics
/// It cannot be written.
#[must_use]
pub(crate) fn file(name: &str, bytes: &[u8]) -> PathBuf {
    let path = path(name);
    std::fs::write(&path, bytes).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    path
}
