//! `docs/strategy.md`: its strategy is the file that is compiled here, is short, is configured as it says, and
//! trades over a capture through the real pipeline, in each placement, alone and beside the market maker.

mod pipeline;

#[allow(unreachable_pub, reason = "as it stands in a crate of strategies")]
#[path = "../../../strategies/examples/joiner.rs"]
mod joiner;

use engine::runner;
use engine::time::StampClock;
use pipeline::{Market, NoTap, placements, prepare_with};
use sabrewing::config::Config;
use serde::Deserialize;
use std::sync::Arc;
use strategies::registry::{KINDS, Kind, StrategyConfig, StrategyTable};

const PAGE: &str = include_str!("../../../docs/strategy.md");
const CODE: &str = include_str!("../../../strategies/examples/joiner.rs");

/// The text between a fence of this language and the next.
fn block(language: &str) -> &'static str {
    let (_, rest) = PAGE.split_once(&format!("```{language}\n")).unwrap();
    rest.split_once("```").unwrap().0
}

fn configured(kinds: &[Kind]) -> Result<Vec<StrategyConfig>, String> {
    #[derive(Deserialize)]
    struct File {
        strategy: Vec<StrategyTable>,
    }
    let file: File = toml::from_str(block("toml")).unwrap();
    StrategyConfig::all(kinds, &file.strategy)
}

#[test]
fn the_page_shows_the_code_that_is_compiled_in_fewer_than_fifty_lines() {
    assert_eq!(block("rust"), CODE);
    assert!(CODE.lines().count() < 50, "{} lines", CODE.lines().count());
}

#[test]
fn a_kind_that_is_not_in_the_table_is_refused() {
    let error = configured(KINDS).unwrap_err();
    assert!(error.starts_with("[[strategy]] name = \"join\", kind: no such strategy \"joiner\""), "{error}");
}

#[test]
fn the_strategy_of_the_page_trades_in_each_placement_beside_the_market_maker() {
    let market = Arc::new(Market::usdm(30_000));
    for (name, placement) in placements() {
        let mut config = Config::load(None).unwrap();
        let kinds = [KINDS, &[joiner::KIND]].concat();
        config.strategies.extend(configured(&kinds).unwrap());
        let run = prepare_with(&config, &market, &placement, None::<NoTap>, &mut None, &StampClock::off());
        runner::run(run.threads, &run.control, || ()).unwrap();
        assert_eq!(run.control.stopped(), None, "{name}: {:?}", run.control.detail());
        let counters = run.counters.snapshot().unwrap();
        for strategy in ["mm", "join"] {
            let reason = counters
                .counters
                .iter()
                .find(|entry| entry.name == "not_quoting" && entry.strategy == strategy)
                .unwrap();
            assert_ne!(reason.value, 1, "{name}: {strategy} saw nothing");
        }
        let orders = run.reports.gateway.recv().unwrap().orders;
        assert!(orders.placed > 100 && orders.filled > 10, "{name}: {orders:?}");
    }
}

#[test]
fn the_strategy_of_the_page_trades_alone() {
    let market = Arc::new(Market::usdm(30_000));
    let mut config = Config::load(None).unwrap();
    config.strategies = configured(&[joiner::KIND]).unwrap();
    let [(_, one), ..] = placements();
    let run = prepare_with(&config, &market, &one, None::<NoTap>, &mut None, &StampClock::off());
    runner::run(run.threads, &run.control, || ()).unwrap();
    let orders = run.reports.gateway.recv().unwrap().orders;
    assert!(orders.placed > 100 && orders.filled > 10, "{orders:?}");
}
