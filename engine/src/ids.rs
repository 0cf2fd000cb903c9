//! Small integers that name things inside one process. They are fixed at start, index arrays, and mean
//! nothing outside the run whose configuration assigned them.

use std::fmt;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

macro_rules! id {
    ($(#[$doc:meta])* $name:ident($int:ty)) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[derive(FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(transparent)]
        pub struct $name(pub $int);

        impl $name {
            /// The id as an array index.
            #[inline]
            #[must_use]
            pub const fn index(self) -> usize {
                self.0 as usize
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

id!(
    /// One tradable instrument of one venue and product; index into the run's `InstrumentTable`.
    InstrumentId(u32)
);
id!(
    /// One strategy of the run. 0 is the engine itself.
    StrategyId(u16)
);

impl StrategyId {
    /// Whoever trades by hand: the owner of orders that no strategy of the run has. The same in every run, whatever
    /// strategies that has.
    pub const MANUAL: Self = Self(u16::MAX - 1);
    /// What it is called.
    pub const MANUAL_NAME: &'static str = "manual";
}

id!(
    /// One account at a venue.
    AccountId(u16)
);
id!(
    /// One venue, product included (spot and futures of one exchange are two).
    VenueId(u16)
);
id!(
    /// One inbound source of frames: a socket, or a capture file.
    ConnectionId(u16)
);

/// A journal lane. It belongs to a stage, whichever thread runs the stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u16)]
pub enum Lane {
    /// Feed handler: frames, timers, stale and resync.
    Feed = 1,
    /// Book builder.
    Book = 2,
    /// Signal.
    Signal = 3,
    /// Strategy: inputs taken, targets, parameter changes.
    Strategy = 4,
    /// Order gateway: gate answers, orders, the venue's answers, fills.
    Gateway = 5,
    /// The runner: configuration, clock anchors, how the run ended.
    Runner = 6,
}

impl Lane {
    /// Every lane, in the order of the data's way through the engine.
    pub const ALL: [Self; 6] =
        [Self::Feed, Self::Book, Self::Signal, Self::Strategy, Self::Gateway, Self::Runner];

    /// The lane of a stored number. None: no such lane.
    #[must_use]
    pub fn from_u16(value: u16) -> Option<Self> {
        Self::ALL.into_iter().find(|lane| *lane as u16 == value)
    }

    /// The lane's name in file names, counters and on screens.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Feed => "feed",
            Self::Book => "book",
            Self::Signal => "signal",
            Self::Strategy => "strategy",
            Self::Gateway => "gateway",
            Self::Runner => "runner",
        }
    }
}

/// The journal record that led to something: lane in the high 16 bits, the lane's sequence in the low 48.
/// 0 is "nothing led to it".
#[derive(
    Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(transparent)]
pub struct Cause(u64);

impl Cause {
    /// Nothing led to it.
    pub const NONE: Self = Self(0);

    /// The record `seq` of `lane`. `seq` counts from 1 and fits 48 bits (89 years at 100 k records a second).
    #[inline]
    #[must_use]
    pub const fn new(lane: Lane, seq: u64) -> Self {
        debug_assert!(seq > 0 && seq < 1 << 48);
        Self((lane as u64) << 48 | seq)
    }

    /// From the stored form; any value is accepted, `lane` tells whether it names one.
    #[inline]
    #[must_use]
    pub const fn from_raw(raw: u64) -> Self {
        Self(raw)
    }

    /// The stored form.
    #[inline]
    #[must_use]
    pub const fn raw(self) -> u64 {
        self.0
    }

    /// The lane's sequence; 0 for `NONE`.
    #[inline]
    #[must_use]
    pub const fn seq(self) -> u64 {
        self.0 & ((1 << 48) - 1)
    }

    /// The lane. None: `NONE`, or a number that no lane has.
    #[must_use]
    pub fn lane(self) -> Option<Lane> {
        Lane::from_u16((self.0 >> 48) as u16)
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.lane() {
            Some(lane) => write!(f, "{}:{}", lane.name(), self.seq()),
            None if self.0 == 0 => f.write_str("-"),
            None => write!(f, "{}:{}", self.0 >> 48, self.seq()),
        }
    }
}

impl fmt::Debug for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_keeps_lane_and_sequence() {
        for lane in Lane::ALL {
            let cause = Cause::new(lane, (1 << 48) - 1);
            assert_eq!((cause.lane(), cause.seq()), (Some(lane), (1 << 48) - 1));
            assert_eq!(Cause::from_raw(cause.raw()), cause);
        }
        assert_eq!(Cause::NONE.lane(), None);
        assert_eq!(Cause::NONE.to_string(), "-");
        assert_eq!(Cause::new(Lane::Gateway, 7).to_string(), "gateway:7");
        assert_eq!(Cause::from_raw(9 << 48 | 4).to_string(), "9:4");
    }
}
