//! What the tests of the dialect share: the venue driven without sockets, signatures, and shapes of messages.
#![allow(dead_code, reason = "each test uses a part")]

use aws_lc_rs::hmac;
use aws_lc_rs::signature::Ed25519KeyPair;
use data_encoding::{BASE64, HEXLOWER};
use engine::time::Nanos;
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use venue_sim::outbox::{ConnId, Outbox, Outgoing, Payload};
use venue_sim::server::{Request, Response};
use venue_sim::venue::{Answer, Venue, VenueConfig};

/// Alice's HMAC key of `accounts.toml`.
pub(crate) const ALICE: &str = "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A";
pub(crate) const ALICE_SECRET: &str = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j";
/// Her Ed25519 key, and the private key of RFC 8032, test 1.
pub(crate) const ALICE_SESSION: &str = "aliceEd25519aliceEd25519aliceEd25519aliceEd25519aliceEd25519alic";
pub(crate) const ALICE_PRIVATE: &str = "MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g";
pub(crate) const BOB: &str = "bobHmacbobHmacbobHmacbobHmacbobHmacbobHmacbobHmacbobHmacbobHmac0";
pub(crate) const BOB_SECRET: &str = "bobSecretbobSecretbobSecretbobSecretbobSecretbobSecretbobSecret0";
pub(crate) const BOB_READER: &str = "bobReadOnlybobReadOnlybobReadOnlybobReadOnlybobReadOnlybobReadO";
pub(crate) const BOB_READER_SECRET: &str = "bobReaderbobReaderbobReaderbobReaderbobReaderbobReaderbobReader0";

/// 2023-11-14T22:13:20Z.
pub(crate) const OPENED_MS: u64 = 1_700_000_000_000;

pub(crate) fn hmac_hex(secret: &str, text: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    HEXLOWER.encode(hmac::sign(&key, text.as_bytes()).as_ref())
}

pub(crate) fn ed25519_base64(private: &str, text: &str) -> String {
    let der = BASE64.decode(private.as_bytes()).unwrap();
    let key = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&der).unwrap();
    BASE64.encode(key.sign(text.as_bytes()).as_ref())
}

/// `params` of a WebSocket request, signed by HMAC.
pub(crate) fn signed_params(key: &str, secret: &str, mut params: Value) -> Value {
    params["apiKey"] = key.into();
    let object = params.as_object().unwrap();
    // serde_json's objects are sorted by name.
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let pairs: Vec<_> = object.iter().map(|(name, value)| format!("{name}={}", text(value))).collect();
    params["signature"] = hmac_hex(secret, &pairs.join("&")).into();
    params
}

/// The venue without sockets.
pub(crate) struct Driver {
    pub(crate) venue: Venue,
    pub(crate) now: Nanos,
    next: u64,
    held: Vec<Outgoing>,
}

pub(crate) const IP: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

impl Driver {
    pub(crate) fn new(flow: bool) -> Self {
        Self::with(|config| config.flow = flow)
    }

    pub(crate) fn with(change: impl FnOnce(&mut VenueConfig)) -> Self {
        let mut config = VenueConfig {
            spot: vec!["BTCUSDT".into()],
            futures: vec!["BTCUSDT".into()],
            seed: 1,
            opened: Nanos::from_ms(OPENED_MS),
            accounts: None,
            faults: None,
            limits: true,
            flow: false,
        };
        change(&mut config);
        Self { venue: Venue::open(&config, Nanos(0)).unwrap(), now: Nanos(0), next: 0, held: Vec::new() }
    }

    pub(crate) fn now_ms(&self) -> u64 {
        self.venue.now().as_ms()
    }

    pub(crate) fn pass_ms(&mut self, ms: u64) {
        self.now = self.now.plus(Nanos::from_ms(ms));
        let mut out = Outbox::default();
        self.venue.advance(self.now, &mut out);
        self.keep(&mut out);
    }

    fn keep(&mut self, out: &mut Outbox) {
        self.held.extend(self.venue.pass(out));
    }

    /// Opens a WebSocket. Err: the refusal.
    pub(crate) fn open(&mut self, target: &str) -> Result<ConnId, Response> {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let request = Request {
            method: "GET".into(),
            path: path.into(),
            query: query.into(),
            web_socket_key: Some("dGhlIHNhbXBsZSBub25jZQ==".into()),
            ..Request::default()
        };
        self.next += 1;
        let conn = ConnId(self.next);
        let mut out = Outbox::default();
        match self.venue.http(conn, IP, &request, &mut out) {
            Answer::Upgrade(_) => Ok(conn),
            _ => match out.0.remove(0).payload {
                Payload::Http(response) => Err(response),
                other => panic!("{other:?}"),
            },
        }
    }

    /// Sends a message; what comes back is kept for `texts`.
    pub(crate) fn say(&mut self, conn: ConnId, text: &str) {
        let mut out = Outbox::default();
        self.venue.text(conn, text, &mut out);
        self.keep(&mut out);
    }

    /// What a connection was sent since the last call.
    pub(crate) fn texts(&mut self, conn: ConnId) -> Vec<String> {
        let (own, others) = std::mem::take(&mut self.held).into_iter().partition(|sent| sent.conn == conn);
        self.held = others;
        let own: Vec<Outgoing> = own;
        own.into_iter()
            .filter_map(|sent| match sent.payload {
                Payload::Text(text) => Some(text.to_string()),
                Payload::Close(reason) => Some(format!("close: {reason}")),
                _ => None,
            })
            .collect()
    }

    /// Calls a method of the WebSocket API, signed for `who`; the answer is the first text that comes back.
    pub(crate) fn call(
        &mut self,
        conn: ConnId,
        who: (&str, &str),
        method: &str,
        mut params: Value,
    ) -> String {
        params["timestamp"] = self.now_ms().into();
        let params = signed_params(who.0, who.1, params);
        self.ask(conn, method, &params)
    }

    pub(crate) fn ask(&mut self, conn: ConnId, method: &str, params: &Value) -> String {
        let request = serde_json::json!({ "id": "x", "method": method, "params": params });
        self.say(conn, &request.to_string());
        let at = self.held.iter().position(|sent| sent.conn == conn).expect("no answer");
        match self.held.remove(at).payload {
            Payload::Text(text) => text.to_string(),
            other => panic!("{other:?}"),
        }
    }

    /// A REST request; signed when `who` has a secret.
    pub(crate) fn rest(
        &mut self,
        method: &str,
        path: &str,
        query: &str,
        who: Option<(&str, &str)>,
    ) -> Response {
        let query = match who {
            None | Some((_, "")) => query.to_owned(),
            Some((_, secret)) => {
                let and = if query.is_empty() { "" } else { "&" };
                let text = format!("{query}{and}timestamp={}", self.now_ms());
                format!("{text}&signature={}", hmac_hex(secret, &text))
            }
        };
        let request = Request {
            method: method.into(),
            path: path.into(),
            query,
            api_key: who.map(|(key, _)| key.to_owned()),
            ..Request::default()
        };
        self.next += 1;
        let mut out = Outbox::default();
        self.venue.http(ConnId(self.next), IP, &request, &mut out);
        let Payload::Http(response) = out.0.remove(0).payload else { panic!("no answer") };
        self.keep(&mut out);
        response
    }

    pub(crate) fn admin(&mut self, method: &str, target: &str, body: &str) -> Response {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let request = Request {
            method: method.into(),
            path: path.into(),
            query: query.into(),
            body: body.into(),
            ..Request::default()
        };
        let mut out = Outbox::default();
        let response = self.venue.admin(&request, &mut out);
        self.keep(&mut out);
        response
    }
}

/// Keys in their order, and types.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Shape {
    Null,
    Flag,
    Number,
    Text,
    /// The shapes of the items that differ.
    List(Vec<Shape>),
    Object(Vec<(String, Shape)>),
}

impl Shape {
    pub(crate) fn of(json: &str) -> Self {
        serde_json::from_str(json).unwrap_or_else(|error| panic!("{error}: {json}"))
    }

    /// The member of an object.
    pub(crate) fn member(&self, name: &str) -> &Self {
        match self {
            Self::Object(members) => members.iter().find(|(known, _)| known == name).map(|(_, shape)| shape),
            _ => None,
        }
        .unwrap_or_else(|| panic!("no `{name}` in {self:?}"))
    }

    /// The first item of a list.
    pub(crate) fn first(&self) -> &Self {
        match self {
            Self::List(items) => items.first().expect("an item"),
            other => panic!("no list: {other:?}"),
        }
    }

    /// Says where two shapes differ; an empty list fits any list, and names in `more` may be there beside the
    /// expected ones.
    pub(crate) fn differs(&self, expected: &Self, more: &[&str]) -> Option<String> {
        match (self, expected) {
            (Self::Object(own), Self::Object(wanted)) => {
                let own: Vec<_> = own.iter().filter(|(name, _)| !more.contains(&name.as_str())).collect();
                let names = |members: &[&(String, Self)]| -> Vec<String> {
                    members.iter().map(|(name, _)| name.clone()).collect()
                };
                let wanted: Vec<_> =
                    wanted.iter().filter(|(name, _)| !more.contains(&name.as_str())).collect();
                if names(&own) != names(&wanted) {
                    return Some(format!("keys {:?}, expected {:?}", names(&own), names(&wanted)));
                }
                own.iter().zip(&wanted).find_map(|((name, own), (_, wanted))| {
                    own.differs(wanted, more).map(|what| format!("{name}: {what}"))
                })
            }
            (Self::List(own), Self::List(wanted)) => {
                let (own, wanted) = (own.first()?, wanted.first()?);
                own.differs(wanted, more)
            }
            _ => (self != expected).then(|| format!("{self:?}, expected {expected:?}")),
        }
    }
}

impl<'de> Deserialize<'de> for Shape {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Shape;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("JSON")
            }
            fn visit_unit<E>(self) -> Result<Shape, E> {
                Ok(Shape::Null)
            }
            fn visit_bool<E>(self, _: bool) -> Result<Shape, E> {
                Ok(Shape::Flag)
            }
            fn visit_i64<E>(self, _: i64) -> Result<Shape, E> {
                Ok(Shape::Number)
            }
            fn visit_u64<E>(self, _: u64) -> Result<Shape, E> {
                Ok(Shape::Number)
            }
            fn visit_f64<E>(self, _: f64) -> Result<Shape, E> {
                Ok(Shape::Number)
            }
            fn visit_str<E>(self, _: &str) -> Result<Shape, E> {
                Ok(Shape::Text)
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Shape, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = seq.next_element()? {
                    if !items.contains(&item) {
                        items.push(item);
                    }
                }
                Ok(Shape::List(items))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Shape, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Shape::Object(members))
            }
        }
        deserializer.deserialize_any(Reader)
    }
}
