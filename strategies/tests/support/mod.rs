//! Recorded candles and golden columns. A test that needs them fails loudly where they are missing.

#![allow(dead_code, reason = "each test binary uses its part")]

use std::io::Read;

use strategies::indicators::{Bar, Candles};

/// The recorded candle files that have golden columns.
pub(crate) const FILES: [&str; 5] =
    ["ALT_BTC-1m_satoshi", "BTC_USDT-2h", "BTC_USDT-5m", "ETH_BTC-5m", "ETH_USDT-1d"];

/// A path below the recorded data.
pub(crate) fn shared(path: &str) -> String {
    format!("{}/../../shared/{path}", env!("CARGO_MANIFEST_DIR"))
}

/// Reads a text file, unpacked when its name ends in `.gz`.
pub(crate) fn text(path: &str) -> String {
    let path = shared(path);
    let bytes = std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    if !path.ends_with(".gz") {
        return String::from_utf8(bytes).unwrap();
    }
    let mut unpacked = String::new();
    flate2::read::MultiGzDecoder::new(bytes.as_slice()).read_to_string(&mut unpacked).unwrap();
    unpacked
}

/// The candles of a file.
pub(crate) fn bars(name: &str) -> Vec<Bar> {
    let text = text(&format!("candles/{name}.csv"));
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("open_time_ms,open,high,low,close,volume"));
    lines
        .map(|line| {
            let mut cells = line.split(',');
            let open_time_ms = cells.next().unwrap().parse().unwrap();
            let mut number = || cells.next().unwrap().parse::<f64>().unwrap();
            Bar {
                open_time_ms,
                open: number(),
                high: number(),
                low: number(),
                close: number(),
                volume: number(),
            }
        })
        .collect()
}

/// Candles as columns.
pub(crate) fn candles(bars: &[Bar]) -> Candles {
    bars.iter().copied().collect()
}

/// A golden table: its column names without the time, and its cells by column.
pub(crate) fn golden(path: &str) -> (Vec<String>, Vec<i64>, Vec<Vec<Option<f64>>>) {
    let text = text(path);
    let mut lines = text.lines();
    let names: Vec<String> = lines.next().unwrap().split(',').skip(1).map(str::to_owned).collect();
    let mut times = Vec::new();
    let mut columns = vec![Vec::new(); names.len()];
    for line in lines {
        let mut cells = line.split(',');
        times.push(cells.next().unwrap().parse().unwrap());
        for (column, cell) in columns.iter_mut().zip(cells) {
            column.push((!cell.is_empty()).then(|| cell.parse::<f64>().unwrap()));
        }
    }
    (names, times, columns)
}
