//! Time as data. `Nanos` enters with events (`venue_ns`, `recv_ns`, `sent_ns`) and decisions may use it;
//! `Stamp` measures latency and has no order, so that no decision can compare two of them.

use std::fmt;
use std::ops::RangeInclusive;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Nanoseconds since 1970-01-01 UTC (until 2554), or a length of time in nanoseconds.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    FromBytes,
    IntoBytes,
    Immutable,
    KnownLayout,
)]
#[repr(transparent)]
pub struct Nanos(pub u64);

impl Nanos {
    /// Later than anything that happens.
    pub const MAX: Self = Self(u64::MAX);
    /// One second.
    pub const SECOND: Self = Self(1_000_000_000);
    /// One hour.
    pub const HOUR: Self = Self(3_600_000_000_000);
    /// One day of 24 hours.
    pub const DAY: Self = Self(24 * Self::HOUR.0);

    /// From milliseconds; saturates (584 million years).
    #[inline]
    #[must_use]
    pub const fn from_ms(ms: u64) -> Self {
        Self(ms.saturating_mul(1_000_000))
    }

    /// From microseconds; saturates.
    #[inline]
    #[must_use]
    pub const fn from_us(us: u64) -> Self {
        Self(us.saturating_mul(1_000))
    }

    /// Whole milliseconds, rounded down.
    #[inline]
    #[must_use]
    pub const fn as_ms(self) -> u64 {
        self.0 / 1_000_000
    }

    /// How long after `earlier` this is; 0 when it is not after.
    #[inline]
    #[must_use]
    pub const fn since(self, earlier: Self) -> Self {
        Self(self.0.saturating_sub(earlier.0))
    }

    /// This time plus a length; saturates.
    #[inline]
    #[must_use]
    pub const fn plus(self, length: Self) -> Self {
        Self(self.0.saturating_add(length.0))
    }

    /// Reads a length of time as people type it: a whole number and its unit, such as `500ms`, `20s`, `5m`, `1h`, `7d`.
    /// Err: another text, or a length that is not `within`; in words, with the text and what it may be.
    pub fn parse_length(text: &str, within: RangeInclusive<Self>) -> Result<Self, String> {
        let unit_at = text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
        let (count, unit) = text.split_at(unit_at);
        let unit_ns = UNITS.into_iter().find(|(name, _)| *name == unit).map(|(_, ns)| ns);
        let length = unit_ns.and_then(|ns| count.parse::<u64>().ok()?.checked_mul(ns)).map(Self);
        let (least, most) = within.into_inner();
        length.filter(|length| (least..=most).contains(length)).ok_or_else(|| {
            let (least, most) = (least.length(), most.length());
            format!(
                "`{text}`: a duration is a whole number of ns, us, ms, s, m, h or d, from {least} to {most}"
            )
        })
    }

    /// This length of time in the largest unit of which it is a whole number.
    fn length(self) -> String {
        let whole = UNITS.into_iter().rev().find(|(_, ns)| self.0 > 0 && self.0.is_multiple_of(*ns));
        let (unit, ns) = whole.unwrap_or(UNITS[0]);
        format!("{}{unit}", self.0 / ns)
    }
}

/// Units of lengths of time, and the nanoseconds of each.
const UNITS: [(&str, u64); 7] = [
    ("ns", 1),
    ("us", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
    ("d", 86_400_000_000_000),
];

impl fmt::Display for Nanos {
    /// UTC, `2024-08-08T23:54:15.030314667Z`. Civil date from days: the algorithm of Howard Hinnant's
    /// "chrono-Compatible Low-Level Date Algorithms" (`civil_from_days`).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, nanos) = (self.0 / 1_000_000_000, self.0 % 1_000_000_000);
        let (days, second_of_day) = (seconds / 86_400, seconds % 86_400);
        let shifted = days + 719_468; // days since 0000-03-01
        let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
        let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
        let year = year_of_era + era * 400 + u64::from(month <= 2);
        let (hour, minute, second) = (second_of_day / 3600, second_of_day / 60 % 60, second_of_day % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{nanos:09}Z")
    }
}

/// A reading of the CPU's time-stamp counter, for latency only. Deliberately without order or equality:
/// two stamps give a `Lap`, and a lap goes into a histogram.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(transparent)]
pub struct Stamp(pub u64);

/// Counter ticks from one stamp to a later one; saturates at 2^32 - 1 (1.6 s at 2.7 GHz).
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(transparent)]
pub struct Lap(pub u32);

impl Stamp {
    /// Ticks from `start` to this stamp, 0 when the counter seems to have run backwards.
    #[inline]
    #[must_use]
    pub fn lap_since(self, start: Self) -> Lap {
        Lap(u32::try_from(self.0.saturating_sub(start.0)).unwrap_or(u32::MAX))
    }
}

/// Where stamps come from. Off, it costs a branch and stamps are zero, which means "not stamped".
#[derive(Clone, Debug)]
pub struct StampClock {
    clock: Option<quanta::Clock>,
}

impl StampClock {
    /// Reads the CPU's counter. The first one made in a process calibrates for up to 200 ms: make it at start.
    #[must_use]
    pub fn on() -> Self {
        Self { clock: Some(quanta::Clock::new()) }
    }

    /// Never stamps.
    #[must_use]
    pub const fn off() -> Self {
        Self { clock: None }
    }

    /// Whether it stamps.
    #[inline]
    #[must_use]
    pub const fn is_on(&self) -> bool {
        self.clock.is_some()
    }

    /// A stamp, never zero when on.
    #[inline]
    #[must_use]
    pub fn now(&self) -> Stamp {
        Stamp(self.clock.as_ref().map_or(0, |clock| clock.raw().max(1)))
    }

    /// The stamp of a moment `ns` before `stamp`, never zero when on; `stamp` itself when off.
    #[inline]
    #[must_use]
    pub fn before(&self, stamp: Stamp, ns: u64) -> Stamp {
        let Some(clock) = self.clock.as_ref().filter(|_| ns > 0) else { return stamp };
        // The counter's rate, from what 2^32 ticks last.
        let ns_of_ticks = u128::from(clock.delta_as_nanos(0, 1 << 32).max(1));
        let ticks = u64::try_from((u128::from(ns) << 32) / ns_of_ticks).unwrap_or(u64::MAX);
        Stamp(stamp.0.saturating_sub(ticks).max(1))
    }

    /// Ticks as nanoseconds; 0 when off.
    #[inline]
    #[must_use]
    pub fn nanos_of(&self, lap: Lap) -> u64 {
        self.clock.as_ref().map_or(0, |clock| clock.delta_as_nanos(0, u64::from(lap.0)))
    }
}

/// The time of inputs in a live process: the wall clock at its start, and from then on the CPU's counter. It never goes
/// back, whatever happens to the machine's clock; the journal's anchors say how the two drift apart.
#[derive(Clone, Debug)]
pub struct WallClock {
    counter: quanta::Clock,
    start_ns: u64,
    start_ticks: u64,
}

impl WallClock {
    /// A clock that shows `wall` now.
    #[must_use]
    pub fn starting_at(wall: Nanos) -> Self {
        let counter = quanta::Clock::new();
        let start_ticks = counter.raw();
        Self { counter, start_ns: wall.0, start_ticks }
    }

    /// Nanoseconds from an earlier reading of the counter until now.
    #[inline]
    #[must_use]
    pub fn elapsed_ns(&self, since: Stamp) -> u64 {
        self.counter.delta_as_nanos(since.0, self.counter.raw().max(since.0))
    }

    /// The time, and the counter's reading that it is made from.
    #[inline]
    #[must_use]
    pub fn read(&self) -> (Nanos, Stamp) {
        let ticks = self.counter.raw().max(self.start_ticks);
        let elapsed_ns = self.counter.delta_as_nanos(self.start_ticks, ticks);
        (Nanos(self.start_ns.saturating_add(elapsed_ns)), Stamp(ticks.max(1)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wall_clock_starts_where_it_is_told_and_goes_forward() {
        let clock = WallClock::starting_at(Nanos(1_000_000_000_000));
        let (first, second) = (clock.read(), clock.read());
        assert!(first.0 >= Nanos(1_000_000_000_000) && second.0 >= first.0 && second.1.0 >= first.1.0);
        assert!(second.0 < Nanos(1_001_000_000_000_000));
    }

    #[test]
    fn times_print_as_utc() {
        assert_eq!(Nanos(0).to_string(), "1970-01-01T00:00:00.000000000Z");
        assert_eq!(Nanos(1_723_161_255_030_314_667).to_string(), "2024-08-08T23:54:15.030314667Z");
        assert_eq!(Nanos(951_782_400_000_000_000).to_string(), "2000-02-29T00:00:00.000000000Z");
        assert_eq!(Nanos(4_102_444_799_999_999_999).to_string(), "2099-12-31T23:59:59.999999999Z");
    }

    #[test]
    fn lengths_of_time_are_read_exactly_or_refused_with_what_they_may_be() {
        let any = Nanos(0)..=Nanos::MAX;
        for (text, ns) in [
            ("0s", 0),
            ("7ns", 7),
            ("3us", 3_000),
            ("250ms", 250_000_000),
            ("90s", 90_000_000_000),
            ("15m", 900_000_000_000),
            ("48h", 172_800_000_000_000),
            ("213503d", 213_503 * 86_400_000_000_000),
            ("18446744073709551615ns", u64::MAX),
        ] {
            assert_eq!(Nanos::parse_length(text, any.clone()), Ok(Nanos(ns)), "{text}");
        }
        let bad =
            ["", "s", "20", "-1s", "+1s", "1.5h", "20 s", "1S", "1w", "é", "1é", "18446744073709551616ns"];
        for text in bad.into_iter().chain(["213504d", "99999999999999999999h"]) {
            let said = Nanos::parse_length(text, any.clone()).unwrap_err();
            assert!(said.starts_with(&format!("`{text}`: a duration is a whole number of ns")), "{said}");
        }
        let bounds = Nanos::from_ms(1)..=Nanos::DAY;
        assert_eq!(Nanos::parse_length("1d", bounds.clone()), Ok(Nanos::DAY));
        for text in ["999us", "86401s"] {
            let said = Nanos::parse_length(text, bounds.clone()).unwrap_err();
            assert!(said.ends_with("from 1ms to 1d"), "{said}");
        }
        let hour = Nanos::parse_length("0s", Nanos(1)..=Nanos::HOUR).unwrap_err();
        assert!(hour.ends_with("from 1ns to 1h"), "{hour}");
    }

    #[test]
    fn a_clock_that_is_off_stamps_zero() {
        assert_eq!(StampClock::off().now().0, 0);
        let clock = StampClock::on();
        let (start, end) = (clock.now(), clock.now());
        assert!(start.0 > 0 && end.0 >= start.0);
        assert!(clock.nanos_of(Lap(2_000_000_000)) > 100_000_000);
    }

    #[test]
    fn a_stamp_of_an_earlier_moment_is_as_many_ticks_before() {
        let clock = StampClock::on();
        let now = Stamp(1 << 50);
        for ns in [0, 1, 1_000, 1_000_000, 1_000_000_000] {
            let back = clock.nanos_of(now.lap_since(clock.before(now, ns)));
            assert!(back <= ns && ns - back <= 2 + ns / 1_000_000, "{ns} became {back}");
        }
        assert_eq!(clock.before(Stamp(5), u64::MAX).0, 1);
        assert_eq!(StampClock::off().before(Stamp(0), 7).0, 0);
    }

    #[test]
    fn laps_saturate_and_never_run_backwards() {
        assert_eq!(Stamp(10).lap_since(Stamp(3)).0, 7);
        assert_eq!(Stamp(3).lap_since(Stamp(10)).0, 0);
        assert_eq!(Stamp(u64::MAX).lap_since(Stamp(0)).0, u32::MAX);
    }
}
