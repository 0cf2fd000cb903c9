//! The summary as a page for people.

use super::{StrategyPosition, Summary, Thread};
use engine::ids::StrategyId;
use engine::latency::Hop;
use std::fmt::Write;

/// Lines of a label and what is said under it.
struct Page(String);

impl Page {
    fn line(&mut self, label: &str, value: impl AsRef<str>) {
        // Writing into a string cannot fail.
        let _ = writeln!(self.0, "{label:<18} {}", value.as_ref());
    }
}

impl Summary {
    /// A page for people.
    pub(crate) fn text(&self) -> String {
        let mut page = Page(String::new());
        self.write_market(&mut page);
        self.write_orders(&mut page);
        self.write_positions(&mut page);
        page.line("decisions", format!("sha256 {}", self.decisions_sha256.as_deref().unwrap_or("unknown")));
        page.line("configuration", format!("{}, sha256 {}", self.config.file, self.config.sha256));
        if let Some(journal) = &self.journal {
            page.line("journal", journal);
        }
        self.write_threads(&mut page);
        self.write_latency(&mut page);
        if let Some(books) = &self.venue_books {
            page.line(if books.equal { "venue" } else { "DIFFERS" }, books.text().trim_end());
        }
        if let Some(verified) = &self.verified {
            page.line(if verified.difference.is_some() { "DIFFERS" } else { "verified" }, verified.text());
        }
        if let Some(why) = &self.stopped {
            page.line("STOPPED", why);
        }
        page.0
    }

    /// What came in, and what became of it.
    fn write_market(&self, page: &mut Page) {
        page.line("instruments", self.instruments.join(", "));
        let kinds: Vec<String> =
            self.messages.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
        page.line("messages", kinds.join(", "));
        page.line(
            "decode errors",
            format!("{} ({} by the general decoder)", self.decode_errors, self.general_decoder),
        );
        for error in &self.first_errors {
            page.line("", error);
        }
        page.line(
            "books",
            format!(
                "{} updates, {} gaps, {} resyncs, {} dropped unsynchronised, {} duplicates",
                self.book_updates, self.gaps, self.resyncs, self.dropped_unsynced, self.duplicates
            ),
        );
        for (name, book) in &self.books {
            page.line("", format!("{name}: {} at the end", book.state));
        }
        let [lost, copies, cuts, renewals] = [self.lost, self.copies, self.cuts, self.renewals];
        if lost + copies + cuts + renewals > 0 {
            page.line(
                "connections",
                format!(
                    "{lost} lost or silent; {cuts} books cut, {renewals} renewed, {copies} second copies dropped"
                ),
            );
        }
        if self.clock_steps > 0 {
            page.line("receive times", format!("{} stepped back, or forward over an hour", self.clock_steps));
        }
        if self.late_trades > 0 {
            page.line("late trades", format!("{} older than the last closed candle", self.late_trades));
        }
    }

    fn write_orders(&self, page: &mut Page) {
        let rejected: u64 = self.orders.rejected.values().sum();
        page.line(
            "orders",
            format!(
                "{} placed, {} amended, {} canceled, {} filled, {} open, {rejected} rejected",
                self.orders.placed,
                self.orders.amended,
                self.orders.canceled,
                self.orders.filled,
                self.open_orders
            ),
        );
        for (rule, count) in &self.orders.rejected {
            let last = self.orders.rejected_last.get(rule);
            let last = last.map_or_else(String::new, |words| format!(", the last: {words}"));
            page.line("", format!("{count} by {rule}{last}"));
        }
    }

    fn write_positions(&self, page: &mut Page) {
        for (name, position) in &self.position {
            page.line("position", format!("{position} {name}"));
        }
        for (asset, cash) in &self.cash {
            let pnl = self.pnl.get(asset).cloned().flatten().unwrap_or_else(|| "unknown".into());
            let fees = self.fees.get(asset).map_or("unknown", String::as_str);
            let funding = match self.funding.get(asset).map(String::as_str) {
                None | Some("0") => String::new(),
                Some(funding) => format!(", funding {funding}"),
            };
            page.line("profit", format!("{pnl} {asset} before {fees} fees (cash {cash}{funding})"));
        }
        for (strategy, positions) in &self.strategies {
            for (name, position) in positions {
                let pnl = position.pnl.as_deref().unwrap_or("unknown");
                let StrategyPosition { position, fees, .. } = position;
                let strategy = match StrategyId(*strategy) {
                    StrategyId::MANUAL => StrategyId::MANUAL_NAME.to_owned(),
                    number => format!("strategy {number}"),
                };
                page.line("", format!("{strategy}: {position} {name}, profit {pnl} before {fees} fees"));
            }
        }
    }

    /// The threads, and how fast they were.
    fn write_threads(&self, page: &mut Page) {
        for thread in &self.placement {
            let Thread { thread: name, idle_share, longest_turn_ns, .. } = thread;
            let (place, idle, longest) = (thread.place(), idle_share * 100.0, longest_turn_ns / 1000);
            page.line("thread", format!("{name} {place}, {idle:.0} % idle turns, longest {longest} us"));
        }
        if self.stalls > 0 {
            let stalls = self.stalls;
            page.line("stalls", format!("{stalls} times a thread made no turn for longer than stall_ms"));
        }
        page.line("speed", format!("{:.0} messages/s in {:.3} s", self.messages_per_s, self.elapsed_s));
    }

    /// A table, where anything was measured.
    fn write_latency(&self, page: &mut Page) {
        if self.latency_ns.values().all(|hop| hop.count == 0) {
            return;
        }
        let header = format!("{:>9} {:>9} {:>9} {:>9} {:>9}", "p50", "p99", "p99.9", "max", "count");
        page.line("latency, ns", header);
        for name in Hop::ALL.map(Hop::name) {
            if let Some(hop) = self.latency_ns.get(name) {
                let row =
                    format!("{:>9} {:>9} {:>9} {:>9} {:>9}", hop.p50, hop.p99, hop.p999, hop.max, hop.count);
                page.line(&format!("  {name}"), row);
            }
        }
    }
}

impl Thread {
    /// Where it ran.
    fn place(&self) -> String {
        match (self.core, self.pinned) {
            (Some(core), true) => format!("pinned to core {core}"),
            (Some(core), false) => format!("NOT pinned to core {core}: the kernel says {:?}", self.cores),
            (None, _) => "not pinned".into(),
        }
    }
}
