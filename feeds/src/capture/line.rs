//! One line of a capture: its receive time and its message, and the clock that receive times must follow.

use crate::codec::{DecodeError, DecodeErrorKind};
use engine::time::Nanos;

/// Splits a line into receive time and message: `digits`, one space, the message.
/// Err: no such time in front, or beyond 2^64 ns.
#[inline]
pub fn split_line(line: &[u8]) -> Result<(Nanos, &[u8]), DecodeError> {
    let mut recv_ns = 0_u64;
    for (at, byte) in line.iter().enumerate() {
        let error = DecodeError {
            kind: DecodeErrorKind::NoReceiveTime,
            key: "",
            offset: u32::try_from(at).unwrap_or(u32::MAX),
        };
        if *byte == b' ' && at > 0 {
            return Ok((Nanos(recv_ns), line.get(at + 1..).unwrap_or_default()));
        }
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return Err(error);
        }
        let next = recv_ns.checked_mul(10).and_then(|ns| ns.checked_add(u64::from(digit)));
        recv_ns = next.ok_or(error)?;
    }
    let offset = u32::try_from(line.len()).unwrap_or(u32::MAX);
    Err(DecodeError { kind: DecodeErrorKind::NoReceiveTime, key: "", offset })
}

/// What is wrong with a receive time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClockFault {
    /// Earlier than the line before.
    Back,
    /// More than an hour after the line before.
    Forward,
}

/// Receive times of one stream, made to go only forward, and in steps of at most an hour. A line that breaks
/// this keeps the time of the line before it. A second line in a row that leaps to about the same time shows
/// that the recording paused, not that a line is wrong: it moves the clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct RecvClock {
    last: Option<Nanos>,
    leapt_to: Option<Nanos>,
}

impl RecvClock {
    /// The time to use for a line that says `recv_ns`, and what is wrong with what it says.
    #[inline]
    pub fn take(&mut self, recv_ns: Nanos) -> (Nanos, Option<ClockFault>) {
        let last = self.last.unwrap_or(recv_ns);
        if recv_ns < last {
            self.leapt_to = None;
            return (last, Some(ClockFault::Back));
        }
        if recv_ns.since(last) > Nanos::HOUR {
            let paused = self
                .leapt_to
                .is_some_and(|leapt_to| recv_ns >= leapt_to && recv_ns.since(leapt_to) <= Nanos::HOUR);
            if !paused {
                self.leapt_to = Some(recv_ns);
                return (last, Some(ClockFault::Forward));
            }
        }
        (self.last, self.leapt_to) = (Some(recv_ns), None);
        (recv_ns, None)
    }

    /// The time of the line before; zero before the first.
    #[inline]
    #[must_use]
    pub fn last(&self) -> Nanos {
        self.last.unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_time_a_space_and_a_message() {
        assert_eq!(split_line(b"17 {}"), Ok((Nanos(17), &b"{}"[..])));
        assert_eq!(split_line(b"17  {}"), Ok((Nanos(17), &b" {}"[..])));
        assert_eq!(split_line(b"18446744073709551615 "), Ok((Nanos(u64::MAX), &b""[..])));
        for (bad, offset) in [
            (&b""[..], 0),
            (b" {}", 0),
            (b"{}", 0),
            (b"17", 2),
            (b"17{}", 2),
            (b"-17 {}", 0),
            (b"1.7 {}", 1),
            (b"18446744073709551616 {}", 19),
        ] {
            let error = DecodeError { kind: DecodeErrorKind::NoReceiveTime, key: "", offset };
            assert_eq!(split_line(bad), Err(error), "{}", String::from_utf8_lossy(bad));
        }
    }

    #[test]
    fn a_line_that_steps_back_or_leaps_keeps_the_time_before() {
        let hour = Nanos::HOUR.0;
        let mut clock = RecvClock::default();
        for (says, time, fault) in [
            (100, 100, None),
            (100, 100, None),
            (99, 100, Some(ClockFault::Back)),
            (101, 101, None),
            (101 + hour, 101 + hour, None),
            (102 + 2 * hour, 101 + hour, Some(ClockFault::Forward)),
            (102 + hour, 102 + hour, None),
            (0, 102 + hour, Some(ClockFault::Back)),
            (u64::MAX, 102 + hour, Some(ClockFault::Forward)),
            (103 + hour, 103 + hour, None),
        ] {
            assert_eq!(clock.take(Nanos(says)), (Nanos(time), fault), "{says}");
        }
    }

    #[test]
    fn two_lines_in_a_row_that_agree_move_the_clock_over_a_pause() {
        let hour = Nanos::HOUR.0;
        let mut clock = RecvClock::default();
        for (says, time, fault) in [
            (5, 5, None),
            (10 * hour, 5, Some(ClockFault::Forward)),
            (20 * hour, 5, Some(ClockFault::Forward)), // does not agree with the line before
            (20 * hour + 1, 20 * hour + 1, None),
            (20 * hour + 2, 20 * hour + 2, None),
            (40 * hour, 20 * hour + 2, Some(ClockFault::Forward)),
            (40 * hour - 1, 20 * hour + 2, Some(ClockFault::Forward)),
            (6, 20 * hour + 2, Some(ClockFault::Back)),
            (40 * hour, 20 * hour + 2, Some(ClockFault::Forward)), // a line stood between: not in a row
            (40 * hour, 40 * hour, None),
        ] {
            assert_eq!(clock.take(Nanos(says)), (Nanos(time), fault), "{says}");
        }
    }
}
