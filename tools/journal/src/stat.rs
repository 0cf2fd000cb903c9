//! `stat`: records, bytes, times and rate by lane and kind, then the accounts.

use std::collections::BTreeMap;

use engine::ids::Lane;
use engine::journal::Reader;
use engine::time::Nanos;
use serde_json::json;

use crate::accounts::Accounts;
use crate::context::{Context, Facts};
use crate::filter::Filter;
use crate::output::{Out, Progress, Stop};
use crate::pnl;
use crate::render::{kind_name, length};

struct Count {
    records: u64,
    bytes: u64,
    first: Nanos,
    last: Nanos,
}

impl Count {
    /// Records a second between the first and the last; None: no time passed.
    fn per_s(&self) -> Option<u64> {
        let ns = u128::from(self.last.since(self.first).0);
        let intervals = u128::from(self.records.saturating_sub(1));
        (ns > 0).then(|| u64::try_from((intervals * 1_000_000_000 + ns / 2) / ns).unwrap_or(u64::MAX))
    }
}

pub(crate) fn run(
    reader: &Reader,
    context: &Context,
    filter: &Filter,
    as_json: bool,
    out: &mut Out,
) -> Result<(), Stop> {
    let facts = Facts::read(reader).map_err(Stop::Input)?;
    let mut accounts = Accounts::new(facts.fees);
    let mut differences = Vec::new();
    let mut counts: BTreeMap<(Lane, u16), Count> = BTreeMap::new();
    let mut problems = Vec::new();
    let (mut progress, mut read) = (Progress::new("records read"), 0);
    for lane in reader.lanes() {
        let mut cursor = reader.cursor(lane);
        let problem = loop {
            match cursor.next_whole() {
                Ok(Some(view)) => {
                    read += 1;
                    progress.at(read);
                    if differences.is_empty()
                        && let Err(difference) = accounts.take(&view, context)
                    {
                        differences.push(difference);
                    }
                    if filter.takes(&view) {
                        let time = view.entry.recv_ns;
                        let new = Count { records: 0, bytes: 0, first: time, last: time };
                        let count = counts.entry((lane, view.entry.kind)).or_insert(new);
                        count.records += 1;
                        count.bytes += view.stored_bytes() as u64;
                        count.first = count.first.min(time);
                        count.last = count.last.max(time);
                    }
                }
                Ok(None) => break None,
                Err(problem) => break Some(problem),
            }
        };
        problems.extend(problem);
    }
    drop(progress);
    accounts.finish();
    if !as_json {
        out.line(format_args!(
            "{:<8} {:<16} {:>10} {:>13} {:>8}  {:<23}{:>11}",
            "LANE", "KIND", "RECORDS", "BYTES", "PER S", "FIRST", "LAST AFTER"
        ))?;
    }
    for ((lane, kind), count) in &counts {
        let (lane, kind, per_s) = (lane.name(), kind_name(*kind), count.per_s());
        let (first, last) = (count.first.to_string(), count.last.to_string());
        if as_json {
            out.line(json!({
                "lane": lane, "kind": kind, "records": count.records, "bytes": count.bytes,
                "first": first, "last": last, "records_per_s": per_s,
            }))?;
        } else {
            let per_s = per_s.map_or_else(|| "-".to_owned(), |per_s| per_s.to_string());
            let Count { records, bytes, .. } = count;
            // To the millisecond; all digits are in --json.
            let first = first.get(..23).unwrap_or(&first);
            let after = length(count.last.since(count.first).0);
            out.line(format_args!(
                "{lane:<8} {kind:<16} {records:>10} {bytes:>13} {per_s:>8}  {first:<23}{after:>11}"
            ))?;
        }
    }
    if differences.is_empty() {
        pnl::show(&accounts, filter, &facts, as_json, out)?;
    }
    out.flush()?;
    let mut problems: Vec<String> = problems.iter().map(ToString::to_string).chain(differences).collect();
    match problems.pop() {
        None => Ok(()),
        Some(last) => {
            problems.iter().for_each(|problem| eprintln!("journal: {problem}"));
            Err(Stop::Input(last))
        }
    }
}
