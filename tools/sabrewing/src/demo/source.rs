//! The generated markets as a source of frames, merged by receive time. Takes all its memory at the start.

use super::frames::{FRAME_BYTES_MAX, FrameWriter};
use super::market::{Market, Start, Told, What};
use super::random::Random;
use super::statistics::Statistics;
use engine::ids::ConnectionId;
use engine::instrument::Instrument;
use engine::time::Nanos;
use feeds::stage::{Frame, FrameSource, SourcePoll};
use std::sync::mpsc::SyncSender;

/// Frames of generated markets; an instrument's index is its connection.
pub struct DemoSource {
    feeds: Vec<Feed>,
    /// Tells when the markets start, ns since 1970, when the first frame is asked for.
    clock: fn() -> Nanos,
    start_ns: Option<u64>,
    /// Frames end here, ns after the start.
    duration_ns: u64,
    /// The feed of the frame in hand.
    held: Option<usize>,
    frame: Vec<u8>,
    statistics: Statistics,
    done: SyncSender<Statistics>,
}

/// One instrument's market and its way to us.
struct Feed {
    market: Market,
    writer: FrameWriter,
    random: Random,
    next: Option<Told>,
    /// When it arrives, ns after the start; of the one before while there is no next.
    recv_ns: u64,
    line: u32,
}

impl DemoSource {
    /// The markets of `seed`, one for each instrument; they start at what `clock` tells when the first frame is
    /// asked for. What they were like goes to `done` when the source is dropped.
    pub(super) fn new<'a>(
        seed: u64,
        instruments: impl Iterator<Item = (&'a Instrument, Start)>,
        clock: fn() -> Nanos,
        duration_ns: Nanos,
        done: SyncSender<Statistics>,
    ) -> Self {
        let mut seeds = Random::new(seed);
        let feed = |(instrument, start)| Feed {
            market: Market::new(seeds.bits(), start),
            writer: FrameWriter::new(instrument),
            random: Random::new(seeds.bits()),
            next: None,
            recv_ns: 0,
            line: 1,
        };
        let feeds: Vec<Feed> = instruments.map(feed).collect();
        Self {
            statistics: Statistics::new(feeds.len()),
            feeds,
            clock,
            start_ns: None,
            duration_ns: duration_ns.0,
            held: None,
            frame: Vec::with_capacity(FRAME_BYTES_MAX),
            done,
        }
    }

    /// The answer to a request for the whole book of a connection's instrument, as the venue gives it at the time of
    /// the next frame. None: no such connection.
    pub fn snapshot(&mut self, connection: ConnectionId) -> Option<&[u8]> {
        let feed = self.feeds.get_mut(usize::from(connection.0))?;
        let at_ns = feed.recv_ns.saturating_sub(TRAVEL_NS);
        let told = Told { at_ns, what: What::Snapshot { update_id: feed.market.update_id() } };
        let venue_ms = (self.start_ns.unwrap_or_default() + at_ns) / 1_000_000;
        feed.writer.write(&told, &mut feed.market, venue_ms, &mut self.frame);
        // What was in the frame is written again when it is asked for.
        self.held = None;
        Some(&self.frame)
    }

    /// The market of an instrument, as it is after the frame in hand.
    #[cfg(test)]
    pub(super) fn market(&self, index: usize) -> &Market {
        &self.feeds[index].market
    }
}

impl FrameSource for DemoSource {
    fn poll(&mut self) -> SourcePoll<'_> {
        let start_ns = *self.start_ns.get_or_insert_with(|| (self.clock)().0);
        if self.held.is_none() {
            if self.feeds.iter_mut().any(|feed| !feed.has_next()) {
                return SourcePoll::NotYet; // as many events as one turn may take: the next goes on
            }
            let Some((index, feed)) = self.feeds.iter_mut().enumerate().min_by_key(|(_, feed)| feed.recv_ns)
            else {
                return SourcePoll::End;
            };
            let Some(told) = feed.next.filter(|_| feed.recv_ns < self.duration_ns) else {
                return SourcePoll::End;
            };
            let venue_ms = (start_ns + told.at_ns) / 1_000_000;
            feed.writer.write(&told, &mut feed.market, venue_ms, &mut self.frame);
            self.statistics.count(index, &told, feed.recv_ns);
            self.held = Some(index);
        }
        let Some(feed) = self.held.and_then(|index| self.feeds.get(index)) else { return SourcePoll::End };
        SourcePoll::Ready(Frame {
            connection: ConnectionId(u16::try_from(self.held.unwrap_or(0)).unwrap_or(u16::MAX)),
            line: feed.line,
            recv_ns: Nanos(start_ns + feed.recv_ns),
            clock_fault: false,
            behind_ns: 0,
            bytes: Ok(&self.frame),
        })
    }

    fn consume(&mut self) {
        if let Some(feed) = self.held.take().and_then(|index| self.feeds.get_mut(index)) {
            feed.next = None;
            feed.line = feed.line.saturating_add(1);
        }
    }
}

impl Drop for DemoSource {
    fn drop(&mut self) {
        // The receiver is gone only when nobody wants to know.
        let _ = self.done.send(std::mem::take(&mut self.statistics));
    }
}

impl Feed {
    /// Whether it is known what comes next, and when.
    fn has_next(&mut self) -> bool {
        if self.next.is_none()
            && let Some(told) = self.market.advance()
        {
            // Frames of one connection arrive in order, at least as far apart as they take to read.
            let travelled = told.at_ns + TRAVEL_NS + self.random.below(TRAVEL_JITTER_NS);
            self.recv_ns = travelled.max(self.recv_ns + APART_NS + self.random.below(APART_NS));
            self.next = Some(told);
        }
        self.next.is_some()
    }
}

/// From the venue to us, what that varies by, and the least between two frames.
const TRAVEL_NS: u64 = 1_000_000;
const TRAVEL_JITTER_NS: u64 = 200_000;
const APART_NS: u64 = 400;
