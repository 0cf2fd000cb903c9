//! What only a live source tells the feed stage: that time passed, that a connection was opened or lost, that two
//! connections carry the same; and what the stage asks of it: snapshots, a connection opened anew.

mod support;

use engine::book::{Book, BookConfig};
use engine::book_stage::{BookStage, BookTap};
use engine::ids::{ConnectionId, InstrumentId, Lane, VenueId};
use engine::instrument::InstrumentTable;
use engine::journal::Writer;
use engine::message::{BookChanged, Depth, Head, Kind, Message, book_state};
use engine::runner::{Control, Source, Step};
use engine::stage::{Node, Sink};
use engine::stage_log::StageLog;
use engine::time::{Nanos, StampClock};
use feeds::codec::Event;
use feeds::stage::{Connection, FeedConfig, FeedReport, FeedStage, Frame, FrameSource, SourcePoll};
use feeds::venues::AnyCodec;
use feeds::watch::Subscription;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel, sync_channel};
use support::instrument;

const BTC: InstrumentId = InstrumentId(0);
const ETH: InstrumentId = InstrumentId(1);
/// Two that carry both instruments.
const A: ConnectionId = ConnectionId(0);
const B: ConnectionId = ConnectionId(1);
/// The snapshots of each.
const REST: ConnectionId = ConnectionId(2);
const REST_ETH: ConnectionId = ConnectionId(3);

/// What a source says, with the second at which it does.
enum Says {
    Frame(ConnectionId, u64, String),
    Time(u64),
    Opened(ConnectionId, u64),
    Lost(ConnectionId, u64),
}

/// A source that plays a script, and notes what the stage asks of it.
struct Script {
    script: std::vec::IntoIter<Says>,
    held: Option<(ConnectionId, Nanos, String)>,
    asked: Sender<String>,
}

fn at(s: u64) -> Nanos {
    Nanos((1_700_000_000 + s) * Nanos::SECOND.0)
}

impl FrameSource for Script {
    fn poll(&mut self) -> SourcePoll<'_> {
        if self.held.is_none() {
            match self.script.next() {
                None => return SourcePoll::End,
                Some(Says::Time(s)) => return SourcePoll::Time(at(s)),
                Some(Says::Opened(connection, s)) => return SourcePoll::Connection(connection, true, at(s)),
                Some(Says::Lost(connection, s)) => return SourcePoll::Connection(connection, false, at(s)),
                Some(Says::Frame(connection, s, text)) => self.held = Some((connection, at(s), text)),
            }
        }
        let Some((connection, recv_ns, text)) = &self.held else { return SourcePoll::End };
        SourcePoll::Ready(Frame {
            connection: *connection,
            line: 1,
            recv_ns: *recv_ns,
            behind_ns: 0,
            clock_fault: false,
            bytes: Ok(text.as_bytes()),
        })
    }

    fn consume(&mut self) {
        self.held = None;
    }

    fn want_snapshot(&mut self, instrument: InstrumentId) {
        self.asked.send(format!("snapshot {instrument}")).unwrap();
    }

    fn want_renewal(&mut self, instrument: InstrumentId) {
        self.asked.send(format!("renewal {instrument}")).unwrap();
    }

    fn reopen(&mut self, connection: ConnectionId) {
        self.asked.send(format!("reopen {connection}")).unwrap();
    }
}

/// The kinds of messages sent on, and what the book stage says where it is in between.
#[derive(Default)]
struct Sent(Vec<Kind>, Option<Sender<BookChanged>>);

impl Sink for Sent {
    fn send(&mut self, message: Message<'_>) -> bool {
        self.0.extend(message.head.kind());
        if let (Some(books), Some(Kind::BookChanged)) = (&self.1, message.head.kind()) {
            books.send(*message.body_as::<BookChanged>().unwrap()).unwrap();
        }
        true
    }
    fn has_room(&mut self) -> bool {
        true
    }
    fn settle(&mut self) -> u32 {
        0
    }
    fn advance(&mut self, _now: Nanos) -> u32 {
        0
    }
    fn is_settled(&self) -> bool {
        true
    }
    fn halt(&mut self) {}
}

fn delta(connection: ConnectionId, s: u64, prev_id: u64, first_id: u64, last_id: u64) -> Says {
    let text = format!(
        r#"{{"e":"depthUpdate","E":1,"T":1,"s":"BTCUSDT","U":{first_id},"u":{last_id},"pu":{prev_id},"b":[["60000.00","1.000"]],"a":[["60001.00","2.000"]]}}"#
    );
    Says::Frame(connection, s, text)
}

fn snapshot(s: u64, id: u64) -> Says {
    let text = format!(
        r#"{{"lastUpdateId":{id},"E":1,"T":1,"bids":[["60000.00","1.000"]],"asks":[["60001.00","2.000"]]}}"#
    );
    Says::Frame(REST, s, text)
}

fn ticker(connection: ConnectionId, s: u64, id: u64) -> Says {
    ticker_at(connection, s, id, "60000.00")
}

fn ticker_at(connection: ConnectionId, s: u64, id: u64, bid: &str) -> Says {
    let text = format!(
        r#"{{"e":"bookTicker","u":{id},"s":"BTCUSDT","b":"{bid}","B":"1.000","a":"60001.00","A":"2.000","T":1,"E":1}}"#
    );
    Says::Frame(connection, s, text)
}

/// The same frame, of the other instrument.
fn of_eth(says: Says) -> Says {
    match says {
        Says::Frame(REST, s, text) => Says::Frame(REST_ETH, s, text),
        Says::Frame(connection, s, text) => Says::Frame(connection, s, text.replace("BTCUSDT", "ETHUSDT")),
        says => says,
    }
}

fn table() -> InstrumentTable {
    let mut table = InstrumentTable::default();
    table.add(instrument("binance-usdm", "BTCUSDT"));
    table.add(instrument("binance-usdm", "ETHUSDT"));
    table
}

/// Runs the stage over a script: what it sent, what it asked for, what it counted.
fn run(script: Vec<Says>, renew_s: u64) -> (Vec<Kind>, Vec<String>, FeedReport) {
    let mut sent = Sent::default();
    let (asked, report) = run_into(&mut sent, script, renew_s, &[]);
    (sent.0, asked, report)
}

struct NoTap;

impl BookTap for NoTap {
    fn applied(&mut self, _head: &Head, _depth: &Depth, _book: &Book) {}
    fn replacing(&mut self, _instrument: InstrumentId, _book: &Book) {}
    fn ended(&mut self, _instrument: InstrumentId, _book: &Book) {}
}

/// As [`run`], with the book stage behind: what it says of the book at last.
fn run_book(script: Vec<Says>) -> BookChanged {
    let (done, _report) = sync_channel(1);
    let book = BookStage::new(&table(), BookConfig::default(), NoTap, done);
    let (said, books) = channel();
    let mut book = Node::new(book, Sent(Vec::new(), Some(said)), StampClock::off(), None);
    run_into(&mut book, script, 0, &[]);
    books.try_iter().last().unwrap()
}

/// As [`run`]; `renewals`: after how many seconds the books of these instruments are renewed.
fn run_into(
    sent: &mut impl Sink,
    script: Vec<Says>,
    renew_s: u64,
    renewals: &[(InstrumentId, u64)],
) -> (Vec<String>, FeedReport) {
    let table = table();
    let connection = |ids: &[InstrumentId]| {
        let carried: Vec<_> = ids.iter().map(|id| (*id, table.get(*id).unwrap())).collect();
        Connection { codec: AnyCodec::new("binance-usdm", &carried).unwrap(), venue: VenueId(0) }
    };
    let (asked, asks) = channel();
    let source = Script { script: script.into_iter(), held: None, asked };
    let config = FeedConfig {
        timer_ns: Nanos::SECOND,
        resync_buffer_bytes: 1 << 20,
        renew_ns: Nanos(renew_s * Nanos::SECOND.0),
    };
    let log = StageLog::new(Writer::off(Lane::Feed), Arc::new(Control::default()), 0);
    let (done, report): (_, Receiver<FeedReport>) = sync_channel(1);
    let connections =
        vec![connection(&[BTC, ETH]), connection(&[BTC, ETH]), connection(&[BTC]), connection(&[ETH])];
    let watched = |connection, instrument, event, s| Subscription {
        connection,
        instrument,
        event,
        silence_ns: Nanos(s * Nanos::SECOND.0),
    };
    let mut subscriptions = vec![
        watched(A, BTC, Event::Delta, 5),
        watched(A, BTC, Event::Ticker, 0),
        watched(B, BTC, Event::Delta, 5),
        watched(B, BTC, Event::Ticker, 0),
    ];
    let renewal = |(id, s): &(InstrumentId, u64)| watched(REST, *id, Event::Snapshot, *s);
    subscriptions.extend(renewals.iter().map(renewal));
    let mut stage = FeedStage::new(source, connections, &table, config, log, StampClock::off(), done)
        .watching(subscriptions);
    while stage.step(sent) != Step::Ended {}
    drop(stage);
    (asks.iter().collect(), report.recv().unwrap())
}

fn count(sent: &[Kind], kind: Kind) -> usize {
    sent.iter().filter(|sent| **sent == kind).count()
}

#[test]
fn a_book_without_a_snapshot_asks_for_one_until_it_has_it() {
    let script =
        vec![delta(A, 1, 0, 1, 10), delta(A, 1, 10, 11, 20), snapshot(2, 15), delta(A, 3, 20, 21, 30)];
    let (sent, asked, report) = run(script, 0);
    assert_eq!(asked, ["snapshot 0", "snapshot 0"]);
    assert_eq!((count(&sent, Kind::Snapshot), report.sync[0].applied), (1, 2));
}

#[test]
fn time_without_frames_becomes_timers_and_a_thread_held_up_sends_one() {
    let script = vec![delta(A, 1, 0, 1, 10), Says::Time(1), Says::Time(2), Says::Time(2), Says::Time(60)];
    let (sent, _, _) = run(script, 0);
    assert_eq!(count(&sent, Kind::Timer), 2);
}

#[test]
fn a_lost_connection_cuts_the_book_that_no_other_carries() {
    let script = vec![
        delta(A, 1, 0, 1, 10),
        snapshot(1, 5),
        Says::Lost(B, 2),
        Says::Time(2),
        Says::Lost(A, 3),
        Says::Time(3),
        Says::Opened(A, 4),
        delta(A, 4, 30, 31, 40),
        snapshot(5, 35),
    ];
    let (sent, asked, report) = run(script, 0);
    assert_eq!((report.sync[0].cuts, report.sync[0].gaps, report.sync[0].resyncs, report.lost), (1, 0, 1, 2));
    let order: Vec<_> =
        sent.iter().filter(|kind| matches!(kind, Kind::Snapshot | Kind::Stale | Kind::Delta)).collect();
    assert_eq!(order, [&Kind::Snapshot, &Kind::Delta, &Kind::Stale, &Kind::Snapshot, &Kind::Delta]);
    assert_eq!(asked.last().unwrap(), "snapshot 0");
}

#[test]
fn a_silent_stream_is_opened_anew_and_its_partner_carries_on() {
    let mut script = vec![Says::Opened(A, 0), Says::Opened(B, 0), delta(A, 0, 0, 1, 10), snapshot(0, 5)];
    script.extend((1..8).flat_map(|s| [delta(A, s, s * 10, s * 10 + 1, s * 10 + 10), Says::Time(s)]));
    let (sent, asked, report) = run(script, 0);
    assert!(asked.contains(&"reopen 1".to_owned()) && !asked.contains(&"reopen 0".to_owned()), "{asked:?}");
    assert_eq!((report.sync[0].cuts, count(&sent, Kind::Stale)), (0, 0));
    let mut both_silent = vec![Says::Opened(A, 0), Says::Opened(B, 0), delta(A, 0, 0, 1, 10), snapshot(0, 5)];
    both_silent.extend((1..10).map(Says::Time));
    let (sent, asked, report) = run(both_silent, 0);
    assert_eq!(asked[1..], ["reopen 0", "reopen 1"]);
    assert_eq!((report.sync[0].cuts, count(&sent, Kind::Stale)), (1, 1));
}

#[test]
fn of_two_connections_the_first_copy_of_everything_goes_on() {
    let script = vec![
        delta(A, 1, 0, 1, 10),
        delta(B, 1, 0, 1, 10),
        snapshot(1, 5),
        ticker(B, 2, 11),
        ticker(A, 2, 11),
        delta(B, 3, 10, 12, 20),
        delta(A, 3, 10, 12, 20),
        ticker(A, 4, 22),
    ];
    let (sent, _, report) = run(script, 0);
    assert_eq!((count(&sent, Kind::Ticker), report.copies), (2, 1));
    assert_eq!((report.sync[0].applied, report.sync[0].gaps), (2, 0));
}

#[test]
fn a_live_book_is_renewed_when_its_snapshot_has_aged() {
    let mut script = vec![delta(A, 0, 0, 1, 10), snapshot(0, 5)];
    script.extend((1..5).flat_map(|s| [Says::Time(s), delta(A, s, s * 10, s * 10 + 1, s * 10 + 10)]));
    script.push(snapshot(5, 45));
    let (sent, asked, report) = run(script, 2);
    assert_eq!(asked, ["snapshot 0", "renewal 0"], "once without a book, once for an aged one");
    assert_eq!((report.sync[0].renewals, count(&sent, Kind::Snapshot)), (1, 2));
}

#[test]
fn each_instruments_book_is_renewed_after_its_own_time() {
    let mut script = vec![delta(A, 0, 0, 1, 10), snapshot(0, 5)];
    script.extend([delta(A, 0, 0, 1, 10), snapshot(0, 5)].map(of_eth));
    for s in 1..=8 {
        let next = || delta(A, s, s * 10, s * 10 + 1, s * 10 + 10);
        script.extend([Says::Time(s), next(), of_eth(next())]);
    }
    let (asked, _) = run_into(&mut Sent::default(), script, 0, &[(BTC, 2), (ETH, 6)]);
    let renewals: Vec<_> = asked.iter().filter(|asked| asked.starts_with("renewal")).collect();
    assert_eq!(renewals, ["renewal 0", "renewal 0", "renewal 1"]);
}

#[test]
fn a_connection_lost_before_the_first_snapshot_leaves_no_book_that_comes_alive_without_it() {
    let script = vec![
        Says::Opened(A, 0),
        delta(A, 1, 0, 1, 10),
        delta(A, 1, 10, 11, 20),
        Says::Lost(A, 2),
        snapshot(3, 5), // asked for before
    ];
    let (sent, _, report) = run(script, 0);
    assert_eq!((count(&sent, Kind::Delta), count(&sent, Kind::Stale)), (0, 1));
    assert_eq!((report.sync[0].applied, report.sync[0].dropped_unsynced), (0, 2));
    let script = |more: Vec<Says>| {
        let mut script = vec![Says::Opened(A, 0), delta(A, 1, 0, 1, 10), Says::Lost(A, 2), snapshot(3, 5)];
        script.extend(more);
        run_book(script)
    };
    assert_ne!(script(Vec::new()).state & book_state::EMPTY, 0, "a snapshot alone is no market");
    let another = vec![Says::Opened(A, 4), delta(A, 4, 30, 31, 40)];
    assert_ne!(
        script(another).state & book_state::STALE,
        0,
        "nor one that the next stream does not continue"
    );
    let continued = vec![Says::Opened(A, 4), delta(A, 4, 4, 5, 9)];
    assert_eq!(script(continued).state, 0);
}

#[test]
fn a_lost_connection_is_one_loss_however_long_it_stays_away() {
    let mut script = vec![Says::Opened(A, 0), delta(A, 0, 0, 1, 10), snapshot(0, 5), Says::Lost(A, 1)];
    script.extend((1..200).map(Says::Time));
    script.push(Says::Opened(A, 200));
    script.extend((200..204).map(Says::Time));
    let (sent, asked, report) = run(script, 0);
    assert_eq!((report.lost, report.sync[0].cuts, count(&sent, Kind::Stale)), (1, 1, 1));
    assert!(!asked.iter().any(|asked| asked.starts_with("reopen")), "{asked:?}");
}

#[test]
fn a_venue_that_starts_anew_counts_from_the_beginning_and_is_followed() {
    let restart = |second_lost: bool| {
        let mut script = vec![
            Says::Opened(A, 0),
            Says::Opened(B, 0),
            delta(A, 1, 900, 901, 910),
            snapshot(1, 905),
            ticker(A, 1, 920),
            ticker(B, 1, 920),
            Says::Lost(A, 2),
            ticker(B, 2, 920),
        ];
        if second_lost {
            script.push(Says::Lost(B, 2));
        }
        script.extend([
            Says::Opened(A, 3),
            ticker_at(A, 3, 3, "50000.00"),
            delta(A, 3, 0, 1, 10),
            snapshot(3, 5),
            Says::Opened(B, 4),
            ticker_at(B, 4, 3, "50000.00"),
            ticker_at(A, 4, 12, "50001.00"),
        ]);
        script
    };
    let (sent, _, report) = run(restart(true), 0);
    assert_eq!((count(&sent, Kind::Ticker), report.copies, report.sync[0].cuts), (3, 3, 1));
    let (sent, _, report) = run(restart(false), 0);
    assert_eq!((count(&sent, Kind::Ticker), report.copies), (1, 5), "one of two lost lets no old one pass");
    let book = run_book(restart(true));
    assert_eq!((book.bid.price.0, book.update_id, book.state), (500_010, 12, 0));
}

#[test]
fn the_last_ticker_of_a_venue_that_goes_before_the_first_snapshot_is_forgotten_too() {
    let book = run_book(vec![
        Says::Opened(A, 0),
        delta(A, 1, 900, 901, 910),
        ticker(A, 1, 920),
        Says::Lost(A, 2),
        Says::Opened(A, 3),
        delta(A, 3, 0, 1, 10),
        snapshot(3, 5),
    ]);
    assert_eq!((book.from_ticker, book.update_id, book.state), (0, 10, 0));
}
