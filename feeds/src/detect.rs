//! Which venue, product and symbol a capture is of, found from its messages.
//!
//! Every message narrows down what the capture can be; looking ends when one product and one symbol are
//! left. Lines that are no messages are passed over here: the decoder will count them.

use crate::capture::{CaptureError, CaptureReader, Next, split_line};
use serde_json::{Map, Value};
use std::fmt;
use std::path::Path;

/// What a capture is of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Detected {
    /// One of `venues::VENUES`.
    pub venue: &'static str,
    /// The venue's symbol.
    pub symbol: String,
    /// Most digits behind the point that a quantity had up to there; None: no quantity was seen.
    pub qty_digits: Option<u8>,
    /// The line that decided, from 1.
    pub line_number: u64,
}

/// Why that could not be found out.
#[derive(Debug)]
pub enum DetectError {
    /// The file cannot be read that far.
    Capture(CaptureError),
    /// Two of its messages do not go together.
    Contradiction {
        /// The line that does not fit those before it, from 1.
        line_number: u64,
        /// What it says.
        value: String,
        /// What the lines before said.
        before: String,
    },
    /// Nothing in its first lines tells.
    Undecided {
        /// Lines looked at.
        lines: u64,
        /// The venue, where they tell that much: then it is the symbol that is missing.
        venue: Option<&'static str>,
    },
}

impl fmt::Display for DetectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Capture(error) => error.fmt(f),
            Self::Contradiction { line_number, value, before } => {
                write!(f, "line {line_number} is of {value}, the lines before it are of {before}")
            }
            Self::Undecided { lines, venue: Some(venue) } => {
                write!(
                    f,
                    "none of its first {lines} lines names a symbol of {venue}: name it with --instrument"
                )
            }
            Self::Undecided { lines, venue: None } => {
                write!(
                    f,
                    "none of its first {lines} lines tells the venue: no capture, or name it with --venue"
                )
            }
        }
    }
}

impl std::error::Error for DetectError {}

/// Lines looked at before giving up.
pub const LINES_MAX: u64 = 10_000;

/// Looks through the head of a capture. With `venue` given, one of `venues::VENUES`, only the symbol is looked
/// for. Err: unreadable, contradictory, or nothing that tells.
pub fn detect(path: impl AsRef<Path>, venue: Option<&'static str>) -> Result<Detected, DetectError> {
    let mut reader = CaptureReader::open(path).map_err(DetectError::Capture)?;
    let mut finding = Finding { venue, ..Finding::default() };
    let mut lines = 0;
    while lines < LINES_MAX {
        match reader.wait() {
            Next::Line(line) => {
                lines = line.line_number;
                let message =
                    split_line(line.bytes).ok().and_then(|(_, json)| serde_json::from_slice(json).ok());
                if let Some(message) = message
                    && let Some(found) = finding.take(lines, &message)?
                {
                    return Ok(found);
                }
            }
            Next::Failed(error) => return Err(DetectError::Capture(error)),
            Next::NotYet | Next::End => break,
        }
    }
    Err(DetectError::Undecided { lines, venue: finding.product(finding.products) })
}

/// Sets of products, as bits in the order of `venues::VENUES`.
const SPOT: u8 = 1;
const USDM: u8 = 2;
const COINM: u8 = 4;
const HYPERLIQUID: u8 = 8;
const BINANCE: u8 = SPOT | USDM | COINM;
const ANY: u8 = BINANCE | HYPERLIQUID;

/// What the lines so far leave possible.
#[derive(Debug)]
struct Finding {
    venue: Option<&'static str>,
    products: u8,
    symbol: Option<String>,
    qty_digits: Option<u8>,
}

impl Default for Finding {
    fn default() -> Self {
        Self { venue: None, products: ANY, symbol: None, qty_digits: None }
    }
}

impl Finding {
    fn take(&mut self, line_number: u64, message: &Value) -> Result<Option<Detected>, DetectError> {
        let (products, symbol) = evidence(message);
        self.qty_digits = self.qty_digits.max(qty_digits(message));
        if self.venue.is_none() {
            if self.products & products == 0 {
                return Err(DetectError::Contradiction {
                    line_number,
                    value: names(products),
                    before: names(self.products),
                });
            }
            self.products &= products;
        }
        match (&self.symbol, symbol) {
            (Some(known), Some(symbol)) if known != symbol => {
                return Err(DetectError::Contradiction {
                    line_number,
                    value: format!("symbol {symbol}"),
                    before: format!("symbol {known}"),
                });
            }
            (None, Some(symbol)) => self.symbol = Some(symbol.to_owned()),
            _ => {}
        }
        Ok(match (self.product(self.products), &self.symbol) {
            (Some(venue), Some(symbol)) => {
                let (symbol, qty_digits) = (symbol.clone(), self.qty_digits);
                Some(Detected { venue, symbol, qty_digits, line_number })
            }
            _ => None,
        })
    }

    /// The venue given, or the only product left.
    fn product(&self, products: u8) -> Option<&'static str> {
        self.venue.or_else(|| {
            let index = products.trailing_zeros() as usize;
            crate::venues::VENUES.get(index).copied().filter(|_| products.is_power_of_two())
        })
    }
}

fn names(products: u8) -> String {
    let all = crate::venues::VENUES.iter().enumerate();
    let named: Vec<_> = all.filter(|(index, _)| products >> index & 1 == 1).map(|(_, name)| *name).collect();
    named.join(" or ")
}

/// What one message can be of, and the symbol that it names.
fn evidence(message: &Value) -> (u8, Option<&str>) {
    let Value::Object(root) = message else { return (ANY, None) };
    if root.contains_key("channel") {
        let data = root.get("data");
        let first = data.and_then(Value::as_array).and_then(|rows| rows.first());
        return (HYPERLIQUID, first.or(data).and_then(|data| text(data.as_object()?, "coin")));
    }
    let data = match root.get("data") {
        Some(Value::Object(data)) if root.contains_key("stream") => data,
        _ => root,
    };
    let symbol = text(data, "s").or_else(|| text(data, "symbol"));
    let has = |key| data.contains_key(key);
    let products = match text(data, "e") {
        Some("depthUpdate") => if_futures(has("pu"), data, symbol),
        Some("bookTicker") => if_futures(true, data, symbol),
        // Spot trades carry the meaningless `M`, futures trades what they arose from.
        Some("trade") if !has("M") && !has("X") => BINANCE,
        Some("trade") => if_futures(!has("M"), data, symbol),
        Some("aggTrade") => if_futures(!has("M"), data, symbol),
        Some("markPriceUpdate" | "forceOrder") => USDM | COINM,
        Some(_) => BINANCE,
        None if has("lastUpdateId") => if_futures(has("E"), data, symbol),
        None if has("u") && has("B") && has("A") => SPOT,
        None => ANY,
    };
    (products, symbol)
}

/// Spot, or the product of a futures message. Since both margins share their gateways `st` names it; before,
/// only COIN-M messages had a pair (`ps`, `pair`).
fn if_futures(futures: bool, data: &Map<String, Value>, symbol: Option<&str>) -> u8 {
    if !futures {
        return SPOT;
    }
    match data.get("st").and_then(Value::as_u64) {
        Some(1) => return USDM,
        Some(2) => return COINM,
        _ => {}
    }
    let pair = data.contains_key("ps") || data.contains_key("pair");
    if pair || symbol.is_some_and(|symbol| symbol.contains("_PERP")) { COINM } else { USDM }
}

/// Most digits behind the point of the quantities in a message: `q`, `B`, `A`, `sz`, and the second of a level.
fn qty_digits(message: &Value) -> Option<u8> {
    let digits_of = |value: &Value| {
        let text = value.as_str()?;
        let digits = text.find('.').map_or(0, |point| text.len() - point - 1);
        u8::try_from(digits).ok().filter(|_| text.starts_with(|c: char| c.is_ascii_digit()))
    };
    match message {
        Value::Object(object) => object
            .iter()
            .filter_map(|(key, value)| match key.as_str() {
                "q" | "B" | "A" | "sz" => digits_of(value),
                _ => qty_digits(value),
            })
            .max(),
        Value::Array(values) => match values.as_slice() {
            [Value::String(_), qty @ Value::String(_)] => digits_of(qty),
            values => values.iter().filter_map(qty_digits).max(),
        },
        _ => None,
    }
}

fn text<'a>(object: &'a Map<String, Value>, key: &str) -> Option<&'a str> {
    object.get(key).and_then(Value::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn of(lines: &[&str], venue: Option<&'static str>) -> Result<Detected, DetectError> {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        for line in lines {
            writeln!(file, "1700000000000000000 {line}").unwrap();
        }
        detect(file.path(), venue)
    }

    const SPOT_DEPTH: &str =
        r#"{"stream":"x","data":{"e":"depthUpdate","E":1,"s":"AB","U":1,"u":2,"b":[],"a":[]}}"#;
    const FUTURES_DEPTH: &str =
        r#"{"e":"depthUpdate","E":1,"T":1,"s":"AB","U":1,"u":2,"pu":0,"b":[],"a":[]}"#;
    const KLINE: &str = r#"{"e":"kline","E":1,"s":"AB","k":{}}"#;
    const SPOT_SNAPSHOT: &str = r#"{"lastUpdateId":5,"bids":[],"asks":[]}"#;

    #[test]
    fn each_kind_of_message_tells_what_it_can() {
        for (line, venue, symbol) in [
            (SPOT_DEPTH, "binance-spot", "AB"),
            (FUTURES_DEPTH, "binance-usdm", "AB"),
            (r#"{"e":"depthUpdate","s":"AB_PERP","ps":"AB","pu":1}"#, "binance-coinm", "AB_PERP"),
            (r#"{"e":"depthUpdate","s":"AB_260327","ps":"AB","pu":1}"#, "binance-coinm", "AB_260327"),
            (r#"{"e":"depthUpdate","s":"AB_PERP","pu":1}"#, "binance-coinm", "AB_PERP"),
            (r#"{"e":"depthUpdate","s":"AB","ps":"AB","st":1,"pu":1}"#, "binance-usdm", "AB"),
            (r#"{"e":"depthUpdate","s":"AB_260327","st":2,"pu":1}"#, "binance-coinm", "AB_260327"),
            (r#"{"u":1,"s":"AB","b":"1","B":"1","a":"1","A":"1"}"#, "binance-spot", "AB"),
            (r#"{"stream":"x","data":{"e":"bookTicker","u":1,"s":"AB"}}"#, "binance-usdm", "AB"),
            (r#"{"u":1,"e":"bookTicker","s":"AB_PERP","ps":"AB"}"#, "binance-coinm", "AB_PERP"),
            (r#"{"e":"trade","s":"AB","m":true,"M":true}"#, "binance-spot", "AB"),
            (r#"{"e":"trade","s":"AB","X":"MARKET","m":true}"#, "binance-usdm", "AB"),
            (r#"{"e":"trade","s":"AB_PERP","X":"MARKET","m":true}"#, "binance-coinm", "AB_PERP"),
            (r#"{"e":"aggTrade","s":"AB","m":true,"M":true}"#, "binance-spot", "AB"),
            (r#"{"e":"aggTrade","s":"AB","m":true}"#, "binance-usdm", "AB"),
            (r#"{"lastUpdateId":5,"E":1,"T":1,"symbol":"AB_PERP","pair":"AB"}"#, "binance-coinm", "AB_PERP"),
            (r#"{"channel":"l2Book","data":{"coin":"AB","levels":[[],[]],"time":1}}"#, "hyperliquid", "AB"),
            (r#"{"channel":"trades","data":[{"coin":"AB"}]}"#, "hyperliquid", "AB"),
        ] {
            let found = of(&[line], None).unwrap_or_else(|error| panic!("{line}: {error}"));
            assert_eq!((found.venue, found.symbol.as_str(), found.line_number), (venue, symbol, 1), "{line}");
        }
    }

    #[test]
    fn lines_that_tell_little_are_remembered_until_one_decides() {
        let found = of(&["{}", "nonsense", KLINE, SPOT_SNAPSHOT, FUTURES_DEPTH], None).unwrap();
        assert_eq!((found.venue, found.symbol.as_str(), found.line_number), ("binance-spot", "AB", 4));
        let found = of(&[r#"{"channel":"pong"}"#, r#"{"channel":"trades","data":[{"coin":"AB"}]}"#], None);
        assert_eq!(found.unwrap().line_number, 2);
        let nothing_yet = r#"{"e":"trade","s":"AB","m":true}"#;
        assert_eq!(of(&[nothing_yet, FUTURES_DEPTH], None).unwrap().venue, "binance-usdm");
    }

    #[test]
    fn messages_that_do_not_go_together_are_an_error_with_line_and_value() {
        let error = of(&[SPOT_SNAPSHOT, FUTURES_DEPTH], None).unwrap_err().to_string();
        assert_eq!(error, "line 2 is of binance-usdm, the lines before it are of binance-spot");
        let error = of(&[KLINE, r#"{"e":"kline","s":"CD"}"#], None).unwrap_err().to_string();
        assert_eq!(error, "line 2 is of symbol CD, the lines before it are of symbol AB");
        let error = of(&[KLINE, r#"{"channel":"pong"}"#], None).unwrap_err().to_string();
        assert!(
            error.starts_with("line 2 is of hyperliquid, the lines before it are of binance-spot or"),
            "{error}"
        );
    }

    #[test]
    fn quantities_show_the_digits_that_the_venue_prints() {
        for (line, digits) in [
            (SPOT_DEPTH, None),
            (r#"{"e":"depthUpdate","s":"AB","pu":1,"b":[["1.12345","2"]],"a":[["1","0.014"]]}"#, Some(3)),
            (r#"{"u":1,"s":"AB","b":"1.123456789","B":"1.10","a":"1","A":"1"}"#, Some(2)),
            (r#"{"e":"trade","s":"AB","p":"1.55","q":"4","M":true}"#, Some(0)),
            (
                r#"{"channel":"l2Book","data":{"coin":"AB","levels":[[{"px":"1.12345","sz":"2.5"}],[]]}}"#,
                Some(1),
            ),
        ] {
            assert_eq!(of(&[line], None).unwrap().qty_digits, digits, "{line}");
        }
    }

    #[test]
    fn the_venue_given_overrides_what_the_messages_say() {
        let found = of(&[SPOT_SNAPSHOT, FUTURES_DEPTH], Some("binance-coinm")).unwrap();
        assert_eq!((found.venue, found.symbol.as_str()), ("binance-coinm", "AB"));
    }

    #[test]
    fn a_file_that_never_tells_says_what_is_missing() {
        let error = of(&[KLINE, "{}"], None).unwrap_err().to_string();
        assert_eq!(error, "none of its first 2 lines tells the venue: no capture, or name it with --venue");
        let error = of(&[SPOT_SNAPSHOT], None).unwrap_err().to_string();
        assert_eq!(
            error,
            "none of its first 1 lines names a symbol of binance-spot: name it with --instrument"
        );
        assert!(matches!(of(&[], None), Err(DetectError::Capture(_))), "empty");
    }
}
