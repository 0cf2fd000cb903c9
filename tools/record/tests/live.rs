//! `record` on the simulated venue, over TLS: what it writes down replays to the venue's own books, whatever happened to
//! its connections meanwhile, and what a killed one leaves is whole lines.

#[path = "../../venue-sim/tests/support/mod.rs"]
mod venue;
#[path = "../../sabrewing/tests/live/wires.rs"]
mod wires;

use engine::book::{Book, BookConfig, BookSide};
use engine::book_stage::{BookStage, BookTap};
use engine::ids::{InstrumentId, Lane};
use engine::instrument::{Instrument, InstrumentTable};
use engine::journal::Writer;
use engine::message::{Depth, Head};
use engine::num::{Level, Price, Qty};
use engine::runner::{Control, Source, Step};
use engine::stage::{Node, Nowhere};
use engine::stage_log::StageLog;
use engine::time::{Nanos, StampClock};
use feeds::capture::{CaptureFile, CaptureSource, MergedCaptures};
use feeds::detect::detect;
use feeds::instruments::parse;
use feeds::stage::{Connection, FeedConfig, FeedReport, FeedStage};
use feeds::venues::AnyCodec;
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use venue::{SimVenue, Terms, wait_until};
use venue_sim::exchange::Product;
use venue_sim::flow::capture::{self, Message};
use wires::Wires;

/// A venue of futures with a crowd.
fn venue_of(futures: &[&str]) -> SimVenue {
    let opened = Nanos::from_ms(1_700_000_000_000);
    SimVenue::listing(Terms { seed: 5, opened, crowd: true, tls: true, limits: false }, futures)
}

/// `record` on its way; ended with the test at the latest.
struct Recording(Child);

impl Drop for Recording {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Recording {
    fn start(venue: &SimVenue, stream_port: u16, dir: &Path, more: &[&str]) -> Self {
        Self::of("BTCUSDT", venue, stream_port, dir, more)
    }

    fn of(symbols: &str, venue: &SimVenue, stream_port: u16, dir: &Path, more: &[&str]) -> Self {
        let root = dir.join("root.pem");
        std::fs::write(&root, &venue.root_pem).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_record"))
            .args(["--venue", "binance-usdm", "--symbols", symbols, "--json", "--out"])
            .arg(dir.join("data"))
            .arg("--root-certificate")
            .arg(root)
            .args(["--rest", &format!("https://localhost:{}", venue.clients.port())])
            .args(["--stream", &format!("wss://localhost:{stream_port}")])
            .args(more)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        Self(child)
    }

    fn signal(&self, signal: i32) {
        let pid = i32::try_from(self.0.id()).unwrap();
        // SAFETY: a plain system call about a child that was not waited for yet.
        assert_eq!(unsafe { libc::kill(pid, signal) }, 0);
    }

    /// Ctrl-C, and the summary.
    fn end(self) -> Value {
        self.end_saying().0
    }

    /// Ctrl-C, the summary, and what was said meanwhile.
    fn end_saying(mut self) -> (Value, String) {
        self.signal(libc::SIGINT);
        let (mut said, mut errors) = (String::new(), String::new());
        self.0.stdout.take().unwrap().read_to_string(&mut said).unwrap();
        self.0.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
        assert!(self.0.wait().unwrap().success(), "{errors}");
        let summary = serde_json::from_str(&said);
        (summary.unwrap_or_else(|error| panic!("{error}: {said} {errors}")), errors)
    }
}

/// Captures of the recording, by name.
fn files(dir: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(dir.join("data")) else { return Vec::new() };
    let paths = entries.map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> = paths.filter(|path| path.to_str().unwrap().contains(".gz")).collect();
    files.sort();
    files
}

/// What can be inflated of a file: one that is being written, or that was cut off, ends somewhere.
fn text_of(path: &Path) -> String {
    let mut text = Vec::new();
    let bytes = std::fs::read(path).unwrap_or_default();
    // Ends with an error where the file does.
    let _ = flate2::read::GzDecoder::new(&bytes[..]).read_to_end(&mut text);
    String::from_utf8(text).unwrap()
}

/// Waits until so many lines are on the disk.
fn wait_lines(dir: &Path, count: usize) {
    let lines = || files(dir).iter().map(|path| text_of(path).lines().count()).sum::<usize>();
    wait_until("lines are written", || lines() >= count);
}

/// The book after each update, by the update's id.
type Tops = BTreeMap<u64, [Vec<Level>; 2]>;

/// Levels of a side that are compared.
const LEVELS: usize = 100;

struct Tap(Arc<Mutex<Tops>>);

impl BookTap for Tap {
    fn applied(&mut self, _: &Head, depth: &Depth, book: &Book) {
        let tops = BookSide::BOTH.map(|side| {
            let mut top = vec![Level::default(); LEVELS];
            let count = book.top(side, &mut top);
            top.truncate(count);
            top
        });
        self.0.lock().unwrap().insert(depth.last_id, tops);
    }
    fn replacing(&mut self, _: InstrumentId, _: &Book) {}
    fn ended(&mut self, _: InstrumentId, _: &Book) {}
}

fn instrument() -> Instrument {
    venue_sim::markets::listing(Product::Futures, "BTCUSDT").unwrap().instrument
}

/// Replays files of one stream through feed and book, as `sabrewing replay` does.
fn replayed(paths: &[PathBuf], of: Instrument) -> (Tops, FeedReport) {
    let mut table = InstrumentTable::default();
    table.add(of);
    let first = table.iter().next().unwrap();
    let captures: Vec<_> = paths.iter().map(|path| CaptureFile { path: path.clone(), stream: 0 }).collect();
    let (failed, failures) = sync_channel(1);
    let source = CaptureSource::new(MergedCaptures::open(&captures).unwrap(), failed);
    let connection = |_: &PathBuf| Connection {
        codec: AnyCodec::new("binance-usdm", &[(first.id, first)]).unwrap(),
        venue: first.venue_id,
    };
    let config = FeedConfig { timer_ns: Nanos(0), resync_buffer_bytes: 4 << 20, renew_ns: Nanos(0) };
    let log = StageLog::new(Writer::off(Lane::Feed), Arc::new(Control::default()), 0);
    let ((done, report), (book_done, _book_report)) = (sync_channel(1), sync_channel(1));
    let connections = paths.iter().map(connection).collect();
    let mut feed = FeedStage::new(source, connections, &table, config, log, StampClock::off(), done);
    let tops = Arc::new(Mutex::new(Tops::new()));
    let size = BookConfig::new(1 << 15, 1 << 14).unwrap();
    let books = BookStage::new(&table, size, Tap(Arc::clone(&tops)), book_done);
    let mut books = Node::new(books, Nowhere, StampClock::off(), None);
    while feed.step(&mut books) != Step::Ended {}
    drop((feed, books));
    assert!(failures.try_recv().is_err(), "a file could not be read to its end");
    let tops = std::mem::take(&mut *tops.lock().unwrap());
    (tops, report.recv().unwrap())
}

/// Wherever the replayed books stand at an update at which the venue was asked, they are the venue's. Returns how many
/// were met.
fn assert_books(tops: &Tops, truths: &[Value]) -> usize {
    let instrument = instrument();
    let level = |row: &Value| Level {
        price: Price::parse(row[0].as_str().unwrap().as_bytes(), instrument.price_rule.tick).unwrap(),
        qty: Qty::parse(row[1].as_str().unwrap().as_bytes(), instrument.qty_unit).unwrap(),
    };
    let mut met = 0;
    for truth in truths {
        let Some(ours) = tops.get(&truth["lastUpdateId"].as_u64().unwrap()) else { continue };
        met += 1;
        for (ours, name) in ours.iter().zip(["bids", "asks"]) {
            let theirs: Vec<Level> = truth[name].as_array().unwrap().iter().take(LEVELS).map(level).collect();
            assert_eq!(*ours, theirs, "{name} at {}", truth["lastUpdateId"]);
        }
    }
    met
}

fn ask(venue: &SimVenue, truths: &mut Vec<Value>, times: usize) {
    for _ in 0..times {
        venue.speed(5);
        std::thread::sleep(Duration::from_millis(60));
        venue.stand_still();
        truths.push(venue.admin("GET", "book?product=futures&symbol=BTCUSDT", ""));
    }
    venue.speed(5);
}

#[test]
fn a_recording_with_lost_connections_replays_to_the_venues_own_books_file_after_file() {
    let (venue, dir, mut truths) = (venue_of(&["BTCUSDT"]), tempfile::tempdir().unwrap(), Vec::new());
    let wires = Wires::to(venue.clients);
    let recording = Recording::start(&venue, wires.port, dir.path(), &["--every", "3s"]);
    wait_lines(dir.path(), 300);
    for index in 0..2 {
        ask(&venue, &mut truths, 4);
        let so_far = wires.count();
        wires.cut(index);
        wait_until("it is opened anew", || wires.count() > so_far);
        // Until there is another file.
        std::thread::sleep(Duration::from_millis(1_500));
    }
    ask(&venue, &mut truths, 4);
    let summary = recording.end();
    let recorded = files(dir.path());
    assert_eq!(summary["files"], recorded.len());
    let is_whole = |path: &PathBuf| path.extension().unwrap() == "gz";
    assert!(recorded.len() >= 2 && recorded.iter().all(is_whole), "{recorded:?}");
    let all: String = recorded.iter().map(|path| text_of(path)).collect();
    assert_eq!(summary["lines"], all.lines().count());
    for what in ["opened", "lost"] {
        let mark = format!("\"what\":\"{what}\"");
        assert!(all.matches(&mark).count() >= 2, "{what}: {}", all.matches(&mark).count());
    }
    let (tops, report) = replayed(&recorded, instrument());
    assert_eq!(report.decode_errors, 0, "{:?}", report.first_errors);
    let met = assert_books(&tops, &truths);
    assert!(met >= truths.len() / 3, "of {} books {met} were met", truths.len());
    // The end may come before the snapshot of a file that has just begun.
    for path in recorded.iter().filter(|path| text_of(path).lines().count() > 200) {
        let (tops, _) = replayed(std::slice::from_ref(path), instrument());
        assert!(!tops.is_empty(), "{}: it cannot be replayed alone", path.display());
        assert_books(&tops, &truths);
    }
}

#[test]
fn a_snapshot_that_did_not_come_is_asked_for_until_the_file_has_it() {
    let (venue, dir) = (venue_of(&["BTCUSDT"]), tempfile::tempdir().unwrap());
    let recording = Recording::start(&venue, venue.clients.port(), dir.path(), &["--every", "5s"]);
    wait_lines(dir.path(), 100);
    let so_far = files(dir.path()).len();
    // The next two answers are no HTTP; the second comes half a second after the first.
    venue.fault(r#"{"kind":"garbage","raw":true,"topic":"answer","count":2}"#);
    wait_until("there are two more files", || files(dir.path()).len() >= so_far + 2);
    let (summary, said) = recording.end_saying();
    assert!(said.contains("snapshot /fapi/v1/depth"), "no request failed: {said}");
    let recorded = files(dir.path());
    let (last, before) = recorded.split_last().unwrap();
    for path in before {
        let (tops, _) = replayed(std::slice::from_ref(path), instrument());
        assert!(!tops.is_empty(), "{}: it cannot be replayed alone", path.display());
    }
    // The one that had just begun may lack its own, which is then said.
    let (tops, _) = replayed(std::slice::from_ref(last), instrument());
    let without: Vec<&str> =
        summary["without_snapshot"].as_array().unwrap().iter().flat_map(Value::as_str).collect();
    let last = last.file_name().unwrap().to_str().unwrap();
    assert!(without.is_empty() || without == [last] && tops.is_empty(), "{without:?}");
    // A market of aggregates has trades too.
    let recorded = capture::read(&before[0]).unwrap();
    assert!(
        recorded.frames.iter().any(|frame| matches!(frame.what, Message::Trade { is_aggregate: true, .. }))
    );
}

#[test]
fn a_recording_of_two_symbols_replays_with_what_lies_beside_it_and_lacks_no_frame() {
    let (venue, dir) = (venue_of(&["BTCUSDT", "ETHUSDT"]), tempfile::tempdir().unwrap());
    let recording = Recording::of("BTCUSDT,ETHUSDT", &venue, venue.clients.port(), dir.path(), &[]);
    wait_lines(dir.path(), 300);
    // A frame that names nobody.
    venue.fault(r#"{"kind":"garbage","topic":"market","count":1}"#);
    let unreadable = |path: &PathBuf| {
        let text = text_of(path);
        let jsons = text.lines().filter_map(|line| line.split_once(' ')).map(|(_, json)| json.to_owned());
        jsons.filter(|json| json.starts_with('}')).collect::<Vec<_>>()
    };
    wait_until("it is written", || files(dir.path()).iter().any(|path| !unreadable(path).is_empty()));
    let summary = recording.end();
    assert_eq!((&summary["files"], &summary["decode_errors"]), (&2.into(), &1.into()), "{summary}");
    assert_eq!(summary["without_snapshot"], Value::Array(Vec::new()), "{summary}");
    let listed = parse(&std::fs::read(dir.path().join("data/instruments.json")).unwrap()).unwrap();
    let mut symbols = Vec::new();
    for path in files(dir.path()) {
        assert_eq!(unreadable(&path).len(), 1, "{}", path.display());
        let found = detect(&path, None).unwrap();
        let is_it = |one: &&Instrument| one.venue == found.venue && one.symbol == found.symbol;
        let of = listed.iter().find(is_it).unwrap_or_else(|| panic!("{found:?} is not listed"));
        let (tops, report) = replayed(&[path], of.clone());
        assert!(!tops.is_empty() && report.decode_errors == 1, "{found:?}: {:?}", report.first_errors);
        symbols.push(found.symbol);
    }
    assert_eq!(symbols, ["BTCUSDT", "ETHUSDT"]);
}

#[test]
fn a_recorder_that_is_killed_leaves_whole_lines_up_to_the_last_second() {
    let (venue, dir) = (venue_of(&["BTCUSDT"]), tempfile::tempdir().unwrap());
    let mut recording = Recording::start(&venue, venue.clients.port(), dir.path(), &[]);
    wait_lines(dir.path(), 500);
    recording.signal(libc::SIGKILL);
    recording.0.wait().unwrap();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let [part] = &files(dir.path())[..] else { panic!("{:?}", files(dir.path())) };
    assert!(part.to_str().unwrap().ends_with(".gz.part"), "{}", part.display());
    let text = text_of(part);
    // The system may have taken a part of a line after the last whole ones.
    let (whole, _) = text.rsplit_once('\n').unwrap();
    for line in whole.lines() {
        let (recv_ns, json) = line.split_once(' ').unwrap();
        assert!(recv_ns.parse::<u64>().is_ok() && serde_json::from_str::<Value>(json).is_ok(), "{line}");
    }
    let last: u64 = whole.lines().last().unwrap().split_once(' ').unwrap().0.parse().unwrap();
    let behind = now.saturating_sub(Duration::from_nanos(last));
    // A second, and what a loaded machine takes.
    assert!(behind < Duration::from_secs(10), "{behind:?}");
}

#[test]
fn a_directory_that_cannot_be_made_and_a_venue_that_is_not_trusted_are_refused_in_one_line() {
    let (venue, dir) = (venue_of(&["BTCUSDT"]), tempfile::tempdir().unwrap());
    let refused = |words: &[&str]| {
        let mut recording = Recording::start(&venue, venue.clients.port(), dir.path(), &[]);
        let stderr = BufReader::new(recording.0.stderr.take().unwrap());
        let said: Vec<String> = stderr.lines().map_while(Result::ok).collect();
        assert_eq!(recording.0.wait().unwrap().code(), Some(1), "{said:?}");
        assert!(said.len() == 1 && words.iter().all(|word| said[0].contains(word)), "{said:?}");
    };
    let data = dir.path().join("data");
    std::fs::write(&data, "a file").unwrap();
    refused(&["record: ", "data"]);
    std::fs::remove_file(&data).unwrap();
    venue.fault(r#"{"kind":"expired-certificate"}"#);
    refused(&["certificate expired"]);
}
