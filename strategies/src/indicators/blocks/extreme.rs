//! Highest and lowest of the last n numbers.

use super::state;

state! {
    /// Monotonic queue: the candidates for the extreme, best first, in a fixed ring. Each number enters
    /// and leaves once: O(1) amortised, at most n steps.
    #[derive(Debug)]
    struct Candidates {
        /// (instant of the push, number)
        cells: Box<[(u64, f64)]>,
        head: usize,
        len: usize,
        pushes: u64,
        /// 1.0 keeps the largest, -1.0 the smallest.
        sign: f64,
    }
}

impl Candidates {
    fn new(n: usize, sign: f64) -> Self {
        assert!(n > 0, "a window holds something");
        Self { cells: vec![(0, 0.0); n].into_boxed_slice(), head: 0, len: 0, pushes: 0, sign }
    }

    #[inline]
    fn slot(&self, i: usize) -> usize {
        let at = self.head + i;
        if at >= self.cells.len() { at - self.cells.len() } else { at }
    }

    #[inline]
    fn push(&mut self, x: f64) -> Option<f64> {
        let n = self.cells.len() as u64;
        if self.len > 0 && self.cells[self.head].0 + n <= self.pushes {
            self.head = self.slot(1);
            self.len -= 1;
        }
        // Of equal numbers the newer stays: it lives longer, and it is the one whose age counts.
        while self.len > 0 && self.cells[self.slot(self.len - 1)].1 * self.sign <= x * self.sign {
            self.len -= 1;
        }
        let at = self.slot(self.len);
        self.cells[at] = (self.pushes, x);
        self.len += 1;
        self.pushes += 1;
        self.value()
    }

    #[inline]
    fn value(&self) -> Option<f64> {
        (self.pushes >= self.cells.len() as u64).then(|| self.cells[self.head].1)
    }

    #[inline]
    fn partial(&self) -> Option<f64> {
        (self.len > 0).then(|| self.cells[self.head].1)
    }

    #[inline]
    fn age(&self) -> u64 {
        self.pushes.saturating_sub(1 + self.cells[self.head].0)
    }
}

macro_rules! extreme {
    ($name:ident, $sign:expr, $word:literal) => {
        state! {
            #[doc = concat!("The ", $word, " of the last n numbers.")]
            #[derive(Debug)]
            pub struct $name {
                candidates: Candidates,
            }
        }

        impl $name {
            /// Over `n` numbers. Panics when `n` is 0.
            #[must_use]
            pub fn new(n: usize) -> Self {
                Self { candidates: Candidates::new(n, $sign) }
            }

            /// Adds `x`; answers the extreme once the window is full.
            #[inline]
            pub fn push(&mut self, x: f64) -> Option<f64> {
                self.candidates.push(x)
            }

            /// The extreme once the window is full.
            #[inline]
            #[must_use]
            pub fn value(&self) -> Option<f64> {
                self.candidates.value()
            }

            /// The extreme of what is held, however few.
            #[inline]
            #[must_use]
            pub fn partial(&self) -> Option<f64> {
                self.candidates.partial()
            }

            /// Pushes since the extreme; of equal ones the newest counts. 0: it is the newest number.
            #[inline]
            #[must_use]
            pub fn age(&self) -> u64 {
                self.candidates.age()
            }
        }
    };
}

extreme!(Highest, 1.0, "largest");
extreme!(Lowest, -1.0, "smallest");

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn extremes_and_their_ages_are_those_of_a_scan(xs in prop::collection::vec(0..6_i32, 1..120), n in 1..9_usize) {
            let (mut highest, mut lowest) = (Highest::new(n), Lowest::new(n));
            for i in 0..xs.len() {
                let x = f64::from(xs[i]);
                let (high, low) = (highest.push(x), lowest.push(x));
                if i + 1 < n {
                    prop_assert_eq!((high, low), (None, None));
                    continue;
                }
                let window = &xs[i + 1 - n..=i];
                let (max, min) = (*window.iter().max().unwrap(), *window.iter().min().unwrap());
                prop_assert_eq!((high, low), (Some(f64::from(max)), Some(f64::from(min))));
                let age = |target| window.iter().rev().position(|&y| y == target).unwrap() as u64;
                prop_assert_eq!((highest.age(), lowest.age()), (age(max), age(min)));
            }
        }
    }
}
