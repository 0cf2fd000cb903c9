//! Every request was in the journal before it left, and no id was used twice.

use super::{Evidence, Violation};
use crate::link::{SentKind, VenueEvent};
use engine::journal::schema::{OrderBody, RecordKind};
use std::collections::HashSet;

/// What left is what the gateway's lane says, in its order; at the end of a life one more record may stand there,
/// whose request the crash kept from leaving.
pub(super) fn journalled(evidence: &Evidence<'_>, found: &mut Vec<Violation>) {
    for (life, journal) in evidence.journals.iter().enumerate() {
        let mut records = journal.gateway.iter().filter_map(|record| {
            let kind = match record.kind {
                RecordKind::Order => SentKind::Place,
                RecordKind::Amend => SentKind::Amend,
                RecordKind::Cancel => SentKind::Cancel,
                _ => return None,
            };
            let body = record.body_as::<OrderBody>()?;
            Some((kind, body.order_seq, body.price, body.qty, body.terms()?))
        });
        let lost_tail = evidence.lives.get(life).is_some_and(|life| life.lost_tail);
        for event in evidence.events {
            let VenueEvent::Sent { life: of, kind, id, order, level } = *event else { continue };
            if of != life || kind == SentKind::Query {
                continue;
            }
            let sent = (kind, order.seq, level.price, level.qty, order.terms);
            match records.next() {
                Some(record) if record == sent && is_named(id.as_bytes(), order.seq) => {}
                None if lost_tail => break,
                other => {
                    let what = format!(
                        "life {}: {kind:?} {id:?} left, and the journal's next request is {other:?}",
                        life + 1
                    );
                    found.push(Violation { check: "journalled", what });
                    break;
                }
            }
        }
    }
}

/// Whether an id is this engine's and ends with the sequence.
fn is_named(id: &[u8], seq: u64) -> bool {
    let text = String::from_utf8_lossy(id).into_owned();
    text.starts_with(&format!("sb{}-", crate::life::ENGINE)) && text.ends_with(&format!("-{seq}"))
}

pub(super) fn ids(evidence: &Evidence<'_>, found: &mut Vec<Violation>) {
    let mut used = HashSet::new();
    for event in evidence.events {
        if let VenueEvent::Sent { life, kind: SentKind::Place, id, .. } = event
            && !used.insert(*id)
        {
            let what = format!("life {}: {id:?} was used before", life + 1);
            found.push(Violation { check: "ids", what });
        }
    }
}
