//! One thread of a running process, kept from running: what a thread that stalls looks like from outside.

use std::path::Path;
use std::process::Child;

/// A thread that does not run until it is released, or its process ends. Released, or waited for, by the thread
/// that holds it.
pub(crate) struct Held(i32);

impl Held {
    /// Holds the thread of this name.
    pub(crate) fn of(process: &Child, thread: &str) -> Self {
        let is_it = |path: &Path| {
            std::fs::read_to_string(path.join("comm")).is_ok_and(|name| name.trim_end() == thread)
        };
        let tasks = std::fs::read_dir(format!("/proc/{}/task", process.id())).unwrap();
        let path = tasks.map(|task| task.unwrap().path()).find(|path| is_it(path)).unwrap();
        let tid = path.file_name().unwrap().to_str().unwrap().parse().unwrap();
        let held = Self(tid);
        held.trace(libc::PTRACE_SEIZE);
        held.trace(libc::PTRACE_INTERRUPT);
        assert!(libc::WIFSTOPPED(held.wait()), "{thread} has ended");
        held
    }

    /// Lets it run on.
    pub(crate) fn release(self) {
        self.trace(libc::PTRACE_DETACH);
    }

    /// Waits until it is gone with its process, which its process has to wait for.
    pub(crate) fn wait_for_its_end(self) {
        while libc::WIFSTOPPED(self.wait()) {}
    }

    fn trace(&self, request: libc::c_uint) {
        // SAFETY: asks the kernel about a thread of a child that was not waited for; no memory is handed over.
        let answer = unsafe { libc::ptrace(request, self.0, 0, 0) };
        assert_eq!(answer, 0, "thread {}: {}", self.0, std::io::Error::last_os_error());
    }

    fn wait(&self) -> libc::c_int {
        let mut status = 0;
        // SAFETY: waits for the thread that this one holds.
        let waited = unsafe { libc::waitpid(self.0, &raw mut status, libc::__WALL) };
        assert_eq!(waited, self.0, "{}", std::io::Error::last_os_error());
        status
    }
}

/// The shipped configuration with another deadline for threads, ms.
pub(crate) fn with_stall_ms(ms: u32) -> String {
    let shipped = concat!(env!("CARGO_MANIFEST_DIR"), "/configs/replay.toml");
    let text = std::fs::read_to_string(shipped).unwrap();
    let changed = text.replace("stall_ms = 2000", &format!("stall_ms = {ms}"));
    assert_ne!(text, changed);
    changed
}
