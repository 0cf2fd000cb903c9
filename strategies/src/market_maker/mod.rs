//! Market making around the micro-price: bids and asks that lean against the inventory, and none on a book that
//! cannot be trusted.

mod pricing;

use crate::registry::Kind;
use crate::strategy::{Context, Event, ParamDesc, Strategy, What};
use crate::ticks::Ticks;
use engine::instrument::Instrument;
use engine::message::{QUOTES_MAX, QuoteReason, Quotes};
use engine::num::{Decimal, Level, Price, Qty};
use engine::time::Nanos;
use pricing::{Shape, View};

/// `kind = "market_maker"`.
pub const KIND: Kind =
    Kind { name: "market_maker", params: &PARAMS, check, make: |i| Box::new(MarketMaker::new(i)) };

const LEVELS_MAX: i64 = 8;
const _: () = assert!(QUOTES_MAX == 8);
/// Digits of amounts in the quote asset.
const AMOUNT_DIGITS: u8 = 8;
/// Digits of fractions of a tick.
const TICK_DIGITS: u8 = 2;

const PARAMS: [ParamDesc; 10] = [
    amount("quote_notional", "value of each quote, quote asset; rounded down to whole lots at the best ask"),
    amount("position_notional_max", "largest inventory with every quote filled, quote asset"),
    whole("levels", 1, LEVELS_MAX, "bids, and asks"),
    whole("level_spacing_ticks", 1, 1_000_000, "between two levels, ticks"),
    ticks("spread_min_ticks", 1, "between the innermost bid and ask at least, ticks"),
    ticks("skew_ticks", 0, "how far both quotes move at the largest inventory, ticks"),
    whole("refresh_ms", 0, 60_000, "quotes that are still safe are replaced this often at most, ms"),
    whole("touch_age_ms_max", 1, 60_000, "no quotes on a touch that nothing confirmed for longer, ms"),
    whole("price_tolerance_ticks", 0, 1_000_000, "an open order this far from a quote stays, ticks"),
    whole(
        "qty_tolerance_bps",
        0,
        10_000,
        "an open order that differs by this share of a quote stays, 1/100 %",
    ),
];
// Their places in the table.
const QUOTE_NOTIONAL: usize = 0;
const POSITION_NOTIONAL_MAX: usize = 1;
const LEVELS: usize = 2;
const LEVEL_SPACING_TICKS: usize = 3;
const SPREAD_MIN_TICKS: usize = 4;
const SKEW_TICKS: usize = 5;
const REFRESH_MS: usize = 6;
const TOUCH_AGE_MS_MAX: usize = 7;
const PRICE_TOLERANCE_TICKS: usize = 8;
const QTY_TOLERANCE_BPS: usize = 9;

const fn amount(name: &'static str, help: &'static str) -> ParamDesc {
    ParamDesc { name, digits: AMOUNT_DIGITS, min: 1, max: i64::MAX, help }
}

const fn ticks(name: &'static str, min: i64, help: &'static str) -> ParamDesc {
    ParamDesc { name, digits: TICK_DIGITS, min, max: 100_000_000, help }
}

const fn whole(name: &'static str, min: i64, max: i64, help: &'static str) -> ParamDesc {
    ParamDesc { name, digits: 0, min, max, help }
}

fn check(values: &[i64]) -> Result<(), &'static str> {
    if values.get(POSITION_NOTIONAL_MAX) < values.get(QUOTE_NOTIONAL) {
        return Err("position_notional_max must be at least quote_notional");
    }
    Ok(())
}

/// The market maker on its instruments.
struct MarketMaker {
    settings: Settings,
    /// By index.
    makers: Vec<Maker>,
}

/// The parameters, as decisions use them.
#[derive(Clone, Copy, Default)]
struct Settings {
    shape: Shape,
    refresh: Nanos,
    touch_age_max: Nanos,
    price_tolerance_ticks: u32,
    qty_tolerance_bps: u32,
}

/// One instrument.
struct Maker {
    /// When the standing quotes were stated.
    quoted: Nanos,
    /// The position that they rest on.
    position: Qty,
    /// Standing quotes rest on other parameters.
    is_changed: bool,
    sizes: Sizes,
}

/// What notional amounts come to in lots at a price: divisions, kept while the price stands.
#[derive(Clone, Copy, Default)]
struct Sizes {
    price: Price,
    size: Qty,
    position_max: Qty,
}

/// The place of the micro-price among the features.
const MICRO_PRICE: usize = 0;

impl Strategy for MarketMaker {
    fn features(&self) -> &'static [&'static str] {
        &["touch_micro_price"]
    }

    #[inline]
    fn on_events(&mut self, events: &[Event<'_>], ctx: &mut Context<'_>) {
        for Event { index, what } in events {
            match what {
                What::Book(touch) => match touch.fault(ctx.now(), self.settings.touch_age_max) {
                    Some(reason) => ctx.no_quotes(*index, reason),
                    // Its features come next; should a ring have lost them, the deadline decides.
                    None => ctx.wake_at(*index, ctx.now()),
                },
                What::Features | What::Timer => self.decide(*index, ctx),
                What::Execution(execution) => {
                    if self.makers.get(*index).is_some_and(|maker| maker.position != execution.position) {
                        self.decide(*index, ctx);
                    }
                }
                What::Started | What::Params => {
                    self.settings = Settings::read(ctx);
                    if let Some(maker) = self.makers.get_mut(*index) {
                        (maker.is_changed, maker.sizes) = (true, Sizes::default());
                    }
                    if matches!(what, What::Params) {
                        self.decide(*index, ctx);
                    }
                }
                What::Trade(_) | What::Candle(_) => {}
            }
        }
    }
}

impl MarketMaker {
    fn new(instruments: &[Instrument]) -> Self {
        let maker = |_| Maker {
            quoted: Nanos::default(),
            position: Qty(0),
            is_changed: true,
            sizes: Sizes::default(),
        };
        Self { settings: Settings::default(), makers: instruments.iter().map(maker).collect() }
    }

    fn decide(&mut self, index: usize, ctx: &mut Context<'_>) {
        let (Some(maker), now, touch) = (self.makers.get_mut(index), ctx.now(), ctx.touch(index)) else {
            return;
        };
        let wanted = match touch.fault(now, self.settings.touch_age_max) {
            Some(reason) => Err(reason),
            None => maker.wanted(&self.settings, index, ctx),
        };
        let (quotes, reservation) = match wanted {
            Ok(wanted) => wanted,
            Err(reason) => return ctx.no_quotes(index, reason),
        };
        let too_old = touch.confirmed.plus(self.settings.touch_age_max).plus(Nanos(1));
        let refresh = maker.quoted.plus(self.settings.refresh);
        let Some(standing) = ctx.quotes(index) else { return };
        if *standing == quotes {
            maker.is_changed = false;
            return ctx.wake_at(index, too_old);
        }
        let position = ctx.holding(index).position;
        let must = maker.is_changed
            || maker.position != position
            || is_unsafe(standing, reservation, touch.bid.price, touch.ask.price)
            || sides_of(standing) != sides_of(&quotes);
        if !must && now < refresh {
            return ctx.wake_at(index, refresh.min(too_old));
        }
        (maker.quoted, maker.position, maker.is_changed) = (now, position, false);
        ctx.wake_at(index, too_old);
        ctx.quote(index, &quotes);
    }
}

impl Settings {
    fn read(ctx: &Context<'_>) -> Self {
        let whole = |param| u32::try_from(ctx.param(param)).unwrap_or(0); // within the ranges above
        let ticks = |param| Ticks::decimal_floor(ctx.param(param), TICK_DIGITS);
        let ms = |param| Nanos::from_ms(u64::from(whole(param)));
        Self {
            shape: Shape {
                levels: whole(LEVELS),
                level_spacing_ticks: ctx.param(LEVEL_SPACING_TICKS),
                spread_min: ticks(SPREAD_MIN_TICKS),
                skew: ticks(SKEW_TICKS),
            },
            refresh: ms(REFRESH_MS),
            touch_age_max: ms(TOUCH_AGE_MS_MAX),
            price_tolerance_ticks: whole(PRICE_TOLERANCE_TICKS),
            qty_tolerance_bps: whole(QTY_TOLERANCE_BPS),
        }
    }
}

impl Maker {
    /// The quotes on a sound touch, and the price that they lie around. Err: why there are none.
    fn wanted(
        &mut self,
        settings: &Settings,
        index: usize,
        ctx: &Context<'_>,
    ) -> Result<(Quotes, Ticks), QuoteReason> {
        let fair = ctx.feature_ticks(index, MICRO_PRICE).ok_or(QuoteReason::FeatureMissing)?;
        let instrument = ctx.instrument(index).ok_or(QuoteReason::NoData)?;
        let touch = ctx.touch(index);
        // It is a mean of the touch: elsewhere it is not what it should be, and nothing is quoted around it.
        if fair < Ticks::whole(touch.bid.price) || fair > Ticks::whole(touch.ask.price) {
            return Err(QuoteReason::FeatureMissing);
        }
        if self.sizes.price != touch.ask.price {
            let lots = |param| {
                let amount =
                    Decimal { mantissa: i128::from(ctx.param(param)), exponent: AMOUNT_DIGITS, digits: 0 };
                instrument.lots_for_quote_floor(amount, touch.ask.price).unwrap_or(Qty(0))
            };
            let (size, position_max) = (lots(QUOTE_NOTIONAL), lots(POSITION_NOTIONAL_MAX));
            self.sizes = Sizes { price: touch.ask.price, size, position_max };
        }
        let Sizes { size, position_max, .. } = self.sizes;
        if size.0 <= 0 || size < instrument.qty_min {
            return Err(QuoteReason::SizeBelowMinimum);
        }
        let position = ctx.holding(index).position;
        let view = View { bid: touch.bid.price, ask: touch.ask.price, fair, position, size, position_max };
        let reservation = settings.shape.reservation(&view);
        let mut quotes = settings.shape.quotes(&view, reservation, &instrument.price_rule);
        quotes.first.price_tolerance_ticks = settings.price_tolerance_ticks;
        quotes.first.qty_tolerance_bps = settings.qty_tolerance_bps;
        if ctx.quotes(index) != Some(&quotes) && is_below_minimum(&quotes, instrument) {
            return Err(QuoteReason::SizeBelowMinimum);
        }
        Ok((quotes, reservation))
    }
}

/// Whether a standing quote would trade at a loss against the price it should lie around, or take liquidity.
#[inline]
fn is_unsafe(standing: &Quotes, reservation: Ticks, best_bid: Price, best_ask: Price) -> bool {
    let (bid, ask) = (standing.first.bid, standing.first.ask);
    (bid.qty.0 > 0 && (Ticks::whole(bid.price) >= reservation || bid.price >= best_ask))
        || (ask.qty.0 > 0 && (Ticks::whole(ask.price) <= reservation || ask.price <= best_bid))
}

/// Which sides are quoted, and how often.
#[inline]
fn sides_of(quotes: &Quotes) -> (bool, bool, u16) {
    (quotes.first.bid.qty.0 > 0, quotes.first.ask.qty.0 > 0, quotes.first.pairs)
}

/// Whether some quote's value is below the venue's minimum, or cannot be told.
fn is_below_minimum(quotes: &Quotes, instrument: &Instrument) -> bool {
    let below = |level: Level| {
        let exponent = instrument.amount_exponent().max(instrument.notional_min.exponent);
        let value = instrument.quote_value(level.price, level.qty).and_then(|value| value.rescaled(exponent));
        let min = instrument.notional_min.rescaled(exponent);
        level.qty.0 > 0 && !matches!((value, min), (Ok(value), Ok(min)) if value >= min)
    };
    quotes.pairs().any(|(bid, ask)| below(bid) || below(ask))
}
