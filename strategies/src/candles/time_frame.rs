//! Time frames: how UTC is cut into intervals.

use std::fmt;
use std::str::FromStr;

use engine::time::Nanos;

/// A rule that cuts time into intervals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TimeFrame {
    /// Intervals of one length; one of them starts at `origin`.
    Fixed {
        /// Length, more than 0.
        length: Nanos,
        /// Start of some interval, below `length`.
        origin: Nanos,
    },
    /// Calendar months.
    Month,
}

impl TimeFrame {
    /// Intervals of `length` counted from 1970. None: the length is 0.
    #[must_use]
    pub fn of(length: Nanos) -> Option<Self> {
        (length.0 > 0).then_some(Self::Fixed { length, origin: Nanos(0) })
    }

    /// Length of an interval; 0 for the calendar month.
    #[inline]
    #[must_use]
    pub const fn length(self) -> Nanos {
        match self {
            Self::Fixed { length, .. } => length,
            Self::Month => Nanos(0),
        }
    }

    /// Start of the interval that holds `at`.
    #[inline]
    #[must_use]
    pub fn start(self, at: Nanos) -> Nanos {
        match self {
            // Before the origin lies a first interval cut short by 1970.
            Self::Fixed { length, origin } if at < origin => Nanos(origin.0.saturating_sub(length.0)),
            Self::Fixed { length, origin } => Nanos(at.0 - (at.0 - origin.0) % length.0),
            Self::Month => month(at).0,
        }
    }

    /// Start of the interval after the one that holds `at`.
    #[inline]
    #[must_use]
    pub fn end(self, at: Nanos) -> Nanos {
        match self {
            Self::Fixed { origin, .. } if at < origin => origin,
            Self::Fixed { length, .. } => self.start(at).plus(length),
            Self::Month => month(at).1,
        }
    }
}

/// Venues' spelling: `1s`, `15m`, `4h`, `1d`, `1w` (from Monday), `1M` (month).
impl FromStr for TimeFrame {
    type Err = TimeFrameError;

    fn from_str(text: &str) -> Result<Self, TimeFrameError> {
        let unit = text.chars().last().ok_or(TimeFrameError)?;
        let count: u64 = text[..text.len() - unit.len_utf8()].parse().map_err(|_| TimeFrameError)?;
        let seconds = match unit {
            's' => 1,
            'm' => 60,
            'h' => 3_600,
            'd' => 86_400,
            'w' => 7 * 86_400,
            'M' if count == 1 => return Ok(Self::Month),
            _ => return Err(TimeFrameError),
        };
        let length = count.checked_mul(seconds * 1_000_000_000).filter(|length| *length > 0);
        let length = Nanos(length.ok_or(TimeFrameError)?);
        // 1970 began on a Thursday; the first Monday was the fifth of January.
        let origin = if unit == 'w' { Nanos(4 * DAY_NS) } else { Nanos(0) };
        Ok(Self::Fixed { length, origin })
    }
}

/// Not a time frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeFrameError;

impl fmt::Display for TimeFrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a time frame is a count and one of s, m, h, d, w, or 1M: 1s, 15m, 4h, 1d, 1w, 1M")
    }
}

impl std::error::Error for TimeFrameError {}

/// Start of the month that holds `at`, and of the next. Civil dates by days since 0000-03-01 (Hinnant,
/// "chrono-Compatible Low-Level Date Algorithms").
fn month(at: Nanos) -> (Nanos, Nanos) {
    let shifted = at.0 / DAY_NS + 719_468;
    let (era, of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let year_start = era * 146_097 + 365 * year_of_era + year_of_era / 4 - year_of_era / 100;
    let month_from_march = (5 * (shifted - year_start) + 2) / 153;
    let first = year_start + (153 * month_from_march + 2) / 5;
    let next = match month_from_march {
        // February ends where the next year from March begins.
        11 => {
            let year = year_of_era + 1;
            era * 146_097 + if year == 400 { 146_097 } else { 365 * year + year / 4 - year / 100 }
        }
        month => year_start + (153 * (month + 1) + 2) / 5,
    };
    (Nanos((first - 719_468) * DAY_NS), Nanos((next - 719_468) * DAY_NS))
}

const DAY_NS: u64 = 86_400_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str, at_s: u64) -> (String, String) {
        let frame: TimeFrame = text.parse().unwrap();
        let at = Nanos(at_s * 1_000_000_000);
        (frame.start(at).to_string()[..10].to_owned(), frame.end(at).to_string()[..10].to_owned())
    }

    #[test]
    fn weeks_start_on_monday_and_months_on_the_first() {
        let (from, to) = shown("1w", 1_723_161_255); // Thursday 2024-08-08
        assert_eq!((from.as_str(), to.as_str()), ("2024-08-05", "2024-08-12"));
        for (at_s, from, to) in [
            (1_709_164_800, "2024-02-01", "2024-03-01"), // 2024-02-29, a leap day
            (1_735_689_599, "2024-12-01", "2025-01-01"),
            (1_735_689_600, "2025-01-01", "2025-02-01"),
            (951_782_400, "2000-02-01", "2000-03-01"),   // 2000-02-29
            (4_107_542_399, "2100-02-01", "2100-03-01"), // 2100-02-28, no leap year
        ] {
            assert_eq!(shown("1M", at_s), (from.to_owned(), to.to_owned()));
        }
    }

    #[test]
    fn every_instant_lies_in_its_interval_and_its_end_starts_the_next() {
        for text in ["1s", "7m", "4h", "1d", "1w", "3w", "1M"] {
            let frame: TimeFrame = text.parse().unwrap();
            for step in 0..4_000_u64 {
                let at = Nanos(step * 11_111_111_111_111);
                let (start, end) = (frame.start(at), frame.end(at));
                assert!(start <= at && at < end, "{text} {at}");
                assert_eq!(frame.start(end), end, "{text} {at}");
                assert_eq!(frame.start(start), start, "{text} {at}");
            }
        }
    }

    #[test]
    fn what_is_no_time_frame_is_refused() {
        for text in ["", "m", "0m", "-1m", "1x", "2M", "1.5h", "99999999999999999999d", "999999999999d", "1µ"]
        {
            assert_eq!(text.parse::<TimeFrame>(), Err(TimeFrameError), "{text}");
        }
    }
}
