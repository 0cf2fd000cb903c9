//! What a live run shows while it runs, from its counters alone: one screen on a terminal, a line in a pipe.

use engine::counters::{Entry, Snapshot};
use engine::instrument::{Instrument, InstrumentTable};
use engine::latency::Hop;
use engine::num::{Price, Qty};
use feeds::live::{ConnectionPlan, ConnectionRole, LivePlan};
use std::collections::VecDeque;
use std::fmt::Write as _;
use std::time::Duration;

/// What a page shows besides the counters.
pub(super) struct Beside<'a> {
    /// Each venue's clock against ours.
    pub(super) clocks: &'a str,
    /// What each connection is, by its number.
    pub(super) connections: &'a [String],
    /// What happened last, newest first.
    pub(super) news: &'a VecDeque<String>,
}

/// What the connections of a plan are: venue, path, streams.
pub(super) fn connection_names(plan: &LivePlan) -> Vec<String> {
    let name = |connection: &ConnectionPlan| match &connection.role {
        ConnectionRole::Streams { url, names } => {
            let path = url.split_once("://").and_then(|(_, rest)| rest.find('/').map(|at| &rest[at..]));
            format!("{} {} ({} streams)", connection.venue, path.unwrap_or(""), names.len())
        }
        ConnectionRole::Snapshots { .. } => format!("{} snapshots", connection.venue),
    };
    plan.connections.iter().map(name).collect()
}

/// A screen's worth of lines.
pub(super) fn page(
    table: &InstrumentTable,
    counters: &Snapshot,
    elapsed: Duration,
    beside: &Beside<'_>,
) -> String {
    let Beside { clocks, connections, news } = beside;
    let mut page = String::new();
    let frames = counters.find("feed", "frames").map_or(0, |entry| entry.value);
    // Writing to a string does not fail.
    let _ = writeln!(page, "sabrewing  {}  {frames} frames  {clocks}", clock_time(elapsed));
    let _ = writeln!(
        page,
        "\n{:<24} {:>14} {:>14} {:<12} {:>8} {:>7} {:>6} {:>12} {:>14}",
        "instrument", "bid", "ask", "book", "orders", "open", "fills", "position", "profit"
    );
    for instrument in table.iter() {
        let _ = writeln!(page, "{}", row(instrument, counters));
    }
    let _ = writeln!(page, "\n{:<16} {:<24} quoting", "strategy", "instrument");
    for entry in counters.counters.iter().filter(|entry| entry.name == "not_quoting") {
        let reason = entry.reason().unwrap_or("?");
        let _ = writeln!(page, "{:<16} {:<24} {reason}", entry.strategy, entry.instrument);
    }
    let _ = writeln!(page, "\n{:<48} {:>6} {:>12} {:>8}", "connection", "open", "frames", "losses");
    for entry in counters.counters.iter().filter(|e| e.owner.starts_with("connection ") && e.name == "open") {
        let of = |name| counters.find(&entry.owner, name).map_or(0, |entry| entry.value);
        let open = if entry.value == 1 { "yes" } else { "NO" };
        let number = entry.owner.trim_start_matches("connection ");
        let what = number.parse().ok().and_then(|index: usize| connections.get(index));
        let name = format!("{number} {}", what.map_or("", String::as_str));
        let _ = writeln!(page, "{name:<48} {open:>6} {:>12} {:>8}", of("frames"), of("losses"));
    }
    let _ =
        writeln!(page, "\n{:<16} {:>10} {:>10} {:>10} {:>10}", "latency, ns", "p50", "p99", "p99.9", "max");
    for hop in Hop::ALL {
        let histogram = counters.find("gateway", &format!("latency_{}", hop.name()));
        let Some(histogram) = histogram.and_then(|entry| entry.histogram.as_ref()) else { continue };
        if histogram.count() > 0 {
            let at = |ppm| histogram.percentile_ns(ppm);
            let _ = writeln!(
                page,
                "{:<16} {:>10} {:>10} {:>10} {:>10}",
                hop.name(),
                at(500_000),
                at(990_000),
                at(999_000),
                histogram.max_ns()
            );
        }
    }
    page.push('\n');
    news.iter().for_each(|line| page.extend([line, "\n"]));
    page
}

/// One line.
pub(super) fn line(table: &InstrumentTable, counters: &Snapshot, elapsed: Duration) -> String {
    let frames = counters.find("feed", "frames").map_or(0, |entry| entry.value);
    let open = counters.counters.iter().filter(|e| e.owner.starts_with("connection ") && e.name == "open");
    let (up, all) = open.fold((0, 0), |(up, all), entry| (up + entry.value, all + 1));
    let mut line = format!("{} {frames} frames, {up} of {all} connections", clock_time(elapsed));
    for instrument in table.iter() {
        let name = instrument.full_name();
        let of = |owner: &str, counter: &str| find(counters, owner, counter, &name).map_or(0, Entry::signed);
        let (bid, ask) = touch(instrument, counters);
        let state = find(counters, "book", "state", &name).and_then(Entry::reason).unwrap_or("?");
        let position = Qty(of("gateway", "position")).display(instrument.qty_unit);
        let quoting =
            find(counters, "strategy", "not_quoting", &name).and_then(Entry::reason).unwrap_or("no strategy");
        let _ = write!(
            line,
            "; {} {bid}/{ask} {state}, {} orders, {} fills, position {position}, profit {} {}, {quoting}",
            instrument.symbol,
            of("gateway", "orders"),
            of("gateway", "fills"),
            instrument.amount(i128::from(of("gateway", "pnl"))),
            instrument.settle()
        );
    }
    line
}

fn row(instrument: &Instrument, counters: &Snapshot) -> String {
    let name = instrument.full_name();
    let of = |owner: &str, counter: &str| find(counters, owner, counter, &name).map_or(0, Entry::signed);
    let (bid, ask) = touch(instrument, counters);
    let state = find(counters, "book", "state", &name).and_then(Entry::reason).unwrap_or("?");
    let position = Qty(of("gateway", "position")).display(instrument.qty_unit).to_string();
    let profit = format!("{} {}", instrument.amount(i128::from(of("gateway", "pnl"))), instrument.settle());
    format!(
        "{name:<24} {bid:>14} {ask:>14} {state:<12} {:>8} {:>7} {:>6} {position:>12} {profit:>14}",
        of("gateway", "orders"),
        of("gateway", "open_orders"),
        of("gateway", "fills")
    )
}

/// Best bid and ask as the venue prints them; `-` where there is none.
fn touch(instrument: &Instrument, counters: &Snapshot) -> (String, String) {
    let name = instrument.full_name();
    let price = |counter| match find(counters, "book", counter, &name).map_or(0, Entry::signed) {
        0 => "-".to_owned(),
        ticks => Price(ticks).display(instrument.price_rule.tick).to_string(),
    };
    (price("bid"), price("ask"))
}

fn find<'a>(counters: &'a Snapshot, owner: &str, name: &str, instrument: &str) -> Option<&'a Entry> {
    counters.counters.iter().find(|e| e.owner == owner && e.name == name && e.instrument == instrument)
}

fn clock_time(elapsed: Duration) -> String {
    let s = elapsed.as_secs();
    format!("{:02}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60)
}
