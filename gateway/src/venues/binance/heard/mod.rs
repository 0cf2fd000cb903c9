//! What the venue says of our orders and accounts, read: answers of the WebSocket API and of REST, user events of both
//! products, and the binary frames of the spot WebSocket API. Whatever the encoding, it becomes the same values: whole
//! numbers by the instrument's steps, money as exact decimals, texts lent from the frame.
//!
//! Sources: the project's dossier of 21 Nov 2026, sections 6 to 9 and 12.1, read from
//! <https://developers.binance.com/docs/binance-spot-api-docs/user-data-stream> and
//! <https://developers.binance.com/docs/derivatives/usds-margined-futures/user-data-streams>.

mod account;
mod answer;
mod event;
mod order;
mod sbe;
mod sbe_messages;

pub use account::{
    Balance, Balances, FuturesBalance, Position, RateLimit, RateLimitKind, Trade, futures_balances,
    positions, spot_balances, trades,
};
pub use answer::{Answer, Outcome, Refusal, Replaced, ReplacedHalf, rest_refusal};
pub use event::{AccountReason, AlgoState, AlgoUpdate, LiteFill, UserEvent};
pub use order::{Execution, Fill, OrderReport, OrderUpdate, Reported, Status, algo_id, open_orders};
pub use sbe::{SbeError, SbeErrorKind};
pub use sbe_messages::{SbeAnswer, SbeBalances, SbeLimits, SbeMessage, SbeOutcome};

use engine::ids::InstrumentId;
use engine::instrument::Instrument;
use engine::num::Step;
use wire::json::{JsonError, JsonErrorKind, Value};
use wire::symbols::SymbolTable;

/// The instruments of one product that the venue may speak of, by symbol. Spot and futures have symbols in common:
/// each product has a listing of its own.
#[derive(Clone, Debug)]
pub struct Listing {
    by_symbol: SymbolTable,
    listed: Vec<Listed>,
}

/// One instrument, and what its numbers count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its id.
    pub id: InstrumentId,
    /// What a price counts.
    pub tick: Step,
    /// What a quantity counts.
    pub unit: Step,
}

impl Listing {
    /// A listing of these instruments.
    #[must_use]
    pub fn new<'a>(instruments: impl IntoIterator<Item = &'a Instrument>) -> Self {
        let instruments: Vec<&Instrument> = instruments.into_iter().collect();
        let numbered = instruments.iter().zip(0_u32..).map(|(one, place)| (one.symbol.as_str(), place));
        Self {
            by_symbol: SymbolTable::new(numbered),
            listed: instruments
                .iter()
                .map(|one| Listed { id: one.id, tick: one.price_rule.tick, unit: one.qty_unit })
                .collect(),
        }
    }

    /// The instrument of that symbol. None: not in the listing.
    #[inline]
    #[must_use]
    pub fn find(&self, symbol: &[u8]) -> Option<Listed> {
        self.listed.get(self.by_symbol.find(symbol)? as usize).copied()
    }

    /// The instrument whose symbol `value` is. Err: not a text; not in the listing.
    fn of(&self, value: Value<'_>) -> Result<Listed, JsonError> {
        self.find(value.words()?).ok_or_else(|| value.error(JsonErrorKind::Unknown))
    }
}

#[cfg(test)]
mod tests;
