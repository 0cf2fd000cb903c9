//! Cross margin of a futures account: what its positions and orders need, and what is left.
//!
//! Formulas: Binance USD-M, single-asset mode, one-way positions. Position value and unrealised profit at the mark
//! price; a market's initial margin is the larger of what it would be worth if all its buys, or all its sells, filled,
//! over the leverage; maintenance margin = value x rate of its bracket - the bracket's deduction.

use super::Exchange;
use super::account::Resting;
use super::amount::{Amount, Rate};
use super::event::AssetId;
use super::listing::{Bracket, FuturesTerms};
use super::market::Market;
use super::order::{Kind, NewOrder, Size};
use super::reject::Reject;
use engine::ids::{AccountId, InstrumentId};
use engine::num::{Price, Qty, Side};
use engine::time::Nanos;

/// An account's margin in one asset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Margin {
    /// Deposits, realised profit, fees, funding.
    pub wallet: Amount,
    /// Profit or loss of the positions at the mark price.
    pub unrealised: Amount,
    /// What positions and orders need to be opened.
    pub initial: Amount,
    /// What the positions need not to be liquidated.
    pub maintenance: Amount,
    /// Left for new orders; not below zero.
    pub available: Amount,
}

/// What would be worth what on one market, if all buys or all sells filled.
#[derive(Clone, Copy)]
struct Exposure {
    position: Amount,
    buys: Amount,
    sells: Amount,
}

impl Exposure {
    fn largest(self) -> Amount {
        (self.position + self.buys).abs().max((self.position - self.sells).abs())
    }

    fn initial(self, leverage: u32) -> Amount {
        let leverage = i128::from(leverage.max(1));
        Amount((self.largest().0 + leverage - 1) / leverage).ceil_charged()
    }
}

impl Exchange {
    /// An account's margin in an asset, all markets that settle in it together. Zero for an unknown account.
    #[must_use]
    pub fn margin(&self, account: AccountId, asset: AssetId) -> Margin {
        let Some(held) = self.account(account) else { return Margin::default() };
        let wallet = held.balances.get(usize::from(asset.0)).map_or(Amount::ZERO, |balance| balance.free);
        let mut margin = Margin { wallet, ..Margin::default() };
        for (market, mine) in
            self.markets.iter().zip(&held.markets).filter(|(market, _)| market.terms.quote == asset)
        {
            let exposure = self.exposure(account, market);
            margin.unrealised += exposure.position - mine.position.cost;
            margin.initial += exposure.initial(mine.leverage);
            margin.maintenance += market.maintenance(exposure.position.abs());
        }
        margin.available = (wallet + margin.unrealised - margin.initial).or_zero();
        margin
    }

    /// An account's initial and maintenance margin on one market.
    #[must_use]
    pub fn market_margin(&self, account: AccountId, market: InstrumentId) -> (Amount, Amount) {
        let (Some(held), Some(market)) = (self.account(account), self.market(market)) else {
            return (Amount::ZERO, Amount::ZERO);
        };
        let exposure = self.exposure(account, market);
        let leverage = held.markets[market.terms.id.index()].leverage;
        (exposure.initial(leverage), market.maintenance(exposure.position.abs()))
    }

    fn exposure(&self, account: AccountId, market: &Market) -> Exposure {
        let mine = &self.ledger.accounts[account.index()].markets[market.terms.id.index()];
        let position = match market.valuation_price() {
            Some(price) => market.value(price, mine.position.qty),
            None => mine.position.cost,
        };
        let value = |resting: Resting| if resting.qty == 0 { Amount::ZERO } else { resting.value };
        Exposure { position, buys: value(mine.resting[0]), sells: value(mine.resting[1]) }
    }

    /// Whether the margin covers a new order.
    pub(super) fn check_margin(
        &self,
        now: Nanos,
        account: AccountId,
        order: &NewOrder,
    ) -> Result<(), Reject> {
        let market = &self.markets[order.market.index()];
        let value = match (order.kind, order.size) {
            (Kind::Limit { price, .. }, Size::Base(qty)) => market.margin_value(now, order.side, price, qty),
            _ => self.reachable(&self.reach(account, order)).1,
        };
        self.check_exposure(account, order.market, order.side, value)
    }

    /// Whether the margin covers `more` of orders of a side.
    pub(super) fn check_exposure(
        &self,
        account: AccountId,
        market: InstrumentId,
        side: Side,
        more: Amount,
    ) -> Result<(), Reject> {
        let held = &self.ledger.accounts[account.index()];
        let market = &self.markets[market.index()];
        let leverage = held.markets[market.terms.id.index()].leverage;
        let before = self.exposure(account, market);
        let after = match side {
            Side::Buy => Exposure { buys: before.buys + more, ..before },
            Side::Sell => Exposure { sells: before.sells + more, ..before },
        };
        if held.terms.unlimited || after.largest() <= before.largest() {
            return Ok(());
        }
        let limit = market.futures.as_ref().map_or(Amount::ZERO, |terms| terms.notional_cap(leverage));
        if after.largest() > limit {
            return Err(Reject::PositionLimit { limit, value: after.largest() });
        }
        let needed = after.initial(leverage) - before.initial(leverage);
        let available = self.margin(account, market.terms.quote).available;
        if needed > available { Err(Reject::InsufficientMargin { available, needed }) } else { Ok(()) }
    }

    /// The largest leverage that an account may set on a market, by what its position and orders are worth.
    pub(super) fn leverage_max(&self, account: AccountId, market: InstrumentId) -> Result<u32, Reject> {
        let here = self.market(market).ok_or(Reject::UnknownMarket)?;
        self.account(account).ok_or(Reject::UnknownAccount)?;
        let terms = here.futures.as_ref().ok_or(Reject::Unsupported("leverage belongs to futures"))?;
        Ok(terms.bracket(self.exposure(account, here).largest()).leverage_max)
    }
}

impl Market {
    /// What an order is counted with: a sell below the mark price will not be worth less than that.
    pub(super) fn margin_value(&self, now: Nanos, side: Side, price: Price, qty: Qty) -> Amount {
        let reference = self.reference_price(now).filter(|_| side == Side::Sell);
        self.value(reference.map_or(price, |reference| reference.max(price)), qty)
    }

    /// Maintenance margin of a position worth `notional`.
    fn maintenance(&self, notional: Amount) -> Amount {
        let Some(terms) = &self.futures else { return Amount::ZERO };
        let bracket = terms.bracket(notional);
        (bracket.maintenance_rate.of_floor(notional) - bracket.maintenance_deduction).or_zero().ceil_charged()
    }
}

impl FuturesTerms {
    /// Err: what is wrong with them.
    pub(super) fn check(&self) -> Result<(), &'static str> {
        let rising = self.brackets.windows(2).all(|pair| {
            pair[0].notional_cap < pair[1].notional_cap && pair[0].leverage_max >= pair[1].leverage_max
        });
        let ends = self.brackets.first().zip(self.brackets.last());
        let Some((first, last)) = ends.filter(|(_, last)| rising && last.leverage_max > 0) else {
            return Err(
                "leverage brackets must rise in notional and fall in leverage, and there must be one",
            );
        };
        if first.notional_cap <= Amount::ZERO
            || !(1..=last.leverage_max.max(first.leverage_max)).contains(&self.leverage)
        {
            return Err("the leverage to begin with must be one that the brackets offer");
        }
        if self.funding_interval == Nanos(0) || self.mark_interval == Nanos(0) {
            return Err("the intervals of funding and mark price must be above zero");
        }
        let share = |rate: Rate| (0..=Rate::ONE.0).contains(&rate.0);
        let rates = [self.funding_rate_max, self.liquidation_fee];
        if !rates.into_iter().all(share)
            || !self.brackets.iter().all(|bracket| share(bracket.maintenance_rate))
        {
            return Err("rates must be in 0..=1");
        }
        Ok(())
    }

    /// The bracket of a notional; beyond the last one the last.
    #[must_use]
    pub fn bracket(&self, notional: Amount) -> Bracket {
        let found = self.brackets.iter().find(|bracket| notional <= bracket.notional_cap);
        found.or(self.brackets.last()).copied().unwrap_or(Bracket {
            notional_cap: Amount::ZERO,
            leverage_max: 1,
            maintenance_rate: Rate::ONE,
            maintenance_deduction: Amount::ZERO,
        })
    }

    /// Largest notional that a leverage allows.
    #[must_use]
    pub fn notional_cap(&self, leverage: u32) -> Amount {
        let allowing = self.brackets.iter().rev().find(|bracket| bracket.leverage_max >= leverage);
        allowing.map_or(Amount::ZERO, |bracket| bracket.notional_cap)
    }
}
