//! Where the market maker quotes: pure arithmetic on ticks and lots.
//!
//! ```text
//! reservation = micro-price - skew x position / position_max      long: both quotes move down
//! bid         = floor(reservation - spread_min / 2), below the best ask
//! ask         = ceil (reservation + spread_min / 2), above the best bid
//! further     = each `level_spacing` beyond the one before
//! ```

use crate::ticks::Ticks;
use engine::instrument::PriceRule;
use engine::message::{QuoteReason, Quotes};
use engine::num::{Level, Price, Qty};

/// What the prices rest on, besides the market.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Shape {
    /// Bids, and asks; 1..=`QUOTES_MAX`.
    pub(super) levels: u32,
    /// Between two levels, ticks; at least 1.
    pub(super) level_spacing_ticks: i64,
    /// From the innermost bid to the innermost ask at least; above zero.
    pub(super) spread_min: Ticks,
    /// How far both quotes move at the largest inventory.
    pub(super) skew: Ticks,
}

/// One instrument's market and inventory at a decision.
#[derive(Clone, Copy, Debug)]
pub(super) struct View {
    /// Best bid's price, below `ask`.
    pub(super) bid: Price,
    /// Best ask's price.
    pub(super) ask: Price,
    /// The micro-price.
    pub(super) fair: Ticks,
    /// Held; negative when short.
    pub(super) position: Qty,
    /// Of each quote; above zero.
    pub(super) size: Qty,
    /// Largest inventory either way; at least `size`.
    pub(super) position_max: Qty,
}

impl Shape {
    /// The price that the quotes lie around: the micro-price, leaning against the inventory.
    #[inline]
    pub(super) fn reservation(&self, view: &View) -> Ticks {
        view.fair - self.skew.times_share(view.position.0, view.position_max.0)
    }

    /// The quotes. A side that would take the inventory beyond its maximum is empty from that level on.
    #[inline]
    pub(super) fn quotes(&self, view: &View, reservation: Ticks, rule: &PriceRule) -> Quotes {
        let half = self.spread_min.half();
        // Post-only: what would take liquidity is moved one step away from it.
        let bid = (reservation - half).floor().min(Price(view.ask.0.saturating_sub(1)));
        let ask = (reservation + half).ceil().max(Price(view.bid.0.saturating_add(1)));
        let (mut bid, mut ask) = (rule.floor(bid), rule.ceil(ask));
        let mut quotes = Quotes::none(QuoteReason::Quoting);
        let (mut has_bid, mut has_ask) = (false, false);
        for level in 0..self.levels {
            let bought = self.reach(view, level, 1);
            let sold = self.reach(view, level, -1);
            let wanted_bid =
                if bought <= i128::from(view.position_max.0) && bid.0 > 0 { view.size } else { Qty(0) };
            let wanted_ask = if sold >= -i128::from(view.position_max.0) { view.size } else { Qty(0) };
            let pair = (quote(bid, wanted_bid), quote(ask, wanted_ask));
            if level == 0 {
                (quotes.first.bid, quotes.first.ask) = pair;
                (has_bid, has_ask) = (wanted_bid.0 > 0, wanted_ask.0 > 0);
            } else if wanted_bid.0 == 0 && wanted_ask.0 == 0 {
                break; // and so are all beyond
            } else {
                quotes.push(pair.0, pair.1);
            }
            bid = rule.floor(Price(bid.0.saturating_sub(self.level_spacing_ticks)));
            ask = rule.ceil(Price(ask.0.saturating_add(self.level_spacing_ticks)));
        }
        let reason = match (has_bid, has_ask) {
            (true, true) => QuoteReason::Quoting,
            (false, true) if view.position.0 > 0 => QuoteReason::PositionLong,
            (true, false) if view.position.0 < 0 => QuoteReason::PositionShort,
            _ => QuoteReason::NotWanted,
        };
        quotes.first.reason = reason as u16;
        quotes
    }

    /// The position with every quote of one side filled, down to `level`.
    #[inline]
    fn reach(&self, view: &View, level: u32, sign: i128) -> i128 {
        i128::from(view.position.0) + sign * i128::from(view.size.0) * (i128::from(level) + 1)
    }
}

#[inline]
fn quote(price: Price, qty: Qty) -> Level {
    if qty.0 > 0 { Level { price, qty } } else { Level::default() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::num::Step;
    use proptest::prelude::*;

    const RULE: PriceRule = PriceRule { tick: Step::ONE, significant_figures: None };

    fn shape() -> impl Strategy<Value = Shape> {
        (1..=8_u32, 1..50_i64, 1..2_000_i64, 0..5_000_i64).prop_map(|(levels, spacing, spread, skew)| Shape {
            levels,
            level_spacing_ticks: spacing,
            spread_min: Ticks::decimal_floor(spread, 2),
            skew: Ticks::decimal_floor(skew, 2),
        })
    }

    /// A market with a micro-price within its touch, and any inventory.
    fn view() -> impl Strategy<Value = View> {
        (10_000..1_000_000_i64, 1..40_i64, 0..=1_000_i64, 1..1_000_i64, 1..20_i64, -30_000..30_000_i64)
            .prop_map(|(bid, spread, share, size, sizes, position)| View {
                bid: Price(bid),
                ask: Price(bid + spread),
                fair: Ticks::decimal_floor(bid * 1_000 + spread * share, 3),
                position: Qty(position),
                size: Qty(size),
                position_max: Qty(size * sizes),
            })
    }

    fn quotes(shape: &Shape, view: &View) -> Quotes {
        shape.quotes(view, shape.reservation(view), &RULE)
    }

    fn sides(quotes: &Quotes) -> (Vec<Level>, Vec<Level>) {
        let (bids, asks): (Vec<_>, Vec<_>) = quotes.pairs().unzip();
        let there = |side: Vec<Level>| side.into_iter().filter(|level| level.qty.0 > 0).collect();
        (there(bids), there(asks))
    }

    proptest! {
        #[test]
        fn quotes_never_cross_the_touch_nor_each_other(shape in shape(), view in view()) {
            let (bids, asks) = sides(&quotes(&shape, &view));
            prop_assert!(bids.iter().all(|bid| bid.price < view.ask));
            prop_assert!(asks.iter().all(|ask| ask.price > view.bid));
            prop_assert!(bids.windows(2).all(|pair| pair[0].price > pair[1].price));
            prop_assert!(asks.windows(2).all(|pair| pair[0].price < pair[1].price));
            if let (Some(bid), Some(ask)) = (bids.first(), asks.first()) {
                prop_assert!(bid.price < ask.price);
                prop_assert!(Ticks::whole(ask.price) - Ticks::whole(bid.price) >= shape.spread_min.half() + shape.spread_min.half());
            }
        }

        #[test]
        fn more_inventory_never_raises_a_quote(shape in shape(), view in view(), more in 1..20_000_i64) {
            let longer = View { position: Qty(view.position.0 + more), ..view };
            let (here, there) = (quotes(&shape, &view), quotes(&shape, &longer));
            let ((bids, asks), (longer_bids, longer_asks)) = (sides(&here), sides(&there));
            prop_assert!(bids.iter().zip(&longer_bids).all(|(bid, longer)| longer.price <= bid.price));
            prop_assert!(asks.iter().zip(&longer_asks).all(|(ask, longer)| longer.price <= ask.price));
            prop_assert!(longer_bids.len() <= bids.len() && longer_asks.len() >= asks.len());
        }

        #[test]
        fn every_order_filled_stays_within_the_maximum(shape in shape(), view in view()) {
            let (bids, asks) = sides(&quotes(&shape, &view));
            let max = view.position_max.0;
            let bought: i64 = bids.iter().map(|bid| bid.qty.0).sum();
            let sold: i64 = asks.iter().map(|ask| ask.qty.0).sum();
            prop_assert!(bought == 0 || view.position.0 + bought <= max);
            prop_assert!(sold == 0 || view.position.0 - sold >= -max);
            if view.position.0 >= max {
                prop_assert!(bids.is_empty() && !asks.is_empty());
            }
            if view.position.0 <= -max {
                prop_assert!(asks.is_empty() && !bids.is_empty());
            }
        }

        #[test]
        fn a_flat_book_is_quoted_alike_on_both_sides(shape in shape(), view in view()) {
            let flat = View { position: Qty(0), ..view };
            // The same market seen from the other side: bids become asks around a fixed price.
            let around = 2_000_000_i64;
            let mirror = |price: Price| Price(around - price.0);
            let other = View {
                bid: mirror(flat.ask),
                ask: mirror(flat.bid),
                fair: Ticks::whole(Price(around)) - flat.fair,
                ..flat
            };
            let ((bids, asks), (other_bids, other_asks)) = (sides(&quotes(&shape, &flat)), sides(&quotes(&shape, &other)));
            let mirrored = |side: &[Level]| -> Vec<Level> {
                side.iter().map(|level| Level { price: mirror(level.price), ..*level }).collect()
            };
            prop_assert_eq!(mirrored(&bids), other_asks);
            prop_assert_eq!(mirrored(&asks), other_bids);
        }
    }

    #[test]
    fn a_long_position_moves_both_quotes_down() {
        let shape = Shape {
            levels: 1,
            level_spacing_ticks: 1,
            spread_min: Ticks::decimal_floor(2, 0),
            skew: Ticks::decimal_floor(10, 0),
        };
        let flat = View {
            bid: Price(995),
            ask: Price(1_005),
            fair: Ticks::decimal_floor(1_000, 0),
            position: Qty(0),
            size: Qty(1),
            position_max: Qty(10),
        };
        let prices = |view: &View| {
            let quotes = quotes(&shape, view);
            (quotes.first.bid.price.0, quotes.first.ask.price.0)
        };
        assert_eq!(prices(&flat), (999, 1_001));
        assert_eq!(prices(&View { position: Qty(5), ..flat }), (994, 996));
        assert_eq!(prices(&View { position: Qty(-5), ..flat }), (1_004, 1_006));
        let full = quotes(&shape, &View { position: Qty(10), ..flat });
        assert_eq!(
            (full.first.bid.qty, full.first.ask.price, full.reason()),
            (Qty(0), Price(996), QuoteReason::PositionLong)
        );
    }
}
