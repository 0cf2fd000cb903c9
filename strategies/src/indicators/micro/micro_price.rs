//! Stoikov's micro-price ("The micro-price: a high-frequency estimator of future prices", 2018).
//!
//! The state is (imbalance bucket, spread). Between two changes of the touch the mid moves by some K or
//! stays; with Q the transitions without a move, R the chances of each move and T the transitions with
//! one, the first-order adjustment is G1 = (I - Q)^-1 R K, and the next moves add B G1 + B² G1 + … with
//! B = (I - Q)^-1 T. The counts are made symmetric (mirror the book, mirror the move), without which the
//! series need not converge.
//!
//! Counting is O(1) an event; fitting is done off the hot path and makes a [`MicroPriceTable`], whose
//! look-up is O(1).

use super::Touch;
use crate::indicators::value::Value;

/// Counts transitions of the touch.
#[derive(Clone, Debug)]
pub struct MicroPriceModel {
    buckets: usize,
    spreads: usize,
    /// [from][to], without and with a move of the mid.
    stayed: Vec<f64>,
    moved: Vec<f64>,
    /// Σ of moves of the mid out of a state, half-ticks.
    drift: Vec<f64>,
    last: Option<(usize, i64)>,
}

impl MicroPriceModel {
    /// `buckets` of imbalance and spreads of 1..=`spreads` ticks (wider ones are not counted). Panics when
    /// either is 0.
    #[must_use]
    pub fn new(buckets: usize, spreads: usize) -> Self {
        assert!(buckets > 0 && spreads > 0, "a state space");
        let states = buckets * spreads;
        Self {
            buckets,
            spreads,
            stayed: vec![0.0; states * states],
            moved: vec![0.0; states * states],
            drift: vec![0.0; states],
            last: None,
        }
    }

    /// The touch became this.
    #[inline]
    pub fn touch(&mut self, touch: &Touch) {
        let Some(state) = state(touch, self.buckets, self.spreads) else {
            self.last = None;
            return;
        };
        let mid_x2 = touch.mid_x2();
        if let Some((from, before)) = self.last {
            let jump = mid_x2 - before;
            self.count(from, state, jump);
            self.count(self.mirror(from), self.mirror(state), -jump);
        }
        self.last = Some((state, mid_x2));
    }

    /// The table of adjustments from what was counted. States never left have none, and are adjusted by 0.
    #[must_use]
    pub fn fit(&self) -> MicroPriceTable {
        let states = self.drift.len();
        let total = |from: usize| -> f64 {
            let row = from * states..(from + 1) * states;
            self.stayed[row.clone()].iter().sum::<f64>() + self.moved[row].iter().sum::<f64>()
        };
        let totals: Vec<f64> = (0..states).map(total).collect();
        let share = |count: f64, from: usize| if totals[from] > 0.0 { count / totals[from] } else { 0.0 };
        // Solve (I - Q) X = [R K | T] by elimination; columns of T follow the drift's.
        let width = states + 1;
        let mut left = vec![0.0; states * states];
        let mut right = vec![0.0; states * width];
        for from in 0..states {
            for to in 0..states {
                left[from * states + to] =
                    f64::from(from == to) - share(self.stayed[from * states + to], from);
                right[from * width + 1 + to] = share(self.moved[from * states + to], from);
            }
            right[from * width] = share(self.drift[from], from);
        }
        solve(&mut left, &mut right, states, width);
        let first: Vec<f64> = (0..states).map(|i| right[i * width]).collect();
        let mut adjustment = first.clone();
        let mut term = first;
        for _ in 0..TERMS {
            term = (0..states)
                .map(|i| (0..states).map(|j| right[i * width + 1 + j] * term[j]).sum::<f64>())
                .collect();
            for (sum, term) in adjustment.iter_mut().zip(&term) {
                *sum += term;
            }
        }
        MicroPriceTable { buckets: self.buckets, spreads: self.spreads, half_ticks: adjustment.into() }
    }

    #[inline]
    fn count(&mut self, from: usize, to: usize, jump: i64) {
        let cell = from * self.drift.len() + to;
        if jump == 0 {
            self.stayed[cell] += 1.0;
        } else {
            self.moved[cell] += 1.0;
            self.drift[from] += jump as f64;
        }
    }

    /// The state of the mirrored book.
    #[inline]
    fn mirror(&self, state: usize) -> usize {
        let (spread, bucket) = (state / self.buckets, state % self.buckets);
        spread * self.buckets + (self.buckets - 1 - bucket)
    }
}

/// Adjustments of the mid by state.
#[derive(Clone, Debug)]
pub struct MicroPriceTable {
    buckets: usize,
    spreads: usize,
    half_ticks: Box<[f64]>,
}

impl MicroPriceTable {
    /// The micro-price in ticks; undefined for a crossed or empty touch or a spread beyond the table.
    #[inline]
    #[must_use]
    pub fn micro_price(&self, touch: &Touch) -> Value {
        match state(touch, self.buckets, self.spreads) {
            Some(state) => Value::of((touch.mid_x2() as f64 + self.half_ticks[state]) / 2.0),
            None => Value::UNDEFINED,
        }
    }
}

#[inline]
fn state(touch: &Touch, buckets: usize, spreads: usize) -> Option<usize> {
    let spread = usize::try_from(touch.spread()).ok().filter(|spread| (1..=spreads).contains(spread))?;
    let (bid, ask) = (i128::from(touch.bid.quantity), i128::from(touch.ask.quantity));
    if bid < 0 || ask < 0 || bid + ask == 0 {
        return None;
    }
    // The middle bucket must mirror onto itself: round bid share up from below, down from above.
    let count = buckets as i128;
    let (scaled, whole) = (bid * count, bid + ask);
    let floor = scaled / whole;
    let on_edge = scaled % whole == 0 && 2 * bid > whole;
    let bucket = usize::try_from(floor - i128::from(on_edge)).ok()?.min(buckets - 1);
    Some((spread - 1) * buckets + bucket)
}

/// Gauss elimination with row pivots; rows without a pivot (states never left for good) solve to 0.
fn solve(left: &mut [f64], right: &mut [f64], n: usize, width: usize) {
    for column in 0..n {
        let pivot =
            (column..n).max_by(|a, b| left[a * n + column].abs().total_cmp(&left[b * n + column].abs()));
        let Some(pivot) = pivot.filter(|row| left[row * n + column].abs() > 1e-12) else {
            right[column * width..(column + 1) * width].fill(0.0);
            continue;
        };
        for j in 0..n {
            left.swap(column * n + j, pivot * n + j);
        }
        for j in 0..width {
            right.swap(column * width + j, pivot * width + j);
        }
        let by = left[column * n + column];
        for row in (0..n).filter(|row| *row != column) {
            let factor = left[row * n + column] / by;
            if factor == 0.0 {
                continue;
            }
            for j in column..n {
                left[row * n + j] -= factor * left[column * n + j];
            }
            for j in 0..width {
                right[row * width + j] -= factor * right[column * width + j];
            }
        }
    }
    for row in 0..n {
        let by = left[row * n + row];
        for j in 0..width {
            right[row * width + j] = if by.abs() > 1e-12 { right[row * width + j] / by } else { 0.0 };
        }
    }
}

/// Terms of the series summed: each is smaller by the chance that a move follows a move.
const TERMS: usize = 60;

#[cfg(test)]
mod tests {
    use super::super::Level;
    use super::*;

    fn touch(bid: (i64, i64), ask: (i64, i64)) -> Touch {
        let level = |(price, quantity)| Level { price, quantity };
        Touch { bid: level(bid), ask: level(ask) }
    }

    #[test]
    fn a_book_that_always_follows_its_heavier_side_is_adjusted_towards_it() {
        let mut model = MicroPriceModel::new(3, 1);
        let mut price = 100;
        for step in 0..300 {
            // Balanced, then heavy on one side, then the mid moves by a tick to that side.
            let up = step % 2 == 0;
            model.touch(&touch((price, 5), (price + 1, 5)));
            model.touch(&touch((price, if up { 9 } else { 1 }), (price + 1, if up { 1 } else { 9 })));
            price += if up { 1 } else { -1 };
        }
        let table = model.fit();
        let at = |bid, ask| table.micro_price(&touch((100, bid), (101, ask))).get().unwrap() - 100.5;
        assert!((at(9, 1) - 1.0).abs() < 1e-9 && (at(1, 9) + 1.0).abs() < 1e-9, "{} {}", at(9, 1), at(1, 9));
        assert!(at(5, 5).abs() < 1e-9, "balanced: either way");
        assert_eq!(
            table.micro_price(&touch((100, 1), (102, 1))),
            Value::UNDEFINED,
            "a spread beyond the table"
        );
    }

    #[test]
    fn the_mirror_of_a_state_is_the_state_of_the_mirrored_book() {
        for buckets in 1..8 {
            let model = MicroPriceModel::new(buckets, 2);
            for bid in 0..20 {
                for ask in 0..20 {
                    if bid == ask && buckets % 2 == 0 {
                        continue; // an even count has no middle: the tie goes to one side
                    }
                    let (own, other) = (
                        state(&touch((5, bid), (6, ask)), buckets, 2),
                        state(&touch((5, ask), (6, bid)), buckets, 2),
                    );
                    assert_eq!(own.map(|own| model.mirror(own)), other, "{buckets} {bid} {ask}");
                }
            }
        }
    }
}
