//! What an indicator costs: streaming by type and by name, the whole catalogue on one candle, batches
//! over a year of minutes, and the microstructure indicators per book event.
//!
//! `cargo bench -p strategies --bench indicators`; medians of repeated passes over a seeded walk. Where `TALIB_PYTHON`
//! names a Python that has TA-Lib and numpy, TA-Lib's C library takes the same candles in the same run.

#![allow(clippy::cast_possible_wrap, reason = "the small numbers of a bench")]

mod verdict;

use std::hint::black_box;
use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Instant;

use engine::time::Nanos;
use strategies::indicators::blocks::Ema;
use strategies::indicators::micro::{
    InstantVolatility, Level, OrderFlow, Print, QueueImbalance, RealisedVolatility, SpreadStatistics, Touch,
    TradeFlow, Vpin, decayed_imbalance, imbalance, micro_price,
};
use strategies::indicators::momentum::{Macd, Rsi};
use strategies::indicators::volatility::{Atr, Bollinger};
use strategies::indicators::{Bar, Candles, Indicator, Panel, Request, Study, Value, catalogue};
use verdict::verdict;

const YEAR_OF_MINUTES: usize = 525_600;
const PASSES: usize = 11;

/// A seeded walk on a tick grid.
fn walk(rows: usize) -> Vec<Bar> {
    let mut state = 0x2545_F491_4F6C_DD1D_u64;
    let mut random = move |below: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % below
    };
    let mut close = 6_000_000_u64;
    (0..rows as i64)
        .map(|row| {
            let open = close;
            close = (close + random(4_001)).saturating_sub(2_000).max(100_000);
            let (high, low) = (open.max(close) + random(900), open.min(close) - random(900));
            let price = |ticks: u64| ticks as f64 / 100.0;
            Bar {
                open_time_ms: row * 60_000,
                open: price(open),
                high: price(high),
                low: price(low),
                close: price(close),
                volume: random(100_000) as f64 / 1_000.0,
            }
        })
        .collect()
}

/// Median ns per row of `PASSES` passes.
fn median_ns(rows: usize, pass: impl FnMut()) -> f64 {
    least_and_median_ns(rows, pass).1
}

/// Least and median ns per row of `PASSES` passes.
fn least_and_median_ns(rows: usize, mut pass: impl FnMut()) -> (f64, f64) {
    let mut times: Vec<f64> = (0..PASSES)
        .map(|_| {
            let start = Instant::now();
            pass();
            start.elapsed().as_nanos() as f64 / rows as f64
        })
        .collect();
    times.sort_by(f64::total_cmp);
    (times[0], times[PASSES / 2])
}

fn typed<I: Indicator>(name: &str, indicator: &I, rows: &[I::Input]) {
    let ns = median_ns(rows.len(), || {
        let mut live = indicator.clone();
        for row in rows {
            black_box(live.update(*row));
        }
    });
    println!("{name:<28}{ns:>9.2} ns/value  {}", verdict(ns, UPDATE_NS_MAX));
}

/// An update of one of the five.
const UPDATE_NS_MAX: f64 = 4.0;
/// The whole catalogue on one candle.
const CATALOGUE_US_MAX: f64 = 25.0;
/// Everything that reads the book, an event.
const BOOK_EVENT_NS_MAX: f64 = 150.0;
/// How many times faster the batch of five is than TA-Lib's.
const TALIB_RATIO_MIN: f64 = 2.0;

/// What TA-Lib takes, least and median ns a row, by function; the last is all five. None: there is none here.
fn talib(bars: &[Bar]) -> Option<Vec<(String, f64, f64)>> {
    let python = std::env::var_os("TALIB_PYTHON")?;
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../benches/ta_lib_rows.py");
    let mut child =
        Command::new(python).arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().ok()?;
    let columns: [fn(&Bar) -> f64; 3] = [|bar| bar.high, |bar| bar.low, |bar| bar.close];
    let bytes: Vec<u8> =
        columns.iter().flat_map(|column| bars.iter().map(column)).flat_map(f64::to_le_bytes).collect();
    child.stdin.take()?.write_all(&bytes).ok()?;
    let output = child.wait_with_output().ok().filter(|output| output.status.success())?;
    let line = |line: &str| {
        let mut words = line.split(' ');
        Some((words.next()?.to_owned(), words.next()?.parse().ok()?, words.next()?.parse().ok()?))
    };
    String::from_utf8(output.stdout).ok()?.lines().map(line).collect()
}

fn main() {
    let bars = walk(YEAR_OF_MINUTES);
    let some = &bars[..50_000];
    let closes: Vec<f64> = some.iter().map(|bar| bar.close).collect();

    println!("streaming by type");
    typed("ema 20", &Ema::new(20), &closes);
    typed("rsi 14", &Rsi::new(14), &closes);
    typed("macd 12 26 9", &Macd::new(12, 26, 9), &closes);
    typed("bollinger 20 2", &Bollinger::new(20, 2.0, 2.0), &closes);
    typed("atr 14", &Atr::new(14), some);

    println!("streaming by name");
    for name in ["ema_20", "rsi_14", "macd_12_26_9", "bb_20_2", "atr_14"] {
        let mut study = Request::parse(name).map(|request| request.build()).expect("a name of the catalogue");
        let ns = median_ns(some.len(), || {
            for bar in some {
                black_box(study.update(bar));
            }
        });
        println!("{name:<28}{ns:>9.2} ns/value");
    }

    let mut all: Vec<Box<dyn Study>> = catalogue()
        .map(|(_, entry)| {
            Request::parse(entry.name).map(|request| request.build()).expect("a name of the catalogue")
        })
        .collect();
    let few = &some[..3_000];
    let ns = median_ns(few.len(), || {
        for bar in few {
            for study in &mut all {
                black_box(study.update(bar));
            }
        }
    });
    let us = ns / 1_000.0;
    println!(
        "the whole catalogue ({} indicators) on one candle{us:>9.2} us  {}",
        all.len(),
        verdict(us, CATALOGUE_US_MAX)
    );

    println!("batch over {YEAR_OF_MINUTES} candles");
    let candles: Candles = bars.iter().copied().collect();
    let mut sum = 0.0;
    for name in ["rsi_14", "ema_20", "macd_12_26_9", "bb_20_2", "atr_14"] {
        let request = Request::parse(name).expect("a name of the catalogue");
        let mut out = vec![vec![Value::UNDEFINED; YEAR_OF_MINUTES]; request.entry().outputs.len()];
        let mut study = request.build();
        let ns = median_ns(YEAR_OF_MINUTES, || {
            study.reset();
            let mut views: Vec<&mut [Value]> = out.iter_mut().map(Vec::as_mut_slice).collect();
            study.batch(candles.columns(), &mut views);
        });
        sum += ns;
        println!("{name:<28}{ns:>9.2} ns/row");
    }
    println!("{:<28}{sum:>9.2} ns/row", "the five together");
    // All that TA-Lib's five functions answer.
    let names = [
        "rsi_14",
        "ema_20",
        "macd_12_26_9",
        "macd_12_26_9_signal",
        "macd_12_26_9_hist",
        "bb_20_2_u",
        "bb_20_2_m",
        "bb_20_2_l",
        "atr_14",
    ];
    let mut panel = Panel::new(names).expect("names of the catalogue");
    let anew = least_and_median_ns(YEAR_OF_MINUTES, || {
        panel.reset();
        black_box(panel.batch(candles.columns()));
    });
    let mut answers: Vec<Vec<Value>> =
        (0..panel.column_count()).map(|_| Vec::with_capacity(YEAR_OF_MINUTES)).collect();
    let kept = least_and_median_ns(YEAR_OF_MINUTES, || {
        panel.reset();
        answers.iter_mut().for_each(Vec::clear);
        panel.batch_onto(candles.columns(), black_box(&mut answers));
    });
    let row = |name: &str, (least, median): (f64, f64)| {
        println!("{name:<28}{least:>9.2} {median:>8.2} ns/row, least and median");
    };
    row("a panel, memory taken anew", anew);
    row("a panel, memory kept", kept);
    match talib(&bars) {
        Some(rows) => {
            for (name, least, median) in &rows {
                row(&format!("TA-Lib, {name}"), (*least, *median));
            }
            let together = rows.last().map_or(0.0, |(_, _, median)| *median);
            for (what, (_, ns)) in [("anew", anew), ("kept", kept)] {
                let verdict = verdict(ns, together / TALIB_RATIO_MIN);
                println!("{:<28}{:>9.2}x  {verdict}", format!("faster, memory {what}"), together / ns);
            }
        }
        None => println!("not measured beside TA-Lib: TALIB_PYTHON names no Python that has it"),
    }
    micro();
}

fn micro() {
    let level = |price: i64, quantity: u64| Level { price, quantity: 1 + (quantity % 1_000) as i64 };
    let books: Vec<([Level; 10], [Level; 10])> = (0..10_000_u64)
        .map(|i| {
            let mid = 6_000_000 + ((i * 7_919) % 23) as i64;
            let side = |sign: i64| {
                std::array::from_fn(|k| level(mid + sign * (1 + k as i64), i * 31 + k as u64 * 17))
            };
            (side(-1), side(1))
        })
        .collect();
    let mut flow = TradeFlow::new(Nanos(10_000_000_000), 1 << 16);
    let mut vpin = Vpin::new(5_000, 20);
    let mut realised = RealisedVolatility::new(60);
    let mut instant = InstantVolatility::new(Nanos(5_000_000_000));
    let mut order_flow = OrderFlow::new(Nanos(1_000_000_000), 10);
    let mut queue = QueueImbalance::new(Nanos(1_000_000_000));
    let mut spread = SpreadStatistics::new(Nanos(60_000_000_000));
    let mut now = 1_723_161_255_000_000_000_u64;
    let ns = median_ns(books.len(), || {
        for (index, (bids, asks)) in books.iter().enumerate() {
            now += 5_000_000;
            let at = Nanos(now);
            let touch = Touch { bid: bids[0], ask: asks[0] };
            black_box((
                imbalance(bids, asks, 1).value(),
                imbalance(bids, asks, 5).value(),
                imbalance(bids, asks, 10).value(),
            ));
            black_box((decayed_imbalance(bids, asks, 0.7), micro_price(&touch).value()));
            black_box(order_flow.touch(at, &touch));
            queue.touch(at, touch.bid, touch.ask);
            spread.spread(at, touch.spread());
            realised.mid(at, touch.mid_x2());
            realised.advance(at);
            instant.mid(at, touch.mid_x2());
            flow.advance(at);
            if index % 4 == 0 {
                let print = Print { at, price: touch.ask.price, quantity: 3, taker_buys: index % 8 == 0 };
                flow.trade(&print);
                vpin.trade(&print);
            }
            black_box((
                queue.value(),
                spread.recent_mean(),
                realised.value(),
                instant.value(),
                flow.imbalance().value(),
                vpin.value().value(),
            ));
        }
    });
    println!("book-driven indicators together{ns:>9.2} ns/book event  {}", verdict(ns, BOOK_EVENT_NS_MAX));
}
