//! The exchange as its callers see it.

use super::*;
use crate::client_order_id::ClientOrderIds;
use engine::instrument::{ContractKind, Instrument, PriceRule, Status};
use engine::num::{Decimal, Step};

pub(crate) fn table() -> InstrumentTable {
    let step = |text: &str| Step::parse(text.as_bytes()).unwrap();
    let mut table = InstrumentTable::default();
    table.add(Instrument {
        id: InstrumentId(0),
        venue_id: VenueId(0),
        venue: "binance-usdm".into(),
        symbol: "BTCUSDT".into(),
        base: "BTC".into(),
        quote: "USDT".into(),
        kind: ContractKind::Linear,
        price_rule: PriceRule { tick: step("0.1"), significant_figures: None },
        qty_unit: step("0.001"),
        lot: Qty(1),
        qty_min: Qty(1),
        qty_max: Qty(1_000_000),
        notional_min: Decimal::ZERO,
        contract_size: Step::ONE,
        status: Status::Trading,
        source: "test".into(),
    });
    table
}

const I: InstrumentId = InstrumentId(0);

fn level(price: i64, qty: i64) -> Level {
    Level { price: Price(price), qty: Qty(qty) }
}

fn exchange(entry_latency_us: u64, response_latency_us: u64) -> PaperExchange {
    let config = PaperConfig {
        queue: QueueModel::RiskAverse,
        fills: FillModel::Full,
        entry_latency_us,
        response_latency_us,
    };
    let book = BookConfig::new(256, 1024).unwrap();
    let mut exchange = PaperExchange::new(config, &table(), book, 8);
    exchange.on_snapshot(I, &[level(1000, 5)], &[level(1001, 5)], Nanos(0));
    exchange
}

fn id(seq: u64) -> ClientOrderId {
    ClientOrderIds::new(0, 1).id(seq)
}

fn place(exchange: &mut PaperExchange, seq: u64, side: &str, tif: &str, price: &str, qty: &str, now: u64) {
    let id = id(seq);
    let text = format!(
        r#"{{"id":"{seq}","method":"order.place","params":{{"symbol":"BTCUSDT","side":"{side}","type":"LIMIT","timeInForce":"{tif}","price":"{price}","quantity":"{qty}","newClientOrderId":"{id:?}"}}}}"#
    );
    exchange.request(text.as_bytes(), VenueId(0), Nanos(now)).unwrap();
}

fn about(exchange: &mut PaperExchange, method: &str, seq: u64, more: &str, now: u64) {
    let id = id(seq);
    let text = format!(
        r#"{{"id":"9","method":"{method}","params":{{"symbol":"BTCUSDT","origClientOrderId":"{id:?}"{more}}}}}"#
    );
    exchange.request(text.as_bytes(), VenueId(0), Nanos(now)).unwrap();
}

fn answers(exchange: &mut PaperExchange, now: u64) -> Vec<(u64, AnswerEvent)> {
    std::iter::from_fn(|| exchange.next_answer(Nanos(now))).map(|(at, answer)| (at.0, answer.event)).collect()
}

fn filled(price: i64, qty: i64, maker: bool) -> AnswerEvent {
    AnswerEvent::Filled { fill: level(price, qty), maker, fee: None }
}

#[test]
fn without_latency_an_answer_is_there_at_once() {
    let mut exchange = exchange(0, 0);
    place(&mut exchange, 1, "BUY", "GTX", "100.0", "0.002", 10);
    assert_eq!(answers(&mut exchange, 10), [(10, AnswerEvent::Accepted)]);
    place(&mut exchange, 2, "BUY", "GTX", "100.1", "0.002", 11);
    assert_eq!(answers(&mut exchange, 11), [(11, AnswerEvent::Rejected)]);
    exchange.on_delta(I, &[], &[level(1000, 1)], Nanos(12));
    assert_eq!(answers(&mut exchange, 12), [(12, filled(1000, 2, true))]);
    about(&mut exchange, "order.cancel", 1, "", 13);
    assert_eq!(answers(&mut exchange, 13), [(13, AnswerEvent::CancelRefused)]);
    assert_eq!(exchange.resting_count(), 0);
}

#[test]
fn requests_and_answers_travel_while_the_market_goes_on() {
    let mut exchange = exchange(10, 5);
    place(&mut exchange, 1, "BUY", "GTX", "100.0", "0.002", 1_000);
    assert_eq!(exchange.next_due(), Some(Nanos(11_000)));
    // The ask reaches the price while the order is on its way: it would take when it arrives.
    exchange.on_delta(I, &[], &[level(1000, 1)], Nanos(5_000));
    exchange.advance(Nanos(11_000));
    assert_eq!(answers(&mut exchange, 15_999), []);
    assert_eq!(exchange.next_due(), Some(Nanos(16_000)));
    assert_eq!(answers(&mut exchange, 16_000), [(16_000, AnswerEvent::Rejected)]);
    // A cancel that arrives behind the fill.
    place(&mut exchange, 2, "SELL", "GTX", "100.1", "0.002", 20_000);
    exchange.advance(Nanos(30_000));
    about(&mut exchange, "order.cancel", 2, "", 31_000);
    let trade = Trade { price: Price(1002), qty: Qty(1), taker: 0, ..Trade::default() };
    exchange.on_trade(I, &trade, Nanos(32_000));
    exchange.advance(Nanos(41_000));
    assert_eq!(
        answers(&mut exchange, 50_000),
        [
            (35_000, AnswerEvent::Accepted),
            (37_000, filled(1001, 2, true)),
            (46_000, AnswerEvent::CancelRefused)
        ]
    );
    assert_eq!(exchange.next_due(), None);
}

#[test]
fn taking_orders_fill_and_what_may_not_rest_expires() {
    let mut exchange = exchange(0, 0);
    place(&mut exchange, 1, "BUY", "IOC", "100.1", "0.009", 1);
    let taken = [(1, AnswerEvent::Accepted), (1, filled(1001, 5, false)), (1, AnswerEvent::Expired)];
    assert_eq!(answers(&mut exchange, 1), taken);
    place(&mut exchange, 2, "SELL", "FOK", "100.0", "0.006", 2);
    assert_eq!(answers(&mut exchange, 2), [(2, AnswerEvent::Accepted), (2, AnswerEvent::Expired)]);
    place(&mut exchange, 3, "SELL", "GTC", "100.0", "0.006", 3);
    assert_eq!(answers(&mut exchange, 3), [(3, AnswerEvent::Accepted), (3, filled(1000, 5, false))]);
    assert_eq!(exchange.resting_count(), 1);
}

#[test]
fn amendments_change_price_and_quantity_and_never_take() {
    let mut exchange = exchange(0, 0);
    place(&mut exchange, 1, "BUY", "GTX", "99.9", "0.006", 1);
    about(&mut exchange, "order.modify", 1, r#","price":"100.0","quantity":"0.004""#, 2);
    about(&mut exchange, "order.amend.keepPriority", 1, r#","newQty":"0.003""#, 4);
    about(&mut exchange, "order.amend.keepPriority", 1, r#","newQty":"0.003""#, 5);
    about(&mut exchange, "order.modify", 7, r#","price":"100.0","quantity":"0.004""#, 6);
    about(&mut exchange, "order.modify", 1, r#","price":"100.1","quantity":"0.004""#, 7);
    let expected = [
        (1, AnswerEvent::Accepted),
        (2, AnswerEvent::Amended(level(1000, 4))),
        (4, AnswerEvent::Amended(level(1000, 3))),
        (5, AnswerEvent::AmendRefused),
        (6, AnswerEvent::AmendRefused),
        (7, AnswerEvent::Canceled),
    ];
    assert_eq!(answers(&mut exchange, 9), expected);
    assert_eq!(exchange.resting_count(), 0);
}

#[test]
fn an_amended_order_fills_at_its_new_price() {
    let mut exchange = exchange(0, 0);
    place(&mut exchange, 1, "BUY", "GTX", "99.9", "0.006", 1);
    about(&mut exchange, "order.modify", 1, r#","price":"100.0","quantity":"0.003""#, 2);
    let trade = Trade { price: Price(999), qty: Qty(1), taker: 1, ..Trade::default() };
    exchange.on_trade(I, &trade, Nanos(10));
    assert_eq!(answers(&mut exchange, 10).last(), Some(&(10, filled(1000, 3, true))));
}

#[test]
fn nothing_is_taken_on_a_book_that_is_not_known_or_under_an_id_in_use() {
    let mut exchange = exchange(0, 0);
    place(&mut exchange, 1, "BUY", "GTX", "99.9", "0.006", 1);
    place(&mut exchange, 1, "BUY", "GTX", "99.9", "0.006", 2);
    exchange.on_stale(I);
    place(&mut exchange, 2, "BUY", "GTX", "99.9", "0.006", 3);
    about(&mut exchange, "order.cancel", 1, "", 4);
    let rejected = AnswerEvent::Rejected;
    let expected = [(1, AnswerEvent::Accepted), (2, rejected), (3, rejected), (4, AnswerEvent::Canceled)];
    assert_eq!(answers(&mut exchange, 4), expected);
    exchange.on_snapshot(I, &[level(1000, 5)], &[level(1001, 5)], Nanos(5));
    place(&mut exchange, 2, "BUY", "GTX", "99.9", "0.006", 6);
    assert_eq!(answers(&mut exchange, 6), [(6, AnswerEvent::Accepted)]);
}

#[test]
fn a_trade_counts_once_where_aggregates_are_printed_too() {
    let mut exchange = exchange(0, 0);
    place(&mut exchange, 1, "BUY", "GTX", "100.0", "0.002", 1);
    let single = Trade { price: Price(1000), qty: Qty(3), taker: 1, ..Trade::default() };
    // Five stand before it: three traded, told twice, leave two.
    for trade in [single, Trade { aggregate: 1, ..single }] {
        exchange.on_trade(I, &trade, Nanos(2));
    }
    assert_eq!(answers(&mut exchange, 2), [(1, AnswerEvent::Accepted)]);
    exchange.on_trade(I, &single, Nanos(3));
    assert_eq!(answers(&mut exchange, 3), [(3, filled(1000, 2, true))]);
}

#[test]
fn an_exchange_that_cannot_answer_says_so() {
    let mut exchange = exchange(0, 0);
    for seq in 0..200 {
        place(&mut exchange, seq, "BUY", "GTX", "99.9", "0.006", 1);
    }
    assert!(exchange.has_overflowed());
}

#[test]
fn a_query_tells_every_fill_again_and_where_the_order_stands() {
    let mut exchange = exchange(0, 0);
    let query = |exchange: &mut PaperExchange, seq, now| {
        about(exchange, "order.status", seq, "", now);
        answers(exchange, now)
    };
    let exists = |state, filled| AnswerEvent::Standing(Standing::Exists { state, filled: Qty(filled) });
    assert_eq!(query(&mut exchange, 1, 1), [(1, AnswerEvent::Standing(Standing::Absent))]);
    place(&mut exchange, 1, "SELL", "GTC", "100.0", "0.006", 2);
    assert_eq!(answers(&mut exchange, 2), [(2, AnswerEvent::Accepted), (2, filled(1000, 5, false))]);
    let rests = VenueState::Open(level(1000, 6));
    assert_eq!(query(&mut exchange, 1, 3), [(3, filled(1000, 5, false)), (3, exists(rests, 5))]);
    assert_eq!(exchange.account().positions, [Qty(-5)]);
    assert_eq!(exchange.account().open.iter().map(|open| open.filled).collect::<Vec<_>>(), [Qty(5)]);
    about(&mut exchange, "order.cancel", 1, "", 4);
    assert_eq!(answers(&mut exchange, 4), [(4, AnswerEvent::Canceled)]);
    assert_eq!(
        query(&mut exchange, 1, 5),
        [(5, filled(1000, 5, false)), (5, exists(VenueState::Canceled, 5))]
    );
    place(&mut exchange, 2, "BUY", "GTX", "100.1", "0.002", 6);
    answers(&mut exchange, 6);
    assert_eq!(query(&mut exchange, 2, 7), [(7, exists(VenueState::Rejected, 0))]);
    assert_eq!(exchange.account().open, []);
}

fn send(exchange: &mut PaperExchange, method: &str, id_key: &str, seq: u64, more: &str, now: u64) {
    let id = id(seq);
    let text = format!(
        r#"{{"id":"9","method":"{method}","params":{{"symbol":"BTCUSDT","{id_key}":"{id:?}"{more}}}}}"#
    );
    exchange.request(text.as_bytes(), VenueId(0), Nanos(now)).unwrap();
}

fn market(exchange: &mut PaperExchange, seq: u64, side: &str, qty: &str, reduces: bool, now: u64) {
    let more = format!(r#","side":"{side}","type":"MARKET","quantity":"{qty}","reduceOnly":"{reduces}""#);
    send(exchange, "order.place", "newClientOrderId", seq, &more, now);
}

fn stop(exchange: &mut PaperExchange, seq: u64, side: &str, trigger: &str, more: &str, now: u64) {
    let more = format!(
        r#","side":"{side}","quantity":"0.003","triggerPrice":"{trigger}","algoType":"CONDITIONAL","workingType":"CONTRACT_PRICE"{more}"#
    );
    send(exchange, "algoOrder.place", "clientAlgoId", seq, &more, now);
}

const STOP_MARKET: &str = r#","type":"STOP_MARKET""#;

fn trade(exchange: &mut PaperExchange, price: i64, now: u64) {
    let trade = Trade { price: Price(price), qty: Qty(1), taker: 0, ..Trade::default() };
    exchange.on_trade(I, &trade, Nanos(now));
}

#[test]
fn market_orders_walk_the_book_and_take_nothing_twice() {
    let mut exchange = exchange(0, 0);
    exchange.on_snapshot(I, &[level(1000, 5)], &[level(1001, 5), level(1003, 2)], Nanos(0));
    market(&mut exchange, 1, "BUY", "0.006", false, 1);
    let walked = [(1, AnswerEvent::Accepted), (1, filled(1001, 5, false)), (1, filled(1003, 1, false))];
    assert_eq!(answers(&mut exchange, 1), walked);
    market(&mut exchange, 2, "BUY", "0.006", false, 2);
    let rest = [(2, AnswerEvent::Accepted), (2, filled(1003, 1, false)), (2, AnswerEvent::Expired)];
    assert_eq!(answers(&mut exchange, 2), rest, "what is left, and no more");
    assert_eq!(exchange.account().positions, [Qty(7)]);
}

#[test]
fn a_stop_waits_for_a_trade_and_then_takes() {
    let mut exchange = exchange(0, 0);
    stop(&mut exchange, 1, "SELL", "99.5", STOP_MARKET, 1);
    assert_eq!(answers(&mut exchange, 1), [(1, AnswerEvent::Accepted)]);
    assert_eq!(exchange.account().open.len(), 1, "it is open");
    // The touch alone does not wake it.
    exchange.on_delta(I, &[level(1000, 0), level(994, 5)], &[], Nanos(2));
    trade(&mut exchange, 996, 3);
    assert_eq!(answers(&mut exchange, 3), []);
    trade(&mut exchange, 995, 4);
    assert_eq!(answers(&mut exchange, 4), [(4, AnswerEvent::Triggered), (4, filled(994, 3, false))]);
    assert_eq!((exchange.resting_count(), exchange.account().positions), (0, vec![Qty(-3)]));
    stop(&mut exchange, 2, "SELL", "99.5", STOP_MARKET, 5);
    assert_eq!(answers(&mut exchange, 5), [(5, AnswerEvent::Rejected)], "it would be met at once");
}

#[test]
fn a_stop_with_a_limit_rests_once_it_is_triggered_and_is_canceled_by_either_name() {
    let mut exchange = exchange(0, 0);
    let limited = r#","type":"STOP","timeInForce":"GTC","price":"100.8""#;
    stop(&mut exchange, 1, "BUY", "100.5", limited, 1);
    stop(&mut exchange, 2, "BUY", "100.6", limited, 1);
    stop(&mut exchange, 3, "BUY", "100.7", limited, 1);
    answers(&mut exchange, 1);
    let cancel = |exchange: &mut PaperExchange, seq, now| {
        let id = id(seq);
        let text =
            format!(r#"{{"id":"9","method":"algoOrder.cancel","params":{{"clientAlgoId":"{id:?}"}}}}"#);
        exchange.request(text.as_bytes(), VenueId(0), Nanos(now)).unwrap();
        answers(exchange, now)
    };
    assert_eq!(cancel(&mut exchange, 2, 2), [(2, AnswerEvent::Canceled)]);
    exchange.on_delta(I, &[], &[level(1001, 0), level(1010, 5)], Nanos(3));
    trade(&mut exchange, 1006, 3);
    assert_eq!(answers(&mut exchange, 3), [(3, AnswerEvent::Triggered)]);
    assert_eq!(cancel(&mut exchange, 1, 4), [(4, AnswerEvent::CancelRefused)], "it waits no longer");
    let open = exchange.account().open;
    assert_eq!(open.iter().map(|one| one.level).collect::<Vec<_>>(), [level(1008, 3); 2]);
    exchange.on_delta(I, &[], &[level(1008, 9)], Nanos(5));
    assert_eq!(answers(&mut exchange, 5), [(5, filled(1008, 3, true))], "as a limit order at rest");
    assert!(exchange.ask(I, id(3), Nanos(6)));
    let waits = Standing::Exists { state: VenueState::Open(level(1008, 3)), filled: Qty(0) };
    assert_eq!(answers(&mut exchange, 6), [(6, AnswerEvent::Standing(waits))]);
    assert_eq!(cancel(&mut exchange, 3, 7), [(7, AnswerEvent::Canceled)]);
    about(&mut exchange, "order.cancel", 3, "", 8);
    assert_eq!(answers(&mut exchange, 8), [(8, AnswerEvent::CancelRefused)]);
}

#[test]
fn a_reduce_only_order_never_turns_the_position() {
    let mut exchange = exchange(0, 0);
    market(&mut exchange, 1, "SELL", "0.001", true, 1);
    assert_eq!(answers(&mut exchange, 1), [(1, AnswerEvent::Rejected)], "there is nothing to reduce");
    market(&mut exchange, 2, "BUY", "0.004", false, 2);
    market(&mut exchange, 3, "BUY", "0.001", true, 2);
    answers(&mut exchange, 2);
    assert_eq!(exchange.account().positions, [Qty(4)], "it would have added");
    // Two that rest, for more than there is.
    let reduces = r#","side":"SELL","type":"LIMIT","timeInForce":"GTC","price":"100.5","quantity":"0.003","reduceOnly":"true""#;
    for seq in [4, 5] {
        send(&mut exchange, "order.place", "newClientOrderId", seq, reduces, 3);
    }
    answers(&mut exchange, 3);
    market(&mut exchange, 6, "SELL", "0.002", false, 4);
    answers(&mut exchange, 4);
    market(&mut exchange, 7, "SELL", "0.009", true, 5);
    let held = [
        (5, AnswerEvent::Accepted),
        (5, filled(1000, 2, false)),
        (5, AnswerEvent::Expired),
        (5, AnswerEvent::Expired),
        (5, AnswerEvent::Expired),
    ];
    assert_eq!(answers(&mut exchange, 5), held, "two of nine, and those that rest go with the position");
    assert_eq!((exchange.account().positions, exchange.resting_count()), (vec![Qty(0)], 0));
}
