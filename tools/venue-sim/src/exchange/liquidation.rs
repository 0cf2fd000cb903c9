//! Forced closes: an account whose wallet and unrealised profit no longer cover its maintenance margin loses its
//! orders, then its positions at the market; what nobody buys the house takes over at the mark price. The house
//! keeps a fee of what is left and pays what is missing.

use super::amount::Amount;
use super::event::{AccountReason, AssetId, Event, Liquidation};
use super::ledger::HOUSE;
use super::order::{CancelScope, ClientId, Expiry, NewOrder, Size};
use super::work::Origin;
use super::{Events, Exchange};
use engine::ids::{AccountId, InstrumentId};
use engine::num::{Qty, Side};
use engine::time::Nanos;

impl Exchange {
    /// Liquidates every account that the new mark price of a market leaves short of its maintenance margin.
    pub(super) fn liquidate_due(&mut self, now: Nanos, market: InstrumentId, events: &mut Events) {
        let asset = self.markets[market.index()].terms.quote;
        for index in 0..self.ledger.accounts.len() {
            let account = AccountId(u16::try_from(index).unwrap_or(u16::MAX));
            let held = &self.ledger.accounts[index];
            if held.terms.unlimited || held.markets[market.index()].position.qty.0 == 0 {
                continue;
            }
            let margin = self.margin(account, asset);
            if margin.wallet + margin.unrealised < margin.maintenance {
                self.liquidate(now, account, asset, events);
            }
        }
    }

    fn liquidate(&mut self, now: Nanos, account: AccountId, asset: AssetId, events: &mut Events) {
        let markets: Vec<InstrumentId> = self
            .markets
            .iter()
            .filter(|market| market.terms.quote == asset)
            .map(|market| market.terms.id)
            .collect();
        for market in &markets {
            for id in self.open_ids(account, *market, CancelScope::All) {
                if let Some(slot) = self.ledger.orders.slot(id) {
                    self.expire(now, slot, Expiry::Liquidation, events);
                }
            }
            self.finish(now, *market, events);
        }
        for market in markets {
            self.close_by_force(now, account, market, events);
        }
        let left = self.ledger.account(account).balances[usize::from(asset.0)].free;
        if left < Amount::ZERO {
            self.ledger.pay(account, asset, -left);
            self.ledger.touch_balance(account, asset, -left);
            self.ledger.pay(HOUSE, asset, left);
            self.flush_accounts(now, AccountReason::InsuranceClear, None, events);
        }
    }

    fn close_by_force(&mut self, now: Nanos, account: AccountId, market: InstrumentId, events: &mut Events) {
        let held = self.ledger.of_market(account, market).position.qty;
        if held.0 == 0 {
            return;
        }
        let side = if held.0 > 0 { Side::Sell } else { Side::Buy };
        let client_id = ClientId::new(&format!("autoclose-{}", self.ledger.orders.next_id().0));
        let size = Size::Base(Qty(held.0.abs()));
        let order = NewOrder { reduce_only: true, client_id, ..NewOrder::market(market, side, size) };
        let slot = self.accept(now, account, &order, Origin { is_liquidation: true, parent: None }, events);
        let id = self.ledger.orders.get(slot).id;
        self.work(now, slot, events);
        let terms = self.markets[market.index()].terms;
        let rest = self.ledger.of_market(account, market).position.qty;
        let price = self.markets[market.index()].valuation_price();
        let mut closed = self.ledger.orders.by_id(id).map_or(Amount::ZERO, |order| order.filled_value);
        if let Some(price) = price.filter(|_| rest.0 != 0) {
            let value = terms.value(price, rest);
            self.ledger.move_position(&terms, account, Qty(-rest.0), -value);
            self.ledger.move_position(&terms, HOUSE, rest, value);
            closed += value.abs();
        }
        let rate = self.markets[market.index()]
            .futures
            .as_ref()
            .map_or_else(Default::default, |terms| terms.liquidation_fee);
        let wallet = self.ledger.account(account).balances[usize::from(terms.quote.0)].free;
        let fee = rate.of_floor(closed).ceil_charged().min(wallet.or_zero());
        self.ledger.pay(account, terms.quote, -fee);
        self.ledger.pay(HOUSE, terms.quote, fee);
        if let Some(order) = self.ledger.orders.by_id(id) {
            let taken_over = Qty(rest.0.abs());
            let liquidation = Liquidation { account, order: *order, taken_over, fee };
            events.push(Event::Liquidation(Box::new(liquidation)));
        }
        self.finish(now, market, events);
    }
}
