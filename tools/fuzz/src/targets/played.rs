//! A recorded market played to the simulated venue: whatever the recording says, the book is not crossed, the stream
//! of level changes is the book, and nothing is created or lost.
//!
//! Input: a capture.

use crate::driver::Outcome;
use crate::scratch;
use crate::truth::outcome;
use engine::book::BookSide;
use engine::ids::{AccountId, InstrumentId};
use engine::num::Qty;
use std::collections::BTreeMap;
use venue_sim::exchange::{AccountTerms, Amount, Event, Exchange, ExchangeConfig};
use venue_sim::flow::capture::{self, Capture, Fault, Message};
use venue_sim::flow::replay::Replay;

const MARKET: InstrumentId = InstrumentId(0);

/// Runs one input.
pub fn target(data: &[u8]) -> Outcome {
    let lines = data.split(|byte| *byte == b'\n').count();
    let parsed = capture::parse(data);
    if !data.starts_with(&[0x1f, 0x8b]) {
        let read = capture::read(&scratch::file("played", data));
        assert_eq!(
            read.ok().map(|read| read.frames),
            parsed.as_ref().ok().map(|parsed| parsed.frames.clone())
        );
    }
    match parsed {
        Ok(capture) => {
            assert!(capture.frames.len() <= lines, "more messages than lines");
            play(&capture)
        }
        Err((line, fault)) => {
            assert!(line <= lines, "line {line} of {lines}");
            // The lines before the bad one are good, or are only too few.
            let before = data.split(|byte| *byte == b'\n').take(line.saturating_sub(1)).collect::<Vec<_>>();
            let again = capture::parse(&before.join(&b'\n'));
            let is_good = matches!(again, Ok(_) | Err((_, Fault::Empty)));
            assert!(is_good || matches!(fault, Fault::Empty), "a line before {line} is bad");
            outcome((line.min(3), std::mem::discriminant(&fault)))
        }
    }
}

fn play(capture: &Capture) -> Outcome {
    let config = ExchangeConfig {
        product: capture.product,
        listings: vec![capture.listing.clone()],
        other_assets: Vec::new(),
        opened: capture.frames.first().map(|frame| frame.time).unwrap_or_default(),
        ended_orders_kept: 0,
        trades_kept: 4,
    };
    let mut exchange = Exchange::new(&config).expect("a listing of the venue's own");
    let terms = AccountTerms { reports: false, unlimited: true };
    let account = exchange.open_account(terms).expect("the second account");
    let mut replay = Replay::new(capture, MARKET, account);
    let (mut book, mut update_id, mut outcomes) = (BTreeMap::new(), 0, Vec::new());
    for frame in &capture.frames {
        let mut events = Vec::new();
        replay.play(&mut exchange, frame, &mut events);
        let mut traded = 0;
        for event in &events {
            match event {
                Event::Level(change) => {
                    update_id += 1;
                    assert_eq!(change.update_id, update_id, "level changes have no gap");
                    book.insert((change.side, change.level.price), change.level.qty);
                }
                Event::Trade(trade) => {
                    assert!(trade.qty > Qty(0));
                    traded += 1;
                }
                _ => {}
            }
        }
        book.retain(|_, qty| *qty > Qty(0));
        let depth = exchange.depth(MARKET, usize::MAX).expect("the market");
        assert_eq!(depth.last_update_id, update_id);
        let sides = [(BookSide::Bid, &depth.bids), (BookSide::Ask, &depth.asks)];
        let shown = sides
            .iter()
            .flat_map(|(side, levels)| levels.iter().map(|level| ((*side, level.price), level.qty)));
        assert_eq!(shown.collect::<BTreeMap<_, _>>(), book, "the stream is not the book");
        let is_open = |(bid, ask): (&engine::num::Level, &engine::num::Level)| bid.price < ask.price;
        assert!(depth.bids.first().zip(depth.asks.first()).is_none_or(is_open), "the book is crossed");
        let kind = matches!(frame.what, Message::Trade { .. });
        outcomes.push((kind, traded.min(2), depth.bids.is_empty(), depth.asks.is_empty()));
    }
    conserved(&exchange);
    outcomes.windows(2.min(outcomes.len().max(1))).flat_map(outcome).collect()
}

/// The crowd trades with itself and pays fees to the house: all in all there is nothing.
fn conserved(exchange: &Exchange) {
    let accounts: Vec<_> = (0..=1).filter_map(|id| exchange.account(AccountId(id))).collect();
    for asset in 0..exchange.assets().len() {
        let total: Amount = accounts.iter().map(|account| account.balances()[asset].total()).sum();
        assert_eq!(total, Amount::ZERO, "sum of {}", exchange.assets()[asset]);
    }
}
