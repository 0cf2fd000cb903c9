//! The ring between two threads: single producer, single consumer, 64-byte cells (`rtrb`), whole messages.
//!
//! A message is committed in one chunk, so that the reader sees all of it or nothing; a ring without room for
//! all of it takes none of it. The reader hands out references into the ring and gives the cells back in one
//! commit a batch.

use crate::counters::Counter;
use crate::message::{Cell, Head, Kind, Message};
use crate::stage::Sink;
use crate::time::Nanos;
use rtrb::{Consumer, Producer, RingBuffer};
use std::ops::ControlFlow;

/// Inputs that one turn takes at most.
pub const BATCH_MAX: u32 = 64;

/// The sending end.
pub struct RingSender {
    producer: Producer<Cell>,
    reserve_cells: usize,
    sent: u64,
    refused: u64,
    counters: Option<[Counter; 2]>,
}

/// The receiving end.
pub struct RingReceiver {
    consumer: Consumer<Cell>,
    /// A message that wraps around the ring's end is put together here.
    joined: Box<[Cell]>,
    taken: u64,
    counter: Option<Counter>,
}

/// A ring of `capacity_cells` (at least twice `message_cells`) for messages of at most `message_cells` cells,
/// heads included. `reserve_cells` is what [`Sink::has_room`] asks for: all that one input can cause.
#[must_use]
pub fn ring(capacity_cells: usize, message_cells: usize, reserve_cells: usize) -> (RingSender, RingReceiver) {
    let capacity = capacity_cells.max(2 * message_cells).max(2 * reserve_cells);
    let (producer, consumer) = RingBuffer::new(capacity);
    let joined = vec![Cell::default(); message_cells].into_boxed_slice();
    let sender = RingSender { producer, reserve_cells, sent: 0, refused: 0, counters: None };
    (sender, RingReceiver { consumer, joined, taken: 0, counter: None })
}

impl RingSender {
    /// Publishes the numbers of messages sent and refused.
    #[must_use]
    pub fn counting(self, sent: Counter, refused: Counter) -> Self {
        Self { counters: Some([sent, refused]), ..self }
    }

    /// Messages handed over.
    #[must_use]
    pub const fn sent(&self) -> u64 {
        self.sent
    }

    /// Messages that found no room.
    #[must_use]
    pub const fn refused(&self) -> u64 {
        self.refused
    }

    /// Whether the reader is gone.
    #[must_use]
    pub fn is_abandoned(&self) -> bool {
        self.producer.is_abandoned()
    }
}

impl Sink for RingSender {
    #[inline]
    fn send(&mut self, message: Message<'_>) -> bool {
        let body_cells = message.body.len();
        let Ok(mut chunk) = self.producer.write_chunk_uninit(1 + body_cells) else {
            self.refused += 1;
            if let Some([_, refused]) = &mut self.counters {
                refused.set(self.refused);
            }
            return false;
        };
        let (first, second) = chunk.as_mut_slices();
        let (head_slot, first, second) = match first.split_first_mut() {
            Some((slot, first)) => (slot, first, second),
            None => return false,
        };
        // Copied first and completed in place: a small store into a copy would hold up the wide load after it.
        let written: &mut Head =
            zerocopy::transmute_mut!(head_slot.write(zerocopy::transmute!(*message.head)));
        // `message_cells` of every ring fits 16 bits; the feed stage refuses larger frames.
        written.body_cells = u16::try_from(body_cells).unwrap_or(u16::MAX);
        if body_cells > 0 {
            let (here, there) = message.body.split_at(first.len().min(body_cells));
            first.write_copy_of_slice(here);
            second.write_copy_of_slice(there);
        }
        // SAFETY: the head slot and both slices, together the whole chunk, were written above.
        unsafe { chunk.commit_all() };
        self.sent += 1;
        if let Some([sent, _]) = &mut self.counters {
            sent.set(self.sent);
        }
        true
    }

    #[inline]
    fn has_room(&mut self) -> bool {
        self.producer.cached_slots() >= self.reserve_cells || self.producer.slots() >= self.reserve_cells
    }

    #[inline]
    fn advance(&mut self, _now: Nanos) -> u32 {
        0
    }

    #[inline]
    fn settle(&mut self) -> u32 {
        0
    }

    fn is_settled(&self) -> bool {
        true
    }

    fn halt(&mut self) {}
}

impl RingReceiver {
    /// Publishes the number of messages taken.
    #[must_use]
    pub fn counting(self, taken: Counter) -> Self {
        Self { counter: Some(taken), ..self }
    }

    /// Hands up to `max` messages to `f`, oldest first, until `f` breaks. Returns how many it took; the one
    /// that `f` broke on counts as taken.
    #[inline]
    pub fn take(&mut self, max: u32, mut f: impl FnMut(Message<'_>) -> ControlFlow<()>) -> u32 {
        let available = self.consumer.slots();
        if available == 0 {
            return 0;
        }
        let Ok(chunk) = self.consumer.read_chunk(available) else { return 0 };
        let (first, second) = chunk.as_slices();
        let (mut position, mut count) = (0, 0);
        while count < max && position < available {
            let cell =
                if position < first.len() { &first[position] } else { &second[position - first.len()] };
            let head: &Head = zerocopy::transmute_ref!(cell);
            let (start, end) = (position + 1, position + 1 + usize::from(head.body_cells));
            let body = if end <= first.len() {
                &first[start..end]
            } else if start >= first.len() {
                &second[start - first.len()..end - first.len()]
            } else {
                let (here, there) = (&first[start..], &second[..end - first.len()]);
                let joined = &mut self.joined[..here.len() + there.len()];
                joined[..here.len()].copy_from_slice(here);
                joined[here.len()..].copy_from_slice(there);
                &*joined
            };
            position = end;
            count += 1;
            if f(Message { head, body }).is_break() {
                break;
            }
        }
        chunk.commit(position);
        self.taken += u64::from(count);
        if let Some(counter) = &mut self.counter {
            counter.set(self.taken);
        }
        count
    }

    /// Messages taken.
    #[must_use]
    pub const fn taken(&self) -> u64 {
        self.taken
    }

    /// Whether there is nothing to take now.
    #[inline]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.consumer.is_empty()
    }

    /// Whether more than half of the ring waits to be taken.
    #[must_use]
    pub fn is_behind(&self) -> bool {
        self.consumer.slots() > self.consumer.buffer().capacity() / 2
    }

    /// Whether the sender is gone; what it committed before can still be taken.
    #[must_use]
    pub fn is_abandoned(&self) -> bool {
        self.consumer.is_abandoned()
    }
}

/// Whether a message ends its path.
#[inline]
#[must_use]
pub fn is_end(head: &Head) -> bool {
    head.kind() == Some(Kind::End)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Kind;
    use proptest::prelude::*;

    fn cells(count: usize, tag: u64) -> Vec<Cell> {
        (0..count).map(|i| Cell([tag + i as u64; 8])).collect()
    }

    #[test]
    fn a_full_ring_takes_none_of_a_message() {
        let (mut tx, mut rx) = ring(8, 4, 4);
        let head = Head { line: 1, ..Head::new(Kind::Delta) };
        let body = cells(3, 100);
        assert!(tx.has_room() && tx.send(Message { head: &head, body: &body }));
        assert!(tx.send(Message { head: &head, body: &body }));
        assert!(!tx.has_room());
        assert!(!tx.send(Message { head: &head, body: &[] }));
        assert_eq!((tx.sent(), tx.refused()), (2, 1));
        assert_eq!(rx.take(1, |_| ControlFlow::Continue(())), 1);
        assert!(tx.send(Message { head: &head, body: &body }), "room came back");
        assert_eq!(rx.take(9, |_| ControlFlow::Continue(())), 2);
        assert_eq!(rx.taken(), 3);
    }

    #[test]
    fn a_break_leaves_the_rest_in_the_ring() {
        let (mut tx, mut rx) = ring(16, 4, 4);
        for line in 0..4 {
            tx.send(Message { head: &Head { line, ..Head::new(Kind::Timer) }, body: &[] });
        }
        let mut seen = Vec::new();
        rx.take(9, |m| {
            seen.push(m.head.line);
            if m.head.line == 1 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        assert_eq!(seen, [0, 1]);
        rx.take(9, |m| {
            seen.push(m.head.line);
            ControlFlow::Continue(())
        });
        assert_eq!(seen, [0, 1, 2, 3]);
    }

    proptest! {
        /// Messages of any size come out whole and in order, also around the ring's end.
        #[test]
        fn messages_come_out_as_they_went_in(sizes in proptest::collection::vec(0_usize..12, 1..200), batch in 1_u32..9) {
            let (mut tx, mut rx) = ring(29, 13, 13);
            let (mut sent, mut received) = (0_usize, 0_usize);
            while received < sizes.len() {
                while sent < sizes.len() {
                    let head = Head { line: u32::try_from(sent).unwrap(), ..Head::new(Kind::Delta) };
                    if !tx.send(Message { head: &head, body: &cells(sizes[sent], sent as u64 * 1000) }) { break }
                    sent += 1;
                }
                rx.take(batch, |message| {
                    assert_eq!(message.head.line as usize, received);
                    let expected = cells(sizes[received], received as u64 * 1000);
                    assert_eq!(message.body.len(), expected.len());
                    assert!(message.body.iter().zip(&expected).all(|(a, b)| a.0 == b.0));
                    received += 1;
                    ControlFlow::Continue(())
                });
            }
            prop_assert_eq!(tx.sent(), rx.taken());
        }
    }
}
