//! The listing of decisions: whatever the two lanes' records hold, it is the same whichever lane is read first, and
//! a record that does not hold what its kind says is refused by name.
//!
//! Input: records of lane and kind (a byte: the high bit is the gateway's lane), length in units of eight bytes (a
//! byte), and the body.

use crate::driver::Outcome;
use crate::truth::outcome;
use engine::decisions::{Decisions, Record};
use engine::ids::{InstrumentId, Lane};
use engine::message::Quotes;
use engine::time::Nanos;

/// Runs one input.
pub fn target(data: &[u8]) -> Outcome {
    let mut rest = data;
    let mut records = Vec::new();
    while let [first, len, tail @ ..] = rest
        && records.len() < 64
    {
        let len_bytes = (usize::from(*len) * 8).min(tail.len());
        let (body, next) = tail.split_at(len_bytes);
        let lane = if first & 0x80 != 0 { Lane::Gateway } else { Lane::Strategy };
        let recv_ns = Nanos(records.len() as u64 * 10);
        let record =
            Record { lane, kind: u16::from(first & 0x7f), instrument: InstrumentId(0), recv_ns, body };
        records.push(record);
        rest = next;
        if let Some(quotes) = Quotes::read(body) {
            assert!(quotes.pairs().count() <= 8 && size_of_val(quotes.used_cells()) == body.len());
        }
    }
    let of = |lane| records.iter().filter(move |record| record.lane == lane);
    let as_written = listing(records.iter());
    let strategy_first = listing(of(Lane::Strategy).chain(of(Lane::Gateway)));
    let gateway_first = listing(of(Lane::Gateway).chain(of(Lane::Strategy)));
    match (&as_written, &strategy_first, &gateway_first) {
        (Ok(a), Ok(b), Ok(c)) => assert!(a == b && b == c, "{a}\n{b}\n{c}"),
        (Err(error), Err(_), Err(_)) => assert!(error.contains("record of"), "{error}"),
        _ => panic!("readable in one order only: {as_written:?} {strategy_first:?} {gateway_first:?}"),
    }
    outcome(as_written.map(|text| text.lines().count()).ok())
}

fn listing<'a>(records: impl Iterator<Item = &'a Record<'a>>) -> Result<String, String> {
    let (mut decisions, mut text) = (Decisions::default(), String::new());
    let mut out = |line: &str| text.push_str(line);
    for record in records {
        decisions.record(record, &mut out)?;
    }
    decisions.finish(&mut out);
    Ok(text)
}
