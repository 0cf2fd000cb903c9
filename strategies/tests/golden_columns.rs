//! Every golden column, on every file and every row, warm-up rows included; and streaming against batch.

mod support;

use strategies::indicators::{Panel, Value};
use support::{FILES, bars, candles, golden};

/// Relative tolerance: 1e-9, as the tables' own README has it; 1e-6 for what a flat window leaves to
/// rounding in the reference.
fn tolerance(column: &str) -> f64 {
    let flat = ["stddev", "var", "bb_", "zscore"];
    if flat.iter().any(|prefix| column.starts_with(prefix)) { 1e-6 } else { 1e-9 }
}

/// The scale below which a difference counts as absolute: the column's typical size.
fn typical(column: &[Option<f64>]) -> f64 {
    let defined: Vec<f64> = column.iter().flatten().map(|x| x.abs()).collect();
    defined.iter().sum::<f64>() / defined.len().max(1) as f64
}

fn check(file: &str) {
    let (names, times, expected) = golden(&format!("indicators/{file}.csv.gz"));
    let bars = &bars(file)[..times.len()];
    let table = candles(bars);
    let mut panel = Panel::new(names.iter().map(String::as_str)).unwrap_or_else(|error| panic!("{error}"));
    let computed = panel.batch(table.columns());
    let mut wrong = Vec::new();
    for ((name, expected), computed) in names.iter().zip(&expected).zip(&computed) {
        assert_eq!(expected.len(), bars.len(), "{file} {name}");
        let typical = typical(expected);
        let differs =
            expected.iter().zip(computed).enumerate().find(|(_, (want, got))| match (want, got.get()) {
                (None, None) => false,
                (Some(want), Some(got)) => (want - got).abs() > tolerance(name) * want.abs().max(typical),
                _ => true,
            });
        if let Some((row, (want, got))) = differs {
            wrong.push(format!("{name} row {row}: expected {want:?}, got {got:?}"));
        }
    }
    assert!(
        wrong.is_empty(),
        "{file}: {} of {} columns differ\n{}",
        wrong.len(),
        names.len(),
        wrong.join("\n")
    );

    panel.reset();
    let mut row_values = vec![Value::UNDEFINED; names.len()];
    let mut peeked = row_values.clone();
    for (row, bar) in bars.iter().enumerate() {
        panel.peek(bar, &mut peeked);
        panel.update(bar, &mut row_values);
        for (k, name) in names.iter().enumerate() {
            assert_eq!(row_values[k], computed[k][row], "{file} {name} row {row}: stream against batch");
            assert_eq!(row_values[k], peeked[k], "{file} {name} row {row}: peek against update");
        }
    }
}

macro_rules! files {
    ($($test:ident $index:literal),*) => { $(#[test] fn $test() { check(FILES[$index]); })* };
}

files!(
    alt_btc_minutes_with_gaps_and_flat_candles_agree 0,
    btc_usdt_two_hours_agree 1,
    btc_usdt_five_minutes_agree 2,
    eth_btc_five_minutes_agree 3,
    eth_usdt_days_agree 4
);

/// The file's candles with every price and volume scaled: quotes far below one unit.
#[test]
fn scaling_prices_and_volumes_scales_or_keeps_every_momentum_index() {
    let bars = &bars("BTC_USDT-5m")[..600];
    // A power of two changes no mantissa: what is free of units must answer the same bits.
    let scale = f64::from_bits((1023 - 40) << 52);
    let tiny: Vec<_> = bars
        .iter()
        .map(|bar| strategies::indicators::Bar {
            open: bar.open * scale,
            high: bar.high * scale,
            low: bar.low * scale,
            close: bar.close * scale,
            volume: bar.volume * scale,
            ..*bar
        })
        .collect();
    for name in [
        "rsi_14",
        "cmo_14",
        "cmou_14",
        "stoch_14_3_3_k",
        "willr_14",
        "cci_14",
        "mfi_14",
        "adx_14",
        "ultosc_7_14_28",
        "cmf_20",
        "roc_10",
        "ppo_12_26",
        "zscore_20",
        "aroon_14_up",
        "kama_10_2_30(rsi_14)",
    ] {
        let batch = |bars: &[_]| Panel::new([name]).unwrap().batch(candles(bars).columns()).remove(0);
        assert_eq!(batch(bars), batch(&tiny), "{name}");
    }
}
