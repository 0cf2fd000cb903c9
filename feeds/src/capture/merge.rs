//! Several captures as one sequence of lines: files of one instrument continue each other, streams of
//! different instruments are merged by receive time. At equal times the stream named first goes first, so
//! that the sequence is the same every time.

use super::reader::Polled;
use super::{CaptureError, CaptureReader, ClockFault, RecvClock, split_line};
use crate::codec::DecodeError;
use engine::time::Nanos;
use std::path::PathBuf;

/// A file, and the stream that it is part of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaptureFile {
    /// Where it is.
    pub path: PathBuf,
    /// Number of its stream, from 0 and without holes. Files of one stream follow each other as given.
    pub stream: usize,
}

/// Lines of several captures in the order of their receive times.
#[derive(Debug)]
pub struct MergedCaptures {
    streams: Vec<Stream>,
    /// Receive time of each stream's next line; what the merge looks at.
    next_ns: Vec<Nanos>,
    /// The stream whose line was handed out last and has to move on.
    current: Option<usize>,
    /// Streams that have to move on before the next line can be chosen: all of them at the start.
    unread: usize,
}

/// What the captures have.
#[derive(Debug)]
pub enum NextLine<'a> {
    /// The next line.
    Line(CaptureLine<'a>),
    /// A reading thread is not that far: come back.
    NotYet,
    /// Every line was read.
    End,
    /// A file cannot be read on; it comes once, after every whole line before it, and `End` follows.
    Failed(CaptureError),
}

/// A line of a capture.
#[derive(Clone, Copy, Debug)]
pub struct CaptureLine<'a> {
    /// The stream it belongs to.
    pub stream: usize,
    /// Which of the files given it is in, from 0.
    pub file_index: usize,
    /// Its number in its file, from 1.
    pub line_number: u64,
    /// Its receive time, made to go only forward by [`RecvClock`].
    pub recv_ns: Nanos,
    /// What was wrong with the receive time it says.
    pub clock_fault: Option<ClockFault>,
    /// The message. Err: the line has no receive time; then `recv_ns` is that of the line before.
    pub json: Result<&'a [u8], DecodeError>,
}

#[derive(Debug)]
struct Stream {
    reader: CaptureReader,
    clock: RecvClock,
    /// The reader's files among the files given.
    file_indices: Vec<usize>,
    head: Head,
}

/// What a stream has next.
#[derive(Debug)]
enum Head {
    /// Not known yet.
    Unread,
    Line {
        clock_fault: Option<ClockFault>,
        /// Where the message begins in the line.
        json_at: Result<usize, DecodeError>,
    },
    Failed(Option<CaptureError>),
    Ended,
}

impl MergedCaptures {
    /// Opens all files, to be read ahead from the first line asked for on, one thread a stream.
    /// Err: a file that is not there; a directory; no thread to be had.
    pub fn open(files: &[CaptureFile]) -> Result<Self, CaptureError> {
        let count = files.iter().map(|file| file.stream + 1).max().unwrap_or(0);
        let mut streams = Vec::with_capacity(count);
        for stream in 0..count {
            let of_stream = || files.iter().enumerate().filter(move |(_, file)| file.stream == stream);
            let paths: Vec<_> = of_stream().map(|(_, file)| file.path.clone()).collect();
            streams.push(Stream {
                reader: CaptureReader::open_all(&paths)?,
                clock: RecvClock::default(),
                file_indices: of_stream().map(|(index, _)| index).collect(),
                head: Head::Unread,
            });
        }
        Ok(Self { next_ns: vec![Nanos(0); count], unread: count, streams, current: None })
    }

    /// The next line, if it is known. Neither waits, nor calls the system, nor takes memory (but for an error).
    #[inline]
    pub fn poll(&mut self) -> NextLine<'_> {
        if let Some(current) = self.current.take() {
            self.streams[current].head = Head::Unread;
            self.unread += 1;
        }
        if self.unread > 0 && !self.read_heads() {
            return NextLine::NotYet;
        }
        // The first of the earliest.
        let Some((index, _)) = self.next_ns.iter().enumerate().min_by_key(|(_, ns)| **ns) else {
            return NextLine::End;
        };
        if let Head::Failed(error) = &mut self.streams[index].head {
            let error = error.take();
            self.end();
            return error.map_or(NextLine::End, NextLine::Failed);
        }
        self.current = Some(index);
        self.current().map_or(NextLine::End, NextLine::Line)
    }

    /// The line that `poll` handed out last. None: it handed out none.
    #[inline]
    #[must_use]
    pub fn current(&self) -> Option<CaptureLine<'_>> {
        let index = self.current?;
        let stream = &self.streams[index];
        let Head::Line { clock_fault, json_at } = stream.head else { return None };
        let line = stream.reader.line();
        Some(CaptureLine {
            stream: index,
            file_index: stream.file_indices.get(line.file_index).copied().unwrap_or(0),
            line_number: line.line_number,
            recv_ns: self.next_ns[index],
            clock_fault,
            json: json_at.map(|at| line.bytes.get(at..).unwrap_or_default()),
        })
    }

    /// Whether every stream knows what it has next.
    #[inline]
    fn read_heads(&mut self) -> bool {
        for (stream, next_ns) in self.streams.iter_mut().zip(&mut self.next_ns) {
            if matches!(stream.head, Head::Unread) && stream.read_head(next_ns) {
                self.unread -= 1;
            }
        }
        self.unread == 0
    }

    #[cold]
    fn end(&mut self) {
        for (stream, next_ns) in self.streams.iter_mut().zip(&mut self.next_ns) {
            (stream.head, *next_ns) = (Head::Ended, Nanos(u64::MAX));
        }
    }
}

impl Stream {
    /// Whether it knows now what it has next.
    #[inline]
    fn read_head(&mut self, next_ns: &mut Nanos) -> bool {
        let (head, ns) = match self.reader.advance() {
            Polled::NotYet => return false,
            Polled::End => (Head::Ended, Nanos(u64::MAX)),
            Polled::Failed(error) => (Head::Failed(Some(error)), self.clock.last()),
            Polled::Line => {
                let line = self.reader.line().bytes;
                match split_line(line) {
                    Ok((says, json)) => {
                        let says = Nanos(says.0.min(u64::MAX - 1)); // the last instant means the end here
                        let (ns, clock_fault) = self.clock.take(says);
                        (Head::Line { clock_fault, json_at: Ok(line.len() - json.len()) }, ns)
                    }
                    Err(error) => (Head::Line { clock_fault: None, json_at: Err(error) }, self.clock.last()),
                }
            }
        };
        (self.head, *next_ns) = (head, ns);
        true
    }
}
