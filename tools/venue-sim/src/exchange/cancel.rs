//! Cancels: one order, all of a market, one for another.

use super::event::Execution;
use super::order::{Cancel, CancelOnly, CancelScope, ClientId, NewOrder, OrderId, Status};
use super::reject::Reject;
use super::{Events, Exchange};
use engine::ids::{AccountId, InstrumentId};
use engine::time::Nanos;

/// What became of the two halves of a cancel-replace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CancelReplace {
    /// The cancel.
    pub canceled: Result<OrderId, Reject>,
    /// The new order; None: not attempted, because the cancel failed.
    pub placed: Option<Result<OrderId, Reject>>,
}

impl Exchange {
    /// Cancels one open order of the account. Err: there is none of that name; the names disagree; the condition
    /// does not hold. Nothing has changed then.
    pub fn cancel(
        &mut self,
        now: Nanos,
        account: AccountId,
        cancel: &Cancel,
        events: &mut Events,
    ) -> Result<OrderId, Reject> {
        self.market(cancel.market).ok_or(Reject::UnknownMarket)?;
        let slot = self.ledger.orders.find(account, cancel.market, cancel.order)?;
        let order = *self.ledger.orders.get(slot);
        if !order.status.is_open() {
            return Err(Reject::UnknownOrder);
        }
        let holds = match cancel.only {
            CancelOnly::Any => true,
            CancelOnly::New => order.filled.0 == 0,
            CancelOnly::PartiallyFilled => order.filled.0 > 0,
        };
        if !holds {
            return Err(Reject::CancelRestricted);
        }
        self.cancel_slot(now, slot, cancel.request_id, events);
        self.finish(now, cancel.market, events);
        Ok(order.id)
    }

    /// Cancels the account's open orders on a market, oldest first, and names them.
    /// Err: no such market or account.
    pub fn cancel_all(
        &mut self,
        now: Nanos,
        account: AccountId,
        market: InstrumentId,
        scope: CancelScope,
        events: &mut Events,
    ) -> Result<Vec<OrderId>, Reject> {
        self.market(market).ok_or(Reject::UnknownMarket)?;
        self.account(account).ok_or(Reject::UnknownAccount)?;
        let ids = self.open_ids(account, market, scope);
        for id in &ids {
            if let Some(slot) = self.ledger.orders.slot(*id) {
                self.cancel_slot(now, slot, None, events);
            }
        }
        self.finish(now, market, events);
        Ok(ids)
    }

    /// Cancels one order and places another: two steps, of which the second may fail. `goes_on`: the new order is
    /// placed even if the cancel failed.
    /// Err: the new order breaks a filter, the market is unknown or closed; neither half was attempted.
    pub fn cancel_replace(
        &mut self,
        now: Nanos,
        account: AccountId,
        cancel: &Cancel,
        goes_on: bool,
        order: &NewOrder,
        events: &mut Events,
    ) -> Result<CancelReplace, Reject> {
        let market = self.market(order.market).ok_or(Reject::UnknownMarket)?;
        if !market.is_trading() {
            return Err(Reject::MarketClosed);
        }
        market.check_filters(now, order)?;
        let canceled = self.cancel(now, account, cancel, events);
        let attempted = canceled.is_ok() || goes_on;
        let placed = attempted.then(|| self.place(now, account, order, events));
        Ok(CancelReplace { canceled, placed })
    }

    fn cancel_slot(&mut self, now: Nanos, slot: u32, request_id: Option<ClientId>, events: &mut Events) {
        self.take_out(slot);
        let terms = self.markets[self.ledger.orders.get(slot).market.index()].terms;
        let canceled = Some(Execution::Canceled { request_id });
        self.ledger.end(now, &terms, slot, Status::Canceled, canceled, events);
    }
}
