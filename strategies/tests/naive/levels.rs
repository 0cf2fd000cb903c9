//! Levels, bricks and crossings.

use strategies::indicators::Bar;

use crate::market::Check;
use crate::series::{Series, lag, max, min, rolling, sma, wma, zip};

pub(crate) fn compare(check: &mut Check<'_>) {
    let bars = check.market.bars.clone();
    let day = |b: &Bar| b.open_time_ms.div_euclid(86_400_000);
    let before = |i: usize| -> Option<(Bar, f64)> {
        let start = (0..=i).find(|j| day(&bars[*j]) == day(&bars[i]))?;
        let last = day(&bars[start.checked_sub(1)?]);
        let of_day: Vec<&Bar> = bars[..start].iter().filter(|b| day(b) == last).collect();
        let high = of_day.iter().map(|b| b.high).fold(f64::MIN, f64::max);
        let low = of_day.iter().map(|b| b.low).fold(f64::MAX, f64::min);
        Some((
            Bar { open: of_day[0].open, high, low, close: of_day[of_day.len() - 1].close, ..*of_day[0] },
            bars[start].open,
        ))
    };
    let days: Vec<Option<(Bar, f64)>> = (0..bars.len()).map(before).collect();
    let pivots = |of: &dyn Fn(&Bar, f64) -> f64| {
        days.iter().map(|d| d.as_ref().map(|(d, open)| of(d, *open))).collect::<Series>()
    };
    let p = |d: &Bar| (d.high + d.low + d.close) / 3.0;
    check.is("pivot", &pivots(&|d, _| p(d)));
    check.is("pivot_classic_r1", &pivots(&|d, _| 2.0 * p(d) - d.low));
    check.is("pivot_classic_s3", &pivots(&|d, _| d.low - 2.0 * (d.high - p(d))));
    check.is("pivot_fibonacci_s2", &pivots(&|d, _| p(d) - 0.618 * (d.high - d.low)));
    check.is("pivot_woodie_r1", &pivots(&|d, open| (d.high + d.low + 2.0 * open) / 2.0 - d.low));
    check.is("pivot_camarilla_r3", &pivots(&|d, _| d.close + 1.1 * (d.high - d.low) / 4.0));
    check.is(
        "pivot_demark_s1",
        &pivots(&|d, _| {
            let x = if d.close < d.open {
                d.high + 2.0 * d.low + d.close
            } else if d.close > d.open {
                2.0 * d.high + d.low + d.close
            } else {
                d.high + d.low + 2.0 * d.close
            };
            x / 2.0 - d.high
        }),
    );
    let (high, low, close) =
        (check.market.high.clone(), check.market.low.clone(), check.market.close.clone());
    let swing = |xs: &Series, sign: f64, side: usize| {
        rolling(xs, 2 * side + 1, |w| {
            let mid = sign * w[side];
            let ok =
                w[..side].iter().all(|x| sign * x < mid) && w[side + 1..].iter().all(|x| sign * x <= mid);
            Some(if ok { w[side] } else { f64::NAN })
        })
    };
    let held = |found: &Series| {
        let mut last = None;
        found
            .iter()
            .map(|x| {
                if let Some(x) = x.filter(|x| !x.is_nan()) {
                    last = Some(x);
                }
                last
            })
            .collect::<Series>()
    };
    let (tops, bottoms) = (swing(&high, 1.0, 2), swing(&low, -1.0, 2));
    check.is("swings_2_2_high", &held(&tops));
    check.is("swings_2_2_low", &held(&bottoms));
    let age = |found: &Series| {
        let mut since = None;
        found
            .iter()
            .map(|x| {
                since = if x.is_some_and(|x| !x.is_nan()) { Some(0.0) } else { since.map(|s| s + 1.0) };
                since
            })
            .collect::<Series>()
    };
    check.is("swings_2_2_high_age", &age(&tops));
    check.is(
        "swings_2_2_direction",
        &zip(&age(&tops), &age(&bottoms), |h, l| if h <= l { 1.0 } else { -1.0 }),
    );
    let (resistance, support) = (held(&swing(&high, 1.0, 6)), held(&swing(&low, -1.0, 6)));
    check.is("support_resistance_6_6_support", &support);
    check.is("support_resistance_6_6_resistance", &resistance);
    let levels = zip(&resistance, &support, |r, _| r);
    let breaks = (0..bars.len())
        .map(|i| {
            let (r, s, now, before) = (levels[i]?, support[i]?, close[i]?, close[i - 1]?);
            Some(f64::from(i8::from(before <= r && now > r) - i8::from(before >= s && now < s)))
        })
        .collect();
    check.is("support_resistance_6_6_break", &breaks);
    let (top, bottom) = (lag(&rolling(&high, 20, max), 1), lag(&rolling(&low, 20, min), 1));
    check.is(
        "breakout_20",
        &zip(
            &zip(&close, &top, |c, t| f64::from(u8::from(c > t))),
            &zip(&close, &bottom, |c, b| f64::from(u8::from(c < b))),
            |u, d| u - d,
        ),
    );
    check.is("breakout_20_u", &top);
    check.is("breakout_20_l", &bottom);
    let brick = check.market.closes[0] * 0.004;
    let (mut edge, mut direction, anchor) = (0_i64, 0_i64, check.market.closes[0]);
    let renko: Vec<(f64, f64, f64)> = check
        .market
        .closes
        .iter()
        .map(|x| {
            let mut drawn = 0.0;
            loop {
                let reach = |bricks: i64| (x - anchor) / brick - bricks as f64;
                if reach(edge + 1 + i64::from(direction < 0)) >= 0.0 {
                    edge += 1 + i64::from(direction < 0);
                    direction = 1;
                } else if reach(edge - 1 - i64::from(direction > 0)) <= 0.0 {
                    edge -= 1 + i64::from(direction > 0);
                    direction = -1;
                } else {
                    break;
                }
                drawn += 1.0;
            }
            (anchor + edge as f64 * brick, direction as f64, drawn)
        })
        .collect();
    let seen = |of: fn(&(f64, f64, f64)) -> f64| {
        renko.iter().map(|r| (r.1 != 0.0).then(|| of(r))).collect::<Series>()
    };
    check.is(&format!("renko_{brick}"), &seen(|r| r.0));
    check.is(&format!("renko_{brick}_direction"), &seen(|r| r.1));
    check.is(&format!("renko_{brick}_drawn"), &seen(|r| r.2));
    let crossed = |a: &Series, b: &Series| {
        let sides = zip(a, b, |a, b| {
            if a > b {
                1.0
            } else if a < b {
                -1.0
            } else {
                0.0
            }
        });
        let mut before = 0.0;
        sides
            .iter()
            .map(|s| {
                s.map(|s| {
                    let hit = if s * before < 0.0 { s } else { 0.0 };
                    if s != 0.0 {
                        before = s;
                    }
                    hit
                })
            })
            .collect::<Series>()
    };
    check.is("cross(close,open)", &crossed(&close, &check.market.open.clone()));
    check.is("ma_cross_9_21_sma", &crossed(&sma(&close, 9), &sma(&close, 21)));
    check.is(
        "ma_cross_9_21_wma_side",
        &zip(&wma(&close, 9), &wma(&close, 21), |a, b| if a > b { 1.0 } else { -1.0 }),
    );
    let mut ashi: Vec<(f64, f64)> = Vec::new();
    for b in &bars {
        let open = ashi.last().map_or((b.open + b.close) / 2.0, |(o, c)| (o + c) / 2.0);
        ashi.push((open, (b.open + b.high + b.low + b.close) / 4.0));
    }
    check.is("heikin_ashi_open", &ashi.iter().map(|a| Some(a.0)).collect());
    check.is("heikin_ashi_low", &bars.iter().zip(&ashi).map(|(b, a)| min(&[b.low, a.0, a.1])).collect());
}
