//! A moving average chosen by configuration.

use super::{Ema, Mean, Wilder, Wma};

/// One of the plain averages of n numbers.
#[derive(Debug)]
pub enum Average {
    /// Exponential.
    Ema(Ema),
    /// Simple.
    Sma(Mean),
    /// Linearly weighted.
    Wma(Wma),
    /// Wilder's.
    Rma(Wilder),
}

/// Their names.
pub const AVERAGES: &[&str] = &["ema", "sma", "wma", "rma"];
/// The same with the simple average first, for those whose default it is.
pub const AVERAGES_SMA_FIRST: &[&str] = &["sma", "ema", "wma", "rma"];

impl Average {
    /// The average named `word` in [`AVERAGES`]; the exponential one for any other word.
    #[must_use]
    pub fn named(word: &str, n: usize) -> Self {
        match word {
            "sma" => Self::Sma(Mean::new(n)),
            "wma" => Self::Wma(Wma::new(n)),
            "rma" => Self::Rma(Wilder::new(n)),
            _ => Self::Ema(Ema::new(n)),
        }
    }

    /// Adds `x`; answers the average once there is one.
    #[inline]
    pub fn push(&mut self, x: f64) -> Option<f64> {
        match self {
            Self::Ema(average) => average.push(x),
            Self::Sma(average) => average.push(x),
            Self::Wma(average) => average.push(x),
            Self::Rma(average) => average.push(x),
        }
    }
}

impl Clone for Average {
    fn clone(&self) -> Self {
        match self {
            Self::Ema(average) => Self::Ema(average.clone()),
            Self::Sma(average) => Self::Sma(average.clone()),
            Self::Wma(average) => Self::Wma(average.clone()),
            Self::Rma(average) => Self::Rma(average.clone()),
        }
    }

    /// In place between averages of one kind.
    fn clone_from(&mut self, source: &Self) {
        match (self, source) {
            (Self::Ema(to), Self::Ema(from)) => to.clone_from(from),
            (Self::Sma(to), Self::Sma(from)) => to.clone_from(from),
            (Self::Wma(to), Self::Wma(from)) => to.clone_from(from),
            (Self::Rma(to), Self::Rma(from)) => to.clone_from(from),
            (to, from) => *to = from.clone(),
        }
    }
}
