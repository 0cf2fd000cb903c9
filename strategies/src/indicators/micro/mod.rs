//! Microstructure: indicators of book and trade events.
//!
//! Integers come in (ticks, quantity units, nanoseconds of the input being handled), sums and counts stay
//! integers, and only a last division or logarithm makes a float. Each is fed its events in their order,
//! does a bounded amount of work and allocates nothing after construction. Time comes in arguments: an
//! indicator over a window of time is asked *as of* the time of an input.

mod book_shape;
mod depletion;
mod impact;
mod intensity;
mod micro_price;
mod order_flow;
mod spread;
mod trade_flow;
mod volatility;
mod vpin;

pub use book_shape::{TopImbalance, decayed_imbalance, imbalance, micro_price};
pub use depletion::{Iceberg, IcebergDetector, Sweep, SweepDetector};
pub use impact::{Amihud, KyleLambda, RollSpread};
pub use intensity::{Intensity, IntensityEstimate};
pub use micro_price::{MicroPriceModel, MicroPriceTable};
pub use order_flow::{OrderFlow, QueueImbalance};
pub use spread::SpreadStatistics;
pub use trade_flow::TradeFlow;
pub use volatility::{InstantVolatility, RealisedVolatility};
pub use vpin::Vpin;

use super::value::Value;
use engine::time::Nanos;

/// One price level.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Level {
    /// Price in ticks.
    pub price: i64,
    /// Quantity in quantity units, more than 0.
    pub quantity: i64,
}

/// Best bid and best ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Touch {
    /// The best bid.
    pub bid: Level,
    /// The best ask.
    pub ask: Level,
}

impl Touch {
    /// Twice the middle of the book, in ticks: exact.
    #[inline]
    #[must_use]
    pub fn mid_x2(&self) -> i64 {
        self.bid.price + self.ask.price
    }

    /// Ask less bid, ticks.
    #[inline]
    #[must_use]
    pub fn spread(&self) -> i64 {
        self.ask.price - self.bid.price
    }
}

/// A trade as it was received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Print {
    /// When: the time of the input.
    pub at: Nanos,
    /// Price in ticks.
    pub price: i64,
    /// Quantity in quantity units.
    pub quantity: i64,
    /// Did the taker buy?
    pub taker_buys: bool,
}

impl Print {
    /// The quantity, negative when the taker sold.
    #[inline]
    #[must_use]
    pub fn signed(&self) -> i64 {
        if self.taker_buys { self.quantity } else { -self.quantity }
    }
}

/// A quotient of exact integers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ratio {
    /// Above.
    pub numerator: i128,
    /// Below; 0 makes the value undefined.
    pub denominator: i128,
}

impl Ratio {
    /// The quotient, rounded once to a float per term and once in the division.
    #[inline]
    #[must_use]
    pub fn value(&self) -> Value {
        if self.denominator == 0 {
            return Value::UNDEFINED;
        }
        // The same numbers; the conversion of a wide integer is a call.
        if let (Ok(above), Ok(below)) = (i64::try_from(self.numerator), i64::try_from(self.denominator)) {
            return Value::of(above as f64 / below as f64);
        }
        Value::of(self.numerator as f64 / self.denominator as f64)
    }
}

/// A length of time in seconds.
#[inline]
fn seconds(length: Nanos) -> f64 {
    length.0 as f64 / 1e9
}

/// One microstructure indicator of the catalogue.
#[derive(Clone, Copy, Debug)]
pub struct MicroEntry {
    /// The type that computes it.
    pub name: &'static str,
    /// One line: what it is.
    pub title: &'static str,
    /// How it is computed.
    pub formula: &'static str,
    /// What its numbers were compared with; empty: no other program.
    pub compared: &'static str,
}

const fn entry(
    name: &'static str,
    title: &'static str,
    formula: &'static str,
    compared: &'static str,
) -> MicroEntry {
    MicroEntry { name, title, formula, compared }
}

const GOLDEN: &str = "recorded columns of three captures, every row";

/// All microstructure indicators.
pub const CATALOGUE: &[MicroEntry] = &[
    entry("imbalance", "Imbalance of the best k levels", "(Σ bid qty - Σ ask qty)/(Σ both)", GOLDEN),
    entry(
        "decayed_imbalance",
        "Imbalance of all given levels by depth",
        "the same with weights decay^i, i the level",
        "",
    ),
    entry(
        "micro_price",
        "Micro-price of the touch",
        "(bid·ask_qty + ask·bid_qty)/(bid_qty + ask_qty)",
        GOLDEN,
    ),
    entry(
        "MicroPriceTable",
        "Stoikov's micro-price",
        "mid + G*(imbalance, spread): the limit of the expected mid, from counted transitions between states of imbalance and spread",
        "",
    ),
    entry("SpreadStatistics", "Spread by time", "mean by time, exponential mean by time, extremes", ""),
    entry(
        "OrderFlow",
        "Order-flow imbalance (Cont, Kukanov, Stoikov)",
        "Σ over a window of time of e = q_b 1[p_b >= p_b'] - q_b' 1[p_b <= p_b'] - q_a 1[p_a <= p_a'] + q_a' 1[p_a >= p_a']",
        "",
    ),
    entry(
        "QueueImbalance",
        "Queue imbalance, decayed",
        "exponential mean by time of the touch's imbalance, by half-life",
        "",
    ),
    entry(
        "TradeFlow",
        "Taker volumes and their imbalance over a window of time",
        "sums over (now - window, now]; (buy - sell)/(buy + sell)",
        GOLDEN,
    ),
    entry(
        "Vpin",
        "Volume-synchronised probability of informed trading",
        "mean of |buy - sell|/volume over the last n buckets of equal volume; a trade is split at a bucket's edge",
        GOLDEN,
    ),
    entry(
        "Intensity",
        "Arrival rates by depth, and Avellaneda-Stoikov's A and kappa",
        "rate(δ) = A exp(-kappa δ): log of decayed rates of trades reaching δ regressed on δ, weighted by counts",
        "",
    ),
    entry(
        "KyleLambda",
        "Kyle's lambda",
        "slope of mid changes on signed volume over the last n intervals",
        "",
    ),
    entry("Amihud", "Amihud's illiquidity", "mean of |return|/traded value over the last n intervals", ""),
    entry(
        "RollSpread",
        "Roll's implied spread",
        "2 √(-cov(Δp, Δp before)) over the last n trades; 0 where the covariance is positive",
        "",
    ),
    entry(
        "SweepDetector",
        "Sweeps",
        "takers of one side trading through several prices within a span of time",
        "",
    ),
    entry(
        "IcebergDetector",
        "Icebergs",
        "more traded at a price than was ever shown there while the level stays",
        "",
    ),
    entry(
        "RealisedVolatility",
        "Realised volatility",
        "√Σ of n squared log returns of the mid sampled at whole seconds",
        GOLDEN,
    ),
    entry(
        "InstantVolatility",
        "Instant volatility",
        "√ of the exponential mean by time of squared log returns per second",
        "",
    ),
];
