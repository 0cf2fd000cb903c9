//! Numbers, lengths of time among them: read as another parser reads them, refused for the reason there is, and the
//! same after printing and reading again.
//!
//! Input: lines of `EXPONENT TEXT`; a line without a space is a text with exponent 8.

use crate::driver::Outcome;
use crate::truth::{count_of, outcome};
use engine::num::{Decimal, NumError, Price, Qty, Step, parse_decimal};
use engine::time::Nanos;

/// Runs one input.
pub fn target(data: &[u8]) -> Outcome {
    data.split(|byte| *byte == b'\n').take(64).flat_map(line).collect()
}

fn line(line: &[u8]) -> Outcome {
    let space = line.iter().position(|byte| *byte == b' ');
    let (exponent, text) = match space {
        Some(at) => (std::str::from_utf8(&line[..at]).ok().and_then(|e| e.parse().ok()), &line[at + 1..]),
        None => (None, line),
    };
    let exponent = exponent.unwrap_or(8_u8) % 19;
    let shown = String::from_utf8_lossy(text);
    let count = parse_decimal(text, exponent);
    assert!(same(count, count_of(text, exponent)), "{shown} at {exponent}: {count:?}");
    if let Ok(value) = count {
        let decimal = Decimal { mantissa: value.into(), exponent, digits: exponent };
        assert_eq!(parse_decimal(decimal.to_string().as_bytes(), exponent), Ok(value), "{shown}");
    }
    let step = Step::parse(text);
    match step {
        Ok(step) => {
            assert!(step.mantissa() > 0 && step.exponent() <= 18 && step.digits() <= 18);
            assert!(step.exponent() == 0 || step.mantissa() % 10 != 0, "shortened");
            assert_eq!(Step::parse(step.to_string().as_bytes()), Ok(step), "{shown}");
            assert_eq!(step.count(text), Ok(1), "a step is one of itself");
            three(step, &shown);
        }
        Err(error) => assert!(
            count_of(text, 18).is_err() || count_of(text, 18) == Ok(0) || error == NumError::OutOfRange,
            "{shown}: {error}"
        ),
    }
    let decimal = Decimal::parse(&shown);
    if let Ok(decimal) = decimal {
        assert_eq!(Decimal::parse(&decimal.to_string()), Ok(decimal), "{shown}");
        let body = shown.strip_prefix('-').unwrap_or(&shown).as_bytes();
        let magnitude = i64::try_from(decimal.mantissa.unsigned_abs()).ok();
        assert_eq!(count_of(body, decimal.exponent).ok(), magnitude, "{shown}");
        let twice = decimal.checked_add(decimal).map(|twice| twice.mantissa);
        assert_eq!(twice, Ok(2 * decimal.mantissa), "{shown}");
        let floor = decimal.floor_to(exponent);
        assert!(floor.rescaled(18).unwrap_or(0) <= decimal.rescaled(18).unwrap_or(0) || floor == decimal);
    }
    let length = length(&shown);
    let said = count.map(i64::checked_ilog10).map_err(|error| error as u8);
    outcome((said, step.map(Step::exponent).map_err(|error| error as u8), decimal.is_ok(), length))
}

/// What the digits and the unit make of it.
fn length(text: &str) -> Option<u32> {
    let of_unit = |(unit, ns): &(&str, u128)| {
        let digits = text.strip_suffix(unit)?;
        let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
        let ns = digits.parse::<u128>().ok().filter(|_| is_number)?.checked_mul(*ns)?;
        u64::try_from(ns).ok().map(Nanos)
    };
    let truth = UNITS.iter().find_map(of_unit);
    let said = Nanos::parse_length(text, Nanos(0)..=Nanos::MAX);
    assert_eq!(said.as_ref().ok(), truth.as_ref(), "{text}");
    if let Some(truth) = truth {
        assert_eq!(Nanos::parse_length(text, truth..=truth), Ok(truth), "{text}");
        let below = Nanos::parse_length(text, Nanos(0)..=truth.since(Nanos(1)));
        assert_eq!(below.is_ok(), truth == Nanos(0), "{text}");
    }
    truth.map(|truth| truth.0.checked_ilog10().unwrap_or(0))
}

const UNITS: [(&str, u128); 7] = [
    ("ns", 1),
    ("us", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
    ("d", 86_400_000_000_000),
];

/// Prices and quantities of a step, three of it and a bit more.
fn three(step: Step, shown: &str) {
    if let Some(three) = step.mantissa().checked_mul(3) {
        let text = Decimal { mantissa: three.into(), exponent: step.exponent(), digits: 0 }.to_string();
        assert_eq!(Price::parse(text.as_bytes(), step), Ok(Price(3)), "{shown}");
        assert_eq!(Qty::parse(text.as_bytes(), step), Ok(Qty(3)), "{shown}");
        assert_eq!(Price::parse(Price(3).display(step).to_string().as_bytes(), step), Ok(Price(3)));
        assert_eq!(Qty::parse(Qty(3).display(step).to_string().as_bytes(), step), Ok(Qty(3)));
    }
    if step.mantissa() > 1
        && let Some(more) = step.mantissa().checked_add(1)
    {
        let text = Decimal { mantissa: more.into(), exponent: step.exponent(), digits: 0 }.to_string();
        assert_eq!(step.count(text.as_bytes()), Err(NumError::OffStep), "{shown}");
    }
}

/// A number that is both too fine and too large may be called either.
fn same(said: Result<i64, NumError>, truth: Result<i64, NumError>) -> bool {
    said == truth || matches!((said, truth), (Err(NumError::OffStep), Err(NumError::OutOfRange)))
}
