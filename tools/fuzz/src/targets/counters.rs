//! Counters files: what a reader shows can be registered again and then reads the same, holds nothing that
//! could move a terminal's cursor, and stands in the file where the format says.
//!
//! Input: a counters file.

use crate::driver::Outcome;
use crate::scratch;
use crate::truth::outcome;
use engine::counters::{Counters, CountersError, Damage, Desc, Kind, Liveness, Reader, Snapshot};
use engine::time::Nanos;

/// Runs one input.
pub fn target(data: &[u8]) -> Outcome {
    let path = scratch::file("counters", data);
    let read = Reader::open(&path).and_then(|reader| {
        let snapshot = reader.snapshot()?;
        let liveness = reader.liveness(&snapshot, Nanos(u64::MAX), Nanos(1))?;
        assert_eq!(liveness, Liveness::Gone, "nobody holds a lock on the file");
        Ok(snapshot)
    });
    let folder = Reader::open(path.parent().unwrap_or(&path));
    assert!(
        folder.is_err_and(|error| error.damage() == Some(Damage::Magic)),
        "a directory is no counters file"
    );
    let missing = Reader::open(&path.with_extension("missing"));
    assert!(missing.is_err_and(|error| error.damage().is_none() && error.to_string().contains("missing")));
    match read {
        Ok(snapshot) => {
            let word = |index: usize| {
                data.as_chunks::<8>().0.get(index).map(|word| u64::from_le_bytes(*word)).unwrap_or_default()
            };
            assert_eq!((snapshot.run.id, snapshot.run.start.0), (word(2), word(4)));
            assert_eq!(u64::from(snapshot.pid), word(3) & 0xFFFF_FFFF);
            assert_eq!(snapshot.counters.len() as u64, word(16) & 0xFFFF_FFFF);
            for counter in &snapshot.counters {
                let name = counter.name.bytes();
                assert!(!counter.name.is_empty());
                assert!(name.into_iter().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_')));
                let texts = [&counter.owner, &counter.strategy, &counter.instrument, &counter.help];
                for text in texts.into_iter().chain(&counter.reasons) {
                    assert!(!text.chars().any(char::is_control), "{text:?}");
                }
                if let Some(reason) = counter.reason() {
                    assert!(counter.reasons.iter().any(|known| known == reason));
                }
                assert_eq!(counter.signed().cast_unsigned(), counter.value);
                assert!(snapshot.find(&counter.owner, &counter.name).is_some());
                let stored =
                    data.as_chunks::<8>().0.iter().any(|word| u64::from_le_bytes(*word) == counter.value);
                assert!(stored, "a value that is nowhere in the file");
            }
            let kept = registered_again(&snapshot);
            outcome((snapshot.counters.len(), kept))
        }
        Err(error) => {
            let text = error.to_string();
            assert!(text.contains(&path.display().to_string()), "{text}");
            match error.damage() {
                Some(Damage::Length { found, expected }) => {
                    assert!(found != expected && found == data.len() as u64, "{text}");
                    outcome("length")
                }
                Some(Damage::Descriptor { counter, field }) => outcome((counter, field)),
                Some(damage) => outcome(damage.to_string().split(' ').take(2).collect::<Vec<_>>()),
                None => panic!("the system refused: {text}"),
            }
        }
    }
}

/// Registers what was read in new counters and reads those. False: the file holds what a writer would refuse
/// (the same counter twice, an owner without a name, reasons of another kind).
fn registered_again(read: &Snapshot) -> bool {
    let capacity = u32::try_from(read.counters.len()).unwrap_or(u32::MAX).max(1);
    // Room for texts grows with the capacity, and an altered file can share one text many times.
    let mut counters = match Counters::create(None, &read.run, capacity.max(64)) {
        Ok(counters) => counters,
        Err(error) => panic!("{error}"),
    };
    let mut kept = Vec::new();
    for entry in &read.counters {
        let reasons: Vec<&str> = entry.reasons.iter().map(String::as_str).collect();
        let desc = match entry.kind {
            Kind::Counter => Desc::counter(&entry.name, entry.unit, &entry.help),
            Kind::Gauge => Desc::gauge(&entry.name, entry.unit, &entry.help),
            Kind::Max => Desc::max(&entry.name, entry.unit, &entry.help),
            Kind::Reason => Desc::reason(&entry.name, &entry.help, &reasons),
            Kind::Heartbeat => Desc::heartbeat(),
            Kind::Histogram => Desc::histogram(&entry.name, &entry.help),
        };
        let desc = desc.of_strategy(&entry.strategy).on_instrument(&entry.instrument);
        let registered = if entry.kind == Kind::Histogram {
            // A writer fills it value by value; what it holds is compared where it is written.
            counters.register_histogram(&entry.owner, &desc).map(drop)
        } else {
            counters.register(&entry.owner, &desc).map(|mut counter| counter.set(entry.value))
        };
        match registered {
            Ok(()) => {}
            Err(CountersError::Full { .. }) if entry.kind == Kind::Histogram => return false,
            Err(CountersError::Duplicate { .. } | CountersError::NoReasons { .. }) => return false,
            Err(CountersError::Text { text }) if text.is_empty() => return false,
            Err(CountersError::TextsFull { .. }) => return false,
            Err(error) => panic!("a reader shows what a writer refuses: {error}"),
        }
        let unusual = match entry.kind {
            Kind::Heartbeat => entry.name != "heartbeat" || Desc::heartbeat() != desc_of(entry),
            Kind::Reason => entry.unit != engine::counters::Unit::Count,
            Kind::Histogram => !is_empty(entry) || entry.unit != engine::counters::Unit::Nanos,
            _ => !entry.reasons.is_empty(),
        };
        if unusual {
            return false;
        }
        kept.push(entry);
    }
    let again = counters.snapshot().unwrap_or_else(|damage| panic!("{damage}"));
    assert!(again.counters.iter().eq(kept), "{again:?}\n{read:?}");
    true
}

fn is_empty(histogram: &engine::counters::Entry) -> bool {
    histogram.reasons.is_empty()
        && histogram.value == 0
        && histogram.histogram.as_ref().is_some_and(|taken| taken.count() == 0)
}

/// The heartbeat that an entry would be, by unit and help.
fn desc_of(entry: &engine::counters::Entry) -> Desc<'_> {
    let usual = Desc::heartbeat();
    let same = Desc::max("heartbeat", entry.unit, &entry.help);
    let expected = Desc::max("heartbeat", engine::counters::Unit::UtcNanos, HEARTBEAT_HELP);
    if same == expected { usual } else { same }
}

const HEARTBEAT_HELP: &str = "When the thread last said that it turns";
