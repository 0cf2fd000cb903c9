//! Names of indicators and time frames, as operators write them: what is accepted is accepted again and alone
//! names its study, what is not is refused with a reason.
//!
//! Input: columns separated by commas, then perhaps a line with a time frame.

use crate::driver::Outcome;
use crate::truth::outcome;
use strategies::candles::TimeFrame;
use strategies::indicators::{Panel, Request, split_outside_parentheses};

/// Runs one input.
pub fn target(data: &[u8]) -> Outcome {
    let text = String::from_utf8_lossy(data);
    let (columns, frame) = text.split_once('\n').unwrap_or((&text, ""));
    let parts = split_outside_parentheses(columns);
    assert_eq!(parts.join(","), columns, "a split that loses or adds");
    let (mut accepted, mut refused) = (0, 0);
    for part in parts.iter().take(8) {
        match Request::parse(part) {
            Ok(request) => {
                let again =
                    Request::parse(part).unwrap_or_else(|error| panic!("`{part}`, read again: {error}"));
                assert!(request.shares_study_with(&again) && request.output() == again.output(), "`{part}`");
                let plain = Request::from_parts(request.entry().name, &[], "", "");
                assert!(plain.is_ok_and(|plain| plain.entry().name == request.entry().name), "`{part}`");
                assert!(Panel::new([*part]).is_ok(), "`{part}` is a name, and no panel");
                accepted += 1;
            }
            Err(error) => {
                assert!(!error.to_string().is_empty());
                assert!(Panel::new([*part]).is_err(), "`{part}` is no name, and a panel");
                refused += 1;
            }
        }
    }
    let frame: Result<TimeFrame, _> = frame.parse();
    if let Ok(TimeFrame::Fixed { length, .. }) = frame {
        assert!(length.0 > 0, "a time frame without length");
    }
    outcome((accepted.min(3), refused.min(3), frame.is_ok()))
}
