//! `sabrewing check`: what it lets pass could start, and what is wrong is said at once, each mistake with its key.

mod support;

use std::process::{Command, Stdio};
use support::{Dir, Ran};

const PAPER: &str = include_str!("../configs/binance-paper.toml");
const TESTNET: &str = include_str!("../configs/binance-testnet.toml");

/// `sabrewing COMMAND --config` in a directory of its own, with a file of this text.
fn sabrewing(dir: &Dir, command: &str, text: &str) -> Ran {
    dir.file("mine.toml", text);
    let mut sabrewing = Command::new(env!("CARGO_BIN_EXE_sabrewing"));
    sabrewing.args([command, "--config", "mine.toml"]).current_dir(dir.path()).stdin(Stdio::null());
    sabrewing.output().unwrap().into()
}

/// The lines with which both `check` and `run` refuse it, before a run has begun.
fn refused(text: &str) -> Vec<String> {
    let dir = Dir::new();
    let [check, run] = ["check", "run"].map(|command| {
        let ran = sabrewing(&dir, command, text).expect(2, &[]);
        assert_eq!(ran.stdout, "", "{ran:?}");
        ran.stderr
            .strip_prefix(&format!("sabrewing {command}: "))
            .unwrap_or_else(|| panic!("{ran:?}"))
            .to_owned()
    });
    assert_eq!(check, run);
    assert!(!dir.path().join("data").exists(), "a run has begun");
    check.lines().map(str::to_owned).collect()
}

/// The text with something else in one place.
fn with(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "{from}");
    text.replacen(from, to, 1)
}

#[test]
fn what_ships_could_start() {
    let dir = Dir::new();
    for text in [PAPER, TESTNET] {
        let page = sabrewing(&dir, "check", text).expect(0, &[]).stdout;
        assert!(page.starts_with("mine.toml: a run could start with it\n"), "{page}");
    }
}

#[test]
fn a_strategy_of_an_instrument_that_the_file_does_not_watch_is_refused() {
    let none = with(
        PAPER,
        "instruments = [\"*\"]",
        "instruments = [\"binance-usdm:BTCUSDT\", \"binance-usdm:ETHUSDT\"]",
    );
    let line = "mine.toml: [[strategy]] name = \"mm\", instruments: the run has no \"binance-usdm:ETHUSDT\"; did you \
                mean \"binance-usdm:BTCUSDT\"?";
    assert_eq!(refused(&none), [line]);
    let both = with(&none, "symbols = [\"BTCUSDT\"]", "symbols = [\"BTCUSDT\", \"ETHUSDT\"]");
    sabrewing(&Dir::new(), "check", &both).expect(0, &[]);
}

#[test]
fn a_url_that_is_none_is_refused_on_paper_too() {
    let bad = with(PAPER, "# rest = \"https://fapi.binance.com\"", "rest = \"https://bad host\"");
    let bad = with(&bad, "# stream = \"wss://fstream.binance.com\"", "stream = \"wss://a.b:99999\"");
    let venue = "mine.toml: [[venue]] name = \"binance-usdm\", ";
    let lines = [
        format!("{venue}rest: \"https://bad host\" has no host, or one that is none"),
        format!("{venue}stream: \"wss://a.b:99999\" has a port that is none"),
    ];
    assert_eq!(refused(&bad), lines);
    let other = with(PAPER, "# rest = \"https://fapi.binance.com\"", "rest = \"wss://fapi.binance.com\"");
    assert_eq!(
        refused(&other),
        [format!("{venue}rest: \"wss://fapi.binance.com\" does not begin with https:// or http://")]
    );
}

#[test]
fn mistakes_of_accounts_and_of_what_the_file_names_are_all_said() {
    let accounts = with(TESTNET, "recv_window_ms = 2000", "recv_window_ms = 0");
    let accounts = with(&accounts, "env:BINANCE_SPOT", "BINANCE_SPOT");
    let lines = refused(&accounts);
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines[0].ends_with("[[account]] venue = \"binance-usdm\", recv_window_ms must be in 1..=60000"));
    assert!(lines[1].ends_with("[[account]] venue = \"binance-spot\", key_from: env:NAME or file:PATH"));

    let named = with(TESTNET, "placement = \"one\"", "placement = \"nowhere.toml\"");
    let named =
        with(&named, "rest = \"https://testnet.binancefuture.com\"", "rest = \"https://fapi.binance.com\"");
    let named = with(&named, "# root_certificate = \"root.pem\"", "root_certificate = \"none.pem\"");
    let ran = sabrewing(&Dir::new(), "check", &named).expect(2, &[]);
    let lines: Vec<&str> = ran.stderr.lines().collect();
    let words = ["nowhere.toml", "fapi.binance.com is no test network", "root_certificate none.pem"];
    assert_eq!(lines.len(), words.len(), "{ran:?}");
    for (line, word) in lines.iter().zip(words) {
        assert!(line.contains(word), "{word}: {line}");
    }
}
