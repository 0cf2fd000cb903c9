//! Amendments: another price or quantity for an order that rests.

use super::amount::Amount;
use super::event::Execution;
use super::order::{Amend, Kind, NewOrder, Order, OrderId, OrderRef, Status};
use super::reject::Reject;
use super::work::book_side;
use super::{Events, Exchange};
use engine::ids::{AccountId, InstrumentId};
use engine::num::{Price, Qty, Side};
use engine::order::Tif;
use engine::time::Nanos;

impl Exchange {
    /// Gives a resting limit order new terms. A smaller quantity at the same price keeps its place if the request
    /// says so; everything else goes to the back of its price, and takes first if the new price crosses.
    ///
    /// An order of which more has filled than the new quantity is canceled, and so is a post-only order whose new
    /// price would take (Binance USD-M, developers.binance.com "Modify Order", read 2026-11-21).
    /// Err: the first thing that is wrong; the order is as it was.
    pub fn amend(
        &mut self,
        now: Nanos,
        account: AccountId,
        market: InstrumentId,
        order: OrderRef,
        amend: &Amend,
        events: &mut Events,
    ) -> Result<OrderId, Reject> {
        let here = self.market(market).ok_or(Reject::UnknownMarket)?;
        if !here.is_trading() {
            return Err(Reject::MarketClosed);
        }
        let slot = self.ledger.orders.find(account, market, order)?;
        let order = *self.ledger.orders.get(slot);
        let price = self.check_amend(now, &order, amend)?;
        let terms = self.markets[market.index()].terms;
        let would_take = self.markets[market.index()].matcher.would_take(order.side, price);
        let is_post_only = matches!(order.kind, Kind::Limit { tif: Tif::PostOnly, .. });
        if amend.qty.0 <= order.filled.0 + order.prevented.0 || (is_post_only && would_take) {
            self.take_out(slot);
            let canceled = Some(Execution::Canceled { request_id: None });
            self.ledger.end(now, &terms, slot, Status::Canceled, canceled, events);
            self.finish(now, market, events);
            return Ok(order.id);
        }
        let keeps_place = amend.keeps_place && order.kind.price() == Some(price) && amend.qty < order.qty;
        let rest = Qty(amend.qty.0 - order.filled.0 - order.prevented.0);
        self.ledger.count_resting(&terms, &order, order.remaining(), -1);
        self.ledger.unlock(slot, &terms, order.locked);
        match order.handle {
            Some(handle) if keeps_place => {
                self.markets[market.index()].matcher.shrink(handle, rest);
                self.markets[market.index()].changed.push((book_side(order.side), price));
            }
            _ => self.take_out(slot),
        }
        let amended = self.ledger.orders.at(slot);
        if let Kind::Limit { price: old, .. } = &mut amended.kind {
            *old = price;
        }
        amended.qty = amend.qty;
        amended.updated = now;
        amended.amend_count += 1;
        if !keeps_place {
            amended.handle = None;
        }
        if let Some(client_id) = amend.client_id {
            self.ledger.orders.rename(slot, client_id);
        }
        self.lock_funds(slot);
        self.ledger.report(now, slot, Execution::Amended { client_id_before: order.client_id }, events);
        if keeps_place {
            let amended = *self.ledger.orders.get(slot);
            self.ledger.count_resting(&terms, &amended, rest, 1);
        } else {
            self.ledger.of_market(account, market).open.remove(&order.id);
            self.work(now, slot, events);
        }
        self.finish(now, market, events);
        Ok(order.id)
    }

    /// The new price, if the amendment is allowed.
    fn check_amend(&self, now: Nanos, order: &Order, amend: &Amend) -> Result<Price, Reject> {
        let market = &self.markets[order.market.index()];
        if !order.status.is_open() {
            return Err(Reject::UnknownOrder);
        }
        let Some(old) = order.kind.price().filter(|_| order.is_in_book()) else {
            return Err(Reject::AmendNotLimit);
        };
        let price = amend.price.unwrap_or(old);
        if (price, amend.qty) == (old, order.qty) {
            return Err(Reject::AmendChangesNothing);
        }
        if amend.keeps_place && (price != old || amend.qty > order.qty) {
            return Err(Reject::AmendIncreases);
        }
        let new = NewOrder {
            reduce_only: order.reduce_only,
            ..NewOrder::limit(order.market, order.side, price, amend.qty, Tif::Gtc)
        };
        let limit = market.filters.amends_max;
        if self.ledger.accounts[order.account.index()].terms.unlimited {
            market.check_range(&new)?;
        } else if limit > 0 && order.amend_count >= limit {
            return Err(Reject::TooManyAmends { limit });
        } else {
            market.check_filters(now, &new)?;
        }
        if let Some(client_id) = amend.client_id.filter(|name| *name != order.client_id) {
            let named = self.ledger.orders.named(order.account, order.market, client_id);
            if named.is_some_and(|named| named.status.is_open()) {
                return Err(Reject::DuplicateClientId);
            }
        }
        self.check_amend_funds(now, order, price, Qty(amend.qty.0 - order.filled.0 - order.prevented.0))?;
        Ok(price)
    }

    fn check_amend_funds(&self, now: Nanos, order: &Order, price: Price, rest: Qty) -> Result<(), Reject> {
        let market = &self.markets[order.market.index()];
        let held = &self.ledger.accounts[order.account.index()];
        if rest.0 <= 0 || held.terms.unlimited || order.reduce_only {
            return Ok(());
        }
        if market.is_futures() {
            let old = order.kind.price().map_or(Amount::ZERO, |old| market.value(old, order.remaining()));
            let more = market.margin_value(now, order.side, price, rest) - old;
            return self.check_exposure(order.account, order.market, order.side, more);
        }
        let needed = match order.side {
            Side::Buy => market.value(price, rest),
            Side::Sell => market.terms.base_amount(rest),
        };
        let free = held.balances[usize::from(market.terms.spent(order.side).0)].free + order.locked;
        if needed > free { Err(Reject::InsufficientBalance { free, needed }) } else { Ok(()) }
    }
}
