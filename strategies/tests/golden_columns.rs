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
