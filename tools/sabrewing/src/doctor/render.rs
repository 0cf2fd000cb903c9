//! The report for people, and the same for programs.

use serde_json::{Value, json};
use std::fmt::Write as _;

use super::finding::{Finding, State};
use super::gaps::CoreGaps;
use super::report::Report;

/// The report as one JSON object.
pub(crate) fn json(report: &Report) -> Value {
    let unmet: Vec<&str> = report.unmet().map(|finding| finding.id).collect();
    json!({
        "pinned_cores": report.pinned.cores.to_json(),
        "pinned_cores_from": report.pinned.from.describe(),
        "requirements_from": report.requirements_from,
        "strict_host": report.strict_host,
        "checks": report.findings,
        "scheduling_gaps": report.gaps.as_ref().and_then(|gaps| gaps.as_ref().ok()),
        "recommended": advice(&report.findings).into_iter().map(|(id, lines)| json!({ "check": id, "lines": lines })).collect::<Vec<_>>(),
        "unmet": unmet,
    })
}

/// The report as text: a table of checks, the gaps by core, what is recommended, and the verdict. No colour.
pub(crate) fn text(report: &Report) -> String {
    let mut out = format!("Pinned cores {} ({})\n\n", report.pinned.cores, report.pinned.from.describe());
    table(&mut out, &report.findings);
    if let Some(Ok(gaps)) = &report.gaps {
        gap_table(&mut out, gaps);
    }
    let advice = advice(&report.findings);
    if !advice.is_empty() {
        out += "\nRecommended\n";
        for (id, lines) in advice {
            _ = writeln!(out, "  {id}");
            for line in lines {
                _ = writeln!(out, "    {line}");
            }
        }
        out += "  PROFILE is a file of tuning/profiles; add --dry-run to see every change first, --revert undoes.\n";
    }
    out.push('\n');
    verdict(&mut out, report);
    out
}

fn table(out: &mut String, findings: &[Finding]) {
    let width = |of: fn(&Finding) -> &str, least: usize| {
        findings.iter().map(|finding| of(finding).chars().count()).max().unwrap_or(0).max(least)
    };
    let shown =
        |finding: &Finding| if finding.value.is_empty() { "-".to_owned() } else { finding.value.clone() };
    let ids = width(|finding| finding.id, 5);
    let values = width(|finding| &finding.value, 5).min(VALUE_WIDTH_MAX);
    _ = writeln!(out, "{:<8} {:<ids$}  {:<values$}  WANTED", "STATE", "CHECK", "VALUE");
    for finding in findings {
        let wanted = match (finding.wanted.as_str(), finding.required) {
            ("", _) => "-".to_owned(),
            (wanted, true) => format!("{wanted} (required)"),
            (wanted, false) => wanted.to_owned(),
        };
        let (state, id) = (finding.state.name(), finding.id);
        _ = writeln!(out, "{state:<8} {id:<ids$}  {:<values$}  {wanted}", shown(finding));
        if finding.state != State::Ok && !finding.why.is_empty() {
            _ = writeln!(out, "{:<8}   {}", "", finding.why);
        }
    }
}

fn gap_table(out: &mut String, gaps: &[CoreGaps]) {
    let seconds = gaps.first().map_or(0.0, |gaps| gaps.seconds);
    _ = writeln!(out, "\nScheduling gaps above 1 us of a spinning thread, {seconds:.1} s, all cores at once");
    let heads = ["CORE", "GAPS/S", "P50 us", "P99 us", "P99.9 us", "MAX us", "TIME LOST"];
    for head in heads {
        _ = write!(out, "{head:>10}");
    }
    out.push('\n');
    for core in gaps {
        _ = writeln!(
            out,
            "{:>10}{:>10.0}{:>10.1}{:>10.1}{:>10.1}{:>10.1}{:>9.2}%",
            core.core,
            core.per_s,
            core.p50_us,
            core.p99_us,
            core.p999_us,
            core.max_us,
            core.lost_share * 100.0
        );
    }
}

fn verdict(out: &mut String, report: &Report) {
    let count = |state| report.findings.iter().filter(|finding| finding.state == state).count();
    let [ok, warn, fail, unknown] = [State::Ok, State::Warn, State::Fail, State::Unknown].map(count);
    _ = writeln!(out, "{ok} ok, {warn} warn, {fail} fail, {unknown} unknown");
    let required = report.findings.iter().filter(|finding| finding.required).count();
    let unmet: Vec<&str> = report.unmet().map(|finding| finding.id).collect();
    match (&report.requirements_from, unmet.is_empty()) {
        (_, false) => {
            _ = writeln!(out, "{} of {required} requirements unmet: {}", unmet.len(), unmet.join(", "));
            if report.strict_host {
                *out += "strict_host is set: a run with this configuration refuses to start\n";
            }
        }
        (Some(_), true) if required > 0 => _ = writeln!(out, "all {required} requirements met"),
        (Some(file), true) => _ = writeln!(out, "{file} requires nothing of the host"),
        (None, true) => *out += "no configuration given, so nothing is required\n",
    }
}

/// The commands, those that mend several checks listed once under all of them.
fn advice(findings: &[Finding]) -> Vec<(String, &[String])> {
    let mut grouped: Vec<(String, &[String])> = Vec::new();
    for finding in findings.iter().filter(|finding| !finding.advice.is_empty()) {
        match grouped.iter_mut().find(|(_, lines)| *lines == finding.advice) {
            Some((ids, _)) => {
                *ids += ", ";
                *ids += finding.id;
            }
            None => grouped.push((finding.id.to_owned(), &finding.advice)),
        }
    }
    grouped
}

/// Longer values push `WANTED` out on their own line only.
const VALUE_WIDTH_MAX: usize = 46;

#[cfg(test)]
mod tests {
    use super::super::cores::{Pinned, PinnedFrom};
    use super::super::finding::Wanted;
    use super::*;

    fn report(findings: Vec<Finding>) -> Report {
        Report {
            pinned: Pinned { cores: [2, 3].into_iter().collect(), from: PinnedFrom::Configuration },
            findings,
            gaps: None,
            requirements_from: Some("host.toml".into()),
            strict_host: true,
        }
    }

    fn failed(id: &'static str, required: bool) -> Finding {
        Finding::judged(id, Wanted::new(required, "off"), false, "on").because("it hurts").advise(["mend it"])
    }

    #[test]
    fn columns_line_up_and_only_what_is_not_ok_is_explained() {
        let ok =
            Finding::judged("a.long_identifier", Wanted::new(false, ""), true, "3").because("never shown");
        let text = text(&report(vec![ok, failed("b.x", true)]));
        let column = |word: &str, line: usize| text.lines().nth(line).unwrap().find(word).unwrap();
        assert_eq!(column("VALUE", 2), column("3", 3));
        assert_eq!(column("VALUE", 2), column("on ", 4));
        assert_eq!(column("WANTED", 2), column("off (required)", 4));
        assert!(!text.contains("never shown") && text.contains("it hurts"));
        assert!(!text.contains('\u{1b}'));
    }

    #[test]
    fn one_command_for_two_checks_is_listed_once() {
        let text = text(&report(vec![failed("a.x", false), failed("a.y", false)]));
        assert_eq!(text.matches("mend it").count(), 1);
        assert!(text.contains("  a.x, a.y\n"));
    }

    #[test]
    fn unmet_requirements_are_named_in_text_and_json() {
        let report = report(vec![failed("a.x", true), failed("a.y", false)]);
        let text = text(&report);
        assert!(
            text.contains("1 of 1 requirements unmet: a.x\n") && text.contains("refuses to start"),
            "{text}"
        );
        let json = json(&report);
        assert_eq!(json["unmet"], json!(["a.x"]));
        assert_eq!(json["pinned_cores"], json!([2, 3]));
        assert_eq!(json["checks"][1]["state"], "warn");
        assert_eq!(json["checks"][0]["required"], true);
    }
}
