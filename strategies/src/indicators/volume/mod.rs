//! Volume: what is traded while the price moves.

mod accumulation;
mod flow;
mod profile;
mod rarer;
mod vwap;
mod wrapped;

pub use accumulation::{AccumulationDistribution, ChaikinOscillator, OnBalanceVolume};
pub use flow::{ChaikinMoneyFlow, MoneyFlowIndex};
pub use profile::{AnchoredVwap, RollingVwap, SessionVwapBands, VolumeProfile};
pub use vwap::{CumulativeVwap, SessionVwap};

use super::registry::Entry;

pub(crate) const TABLES: &[&[Entry]] =
    &[accumulation::TABLE, flow::TABLE, vwap::TABLE, wrapped::TABLE, profile::TABLE, rarer::TABLE];
