//! The way of market frames to the engine: some are lost, doubled, swapped or late, and after damage a snapshot comes,
//! now and then an old one first. The market goes on while the engine is dead.

use crate::plan::{FrameFaults, happens};
use engine::ids::ConnectionId;
use engine::time::Nanos;
use feeds::stage::{Frame, FrameSource, SourcePoll};
use sabrewing::demo::{DemoSource, Random};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

/// A frame on its way.
#[derive(Clone, Debug)]
struct Arriving {
    connection: u16,
    recv_ns: u64,
    bytes: Vec<u8>,
}

/// The generated market behind a faulty connection. Outlives the engine.
pub(crate) struct Market {
    source: DemoSource,
    random: Random,
    faults: FrameFaults,
    arriving: VecDeque<Arriving>,
    /// A frame that the next one overtakes.
    overtaken: Option<Arriving>,
    /// Frames still to be lost.
    gap: u64,
    /// By connection.
    feeds: Vec<Feed>,
    recv_ns: u64,
    /// Frames until the market falls silent.
    frames_left: u64,
    tail_left: u64,
}

#[derive(Clone, Debug, Default)]
struct Feed {
    /// Frames until a snapshot comes; none: the stream is whole.
    snapshot_in: Option<u64>,
    /// An old snapshot.
    old_snapshot: Vec<u8>,
    /// The last depth message sent.
    last_depth: Vec<u8>,
}

impl Market {
    pub(crate) fn new(source: DemoSource, seed: u64, connections: usize, faults: FrameFaults) -> Self {
        Self {
            source,
            random: Random::new(seed ^ 0xfeed),
            faults,
            arriving: VecDeque::new(),
            overtaken: None,
            gap: 0,
            feeds: vec![Feed::default(); connections],
            recv_ns: 0,
            frames_left: FRAMES,
            tail_left: TAIL_FRAMES,
        }
    }

    /// Lets `frames` pass unseen; then whoever listens needs snapshots.
    pub(crate) fn pass(&mut self, frames: u64) {
        for _ in 0..frames.min(self.frames_left) {
            self.draw();
        }
        (self.overtaken, self.gap) = (None, 0);
        self.arriving.clear();
        for feed in &mut self.feeds {
            feed.snapshot_in = Some(self.random.below(20));
        }
    }

    /// The next frame of the generator.
    fn draw(&mut self) -> Option<Arriving> {
        self.frames_left = self.frames_left.saturating_sub(1);
        loop {
            let arriving = match self.source.poll() {
                SourcePoll::Ready(frame) => Arriving {
                    connection: frame.connection.0,
                    recv_ns: frame.recv_ns.0,
                    bytes: frame.bytes.unwrap_or_default().to_vec(),
                },
                SourcePoll::NotYet
                | SourcePoll::Timer(_)
                | SourcePoll::Time(_)
                | SourcePoll::Connection(..) => continue,
                SourcePoll::End => return None,
            };
            self.source.consume();
            return Some(arriving);
        }
    }

    /// The next frame that arrives. None: the market is over.
    fn next(&mut self) -> Option<Arriving> {
        while self.arriving.is_empty() {
            if self.frames_left == 0 {
                return self.tail();
            }
            let Some(frame) = self.draw() else {
                self.frames_left = 0;
                continue;
            };
            self.on_its_way(frame);
        }
        self.arriving.pop_front().map(|frame| self.timed(frame))
    }

    /// Receive times never step back.
    fn timed(&mut self, frame: Arriving) -> Arriving {
        self.recv_ns = frame.recv_ns.max(self.recv_ns + 1);
        Arriving { recv_ns: self.recv_ns, ..frame }
    }

    fn on_its_way(&mut self, frame: Arriving) {
        let (connection, recv_ns) = (frame.connection, frame.recv_ns);
        let is_depth = frame.bytes.windows(11).take(120).any(|part| part == b"depthUpdate");
        let is_snapshot = frame.bytes.starts_with(b"{\"lastUpdateId\"");
        let random = &mut self.random;
        if self.gap == 0 && happens(random, self.faults.gap) {
            self.gap = 5 + random.below(100);
        }
        let is_lost = self.gap > 0 || happens(random, self.faults.lost);
        let (is_doubled, is_swapped) =
            (happens(random, self.faults.doubled), happens(random, self.faults.swapped));
        self.gap = self.gap.saturating_sub(1);
        let Some(feed) = self.feeds.get_mut(usize::from(connection)) else { return };
        if is_snapshot {
            feed.old_snapshot.clone_from(&frame.bytes);
        }
        if is_depth {
            feed.last_depth.clone_from(&frame.bytes);
        }
        if ((is_lost || is_swapped) && is_depth || is_lost && is_snapshot) && feed.snapshot_in.is_none() {
            feed.snapshot_in = Some(5 + random.below(60));
        }
        let is_due = match &mut feed.snapshot_in {
            Some(0) => true,
            Some(frames) => {
                *frames -= 1;
                false
            }
            None => false,
        };
        let before = self.overtaken.take();
        if !is_lost {
            if is_doubled {
                self.arriving.push_back(frame.clone());
            }
            if is_swapped {
                self.overtaken = Some(frame);
            } else {
                self.arriving.push_back(frame);
            }
        }
        self.arriving.extend(before);
        if is_due {
            self.snapshot(connection, recv_ns);
        }
    }

    fn snapshot(&mut self, connection: u16, recv_ns: u64) {
        let Some(feed) = self.feeds.get_mut(usize::from(connection)) else { return };
        let is_stale = !feed.old_snapshot.is_empty() && happens(&mut self.random, self.faults.stale_snapshot);
        if is_stale {
            feed.snapshot_in = Some(5 + self.random.below(30));
            let bytes = feed.old_snapshot.clone();
            return self.arriving.push_back(Arriving { connection, recv_ns, bytes });
        }
        let Some(bytes) = self.source.snapshot(ConnectionId(connection)).map(<[u8]>::to_vec) else { return };
        feed.snapshot_in = None;
        feed.old_snapshot.clone_from(&bytes);
        self.arriving.push_back(Arriving { connection, recv_ns, bytes });
    }

    /// The end of the market: a gap in every stream, so that nothing can be quoted any more, and then silence in
    /// which only time passes, until everything sent has been answered.
    fn tail(&mut self) -> Option<Arriving> {
        if self.tail_left == TAIL_FRAMES {
            self.tail_left -= 1;
            for _ in 0..GAP_FRAMES {
                self.draw();
            }
            let mut broken = vec![false; self.feeds.len()];
            for _ in 0..GAP_FRAMES {
                let Some(frame) = self.draw() else { break };
                let is_depth = frame.bytes.windows(11).take(120).any(|part| part == b"depthUpdate");
                let connection = usize::from(frame.connection);
                if is_depth && broken.get(connection) == Some(&false) {
                    broken[connection] = true;
                    self.feeds[connection].last_depth.clone_from(&frame.bytes);
                    self.arriving.push_back(frame);
                }
            }
            self.frames_left = 0;
        } else if self.tail_left > 0 {
            self.tail_left -= 1;
            let turn = usize::try_from(self.tail_left).unwrap_or_default();
            let index = turn % self.feeds.len();
            let connection = u16::try_from(index).unwrap_or_default();
            let bytes = self.feeds[index].last_depth.clone();
            let recv_ns = self.recv_ns + TAIL_STEP.0;
            self.arriving.push_back(Arriving { connection, recv_ns, bytes });
        } else {
            return None;
        }
        match self.arriving.pop_front() {
            Some(frame) => Some(self.timed(frame)),
            None => self.tail(),
        }
    }

    /// Whether nothing moves any more.
    pub(crate) const fn is_over(&self) -> bool {
        self.frames_left == 0
    }
}

/// Frames that the market makes, the lost ones included.
const FRAMES: u64 = 2_000;
/// Frames of which each stream misses its depth messages at the end, and in which each shows one that does not follow.
const GAP_FRAMES: u64 = 150;
/// Repetitions of an old frame at the end, and the time between two.
const TAIL_FRAMES: u64 = 120;
const TAIL_STEP: Nanos = Nanos::from_ms(100);
/// The longest that a market of `FRAMES` frames lasts.
pub(crate) const DURATION: Nanos = Nanos(60 * Nanos::SECOND.0);

/// The market as one life of the engine hears it.
pub(crate) struct FaultyFeed {
    market: Arc<Mutex<Market>>,
    held: Option<Arriving>,
    lines: Vec<u32>,
}

impl FaultyFeed {
    pub(crate) fn new(market: Arc<Mutex<Market>>, connections: usize) -> Self {
        Self { market, held: None, lines: vec![0; connections] }
    }
}

impl FrameSource for FaultyFeed {
    fn poll(&mut self) -> SourcePoll<'_> {
        if self.held.is_none() {
            self.held = self.market.lock().unwrap_or_else(PoisonError::into_inner).next();
            if let Some(line) =
                self.held.as_ref().and_then(|held| self.lines.get_mut(usize::from(held.connection)))
            {
                *line += 1;
            }
        }
        let Some(held) = &self.held else { return SourcePoll::End };
        SourcePoll::Ready(Frame {
            connection: ConnectionId(held.connection),
            line: self.lines.get(usize::from(held.connection)).copied().unwrap_or_default(),
            recv_ns: Nanos(held.recv_ns),
            clock_fault: false,
            behind_ns: 0,
            bytes: Ok(&held.bytes),
        })
    }

    fn consume(&mut self) {
        self.held = None;
    }
}
