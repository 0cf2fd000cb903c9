//! The journal's cold thread: prepares segments ahead of the writers, trims and deletes those left, and
//! writes to the disk where durability asks for it. It wakes every millisecond; no writer ever wakes it.

use std::collections::VecDeque;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use crossbeam::channel::{Receiver, RecvTimeoutError};

use super::header::{END, End, Left, RunInfo, SegmentInfo, wall_now};
use super::retention::{Kept, expire};
use super::segment::Segment;
use super::writer::LaneShared;
use super::{Durability, JournalError};

/// What the journal asks of its helper.
pub(super) enum Order {
    /// Serve one more lane.
    Add(LaneWork),
    /// The writers are gone: end every lane, trim, sync, stop.
    Close,
}

/// One lane as the helper sees it.
pub(super) struct LaneWork {
    pub(super) shared: Arc<LaneShared>,
    pub(super) current: Arc<Segment>,
    prepared: Option<Arc<Segment>>,
    synced_bytes: u64,
    /// Recovery reads the lane from this segment on, and that is as safe as the durability asks for.
    needed_from: u32,
}

pub(super) struct Helper {
    dir: PathBuf,
    run: RunInfo,
    durability: Durability,
    failure: Arc<OnceLock<JournalError>>,
    orders: Receiver<Order>,
    lanes: Vec<LaneWork>,
    kept: VecDeque<Kept>,
    started: Instant,
    touched: Duration,
    synced: Duration,
}

impl Helper {
    pub(super) fn new(
        dir: &Path,
        run: RunInfo,
        durability: Durability,
        failure: Arc<OnceLock<JournalError>>,
        orders: Receiver<Order>,
    ) -> Self {
        Self {
            dir: dir.to_path_buf(),
            run,
            durability,
            failure,
            orders,
            lanes: Vec::new(),
            kept: VecDeque::new(),
            #[expect(clippy::disallowed_methods, reason = "the helper thread keeps its own time")]
            started: Instant::now(),
            touched: Duration::ZERO,
            synced: Duration::ZERO,
        }
    }

    /// Serves until `Close`, or until the journal is dropped without it: then everything stays as it is.
    /// Err: what failed while closing.
    pub(super) fn run(mut self) -> Result<(), JournalError> {
        loop {
            match self.orders.recv_timeout(PERIOD) {
                Ok(Order::Add(lane)) => self.lanes.push(lane),
                Ok(Order::Close) => return self.close(),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            }
            if self.failure.get().is_none()
                && let Err(error) = self.turn()
            {
                // The first failure is the one to tell; there is no second turn.
                let _ = self.failure.set(error);
            }
        }
    }

    fn turn(&mut self) -> Result<(), JournalError> {
        let now = self.started.elapsed();
        for index in 0..self.lanes.len() {
            self.serve(index, now)?;
        }
        if let Durability::Msync { every_ms } = self.durability
            && now.saturating_sub(self.synced) >= Duration::from_millis(u64::from(every_ms))
        {
            self.synced = now;
            self.lanes.iter_mut().try_for_each(LaneWork::sync)?;
        }
        if now.saturating_sub(self.touched) >= TOUCH_EVERY {
            self.touched = now;
            self.lanes.iter().for_each(LaneWork::touch);
        }
        self.forget(now)
    }

    /// Prepares a lane's next segment when the writer has taken the last one, and takes leave of the one
    /// before; in this order, because the writer may be waiting.
    fn serve(&mut self, index: usize, now: Duration) -> Result<(), JournalError> {
        let lane = &mut self.lanes[index];
        if lane.shared.slot.is_full() {
            return Ok(());
        }
        let left = lane.prepared.take().map(|taken| std::mem::replace(&mut lane.current, taken));
        let info = lane.current.info();
        let next = SegmentInfo { number: info.number + 1, created_ns: wall_now(), ..*info };
        let made = Segment::create(&self.dir, &next).map(|next| {
            let next = Arc::new(next);
            lane.prepared = Some(Arc::clone(&next));
            lane.shared.slot.put(Arc::into_raw(next).cast_mut());
        });
        lane.synced_bytes = 0;
        let left = left.map_or(Ok(()), |left| self.take_leave(index, left, now));
        made.and(left)
    }

    fn take_leave(&mut self, index: usize, left: Arc<Segment>, now: Duration) -> Result<(), JournalError> {
        // The writer dropped its reference before it emptied the slot: this one is the last.
        let Some(left) = Arc::into_inner(left) else { return Ok(()) };
        let info = *left.info();
        let path = left.path().to_path_buf();
        let bytes = u64::from_le(left.words()[END.start + 2].load(Ordering::Relaxed));
        left.trim(bytes, self.durability != Durability::Process)?;
        // Pairs with the Acquire in `Writer::sync`.
        self.lanes[index].shared.synced_number.store(info.number, Ordering::Release);
        self.kept.push_back(Kept { lane: info.lane, number: info.number, path, bytes, left_at: now });
        Ok(())
    }

    fn forget(&mut self, now: Duration) -> Result<(), JournalError> {
        let Some(rule) = self.run.retention else { return Ok(()) };
        let in_use = self.lanes.iter().map(LaneWork::bytes).sum();
        for lane in &mut self.lanes {
            lane.need(self.durability)?;
        }
        let lanes = &self.lanes;
        let needed_from = |of| {
            let lane = lanes.iter().find(|lane| lane.current.info().lane == of);
            lane.map_or(u32::MAX, |lane| lane.needed_from)
        };
        for segment in expire(&mut self.kept, in_use, &rule, now, needed_from) {
            fs::remove_file(&segment.path).map_err(|source: io::Error| JournalError::Io {
                what: "delete",
                path: segment.path,
                source: source.into(),
            })?;
        }
        Ok(())
    }

    fn close(mut self) -> Result<(), JournalError> {
        let now = self.started.elapsed();
        while let Some(mut lane) = self.lanes.pop() {
            if !lane.shared.slot.is_full()
                && let Some(taken) = lane.prepared.take()
            {
                let left = std::mem::replace(&mut lane.current, taken);
                self.lanes.push(lane);
                self.take_leave(self.lanes.len() - 1, left, now)?;
                continue;
            }
            lane.close()?;
        }
        let fail = |source: io::Error| JournalError::Io {
            what: "sync",
            path: self.dir.clone(),
            source: source.into(),
        };
        fs::File::open(&self.dir).and_then(|dir| dir.sync_all()).map_err(fail)
    }
}

impl LaneWork {
    pub(super) fn new(shared: Arc<LaneShared>, current: Arc<Segment>) -> Self {
        Self { shared, current, prepared: None, synced_bytes: 0, needed_from: u32::MAX }
    }

    /// Bytes on the disk of the segments in use.
    fn bytes(&self) -> u64 {
        self.current.info().bytes * if self.prepared.is_some() { 2 } else { 1 }
    }

    fn sync(&mut self) -> Result<(), JournalError> {
        let used = self.shared.used_bytes.load(Ordering::Relaxed);
        if used != self.synced_bytes {
            self.current.sync(0, used)?;
            self.synced_bytes = used;
            self.touch();
        }
        Ok(())
    }

    /// Takes over from which segment on recovery reads the lane. What is then no longer needed may be deleted, so that
    /// what replaces it must be where the durability wants it.
    fn need(&mut self, durability: Durability) -> Result<(), JournalError> {
        // Pairs with the Release in `Writer::needed_from`.
        let from = self.shared.needed_from.load(Ordering::Acquire);
        if from != self.needed_from {
            if durability != Durability::Process {
                self.sync()?;
            }
            self.needed_from = from;
        }
        Ok(())
    }

    /// The kernel write-protects what it has written back; the pages that come next are made writable again
    /// here, before the writer's store would fault.
    fn touch(&self) {
        let used_words = self.shared.used_bytes.load(Ordering::Relaxed) / 8;
        self.current.touch(0, 1);
        self.current.touch(super::segment::to_usize(used_words), TOUCH_PAGES);
        if let Some(prepared) = &self.prepared {
            prepared.touch(0, TOUCH_PAGES);
        }
    }

    fn close(self) -> Result<(), JournalError> {
        let Some((next_seq, used_bytes)) = self.shared.released() else {
            return Err(JournalError::WriterAlive(self.current.info().lane));
        };
        self.current.end(&End { next_seq, used_bytes, left: Left::Closed }, || ());
        if let Some(prepared) = &self.prepared {
            let path = prepared.path();
            fs::remove_file(path).map_err(|source: io::Error| JournalError::Io {
                what: "delete",
                path: path.to_path_buf(),
                source: source.into(),
            })?;
        }
        Arc::into_inner(self.current).map_or(Ok(()), |last| last.trim(used_bytes, true))
    }
}

const PERIOD: Duration = Duration::from_millis(1);
const TOUCH_EVERY: Duration = Duration::from_millis(250);
const TOUCH_PAGES: usize = 256;
