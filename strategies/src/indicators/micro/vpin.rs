//! Volume-synchronised probability of informed trading (Easley, López de Prado, O'Hara).

use super::{Print, Ratio};

/// Buckets of equal volume filled in trade order; a trade is split at a bucket's edge.
#[derive(Clone, Debug)]
pub struct Vpin {
    bucket: i64,
    /// |buy - sell| of the last full buckets.
    unbalances: Box<[i64]>,
    next: usize,
    done: u64,
    total: i128,
    filled: i64,
    balance: i64,
}

impl Vpin {
    /// Buckets of volume `bucket` (quantity units), averaged over the last `count`. Panics when either is
    /// not more than 0.
    #[must_use]
    pub fn new(bucket: i64, count: usize) -> Self {
        assert!(bucket > 0 && count > 0, "buckets hold something");
        let unbalances = vec![0; count].into_boxed_slice();
        Self { bucket, unbalances, next: 0, done: 0, total: 0, filled: 0, balance: 0 }
    }

    /// Takes a trade. One that fills more buckets than are averaged over costs no more than that many:
    /// the ones between are all of one side.
    #[inline]
    pub fn trade(&mut self, print: &Print) {
        let sign = if print.taker_buys { 1 } else { -1 };
        let mut rest = print.quantity;
        if rest < self.bucket - self.filled {
            self.filled += rest;
            self.balance += sign * rest;
            return;
        }
        let first = self.bucket - self.filled;
        self.close(self.balance + sign * first);
        rest -= first;
        let full = rest / self.bucket;
        let written = full.min(i64::try_from(self.unbalances.len()).unwrap_or(i64::MAX));
        for _ in 0..written {
            self.close(self.bucket);
        }
        self.done += (full - written).unsigned_abs();
        self.filled = rest % self.bucket;
        self.balance = sign * self.filled;
    }

    /// Full buckets since the start.
    #[must_use]
    pub fn buckets_done(&self) -> u64 {
        self.done
    }

    /// Mean of |buy - sell|/volume over the last buckets; undefined before there are enough.
    #[inline]
    #[must_use]
    pub fn value(&self) -> Ratio {
        let count = self.unbalances.len() as u64;
        let denominator = if self.done >= count { i128::from(self.bucket) * i128::from(count) } else { 0 };
        Ratio { numerator: self.total, denominator }
    }

    #[inline]
    fn close(&mut self, balance: i64) {
        let unbalance = balance.abs();
        let left = std::mem::replace(&mut self.unbalances[self.next], unbalance);
        self.total += i128::from(unbalance) - i128::from(left);
        self.next = if self.next + 1 == self.unbalances.len() { 0 } else { self.next + 1 };
        self.done += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::time::Nanos;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn splitting_a_trade_into_units_changes_nothing(
            trades in prop::collection::vec((1..60_i64, any::<bool>()), 1..60),
            bucket in 1..9_i64,
            count in 1..5_usize,
        ) {
            let mut vpin = Vpin::new(bucket, count);
            let mut units = Vec::new();
            for (quantity, taker_buys) in trades {
                vpin.trade(&Print { at: Nanos(0), price: 1, quantity, taker_buys });
                units.extend(std::iter::repeat_n(if taker_buys { 1_i64 } else { -1 }, usize::try_from(quantity).unwrap()));
                let full: Vec<i64> = units.chunks_exact(usize::try_from(bucket).unwrap()).map(|unit| unit.iter().sum::<i64>().abs()).collect();
                prop_assert_eq!(vpin.buckets_done(), full.len() as u64);
                let expected = (full.len() >= count).then(|| full[full.len() - count..].iter().sum::<i64>());
                let got = vpin.value();
                prop_assert_eq!((got.denominator != 0).then_some(got.numerator), expected.map(i128::from));
            }
        }
    }
}
