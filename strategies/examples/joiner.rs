//! Joins the best bid and ask with one order each while the spread is wide, inside a position limit.

use engine::message::{QuoteReason, Quotes};
use engine::num::{Level, Qty};
use engine::time::Nanos;
use strategies::registry::Kind;
use strategies::strategy::{Context, Event, ParamDesc, Strategy, What};

pub const KIND: Kind =
    Kind { name: "joiner", params: &PARAMS, check: |_| Ok(()), make: |_| Box::new(Joiner) };

const PARAMS: [ParamDesc; 3] = [
    ParamDesc { name: "lots", digits: 0, min: 1, max: 1_000_000, help: "size of each quote, lots" },
    ParamDesc { name: "lots_max", digits: 0, min: 1, max: 1_000_000, help: "largest position, lots" },
    ParamDesc { name: "spread_min", digits: 0, min: 1, max: 1_000, help: "quotes nothing below, ticks" },
];
const TOUCH_AGE_MAX: Nanos = Nanos::SECOND;

struct Joiner;

impl Strategy for Joiner {
    fn on_events(&mut self, events: &[Event<'_>], ctx: &mut Context<'_>) {
        for event in events {
            if !matches!(event.what, What::Trade(_) | What::Features | What::Started) {
                join(event.index, ctx);
            }
        }
    }
}

fn join(index: usize, ctx: &mut Context<'_>) {
    let (touch, lot) = (ctx.touch(index), ctx.instrument(index).map_or(0, |instrument| instrument.lot.0));
    if let Some(reason) = touch.fault(ctx.now(), TOUCH_AGE_MAX) {
        return ctx.no_quotes(index, reason);
    }
    ctx.wake_at(index, touch.confirmed.plus(TOUCH_AGE_MAX).plus(Nanos(1)));
    let [lots, lots_max, spread_min] = [0, 1, 2].map(|param| ctx.param(param));
    if touch.ask.price.0 - touch.bid.price.0 < spread_min {
        return ctx.no_quotes(index, QuoteReason::NotWanted);
    }
    let held = ctx.holding(index).position.0;
    let qty = |room: i64| Qty(if room >= lots * lot { lots * lot } else { 0 });
    let bid = Level { price: touch.bid.price, qty: qty(lots_max * lot - held) };
    let ask = Level { price: touch.ask.price, qty: qty(lots_max * lot + held) };
    ctx.quote(index, &Quotes::new(bid, ask, QuoteReason::Quoting));
}
