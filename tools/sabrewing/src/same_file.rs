//! Whether two paths lead to one file: what a command writes must not go over what it reads.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// The same path, or another one to the same file: a link, a detour.
pub(crate) fn is_same_file(path: &Path, other: &Path) -> bool {
    let identity = |path: &Path| std::fs::metadata(path).map(|file| (file.dev(), file.ino())).ok();
    path == other || identity(path).is_some_and(|id| identity(other) == Some(id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_known_by_any_of_its_paths() {
        let dir = tempfile::tempdir().unwrap();
        let [file, link, other, none] = ["file", "link", "other", "none"].map(|name| dir.path().join(name));
        std::fs::write(&file, "").unwrap();
        std::fs::write(&other, "").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        assert!(is_same_file(&file, &link) && is_same_file(&file, &dir.path().join("./file")));
        assert!(!is_same_file(&file, &other) && !is_same_file(&file, &none));
        assert!(is_same_file(&none, &none), "it would be made and read");
    }
}
