//! Recorded captures read line by line: trades, and a plain book kept by the venue's published rules.

#![allow(dead_code, reason = "each test binary uses its part")]

use std::collections::BTreeMap;

use engine::num::{Price, Qty};
use engine::time::Nanos;
use serde_json::Value;
use strategies::candles::Trade;

use super::text;

/// Everything a test needs to know of one stream.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stream {
    /// Its name in the golden tables.
    pub(crate) name: &'static str,
    /// Its capture files, in order.
    pub(crate) files: &'static [&'static str],
    /// Is `pu` there (futures)?
    pub(crate) futures: bool,
}

/// Decimals of every price and quantity here: finer than any of the venues prints.
pub(crate) const SCALE_DIGITS: usize = 8;

/// A decimal text as an integer in units of 1e-8.
pub(crate) fn scaled(text: &str) -> i64 {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    assert!(fraction.len() <= SCALE_DIGITS, "{text}");
    format!("{whole}{fraction:0<8}").parse().unwrap()
}

/// The lines of a stream's files: receive time and message.
pub(crate) fn lines(stream: &Stream) -> Vec<(u64, Value)> {
    let mut lines = Vec::new();
    for file in stream.files {
        for line in text(&format!("captures/{file}")).lines() {
            let (recv_ns, message) = line.split_once(' ').unwrap();
            lines.push((recv_ns.parse().unwrap(), serde_json::from_str(message).unwrap()));
        }
    }
    lines
}

/// The trade in a message, if it is one.
pub(crate) fn trade(message: &Value) -> Option<Trade> {
    let data = message.get("data")?;
    if data["e"] != "trade" {
        return None;
    }
    let (price, quantity) = (scaled(data["p"].as_str().unwrap()), scaled(data["q"].as_str().unwrap()));
    Some(Trade {
        venue_ns: Nanos::from_ms(data["T"].as_u64().unwrap()),
        price: Price(price),
        quantity: Qty(quantity),
        notional: i128::from(price) * i128::from(quantity),
        taker_buys: !data["m"].as_bool().unwrap(),
        id: data["t"].as_u64().unwrap(),
    })
}

/// A book kept from depth messages by the venue's published rules.
#[derive(Default)]
pub(crate) struct PlainBook {
    pub(crate) bids: BTreeMap<i64, i64>,
    pub(crate) asks: BTreeMap<i64, i64>,
    snapshot: Option<u64>,
    last: Option<u64>,
    waiting: Vec<Value>,
}

impl PlainBook {
    /// Takes a message; tells whether the book changed and is synchronised.
    pub(crate) fn take(&mut self, stream: &Stream, message: &Value) -> bool {
        if message.get("stream").is_none() {
            self.snapshot = message["lastUpdateId"].as_u64();
            set(&mut self.bids, &message["bids"]);
            set(&mut self.asks, &message["asks"]);
            let waiting = std::mem::take(&mut self.waiting);
            for data in waiting {
                self.apply(stream, &data);
            }
            return true;
        }
        if message["data"]["e"] != "depthUpdate" {
            return false;
        }
        if self.snapshot.is_none() {
            self.waiting.push(message["data"].clone());
            return false;
        }
        self.apply(stream, &message["data"])
    }

    /// Synchronised: the snapshot and the first event that joins it are in.
    pub(crate) fn is_synchronised(&self) -> bool {
        self.last.is_some()
    }

    fn apply(&mut self, stream: &Stream, data: &Value) -> bool {
        let id = |name: &str| data[name].as_u64().unwrap();
        let snapshot = self.snapshot.unwrap();
        match self.last {
            None if stream.futures && id("u") < snapshot => return false,
            None if !stream.futures && id("u") <= snapshot => return false,
            None => {}
            Some(last) if stream.futures => assert_eq!(id("pu"), last, "a gap"),
            Some(last) => assert_eq!(id("U"), last + 1, "a gap"),
        }
        self.last = Some(id("u"));
        set(&mut self.bids, &data["b"]);
        set(&mut self.asks, &data["a"]);
        true
    }
}

fn set(side: &mut BTreeMap<i64, i64>, levels: &Value) {
    for level in levels.as_array().unwrap() {
        let (price, quantity) = (scaled(level[0].as_str().unwrap()), scaled(level[1].as_str().unwrap()));
        if quantity == 0 {
            side.remove(&price);
        } else {
            side.insert(price, quantity);
        }
    }
}
