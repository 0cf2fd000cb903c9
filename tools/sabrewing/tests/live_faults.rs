//! Every fault of the simulated venue, in turn, under a live run.

mod live;
mod support;

use live::books::{assert_books, assert_conserved, assert_quiet_while_stale, assert_repeats, truths};
use live::{Running, SimVenue, Wanted, connections, of_feed, wait_until};
use support::Dir;
use support::journal::Journal;

/// A fault, and what shows that it was met: a counter of the feed stage that rises, or connections that are lost.
const FAULTS: &[(&str, &str)] = &[
    (r#"{"kind":"duplicate","count":60}"#, "frames"),
    (r#"{"kind":"drop","count":400}"#, "breaks"),
    (r#"{"kind":"gap","count":2}"#, "breaks"),
    (r#"{"kind":"reorder","count":60}"#, "frames"),
    (r#"{"kind":"delay","topic":"depth","ms":700,"count":6}"#, "breaks"),
    (r#"{"kind":"delay","ms":300,"count":40}"#, "frames"),
    (r#"{"kind":"stall","ms":1500,"count":3}"#, "frames"),
    (r#"{"kind":"garbage","count":4}"#, "decode_errors"),
    (r#"{"kind":"garbage","raw":true,"count":1}"#, "losses"),
    (r#"{"kind":"oversized","topic":"market","count":1}"#, "losses"),
    (r#"{"kind":"half-close","topic":"depth","count":1}"#, "losses"),
    (r#"{"kind":"reset","topic":"depth","count":2}"#, "losses"),
    (r#"{"kind":"wrong-clock","ms":-3600000,"for_ms":3000}"#, "frames"),
    (r#"{"kind":"wrong-clock","ms":3600000,"for_ms":3000}"#, "frames"),
    (r#"{"kind":"maintenance","ms":500,"for_ms":6000}"#, "losses"),
    (r#"{"kind":"lost-ack","count":1}"#, "frames"),
    (r#"{"kind":"late-fill","ms":100,"count":1}"#, "frames"),
];

#[test]
fn after_every_fault_the_books_are_the_venues_again_and_nothing_was_quoted_meanwhile() {
    let (venue, dir, mut books) = (SimVenue::start(), Dir::new(), Vec::new());
    let mut running = Running::start(&Wanted { placement: "two", ..Wanted::of(&venue) }.write(&dir));
    running.wait_live();
    let seen = |running: &Running, what: &str| match what {
        "losses" => connections(&running.counters(), "losses").iter().sum(),
        counter => of_feed(&running.counters(), counter),
    };
    for (rule, shows) in FAULTS {
        venue.speed(5);
        let before = seen(&running, shows);
        venue.fault(rule);
        wait_until(rule, || seen(&running, shows) > before);
        if !rule.contains("lost-ack") && !rule.contains("late-fill") {
            wait_until(rule, || venue.admin("GET", "state", "")["faults"] == 0);
        }
        venue.clear_faults();
        running.wait_live();
        for _ in 0..2 {
            std::thread::sleep(std::time::Duration::from_millis(100));
            venue.stand_still();
            books.push(truths(&venue));
            venue.speed(5);
        }
    }
    // New connections only: those that stand are ended by the operator.
    venue.fault(r#"{"kind":"expired-certificate"}"#);
    for product in ["spot", "futures"] {
        venue.admin("POST", &format!("disconnect?product={product}"), "");
    }
    wait_until("the certificate is refused", || {
        running.said().iter().any(|line| line.contains("TLS: invalid peer certificate: certificate expired"))
    });
    venue.clear_faults();
    running.wait_live();
    for _ in 0..3 {
        std::thread::sleep(std::time::Duration::from_millis(100));
        venue.stand_still();
        books.push(truths(&venue));
        venue.speed(5);
    }
    let run = running.dir.clone();
    running.end().expect(0, &[]);
    assert_books(&run, &books, books.len() / 3);
    let journal = Journal::open(&run);
    assert!(assert_quiet_while_stale(&journal) >= 6);
    assert!(assert_conserved(&journal, &run).0 > 0);
    assert_repeats(&run);
}

#[test]
fn the_venue_ends_connections_after_a_day_and_they_come_back() {
    let (venue, dir) = (SimVenue::open(false, true), Dir::new());
    let more = [("streams", toml::Value::try_from(["depth"]).unwrap())];
    let mut running = Running::start(&Wanted { more: &more, ..Wanted::of(&venue) }.write(&dir));
    let open = |times: u64| {
        move |now: &engine::counters::Snapshot| {
            connections(now, "open") == [1, 1] && connections(now, "losses").iter().all(|lost| *lost >= times)
        }
    };
    running.wait("both connections are open", open(0));
    venue.leap(24 * 3_600_000);
    running.wait("both were lost and are open again", open(1));
    let said = running.end().expect(0, &[]).stderr;
    assert!(said.contains("the peer closed"), "{said}");
}
