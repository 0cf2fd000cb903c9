//! Volume, VWAP and the profile.

use strategies::indicators::Bar;

use crate::market::Check;
use crate::series::{Series, ema, lag, map, minus, rolling, sma, variance, zip};

pub(crate) fn compare(check: &mut Check<'_>) {
    let (c, v, typical) =
        (check.market.close.clone(), check.market.volume.clone(), check.market.hlc3.clone());
    check.is("vosc_2_5", &zip(&sma(&v, 2), &sma(&v, 5), |a, b| 100.0 * (a - b) / b));
    let vwma =
        |x: &Series, n| zip(&sma(&zip(x, &v, |x, v| x * v), n), &sma(&zip(&v, x, |v, _| v), n), |a, b| a / b);
    let (long, short) = (vwma(&c, 25), vwma(&c, 5));
    let confirmation =
        zip(&minus(&long, &sma(&c, 25)), &zip(&short, &sma(&c, 5), |a, b| a / b), |a, b| a * b);
    let vpci = zip(&confirmation, &zip(&sma(&v, 5), &sma(&v, 25), |a, b| a / b), |a, b| a * b);
    let smooth = vwma(&vpci, 5);
    check.is("vpci_5_25", &zip(&vpci, &smooth, |a, _| a));
    check.is("vpci_5_25_signal", &smooth);
    let line = minus(&vwma(&c, 12), &vwma(&c, 26));
    check.is("vwmacd_12_26_9", &line);
    check.is("vwmacd_12_26_9_hist", &minus(&line, &ema(&line, 9)));
    let macd = minus(&ema(&c, 20), &ema(&c, 40));
    let trend = map(&minus(&macd, &lag(&macd, 1)), |x| 150.0 * x);
    check.is("waddah_attr_explosion_trend", &map(&trend, f64::abs));
    check.is(
        "waddah_attr_explosion_direction",
        &map(&trend, |x| {
            if x > 0.0 {
                1.0
            } else if x < 0.0 {
                -1.0
            } else {
                0.0
            }
        }),
    );
    check.is(
        "waddah_attr_explosion_width",
        &zip(&rolling(&c, 20, |w| Some(4.0 * variance(w)?.sqrt())), &trend, |w, _| w),
    );
    check.is("volume", &v);
    check.is(
        "avgprice",
        &check.market.bars.iter().map(|b| Some((b.open + b.high + b.low + b.close) / 4.0)).collect(),
    );
    check.is("medprice", &check.market.hl2.clone());
    check.is("typprice", &typical);
    check.is(
        "wclprice",
        &check.market.bars.iter().map(|b| Some((b.high + b.low + 2.0 * b.close) / 4.0)).collect(),
    );
    let weighted = |rows: std::ops::RangeInclusive<usize>| {
        let bars = &check.market.bars[rows];
        let total: f64 = bars.iter().map(|b| b.volume).sum();
        let price = |b: &Bar| (b.high + b.low + b.close) / 3.0;
        let m = bars.iter().map(|b| price(b) * b.volume).sum::<f64>() / total;
        let deviation = (bars.iter().map(|b| b.volume * (price(b) - m).powi(2)).sum::<f64>() / total).sqrt();
        (m, deviation)
    };
    let rows = check.market.bars.len();
    let rolled: Vec<Option<(f64, f64)>> =
        (0..rows).map(|i| Some(weighted((i + 1).checked_sub(20)?..=i))).collect();
    let (anchored, session): (Vec<_>, Vec<_>) = (0..rows)
        .map(|i| {
            let anchor = check.market.bars[100].open_time_ms;
            let hours = |b: &Bar| b.open_time_ms.div_euclid(8 * 3_600_000);
            let start =
                (0..=i).find(|j| hours(&check.market.bars[*j]) == hours(&check.market.bars[i])).unwrap();
            (
                (check.market.bars[i].open_time_ms >= anchor).then(|| weighted(100..=i)),
                Some(weighted(start..=i)),
            )
        })
        .unzip();
    let anchor = check.market.bars[100].open_time_ms;
    for (name, both) in [
        ("vwap_rolling_20_2".to_owned(), rolled),
        (format!("vwap_anchored_{anchor}_2"), anchored),
        ("vwap_session_8_2".to_owned(), session),
    ] {
        check.is(&name, &both.iter().map(|b| b.map(|(m, _)| m)).collect());
        check.is(&format!("{name}_u"), &both.iter().map(|b| b.map(|(m, d)| m + 2.0 * d)).collect());
        check.is(&format!("{name}_l"), &both.iter().map(|b| b.map(|(m, d)| m - 2.0 * d)).collect());
    }
    let profiles: Vec<Option<[f64; 3]>> = (0..rows)
        .map(|i| Some(profile(&check.market.bars[(i + 1).checked_sub(100)?..=i], 24, 0.7)))
        .collect();
    for (k, name) in ["poc", "vah", "val"].into_iter().enumerate() {
        check.is(
            &format!("volume_profile_100_24_0.7_{name}"),
            &profiles.iter().map(|p| p.map(|p| p[k])).collect(),
        );
    }
}

fn profile(bars: &[Bar], bins: usize, share: f64) -> [f64; 3] {
    let top = bars.iter().map(|b| b.high).fold(f64::MIN, f64::max);
    let bottom = bars.iter().map(|b| b.low).fold(f64::MAX, f64::min);
    let width = (top - bottom) / bins as f64;
    let mut held = vec![0.0; bins];
    for bar in bars {
        let index =
            |price: f64| (0..bins - 1).take_while(|i| (price - bottom) / width >= *i as f64 + 1.0).count();
        let (from, to) = (index(bar.low), index(bar.high));
        for cell in &mut held[from..=to] {
            *cell += bar.volume / (to - from + 1) as f64;
        }
    }
    let total: f64 = bars.iter().map(|b| b.volume).sum();
    let control = (0..bins).rev().max_by(|a, b| held[*a].total_cmp(&held[*b])).unwrap();
    let (mut from, mut to) = (control, control);
    while held[from..=to].iter().sum::<f64>() < share * total && (from > 0 || to + 1 < bins) {
        let above = if to + 1 < bins { held[to + 1] } else { -1.0 };
        let below = if from > 0 { held[from - 1] } else { -1.0 };
        if above >= below { to += 1 } else { from -= 1 }
    }
    [
        bottom + width * (control as f64 + 0.5),
        bottom + width * (to as f64 + 1.0),
        bottom + width * from as f64,
    ]
}
