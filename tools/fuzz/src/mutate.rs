//! How an input is changed into another one worth trying. Half of the changes know nothing of the format;
//! the others know what text formats are made of: lines, members, numbers, words.

use crate::random::Random;
use std::ops::Range;

/// Bytes that an input may have: enough for a hundred lines, few enough for thousands of tries a second.
pub(crate) const INPUT_BYTES_MAX: usize = 64 << 10;

/// Changes `input` one to four times. `words` are tokens of the format, `other` is another input to take
/// pieces from.
pub fn mutate(input: &mut Vec<u8>, other: &[u8], words: &[&str], random: &mut Random) {
    for _ in 0..=random.below(4) {
        change(input, other, words, random);
    }
    input.truncate(INPUT_BYTES_MAX);
}

fn change(input: &mut Vec<u8>, other: &[u8], words: &[&str], random: &mut Random) {
    if input.is_empty() {
        input.extend_from_slice(&other[..other.len().min(64)]);
        input.push(random.byte());
    }
    let at = random.below(input.len());
    match random.below(20) {
        0 => input[at] ^= 1 << random.below(8),
        1 => input[at] = random.byte(),
        2 => input[at] = *random.of(MARKS),
        3 => input.insert(at, *random.of(MARKS)),
        4 => drop(input.drain(piece(input, random))),
        5 => input.truncate(at),
        6 => {
            let copied = input[piece(input, random)].to_vec();
            input.splice(at..at, copied);
        }
        7 => {
            let taken = other[piece(other, random)].to_vec();
            let replaced = piece(input, random);
            input.splice(replaced, taken);
        }
        8 => {
            // Fields of binary formats: a small or an extreme number in two, four or eight bytes.
            let value = *random.of(&[0, 1, 2, 63, 64, 255, 256, 4096, 1 << 31, u64::MAX >> 1, u64::MAX]);
            let length = *random.of(&[2, 4, 8]);
            for (byte, new) in input[at..].iter_mut().zip(&value.to_le_bytes()[..length]) {
                *byte = *new;
            }
        }
        9..=11 => {
            let numbers = spans(input, |byte| byte.is_ascii_digit());
            if let Some(number) = pick(&numbers, random) {
                number_for(input, number, random);
            }
        }
        12 => {
            let numbers = spans(input, |byte| byte.is_ascii_digit());
            if let (Some(from), Some(to)) = (pick(&numbers, random), pick(&numbers, random)) {
                let digits = input[from].to_vec();
                input.splice(to, digits);
            }
        }
        13 | 14 if !words.is_empty() => {
            let letters = spans(input, |byte| byte.is_ascii_alphanumeric() || b"_-@.".contains(&byte));
            let place = if random.below(3) == 0 { Some(at..at) } else { pick(&letters, random) };
            let word = random.of(words).bytes();
            input.splice(place.unwrap_or(at..at), word);
        }
        15 => exchange(input, b",", random),
        16 => exchange(input, b"\n", random),
        17 => {
            // The first line, which says what the others are, and one of those.
            let lines = spans(input, |byte| byte != b'\n');
            if let [first, others @ ..] = &lines[..]
                && let Some(one) = pick(others, random)
            {
                *input = [&input[first.clone()], b"\n", &input[one]].concat();
            }
        }
        _ => {
            // White space where text formats allow it, and where they do not.
            let mark = spans(input, |byte| b",:{}[]=\"".contains(&byte));
            let place = pick(&mark, random).map_or(at, |mark| mark.end);
            input.insert(place, *random.of(b" \t\n\r"));
        }
    }
}

const MARKS: &[u8] = b"\"{}[]():,.0123456789eE+-\\/ \n\r\t\0ntf=#_@\x7f\xc3\xff";

/// Another number for one of them: next to it, of other digits, of another kind, or far too large.
fn number_for(input: &mut Vec<u8>, number: Range<usize>, random: &mut Random) {
    let text = String::from_utf8_lossy(&input[number.clone()]).into_owned();
    let value: u128 = text.parse().unwrap_or(0);
    let new = match random.below(12) {
        0 | 1 => value.saturating_add(1).to_string(),
        2 | 3 => value.saturating_sub(1).to_string(),
        4 => "0".repeat(text.len()),
        5 => "9".repeat(text.len() + random.below(3)),
        6 => format!("{text}{}", random.below(1000)),
        7 => text[..text.len() - text.len().min(1 + random.below(3))].to_owned(),
        8 => format!("{:0>width$}", random.below(100_000), width = text.len()),
        9 => (*random.of(&["9223372036854775807", "9223372036854775808", "18446744073709551615"])).into(),
        10 => (*random.of(&["-1", "+1", "1e3", "1E-2", "1.5", ".5", "5.", "null", "true", "\"1\""])).into(),
        _ => (value.saturating_mul(10)).to_string(),
    };
    input.splice(number, new.into_bytes());
}

/// Two parts between separators change places, or one comes twice, or goes.
fn exchange(input: &mut Vec<u8>, separators: &[u8], random: &mut Random) {
    let parts = spans(input, |byte| !separators.contains(&byte));
    let (Some(one), Some(two)) = (pick(&parts, random), pick(&parts, random)) else { return };
    let (first, second) = if one.start <= two.start { (one, two) } else { (two, one) };
    let (head, tail) = (input[first.clone()].to_vec(), input[second.clone()].to_vec());
    match random.below(3) {
        0 if first.end <= second.start => {
            input.splice(second, head);
            input.splice(first, tail);
        }
        1 => drop(input.splice(first.start..first.start, [&tail[..], &separators[..1]].concat())),
        _ => drop(input.drain(first.start..(first.end + 1).min(input.len()))),
    }
}

/// Runs of the bytes of a kind.
fn spans(input: &[u8], is: impl Fn(u8) -> bool) -> Vec<Range<usize>> {
    let mut spans = Vec::new();
    let mut start = None;
    for (at, byte) in input.iter().enumerate() {
        match (is(*byte), start) {
            (true, None) => start = Some(at),
            (false, Some(from)) => {
                spans.push(from..at);
                start = None;
            }
            _ => {}
        }
    }
    spans.extend(start.map(|from| from..input.len()));
    spans
}

fn pick(spans: &[Range<usize>], random: &mut Random) -> Option<Range<usize>> {
    (!spans.is_empty()).then(|| random.of(spans).clone())
}

/// Some bytes in a row, mostly few.
fn piece(input: &[u8], random: &mut Random) -> Range<usize> {
    let start = random.below(input.len());
    let longest = if random.below(4) == 0 { input.len() } else { 24 };
    start..(start + 1 + random.below(longest)).min(input.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_inputs_again_and_another_seed_others() {
        let inputs = |seed| {
            let mut random = Random::new(seed);
            let made = (0..200).map(|_| {
                let mut input = b"{\"a\":12,\"b\":[\"1.50\",\"2\"]}\n".to_vec();
                mutate(&mut input, b"other 17", &["word"], &mut random);
                input
            });
            made.collect::<Vec<_>>()
        };
        assert_eq!(inputs(1), inputs(1));
        assert_ne!(inputs(1), inputs(2));
    }

    #[test]
    fn any_input_can_be_changed_empty_ones_too() {
        let mut random = Random::new(3);
        let largest = u128::MAX.to_string();
        for start in [&b""[..], b"x", b"\n", b",", b"77", b"\xff\xff", largest.as_bytes()] {
            for _ in 0..2_000 {
                let mut input = start.to_vec();
                mutate(&mut input, b"", &[], &mut random);
                mutate(&mut input, b"1", &["w"], &mut random);
                assert!(input.len() <= INPUT_BYTES_MAX);
            }
        }
    }
}
