//! Everything that can be wrong with an order, in the order in which it is looked for.

use super::Exchange;
use super::amount::Amount;
use super::event::AssetId;
use super::listing::Product;
use super::order::{Kind, NewOrder, Size, TriggerSource};
use super::reject::Reject;
use super::work::Reach;
use engine::ids::AccountId;
use engine::num::Side;
use engine::order::Tif;
use engine::time::Nanos;

impl Exchange {
    /// What `place` would answer to this order, without taking it. Err: why it would be refused.
    pub fn check(&self, now: Nanos, account: AccountId, order: &NewOrder) -> Result<(), Reject> {
        let held = self.account(account).ok_or(Reject::UnknownAccount)?;
        let market = self.market(order.market).ok_or(Reject::UnknownMarket)?;
        if !market.is_trading() {
            return Err(Reject::MarketClosed);
        }
        self.check_shape(now, order)?;
        if held.terms.unlimited {
            market.check_range(order)?;
        } else {
            market.check_filters(now, order)?;
        }
        let mine = &held.markets[order.market.index()];
        let (limits, waiting) = (&market.filters, mine.waiting.len());
        let exceeds =
            |count: usize, limit: u32| limit > 0 && !held.terms.unlimited && count >= limit as usize;
        if exceeds(mine.open.len() + waiting, limits.orders_max) {
            return Err(Reject::TooManyOrders { limit: limits.orders_max });
        }
        if order.trigger.is_some() && exceeds(waiting, limits.conditional_orders_max) {
            return Err(Reject::TooManyConditional { limit: limits.conditional_orders_max });
        }
        if let Some(client_id) = order.client_id {
            let named = self.ledger.orders.named(account, order.market, client_id);
            if named.is_some_and(|named| named.status.is_open()) {
                return Err(Reject::DuplicateClientId);
            }
        }
        let Some(trigger) = order.trigger else { return self.check_working(now, account, order) };
        let price = match trigger.source {
            TriggerSource::Last => market.last_price(),
            TriggerSource::Mark => market.mark.price,
        };
        if price.is_some_and(|price| trigger.is_met(order.side, price)) {
            return Err(Reject::WouldTrigger);
        }
        if self.product == Product::Spot { self.check_balance(account, order) } else { Ok(()) }
    }

    /// What must hold when an order begins to work: at once, or when its trigger is met.
    pub(super) fn check_working(
        &self,
        now: Nanos,
        account: AccountId,
        order: &NewOrder,
    ) -> Result<(), Reject> {
        let market = self.market(order.market).ok_or(Reject::UnknownMarket)?;
        if let Size::Base(qty) = order.size
            && qty.0 <= 0
        {
            return Err(Reject::ReduceOnly);
        }
        if let Kind::Limit { price, tif: Tif::PostOnly } = order.kind
            && market.matcher.would_take(order.side, price)
        {
            return Err(Reject::WouldTake);
        }
        if self.product == Product::Spot {
            return self.check_balance(account, order);
        }
        if let (Kind::Limit { tif: Tif::Fok, .. }, Size::Base(qty)) = (order.kind, order.size)
            && self.reachable(&self.reach(account, order)).0 < qty
        {
            return Err(Reject::FokUnfilled);
        }
        if !order.reduce_only {
            return self.check_margin(now, account, order);
        }
        let held = self.ledger.accounts[account.index()].markets[order.market.index()].position.qty;
        let reduces = order.side.opposite().signed(held).0 > 0;
        if reduces { Ok(()) } else { Err(Reject::ReduceOnly) }
    }

    /// Which parts of an order go together.
    fn check_shape(&self, now: Nanos, order: &NewOrder) -> Result<(), Reject> {
        let (is_futures, is_market) = (self.product == Product::Futures, order.kind == Kind::Market);
        let wrong = match order.size {
            Size::Quote(_) if is_futures || !is_market || order.trigger.is_some() => {
                Some("a quote quantity belongs to plain market orders on spot")
            }
            Size::Position if !is_futures || !is_market || order.trigger.is_none() => {
                Some("closing a whole position belongs to conditional market orders on futures")
            }
            Size::Position if order.reduce_only => Some("closing a whole position is reduce-only already"),
            _ if order.reduce_only && !is_futures => Some("reduce-only belongs to futures"),
            _ => None,
        };
        let wrong = wrong.or(match order.trigger {
            Some(trigger) if trigger.source == TriggerSource::Mark && !is_futures => {
                Some("the mark price belongs to futures")
            }
            _ => None,
        });
        let wrong = wrong.or(match order.good_till {
            Some(_) if !order.kind.rests() => Some("a good-till time belongs to orders that rest"),
            Some(time) if time <= now => Some("the good-till time has passed"),
            _ => None,
        });
        wrong.map_or(Ok(()), |what| Err(Reject::Unsupported(what)))
    }

    /// Spot: what an order spends must be free.
    fn check_balance(&self, account: AccountId, order: &NewOrder) -> Result<(), Reject> {
        let held = &self.ledger.accounts[account.index()];
        let (asset, needed) = self.spends(account, order);
        let free = held.balances[usize::from(asset.0)].free;
        if needed > free && !held.terms.unlimited {
            return Err(Reject::InsufficientBalance { free, needed });
        }
        Ok(())
    }

    /// Spot: what an order may spend at most.
    fn spends(&self, account: AccountId, order: &NewOrder) -> (AssetId, Amount) {
        let terms = &self.markets[order.market.index()].terms;
        let price = order.kind.price().or(order.trigger.map(|trigger| trigger.price));
        let amount = match (order.side, order.size, price) {
            (Side::Buy, Size::Quote(budget), _) => budget,
            (Side::Buy, Size::Base(qty), Some(price)) => terms.value(price, qty),
            (Side::Buy, _, _) => self.reachable(&self.reach(account, order)).1,
            (Side::Sell, Size::Base(qty), _) => terms.base_amount(qty),
            (Side::Sell, _, _) => terms.base_amount(self.reachable(&self.reach(account, order)).0),
        };
        (terms.spent(order.side), amount)
    }

    pub(super) fn reach(&self, account: AccountId, order: &NewOrder) -> Reach {
        Reach {
            account,
            market: order.market,
            side: order.side,
            worst: order.kind.worst_price(order.side),
            self_trade: order.self_trade.unwrap_or(self.markets[order.market.index()].self_trade),
            size: order.size,
        }
    }
}
