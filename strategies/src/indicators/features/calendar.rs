//! Time of day, of week and of year as points on circles, so that midnight is next to midnight.

use crate::indicators::answer::indicators;
use crate::indicators::bar::Bar;
use crate::indicators::blocks::state;
use crate::indicators::registry::{Entry, on_candle, out};

state! {
    /// Sine and cosine of the time of day and of the week, UTC, of the candle's opening.
    #[derive(Debug, Default)]
    pub struct TimeEncoding {
        nothing: (),
    }
}

impl TimeEncoding {
    /// Adds a candle: sine and cosine of the day's share, of the week's share (from Monday), the hour
    /// 0..24 and the day of the week (Monday 0).
    #[inline]
    pub fn push(&mut self, bar: Bar) -> [f64; 6] {
        // 1970 began on a Thursday: three days after Monday.
        let of_day = bar.open_time_ms.rem_euclid(DAY_MS);
        let of_week = (bar.open_time_ms.rem_euclid(7 * DAY_MS) + 3 * DAY_MS) % (7 * DAY_MS);
        let circle = |share: f64| libm::sincos(2.0 * core::f64::consts::PI * share);
        let (day_sin, day_cos) = circle(of_day as f64 / DAY_MS as f64);
        let (week_sin, week_cos) = circle(of_week as f64 / (7 * DAY_MS) as f64);
        [day_sin, day_cos, week_sin, week_cos, of_day as f64 / 3_600_000.0, (of_week / DAY_MS) as f64]
    }
}

const DAY_MS: i64 = 86_400_000;

indicators!(Bar: TimeEncoding => 6);

pub(crate) const TABLE: &[Entry] = &[Entry::of_candle(
    "time_encoding",
    "Time of day and of week, UTC",
    "sin and cos of 2π · share of the day and of the week (from Monday); hour with fraction; weekday, Monday 0",
    &[],
    |_, _| on_candle(TimeEncoding::default()),
)
.outputs(&[out("day_sin"), out("day_cos"), out("week_sin"), out("week_cos"), out("hour"), out("weekday")])];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn monday_noon_is_where_it_should_be() {
        let monday_noon = Bar { open_time_ms: 1_723_464_000_000, ..Bar::default() }; // 2024-08-12 12:00
        let [day_sin, day_cos, week_sin, _, hour, weekday] = TimeEncoding::default().push(monday_noon);
        assert!(day_sin.abs() < 1e-12 && (day_cos + 1.0).abs() < 1e-12 && week_sin > 0.0);
        assert_eq!((hour, weekday), (12.0, 0.0));
        let before = Bar { open_time_ms: -1, ..Bar::default() }; // Wednesday, a millisecond to midnight
        assert_eq!(TimeEncoding::default().push(before)[5], 2.0);
    }
}
