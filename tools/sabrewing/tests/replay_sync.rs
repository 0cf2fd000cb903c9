//! What `replay` counts when depth messages are missing, repeated, swapped or late, by each of Binance's rules.

mod support;

use engine::ids::Lane;
use engine::journal::schema::{RecordKind, StreamBreak};
use std::collections::BTreeMap;
use support::journal::Journal;
use support::market::Step::{D, S};
use support::market::{Product, Step, capture};
use support::{COINM, Dir, Ran, SPOT, USDM, lines_of, replay};

const KEYS: [&str; 6] =
    ["book_updates", "gaps", "resyncs", "dropped_unsynced", "duplicates", "snapshots_ignored"];

fn counts(product: Product, steps: &[Step<'_>]) -> [u64; 6] {
    let dir = Dir::new();
    let ran = replay([&dir.file("capture", capture(product, steps)), "--json"]).expect(0, &[]);
    assert_eq!(ran.counts(["decode_errors", "clock_steps"]), [0, 0], "{ran:?}");
    assert_eq!(ran.json()["venue"], product.full_name().split(':').next().unwrap());
    ran.counts(KEYS)
}

/// Runs the same messages through all three products.
fn all(steps: &[Step<'_>], expected: [u64; 6]) {
    for product in Product::ALL {
        assert_eq!(counts(product, steps), expected, "{product:?} {steps:?}");
    }
}

#[test]
fn kept_updates_older_than_the_snapshot_are_dropped_and_the_rest_follows_it() {
    all(&[D(1), D(2), D(3), S(15), D(4), D(5)], [4, 0, 0, 1, 0, 0]);
}

#[test]
fn a_missing_update_is_one_gap_and_everything_after_it_is_dropped() {
    all(&[S(5), D(1), D(2), D(4), D(5)], [2, 1, 0, 2, 0, 0]);
}

#[test]
fn a_snapshot_after_a_gap_brings_the_book_back_with_what_was_kept() {
    all(&[S(5), D(1), D(2), D(4), D(5), S(45), D(6)], [4, 1, 1, 1, 0, 0]);
    all(&[S(5), D(1), D(3), S(25), D(4), D(6), S(55)], [4, 2, 2, 0, 0, 0]);
    // Not back before an update follows the snapshot.
    all(&[S(5), D(1), D(3), S(75)], [1, 1, 0, 1, 0, 0]);
}

#[test]
fn repeated_updates_are_duplicates_and_no_gaps() {
    all(&[S(5), D(1), D(2), D(2), D(1), D(3)], [3, 0, 0, 0, 2, 0]);
}

#[test]
fn two_swapped_updates_are_one_gap() {
    all(&[S(5), D(1), D(3), D(2), D(4)], [1, 1, 0, 3, 0, 0]);
}

#[test]
fn without_a_snapshot_every_update_is_dropped_and_nothing_is_a_gap() {
    all(&[D(1), D(2), D(3), D(4)], [0, 0, 0, 4, 0, 0]);
}

#[test]
fn a_snapshot_newer_than_every_update_gives_no_book() {
    all(&[D(1), D(2), S(105), D(3)], [0, 0, 0, 3, 0, 0]);
    all(&[D(1), D(2), S(105), D(3), D(11), D(12)], [2, 0, 0, 3, 0, 0]);
}

#[test]
fn a_second_snapshot_replaces_the_book_unless_it_is_older() {
    all(&[S(5), D(1), D(2), S(25), D(3), D(4)], [4, 0, 0, 0, 0, 0]);
    all(&[S(5), D(1), D(2), S(20), D(3)], [3, 0, 0, 0, 0, 0]);
    all(&[S(5), D(1), D(2), S(12), D(3)], [3, 0, 0, 0, 0, 1]);
}

#[test]
fn a_snapshot_older_than_what_was_kept_is_a_gap_until_a_newer_one_comes() {
    all(&[D(3), D(4), S(5)], [0, 1, 0, 2, 0, 0]);
    all(&[D(3), D(4), S(5), S(25), D(5)], [3, 1, 1, 0, 0, 0]);
}

#[test]
fn an_update_that_ends_at_the_snapshot_is_the_first_on_futures_and_obsolete_on_spot() {
    for (product, with_it, without) in [
        (Product::Spot, [1, 0, 0, 1, 0, 0], [1, 0, 0, 0, 0, 0]),
        (Product::UsdM, [2, 0, 0, 0, 0, 0], [0, 1, 0, 1, 0, 0]),
        (Product::CoinM, [2, 0, 0, 0, 0, 0], [0, 1, 0, 1, 0, 0]),
    ] {
        assert_eq!(counts(product, &[D(1), S(10), D(2)]), with_it, "{product:?}");
        // Futures need an update that spans the snapshot's id; spot may begin right behind it.
        assert_eq!(counts(product, &[S(10), D(2)]), without, "{product:?}");
    }
}

#[test]
fn futures_chain_by_the_previous_id_and_spot_by_the_first() {
    // Ids that spot must not skip: futures updates name the one before.
    let skips: [Step<'_>; 3] = [S(5), D(1), Step::Levels((15, 20, 10), &[], &[])];
    assert_eq!(counts(Product::Spot, &skips), [1, 1, 0, 1, 0, 0]);
    assert_eq!(counts(Product::UsdM, &skips), [2, 0, 0, 0, 0, 0]);
    assert_eq!(counts(Product::CoinM, &skips), [2, 0, 0, 0, 0, 0]);
    // The first id fits, but another update lies between.
    let hidden: [Step<'_>; 3] = [S(5), D(1), Step::Levels((11, 20, 9), &[], &[])];
    assert_eq!(counts(Product::Spot, &hidden), [2, 0, 0, 0, 0, 0]);
    assert_eq!(counts(Product::UsdM, &hidden), [1, 1, 0, 1, 0, 0]);
}

/// A capture, which lines of it are depth messages, and which of those are applied.
struct Recorded {
    lines: Vec<String>,
    depth: Vec<usize>,
    first_applied: usize,
}

fn recorded(name: &str, first_applied_line: usize) -> Recorded {
    let lines = lines_of(name);
    let is_depth = |(index, line): (usize, &String)| line.contains("\"depthUpdate\"").then_some(index);
    let depth: Vec<usize> = lines.iter().enumerate().filter_map(is_depth).collect();
    let first_applied = depth.iter().position(|index| *index == first_applied_line - 1).unwrap();
    Recorded { lines, depth, first_applied }
}

impl Recorded {
    /// Replays the capture without its `n`-th applied depth line.
    fn without(&self, n: usize, dir: &Dir, args: &[&str]) -> Ran {
        let gone = self.depth[self.first_applied + n];
        let kept = self.lines.iter().enumerate().filter(|(index, _)| *index != gone).map(|(_, line)| line);
        let capture = dir.lines(&format!("without-{n}"), kept);
        replay([&capture, "--json"].into_iter().chain(args.iter().copied())).expect(0, &[])
    }
}

#[test]
fn any_applied_line_deleted_from_a_capture_is_a_gap_at_the_next_one() {
    for (name, first_applied_line) in [(SPOT, 6), (USDM, 42), (COINM, 35)] {
        let recorded = recorded(name, first_applied_line);
        let before = recorded.first_applied as u64;
        let applied = recorded.depth.len() as u64 - before;
        let dir = Dir::new();
        for n in [0, 1, applied / 2, applied - 2] {
            let ran = recorded.without(usize::try_from(n).unwrap(), &dir, &[]);
            let dropped = before + applied - n - 1;
            assert_eq!(ran.counts(KEYS), [n, 1, 0, dropped, 0, 0], "{name} without applied line {n}");
        }
        // After the last one nothing can show that it is missing.
        let ran = recorded.without(usize::try_from(applied - 1).unwrap(), &dir, &[]);
        assert_eq!(ran.counts(KEYS), [applied - 1, 0, 0, before, 0, 0], "{name} without its last line");
    }
}

#[test]
fn the_journal_says_at_which_line_and_id_a_stream_broke() {
    let recorded = recorded(USDM, 42);
    let dir = Dir::new();
    let run = dir.at("run");
    recorded.without(1000, &dir, &["--journal", &run]);
    let journal = Journal::open(&run);
    let breaks: Vec<_> = journal.of_kind(Lane::Feed, RecordKind::StreamStale).collect();
    assert_eq!(breaks.len(), 1);
    // One line is missing in front of it: its index is its number now.
    let next = recorded.depth[recorded.first_applied + 1001];
    assert_eq!(Journal::line(journal.at(breaks[0].cause)) as usize, next);
    let id = |index: usize, key: &str| -> u64 {
        let line = &recorded.lines[index];
        let message: serde_json::Value = serde_json::from_str(line.split_once(' ').unwrap().1).unwrap();
        message["data"][key].as_u64().unwrap()
    };
    let held = id(recorded.depth[recorded.first_applied + 999], "u");
    let expected = StreamBreak { expected: held, first_id: id(next, "U"), last_id: id(next, "u") };
    assert_eq!(breaks[0].body::<StreamBreak>(), expected);
}

#[test]
fn a_capture_read_twice_comes_back_with_its_second_snapshot_ignored() {
    // The second copy is older throughout: its updates are duplicates, its snapshot is ignored.
    let lines = lines_of(SPOT);
    let dir = Dir::new();
    let twice = dir.lines("twice", lines.iter().chain(&lines));
    let ran = replay([&twice, "--json"]).expect(0, &[]);
    assert_eq!(ran.counts(KEYS), [3449, 0, 0, 2, 3451, 1]);
    assert_eq!(ran.counts(["clock_steps"]), [lines.len() as u64 - 1], "all but its last step back");
}

#[test]
fn repeated_and_swapped_lines_of_a_capture_are_counted_as_what_they_are() {
    let recorded = recorded(USDM, 42);
    let depth: BTreeMap<usize, usize> = recorded.depth.iter().copied().zip(0..).collect();
    let dir = Dir::new();
    let repeated = recorded.lines.iter().enumerate().flat_map(|(index, line)| {
        let is_chosen = depth.get(&index).is_some_and(|n| *n > 100 && n % 500 == 0);
        std::iter::repeat_n(line, if is_chosen { 2 } else { 1 })
    });
    let ran = replay([&dir.lines("repeated", repeated), "--json"]).expect(0, &[]);
    assert_eq!(ran.counts(KEYS), [6547, 0, 0, 4, 13, 0]);
    let mut swapped = recorded.lines.clone();
    swapped.swap(recorded.depth[3000], recorded.depth[3001]);
    let ran = replay([&dir.lines("swapped", &swapped), "--json"]).expect(0, &[]);
    assert_eq!(ran.counts(KEYS), [2996, 1, 0, 3555, 0, 0]);
}
