//! Finding out what a capture is of: the answer rests on the lines up to the one it names and on no other,
//! and a venue that is given is not overruled.
//!
//! Input: a capture.

use crate::driver::Outcome;
use crate::scratch;
use crate::truth::outcome;
use feeds::detect::{DetectError, Detected, detect};
use feeds::venues::VENUES;

/// Runs one input.
pub fn target(data: &[u8]) -> Outcome {
    let found = detect(scratch::file("detect", data), None);
    let with_venue = detect(scratch::file("detect", data), Some(VENUES[1]));
    if let Ok(found) = &with_venue {
        assert_eq!(found.venue, VENUES[1], "the venue given");
    }
    match found {
        Ok(found) => {
            assert!(VENUES.contains(&found.venue));
            let head = up_to_line(data, found.line_number);
            let again = detect(scratch::file("detect", head), None);
            assert_eq!(again.as_ref().ok(), Some(&found), "the lines behind the deciding one decide nothing");
            if let Some(shorter) = head.len().checked_sub(2).filter(|_| found.line_number > 1) {
                let before =
                    &head[..head[..shorter].iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1)];
                let undecided = detect(scratch::file("detect", before), None);
                assert!(undecided.is_err(), "{found:?}, and the lines before it already gave {undecided:?}");
            }
            let named = with_venue.unwrap_or_else(|error| panic!("{found:?}, and with a venue: {error}"));
            assert_eq!(named.symbol, found.symbol);
            let Detected { venue, qty_digits, line_number, .. } = found;
            outcome((venue, qty_digits, line_number.min(4)))
        }
        Err(DetectError::Contradiction { line_number, value, before }) => {
            assert_ne!(value, before, "a contradiction of one thing with itself");
            let lines = data.split(|byte| *byte == b'\n').count() as u64;
            assert!((2..=lines).contains(&line_number), "line {line_number} of {lines}");
            outcome((value.len(), before.len()))
        }
        Err(DetectError::Undecided { venue, .. }) => outcome(venue),
        Err(DetectError::Capture(_)) => outcome("capture"),
    }
}

/// The first `count` lines of a plain file; all of a compressed one.
fn up_to_line(data: &[u8], count: u64) -> &[u8] {
    if data.starts_with(&[0x1F, 0x8B]) {
        return data;
    }
    let mut left = count;
    let end = data.iter().position(|byte| {
        left -= u64::from(*byte == b'\n');
        left == 0
    });
    end.map_or(data, |end| &data[..=end])
}
