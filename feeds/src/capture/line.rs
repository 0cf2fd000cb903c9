//! One line of a capture: its receive time and its message, and the clock that receive times must follow.

use crate::codec::{DecodeError, DecodeErrorKind};
use engine::time::Nanos;

/// Splits a line into receive time and message: `digits`, one space, the message.
/// Err: no such time in front, or beyond 2^64 ns.
#[inline]
pub fn split_line(line: &[u8]) -> Result<(Nanos, &[u8]), DecodeError> {
    match split_usual_line(line) {
        Some(parts) => Ok(parts),
        None => split_any_line(line),
    }
}

/// A line whose time has 19 digits, as every one from 2001 to 2286 has: eight digits at a time.
#[inline]
fn split_usual_line(line: &[u8]) -> Option<(Nanos, &[u8])> {
    let (digits, rest) = line.split_first_chunk::<19>()?;
    let json = rest.strip_prefix(b" ")?;
    let (high, rest) = digits.split_first_chunk::<8>()?;
    let (high, middle) = (eight_digits(*high)?, eight_digits(*rest.first_chunk()?)?);
    let low = eight_digits(*digits.last_chunk()?)? % 1000; // five of its digits were in `middle`
    Some((Nanos(high * 100_000_000_000 + middle * 1000 + low), json))
}

/// The number that eight digits are. None: not all are digits.
#[inline]
fn eight_digits(text: [u8; 8]) -> Option<u64> {
    let digits = u64::from_le_bytes(text) ^ 0x3030_3030_3030_3030;
    // A byte of 10 or more carries into its high half, or is there already.
    let carried = digits.wrapping_add(0x0606_0606_0606_0606);
    if (digits | carried) & 0xF0F0_F0F0_F0F0_F0F0 != 0 {
        return None;
    }
    // Neighbours are joined: digits to pairs, pairs to fours, fours to eight. The first byte is the highest.
    let pairs = (digits * 10 + (digits >> 8)) & 0x00FF_00FF_00FF_00FF;
    let fours = (pairs * 100 + (pairs >> 16)) & 0x0000_FFFF_0000_FFFF;
    Some((fours * 10_000 + (fours >> 32)) & 0xFFFF_FFFF)
}

#[inline(never)]
fn split_any_line(line: &[u8]) -> Result<(Nanos, &[u8]), DecodeError> {
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
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn usual_times_are_read_as_any_others(line in "[0-9:/ ]{0,18}[0-9 ]{0,2} [a-z{]{0,3}", byte in 0_usize..19, any in any::<u8>()) {
            let mut line = line.into_bytes();
            prop_assert_eq!(split_line(&line), split_any_line(&line));
            if let Some(byte) = line.get_mut(byte) {
                *byte = any;
            }
            prop_assert_eq!(split_line(&line), split_any_line(&line));
        }

        #[test]
        fn every_time_of_nineteen_digits_is_read(ns in 0_u64..10_000_000_000_000_000_000, byte in 0_usize..19, any in any::<u8>()) {
            let mut line = format!("{ns:019} {{}}").into_bytes();
            prop_assert_eq!(split_usual_line(&line), Some((Nanos(ns), &b"{}"[..])));
            line[byte] = any;
            prop_assert_eq!(split_usual_line(&line), split_any_line(&line).ok().filter(|_| any.is_ascii_digit()));
        }
    }

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
