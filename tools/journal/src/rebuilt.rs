//! What a strategy had before it when it stated a target. The journal holds neither levels nor features: the engine's
//! own stages rebuild them from the run's frames (`sabrewing::seen`). A build without the feature `recompute` knows
//! no stages and says so.

use std::collections::BTreeMap;
use std::path::Path;

use engine::ids::InstrumentId;
use engine::message::book_state;
use engine::num::{Decimal, Level, Price};
use serde_json::{Value, json};

use crate::context::Context;

/// Book and features of one target's instrument.
pub(crate) struct Rebuilt {
    /// Bits of [`book_state`].
    state: u32,
    /// Bids and asks, the best first.
    levels: [Vec<Level>; 2],
    /// Where the touch was the best-quote ticker's, which was newer than the book.
    ticker: Option<[Level; 2]>,
    features: Vec<Feature>,
    /// All frames up to there were in the journal.
    is_whole: bool,
}

struct Feature {
    name: &'static str,
    value: Option<f64>,
    digits: u8,
}

/// By the targets' sequences in the strategy's lane. Err: why nothing can be rebuilt.
#[cfg(feature = "recompute")]
pub(crate) fn rebuild(journal: &Path, targets: &[u64]) -> Result<BTreeMap<u64, Rebuilt>, String> {
    let mut progress = crate::output::Progress::new("frames taken again");
    let seen = sabrewing::seen::seen(journal, targets, |steps| progress.at(steps))?;
    let rebuilt = |seen: sabrewing::seen::Seen| Rebuilt {
        state: seen.touch.state,
        levels: seen.levels,
        ticker: (seen.touch.from_ticker == 1).then_some([seen.touch.bid, seen.touch.ask]),
        features: seen
            .features
            .into_iter()
            .map(|feature| Feature { name: feature.name, value: feature.value, digits: feature.digits })
            .collect(),
        is_whole: seen.is_whole,
    };
    Ok(seen.into_iter().map(|(target, seen)| (target, rebuilt(seen))).collect())
}

/// Err: always.
#[cfg(not(feature = "recompute"))]
pub(crate) fn rebuild(_journal: &Path, _targets: &[u64]) -> Result<BTreeMap<u64, Rebuilt>, String> {
    // What the other build makes of this, so that both show the same things.
    let _ = |levels, features| Rebuilt { state: 0, levels, ticker: None, features, is_whole: true };
    let _ = |name, value, digits| Feature { name, value, digits };
    Err("this build was made without the feature `recompute`".to_owned())
}

impl Rebuilt {
    /// The book as lines: what can be said of it in a row, then its best levels.
    pub(crate) fn book(&self, context: &Context, of: InstrumentId, levels: usize) -> Vec<String> {
        let [bids, asks] = &self.levels;
        let mut said = book_state::name(self.state).to_owned();
        if let (Some(bid), Some(ask)) = (bids.first(), asks.first()) {
            let spread = context.price(of, Price(ask.price.0 - bid.price.0));
            said += &format!(", spread {spread}, mid {}", mid(context, of, *bid, *ask));
        }
        if let Some([bid, ask]) = self.ticker {
            let [bid, ask] = [bid, ask].map(|level| context.price(of, level.price));
            said += &format!("; the ticker was newer, with {bid} / {ask}");
        }
        if !self.is_whole {
            said += "; from the frames that are left, so that long windows hold less than in the run";
        }
        let cell = |side: &[Level], index: usize| {
            side.get(index).map_or_else(Default::default, |level| {
                [context.qty(of, level.qty), context.price(of, level.price)]
            })
        };
        let rows: Vec<_> = (0..levels.min(bids.len().max(asks.len())))
            .map(|index| (cell(bids, index), cell(asks, index)))
            .collect();
        let width = |part: usize| {
            let longest = |(bid, ask): &([String; 2], [String; 2])| bid[part].len().max(ask[part].len());
            rows.iter().map(longest).max().unwrap_or(0)
        };
        let (qty, price) = (width(0), width(1));
        let row = |([bid_qty, bid], [ask_qty, ask]): &([String; 2], [String; 2])| {
            format!("{bid_qty:>qty$} at {bid:>price$} | {ask:>price$} for {ask_qty:>qty$}")
        };
        std::iter::once(said).chain(rows.iter().map(row)).collect()
    }

    /// The features in a row.
    pub(crate) fn features(&self) -> String {
        let shown = |feature: &Feature| match feature.value {
            Some(value) => format!("{} {value:.*}", feature.name, usize::from(feature.digits)),
            None => format!("{} without a value", feature.name),
        };
        if self.features.is_empty() {
            return "none declared".to_owned();
        }
        self.features.iter().map(shown).collect::<Vec<_>>().join(", ")
    }

    pub(crate) fn book_json(&self, context: &Context, of: InstrumentId, levels: usize) -> Value {
        let level = |level: &Level| json!({"price": context.price(of, level.price), "qty": context.qty(of, level.qty)});
        let side = |side: &Vec<Level>| side.iter().take(levels).map(level).collect::<Vec<_>>();
        let [bids, asks] = &self.levels;
        json!({
            "state": book_state::name(self.state),
            "bids": side(bids),
            "asks": side(asks),
            "ticker": self.ticker.map(|both| both.map(|of_side| level(&of_side))),
            "is_whole": self.is_whole,
        })
    }

    pub(crate) fn features_json(&self) -> Value {
        self.features.iter().map(|feature| (feature.name.to_owned(), json!(feature.value))).collect()
    }
}

/// The middle of a bid and an ask, exactly.
fn mid(context: &Context, of: InstrumentId, bid: Level, ask: Level) -> String {
    let sum = i128::from(bid.price.0) + i128::from(ask.price.0);
    match context.tick(of) {
        Some(tick) => {
            let Decimal { mantissa, exponent, digits } = tick.decimal(sum);
            Decimal { mantissa: mantissa * 5, exponent: exponent + 1, digits }.to_string()
        }
        None => format!("{sum} half ticks"),
    }
}
