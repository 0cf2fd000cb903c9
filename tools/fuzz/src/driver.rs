//! The search: changes inputs, runs them, and keeps those whose outcome is new. It needs nothing but the
//! stable compiler. Where a coverage-guided fuzzer looks at the branches taken, this one looks at what the
//! parser said (the kind of event, the error with its key and place): coarser, but the same on every machine.

use crate::mutate::mutate;
use crate::random::Random;
use std::any::Any;
use std::cell::Cell;
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

/// What a parser made of an input and of its parts, as numbers; an input with a new one is kept.
pub type Outcome = Vec<u64>;

/// When a search ends if it finds nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// After so many inputs: the same on every machine.
    Inputs(u64),
    /// After this time.
    Time(Duration),
}

/// What a search did.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Inputs tried.
    pub inputs: u64,
    /// Different outcomes seen.
    pub outcomes: usize,
    /// The input that broke a property, and what was broken.
    pub failure: Option<Failure>,
}

/// An input that broke a property.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The input.
    pub input: Vec<u8>,
    /// The broken assertion.
    pub message: String,
}

/// Inputs kept beside the corpus; beyond that a new one replaces an old one.
const KEPT_MAX: usize = 4096;

/// Runs the corpus, then changed inputs, until one breaks a property or the limit is reached.
pub fn search(
    run: &dyn Fn(&[u8]) -> Outcome,
    corpus: &[Vec<u8>],
    words: &[&str],
    seed: u64,
    limit: Limit,
) -> Report {
    let (mut random, start) = (Random::new(seed), Instant::now());
    let (mut seen, mut pool, mut report) = (BTreeSet::new(), corpus.to_vec(), Report::default());
    let mut first = corpus.iter().cloned();
    if pool.is_empty() {
        pool.push(Vec::new());
    }
    let goes_on = |inputs: u64| match limit {
        Limit::Inputs(most) => inputs < most,
        // The clock is looked at now and then only.
        Limit::Time(most) => !inputs.is_multiple_of(16) || start.elapsed() < most,
    };
    while goes_on(report.inputs) {
        let input = first.next().unwrap_or_else(|| {
            let mut input = random.of(&pool).clone();
            let other = random.of(&pool).clone();
            mutate(&mut input, &other, words, &mut random);
            input
        });
        report.inputs += 1;
        match attempt(run, &input) {
            Ok(outcome) if outcome.iter().fold(false, |new, one| seen.insert(*one) | new) => {
                if pool.len() < corpus.len() + KEPT_MAX {
                    pool.push(input);
                } else {
                    let replaced = corpus.len() + random.below(KEPT_MAX);
                    pool[replaced] = input;
                }
            }
            Ok(_) => {}
            Err(message) => {
                report.failure = Some(Failure { input, message });
                break;
            }
        }
    }
    report.outcomes = seen.len();
    report
}

/// Runs one input. Err: the message of the property that it broke.
pub fn attempt(run: &dyn Fn(&[u8]) -> Outcome, input: &[u8]) -> Result<Outcome, String> {
    ATTEMPTING.set(true);
    let ran = catch_unwind(AssertUnwindSafe(|| run(input)));
    ATTEMPTING.set(false);
    ran.map_err(|panic| message_of(panic.as_ref()))
}

/// Whether this thread runs an input: a panic there is a broken property, elsewhere the search's own.
#[must_use]
pub fn is_attempting() -> bool {
    ATTEMPTING.get()
}

thread_local! {
    static ATTEMPTING: Cell<bool> = const { Cell::new(false) };
}

/// The smallest input found that still breaks a property, by leaving out ever smaller parts.
#[must_use]
pub fn shrink(run: &dyn Fn(&[u8]) -> Outcome, failure: Failure) -> Failure {
    let mut best = failure;
    let (mut part, mut tries) = (best.input.len().div_ceil(2), 0);
    while part > 0 && tries < SHRINK_TRIES {
        let (mut at, mut found) = (0, false);
        while at < best.input.len() && tries < SHRINK_TRIES {
            let mut input = best.input.clone();
            input.drain(at..(at + part).min(input.len()));
            tries += 1;
            match attempt(run, &input) {
                Err(message) => (best, found) = (Failure { input, message }, true),
                Ok(_) => at += part,
            }
        }
        if !found {
            part /= 2;
        }
    }
    best
}

const SHRINK_TRIES: u32 = 3_000;

fn message_of(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic without a text").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Refuses what holds `777`.
    fn picky(input: &[u8]) -> Outcome {
        let sevens = input.windows(3).any(|three| three == b"777");
        assert!(!sevens, "three sevens");
        vec![input.iter().filter(|byte| **byte == b'7').count() as u64]
    }

    #[test]
    fn a_search_repeats_finds_and_shrinks_to_the_heart_of_the_matter() {
        let corpus = [b"a line with 7 in it, and more".to_vec()];
        let find = |seed| search(&picky, &corpus, &[], seed, Limit::Inputs(200_000));
        let found = find(5);
        let failure = found.failure.clone().unwrap();
        assert_eq!((find(5).failure, find(5).inputs), (found.failure, found.inputs));
        assert_eq!(failure.message, "three sevens");
        assert_eq!(shrink(&picky, failure).input, b"777");
    }

    #[test]
    fn a_search_without_a_find_ends_at_its_limit() {
        let report = search(&|input| vec![input.len() as u64], &[], &["w"], 1, Limit::Inputs(500));
        assert_eq!((report.inputs, report.failure), (500, None));
        assert!(report.outcomes > 10);
    }
}
