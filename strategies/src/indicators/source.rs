//! What a value-reading indicator reads: a price of the candle, its volume, or another indicator.

use super::bar::{Bar, Columns};
use super::contract::{Feed, Pair, Study};
use super::value::Value;

/// One value per candle.
pub enum Source {
    /// Read straight from the candle.
    Field(Field),
    /// Output `output` of another indicator: chaining. Rows where it is undefined are refused inputs.
    Study {
        /// The indicator read from.
        study: Box<dyn Study>,
        /// Which of its outputs.
        output: usize,
        /// How many it has.
        output_count: usize,
    },
}

/// A value that a candle holds or that follows from it alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// First price.
    Open,
    /// Highest price.
    High,
    /// Lowest price.
    Low,
    /// Last price.
    Close,
    /// Traded amount.
    Volume,
    /// (high + low) / 2.
    Hl2,
    /// (high + low + close) / 3.
    Hlc3,
    /// (open + high + low + close) / 4.
    Ohlc4,
    /// (high + low + 2 close) / 4.
    Hlcc4,
}

impl Field {
    /// All of them, as configuration spells them.
    pub const NAMES: [(&'static str, Self); 9] = [
        ("open", Self::Open),
        ("high", Self::High),
        ("low", Self::Low),
        ("close", Self::Close),
        ("volume", Self::Volume),
        ("hl2", Self::Hl2),
        ("hlc3", Self::Hlc3),
        ("ohlc4", Self::Ohlc4),
        ("hlcc4", Self::Hlcc4),
    ];

    /// The field of that name, if there is one.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(known, _)| *known == name).map(|(_, field)| *field)
    }

    /// As configuration spells it.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(_, field)| *field == self).map_or("close", |(name, _)| name)
    }

    /// Its value in `bar`.
    #[inline]
    #[must_use]
    pub fn of(self, bar: &Bar) -> f64 {
        match self {
            Self::Open => bar.open,
            Self::High => bar.high,
            Self::Low => bar.low,
            Self::Close => bar.close,
            Self::Volume => bar.volume,
            Self::Hl2 => bar.hl2(),
            Self::Hlc3 => bar.hlc3(),
            Self::Ohlc4 => bar.ohlc4(),
            Self::Hlcc4 => bar.hlcc4(),
        }
    }
}

impl Source {
    /// Hands the values of all rows to `run`; computed ones are laid out in a column first.
    fn column<R>(&mut self, columns: Columns<'_>, run: impl FnOnce(&[f64]) -> R) -> R {
        match self {
            Self::Field(Field::Open) => run(columns.open()),
            Self::Field(Field::High) => run(columns.high()),
            Self::Field(Field::Low) => run(columns.low()),
            Self::Field(Field::Close) => run(columns.close()),
            Self::Field(Field::Volume) => run(columns.volume()),
            Self::Field(field) => {
                let computed: Vec<f64> = (0..columns.len()).map(|row| field.of(&columns.bar(row))).collect();
                run(&computed)
            }
            Self::Study { study, output, output_count } => {
                let mut all = vec![vec![Value::UNDEFINED; columns.len()]; *output_count];
                let mut views: Vec<&mut [Value]> = all.iter_mut().map(Vec::as_mut_slice).collect();
                study.batch(columns, &mut views);
                let values: Vec<f64> = all[*output].iter().map(|value| value.or_nan()).collect();
                run(&values)
            }
        }
    }
}

impl Feed<f64> for Source {
    #[inline]
    fn take(&mut self, bar: &Bar) -> f64 {
        match self {
            Self::Field(field) => field.of(bar),
            Self::Study { study, output, .. } => study.update(bar)[*output].or_nan(),
        }
    }

    #[inline]
    fn peek(&mut self, bar: &Bar) -> f64 {
        match self {
            Self::Field(field) => field.of(bar),
            Self::Study { study, output, .. } => study.peek(bar)[*output].or_nan(),
        }
    }

    fn warm_up(&self) -> Option<usize> {
        match self {
            Self::Field(_) => Some(1),
            Self::Study { study, .. } => study.warm_up(),
        }
    }

    fn reset(&mut self) {
        if let Self::Study { study, .. } = self {
            study.reset();
        }
    }

    fn columns<R>(&mut self, columns: Columns<'_>, run: impl FnOnce(&[f64]) -> R) -> R {
        self.column(columns, run)
    }
}

/// The closes and nothing else: what nearly every indicator reads, without asking what to read.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Closes;

impl Feed<f64> for Closes {
    #[inline]
    fn take(&mut self, bar: &Bar) -> f64 {
        bar.close
    }
    #[inline]
    fn peek(&mut self, bar: &Bar) -> f64 {
        bar.close
    }
    fn warm_up(&self) -> Option<usize> {
        Some(1)
    }
    fn reset(&mut self) {}
    fn columns<R>(&mut self, columns: Columns<'_>, run: impl FnOnce(&[f64]) -> R) -> R {
        run(columns.close())
    }
}

/// Two sources read side by side.
impl Feed<Pair> for [Source; 2] {
    #[inline]
    fn take(&mut self, bar: &Bar) -> Pair {
        let [a, b] = self;
        [a.take(bar), b.take(bar)]
    }

    #[inline]
    fn peek(&mut self, bar: &Bar) -> Pair {
        let [a, b] = self;
        [Feed::<f64>::peek(a, bar), Feed::<f64>::peek(b, bar)]
    }

    fn warm_up(&self) -> Option<usize> {
        Some(self[0].warm_up()?.max(self[1].warm_up()?))
    }

    fn reset(&mut self) {
        let [a, b] = self;
        a.reset();
        b.reset();
    }

    fn columns<R>(&mut self, columns: Columns<'_>, run: impl FnOnce([&[f64]; 2]) -> R) -> R {
        let [a, b] = self;
        a.column(columns, |first| b.column(columns, |second| run([first, second])))
    }
}
