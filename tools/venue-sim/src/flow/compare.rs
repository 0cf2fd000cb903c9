//! A recorded market beside a generated one, and beside itself played to an exchange.

use super::capture::{Capture, Message};
use super::generator::{Crowd, Generator};
use super::replay::Replay;
use super::statistics::{Observer, Row, Statistics, print, table};
use crate::exchange::{AccountTerms, Exchange, ExchangeConfig};
use engine::ids::InstrumentId;
use engine::num::Price;
use engine::time::Nanos;
use serde_json::{Value, json};

/// The table of one recording.
pub struct Compared {
    /// The recorded market, for people.
    pub title: String,
    /// The table as text.
    pub markets: String,
    /// Its rows: recorded, generated, replayed.
    pub rows: Vec<Row>,
    seed: u64,
}

impl Compared {
    /// One object: `title`, `seed`, and an array of recorded, generated and replayed value for each row.
    #[must_use]
    pub fn json(&self) -> Value {
        let rows = self.rows.iter().map(|row| (row.what.to_owned(), json!(row.values)));
        json!({ "title": self.title, "seed": self.seed, "rows": Value::Object(rows.collect()) })
    }
}

/// Measures a recording, a generated market of the same length with this seed, and the recording as it is played.
#[must_use]
pub fn compare(capture: &Capture, seed: u64) -> Compared {
    let instrument = &capture.listing.instrument;
    let columns = [
        Statistics::of_capture("recorded", capture),
        generated(capture, seed).unwrap_or_else(|| Statistics::new("generated", instrument.lot)),
        replayed(capture).unwrap_or_else(|| Statistics::new("replayed", instrument.lot)),
    ];
    let title = format!("{} {}, seed {seed}", instrument.venue, instrument.symbol);
    Compared { title, markets: print(&columns), rows: table(&columns), seed }
}

fn generated(capture: &Capture, seed: u64) -> Option<Statistics> {
    let (mut exchange, market) = exchange(capture)?;
    let account = exchange.open_account(AccountTerms { reports: false, unlimited: true })?;
    let (first, last) = (capture.frames.first()?.time, capture.frames.last()?.time);
    let crowd = Crowd::of(capture.product);
    let mut generator =
        Generator::new(&exchange, market, account, crowd, first_price(capture)?, first, seed)?;
    let statistics = Statistics::new("generated", capture.listing.instrument.lot);
    let mut observer = Observer::new(statistics, depth_interval(capture));
    let (mut now, mut events) = (first, Vec::new());
    while now < last {
        now = now.plus(Nanos::SECOND).min(last);
        generator.run_until(&mut exchange, now, &mut events);
        observer.take(&events);
        events.clear();
    }
    Some(observer.statistics)
}

fn replayed(capture: &Capture) -> Option<Statistics> {
    let (mut exchange, market) = exchange(capture)?;
    let account = exchange.open_account(AccountTerms { reports: false, unlimited: true })?;
    let mut replay = Replay::new(capture, market, account);
    let statistics = Statistics::new("replayed", capture.listing.instrument.lot);
    let mut observer = Observer::new(statistics, depth_interval(capture));
    let mut events = Vec::new();
    for frame in &capture.frames {
        replay.play(&mut exchange, frame, &mut events);
        observer.take(&events);
        events.clear();
    }
    Some(observer.statistics)
}

fn exchange(capture: &Capture) -> Option<(Exchange, InstrumentId)> {
    let config = ExchangeConfig {
        product: capture.product,
        listings: vec![capture.listing.clone()],
        other_assets: Vec::new(),
        opened: capture.frames.first()?.time,
        ended_orders_kept: 0,
        trades_kept: 0,
    };
    Some((Exchange::new(&config).ok()?, InstrumentId(0)))
}

/// The first best bid, or trade, that was recorded.
fn first_price(capture: &Capture) -> Option<Price> {
    capture.frames.iter().find_map(|frame| match &frame.what {
        Message::Quote { bid, .. } => Some(bid.price),
        Message::Trade { level, .. } => Some(level.price),
        Message::Snapshot { bids, .. } => bids.first().map(|level| level.price),
        Message::Depth { .. } => None,
    })
}

/// The median time between the recorded depth messages.
fn depth_interval(capture: &Capture) -> Nanos {
    let depth = capture.frames.iter().filter(|frame| matches!(frame.what, Message::Depth { .. }));
    let times: Vec<Nanos> = depth.map(|frame| frame.time).collect();
    let mut gaps: Vec<Nanos> = times.windows(2).map(|pair| pair[1].since(pair[0])).collect();
    gaps.sort_unstable();
    gaps.get(gaps.len() / 2).copied().unwrap_or(Nanos::SECOND)
}
