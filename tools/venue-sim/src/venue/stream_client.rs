//! Stream connections: which paths open one, what it listens to, what it is told.

use std::net::IpAddr;

use super::api::ApiClient;
use super::{Client, ClientKind, Venue, slot};
use crate::binance::control::{self, Control, ControlError};
use crate::binance::failure::Failure;
use crate::binance::params::Params;
use crate::binance::streams::{self, Route};
use crate::exchange::Product;
use crate::outbox::{ConnId, Outbox, Payload, Topic};
use crate::server::Request;
use engine::time::Nanos;

/// A connection to streams.
pub(super) struct StreamClient {
    route: Route,
    combined: bool,
    /// In the order of subscription.
    names: Vec<String>,
    second: u64,
    messages: u32,
}

/// Streams of one connection.
const STREAMS_MAX: usize = 1_024;

impl StreamClient {
    /// Listen keys among its streams.
    pub(super) fn listen_keys(&self) -> impl Iterator<Item = &String> {
        let is_private = matches!(self.route, Route::Private | Route::Unrouted);
        self.names.iter().filter(move |name| is_private && !name.contains('@'))
    }

    /// An event as this connection wants it.
    pub(super) fn wrapped(&self, stream: &str, json: &str) -> String {
        if self.combined { format!("{{\"stream\":\"{stream}\",\"data\":{json}}}") } else { json.to_owned() }
    }

    /// Counts a message of the client. Returns whether that was too many in a second.
    fn is_flooding(&mut self, now: Nanos) -> bool {
        let second = now.0 / Nanos::SECOND.0;
        if second != self.second {
            (self.second, self.messages) = (second, 0);
        }
        self.messages += 1;
        self.messages > if self.route == Route::Spot { 5 } else { 10 }
    }
}

/// What a path opens.
enum Opens {
    Api,
    Streams { route: Route, combined: bool, names: Vec<String> },
}

impl Venue {
    /// Takes a WebSocket client. Err: no such path, or it asks for what is not spoken here.
    pub(super) fn open_client(&mut self, conn: ConnId, ip: IpAddr, request: &Request) -> Result<(), Failure> {
        let query =
            Params::from_forms(&request.query.replace("&listenKey=", ",&listenKey="), "").or_else(|_| {
                // Several listen keys: each is a stream.
                Params::from_forms("", "")
            })?;
        if query.get("timeUnit").is_some_and(|unit| !unit.eq_ignore_ascii_case("millisecond")) {
            return Err(Failure::of(400, -1100, "Only timeUnit=MILLISECOND is spoken here."));
        }
        if query.get("responseFormat").is_some_and(|format| format != "json") {
            return Err(Failure::of(400, -1100, "Only responseFormat=json is spoken here."));
        }
        let (product, opens) = self.opens(request, &query).ok_or(Failure::of(404, -1000, "No such path."))?;
        if self.desks[slot(product)].is_none() {
            return Err(Failure::of(404, -1000, "The venue does not have this product."));
        }
        if self.faults.is_closed(matches!(opens, Opens::Api), self.now) {
            return Err(Failure::of(503, -1016, "This service is no longer available."));
        }
        let kind = match opens {
            Opens::Api => {
                let returns_limits = query.flag("returnRateLimits")?.unwrap_or(true);
                ClientKind::Api(ApiClient::new(self.now.as_ms(), returns_limits))
            }
            Opens::Streams { route, combined, names } => {
                if let Some(desk) = &mut self.desks[slot(product)] {
                    desk.publisher.set_combined(conn, combined);
                }
                let mut client = StreamClient { route, combined, names: Vec::new(), second: 0, messages: 0 };
                for name in names {
                    self.listen(conn, &mut client, name);
                }
                ClientKind::Stream(client)
            }
        };
        let real = self.real;
        let client = Client { ip, product, opened: self.now, pinged: real, ponged: real, kind };
        self.clients.insert(conn, client);
        Ok(())
    }

    fn opens(&self, request: &Request, query: &Params) -> Option<(Product, Opens)> {
        let path = request.path.as_str();
        match path {
            "/ws-api/v3" => return Some((Product::Spot, Opens::Api)),
            "/ws-fapi/v1" => return Some((Product::Futures, Opens::Api)),
            _ => {}
        }
        let unrouted = if self.desks[slot(Product::Spot)].is_some() { Route::Spot } else { Route::Unrouted };
        let (route, rest) =
            [("/public", Route::Public), ("/market", Route::Market), ("/private", Route::Private)]
                .into_iter()
                .find_map(|(prefix, route)| Some((route, path.strip_prefix(prefix)?)))
                .unwrap_or((unrouted, path));
        let split = |list: &str| list.split('/').filter(|name| !name.is_empty()).map(str::to_owned).collect();
        let listen_keys = || {
            let pairs = request.query.split('&').filter_map(|pair| pair.strip_prefix("listenKey="));
            pairs.map(str::to_owned).collect::<Vec<_>>()
        };
        let (combined, names) = if rest == "/stream" {
            let named: Vec<String> = query.get("streams").map(split).unwrap_or_default();
            (true, if named.is_empty() { listen_keys() } else { named })
        } else {
            let list = rest.strip_prefix("/ws")?;
            let list = if list.is_empty() { "" } else { list.strip_prefix('/')? };
            let named: Vec<String> = split(list);
            (false, if named.is_empty() { listen_keys() } else { named })
        };
        Some((route.product(), Opens::Streams { route, combined, names }))
    }

    /// A client listens to a stream of that name, which need not exist.
    fn listen(&mut self, conn: ConnId, client: &mut StreamClient, name: String) {
        let product = client.route.product();
        if let Some(desk) = &mut self.desks[slot(product)] {
            let key = streams::parse(product, &name, |symbol| desk.exchange.find_market(symbol));
            if let Some(key) = key.filter(|key| client.route.serves(key.kind)) {
                desk.publisher.subscribe(conn, &name, key, &desk.exchange);
            }
        }
        if !client.names.contains(&name) {
            client.names.push(name);
        }
    }

    fn listen_no_more(&mut self, conn: ConnId, client: &mut StreamClient, name: &str) {
        let product = client.route.product();
        if let Some(desk) = &mut self.desks[slot(product)] {
            let key = streams::parse(product, name, |symbol| desk.exchange.find_market(symbol));
            if let Some(key) = key {
                desk.publisher.unsubscribe(conn, key);
            }
        }
        client.names.retain(|known| known != name);
    }

    /// Counts a message of a stream client, and lets it go if it floods. Returns whether it may stay.
    pub(super) fn count_message(&mut self, conn: ConnId, out: &mut Outbox) -> bool {
        let now = self.now;
        if let Some(Client { kind: ClientKind::Stream(client), .. }) = self.clients.get_mut(&conn)
            && client.is_flooding(now)
        {
            out.push(conn, Topic::Control, Payload::Close("Too many requests"));
            return false;
        }
        true
    }

    /// A control message.
    pub(super) fn stream_text(&mut self, conn: ConnId, text: &str, out: &mut Outbox) {
        if !self.count_message(conn, out) {
            return;
        }
        // Taken out, so that desks can be reached; put back below.
        let Some(mut entry) = self.clients.remove(&conn) else { return };
        if let ClientKind::Stream(client) = &mut entry.kind {
            let answer = match control::parse(text) {
                Err(ControlError(answer)) => answer,
                Ok((id, control)) => self.obey(conn, client, &id, control),
            };
            out.text(conn, Topic::Answer, answer);
        }
        self.clients.insert(conn, entry);
    }

    fn obey(&mut self, conn: ConnId, client: &mut StreamClient, id: &str, control: Control) -> String {
        match control {
            Control::Subscribe(names) => {
                if client.names.len() + names.len() > STREAMS_MAX {
                    let text =
                        format!("{{\"code\":2,\"msg\":\"Invalid request: too many streams\",\"id\":{id}}}");
                    return text;
                }
                for name in names {
                    self.listen(conn, client, name);
                }
                control::answer(id, "null")
            }
            Control::Unsubscribe(names) => {
                for name in names {
                    self.listen_no_more(conn, client, &name);
                }
                control::answer(id, "null")
            }
            Control::List => {
                let mut json = crate::binance::Json::list();
                for name in &client.names {
                    json.item_text(name);
                }
                control::answer(id, &json.done_list())
            }
            Control::SetCombined(combined) => {
                client.combined = combined;
                if let Some(desk) = &mut self.desks[slot(client.route.product())] {
                    desk.publisher.set_combined(conn, combined);
                }
                control::answer(id, "null")
            }
            Control::GetCombined => control::answer(id, if client.combined { "true" } else { "false" }),
        }
    }
}
