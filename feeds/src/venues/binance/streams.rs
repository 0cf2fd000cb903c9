//! Which streams, paths and requests bring Binance's market data: names, routing, control messages, weights.
//! <https://developers.binance.com/docs/binance-spot-api-docs/web-socket-streams>,
//! <https://developers.binance.com/docs/derivatives/usds-margined-futures/websocket-market-streams> (from the
//! project's dossier of 21 Nov 2026).

use super::Product;
use crate::codec::Event;
use crate::live::{Endpoints, LiveLimits, StreamName};
use engine::time::Nanos;
use wire::session::{Heard, Protocol};
use wire::url::encoded;

/// The production endpoints of a product.
#[must_use]
pub fn endpoints(product: Product) -> Endpoints {
    let (rest, stream) = match product {
        Product::Spot => ("https://api.binance.com", "wss://stream.binance.com:9443"),
        Product::UsdM => ("https://fapi.binance.com", "wss://fstream.binance.com"),
        Product::CoinM => ("https://dapi.binance.com", "wss://dstream.binance.com"),
    };
    Endpoints { rest: rest.to_owned(), stream: stream.to_owned() }
}

/// What the venue bounds. Spot counts 5 client messages a second, futures 10; both close a connection after 24 h.
#[must_use]
pub fn limits(product: Product) -> LiveLimits {
    LiveLimits {
        // A stream that is not on its connection's path brings nothing: packs stay well below 1,024.
        streams_per_connection: 200,
        streams_per_message: 50,
        message_interval_ns: Nanos::from_ms(if product.is_futures() { 110 } else { 220 }),
        lifetime_ns: Nanos(24 * Nanos::HOUR.0),
        // Spot pings every 20 s, futures every 3 minutes; data comes far more often than either.
        idle_ns: Nanos::from_ms(if product.is_futures() { 200_000 } else { 30_000 }),
    }
}

/// The stream of `symbol` that brings `event`, and the path of the connection that it must be on.
/// None: the product has no such stream.
#[must_use]
pub fn stream(product: Product, symbol: &str, event: Event) -> Option<StreamName> {
    // Whole names in lower case; those beyond ASCII are none the less plain text in the control message.
    let symbol = symbol.to_lowercase();
    // USD-M splits its streams by path; one on the wrong path is acknowledged and brings nothing.
    let (public, market) = match product {
        Product::UsdM => ("/public/stream", "/market/stream"),
        Product::Spot | Product::CoinM => ("/stream", "/stream"),
    };
    let (kind, path) = match event {
        Event::Delta => ("depth@100ms", public),
        Event::Ticker => ("bookTicker", public),
        // Futures never documented single trades.
        Event::Trades if product.is_futures() => ("aggTrade", market),
        Event::Trades => ("trade", market),
        Event::MarkPrice if product.is_futures() => ("markPrice@1s", market),
        Event::Kline => ("kline_1m", market),
        Event::MarkPrice | Event::Snapshot | Event::Other => return None,
    };
    Some(StreamName { path, name: format!("{symbol}@{kind}") })
}

/// The control message that subscribes to `names`; its acknowledgement repeats `id`.
pub fn write_subscribe<'a>(names: impl IntoIterator<Item = &'a str>, id: u64, out: &mut String) {
    out.push_str(r#"{"method":"SUBSCRIBE","params":["#);
    for (index, name) in names.into_iter().enumerate() {
        out.push_str(if index == 0 { "\"" } else { ",\"" });
        out.push_str(name);
        out.push('"');
    }
    out.push_str(r#"],"id":"#);
    out.push_str(&id.to_string());
    out.push('}');
}

/// What a frame says to the session that subscribed. Market data is told by its first bytes.
#[must_use]
pub fn hear(frame: &[u8]) -> Heard {
    const SHUTDOWNS: [&[u8]; 2] = [b"{\"e\":\"serverShutdown\"", b"{\"stream\":\"!serverShutdown\""];
    if SHUTDOWNS.iter().any(|shape| frame.starts_with(shape)) {
        return Heard::Shutdown;
    }
    let answers: [&[u8]; 4] = [b"{\"result\"", b"{\"id\"", b"{\"error\"", b"{\"code\""];
    if !answers.iter().any(|shape| frame.starts_with(shape)) {
        return Heard::Data;
    }
    let Ok(answer) = serde_json::from_slice::<serde_json::Value>(frame) else { return Heard::Data };
    let id = answer.get("id").and_then(serde_json::Value::as_u64);
    let refusal = answer.get("error").or_else(|| answer.get("code").map(|_| &answer));
    match (refusal, id) {
        (Some(refusal), id) => {
            Heard::Refused { id, code: refusal.get("code").and_then(serde_json::Value::as_i64).unwrap_or(0) }
        }
        (None, Some(id)) => Heard::Ack { id },
        (None, None) => Heard::Data,
    }
}

/// How a connection's session subscribes to its streams.
#[derive(Clone, Debug)]
pub struct StreamProtocol {
    names: Vec<String>,
    per_message: usize,
}

impl StreamProtocol {
    /// A session that subscribes to `names`.
    #[must_use]
    pub fn new(product: Product, names: Vec<String>) -> Self {
        Self { names, per_message: limits(product).streams_per_message }
    }
}

impl Protocol for StreamProtocol {
    fn subscribe(&mut self, batch: usize, id: u64, out: &mut Vec<u8>) -> bool {
        let Some(names) = self.names.chunks(self.per_message).nth(batch) else { return false };
        let mut text = String::new();
        write_subscribe(names.iter().map(String::as_str), id, &mut text);
        out.extend_from_slice(text.as_bytes());
        true
    }

    #[inline]
    fn hear(&mut self, frame: &[u8]) -> Heard {
        hear(frame)
    }
}

/// The REST request for a depth snapshot, and its weight.
#[must_use]
pub fn snapshot_path(product: Product, symbol: &str) -> (String, u32) {
    let symbol = encoded(symbol);
    match product {
        Product::Spot => (format!("/api/v3/depth?symbol={symbol}&limit=5000"), 250),
        Product::UsdM => (format!("/fapi/v1/depth?symbol={symbol}&limit=1000"), 20),
        Product::CoinM => (format!("/dapi/v1/depth?symbol={symbol}&limit=1000"), 20),
    }
}

/// The REST request for the venue's time.
#[must_use]
pub fn time_path(product: Product) -> &'static str {
    match product {
        Product::Spot => "/api/v3/time",
        Product::UsdM => "/fapi/v1/time",
        Product::CoinM => "/dapi/v1/time",
    }
}

/// The venue's time in the answer to [`time_path`]. None: it is no such answer.
#[must_use]
pub fn server_time(answer: &[u8]) -> Option<Nanos> {
    let answer: serde_json::Value = serde_json::from_slice(answer).ok()?;
    answer.get("serverTime")?.as_u64()?.checked_mul(1_000_000).map(Nanos)
}

/// The REST request for the rules of `symbols`. Futures answer with all of theirs.
#[must_use]
pub fn instruments_path(product: Product, symbols: &[&str]) -> String {
    match product {
        Product::Spot => {
            let name = |symbol: &&str| format!("%22{}%22", encoded(symbol));
            let names: Vec<String> = symbols.iter().map(name).collect();
            format!("/api/v3/exchangeInfo?symbols=%5B{}%5D&showPermissionSets=false", names.join(","))
        }
        Product::UsdM => "/fapi/v1/exchangeInfo".to_owned(),
        Product::CoinM => "/dapi/v1/exchangeInfo".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_stream_of_a_future_is_on_the_path_that_carries_it() {
        let name = |event| stream(Product::UsdM, "BTCUSDT", event).map(|s| format!("{}/{}", s.path, s.name));
        assert_eq!(name(Event::Delta).unwrap(), "/public/stream/btcusdt@depth@100ms");
        assert_eq!(name(Event::Ticker).unwrap(), "/public/stream/btcusdt@bookTicker");
        assert_eq!(name(Event::Trades).unwrap(), "/market/stream/btcusdt@aggTrade");
        assert_eq!(name(Event::MarkPrice).unwrap(), "/market/stream/btcusdt@markPrice@1s");
        assert_eq!(name(Event::Snapshot), None);
    }

    #[test]
    fn spot_has_single_trades_and_no_mark_price() {
        let name = |event| stream(Product::Spot, "ETHBTC", event).map(|s| format!("{}/{}", s.path, s.name));
        assert_eq!(name(Event::Trades).unwrap(), "/stream/ethbtc@trade");
        assert_eq!(name(Event::MarkPrice), None);
    }

    #[test]
    fn a_subscription_and_its_answers_carry_one_id() {
        let mut text = String::new();
        write_subscribe(["btcusdt@trade", "btcusdt@bookTicker"], 7, &mut text);
        assert_eq!(text, r#"{"method":"SUBSCRIBE","params":["btcusdt@trade","btcusdt@bookTicker"],"id":7}"#);
        assert_eq!(hear(br#"{"result":null,"id":7}"#), Heard::Ack { id: 7 });
        let refused = hear(br#"{"code":2,"msg":"Invalid request: x","id":7}"#);
        assert_eq!(refused, Heard::Refused { id: Some(7), code: 2 });
        let nested = hear(br#"{"error":{"code":3,"msg":"no"}}"#);
        assert_eq!(nested, Heard::Refused { id: None, code: 3 });
        for data in [&br#"{"stream":"btcusdt@trade","data":{}}"#[..], b"{\"result\":", b"{\"id\":\"x\"}"] {
            assert_eq!(hear(data), Heard::Data);
        }
    }

    #[test]
    fn a_session_subscribes_in_messages_of_a_bounded_size() {
        let names = (0..120).map(|index| format!("a{index}@trade")).collect();
        let mut protocol = StreamProtocol::new(Product::Spot, names);
        let mut sizes = Vec::new();
        let mut out = Vec::new();
        while protocol.subscribe(sizes.len(), 1, &mut out) {
            sizes.push(out.split(|byte| *byte == b'@').count() - 1);
            out.clear();
        }
        assert_eq!(sizes, [50, 50, 20]);
    }

    #[test]
    fn a_closing_server_is_heard_in_both_shapes() {
        let combined = br#"{"stream":"!serverShutdown","data":{"e":"serverShutdown","E":1}}"#;
        assert_eq!(hear(br#"{"e":"serverShutdown","E":1}"#), Heard::Shutdown);
        assert_eq!(hear(combined), Heard::Shutdown);
        assert_eq!(hear(br#"{"e":"trade","E":1}"#), Heard::Data);
    }

    #[test]
    fn symbols_beyond_ascii_are_encoded_in_requests_and_plain_in_stream_names() {
        let symbol = "\u{8FD9}\u{662F}\u{6D4B}\u{8BD5}\u{5E01}USDT";
        let query = "%E8%BF%99%E6%98%AF%E6%B5%8B%E8%AF%95%E5%B8%81USDT";
        for product in [Product::Spot, Product::UsdM, Product::CoinM] {
            let (path, _) = snapshot_path(product, symbol);
            assert!(path.contains(&format!("?symbol={query}&limit=")), "{path}");
            let url = format!("https://a.b{path}");
            assert_eq!(wire::url::Url::parse(&url).map(|url| url.path().to_owned()), Ok(path));
        }
        assert_eq!(
            snapshot_path(Product::CoinM, "BTCUSD_PERP").0,
            "/dapi/v1/depth?symbol=BTCUSD_PERP&limit=1000"
        );
        assert_eq!(
            instruments_path(Product::Spot, &[symbol, "A&B"]),
            format!("/api/v3/exchangeInfo?symbols=%5B%22{query}%22,%22A%26B%22%5D&showPermissionSets=false")
        );
        let name = stream(Product::Spot, symbol, Event::Trades).unwrap().name;
        assert_eq!(name, "\u{8FD9}\u{662F}\u{6D4B}\u{8BD5}\u{5E01}usdt@trade");
        assert_eq!(stream(Product::Spot, "\u{FF21}1", Event::Trades).unwrap().name, "\u{FF41}1@trade");
        let mut text = String::new();
        write_subscribe([name.as_str()], 1, &mut text);
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap()["params"][0], name);
    }

    #[test]
    fn requests_name_symbols_as_each_product_wants_them() {
        assert_eq!(
            instruments_path(Product::Spot, &["BTCUSDT", "ETHBTC"]),
            "/api/v3/exchangeInfo?symbols=%5B%22BTCUSDT%22,%22ETHBTC%22%5D&showPermissionSets=false"
        );
        assert_eq!(snapshot_path(Product::UsdM, "BTCUSDT").0, "/fapi/v1/depth?symbol=BTCUSDT&limit=1000");
        assert_eq!(server_time(br#"{"serverTime":1499827319559}"#), Some(Nanos::from_ms(1_499_827_319_559)));
        assert_eq!(server_time(b"{}"), None);
    }
}
