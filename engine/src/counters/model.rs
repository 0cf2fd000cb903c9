//! Every order in which another thread may see what a registration and a counter store, by the model checker:
//! `RUSTFLAGS="--cfg loom" cargo test -p engine --lib --release model`.

use loom::thread;
use std::sync::Arc;

use super::layout::Layout;
use super::*;

/// A reader meets the start of an engine: one counter is registered and counts, the reader
/// looks twice.
#[test]
fn who_sees_a_counter_sees_its_whole_description_and_a_value_that_was_written() {
    loom::model(|| {
        let run = Run { id: 7, start: Nanos(1) };
        let mut counters = Counters::create(None, &run, 1).unwrap();
        let region = Arc::clone(&counters.region);
        let engine = thread::spawn(move || {
            let desc = Desc::counter("ab", Unit::Bytes, "");
            let mut counter = counters.register("o", &desc).unwrap();
            counter.add(2);
            counter.add(3);
        });
        let layout = Layout::new(1).unwrap();
        let mut before = 0;
        for _ in 0..2 {
            let snapshot = reader::parse(&region.copy(&layout)).unwrap();
            let Some(entry) = snapshot.counters.first() else { continue };
            assert_eq!((entry.name.as_str(), entry.owner.as_str(), entry.unit), ("ab", "o", Unit::Bytes));
            assert!(
                [0, 2, 5].contains(&entry.value) && entry.value >= before,
                "{} after {before}",
                entry.value
            );
            before = entry.value;
        }
        engine.join().unwrap();
    });
}
