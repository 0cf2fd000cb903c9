//! What a strategy is: it is handed events, sees a context of what it declared, and states the quotes it wants.
//! It never sends an order: the gateway compares what is wanted with what is open.

use crate::signal::FeatureMirror;
use crate::ticks::Ticks;
pub use engine::commands::ParamDesc;

use engine::counters::Counter;
use engine::ids::StrategyId;
use engine::instrument::Instrument;
use engine::message::{ClosedCandle, Execution, Head, QuoteReason, Quotes, Trade, book_state};
use engine::num::{Level, Qty};
use engine::time::Nanos;
use zerocopy::IntoBytes;

/// A strategy. Its answer depends on the sequence of events alone: it keeps no clock, allocates nothing after its
/// first event, and blocks on nothing.
pub trait Strategy: Send {
    /// Features that it wants to see of each of its instruments, by name (`micro_price`, `imbalance(5)`,
    /// `candle(1s)`; see [`Feature`](crate::signal::Feature)); their places in this list are what
    /// [`Context::feature`] is asked by. Called once, at start.
    fn features(&self) -> &'static [&'static str] {
        &[]
    }

    /// Takes events in their order. The context shows the state after all of them.
    fn on_events(&mut self, events: &[Event<'_>], ctx: &mut Context<'_>);
}

/// Something happened on one of the strategy's instruments.
#[derive(Clone, Copy, Debug)]
pub struct Event<'a> {
    /// Which: its place among the strategy's instruments.
    pub index: usize,
    /// What.
    pub what: What<'a>,
}

/// What happened. Plain data: a strategy that is hosted elsewhere gets the same.
#[derive(Clone, Copy, Debug)]
pub enum What<'a> {
    /// The run begins: [`Context::wake_at`] may be called for the first time. Once for each instrument.
    Started,
    /// The book after a message. Features of the same input come after it: who decides on them waits for
    /// [`What::Features`], and looks here only for what makes standing quotes unsafe.
    Book(Touch),
    /// The features of an input are complete.
    Features,
    /// A trade was printed.
    Trade(&'a Trade),
    /// A candle of a declared time frame has closed.
    Candle(&'a ClosedCandle),
    /// One of the strategy's own orders changed, or was refused.
    Execution(&'a Execution),
    /// The time asked for with [`Context::wake_at`] has come.
    Timer,
    /// Parameters have other values, all of one batch at once. Once for each instrument.
    Params,
}

/// Best bid and ask of an instrument, and whether they can be trusted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Touch {
    /// Best bid; zero quantity: none.
    pub bid: Level,
    /// Best ask; zero quantity: none.
    pub ask: Level,
    /// Bits of [`book_state`]; 0: valid.
    pub state: u32,
    /// Time of the last input that confirmed it; zero: there was none yet.
    pub confirmed: Nanos,
}

impl Touch {
    /// Why nothing may be quoted on it at `now`, when it may be no older than `age_ns_max`. None: it is sound.
    #[inline]
    #[must_use]
    pub fn fault(&self, now: Nanos, age_ns_max: Nanos) -> Option<QuoteReason> {
        if self.confirmed.0 == 0 {
            return Some(QuoteReason::NoData);
        }
        if self.state != 0 {
            return Some(match self.state & self.state.wrapping_neg() {
                book_state::EMPTY => QuoteReason::BookEmpty,
                book_state::STALE => QuoteReason::BookStale,
                book_state::CROSSED => QuoteReason::BookCrossed,
                book_state::ONE_SIDED => QuoteReason::BookOneSided,
                book_state::BEYOND_SNAPSHOT => QuoteReason::BookBeyondSnapshot,
                book_state::TRUNCATED => QuoteReason::BookTruncated,
                book_state::DISAGREES => QuoteReason::BookDisagrees,
                _ => QuoteReason::BookInvalid,
            });
        }
        if self.bid.qty.0 <= 0 || self.ask.qty.0 <= 0 || self.bid.price >= self.ask.price {
            return Some(QuoteReason::BookInvalid);
        }
        (now.since(self.confirmed) > age_ns_max).then_some(QuoteReason::BookOld)
    }
}

/// What a strategy holds in one instrument, by its last execution. Amounts in units of the instrument's amount exponent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Holding {
    /// Held; negative when short.
    pub position: Qty,
    /// Earned by selling minus spent by buying, fees not included.
    pub cash: i128,
    /// Profit and loss at the mid of that moment, fees not included.
    pub pnl: i128,
    /// Fees paid; negative: earned.
    pub fees: i128,
}

/// What a strategy sees, and where it says what it wants.
pub struct Context<'a> {
    now: Nanos,
    /// By [`engine::ids::InstrumentId`].
    market: &'a [MarketView],
    own: &'a mut Own,
}

/// What every strategy sees of an instrument.
#[derive(Clone, Debug, Default)]
pub(crate) struct MarketView {
    pub(crate) touch: Touch,
    pub(crate) features: FeatureMirror,
}

/// What the stage keeps for one strategy.
pub(crate) struct Own {
    pub(crate) id: StrategyId,
    pub(crate) params: Vec<i64>,
    pub(crate) slots: Vec<Slot>,
    /// Slots whose wanted quotes may be others than the stated ones; no slot twice.
    pub(crate) dirty: Vec<usize>,
    /// No deadline lies before this; there may be none at it.
    pub(crate) wake_at: Nanos,
    pub(crate) is_paused: bool,
}

/// One instrument of one strategy.
pub(crate) struct Slot {
    pub(crate) instrument: Instrument,
    pub(crate) holding: Holding,
    pub(crate) wanted: Quotes,
    pub(crate) is_dirty: bool,
    pub(crate) wake_at: Nanos,
    /// Where the declared features are in the mirror, in their order.
    pub(crate) features: Vec<usize>,
    pub(crate) reason: Option<Counter>,
    /// What was journalled and passed on last.
    pub(crate) stated: Quotes,
    /// One of them was filled whole since.
    pub(crate) is_filled: bool,
    /// The execution that the wanted quotes are an answer to, while they wait for room.
    pub(crate) because: Option<Head>,
}

/// No deadline.
pub(crate) const NEVER: Nanos = Nanos(u64::MAX);

impl<'a> Context<'a> {
    pub(crate) fn new(now: Nanos, market: &'a [MarketView], own: &'a mut Own) -> Self {
        Self { now, market, own }
    }

    /// The time of the input.
    #[inline]
    #[must_use]
    pub const fn now(&self) -> Nanos {
        self.now
    }

    /// How many instruments it trades: indices run from 0 to one less.
    #[inline]
    #[must_use]
    pub fn len(&self) -> usize {
        self.own.slots.len()
    }

    /// Whether it trades none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.own.slots.is_empty()
    }

    /// The rules of an instrument. None: it has no such instrument.
    #[inline]
    #[must_use]
    pub fn instrument(&self, index: usize) -> Option<&Instrument> {
        self.own.slots.get(index).map(|slot| &slot.instrument)
    }

    /// Best bid and ask.
    #[inline]
    #[must_use]
    pub fn touch(&self, index: usize) -> Touch {
        self.view(index).map_or_else(Touch::default, |view| view.touch)
    }

    /// The value of the `feature`-th declared feature. None: it has none now.
    #[inline]
    #[must_use]
    pub fn feature(&self, index: usize, feature: usize) -> Option<f64> {
        let slot = *self.own.slots.get(index)?.features.get(feature)?;
        self.view(index)?.features.value(slot)
    }

    /// A feature that is a price, in fractions of a tick. None: it has no value now.
    #[inline]
    #[must_use]
    pub fn feature_ticks(&self, index: usize, feature: usize) -> Option<Ticks> {
        Ticks::from_float(self.feature(index, feature)?)
    }

    /// What it holds.
    #[inline]
    #[must_use]
    pub fn holding(&self, index: usize) -> Holding {
        self.own.slots.get(index).map_or_else(Holding::default, |slot| slot.holding)
    }

    /// The quotes that it stated last.
    #[inline]
    #[must_use]
    pub fn quotes(&self, index: usize) -> Option<&Quotes> {
        self.own.slots.get(index).map(|slot| &slot.wanted)
    }

    /// The value of a parameter, in 10^-digits; 0 when there is no such parameter.
    #[inline]
    #[must_use]
    pub fn param(&self, index: usize) -> i64 {
        self.own.params.get(index).copied().unwrap_or(0)
    }

    /// States the quotes that it wants from now on. While the strategy is paused they are remembered and not
    /// passed on.
    #[inline]
    pub fn quote(&mut self, index: usize, quotes: &Quotes) {
        if let Some(slot) = self.own.slots.get_mut(index)
            && slot.wanted.as_bytes() != quotes.as_bytes()
        {
            slot.wanted = *quotes;
            if !slot.is_dirty {
                slot.is_dirty = true;
                self.own.dirty.push(index); // as much room as there are slots, and each is there once
            }
        }
    }

    /// Wants no quotes, and says why.
    #[inline]
    pub fn no_quotes(&mut self, index: usize, reason: QuoteReason) {
        self.quote(index, &Quotes::none(reason));
    }

    /// Asks for a [`What::Timer`] with the first input at or after `at`; replaces what was asked for before.
    /// Deadlines are met by the market's own inputs, and by the feed's timers while it is silent.
    #[inline]
    pub fn wake_at(&mut self, index: usize, at: Nanos) {
        if let Some(slot) = self.own.slots.get_mut(index) {
            slot.wake_at = at;
            self.own.wake_at = self.own.wake_at.min(at);
        }
    }

    #[inline]
    fn view(&self, index: usize) -> Option<&MarketView> {
        self.market.get(self.own.slots.get(index)?.instrument.id.index())
    }
}
