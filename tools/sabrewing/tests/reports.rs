//! What the reporting tools say of a run: equal to the run's own summary and counters, from its files alone.

mod support;

use engine::counters;
use engine::ids::Lane;
use engine::journal::schema::{OrderStamps, RecordKind, Stamps};
use engine::latency::Hops;
use serde_json::Value;
use std::path::Path;
use std::process::Command;
use std::sync::LazyLock;
use support::journal::{Journal, Record};
use support::{Dir, Ran, USDM, lines_of, replay};

/// Lines of the capture that are enough for fills and for what came ten seconds after them.
const LINES: usize = 12_000;

/// A run of the start of a capture.
struct Run {
    dir: Dir,
    summary: Value,
}

fn run(more: &[&str]) -> Run {
    let dir = Dir::new();
    let capture = dir.lines("start.gz", &lines_of(USDM)[..LINES]);
    let files = dir.at("run");
    let ran = replay([&[&capture, "--json", "--journal", &files], more].concat()).expect(0, &[]);
    Run { summary: ran.json(), dir }
}

impl Run {
    fn path(&self) -> String {
        self.dir.at("run")
    }
}

static RUN: LazyLock<Run> = LazyLock::new(|| run(&[]));

/// A reporting tool, built as this test was.
fn tool(package: &str, args: &[&str]) -> Ran {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let mut command = Command::new(cargo);
    command.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../.."));
    command.args(["run", "--quiet", "--offline", "-p", package, "--"]).args(args).output().unwrap().into()
}

fn journal(args: &[&str]) -> Ran {
    tool("journal", args)
}

fn report(args: &[&str]) -> Ran {
    tool("latency-report", args)
}

fn objects(ran: &Ran) -> Vec<Value> {
    ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// A decimal in units of 10^-8.
fn e8(text: &Value) -> i128 {
    let text = text.as_str().unwrap();
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    format!("{whole}{part:0<8}").parse().unwrap()
}

#[test]
fn the_counters_and_the_journal_make_the_same_histograms_bucket_by_bucket() {
    let journal = Journal::open(RUN.path());
    let mut rebuilt = Hops::default();
    let stamps = journal.of_kind(Lane::Gateway, RecordKind::Stamps);
    stamps.for_each(|record| rebuilt.frame(&record.body::<Stamps>()));
    let orders: Vec<&Record> = journal.of_kind(Lane::Gateway, RecordKind::OrderStamps).collect();
    orders.iter().for_each(|record| rebuilt.order(&record.body::<OrderStamps>()));
    let counters = Path::new(&RUN.path()).join("counters");
    let live = counters::Reader::open(&counters).unwrap().snapshot().unwrap();
    for (hop, histogram) in rebuilt.iter() {
        let live = live.find("gateway", &format!("latency_{}", hop.name())).unwrap();
        let live = live.histogram.as_ref().unwrap();
        assert_eq!(live.counts(), histogram.counts(), "{}", hop.name());
        assert_eq!(live.max_ns(), histogram.max_ns(), "{}", hop.name());
        // Nobody outside answered: nothing is said of it.
        let said = &RUN.summary["latency_ns"][hop.name()]["count"];
        assert_eq!(said.as_u64().unwrap_or(0), histogram.count(), "{}", hop.name());
    }
    // Every frame but those that led nowhere, and every order and amendment that a frame led to, once.
    let count = |key: &str| RUN.summary[key].as_u64().unwrap();
    let frames = journal.of_kind(Lane::Feed, RecordKind::Frame).count() as u64;
    let nowhere = count("dropped_unsynced") + count("duplicates") + count("decode_errors");
    let counted = RUN.summary["latency_ns"]["decode"]["count"].as_u64().unwrap();
    assert!(counted <= frames - nowhere && counted + nowhere + 2 >= frames, "{counted} of {frames}");
    let mut stamped: Vec<u64> = orders.iter().map(|record| record.cause.seq()).collect();
    stamped.dedup();
    assert_eq!(stamped.len(), orders.len());
    let is_request =
        |record: &&Record| matches!(journal.at(record.cause).kind, RecordKind::Order | RecordKind::Amend);
    assert!(!orders.is_empty() && orders.iter().all(is_request));
    let sent = journal.of_kind(Lane::Gateway, RecordKind::Order).count();
    assert_eq!(RUN.summary["orders"]["placed"].as_u64().unwrap(), sent as u64);
}

#[test]
fn the_report_says_the_summarys_latency_and_what_it_is_measured_from() {
    let path = RUN.path();
    let said: Value = report(&[&path, "--json"]).expect(0, &[]).json();
    assert_eq!(said, RUN.summary["latency_ns"]);
    let (plots, html) = (RUN.dir.at("hgrm"), RUN.dir.at("report.html"));
    let page = report(&[&path, "--hgrm", &plots, "--html", &html]).expect(0, &[]).stdout;
    for word in [
        "service time, ns",
        "binance-usdm:BTCUSDT",
        "2024-08-08T23:54:15.",
        "every line was read",
        "1 ms or longer",
    ] {
        assert!(page.contains(word), "`{word}` is not in {page}");
    }
    for hop in RUN.summary["latency_ns"].as_object().unwrap().keys() {
        let file = support::text_of(format!("{plots}/{hop}.hgrm").as_ref());
        let count = RUN.summary["latency_ns"][hop]["count"].as_u64().unwrap();
        assert!(file.contains(&format!("Total count    = {count:12}]")), "{hop}: {file}");
        assert!(page.contains(&format!("\n{hop} ")), "{hop}");
    }
    let html = support::text_of(html.as_ref());
    assert_eq!(html.matches("<svg").count(), 3);
    assert!(
        html.contains("prefers-color-scheme: dark") && html.contains("Service time")
            || html.contains("service time")
    );
}

#[test]
fn a_run_at_a_fixed_rate_reports_response_time_and_the_two_are_not_compared() {
    let paced = run(&["--pace", "100000000/s"]);
    let (path, paced) = (RUN.path(), paced.path());
    let page = report(&[&paced]).expect(0, &[]).stdout;
    assert!(page.contains("response time, ns") && page.contains("a message every 10 ns"), "{page}");
    let median =
        |path: &str| report(&[path, "--json"]).expect(0, &[]).json()["decode"]["p50"].as_u64().unwrap();
    assert!(median(&paced) > 20 * median(&path), "{} {}", median(&paced), median(&path));
    report(&[&paced, "--baseline", &path]).expect(2, &["response time", "service time", "do not compare"]);
    report(&[&path, "--baseline", &path]).expect(0, &["no regression"]);
    report(&[&path, "--baseline", &path, "--tolerance", "much"]).expect(2, &["percent, 0 to 10000"]);
}

#[test]
fn what_cannot_be_reported_is_one_clear_error() {
    let dir = Dir::new();
    report(&[&dir.at("none")]).expect(1, &["none"]);
    report(&[dir.path().to_str().unwrap()]).expect(1, &["holds no journal"]);
    let shipped = include_str!("../configs/replay.toml");
    let config = dir.file("quiet.toml", shipped.replace("stamps = true", "stamps = false"));
    let quiet = run(&["--config", &config]);
    report(&[&quiet.path()]).expect(1, &["no frame has stamps", "stamps = false"]);
    let cut = run(&[]);
    let segment = format!("{}/journal/gateway-000001.seg", cut.path());
    let bytes = std::fs::read(&segment).unwrap();
    std::fs::write(&segment, &bytes[..bytes.len() / 2 / 64 * 64]).unwrap();
    report(&[&cut.path()]).expect(1, &["gateway"]);
    std::fs::write(&segment, &bytes).unwrap();
    let counters = format!("{}/counters", cut.path());
    let mut live = std::fs::read(&counters).unwrap();
    live.truncate(100);
    std::fs::write(&counters, live).unwrap();
    report(&[&cut.path()]).expect(1, &["counters file"]);
}

#[test]
fn stat_comes_to_the_summarys_profit_position_and_fees() {
    let rows = objects(&journal(&["stat", &RUN.path(), "--json"]).expect(0, &[]));
    let frames = rows.iter().find(|row| row["kind"] == "frame").unwrap();
    assert_eq!(frames["records"], LINES);
    let pnl: Vec<&Value> = rows.iter().filter(|row| row["report"] == "pnl").collect();
    let [pnl] = pnl[..] else { panic!("{rows:?}") };
    assert_eq!(
        (&pnl["strategy"], &pnl["instrument"], &pnl["asset"]),
        (&"mm".into(), &"binance-usdm:BTCUSDT".into(), &"USDT".into())
    );
    assert_eq!(pnl["position"], RUN.summary["position"]["binance-usdm:BTCUSDT"]);
    assert_eq!(e8(&pnl["cash"]), e8(&RUN.summary["cash"]["USDT"]));
    assert_eq!(e8(&pnl["fees"]), e8(&RUN.summary["fees"]["USDT"]));
    assert_eq!(e8(&pnl["pnl"]), e8(&RUN.summary["pnl"]["USDT"]));
    assert_eq!(e8(&pnl["spread"]) + e8(&pnl["inventory"]), e8(&pnl["pnl"]));
    assert_eq!(e8(&pnl["pnl"]) - e8(&pnl["fees"]), e8(&pnl["net"]));
    assert!(pnl["fills"].as_u64() > Some(20) && pnl["untouched_fills"] == 0, "{pnl}");
    let markouts = pnl["markouts"].as_array().unwrap();
    assert_eq!(
        markouts.iter().map(|markout| markout["after_s"].as_u64().unwrap()).collect::<Vec<_>>(),
        [1, 10, 60]
    );
    assert!(markouts[1]["fills"].as_u64() > Some(10) && markouts[0]["bps"].is_f64(), "{markouts:?}");
    let text = journal(&["stat", &RUN.path()]).expect(0, &[]).stdout;
    assert!(
        text.contains("binance-usdm:BTCUSDT by mm, amounts in USDT") && text.contains(" bps, "),
        "{text}"
    );
    let orders = objects(&journal(&["stat", &RUN.path(), "--json", "--kind", "order"]).expect(0, &[]));
    assert_eq!(orders.len(), 1, "no accounts where fills are not asked for");
}

#[test]
fn the_accountants_table_adds_up_to_the_cash_and_the_fees() {
    let table = journal(&["dump", &RUN.path(), "--kind", "fill", "--csv"]).expect(0, &[]).stdout;
    let rows: Vec<Vec<&str>> = table.split_terminator("\r\n").map(|line| line.split(',').collect()).collect();
    assert!(!table.replace("\r\n", "").contains(['\r', '\n']));
    let (header, rows) = rows.split_first().unwrap();
    let column = |name: &str| header.iter().position(|column| *column == name).unwrap();
    let amount = |row: &[&str], name: &str| e8(&row[column(name)].into());
    let mut cash = 0;
    for row in rows {
        assert_eq!(row.len(), header.len());
        let value = amount(row, "value");
        assert_eq!(value, amount(row, "price") * amount(row, "quantity") / 100_000_000);
        cash += if row[column("side")] == "sell" { value } else { -value };
        assert!(
            row[column("client_order_id")].starts_with("sb0-0-") && row[column("time_utc")].ends_with('Z')
        );
        assert_eq!(
            (row[column("fee_asset")], row[column("liquidity")], row[column("strategy")]),
            ("USDT", "maker", "mm")
        );
    }
    assert_eq!(cash, e8(&RUN.summary["cash"]["USDT"]));
    let fees: i128 = rows.iter().map(|row| amount(row, "fee")).sum();
    assert_eq!(fees, e8(&RUN.summary["fees"]["USDT"]));
    let last = rows.last().unwrap();
    assert_eq!(last[column("position_after")], RUN.summary["position"]["binance-usdm:BTCUSDT"]);
    journal(&["dump", &RUN.path(), "--csv"]).expect(2, &["--kind fill"]);
}

#[test]
fn an_order_is_explained_from_its_frame_to_its_last_fill() {
    let fills = objects(&journal(&["dump", &RUN.path(), "--kind", "fill", "--json"]).expect(0, &[]));
    let filled = fills.iter().rfind(|fill| fill["body"]["state"] == "filled").unwrap();
    let seq = filled["body"]["order"].as_u64().unwrap().to_string();
    let explain =
        |order: &str, more: &[&str]| journal(&[&["explain", order, "--in", &RUN.path()], more].concat());
    let story = objects(&explain(&seq, &["--json"]).expect(0, &[]));
    let kinds: Vec<&str> = story.iter().map(|step| step["kind"].as_str().unwrap()).collect();
    let place = |kind: &str| {
        kinds.iter().position(|k| *k == kind).unwrap_or_else(|| panic!("no {kind} in {kinds:?}"))
    };
    assert!(place("frame") < place("target") && place("target") < place("order"), "{kinds:?}");
    assert!(place("order") < place("order-update") && kinds.last() == Some(&"fill"), "{kinds:?}");
    assert!(story[place("frame")]["body"]["frame"].as_str().unwrap().contains("BTCUSDT"));
    let has_stamps = |step: &Value| step["stamps"]["decoded_ns"].as_u64() > Some(0);
    assert!(story.iter().any(|step| step["kind"] == "frame" && has_stamps(step)));
    let is_own =
        |step: &&Value| step["kind"] == "order" && step["body"]["order"].as_u64() == seq.parse().ok();
    let order = story.iter().find(is_own).unwrap();
    let touch = &order["touch"]["body"];
    assert!(e8(&touch["bid"]) < e8(&touch["ask"]), "{order}");
    for step in &story {
        // Of everything named as a cause the story has told before.
        if let Some(cause) = step["cause"].as_str() {
            let name = |other: &Value| format!("{}:{}", other["lane"].as_str().unwrap(), other["seq"]);
            assert!(story.iter().any(|other| name(other) == cause), "{cause} of {step}");
        }
    }
    let text = explain(&format!("sb0-0-{seq}"), &[]).expect(0, &[]).stdout;
    let head = format!("order sb0-0-{seq} of mm, binance-usdm:BTCUSDT, post-only\n");
    assert!(text.starts_with(&head), "{text}");
    for word in [" approved ", " maker ", " touch ", "decoded +", "book valid"] {
        assert!(text.contains(word), "`{word}` is not in {text}");
    }
    explain("sb0-0-99999", &[]).expect(1, &["no order sb0-0-99999"]);
    explain("sb7-0-1", &[]).expect(2, &["no order of this run"]);
}
