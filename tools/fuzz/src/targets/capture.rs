//! Capture files: the lines that come out are those of a reference inflate, up to the last line end before a
//! fault; and merging loses, doubles and reorders nothing.
//!
//! Input: a file, plain or gzip.

use crate::driver::Outcome;
use crate::scratch;
use crate::truth::outcome;
use feeds::capture::{
    CaptureError, CaptureErrorKind, CaptureFile, CaptureReader, MergedCaptures, Next, NextLine,
};
use flate2::read::MultiGzDecoder;
use std::io::{ErrorKind, Read};

/// Runs one input.
pub fn target(data: &[u8]) -> Outcome {
    let path = scratch::file("capture", data);
    let mut reader = CaptureReader::open(&path).unwrap_or_else(|error| panic!("{error}"));
    assert!(reader.paths().iter().eq([&path]));
    let folder = path.parent().unwrap_or(&path);
    let refused = CaptureReader::open(folder).map(|_| ()).map_err(|error| error.kind);
    assert!(matches!(refused, Err(CaptureErrorKind::Directory)), "a directory is no capture");
    let (mut lines, mut failed) = (Vec::new(), None);
    loop {
        match reader.wait() {
            Next::Line(line) => {
                assert_eq!(line.line_number, lines.len() as u64 + 1, "lines are counted from 1");
                lines.push(line.bytes.to_vec());
            }
            Next::NotYet => panic!("`wait` does not say `NotYet`"),
            Next::Failed(error) => {
                assert!(error.to_string().starts_with(&path.display().to_string()), "{error}");
                failed = Some(error.kind);
            }
            Next::End => break,
        }
    }
    let (text, fault) = reference(data);
    let expected = lines_of(&text, fault.is_none());
    let kind = match (&failed, fault) {
        // A header's own checksum is not looked at: the text's is what counts.
        _ if has_header_crc(data) => 4,
        (None, None) => 0,
        (Some(CaptureErrorKind::Empty), None) if text.is_empty() => 1,
        (Some(CaptureErrorKind::Cut { offset }), Some(ErrorKind::UnexpectedEof)) => {
            assert_eq!(*offset, data.len() as u64, "cut at the file's end");
            2
        }
        (Some(CaptureErrorKind::Corrupt { offset, .. }), Some(kind)) if kind != ErrorKind::UnexpectedEof => {
            assert!(*offset <= data.len() as u64, "a place in the file");
            3
        }
        // Too short for a header, and no header either: the reference looks for its length first.
        (Some(CaptureErrorKind::Corrupt { what, .. }), Some(_)) if HEADER_FAULTS.contains(what) => 3,
        (failed, fault) => panic!("{failed:?}, and the reference says {fault:?}"),
    };
    // What the reference inflates in the call that meets a fault is lost: at most one byte, perhaps a line's end.
    let one_more = lines_of(&[&text[..], b"\n"].concat(), false);
    let misses_one = fault.is_some() && lines == one_more;
    if kind != 4 && !misses_one {
        assert_eq!(lines.len(), expected.len(), "as many lines as the reference has");
        assert_eq!(lines, expected, "the reference's lines");
    }
    merge(&path, &lines, failed.is_some());
    outcome((kind, lines.len().min(4), lines.first().map(|line| line.len().min(8))))
}

/// The text, and the fault that ends it. A byte a call, so that nothing inflated before a fault is lost.
fn reference(data: &[u8]) -> (Vec<u8>, Option<ErrorKind>) {
    if !data.starts_with(&[0x1F, 0x8B]) {
        return (data.to_vec(), None);
    }
    let (mut decoder, mut text, mut byte) = (MultiGzDecoder::new(data), Vec::new(), [0]);
    loop {
        match decoder.read(&mut byte) {
            Ok(0) => return (text, None),
            Ok(_) => text.push(byte[0]),
            Err(error) => return (text, Some(error.kind())),
        }
    }
}

const HEADER_FAULTS: [&str; 2] =
    ["something that is not gzip follows", "unknown compression method or flags"];

/// Whether any place could be a member's header that carries a checksum of itself.
fn has_header_crc(data: &[u8]) -> bool {
    data.windows(4).any(|four| four[..3] == [0x1F, 0x8B, 8] && four[3] & 2 != 0)
}

/// The lines of a text; without an end, those that a line feed ends.
fn lines_of(text: &[u8], whole: bool) -> Vec<Vec<u8>> {
    let mut lines: Vec<&[u8]> = text.split(|byte| *byte == b'\n').collect();
    let last = lines.pop().unwrap_or_default();
    if whole && !last.is_empty() {
        lines.push(last);
    }
    lines.into_iter().map(|line| line.strip_suffix(b"\r").unwrap_or(line).to_vec()).collect()
}

/// The file twice in one stream and once in another: every line comes as often as it should, each stream in
/// its order, all of them in the order of their times.
fn merge(path: &std::path::Path, lines: &[Vec<u8>], fails: bool) {
    let file = |stream| CaptureFile { path: path.to_path_buf(), stream };
    let files = [file(0), file(1), file(0)];
    let mut merged = match MergedCaptures::open(&files) {
        Ok(merged) => merged,
        Err(CaptureError { kind: CaptureErrorKind::Empty, .. }) => return,
        Err(error) => panic!("{error}"),
    };
    let (mut counts, mut last_ns, mut failed) = ([0_usize; 3], None, false);
    loop {
        match merged.poll() {
            NextLine::Line(line) => {
                let index = counts[line.file_index];
                assert_eq!(line.line_number, index as u64 + 1);
                counts[line.file_index] += 1;
                if let Ok(json) = line.json {
                    assert!(lines[index].ends_with(json), "a line of the file");
                }
                assert!(Some(line.recv_ns) >= last_ns, "times go back");
                last_ns = Some(line.recv_ns);
            }
            NextLine::NotYet => std::thread::yield_now(),
            NextLine::Failed(_) => failed = true,
            NextLine::End => break,
        }
    }
    assert_eq!(failed, fails, "a fault comes through");
    if !fails {
        assert_eq!(counts, [lines.len(); 3], "every line once a file");
    }
}
