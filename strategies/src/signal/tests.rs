//! The stage as its neighbours see it.

use super::*;
use engine::candle::Candle;
use engine::ids::VenueId;
use engine::instrument::{ContractKind, Instrument, PriceRule, Status};
use engine::message::book_state;
use engine::num::{Decimal, Level, Price, Qty, Step};
use proptest::prelude::*;
use std::sync::mpsc::{Receiver, sync_channel};

pub(super) fn instrument() -> Instrument {
    let step = |text: &str| Step::parse(text.as_bytes()).unwrap();
    Instrument {
        id: InstrumentId(0),
        venue_id: VenueId(0),
        venue: "test".into(),
        symbol: "BTCUSDT".into(),
        base: "BTC".into(),
        quote: "USDT".into(),
        kind: ContractKind::Linear,
        price_rule: PriceRule { tick: step("0.1"), significant_figures: None },
        qty_unit: step("0.001"),
        lot: Qty(1),
        qty_min: Qty(1),
        qty_max: Qty(1_000_000),
        notional_min: Decimal::parse("100").unwrap(),
        contract_size: Step::ONE,
        status: Status::Trading,
        source: "test".into(),
    }
}

/// Keeps what it is sent.
#[derive(Default)]
struct Kept {
    messages: Vec<(Head, Vec<Cell>)>,
    full: bool,
}

impl Sink for Kept {
    fn send(&mut self, message: Message<'_>) -> bool {
        if !self.full {
            self.messages.push((*message.head, message.body.to_vec()));
        }
        !self.full
    }
    fn has_room(&mut self) -> bool {
        true
    }
    fn settle(&mut self) -> u32 {
        0
    }
    fn advance(&mut self, _now: Nanos) -> u32 {
        0
    }
    fn is_settled(&self) -> bool {
        true
    }
    fn halt(&mut self) {}
}

/// A stage, what it sent, and the mirror that a strategy would keep.
struct Bench {
    stage: SignalStage,
    out: Kept,
    mirror: FeatureMirror,
    done: Receiver<SignalCounts>,
}

impl Bench {
    fn new<const N: usize>(names: [&str; N], window_trades: usize) -> Self {
        let mut table = InstrumentTable::default();
        table.add(instrument());
        let mut subscriptions = Subscriptions::new().window_trades_max(window_trades);
        let slots = subscriptions.declare(&instrument(), names).unwrap();
        assert_eq!(slots, (0..N).collect::<Vec<_>>());
        let (tx, done) = sync_channel(1);
        let stage = SignalStage::new(&table, &subscriptions, tx);
        Self { stage, out: Kept::default(), mirror: FeatureMirror::default(), done }
    }

    fn send(&mut self, kind: Kind, at: u64, body: &[Cell]) -> Vec<(Kind, Vec<Cell>)> {
        let head = Head { recv_ns: Nanos(at), ..Head::new(kind) };
        self.stage.on_message(Message { head: &head, body }, &mut self.out);
        let sent = std::mem::take(&mut self.out.messages);
        for (head, body) in &sent {
            if head.kind() == Some(Kind::Features) {
                assert!(self.mirror.apply(&Message { head, body }));
            }
        }
        sent.into_iter().map(|(head, body)| (head.kind().unwrap(), body)).collect()
    }

    /// The whole top of a book of one level a side, in `state`.
    fn book(&mut self, at: u64, bid: (i64, i64), ask: (i64, i64), state: u32) -> Vec<(Kind, Vec<Cell>)> {
        let level = |(price, qty)| Level { price: Price(price), qty: Qty(qty) };
        let (bid, ask) = (level(bid), level(ask));
        let changed = BookChanged { bid, ask, state, bid_slots: 1, ask_slots: 1, ..BookChanged::default() };
        let mut body = changed.cells().to_vec();
        let words = [bid.price.0, bid.qty.0, ask.price.0, ask.qty.0, 0, 0, 0, 0];
        body.push(Cell(words.map(i64::cast_unsigned)));
        self.send(Kind::BookChanged, at, &body)
    }

    fn trade(&mut self, at: u64, trade: Trade) -> Vec<(Kind, Vec<Cell>)> {
        self.send(Kind::Trade, at, trade.cells())
    }

    fn values<const N: usize>(&self) -> [Option<f64>; N] {
        std::array::from_fn(|slot| self.mirror.value(slot))
    }

    fn counts(self) -> SignalCounts {
        let Self { stage, done, .. } = self;
        drop(stage);
        done.recv().unwrap()
    }
}

fn trade(id: u64, seconds: u64, price: i64, qty: i64, taker: u32) -> Trade {
    Trade {
        first_id: id,
        last_id: id,
        price: Price(price),
        qty: Qty(qty),
        trade_ns: Nanos(seconds * Nanos::SECOND.0),
        taker,
        ..Trade::default()
    }
}

fn kinds(sent: &[(Kind, Vec<Cell>)]) -> Vec<Kind> {
    sent.iter().map(|(kind, _)| *kind).collect()
}

#[test]
fn only_what_changed_is_sent_and_what_has_no_value_says_so() {
    let mut bench = Bench::new(["spread", "mid", "micro_price", "imbalance(1)"], 8);
    let first = bench.book(1, (100, 1), (102, 3), book_state::EMPTY);
    assert_eq!(kinds(&first), [Kind::BookChanged, Kind::Features]);
    assert_eq!(bench.values(), [None; 4], "a snapshot that nothing has followed is not the market");
    bench.book(2, (100, 1), (102, 3), 0);
    assert_eq!(bench.values(), [Some(2.0), Some(101.0), Some(100.5), Some(-0.5)]);
    let same = bench.book(3, (100, 1), (102, 3), 0);
    assert_eq!(same[1].1.len(), 1, "nothing changed: no values");
    let qty = bench.book(4, (100, 3), (102, 3), 0);
    assert_eq!(qty[1].1.len(), 2);
    assert_eq!(std::array::from_fn(|slot| bench.mirror.changed(slot)), [false, false, true, true]);
    assert_eq!(bench.values(), [Some(2.0), Some(101.0), Some(101.0), Some(0.0)]);
    bench.book(5, (100, 3), (102, 3), book_state::STALE);
    assert_eq!(bench.values(), [None; 4]);
    bench.book(6, (100, 3), (0, 0), book_state::ONE_SIDED);
    assert_eq!(bench.values(), [None, None, None, Some(1.0)]);
}

#[test]
fn a_window_moves_with_the_time_of_every_input() {
    let mut bench = Bench::new(["taker_buy(1s)", "taker_sell(1s)", "trade_flow_imbalance(1s)"], 2);
    let second = Nanos::SECOND.0;
    let none = bench.trade(1, trade(1, 1, 100, 5, 0));
    assert_eq!(kinds(&none), [Kind::Trade], "no touch was confirmed yet");
    bench.book(2, (100, 1), (102, 3), 0);
    assert_eq!(bench.values(), [Some(5.0), Some(0.0), Some(1.0)]);
    let news = bench.trade(second, trade(2, 1, 100, 15, 1));
    assert_eq!(kinds(&news), [Kind::Trade, Kind::Features]);
    assert_eq!(bench.mirror.touch_age(), Nanos(second - 2));
    assert_eq!(bench.values(), [Some(5.0), Some(15.0), Some(-0.5)]);
    bench.send(Kind::Timer, second + 1, &[]);
    assert_eq!(bench.values(), [Some(0.0), Some(15.0), Some(-1.0)], "what is a window old has left");
    // Two more: the window has room for one of them beside the sale.
    bench.trade(second + 2, trade(3, 1, 100, 1, 0));
    assert_eq!(bench.values(), [Some(1.0), Some(15.0), Some(-0.875)]);
    bench.trade(second + 3, trade(4, 1, 100, 1, 0));
    assert_eq!(bench.values(), [None; 3], "a sum that lacks a trade is none");
    bench.send(Kind::Timer, 2 * second, &[]);
    assert_eq!(bench.values(), [Some(2.0), Some(0.0), Some(1.0)], "the dropped trade has left by now");
    bench.send(Kind::Timer, 9 * second, &[]);
    assert_eq!(bench.values(), [Some(0.0), Some(0.0), None]);
    assert_eq!(bench.counts(), SignalCounts { window_overflows: 1, ..SignalCounts::default() });
}

#[test]
fn a_candle_closes_by_the_next_trade_and_late_ones_change_nothing() {
    let mut bench = Bench::new(["candle(1s)", "high@2s", "sma_2@1s"], 8);
    bench.book(1, (100, 1), (102, 3), 0);
    bench.trade(2, trade(1, 10, 1000, 5, 0));
    bench.trade(3, trade(2, 10, 1010, 2, 1));
    bench.send(Kind::Timer, 60 * Nanos::SECOND.0, &[]);
    assert_eq!(bench.values(), [None; 3], "the timer closes nothing");
    let closing = bench.trade(5, trade(3, 11, 1020, 4, 0));
    assert_eq!(kinds(&closing), [Kind::Trade, Kind::Candle, Kind::Features]);
    let head = Head::new(Kind::Candle);
    let closed: &ClosedCandle = Message { head: &head, body: &closing[1].1 }.body_as().unwrap();
    let expected = Candle {
        high: Price(1010),
        close: Price(1010),
        volume: Qty(7),
        taker_buy_volume: Qty(5),
        // In 10^-8 of the quote asset.
        quote_volume: (5 * 1000 + 2 * 1010) * 10_000,
        taker_buy_quote_volume: 5 * 1000 * 10_000,
        trades: 2,
        first_trade_id: 1,
        last_trade_id: 2,
        ..Candle::standing_still(Price(1000), Nanos(10 * Nanos::SECOND.0), Nanos::SECOND)
    };
    assert_eq!((closed.candle(), closed.frame), (expected, Nanos::SECOND));
    assert_eq!(bench.values(), [Some(101.0), None, None]);
    let late = bench.trade(6, trade(4, 10, 5000, 4, 0));
    assert_eq!(kinds(&late), [Kind::Trade], "late for the second, taken by the two seconds that form");
    bench.trade(7, trade(5, 12, 1000, 4, 0));
    assert_eq!(bench.values(), [Some(102.0), Some(500.0), Some(101.5)]);
    bench.trade(8, trade(6, 10, 9000, 4, 0));
    assert_eq!(bench.values(), [Some(102.0), Some(500.0), Some(101.5)]);
    assert_eq!(bench.counts(), SignalCounts { late_trades: 3, ..SignalCounts::default() });
}

#[test]
fn a_trade_counts_once_where_aggregates_come_too() {
    let aggregate =
        |first_id, last_id, qty| Trade { first_id, last_id, aggregate: 1, ..trade(0, 1, 100, qty, 0) };
    let mut bench = Bench::new(["taker_buy(10s)"], 8);
    bench.book(1, (100, 1), (102, 3), 0);
    bench.trade(2, aggregate(7, 9, 30));
    assert_eq!(bench.values(), [Some(30.0)]);
    bench.trade(3, trade(9, 1, 100, 10, 0));
    assert_eq!(bench.values(), [Some(30.0)], "it was part of the aggregate");
    bench.trade(4, trade(10, 1, 100, 5, 0));
    bench.trade(5, aggregate(10, 10, 5));
    assert_eq!(bench.values(), [Some(35.0)], "from the first single trade on they alone count");
}

#[test]
fn trades_that_cannot_be_used_are_counted_and_change_nothing() {
    let mut bench = Bench::new(["taker_buy(10s)", "vpin_buckets(1,1)", "candle(1M)"], 8);
    bench.book(1, (100, 1), (102, 3), 0);
    for bad in [
        trade(1, 1, 0, 5, 0),
        trade(1, 1, 100, 0, 0),
        trade(1, 1, 100, -5, 0),
        trade(1, 1, i64::MAX, i64::MAX, 0),
        Trade { trade_ns: Nanos(u64::MAX), ..trade(1, 1, 100, 5, 0) },
    ] {
        bench.trade(2, bad);
    }
    assert_eq!(bench.values(), [Some(0.0), Some(0.0), None]);
    assert_eq!(bench.counts(), SignalCounts { refused_trades: 5, ..SignalCounts::default() });
}

#[test]
fn what_a_full_ring_refused_is_said_again() {
    let mut bench = Bench::new(["spread"], 8);
    bench.out.full = true;
    bench.book(1, (100, 1), (102, 3), 0);
    bench.out.full = false;
    assert_eq!(bench.values(), [None]);
    bench.send(Kind::Timer, 5, &[]);
    assert_eq!(bench.values(), [Some(2.0)]);
}

/// One input of a random market.
#[derive(Clone, Debug)]
enum Input {
    Book { bid: i64, spread: i64, qty: (i64, i64), state: u32 },
    Trade { price: i64, qty: i64, taker: u32 },
    Timer,
}

fn input() -> impl Strategy<Value = Input> {
    let state = prop_oneof![4 => Just(0), 1 => Just(book_state::STALE), 1 => Just(book_state::EMPTY)];
    prop_oneof![
        (90..110_i64, -1..4_i64, (0..9_i64, 0..9_i64), state)
            .prop_map(|(bid, spread, qty, state)| Input::Book { bid, spread, qty, state }),
        (90..110_i64, 1..9_i64, 0..2_u32).prop_map(|(price, qty, taker)| Input::Trade { price, qty, taker }),
        Just(Input::Timer),
    ]
}

proptest! {
    /// The mirror says at every moment what the slots show: nothing that changed was left out.
    #[test]
    fn the_mirror_equals_the_signals_after_every_message(
        inputs in prop::collection::vec((input(), 0..900_000_000_u64), 1..60),
    ) {
        const NAMES: [&str; 16] = [
            "spread", "mid", "micro_price", "touch_spread", "touch_micro_price", "imbalance(1)",
            "decayed_imbalance(0.5)", "taker_buy(2s)", "trade_flow_imbalance(2s)", "vpin(2,0.01)",
            "realised_vol(3s)", "order_flow(1s)", "instant_vol(1s)", "roll_spread(3)", "candle(2s)", "ema_2@2s",
        ];
        let mut bench = Bench::new(NAMES, 4);
        let mut at = Nanos::SECOND.0;
        for (id, (input, step)) in (1..).zip(inputs) {
            at += step;
            let sent = match input {
                Input::Book { bid, spread, qty, state } => {
                    bench.book(at, (bid, qty.0), (bid + spread, qty.1), state)
                }
                Input::Trade { price, qty, taker } => {
                    bench.trade(at, Trade { trade_ns: Nanos(at), ..trade(id, 0, price, qty, taker) })
                }
                Input::Timer => bench.send(Kind::Timer, at, &[]),
            };
            if bench.stage.instruments[0].confirmed.0 == 0 {
                continue;
            }
            let signals = bench.stage.instruments[0].signals.as_ref().unwrap();
            for (slot, name) in NAMES.iter().enumerate() {
                prop_assert_eq!(
                    bench.mirror.value(slot),
                    signals.read(slot).value().get(),
                    "{} after {:?}", name, kinds(&sent)
                );
            }
        }
    }
}
