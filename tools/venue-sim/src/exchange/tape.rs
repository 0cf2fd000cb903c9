//! What traded on a market: ids, the last price, and the trades that are remembered.

use super::event::{AggTrade, Event, Trade};
use super::mean_price::MeanPrice;
use super::order::OrderId;
use engine::ids::InstrumentId;
use engine::num::{Price, Qty, Side};
use engine::time::Nanos;
use std::collections::VecDeque;

/// The tape of one market.
pub(super) struct Tape {
    market: InstrumentId,
    kept: usize,
    trade_id: u64,
    agg_id: u64,
    /// What the order that takes has traded at its last price.
    taking: Option<AggTrade>,
    pub(super) last_price: Option<Price>,
    pub(super) mean: MeanPrice,
    pub(super) trades: VecDeque<Trade>,
    pub(super) agg_trades: VecDeque<AggTrade>,
}

impl Tape {
    /// Remembers `kept` trades; the mean price is over `minutes`.
    pub(super) fn new(market: InstrumentId, kept: usize, minutes: u32) -> Self {
        Self {
            market,
            kept,
            trade_id: 0,
            agg_id: 0,
            taking: None,
            last_price: None,
            mean: MeanPrice::new(minutes),
            trades: VecDeque::new(),
            agg_trades: VecDeque::new(),
        }
    }

    /// Prints a trade and returns its id.
    pub(super) fn trade(
        &mut self,
        time: Nanos,
        price: Price,
        qty: Qty,
        aggressor: Side,
        [taker, maker]: [OrderId; 2],
        events: &mut Vec<Event>,
    ) -> u64 {
        self.trade_id += 1;
        let (id, market) = (self.trade_id, self.market);
        let (buyer, seller) = if aggressor == Side::Buy { (taker, maker) } else { (maker, taker) };
        let trade = Trade { market, time, id, price, qty, aggressor, buyer, seller };
        events.push(Event::Trade(trade));
        remember(&mut self.trades, trade, self.kept);
        self.last_price = Some(price);
        self.mean.trade(time, price, qty);
        match &mut self.taking {
            Some(agg) if agg.price == price => {
                agg.qty.0 += qty.0;
                agg.last_trade = id;
            }
            _ => {
                self.end_aggregate(events);
                self.agg_id += 1;
                let (first_trade, last_trade) = (id, id);
                let id = self.agg_id;
                self.taking =
                    Some(AggTrade { market, time, id, price, qty, first_trade, last_trade, aggressor });
            }
        }
        id
    }

    /// The order that took has traded what it could.
    pub(super) fn end_aggregate(&mut self, events: &mut Vec<Event>) {
        if let Some(agg) = self.taking.take() {
            events.push(Event::AggTrade(agg));
            remember(&mut self.agg_trades, agg, self.kept);
        }
    }
}

/// Appends to a memory of `kept` items.
pub(super) fn remember<T>(memory: &mut VecDeque<T>, item: T, kept: usize) {
    if kept == 0 {
        return;
    }
    if memory.len() >= kept {
        memory.pop_front();
    }
    memory.push_back(item);
}
