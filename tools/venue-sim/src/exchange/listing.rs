//! A market's rules as its operator writes them: instrument, filters, fees, and on futures leverage and funding.

use super::amount::{Amount, Rate};
use super::filters::Filters;
use super::order::SelfTrade;
use engine::instrument::Instrument;
use engine::time::Nanos;

/// Spot or futures: one exchange is one of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Product {
    /// Assets change hands.
    Spot,
    /// Linear contracts, margined and settled in the quote asset.
    Futures,
}

/// What an exchange is built from.
#[derive(Clone, Debug)]
pub struct ExchangeConfig {
    /// Spot or futures.
    pub product: Product,
    /// The markets; their order gives them their `InstrumentId`.
    pub listings: Vec<Listing>,
    /// Assets that accounts may hold beside those of the markets.
    pub other_assets: Vec<String>,
    /// When the exchange opens; funding times are the multiples of the funding interval after it.
    pub opened: Nanos,
    /// Ended orders that are remembered, of all accounts that report.
    pub ended_orders_kept: usize,
    /// Trades that are remembered, a market; fills likewise, an account.
    pub trades_kept: usize,
}

/// One market.
#[derive(Clone, Debug)]
pub struct Listing {
    /// Names and units.
    pub instrument: Instrument,
    /// What orders must keep to.
    pub filters: Filters,
    /// Of fills that rested.
    pub maker_fee: Rate,
    /// Of fills that took.
    pub taker_fee: Rate,
    /// When an order does not say.
    pub self_trade: SelfTrade,
    /// Futures only.
    pub futures: Option<FuturesTerms>,
}

/// What a futures market adds.
#[derive(Clone, Debug)]
pub struct FuturesTerms {
    /// By rising notional.
    pub brackets: Vec<Bracket>,
    /// What accounts begin with.
    pub leverage: u32,
    /// Between two funding times; 8 h at Binance.
    pub funding_interval: Nanos,
    /// The part of the funding rate that the market does not move; 0.0001 at Binance.
    pub interest: Rate,
    /// Largest funding rate, either sign.
    pub funding_rate_max: Rate,
    /// Share of a liquidated value that the venue keeps.
    pub liquidation_fee: Rate,
    /// Between two mark prices; 1 s at Binance.
    pub mark_interval: Nanos,
}

/// One row of the leverage brackets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bracket {
    /// Notional up to which it holds.
    pub notional_cap: Amount,
    /// Largest leverage.
    pub leverage_max: u32,
    /// Maintenance margin as a share of the notional.
    pub maintenance_rate: Rate,
    /// Taken off the maintenance margin, so that it has no jump between brackets.
    pub maintenance_deduction: Amount,
}

/// Why an exchange cannot be built: the market's symbol, or empty, and what is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// Which market.
    pub symbol: String,
    /// What it must be.
    pub what: &'static str,
}

impl std::fmt::Display for ConfigError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "market `{}`: {}", self.symbol, self.what)
    }
}

impl std::error::Error for ConfigError {}
