//! The report as a page of text.

use std::fmt::Write;

use crate::run::Run;

/// Facts, the table, and what the scheduler did beside the tails.
pub(crate) fn page(run: &Run) -> String {
    let mut page = String::new();
    // Writing into a string cannot fail.
    for (label, value) in facts(run) {
        let _ = writeln!(page, "{label:<16} {value}");
    }
    let _ = writeln!(page, "\n{}, ns", run.facts.measured_name());
    let _ = writeln!(
        page,
        "{:<14} {:>10} {:>10} {:>10} {:>10} {:>10}",
        "hop", "p50", "p99", "p99.9", "max", "count"
    );
    let percentiles = run.hops.percentiles();
    for (hop, _) in run.hops.said() {
        if let Some(said) = percentiles.get(hop.name()) {
            let engine::latency::Percentiles { p50, p99, p999, max, count } = said;
            let _ = writeln!(page, "{:<14} {p50:>10} {p99:>10} {p999:>10} {max:>10} {count:>10}", hop.name());
        }
    }
    let _ = writeln!(page);
    for line in turns(run) {
        let _ = writeln!(page, "{line}");
    }
    page
}

/// What the run is, in words.
pub(crate) fn facts(run: &Run) -> Vec<(&'static str, String)> {
    let facts = &run.facts;
    let said = |text: &Option<String>| text.clone().unwrap_or_else(|| "not journalled".to_owned());
    let mut lines = vec![
        ("run", run.name.clone()),
        ("run id", facts.id.to_string()),
        ("started", facts.started.to_string()),
        ("instruments", facts.instruments.join(", ")),
    ];
    if let Some((first, last)) = facts.frames {
        lines.push(("first frame", first.to_string()));
        lines.push(("last frame", last.to_string()));
    }
    lines.push(("command", said(&facts.build.command)));
    lines.push(("pace", said(&facts.build.pace)));
    lines.push(("version", said(&facts.build.version)));
    lines.push(("end", facts.end.clone().unwrap_or_else(|| "not ended in order".to_owned())));
    lines.extend(facts.lacks.as_ref().map(|what| ("lacks", what.clone())));
    lines
}

/// Scheduling gaps: a turn that takes a millisecond was no turn's work.
pub(crate) fn turns(run: &Run) -> Vec<String> {
    if run.threads.is_empty() {
        return vec!["scheduling gaps: unknown, there is no counters file beside the journal".to_owned()];
    }
    let line = |thread: &crate::run::Thread| {
        let crate::run::Thread { name, turns, long_turns, longest_ns } = thread;
        format!(
            "scheduling gaps: thread {name}: {long_turns} of {turns} turns took 1 ms or longer, the longest {} us",
            longest_ns / 1000
        )
    };
    run.threads.iter().map(line).collect()
}
