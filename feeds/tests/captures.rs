//! Captures of every shape and in every state of decay: what is whole is read, what is not is named.

mod support;

use engine::time::Nanos;
use feeds::capture::{
    CaptureErrorKind, CaptureFile, CaptureReader, ClockFault, LINE_BYTES_MAX, MergedCaptures, Next, NextLine,
};
use flate2::Compression;
use flate2::write::GzEncoder;
use std::io::Write;
use std::path::{Path, PathBuf};
use support::{CAPTURES, Random, shared};
use tempfile::TempDir;

struct Files(TempDir);

impl Files {
    fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }
}

fn gz(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

/// All lines of a file, and how reading it ended.
fn lines(path: &Path) -> (Vec<Vec<u8>>, Option<CaptureErrorKind>) {
    let mut reader = match CaptureReader::open(path) {
        Ok(reader) => reader,
        Err(error) => return (Vec::new(), Some(error.kind)),
    };
    let mut lines = Vec::new();
    loop {
        match reader.wait() {
            Next::Line(line) => {
                lines.push(line.bytes.to_vec());
                assert_eq!((line.line_number, line.file_index), (lines.len() as u64, 0));
            }
            Next::NotYet => unreachable!("wait waits"),
            Next::End => return (lines, None),
            Next::Failed(error) => {
                assert_eq!(error.path, path);
                assert!(matches!(reader.wait(), Next::End), "nothing follows a failure");
                return (lines, Some(error.kind));
            }
        }
    }
}

fn text_of(lines: &[Vec<u8>]) -> Vec<u8> {
    lines.iter().flat_map(|line| [line.as_slice(), b"\n"].concat()).collect()
}

#[test]
fn every_line_of_every_capture_comes_once_and_in_order() {
    let expected = [93_954, 41_249, 58_325, 48_270, 55];
    for ((path, ..), expected) in CAPTURES.iter().zip(expected) {
        let (lines, error) = lines(&shared(path));
        assert!(error.is_none(), "{error:?}");
        assert_eq!(lines.len(), expected, "{path}");
        let mut text = Vec::new();
        let file = std::fs::File::open(shared(path)).unwrap();
        std::io::copy(&mut flate2::read::MultiGzDecoder::new(file), &mut text).unwrap();
        assert!(text_of(&lines) == text, "{path}");
    }
}

#[test]
fn plain_gzip_and_several_members_give_the_same_lines() {
    let files = Files::new();
    let text: Vec<u8> =
        (0..200_000).flat_map(|i| format!("{i} {{\"n\":{}}}\n", i * 31).into_bytes()).collect();
    let middle = text.len() / 2;
    for (name, bytes) in [
        ("plain.gz", text.clone()),
        ("gzip.txt", gz(&text)),
        ("members", [gz(&text[..middle]), gz(b""), gz(&text[middle..])].concat()),
    ] {
        let (lines, error) = lines(&files.write(name, &bytes));
        assert!(error.is_none() && text_of(&lines) == text, "{name}: {error:?}");
    }
}

#[test]
fn line_ends_may_be_missing_at_the_end_or_come_with_a_carriage_return() {
    let files = Files::new();
    for (text, expected) in [
        (&b"a\nb"[..], &[&b"a"[..], b"b"][..]),
        (b"a\nb\n", &[b"a", b"b"]),
        (b"a\r\nb\r\n", &[b"a", b"b"]),
        (b"a\rb\n", &[b"a\rb"]),
        (b"\n\na\n", &[b"", b"", b"a"]),
        (b"\r", &[b""]),
        (b"a", &[b"a"]),
    ] {
        let (lines, error) = lines(&files.write("f", text));
        assert!(error.is_none() && lines == expected, "{text:?}: {lines:?} {error:?}");
    }
}

#[test]
fn what_is_no_capture_is_refused_with_its_reason() {
    let files = Files::new();
    assert!(matches!(lines(&files.0.path().join("none")).1, Some(CaptureErrorKind::Open(_))));
    assert!(matches!(lines(files.0.path()).1, Some(CaptureErrorKind::Directory)));
    assert!(matches!(lines(&files.write("empty", b"")).1, Some(CaptureErrorKind::Empty)));
    assert!(matches!(lines(&files.write("empty.gz", &gz(b""))).1, Some(CaptureErrorKind::Empty)));
    let error = CaptureReader::open(files.0.path().join("none")).unwrap_err();
    assert!(error.to_string().contains("none: cannot be opened: No such file"), "{error}");
}

#[test]
fn lines_longer_than_any_message_end_the_reading_with_their_number() {
    let files = Files::new();
    let longest = vec![b'x'; LINE_BYTES_MAX];
    let (read, error) = lines(&files.write("longest", &[b"a\n", &longest[..], b"\nb\n"].concat()));
    assert!(error.is_none() && read.len() == 3 && read[1] == longest && read[2] == b"b", "{error:?}");
    let (read, error) = lines(&files.write("longer", &[b"a\nb\n", &longest[..], b"x\nc\n"].concat()));
    assert_eq!(read, [b"a", b"b"]);
    assert!(matches!(error, Some(CaptureErrorKind::LineTooLong { line: 3 })), "{error:?}");
}

#[test]
fn a_cut_capture_gives_its_whole_lines_and_then_the_cut() {
    let files = Files::new();
    let whole = std::fs::read(shared(CAPTURES[4].0)).unwrap();
    let (all, _) = lines(&shared(CAPTURES[4].0));
    let mut most = 0;
    for cut in (2..whole.len()).step_by(311) {
        let (read, error) = lines(&files.write("cut", &whole[..cut]));
        assert!(
            matches!(error, Some(CaptureErrorKind::Cut { offset }) if offset == cut as u64),
            "{cut}: {error:?}"
        );
        assert_eq!(read, all[..read.len()]);
        most = most.max(read.len());
    }
    assert!(most > 40, "{most}");
}

#[test]
fn flipped_bits_and_random_bytes_never_pass_for_a_whole_capture() {
    let files = Files::new();
    let mut random = Random(77);
    let whole = std::fs::read(shared(CAPTURES[4].0)).unwrap();
    for _ in 0..60 {
        let mut bad = whole.clone();
        let at = 10 + random.below(bad.len() - 10);
        bad[at] ^= 1 << random.below(8);
        let (_, error) = lines(&files.write("flipped", &bad));
        // The name in the header is guarded by nothing.
        let in_header = at < 40;
        assert!(in_header || error.is_some(), "byte {at}");
    }
    let noise: Vec<u8> = (0..100_000).map(|_| random.next().to_le_bytes()[3]).collect();
    let (read, error) = lines(&files.write("noise", &noise));
    assert!(error.is_none() && text_of(&read).len() >= noise.len() - 400, "not gzip: lines like any other");
    let (read, error) = lines(&files.write("noise.gz", &[&[0x1F, 0x8B, 8, 0][..], &noise].concat()));
    assert!(
        matches!(error, Some(CaptureErrorKind::Corrupt { .. } | CaptureErrorKind::Cut { .. })),
        "{read:?}"
    );
}

#[test]
fn a_reader_may_be_dropped_at_any_time() {
    let mut reader = CaptureReader::open(shared(CAPTURES[0].0)).unwrap();
    assert!(matches!(reader.wait(), Next::Line(_)));
    drop(reader);
    drop(CaptureReader::open(shared(CAPTURES[0].0)).unwrap());
}

/// Lines of merged captures: stream, file, line, time, fault, message.
type Seen = (usize, usize, u64, u64, Option<ClockFault>, Result<String, ()>);

fn merged(files: &[CaptureFile]) -> (Vec<Seen>, Option<String>) {
    let mut captures = MergedCaptures::open(files).unwrap();
    let mut seen = Vec::new();
    loop {
        match captures.poll() {
            NextLine::Line(line) => {
                let json = line.json.map(|json| String::from_utf8(json.to_vec()).unwrap()).map_err(|_| ());
                let recv_ns = line.recv_ns.0;
                seen.push((line.stream, line.file_index, line.line_number, recv_ns, line.clock_fault, json));
            }
            NextLine::NotYet => std::thread::yield_now(),
            NextLine::End => return (seen, None),
            NextLine::Failed(error) => {
                assert!(matches!(captures.poll(), NextLine::End));
                return (seen, Some(error.to_string()));
            }
        }
    }
}

#[test]
fn streams_are_merged_by_time_and_their_files_follow_each_other() {
    let files = Files::new();
    let file =
        |name: &str, text: &str, stream| CaptureFile { path: files.write(name, text.as_bytes()), stream };
    let all = [
        file("b1", "10 b\n30 d\n", 1),
        file("a1", "10 a\n20 c", 0),
        file("b2", "30 f\n50 g\n", 1),
        file("a2", "30 e\n18446744073709551615 z\n", 0),
    ];
    let (seen, error) = merged(&all);
    let order: Vec<_> =
        seen.iter().map(|(s, f, l, ns, _, json)| (*s, *f, *l, *ns, json.clone().unwrap())).collect();
    let expected = [
        (0, 1, 1, 10, "a"),
        (1, 0, 1, 10, "b"),
        (0, 1, 2, 20, "c"),
        (0, 3, 1, 30, "e"),
        (0, 3, 2, 30, "z"), // a leap keeps the time before
        (1, 0, 2, 30, "d"),
        (1, 2, 1, 30, "f"),
        (1, 2, 2, 50, "g"),
    ];
    assert_eq!(order, expected.map(|(s, f, l, ns, json)| (s, f, l, ns, json.to_owned())));
    assert_eq!((seen[4].4, error), (Some(ClockFault::Forward), None));
    assert!(merged(&[]).0.is_empty());
}

#[test]
fn lines_without_a_time_and_with_a_wrong_one_keep_the_time_before() {
    let files = Files::new();
    let text = "x\n5 a\n{}\n4 b\n\n7200000000000000 c\n6 d\n";
    let (seen, _) = merged(&[CaptureFile { path: files.write("f", text.as_bytes()), stream: 0 }]);
    let seen: Vec<_> =
        seen.into_iter().map(|(_, _, line, ns, fault, json)| (line, ns, fault, json.ok())).collect();
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(
        seen,
        [
            (1, 0, None, None),
            (2, 5, None, some("a")),
            (3, 5, None, None),
            (4, 5, Some(ClockFault::Back), some("b")),
            (5, 5, None, None),
            (6, 5, Some(ClockFault::Forward), some("c")),
            (7, 6, None, some("d")),
        ]
    );
}

#[test]
fn a_stream_that_fails_ends_the_merge_after_the_lines_before_it() {
    let files = Files::new();
    let cut = gz(b"10 a\n20 b\n");
    let cut = CaptureFile { path: files.write("cut", &cut[..cut.len() - 3]), stream: 0 };
    let other = CaptureFile { path: files.write("other", b"15 x\n20 y\n99 z\n"), stream: 1 };
    let (seen, error) = merged(&[cut, other]);
    let seen: Vec<_> = seen.into_iter().map(|(.., json)| json.unwrap()).collect();
    assert_eq!(seen, ["a", "x", "b"]);
    assert!(error.unwrap().contains("cut: gzip data is cut off at byte"));
    assert!(MergedCaptures::open(&[CaptureFile { path: files.0.path().into(), stream: 0 }]).is_err());
}

#[test]
fn the_spot_files_continue_each_other_as_one_stream() {
    let files = [CAPTURES[1].0, CAPTURES[2].0].map(|path| CaptureFile { path: shared(path), stream: 0 });
    let (seen, error) = merged(&files);
    assert_eq!((seen.len(), error), (41_249 + 58_325, None));
    assert!(seen.iter().all(|(.., fault, json)| fault.is_none() && json.is_ok()));
    assert!(seen.is_sorted_by_key(|(_, file, line, ..)| (*file, *line)));
    assert!(seen.is_sorted_by_key(|(_, _, _, ns, ..)| Nanos(*ns)));
}
