//! What a run came to, from its journal, beside what the venue says: books, orders, positions.

use super::SimVenue;
use crate::support::journal::{Journal, Record};
use crate::support::{Dir, replay, text_of};
use engine::ids::{InstrumentId, Lane};
use engine::journal::schema::{FrameHead, OrderBody, RecordKind};
use engine::message::{Execution, i128_of};
use engine::num::Side;
use engine::order::OrderState;
use engine::position::Position;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// The instruments of the tests, by id: as they are called in `--instrument`, and the venue's product.
pub(crate) const INSTRUMENTS: [(&str, &str); 2] =
    [("binance-usdm:BTCUSDT", "futures"), ("binance-spot:BTCUSDT", "spot")];

/// The venue's own books while its time stands still, by product.
pub(crate) fn truths(venue: &SimVenue) -> [Value; 2] {
    INSTRUMENTS.map(|(_, product)| venue.admin("GET", &format!("book?product={product}&symbol=BTCUSDT"), ""))
}

/// Replays the run: wherever its books stand at an update at which the venue was asked, they are the venue's, to the
/// last of the levels that a row shows, and in number and sum where the run knew all of them. Of each product at least
/// `met_min` of the books must be met.
pub(crate) fn assert_books(run: &str, truths: &[[Value; 2]], met_min: usize) {
    let dir = Dir::new();
    for (slot, (name, _)) in INSTRUMENTS.iter().enumerate() {
        let rows = dir.at(&format!("rows{slot}.jsonl"));
        replay([run, "--books", &rows, "--books-every", "1", "--instrument", name]).expect(0, &[]);
        assert_rows(&rows, truths.iter().map(|truth| &truth[slot]), met_min);
    }
}

/// As [`assert_books`], of rows that were written.
pub(crate) fn assert_rows<'a>(rows: &str, truths: impl Iterator<Item = &'a Value>, met_min: usize) {
    let text = text_of(Path::new(rows));
    let rows: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let (mut met, mut asked) = (0, 0);
    for truth in truths {
        asked += 1;
        for row in rows.iter().filter(|row| row["u"] == truth["lastUpdateId"]) {
            met += 1;
            for side in ["bids", "asks"] {
                let (ours, theirs) = (levels(&row[side]), levels(&truth[side]));
                assert_eq!(ours[..], theirs[..ours.len()], "{side} at {}", row["u"]);
                assert_eq!(ours.len(), theirs.len().min(10), "{side} at {}", row["u"]);
            }
        }
    }
    assert!(met >= met_min, "of {asked} books {met} were met in {} rows", rows.len());
}

/// Prices and quantities as numbers are written without what says nothing.
fn levels(side: &Value) -> Vec<[String; 2]> {
    let plain = |text: &Value| {
        let text = text.as_str().unwrap();
        let cut = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { text };
        cut.to_owned()
    };
    side.as_array().unwrap().iter().map(|level| [plain(&level[0]), plain(&level[1])]).collect()
}

/// Nothing that adds risk left on an instrument from the moment at which its stream broke until its next snapshot.
/// Returns how often a stream broke.
pub(crate) fn assert_quiet_while_stale(journal: &Journal) -> usize {
    let breaks: Vec<&Record> = journal.of_kind(Lane::Feed, RecordKind::StreamStale).collect();
    let heads =
        journal.of_kind(Lane::Feed, RecordKind::Frame).map(|frame| frame.body::<FrameHead>().connection);
    let connections = heads.max().map_or(0, |last| usize::from(last) + 1);
    for broke in &breaks {
        let resumed = journal
            .lane(Lane::Feed)
            .iter()
            .filter(|record| record.seq > broke.seq && record.kind == RecordKind::Frame)
            .find(|frame| is_snapshot(frame, broke.instrument, connections))
            .map_or(u64::MAX, |frame| frame.recv_ns);
        for kind in [RecordKind::Order, RecordKind::Amend] {
            for order in
                journal.of_kind(Lane::Gateway, kind).filter(|order| order.instrument == broke.instrument)
            {
                let meanwhile = order.recv_ns > broke.recv_ns && order.recv_ns < resumed;
                assert!(!meanwhile, "{order:?} while the book was stale from {} to {resumed}", broke.recv_ns);
            }
        }
    }
    breaks.len()
}

/// Whether it is a snapshot of the instrument's book: the connections of snapshots are the last of a plan, in the order of
/// the instruments.
fn is_snapshot(frame: &Record, instrument: InstrumentId, connections: usize) -> bool {
    let head: FrameHead = frame.body();
    usize::from(head.connection) + INSTRUMENTS.len() == connections + instrument.index()
}

/// Every order has ended, and the fills of every instrument, booked again, come to the position, cash and fees that the
/// engine wrote last. Returns the number of orders and of fills.
pub(crate) fn assert_conserved(journal: &Journal, run: &str) -> (usize, usize) {
    let executions =
        |kind| journal.of_kind(Lane::Gateway, kind).map(|record| (record, record.body::<Execution>()));
    let mut states = BTreeMap::new();
    let mut told: Vec<(&Record, Execution)> =
        executions(RecordKind::OrderUpdate).chain(executions(RecordKind::Fill)).collect();
    told.sort_by_key(|(record, _)| record.seq);
    for (_, execution) in &told {
        states.insert(execution.order_seq, execution.state);
    }
    let placed: BTreeSet<u64> = journal
        .of_kind(Lane::Gateway, RecordKind::Order)
        .map(|record| record.body::<OrderBody>().order_seq)
        .collect();
    let finals = [OrderState::Filled, OrderState::Canceled, OrderState::Rejected, OrderState::Expired];
    for seq in &placed {
        let state = states.get(seq).copied();
        assert!(finals.iter().any(|end| Some(*end as u8) == state), "order {seq} ended as {state:?}");
    }
    let table = instruments(run);
    let mut fills = 0;
    for instrument in table.iter() {
        let mut position = Position::default();
        for (_, execution) in
            told.iter().filter(|(record, told)| record.instrument == instrument.id && told.fill.qty.0 > 0)
        {
            fills += 1;
            let side = if execution.side == Side::Buy as u8 { Side::Buy } else { Side::Sell };
            let fee = i128_of(execution.fees) - position.fees;
            position.fill(instrument, side, execution.fill.price, execution.fill.qty, fee).unwrap();
            assert_eq!(position.qty, execution.position);
            assert_eq!(position.cash, i128_of(execution.cash));
        }
    }
    (placed.len(), fills)
}

fn instruments(run: &str) -> engine::instrument::InstrumentTable {
    let journal = Journal::open(run);
    let text = journal.of_kind(Lane::Runner, RecordKind::Instruments).next().unwrap();
    feeds::instruments_recorded::parse_recorded(text.text()).unwrap()
}

/// The run's decisions can be repeated from its journal alone.
pub(crate) fn assert_repeats(run: &str) {
    let ran = replay([run, "--verify", "--json"]).expect(0, &[]);
    let verified = &ran.json()["verified"];
    assert_eq!(verified["difference"], Value::Null, "{verified}");
}
