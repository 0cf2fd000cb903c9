//! `verify`: a line a lane.

use engine::journal::{LaneEnd, LaneReport, Reader, verify};
use serde_json::{Value, json};

use crate::output::{Out, Progress, Stop};

pub(crate) fn run(reader: &Reader, as_json: bool, out: &mut Out) -> Result<(), Stop> {
    let mut progress = Progress::new("records read");
    let reports = verify(reader, |records| progress.at(records));
    drop(progress);
    for report in &reports {
        if as_json { out.line(json(report))? } else { out.line(text(report))? }
    }
    out.flush()?;
    match reports.iter().filter(|report| !report.is_good()).count() {
        0 => Ok(()),
        bad => Err(Stop::Input(format!("{bad} of {} lanes are not whole", reports.len()))),
    }
}

fn text(report: &LaneReport) -> String {
    let LaneReport { lane, records, bytes, first_seq, last_seq, .. } = report;
    let mut line = format!(
        "{:<8} {records} records {first_seq}..{last_seq}, {bytes} bytes, {}",
        lane.name(),
        end(report)
    );
    for gap in &report.gaps {
        line += &format!("; not kept: {} to {}", gap.after_seq + 1, gap.next_seq - 1);
    }
    if let Some((seq, cause)) = report.first_dangling {
        line += &format!(
            "; {} causes point to nothing, the first from record {seq} to {cause}",
            report.dangling_causes
        );
    }
    line
}

fn end(report: &LaneReport) -> String {
    match &report.end {
        LaneEnd::Closed => "closed".to_owned(),
        LaneEnd::Open => "not closed".to_owned(),
        LaneEnd::Torn { path, offset } => {
            let path = path.display();
            format!("cut after record {}: an unfinished one at byte {offset} of {path}", report.last_seq)
        }
        LaneEnd::Damaged(problem) => format!("DAMAGED: {problem}"),
    }
}

fn json(report: &LaneReport) -> Value {
    let (end_name, place) = match &report.end {
        LaneEnd::Closed => ("closed", None),
        LaneEnd::Open => ("open", None),
        LaneEnd::Torn { path, offset } => ("torn", Some((path, *offset))),
        LaneEnd::Damaged(problem) => ("damaged", Some((&problem.path, problem.offset))),
    };
    json!({
        "lane": report.lane.name(),
        "good": report.is_good(),
        "records": report.records,
        "bytes": report.bytes,
        "first_seq": report.first_seq,
        "last_seq": report.last_seq,
        "first": report.recv_ns.map(|(first, _)| first.to_string()),
        "last": report.recv_ns.map(|(_, last)| last.to_string()),
        "end": end_name,
        "file": place.map(|(path, _)| path.display().to_string()),
        "offset": place.map(|(_, offset)| offset),
        "reason": end(report),
        "not_kept": report.gaps.iter().map(|gap| json!([gap.after_seq + 1, gap.next_seq - 1])).collect::<Vec<_>>(),
        "dangling_causes": report.dangling_causes,
        "first_dangling": report.first_dangling.map(|(seq, cause)| json!({ "seq": seq, "cause": cause.to_string() })),
    })
}
