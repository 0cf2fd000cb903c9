//! Recorded markets: lines of `<receive time, ns> <one JSON message>` in Binance's stream format, plain or gzip, as
//! snapshots, level changes, best quotes and trades of one instrument.
//!
//! The venue reads what it replays by itself: it shares no decoder with the client that is tested against it.

use crate::exchange::{Listing, Product};
use crate::markets;
use engine::num::{Level, NumError, Price, Qty, Side};
use engine::time::Nanos;
use flate2::read::MultiGzDecoder;
use serde_json::Value;
use std::fmt;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// A file that cannot be read to its end, with the line (from 1; 0: the file as a whole) that says so.
#[derive(Debug)]
pub struct CaptureError {
    path: PathBuf,
    line: usize,
    what: Fault,
}

/// What is wrong with a line.
#[derive(Debug)]
pub enum Fault {
    /// The file cannot be read.
    Io(io::Error),
    /// No receive time, or no JSON behind it.
    NoMessage,
    /// This field is missing or has another form.
    Field(&'static str),
    /// A number that is not one of the instrument's.
    Number(NumError, String),
    /// The market is none that this venue lists.
    Market(String),
    /// Another market than the lines before.
    OtherMarket(String),
    /// The file has no message of a market.
    Empty,
}

impl fmt::Display for CaptureError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.path.display())?;
        if self.line > 0 {
            write!(f, "line {}: ", self.line)?;
        }
        match &self.what {
            Fault::Io(error) => write!(f, "{error}"),
            Fault::NoMessage => f.write_str("not a receive time and a JSON message"),
            Fault::Field(name) => write!(f, "field `{name}` is missing or malformed"),
            Fault::Number(error, text) => write!(f, "`{text}`: {error}"),
            Fault::Market(symbol) => write!(f, "no market `{symbol}` is known, with its tick and lot"),
            Fault::OtherMarket(symbol) => write!(f, "`{symbol}` in a file of another market"),
            Fault::Empty => f.write_str("no message of a market"),
        }
    }
}

impl std::error::Error for CaptureError {}

/// One message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// When it was received.
    pub time: Nanos,
    /// What it says.
    pub what: Message,
}

/// What a message says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// The best levels of the whole book.
    Snapshot {
        /// The last change that it includes.
        last_update_id: u64,
        /// Best first.
        bids: Vec<Level>,
        /// Best first.
        asks: Vec<Level>,
    },
    /// Levels with their new quantities; zero: gone.
    Depth {
        /// The last change that it includes.
        last_update_id: u64,
        /// Changed bids.
        bids: Vec<Level>,
        /// Changed asks.
        asks: Vec<Level>,
    },
    /// The touch.
    Quote {
        /// The last change that it includes.
        update_id: u64,
        /// Best bid.
        bid: Level,
        /// Best ask.
        ask: Level,
    },
    /// One trade.
    Trade {
        /// Price and quantity.
        level: Level,
        /// Who took.
        aggressor: Side,
        /// What one order took at one price, where the recording has no single trades.
        is_aggregate: bool,
    },
}

/// A recorded market.
pub struct Capture {
    /// The market, with its rules.
    pub listing: Listing,
    /// Spot or futures.
    pub product: Product,
    /// In the order of their receive times.
    pub frames: Vec<Frame>,
}

/// Reads a file to its end. Messages of other kinds are left out, and aggregates where there are single trades.
/// Err: the first line that is not what it should be.
pub fn read(path: &Path) -> Result<Capture, CaptureError> {
    let error = |line, what| CaptureError { path: path.to_owned(), line, what };
    let mut bytes = fs::read(path).map_err(|cause| error(0, Fault::Io(cause)))?;
    if bytes.starts_with(&[0x1f, 0x8b]) {
        let mut plain = Vec::new();
        let inflated = MultiGzDecoder::new(bytes.as_slice()).read_to_end(&mut plain);
        inflated.map_err(|cause| error(0, Fault::Io(cause)))?;
        bytes = plain;
    }
    parse(&bytes).map_err(|(line, what)| error(line, what))
}

/// Reads the lines of a plain capture from memory. Err: the number of the first bad line, from 1, and why; the last
/// line's when there was no message of a market.
pub fn parse(bytes: &[u8]) -> Result<Capture, (usize, Fault)> {
    let mut read = Lines { market: None, frames: Vec::new(), waiting: Vec::new() };
    let mut last = 0;
    for (index, line) in bytes.split(|byte| *byte == b'\n').enumerate().filter(|(_, line)| !line.is_empty()) {
        last = index + 1;
        let line = std::str::from_utf8(line).map_err(|_| (last, Fault::NoMessage))?;
        read.take(line).map_err(|fault| (last, fault))?;
    }
    let (product, listing) = read.market.ok_or((last, Fault::Empty))?;
    let mut frames = read.frames;
    if frames.iter().any(|frame| matches!(frame.what, Message::Trade { is_aggregate: false, .. })) {
        frames.retain(|frame| !matches!(frame.what, Message::Trade { is_aggregate: true, .. }));
    }
    Ok(Capture { listing, product, frames })
}

/// Lines as they are read. Which market they are of the first depth message says, by its form.
struct Lines {
    market: Option<(Product, Listing)>,
    frames: Vec<Frame>,
    /// Messages before that one.
    waiting: Vec<(Nanos, Value)>,
}

impl Lines {
    fn take(&mut self, line: &str) -> Result<(), Fault> {
        let (time, json) = line.split_once(' ').ok_or(Fault::NoMessage)?;
        let time = Nanos(time.parse().map_err(|_| Fault::NoMessage)?);
        let message: Value = serde_json::from_str(json).map_err(|_| Fault::NoMessage)?;
        let message = match message {
            Value::Object(mut outer) if outer.contains_key("stream") => {
                outer.remove("data").ok_or(Fault::Field("data"))?
            }
            plain => plain,
        };
        if self.market.is_none() {
            self.market = market_of(&message)?;
            if self.market.is_none() {
                self.waiting.push((time, message));
                return Ok(());
            }
            for (time, message) in std::mem::take(&mut self.waiting) {
                self.push(time, &message)?;
            }
        }
        self.push(time, &message)
    }

    fn push(&mut self, time: Nanos, message: &Value) -> Result<(), Fault> {
        let Some((_, listing)) = &self.market else { return Ok(()) };
        if let Some(symbol) = message.get("s").and_then(Value::as_str)
            && symbol != listing.instrument.symbol
        {
            return Err(Fault::OtherMarket(symbol.to_owned()));
        }
        if let Some(what) = decode(message, listing)? {
            self.frames.push(Frame { time, what });
        }
        Ok(())
    }
}

/// Depth messages of futures name the one before them (`pu`), those of spot do not. None: no depth message.
fn market_of(message: &Value) -> Result<Option<(Product, Listing)>, Fault> {
    if message.get("e").and_then(Value::as_str) != Some("depthUpdate") {
        return Ok(None);
    }
    let symbol = message.get("s").and_then(Value::as_str).ok_or(Fault::Field("s"))?;
    let product = if message.get("pu").is_some() { Product::Futures } else { Product::Spot };
    let listing = markets::listing(product, symbol).ok_or_else(|| Fault::Market(symbol.to_owned()))?;
    Ok(Some((product, listing)))
}

fn decode(message: &Value, listing: &Listing) -> Result<Option<Message>, Fault> {
    let event = message.get("e").and_then(Value::as_str);
    let last_update_id = |name| message.get(name).and_then(Value::as_u64).ok_or(Fault::Field(name));
    Ok(match event {
        Some("depthUpdate") => Some(Message::Depth {
            last_update_id: last_update_id("u")?,
            bids: levels(message, "b", listing)?,
            asks: levels(message, "a", listing)?,
        }),
        // Transfers of the insurance fund and of auto-deleveraging: no order met another.
        Some("trade") if message.get("X").is_some_and(|origin| origin != "MARKET") => None,
        Some(kind @ ("trade" | "aggTrade")) => {
            let is_sell = message.get("m").and_then(Value::as_bool).ok_or(Fault::Field("m"))?;
            let level = level(message.get("p"), message.get("q"), listing)?;
            if level.price.0 <= 0 || level.qty.0 <= 0 {
                let instrument = &listing.instrument;
                let price = level.price.display(instrument.price_rule.tick);
                let said = format!("{} at {price}", level.qty.display(instrument.qty_unit));
                return Err(Fault::Number(NumError::OutOfRange, said));
            }
            let aggressor = if is_sell { Side::Sell } else { Side::Buy };
            Some(Message::Trade { level, aggressor, is_aggregate: kind == "aggTrade" })
        }
        Some("bookTicker") | None if message.get("B").is_some() => Some(Message::Quote {
            update_id: last_update_id("u")?,
            bid: level(message.get("b"), message.get("B"), listing)?,
            ask: level(message.get("a"), message.get("A"), listing)?,
        }),
        None if message.get("lastUpdateId").is_some() => Some(Message::Snapshot {
            last_update_id: last_update_id("lastUpdateId")?,
            bids: levels(message, "bids", listing)?,
            asks: levels(message, "asks", listing)?,
        }),
        _ => None,
    })
}

fn levels(message: &Value, name: &'static str, listing: &Listing) -> Result<Vec<Level>, Fault> {
    let rows = message.get(name).and_then(Value::as_array).ok_or(Fault::Field(name))?;
    rows.iter().map(|row| level(row.get(0), row.get(1), listing)).collect()
}

fn level(price: Option<&Value>, qty: Option<&Value>, listing: &Listing) -> Result<Level, Fault> {
    let text = |value: Option<&Value>| match value {
        Some(Value::String(text)) => Ok(text.clone()),
        _ => Err(Fault::Field("price or quantity")),
    };
    let (price, qty) = (text(price)?, text(qty)?);
    let instrument = &listing.instrument;
    let price =
        Price::parse(price.as_bytes(), instrument.price_rule.tick).map_err(|e| Fault::Number(e, price))?;
    let qty = Qty::parse(qty.as_bytes(), instrument.qty_unit).map_err(|e| Fault::Number(e, qty))?;
    Ok(Level { price, qty })
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEPTH: &str = r#"5 {"stream":"x","data":{"e":"depthUpdate","s":"BTCUSDT","U":1,"u":3,"pu":0,"b":[["60000.10","0.002"]],"a":[]}}"#;

    fn fault(lines: &str) -> (usize, String) {
        let (line, what) = parse(lines.as_bytes()).err().unwrap();
        (line, CaptureError { path: "x".into(), line, what }.to_string())
    }

    #[test]
    fn the_form_of_the_first_depth_message_says_which_market_it_is() {
        let quote = r#"4 {"stream":"x","data":{"e":"bookTicker","u":1,"s":"BTCUSDT","b":"60000.10","B":"1","a":"60000.2","A":"2"}}"#;
        let capture = parse(format!("{quote}\n{DEPTH}\n").as_bytes()).unwrap();
        assert_eq!((capture.product, capture.frames.len()), (Product::Futures, 2));
        let Message::Quote { bid, .. } = &capture.frames[0].what else { panic!("{:?}", capture.frames) };
        assert_eq!(*bid, Level { price: Price(600_001), qty: Qty(1_000) });
        let spot = DEPTH.replace(r#","pu":0"#, "");
        assert_eq!(parse(spot.as_bytes()).unwrap().product, Product::Spot);
    }

    /// Trades of a capture: quantity, aggressor, whether it is an aggregate.
    fn trades(lines: &[&str]) -> Vec<(i64, Side, bool)> {
        let capture = parse(format!("{DEPTH}\n{}", lines.join("\n")).as_bytes()).unwrap();
        let trade = |frame: &Frame| match frame.what {
            Message::Trade { level, aggressor, is_aggregate } => Some((level.qty.0, aggressor, is_aggregate)),
            _ => None,
        };
        capture.frames.iter().filter_map(trade).collect()
    }

    #[test]
    fn aggregates_are_the_trades_of_a_recording_without_single_ones() {
        let aggregate = r#"6 {"stream":"x","data":{"e":"aggTrade","s":"BTCUSDT","a":1,"f":1,"l":2,"p":"60000.10","q":"0.005","m":true}}"#;
        let single = r#"7 {"stream":"x","data":{"e":"trade","s":"BTCUSDT","t":1,"p":"60000.10","q":"0.002","X":"MARKET","m":false}}"#;
        assert_eq!(trades(&[aggregate, aggregate]), [(5, Side::Sell, true); 2]);
        assert_eq!(trades(&[aggregate, single]), [(2, Side::Buy, false)]);
        assert_eq!(trades(&[single, aggregate]), [(2, Side::Buy, false)]);
    }

    #[test]
    fn what_did_not_come_of_the_market_is_no_trade() {
        let trade = |origin: &str, price: &str| {
            format!(
                r#"6 {{"e":"trade","s":"BTCUSDT","t":1,"p":"{price}","q":"0.002","X":"{origin}","m":true}}"#
            )
        };
        let (adl, fund) = (trade("ADL", "60000.10"), trade("INSURANCE_FUND", "60000.10"));
        assert_eq!(trades(&[&adl, &fund, &trade("NA", "0"), &trade("MARKET", "60000.10")]).len(), 1);
        // Nor does one of them stand for all single trades.
        let aggregate = r#"6 {"e":"aggTrade","s":"BTCUSDT","a":1,"p":"60000.10","q":"0.005","m":true}"#;
        assert_eq!(trades(&[&adl, aggregate]), [(5, Side::Sell, true)]);
    }

    #[test]
    fn what_is_wrong_is_said_with_line_and_value() {
        assert_eq!(fault("").1, "x: no message of a market");
        assert_eq!(fault("abc").1, "x: line 1: not a receive time and a JSON message");
        assert_eq!(fault("5 {").1, "x: line 1: not a receive time and a JSON message");
        assert_eq!(fault(&format!("{DEPTH}\n{}", DEPTH.replace("0.002", "0.0021"))).0, 2);
        assert!(fault(&DEPTH.replace("0.002", "0.0021")).1.contains("`0.0021`: not a whole number"));
        assert!(fault(&DEPTH.replace("BTCUSDT", "XYZ")).1.contains("no market `XYZ`"));
        assert!(fault(&DEPTH.replace(r#""b":"#, r#""c":"#)).1.contains("field `b`"));
        let trade = r#"6 {"e":"aggTrade","s":"BTCUSDT","a":1,"p":"0.00","q":"0.005","m":true}"#;
        assert_eq!(fault(&format!("{DEPTH}\n{trade}")).1, "x: line 2: `0.005 at 0.00`: number out of range");
        let other = DEPTH.replace("BTCUSDT", "ETHUSDT");
        assert!(
            fault(&format!("{DEPTH}\n{other}")).1.starts_with("x: line 2: `ETHUSDT` in a file of another")
        );
    }
}
