//! Every interleaving of the journal's two protocols, over the code that runs:
//! `RUSTFLAGS="--cfg loom" cargo test -p engine --lib journal::model --target-dir target/loom`.

use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::sync::atomic::{AtomicPtr, AtomicU64, Ordering, fence};
use loom::thread;

use super::commit::{Place, Word, publish, write_record};
use super::handoff::{PtrCell, Slot};
use super::record::{Entry, INLINE_BYTES, check, view};
use crate::ids::Lane;

impl Word for AtomicU64 {
    fn store(&self, value: u64, order: Ordering) {
        Self::store(self, value, order);
    }
}

impl<T> PtrCell<T> for AtomicPtr<T> {
    fn load(&self, order: Ordering) -> *mut T {
        Self::load(self, order)
    }

    fn store(&self, value: *mut T, order: Ordering) {
        Self::store(self, value, order);
    }
}

fn words(count: usize) -> Arc<Vec<AtomicU64>> {
    Arc::new((0..count).map(|_| AtomicU64::new(0)).collect())
}

/// What the file reader does with two read calls: the first word, a fence, all words.
fn observe(words: &[AtomicU64]) -> Option<Vec<u8>> {
    if words[0].load(Ordering::Relaxed) == 0 {
        return None;
    }
    fence(Ordering::Acquire);
    Some(words.iter().flat_map(|word| word.load(Ordering::Relaxed).to_le_bytes()).collect())
}

#[test]
fn a_reader_sees_a_whole_record_or_none() {
    for body in [&b"abc"[..], b"a body that needs a raw cell behind its head"] {
        loom::model(move || {
            let cells = words(16);
            let written = Arc::clone(&cells);
            let (short, long) = body.split_at(body.len().min(INLINE_BYTES));
            let mut inline = [0; INLINE_BYTES];
            inline[..short.len()].copy_from_slice(short);
            let used = if long.is_empty() { 8 } else { 16 };
            let writer = thread::spawn(move || {
                let place = Place { lane: Lane::Feed, seq: 1, len_bytes: body.len() as u32 };
                write_record(&written[..used], place, &Entry::default(), inline, long, || ());
            });
            if let Some(bytes) = observe(&cells[..used]) {
                assert_eq!(check(&bytes, Lane::Feed), Ok(()));
                assert_eq!(view(&bytes, Lane::Feed).unwrap().body, body);
            }
            writer.join().unwrap();
        });
    }
}

#[test]
fn a_mark_appears_whole_after_all_records_before_it() {
    loom::model(|| {
        let file = words(8 + 3);
        let written = Arc::clone(&file);
        let writer = thread::spawn(move || {
            let place = Place { lane: Lane::Feed, seq: 1, len_bytes: 0 };
            write_record(&written[..8], place, &Entry::default(), [0; INLINE_BYTES], &[], || ());
            publish(&written[8..], &[2, 77, 64], || ());
        });
        if let Some(mark) = observe(&file[8..]) {
            assert_eq!(mark.as_chunks::<8>().0, [2_u64, 77, 64].map(u64::to_le_bytes));
            assert!(observe(&file[..8]).is_some_and(|bytes| check(&bytes, Lane::Feed).is_ok()));
        }
        writer.join().unwrap();
    });
}

/// Stands for a segment: not atomic, so that the checker sees every access that is not ordered.
struct Segment(UnsafeCell<u64>);

impl Segment {
    fn new(value: u64) -> Arc<Self> {
        Arc::new(Self(UnsafeCell::new(value)))
    }

    fn set(&self, value: u64) {
        // SAFETY: the model checker reports any access at the same time.
        self.0.with_mut(|cell| unsafe { *cell = value });
    }

    fn value(&self) -> u64 {
        // SAFETY: as in `set`.
        self.0.with(|cell| unsafe { *cell })
    }
}

#[test]
fn writer_and_helper_are_never_in_a_segment_at_the_same_time() {
    loom::model(|| {
        let slot = Arc::new(Slot::new(AtomicPtr::new(std::ptr::null_mut())));
        let first = Segment::new(1);
        let (of_writer, mut current) = (Arc::clone(&slot), Arc::clone(&first));
        let writer = thread::spawn(move || {
            for number in 2..=3 {
                loop {
                    let moved = of_writer.take(|next: *mut Segment| {
                        current.set(10 * current.value()); // the end mark of the former
                        // SAFETY: put there by `Arc::into_raw` below.
                        current = unsafe { Arc::from_raw(next.cast_const()) };
                        assert_eq!(current.value(), number);
                    });
                    if moved {
                        break;
                    }
                    thread::yield_now();
                }
            }
        });
        let mut held = first;
        for number in 2..=3 {
            let next = Segment::new(0);
            next.set(number); // touching its pages
            slot.put(Arc::into_raw(Arc::clone(&next)).cast_mut());
            while slot.is_full() {
                thread::yield_now();
            }
            assert_eq!(held.value(), 10 * (number - 1)); // trimming by its end mark
            held.set(0);
            held = next;
        }
        writer.join().unwrap();
    });
}
