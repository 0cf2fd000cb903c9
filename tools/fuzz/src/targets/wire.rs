//! The scanners' ground: what a cursor, a decimal format or a list of pairs reads is what slow readings find
//! at the same place; what they cannot read they leave.
//!
//! Input: a line `TICK UNIT PRICE_DIGITS QTY_DIGITS`, then a frame.

use crate::driver::Outcome;
use crate::truth::{outcome, steps_of};
use engine::num::{Level, Step};
use std::cell::RefCell;
use std::collections::BTreeMap;
use wire::cursor::Cursor;
use wire::decimal::{DecimalFormat, WINDOW};
use wire::pairs::{PairEnds, PairFormat};
use wire::symbols::SymbolTable;

/// Runs one input.
pub fn target(data: &[u8]) -> Outcome {
    let end = data.iter().position(|byte| *byte == b'\n').unwrap_or(0);
    let head = String::from_utf8_lossy(&data[..end]);
    let frame = data.get(end + 1..).unwrap_or_default();
    let mut words = head.split(' ');
    let mut step = || words.next().and_then(|word| Step::parse(word.as_bytes()).ok());
    let (tick, unit) = (step().unwrap_or(Step::ONE), step().unwrap_or(Step::of_digits(3)));
    let mut digits = |step: Step| words.next().and_then(|word| word.parse().ok()).unwrap_or(step.digits());
    let price = DecimalFormat::new(tick, digits(tick));
    let qty = DecimalFormat::new(unit, digits(unit));
    let read = places(frame, price);
    let pairs = pairs(frame, &PairFormat::new(price, qty));
    symbols(frame);
    outcome((read.map(|count| count.min(3)), pairs.map(|count| count.min(5))))
}

/// Reads at each of the first places of the frame. Returns how many numbers, texts and decimals there were.
fn places(frame: &[u8], format: DecimalFormat) -> [usize; 3] {
    let mut counts = [0; 3];
    for at in 0..frame.len().min(200) {
        let rest = &frame[at..];
        let begin = || {
            let mut cursor = Cursor::new(frame);
            cursor.go_to(at);
            assert!(cursor.rest() == rest && cursor.at() == at && !cursor.is_at_end());
            cursor
        };
        let text_of = |len: usize| String::from_utf8_lossy(&rest[..len]).into_owned();
        let mut cursor = begin();
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let well_formed = (1..=18).contains(&digits) && (digits == 1 || rest[0] != b'0');
        let expected = if well_formed { text_of(digits).parse::<u64>().ok() } else { None };
        let number = cursor.uint();
        // In a frame shorter than its window it reads nothing.
        assert!(
            number == expected || (number.is_none() && frame.len() < WINDOW),
            "{number:?}, not {expected:?}, at byte {at}"
        );
        assert!(number.is_none() || cursor.at() == at + digits);
        counts[0] += usize::from(number.is_some());

        let mut cursor = begin();
        let quote = rest.iter().position(|byte| *byte == b'"');
        let plain = |text: &[u8]| text.iter().all(|byte| (0x20..0x80).contains(byte) && *byte != b'\\');
        let expected = quote.map(|len| &rest[..len]).filter(|text| text.len() <= 32 && plain(text));
        let text = cursor.text();
        assert_eq!(text, expected, "at byte {at}");
        counts[1] += usize::from(text.is_some());

        // Twice: at first in the format given, then in the one that was seen.
        let mut cursor = begin();
        let (mut learnt, steps) = (format, quote.and_then(|len| steps_of(&text_of(len), format.step())));
        for _ in 0..2 {
            cursor.go_to(at);
            let decimal = cursor.decimal(&mut learnt);
            assert!(decimal.is_none() || decimal == steps, "{decimal:?}, not {steps:?}, at byte {at}");
            // In a frame shorter than its window it reads nothing; nor is a longer number one.
            let is_read = frame.len() >= WINDOW && quote.is_some_and(|len| len <= 40);
            assert!(decimal.is_some() || steps.is_none() || !is_read, "{steps:?} is left at byte {at}");
            counts[2] += usize::from(decimal.is_some());
        }
        if let Some(len) = quote.filter(|len| *len <= WINDOW && at + len >= WINDOW)
            && let Some(window) = frame[at + len - WINDOW..at + len].first_chunk()
        {
            let value = format.read(window, len);
            assert!(value.is_none() || value == steps, "{value:?}, not {steps:?}, at byte {at}");
        }
        let mut cursor = begin();
        assert_eq!(cursor.literal(b"\",\"").is_some(), rest.starts_with(b"\",\""));
    }
    counts
}

/// Reads the list behind each of the first `[`. Returns the pairs of the longest.
fn pairs(frame: &[u8], format: &PairFormat) -> Option<usize> {
    thread_local! {
        static ROOM: RefCell<(PairEnds, Vec<Level>)> =
            RefCell::new((PairEnds::new(PAIRS_MAX), vec![Level::default(); PAIRS_MAX]));
    }
    let starts = frame.iter().enumerate().filter(|(_, byte)| **byte == b'[').map(|(at, _)| at + 1);
    let found = starts.take(24).filter_map(|start| {
        ROOM.with_borrow_mut(|(ends, levels)| {
            let places = (start + 1..frame.len()).filter(|at| frame[*at] == b']' && frame[at - 1] == b'"');
            let places: Vec<_> = places.map(|at| u32::try_from(at).unwrap_or(u32::MAX)).collect();
            if !ends.find(frame, start) {
                assert!(places.len() > PAIRS_MAX, "room for {} ends", places.len());
                return None;
            }
            assert_eq!(ends.ends(), places, "ends from byte {start} on");
            let (count, end) = format.read(frame, start, ends.ends(), levels)?;
            let list = std::str::from_utf8(&frame[start - 1..end]);
            let list = list.unwrap_or_else(|error| panic!("pairs that are no text: {error}"));
            let rows: Vec<(String, String)> =
                serde_json::from_str(list).unwrap_or_else(|error| panic!("{error}: {list}"));
            assert_eq!(rows.len(), count, "{list}");
            for ((price, qty), level) in rows.iter().zip(levels.iter()) {
                assert_eq!(steps_of(price, format.price().step()), Some(level.price.0), "{list}");
                assert_eq!(steps_of(qty, format.qty().step()), Some(level.qty.0), "{list}");
            }
            Some(count)
        })
    });
    found.max()
}

const PAIRS_MAX: usize = 512;

/// The frame's words as symbols: each is found as the last of its name, and nothing else is.
fn symbols(frame: &[u8]) {
    let text = String::from_utf8_lossy(frame);
    let names: Vec<&str> = text.split(['"', ',', ':']).take(40).collect();
    let table = SymbolTable::new(names.iter().copied().zip(0..));
    let known: BTreeMap<&str, u32> = names.iter().copied().zip(0..).collect();
    for name in &names {
        let expected = known.get(name).copied().filter(|_| !name.is_empty());
        assert_eq!(table.find(name.as_bytes()), expected, "{name}");
        let other = format!("{name}\0");
        assert_eq!(table.find(other.as_bytes()), known.get(other.as_str()).copied(), "{other}");
    }
}
