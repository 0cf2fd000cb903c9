//! What the exchange says: public market data, and what concerns one account.
//!
//! Events of one request stand in the order in which a venue sends them: order reports, trades, levels, best quote,
//! account updates.

use super::account::{Balance, Position};
use super::amount::{Amount, Rate};
use super::order::{ClientId, Expiry, Order, OrderId};
use super::reject::Reject;
use engine::book::BookSide;
use engine::ids::{AccountId, InstrumentId};
use engine::num::{Level, Price, Qty, Side};
use engine::time::Nanos;

/// Index of an asset in [`super::Exchange::assets`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AssetId(pub u16);

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A price level has another quantity.
    Level(LevelChange),
    /// The best bid or ask is another, in price or quantity.
    Quote(Quote),
    /// Two orders traded.
    Trade(Trade),
    /// What one order took at one price, all in all.
    AggTrade(AggTrade),
    /// Something happened to an order of an account that reports.
    Order(Box<OrderReport>),
    /// Balances or positions of an account that reports.
    Account(Box<AccountUpdate>),
    /// The mark price was set anew (futures).
    Mark(Mark),
    /// Funding was exchanged on a market (futures): after the updates of the accounts that it concerns.
    Funding(Funding),
    /// An order of the venue closed a position by force (futures).
    Liquidation(Box<Liquidation>),
}

/// A level's new absolute quantity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LevelChange {
    /// Where.
    pub market: InstrumentId,
    /// When.
    pub time: Nanos,
    /// Gap-free on the market, from 1.
    pub update_id: u64,
    /// Bid or ask.
    pub side: BookSide,
    /// Price and whole quantity; zero: the level is gone.
    pub level: Level,
}

/// The touch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quote {
    /// Where.
    pub market: InstrumentId,
    /// When.
    pub time: Nanos,
    /// The last level change that it includes.
    pub update_id: u64,
    /// Best bid; None: no bids.
    pub bid: Option<Level>,
    /// Best ask; None: no asks.
    pub ask: Option<Level>,
}

/// Two orders that traded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trade {
    /// Where.
    pub market: InstrumentId,
    /// When.
    pub time: Nanos,
    /// Gap-free on the market, from 1.
    pub id: u64,
    /// The maker's.
    pub price: Price,
    /// How much.
    pub qty: Qty,
    /// The taker's side; the buyer is the maker when it is `Sell`.
    pub aggressor: Side,
    /// The buyer's order.
    pub buyer: OrderId,
    /// The seller's order.
    pub seller: OrderId,
}

/// The trades of one taking order at one price.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AggTrade {
    /// Where.
    pub market: InstrumentId,
    /// When.
    pub time: Nanos,
    /// Gap-free on the market, from 1.
    pub id: u64,
    /// Their price.
    pub price: Price,
    /// Their sum.
    pub qty: Qty,
    /// Id of the first trade.
    pub first_trade: u64,
    /// Id of the last trade.
    pub last_trade: u64,
    /// The taker's side.
    pub aggressor: Side,
}

/// One report on an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OrderReport {
    /// From 1, one sequence for the exchange.
    pub execution_id: u64,
    /// When.
    pub time: Nanos,
    /// The order as it is now.
    pub order: Order,
    /// What happened to it.
    pub execution: Execution,
}

/// What happened to an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Execution {
    /// The venue took it; in the book, or waiting for its trigger.
    New,
    /// Its trigger was met: it works from now on (spot), or has become `order.child` (futures).
    Triggered,
    /// It traded. Of a liquidation order (`order.is_liquidation`): the forced fill, `CALCULATED`.
    Trade(Fill),
    /// Its owner canceled it.
    Canceled {
        /// The client's name of the cancel request.
        request_id: Option<ClientId>,
    },
    /// It has new terms: `REPLACED` on spot, `AMENDMENT` on futures.
    Amended {
        /// The client id before.
        client_id_before: ClientId,
    },
    /// A rule of the venue ended it.
    Expired(Expiry),
    /// Self-trade prevention took a part of it, or all: `TRADE_PREVENTION`.
    Prevented {
        /// From 1, one sequence a market.
        match_id: u64,
        /// The order that it would have traded with.
        counter: OrderId,
        /// At this price.
        price: Price,
        /// So much of this order.
        qty: Qty,
    },
    /// It was refused when its trigger was met.
    Rejected(Reject),
}

/// One order's part of a trade.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fill {
    /// The trade.
    pub trade: u64,
    /// Its price.
    pub price: Price,
    /// Its quantity.
    pub qty: Qty,
    /// Its value in the quote asset.
    pub value: Amount,
    /// Whether the order rested.
    pub is_maker: bool,
    /// Fee paid; negative: earned.
    pub fee: Amount,
    /// In this asset.
    pub fee_asset: AssetId,
    /// Futures: profit realised, fee not included.
    pub realised: Amount,
    /// The other order.
    pub counter: OrderId,
}

/// A fill of an account, as it is remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccountFill {
    /// Where.
    pub market: InstrumentId,
    /// When.
    pub time: Nanos,
    /// Which order.
    pub order: OrderId,
    /// Its side.
    pub side: Side,
    /// What traded.
    pub fill: Fill,
}

/// Why balances changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccountReason {
    /// Orders placed, ended or filled.
    Order,
    /// Funding.
    Funding,
    /// A deposit.
    Deposit,
    /// A withdrawal.
    Withdrawal,
    /// The venue paid what a liquidation left below zero.
    InsuranceClear,
}

/// What an account holds now, of what changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountUpdate {
    /// Whose.
    pub account: AccountId,
    /// When.
    pub time: Nanos,
    /// Why.
    pub reason: AccountReason,
    /// The market that it comes from; None: deposits, withdrawals.
    pub market: Option<InstrumentId>,
    /// Changed balances.
    pub balances: Vec<BalanceUpdate>,
    /// Changed positions.
    pub positions: Vec<PositionUpdate>,
}

/// A changed balance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BalanceUpdate {
    /// Of what.
    pub asset: AssetId,
    /// As it is now. On futures `free` is the wallet balance.
    pub balance: Balance,
    /// By how much it changed, but for profit and fees: deposits, withdrawals, funding, insurance.
    pub change: Amount,
}

/// A changed position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PositionUpdate {
    /// Where.
    pub market: InstrumentId,
    /// As it is now.
    pub position: Position,
    /// Its profit or loss at the mark price.
    pub unrealised: Amount,
}

/// A market's mark price.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Where.
    pub market: InstrumentId,
    /// When.
    pub time: Nanos,
    /// Positions are valued at it.
    pub price: Price,
    /// What the market follows.
    pub index: Price,
    /// What funding would be now.
    pub funding_rate: Rate,
    /// When it is exchanged next.
    pub next_funding: Nanos,
}

/// Funding that was exchanged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Funding {
    /// Where.
    pub market: InstrumentId,
    /// The funding time.
    pub time: Nanos,
    /// Positive: longs paid shorts.
    pub rate: Rate,
    /// At this price.
    pub mark: Price,
}

/// A position closed by force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Liquidation {
    /// Whose.
    pub account: AccountId,
    /// The closing order as it ended.
    pub order: Order,
    /// Quantity that the venue took over at the mark price because nobody traded.
    pub taken_over: Qty,
    /// The fee that went to the venue.
    pub fee: Amount,
}
