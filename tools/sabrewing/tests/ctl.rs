//! `ctl` beside a running `replay`: what the run says of itself, refusals, kill and its latch.

mod support;

use engine::ids::Lane;
use engine::journal::schema::RecordKind;
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use support::journal::Journal;
use support::{Dir, Ran, USDM, arg, command, replay};

/// A replay at the recorded pace, which takes minutes; ended with the test at the latest.
struct Running(Option<Child>);

impl Running {
    /// Starts it and waits until it has taken frames.
    fn start(run: &str) -> Self {
        let args = [&arg(USDM), "--json", "--pace", "recorded", "--journal", run];
        let child = command(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut running = Self(Some(child));
        loop {
            let child = running.0.as_mut().unwrap();
            assert!(child.try_wait().unwrap().is_none(), "it ended by itself");
            let reader = engine::counters::Reader::open(format!("{run}/counters").as_ref());
            let all = reader.ok().and_then(|reader| reader.snapshot().ok());
            if all.is_some_and(|all| all.find("feed", "frames").is_some_and(|frames| frames.value > 0)) {
                return running;
            }
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
    }

    fn end(mut self) -> Ran {
        self.0.take().unwrap().wait_with_output().unwrap().into()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn ctl<'a>(data_dir: &Path, args: impl IntoIterator<Item = &'a str>) -> Ran {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sabrewing"));
    command.args(["ctl", "--author", "bob", "--data-dir"]).arg(data_dir).args(args).output().unwrap().into()
}

#[test]
fn a_run_says_what_it_does_refuses_what_it_does_not_know_and_a_kill_stays_until_it_is_released() {
    let dir = Dir::new();
    let run = dir.at("run");
    let running = Running::start(&run);

    let status = ctl(dir.path(), ["status"]).expect(0, &[]).stdout;
    let first = |what: &str| status.lines().any(|line| line.starts_with(what));
    for what in ["run ", "process ", "state alive", "thread feed-gateway: last turned "] {
        assert!(first(what), "{what}: {status}");
    }
    assert!(first("mm binance-usdm:BTCUSDT not quoting: "), "{status}");
    let json = ctl(dir.path(), ["--json", "--run", &run, "status"]).expect(0, &[]).json();
    assert_eq!((&json["alive"], &json["killed"]), (&true.into(), &Value::Null));
    let counters = json["counters"].as_array().unwrap();
    assert!(counters.iter().any(|counter| counter["name"] == "not_quoting"), "{json}");

    let unknown = ctl(dir.path(), ["pause", "maker"]).expect(1, &[]);
    assert_eq!(unknown.stdout, "refused: no strategy maker; there is mm\n");
    let unknown = ctl(dir.path(), ["--json", "set", "mm", "nothing=1"]).expect(1, &[]).json();
    assert!(unknown["reason"].as_str().unwrap().starts_with("no parameter nothing"), "{unknown}");
    assert_eq!(unknown["accepted"], false);
    for taken in [&["pause", "mm"][..], &["resume"], &["cancel-all"], &["set", "mm", "levels=1"]] {
        let answer = ctl(dir.path(), taken.iter().copied()).expect(0, &[]).stdout;
        assert!(answer.starts_with("accepted, journal strategy:"), "{taken:?}: {answer}");
    }
    let alive = ctl(dir.path(), ["release-kill"]).expect(1, &[]);
    assert!(alive.stdout.contains("still alive"), "{alive:?}");

    let killed = ctl(dir.path(), ["kill", "too", "odd"]).expect(0, &[]).stdout;
    let record = killed.strip_prefix("accepted, journal runner:").unwrap_or_else(|| panic!("{killed}"));
    let (record, latched) = record.split_once("\nlatched: ").unwrap();
    assert_eq!(latched.matches("KILL").count(), 2, "{latched}");
    let ran = running.end().expect(3, &[]);
    let (stopped, open) = (ran.json()["stopped"].to_string(), ran.json()["open_orders"].to_string());
    for what in ["the operator killed trading: killed 20", "by bob: too odd", "nothing is open"] {
        assert!(stopped.contains(what), "{stopped}");
    }
    assert_eq!(open, "0");
    let journal = Journal::open(&run);
    let kept: Vec<_> = journal.of_kind(Lane::Runner, RecordKind::OperatorCommand).collect();
    assert_eq!(kept.len(), 7);
    assert_eq!(kept[0].text(), "0.1 bob: pause maker: refused: no strategy maker; there is mm");
    assert_eq!(kept[6].seq.to_string(), record);
    assert!(kept[6].text().ends_with("by bob: too odd"), "{}", kept[6].text());
    assert_eq!(fs::read_dir(format!("{run}/commands")).unwrap().count(), 0, "no lane is left");

    let status = ctl(dir.path(), ["--run", &run, "status"]).expect(0, &[]).stdout;
    assert!(status.contains("state dead\nkill latch: killed 20"), "{status}");
    let late = ctl(dir.path(), ["--run", &run, "pause"]).expect(1, &[]).stdout;
    assert_eq!(late, "refused: the run has ended\n");

    let short = dir.lines("short", support::lines_of(USDM).iter().take(50));
    let next = dir.at("next");
    replay([&short, "--json", "--journal", &next]).expect(3, &["KILL: killed 20", "release-kill"]);
    assert!(!Path::new(&next).exists(), "nothing was begun");
    let released = ctl(dir.path(), ["release-kill"]).expect(0, &[]).stdout;
    assert!(released.starts_with("accepted\nreleased: ") && released.contains("too odd"), "{released}");
    replay([&short, "--json", "--journal", &next]).expect(0, &[]);
    let again = ctl(dir.path(), ["release-kill"]).expect(1, &[]).stdout;
    assert!(again.starts_with("refused: no kill is latched in "), "{again}");
}

/// A price that was printed: `..., 0.010 at 61234.5`.
fn price_in(told: &str) -> f64 {
    told.rsplit_once(" at ")
        .and_then(|(_, price)| price.trim().parse().ok())
        .unwrap_or_else(|| panic!("{told}"))
}

#[test]
fn orders_by_hand_are_told_of_kept_apart_closed_and_repeated_exactly() {
    const BTC: &str = "binance-usdm:BTCUSDT";
    let dir = Dir::new();
    let run = dir.at("run");
    let running = Running::start(&run);
    let say = |args: &[&str], code| ctl(dir.path(), args.iter().copied()).expect(code, &[]).stdout;
    say(&["pause"], 0);
    // Until its quotes are gone they stand in the way of an order by hand.
    while !say(&["status"], 0).contains("mm binance-usdm:BTCUSDT open orders: 0") {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let order = |side: &str, more: &[&str], code| say(&[&["order", side, "0.010", BTC], more].concat(), code);

    let bought = order("buy", &["--market"], 0);
    assert!(bought.starts_with("accepted, journal strategy:"), "{bought}");
    assert!(bought.contains(" of manual: buy 0.010 binance-usdm:BTCUSDT, market\n"), "{bought}");
    assert!(bought.contains(" is filled, filled 0.010 of 0.010, "), "{bought}");
    let price = price_in(&bought);
    let (below, far_below) = (format!("{:.1}0", price * 0.995), format!("{:.1}0", price * 0.99));

    let resting = order("buy", &["--limit", &below, "--tif", "post-only"], 0);
    let seq = resting.split("order ").nth(1).and_then(|rest| rest.split(' ').next()).unwrap().to_owned();
    assert!(resting.ends_with(&format!("order {seq} is open, filled 0.000 of 0.010\n")), "{resting}");
    let canceled = say(&["cancel", &seq], 0);
    assert!(canceled.ends_with(&format!("order {seq} is canceled, filled 0.000 of 0.010\n")), "{canceled}");
    let again = say(&["cancel", &format!("sb0-0-{seq}")], 1);
    assert!(again.ends_with("refused: no such order is open\n"), "{again}");

    let stop = order("sell", &["--stop", &below, "--limit", &far_below, "--reduce-only"], 0);
    let expected = format!(", stop-limit at {far_below} when the market reaches {below}, reducing only\n");
    assert!(stop.contains(&expected) && stop.contains(" is open, "), "{stop}");
    let much = order("sell", &["--market", "--reduce-only"], 1);
    assert!(
        much.contains("refused: reduce_only: quantity 0.01 BTC is more than there is to reduce, 0\n"),
        "{much}"
    );
    let dear = say(&["order", "buy", "1", BTC, "--market"], 1);
    assert!(
        dear.contains("refused: order_notional: ") || dear.contains("above order_notional_max 1000"),
        "{dear}"
    );

    for (args, expected) in [
        (&["0.0005", BTC, "--market"][..], "refused: qty: 0.0005 is no multiple of the lot, 0.001\n"),
        (&["0.010", BTC, "--limit", "60000.05"], "refused: limit: 60000.05 is no multiple of the tick, 0.1"),
        (
            &["0.010", "binance-usdm:XYZ", "--market"],
            "refused: no instrument binance-usdm:XYZ; there is binance-usdm:BTCUSDT\n",
        ),
        (&["0.010", BTC, "--market", "--strategy", "maker"], "refused: no strategy maker; there is mm\n"),
    ] {
        let said = say(&[&["order", "buy"], args].concat(), 1);
        assert!(said.starts_with(expected), "{said}");
    }
    ctl(dir.path(), ["order", "buy", "0.010", BTC]).expect(2, &["--market"]);
    ctl(dir.path(), ["order", "buy", "0.010", BTC, "--market", "--limit", "1"])
        .expect(2, &["cannot be used with"]);
    ctl(dir.path(), ["order", "hold", "0.010", BTC, "--market"]).expect(2, &["possible values: buy, sell"]);
    let wrong = say(&["cancel", "x7"], 1);
    assert!(wrong.starts_with("refused: order \"x7\": must be a sequence"), "{wrong}");

    let flat = ctl(dir.path(), ["--json", "flatten"]).expect(0, &[]).json();
    let told = flat["told"].as_array().unwrap();
    let of_manual: Vec<_> = told.iter().filter(|one| one["strategy"] == "manual").collect();
    assert!(of_manual.iter().any(|one| one["reduce_only"] == true && one["side"] == "sell"), "{flat}");
    let closed = of_manual.iter().find(|one| one["result"] == "flat").unwrap_or_else(|| panic!("{flat}"));
    assert_eq!(closed["held"], "0.000");
    let status = say(&["status"], 0);
    for line in [
        "manual binance-usdm:BTCUSDT position: 0",
        "manual binance-usdm:BTCUSDT orders: 4",
        "mm binance-usdm:BTCUSDT not quoting: stopped",
    ] {
        assert!(status.contains(line), "{line}: {status}");
    }
    assert_eq!(say(&["flatten", "--strategy", "manual"], 0).lines().count(), 1, "there is nothing to do");

    say(&["kill"], 0);
    running.end().expect(3, &[]);
    ctl(dir.path(), ["release-kill"]).expect(0, &[]);
    let verified = replay([&run, "--verify", "--json"]).expect(0, &[]).json();
    assert_eq!(verified["verified"]["difference"], Value::Null, "{verified}");
    let journal = Journal::open(&run);
    let orders = journal.of_kind(Lane::Gateway, RecordKind::Order);
    let by_hand: Vec<_> =
        orders.map(support::journal::Record::body::<engine::journal::schema::OrderBody>).collect();
    let by_hand = by_hand.iter().filter(|order| order.strategy == engine::ids::StrategyId::MANUAL.0);
    let kinds: Vec<_> = by_hand.map(|order| (order.kind, order.reduce_only)).collect();
    assert_eq!(kinds, [(1, 0), (0, 0), (3, 1), (1, 1)], "market, limit, stop-limit, and what closed it");
}

#[test]
fn what_is_sent_by_hand_is_sent_though_the_journal_cannot_be_read() {
    let dir = Dir::new();
    let run = dir.at("run");
    let running = Running::start(&run);
    let (journal, away) = (format!("{run}/journal"), format!("{run}/away"));
    fs::rename(&journal, &away).unwrap();
    let sent = ctl(dir.path(), ["flatten"]).expect(1, &[]).stdout;
    fs::rename(&away, &journal).unwrap();
    assert!(sent.starts_with("accepted, journal strategy:"), "{sent}");
    assert!(sent.contains("\nit was sent; what came of it cannot be followed: "), "{sent}");
    assert!(sent.ends_with("holds no journal\n"), "{sent}");
    let is_carried_out =
        || ctl(dir.path(), ["status"]).stdout.contains("mm binance-usdm:BTCUSDT not quoting: stopped");
    while !is_carried_out() {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }

    let mut gateway = engine::journal::Reader::open(run.as_ref()).unwrap().cursor(Lane::Gateway);
    assert!(gateway.next().unwrap().is_some(), "it has written");
    let (path, at) = gateway.place().unwrap();
    let file = fs::OpenOptions::new().read(true).write(true).open(path).unwrap();
    let mut byte = [0];
    std::os::unix::fs::FileExt::read_exact_at(&file, &mut byte, at + 50).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&file, &[byte[0] ^ 1], at + 50).unwrap();
    let told = ctl(dir.path(), ["--json", "cancel", "34"]).expect(1, &[]).json();
    let problem = told["told"][0]["problem"].as_str().unwrap_or_else(|| panic!("{told}"));
    assert!(problem.contains("cannot be followed: ") && problem.contains("gateway-000001.seg"), "{told}");
    assert!(told["journal"].as_str().unwrap().starts_with("strategy:"), "{told}");
    ctl(dir.path(), ["kill"]).expect(0, &[]);
    running.end().expect(3, &[]);
}

#[test]
fn a_kill_reaches_every_run_of_the_directory_though_no_lane_can_be_made() {
    let dir = Dir::new();
    let runs = ["a", "b"].map(|name| dir.at(name));
    let running = runs.each_ref().map(|run| Running::start(run));
    let several = ctl(dir.path(), ["kill"]).expect(2, &["2 runs are alive; choose one with --run:"]);
    assert!(runs.iter().all(|run| several.stderr.contains(run)), "{several:?}");
    let lane = format!("{}/commands", runs[0]);
    fs::remove_dir_all(&lane).unwrap();
    fs::write(&lane, "not a directory").unwrap();
    let killed = ctl(dir.path(), ["--run", &runs[0], "kill"]).expect(0, &["the latch must do"]).stdout;
    assert!(killed.starts_with("accepted\nlatched: "), "{killed}");
    for running in running {
        let ran = running.end().expect(3, &[]);
        assert!(ran.json()["stopped"].to_string().contains("nothing is open"), "{ran:?}");
    }
}

#[test]
fn without_a_run_a_kill_keeps_the_next_one_from_starting() {
    let dir = Dir::new();
    for verb in ["status", "pause"] {
        ctl(dir.path(), [verb]).expect(2, &["no run is alive in ", "or directly below it"]);
    }
    let latched = ctl(dir.path(), ["kill"]).expect(0, &[]).stdout;
    assert!(latched.starts_with("accepted\nlatched: "), "{latched}");
    let short = dir.lines("short", support::lines_of(USDM).iter().take(50));
    replay([&short, "--json", "--journal", &dir.at("run")]).expect(3, &["by bob"]);
    replay([&short, "--json"]).expect(0, &[]);
}

#[test]
fn a_wrong_command_line_is_said() {
    let dir = Dir::new();
    ctl(dir.path(), ["set", "quoter", "levels"]).expect(2, &["NAME=VALUE"]);
    ctl(dir.path(), ["--ttl", "0s", "pause"]).expect(2, &["`0s`: a duration is", "to 1h"]);
    ctl(dir.path(), ["--ttl", "5 s", "pause"]).expect(2, &["`5 s`: a duration is"]);
    ctl(dir.path(), ["--run", &dir.at("missing"), "pause"]).expect(2, &["counters"]);
    ctl(dir.path(), ["--run", &dir.at("missing"), "kill"]).expect(2, &["no such directory"]);
    ctl(&dir.path().join("missing"), ["status"]).expect(2, &["missing"]);
}
