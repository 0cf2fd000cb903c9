//! Live runs against the simulated venue over TLS: whatever happens to connections, books are the venue's own, nothing
//! is quoted on one that is in doubt, nothing is lost of what was traded, and the journal repeats the run.

mod live;
mod support;

use engine::counters::Snapshot;
use live::books::{assert_books, assert_conserved, assert_quiet_while_stale, assert_repeats, truths};
use live::wires::Wires;
use live::{Running, SimVenue, Wanted, connections, is_live, of_feed, wait_until};
use serde_json::Value;
use support::journal::Journal;
use support::{Dir, replay};

/// The venue's books at some moments, with time for the market to go on between them.
fn ask(venue: &SimVenue, books: &mut Vec<[Value; 2]>, times: usize) {
    for _ in 0..times {
        venue.speed(SPEED);
        std::thread::sleep(std::time::Duration::from_millis(60));
        venue.stand_still();
        books.push(truths(venue));
    }
    venue.speed(SPEED);
}

/// The venue's time runs so many times as fast as ours.
const SPEED: u32 = 5;

fn losses(counters: &Snapshot) -> u64 {
    connections(counters, "losses").iter().sum()
}

/// What every run must come to. Returns the number of breaks of a stream, and of fills.
fn assert_sound(run: &str, books: &[[Value; 2]], met_min: usize) -> (usize, usize) {
    assert_books(run, books, met_min);
    let journal = Journal::open(run);
    let breaks = assert_quiet_while_stale(&journal);
    let (orders, fills) = assert_conserved(&journal, run);
    assert!(orders > 0, "nothing was quoted");
    assert_repeats(run);
    (breaks, fills)
}

/// A configuration that says nothing of connections.
fn shipped(dir: &Dir) -> String {
    dir.file("shipped.toml", include_str!("../configs/replay.toml"))
}

/// What a replay finds of connections and copies is what the run found, whatever it is configured with.
fn assert_same_connections(replayed: &Value, run: &Value) {
    for key in ["lost", "copies", "cuts", "renewals", "gaps", "resyncs", "book_updates", "books"] {
        assert_eq!(replayed[key], run[key], "{key}");
    }
    assert!(run["lost"].as_u64() > Some(2), "{run}");
}

#[test]
fn books_are_the_venues_own_through_minutes_of_market_and_the_loss_of_every_connection_in_turn() {
    let (venue, dir, mut books) = (SimVenue::start(), Dir::new(), Vec::new());
    let wires = Wires::to(venue.clients);
    let config = Wanted { stream_port: wires.port, ..Wanted::of(&venue) }.write(&dir);
    let mut running = Running::start(&config);
    running.wait_live();
    let sockets = wires.count();
    assert_eq!(sockets, 3, "two paths of futures, one of spot");
    ask(&venue, &mut books, 5);
    for index in 0..sockets {
        wires.cut(index);
        running.wait("the loss is noticed", |now| losses(now) > index as u64);
        running.wait_live();
        ask(&venue, &mut books, 3);
    }
    assert_eq!(connections(&running.counters(), "losses"), [1, 1, 1]);
    venue.stand_still();
    for _ in 0..24 {
        let asked = of_feed(&running.counters(), "frames");
        venue.leap(5_000);
        books.push(truths(&venue));
        running.wait("its messages are taken", |now| of_feed(now, "frames") > asked + 64);
    }
    venue.speed(1);
    let run = running.dir.clone();
    let summary = running.end().expect(0, &[]).json();
    let (breaks, _) = assert_sound(&run, &books, books.len() / 3);
    assert_eq!(breaks, 2, "the path of trades and mark prices carries no book");
    let strict = replay([&run, "--strict", "--config", &shipped(&dir), "--json"]).expect(1, &[]).json();
    assert_eq!((&strict["cuts"], &strict["gaps"]), (&2.into(), &0.into()));
    assert_same_connections(&strict, &summary);
}

#[test]
fn a_pair_of_connections_loses_one_after_the_other_without_a_gap() {
    let (venue, dir, mut books) = (SimVenue::start(), Dir::new(), Vec::new());
    let wires = Wires::to(venue.clients);
    let wanted = Wanted { stream_port: wires.port, copies: 2, placement: "five", ..Wanted::of(&venue) };
    let mut running = Running::start(&wanted.write(&dir));
    running.wait_live();
    for index in 0..6 {
        ask(&venue, &mut books, 2);
        wires.cut(index);
        running.wait("the loss is noticed", |now| losses(now) > index as u64);
        running.wait_live();
    }
    ask(&venue, &mut books, 2);
    running.wait("second copies are dropped", |now| of_feed(now, "copies") > 0);
    let run = running.dir.clone();
    let summary = running.end().expect(0, &[]).json();
    assert_eq!((&summary["gaps"], &summary["cuts"]), (&0.into(), &0.into()));
    assert_eq!(assert_sound(&run, &books, books.len() / 3).0, 0, "the other one carried on");
    let other = replay([&run, "--config", &shipped(&dir), "--json"]).expect(0, &[]).json();
    assert_same_connections(&other, &summary);
    assert!(other["copies"].as_u64() > Some(0), "{other}");
}

#[test]
fn connections_are_replaced_before_their_time_is_over_and_no_message_is_missed() {
    let (venue, dir, mut books) = (SimVenue::start(), Dir::new(), Vec::new());
    let more = [("rotate_after_s", toml::Value::Integer(5))];
    let wanted = Wanted { placement: "two", more: &more, ..Wanted::of(&venue) };
    let mut running = Running::start(&wanted.write(&dir));
    running.wait_live();
    let left = |running: &Running| {
        let said = running.said();
        (0..3).all(|id| said.iter().any(|line| line.contains(&format!("connection {id}: link 0 left"))))
    };
    wait_until("every connection has moved", || {
        ask(&venue, &mut books, 1);
        left(&running)
    });
    ask(&venue, &mut books, 3);
    assert_eq!(losses(&running.counters()), 0);
    let run = running.dir.clone();
    let summary = running.end().expect(0, &[]).json();
    assert_eq!(summary["gaps"], 0);
    let (breaks, _) = assert_sound(&run, &books, books.len() / 3);
    assert_eq!(breaks, 0);
}

#[test]
fn snapshots_that_come_late_or_not_at_all_still_lead_to_the_venues_books() {
    let (venue, dir, mut books) = (SimVenue::start(), Dir::new(), Vec::new());
    let mut running = Running::start(&Wanted::of(&venue).write(&dir));
    running.wait_live();
    venue.speed(SPEED);
    for rule in [
        r#"{"kind":"delay","topic":"answer","ms":4000,"for_ms":20000}"#,
        r#"{"kind":"half-close","topic":"answer","count":3}"#,
        r#"{"kind":"garbage","topic":"answer","raw":true,"count":3}"#,
    ] {
        venue.fault(rule);
        for product in ["spot", "futures"] {
            venue.admin("POST", &format!("disconnect?product={product}"), "");
        }
        running.wait("books are left", |now| !is_live(now));
        running.wait_live();
        venue.clear_faults();
        ask(&venue, &mut books, 3);
    }
    let run = running.dir.clone();
    running.end().expect(0, &[]);
    let (breaks, _) = assert_sound(&run, &books, books.len() / 3);
    assert!(breaks >= 6, "{breaks}");
}
