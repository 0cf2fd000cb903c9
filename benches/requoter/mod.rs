//! The strategy of the benches that go from a tick to an order: it states other quotes on every tick.

use engine::instrument::Instrument;
use engine::message::{QuoteReason, Quotes};
use engine::num::{Level, Price, Qty};
use engine::time::Nanos;
use strategies::registry::{Kind, StrategyConfig};
use strategies::strategy::{Context, Event, Strategy, What};

/// Another pair of quotes with every input that confirms the touch; none with timers.
struct Requoter {
    stated: i64,
    /// The input that the last pair was for.
    confirmed: Nanos,
}

const REQUOTER: Kind = Kind {
    name: "requoter",
    params: &[],
    check: |_| Ok(()),
    make: |_: &[Instrument]| Box::new(Requoter { stated: 0, confirmed: Nanos(0) }),
};

/// The strategy on every instrument.
pub(crate) fn requoter() -> StrategyConfig {
    let (name, instruments) = ("requoter".to_owned(), vec!["*".to_owned()]);
    StrategyConfig { kind: REQUOTER, name, instruments, values: Vec::new() }
}

impl Strategy for Requoter {
    fn features(&self) -> &'static [&'static str] {
        &["touch_micro_price"]
    }

    fn on_events(&mut self, events: &[Event<'_>], ctx: &mut Context<'_>) {
        for Event { index, what } in events {
            let (What::Features, Some(micro), Some(instrument)) =
                (what, ctx.feature_ticks(*index, 0), ctx.instrument(*index))
            else {
                continue;
            };
            let touch = ctx.touch(*index);
            if touch.state != 0 || touch.confirmed == self.confirmed {
                continue;
            }
            self.confirmed = touch.confirmed;
            self.stated += 1;
            // Never at the level of the last few quotes: the gate would take them for duplicates.
            let away = QUOTE_TICKS + self.stated % 32;
            let qty = Qty(LOTS * instrument.lot.0);
            let bid = Price(micro.floor().0.min(touch.bid.price.0) - away);
            let ask = Price(micro.ceil().0.max(touch.ask.price.0) + away);
            let quotes =
                Quotes::new(Level { price: bid, qty }, Level { price: ask, qty }, QuoteReason::Quoting);
            ctx.quote(*index, &quotes);
        }
    }
}

/// How far from the touch the innermost quote is at least.
const QUOTE_TICKS: i64 = 10;
/// Size of a quote: above the venue's least value.
const LOTS: i64 = 5;
