//! The lines of one stream: of one file, or of several of the same instrument one after the other.
//!
//! ```text
//! cold thread:  read ─▶ inflate ─▶ cut at the last line end ─▶ full ─┐
//!                  ▲                                                 ▼
//!                  └──────────────────────── empty ◀──────── consumer
//! ```
//!
//! The cold thread polls both channels and sleeps between, so that nobody ever waits inside a channel: then
//! the consumer's `try_recv` and `try_send` are a few atomic operations and never wake anyone. It begins to read
//! when the consumer asks for the first line, because only then it is given buffers: whoever takes the time of a
//! run counts the reading of its first byte.

use super::gzip::Text;
use super::{CaptureError, CaptureErrorKind};
use crossbeam::channel::{Receiver, Sender, TryRecvError, bounded};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// Bytes that a line may have; a longer one ends the reading.
pub const LINE_BYTES_MAX: usize = 16 << 20;

/// Size of a buffer at start; a longer line makes the cold thread grow one. All of them together fit a core's
/// second cache, and the consumer waits for the first one only as long as it takes to inflate this much.
const BUFFER_BYTES: usize = 256 << 10;
/// Buffers that go round: one with the consumer, one being filled, the others ready.
const BUFFERS: usize = 8;
/// Line ends that a buffer has room for at start: one of 64 bytes each.
const ENDS: usize = BUFFER_BYTES / 64;
/// How long the cold thread, or a waiting cold consumer, sleeps before it looks again.
const NAP: Duration = Duration::from_micros(200);

/// Reads the lines of a stream.
#[derive(Debug)]
pub struct CaptureReader {
    paths: Arc<[PathBuf]>,
    full: Option<Receiver<Block>>,
    empty: Option<Sender<Buffer>>,
    thread: Option<JoinHandle<()>>,
    /// Buffers for the thread: all of them before the first line is asked for; later those that it, having
    /// ended, did not take back: memory is given back at the end.
    spent: Vec<Buffer>,
    ended: bool,
    buffer: Buffer,
    /// Lines of `buffer` that were handed out, the current one included.
    taken: usize,
    /// The current line in `buffer`.
    start: usize,
    end: usize,
}

/// What a reader has.
#[derive(Debug)]
pub enum Next<'a> {
    /// The next line.
    Line(RawLine<'a>),
    /// The cold thread is not that far: come back.
    NotYet,
    /// Every line was read.
    End,
    /// The rest cannot be read; it comes once, after every whole line before it, and `End` follows.
    Failed(CaptureError),
}

/// A line, without its line end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RawLine<'a> {
    /// Its bytes.
    pub bytes: &'a [u8],
    /// Its number in its file, from 1.
    pub line_number: u64,
    /// Which of the reader's files it is in, from 0.
    pub file_index: usize,
}

/// As [`Next`], with the line left in the reader.
#[derive(Debug)]
pub(super) enum Polled {
    Line,
    NotYet,
    End,
    Failed(CaptureError),
}

impl CaptureReader {
    /// Opens a capture, to be read ahead from the first line asked for on.
    /// Err: no such file; a directory; no thread to be had.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, CaptureError> {
        Self::open_all(&[path.as_ref().to_path_buf()])
    }

    /// Opens several captures as one stream, in this order. Err: as [`Self::open`], for any of them.
    pub fn open_all(paths: &[PathBuf]) -> Result<Self, CaptureError> {
        let files = paths.iter().map(|path| open_file(path)).collect::<Result<Vec<_>, _>>()?;
        let paths: Arc<[PathBuf]> = paths.into();
        let (full, full_out) = bounded(BUFFERS + 1);
        let (empty, empty_out) = bounded(BUFFERS);
        let mut spent = Vec::with_capacity(BUFFERS);
        spent.resize_with(BUFFERS - 1, Buffer::new);
        let filler = Filler { full, empty: empty_out, line: 0, file_index: 0 };
        let thread =
            thread::Builder::new().name("capture".into()).spawn(move || filler.run(files)).map_err(|_| {
                CaptureError {
                    path: paths.first().cloned().unwrap_or_default(),
                    kind: CaptureErrorKind::NoReader,
                }
            })?;
        Ok(Self {
            paths,
            full: Some(full_out),
            empty: Some(empty),
            thread: Some(thread),
            spent,
            ended: false,
            buffer: Buffer::new(),
            taken: 0,
            start: 0,
            end: 0,
        })
    }

    /// The files, in order; `RawLine::file_index` counts them.
    #[must_use]
    pub fn paths(&self) -> &[PathBuf] {
        &self.paths
    }

    /// The next line, if it is there. Neither waits, nor calls the system, nor takes memory.
    #[inline]
    pub fn poll(&mut self) -> Next<'_> {
        match self.advance() {
            Polled::Line => Next::Line(self.line()),
            Polled::NotYet => Next::NotYet,
            Polled::End => Next::End,
            Polled::Failed(error) => Next::Failed(error),
        }
    }

    /// The next line, waited for: for readers that trade nothing. Never `NotYet`.
    pub fn wait(&mut self) -> Next<'_> {
        loop {
            match self.advance() {
                #[expect(clippy::disallowed_methods, reason = "whoever calls this has chosen to wait")]
                Polled::NotYet => thread::sleep(NAP),
                Polled::Line => return Next::Line(self.line()),
                Polled::End => return Next::End,
                Polled::Failed(error) => return Next::Failed(error),
            }
        }
    }

    /// Moves to the next line.
    #[inline]
    pub(super) fn advance(&mut self) -> Polled {
        while self.taken == self.buffer.ends.len() {
            match self.next_buffer() {
                Polled::Line => {}
                other => return other,
            }
        }
        // Behind the line end before, or at the front.
        self.start = if self.taken == 0 { 0 } else { self.buffer.ends[self.taken - 1] as usize + 1 };
        self.end = self.buffer.ends[self.taken] as usize;
        self.taken += 1;
        Polled::Line
    }

    /// The line moved to; empty before the first.
    #[inline]
    pub(super) fn line(&self) -> RawLine<'_> {
        let bytes = self.buffer.bytes.get(self.start..self.end).unwrap_or_default();
        RawLine {
            bytes: bytes.strip_suffix(b"\r").unwrap_or(bytes),
            line_number: self.buffer.lines_before + self.taken as u64,
            file_index: self.buffer.file_index,
        }
    }

    /// `Line`: there is another buffer, in place of the one before.
    fn next_buffer(&mut self) -> Polled {
        let (Some(full), Some(empty), false) = (&self.full, &self.empty, self.ended) else {
            return Polled::End;
        };
        let polled = match full.try_recv() {
            Ok(Block::Lines(buffer)) => {
                self.spent.push(std::mem::replace(&mut self.buffer, buffer));
                self.taken = 0;
                Polled::Line
            }
            Ok(Block::End) => {
                self.ended = true;
                Polled::End
            }
            Ok(Block::Failed { file_index, kind }) => return self.fail(file_index, kind),
            Err(TryRecvError::Empty) => Polled::NotYet,
            Err(TryRecvError::Disconnected) => {
                return self.fail(self.buffer.file_index, CaptureErrorKind::NoReader);
            }
        };
        while let Some(buffer) = self.spent.pop() {
            if let Err(unsent) = empty.try_send(buffer) {
                self.spent.push(unsent.into_inner());
                break;
            }
        }
        polled
    }

    #[cold]
    fn fail(&mut self, file_index: usize, kind: CaptureErrorKind) -> Polled {
        self.ended = true;
        Polled::Failed(CaptureError { path: self.paths.get(file_index).cloned().unwrap_or_default(), kind })
    }
}

impl Drop for CaptureReader {
    fn drop(&mut self) {
        (self.full, self.empty) = (None, None); // tells the thread to end
        if let Some(thread) = self.thread.take() {
            // It has no panic that could say more than the `NoReader` its consumer got.
            let _ = thread.join();
        }
    }
}

fn open_file(path: &Path) -> Result<File, CaptureError> {
    let error = |kind| CaptureError { path: path.to_path_buf(), kind };
    // Asked before it is opened: opening a pipe would wait for its writer.
    let metadata = std::fs::metadata(path).map_err(|e| error(CaptureErrorKind::Open(e)))?;
    if metadata.is_dir() {
        return Err(error(CaptureErrorKind::Directory));
    }
    if !metadata.is_file() {
        return Err(error(CaptureErrorKind::NotAFile));
    }
    File::open(path).map_err(|e| error(CaptureErrorKind::Open(e)))
}

/// Whole lines of one file.
#[derive(Debug)]
struct Buffer {
    bytes: Vec<u8>,
    /// Where each line ends: its line feed, or the end of the file.
    ends: Vec<u32>,
    lines_before: u64,
    file_index: usize,
}

impl Buffer {
    fn new() -> Self {
        let (bytes, ends) = (vec![0; BUFFER_BYTES], Vec::with_capacity(ENDS));
        Self { bytes, ends, lines_before: 0, file_index: 0 }
    }
}

#[derive(Debug)]
enum Block {
    Lines(Buffer),
    End,
    Failed { file_index: usize, kind: CaptureErrorKind },
}

/// The cold thread.
struct Filler {
    full: Sender<Block>,
    empty: Receiver<Buffer>,
    /// Lines of the file handed over.
    line: u64,
    file_index: usize,
}

/// The consumer has gone.
struct Gone;

impl Filler {
    fn run(mut self, files: Vec<File>) {
        for (file_index, file) in files.into_iter().enumerate() {
            (self.file_index, self.line) = (file_index, 0);
            match self.file(file) {
                Ok(Ok(())) => {}
                Ok(Err(kind)) => {
                    let _ = self.send(Block::Failed { file_index, kind });
                    return;
                }
                Err(Gone) => return,
            }
        }
        let _ = self.send(Block::End);
    }

    /// Hands over the lines of one file.
    fn file(&mut self, file: File) -> Result<Result<(), CaptureErrorKind>, Gone> {
        let mut text = Text::new(file);
        let mut buffer = self.buffer()?;
        let (mut filled, mut anything) = (0, false);
        loop {
            if filled == buffer.bytes.len() {
                let whole = memchr::memrchr(b'\n', &buffer.bytes[..filled]).map_or(0, |at| at + 1);
                if whole > 0 {
                    let mut next = self.buffer()?;
                    let rest = filled - whole;
                    if next.bytes.len() <= rest {
                        next.bytes.resize(buffer.bytes.len(), 0);
                    }
                    next.bytes[..rest].copy_from_slice(&buffer.bytes[whole..filled]);
                    self.lines(std::mem::replace(&mut buffer, next), whole)?;
                    filled = rest;
                } else if filled > LINE_BYTES_MAX {
                    return Ok(Err(CaptureErrorKind::LineTooLong { line: self.line + 1 }));
                } else {
                    buffer.bytes.resize((2 * filled).min(LINE_BYTES_MAX + 1), 0);
                }
            }
            match text.read(&mut buffer.bytes[filled..]) {
                Ok(0) => break,
                Ok(count) => (filled, anything) = (filled + count, true),
                Err(kind) => {
                    let whole = memchr::memrchr(b'\n', &buffer.bytes[..filled]).map_or(0, |at| at + 1);
                    self.lines(buffer, whole)?;
                    return Ok(Err(kind));
                }
            }
        }
        self.lines(buffer, filled)?;
        Ok(if anything { Ok(()) } else { Err(CaptureErrorKind::Empty) })
    }

    /// Hands over the lines in the first `len` bytes; the last one may lack its line end.
    fn lines(&mut self, mut buffer: Buffer, len: usize) -> Result<(), Gone> {
        let text = &buffer.bytes[..len];
        let at = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        buffer.ends.clear();
        buffer.ends.extend(memchr::memchr_iter(b'\n', text).map(at));
        if !text.is_empty() && !text.ends_with(b"\n") {
            buffer.ends.push(at(len));
        }
        (buffer.lines_before, buffer.file_index) = (self.line, self.file_index);
        self.line += buffer.ends.len() as u64;
        self.send(Block::Lines(buffer))
    }

    fn buffer(&self) -> Result<Buffer, Gone> {
        loop {
            match self.empty.try_recv() {
                Ok(buffer) => return Ok(buffer),
                #[expect(clippy::disallowed_methods, reason = "the reading thread, not a stage")]
                Err(TryRecvError::Empty) => thread::sleep(NAP),
                Err(TryRecvError::Disconnected) => return Err(Gone),
            }
        }
    }

    /// Never waits: there are fewer buffers than places.
    fn send(&self, block: Block) -> Result<(), Gone> {
        self.full.try_send(block).map_err(|_| Gone)
    }
}
