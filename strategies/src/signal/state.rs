//! The signals of one instrument: the machines that its subscribed features need, fed event by event, and the
//! values of its slots. Machines are shared (three features of one window are one window), a slot is looked at
//! again only after its machine changed, and all memory is taken at start.
//!
//! Work of one event: the changed slots of the top (20 at most); each machine once; the trades that leave a window,
//! each of them once in its life; at most 64 slots.

use super::feature::{Column, Feature, VpinBuckets};
use super::machines::{BookMachines, Machine, Machines};
use super::subscription::Subscription;
use crate::candles::{Aggregator, Candle, Gaps, TimeFrame};
use crate::indicators::micro::{
    InstantVolatility, Level, OrderFlow, Print, QueueImbalance, Ratio, RealisedVolatility, RollSpread,
    SpreadStatistics, TopImbalance, Touch, TradeFlow, Vpin, decayed_imbalance, micro_price,
};
use crate::indicators::{Bar, Field, Request, Study, Value};
use engine::instrument::Instrument;
use engine::message::{BookChanged, Features, Message, Trade};
use engine::num::Side;
use engine::time::Nanos;

/// The signals of one instrument.
pub struct Signals {
    instrument: Instrument,
    now: Nanos,
    /// What each slot shows.
    sources: Box<[Source]>,
    /// Slots that are sent to strategies.
    sent: u64,
    book: BookMachines,
    trades: TradeMachines,
    /// Slots whose machine changed since they were looked at.
    dirty: u64,
    /// Slots that became another since a message last said so.
    changed: u64,
    defined: u64,
    values: [f64; Features::SLOTS_MAX],
    counts: SignalCounts,
}

/// What did not go as wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SignalCounts {
    /// Trades older than the last closed candle of a time frame, once a time frame; it took nothing of them.
    pub late_trades: u64,
    /// Trades without a positive price and quantity, a believable time, or a value that can be computed.
    pub refused_trades: u64,
    /// Trades that a full window dropped early; it had no value until it was over.
    pub window_overflows: u64,
}

impl SignalCounts {
    /// Adds those of another instrument.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            late_trades: self.late_trades + other.late_trades,
            refused_trades: self.refused_trades + other.refused_trades,
            window_overflows: self.window_overflows + other.window_overflows,
        }
    }
}

/// What a slot shows at one instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// A quotient of exact integers; sums and counts are over 1.
    Exact(Ratio),
    /// A statistic.
    Real(Value),
}

impl Reading {
    /// As a number; undefined where there is none.
    #[inline]
    #[must_use]
    pub fn value(self) -> Value {
        match self {
            Self::Exact(ratio) => ratio.value(),
            Self::Real(value) => value,
        }
    }
}

/// What a slot shows, by the places of its machines.
#[derive(Clone, Copy, Debug)]
pub(super) enum Source {
    Spread,
    Mid,
    MicroPrice,
    TouchSpread,
    TouchMid,
    TouchMicroPrice,
    Imbalance(usize),
    DecayedImbalance(f64),
    TakerBuy(usize),
    TakerSell(usize),
    TradeFlowImbalance(usize),
    Vpin(usize),
    VpinBuckets(usize),
    RealisedVol(usize),
    InstantVol(usize),
    OrderFlow(usize),
    QueueImbalance(usize),
    SpreadMean(usize),
    RollSpread(usize),
    Field(usize, Field),
    Study(usize, usize, usize),
}

/// What follows trades.
struct TradeMachines {
    flows: Machines<Nanos, TradeFlow>,
    vpins: Machines<(usize, i64), Vpin>,
    rolls: Machines<usize, (RollSpread, Value)>,
    frames: Machines<TimeFrame, Frame>,
    /// Single trades are there, so that aggregates of them are not taken.
    singles: bool,
    /// Id of the last trade in an aggregate that was taken.
    aggregated_id: u64,
}

/// One time frame.
struct Frame {
    aggregator: Aggregator,
    last: Option<Bar>,
    studies: Vec<(Request, Box<dyn Study>)>,
    /// Strategies are sent its candles.
    sent: bool,
}

impl Signals {
    /// The machines that `subscription` needs. Windows of time hold `window_trades_max` trades.
    pub(super) fn new(
        instrument: &Instrument,
        subscription: &Subscription,
        window_trades_max: usize,
    ) -> Self {
        let mut signals = Self {
            instrument: instrument.clone(),
            now: Nanos(0),
            sources: Box::default(),
            sent: subscription.sent,
            book: BookMachines::new(),
            trades: TradeMachines {
                flows: Machines::new(),
                vpins: Machines::new(),
                rolls: Machines::new(),
                frames: Machines::new(),
                singles: false,
                aggregated_id: 0,
            },
            dirty: u64::MAX,
            changed: 0,
            defined: 0,
            values: [0.0; Features::SLOTS_MAX],
            counts: SignalCounts::default(),
        };
        let features = subscription.features.iter().enumerate();
        signals.sources =
            features.map(|(slot, feature)| signals.source(slot, feature, window_trades_max)).collect();
        signals
    }

    fn source(&mut self, slot: usize, feature: &Feature, trades_max: usize) -> Source {
        let Self { book, trades, .. } = self;
        let mut flow = |window: Nanos| trades.flows.of(window, slot, || TradeFlow::new(window, trades_max));
        let mut vpin = |buckets: VpinBuckets| {
            // Checked when it was declared.
            let units = Feature::bucket_units(buckets, &self.instrument).unwrap_or(i64::MAX);
            trades.vpins.of((buckets.count, units), slot, || Vpin::new(units, buckets.count))
        };
        match feature {
            Feature::Spread => book.show_best(slot, Source::Spread),
            Feature::Mid => book.show_best(slot, Source::Mid),
            Feature::MicroPrice => book.show_best(slot, Source::MicroPrice),
            Feature::TouchSpread => book.show_touch(slot, Source::TouchSpread),
            Feature::TouchMid => book.show_touch(slot, Source::TouchMid),
            Feature::TouchMicroPrice => book.show_touch(slot, Source::TouchMicroPrice),
            Feature::Imbalance { levels } => {
                Source::Imbalance(book.depths.of(*levels, slot, || TopImbalance::new(*levels)))
            }
            Feature::DecayedImbalance { decay } => {
                book.decayed_uses |= 1 << slot;
                Source::DecayedImbalance(*decay)
            }
            Feature::TakerBuy { window } => Source::TakerBuy(flow(*window)),
            Feature::TakerSell { window } => Source::TakerSell(flow(*window)),
            Feature::TradeFlowImbalance { window } => Source::TradeFlowImbalance(flow(*window)),
            Feature::Vpin(buckets) => Source::Vpin(vpin(*buckets)),
            Feature::VpinBuckets(buckets) => Source::VpinBuckets(vpin(*buckets)),
            Feature::RealisedVol { returns } => {
                Source::RealisedVol(book.realised.of(*returns, slot, || RealisedVolatility::new(*returns)))
            }
            Feature::InstantVol { half_life } => {
                Source::InstantVol(book.instant.of(*half_life, slot, || InstantVolatility::new(*half_life)))
            }
            Feature::OrderFlow { window } => {
                Source::OrderFlow(book.order_flows.of(*window, slot, || OrderFlow::new(*window, FLOW_SLICES)))
            }
            Feature::QueueImbalance { half_life } => {
                Source::QueueImbalance(book.queues.of(*half_life, slot, || QueueImbalance::new(*half_life)))
            }
            Feature::SpreadMean { half_life } => {
                Source::SpreadMean(book.spreads.of(*half_life, slot, || SpreadStatistics::new(*half_life)))
            }
            Feature::RollSpread { trades: count } => {
                let make = || (RollSpread::new(*count), Value::UNDEFINED);
                Source::RollSpread(trades.rolls.of(*count, slot, make))
            }
            Feature::Candle { frame } => {
                let index = trades.frames.of(*frame, slot, || Frame::new(*frame));
                trades.frames.0[index].inner.sent |= self.sent >> slot & 1 == 1;
                Source::Field(index, Field::Close)
            }
            Feature::Column { frame, column } => {
                let index = trades.frames.of(*frame, slot, || Frame::new(*frame));
                match column {
                    Column::Field(field) => Source::Field(index, *field),
                    Column::Indicator(request) => {
                        Source::Study(index, trades.frames.0[index].inner.study(request), request.output())
                    }
                }
            }
        }
    }

    /// The book after a message at `at`.
    #[inline]
    pub(super) fn book_changed(&mut self, at: Nanos, message: Message<'_>, changed: &BookChanged) {
        self.dirty |= self.book.take(at.max(self.now), message, changed);
        self.advance(at);
    }

    /// A trade received at `at`; `closed` is handed each candle that it closes, with its time frame and whether
    /// strategies are sent it.
    #[inline]
    pub(super) fn trade(
        &mut self,
        at: Nanos,
        trade: &Trade,
        mut closed: impl FnMut(TimeFrame, bool, &Candle),
    ) {
        self.now = self.now.max(at);
        if self.admits(trade) {
            self.take_trade(trade, &mut closed);
        }
        self.advance(at);
    }

    /// Whether the trade counts: a positive one, and of the stream that counts.
    #[inline]
    fn admits(&mut self, trade: &Trade) -> bool {
        // Beyond 2^60 sums of a few would overflow; beyond 2^63 ns, the year 2262, so would the end of an interval.
        const MOST: i64 = 1 << 60;
        let fits = (1..MOST).contains(&trade.price.0) && (1..MOST).contains(&trade.qty.0);
        if !fits || trade.trade_ns.0 > i64::MAX.unsigned_abs() {
            self.counts.refused_trades += 1;
            return false;
        }
        if trade.aggregate == 1 {
            self.trades.aggregated_id = trade.last_id;
            return !self.trades.singles;
        }
        if !self.trades.singles {
            // What came before as part of an aggregate has been counted.
            if self.trades.aggregated_id > 0 && trade.last_id <= self.trades.aggregated_id {
                return false;
            }
            self.trades.singles = true;
        }
        true
    }

    fn take_trade(&mut self, trade: &Trade, closed: &mut impl FnMut(TimeFrame, bool, &Candle)) {
        let taker_buys = trade.taker_side() == Side::Buy;
        let print = Print { at: self.now, price: trade.price.0, quantity: trade.qty.0, taker_buys };
        for Machine { inner: flow, uses, .. } in &mut self.trades.flows.0 {
            let dropped = flow.dropped();
            flow.trade(&print);
            self.counts.window_overflows += flow.dropped() - dropped;
            self.dirty |= *uses;
        }
        for Machine { inner: vpin, uses, .. } in &mut self.trades.vpins.0 {
            let done = vpin.buckets_done();
            vpin.trade(&print);
            if vpin.buckets_done() != done {
                self.dirty |= *uses;
            }
        }
        for Machine { inner: (roll, value), uses, .. } in &mut self.trades.rolls.0 {
            *value = roll.trade(print.price);
            self.dirty |= *uses;
        }
        if self.trades.frames.0.is_empty() {
            return;
        }
        let Ok(notional) = self.instrument.notional(trade.price, trade.qty) else {
            self.counts.refused_trades += 1;
            return;
        };
        let one = crate::candles::Trade {
            venue_ns: trade.trade_ns,
            price: trade.price,
            quantity: trade.qty,
            notional,
            taker_buys,
            id: trade.first_id,
        };
        // An aggregate is as many trades as it has ids.
        let count = u32::try_from(trade.last_id.saturating_sub(trade.first_id).saturating_add(1));
        let one = Candle {
            trades: count.unwrap_or(u32::MAX),
            last_trade_id: trade.last_id,
            ..one.candle(trade.trade_ns, Nanos(0))
        };
        for Machine { parameters, inner: frame, uses } in &mut self.trades.frames.0 {
            let Frame { aggregator, last, studies, sent } = frame;
            let taken = aggregator.candle(&one, |candle| {
                let bar = Bar::of_candle(&candle, &self.instrument);
                for (_, study) in &mut *studies {
                    study.update(&bar);
                }
                *last = Some(bar);
                self.dirty |= *uses;
                closed(*parameters, *sent, &candle);
            });
            self.counts.late_trades += u64::from(taken.is_err());
        }
    }

    /// Time has come to `at`: what has left a window leaves, seconds that are due are sampled.
    #[inline]
    pub fn advance(&mut self, at: Nanos) {
        self.now = self.now.max(at);
        for Machine { inner: flow, uses, .. } in &mut self.trades.flows.0 {
            if flow.advance(self.now) {
                self.dirty |= *uses;
            }
        }
        self.dirty |= self.book.advance(self.now);
    }

    /// Looks again at what strategies are sent, as far as its machines changed.
    #[inline]
    pub(super) fn refresh(&mut self) {
        let mut dirty = std::mem::take(&mut self.dirty) & self.sent;
        while dirty != 0 {
            let slot = dirty.trailing_zeros() as usize;
            let bit = 1 << slot;
            dirty &= dirty - 1;
            match self.read(slot).value().get() {
                Some(now) => {
                    let Some(value) = self.values.get_mut(slot) else { continue };
                    if self.defined & bit == 0 || value.to_bits() != now.to_bits() {
                        *value = now;
                        self.defined |= bit;
                        self.changed |= bit;
                    }
                }
                None => {
                    self.changed |= self.defined & bit;
                    self.defined &= !bit;
                }
            }
        }
    }

    /// What a slot shows now.
    #[inline]
    #[must_use]
    pub fn read(&self, slot: usize) -> Reading {
        let Some(source) = self.sources.get(slot) else { return Reading::Real(Value::UNDEFINED) };
        let Self { book, trades, .. } = self;
        let exact = |ratio: Option<Ratio>| Reading::Exact(ratio.unwrap_or(NONE));
        let count = |numerator: i128| Ratio { numerator, denominator: 1 };
        let whole = |flow: usize| trades.flows.get(flow).filter(|flow| flow.is_whole());
        let real = |value: Option<Value>| Reading::Real(value.unwrap_or(Value::UNDEFINED));
        match *source {
            Source::Spread => exact(book.best().map(|best| count(best.spread().into()))),
            Source::Mid => exact(book.best().map(mid)),
            Source::MicroPrice => exact(book.best().map(micro_price)),
            Source::TouchSpread => exact(book.touch().map(|touch| count(touch.spread().into()))),
            Source::TouchMid => exact(book.touch().map(mid)),
            Source::TouchMicroPrice => exact(book.touch().map(micro_price)),
            Source::Imbalance(index) => {
                exact(book.depths.get(index).filter(|_| book.is_trusted()).map(TopImbalance::value))
            }
            Source::DecayedImbalance(decay) => {
                let [bids, asks] = &book.top;
                real(book.is_trusted().then(|| decayed_imbalance(bids, asks, decay)))
            }
            Source::TakerBuy(index) => exact(whole(index).map(|flow| count(flow.buys()))),
            Source::TakerSell(index) => exact(whole(index).map(|flow| count(flow.sells()))),
            Source::TradeFlowImbalance(index) => exact(whole(index).map(TradeFlow::imbalance)),
            Source::Vpin(index) => exact(trades.vpins.get(index).map(Vpin::value)),
            Source::VpinBuckets(index) => {
                exact(trades.vpins.get(index).map(|vpin| count(vpin.buckets_done().into())))
            }
            Source::RealisedVol(index) => real(book.realised.get(index).map(RealisedVolatility::value)),
            Source::InstantVol(index) => real(book.instant.get(index).map(InstantVolatility::value)),
            Source::OrderFlow(index) => exact(book.order_flows.get(index).map(|flow| count(flow.sum()))),
            Source::QueueImbalance(index) => real(book.queues.get(index).map(QueueImbalance::value)),
            Source::SpreadMean(index) => real(book.spreads.get(index).map(SpreadStatistics::recent_mean)),
            Source::RollSpread(index) => real(trades.rolls.get(index).map(|(_, value)| *value)),
            Source::Field(frame, field) => {
                let last = trades.frames.get(frame).and_then(|frame| frame.last.as_ref());
                real(last.map(|bar| Value::of(field.of(bar))))
            }
            Source::Study(frame, study, output) => {
                let study = trades.frames.get(frame).and_then(|frame| frame.studies.get(study));
                real(study.and_then(|(_, study)| study.values().get(output).copied()))
            }
        }
    }

    /// Best levels of the book that depth messages built, while it is synchronised; the quantity of an empty side
    /// is zero.
    #[must_use]
    pub fn best_levels(&self) -> Option<[Level; 2]> {
        let [[bid, ..], [ask, ..]] = self.book.top;
        self.book.is_trusted().then_some([bid, ask])
    }

    /// Hands out the candles that form, with their time frames: the end of the data.
    pub(super) fn finish_candles(&mut self, mut of: impl FnMut(TimeFrame, &Candle)) {
        for Machine { parameters, inner, .. } in &mut self.trades.frames.0 {
            if let Some(candle) = inner.aggregator.finish() {
                of(*parameters, &candle);
            }
        }
    }

    /// What did not go as wanted so far.
    #[must_use]
    pub const fn counts(&self) -> SignalCounts {
        self.counts
    }

    /// Whether a message would say something that the ones before have not.
    #[inline]
    pub(super) const fn has_news(&self) -> bool {
        self.changed != 0
    }

    /// The message to send, with the values it speaks of.
    #[inline]
    pub(super) fn features(&self, touch_age: Nanos) -> (Features, &[f64; Features::SLOTS_MAX]) {
        let Self { changed, defined, .. } = *self;
        (Features { touch_age, changed, defined, ..Features::default() }, &self.values)
    }

    /// The message was sent.
    #[inline]
    pub(super) fn told(&mut self) {
        self.changed = 0;
    }
}

impl Frame {
    fn new(frame: TimeFrame) -> Self {
        Self {
            aggregator: Aggregator::new(frame, Gaps::Absent),
            last: None,
            studies: Vec::new(),
            sent: false,
        }
    }

    /// The place of the indicator, made where there is none.
    fn study(&mut self, request: &Request) -> usize {
        let known = self.studies.iter().position(|(known, _)| known.shares_study_with(request));
        known.unwrap_or_else(|| {
            self.studies.push((request.clone(), request.build()));
            self.studies.len() - 1
        })
    }
}

#[inline]
fn mid(touch: &Touch) -> Ratio {
    Ratio { numerator: touch.mid_x2().into(), denominator: 2 }
}

const NONE: Ratio = Ratio { numerator: 0, denominator: 0 };

/// Slices that the window of an order-flow imbalance leaves in.
const FLOW_SLICES: usize = 10;
