//! Streams of the ta-lib crate under the contract.
//!
//! A stream of that crate opens over a history as long as its lookback plus one, and takes its memory
//! there. The wrapper collects that history in storage taken at construction and opens on the candle
//! that completes it: the one allocation in its life, which the catalogue shows (some take none). From then on an update
//! is the crate's own step behind a range check, and it does not allocate. `peek` is the crate's own.
//! The crate counts its candles and ends at 100 million: beyond, the outputs are undefined.

use ta_lib::{Core, RetCode};

use super::bar::Bar;
use super::contract::{Indicator, Pair};
use super::registry::Args;
use super::value::Value;

/// A function of the crate that reads `W` numbers a candle and answers `N`.
pub(crate) trait Function<const W: usize, const N: usize>: Clone + Send + Sized + 'static {
    /// Candles before the first answer.
    fn lookback(core: &Core, args: &Args) -> Result<usize, RetCode>;
    /// Opens over the history and answers for its last candle.
    fn open(core: &Core, history: [&[f64]; W], args: &Args) -> Result<(Self, [f64; N]), RetCode>;
    /// Takes one candle.
    fn take(&mut self, row: [f64; W]) -> Result<[f64; N], RetCode>;
    /// What `take` would answer.
    fn look(&self, row: [f64; W]) -> Result<[f64; N], RetCode>;
}

/// A stream that opens once its history is complete.
#[derive(Clone)]
struct Opening<F, const W: usize, const N: usize> {
    args: Args,
    history: [Box<[f64]>; W],
    held: usize,
    stream: Option<F>,
    /// The crate has refused the parameters or its count is full: no value ever after.
    ended: bool,
}

impl<F: Function<W, N>, const W: usize, const N: usize> Opening<F, W, N> {
    fn new(args: &Args) -> Self {
        let lookback = F::lookback(&Core::new(), args);
        let rows = lookback.map_or(1, |lookback| lookback + 1);
        Self {
            args: args.clone(),
            history: std::array::from_fn(|_| vec![0.0; rows].into_boxed_slice()),
            held: 0,
            stream: None,
            ended: lookback.is_err(),
        }
    }

    fn rows(&self) -> usize {
        self.history[0].len()
    }

    #[inline]
    fn take(&mut self, row: [f64; W]) -> [Value; N] {
        if self.ended {
            return [Value::UNDEFINED; N];
        }
        let answer = match &mut self.stream {
            Some(stream) => stream.take(row),
            None => match self.collect(row) {
                Some(opened) => opened,
                None => return [Value::UNDEFINED; N],
            },
        };
        match answer {
            Ok(values) => values.map(Value::of),
            Err(_) => {
                self.ended = true;
                [Value::UNDEFINED; N]
            }
        }
    }

    #[cold]
    fn collect(&mut self, row: [f64; W]) -> Option<Result<[f64; N], RetCode>> {
        for (column, x) in self.history.iter_mut().zip(row) {
            column[self.held] = x;
        }
        self.held += 1;
        if self.held < self.rows() {
            return None;
        }
        let history = std::array::from_fn(|i| &self.history[i][..]);
        Some(F::open(&Core::new(), history, &self.args).map(|(stream, values)| {
            self.stream = Some(stream);
            values
        }))
    }

    /// On the candle that would complete the history, `scratch` opens in place of this one.
    #[inline]
    fn look(&self, scratch: &mut Self, row: [f64; W]) -> [Value; N] {
        match &self.stream {
            Some(stream) if !self.ended => {
                stream.look(row).map_or([Value::UNDEFINED; N], |values| values.map(Value::of))
            }
            None if !self.ended && self.held + 1 == self.rows() => {
                for (to, from) in scratch.history.iter_mut().zip(&self.history) {
                    to.copy_from_slice(from);
                }
                (scratch.held, scratch.stream, scratch.ended) = (self.held, None, false);
                scratch.take(row)
            }
            _ => [Value::UNDEFINED; N],
        }
    }
}

/// A function of one value.
#[derive(Clone)]
pub(crate) struct OfValue<F, const N: usize>(Opening<F, 1, N>);

impl<F: Function<1, N>, const N: usize> OfValue<F, N> {
    pub(crate) fn new(args: &Args) -> Self {
        Self(Opening::new(args))
    }
}

impl<F: Function<1, N>, const N: usize> Indicator for OfValue<F, N> {
    type Input = f64;
    type Output = [Value; N];
    #[inline]
    fn update(&mut self, x: f64) -> [Value; N] {
        self.0.take([x])
    }
    #[inline]
    fn peek(&self, scratch: &mut Self, x: f64) -> [Value; N] {
        self.0.look(&mut scratch.0, [x])
    }
}

/// A function of two values.
#[derive(Clone)]
pub(crate) struct OfPair<F, const N: usize>(Opening<F, 2, N>);

impl<F: Function<2, N>, const N: usize> OfPair<F, N> {
    pub(crate) fn new(args: &Args) -> Self {
        Self(Opening::new(args))
    }
}

impl<F: Function<2, N>, const N: usize> Indicator for OfPair<F, N> {
    type Input = Pair;
    type Output = [Value; N];
    #[inline]
    fn update(&mut self, pair: Pair) -> [Value; N] {
        self.0.take(pair)
    }
    #[inline]
    fn peek(&self, scratch: &mut Self, pair: Pair) -> [Value; N] {
        self.0.look(&mut scratch.0, pair)
    }
}

/// Which fields of a candle a function reads, in its order.
pub(crate) trait Fields<const W: usize> {
    fn row(bar: &Bar) -> [f64; W];
}

/// A function of candles.
#[derive(Clone)]
pub(crate) struct OfCandle<F, const W: usize, const N: usize>(Opening<F, W, N>);

impl<F: Function<W, N>, const W: usize, const N: usize> OfCandle<F, W, N> {
    pub(crate) fn new(args: &Args) -> Self {
        Self(Opening::new(args))
    }
}

impl<F: Function<W, N> + Fields<W>, const W: usize, const N: usize> Indicator for OfCandle<F, W, N> {
    type Input = Bar;
    type Output = [Value; N];
    #[inline]
    fn update(&mut self, bar: Bar) -> [Value; N] {
        self.0.take(F::row(&bar))
    }
    #[inline]
    fn peek(&self, scratch: &mut Self, bar: Bar) -> [Value; N] {
        self.0.look(&mut scratch.0, F::row(&bar))
    }
}

/// The answers of the crate, as numbers.
pub(crate) trait Numbers<const N: usize> {
    fn numbers(self) -> [f64; N];
}

impl Numbers<1> for f64 {
    fn numbers(self) -> [f64; 1] {
        [self]
    }
}
impl Numbers<1> for i32 {
    fn numbers(self) -> [f64; 1] {
        [f64::from(self)]
    }
}
impl Numbers<2> for (f64, f64) {
    fn numbers(self) -> [f64; 2] {
        [self.0, self.1]
    }
}
impl Numbers<2> for (f64, i32) {
    fn numbers(self) -> [f64; 2] {
        [self.0, f64::from(self.1)]
    }
}
impl Numbers<2> for (i32, i32) {
    fn numbers(self) -> [f64; 2] {
        [f64::from(self.0), f64::from(self.1)]
    }
}
impl Numbers<3> for (f64, f64, f64) {
    fn numbers(self) -> [f64; 3] {
        [self.0, self.1, self.2]
    }
}

/// A whole parameter as the crate takes it.
pub(crate) fn int(args: &Args, index: usize) -> i32 {
    i32::try_from(args.whole(index)).unwrap_or(i32::MAX)
}

/// Puts a stream under [`Function`]: `wrap!(AroonStream: aroon_open, aroon_lookback, 2 -> 2, |a| [int(a, 0)])`.
macro_rules! wrap {
    ($stream:ident: $open:ident, $lookback:ident, [$($input:ident),+] -> $count:literal $(, $arg:ident => [$($value:expr),*])?) => {
        impl $crate::indicators::wrapped::Function<{ $crate::indicators::wrapped::wrap!(@count $($input)+) }, $count> for ta_lib::$stream {
            fn lookback(core: &ta_lib::Core, args: &$crate::indicators::registry::Args) -> Result<usize, ta_lib::RetCode> {
                let _ = args;
                $(let $arg = args;)?
                core.$lookback($($($value),*)?)
            }
            fn open(
                core: &ta_lib::Core,
                [$($input),+]: [&[f64]; $crate::indicators::wrapped::wrap!(@count $($input)+)],
                args: &$crate::indicators::registry::Args,
            ) -> Result<(Self, [f64; $count]), ta_lib::RetCode> {
                let _ = args;
                $(let $arg = args;)?
                core.$open($($input,)+ $($($value),*)?)
                    .map(|(stream, last)| (stream, $crate::indicators::wrapped::Numbers::numbers(last)))
            }
            #[inline]
            fn take(&mut self, [$($input),+]: [f64; $crate::indicators::wrapped::wrap!(@count $($input)+)]) -> Result<[f64; $count], ta_lib::RetCode> {
                self.update($($input),+).map($crate::indicators::wrapped::Numbers::numbers)
            }
            #[inline]
            fn look(&self, [$($input),+]: [f64; $crate::indicators::wrapped::wrap!(@count $($input)+)]) -> Result<[f64; $count], ta_lib::RetCode> {
                self.peek($($input),+).map($crate::indicators::wrapped::Numbers::numbers)
            }
        }
        $crate::indicators::wrapped::wrap!(@fields $stream $($input)+);
    };
    (@fields $stream:ident value) => {};
    (@fields $stream:ident first second) => {};
    (@fields $stream:ident $($input:ident)+) => {
        impl $crate::indicators::wrapped::Fields<{ $crate::indicators::wrapped::wrap!(@count $($input)+) }> for ta_lib::$stream {
            #[inline]
            fn row(bar: &$crate::indicators::Bar) -> [f64; $crate::indicators::wrapped::wrap!(@count $($input)+)] {
                [$(bar.$input),+]
            }
        }
    };
    (@count $a:ident) => { 1 };
    (@count $a:ident $b:ident) => { 2 };
    (@count $a:ident $b:ident $c:ident) => { 3 };
    (@count $a:ident $b:ident $c:ident $d:ident) => { 4 };
}

pub(crate) use wrap;

use super::registry::Origin;

/// A wrapped function whose bits do not depend on the platform.
pub(crate) const fn from_ta_lib(function: &'static str) -> Origin {
    Origin::TaLib { function, transcendental: false, allocates_once: true }
}

/// A wrapped function whose state is of fixed size: opening it allocates nothing.
pub(crate) const fn from_ta_lib_fixed(function: &'static str) -> Origin {
    Origin::TaLib { function, transcendental: false, allocates_once: false }
}

/// A wrapped function that calls the system's mathematics.
pub(crate) const fn from_ta_lib_transcendental(function: &'static str) -> Origin {
    Origin::TaLib { function, transcendental: true, allocates_once: true }
}

/// What the numbers of a wrapped function were compared with.
pub(crate) const ITSELF: &str = "TA-Lib 0.8.3's own batch function, row by row";
