//! One product of the venue: its exchange with all that the dialect keeps beside it.

use engine::ids::{AccountId, InstrumentId};
use engine::instrument::Instrument;
use engine::time::Nanos;
use std::collections::{BTreeMap, BTreeSet};

use super::candles::Candles;
use super::failure::{Failure, INVALID_SYMBOL};
use super::limits::{LimitTerms, Limits};
use super::order_text::Shown;
use super::orders::Target;
use super::params::Params;
use super::publisher::{Here, Publisher};
use super::render::Digits;
use super::user_events::{
    Context, PositionMarket, UserEvent, execution_report, futures_account, futures_order, spot_account,
};
use crate::exchange::{
    CancelScope, Event, Events, Exchange, Execution, Mark, Order, OrderId, OrderReport, Product,
};
use crate::flow::generator::Generator;
use crate::outbox::Outbox;

/// One product of the venue.
pub(crate) struct Desk {
    /// Spot or futures.
    pub(crate) product: Product,
    /// Orders, accounts, books.
    pub(crate) exchange: Exchange,
    /// Rates.
    pub(crate) limits: Limits,
    /// Public streams.
    pub(crate) publisher: Publisher,
    /// Everybody else.
    pub(crate) crowds: Vec<Generator>,
    /// What the exchange said and nobody was told yet.
    pub(crate) events: Events,
    /// Listen keys (futures).
    pub(crate) listen_keys: ListenKeys,
    /// When a dead man's orders of a market are canceled (futures).
    pub(super) countdowns: BTreeMap<(AccountId, InstrumentId), Nanos>,
    pub(super) candles: Vec<Candles>,
    pub(super) marks: Vec<Option<Mark>>,
    /// `modifyId` of the amendments whose reports are not out yet.
    pub(super) modify_ids: BTreeMap<OrderId, u64>,
    /// Accounts that are said to be in hedge mode, which this venue does not have.
    pub(crate) hedged: BTreeSet<AccountId>,
    /// Names that the venue gave to cancel requests.
    pub(super) names_given: u64,
    /// Orders whose first fill was counted.
    filled_once: BTreeSet<OrderId>,
}

/// One request, as a call sees it.
#[derive(Clone, Copy)]
pub(crate) struct Asked<'a> {
    /// Its parameters.
    pub(crate) params: &'a Params,
    /// Whose; the venue's own where none is needed.
    pub(crate) account: AccountId,
    /// Now.
    pub(crate) now: Nanos,
    /// What the venue's clock is off by, ms.
    pub(crate) shift_ms: i64,
}

impl Asked<'_> {
    /// The time that the venue shows, ms.
    #[must_use]
    pub(crate) fn server_ms(&self) -> u64 {
        shifted(self.now, self.shift_ms)
    }
}

/// `time` as a clock shows it that is off by `shift_ms`.
#[must_use]
pub(crate) fn shifted(time: Nanos, shift_ms: i64) -> u64 {
    time.as_ms().saturating_add_signed(shift_ms)
}

impl Desk {
    /// A desk in front of `exchange`.
    #[must_use]
    pub(crate) fn new(exchange: Exchange, terms: LimitTerms) -> Self {
        let product = exchange.product();
        let count = exchange.markets().len();
        Self {
            product,
            limits: Limits::new(product, terms),
            publisher: Publisher::new(product),
            crowds: Vec::new(),
            events: Vec::new(),
            listen_keys: ListenKeys::default(),
            countdowns: BTreeMap::new(),
            candles: (0..count).map(|_| Candles::default()).collect(),
            marks: vec![None; count],
            modify_ids: BTreeMap::new(),
            hedged: BTreeSet::new(),
            names_given: 0,
            filled_once: BTreeSet::new(),
            exchange,
        }
    }

    /// Lets time pass up to `now`.
    pub(crate) fn advance(&mut self, now: Nanos) {
        for crowd in self.crowds.iter_mut().filter(|crowd| crowd.next_due() <= now) {
            crowd.run_until(&mut self.exchange, now, &mut self.events);
        }
        self.exchange.advance(now, &mut self.events);
        let due: Vec<_> = self.countdowns.iter().filter(|(_, at)| **at <= now).map(|(key, _)| *key).collect();
        for (account, market) in due {
            self.countdowns.remove(&(account, market));
            // Account and market were known when the countdown was set.
            let _ = self.exchange.cancel_all(now, account, market, CancelScope::InBook, &mut self.events);
        }
    }

    /// When something happens next by itself.
    #[must_use]
    pub(crate) fn next_due(&self) -> Nanos {
        let countdown = self.countdowns.values().min().copied().unwrap_or(Nanos::MAX);
        let crowd = self.crowds.iter().map(Generator::next_due).min().unwrap_or(Nanos::MAX);
        self.exchange.next_due().min(countdown).min(crowd)
    }

    /// Tells everybody what has happened: public streams directly, accounts through what is returned. What is said of
    /// an account that is not heard is not printed.
    pub(crate) fn digest(
        &mut self,
        now: Nanos,
        shift_ms: i64,
        out: &mut Outbox,
        is_heard: impl Fn(&ListenKeys, AccountId) -> bool,
    ) -> Vec<(AccountId, UserEvent)> {
        let events = std::mem::take(&mut self.events);
        let mut told = Vec::new();
        for event in &events {
            match event {
                Event::Trade(trade) => {
                    let market = self.exchange.market(trade.market);
                    let value = market.map(|market| market.value(trade.price, trade.qty));
                    if let Some((candles, value)) = self.candles.get_mut(trade.market.index()).zip(value) {
                        candles.trade(trade, value);
                    }
                }
                Event::Mark(mark) => {
                    if let Some(last) = self.marks.get_mut(mark.market.index()) {
                        *last = Some(*mark);
                    }
                }
                Event::Level(change) => self.publisher.level(change),
                Event::Order(report) => self.count_fill(now, report),
                _ => {}
            }
            let here =
                Here { exchange: &self.exchange, candles: &self.candles, marks: &self.marks, now, shift_ms };
            match event {
                Event::Quote(quote) => self.publisher.quote(quote, here, out),
                Event::Trade(trade) => self.publisher.trade(trade, here, out),
                Event::AggTrade(trade) => self.publisher.agg_trade(trade, here, out),
                Event::Liquidation(liquidation) => self.publisher.liquidation(liquidation, here, out),
                Event::Order(report) => {
                    let modify_id = match report.execution {
                        Execution::Amended { .. } => self.modify_ids.remove(&report.order.id),
                        _ => None,
                    };
                    if !is_heard(&self.listen_keys, report.order.account) {
                        continue;
                    }
                    let cx = self.context(Some(report.order.market), now, shift_ms);
                    let events = match self.product {
                        Product::Spot => vec![execution_report(report, cx)],
                        Product::Futures => futures_order(report, cx, modify_id),
                    };
                    told.extend(events.into_iter().map(|event| (report.order.account, event)));
                }
                Event::Account(update) if !is_heard(&self.listen_keys, update.account) => {}
                Event::Account(update) => {
                    let cx = self.context(update.market, now, shift_ms);
                    let events = match self.product {
                        Product::Spot => spot_account(update, cx),
                        Product::Futures => vec![futures_account(update, cx, |market| {
                            let market = self.exchange.market(market)?;
                            let digits = Digits::of(self.product, &market.instrument);
                            Some(PositionMarket { symbol: &market.instrument.symbol, digits })
                        })],
                    };
                    told.extend(events.into_iter().map(|event| (update.account, event)));
                }
                Event::Level(_) | Event::Mark(_) | Event::Funding(_) => {}
            }
        }
        // The vector is kept for its room.
        self.events = events;
        self.events.clear();
        told
    }

    /// Sends the periodic streams that are due at `now`, a multiple of their tick.
    pub(crate) fn tick(&mut self, now: Nanos, shift_ms: i64, out: &mut Outbox) {
        for candles in &mut self.candles {
            candles.advance(now);
        }
        let here =
            Here { exchange: &self.exchange, candles: &self.candles, marks: &self.marks, now, shift_ms };
        self.publisher.tick(now.as_ms(), here, out);
    }

    fn count_fill(&mut self, now: Nanos, report: &OrderReport) {
        let order = &report.order;
        if let Execution::Trade(fill) = &report.execution
            && self.product == Product::Spot
            && self.filled_once.insert(order.id)
        {
            self.limits.filled(now, order.account, if fill.is_maker { 5 } else { 1 });
        }
        if !order.status.is_open() {
            self.filled_once.remove(&order.id);
        }
    }

    fn context(&self, market: Option<InstrumentId>, now: Nanos, shift_ms: i64) -> Context<'_> {
        let first = InstrumentId(0);
        let instrument = self.instrument(market.unwrap_or(first));
        Context {
            symbol: instrument.map_or("", |instrument| &instrument.symbol),
            digits: self.digits(market.unwrap_or(first)),
            quote: instrument.map_or("", |instrument| &instrument.quote),
            assets: self.exchange.assets(),
            event_ms: shifted(now, shift_ms),
            shift_ms,
        }
    }

    /// The market that a request names. Err: `-1102` none, `-1121` unknown.
    pub(crate) fn market_of(&self, params: &Params) -> Result<InstrumentId, Failure> {
        super::orders::symbol(params, |symbol| self.exchange.find_market(symbol))
    }

    /// The market that a request may name. Err: `-1121` unknown.
    pub(crate) fn market_if(&self, params: &Params) -> Result<Option<InstrumentId>, Failure> {
        let Some(symbol) = params.get("symbol") else { return Ok(None) };
        self.exchange.find_market(symbol).map(Some).ok_or(INVALID_SYMBOL)
    }

    /// All markets, or the one that a request names. Err: `-1121` unknown.
    pub(crate) fn markets_of(&self, params: &Params) -> Result<Vec<InstrumentId>, Failure> {
        if let Some(list) = params.get("symbols") {
            let names: Vec<String> =
                serde_json::from_str(list).map_err(|_| Failure::illegal_characters("symbols"))?;
            let found = names.iter().map(|name| self.exchange.find_market(name).ok_or(INVALID_SYMBOL));
            return found.collect();
        }
        Ok(match self.market_if(params)? {
            Some(market) => vec![market],
            None => self.exchange.markets().iter().map(|market| market.instrument.id).collect(),
        })
    }

    /// A market's names and units.
    #[must_use]
    pub(crate) fn instrument(&self, market: InstrumentId) -> Option<&Instrument> {
        self.exchange.market(market).map(|market| &market.instrument)
    }

    /// How a market prints its numbers.
    #[must_use]
    pub(crate) fn digits(&self, market: InstrumentId) -> Digits {
        self.instrument(market).map_or(Digits::NONE, |instrument| Digits::of(self.product, instrument))
    }

    /// A market as requests see it. Err: `-1121` unknown.
    pub(crate) fn target(&self, market: InstrumentId) -> Result<Target<'_>, Failure> {
        let instrument = self.instrument(market).ok_or(INVALID_SYMBOL)?;
        Ok(Target { product: self.product, market, instrument })
    }

    /// An order as answers print it.
    #[must_use]
    pub(crate) fn shown<'a>(&'a self, order: &'a Order) -> Shown<'a> {
        let symbol = self.instrument(order.market).map_or("", |instrument| &instrument.symbol);
        Shown { order, symbol, digits: self.digits(order.market) }
    }

    /// What the exchange's refusal is called.
    #[must_use]
    pub(crate) fn refused(&self, reject: &crate::exchange::Reject) -> Failure {
        Failure::rejected(self.product, reject)
    }
}

/// Listen keys: one an account, each good for an hour after it was last asked for.
#[derive(Default)]
pub(crate) struct ListenKeys(BTreeMap<AccountId, (String, Nanos)>);

/// How long a listen key lives.
const LISTEN_KEY_LIFE: Nanos = Nanos::HOUR;

impl ListenKeys {
    /// The account's key, made or prolonged.
    pub(crate) fn start(&mut self, account: AccountId, now: Nanos) -> String {
        let until = now.plus(LISTEN_KEY_LIFE);
        let entry = self.0.entry(account).or_insert_with(|| (named(account, now), until));
        if entry.1 <= now {
            entry.0 = named(account, now);
        }
        entry.1 = until;
        entry.0.clone()
    }

    /// Prolongs the account's key. None: it has none.
    pub(crate) fn keep_alive(&mut self, account: AccountId, now: Nanos) -> Option<&str> {
        let (key, until) = self.0.get_mut(&account).filter(|(_, until)| *until > now)?;
        *until = now.plus(LISTEN_KEY_LIFE);
        Some(key)
    }

    /// Ends the account's key.
    pub(crate) fn close(&mut self, account: AccountId) {
        self.0.remove(&account);
    }

    /// Whose key it is, while it lives.
    #[must_use]
    pub(crate) fn owner(&self, key: &str, now: Nanos) -> Option<AccountId> {
        let found = self.0.iter().find(|(_, (known, until))| known == key && *until > now);
        found.map(|(account, _)| *account)
    }

    /// Takes out the keys that have run out by `now`.
    pub(crate) fn expired(&mut self, now: Nanos) -> Vec<(AccountId, String)> {
        let over = |entry: &(&AccountId, &(String, Nanos))| entry.1.1 <= now;
        let gone: Vec<_> =
            self.0.iter().filter(over).map(|(account, (key, _))| (*account, key.clone())).collect();
        for (account, _) in &gone {
            self.0.remove(account);
        }
        gone
    }
}

/// 64 characters, as the venue's keys have. They need not be secret here.
fn named(account: AccountId, now: Nanos) -> String {
    format!("{:0>16x}{:0>16x}{:0>32}", account.0, now.0, "listenkey")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listen_key_lives_an_hour_after_it_was_last_asked_for() {
        let (mut keys, account) = (ListenKeys::default(), AccountId(1));
        let at = |minutes: u64| Nanos(minutes * 60 * Nanos::SECOND.0);
        let key = keys.start(account, at(0));
        assert_eq!((key.len(), keys.start(account, at(30))), (64, key.clone()));
        assert_eq!(keys.keep_alive(account, at(80)), Some(key.as_str()));
        assert_eq!(keys.owner(&key, at(139)), Some(account));
        assert!(keys.expired(at(139)).is_empty());
        assert_eq!(keys.owner(&key, at(140)), None);
        assert_eq!(keys.expired(at(140)), [(account, key.clone())]);
        assert_eq!(keys.keep_alive(account, at(141)), None);
        assert_ne!(keys.start(account, at(141)), key);
    }
}
