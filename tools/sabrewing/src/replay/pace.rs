//! How fast a replay's frames come: as fast as they are taken, as recorded, or at a fixed rate.

use engine::latency::Measured;
use engine::num::Decimal;
use feeds::stage::{Frame, FrameSource, SourcePoll};
use std::fmt;
use std::str::FromStr;
use std::time::Instant;

/// `max`, `recorded`, `Nx` or `N/s`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Pace {
    /// As fast as they are taken.
    Max,
    /// This many times the recorded speed.
    Recorded {
        /// Thousandths of the recorded speed, above zero.
        speed_milli: u64,
    },
    /// A message every so many nanoseconds.
    Every {
        /// Above zero.
        ns: u64,
    },
}

impl FromStr for Pace {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bad =
            || format!("`{text}`: a pace is max, recorded, N/s (messages) or Nx (of the recorded speed)");
        let milli = |number: &str| -> Result<u64, String> {
            let value = engine::num::parse_decimal(number.as_bytes(), 3).map_err(|_| bad())?;
            u64::try_from(value).ok().filter(|value| (1..=1_000_000_000_000).contains(value)).ok_or_else(bad)
        };
        match text {
            "max" => Ok(Self::Max),
            "recorded" => Ok(Self::Recorded { speed_milli: 1000 }),
            _ => match (text.strip_suffix("/s"), text.strip_suffix('x')) {
                (Some(rate), _) => Ok(Self::Every { ns: (1_000_000_000_000 / milli(rate)?).max(1) }),
                (_, Some(speed)) => Ok(Self::Recorded { speed_milli: milli(speed)? }),
                _ => Err(bad()),
            },
        }
    }
}

impl Pace {
    /// What latencies mean at this pace: a frame that nobody holds back is due when it is taken.
    pub(crate) const fn measured(self) -> Measured {
        match self {
            Self::Max => Measured::Service,
            Self::Recorded { .. } | Self::Every { .. } => Measured::Response,
        }
    }
}

impl fmt::Display for Pace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Max => f.write_str("max"),
            Self::Recorded { speed_milli } => {
                write!(f, "{}x recorded", Decimal { mantissa: speed_milli.into(), exponent: 3, digits: 0 })
            }
            Self::Every { ns } => write!(f, "a message every {ns} ns"),
        }
    }
}

/// A source whose frames are held back until they are due.
pub(crate) struct Paced<F> {
    source: F,
    pace: Pace,
    /// When the first frame was given, and its receive time.
    start: Option<(Instant, u64)>,
    given: u64,
}

impl<F> Paced<F> {
    pub(crate) fn new(source: F, pace: Pace) -> Self {
        Self { source, pace, start: None, given: 0 }
    }
}

impl<F: FrameSource> FrameSource for Paced<F> {
    #[inline]
    fn poll(&mut self) -> SourcePoll<'_> {
        let frame = match self.source.poll() {
            SourcePoll::Ready(frame) => frame,
            other => return other,
        };
        if self.pace == Pace::Max {
            return SourcePoll::Ready(frame);
        }
        let (start, first_ns) = *self.start.get_or_insert_with(|| (Instant::now(), frame.recv_ns.0));
        let due_ns = match self.pace {
            Pace::Max => 0,
            Pace::Recorded { speed_milli } => {
                u128::from(frame.recv_ns.0.saturating_sub(first_ns)) * 1000 / u128::from(speed_milli)
            }
            Pace::Every { ns } => u128::from(self.given) * u128::from(ns),
        };
        let Some(behind_ns) = start.elapsed().as_nanos().checked_sub(due_ns) else {
            return SourcePoll::NotYet;
        };
        SourcePoll::Ready(Frame { behind_ns: u64::try_from(behind_ns).unwrap_or(u64::MAX), ..frame })
    }

    #[inline]
    fn consume(&mut self) {
        self.given += 1;
        self.source.consume();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::ids::ConnectionId;
    use engine::time::Nanos;
    use std::time::Duration;

    #[test]
    fn paces_are_read_or_refused_with_what_they_may_be() {
        assert_eq!("max".parse(), Ok(Pace::Max));
        assert_eq!("recorded".parse(), Ok(Pace::Recorded { speed_milli: 1000 }));
        assert_eq!("2.5x".parse(), Ok(Pace::Recorded { speed_milli: 2500 }));
        assert_eq!("100000/s".parse(), Ok(Pace::Every { ns: 10_000 }));
        for (text, shown, measured) in [
            ("max", "max", Measured::Service),
            ("recorded", "1x recorded", Measured::Response),
            ("2.5x", "2.5x recorded", Measured::Response),
            ("100000/s", "a message every 10000 ns", Measured::Response),
        ] {
            let pace: Pace = text.parse().unwrap();
            assert_eq!((pace.to_string().as_str(), pace.measured()), (shown, measured));
        }
        for bad in ["", "fast", "0/s", "0x", "-1x", "1e3/s", "x", "/s"] {
            assert!(bad.parse::<Pace>().unwrap_err().contains("a pace is"), "{bad}");
        }
    }
    /// Frames of one time, all at hand.
    struct AtOnce;

    impl FrameSource for AtOnce {
        fn poll(&mut self) -> SourcePoll<'_> {
            SourcePoll::Ready(Frame {
                connection: ConnectionId(0),
                line: 1,
                recv_ns: Nanos::SECOND,
                clock_fault: false,
                behind_ns: 0,
                bytes: Ok(b"{}"),
            })
        }
        fn consume(&mut self) {}
    }

    #[test]
    fn a_frame_that_is_taken_late_says_since_when_it_was_due() {
        let mut paced = Paced::new(AtOnce, Pace::Every { ns: 1_000_000_000 });
        assert!(matches!(paced.poll(), SourcePoll::Ready(_)), "the first is due at once");
        paced.consume();
        assert!(matches!(paced.poll(), SourcePoll::NotYet), "the second a second later");
        let (start, first_ns) = paced.start.unwrap();
        paced.start = Some((start - Duration::from_millis(2_500), first_ns));
        let behind_ns = |paced: &mut Paced<AtOnce>| match paced.poll() {
            SourcePoll::Ready(frame) => Some(frame.behind_ns),
            _ => None,
        };
        assert!(behind_ns(&mut paced) >= Some(1_500_000_000));
        assert_eq!(behind_ns(&mut Paced::new(AtOnce, Pace::Max)), Some(0));
    }
}
