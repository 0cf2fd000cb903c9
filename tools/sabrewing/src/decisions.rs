//! What a run decided, listed and hashed on a thread of its own while the run goes on. The stages only copy their
//! records into rings; with a journal or without, the listing is the same.

use crate::replay::verify::{Check, Checked};
use engine::decisions::{Decisions, Record};
use engine::record_copies::{Copied, CopyReceiver};
use engine::runner::Control;
use sha2::{Digest, Sha256};
use std::fmt::Write;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

/// What became of a run's decisions.
#[derive(Debug)]
pub(crate) struct Listed {
    /// SHA-256 of the listing. Err: why there is none.
    pub(crate) sha256: Result<String, String>,
    /// What a repeated run was compared with.
    pub(crate) checked: Option<Checked>,
}

/// Starts the thread. It ends when the stages are gone. Where a repeated run differs, it asks for the end.
/// Err: there is no thread to be had.
pub(crate) fn list(
    mut receivers: Vec<CopyReceiver>,
    mut check: Option<Check>,
    control: Arc<Control>,
) -> std::io::Result<JoinHandle<Listed>> {
    std::thread::Builder::new().name("decisions".into()).spawn(move || {
        let mut listing = Listing::default();
        loop {
            // Asked before the last look: what the stages wrote before they went is still taken.
            let gone = receivers.iter().all(CopyReceiver::is_abandoned);
            let mut taken = 0;
            for receiver in &mut receivers {
                let lane = receiver.lane();
                taken += receiver.take(|copied| {
                    listing.take(&Record {
                        lane,
                        kind: copied.entry.kind,
                        instrument: copied.entry.instrument,
                        recv_ns: copied.entry.recv_ns,
                        body: copied.body,
                    });
                    compare(&mut check, &copied, &control);
                });
            }
            if gone {
                break;
            }
            if taken == 0 {
                std::thread::sleep(PERIOD);
            }
        }
        if receivers.iter().any(CopyReceiver::has_lost) {
            listing.problem.get_or_insert("copies of records were lost".into());
        }
        Listed { sha256: listing.finish(), checked: check.map(Check::finish) }
    })
}

fn compare(check: &mut Option<Check>, copied: &Copied<'_>, control: &Control) {
    if let Some(check) = check
        && !check.take(copied)
    {
        control.interrupt();
    }
}

/// Between two looks at rings that were empty.
const PERIOD: Duration = Duration::from_micros(500);

#[derive(Default)]
struct Listing {
    decisions: Decisions,
    hash: Sha256,
    problem: Option<String>,
}

impl Listing {
    fn take(&mut self, record: &Record<'_>) {
        let Self { decisions, hash, problem } = self;
        if let Err(error) = decisions.record(record, &mut |line| hash.update(line)) {
            problem.get_or_insert(error);
        }
    }

    fn finish(mut self) -> Result<String, String> {
        let Self { decisions, hash, .. } = &mut self;
        decisions.finish(&mut |line| hash.update(line));
        self.problem.map_or_else(|| Ok(hex(&self.hash.finalize())), Err)
    }
}

/// Bytes as people compare them.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::ids::Lane;
    use engine::journal::Writer;
    use engine::journal::schema::{ParamChange, RecordKind, Took};
    use engine::message::Head;
    use engine::record_copies::copies;
    use engine::stage_log::StageLog;
    use engine::time::Nanos;

    #[test]
    fn the_hash_is_that_of_the_lines() {
        let (sender, receiver) = copies(Lane::Strategy, |_| true);
        let control = Arc::<Control>::default();
        let mut log = StageLog::new(Writer::off(Lane::Strategy), Arc::clone(&control), 1 << 10);
        log.copy_to(sender);
        let listing = list(vec![receiver], None, control).unwrap();
        let head = |at| Head { recv_ns: Nanos(at), ..Head::default() };
        log.record(RecordKind::Took, &head(100), &Took { input: 0, count: 1 });
        log.record(
            RecordKind::Param,
            &head(107),
            &ParamChange { strategy: 1, index: 2, reserved: 0, value: 3 },
        );
        drop(log);
        let expected = hex(&Sha256::digest("7 param strategy=1 index=2 value=3\n"));
        assert_eq!(listing.join().unwrap().sha256, Ok(expected));
    }
}
