//! Candles made of captured trades against the recorded ones, and the rules of aggregation.

#[path = "support/capture.rs"]
mod capture;
mod support;

use capture::{Stream, lines, scaled, trade};
use engine::num::{Price, Qty};
use engine::time::Nanos;
use proptest::prelude::*;
use strategies::candles::{AggregateError, Aggregator, Aggregators, Candle, Gaps, TimeFrame, Trade};
use support::text;

const STREAMS: [Stream; 3] = [
    Stream { name: "usdm_btcusdt_20240808", files: &["usdm/btcusdt_20240808.gz"], futures: true },
    Stream { name: "cm_btcusd_perp_20240808", files: &["cm/btcusd_perp_20240808.gz"], futures: true },
    Stream {
        name: "spot_btcusdt_20240808_20240809",
        files: &["spot/btcusdt_20240808.gz", "spot/btcusdt_20240809.gz"],
        futures: false,
    },
];

/// A decimal with up to 16 digits behind the point, in units of 1e-16.
fn notional(text: &str) -> i128 {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    format!("{whole}{fraction:0<16}").parse().unwrap()
}

/// The recorded candles; quote columns are empty for contracts worth a fixed amount.
fn recorded(name: &str, length: Nanos) -> Vec<(Candle, bool)> {
    let table = text(&format!("capture_candles/{name}.csv"));
    let row = |line: &str| {
        let c: Vec<&str> = line.split(',').collect();
        let quoted = !c[6].is_empty();
        let quote = |cell: &str| if quoted { notional(cell) } else { 0 };
        let candle = Candle {
            open_time: Nanos::from_ms(c[0].parse().unwrap()),
            length,
            open: Price(scaled(c[1])),
            high: Price(scaled(c[2])),
            low: Price(scaled(c[3])),
            close: Price(scaled(c[4])),
            volume: Qty(scaled(c[5])),
            quote_volume: quote(c[6]),
            trades: c[7].parse().unwrap(),
            taker_buy_volume: Qty(scaled(c[8])),
            taker_buy_quote_volume: quote(c[9]),
            first_trade_id: c[10].parse().unwrap(),
            last_trade_id: c[11].parse().unwrap(),
        };
        (candle, quoted)
    };
    table.lines().skip(1).map(row).collect()
}

fn frame(text: &str) -> TimeFrame {
    text.parse().unwrap()
}

fn candles(trades: &[Trade], frame: TimeFrame, gaps: Gaps) -> Vec<Candle> {
    let mut aggregator = Aggregator::new(frame, gaps);
    let mut closed = Vec::new();
    for trade in trades {
        aggregator.trade(trade, |candle| closed.push(candle)).unwrap();
    }
    closed.extend(aggregator.finish());
    closed
}

#[test]
fn candles_of_captured_trades_equal_the_recorded_ones_in_every_field() {
    for stream in &STREAMS {
        let trades: Vec<Trade> = lines(stream).iter().filter_map(|(_, message)| trade(message)).collect();
        let mut both = Aggregators::new([frame("1s"), frame("1m")], Gaps::Absent);
        let mut own = [Vec::new(), Vec::new()];
        for trade in &trades {
            both.trade(trade, |index, candle| own[index].push(candle)).unwrap();
        }
        for (index, (word, length)) in [("1s", 1), ("1m", 60)].into_iter().enumerate() {
            own[index].extend(both.each()[index].forming());
            let recorded = recorded(&format!("{}_{word}", stream.name), Nanos(length * 1_000_000_000));
            assert_eq!(own[index].len(), recorded.len(), "{} {word}", stream.name);
            for (own, (recorded, quoted)) in own[index].iter().zip(&recorded) {
                let own = if *quoted {
                    *own
                } else {
                    Candle { quote_volume: 0, taker_buy_quote_volume: 0, ..*own }
                };
                assert_eq!(own, *recorded, "{} {word}", stream.name);
                assert_eq!(own.differs_from(recorded), None);
            }
        }
        let minutes = candles(&trades, frame("1m"), Gaps::Absent);
        let mut of_seconds = Aggregator::new(frame("1m"), Gaps::Absent);
        let mut merged = Vec::new();
        for second in candles(&trades, frame("1s"), Gaps::Absent) {
            of_seconds.candle(&second, |candle| merged.push(candle)).unwrap();
        }
        merged.extend(of_seconds.finish());
        assert_eq!(merged, minutes, "{}: minutes of seconds", stream.name);
    }
}

#[test]
fn a_venue_candle_that_differs_is_named_by_field() {
    let one = Trade {
        venue_ns: Nanos(5),
        price: Price(7),
        quantity: Qty(2),
        notional: 14,
        taker_buys: true,
        id: 1,
    };
    let own = one.candle(Nanos(0), Nanos(10));
    let difference = own.differs_from(&Candle { high: Price(8), ..own }).unwrap();
    assert_eq!((difference.field, difference.own, difference.venue), ("high", 7, 8));
    assert_eq!(
        own.differs_from(&Candle { taker_buy_volume: Qty(0), ..own }).unwrap().field,
        "taker_buy_volume"
    );
    assert_eq!(
        own.differs_from(&Candle { taker_buy_volume: Qty(0), trades: 0, ..own }),
        None,
        "the venue tells no more"
    );
}

#[test]
fn late_trades_and_straddling_candles_are_refused_and_change_nothing() {
    let at = |s: u64| Trade {
        venue_ns: Nanos(s * 1_000_000_000),
        price: Price(5),
        quantity: Qty(1),
        notional: 5,
        taker_buys: true,
        id: s,
    };
    let mut aggregator = Aggregator::new(frame("1m"), Gaps::Absent);
    aggregator.trade(&at(65), |_| panic!("nothing closes")).unwrap();
    let before = *aggregator.forming().unwrap();
    let late = aggregator.trade(&at(59), |_| panic!("nothing closes"));
    assert_eq!(late, Err(AggregateError::Late(Nanos(59_000_000_000), Nanos(60_000_000_000))));
    let wide = Candle { open_time: Nanos(100_000_000_000), length: Nanos(60_000_000_000), ..before };
    assert!(matches!(
        aggregator.candle(&wide, |_| panic!("nothing closes")),
        Err(AggregateError::Straddles(..))
    ));
    assert_eq!(aggregator.forming(), Some(&before));
    let mut closed = Vec::new();
    aggregator.advance(Nanos(119_999_999_999), |candle| closed.push(candle));
    assert!(closed.is_empty());
    aggregator.advance(Nanos(120_000_000_000), |candle| closed.push(candle));
    assert_eq!(closed, [before]);
    assert!(aggregator.trade(&at(119), |_| ()).is_err(), "its interval was closed by time");
}

proptest! {
    #[test]
    fn candles_partition_the_trades_and_flat_gaps_leave_no_interval_out(
        steps in prop::collection::vec((0..200_u64, 1..100_i64, 1..50_i64, any::<bool>()), 1..80),
    ) {
        let mut at = 1_000;
        let trades: Vec<Trade> = steps.iter().zip(1..).map(|((step, price, quantity, taker_buys), id)| {
            at += step * step;
            Trade { venue_ns: Nanos(at * 1_000_000_000), price: Price(*price), quantity: Qty(*quantity), notional: i128::from(price * quantity), taker_buys: *taker_buys, id }
        }).collect();
        let minute = frame("1m");
        let absent = candles(&trades, minute, Gaps::Absent);
        prop_assert_eq!(absent.iter().map(|candle| candle.volume.0).sum::<i64>(), trades.iter().map(|trade| trade.quantity.0).sum::<i64>());
        for candle in &absent {
            let inside: Vec<&Trade> = trades.iter().filter(|trade| minute.start(trade.venue_ns) == candle.open_time).collect();
            prop_assert_eq!(candle.trades as usize, inside.len());
            prop_assert_eq!((candle.open, candle.close), (inside[0].price, inside[inside.len() - 1].price));
            prop_assert_eq!(candle.high, inside.iter().map(|trade| trade.price).max().unwrap());
            prop_assert_eq!(candle.low, inside.iter().map(|trade| trade.price).min().unwrap());
            prop_assert_eq!(candle.taker_buy_volume.0, inside.iter().filter(|trade| trade.taker_buys).map(|trade| trade.quantity.0).sum::<i64>());
        }
        let flat = candles(&trades, minute, Gaps::Flat(u32::MAX));
        prop_assert_eq!(flat.iter().copied().filter(|candle| candle.trades > 0).collect::<Vec<_>>(), absent);
        for pair in flat.windows(2) {
            prop_assert_eq!(pair[1].open_time, pair[0].open_time.plus(pair[0].length));
            prop_assert!(pair[1].trades > 0 || (pair[1].volume.0 == 0 && pair[1].open == pair[0].close && pair[1].high == pair[1].low));
        }
        let bounded = candles(&trades, minute, Gaps::Flat(2));
        prop_assert!(bounded.len() <= flat.len() && bounded.len() >= absent_len(&trades, minute));
    }
}

fn absent_len(trades: &[Trade], frame: TimeFrame) -> usize {
    candles(trades, frame, Gaps::Absent).len()
}
