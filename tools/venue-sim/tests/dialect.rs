//! Rules of the dialect: sessions, limits, refusals, routes, faults. The venue is driven without sockets.

mod client;

use client::{ALICE, ALICE_SECRET, BOB, BOB_READER, BOB_READER_SECRET, BOB_SECRET, Driver};
use serde_json::{Value, json};

const A: (&str, &str) = (ALICE, ALICE_SECRET);
const B: (&str, &str) = (BOB, BOB_SECRET);

fn read(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn code(driver: &mut Driver, method: &str, path: &str, query: &str, who: Option<(&str, &str)>) -> i64 {
    let response = driver.rest(method, path, query, who);
    read(&response.body)["code"].as_i64().unwrap_or_else(|| panic!("{response:?}"))
}

#[test]
fn each_breach_of_a_spot_order_has_the_venues_code() {
    let mut driver = Driver::new(false);
    driver.admin("POST", "/admin/deposit?product=spot&account=alice&asset=BTC&amount=-99", "");
    for (order, expected) in [
        ("side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.01&price=60000.001", -1111),
        ("side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.000001&price=60000", -1013),
        ("side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.00001&price=60000", -1013),
        ("side=BUY&type=LIMIT&quantity=0.01&price=60000", -1102),
        ("side=BUY&type=LIMIT&timeInForce=GTX&quantity=0.01&price=60000", -1115),
        ("side=UP&type=LIMIT&timeInForce=GTC&quantity=0.01&price=60000", -1117),
        ("side=BUY&type=STOP&quantity=0.01&price=60000", -1116),
        ("side=BUY&type=LIMIT_MAKER&timeInForce=GTC&quantity=0.01&price=60000", -1106),
        ("side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.01&price=6e4", -1100),
        ("side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=60000&icebergQty=0.1", -1106),
        ("side=BUY&type=LIMIT&timeInForce=GTC&quantity=5000&price=60000", -1013),
        ("side=SELL&type=LIMIT&timeInForce=GTC&quantity=9&price=60000", -2010),
        ("side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.01&price=60000&newClientOrderId=a%20b", -1100),
    ] {
        let query = format!("symbol=BTCUSDT&{order}");
        assert_eq!(code(&mut driver, "POST", "/api/v3/order", &query, Some(A)), expected, "{order}");
    }
    let order = "symbol=XXX&side=BUY&type=MARKET&quantity=1";
    assert_eq!(code(&mut driver, "POST", "/api/v3/order", order, Some(A)), -1121);
    assert_eq!(code(&mut driver, "DELETE", "/api/v3/order", "symbol=BTCUSDT&orderId=9", Some(A)), -2011);
    assert_eq!(code(&mut driver, "GET", "/api/v3/order", "symbol=BTCUSDT&orderId=9", Some(A)), -2013);
}

#[test]
fn who_does_not_sign_right_is_refused_with_the_reason() {
    let mut driver = Driver::new(false);
    let order = "symbol=BTCUSDT&side=BUY&type=MARKET&quantity=0.01";
    let mut at = |query: &str, who| code(&mut driver, "POST", "/api/v3/order", query, who);
    assert_eq!(at(order, None), -2014);
    assert_eq!(at(order, Some(("nobody", "x"))), -2015);
    assert_eq!(at(order, Some((ALICE, BOB_SECRET))), -1022);
    assert_eq!(at(order, Some((BOB_READER, BOB_READER_SECRET))), -2015);
    assert_eq!(at(order, Some((ALICE, ""))), -1102);
    driver.admin("POST", "/admin/fault", r#"{"kind":"wrong-clock","ms":9000}"#);
    // The client's clock is right and the venue's is 9 s ahead.
    assert_eq!(code(&mut driver, "POST", "/api/v3/order", order, Some(A)), -1021);
    let time = read(&driver.rest("GET", "/api/v3/time", "", None).body);
    assert_eq!(time["serverTime"].as_u64().unwrap(), driver.now_ms() + 9_000);
}

#[test]
fn a_cancel_replace_says_what_became_of_both_halves() {
    let mut driver = Driver::new(false);
    let new = "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.01&price=60000";
    let replace = |driver: &mut Driver, more: &str| {
        let query = format!("{new}&{more}");
        let response = driver.rest("POST", "/api/v3/order/cancelReplace", &query, Some(A));
        let body = read(&response.body);
        let data = if body["data"].is_null() { body.clone() } else { body["data"].clone() };
        let half = |name: &str| data[name].as_str().unwrap().to_owned();
        (response.status, body["code"].as_i64(), half("cancelResult"), half("newOrderResult"))
    };
    let outcome = |status, code, cancel: &str, new: &str| (status, code, cancel.to_owned(), new.to_owned());
    let stop = "cancelReplaceMode=STOP_ON_FAILURE&cancelOrigClientOrderId=a&newClientOrderId=b";
    assert_eq!(replace(&mut driver, stop), outcome(400, Some(-2022), "FAILURE", "NOT_ATTEMPTED"));
    let go = "cancelReplaceMode=ALLOW_FAILURE&cancelOrigClientOrderId=a&newClientOrderId=a";
    assert_eq!(replace(&mut driver, go), outcome(409, Some(-2021), "FAILURE", "SUCCESS"));
    assert_eq!(replace(&mut driver, stop), outcome(200, None, "SUCCESS", "SUCCESS"));
}

#[test]
fn orders_beyond_the_rate_are_refused_and_weight_beyond_it_bans() {
    let mut driver = Driver::new(false);
    driver.admin("POST", "/admin/limits?product=spot&orders10s=2&weight=100&refusals=1", "");
    let order = "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.001&price=60000";
    let status: Vec<_> =
        (0..3).map(|_| driver.rest("POST", "/api/v3/order", order, Some(A)).status).collect();
    assert_eq!(status, [200, 200, 429]);
    driver.pass_ms(10_000);
    let placed = driver.rest("POST", "/api/v3/order", order, Some(A));
    assert!(placed.headers.contains(&("X-MBX-ORDER-COUNT-10S", "1".to_owned())), "{placed:?}");
    let answers: Vec<_> = (0..8).map(|_| driver.rest("GET", "/api/v3/exchangeInfo", "", None)).collect();
    let status: Vec<_> = answers.iter().map(|answer| answer.status).collect();
    assert_eq!(status, [200, 200, 200, 200, 429, 418, 418, 418]);
    for answer in &answers[4..] {
        let wait = answer.headers.iter().find(|(name, _)| *name == "Retry-After").unwrap();
        assert!(wait.1.parse::<u64>().unwrap() > 0);
    }
}

#[test]
fn a_stream_on_the_wrong_path_is_acknowledged_and_silent() {
    let mut driver = Driver::new(true);
    let [public, market] = ["/public/ws", "/market/ws"].map(|path| driver.open(path).unwrap());
    let text = r#"{"method":"SUBSCRIBE","params":["btcusdt@depth@100ms"],"id":1}"#;
    for conn in [public, market] {
        driver.say(conn, text);
        assert_eq!(driver.texts(conn), [r#"{"result":null,"id":1}"#]);
    }
    driver.pass_ms(1_000);
    assert!(driver.texts(public).len() >= 9);
    assert!(driver.texts(market).is_empty());
    driver.say(market, r#"{"method":"LIST_SUBSCRIPTIONS","id":2}"#);
    assert_eq!(driver.texts(market), [r#"{"result":["btcusdt@depth@100ms"],"id":2}"#]);
}

#[test]
fn who_talks_too_much_or_too_long_or_never_answers_a_ping_is_let_go() {
    let mut driver = Driver::new(false);
    let conn = driver.open("/ws").unwrap();
    for id in 0..6 {
        driver.say(conn, &format!(r#"{{"method":"LIST_SUBSCRIPTIONS","id":{id}}}"#));
    }
    assert_eq!(driver.texts(conn).last().unwrap(), "close: Too many requests");
    let mute = driver.open("/ws").unwrap();
    for _ in 0..80 {
        driver.pass_ms(1_000);
    }
    assert_eq!(driver.texts(mute).last().unwrap(), "close: no pong");
    let old = driver.open("/ws-api/v3").unwrap();
    driver.admin("POST", "/admin/clock?leapMs=86400000", "");
    assert_eq!(driver.texts(old).last().unwrap(), "close: 24 hours are over");
}

#[test]
fn a_revoked_key_ends_its_session() {
    let mut driver = Driver::new(false);
    let api = driver.open("/ws-api/v3").unwrap();
    let now = driver.now_ms();
    let text = format!("apiKey={}&timestamp={now}", client::ALICE_SESSION);
    let signature = client::ed25519_base64(client::ALICE_PRIVATE, &text);
    let logon = json!({"apiKey": client::ALICE_SESSION, "timestamp": now, "signature": signature});
    assert_eq!(read(&driver.ask(api, "session.logon", &logon))["status"], 200);
    let timed = json!({ "timestamp": now });
    assert_eq!(read(&driver.ask(api, "account.status", &timed))["status"], 200);
    driver.admin("POST", &format!("/admin/revoke?key={}", client::ALICE_SESSION), "");
    let told = read(&driver.texts(api)[0]);
    assert_eq!(
        (&told["id"], &told["status"], &told["error"]["code"]),
        (&Value::Null, &json!(401), &json!(-2015))
    );
    assert_eq!(read(&driver.ask(api, "account.status", &timed))["error"]["code"], -1102);
    let hmac = read(&driver.call(api, A, "session.logon", json!({})));
    assert_eq!(hmac["error"]["code"], -4056);
}

#[test]
fn a_lost_ack_leaves_the_order_and_a_late_fill_comes_after_the_answer() {
    let mut driver = Driver::new(false);
    let api = driver.open("/ws-api/v3").unwrap();
    driver.call(api, A, "userDataStream.subscribe.signature", json!({}));
    driver.admin("POST", "/admin/fault", r#"{"kind":"lost-ack","count":1}"#);
    driver.admin("POST", "/admin/fault", r#"{"kind":"late-fill","ms":500}"#);
    let mut params = json!({"symbol":"BTCUSDT","side":"BUY","type":"LIMIT","timeInForce":"GTC","price":"60000",
        "quantity":"0.01","newClientOrderId":"lost","timestamp": driver.now_ms()});
    params = client::signed_params(ALICE, ALICE_SECRET, params);
    driver.say(api, &json!({"id":"x","method":"order.place","params":params}).to_string());
    let told = driver.texts(api);
    assert!(told.iter().all(|text| text.starts_with(r#"{"subscriptionId""#)), "{told:?}");
    driver.rest("POST", "/api/v3/order", "symbol=BTCUSDT&side=SELL&type=MARKET&quantity=0.01", Some(B));
    assert!(driver.texts(api).iter().all(|text| !text.contains(r#""x":"TRADE""#)));
    let found = driver.rest("GET", "/api/v3/order", "symbol=BTCUSDT&origClientOrderId=lost", Some(A));
    assert_eq!(read(&found.body)["status"], "FILLED");
    driver.pass_ms(500);
    assert!(driver.texts(api).iter().any(|text| text.contains(r#""x":"TRADE""#)));
}

#[test]
fn a_gap_breaks_the_chain_of_a_stream_and_nothing_else_does() {
    for (rule, breaks) in [(None, false), (Some(r#"{"kind":"gap","count":1,"after_ms":1000}"#), true)] {
        let mut driver = Driver::new(true);
        let conn = driver.open("/public/ws/btcusdt@depth@100ms").unwrap();
        if let Some(rule) = rule {
            driver.admin("POST", "/admin/fault", rule);
        }
        let mut texts = Vec::new();
        for _ in 0..30 {
            driver.pass_ms(100);
            texts.extend(driver.texts(conn));
        }
        let ids: Vec<_> = texts.iter().map(|text| read(text)).collect();
        let broken = ids.windows(2).any(|pair| pair[1]["pu"] != pair[0]["u"]);
        assert_eq!(broken, breaks);
    }
}

#[test]
fn a_dead_mans_orders_are_canceled_and_a_listen_key_runs_out() {
    let mut driver = Driver::new(false);
    let key = read(&driver.rest("POST", "/fapi/v1/listenKey", "", Some((ALICE, ""))).body);
    let key = key["listenKey"].as_str().unwrap().to_owned();
    let user = driver.open(&format!("/private/ws/{key}")).unwrap();
    let order = "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.1&price=50000";
    assert_eq!(driver.rest("POST", "/fapi/v1/order", order, Some(A)).status, 200);
    driver.rest("POST", "/fapi/v1/countdownCancelAll", "symbol=BTCUSDT&countdownTime=5000", Some(A));
    driver.pass_ms(4_900);
    let open = |driver: &mut Driver| {
        read(&driver.rest("GET", "/fapi/v1/openOrders", "symbol=BTCUSDT", Some(A)).body)
            .as_array()
            .unwrap()
            .len()
    };
    assert_eq!(open(&mut driver), 1);
    driver.pass_ms(200);
    assert_eq!(open(&mut driver), 0);
    assert!(driver.texts(user).iter().any(|text| text.contains(r#""x":"CANCELED""#)));
    driver.admin("POST", "/admin/clock?leapMs=3600000", "");
    assert!(driver.texts(user).iter().any(|text| text.contains("listenKeyExpired") && text.contains(&key)));
}

#[test]
fn one_seed_makes_one_venue_to_the_byte() {
    let run = || {
        let mut driver = Driver::new(true);
        driver.admin("POST", "/admin/fault", r#"{"kind":"drop","probability":0.3}"#);
        let conn =
            driver.open("/stream?streams=btcusdt@depth@100ms/btcusdt@trade/btcusdt@bookTicker").unwrap();
        driver.pass_ms(5_000);
        driver.texts(conn)
    };
    let once = run();
    assert!(once.len() > 50);
    assert_eq!(once, run());
}
