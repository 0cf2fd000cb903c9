//! No key leaves the process but to the venue: not in a line, a record, an error or what `Debug` shows.

use super::gate;
use super::managed::Managed;
use super::support::SimVenue;
use super::trader::{Bob, Given, Key, Trader, accepted, canceled};
use engine::ids::Lane;
use engine::instrument::ContractKind;
use engine::journal::{Journal, Options};
use engine::message::Kind;
use engine::num::{Qty, Side};
use engine::order::Tif;
use gateway::counterparty::Request;
use gateway::venues::binance::session::{Credentials, KeyKind};
use gateway::venues::binance::{BinanceCodec, LogOn, RecvWindow};
use std::fmt::Write;
use std::fs;
use std::path::Path;
use wire::sign::{Ed25519Key, Secret};

/// Both halves of every key that these runs use, and what is inside the PEM.
fn keys() -> Vec<String> {
    let all = [Key::Hmac, Key::Ed25519, Key::BadHmac, Key::BadEd25519, Key::BadSecret];
    let halves = all.iter().flat_map(|key| <[&str; 2]>::from(key.halves()));
    let mut keys: Vec<_> = halves.map(str::to_owned).collect();
    keys.push(gate::ED25519_PEM.lines().nth(1).unwrap().to_owned());
    keys
}

fn assert_clean(what: &str, bytes: &[u8]) {
    for key in keys() {
        let found = bytes.windows(key.len()).any(|window| window == key.as_bytes());
        assert!(!found, "a key is in {what}: {}", String::from_utf8_lossy(&bytes[..bytes.len().min(2_000)]));
    }
}

fn read_all(dir: &Path, all: &mut Vec<u8>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read_all(&path, all);
        } else {
            all.extend(fs::read(path).unwrap());
        }
    }
}

/// All that a session shows of itself.
fn shown(trader: &mut Trader, out: &mut String) {
    write!(
        out,
        "{:?}{:?}{:?}{:?}{:?}",
        trader.heard,
        trader.lines,
        trader.session.counts(),
        trader.session.stopped(),
        trader.offset
    )
    .unwrap();
    for line in &trader.lines {
        writeln!(out, "{line}{}", line.message()).unwrap();
    }
    write!(out, "{:?}", trader.session.usage().collect::<Vec<_>>()).unwrap();
}

#[test]
fn no_line_answer_count_or_error_of_any_run_has_a_key_in_it() {
    let mut out = String::new();
    for kind in [ContractKind::Spot, ContractKind::Linear] {
        for key in [Key::Hmac, Key::Ed25519] {
            let venue = SimVenue::start();
            let mut trader = Trader::connect(&venue, kind, key);
            let (price, qty) = if kind == ContractKind::Spot { (5_000_000, 1_000) } else { (500_000, 10) };
            let order = Trader::order(1, Side::Buy, Tif::PostOnly, price, qty);
            trader.place(&order);
            trader.hears(1, accepted);
            for rule in [
                r#"{"kind":"garbage","topic":"answer","count":1}"#,
                r#"{"kind":"wrong-clock","ms":9000,"for_ms":200}"#,
                r#"{"kind":"lost-ack","count":1}"#,
                r#"{"kind":"oversized","topic":"answer","bytes":2000000,"count":1}"#,
                r#"{"kind":"no-api","for_ms":300}"#,
            ] {
                venue.fault(rule);
                trader.try_ask(Request::Query(&order), 1);
                trader.try_place(&Trader::order(2, Side::Buy, Tif::PostOnly, price, i64::MAX / 2));
                let until = super::trader::wall().plus(engine::time::Nanos::from_ms(400));
                trader.until("a while", |_| super::trader::wall() >= until);
                venue.clear_faults();
                trader.until("the return", |trader| trader.session.is_live());
            }
            trader.until("a cancel", |trader| trader.try_ask(Request::Cancel(&order), 1));
            trader.hears(1, |event| canceled(event) || event_is_refusal(event));
            venue.admin("POST", &format!("revoke?key={}", key.halves().0), "");
            trader.try_ask(Request::Cancel(&order), 1);
            trader.until("the stop", |trader| trader.session.stopped().is_some());
            shown(&mut trader, &mut out);
        }
        for key in [Key::BadHmac, Key::BadEd25519, Key::BadSecret] {
            let venue = SimVenue::start();
            let mut trader = Trader::begin(&venue, &Given::new(kind, key));
            trader.until("the stop", |trader| trader.session.stopped().is_some());
            shown(&mut trader, &mut out);
        }
    }
    assert!(out.contains("-2015") && out.contains("-1022"), "the runs said nothing: {out}");
    assert_clean("what sessions said", out.as_bytes());
}

const fn event_is_refusal(event: &gateway::counterparty::AnswerEvent) -> bool {
    matches!(event, gateway::counterparty::AnswerEvent::CancelRefused)
}

#[test]
fn what_is_made_of_a_key_shows_nothing_of_it_and_neither_do_its_errors() {
    let mut out = String::new();
    let window = RecvWindow::from_ms(5_000).unwrap();
    for key in [Key::Hmac, Key::Ed25519, Key::BadSecret] {
        let (api_key, secret) = key.halves();
        for kind in [KeyKind::Hmac, KeyKind::Ed25519] {
            let credentials =
                Credentials { api_key: api_key.into(), secret: Secret::new(secret.into()), kind };
            write!(out, "{credentials:?}").unwrap();
            match credentials.authentication() {
                Ok(authentication) => {
                    write!(out, "{authentication:?}").unwrap();
                    let codec = BinanceCodec::new(&gate::instruments(), authentication, window);
                    write!(out, "{codec:?}").unwrap();
                }
                Err(error) => write!(out, "{error:?} {error}").unwrap(),
            }
        }
    }
    let pair = Ed25519Key::from_pkcs8(&Secret::new(gate::ED25519_PEM.into())).unwrap();
    write!(out, "{:?}", LogOn::new("a b".into(), pair, window)).unwrap();
    assert_clean("what is made of keys", out.as_bytes());
}

#[test]
fn the_journal_of_a_run_through_faults_has_no_key_in_it() {
    let venue = SimVenue::start();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("j");
    let sizes = Options { feed_segment_bytes: 1 << 16, segment_bytes: 1 << 20, ..Options::new(1, [0; 32]) };
    let mut journal = Journal::create(&path, sizes).unwrap();
    let trader = Trader::begin(&venue, &Given::new(ContractKind::Linear, Key::Hmac));
    let writer = journal.writer(Lane::Gateway).unwrap();
    let mut run = Managed::over_journal(trader.session, vec![trader.instrument], 1, writer);
    run.target((500_000, 10), (510_000, 10));
    run.until("both quotes", |_| venue.open("futures").len() == 2);
    Bob(&venue).trades(Side::Sell, "50000.0", "0.004");
    venue.fault(r#"{"kind":"lost-ack","count":1}"#);
    run.target((500_100, 10), (510_000, 10));
    run.until("the fill", |run| run.position() == Qty(4));
    venue.admin("POST", "disconnect?product=futures", "");
    run.agrees(&venue);
    let head = run.head(Kind::Timer);
    assert!(run.manager.cancel_all(&head));
    // What cannot be reconciled stops, and says why.
    let shown = format!("{:?} {:?}", run.manager.report().orders, run.control.detail());
    drop(run);
    let mut next = Managed::start(&venue, 2);
    next.target((500_000, 10), (510_000, 10));
    next.until("the stop", |next| next.control.stopped().is_some());
    let why = format!("{shown} {:?} {:?}", next.control.stopped(), next.control.detail());
    drop(next);
    journal.close().unwrap();
    let mut bytes = Vec::new();
    read_all(dir.path(), &mut bytes);
    assert!(bytes.len() > 1_000, "the journal is empty");
    assert_clean("the journal", &bytes);
    assert_clean("a report", why.as_bytes());
}
