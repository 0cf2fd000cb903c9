//! A journal being written: its directory, its lock, its helper thread and its lanes.

use std::fmt;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crossbeam::channel::{Sender, unbounded};

use crate::ids::Lane;

use super::header::{Anchor, Retention, RunInfo, SegmentInfo, wall_now};
use super::helper::{Helper, LaneWork, Order};
use super::segment::Segment;
use super::writer::{LaneShared, Room, Writer};

/// What survives what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// Every record survives the end of the process, however it ends; costs nothing.
    Process,
    /// Power loss costs at most the last `every_ms` milliseconds, in 1..=60,000.
    Msync {
        /// Between two writes to the disk.
        every_ms: u32,
    },
    /// No order and no amendment leaves before its lane's records are on the disk: `Writer::before_send` waits for
    /// it. What only takes risk away does not wait.
    SyncBeforeSend,
}

/// How a journal is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Names the run; repeated in every segment.
    pub run_id: u64,
    /// Hash of the resolved configuration; repeated in every segment.
    pub config_hash: [u8; 32],
    /// Clocks at the start of the run; repeated in every segment.
    pub anchor: Anchor,
    /// Size of the feed lane's segments, which hold every frame: a multiple of 4,096, at least 8,192.
    pub feed_segment_bytes: u64,
    /// Size of the other lanes' segments, likewise.
    pub segment_bytes: u64,
    /// None: everything is kept.
    pub retention: Option<Retention>,
    /// What survives what.
    pub durability: Durability,
    /// The journal holds part of a longer one: see `Journal::writer_from`.
    pub is_slice: bool,
}

impl Options {
    /// Keeps everything, survives the end of the process; segments of 64 MiB for the feed and 8 MiB for the
    /// other lanes. Every lane in use takes two segments of disk.
    #[must_use]
    pub fn new(run_id: u64, config_hash: [u8; 32]) -> Self {
        Self {
            run_id,
            config_hash,
            anchor: Anchor::now(),
            feed_segment_bytes: 64 << 20,
            segment_bytes: 8 << 20,
            retention: None,
            durability: Durability::Process,
            is_slice: false,
        }
    }

    fn check(&self) -> Result<(), JournalError> {
        let sizes = [self.feed_segment_bytes, self.segment_bytes];
        if sizes.into_iter().any(|bytes| bytes < 8192 || !bytes.is_multiple_of(4096) || bytes > 1 << 40) {
            return Err(JournalError::Options(
                "a journal segment is a multiple of 4096 bytes from 8192 to 2^40",
            ));
        }
        if matches!(self.durability, Durability::Msync { every_ms: 0 | 60_001.. }) {
            return Err(JournalError::Options("a journal is synced every 1 to 60000 ms"));
        }
        Ok(())
    }
}

/// A journal being written. Dropped without `close`, it looks like the journal of a killed process.
pub struct Journal {
    dir: PathBuf,
    options: Options,
    run: RunInfo,
    lanes: Vec<(Lane, Arc<LaneShared>)>,
    failure: Arc<OnceLock<JournalError>>,
    orders: Option<Sender<Order>>,
    helper: Option<JoinHandle<Result<(), JournalError>>>,
    _lock: Lock,
}

impl Journal {
    /// Starts a journal in `dir`, which must not exist or be empty, and its helper thread (on the cores
    /// that the calling thread may use: pin afterwards).
    /// Err: in use by another process, not empty, not writable, no space, or an option out of range.
    pub fn create(dir: &Path, options: Options) -> Result<Self, JournalError> {
        options.check()?;
        let fail = |what, path: &Path| {
            let path = path.to_path_buf();
            move |source: io::Error| JournalError::Io { what, path, source: source.into() }
        };
        fs::create_dir_all(dir).map_err(fail("create", dir))?;
        let lock = take_lock(dir)?;
        let run = RunInfo {
            run_id: options.run_id,
            config_hash: options.config_hash,
            anchor: options.anchor,
            retention: options.retention,
            is_slice: options.is_slice,
        };
        let failure = Arc::new(OnceLock::new());
        let (orders, inbox) = unbounded();
        let helper = Helper::new(dir, run, options.durability, Arc::clone(&failure), inbox);
        let helper = thread::Builder::new()
            .name("journal".into())
            .spawn(move || helper.run())
            .map_err(fail("start the helper thread of", dir))?;
        Ok(Self {
            dir: dir.to_path_buf(),
            options,
            run,
            lanes: Vec::new(),
            failure,
            orders: Some(orders),
            helper: Some(helper),
            _lock: Lock(lock),
        })
    }

    /// The one writer of `lane`. Prepares its first segment before it returns; the helper prepares the next.
    /// Err: taken already, or the segment cannot be made.
    pub fn writer(&mut self, lane: Lane) -> Result<Writer, JournalError> {
        self.start_lane(lane, 1)
    }

    /// The one writer of `lane` in a slice, for the records of the longer journal from `first_seq` (from 1)
    /// on, which keep their sequences.
    /// Err: as `writer`; or the journal is no slice.
    pub fn writer_from(&mut self, lane: Lane, first_seq: u64) -> Result<Writer, JournalError> {
        if !self.options.is_slice || first_seq == 0 {
            return Err(JournalError::Options("only a slice's lanes begin after their first record"));
        }
        self.start_lane(lane, first_seq)
    }

    fn start_lane(&mut self, lane: Lane, first_seq: u64) -> Result<Writer, JournalError> {
        if self.lanes.iter().any(|(taken, _)| *taken == lane) {
            return Err(JournalError::LaneTaken(lane));
        }
        let bytes =
            if lane == Lane::Feed { self.options.feed_segment_bytes } else { self.options.segment_bytes };
        let info = SegmentInfo { run: self.run, lane, number: 1, bytes, created_ns: wall_now() };
        let segment = Arc::new(Segment::create(&self.dir, &info)?);
        let shared = Arc::new(LaneShared::new(bytes, Arc::clone(&self.failure)));
        self.lanes.push((lane, Arc::clone(&shared)));
        let work = LaneWork::new(Arc::clone(&shared), Arc::clone(&segment));
        let sent = self.orders.as_ref().map(|orders| orders.send(Order::Add(work)));
        if !matches!(sent, Some(Ok(()))) {
            return Err(JournalError::HelperFailed);
        }
        Ok(Writer::new(segment, shared, first_seq, self.options.durability))
    }

    /// Whether the lanes whose writers have been taken so far have room; for sources that can wait.
    #[must_use]
    pub fn room(&self) -> Room {
        Room::new(self.lanes.iter().map(|(_, shared)| Arc::clone(shared)).collect())
    }

    /// Blocks until the next segment of every lane whose writer has been taken so far waits for it: for the start
    /// of a run, with which the helper would compete for memory and disk. Err: the helper has failed.
    pub fn wait_prepared(&self) -> Result<(), JournalError> {
        while !self.lanes.iter().all(|(_, shared)| shared.slot.is_full()) {
            if let Some(failure) = self.failure() {
                return Err(failure.clone());
            }
            #[expect(clippy::disallowed_methods, reason = "at start")]
            thread::sleep(POLL);
        }
        Ok(())
    }

    /// What ended the helper's work, if something did: from then on the writers fill what they have and fail.
    #[must_use]
    pub fn failure(&self) -> Option<&JournalError> {
        self.failure.get()
    }

    /// The directory that holds the segments.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Ends the journal in order: marks each lane as closed, gives unused space back, waits for the disk.
    /// Err: a writer is not dropped yet; or the disk's, now or earlier.
    pub fn close(mut self) -> Result<(), JournalError> {
        if let Some((lane, _)) = self.lanes.iter().find(|(_, shared)| shared.released().is_none()) {
            return Err(JournalError::WriterAlive(*lane));
        }
        if let Some(orders) = self.orders.take() {
            // A helper that is gone already shows in what it returned.
            let _ = orders.send(Order::Close);
        }
        let closed = self.helper.take().map(JoinHandle::join);
        match closed {
            Some(Ok(result)) => result?,
            Some(Err(_)) | None => return Err(JournalError::HelperFailed),
        }
        self.failure.get().map_or(Ok(()), |failure| Err(failure.clone()))
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        self.orders = None;
        if let Some(helper) = self.helper.take() {
            // Its result was taken by `close`, or nobody asked for one.
            let _ = helper.join();
        }
    }
}

/// The lock of a directory. It is let go by name: a process that is being started has a copy of every open file until it
/// becomes its program, and the lock would live as long as that.
struct Lock(File);

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing lets go of it too.
        let _ = self.0.unlock();
    }
}

fn take_lock(dir: &Path) -> Result<File, JournalError> {
    let path = dir.join(LOCK_FILE);
    let fail = |what| {
        let path = &path;
        move |source: io::Error| JournalError::Io { what, path: path.clone(), source: source.into() }
    };
    // Before anything is created in what may be somebody's directory.
    let taken_before = only_the_lock(dir)?;
    let mut lock = OpenOptions::new()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .open(&path)
        .map_err(fail("create"))?;
    let mut text = String::new();
    for attempt in 0.. {
        match lock.try_lock() {
            Ok(()) => break,
            // A reader that looks whether a writer lives holds the lock for a moment.
            #[expect(clippy::disallowed_methods, reason = "at start")]
            Err(TryLockError::WouldBlock) if attempt < 5 => thread::sleep(Duration::from_millis(10)),
            Err(TryLockError::WouldBlock) => {
                // Without the number the message is still true.
                let _ = lock.read_to_string(&mut text);
                return Err(JournalError::Busy { dir: dir.to_path_buf(), pid: text.trim().parse().ok() });
            }
            Err(TryLockError::Error(source)) => return Err(fail("lock")(source)),
        }
    }
    lock.read_to_string(&mut text).map_err(fail("read"))?;
    if !text.is_empty() {
        // Somebody has been here, and has left since the first look at the latest.
        return Err(taken_before.unwrap_or_else(|| not_empty(dir, LOCK_FILE.into())));
    }
    if let Some(error) = only_the_lock(dir)? {
        return Err(error);
    }
    lock.write_all(std::process::id().to_string().as_bytes()).map_err(fail("write"))?;
    Ok(lock)
}

/// None: the directory is empty but for a lock. Some: it holds a journal's segments besides, and its writer
/// may live. Err: something else is in it.
fn only_the_lock(dir: &Path) -> Result<Option<JournalError>, JournalError> {
    let fail =
        |source: io::Error| JournalError::Io { what: "list", path: dir.to_path_buf(), source: source.into() };
    let mut others = Vec::new();
    let mut is_locked = false;
    for entry in fs::read_dir(dir).map_err(fail)? {
        let name = entry.map_err(fail)?.file_name();
        if name == LOCK_FILE { is_locked = true } else { others.push(name) }
    }
    others.sort_unstable();
    match others.into_iter().next() {
        None => Ok(None),
        Some(first) if is_locked => Ok(Some(not_empty(dir, first.into()))),
        Some(first) => Err(not_empty(dir, first.into())),
    }
}

fn not_empty(dir: &Path, entry: PathBuf) -> JournalError {
    JournalError::NotEmpty { dir: dir.to_path_buf(), entry }
}

/// Between two looks of who waits for the helper.
const POLL: Duration = Duration::from_micros(200);

/// Holds the writer's process id and its lock.
pub(super) const LOCK_FILE: &str = "lock";

/// Why a journal cannot be written, or not be closed in order.
#[derive(Clone, Debug)]
pub enum JournalError {
    /// Another process writes it.
    Busy {
        /// The journal.
        dir: PathBuf,
        /// Who.
        pid: Option<u32>,
    },
    /// Something is in the directory already.
    NotEmpty {
        /// The journal.
        dir: PathBuf,
        /// One thing that is in it.
        entry: PathBuf,
    },
    /// The file system refused.
    Io {
        /// What was tried.
        what: &'static str,
        /// On which file or directory.
        path: PathBuf,
        /// Why not.
        source: Arc<io::Error>,
    },
    /// An option is out of range.
    Options(&'static str),
    /// The lane has its writer already.
    LaneTaken(Lane),
    /// The lane's writer has not been dropped yet.
    WriterAlive(Lane),
    /// The helper thread is gone or has failed; `Journal::failure` says why.
    HelperFailed,
}

impl fmt::Display for JournalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Busy { dir, pid: Some(pid) } => {
                write!(f, "journal {} is being written by process {pid}", dir.display())
            }
            Self::Busy { dir, pid: None } => {
                write!(f, "journal {} is being written by another process", dir.display())
            }
            Self::NotEmpty { dir, entry } => {
                write!(f, "journal {} must be new or empty, but holds {}", dir.display(), entry.display())
            }
            Self::Io { what, path, source } => write!(f, "cannot {what} {}: {source}", path.display()),
            Self::Options(rule) => f.write_str(rule),
            Self::LaneTaken(lane) => write!(f, "the journal's {} lane has a writer already", lane.name()),
            Self::WriterAlive(lane) => {
                write!(f, "the journal's {} lane still has its writer and cannot be closed", lane.name())
            }
            Self::HelperFailed => f.write_str("the journal's helper thread has failed"),
        }
    }
}

impl std::error::Error for JournalError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source.as_ref()),
            _ => None,
        }
    }
}
