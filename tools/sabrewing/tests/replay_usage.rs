//! What `replay` refuses before anything runs: exit 2, one line with place and value, nothing written.

mod support;

use support::market::Step::{D, S};
use support::market::{Product, capture};
use support::{COINM, Dir, Ran, SPOT, USDM, arg, command, replay, shared};

/// A refusal: exit 2, nothing on stdout, these words on stderr.
fn refused(args: &[&str], words: &[&str]) -> Ran {
    let ran = replay(args).expect(2, words);
    assert_eq!(ran.stdout, "", "{ran:?}");
    ran
}

const SHIPPED: &str = include_str!("../configs/replay.toml");

#[test]
fn a_configuration_with_an_error_is_refused_with_file_line_and_key() {
    let dir = Dir::new();
    let spot = arg(SPOT);
    let unknown = dir.file("unknown.toml", SHIPPED.replace("collar_bps", "collar_bpm"));
    refused(&[&spot, "--config", &unknown], &[&unknown, "line 16", "collar_bpm"]);
    let missing = dir.file("missing.toml", SHIPPED.replace("open_orders_max", "# open_orders_max"));
    refused(&[&spot, "--config", &missing], &[&missing, "open_orders_max"]);
    let range = dir.file("range.toml", SHIPPED.replace("timer_ms = 10", "timer_ms = 0"));
    refused(&[&spot, "--config", &range], &[&range, "[feed] timer_ms must be in 1..=1000"]);
    refused(&[&spot, "--config", &dir.at("none.toml")], &["none.toml: No such file"]);
    refused(&[&spot, "--config", dir.path().to_str().unwrap()], &["Is a directory"]);
}

#[test]
fn a_host_that_fails_strict_requirements_is_refused_and_otherwise_runs() {
    let dir = Dir::new();
    let (spot, host) = (arg(SPOT), |strict| {
        format!("{SHIPPED}\n[host]\nstrict_host = {strict}\nhuge_pages_min = 4000000000\n")
    });
    let strict = dir.file("strict.toml", host(true));
    refused(&[&spot, "--config", &strict], &["strict_host: this host does not meet", "huge"]);
    let lenient = dir.file("lenient.toml", host(false));
    replay([&spot, "--config", &lenient]).expect(0, &[]);
}

#[test]
fn the_summary_names_its_configuration() {
    let dir = Dir::new();
    let file = dir.file("capture", capture(Product::UsdM, &[S(15), D(2)]));
    let shipped = replay([&file, "--json"]).expect(0, &[]).json();
    assert_eq!(shipped["config"]["file"], "replay.toml (shipped)");
    let mine = dir.file("mine.toml", SHIPPED);
    let own = replay([&file, "--json", "--config", &mine]).expect(0, &[]).json();
    assert_eq!((own["config"]["file"].as_str(), &own["orders"]), (Some(mine.as_str()), &shipped["orders"]));
    assert_eq!(own["config"]["sha256"], shipped["config"]["sha256"], "the same text");
    let start = SHIPPED.find("[[strategy]]").unwrap();
    let quiet = format!("{}{}", &SHIPPED[..start], &SHIPPED[SHIPPED.find("[feed]").unwrap()..]);
    let quiet = dir.file("quiet.toml", quiet);
    let json = replay([&file, "--json", "--config", &quiet]).expect(0, &[]).json();
    assert_eq!((&json["orders"]["placed"], &json["book_updates"]), (&0.into(), &1.into()));
}

#[test]
fn a_placement_that_cannot_run_is_refused_with_file_and_reason() {
    let dir = Dir::new();
    let spot = arg(SPOT);
    let thread = |stages: &str, rest: &str| format!("[[thread]]\nstages = [{stages}]\n{rest}\n");
    let all = "\"feed\", \"book\", \"signal\", \"strategy\", \"gateway\"";
    for (text, what) in [
        (thread("\"feed\", \"book\"", ""), "no thread runs stage `signal`"),
        (thread(all, "") + &thread("\"book\"", ""), "stage `book` is named twice"),
        (thread(all, "") + &thread("", ""), "thread 2 has no stages"),
        (thread("\"book\", \"feed\", \"signal\", \"strategy\", \"gateway\"", ""), "must follow the data"),
        (thread(all, "core = 99999"), "core = 99999"),
        (thread(all, "cpu = 1"), "unknown field `cpu`"),
        (thread("\"feed\", \"bok\"", ""), "line 2"),
        ("threads = 5".into(), "line 1"),
        (String::new(), "thread"),
    ] {
        let file = dir.file("p.toml", text);
        refused(&[&spot, "--placement", &file], &[&file, what]);
    }
    refused(&[&spot, "--placement", "three"], &["three: ", "one, two, five, or a placement file"]);
}

#[test]
fn a_placement_file_decides_the_threads_and_changes_no_count() {
    let dir = Dir::new();
    let file = dir.file(
        "p.toml",
        "[[thread]]\nstages = [\"feed\", \"book\", \"gateway\"]\nidle = \"park\"\n[[thread]]\nstages = [\"signal\", \"strategy\"]\n",
    );
    let ran = replay([&arg(SPOT), "--json", "--placement", &file]).expect(0, &[]);
    let json = ran.json();
    assert_eq!(json["placement"].as_array().unwrap().len(), 2);
    assert_eq!(json["placement"][0]["core"], serde_json::Value::Null);
    assert_eq!(ran.counts(["book_updates", "dropped_unsynced", "gaps"]), [3449, 2, 0]);
    assert!(json["orders"]["placed"].as_u64().unwrap() > 0);
}

#[test]
fn a_journal_goes_into_a_new_or_empty_directory_only() {
    let dir = Dir::new();
    let file = dir.file("capture", capture(Product::UsdM, &[S(15), D(2)]));
    let run = dir.at("run");
    std::fs::create_dir(&run).unwrap();
    replay([&file, "--journal", &run]).expect(0, &[]);
    refused(&[&file, "--journal", &run], &[&run, "not empty"]);
    refused(&[&file, "--journal", &file], &[&file, "exists"]);
    // Where nobody can make a directory, the superuser neither.
    refused(&[&file, "--journal", "/proc/run"], &["/proc/run: "]);
}

#[test]
fn a_file_of_rows_that_cannot_be_made_is_refused_before_anything_runs() {
    let dir = Dir::new();
    let file = dir.file("capture", capture(Product::UsdM, &[S(15), D(2)]));
    let run = dir.at("run");
    for rows in [&dir.at("no/such/rows"), dir.path().to_str().unwrap(), "/proc/rows"] {
        refused(&[&file, "--books", rows, "--journal", &run], &[rows]);
        assert!(!std::path::Path::new(&run).exists(), "the journal was not begun");
    }
}

#[test]
fn rows_never_go_over_what_is_replayed() {
    let dir = Dir::new();
    let text = capture(Product::UsdM, &[S(15), D(2)]);
    let file = dir.file("capture", &text);
    std::os::unix::fs::symlink(&file, dir.at("link")).unwrap();
    for rows in [&file, &dir.at("link")] {
        refused(&[&file, "--books", rows], &["would overwrite", &file]);
        assert_eq!(std::fs::read_to_string(&file).unwrap(), text);
    }
}

#[test]
fn an_instrument_that_is_not_there_or_not_chosen_is_refused_with_those_that_are() {
    let (usdm, coinm) = (arg(USDM), arg(COINM));
    let both = "binance-usdm:BTCUSDT, binance-coinm:BTCUSD_PERP";
    let dir = Dir::new();
    let rows = dir.at("rows");
    refused(&[&usdm, &coinm, "--books", &rows], &[both, "choose the one for --books with --instrument"]);
    refused(&[&usdm, &coinm, "--books", &rows, "--instrument", "ETHUSDT"], &["--instrument ETHUSDT", both]);
    refused(&[&usdm, "--instrument", "ETHUSDT"], &["--instrument ETHUSDT", "binance-usdm:BTCUSDT"]);
    assert!(!std::path::Path::new(&rows).exists());
}

/// A capture of an instrument that nobody knows.
fn unknown(dir: &Dir, product: Product) -> String {
    let text = capture(product, &[S(15), D(2), D(3)]);
    dir.file("unknown", text.replace("BTCUSDT", "ETHUSDT").replace("BTCUSD", "ETHUSD"))
}

#[test]
fn an_unknown_instrument_is_refused_with_the_flags_that_describe_it() {
    let dir = Dir::new();
    for (product, name, flags) in [
        (Product::Spot, "binance-spot:ETHUSDT", "--tick and --lot, or"),
        (Product::UsdM, "binance-usdm:ETHUSDT", "--tick and --lot, or"),
        (Product::CoinM, "binance-coinm:ETHUSD_PERP", "--tick and --lot --contract-size, or"),
    ] {
        let file = unknown(&dir, product);
        refused(&[&file], &[&file, "line ", name, flags, "--instruments FILE"]);
    }
}

#[test]
fn a_described_instrument_is_replayed_and_what_was_assumed_is_printed_once() {
    let dir = Dir::new();
    let file = unknown(&dir, Product::UsdM);
    let args = [&file, &file, "--json", "--tick", "0.1", "--lot", "0.001"];
    let ran = replay(args).expect(0, &[]);
    let expected = [
        "status: trading",
        "minimum notional: 0",
        "quantity unit: 0.001 ",
        "contract size: 1",
        "base asset: ETHUSDT.base",
        "quote asset: ETHUSDT.quote",
    ];
    assert_eq!(ran.stderr.lines().count(), expected.len(), "{ran:?}");
    for line in expected {
        let line = format!("assumed binance-usdm:ETHUSDT: {line}");
        assert_eq!(ran.stderr.matches(&line).count(), 1, "{line}: {ran:?}");
    }
    assert_eq!(ran.counts(["book_updates", "decode_errors"]), [2, 0]);
    assert!(ran.json()["orders"]["placed"].as_u64().unwrap() > 0);
    // A known instrument's recorded values, given by hand, give its recorded books.
    let (by_hand, known) = (dir.at("by-hand"), dir.at("known"));
    let usdm = arg(USDM);
    let flags = ["--tick", "0.10", "--lot", "0.001", "--books", &by_hand];
    replay([usdm.as_str()].into_iter().chain(flags)).expect(0, &["quantity unit: 0.001 (from the digits"]);
    replay([&usdm, "--books", &known]).expect(0, &[]);
    assert!(support::text_of(by_hand.as_ref()) == support::text_of(known.as_ref()));
}

#[test]
fn an_inverse_instrument_is_described_with_its_contract_size() {
    let dir = Dir::new();
    let file = unknown(&dir, Product::CoinM);
    let args = [&file, "--json", "--tick", "0.1", "--lot", "1"];
    refused(&args, &[&file, "ETHUSD_PERP", "an inverse contract needs --contract-size"]);
    let ran = replay(args.iter().copied().chain(["--contract-size", "10"])).expect(0, &["assumed"]);
    assert!(!ran.stderr.contains("contract size"), "it was given: {ran:?}");
    assert_eq!(ran.counts(["book_updates"]), [2]);
    assert!(ran.json()["position"]["binance-coinm:ETHUSD_PERP"].is_string());
    for (flag, value) in [("--tick", "1e-1"), ("--tick", "0"), ("--lot", "0.5x"), ("--contract-size", "-10")]
    {
        let mut args = vec![file.as_str(), "--tick=0.1", "--lot=1", "--contract-size=10"];
        args.retain(|arg| !arg.starts_with(flag));
        let given = format!("{flag}={value}");
        args.push(&given);
        refused(&args, &["ETHUSD_PERP", flag, value]);
    }
}

#[test]
fn a_description_is_of_one_instrument_only() {
    let flags = ["--tick", "0.1", "--lot", "1", "--contract-size", "1"];
    let files = [arg(USDM), arg(COINM)];
    let args: Vec<&str> = files.iter().map(String::as_str).chain(flags).collect();
    refused(&args, &["--tick", "binance-usdm:BTCUSDT, binance-coinm:BTCUSD_PERP", "--instruments FILE"]);
    refused(&[&files[0], "--tick", "0.1"], &["--lot"]);
    refused(&[&files[0], "--contract-size", "1"], &["--tick"]);
}

/// An `exchangeInfo` answer with the filters of ETHUSDT, but for those of type `without`.
fn exchange_info(without: &str) -> String {
    let filters = serde_json::json!([
        {"filterType": "PRICE_FILTER", "minPrice": "0.01", "maxPrice": "1000000.00", "tickSize": "0.01"},
        {"filterType": "LOT_SIZE", "minQty": "0.00010000", "maxQty": "9000.00000000", "stepSize": "0.00010000"},
        {"filterType": "ICEBERG_PARTS", "limit": 100},
        {"filterType": "NOTIONAL", "minNotional": "5.00000000", "applyMinToMarket": true}
    ]);
    let filters: Vec<_> =
        filters.as_array().unwrap().iter().filter(|filter| filter["filterType"] != without).collect();
    serde_json::json!({"timezone": "UTC", "serverTime": 1_723_161_253_000_u64, "symbols": [{
        "symbol": "ETHUSDT", "status": "TRADING", "baseAsset": "ETH", "baseAssetPrecision": 8,
        "quoteAsset": "USDT", "quotePrecision": 8, "filters": filters
    }]})
    .to_string()
}

#[test]
fn an_exchange_info_answer_describes_instruments_and_one_without_filters_is_refused_by_name() {
    let dir = Dir::new();
    let file = unknown(&dir, Product::Spot);
    let answer = dir.file("info.json", exchange_info(""));
    let ran = replay([&file, "--json", "--instruments", &answer]).expect(0, &[]);
    assert_eq!((ran.counts(["book_updates"]), ran.stderr.as_str()), ([2], ""));
    assert_eq!(
        ran.json()["position"]["binance-spot:ETHUSDT"].as_str().unwrap().split('.').nth(1).unwrap().len(),
        8
    );
    for filter in ["PRICE_FILTER", "LOT_SIZE", "NOTIONAL"] {
        let answer = dir.file("less.json", exchange_info(filter));
        refused(&[&file, "--instruments", &answer], &[&answer, "ETHUSDT", filter]);
    }
    let fixture = shared("fixtures/binance/spot/http_json/exchange_info_response.json");
    let fixture = fixture.to_str().unwrap();
    refused(&[&file, "--instruments", fixture], &[fixture, "ETHBTC: no filter"]);
    let list = dir.file("list.toml", "[[instrument]]\nvenue = \"binance\"\nlots = \"1\"\n");
    refused(&[&file, "--instruments", &list], &[&list, "line 3", "lots"]);
    refused(&[&file, "--instruments", &dir.at("none")], &["none: No such file"]);
}

#[test]
fn a_capture_that_never_names_its_symbol_is_of_the_instrument_that_is_named() {
    let dir = Dir::new();
    let file = dir.file("snapshots", capture(Product::UsdM, &[S(15), S(25)]));
    replay([&file]).expect(1, &["none of its first 2 lines names a symbol of binance-usdm", "--instrument"]);
    for name in ["BTCUSDT", "binance-usdm:BTCUSDT"] {
        let ran = replay([&file, "--json", "--instrument", name]).expect(0, &[]);
        assert_eq!(ran.json()["messages"], serde_json::json!({"snapshot": 2}));
    }
}

#[test]
fn flags_with_values_that_make_no_sense_are_refused_with_the_value() {
    let spot = arg(SPOT);
    for (flag, value) in [
        ("--pace", "fast"),
        ("--pace", "0/s"),
        ("--pace", "-1x"),
        ("--books-every", "0"),
        ("--venue", "nasdaq"),
    ] {
        refused(&[&spot, &format!("{flag}={value}")], &[flag, value]);
    }
    refused(&[], &["<FILES>"]);
    assert_eq!(command(["--help"]).output().unwrap().status.code(), Some(0));
}
