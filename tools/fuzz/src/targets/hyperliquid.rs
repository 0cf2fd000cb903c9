//! The Hyperliquid codec: what it says of a frame is what another JSON parser reads there, and a frame that
//! it refuses changes nothing for the next one.
//!
//! Input: frames, one a line; a market's name may come first.

use crate::driver::Outcome;
use crate::markets::Market;
use crate::truth::{nanos_in, outcome, steps_in, uint_in};
use engine::num::{Level, Step};
use feeds::codec::{Decoded, Event, FeedCodec};
use feeds::venues::hyperliquid::HyperliquidCodec;
use serde_json::Value;
use std::cell::RefCell;

/// Runs one input.
pub fn target(data: &[u8]) -> Outcome {
    let (_, frames) = Market::choose(data);
    let mut outcomes = Vec::new();
    CODEC.with_borrow_mut(|codec| {
        let (market, codec, out) = codec.get_or_insert_with(|| {
            let market = Market::all().remove(7);
            let codec = HyperliquidCodec::new(&market.carried());
            (market, codec, Decoded::new())
        });
        for frame in frames.split(|byte| *byte == b'\n') {
            let text = String::from_utf8_lossy(frame);
            outcomes.extend(match codec.decode(frame, out) {
                Ok(event) => {
                    let value: Value = serde_json::from_slice(frame)
                        .unwrap_or_else(|error| panic!("decoded, but no JSON ({error}): {text}"));
                    let steps = market.steps(out.instrument).unwrap_or((Step::ONE, Step::ONE));
                    assert!(says(&value, event, out, steps), "{event:?}: not what {text} says");
                    outcome((event, out.trades.len().min(3)))
                }
                Err(error) => {
                    assert!(error.offset as usize <= frame.len(), "{error}: beyond {text}");
                    outcome((error.kind, error.key, error.offset.min(2)))
                }
            });
        }
    });
    outcomes
}

thread_local! {
    static CODEC: RefCell<Option<(Market, HyperliquidCodec, Decoded)>> = const { RefCell::new(None) };
}

fn says(frame: &Value, event: Event, out: &mut Decoded, (tick, unit): (Step, Step)) -> bool {
    let data = if frame.get("channel").is_some() { &frame["data"] } else { frame };
    match event {
        Event::Snapshot => {
            let depth = *out.depth.depth();
            let levels = &out.depth.levels_mut()[..(depth.bid_count + depth.ask_count) as usize];
            let Some([bids, asks]) = data["levels"].as_array().map(Vec::as_slice) else { return false };
            let (Some(bids), Some(asks)) = (bids.as_array(), asks.as_array()) else { return false };
            let same = |(row, level): (&Value, &Level)| {
                steps_in(&row["px"], tick) == Some(level.price.0)
                    && steps_in(&row["sz"], unit) == Some(level.qty.0)
            };
            depth.complete == 1
                && nanos_in(&data["time"]) == Some(depth.venue_ns.0)
                && depth.bid_count as usize == bids.len()
                && levels.len() == bids.len() + asks.len()
                && bids.iter().chain(asks).zip(levels).all(same)
        }
        Event::Trades => data.as_array().is_some_and(|rows| {
            rows.len() == out.trades.len()
                && rows.iter().zip(&out.trades).all(|(row, trade)| {
                    steps_in(&row["px"], tick) == Some(trade.price.0)
                        && steps_in(&row["sz"], unit) == Some(trade.qty.0)
                        && uint_in(&row["tid"]) == Some(trade.first_id)
                        && nanos_in(&row["time"]) == Some(trade.trade_ns.0)
                        && row["side"] == if trade.taker == 0 { "B" } else { "A" }
                })
        }),
        Event::Other => true,
        _ => false,
    }
}
