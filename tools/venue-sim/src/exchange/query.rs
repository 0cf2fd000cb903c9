//! Questions. None of them changes anything.

use super::Exchange;
use super::account::Account;
use super::amount::Rate;
use super::event::{AccountFill, AggTrade, AssetId, Trade};
use super::listing::Product;
use super::market::Market;
use super::order::{CancelScope, Order, OrderId, OrderRef};
use super::reject::Reject;
use engine::book::BookSide;
use engine::ids::{AccountId, InstrumentId};
use engine::num::{Level, Side};
use engine::time::Nanos;

/// The best levels of a book, with the last level change that they include.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Depth {
    /// The update id of that change.
    pub last_update_id: u64,
    /// Best first.
    pub bids: Vec<Level>,
    /// Best first.
    pub asks: Vec<Level>,
}

/// Fee rates of a market.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Commission {
    /// Of fills that rested.
    pub maker: Rate,
    /// Of fills that took.
    pub taker: Rate,
}

impl Exchange {
    /// Spot or futures.
    #[must_use]
    pub fn product(&self) -> Product {
        self.product
    }

    /// Names of all assets, indexed by `AssetId`.
    #[must_use]
    pub fn assets(&self) -> &[String] {
        &self.assets
    }

    /// The asset of a name.
    #[must_use]
    pub fn asset(&self, name: &str) -> Option<AssetId> {
        let index = self.assets.iter().position(|asset| asset == name)?;
        u16::try_from(index).ok().map(AssetId)
    }

    /// All markets, indexed by `InstrumentId`.
    #[must_use]
    pub fn markets(&self) -> &[Market] {
        &self.markets
    }

    /// One market.
    #[must_use]
    pub fn market(&self, id: InstrumentId) -> Option<&Market> {
        self.markets.get(id.index())
    }

    /// The market of a symbol.
    #[must_use]
    pub fn find_market(&self, symbol: &str) -> Option<InstrumentId> {
        let found = self.markets.iter().find(|market| market.instrument.symbol == symbol)?;
        Some(found.instrument.id)
    }

    /// One account: balances, positions, leverages.
    #[must_use]
    pub fn account(&self, id: AccountId) -> Option<&Account> {
        self.ledger.accounts.get(id.index())
    }

    /// How many accounts there are; their ids count from 0, the house.
    #[must_use]
    pub fn account_count(&self) -> usize {
        self.ledger.accounts.len()
    }

    /// Up to `levels` levels a side. None: no such market.
    #[must_use]
    pub fn depth(&self, market: InstrumentId, levels: usize) -> Option<Depth> {
        let market = self.market(market)?;
        let side = |side| market.matcher.levels(side).take(levels).collect();
        Some(Depth { last_update_id: market.update_id, bids: side(BookSide::Bid), asks: side(BookSide::Ask) })
    }

    /// Up to `limit` orders at the best price of a side, oldest first, and whose they are.
    #[must_use]
    pub fn best_orders(&self, market: InstrumentId, side: Side, limit: usize) -> Vec<(OrderId, AccountId)> {
        let Some(market) = self.market(market) else { return Vec::new() };
        let best = market.matcher.orders(side).next().map(|resting| resting.price);
        let there = market.matcher.orders(side).take_while(|resting| Some(resting.price) == best);
        let order = |tag| self.ledger.orders.get(tag);
        there.take(limit).map(|resting| (order(resting.tag).id, order(resting.tag).account)).collect()
    }

    /// An account's order, open or still remembered. Err: there is none; the names disagree.
    pub fn order(&self, account: AccountId, market: InstrumentId, order: OrderRef) -> Result<&Order, Reject> {
        self.ledger.orders.find(account, market, order).map(|slot| self.ledger.orders.get(slot))
    }

    /// An account's open orders, those included that wait; of one market or of all, oldest first in each.
    #[must_use]
    pub fn open_orders(&self, account: AccountId, market: Option<InstrumentId>) -> Vec<&Order> {
        let markets = self.markets.iter().map(|market| market.terms.id);
        let wanted = markets.filter(|id| market.is_none_or(|wanted| wanted == *id));
        let ids = wanted.flat_map(|id| self.open_ids(account, id, CancelScope::All));
        ids.filter_map(|id| self.ledger.orders.by_id(id)).collect()
    }

    /// Up to `limit` of an account's orders on a market, ended and remembered ones included, from `from` on, oldest
    /// first; without `from` the newest ones.
    #[must_use]
    pub fn orders(
        &self,
        account: AccountId,
        market: InstrumentId,
        from: Option<OrderId>,
        limit: usize,
    ) -> Vec<&Order> {
        let own = |order: &&Order| (order.account, order.market) == (account, market);
        let mut all: Vec<&Order> = self.ledger.orders.ended().filter(own).collect();
        all.extend(self.open_orders(account, Some(market)));
        all.sort_unstable_by_key(|order| order.id);
        window(all, limit, from, |order| order.id)
    }

    /// Up to `limit` of them that were placed at `since` or later, oldest first.
    #[must_use]
    pub fn orders_since(
        &self,
        account: AccountId,
        market: InstrumentId,
        since: Nanos,
        limit: usize,
    ) -> Vec<&Order> {
        let mut all = self.orders(account, market, None, usize::MAX);
        all.retain(|order| order.created >= since);
        all.truncate(limit);
        all
    }

    /// Up to `limit` trades of a market from the id `from` on, oldest first; without `from` the newest ones.
    #[must_use]
    pub fn trades(&self, market: InstrumentId, from: Option<u64>, limit: usize) -> Vec<Trade> {
        let trades = self.market(market).map(|market| market.tape.trades.iter().copied().collect());
        window(trades.unwrap_or_default(), limit, from, |trade| trade.id)
    }

    /// As [`Self::trades`], aggregated.
    #[must_use]
    pub fn agg_trades(&self, market: InstrumentId, from: Option<u64>, limit: usize) -> Vec<AggTrade> {
        let trades = self.market(market).map(|market| market.tape.agg_trades.iter().copied().collect());
        window(trades.unwrap_or_default(), limit, from, |trade| trade.id)
    }

    /// Up to `limit` of an account's fills on a market from the trade id `from` on, oldest first; without `from` the
    /// newest ones.
    #[must_use]
    pub fn fills(
        &self,
        account: AccountId,
        market: InstrumentId,
        from: Option<u64>,
        limit: usize,
    ) -> Vec<AccountFill> {
        let fills = self.account(account).into_iter().flat_map(|account| &account.fills);
        let own = fills.filter(|fill| fill.market == market).copied().collect();
        window(own, limit, from, |fill| fill.fill.trade)
    }

    /// Up to `limit` of them from `since` on and, where it is given, of one order, oldest first.
    #[must_use]
    pub fn fills_since(
        &self,
        account: AccountId,
        market: InstrumentId,
        (since, of): (Nanos, Option<OrderId>),
        limit: usize,
    ) -> Vec<AccountFill> {
        let mut all = self.fills(account, market, None, usize::MAX);
        all.retain(|fill| fill.time >= since && of.is_none_or(|order| order == fill.order));
        all.truncate(limit);
        all
    }

    /// A market's fee rates.
    #[must_use]
    pub fn commission(&self, market: InstrumentId) -> Option<Commission> {
        let terms = &self.market(market)?.terms;
        Some(Commission { maker: terms.maker_fee, taker: terms.taker_fee })
    }

    /// The open orders of an account on a market, oldest first.
    pub(super) fn open_ids(
        &self,
        account: AccountId,
        market: InstrumentId,
        scope: CancelScope,
    ) -> Vec<OrderId> {
        let Some(mine) = self.account(account).and_then(|account| account.markets.get(market.index())) else {
            return Vec::new();
        };
        let mut ids = Vec::new();
        if scope != CancelScope::Waiting {
            ids.extend(&mine.open);
        }
        if scope != CancelScope::InBook {
            ids.extend(&mine.waiting);
        }
        ids.sort_unstable();
        ids
    }
}

/// Up to `limit` items from the id `from` on, or the last ones. `items` rise by id.
fn window<T, K: Ord>(mut items: Vec<T>, limit: usize, from: Option<K>, id: impl Fn(&T) -> K) -> Vec<T> {
    let first = match from {
        Some(from) => items.partition_point(|item| id(item) < from),
        None => items.len().saturating_sub(limit),
    };
    items.drain(..first);
    items.truncate(limit);
    items
}
