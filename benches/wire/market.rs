//! What the child says as a venue: market data of USD-M futures, snapshots, and an answer to everything that a session
//! asks. Update ids are times in ns, so that they rise and a frame says when it was due.

use crate::link::{Link, Listening, Said};
use std::time::{SystemTime, UNIX_EPOCH};

/// One instrument of the child's venue: its texts, and the chain of its updates.
pub(crate) struct Quoted {
    symbol: String,
    stream: String,
    /// Update id of the last depth message.
    pub(crate) last_id: u64,
    count: u64,
}

/// The touch, which stays where it is: bids below, asks above.
const BID_TENTHS: u64 = 600_000;

impl Quoted {
    pub(crate) fn new(symbol: &str) -> Self {
        Self { symbol: symbol.to_owned(), stream: symbol.to_ascii_lowercase(), last_id: 0, count: 0 }
    }

    /// A `bookTicker` with another quantity than the one before.
    pub(crate) fn ticker(&mut self, id: u64) -> String {
        self.count += 1;
        let Self { symbol, stream, count, .. } = self;
        let (bid, ask, ms) = (price(0), price(1), id / 1_000_000);
        let (bid_qty, ask_qty) = (qty(count.wrapping_mul(7)), qty(count.wrapping_mul(13)));
        format!(
            r#"{{"stream":"{stream}@bookTicker","data":{{"e":"bookTicker","u":{id},"s":"{symbol}","b":"{bid}","B":"{bid_qty}","a":"{ask}","A":"{ask_qty}","T":{ms},"E":{ms}}}}}"#
        )
    }

    /// A depth message of `levels` levels a side, behind the touch.
    pub(crate) fn delta(&mut self, id: u64, levels: u64) -> String {
        self.count += 1;
        let Self { symbol, stream, last_id, count } = self;
        let side = |sign: i64| {
            let level = |step: u64| {
                let away = i64::try_from(2 + step * 3 + *count % 3).expect("near");
                format!(r#"["{}","{}"]"#, price(sign * away), qty(count.wrapping_mul(step + 3)))
            };
            (0..levels).map(level).collect::<Vec<_>>().join(",")
        };
        let (bids, asks, ms, first) = (side(-1), side(1), id / 1_000_000, *last_id + 1);
        let text = format!(
            r#"{{"stream":"{stream}@depth@100ms","data":{{"e":"depthUpdate","E":{ms},"T":{ms},"s":"{symbol}","U":{first},"u":{id},"pu":{last_id},"b":[{bids}],"a":[{asks}]}}}}"#
        );
        self.last_id = id;
        text
    }

    /// An aggregated trade.
    pub(crate) fn trade(&mut self, id: u64) -> String {
        self.count += 1;
        let Self { symbol, stream, count, .. } = self;
        let (price, qty, ms) = (price(i64::from(*count % 2 == 0)), qty(*count), id / 1_000_000);
        let is_sell = *count % 2 == 1;
        format!(
            r#"{{"stream":"{stream}@aggTrade","data":{{"e":"aggTrade","E":{ms},"a":{id},"s":"{symbol}","p":"{price}","q":"{qty}","f":{id},"l":{id},"T":{ms},"m":{is_sell}}}}}"#
        )
    }

    /// The book as REST gives it, up to the last depth message.
    fn snapshot(&self) -> String {
        let side = |sign: i64, from: i64| {
            let level = |step: i64| format!(r#"["{}","1.000"]"#, price(from + sign * step));
            (0..200).map(level).collect::<Vec<_>>().join(",")
        };
        let (id, ms, bids, asks) = (self.last_id, self.last_id / 1_000_000, side(-1, 0), side(1, 1));
        format!(r#"{{"lastUpdateId":{id},"E":{ms},"T":{ms},"bids":[{bids}],"asks":[{asks}]}}"#)
    }
}

/// Tenths above the best bid.
fn price(above: i64) -> String {
    let tenths = BID_TENTHS.saturating_add_signed(above);
    format!("{}.{}0", tenths / 10, tenths % 10)
}

fn qty(seed: u64) -> String {
    let thousandths = 1 + seed % 5_000;
    format!("{}.{:03}", thousandths / 1_000, thousandths % 1_000)
}

/// The time that ids are made from, ns.
pub(crate) fn wall_ns() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    u64::try_from(since.as_nanos()).expect("before 2554")
}

/// What has happened to a venue's sessions.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Heard {
    /// Subscriptions acknowledged.
    pub(crate) subscriptions: usize,
    /// Snapshots given.
    pub(crate) snapshots: usize,
    /// Requests that concern orders.
    pub(crate) orders: usize,
}

/// Looks once at every link and answers what was said.
pub(crate) fn serve(listening: &mut Listening, quoted: &[Quoted], heard: &mut Heard) {
    listening.accept();
    for link in &mut listening.links {
        link.turn(|| ());
        answer_all(link, quoted, heard);
    }
}

/// Answers everything that a link has said.
pub(crate) fn answer_all(link: &mut Link, quoted: &[Quoted], heard: &mut Heard) {
    while let Some(said) = link.said() {
        match said {
            Said::Request(request) if request.web_socket_key.is_some() => {}
            Said::Request(request) => {
                let body = if request.path.ends_with("/depth") {
                    heard.snapshots += 1;
                    let symbol = parameter(&request.query, "symbol");
                    let found = quoted.iter().find(|one| Some(one.symbol.as_str()) == symbol);
                    found.expect("a listed symbol").snapshot()
                } else if request.path.ends_with("/positionSide/dual") {
                    r#"{"dualSidePosition":false}"#.to_owned()
                } else {
                    format!(r#"{{"serverTime":{}}}"#, wall_ns() / 1_000_000)
                };
                link.send(&venue_sim::server::Response::json(200, body).bytes(false));
            }
            Said::Text(text) if text.contains("SUBSCRIBE") => {
                heard.subscriptions += 1;
                let id = text.rsplit(':').next().expect("an id").trim_end_matches('}');
                link.text(&format!(r#"{{"result":null,"id":{id}}}"#));
            }
            Said::Text(text) => {
                heard.orders += usize::from(text.contains("\"order."));
                link.text(&answer(&text));
            }
        }
    }
}

fn parameter<'a>(query: &'a str, name: &str) -> Option<&'a str> {
    query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
}

/// The answer to a request over the WebSocket API.
fn answer(request: &str) -> String {
    let value = |name: &str| {
        let at = request.find(&format!("\"{name}\":"))? + name.len() + 3;
        request[at..].trim_start_matches('"').split(['"', ',', '}']).next()
    };
    let id = value("id").expect("an id");
    let method = value("method").expect("a method");
    let result = match method {
        "order.place" | "order.modify" | "order.cancel" => {
            let own =
                value("newClientOrderId").or_else(|| value("origClientOrderId")).expect("an order's id");
            let (price, qty) = (value("price").unwrap_or("0.10"), value("quantity").unwrap_or("0.001"));
            let (symbol, side) = (value("symbol").expect("a symbol"), value("side").unwrap_or("BUY"));
            let status = if method == "order.cancel" { "CANCELED" } else { "NEW" };
            format!(
                r#"{{"orderId":20072994037,"symbol":"{symbol}","status":"{status}","clientOrderId":"{own}","price":"{price}","avgPrice":"0.00","origQty":"{qty}","executedQty":"0.000","cumQty":"0.000","cumQuote":"0.00000","timeInForce":"GTX","type":"LIMIT","reduceOnly":false,"closePosition":false,"side":"{side}","positionSide":"BOTH","stopPrice":"0.00","workingType":"CONTRACT_PRICE","priceProtect":false,"origType":"LIMIT","updateTime":1702555534435}}"#
            )
        }
        // Asked after a stall that was longer than the engine waits: the next ticker begins anew.
        "order.status" => {
            return format!(
                r#"{{"id":"{id}","status":400,"error":{{"code":-2013,"msg":"Order does not exist."}}}}"#
            );
        }
        "userDataStream.start" | "userDataStream.ping" => r#"{"listenKey":"key"}"#.to_owned(),
        _ => r#"{"apiKey":"key"}"#.to_owned(),
    };
    format!(r#"{{"id":"{id}","status":200,"result":{result}}}"#)
}
