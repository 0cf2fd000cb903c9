//! Takers that clear levels at once, and levels that refill.

use super::Print;
use engine::time::Nanos;

/// Takers of one side traded through several prices within a span of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sweep {
    /// Did they buy?
    pub taker_buys: bool,
    /// First and last price, ticks.
    pub from: i64,
    /// The farthest price, ticks.
    pub to: i64,
    /// Distinct prices passed.
    pub prices: u32,
    /// Quantity in all.
    pub quantity: i64,
}

/// Watches for sweeps. A run is trades of one side whose prices never turn back, none later than `span`
/// after the first.
#[derive(Clone, Copy, Debug)]
pub struct SweepDetector {
    span: Nanos,
    prices_min: u32,
    run: Option<(Nanos, Sweep)>,
}

impl SweepDetector {
    /// A sweep passes at least `prices_min` prices within `span`.
    #[must_use]
    pub fn new(span: Nanos, prices_min: u32) -> Self {
        Self { span, prices_min, run: None }
    }

    /// Takes a trade; answers the sweep as it stands when this trade makes or extends one.
    #[inline]
    pub fn trade(&mut self, print: &Print) -> Option<Sweep> {
        let continues = self.run.filter(|(start, run)| {
            let onward = if run.taker_buys { print.price >= run.to } else { print.price <= run.to };
            run.taker_buys == print.taker_buys && onward && print.at.since(*start) <= self.span
        });
        let (start, run) = match continues {
            Some((start, run)) => {
                let prices = run.prices + u32::from(print.price != run.to);
                (
                    start,
                    Sweep {
                        to: print.price,
                        prices,
                        quantity: run.quantity.saturating_add(print.quantity),
                        ..run
                    },
                )
            }
            None => (
                print.at,
                Sweep {
                    taker_buys: print.taker_buys,
                    from: print.price,
                    to: print.price,
                    prices: 1,
                    quantity: print.quantity,
                },
            ),
        };
        let before = continues.map_or(0, |(_, run)| run.prices);
        self.run = Some((start, run));
        (run.prices >= self.prices_min && run.prices > before).then_some(run)
    }
}

/// A level that has given more than it ever showed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Iceberg {
    /// Its price, ticks.
    pub price: i64,
    /// Traded there since it came to the touch.
    pub traded: i64,
    /// Most it ever showed at once.
    pub shown: i64,
    /// Times it grew again after a trade.
    pub refills: u32,
}

/// Watches one side's best level for hidden quantity.
#[derive(Clone, Copy, Debug)]
pub struct IcebergDetector {
    refills_min: u32,
    level: Option<Iceberg>,
    quantity: i64,
    traded_since_change: bool,
}

impl IcebergDetector {
    /// An iceberg refills at least `refills_min` times.
    #[must_use]
    pub fn new(refills_min: u32) -> Self {
        Self { refills_min, level: None, quantity: 0, traded_since_change: false }
    }

    /// The side's best level became this.
    #[inline]
    pub fn best(&mut self, price: i64, quantity: i64) {
        match &mut self.level {
            Some(level) if level.price == price => {
                if quantity > self.quantity && self.traded_since_change {
                    level.refills += 1;
                }
                level.shown = level.shown.max(quantity);
            }
            _ => self.level = Some(Iceberg { price, traded: 0, shown: quantity, refills: 0 }),
        }
        self.quantity = quantity;
        self.traded_since_change = false;
    }

    /// A trade took from this side; answers the level when it now is an iceberg.
    #[inline]
    pub fn trade(&mut self, price: i64, quantity: i64) -> Option<Iceberg> {
        let level = self.level.as_mut().filter(|level| level.price == price)?;
        level.traded = level.traded.saturating_add(quantity);
        self.traded_since_change = true;
        // What was traded must have been hidden at some time only if it exceeds all that was ever shown.
        (level.traded > level.shown && level.refills >= self.refills_min).then_some(*level)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn print(at: u64, price: i64, taker_buys: bool) -> Print {
        Print { at: Nanos(at), price, quantity: 2, taker_buys }
    }

    #[test]
    fn a_sweep_passes_prices_in_one_direction_in_time() {
        let mut sweeps = SweepDetector::new(Nanos(100), 3);
        assert_eq!(sweeps.trade(&print(0, 10, true)), None);
        assert_eq!(sweeps.trade(&print(1, 11, true)), None);
        assert_eq!(sweeps.trade(&print(2, 11, true)), None);
        let sweep = Sweep { taker_buys: true, from: 10, to: 13, prices: 3, quantity: 8 };
        assert_eq!(sweeps.trade(&print(3, 13, true)), Some(sweep));
        assert_eq!(sweeps.trade(&print(4, 13, true)), None, "the same price passes nothing");
        assert_eq!(sweeps.trade(&print(5, 12, true)), None, "turned back: a new run");
        for (at, price) in [(6, 9), (7, 8)] {
            assert_eq!(sweeps.trade(&print(at, price, false)), None);
        }
        assert_eq!(sweeps.trade(&print(107, 7, false)), None, "too late for the run of 6");
    }

    #[test]
    fn an_iceberg_gives_more_than_it_ever_showed() {
        let mut icebergs = IcebergDetector::new(1);
        icebergs.best(100, 5);
        assert_eq!(icebergs.trade(100, 4), None);
        icebergs.best(100, 5); // grew from what was left: refilled
        let found = icebergs.trade(100, 3);
        // The book still said 5 when the trade of 4 came, so 1 -> 5 is seen as no growth: nothing yet.
        assert_eq!(found, None);
        icebergs.best(100, 2);
        icebergs.trade(100, 1);
        icebergs.best(100, 5);
        assert_eq!(icebergs.trade(100, 1), Some(Iceberg { price: 100, traded: 9, shown: 5, refills: 1 }));
        icebergs.best(101, 3);
        assert_eq!(icebergs.trade(100, 9), None, "another level is best now");
    }
}
