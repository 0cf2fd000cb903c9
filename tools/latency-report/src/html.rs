//! The report as one HTML file: no script, nothing fetched, readable in light and dark.

use std::fmt::Write;

use engine::latency::{Hop, Percentiles};

use crate::baseline::Compared;
use crate::plot::{Curve, svg};
use crate::run::Run;
use crate::text::{facts, turns};

/// What stands together on one pair of axes.
const PLOTS: [(&str, &[Hop]); 4] = [
    ("Frame received to order handed over", &[Hop::TickToOrder]),
    ("Steps of every frame", &[Hop::Decode, Hop::Book, Hop::Signal]),
    ("Steps of orders", &[Hop::Decide, Hop::Risk, Hop::Encode]),
    ("Order sent to the venue's answer", &[Hop::Ack]),
];

/// The whole file.
pub(crate) fn page(run: &Run, baseline: Option<&Run>, compared: &[Compared]) -> String {
    let measured = run.facts.measured_name();
    let mut page = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>Latency of {0}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n<h1>Latency of {0}</h1>\n\
         <p class=\"measured\">{1}, nanoseconds. {2}</p>\n",
        escaped(&run.name),
        escaped(measured),
        explained(run)
    );
    table(&mut page, run);
    if let Some(baseline) = baseline {
        changes(&mut page, baseline, compared);
    }
    let is_said = |hops: &[Hop]| run.hops.said().any(|(hop, _)| hops.contains(&hop));
    for (title, hops) in PLOTS.into_iter().filter(|(_, hops)| is_said(hops)) {
        plot(&mut page, title, hops, run, baseline);
    }
    // Writing into a string cannot fail.
    let _ = writeln!(page, "<h2>Scheduling gaps</h2>\n<ul>");
    for line in turns(run) {
        let _ = writeln!(page, "<li>{}</li>", escaped(line.trim_start_matches("scheduling gaps: ")));
    }
    let _ = writeln!(page, "</ul>\n<h2>Run</h2>\n<table class=\"facts\">");
    for (label, value) in facts(run) {
        let _ = writeln!(page, "<tr><th>{label}</th><td>{}</td></tr>", escaped(&value));
    }
    page += "</table>\n</main>\n</body>\n</html>\n";
    page
}

fn explained(run: &Run) -> &'static str {
    use engine::latency::Measured::{Response, Service};
    match run.facts.measured() {
        Some(Service) => "Measured from the moment a frame was taken: what it waited before is not in it.",
        Some(Response) => "Measured from the moment a frame was due: what it waited behind others is in it.",
        None => "",
    }
}

fn table(page: &mut String, run: &Run) {
    *page += "<div class=\"scroll\"><table class=\"numbers\">\n<tr><th>hop</th><th>p50</th><th>p99</th>\
              <th>p99.9</th><th>max</th><th>count</th><th class=\"words\">what it is</th></tr>\n";
    for (hop, histogram) in run.hops.said() {
        let Percentiles { p50, p99, p999, max, count } = Percentiles::of(histogram);
        let _ = writeln!(
            page,
            "<tr><th>{}</th><td>{p50}</td><td>{p99}</td><td>{p999}</td><td>{max}</td><td>{count}</td>\
             <td class=\"words\">{}</td></tr>",
            hop.name(),
            escaped(hop.help())
        );
    }
    *page += "</table></div>\n";
}

fn changes(page: &mut String, baseline: &Run, compared: &[Compared]) {
    let _ = writeln!(page, "<h2>Against {}</h2>\n<ul>", escaped(&baseline.name));
    let slower: Vec<_> = compared.iter().filter(|one| one.is_regression).collect();
    for one in &slower {
        let _ = writeln!(page, "<li class=\"slower\">slower: {}</li>", escaped(&one.text()));
    }
    if slower.is_empty() {
        let _ = writeln!(page, "<li>no regression in {} percentiles</li>", compared.len());
    }
    let _ = writeln!(page, "</ul>");
}

fn plot(page: &mut String, title: &str, hops: &[Hop], run: &Run, baseline: Option<&Run>) {
    let mut curves = Vec::new();
    for hop in hops {
        curves.push(Curve { name: hop.name(), histogram: run.hops.of(*hop), is_baseline: false });
        if let Some(baseline) = baseline {
            let histogram = baseline.hops.of(*hop);
            curves.push(Curve { name: hop.name(), histogram, is_baseline: true });
        }
    }
    if let Some(svg) = svg(title, &curves) {
        let dashed = if baseline.is_some() { " <small>(dashed: the baseline)</small>" } else { "" };
        let _ = writeln!(page, "<h2>{title}{dashed}</h2>\n{svg}");
    }
}

/// Text as it stands between tags.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

const STYLE: &str = "\
:root { color-scheme: light dark; --ink: #1c2024; --soft: #5f6a75; --grid: #d9dee3; --paper: #fdfdfc;
  --c1: #0b62c4; --c2: #b3480b; --c3: #1a7a3e; --bad: #b3261e; }
@media (prefers-color-scheme: dark) { :root { --ink: #e7eaed; --soft: #9aa5b0; --grid: #3a4149; --paper: #16191c;
  --c1: #6cb0ff; --c2: #ffa15e; --c3: #66d18f; --bad: #ff8a80; } }
body { margin: 0; background: var(--paper); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
main { max-width: 860px; margin: 0 auto; padding: 24px 16px 48px; }
h1 { font-size: 1.5rem; margin: 0 0 4px; overflow-wrap: anywhere; } h2 { font-size: 1.1rem; margin: 32px 0 8px; }
small, .measured { color: var(--soft); } .measured::first-letter { text-transform: uppercase; }
.scroll { overflow-x: auto; } table { border-collapse: collapse; }
th, td { padding: 4px 12px 4px 0; text-align: left; border-bottom: 1px solid var(--grid); font-weight: normal; }
.numbers td, .numbers tr:first-child th { text-align: right; font-variant-numeric: tabular-nums; }
.numbers tr:first-child th:first-child, .numbers tr th.words, .numbers .words { text-align: left; padding-left: 12px; }
.numbers tr:first-child th:first-child { padding-left: 0; } .numbers .words { color: var(--soft); }
.facts th { color: var(--soft); padding-right: 24px; vertical-align: top; } .facts td { overflow-wrap: anywhere; }
.slower { color: var(--bad); } svg { width: 100%; height: auto; display: block; }
.grid { stroke: var(--grid); stroke-width: 1; } .tick { fill: var(--soft); font-size: 11px; }
.curve { fill: none; stroke-width: 2; stroke-linejoin: round; } .dashed { stroke-dasharray: 5 4; stroke-width: 1.5; }
.name { font-size: 12px; } .curve.c1 { stroke: var(--c1); } .curve.c2 { stroke: var(--c2); }
.curve.c3 { stroke: var(--c3); } .name.c1 { fill: var(--c1); } .name.c2 { fill: var(--c2); } .name.c3 { fill: var(--c3); }
";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::Facts;
    use engine::journal::schema::Stamps;
    use engine::latency::Hops;

    #[test]
    fn the_page_fetches_nothing_and_says_names_as_text() {
        let mut hops = Hops::default();
        hops.frame(&Stamps { decoded: 40, booked: 90, signalled: 95, decided: 0 });
        let run = Run { name: "<run> & co".to_owned(), hops, facts: Facts::default(), threads: Vec::new() };
        let page = page(&run, None, &[]);
        assert!(page.contains("<title>Latency of &lt;run&gt; &amp; co</title>"));
        for forbidden in ["http", "<script", "src=", "url(", "@import"] {
            assert!(!page.contains(forbidden), "{forbidden}");
        }
        assert_eq!(page.matches("<svg").count(), 1, "of the hops that have values");
    }
}
