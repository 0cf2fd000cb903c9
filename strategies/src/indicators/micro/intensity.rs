//! Arrival rates of trades by depth, and the parameters that market-making models take from them.

use super::seconds;
use crate::indicators::value::Value;
use engine::time::Nanos;

/// Decayed counts of trades by how far from the mid they reached.
///
/// A quote δ half-ticks from the mid is reached by every trade that trades at δ or farther. With rates
/// λ(δ) = A exp(-κ δ) (Avellaneda and Stoikov), ln λ is a line: A and κ are its least-squares fit,
/// weighted by the counts (the variance of ln of a count is about one over it).
#[derive(Clone, Debug)]
pub struct Intensity {
    half_life: f64,
    /// Trades that reached exactly the depth, half-ticks; the last cell holds all beyond.
    counts: Box<[f64]>,
    /// Seconds observed, decayed likewise.
    observed: f64,
    at: Option<Nanos>,
    /// Decay is applied lazily: counts are in units of the weight at the last renewal.
    scale: f64,
}

/// The fit of [`Intensity`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct IntensityEstimate {
    /// Trades per second that reach the mid itself.
    pub a: f64,
    /// Decline per tick of depth.
    pub kappa_per_tick: f64,
}

impl Intensity {
    /// Depths up to `half_ticks`; what is `half_life` old weighs half. Panics when `half_ticks` is 0.
    #[must_use]
    pub fn new(half_life: Nanos, half_ticks: usize) -> Self {
        assert!(half_ticks > 0, "a depth is observed");
        let counts = vec![0.0; half_ticks + 1].into_boxed_slice();
        Self { half_life: seconds(half_life).max(1e-9), counts, observed: 0.0, at: None, scale: 1.0 }
    }

    /// A trade at `price` ticks while twice the mid was `mid_x2`.
    #[inline]
    pub fn trade(&mut self, at: Nanos, price: i64, mid_x2: i64) {
        self.advance(at);
        let depth = usize::try_from((2 * price - mid_x2).unsigned_abs()).unwrap_or(usize::MAX);
        let last = self.counts.len() - 1;
        self.counts[depth.min(last)] += 1.0 / self.scale;
    }

    /// Time has come to `now`.
    #[inline]
    pub fn advance(&mut self, now: Nanos) {
        let Some(before) = self.at else {
            self.at = Some(now);
            return;
        };
        let passed = seconds(now.since(before));
        if passed <= 0.0 {
            return;
        }
        self.at = Some(now);
        let keep = libm::exp2(-passed / self.half_life);
        // ∫ of the weight over the span, and what was observed before.
        self.observed = keep * self.observed + (1.0 - keep) * self.half_life / core::f64::consts::LN_2;
        self.scale *= keep;
        if self.scale < 1e-100 {
            for count in &mut self.counts {
                *count *= self.scale;
            }
            self.scale = 1.0;
        }
    }

    /// Trades per second that reach `half_ticks` from the mid or farther.
    #[must_use]
    pub fn rate(&self, half_ticks: usize) -> Value {
        let reached: f64 = self.counts.iter().skip(half_ticks).sum();
        Value::of(reached * self.scale / self.observed)
    }

    /// A and κ from the depths that trades have reached; walks the depths once. None: fewer than two
    /// depths, or nothing observed.
    #[must_use]
    pub fn estimate(&self) -> Option<IntensityEstimate> {
        let mut reached = 0.0;
        let (mut w, mut wx, mut wy, mut wxx, mut wxy) = (0.0, 0.0, 0.0, 0.0, 0.0);
        for depth in (0..self.counts.len()).rev() {
            let own = self.counts[depth] * self.scale;
            reached += own;
            // A depth no trade stopped at repeats the point before it.
            if own <= 0.0 || self.observed <= 0.0 {
                continue;
            }
            let (x, y) = (depth as f64 / 2.0, libm::log(reached / self.observed));
            w += reached;
            wx += reached * x;
            wy += reached * y;
            wxx += reached * x * x;
            wxy += reached * x * y;
        }
        let divisor = w * wxx - wx * wx;
        if divisor <= 1e-12 * w * wxx {
            return None;
        }
        let slope = (w * wxy - wx * wy) / divisor;
        let a = libm::exp((wy - slope * wx) / w);
        (a.is_finite() && slope.is_finite()).then_some(IntensityEstimate { a, kappa_per_tick: -slope })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_that_fall_exponentially_give_back_their_a_and_kappa() {
        // λ(δ) = 64 · 2^-δ per second, δ in ticks: of 64 trades a second, half stop at each tick.
        let mut intensity = Intensity::new(Nanos(3_600_000_000_000), 12);
        for second in 0..60_u64 {
            let mut id = 0_u64;
            for (tick, trades) in [(0, 32), (1, 16), (2, 8), (3, 4), (4, 2), (5, 2)] {
                for _ in 0..trades {
                    id += 1;
                    let at = Nanos(second * 1_000_000_000 + id * 10_000_000);
                    intensity.trade(at, 1_000 + tick, 2_000);
                }
            }
        }
        intensity.advance(Nanos(60_000_000_000));
        let fit = intensity.estimate().unwrap();
        assert!((fit.kappa_per_tick - core::f64::consts::LN_2).abs() < 0.05, "{fit:?}");
        assert!((fit.a / 64.0 - 1.0).abs() < 0.05, "{fit:?}");
        assert!((intensity.rate(0).get().unwrap() / 64.0 - 1.0).abs() < 0.03);
        assert!(
            (intensity.rate(4).get().unwrap() / 16.0 - 1.0).abs() < 0.03,
            "two ticks are four half-ticks"
        );
    }

    #[test]
    fn one_depth_gives_no_line_and_an_old_burst_fades() {
        let mut intensity = Intensity::new(Nanos(1_000_000_000), 8);
        assert_eq!(intensity.rate(0), Value::UNDEFINED);
        intensity.trade(Nanos(0), 100, 200);
        intensity.trade(Nanos(1_000_000_000), 100, 200);
        assert_eq!(intensity.estimate(), None);
        intensity.advance(Nanos(2_000_000_000_000));
        assert!(intensity.rate(0).get().unwrap() < 1e-12);
    }
}
