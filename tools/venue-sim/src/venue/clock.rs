//! The venue's time: it runs with the machine's, faster where a test asks for it, and can be moved ahead.

use engine::time::Nanos;

/// Venue time as a function of the machine's monotonic time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    real: Nanos,
    venue: Nanos,
    speed: u32,
}

impl Clock {
    /// Shows `venue` when the machine shows `real`, and runs with it.
    #[must_use]
    pub(super) const fn new(real: Nanos, venue: Nanos) -> Self {
        Self { real, venue, speed: 1 }
    }

    /// The venue's time at the machine's time `real`.
    #[must_use]
    pub(super) const fn at(&self, real: Nanos) -> Nanos {
        self.venue.plus(Nanos(real.0.saturating_sub(self.real.0).saturating_mul(self.speed as u64)))
    }

    /// The machine's time at which the venue's will be `venue`. `Nanos::MAX`: never.
    #[must_use]
    pub(super) const fn real_at(&self, venue: Nanos) -> Nanos {
        if venue.0 == u64::MAX || self.speed == 0 {
            return Nanos::MAX;
        }
        self.real.plus(Nanos(venue.0.saturating_sub(self.venue.0).div_ceil(self.speed as u64)))
    }

    /// Runs `speed` times as fast from the machine's time `real` on; 0: stands still.
    pub(super) const fn set_speed(&mut self, real: Nanos, speed: u32) {
        *self = Self { real, venue: self.at(real), speed };
    }

    /// Moves ahead by `length`.
    pub(super) const fn leap(&mut self, length: Nanos) {
        self.venue = self.venue.plus(length);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_venues_time_never_goes_back_and_keeps_its_speed() {
        let mut clock = Clock::new(Nanos(100), Nanos(5_000));
        assert_eq!((clock.at(Nanos(150)), clock.real_at(Nanos(5_050))), (Nanos(5_050), Nanos(150)));
        clock.set_speed(Nanos(150), 10);
        assert_eq!((clock.at(Nanos(151)), clock.real_at(Nanos(5_061))), (Nanos(5_060), Nanos(152)));
        clock.leap(Nanos(1_000));
        assert_eq!(clock.at(Nanos(151)), Nanos(6_060));
        clock.set_speed(Nanos(151), 0);
        assert_eq!((clock.at(Nanos(999)), clock.real_at(Nanos(7_000))), (Nanos(6_060), Nanos::MAX));
    }
}
