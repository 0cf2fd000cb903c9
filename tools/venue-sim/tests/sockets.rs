//! The venue over real sockets and TLS, met by a client made of tungstenite and rustls.

mod client;
mod support;

use client::{ALICE, ALICE_PRIVATE, ALICE_SECRET, ALICE_SESSION, ed25519_base64, hmac_hex};
use engine::time::Nanos;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::ops::Deref;
use std::sync::Arc;
use support::{PATIENCE, SimVenue, Terms, body};
use tungstenite::{Message, WebSocket};

type Tls = StreamOwned<ClientConnection, TcpStream>;

/// A venue, and the root that its clients trust.
struct Running {
    venue: SimVenue,
    trust: Arc<ClientConfig>,
}

impl Deref for Running {
    type Target = SimVenue;

    fn deref(&self) -> &SimVenue {
        &self.venue
    }
}

impl Running {
    fn start(crowd: bool) -> Self {
        let opened = Nanos::from_ms(1_700_000_000_000);
        let venue = SimVenue::with(Terms { seed: 3, opened, crowd, tls: true, limits: true });
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(venue.root_pem.as_bytes()).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let trust = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        Self { venue, trust: Arc::new(trust) }
    }

    fn connect(&self) -> Tls {
        let socket = TcpStream::connect(self.clients).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        StreamOwned::new(ClientConnection::new(Arc::clone(&self.trust), name).unwrap(), socket)
    }

    fn web_socket(&self, target: &str) -> WebSocket<Tls> {
        tungstenite::client(format!("wss://localhost{target}"), self.connect()).unwrap().0
    }

    fn get(&self, target: &str) -> Value {
        let mut stream = self.connect();
        let request = format!("GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        body(&mut stream)
    }
}

fn next(socket: &mut WebSocket<Tls>) -> Value {
    loop {
        if let Message::Text(text) = socket.read().unwrap() {
            return serde_json::from_str(&text).unwrap();
        }
    }
}

fn say(socket: &mut WebSocket<Tls>, message: &Value) {
    socket.send(Message::text(message.to_string())).unwrap();
}

fn answer(socket: &mut WebSocket<Tls>, method: &str, params: &Value) -> Value {
    say(socket, &json!({"id": method, "method": method, "params": params}));
    loop {
        let message = next(socket);
        if message["id"] == method {
            return message;
        }
    }
}

/// A client's book: price text to quantity text, by side.
#[derive(Default)]
struct Book {
    sides: [BTreeMap<String, String>; 2],
    last: u64,
}

impl Book {
    fn set(&mut self, message: &Value, names: [&str; 2]) {
        for (side, name) in self.sides.iter_mut().zip(names) {
            for level in message[name].as_array().unwrap() {
                let (price, qty) = (level[0].as_str().unwrap(), level[1].as_str().unwrap());
                if qty.bytes().all(|byte| byte == b'0' || byte == b'.') {
                    side.remove(price);
                } else {
                    side.insert(price.to_owned(), qty.to_owned());
                }
            }
        }
    }
}

fn book_follows(product: &str, stream: &str, rest: &str) {
    let venue = Running::start(true);
    venue.admin("POST", "clock?speed=0", "");
    let mut socket = venue.web_socket(stream);
    venue.admin("POST", "clock?leapMs=1000", "");
    let snapshot = venue.get(rest);
    let mut book = Book { last: snapshot["lastUpdateId"].as_u64().unwrap(), ..Book::default() };
    book.set(&snapshot, ["bids", "asks"]);
    let mut is_first = true;
    // Two minutes of the crowd, then on until a message ends where the book stands.
    for step in 0..200 {
        venue.admin("POST", if step < 12 { "clock?leapMs=10000" } else { "clock?leapMs=100" }, "");
        let truth = venue.admin("GET", &format!("book?product={product}&symbol=BTCUSDT"), "");
        let stands = truth["lastUpdateId"].as_u64().unwrap();
        // The stream lags by less than its period: what is still to come is not waited for.
        while book.last < stands {
            let message = next(&mut socket);
            let [first, last] = ["U", "u"].map(|name| message[name].as_u64().unwrap());
            if last <= book.last {
                continue;
            }
            if !is_first && product == "futures" {
                assert_eq!(message["pu"], book.last, "the chain broke");
            } else {
                assert!(first <= book.last + 1, "the chain broke: {first} after {}", book.last);
            }
            (is_first, book.last) = (false, last);
            book.set(&message, ["b", "a"]);
            if message["E"].as_u64().unwrap() + 100 > venue.now_ms() {
                break;
            }
        }
        if step >= 12 && book.last == stands {
            let mut own = Book::default();
            own.set(&truth, ["bids", "asks"]);
            assert_eq!(book.sides, own.sides);
            return;
        }
    }
    panic!("no message ended where the book stood");
}

#[test]
fn a_spot_book_from_snapshot_and_stream_is_the_venues_own_after_minutes() {
    book_follows("spot", "/ws/btcusdt@depth@100ms", "/api/v3/depth?symbol=BTCUSDT&limit=5000");
}

#[test]
fn a_futures_book_from_snapshot_and_stream_is_the_venues_own_after_minutes() {
    book_follows("futures", "/public/ws/btcusdt@depth@100ms", "/fapi/v1/depth?symbol=BTCUSDT&limit=1000");
}

#[test]
fn a_session_places_fills_and_cancels_on_spot_and_hears_of_it() {
    let venue = Running::start(true);
    let mut api = venue.web_socket("/ws-api/v3");
    let now = venue.now_ms();
    let signature = ed25519_base64(ALICE_PRIVATE, &format!("apiKey={ALICE_SESSION}&timestamp={now}"));
    let logon = json!({"apiKey": ALICE_SESSION, "timestamp": now, "signature": signature});
    assert_eq!(answer(&mut api, "session.logon", &logon)["result"]["apiKey"], ALICE_SESSION);
    assert_eq!(answer(&mut api, "userDataStream.subscribe", &json!({}))["result"]["subscriptionId"], 0);
    let mut place = |mut order: Value| {
        order["symbol"] = "BTCUSDT".into();
        order["timestamp"] = venue.now_ms().into();
        say(&mut api, &json!({"id": 1, "method": "order.place", "params": order}));
        let mut seen = vec![next(&mut api)];
        while seen.last().unwrap()["event"]["e"] != "outboundAccountPosition" {
            seen.push(next(&mut api));
        }
        seen
    };
    let seen = place(json!({"side":"BUY","type":"MARKET","quantity":"0.01","newClientOrderId":"m"}));
    assert_eq!(seen[0]["result"]["status"], "FILLED", "{seen:?}");
    assert_eq!(seen[1]["event"]["x"], "NEW");
    assert!(seen[2..seen.len() - 1].iter().all(|event| event["event"]["x"] == "TRADE"), "{seen:?}");
    let seen = place(
        json!({"side":"BUY","type":"LIMIT_MAKER","price":"50000","quantity":"0.01","newClientOrderId":"l"}),
    );
    assert_eq!(seen[1]["event"]["X"], "NEW");
    let orders = venue.admin("GET", "orders?product=spot&account=alice", "");
    assert_eq!(orders.as_array().unwrap().len(), 1);
    let cancel = json!({"symbol":"BTCUSDT","origClientOrderId":"l","timestamp": venue.now_ms()});
    assert_eq!(answer(&mut api, "order.cancel", &cancel)["result"]["status"], "CANCELED");
    let event = next(&mut api);
    assert_eq!((&event["event"]["x"], &event["event"]["C"]), (&json!("CANCELED"), &json!("l")));
    let again = answer(&mut api, "order.cancel", &cancel);
    assert_eq!((&again["status"], &again["error"]["code"]), (&json!(400), &json!(-2011)));
    // What the venue holds is what the account's own answer says.
    let truth = venue.admin("GET", "account?product=spot&account=alice", "");
    let account = json!({"timestamp": venue.now_ms()});
    assert_eq!(answer(&mut api, "account.status", &account)["result"]["balances"], truth["balances"]);
}

#[test]
fn a_futures_account_opens_and_closes_a_position_and_hears_of_it() {
    let venue = Running::start(true);
    let mut api = venue.web_socket("/ws-fapi/v1");
    let key = answer(&mut api, "userDataStream.start", &json!({"apiKey": ALICE}));
    let mut user = venue.web_socket(&format!("/private/ws/{}", key["result"]["listenKey"].as_str().unwrap()));
    for (side, held) in [("BUY", "0.100"), ("SELL", "0.000")] {
        let now = venue.now_ms();
        let text = format!(
            "apiKey={ALICE}&newOrderRespType=RESULT&quantity=0.1&side={side}&symbol=BTCUSDT&timestamp={now}&type=MARKET"
        );
        let order = json!({"apiKey": ALICE, "newOrderRespType": "RESULT", "quantity": "0.1", "side": side,
            "symbol": "BTCUSDT", "timestamp": now, "type": "MARKET", "signature": hmac_hex(ALICE_SECRET, &text)});
        let placed = answer(&mut api, "order.place", &order);
        assert_eq!(placed["result"]["status"], "FILLED", "{placed}");
        let mut kinds = Vec::new();
        loop {
            let event = next(&mut user);
            kinds.push(event["e"].as_str().unwrap().to_owned());
            if event["e"] == "ACCOUNT_UPDATE" {
                assert_eq!(event["a"]["P"][0]["pa"], held, "{event}");
                break;
            }
        }
        assert_eq!(kinds[..3], ["ORDER_TRADE_UPDATE", "TRADE_LITE", "ORDER_TRADE_UPDATE"]);
    }
    assert_eq!(venue.admin("GET", "positions?account=alice", ""), json!([]));
    assert_eq!(
        venue.admin("GET", "account?product=futures&account=alice", "")["positions"][0]["positionAmt"],
        "0.000"
    );
}

#[test]
fn an_expired_certificate_is_refused_and_the_next_one_is_good() {
    let venue = Running::start(false);
    venue.fault(r#"{"kind":"expired-certificate"}"#);
    let mut stream = venue.connect();
    let error = stream.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap_err().to_string();
    assert!(error.contains("xpired"), "{error}");
    venue.admin("POST", "faults/clear", "");
    assert!(venue.get("/api/v3/time")["serverTime"].is_u64());
}

/// What a client of the trade stream meets after `rule` was installed: an error's text, or the last text.
fn meets(rule: &str) -> String {
    let venue = Running::start(true);
    let mut socket = venue.web_socket("/ws/btcusdt@bookTicker");
    next(&mut socket);
    venue.fault(rule);
    loop {
        match socket.read() {
            Ok(Message::Text(text)) if !text.starts_with('{') => return text.to_string(),
            Ok(_) => {}
            Err(error) => return format!("error: {error}"),
        }
    }
}

#[test]
fn connections_are_reset_half_closed_and_fed_garbage_when_a_rule_says_so() {
    let reset = meets(r#"{"kind":"reset","count":1}"#);
    assert!(reset.to_lowercase().contains("reset"), "{reset}");
    let half = meets(r#"{"kind":"half-close","count":1}"#);
    assert!(half.starts_with("error: "), "{half}");
    let garbage = meets(r#"{"kind":"garbage","count":1}"#);
    assert!(garbage.starts_with('}'), "{garbage}");
    let raw = meets(r#"{"kind":"garbage","count":1,"raw":true}"#);
    assert!(raw.starts_with("error: "), "{raw}");
    assert_eq!(meets(r#"{"kind":"oversized","count":1,"bytes":300000}"#).len(), 300_000);
}

#[test]
fn maintenance_is_announced_ends_connections_and_refuses_new_ones() {
    let venue = Running::start(false);
    let mut socket = venue.web_socket("/ws/btcusdt@trade");
    venue.fault(r#"{"kind":"maintenance","ms":200}"#);
    assert_eq!(next(&mut socket)["e"], "serverShutdown");
    assert!(
        matches!(socket.read(), Ok(Message::Close(Some(frame))) if frame.reason.as_str() == "maintenance")
    );
    assert_eq!(venue.get("/api/v3/time")["code"], -1016);
    venue.admin("POST", "faults/clear", "");
    assert!(venue.get("/api/v3/time")["serverTime"].is_u64());
}

#[test]
fn plain_text_at_the_tls_port_ends_the_connection_and_nothing_else() {
    let venue = Running::start(false);
    let mut stream = TcpStream::connect(venue.clients).unwrap();
    stream.write_all(b"GET /api/v3/ping HTTP/1.1\r\n\r\n").unwrap();
    let mut left = Vec::new();
    let _ = stream.read_to_end(&mut left);
    assert!(!left.starts_with(b"HTTP"), "{left:?}");
    assert_eq!(venue.get("/api/v3/ping"), json!({}));
}
