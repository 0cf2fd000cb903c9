//! What the kernel says about the current thread: name, id, cores. Read back after pinning, because asking
//! for a core and getting it are two things.

/// Name, thread id, and the cores that the current thread may run on.
#[must_use]
pub fn of_current() -> (String, i32, Vec<usize>) {
    // SAFETY: takes no argument and cannot fail.
    let tid = unsafe { libc::gettid() };
    let name = std::fs::read_to_string(format!("/proc/self/task/{tid}/comm")).unwrap_or_default();
    (name.trim_end().to_owned(), tid, allowed_cores())
}

/// Whether this process has a thread of this id. Where the kernel cannot be asked, it has.
#[must_use]
pub fn is_there(tid: i32) -> bool {
    // SAFETY: takes no argument and cannot fail.
    let pid = unsafe { libc::getpid() };
    // SAFETY: plain numbers; signal 0 is sent to nobody.
    let answer = unsafe { libc::syscall(libc::SYS_tgkill, pid, tid, 0) };
    answer == 0 || std::io::Error::last_os_error().raw_os_error() != Some(libc::ESRCH)
}

/// The cores that the current thread may run on, ascending. Empty when the kernel does not say.
#[must_use]
pub fn allowed_cores() -> Vec<usize> {
    let mut set = std::mem::MaybeUninit::<libc::cpu_set_t>::zeroed();
    // SAFETY: the pointer is to a whole `cpu_set_t` of the size given; all-zero is a valid one.
    let (answer, set) = unsafe {
        let answer = libc::sched_getaffinity(0, size_of::<libc::cpu_set_t>(), set.as_mut_ptr());
        (answer, set.assume_init())
    };
    if answer != 0 {
        return Vec::new();
    }
    let cores = usize::try_from(libc::CPU_SETSIZE).unwrap_or(0);
    // SAFETY: the index stays below CPU_SETSIZE.
    (0..cores).filter(|core| unsafe { libc::CPU_ISSET(*core, &set) }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pinned_thread_reads_its_core_back_from_the_kernel() {
        let allowed = allowed_cores();
        let wanted = *allowed.last().expect("this thread runs somewhere");
        let facts = std::thread::Builder::new()
            .name("pinned".into())
            .spawn(move || {
                core_affinity::set_for_current(core_affinity::CoreId { id: wanted });
                of_current()
            })
            .unwrap()
            .join()
            .unwrap();
        assert_eq!((facts.0.as_str(), facts.2), ("pinned", vec![wanted]));
        assert!(facts.1 > 0);
    }
}
