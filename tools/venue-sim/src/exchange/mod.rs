//! A venue's matching engine with its accounts: pure, single-threaded, without clock or randomness. Requests and
//! time come in as arguments, what happens leaves as [`Event`]s into a vector of the caller; the same calls give the
//! same events on any machine.
//!
//! ```text
//!  place, cancel, amend ──▶ filters ──▶ funds, margin ──▶ matcher ──▶ ledger ──▶ events
//!  advance(now) ──▶ mark price, funding, liquidations, good-till ──▶ stops ───────▶
//! ```
//!
//! One exchange is spot or futures; a venue that has both holds two. Money is an [`Amount`], 10^-18 of an asset.
//! Account 0 is the venue's own, [`HOUSE`]: it takes fees and pays remainders, so that the sum over all accounts
//! changes by deposits and withdrawals alone.

mod account;
mod advance;
mod amend;
mod amount;
mod cancel;
mod check;
mod event;
mod filters;
mod funding;
mod ladder;
mod ledger;
mod liquidation;
mod listing;
mod margin;
mod market;
mod matcher;
mod mean_price;
mod order;
mod orders;
mod query;
mod reject;
mod stops;
mod tape;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod work;

use engine::ids::{AccountId, InstrumentId};
use engine::instrument::Status as MarketStatus;
use engine::num::{Price, Qty};
use engine::time::Nanos;
use std::collections::BTreeSet;

pub use account::{Account, AccountTerms, Balance, Position};
pub use amount::{AMOUNT_EXPONENT, Amount, CHARGED_EXPONENT, Rate};
pub use cancel::CancelReplace;
pub use event::{
    AccountFill, AccountReason, AccountUpdate, AggTrade, AssetId, BalanceUpdate, Event, Execution, Fill,
    Funding, LevelChange, Liquidation, Mark, OrderReport, PositionUpdate, Quote, Trade,
};
pub use filters::{Filters, PercentPrice};
pub use ledger::HOUSE;
pub use listing::{Bracket, ConfigError, ExchangeConfig, FuturesTerms, Listing, Product};
pub use margin::Margin;
pub use market::Market;
pub use matcher::{Handle, Matcher, Meet, Resting};
pub use order::{
    Amend, Cancel, CancelOnly, CancelScope, ClientId, Expiry, Kind, NewOrder, Order, OrderId, OrderRef,
    SelfTrade, Size, Status, Trigger, TriggerKind, TriggerSource,
};
pub use query::{Commission, Depth};
pub use reject::{Bound, Reject};

use ledger::Ledger;
use work::Origin;

/// Events, in the order in which they happened.
pub type Events = Vec<Event>;

/// A venue of one product: its markets, accounts and orders.
pub struct Exchange {
    product: Product,
    assets: Vec<String>,
    markets: Vec<Market>,
    ledger: Ledger,
    /// Orders that end at a time, nearest first.
    good_till: BTreeSet<(Nanos, OrderId)>,
    /// Levels and touch are not written until they are released.
    holds: bool,
}

impl Exchange {
    /// An exchange without accounts but the house. Err: what does not go together.
    pub fn new(config: &ExchangeConfig) -> Result<Self, ConfigError> {
        let mut assets = Vec::new();
        let mut asset = |name: &str| {
            let index = assets.iter().position(|known| known == name).unwrap_or_else(|| {
                assets.push(name.to_owned());
                assets.len() - 1
            });
            AssetId(u16::try_from(index).unwrap_or(u16::MAX))
        };
        let mut markets = Vec::new();
        for (index, listing) in config.listings.iter().enumerate() {
            let id = InstrumentId(u32::try_from(index).unwrap_or(u32::MAX));
            let pair = [asset(&listing.instrument.base), asset(&listing.instrument.quote)];
            markets.push(Market::new(config.product, id, listing, pair, config.opened, config.trades_kept)?);
        }
        for name in &config.other_assets {
            asset(name);
        }
        let ledger = Ledger::new(config.ended_orders_kept, config.trades_kept);
        let mut exchange = Self {
            product: config.product,
            assets,
            markets,
            ledger,
            good_till: BTreeSet::new(),
            holds: false,
        };
        let house = exchange.open_account(AccountTerms { reports: false, unlimited: true });
        debug_assert_eq!(house, Some(HOUSE));
        Ok(exchange)
    }

    /// A new account without balances. None: there are 65,536 already.
    pub fn open_account(&mut self, terms: AccountTerms) -> Option<AccountId> {
        let id = u16::try_from(self.ledger.accounts.len()).ok().map(AccountId)?;
        let leverage = |market: &Market| market.futures.as_ref().map_or(1, |terms| terms.leverage);
        self.ledger.open(terms, self.assets.len(), self.markets.iter().map(leverage));
        Some(id)
    }

    /// Adds to what an account has free (on futures: to its wallet), or takes from it. The only way in which the sum
    /// over all accounts changes.
    /// Err: no such account or asset; a withdrawal of more than is free; more than 10^12 whole ones.
    pub fn deposit(
        &mut self,
        now: Nanos,
        account: AccountId,
        asset: AssetId,
        amount: Amount,
        events: &mut Events,
    ) -> Result<(), Reject> {
        let held = self.account(account).ok_or(Reject::UnknownAccount)?;
        let free = held.balances().get(usize::from(asset.0)).ok_or(Reject::UnknownAccount)?.free;
        if amount.abs() > DEPOSIT_MAX || free + amount > DEPOSIT_MAX {
            return Err(Reject::OutOfRange);
        }
        let withdrawable = if self.product == Product::Futures {
            free.min(self.margin(account, asset).available)
        } else {
            free
        };
        if amount < Amount::ZERO && !held.terms.unlimited && withdrawable + amount < Amount::ZERO {
            return Err(Reject::InsufficientBalance { free: withdrawable, needed: -amount });
        }
        self.ledger.pay(account, asset, amount);
        self.ledger.touch_balance(account, asset, amount);
        let reason = if amount < Amount::ZERO { AccountReason::Withdrawal } else { AccountReason::Deposit };
        self.flush_accounts(now, reason, None, events);
        Ok(())
    }

    /// Takes an order, or refuses it: then nothing has changed and there is no event.
    ///
    /// `now` must not be before that of an earlier call. The order's number comes back also when it has ended by
    /// then: filled, or expired as IOC and market orders do.
    /// Err: the first thing that is wrong with it.
    pub fn place(
        &mut self,
        now: Nanos,
        account: AccountId,
        order: &NewOrder,
        events: &mut Events,
    ) -> Result<OrderId, Reject> {
        self.check(now, account, order)?;
        let slot = self.accept(now, account, order, Origin::default(), events);
        let (id, market) = (self.ledger.orders.get(slot).id, order.market);
        if let Some(trigger) = order.trigger {
            self.ledger.of_market(account, market).waiting.insert(id);
            self.markets[market.index()].stops.add(id, order.side, trigger);
        } else {
            self.work(now, slot, events);
        }
        self.finish(now, market, events);
        Ok(id)
    }

    /// Sets an account's leverage on a market. Err: not offered, or position and orders are too large for it.
    pub fn set_leverage(
        &mut self,
        account: AccountId,
        market: InstrumentId,
        leverage: u32,
    ) -> Result<(), Reject> {
        let limit = self.leverage_max(account, market)?;
        if !(1..=limit).contains(&leverage) {
            return Err(Reject::Leverage { limit });
        }
        self.ledger.of_market(account, market).leverage = leverage;
        Ok(())
    }

    /// Opens or closes a market. What rests stays; a market that is not trading refuses orders and amendments.
    pub fn set_status(&mut self, market: InstrumentId, status: MarketStatus) -> Result<(), Reject> {
        let market = self.markets.get_mut(market.index()).ok_or(Reject::UnknownMarket)?;
        market.instrument.status = status;
        Ok(())
    }

    /// From now on level changes and the touch are not written: what several requests of one moment do to the book
    /// appears as one change. Trades, reports and account updates come as ever.
    pub fn hold_levels(&mut self) {
        self.holds = true;
    }

    /// Writes what has been held of a market, and holds no more.
    pub fn release_levels(&mut self, now: Nanos, market: InstrumentId, events: &mut Events) {
        self.holds = false;
        self.flush_levels(now, market, events);
    }

    /// Ends a request: wakes stops, ends reduce-only orders without a position, writes what became of levels, the
    /// touch, balances and positions.
    fn finish(&mut self, now: Nanos, market: InstrumentId, events: &mut Events) {
        self.wake_stops(now, market, events);
        self.end_reduce_only(now, market, events);
        self.flush_levels(now, market, events);
        self.flush_accounts(now, AccountReason::Order, Some(market), events);
    }

    /// Writes the levels that changed, and the touch if it is another.
    fn flush_levels(&mut self, time: Nanos, market: InstrumentId, events: &mut Events) {
        let Some(here) = self.markets.get_mut(market.index()).filter(|_| !self.holds) else { return };
        here.changed.sort_unstable();
        here.changed.dedup();
        for (side, price) in here.changed.drain(..) {
            here.update_id += 1;
            let level = engine::num::Level { price, qty: here.matcher.level_qty(side, price) };
            events.push(Event::Level(LevelChange { market, time, update_id: here.update_id, side, level }));
        }
        let [bid, ask] = engine::book::BookSide::BOTH.map(|side| here.matcher.best(side));
        let is_new = (bid, ask) != (here.quote.bid, here.quote.ask);
        here.quote.update_id = here.update_id;
        if is_new {
            here.quote = Quote { market, time, update_id: here.update_id, bid, ask };
            events.push(Event::Quote(here.quote));
        }
    }

    fn flush_accounts(
        &mut self,
        now: Nanos,
        reason: AccountReason,
        market: Option<InstrumentId>,
        events: &mut Events,
    ) {
        let markets = &self.markets;
        let value_at = |id: InstrumentId, qty: Qty| {
            let market = &markets[id.index()];
            market.valuation_price().map(|price: Price| market.value(price, qty))
        };
        self.ledger.flush(now, reason, market, value_at, events);
    }
}

/// Largest balance: 10^12 whole ones.
const DEPOSIT_MAX: Amount = Amount(10_i128.pow(30));
