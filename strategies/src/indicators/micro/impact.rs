//! How far trading moves the price.

use super::volatility::log_return;
use crate::indicators::blocks::{Mean, Ring, Sum};
use crate::indicators::value::Value;

/// Kyle's lambda: ticks of mid change per quantity unit of signed volume, by least squares through the
/// last n intervals. The caller decides what an interval is and closes it.
#[derive(Clone, Debug)]
pub struct KyleLambda {
    flow: i64,
    mid_x2: Option<i64>,
    xy: Sum,
    xx: Sum,
    x: Sum,
    y: Sum,
    n: f64,
}

impl KyleLambda {
    /// Over `n` intervals. Panics when `n` is 0.
    #[must_use]
    pub fn new(n: usize) -> Self {
        let sum = || Sum::new(n);
        Self { flow: 0, mid_x2: None, xy: sum(), xx: sum(), x: sum(), y: sum(), n: n as f64 }
    }

    /// Takes a trade's signed quantity.
    #[inline]
    pub fn trade(&mut self, signed: i64) {
        self.flow = self.flow.saturating_add(signed);
    }

    /// Ends an interval at twice the mid `mid_x2`; answers the slope once n intervals are full, undefined
    /// while the flow did not vary.
    #[inline]
    pub fn close(&mut self, mid_x2: i64) -> Value {
        let flow = std::mem::take(&mut self.flow) as f64;
        let Some(before) = self.mid_x2.replace(mid_x2) else { return Value::UNDEFINED };
        let change = (mid_x2 - before) as f64 / 2.0;
        let sums =
            (self.xy.push(flow * change), self.xx.push(flow * flow), self.x.push(flow), self.y.push(change));
        let (Some(xy), Some(xx), Some(x), Some(y)) = sums else { return Value::UNDEFINED };
        let spread = self.n * xx - x * x;
        if spread > 0.0 { Value::of((self.n * xy - x * y) / spread) } else { Value::UNDEFINED }
    }
}

/// Amihud's illiquidity: mean of |log return| per traded value over the last n intervals with trades.
#[derive(Clone, Debug)]
pub struct Amihud {
    value: f64,
    mid_x2: Option<i64>,
    mean: Mean,
}

impl Amihud {
    /// Over `n` intervals. Panics when `n` is 0.
    #[must_use]
    pub fn new(n: usize) -> Self {
        Self { value: 0.0, mid_x2: None, mean: Mean::new(n) }
    }

    /// Takes a trade: ticks times quantity units.
    #[inline]
    pub fn trade(&mut self, price: i64, quantity: i64) {
        self.value += price as f64 * quantity as f64;
    }

    /// Ends an interval at twice the mid `mid_x2`; one without trades is left out.
    #[inline]
    pub fn close(&mut self, mid_x2: i64) -> Value {
        let value = std::mem::replace(&mut self.value, 0.0);
        let Some(before) = self.mid_x2.replace(mid_x2) else { return Value::UNDEFINED };
        if value <= 0.0 {
            return Value::UNDEFINED;
        }
        self.mean.push(log_return(before, mid_x2).abs() / value).into()
    }
}

/// Roll's spread: bid-ask bounce makes successive price changes covary negatively.
#[derive(Clone, Debug)]
pub struct RollSpread {
    price: Option<i64>,
    change: Option<f64>,
    products: Sum,
    changes: Ring,
    befores: Ring,
    n: f64,
}

impl RollSpread {
    /// Over the last `n` pairs of changes. Panics when `n` is 0.
    #[must_use]
    pub fn new(n: usize) -> Self {
        Self {
            price: None,
            change: None,
            products: Sum::new(n),
            changes: Ring::new(n),
            befores: Ring::new(n),
            n: n as f64,
        }
    }

    /// Takes a trade's price; answers the spread in ticks, 0 where the covariance is positive.
    #[inline]
    pub fn trade(&mut self, price: i64) -> Value {
        let Some(last) = self.price.replace(price) else { return Value::UNDEFINED };
        let change = (price - last) as f64;
        let Some(before) = self.change.replace(change) else { return Value::UNDEFINED };
        self.changes.push(change);
        self.befores.push(before);
        let Some(products) = self.products.push(change * before) else { return Value::UNDEFINED };
        // Sums of whole ticks are exact below 2^53: newest less oldest price needs no running sum.
        let sum: f64 = self.changes.held().iter().sum();
        let sum_before: f64 = self.befores.held().iter().sum();
        let covariance = products / self.n - sum / self.n * (sum_before / self.n);
        Value::of(2.0 * (-covariance).max(0.0).sqrt())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn lambda_is_the_textbook_slope(rows in prop::collection::vec((-50..50_i64, -20..20_i64), 6..40)) {
            let mut kyle = KyleLambda::new(5);
            let mut mid_x2 = 200_000;
            let mut pairs: Vec<(f64, f64)> = Vec::new();
            kyle.close(mid_x2);
            for (flow, move_x2) in rows {
                kyle.trade(flow - 3);
                kyle.trade(3);
                mid_x2 += move_x2;
                pairs.push((flow as f64, move_x2 as f64 / 2.0));
                let got = kyle.close(mid_x2).get();
                let Some(window) = pairs.len().checked_sub(5).map(|from| &pairs[from..]) else {
                    prop_assert_eq!(got, None);
                    continue;
                };
                let (mx, my) = (window.iter().map(|p| p.0).sum::<f64>() / 5.0, window.iter().map(|p| p.1).sum::<f64>() / 5.0);
                let sxx: f64 = window.iter().map(|p| (p.0 - mx) * (p.0 - mx)).sum();
                let sxy: f64 = window.iter().map(|p| (p.0 - mx) * (p.1 - my)).sum();
                match got {
                    None => prop_assert!(sxx < 1e-9),
                    Some(got) => prop_assert!((got - sxy / sxx).abs() < 1e-9),
                }
            }
        }
    }

    #[test]
    fn a_pure_bounce_shows_its_spread() {
        let mut roll = RollSpread::new(200);
        let last = (0..402).map(|i| roll.trade(if i % 2 == 0 { 1000 } else { 1004 })).last().unwrap();
        assert!(
            (last.get().unwrap() - 8.0).abs() < 1e-9,
            "every change is the whole spread and reverses: cov = -16"
        );
        let mut trend = RollSpread::new(50);
        assert_eq!((0..60).map(|i| trend.trade(i * i)).last().unwrap().get(), Some(0.0));
    }

    #[test]
    fn illiquidity_is_the_mean_return_per_value() {
        let mut amihud = Amihud::new(2);
        amihud.close(2_000);
        amihud.trade(1_000, 5);
        assert_eq!(amihud.close(2_020), Value::UNDEFINED);
        assert_eq!(amihud.close(2_100), Value::UNDEFINED, "no trades: left out");
        amihud.trade(1_000, 10);
        let got = amihud.close(2_058).get().unwrap();
        let expected = (libm::log(1.01) / 5_000.0 - libm::log(0.98) / 10_000.0) / 2.0;
        assert!((got - expected).abs() < 1e-15);
    }
}
