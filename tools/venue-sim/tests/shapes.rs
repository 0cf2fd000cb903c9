//! Every kind of message that the venue sends has the keys, their order and the types of a fixture, of a captured
//! message or, where there is neither, of the dossier's example.

mod client;

use client::{ALICE, ALICE_SECRET, BOB, BOB_SECRET, Driver, Shape};
use serde_json::json;
use std::path::Path;

const A: (&str, &str) = (ALICE, ALICE_SECRET);
const B: (&str, &str) = (BOB, BOB_SECRET);

fn fixture(path: &str) -> Shape {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/fixtures/binance");
    Shape::of(&std::fs::read_to_string(folder.join(path)).unwrap())
}

fn same(own: &Shape, expected: &Shape, more: &[&str], what: &str) {
    if let Some(difference) = own.differs(expected, more) {
        panic!("{what}: {difference}");
    }
}

/// The first message of a stream that `wanted` picks, after the crowd has traded.
fn streamed(path: &str, stream: &str, wanted: impl Fn(&str) -> bool) -> Shape {
    let mut driver = Driver::new(true);
    let conn = driver.open(&format!("{path}/{stream}")).unwrap();
    for _ in 0..100 {
        driver.pass_ms(1_000);
        if let Some(text) = driver.texts(conn).iter().find(|text| wanted(text)) {
            return Shape::of(text);
        }
    }
    panic!("nothing came on {stream}");
}

#[test]
fn futures_streams_look_like_their_fixtures() {
    for (path, stream, file) in [
        ("/public/ws", "btcusdt@depth@100ms", "depth_update_stream"),
        ("/public/ws", "btcusdt@bookTicker", "book_ticker_stream"),
        ("/market/ws", "btcusdt@aggTrade", "agg_trade_stream"),
        ("/market/ws", "btcusdt@kline_1m", "kline_stream_closed"),
        ("/market/ws", "btcusdt@markPrice@1s", "mark_price_stream"),
        ("/market/ws", "btcusdt@ticker", "ticker_stream"),
    ] {
        let own = streamed(path, stream, |_| true);
        same(&own, &fixture(&format!("futures/market_data_json/{file}.json")), &[], stream);
    }
}

#[test]
fn spot_streams_look_like_captured_messages_and_the_dossiers_examples() {
    let depth = r#"{"e":"depthUpdate","E":1,"s":"BTCUSDT","U":1,"u":2,"b":[["1","2"]],"a":[["1","2"]]}"#;
    let trade = r#"{"e":"trade","E":1,"s":"BTCUSDT","t":1,"p":"1","q":"1","T":1,"m":true,"M":true}"#;
    let ticker = r#"{"u":1,"s":"BTCUSDT","b":"1","B":"1","a":"1","A":"1"}"#;
    let partial = r#"{"lastUpdateId":1,"bids":[["1","2"]],"asks":[["1","2"]]}"#;
    for (stream, example) in [
        ("btcusdt@depth@100ms", depth),
        ("btcusdt@trade", trade),
        ("btcusdt@bookTicker", ticker),
        ("btcusdt@depth5@100ms", partial),
    ] {
        same(&streamed("/ws", stream, |_| true), &Shape::of(example), &[], stream);
    }
    let combined = streamed("/stream?streams=", "btcusdt@trade", |_| true);
    same(&combined, &Shape::of(&format!(r#"{{"stream":"x","data":{trade}}}"#)), &[], "combined");
    let kline = streamed("/ws", "btcusdt@kline_1s", |text| text.contains(r#""x":true"#));
    same(&kline, &fixture("futures/market_data_json/kline_stream_closed.json"), &[], "kline");
}

#[test]
fn captured_lines_have_the_shapes_that_the_streams_are_compared_with() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/captures/spot");
    let file = std::fs::File::open(folder.join("btcusdt_20240808.gz")).unwrap();
    let reader = std::io::BufReader::new(flate2::read::MultiGzDecoder::new(file));
    let lines: Vec<_> = std::io::BufRead::lines(reader).take(400).map(Result::unwrap).collect();
    for (part, stream) in [
        ("@depth", "btcusdt@depth@100ms"),
        ("@trade", "btcusdt@trade"),
        ("@bookTicker", "btcusdt@bookTicker"),
    ] {
        let line = lines.iter().find(|line| line.contains(part)).unwrap();
        let captured = Shape::of(line.split_once(' ').unwrap().1);
        let own = streamed("/ws", stream, |text| !text.contains("[]"));
        same(&own, captured.member("data"), &[], stream);
    }
}

#[test]
fn public_answers_look_like_their_fixtures() {
    let mut driver = Driver::new(true);
    for _ in 0..5 {
        driver.pass_ms(1_000);
    }
    for (target, file) in [
        ("/api/v3/ping", "ping_response"),
        ("/api/v3/time", "server_time_response"),
        ("/api/v3/depth?symbol=BTCUSDT", "depth_response"),
        ("/api/v3/trades?symbol=BTCUSDT", "trades_response"),
        ("/api/v3/klines?symbol=BTCUSDT&interval=1s", "klines_response"),
        ("/api/v3/ticker/bookTicker?symbol=BTCUSDT", "book_ticker_response"),
        ("/api/v3/ticker/24hr?symbol=BTCUSDT", "ticker_24hr_response"),
        ("/api/v3/exchangeInfo", "exchange_info_response"),
    ] {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let response = driver.rest("GET", path, query, None);
        assert_eq!(response.status, 200, "{target}: {}", response.body);
        let own = Shape::of(&response.body);
        same(
            &own,
            &fixture(&format!("spot/http_json/{file}.json")),
            &["rateLimits", "filters", "sors"],
            target,
        );
    }
    let futures = driver.rest("GET", "/fapi/v1/depth", "symbol=BTCUSDT&limit=5", None);
    let captured = r#"{"lastUpdateId":1,"E":1,"T":1,"bids":[["1","2"]],"asks":[["1","2"]]}"#;
    same(&Shape::of(&futures.body), &Shape::of(captured), &[], "futures depth");
}

#[test]
fn spot_orders_and_their_events_look_like_fixtures_and_examples() {
    let mut driver = Driver::new(false);
    let api = driver.open("/ws-api/v3").unwrap();
    driver.call(api, A, "userDataStream.subscribe.signature", json!({}));
    let order = json!({"symbol":"BTCUSDT","side":"BUY","type":"LIMIT","timeInForce":"GTC","price":"60000.00",
        "quantity":"0.01","newClientOrderId":"a1","newOrderRespType":"RESULT"});
    let placed = driver.call(api, A, "order.place", order.clone());
    let example = r#"{"id":"RESULT","status":200,"result":{"symbol":"BTCUSDT","orderId":1,"orderListId":-1,"clientOrderId":"a1","transactTime":1,"price":"1","origQty":"1","executedQty":"1","origQuoteOrderQty":"1","cummulativeQuoteQty":"1","status":"NEW","timeInForce":"GTC","type":"LIMIT","side":"SELL","workingTime":1,"selfTradePreventionMode":"NONE"},"rateLimits":[{"rateLimitType":"ORDERS","interval":"SECOND","intervalNum":10,"limit":100,"count":1}]}"#;
    same(&Shape::of(&placed), &Shape::of(example), &[], "order.place");
    let events = driver.texts(api);
    let report = r#"{"subscriptionId":0,"event":{"e":"executionReport","E":1,"s":"ETHBTC","c":"a1","S":"BUY","o":"LIMIT","f":"GTC","q":"1","p":"1","P":"0","F":"0","g":-1,"C":"","x":"NEW","X":"NEW","r":"NONE","i":1,"l":"0","z":"0","L":"0","n":"0","N":null,"T":1,"t":-1,"I":1,"w":true,"m":false,"M":false,"O":1,"Z":"0","Y":"0","Q":"0","W":1,"V":"NONE"}}"#;
    same(&Shape::of(&events[0]), &Shape::of(report), &[], "executionReport NEW");
    let position = Shape::of(&events[1]);
    same(position.member("event"), &fixture("spot/user_data_json/account_position.json"), &[], "position");

    let query = |driver: &mut Driver, path: &str, query: &str, file: &str| {
        let response = driver.rest("GET", path, query, Some(A));
        assert_eq!(response.status, 200, "{}", response.body);
        same(&Shape::of(&response.body), &fixture(&format!("spot/http_json/{file}.json")), &[], path);
    };
    query(&mut driver, "/api/v3/order", "symbol=BTCUSDT&origClientOrderId=a1", "order_response");
    query(&mut driver, "/api/v3/account", "", "account_response");
    // The fixtures of one and of all open orders differ in the place of one key; both are one shape here.
    let open = driver.rest("GET", "/api/v3/openOrders", "symbol=BTCUSDT", Some(A));
    let one = fixture("spot/http_json/order_response.json");
    same(Shape::of(&open.body).first(), &one, &[], "openOrders");

    // Bob sells into it.
    let sell = "symbol=BTCUSDT&side=SELL&type=MARKET&quantity=0.004";
    let sold = driver.rest("POST", "/api/v3/order", sell, Some(B));
    same(&Shape::of(&sold.body), &fixture("spot/http_json/new_order_full_response.json"), &[], "FULL");
    let trade = driver.texts(api);
    let expected = report.replace(r#""N":null"#, r#""N":"BTC""#);
    same(&Shape::of(&trade[0]), &Shape::of(&expected), &[], "executionReport TRADE");
    query(&mut driver, "/api/v3/myTrades", "symbol=BTCUSDT", "account_trades_response");

    let amend = json!({"symbol":"BTCUSDT","origClientOrderId":"a1","newClientOrderId":"a1","newQty":"0.006"});
    let amended = driver.call(api, A, "order.amend.keepPriority", amend);
    let example = r#"{"transactTime":1,"executionId":1,"amendedOrder":{"symbol":"B","orderId":1,"orderListId":-1,"origClientOrderId":"a","clientOrderId":"a","price":"5","qty":"5","executedQty":"0","preventedQty":"0","quoteOrderQty":"0","cumulativeQuoteQty":"0","status":"NEW","timeInForce":"GTC","type":"LIMIT","side":"BUY","workingTime":1,"selfTradePreventionMode":"NONE"}}"#;
    same(Shape::of(&amended).member("result"), &Shape::of(example), &[], "amend");
    driver.texts(api);

    let canceled = driver.rest("DELETE", "/api/v3/order", "symbol=BTCUSDT&origClientOrderId=a1", Some(A));
    same(&Shape::of(&canceled.body), &fixture("spot/http_json/cancel_order_response.json"), &[], "cancel");
    same(&Shape::of(&driver.texts(api)[0]), &Shape::of(report), &[], "executionReport CANCELED");

    driver.admin("POST", "/admin/deposit?product=spot&account=alice&asset=BTC&amount=0.5", "");
    let update = Shape::of(&driver.texts(api)[0]);
    same(update.member("event"), &fixture("spot/user_data_json/balance_update.json"), &[], "balanceUpdate");
}

#[test]
fn the_keys_of_the_trimmed_execution_reports_are_all_there_with_their_types() {
    let mut driver = Driver::new(false);
    let api = driver.open("/ws-api/v3").unwrap();
    driver.call(api, A, "userDataStream.subscribe.signature", json!({}));
    let order = json!({"symbol":"BTCUSDT","side":"BUY","type":"LIMIT","timeInForce":"GTC","price":"60000","quantity":"1"});
    driver.call(api, A, "order.place", order);
    driver.rest("POST", "/api/v3/order", "symbol=BTCUSDT&side=SELL&type=MARKET&quantity=1", Some(B));
    let events = driver.texts(api);
    for (event, file) in [(0, "execution_report_new"), (2, "execution_report_trade")] {
        let own = Shape::of(&events[event]);
        let Shape::Object(members) = fixture(&format!("spot/user_data_json/{file}.json")) else { panic!() };
        for (name, shape) in members {
            assert_eq!(*own.member("event").member(&name), shape, "{file}: {name} in {}", events[event]);
        }
    }
}

#[test]
fn futures_orders_and_their_events_look_like_fixtures_and_examples() {
    let mut driver = Driver::new(false);
    let key = driver.rest("POST", "/fapi/v1/listenKey", "", Some((ALICE, "")));
    let key: serde_json::Value = serde_json::from_str(&key.body).unwrap();
    let user = driver.open(&format!("/private/ws/{}", key["listenKey"].as_str().unwrap())).unwrap();
    let api = driver.open("/ws-fapi/v1").unwrap();
    let order = json!({"symbol":"BTCUSDT","side":"BUY","type":"LIMIT","timeInForce":"GTX","price":"60000.00",
        "quantity":"0.100","newClientOrderId":"b1"});
    let placed = driver.call(api, A, "order.place", order);
    let example = r#"{"id":"u1","status":200,"result":{"orderId":1,"symbol":"B","status":"NEW","clientOrderId":"b1","price":"1","origQty":"1","executedQty":"0","cumQty":"0","timeInForce":"GTX","type":"LIMIT","reduceOnly":false,"closePosition":false,"side":"BUY","positionSide":"BOTH","stopPrice":"0","workingType":"CONTRACT_PRICE","priceProtect":false,"origType":"LIMIT","priceMatch":"NONE","selfTradePreventionMode":"EXPIRE_MAKER","goodTillDate":0,"updateTime":1},"rateLimits":[{"rateLimitType":"ORDERS","interval":"SECOND","intervalNum":10,"limit":300,"count":1}]}"#;
    same(&Shape::of(&placed), &Shape::of(example), &[], "order.place");
    // Names that were added after the fixtures were taken.
    let later = ["pm", "gtd", "er"];
    let new = driver.texts(user);
    same(&Shape::of(&new[0]), &fixture("futures/user_data_json/order_update_new.json"), &later, "NEW");

    let queried = driver.rest("GET", "/fapi/v1/order", "symbol=BTCUSDT&origClientOrderId=b1", Some(A));
    same(&Shape::of(&queried.body), &fixture("futures/http_json/order_response.json"), &[], "order");

    let sold =
        driver.rest("POST", "/fapi/v1/order", "symbol=BTCUSDT&side=SELL&type=MARKET&quantity=0.1", Some(B));
    assert_eq!(sold.status, 200, "{}", sold.body);
    let events = driver.texts(user);
    same(&Shape::of(&events[0]), &fixture("futures/user_data_json/trade_lite.json"), &[], "TRADE_LITE");
    same(&Shape::of(&events[1]), &fixture("futures/user_data_json/order_update_trade.json"), &later, "TRADE");
    same(
        &Shape::of(&events[2]),
        &fixture("futures/user_data_json/account_update.json"),
        &[],
        "ACCOUNT_UPDATE",
    );

    let balance = driver.rest("GET", "/fapi/v3/balance", "", Some(A));
    same(&Shape::of(&balance.body), &fixture("futures/http_json/balance.json"), &[], "balance");
    let account = driver.rest("GET", "/fapi/v2/account", "", Some(A));
    same(&Shape::of(&account.body), &fixture("futures/http_json/account_info_v2.json"), &[], "account");
    let leverage = driver.rest("POST", "/fapi/v1/leverage", "symbol=BTCUSDT&leverage=21", Some(A));
    let example = r#"{"leverage":21,"maxNotionalValue":"1000000","symbol":"BTCUSDT"}"#;
    same(&Shape::of(&leverage.body), &Shape::of(example), &[], "leverage");

    let stop = json!({"algoType":"CONDITIONAL","symbol":"BTCUSDT","side":"SELL","type":"STOP_MARKET",
        "triggerPrice":"40000.00","workingType":"MARK_PRICE","closePosition":"true","clientAlgoId":"s1"});
    let placed = driver.call(api, A, "algoOrder.place", stop);
    assert!(placed.contains(r#""algoType":"CONDITIONAL","orderType":"STOP_MARKET""#), "{placed}");
    let algo = driver.texts(user);
    same(&Shape::of(&algo[0]), &fixture("futures/user_data_json/algo_update_new.json"), &[], "ALGO_UPDATE");
    let canceled = driver.call(api, A, "algoOrder.cancel", json!({"clientAlgoId":"s1"}));
    let example = r#"{"algoId":1,"clientAlgoId":"s1","code":"200","msg":"success"}"#;
    same(Shape::of(&canceled).member("result"), &Shape::of(example), &[], "algoOrder.cancel");
}
