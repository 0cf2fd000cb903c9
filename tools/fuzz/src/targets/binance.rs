//! The Binance codec: scanners and general decoder say the same of every frame, and what they say is what
//! another JSON parser and another number parser read there.
//!
//! Input: a market's name, then frames, one a line.

use crate::driver::Outcome;
use crate::markets::Market;
use crate::truth::{nanos_in, outcome, steps_in, uint_in};
use engine::message::{Depth, Kline, MarkPrice, Ticker, Trade};
use engine::num::{Level, Side, Step};
use feeds::codec::{DecodeError, Decoded, Event, FeedCodec};
use feeds::venues::AnyCodec;
use feeds::venues::binance::{BinanceCodec, Product};
use serde_json::Value;
use std::cell::RefCell;

/// Runs one input.
pub fn target(data: &[u8]) -> Outcome {
    run(data, &|_, _| {})
}

/// Runs one input; `spoil` may falsify what the codec said of a frame before it is looked at.
pub fn run(data: &[u8], spoil: &dyn Fn(&[u8], &mut Decoded)) -> Outcome {
    let (market, frames) = Market::choose(data);
    let mut outcomes = Vec::new();
    CODECS.with_borrow_mut(|codecs| {
        let codecs = codecs.get_or_insert_with(Codecs::all);
        let index = codecs.iter().position(|codecs| codecs.index == market).unwrap_or(0);
        for frame in frames.split(|byte| *byte == b'\n') {
            outcomes.extend(codecs[index].agree(frame, spoil));
        }
    });
    outcomes
}

thread_local! {
    // Made once: a codec takes the memory of its longest frame.
    static CODECS: RefCell<Option<Vec<Codecs>>> = const { RefCell::new(None) };
}

struct Codecs {
    index: usize,
    market: Market,
    used: AnyCodec,
    general: BinanceCodec,
    out: [Decoded; 2],
}

impl Codecs {
    fn all() -> Vec<Self> {
        let of = |(index, market): (usize, Market)| {
            let product = match market.venue {
                "binance-spot" => Product::Spot,
                "binance-usdm" => Product::UsdM,
                "binance-coinm" => Product::CoinM,
                _ => return None,
            };
            let used = AnyCodec::new(market.venue, &market.carried())?;
            let general = BinanceCodec::new(product, &market.carried());
            Some(Self { index, market, used, general, out: [Decoded::new(), Decoded::new()] })
        };
        Market::all().into_iter().enumerate().filter_map(of).collect()
    }

    fn agree(&mut self, frame: &[u8], spoil: &dyn Fn(&[u8], &mut Decoded)) -> Outcome {
        let [used, general] = &mut self.out;
        let before = self.used.general_count();
        let event = self.used.decode(frame, used);
        let by_scanner = self.used.general_count() == before;
        spoil(frame, used);
        let event_general = self.general.decode_general(frame, general);
        let said = Contents::of(event, used);
        let told = Contents::of(event_general, general);
        let text = String::from_utf8_lossy(frame);
        assert_eq!(said, told, "codec and general decoder differ on {text}");
        assert!(!by_scanner || said.is_ok(), "a scanner reports no error: {text}");
        match said {
            Ok(contents) => {
                let value: Value = serde_json::from_slice(frame)
                    .unwrap_or_else(|error| panic!("decoded, but no JSON ({error}): {text}"));
                assert!(contents.is_in(&value, &self.market), "{contents:?} is not what {text} says");
                let sizes = |level: &Level| [level.price.0, level.qty.0].map(i64::checked_ilog10);
                let touch = contents.ticker.map(|ticker| [sizes(&ticker.bid), sizes(&ticker.ask)]);
                let (levels, first) = (contents.levels.len().min(3), contents.levels.first().map(sizes));
                outcome((contents.event, by_scanner, levels, first, touch))
            }
            Err(error) => {
                assert!(
                    error.offset as usize <= frame.len() && error.to_string().len() <= DecodeError::TEXT_MAX,
                    "{error}"
                );
                outcome((error.kind, error.key, error.offset.min(2)))
            }
        }
    }
}

/// Everything that a frame was decoded to.
#[derive(Debug, PartialEq)]
struct Contents {
    event: Event,
    instrument: engine::ids::InstrumentId,
    depth: Option<Depth>,
    levels: Vec<Level>,
    ticker: Option<Ticker>,
    trades: Vec<Trade>,
    mark_price: Option<MarkPrice>,
    kline: Option<Kline>,
}

impl Contents {
    fn of(event: Result<Event, DecodeError>, out: &mut Decoded) -> Result<Self, DecodeError> {
        let event = event?;
        let of = |kind: Event| event == kind;
        let depth = (of(Event::Delta) || of(Event::Snapshot)).then(|| *out.depth.depth());
        let count = depth.map_or(0, |depth| (depth.bid_count + depth.ask_count) as usize);
        Ok(Self {
            event,
            instrument: if of(Event::Other) { engine::ids::InstrumentId::default() } else { out.instrument },
            depth,
            levels: out.depth.levels_mut()[..count].to_vec(),
            ticker: of(Event::Ticker).then_some(out.ticker),
            trades: if of(Event::Trades) { out.trades.clone() } else { Vec::new() },
            mark_price: of(Event::MarkPrice).then_some(out.mark_price),
            kline: of(Event::Kline).then_some(out.kline),
        })
    }

    /// Whether the frame, read by another parser, says the same.
    fn is_in(&self, frame: &Value, market: &Market) -> bool {
        let data = match frame.get("data") {
            Some(data) if frame.get("stream").is_some() => data,
            _ => frame,
        };
        let Some((tick, unit)) = market.steps(self.instrument) else { return false };
        let price = |key: &str| steps_in(&data[key], tick);
        let qty = |key: &str| steps_in(&data[key], unit);
        match self.event {
            Event::Delta => self.same_depth(data, ["U", "u", "b", "a"], tick, unit),
            Event::Snapshot => {
                self.same_depth(data, ["lastUpdateId", "lastUpdateId", "bids", "asks"], tick, unit)
            }
            Event::Ticker => self.ticker.is_some_and(|ticker| {
                price("b") == Some(ticker.bid.price.0)
                    && qty("B") == Some(ticker.bid.qty.0)
                    && price("a") == Some(ticker.ask.price.0)
                    && qty("A") == Some(ticker.ask.qty.0)
                    && uint_in(&data["u"]) == Some(ticker.update_id)
            }),
            Event::Trades => matches!(self.trades[..], [trade] if {
                let id = if trade.aggregate == 1 { &data["f"] } else { &data["t"] };
                price("p") == Some(trade.price.0)
                    && qty("q") == Some(trade.qty.0)
                    && nanos_in(&data["T"]) == Some(trade.trade_ns.0)
                    && data["m"].as_bool() == Some(trade.taker_side() == Side::Sell)
                    && uint_in(id) == Some(trade.first_id)
            }),
            Event::MarkPrice => self.mark_price.is_some_and(|mark| {
                steps_in(&data["p"], Step::of_digits(8)) == Some(mark.mark_e8)
                    && nanos_in(&data["E"]) == Some(mark.venue_ns.0)
            }),
            Event::Kline => self.kline.is_some_and(|kline| {
                let k = &data["k"];
                steps_in(&k["o"], tick) == Some(kline.open.0)
                    && steps_in(&k["h"], tick) == Some(kline.high.0)
                    && steps_in(&k["l"], tick) == Some(kline.low.0)
                    && steps_in(&k["c"], tick) == Some(kline.close.0)
                    && steps_in(&k["v"], unit) == Some(kline.volume.0)
                    && nanos_in(&k["t"]) == Some(kline.open_time.0)
            }),
            Event::Other => true,
        }
    }

    fn same_depth(&self, data: &Value, keys: [&str; 4], tick: Step, unit: Step) -> bool {
        let Some(depth) = self.depth else { return false };
        let [first, last, bids, asks] = keys.map(|key| &data[key]);
        let (Some(bids), Some(asks)) = (bids.as_array(), asks.as_array()) else { return false };
        let same_level = |(row, level): (&Value, &Level)| {
            steps_in(&row[0], tick) == Some(level.price.0) && steps_in(&row[1], unit) == Some(level.qty.0)
        };
        uint_in(first) == Some(depth.first_id)
            && uint_in(last) == Some(depth.last_id)
            && depth.bid_count as usize == bids.len()
            && self.levels.len() == bids.len() + asks.len()
            && bids.iter().chain(asks).zip(&self.levels).all(same_level)
    }
}
