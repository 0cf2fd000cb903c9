//! The fixtures and the dossier's examples, read.

use super::*;
use crate::client_order_id::ClientOrderId;
use engine::ids::VenueId;
use engine::instrument::{ContractKind, PriceRule, Status as Trading};
use engine::num::{Decimal, Level, Price, Qty, Side};
use engine::time::Nanos;
use std::fs;

/// `base` and `quote` as the symbol's halves; ticks and units as the fixtures print them.
fn instrument(id: u16, symbol: &str, kind: ContractKind, tick: &str, unit: &str) -> Instrument {
    Instrument {
        id: InstrumentId(u32::from(id)),
        venue_id: VenueId(0),
        venue: "binance".into(),
        symbol: symbol.into(),
        base: "BASE".into(),
        quote: "QUOTE".into(),
        kind,
        price_rule: PriceRule { tick: Step::parse(tick.as_bytes()).unwrap(), significant_figures: None },
        qty_unit: Step::parse(unit.as_bytes()).unwrap(),
        lot: Qty(1),
        qty_min: Qty(1),
        qty_max: Qty(1_000_000_000),
        notional_min: Decimal::ZERO,
        contract_size: Step::ONE,
        status: Trading::Trading,
        source: "test".into(),
    }
}

fn spot() -> Listing {
    let fine = "0.00000001";
    let of = |id, symbol, tick| instrument(id, symbol, ContractKind::Spot, tick, fine);
    Listing::new(&[
        of(0, "BTCUSDT", "0.01"),
        of(1, "ETHUSDT", "0.01"),
        of(2, "ETHBTC", fine),
        of(3, "LTCBTC", fine),
        of(4, "BNBBTC", fine),
    ])
}

fn futures() -> Listing {
    Listing::new(&[instrument(7, "BTCUSDT", ContractKind::Linear, "0.01", "0.001")])
}

fn fixture(path: &str) -> Vec<u8> {
    let path = format!("{}/../../shared/fixtures/binance/{path}", env!("CARGO_MANIFEST_DIR"));
    fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn id(text: &str) -> ClientOrderId {
    ClientOrderId::from_bytes(text.as_bytes()).unwrap()
}

fn level(price: i64, qty: i64) -> Level {
    Level { price: Price(price), qty: Qty(qty) }
}

fn order<'t>(frame: &'t [u8], listing: &Listing) -> OrderUpdate<'t> {
    match UserEvent::read(frame, listing).unwrap() {
        UserEvent::Order(update) => update,
        other => panic!("{other:?}"),
    }
}

#[test]
fn spot_reports_say_what_became_of_the_order() {
    let listing = spot();
    let frame = fixture("spot/user_data_json/execution_report_new.json");
    let new = order(&frame, &listing);
    assert_eq!((new.id, new.venue_order_id), (id("x-TD67BGP9-T0000000000000"), 12_345_678));
    assert_eq!((new.execution, new.fill, new.reason), (Execution::New, None, &b""[..]));
    assert_eq!(new.at, Nanos::from_ms(1_709_654_400_000));
    let expected =
        Reported { side: Side::Buy, status: Status::New, level: level(250_000, 100_000_000), filled: Qty(0) };
    assert_eq!(new.reported, expected);

    let frame = fixture("spot/user_data_json/execution_report_trade.json");
    let trade = order(&frame, &listing);
    let fill = trade.fill.unwrap();
    assert_eq!((fill.trade_id, fill.level, fill.maker), (98_765_432, level(250_000, 100_000_000), true));
    assert_eq!((fill.fee.to_string().as_str(), fill.fee_asset), ("0.00100000", &b"ETH"[..]));
    assert_eq!((trade.execution, trade.reported.status), (Execution::Trade, Status::Filled));
    assert_eq!(trade.reported.filled, Qty(100_000_000));

    let frame = fixture("spot/user_data_json/execution_report_canceled.json");
    let canceled = order(&frame, &listing);
    assert_eq!((canceled.execution, canceled.fill), (Execution::Canceled, None));
    assert_eq!(canceled.id, id("x-TD67BGP9-T0000000000000"), "an empty `C` leaves `c` the order's own id");
}

#[test]
fn the_report_of_a_cancel_names_the_order_and_not_the_request() {
    let wrapped = br#"{"subscriptionId":0,"event":{"e":"executionReport","E":1499405658658,"s":"ETHBTC","c":"x-a1","S":"BUY","o":"LIMIT","f":"GTC","q":"1.00000000","p":"0.10264410","P":"0.00000000","F":"0.00000000","g":-1,"C":"a1","x":"CANCELED","X":"CANCELED","r":"NONE","i":4293153,"l":"0.00000000","z":"0.25000000","L":"0.00000000","n":"0","N":null,"T":1499405658657,"t":-1,"I":8641984,"w":true,"m":false,"M":false,"O":1499405658657,"Z":"0.00000000","Y":"0.00000000","Q":"0.00000000","W":1499405658657,"V":"NONE","eR":"EXCHANGE_CANCELED"}}"#;
    let update = order(wrapped, &spot());
    assert_eq!((update.id, update.execution_id), (id("a1"), Some(8_641_984)));
    assert_eq!((update.reported.filled, update.reason), (Qty(25_000_000), &b"EXCHANGE_CANCELED"[..]));
}

#[test]
fn a_spot_stop_says_when_its_trigger_was_met() {
    let event = |stop: &str, more: &str| {
        format!(
            r#"{{"e":"executionReport","E":1,"s":"ETHBTC","c":"s1","S":"SELL","o":"STOP_LOSS_LIMIT","f":"GTC","q":"1.00000000","p":"0.10000000","P":"{stop}","F":"0.00000000","g":-1,"C":"","x":"NEW","X":"NEW","r":"NONE","i":7,"l":"0.00000000","z":"0.00000000","L":"0.00000000","n":"0","N":null,"T":1499405658657,"t":-1,"I":8,"m":false{more}}}"#
        )
    };
    for (stop, more, expected) in [
        ("0.10100000", r#","w":false"#, false),
        ("0.10100000", r#","w":true,"W":1499405658657"#, true),
        // A market order works and is never in the book.
        ("0.10100000", r#","w":false,"W":1499405658657"#, true),
        ("0.00000000", r#","w":true,"W":1499405658657"#, false),
    ] {
        let event = event(stop, more);
        assert_eq!(order(event.as_bytes(), &spot()).was_triggered, expected, "{event}");
    }
}

#[test]
fn the_answers_of_conditional_orders_name_them() {
    let placed = br#"{"algoId":3000000000003505,"clientAlgoId":"s1","algoType":"CONDITIONAL","symbol":"BTCUSDT","algoStatus":"NEW"}"#;
    let canceled = br#"{"algoId":3000000000003505,"clientAlgoId":"s1","code":"200","msg":"success"}"#;
    for answer in [&placed[..], canceled] {
        assert_eq!(algo_id(Value::root(answer)).unwrap(), Some(id("s1")));
    }
    assert_eq!(algo_id(Value::root(br#"{"orderId":1,"clientOrderId":"a1"}"#)).unwrap(), None);
    assert!(algo_id(Value::root(br#"{"clientAlgoId":7}"#)).is_err());
}

#[test]
fn other_spot_events_are_read() {
    let listing = spot();
    let frame = fixture("spot/user_data_json/account_position.json");
    let UserEvent::Balances { at, balances } = UserEvent::read(&frame, &listing).unwrap() else { panic!() };
    assert_eq!(at, Nanos::from_ms(1_709_654_400_000));
    let said: Vec<_> = balances
        .map(|balance| balance.unwrap())
        .map(|one| format!("{} {} {}", String::from_utf8_lossy(one.asset), one.free, one.locked))
        .collect();
    assert_eq!(said, ["USDT 10000.00000000 2500.00000000", "ETH 5.00000000 0.00000000"]);
    let frame = fixture("spot/user_data_json/balance_update.json");
    let UserEvent::Transfer { asset, change, .. } = UserEvent::read(&frame, &listing).unwrap() else {
        panic!()
    };
    assert_eq!((asset, change.to_string().as_str()), (&b"BTC"[..], "0.00100000"));
    let frame = fixture("spot/user_data_json/list_status_wrapped.json");
    assert!(matches!(UserEvent::read(&frame, &listing), Ok(UserEvent::List)));
    for (text, expected) in [
        (r#"{"event":{"e":"serverShutdown","E":1}}"#, "Shutdown"),
        (r#"{"e":"listenKeyExpired","E":"1736996475556","listenKey":"k"}"#, "Ended"),
        (r#"{"subscriptionId":0,"event":{"e":"eventStreamTerminated","E":1}}"#, "Ended"),
        (r#"{"e":"MARGIN_CALL","E":1}"#, "MarginCall { positions: None }"),
        (
            r#"{"e":"ACCOUNT_CONFIG_UPDATE","E":1,"T":1,"ac":{"s":"B","l":5}}"#,
            "Configured { leverage: Some(([66], 5)), multi_assets: None }",
        ),
        (
            r#"{"e":"ACCOUNT_CONFIG_UPDATE","E":1,"T":1,"ai":{"j":true}}"#,
            "Configured { leverage: None, multi_assets: Some(true) }",
        ),
        (r#"{"e":"STRATEGY_UPDATE"}"#, "Other"),
    ] {
        assert_eq!(format!("{:?}", UserEvent::read(text.as_bytes(), &listing).unwrap()), expected, "{text}");
    }
}

#[test]
fn futures_reports_say_what_became_of_the_order() {
    let listing = futures();
    for (name, execution, status, own_id, fill) in [
        ("new", Execution::New, Status::New, "TEST", None),
        ("trade", Execution::Trade, Status::PartiallyFilled, "TEST", Some((12_345_678, 710_050, 1, true))),
        (
            "calculated",
            Execution::Calculated,
            Status::Filled,
            "autoclose-1234567890",
            Some((12_345_999, 991_012, 14, false)),
        ),
        (
            "adl",
            Execution::Calculated,
            Status::Filled,
            "adl_autoclose_12345",
            Some((12_346_001, 4_200_000, 5, false)),
        ),
        (
            "settlement",
            Execution::Trade,
            Status::Filled,
            "settlement_autoclose-9999",
            Some((12_346_002, 5_000_000, 10, false)),
        ),
    ] {
        let frame = fixture(&format!("futures/user_data_json/order_update_{name}.json"));
        let update = order(&frame, &listing);
        assert_eq!(
            (update.execution, update.reported.status, update.id),
            (execution, status, id(own_id)),
            "{name}"
        );
        assert_eq!(update.instrument, InstrumentId(7));
        let told = update.fill.map(|fill| (fill.trade_id, fill.level.price.0, fill.level.qty.0, fill.maker));
        assert_eq!(told, fill, "{name}");
        assert_eq!(update.reported.filled.0, fill.map_or(0, |fill| fill.2), "{name}");
    }
    let frame = fixture("futures/user_data_json/order_update_trade.json");
    let fill = order(&frame, &listing).fill.unwrap();
    assert_eq!((fill.fee.to_string().as_str(), fill.fee_asset), ("0.01000000", &b"USDT"[..]));
}

#[test]
fn other_futures_events_are_read() {
    let listing = futures();
    let frame = fixture("futures/user_data_json/trade_lite.json");
    let UserEvent::Lite(fill) = UserEvent::read(&frame, &listing).unwrap() else { panic!() };
    assert_eq!((fill.id, fill.trade_id, fill.level), (id("TEST"), 12_345_678, level(710_050, 1)));
    let frame = fixture("futures/user_data_json/account_update.json");
    let UserEvent::Account { reason, balances, positions: held, .. } =
        UserEvent::read(&frame, &listing).unwrap()
    else {
        panic!()
    };
    assert_eq!((reason, balances.unwrap().elements().unwrap().count()), (AccountReason::Order, 1));
    let held: Vec<_> = positions(held.unwrap(), &listing).unwrap().map(|one| one.unwrap()).collect();
    let amounts: Vec<_> = held.iter().map(|one| (one.qty.0, one.is_hedged)).collect();
    assert_eq!(amounts, [(0, false), (20_000, true), (-10_000, true)]);
    // A symbol that nobody trades here: an algorithm's event needs none, an order's is somebody else's.
    let frame = fixture("futures/user_data_json/algo_update_new.json");
    let UserEvent::Algo(algo) = UserEvent::read(&frame, &listing).unwrap() else { panic!() };
    assert_eq!((algo.id, algo.algo_id, algo.became), (id("Q5xaq5EGKgXXa0fD7fs0Ip"), 2_148_719, None));
    assert_eq!((algo.state, algo.reason), (AlgoState::New, &b"Reduce Only reject"[..]));
    let frame = String::from_utf8(fixture("futures/user_data_json/order_update_new.json")).unwrap();
    let frame = frame.replace("BTCUSDT", "DOGEUSDT");
    let event = UserEvent::read(frame.as_bytes(), &listing).unwrap();
    assert!(matches!(event, UserEvent::ForeignOrder { symbol: b"DOGEUSDT" }), "{event:?}");
}

#[test]
fn rest_answers_are_read() {
    let listing = spot();
    let read = |name: &str| fixture(&format!("spot/http_json/{name}.json"));
    let frame = read("order_response");
    let report = OrderReport::read(Value::root(&frame), &listing).unwrap();
    let reported = report.reported.unwrap();
    assert_eq!((report.id, report.instrument, report.venue_order_id), (id("myOrder1"), InstrumentId(3), 1));
    assert_eq!((reported.status, reported.level), (Status::New, level(10_000_000, 100_000_000)));
    let frame = read("cancel_order_response");
    let canceled = OrderReport::read_canceled(Value::root(&frame), &listing).unwrap();
    assert_eq!((canceled.id, canceled.reported.unwrap().status), (id("myOrder1"), Status::Canceled));
    let frame = read("new_order_full_response");
    let full = OrderReport::read(Value::root(&frame), &listing).unwrap();
    assert_eq!(full.reported.unwrap().filled, Qty(1_000_000_000));
    let frame = read("open_orders_response");
    let open: Vec<_> = open_orders(Value::root(&frame), &listing).unwrap().map(|one| one.unwrap()).collect();
    assert_eq!(open, [report]);
    let frame = read("account_trades_response");
    let traded: Vec<_> = trades(Value::root(&frame), &listing).unwrap().map(|one| one.unwrap()).collect();
    let [trade] = traded[..] else { panic!("{traded:?}") };
    assert_eq!((trade.trade_id, trade.venue_order_id, trade.side), (28_457, 100_234, Side::Buy));
    assert_eq!((trade.level, trade.maker), (level(400_000_100, 1_200_000_000), false));
    assert_eq!((trade.fee.to_string().as_str(), trade.fee_asset), ("10.10000000", &b"BNB"[..]));
    let frame = read("account_response");
    let balances: Vec<_> = spot_balances(Value::root(&frame)).unwrap().map(|one| one.unwrap()).collect();
    assert_eq!((balances.len(), balances[0].free.to_string().as_str()), (2, "4723846.89208129"));

    let listing = futures();
    let frame = fixture("futures/http_json/order_response.json");
    let report = OrderReport::read(Value::root(&frame), &listing).unwrap();
    assert_eq!((report.id, report.reported.unwrap().level), (id("testOrder123"), level(5_000_000, 1)));
    for (name, wallet) in [("balance", "122.12345678"), ("account_info_v2", "23.72469206")] {
        let frame = fixture(&format!("futures/http_json/{name}.json"));
        let said: Vec<_> = futures_balances(Value::root(&frame)).unwrap().map(|one| one.unwrap()).collect();
        assert_eq!((said.len(), said[0].wallet.to_string().as_str()), (1, wallet));
    }
    let frame = fixture("futures/http_json/account_info_v2.json");
    let held: Vec<_> = positions(Value::root(&frame), &listing).unwrap().map(|one| one.unwrap()).collect();
    let flat =
        Position { symbol: b"BTCUSDT", instrument: Some(InstrumentId(7)), qty: Qty(0), is_hedged: false };
    assert_eq!(held, [flat]);
    let futures_trade = br#"[{"symbol":"BTCUSDT","id":698759,"orderId":25851813,"side":"SELL","positionSide":"BOTH","price":"7819.01","qty":"0.002","quoteQty":"15.63802","realizedPnl":"-0.91539999","commission":"-0.07819010","commissionAsset":"USDT","time":1569514978020,"buyer":false,"maker":true}]"#;
    let rows: Vec<_> =
        trades(Value::root(futures_trade), &listing).unwrap().map(|one| one.unwrap()).collect();
    assert_eq!(
        (rows[0].side, rows[0].maker, rows[0].fee.to_string().as_str()),
        (Side::Sell, true, "-0.07819010")
    );
}

#[test]
fn answers_of_the_websocket_api_are_read() {
    let listing = spot();
    let placed = br#"{"id":"2","status":200,"result":{"symbol":"BTCUSDT","orderId":12569099453,"orderListId":-1,"clientOrderId":"a1","transactTime":1660801715639},
 "rateLimits":[{"rateLimitType":"ORDERS","interval":"SECOND","intervalNum":10,"limit":100,"count":1},{"rateLimitType":"ORDERS","interval":"DAY","intervalNum":1,"limit":200000,"count":1},{"rateLimitType":"REQUEST_WEIGHT","interval":"MINUTE","intervalNum":1,"limit":6000,"count":1}]}"#;
    let answer = Answer::read(placed).unwrap().unwrap();
    let Outcome::Done(result) = answer.outcome else { panic!() };
    let report = OrderReport::read(result, &listing).unwrap();
    assert_eq!((answer.id, answer.status, report.id, report.reported), (Some(2), 200, id("a1"), None));
    let limits: Vec<_> = answer.limits().unwrap().map(|limit| limit.unwrap()).collect();
    let ten_seconds =
        RateLimit { kind: RateLimitKind::Orders, window: Nanos::from_ms(10_000), limit: 100, used: 1 };
    assert_eq!((limits.len(), limits[0], limits[2].kind), (3, ten_seconds, RateLimitKind::RequestWeight));

    let refused = br#"{"id":"7","status":418,"error":{"code":-1003,"msg":"Way too much request weight used; IP banned until 1659146400000.","data":{"serverTime":1659142907531,"retryAfter":1659146400000}}}"#;
    let Outcome::Refused(refusal) = Answer::read(refused).unwrap().unwrap().outcome else { panic!() };
    assert_eq!((refusal.code, refusal.retry_after_ms), (-1003, Some(1_659_146_400_000)));
    let revoked = br#"{"id":null,"status":401,"error":{"code":-2015,"msg":"Invalid API-key, IP, or permissions for action."}}"#;
    let answer = Answer::read(revoked).unwrap().unwrap();
    assert_eq!((answer.id, answer.status), (None, 401));

    let half_done = br#"{"id":"6","status":409,"error":{"code":-2021,"msg":"Order cancel-replace partially failed.","data":{"cancelResult":"SUCCESS","newOrderResult":"FAILURE","cancelResponse":{"symbol":"BTCUSDT","origClientOrderId":"a2","orderId":1,"orderListId":-1,"clientOrderId":"x-a2","transactTime":1684804350068,"price":"23416.10000000","origQty":"0.00847000","executedQty":"0.00001000","origQuoteOrderQty":"0.000000","cummulativeQuoteQty":"0.23416100","status":"CANCELED","timeInForce":"GTC","type":"LIMIT","side":"SELL","selfTradePreventionMode":"NONE"},"newOrderResponse":{"code":-2010,"msg":"Order would immediately match and take."}}}}"#;
    let Outcome::Refused(refusal) = Answer::read(half_done).unwrap().unwrap().outcome else { panic!() };
    let halves = refusal.replaced(&listing).unwrap().unwrap();
    let ReplacedHalf::Done(canceled) = halves.canceled else { panic!() };
    assert_eq!((canceled.id, canceled.reported.unwrap().filled), (id("a2"), Qty(1_000)));
    assert!(matches!(halves.placed, ReplacedHalf::Refused(Refusal { code: -2010, .. })));
    let not_tried = br#"{"code":-2022,"msg":"Order cancel-replace failed.","data":{"cancelResult":"FAILURE","newOrderResult":"NOT_ATTEMPTED","cancelResponse":{"code":-2011,"msg":"Unknown order sent."},"newOrderResponse":null}}"#;
    let halves = rest_refusal(not_tried).unwrap().replaced(&listing).unwrap().unwrap();
    assert!(matches!(halves.placed, ReplacedHalf::NotAttempted));

    let amended = br#"{"symbol":"BTCUSDT","orderId":12,"orderListId":-1,"origClientOrderId":"a4","clientOrderId":"a4","price":"5.00000000","qty":"5.00000000","executedQty":"0.00000000","preventedQty":"0.00000000","quoteOrderQty":"0.00000000","cumulativeQuoteQty":"0.00000000","status":"NEW","timeInForce":"GTC","type":"LIMIT","side":"BUY","workingTime":1741923284364,"selfTradePreventionMode":"NONE"}"#;
    let amended = OrderReport::read(Value::root(amended), &listing).unwrap();
    assert_eq!((amended.id, amended.reported.unwrap().level), (id("a4"), level(500, 500_000_000)));

    // An event is no answer; an answer with both halves or neither is none either.
    assert!(Answer::read(br#"{"e":"executionReport"}"#).unwrap().is_none());
    let both = br#"{"id":"1","status":200,"result":{},"error":{"code":1,"msg":""}}"#;
    assert_eq!(Answer::read(both).unwrap_err().kind, JsonErrorKind::Unknown);
    assert_eq!(Answer::read(br#"{"id":"1","status":200}"#).unwrap_err().kind, JsonErrorKind::Missing);
}

#[test]
fn binary_frames_say_the_same_as_json() {
    let listing = spot();
    let read = |name: &str| fixture(&format!("spot/user_data_sbe/mainnet/{name}.sbe"));
    let frame = read("execution_report_event_1");
    let SbeMessage::Order(update) = SbeMessage::read(&frame, &listing).unwrap() else { panic!() };
    assert_eq!((update.execution, update.fill), (Execution::New, None));
    assert_eq!((update.venue_order_id, update.reported.side), (12_345_678, Side::Buy));
    assert_eq!((update.reported.level, update.reported.status), (level(6_000_000, 10_000), Status::New));
    assert_eq!(update.reason, b"");

    let frame = read("outbound_account_position_event_1");
    let SbeMessage::Balances { at, balances } = SbeMessage::read(&frame, &listing).unwrap() else { panic!() };
    let said: Vec<_> = balances
        .map(|balance| balance.unwrap())
        .map(|one| format!("{} {} {}", String::from_utf8_lossy(one.asset), one.free, one.locked))
        .collect();
    let expected =
        ["BTC 1.00000000 0.00000000", "BNB 0.00000028 0.00000000", "USDT 50000.00000000 0.00000000"];
    assert_eq!((at.as_ms(), &said[..]), (1_700_000_000_000, &expected.map(String::from)[..]));

    let frame = read("web_socket_response_1");
    let SbeMessage::Answer(answer) = SbeMessage::read(&frame, &listing).unwrap() else { panic!() };
    let SbeOutcome::Placed(report) = answer.outcome else { panic!("{answer:?}") };
    assert_eq!(
        (answer.id, answer.status, answer.is_deprecated),
        (None, 200, false),
        "`ws-place` is no id of ours"
    );
    assert_eq!((report.id, report.instrument), (id("test-order-id-0000000"), InstrumentId(0)));
    let limits: Vec<_> = answer.limits.map(|limit| limit.unwrap()).collect();
    let used: Vec<_> = limits.iter().map(|limit| (limit.window.as_ms(), limit.limit, limit.used)).collect();
    assert_eq!(used, [(10_000, 100, 1), (86_400_000, 200_000, 1), (60_000, 6_000, 15)]);
}

#[test]
fn a_binary_frame_that_is_cut_anywhere_is_refused() {
    let listing = spot();
    for name in ["execution_report_event_1", "web_socket_response_1", "outbound_account_position_event_1"] {
        let frame = fixture(&format!("spot/user_data_sbe/mainnet/{name}.sbe"));
        for len in 0..frame.len() {
            let is_whole = match SbeMessage::read(&frame[..len], &listing) {
                Err(error) => {
                    assert!(error.offset <= frame.len() && !error.to_string().is_empty());
                    false
                }
                Ok(SbeMessage::Balances { balances, .. }) => balances.into_iter().all(|one| one.is_ok()),
                Ok(_) => true,
            };
            assert!(!is_whole, "{name} cut to {len} bytes");
        }
        let mut other = frame.clone();
        other[4] = 9;
        assert_eq!(SbeMessage::read(&other, &listing).unwrap_err().kind, SbeErrorKind::Schema);
    }
}
