//! The corpus as an ordinary test, recorded messages in place, a short search from a fixed seed, and a bug put
//! in on purpose that the search has to find.

use engine::message::Ticker;
use engine::num::Price;
use feeds::codec::Decoded;
use fuzz::targets::binance;
use fuzz::{Limit, Outcome, TARGETS, Target, attempt, recorded, search, shrink};

#[test]
fn every_target_has_a_corpus_on_which_its_properties_hold() {
    for target in TARGETS {
        let corpus = target.corpus();
        assert!(corpus.len() >= 3, "{} has a corpus of {}", target.name, corpus.len());
        for (file, input) in corpus {
            if let Err(message) = attempt(&target.run, &input) {
                panic!(
                    "{message}: cargo run -p fuzz -- {0} --input tools/fuzz/corpus/{0}/{file}",
                    target.name
                );
            }
        }
    }
}

#[test]
fn the_corpus_stays_small_and_every_folder_is_a_targets() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/corpus");
    for entry in std::fs::read_dir(folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(Target::find(&name).is_some(), "corpus/{name} belongs to no target");
    }
    let bytes: usize = TARGETS.iter().flat_map(Target::corpus).map(|(_, input)| input.len()).sum();
    assert!(bytes < 300_000, "{bytes} bytes");
}

#[test]
fn the_properties_hold_on_recorded_messages() {
    let find = |name| Target::find(name).unwrap();
    for market in ["spot", "usdm", "coinm", "perp"] {
        let lines = recorded(market, 97);
        let frames = lines.iter().map(|line| line.splitn(2, |byte| *byte == b' ').nth(1).unwrap());
        let decoder = find(if market == "perp" { "hyperliquid" } else { "binance" });
        let named = |lines: Vec<&[u8]>| [&[market.as_bytes()], &lines[..]].concat().join(&b'\n');
        (decoder.run)(&named(frames.collect()));
        // From the start on, so that there is a book; a snapshot may come late.
        let first: Vec<&[u8]> = recorded_from_start(&lines);
        (find("stage").run)(&named(first.clone()));
        (find("lines").run)(&first.join(&b'\n'));
        (find("detect").run)(&first.join(&b'\n'));
    }
}

fn recorded_from_start(lines: &[Vec<u8>]) -> Vec<&[u8]> {
    lines.iter().take(400).map(Vec::as_slice).collect()
}

/// Few inputs a target, so that `cargo test` stays quick; `fuzz` goes on for as long as it is told.
#[test]
fn a_short_search_finds_nothing() {
    for target in TARGETS {
        let corpus: Vec<_> = target.corpus().into_iter().map(|(_, input)| input).collect();
        let inputs = corpus.len() as u64 + 300;
        let report = search(&target.run, &corpus, target.words, 20_261_121, Limit::Inputs(inputs));
        if let Some(failure) = report.failure {
            panic!("{}: {:?}", target.name, shrink(&target.run, failure));
        }
        assert!(report.outcomes > 3, "{} tells {} outcomes apart", target.name, report.outcomes);
    }
}

/// A scanner that reads a best bid wrong when nothing rests there and the ask is dear.
fn planted(data: &[u8]) -> Outcome {
    binance::run(data, &|_, out: &mut Decoded| {
        let Ticker { bid, ask, .. } = out.ticker;
        if bid.qty.0 == 0 && bid.price.0 > 0 && ask.price.0 > 1_000_000 {
            out.ticker.bid.price = Price(bid.price.0 + 1);
        }
    })
}

#[test]
fn a_bug_put_in_on_purpose_is_found_and_the_corpus_alone_does_not_find_it() {
    let target = Target::find("binance").unwrap();
    let corpus: Vec<_> = target.corpus().into_iter().map(|(_, input)| input).collect();
    for input in &corpus {
        assert!(attempt(&planted, input).is_ok(), "the corpus would have found it");
    }
    for seed in 1..=3 {
        let report = search(&planted, &corpus, target.words, seed, Limit::Inputs(PLANTED_INPUTS_MAX));
        let failure =
            report.failure.unwrap_or_else(|| panic!("seed {seed}: not in {} inputs", report.inputs));
        println!("seed {seed}: found after {} inputs", report.inputs);
        assert!(failure.message.contains("differ"), "{}", failure.message);
    }
}

const PLANTED_INPUTS_MAX: u64 = 200_000;
