//! What indicators are made of: windows, sums, averages, extremes. Each is fed one finite number at a
//! time and answers `None` until it has seen enough; none allocates after construction.

mod average;
mod chosen;
mod extreme;
mod moments;
mod regression;
mod ring;
mod state;
mod sum;
mod true_range;

pub use average::{Ema, Wilder, Wma};
pub use chosen::{AVERAGES, AVERAGES_SMA_FIRST, Average};
pub use extreme::{Highest, Lowest};
pub use moments::Moments;
pub use regression::{Line, Regression};
pub use ring::{Delay, Ring};
pub(crate) use state::state;
pub use sum::{Mean, Sum};
pub use true_range::TrueRange;
pub(crate) use true_range::larger;

use super::answer::indicators;

indicators!(f64: Ema => 1, Wilder => 1, Wma => 1, Mean => 1, Sum => 1, Highest => 1, Lowest => 1, Average => 1);
