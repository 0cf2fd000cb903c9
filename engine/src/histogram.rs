//! Buckets of a latency histogram: whole nanoseconds up to 255, then 128 buckets to each power of two, so that
//! a bucket is at most 0.8 % wide. The geometry is HdrHistogram's with two significant digits
//! (<https://hdrhistogram.github.io/HdrHistogram/>). The live counters and whoever rebuilds a histogram from
//! the journal use the same buckets, so that the two can be compared one by one.

/// Buckets of a histogram: every value of 32 bits has one.
pub const BUCKETS: usize = EXACT + OCTAVES * HALF;

/// Values with a bucket of their own.
const EXACT: usize = 256;
/// Buckets to a power of two beyond them.
const HALF: usize = 128;
/// Powers of two beyond `EXACT` that 32 bits hold.
const OCTAVES: usize = 32 - EXACT.ilog2() as usize;

/// The bucket of a value, ns.
#[inline]
#[must_use]
pub const fn bucket_of(value_ns: u32) -> usize {
    let value = value_ns as usize;
    if value < EXACT {
        return value;
    }
    // 1 for the first octave beyond the exact values, whose buckets hold two values each.
    let octave = (value.ilog2() - HALF.ilog2()) as usize;
    EXACT + (octave - 1) * HALF + ((value >> octave) - HALF)
}

/// The largest value of a bucket, ns: what a percentile reports. Buckets beyond the last are the last.
#[must_use]
pub const fn highest_of(bucket: usize) -> u32 {
    if bucket < EXACT {
        #[expect(clippy::cast_possible_truncation, reason = "below 256")]
        return bucket as u32;
    }
    let bucket = if bucket < BUCKETS { bucket } else { BUCKETS - 1 };
    let (octave, place) = ((bucket - EXACT) / HALF + 1, (bucket - EXACT) % HALF);
    let next = ((HALF + place + 1) as u64) << octave;
    #[expect(clippy::cast_possible_truncation, reason = "the last bucket ends with u32::MAX")]
    ((next - 1) as u32)
}

/// A histogram that anybody may fill and read: rebuilt from a journal, or copied from the counters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Histogram {
    counts: Box<[u64]>,
    max_ns: u32,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { counts: vec![0; BUCKETS].into(), max_ns: 0 }
    }
}

impl Histogram {
    /// From counts by bucket and the largest value. None: not [`BUCKETS`] counts.
    #[must_use]
    pub fn from_parts(counts: &[u64], max_ns: u32) -> Option<Self> {
        (counts.len() == BUCKETS).then(|| Self { counts: counts.into(), max_ns })
    }

    /// Counts one value.
    #[inline]
    pub fn record(&mut self, value_ns: u32) {
        self.counts[bucket_of(value_ns)] += 1;
        self.max_ns = self.max_ns.max(value_ns);
    }

    /// How many values there are; saturates, since counts may come from a file.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.counts.iter().fold(0, |sum, count| sum.saturating_add(*count))
    }

    /// The largest value, ns; 0 without values.
    #[must_use]
    pub const fn max_ns(&self) -> u32 {
        self.max_ns
    }

    /// Counts by bucket.
    #[must_use]
    pub fn counts(&self) -> &[u64] {
        &self.counts
    }

    /// The value that `millionths` of a million values do not exceed, to its bucket's end and never above the
    /// largest; 0 without values. 500,000 is the median.
    #[must_use]
    pub fn percentile_ns(&self, millionths: u32) -> u32 {
        let total = u128::from(self.count());
        // The rank of the value wanted, from 1; rounded up, as HdrHistogram does.
        let rank = (total * u128::from(millionths.min(1_000_000))).div_ceil(1_000_000).max(1);
        let mut seen = 0_u128;
        for (bucket, count) in self.counts.iter().enumerate() {
            seen += u128::from(*count);
            if seen >= rank {
                return highest_of(bucket).min(self.max_ns);
            }
        }
        self.max_ns
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn buckets_follow_each_other_without_a_hole() {
        assert_eq!(BUCKETS, 3328);
        assert_eq!((bucket_of(0), bucket_of(255), bucket_of(256), bucket_of(257)), (0, 255, 256, 256));
        assert_eq!(bucket_of(u32::MAX), BUCKETS - 1);
        assert_eq!(highest_of(BUCKETS - 1), u32::MAX);
        for bucket in 0..BUCKETS - 1 {
            assert_eq!(bucket_of(highest_of(bucket)), bucket);
            assert_eq!(bucket_of(highest_of(bucket) + 1), bucket + 1);
        }
    }

    proptest! {
        #[test]
        fn a_bucket_is_at_most_a_128th_wide(value: u32) {
            let end = highest_of(bucket_of(value));
            prop_assert!(end >= value && end - value <= value / 128);
        }

        #[test]
        fn percentiles_are_those_of_the_sorted_values(values in proptest::collection::vec(0_u32..100_000, 1..200), millionths in 1_u32..=1_000_000) {
            let mut histogram = Histogram::default();
            values.iter().for_each(|value| histogram.record(*value));
            let mut sorted = values;
            sorted.sort_unstable();
            let rank = (sorted.len() as u64 * u64::from(millionths)).div_ceil(1_000_000).max(1);
            let exact = sorted[usize::try_from(rank).unwrap() - 1];
            let told = histogram.percentile_ns(millionths);
            prop_assert!(told >= exact && told - exact <= exact / 128, "{told} {exact}");
            prop_assert_eq!(histogram.percentile_ns(1_000_000), *sorted.last().unwrap());
            prop_assert_eq!(histogram.count(), sorted.len() as u64);
        }
    }
}
