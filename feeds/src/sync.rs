//! Synchronisation of one instrument's depth stream: buffering, snapshot, first-event rule, continuity, gap,
//! resynchronisation. The venue's codec says whether an update follows (`FeedCodec::chain`); what to do about
//! the answer is here, once for every venue.
//!
//! ```text
//!            snapshot                 update follows
//!  Waiting ───────────▶ Live ────────────────────────▶ Live      emits Snapshot, Delta ...
//!     ▲                   │ gap
//!     └───────────────────┘                                      emits Stale; later updates are kept
//! ```
//!
//! While waiting, updates are kept in a bounded buffer; the snapshot replays those that it does not hold yet.
//! A snapshot that leaves a hole before the first kept update is a gap like any other: one break is one gap.
//!
//! A live book is renewed from a snapshot that is on its way: what is applied meanwhile is kept too, and what the
//! snapshot does not hold of it is merged into it (`renewal`), so that one message renews the book. Only a book that an
//! update has proven is renewed: the message says that the book can be trusted.
//!
//! A stream whose connection is lost, or that falls silent, is cut: stale like a gap, and counted apart. What was
//! kept for a snapshot goes with it: a later snapshot would come alive by it with no stream behind.

use crate::codec::{Chain, SyncState};
use crate::renewal::Merger;
use engine::message::{Cell, Depth, FIRST_OF_FRAME, Head, Kind, RENEWAL};
use zerocopy::FromZeros;

/// What became of an instrument's depth messages. Every delta ends in exactly one of `applied`, `dropped_unsynced`,
/// `duplicates`, or still waits in the buffer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SyncCounts {
    /// Deltas (and whole books) passed on.
    pub applied: u64,
    /// Transitions into stale by sequence.
    pub gaps: u64,
    /// Transitions into stale because the stream's connection was lost or it fell silent.
    pub cuts: u64,
    /// Completed returns to a valid book after a gap or a cut.
    pub resyncs: u64,
    /// Live books that were renewed from a later snapshot.
    pub renewals: u64,
    /// Deltas that arrived without a book to apply them to and were never applied.
    pub dropped_unsynced: u64,
    /// Deltas that the book held already.
    pub duplicates: u64,
    /// Snapshots older than the book.
    pub snapshots_ignored: u64,
}

/// Where sync sends what it lets through.
pub trait SyncSink {
    /// A message for the book: `Snapshot`, `Delta` or `Stale`, with the head of its own frame.
    fn emit(&mut self, kind: Kind, head: &Head, body: &[Cell]);
    /// The venue's rule.
    fn chain(&self, state: &SyncState, update: &Depth) -> Chain;
    /// The stream broke: `expected` is the last id held, `update` the one that did not follow.
    fn broke(&mut self, head: &Head, expected: u64, update: &Depth);
    /// The stream continues from the snapshot with this id; `update` is the first one that followed it.
    fn resynced(&mut self, head: &Head, snapshot_id: u64, update: &Depth);
}

/// One instrument's stream.
pub struct Sync {
    state: SyncState,
    live: bool,
    /// A gap or a cut was reported and not yet healed.
    broken: bool,
    /// The book is live, and updates are kept for a snapshot that is to renew it.
    renewing: bool,
    /// Head of the snapshot in force.
    snapshot: Head,
    /// Time of the last whole book, for venues that send nothing else.
    whole_book_ns: u64,
    waiting: Buffer,
    counts: SyncCounts,
}

impl Sync {
    /// A stream that waits for its snapshot. `buffer_bytes` bounds what is kept meanwhile.
    #[must_use]
    pub fn new(buffer_bytes: usize) -> Self {
        Self {
            state: SyncState::default(),
            live: false,
            broken: false,
            renewing: false,
            snapshot: Head::new(Kind::Snapshot),
            whole_book_ns: 0,
            waiting: Buffer::new(buffer_bytes / size_of::<Cell>()),
            counts: SyncCounts::default(),
        }
    }

    /// The counts so far; what still waits in the buffer counts as dropped.
    #[must_use]
    pub fn counts(&self) -> SyncCounts {
        let waiting = if self.renewing { 0 } else { self.waiting.messages };
        let dropped_unsynced = self.counts.dropped_unsynced + waiting;
        SyncCounts { dropped_unsynced, ..self.counts }
    }

    /// Whether there is a snapshot and no gap after it.
    #[must_use]
    pub const fn is_live(&self) -> bool {
        self.live
    }

    /// An update arrived. `body` is its message body, [`Depth`] first.
    #[inline]
    pub fn on_delta(&mut self, head: &Head, depth: &Depth, body: &[Cell], sink: &mut impl SyncSink) {
        if self.live {
            self.follow(head, depth, body, sink);
        } else {
            self.keep(head, body);
        }
    }

    /// Whether an update has followed the snapshot in force: a book that can be renewed.
    #[must_use]
    pub const fn is_proven(&self) -> bool {
        self.live && self.state.first_applied
    }

    /// A snapshot is on its way that is to renew a proven book: from now on what is applied is kept for it too.
    pub fn renew(&mut self) {
        if self.is_proven() && !self.renewing {
            self.renewing = true;
            self.waiting.clear();
        }
    }

    /// The stream's connection was lost, or it fell silent: what the book holds is not the market any more, and
    /// nothing continues what was kept. Said to the book, live or not, and counted when it was.
    pub fn cut(&mut self, head: &Head, sink: &mut impl SyncSink) {
        if self.live {
            self.leave_live();
            self.broken = true;
            self.counts.cuts += 1;
            sink.broke(head, self.state.last_id, &Depth::default());
        }
        self.counts.dropped_unsynced += self.waiting.messages;
        self.waiting.clear();
        sink.emit(Kind::Stale, head, &[]);
    }

    fn leave_live(&mut self) {
        self.live = false;
        if std::mem::take(&mut self.renewing) {
            self.waiting.clear();
        }
    }

    /// A snapshot arrived. Kept updates are replayed on it by `catch_up`, one at a time.
    pub fn on_snapshot(
        &mut self,
        head: &Head,
        depth: &Depth,
        body: &[Cell],
        merger: &mut Merger,
        sink: &mut impl SyncSink,
    ) {
        if depth.complete == 1 {
            self.on_whole_book(head, depth, body, sink);
            return;
        }
        if self.live && std::mem::take(&mut self.renewing) {
            return self.on_renewal(head, depth, body, merger, sink);
        }
        if self.live && depth.last_id < self.state.last_id {
            self.counts.snapshots_ignored += 1;
            return;
        }
        // A snapshot at exactly the id that the book has reached keeps the chain: the next update is known.
        let first_applied = self.live && self.state.first_applied && depth.last_id == self.state.last_id;
        self.state = SyncState { snapshot_id: depth.last_id, last_id: depth.last_id, first_applied };
        self.live = true;
        self.snapshot = *head;
        sink.emit(Kind::Snapshot, head, body);
    }

    /// The snapshot that a live book is to be renewed from: taken when the kept updates reach back to it.
    fn on_renewal(
        &mut self,
        head: &Head,
        depth: &Depth,
        body: &[Cell],
        merger: &mut Merger,
        sink: &mut impl SyncSink,
    ) {
        let fresh = SyncState { snapshot_id: depth.last_id, last_id: depth.last_id, first_applied: false };
        let head = Head { flags: head.flags | RENEWAL, ..*head };
        if depth.last_id > self.state.last_id {
            // It is ahead of the stream: it holds all that came, and the next update must reach back to it.
            self.waiting.clear();
            self.state = fresh;
            self.counts.renewals += 1;
            sink.emit(Kind::Snapshot, &head, body);
            return;
        }
        let (mut state, mut fits) = (fresh, merger.begin(depth, body));
        while fits && let Some((_, kept)) = self.waiting.pop() {
            let Some(update) = depth_of(kept) else { continue };
            match sink.chain(&state, &update) {
                Chain::Stale => {} // the snapshot holds it
                Chain::Apply => {
                    state = SyncState { last_id: update.last_id, first_applied: true, ..state };
                    merger.apply(&update, kept);
                }
                // Before the kept ones, or among them where one was too large to keep.
                Chain::Gap => fits = false,
            }
        }
        self.waiting.clear();
        let is_where_the_stream_is = fits && state.last_id == self.state.last_id;
        let merged = if is_where_the_stream_is { merger.finish() } else { None };
        let Some((_, body)) = merged else {
            self.counts.snapshots_ignored += 1;
            return;
        };
        // The chain goes on: the merged snapshot is exactly where the stream is.
        self.counts.renewals += 1;
        sink.emit(Kind::Snapshot, &head, body);
    }

    /// Whether kept updates wait to be replayed on a snapshot. Until there is none, `catch_up` comes before
    /// anything else that arrives.
    #[inline]
    #[must_use]
    pub const fn is_behind(&self) -> bool {
        self.live && !self.renewing && !self.waiting.is_empty()
    }

    /// Replays one kept update.
    pub fn catch_up(&mut self, sink: &mut impl SyncSink) {
        let Some((kept, body)) = self.waiting.pop() else { return };
        let Some(depth) = depth_of(body) else { return };
        // It is applied as part of the snapshot's input: line and cause are its own, the time is not.
        let (recv_ns, received) = (self.snapshot.recv_ns, self.snapshot.received);
        let kept = Head { recv_ns, received, flags: kept.flags & !FIRST_OF_FRAME, ..kept };
        match sink.chain(&self.state, &depth) {
            Chain::Apply => {
                Self::advance(&mut self.state, &mut self.counts, &mut self.broken, &kept, &depth, sink);
                sink.emit(Kind::Delta, &kept, body);
            }
            Chain::Stale => self.counts.dropped_unsynced += 1,
            Chain::Gap => {
                self.waiting.unpop();
                self.live = false;
                self.break_off(&kept, &depth, sink);
            }
        }
    }

    /// Venues that send whole books have no sequence: each one replaces the last unless it is older.
    fn on_whole_book(&mut self, head: &Head, depth: &Depth, body: &[Cell], sink: &mut impl SyncSink) {
        if self.live && depth.venue_ns.0 < self.whole_book_ns {
            self.counts.snapshots_ignored += 1;
            return;
        }
        self.live = true;
        self.whole_book_ns = depth.venue_ns.0;
        self.counts.applied += 1;
        sink.emit(Kind::Snapshot, head, body);
    }

    #[inline]
    fn follow(&mut self, head: &Head, depth: &Depth, body: &[Cell], sink: &mut impl SyncSink) {
        match sink.chain(&self.state, depth) {
            Chain::Apply => {
                Self::advance(&mut self.state, &mut self.counts, &mut self.broken, head, depth, sink);
                if self.renewing {
                    // Only what is applied: another connection's copy would take the merged book back. What does
                    // not fit pushes the oldest out, and the snapshot will not reach back to the rest.
                    let _ = self.waiting.push(head, body);
                }
                sink.emit(Kind::Delta, head, body);
            }
            Chain::Stale if self.state.first_applied => self.counts.duplicates += 1,
            Chain::Stale => self.counts.dropped_unsynced += 1,
            Chain::Gap => {
                self.leave_live();
                self.keep(head, body);
                self.break_off(head, depth, sink);
            }
        }
    }

    #[inline]
    fn advance(
        state: &mut SyncState,
        counts: &mut SyncCounts,
        broken: &mut bool,
        head: &Head,
        depth: &Depth,
        sink: &mut impl SyncSink,
    ) {
        if !state.first_applied {
            state.first_applied = true;
            if std::mem::take(broken) {
                counts.resyncs += 1;
                sink.resynced(head, state.snapshot_id, depth);
            }
        }
        state.last_id = depth.last_id;
        counts.applied += 1;
    }

    fn break_off(&mut self, head: &Head, depth: &Depth, sink: &mut impl SyncSink) {
        self.broken = true;
        self.counts.gaps += 1;
        sink.broke(head, self.state.last_id, depth);
        sink.emit(Kind::Stale, head, &[]);
    }

    fn keep(&mut self, head: &Head, body: &[Cell]) {
        self.counts.dropped_unsynced += self.waiting.push(head, body);
    }
}

fn depth_of(body: &[Cell]) -> Option<Depth> {
    body.first().map(|cell| zerocopy::transmute!(*cell))
}

/// Updates that wait for a snapshot, oldest first, in memory taken at start. When it is full the oldest goes.
struct Buffer {
    cells: Box<[Cell]>,
    start: usize,
    end: usize,
    /// Where the message popped last began.
    popped: usize,
    messages: u64,
}

impl Buffer {
    fn new(cells: usize) -> Self {
        // Zeroed by the allocator, so that pages which no resync ever needs are never touched.
        let cells = <[Cell]>::new_box_zeroed_with_elems(cells).unwrap_or_default();
        Self { cells, start: 0, end: 0, popped: 0, messages: 0 }
    }

    /// Keeps a message. Returns how many were lost for it, itself included when it can never fit.
    fn push(&mut self, head: &Head, body: &[Cell]) -> u64 {
        let (need, mut lost) = (1 + body.len(), 0);
        if need > self.cells.len() {
            return 1;
        }
        while self.cells.len() - (self.end - self.start) < need {
            let _ = self.pop();
            lost += 1;
        }
        if self.cells.len() - self.end < need {
            self.cells.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        let head = Head { body_cells: u16::try_from(body.len()).unwrap_or(u16::MAX), ..*head };
        self.cells[self.end] = zerocopy::transmute!(head);
        self.cells[self.end + 1..self.end + need].copy_from_slice(body);
        self.end += need;
        self.messages += 1;
        lost
    }

    const fn is_empty(&self) -> bool {
        self.messages == 0
    }

    fn pop(&mut self) -> Option<(Head, &[Cell])> {
        if self.start == self.end {
            return None;
        }
        let head: Head = zerocopy::transmute!(self.cells[self.start]);
        self.popped = self.start;
        self.start += 1 + usize::from(head.body_cells);
        self.messages -= 1;
        Some((head, &self.cells[self.popped + 1..self.start]))
    }

    const fn clear(&mut self) {
        (self.start, self.end, self.messages) = (0, 0, 0);
    }

    /// Puts the message popped last back; nothing was pushed since.
    fn unpop(&mut self) {
        self.start = self.popped;
        self.messages += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::message::Body;
    use engine::time::Nanos;

    /// Futures rule as in `../shared/book/README.md`, and a log of what came through.
    #[derive(Default)]
    struct Log {
        lines: Vec<String>,
        /// Ids of the snapshots that renewed the book.
        renewed: Vec<u64>,
    }

    impl SyncSink for Log {
        fn emit(&mut self, kind: Kind, head: &Head, body: &[Cell]) {
            let id = depth_of(body).map_or(0, |d| d.last_id);
            self.lines.push(format!("{kind:?} {id} line {} at {}", head.line, head.recv_ns.0));
            if head.flags & RENEWAL != 0 {
                self.renewed.push(id);
            }
        }
        fn chain(&self, state: &SyncState, u: &Depth) -> Chain {
            match (state.first_applied, u.last_id) {
                (false, last) if last < state.snapshot_id => Chain::Stale,
                (false, _) if u.first_id <= state.snapshot_id => Chain::Apply,
                (true, _) if u.prev_id == state.last_id => Chain::Apply,
                (true, last) if last <= state.last_id => Chain::Stale,
                _ => Chain::Gap,
            }
        }
        fn broke(&mut self, _head: &Head, expected: u64, update: &Depth) {
            self.lines.push(format!("broke {expected} -> {}", update.first_id));
        }
        fn resynced(&mut self, _head: &Head, snapshot_id: u64, _update: &Depth) {
            self.lines.push(format!("resynced {snapshot_id}"));
        }
    }

    fn head(line: u32) -> Head {
        Head { line, recv_ns: Nanos(u64::from(line) * 10), ..Head::new(Kind::Delta) }
    }

    fn delta(sync: &mut Sync, log: &mut Log, line: u32, prev_id: u64, first_id: u64, last_id: u64) {
        let depth = Depth { first_id, last_id, prev_id, ..Depth::default() };
        sync.on_delta(&head(line), &depth, depth.cells(), log);
    }

    fn snapshot(sync: &mut Sync, log: &mut Log, line: u32, id: u64) {
        let depth = Depth { first_id: id, last_id: id, ..Depth::default() };
        sync.on_snapshot(&head(line), &depth, depth.cells(), &mut Merger::new(true), log);
        while sync.is_behind() {
            sync.catch_up(log);
        }
    }

    #[test]
    fn kept_updates_are_replayed_after_the_snapshot_with_its_time_and_their_own_lines() {
        let (mut sync, mut log) = (Sync::new(1 << 16), Log::default());
        delta(&mut sync, &mut log, 1, 0, 1, 10);
        delta(&mut sync, &mut log, 2, 10, 11, 20);
        delta(&mut sync, &mut log, 3, 20, 21, 30);
        snapshot(&mut sync, &mut log, 4, 15);
        delta(&mut sync, &mut log, 5, 30, 31, 40);
        assert_eq!(
            log.lines,
            [
                "Snapshot 15 line 4 at 40",
                "Delta 20 line 2 at 40",
                "Delta 30 line 3 at 40",
                "Delta 40 line 5 at 50"
            ]
        );
        let expected = SyncCounts { applied: 3, dropped_unsynced: 1, ..SyncCounts::default() };
        assert_eq!(sync.counts(), expected);
    }

    #[test]
    fn one_break_is_one_gap_and_a_snapshot_heals_it() {
        let (mut sync, mut log) = (Sync::new(1 << 16), Log::default());
        snapshot(&mut sync, &mut log, 1, 15);
        delta(&mut sync, &mut log, 2, 10, 11, 20);
        delta(&mut sync, &mut log, 3, 25, 26, 30); // 21..25 are missing
        delta(&mut sync, &mut log, 4, 30, 31, 40);
        delta(&mut sync, &mut log, 5, 40, 41, 50);
        assert_eq!(
            sync.counts(),
            SyncCounts { applied: 1, gaps: 1, dropped_unsynced: 3, ..SyncCounts::default() }
        );
        snapshot(&mut sync, &mut log, 6, 35);
        delta(&mut sync, &mut log, 7, 50, 51, 60);
        let expected =
            SyncCounts { applied: 4, gaps: 1, resyncs: 1, dropped_unsynced: 1, ..SyncCounts::default() };
        assert_eq!(sync.counts(), expected);
        assert_eq!(
            log.lines[2..6],
            ["broke 20 -> 26", "Stale 0 line 3 at 30", "Snapshot 35 line 6 at 60", "resynced 35"]
        );
    }

    #[test]
    fn a_snapshot_before_the_first_update_kept_is_a_gap_and_the_updates_wait_on() {
        let (mut sync, mut log) = (Sync::new(1 << 16), Log::default());
        delta(&mut sync, &mut log, 1, 20, 21, 30);
        delta(&mut sync, &mut log, 2, 30, 31, 40);
        snapshot(&mut sync, &mut log, 3, 15);
        assert_eq!(sync.counts(), SyncCounts { gaps: 1, dropped_unsynced: 2, ..SyncCounts::default() });
        snapshot(&mut sync, &mut log, 4, 25);
        let expected = SyncCounts { applied: 2, gaps: 1, resyncs: 1, ..SyncCounts::default() };
        assert_eq!(sync.counts(), expected);
    }

    #[test]
    fn repeats_are_duplicates_and_old_snapshots_are_ignored() {
        let (mut sync, mut log) = (Sync::new(1 << 16), Log::default());
        snapshot(&mut sync, &mut log, 1, 15);
        for line in 2..4 {
            delta(&mut sync, &mut log, line, 10, 11, 20);
        }
        snapshot(&mut sync, &mut log, 4, 16);
        snapshot(&mut sync, &mut log, 5, 20); // exactly where the book is: the chain goes on
        delta(&mut sync, &mut log, 6, 20, 21, 30);
        let expected =
            SyncCounts { applied: 2, duplicates: 1, snapshots_ignored: 1, ..SyncCounts::default() };
        assert_eq!(sync.counts(), expected);
    }

    #[test]
    fn a_snapshot_newer_than_every_update_waits_for_the_update_that_holds_it() {
        let (mut sync, mut log) = (Sync::new(1 << 16), Log::default());
        delta(&mut sync, &mut log, 1, 0, 1, 10);
        snapshot(&mut sync, &mut log, 2, 100);
        delta(&mut sync, &mut log, 3, 10, 11, 20);
        assert_eq!(sync.counts(), SyncCounts { dropped_unsynced: 2, ..SyncCounts::default() });
        delta(&mut sync, &mut log, 4, 20, 90, 110);
        assert_eq!(sync.counts().applied, 1);
    }

    #[test]
    fn a_live_book_is_renewed_by_one_message_of_a_snapshot_and_the_updates_after_it() {
        let (mut sync, mut log) = (Sync::new(1 << 16), Log::default());
        snapshot(&mut sync, &mut log, 1, 15);
        delta(&mut sync, &mut log, 2, 10, 11, 20);
        sync.renew();
        delta(&mut sync, &mut log, 3, 20, 21, 30);
        delta(&mut sync, &mut log, 4, 30, 31, 40);
        delta(&mut sync, &mut log, 5, 40, 41, 50);
        log.lines.clear();
        snapshot(&mut sync, &mut log, 6, 38);
        delta(&mut sync, &mut log, 7, 50, 51, 60);
        let expected = ["Snapshot 50 line 6 at 60", "Delta 60 line 7 at 70"];
        assert_eq!(log.lines, expected, "one message, where the stream is");
        assert_eq!(sync.counts(), SyncCounts { applied: 5, renewals: 1, ..SyncCounts::default() });
    }

    #[test]
    fn a_renewal_that_does_not_reach_the_kept_updates_leaves_the_book_as_it_is() {
        let (mut sync, mut log) = (Sync::new(1 << 16), Log::default());
        snapshot(&mut sync, &mut log, 1, 15);
        delta(&mut sync, &mut log, 2, 10, 11, 20);
        sync.renew();
        delta(&mut sync, &mut log, 3, 20, 31, 40);
        log.lines.clear();
        snapshot(&mut sync, &mut log, 4, 25); // before the first update kept
        sync.renew();
        snapshot(&mut sync, &mut log, 5, 30); // older than the book, and nothing kept
        sync.renew();
        snapshot(&mut sync, &mut log, 6, 40); // exactly where it is
        delta(&mut sync, &mut log, 7, 40, 51, 60);
        assert_eq!(log.lines, ["Snapshot 40 line 6 at 60", "Delta 60 line 7 at 70"]);
        let expected = SyncCounts { applied: 3, snapshots_ignored: 2, renewals: 1, ..SyncCounts::default() };
        assert_eq!(sync.counts(), expected);
    }

    #[test]
    fn a_second_connections_copies_do_not_take_a_renewed_book_back() {
        let (mut sync, mut log) = (Sync::new(1 << 16), Log::default());
        snapshot(&mut sync, &mut log, 1, 5);
        delta(&mut sync, &mut log, 2, 0, 1, 10);
        sync.renew();
        delta(&mut sync, &mut log, 3, 10, 11, 20);
        delta(&mut sync, &mut log, 4, 20, 21, 30);
        delta(&mut sync, &mut log, 5, 10, 11, 20); // the other connection's
        snapshot(&mut sync, &mut log, 6, 15);
        delta(&mut sync, &mut log, 7, 20, 21, 30); // and here
        delta(&mut sync, &mut log, 8, 30, 31, 40);
        assert_eq!(log.renewed, [30]);
        assert_eq!(
            log.lines[3..],
            ["Delta 30 line 4 at 40", "Snapshot 30 line 6 at 60", "Delta 40 line 8 at 80"]
        );
        let expected = SyncCounts { applied: 4, duplicates: 2, renewals: 1, ..SyncCounts::default() };
        assert_eq!(sync.counts(), expected);
    }

    #[test]
    fn a_renewal_that_lacks_an_update_too_large_to_keep_leaves_the_book_as_it_is() {
        let (mut sync, mut log) = (Sync::new(6 * 64), Log::default()); // three messages of two cells
        let large = |sync: &mut Sync, log: &mut Log, line: u32, prev_id: u64, first_id: u64, last_id: u64| {
            let depth = Depth { first_id, last_id, prev_id, ..Depth::default() };
            let mut body = [Cell::default(); 6];
            body[..1].copy_from_slice(depth.cells());
            sync.on_delta(&head(line), &depth, &body, log);
        };
        snapshot(&mut sync, &mut log, 1, 5);
        delta(&mut sync, &mut log, 2, 0, 1, 10);
        sync.renew();
        delta(&mut sync, &mut log, 3, 10, 11, 20);
        large(&mut sync, &mut log, 4, 20, 21, 30);
        delta(&mut sync, &mut log, 5, 30, 31, 40);
        snapshot(&mut sync, &mut log, 6, 15); // in the middle one is missing
        sync.renew();
        delta(&mut sync, &mut log, 7, 40, 41, 50);
        large(&mut sync, &mut log, 8, 50, 51, 60);
        snapshot(&mut sync, &mut log, 9, 45); // the last one is
        assert!(log.renewed.is_empty(), "{:?}", log.lines);
        assert_eq!(sync.counts(), SyncCounts { applied: 6, snapshots_ignored: 2, ..SyncCounts::default() });
    }

    #[test]
    fn a_book_that_no_update_has_proven_is_not_renewed() {
        let (mut sync, mut log) = (Sync::new(1 << 16), Log::default());
        snapshot(&mut sync, &mut log, 1, 5);
        for (line, id) in [(2, 5), (3, 9)] {
            sync.renew();
            snapshot(&mut sync, &mut log, line, id);
        }
        assert!(log.renewed.is_empty() && !sync.is_proven() && log.lines.len() == 3, "{:?}", log.lines);
        delta(&mut sync, &mut log, 4, 0, 8, 10);
        sync.renew();
        snapshot(&mut sync, &mut log, 5, 10);
        assert!(sync.is_proven() && log.renewed == [10]);
    }

    #[test]
    fn a_cut_before_the_first_snapshot_takes_what_was_kept_with_it() {
        let (mut sync, mut log) = (Sync::new(1 << 16), Log::default());
        delta(&mut sync, &mut log, 1, 0, 1, 10);
        delta(&mut sync, &mut log, 2, 10, 11, 20);
        sync.cut(&head(3), &mut log);
        assert_eq!(sync.counts(), SyncCounts { dropped_unsynced: 2, ..SyncCounts::default() });
        snapshot(&mut sync, &mut log, 4, 5); // asked for before
        assert_eq!(log.lines, ["Stale 0 line 3 at 30", "Snapshot 5 line 4 at 40"]);
        assert!(!sync.is_proven(), "nothing continues it");
        delta(&mut sync, &mut log, 5, 40, 41, 50);
        assert_eq!(sync.counts(), SyncCounts { gaps: 1, dropped_unsynced: 3, ..SyncCounts::default() });
    }

    #[test]
    fn a_cut_is_stale_until_a_snapshot_and_is_no_gap() {
        let (mut sync, mut log) = (Sync::new(1 << 16), Log::default());
        snapshot(&mut sync, &mut log, 1, 15);
        delta(&mut sync, &mut log, 2, 10, 11, 20);
        sync.renew();
        delta(&mut sync, &mut log, 3, 20, 21, 30);
        sync.cut(&head(4), &mut log);
        delta(&mut sync, &mut log, 5, 70, 71, 80);
        snapshot(&mut sync, &mut log, 6, 75);
        let expected = SyncCounts { applied: 3, cuts: 1, resyncs: 1, ..SyncCounts::default() };
        assert_eq!(sync.counts(), expected);
        assert_eq!(log.lines[3..5], ["broke 30 -> 0", "Stale 0 line 4 at 40"]);
    }

    #[test]
    fn without_a_snapshot_nothing_is_ever_applied() {
        let (mut sync, mut log) = (Sync::new(1 << 16), Log::default());
        (1..50).for_each(|n| delta(&mut sync, &mut log, 1, n - 1, n, n));
        assert_eq!((sync.counts().applied, sync.counts().dropped_unsynced, sync.is_live()), (0, 49, false));
        assert!(log.lines.is_empty());
    }

    #[test]
    fn a_full_buffer_loses_the_oldest_and_counts_them() {
        let (mut sync, mut log) = (Sync::new(6 * 64), Log::default()); // three messages of two cells
        for n in 1..=5_u32 {
            let id = u64::from(n) * 10;
            delta(&mut sync, &mut log, n, id, id + 1, id + 10);
        }
        snapshot(&mut sync, &mut log, 6, 35);
        assert_eq!(
            log.lines,
            [
                "Snapshot 35 line 6 at 60",
                "Delta 40 line 3 at 60",
                "Delta 50 line 4 at 60",
                "Delta 60 line 5 at 60"
            ]
        );
        assert_eq!(sync.counts().dropped_unsynced, 2);
        let mut tiny = Sync::new(64);
        delta(&mut tiny, &mut log, 1, 0, 1, 1);
        assert_eq!(tiny.counts().dropped_unsynced, 1);
    }
}
