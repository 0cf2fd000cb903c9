//! Numbers drawn from a seed: masking keys and jitter. Nothing that must stay secret hangs on them.

/// A stream of random numbers: splitmix64 (Steele, Lea and Flood, 2014).
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// The stream of `seed`.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 bits.
    #[inline]
    pub const fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A masking key.
    #[inline]
    pub const fn key(&mut self) -> [u8; 4] {
        let [a, b, c, d, ..] = self.bits().to_ne_bytes();
        [a, b, c, d]
    }

    /// One of 0..`count`; 0 where `count` is 0. Uneven by less than `count` / 2^64.
    pub fn below(&mut self, count: u64) -> u64 {
        u64::try_from((u128::from(self.bits()) * u128::from(count)) >> 64).unwrap_or(0)
    }
}

/// A seed that nobody can foretell, from the system's generator: for the sessions of a live process.
/// None: the system gave none.
#[must_use]
pub fn unpredictable_seed() -> Option<u64> {
    let mut bytes = [0; 8];
    aws_lc_rs::rand::fill(&mut bytes).ok()?;
    Some(u64::from_ne_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_number_is_that_of_splitmix64_and_draws_stay_below() {
        let mut random = Random::new(0);
        assert_eq!(random.bits(), 0xE220_A839_7B1D_CDAF);
        assert!((0..1_000).all(|_| random.below(7) < 7) && random.below(0) == 0);
        assert_ne!(unpredictable_seed(), unpredictable_seed());
    }
}
