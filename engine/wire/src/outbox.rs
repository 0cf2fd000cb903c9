//! Bytes on their way out: written once into memory taken at start, sent from there.

use std::fmt;

/// What is written and not sent yet.
pub struct Outbox {
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
}

/// More is waiting to be sent than there is room for: the peer, or the network, does not take it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutboxFull;

impl fmt::Display for OutboxFull {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the peer takes nothing: the send buffer is full")
    }
}

impl std::error::Error for OutboxFull {}

impl Outbox {
    /// Room for `bytes` bytes.
    #[must_use]
    pub fn new(bytes: usize) -> Self {
        Self { buffer: vec![0; bytes].into_boxed_slice(), start: 0, end: 0 }
    }

    /// What is to be sent, in order.
    #[inline]
    #[must_use]
    pub fn unsent(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    /// The first `count` unsent bytes are sent.
    #[inline]
    pub fn sent(&mut self, count: usize) {
        self.start = (self.start + count).min(self.end);
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        }
    }

    /// Appends what `write` writes, which says how many bytes that was. `write` gets at least `bytes`.
    /// Err: there is less room; `write` was not called.
    #[inline]
    pub fn append<E>(
        &mut self,
        bytes: usize,
        write: impl FnOnce(&mut [u8]) -> Result<usize, E>,
    ) -> Result<Result<(), E>, OutboxFull> {
        if self.buffer.len() - self.end < bytes {
            self.buffer.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        let room = &mut self.buffer[self.end..];
        if room.len() < bytes {
            return Err(OutboxFull);
        }
        let room_bytes = room.len();
        Ok(write(room).map(|count| self.end += count.min(room_bytes)))
    }

    /// Appends `bytes`. Err: there is not room for all of them; nothing was appended.
    #[inline]
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), OutboxFull> {
        let copied = self.append(bytes.len(), |room| {
            room[..bytes.len()].copy_from_slice(bytes);
            Ok::<_, OutboxFull>(bytes.len())
        });
        copied?
    }

    /// Forgets what is not sent.
    pub fn clear(&mut self) {
        (self.start, self.end) = (0, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_leave_in_the_order_written_and_room_comes_back() {
        let mut outbox = Outbox::new(8);
        outbox.push(b"abcde").unwrap();
        outbox.sent(3);
        assert_eq!(outbox.unsent(), b"de");
        outbox.push(b"fghijk").unwrap();
        assert_eq!(outbox.unsent(), b"defghijk");
        assert_eq!(outbox.push(b"l"), Err(OutboxFull));
        outbox.sent(100);
        assert_eq!(outbox.unsent(), b"");
        outbox.push(b"12345678").unwrap();
        outbox.clear();
        assert_eq!(outbox.unsent(), b"");
    }
}
