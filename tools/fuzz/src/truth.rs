//! Slow and simple readings of numbers and JSON, written without looking at the code that they judge.

use engine::num::{NumError, Step};
use serde_json::Value;

/// What `text` counts in units of 10^-`exponent`. Err: what is wrong with it; of a number that is both too fine
/// and too large, that it is too large.
///
/// # Errors
/// As `parse_decimal`.
pub(crate) fn count_of(text: &[u8], exponent: u8) -> Result<i64, NumError> {
    let text = std::str::from_utf8(text).map_err(|_| NumError::NotADecimal)?;
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let plain = |digits: &str| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    if !plain(whole) || !plain(fraction) {
        return Err(NumError::NotADecimal);
    }
    let (whole, fraction) = (whole.trim_start_matches('0'), fraction.trim_end_matches('0'));
    let exponent = usize::from(exponent);
    let kept = &fraction[..fraction.len().min(exponent)];
    let digits = format!("{whole}{kept:0<exponent$}");
    let digits = digits.trim_start_matches('0');
    // Nineteen digits fit 64 bits without a sign; more never fit.
    let count = if digits.is_empty() { Ok(0) } else { digits.parse::<i64>() };
    let count = count.map_err(|_| NumError::OutOfRange)?;
    if fraction.len() > exponent { Err(NumError::OffStep) } else { Ok(count) }
}

/// How many of `step` `text` is. None: it is not a whole number of them.
#[must_use]
pub(crate) fn steps_of(text: &str, step: Step) -> Option<i64> {
    let count = count_of(text.as_bytes(), step.exponent()).ok()?;
    (count % step.mantissa() == 0).then(|| count / step.mantissa())
}

/// A decimal in a JSON string, in steps.
#[must_use]
pub(crate) fn steps_in(value: &Value, step: Step) -> Option<i64> {
    steps_of(value.as_str()?, step)
}

/// A whole number in JSON, of which one may be written `-0`.
#[must_use]
pub(crate) fn uint_in(value: &Value) -> Option<u64> {
    value
        .as_u64()
        .or_else(|| value.as_f64().filter(|number| *number == 0.0 && number.is_sign_negative()).map(|_| 0))
}

/// Milliseconds in JSON as nanoseconds.
#[must_use]
pub(crate) fn nanos_in(value: &Value) -> Option<u64> {
    uint_in(value)?.checked_mul(1_000_000)
}

/// A small number that is equal for equal parts: what the search tells outcomes apart by.
#[must_use]
pub(crate) fn outcome(parts: impl std::hash::Hash) -> crate::Outcome {
    use std::hash::Hasher;
    let mut hasher = std::hash::DefaultHasher::new();
    parts.hash(&mut hasher);
    vec![hasher.finish()]
}
