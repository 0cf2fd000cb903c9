//! Indicators: everything traders compute from candles, books and trades, streaming and in batches.
//!
//! ```text
//! name ──▶ registry ──▶ Study ◀── one candle at a time (update, peek)
//!                         ▲────── or a whole table (batch): the same bits
//! trend/ momentum/ volatility/ volume/ patterns/ features/   families: types and their tables
//! blocks/                                                    windows, sums, averages, extremes
//! micro/                                                     book and trade events: integers in
//! ```
//!
//! Arithmetic is + − × ÷ sqrt and the fused multiply-add (all correctly rounded by IEEE 754) and the
//! pinned `libm` for the rest, in a fixed order: another machine gets the same bits. Functions of the
//! ta-lib crate that call the system's mathematics are marked in the catalogue.

mod answer;
mod bar;
pub mod blocks;
mod catalogue;
mod contract;
pub mod features;
pub mod micro;
pub mod momentum;
mod name;
mod panel;
pub mod patterns;
mod plot;
mod registry;
mod source;
pub mod trend;
mod value;
pub mod volatility;
pub mod volume;
mod wrapped;

pub use bar::{BLOCK_ROWS, Bar, Block, Candles, Columns, UnequalColumns};
pub use catalogue::{catalogue_page, catalogue_schema, catalogue_text};
pub use contract::{Feed, Indicator, Input, Pair, Running, Study, WholeCandle};
pub(crate) use name::nearest;
pub use name::{NameError, Request, split_outside_parentheses};
pub use panel::Panel;
pub use plot::plot;
pub use registry::{Args, Cost, Entry, Kind, Origin, Output, Param, Reads, catalogue, entry};
pub use source::{Field, Source};
pub use value::{Outputs, Value};
