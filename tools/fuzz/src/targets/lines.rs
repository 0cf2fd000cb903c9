//! A capture's lines: a line is split where another reading splits it, and the receive times that are used
//! go only forward.
//!
//! Input: lines.

use crate::driver::Outcome;
use crate::truth::outcome;
use engine::time::Nanos;
use feeds::capture::{ClockFault, RecvClock, split_line};

/// Runs one input.
pub fn target(data: &[u8]) -> Outcome {
    let (mut clock, mut said_before, mut outcomes) = (RecvClock::default(), None, Vec::new());
    for line in data.split(|byte| *byte == b'\n') {
        let split = split_line(line);
        let expected = split_slowly(line);
        assert_eq!(split.ok(), expected, "{}", String::from_utf8_lossy(line));
        match split {
            Ok((says, message)) => {
                assert_eq!(format!("{}", says.0), trimmed(&line[..line.len() - message.len() - 1]));
                let before = clock.last();
                let fault = take(&mut clock, says, said_before);
                said_before = Some(says);
                outcomes.push((fault.map(|fault| fault == ClockFault::Back), says.0 > before.0));
            }
            Err(error) => {
                assert!(error.offset as usize <= line.len(), "{error}");
                outcomes.push((None, error.offset == 0));
            }
        }
    }
    outcomes.windows(3.min(outcomes.len().max(1))).flat_map(outcome).collect()
}

/// One step of the clock, and what must hold of it.
fn take(clock: &mut RecvClock, says: Nanos, said_before: Option<Nanos>) -> Option<ClockFault> {
    let before = clock.last();
    let (used, fault) = clock.take(says);
    assert!(used >= before, "time goes back from {before:?} to {used:?}");
    assert_eq!(used, clock.last());
    match fault {
        None => assert_eq!(used, says, "a time without fault is used as it is"),
        Some(ClockFault::Back) => assert!(says < before && used == before),
        Some(ClockFault::Forward) => assert!(says.since(before) > Nanos::HOUR && used == before),
    }
    // A leap is believed only when the line before leapt to about the same time.
    if said_before.is_some() && used.since(before) > Nanos::HOUR {
        let before = said_before.unwrap_or_default();
        assert!(used >= before && used.since(before) <= Nanos::HOUR, "{before:?} then {used:?}");
    }
    fault
}

fn split_slowly(line: &[u8]) -> Option<(Nanos, &[u8])> {
    let at = line.iter().position(|byte| *byte == b' ')?;
    let digits = std::str::from_utf8(&line[..at]).ok().filter(|digits| !digits.starts_with('+'))?;
    digits.parse().ok().map(|ns| (Nanos(ns), &line[at + 1..]))
}

fn trimmed(digits: &[u8]) -> String {
    let digits = String::from_utf8_lossy(digits);
    let significant = digits.trim_start_matches('0');
    if significant.is_empty() { "0".into() } else { significant.into() }
}
