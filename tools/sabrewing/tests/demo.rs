//! `sabrewing demo` as a fresh machine runs it: in an empty directory, without data.

mod support;

use engine::ids::Lane;
use engine::journal::Reader;
use engine::journal::schema::RecordKind;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use support::hold::{Held, with_stall_ms};
use support::{Dir, Ran};

fn command(dir: &Dir, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sabrewing"));
    command.arg("demo").args(args).current_dir(dir.path()).stdin(Stdio::null());
    command
}

fn demo(dir: &Dir, args: &[&str]) -> Ran {
    command(dir, args).output().unwrap().into()
}

/// What depends on the seed alone.
fn decided(summary: &Value) -> Value {
    let keys =
        ["seed", "generated", "messages", "book_updates", "orders", "position", "cash", "pnl", "open_orders"];
    keys.iter().map(|key| (*key, summary[key].clone())).collect()
}

#[test]
fn a_seed_trades_and_ends_with_valid_books_and_again_alike() {
    let dir = Dir::new();
    let args = ["--for", "20s", "--instruments", "2", "--pace", "max", "--json"];
    let first = demo(&dir, &args).expect(0, &[]).json();
    assert!(first["orders"]["placed"].as_u64().unwrap() > 100, "{first}");
    assert!(first["orders"]["filled"].as_u64().unwrap() > 10, "{first}");
    assert_eq!(
        (&first["decode_errors"], &first["gaps"], &first["resyncs"]),
        (&json!(0), &json!(0), &json!(0))
    );
    assert_eq!((&first["clock_steps"], &first["stopped"]), (&json!(0), &Value::Null));
    for instrument in ["binance-usdm:BTCUSDT", "binance-usdm:ETHUSDT"] {
        let book = &first["books"][instrument];
        assert!(book["state"] == "valid" && book["updates"].as_u64().unwrap() > 300, "{first}");
        // What comes before the snapshot waits for it, and the snapshot has it already.
        assert!(book["dropped_unsynced"].as_u64().unwrap() < 10, "{first}");
        let generated = &first["generated"]["markets"][instrument];
        assert!(generated["volatility_bps_per_sqrt_s"].as_f64().unwrap() > 0.0, "{first}");
        let shares: f64 = generated["spread_ticks_percent"]
            .as_object()
            .unwrap()
            .values()
            .map(|v| v.as_f64().unwrap())
            .sum();
        assert!((shares - 100.0).abs() < 0.5, "{first}");
    }
    // Every frame that was generated arrived, and the scanners knew all but the snapshots.
    let sent: u64 = first["generated"]["markets"]
        .as_object()
        .unwrap()
        .values()
        .flat_map(|market| market["messages"].as_object().unwrap().values())
        .map(|count| count.as_u64().unwrap())
        .sum();
    let taken: u64 =
        first["messages"].as_object().unwrap().values().map(|count| count.as_u64().unwrap()).sum();
    assert_eq!((sent, &first["general_decoder"]), (taken, &json!(2)));
    assert_eq!(decided(&first), decided(&demo(&dir, &args).expect(0, &[]).json()));
    let other = demo(&dir, &[&args[..], &["--seed", "2"]].concat()).expect(0, &[]).json();
    assert_ne!(decided(&first), decided(&other));
}

#[test]
fn a_second_on_a_fresh_machine_places_orders_and_fills_them() {
    let dir = Dir::new();
    let ran = demo(&dir, &["--for", "1s", "--pace", "max", "--json", "--journal", "run1"]).expect(0, &[]);
    let summary = ran.json();
    assert!(summary["orders"]["placed"].as_u64().unwrap() > 0, "{summary}");
    assert!(summary["orders"]["filled"].as_u64().unwrap() > 0, "{summary}");
    assert_eq!((&summary["decode_errors"], &summary["gaps"]), (&json!(0), &json!(0)));
    assert_eq!(summary["books"]["binance-usdm:BTCUSDT"]["state"], "valid");
    assert!(dir.path().join("run1/counters").is_file());
    // Five threads see the same frames.
    let five =
        demo(&dir, &["--for", "1s", "--pace", "max", "--json", "--placement", "five"]).expect(0, &[]).json();
    assert_eq!((&five["messages"], &five["generated"]), (&summary["messages"], &summary["generated"]));
    let page = demo(&dir, &["--for", "1s", "--pace", "max"]).expect(0, &[]);
    for word in
        ["seed               1", "generated market", "spread, ticks", "orders", "profit", "tick_to_order"]
    {
        assert!(page.stdout.contains(word), "{word}: {page:?}");
    }
}

#[test]
fn a_market_without_connections_loses_none_whatever_the_configuration_says_of_them() {
    let dir = Dir::new();
    let config = dir.file("live.toml", include_str!("../configs/binance-paper.toml"));
    let args = ["--for", "10s", "--instruments", "2", "--pace", "max", "--config", &config, "--json"];
    let summary = demo(&dir, &[&args[..], &["--journal", "run1"]].concat()).expect(0, &[]).json();
    let again = support::replay([dir.at("run1").as_str(), "--verify", "--json"]).expect(0, &[]).json();
    assert_eq!(again["verified"]["difference"], Value::Null, "{again}");
    for key in ["lost", "cuts", "books"] {
        assert_eq!(again[key], summary[key], "{key}");
    }
    assert_eq!((&summary["lost"], &summary["cuts"]), (&json!(0), &json!(0)));
}

#[test]
fn a_live_demo_takes_its_time_says_how_it_goes_and_ends_with_a_signal() {
    let dir = Dir::new();
    let started = std::time::Instant::now();
    let mut child = command(&dir, &["--for", "1h", "--json", "--pace", "live"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let line = first_line(&mut child);
    for word in
        ["messages; mm BTCUSDT: ", " orders, ", " open, ", " fills, position ", " profit ", " USDT before "]
    {
        assert!(line.contains(word), "{word}: {line}");
    }
    // SAFETY: the child has not been waited for, so the id is its own.
    assert_eq!(unsafe { libc::kill(i32::try_from(child.id()).unwrap(), libc::SIGINT) }, 0);
    let ran: Ran = child.wait_with_output().unwrap().into();
    let ran = ran.expect(0, &[]);
    let frames: u64 =
        ran.json()["messages"].as_object().unwrap().values().map(|count| count.as_u64().unwrap()).sum();
    // No more than the market of that time, which has about 700 messages a second.
    assert!(
        frames > 0 && u128::from(frames) < 2_000 * (started.elapsed().as_millis() + 1_000) / 1_000,
        "{frames}"
    );
}

#[cfg(feature = "venue-sim")]
#[test]
fn a_demo_trades_at_the_simulated_venue_over_sockets_and_leaves_nothing_behind() {
    let dir = Dir::new();
    // Three seconds pass before the first order: until then the venue could take one of an earlier process.
    let ran = demo(&dir, &["--for", "10s", "--json", "--journal", "run1"]).expect(0, &[]);
    let summary = ran.json();
    assert!(summary["orders"]["placed"].as_u64().unwrap() > 0, "{summary}");
    assert_eq!(summary["venue_books"]["equal"], json!(true), "{summary}");
    assert_eq!((&summary["decode_errors"], &summary["gaps"]), (&json!(0), &json!(0)));
    assert_eq!(
        (&summary["open_orders"], &summary["books"]["binance-usdm:BTCUSDT"]["state"]),
        (&json!(0), &json!("valid"))
    );
    for (kind, line) in [("opened", "link 0 live"), ("quoted", "BTCUSDT ")] {
        assert!(ran.stderr.contains(line), "{kind}: {ran:?}");
    }
    // What it did can be repeated from its journal alone.
    let replay = Command::new(env!("CARGO_BIN_EXE_sabrewing"))
        .args(["replay", "run1", "--verify", "--json"])
        .current_dir(dir.path())
        .output()
        .unwrap();
    let verified = Ran::from(replay).expect(0, &[]).json();
    assert_eq!(verified["verified"]["difference"], Value::Null, "{verified}");
    assert_eq!(verified["decisions_sha256"], summary["decisions_sha256"]);
}

#[cfg(feature = "venue-sim")]
#[test]
fn a_signal_ends_a_demo_at_the_venue_in_order() {
    let dir = Dir::new();
    let mut child = command(&dir, &["--for", "1h", "--json", "--instruments", "2"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    first_line(&mut child);
    // SAFETY: the child has not been waited for, so the id is its own.
    assert_eq!(unsafe { libc::kill(i32::try_from(child.id()).unwrap(), libc::SIGINT) }, 0);
    let ran: Ran = child.wait_with_output().unwrap().into();
    let summary = ran.expect(0, &[]).json();
    assert_eq!((&summary["open_orders"], &summary["stopped"]), (&json!(0), &Value::Null));
}

#[test]
fn a_thread_that_stalls_ends_a_demo_with_exit_3_and_its_journal_says_why() {
    for (placement, thread, canceled) in [
        ("one", "feed-gateway", false),
        ("two", "feed-book", true),
        ("five", "strategy", true),
        ("five", "gateway", false),
    ] {
        let dir = Dir::new();
        let config = dir.file("c.toml", with_stall_ms(500));
        let args = [
            "--for",
            "1h",
            "--json",
            "--pace",
            "live",
            "--placement",
            placement,
            "--config",
            &config,
            "--journal",
            "run",
        ];
        let mut child = command(&dir, &args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        first_line(&mut child);
        Held::of(&child, thread).wait_for_its_end();
        let orders = if canceled { "nothing is open" } else { "open orders could NOT be canceled" };
        let lost = format!("thread {thread}: no turn for ");
        let line = format!("sabrewing demo: a thread stalled: {lost}");
        let ran = Ran::from(child.wait_with_output().unwrap()).expect(3, &[&line, orders]);
        assert_eq!(ran.stdout, "", "{placement}");
        let said: Vec<(RecordKind, String)> = runner_lane(&dir.path().join("run"))
            .into_iter()
            .filter(|(kind, _)| matches!(kind, RecordKind::ThreadLost | RecordKind::RunEnd))
            .collect();
        let [(RecordKind::ThreadLost, found), (RecordKind::RunEnd, end)] = &said[..] else {
            panic!("{placement}, {thread}: {said:?}")
        };
        assert!(found.starts_with(&lost), "{found}");
        assert!(end.starts_with("trading was stopped: a thread stalled: ") && end.ends_with(orders), "{end}");
    }
}

/// Kinds and texts of the runner's records; its lane was never closed.
fn runner_lane(run: &Path) -> Vec<(RecordKind, String)> {
    let reader = Reader::open(run).unwrap();
    let (mut cursor, mut records) = (reader.cursor(Lane::Runner), Vec::new());
    while let Some(view) = cursor.next().unwrap() {
        let kind = RecordKind::from_u16(view.entry.kind).unwrap();
        records.push((kind, String::from_utf8_lossy(view.body).into_owned()));
    }
    records
}

/// The first line on stderr, which comes after a second.
fn first_line(child: &mut Child) -> String {
    let mut line = String::new();
    BufReader::with_capacity(1, child.stderr.as_mut().unwrap()).read_line(&mut line).unwrap();
    line
}

#[test]
fn what_cannot_be_run_is_refused_with_what_it_may_be() {
    let dir = Dir::new();
    for (args, words) in [
        (&["--for", "soon"][..], "a duration is a whole number"),
        (&["--instruments", "3"], "1..=2"),
        (&["--pace", "2x"], "live, max"),
        (&["--placement", "seven"], "sabrewing demo: "),
        (&["--config", "none.toml"], "none.toml: "),
        (&["--journal", "."], "not empty"),
    ] {
        dir.file("here", "");
        let ran = demo(&dir, args).expect(2, &[words]);
        assert_eq!(ran.stdout, "", "{args:?}");
    }
}
