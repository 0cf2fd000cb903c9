//! Names that no other program was compared with, each against a second implementation: whole-array,
//! window by window, from the formula of its catalogue entry and nothing of the library.

#![expect(clippy::disallowed_methods, reason = "a second implementation takes its logarithms elsewhere")]

mod averages;
mod features;
mod filters;
mod levels;
mod market;
mod oscillators;
mod series;
#[path = "../support/mod.rs"]
mod support;
mod volatility;
mod volume;

use market::{Check, Market};
use strategies::indicators::catalogue;
use support::text;

#[test]
fn every_name_without_a_golden_column_has_a_second_implementation_that_agrees() {
    let mut compared = Vec::new();
    let mut wrong = Vec::new();
    for file in ["BTC_USDT-5m", "ETH_USDT-1d", "ETH_BTC-5m"] {
        let market = Market::of(file, 700);
        let mut check = Check { market: &market, file, wrong: Vec::new(), seen: Vec::new() };
        averages::compare(&mut check);
        filters::compare(&mut check);
        oscillators::compare(&mut check);
        volatility::compare(&mut check);
        volume::compare(&mut check);
        levels::compare(&mut check);
        features::compare(&mut check);
        compared = check.seen;
        wrong.extend(check.wrong);
    }
    assert!(wrong.is_empty(), "{} differ\n{}", wrong.len(), wrong.join("\n"));
    let left: Vec<&str> = catalogue()
        .map(|(_, entry)| entry)
        .filter(|entry| entry.compared.is_empty())
        .map(|entry| entry.name)
        .filter(|name| !compared.iter().any(|seen| names(seen, name)))
        .collect();
    assert!(left.is_empty(), "neither a golden column nor a second implementation: {left:?}");
}

/// Is `column` a column of the indicator `name`?
fn names(column: &str, name: &str) -> bool {
    strategies::indicators::Request::parse(column).is_ok_and(|request| request.entry().name == name)
}

/// Names of other packages whose indicator is spelt differently here, or is an output, or no indicator.
const ELSEWHERE: &[(&str, &str)] = &[
    ("dm", "plus_dm"),
    ("rvi", "rvi_volatility"),
    ("bb", "bb"),
    ("swings", "swings"),
    ("fuzzy-candles", "fuzzy_candle"),
    ("keltner-position", "keltner_position"),
    ("vertical-ratio", "volatility_ratio"),
    ("efficiency-ratio", "er"),
    // Fed with books, not with candles: `strategies::indicators::micro`.
    ("spread-analyzer", ""),
    ("book-imbalance", ""),
];

#[test]
fn nobody_who_comes_from_another_package_misses_a_name() {
    let listed = text("indicator-names.md");
    let mut missing = Vec::new();
    let mut count = 0;
    for line in listed.lines().filter(|line| line.starts_with("**")) {
        let (_, names) = line.split_once(":**").unwrap();
        for name in names.split([' ', '|']).filter(|name| !name.is_empty()) {
            count += 1;
            let here = ELSEWHERE.iter().find(|(there, _)| *there == name).map_or(name, |(_, here)| here);
            if !here.is_empty() && strategies::indicators::Request::parse(here).is_err() {
                missing.push(name.to_owned());
            }
        }
    }
    assert!(count > 200 && missing.is_empty(), "of {count}: {missing:?}");
}
