//! No quote on a stale book, judged from the frames: between a break of a stream and the next snapshot frame, before
//! the first one, or when nothing has come from the instrument for longer than the limit says.

use super::{Evidence, Journalled, Violation};
use engine::ids::InstrumentId;
use engine::journal::schema::{FrameHead, RecordKind};

pub(super) fn unquoted(evidence: &Evidence<'_>, found: &mut Vec<Violation>) {
    let age_max_ns = evidence.config.limits.config().book_age_ms_max * 1_000_000;
    for (life, journal) in evidence.journals.iter().enumerate() {
        for record in &journal.gateway {
            if !matches!(record.kind, RecordKind::Order | RecordKind::Amend) {
                continue;
            }
            if let Some(why) = why_not(journal, record.instrument, record.at_ns, age_max_ns) {
                let what = format!("life {}: gateway record {} {why}", life + 1, record.seq);
                found.push(Violation { check: "stale book", what });
            }
        }
    }
}

/// Why nothing may be quoted at a time. What happened at that very time may have come after the quote.
fn why_not(journal: &Journalled, instrument: InstrumentId, at_ns: u64, age_max_ns: u64) -> Option<String> {
    let (mut broken_ns, mut last_ns) = (Some(0), 0);
    // What the decision at `at_ns` could have seen, and what it cannot have missed.
    for record in journal.feed.iter().take_while(|record| record.at_ns <= at_ns) {
        match record.kind {
            RecordKind::StreamStale if record.instrument == instrument && record.at_ns < at_ns => {
                broken_ns = Some(record.at_ns);
            }
            RecordKind::Frame => {
                let Some((head, text)) = record.body.split_at_checked(size_of::<FrameHead>()) else {
                    continue;
                };
                let connection = u16::from_le_bytes([head[4], head[5]]);
                if u32::from(connection) != instrument.0 {
                    continue;
                }
                last_ns = record.at_ns;
                if text.starts_with(b"{\"lastUpdateId\"") {
                    broken_ns = None;
                }
            }
            _ => {}
        }
    }
    if let Some(since) = broken_ns {
        return Some(format!("at {at_ns}: the stream is broken since {since}"));
    }
    let age_ns = at_ns - last_ns;
    (age_ns > age_max_ns).then(|| format!("at {at_ns}: nothing came for {age_ns} ns"))
}
