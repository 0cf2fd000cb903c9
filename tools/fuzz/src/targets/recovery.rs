//! What a restart reads. `recovery`: a gateway lane whose records hold anything is recovered as it says, or refused
//! with the record; `data_dir`: a run counter is the number that its file says, written as the engine writes it, or
//! refused with the file.
//!
//! `answered`: what a repeated run is told of its venue's answers.
//!
//! Input of `recovery`: a record a line, `KIND INSTRUMENT HEX`. Of `data_dir`: the run counter's file. Of `answered`: a
//! record's kind, one byte, and its body.

use crate::driver::Outcome;
use crate::scratch;
use crate::truth::outcome;
use engine::data_dir::{DataDir, DataDirError};
use engine::ids::{InstrumentId, Lane};
use engine::instrument::InstrumentTable;
use engine::journal::schema::RecordKind;
use engine::journal::{Entry, Journal, Options, instruments_text};
use engine::time::Nanos;
use gateway::client_order_id::ClientOrderIds;
use gateway::heard::Heard;
use gateway::recovery::{Recovered, RecoveryError};
use std::collections::BTreeSet;

/// Runs one input of `recovery`.
pub fn recovery(data: &[u8]) -> Outcome {
    let text = String::from_utf8_lossy(data);
    let records: Vec<_> = text.lines().take(64).filter_map(record).collect();
    let mut table = InstrumentTable::default();
    for instrument in feeds::instruments::parse(INSTRUMENTS.as_bytes()).unwrap_or_default() {
        table.add(instrument);
    }
    let dir = scratch::path("recovery");
    let _ = std::fs::remove_dir_all(&dir);
    let sizes = Options { feed_segment_bytes: 8192, segment_bytes: 1 << 16, ..Options::new(1, [0; 32]) };
    let mut journal = Journal::create(&dir, sizes).unwrap_or_else(|error| panic!("{error}"));
    let mut writer = |lane| journal.writer(lane).unwrap_or_else(|error| panic!("{error}"));
    let (mut runner, mut gateway) = (writer(Lane::Runner), writer(Lane::Gateway));
    let named = Entry { kind: RecordKind::Instruments as u16, ..Entry::default() };
    runner.append(named, instruments_text(&table).as_bytes()).unwrap_or_else(|error| panic!("{error}"));
    for (kind, instrument, body) in &records {
        let entry = Entry { kind: *kind, instrument: InstrumentId(*instrument), ..Entry::default() };
        gateway.append(entry, body).unwrap_or_else(|error| panic!("{error}"));
    }
    drop((runner, gateway, journal));
    let read = Recovered::read(&dir, 7, &table);
    assert_eq!(read, Recovered::read(&dir, 7, &table), "reading changes nothing");
    let started = Recovered::at_start(&dir, &table);
    let begun = records.iter().any(|(kind, ..)| *kind == RecordKind::Begun as u16);
    assert_eq!(read == Err(RecoveryError::NotBegun), !begun);
    assert_eq!(
        matches!(started, Err(RecoveryError::NotBegun)),
        !begun && !matches!(started, Err(RecoveryError::Record(..)))
    );
    if let (Ok(recovered), Ok((before, _))) = (&read, &started) {
        assert!(
            before.last_seq <= recovered.last_seq && before.at <= recovered.at,
            "what a run began with comes first"
        );
    }
    match read {
        Ok(recovered) => {
            let seqs: BTreeSet<_> = recovered.orders.iter().map(|one| one.order.seq).collect();
            assert_eq!(seqs.len(), recovered.orders.len(), "an order twice");
            assert!(seqs.iter().all(|seq| *seq <= recovered.last_seq));
            let of = |kind: RecordKind| records.iter().filter(|(number, ..)| *number == kind as u16).count();
            assert!(seqs.len() <= of(RecordKind::Order) + of(RecordKind::Carried));
            outcome(("recovered", seqs.len(), recovered.positions.len()))
        }
        Err(RecoveryError::Record(seq, what)) => {
            assert!(seq >= 1 && seq <= records.len() as u64, "record {seq} of {}", records.len());
            outcome(what)
        }
        Err(error) => outcome(error.to_string().split(':').next().unwrap_or_default().to_owned()),
    }
}

/// Kind, instrument, body. None: no record.
fn record(line: &str) -> Option<(u16, u32, Vec<u8>)> {
    let mut words = line.split(' ');
    let (kind, instrument, hex) = (words.next()?, words.next()?, words.next().unwrap_or_default());
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let byte = |pair: &[u8]| match pair {
        [high, low] => u8::try_from(digit(*high)? << 4 | digit(*low)?).ok(),
        _ => None,
    };
    let body = hex.as_bytes().chunks(2).take(256).map(byte).collect::<Option<Vec<u8>>>()?;
    Some((kind.parse().ok()?, instrument.parse().ok()?, body))
}

/// Runs one input of `answered`: what a journal says that a venue said is read whole or refused, and never alike from
/// fewer bytes or more.
pub fn answered(data: &[u8]) -> Outcome {
    let Some((kind, body)) = data.split_first() else { return outcome("empty") };
    let (kind, ids) = (u16::from(*kind), ClientOrderIds::new(7, 3));
    let read = |body: &[u8]| Heard::read(kind, InstrumentId(1), Nanos(5), body, &ids);
    let is_heard = RecordKind::from_u16(kind).is_some_and(|kind| HEARD.contains(&kind));
    let heard = read(body);
    assert_eq!(heard.is_some(), is_heard, "kind {kind}");
    let Some(Ok(heard)) = heard else { return outcome(("refused", is_heard)) };
    assert_eq!(read(body), Some(Ok(heard)), "reading changes nothing");
    let more = [body, &[0]].concat();
    assert!(matches!(read(&more), Some(Err(_))), "a byte more is refused");
    if let Some((_, less)) = body.split_last() {
        assert!(matches!(read(less), Some(Err(_))), "a byte less is refused");
    }
    outcome(("read", kind, body.get(68).filter(|_| kind == RecordKind::Answered as u16)))
}

const HEARD: [RecordKind; 5] = [
    RecordKind::Answered,
    RecordKind::Unsent,
    RecordKind::Reconnected,
    RecordKind::Account,
    RecordKind::Paid,
];

/// Runs one input of `data_dir`.
pub fn data_dir(data: &[u8]) -> Outcome {
    let dir = scratch::path("data_dir");
    let _ = std::fs::remove_dir_all(&dir);
    let opened = DataDir::open(&dir, 7).unwrap_or_else(|error| panic!("{error}"));
    std::fs::write(dir.join("runs"), data).unwrap_or_else(|error| panic!("{error}"));
    match (opened.last_run(), opened.begin_run()) {
        (Ok(Some(last)), Ok(next)) => {
            assert_eq!(format!("runs = {}\n", last.number).as_bytes(), data, "a number written otherwise");
            assert_eq!(next.number, last.number + 1);
            outcome(("counted", data.len()))
        }
        (Ok(Some(last)), Err(error)) => {
            assert!(last.number == u32::MAX && matches!(error, DataDirError::NoRunLeft), "{error}");
            outcome("no run left")
        }
        (Err(error), Err(_)) => {
            let named = error.to_string().contains("runs");
            assert!(named, "{error}");
            outcome("refused")
        }
        other => panic!("{other:?}"),
    }
}

const INSTRUMENTS: &str = include_str!("../../../sabrewing/configs/instruments.toml");
