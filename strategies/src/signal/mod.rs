//! The signal stage: passes the market on and adds what strategies subscribed to, computed incrementally.
//!
//! ```text
//! names ──▶ Feature ──▶ Subscriptions ──▶ Signals ── one an instrument: machines, slots, values
//!                       slots at start      │
//!                                           ▼
//!              Features { touch_age, changed, defined } + values ──▶ FeatureMirror of the strategy
//! ```
//! A `Features` message follows every `BookChanged`, every timer (for each instrument whose touch was ever
//! confirmed), and a trade that made a subscribed feature another. It holds the slots that changed; a slot without
//! a value says so, and is never a zero.

mod feature;
mod machines;
mod mirror;
mod state;
mod subscription;

pub use feature::{Column, FEATURES, Feature, VpinBuckets};
pub use mirror::FeatureMirror;
pub use state::{Reading, SignalCounts, Signals};
pub use subscription::{FRAMES_MAX, SubscribeError, Subscriptions, WINDOW_TRADES_MAX};

use crate::candles::{Candle, TimeFrame};
use engine::counters::{Counter, Counters, CountersError, Desc, Unit};
use engine::ids::InstrumentId;
use engine::instrument::InstrumentTable;
use engine::message::{Body, BookChanged, Cell, ClosedCandle, Features, Head, Kind, Message, Trade};
use engine::stage::{Sink, Stage};
use engine::time::Nanos;
use std::sync::mpsc::SyncSender;

/// The set that `--signals` writes: names without the bucketed ones, which need a volume that fits the instrument.
pub const DEFAULT_FEATURES: [&str; 10] = [
    "spread",
    "mid",
    "micro_price",
    "imbalance(1)",
    "imbalance(5)",
    "imbalance(10)",
    "taker_buy(10s)",
    "taker_sell(10s)",
    "trade_flow_imbalance(10s)",
    "realised_vol(60s)",
];

/// Cells that one trade can lead to behind this stage, its own message apart: a closed candle of every time frame,
/// and the features.
pub const TRADE_CELLS_MAX: usize = FRAMES_MAX * 3 + FEATURE_CELLS_MAX;
/// Cells of one instrument's features, the head included.
pub const FEATURE_CELLS_MAX: usize = 1 + Features::CELLS_MAX;

/// Sees the signals of one instrument as they run: the rows of `--signals` and `--candles`.
pub trait SignalTap: Send {
    /// The line of `head` was taken to its end; `signals` are those after it, at its time. Lines of all
    /// connections, where the feed was told to mark them.
    fn line(&mut self, head: &Head, signals: &Signals);
    /// A candle closed.
    fn closed(&mut self, frame: TimeFrame, candle: &Candle);
    /// The stream ended while this candle formed.
    fn forming(&mut self, frame: TimeFrame, candle: &Candle);
}

/// The third stage.
pub struct SignalStage {
    instruments: Vec<Slot>,
    tap: Option<(InstrumentId, Box<dyn SignalTap>)>,
    /// Where a message's body is put together.
    cells: Box<[Cell; Features::CELLS_MAX]>,
    counters: Option<SignalCounters>,
    done: SyncSender<SignalCounts>,
}

/// One instrument.
struct Slot {
    /// Time of the last input that confirmed its touch; zero: none yet.
    confirmed: Nanos,
    /// None: nothing is subscribed to.
    signals: Option<Box<Signals>>,
}

impl SignalStage {
    /// A stage for these instruments. What it counted goes to `done` when it is dropped.
    #[must_use]
    pub fn new(
        instruments: &InstrumentTable,
        subscriptions: &Subscriptions,
        done: SyncSender<SignalCounts>,
    ) -> Self {
        let slot = |instrument: &engine::instrument::Instrument| {
            let wanted = subscriptions.of(instrument.id);
            let signals =
                wanted.map(|wanted| Box::new(Signals::new(instrument, wanted, subscriptions.trades_max())));
            Slot { confirmed: Nanos::default(), signals }
        };
        Self {
            instruments: instruments.iter().map(slot).collect(),
            tap: None,
            cells: Box::new([Cell::default(); Features::CELLS_MAX]),
            counters: None,
            done,
        }
    }

    /// Lets `tap` see the signals of `instrument`.
    pub fn tap(&mut self, instrument: InstrumentId, tap: Box<dyn SignalTap>) {
        self.tap = Some((instrument, tap));
    }

    /// Publishes the stage's numbers. Err: the counters are full, or have them already.
    pub fn counting(mut self, counters: &mut Counters) -> Result<Self, CountersError> {
        self.counters = Some(SignalCounters::register(counters)?);
        Ok(self)
    }

    fn counts(&self) -> SignalCounts {
        let each = self.instruments.iter().filter_map(|slot| slot.signals.as_ref());
        each.fold(SignalCounts::default(), |sum, signals| sum.plus(signals.counts()))
    }
}

impl Stage for SignalStage {
    const NAME: &'static str = "signal";

    #[inline]
    fn on_message<S: Sink>(&mut self, message: Message<'_>, out: &mut S) {
        let head = message.head;
        match head.kind() {
            Some(Kind::BookChanged) => {
                out.send(message);
                let Some(slot) = self.instruments.get_mut(head.instrument.index()) else { return };
                slot.confirmed = head.recv_ns;
                if let (Some(signals), Some(changed)) = (&mut slot.signals, message.body_as::<BookChanged>())
                {
                    signals.book_changed(head.recv_ns, message, changed);
                }
                slot.tell(head, Nanos::default(), &mut self.cells, out);
            }
            Some(Kind::Trade) => {
                out.send(message);
                self.trade(message, out);
            }
            Some(Kind::Timer) => {
                out.send(message);
                for (instrument, slot) in (0_u32..).zip(&mut self.instruments) {
                    slot.time_passed(InstrumentId(instrument), head, &mut self.cells, out);
                }
            }
            Some(Kind::Mark) => self.line(head),
            Some(Kind::End) => {
                self.end();
                out.send(message);
            }
            _ => {
                out.send(message);
            }
        }
    }
}

impl SignalStage {
    fn trade<S: Sink>(&mut self, message: Message<'_>, out: &mut S) {
        let Self { instruments, tap, cells, counters, .. } = self;
        let head = message.head;
        let Some(slot) = instruments.get_mut(head.instrument.index()) else { return };
        let (Some(signals), Some(trade)) = (&mut slot.signals, message.body_as::<Trade>()) else { return };
        let before = signals.counts();
        signals.trade(head.recv_ns, trade, |frame, sent, candle| {
            if let Some((_, tap)) = tap.as_mut().filter(|(of, _)| *of == head.instrument) {
                tap.closed(frame, candle);
            }
            if sent {
                let body = ClosedCandle::new(candle, frame.length());
                out.send(Message { head: &head.derive(Kind::Candle), body: body.cells() });
            }
        });
        if let (Some(counters), true) = (counters, signals.counts() != before) {
            counters.add(before, signals.counts());
        }
        signals.refresh();
        // Before the touch was ever confirmed it has no age to tell.
        if signals.has_news() && slot.confirmed.0 > 0 {
            let age = head.recv_ns.since(slot.confirmed);
            slot.tell(head, age, cells, out);
        }
    }

    #[cold]
    fn line(&mut self, head: &Head) {
        let Some((instrument, tap)) = &mut self.tap else { return };
        let slot = self.instruments.get_mut(instrument.index());
        if let Some(signals) = slot.and_then(|slot| slot.signals.as_mut()) {
            signals.advance(head.recv_ns);
            tap.line(head, signals);
        }
    }

    #[cold]
    fn end(&mut self) {
        let Some((instrument, tap)) = &mut self.tap else { return };
        let slot = self.instruments.get_mut(instrument.index());
        if let Some(signals) = slot.and_then(|slot| slot.signals.as_mut()) {
            signals.finish_candles(|frame, candle| tap.forming(frame, candle));
        }
    }
}

impl Slot {
    /// Sends the features that changed, with the age of the touch.
    #[inline]
    fn tell<S: Sink>(
        &mut self,
        head: &Head,
        age: Nanos,
        cells: &mut [Cell; Features::CELLS_MAX],
        out: &mut S,
    ) {
        let head = head.derive(Kind::Features);
        let Some(signals) = &mut self.signals else {
            let features = Features { touch_age: age, ..Features::default() };
            out.send(Message { head: &head, body: features.cells() });
            return;
        };
        signals.refresh();
        let (features, values) = signals.features(age);
        let body = mirror::encode(&features, values, cells);
        // What a full ring refused is said again with the next message.
        if out.send(Message { head: &head, body }) {
            signals.told();
        }
    }

    /// Time passed without a frame: the touch is that much older, and windows move on.
    fn time_passed<S: Sink>(
        &mut self,
        instrument: InstrumentId,
        head: &Head,
        cells: &mut [Cell; Features::CELLS_MAX],
        out: &mut S,
    ) {
        if let Some(signals) = &mut self.signals {
            signals.advance(head.recv_ns);
        }
        if self.confirmed.0 > 0 {
            let age = head.recv_ns.since(self.confirmed);
            self.tell(&Head { instrument, ..*head }, age, cells, out);
        }
    }
}

impl Drop for SignalStage {
    fn drop(&mut self) {
        // The receiver is gone only when nobody wants the report.
        let _ = self.done.send(self.counts());
    }
}

/// The stage's numbers in the counters file.
struct SignalCounters {
    late_trades: Counter,
    refused_trades: Counter,
    window_overflows: Counter,
    sum: SignalCounts,
}

impl SignalCounters {
    fn register(counters: &mut Counters) -> Result<Self, CountersError> {
        let mut register = |name, help| counters.register("signal", &Desc::counter(name, Unit::Count, help));
        Ok(Self {
            late_trades: register("late_trades", "Trades older than the last closed candle of a time frame")?,
            refused_trades: register("refused_trades", "Trades that no signal can use")?,
            window_overflows: register("window_overflows", "Trades that a full window dropped early")?,
            sum: SignalCounts::default(),
        })
    }

    /// One instrument's numbers went from `before` to `after`.
    #[cold]
    fn add(&mut self, before: SignalCounts, after: SignalCounts) {
        self.sum.late_trades += after.late_trades - before.late_trades;
        self.sum.refused_trades += after.refused_trades - before.refused_trades;
        self.sum.window_overflows += after.window_overflows - before.window_overflows;
        self.late_trades.set(self.sum.late_trades);
        self.refused_trades.set(self.sum.refused_trades);
        self.window_overflows.set(self.sum.window_overflows);
    }
}

#[cfg(test)]
mod tests;
