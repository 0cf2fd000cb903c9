//! Why an order was sent: what strategies saw, rebuilt from a run's frames, is what they saw in the run.
#![allow(clippy::cast_possible_truncation, reason = "figures of a capture lie far below the limits")]

mod support;

use engine::ids::{InstrumentId, Lane};
use engine::journal::schema::{FrameHead, RecordKind, Touch};
use engine::message::{BookChanged, book_state};
use sabrewing::seen::{Seen, seen};
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::process::Command;
use std::sync::LazyLock;
use support::journal::{Journal, Record};
use support::{Dir, Ran, USDM, lines_of, replay, text_of};

/// Lines of the capture: enough for fills, and for orders that they lead to.
const LINES: usize = 12_000;

struct Run {
    dir: Dir,
    journal: Journal,
    /// The signals after every line, by its number, as columns by name.
    rows: HashMap<u32, HashMap<String, String>>,
}

impl Run {
    fn new(placement: &str) -> Self {
        let dir = Dir::new();
        let capture = dir.lines("start.gz", &lines_of(USDM)[..LINES]);
        let (run, rows) = (dir.at("run"), dir.at("rows.csv"));
        let signals = ["--signals", &rows, "--signals-every-line", "1"];
        let args = [&capture, "--json", "--placement", placement, "--journal", &run];
        replay([&args[..], &signals[..]].concat()).expect(0, &[]);
        let text = text_of(Path::new(&rows));
        let mut lines = text.lines();
        let columns: Vec<&str> = lines.next().unwrap().split(',').collect();
        let row = |line: &str| -> (u32, HashMap<String, String>) {
            let cells = columns.iter().zip(line.split(','));
            let cells: HashMap<_, _> =
                cells.map(|(name, cell)| ((*name).to_owned(), cell.to_owned())).collect();
            (cells["line"].parse().unwrap(), cells)
        };
        Self { journal: Journal::open(&run), rows: lines.map(row).collect(), dir }
    }

    fn path(&self) -> String {
        self.dir.at("run")
    }

    fn targets(&self) -> BTreeMap<u64, &Record> {
        let targets = self.journal.of_kind(Lane::Strategy, RecordKind::Target);
        targets.map(|target| (target.seq, target)).collect()
    }

    /// What was seen at all targets.
    fn seen(&self) -> BTreeMap<u64, Seen> {
        let all: Vec<u64> = self.targets().keys().copied().collect();
        let seen = seen(Path::new(&self.path()), &all, |_| ()).unwrap();
        let missing: Vec<_> = all.iter().filter(|target| !seen.contains_key(target)).collect();
        assert!(missing.is_empty(), "{missing:?} of {} targets", all.len());
        seen
    }
}

static ONE: LazyLock<Run> = LazyLock::new(|| Run::new("one"));

/// The gateway sees the market before each target as the strategy saw it, and journals the touch behind the target's
/// orders: in every placement, whatever the target was an answer to.
fn assert_touches(run: &Run) -> [usize; 2] {
    let (targets, seen) = (run.targets(), run.seen());
    let (mut compared, mut touches) = ([0; 2], HashMap::<InstrumentId, Touch>::new());
    let gateway = run.journal.lane(Lane::Gateway);
    for (index, record) in gateway.iter().enumerate() {
        if record.kind == RecordKind::Touch {
            touches.insert(record.instrument, record.body());
        }
        if !matches!(record.kind, RecordKind::Order | RecordKind::Amend) {
            continue;
        }
        let Some(target) =
            targets.get(&record.cause.seq()).filter(|_| record.cause.lane() == Some(Lane::Strategy))
        else {
            continue;
        };
        // One that waited for another's answer left at that one's time, on a later market.
        if record.recv_ns != target.recv_ns {
            continue;
        }
        let told = gateway[index..].iter().find(|later| later.kind == RecordKind::Touch);
        let told = told.filter(|touch| (touch.recv_ns, touch.cause) == (record.recv_ns, record.cause));
        let touch: Touch = told.map_or_else(|| touches[&record.instrument], Record::body);
        let BookChanged { bid, ask, state, .. } = seen[&target.seq].touch;
        assert_eq!(
            (bid.price, ask.price, state),
            (touch.bid, touch.ask, touch.state),
            "order {}:{} of target {}",
            record.seq,
            record.recv_ns,
            target.seq
        );
        compared[usize::from(target.cause.lane() != Some(Lane::Feed))] += 1;
    }
    compared
}

#[test]
fn the_touch_before_each_order_is_the_one_that_the_gateway_had() {
    let [inputs, executions] = assert_touches(&ONE);
    assert!(inputs > 50 && executions > 20, "{inputs} by inputs, {executions} by executions");
}

#[test]
fn over_five_threads_it_is_too() {
    // How many of them executions lead to is another every time.
    let [inputs, executions] = assert_touches(&Run::new("five"));
    assert!(inputs + executions > 50, "{inputs} by inputs, {executions} by executions");
}

#[test]
fn levels_and_features_are_those_of_the_signals_after_the_frame() {
    let frames: HashMap<_, u32> = ONE
        .journal
        .of_kind(Lane::Feed, RecordKind::Frame)
        .map(|frame| (frame.seq, frame.body::<FrameHead>().line))
        .collect();
    let mut compared = 0;
    let seen = ONE.seen();
    for (seq, target) in ONE.targets() {
        let Some(line) = frames.get(&target.cause.seq()).filter(|_| target.cause.lane() == Some(Lane::Feed))
        else {
            continue;
        };
        // Before the book is there, there is no row.
        let (seen, Some(row)) = (&seen[&seq], ONE.rows.get(line)) else { continue };
        assert!(seen.is_whole && seen.touch.state & book_state::EMPTY == 0);
        let [bids, asks] = &seen.levels;
        assert_eq!((bids.len(), asks.len()), (10, 10));
        for (levels, side) in [(bids, "bid"), (asks, "ask")] {
            let (price, qty) = (levels[0].price.0 * 10, levels[0].qty.0);
            let wanted =
                |column: &str, scale: f64| (row[column].parse::<f64>().unwrap() * scale).round() as i64;
            assert_eq!(
                (price, qty),
                (wanted(&format!("{side}_px"), 100.0), wanted(&format!("{side}_qty"), 1000.0))
            );
        }
        let [feature] = seen.features[..] else { panic!("{:?}", seen.features) };
        let BookChanged { bid, ask, .. } = seen.touch;
        let [bid_price, ask_price] = [bid, ask].map(|level| level.price.0 as f64 / 10.0);
        let [bid_qty, ask_qty] = [bid, ask].map(|level| level.qty.0 as f64);
        let wanted = (bid_price * ask_qty + ask_price * bid_qty) / (bid_qty + ask_qty);
        assert_eq!(feature.name, "touch_micro_price");
        assert!((feature.value.unwrap() / wanted - 1.0).abs() < 1e-12, "{feature:?} and {wanted}");
        compared += 1;
    }
    assert!(compared > 100, "{compared}");
}

/// `journal`, built as this test was.
fn journal(args: &[&str]) -> Ran {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let mut command = Command::new(cargo);
    command.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../.."));
    command.args(["run", "--quiet", "--offline", "-p", "journal", "--"]).args(args).output().unwrap().into()
}

#[test]
fn the_story_of_an_order_goes_from_the_frame_over_book_and_features_to_its_answers() {
    let targets = ONE.targets();
    let order = ONE.journal.of_kind(Lane::Gateway, RecordKind::Order).find(|order| {
        let target = targets.get(&order.cause.seq());
        target.is_some_and(|target| target.cause.lane() == Some(Lane::Feed))
    });
    let order = order.unwrap();
    let number = order.body::<engine::journal::schema::OrderBody>().order_seq.to_string();
    let run = ONE.path();
    let told = journal(&["explain", &number, "--in", &run, "--levels", "3"]).expect(0, &[]);
    let text = &told.stdout;
    let places: Vec<usize> = ["  frame ", "  book ", "  features ", "  target ", "  approved ", "  answer "]
        .iter()
        .map(|label| text.find(label).unwrap_or_else(|| panic!("no{label}in {text}")))
        .collect();
    assert!(places.is_sorted(), "{places:?} in {text}");
    assert!(text.contains("valid, spread 0.10, mid ") && text.contains("touch_micro_price "), "{text}");

    let told = journal(&["explain", &number, "--in", &run, "--json"]).expect(0, &[]);
    let objects: Vec<Value> = told.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let target = objects.iter().find(|object| object["kind"] == "target").unwrap();
    let seen = &ONE.seen()[&order.cause.seq()];
    assert_eq!(target["book"]["bids"].as_array().unwrap().len(), 5);
    let best = seen.levels[0][0];
    assert_eq!(target["book"]["bids"][0]["price"], format!("{}.{}0", best.price.0 / 10, best.price.0 % 10));
    assert_eq!(target["features"]["touch_micro_price"].as_f64(), seen.features[0].value);
}

#[test]
fn what_the_journal_lacks_is_said_and_the_rest_is_told() {
    // A slice that begins in the middle: the book is there from the first snapshot on, and there is none.
    let dir = Dir::new();
    let count = ONE.journal.of_kind(Lane::Gateway, RecordKind::Order).count();
    let middle = ONE.journal.of_kind(Lane::Gateway, RecordKind::Order).nth(count / 2).unwrap();
    let from = engine::time::Nanos(middle.recv_ns - 1_000_000_000).to_string();
    let slice = dir.at("slice");
    journal(&["slice", &ONE.path(), "--from", &from, "--out", &slice]).expect(0, &[]);
    let number = middle.body::<engine::journal::schema::OrderBody>().order_seq.to_string();
    let told = journal(&["explain", &number, "--in", &slice]).expect(0, &[]);
    for words in ["no snapshot", "from the frames that are left", "touch_micro_price without a value"] {
        assert!(told.stdout.contains(words), "{words}: {}", told.stdout);
    }
}
