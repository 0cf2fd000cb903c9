//! Receives by io_uring: one stands in the kernel for each socket, into memory of its own, so that a turn without
//! data is a look at the completion ring and no system call.

use super::Received;
use io_uring::{IoUring, Probe, opcode, types};
use socket2::Socket;
use std::io::{self, ErrorKind};
use std::os::fd::AsRawFd;

pub(super) struct Uring {
    ring: IoUring,
    slots: Vec<Slot>,
}

/// What one socket receives.
struct Slot {
    buffer: Box<[u8]>,
    /// Bytes that came and are not taken.
    start: usize,
    end: usize,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Idle,
    /// The kernel has the buffer.
    Posted,
    Ended,
    /// The system's error number.
    Failed(i32),
}

impl Uring {
    /// Err: the kernel has no io_uring, forbids it, or cannot receive by it.
    pub(super) fn new() -> io::Result<Self> {
        let ring = IoUring::new(ENTRIES)?;
        let mut probe = Probe::new();
        ring.submitter().register_probe(&mut probe)?;
        if !probe.is_supported(opcode::Recv::CODE) {
            return Err(ErrorKind::Unsupported.into());
        }
        Ok(Self { ring, slots: Vec::new() })
    }

    /// A socket begins to use slot `at`.
    pub(super) fn add(&mut self, at: usize) {
        while self.slots.len() <= at {
            self.slots.push(Slot::new());
        }
        // An earlier socket's buffer may still be the kernel's: it is left to it, and given back by `reap`.
        if self.slots[at].state == State::Posted {
            self.wait_for(at);
        }
        if self.slots[at].state == State::Posted {
            let abandoned = std::mem::replace(&mut self.slots[at], Slot::new());
            std::mem::forget(abandoned.buffer);
        }
        let slot = &mut self.slots[at];
        (slot.start, slot.end, slot.state) = (0, 0, State::Idle);
    }

    /// The socket of slot `at` is shut down.
    pub(super) fn remove(&mut self, at: usize) {
        self.wait_for(at);
    }

    #[inline]
    pub(super) fn recv(&mut self, at: usize, socket: &Socket, room: &mut [u8]) -> io::Result<Received> {
        self.reap();
        let Some(slot) = self.slots.get_mut(at) else { return Err(ErrorKind::NotConnected.into()) };
        match slot.state {
            State::Posted => return Ok(Received::Nothing),
            State::Ended => return Ok(Received::End),
            State::Failed(number) => return Err(io::Error::from_raw_os_error(number)),
            State::Idle => {}
        }
        let count = room.len().min(slot.end - slot.start);
        room[..count].copy_from_slice(&slot.buffer[slot.start..slot.start + count]);
        slot.start += count;
        if slot.start == slot.end {
            self.post(at, socket)?;
        }
        Ok(if count > 0 { Received::Bytes(count) } else { Received::Nothing })
    }

    fn post(&mut self, at: usize, socket: &Socket) -> io::Result<()> {
        let Self { ring, slots } = self;
        let slot = &mut slots[at];
        let length = u32::try_from(slot.buffer.len()).unwrap_or(u32::MAX);
        let receive = opcode::Recv::new(types::Fd(socket.as_raw_fd()), slot.buffer.as_mut_ptr(), length);
        let entry = receive.build().user_data(at as u64);
        (slot.start, slot.end) = (0, 0);
        // SAFETY: the buffer is on the heap and is neither read, written nor freed while the state is `Posted`: `reap`
        // alone ends it, and `add` and `drop` give a buffer that is still posted away for good.
        let pushed = unsafe { ring.submission().push(&entry) };
        pushed.map_err(|_| io::Error::from(ErrorKind::WouldBlock))?;
        slot.state = State::Posted;
        loop {
            match ring.submit() {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                done => return done.map(|_| ()),
            }
        }
    }

    /// Takes what the kernel is done with.
    #[inline]
    fn reap(&mut self) {
        let Self { ring, slots } = self;
        for completion in ring.completion() {
            let at = usize::try_from(completion.user_data()).unwrap_or(usize::MAX);
            let Some(slot) = slots.get_mut(at) else { continue };
            slot.state = match completion.result() {
                0 => State::Ended,
                count if count > 0 => {
                    slot.end = usize::try_from(count).unwrap_or(0).min(slot.buffer.len());
                    State::Idle
                }
                error if [libc::EAGAIN, libc::EINTR].contains(&-error) => State::Idle,
                error => State::Failed(-error),
            };
        }
    }

    /// The socket of a posted slot was shut down, which ends its receive at once: waits for that, not for long.
    fn wait_for(&mut self, at: usize) {
        for _ in 0..1_000 {
            if self.slots.get(at).is_none_or(|slot| slot.state != State::Posted) {
                return;
            }
            // Entering the kernel lets it finish; what it says is in the ring.
            let _ = self.ring.submitter().submit_and_wait(0);
            self.reap();
        }
    }
}

impl Drop for Uring {
    fn drop(&mut self) {
        for at in 0..self.slots.len() {
            self.wait_for(at);
            if self.slots[at].state == State::Posted {
                std::mem::forget(std::mem::take(&mut self.slots[at].buffer));
            }
        }
    }
}

impl Slot {
    fn new() -> Self {
        let buffer = vec![0; BUFFER_BYTES].into_boxed_slice();
        Self { buffer, start: 0, end: 0, state: State::Idle }
    }
}

/// Submissions in one go: receives of that many sockets.
const ENTRIES: u32 = 64;

/// Memory of one socket.
const BUFFER_BYTES: usize = 32 * 1024;
