//! What answers and events become.

use super::*;
use crate::throttle::{Cost, Priority};
use engine::ids::VenueId;
use engine::instrument::{PriceRule, Status as Trading};
use engine::num::{Level, Price, Side, Step};
use wire::json::Value;

pub(in super::super) const AT: Nanos = Nanos::from_ms(1_700_000_003_000);
const WINDOW_MS: u32 = 2_000;

pub(in super::super) fn instrument() -> Instrument {
    Instrument {
        id: InstrumentId(0),
        venue_id: VenueId(0),
        venue: "binance-usdm".into(),
        symbol: "BTCUSDT".into(),
        base: "BTC".into(),
        quote: "USDT".into(),
        kind: ContractKind::Linear,
        price_rule: PriceRule { tick: Step::parse(b"0.1").unwrap(), significant_figures: None },
        qty_unit: Step::parse(b"0.001").unwrap(),
        lot: Qty(1),
        qty_min: Qty(1),
        qty_max: Qty(1_000),
        notional_min: Decimal::ZERO,
        contract_size: Step::ONE,
        status: Trading::Trading,
        source: "test".into(),
    }
}

pub(in super::super) fn ledger() -> Ledger {
    let limits = [Limit { counted: Counted::Orders, window_ns: Nanos::from_ms(10_000), max: 100 }];
    Ledger::new(ContractKind::Linear, &[instrument()], &limits, WINDOW_MS, "key")
}

fn id() -> ClientOrderId {
    ClientOrderId::from_bytes(b"a1").unwrap()
}

fn ask(ledger: &mut Ledger, number: u64, asked: Asked, at: Nanos) {
    let pass = ledger.throttle.ask(Priority::Cancel, Cost { weight: 1, orders: 1 }, at).unwrap();
    assert!(ledger.has_room(number));
    ledger.sent(Sent { number, asked, id: id(), at, pass: Some(pass) });
}

fn said(ledger: &mut Ledger) -> Vec<(AnswerEvent, Option<Qty>)> {
    std::iter::from_fn(|| ledger.next_answer(Nanos::MAX)).map(|(_, one)| (one.event, one.filled)).collect()
}

fn refused(number: u64, status: u16, code: i32) -> String {
    format!(r#"{{"id":"{number}","status":{status},"error":{{"code":{code},"msg":"no"}}}}"#)
}

const FILL: &[u8] = br#"{"e":"ORDER_TRADE_UPDATE","T":1,"E":2,"o":{"s":"BTCUSDT","c":"a1","S":"BUY","q":"0.003","p":"100.0","x":"TRADE","X":"PARTIALLY_FILLED","i":8,"l":"0.001","z":"0.001","L":"100.0","N":"USDT","n":"0","T":3,"t":12,"m":true}}"#;
const OPEN: &str = r#"{"symbol":"BTCUSDT","orderId":8,"clientOrderId":"a1","price":"100.0","origQty":"0.003","executedQty":"0.003","status":"FILLED","side":"BUY","updateTime":3}"#;

fn trade(trade_id: u64, qty: i64, venue_order_id: u64) -> Trade<'static> {
    Trade {
        instrument: InstrumentId(0),
        trade_id,
        venue_order_id,
        side: Side::Buy,
        level: Level { price: Price(1_000), qty: Qty(qty) },
        maker: true,
        fee: Decimal::ZERO,
        fee_asset: b"USDT",
        at: AT,
    }
}

#[test]
fn a_conditional_order_is_told_of_like_any_other() {
    let mut ledger = ledger();
    let hear = |ledger: &mut Ledger, states: &[&str]| {
        for state in states {
            let event = format!(
                r#"{{"e":"ALGO_UPDATE","T":1,"o":{{"caid":"a1","aid":5,"X":"{state}","ai":"","rm":""}}}}"#
            );
            ledger.on_text(event.as_bytes(), AT, AT);
        }
        said(ledger).into_iter().map(|(event, _)| event).collect::<Vec<_>>()
    };
    for (number, asked) in [(1, Asked::Place), (2, Asked::Cancel)] {
        ask(&mut ledger, number, asked, AT);
        let answer =
            format!(r#"{{"id":"{number}","status":200,"result":{{"algoId":5,"clientAlgoId":"a1"}}}}"#);
        ledger.on_text(answer.as_bytes(), AT, AT);
    }
    use AnswerEvent::{Accepted, Canceled, Expired, Triggered};
    let told = hear(&mut ledger, &["TRIGGERING", "TRIGGERED", "FINISHED", "REJECTED", "EXPIRED"]);
    assert_eq!(told, [Accepted, Canceled, Triggered, Expired, Expired]);
    assert!(!ledger.is_in_doubt && ledger.counts.unreadable == 0);
}

#[test]
fn a_fill_that_overtakes_its_acknowledgement_is_told_first() {
    let mut ledger = ledger();
    ask(&mut ledger, 1, Asked::Place, AT);
    ledger.on_text(FILL, AT, AT);
    let ack = format!(r#"{{"id":"1","status":200,"result":{OPEN}}}"#);
    ledger.on_text(ack.as_bytes(), AT, AT);
    let fill = Level { price: Price(1_000), qty: Qty(1) };
    let told = [
        (
            AnswerEvent::Filled {
                fill,
                maker: true,
                fee: Some(Charge { amount: Decimal::parse("0").unwrap(), asset: ChargeAsset::Settle }),
            },
            Some(Qty(1)),
        ),
        (AnswerEvent::Accepted, None),
    ];
    assert_eq!(said(&mut ledger), told);
    assert!(!ledger.has_overflowed && ledger.stopped.is_none());
}

#[test]
fn an_order_is_absent_only_once_a_request_for_it_would_be_refused() {
    let window = u64::from(WINDOW_MS) + 1_000;
    for (later_ms, standing) in [(window - 1, Standing::Unknown), (window, Standing::Absent)] {
        let mut ledger = ledger();
        ask(&mut ledger, 1, Asked::Place, AT);
        let later = AT.plus(Nanos::from_ms(later_ms));
        ask(&mut ledger, 2, Asked::Query, later);
        ledger.on_text(refused(2, 400, -2013).as_bytes(), later, later);
        assert_eq!(said(&mut ledger), [(AnswerEvent::Standing(standing), None)]);
    }
    // Another refusal says nothing of the order.
    let mut ledger = ledger();
    ask(&mut ledger, 2, Asked::Query, AT);
    ledger.on_text(refused(2, 400, -1000).as_bytes(), AT, AT);
    assert_eq!(said(&mut ledger), [(AnswerEvent::Standing(Standing::Unknown), None)]);
}

/// The answer to a query asked so long after `AT`. None: its trades are wanted first.
fn standing(ledger: &mut Ledger, number: u64, after_ms: u64, answer: &str) -> Option<Standing> {
    let at = AT.plus(Nanos::from_ms(after_ms));
    ask(ledger, number, Asked::Query, at);
    ledger.on_text(answer.as_bytes(), at, at);
    match said(ledger)[..] {
        [(AnswerEvent::Standing(standing), None)] => Some(standing),
        [] => {
            assert!(ledger.inquiries.pop_front().is_some(), "neither told nor looked into");
            None
        }
        ref other => panic!("{other:?}"),
    }
}

/// Lets an answer to request 1 come, or none.
type Answered<'a> = &'a dyn Fn(&mut Ledger);

#[test]
fn a_request_whose_outcome_is_open_is_under_way_until_the_venue_would_refuse_it() {
    let window = u64::from(WINDOW_MS) + 1_000;
    let heard = |text: String| {
        move |ledger: &mut Ledger| {
            ledger.on_text(text.as_bytes(), AT, AT);
        }
    };
    let rest = |answer: Option<(u16, &'static str)>| {
        let response = answer.map(|(status, body)| Response { status, head: b"", body: body.as_bytes() });
        move |ledger: &mut Ledger| ledger.on_order_answer(1, response, AT, AT)
    };
    let ways: [(&str, Answered<'_>); 10] = [
        ("503", &heard(refused(1, 503, 0))),
        ("408", &heard(refused(1, 408, 0))),
        ("-1000", &heard(refused(1, 400, -1000))),
        ("-1006", &heard(refused(1, 400, -1006))),
        ("-1007", &heard(refused(1, 400, -1007))),
        ("a code without a row", &heard(refused(1, 400, -9_999))),
        ("an unreadable result", &heard(r#"{"id":"1","status":200,"result":{}}"#.to_owned())),
        ("no answer of REST", &rest(None)),
        ("a proxy's page", &rest(Some((502, "<html>")))),
        ("an unreadable answer of REST", &rest(Some((200, "{}")))),
    ];
    let (absent, open) = (refused(2, 400, -2013), format!(r#"{{"id":"2","status":200,"result":{OPEN}}}"#));
    for asked in [Asked::Place, Asked::Amend] {
        for (way, answered) in &ways {
            let begun = || {
                let mut ledger = ledger();
                ask(&mut ledger, 1, asked, AT);
                answered(&mut ledger);
                assert!(said(&mut ledger).is_empty(), "{way}: nothing is told");
                let passes: Vec<_> = ledger.open.iter().map(|sent| sent.pass.is_some()).collect();
                assert_eq!(passes, [false], "{way}: its pass is back");
                ledger
            };
            for (after_ms, expected) in [(1_000, Standing::Unknown), (window, Standing::Absent)] {
                assert_eq!(standing(&mut begun(), 2, after_ms, &absent), Some(expected), "{way}, {asked:?}");
            }
            // A new order is there once it is seen; where an amendment stands is not certain before.
            let seen = (asked == Asked::Amend).then_some(Standing::Unknown);
            assert_eq!(standing(&mut begun(), 2, 1_000, &open), seen, "{way}, {asked:?}");
            assert_eq!(standing(&mut begun(), 2, window, &open), None, "{way}, {asked:?}");
            let mut ledger = begun();
            ledger.expire(AT.plus(ledger.window_ns()).plus(ANSWER_NS_MAX));
            assert!(ledger.order.is_empty() && ledger.open.is_empty(), "{way}: not for ever");
        }
    }
}

#[test]
fn an_order_that_was_acknowledged_is_not_absent_while_a_copy_of_the_venues_may_lag_behind() {
    let window = u64::from(WINDOW_MS) + 1_000;
    let ack = format!(r#"{{"id":"1","status":200,"result":{OPEN}}}"#);
    for (after_ms, expected) in [(1_000, Standing::Unknown), (window, Standing::Absent)] {
        let mut ledger = ledger();
        ask(&mut ledger, 1, Asked::Place, AT);
        ledger.on_text(ack.as_bytes(), AT, AT);
        assert_eq!(said(&mut ledger), [(AnswerEvent::Accepted, None)]);
        assert_eq!(standing(&mut ledger, 2, after_ms, &refused(2, 400, -2013)), Some(expected));
    }
    // One that was refused is no order.
    let mut ledger = ledger();
    ask(&mut ledger, 1, Asked::Place, AT);
    ledger.on_text(refused(1, 400, -5022).as_bytes(), AT, AT);
    assert_eq!(said(&mut ledger), [(AnswerEvent::Rejected, None)]);
    assert_eq!(standing(&mut ledger, 2, 0, &refused(2, 400, -2013)), Some(Standing::Absent));
}

#[test]
fn an_order_that_traded_is_answered_behind_its_trades_and_only_by_their_sum() {
    let mut ledger = ledger();
    ask(&mut ledger, 1, Asked::Query, AT);
    ledger.on_text(format!(r#"{{"id":"1","status":200,"result":{OPEN}}}"#).as_bytes(), AT, AT);
    assert!(said(&mut ledger).is_empty());
    let inquiry = ledger.inquiries.pop_front().unwrap();
    for mut rows in [vec![trade(1, 2, 8)], vec![trade(1, 2, 8), trade(2, 1, 9)], vec![]] {
        ledger.on_trades(&inquiry, &mut rows, AT);
        assert_eq!(said(&mut ledger), [(AnswerEvent::Standing(Standing::Unknown), None)]);
    }
    ledger.on_trades(&inquiry, &mut [trade(2, 1, 8), trade(1, 2, 8)], AT);
    let sums: Vec<_> = said(&mut ledger).into_iter().map(|(_, filled)| filled).collect();
    assert_eq!(sums, [Some(Qty(2)), Some(Qty(3)), None]);
}

#[test]
fn what_leaves_the_outcome_open_is_not_answered_and_the_rest_is() {
    let mut ledger = ledger();
    for (number, asked, code, expected) in [
        (1, Asked::Place, -1007, None),
        (2, Asked::Place, -4116, None),
        (3, Asked::Place, -5022, Some(AnswerEvent::Rejected)),
        (4, Asked::Amend, -5027, Some(AnswerEvent::AmendRefused)),
        (5, Asked::Amend, -1006, None),
        (6, Asked::Cancel, -2011, Some(AnswerEvent::CancelRefused)),
        (7, Asked::Place, -1021, Some(AnswerEvent::Rejected)),
    ] {
        ask(&mut ledger, number, asked, AT);
        ledger.on_text(refused(number, 400, code).as_bytes(), AT, AT);
        let told: Vec<_> = said(&mut ledger).into_iter().map(|(event, _)| event).collect();
        assert_eq!(told, expected.into_iter().collect::<Vec<_>>(), "{code}");
    }
    assert!(ledger.is_clock_off && ledger.stopped.is_none());
    ask(&mut ledger, 8, Asked::Place, AT);
    ledger.on_text(refused(8, 400, -1022).as_bytes(), AT, AT);
    assert!(ledger.stopped.is_some());
}

#[test]
fn a_used_up_limit_holds_orders_back_and_a_ban_everything() {
    let mut ledger = ledger();
    ask(&mut ledger, 1, Asked::Place, AT);
    ledger.on_text(refused(1, 429, -1015).as_bytes(), AT, AT);
    let (order, cancel) = (Cost { weight: 0, orders: 1 }, Cost { weight: 1, orders: 0 });
    assert_eq!(ledger.throttle.ask(Priority::New, order, AT), Err(AT.plus(Nanos::from_ms(7_500))));
    assert!(ledger.throttle.ask(Priority::Cancel, cancel, AT).is_ok());
    ask(&mut ledger, 2, Asked::Cancel, AT.plus(Nanos::from_ms(8_000)));
    let until = AT.plus(Nanos::from_ms(60_000));
    let banned = format!(
        r#"{{"id":"2","status":429,"error":{{"code":-1003,"msg":"x","data":{{"retryAfter":{}}}}}}}"#,
        until.as_ms()
    );
    ledger.on_text(banned.as_bytes(), AT, AT);
    assert_eq!(ledger.throttle.ask(Priority::Cancel, cancel, AT), Err(until.plus(GUARD_NS)));
}

#[test]
fn what_cannot_be_read_puts_everything_in_doubt_and_a_lost_session_stops() {
    let mut ledger = ledger();
    ledger.on_text(b"{\"e\":\"ORDER_TRADE_UPDATE\",\"o\":{}}", AT, AT);
    assert!(ledger.is_in_doubt && ledger.counts.unreadable == 1);
    ledger.on_text(b"{\"e\":\"listenKeyExpired\",\"E\":\"1\",\"listenKey\":\"k\"}", AT, AT);
    assert!(ledger.is_stream_over);
    ledger.on_text(br#"{"id":null,"status":401,"error":{"code":-2015,"msg":"Invalid API-key."}}"#, AT, AT);
    assert!(ledger.stopped.is_some());
    ledger.on_text(refused(77, 400, -1000).as_bytes(), AT, AT);
    assert_eq!(ledger.counts.unmatched, 1);
    assert!(Value::root(OPEN.as_bytes()).check().is_ok());
}

#[test]
fn an_answer_without_the_key_that_was_asked_for_has_it_asked_for_again() {
    for (asked, result, key, is_over) in [
        (Asked::ListenKey, r#"{"listenKey":"k"}"#, Some(&b"k"[..]), false),
        (Asked::ListenKey, "{}", None, true),
        (Asked::ListenKey, r#"{"listenKey":7}"#, None, true),
        (Asked::KeepKey, r#"{"listenKey":"k"}"#, Some(&b"k"[..]), false),
        // It lives on all the same.
        (Asked::KeepKey, "{}", None, false),
    ] {
        let mut ledger = ledger();
        ask(&mut ledger, 1, asked, AT);
        let answer = format!(r#"{{"id":"1","status":200,"result":{result}}}"#);
        assert_eq!(ledger.on_text(answer.as_bytes(), AT, AT), key, "{answer}");
        assert_eq!(ledger.is_stream_over, is_over, "{answer}");
    }
}

#[test]
fn what_the_venue_says_of_the_account_is_told_to_the_operator_and_changes_nothing() {
    let mut ledger = ledger();
    for event in [
        r#"{"e":"ACCOUNT_CONFIG_UPDATE","E":1,"T":1,"ac":{"s":"BTCUSDT","l":25}}"#,
        r#"{"e":"ACCOUNT_CONFIG_UPDATE","E":1,"T":1,"ac":{"s":"ETHUSDT","l":5}}"#,
        r#"{"e":"ACCOUNT_CONFIG_UPDATE","E":1,"T":1,"ai":{"j":true}}"#,
        r#"{"e":"MARGIN_CALL","E":1,"cw":"3.16","p":[{"s":"ETHUSDT","ps":"BOTH","pa":"1.327","mt":"CROSSED","iw":"0","mp":"187.17","up":"-1.16","mm":"1.61"},{"s":"BTCUSDT","pa":-1}]}"#,
        // Once a minute, and even where it says nothing more.
        r#"{"e":"MARGIN_CALL","E":1,"p":[]}"#,
    ] {
        ledger.on_text(event.as_bytes(), AT, AT);
    }
    ledger.on_text(br#"{"e":"MARGIN_CALL","E":1,"p":7}"#, AT.plus(Nanos::from_ms(60_000)), AT);
    let lines: Vec<_> = std::iter::from_fn(|| ledger.remarks.take()).map(|line| line.to_string()).collect();
    let call = "Nothing is done about it: add margin, or reduce the position.";
    assert_eq!(
        lines,
        [
            r#"the leverage was set "BTCUSDT: 25". Orders go on."#.to_owned(),
            r#"the leverage was set "ETHUSDT: 5". Orders go on."#.to_owned(),
            r#"the asset mode was set "multi-assets mode on". Orders go on."#.to_owned(),
            format!(
                r#"a margin call "ETHUSDT 1.327 at 187.17, profit -1.16, needs 1.61; BTCUSDT ? at ?, profit ?, needs ?". {call}"#
            ),
            format!("a margin call. {call}"),
        ]
    );
    assert!(!ledger.is_in_doubt && ledger.counts.unreadable == 0 && said(&mut ledger).is_empty());
}

#[test]
fn what_nobody_answers_is_given_up_in_time() {
    let mut ledger = ledger();
    ask(&mut ledger, 1, Asked::Cancel, AT);
    ledger.expire(AT.plus(Nanos::from_ms(14_999)));
    assert!(!ledger.order.is_empty());
    ledger.expire(AT.plus(Nanos::from_ms(15_000)));
    assert!(ledger.order.is_empty());
    ledger.on_text(refused(1, 400, -2011).as_bytes(), AT, AT);
    assert!(said(&mut ledger).is_empty());
}

#[test]
fn what_is_open_is_not_in_the_way_of_requests_whose_numbers_come_round_before_it_expires() {
    let mut ledger = ledger();
    ask(&mut ledger, 1, Asked::Place, AT);
    ledger.on_text(format!(r#"{{"id":"1","status":200,"result":{OPEN}}}"#).as_bytes(), AT, AT);
    assert_eq!(ledger.open.len(), 1, "acknowledged, and a copy may deny it");
    for number in 2..3 * SENT_MAX as u64 {
        assert!(ledger.has_room(number), "{number}");
        ledger.sent(Sent { number, asked: Asked::Cancel, id: id(), at: AT, pass: None });
        assert!(ledger.take(number).is_some());
        ledger.expire(AT);
    }
    let capacity = ledger.open.capacity();
    while ledger.has_room(2) {
        ledger.keep(&Sent { number: 1, asked: Asked::Place, id: id(), at: AT, pass: None });
    }
    assert_eq!((ledger.open.len(), ledger.open.capacity()), (SENT_MAX, capacity), "bounded, without memory");
}
