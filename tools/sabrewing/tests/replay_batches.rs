//! On one thread nothing that is decided depends on how many inputs a turn takes: the hash of the decisions is one, and
//! every record is the same.

mod pipeline;
mod support;

use engine::ids::Lane;
use engine::journal::schema::RecordKind;
use engine::placement::Placement;
use engine::runner;
use engine::time::StampClock;
use pipeline::{Market, NoTap, journal, prepare_taking};
use sabrewing::config::Config;
use sha2::{Digest, Sha256};
use std::sync::Arc;
use support::Dir;
use support::journal::{Journal, Record, listing};

/// Lines of the capture: enough for fills.
const LINES: usize = 20_000;

/// Records by lane.
type Lanes = Vec<(Lane, Vec<Record>)>;

#[test]
fn the_decisions_of_a_capture_have_one_hash_whatever_number_of_inputs_a_turn_takes() {
    let (dir, market) = (Dir::new(), Arc::new(Market::usdm(LINES)));
    let config = Config::load(None).unwrap();
    let mut first: Option<(String, Lanes)> = None;
    for batch in [1, 2, 7, 64, 100_000] {
        let path = dir.at(&format!("batch{batch}"));
        let mut kept = Some(journal(path.as_ref(), 64 << 20, 32 << 20));
        let placement = Placement::one(&[0]);
        let clock = StampClock::off();
        let run = prepare_taking(batch, &config, &market, &placement, None::<NoTap>, &mut kept, &clock);
        runner::run(run.threads, &run.control, || ()).unwrap();
        assert_eq!(run.control.stopped(), None, "{batch}: {:?}", run.control.detail());
        drop(run.reports);
        kept.take().unwrap().close().unwrap();
        let sha256 =
            Sha256::digest(listing(&path)).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let journal = Journal::open(&path);
        // How long an order took is another every time.
        let is_kept = |record: &&Record| record.kind != RecordKind::OrderStamps;
        let records = [Lane::Feed, Lane::Strategy, Lane::Gateway]
            .map(|lane| (lane, journal.lane(lane).iter().filter(is_kept).cloned().collect::<Vec<_>>()));
        let fills = journal.of_kind(Lane::Gateway, RecordKind::Fill).count();
        assert!(fills > 20, "{fills}");
        let (first_sha256, first) = first.get_or_insert_with(|| (sha256.clone(), records.to_vec()));
        assert_eq!(*first_sha256, sha256, "{batch} inputs a turn");
        for ((lane, one), (_, other)) in first.iter().zip(&records) {
            let differs = one.iter().zip(other).find(|(one, other)| one != other);
            assert!(differs.is_none() && one.len() == other.len(), "{batch}, {lane:?}: {differs:?}");
        }
    }
}
