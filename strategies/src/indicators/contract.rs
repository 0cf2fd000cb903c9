//! The one contract of all indicators, in two layers.
//!
//! * [`Indicator`] is the typed layer: a state machine over values, candles or pairs, with static
//!   dispatch. A strategy that names its indicators in code holds these and pays for nothing else.
//! * [`Study`] is the layer by name: what the registry builds from configuration. One virtual call
//!   takes a candle; a batch is one virtual call for the whole table, inside which the same `update` is
//!   inlined. Batch and stream run the same code in the same order and so give the same bits.
//!
//! What every indicator promises:
//! * `update` does O(1) or amortised O(1) work, or walks one bounded window (the catalogue says which),
//!   and allocates nothing. Memory is taken at construction. The one exception is a wrapped function
//!   whose origin opens its stream over collected history: once, at the end of its warm-up; the
//!   catalogue names them.
//! * an input that is not finite (a NaN volume, an infinite price, an undefined value of the indicator
//!   it is chained to) is refused: the outputs of that row are undefined and the state is untouched.
//! * an output is a finite number or undefined, nothing else ([`Value`]).
//! * `peek` answers what `update` would answer, bit for bit, and changes no state.
//! * `reset` brings back the state of construction.

use super::bar::{BLOCK_ROWS, Bar, Block, Columns};
use super::value::{Outputs, Value};

/// A state machine from inputs to outputs.
///
/// `Clone::clone_from` must not allocate between two states of one construction (the `state!` macro
/// sees to it): peeking and resetting rest on it.
pub trait Indicator: Clone + Send + 'static {
    /// What it reads: a value, a candle, or a pair of values.
    type Input: Input;
    /// What it answers, an array of [`Value`].
    type Output: Outputs;

    /// Takes one finite input and answers the outputs after it.
    fn update(&mut self, input: Self::Input) -> Self::Output;

    /// Does [`Self::block`] beat so many updates?
    const IN_BLOCKS: bool = false;

    /// Takes a block of finite values at once and writes what [`Self::update`] would answer to each, bit for bit: for
    /// indicators a good part of whose work waits for nothing and can be done for several rows in one instruction.
    /// Asked only where [`Self::IN_BLOCKS`], and when every output has been defined before.
    #[inline]
    fn block(&mut self, values: &Block, out: <Self::Output as Outputs>::Blocks<'_>) {
        let _ = (values, out);
    }

    /// What `update(input)` would answer. `scratch` is a state of the same construction that may be
    /// overwritten.
    #[inline]
    fn peek(&self, scratch: &mut Self, input: Self::Input) -> Self::Output {
        scratch.clone_from(self);
        scratch.update(input)
    }
}

/// What an indicator can read.
pub trait Input: Copy + Send + 'static {
    /// The same, as columns.
    type Columns<'a>: Copy;
    /// Rows of the columns.
    fn len(columns: Self::Columns<'_>) -> usize;
    /// The first `rows` rows: columns whose lengths are seen to be equal, so that reading them needs no
    /// checks.
    fn first<'a>(columns: Self::Columns<'a>, rows: usize) -> Self::Columns<'a>;
    /// One row.
    fn at(columns: Self::Columns<'_>, row: usize) -> Self;
    /// Are all its numbers finite?
    fn is_finite(&self) -> bool;
    /// The block of values that begins at row `from`. None: fewer rows are left, one of them is not finite, or the
    /// inputs are no values.
    #[inline]
    fn finite_block<'a>(_columns: Self::Columns<'a>, _from: usize) -> Option<&'a Block> {
        None
    }
    /// Row `index` of one of several fixed walks without ties, on which warm-ups are measured.
    fn probe(walk: u64, index: usize) -> Self;
}

impl Input for f64 {
    type Columns<'a> = &'a [f64];
    #[inline]
    fn len(columns: &[f64]) -> usize {
        columns.len()
    }
    #[inline]
    fn first<'a>(columns: Self::Columns<'a>, rows: usize) -> Self::Columns<'a> {
        &columns[..rows]
    }
    #[inline]
    fn at(columns: &[f64], row: usize) -> f64 {
        columns[row]
    }
    #[inline]
    fn is_finite(&self) -> bool {
        f64::is_finite(*self)
    }
    #[inline]
    fn finite_block<'a>(columns: Self::Columns<'a>, from: usize) -> Option<&'a Block> {
        columns.get(from..)?.first_chunk().filter(|block| is_finite(block))
    }
    fn probe(walk: u64, index: usize) -> f64 {
        Bar::probe(walk, index).close
    }
}

impl Input for Bar {
    type Columns<'a> = Columns<'a>;
    #[inline]
    fn len(columns: Columns<'_>) -> usize {
        columns.len()
    }
    #[inline]
    fn first<'a>(columns: Self::Columns<'a>, rows: usize) -> Self::Columns<'a> {
        columns.first(rows)
    }
    #[inline]
    fn at(columns: Columns<'_>, row: usize) -> Bar {
        columns.bar(row)
    }
    #[inline]
    fn is_finite(&self) -> bool {
        // 0 times anything finite is a zero, and anything else a NaN: one comparison for all five.
        let (prices, rest) =
            (self.high.mul_add(0.0, self.low * 0.0), self.close.mul_add(0.0, self.volume * 0.0));
        self.open.mul_add(0.0, prices + rest) == 0.0
    }
    /// Hourly candles, so that what waits for a day or a week to end is measured too.
    fn probe(walk: u64, index: usize) -> Bar {
        let noise = |salt: u64| {
            let mut x = (index as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(salt ^ (walk << 32));
            x = (x ^ (x >> 31)).wrapping_mul(0xD6E8_FEB8_6659_FD93);
            x ^= x >> 29;
            f64::from((x & 0xFFFF) as u16) / 65536.0
        };
        let open = 100.0 + 4.0 * noise(1);
        let close = 100.0 + 4.0 * noise(2);
        Bar {
            open_time_ms: 3_600_000 * i64::try_from(index).unwrap_or(i64::MAX / 3_600_000),
            open,
            high: open.max(close) + 0.1 + noise(3),
            low: open.min(close) - 0.1 - noise(4),
            close,
            volume: 10.0 + 90.0 * noise(5),
        }
    }
}

/// Two values of one instant: of two instruments, or of two sources of one.
pub type Pair = [f64; 2];

impl Input for Pair {
    type Columns<'a> = [&'a [f64]; 2];
    #[inline]
    fn len(columns: [&[f64]; 2]) -> usize {
        columns[0].len().min(columns[1].len())
    }
    #[inline]
    fn first<'a>(columns: Self::Columns<'a>, rows: usize) -> Self::Columns<'a> {
        columns.map(|column| &column[..rows])
    }
    #[inline]
    fn at(columns: [&[f64]; 2], row: usize) -> Pair {
        [columns[0][row], columns[1][row]]
    }
    #[inline]
    fn is_finite(&self) -> bool {
        self[0].is_finite() && self[1].is_finite()
    }
    fn probe(walk: u64, index: usize) -> Pair {
        let bar = Bar::probe(walk, index);
        [bar.close, bar.volume]
    }
}

/// Are all numbers of a block finite? 0 times anything finite is a zero, and anything else a NaN, which stays.
#[inline]
fn is_finite(block: &Block) -> bool {
    let mut sums = [0.0_f64; 8];
    for part in block.as_chunks::<8>().0 {
        for (sum, x) in sums.iter_mut().zip(part) {
            *sum = x.mul_add(0.0, *sum);
        }
    }
    sums.iter().sum::<f64>() == 0.0
}

/// An indicator by name: fed with candles, whatever it reads of them.
pub trait Study: Send {
    /// Takes one closed candle and answers the outputs after it.
    fn update(&mut self, bar: &Bar) -> &[Value];
    /// What `update(bar)` would answer; the candle is not taken. Costs a copy of the state.
    fn peek(&mut self, bar: &Bar) -> &[Value];
    /// The outputs after the last candle taken.
    fn values(&self) -> &[Value];
    /// Has every output been defined since the start or the last reset?
    fn is_ready(&self) -> bool;
    /// Candles until every output is defined, the first defined one included, on prices that move.
    /// `None`: more than any fixed number (it waits for something the market may not do).
    fn warm_up(&self) -> Option<usize>;
    /// Back to the state of construction.
    fn reset(&mut self);
    /// Takes every row in order, continuing from the present state, and writes output `k` of row `r` to
    /// `out[k][r]`: the way to warm up on history. Panics when `out` has another number of columns or a shorter one.
    fn batch(&mut self, columns: Columns<'_>, out: &mut [&mut [Value]]);
}

/// Where an indicator's inputs come from.
pub trait Feed<T: Input>: Send {
    /// The input of a closed candle.
    fn take(&mut self, bar: &Bar) -> T;
    /// The input of a forming candle.
    fn peek(&mut self, bar: &Bar) -> T;
    /// Candles until the first input, itself included.
    fn warm_up(&self) -> Option<usize>;
    /// Back to the state of construction.
    fn reset(&mut self);
    /// Hands the inputs of all rows to `run`.
    fn columns<R>(&mut self, columns: Columns<'_>, run: impl FnOnce(T::Columns<'_>) -> R) -> R;
}

/// The feed of indicators that read whole candles.
#[derive(Clone, Copy, Debug, Default)]
pub struct WholeCandle;

impl Feed<Bar> for WholeCandle {
    #[inline]
    fn take(&mut self, bar: &Bar) -> Bar {
        *bar
    }
    #[inline]
    fn peek(&mut self, bar: &Bar) -> Bar {
        *bar
    }
    fn warm_up(&self) -> Option<usize> {
        Some(1)
    }
    fn reset(&mut self) {}
    fn columns<R>(&mut self, columns: Columns<'_>, run: impl FnOnce(Columns<'_>) -> R) -> R {
        run(columns)
    }
}

/// An indicator with its feed: the only implementation of [`Study`].
pub struct Running<I: Indicator, F: Feed<I::Input>> {
    feed: F,
    live: I,
    /// A state of the same construction: what peeking overwrites, and what stands in for `live` during a batch.
    spare: Option<I>,
    fresh: I,
    values: I::Output,
    peeked: I::Output,
    warm_up: Option<usize>,
    /// Bit `k` is set once output `k` was defined.
    seen: u64,
}

impl<I: Indicator, F: Feed<I::Input>> Running<I, F> {
    /// Puts an indicator at the start of its life behind `feed`, and measures its warm-up.
    pub fn new(indicator: I, feed: F) -> Self {
        const { assert!(I::Output::COUNT <= 64) };
        let warm_up = match (feed.warm_up(), measured_warm_up(&indicator)) {
            (Some(before), Some(own)) => Some(before + own - 1),
            _ => None,
        };
        Self {
            feed,
            live: indicator.clone(),
            spare: Some(indicator.clone()),
            fresh: indicator,
            values: I::Output::UNDEFINED,
            peeked: I::Output::UNDEFINED,
            warm_up,
            seen: 0,
        }
    }

    const ALL_SEEN: u64 = u64::MAX >> (64 - I::Output::COUNT);
}

impl<I: Indicator, F: Feed<I::Input>> Study for Running<I, F> {
    fn update(&mut self, bar: &Bar) -> &[Value] {
        let input = self.feed.take(bar);
        self.values = if input.is_finite() { self.live.update(input) } else { I::Output::UNDEFINED };
        if self.seen != Self::ALL_SEEN {
            self.seen |= defined(&self.values);
        }
        self.values.as_slice()
    }

    fn peek(&mut self, bar: &Bar) -> &[Value] {
        let input = self.feed.peek(bar);
        self.peeked = if input.is_finite() {
            self.live.peek(self.spare.get_or_insert_with(|| self.fresh.clone()), input)
        } else {
            I::Output::UNDEFINED
        };
        self.peeked.as_slice()
    }

    fn values(&self) -> &[Value] {
        self.values.as_slice()
    }

    fn is_ready(&self) -> bool {
        self.seen == Self::ALL_SEEN
    }

    fn warm_up(&self) -> Option<usize> {
        self.warm_up
    }

    fn reset(&mut self) {
        self.feed.reset();
        self.live.clone_from(&self.fresh);
        self.values = I::Output::UNDEFINED;
        self.seen = 0;
    }

    fn batch(&mut self, columns: Columns<'_>, out: &mut [&mut [Value]]) {
        assert_eq!(out.len(), I::Output::COUNT, "one column per output");
        assert!(out.iter().all(|column| column.len() >= columns.len()), "columns as long as the table");
        let Self { feed, live, spare, fresh, values, seen, .. } = self;
        feed.columns(columns, |inputs| {
            let rows = I::Input::len(inputs);
            let inputs = I::Input::first(inputs, rows);
            let mut row = 0;
            while row < rows && *seen != Self::ALL_SEEN {
                let input = I::Input::at(inputs, row);
                *values = if input.is_finite() { live.update(input) } else { I::Output::UNDEFINED };
                *seen |= defined(values);
                I::Output::write_rows(out, row..row + 1, |_| *values);
                row += 1;
            }
            while I::IN_BLOCKS && rows - row >= BLOCK_ROWS {
                let end = row + BLOCK_ROWS;
                if let Some(block) = I::Input::finite_block(inputs, row) {
                    live.block(block, I::Output::blocks(out, row));
                } else {
                    I::Output::write_rows(out, row..end, |row| {
                        let input = I::Input::at(inputs, row);
                        if input.is_finite() { live.update(input) } else { I::Output::UNDEFINED }
                    });
                }
                *values = I::Output::row(out, end - 1);
                row = end;
            }
            if row == rows {
                return;
            }
            // Moved out, where nothing else can point to it, the state lives in registers through the loop.
            let stand_in = spare.take().unwrap_or_else(|| fresh.clone());
            let mut state = std::mem::replace(live, stand_in);
            let mut last = *values;
            I::Output::write_rows(out, row..rows, |row| {
                let input = I::Input::at(inputs, row);
                last = if input.is_finite() { state.update(input) } else { I::Output::UNDEFINED };
                last
            });
            *spare = Some(std::mem::replace(live, state));
            *values = last;
        });
    }
}

/// Bit `k` tells whether output `k` is defined.
#[inline]
fn defined<O: Outputs>(outputs: &O) -> u64 {
    outputs.as_slice().iter().enumerate().fold(0, |bits, (k, v)| bits | (u64::from(v.is_defined()) << k))
}

/// Inputs until every output has been defined. Measured, because a declared number is one more thing to
/// get wrong. `None`: the walks disagree, or it takes more than [`PROBE_ROWS`]: it depends on the prices.
fn measured_warm_up<I: Indicator>(indicator: &I) -> Option<usize> {
    let all = u64::MAX >> (64 - I::Output::COUNT);
    let on = |walk| {
        let mut probe = indicator.clone();
        let mut seen = 0;
        (0..PROBE_ROWS).find_map(|row| {
            seen |= defined(&probe.update(I::Input::probe(walk, row)));
            (seen == all).then_some(row + 1)
        })
    };
    let first = on(0)?;
    (1..WALKS).all(|walk| on(walk) == Some(first)).then_some(first)
}

const WALKS: u64 = 4;
const PROBE_ROWS: usize = 5_000;
