//! Recorded Binance depth as the book takes it: levels in ticks and quantity units, already in order. The
//! sync here is the few lines that a complete recording needs; gaps end the test.
#![allow(dead_code, reason = "each test and bench that includes this uses its part of it")]

use std::io::{BufRead, BufReader};
use std::{fs::File, path::PathBuf};

use engine::num::{Level, Price, Qty};
use flate2::read::GzDecoder;
use serde_json::Value;

/// One recorded stream and how its decimals become integers.
pub(crate) struct Recording {
    pub(crate) name: &'static str,
    pub(crate) files: &'static [&'static str],
    pub(crate) price_digits: usize,
    pub(crate) qty_digits: usize,
    spot: bool,
}

/// Streams with a golden file of the same name.
pub(crate) const RECORDINGS: [Recording; 4] = [
    Recording {
        name: "usdm_btcusdt_20240808",
        files: &["usdm/btcusdt_20240808.gz"],
        price_digits: 1,
        qty_digits: 3,
        spot: false,
    },
    Recording {
        name: "spot_btcusdt_20240808",
        files: &["spot/btcusdt_20240808.gz"],
        price_digits: 2,
        qty_digits: 8,
        spot: true,
    },
    Recording {
        name: "spot_btcusdt_20240808_20240809",
        files: &["spot/btcusdt_20240808.gz", "spot/btcusdt_20240809.gz"],
        price_digits: 2,
        qty_digits: 8,
        spot: true,
    },
    Recording {
        name: "cm_btcusd_perp_20240808",
        files: &["cm/btcusd_perp_20240808.gz"],
        price_digits: 1,
        qty_digits: 0,
        spot: false,
    },
];

/// Both sides' levels of one message.
#[derive(Default)]
pub(crate) struct Depth {
    pub(crate) bids: Vec<Level>,
    pub(crate) asks: Vec<Level>,
    file: usize,
    line: usize,
    first: u64,
    last: u64,
    previous: Option<u64>,
}

impl Depth {
    /// Where the message stands: file in the stream's list, line from 1, final update id.
    pub(crate) fn place(&self) -> (usize, usize, u64) {
        (self.file, self.line, self.last)
    }
}

/// The snapshot and the events to apply to it.
pub(crate) fn load(recording: &Recording) -> (Depth, Vec<Depth>) {
    let mut snapshot = None;
    let mut events = Vec::new();
    for (file, name) in recording.files.iter().enumerate() {
        for (index, line) in lines(&format!("captures/{name}")).enumerate() {
            let is_event = line.contains("@depth@");
            if !is_event && line.contains("\"stream\"") {
                continue;
            }
            let (_, json) = line.split_once(' ').unwrap();
            let message: Value = serde_json::from_str(json).unwrap();
            let depth = recording.depth(&message, is_event, file, index + 1);
            if is_event {
                events.push(depth);
            } else {
                assert!(snapshot.replace(depth).is_none(), "{name}: a second snapshot");
            }
        }
    }
    let snapshot = snapshot.expect("a snapshot");
    let obsolete = snapshot.last + u64::from(recording.spot);
    events.retain(|event| event.last >= obsolete);
    assert!(events[0].first <= obsolete, "{}: events after the snapshot are missing", recording.name);
    for pair in events.windows(2) {
        let expected = pair[1].previous.unwrap_or(pair[1].first - 1);
        assert_eq!(pair[0].last, expected, "{}: gap before line {}", recording.name, pair[1].line);
    }
    (snapshot, events)
}

impl Recording {
    fn depth(&self, message: &Value, is_event: bool, file: usize, line: usize) -> Depth {
        let id = |value: &Value| value.as_u64().unwrap();
        if is_event {
            let data = &message["data"];
            Depth {
                bids: self.levels(&data["b"]),
                asks: self.levels(&data["a"]),
                file,
                line,
                first: id(&data["U"]),
                last: id(&data["u"]),
                previous: data["pu"].as_u64(),
            }
        } else {
            Depth {
                bids: self.levels(&message["bids"]),
                asks: self.levels(&message["asks"]),
                last: id(&message["lastUpdateId"]),
                ..Depth::default()
            }
        }
    }

    /// Levels of `[["price", "quantity"], ..]`.
    pub(crate) fn levels(&self, rows: &Value) -> Vec<Level> {
        let level = |row: &Value| Level {
            price: Price(units(row[0].as_str().unwrap(), self.price_digits)),
            qty: Qty(units(row[1].as_str().unwrap(), self.qty_digits)),
        };
        rows.as_array().unwrap().iter().map(level).collect()
    }
}

/// A decimal's value in units of `10^-digits`; it must be a whole number of them.
pub(crate) fn units(text: &str, digits: usize) -> i64 {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let (kept, rest) = fraction.split_at(digits.min(fraction.len()));
    assert!(rest.bytes().all(|digit| digit == b'0'), "{text} is finer than {digits} digits");
    format!("{whole}{kept:0<digits$}").parse().unwrap()
}

/// Lines of a gzip file among the shared recordings, which lie beside the repository.
pub(crate) fn lines(path: &str) -> impl Iterator<Item = String> {
    let path = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared")).join(path);
    let file = File::open(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    BufReader::new(GzDecoder::new(file)).lines().map(Result::unwrap)
}
