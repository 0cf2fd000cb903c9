//! Every order in which the two ends of a slot may see each other's stores, by the model checker:
//! `RUSTFLAGS="--cfg loom" cargo test -p engine --lib commands::model --target-dir target/loom`.

use super::layout::{self, FILE_WORDS, Half, Header};
use crate::counters::region::Region;
use loom::sync::Arc;
use loom::thread;
use std::sync::atomic::{Ordering, fence};

const HEADER: Header = Header { pid: 1, uid: 2, start_ns: 3 };

/// What the engine does with two read calls: the id, a fence, the rest.
fn observe(region: &Region, half: Half, id: u64) -> Option<Option<Vec<u8>>> {
    let at = half.word(id);
    if region.word(at).load(Ordering::Relaxed) != id {
        return None;
    }
    fence(Ordering::Acquire);
    let stored: Vec<u8> =
        (1..4).flat_map(|offset| region.word(at + offset).load(Ordering::Relaxed).to_le_bytes()).collect();
    Some(layout::decode(HEADER, id, half, &stored).map(<[u8]>::to_vec))
}

#[test]
fn a_command_is_seen_whole_or_not_and_so_is_its_answer() {
    loom::model(|| {
        let region = Arc::new(Region::anonymous(FILE_WORDS).unwrap());
        let of_writer = Arc::clone(&region);
        let writer = thread::spawn(move || {
            let words = layout::encode(HEADER, 1, b"nine byte");
            layout::publish(&of_writer, Half::Command, 1, &words);
            match layout::entry(&of_writer, HEADER, Half::Answer, 1) {
                None => {}
                answer => assert_eq!(answer, Some(Ok(b"done".to_vec()))),
            }
        });
        if let Some(command) = observe(&region, Half::Command, 1) {
            assert_eq!(command.as_deref(), Some(&b"nine byte"[..]));
            layout::publish(&region, Half::Answer, 1, &layout::encode(HEADER, 1, b"done"));
        }
        writer.join().unwrap();
    });
}

#[test]
fn a_slot_that_is_used_again_shows_the_former_command_or_the_next_one_whole() {
    loom::model(|| {
        let region = Arc::new(Region::anonymous(FILE_WORDS).unwrap());
        let next = 1 + layout::SLOTS;
        layout::publish(&region, Half::Command, 1, &layout::encode(HEADER, 1, b"one"));
        layout::publish(&region, Half::Answer, 1, &layout::encode(HEADER, 1, b"yes"));
        let of_writer = Arc::clone(&region);
        let writer = thread::spawn(move || {
            layout::publish(&of_writer, Half::Command, next, &layout::encode(HEADER, next, b"another"));
        });
        if let Some(command) = observe(&region, Half::Command, next) {
            assert_eq!(command.as_deref(), Some(&b"another"[..]));
        }
        writer.join().unwrap();
    });
}
