//! What the generated markets were like, counted as their frames are handed out.

use super::market::{Told, What};
use engine::histogram::Histogram;
use engine::instrument::InstrumentTable;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::Write;

/// Counts over a run.
#[derive(Debug, Default)]
pub(super) struct Statistics {
    markets: Vec<MarketCounts>,
    /// Receive time of one frame after that of the one before, ns.
    gaps: Histogram,
    last_recv_ns: Option<u64>,
}

#[derive(Clone, Debug, Default)]
struct MarketCounts {
    snapshots: u64,
    depths: u64,
    touches: u64,
    trades: u64,
    /// Touches by spread: [`SPREADS`].
    spreads: [u64; SPREADS.len()],
    /// Bid and ask added up, ticks: now, at the last sample, the lowest, the highest.
    mid_x2: i64,
    sampled_x2: i64,
    low_x2: i64,
    high_x2: i64,
    sample_due_ns: u64,
    samples: u64,
    squares_x4: u128,
}

/// Spreads that are counted apart, by their largest, ticks.
const SPREADS: [(&str, i64); 5] = [("1", 1), ("2", 2), ("3-5", 5), ("6-10", 10), ("more", i64::MAX)];
/// Time between the mid prices that the volatility is made of.
const SAMPLE_NS: u64 = 100_000_000;

impl Statistics {
    pub(super) fn new(markets: usize) -> Self {
        Self { markets: vec![MarketCounts::default(); markets], ..Self::default() }
    }

    /// A frame of the market `index` was handed out, `recv_ns` after the start.
    pub(super) fn count(&mut self, index: usize, told: &Told, recv_ns: u64) {
        if let Some(last) = self.last_recv_ns.replace(recv_ns) {
            self.gaps.record(u32::try_from(recv_ns.saturating_sub(last)).unwrap_or(u32::MAX));
        }
        let Some(market) = self.markets.get_mut(index) else { return };
        while market.mid_x2 != 0 && told.at_ns >= market.sample_due_ns {
            market.sample_due_ns += SAMPLE_NS;
            market.sample();
        }
        match told.what {
            What::Snapshot { .. } => market.snapshots += 1,
            What::Depth { .. } => market.depths += 1,
            What::Trade { .. } => market.trades += 1,
            What::Touch { bid, ask, .. } => {
                market.touches += 1;
                let spread = ask.price.0 - bid.price.0;
                if let Some(at) = SPREADS.iter().position(|(_, largest)| spread <= *largest) {
                    market.spreads[at] += 1;
                }
                market.mid_x2 = bid.price.0 + ask.price.0;
                if market.touches == 1 {
                    (market.low_x2, market.high_x2) = (market.mid_x2, market.mid_x2);
                    market.sampled_x2 = market.mid_x2;
                    market.sample_due_ns = told.at_ns + SAMPLE_NS;
                }
                market.low_x2 = market.low_x2.min(market.mid_x2);
                market.high_x2 = market.high_x2.max(market.mid_x2);
            }
        }
    }

    /// For programs.
    pub(super) fn summary(&self, table: &InstrumentTable) -> MarketSummary {
        let markets = table.iter().zip(&self.markets).map(|(instrument, market)| {
            let price = |mid_x2: i64| instrument.price_rule.tick.decimal(i128::from(mid_x2 / 2)).to_string();
            let of_touches = |count: u64| percent(count, market.touches);
            let one = OneMarket {
                messages: [
                    ("book_ticker", market.touches),
                    ("depth", market.depths),
                    ("snapshot", market.snapshots),
                    ("trade", market.trades),
                ]
                .into(),
                spread_ticks_percent: SPREADS
                    .iter()
                    .zip(market.spreads)
                    .map(|((name, _), count)| (*name, of_touches(count)))
                    .collect(),
                volatility_bps_per_sqrt_s: market.volatility_bps(),
                low: price(market.low_x2),
                high: price(market.high_x2),
            };
            (instrument.full_name(), one)
        });
        MarketSummary {
            markets: markets.collect(),
            gap_ns_p50: self.gaps.percentile_ns(500_000),
            gap_ns_p99: self.gaps.percentile_ns(990_000),
        }
    }
}

impl MarketCounts {
    fn sample(&mut self) {
        let change = i128::from(self.mid_x2 - self.sampled_x2);
        self.squares_x4 += (change * change).unsigned_abs();
        self.samples += 1;
        self.sampled_x2 = self.mid_x2;
    }

    /// Square root of the mean squared change of the mid price over a second, 1/100 % of the last mid.
    #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
    fn volatility_bps(&self) -> Option<f64> {
        let per_second = SECOND_NS as f64 / SAMPLE_NS as f64;
        let variance_x4 = self.squares_x4 as f64 / self.samples as f64 * per_second;
        (self.samples > 0 && self.mid_x2 > 0)
            .then(|| (variance_x4.sqrt() / self.mid_x2 as f64 * 1e6).round() / 100.0)
    }
}

const SECOND_NS: u64 = 1_000_000_000;

/// What the generated markets were like.
#[derive(Debug, Serialize)]
pub(super) struct MarketSummary {
    markets: BTreeMap<String, OneMarket>,
    /// Between the receive times of two frames, whichever market they are of.
    gap_ns_p50: u32,
    gap_ns_p99: u32,
}

#[derive(Debug, Serialize)]
struct OneMarket {
    messages: BTreeMap<&'static str, u64>,
    /// Of the touches told, by their spread.
    spread_ticks_percent: BTreeMap<&'static str, f64>,
    volatility_bps_per_sqrt_s: Option<f64>,
    low: String,
    high: String,
}

impl MarketSummary {
    /// For people.
    pub(super) fn text(&self) -> String {
        let mut page = String::new();
        // Writing into a string cannot fail.
        let mut line = |label: &str, value: String| _ = writeln!(page, "{label:<18} {value}");
        for (name, market) in &self.markets {
            let count = |kind| market.messages.get(kind).copied().unwrap_or(0);
            line(
                "generated market",
                format!(
                    "{name}: {} book_ticker, {} trade, {} depth; price {} to {}",
                    count("book_ticker"),
                    count("trade"),
                    count("depth"),
                    market.low,
                    market.high
                ),
            );
            let spreads: Vec<String> = SPREADS
                .iter()
                .filter_map(|(name, _)| Some(format!("{name}: {} %", market.spread_ticks_percent.get(name)?)))
                .collect();
            line("  spread, ticks", spreads.join(", "));
            if let Some(bps) = market.volatility_bps_per_sqrt_s {
                line("  volatility", format!("{bps} bps in a second"));
            }
        }
        let us = |ns: u32| f64::from(ns) / 1_000.0;
        line(
            "  between frames",
            format!("p50 {:.1} us, p99 {:.1} us", us(self.gap_ns_p50), us(self.gap_ns_p99)),
        );
        page
    }
}

/// Rounded to a tenth.
#[expect(clippy::cast_precision_loss, reason = "a figure for people")]
fn percent(part: u64, whole: u64) -> f64 {
    (part as f64 / whole.max(1) as f64 * 1_000.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::num::{Level, Price, Qty, Side};

    #[test]
    fn spreads_gaps_and_volatility_are_those_of_the_frames() {
        let mut statistics = Statistics::new(1);
        let level = |ticks| Level { price: Price(ticks), qty: Qty(1) };
        // The mid goes up and down by 2 ticks of 20,000 every 100 ms: 1 bp each, the square root of 10 in a second.
        for n in 0..100 {
            let at_ns = n * 100_000_000;
            let up = i64::from(n % 2 == 0) * 2;
            let (bid, ask) = (level(19_999 + up), level(20_001 + up));
            statistics.count(0, &Told { at_ns, what: What::Touch { update_id: n, bid, ask } }, at_ns + 5);
        }
        let what = What::Trade { id: 1, price: Price(20_000), qty: Qty(1), taker: Side::Buy };
        statistics.count(0, &Told { at_ns: 9_950_000_000, what }, 9_950_000_000);
        let market = &statistics.markets[0];
        assert_eq!((market.spreads, market.trades), ([0, 100, 0, 0, 0], 1));
        assert_eq!((market.low_x2, market.high_x2), (40_000, 40_004));
        let bps = market.volatility_bps().unwrap();
        assert!((bps - 3.16).abs() < 0.02, "{bps}");
        let p50 = statistics.gaps.percentile_ns(500_000);
        assert!((99_000_000..102_000_000).contains(&p50), "{p50}");
    }
}
