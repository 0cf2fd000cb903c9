//! Real orders of `sabrewing run`, sent to the simulated venue over TLS: afterwards the venue's books are the engine's,
//! every run can be repeated from its journal, and no key is anywhere.
#![cfg(feature = "venue-sim")]

mod live;
mod support;

use engine::ids::Lane;
use engine::journal::schema::{AnsweredBody, RecordKind};
use live::{HMAC_KEY, Running, SimVenue, Wanted, sabrewing};
use serde_json::{Value, json};
use std::path::Path;
use support::journal::Journal;
use support::{Dir, Ran};
use venue_sim::venue::TEST_LOG_ON_KEY;

/// A counter of the gateway, over instruments and strategies.
fn gateway(now: &engine::counters::Snapshot, name: &str) -> u64 {
    let is_it = |entry: &&engine::counters::Entry| entry.owner == "gateway" && entry.name == name;
    now.counters.iter().filter(is_it).map(|entry| entry.value).sum()
}

/// A run that trades until it has so many fills, and is then told to end.
fn trades_until(config: &str, fills: u64) -> (String, Ran) {
    let mut running = Running::start(config);
    running.wait("fills", |now| gateway(now, "fills") >= fills);
    let dir = running.dir.clone();
    (dir, running.end())
}

/// What the venue and the engine say, by what it is.
fn assert_equal_books(summary: &Value) {
    let books = &summary["venue_books"];
    assert_eq!(books["equal"], json!(true), "{books:#}");
    assert_eq!((&summary["open_orders"], &summary["stopped"]), (&json!(0), &Value::Null), "{summary:#}");
}

fn assert_repeated(run: &str, summary: &Value) {
    let verified = sabrewing(["replay", run, "--verify", "--json"]).expect(0, &[]).json();
    assert_eq!(verified["verified"]["difference"], Value::Null, "{verified:#}");
    assert_eq!(verified["decisions_sha256"], summary["decisions_sha256"]);
}

/// Every file below a directory.
fn files(dir: &Path, found: &mut Vec<std::path::PathBuf>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files(&path, found) } else { found.push(path) }
    }
}

/// No half of a key is in what was said or kept.
fn assert_no_key(said: &Ran, data: &str) {
    let pem = TEST_LOG_ON_KEY.1.lines().nth(1).unwrap();
    let words = [TEST_LOG_ON_KEY.0, pem, HMAC_KEY.0, HMAC_KEY.1];
    let mut kept = Vec::new();
    files(data.as_ref(), &mut kept);
    assert!(kept.len() > 5, "{kept:?}");
    for word in words {
        assert!(!said.stdout.contains(word) && !said.stderr.contains(word), "{word} was said");
        for path in &kept {
            let bytes = std::fs::read(path).unwrap();
            let found = bytes.windows(word.len()).any(|window| window == word.as_bytes());
            assert!(!found, "{word} is in {}", path.display());
        }
    }
}

#[test]
fn both_products_trade_at_once_and_the_venues_books_are_the_engines() {
    for placement in ["one", "five"] {
        let (venue, dir) = (SimVenue::start(), Dir::new());
        let config = Wanted { orders: true, placement, ..Wanted::of(&venue) }.write(&dir);
        let (run, ran) = trades_until(&config, 6);
        let ran = ran.expect(0, &[]);
        let summary = ran.json();
        assert_equal_books(&summary);
        let rows = summary["venue_books"]["rows"].as_array().unwrap();
        let is_there = |what: &str| rows.iter().any(|row| row["what"] == what);
        for what in [
            "open orders",
            "orders filled",
            "fills binance-usdm:BTCUSDT",
            "position binance-usdm:BTCUSDT",
            "fees binance-spot:BTCUSDT",
            "wallet BTC",
            "wallet USDT",
        ] {
            assert!(is_there(what), "{what}: {rows:?}");
        }
        // Each answer of the venue is kept as it was heard.
        let journal = Journal::open(&run);
        assert!(journal.of_kind(Lane::Gateway, RecordKind::Answered).count() > 6);
        assert_repeated(&run, &summary);
        assert_no_key(&ran, &dir.at("data"));
    }
}

#[test]
fn a_run_goes_on_from_what_the_one_before_held_and_both_agree_with_the_venue() {
    let (venue, dir) = (SimVenue::start(), Dir::new());
    // Of spot too, though the account had coins before any run.
    let config = Wanted { orders: true, ..Wanted::of(&venue) }.write(&dir);
    let (first, ran) = trades_until(&config, 6);
    let before = ran.expect(0, &[]).json();
    assert_equal_books(&before);
    let (second, ran) = trades_until(&config, 4);
    let after = ran.expect(0, &[]).json();
    assert_equal_books(&after);
    assert_ne!(first, second);
    let opening = Journal::open(&second);
    assert!(opening.of_kind(Lane::Gateway, RecordKind::Opening).count() >= 1, "{before}");
    // How long the venue took to answer is told by the program, and by the journal alike.
    let acks = after["latency_ns"]["ack"]["count"].as_u64().unwrap();
    let answered = opening.of_kind(Lane::Gateway, RecordKind::Answered);
    let timed = answered.filter(|record| record.body::<AnsweredBody>().round_trip_ns > 0).count();
    assert!(acks > 0 && acks == timed as u64, "{acks} and {timed}");
    for (run, summary) in [(&first, &before), (&second, &after)] {
        assert_repeated(run, summary);
    }
}

#[test]
fn a_process_that_is_killed_leaves_orders_that_the_next_run_takes_back_before_it_trades() {
    let (venue, dir) = (SimVenue::start(), Dir::new());
    let config = Wanted { orders: true, products: 1, ..Wanted::of(&venue) }.write(&dir);
    let mut running = Running::start(&config);
    running.wait("orders stand", |now| gateway(now, "open_orders") > 0 && gateway(now, "fills") > 0);
    running.signal(libc::SIGKILL);
    drop(running);
    let open = || venue.admin("GET", "orders?product=futures&account=alice", "").as_array().unwrap().len();
    let left = open();
    let (run, ran) = trades_until(&config, 1);
    let ran = ran.expect(0, &[]);
    assert_equal_books(&ran.json());
    assert_eq!(open(), 0, "of {left} that were left");
    assert!(Journal::open(&run).of_kind(Lane::Gateway, RecordKind::Begun).count() == 1);
    assert_repeated(&run, &ran.json());
}

#[test]
fn a_clock_that_the_venue_refuses_is_measured_again_at_once_and_trading_goes_on() {
    let (venue, dir) = (SimVenue::start(), Dir::new());
    let config = Wanted { orders: true, products: 1, ..Wanted::of(&venue) }.write(&dir);
    // Else it would be measured again only after an hour.
    let text = std::fs::read_to_string(&config).unwrap();
    assert!(text.contains("clock_every_s = 1\n"), "{text}");
    let config = dir.file("once.toml", text.replace("clock_every_s = 1\n", "clock_every_s = 3600\n"));
    let mut running = Running::start(&config);
    running.wait("fills", |now| gateway(now, "fills") >= 2);
    let open = || {
        let orders = venue.admin("GET", "orders?product=futures&account=alice", "");
        let id = |order: &Value| order["clientOrderId"].as_str().unwrap().to_owned();
        orders.as_array().unwrap().iter().map(id).collect::<Vec<_>>()
    };
    venue.fault(r#"{"kind":"wrong-clock","ms":9000}"#);
    // From here on no order is taken that is dated as before.
    let before = open();
    running.wait("a new order", |_| open().iter().any(|id| !before.contains(id)));
    assert!(running.said().iter().any(|line| line.contains("-1021")), "{:?}", running.said());
}

#[test]
fn orders_to_a_host_with_real_money_are_refused_by_check_and_by_run() {
    let (venue, dir) = (SimVenue::open(false, true), Dir::new());
    let config = Wanted { orders: true, ..Wanted::of(&venue) }.write(&dir);
    sabrewing(["check", "--config", &config]).expect(0, &[]);
    let text = std::fs::read_to_string(&config).unwrap();
    let port = venue.clients.port();
    let api =
        text.replace(&format!("wss://localhost:{port}/ws-fapi/v1"), "wss://ws-fapi.binance.com/ws-fapi/v1");
    let rest = text.replacen(&format!("https://localhost:{port}"), "https://fapi.binance.com", 1);
    for (name, text, host) in
        [("api.toml", api, "ws-fapi.binance.com"), ("rest.toml", rest, "fapi.binance.com")]
    {
        let config = dir.file(name, text);
        for command in ["check", "run"] {
            let ran = sabrewing([command, "--config", &config]).expect(2, &[host, "real money"]);
            assert_eq!((ran.stdout.as_str(), ran.stderr.lines().count()), ("", 1), "{ran:?}");
        }
    }
}

#[test]
fn spot_instruments_that_move_one_balance_are_refused_by_check_and_by_run_where_orders_are_real() {
    let (venue, dir) = (SimVenue::open(false, true), Dir::new());
    let row = |product: &str, base: &str, quote: &str| {
        format!(
            "[[instrument]]\nvenue = 'binance'\nproduct = '{product}'\nsymbol = '{base}{quote}'\nbase = '{base}'\n\
             quote = '{quote}'\ntick = '0.01'\nlot = '0.001'\nsource = 'test'\n"
        )
    };
    let list = [("usdm", "BTC", "USDT"), ("spot", "BTC", "USDT"), ("spot", "ETH", "BTC")];
    let list = list.map(|(product, base, quote)| row(product, base, quote)).concat();
    let list = dir.file("instruments.toml", list);
    for orders in [true, false] {
        let config = Wanted { orders, ..Wanted::of(&venue) }.write(&dir);
        let mut file: toml::Table = std::fs::read_to_string(&config).unwrap().parse().unwrap();
        file["venue"][1]["symbols"] = toml::Value::Array(vec!["BTCUSDT".into(), "ETHBTC".into()]);
        let config = dir.file("two.toml", toml::to_string(&file).unwrap());
        if !orders {
            sabrewing(["check", "--config", &config, "--instruments", &list]).expect(0, &[]);
            continue;
        }
        for command in ["check", "run"] {
            let words = ["binance-spot", "BTCUSDT and ETHBTC", "balance of BTC"];
            let ran = sabrewing([command, "--config", &config, "--instruments", &list]).expect(2, &words);
            assert_eq!((ran.stdout.as_str(), ran.stderr.lines().count()), ("", 1), "{ran:?}");
        }
    }
}

#[test]
fn a_key_that_is_missing_readable_by_others_or_wrong_is_refused_in_one_line() {
    let (venue, dir) = (SimVenue::open(false, true), Dir::new());
    let config = Wanted { orders: true, products: 1, ..Wanted::of(&venue) }.write(&dir);
    let key = dir.at("binance-usdm.key");
    let refused = |words: &[&str]| {
        let ran = sabrewing(["run", "--config", &config]).expect(2, words);
        assert_eq!((ran.stdout.as_str(), ran.stderr.lines().count()), ("", 1), "{ran:?}");
        assert!(!ran.stderr.contains(TEST_LOG_ON_KEY.0), "{ran:?}");
    };
    dir.file("binance-usdm.key", format!("{}\nno key at all\n", TEST_LOG_ON_KEY.0));
    refused(&["binance-usdm", "the secret: not an Ed25519 private key"]);
    std::fs::remove_file(&key).unwrap();
    refused(&["binance-usdm.key", "No such file"]);
    dir.file("binance-usdm.key", format!("{}\n{}", TEST_LOG_ON_KEY.0, TEST_LOG_ON_KEY.1));
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    std::fs::set_permissions(&key, open).unwrap();
    refused(&["binance-usdm.key", "chmod 600"]);
}

#[test]
fn an_account_that_the_venue_does_not_know_ends_the_run_before_it_trades() {
    let (venue, dir) = (SimVenue::open(false, true), Dir::new());
    let config = Wanted { orders: true, products: 1, ..Wanted::of(&venue) }.write(&dir);
    let text = format!("{}\n{}", TEST_LOG_ON_KEY.0.replace("alice", "nobody"), TEST_LOG_ON_KEY.1);
    let file = dir.file("binance-usdm.key", text);
    std::fs::set_permissions(file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let ran = sabrewing(["run", "--config", &config]).expect(1, &["/fapi/", "-2015"]);
    assert_eq!(ran.stdout, "", "{ran:?}");
}
