//! The last n numbers.

use super::state;

state! {
    /// A window of the last n numbers, in place of a queue: it never grows.
    #[derive(Debug)]
    pub struct Ring {
        cells: Box<[f64]>,
        /// Where the next number goes, which is where the oldest lies once the window is full.
        next: usize,
        len: usize,
        /// Rounds of the storage until the next renewal of what is summed over it.
        rounds: u32,
    }
}

/// Running sums are taken anew once in this many rounds of a window's storage: seldom enough to cost
/// nothing (a fresh sum every round doubled the cost of a mean), often enough that no rounding outlives
/// 17 windows.
const ROUNDS: u32 = 16;

impl Ring {
    /// An empty window of `n` numbers. Panics when `n` is 0.
    #[must_use]
    pub fn new(n: usize) -> Self {
        assert!(n > 0, "a window holds something");
        Self { cells: vec![0.0; n].into_boxed_slice(), next: 0, len: 0, rounds: 1 }
    }

    /// Adds `x`; answers the number that left the window for it.
    #[inline]
    pub fn push(&mut self, x: f64) -> Option<f64> {
        let left = std::mem::replace(&mut self.cells[self.next], x);
        self.next += 1;
        if self.next == self.cells.len() {
            self.next = 0;
        }
        if self.len == self.cells.len() {
            Some(left)
        } else {
            self.len += 1;
            None
        }
    }

    /// Adds `x` to a full window; answers the number that left for it, and whether it is time to take
    /// running sums anew (see [`Ring::is_renewal_due`], which must not be asked as well).
    #[inline]
    pub fn replace(&mut self, x: f64) -> (f64, bool) {
        debug_assert!(self.is_full(), "a number leaves");
        let left = std::mem::replace(&mut self.cells[self.next], x);
        self.next += 1;
        if self.next < self.cells.len() {
            return (left, false);
        }
        self.next = 0;
        (left, self.is_renewal_due())
    }

    /// The cells of a full window whose numbers leave next, in this order, as far as they lie in one piece: for
    /// whoever replaces several, and then says so to [`Ring::replaced`].
    #[inline]
    pub(crate) fn oldest(&mut self) -> &mut [f64] {
        &mut self.cells[self.next..]
    }

    /// The first `count` cells of [`Ring::oldest`] were replaced; answers whether it is time to take running sums
    /// anew.
    #[inline]
    pub(crate) fn replaced(&mut self, count: usize) -> bool {
        self.next += count;
        if self.next < self.cells.len() {
            return false;
        }
        self.next = 0;
        self.is_renewal_due()
    }

    /// Is the window full?
    #[inline]
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.len == self.cells.len()
    }

    /// Numbers held.
    #[inline]
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Nothing held yet?
    #[inline]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Numbers that fit.
    #[inline]
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.cells.len()
    }

    /// Is it time to take running sums anew? True when the window first fills and then once in
    /// `ROUNDS` rounds of its storage, right after the push that ends the round: [`Ring::held`] is then
    /// in order from the oldest.
    #[inline]
    pub fn is_renewal_due(&mut self) -> bool {
        if self.next != 0 {
            return false;
        }
        self.rounds -= 1;
        if self.rounds > 0 {
            return false;
        }
        self.rounds = ROUNDS;
        true
    }

    /// The number `age` pushes ago; 0 is the newest.
    #[inline]
    #[must_use]
    pub fn get(&self, age: usize) -> Option<f64> {
        if age >= self.len {
            return None;
        }
        let at = if self.next > age { self.next - 1 - age } else { self.next + self.cells.len() - 1 - age };
        Some(self.cells[at])
    }

    /// From the oldest to the newest.
    #[inline]
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = f64> + Clone + '_ {
        let (late, early) = self.cells[..].split_at(self.next);
        let early = if self.is_full() { early } else { &[] };
        early.iter().chain(late).copied()
    }

    /// The held numbers in storage order, for sums whose order the caller has fixed.
    #[inline]
    #[must_use]
    pub fn held(&self) -> &[f64] {
        &self.cells[..self.len]
    }
}

state! {
    /// The number n pushes ago.
    #[derive(Debug)]
    pub struct Delay {
        /// None for a delay of 0.
        ring: Option<Ring>,
    }
}

impl Delay {
    /// Looks `n` pushes back; 0 answers what is pushed.
    #[must_use]
    pub fn new(n: usize) -> Self {
        Self { ring: (n > 0).then(|| Ring::new(n)) }
    }

    /// Adds `x`; answers the number n pushes before it.
    #[inline]
    pub fn push(&mut self, x: f64) -> Option<f64> {
        match &mut self.ring {
            Some(ring) => ring.push(x),
            None => Some(x),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_ring_holds_the_last_n_pushes_in_order(xs in prop::collection::vec(-1e3..1e3_f64, 0..40), n in 1..9_usize) {
            let mut ring = Ring::new(n);
            for (i, &x) in xs.iter().enumerate() {
                let left = ring.push(x);
                prop_assert_eq!(left, i.checked_sub(n).map(|j| xs[j]));
                let from = (i + 1).saturating_sub(n);
                prop_assert_eq!(ring.iter().collect::<Vec<_>>(), &xs[from..=i]);
                prop_assert_eq!(ring.get(0), Some(x));
                prop_assert_eq!(ring.get(ring.len() - 1), Some(xs[from]));
                prop_assert_eq!(ring.get(ring.len()), None);
            }
        }
    }

    #[test]
    fn copying_into_a_used_ring_keeps_its_storage() {
        let (mut a, mut b) = (Ring::new(3), Ring::new(3));
        for x in [1.0, 2.0, 3.0, 4.0] {
            a.push(x);
        }
        let storage = b.cells.as_ptr();
        b.clone_from(&a);
        assert_eq!(b.cells.as_ptr(), storage);
        assert_eq!(b.iter().collect::<Vec<_>>(), [2.0, 3.0, 4.0]);
    }
}
