//! The WebSocket API: one JSON request a message, sessions, and on spot the user data streams.
//!
//! Envelope and session rules: developers.binance.com, "WebSocket API" of spot and USD-M, read 2026-11-21.

use engine::ids::AccountId;
use engine::time::Nanos;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use std::collections::BTreeMap;

use super::rest::{permitted, shifted};
use super::{Client, ClientKind, Venue, slot};
use crate::binance::auth::{self, Keys, Verifier};
use crate::binance::calls;
use crate::binance::control::id_of;
use crate::binance::desk::Asked;
use crate::binance::failure::{Failure, INVALID_KEY};
use crate::binance::params::Params;
use crate::binance::{Json, Security, Weight};
use crate::exchange::{HOUSE, Product};
use crate::outbox::{ConnId, Outbox, Payload, Topic};

/// A connection to the WebSocket API.
pub(super) struct ApiClient {
    connected_ms: u64,
    logon: Option<Logon>,
    /// User data streams, by number.
    subscriptions: BTreeMap<u32, Subscription>,
    next_subscription: u32,
    returns_limits: bool,
    /// Streams that have ended and whose end was not told yet.
    terminated: Vec<u32>,
}

struct Logon {
    key: String,
    since_ms: u64,
}

struct Subscription {
    account: AccountId,
    by_logon: bool,
}

/// One request, read.
struct ApiRequest {
    /// As JSON.
    id: String,
    method: String,
    params: Params,
}

/// Active user data streams on one connection.
const SUBSCRIPTIONS_MAX: usize = 1_000;
/// User data streams over a connection's life.
const SUBSCRIPTIONS_EVER: u32 = 65_535;

impl ApiClient {
    pub(super) const fn new(connected_ms: u64, returns_limits: bool) -> Self {
        Self {
            connected_ms,
            logon: None,
            subscriptions: BTreeMap::new(),
            next_subscription: 0,
            returns_limits,
            terminated: Vec::new(),
        }
    }

    /// Numbers of the user data streams of an account.
    pub(super) fn subscriptions_of(&self, account: AccountId) -> impl Iterator<Item = u32> {
        self.subscriptions.iter().filter(move |(_, sub)| sub.account == account).map(|(id, _)| *id)
    }

    /// The account that a request is made for, and whether by the session's log-on.
    /// Err: as [`Keys::check`]; `-1102` neither a log-on nor a key; `-2015` the key may not.
    fn authorised(
        &self,
        keys: &Keys,
        params: &Params,
        security: Security,
        now: Nanos,
    ) -> Result<AccountId, Failure> {
        match security {
            Security::None => return Ok(HOUSE),
            Security::Key => {
                let logon = self.logon.as_ref().map(|logon| logon.key.as_str());
                let key = params.get("apiKey").or(logon).ok_or_else(|| Failure::missing("apiKey"))?;
                return keys.find(key).map(|key| key.account);
            }
            Security::Signed | Security::Trade => {}
        }
        let key = match (params.get("apiKey"), &self.logon) {
            (None, Some(logon)) => keys.find(&logon.key)?,
            (None, None) => return Err(Failure::missing("apiKey")),
            (Some(text), _) => {
                keys.find(text)?;
                keys.check(text, &params.signed_text(), params.need("signature")?)?
            }
        };
        auth::check_time(params, now)?;
        permitted(key, security)
    }
}

impl ApiClient {
    /// Calls that change the session itself.
    fn session_call(
        &mut self,
        request: &ApiRequest,
        product: Product,
        keys: &Keys,
        now: Nanos,
    ) -> Result<String, Failure> {
        let params = &request.params;
        match (request.method.as_str(), product) {
            ("session.logon", _) => {
                let text = params.need("apiKey")?;
                let key = keys.find(text)?;
                if !matches!(key.verifier, Verifier::Ed25519(_)) {
                    return Err(Failure::of(400, -4056, "HMAC and RSA API keys are not supported."));
                }
                keys.check(text, &params.signed_text(), params.need("signature")?)?;
                auth::check_time(params, now)?;
                self.logon = Some(Logon { key: text.to_owned(), since_ms: now.as_ms() });
                Ok(self.session(product, now))
            }
            ("session.status", _) => Ok(self.session(product, now)),
            ("session.logout", _) => {
                self.logon = None;
                self.end_streams(|subscription| subscription.by_logon);
                Ok(self.session(product, now))
            }
            ("session.subscriptions", Product::Spot) => {
                let mut json = Json::list();
                for id in self.subscriptions.keys() {
                    json.item_open().int("subscriptionId", id).close();
                }
                Ok(json.done_list())
            }
            ("userDataStream.subscribe", Product::Spot) => {
                let logon = self.logon.as_ref().ok_or(INVALID_KEY)?;
                let account = keys.find(&logon.key)?.account;
                self.subscribe(account, true)
            }
            ("userDataStream.subscribe.signature", Product::Spot) => {
                let text = params.need("apiKey")?;
                keys.find(text)?;
                let key = keys.check(text, &params.signed_text(), params.need("signature")?)?;
                auth::check_time(params, now)?;
                self.subscribe(key.account, false)
            }
            ("userDataStream.unsubscribe", Product::Spot) => {
                match params.number("subscriptionId")? {
                    None => self.end_streams(|_| true),
                    Some(id) => {
                        let id = u32::try_from(id).ok().filter(|id| self.subscriptions.contains_key(id));
                        let id =
                            id.ok_or(Failure::of(400, -2036, "User Data Stream subscription not active."))?;
                        self.subscriptions.remove(&id);
                        self.terminated.push(id);
                    }
                }
                Ok("{}".to_owned())
            }
            _ => Err(Failure::of(400, -1020, "This operation is not supported.")),
        }
    }

    fn subscribe(&mut self, account: AccountId, by_logon: bool) -> Result<String, Failure> {
        if self.subscriptions_of(account).next().is_some() {
            return Err(Failure::of(400, -2035, "User Data Stream subscription already active."));
        }
        if self.subscriptions.len() >= SUBSCRIPTIONS_MAX || self.next_subscription >= SUBSCRIPTIONS_EVER {
            return Err(Failure::of(400, -2042, "User Data Stream subscription limit reached."));
        }
        let id = self.next_subscription;
        self.next_subscription += 1;
        self.subscriptions.insert(id, Subscription { account, by_logon });
        let mut json = Json::object();
        json.int("subscriptionId", id);
        Ok(json.done())
    }

    fn end_streams(&mut self, which: impl Fn(&Subscription) -> bool) {
        let ended = self.subscriptions.iter().filter(|(_, sub)| which(sub)).map(|(id, _)| *id);
        let ended: Vec<_> = ended.collect();
        self.subscriptions.retain(|id, _| !ended.contains(id));
        self.terminated.extend(ended);
    }

    fn session(&self, product: Product, now: Nanos) -> String {
        let mut json = Json::object();
        match &self.logon {
            Some(logon) => json.text("apiKey", &logon.key).int("authorizedSince", logon.since_ms),
            None => json.null("apiKey").null("authorizedSince"),
        };
        json.int("connectedSince", self.connected_ms).flag("returnRateLimits", self.returns_limits);
        json.int("serverTime", now.as_ms());
        if product == Product::Spot {
            json.flag("userDataStream", self.subscriptions.values().any(|sub| sub.by_logon));
        }
        json.done()
    }
}

fn read(text: &str) -> Result<ApiRequest, (String, Failure)> {
    let invalid = || ("null".to_owned(), Failure::of(400, -1135, "Invalid JSON Request."));
    let Ok(Message { id, method, params }) = serde_json::from_str(text) else { return Err(invalid()) };
    let id = id_of(id.as_ref()).ok_or_else(invalid)?;
    let Some(method) = method.as_ref().and_then(Value::as_str) else {
        return Err((id, Failure::missing("method")));
    };
    let method =
        method.split_once('/').filter(|(version, _)| is_version(version)).map_or(method, |(_, rest)| rest);
    let Ok(params) = params else { return Err((id, Failure::illegal_characters("params"))) };
    Ok(ApiRequest { id, method: method.to_owned(), params })
}

/// A request's object, of whatever kind its members are. Of one that occurs twice the last counts.
struct Message {
    id: Option<Value>,
    method: Option<Value>,
    /// Err: no object.
    params: Result<Params, ()>,
}

impl<'de> Deserialize<'de> for Message {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MessageVisitor)
    }
}

struct MessageVisitor;

impl<'de> Visitor<'de> for MessageVisitor {
    type Value = Message;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Message, A::Error> {
        let mut message = Message { id: None, method: None, params: Ok(Params::default()) };
        while let Some(name) = members.next_key::<String>()? {
            match name.as_str() {
                "id" => message.id = Some(members.next_value()?),
                "method" => message.method = Some(members.next_value()?),
                "params" => message.params = members.next_value::<AnyParams>()?.0,
                _ => {
                    members.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(message)
    }
}

/// Parameters, none where `null` stands for them. Err: another value.
struct AnyParams(Result<Params, ()>);

impl<'de> Deserialize<'de> for AnyParams {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyParamsVisitor)
    }
}

struct AnyParamsVisitor;

impl<'de> Visitor<'de> for AnyParamsVisitor {
    type Value = AnyParams;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a value")
    }

    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<AnyParams, A::Error> {
        Params::deserialize(MapAccessDeserializer::new(members)).map(|params| AnyParams(Ok(params)))
    }

    fn visit_unit<E: Error>(self) -> Result<AnyParams, E> {
        Ok(AnyParams(Ok(Params::default())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<AnyParams, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(AnyParams(Err(())))
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<AnyParams, E> {
        Ok(AnyParams(Err(())))
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<AnyParams, E> {
        Ok(AnyParams(Err(())))
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<AnyParams, E> {
        Ok(AnyParams(Err(())))
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<AnyParams, E> {
        Ok(AnyParams(Err(())))
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<AnyParams, E> {
        Ok(AnyParams(Err(())))
    }
}

impl Venue {
    /// Logs sessions off whose key is gone: the venue says so without being asked.
    pub(super) fn drop_revoked(&mut self, key: &str, out: &mut Outbox) {
        for (conn, client) in &mut self.clients {
            let ClientKind::Api(api) = &mut client.kind else { continue };
            if api.logon.as_ref().is_some_and(|logon| logon.key == key) {
                api.logon = None;
                api.subscriptions.retain(|_, subscription| !subscription.by_logon);
                let failure = Failure { status: 401, ..INVALID_KEY };
                out.text(*conn, Topic::Control, envelope("null", &Err(failure), None, self.now));
            }
        }
    }
}

/// `v3/order.place` means `order.place`; `v2/account.balance` is a name of its own.
fn is_version(text: &str) -> bool {
    text == "v3" || text == "v1"
}

impl Venue {
    pub(super) fn api_text(&mut self, conn: ConnId, text: &str, out: &mut Outbox) {
        let (now, shift) = (self.now, self.shift());
        let Some(Client { ip, product, kind: ClientKind::Api(client), .. }) = self.clients.get_mut(&conn)
        else {
            return;
        };
        let (ip, product) = (*ip, *product);
        let Some(desk) = &mut self.desks[slot(product)] else { return };
        let request = match read(text) {
            Ok(request) => request,
            Err((id, failure)) => {
                let limits = desk.limits.list(now, ip, None);
                out.text(conn, Topic::Answer, envelope(&id, &Err(failure), Some(&limits), now));
                return;
            }
        };
        let params = &request.params;
        let mut returns_limits = client.returns_limits;
        if let Ok(Some(asked)) = params.flag("returnRateLimits") {
            returns_limits = asked;
        }
        let endpoint = calls::ws(product, &request.method);
        let weight = endpoint.map_or(2, |endpoint| endpoint.weight_of(product, params));
        let (mut topic, mut counts) = (Topic::Answer, None);
        let spent = desk.limits.spend(now, ip, weight);
        let is_banned = matches!(&spent, Err(failure) if failure.status == 418);
        let result = spent.and_then(|()| {
            let clock = shifted(now, shift);
            let Some(endpoint) = endpoint else {
                return client.session_call(&request, product, &self.keys, clock);
            };
            let account = client.authorised(&self.keys, params, endpoint.security, clock)?;
            if endpoint.is_order() {
                topic = Topic::OrderAnswer;
            }
            counts = (endpoint.security == Security::Trade).then_some(account);
            let result = desk.call(endpoint.call, Asked { params, account, now, shift_ms: shift });
            if result.is_ok() && matches!(endpoint.weight, Weight::FreeIfDone(_)) {
                desk.limits.give_back(now, ip, weight);
            }
            result
        });
        let limits = returns_limits.then(|| desk.limits.list(now, ip, counts));
        out.text(conn, topic, envelope(&request.id, &result, limits.as_deref(), now));
        for id in std::mem::take(&mut client.terminated) {
            let event = format!("{{\"e\":\"eventStreamTerminated\",\"E\":{}}}", now.as_ms());
            out.text(conn, Topic::User, format!("{{\"subscriptionId\":{id},\"event\":{event}}}"));
        }
        if is_banned {
            out.push(conn, Topic::Control, Payload::Close("banned"));
        }
    }
}

fn envelope(id: &str, result: &Result<String, Failure>, limits: Option<&str>, now: Nanos) -> String {
    let mut json = Json::object();
    json.raw("id", id);
    match result {
        Ok(result) => json.int("status", 200).raw("result", result),
        Err(failure) => {
            json.int("status", failure.status).open("error").int("code", failure.code);
            json.text("msg", &failure.text);
            if let Some(data) = &failure.data {
                json.raw("data", data);
            } else if let Some(at) = failure.retry_at_ms {
                json.open("data").int("serverTime", now.as_ms()).int("retryAfter", at).close();
            }
            json.close()
        }
    };
    if let Some(limits) = limits {
        json.raw("rateLimits", limits);
    }
    json.done()
}
