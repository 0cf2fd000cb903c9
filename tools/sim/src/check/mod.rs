//! What must hold of a simulated run, judged from the journals and from what the venue saw, with nothing of the code
//! that is judged: no order manager, no gate, no recovery.

mod fills;
mod limits;
mod orders;
mod stale;

use crate::life::Life;
use crate::link::VenueEvent;
use engine::ids::{Cause, InstrumentId, Lane};
use engine::instrument::InstrumentTable;
use engine::journal::schema::RecordKind;
use engine::journal::{Reader, Stand};
use engine::num::Qty;
use gateway::counterparty::Account;
use sabrewing::config::Config;
use std::fmt;
use zerocopy::FromBytes;

/// Something that must not be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which check found it.
    pub check: &'static str,
    /// Where, and what.
    pub what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.check, self.what)
    }
}

/// Everything that is known of a run.
pub(crate) struct Evidence<'a> {
    pub(crate) config: &'a Config,
    pub(crate) table: &'a InstrumentTable,
    pub(crate) lives: &'a [Life],
    pub(crate) journals: &'a [Journalled],
    pub(crate) events: &'a [VenueEvent],
    /// What the venue holds at the end.
    pub(crate) account: &'a Account,
}

/// One life's journal.
pub(crate) struct Journalled {
    pub(crate) feed: Vec<Record>,
    pub(crate) strategy: Vec<Record>,
    pub(crate) gateway: Vec<Record>,
}

/// One record.
pub(crate) struct Record {
    pub(crate) seq: u64,
    pub(crate) kind: RecordKind,
    pub(crate) instrument: InstrumentId,
    pub(crate) cause: Cause,
    pub(crate) at_ns: u64,
    pub(crate) body: Vec<u8>,
}

impl Record {
    pub(crate) fn body_as<B: FromBytes>(&self) -> Option<B> {
        B::read_from_bytes(&self.body).ok()
    }
}

impl Journalled {
    /// Reads a life's journal. Err: it cannot be read to its end.
    pub(crate) fn read(life: &Life) -> Result<Self, String> {
        let reader = Reader::open(&life.run.path).map_err(|e| e.to_string())?;
        let lane = |lane: Lane| -> Result<Vec<Record>, String> {
            let (mut cursor, mut records) = (reader.cursor(lane), vec![]);
            loop {
                match cursor.step() {
                    Ok(Stand::Record) => {}
                    Ok(Stand::Tail | Stand::Closed) => break,
                    Err(_) if cursor.is_torn() => break,
                    Err(problem) => return Err(problem.to_string()),
                }
                let Some(view) = cursor.current() else { break };
                records.push(Record {
                    seq: view.seq,
                    kind: RecordKind::from_u16(view.entry.kind).ok_or("a record of no kind")?,
                    instrument: view.entry.instrument,
                    cause: view.entry.cause,
                    at_ns: view.entry.recv_ns.0,
                    body: view.body.to_vec(),
                });
            }
            Ok(records)
        };
        Ok(Self { feed: lane(Lane::Feed)?, strategy: lane(Lane::Strategy)?, gateway: lane(Lane::Gateway)? })
    }
}

/// Everything that is wrong.
pub(crate) fn all(evidence: &Evidence<'_>) -> Vec<Violation> {
    let mut found = vec![];
    ended(evidence, &mut found);
    orders::journalled(evidence, &mut found);
    orders::ids(evidence, &mut found);
    limits::kept(evidence, &mut found);
    stale::unquoted(evidence, &mut found);
    fills::caused(evidence, &mut found);
    fills::booked(evidence, &mut found);
    found
}

/// A run ends with nothing open and nothing unknown, and stops trading only where records were lost.
fn ended(evidence: &Evidence<'_>, found: &mut Vec<Violation>) {
    let mut fail = |what: String| found.push(Violation { check: "end", what });
    let lost = evidence.lives.iter().any(|life| life.lost_tail);
    for (life, number) in evidence.lives.iter().zip(1..) {
        match &life.stopped {
            Some(_) if life.refused && lost => return,
            Some(why) => fail(format!("life {number} stopped trading: {why}")),
            None => {}
        }
    }
    for open in &evidence.account.open {
        fail(format!("order {:?} is still open at the venue", open.id));
    }
    if let Some(last) = evidence.lives.last() {
        let open: usize = last.report.positions.iter().map(|position| position.open_orders).sum();
        if open > 0 {
            fail(format!("{open} orders are open or unknown to the engine"));
        }
    }
}

/// A quantity in an instrument's units, for messages.
pub(crate) fn shown(evidence: &Evidence<'_>, instrument: InstrumentId, qty: i64) -> String {
    match evidence.table.get(instrument) {
        Some(of) => format!("{} {}", Qty(qty).display(of.qty_unit), of.symbol),
        None => format!("{qty} of instrument {instrument}"),
    }
}
