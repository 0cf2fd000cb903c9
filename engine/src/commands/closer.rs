//! Closes files somewhere else: where a handle is the last thing that is left of a file, its blocks are given back
//! before `close` returns, and on a busy disk that takes seconds (ext4 mounted with `discard`: eight were seen).

use std::fs::File;
use std::sync::mpsc::{Sender, channel};

/// A thread that closes what it is handed. It ends with its owner, who waits for nothing.
#[derive(Debug)]
pub(super) struct Closer(Option<Sender<File>>);

impl Closer {
    /// Without a thread, where there can be none, files are closed by the caller.
    pub(super) fn start() -> Self {
        let (sender, files) = channel();
        let body = move || files.into_iter().for_each(drop);
        let thread = std::thread::Builder::new().name("closer".into()).spawn(body);
        Self(thread.is_ok().then_some(sender))
    }

    pub(super) fn close(&self, file: File) {
        if let Some(files) = &self.0 {
            let _ = files.send(file); // a file that comes back is closed here
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;
    use std::os::fd::OwnedFd;

    #[test]
    fn a_file_is_closed_and_not_by_its_owner() {
        let (mut reader, writer) = std::io::pipe().unwrap();
        let closer = Closer::start();
        closer.close(File::from(OwnedFd::from(writer)));
        // The end is seen once the other handle is closed, which nothing here does.
        assert_eq!(reader.read(&mut [0; 1]).unwrap(), 0);
    }

    #[test]
    fn without_a_thread_a_file_is_closed_all_the_same() {
        let (mut reader, writer) = std::io::pipe().unwrap();
        Closer(None).close(File::from(OwnedFd::from(writer)));
        assert_eq!(reader.read(&mut [0; 1]).unwrap(), 0);
    }
}
