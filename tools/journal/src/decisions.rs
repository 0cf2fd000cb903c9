//! `dump --decisions`: what a run decided, as the listing whose SHA-256 is its `decisions_sha256`.

use crate::output::{Out, Progress, Stop, input};
use engine::decisions::{Decisions, Record};
use engine::ids::Lane;
use engine::journal::{Cursor, Reader};

/// Writes the listing. Where a lane is damaged, what is known until then, and the damage at the end.
pub(crate) fn dump(reader: &Reader, out: &mut Out) -> Result<(), Stop> {
    let mut lanes = [Lane::Strategy, Lane::Gateway].map(|lane| (reader.cursor(lane), false));
    let (mut decisions, mut stopped) = (Decisions::default(), Ok(()));
    let (mut progress, mut read) = (Progress::new("records read"), 0);
    // An error of the output ends the reading below; the listing itself has no way to stop.
    let mut written = Ok(());
    let mut say = |line: &str| {
        if written.is_ok() {
            written = out.line(line.trim_end_matches('\n'));
        }
    };
    while lanes.iter().any(|(_, is_over)| !is_over) {
        let wanted = decisions.next_lane();
        let best = lanes.iter().position(|(cursor, is_over)| !is_over && cursor.lane() == wanted);
        let Some(index) = best.or_else(|| lanes.iter().position(|(_, is_over)| !is_over)) else { break };
        let (cursor, is_over) = &mut lanes[index];
        match step(cursor, &mut decisions, &mut say) {
            Ok(more) => *is_over = !more,
            Err(stop) => {
                (*is_over, stopped) = (true, Err(stop));
            }
        }
        read += 1;
        progress.at(read);
    }
    decisions.finish(&mut say);
    written.and(stopped)
}

/// Takes a lane's next record. False: that was the last.
fn step(cursor: &mut Cursor, decisions: &mut Decisions, say: &mut impl FnMut(&str)) -> Result<bool, Stop> {
    let Some(view) = cursor.next_whole().map_err(input)? else { return Ok(false) };
    let record = Record {
        lane: view.lane,
        kind: view.entry.kind,
        instrument: view.entry.instrument,
        recv_ns: view.entry.recv_ns,
        body: view.body,
    };
    let said = decisions.record(&record, say);
    said.map_err(|error| input(format!("record {}: {error}", view.as_cause())))?;
    Ok(true)
}
