//! The fault simulator: a thousand seeds break no rule, and what would break one is found and named.

use sim::Bug;
use sim::run::{Outcome, repeat, seed_and_forget};
use std::sync::atomic::{AtomicU64, Ordering};

const SEEDS: u64 = 1_000;

#[test]
fn a_thousand_seeds_break_no_rule() {
    let next = AtomicU64::new(1);
    let work = || {
        let (mut total, mut failures) = (Outcome::default(), vec![]);
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed > SEEDS {
                return (total, failures);
            }
            match seed_and_forget(seed, None) {
                Ok(outcome) if outcome.violations.is_empty() => total.add(&outcome),
                Ok(outcome) => failures.push(format!("{} {:#?}", repeat(seed, None), outcome.violations)),
                Err(error) => failures.push(format!("{} {error}", repeat(seed, None))),
            }
        }
    };
    let (totals, failures): (Vec<Outcome>, Vec<Vec<String>>) = std::thread::scope(|scope| {
        let threads = [scope.spawn(work), scope.spawn(work)];
        threads.map(|thread| thread.join().unwrap()).into_iter().unzip()
    });
    let failures = failures.concat();
    assert!(failures.is_empty(), "{} seeds failed; repeat one:\n{}", failures.len(), failures.join("\n"));
    let mut total = Outcome::default();
    totals.iter().for_each(|one| total.add(one));
    // All of it happened: crashes and restarts, broken streams and private streams, unknown orders, lost records.
    let Outcome { lives, orders, fills, queries, breaks, reconnects, refusals, .. } = total;
    assert!(lives > 2 * SEEDS && orders > 20_000 && fills > 5_000 && queries > 5_000, "{total:?}");
    assert!(breaks > 1_000 && reconnects > 50 && refusals > 0, "{total:?}");
}

#[test]
fn a_seed_is_the_same_run_every_time() {
    for seed in [3, 19, 79] {
        let outcome = || format!("{:?}", seed_and_forget(seed, None).unwrap());
        assert_eq!(outcome(), outcome());
    }
}

/// The checks that name a bug, of which one at least must.
fn named_by(bug: Bug) -> &'static [&'static str] {
    match bug {
        Bug::UnjournalledOrder => &["journalled"],
        Bug::ReusedIds => &["ids"],
        Bug::ForgottenRun | Bug::FillToldTwice | Bug::InventedAbsence => &["books"],
        Bug::LooseLimit => &["limits"],
        Bug::OldBook => &["stale book"],
        Bug::LostCause => &["causes"],
    }
}

#[test]
fn every_planted_bug_is_named() {
    for bug in <Bug as clap::ValueEnum>::value_variants() {
        let mut others = vec![];
        let found = (1..=SEEDS_A_BUG).find(|seed| {
            let violations = seed_and_forget(*seed, Some(*bug)).unwrap().violations;
            let named = violations.iter().any(|violation| named_by(*bug).contains(&violation.check));
            others.extend(violations.into_iter().map(|violation| violation.check));
            named
        });
        assert!(found.is_some(), "{bug:?}: not found; named instead: {others:?}");
    }
}

const SEEDS_A_BUG: u64 = 60;
