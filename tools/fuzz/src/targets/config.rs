//! Configuration and placement files: what is accepted lies in the ranges that are written down, nothing
//! unknown is let through, and a placement runs every stage once.
//!
//! Input: a file.

use crate::driver::Outcome;
use crate::scratch;
use crate::truth::outcome;
use engine::journal::Durability;
use engine::placement::{Placement, StageId};
use sabrewing::config::{Config, PlacementChoice};

/// Runs one input as a configuration.
pub fn target(data: &[u8]) -> Outcome {
    let path = scratch::file("config.toml", data);
    match Config::load(Some(&path)) {
        Ok(config) => {
            assert_eq!(config.text.as_bytes(), data, "the journal gets the text as it is");
            assert!((1_000_000..=1_000_000_000).contains(&config.feed.timer_ns.0));
            assert!((1 << 20..=256 << 20).contains(&config.feed.resync_buffer_bytes));
            for bytes in [config.feed_segment_bytes, config.segment_bytes] {
                assert!((1 << 20..=4096 << 20).contains(&bytes) && bytes.is_multiple_of(4096));
            }
            assert!(config.book.window_ticks().is_power_of_two() && config.book.capacity_per_side() > 0);
            assert!(!matches!(config.durability, Durability::Msync { every_ms: 0 | 60_001.. }));
            // One more table, and a key in each of those there are.
            let text = &config.text;
            refused(&format!("{text}\n[zz_unknown]\nx = 1\n"));
            for table in ["[risk]", "[[strategy]]", "[feed]", "[book]", "[latency]", "[journal]", "[host]"] {
                let header = text.lines().find(|line| line.trim_end() == table);
                if header.is_some() && text.matches(table).count() == 1 {
                    refused(&text.replacen(table, &format!("{table}\nzz_unknown = 1"), 1));
                }
            }
            for strategy in &config.strategies {
                let params = strategy.kind.params;
                assert_eq!(strategy.values.len(), params.len(), "every parameter has a value");
                for (param, value) in params.iter().zip(&strategy.values) {
                    assert!((param.min..=param.max).contains(value), "{}", param.name);
                }
                assert!(!strategy.instruments.is_empty() && (strategy.kind.check)(&strategy.values).is_ok());
            }
            outcome(("accepted", config.strategies.len().min(3), config.host.is_some(), config.stamps))
        }
        Err(error) => {
            let text = error.to_string();
            let what = text.strip_prefix(&format!("{}: ", path.display()));
            let what = what.unwrap_or_else(|| panic!("an error that does not name its file: {text}"));
            assert!(!what.trim().is_empty());
            outcome(what.lines().last().map(|line| line.split(['`', '"']).next().map(str::to_owned)))
        }
    }
}

fn refused(text: &str) {
    let path = scratch::file("config.toml", text.as_bytes());
    assert!(Config::load(Some(&path)).is_err(), "an unknown key is let through: {text}");
}

/// Runs one input as a placement.
pub fn placement(data: &[u8]) -> Outcome {
    let path = scratch::file("placement.toml", data);
    let choice = PlacementChoice::from(path.to_str().unwrap_or_default());
    let mut said = Vec::new();
    for (name, threads) in [("one", 1), ("two", 2), ("five", 5)] {
        let placement = PlacementChoice::from(name).load(&[0, 1]);
        assert!(placement.is_ok_and(|placement| placement.threads.len() == threads), "{name}");
    }
    for cores in [&[0][..], &[0, 1, 2, 3, 4, 5]] {
        match choice.load(cores) {
            Ok(placement) => {
                let mut stages: Vec<_> = placement.threads.iter().flat_map(|thread| &thread.stages).collect();
                stages.sort();
                assert!(stages.into_iter().eq(&StageId::ALL), "every stage once");
                for thread in &placement.threads {
                    assert!(thread.stages.is_sorted() && !thread.stages.is_empty());
                    assert!(thread.core.is_none_or(|core| core < 1024));
                    assert_eq!(thread.chains().concat(), thread.stages, "chains are the stages in order");
                    assert!(!thread.name().is_empty());
                }
                assert_eq!(placement.check(cores.len()), Ok(()));
                let written = toml_of(&placement);
                let again: Placement =
                    toml::from_str(&written).unwrap_or_else(|error| panic!("{error}: {written}"));
                assert_eq!(again, placement);
                said.push((placement.threads.len(), String::new()));
            }
            Err(error) => {
                let text = error.to_string();
                assert!(text.starts_with(&path.display().to_string()), "{text}");
                let last = text.lines().last().unwrap_or_default();
                said.push((0, last.split(['`', '"']).next().unwrap_or_default().to_owned()));
            }
        }
    }
    outcome(said)
}

fn toml_of(placement: &Placement) -> String {
    let thread = |thread: &engine::placement::ThreadPlan| {
        let stages: Vec<_> = thread.stages.iter().map(|stage| format!("\"{}\"", stage.name())).collect();
        let core = thread.core.map_or(String::new(), |core| format!("core = {core}\n"));
        let idle = match thread.idle {
            engine::placement::Idle::Spin => "spin",
            engine::placement::Idle::SpinThenYield => "spin-then-yield",
            engine::placement::Idle::Park => "park",
        };
        format!("[[thread]]\nstages = [{}]\n{core}idle = \"{idle}\"\n", stages.join(", "))
    };
    placement.threads.iter().map(thread).collect()
}
