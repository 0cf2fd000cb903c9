//! A candle as indicators see it, and many of them as columns.
//!
//! The engine's candle is exact integers; an indicator is statistics. The conversion is one named place
//! ([`Bar::of_candle`]), and no float of this room travels back without passing a named rounding.

use engine::candle::Candle;
use engine::instrument::Instrument;
use engine::num::{Price, Step};
use std::fmt;
use std::ops::Range;

/// One candle in floats: prices in the quote unit, volume in the base unit.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Bar {
    /// Opening instant of the interval, ms since the Unix epoch, UTC.
    pub open_time_ms: i64,
    /// First price.
    pub open: f64,
    /// Highest price.
    pub high: f64,
    /// Lowest price.
    pub low: f64,
    /// Last price.
    pub close: f64,
    /// Traded amount.
    pub volume: f64,
}

impl Bar {
    /// The engine's exact candle in floats: each number is the nearest one to the decimal that it stands for, so
    /// that a candle read from a file and one made of trades are the same bar.
    #[must_use]
    pub fn of_candle(candle: &Candle, instrument: &Instrument) -> Self {
        let in_units = |count: i64, unit: Step| {
            // Both exact below 2^53, and a division rounds once.
            let mantissa = (i128::from(count) * i128::from(unit.mantissa())) as f64;
            let scale = 10_i64.pow(unit.exponent().into()) as f64;
            mantissa / scale
        };
        let price = |price: Price| in_units(price.0, instrument.price_rule.tick);
        Self {
            open_time_ms: i64::try_from(candle.open_time.as_ms()).unwrap_or(i64::MAX),
            open: price(candle.open),
            high: price(candle.high),
            low: price(candle.low),
            close: price(candle.close),
            volume: in_units(candle.volume.0, instrument.qty_unit),
        }
    }

    /// The middle of the range, (high + low) / 2.
    #[inline]
    #[must_use]
    pub fn hl2(&self) -> f64 {
        (self.high + self.low) / 2.0
    }

    /// The typical price, (high + low + close) / 3.
    #[inline]
    #[must_use]
    pub fn hlc3(&self) -> f64 {
        (self.high + self.low + self.close) / 3.0
    }

    /// The average price, (open + high + low + close) / 4.
    #[inline]
    #[must_use]
    pub fn ohlc4(&self) -> f64 {
        (self.open + self.high + self.low + self.close) / 4.0
    }

    /// The weighted close, (high + low + 2 close) / 4.
    #[inline]
    #[must_use]
    pub fn hlcc4(&self) -> f64 {
        (self.high + self.low + 2.0 * self.close) / 4.0
    }

    /// High minus low.
    #[inline]
    #[must_use]
    pub fn range(&self) -> f64 {
        self.high - self.low
    }
}

/// Rows of a block.
pub const BLOCK_ROWS: usize = 64;

/// A block of one column.
pub type Block = [f64; BLOCK_ROWS];

/// Candles as columns of equal length: the form batches read.
#[derive(Clone, Copy, Debug)]
pub struct Columns<'a> {
    open_time_ms: &'a [i64],
    open: &'a [f64],
    high: &'a [f64],
    low: &'a [f64],
    close: &'a [f64],
    volume: &'a [f64],
}

impl<'a> Columns<'a> {
    /// Borrows six columns. Err: they differ in length.
    pub fn new(
        open_time_ms: &'a [i64],
        open: &'a [f64],
        high: &'a [f64],
        low: &'a [f64],
        close: &'a [f64],
        volume: &'a [f64],
    ) -> Result<Self, UnequalColumns> {
        let expected = open_time_ms.len();
        for (name, column) in
            [("open", open), ("high", high), ("low", low), ("close", close), ("volume", volume)]
        {
            if column.len() != expected {
                return Err(UnequalColumns { name, expected, found: column.len() });
            }
        }
        Ok(Self { open_time_ms, open, high, low, close, volume })
    }

    /// Rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.open_time_ms.len()
    }

    /// No rows?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.open_time_ms.is_empty()
    }

    /// The first `rows` rows. Panics beyond the last row.
    #[inline]
    #[must_use]
    pub fn first(&self, rows: usize) -> Self {
        self.rows(0..rows)
    }

    /// Some of the rows. Panics beyond the last row.
    #[inline]
    #[must_use]
    pub fn rows(&self, rows: Range<usize>) -> Self {
        Self {
            open_time_ms: &self.open_time_ms[rows.clone()],
            open: &self.open[rows.clone()],
            high: &self.high[rows.clone()],
            low: &self.low[rows.clone()],
            close: &self.close[rows.clone()],
            volume: &self.volume[rows],
        }
    }

    /// Row `index` as a candle. Panics beyond the last row.
    #[inline]
    #[must_use]
    pub fn bar(&self, index: usize) -> Bar {
        Bar {
            open_time_ms: self.open_time_ms[index],
            open: self.open[index],
            high: self.high[index],
            low: self.low[index],
            close: self.close[index],
            volume: self.volume[index],
        }
    }

    /// Opening instants, ms since the Unix epoch.
    #[must_use]
    pub fn open_time_ms(&self) -> &'a [i64] {
        self.open_time_ms
    }

    /// First prices.
    #[must_use]
    pub fn open(&self) -> &'a [f64] {
        self.open
    }

    /// Highest prices.
    #[must_use]
    pub fn high(&self) -> &'a [f64] {
        self.high
    }

    /// Lowest prices.
    #[must_use]
    pub fn low(&self) -> &'a [f64] {
        self.low
    }

    /// Last prices.
    #[must_use]
    pub fn close(&self) -> &'a [f64] {
        self.close
    }

    /// Traded amounts.
    #[must_use]
    pub fn volume(&self) -> &'a [f64] {
        self.volume
    }
}

/// Columns of one table that do not agree in length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnequalColumns {
    /// The column that differs.
    pub name: &'static str,
    /// Rows of `open_time_ms`.
    pub expected: usize,
    /// Rows of the column that differs.
    pub found: usize,
}

impl fmt::Display for UnequalColumns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "column `{}` has {} rows, `open_time_ms` has {}", self.name, self.found, self.expected)
    }
}

impl std::error::Error for UnequalColumns {}

/// Candles held as columns.
#[derive(Clone, Debug, Default)]
pub struct Candles {
    open_time_ms: Vec<i64>,
    open: Vec<f64>,
    high: Vec<f64>,
    low: Vec<f64>,
    close: Vec<f64>,
    volume: Vec<f64>,
}

impl Candles {
    /// Appends one candle.
    pub fn push(&mut self, bar: &Bar) {
        self.open_time_ms.push(bar.open_time_ms);
        self.open.push(bar.open);
        self.high.push(bar.high);
        self.low.push(bar.low);
        self.close.push(bar.close);
        self.volume.push(bar.volume);
    }

    /// The columns.
    #[must_use]
    pub fn columns(&self) -> Columns<'_> {
        Columns {
            open_time_ms: &self.open_time_ms,
            open: &self.open,
            high: &self.high,
            low: &self.low,
            close: &self.close,
            volume: &self.volume,
        }
    }
}

impl FromIterator<Bar> for Candles {
    fn from_iter<T: IntoIterator<Item = Bar>>(bars: T) -> Self {
        let mut candles = Self::default();
        for bar in bars {
            candles.push(&bar);
        }
        candles
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::ids::{InstrumentId, VenueId};
    use engine::instrument::{ContractKind, PriceRule, Status};
    use engine::num::{Decimal, Qty};
    use engine::time::Nanos;

    #[test]
    fn a_candle_becomes_the_bar_that_its_decimals_would_be_read_as() {
        let step = |text: &str| Step::parse(text.as_bytes()).unwrap();
        let instrument = Instrument {
            id: InstrumentId(0),
            venue_id: VenueId(0),
            venue: "test".into(),
            symbol: "BTCUSDT".into(),
            base: "BTC".into(),
            quote: "USDT".into(),
            kind: ContractKind::Spot,
            price_rule: PriceRule { tick: step("0.05"), significant_figures: None },
            qty_unit: step("0.00000001"),
            lot: Qty(1),
            qty_min: Qty(1),
            qty_max: Qty(i64::MAX),
            notional_min: Decimal::ZERO,
            contract_size: Step::ONE,
            status: Status::Trading,
            source: "test".into(),
        };
        let (low, high) = (Price(1_236_752), Price(1_236_753));
        let still = Candle::standing_still(low, Nanos::from_ms(1_723_161_255_000), Nanos::SECOND);
        let candle = Candle { high, volume: Qty(154_698_000), ..still };
        let bar = Bar::of_candle(&candle, &instrument);
        assert_eq!(
            (bar.open_time_ms, bar.low, bar.high, bar.volume),
            (1_723_161_255_000, 61_837.6, 61_837.65, 1.54698)
        );
    }

    #[test]
    fn columns_of_unequal_length_are_refused_by_name() {
        let (times, five, four) = ([0_i64; 5], [1.0; 5], [1.0; 4]);
        let error = Columns::new(&times, &five, &five, &four, &five, &five).unwrap_err();
        assert_eq!(error, UnequalColumns { name: "low", expected: 5, found: 4 });
        assert_eq!(error.to_string(), "column `low` has 4 rows, `open_time_ms` has 5");
    }
}
