//! `slice`: part of a journal as a journal of its own.
//!
//! Of each lane one contiguous range is kept, from the first record in the asked time to the last; sequences
//! and causes stay what they were. The runner's lane is kept whole: without configuration and instruments the rest says
//! little, and of a replay its times are those of another day. An unfinished last record, as a killed run leaves it, is
//! none.

use std::path::Path;

use engine::ids::Lane;
use engine::journal::{Cursor, Journal, Options, Reader, record_bytes};
use engine::time::Nanos;
use serde_json::json;

use crate::output::{Out, Progress, Stop, input};
use crate::show::newest;
use crate::when::When;

pub(crate) fn run(
    reader: &Reader,
    from: Option<When>,
    to: Option<When>,
    dir: &Path,
    as_json: bool,
    out: &mut Out,
) -> Result<(), Stop> {
    let newest = if from.is_some() || to.is_some() { newest(reader) } else { Nanos(0) };
    let from = from.map_or(Nanos(0), |from| from.resolve(newest));
    let to = to.map_or(Nanos(u64::MAX), |to| to.resolve(newest));
    if from >= to {
        return Err(Stop::Usage(format!("--from {from} is not before --to {to}")));
    }
    let Some(run) = reader.run() else {
        return Err(Stop::Input(format!("{} has no readable segment", reader.dir().display())));
    };
    let options = Options { anchor: run.anchor, is_slice: true, ..Options::new(run.run_id, run.config_hash) };
    let mut journal = Journal::create(&dir.join("journal"), options).map_err(input)?;
    let (mut progress, mut read) = (Progress::new("records read"), 0);
    let mut kept = Vec::new();
    for lane in reader.lanes() {
        let (from, to) = if lane == Lane::Runner { (Nanos(0), Nanos(u64::MAX)) } else { (from, to) };
        let mut cursor = reader.cursor(lane);
        let records = copy(&mut cursor, &mut journal, from, to, || {
            read += 1;
            progress.at(read);
        })?;
        kept.push((lane, records));
    }
    drop(progress);
    journal.close().map_err(input)?;
    for (lane, (first_seq, records)) in kept {
        let lane = lane.name();
        if as_json {
            out.line(json!({ "lane": lane, "first_seq": first_seq, "records": records }))?;
        } else {
            out.line(format_args!("{lane:<8} {records} records from {first_seq} on"))?;
        }
    }
    Ok(())
}

/// Copies the lane's records in `from..to`; returns the first sequence and how many.
fn copy(
    cursor: &mut Cursor,
    journal: &mut Journal,
    from: Nanos,
    to: Nanos,
    mut on_record: impl FnMut(),
) -> Result<(u64, u64), Stop> {
    let lane = cursor.lane();
    let mut found = false;
    while let Some(recv_ns) = next(cursor)? {
        on_record();
        if recv_ns >= from {
            found = recv_ns < to;
            break;
        }
    }
    // An empty range too has its place: causes may point to what came before it.
    let first_seq = cursor.current().map_or(cursor.known_seq() + 1, |view| view.seq);
    let mut writer = journal.writer_from(lane, first_seq).map_err(input)?;
    let room = journal.room();
    while found {
        if let Some(view) = cursor.current() {
            if view.seq != writer.next_seq() {
                let (lane, gone) = (lane.name(), writer.next_seq());
                return Err(input(format!(
                    "records {lane}:{gone} to {} were deleted meanwhile",
                    view.seq - 1
                )));
            }
            room.wait(record_bytes(view.body.len())).map_err(input)?;
            writer.append(view.entry, view.body).map_err(input)?;
        }
        on_record();
        found = next(cursor)?.is_some_and(|recv_ns| recv_ns < to);
    }
    Ok((first_seq, writer.next_seq() - first_seq))
}

/// Steps, and says of which time the record is. None: there is no whole one any more.
fn next(cursor: &mut Cursor) -> Result<Option<Nanos>, Stop> {
    Ok(cursor.next_whole().map_err(input)?.map(|view| view.entry.recv_ns))
}
