//! While the WebSocket API is down: requests about orders over REST, and the end of everything of an instrument at once.
//!
//! The codec's message is the same, and this writes it as REST takes it, so that a kind of order that the codec learns
//! goes both ways. The answers read alike.

use super::super::heard::OrderReport;
use super::ledger::Ledger;
use super::rest::{Asking, Question, Rest};
use crate::counterparty::AnswerEvent;
use crate::throttle::Priority;
use engine::instrument::ContractKind;
use engine::time::Nanos;
use std::collections::VecDeque;
use wire::http::Method;
use wire::json::{JsonError, Value};
use wire::net::Net;
use wire::url::encoded;

/// Requests about orders that are under way over REST.
pub(super) struct Fallback {
    kind: ContractKind,
    /// With the numbers by which the ledger knows them.
    orders: Vec<(u64, Asking)>,
    /// Requests that end everything of a symbol: those that wait for a connection, with the time at which they were
    /// asked for, and those that are under way.
    ends_due: VecDeque<(Nanos, &'static str, String)>,
    ends: Vec<Asking>,
}

/// At once: more than a client has connections.
const UNDER_WAY_MAX: usize = 16;
/// An end that could not leave for so long is given up: what is placed later is none of its business.
const ENDS_WAIT_NS: Nanos = Nanos::from_ms(10_000);

impl Fallback {
    pub(super) fn new(kind: ContractKind) -> Self {
        let (orders, ends) = (Vec::with_capacity(UNDER_WAY_MAX), Vec::with_capacity(UNDER_WAY_MAX));
        Self { kind, orders, ends_due: VecDeque::new(), ends }
    }

    /// Sends the codec's message. False: it did not leave.
    pub(super) fn send(&mut self, message: &[u8], number: u64, rest: &mut Rest, now: Nanos) -> bool {
        let Some((method, parameters)) = parts_of(message) else { return false };
        let Some((method, path)) = path_of(self.kind, method) else { return false };
        let question = Question { what: "an order over REST", method, path, parameters: &parameters };
        let asking = rest.begin(question, now);
        self.orders.extend(asking.map(|asking| (number, asking)));
        asking.is_some()
    }

    /// Ends every open order of a symbol, as soon as connections are free. False: nothing of it has left yet.
    pub(super) fn end_all(&mut self, symbol: &str, rest: &mut Rest, ledger: &mut Ledger, now: Nanos) -> bool {
        let parameters = format!("symbol={}", encoded(symbol));
        self.ends_due.extend(ends_of(self.kind).iter().map(|path| (now, *path, parameters.clone())));
        self.ask_for_ends(rest, ledger, now) > 0
    }

    /// Asks for as many ends as can leave. Returns how many left.
    fn ask_for_ends(&mut self, rest: &mut Rest, ledger: &mut Ledger, now: Nanos) -> usize {
        let mut left = 0;
        while let Some((at, path, parameters)) = self.ends_due.front() {
            if now < at.plus(ENDS_WAIT_NS) {
                let what = "the end of all orders";
                let question = Question { what, method: Method::Delete, path, parameters };
                let Some(asking) = rest.ask(question, (Priority::Cancel, 1), ledger, now) else { break };
                self.ends.push(asking);
                left += 1;
            }
            self.ends_due.pop_front();
        }
        left
    }

    /// Takes what has been answered.
    pub(super) fn turn(
        &mut self,
        rest: &mut Rest,
        net: &mut Net,
        ledger: &mut Ledger,
        (now, venue_now): (Nanos, Nanos),
    ) {
        self.orders.retain(|(number, asking)| {
            let Some(answer) = rest.answer(*asking, ledger, now) else { return true };
            ledger.on_order_answer(*number, answer, now, venue_now);
            rest.finish(net, *asking);
            false
        });
        self.ends.retain(|asking| {
            let Some(answer) = rest.answer(*asking, ledger, now) else { return true };
            let body = answer.filter(|response| response.status == 200).map(|response| response.body);
            let told = body.map(|body| tell_ended(Value::root(body), ledger, now));
            if matches!(told, Some(Err(_))) {
                ledger.counts.unreadable += 1;
                ledger.is_in_doubt = true;
            }
            rest.finish(net, *asking);
            false
        });
        self.ask_for_ends(rest, ledger, now);
    }
}

/// What ends everything of a symbol. On futures orders that wait for a trigger are beside the others, and no list of open
/// orders knows them: first they, so that none becomes an order in between.
const fn ends_of(kind: ContractKind) -> &'static [&'static str] {
    match kind {
        ContractKind::Spot => &["/api/v3/openOrders"],
        _ => &["/fapi/v1/algoOpenOrders", "/fapi/v1/allOpenOrders"],
    }
}

/// Spot lists what it has ended; futures say that it is done, and the user stream says of each order.
fn tell_ended(answer: Value<'_>, ledger: &mut Ledger, now: Nanos) -> Result<(), JsonError> {
    if !answer.is_array() {
        return Ok(());
    }
    for order in answer.elements()? {
        let order = order?;
        // A list of orders, which the engine has none of.
        if order.fields(&["orderId"])?.optional("orderId").is_none() {
            continue;
        }
        let report = OrderReport::read_canceled(order, &ledger.listing)?;
        let filled = report.reported.map(|reported| reported.filled);
        ledger.tell(now, report.id, AnswerEvent::Canceled, filled);
    }
    Ok(())
}

/// Method and path of a method of the WebSocket API. None: REST has none.
fn path_of(kind: ContractKind, method: &[u8]) -> Option<(Method, &'static str)> {
    Some(match (kind, method) {
        (ContractKind::Spot, b"order.place") => (Method::Post, "/api/v3/order"),
        (ContractKind::Spot, b"order.cancel") => (Method::Delete, "/api/v3/order"),
        (ContractKind::Spot, b"order.status") => (Method::Get, "/api/v3/order"),
        (ContractKind::Spot, b"order.amend.keepPriority") => {
            (Method::Put, "/api/v3/order/amend/keepPriority")
        }
        (ContractKind::Linear, b"order.place") => (Method::Post, "/fapi/v1/order"),
        (ContractKind::Linear, b"order.cancel") => (Method::Delete, "/fapi/v1/order"),
        (ContractKind::Linear, b"order.status") => (Method::Get, "/fapi/v1/order"),
        (ContractKind::Linear, b"order.modify") => (Method::Put, "/fapi/v1/order"),
        (ContractKind::Linear, b"algoOrder.place") => (Method::Post, "/fapi/v1/algoOrder"),
        (ContractKind::Linear, b"algoOrder.cancel") => (Method::Delete, "/fapi/v1/algoOrder"),
        _ => return None,
    })
}

/// Method and parameters of a message of the codec, these as a query without what every request has. The codec writes
/// flat texts and numbers without escapes. None: it is no such message.
fn parts_of(message: &[u8]) -> Option<(&[u8], String)> {
    let method = Value::root(message).fields(&["method"]).ok()?.optional("method")?.text().ok()?;
    let text = std::str::from_utf8(message).ok()?;
    let mut rest = text.split_once("\"params\":{")?.1;
    let mut query = String::with_capacity(rest.len());
    while let Some(after) = rest.strip_prefix('"') {
        let (name, after) = after.split_once("\":")?;
        let (value, after) = match after.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"')?,
            None => after.split_at(after.find([',', '}'])?),
        };
        if !matches!(name, "timestamp" | "recvWindow" | "apiKey" | "signature") {
            query.push_str(if query.is_empty() { "" } else { "&" });
            query.push_str(name);
            query.push('=');
            query.push_str(&encoded(value));
        }
        rest = after.strip_prefix(',').unwrap_or(after);
    }
    (rest == "}}").then_some((method, query))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_of_the_codec_becomes_a_query() {
        let message = r#"{"id":"7","method":"order.place","params":{"side":"BUY","type":"LIMIT","symbol":"１BTC","recvWindow":2000,"price":"5.10","quantity":"0.1","newClientOrderId":"sb7-1-1","timestamp":1700000000000}}"#;
        let (method, query) = parts_of(message.as_bytes()).unwrap();
        assert_eq!(method, b"order.place");
        assert_eq!(
            query,
            "side=BUY&type=LIMIT&symbol=%EF%BC%91BTC&price=5.10&quantity=0.1&newClientOrderId=sb7-1-1"
        );
        assert_eq!(path_of(ContractKind::Linear, method), Some((Method::Post, "/fapi/v1/order")));
        assert_eq!(path_of(ContractKind::Inverse, method), None);
    }

    #[test]
    fn a_message_that_is_cut_is_none() {
        let message = br#"{"id":"7","method":"order.cancel","params":{"symbol":"BTCUSDT","timestamp":17}}"#;
        assert_eq!(parts_of(message), Some((&b"order.cancel"[..], "symbol=BTCUSDT".to_owned())));
        for len in 0..message.len() {
            assert_eq!(parts_of(&message[..len]), None, "{len}");
        }
    }

    #[test]
    fn everything_of_a_symbol_ends_by_one_request_on_spot_and_by_two_on_futures() {
        assert_eq!(ends_of(ContractKind::Spot), ["/api/v3/openOrders"]);
        assert_eq!(ends_of(ContractKind::Linear), ["/fapi/v1/algoOpenOrders", "/fapi/v1/allOpenOrders"]);
    }
}
