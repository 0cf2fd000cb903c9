//! An accepted order at work: meeting what rests, resting itself, waking the ones that wait.

use super::amount::Amount;
use super::event::{Event, Execution};
use super::ledger::{Ledger, Met};
use super::market::{Market, Terms};
use super::matcher::{Meet, Resting};
use super::order::{ClientId, Expiry, Kind, NewOrder, Order, OrderId, SelfTrade, Size, Status};
use super::tape::Tape;
use super::{Events, Exchange};
use engine::book::BookSide;
use engine::ids::{AccountId, InstrumentId};
use engine::num::{Level, Price, Qty, Side};
use engine::order::Tif;
use engine::time::Nanos;

impl Exchange {
    /// Enters a checked order: its number, its locks, its report.
    pub(super) fn accept(
        &mut self,
        now: Nanos,
        account: AccountId,
        new: &NewOrder,
        origin: Origin,
        events: &mut Events,
    ) -> u32 {
        let id = self.ledger.orders.next_id();
        let is_named = self.ledger.accounts[account.index()].terms.reports;
        let made = || is_named.then(|| ClientId::new(&format!("sim-{}", id.0))).flatten();
        let market = &self.markets[new.market.index()];
        let order = Order {
            id,
            account,
            client_id: new.client_id.or_else(made).unwrap_or(ClientId::CROWD),
            market: new.market,
            side: new.side,
            kind: new.kind,
            size: new.size,
            qty: if let Size::Base(qty) = new.size { qty } else { Qty(0) },
            trigger: new.trigger,
            reduce_only: new.reduce_only,
            self_trade: new.self_trade.unwrap_or(market.self_trade),
            good_till: new.good_till,
            status: if new.trigger.is_some() { Status::Waiting } else { Status::New },
            filled: Qty(0),
            filled_value: Amount::ZERO,
            prevented: Qty(0),
            created: now,
            updated: now,
            working: new.trigger.is_none().then_some(now),
            amend_count: 0,
            parent: origin.parent,
            child: None,
            expiry: None,
            is_liquidation: origin.is_liquidation,
            handle: None,
            locked: Amount::ZERO,
        };
        let slot = self.ledger.orders.insert(order, is_named);
        if let Some(time) = new.good_till {
            self.good_till.insert((time, id));
        }
        self.lock_funds(slot);
        self.ledger.report(now, slot, Execution::New, events);
        slot
    }

    /// Spot: locks what a limit order or a waiting order may spend.
    pub(super) fn lock_funds(&mut self, slot: u32) {
        let order = *self.ledger.orders.get(slot);
        let terms = self.markets[order.market.index()].terms;
        let price =
            order.kind.price().or(order.trigger.filter(|_| order.status == Status::Waiting).map(|t| t.price));
        let Some(price) = price.filter(|_| !terms.is_futures) else { return };
        let amount = match order.side {
            Side::Buy => terms.value(price, order.remaining()),
            Side::Sell => terms.base_amount(order.remaining()),
        };
        self.ledger.lock(slot, terms.spent(order.side), amount);
    }

    /// Lets an order that has been reported meet what rests, then rests or ends what is left of it.
    pub(super) fn work(&mut self, now: Nanos, slot: u32, events: &mut Events) {
        let order = *self.ledger.orders.get(slot);
        let is_killed = matches!(order.kind, Kind::Limit { tif: Tif::Fok, .. })
            && self.reachable(&order.reach()).0 < order.remaining();
        let market = &mut self.markets[order.market.index()];
        let Market { matcher, tape, terms, prevented_id, changed, instrument, .. } = market;
        let mut taking = Taking {
            now,
            terms: *terms,
            lot: instrument.lot,
            ledger: &mut self.ledger,
            tape,
            changed,
            prevented_id,
            events,
            slot,
            id: order.id,
            budget: if let Size::Quote(value) = order.size { Some(value) } else { None },
            is_reduced: false,
        };
        if !is_killed {
            matcher.take(order.side, order.kind.worst_price(order.side), |resting| taking.meet(resting));
        }
        let is_reduced = taking.is_reduced;
        tape.end_aggregate(events);
        let Some(rest) = self.ledger.orders.by_id(order.id).filter(|order| order.status.is_open()).copied()
        else {
            return;
        };
        let expiry = match rest.kind {
            _ if is_reduced => Expiry::ReduceOnly,
            Kind::Limit { price, tif: Tif::Gtc | Tif::PostOnly } => {
                let handle = matcher.add(rest.side, price, rest.remaining(), slot);
                changed.push((book_side(rest.side), price));
                self.ledger.orders.at(slot).handle = Some(handle);
                self.ledger.count_resting(terms, &rest, rest.remaining(), 1);
                self.ledger.of_market(rest.account, rest.market).open.insert(rest.id);
                return;
            }
            Kind::Limit { tif: Tif::Fok, .. } => Expiry::FokUnfilled,
            Kind::Limit { tif: Tif::Ioc, .. } => Expiry::IocRemainder,
            Kind::Market => Expiry::NoLiquidity,
        };
        self.ledger.end(now, terms, slot, Status::Expired, Some(Execution::Expired(expiry)), events);
    }

    /// Quantity and value that an order would find at its limit or better, were it to take now: what rests, but for
    /// its own account's orders where they would not trade, and for reduce-only orders. Stops at its size.
    pub(super) fn reachable(&self, reach: &Reach) -> (Qty, Amount) {
        let market = &self.markets[reach.market.index()];
        let (mut qty, mut value) = (Qty(0), Amount::ZERO);
        for resting in market.matcher.orders(reach.side.opposite()) {
            let maker = self.ledger.orders.get(resting.tag);
            if !accepts(reach.side, resting.price, reach.worst) {
                break;
            }
            if maker.account == reach.account && reach.self_trade != SelfTrade::Allow {
                if reach.self_trade == SelfTrade::ExpireMaker {
                    continue;
                }
                break;
            }
            if maker.reduce_only {
                continue;
            }
            let wanted = match reach.size {
                Size::Base(size) => Qty(size.0 - qty.0),
                Size::Quote(budget) => {
                    market.terms.lots_within(budget - value, resting.price, market.instrument.lot)
                }
                Size::Position => Qty(0),
            };
            let part = resting.qty.min(wanted);
            if part.0 <= 0 {
                break;
            }
            qty.0 += part.0;
            value += market.value(resting.price, part);
        }
        (qty, value)
    }

    /// Wakes every waiting order whose price has come, those included that the woken ones' trades wake.
    pub(super) fn wake_stops(&mut self, now: Nanos, market: InstrumentId, events: &mut Events) {
        loop {
            let here = &mut self.markets[market.index()];
            let Some(id) = here.stops.pop(here.tape.last_price, here.mark.price) else { return };
            if let Some(slot) = self.ledger.orders.slot(id) {
                self.wake(now, slot, events);
            }
        }
    }

    fn wake(&mut self, now: Nanos, slot: u32, events: &mut Events) {
        let order = *self.ledger.orders.get(slot);
        let terms = self.markets[order.market.index()].terms;
        let size = match order.size {
            Size::Position => Size::Base(closable(&self.ledger, &order)),
            size => size,
        };
        let new = NewOrder {
            market: order.market,
            side: order.side,
            kind: order.kind,
            size,
            trigger: None,
            reduce_only: order.reduce_only || order.size == Size::Position,
            self_trade: Some(order.self_trade),
            client_id: None,
            good_till: order.good_till,
        };
        // What it has locked is free for the check: the same funds pay for it.
        self.ledger.unlock(slot, &terms, order.locked);
        if let Err(reject) = self.check_working(now, order.account, &new) {
            let execution = Some(Execution::Rejected(reject));
            self.ledger.end(now, &terms, slot, Status::Rejected, execution, events);
            return;
        }
        self.ledger.of_market(order.account, order.market).waiting.remove(&order.id);
        if !terms.is_futures {
            let woken = self.ledger.orders.at(slot);
            (woken.status, woken.working, woken.updated) = (Status::New, Some(now), now);
            self.ledger.report(now, slot, Execution::Triggered, events);
            self.lock_funds(slot);
            return self.work(now, slot, events);
        }
        let child = self.ledger.orders.next_id();
        self.ledger.orders.at(slot).child = Some(child);
        let named = NewOrder { client_id: Some(order.client_id), ..new };
        self.ledger.end(now, &terms, slot, Status::Triggered, Some(Execution::Triggered), events);
        let origin = Origin { parent: Some(order.id), is_liquidation: false };
        let slot = self.accept(now, order.account, &named, origin, events);
        self.work(now, slot, events);
    }

    /// Ends resting reduce-only orders of accounts whose position no longer stands against them.
    pub(super) fn end_reduce_only(&mut self, now: Nanos, market: InstrumentId, events: &mut Events) {
        for account in self.ledger.moved(market) {
            let open = &self.ledger.accounts[account.index()].markets[market.index()].open;
            let ended: Vec<u32> = open
                .iter()
                .filter_map(|id| self.ledger.orders.slot(*id))
                .filter(|slot| {
                    let order = self.ledger.orders.get(*slot);
                    order.reduce_only && closable(&self.ledger, order).0 == 0
                })
                .collect();
            for slot in ended {
                self.expire(now, slot, Expiry::ReduceOnly, events);
            }
        }
    }

    /// Ends an open order by a rule of the venue.
    pub(super) fn expire(&mut self, now: Nanos, slot: u32, expiry: Expiry, events: &mut Events) {
        self.take_out(slot);
        let market = self.ledger.orders.get(slot).market;
        let terms = self.markets[market.index()].terms;
        self.ledger.end(now, &terms, slot, Status::Expired, Some(Execution::Expired(expiry)), events);
    }

    /// Takes an open order out of the book or from among the waiting ones.
    pub(super) fn take_out(&mut self, slot: u32) {
        let order = self.ledger.orders.get(slot);
        let market = &mut self.markets[order.market.index()];
        match (order.handle, order.kind.price()) {
            (Some(handle), Some(price)) => {
                market.matcher.remove(handle);
                market.changed.push((book_side(order.side), price));
            }
            _ => market.stops.remove(order),
        }
    }
}

/// Where an order comes from that no client sent.
#[derive(Clone, Copy, Default)]
pub(super) struct Origin {
    pub(super) parent: Option<OrderId>,
    pub(super) is_liquidation: bool,
}

/// An order as far as it matters for what it can reach.
pub(super) struct Reach {
    pub(super) account: AccountId,
    pub(super) market: InstrumentId,
    pub(super) side: Side,
    pub(super) worst: Price,
    pub(super) self_trade: SelfTrade,
    pub(super) size: Size,
}

impl Order {
    fn reach(&self) -> Reach {
        Reach {
            account: self.account,
            market: self.market,
            side: self.side,
            worst: self.kind.worst_price(self.side),
            self_trade: self.self_trade,
            size: Size::Base(self.remaining()),
        }
    }
}

impl Kind {
    /// The worst price that an order of this kind and side trades at.
    pub(super) fn worst_price(self, side: Side) -> Price {
        self.price().unwrap_or(match side {
            Side::Buy => Price(i64::MAX),
            Side::Sell => Price(-i64::MAX),
        })
    }
}

/// Whether an order of `side` that trades at `worst` or better trades at `price`.
fn accepts(side: Side, price: Price, worst: Price) -> bool {
    if side == Side::Buy { price <= worst } else { price >= worst }
}

/// The side of the book that orders of a side rest on.
pub(super) fn book_side(side: Side) -> BookSide {
    if side == Side::Buy { BookSide::Bid } else { BookSide::Ask }
}

fn closable(ledger: &Ledger, order: &Order) -> Qty {
    let held = ledger.accounts[order.account.index()].markets[order.market.index()].position.qty;
    Qty(order.side.opposite().signed(held).0.max(0))
}

/// One order that takes, with what it changes.
struct Taking<'a> {
    now: Nanos,
    terms: Terms,
    lot: Qty,
    ledger: &'a mut Ledger,
    tape: &'a mut Tape,
    changed: &'a mut Vec<(BookSide, Price)>,
    prevented_id: &'a mut u64,
    events: &'a mut Vec<Event>,
    slot: u32,
    id: OrderId,
    /// What is left of an order for a quote amount.
    budget: Option<Amount>,
    /// Whether a reduce-only order has closed all there was.
    is_reduced: bool,
}

impl Taking<'_> {
    fn meet(&mut self, resting: Resting) -> Meet {
        let taker = match self.ledger.orders.by_id(self.id) {
            Some(taker) if taker.status.is_open() => taker,
            _ => return Meet::Stop,
        };
        let maker = self.ledger.orders.get(resting.tag);
        let (self_trade, side) = (taker.self_trade, taker.side);
        if taker.account == maker.account && self_trade != SelfTrade::Allow {
            return self.prevent(self_trade, side, resting);
        }
        let mut qty = resting.qty;
        match self.budget {
            None => qty = qty.min(taker.remaining()),
            Some(budget) => qty = qty.min(self.terms.lots_within(budget, resting.price, self.lot)),
        }
        if taker.reduce_only {
            qty = qty.min(closable(self.ledger, taker));
            self.is_reduced = qty.0 == 0;
        }
        if qty.0 == 0 {
            return Meet::Stop;
        }
        let maker_side = book_side(side.opposite());
        if self.changed.last() != Some(&(maker_side, resting.price)) {
            self.changed.push((maker_side, resting.price));
        }
        if maker.reduce_only {
            qty = qty.min(closable(self.ledger, maker));
            if qty.0 == 0 {
                let expired = Some(Execution::Expired(Expiry::ReduceOnly));
                self.ledger.end(self.now, &self.terms, resting.tag, Status::Expired, expired, self.events);
                return Meet::Remove;
            }
        }
        let mut is_last = false;
        if let Some(budget) = &mut self.budget {
            *budget -= self.terms.value(resting.price, qty);
            is_last = self.terms.lots_within(*budget, resting.price, self.lot).0 == 0;
        }
        let level = Level { price: resting.price, qty };
        let met = Met { taker: self.slot, maker: resting.tag, level, is_last };
        self.ledger.trade(self.now, &self.terms, self.tape, met, self.events);
        Meet::Trade(qty)
    }

    /// Two orders of one account met, and must not trade.
    fn prevent(&mut self, mode: SelfTrade, side: Side, resting: Resting) -> Meet {
        *self.prevented_id += 1;
        let match_id = *self.prevented_id;
        let ends_maker = matches!(mode, SelfTrade::ExpireMaker | SelfTrade::ExpireBoth);
        let ends_taker = matches!(mode, SelfTrade::ExpireTaker | SelfTrade::ExpireBoth);
        let (taker, maker) = (self.slot, resting.tag);
        let ids = [taker, maker].map(|slot| self.ledger.orders.get(slot).id);
        let ended = [(taker, ids[1], ends_taker), (maker, ids[0], ends_maker)];
        for (slot, counter, _) in ended.into_iter().filter(|(.., ends)| *ends) {
            let (price, qty) = (resting.price, self.ledger.orders.get(slot).remaining());
            let order = *self.ledger.orders.get(slot);
            if order.handle.is_some() {
                self.ledger.count_resting(&self.terms, &order, qty, -1);
            }
            self.ledger.orders.at(slot).prevented.0 += qty.0;
            let prevented = Some(Execution::Prevented { match_id, counter, price, qty });
            self.ledger.end(self.now, &self.terms, slot, Status::ExpiredInMatch, prevented, self.events);
        }
        if !ends_maker {
            return Meet::Stop;
        }
        self.changed.push((book_side(side.opposite()), resting.price));
        Meet::Remove
    }
}
