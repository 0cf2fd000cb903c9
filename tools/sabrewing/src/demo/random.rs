//! Numbers drawn from a seed, in integers alone, so that one seed makes one market on every machine.

/// A stream of random numbers: splitmix64 (Steele, Lea and Flood, 2014).
#[derive(Clone, Debug)]
pub struct Random {
    state: u64,
}

impl Random {
    /// The stream of a seed.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// 64 bits.
    pub const fn bits(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// One of 0..`count`; 0 where `count` is 0. Uneven by less than `count` / 2^64.
    pub const fn below(&mut self, count: u64) -> u64 {
        ((self.bits() as u128 * count as u128) >> 64) as u64
    }

    /// Heads or tails.
    pub const fn coin(&mut self) -> bool {
        self.bits() & 1 == 1
    }

    /// How often heads falls before tails, at most `max`: 0 half of the time, 1 a quarter, and so on.
    pub(super) fn heads(&mut self, max: u32) -> u32 {
        self.bits().trailing_ones().min(max)
    }

    /// Time until the next of events that come independently of each other, ns. `rate_milli`: events in 1,000 s,
    /// above zero.
    pub(super) fn gap_ns(&mut self, rate_milli: u64) -> u64 {
        let ns = u128::from(self.exponential_q32()) * NS_PER_1000_S / u128::from(rate_milli.max(1));
        u64::try_from(ns >> 32).unwrap_or(u64::MAX)
    }

    /// Exponentially distributed with mean 1, scaled by 2^32: -ln of a uniform number, by the series of the
    /// area hyperbolic tangent; off by less than 10^-5.
    fn exponential_q32(&mut self) -> u64 {
        const LN_2_Q32: u64 = 2_977_044_472;
        let uniform = self.bits() | 1;
        let halvings = uniform.leading_zeros();
        let half_to_one = uniform << halvings; // in 1/2..1, scaled by 2^64
        let (numerator, denominator) =
            (u128::from(half_to_one.wrapping_neg()), (1_u128 << 64) + u128::from(half_to_one));
        let z = u64::try_from((numerator << 32) / denominator).unwrap_or(0); // at most 1/3
        let squared = (z * z) >> 32;
        let (mut power, mut sum) = (z, 0);
        for odd in [1, 3, 5, 7, 9] {
            sum += power / odd;
            power = (power * squared) >> 32;
        }
        u64::from(halvings) * LN_2_Q32 + 2 * sum
    }

    /// Normally distributed to the eye, with mean 0 and standard deviation 1, scaled by 2^16: twelve uniform
    /// numbers added up, so never beyond 6.
    pub(super) fn normal_q16(&mut self) -> i64 {
        let mut sum = -6 * 65_535;
        for _ in 0..3 {
            let bits = self.bits();
            for shift in [0, 16, 32, 48] {
                sum += i64::try_from((bits >> shift) & 0xffff).unwrap_or(0);
            }
        }
        sum
    }
}

const NS_PER_1000_S: u128 = 1_000_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_numbers_are_those_of_splitmix64() {
        let mut random = Random::new(1_234_567);
        // The reference implementation's first numbers for this seed.
        assert_eq!(
            [random.bits(), random.bits(), random.bits()],
            [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]
        );
    }

    #[test]
    fn gaps_and_shocks_have_the_moments_they_should() {
        const DRAWS: i64 = 200_000;
        let mut random = Random::new(1);
        let gaps: u128 = (0..DRAWS).map(|_| u128::from(random.gap_ns(250_000))).sum();
        let mean_ns = gaps / u128::from(DRAWS.unsigned_abs());
        assert!((3_970_000..4_030_000).contains(&mean_ns), "{mean_ns}"); // 250 a second: 4 ms
        let longer = (0..DRAWS).filter(|_| random.gap_ns(250_000) > 4_000_000).count();
        assert!((72_500..74_700).contains(&longer), "{longer}"); // e^-1 of them
        let shocks: Vec<i64> = (0..DRAWS).map(|_| random.normal_q16()).collect();
        let mean = shocks.iter().sum::<i64>() / DRAWS;
        let variance_q16 = shocks.iter().map(|z| (z * z) >> 16).sum::<i64>() / DRAWS;
        assert!(mean.abs() < 600 && (64_500..66_600).contains(&variance_q16), "{mean} {variance_q16}");
    }

    #[test]
    fn what_is_below_stays_below() {
        let mut random = Random::new(2);
        assert_eq!((random.below(0), random.below(1)), (0, 0));
        let mut seen = [0_u32; 7];
        (0..7_000).for_each(|_| seen[usize::try_from(random.below(7)).unwrap()] += 1);
        assert!(seen.iter().all(|count| (850..1_150).contains(count)), "{seen:?}");
        assert!((0..1_000).all(|_| random.heads(3) <= 3));
    }
}
