//! The order manager: compares what strategies want with what is open, and moves the one towards the other.
//! An order leaves in one place only: approved by the gate, then journalled, then sent.

use crate::latency::Latency;
use crate::paper::{Answer, PaperExchange};
use engine::ids::{AccountId, Cause, InstrumentId};
use engine::instrument::{Instrument, InstrumentTable};
use engine::journal::schema::{GateRefusal, OrderBody, RecordKind};
use engine::message::{Body, Execution, Head, Kind, Message, Target, words_of};
use engine::num::{Level, Qty, Side};
use engine::order::{BadTransition, Order, OrderEvent, OrderState, Tif};
use engine::position::Position;
use engine::risk::{Approved, Exposure, Market, RiskLimits, RiskRule, approve};
use engine::runner::{Control, StopReason};
use engine::stage::Sink;
use engine::stage_log::StageLog;
use engine::time::Stamp;
use std::sync::Arc;

/// What became of orders.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OrderCounts {
    /// Approved, journalled and sent.
    pub placed: u64,
    /// Ended by a cancel.
    pub canceled: u64,
    /// Wholly filled.
    pub filled: u64,
    /// Refused by the gate, by [`RiskRule`].
    pub refused: [u64; RiskRule::ALL.len() + 1],
    /// Refused by the exchange.
    pub rejected: u64,
    /// Answers that no order could have.
    pub bad_answers: u64,
}

/// Orders, positions and targets of one strategy, by instrument.
pub struct OrderManager {
    slots: Vec<Slot>,
    limits: RiskLimits,
    exchange: PaperExchange,
    log: StageLog,
    latency: Latency,
    control: Arc<Control>,
    next_seq: u64,
    counts: OrderCounts,
}

/// One instrument.
struct Slot {
    instrument: Instrument,
    market: Market,
    position: Position,
    target: Target,
    /// The open order of each side.
    open: [Option<Order>; 2],
    /// What gate or exchange refused last, by side: not tried again until the target is another.
    refused: [Option<Level>; 2],
}

/// Orders that one input can move on at most before the rest waits for the next input.
const ROUNDS_MAX: u32 = 8;

impl OrderManager {
    /// A manager with nothing open.
    pub fn new(
        instruments: &InstrumentTable,
        limits: RiskLimits,
        log: StageLog,
        latency: Latency,
        control: Arc<Control>,
    ) -> Self {
        let slot = |instrument: &Instrument| Slot {
            instrument: instrument.clone(),
            market: Market::default(),
            position: Position::default(),
            target: Target::default(),
            open: [None; 2],
            refused: [None; 2],
        };
        let exchange = PaperExchange::new(instruments.len(), 2 * instruments.len());
        let slots = instruments.iter().map(slot).collect();
        Self { slots, limits, exchange, log, latency, control, next_seq: 1, counts: OrderCounts::default() }
    }

    /// The journal lane has room for all that one input can cause.
    #[inline]
    pub fn has_room(&self) -> bool {
        self.log.has_room()
    }

    /// The market's last state, for the gate and the exchange.
    #[inline]
    pub fn on_market<S: Sink>(&mut self, head: &Head, market: Market, out: &mut S) {
        let Some(slot) = self.slots.get_mut(head.instrument.index()) else { return };
        slot.market = market;
        let touch = (market.state == 0).then_some((market.bid, market.ask));
        self.exchange.on_touch(head.instrument, touch);
        self.on_answers(head, out);
    }

    /// A trade was printed.
    #[inline]
    pub fn on_trade<S: Sink>(&mut self, head: &Head, trade: &engine::message::Trade, out: &mut S) {
        self.exchange.on_trade(head.instrument, trade);
        self.on_answers(head, out);
    }

    /// A strategy wants other quotes.
    pub fn on_target<S: Sink>(&mut self, head: &Head, target: &Target, out: &mut S) {
        let Some(slot) = self.slots.get_mut(head.instrument.index()) else { return };
        slot.target = *target;
        for (refused, wanted) in slot.refused.iter_mut().zip([target.bid, target.ask]) {
            if *refused != Some(wanted) {
                *refused = None;
            }
        }
        if head.received.0 != 0 {
            self.latency.target(head);
        }
        self.pursue(head, out);
    }

    /// Moves what is open towards the target, as far as answers allow.
    fn pursue<S: Sink>(&mut self, head: &Head, out: &mut S) {
        let entered = if head.received.0 == 0 { Stamp::default() } else { self.latency.now() };
        for _ in 0..ROUNDS_MAX {
            let mut moved = false;
            for side in Side::BOTH {
                moved |= self.pursue_side(head, side, entered, out);
            }
            self.on_answers(head, out);
            if !moved {
                return;
            }
        }
    }

    /// One step on one side. True when something was sent.
    fn pursue_side<S: Sink>(&mut self, head: &Head, side: Side, entered: Stamp, out: &mut S) -> bool {
        let Some(slot) = self.slots.get_mut(head.instrument.index()) else { return false };
        let wanted = match side {
            Side::Buy => slot.target.bid,
            Side::Sell => slot.target.ask,
        };
        match slot.open[side as usize] {
            Some(order) if order.level == wanted && wanted.qty.0 > 0 => false,
            Some(order) if order.state == OrderState::PendingCancel || order.state == OrderState::Unknown => {
                false
            }
            Some(order) => self.cancel(head, order),
            None if wanted.qty.0 <= 0 || slot.refused[side as usize] == Some(wanted) => false,
            None => self.place(head, side, wanted, entered, out),
        }
    }

    fn place<S: Sink>(
        &mut self,
        head: &Head,
        side: Side,
        wanted: Level,
        entered: Stamp,
        out: &mut S,
    ) -> bool {
        let Some(slot) = self.slots.get_mut(head.instrument.index()) else { return false };
        let order = Order {
            seq: self.next_seq,
            instrument: head.instrument,
            strategy: head.strategy,
            account: AccountId(0),
            side,
            level: wanted,
            amend: Level::default(),
            tif: Tif::PostOnly,
            filled: Qty(0),
            state: OrderState::PendingCreate,
        };
        let exposure = slot.exposure();
        match approve(&self.limits, order, &slot.instrument, &slot.market, &exposure, head.recv_ns) {
            Ok(approved) => self.send(head, &approved, entered),
            Err(refusal) => {
                slot.refused[side as usize] = Some(wanted);
                self.counts.refused[refusal.rule as usize] += 1;
                self.log.record(RecordKind::GateRefused, head, &GateRefusal::new(&order, &refusal));
                self.tell(
                    head,
                    &Order { state: OrderState::Rejected, ..order },
                    Level::default(),
                    refusal.rule as u8,
                    out,
                );
                false
            }
        }
    }

    /// The only place that an order leaves by. False: it could not be journalled, and did not leave.
    fn send(&mut self, head: &Head, approved: &Approved, entered: Stamp) -> bool {
        let order = *approved.order();
        if self.log.record(RecordKind::Order, head, &body_of(&order)).is_none() {
            return false;
        }
        self.next_seq += 1;
        self.counts.placed += 1;
        if let Some(slot) = self.slots.get_mut(head.instrument.index()) {
            slot.open[order.side as usize] = Some(order);
        }
        self.exchange.place(approved);
        if head.received.0 != 0 {
            self.latency.order(head, entered);
        }
        true
    }

    fn cancel(&mut self, head: &Head, order: Order) -> bool {
        let Some(slot) = self.slots.get_mut(order.instrument.index()) else { return false };
        let Some(open) = &mut slot.open[order.side as usize] else { return false };
        if open.apply(OrderEvent::CancelSent).is_err() {
            return false;
        }
        // A cancel goes out even when it cannot be journalled: it only ever takes risk away.
        self.log.record(RecordKind::Cancel, head, &body_of(&order));
        self.exchange.cancel(order.seq);
        true
    }

    /// Takes the exchange's answers. `head` is the input during which they came.
    fn on_answers<S: Sink>(&mut self, head: &Head, out: &mut S) {
        while let Some(answer) = self.exchange.next_answer() {
            self.on_answer(head, answer, out);
        }
    }

    fn on_answer<S: Sink>(&mut self, head: &Head, answer: Answer, out: &mut S) {
        let (seq, event, fill) = match answer {
            Answer::Accepted { seq } => (seq, OrderEvent::Accepted, Level::default()),
            Answer::Rejected { seq } => (seq, OrderEvent::Rejected, Level::default()),
            Answer::Canceled { seq } => (seq, OrderEvent::Canceled, Level::default()),
            Answer::CancelRefused { seq } => (seq, OrderEvent::CancelRefused, Level::default()),
            Answer::Filled { seq, fill } => (seq, OrderEvent::Filled(fill.qty), fill),
        };
        let found =
            self.slots.iter_mut().flat_map(|slot| slot.open.iter_mut()).flatten().find(|o| o.seq == seq);
        let Some(order) = found else {
            self.counts.bad_answers += 1;
            return;
        };
        if let Err(BadTransition { .. }) = order.apply(event) {
            self.counts.bad_answers += 1;
            return;
        }
        let order = *order;
        let Some(slot) = self.slots.get_mut(order.instrument.index()) else { return };
        if fill.qty.0 > 0 && slot.position.fill(&slot.instrument, order.side, fill.price, fill.qty).is_err() {
            // The position is not known any more: nothing may be traded on it.
            self.control.stop(StopReason::PositionUnknown);
        }
        if order.state.is_final() {
            slot.open[order.side as usize] = None;
        }
        match order.state {
            OrderState::Filled => self.counts.filled += 1,
            OrderState::Canceled => self.counts.canceled += 1,
            OrderState::Rejected => {
                self.counts.rejected += 1;
                slot.refused[order.side as usize] = Some(order.level);
            }
            _ => {}
        }
        self.tell(head, &order, fill, 0, out);
    }

    /// Journals what became of an order and tells the strategy.
    fn tell<S: Sink>(&mut self, head: &Head, order: &Order, fill: Level, rule: u8, out: &mut S) {
        let Some(slot) = self.slots.get(order.instrument.index()) else { return };
        let execution = Execution {
            order_seq: order.seq,
            order: order.level,
            filled: order.filled,
            fill,
            side: order.side as u8,
            state: order.state as u8,
            rule,
            position: slot.position.qty,
            cash: words_of(slot.position.cash),
            pnl: words_of(slot.pnl().unwrap_or(0)),
            strategy: order.strategy,
            ..Execution::default()
        };
        let mut head =
            Head { instrument: order.instrument, strategy: order.strategy, ..head.derive(Kind::Execution) };
        if rule == 0 {
            let kind = if fill.qty.0 > 0 { RecordKind::Fill } else { RecordKind::OrderUpdate };
            head.cause = self.log.record(kind, &head, &execution).unwrap_or(Cause::NONE);
        }
        if !out.send(Message { head: &head, body: execution.cells() }) {
            self.control.stop(StopReason::RingFull);
        }
    }

    /// Ends everything that is open. True: nothing is open any more.
    pub fn cancel_all(&mut self, head: &Head) -> bool {
        for index in 0..self.slots.len() {
            for side in [0, 1] {
                if let Some(order) = self.slots.get(index).and_then(|slot| slot.open[side]) {
                    let head = Head { instrument: order.instrument, ..*head };
                    self.cancel(&head, order);
                }
            }
        }
        self.on_answers(head, &mut engine::stage::Nowhere);
        self.slots.iter().all(|slot| slot.open == [None; 2])
    }

    /// The latency of frames.
    #[inline]
    pub fn latency_mut(&mut self) -> &mut Latency {
        &mut self.latency
    }

    /// The journal lane.
    #[inline]
    pub fn log_mut(&mut self) -> &mut StageLog {
        &mut self.log
    }

    /// Counts, latency, and positions with their profit at the last mid, by instrument.
    #[must_use]
    pub fn report(&self) -> GatewayReport {
        let position = |slot: &Slot| PositionReport {
            instrument: slot.instrument.id,
            position: slot.position,
            pnl: slot.pnl(),
            open_orders: slot.open.iter().flatten().count(),
        };
        GatewayReport {
            orders: self.counts,
            positions: self.slots.iter().map(position).collect(),
            latency: self.latency.clone(),
        }
    }
}

impl Slot {
    fn exposure(&self) -> Exposure {
        let remaining = |side: Side| self.open[side as usize].map_or(Qty(0), |order| order.remaining());
        Exposure {
            position: self.position.qty,
            open_buys: remaining(Side::Buy),
            open_sells: remaining(Side::Sell),
            open_orders: u32::from(self.open[0].is_some()) + u32::from(self.open[1].is_some()),
        }
    }

    /// Profit at the mid of the last known touch; the cash alone while flat. None: no touch, or overflow.
    fn pnl(&self) -> Option<i128> {
        if self.position.qty.0 == 0 {
            return Some(self.position.cash);
        }
        let (bid, ask) = (self.market.bid, self.market.ask);
        if bid.qty.0 <= 0 || ask.qty.0 <= 0 {
            return None;
        }
        self.position.pnl_at_mid_floor(&self.instrument, bid.price, ask.price).ok()
    }
}

/// What the gateway did, sent when the stage ends.
#[derive(Clone)]
pub struct GatewayReport {
    /// What became of orders.
    pub orders: OrderCounts,
    /// By instrument.
    pub positions: Vec<PositionReport>,
    /// By hop.
    pub latency: Latency,
}

/// One instrument's position at the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PositionReport {
    /// The instrument.
    pub instrument: InstrumentId,
    /// What is held, and what it cost.
    pub position: Position,
    /// Profit at the last mid, in units of the instrument's amount exponent. None: there is no touch to value it at.
    pub pnl: Option<i128>,
    /// Orders still open.
    pub open_orders: usize,
}

fn body_of(order: &Order) -> OrderBody {
    OrderBody {
        order_seq: order.seq,
        price: order.level.price,
        qty: order.level.qty,
        side: order.side as u8,
        time_in_force: order.tif as u8,
        strategy: order.strategy.0,
        account: order.account.0,
        reserved: 0,
    }
}
