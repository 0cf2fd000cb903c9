//! What is decided does not depend on the placement where the order of inputs is the same: a strategy whose quotes
//! never trade gives the market's order alone to every stage, and targets, gate answers, orders and what became of
//! them are then the same, record by record.

mod pipeline;
mod support;

use engine::ids::Lane;
use engine::instrument::Instrument;
use engine::journal::schema::RecordKind;
use engine::message::{QuoteReason, Quotes};
use engine::num::{Level, Price, Qty};
use engine::runner;
use engine::time::{Nanos, StampClock};
use pipeline::{Market, NoTap, journal, placements, prepare_with};
use sabrewing::config::Config;
use std::collections::BTreeMap;
use std::sync::Arc;
use strategies::registry::{Kind, StrategyConfig};
use strategies::strategy::{Context, Event, Strategy, What};
use support::journal::{Journal, Record};

const KIND: Kind = Kind { name: "aloof", params: &[], check: |_| Ok(()), make };

fn make(_: &[Instrument]) -> Box<dyn Strategy> {
    Box::new(Aloof)
}

/// Quotes one percent away from the touch, as far as the touch moves by itself and the features say so; some of it
/// more than the gate allows.
struct Aloof;

impl Strategy for Aloof {
    fn features(&self) -> &'static [&'static str] {
        &["imbalance(5)", "micro_price", "taker_buy(10s)"]
    }

    fn on_events(&mut self, events: &[Event<'_>], ctx: &mut Context<'_>) {
        if !events.iter().any(|event| matches!(event.what, What::Features)) {
            return;
        }
        let touch = ctx.touch(0);
        if let Some(reason) = touch.fault(ctx.now(), Nanos::SECOND) {
            return ctx.no_quotes(0, reason);
        }
        // Features decide: were one of them different in one placement, so would be what is wanted.
        let Some(imbalance) = ctx.feature(0, 0).filter(|_| ctx.feature(0, 1).is_some()) else {
            return ctx.no_quotes(0, QuoteReason::FeatureMissing);
        };
        let lean = if imbalance > 0.0 { 3 } else { -3 };
        // The third pair is beyond the collar, the second twice as large as an order may be.
        let (bid, ask) = (touch.bid.price.0 / 20 * 20, touch.ask.price.0 / 20 * 20);
        let at = |price: i64, qty| Level { price: Price(price), qty: Qty(qty) };
        let mut quotes =
            Quotes::new(at(bid / 100 * 99 + lean, 4), at(ask / 100 * 101 + lean, 4), QuoteReason::Quoting);
        quotes.push(at(bid / 100 * 99 - 9, 32), at(ask / 100 * 101 + 9, 4));
        quotes.push(at(bid / 100 * 97, 4), at(ask / 100 * 103, 4));
        ctx.quote(0, &quotes);
    }
}

/// What was decided, without what the clock measured and without numbers of records, which also count executions.
fn decided(journal: &Journal) -> Vec<(Lane, Record)> {
    let measured = [RecordKind::Stamps, RecordKind::OrderStamps, RecordKind::Took];
    let of_lane = |lane| {
        let records = journal.lane(lane).iter().filter(|record| !measured.contains(&record.kind));
        records
            .map(move |record| (lane, Record { seq: 0, cause: engine::ids::Cause::NONE, ..record.clone() }))
    };
    of_lane(Lane::Feed).chain(of_lane(Lane::Strategy)).chain(of_lane(Lane::Gateway)).collect()
}

#[test]
fn targets_gate_answers_and_orders_are_the_same_in_every_placement() {
    let market = Arc::new(Market::usdm(usize::MAX).with_a_forced_resync());
    let mut config = Config::load(None).unwrap();
    config.strategies = vec![StrategyConfig {
        kind: KIND,
        name: "aloof".into(),
        instruments: vec!["*".into()],
        values: vec![],
    }];
    let mut first: Option<Vec<(Lane, Record)>> = None;
    for (name, placement) in placements() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("journal");
        let mut kept = Some(journal(&path, 64 << 20, 32 << 20));
        let run = prepare_with(&config, &market, &placement, None::<NoTap>, &mut kept, &StampClock::off());
        runner::run(run.threads, &run.control, || ()).unwrap();
        assert_eq!(run.control.stopped(), None, "{name}: {:?}", run.control.detail());
        drop(run.reports);
        kept.take().unwrap().close().unwrap();
        let decided = decided(&Journal::open(&path));
        let mut counts = BTreeMap::<&str, u64>::new();
        for (_, record) in &decided {
            *counts.entry(record.kind.name()).or_default() += 1;
        }
        assert_eq!(counts.get("fill"), None, "a fill may reach a strategy between two other inputs");
        for (kind, least) in
            [("target", 100), ("gate-refused", 100), ("order", 3), ("amend", 100), ("cancel", 3)]
        {
            assert!(counts.get(kind).is_some_and(|count| *count >= least), "{kind}: {counts:?}");
        }
        let first = first.get_or_insert_with(|| decided.clone());
        assert_eq!(first.len(), decided.len(), "{name}: {counts:?}");
        let other = first.iter().zip(&decided).find(|(one, other)| one != other);
        assert!(other.is_none(), "{name}: {other:?}");
    }
}
