//! One output of an indicator: a finite number, or undefined.
//!
//! Undefined is its own state and has no numeric face: the only way to a number is [`Value::get`],
//! which answers `None`, so neither a 0 nor a NaN of a warm-up row can reach a decision. The type is
//! eight bytes (undefined is stored as a NaN that never leaves it): a column of `Option<f64>` would be
//! twice as wide, and a batch over a year of minutes is bound by memory.

use super::bar::BLOCK_ROWS;
use std::fmt;
use std::ops::Range;

/// A finite number or undefined.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub struct Value(f64);

impl Value {
    /// No value: warm-up, an input that was refused, or a formula without an answer here.
    pub const UNDEFINED: Self = Self(f64::NAN);

    /// `x` when finite; undefined otherwise. An overflow or 0/0 thus never becomes a number.
    #[inline]
    #[must_use]
    pub fn of(x: f64) -> Self {
        if x.is_finite() { Self(x) } else { Self::UNDEFINED }
    }

    /// The number, if there is one.
    #[inline]
    #[must_use]
    pub fn get(self) -> Option<f64> {
        if self.is_defined() { Some(self.0) } else { None }
    }

    /// Is there a number?
    #[inline]
    #[must_use]
    pub fn is_defined(self) -> bool {
        !self.0.is_nan()
    }

    /// The number, or a NaN that the feed of a chained indicator refuses as input.
    #[inline]
    pub(crate) fn or_nan(self) -> f64 {
        self.0
    }
}

impl From<Option<f64>> for Value {
    #[inline]
    fn from(x: Option<f64>) -> Self {
        x.map_or(Self::UNDEFINED, Self::of)
    }
}

/// Equal bits, or both undefined.
impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        match (self.get(), other.get()) {
            (Some(a), Some(b)) => a.to_bits() == b.to_bits(),
            (None, None) => true,
            _ => false,
        }
    }
}

impl Eq for Value {}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.get() {
            Some(x) => write!(f, "{x:?}"),
            None => f.write_str("undefined"),
        }
    }
}

/// The shortest decimal that reads back as the same bits; nothing at all when undefined.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.get() {
            Some(x) => write!(f, "{x}"),
            None => Ok(()),
        }
    }
}

/// The outputs of one indicator, in the order the registry names them.
pub trait Outputs: Copy + Send + 'static {
    /// How many.
    const COUNT: usize;
    /// Every output undefined.
    const UNDEFINED: Self;
    /// The outputs in order.
    fn as_slice(&self) -> &[Value];
    /// A block of every column.
    type Blocks<'a>;
    /// The block that begins at row `from`. Panics when there are fewer columns than outputs or a column ends
    /// inside it.
    fn blocks<'a>(out: &'a mut [&mut [Value]], from: usize) -> Self::Blocks<'a>;
    /// The outputs of a row. Panics as `blocks` does.
    fn row(out: &[&mut [Value]], row: usize) -> Self;
    /// Writes `next(row)` of each row in `rows` to the columns, one column an output. Panics when there are
    /// fewer columns than outputs or a column is shorter.
    fn write_rows(out: &mut [&mut [Value]], rows: Range<usize>, next: impl FnMut(usize) -> Self);
}

/// A block of one column.
pub(crate) type ValueBlock = [Value; BLOCK_ROWS];

impl<const N: usize> Outputs for [Value; N] {
    const COUNT: usize = N;
    const UNDEFINED: Self = [Value::UNDEFINED; N];
    type Blocks<'a> = [&'a mut ValueBlock; N];
    #[inline]
    fn blocks<'a>(out: &'a mut [&mut [Value]], from: usize) -> [&'a mut ValueBlock; N] {
        let mut columns = out.iter_mut();
        std::array::from_fn(|_| match columns.next().and_then(|column| column[from..].first_chunk_mut()) {
            Some(block) => block,
            None => panic!("a block of one column per output"),
        })
    }
    #[inline]
    fn row(out: &[&mut [Value]], row: usize) -> Self {
        std::array::from_fn(|k| out[k][row])
    }
    #[inline]
    fn as_slice(&self) -> &[Value] {
        self
    }
    #[inline]
    fn write_rows(out: &mut [&mut [Value]], rows: Range<usize>, mut next: impl FnMut(usize) -> Self) {
        let end = rows.end;
        let mut columns = out.iter_mut();
        // As an array of slices of one known length: the writes below need no checks.
        let columns: [&mut [Value]; N] = std::array::from_fn(|_| match columns.next() {
            Some(column) => &mut column[..end],
            None => panic!("one column per output"),
        });
        for row in rows {
            let values = next(row);
            for k in 0..N {
                columns[k][row] = values[k];
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_finite_is_undefined() {
        for x in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert_eq!(Value::of(x).get(), None);
            assert_eq!(Value::of(x), Value::UNDEFINED);
        }
        assert_eq!(Value::of(0.0).get(), Some(0.0));
        assert_ne!(Value::of(0.0), Value::of(-0.0), "equality is of bits");
    }

    #[test]
    fn a_value_prints_itself_in_full_and_undefined_prints_nothing() {
        assert_eq!(Value::of(0.1 + 0.2).to_string(), "0.30000000000000004");
        assert_eq!(Value::UNDEFINED.to_string(), "");
    }
}
