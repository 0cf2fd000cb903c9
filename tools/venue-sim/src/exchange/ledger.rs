//! Orders, accounts and what moves between them. Every amount that leaves one account arrives at another: fees and
//! remainders at the house, so that the sum over all accounts changes with deposits and withdrawals alone.

use super::account::{Account, AccountMarket, AccountTerms, Balance};
use super::amount::Amount;
use super::event::{
    AccountFill, AccountReason, AccountUpdate, AssetId, BalanceUpdate, Event, Execution, Fill, OrderReport,
    PositionUpdate,
};
use super::market::Terms;
use super::order::{Expiry, Order, Size, Status};
use super::orders::Orders;
use super::tape::{Tape, remember};
use engine::ids::{AccountId, InstrumentId};
use engine::num::{Level, Price, Qty, Side};
use engine::time::Nanos;
use std::collections::VecDeque;

/// The account of the venue itself: takes fees, pays remainders, takes over what nobody buys in a liquidation.
pub const HOUSE: AccountId = AccountId(0);

/// Orders and accounts of an exchange.
pub(super) struct Ledger {
    pub(super) orders: Orders,
    pub(super) accounts: Vec<Account>,
    execution_id: u64,
    fills_kept: usize,
    /// Accounts that report and whose balances or positions this request changed.
    touched: Vec<Touched>,
}

struct Touched {
    account: AccountId,
    balances: Vec<(AssetId, Amount)>,
    positions: Vec<InstrumentId>,
}

/// Two orders that trade, by their slots.
#[derive(Clone, Copy)]
pub(super) struct Met {
    pub(super) taker: u32,
    pub(super) maker: u32,
    /// Price and quantity.
    pub(super) level: Level,
    /// The taker is done with it, whatever its quantity says.
    pub(super) is_last: bool,
}

impl Ledger {
    pub(super) fn new(ended_orders_kept: usize, fills_kept: usize) -> Self {
        Self {
            orders: Orders::new(ended_orders_kept),
            accounts: Vec::new(),
            execution_id: 0,
            fills_kept,
            touched: Vec::new(),
        }
    }

    pub(super) fn open(&mut self, terms: AccountTerms, assets: usize, leverages: impl Iterator<Item = u32>) {
        let market = |leverage| AccountMarket { leverage, ..AccountMarket::default() };
        self.accounts.push(Account {
            terms,
            balances: vec![Balance::default(); assets],
            markets: leverages.map(market).collect(),
            fills: VecDeque::new(),
        });
    }

    pub(super) fn account(&mut self, id: AccountId) -> &mut Account {
        &mut self.accounts[id.index()]
    }

    pub(super) fn of_market(&mut self, id: AccountId, market: InstrumentId) -> &mut AccountMarket {
        &mut self.accounts[id.index()].markets[market.index()]
    }

    /// Writes a report on an order, if its account reports.
    pub(super) fn report(&mut self, time: Nanos, slot: u32, execution: Execution, events: &mut Vec<Event>) {
        let order = *self.orders.get(slot);
        if self.accounts[order.account.index()].terms.reports {
            self.execution_id += 1;
            let report = OrderReport { execution_id: self.execution_id, time, order, execution };
            events.push(Event::Order(Box::new(report)));
        }
    }

    /// Gives `amount` (negative: takes) of an asset to what an account has free.
    pub(super) fn pay(&mut self, id: AccountId, asset: AssetId, amount: Amount) {
        self.account(id).balances[usize::from(asset.0)].free += amount;
        self.touch_balance(id, asset, Amount::ZERO);
    }

    /// Locks so much of what an order spends.
    pub(super) fn lock(&mut self, slot: u32, asset: AssetId, amount: Amount) {
        let order = self.orders.at(slot);
        order.locked += amount;
        let account = order.account;
        let balance = &mut self.account(account).balances[usize::from(asset.0)];
        balance.free -= amount;
        balance.locked += amount;
        self.touch_balance(account, asset, Amount::ZERO);
    }

    /// Frees so much of what an order keeps locked.
    pub(super) fn unlock(&mut self, slot: u32, terms: &Terms, amount: Amount) {
        if amount != Amount::ZERO {
            self.lock(slot, terms.spent(self.orders.get(slot).side), -amount);
        }
    }

    /// An order rests from now on, or no more (`sign` -1), with what is left of it.
    pub(super) fn count_resting(&mut self, terms: &Terms, order: &Order, qty: Qty, sign: i64) {
        let Some(price) = order.kind.price().filter(|_| terms.is_futures && !order.reduce_only) else {
            return;
        };
        let resting = &mut self.of_market(order.account, order.market).resting[order.side as usize];
        resting.qty += qty.0 * sign;
        resting.value += terms.value(price, Qty(qty.0 * sign));
    }

    /// An order of the book, or one that waits, has ended. Its place in the book and among the stops is the
    /// caller's to clear.
    pub(super) fn end(
        &mut self,
        now: Nanos,
        terms: &Terms,
        slot: u32,
        status: Status,
        execution: Option<Execution>,
        events: &mut Vec<Event>,
    ) {
        let order = *self.orders.get(slot);
        if order.handle.is_some() {
            self.count_resting(terms, &order, order.remaining(), -1);
        }
        self.unlock(slot, terms, order.locked);
        let ended = self.orders.at(slot);
        (ended.status, ended.updated, ended.handle) = (status, now, None);
        if let Some(Execution::Expired(expiry)) = execution {
            ended.expiry = Some(expiry);
        } else if status == Status::ExpiredInMatch {
            ended.expiry = Some(Expiry::SelfTrade);
        }
        let market = self.of_market(order.account, order.market);
        market.open.remove(&order.id);
        market.waiting.remove(&order.id);
        if let Some(execution) = execution {
            self.report(now, slot, execution, events);
        }
        let is_remembered = self.accounts[order.account.index()].terms.reports;
        self.orders.end(slot, is_remembered);
    }

    /// Two orders trade.
    pub(super) fn trade(
        &mut self,
        now: Nanos,
        terms: &Terms,
        tape: &mut Tape,
        met: Met,
        events: &mut Vec<Event>,
    ) {
        let Met { taker, maker, level, is_last } = met;
        let ids = [taker, maker].map(|slot| self.orders.get(slot).id);
        let aggressor = self.orders.get(taker).side;
        let trade = tape.trade(now, level.price, level.qty, aggressor, ids, events);
        let done = is_last || self.orders.get(taker).remaining() == level.qty;
        for (slot, counter, is_maker) in [(taker, ids[1], false), (maker, ids[0], true)] {
            let is_done = if is_maker { self.orders.get(slot).remaining() == level.qty } else { done };
            let fill = self.settle(terms, slot, level.price, level.qty, is_maker);
            let fill = Fill { trade, counter, ..fill };
            let order = self.orders.at(slot);
            order.filled.0 += level.qty.0;
            order.filled_value += fill.value;
            order.updated = now;
            order.status = if is_done { Status::Filled } else { Status::PartiallyFilled };
            if let Size::Quote(_) = order.size {
                order.qty = order.filled;
            }
            let (id, market, side, account) = (order.id, order.market, order.side, order.account);
            if self.accounts[account.index()].terms.reports {
                let kept = AccountFill { market, time: now, order: id, side, fill };
                remember(&mut self.accounts[account.index()].fills, kept, self.fills_kept);
            }
            self.report(now, slot, Execution::Trade(fill), events);
            if is_done {
                self.end(now, terms, slot, Status::Filled, None, events);
            }
        }
    }

    /// Moves money and goods of one order's part of a trade.
    fn settle(&mut self, terms: &Terms, slot: u32, price: Price, qty: Qty, is_maker: bool) -> Fill {
        let order = *self.orders.get(slot);
        let value = terms.value(price, qty);
        let rate = if is_maker { terms.maker_fee } else { terms.taker_fee };
        if order.handle.is_some() {
            self.count_resting(terms, &order, qty, -1);
        }
        let (fee, fee_asset, realised);
        if terms.is_futures {
            (fee, fee_asset) = (rate.of_floor(value).ceil_charged(), terms.quote);
            let signed = order.side.signed(qty);
            realised = self.move_position(terms, order.account, signed, terms.value(price, signed));
            self.pay(order.account, terms.quote, -fee);
        } else {
            realised = Amount::ZERO;
            let base = terms.base_amount(qty);
            let (spent, received) = if order.side == Side::Buy { (value, base) } else { (base, value) };
            fee_asset = terms.received(order.side);
            fee = rate.of_floor(received).ceil_charged();
            let locked = match (order.side, order.kind.price()) {
                (Side::Buy, Some(limit)) => terms.value(limit, qty),
                _ => spent,
            };
            self.unlock(slot, terms, locked.min(order.locked));
            self.pay(order.account, terms.spent(order.side), -spent);
            self.pay(order.account, fee_asset, received - fee);
        }
        self.pay(HOUSE, fee_asset, fee);
        let (trade, counter) = (0, order.id);
        Fill { trade, price, qty, value, is_maker, fee, fee_asset, realised, counter }
    }

    /// Books a signed quantity into a position and the profit that it realises into the wallet.
    pub(super) fn move_position(&mut self, terms: &Terms, id: AccountId, qty: Qty, value: Amount) -> Amount {
        let realised = self.of_market(id, terms.id).position.fill(qty, value);
        self.pay(id, terms.quote, realised);
        if let Some(touched) = self.touched(id)
            && !touched.positions.contains(&terms.id)
        {
            touched.positions.push(terms.id);
        }
        realised
    }

    /// Notes that an account's balance is another; `change` is what a deposit, funding or the insurance added.
    pub(super) fn touch_balance(&mut self, id: AccountId, asset: AssetId, change: Amount) {
        let Some(touched) = self.touched(id) else { return };
        match touched.balances.iter_mut().find(|(known, _)| *known == asset) {
            Some((_, sum)) => *sum += change,
            None => touched.balances.push((asset, change)),
        }
    }

    /// The accounts whose position in a market changed since the last flush.
    pub(super) fn moved(&self, market: InstrumentId) -> Vec<AccountId> {
        let moved = self.touched.iter().filter(|touched| touched.positions.contains(&market));
        moved.map(|touched| touched.account).collect()
    }

    fn touched(&mut self, account: AccountId) -> Option<&mut Touched> {
        if !self.accounts[account.index()].terms.reports {
            return None;
        }
        let known = self.touched.iter().position(|touched| touched.account == account);
        let index = known.unwrap_or_else(|| {
            self.touched.push(Touched { account, balances: Vec::new(), positions: Vec::new() });
            self.touched.len() - 1
        });
        self.touched.get_mut(index)
    }

    /// Writes an update for each account that was touched since the last call.
    pub(super) fn flush(
        &mut self,
        time: Nanos,
        reason: AccountReason,
        market: Option<InstrumentId>,
        value_at: impl Fn(InstrumentId, Qty) -> Option<Amount>,
        events: &mut Vec<Event>,
    ) {
        for Touched { account, balances, positions } in self.touched.drain(..) {
            let held = &self.accounts[account.index()];
            let balance = |(asset, change): (AssetId, Amount)| {
                let balance = held.balances[usize::from(asset.0)];
                BalanceUpdate { asset, balance, change }
            };
            let position = |market: InstrumentId| {
                let position = held.markets[market.index()].position;
                let value = value_at(market, position.qty);
                let unrealised = value.map_or(Amount::ZERO, |value| value - position.cost);
                PositionUpdate { market, position, unrealised }
            };
            events.push(Event::Account(Box::new(AccountUpdate {
                account,
                time,
                reason,
                market,
                balances: balances.into_iter().map(balance).collect(),
                positions: positions.into_iter().map(position).collect(),
            })));
        }
    }
}

impl Terms {
    /// What an order of a side spends (spot).
    pub(super) fn spent(&self, side: Side) -> AssetId {
        if side == Side::Buy { self.quote } else { self.base }
    }

    /// What an order of a side receives (spot); its fee is taken from it.
    pub(super) fn received(&self, side: Side) -> AssetId {
        self.spent(side.opposite())
    }
}
